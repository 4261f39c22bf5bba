/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Waiting for a peer that calls: a UDP socket that the engine listens on, or a TCP one on which
 * calls are accepted here.
 *
 * Trust: whoever connects by TCP is nobody yet. He gets a session with a short time to show who he
 * is, one after the other; the kernel holds a few more. The listening socket is closed once the
 * tunnel is up. Invariant: before the first success the limit of the whole attempt ends the
 * waiting, afterwards nothing does. DESIGN.md §6. */
#include <arpa/inet.h>
#include <errno.h>
#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <string.h>
#include <unistd.h>
#include "helper/core/address.h"
#include "service/attempt-private.h"
#include "service/log.h"

enum { DEFAULT_PORT = 1194, AGAIN_MS = 200 };

gboolean nmovpn_attempt_waits(const NmOvpnAttempt *a)
{
  return a->config.n_remotes > 0 && nmovpn_attempt_remote(a)->waits;
}

guint16 nmovpn_attempt_own_port(const NmOvpnAttempt *a)
{
  const OvpnConfig *c = &a->config;
  const char *text = c->local_port ? c->local_port : c->own_port;
  if (!text)
    return DEFAULT_PORT;
  return nmovpn_attempt_parse_port(text, nmovpn_attempt_remote(a)->proto == OVPN_PROTO_TCP);
}

static void name_peer(NmOvpnAttempt *a, const struct sockaddr_storage *peer)
{
  gsize len;
  char text[INET6_ADDRSTRLEN] = "?";
  const guint8 *bytes = ovpn_address_bytes(peer, &len);
  if (bytes)
    inet_ntop(peer->ss_family, bytes, text, sizeof(text));
  g_free(a->place.server_name);
  a->place.server_name =
      g_strdup_printf(len == 16 ? "[%s]:%u" : "%s:%u", text, ovpn_address_port(peer));
}

/* ---- sockets */

static void close_listener(NmOvpnAttempt *a)
{
  nmovpn_attempt_clear_source(&a->listen_source);
  if (a->listen_fd >= 0)
    close(a->listen_fd);
  a->listen_fd = -1;
}

void nmovpn_attempt_stop_listening(NmOvpnAttempt *a)
{
  close_listener(a);
}

/* local HOST, else any address of the family that proto or the peer's address asks for. */
static void fill_own(const NmOvpnAttempt *a, guint16 port, struct sockaddr_storage *ret)
{
  const OvpnRemote *r = nmovpn_attempt_remote(a);
  GInetAddress *peer = a->addresses ? a->addresses->data : NULL;
  gboolean v6 =
      r->family == OVPN_AF_INET6 ||
      (r->family == OVPN_AF_ANY && peer && g_inet_address_get_family(peer) == G_SOCKET_FAMILY_IPV6);
  GSocketFamily family = v6 ? G_SOCKET_FAMILY_IPV6 : G_SOCKET_FAMILY_IPV4;
  g_autoptr(GInetAddress) any = g_inet_address_new_any(family);
  GInetAddress *own = nmovpn_attempt_local(a, family);
  if (!own && a->locals)
    own = a->locals->data;
  nmovpn_attempt_fill_sockaddr(ret, own ? own : any, port);
}

/* With remote and without float only that computer may call. */
static gboolean may_call(const NmOvpnAttempt *a, const struct sockaddr_storage *from)
{
  gboolean anybody = a->config.is_float || !*nmovpn_attempt_remote(a)->host, found = anybody;
  for (const GSList *l = a->addresses; l && !found; l = l->next) {
    struct sockaddr_storage one;
    nmovpn_attempt_fill_sockaddr(&one, l->data, 0);
    found = ovpn_address_same_host(&one, from);
  }
  return found;
}

static gboolean on_call(gint fd, GIOCondition condition, gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  struct sockaddr_storage from = {0};
  socklen_t len = sizeof(from);
  int call = accept4(fd, (struct sockaddr *)&from, &len, SOCK_NONBLOCK | SOCK_CLOEXEC);
  if (call < 0)
    return G_SOURCE_CONTINUE; /* who hung up already */
  from = ovpn_address_plain(&from);
  if (!may_call(a, &from)) {
    g_autofree char *peer = g_strdup(a->place.server_name);
    name_peer(a, &from);
    nmovpn_log(LOG_NOTICE, "%s called, which is not the address of the peer", a->place.server_name);
    g_free(a->place.server_name);
    a->place.server_name = g_steal_pointer(&peer);
    close(call);
    return G_SOURCE_CONTINUE;
  }
  a->place.server = from;
  name_peer(a, &from);
  nmovpn_log(LOG_NOTICE, "%s calls", a->place.server_name);
  g_clear_pointer(&a->listen_source, g_source_unref);
  nmovpn_attempt_linked(a, call);
  return G_SOURCE_REMOVE;
}

static void watch_listener(NmOvpnAttempt *a)
{
  a->server_answered = FALSE;
  a->session = OVPN_SESSION_INIT;
  nmovpn_attempt_attach(&a->listen_source, g_unix_fd_source_new(a->listen_fd, G_IO_IN),
                        G_SOURCE_FUNC(on_call), a);
}

static void fail_soon(NmOvpnAttempt *a, const char *why)
{
  OvpnFailure f = {.arg = 1};
  ovpn_failure_set(&f, OVPN_FAIL_CONNECT, "%s", why);
  a->next_address = NULL;
  nmovpn_attempt_fail_link_soon(a, &f);
}

void nmovpn_attempt_listen(NmOvpnAttempt *a)
{
  const OvpnConfig *c = &a->config;
  const OvpnRemote *r = nmovpn_attempt_remote(a);
  gboolean tcp = r->proto == OVPN_PROTO_TCP;
  guint16 port = nmovpn_attempt_own_port(a);
  g_autoptr(GError) error = NULL;
  close_listener(a);
  nmovpn_attempt_clear_source(&a->state_timer); /* the limit of the attempt holds */
  a->place.server = (struct sockaddr_storage){0};
  if (port == 0) {
    g_autofree char *why =
        g_strdup_printf(_("the port “%s” is neither a number nor a known service"),
                        c->local_port ? c->local_port : c->own_port);
    fail_soon(a, why);
    return;
  }
  NmOvpnBrokerLink link = {.mode = OVPN_BROKER_LISTEN,
                           .tcp = tcp,
                           .v6only = c->bind_v6only,
                           .has_local = TRUE,
                           .pmtu_disc = (guint)(c->mtu_disc + 1),
                           .mark = c->mark,
                           .sndbuf = c->sndbuf,
                           .rcvbuf = c->rcvbuf,
                           .bind_dev = c->bind_dev};
  fill_own(a, port, &link.local);
  int fd = nmovpn_broker_open_link(a->broker, &link, &error);
  if (fd < 0 && nmovpn_attempt_may_wait_for_port(a, error)) {
    nmovpn_attempt_wait_for_network(a);
    return;
  }
  if (fd < 0) {
    fail_soon(a, error->message);
    return;
  }
  a->network_waits = 0;
  a->place.server.ss_family = link.local.ss_family;
  nmovpn_log(LOG_NOTICE, "waiting for the peer%s%s to call on %s port %u", *r->host ? " " : "",
             r->host, tcp ? "TCP" : "UDP", port);
  if (!tcp) {
    nmovpn_attempt_linked(a, fd);
    return;
  }
  a->listen_fd = fd;
  watch_listener(a);
}

/* ---- what comes of it */

void nmovpn_attempt_wait_again(NmOvpnAttempt *a)
{
  nmovpn_attempt_drop_link(a);
  if (a->listen_fd >= 0 && a->state == NMOVPN_ATTEMPT_NEGOTIATING) { /* others may have called */
    nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_LINKING);
    watch_listener(a);
    return;
  }
  nmovpn_attempt_retry_soon(a, AGAIN_MS);
}

void nmovpn_attempt_on_peer(NmOvpnEngine *e, const struct sockaddr_storage *peer,
                            gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  gboolean up = a->state == NMOVPN_ATTEMPT_UP;
  if (!up && a->state != NMOVPN_ATTEMPT_NEGOTIATING && a->state != NMOVPN_ATTEMPT_CONFIGURING)
    return;
  a->place.server = *peer;
  name_peer(a, peer);
  if (!up) {
    nmovpn_log(LOG_NOTICE, "the peer is %s", a->place.server_name);
    return;
  }
  nmovpn_log(LOG_NOTICE, "the address of the peer is now %s", a->place.server_name);
  nmovpn_attempt_report(a);
}

void nmovpn_attempt_on_caller_refused(NmOvpnEngine *e, const struct sockaddr_storage *from,
                                      const OvpnFailure *f, gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  g_autofree char *peer = g_strdup(a->place.server_name);
  name_peer(a, from);
  g_autofree char *sentence = nmovpn_attempt_sentence(a, f);
  nmovpn_log(LOG_WARNING, "%s called: %s", a->place.server_name, sentence);
  if (!a->was_up)
    nmovpn_attempt_note_failure(a, f, a->place.server_name); /* told when nobody else calls */
  g_free(a->place.server_name);
  a->place.server_name = g_steal_pointer(&peer);
}
