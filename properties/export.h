/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A NetworkManager connection becomes a .ovpn file. */
#pragma once
#include <NetworkManager.h>

/* Text of the file; free with ovpn_secret_free. Fails when the profile is not valid, or its inline
 * private key is not to be had. */
char *nmovpn_export_text(NMConnection *connection, GError **error);
/* The same; `warnings` (may be NULL) receives sentences about files that could not be taken in. */
char *nmovpn_export_text_with_report(NMConnection *connection, GPtrArray *warnings, GError **error);
/* Writes it, readable by the user only. */
gboolean nmovpn_export_file(NMConnection *connection, const char *path, GPtrArray *warnings,
                            GError **error);
char *nmovpn_export_suggested_name(NMConnection *connection);
