/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Any bytes as a file to import: no crash, a sentence for every refusal, and what was imported
 * comes out and goes in again as the same profile. */
#include <stdlib.h>
#include "properties/export.h"
#include "properties/import.h"
#include "service/profile.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(gboolean c)
{
  if (!c)
    abort();
}

static void check_report(const NmOvpnImportReport *report)
{
  for (guint i = 0; i < report->warnings->len; i++)
    require(g_utf8_validate(report->warnings->pdata[i], -1, NULL));
  for (guint i = 0; i < report->notes->len; i++)
    require(g_utf8_validate(report->notes->pdata[i], -1, NULL));
  g_autofree char *text = nmovpn_import_report_text(report, "/a/file.ovpn");
  require(!text || strlen(text) < 200000);
}

/* A file that the profile names can come in as a block at the first export, never later. */
static void circle(NMConnection *a)
{
  char *first = nmovpn_export_text(a, NULL);
  if (!first)
    return; /* no server in it */
  g_autoptr(GError) error = NULL;
  g_autoptr(NMConnection) b = nmovpn_import_text(first, strlen(first), "x", NULL, &error);
  /* The share of control characters, by which binary files are told, grows without the comments. */
  if (!b && strstr(error->message, "binary data")) {
    ovpn_secret_free(first);
    return;
  }
  require(b != NULL);
  char *second = nmovpn_export_text(b, NULL);
  g_autoptr(NMConnection) c = nmovpn_import_text(second, strlen(second), "x", NULL, &error);
  require(c && nm_connection_compare(b, c, NM_SETTING_COMPARE_FLAG_EXACT));
  ovpn_secret_free(first);
  ovpn_secret_free(second);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  NmOvpnImportReport report;
  g_autoptr(GError) error = NULL;
  nmovpn_import_report_init(&report);
  g_autoptr(NMConnection) a =
      nmovpn_import_text_with_report(data, size, "x", NULL, &report, &error);
  require((a != NULL) == (error == NULL));
  require(!error || g_utf8_validate(error->message, -1, NULL));
  check_report(&report);
  if (a)
    circle(a);
  nmovpn_import_report_clear(&report);
  return 0;
}
