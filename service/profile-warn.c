/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What import tells about the lines of a file: the ones without effect, and the ones that will stop
 * the connection.
 *
 * The reasons stand in options.def. Words of the file are data from a stranger: they are cut and
 * control characters left out. DESIGN §7. */
#include "ovpn-build.h"

#include "service/profile-private.h"

#include <glib/gi18n-lib.h>
#include <string.h>

/* A word of the file, fit for a terminal. */
static char *shown(const char *word)
{
  g_autofree char *valid = g_utf8_make_valid(word, (gssize)MIN(strlen(word), 60));
  for (char *p = valid; *p; p++)
    if ((guchar)*p < 0x20 || *p == 0x7f)
      *p = '?';
  return g_steal_pointer(&valid);
}

/* Somebody said that this word may be unknown. */
static gboolean is_excused(const OvpnOptionList *l, const char *word)
{
  for (gsize i = 0; i < l->n; i++) {
    const OvpnOption *o = &l->items[i];
    for (guint k = 1; o->id == OVPN_OPT_IGNORE_UNKNOWN_OPTION && k < o->argc; k++)
      if (!strcmp(o->argv[k], word))
        return TRUE;
  }
  return FALSE;
}

/* The scripts of distributions that hand the server's names to the resolver: NetworkManager does
 * that, so nothing is lost. */
static gboolean is_dns_script(const OvpnOption *o)
{
  gboolean script = o->id == OVPN_OPT_UP || o->id == OVPN_OPT_DOWN || o->id == OVPN_OPT_ROUTE_UP ||
                    o->id == OVPN_OPT_ROUTE_PRE_DOWN;
  if (!script || o->argc < 2)
    return FALSE;
  const char *slash = strrchr(o->argv[1], '/');
  const char *name = slash ? slash + 1 : o->argv[1];
  return g_str_has_prefix(name, "update-resolv-conf") ||
         g_str_has_prefix(name, "update-systemd-resolved");
}

static const char *no_effect(const OvpnOptionList *l, const OvpnOption *o)
{
  const OvpnOptionInfo *info = ovpn_option_info(o->id);
  if (o->id == OVPN_OPT_CONFIG)
    return NULL; /* who reads included files has said why this one was not */
  if (o->id == OVPN_OPT_UNKNOWN)
    return is_excused(l, o->argv[0]) ? NULL : _("this option is not known");
  if (info->flags & OVPN_OPTF_SERVER)
    return _("it only concerns servers");
  if (info->flags & (OVPN_OPTF_NEVER | OVPN_OPTF_LATER))
    return info->reason ? _(info->reason) : _("it is not supported");
  return NULL;
}

static void add_line(GPtrArray *to, const OvpnOption *o, const char *format, const char *why)
{
  g_autofree char *word = shown(o->argv[0]);
  g_autofree char *rest = g_strdup_printf(format, word, why);
  if (o->line)
    g_ptr_array_add(to, g_strdup_printf(_("Line %u: %s"), o->line, rest));
  else
    g_ptr_array_add(to, g_steal_pointer(&rest));
}

gboolean profile_warn(const OvpnOptionList *l, const OvpnOption *o, GPtrArray *warnings,
                      GPtrArray *notes)
{
  const OvpnOptionInfo *info = ovpn_option_info(o->id);
  OvpnFailure f = {0};
  gboolean dns_script = is_dns_script(o);
  const char *why = dns_script ? NULL : no_effect(l, o);
  if (notes && (dns_script || (info->flags & OVPN_OPTF_HARMLESS)))
    g_ptr_array_add(notes, shown(o->argv[0]));
  if (!warnings)
    return FALSE;
  if (why) {
    /* TRANSLATORS: an option and the reason, such as “only matters to a server” */
    add_line(warnings, o, _("“%s” has no effect: %s"), why);
    return FALSE;
  }
  if (info->flags & OVPN_OPTF_REFUSED) {
    /* TRANSLATORS: an option and the reason, such as “connections with a shared static key are not
     * possible yet” */
    add_line(warnings, o, _("“%s” keeps this connection from working: %s"), _(info->reason));
    return TRUE;
  }
  if (ovpn_option_check(o, &f) == OVPN_OK)
    return FALSE;
  add_line(warnings, o, _("“%s” keeps this connection from working: %s"), f.text);
  return TRUE;
}
