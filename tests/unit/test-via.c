/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way through a proxy: what is said on the socket to it, and what the engine does with the
 * answers. */
#include <signal.h>
#include <sys/socket.h>
#include "fake-engine.h"

void engine_random(void *user, uint8_t *buf, size_t len)
{
  memset(buf, 7, len);
}
void drive_open(Engine *e, OvpnProto proto, bool ipv6, int fd)
{
  seen.opened++;
  seen.proto = proto;
  seen.fd = fd;
  CHECK(link_open(&e->link, proto, ipv6, fd));
  e->session = puppet(OVPN_SESSION_RESET_SENT);
}
void control_send_need(Engine *e, OvpnNeed need, unsigned flags, uint32_t seconds, const char *text)
{
  CHECK_INT(need, OVPN_NEED_PROXY);
  seen.needs++;
}

static Link other;
static unsigned lost, preloaded;
Link *race_via_open(Engine *e, Via *v, int fd, const OvpnSocksAddress *relay)
{
  CHECK(link_open(&other, relay ? OVPN_PROTO_UDP : OVPN_PROTO_TCP, false, fd));
  return &other;
}
void race_via_failed(Engine *e, Via *v, const OvpnFailure *f)
{
  lost++;
  seen.failure = *f;
  via_end(e, v);
}
void race_via_preloaded(Engine *e, Via *v)
{
  preloaded++;
}

static void begin(Engine *e, const char *type)
{
  fake_engine_init(e);
  for (unsigned i = 0; i < RACE_RIVALS; i++)
    via_init(&e->race.rivals[i].via);
  e->config.proxy_type = ovpn_secret_strdup(type);
  e->config.proxy_host = ovpn_secret_strdup("proxy.test");
}

static void finish(Engine *e, int peer)
{
  via_end(e, &e->via);
  link_close(&e->link);
  fake_engine_clear(e);
  close(peer);
}

static int start(Engine *e, OvpnProto proto, const char *host)
{
  int fd[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
  via_start(e, &e->via, &(DriveLink){.proto = proto, .host = host, .port = 1194, .fd = fd[0]});
  return fd[1];
}

static size_t said(int peer, char *buf, size_t cap)
{
  ssize_t n = recv(peer, buf, cap - 1, MSG_DONTWAIT);
  buf[n > 0 ? n : 0] = 0;
  return n > 0 ? (size_t)n : 0;
}

static void answer(Engine *e, int peer, const void *p, size_t len)
{
  CHECK(write(peer, p, len) == (ssize_t)len);
  via_ready(e, &e->via);
}

static void test_http(Engine *e)
{
  char buf[512];
  begin(e, "http");
  int peer = start(e, OVPN_PROTO_TCP, "vpn.test");
  said(peer, buf, sizeof buf);
  CHECK(strncmp(buf, "CONNECT vpn.test:1194 HTTP/1.0\r\n", 32) == 0);
  CHECK_INT(via_events(&e->via), VIA_IN);
  answer(e, peer, "HTTP/1.0 200 ", 13);
  CHECK_INT(seen.opened, 0);
  answer(e, peer, "OK\r\n\r\nrest", 10);
  CHECK_INT(seen.opened, 1);
  CHECK(seen.proto == OVPN_PROTO_TCP && e->rx_more && e->via.fd == -1 && !e->via.machine);
  CHECK_INT(via_events(&e->via), 0);
  CHECK_INT(e->link.in_end, 4); /* the server's first bytes are not lost */
  CHECK_MEM(e->link.in, "rest", 4);
  finish(e, peer);
}

static void test_http_refuses(Engine *e)
{
  char buf[512];
  begin(e, "http");
  int peer = start(e, OVPN_PROTO_TCP, "vpn.test");
  said(peer, buf, sizeof buf);
  answer(e, peer, "HTTP/1.0 503 Not now\r\n\r\n", 24);
  CHECK_INT(seen.drive_failed, 1);
  CHECK_INT(seen.failure.status, OVPN_FAIL_PROXY);
  finish(e, peer);

  begin(e, "http");
  peer = start(e, OVPN_PROTO_TCP, "vpn.test");
  said(peer, buf, sizeof buf);
  CHECK(shutdown(peer, SHUT_WR) == 0); /* it closes without a word */
  via_ready(e, &e->via);
  CHECK_INT(seen.drive_failed, 1);
  CHECK_INT(seen.failure.status, OVPN_FAIL_PROXY);
  finish(e, peer);
}

static void test_http_asks(Engine *e)
{
  char buf[512];
  int fd[2];
  static const char demand[] = "HTTP/1.0 407 Who?\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n";
  begin(e, "http");
  e->config.proxy_auth = OVPN_PROXY_AUTH_AUTO;
  int peer = start(e, OVPN_PROTO_TCP, "vpn.test");
  said(peer, buf, sizeof buf);
  answer(e, peer, demand, sizeof demand - 1);
  CHECK_INT(seen.needs, 1);
  CHECK_INT(e->via.fd, -1);
  CHECK(ovpn_blob_set(&e->credentials.proxy_user, "u", 2) &&
        ovpn_blob_set(&e->credentials.proxy_password, "p", 1));
  via_answer(e);
  CHECK_INT(seen.sockets, 1); /* another connection, for another try */
  CHECK(!seen.udp && e->via.socket_wanted);
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
  via_socket(e, 0, fd[0]);
  said(fd[1], buf, sizeof buf);
  CHECK(strstr(buf, "Proxy-Authorization: Basic ") != NULL);
  CHECK(!e->via.socket_wanted);
  ovpn_blob_clear(&e->credentials.proxy_user);
  ovpn_blob_clear(&e->credentials.proxy_password);
  close(fd[1]);
  finish(e, peer);
}

static void test_socks_relay(Engine *e)
{
  char buf[512];
  int fd[2];
  begin(e, "socks");
  int peer = start(e, OVPN_PROTO_UDP, "192.0.2.7");
  CHECK(said(peer, buf, sizeof buf) >= 3 && buf[0] == 5);
  answer(e, peer, "\x05\x00", 2);
  CHECK(said(peer, buf, sizeof buf) >= 10 && buf[1] == 3); /* UDP ASSOCIATE */
  answer(e, peer, "\x05\x00\x00\x01\xc0\x00\x02\x09\x12\x34", 10);
  CHECK_INT(seen.sockets, 1);
  CHECK(seen.udp && seen.relay.ip_len == 4 && seen.relay.port == 0x1234);
  CHECK_MEM(seen.relay.ip, "\xc0\x00\x02\x09", 4);
  CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fd) == 0);
  via_socket(e, 0, fd[0]);
  CHECK_INT(seen.opened, 1);
  CHECK(seen.proto == OVPN_PROTO_UDP && e->via.fd >= 0); /* the connection keeps the relay open */
  CHECK_INT(e->link.head_len, 10);
  CHECK_MEM(e->link.head, "\0\0\0\x01\xc0\0\x02\x07\x04\xaa", 10);
  answer(e, peer, "?", 1); /* of no interest */
  CHECK_INT(seen.drive_failed, 0);
  CHECK(shutdown(peer, SHUT_RDWR) == 0);
  via_ready(e, &e->via);
  CHECK_INT(seen.drive_failed, 1);
  CHECK_INT(seen.failure.status, OVPN_FAIL_LINK);
  close(fd[1]);
  finish(e, peer);
}

static void test_odd_orders(Engine *e)
{
  int fd[2];
  begin(e, "socks");
  int peer = start(e, OVPN_PROTO_UDP, "a.name"); /* a relay needs the address */
  CHECK_INT(seen.drive_failed, 1);
  CHECK_INT(seen.failure.status, OVPN_FAIL_INTERNAL);
  finish(e, peer);

  begin(e, "socks"); /* a socket that nobody waits for is closed */
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
  via_socket(e, 0, fd[0]);
  CHECK(write(fd[1], "x", 1) < 0);
  via_answer(e);
  CHECK_INT(seen.sockets, 0);
  finish(e, fd[1]);
}

/* Two at a time: each has its own machine, sockets and end. */
static void test_rivals(Engine *e)
{
  char buf[512];
  int fd[2], more[2];
  static const char demand[] = "HTTP/1.0 407 Who?\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n";
  lost = preloaded = 0;
  begin(e, "http");
  e->config.proxy_auth = OVPN_PROXY_AUTH_AUTO;
  int peer = start(e, OVPN_PROTO_TCP, "first.test");
  Via *v = &e->race.rivals[2].via;
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
  via_start(
      e, v,
      &(DriveLink){
          .proto = OVPN_PROTO_TCP, .host = "second.test", .port = 443, .number = 9, .fd = fd[0]});
  said(peer, buf, sizeof buf);
  CHECK(strstr(buf, "first.test") != NULL);
  said(fd[1], buf, sizeof buf);
  CHECK(strstr(buf, "second.test:443") != NULL);
  CHECK(write(fd[1], demand, sizeof demand - 1) > 0);
  via_ready(e, v);
  CHECK_INT(seen.needs, 1);
  CHECK(ovpn_blob_set(&e->credentials.proxy_user, "u", 2) &&
        ovpn_blob_set(&e->credentials.proxy_password, "p", 1));
  via_answer(e);
  CHECK_INT(seen.sockets, 1); /* for the one that asked */
  CHECK_INT(seen.number, 9);
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, more) == 0);
  via_socket(e, 9, more[0]);
  said(more[1], buf, sizeof buf);
  CHECK(strstr(buf, "Proxy-Authorization: Basic ") != NULL);
  CHECK(write(more[1], "HTTP/1.0 200 OK\r\n\r\nrest", 23) == 23);
  via_ready(e, v);
  CHECK(other.fd == more[0] && v->fd == -1 && !v->machine);
  CHECK_INT(preloaded, 1);
  CHECK_MEM(other.in, "rest", 4);
  CHECK(e->via.machine && e->via.fd >= 0); /* the first one is as it was */
  CHECK_INT(seen.opened, 0);
  link_close(&other);

  close(fd[1]);
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
  via_start(
      e, v,
      &(DriveLink){
          .proto = OVPN_PROTO_TCP, .host = "third.test", .port = 443, .number = 10, .fd = fd[0]});
  close(fd[1]);
  via_ready(e, v);
  CHECK_INT(lost, 1);
  CHECK_INT(seen.drive_failed, 0);
  ovpn_blob_clear(&e->credentials.proxy_user);
  ovpn_blob_clear(&e->credentials.proxy_password);
  close(more[1]);
  finish(e, peer);
}

int main(void)
{
  static Engine e;
  signal(SIGPIPE, SIG_IGN);
  test_http(&e);
  test_http_refuses(&e);
  test_http_asks(&e);
  test_socks_relay(&e);
  test_odd_orders(&e);
  test_rivals(&e);
  TEST_END();
}
