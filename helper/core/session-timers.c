/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a session does when time passes: retransmissions, limits of a negotiation, pings, silence,
 * the polite end. spec §6, §12, §17.
 *
 * The clock is the caller's. Nothing from the network is read here. */
#include "helper/core/session-private.h"

static unsigned setting(int pushed, unsigned configured)
{
  return pushed >= 0 ? (unsigned)pushed : configured;
}

static unsigned ping_restart(const OvpnSession *s)
{
  const OvpnConfig *c = s->p.config;
  if (s->pushed.ping_restart >= 0)
    return (unsigned)s->pushed.ping_restart;
  if (s->pushed.ping_exit > 0)
    return 0;
  if (!c->ping_restart_set && !c->ping_exit && c->pull && s->p.proto == OVPN_PROTO_UDP)
    return 120; /* OpenVPN's default for a client that pulls, spec §17.1 */
  return c->ping_restart;
}

static unsigned ping_exit(const OvpnSession *s)
{
  if (s->pushed.ping_exit >= 0)
    return (unsigned)s->pushed.ping_exit;
  return s->pushed.ping_restart > 0 ? 0 : s->p.config->ping_exit;
}

int session_exit_notify(const OvpnSession *s)
{
  return s->pushed.explicit_exit_notify >= 0 ? s->pushed.explicit_exit_notify
                                             : s->p.config->explicit_exit_notify;
}

/* Seconds; 0 = no such limit. */
typedef struct IdleTimes {
  unsigned ping, restart, leave, inactive, session;
} IdleTimes;

static IdleTimes idle_times(const OvpnSession *s)
{
  const OvpnConfig *c = s->p.config;
  return (IdleTimes){.ping = setting(s->pushed.ping, c->ping),
                     .restart = ping_restart(s),
                     .leave = ping_exit(s),
                     .inactive = setting(s->pushed.inactive, c->inactive),
                     .session = setting(s->pushed.session_timeout, c->session_timeout)};
}

static uint64_t end_of(uint64_t since, unsigned seconds)
{
  return seconds ? session_after(since, seconds) : NEVER;
}

static uint64_t idle_deadline(const OvpnSession *s)
{
  const IdleTimes idle = idle_times(s);
  uint64_t t = end_of(s->last_sent, idle.ping);
  t = session_earliest(t, end_of(s->last_received, idle.restart));
  t = session_earliest(t, end_of(s->last_received, idle.leave));
  t = session_earliest(t, end_of(s->last_activity, idle.inactive));
  return session_earliest(t, end_of(s->up_since, idle.session));
}

/* Everything that had to be said before leaving is out and acknowledged. */
static bool close_notified(const OvpnSession *s)
{
  const KeyState *k = &s->keys[s->cur];
  return s->exits_left == 0 && ovpn_reliable_idle(&k->reliable) &&
         (!k->tls || ovpn_tls_output_pending(k->tls) == 0);
}

uint64_t ovpn_session_deadline(const OvpnSession *s)
{
  if (s->state == OVPN_SESSION_DEAD || s->state == OVPN_SESSION_WAIT_CREDENTIALS)
    return NEVER;
  if (s->state == OVPN_SESSION_CLOSING && close_notified(s))
    return s->now;
  uint64_t t = session_earliest(s->close_deadline, s->exit_at);
  for (unsigned i = 0; i < 2; i++) {
    const KeyState *k = &s->keys[i];
    if (k->phase == KEY_FREE)
      continue;
    t = session_earliest(t, ovpn_reliable_deadline(&k->reliable));
    if (k->phase < KEY_ACTIVE)
      t = session_earliest(t, k->must_negotiate);
    t = session_earliest(t, session_earliest(k->use_at, k->must_die));
    if (i == s->cur && s->state == OVPN_SESSION_UP)
      t = session_earliest(t, k->reneg_at);
  }
  if (s->state == OVPN_SESSION_PULL || static_waits(s))
    t = session_earliest(t, session_earliest(s->push_request_at, s->push_deadline));
  if (session_is_up(s))
    t = session_earliest(t, idle_deadline(s));
  return t;
}

bool session_own_certificate_expired(const OvpnSession *s, char ret_date[64])
{
  uint64_t wall = s->p.wall_time + (s->now - s->p.now) / NS_PER_S;
  time_t end = ovpn_tls_context_own_expiry(s->p.tls, ret_date);
  return end > 0 && wall > (uint64_t)end;
}

/* Servers tell a refusal only in answer to a request: soon for those that decide soon. */
static unsigned push_interval(const OvpnSession *s)
{
  uint64_t passed = (s->now - s->push_start) / NS_PER_S;
  return passed < 1 ? 1 : passed < 4 ? 2 : 5;
}

static void tick_negotiation(OvpnSession *s)
{
  KeyState *k = current_key(s);
  char date[64];
  if (k->phase != KEY_FREE && k->phase < KEY_ACTIVE && s->now >= k->must_negotiate) {
    if (!s->have_peer)
      session_fail(s, OVPN_FAIL_NO_ANSWER, 0, "%s", "");
    else if (session_own_certificate_expired(s, date))
      session_fail(s, OVPN_FAIL_OWN_CERT_EXPIRED, 0, "%s", date);
    else if (s->state == OVPN_SESSION_REKEYING)
      session_fail(s, OVPN_FAIL_RENEGOTIATION, 0,
                   "the server did not complete the key exchange in time");
    else
      session_fail(s, OVPN_FAIL_HANDSHAKE_TIMEOUT, s->state == OVPN_SESSION_KEY_EXCHANGE, "%s",
                   s->state == OVPN_SESSION_KEY_EXCHANGE ? "key exchange" : "TLS handshake");
  } else if (s->state == OVPN_SESSION_PULL && s->now >= s->push_deadline) {
    session_fail(s, OVPN_FAIL_NO_PUSH_REPLY, s->pending_seconds, "%s", "");
  } else if (s->state == OVPN_SESSION_PULL && s->now >= s->push_request_at) {
    s->push_request_at = session_after(s->now, push_interval(s));
    (void)key_send_text(s, k, "PUSH_REQUEST");
  }
}

static void tick_keys(OvpnSession *s)
{
  KeyState *k = current_key(s), *old = other_key(s);
  if (k->phase == KEY_GENERATED && s->now >= k->use_at)
    key_use(s, k);
  if (old->phase != KEY_FREE && s->now >= old->must_die)
    key_retire(s, old);
  if (s->state == OVPN_SESSION_UP && k->phase == KEY_GENERATED && s->now >= k->reneg_at)
    session_renegotiate(s);
}

static void tick_idle(OvpnSession *s)
{
  const IdleTimes idle = idle_times(s);
  if (s->now >= end_of(s->last_received, idle.restart)) {
    session_fail(s, OVPN_FAIL_PING_TIMEOUT, idle.restart, "%u", idle.restart);
  } else if (s->now >= end_of(s->last_received, idle.leave)) {
    session_fail(s, OVPN_FAIL_PING_EXIT, idle.leave, "%u", idle.leave);
  } else if (s->now >= end_of(s->last_activity, idle.inactive)) {
    session_fail(s, OVPN_FAIL_INACTIVE, idle.inactive, "inactive %u", idle.inactive);
  } else if (s->now >= end_of(s->up_since, idle.session)) {
    session_fail(s, OVPN_FAIL_INACTIVE, idle.session, "session-timeout %u", idle.session);
  } else if (s->now >= end_of(s->last_sent, idle.ping)) {
    s->last_sent = s->now;
    session_push_event(s, OVPN_EVENT_SEND_PING);
  }
}

static void tick_closing(OvpnSession *s)
{
  if (s->exits_left > 0 && s->now >= s->exit_at) {
    session_push_event(s, OVPN_EVENT_SEND_OCC_EXIT);
    s->exits_left--;
    s->exit_at = s->now + NS_PER_S / 10;
  }
  if (s->exits_left == 0)
    s->exit_at = NEVER;
  if (close_notified(s) || s->now >= s->close_deadline) {
    s->closed_pending = true;
    s->close_deadline = s->exit_at = NEVER;
    session_set_state(s, OVPN_SESSION_DEAD);
  }
}

void ovpn_session_tick(OvpnSession *s, uint64_t now)
{
  s->now = now;
  if (s->state == OVPN_SESSION_DEAD || s->state == OVPN_SESSION_WAIT_CREDENTIALS)
    return;
  if (s->state == OVPN_SESSION_CLOSING) {
    tick_closing(s);
    return;
  }
  if (static_waits(s))
    static_tick(s);
  tick_negotiation(s);
  if (s->state != OVPN_SESSION_DEAD)
    tick_keys(s);
  if (session_is_up(s))
    tick_idle(s);
}
