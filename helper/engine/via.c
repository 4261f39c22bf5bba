/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way through a proxy: carries bytes between the socket to the proxy and the machine of
 * helper/core/proxy.h, then makes a link of what comes of it. spec §16.2, §20.
 *
 * Trust: the proxy is a stranger; its bytes only reach the machine. Invariants: there is a machine
 * or a session, never both; the descriptor to the proxy is the link's own once a TCP connection
 * through it stands, and stays here, watched, as long as a UDP relay is in use; the options of the
 * remote are selected while anything is done for it. */
#include "helper/engine/via.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "helper/engine/engine.h"

void via_init(Via *v)
{
  *v = (Via){.fd = -1, .watch.fd = -1};
}

static void close_fd(Engine *e, Via *v)
{
  loop_forget_via(e, v);
  if (v->fd >= 0)
    close(v->fd);
  v->fd = -1;
  ovpn_wipe(v->out, sizeof v->out);
  v->out_first = v->out_end = 0;
}

void via_end(Engine *e, Via *v)
{
  ovpn_proxy_free(v->machine);
  v->machine = NULL;
  close_fd(e, v);
  v->relay_wanted = v->socket_wanted = false;
}

static void give_up(Engine *e, Via *v, const OvpnFailure *f)
{
  if (v == &e->via)
    drive_fail(e, f);
  else
    race_via_failed(e, v, f);
}

static void fail(Engine *e, Via *v, OvpnStatus s, const char *text)
{
  OvpnFailure f = {0};
  ovpn_failure_set(&f, s, "%s", text);
  give_up(e, v, &f);
}

static void lost(Engine *e, Via *v, int err)
{
  fail(e, v, OVPN_FAIL_PROXY, strerror(err));
}

static void machine_failed(Engine *e, Via *v)
{
  OvpnFailure f = *ovpn_proxy_failure(v->machine);
  if (f.status == OVPN_FAIL_PROXY_AUTH) { /* asked for anew */
    ovpn_blob_clear(&e->credentials.proxy_user);
    ovpn_blob_clear(&e->credentials.proxy_password);
  }
  give_up(e, v, &f);
}

/* false: wait for EPOLLOUT, or the link is gone. */
static bool push_output(Engine *e, Via *v)
{
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
      lost(e, v, errno);
      return false;
    }
    ovpn_wipe(v->out + v->out_first, (size_t)n);
    v->out_first += (size_t)n;
  }
}

/* NULL: it has come to nothing. */
static Link *open_link(Engine *e, Via *v, OvpnProto proto, int fd)
{
  const OvpnSocksAddress *relay = proto == OVPN_PROTO_UDP ? &v->server : NULL;
  if (v != &e->via)
    return race_via_open(e, v, fd, relay);
  drive_open(e, proto, v->ipv6, fd);
  if (!e->session)
    return NULL;
  if (relay)
    e->link.head_len = (uint8_t)ovpn_socks_udp_header(relay, e->link.head);
  return &e->link;
}

/* The TCP connection leads to the server now. `rest` came behind the proxy's last word. */
static void arrived(Engine *e, Via *v, const uint8_t *rest, size_t len)
{
  int fd = v->fd;
  loop_forget_via(e, v);
  v->fd = -1;
  via_end(e, v);
  Link *l = open_link(e, v, OVPN_PROTO_TCP, fd);
  if (!l || len == 0)
    return;
  link_preload(l, rest, len);
  if (v == &e->via)
    e->rx_more = true;
  else
    race_via_preloaded(e, v);
}

static void act(Engine *e, Via *v, const uint8_t *rest, size_t len)
{
  static const OvpnSocksAddress none;
  switch (ovpn_proxy_step(v->machine)) {
  case OVPN_PROXY_CONTINUE:
    push_output(e, v);
    return;
  case OVPN_PROXY_DONE:
    if (v->proto == OVPN_PROTO_TCP) {
      arrived(e, v, rest, len);
      return;
    }
    v->relay_wanted = true;
    control_send_socket_wanted(e, v->number, true, ovpn_proxy_relay(v->machine));
    return;
  case OVPN_PROXY_RECONNECT:
    close_fd(e, v);
    v->socket_wanted = true;
    control_send_socket_wanted(e, v->number, false, &none);
    return;
  case OVPN_PROXY_NEED_CREDENTIALS:
    close_fd(e, v);
    control_send_need(e, OVPN_NEED_PROXY, 0, 0, e->config.proxy_host);
    return;
  case OVPN_PROXY_FAIL:
    machine_failed(e, v);
    return;
  }
}

/* Nothing of interest comes on the connection that keeps a relay open; its end is the relay's. */
static void on_relay_control(Engine *e, Via *v)
{
  uint8_t buf[256];
  bool own = v == &e->via;
  ssize_t n = recv(v->fd, buf, sizeof buf, MSG_DONTWAIT);
  if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR))
    fail(e, v, own && e->session ? OVPN_FAIL_LINK : OVPN_FAIL_PROXY, "the proxy closed its relay");
}

static void read_proxy(Engine *e, Via *v)
{
  uint8_t buf[4096];
  size_t used = 0;
  if (!v->machine || ovpn_proxy_step(v->machine) != OVPN_PROXY_CONTINUE) {
    on_relay_control(e, v);
    return;
  }
  if (!push_output(e, v))
    return;
  ssize_t n = recv(v->fd, buf, sizeof buf, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return;
  if (n < 0) {
    lost(e, v, errno);
    return;
  }
  if (n == 0)
    ovpn_proxy_closed(v->machine);
  else
    ovpn_proxy_input(v->machine, buf, (size_t)n, &used);
  act(e, v, buf + used, n > 0 ? (size_t)n - used : 0);
  ovpn_wipe(buf, sizeof buf);
}

void via_ready(Engine *e, Via *v)
{
  ovpn_config_select(&e->config, v->remote);
  read_proxy(e, v);
  ovpn_config_select(&e->config, e->race.remote);
}

uint32_t via_events(const Via *v)
{
  return v->fd < 0 ? 0 : v->out_first < v->out_end ? VIA_BOTH : VIA_IN;
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

static OvpnStatus new_machine(Engine *e, Via *v, const char *host, uint16_t port, OvpnFailure *f)
{
  const OvpnConfig *c = &e->config;
  const OvpnCredentials *k = &e->credentials;
  OvpnProxyHeader headers[OVPN_PROXY_HEADERS_MAX + 1];
  struct timespec wall;
  bool http = strcmp(c->proxy_type, "http") == 0, known = k->proxy_user.len > 0;
  char *text = ovpn_secret_strdup(c->proxy_headers);
  clock_gettime(CLOCK_REALTIME, &wall);
  OvpnProxyParams p = {
      .kind = http                         ? OVPN_PROXY_HTTP
              : v->proto == OVPN_PROTO_TCP ? OVPN_PROXY_SOCKS_TCP
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
  OvpnStatus s = ovpn_proxy_new(&p, &v->machine, f);
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

void via_start(Engine *e, Via *v, const DriveLink *l)
{
  OvpnFailure f = {0};
  via_init(v);
  v->fd = l->fd;
  v->number = l->number;
  v->remote = l->remote;
  v->proto = l->proto;
  v->ipv6 = l->ipv6;
  if (!e->config.proxy_type ||
      (l->proto == OVPN_PROTO_UDP && !server_address(l->host, l->port, &v->server))) {
    fail(e, v, OVPN_FAIL_INTERNAL, "no proxy, or the server has no address");
    return;
  }
  OvpnStatus s = new_machine(e, v, l->host, l->port, &f);
  if (s != OVPN_OK) {
    ovpn_failure_set(&f, s, "proxy");
    give_up(e, v, &f);
    return;
  }
  ovpn_proxy_start(v->machine);
  act(e, v, NULL, 0);
}

static Via *find(Engine *e, uint16_t number)
{
  if (e->via.machine && e->via.number == number)
    return &e->via;
  for (unsigned i = 0; i < RACE_RIVALS; i++)
    if (e->race.rivals[i].via.machine && e->race.rivals[i].via.number == number)
      return &e->race.rivals[i].via;
  return NULL;
}

void via_socket(Engine *e, uint16_t number, int fd)
{
  Via *v = find(e, number);
  if (!v || !(v->relay_wanted || v->socket_wanted)) {
    close(fd); /* of a link that has ended in the meantime */
    return;
  }
  ovpn_config_select(&e->config, v->remote);
  if (v->relay_wanted) {
    ovpn_proxy_free(v->machine);
    v->machine = NULL;
    v->relay_wanted = false;
    open_link(e, v, OVPN_PROTO_UDP, fd);
  } else {
    v->socket_wanted = false;
    v->fd = fd;
    ovpn_proxy_start(v->machine);
    act(e, v, NULL, 0);
  }
  ovpn_config_select(&e->config, e->race.remote);
}

static void answer(Engine *e, Via *v)
{
  static const OvpnSocksAddress none;
  OvpnFailure f = {0};
  const OvpnCredentials *k = &e->credentials;
  if (!v->machine || ovpn_proxy_step(v->machine) != OVPN_PROXY_NEED_CREDENTIALS)
    return;
  if (ovpn_proxy_set_credentials(v->machine, (const char *)k->proxy_user.data, &k->proxy_password,
                                 &f) != OVPN_OK) {
    give_up(e, v, &f);
    return;
  }
  v->socket_wanted = true;
  control_send_socket_wanted(e, v->number, false, &none);
}

void via_answer(Engine *e)
{
  for (unsigned i = 0; i < RACE_RIVALS; i++)
    answer(e, &e->race.rivals[i].via);
  answer(e, &e->via);
}
