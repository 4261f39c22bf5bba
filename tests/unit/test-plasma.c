/* SPDX-License-Identifier: GPL-2.0-or-later */
/* KDE's plasma-nm and the same profiles: what it writes is taken, and what our import writes can be
 * read by it. The keys and values are those of its vpn/openvpn (openvpnwidget.cpp,
 * openvpnadvancedwidget.cpp, openvpnauth.cpp; looked at in 2026). usage: test-plasma CONF_DIRECTORY
 */
#include "ovpn-build.h"

#include "check.h"
#include "helper/core/config.h"
#include "service/profile-private.h"
#include "take.h"

/* What its pages always write, whatever is chosen. */
static const char *const always[][2] = {{"proto-tcp", "no"},
                                        {"allow-compression", "no"},
                                        {"mssfix", "no"},
                                        {"remote-random", "no"},
                                        {"remote-random-hostname", "no"},
                                        {"push-peer-info", "no"},
                                        {"allow-pull-fqdn", "no"},
                                        {"tun-ipv6", "no"},
                                        {"float", "no"},
                                        {"ncp-disable", "no"}};

/* "key=value|key=value" over that; an empty value stands for an empty field. */
static NMSettingVpn *make(const char *text)
{
  NMSettingVpn *vpn = NM_SETTING_VPN(g_object_ref_sink(nm_setting_vpn_new()));
  g_autoptr(GHashTable) data = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, g_free);
  for (guint i = 0; i < G_N_ELEMENTS(always); i++)
    g_hash_table_insert(data, g_strdup(always[i][0]), g_strdup(always[i][1]));
  g_auto(GStrv) items = g_strsplit(text, "|", -1);
  for (char **i = items; *i; i++) {
    char *equals = strchr(*i, '=');
    g_hash_table_insert(data, g_strndup(*i, (gsize)(equals - *i)), g_strdup(equals + 1));
  }
  g_object_set(vpn, NM_SETTING_VPN_SERVICE_TYPE, NMOVPN_VPN_SERVICE, NM_SETTING_VPN_DATA, data,
               NULL);
  return vpn;
}

static void taken(const char *text)
{
  g_autoptr(NMSettingVpn) vpn = make(text);
  ovpn_auto_option_list l = {0};
  OvpnConfig c;
  OvpnFailure f = {0};
  g_autoptr(GError) error = NULL;
  ovpn_config_init(&c);
  if (!nmovpn_profile_to_options(vpn, &l, &error)) {
    fprintf(stderr, "%s: %s\n", text, error->message);
    check_failed_++;
  } else if (ovpn_config_apply(&c, &l, &f) != OVPN_OK) {
    fprintf(stderr, "%s: %s\n", text, f.text);
    check_failed_++;
  }
  ovpn_config_clear(&c);
}

#define TLS "connection-type=tls|remote=h|ca=/ca|cert=/c|key=/k|cert-pass-flags=1|"

static void test_kinds(void)
{
  taken("connection-type=tls|remote=a:1195:udp, b|ca=/ca|cert=/c|key=/k|cert-pass-flags=4");
  taken("connection-type=password|remote=h|ca=/ca|username=|password-flags=1");
  taken("connection-type=password|remote=h|ca=/ca|password-flags=2");
  taken("connection-type=password-tls|remote=h|ca=/ca|cert=/c|key=/k|username=joe|"
        "password-flags=0|cert-pass-flags=0");
  taken("connection-type=static-key|remote=h|static-key=/s|static-key-direction=1|"
        "remote-ip=10.0.0.1|local-ip=10.0.0.2");
  taken("connection-type=static-key|remote=h|static-key=/s|remote-ip=|local-ip=");
}

static void test_advanced(void)
{
  static const char *const values[] = {
      "port=1195|proto-tcp=yes", "tunnel-mtu=1400|fragment-size=1300|mssfix=yes", "mtu-disc=no",
      "mtu-disc=maybe", "mtu-disc=yes", "reneg-seconds=0", "reneg-seconds=3600",
      "comp-lzo=no-by-default|allow-compression=asym", "comp-lzo=adaptive|allow-compression=asym",
      "compress=lzo|allow-compression=asym", "compress=lz4|allow-compression=asym",
      "compress=lz4-v2|allow-compression=asym", "compress=yes|allow-compression=asym",
      "dev-type=tun|dev=tun7", "dev-type=tap", "remote-random=yes|remote-random-hostname=yes",
      "push-peer-info=yes|allow-pull-fqdn=yes|tun-ipv6=yes|float=yes|max-routes=100",
      "ping=10|ping-exit=60|connect-timeout=20", "ping=10|ping-restart=60",
      /* digests; without an openvpn program its lists of ciphers are empty */
      "auth=none|cipher=AES-256-CBC", "auth=MD5", "auth=SHA1", "auth=SHA224", "auth=SHA256",
      "auth=SHA384", "auth=SHA512", "auth=RIPEMD160", "keysize=256|ncp-disable=yes",
      "cipher=AES-256-CBC|data-ciphers=AES-256-GCM|data-ciphers-fallback=AES-256-CBC",
      "cipher=|data-ciphers=|data-ciphers-fallback=", "verify-x509-name=subject:CN=a b",
      "verify-x509-name=name:vpn.example.org", "verify-x509-name=name-prefix:vpn", "tls-remote=vpn",
      "remote-cert-tls=server", "ns-cert-type=server", "ta=/ta", "ta=/ta|ta-dir=1", "tls-crypt=/tc",
      "tls-crypt-v2=/v2", "extra-certs=/e", "crl-verify-file=/crl", "crl-verify-dir=/crls",
      "tls-version-min=1.2|tls-version-min-or-highest=yes|tls-version-max=1.3",
      "tls-version-min=1.2|tls-version-min-or-highest=no",
      "proto-tcp=yes|proxy-type=http|proxy-server=p|proxy-port=3128|proxy-retry=no",
      "proto-tcp=yes|proxy-type=http|proxy-server=p|proxy-port=0|proxy-retry=yes|http-proxy-"
      "username=joe|"
      "http-proxy-password-flags=1",
      "proxy-type=socks|proxy-server=p|proxy-port=0|proxy-retry=no"};
  for (guint i = 0; i < G_N_ELEMENTS(values); i++) {
    g_autofree char *text = g_strconcat(TLS, values[i], NULL);
    taken(text);
  }
}

/* ---- secrets */

static guint needs(const char *text, const char *secret)
{
  g_autoptr(NMSettingVpn) vpn = make(text);
  if (secret)
    nm_setting_vpn_add_secret(vpn, secret, "s");
  return (guint)nmovpn_profile_needs(vpn, FALSE, TRUE);
}

static void test_secrets(void)
{
#define PASSWORD "connection-type=password|remote=h|ca=/ca|username=joe|password-flags="
  CHECK_INT(needs(PASSWORD "0", "password"), 0);
  CHECK_INT(needs(PASSWORD "1", NULL), NMOVPN_NEEDS_PASSWORD);
  CHECK_INT(needs(PASSWORD "2", NULL), NMOVPN_NEEDS_PASSWORD);
  CHECK_INT(needs(PASSWORD "2", "password"), 0);
  CHECK_INT(needs(PASSWORD "4", NULL), 0);
  CHECK_INT(needs(TLS "proxy-type=http|proxy-server=p|proxy-port=0|http-proxy-username=joe|"
                      "http-proxy-password-flags=1",
                  NULL),
            NMOVPN_NEEDS_PROXY_PASSWORD);
  CHECK_INT(needs(TLS "proxy-type=http|proxy-server=p|proxy-port=0|http-proxy-username=joe|"
                      "http-proxy-password-flags=1",
                  "http-proxy-password"),
            0);
  CHECK_INT(needs(TLS "proxy-type=socks|proxy-server=p|proxy-port=0", NULL), 0);
}

/* An imported connection that its first page saved: the fields of inline files came back empty
 * there, and the key is still a secret. */
static void test_saved_import(void)
{
  g_autoptr(NMSettingVpn) vpn = make(TLS "key=");
  ovpn_auto_option_list l = {0};
  nm_setting_vpn_add_secret(vpn, "key", "data:;base64,eAo=");
  CHECK(nmovpn_profile_to_options(vpn, &l, NULL));
  CHECK(ovpn_option_list_last(&l, OVPN_OPT_KEY) != NULL);
}

/* ---- what our import writes */

/* It reads these as numbers and shows what it cannot read as 0. */
static const char *const numbers[] = {
    "port",   "tunnel-mtu", "fragment-size",       "reneg-seconds", "connect-timeout",
    "ping",   "ping-exit",  "max-routes",          "ping-restart",  "proxy-port",
    "ta-dir", "keysize",    "static-key-direction"};
/* ... and these as one of some words. */
static const char *const words[][2] = {{"connection-type", "tls password password-tls static-key"},
                                       {"proto-tcp", "yes no"},
                                       {"float", "yes no"},
                                       {"remote-random", "yes no"},
                                       {"remote-random-hostname", "yes no"},
                                       {"push-peer-info", "yes no"},
                                       {"allow-pull-fqdn", "yes no"},
                                       {"ncp-disable", "yes no"},
                                       {"tls-version-min-or-highest", "yes no"},
                                       {"mtu-disc", "no maybe yes"},
                                       {"compress", "lzo lz4 lz4-v2 yes"},
                                       {"comp-lzo", "no-by-default yes adaptive"},
                                       {"allow-compression", "asym yes no"},
                                       {"dev-type", "tun tap"},
                                       {"remote-cert-tls", "client server"},
                                       {"ns-cert-type", "client server"},
                                       {"proxy-type", "http socks"},
                                       {"proxy-retry", "yes no"},
                                       {"password-flags", "0 1 2 4"},
                                       {"cert-pass-flags", "0 1 2 4"},
                                       {"http-proxy-password-flags", "0 1 2 4"}};

static void readable(const char *file, const char *key, const char *value)
{
  gboolean good = *value != '\0' && g_utf8_validate(value, -1, NULL) && !strpbrk(value, "\r\n");
  for (guint i = 0; i < G_N_ELEMENTS(numbers); i++) {
    if (!strcmp(key, numbers[i]))
      good &= g_ascii_string_to_unsigned(value, 10, 0, G_MAXINT, NULL, NULL);
  }
  for (guint i = 0; i < G_N_ELEMENTS(words); i++) {
    g_auto(GStrv) list = g_strsplit(words[i][1], " ", -1);
    if (!strcmp(key, words[i][0]))
      good &= g_strv_contains((const char *const *)list, value);
  }
  if (!good) {
    fprintf(stderr, "%s: %s=%s\n", file, key, value);
    check_failed_++;
  }
}

static void test_imports(const char *directory)
{
  g_autoptr(GPtrArray) paths = samples(directory, FALSE);
  guint n = 0;
  for (guint k = 0; k < paths->len; k++) {
    const char *path = paths->pdata[k];
    g_autoptr(NMConnection) c = nmovpn_import_file(path, NULL);
    NMSettingVpn *vpn = c ? nm_connection_get_setting_vpn(c) : NULL;
    guint len = 0;
    g_autofree const char **keys = vpn ? nm_setting_vpn_get_data_keys(vpn, &len) : NULL;
    for (guint i = 0; i < len; i++)
      readable(path, keys[i], nm_setting_vpn_get_data_item(vpn, keys[i]));
    n += len > 0;
  }
  CHECK(n > 10);
}

int main(int argc, char **argv)
{
  test_kinds();
  test_advanced();
  test_secrets();
  test_saved_import();
  test_imports(argv[1]);
  TEST_END();
}
