/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data channel keys, and AEAD packets sealed or opened in place. spec §9.3, §11.1.
 *
 * Trusts nothing from the network. Order of opening: lengths, a cheap look into the replay window,
 * tag (constant time), decryption, and only then the window moves. All handles are made with the
 * key, so packets never allocate. A packet id is used once: it is counted even when sealing fails
 * after it was taken. Packets with an HMAC are made and read by data-hmac.c. */
#include "helper/core/aead-private.h"
#include "helper/core/cipher-names.h"
#include "helper/core/config.h"
#include "helper/core/epoch.h"
#include "helper/core/packet.h"
#include <assert.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <stdlib.h>
#include <strings.h>

enum {
  TAG_LEN = 16,
  NONCE_LEN = 12,
  HALF = 128,
  HMAC_AT = 64,
  WINDOW = 64,
};
static const uint64_t LAST_ID = 0xfffffffe, RENEGOTIATE_AT = 0xff000000;
/* AES-GCM: blocks and packets under one key, spec §11.6; renegotiate at seven eighths of it. */
static const uint64_t GCM_LIMIT = (UINT64_C(1) << 36) / 8 * 7;

/* Columns that depend on the method. */
#define AEAD_GCM true
#define AEAD_CHACHA true
#define AEAD_CBC false
#define AEAD_BLOCK_CBC false
#define AEAD_CFB false
#define AEAD_CFB8 false
#define AEAD_CFB1 false
#define AEAD_OFB false
#define AEAD_NONE false
#define PADS_GCM 0
#define PADS_CHACHA 0
#define PADS_CBC 1
#define PADS_BLOCK_CBC 1
#define PADS_CFB 0
#define PADS_CFB8 0
#define PADS_CFB1 0
#define PADS_OFB 0
#define PADS_NONE 0
#define LIB_GCM(lib) lib
#define LIB_CHACHA(lib) lib
#define LIB_CBC(lib) lib
#define LIB_BLOCK_CBC(lib) OVPN_BLOCK_##lib
#define LIB_CFB(lib) OVPN_BLOCK_##lib
#define LIB_CFB8(lib) OVPN_BLOCK_##lib
#define LIB_CFB1(lib) OVPN_BLOCK_##lib
#define LIB_OFB(lib) OVPN_BLOCK_##lib
#define LIB_NONE(lib) lib

static const Row rows[] = {
#define CIPHER(name, method, key, block, lib)                                                      \
  {{name, AEAD_##method, key, PADS_##method ? (block) : 1, (block) > 1 ? (block) : 0},             \
   METHOD_##method,                                                                                \
   (int)LIB_##method(lib)},
#define CIPHER_ALIAS(other, name)
#define CIPHER_MISSING(name)
#define DIGEST(name, len, gnutls, nettle)
#define DIGEST_ALIAS(other, name)
#define DIGEST_MISSING(name, len)
#include "helper/core/ciphers.def"
};

const OvpnDataCipher *ovpn_data_cipher(const char *name)
{
  const char *found = NULL;
  if (ovpn_cipher_find(name, &found) != OVPN_CIPHER_ABLE)
    return NULL;
  for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
    if (!strcmp(rows[i].pub.name, found))
      return &rows[i].pub;
  return NULL;
}

static void half_clear(Half *h)
{
  if (h->aead)
    gnutls_aead_cipher_deinit(h->aead);
  if (h->cbc)
    gnutls_cipher_deinit(h->cbc);
  ovpn_mac_free(h->mac);
}

static bool all_zero(const uint8_t *p, size_t n)
{
  uint8_t any = 0;
  for (size_t i = 0; i < n; i++)
    any |= p[i];
  return n > 0 && any == 0;
}

/* slices: 64 bytes cipher, 64 bytes HMAC (spec §9.3). */
static OvpnStatus half_init(Half *h, const Row *row, size_t bytes, const char *auth,
                            unsigned mac_len, const uint8_t slices[HALF], OvpnFailure *f)
{
  if (all_zero(slices, bytes))
    return ovpn_failure_set(f, OVPN_FAIL_KEY_DERIVATION, "%s: the key is all zero", row->pub.name);
  gnutls_datum_t key = {(uint8_t *)(uintptr_t)slices, (unsigned)bytes};
  int rc = 0;
  switch (row->method) {
  case METHOD_GCM:
  case METHOD_CHACHA:
    memcpy(h->implicit_iv, slices + HMAC_AT, IMPLICIT_IV_LEN);
    rc = gnutls_aead_cipher_init(&h->aead, (gnutls_cipher_algorithm_t)row->lib, &key);
    break;
  case METHOD_CBC:
    rc = gnutls_cipher_init(&h->cbc, (gnutls_cipher_algorithm_t)row->lib, &key, NULL);
    break;
  case METHOD_BLOCK_CBC:
  case METHOD_CFB:
  case METHOD_CFB8:
  case METHOD_CFB1:
  case METHOD_OFB:
    if (!ovpn_block_init(&h->block, (OvpnBlockKind)row->lib, slices, bytes))
      return ovpn_failure_set(f, OVPN_FAIL_KEY_DERIVATION, "%s: weak key", row->pub.name);
    break;
  case METHOD_NONE:
    break;
  }
  if (rc < 0)
    return ovpn_failure_set(f, OVPN_FAIL_INTERNAL, "%s: %s", row->pub.name, gnutls_strerror(rc));
  if (mac_len && !(h->mac = ovpn_mac_new(auth, slices + HMAC_AT)))
    return ovpn_failure_set(f, OVPN_FAIL_INTERNAL, "HMAC with %s", auth);
  return OVPN_OK;
}

/* Bytes of the cipher's key, 0 = not possible. */
static size_t key_len(const Row *row, size_t wanted)
{
  switch (row->method) {
  case METHOD_NONE:
  case METHOD_GCM:
  case METHOD_CHACHA:
  case METHOD_CBC:
    break;
  case METHOD_BLOCK_CBC:
  case METHOD_CFB:
  case METHOD_CFB8:
  case METHOD_CFB1:
  case METHOD_OFB:
    return ovpn_block_key_len((OvpnBlockKind)row->lib, row->pub.key_len, wanted);
  }
  return row->pub.key_len;
}

/* Everything but the two directions. */
static OvpnStatus key_init(OvpnDataKey **ret, const Row *row, const char *auth,
                           const OvpnDataForm *form, OvpnRandom random, void *user, OvpnFailure *f)
{
  static const OvpnDataForm usual;
  form = form ? form : &usual;
  if (row->pub.key_len && !key_len(row, form->key_len))
    return ovpn_failure_set(f, OVPN_FAIL_CONFIG, "keysize: a key of %s cannot have %u bits",
                            row->pub.name, form->key_len * 8);
  if (!row->pub.aead && !ovpn_digest_name(auth))
    return ovpn_failure_set(f, OVPN_FAIL_CONFIG, "auth: unknown digest \"%s\"", auth);
  OvpnDataKey *k = calloc(1, sizeof(*k));
  if (!k)
    return ovpn_failure_set(f, OVPN_FAIL_MEMORY, "data channel key");
  k->row = row;
  k->mac_len = row->pub.aead ? 0 : ovpn_digest_len(auth);
  k->random = random;
  k->user = user;
  k->form = *form;
  ovpn_replay_init(&k->replay, form->window ? form->window : WINDOW);
  assert(k->mac_len <= OVPN_MAC_MAX && row->pub.iv <= BLOCK_MAX);
  assert(row->pub.block == 1 || random);
  *ret = k;
  return OVPN_OK;
}

static OvpnStatus key_halves(OvpnDataKey *k, const char *auth, const uint8_t *send,
                             const uint8_t *recv, OvpnDataKey **ret, OvpnFailure *f)
{
  size_t len = key_len(k->row, k->form.key_len);
  OvpnStatus st = half_init(&k->send, k->row, len, auth, k->mac_len, send, f);
  if (st == OVPN_OK)
    st = half_init(&k->recv, k->row, len, auth, k->mac_len, recv, f);
  if (st != OVPN_OK)
    ovpn_data_key_free(k);
  else
    *ret = k;
  return st;
}

OvpnStatus ovpn_data_key_new(const OvpnDataCipher *cipher, const char *auth,
                             const uint8_t block[256], bool client, uint8_t key_id, int32_t peer_id,
                             const OvpnDataForm *form, OvpnRandom random, void *user,
                             OvpnDataKey **ret, OvpnFailure *f)
{
  OvpnDataKey *k = NULL;
  auth = auth ? auth : "SHA1";
  OvpnStatus st = key_init(&k, (const Row *)cipher, auth, form, random, user, f);
  if (st != OVPN_OK)
    return st;
  k->key_id = key_id & 7;
  k->peer_id = peer_id < 0 ? -1 : peer_id & 0xffffff;
  return key_halves(k, auth, block + (client ? 0 : HALF), block + (client ? HALF : 0), ret, f);
}

OvpnStatus ovpn_data_key_new_static(const OvpnDataCipher *cipher, const char *auth,
                                    const uint8_t key[256], int direction, const OvpnDataForm *form,
                                    uint32_t wall_time, OvpnRandom random, void *user,
                                    OvpnDataKey **ret, OvpnFailure *f)
{
  OvpnDataKey *k = NULL;
  auth = auth ? auth : "SHA1";
  if (!ovpn_cipher_in_static_key_mode(cipher->name))
    return ovpn_failure_set(f, OVPN_FAIL_CONFIG, "cipher: %s cannot be used with a static key",
                            cipher->name);
  OvpnStatus st = key_init(&k, (const Row *)cipher, auth, form, random, user, f);
  if (st != OVPN_OK)
    return st;
  k->bare = true;
  k->time = wall_time;
  k->peer_id = -1;
  return key_halves(k, auth, key + (direction == OVPN_DIR_INVERSE ? HALF : 0),
                    key + (direction == OVPN_DIR_NORMAL ? HALF : 0), ret, f);
}

void ovpn_data_key_remember(const OvpnDataKey *k, OvpnIds *ids)
{
  if (!k->bare)
    return;
  ids->sent_time = k->time;
  ids->recv_time = k->heard ? k->recv_time : 0;
  ids->replay = k->replay;
}

void ovpn_data_key_go_on(OvpnDataKey *k, const OvpnIds *ids)
{
  if (!k->bare)
    return;
  if (k->time <= ids->sent_time)
    k->time = ids->sent_time + 1;
  if (ids->recv_time) {
    k->recv_time = ids->recv_time;
    k->replay = ids->replay;
  }
}

void ovpn_data_key_set_time(OvpnDataKey *k, uint32_t wall_time)
{
  k->time = wall_time;
}

OvpnStatus ovpn_data_key_new_epoch(const OvpnDataCipher *cipher, const uint8_t block[256],
                                   bool client, uint8_t key_id, int32_t peer_id,
                                   const OvpnDataForm *form, OvpnDataKey **ret, OvpnFailure *f)
{
  static const OvpnDataForm usual;
  const Row *row = (const Row *)cipher;
  if (!cipher->aead || peer_id < 0)
    return ovpn_failure_set(f, OVPN_FAIL_PUSH,
                            "protocol-flags aead-epoch: needs an AEAD cipher "
                            "and a peer-id");
  OvpnDataKey *k = calloc(1, sizeof(*k));
  if (!k)
    return ovpn_failure_set(f, OVPN_FAIL_MEMORY, "data channel key");
  k->row = row;
  k->form = form ? *form : usual;
  k->key_id = key_id & 7;
  k->peer_id = peer_id & 0xffffff;
  OvpnStatus st = ovpn_epoch_new(row->lib, cipher->key_len, row->method == METHOD_GCM,
                                 block + (client ? 0 : HALF), block + (client ? HALF : 0),
                                 k->form.window ? k->form.window : WINDOW, &k->epoch, f);
  if (st == OVPN_OK)
    *ret = k;
  else
    ovpn_data_key_free(k);
  return st;
}

void ovpn_data_key_age(OvpnDataKey *k, uint64_t now)
{
  uint64_t late = k->form.late * UINT64_C(1000000000);
  if (k->epoch)
    ovpn_epoch_age(k->epoch, late, now);
  else
    ovpn_replay_age(&k->replay, late, now);
}

void ovpn_data_key_free(OvpnDataKey *k)
{
  if (!k)
    return;
  ovpn_epoch_free(k->epoch);
  half_clear(&k->send);
  half_clear(&k->recv);
  ovpn_wipe(k, sizeof(*k));
  free(k);
}

uint8_t ovpn_data_key_id(const OvpnDataKey *k)
{
  return k->key_id;
}

bool ovpn_data_key_is_bare(const OvpnDataKey *k)
{
  return k->bare;
}

size_t ovpn_data_key_overhead(const OvpnDataKey *k)
{
  if (k->epoch)
    return OVPN_EPOCH_HEAD_LEN + OVPN_EPOCH_ID_LEN + OVPN_EPOCH_TAG_LEN;
  if (k->row->pub.aead)
    return data_head_len(k) + ID_LEN + TAG_LEN;
  /* at most a block of padding */
  return data_head_len(k) + data_id_len(k) + k->mac_len + data_iv_len(k) +
         (k->row->pub.block > 1 ? k->row->pub.block : 0);
}

uint64_t ovpn_data_key_sent(const OvpnDataKey *k)
{
  if (k->epoch) { /* ids are 64 bits wide: their number alone is no reason */
    uint64_t n = ovpn_epoch_packets(k->epoch);
    return ovpn_epoch_wants_new_key(k->epoch) ? RENEGOTIATE_AT
           : n < RENEGOTIATE_AT               ? n
                                              : RENEGOTIATE_AT - 1;
  }
  if (k->blocks >= GCM_LIMIT && k->sent < RENEGOTIATE_AT)
    return RENEGOTIATE_AT;
  return k->sent;
}

uint8_t *data_put_head(const OvpnDataKey *k, uint8_t *at)
{
  bool v2 = k->peer_id >= 0;
  if (k->bare)
    return at;
  OvpnWriter w = ovpn_writer(at - data_head_len(k), data_head_len(k));
  ovpn_write_u8(&w, (uint8_t)((v2 ? OVPN_OP_DATA_V2 : OVPN_OP_DATA_V1) << 3 | k->key_id));
  if (v2)
    ovpn_write_be_(&w, (uint32_t)k->peer_id, 3);
  return w.buf;
}

static void put_u32(uint8_t *at, uint64_t v)
{
  OvpnWriter w = ovpn_writer(at, 4);
  ovpn_write_u32(&w, (uint32_t)v);
}

static void make_nonce(uint8_t nonce[NONCE_LEN], const uint8_t *id, const Half *h)
{
  memcpy(nonce, id, ID_LEN);
  memcpy(nonce + ID_LEN, h->implicit_iv, IMPLICIT_IV_LEN);
}

/* head | id | tag | ciphertext. V2 authenticates head and id, V1 the id only. */
static OvpnStatus seal_aead(OvpnDataKey *k, uint8_t *p, size_t len, uint64_t id, uint8_t **ret_pkt,
                            size_t *ret_len)
{
  uint8_t *tag = p - TAG_LEN, *id_at = tag - ID_LEN, *head = data_put_head(k, id_at);
  put_u32(id_at, id);
  uint8_t nonce[NONCE_LEN];
  make_nonce(nonce, id_at, &k->send);
  uint8_t *ad_at = k->peer_id < 0 ? id_at : head;
  /* the plain call leaves the tag behind the text; with the copy it is still 6 % cheaper than
   * the vectored one, which can put it in front (tests/bench/aead.c) */
  size_t n = len + TAG_LEN;
  if (gnutls_aead_cipher_encrypt(k->send.aead, nonce, sizeof(nonce), ad_at, (size_t)(tag - ad_at),
                                 TAG_LEN, p, len, p, &n) < 0)
    return OVPN_FAIL_INTERNAL;
  memcpy(tag, p + len, TAG_LEN);
  if (k->row->method == METHOD_GCM)
    k->blocks += (len + 15) / 16 + 1;
  *ret_pkt = head;
  *ret_len = (size_t)(p + len - head);
  return OVPN_OK;
}

/* head | epoch | counter | ciphertext | tag */
static OvpnStatus seal_epoch(OvpnDataKey *k, uint8_t *p, size_t len, uint8_t **ret_pkt,
                             size_t *ret_len)
{
  uint8_t *head = data_put_head(k, p - OVPN_EPOCH_ID_LEN);
  OvpnStatus st = ovpn_epoch_seal(k->epoch, head, len);
  *ret_pkt = head;
  *ret_len = OVPN_EPOCH_HEAD_LEN + OVPN_EPOCH_ID_LEN + len + OVPN_EPOCH_TAG_LEN;
  return st;
}

OvpnStatus ovpn_data_seal(OvpnDataKey *k, uint8_t *buf, size_t off, size_t len, uint8_t **ret_pkt,
                          size_t *ret_len)
{
  assert(off >= OVPN_DATA_HEADROOM);
  if (len == 0)
    return OVPN_DROP_EMPTY; /* 2.x refuses empty payloads */
  if (k->epoch)
    return seal_epoch(k, buf + off, len, ret_pkt, ret_len);
  if (k->sent >= LAST_ID && k->bare) { /* there is no other key to change to */
    k->time++;
    k->sent = 0;
  }
  if (k->sent >= LAST_ID)
    return OVPN_FAIL_PACKET_ID;
  uint64_t id = ++k->sent;
  return k->row->pub.aead ? seal_aead(k, buf + off, len, id, ret_pkt, ret_len)
                          : data_seal_hmac(k, buf + off, len, (uint32_t)id, ret_pkt, ret_len);
}

static uint32_t get_u32(const uint8_t *at)
{
  OvpnReader r = ovpn_reader(at, 4);
  return ovpn_read_u32(&r);
}

static OvpnStatus open_aead(OvpnDataKey *k, uint8_t *pkt, size_t len, size_t head,
                            uint8_t **ret_payload, size_t *ret_len)
{
  if (len < head + ID_LEN + TAG_LEN + 1)
    return OVPN_DROP_TRUNCATED;
  uint8_t *id_at = pkt + head, *tag = id_at + ID_LEN, *text = tag + TAG_LEN;
  uint32_t id = get_u32(id_at);
  if (!ovpn_replay_test(&k->replay, id))
    return OVPN_DROP_REPLAY;
  uint8_t nonce[NONCE_LEN];
  make_nonce(nonce, id_at, &k->recv);
  uint8_t *ad_at = head == 1 ? id_at : pkt;
  giovec_t ad = {ad_at, (size_t)(tag - ad_at)}, iov = {text, (size_t)(pkt + len - text)};
  if (gnutls_aead_cipher_decryptv2(k->recv.aead, nonce, sizeof(nonce), &ad, 1, &iov, 1, tag,
                                   TAG_LEN) < 0)
    return OVPN_DROP_AUTH;
  ovpn_replay_record(&k->replay, id);
  *ret_payload = text;
  *ret_len = iov.iov_len;
  return OVPN_OK;
}

OvpnStatus ovpn_data_open(OvpnDataKey *k, uint8_t *pkt, size_t len, uint8_t **ret_payload,
                          size_t *ret_len)
{
  if (k->bare)
    return data_open_hmac(k, pkt, len, 0, ret_payload, ret_len);
  OvpnReader r = ovpn_reader(pkt, len);
  uint8_t op = ovpn_opcode(ovpn_read_u8(&r));
  if (!r.ok)
    return OVPN_DROP_TRUNCATED;
  if (!ovpn_op_is_data(op))
    return OVPN_DROP_OPCODE;
  size_t head = op == OVPN_OP_DATA_V1 ? 1 : 4;
  if (k->epoch) {
    *ret_payload = pkt + OVPN_EPOCH_HEAD_LEN + OVPN_EPOCH_ID_LEN;
    return head == 1 ? OVPN_DROP_FORMAT : ovpn_epoch_open(k->epoch, pkt, len, ret_len);
  }
  return k->row->pub.aead ? open_aead(k, pkt, len, head, ret_payload, ret_len)
                          : data_open_hmac(k, pkt, len, head, ret_payload, ret_len);
}
