/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Has the server been started anew? UDP does not tell: OpenVPN waits for ping-restart, a minute or
 * two. Here doubt begins half a second after payload that nothing followed, or with an ICMP
 * error. Then two questions go out: a probe that only a server with our session answers, and the
 * hello of a new session that any server answers. The first answered: all is well, and the next
 * doubt waits longer. Only the second answered: the new session takes the place of the old on the
 * same socket. None: the path is interrupted or the server is away; the old session is kept, for it
 * may be good still, and questions go out less and less often, until ping-restart decides.
 *
 * Meanwhile the service is told, and sends links to other addresses and servers of the profile
 * (race.c). When one of them answers, the old session is asked a last time, for as long as an
 * answer takes; then the other takes its place. Over TCP a lost packet holds up all behind it, so
 * doubt takes longer there, a hello goes out on connections of its own only, and nothing is
 * concluded while the kernel still sees acknowledgements come in.
 *
 * Trust: ICMP errors and silence can be forged; they only make us ask. Both answers are as
 * authentic as the control channel is, and the new session has its own handshake. Invariants: a
 * session is given up here only after several probes were not answered and a hello was; a server
 * that was never seen to answer a probe is not judged by them, unless its port was closed in the
 * meantime. spec §3, §16.3. */
#include "helper/engine/revive.h"
#include <errno.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "helper/core/packet.h"
#include "helper/engine/engine.h"

static const uint64_t ms = 1000000u;
enum {
  PATIENCE_MS = 500,
  PATIENCE_MAX_MS = 64000,
  LEARN_MS = 250, /* between the first two probes; doubled each time */
  LEARN_MAX = 6,
  HELLO_MS = 200,      /* after the first probe */
  SOCKET_MS = 500,     /* between two sockets that are asked for */
  VERDICT_MS = 200,    /* after the hello was answered */
  WOKEN_TCP_MS = 5000, /* how long a TCP connection may be silent after sleep */
  TELL_MS = 1000,      /* of doubt, before the service looks for other addresses and servers */
  TELL_TCP_MS = 2500,  /* the same over TCP: four retransmissions */
  TELL_WOKEN_MS = 500, /* the same after sleep: whom we miss has had time enough */
  TELL_AGAIN_MS = 15000,
  TELL_AGAIN_MAX_MS = 120000,
  PROBE_TCP_MS = 1000, /* between two probes over TCP, where none is lost */
  VERDICT_MAX_MS = 2000,
  MOVING_MS = 1000, /* TCP: acknowledged so recently, the connection lives */
  PINGS_MISSED = 2,
  PING_LATE_MS = 2000,
  PROBES_MIN = 3,   /* without an answer, before a session is given up */
  REFUSALS_MIN = 2, /* the same, where no probe was ever answered */
};

static bool applies(const Engine *e)
{
  return e->session && e->phase == ENGINE_SESSION && e->dp.up && ovpn_session_can_probe(e->session);
}

static bool over_udp(const Engine *e)
{
  return e->link.proto == OVPN_PROTO_UDP;
}

/* Packets that are on their way are acknowledged by the kernel at the other end. */
static bool stream_moves(const Engine *e)
{
  struct tcp_info t = {0};
  socklen_t len = sizeof t;
  return !over_udp(e) && getsockopt(e->link.fd, IPPROTO_TCP, TCP_INFO, &t, &len) == 0 &&
         t.tcpi_unacked > 0 && t.tcpi_last_ack_recv < MOVING_MS;
}

static void begin_doubt(Engine *e, unsigned hello_ms, unsigned tell_ms)
{
  Revive *r = &e->revive;
  r->doubt = r->probe_at = e->now;
  r->hello_at = over_udp(e) ? e->now + hello_ms * ms : UINT64_MAX;
  r->tell_at = e->now + tell_ms * ms;
  r->tell_pause = TELL_AGAIN_MS * ms;
  r->unanswered = 0;
}

static void forget_next(Revive *r)
{
  ovpn_session_free(r->next);
  r->next = NULL;
  r->answered = 0;
}

void revive_end(Engine *e)
{
  forget_next(&e->revive);
  e->revive = (Revive){0};
}

static void tell_heard(Engine *e)
{
  if (e->revive.told)
    control_send_silent(e, false);
  e->revive.told = false;
}

static void certain(Engine *e)
{
  Revive *r = &e->revive;
  r->heard = e->now;
  r->silent_since = 0;
  r->tcp_until = 0;
  r->refusals = 0;
  if (!r->doubt)
    return;
  r->doubt = r->other = 0;
  race_end(e); /* other addresses need not be asked any more */
  tell_heard(e);
  r->patience = r->patience ? r->patience * 2 : 2 * PATIENCE_MS * ms;
  if (r->patience > PATIENCE_MAX_MS * ms)
    r->patience = PATIENCE_MAX_MS * ms;
  forget_next(r);
}

void revive_alive(Engine *e)
{
  certain(e);
}

void revive_note(Engine *e, bool received, bool payload)
{
  Revive *r = &e->revive;
  if (received) {
    certain(e);
    if (payload)
      r->patience = 0;
  } else if (payload && !r->silent_since) {
    r->silent_since = e->now;
  }
}

/* false: there was nothing to say, or no room. */
static bool say(Engine *e, OvpnSession *s, bool probe)
{
  uint8_t *p = batch_reserve(&e->tx, 1, OVPN_PACKET_MAX);
  if (!p)
    return false;
  p += PACKET_HEADROOM;
  size_t n = probe ? ovpn_session_probe(s, e->now, p, OVPN_PACKET_MAX)
                   : ovpn_session_output(s, e->now, p, OVPN_PACKET_MAX);
  if (n > 0)
    batch_push(&e->tx, p, n, e->link.proto == OVPN_PROTO_TCP);
  return n > 0;
}

/* One question each half second at first, in the end one in ten seconds. */
static uint64_t pause_between(const Engine *e)
{
  uint64_t age = e->now - e->revive.doubt;
  if (!over_udp(e) && age < 10000 * ms)
    return PROBE_TCP_MS * ms;
  return age < 1000 * ms    ? 200 * ms
         : age < 10000 * ms ? 500 * ms
         : age < 60000 * ms ? 2000 * ms
                            : 10000 * ms;
}

static void say_hello(Engine *e)
{
  Revive *r = &e->revive;
  OvpnFailure f = {0};
  forget_next(r);
  r->hello_at = e->now + (e->now - r->doubt < 2000 * ms ? 500 * ms : pause_between(e));
  if (drive_new_session(e, &e->link, NULL, &r->next, &f) != OVPN_OK)
    return;
  if (ovpn_session_state(r->next) == OVPN_SESSION_RESET_SENT)
    say(e, r->next, false);
  else
    forget_next(r); /* somebody would have to be asked for a password: not before it is sure */
}

bool revive_input(Engine *e, const uint8_t *pkt, size_t len)
{
  Revive *r = &e->revive;
  if (!r->next || ovpn_session_input(r->next, e->now, pkt, len) != OVPN_OK)
    return false;
  if (!r->answered) {
    r->answered = e->now;
    r->unanswered = 0;
    r->probe_at = e->now; /* the last chances of the old session */
  }
  return true;
}

bool revive_other_answered(Engine *e)
{
  Revive *r = &e->revive;
  if (!revive_doubts(e) || r->answered)
    return false;
  if (!r->other) {
    r->other = e->now;
    if (over_udp(e))
      r->unanswered = 0;
    r->probe_at = e->now;
  }
  return true;
}

static void learn(Engine *e)
{
  Revive *r = &e->revive;
  if (ovpn_session_probes_answered(e->session) > 0) {
    r->works = true;
    r->round_trip = e->now - r->learned_at;
    control_log(e, 6, OVPN_LOG_TEXT, "the server answers probes");
  } else if (r->learned < LEARN_MAX && e->now >= r->learn_at && say(e, e->session, true)) {
    r->learned_at = e->now;
    r->learn_at = e->now + (LEARN_MS * ms << r->learned++);
  }
}

/* How long the old session has for its last word, when another one could begin. */
static uint64_t verdict(const Engine *e)
{
  uint64_t t = 2 * e->revive.round_trip;
  return t < VERDICT_MS * ms ? VERDICT_MS * ms : t > VERDICT_MAX_MS * ms ? VERDICT_MAX_MS * ms : t;
}

static bool is_over(const Engine *e, uint64_t answered)
{
  return answered && e->now >= answered + verdict(e) && e->revive.unanswered >= PROBES_MIN;
}

static void give_up_old(Engine *e)
{
  OvpnSession *next = e->revive.next;
  e->revive.next = NULL;
  tell_heard(e);
  revive_end(e);
  control_log(e, 5, OVPN_LOG_TEXT, "the server was started anew: new session, the tunnel is kept");
  drive_replace(e, next);
}

/* Errors that a socket has for ever once its own address is gone, or that a new route cures. */
static bool address_lost(int err)
{
  return err == EINVAL || err == EADDRNOTAVAIL || err == ENETUNREACH || err == ENETDOWN ||
         err == ENODEV;
}

/* The computer has moved to another network. With a peer id in its packets the server follows. */
static void follow_address(Engine *e)
{
  static const OvpnSocksAddress same;
  Revive *r = &e->revive;
  bool lost = over_udp(e) && address_lost(e->link.last_error);
  if (e->link.last_error)
    e->link.last_error = 0;
  if (!lost || e->peer_id < 0 || e->link.head_len || e->link.open || e->now < r->socket_at)
    return;
  r->socket_at = e->now + SOCKET_MS * ms;
  r->socket_wanted = true;
  control_send_socket_wanted(e, e->race.number, true, &same);
}

bool revive_socket(Engine *e, int fd)
{
  Revive *r = &e->revive;
  if (!r->socket_wanted || !e->session || e->link.fd < 0 || e->via.machine)
    return false;
  r->socket_wanted = false;
  loop_forget_link(e);
  close(e->link.fd);
  e->link.fd = fd;
  control_log(e, 5, OVPN_LOG_TEXT, "the network address of this computer has changed: new socket");
  /* Only a data packet tells the server where we are now. */
  datapath_send(&e->dp, &e->tx, ovpn_ping_magic, sizeof ovpn_ping_magic);
  if (!r->doubt && r->works)
    begin_doubt(e, 2 * HELLO_MS, TELL_MS);
  return true;
}

/* Would silence mean anything? The port of a server that never answered a probe has to be closed.
 */
static bool judges(const Revive *r)
{
  return r->works || r->refusals >= REFUSALS_MIN || r->doubt;
}

/* What is due while it is not known whether the server is there. */
static void ask(Engine *e)
{
  Revive *r = &e->revive;
  if (e->now >= r->probe_at) {
    say(e, e->session, true);
    r->unanswered++;
    bool last = r->answered || r->other;
    r->probe_at = e->now + (last ? verdict(e) / PROBES_MIN : pause_between(e));
  }
  if (!r->answered && e->now >= r->hello_at)
    say_hello(e);
  if (r->answered || r->other || e->now < r->tell_at)
    return;
  if (stream_moves(e)) {
    r->tell_at = e->now + MOVING_MS / 2 * ms;
    return;
  }
  r->tell_at = e->now + r->tell_pause;
  r->tell_pause =
      2 * r->tell_pause < TELL_AGAIN_MAX_MS * ms ? 2 * r->tell_pause : TELL_AGAIN_MAX_MS * ms;
  r->told = true;
  control_send_silent(e, true);
}

/* When two pings of the server have not come: nobody sends payload, but somebody may want to reach
 * us. Servers ping as often as they have told us to (keepalive). UINT64_MAX = it may be silent. */
static uint64_t missed_at(const Engine *e)
{
  const OvpnPushed *p = ovpn_session_pushed(e->session);
  int ping = p && p->ping >= 0 ? p->ping : (int)e->config.ping;
  if (ping <= 0 || !e->revive.heard)
    return UINT64_MAX;
  return e->revive.heard + ((uint64_t)ping * PINGS_MISSED * 1000 + PING_LATE_MS) * ms;
}

/* false: nothing can be concluded from silence. */
static bool watch_silence(Engine *e)
{
  Revive *r = &e->revive;
  if (e->link.refused)
    r->refusals++;
  if (!r->works)
    learn(e);
  if (!judges(r)) {
    if (e->link.refused && !r->probe_at && say(e, e->session, true))
      r->probe_at = e->now; /* refused too, if nobody is there */
    return false;
  }
  uint64_t patience = r->patience ? r->patience : PATIENCE_MS * ms;
  bool silent = (r->silent_since && e->now >= r->silent_since + patience) || e->now >= missed_at(e);
  if (!r->doubt && (silent || e->link.refused))
    begin_doubt(e, e->link.refused ? 0 : HELLO_MS, over_udp(e) ? TELL_MS : TELL_TCP_MS);
  return true;
}

void revive_tick(Engine *e)
{
  Revive *r = &e->revive;
  if (r->tcp_until && e->now >= r->tcp_until && e->session) {
    OvpnFailure f = {0};
    ovpn_failure_set(&f, OVPN_FAIL_PING_TIMEOUT, "after sleep");
    drive_fail(e, &f);
    return;
  }
  if (!applies(e)) {
    if (r->doubt)
      certain(e);
    return;
  }
  follow_address(e);
  bool judged = watch_silence(e);
  e->link.refused = false;
  if (!judged || !r->doubt)
    return;
  if (is_over(e, r->answered))
    give_up_old(e);
  else if (!r->answered && is_over(e, r->other))
    race_take(e);
  else
    ask(e);
}

void revive_woken(Engine *e)
{
  Revive *r = &e->revive;
  if (!e->session || e->phase != ENGINE_SESSION || !e->dp.up)
    return;
  control_log(e, 6, OVPN_LOG_TEXT, "time has passed without us: asking the server");
  if (!over_udp(e)) {
    (void)say(e, e->session, true); /* or it waits for an answer already */
    r->tcp_until = e->now + WOKEN_TCP_MS * ms;
    if (r->works && !r->doubt)
      begin_doubt(e, 0, TELL_WOKEN_MS);
    r->patience = 0;
  } else if (r->works) {
    begin_doubt(e, 0, TELL_MS);
    r->patience = 0;
  } else {
    r->learned = 0; /* another chance */
  }
}

bool revive_doubts(const Engine *e)
{
  return applies(e) && e->revive.doubt;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
  return a < b ? a : b;
}

uint64_t revive_deadline(const Engine *e)
{
  const Revive *r = &e->revive;
  uint64_t t = r->tcp_until ? r->tcp_until : UINT64_MAX;
  if (!applies(e))
    return t;
  if (!judges(r))
    return r->learned < LEARN_MAX && r->learn_at ? r->learn_at : t;
  if (!r->doubt)
    return earlier(
        missed_at(e),
        r->silent_since ? r->silent_since + (r->patience ? r->patience : PATIENCE_MS * ms) : t);
  uint64_t due = r->answered ? r->answered : r->other;
  t = earlier(t, r->probe_at);
  if (!r->answered)
    t = earlier(t, r->hello_at);
  if (!due)
    t = earlier(t, r->tell_at);
  else if (r->unanswered >= PROBES_MIN)
    t = earlier(t, due + verdict(e));
  return t;
}
