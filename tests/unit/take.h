/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Connections for tests: out of the text of a profile, and out of tests/conf. */
#pragma once
#include <stdio.h>
#include <string.h>

#include "properties/import.h"

/* NULL: refused, and the reason is printed. */
static inline NMConnection *take(const char *text)
{
  GError *error = NULL;
  NMConnection *c = nmovpn_import_text(text, strlen(text), "x", "/d", &error);
  if (!c)
    fprintf(stderr, "import: %s\n", error->message);
  g_clear_error(&error);
  return c;
}

/* Paths of the sample profiles of a folder; without those (bad-...) that import refuses, unless
 * all. */
static inline GPtrArray *samples(const char *folder, gboolean all)
{
  GPtrArray *ret = g_ptr_array_new_with_free_func(g_free);
  GDir *dir = g_dir_open(folder, 0, NULL);
  for (const char *name; dir && (name = g_dir_read_name(dir));)
    if (g_str_has_suffix(name, ".ovpn") && (all || !g_str_has_prefix(name, "bad-")))
      g_ptr_array_add(ret, g_build_filename(folder, name, NULL));
  g_clear_pointer(&dir, g_dir_close);
  return ret;
}
