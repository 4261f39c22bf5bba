/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key method 2: messages, texts, PRF and key derivation against known answers (spec §26). */
#include "check.h"
#include "helper/core/keys.h"
#include <gnutls/crypto.h>

static void ramp(uint8_t *p, size_t n, unsigned first)
{
  for (size_t i = 0; i < n; i++)
    p[i] = (uint8_t)(first + i);
}

static void test_prf(void)
{
  static const char lorem[] =
      "Lorem ipsum dolor sit amet, consectetur adipisici elit, sed eiusmod tempor "
      "incidunt ut labore et dolore magna aliqua.";
  static const char seed[] = "Quis aute iure reprehenderit in voluptate velit esse cillum dolore";
  uint8_t out[32], want[32];
  CHECK_INT(strlen(lorem), 117);
  CHECK_INT(
      check_unhex("d98c8518c85e946927916acfc2d592fbb1567e4b4b1459e6a904ac2ddab72d67", want, 32),
      32);
  CHECK_INT(ovpn_tls1_prf((const uint8_t *)lorem, strlen(lorem), "", (const uint8_t *)seed,
                          strlen(seed), out, 32),
            OVPN_OK);
  CHECK_MEM(out, want, 32);
  check_unhex("7144fe2540737595", want, 8);
  CHECK_INT(ovpn_tls1_prf((const uint8_t *)"tls1-prf-test-secret", 20, "tls1-prf-",
                          (const uint8_t *)"test", 4, out, 8),
            OVPN_OK);
  CHECK_MEM(out, want, 8);
}

static void test_derive(void)
{
  OvpnKeySource c, s;
  uint8_t csid[8], ssid[8], block[OVPN_KEY_BLOCK_LEN], want[32], sum[32];
  ramp(c.pre_master, 48, 0x00);
  ramp(c.random1, 32, 0x30);
  ramp(c.random2, 32, 0x50);
  memset(&s, 0, sizeof s);
  ramp(s.random1, 32, 0x70);
  ramp(s.random2, 32, 0x90);
  ramp(csid, 8, 0xb0);
  ramp(ssid, 8, 0xb8);
  CHECK_INT(ovpn_keys_derive_prf(&c, &s, csid, ssid, block), OVPN_OK);
  static const char *const slices[] = {
      "9d25c5f5717f6c06ca8ee9992c7156b9", "5e2fb699aae625940f22daac834523a1",
      "34e32dbac7794d43f49c167f2ca3816c", "e0528f3354c2bae92e216629e7410d72"};
  for (int i = 0; i < 4; i++) {
    check_unhex(slices[i], want, 16);
    CHECK_MEM(block + 64 * i, want, 16);
  }
  check_unhex("12a5fa1273c3d21f1dde216a3266063c10551f59a04dcd3498b63a0fb2e679c4", want, 32);
  gnutls_hash_fast(GNUTLS_DIG_SHA256, block, sizeof block, sum);
  CHECK_MEM(sum, want, 32);
}

static void test_messages(void)
{
  OvpnKeyMethod k = {.options = (char *)"V4,tls-client",
                     .username = (char *)"",
                     .password = NULL,
                     .peer_info = (char *)"IV_VER=1\n"};
  ramp(k.source.pre_master, 48, 1);
  ramp(k.source.random1, 32, 2);
  ramp(k.source.random2, 32, 3);
  uint8_t buf[OVPN_KM_MAX];
  size_t head = 5 + 48 + 64, n = ovpn_key_method_encode(&k, true, buf, sizeof buf);
  CHECK_INT(n, head + 2 + 14 + 2 + 2 + 2 + 10);
  CHECK_MEM(buf, "\0\0\0\0\2", 5);
  CHECK_MEM(buf + head, "\0\16V4,tls-client\0\0\0\0\0", 20);
  OvpnKeyMethod r = {0};
  CHECK_INT(ovpn_key_method_decode(buf, n, true, &r), OVPN_OK);
  CHECK_MEM(&r.source, &k.source, sizeof k.source);
  CHECK_STR(r.options, "V4,tls-client");
  CHECK_STR(r.username, "");
  CHECK_STR(r.password, "");
  CHECK_STR(r.peer_info, "IV_VER=1\n");
  ovpn_key_method_clear(&r);
  CHECK(r.options == NULL);
  for (size_t i = 0; i < n; i++) { /* every cut is refused, or ends between two strings */
    OvpnStatus s = ovpn_key_method_decode(buf, i, true, &r);
    bool between = i == head || i == head + 16 || i == head + 18 || i == head + 20;
    CHECK_INT(s, between ? OVPN_OK : OVPN_DROP_TRUNCATED);
    if (s == OVPN_OK)
      ovpn_key_method_clear(&r);
  }
  for (size_t cap = 0; cap < n; cap++)
    CHECK_INT(ovpn_key_method_encode(&k, true, buf, cap), 0);
  n = ovpn_key_method_encode(&k, false, buf, sizeof buf);
  CHECK_INT(n, head - 48 + 2 + 14 + 2 + 2 + 2 + 10);
  CHECK_INT(ovpn_key_method_decode(buf, n, false, &r), OVPN_OK);
  CHECK_MEM(r.source.random1, k.source.random1, 32);
  ovpn_key_method_clear(&r);
  buf[head - 48 + 15] = 'x'; /* the NUL of the options */
  CHECK_INT(ovpn_key_method_decode(buf, n, false, &r), OVPN_DROP_FORMAT);
  buf[head - 48 + 15] = 0;
  buf[head - 48 + 5] = 0; /* a NUL inside */
  CHECK_INT(ovpn_key_method_decode(buf, n, false, &r), OVPN_DROP_FORMAT);
  buf[4] = 1;
  CHECK_INT(ovpn_key_method_decode(buf, n, false, &r), OVPN_DROP_FORMAT);
  buf[4] = 2;
  buf[3] = 1;
  CHECK_INT(ovpn_key_method_decode(buf, n, false, &r), OVPN_DROP_FORMAT);
}

static void test_long_credentials(void)
{
  static char word[4098];
  static uint8_t buf[16384];
  memset(word, 'p', 4096);
  OvpnKeyMethod k = {.username = word, .password = word};
  CHECK(ovpn_key_method_encode(&k, true, buf, sizeof buf) > 8192);
  word[4096] = 'p';
  CHECK_INT(ovpn_key_method_encode(&k, true, buf, sizeof buf), 0);
}

static void test_occ(void)
{
  static const char occ[] = "V4,dev-type tun,link-mtu 1541,comp-lzo,cipher AES-256-CBC,auth SHA1, "
                            "keysize  128 ,tls-server";
  char v[16];
  CHECK(ovpn_occ_get(occ, "cipher", v, sizeof v));
  CHECK_STR(v, "AES-256-CBC");
  CHECK(ovpn_occ_get(occ, "comp-lzo", v, sizeof v));
  CHECK_STR(v, "");
  CHECK(ovpn_occ_get(occ, "keysize", v, sizeof v));
  CHECK_STR(v, "128");
  CHECK(ovpn_occ_get(occ, "tls-server", v, sizeof v));
  CHECK(!ovpn_occ_get(occ, "tls", v, sizeof v));
  CHECK(!ovpn_occ_get(occ, "tls-client", v, sizeof v));
  CHECK(!ovpn_occ_get(occ, "cipher", v, 4));
  CHECK(!ovpn_occ_get(NULL, "cipher", v, sizeof v));
  CHECK(!ovpn_occ_get("", "cipher", v, sizeof v));
  CHECK(!ovpn_occ_get(",,,", "cipher", v, sizeof v));

  OvpnConfig c = {.tls_auth_dir = OVPN_DIR_NONE};
  char text[512];
  CHECK(ovpn_occ_format(&c, false, text, sizeof text));
  CHECK_STR(text, "V4,dev-type tun,link-mtu 1549,tun-mtu 1500,proto UDPv4,auth SHA1,keysize "
                  "256,key-method 2,tls-client");
  char *ciphers[] = {(char *)"AES-128-CBC"};
  c.data_ciphers = (OvpnStrv){ciphers, 1};
  c.cipher = (char *)"AES-128-CBC";
  c.auth = (char *)"SHA256";
  c.compress = OVPN_COMP_STUB;
  c.fragment = 1300;
  c.tls_auth_dir = OVPN_DIR_INVERSE;
  c.files[OVPN_FILE_TLS_AUTH].name = (char *)"ta.key";
  size_t n = ovpn_occ_format(&c, true, text, sizeof text);
  CHECK_STR(text, "V4,dev-type tun,link-mtu 1551,tun-mtu 1500,proto TCPv4_CLIENT,comp-lzo,keydir 1,"
                  "cipher AES-128-CBC,auth SHA256,keysize 128,tls-auth,key-method 2,tls-client");
  CHECK_INT(n, strlen(text));
  CHECK(ovpn_occ_format(&c, false, text, sizeof text));
  CHECK(strstr(text, "proto UDPv4,comp-lzo,mtu-dynamic,keydir 1,") != NULL);
  n = ovpn_occ_format(&c, true, text, sizeof text);
  CHECK_INT(ovpn_occ_format(&c, true, text, n), 0);
  CHECK_STR(text, "");
  CHECK_INT(ovpn_occ_format(&c, true, text, n + 1), n);
  c.disable_occ = true;
  CHECK_INT(ovpn_occ_format(&c, true, text, sizeof text), 0);
  CHECK_STR(text, "");
}

/* Numbers of OpenVPN 2.6's own tests and logs. */
static void test_occ_static(void)
{
  char text[512];
  OvpnConfig c = {.tun_mtu = 1400, .secret_dir = OVPN_DIR_NONE};
  c.files[OVPN_FILE_SECRET].name = (char *)"static.key";
  static const struct {
    const char *cipher, *auth;
    bool tcp, comp;
    unsigned fragment, mtu;
  } rows[] = {
      {"none", "none", false, false, 0, 1408},    {"AES-128-CBC", "none", false, false, 0, 1440},
      {"none", "SHA256", false, false, 0, 1440},  {NULL, NULL, false, false, 0, 1444},
      {"BF-CBC", "SHA1", true, false, 0, 1446},   {"BF-CBC", "SHA1", false, true, 0, 1445},
      {"BF-CBC", "SHA1", false, true, 1200, 1449}};
  for (size_t i = 0; i < sizeof rows / sizeof rows[0]; i++) {
    char want[32];
    c.cipher = (char *)(uintptr_t)rows[i].cipher;
    c.auth = (char *)(uintptr_t)rows[i].auth;
    c.compress = rows[i].comp ? OVPN_COMP_LZO : OVPN_COMP_NONE;
    c.fragment = rows[i].fragment;
    CHECK(ovpn_occ_format(&c, rows[i].tcp, text, sizeof text));
    snprintf(want, sizeof want, ",link-mtu %u,", rows[i].mtu);
    CHECK(strstr(text, want) != NULL);
  }
  c = (OvpnConfig){.secret_dir = OVPN_DIR_INVERSE, .cipher = (char *)"AES-256-CBC"};
  c.files[OVPN_FILE_SECRET].name = (char *)"static.key";
  c.ifconfig_local = (char *)"10.8.0.2";
  c.ifconfig_remote = (char *)"10.8.0.1";
  CHECK(ovpn_occ_format(&c, false, text, sizeof text));
  CHECK_STR(text,
            "V4,dev-type tun,link-mtu 1560,tun-mtu 1500,proto UDPv4,ifconfig 10.8.0.1 10.8.0.2,"
            "keydir 1,cipher AES-256-CBC,auth SHA1,keysize 256,secret");
  c.no_replay = c.no_iv = true;
  c.keysize = 192;
  CHECK(ovpn_occ_format(&c, false, text, sizeof text));
  CHECK(strstr(text, ",link-mtu 1552,") != NULL); /* without the long id */
  CHECK(strstr(text, ",keysize 192,secret,no-replay,no-iv") != NULL);
  c.no_replay = c.no_iv = false;
  c.keysize = 0;
  c.tap = true;
  c.ifconfig_remote = (char *)"255.255.255.0";
  CHECK(ovpn_occ_format(&c, false, text, sizeof text));
  CHECK(strstr(text, ",tun-mtu 1500,proto UDPv4,ifconfig 10.8.0.0 255.255.255.0,") != NULL);
}

static void test_peer_info(void)
{
  char *ciphers[] = {(char *)"AES-256-GCM", (char *)"AES-128-GCM", (char *)"CHACHA20-POLY1305"};
  char *uv[] = {(char *)"UV_X=1", (char *)"IV_GUI_VER=NM_1", (char *)"UV_BAD=a\nIV_PROTO=1"};
  OvpnConfig c = {.data_ciphers = {ciphers, 3}, .uv = {uv, 3}};
  char text[1024];
  size_t n = ovpn_peer_info_format(&c, 990, "0.1", text, sizeof text);
  CHECK_INT(n, strlen(text));
  CHECK_STR(text,
            "IV_VER=0.1\nIV_PLAT=linux\nIV_TCPNL=1\nIV_MTU=1600\nIV_NCP=2\n"
            "IV_CIPHERS=AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305\nIV_PROTO=990\nIV_LZO_STUB=1\n"
            "IV_COMP_STUB=1\nIV_COMP_STUBv2=1\nIV_GUI_VER=NM_1\n");
  c.push_peer_info = true;
  c.allow_decompress = true;
  c.data_ciphers.n = 1;
  c.tun_mtu_max = 1400;
  CHECK(ovpn_peer_info_format(&c, 2, "0.1", text, sizeof text));
  CHECK(strstr(text, "UV_X=1\n") && !strstr(text, "UV_BAD") && strstr(text, "IV_LZO=1\n") &&
        strstr(text, "IV_LZ4v2=1\n"));
  CHECK(!strstr(text, "IV_NCP") && strstr(text, "IV_MTU=1400\n") && strstr(text, "IV_SSL=GnuTLS_"));
  CHECK_INT(ovpn_peer_info_format(&c, 2, "0.1", text, 20), 0);
}

int main(void)
{
  test_prf();
  test_derive();
  test_messages();
  test_long_credentials();
  test_occ();
  test_occ_static();
  test_peer_info();
  TEST_END();
}
