/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Lists of options -> the typed configuration: defaults, every handler, the checks, hostile values.
 */
#include "helper/core/conf.h"
#include "helper/core/config.h"
#include "tests/unit/check.h"

#define BASE "client\nremote vpn.example.org 1194 udp\nca ca.pem\ncert c.pem\nkey k.pem\n"
#define FP "00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff"

static OvpnStatus apply(OvpnConfig *c, const char *text, OvpnFailure *f)
{
  ovpn_auto_option_list l = {0};
  OvpnConfError e = {0};
  *f = (OvpnFailure){0};
  ovpn_config_init(c);
  OvpnStatus s = ovpn_conf_parse(text, strlen(text), &l, &e);
  if (s != OVPN_OK)
    return ovpn_failure_set(f, s, "line %u: %s", e.line, e.text);
  return ovpn_config_apply(c, &l, f);
}

/* Applies text; the caller clears. */
static OvpnConfig good(const char *text)
{
  OvpnConfig c;
  OvpnFailure f;
  OvpnStatus s = apply(&c, text, &f);
  if (s != OVPN_OK)
    fprintf(stderr, "in: %s\n%s\n", text, f.text);
  CHECK_INT(s, OVPN_OK);
  return c;
}

static void expect_failure(const char *text, const char *why)
{
  OvpnConfig c;
  OvpnFailure f;
  OvpnStatus s = apply(&c, text, &f);
  if (s != OVPN_FAIL_CONFIG)
    fprintf(stderr, "in: %s\n", text);
  CHECK_INT(s, OVPN_FAIL_CONFIG);
  if (!strstr(f.text, why))
    CHECK_STR(f.text, why);
  ovpn_config_clear(&c);
}

static void test_defaults(void)
{
  OvpnConfig c = good(BASE);
  CHECK_INT(c.n_remotes, 1);
  CHECK_STR(c.remotes[0].host, "vpn.example.org");
  CHECK_STR(c.remotes[0].port, "1194");
  CHECK_INT(c.remotes[0].proto, OVPN_PROTO_UDP);
  CHECK_INT(c.remotes[0].link == NULL, 1);
  CHECK(c.pull && !c.tap && !c.auth_user_pass);
  CHECK_INT(c.data_ciphers.n, 3);
  CHECK_STR(c.data_ciphers.v[0], "AES-256-GCM");
  CHECK_STR(c.data_ciphers.v[2], "CHACHA20-POLY1305");
  CHECK_INT(c.connect_timeout, 120);
  CHECK_INT(c.hand_window, 60);
  CHECK_INT(c.reneg_sec, 3600);
  CHECK_INT(c.mssfix, -1);
  CHECK_INT(c.tls_auth_dir, OVPN_DIR_NONE);
  CHECK(!c.ping_restart_set);
  CHECK_STR(c.files[OVPN_FILE_CA].name, "ca.pem");
  CHECK_INT(ovpn_file_option(OVPN_FILE_TLS_CRYPT_V2), OVPN_OPT_TLS_CRYPT_V2);
  CHECK_INT(ovpn_file_option(OVPN_FILE_CRL), OVPN_OPT_CRL_VERIFY);
  ovpn_config_clear(&c);
  ovpn_config_clear(NULL);
}

static void test_remotes(void)
{
  OvpnConfig c = good(
      "client\nremote a\nremote [2001:db8::1] 443 tcp6\nremote b openvpn\nproto tcp4\nport 8443\n"
      "ca x\nauth-user-pass\n");
  CHECK_INT(c.n_remotes, 3);
  CHECK_STR(c.remotes[0].port, "8443");
  CHECK_INT(c.remotes[0].proto, OVPN_PROTO_TCP);
  CHECK_INT(c.remotes[0].family, OVPN_AF_INET);
  CHECK_STR(c.remotes[1].host, "2001:db8::1");
  CHECK_STR(c.remotes[1].port, "443");
  CHECK_INT(c.remotes[1].family, OVPN_AF_INET6);
  CHECK_STR(c.remotes[2].port, "openvpn");
  ovpn_config_clear(&c);

  c = good("client\nremote ignored\nport 1200\nproto tcp\n"
           "<connection>\nremote a\nexplicit-exit-notify 3\nproto udp\n</connection>\n"
           "<connection>\nremote b 5000 udp\n</connection>\n"
           "<connection>\nport 6000\nremote c\n</connection>\n"
           "port 7000\nproto udp\nca x\nauth-user-pass\n");
  CHECK_INT(c.n_remotes, 3);
  CHECK_STR(c.remotes[0].host, "a");
  CHECK_STR(c.remotes[0].port, "1200");
  CHECK_INT(c.remotes[0].proto, OVPN_PROTO_UDP);
  CHECK_INT(c.remotes[0].link->explicit_exit_notify, 3);
  CHECK_STR(c.remotes[1].port, "5000");
  CHECK_INT(c.remotes[1].proto, OVPN_PROTO_UDP);
  CHECK_STR(c.remotes[2].port, "6000");
  CHECK_INT(c.remotes[2].proto, OVPN_PROTO_TCP);
  ovpn_config_clear(&c);

  c = good(BASE "remote t 443 tcp-client\nproto-force tcp\n");
  CHECK_INT(c.n_remotes, 1);
  CHECK_STR(c.remotes[0].host, "t");
  ovpn_config_clear(&c);

  c = good(BASE "nobind\nlport 0\nlocal 192.0.2.7\nremote-random\nfloat\nbind-dev eth0\nmark 5\n"
                "server-poll-timeout 7\nconnect-retry 3 60\nconnect-retry-max 4\nmtu-disc maybe\n");
  CHECK_STR(c.local_host, "192.0.2.7");
  CHECK(!c.local_port && c.remote_random && c.is_float);
  CHECK_STR(c.bind_dev, "eth0");
  CHECK_INT(c.connect_timeout, 7);
  CHECK_INT(c.connect_retry_max_wait, 60);
  CHECK_INT(c.mtu_disc, 1);
  ovpn_config_clear(&c);

  expect_failure("client\nca x\nauth-user-pass\n", "no remote");
  expect_failure("client\nca x\nauth-user-pass\n<connection>\nport 5\n</connection>\n",
                 "no remote in the block");
  expect_failure(BASE "<connection>\nremote a\nremote b\n</connection>\n", "second server");
  expect_failure(BASE "<connection>\nremote a\nca y\n</connection>\n",
                 "ca: cannot stand in a connection block");
  expect_failure(BASE "proto-force tcp\n", "proto-force");
  expect_failure(BASE "remote a 1194 tcp-server\n", "tcp-server waits for a peer");
  expect_failure(BASE "remote a 70000\n", "remote: “70000” is not a port");
  expect_failure(BASE "remote a/b\n", "not a host name");
  expect_failure(BASE "remote \"a;b c\"\n", "not a host name");
  expect_failure(BASE "bind-dev averyverylonginterface\n", "bind-dev");
  expect_failure(BASE "bind-dev ../x\n", "bind-dev");
}

static void test_device(void)
{
  OvpnConfig c = good(BASE "dev tun\ntun-mtu 1400 1500\nmssfix 1300 mtu\ntopology subnet\n");
  CHECK(!c.dev_name && !c.tap && c.mssfix_mtu && !c.mssfix_fixed && c.topology_set);
  CHECK_INT(c.tun_mtu, 1400);
  CHECK_INT(c.mssfix, 1300);
  CHECK_INT(c.topology, OVPN_TOPOLOGY_SUBNET);
  ovpn_config_clear(&c);
  c = good(BASE
           "dev tap7\nmssfix 0\nifconfig 10.0.0.1 10.0.0.2\nifconfig-ipv6 fd00::1/64 fd00::2\n");
  CHECK(c.tap);
  CHECK_STR(c.dev_name, "tap7");
  CHECK_INT(c.mssfix, 0);
  CHECK_STR(c.ifconfig_remote, "10.0.0.2");
  CHECK_STR(c.ifconfig_ipv6_local, "fd00::1/64");
  CHECK_STR(c.ifconfig_ipv6_remote, "fd00::2");
  ovpn_config_clear(&c);
  c = good(BASE "dev-type tap\ndev tunnel\nmssfix 10\nmssfix\n");
  CHECK(c.tap);
  CHECK_STR(c.dev_name, "tunnel");
  CHECK_INT(c.mssfix, -1);
  ovpn_config_clear(&c);
  expect_failure(BASE "dev a/b\n", "dev: “a/b” is not the name of an interface");
  expect_failure(BASE "dev sixteen_letters_\n", "dev:");
  expect_failure(BASE "dev null\n", "dev:");
  expect_failure(BASE "tun-mtu 10\n", "tun-mtu: “10” is not a number between 68 and 65535");
  expect_failure(BASE "fragment 67\n", "fragment");
}

static void test_files(void)
{
  OvpnConfig c = good(
      "client\nremote a\nca [inline]\n<ca>\nAUTHORITY\n</ca>\nauth-user-pass\n"
      "<tls-auth>\nKEY\n</tls-auth>\nkey-direction 1\ncrl-verify crl.pem\nextra-certs e.pem\n");
  CHECK(c.files[OVPN_FILE_CA].is_inline);
  CHECK_STR(c.files[OVPN_FILE_CA].name, "[inline]");
  CHECK_STR((const char *)c.files[OVPN_FILE_CA].content.data, "AUTHORITY\n");
  CHECK_INT(c.tls_auth_dir, OVPN_DIR_INVERSE);
  CHECK_STR(c.files[OVPN_FILE_CRL].name, "crl.pem");
  ovpn_config_clear(&c);
  c = good("client\nremote a\n<ca>\nAUTHORITY\n</ca>\nca [inline]\nauth-user-pass\n");
  CHECK_INT(c.files[OVPN_FILE_CA].content.len, 10);
  ovpn_config_clear(&c);
  c = good(BASE "key-direction 1\ntls-auth ta.key 0\ncrl-verify /d dir\n");
  CHECK_INT(c.tls_auth_dir, OVPN_DIR_NORMAL);
  CHECK_STR(c.files[OVPN_FILE_CRL_DIR].name, "/d");
  CHECK(!c.files[OVPN_FILE_CRL].name);
  ovpn_config_clear(&c);
  c = good("client\nremote a\npkcs12 me.p12\n<pkcs12>\nQUJD\n</pkcs12>\n");
  CHECK(c.files[OVPN_FILE_PKCS12].is_inline);
  ovpn_config_clear(&c);
  c = good(
      "client\nremote a\nca x\npkcs11-id 'Soft\\x20HSM/\\x2f\\x/54\\xZZ/l\\xC3\\xbc b/0aFF'\n");
  CHECK_STR(
      c.files[OVPN_FILE_KEY].name,
      "pkcs11:manufacturer=Soft%20HSM;model=%2F%5Cx;serial=54%5CxZZ;token=l%C3%BC%20b;id=%0a%FF");
  ovpn_config_clear(&c);
  c = good("client\nremote a\nca x\ncert \"pkcs11:token=a;object=b\"\n");
  CHECK_STR(c.files[OVPN_FILE_KEY].name, "pkcs11:token=a;object=b");
  ovpn_config_clear(&c);
  c = good("client\nca x\nauth-user-pass\n<connection>\nremote "
           "a\n<tls-crypt>\nK\n</tls-crypt>\n</connection>\n"
           "<connection>\nremote b\n<tls-crypt>\nK\n</tls-crypt>\n</connection>\n");
  CHECK(!c.files[OVPN_FILE_TLS_CRYPT].name);
  ovpn_config_select(&c, 0);
  CHECK_STR((const char *)c.files[OVPN_FILE_TLS_CRYPT].content.data, "K\n");
  ovpn_config_clear(&c);
  expect_failure("client\nca x\nauth-user-pass\n<connection>\nremote a\ntls-crypt K\n"
                 "tls-auth L\n</connection>\n",
                 "only one of them");
  expect_failure("client\nremote a\nca [inline]\nauth-user-pass\n", "there is no <ca> block");
  expect_failure("client\nremote a\nauth-user-pass\n", "no ca");
  c = good("client\nremote a\nauth-user-pass\ncapath /etc/ssl\n");
  CHECK_STR(c.files[OVPN_FILE_CAPATH].name, "/etc/ssl");
  ovpn_config_clear(&c);
  expect_failure("client\nremote a\nauth-federate\n", "Amazon");
  expect_failure("client\nremote a\nca x\n", "no way to sign in");
  expect_failure("client\nremote a\nca x\ncert y\n", "cert: needs a key");
  expect_failure("client\nremote a\nca x\nkey y\n", "key: needs a cert");
  expect_failure(BASE "pkcs12 x\n", "pkcs12");
  expect_failure(BASE "tls-auth x\ntls-crypt y\n", "only one");
  expect_failure(BASE "secret x\n", "secret: cannot be used together with client");
  expect_failure("remote a\nsecret x\ncipher AES-256-GCM\n", "cannot be used with a static key");
  expect_failure("remote a\nsecret x\ncipher SEED-CBC\n", "ask the administrator");
  expect_failure(BASE "http-proxy p 3128\n", "works with TCP only");
  expect_failure(BASE "tls-auth x 5\n", "tls-auth: “5”");
}

static void test_tls(void)
{
  OvpnConfig c =
      good(BASE "remote-cert-tls server\nns-cert-type client\nverify-x509-name \"C=X, CN=a b\"\n"
                "tls-version-min 1.2 or-highest\ntls-version-max 1.3\ntls-cert-profile preferred\n"
                "remote-cert-ku a0 0x88\nremote-cert-eku \"TLS Web Server Authentication\"\n"
                "x509-username-field emailAddress\ntls-cipher DEFAULT:@SECLEVEL=0\n");
  CHECK_INT(c.remote_cert_tls, OVPN_CERT_SERVER);
  CHECK_INT(c.ns_cert_type, OVPN_CERT_CLIENT);
  CHECK_INT(c.name_check, OVPN_NAME_SUBJECT);
  CHECK_STR(c.name, "C=X, CN=a b");
  CHECK_INT(c.tls_version_min, 12);
  CHECK_INT(c.tls_version_max, 13);
  CHECK(c.tls_version_min_or_highest);
  CHECK_INT(c.cert_profile, OVPN_PROFILE_PREFERRED);
  CHECK_INT(c.remote_cert_ku.n, 2);
  CHECK_STR(c.remote_cert_ku.v[1], "88");
  CHECK_STR(c.remote_cert_eku.v[0], "TLS Web Server Authentication");
  ovpn_config_clear(&c);
  c = good(BASE "tls-remote server1\n");
  CHECK_INT(c.name_check, OVPN_NAME_NAME);
  ovpn_config_clear(&c);
  c = good(BASE "verify-x509-name vpn- name-prefix\nverify-hash "
                "AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD\n");
  CHECK_INT(c.name_check, OVPN_NAME_PREFIX);
  CHECK(c.verify_hash_sha1);
  CHECK_STR(c.verify_hash, "aabbccddeeff00112233445566778899aabbccdd");
  ovpn_config_clear(&c);
  c = good("client\nremote a\nauth-user-pass\npeer-fingerprint " FP
           "\n<peer-fingerprint>\n# mine\n\n"
           "00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF:00:11:22:33:44:55:66:77:88:99:AA:BB:CC:"
           "DD:EE:FE\r\n"
           "</peer-fingerprint>\n");
  CHECK_INT(c.peer_fingerprints.n, 2);
  CHECK_STR(c.peer_fingerprints.v[0], FP);
  CHECK_STR(c.peer_fingerprints.v[1] + 60, "eefe");
  ovpn_config_clear(&c);
  expect_failure(BASE "peer-fingerprint 00:11\n", "not a SHA-256 fingerprint");
  expect_failure(BASE "peer-fingerprint " FP "00\n", "not a SHA-256 fingerprint");
  expect_failure(BASE "peer-fingerprint 0:" FP "\n", "not a SHA-256 fingerprint");
  expect_failure(BASE "<peer-fingerprint>\n# none\n</peer-fingerprint>\n", "holds no fingerprint");
  expect_failure(BASE "verify-hash " FP " SHA1\n", "SHA-1");
  expect_failure(BASE "verify-hash xyz\n", "verify-hash: “xyz”");
  expect_failure(BASE "<verify-hash>\n" FP "\naa" FP "\n</verify-hash>\n", "verify-hash");
  expect_failure(BASE "verify-x509-name a\ntls-remote b\n", "tls-remote");
  expect_failure(BASE "tls-version-min 1.3\ntls-version-max 1.2\n", "tls-version-min");
  expect_failure(BASE "tls-version-min 1.4\n",
                 "tls-version-min: “1.4” is not 1.0, 1.1, 1.2 or 1.3");
  expect_failure(BASE "remote-cert-ku 12345\n", "remote-cert-ku");
  expect_failure(BASE "verify-x509-name \"\"\n", "verify-x509-name");
}

static void test_sign_in(void)
{
  OvpnConfig c =
      good("client\nremote a\nca x\n<auth-user-pass>\r\nme\r\npass word\r\n</auth-user-pass>\r\n"
           "auth-retry nointeract\nstatic-challenge \"Code?\" 1 concat\npush-peer-info\n"
           "setenv UV_ID 7\nsetenv UV_ID \"8 9\"\nsetenv IV_GUI_VER x_1\nsetenv FRIENDLY_NAME z\n"
           "setenv CLIENT_CERT 0\nsetenv SERVER_POLL_TIMEOUT 9\n");
  CHECK(c.auth_user_pass && c.push_peer_info && c.client_cert_not_needed);
  CHECK_STR(c.username, "me");
  ovpn_auto_blob pass = {0};
  CHECK(ovpn_user_pass_split(&c.files[OVPN_FILE_AUTH_USER_PASS].content, NULL, &pass));
  CHECK_STR((const char *)pass.data, "pass word");
  CHECK_INT(c.auth_retry, OVPN_AUTH_RETRY_NOINTERACT);
  CHECK_STR(c.static_challenge, "Code?");
  CHECK(c.static_challenge_echo && c.static_challenge_concat);
  CHECK_INT(c.uv.n, 2);
  CHECK_STR(c.uv.v[0], "UV_ID=8 9");
  CHECK_STR(c.uv.v[1], "IV_GUI_VER=x_1");
  CHECK_INT(c.connect_timeout, 9);
  ovpn_config_clear(&c);
  c = good("client\nremote a\nca x\nauth-user-pass up.txt\naskpass p.txt\n");
  CHECK_STR(c.files[OVPN_FILE_AUTH_USER_PASS].name, "up.txt");
  CHECK(!c.username);
  CHECK_STR(c.files[OVPN_FILE_ASKPASS].name, "p.txt");
  ovpn_config_clear(&c);
  expect_failure(BASE "setenv GENERIC_CONFIG\n", "GENERIC_CONFIG");
  c = good(BASE "setenv UV_A=B-C d\nsetenv UV_D \"x\ty \xc3\xbc\"\nsetenv SERVER_POLL_TIMEOUT -1\n"
                "setenv UV_E\n");
  CHECK_INT(c.uv.n, 3);
  CHECK_STR(c.uv.v[0], "UV_ABC=d");
  CHECK_STR(c.uv.v[1], "UV_D=xy \xc3\xbc");
  CHECK_STR(c.uv.v[2], "UV_E=");
  ovpn_config_clear(&c);
  expect_failure(BASE "static-challenge x\n", "static-challenge: argument 2 is missing");
  OvpnBlob empty = {0};
  CHECK(!ovpn_user_pass_split(&empty, NULL, NULL));
}

static void test_data(void)
{
  OvpnConfig c =
      good(BASE "cipher aes-128-cbc\nauth rsa-sha256\ndata-ciphers-fallback aes-256-cbc\n");
  CHECK_INT(c.data_ciphers.n, 4);
  CHECK_STR(c.data_ciphers.v[3], "AES-128-CBC");
  CHECK_STR(c.cipher, "AES-128-CBC");
  CHECK_STR(c.auth, "SHA256");
  CHECK_STR(c.data_ciphers_fallback, "AES-256-CBC");
  ovpn_config_clear(&c);
  c = good(BASE "ncp-ciphers ?FOO-1:aes-128-gcm:SEED-CBC:DEFAULT\ncipher "
                "bf-cbc\ndata-ciphers-fallback seed-cbc\n");
  CHECK_INT(c.data_ciphers.n, 4);
  CHECK_STR(c.data_ciphers.v[0], "AES-128-GCM");
  CHECK_STR(c.data_ciphers.v[1], "AES-256-GCM");
  CHECK_STR(c.data_ciphers.v[3], "BF-CBC");
  CHECK_STR(c.data_ciphers_fallback, "SEED-CBC");
  ovpn_config_clear(&c);
  expect_failure(BASE "data-ciphers SEED-CBC:IDEA-CBC\ncipher AES-256-GCM\n",
                 "none of “SEED-CBC:IDEA-CBC”");
  expect_failure(BASE "data-ciphers :::\n", "data-ciphers");
  expect_failure(BASE "auth FOO\n", "auth: “FOO” is not a supported digest");
  c = good(BASE "auth whirlpool\n"); /* AEAD ciphers do not need it */
  CHECK_STR(c.auth, "WHIRLPOOL");
  ovpn_config_clear(&c);
  expect_failure(BASE "auth rsa-blake2b512\ntls-auth ta.key\n",
                 "auth: “BLAKE2B512” is not available here; ask the administrator");
  c = good(BASE "comp-lzo\nallow-compression yes\ncomp-noadapt\npasstos\nshaper 20000\n"
                "tls-timeout 5\ntls-groups X25519:secp256r1\nremote-random-hostname\n");
  CHECK(c.compress_out && c.comp_adaptive && c.comp_noadapt && !c.comp_plain && c.passtos);
  CHECK_INT(c.shaper, 20000);
  CHECK_INT(c.tls_timeout, 5);
  CHECK_STR(c.tls_groups, "X25519:secp256r1");
  CHECK(c.remote_random_hostname);
  ovpn_config_clear(&c);
  c = good(BASE "remote vpn.example.org 443 tcp\nhttp-proxy proxy.example.org 3128\n"
                "<http-proxy-user-pass>\nme\nsecret\n</http-proxy-user-pass>\n");
  CHECK(c.files[OVPN_FILE_HTTP_PROXY_USER_PASS].is_inline);
  CHECK_INT(c.files[OVPN_FILE_HTTP_PROXY_USER_PASS].content.len, 10);
  ovpn_config_clear(&c);
  expect_failure(BASE "shaper 10\n", "shaper: “10” is not a number between 100 and 100000000");
  c = good(BASE "comp-lzo no\nallow-compression no\n");
  CHECK(c.compress_set && !c.allow_decompress);
  CHECK_INT(c.compress, OVPN_COMP_LZO);
  ovpn_config_clear(&c);
  c = good(BASE "compress\n");
  CHECK_INT(c.compress, OVPN_COMP_STUB);
  ovpn_config_clear(&c);
  c = good(BASE "compress stub-v2\n");
  CHECK_INT(c.compress, OVPN_COMP_STUB_V2);
  ovpn_config_clear(&c);
  c = good(BASE "compress migrate\nreplay-window 128 20\n");
  CHECK_INT(c.compress, OVPN_COMP_NONE);
  CHECK_INT(c.replay_window, 128);
  CHECK_INT(c.replay_time, 20);
  ovpn_config_clear(&c);
  expect_failure(BASE "compress snappy\n", "compress: “snappy”");
}

static void test_timers(void)
{
  OvpnConfig c = good(
      BASE "keepalive 10 60\nreneg-sec 100 50\nreneg-bytes -1\nreneg-pkts 9\ninactive 30 1000\n"
           "session-timeout 5\nhand-window 30\ntls-timeout 3\ntran-window 9\nexplicit-exit-notify\n"
           "max-packet-size 1300\nverb 4\n");
  CHECK_INT(c.ping, 10);
  CHECK_INT(c.ping_restart, 60);
  CHECK(c.ping_restart_set);
  CHECK_INT(c.reneg_sec, 100);
  CHECK_INT(c.reneg_bytes, 0);
  CHECK_INT(c.reneg_pkts, 9);
  CHECK_INT(c.inactive, 30);
  CHECK_INT(c.inactive_bytes, 1000);
  CHECK_INT(c.explicit_exit_notify, 1);
  ovpn_config_clear(&c);
  c = good(BASE "ping-restart 60\nping-exit 30\n");
  CHECK_INT(c.ping_exit, 30);
  CHECK_INT(c.ping_restart, 0);
  ovpn_config_clear(&c);
  expect_failure(BASE "keepalive 10 5\n", "keepalive: “5”");
  expect_failure(BASE "keepalive 10\n", "keepalive: argument 2 is missing");
  expect_failure(BASE "reneg-sec x\n", "reneg-sec: “x” is not a number");
  expect_failure(BASE "hand-window 0\n", "hand-window");
}

static void test_whole_ways(void)
{
  OvpnConfig c = good(BASE "route-noexec\ndns-updown disable\nremap-usr1 SIGTERM\ntls-exit\n"
                           "key-method 2\ncompat-mode 2.3.6\n");
  CHECK(c.route_noexec && c.no_dns && c.once && c.tls_exit);
  CHECK_INT(c.tls_version_min, 10);
  ovpn_config_clear(&c);
  c = good(BASE "dns-updown /some/program\nremap-usr1 SIGHUP\ncompat-mode 2.3.7\n");
  CHECK(!c.route_noexec && !c.no_dns && !c.once && !c.tls_exit);
  CHECK_INT(c.tls_version_min, 0);
  ovpn_config_clear(&c);
  c = good(BASE "compat-mode 2.2.0\ntls-version-min 1.2\n");
  CHECK_INT(c.tls_version_min, 12);
  ovpn_config_clear(&c);
  expect_failure(BASE "key-method 1\n", "key-method: the method 1");
  expect_failure(BASE "compat-mode old\n", "compat-mode: “old”");
  expect_failure(BASE "compat-mode 2.3\n", "compat-mode: “2.3”");
}

static void test_data_forms(void)
{
  OvpnConfig c = good(BASE "no-replay\nno-iv\nkeysize 448\nreplay-window 128 30\n");
  CHECK(c.no_replay && c.no_iv);
  CHECK_INT(c.keysize, 448);
  CHECK_INT(c.replay_window, 128);
  CHECK_INT(c.replay_time, 30);
  ovpn_config_clear(&c);
  c = good(BASE "keysize 1000\n"); /* told by import, stops nothing */
  CHECK_INT(c.keysize, 0);
  CHECK(!c.no_replay && !c.no_iv);
  ovpn_config_clear(&c);
}

/* What has no effect must not stop a connection, whatever its arguments are. */
static void test_without_effect(void)
{
  OvpnConfig c =
      good(BASE "up /bin/evil\nscript-security 99 a b c\nserver x y z\nsome-new-word\nkeysize abc\n"
                "<some-block>\nx\n</some-block>\nconfig /etc/shadow\nroute 10.0.0.0 255.0.0.0\n"
                "log /etc/passwd\nplugin\npersist-tun\nroute-delay x\ntun-mtu-extra 32\n");
  CHECK_INT(c.n_remotes, 1);
  ovpn_config_clear(&c);
}

static void test_sizes(void)
{
  OvpnConfig c = {0};
  CHECK_INT(ovpn_config_tun_mtu(&c, false), 1500);
  c.link_mtu = 1400; /* what openvpn 2.6.14 makes of it */
  CHECK_INT(ovpn_config_tun_mtu(&c, false), 1375);
  CHECK_INT(ovpn_config_tun_mtu(&c, true), 1373);
  c.auth = (char *)"SHA256";
  CHECK_INT(ovpn_config_tun_mtu(&c, false), 1363);
  c.cipher = (char *)"AES-256-CBC";
  CHECK_INT(ovpn_config_tun_mtu(&c, false), 1335);
  c.auth = NULL;
  c.cipher = (char *)"AES-128-CBC";
  CHECK_INT(ovpn_config_tun_mtu(&c, false), 1347);
  c.cipher = (char *)"AES-256-GCM";
  CHECK_INT(ovpn_config_tun_mtu(&c, false), 1351);
  c.cipher = (char *)"BF-CBC";
  CHECK_INT(ovpn_config_tun_mtu(&c, false), 1363);
  c.link_mtu = 60;
  CHECK_INT(ovpn_config_tun_mtu(&c, false), 100);
  c.tun_mtu = 1300;
  CHECK_INT(ovpn_config_tun_mtu(&c, false), 1300);
  CHECK_INT(ovpn_config_digest_len("RSA-SHA512"), 64);
  CHECK_INT(ovpn_config_digest_len("none"), 0);
}

static void test_blocks(void)
{
  OvpnConfig c = good("client\nca x\nauth-user-pass\ntls-auth G 1\nmssfix 1300\nhttp-proxy g 3128\n"
                      "<connection>\nremote a 443 tcp\nlocal 10.0.0.1\nlport 4000\ntun-mtu 1400\n"
                      "float\nconnect-timeout 5\nhttp-proxy b 8080 auto\n"
                      "http-proxy-option VERSION 1.1\nhttp-proxy-option CUSTOM-HEADER X-A b\n"
                      "http-proxy-option CUSTOM-HEADER \"X-B: c\"\nexplicit-exit-notify 2\n"
                      "<tls-auth>\nK\n</tls-auth>\nkey-direction 0\n</connection>\n"
                      "<connection>\nremote b 443 tcp\nfragment 0\nmssfix 0\nsocks-proxy s\n"
                      "tls-crypt v.key\n</connection>\n"
                      "<connection>\nremote c 443 tcp\n</connection>\ntun-mtu 1300\n");
  CHECK_INT(c.n_remotes, 3);
  CHECK_INT(c.tun_mtu, 1300);
  for (int round = 0; round < 2; round++) {
    ovpn_config_select(&c, 0);
    CHECK_STR(c.local_host, "10.0.0.1");
    CHECK_STR(c.local_port, "4000");
    CHECK_INT(c.tun_mtu, 1400);
    CHECK_INT(c.mssfix, 1300);
    CHECK_INT(c.connect_timeout, 5);
    CHECK_INT(c.explicit_exit_notify, 2);
    CHECK(c.is_float);
    CHECK_STR(c.proxy_host, "b");
    CHECK_INT(c.proxy_auth, OVPN_PROXY_AUTH_AUTO);
    CHECK_STR(c.proxy_version, "1.1");
    CHECK_STR(c.proxy_headers, "X-A: b\nX-B: c\n");
    CHECK_STR((const char *)c.files[OVPN_FILE_TLS_AUTH].content.data, "K\n");
    CHECK_INT(c.tls_auth_dir, OVPN_DIR_NORMAL);
    CHECK_STR(ovpn_config_proxy(&c, &c.remotes[1]), "socks");
    CHECK_STR(ovpn_config_proxy(&c, &c.remotes[0]), "http");
    ovpn_config_select(&c, 1);
    CHECK(!c.local_host && !c.is_float && !c.proxy_headers);
    CHECK_INT(c.tun_mtu, 0); /* the line behind the blocks is for plain remotes */
    CHECK_INT(c.mssfix, 0);
    CHECK_STR(c.proxy_type, "socks");
    CHECK(!c.files[OVPN_FILE_TLS_AUTH].name);
    CHECK_STR(c.files[OVPN_FILE_TLS_CRYPT].name, "v.key");
    ovpn_config_select(&c, 2);
    CHECK_STR(c.proxy_host, "g");
    CHECK_STR(c.files[OVPN_FILE_TLS_AUTH].name, "G");
    CHECK_INT(c.tls_auth_dir, OVPN_DIR_INVERSE);
  }
  ovpn_config_clear(&c);
}

static void test_proxies(void)
{
  static const struct {
    const char *line;
    OvpnProxyAuth auth;
    const char *file;
  } rows[] = {
      {"http-proxy p 3128", OVPN_PROXY_AUTH_NONE, NULL},
      {"http-proxy p 3128 auto", OVPN_PROXY_AUTH_AUTO, NULL},
      {"http-proxy p 3128 auto-nct", OVPN_PROXY_AUTH_AUTO_NCT, NULL},
      {"http-proxy p 3128 f", OVPN_PROXY_AUTH_BASIC, "f"},
      {"http-proxy p 3128 stdin basic", OVPN_PROXY_AUTH_BASIC, NULL},
      {"http-proxy p 3128 f ntlm2", OVPN_PROXY_AUTH_NTLM, "f"},
      {"http-proxy p 3128 f ntlm", OVPN_PROXY_AUTH_NTLM, "f"},
      {"http-proxy p 3128 f digest", OVPN_PROXY_AUTH_DIGEST, "f"},
      {"http-proxy p 3128 f none", OVPN_PROXY_AUTH_NONE, "f"},
      {"socks-proxy p", OVPN_PROXY_AUTH_AUTO, NULL},
      {"socks-proxy p 1080 f", OVPN_PROXY_AUTH_AUTO, "f"},
  };
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char text[300];
    snprintf(text, sizeof text, BASE "proto tcp\nremote b 443 tcp\n%s\n", rows[i].line);
    OvpnConfig c = good(text);
    bool http = rows[i].line[0] == 'h';
    CHECK_INT(c.n_remotes, http ? 1 : 2); /* the UDP one is left out */
    CHECK_INT(c.remotes[0].index, 0);
    CHECK_INT(c.proxy_auth, rows[i].auth);
    if (rows[i].file)
      CHECK_STR(c.files[OVPN_FILE_HTTP_PROXY_USER_PASS].name, rows[i].file);
    else
      CHECK(!c.files[OVPN_FILE_HTTP_PROXY_USER_PASS].name);
    ovpn_config_clear(&c);
  }
  expect_failure(BASE "http-proxy-option VERSION 2\n", "is not a version");
  expect_failure(BASE "http-proxy-option WHAT 2\n", "is not an option of a proxy");
}

int main(void)
{
  test_defaults();
  test_remotes();
  test_device();
  test_files();
  test_tls();
  test_sign_in();
  test_data();
  test_timers();
  test_whole_ways();
  test_data_forms();
  test_without_effect();
  test_sizes();
  test_blocks();
  test_proxies();
  TEST_END();
}
