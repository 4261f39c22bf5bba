/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Who is the peer? On a socket that is not connected everybody can send; with the role of the TLS
 * server a peer may call at any time, also one that was started anew.
 *
 * Trust: a packet from elsewhere changes nothing until it is authentic. A data packet is when its
 * tag and its number are good: then, where the profile floats, packets go to its sender from now
 * on. A call is answered without memory of it (OvpnWelcome); who answers in turn gets a session
 * beside the present one, a single one for all callers, and takes its place once his certificate is
 * good. Invariant: the present session notices nothing of any of this before. spec §2, §5, §16.3.
 */
#include "helper/engine/caller.h"
#include <string.h>
#include <time.h>
#include "helper/core/address.h"
#include "helper/core/packet.h"
#include "helper/engine/engine.h"

/* How long a caller may keep others waiting before he has shown who he is. */
static const uint64_t patience = UINT64_C(10000000000);

static void forget_next(Caller *c)
{
  ovpn_session_free(c->next);
  c->next = NULL;
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
  forget_next(&e->caller);
  ovpn_welcome_free(e->caller.welcome);
  e->caller = (Caller){0};
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
  control_send_peer(e, &e->dp.peer.peer);
}

/* ---- calls ---- */

static void refuse(Engine *e)
{
  Caller *c = &e->caller;
  const OvpnFailure *f = ovpn_session_failure(c->next);
  struct sockaddr_storage from = ovpn_address_plain(&c->from);
  if (f->status != OVPN_OK)
    control_send_caller_refused(e, &from, f);
  forget_next(c);
}

/* The caller has shown who he is. */
static void accept_next(Engine *e)
{
  Caller *c = &e->caller;
  OvpnSession *next = c->next;
  c->next = NULL;
  revive_end(e);
  move_to(e, &c->from);
  drive_replace(e, next);
}

static void pump(Engine *e)
{
  Caller *c = &e->caller;
  uint8_t buf[OVPN_PACKET_MAX];
  size_t n;
  while ((n = ovpn_session_output(c->next, e->now, buf, sizeof buf)) > 0)
    link_send_to(&e->link, &c->from, buf, n);
  if (ovpn_session_is_authentic(c->next))
    accept_next(e);
  else if (ovpn_session_state(c->next) == OVPN_SESSION_DEAD)
    refuse(e);
}

/* The bytes that stand for an address in an id. */
static size_t address_bytes(const struct sockaddr_storage *a, uint8_t ret[18])
{
  size_t len;
  const uint8_t *bytes = ovpn_address_bytes(a, &len);
  uint16_t port = ovpn_address_port(a);
  memcpy(ret, &port, sizeof port);
  if (len)
    memcpy(ret + sizeof port, bytes, len);
  return sizeof port + len;
}

static void begin_next(Engine *e, const OvpnAccepted *a, const struct sockaddr_storage *from,
                       const uint8_t *p, size_t len)
{
  Caller *c = &e->caller;
  OvpnFailure f = {0};
  if (c->next && e->now - c->since < patience)
    return;
  forget_next(c);
  if (drive_new_session(e, &e->link, a, &c->next, &f) != OVPN_OK)
    return;
  c->from = *from;
  c->since = e->now;
  (void)ovpn_session_input(c->next, e->now, p, len);
  pump(e);
}

bool caller_input(Engine *e, const struct sockaddr_storage *from, const uint8_t *p, size_t len)
{
  Caller *c = &e->caller;
  OvpnAccepted accepted;
  uint8_t address[18], out[OVPN_PACKET_MAX];
  size_t n = 0;
  if (!c->welcome || e->phase != ENGINE_SESSION)
    return false;
  if (c->next && ovpn_address_same(from, &c->from) &&
      ovpn_session_input(c->next, e->now, p, len) != OVPN_DROP_SESSION_ID) {
    pump(e);
    return true;
  }
  if (ovpn_welcome_input(c->welcome, e->now, address, address_bytes(from, address), p, len, out,
                         sizeof out, &n, &accepted) != OVPN_OK)
    return false;
  if (n > 0)
    link_send_to(&e->link, from, out, n);
  else if (!ovpn_session_is_with(e->session, &accepted)) /* else an old packet of its peer */
    begin_next(e, &accepted, from, p, len);
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
  Caller *c = &e->caller;
  if (!c->next || ovpn_session_deadline(c->next) > e->now)
    return;
  ovpn_session_tick(c->next, e->now);
  pump(e);
}

uint64_t caller_deadline(const Engine *e)
{
  return e->caller.next ? ovpn_session_deadline(e->caller.next) : UINT64_MAX;
}
