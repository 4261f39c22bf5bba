/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Happy Eyeballs for OpenVPN: when an address does not answer at once, the service opens links to
 * the next ones beside it. Each has a session of its own that says hello (a hard reset) and nothing
 * more. The first whose answer passes the control channel's checks takes the engine's place; the
 * others are closed before they have cost their servers a handshake. RFC 8305, spec §3.
 *
 * While a tunnel is up, rivals ask other addresses of a server that has fallen silent (revive.c):
 * there the one that was answered waits until the old session has been asked a last time in vain.
 *
 * Trust: an answer is as authentic as the control channel is. Invariants: at most RACE_RIVALS
 * links beside the engine's own; a session is touched only while the options of its remote are
 * selected; a rival that is over is reported with its number, one that lost is not. */
#include "helper/engine/race.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "helper/core/address.h"
#include "helper/core/packet.h"
#include "helper/engine/engine.h"

enum { NOBODY = RACE_RIVALS };

static void vacate(Rival *r)
{
  *r = (Rival){.link.fd = -1, .watch.fd = -1};
  via_init(&r->via);
}

static bool taken(const Rival *r)
{
  return r->session || r->via.machine;
}

void race_init(Engine *e)
{
  for (unsigned i = 0; i < RACE_RIVALS; i++)
    vacate(&e->race.rivals[i]);
}

static void leave(Engine *e, unsigned i)
{
  Rival *r = &e->race.rivals[i];
  ovpn_session_free(r->session);
  loop_forget_rival(e, i);
  link_close(&r->link);
  via_end(e, &r->via);
  vacate(r);
}

void race_end(Engine *e)
{
  for (unsigned i = 0; i < RACE_RIVALS; i++)
    if (taken(&e->race.rivals[i]))
      leave(e, i);
}

unsigned race_rivals(const Engine *e)
{
  unsigned n = 0;
  for (unsigned i = 0; i < RACE_RIVALS; i++)
    n += taken(&e->race.rivals[i]);
  return n;
}

bool race_open(const Engine *e)
{
  if (e->phase != ENGINE_SESSION || ovpn_config_is_static(&e->config))
    return false;
  if (e->session && e->dp.up)
    return revive_doubts(e);
  return e->session ? ovpn_session_state(e->session) == OVPN_SESSION_RESET_SENT
                    : e->via.machine != NULL;
}

static void report(Engine *e, uint16_t number, const OvpnFailure *f)
{
  control_send_failed(e, f, number, true);
}

/* The rival's own words for its end, when it has some. */
static void lose(Engine *e, unsigned i, const OvpnFailure *cause)
{
  Rival *r = &e->race.rivals[i];
  OvpnFailure f = cause ? *cause : *ovpn_session_failure(r->session);
  ovpn_failure_set(&f, OVPN_FAIL_NO_ANSWER, "%s", "");
  uint16_t number = r->number;
  leave(e, i);
  report(e, number, &f);
}

/* A hello is small and the socket new: what does not go out at once is said again anyway. */
static bool push(Rival *r, const uint8_t *p, size_t n, OvpnFailure *f)
{
  bool tcp = r->link.proto == OVPN_PROTO_TCP;
  uint8_t length[2] = {(uint8_t)(n >> 8), (uint8_t)n};
  size_t head = tcp ? sizeof length : r->link.head_len;
  struct iovec iov[2] = {{tcp ? length : r->link.head, head}, {(void *)(uintptr_t)p, n}};
  struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};
  if (r->link.open) {
    m.msg_name = &r->link.peer;
    m.msg_namelen = ovpn_address_len(&r->link.peer);
  }
  ssize_t done = sendmsg(r->link.fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (done < 0 && !tcp) {
    r->link.refused |= errno == ECONNREFUSED;
    r->link.last_error = errno;
    return true;
  }
  if (done == (ssize_t)(n + head))
    return true;
  ovpn_failure_set(f, OVPN_FAIL_LINK, "%s", done < 0 ? strerror(errno) : "the stream is full");
  return false;
}

static bool speak(Engine *e, Rival *r, OvpnFailure *f)
{
  uint8_t buf[OVPN_PACKET_MAX];
  size_t n;
  bool ok = true;
  while (ok && (n = ovpn_session_output(r->session, e->now, buf, sizeof buf)) > 0)
    ok = push(r, buf, n, f);
  return ok;
}

static void refused(OvpnFailure *f)
{
  *f = (OvpnFailure){.arg = 1};
  ovpn_failure_set(f, OVPN_FAIL_NO_ANSWER, "connection refused");
}

/* What is due; false: it has lost, and is gone. */
static bool attend(Engine *e, unsigned i)
{
  Rival *r = &e->race.rivals[i];
  OvpnFailure f = {0};
  ovpn_config_select(&e->config, r->remote);
  if (ovpn_session_deadline(r->session) <= e->now)
    ovpn_session_tick(r->session, e->now);
  bool alive = ovpn_session_state(r->session) != OVPN_SESSION_DEAD;
  if (alive && !speak(e, r, &f))
    alive = false;
  if (r->link.refused) {
    alive = false;
    refused(&f);
  }
  ovpn_config_select(&e->config, e->race.remote);
  if (!alive)
    lose(e, i, f.status ? &f : NULL);
  return alive;
}

bool race_waits(const Engine *e, unsigned i)
{
  return e->race.rivals[i].session && !e->race.rivals[i].answered;
}

void race_tick(Engine *e)
{
  for (unsigned i = 0; i < RACE_RIVALS; i++)
    if (race_waits(e, i) && ovpn_session_deadline(e->race.rivals[i].session) <= e->now)
      attend(e, i);
}

uint64_t race_deadline(const Engine *e)
{
  uint64_t t = UINT64_MAX;
  for (unsigned i = 0; i < RACE_RIVALS; i++) {
    uint64_t d = race_waits(e, i) ? ovpn_session_deadline(e->race.rivals[i].session) : UINT64_MAX;
    t = d < t ? d : t;
  }
  return t;
}

static unsigned free_place(const Engine *e)
{
  unsigned i = 0;
  while (i < RACE_RIVALS && taken(&e->race.rivals[i]))
    i++;
  return i;
}

/* The options of the remote are selected. false: it has lost. */
static bool say_hello(Engine *e, unsigned i)
{
  Rival *r = &e->race.rivals[i];
  OvpnFailure f = {0};
  OvpnStatus st = drive_new_session(e, &r->link, NULL, &r->session, &f);
  if (st == OVPN_OK && ovpn_session_state(r->session) == OVPN_SESSION_RESET_SENT)
    return attend(e, i);
  ovpn_failure_set(&f, st == OVPN_OK ? OVPN_FAIL_CREDENTIALS : st, "session");
  lose(e, i, &f);
  return false;
}

static void join_directly(Engine *e, unsigned i, const DriveLink *l)
{
  Rival *r = &e->race.rivals[i];
  OvpnFailure f = {0};
  if (link_open(&r->link, l->proto, l->ipv6, l->fd)) {
    if (l->mode == OVPN_LINK_OPEN)
      link_set_open(&r->link, &l->peer);
    say_hello(e, i);
  } else {
    ovpn_failure_set(&f, OVPN_FAIL_MEMORY, "link");
    lose(e, i, &f);
  }
}

void race_join(Engine *e, const DriveLink *l)
{
  unsigned i = free_place(e);
  OvpnFailure f = {0};
  if (i == NOBODY) {
    ovpn_failure_set(&f, OVPN_FAIL_MEMORY, "too many links");
    close(l->fd);
    report(e, l->number, &f);
    return;
  }
  e->race.rivals[i].number = l->number;
  e->race.rivals[i].remote = l->remote;
  ovpn_config_select(&e->config, l->remote);
  if (l->proxy)
    via_start(e, &e->race.rivals[i].via, l);
  else
    join_directly(e, i, l);
  ovpn_config_select(&e->config, e->race.remote);
}

static unsigned place_of(const Engine *e, const Via *v)
{
  unsigned i = 0;
  while (i < RACE_RIVALS && v != &e->race.rivals[i].via)
    i++;
  return i;
}

Link *race_via_open(Engine *e, Via *v, int fd, const OvpnSocksAddress *relay)
{
  unsigned i = place_of(e, v);
  Rival *r = &e->race.rivals[i];
  OvpnFailure f = {0};
  if (!link_open(&r->link, relay ? OVPN_PROTO_UDP : OVPN_PROTO_TCP, v->ipv6, fd)) {
    ovpn_failure_set(&f, OVPN_FAIL_MEMORY, "link");
    lose(e, i, &f);
    return NULL;
  }
  if (relay)
    r->link.head_len = (uint8_t)ovpn_socks_udp_header(relay, r->link.head);
  return say_hello(e, i) ? &r->link : NULL;
}

void race_via_failed(Engine *e, Via *v, const OvpnFailure *f)
{
  lose(e, place_of(e, v), f);
}

void race_via_preloaded(Engine *e, Via *v)
{
  race_ready(e, place_of(e, v));
}

/* The engine's own session and link are replaced, the TUN stays. */
static void take_over(Engine *e, unsigned i)
{
  loop_forget_rival(e, i);
  loop_forget_via(e, &e->race.rivals[i].via);
  Rival r = e->race.rivals[i];
  vacate(&e->race.rivals[i]);
  drive_take_over(e, &r.link, r.session, &r.via);
  ovpn_wipe(&r.via, sizeof r.via);
  e->race.number = r.number;
  e->race.remote = r.remote;
  e->race.answered = false;
  ovpn_config_select(&e->config, r.remote);
}

bool race_succeed(Engine *e)
{
  unsigned oldest = NOBODY;
  for (unsigned i = 0; i < RACE_RIVALS; i++)
    if (taken(&e->race.rivals[i]) &&
        (oldest == NOBODY || e->race.rivals[i].number < e->race.rivals[oldest].number))
      oldest = i;
  if (oldest == NOBODY)
    return false;
  take_over(e, oldest);
  return true;
}

void race_drop(Engine *e, uint16_t number)
{
  for (unsigned i = 0; i < RACE_RIVALS; i++)
    if (taken(&e->race.rivals[i]) && e->race.rivals[i].number == number) {
      leave(e, i);
      return;
    }
  if (number == e->race.number && (e->session || e->via.machine))
    drive_drop(e);
}

void race_answered(Engine *e)
{
  if (e->race.answered)
    return;
  e->race.answered = true;
  race_end(e);
  control_send_chosen(e, e->race.number);
}

static void win(Engine *e, unsigned i)
{
  take_over(e, i);
  e->rx_more = e->link.proto == OVPN_PROTO_TCP; /* more of the same read may be there */
  race_answered(e);
}

void race_ready(Engine *e, unsigned i)
{
  Rival *r = &e->race.rivals[i];
  OvpnFailure f = {0};
  r->link.errors = r->link.open;
  LinkResult got = r->link.ops->recv(&r->link, &e->rx, &e->dp.stats, &f);
  bool won = false;
  ovpn_config_select(&e->config, r->remote);
  for (unsigned k = 0; got == LINK_OK && !won && k < e->rx.n; k++)
    won = ovpn_session_input(r->session, e->now, e->rx.p[k].data, e->rx.p[k].len) == OVPN_OK;
  ovpn_config_select(&e->config, e->race.remote);
  if (won && !e->dp.up) {
    win(e, i);
  } else if (won) {
    r->answered = revive_other_answered(e);
    if (!r->answered)
      leave(e, i); /* the tunnel that is up has spoken in the meantime */
  } else if (got == LINK_LOST) {
    lose(e, i, &f);
  } else {
    attend(e, i);
  }
}

void race_take(Engine *e)
{
  unsigned i = 0;
  while (i < RACE_RIVALS && !e->race.rivals[i].answered)
    i++;
  if (i < RACE_RIVALS)
    win(e, i);
}
