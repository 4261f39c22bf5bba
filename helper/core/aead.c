/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data channel keys: one packet sealed or opened in place. spec §9.3, §11.1, §11.2.
 *
 * Trusts nothing from the network. Order of opening: lengths, a cheap look into the replay window,
 * tag (constant time), decryption, padding, and only then the window moves. All handles are made
 * with the key, so packets never allocate. A packet id is used once: it is counted even when
 * sealing fails after it was taken. GnuTLS has no Blowfish, hence Nettle for that. */
#include "helper/core/aead.h"
#include "helper/core/epoch.h"
#include "helper/core/packet.h"
#include <assert.h>
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <nettle/blowfish.h>
#include <nettle/cbc.h>
#include <stdlib.h>
#include <strings.h>

enum {
  ID_LEN = 4,
  TAG_LEN = 16,
  NONCE_LEN = 12,
  IMPLICIT_IV_LEN = 8,
  HALF = 128,
  HMAC_AT = 64,
  MAC_MAX = 64,
  BLOCK_MAX = 16,
};
static const uint64_t LAST_ID = 0xfffffffe, RENEGOTIATE_AT = 0xff000000;
/* AES-GCM: blocks and packets under one key, spec §11.6; renegotiate at seven eighths of it. */
static const uint64_t GCM_LIMIT = (UINT64_C(1) << 36) / 8 * 7;

typedef enum Method { METHOD_NONE, METHOD_GCM, METHOD_CHACHA, METHOD_CBC, METHOD_BLOWFISH } Method;
typedef struct Row {
  OvpnDataCipher pub; /* first: callers hold a pointer to it */
  Method method;
  gnutls_cipher_algorithm_t alg;
} Row;

static const Row rows[] = {
    {{"AES-256-GCM", true, 32, 1}, METHOD_GCM, GNUTLS_CIPHER_AES_256_GCM},
    {{"AES-192-GCM", true, 24, 1}, METHOD_GCM, GNUTLS_CIPHER_AES_192_GCM},
    {{"AES-128-GCM", true, 16, 1}, METHOD_GCM, GNUTLS_CIPHER_AES_128_GCM},
    {{"CHACHA20-POLY1305", true, 32, 1}, METHOD_CHACHA, GNUTLS_CIPHER_CHACHA20_POLY1305},
    {{"AES-256-CBC", false, 32, 16}, METHOD_CBC, GNUTLS_CIPHER_AES_256_CBC},
    {{"AES-192-CBC", false, 24, 16}, METHOD_CBC, GNUTLS_CIPHER_AES_192_CBC},
    {{"AES-128-CBC", false, 16, 16}, METHOD_CBC, GNUTLS_CIPHER_AES_128_CBC},
    {{"CAMELLIA-256-CBC", false, 32, 16}, METHOD_CBC, GNUTLS_CIPHER_CAMELLIA_256_CBC},
    {{"CAMELLIA-192-CBC", false, 24, 16}, METHOD_CBC, GNUTLS_CIPHER_CAMELLIA_192_CBC},
    {{"CAMELLIA-128-CBC", false, 16, 16}, METHOD_CBC, GNUTLS_CIPHER_CAMELLIA_128_CBC},
    {{"DES-EDE3-CBC", false, 24, 8}, METHOD_CBC, GNUTLS_CIPHER_3DES_CBC},
    {{"BF-CBC", false, 16, 8}, METHOD_BLOWFISH, GNUTLS_CIPHER_NULL},
    {{"none", false, 0, 1}, METHOD_NONE, GNUTLS_CIPHER_NULL},
};

/* What one direction needs. */
typedef struct Half {
  gnutls_aead_cipher_hd_t aead;
  gnutls_cipher_hd_t cbc;
  gnutls_hmac_hd_t mac;
  uint8_t implicit_iv[IMPLICIT_IV_LEN];
  struct blowfish_ctx bf;
} Half;

struct OvpnDataKey {
  const Row *row;
  OvpnEpoch *epoch; /* NULL: the classic format */
  unsigned mac_len; /* 0 = auth none */
  uint8_t key_id;
  int32_t peer_id;
  uint64_t sent, blocks; /* ids used; AES-GCM usage */
  OvpnRandom random;
  void *user;
  Half send, recv;
  OvpnReplay replay;
};

const OvpnDataCipher *ovpn_data_cipher(const char *name)
{
  for (size_t i = 0; name && i < sizeof(rows) / sizeof(rows[0]); i++)
    if (!strcasecmp(rows[i].pub.name, name))
      return &rows[i].pub;
  return NULL;
}

int ovpn_digest_mac(const char *name)
{
  static const struct {
    const char *name;
    int mac;
  } digests[] = {
      {"SHA1", GNUTLS_MAC_SHA1},       {"SHA224", GNUTLS_MAC_SHA224},
      {"SHA256", GNUTLS_MAC_SHA256},   {"SHA384", GNUTLS_MAC_SHA384},
      {"SHA512", GNUTLS_MAC_SHA512},   {"MD5", GNUTLS_MAC_MD5},
      {"SHA-1", GNUTLS_MAC_SHA1},      {"SHA2-224", GNUTLS_MAC_SHA224},
      {"SHA2-256", GNUTLS_MAC_SHA256}, {"SHA2-384", GNUTLS_MAC_SHA384},
      {"SHA2-512", GNUTLS_MAC_SHA512}, {"none", -1},
  };
  if (!name)
    return 0;
  if (!strncasecmp(name, "RSA-", 4))
    name += 4;
  for (size_t i = 0; i < sizeof(digests) / sizeof(digests[0]); i++)
    if (!strcasecmp(digests[i].name, name))
      return digests[i].mac;
  return 0;
}

bool ovpn_data_digest_ok(const char *name)
{
  return ovpn_digest_mac(name) != 0;
}

static void half_clear(Half *h)
{
  if (h->aead)
    gnutls_aead_cipher_deinit(h->aead);
  if (h->cbc)
    gnutls_cipher_deinit(h->cbc);
  if (h->mac)
    gnutls_hmac_deinit(h->mac, NULL);
}

static bool all_zero(const uint8_t *p, size_t n)
{
  uint8_t any = 0;
  for (size_t i = 0; i < n; i++)
    any |= p[i];
  return n > 0 && any == 0;
}

/* slices: 64 bytes cipher, 64 bytes HMAC (spec §9.3). */
static OvpnStatus half_init(Half *h, const Row *row, int mac, unsigned mac_len,
                            const uint8_t slices[HALF], OvpnFailure *f)
{
  if (all_zero(slices, row->pub.key_len))
    return ovpn_failure_set(f, OVPN_FAIL_KEY_DERIVATION, "%s: the key is all zero", row->pub.name);
  gnutls_datum_t key = {(uint8_t *)slices, row->pub.key_len};
  int rc = 0;
  switch (row->method) {
  case METHOD_GCM:
  case METHOD_CHACHA:
    memcpy(h->implicit_iv, slices + HMAC_AT, IMPLICIT_IV_LEN);
    rc = gnutls_aead_cipher_init(&h->aead, row->alg, &key);
    break;
  case METHOD_CBC:
    rc = gnutls_cipher_init(&h->cbc, row->alg, &key, NULL);
    break;
  case METHOD_BLOWFISH:
    if (!blowfish_set_key(&h->bf, key.size, key.data))
      return ovpn_failure_set(f, OVPN_FAIL_KEY_DERIVATION, "%s: weak key", row->pub.name);
    break;
  case METHOD_NONE:
    break;
  }
  if (rc < 0)
    return ovpn_failure_set(f, OVPN_FAIL_INTERNAL, "%s: %s", row->pub.name, gnutls_strerror(rc));
  if (mac_len) {
    rc = gnutls_hmac_init(&h->mac, (gnutls_mac_algorithm_t)mac, slices + HMAC_AT, mac_len);
    if (rc < 0)
      return ovpn_failure_set(f, OVPN_FAIL_INTERNAL, "HMAC: %s", gnutls_strerror(rc));
  }
  return OVPN_OK;
}

OvpnStatus ovpn_data_key_new(const OvpnDataCipher *cipher, const char *auth,
                             const uint8_t block[256], bool client, uint8_t key_id, int32_t peer_id,
                             uint32_t replay_window, OvpnRandom random, void *user,
                             OvpnDataKey **ret, OvpnFailure *f)
{
  const Row *row = (const Row *)cipher;
  int mac = cipher->aead ? -1 : ovpn_digest_mac(auth ? auth : "SHA1");
  if (mac == 0)
    return ovpn_failure_set(f, OVPN_FAIL_CONFIG, "auth: unknown digest \"%s\"", auth);
  OvpnDataKey *k = calloc(1, sizeof(*k));
  if (!k)
    return ovpn_failure_set(f, OVPN_FAIL_MEMORY, "data channel key");
  k->row = row;
  k->mac_len = mac > 0 ? gnutls_hmac_get_len((gnutls_mac_algorithm_t)mac) : 0;
  k->key_id = key_id & 7;
  k->peer_id = peer_id < 0 ? -1 : peer_id & 0xffffff;
  k->random = random;
  k->user = user;
  ovpn_replay_init(&k->replay, replay_window);
  assert(k->mac_len <= MAC_MAX && cipher->block <= BLOCK_MAX);
  assert(cipher->block == 1 || random);
  OvpnStatus st = half_init(&k->send, row, mac, k->mac_len, block + (client ? 0 : HALF), f);
  if (st == OVPN_OK)
    st = half_init(&k->recv, row, mac, k->mac_len, block + (client ? HALF : 0), f);
  if (st != OVPN_OK) {
    ovpn_data_key_free(k);
    return st;
  }
  *ret = k;
  return OVPN_OK;
}

OvpnStatus ovpn_data_key_new_epoch(const OvpnDataCipher *cipher, const uint8_t block[256],
                                   bool client, uint8_t key_id, int32_t peer_id,
                                   uint32_t replay_window, OvpnDataKey **ret, OvpnFailure *f)
{
  const Row *row = (const Row *)cipher;
  if (!cipher->aead || peer_id < 0)
    return ovpn_failure_set(f, OVPN_FAIL_PUSH,
                            "protocol-flags aead-epoch: needs an AEAD cipher "
                            "and a peer-id");
  OvpnDataKey *k = calloc(1, sizeof(*k));
  if (!k)
    return ovpn_failure_set(f, OVPN_FAIL_MEMORY, "data channel key");
  k->row = row;
  k->key_id = key_id & 7;
  k->peer_id = peer_id & 0xffffff;
  OvpnStatus st = ovpn_epoch_new((int)row->alg, cipher->key_len, row->method == METHOD_GCM,
                                 block + (client ? 0 : HALF), block + (client ? HALF : 0),
                                 replay_window, &k->epoch, f);
  if (st == OVPN_OK)
    *ret = k;
  else
    ovpn_data_key_free(k);
  return st;
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

static size_t head_len(const OvpnDataKey *k)
{
  return k->peer_id < 0 ? 1 : 4;
}

size_t ovpn_data_key_overhead(const OvpnDataKey *k)
{
  if (k->epoch)
    return OVPN_EPOCH_HEAD_LEN + OVPN_EPOCH_ID_LEN + OVPN_EPOCH_TAG_LEN;
  size_t n = head_len(k) + ID_LEN;
  if (k->row->pub.aead)
    return n + TAG_LEN;
  size_t block = k->row->pub.block;
  return n + k->mac_len + (block > 1 ? 2 * block : 0); /* IV and at most a block of padding */
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

/* Puts the head in front of `at`; returns its start. */
static uint8_t *put_head(const OvpnDataKey *k, uint8_t *at)
{
  bool v2 = k->peer_id >= 0;
  OvpnWriter w = ovpn_writer(at - head_len(k), head_len(k));
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
  uint8_t *tag = p - TAG_LEN, *id_at = tag - ID_LEN, *head = put_head(k, id_at);
  put_u32(id_at, id);
  uint8_t nonce[NONCE_LEN];
  make_nonce(nonce, id_at, &k->send);
  uint8_t *ad_at = k->peer_id < 0 ? id_at : head;
  giovec_t ad = {ad_at, (size_t)(tag - ad_at)}, text = {p, len};
  size_t tag_len = TAG_LEN;
  if (gnutls_aead_cipher_encryptv2(k->send.aead, nonce, sizeof(nonce), &ad, 1, &text, 1, tag,
                                   &tag_len) < 0)
    return OVPN_FAIL_INTERNAL;
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
  uint8_t *head = put_head(k, p - OVPN_EPOCH_ID_LEN);
  OvpnStatus st = ovpn_epoch_seal(k->epoch, head, len);
  *ret_pkt = head;
  *ret_len = OVPN_EPOCH_HEAD_LEN + OVPN_EPOCH_ID_LEN + len + OVPN_EPOCH_TAG_LEN;
  return st;
}

static bool cbc_crypt(const OvpnDataKey *k, Half *h, bool encrypt, const uint8_t *iv, uint8_t *p,
                      size_t len)
{
  if (k->row->method == METHOD_BLOWFISH) {
    uint8_t chain[BLOWFISH_BLOCK_SIZE];
    memcpy(chain, iv, sizeof(chain));
    if (encrypt)
      cbc_encrypt(&h->bf, (nettle_cipher_func *)blowfish_encrypt, sizeof(chain), chain, len, p, p);
    else
      cbc_decrypt(&h->bf, (nettle_cipher_func *)blowfish_decrypt, sizeof(chain), chain, len, p, p);
    return true;
  }
  gnutls_cipher_set_iv(h->cbc, (void *)iv, k->row->pub.block);
  return (encrypt ? gnutls_cipher_encrypt2(h->cbc, p, len, p, len)
                  : gnutls_cipher_decrypt2(h->cbc, p, len, p, len)) == 0;
}

/* head | HMAC | IV | ciphertext of (id | payload | padding). Without a cipher: head | HMAC | id |
 * payload. */
static OvpnStatus seal_cbc(OvpnDataKey *k, uint8_t *p, size_t len, uint64_t id, uint8_t **ret_pkt,
                           size_t *ret_len)
{
  size_t block = k->row->pub.block;
  uint8_t *text = p - ID_LEN, *covered = text;
  size_t n = ID_LEN + len;
  put_u32(text, id);
  if (block > 1) {
    size_t pad = block - n % block;
    memset(text + n, (int)pad, pad);
    n += pad;
    covered = text - block;
    k->random(k->user, covered, block);
    if (!cbc_crypt(k, &k->send, true, covered, text, n))
      return OVPN_FAIL_INTERNAL;
  }
  size_t total = (size_t)(text + n - covered);
  uint8_t *mac = covered - k->mac_len;
  if (k->mac_len) {
    if (gnutls_hmac(k->send.mac, covered, total) < 0)
      return OVPN_FAIL_INTERNAL;
    gnutls_hmac_output(k->send.mac, mac);
  }
  *ret_pkt = put_head(k, mac);
  *ret_len = (size_t)(covered + total - *ret_pkt);
  return OVPN_OK;
}

OvpnStatus ovpn_data_seal(OvpnDataKey *k, uint8_t *buf, size_t off, size_t len, uint8_t **ret_pkt,
                          size_t *ret_len)
{
  assert(off >= OVPN_DATA_HEADROOM);
  if (len == 0)
    return OVPN_DROP_EMPTY; /* 2.x refuses empty payloads */
  if (k->epoch)
    return seal_epoch(k, buf + off, len, ret_pkt, ret_len);
  if (k->sent >= LAST_ID)
    return OVPN_FAIL_PACKET_ID;
  uint64_t id = ++k->sent;
  return k->row->pub.aead ? seal_aead(k, buf + off, len, id, ret_pkt, ret_len)
                          : seal_cbc(k, buf + off, len, id, ret_pkt, ret_len);
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

static bool mac_ok(OvpnDataKey *k, const uint8_t *given, const uint8_t *p, size_t n)
{
  if (!k->mac_len)
    return true;
  uint8_t mac[MAC_MAX];
  int rc = gnutls_hmac(k->recv.mac, p, n);
  gnutls_hmac_output(k->recv.mac, mac);
  return rc == 0 && ovpn_equal_ct(mac, given, k->mac_len);
}

/* PKCS#7; the MAC has been checked, so this tells an attacker nothing. Returns the length without
 * the padding, 0 when it is bad. */
static size_t unpad(const uint8_t *p, size_t n, size_t block)
{
  size_t pad = p[n - 1];
  if (pad < 1 || pad > block || pad > n)
    return 0;
  for (size_t i = n - pad; i < n; i++)
    if (p[i] != pad)
      return 0;
  return n - pad;
}

static OvpnStatus open_cbc(OvpnDataKey *k, uint8_t *pkt, size_t len, size_t head,
                           uint8_t **ret_payload, size_t *ret_len)
{
  size_t block = k->row->pub.block, iv_len = block > 1 ? block : 0, before = head + k->mac_len;
  if (len < before + iv_len + (block > 1 ? block : ID_LEN))
    return OVPN_DROP_TRUNCATED;
  uint8_t *covered = pkt + before, *text = covered + iv_len;
  size_t n = (size_t)(pkt + len - text);
  if (n % block)
    return OVPN_DROP_FORMAT;
  if (!mac_ok(k, pkt + head, covered, iv_len + n))
    return OVPN_DROP_AUTH;
  if (block > 1) {
    if (!cbc_crypt(k, &k->recv, false, covered, text, n))
      return OVPN_DROP_AUTH;
    n = unpad(text, n, block);
  }
  if (n < ID_LEN)
    return OVPN_DROP_AUTH;
  uint32_t id = get_u32(text);
  if (!ovpn_replay_test(&k->replay, id))
    return OVPN_DROP_REPLAY;
  ovpn_replay_record(&k->replay, id);
  if (n == ID_LEN)
    return OVPN_DROP_EMPTY;
  *ret_payload = text + ID_LEN;
  *ret_len = n - ID_LEN;
  return OVPN_OK;
}

OvpnStatus ovpn_data_open(OvpnDataKey *k, uint8_t *pkt, size_t len, uint8_t **ret_payload,
                          size_t *ret_len)
{
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
                          : open_cbc(k, pkt, len, head, ret_payload, ret_len);
}
