/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control channel protection: seal and open whole control packets. spec §4.2-4.7.
 *
 * Trusts nothing from the network: a packet that fails in any way leaves the state as it was. The
 * tag is compared in constant time, the replay window is consulted and moved only after it. GnuTLS
 * has no public AES-CTR, hence Nettle for that. The two MAC handles are made once, so opening never
 * allocates. */
#include "helper/core/wrap.h"
#include "helper/core/cipher-names.h"
#include "helper/core/config.h"
#include "helper/core/mac.h"
#include <nettle/aes.h>
#include <nettle/ctr.h>

enum {
  REPLAY_LEN = 8,
  CRYPT_TAG_LEN = 32,
  CRYPT_CLEAR_LEN = OVPN_HEAD_LEN + REPLAY_LEN, /* authenticated, not encrypted */
  CRYPT_KEY_LEN = 32,
  CTR_LEN = 16,
  TAG_MAX = 64,
};

static const uint8_t *slice(const OvpnWrap *w, int dir, bool hmac)
{
  return w->key + dir * 128 + (hmac ? 64 : 0);
}

static OvpnStatus start(OvpnWrap *w, const char *digest, int direction, uint32_t now_wall)
{
  w->send_dir = direction == OVPN_DIR_INVERSE ? 1 : 0;
  w->recv_dir = direction == OVPN_DIR_NORMAL ? 1 : 0;
  w->send_time = now_wall;
  /* The top byte 0x0f of the first id tells a server that we know cookies (spec §4.5). */
  w->send_id = w->mode == OVPN_WRAP_TLS_CRYPT_V2 ? 0x0f000000 : 0;
  if (w->mode == OVPN_WRAP_NONE)
    return OVPN_OK;
  w->digest_len = ovpn_digest_len(digest);
  w->send_mac = ovpn_mac_new(digest, slice(w, w->send_dir, true));
  w->recv_mac = ovpn_mac_new(digest, slice(w, w->recv_dir, true));
  return w->send_mac && w->recv_mac ? OVPN_OK : OVPN_FAIL_INTERNAL;
}

OvpnStatus ovpn_wrap_init(OvpnWrap *w, OvpnWrapMode mode, const uint8_t *key, int direction,
                          const char *auth, const OvpnBlob *wkc, uint32_t now_wall)
{
  *w = (OvpnWrap){.mode = mode};
  if (mode != OVPN_WRAP_NONE)
    memcpy(w->key, key, OVPN_STATIC_KEY_LEN);
  const char *digest = "SHA256"; /* of tls-crypt */
  OvpnStatus st = OVPN_OK;
  if (mode == OVPN_WRAP_TLS_AUTH) {
    digest = auth ? auth : "SHA1";
    if (!ovpn_digest_len(digest)) /* unknown, or "none": nothing would protect the channel */
      st = OVPN_FAIL_CONFIG;
  }
  if (st == OVPN_OK && mode == OVPN_WRAP_TLS_CRYPT_V2 && wkc && wkc->len) {
    if (wkc->len > OVPN_WKC_MAX)
      st = OVPN_FAIL_FILE_FORMAT;
    else if (!ovpn_blob_set(&w->wkc, wkc->data, wkc->len))
      st = OVPN_FAIL_MEMORY;
  }
  if (st == OVPN_OK)
    st = start(w, digest, direction, now_wall);
  if (st != OVPN_OK)
    ovpn_wrap_clear(w);
  return st;
}

OvpnStatus ovpn_wrap_init_dynamic(OvpnWrap *w, const OvpnWrap *base,
                                  const uint8_t ekm[OVPN_STATIC_KEY_LEN], int direction,
                                  uint32_t now_wall)
{
  *w = (OvpnWrap){.mode = OVPN_WRAP_TLS_CRYPT};
  bool mix = base && base->mode != OVPN_WRAP_NONE;
  for (size_t i = 0; i < OVPN_STATIC_KEY_LEN; i++)
    w->key[i] = (uint8_t)(ekm[i] ^ (mix ? base->key[i] : 0));
  OvpnStatus st = start(w, "SHA256", direction, now_wall);
  if (st != OVPN_OK)
    ovpn_wrap_clear(w);
  return st;
}

void ovpn_wrap_clear(OvpnWrap *w)
{
  if (!w)
    return;
  ovpn_mac_free(w->send_mac);
  ovpn_mac_free(w->recv_mac);
  ovpn_blob_clear(&w->wkc);
  ovpn_wipe(w, sizeof(*w));
}

size_t ovpn_wrap_overhead(const OvpnWrap *w)
{
  return w->mode == OVPN_WRAP_NONE ? 0 : w->digest_len + REPLAY_LEN;
}

size_t ovpn_wrap_without_wkc(const uint8_t *pkt, size_t len)
{
  if (len < 2)
    return 0;
  OvpnReader r = ovpn_reader(pkt, len);
  ovpn_read_bytes(&r, len - 2);
  size_t n = ovpn_read_u16(&r);
  return n < 2 || n > OVPN_WKC_MAX || n > len ? 0 : len - n;
}

/* HMAC over three pieces; leaves the handle ready for the next packet. */
static bool mac3(OvpnMac *m, const void *a, size_t na, const void *b, size_t nb, const void *c,
                 size_t nc, uint8_t tag[TAG_MAX])
{
  bool ok = ovpn_mac_update(m, a, na) && ovpn_mac_update(m, b, nb) && ovpn_mac_update(m, c, nc);
  ovpn_mac_output(m, tag); /* also resets */
  return ok;
}

static void ctr(const OvpnWrap *w, int dir, const uint8_t tag[CRYPT_TAG_LEN], const uint8_t *in,
                size_t len, uint8_t *out)
{
  struct aes256_ctx aes;
  uint8_t iv[CTR_LEN];
  memcpy(iv, tag, sizeof(iv));
  aes256_set_encrypt_key(&aes, slice(w, dir, false));
  ctr_crypt(&aes, (nettle_cipher_func *)aes256_encrypt, sizeof(iv), iv, len, out, in);
  ovpn_wipe(&aes, sizeof(aes));
}

static void next_id(OvpnWrap *w)
{
  if (w->send_id == UINT32_MAX) {
    w->send_id = 0;
    w->send_time++;
  }
  w->send_id++;
}

static bool seal_auth(OvpnWrap *w, OvpnWriter *o, const uint8_t *body, size_t len)
{
  uint8_t *tag_at = ovpn_write_room(o, w->digest_len), *replay = o->buf + o->len;
  ovpn_write_u32(o, w->send_id);
  ovpn_write_u32(o, w->send_time);
  ovpn_write_bytes(o, body, len);
  uint8_t tag[TAG_MAX];
  if (!tag_at || !o->ok ||
      !mac3(w->send_mac, replay, REPLAY_LEN, o->buf, OVPN_HEAD_LEN, body, len, tag))
    return false;
  memcpy(tag_at, tag, w->digest_len);
  return true;
}

static bool seal_crypt(OvpnWrap *w, OvpnWriter *o, const uint8_t *body, size_t len)
{
  ovpn_write_u32(o, w->send_id);
  ovpn_write_u32(o, w->send_time);
  uint8_t tag[TAG_MAX];
  if (!o->ok || !mac3(w->send_mac, o->buf, CRYPT_CLEAR_LEN, body, len, NULL, 0, tag))
    return false;
  ovpn_write_bytes(o, tag, CRYPT_TAG_LEN);
  uint8_t *text = ovpn_write_room(o, len);
  if (!text)
    return false;
  ctr(w, w->send_dir, tag, body, len, text);
  return true;
}

size_t ovpn_wrap_seal(OvpnWrap *w, uint8_t first, const uint8_t sid[OVPN_SID_LEN],
                      const uint8_t *body, size_t body_len, bool append_wkc, uint8_t *out,
                      size_t cap)
{
  size_t tail = append_wkc ? w->wkc.len : 0;
  if (body_len > cap || OVPN_HEAD_LEN + ovpn_wrap_overhead(w) + body_len + tail > cap)
    return 0;
  OvpnWriter o = ovpn_writer(out, cap);
  ovpn_write_u8(&o, first);
  ovpn_write_bytes(&o, sid, OVPN_SID_LEN);
  bool ok = true;
  switch (w->mode) {
  case OVPN_WRAP_NONE:
    ovpn_write_bytes(&o, body, body_len);
    break;
  case OVPN_WRAP_TLS_AUTH:
    next_id(w);
    ok = seal_auth(w, &o, body, body_len);
    break;
  case OVPN_WRAP_TLS_CRYPT:
  case OVPN_WRAP_TLS_CRYPT_V2:
    next_id(w);
    ok = seal_crypt(w, &o, body, body_len);
    break;
  }
  ovpn_write_bytes(&o, w->wkc.data, tail);
  return ok && o.ok ? o.len : 0;
}

static OvpnStatus open_auth(const OvpnWrap *w, OvpnReader *r, const uint8_t *pkt,
                            const uint8_t **ret_body, size_t *ret_len, uint32_t *id, uint32_t *time)
{
  const uint8_t *given = ovpn_read_bytes(r, w->digest_len), *replay = r->p;
  *id = ovpn_read_u32(r);
  *time = ovpn_read_u32(r);
  size_t n = ovpn_reader_left(r);
  const uint8_t *body = ovpn_read_bytes(r, n);
  if (!r->ok)
    return OVPN_DROP_TRUNCATED;
  uint8_t tag[TAG_MAX];
  if (!mac3(w->recv_mac, replay, REPLAY_LEN, pkt, OVPN_HEAD_LEN, body, n, tag) ||
      !ovpn_equal_ct(tag, given, w->digest_len))
    return OVPN_DROP_AUTH;
  *ret_body = body;
  *ret_len = n;
  return OVPN_OK;
}

static OvpnStatus open_crypt(const OvpnWrap *w, OvpnReader *r, const uint8_t *pkt, uint8_t *buf,
                             size_t cap, size_t *ret_len, uint32_t *id, uint32_t *time)
{
  *id = ovpn_read_u32(r);
  *time = ovpn_read_u32(r);
  const uint8_t *given = ovpn_read_bytes(r, CRYPT_TAG_LEN);
  size_t n = ovpn_reader_left(r);
  const uint8_t *text = ovpn_read_bytes(r, n);
  if (!r->ok)
    return OVPN_DROP_TRUNCATED;
  if (n > cap)
    return OVPN_DROP_FORMAT;
  ctr(w, w->recv_dir, given, text, n, buf);
  uint8_t tag[TAG_MAX];
  if (!mac3(w->recv_mac, pkt, CRYPT_CLEAR_LEN, buf, n, NULL, 0, tag) ||
      !ovpn_equal_ct(tag, given, CRYPT_TAG_LEN)) {
    ovpn_wipe(buf, n);
    return OVPN_DROP_AUTH;
  }
  *ret_len = n;
  return OVPN_OK;
}

OvpnStatus ovpn_wrap_open(OvpnWrap *w, const uint8_t *pkt, size_t len, uint8_t *buf, size_t cap,
                          const uint8_t **ret_sid, const uint8_t **ret_body, size_t *ret_len)
{
  OvpnReader r = ovpn_reader(pkt, len);
  ovpn_read_u8(&r);
  const uint8_t *sid = ovpn_read_bytes(&r, OVPN_SID_LEN);
  if (!sid)
    return OVPN_DROP_TRUNCATED;
  const uint8_t *body = buf;
  size_t n = 0;
  uint32_t id = 0, time = 0;
  OvpnStatus st = OVPN_OK;
  switch (w->mode) {
  case OVPN_WRAP_NONE:
    n = ovpn_reader_left(&r);
    body = ovpn_read_bytes(&r, n);
    break;
  case OVPN_WRAP_TLS_AUTH:
    st = open_auth(w, &r, pkt, &body, &n, &id, &time);
    break;
  case OVPN_WRAP_TLS_CRYPT:
  case OVPN_WRAP_TLS_CRYPT_V2:
    st = open_crypt(w, &r, pkt, buf, cap, &n, &id, &time);
    break;
  }
  if (st != OVPN_OK)
    return st;
  if (w->mode != OVPN_WRAP_NONE) {
    if (!ovpn_replay_time_test(&w->replay, id, time))
      return OVPN_DROP_REPLAY;
    ovpn_replay_time_record(&w->replay, id, time);
  }
  *ret_sid = sid;
  *ret_body = body;
  *ret_len = n;
  return OVPN_OK;
}
