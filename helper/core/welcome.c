/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The first two packets with a peer that calls, without memory of him. spec §2, §4, §5.
 *
 * Trusts nobody. State that outsiders can move: the number of our next control packet and the
 * counts of answers and sessions, a fixed number of places that nobody can aim at without the
 * secret. The replay window is not consulted: an old packet only makes us answer to an address that
 * must answer in turn. */
#include "helper/core/welcome.h"
#include <gnutls/gnutls.h>
#include <gnutls/crypto.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>
#include "helper/core/session-private.h"

enum {
  SECRET_LEN = 32,
  ADDRESS_MAX = 64,
  SHARES = 256,
  ANSWERS = 10, /* in a second, per share */
  SESSIONS = 4, /* in SESSION_SECONDS, per share */
  SESSIONS_ALL = 16,
  SESSION_SECONDS = 10,
};

struct OvpnWelcome {
  const OvpnConfig *config;
  OvpnWrap wrap;
  uint8_t secret[SECRET_LEN];
  uint32_t wall_time; /* at `started` */
  uint64_t started;
  uint64_t second, span; /* which the counts are of */
  uint8_t answers[SHARES], sessions[SHARES];
  unsigned sessions_all;
};

OvpnStatus ovpn_welcome_new(const OvpnConfig *config, OvpnRandom random, void *random_user,
                            uint32_t wall_time, uint64_t now, OvpnWelcome **ret, OvpnFailure *f)
{
  OvpnWelcome *w = calloc(1, sizeof *w);
  if (!w)
    return ovpn_failure_set(f, OVPN_FAIL_MEMORY, "welcome");
  w->config = config;
  w->wall_time = wall_time;
  w->started = now;
  OvpnStatus r = session_load_wrap(config, wall_time, &w->wrap, f);
  if (r != OVPN_OK) {
    ovpn_welcome_free(w);
    return r;
  }
  random(random_user, w->secret, sizeof w->secret);
  *ret = w;
  return OVPN_OK;
}

void ovpn_welcome_free(OvpnWelcome *w)
{
  if (!w)
    return;
  ovpn_wrap_clear(&w->wrap);
  ovpn_wipe(w, sizeof *w);
  free(w);
}

/* Our session id for this caller in this span of time; false = no MAC could be made. */
static bool make_id(const OvpnWelcome *w, uint64_t span, const OvpnFrom *from,
                    const uint8_t *peer_sid, uint8_t ret[OVPN_SID_LEN])
{
  uint8_t text[ADDRESS_MAX + OVPN_SID_LEN + 8], mac[32];
  OvpnWriter o = ovpn_writer(text, sizeof text);
  ovpn_write_bytes(&o, peer_sid, OVPN_SID_LEN);
  ovpn_write_u64(&o, span);
  ovpn_write_bytes(&o, from->address, from->len);
  if (!o.ok ||
      gnutls_hmac_fast(GNUTLS_MAC_SHA256, w->secret, sizeof w->secret, text, o.len, mac) < 0)
    return false;
  mac[0] |= 1; /* an id is not zero */
  memcpy(ret, mac, OVPN_SID_LEN);
  return true;
}

static uint64_t span_of(uint64_t now)
{
  return now / (OVPN_WELCOME_SECONDS * NS_PER_S);
}

/* Does the packet acknowledge a reset of ours that went to this address? */
static bool is_answer(const OvpnWelcome *w, uint64_t now, const OvpnFrom *from,
                      const uint8_t *peer_sid, const OvpnPacketBody *b)
{
  bool acked = false, good = false;
  for (unsigned i = 0; i < b->n_acks; i++)
    acked |= b->acks[i] == 0;
  for (uint64_t back = 0; acked && back < 2; back++) {
    uint8_t id[OVPN_SID_LEN];
    if (make_id(w, span_of(now) - back, from, peer_sid, id))
      good |= ovpn_equal_ct(id, b->remote_sid, sizeof id);
  }
  return good;
}

/* The place where a network is counted. */
static unsigned share_of(const OvpnWelcome *w, const OvpnFrom *from)
{
  uint8_t mac[32] = {0};
  (void)gnutls_hmac_fast(GNUTLS_MAC_SHA256, w->secret, sizeof w->secret, from->address,
                         from->network, mac);
  return mac[0];
}

static bool may_answer(OvpnWelcome *w, uint64_t now, const OvpnFrom *from)
{
  static_assert(SHARES == UINT8_MAX + 1, "a share is named by a byte");
  uint64_t second = now / NS_PER_S;
  if (second != w->second)
    memset(w->answers, 0, sizeof w->answers);
  w->second = second;
  uint8_t *n = &w->answers[share_of(w, from)];
  return *n < ANSWERS && ++*n;
}

bool ovpn_welcome_may_begin(OvpnWelcome *w, uint64_t now, const OvpnFrom *from, bool known)
{
  uint64_t span = now / (SESSION_SECONDS * NS_PER_S);
  if (span != w->span) {
    memset(w->sessions, 0, sizeof w->sessions);
    w->sessions_all = 0;
  }
  w->span = span;
  uint8_t *n = &w->sessions[share_of(w, from)];
  if (*n >= SESSIONS || (!known && w->sessions_all >= SESSIONS_ALL))
    return false;
  ++*n;
  w->sessions_all += !known;
  return true;
}

/* Our reset, with the acknowledgement of his. */
static size_t answer(OvpnWelcome *w, uint64_t now, const OvpnFrom *from, const uint8_t *peer_sid,
                     uint8_t *out, size_t cap)
{
  uint8_t op = w->config->tls_server ? OVPN_OP_HARD_RESET_SERVER_V2 : OVPN_OP_HARD_RESET_CLIENT_V2;
  uint8_t id[OVPN_SID_LEN], body[64];
  OvpnPacketBody b = {.n_acks = 1, .has_id = true};
  OvpnWriter o = ovpn_writer(body, sizeof body);
  memcpy(b.remote_sid, peer_sid, OVPN_SID_LEN);
  ovpn_packet_encode_body(&o, &b);
  uint32_t wall = w->wall_time + (uint32_t)((now - w->started) / NS_PER_S);
  if (wall > w->wrap.send_time)
    w->wrap.send_time = wall;
  if (!o.ok || !make_id(w, span_of(now), from, peer_sid, id))
    return 0;
  return ovpn_wrap_seal(&w->wrap, (uint8_t)(op << 3), id, body, o.len, false, out, cap);
}

OvpnStatus ovpn_welcome_input(OvpnWelcome *w, uint64_t now, const OvpnFrom *from,
                              const uint8_t *pkt, size_t len, uint8_t *out, size_t cap,
                              size_t *ret_len, OvpnAccepted *ret)
{
  uint8_t hello =
      w->config->tls_server ? OVPN_OP_HARD_RESET_CLIENT_V2 : OVPN_OP_HARD_RESET_SERVER_V2;
  if (len < OVPN_HEAD_LEN || len > OVPN_PACKET_MAX || from->len > ADDRESS_MAX)
    return OVPN_DROP_TRUNCATED;
  uint8_t op = ovpn_opcode(pkt[0]);
  if (ovpn_key_id(pkt[0]) != 0 || (op != hello && op != OVPN_OP_ACK_V1 && op != OVPN_OP_CONTROL_V1))
    return OVPN_DROP_OPCODE;
  uint8_t buf[OVPN_PACKET_MAX];
  const uint8_t *sid, *body;
  size_t body_len;
  OvpnPacketBody b;
  w->wrap.replay = (OvpnReplayTime){0};
  OvpnStatus r = ovpn_wrap_open(&w->wrap, pkt, len, buf, sizeof buf, &sid, &body, &body_len);
  if (r == OVPN_OK)
    r = ovpn_packet_decode_body(op, body, body_len, &b);
  if (r != OVPN_OK)
    return r;
  *ret_len = 0;
  if (is_answer(w, now, from, sid, &b)) {
    *ret = (OvpnAccepted){.send_id = w->wrap.send_id, .send_time = w->wrap.send_time};
    memcpy(ret->sid, b.remote_sid, sizeof ret->sid);
    memcpy(ret->peer_sid, sid, sizeof ret->peer_sid);
    return OVPN_OK;
  }
  if (op != hello || b.id != 0 || b.n_acks > 0 || !may_answer(w, now, from))
    return OVPN_DROP_STATE;
  *ret_len = answer(w, now, from, sid, out, cap);
  return *ret_len > 0 ? OVPN_OK : OVPN_DROP_STATE;
}
