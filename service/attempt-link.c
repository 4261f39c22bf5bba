/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the name of a server to a connected socket: GResolver, family and port, OPEN_LINK, and for
 * TCP the wait for the connection.
 *
 * Trusts the resolver's types only. Every outcome goes to attempt-next.c: resolved, linked, or this
 * address failed. DESIGN.md §6, §2 (OPEN_LINK). */
#include "service/attempt-private.h"
#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <net/if.h>
#include <netdb.h>
#include <string.h>
#include <unistd.h>
#include "helper/core/address.h"
#include "service/log.h"
#include "service/uplink.h"

enum {
  NETWORK_WAIT_MS = 250,
  NETWORK_WAITS = 40, /* ten seconds */
  LOOK_UP_AGAIN_MS = 1000,
  LOOK_UP_SECONDS = 10,
  RECALL_MS = 1000, /* then a name server that has not answered is not waited for */
  PORT_WAITS = 20
};

/* Service names too, as OpenVPN's remote accepts them. */
guint16 nmovpn_attempt_parse_port(const char *text, gboolean tcp)
{
  guint64 n;
  if (g_ascii_string_to_unsigned(text, 10, 1, 65535, &n, NULL))
    return (guint16)n;
  struct servent *s = getservbyname(text, tcp ? "tcp" : "udp");
  return s ? g_ntohs((guint16)s->s_port) : 0;
}

/* The name or address that is looked up at the moment. */
static const char *wanted_host(const NmOvpnAttempt *a)
{
  return a->place.via_proxy && a->place.target ? a->config.proxy_host
                                               : nmovpn_attempt_remote(a)->host;
}

/* A proxy is reached by any address, unless the profile says which of ours to use. */
gboolean nmovpn_attempt_family_fits(const NmOvpnAttempt *a, const OvpnRemote *r,
                                    GInetAddress *address)
{
  if (a->locals && !nmovpn_attempt_local(a, g_inet_address_get_family(address)))
    return FALSE;
  switch (r ? r->family : OVPN_AF_ANY) {
  case OVPN_AF_ANY:
    return TRUE;
  case OVPN_AF_INET:
    return g_inet_address_get_family(address) == G_SOCKET_FAMILY_IPV4;
  case OVPN_AF_INET6:
    return g_inet_address_get_family(address) == G_SOCKET_FAMILY_IPV6;
  }
  return FALSE;
}

/* The families take turns, beginning with that of the first: where one does not work, the next
 * address is of the other. RFC 8305 §4 */
static GSList *interleave(GSList *all)
{
  GSList *first = NULL, *other = NULL, *ret = NULL;
  GSocketFamily family = all ? g_inet_address_get_family(all->data) : G_SOCKET_FAMILY_INVALID;
  for (GSList *l = all; l; l = l->next)
    if (g_inet_address_get_family(l->data) == family)
      first = g_slist_append(first, l->data);
    else
      other = g_slist_append(other, l->data);
  g_slist_free(all);
  while (first || other) {
    GSList **from = first && (!other || g_slist_length(ret) % 2 == 0) ? &first : &other;
    ret = g_slist_append(ret, (*from)->data);
    *from = g_slist_delete_link(*from, *from);
  }
  return ret;
}

static void free_addresses(NmOvpnAttempt *a)
{
  g_slist_free_full(a->addresses, g_object_unref);
  a->addresses = a->next_address = NULL;
}

static void resolve_failed(NmOvpnAttempt *a, const char *why)
{
  OvpnFailure f = {0};
  ovpn_failure_set(&f, OVPN_FAIL_RESOLVE, "%s: %s", wanted_host(a), why);
  nmovpn_attempt_link_failed(a, &f);
}

static void look_up(NmOvpnAttempt *a);

/* Takes the list. */
static void take_addresses(NmOvpnAttempt *a, GList *found)
{
  const OvpnRemote *r = nmovpn_attempt_remote(a);
  free_addresses(a);
  for (GList *l = found; l; l = l->next)
    if (nmovpn_attempt_family_fits(a, a->place.via_proxy && a->place.target ? NULL : r, l->data))
      a->addresses = g_slist_append(a->addresses, g_object_ref(l->data));
  g_list_free_full(found, g_object_unref);
  a->next_address = a->addresses = interleave(a->addresses);
  if (a->addresses && a->place.via_proxy && !a->place.target) {
    /* the server's own, for the head of the datagrams; now the proxy's */
    a->place.target = g_inet_address_to_string(a->addresses->data);
    free_addresses(a);
    look_up(a);
  } else if (a->addresses)
    nmovpn_attempt_resolved(a);
  else
    resolve_failed(a, r->family == OVPN_AF_INET6 ||
                              (a->locals && !nmovpn_attempt_local(a, G_SOCKET_FAMILY_IPV4))
                          ? _("it has no IPv6 address")
                          : _("it has no IPv4 address"));
}

/* At login, or with a network that has just come up, name servers may not be there yet
 * (resolv-retry). Where there is something else to try, that is better. */
static gboolean may_look_up_again(const NmOvpnAttempt *a, const GError *error)
{
  return a->state == NMOVPN_ATTEMPT_RESOLVING && !a->was_up && !a->rivals &&
         !nmovpn_attempt_next_remote(a) &&
         g_get_monotonic_time() - a->started_at < LOOK_UP_SECONDS * G_USEC_PER_SEC &&
         g_error_matches(error, G_RESOLVER_ERROR, G_RESOLVER_ERROR_TEMPORARY_FAILURE);
}

static gboolean on_look_up_again(gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  g_clear_pointer(&a->link_source, g_source_unref);
  look_up(a);
  return G_SOURCE_REMOVE;
}

/* The addresses that the name had before. FALSE: it is not known. */
static gboolean recall(NmOvpnAttempt *a)
{
  GList *known = a->was_up ? nmovpn_names_recall(a, wanted_host(a)) : NULL;
  if (!known)
    return FALSE;
  nmovpn_log(LOG_NOTICE, "no answer from the name server: %s as it was known before",
             wanted_host(a));
  take_addresses(a, known);
  return TRUE;
}

static gboolean on_look_up_late(gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  g_clear_pointer(&a->link_source, g_source_unref);
  g_cancellable_cancel(a->resolving);
  g_clear_object(&a->resolving);
  recall(a);
  return G_SOURCE_REMOVE;
}

static void wait_for_name(NmOvpnAttempt *a)
{
  GList *known = a->was_up ? nmovpn_names_recall(a, wanted_host(a)) : NULL;
  if (known)
    nmovpn_attempt_start_timer_ms(a, &a->link_source, RECALL_MS, on_look_up_late);
  g_list_free_full(known, g_object_unref);
}

static void on_resolved(GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr(GError) error = NULL;
  GList *found = g_resolver_lookup_by_name_finish(G_RESOLVER(source), result, &error);
  if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return; /* the attempt may be gone */
  NmOvpnAttempt *a = user_data;
  g_clear_object(&a->resolving);
  nmovpn_attempt_clear_source(&a->link_source);
  if (!error)
    nmovpn_names_remember(a, wanted_host(a), found);
  if (error && recall(a))
    return;
  if (error && may_look_up_again(a, error))
    nmovpn_attempt_attach(&a->link_source, g_timeout_source_new(LOOK_UP_AGAIN_MS), on_look_up_again,
                          a);
  else if (error)
    resolve_failed(a, error->message);
  else
    take_addresses(a, found);
}

static const char scope_key[] = "nm-ovpn-scope";

/* Newer GLib knows scopes itself, older does not; so it never sees one. */
GInetAddress *nmovpn_attempt_parse_address(const char *host)
{
  const char *zone = strchr(host, '%');
  g_autofree char *bare = zone ? g_strndup(host, (gsize)(zone - host)) : NULL;
  GInetAddress *address = g_inet_address_new_from_string(bare ? bare : host);
  guint64 index = 0;
  if (!address || !zone)
    return address;
  if (!g_ascii_string_to_unsigned(zone + 1, 10, 1, G_MAXINT32, &index, NULL))
    index = if_nametoindex(zone + 1);
  if (g_inet_address_get_family(address) != G_SOCKET_FAMILY_IPV6)
    g_clear_object(&address);
  else
    g_object_set_data(G_OBJECT(address), scope_key, GUINT_TO_POINTER((guint)index));
  return address;
}

static gboolean on_numeric(gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  const char *host = wanted_host(a), *zone = strchr(host, '%');
  GInetAddress *address = nmovpn_attempt_parse_address(host);
  g_clear_pointer(&a->link_source, g_source_unref);
  if (zone && !g_object_get_data(G_OBJECT(address), scope_key)) {
    g_autofree char *why =
        g_strdup_printf(_("There is no network interface “%s” to connect through"), zone + 1);
    g_object_unref(address);
    resolve_failed(a, why);
    return G_SOURCE_REMOVE;
  }
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
                   a->place.port ? a->config.proxy_port : nmovpn_attempt_remote(a)->port);
  nmovpn_attempt_link_failed(a, &f);
  return G_SOURCE_REMOVE;
}

static void idle(NmOvpnAttempt *a, GSourceFunc f)
{
  nmovpn_attempt_attach(&a->link_source, g_idle_source_new(), f, a);
}

char *nmovpn_attempt_name_to_look_up(const NmOvpnAttempt *a, const OvpnRemote *r)
{
  if (!a->config.remote_random_hostname)
    return g_strdup(r->host);
  /* six random bytes defeat caches */
  return g_strdup_printf("%08x%04x.%s", g_random_int(), g_random_int() & 0xffff, r->host);
}

char *nmovpn_attempt_server_name(const OvpnRemote *r)
{
  return !*r->host              ? g_strdup(_("the peer"))
         : strchr(r->host, ':') ? g_strdup_printf("[%s]:%s", r->host, r->port)
                                : g_strdup_printf("%s:%s", r->host, r->port);
}

static void look_up(NmOvpnAttempt *a)
{
  const OvpnRemote *r = nmovpn_attempt_remote(a);
  const char *host = wanted_host(a);
  gboolean server = host == r->host;
  g_autoptr(GInetAddress) literal = nmovpn_attempt_parse_address(host);
  if (literal) {
    idle(a, on_numeric);
    return;
  }
  g_autoptr(GResolver) resolver = g_resolver_get_default();
  g_autofree char *name = server ? nmovpn_attempt_name_to_look_up(a, r) : g_strdup(host);
  GResolverNameLookupFlags flags =
      !server                      ? G_RESOLVER_NAME_LOOKUP_FLAGS_DEFAULT
      : r->family == OVPN_AF_INET  ? G_RESOLVER_NAME_LOOKUP_FLAGS_IPV4_ONLY
      : r->family == OVPN_AF_INET6 ? G_RESOLVER_NAME_LOOKUP_FLAGS_IPV6_ONLY
                                   : G_RESOLVER_NAME_LOOKUP_FLAGS_DEFAULT;
  a->resolving = g_cancellable_new();
  g_resolver_lookup_by_name_with_flags_async(resolver, name, flags, a->resolving, on_resolved, a);
  wait_for_name(a);
}

void nmovpn_attempt_resolve(NmOvpnAttempt *a)
{
  nmovpn_attempt_cancel_link(a);
  a->place.remote = a->round_index % a->config.n_remotes;
  const OvpnRemote *r = nmovpn_attempt_remote(a);
  const OvpnConfig *c = &a->config;
  ovpn_config_select(&a->config, a->place.remote);
  g_free(a->place.server_name);
  a->place.server_name = nmovpn_attempt_server_name(r);
  a->place.via_proxy = c->proxy_type != NULL;
  a->place.port = nmovpn_attempt_parse_port(r->port, r->proto == OVPN_PROTO_TCP);
  a->place.proxy_port = a->place.via_proxy ? nmovpn_attempt_parse_port(c->proxy_port, TRUE) : 0;
  a->place.proxy_host = c->proxy_host;
  a->place.relayed = FALSE;
  g_clear_pointer(&a->place.target, g_free);
  /* Only datagrams need the address of the server: a proxy knows names. */
  if (a->place.via_proxy && r->proto == OVPN_PROTO_TCP)
    a->place.target = g_strdup(r->host);
  if (!nmovpn_attempt_find_local(a))
    nmovpn_attempt_find_server(a);
}

void nmovpn_attempt_find_server(NmOvpnAttempt *a)
{
  if (!*nmovpn_attempt_remote(a)->host) {
    nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_LINKING);
    nmovpn_attempt_listen(a);
  } else if (a->place.port == 0 || (a->place.via_proxy && a->place.proxy_port == 0))
    idle(a, on_bad_port);
  else
    look_up(a);
}

void nmovpn_attempt_fill_sockaddr(struct sockaddr_storage *ss, GInetAddress *address, guint16 port)
{
  ovpn_address_make(ss, g_inet_address_to_bytes(address), g_inet_address_get_native_size(address),
                    port);
  ovpn_address_set_scope(ss, GPOINTER_TO_UINT(g_object_get_data(G_OBJECT(address), scope_key)));
}

/* local HOST and lport PORT. */
static gboolean fill_local(const NmOvpnAttempt *a, const NmOvpnPlace *p, NmOvpnBrokerLink *link)
{
  const OvpnConfig *c = &a->config;
  guint64 port = c->bind && !link->tcp ? nmovpn_attempt_own_port(a) : 0;
  if (link->tcp && p->via_proxy && c->remotes[p->remote].proto == OVPN_PROTO_UDP)
    return FALSE; /* it is for the datagrams */
  if (c->local_port)
    g_ascii_string_to_unsigned(c->local_port, 10, 0, 65535, &port, NULL);
  if (!a->locals && port == 0)
    return FALSE;
  GSocketFamily family =
      link->remote.ss_family == AF_INET6 ? G_SOCKET_FAMILY_IPV6 : G_SOCKET_FAMILY_IPV4;
  g_autoptr(GInetAddress) any = g_inet_address_new_any(family);
  GInetAddress *address = a->locals ? nmovpn_attempt_local(a, family) : any;
  if (!address)
    return FALSE;
  nmovpn_attempt_fill_sockaddr(&link->local, address, (guint16)port);
  return TRUE;
}

void nmovpn_attempt_connect_failure(const NmOvpnAttempt *a, const NmOvpnPlace *p, OvpnFailure *ret,
                                    const char *why)
{
  *ret = (OvpnFailure){.arg = p->via_proxy};
  if (p->via_proxy)
    ovpn_failure_set(ret, OVPN_FAIL_PROXY, "%s:%u: %s", p->proxy_host, p->proxy_port, why);
  else
    ovpn_failure_set(ret, OVPN_FAIL_CONNECT, "%s: %s", p->server_name, why);
}

int nmovpn_attempt_socket_error(int fd)
{
  int code = 0;
  socklen_t len = sizeof(code);
  return getsockopt(fd, SOL_SOCKET, SO_ERROR, &code, &len) < 0 ? EIO : code;
}

/* A socket is connected; takes it. */
static void connected(NmOvpnAttempt *a, int fd)
{
  g_autoptr(GError) error = NULL;
  if (!a->place.socket_wanted) {
    nmovpn_attempt_linked(a, fd);
    return;
  }
  a->place.socket_wanted = FALSE;
  if (!nmovpn_engine_send_socket(a->engine, a->place.number, fd, &error))
    nmovpn_attempt_fail_internal(a, error->message);
  close(fd);
}

static gboolean on_tcp_writable(gint fd, GIOCondition condition, gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  OvpnFailure f;
  int code = nmovpn_attempt_socket_error(fd);
  g_clear_pointer(&a->link_source, g_source_unref);
  a->place.fd = -1;
  if (code == 0) {
    connected(a, fd);
    return G_SOURCE_REMOVE;
  }
  close(fd);
  nmovpn_attempt_connect_failure(a, &a->place, &f, g_strerror(code));
  nmovpn_attempt_link_failed(a, &f);
  return G_SOURCE_REMOVE;
}

void nmovpn_attempt_watch_connecting(NmOvpnAttempt *a)
{
  nmovpn_attempt_attach(&a->link_source,
                        g_unix_fd_source_new(a->place.fd, G_IO_OUT | G_IO_ERR | G_IO_HUP),
                        G_SOURCE_FUNC(on_tcp_writable), a);
}

static gboolean on_open_failed(gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  OvpnFailure f = a->open_failure;
  g_clear_pointer(&a->link_source, g_source_unref);
  nmovpn_attempt_link_failed(a, &f);
  return G_SOURCE_REMOVE;
}

void nmovpn_attempt_fail_link_soon(NmOvpnAttempt *a, const OvpnFailure *f)
{
  a->open_failure = *f;
  idle(a, on_open_failed);
}

/* A connection that was taken down a moment ago still says goodbye on its port. */
gboolean nmovpn_attempt_may_wait_for_port(NmOvpnAttempt *a, const GError *error)
{
  return g_error_matches(error, NMOVPN_BROKER_ERROR, NMOVPN_BROKER_ERROR_BUSY) &&
         a->network_waits++ < PORT_WAITS;
}

/* At login the VPN can be started while the network below still waits for its address. Only worth
 * the time when there is no other server or address to go to. */
static gboolean may_wait_for_network(NmOvpnAttempt *a, const GError *error)
{
  return (nmovpn_attempt_may_wait_for_port(a, error) ||
          (g_error_matches(error, NMOVPN_BROKER_ERROR, NMOVPN_BROKER_ERROR_NO_NETWORK) &&
           a->network_waits++ < NETWORK_WAITS)) &&
         !a->next_address && a->config.n_remotes == 1;
}

static gboolean on_network_wait(gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  g_clear_pointer(&a->link_source, g_source_unref);
  if (nmovpn_attempt_waits(a)) {
    nmovpn_attempt_listen(a);
    return G_SOURCE_REMOVE;
  }
  a->next_address = a->addresses;
  nmovpn_attempt_open_link(a);
  return G_SOURCE_REMOVE;
}

void nmovpn_attempt_wait_for_network(NmOvpnAttempt *a)
{
  nmovpn_attempt_start_timer_ms(a, &a->link_source, NETWORK_WAIT_MS, on_network_wait);
}

static NmOvpnBrokerLink link_to_server(const NmOvpnAttempt *a, const NmOvpnPlace *p, gboolean tcp)
{
  const OvpnConfig *c = &a->config;
  gboolean open = !tcp && c->is_float && !p->via_proxy;
  NmOvpnBrokerLink link = {.mode = open ? OVPN_BROKER_OPEN : OVPN_BROKER_CONNECT,
                           .tcp = tcp,
                           .remote = p->server,
                           .pmtu_disc = (guint)(c->mtu_disc + 1),
                           .mark = c->mark,
                           .sndbuf = c->sndbuf,
                           .rcvbuf = c->rcvbuf,
                           .bind_dev = c->bind_dev};
  link.has_local = fill_local(a, p, &link);
  return link;
}

/* A tunnel that is kept must not take its own packets to another server. */
static int open_past_tunnel(NmOvpnAttempt *a, NmOvpnBrokerLink *link, GError **error)
{
  g_autofree char *device = NULL;
  if (a->tun.fd >= 0 && !link->bind_dev)
    link->bind_dev = device = nmovpn_uplink_past(a->tun.ifname, &link->remote);
  int fd = nmovpn_broker_open_link(a->broker, link, error);
  if (fd >= 0 || !device)
    return fd;
  g_clear_error(error); /* a device that is going away */
  link->bind_dev = NULL;
  return nmovpn_broker_open_link(a->broker, link, error);
}

int nmovpn_attempt_open_place(NmOvpnAttempt *a, const NmOvpnPlace *p, gboolean tcp, GError **error)
{
  NmOvpnBrokerLink link = link_to_server(a, p, tcp);
  return open_past_tunnel(a, &link, error);
}

/* Connects a socket to a->place.server; what comes of it goes to connected() or link_failed(). */
static void open_socket(NmOvpnAttempt *a, gboolean tcp)
{
  g_autoptr(GError) error = NULL;
  int fd = nmovpn_attempt_open_place(a, &a->place, tcp, &error);
  if (fd >= 0)
    a->network_waits = 0;
  if (fd < 0 && !a->place.socket_wanted && may_wait_for_network(a, error)) {
    nmovpn_attempt_wait_for_network(a);
  } else if (fd < 0) {
    OvpnFailure f;
    nmovpn_attempt_connect_failure(a, &a->place, &f, error->message);
    nmovpn_attempt_fail_link_soon(a, &f);
  } else if (!tcp) {
    connected(a, fd);
  } else {
    a->place.fd = fd;
    nmovpn_attempt_watch_connecting(a);
  }
}

void nmovpn_attempt_open_link(NmOvpnAttempt *a)
{
  const OvpnRemote *r = nmovpn_attempt_remote(a);
  GInetAddress *address = a->next_address->data;
  gboolean tcp = r->proto == OVPN_PROTO_TCP;
  a->next_address = a->next_address->next;
  a->place.socket_wanted = FALSE;
  nmovpn_attempt_fill_sockaddr(&a->place.server, address,
                               a->place.via_proxy ? a->place.proxy_port : a->place.port);
  g_autofree char *text = g_inet_address_to_string(address);
  if (a->place.via_proxy)
    nmovpn_log(LOG_NOTICE, "connecting to %s (%s) through the %s proxy %s (%s, port %u)",
               a->place.server_name, tcp ? "TCP" : "UDP", a->config.proxy_type,
               a->config.proxy_host, text, a->place.proxy_port);
  else
    nmovpn_log(LOG_NOTICE, "connecting to %s (%s, %s)", a->place.server_name, text,
               tcp ? "TCP" : "UDP");
  open_socket(a, tcp || a->place.via_proxy);
}

/* The engine's socket is of no use any more, because the address of this computer has changed.
 * Where there is no network yet, the engine asks again. */
static void open_again(NmOvpnAttempt *a)
{
  g_autoptr(GError) error = NULL;
  int fd = nmovpn_attempt_open_place(a, &a->place, FALSE, &error);
  if (fd < 0)
    nmovpn_log(LOG_INFO, "%s", error->message);
  else if (!nmovpn_engine_send_socket(a->engine, a->place.number, fd, &error))
    nmovpn_attempt_fail_internal(a, error->message);
  if (fd >= 0)
    close(fd);
}

gboolean nmovpn_attempt_set_relay(NmOvpnPlace *p, gboolean udp, const guint8 *ip, guint ip_len,
                                  guint16 port)
{
  p->relayed = udp;
  if (udp && ip_len)
    ovpn_address_make(&p->server, ip, ip_len, port);
  else if (udp)
    ovpn_address_set_port(&p->server, port);
  return !udp || port > 0;
}

/* The engine is past its first connection to the proxy and needs another socket: that of the relay,
 * or a new one to the proxy. */
void nmovpn_attempt_socket_wanted(NmOvpnAttempt *a, guint number, gboolean udp, const guint8 *ip,
                                  guint ip_len, guint16 port)
{
  if (number != a->place.number) {
    nmovpn_race_socket_wanted(a, number, udp, ip, ip_len, port);
    return;
  }
  if (!a->place.via_proxy && a->state == NMOVPN_ATTEMPT_UP && udp && ip_len == 0 && !a->link_source)
    open_again(a);
  if (a->state != NMOVPN_ATTEMPT_NEGOTIATING || !a->place.via_proxy || a->link_source ||
      !nmovpn_attempt_set_relay(&a->place, udp, ip, ip_len, port))
    return;
  a->place.socket_wanted = TRUE;
  open_socket(a, !udp);
}

void nmovpn_attempt_cancel_link(NmOvpnAttempt *a)
{
  nmovpn_attempt_clear_source(&a->race_timer);
  nmovpn_attempt_stop_listening(a);
  if (a->resolving)
    g_cancellable_cancel(a->resolving);
  g_clear_object(&a->resolving);
  if (a->link_source)
    g_source_destroy(a->link_source);
  g_clear_pointer(&a->link_source, g_source_unref);
  if (a->place.fd >= 0)
    close(a->place.fd);
  a->place.fd = -1;
  free_addresses(a);
}
