/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files that an imported file names with `config`. */
#pragma once
#include <glib.h>
#include "helper/core/options.h"

/* Replaces the lines `config FILE` of *l by the options of these files, as far as they lie in
 * `directory` or below it (NULL: nothing is read). Lines that stay add a sentence to `warnings`
 * (may be NULL). FALSE: such a file has a mistake; *l is then useless. */
gboolean nmovpn_include_files(OvpnOptionList *l, const char *directory, GPtrArray *warnings,
                              GError **error);
