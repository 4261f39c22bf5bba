/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data packets with epochs. spec §11.6.
 *
 * Trusts nothing from the network: only a packet whose tag is good moves the epoch, the replay
 * window or our own sending. Keys of later epochs are made when a packet first names them and are
 * kept, so forged epochs cost at most OVPN_EPOCH_FUTURE derivations. Invariants: recv.secret
 * belongs to recv.current; recv.future[i] is empty or the key of current.epoch + 1 + i; the secret
 * of an epoch that has passed is gone. */
#include "helper/core/epoch.h"
#include "helper/core/secret.h"
#include "helper/core/wire.h"
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>

enum {
  KEY_MAX = 32,
  EPOCH_LAST = 0xffff - OVPN_EPOCH_FUTURE, /* the window of later epochs has to fit */
  EPOCH_RENEGOTIATE = 0xf000,
  AD_LEN = OVPN_EPOCH_HEAD_LEN + OVPN_EPOCH_ID_LEN,
};
static const uint64_t COUNTER_MASK = (UINT64_C(1) << 48) - 1;
static const uint64_t COUNTER_LAST = (UINT64_C(1) << 48) - 65536; /* leaves a margin */
/* Blocks and packets under one AES-GCM key: seven eighths of 2^36. */
static const uint64_t GCM_LIMIT = (UINT64_C(1) << 36) / 8 * 7;
/* Forgeries that may be tried against one key before it has to go, for every AEAD. */
static const uint64_t FORGERY_LIMIT = (UINT64_C(1) << 36) / 8 * 7;

typedef struct EpochKey {
  gnutls_aead_cipher_hd_t aead; /* NULL = empty */
  uint8_t iv[OVPN_EPOCH_IV_LEN];
  unsigned epoch;
} EpochKey;

struct OvpnEpoch {
  gnutls_cipher_algorithm_t alg;
  size_t key_len;
  bool limited;
  struct {
    uint8_t secret[OVPN_EPOCH_SECRET_LEN];
    EpochKey key;
    uint64_t counter, blocks, packets;
  } send;
  struct {
    uint8_t secret[OVPN_EPOCH_SECRET_LEN];
    EpochKey current, retiring, future[OVPN_EPOCH_FUTURE];
    OvpnReplay replay, replay_retiring;
    uint64_t forgeries;
  } recv;
};

/* ---- the chain of keys */

bool ovpn_epoch_expand(const uint8_t secret[OVPN_EPOCH_SECRET_LEN], const char *label, uint8_t *out,
                       size_t len)
{
  static const char prefix[] = "ovpn ";
  uint8_t info[64];
  OvpnWriter w = ovpn_writer(info, sizeof info);
  ovpn_write_u16(&w, (uint16_t)len);
  ovpn_write_u8(&w, (uint8_t)(strlen(prefix) + strlen(label)));
  ovpn_write_bytes(&w, prefix, strlen(prefix));
  ovpn_write_bytes(&w, label, strlen(label));
  ovpn_write_u8(&w, 0); /* no context */
  gnutls_datum_t key = {(uint8_t *)secret, OVPN_EPOCH_SECRET_LEN}, i = {info, (unsigned)w.len};
  return w.ok && gnutls_hkdf_expand(GNUTLS_MAC_SHA256, &key, &i, out, len) == 0;
}

static bool next_secret(uint8_t secret[OVPN_EPOCH_SECRET_LEN])
{
  uint8_t next[OVPN_EPOCH_SECRET_LEN];
  bool ok = ovpn_epoch_expand(secret, "datakey upd", next, sizeof next);
  if (ok)
    memcpy(secret, next, sizeof next);
  ovpn_wipe(next, sizeof next);
  return ok;
}

static void key_clear(EpochKey *k)
{
  if (k->aead)
    gnutls_aead_cipher_deinit(k->aead);
  ovpn_wipe(k, sizeof *k);
}

static bool key_init(const OvpnEpoch *e, EpochKey *k, const uint8_t secret[OVPN_EPOCH_SECRET_LEN],
                     unsigned epoch)
{
  uint8_t raw[KEY_MAX];
  gnutls_datum_t key = {raw, (unsigned)e->key_len};
  *k = (EpochKey){.epoch = epoch};
  bool ok = ovpn_epoch_expand(secret, "data_key", raw, e->key_len) &&
            ovpn_epoch_expand(secret, "data_iv", k->iv, sizeof k->iv) &&
            gnutls_aead_cipher_init(&k->aead, e->alg, &key) == 0;
  ovpn_wipe(raw, sizeof raw);
  if (!ok)
    k->aead = NULL;
  return ok;
}

OvpnStatus ovpn_epoch_new(int alg, size_t key_len, bool limited,
                          const uint8_t send_secret[OVPN_EPOCH_SECRET_LEN],
                          const uint8_t recv_secret[OVPN_EPOCH_SECRET_LEN], uint32_t replay_window,
                          OvpnEpoch **ret, OvpnFailure *f)
{
  static const uint8_t zero[OVPN_EPOCH_SECRET_LEN];
  if (key_len > KEY_MAX || ovpn_equal_ct(send_secret, zero, sizeof zero) ||
      ovpn_equal_ct(recv_secret, zero, sizeof zero))
    return ovpn_failure_set(f, OVPN_FAIL_KEY_DERIVATION, "the key is all zero");
  OvpnEpoch *e = calloc(1, sizeof *e);
  if (!e)
    return ovpn_failure_set(f, OVPN_FAIL_MEMORY, "data channel key");
  e->alg = (gnutls_cipher_algorithm_t)alg;
  e->key_len = key_len;
  e->limited = limited;
  memcpy(e->send.secret, send_secret, OVPN_EPOCH_SECRET_LEN);
  memcpy(e->recv.secret, recv_secret, OVPN_EPOCH_SECRET_LEN);
  ovpn_replay_init(&e->recv.replay, replay_window);
  if (!key_init(e, &e->send.key, send_secret, 1) ||
      !key_init(e, &e->recv.current, recv_secret, 1)) {
    ovpn_epoch_free(e);
    return ovpn_failure_set(f, OVPN_FAIL_INTERNAL, "data channel key");
  }
  *ret = e;
  return OVPN_OK;
}

void ovpn_epoch_free(OvpnEpoch *e)
{
  if (!e)
    return;
  key_clear(&e->send.key);
  key_clear(&e->recv.current);
  key_clear(&e->recv.retiring);
  for (unsigned i = 0; i < OVPN_EPOCH_FUTURE; i++)
    key_clear(&e->recv.future[i]);
  ovpn_wipe(e, sizeof *e);
  free(e);
}

/* ---- out */

/* Sends under a later epoch from now on. false = everything stays as it is. */
static bool send_epoch(OvpnEpoch *e, unsigned epoch)
{
  uint8_t secret[OVPN_EPOCH_SECRET_LEN];
  EpochKey key = {0};
  memcpy(secret, e->send.secret, sizeof secret);
  bool ok = epoch <= EPOCH_LAST;
  for (unsigned n = e->send.key.epoch; ok && n < epoch; n++)
    ok = next_secret(secret);
  if (ok && key_init(e, &key, secret, epoch)) {
    key_clear(&e->send.key);
    e->send.key = key;
    memcpy(e->send.secret, secret, sizeof secret);
    e->send.counter = e->send.blocks = 0;
  } else {
    ok = false;
  }
  ovpn_wipe(secret, sizeof secret);
  return ok;
}

static void make_nonce(uint8_t nonce[OVPN_EPOCH_IV_LEN], const EpochKey *k, const uint8_t *id)
{
  memcpy(nonce, k->iv, OVPN_EPOCH_IV_LEN);
  for (unsigned i = 0; i < OVPN_EPOCH_ID_LEN; i++)
    nonce[i] ^= id[i];
}

OvpnStatus ovpn_epoch_seal(OvpnEpoch *e, uint8_t *head, size_t len)
{
  uint8_t *id = head + OVPN_EPOCH_HEAD_LEN, *text = head + AD_LEN, nonce[OVPN_EPOCH_IV_LEN];
  uint64_t cost = (len + 15) / 16 + 1;
  bool used_up =
      e->send.counter >= COUNTER_LAST || (e->limited && e->send.blocks + cost > GCM_LIMIT);
  if (used_up && !send_epoch(e, e->send.key.epoch + 1))
    return OVPN_FAIL_PACKET_ID;
  OvpnWriter w = ovpn_writer(id, OVPN_EPOCH_ID_LEN);
  ovpn_write_u64(&w, (uint64_t)e->send.key.epoch << 48 | ++e->send.counter);
  e->send.blocks += cost;
  e->send.packets++;
  make_nonce(nonce, &e->send.key, id);
  giovec_t ad = {head, AD_LEN}, iov = {text, len};
  size_t tag_len = OVPN_EPOCH_TAG_LEN;
  return gnutls_aead_cipher_encryptv2(e->send.key.aead, nonce, sizeof nonce, &ad, 1, &iov, 1,
                                      text + len, &tag_len) < 0
             ? OVPN_FAIL_INTERNAL
             : OVPN_OK;
}

void ovpn_epoch_age(OvpnEpoch *e, uint64_t late, uint64_t now)
{
  ovpn_replay_age(&e->recv.replay, late, now);
  ovpn_replay_age(&e->recv.replay_retiring, late, now);
}

uint64_t ovpn_epoch_packets(const OvpnEpoch *e)
{
  return e->send.packets;
}

bool ovpn_epoch_wants_new_key(const OvpnEpoch *e)
{
  return e->send.key.epoch >= EPOCH_RENEGOTIATE || e->recv.forgeries >= FORGERY_LIMIT;
}

/* ---- in */

/* The key of a later epoch, made if it is not there yet; NULL = outside the window. */
static EpochKey *future_key(OvpnEpoch *e, unsigned epoch)
{
  unsigned ahead = epoch - e->recv.current.epoch;
  if (ahead > OVPN_EPOCH_FUTURE || epoch > EPOCH_LAST)
    return NULL;
  EpochKey *k = &e->recv.future[ahead - 1];
  if (k->aead)
    return k;
  uint8_t secret[OVPN_EPOCH_SECRET_LEN];
  memcpy(secret, e->recv.secret, sizeof secret);
  bool ok = true;
  for (unsigned i = 0; ok && i < ahead; i++)
    ok = next_secret(secret);
  ok = ok && key_init(e, k, secret, epoch);
  ovpn_wipe(secret, sizeof secret);
  return ok ? k : NULL;
}

/* The peer has moved on, as an authentic packet shows; our own sending follows. */
static void advance(OvpnEpoch *e, unsigned epoch)
{
  unsigned ahead = epoch - e->recv.current.epoch;
  for (unsigned i = 0; i < ahead; i++)
    if (!next_secret(e->recv.secret))
      return; /* cannot happen: it worked when the key was made */
  key_clear(&e->recv.retiring);
  e->recv.retiring = e->recv.current;
  e->recv.replay_retiring = e->recv.replay;
  e->recv.current = e->recv.future[ahead - 1];
  e->recv.future[ahead - 1] = (EpochKey){0};
  ovpn_replay_init(&e->recv.replay, e->recv.replay_retiring.size);
  for (unsigned i = 0; i < OVPN_EPOCH_FUTURE; i++) {
    key_clear(&e->recv.future[i]); /* passed over, or moved already */
    if (i + ahead < OVPN_EPOCH_FUTURE) {
      e->recv.future[i] = e->recv.future[i + ahead];
      e->recv.future[i + ahead] = (EpochKey){0};
    }
  }
  e->recv.forgeries = 0;
  if (e->send.key.epoch < epoch)
    (void)send_epoch(e, epoch);
}

static EpochKey *key_of(OvpnEpoch *e, unsigned epoch)
{
  if (epoch == e->recv.current.epoch)
    return &e->recv.current;
  if (e->recv.retiring.aead && epoch == e->recv.retiring.epoch)
    return &e->recv.retiring;
  return epoch > e->recv.current.epoch ? future_key(e, epoch) : NULL;
}

OvpnStatus ovpn_epoch_open(OvpnEpoch *e, uint8_t *pkt, size_t len, size_t *ret_len)
{
  if (len < AD_LEN + 1 + OVPN_EPOCH_TAG_LEN)
    return OVPN_DROP_TRUNCATED;
  OvpnReader r = ovpn_reader(pkt + OVPN_EPOCH_HEAD_LEN, OVPN_EPOCH_ID_LEN);
  uint64_t id = ovpn_read_u64(&r), counter = id & COUNTER_MASK;
  unsigned epoch = (unsigned)(id >> 48);
  EpochKey *k = key_of(e, epoch);
  if (!k)
    return OVPN_DROP_KEY_ID;
  bool later = epoch > e->recv.current.epoch;
  OvpnReplay *window = k == &e->recv.retiring ? &e->recv.replay_retiring : &e->recv.replay;
  if (counter == 0 || (!later && !ovpn_replay_test(window, counter)))
    return OVPN_DROP_REPLAY;
  uint8_t nonce[OVPN_EPOCH_IV_LEN], *text = pkt + AD_LEN;
  size_t n = len - AD_LEN - OVPN_EPOCH_TAG_LEN;
  make_nonce(nonce, k, pkt + OVPN_EPOCH_HEAD_LEN);
  giovec_t ad = {pkt, AD_LEN}, iov = {text, n};
  if (gnutls_aead_cipher_decryptv2(k->aead, nonce, sizeof nonce, &ad, 1, &iov, 1, text + n,
                                   OVPN_EPOCH_TAG_LEN) < 0) {
    e->recv.forgeries++;
    return OVPN_DROP_AUTH;
  }
  if (later)
    advance(e, epoch);
  ovpn_replay_record(window, counter); /* a later epoch has its window fresh in the same place */
  *ret_len = n;
  return OVPN_OK;
}
