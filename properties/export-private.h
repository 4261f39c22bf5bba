/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Parts of the export (export*.c only). */
#pragma once
#include <NetworkManager.h>
#include "helper/core/options.h"

/* pull-filter lines for never-default, ignore-auto-dns and ignore-auto-routes: they come first,
 * because the first filter that fits counts. */
void export_filters(GString *s, NMConnection *connection);
/* TRUE: the line contradicts NetworkManager's own settings, which win. */
gboolean export_skips(NMConnection *connection, const OvpnOption *o);
/* Routes, name servers and the default route of ipv4 and ipv6; `l`: the options that were written.
 */
void export_ip(GString *s, NMConnection *connection, const OvpnOptionList *l);

/* Writes the file that the option names as a block; FALSE: the line has to be written as it is.
 * `warnings` (may be NULL) receives a sentence when the file could not be read. */
gboolean export_file_as_block(GString *s, const OvpnOption *o, GPtrArray *warnings);
