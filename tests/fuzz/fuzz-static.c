/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Static key mode: what an attacker on the way can do with packets that he has seen, over sessions
 * that end and begin again on either side.
 *
 * The first byte: cipher (low two bits), 4 without direction. Then steps of a command and a byte n:
 * 0 the peer sends   1 packet n of those that were seen comes (again)   2 it comes damaged
 * 3 we send, and it is seen   4 a new session of ours   5 the peer starts anew, its clock n - 64
 * seconds later   6 raw packet (n bytes)   7 the clock goes on by n seconds
 *
 * No packet of the peer is taken twice as long as each of our sessions hears something new; what is
 * damaged or foreign is never taken; no id and time of ours is used twice. */
#include "helper/core/aead.h"
#include "helper/core/config.h"
#include "helper/core/wire.h"
#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { SEEN_MAX = 128, TEXT_LEN = 20, PACKET_MAX = 256, STEPS_MAX = 400 };

typedef struct Seen {
  uint8_t data[PACKET_MAX];
  size_t len;
  bool own, taken; /* taken: since our memory began */
} Seen;

typedef struct Run {
  const OvpnDataCipher *cipher;
  int ours, theirs; /* directions */
  OvpnDataKey *own, *peer;
  OvpnIds ids;
  uint32_t clock, peer_clock;
  bool heard;
  Seen seen[SEEN_MAX];
  unsigned n_seen;
} Run;

static uint32_t seed;

static void random_bytes(void *user, uint8_t *buf, size_t len)
{
  (void)user;
  for (size_t i = 0; i < len; i++)
    buf[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
}

static OvpnDataKey *new_key(const Run *r, int direction, uint32_t clock)
{
  static uint8_t key[256];
  OvpnDataKey *k = NULL;
  for (unsigned i = 0; i < sizeof key; i++)
    key[i] = (uint8_t)(i * 7 + 1);
  assert(ovpn_data_key_new_static(r->cipher, "SHA256", key, direction,
                                  &(OvpnDataForm){.window = 64}, clock, random_bytes, NULL, &k,
                                  NULL) == OVPN_OK);
  return k;
}

/* As a datapath does. */
static void new_session(Run *r)
{
  if (r->own)
    ovpn_data_key_remember(r->own, &r->ids);
  ovpn_data_key_free(r->own);
  if (!r->heard)
    for (unsigned i = 0; i < r->n_seen; i++)
      r->seen[i].taken = false;
  r->heard = false;
  r->own = new_key(r, r->ours, r->clock);
  ovpn_data_key_go_on(r->own, &r->ids);
}

static void see(Run *r, OvpnDataKey *from, bool own)
{
  uint8_t buf[OVPN_DATA_HEADROOM + TEXT_LEN + OVPN_DATA_TAILROOM] = {0}, *pkt;
  size_t len;
  if (r->n_seen == SEEN_MAX)
    return;
  buf[OVPN_DATA_HEADROOM] = 0x45;
  assert(ovpn_data_seal(from, buf, OVPN_DATA_HEADROOM, TEXT_LEN, &pkt, &len) == OVPN_OK);
  assert(len <= PACKET_MAX);
  Seen *s = &r->seen[r->n_seen++];
  *s = (Seen){.len = len, .own = own};
  memcpy(s->data, pkt, len);
  for (unsigned i = 0; own && i + 1 < r->n_seen; i++) /* id, time and text, or IV, are new */
    assert(!r->seen[i].own || r->seen[i].len != len || memcmp(r->seen[i].data, pkt, len) != 0);
}

static OvpnStatus take(Run *r, const uint8_t *p, size_t len)
{
  uint8_t *copy = malloc(len ? len : 1), *payload = NULL;
  size_t n = 0;
  assert(copy);
  if (len)
    memcpy(copy, p, len);
  OvpnStatus st = ovpn_data_open(r->own, copy, len, &payload, &n);
  assert(st == OVPN_OK || ovpn_is_drop(st));
  if (st == OVPN_OK)
    assert(n == TEXT_LEN && payload >= copy && payload + n <= copy + len && payload[0] == 0x45);
  free(copy);
  return st;
}

static void arrive(Run *r, unsigned i, bool damaged, uint8_t where)
{
  if (r->n_seen == 0)
    return;
  Seen *s = &r->seen[i % r->n_seen];
  uint8_t pkt[PACKET_MAX];
  memcpy(pkt, s->data, s->len);
  if (damaged)
    pkt[where % s->len] ^= (uint8_t)(1 + where);
  OvpnStatus st = take(r, pkt, s->len);
  if (st != OVPN_OK)
    return;
  assert(!damaged || (uint8_t)(1 + where) == 0);
  assert(!s->taken);
  assert(!s->own || r->ours == r->theirs);
  s->taken = true;
  r->heard = true;
}

static void step(Run *r, OvpnReader *in)
{
  uint8_t command = ovpn_read_u8(in) & 7, n = ovpn_read_u8(in), raw[256];
  size_t len = n < ovpn_reader_left(in) ? n : ovpn_reader_left(in);
  switch (command) {
  case 0:
    see(r, r->peer, false);
    break;
  case 1:
    arrive(r, n, false, 0);
    break;
  case 2:
    arrive(r, ovpn_read_u8(in), true, n);
    break;
  case 3:
    see(r, r->own, true);
    break;
  case 4:
    new_session(r);
    break;
  case 5:
    ovpn_data_key_free(r->peer);
    r->peer_clock += n - 64u;
    r->peer = new_key(r, r->theirs, r->peer_clock);
    break;
  case 6:
    ovpn_read_copy(in, raw, len);
    (void)take(r, raw, len);
    break;
  case 7:
    r->clock += n;
    r->peer_clock += n;
    break;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static const char *const ciphers[] = {"AES-256-CBC", "BF-CBC", "none", "AES-128-CBC"};
  static Run r;
  if (size < 1)
    return 0;
  r = (Run){.cipher = ovpn_data_cipher(ciphers[data[0] & 3]),
            .ours = OVPN_DIR_NORMAL,
            .theirs = OVPN_DIR_INVERSE,
            .clock = 2000000,
            .peer_clock = 1000000};
  if (data[0] & 4)
    r.ours = r.theirs = OVPN_DIR_NONE;
  seed = 1;
  r.peer = new_key(&r, r.theirs, r.peer_clock);
  new_session(&r);
  OvpnReader in = ovpn_reader(data + 1, size - 1);
  for (unsigned i = 0; i < STEPS_MAX && ovpn_reader_left(&in) >= 2; i++)
    step(&r, &in);
  ovpn_data_key_free(r.own);
  ovpn_data_key_free(r.peer);
  return 0;
}
