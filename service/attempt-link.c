/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the name of a server to a connected socket: GResolver, family and port, OPEN_LINK, and for
 * TCP the wait for the connection.
 *
 * Trusts the resolver's types only. Every outcome goes to attempt.c: resolved, linked, or this
 * address failed. DESIGN.md §6, §2 (OPEN_LINK). */
#include "service/attempt-private.h"
#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>
#include "service/log.h"

enum { NETWORK_WAIT_MS = 250, NETWORK_WAITS = 40 /* ten seconds */ };

/* Service names too, as OpenVPN's remote accepts them. */
static guint16 parse_port(const OvpnRemote *r)
{
  guint64 n;
  if (g_ascii_string_to_unsigned(r->port, 10, 1, 65535, &n, NULL))
    return (guint16)n;
  struct servent *s = getservbyname(r->port, r->proto == OVPN_PROTO_TCP ? "tcp" : "udp");
  return s ? g_ntohs((guint16)s->s_port) : 0;
}

static gboolean family_fits(const OvpnRemote *r, GInetAddress *address)
{
  switch (r->family) {
  case OVPN_AF_ANY:
    return TRUE;
  case OVPN_AF_INET:
    return g_inet_address_get_family(address) == G_SOCKET_FAMILY_IPV4;
  case OVPN_AF_INET6:
    return g_inet_address_get_family(address) == G_SOCKET_FAMILY_IPV6;
  }
  return FALSE;
}

static void free_addresses(NmOvpnAttempt *a)
{
  g_slist_free_full(a->addresses, g_object_unref);
  a->addresses = a->next_address = NULL;
}

static void resolve_failed(NmOvpnAttempt *a, const char *why)
{
  OvpnFailure f = {0};
  ovpn_failure_set(&f, OVPN_FAIL_RESOLVE, "%s: %s", nmovpn_attempt_remote(a)->host, why);
  nmovpn_attempt_link_failed(a, &f);
}

/* Takes the list. */
static void take_addresses(NmOvpnAttempt *a, GList *found)
{
  const OvpnRemote *r = nmovpn_attempt_remote(a);
  free_addresses(a);
  for (GList *l = found; l; l = l->next)
    if (family_fits(r, l->data))
      a->addresses = g_slist_append(a->addresses, g_object_ref(l->data));
  g_list_free_full(found, g_object_unref);
  a->next_address = a->addresses;
  if (a->addresses)
    nmovpn_attempt_resolved(a);
  else
    resolve_failed(a, r->family == OVPN_AF_INET6 ? _("it has no IPv6 address")
                                                 : _("it has no IPv4 address"));
}

static void on_resolved(GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr(GError) error = NULL;
  GList *found = g_resolver_lookup_by_name_finish(G_RESOLVER(source), result, &error);
  if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return; /* the attempt may be gone */
  NmOvpnAttempt *a = user_data;
  g_clear_object(&a->resolving);
  if (error)
    resolve_failed(a, error->message);
  else
    take_addresses(a, found);
}

static gboolean on_numeric(gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  GInetAddress *address = g_inet_address_new_from_string(nmovpn_attempt_remote(a)->host);
  g_clear_pointer(&a->link_source, g_source_unref);
  take_addresses(a, g_list_append(NULL, address));
  return G_SOURCE_REMOVE;
}

static gboolean on_bad_port(gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  g_clear_pointer(&a->link_source, g_source_unref);
  OvpnFailure f = {0};
  ovpn_failure_set(&f, OVPN_FAIL_RESOLVE,
                   _("the port “%s” is neither a number nor a known service"),
                   nmovpn_attempt_remote(a)->port);
  nmovpn_attempt_link_failed(a, &f);
  return G_SOURCE_REMOVE;
}

static void idle(NmOvpnAttempt *a, GSourceFunc f)
{
  a->link_source = g_idle_source_new();
  g_source_set_callback(a->link_source, f, a, NULL);
  g_source_attach(a->link_source, NULL);
}

void nmovpn_attempt_resolve(NmOvpnAttempt *a)
{
  const OvpnRemote *r = nmovpn_attempt_remote(a);
  nmovpn_attempt_cancel_link(a);
  g_free(a->server_name);
  a->server_name = strchr(r->host, ':') ? g_strdup_printf("[%s]:%s", r->host, r->port)
                                        : g_strdup_printf("%s:%s", r->host, r->port);
  a->port = parse_port(r);
  if (a->port == 0) {
    idle(a, on_bad_port);
    return;
  }
  if (g_hostname_is_ip_address(r->host)) {
    idle(a, on_numeric);
    return;
  }
  g_autoptr(GResolver) resolver = g_resolver_get_default();
  g_autofree char *name = NULL;
  if (a->config.remote_random_hostname) /* six random bytes defeat caches, as OpenVPN does */
    name = g_strdup_printf("%08x%04x.%s", g_random_int(), g_random_int() & 0xffff, r->host);
  GResolverNameLookupFlags flags =
      r->family == OVPN_AF_INET    ? G_RESOLVER_NAME_LOOKUP_FLAGS_IPV4_ONLY
      : r->family == OVPN_AF_INET6 ? G_RESOLVER_NAME_LOOKUP_FLAGS_IPV6_ONLY
                                   : G_RESOLVER_NAME_LOOKUP_FLAGS_DEFAULT;
  a->resolving = g_cancellable_new();
  g_resolver_lookup_by_name_with_flags_async(resolver, name ? name : r->host, flags, a->resolving,
                                             on_resolved, a);
}

static void fill_sockaddr(struct sockaddr_storage *ss, GInetAddress *address, guint16 port)
{
  *ss = (struct sockaddr_storage){0};
  if (g_inet_address_get_family(address) == G_SOCKET_FAMILY_IPV6) {
    struct sockaddr_in6 *s6 = (struct sockaddr_in6 *)(void *)ss;
    s6->sin6_family = AF_INET6;
    s6->sin6_port = g_htons(port);
    memcpy(&s6->sin6_addr, g_inet_address_to_bytes(address), 16);
  } else {
    struct sockaddr_in *s4 = (struct sockaddr_in *)(void *)ss;
    s4->sin_family = AF_INET;
    s4->sin_port = g_htons(port);
    memcpy(&s4->sin_addr, g_inet_address_to_bytes(address), 4);
  }
}

/* local HOST and lport PORT; only literal addresses of the same family. */
static gboolean fill_local(const NmOvpnAttempt *a, NmOvpnBrokerLink *link)
{
  const OvpnConfig *c = &a->config;
  guint64 port = 0;
  if (c->local_port)
    g_ascii_string_to_unsigned(c->local_port, 10, 0, 65535, &port, NULL);
  if (!c->local_host && port == 0)
    return FALSE;
  GSocketFamily family =
      link->remote.ss_family == AF_INET6 ? G_SOCKET_FAMILY_IPV6 : G_SOCKET_FAMILY_IPV4;
  g_autoptr(GInetAddress) address = c->local_host ? g_inet_address_new_from_string(c->local_host)
                                                  : g_inet_address_new_any(family);
  if (!address || g_inet_address_get_family(address) != family)
    return FALSE;
  fill_sockaddr(&link->local, address, (guint16)port);
  return TRUE;
}

static gboolean on_tcp_writable(gint fd, GIOCondition condition, gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  int code = 0;
  socklen_t len = sizeof(code);
  if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0)
    code = EIO;
  g_clear_pointer(&a->link_source, g_source_unref);
  a->link_fd = -1;
  if (code == 0) {
    nmovpn_attempt_linked(a, fd);
    return G_SOURCE_REMOVE;
  }
  close(fd);
  OvpnFailure f = {0};
  ovpn_failure_set(&f, OVPN_FAIL_CONNECT, "%s: %s", a->server_name, g_strerror(code));
  nmovpn_attempt_link_failed(a, &f);
  return G_SOURCE_REMOVE;
}

static gboolean on_open_failed(gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  OvpnFailure f = a->first_failure;
  g_clear_pointer(&a->link_source, g_source_unref);
  nmovpn_attempt_link_failed(a, &f);
  return G_SOURCE_REMOVE;
}

/* At login the VPN can be started while the network below still waits for its address. Only worth
 * the time when there is no other server or address to go to. */
static gboolean may_wait_for_network(NmOvpnAttempt *a, const GError *error)
{
  return g_error_matches(error, NMOVPN_BROKER_ERROR, NMOVPN_BROKER_ERROR_NO_NETWORK) &&
         !a->next_address && a->config.n_remotes == 1 && a->network_waits++ < NETWORK_WAITS;
}

static gboolean on_network_wait(gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  g_clear_pointer(&a->link_source, g_source_unref);
  a->next_address = a->addresses;
  nmovpn_attempt_open_link(a);
  return G_SOURCE_REMOVE;
}

void nmovpn_attempt_open_link(NmOvpnAttempt *a)
{
  const OvpnRemote *r = nmovpn_attempt_remote(a);
  g_autoptr(GError) error = NULL;
  GInetAddress *address = a->next_address->data;
  a->next_address = a->next_address->next;
  fill_sockaddr(&a->server, address, a->port);
  NmOvpnBrokerLink link = {.tcp = r->proto == OVPN_PROTO_TCP,
                           .remote = a->server,
                           .pmtu_disc = (guint)(a->config.mtu_disc + 1),
                           .mark = a->config.mark,
                           .sndbuf = a->config.sndbuf,
                           .rcvbuf = a->config.rcvbuf,
                           .bind_dev = a->config.bind_dev};
  link.has_local = fill_local(a, &link);
  g_autofree char *text = g_inet_address_to_string(address);
  nmovpn_log(LOG_NOTICE, "connecting to %s (%s, %s)", a->server_name, text,
             link.tcp ? "TCP" : "UDP");
  int fd = nmovpn_broker_open_link(a->broker, &link, &error);
  if (fd >= 0)
    a->network_waits = 0;
  if (fd < 0 && may_wait_for_network(a, error)) {
    a->link_source = g_timeout_source_new(NETWORK_WAIT_MS);
    g_source_set_callback(a->link_source, on_network_wait, a, NULL);
    g_source_attach(a->link_source, NULL);
  } else if (fd < 0) {
    ovpn_failure_set(&a->first_failure, OVPN_FAIL_CONNECT, "%s", error->message);
    idle(a, on_open_failed);
  } else if (!link.tcp) {
    nmovpn_attempt_linked(a, fd);
  } else {
    a->link_fd = fd;
    a->link_source = g_unix_fd_source_new(fd, G_IO_OUT | G_IO_ERR | G_IO_HUP);
    g_source_set_callback(a->link_source, G_SOURCE_FUNC(on_tcp_writable), a, NULL);
    g_source_attach(a->link_source, NULL);
  }
}

void nmovpn_attempt_cancel_link(NmOvpnAttempt *a)
{
  if (a->resolving)
    g_cancellable_cancel(a->resolving);
  g_clear_object(&a->resolving);
  if (a->link_source)
    g_source_destroy(a->link_source);
  g_clear_pointer(&a->link_source, g_source_unref);
  if (a->link_fd >= 0)
    close(a->link_fd);
  a->link_fd = -1;
  free_addresses(a);
}
