/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Import and export: nothing is lost, and import(export(import(x))) is import(x). The
 * profiles of tests/conf are test-samples.c's. */
#include <sys/stat.h>
#include <unistd.h>
#include "check.h"
#include "properties/export.h"
#include "properties/import.h"
#include "service/profile.h"
#include "take.h"

static void circle(const char *name, const char *text, gsize len, const char *dir)
{
  GError *error = NULL;
  g_autoptr(NMConnection) a = nmovpn_import_text(text, len, "x", dir, &error), b = NULL;
  char *out = a ? nmovpn_export_text(a, &error) : NULL;
  b = out ? nmovpn_import_text(out, strlen(out), "x", dir, &error) : NULL;
  if (!b || !nm_connection_compare(a, b, NM_SETTING_COMPARE_FLAG_EXACT)) {
    fprintf(stderr, "%s: %s\n", name,
            error ? error->message : "another profile after export and import");
    if (a && b) {
      nm_connection_dump(a);
      nm_connection_dump(b);
    }
    check_failed_++;
  }
  g_clear_error(&error);
  ovpn_secret_free(out);
}

static const char *data(NMConnection *c, const char *key)
{
  return c ? nm_setting_vpn_get_data_item(nm_connection_get_setting_vpn(c), key) : NULL;
}

static void check_data(const char *text, const char *key, const char *value)
{
  g_autofree char *whole = g_strconcat("client\nremote h\n", text, "\n", NULL);
  g_autoptr(NMConnection) c = take(whole);
  if (g_strcmp0(data(c, key), value)) {
    fprintf(stderr, "%s: %s is “%s”, expected “%s”\n", text, key, data(c, key), value);
    check_failed_++;
  }
  circle(text, whole, strlen(whole), "/d");
}

/* The line has no key: it must stand alone in extra-options. */
static void check_line(const char *line)
{
  g_autofree char *whole = g_strconcat("client\nremote h\n", line, "\n", NULL);
  g_autoptr(NMConnection) c = take(whole);
  const char *extra = data(c, NMOVPN_KEY_EXTRA_OPTIONS);
  g_autofree char *got = extra ? nmovpn_text_unescape(extra) : NULL;
  CHECK_STR(got, line);
  circle(line, whole, strlen(whole), "/d");
}

static void test_keys(void)
{
  check_data("remote ::1 1195 udp6\nremote b 443 tcp", "remote", "h, [::1]:1195:udp6, b:443:tcp");
  check_data("proto tcp", "proto-tcp", "yes");
  check_data("proto udp", "proto-tcp", NULL);
  check_data("rport 443", "port", "443");
  check_data("dev tun\ndev tap3", "dev", "tap3");
  check_data("ca a.pem", "ca", "/d/a.pem");
  check_data("ca 'a b\\c.pem'", "ca", "/d/a b\\\\c.pem");
  check_data("tls-auth ta.key 1", "ta-dir", "1");
  check_data("tls-auth ta.key\nkey-direction 0", "ta-dir", "0");
  check_data("tls-auth [inline] 1\n<tls-auth>\nx\n</tls-auth>", "ta-dir", "1");
  check_data("<tls-crypt>\nx\n</tls-crypt>", "tls-crypt", "data:;base64,eAo=");
  check_data("verify-x509-name 'C=DE, CN=a: b'", "verify-x509-name", "subject:C=DE, CN=a: b");
  check_data("verify-x509-name a name-prefix", "verify-x509-name", "name-prefix:a");
  check_data("comp-lzo", "comp-lzo", "adaptive");
  check_data("comp-lzo no", "comp-lzo", "no-by-default");
  check_data("comp-lzo\ncompress", "comp-lzo", NULL);
  check_data("compress lz4-v2", "compress", "lz4-v2");
  check_data("mssfix", "mssfix", "yes");
  check_data("mssfix 1300", "mssfix", "1300");
  check_data("pkcs12 a.p12", "cert", "/d/a.p12");
  check_data("pkcs12 a.p12", "ca", "/d/a.p12");
  check_data("pkcs12 a\nca b", "ca", "/d/b");
  check_data("pkcs12 a.p12", "cert-pass-flags", "1");
  check_data("cert c\nkey k\nauth-user-pass", "connection-type", "password-tls");
  check_data("auth-user-pass", "password-flags", "1");
  check_data("reneg-sec 0", "reneg-seconds", "0");
  check_data("", "reneg-seconds", "3600");
  check_data("", "default-route", "auto");
  check_data("keepalive 10 60", "ping-restart", "60");
  check_data("ping-restart 60\nping-exit 30", "ping-restart", NULL);
  check_data("crl-verify c dir", "crl-verify-dir", "/d/c");
  check_data("tls-version-min 1.2 or-highest", "tls-version-min-or-highest", "yes");
  check_data("http-proxy p 3128", "proxy-port", "3128");
  check_data("socks-proxy p", "proxy-type", "socks");
  check_data("ifconfig 10.8.0.2 10.8.0.1", "remote-ip", "10.8.0.1");
  check_data("tun-mtu 1400\ntun-mtu 1400 1500", "tunnel-mtu", NULL);
}

#define BLOCKS                                                                                     \
  ("<connection>\nremote a 1194 udp\nmssfix 1200\n</connection>\n"                                 \
   "<connection>\nremote b\n<tls-auth>\nk\n</tls-auth>\n</connection>")

static void test_lines(void)
{
  static const char *const lines[] = {
      "proto udp6",
      "reneg-sec 3600 300",
      "mssfix 1400 mtu",
      "tun-mtu 1400 1500",
      "remote-cert-eku \"TLS Web Server Authentication\"",
      "remote-cert-ku a0 88",
      "compress stub-v2",
      "compress migrate",
      "auth-user-pass /d/login",
      "route 10.0.0.0 255.0.0.0 net_gateway",
      "redirect-gateway def1",
      "dhcp-option DNS fd00::1",
      "some-future-option a \"b c\"",
      "up /bin/sh",
      "verb 3",
      "static-challenge \"Enter code\" 1",
      BLOCKS,
      "allow-compression-nothing",
      "lport 0",
      "http-proxy p 3128 /d/login basic",
      "peer-fingerprint 00:11\npeer-fingerprint 22:33",
      "setenv UV_X \"a\\\\b\"",
  };
  for (size_t i = 0; i < sizeof(lines) / sizeof(*lines); i++)
    check_line(lines[i]);
  check_data("<peer-fingerprint>\n00:11\n22:33\n</peer-fingerprint>", "extra-options",
             "peer-fingerprint 00:11\\npeer-fingerprint 22:33");
  check_data("remote h openvpn", "remote", NULL);
}

/* Lines that NetworkManager's own settings hold; "ipv4.dns=10.0.0.1" and so on, in this order. */
static char *settings_text(NMConnection *c)
{
  GString *s = g_string_new(NULL);
  NMSettingIPConfig *both[] = {nm_connection_get_setting_ip4_config(c),
                               nm_connection_get_setting_ip6_config(c)};
  for (guint k = 0; k < 2; k++) {
    const char *name = k ? "ipv6" : "ipv4";
    if (nm_setting_ip_config_get_never_default(both[k]))
      g_string_append_printf(s, "%s.never-default ", name);
    for (guint i = 0; i < nm_setting_ip_config_get_num_routes(both[k]); i++) {
      NMIPRoute *r = nm_setting_ip_config_get_route(both[k], (int)i);
      g_string_append_printf(s, "%s.route=%s/%u", name, nm_ip_route_get_dest(r),
                             nm_ip_route_get_prefix(r));
      if (nm_ip_route_get_metric(r) >= 0)
        g_string_append_printf(s, "@%d", (int)nm_ip_route_get_metric(r));
      GVariant *table = nm_ip_route_get_attribute(r, NM_IP_ROUTE_ATTRIBUTE_TABLE);
      if (table)
        g_string_append_printf(s, " table %u", g_variant_get_uint32(table));
      g_string_append_c(s, ' ');
    }
    for (guint i = 0; i < nm_setting_ip_config_get_num_dns(both[k]); i++)
      g_string_append_printf(s, "%s.dns=%s ", name, nm_setting_ip_config_get_dns(both[k], (int)i));
    for (guint i = 0; i < nm_setting_ip_config_get_num_dns_searches(both[k]); i++)
      g_string_append_printf(s, "%s.search=%s ", name,
                             nm_setting_ip_config_get_dns_search(both[k], (int)i));
  }
  if (s->len)
    g_string_truncate(s, s->len - 1);
  return g_string_free(s, FALSE);
}

static void check_settings(const char *text, const char *want, const char *want_extra)
{
  g_autofree char *whole = g_strconcat("client\nremote h\n", text, "\n", NULL);
  g_autoptr(NMConnection) c = take(whole);
  g_autofree char *got = settings_text(c);
  CHECK_STR(got, want);
  if (g_strcmp0(data(c, NMOVPN_KEY_EXTRA_OPTIONS), want_extra)) {
    fprintf(stderr, "%s: lines “%s”\n", text, data(c, NMOVPN_KEY_EXTRA_OPTIONS));
    check_failed_++;
  }
  circle(text, whole, strlen(whole), "/d");
}

static void test_settings(void)
{
  check_settings("route 10.1.2.3 255.255.0.0", "ipv4.route=10.1.0.0/16", NULL);
  check_settings("route 192.0.2.1", "ipv4.route=192.0.2.1/32", NULL);
  check_settings("route 10.0.0.0 255.0.0.0 vpn_gateway 50", "ipv4.route=10.0.0.0/8@50", NULL);
  check_settings("route 10.0.0.0 255.0.0.0 default default", "ipv4.route=10.0.0.0/8", NULL);
  check_settings("route 10.1.0.0 255.255.0.0\nroute-table 7\nroute 10.2.0.0 255.255.0.0 default 5",
                 "ipv4.route=10.1.0.0/16 ipv4.route=10.2.0.0/16@5 table 7", "route-table 7");
  check_settings("route-table 9\nroute-table 0\nroute-ipv6 fd00::/64", "ipv6.route=fd00::/64",
                 "route-table 0");
  check_settings("route-noexec\nroute 10.1.0.0 255.255.0.0", "",
                 "route-noexec\\nroute 10.1.0.0 255.255.0.0");
  check_settings("route-ipv6 2001:db8:1::5/48", "ipv6.route=2001:db8:1::/48", NULL);
  check_settings("route 0.0.0.0 0.0.0.0", "", "route 0.0.0.0 0.0.0.0");
  check_settings("route 10.0.0.0 255.0.255.0", "", "route 10.0.0.0 255.0.255.0");
  check_settings("route www.example.org", "", "route www.example.org");
  check_settings("route 10.0.0.0 255.0.0.0 10.8.0.1", "", "route 10.0.0.0 255.0.0.0 10.8.0.1");
  check_settings("dev tap\nroute 10.0.0.0 255.0.0.0", "", "route 10.0.0.0 255.0.0.0");
  check_settings("route-metric 5\nroute 10.0.0.0 255.0.0.0\nroute 10.2.0.0 255.255.0.0 default 7\n"
                 "route-ipv6 2001:db8::/32",
                 "ipv4.route=10.0.0.0/8@5 ipv4.route=10.2.0.0/16@7 ipv6.route=2001:db8::/32@5",
                 "route-metric 5");
  check_settings("dhcp-option DNS 10.0.0.1\ndhcp-option DOMAIN a.example\n"
                 "dhcp-option DOMAIN-SEARCH b.example\ndhcp-option DOMAIN-ROUTE c.example",
                 "ipv4.dns=10.0.0.1 ipv4.search=a.example ipv4.search=b.example "
                 "ipv4.search=~c.example",
                 NULL);
  check_settings("dhcp-option DOMAIN a.example", "", "dhcp-option DOMAIN a.example");
  check_settings("dhcp-option DNS 10.0.0.1\ndhcp-option DNS fd00::1", "ipv4.dns=10.0.0.1",
                 "dhcp-option DNS fd00::1");
  check_settings("dhcp-option DNS 10.0.0.1\ndns server 0 address 10.0.0.2", "",
                 "dhcp-option DNS 10.0.0.1\\ndns server 0 address 10.0.0.2");
  check_settings("pull-filter ignore redirect-gateway", "ipv4.never-default ipv6.never-default",
                 NULL);
  check_settings("pull-filter ignore redirect-gateway\nredirect-gateway def1", "",
                 "pull-filter ignore redirect-gateway\\nredirect-gateway def1");
  check_settings("pull-filter accept r\npull-filter ignore redirect-gateway", "",
                 "pull-filter accept r\\npull-filter ignore redirect-gateway");
}

/* Connections as a person changes them, or as the older plugin wrote them. */
static void check_export(const char *changes, const char *wanted)
{
  GError *error = NULL;
  g_autoptr(NMConnection) c =
      take("client\nremote h\nca c\nauth-user-pass\nredirect-gateway def1\n");
  NMSettingIPConfig *ip4 = nm_connection_get_setting_ip4_config(c),
                    *ip6 = nm_connection_get_setting_ip6_config(c);
  NMSettingVpn *vpn = nm_connection_get_setting_vpn(c);
  if (strstr(changes, "old")) {
    nm_setting_vpn_remove_data_item(vpn, NMOVPN_KEY_DEFAULT_ROUTE);
    nm_setting_vpn_remove_data_item(vpn, NMOVPN_KEY_EXTRA_OPTIONS);
  }
  g_object_set(ip4, NM_SETTING_IP_CONFIG_NEVER_DEFAULT, strstr(changes, "no4") != NULL,
               NM_SETTING_IP_CONFIG_IGNORE_AUTO_DNS, strstr(changes, "nodns") != NULL, NULL);
  g_object_set(ip6, NM_SETTING_IP_CONFIG_NEVER_DEFAULT, strstr(changes, "no6") != NULL, NULL);
  char *text = nmovpn_export_text(c, &error);
  g_auto(GStrv) lines = g_strsplit(wanted, "|", -1);
  for (char **l = lines; text && *l; l++) {
    gboolean absent = **l == '!';
    g_autofree char *line = g_strconcat("\n", *l + absent, "\n", NULL);
    g_autofree char *all = g_strconcat("\n", text, NULL);
    if ((strstr(all, line) != NULL) == absent) {
      fprintf(stderr, "%s: “%s” %s in\n%s", changes, *l + absent, absent ? "is" : "is not", text);
      check_failed_++;
    }
  }
  ovpn_secret_free(text);
}

static void test_export(void)
{
  check_export("", "redirect-gateway def1");
  check_export("no4 no6", "pull-filter ignore \"redirect-gateway\"|!redirect-gateway def1");
  check_export("nodns", "redirect-gateway def1|pull-filter ignore \"dns \"");
  check_export("old", "redirect-gateway def1 ipv6");
  check_export("old no6", "redirect-gateway def1");
  check_export("old no4", "pull-filter ignore \"redirect-gateway\"|redirect-gateway !ipv4 ipv6");
  check_export("old no4 no6", "pull-filter ignore \"redirect-gateway\"|!redirect-gateway def1");
}

static void test_secrets(void)
{
  static const char text[] =
      "client\nremote h\n<cert>\nC\n</cert>\n<key>\n-----BEGIN ENCRYPTED PRIVATE KEY-----\n</key>\n"
      "<auth-user-pass>\njoe\npa ss\n</auth-user-pass>\n";
  g_autoptr(NMConnection) c = take(text);
  NMSettingVpn *vpn = nm_connection_get_setting_vpn(c);
  CHECK(data(c, "key") == NULL);
  CHECK_STR(data(c, "key-flags"), "0");
  CHECK_STR(data(c, "cert-pass-flags"), "1");
  CHECK_STR(data(c, "username"), "joe");
  CHECK_STR(data(c, "password-flags"), "0");
  CHECK_STR(nm_setting_vpn_get_secret(vpn, "password"), "pa ss");
  CHECK(g_str_has_prefix(nm_setting_vpn_get_secret(vpn, "key"), "data:;base64,"));
  CHECK_INT(nmovpn_profile_needs(vpn, FALSE, TRUE), NMOVPN_NEEDS_CERT_PASS);
  circle("secrets", text, strlen(text), "/d");
  nm_setting_vpn_remove_secret(vpn, "key");
  GError *error = NULL;
  char *out = nmovpn_export_text(c, &error);
  CHECK(!out && error);
  g_clear_error(&error);

  static const char p12[] =
      "client\nremote h\n<pkcs12>\nMIIJqQIBAzCCCWUGCSqGSIb3DQEHAaCC\n</pkcs12>\n";
  g_autoptr(NMConnection) d = take(p12);
  CHECK(nm_setting_vpn_get_secret(nm_connection_get_setting_vpn(d), "key") != NULL);
  CHECK_STR(data(d, "connection-type"), "tls");
  CHECK_INT(nmovpn_profile_needs(nm_connection_get_setting_vpn(d), FALSE, TRUE),
            NMOVPN_NEEDS_CERT_PASS);
  circle("pkcs12", p12, strlen(p12), "/d");
}

static char *contents(const char *path)
{
  char *text = NULL;
  CHECK(g_file_get_contents(path, &text, NULL, NULL));
  return text;
}

static gpointer read_pipe(gpointer path)
{
  return contents(path);
}

/* A file is replaced, a link stays and its file becomes private, a pipe gets the text. */
static void test_export_file(void)
{
  g_autofree char *dir = g_dir_make_tmp("ovpn-XXXXXX", NULL);
  g_autofree char *file = g_build_filename(dir, "file", NULL);
  g_autofree char *link = g_build_filename(dir, "link", NULL);
  g_autofree char *fifo = g_build_filename(dir, "fifo", NULL);
  static const char text[] = "client\nremote h\nca /ca.crt\nauth-user-pass\n";
  NMConnection *c = nmovpn_import_text(text, strlen(text), "x", NULL, NULL);
  g_autofree char *want = nmovpn_export_text(c, NULL);
  struct stat st = {0};
  CHECK(g_file_set_contents(
      file, "a longer text that was there before, much longer than what comes", -1, NULL));
  CHECK(chmod(file, 0644) == 0 && symlink("file", link) == 0 && mkfifo(fifo, 0600) == 0);
  CHECK(nmovpn_export_file(c, link, NULL, NULL));
  g_autofree char *got = contents(file);
  CHECK_STR(got, want);
  CHECK(lstat(link, &st) == 0 && S_ISLNK(st.st_mode));
  CHECK(stat(link, &st) == 0 && (st.st_mode & 0777) == 0600);
  CHECK(chmod(file, 0644) == 0 && nmovpn_export_file(c, file, NULL, NULL));
  CHECK(stat(file, &st) == 0 && (st.st_mode & 0777) == 0600);
  GThread *reader = g_thread_new("reader", read_pipe, fifo);
  CHECK(nmovpn_export_file(c, fifo, NULL, NULL));
  g_autofree char *through = g_thread_join(reader);
  CHECK_STR(through, want);
  CHECK(lstat(fifo, &st) == 0 && S_ISFIFO(st.st_mode));
  GError *error = NULL;
  CHECK(!nmovpn_export_file(c, dir, NULL, &error));
  CHECK(error && g_str_has_suffix(error->message, ": Is a directory"));
  g_clear_error(&error);
  CHECK(!unlink(file) && !unlink(link) && !unlink(fifo) && !rmdir(dir));
  g_object_unref(c);
}

static void refused(const char *text, gsize len, const char *words)
{
  GError *error = NULL;
  NMConnection *c = nmovpn_import_text(text, len, "x", NULL, &error);
  CHECK(!c && error);
  if (error && !strstr(error->message, words)) {
    fprintf(stderr, "“%s” lacks “%s”\n", error->message, words);
    check_failed_++;
  }
  CHECK(!error || !g_str_has_suffix(error->message, "."));
  g_clear_object(&c);
  g_clear_error(&error);
}

static void test_refusals(void)
{
  refused("", 0, "not an OpenVPN");
  refused("[Interface]\nPrivateKey = x\n", 28, "not an OpenVPN");
  refused("\177ELF\0\0\0", 7, "not an OpenVPN");
  refused("client\nremote \"h\n", 17, "Line 2");
  refused("client\nremote h\n<ca>\nx\n", 23, "Line 3");
}

int main(void)
{
  test_keys();
  test_lines();
  test_settings();
  test_export();
  test_secrets();
  test_export_file();
  test_refusals();
  TEST_END();
}
