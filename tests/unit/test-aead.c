/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data packets: known answers (spec §26.2 and others made with an independent library), forgeries,
 * replays, ends of the id space. Includes the module itself to reach the packet counter of an
 * opaque key. */
#include "helper/core/aead.c"
#include "check.h"

static uint8_t K[256];
static const char PT[] = "The quick little fox jumps over the bureaucratic hurdles";
enum { PT_LEN = sizeof(PT) - 1 };

static void counting_iv(void *user, uint8_t *buf, size_t len)
{
  for (size_t i = 0; i < len; i++)
    buf[i] = (uint8_t)i;
}

static OvpnDataKey *key(const char *cipher, const char *auth, bool client, int32_t peer_id)
{
  OvpnDataKey *k = NULL;
  OvpnFailure f = {0};
  CHECK_INT(ovpn_data_key_new(ovpn_data_cipher(cipher), auth, K, client, 0, peer_id, NULL,
                              counting_iv, NULL, &k, &f),
            OVPN_OK);
  CHECK_STR(f.text, "");
  return k;
}

typedef struct Vector {
  const char *cipher, *auth;
  int32_t peer_id;
  const char *packet;
} Vector;

static const Vector vectors[] = {
    {"AES-256-GCM", "none", 0x17,
     "48000017000000014b25c6606449c0e04c573546d802e2612262f977d6bb2118fa0ea82e6b1706d949aefcb5efcbb"
     "acd"
     "5c09a9ab45f4d391d3f68794cb0b82c3d33389b61622b3281598e2ff6d5cc38b"},
    {"CHACHA20-POLY1305", "SHA1", 0x17,
     "4800001700000001f2c9320d1ed7eb8a24d70ccb6f0da0981e9df44cbc61e8e65b606504faaf107f3b94da1fa1c9b"
     "860"
     "fbdff86ad8ae6b5fbe762ba5beb3f09ad395efd7b47656ec824bbd83a44bbed5"},
    {"aes-128-gcm", NULL, -1,
     "3000000001a8b4f2047b54108497adca3c1072a753503b3d2700a8e4f500a7a544f6409295f3beaa9415f834ff767"
     "453"
     "623c05f05e23dca8975fee27b4a46629971cfac194b5b95ce7680b8bf3"},
    {"AES-256-CBC", "SHA256", 0x17,
     "480000179852193ce8e7453960fb29e3b314f318e3ed1a4f5f59887c5e9ef25da1d426a8000102030405060708090"
     "a0b"
     "0c0d0e0f6efb40f40151bc2120079cb5d676f055e407fe553da2d47cb279fc4d89726fc92fc27adbb27f09103a3a4"
     "f18"
     "2f432f6a3224844c6ae9b6d18ea5e141d79303ef"},
    {"AES-128-CBC", "SHA1", -1,
     "30676dbf12567c1dc99272946941c72c983d0d85e9000102030405060708090a0b0c0d0e0f86c523563e3c7680d7e"
     "805"
     "99009e1f2abac2af89ef5e3c4748498bc9009dd5ebb9dab13c47384643fef51f1897c82f5213f672b97b4d0f8a3a6"
     "ff5"
     "dcdac1ff19"},
    /* made with Python's cryptography */
    {"AES-256-CBC", "sha256", 0x17,
     "480000179852193ce8e7453960fb29e3b314f318e3ed1a4f5f59887c5e9ef25da1d426a80001020304050607"
     "08090a0b0c0d0e0f6efb40f40151bc2120079cb5d676f055e407fe553da2d47cb279fc4d89726fc92fc27adb"
     "b27f09103a3a4f182f432f6a3224844c6ae9b6d18ea5e141d79303ef"},
    {"AES-192-CBC", "sha512", 0x17,
     "48000017deec99fb6ae863984a43bb4578fadaa319e70fc517dbd922958dc2ae2cd9d73e9485408b8f70bdff"
     "8dba1cec947061c607e3060831c62fd08c9abe286316fc06000102030405060708090a0b0c0d0e0f0aa1d37f"
     "93c4717c1fdc39905d95e5d7fbe2f2ed649139aadfc569e281a81ebdcd38f6d1b4b4f02d47d10a9ed748b324"
     "74f2fae14c408f7afbba1c06deb9c6b1"},
    {"DES-EDE3-CBC", "md5", 0x17,
     "480000170b1f4ef2642926e7b9d5a74760e5a5010001020304050607b30058642291cc9ff05aae90dee42a35"
     "f8f221f691069922187c318f1feb54c81e6d9f2d06c11da48ad90e4457188c9b05beac4f606141ca82b0500e"
     "b00c7662"},
    {"CAMELLIA-256-CBC", "sha384", 0x17,
     "4800001799a77ac8f7568c6421ecfa118cd3c5d684b5a898007b0897c2ba820099ebfc50612d5bf07a0880b8"
     "a0c0c4f13ae012b4000102030405060708090a0b0c0d0e0f67bb989b5cf3b0a2a81ab59aacf47bb5075e33d4"
     "9af703e74b849771638a121008388add6a8c827e4bfcb649c0438f14fc65239a2787ac80d9fb23b45cfabd96"},
    {"CAMELLIA-128-CBC", "sha224", 0x17,
     "480000177f198cc68fad70fa945e6caa4ce3addef8506b69be1d4e095f7115a3000102030405060708090a0b"
     "0c0d0e0f4210bbacf5866f7e6638c573c7bae005942f0c6a9a69a4d3db84d4b969b55f5ab2c8cd39d530bb0b"
     "2bc78aea2c22f99c02403b2644ad597073717a09119ccf1d"},
    {"BF-CBC", "sha1", 0x17,
     "48000017c35c5539ac6d6c11a0e76f9a7b7166674eab9c8b0001020304050607fcbb3d6285932c56ad4e5be6"
     "6f39f926d19379c720be09621b8e028dbbf0e8ca44b6dd5cfd9cd341d15a105e89fac58459213f7e1efe852e"
     "df19f98ff435671a"},
    {"AES-128-CBC", "none", 0x17,
     "48000017000102030405060708090a0b0c0d0e0f86c523563e3c7680d7e80599009e1f2abac2af89ef5e3c47"
     "48498bc9009dd5ebb9dab13c47384643fef51f1897c82f5213f672b97b4d0f8a3a6ff5dcdac1ff19"},
    {"none", "sha1", 0x17,
     "480000178ab4ab84c22a78b64faad2c5e9423292309367450000000154686520717569636b206c6974746c65"
     "20666f78206a756d7073206f766572207468652062757265617563726174696320687572646c6573"},
    {"none", "none", 0x17,
     "480000170000000154686520717569636b206c6974746c6520666f78206a756d7073206f7665722074686520"
     "62757265617563726174696320687572646c6573"},
};

static size_t seal(OvpnDataKey *k, const void *text, size_t n, uint8_t *out)
{
  static uint8_t buf[OVPN_DATA_HEADROOM + 2048 + OVPN_DATA_TAILROOM];
  uint8_t *pkt = NULL;
  size_t len = 0;
  memcpy(buf + OVPN_DATA_HEADROOM, text, n);
  CHECK_INT(ovpn_data_seal(k, buf, OVPN_DATA_HEADROOM, n, &pkt, &len), OVPN_OK);
  CHECK(pkt >= buf && pkt + len <= buf + sizeof(buf));
  CHECK(len <= n + ovpn_data_key_overhead(k));
  memcpy(out, pkt, len);
  return len;
}

static OvpnStatus open_copy(OvpnDataKey *k, const uint8_t *pkt, size_t len, uint8_t **p, size_t *n)
{
  static uint8_t buf[4096];
  memcpy(buf, pkt, len);
  return ovpn_data_open(k, buf, len, p, n);
}

static void test_vector(const Vector *v)
{
  uint8_t want[256], got[256], *p = NULL;
  size_t n = 0, nw = check_unhex(v->packet, want, sizeof(want));
  OvpnDataKey *c = key(v->cipher, v->auth, true, v->peer_id);
  OvpnDataKey *s = key(v->cipher, v->auth, false, v->peer_id);
  OvpnDataKey *other = key(v->cipher, v->auth, true, v->peer_id);
  CHECK_INT(seal(c, PT, PT_LEN, got), nw);
  CHECK_MEM(got, want, nw);
  CHECK_INT(ovpn_data_key_sent(c), 1);
  bool has_mac = c->row->pub.aead || c->mac_len;
  size_t head = data_head_len(c);
  for (size_t i = 0; i < nw; i++) {
    CHECK(ovpn_is_drop(open_copy(s, want, i < nw - 1 ? i : 0, &p, &n)) || !has_mac);
    /* CBC does not authenticate its head (spec §25, 40) */
    if (!has_mac || (!c->row->pub.aead && i < head) || (c->row->pub.aead && head == 1 && i == 0))
      continue;
    want[i] ^= 0x40;
    CHECK(ovpn_is_drop(open_copy(s, want, nw, &p, &n)));
    want[i] ^= 0x40;
  }
  if (has_mac) {
    CHECK_INT(s->replay.highest, 0);
    CHECK_INT(open_copy(other, want, nw, &p, &n), OVPN_DROP_AUTH); /* our own packet mirrored */
  }
  ovpn_replay_init(&s->replay, 64);
  CHECK_INT(open_copy(s, want, nw, &p, &n), OVPN_OK);
  CHECK_INT(n, PT_LEN);
  CHECK_MEM(p, PT, PT_LEN);
  CHECK_INT(open_copy(s, want, nw, &p, &n), OVPN_DROP_REPLAY);
  ovpn_data_key_free(c);
  ovpn_data_key_free(s);
  ovpn_data_key_free(other);
}

static void test_ping_vector(void)
{
  static const uint8_t ping[16] = {0x2a, 0x18, 0x7b, 0xf3, 0x64, 0x1e, 0xb4, 0xcb,
                                   0x07, 0xed, 0x2d, 0x0a, 0x98, 0x1f, 0xc7, 0x48};
  uint8_t want[64], got[64];
  size_t n =
      check_unhex("4800001700000001803d23064775217c09dd76c294137af75c12e7a4c3d0fcb096c3e94d877c"
                  "adf4",
                  want, sizeof(want));
  OvpnDataKey *k = key("AES-256-GCM", NULL, true, 0x17);
  CHECK_INT(seal(k, ping, 16, got), n);
  CHECK_MEM(got, want, n);
  ovpn_data_key_free(k);
}

/* Every cipher and digest, both ways, both heads, all small sizes. */
static void test_round_trips(void)
{
  static const char *digests[] = {"none",   "MD5",    "SHA1",      "SHA224",
                                  "SHA256", "SHA384", "RSA-SHA512"};
  static uint8_t text[1500], pkt[2048];
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
    for (size_t d = 0; d < 7; d++) {
      OvpnDataKey *a = key(rows[i].pub.name, digests[d], true, d % 2 ? 5 : -1);
      OvpnDataKey *b = key(rows[i].pub.name, digests[d], false, d % 2 ? -1 : 0xfffffe);
      for (size_t n = 1; n <= sizeof(text); n += n < 40 ? 1 : 146) {
        memset(text, (int)n, n);
        uint8_t *p = NULL;
        size_t got = 0, len = seal(a, text, n, pkt);
        CHECK_INT(open_copy(b, pkt, len, &p, &got), OVPN_OK);
        CHECK(got == n && !memcmp(p, text, n));
        len = seal(b, text, n, pkt);
        CHECK_INT(open_copy(a, pkt, len, &p, &got), OVPN_OK);
        CHECK(got == n && !memcmp(p, text, n));
      }
      ovpn_data_key_free(a);
      ovpn_data_key_free(b);
    }
  }
}

static void test_ids(void)
{
  uint8_t pkt[3][256], buf[256], *p;
  size_t len[3], n;
  OvpnDataKey *a = key("AES-128-GCM", NULL, true, 1), *b = key("AES-128-GCM", NULL, false, 1);
  for (unsigned i = 0; i < 3; i++)
    len[i] = seal(a, PT, PT_LEN, pkt[i]);
  CHECK_INT(open_copy(b, pkt[2], len[2], &p, &n), OVPN_OK);
  CHECK_INT(open_copy(b, pkt[0], len[0], &p, &n), OVPN_OK); /* reordered */
  CHECK_INT(open_copy(b, pkt[2], len[2], &p, &n), OVPN_DROP_REPLAY);
  a->sent = 66;
  len[0] = seal(a, PT, PT_LEN, pkt[0]);
  CHECK_INT(open_copy(b, pkt[0], len[0], &p, &n), OVPN_OK);
  CHECK_INT(open_copy(b, pkt[1], len[1], &p, &n), OVPN_DROP_REPLAY); /* 65 behind 67 */
  a->sent = UINT64_C(0xfffffffd);
  len[0] = seal(a, PT, PT_LEN, pkt[0]);
  CHECK_INT(open_copy(b, pkt[0], len[0], &p, &n), OVPN_OK);
  CHECK_INT(ovpn_data_seal(a, buf, 128, 1, &p, &n), OVPN_FAIL_PACKET_ID);
  CHECK_INT(ovpn_data_key_sent(a), 0xfffffffe);
  CHECK_INT(ovpn_data_seal(b, buf, 128, 0, &p, &n), OVPN_DROP_EMPTY);
  CHECK_INT(ovpn_data_key_sent(b), 0);
  b->blocks = GCM_LIMIT;
  CHECK_INT(ovpn_data_key_sent(b), 0xff000000);
  ovpn_data_key_free(a);
  ovpn_data_key_free(b);
}

/* Static key mode: no head, long ids; both directions, one key for both, and time before id. */
static void test_static_key(void)
{
  static const int dirs[][2] = {{OVPN_DIR_NORMAL, OVPN_DIR_INVERSE},
                                {OVPN_DIR_NONE, OVPN_DIR_NONE}};
  static const char *const ciphers[] = {"AES-256-CBC", "BF-CBC", "none"};
  uint8_t got[256], copy[256], *p;
  size_t n;
  for (size_t i = 0; i < 6; i++) {
    OvpnDataKey *a = NULL, *b = NULL, *later = NULL;
    const OvpnDataCipher *c = ovpn_data_cipher(ciphers[i % 3]);
    const int *d = dirs[i / 3];
    CHECK_INT(
        ovpn_data_key_new_static(c, "SHA256", K, d[0], NULL, 1000, counting_iv, NULL, &a, NULL), 0);
    CHECK_INT(
        ovpn_data_key_new_static(c, "SHA256", K, d[0], NULL, 1001, counting_iv, NULL, &later, NULL),
        0);
    CHECK_INT(ovpn_data_key_new_static(c, "SHA256", K, d[1], &(OvpnDataForm){.window = 3}, 5,
                                       counting_iv, NULL, &b, NULL),
              0);
    CHECK(ovpn_data_key_is_bare(a));
    size_t len = seal(a, PT, PT_LEN, got);
    CHECK(len <= PT_LEN + ovpn_data_key_overhead(a));
    for (size_t cut = 0; cut < len; cut++)
      CHECK(ovpn_is_drop(open_copy(b, got, cut, &p, &n)));
    memcpy(copy, got, len);
    CHECK_INT(open_copy(b, got, len, &p, &n), OVPN_OK);
    CHECK_INT(n, PT_LEN);
    CHECK_INT(open_copy(b, copy, len, &p, &n), OVPN_DROP_REPLAY);
    /* replay-window 3: of five packets that come in reverse, the first two are too old */
    uint8_t five[5][256];
    size_t lens[5];
    for (int j = 0; j < 5; j++)
      lens[j] = seal(a, PT, PT_LEN, five[j]);
    for (int j = 4; j >= 0; j--)
      CHECK_INT(open_copy(b, five[j], lens[j], &p, &n), j >= 2 ? OVPN_OK : OVPN_DROP_REPLAY);
    size_t len2 = seal(later, PT, PT_LEN, got);
    CHECK_INT(open_copy(b, got, len2, &p, &n), OVPN_OK); /* id 1 again, of a later start */
    len = seal(a, PT, PT_LEN, got);
    CHECK_INT(open_copy(b, got, len, &p, &n), OVPN_DROP_REPLAY); /* of an earlier one */
    ovpn_data_key_free(a);
    ovpn_data_key_free(b);
    ovpn_data_key_free(later);
  }
  OvpnDataKey *k = NULL;
  CHECK_INT(ovpn_data_key_new_static(ovpn_data_cipher("AES-128-GCM"), NULL, K, 0, NULL, 1, NULL,
                                     NULL, &k, NULL),
            OVPN_FAIL_CONFIG);
}

static OvpnDataKey *static_key(const char *cipher, int direction, uint32_t time, const OvpnIds *ids)
{
  OvpnDataKey *k = NULL;
  CHECK_INT(ovpn_data_key_new_static(ovpn_data_cipher(cipher), "SHA256", K, direction, NULL, time,
                                     counting_iv, NULL, &k, NULL),
            OVPN_OK);
  if (ids)
    ovpn_data_key_go_on(k, ids);
  return k;
}

/* One session after the other with the same file. */
static void test_static_key_again(const char *cipher)
{
  uint8_t old[2][256], again[256], fresh[256], *p;
  size_t len[2], n;
  OvpnIds ids = {0}, peers = {0};
  OvpnDataKey *peer = static_key(cipher, OVPN_DIR_NORMAL, 1000, NULL);
  OvpnDataKey *k = static_key(cipher, OVPN_DIR_INVERSE, 2000, &ids);
  for (int i = 0; i < 2; i++) {
    len[i] = seal(peer, PT, PT_LEN, old[i]);
    CHECK_INT(open_copy(k, old[i], len[i], &p, &n), OVPN_OK);
  }
  seal(k, PT, PT_LEN, again);
  ovpn_data_key_remember(k, &ids);
  ovpn_data_key_free(k);
  /* what was taken before is not taken again; the peer goes on, or is started anew */
  k = static_key(cipher, OVPN_DIR_INVERSE, 2000, &ids);
  for (int i = 0; i < 2; i++)
    CHECK_INT(open_copy(k, old[i], len[i], &p, &n), OVPN_DROP_REPLAY);
  size_t l = seal(k, PT, PT_LEN, fresh);
  CHECK(memcmp(fresh, again, l) !=
        0); /* in the same second: no id, so no IV of CFB, is used twice */
  OvpnDataKey *listener = static_key(cipher, OVPN_DIR_NORMAL, 1, NULL);
  CHECK_INT(open_copy(listener, again, l, &p, &n), OVPN_OK);
  CHECK_INT(open_copy(listener, fresh, l, &p, &n), OVPN_OK);
  ovpn_data_key_free(listener);
  l = seal(peer, PT, PT_LEN, fresh);
  CHECK_INT(open_copy(k, fresh, l, &p, &n), OVPN_OK);
  ovpn_data_key_remember(peer, &peers);
  ovpn_data_key_free(peer);
  peer = static_key(cipher, OVPN_DIR_NORMAL, 1000, &peers);
  l = seal(peer, PT, PT_LEN, fresh);
  CHECK_INT(open_copy(k, fresh, l, &p, &n), OVPN_OK);
  ovpn_data_key_remember(k, &ids);
  ovpn_data_key_free(k);
  /* its clock goes back: shut out for one session, not for ever */
  ovpn_data_key_free(peer);
  peer = static_key(cipher, OVPN_DIR_NORMAL, 10, NULL);
  l = seal(peer, PT, PT_LEN, fresh);
  for (int i = 0; i < 2; i++) {
    k = static_key(cipher, OVPN_DIR_INVERSE, 2000, &ids);
    CHECK_INT(open_copy(k, fresh, l, &p, &n), i ? OVPN_OK : OVPN_DROP_REPLAY);
    ovpn_data_key_remember(k, &ids);
    ovpn_data_key_free(k);
  }
  ovpn_data_key_free(peer);
}

/* Without a direction what we have sent opens for us too, and is newer than what the peer sends. */
static void test_static_key_mirrored(void)
{
  uint8_t own[256], theirs[256], *p;
  size_t n;
  OvpnDataKey *peer = static_key("AES-256-CBC", OVPN_DIR_NONE, 1000, NULL);
  OvpnDataKey *k = static_key("AES-256-CBC", OVPN_DIR_NONE, 2000, NULL);
  size_t l = seal(peer, PT, PT_LEN, theirs);
  CHECK_INT(open_copy(k, theirs, l, &p, &n), OVPN_OK);
  l = seal(k, PT, PT_LEN, own);
  CHECK_INT(open_copy(k, own, l, &p, &n), OVPN_DROP_REPLAY);
  l = seal(peer, PT, PT_LEN, theirs);
  CHECK_INT(open_copy(k, theirs, l, &p, &n), OVPN_OK);
  ovpn_data_key_free(peer);
  ovpn_data_key_free(k);
}

static void test_refused(void)
{
  OvpnDataKey *k = NULL;
  OvpnFailure f = {0};
  static const uint8_t zero[256];
  CHECK(!ovpn_data_cipher("SEED-CBC") && !ovpn_data_cipher(NULL) && !ovpn_data_cipher(""));
  CHECK(ovpn_data_cipher("Chacha20-Poly1305")->aead);
  CHECK_INT(ovpn_data_key_new(ovpn_data_cipher("AES-128-GCM"), NULL, zero, true, 0, -1, NULL, NULL,
                              NULL, &k, &f),
            OVPN_FAIL_KEY_DERIVATION);
  CHECK_INT(ovpn_data_key_new(ovpn_data_cipher("AES-128-CBC"), "foo", K, true, 0, -1, NULL,
                              counting_iv, NULL, &k, NULL),
            OVPN_FAIL_CONFIG);
  CHECK(k == NULL);
  ovpn_data_key_free(NULL);
  uint8_t pkt[64] = {OVPN_OP_CONTROL_V1 << 3}, *p;
  size_t n;
  k = key("AES-128-GCM", NULL, true, -1);
  CHECK_INT(ovpn_data_open(k, pkt, 64, &p, &n), OVPN_DROP_OPCODE);
  pkt[0] = OVPN_OP_DATA_V2 << 3;
  CHECK_INT(ovpn_data_open(k, pkt, 24, &p, &n), OVPN_DROP_TRUNCATED);
  CHECK_INT(ovpn_data_open(k, pkt, 64, &p, &n), OVPN_DROP_REPLAY); /* id 0 */
  CHECK_INT(ovpn_data_key_overhead(k), 21);
  ovpn_data_key_free(k);
  k = key("AES-256-CBC", "SHA256", true, 3);
  CHECK_INT(ovpn_data_key_overhead(k), 4 + 32 + 16 + 4 + 16);
  ovpn_data_key_free(k);
}

/* Without a MAC a changed byte reaches the padding: 0, too long, not all equal. Empty payloads
 * count as ids. */
static void test_padding(void)
{
  static const uint8_t change[] = {4, 4 ^ 17, 4 ^ 16, 4 ^ 5, 0x84};
  uint8_t pkt[256], *p;
  size_t n;
  OvpnDataKey *a = key("AES-128-CBC", "none", true, 1), *b = key("AES-128-CBC", "none", false, 1);
  size_t len = seal(a, PT, PT_LEN, pkt); /* 4 bytes of padding */
  for (size_t i = 0; i < sizeof(change); i++) {
    pkt[len - 17] ^= change[i];
    CHECK_INT(open_copy(b, pkt, len, &p, &n), OVPN_DROP_AUTH);
    pkt[len - 17] ^= change[i];
  }
  CHECK_INT(b->replay.highest, 0);
  CHECK_INT(open_copy(b, pkt, len - 1, &p, &n), OVPN_DROP_FORMAT);
  CHECK_INT(open_copy(b, pkt, len, &p, &n), OVPN_OK);
  ovpn_data_key_free(a);
  ovpn_data_key_free(b);
  b = key("none", "none", false, 1);
  len = check_unhex("4800000100000001", pkt, sizeof(pkt));
  CHECK_INT(open_copy(b, pkt, len, &p, &n), OVPN_DROP_EMPTY);
  CHECK_INT(open_copy(b, pkt, len, &p, &n), OVPN_DROP_REPLAY);
  CHECK_INT(open_copy(b, pkt, len - 1, &p, &n), OVPN_DROP_TRUNCATED);
  ovpn_data_key_free(b);
  b = NULL;
  CHECK_INT(ovpn_data_key_new(ovpn_data_cipher("none"), "none", K, true, 5, -1, NULL, NULL, NULL,
                              &b, NULL),
            OVPN_OK);
  CHECK_INT(ovpn_data_key_id(b), 5);
  CHECK_INT(seal(b, "x", 1, pkt), 6);
  CHECK_INT(pkt[0], OVPN_OP_DATA_V1 << 3 | 5);
  ovpn_data_key_free(b);
}

/* no-replay, no-iv and keysize: made with Python's cryptography. */
static const struct {
  const char *cipher, *auth;
  OvpnDataForm form;
  const char *packet;
} forms[] = {
    {"AES-256-CBC",
     "SHA256",
     {.no_ids = true},
     "4800001787ad2fc94d31a0777585395e22b4f9742cb1a8de774b804b268fe6c25da7982f0001020304050607"
     "08090a0b0c0d0e0f28740626d2eca41f61a4534966934b2d6a6c41cb5c406b7c7403befa84c7a43dcdec16f3"
     "dcf7ded99a19339f382fd341369c6dadad8167a2baff7c57609e77ba"},
    {"AES-128-CBC",
     "SHA1",
     {.no_iv = true},
     "48000017d34242b2a2ae919e0a9728a7b57ef8635ac91716b1d7622df3d815368b58ea3fb61028c32129ca54"
     "af283688b76adc57a6e0183a80cf09a3e382d51e4f9d1f20a752b2a623a668986aea1fa552d7e3e2c124c2c5"},
    {"none",
     "SHA1",
     {.no_ids = true},
     "48000017df182aa6b794e7eee9b62e64c5c9c4a97bd23dad54686520717569636b206c6974746c6520666f78"
     "206a756d7073206f766572207468652062757265617563726174696320687572646c6573"},
    {"BF-CBC",
     "SHA1",
     {.key_len = 7},
     "48000017a997b687552957946ed0d333e4227be9ee61a3ab000102030405060734ff71c2bc9166b617e88b8f"
     "78ee535b3e4bddfc431e8676f8fb844e0ef3a674f6a58fc66ef3c4cfecca1e5d2986528b22dc0a9b56c08696"
     "00cf6366be69b92a"},
    {"BF-CBC",
     "SHA1",
     {.key_len = 56},
     "48000017f3eb1599fb11773aac8c86c9a5b9942e2240e2a200010203040506076fb51349676865d5f427fc5d"
     "e035ecbfc87b9e0a57c95d6bf49ae1625386fafae439bc319037a674b8c251947d081e3d2a1592e7cbd799e6"
     "654670deca182cc7"},
    {"BF-CBC",
     "SHA1",
     {.key_len = 32, .no_ids = true, .no_iv = true},
     "4800001706eba449e260d549de36acf91e13c2af5362c85ac00ccf101e00efa296c4f57fb57162536e031a8f"
     "537f3b36d174d7c6f064b5c2d97c5d7fcbc0ab32bf735ce459b84fc6809a1d4057bd0c41e33d23f9ab58c4d9"},
    {"CAST5-CBC",
     "SHA1",
     {.key_len = 8},
     "480000170280d5054bc0709481b86e27d333b24797b65eb900010203040506077183ecc4ebab1519cfd87f1c"
     "66d5bfa39b16cc99afc19048487e8f0435611535cf5bee3ec5376ae9e83aaca2485f44d557ab1be1b0227f26"
     "cac4f7c50408ba69"},
    {"CAST5-CBC",
     "SHA1",
     {.key_len = 5},
     "4800001756551f097bc6dff10d4797cd1160a5a39bf0124c0001020304050607f01a9c23ca53130b03bb158b"
     "b9d087a21db108bb8d160495ee36d507a2a90e0f80defe655011afa0930913691128d289e2143abcf91ca605"
     "95635eb667cb87c2"},
};

static OvpnDataKey *formed(const char *cipher, const char *auth, const OvpnDataForm *form,
                           bool client)
{
  OvpnDataKey *k = NULL;
  CHECK_INT(ovpn_data_key_new(ovpn_data_cipher(cipher), auth, K, client, 0, 0x17, form, counting_iv,
                              NULL, &k, NULL),
            OVPN_OK);
  return k;
}

static void test_forms(void)
{
  uint8_t want[256], got[256], *p = NULL;
  for (size_t i = 0; i < sizeof forms / sizeof forms[0]; i++) {
    OvpnDataKey *a = formed(forms[i].cipher, forms[i].auth, &forms[i].form, true);
    OvpnDataKey *b = formed(forms[i].cipher, forms[i].auth, &forms[i].form, false);
    size_t n = 0, nw = check_unhex(forms[i].packet, want, sizeof want);
    CHECK_INT(seal(a, PT, PT_LEN, got), nw);
    CHECK_MEM(got, want, nw);
    CHECK(nw <= PT_LEN + ovpn_data_key_overhead(a));
    for (size_t cut = 0; cut < nw; cut++)
      CHECK(ovpn_is_drop(open_copy(b, want, cut, &p, &n)));
    for (int again = 0; again < 2; again++) {
      CHECK_INT(open_copy(b, want, nw, &p, &n),
                again && !forms[i].form.no_ids ? OVPN_DROP_REPLAY : OVPN_OK);
      CHECK_INT(n, PT_LEN);
      CHECK_MEM(p, PT, PT_LEN);
    }
    ovpn_data_key_free(a);
    ovpn_data_key_free(b);
  }
}

/* Ciphers that cannot do without an id have it all the same; keys that cannot be. */
static void test_forms_without_effect(void)
{
  static const char *const ciphers[] = {"AES-256-GCM", "CHACHA20-POLY1305", "AES-256-CFB",
                                        "BF-OFB"};
  static const OvpnDataForm none = {.no_ids = true, .no_iv = true};
  static const struct {
    const char *cipher;
    uint8_t len;
    OvpnStatus result;
  } lens[] = {{"BF-CBC", 3, OVPN_FAIL_CONFIG},    {"BF-CBC", 57, OVPN_FAIL_CONFIG},
              {"CAST5-CBC", 4, OVPN_FAIL_CONFIG}, {"CAST5-CBC", 17, OVPN_FAIL_CONFIG},
              {"RC2-CBC", 64, OVPN_OK},           {"AES-256-CBC", 16, OVPN_OK},
              {"DES-CBC", 16, OVPN_OK},           {"none", 16, OVPN_OK}};
  uint8_t want[256], got[256], *p;
  size_t n;
  for (size_t i = 0; i < 4; i++) {
    OvpnDataKey *a = formed(ciphers[i], "SHA1", &none, true);
    OvpnDataKey *b = formed(ciphers[i], "SHA1", NULL, true);
    OvpnDataKey *c = formed(ciphers[i], "SHA1", &none, false);
    size_t len = seal(b, PT, PT_LEN, want);
    CHECK_INT(seal(a, PT, PT_LEN, got), len);
    CHECK_MEM(got, want, len);
    CHECK_INT(open_copy(c, want, len, &p, &n), OVPN_OK);
    CHECK_INT(open_copy(c, want, len, &p, &n), OVPN_DROP_REPLAY);
    ovpn_data_key_free(a);
    ovpn_data_key_free(b);
    ovpn_data_key_free(c);
  }
  for (size_t i = 0; i < sizeof lens / sizeof lens[0]; i++) {
    OvpnDataKey *k = NULL;
    OvpnFailure f = {0};
    OvpnDataForm form = {.key_len = lens[i].len};
    CHECK_INT(ovpn_data_key_new(ovpn_data_cipher(lens[i].cipher), "SHA1", K, true, 0, -1, &form,
                                counting_iv, NULL, &k, &f),
              lens[i].result);
    CHECK((lens[i].result == OVPN_OK) == (f.text[0] == 0));
    ovpn_data_key_free(k);
  }
}

/* replay-window: a packet that comes too long after newer ones. */
static void test_late(void)
{
  static const OvpnDataForm form = {.late = 8};
  const uint64_t second = 1000000000;
  uint8_t pkt[4][256], *p;
  size_t len[4], n;
  OvpnDataKey *a = key("AES-256-GCM", NULL, true, 1);
  OvpnDataKey *b = formed("AES-256-GCM", NULL, &form, false);
  for (int i = 0; i < 4; i++)
    len[i] = seal(a, PT, PT_LEN, pkt[i]);
  ovpn_data_key_age(b, 5 * second);
  CHECK_INT(open_copy(b, pkt[3], len[3], &p, &n), OVPN_OK);
  for (uint64_t t = 6; t <= 12; t++) {
    ovpn_data_key_age(b, t * second);
    if (t == 6 || t == 12) /* one second late, seven seconds late */
      CHECK_INT(open_copy(b, pkt[t == 12], len[t == 12], &p, &n), OVPN_OK);
  }
  ovpn_data_key_age(b, 16 * second);
  CHECK_INT(open_copy(b, pkt[2], len[2], &p, &n), OVPN_DROP_REPLAY);
  ovpn_data_key_free(a);
  ovpn_data_key_free(b);
}

int main(void)
{
  for (unsigned i = 0; i < 256; i++)
    K[i] = (uint8_t)("abcdefgh01234567ABCDEFGHjkuchenl"[i % 32] ^ i);
  for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
    test_vector(&vectors[i]);
  test_ping_vector();
  test_round_trips();
  test_ids();
  test_static_key();
  test_static_key_again("AES-256-CBC");
  test_static_key_again("none");
  test_static_key_mirrored();
  test_refused();
  test_padding();
  test_forms();
  test_forms_without_effect();
  test_late();
  TEST_END();
}
