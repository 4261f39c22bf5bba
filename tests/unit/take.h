/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A connection out of the text of a profile, for tests. */
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
