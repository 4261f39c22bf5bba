/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of the engine's words may be handed on: it talks to the network and is not believed.
 * DESIGN.md §2. */
#include "service/engine-decode.h"

gboolean nmovpn_engine_text_ok(const char *s)
{
  if (!s || !g_utf8_validate(s, -1, NULL))
    return FALSE;
  for (; *s; s = g_utf8_next_char(s))
    if (g_unichar_iscntrl(g_utf8_get_char(s)))
      return FALSE;
  return TRUE;
}

/* Options whose words are no clean text are the server's garbage: left out. */
gboolean nmovpn_engine_append_clean(OvpnOptionList *to, const OvpnOptionList *from)
{
  for (size_t i = 0; i < from->n; i++) {
    const OvpnOption *o = &from->items[i];
    gboolean clean = o->argc > 0 && !o->is_inline;
    for (unsigned k = 0; clean && k < o->argc; k++)
      clean = nmovpn_engine_text_ok(o->argv[k]);
    if (clean && !ovpn_option_list_add(to, (const char *const *)o->argv, o->argc))
      return FALSE;
  }
  return TRUE;
}
