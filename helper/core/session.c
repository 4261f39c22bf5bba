/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The session: packets in and out, states, timers, events. spec §2, §3, §5, §6, §17.
 *
 * Trusts nobody: a packet is believed after ovpn_wrap_open() and, as plain and tls-auth'ed packets
 * of others could still be forged or replayed, after both session ids match. Invariants: only
 * session_set_state() changes the state; after the first failure nothing but draining output and
 * events happens. */
#include "helper/core/cipher-names.h"
#include "helper/core/session-private.h"
#include <assert.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

const char *ovpn_session_state_name(OvpnSessionState s)
{
  switch (s) {
#define X(n)                                                                                       \
  case OVPN_SESSION_##n:                                                                           \
    return #n;
    OVPN_SESSION_STATE_LIST(X)
#undef X
  }
  return "?";
}

/* Bit sets of the legal next states; DEAD is legal from everywhere. */
#define TO(n) (1u << OVPN_SESSION_##n)
static const unsigned legal_next[] = {
    [OVPN_SESSION_INIT] = TO(WAIT_CREDENTIALS) | TO(RESET_SENT) | TO(CLOSING),
    [OVPN_SESSION_RESET_SENT] = TO(TLS_HANDSHAKE) | TO(UP) /* static key */ | TO(CLOSING),
    [OVPN_SESSION_TLS_HANDSHAKE] = TO(KEY_EXCHANGE) | TO(CLOSING),
    [OVPN_SESSION_WAIT_CREDENTIALS] = TO(RESET_SENT) | TO(CLOSING),
    [OVPN_SESSION_KEY_EXCHANGE] = TO(PULL) | TO(CLOSING),
    [OVPN_SESSION_PULL] = TO(UP) | TO(CLOSING),
    [OVPN_SESSION_UP] = TO(REKEYING) | TO(CLOSING),
    [OVPN_SESSION_REKEYING] = TO(UP) | TO(CLOSING),
    [OVPN_SESSION_CLOSING] = 0,
    [OVPN_SESSION_DEAD] = 0,
};

void session_set_state(OvpnSession *s, OvpnSessionState state)
{
  if (s->state == state)
    return;
  assert(state == OVPN_SESSION_DEAD || (legal_next[s->state] & (1u << state)));
  s->state = state;
  session_push_event(s, OVPN_EVENT_STATE)->state = state;
}

OvpnEvent *session_push_event(OvpnSession *s, OvpnEventType type)
{
  static_assert(EVENTS_MAX >= 32, "one input makes at most a dozen events");
  if (s->n_events ==
      EVENTS_MAX) { /* the caller does not pop: keep the session safe, not the newest event */
    ovpn_failure_set(&s->failure, OVPN_FAIL_INTERNAL, "event queue");
    s->state = OVPN_SESSION_DEAD;
    s->n_events--;
    ovpn_event_clear(&s->events[(s->first_event + s->n_events) % EVENTS_MAX]);
  }
  OvpnEvent *e = &s->events[(s->first_event + s->n_events++) % EVENTS_MAX];
  *e = (OvpnEvent){.type = type};
  return e;
}

void session_log(OvpnSession *s, int level, OvpnLogCode code, const char *fmt, ...)
{
  if (s->n_events > EVENTS_MAX / 2)
    return; /* the log gives way to what matters */
  char text[2 * OVPN_FAILURE_TEXT_MAX];
  va_list ap;
  va_start(ap, fmt);
  (void)vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  OvpnEvent *e = session_push_event(s, OVPN_EVENT_LOG);
  e->level = level;
  e->log_code = (uint16_t)code;
  OvpnFailure harmless = {0};
  ovpn_failure_set(&harmless, OVPN_FAIL_INTERNAL, "%s", text); /* escapes peer text */
  memcpy(e->failure.text, harmless.text, sizeof harmless.text);
}

OvpnStatus session_fail(OvpnSession *s, OvpnStatus status, uint32_t arg, const char *fmt, ...)
{
  if (s->failure.status != OVPN_OK)
    return status;
  char text[2 * OVPN_FAILURE_TEXT_MAX];
  va_list ap;
  va_start(ap, fmt);
  (void)vsnprintf(text, sizeof text, fmt, ap);
  va_end(ap);
  ovpn_failure_set(&s->failure, status, "%s", text);
  s->failure.arg = arg;
  session_set_state(s, OVPN_SESSION_DEAD);
  return status;
}

void ovpn_event_clear(OvpnEvent *e)
{
  if (!e)
    return;
  ovpn_secret_free(e->text);
  ovpn_wipe(e, sizeof *e);
}

void ovpn_credentials_clear(OvpnCredentials *c)
{
  if (!c)
    return;
  OvpnBlob *all[] = {&c->username,   &c->password,      &c->static_response, &c->token,
                     &c->token_user, &c->crv_state,     &c->crv_user,        &c->crv_response,
                     &c->proxy_user, &c->proxy_password};
  for (size_t i = 0; i < sizeof all / sizeof all[0]; i++)
    ovpn_blob_clear(all[i]);
  *c = (OvpnCredentials){0};
}

/* ---- packets in ---- */

static bool opcode_for_us(const OvpnSession *s, uint8_t op)
{
  return op == OVPN_OP_SOFT_RESET_V1 || op == OVPN_OP_CONTROL_V1 || op == OVPN_OP_ACK_V1 ||
         op == session_peer_reset(s);
}

static bool acks_contain(const OvpnPacketBody *b, uint32_t id)
{
  for (unsigned i = 0; i < b->n_acks; i++)
    if (b->acks[i] == id)
      return true;
  return false;
}

/* Of two equal peers each may speak first. A client takes that only where the network has made sure
 * of the address. */
static bool may_speak_first(const OvpnSession *s)
{
  return ovpn_config_is_p2p(s->p.config) && (session_is_server(s) || s->p.proto == OVPN_PROTO_TCP);
}

/* Session ids, spec §2.4 and §5.2: the peer's first reset tells its id; that of a server only when
 * it acknowledges ours. */
static OvpnStatus check_session_ids(OvpnSession *s, uint8_t op, uint8_t key_id, const uint8_t *sid,
                                    const OvpnPacketBody *b)
{
  if (b->n_acks > 0 && !ovpn_equal_ct(b->remote_sid, s->sid, OVPN_SID_LEN))
    return OVPN_DROP_SESSION_ID;
  if (s->have_peer)
    return ovpn_equal_ct(sid, s->peer_sid, OVPN_SID_LEN) ? OVPN_OK : OVPN_DROP_SESSION_ID;
  if (op != session_peer_reset(s) || key_id != 0 || !b->has_id || b->id != 0 ||
      !(acks_contain(b, 0) || may_speak_first(s)))
    return OVPN_DROP_STATE;
  memcpy(s->peer_sid, sid, OVPN_SID_LEN);
  s->have_peer = true;
  return OVPN_OK;
}

/* The key state a control packet belongs to; a legal SOFT_RESET starts a renegotiation. */
static KeyState *find_key(OvpnSession *s, uint8_t op, uint8_t key_id)
{
  KeyState *cur = current_key(s), *old = other_key(s);
  if (cur->phase != KEY_FREE && cur->key_id == key_id)
    return cur;
  if (old->phase != KEY_FREE && old->key_id == key_id)
    return old;
  if (op == OVPN_OP_SOFT_RESET_V1 && s->state == OVPN_SESSION_UP && cur->phase == KEY_GENERATED &&
      key_id == key_next_id(cur->key_id)) {
    session_renegotiate(s);
    return current_key(s);
  }
  return NULL;
}

static OvpnStatus input_body(OvpnSession *s, uint8_t op, uint8_t key_id, const OvpnPacketBody *b)
{
  if ((op == session_peer_reset(s) || op == OVPN_OP_SOFT_RESET_V1) && b->id != 0)
    return OVPN_DROP_FORMAT;
  KeyState *k = find_key(s, op, key_id);
  if (!k)
    return OVPN_DROP_KEY_ID;
  s->last_received = s->now;
  session_note_acks(s, k, op, b);
  for (unsigned i = 0; i < b->n_acks; i++)
    ovpn_reliable_acked(&k->reliable, b->acks[i], s->now);
  OvpnStatus r = OVPN_OK;
  if (b->has_id)
    r = ovpn_reliable_record(&k->reliable, op, b->id, b->payload, b->payload_len);
  if (s->state == OVPN_SESSION_DEAD || s->state == OVPN_SESSION_CLOSING)
    return r;
  OvpnStatus handled = key_receive(s, k);
  if (handled == OVPN_OK && s->state != OVPN_SESSION_DEAD)
    handled = key_acked(s, k);
  return ovpn_is_fail(handled) ? handled : r;
}

OvpnStatus ovpn_session_input(OvpnSession *s, uint64_t now, const uint8_t *pkt, size_t len)
{
  s->now = now;
  if (len < OVPN_HEAD_LEN || len > OVPN_PACKET_MAX)
    return OVPN_DROP_TRUNCATED;
  if (s->state == OVPN_SESSION_DEAD || s->state == OVPN_SESSION_WAIT_CREDENTIALS ||
      s->state == OVPN_SESSION_INIT)
    return OVPN_DROP_STATE;
  uint8_t op = ovpn_opcode(pkt[0]), key_id = ovpn_key_id(pkt[0]);
  if (!opcode_for_us(s, op))
    return OVPN_DROP_OPCODE;
  OvpnWrap *wrap = key_id > 0 && s->have_dynamic ? &s->dynamic : &s->wrap;
  OvpnReplayTime seen = wrap->replay;
  uint8_t buf[OVPN_PACKET_MAX];
  const uint8_t *sid, *body;
  size_t body_len;
  OvpnPacketBody b;
  OvpnStatus r = ovpn_wrap_open(wrap, pkt, len, buf, sizeof buf, &sid, &body, &body_len);
  if (r == OVPN_OK)
    r = ovpn_packet_decode_body(op, body, body_len, &b);
  if (r == OVPN_OK)
    r = check_session_ids(s, op, key_id, sid, &b);
  if (r == OVPN_OK)
    r = input_body(s, op, key_id, &b);
  else /* others may have the key too, or a packet of another session: not of this one's numbers */
    wrap->replay = seen;
  ovpn_wipe(buf, sizeof buf);
  return r;
}

/* ---- packets out ---- */

size_t session_seal(OvpnSession *s, KeyState *k, uint8_t op, OvpnPacketBody *b, bool wkc,
                    uint8_t *out, size_t cap)
{
  uint8_t body[OVPN_PACKET_MAX];
  OvpnWriter w = ovpn_writer(body, sizeof body);
  memcpy(b->remote_sid, s->peer_sid, OVPN_SID_LEN);
  ovpn_packet_encode_body(&w, b);
  size_t n = 0;
  if (w.ok)
    n = ovpn_wrap_seal(k->key_id > 0 && s->have_dynamic ? &s->dynamic : &s->wrap,
                       (uint8_t)(op << 3 | k->key_id), s->sid, body, w.len, wkc, out, cap);
  ovpn_wipe(body, sizeof body);
  return n;
}

static size_t output_key(OvpnSession *s, KeyState *k, uint8_t *buf, size_t cap)
{
  const OvpnSendSlot *slot = ovpn_reliable_due(&k->reliable, s->now);
  OvpnPacketBody b = {0};
  if (slot) {
    if (s->have_peer)
      ovpn_reliable_take_acks(&k->reliable, &b, 4, true);
    b.has_id = true;
    b.id = slot->id;
    b.payload = slot->data;
    b.payload_len = slot->len;
    return session_seal(s, k, slot->opcode, &b, slot->wkc, buf, cap);
  }
  if (s->have_peer && ovpn_reliable_has_acks(&k->reliable)) {
    /* SoftEther servers break on more than 4 acks; a server that exports keys is a real one. spec
     * §3 rule 4 */
    bool known = s->wrap.mode != OVPN_WRAP_NONE || s->pushed.tls_ekm;
    ovpn_reliable_take_acks(&k->reliable, &b, known ? OVPN_ACKS_MAX : 4, known);
    return session_seal(s, k, OVPN_OP_ACK_V1, &b, false, buf, cap);
  }
  return 0;
}

size_t ovpn_session_output(OvpnSession *s, uint64_t now, uint8_t *buf, size_t cap)
{
  s->now = now;
  for (unsigned i = 0; i < 2; i++) {
    KeyState *k = i == 0 ? current_key(s) : other_key(s);
    if (k->phase == KEY_FREE)
      continue;
    key_flush(s, k);
    size_t n = output_key(s, k, buf, cap);
    if (n > 0)
      return n;
  }
  return 0;
}

/* ---- facts and wishes from the engine ---- */

/* Payload after which a key has to go; 0 = never. Ciphers with blocks of 64 bits begin to repeat
 * themselves after some gigabytes (SWEET32). spec §6.4 */
static uint64_t bytes_per_key(const OvpnSession *s)
{
  const OvpnConfig *c = s->p.config;
  bool small = s->cipher && ovpn_cipher_is_short(s->cipher->name);
  return small && !c->reneg_bytes_set ? UINT64_C(64) << 20 : c->reneg_bytes;
}

void ovpn_session_note_data(OvpnSession *s, uint64_t now, bool received, bool sent,
                            uint64_t payload_bytes, uint64_t key_sent)
{
  const OvpnConfig *c = s->p.config;
  s->now = now;
  if (received && static_waits(s))
    static_heard(s);
  if (!session_is_up(s))
    return;
  if (received)
    s->last_received = now;
  if (sent)
    s->last_sent = now;
  s->activity_bytes += payload_bytes;
  s->key_bytes += payload_bytes;
  uint64_t bytes = bytes_per_key(s);
  uint64_t quiet = s->pushed.inactive >= 0 ? s->pushed.inactive_bytes : c->inactive_bytes;
  if (payload_bytes > 0 && s->activity_bytes > quiet) {
    s->activity_bytes = 0;
    s->last_activity = now;
  }
  bool used_up = key_sent >= UINT32_C(0xFF000000) || (bytes && s->key_bytes >= bytes) ||
                 (c->reneg_pkts && key_sent >= c->reneg_pkts);
  if (used_up && s->state == OVPN_SESSION_UP && current_key(s)->sending)
    session_renegotiate(s);
}

void ovpn_session_note_refused(OvpnSession *s, uint64_t now)
{
  enum { REFUSED_SECONDS = 5 };
  KeyState *k = current_key(s);
  s->now = now;
  if (s->state != OVPN_SESSION_RESET_SENT || s->have_peer)
    return;
  uint64_t limit = s->p.config->n_remotes > 1 ? now : session_after(k->started, REFUSED_SECONDS);
  k->must_negotiate = session_earliest(k->must_negotiate, limit);
  if (static_waits(s))
    s->push_deadline = session_earliest(s->push_deadline, limit);
}

void ovpn_session_note_peer_key(OvpnSession *s, uint64_t now, uint8_t key_id)
{
  KeyState *k = current_key(s);
  s->now = now;
  if (session_is_up(s) && k->phase == KEY_GENERATED && k->key_id == key_id && !k->sending)
    key_use(s, k);
}

void ovpn_session_note_occ_exit(OvpnSession *s, uint64_t now)
{
  s->now = now;
  if (session_is_up(s))
    session_fail(s, OVPN_FAIL_SERVER_EXIT, 0, "%s", "");
}

void ovpn_session_close(OvpnSession *s, uint64_t now)
{
  s->now = now;
  if (s->state == OVPN_SESSION_DEAD) {
    s->closed_pending = true;
    return;
  }
  if (s->state == OVPN_SESSION_CLOSING)
    return;
  bool up = session_is_up(s);
  int notify = session_exit_notify(s);
  s->close_deadline = now; /* nothing to say: closed at the next tick */
  if (up && s->p.proto == OVPN_PROTO_UDP && s->pushed.cc_exit) {
    /* The server forgets us at once instead of after its ping timeout; costs one round trip. spec
     * §12.5 */
    KeyState *k = current_key(s)->phase >= KEY_ACTIVE ? current_key(s) : other_key(s);
    if (k->phase >= KEY_ACTIVE && key_send_text(s, k, "EXIT") == OVPN_OK)
      /* an equal peer forgets us without an acknowledgement */
      s->close_deadline = s->p.config->pull ? session_after(now, 1) : now + NS_PER_S / 10;
    s->cur = (unsigned)(k - s->keys);
  } else if (up && s->p.proto == OVPN_PROTO_UDP && notify > 0) {
    s->exits_left = notify > 5 ? 5 : (unsigned)notify;
    s->close_deadline = session_after(now, 2);
  }
  if (s->state != OVPN_SESSION_DEAD)
    session_set_state(s, OVPN_SESSION_CLOSING);
  s->exit_at = now;
  ovpn_session_tick(s, now);
}

const OvpnFailure *ovpn_session_failure(const OvpnSession *s)
{
  return &s->failure;
}

bool ovpn_session_pop_event(OvpnSession *s, OvpnEvent *ret)
{
  if (s->n_events > 0) {
    OvpnEvent *e = &s->events[s->first_event];
    *ret = *e; /* with what it owns */
    ovpn_wipe(e, sizeof *e);
    s->first_event = (s->first_event + 1) % EVENTS_MAX;
    s->n_events--;
    return true;
  }
  if (s->failure.status != OVPN_OK && !s->failure_delivered) {
    s->failure_delivered = true;
    *ret = (OvpnEvent){.type = OVPN_EVENT_FAILED, .failure = s->failure};
    return true;
  }
  if (s->closed_pending) {
    s->closed_pending = false;
    *ret = (OvpnEvent){.type = OVPN_EVENT_CLOSED};
    return true;
  }
  return false;
}

const OvpnOptionList *ovpn_session_pushed_list(const OvpnSession *s)
{
  return &s->pushed_list;
}

const OvpnPushed *ovpn_session_pushed(const OvpnSession *s)
{
  return &s->pushed;
}

OvpnSessionState ovpn_session_state(const OvpnSession *s)
{
  return s->state;
}

bool ovpn_session_control_may_move(const OvpnSession *s)
{
  return s->wrap.mode != OVPN_WRAP_NONE || (s->state == OVPN_SESSION_RESET_SENT && !s->have_peer);
}

bool ovpn_session_is_with(const OvpnSession *s, const OvpnAccepted *a)
{
  return s->have_peer && memcmp(s->sid, a->sid, sizeof s->sid) == 0 &&
         memcmp(s->peer_sid, a->peer_sid, sizeof s->peer_sid) == 0;
}

bool ovpn_session_is_authentic(const OvpnSession *s)
{
  return s->state == OVPN_SESSION_KEY_EXCHANGE || s->state == OVPN_SESSION_PULL || session_is_up(s);
}
