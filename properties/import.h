/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A .ovpn file becomes a NetworkManager connection. */
#pragma once
#include <NetworkManager.h>

/* Reads a regular file of at most 4 MiB. The connection is partial: the caller gives it a UUID. */
NMConnection *nmovpn_import_file(const char *path, GError **error);
/* The same from memory. `id` becomes connection.id; relative file names are joined to `directory`
 * (NULL: left alone). */
NMConnection *nmovpn_import_text(const void *text, gsize len, const char *id, const char *directory,
                                 GError **error);
