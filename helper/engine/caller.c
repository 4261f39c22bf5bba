/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is the peer? On a socket that is not connected everybody can send; with the role of the TLS
 * server a peer may call at any time, also one that was started anew.
 *
 * Trust: a packet from elsewhere changes nothing until it is authentic. A data packet is when its
 * tag and its number are good: then, where the profile floats, packets go to its sender from now
 * on. A call is answered without memory of it (OvpnWelcome); who answers in turn gets a session
 * beside the present one, one for each address and four for all, and takes its place once his
 * certificate is good. Invariant: the present session notices nothing of any of this before. spec
 * §2, §5, §16.3.
 */
#include "helper/engine/caller.h"
#include <string.h>
#include <time.h>
#include "helper/core/address.h"
#include "helper/core/packet.h"
#include "helper/engine/engine.h"

/* How long a caller keeps his place when there are too many. */
static const uint64_t patience = UINT64_C(10000000000);
/* Somebody on the way could make the peer seem to jump with every packet. */
static const uint64_t tell_every = UINT64_C(1000000000);

static void forget(Call *call)
{
  ovpn_session_free(call->session);
  *call = (Call){0};
}

bool caller_start(Engine *e, OvpnFailure *f)
{
  struct timespec wall;
  const Link *l = &e->link;
  bool waits = l->open && l->peer.ss_family == AF_UNSPEC;
  if (l->proto != OVPN_PROTO_UDP || l->head_len || !ovpn_config_is_p2p(&e->config) ||
      !(e->config.tls_server || waits))
    return true;
  clock_gettime(CLOCK_REALTIME, &wall);
  return ovpn_welcome_new(&e->config, engine_random, NULL, (uint32_t)wall.tv_sec, e->now,
                          &e->caller.welcome, f) == OVPN_OK;
}

void caller_end(Engine *e)
{
  for (unsigned i = 0; i < CALLS_MAX; i++)
    forget(&e->caller.calls[i]);
  ovpn_welcome_free(e->caller.welcome);
  e->caller = (Caller){0};
}

static void tell_peer(Engine *e)
{
  Caller *c = &e->caller;
  c->to_tell = c->told_at && e->now - c->told_at < tell_every;
  if (c->to_tell)
    return;
  c->told_at = e->now;
  control_send_peer(e, &e->dp.peer.peer);
}

static void move_to(Engine *e, const struct sockaddr_storage *to)
{
  Link *l = &e->link;
  if (ovpn_address_same(to, &l->peer))
    return;
  if (l->open)
    l->peer = *to;
  l->heard = true;
  e->dp.peer.peer = ovpn_address_plain(to);
  tell_peer(e);
}

/* ---- calls ---- */

static void refuse(Engine *e, Call *call)
{
  const OvpnFailure *f = ovpn_session_failure(call->session);
  struct sockaddr_storage from = ovpn_address_plain(&call->from);
  if (f->status != OVPN_OK)
    control_send_caller_refused(e, &from, f);
  forget(call);
}

/* The caller has shown who he is. */
static void accept_call(Engine *e, Call *call)
{
  OvpnSession *next = call->session;
  call->session = NULL;
  revive_end(e);
  move_to(e, &call->from);
  drive_replace(e, next);
}

static void pump(Engine *e, Call *call)
{
  uint8_t buf[OVPN_PACKET_MAX];
  size_t n;
  while ((n = ovpn_session_output(call->session, e->now, buf, sizeof buf)) > 0)
    link_send_to(&e->link, &call->from, buf, n);
  if (ovpn_session_is_authentic(call->session))
    accept_call(e, call);
  else if (ovpn_session_state(call->session) == OVPN_SESSION_DEAD)
    refuse(e, call);
}

enum { PORT_LEN = 2, NET4_LEN = 3, NET6_LEN = 7, FROM_MAX = 18 };

/* The bytes that stand for an address; a /24 or a /56 is one network. */
static OvpnFrom from_address(const struct sockaddr_storage *a, uint8_t buf[FROM_MAX])
{
  struct sockaddr_storage plain = ovpn_address_plain(a);
  size_t n;
  const uint8_t *bytes = ovpn_address_bytes(&plain, &n);
  uint16_t port = ovpn_address_port(&plain);
  if (n)
    memcpy(buf, bytes, n);
  memcpy(buf + n, &port, PORT_LEN);
  size_t network = plain.ss_family == AF_INET6 ? NET6_LEN : NET4_LEN;
  return (OvpnFrom){buf, n + PORT_LEN, network < n ? network : n};
}

static Call *find_call(Caller *c, const struct sockaddr_storage *from)
{
  for (unsigned i = 0; i < CALLS_MAX; i++)
    if (c->calls[i].session && ovpn_address_same(from, &c->calls[i].from))
      return &c->calls[i];
  return NULL;
}

/* Who calls again from the same address has been started anew; else a free place, or that of the
 * oldest call. NULL = too many. */
static Call *find_place(Engine *e, const struct sockaddr_storage *from, bool known)
{
  Call *own = find_call(&e->caller, from), *oldest = NULL;
  if (own)
    return own;
  for (unsigned i = 0; i < CALLS_MAX; i++) {
    Call *call = &e->caller.calls[i];
    if (!call->session)
      return call;
    if (!oldest || call->since < oldest->since)
      oldest = call;
  }
  return known || e->now - oldest->since >= patience ? oldest : NULL;
}

static void begin_call(Engine *e, const OvpnAccepted *a, const struct sockaddr_storage *from,
                       const OvpnFrom *bytes, const uint8_t *p, size_t len)
{
  OvpnFailure f = {0};
  bool known = ovpn_address_same_host(from, &e->link.peer); /* the tunnel leads there */
  Call *call = find_place(e, from, known);
  if (!call || !ovpn_welcome_may_begin(e->caller.welcome, e->now, bytes, known))
    return;
  forget(call);
  if (drive_new_session(e, &e->link, a, &call->session, &f) != OVPN_OK)
    return;
  call->from = *from;
  call->since = e->now;
  (void)ovpn_session_input(call->session, e->now, p, len);
  pump(e, call);
}

bool caller_input(Engine *e, const struct sockaddr_storage *from, const uint8_t *p, size_t len)
{
  Caller *c = &e->caller;
  OvpnAccepted accepted;
  uint8_t address[FROM_MAX], out[OVPN_PACKET_MAX];
  size_t n = 0;
  if (!c->welcome || e->phase != ENGINE_SESSION)
    return false;
  Call *call = find_call(c, from);
  if (call && ovpn_session_input(call->session, e->now, p, len) != OVPN_DROP_SESSION_ID) {
    pump(e, call);
    return true;
  }
  OvpnFrom bytes = from_address(from, address);
  if (ovpn_welcome_input(c->welcome, e->now, &bytes, p, len, out, sizeof out, &n, &accepted) !=
      OVPN_OK)
    return false;
  if (n > 0)
    link_send_to(&e->link, from, out, n);
  else if (!ovpn_session_is_with(e->session, &accepted)) /* else an old packet of its peer */
    begin_call(e, &accepted, from, &bytes, p, len);
  return true;
}

/* ---- packets from elsewhere ---- */

/* true: it was authentic. */
static bool stray_data(Engine *e, const Packet *p)
{
  bool before = e->dp.notes.received;
  e->dp.notes.received = false;
  e->rx.p[0] = *p;
  e->rx.first = 0;
  e->rx.n = 1;
  datapath_receive(&e->dp, &e->tun, &e->rx);
  bool good = e->dp.notes.received;
  e->dp.notes.received |= before;
  return good;
}

static void stray(Engine *e, const Stray *s)
{
  bool unknown = e->link.peer.ss_family == AF_UNSPEC, may_move = unknown || e->config.is_float;
  bool own = ovpn_address_same(&s->from, &e->link.peer); /* since the packet before this one */
  const Packet *p = &s->packet;
  if (p->len == 0) {
    e->dp.stats.drops_format++;
  } else if (e->dp.bare || ovpn_op_is_data(ovpn_opcode(p->data[0]))) {
    if (!may_move && !own)
      e->dp.stats.drops_link++;
    else if (stray_data(e, p))
      move_to(e, &s->from);
  } else {
    drive_catch_up(e); /* the session has to be ours */
    if (!e->session)
      return;
    bool session = own || (e->config.is_float && ovpn_session_control_may_move(e->session));
    if (drive_control(e, p->data, p->len, &s->from, session) && e->session)
      move_to(e, &s->from);
  }
}

void caller_strays(Engine *e)
{
  for (unsigned i = 0; i < e->link.n_strays && e->session; i++) {
    Stray s = e->link.strays[i];
    stray(e, &s);
  }
  e->link.n_strays = 0;
}

/* ---- time ---- */

void caller_tick(Engine *e)
{
  if (e->caller.to_tell)
    tell_peer(e);
  for (unsigned i = 0; i < CALLS_MAX; i++) {
    Call *call = &e->caller.calls[i];
    if (!call->session || ovpn_session_deadline(call->session) > e->now)
      continue;
    ovpn_session_tick(call->session, e->now);
    pump(e, call);
  }
}

uint64_t caller_deadline(const Engine *e)
{
  uint64_t t = e->caller.to_tell ? e->caller.told_at + tell_every : UINT64_MAX;
  for (unsigned i = 0; i < CALLS_MAX; i++) {
    const OvpnSession *s = e->caller.calls[i].session;
    if (s && ovpn_session_deadline(s) < t)
      t = ovpn_session_deadline(s);
  }
  return t;
}
