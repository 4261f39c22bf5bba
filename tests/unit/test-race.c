/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several links at once: who wins, who is told, what is closed. Real sockets, puppets for sessions.
 */
#include <arpa/inet.h>
#include <sys/socket.h>
#include "fake-engine.h"

static bool doubts, takes;
bool revive_doubts(const Engine *e)
{
  return doubts;
}
bool revive_other_answered(Engine *e)
{
  return takes;
}
void control_send_chosen(Engine *e, uint16_t number)
{
  seen.chosen++;
  seen.number = number;
}
void control_send_failed(Engine *e, const OvpnFailure *f, uint16_t number, bool others)
{
  seen.failed++;
  seen.number = number;
  seen.others = others;
  seen.failure = *f;
}
void drive_take_over(Engine *e, const Link *l, OvpnSession *s, const Via *v)
{
  ovpn_session_free(e->session);
  link_close(&e->link);
  e->link = *l;
  e->session = s;
  e->via = *v;
}
/* A way through a proxy that does nothing by itself. */
static struct OvpnProxy *const machine = (void *)&seen;
void via_init(Via *v)
{
  *v = (Via){.fd = -1, .watch.fd = -1};
}
void via_start(Engine *e, Via *v, const DriveLink *l)
{
  via_init(v);
  v->machine = machine;
  v->fd = l->fd;
  v->number = l->number;
}
void via_end(Engine *e, Via *v)
{
  if (v->fd >= 0)
    close(v->fd);
  via_init(v);
}
void drive_drop(Engine *e)
{
  if (race_succeed(e))
    return;
  ovpn_session_free(e->session);
  e->session = NULL;
}

/* A UDP server and a client's socket to it. */
typedef struct Ends {
  int client, server;
} Ends;

static Ends ends(void)
{
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)}, b;
  socklen_t len = sizeof a;
  Ends x = {socket(AF_INET, SOCK_DGRAM, 0), socket(AF_INET, SOCK_DGRAM, 0)};
  CHECK(bind(x.server, (struct sockaddr *)&a, sizeof a) == 0);
  CHECK(getsockname(x.server, (struct sockaddr *)&a, &len) == 0);
  CHECK(connect(x.client, (struct sockaddr *)&a, sizeof a) == 0);
  len = sizeof b;
  CHECK(getsockname(x.client, (struct sockaddr *)&b, &len) == 0);
  CHECK(connect(x.server, (struct sockaddr *)&b, sizeof b) == 0);
  return x;
}

static char heard(int fd)
{
  char c = 0;
  return recv(fd, &c, 1, MSG_DONTWAIT) == 1 ? c : 0;
}

static void begin(Engine *e)
{
  fake_engine_init(e);
  race_init(e);
  e->session = puppet(OVPN_SESSION_RESET_SENT);
  e->race.number = 1;
  doubts = takes = false;
}

static void finish(Engine *e)
{
  race_end(e);
  link_close(&e->link);
  fake_engine_clear(e);
}

static void join(Engine *e, uint16_t number, int fd)
{
  DriveLink l = {.proto = OVPN_PROTO_UDP, .beside = true, .number = number, .fd = fd};
  race_join(e, &l);
}

static void test_rival_wins(Engine *e)
{
  begin(e);
  Ends a = ends(), b = ends();
  CHECK(race_open(e));
  join(e, 2, a.client);
  join(e, 3, b.client);
  CHECK_INT(race_rivals(e), 2);
  CHECK_INT(heard(a.server), 'h');
  CHECK_INT(heard(b.server), 'h');
  CHECK(send(b.server, "xx", 2, 0) == 2); /* not for us */
  race_ready(e, 1);
  CHECK_INT(seen.chosen, 0);
  CHECK(send(b.server, "A", 1, 0) == 1);
  race_ready(e, 1);
  CHECK_INT(seen.chosen, 1);
  CHECK_INT(seen.number, 3);
  CHECK_INT(race_rivals(e), 0);
  CHECK_INT(e->link.fd, b.client);
  CHECK_INT(e->race.number, 3);
  CHECK_INT(seen.freed, 2); /* the engine's own and the other rival */
  CHECK_INT(seen.failed, 0);
  CHECK(heard(a.server) == 0); /* no handshake was begun there */
  finish(e);
  close(a.server);
  close(b.server);
}

static void test_own_link_wins(Engine *e)
{
  begin(e);
  Ends a = ends();
  join(e, 2, a.client);
  race_answered(e);
  CHECK_INT(seen.number, 1);
  CHECK_INT(race_rivals(e), 0);
  race_answered(e);
  CHECK_INT(seen.chosen, 1); /* once */
  finish(e);
  close(a.server);
}

static void test_own_link_fails(Engine *e)
{
  begin(e);
  Ends a = ends(), b = ends();
  CHECK(!race_succeed(e));
  join(e, 3, a.client);
  join(e, 2, b.client);
  CHECK(race_succeed(e)); /* the oldest */
  CHECK_INT(e->race.number, 2);
  CHECK_INT(e->link.fd, b.client);
  CHECK_INT(seen.chosen, 0);
  CHECK_INT(race_rivals(e), 1);
  race_drop(e, 2); /* the service gives it up: the last one takes its place */
  CHECK_INT(e->race.number, 3);
  CHECK_INT(race_rivals(e), 0);
  race_drop(e, 77);
  CHECK(e->session != NULL);
  race_drop(e, 3);
  CHECK(e->session == NULL);
  CHECK_INT(seen.failed, 0); /* what was dropped is not reported */
  finish(e);
  close(a.server);
  close(b.server);
}

static void test_rivals_fail(Engine *e)
{
  begin(e);
  Ends a = ends(), b = ends();
  close(b.server); /* its port is closed now */
  join(e, 2, a.client);
  join(e, 3, b.client);
  if (seen.failed == 0) /* the answer to the hello comes as an error of the next call */
    race_ready(e, 1);
  CHECK_INT(seen.failed, 1);
  CHECK_INT(seen.number, 3);
  CHECK(seen.others);
  CHECK_INT(seen.failure.status, OVPN_FAIL_NO_ANSWER);
  CHECK_INT(seen.failure.arg, 1);
  e->race.rivals[0].session->deadline = e->now + 5 * MS;
  CHECK(race_deadline(e) == e->now + 5 * MS);
  race_tick(e);
  CHECK_INT(seen.failed, 1);
  e->now += 5 * MS;
  race_tick(e); /* its time is over */
  CHECK_INT(seen.failed, 2);
  CHECK_INT(seen.number, 2);
  CHECK_INT(race_rivals(e), 0);
  CHECK(race_deadline(e) == UINT64_MAX);
  finish(e);
  close(a.server);
}

static void test_limits(Engine *e)
{
  begin(e);
  Ends x[RACE_RIVALS + 1];
  for (unsigned i = 0; i <= RACE_RIVALS; i++) {
    x[i] = ends();
    join(e, (uint16_t)(2 + i), x[i].client);
  }
  CHECK_INT(race_rivals(e), RACE_RIVALS);
  CHECK_INT(seen.failed, 1);
  CHECK_INT(seen.number, 2 + RACE_RIVALS);
  race_end(e);
  CHECK_INT(race_rivals(e), 0);
  Ends y = ends();
  seen.new_state = OVPN_SESSION_WAIT_CREDENTIALS; /* nobody is asked for a rival */
  join(e, 99, y.client);
  CHECK_INT(seen.failure.status, OVPN_FAIL_CREDENTIALS);
  CHECK_INT(race_rivals(e), 0);
  finish(e);
  for (unsigned i = 0; i <= RACE_RIVALS; i++)
    close(x[i].server);
  close(y.server);
}

/* With a tunnel that is up: only when its server is doubted; who is answered waits for the end. */
static void test_beside_a_tunnel(Engine *e)
{
  begin(e);
  e->session->state = OVPN_SESSION_UP;
  e->dp.up = true;
  CHECK(!race_open(e));
  doubts = true;
  CHECK(race_open(e));
  Ends a = ends(), b = ends();
  join(e, 2, a.client);
  CHECK(send(a.server, "A", 1, 0) == 1);
  race_ready(e, 0);
  CHECK_INT(seen.chosen, 0); /* the old one has spoken meanwhile */
  CHECK_INT(race_rivals(e), 0);
  takes = true;
  join(e, 3, b.client);
  CHECK(send(b.server, "A", 1, 0) == 1);
  race_ready(e, 0);
  CHECK_INT(seen.chosen, 0); /* not before the old one was asked a last time */
  CHECK(!race_waits(e, 0));
  CHECK(race_deadline(e) == UINT64_MAX);
  e->race.rivals[0].session->deadline = e->now;
  race_tick(e); /* its time stands still */
  CHECK_INT(race_rivals(e), 1);
  race_take(e);
  CHECK_INT(seen.chosen, 1);
  CHECK_INT(e->link.fd, b.client);
  finish(e);
  close(a.server);
  close(b.server);
}

static Via *join_proxied(Engine *e, uint16_t number, int fd)
{
  DriveLink l = {
      .proto = OVPN_PROTO_UDP, .beside = true, .proxy = true, .number = number, .fd = fd};
  race_join(e, &l);
  for (unsigned i = 0; i < RACE_RIVALS; i++)
    if (e->race.rivals[i].number == number)
      return &e->race.rivals[i].via;
  return NULL;
}

static void test_through_proxies(Engine *e)
{
  begin(e);
  Ends a = ends(), b = ends(), relay = ends();
  OvpnSocksAddress to = {.ip_len = 4, .ip = {192, 0, 2, 7}, .port = 1194};
  uint8_t buf[64];
  Via *v = join_proxied(e, 2, a.client);
  Via *w = join_proxied(e, 3, b.client);
  CHECK(v && w);
  CHECK_INT(race_rivals(e), 2);
  CHECK(!race_waits(e, 0)); /* for an answer of the server: not yet */
  CHECK(race_deadline(e) == UINT64_MAX);
  OvpnFailure f = {.status = OVPN_FAIL_PROXY};
  race_via_failed(e, v, &f);
  CHECK_INT(seen.failed, 1);
  CHECK_INT(seen.number, 2);
  CHECK_INT(seen.failure.status, OVPN_FAIL_PROXY);
  CHECK_INT(race_rivals(e), 1);
  w->machine = NULL; /* the relay stands; the connection to the proxy is kept */
  Link *l = race_via_open(e, w, relay.client, &to);
  CHECK(l && l->head_len == 10);
  CHECK_INT(recv(relay.server, buf, sizeof buf, MSG_DONTWAIT), 11); /* the hello behind the head */
  CHECK_INT(buf[10], 'h');
  CHECK_MEM(buf, "\0\0\0\x01\xc0\0\x02\x07\x04\xaa", 10);
  CHECK(race_waits(e, 1));
  memcpy(buf + 10, "A", 1);
  CHECK(send(relay.server, buf, 11, 0) == 11);
  race_ready(e, 1);
  CHECK_INT(seen.chosen, 1);
  CHECK_INT(e->race.number, 3);
  CHECK(e->via.fd == b.client && e->link.fd == relay.client);
  via_end(e, &e->via);
  finish(e);
  close(a.server);
  close(b.server);
  close(relay.server);

  begin(e); /* the own one ends while a rival is still on its way: that goes on as the own one */
  a = ends();
  ovpn_session_free(e->session);
  e->session = NULL;
  e->via.machine = machine;
  CHECK(race_open(e));
  CHECK(join_proxied(e, 2, a.client) != NULL);
  CHECK(race_succeed(e));
  CHECK_INT(e->race.number, 2);
  CHECK(e->via.fd == a.client && e->via.machine == machine && !e->session);
  via_end(e, &e->via);
  finish(e);
  close(a.server);
}

int main(void)
{
  static Engine e;
  test_rival_wins(&e);
  test_own_link_wins(&e);
  test_own_link_fails(&e);
  test_rivals_fail(&e);
  test_limits(&e);
  test_beside_a_tunnel(&e);
  test_through_proxies(&e);
  TEST_END();
}
