/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data packets with epochs: published and own known answers (spec §26), the chain of keys, moving
 * on, windows, ends of counters and epochs. Includes the module to reach its counters. */
#include "helper/core/epoch.c"
#include "helper/core/aead.h"
#include "check.h"

static uint8_t K[256];
static const char PT[] = "The quick little fox jumps over the bureaucratic hurdles";
enum { PT_LEN = sizeof(PT) - 1, ROOM = 256 };

static void test_chain(void)
{
  static const char *const want[4][3] = {
      {"616361676163616f3838383838383838515351575153515f72726f7874787073",
       "d1db3525002c0f60b59485545b15a6ba8d6dc57d691c87b16a61638a81891a96",
       "82cb0094a2cdbecff132333c"},
      {"84df1cd673eb8ef166cc1b217504f0536a39e909e4b7743f432d3e882b876f4d",
       "9e066b2c322b990d730feacdc5fe706ed56893123a9d2d10e5dc3011895ff708",
       "37dfa02ddc649742995393e1"},
      {"0941777b6550182e07f7f2f4f3f7ca1f29c917c36735c52a0a0af6cbcff14f47",
       "0ed585090e8f593638b64cbbf495fae5422e91706a808d11b46b7cb32f6be53e",
       "cef7a57cd664f8d9c93a4d43"},
      {"10f7f2bf8543e6492f6915fa82457fae6144709679d5dfbd219c495f75e717b5",
       "137f8871a9f6a8b1688128ac5e82f2d87d611e4b3aab98180bb9fcdd9e2a223b",
       "b2e7dce36da8d32f22b97da8"},
  };
  uint8_t secret[32], out[32], bytes[32];
  memcpy(secret, K, 32);
  for (unsigned i = 0; i < 4; i++) {
    check_unhex(want[i][0], bytes, 32);
    CHECK_MEM(secret, bytes, 32);
    CHECK(ovpn_epoch_expand(secret, "data_key", out, 32));
    check_unhex(want[i][1], bytes, 32);
    CHECK_MEM(out, bytes, 32);
    CHECK(ovpn_epoch_expand(secret, "data_iv", out, 12));
    check_unhex(want[i][2], bytes, 12);
    CHECK_MEM(out, bytes, 12);
    CHECK(next_secret(secret));
  }
}

/* Both directions use the first half of K, as the published packets do. */
static OvpnEpoch *mirror(uint32_t window)
{
  OvpnEpoch *e = NULL;
  OvpnFailure f = {0};
  CHECK_INT(ovpn_epoch_new(GNUTLS_CIPHER_AES_256_GCM, 32, true, K, K, window, &e, &f), OVPN_OK);
  return e;
}

static size_t seal(OvpnEpoch *e, const char *head, uint8_t out[ROOM])
{
  check_unhex(head, out, 4);
  memcpy(out + AD_LEN, PT, PT_LEN);
  CHECK_INT(ovpn_epoch_seal(e, out, PT_LEN), OVPN_OK);
  return AD_LEN + PT_LEN + OVPN_EPOCH_TAG_LEN;
}

static OvpnStatus open_copy(OvpnEpoch *e, const uint8_t *pkt, size_t len)
{
  uint8_t buf[ROOM];
  size_t n = 0;
  memcpy(buf, pkt, len);
  OvpnStatus st = ovpn_epoch_open(e, buf, len, &n);
  if (st == OVPN_OK) {
    CHECK_INT(n, PT_LEN);
    CHECK_MEM(buf + AD_LEN, PT, PT_LEN);
  }
  return st;
}

static void test_known_packets(void)
{
  static const char *const first =
      "4800001700010000000000013d98ba5b55f68e455addd90eb573e51852f4b555cdefaa5aa3fa246166df411deba2"
      "3d"
      "2bebe44484376cfb5a61417c9ff450169758a93820892fcea7b6bba311c92eace529faabb1";
  static const char *const fourth =
      "0700001700040000000000016eacea349ca836aab4d49ce685399a9bab964526e9cd11ece8cb7d77bdbc5c6ac4f4"
      "9f"
      "36ea02e9c1f5d97644afa9118ba9f9a892623f1a130ffff5913d39d75b18573b5748589a7d";
  uint8_t want[ROOM], got[ROOM];
  OvpnEpoch *e = mirror(64), *peer = mirror(64);
  size_t n = check_unhex(first, want, sizeof want);
  CHECK_INT(seal(e, "48000017", got), n);
  CHECK_MEM(got, want, n);
  CHECK(send_epoch(e, 4));
  CHECK_INT(check_unhex(fourth, want, sizeof want), n);
  CHECK_INT(seal(e, "07000017", got), n);
  CHECK_MEM(got, want, n);
  for (size_t i = 0; i < n; i++) { /* every byte is covered by the tag */
    want[i] ^= 0x40;
    CHECK(ovpn_is_drop(open_copy(peer, want, n)));
    want[i] ^= 0x40;
    CHECK(ovpn_is_drop(open_copy(peer, want, i)));
  }
  CHECK_INT(peer->recv.current.epoch, 1);
  CHECK_INT(open_copy(peer, want, n), OVPN_OK);
  CHECK_INT(open_copy(peer, want, n), OVPN_DROP_REPLAY);
  CHECK_INT(peer->recv.current.epoch, 4);
  CHECK_INT(peer->send.key.epoch, 4); /* our own sending follows */
  CHECK_INT(peer->recv.retiring.epoch, 1);
  check_unhex(first, want, sizeof want);
  CHECK_INT(open_copy(peer, want, n), OVPN_OK); /* late, under the retiring key */
  CHECK_INT(open_copy(peer, want, n), OVPN_DROP_REPLAY);
  ovpn_epoch_free(e);
  ovpn_epoch_free(peer);
}

static OvpnStatus under(OvpnEpoch *sender, unsigned epoch, OvpnEpoch *peer)
{
  uint8_t pkt[ROOM];
  if (sender->send.key.epoch < epoch)
    CHECK(send_epoch(sender, epoch));
  size_t n = seal(sender, "48000017", pkt);
  return open_copy(peer, pkt, n);
}

static void test_windows(void)
{
  OvpnEpoch *e = mirror(64), *peer = mirror(64);
  uint8_t old[ROOM], between[ROOM];
  CHECK_INT(under(e, 1, peer), OVPN_OK);
  size_t n = seal(e, "48000017", old);
  CHECK(send_epoch(e, 5));
  seal(e, "48000017", between);
  CHECK_INT(under(e, 9, peer), OVPN_OK); /* jump: 1 is retiring, 5 has been passed over */
  CHECK_INT(peer->recv.retiring.epoch, 1);
  CHECK_INT(peer->recv.current.epoch, 9);
  CHECK_INT(open_copy(peer, between, n), OVPN_DROP_KEY_ID);
  CHECK_INT(open_copy(peer, old, n), OVPN_OK);
  CHECK_INT(under(e, 10, peer), OVPN_OK);
  CHECK_INT(peer->recv.retiring.epoch, 9);
  CHECK_INT(open_copy(peer, old, n), OVPN_DROP_KEY_ID);
  CHECK_INT(under(e, 26, peer), OVPN_OK); /* the very end of the window */
  CHECK_INT(under(e, 43, peer), OVPN_DROP_KEY_ID);
  CHECK_INT(peer->recv.current.epoch, 26);
  /* keys made for later epochs stay good when the window moves */
  uint8_t later[ROOM];
  OvpnEpoch *far = mirror(64);
  CHECK(send_epoch(far, 40));
  n = seal(far, "48000017", later);
  later[n - 1] ^= 1;
  CHECK_INT(open_copy(peer, later, n), OVPN_DROP_AUTH);
  CHECK_INT(peer->recv.forgeries, 1);
  CHECK(peer->recv.future[13].aead != NULL);
  CHECK(send_epoch(far, 41));
  OvpnEpoch *near = mirror(64);
  CHECK_INT(under(near, 27, peer), OVPN_OK);
  CHECK(peer->recv.future[12].aead != NULL && peer->recv.future[12].epoch == 40);
  later[n - 1] ^= 1;
  CHECK_INT(open_copy(peer, later, n), OVPN_OK);
  CHECK_INT(peer->recv.current.epoch, 40);
  ovpn_epoch_free(far);
  ovpn_epoch_free(near);
  ovpn_epoch_free(e);
  ovpn_epoch_free(peer);
}

static void test_limits(void)
{
  OvpnEpoch *e = mirror(64), *peer = mirror(64);
  uint8_t pkt[ROOM];
  /* usage of AES-GCM: the packet that would pass the limit opens the next epoch */
  e->send.blocks = GCM_LIMIT - 5;
  CHECK_INT(under(e, 1, peer), OVPN_OK);
  CHECK_INT(e->send.key.epoch, 1);
  CHECK_INT(under(e, 1, peer), OVPN_OK);
  CHECK_INT(e->send.key.epoch, 2);
  CHECK_INT(e->send.counter, 1);
  CHECK_INT(peer->recv.current.epoch, 2);
  e->limited = false; /* ChaCha20-Poly1305: only the counter ends */
  e->send.blocks = GCM_LIMIT;
  CHECK_INT(under(e, 1, peer), OVPN_OK);
  CHECK_INT(e->send.key.epoch, 2);
  e->send.counter = COUNTER_LAST;
  CHECK_INT(under(e, 1, peer), OVPN_OK);
  CHECK_INT(e->send.key.epoch, 3);
  CHECK_INT(ovpn_epoch_packets(e), 4);
  CHECK(!ovpn_epoch_wants_new_key(e));
  peer->recv.forgeries = FORGERY_LIMIT;
  CHECK(ovpn_epoch_wants_new_key(peer));
  /* counter 0 is no id */
  size_t n = seal(e, "48000017", pkt);
  memset(pkt + 6, 0, 6);
  CHECK_INT(open_copy(peer, pkt, n), OVPN_DROP_REPLAY);
  /* the last epochs */
  CHECK(send_epoch(e, EPOCH_RENEGOTIATE));
  CHECK(ovpn_epoch_wants_new_key(e));
  CHECK(!send_epoch(e, EPOCH_LAST + 1));
  CHECK_INT(e->send.key.epoch, EPOCH_RENEGOTIATE);
  CHECK(send_epoch(e, EPOCH_LAST));
  e->send.counter = COUNTER_LAST;
  CHECK_INT(ovpn_epoch_seal(e, pkt, PT_LEN), OVPN_FAIL_PACKET_ID);
  while (peer->recv.current.epoch + 100 < EPOCH_LAST) {
    peer->recv.current.epoch++; /* cheaper than 65000 packets: only the numbers count here */
    CHECK(next_secret(peer->recv.secret));
  }
  e->send.counter = 1;
  CHECK_INT(under(e, EPOCH_LAST, peer), OVPN_DROP_KEY_ID);
  ovpn_epoch_free(e);
  ovpn_epoch_free(peer);
}

/* Through the interface of a data key. */
static void test_data_key(void)
{
  OvpnDataKey *c = NULL, *s = NULL;
  OvpnFailure f = {0};
  const OvpnDataCipher *gcm = ovpn_data_cipher("AES-128-GCM");
  uint8_t buf[OVPN_DATA_HEADROOM + 1500 + OVPN_DATA_TAILROOM], *pkt, *p;
  size_t len, n;
  CHECK_INT(ovpn_data_key_new_epoch(gcm, K, true, 3, 0x17, NULL, &c, &f), OVPN_OK);
  CHECK_INT(ovpn_data_key_new_epoch(gcm, K, false, 3, 0x17, NULL, &s, &f), OVPN_OK);
  CHECK_INT(ovpn_data_key_overhead(c), 28);
  for (size_t size = 1; size <= 1500; size += 13) {
    for (size_t i = 0; i < size; i++)
      buf[OVPN_DATA_HEADROOM + i] = (uint8_t)(i + size);
    CHECK_INT(ovpn_data_seal(c, buf, OVPN_DATA_HEADROOM, size, &pkt, &len), OVPN_OK);
    CHECK_INT(len, size + 28);
    CHECK_INT(pkt[0], 9 << 3 | 3);
    CHECK_INT(ovpn_data_open(s, pkt, len, &p, &n), OVPN_OK);
    CHECK_INT(n, size);
    CHECK(p[0] == (uint8_t)size && p[n - 1] == (uint8_t)(2 * size - 1));
  }
  CHECK_INT(ovpn_data_key_sent(c), 116);
  CHECK_INT(ovpn_data_seal(c, buf, OVPN_DATA_HEADROOM, 20, &pkt, &len), OVPN_OK);
  pkt[0] = 6 << 3 | 3; /* DATA_V1 */
  CHECK_INT(ovpn_data_open(s, pkt, len, &p, &n), OVPN_DROP_FORMAT);
  ovpn_data_key_free(c);
  ovpn_data_key_free(s);
  c = NULL;
  CHECK_INT(ovpn_data_key_new_epoch(gcm, K, true, 3, -1, NULL, &c, &f), OVPN_FAIL_PUSH);
  CHECK_INT(ovpn_data_key_new_epoch(ovpn_data_cipher("AES-128-CBC"), K, true, 3, 1, NULL, &c, &f),
            OVPN_FAIL_PUSH);
  static const uint8_t zero[256];
  CHECK_INT(ovpn_data_key_new_epoch(gcm, zero, true, 3, 1, NULL, &c, NULL),
            OVPN_FAIL_KEY_DERIVATION);
  CHECK(c == NULL);
}

int main(void)
{
  static const char pattern[] = "abcdefgh01234567ABCDEFGHjkuchenl";
  for (unsigned i = 0; i < 256; i++)
    K[i] = (uint8_t)((unsigned char)pattern[i % 32] ^ i);
  gnutls_global_init();
  test_chain();
  test_known_packets();
  test_windows();
  test_limits();
  test_data_key();
  gnutls_global_deinit();
  TEST_END();
}
