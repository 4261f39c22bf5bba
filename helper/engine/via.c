/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way through a proxy: carries bytes between the socket to the proxy and the machine of
 * helper/core/proxy.h, then makes a link of what comes of it. spec §16.2, §20.
 *
 * Trust: the proxy is a stranger; its bytes only reach the machine. Invariants: there is a machine
 * or a session, never both; the descriptor to the proxy is the link's own once a TCP connection
 * through it stands, and stays here, watched, as long as a UDP relay is in use. */
#include "helper/engine/via.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "helper/engine/engine.h"

static void close_fd(Engine *e)
{
  loop_forget_via(e);
  if (e->via.fd >= 0)
    close(e->via.fd);
  e->via.fd = -1;
  ovpn_wipe(e->via.out, sizeof e->via.out);
  e->via.out_first = e->via.out_end = 0;
}

void via_end(Engine *e)
{
  ovpn_proxy_free(e->via.machine);
  e->via.machine = NULL;
  close_fd(e);
  e->via.relay_wanted = e->via.socket_wanted = false;
}

static void fail(Engine *e, OvpnStatus s, const char *text)
{
  OvpnFailure f = {0};
  ovpn_failure_set(&f, s, "%s", text);
  drive_fail(e, &f);
}

static void lost(Engine *e, int err)
{
  fail(e, OVPN_FAIL_PROXY, strerror(err));
}

static void machine_failed(Engine *e)
{
  OvpnFailure f = *ovpn_proxy_failure(e->via.machine);
  if (f.status == OVPN_FAIL_PROXY_AUTH) { /* asked for anew */
    ovpn_blob_clear(&e->credentials.proxy_user);
    ovpn_blob_clear(&e->credentials.proxy_password);
  }
  drive_fail(e, &f);
}

/* false: wait for EPOLLOUT, or the link is gone. */
static bool push_output(Engine *e)
{
  Via *v = &e->via;
  for (;;) {
    if (v->out_first == v->out_end) {
      v->out_first = 0;
      v->out_end = ovpn_proxy_output(v->machine, v->out, sizeof v->out);
      if (v->out_end == 0)
        return true;
    }
    ssize_t n =
        send(v->fd, v->out + v->out_first, v->out_end - v->out_first, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && errno == EAGAIN)
      return false;
    if (n < 0) {
      lost(e, errno);
      return false;
    }
    ovpn_wipe(v->out + v->out_first, (size_t)n);
    v->out_first += (size_t)n;
  }
}

/* The TCP connection leads to the server now. `rest` came behind the proxy's last word. */
static void arrived(Engine *e, const uint8_t *rest, size_t len)
{
  int fd = e->via.fd;
  loop_forget_via(e);
  e->via.fd = -1;
  via_end(e);
  drive_open(e, OVPN_PROTO_TCP, e->via.ipv6, fd);
  if (e->session && len > 0) {
    link_preload(&e->link, rest, len);
    e->rx_more = true;
  }
}

static void act(Engine *e, const uint8_t *rest, size_t len)
{
  static const OvpnSocksAddress none;
  switch (ovpn_proxy_step(e->via.machine)) {
  case OVPN_PROXY_CONTINUE:
    push_output(e);
    return;
  case OVPN_PROXY_DONE:
    if (e->via.proto == OVPN_PROTO_TCP) {
      arrived(e, rest, len);
      return;
    }
    e->via.relay_wanted = true;
    control_send_socket_wanted(e, true, ovpn_proxy_relay(e->via.machine));
    return;
  case OVPN_PROXY_RECONNECT:
    close_fd(e);
    e->via.socket_wanted = true;
    control_send_socket_wanted(e, false, &none);
    return;
  case OVPN_PROXY_NEED_CREDENTIALS:
    close_fd(e);
    control_send_need(e, OVPN_NEED_PROXY, 0, 0, e->config.proxy_host);
    return;
  case OVPN_PROXY_FAIL:
    machine_failed(e);
    return;
  }
}

/* Nothing of interest comes on the connection that keeps a relay open; its end is the relay's. */
static void on_relay_control(Engine *e)
{
  uint8_t buf[256];
  ssize_t n = recv(e->via.fd, buf, sizeof buf, MSG_DONTWAIT);
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
    fail(e, e->session ? OVPN_FAIL_LINK : OVPN_FAIL_PROXY, "the proxy closed its relay");
}

void via_ready(Engine *e)
{
  uint8_t buf[4096];
  size_t used = 0;
  if (!e->via.machine || ovpn_proxy_step(e->via.machine) != OVPN_PROXY_CONTINUE) {
    on_relay_control(e);
    return;
  }
  if (!push_output(e))
    return;
  ssize_t n = recv(e->via.fd, buf, sizeof buf, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n < 0) {
    lost(e, errno);
    return;
  }
  if (n == 0)
    ovpn_proxy_closed(e->via.machine);
  else
    ovpn_proxy_input(e->via.machine, buf, (size_t)n, &used);
  act(e, buf + used, n > 0 ? (size_t)n - used : 0);
  ovpn_wipe(buf, sizeof buf);
}

uint32_t via_events(const Engine *e)
{
  return e->via.fd < 0 ? 0 : e->via.out_first < e->via.out_end ? VIA_BOTH : VIA_IN;
}

/* "Name: value" lines -> array; returns their number. The text is cut up. */
static size_t split_headers(char *text, OvpnProxyHeader *ret, size_t max)
{
  size_t n = 0;
  char *save = NULL;
  for (char *line = text ? strtok_r(text, "\n", &save) : NULL; line && n < max;
       line = strtok_r(NULL, "\n", &save))
    ret[n++] = (OvpnProxyHeader){.name = line};
  return n;
}

static OvpnStatus new_machine(Engine *e, const char *host, uint16_t port, OvpnFailure *f)
{
  const OvpnConfig *c = &e->config;
  const OvpnCredentials *k = &e->credentials;
  OvpnProxyHeader headers[OVPN_PROXY_HEADERS_MAX + 1];
  struct timespec wall;
  bool http = strcmp(c->proxy_type, "http") == 0, known = k->proxy_user.len > 0;
  char *text = ovpn_secret_strdup(c->proxy_headers);
  clock_gettime(CLOCK_REALTIME, &wall);
  OvpnProxyParams p = {
      .kind = http                             ? OVPN_PROXY_HTTP
              : e->via.proto == OVPN_PROTO_TCP ? OVPN_PROXY_SOCKS_TCP
                                               : OVPN_PROXY_SOCKS_UDP,
      .host = host,
      .port = port,
      /* a name and a password in a profile that names no method are there to be used */
      .auth = c->proxy_auth == OVPN_PROXY_AUTH_NONE && known ? OVPN_PROXY_AUTH_AUTO : c->proxy_auth,
      .username = known ? (const char *)k->proxy_user.data : NULL,
      .password = &k->proxy_password,
      .http_version = c->proxy_version,
      .user_agent = c->proxy_agent,
      .headers = headers,
      .n_headers = split_headers(text, headers, OVPN_PROXY_HEADERS_MAX + 1),
      .wall_time = (uint64_t)wall.tv_sec,
      .random = engine_random,
  };
  OvpnStatus s = ovpn_proxy_new(&p, &e->via.machine, f);
  ovpn_secret_free(text);
  return s;
}

static bool server_address(const char *host, uint16_t port, OvpnSocksAddress *ret)
{
  *ret = (OvpnSocksAddress){.port = port};
  ret->ip_len = inet_pton(AF_INET, host, ret->ip) == 1    ? 4
                : inet_pton(AF_INET6, host, ret->ip) == 1 ? 16
                                                          : 0;
  return ret->ip_len > 0;
}

void via_start(Engine *e, OvpnProto proto, bool ipv6, const char *host, uint16_t port, int fd)
{
  OvpnFailure f = {0};
  e->via.fd = fd;
  e->via.proto = proto;
  e->via.ipv6 = ipv6;
  if (!e->config.proxy_type ||
      (proto == OVPN_PROTO_UDP && !server_address(host, port, &e->via.server))) {
    fail(e, OVPN_FAIL_INTERNAL, "no proxy, or the server has no address");
    return;
  }
  OvpnStatus s = new_machine(e, host, port, &f);
  if (s != OVPN_OK) {
    ovpn_failure_set(&f, s, "proxy");
    drive_fail(e, &f);
    return;
  }
  ovpn_proxy_start(e->via.machine);
  act(e, NULL, 0);
}

void via_socket(Engine *e, int fd)
{
  Via *v = &e->via;
  if (v->machine && v->relay_wanted) {
    ovpn_proxy_free(v->machine);
    v->machine = NULL;
    v->relay_wanted = false;
    drive_open(e, OVPN_PROTO_UDP, v->ipv6, fd);
    if (e->session)
      e->link.head_len = (uint8_t)ovpn_socks_udp_header(&v->server, e->link.head);
  } else if (v->machine && v->socket_wanted) {
    v->socket_wanted = false;
    v->fd = fd;
    ovpn_proxy_start(v->machine);
    act(e, NULL, 0);
  } else {
    close(fd); /* of a link that has ended in the meantime */
  }
}

void via_answer(Engine *e)
{
  static const OvpnSocksAddress none;
  OvpnFailure f = {0};
  const OvpnCredentials *k = &e->credentials;
  if (!e->via.machine || ovpn_proxy_step(e->via.machine) != OVPN_PROXY_NEED_CREDENTIALS)
    return;
  if (ovpn_proxy_set_credentials(e->via.machine, (const char *)k->proxy_user.data,
                                 &k->proxy_password, &f) != OVPN_OK) {
    drive_fail(e, &f);
    return;
  }
  e->via.socket_wanted = true;
  control_send_socket_wanted(e, false, &none);
}
