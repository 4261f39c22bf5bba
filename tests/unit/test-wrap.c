/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control channel protection: published and own known answers (spec §26.1, §26.2), forgeries,
 * replays, key files. */
#include "helper/core/config.h"
#include "helper/core/wrap.h"
#include "check.h"

/* Public test key of OpenVPN's own packet tests. */
static const char static_key[] =
    "# comment\n<tls-auth>\n-----BEGIN OpenVPN Static key V1-----\n"
    "37268ea8f95d7f71f9fb8fc03770c460\ndaf714a483d815c013ce0a537efc18f2\n"
    "8f4f172669d9e6a413bac6741d8ea054\n00f49b7fd6326470f23798c606bf53d4\n"
    "de63ebc64ec59d57ce5d04d5b62e68b5\n3ca6e5354351097fa370446c4d269f18\n"
    "7bb6ae54af2dc70ff7317fe2f8754b82\n82aad4202f9fa42c8640245d883e2c54\n"
    "a0c1c489a036cf3a8964d8d289c1583b\n9447c262b1da5fd167a5d27bd5ac5143\n"
    "17bc2343a31a2efc38dd920d910375f5\n1c2e27f3afd36c49269da079f7ce466e\n"
    "bb0f9ad13e9bbb4665974e6bc24b513c\n5700393bf4a3e7f967e2f384069ac8a8\n"
    "e78b18b15604993fd16515cce9c0f3e4\n2b4126b999005ade802797b0eeb8b9e6\n"
    "-----END OpenVPN Static key V1-----\n</tls-auth>\n";

static uint8_t S[OVPN_STATIC_KEY_LEN];
static const uint8_t sid[8] = {0, 1, 2, 3, 4, 5, 6, 7};
enum { T = 0x5f000000 };

static void expect_seal(OvpnWrap *w, uint8_t first, const char *body_hex, const char *want_hex)
{
  uint8_t body[64], want[256], out[256];
  size_t nb = check_unhex(body_hex, body, sizeof(body));
  size_t nw = check_unhex(want_hex, want, sizeof(want));
  CHECK_INT(OVPN_HEAD_LEN + ovpn_wrap_overhead(w) + nb, nw);
  CHECK_INT(ovpn_wrap_seal(w, first, sid, body, nb, false, out, nw), nw);
  CHECK_MEM(out, want, nw);
}

static void one_seal(OvpnWrapMode mode, int dir, const char *auth, uint8_t first, const char *want)
{
  OvpnWrap w;
  CHECK_INT(ovpn_wrap_init(&w, mode, S, dir, auth, NULL, T), OVPN_OK);
  expect_seal(&w, first, "00 00000000", want);
  ovpn_wrap_clear(&w);
}

static void test_seal_vectors(void)
{
  one_seal(OVPN_WRAP_TLS_AUTH, OVPN_DIR_INVERSE, "SHA1", 0x38,
           "3800010203040506077cd4e1aa5c0960b785ce35fb114e3c71ad8a8d3a000000015f0000000000000000");
  one_seal(OVPN_WRAP_TLS_AUTH, OVPN_DIR_NORMAL, NULL, 0x38,
           "3800010203040506073ed453d6b88173676a221b7eb420c9cb3e4d195e000000015f0000000000000000");
  one_seal(OVPN_WRAP_TLS_AUTH, OVPN_DIR_INVERSE, "sha256", 0x38,
           "3800010203040506074c11efbee7485036e0968106de83e15b09a6ed2f554ac3442cd744bda8f4c161"
           "000000015f0000000000000000");
  one_seal(OVPN_WRAP_TLS_AUTH, OVPN_DIR_INVERSE, "RSA-SHA512", 0x38,
           "38000102030405060744f403c219f5000ea98a13adafe28953f01d060f1feb03b0732d085f814ded53"
           "58f0e95cddd1cb46a38854b0ec894069f53bc25861876dafc51ee3b6a4c06152"
           "000000015f0000000000000000");
  one_seal(OVPN_WRAP_TLS_CRYPT_V2, OVPN_DIR_INVERSE, NULL, 0x50,
           "5000010203040506070f0000015f000000a00f626eecdd6e6bdcd71518486839b8"
           "3e2df929a3e164ec8fd1e8f86e69a42d2e9b5532af");
  one_seal(OVPN_WRAP_NONE, OVPN_DIR_NONE, NULL, 0x38, "380001020304050607 00 00000000");

  OvpnWrap w;
  CHECK_INT(ovpn_wrap_init(&w, OVPN_WRAP_TLS_CRYPT, S, OVPN_DIR_INVERSE, NULL, NULL, T), OVPN_OK);
  expect_seal(&w, 0x38, "00 00000000",
              "380001020304050607000000015f000000048aa4b13134c1638ec0b8487feb9aac"
              "991a7441bbf27dc0d345a4ff4f3e19998e29d2ff8a");
  expect_seal(&w, 0x28, "01 00000000 1011121314151617",
              "280001020304050607000000025f00000094315ef259ae841ea472a412732dfad7"
              "dd61448042b04a9ed7cbfb9fae5013fe06147036a2608540e543f28788");
  ovpn_wrap_clear(&w);
}

static void test_dynamic(void)
{
  uint8_t ekm[256], mixed[256];
  for (unsigned i = 0; i < 256; i++)
    ekm[i] = (uint8_t)i;
  static const char *with_base =
      "190001020304050607000000015f000000e7f60abd68620c05463883dd8924f323"
      "d9abd60811784a13193d95752fa54dd57425d09b92";
  static const char *without = "190001020304050607000000015f000000e9716c63f7c82844cf392807b29ecfd9"
                               "b6ca5e88fbc5d348279828f2628ab9aefc80841581";
  OvpnWrap base, w;
  CHECK_INT(ovpn_wrap_init(&base, OVPN_WRAP_TLS_AUTH, S, 1, "SHA1", NULL, T), OVPN_OK);
  CHECK_INT(ovpn_wrap_init_dynamic(&w, &base, ekm, OVPN_DIR_INVERSE, T), OVPN_OK);
  for (unsigned i = 0; i < 256; i++)
    mixed[i] = (uint8_t)(i ^ S[i]);
  CHECK_MEM(w.key, mixed, 256);
  expect_seal(&w, 0x19, "00 00000000", with_base);
  ovpn_wrap_clear(&w);
  ovpn_wrap_clear(&base);
  CHECK_INT(ovpn_wrap_init_dynamic(&w, NULL, ekm, OVPN_DIR_INVERSE, T), OVPN_OK);
  expect_seal(&w, 0x19, "00 00000000", without);
  ovpn_wrap_clear(&w);
  CHECK_INT(ovpn_wrap_init(&base, OVPN_WRAP_NONE, NULL, 0, NULL, NULL, T), OVPN_OK);
  CHECK_INT(ovpn_wrap_init_dynamic(&w, &base, ekm, OVPN_DIR_INVERSE, T), OVPN_OK);
  expect_seal(&w, 0x19, "00 00000000", without);
  ovpn_wrap_clear(&w);
}

/* A valid packet opens once; every changed byte, the other direction and a cut packet fail. */
static void expect_open(OvpnWrapMode mode, int dir, int other_dir, const char *hex, size_t body_len)
{
  uint8_t pkt[512], buf[512];
  const uint8_t *s = NULL, *b = NULL;
  size_t n = 0, len = check_unhex(hex, pkt, sizeof(pkt));
  OvpnWrap w, other;
  CHECK_INT(ovpn_wrap_init(&w, mode, S, dir, "SHA1", NULL, T), OVPN_OK);
  CHECK_INT(ovpn_wrap_init(&other, mode, S, other_dir, "SHA1", NULL, T), OVPN_OK);
  CHECK_INT(ovpn_wrap_open(&other, pkt, len, buf, sizeof(buf), &s, &b, &n), OVPN_DROP_AUTH);
  for (size_t i = 0; i < len; i++) {
    pkt[i] ^= 0x23;
    CHECK_INT(ovpn_wrap_open(&w, pkt, len, buf, sizeof(buf), &s, &b, &n), OVPN_DROP_AUTH);
    pkt[i] ^= 0x23;
    CHECK(ovpn_is_drop(ovpn_wrap_open(&w, pkt, i, buf, sizeof(buf), &s, &b, &n)));
  }
  CHECK(w.replay.time == 0 && w.replay.highest == 0 && s == NULL);
  CHECK_INT(ovpn_wrap_open(&w, pkt, len, buf, sizeof(buf), &s, &b, &n), OVPN_OK);
  CHECK_INT(n, body_len);
  CHECK(s == pkt + 1);
  CHECK_INT(b[0], 0); /* no acks */
  CHECK_INT(ovpn_wrap_open(&w, pkt, len, buf, sizeof(buf), &s, &b, &n), OVPN_DROP_REPLAY);
  ovpn_wrap_clear(&w);
  ovpn_wrap_clear(&other);
}

static void test_open_vectors(void)
{
  static const char *auth_reset = "38 de694c5c7bfba274 93537c1ded4e781529ae7cfe4b8c6d6b2b51f05a"
                                  "00000001 61d3bf6c 00 00000000";
  static const char *crypt_reset =
      "38 f419cb12d1f9e48f 00000001 61d3f8e1"
      "330206f56802be44fbed905064e3db43416bec5e526719462b7eb90c96defc9b 05c44879f7";
  expect_open(OVPN_WRAP_TLS_AUTH, OVPN_DIR_NORMAL, OVPN_DIR_INVERSE, auth_reset, 5);
  expect_open(OVPN_WRAP_TLS_CRYPT, OVPN_DIR_NORMAL, OVPN_DIR_INVERSE, crypt_reset, 5);
  /* CONTROL_V1 with a ClientHello */
  expect_open(
      OVPN_WRAP_TLS_AUTH, OVPN_DIR_NORMAL, OVPN_DIR_INVERSE,
      "2014014ebc80c6142b7bc876fbc52e27b1c507355bb6006bae71ba4e380000000361d3ff53000000000116030101"
      "0c0100010803038caaac3a1a07bde7b750069b940c344b5a35cac479bdc909b07bd9eebb7de725203938e2183336"
      "149f34f04459968d0ed24776648859e9380397969845fbf5ff230032130213031301c02cc030009fcca9cca8ccaa"
      "c02bc02f009ec024c028006bc023c0270067c00ac0140039c009c013003300ff0100008d000b000403000102000a"
      "000c000a001d0017001e001900180016000000170000000d0030002e040305030603080708080809080a080b0804"
      "08050806040105010601030302030301020103020202040205020602002b00050403040303002d00020101003300"
      "260024001d00200ec97aff58db56f640d1eddb9181d6ef83868ab23d88923fd8519cd62656336b",
      278);
}

static void test_both_ends(OvpnWrapMode mode, int client, int server)
{
  static uint8_t text[1400], pkt[2048], buf[2048];
  OvpnWrap c, s;
  CHECK_INT(ovpn_wrap_init(&c, mode, S, client, "SHA512", NULL, T), OVPN_OK);
  CHECK_INT(ovpn_wrap_init(&s, mode, S, server, "SHA512", NULL, T), OVPN_OK);
  for (size_t n = 0; n <= sizeof(text); n += n < 70 ? 1 : 133) {
    memset(text, (int)n, n);
    for (unsigned way = 0; way < 2; way++) {
      size_t len = ovpn_wrap_seal(way ? &s : &c, 0x20, sid, text, n, false, pkt, sizeof(pkt));
      CHECK_INT(len, n + 9 + ovpn_wrap_overhead(&c));
      const uint8_t *id, *b;
      size_t got;
      CHECK_INT(ovpn_wrap_open(way ? &c : &s, pkt, len, buf, sizeof(buf), &id, &b, &got), OVPN_OK);
      CHECK_INT(got, n);
      CHECK_MEM(b, text, n);
    }
  }
  /* too small a buffer: no id is lost */
  uint32_t before = c.send_id;
  CHECK_INT(ovpn_wrap_seal(&c, 0x20, sid, text, 100, false, pkt, 108 + ovpn_wrap_overhead(&c)), 0);
  CHECK_INT(c.send_id, before);
  /* the counter wraps into a new time */
  c.send_id = UINT32_MAX;
  CHECK(ovpn_wrap_seal(&c, 0x20, sid, text, 1, false, pkt, sizeof(pkt)) > 0);
  if (mode != OVPN_WRAP_NONE)
    CHECK(c.send_id == 1 && c.send_time == T + 1);
  ovpn_wrap_clear(&c);
  ovpn_wrap_clear(&s);
}

static void test_wkc(void)
{
  uint8_t wkc[297], pkt[512], buf[512];
  memset(wkc, 0xee, sizeof(wkc));
  wkc[295] = 297 >> 8;
  wkc[296] = 297 & 255;
  OvpnBlob blob = {wkc, sizeof(wkc)};
  OvpnWrap c, s;
  CHECK_INT(ovpn_wrap_init(&c, OVPN_WRAP_TLS_CRYPT_V2, S, 1, NULL, &blob, T), OVPN_OK);
  CHECK_INT(ovpn_wrap_init(&s, OVPN_WRAP_TLS_CRYPT_V2, S, 0, NULL, NULL, T), OVPN_OK);
  static const uint8_t body[5];
  size_t len = ovpn_wrap_seal(&c, 0x50, sid, body, 5, true, pkt, sizeof(pkt));
  CHECK_INT(len, 54 + 297);
  CHECK_INT(ovpn_wrap_without_wkc(pkt, len), 54);
  CHECK_MEM(pkt + 54, wkc, sizeof(wkc));
  const uint8_t *id, *b;
  size_t n;
  CHECK_INT(ovpn_wrap_open(&s, pkt, 54, buf, sizeof(buf), &id, &b, &n), OVPN_OK);
  CHECK_INT(s.replay.highest, 0x0f000001);
  CHECK_INT(ovpn_wrap_without_wkc(pkt, 1), 0);
  pkt[len - 2] = 0xff;
  CHECK_INT(ovpn_wrap_without_wkc(pkt, len), 0);
  ovpn_wrap_clear(&c);
  ovpn_wrap_clear(&s);
}

static void test_refused_config(void)
{
  OvpnWrap w;
  CHECK_INT(ovpn_wrap_init(&w, OVPN_WRAP_TLS_AUTH, S, 1, "none", NULL, T), OVPN_FAIL_CONFIG);
  CHECK_INT(ovpn_wrap_init(&w, OVPN_WRAP_TLS_AUTH, S, 1, "WHIRLPOOL", NULL, T), OVPN_FAIL_CONFIG);
  ovpn_wrap_clear(&w);
  ovpn_wrap_clear(NULL);
}

static OvpnStatus parse_key(const char *text, uint8_t key[256])
{
  OvpnFailure f = {0};
  OvpnStatus st = ovpn_static_key_parse(text, strlen(text), key, &f);
  CHECK((st == OVPN_OK) == (f.text[0] == 0));
  return st;
}

static void test_static_key_file(void)
{
  uint8_t k[256], want[256];
  memset(want, 0xab, sizeof(want));
  char text[2048] = "\xef\xbb\xbf  -----BEGIN OpenVPN Static key V1-----\r\n",
       *p = text + strlen(text);
  for (unsigned i = 0; i < 256; i++)
    p += sprintf(p, "%s%s", i % 2 ? "aB" : " A b", i % 64 ? "" : "\t\r\n");
  strcpy(p, "\r\n-----END OpenVPN Static key V1-----");
  CHECK_INT(parse_key(text, k), OVPN_OK);
  CHECK_MEM(k, want, 256);
  CHECK_INT(parse_key("", k), OVPN_FAIL_FILE_FORMAT);
  CHECK_INT(parse_key("# -----BEGIN OpenVPN Static key V1-----\n", k), OVPN_FAIL_FILE_FORMAT);
  CHECK_INT(parse_key("-----BEGIN OpenVPN Static key V1-----\nab", k), OVPN_FAIL_FILE_FORMAT);
  strcpy(p, "a\n-----END OpenVPN Static key V1-----");
  CHECK_INT(parse_key(text, k), OVPN_FAIL_FILE_FORMAT); /* too long */
  strcpy(p - 2, "\n-----END OpenVPN Static key V1-----");
  CHECK_INT(parse_key(text, k), OVPN_FAIL_FILE_FORMAT); /* too short */
  strcpy(p - 2, "zz\n-----END OpenVPN Static key V1-----");
  CHECK_INT(parse_key(text, k), OVPN_FAIL_FILE_FORMAT);
  CHECK_MEM(k, want, 256);
}

static void to_base64(const uint8_t *in, size_t n, char *out)
{
  static const char abc[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  for (size_t i = 0; i < n; i += 3) {
    uint32_t v =
        (uint32_t)in[i] << 16 | (i + 1 < n ? in[i + 1] << 8 : 0) | (i + 2 < n ? in[i + 2] : 0);
    *out++ = abc[v >> 18];
    *out++ = abc[v >> 12 & 63];
    *out++ = i + 1 < n ? abc[v >> 6 & 63] : '=';
    *out++ = i + 2 < n ? abc[v & 63] : '=';
    if (i % 48 == 45)
      *out++ = '\n';
  }
  *out = 0;
}

static OvpnStatus parse_v2(const char *label, const uint8_t *raw, size_t n, uint8_t kc[256],
                           OvpnBlob *wkc)
{
  char b64[4096], text[8192];
  to_base64(raw, n, b64);
  sprintf(text,
          "-----BEGIN OpenVPN tls-crypt-v2 %s key-----\n%s\n-----END OpenVPN tls-crypt-v2 %s "
          "key-----\n",
          label, b64, label);
  OvpnFailure f = {0};
  return ovpn_tls_crypt_v2_parse(text, strlen(text), kc, wkc, &f);
}

static void test_v2_file(void)
{
  static uint8_t raw[256 + 1100], kc[256];
  for (unsigned i = 0; i < sizeof(raw); i++)
    raw[i] = (uint8_t)i;
  static const size_t good[] = {297, 298, 299, 1024, 2};
  for (size_t i = 0; i < 5; i++) {
    size_t n = good[i];
    ovpn_auto_blob wkc = {0};
    raw[256 + n - 2] = (uint8_t)(n >> 8);
    raw[256 + n - 1] = (uint8_t)n;
    CHECK_INT(parse_v2("client", raw, 256 + n, kc, &wkc), OVPN_OK);
    CHECK_INT(wkc.len, n);
    CHECK_MEM(kc, raw, 256);
    CHECK_MEM(wkc.data, raw + 256, n);
    OvpnBlob none = {0};
    CHECK_INT(parse_v2("server", raw, 256 + n, kc, &none), OVPN_FAIL_FILE_FORMAT);
    CHECK_INT(parse_v2("client", raw, 256 + n - 1, kc, &none), OVPN_FAIL_FILE_FORMAT);
    CHECK(none.data == NULL);
  }
  OvpnBlob wkc = {0};
  raw[256 + 1025 - 2] = 1025 >> 8;
  raw[256 + 1025 - 1] = 1025 & 255;
  CHECK_INT(parse_v2("client", raw, 256 + 1025, kc, &wkc), OVPN_FAIL_FILE_FORMAT);
  CHECK_INT(parse_v2("client", raw, 257, kc, &wkc), OVPN_FAIL_FILE_FORMAT);
  CHECK_INT(parse_v2("client", raw, 0, kc, &wkc), OVPN_FAIL_FILE_FORMAT);
  static const char *bad[] = {"AAA", "AA=A", "A===", "A*AA", "====", ""};
  for (size_t i = 0; i < 6; i++) {
    char text[256];
    sprintf(text,
            "-----BEGIN OpenVPN tls-crypt-v2 client key-----\n%s\n"
            "-----END OpenVPN tls-crypt-v2 client key-----\n",
            bad[i]);
    CHECK_INT(ovpn_tls_crypt_v2_parse(text, strlen(text), kc, &wkc, NULL), OVPN_FAIL_FILE_FORMAT);
  }
}

int main(void)
{
  CHECK_INT(parse_key(static_key, S), OVPN_OK);
  CHECK(S[0] == 0x37 && S[255] == 0xe6);
  test_seal_vectors();
  test_dynamic();
  test_open_vectors();
  test_both_ends(OVPN_WRAP_NONE, OVPN_DIR_NONE, OVPN_DIR_NONE);
  test_both_ends(OVPN_WRAP_TLS_AUTH, OVPN_DIR_NONE, OVPN_DIR_NONE);
  test_both_ends(OVPN_WRAP_TLS_AUTH, OVPN_DIR_INVERSE, OVPN_DIR_NORMAL);
  test_both_ends(OVPN_WRAP_TLS_CRYPT, OVPN_DIR_INVERSE, OVPN_DIR_NORMAL);
  test_both_ends(OVPN_WRAP_TLS_CRYPT_V2, OVPN_DIR_INVERSE, OVPN_DIR_NORMAL);
  test_wkc();
  test_refused_config();
  test_static_key_file();
  test_v2_file();
  TEST_END();
}
