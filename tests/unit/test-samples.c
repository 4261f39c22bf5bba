/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Every profile of tests/conf: what import makes of it, what it tells, what export writes, and that
 * importing the export gives the same again. NAME.ovpn has its expectations in NAME.expect; the
 * words @DIR@ stand for the folder. With OVPN_WRITE_EXPECT=1 in the environment the expectations
 * are written anew: read the difference before you commit it. */
#include "check.h"
#include "properties/export.h"
#include "service/profile.h"
#include "take.h"

static void add_item(const char *key, const char *value, gpointer list)
{
  g_ptr_array_add(list, g_strdup_printf("%s = %s", key, value));
}

static int by_text(gconstpointer a, gconstpointer b)
{
  return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void print_items(GString *s, const char *prefix, GPtrArray *items)
{
  g_ptr_array_sort(items, by_text);
  for (guint i = 0; i < items->len; i++)
    g_string_append_printf(s, "%s%s\n", prefix, (char *)items->pdata[i]);
  g_ptr_array_set_size(items, 0);
}

static void print_ip(GString *s, const char *name, NMSettingIPConfig *ip)
{
  if (nm_setting_ip_config_get_never_default(ip))
    g_string_append_printf(s, "%s.never-default = yes\n", name);
  for (guint i = 0; i < nm_setting_ip_config_get_num_routes(ip); i++) {
    NMIPRoute *r = nm_setting_ip_config_get_route(ip, (int)i);
    g_string_append_printf(s, "%s.route = %s/%u", name, nm_ip_route_get_dest(r),
                           nm_ip_route_get_prefix(r));
    if (nm_ip_route_get_metric(r) >= 0)
      g_string_append_printf(s, " metric %d", (int)nm_ip_route_get_metric(r));
    GVariant *table = nm_ip_route_get_attribute(r, NM_IP_ROUTE_ATTRIBUTE_TABLE);
    if (table)
      g_string_append_printf(s, " table %u", g_variant_get_uint32(table));
    g_string_append_c(s, '\n');
  }
  for (guint i = 0; i < nm_setting_ip_config_get_num_dns(ip); i++)
    g_string_append_printf(s, "%s.dns = %s\n", name, nm_setting_ip_config_get_dns(ip, (int)i));
  for (guint i = 0; i < nm_setting_ip_config_get_num_dns_searches(ip); i++)
    g_string_append_printf(s, "%s.dns-search = %s\n", name,
                           nm_setting_ip_config_get_dns_search(ip, (int)i));
}

static void print_connection(GString *s, NMConnection *c)
{
  g_autoptr(GPtrArray) items = g_ptr_array_new_with_free_func(g_free);
  NMSettingVpn *vpn = nm_connection_get_setting_vpn(c);
  g_string_append(s, "[profile]\n");
  nm_setting_vpn_foreach_data_item(vpn, add_item, items);
  print_items(s, "vpn.data ", items);
  nm_setting_vpn_foreach_secret(vpn, add_item, items);
  print_items(s, "vpn.secrets ", items);
  print_ip(s, "ipv4", nm_connection_get_setting_ip4_config(c));
  print_ip(s, "ipv6", nm_connection_get_setting_ip6_config(c));
}

static void print_report(GString *s, const NmOvpnImportReport *report)
{
  if (report->warnings->len)
    g_string_append(s, "[warnings]\n");
  for (guint i = 0; i < report->warnings->len; i++)
    g_string_append_printf(s, "%s\n", (char *)report->warnings->pdata[i]);
  if (report->notes->len)
    g_string_append(s, "[not needed]\n");
  for (guint i = 0; i < report->notes->len; i++)
    g_string_append_printf(s, "%s\n", (char *)report->notes->pdata[i]);
}

/* Import, report and export of one file as text. */
static char *describe(const char *dir, const char *file)
{
  GString *s = g_string_new(NULL);
  NmOvpnImportReport report;
  GError *error = NULL;
  nmovpn_import_report_init(&report);
  g_autoptr(NMConnection) a = nmovpn_import_file_with_report(file, &report, &error);
  char *out = NULL;
  if (a) {
    print_connection(s, a);
    print_report(s, &report);
    out = nmovpn_export_text(a, &error);
  }
  if (error)
    g_string_append_printf(s, "[refused]\n%s\n", error->message);
  if (out) {
    g_autoptr(NMConnection) b =
        nmovpn_import_text(out, strlen(out), nm_connection_get_id(a), dir, NULL);
    gboolean same = b && nm_connection_compare(a, b, NM_SETTING_COMPARE_FLAG_EXACT);
    g_string_append_printf(s, "[export]\n%s%s", out,
                           same ? "" : "[changed by export and import]\n");
    CHECK(same);
  }
  g_clear_error(&error);
  ovpn_secret_free(out);
  nmovpn_import_report_clear(&report);
  g_auto(GStrv) parts = g_strsplit(s->str, dir, -1);
  g_string_free(s, TRUE);
  return g_strjoinv("@DIR@", parts);
}

static void check_sample(const char *dir, const char *file)
{
  g_autofree char *stem = g_strndup(file, strlen(file) - strlen(".ovpn"));
  g_autofree char *expect = g_strconcat(stem, ".expect", NULL);
  g_autofree char *got = describe(dir, file), *want = NULL;
  if (g_getenv("OVPN_WRITE_EXPECT")) {
    CHECK(g_file_set_contents(expect, got, -1, NULL));
  } else if (!g_file_get_contents(expect, &want, NULL, NULL)) {
    fprintf(stderr, "%s has no expectations\n", file);
    check_failed_++;
  } else if (strcmp(want, got)) {
    fprintf(stderr, "%s: expected\n%s--- but got\n%s", file, want, got);
    check_failed_++;
  }
}

int main(int argc, char **argv)
{
  g_autofree char *dir = g_canonicalize_filename(argc > 1 ? argv[1] : ".", NULL);
  g_autoptr(GPtrArray) paths = samples(dir, TRUE);
  for (guint i = 0; i < paths->len; i++)
    check_sample(dir, paths->pdata[i]);
  CHECK(paths->len >= 150);
  if (check_failed_)
    fprintf(stderr, "If the new results are right: OVPN_WRITE_EXPECT=1 %s %s, then git diff\n",
            argv[0], dir);
  TEST_END();
}
