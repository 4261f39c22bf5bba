/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Doubt about a UDP server, and what ends it: answers, silence, closed ports, sleep. */
#include <arpa/inet.h>
#include <errno.h>
#include <sys/socket.h>
#include "fake-engine.h"

static unsigned raced, taken;
void race_end(Engine *e)
{
  raced++;
}
void race_take(Engine *e)
{
  taken++;
  revive_end(e);
}
bool datapath_send(Datapath *dp, Batch *tx, const uint8_t *payload, size_t len)
{
  return true;
}
const uint8_t ovpn_ping_magic[16];
const OvpnPushed *ovpn_session_pushed(const OvpnSession *s)
{
  return NULL;
}

static void up(Engine *e, bool works)
{
  fake_engine_init(e);
  e->session = puppet(OVPN_SESSION_UP);
  e->dp.up = true;
  e->revive.works = works;
}

static void down(Engine *e)
{
  revive_end(e);
  fake_engine_clear(e);
}

static void pass(Engine *e, unsigned total)
{
  for (unsigned i = 0; i < total; i += 10) {
    e->now += 10 * MS;
    revive_tick(e);
    batch_reset(&e->tx);
  }
}

static void test_learns(Engine *e)
{
  up(e, false);
  revive_tick(e);
  CHECK_INT(e->session->probes, 1); /* at once */
  CHECK(revive_deadline(e) > e->now && revive_deadline(e) != UINT64_MAX);
  pass(e, 1000);
  CHECK_INT(e->session->probes, 3); /* and after 250, 750 ms */
  CHECK(!e->revive.works);
  e->session->answered = 1;
  pass(e, 10);
  CHECK(e->revive.works);
  CHECK(revive_deadline(e) == UINT64_MAX);
  down(e);

  up(e, false);
  pass(e, 60000);
  CHECK_INT(e->session->probes, 6); /* then it gives up learning */
  revive_note(e, false, true);
  pass(e, 60000);
  CHECK(!e->revive.doubt); /* and silence means nothing */
  down(e);
}

static void test_silence(Engine *e)
{
  up(e, true);
  revive_note(e, false, true);
  pass(e, 490);
  CHECK(!e->revive.doubt);
  CHECK(revive_deadline(e) != UINT64_MAX);
  pass(e, 20);
  CHECK(e->revive.doubt && revive_doubts(e));
  CHECK_INT(e->session->probes, 1);
  CHECK_INT(seen.sessions, 0); /* the hello only after 200 ms */
  pass(e, 210);
  CHECK_INT(seen.sessions, 1);
  revive_note(e, true, true); /* it lives */
  CHECK(!e->revive.doubt && !e->revive.next);
  CHECK(raced > 0);
  CHECK_INT(seen.freed, 1);
  pass(e, 5000);
  CHECK_INT(seen.replaced, 0);
  down(e);
}

/* Nobody sends payload: two pings of the server that did not come are a reason, too. */
static void test_missed_pings(Engine *e)
{
  up(e, true);
  e->config.ping = 3;
  revive_note(e, true, false);
  pass(e, 7900);
  CHECK(!e->revive.doubt && revive_deadline(e) == e->now + 100 * MS);
  pass(e, 200);
  CHECK(e->revive.doubt);
  revive_alive(e); /* it had nothing to say */
  pass(e, 7900);
  CHECK(!e->revive.doubt);
  e->config.ping = 0;
  pass(e, 60000);
  CHECK(!e->revive.doubt);
  down(e);
}

/* The next doubt waits longer, up to a limit, unless payload comes back. */
static void test_patience(Engine *e)
{
  up(e, true);
  for (int i = 0; i < 20; i++) {
    e->revive.doubt = e->now;
    revive_alive(e);
  }
  CHECK_INT(e->revive.patience, 64000 * MS);
  revive_note(e, true, true);
  CHECK_INT(e->revive.patience, 0);
  down(e);
}

static void test_started_anew(Engine *e)
{
  up(e, true);
  revive_note(e, false, true);
  pass(e, 1000);
  CHECK(e->revive.next != NULL);
  OvpnSession *next = e->revive.next;
  CHECK(!revive_input(e, (const uint8_t *)"x", 1));
  CHECK(revive_input(e, (const uint8_t *)"A", 1));
  pass(e, 100);
  CHECK_INT(seen.replaced, 0); /* the old one has its last chances */
  pass(e, 300);
  CHECK_INT(seen.replaced, 1);
  CHECK(e->session == next);
  down(e);

  up(e, true); /* the hello is answered, and so is a probe: forged, or another address */
  revive_note(e, false, true);
  pass(e, 1000);
  CHECK(revive_input(e, (const uint8_t *)"A", 1));
  revive_alive(e);
  pass(e, 2000);
  CHECK_INT(seen.replaced, 0);
  down(e);
}

static void test_closed_port(Engine *e)
{
  up(e, false);
  revive_tick(e);
  e->link.refused = true;
  revive_tick(e);
  CHECK(!e->link.refused && !e->revive.doubt); /* one may be forged: it is asked again */
  CHECK_INT(e->session->probes, 2);
  e->link.refused = true;
  revive_tick(e);
  CHECK(e->revive.doubt);
  CHECK_INT(seen.sessions, 1);
  pass(e, 700);
  CHECK(revive_input(e, (const uint8_t *)"A", 1));
  pass(e, 500);
  CHECK_INT(seen.replaced, 1);
  down(e);

  up(e, false);
  e->link.refused = true;
  revive_tick(e);
  revive_note(e, true, false); /* what came in between takes it back */
  e->link.refused = true;
  revive_tick(e);
  CHECK(!e->revive.doubt);
  down(e);
}

static void test_tells_the_service(Engine *e)
{
  up(e, true);
  revive_note(e, false, true);
  pass(e, 1400);
  CHECK_INT(seen.silent, 0);
  pass(e, 200);
  CHECK_INT(seen.silent, 1);
  pass(e, 10000);
  CHECK_INT(seen.silent, 1);
  pass(e, 10000);
  CHECK_INT(seen.silent, 2);
  CHECK(e->session->probes < 60); /* a server that is away is spared */
  CHECK(seen.sessions < 60);
  pass(e, 24000);
  CHECK_INT(seen.silent, 2); /* less and less often */
  CHECK_INT(seen.heard, 0);
  revive_alive(e);
  CHECK_INT(seen.heard, 1);
  revive_alive(e);
  CHECK_INT(seen.heard, 1);
  down(e);
}

static void test_other_server(Engine *e)
{
  taken = 0;
  up(e, true);
  CHECK(!revive_other_answered(e)); /* there is no doubt */
  revive_note(e, false, true);
  pass(e, 2000);
  CHECK(revive_other_answered(e));
  unsigned probes = e->session->probes;
  pass(e, 150);
  CHECK(e->session->probes >= probes + 2); /* the last chances */
  CHECK_INT(taken, 0);
  CHECK(revive_deadline(e) < e->now + 100 * MS);
  pass(e, 150);
  CHECK_INT(taken, 1);
  down(e);

  up(e, true); /* the old one answers */
  revive_note(e, false, true);
  pass(e, 2000);
  CHECK(revive_other_answered(e));
  pass(e, 100);
  revive_note(e, true, false);
  pass(e, 5000);
  CHECK_INT(taken, 1);
  CHECK_INT(seen.heard, 1);
  down(e);

  up(e, true); /* an answer takes long here */
  e->revive.round_trip = 400 * MS;
  revive_note(e, false, true);
  pass(e, 2000);
  CHECK(revive_other_answered(e));
  pass(e, 700);
  CHECK_INT(taken, 1);
  pass(e, 300);
  CHECK_INT(taken, 2);
  down(e);

  up(e, true); /* it was started anew, and is as good as the other */
  revive_note(e, false, true);
  pass(e, 2000);
  CHECK(revive_other_answered(e));
  CHECK(revive_input(e, (const uint8_t *)"A", 1));
  pass(e, 500);
  CHECK_INT(taken, 2);
  CHECK_INT(seen.replaced, 1);
  CHECK_INT(seen.heard, 1);
  down(e);
}

/* Two ends of a connection whose packets are all acknowledged. */
static void connect_pair(int ret[2])
{
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
  socklen_t len = sizeof a;
  int l = socket(AF_INET, SOCK_STREAM, 0);
  ret[0] = socket(AF_INET, SOCK_STREAM, 0);
  CHECK(bind(l, (struct sockaddr *)&a, sizeof a) == 0 && listen(l, 1) == 0);
  CHECK(getsockname(l, (struct sockaddr *)&a, &len) == 0);
  CHECK(connect(ret[0], (struct sockaddr *)&a, sizeof a) == 0);
  ret[1] = accept(l, NULL, NULL);
  close(l);
}

/* Over TCP: no hello, few probes, more time. */
static void test_stream(Engine *e)
{
  int fd[2];
  connect_pair(fd);
  taken = 0;
  up(e, true);
  e->link.proto = OVPN_PROTO_TCP;
  e->link.fd = fd[0];
  revive_note(e, false, true);
  pass(e, 2900);
  CHECK(e->revive.doubt);
  CHECK_INT(seen.silent, 0);
  CHECK_INT(seen.sessions, 0);
  CHECK_INT(e->session->probes, 3);
  pass(e, 200);
  CHECK_INT(seen.silent, 1);
  CHECK(revive_other_answered(e));
  pass(e, 100);
  CHECK_INT(taken, 0);
  pass(e, 300);
  CHECK_INT(taken, 1);
  CHECK_INT(seen.drive_failed, 0);
  close(fd[0]);
  close(fd[1]);
  down(e);
}

static void test_password_is_not_asked_for(Engine *e)
{
  up(e, true);
  seen.new_state = OVPN_SESSION_WAIT_CREDENTIALS;
  revive_note(e, false, true);
  pass(e, 2000);
  CHECK(seen.sessions > 0 && !e->revive.next);
  CHECK_INT(seen.freed, seen.sessions);
  down(e);
}

static void test_address_changes(Engine *e)
{
  int fd[2], more[2];
  up(e, true);
  CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fd) == 0 &&
        socketpair(AF_UNIX, SOCK_DGRAM, 0, more) == 0);
  e->link.fd = fd[0];
  CHECK(!revive_socket(e, more[0])); /* nobody asked */
  e->link.last_error = ECONNREFUSED;
  revive_tick(e);
  CHECK_INT(seen.sockets, 0);
  e->link.last_error = ENETUNREACH;
  revive_tick(e);
  CHECK_INT(seen.sockets, 1);
  CHECK(seen.udp && seen.relay.ip_len == 0);
  e->link.last_error = ENETUNREACH;
  revive_tick(e);
  CHECK_INT(seen.sockets, 1); /* not so often */
  CHECK(revive_socket(e, more[0]));
  CHECK_INT(e->link.fd, more[0]);
  CHECK(e->revive.doubt != 0);
  close(more[0]);
  close(more[1]);
  close(fd[1]);
  down(e);
}

static void test_woken(Engine *e)
{
  up(e, true);
  revive_woken(e);
  revive_tick(e);
  CHECK(e->revive.doubt);
  CHECK_INT(e->session->probes, 1);
  CHECK_INT(seen.sessions, 1);
  down(e);

  up(e, true);
  e->link.proto = OVPN_PROTO_TCP;
  revive_woken(e);
  CHECK_INT(e->session->probes, 1);
  CHECK_INT(e->revive.tcp_until, e->now + 5000 * MS);
  pass(e, 600);
  CHECK_INT(seen.silent, 1); /* a new connection is tried soon */
  pass(e, 3400);
  CHECK_INT(seen.drive_failed, 0);
  pass(e, 1000);
  CHECK(seen.drive_failed > 0);
  CHECK_INT(seen.failure.status, OVPN_FAIL_PING_TIMEOUT);
  down(e);

  up(e, true);
  e->link.proto = OVPN_PROTO_TCP;
  revive_woken(e);
  revive_alive(e);
  pass(e, 9000);
  CHECK_INT(seen.drive_failed, 0);
  down(e);
}

static void test_only_while_up(Engine *e)
{
  up(e, true);
  e->revive.doubt = e->now;
  e->session->can_probe = false; /* a renegotiation: the control channel says more */
  revive_tick(e);
  CHECK(!e->revive.doubt);
  CHECK(revive_deadline(e) == UINT64_MAX);
  e->dp.up = false;
  revive_woken(e);
  CHECK(!e->revive.doubt);
  down(e);
}

int main(void)
{
  static Engine e;
  test_learns(&e);
  test_silence(&e);
  test_missed_pings(&e);
  test_patience(&e);
  test_started_anew(&e);
  test_closed_port(&e);
  test_tells_the_service(&e);
  test_other_server(&e);
  test_stream(&e);
  test_password_is_not_asked_for(&e);
  test_address_changes(&e);
  test_woken(&e);
  test_only_while_up(&e);
  TEST_END();
}
