/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A .ovpn file becomes a NetworkManager connection. */
#pragma once
#include <NetworkManager.h>

/* What the person should be told; both arrays hold char * and free them. */
typedef struct NmOvpnImportReport {
  GPtrArray *warnings; /* sentences: lines without effect, mistakes, what will not work */
  GPtrArray *notes;    /* words of lines that are not needed here */
} NmOvpnImportReport;
void nmovpn_import_report_init(NmOvpnImportReport *report);
void nmovpn_import_report_clear(NmOvpnImportReport *report);
/* Adds a warning for each file that the connection names and that is not there. */
void nmovpn_import_check_files(NMConnection *connection, NmOvpnImportReport *report);
/* The report as lines of text with a limit, for a terminal; NULL when there is nothing to say. */
char *nmovpn_import_report_text(const NmOvpnImportReport *report, const char *path);

/* Reads a regular file of at most 4 MiB, and the ones beside it that it names with `config`. The
 * connection is partial: the caller gives it a UUID. `report` may be NULL. */
NMConnection *nmovpn_import_file_with_report(const char *path, NmOvpnImportReport *report,
                                             GError **error);
NMConnection *nmovpn_import_file(const char *path, GError **error);
/* The same from memory. `id` becomes connection.id; relative file names are joined to `directory`
 * (NULL: left alone). */
NMConnection *nmovpn_import_text_with_report(const void *text, gsize len, const char *id,
                                             const char *directory, NmOvpnImportReport *report,
                                             GError **error);
NMConnection *nmovpn_import_text(const void *text, gsize len, const char *id, const char *directory,
                                 GError **error);
