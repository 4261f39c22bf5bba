/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Profiles as NetworkManager-openvpn wrote them -> options; secrets needed; text forms. */
#include "check.h"
#include "helper/core/conf.h"
#include "service/profile-private.h"

/* "key=value|key=value" -> a setting */
static NMSettingVpn *make(const char *text)
{
  NMSettingVpn *vpn = NM_SETTING_VPN(g_object_ref_sink(nm_setting_vpn_new()));
  g_auto(GStrv) items = g_strsplit(text, "|", -1);
  for (char **i = items; *i; i++) {
    char *equals = strchr(*i, '=');
    *equals = '\0';
    nm_setting_vpn_add_data_item(vpn, *i, equals + 1);
  }
  return vpn;
}

static char *options_text(const OvpnOptionList *l)
{
  GString *s = g_string_new("\n");
  for (size_t i = 0; i < l->n; i++) {
    char *line = nmovpn_option_text(&l->items[i]);
    g_string_append(s, line);
    free(line);
  }
  return g_string_free(s, FALSE);
}

/* Every wanted line ("a|b") is there, in this order or another; a line beginning with '!' is not.
 */
static void check_options(const char *data, const char *wanted)
{
  g_autoptr(NMSettingVpn) vpn = make(data);
  ovpn_auto_option_list l = {0};
  GError *error = NULL;
  if (!nmovpn_profile_to_options(vpn, &l, &error)) {
    fprintf(stderr, "%s: %s\n", data, error->message);
    check_failed_++;
    g_clear_error(&error);
    return;
  }
  g_autofree char *text = options_text(&l);
  g_auto(GStrv) lines = g_strsplit(wanted, "|", -1);
  for (char **w = lines; *w; w++) {
    gboolean absent = **w == '!';
    g_autofree char *line = g_strconcat("\n", *w + absent, "\n", NULL);
    if ((strstr(text, line) != NULL) == absent) {
      fprintf(stderr, "%s: “%s” %s:%s", data, *w + absent, absent ? "is there" : "is missing",
              text);
      check_failed_++;
    }
  }
}

static void check_invalid(const char *data, int code, const char *words)
{
  g_autoptr(NMSettingVpn) vpn = make(data);
  ovpn_auto_option_list l = {0};
  GError *error = NULL;
  CHECK(!nmovpn_profile_to_options(vpn, &l, &error));
  if (!g_error_matches(error, NMOVPN_PROFILE_ERROR, code) || !strstr(error->message, words)) {
    fprintf(stderr, "%s: “%s”\n", data, error ? error->message : "(none)");
    check_failed_++;
  }
  g_clear_error(&error);
}

static void test_old_profiles(void)
{
  check_options("connection-type=tls|remote=vpn.example.com:1195:udp, b",
                "client|nobind|remote vpn.example.com 1195 udp|remote b|reneg-sec 0|dev "
                "tun|connect-timeout 30|"
                "!explicit-exit-notify|!auth-user-pass");
  check_options("connection-type=password|remote=h|ca=/ca|cert=/c|key=/k",
                "auth-user-pass|ca /ca|explicit-exit-notify|!cert /c");
  check_options("connection-type=password-tls|remote=h|cert=/c|key=/k|proto-tcp=yes",
                "auth-user-pass|cert /c|key /k|proto tcp-client|!explicit-exit-notify");
  check_options("remote=[2001:db8::1]:443:tcp6 ::1", "remote 2001:db8::1 443 tcp6|remote ::1");
  check_options("remote=2001:db8::1:443:udp6|port=99", "remote 2001:db8::1 443 udp6|rport 99");
  check_options("remote=h::tcp|port=99", "remote h 99 tcp");
  check_options("remote=h|cert=/a.p12|key=/a.p12|ca=/a.p12",
                "pkcs12 /a.p12|!ca /a.p12|!key /a.p12");
  check_options("remote=h|cert=/a b\\\\c|key=pkcs11:token=x",
                "cert \"/a b\\\\c\"|key pkcs11:token=x");
  check_options("remote=h|ta=/ta|ta-dir=1|tls-crypt=/tc", "tls-auth /ta 1|tls-crypt /tc");
  check_options("connection-type=static-key|remote=h|static-key=/"
                "s|static-key-direction=0|local-ip=10.0.0.1|remote-ip=10.0.0.2",
                "secret /s 0|ifconfig 10.0.0.1 10.0.0.2|!client|!reneg-sec 0");
  check_options("remote=h|comp-lzo=yes", "comp-lzo yes");
  check_options("remote=h|comp-lzo=no", "!comp-lzo no");
  check_options("remote=h|comp-lzo=no-by-default", "comp-lzo no");
  check_options("remote=h|comp-lzo=yes|compress=yes", "compress|!comp-lzo yes");
  check_options("remote=h|comp-lzo=yes|allow-compression=no", "allow-compression no|!comp-lzo yes");
  check_options("remote=h|tap-dev=yes", "dev tap");
  check_options("remote=h|mssfix=yes|float=yes|tun-ipv6=maybe", "mssfix|float");
  check_options("remote=h|verify-x509-name=name-prefix:a "
                "b|tls-version-min=1.2|tls-version-min-or-highest=yes",
                "verify-x509-name \"a b\" name-prefix|tls-version-min 1.2 or-highest");
  check_options("remote=h|proxy-type=http|proxy-server=p|proxy-port=3128",
                "http-proxy p 3128 auto");
  check_options("remote=h|keysize=256|ncp-disable=yes|max-routes=100|unknown-key=x",
                "keysize 256|ncp-disable|max-routes 100");
  check_options("remote=h|extra-options=reneg-sec 10 5\\nlport 0|default-route=auto",
                "reneg-sec 10 5|lport 0|!nobind|!reneg-sec 0");
  check_options("extra-options=<connection>\\nremote a\\n</connection>", "remote a");
  check_options("remote=h|ca=data:;base64,eAo=", "<ca>|x|</ca>");
}

/* What the older plugin passed over, or found out by looking into the file. */
static void test_habits(void)
{
  check_options("remote=  h:1194:udp, ,bad:0:udp", "remote h 1194 udp");
  check_options("remote=h|port= 99 |mtu-disc=perhaps|ping=\t10",
                "rport 99|ping 10|!mtu-disc perhaps");
  check_options("remote=h|cert=/a.pem|key=/a.pem", "cert /a.pem|key /a.pem");
  check_options("remote=h|cert=/A.CRT|key=/A.CRT", "cert /A.CRT|key /A.CRT");
  check_options("remote=h|cert=/a|key=/a", "pkcs12 /a");
  check_options("remote=h|cert=/a.pfx", "pkcs12 /a.pfx");
}

static void test_pem_without_keys(void)
{
  static const char text[] = "x\n-----BEGIN EC PRIVATE KEY-----\ns\n-----END EC PRIVATE KEY-----\n"
                             "-----BEGIN CERTIFICATE-----\nc\n-----END CERTIFICATE-----\n"
                             "-----BEGIN PRIVATE KEY-----\nunfinished";
  ovpn_auto_blob got = {0}, none = {0};
  CHECK(nmovpn_pem_without_keys(text, sizeof(text) - 1, &got));
  CHECK(ovpn_blob_append(&got, "", 1));
  CHECK_STR((const char *)got.data,
            "x\n-----BEGIN CERTIFICATE-----\nc\n-----END CERTIFICATE-----\n");
  CHECK(nmovpn_pem_without_keys("", 0, &none));
  CHECK_INT(none.len, 0);
}

/* The older plugin used the login name of the person and asked nobody for another. */
static void test_login_name(void)
{
  g_autoptr(NMSettingVpn) vpn = make("connection-type=password|remote=h|password-flags=1");
  nm_setting_vpn_add_secret(vpn, NMOVPN_SECRET_PASSWORD, "p");
  CHECK_INT(nmovpn_profile_needs(vpn, FALSE, TRUE), NMOVPN_NEEDS_USERNAME);
  g_object_set(vpn, NM_SETTING_VPN_USER_NAME, "me", NULL);
  CHECK_INT(nmovpn_profile_needs(vpn, FALSE, TRUE), 0);
  nm_setting_vpn_add_data_item(vpn, NMOVPN_KEY_DEFAULT_ROUTE, "auto");
  CHECK_INT(nmovpn_profile_needs(vpn, FALSE, TRUE), NMOVPN_NEEDS_USERNAME);
}

static void test_errors(void)
{
  check_invalid("connection-type=tls", NMOVPN_PROFILE_ERROR_MISSING, "server");
  check_invalid("connection-type=x|remote=h", NMOVPN_PROFILE_ERROR_INVALID, "connection-type");
  check_invalid("remote=h:99999", NMOVPN_PROFILE_ERROR_INVALID, "remote");
  check_invalid("remote=h|ping=abc", NMOVPN_PROFILE_ERROR_INVALID, "ping");
  check_invalid("remote=h|float=maybe", NMOVPN_PROFILE_ERROR_INVALID, "float");
  check_invalid("remote=h|ca=data:;base64,%%%", NMOVPN_PROFILE_ERROR_INVALID, "ca");
  check_invalid("remote=h|extra-options=a \"b", NMOVPN_PROFILE_ERROR_INVALID, "extra-options");
}

static void check_needs(const char *data, gboolean encrypted, guint wanted)
{
  g_autoptr(NMSettingVpn) vpn = make(data);
  if (nmovpn_profile_needs(vpn, encrypted, TRUE) != wanted) {
    fprintf(stderr, "%s: ", data);
    CHECK_INT(nmovpn_profile_needs(vpn, encrypted, TRUE), wanted);
  }
}

static void test_needs(void)
{
  check_needs("connection-type=tls|cert=/c|key=/k", FALSE, 0);
  check_needs("connection-type=tls|cert=/c|key=/k", TRUE, NMOVPN_NEEDS_CERT_PASS);
  check_needs("connection-type=tls|cert=/c|key=/k|cert-pass-flags=4", TRUE, 0);
  check_needs("connection-type=tls|cert=/c|key=/k|extra-options=askpass /f", TRUE, 0);
  check_needs("connection-type=tls|cert=/c|key-flags=0|cert-pass-flags=1", FALSE,
              NMOVPN_NEEDS_CERT_PASS);
  check_needs("connection-type=password", TRUE, NMOVPN_NEEDS_PASSWORD | NMOVPN_NEEDS_USERNAME);
  check_needs("connection-type=password|username=u|password-flags=4", TRUE, 0);
  check_needs("connection-type=password|extra-options=auth-user-pass /f", TRUE, 0);
  check_needs("connection-type=password|username=u|extra-options=static-challenge Code 1", FALSE,
              NMOVPN_NEEDS_PASSWORD | NMOVPN_NEEDS_STATIC_CHALLENGE);
  check_needs("connection-type=tls|proxy-type=http|proxy-server=p|http-proxy-username=u", FALSE,
              NMOVPN_NEEDS_PROXY_PASSWORD);
  check_needs("connection-type=tls|proxy-type=socks|proxy-server=p|http-proxy-username=u", FALSE,
              0);
}

static void check_lost(const char *data, const char *secret, gboolean wanted)
{
  g_autoptr(NMSettingVpn) vpn = make(data);
  if (secret)
    nm_setting_vpn_add_secret(vpn, secret, "data:;base64,QQ==");
  CHECK_INT(nmovpn_profile_key_is_lost(vpn), wanted);
}

static void test_lost_key(void)
{
  check_lost("connection-type=tls|cert=/c|key-flags=0", NULL, TRUE);
  check_lost("connection-type=tls|cert=/c|key-flags=0", "key", FALSE);
  check_lost("connection-type=password-tls|cert=/c|key-flags=0", "password", TRUE);
  check_lost("connection-type=tls|cert=/c|key-flags=0|key=/k", NULL, FALSE);
  check_lost("connection-type=tls|cert=/c|key=/k", NULL, FALSE);
  check_lost("connection-type=tls|cert=/c.p12|key-flags=0", NULL, FALSE);
  check_lost("connection-type=password|key-flags=0", NULL, FALSE);
}

static void check_escape(const char *raw, const char *escaped)
{
  g_autofree char *a = nmovpn_text_escape(raw, strlen(raw)), *b = nmovpn_text_unescape(escaped);
  CHECK_STR(a, escaped);
  CHECK_STR(b, raw);
}

static void test_text(void)
{
  check_escape("/a b/ü", "/a b/ü");
  check_escape("a\\b\nc\td", "a\\\\b\\nc\\td");
  check_escape("\xff\x01z", "\\377\\001z");
  g_autofree char *lone = nmovpn_text_unescape("a\\");
  CHECK_STR(lone, "a\\");
  g_autofree char *zero = nmovpn_text_unescape("a\\000b\\x");
  CHECK_STR(zero, "abx");

  ovpn_auto_blob b = {0};
  CHECK(nmovpn_data_uri_decode("data:;base64,AAEC", &b) && b.len == 3);
  CHECK_MEM(b.data, "\0\1\2", 3);
  CHECK(nmovpn_data_uri_decode("data:application/x-pem-file;base64,eA==", &b) && b.len == 1);
  CHECK(nmovpn_data_uri_decode("data:;base64,", &b) && b.len == 0);
  CHECK(!nmovpn_data_uri_decode("data:,x", &b));
  CHECK(!nmovpn_data_uri_decode("data:;base64,A", &b));
  CHECK(!nmovpn_data_uri_decode("data:;base64,A?==", &b));
  CHECK(!nmovpn_data_uri_decode("/etc/data:;base64,", &b));
  CHECK(!nmovpn_data_uri_decode("data:", &b));
  g_autofree char *uri = nmovpn_data_uri_encode("\0\1\2", 3);
  CHECK_STR(uri, "data:;base64,AAEC");
}

static void test_keys(void)
{
  static const guint8 pkcs8[] = {0x30, 0x82, 1, 0, 0x30, 0x40, 0x06, 9, 0, 0};
  static const guint8 plain[] = {0x30, 0x82, 1, 0, 0x02, 1, 0, 0x30, 0, 0};
  static const guint8 pfx[] = {0x30, 0x82, 1, 0, 0x02, 1, 3, 0x30, 0, 0};
  static const guint8 cut[] = {0x30, 0x84, 1, 0};
  CHECK(nmovpn_key_text_is_encrypted(pkcs8, sizeof(pkcs8)));
  CHECK(!nmovpn_key_text_is_encrypted(plain, sizeof(plain)));
  CHECK(nmovpn_key_text_is_encrypted(pfx, sizeof(pfx)));
  CHECK(!nmovpn_key_text_is_encrypted(cut, sizeof(cut)));
  CHECK(!nmovpn_key_text_is_encrypted(NULL, 0));
  CHECK(!nmovpn_key_text_is_encrypted("-----BEGIN PRIVATE KEY-----\n", 28));
  CHECK(nmovpn_key_text_is_encrypted("x\n-----BEGIN ENCRYPTED PRIVATE KEY-----\n", 40));
  g_autoptr(NMSettingVpn) a = make("cert=/a b\\\\.p12|key=/a b\\\\.p12"),
                          b = make("cert=/c|key=/k"), c = make("cert=/c|key=pkcs11:x");
  g_autofree char *pa = nmovpn_profile_key_path(a), *pb = nmovpn_profile_key_path(b),
                  *pc = nmovpn_profile_key_path(c);
  CHECK_STR(pa, "/a b\\.p12");
  CHECK_STR(pb, "/k");
  CHECK(pc == NULL);
}

int main(void)
{
  test_old_profiles();
  test_habits();
  test_pem_without_keys();
  test_login_name();
  test_errors();
  test_needs();
  test_lost_key();
  test_text();
  test_keys();
  TEST_END();
}
