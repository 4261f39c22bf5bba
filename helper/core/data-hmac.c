/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data packets with an HMAC: CBC, CFB and OFB, no cipher at all, and static key mode. spec §11.2 to
 * §11.4.
 *
 * Trusts nothing from the network. Order of opening: lengths, HMAC (constant time), decryption,
 * padding, replay window; it moves last. Nothing is allocated. */
#include "helper/core/aead-private.h"
#include "helper/core/wire.h"
#include <string.h>

/* iv: NULL = zeros */
static bool crypt(const OvpnDataKey *k, Half *h, bool encrypt, const uint8_t *iv, uint8_t *p,
                  size_t len)
{
  static const uint8_t none[BLOCK_MAX];
  OvpnBlockMode mode = OVPN_MODE_CBC;
  iv = iv ? iv : none;
  switch (k->row->method) {
  case METHOD_NONE:
  case METHOD_GCM:
  case METHOD_CHACHA:
    return true;
  case METHOD_CBC:
    gnutls_cipher_set_iv(h->cbc, (void *)(uintptr_t)iv, k->row->pub.iv);
    return (encrypt ? gnutls_cipher_encrypt2(h->cbc, p, len, p, len)
                    : gnutls_cipher_decrypt2(h->cbc, p, len, p, len)) == 0;
  case METHOD_BLOCK_CBC:
    break;
  case METHOD_CFB:
    mode = OVPN_MODE_CFB;
    break;
  case METHOD_CFB8:
    mode = OVPN_MODE_CFB8;
    break;
  case METHOD_CFB1:
    mode = OVPN_MODE_CFB1;
    break;
  case METHOD_OFB:
    mode = OVPN_MODE_OFB;
    break;
  }
  ovpn_block_crypt(&h->block, mode, encrypt, iv, p, len);
  return true;
}

static void put_id(const OvpnDataKey *k, uint8_t *at, uint32_t id)
{
  OvpnWriter w = ovpn_writer(at, LONG_ID_LEN);
  ovpn_write_u32(&w, id);
  if (data_long_id(k))
    ovpn_write_u32(&w, k->time);
}

/* head | HMAC | IV | ciphertext of (id | payload | padding), the HMAC over all behind it. CFB and
 * OFB: the id is the IV. Without a cipher there is no IV. no-replay: there is no id; no-iv: the IV
 * is zero and not sent. */
OvpnStatus data_seal_hmac(OvpnDataKey *k, uint8_t *p, size_t len, uint32_t id, uint8_t **ret_pkt,
                          size_t *ret_len)
{
  size_t block = k->row->pub.block, iv_len = data_iv_len(k), id_len = data_id_len(k);
  uint8_t *text = p - id_len, *covered = text - iv_len;
  size_t n = id_len + len;
  if (data_iv_is_id(k)) {
    memset(covered, 0, iv_len);
    put_id(k, covered, id);
  } else if (id_len) {
    put_id(k, text, id);
  }
  if (block > 1) {
    size_t pad = block - n % block;
    memset(text + n, (int)pad, pad);
    n += pad;
    if (iv_len)
      k->random(k->user, covered, iv_len);
  }
  if (!crypt(k, &k->send, true, iv_len ? covered : NULL, text, n))
    return OVPN_FAIL_INTERNAL;
  uint8_t *mac = covered - k->mac_len;
  if (k->mac_len) {
    if (!ovpn_mac_update(k->send.mac, covered, iv_len + n))
      return OVPN_FAIL_INTERNAL;
    ovpn_mac_output(k->send.mac, mac);
  }
  *ret_pkt = data_put_head(k, mac);
  *ret_len = (size_t)(covered + iv_len + n - *ret_pkt);
  return OVPN_OK;
}

static bool mac_ok(OvpnDataKey *k, const uint8_t *given, const uint8_t *p, size_t n)
{
  if (!k->mac_len)
    return true;
  uint8_t mac[OVPN_MAC_MAX];
  bool ok = ovpn_mac_update(k->recv.mac, p, n);
  ovpn_mac_output(k->recv.mac, mac);
  return ok && ovpn_equal_ct(mac, given, k->mac_len);
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

/* A long id counts within a second of its own; the window belongs to the newest one. */
static OvpnStatus check_replay(OvpnDataKey *k, const uint8_t *id_at)
{
  OvpnReader r = ovpn_reader(id_at, data_long_id(k) ? LONG_ID_LEN : ID_LEN);
  uint32_t id = ovpn_read_u32(&r), time = data_long_id(k) ? ovpn_read_u32(&r) : 0;
  if (id == 0 || time < k->recv_time)
    return OVPN_DROP_REPLAY;
  /* Without a direction both sides have one key: a packet of ours must not come back as one of a
   * peer who is known by another time. */
  if (k->bare && k->heard && time != k->recv_time && time == k->time && id <= k->sent)
    return OVPN_DROP_REPLAY;
  if (time > k->recv_time) {
    k->recv_time = time;
    ovpn_replay_init(&k->replay, k->replay.size);
  }
  if (!ovpn_replay_test(&k->replay, id))
    return OVPN_DROP_REPLAY;
  ovpn_replay_record(&k->replay, id);
  k->heard = true;
  return OVPN_OK;
}

OvpnStatus data_open_hmac(OvpnDataKey *k, uint8_t *pkt, size_t len, size_t head,
                          uint8_t **ret_payload, size_t *ret_len)
{
  size_t block = k->row->pub.block, iv_len = data_iv_len(k), before = head + k->mac_len;
  size_t id_len = data_id_len(k);
  if (len < before + iv_len + (block > 1 ? block : id_len + data_iv_is_id(k)))
    return OVPN_DROP_TRUNCATED;
  uint8_t *covered = pkt + before, *text = covered + iv_len;
  size_t n = (size_t)(pkt + len - text);
  if (n % block)
    return OVPN_DROP_FORMAT;
  if (!mac_ok(k, pkt + head, covered, iv_len + n))
    return OVPN_DROP_AUTH;
  if (!crypt(k, &k->recv, false, iv_len ? covered : NULL, text, n))
    return OVPN_DROP_AUTH;
  if (block > 1)
    n = unpad(text, n, block);
  if (n < id_len)
    return OVPN_DROP_AUTH;
  OvpnStatus st = OVPN_OK;
  if (id_len || data_iv_is_id(k))
    st = check_replay(k, data_iv_is_id(k) ? covered : text);
  if (st != OVPN_OK)
    return st;
  if (n == id_len)
    return OVPN_DROP_EMPTY;
  *ret_payload = text + id_len;
  *ret_len = n - id_len;
  return OVPN_OK;
}
