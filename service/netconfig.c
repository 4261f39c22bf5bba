/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Pushed options -> the three dictionaries of NetworkManager's VPN plugin interface.
 *
 * Pure: no I/O, no clock, no log. Trusts OvpnPushed's types and counts (made by
 * ovpn_pushed_from_options in this process), not its values. IPv4 addresses travel as u32 in
 * network order, IPv6 as ay.
 *
 * Decisions (NetworkManager 1.42's behaviour read in nm-vpn-connection.c):
 *  - it adds a default route for a family unless never-default is TRUE; so with default-route=auto
 * we say TRUE unless the server or the file redirects that family, and without that key we say
 * nothing, as the old plugin did;
 *  - it ignores the metric of a route, and routes go out through the tunnel always: a route by way
 * of the old gateway (net_gateway) cannot be expressed and becomes a note;
 *  - a gateway that is not on the tunnel's own link would make the kernel refuse the route; a tun
 * device needs none, so then it is left out;
 *  - domains with a leading "~" are routing domains. */
#include "service/netconfig.h"
#include <NetworkManager.h>
#include <arpa/inet.h>
#include <glib/gi18n-lib.h>
#include <string.h>
#include "service/profile.h"

enum { MTU_MIN_IPV6 = 1280 };

/* Where IPv6 goes to die when the server asks to block it and gives no address: a source address of
 * ours (RFC 4193) that no public destination is preferred from. */
static const struct in6_addr blocked_addr6 = {
    {{0xfd, 0x6f, 0x76, 0x70, 0x6e, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1}}};

/* The same for IPv4: the dummy address of RFC 7600, which nobody has. */
static const char blocked_addr4[] = "192.0.0.8";

static GVariant *variant6(const struct in6_addr *a)
{
  return g_variant_new_fixed_array(G_VARIANT_TYPE_BYTE, a->s6_addr, 16, 1);
}

static void add(GVariantBuilder *b, const char *key, GVariant *value)
{
  g_variant_builder_add(b, "{sv}", key, value);
}

static void note(NmOvpnNetconfig *n, const char *format, ...) G_GNUC_PRINTF(2, 3);
static void note(NmOvpnNetconfig *n, const char *format, ...)
{
  va_list ap;
  va_start(ap, format);
  g_ptr_array_add(n->notes, g_strdup_vprintf(format, ap));
  va_end(ap);
}

static gboolean same_net4(struct in_addr a, struct in_addr b, guint prefix)
{
  guint32 mask = prefix ? htonl(~(guint32)0 << (32 - MIN(prefix, 32))) : 0;
  return (a.s_addr & mask) == (b.s_addr & mask);
}

static gboolean same_net6(const struct in6_addr *a, const struct in6_addr *b, guint prefix)
{
  guint bytes = MIN(prefix, 128) / 8, bits = MIN(prefix, 128) % 8;
  if (memcmp(a, b, bytes) != 0)
    return FALSE;
  return bits == 0 || ((a->s6_addr[bytes] ^ b->s6_addr[bytes]) >> (8 - bits)) == 0;
}

static gboolean on_link4(const OvpnPushed *p, struct in_addr gw)
{
  return p->has_peer4 ? gw.s_addr == p->peer4.s_addr : same_net4(p->addr4, gw, p->prefix4);
}

static gboolean on_link6(const OvpnPushed *p, const struct in6_addr *gw)
{
  return IN6_IS_ADDR_LINKLOCAL(gw) || same_net6(&p->addr6, gw, p->prefix6) ||
         (p->has_peer6 && memcmp(gw, &p->peer6, 16) == 0);
}

/* A route to everything is the default route, which NetworkManager sets itself. */
static gboolean is_default4(const OvpnRoute4 *r)
{
  return r->prefix == 0 && !r->via_net_gateway;
}

static gboolean wants_default4(const OvpnPushed *p)
{
  gboolean any = (p->redirect & OVPN_REDIRECT_IPV4) != 0;
  for (size_t i = 0; i < p->n_routes4; i++)
    any |= is_default4(&p->routes4[i]);
  return any;
}

static gboolean is_default6(const OvpnRoute6 *r)
{
  return r->prefix == 0 && !r->via_net_gateway;
}

static gboolean wants_default6(const OvpnPushed *p)
{
  gboolean any = (p->redirect & OVPN_REDIRECT_IPV6) != 0;
  for (size_t i = 0; i < p->n_routes6; i++)
    any |= is_default6(&p->routes6[i]);
  return any;
}

/* NetworkManager keeps the way to the server outside the tunnel by itself. */
static gboolean is_server4(const struct sockaddr *server, const OvpnRoute4 *r)
{
  const struct sockaddr_in *s4 = (const struct sockaddr_in *)(const void *)server;
  return server->sa_family == AF_INET && r->prefix == 32 && s4->sin_addr.s_addr == r->net.s_addr;
}

static gboolean is_server6(const struct sockaddr *server, const OvpnRoute6 *r)
{
  const struct sockaddr_in6 *s6 = (const struct sockaddr_in6 *)(const void *)server;
  return server->sa_family == AF_INET6 && r->prefix == 128 &&
         IN6_ARE_ADDR_EQUAL(&s6->sin6_addr, &r->net);
}

static void add_route4(GVariantBuilder *b, guint32 net, guint32 prefix, guint32 gw, guint32 metric)
{
  guint32 route[] = {net, prefix, gw, metric};
  g_variant_builder_add_value(b, g_variant_new_fixed_array(G_VARIANT_TYPE_UINT32, route,
                                                           G_N_ELEMENTS(route), sizeof(guint32)));
}

/* block-local: the halves of the local network lead into the tunnel; the way to the server is a
 * route of its own and stays. */
static gboolean blocks_local(const NmOvpnNetconfigInput *in)
{
  return (in->pushed->redirect & OVPN_REDIRECT_BLOCK_LOCAL) && in->local_prefix > 0 &&
         in->local_prefix < 31;
}

static void add_local_halves(GVariantBuilder *b, const NmOvpnNetconfigInput *in)
{
  guint prefix = in->local_prefix + 1;
  add_route4(b, in->local_net, prefix, 0, 0);
  add_route4(b, in->local_net | htonl((guint32)1 << (32 - prefix)), prefix, 0, 0);
}

static GVariant *routes4(NmOvpnNetconfig *n, const NmOvpnNetconfigInput *in)
{
  const OvpnPushed *p = in->pushed;
  const struct sockaddr *server = in->server;
  GVariantBuilder all;
  g_variant_builder_init(&all, G_VARIANT_TYPE("aau"));
  for (size_t i = 0; i < p->n_routes4; i++) {
    const OvpnRoute4 *r = &p->routes4[i];
    char net[INET_ADDRSTRLEN];
    if (is_default4(r) || (r->via_net_gateway && is_server4(server, r)))
      continue;
    inet_ntop(AF_INET, &r->net, net, sizeof(net));
    if (r->via_net_gateway) {
      note(n, _("The route to %s/%u outside the tunnel cannot be set by a VPN plugin."), net,
           r->prefix);
      continue;
    }
    guint32 gw = 0;
    if (r->has_gateway && on_link4(p, r->gateway))
      gw = r->gateway.s_addr;
    else if (!r->has_gateway && p->has_gateway4 && on_link4(p, p->gateway4))
      gw = p->gateway4.s_addr;
    add_route4(&all, r->net.s_addr, r->prefix, gw, r->has_metric ? r->metric : 0);
  }
  if (blocks_local(in))
    add_local_halves(&all, in);
  return g_variant_builder_end(&all);
}

static GVariant *routes6(NmOvpnNetconfig *n, const OvpnPushed *p, const struct sockaddr *server)
{
  GVariantBuilder all;
  g_variant_builder_init(&all, G_VARIANT_TYPE("a(ayuayu)"));
  for (size_t i = 0; i < p->n_routes6; i++) {
    const OvpnRoute6 *r = &p->routes6[i];
    char net[INET6_ADDRSTRLEN];
    if (is_default6(r) || (r->via_net_gateway && is_server6(server, r)))
      continue;
    inet_ntop(AF_INET6, &r->net, net, sizeof(net));
    if (r->via_net_gateway) {
      note(n, _("The route to %s/%u outside the tunnel cannot be set by a VPN plugin."), net,
           r->prefix);
      continue;
    }
    const struct in6_addr *gw =
        r->has_gateway && on_link6(p, &r->gateway) ? &r->gateway : &in6addr_any;
    g_variant_builder_add(&all, "(@ayu@ayu)", variant6(&r->net), (guint32)r->prefix, variant6(gw),
                          r->has_metric ? r->metric : 0);
  }
  return g_variant_builder_end(&all);
}

static gboolean usable_port(const OvpnDnsServer *s, const OvpnDnsAddr *a)
{
  return a->port == 0 || a->port == (s->transport == 1 ? 853 : 53);
}

static gboolean usable_family(const OvpnPushed *p, const OvpnDnsAddr *a)
{
  return a->family == AF_INET ? p->has_v4 : p->has_v6;
}

/* Says which of its addresses are of no use; TRUE: there are others. */
static gboolean note_left_out(NmOvpnNetconfig *n, const OvpnPushed *p, const OvpnDnsServer *s)
{
  gboolean any = FALSE;
  for (size_t i = 0; i < s->n_addrs; i++) {
    if (!usable_port(s, &s->addrs[i]))
      note(n, _("A DNS server on port %u was left out: NetworkManager knows only the usual port."),
           s->addrs[i].port);
    else if (!usable_family(p, &s->addrs[i]))
      note(n, _("A DNS server was left out because the tunnel does not have its kind of address."));
    else
      any = TRUE;
  }
  return any;
}

/* NetworkManager knows one list per connection, so the first server group it can use wins. */
static const OvpnDnsServer *pick_dns(NmOvpnNetconfig *n, const OvpnPushed *p)
{
  for (size_t i = 0; i < p->n_dns; i++) {
    const OvpnDnsServer *s = &p->dns[i];
    if (s->transport == 2)
      note(n, _("A DNS server was left out because it speaks only DNS over HTTPS."));
    else if (note_left_out(n, p, s))
      return s;
  }
  return NULL;
}

static void note_metrics(NmOvpnNetconfig *n, const OvpnPushed *p)
{
  gboolean any = FALSE;
  for (size_t i = 0; i < p->n_routes4; i++)
    any |= p->routes4[i].has_metric && !p->routes4[i].via_net_gateway;
  for (size_t i = 0; i < p->n_routes6; i++)
    any |= p->routes6[i].has_metric && !p->routes6[i].via_net_gateway;
  if (any)
    note(n, _("The metrics of the VPN's routes are not used: NetworkManager gives all routes that "
              "come from a VPN plugin the metric of the connection (ipv4.route-metric)."));
}

/* What NetworkManager does not take from a VPN plugin. */
static void note_dns(NmOvpnNetconfig *n, const OvpnDnsServer *s)
{
  if (s->transport == 1)
    note(n, _("The VPN wants DNS over TLS; NetworkManager takes that only from the setting "
              "connection.dns-over-tls."));
  if (s->dnssec > 0)
    note(n, _("The VPN wants DNSSEC to be checked; NetworkManager leaves that to the resolver's "
              "own settings."));
}

static void note_dhcp(NmOvpnNetconfig *n, unsigned unused)
{
  if (unused & OVPN_DHCP_PROXY)
    note(n, _("The VPN names a web proxy; NetworkManager only takes the address of a proxy "
              "configuration (PROXY_AUTO_CONFIG_URL) from it."));
  if (unused & OVPN_DHCP_NTP)
    note(n, _("The VPN names a time server; NetworkManager does not set the clock."));
  if (unused & (OVPN_DHCP_NETBIOS | OVPN_DHCP_OTHER))
    note(n, _("The VPN sent a dhcp-option that only has a meaning on other systems."));
}

/* TRUE when there is a DNS server of that family. */
static gboolean has_dns(const OvpnDnsServer *s, int family)
{
  for (size_t i = 0; s && i < s->n_addrs; i++)
    if (s->addrs[i].family == family && usable_port(s, &s->addrs[i]))
      return TRUE;
  return FALSE;
}

static void add_dns(GVariantBuilder *b, const OvpnDnsServer *s, int family)
{
  gboolean any = FALSE;
  GVariantBuilder list;
  g_variant_builder_init(&list, family == AF_INET ? G_VARIANT_TYPE("au") : G_VARIANT_TYPE("aay"));
  for (size_t i = 0; s && i < s->n_addrs; i++) {
    if (s->addrs[i].family != family || !usable_port(s, &s->addrs[i]))
      continue;
    any = TRUE;
    if (family == AF_INET)
      g_variant_builder_add(&list, "u", s->addrs[i].v4.s_addr);
    else
      g_variant_builder_add_value(&list, variant6(&s->addrs[i].v6));
  }
  GVariant *v = g_variant_ref_sink(g_variant_builder_end(&list));
  if (any)
    add(b, family == AF_INET ? NM_VPN_PLUGIN_IP4_CONFIG_DNS : NM_VPN_PLUGIN_IP6_CONFIG_DNS, v);
  g_variant_unref(v);
}

static void add_domain(GPtrArray *list, const char *name, gboolean routing)
{
  while (*name == '~')
    name++;
  if (!*name || !g_utf8_validate(name, -1, NULL))
    return;
  g_autofree char *text = routing ? g_strconcat("~", name, NULL) : g_strdup(name);
  for (guint i = 0; i < list->len; i++)
    if (g_ascii_strcasecmp(list->pdata[i], text) == 0)
      return;
  g_ptr_array_add(list, g_steal_pointer(&text));
}

static GVariant *domains(const OvpnPushed *p, const OvpnDnsServer *s)
{
  g_autoptr(GPtrArray) list = g_ptr_array_new_with_free_func(g_free);
  for (size_t i = 0; i < p->search_domains.n; i++)
    add_domain(list, p->search_domains.v[i], FALSE);
  for (size_t i = 0; s && i < s->resolve_domains.n; i++)
    add_domain(list, s->resolve_domains.v[i], TRUE);
  for (size_t i = 0; i < p->routing_domains.n; i++)
    add_domain(list, p->routing_domains.v[i], TRUE);
  return list->len ? g_variant_new_strv((const char *const *)list->pdata, list->len) : NULL;
}

/* NetworkManager keeps the names together with the DNS servers of the same family: without names, a
 * server would be asked for everything, and names without a server mean nothing. */
static void add_domains(GVariantBuilder *b, const OvpnPushed *p, const OvpnDnsServer *s, int family)
{
  gboolean v4 = p->has_v4 && has_dns(s, AF_INET), v6 = p->has_v6 && has_dns(s, AF_INET6);
  gboolean here = family == AF_INET ? v4 || !v6 : v6 || (!v4 && !p->has_v4);
  GVariant *names = here ? domains(p, s) : NULL;
  if (names)
    add(b, family == AF_INET ? NM_VPN_PLUGIN_IP4_CONFIG_DOMAINS : NM_VPN_PLUGIN_IP6_CONFIG_DOMAINS,
        names);
}

static GVariant *build4(NmOvpnNetconfig *n, const NmOvpnNetconfigInput *in,
                        const OvpnDnsServer *dns)
{
  const OvpnPushed *p = in->pushed;
  GVariantBuilder b;
  g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
  add(&b, NM_VPN_PLUGIN_IP4_CONFIG_ADDRESS, g_variant_new_uint32(p->addr4.s_addr));
  /* net30 and p2p: this address only, with the other end as peer; subnet and tap: the whole
   * network. */
  add(&b, NM_VPN_PLUGIN_IP4_CONFIG_PREFIX, g_variant_new_uint32(p->has_peer4 ? 32 : p->prefix4));
  if (p->has_peer4)
    add(&b, NM_VPN_PLUGIN_IP4_CONFIG_PTP, g_variant_new_uint32(p->peer4.s_addr));
  if (p->has_gateway4 && on_link4(p, p->gateway4))
    add(&b, NM_VPN_PLUGIN_IP4_CONFIG_INT_GATEWAY, g_variant_new_uint32(p->gateway4.s_addr));
  if (p->n_routes4 || blocks_local(in))
    add(&b, NM_VPN_PLUGIN_IP4_CONFIG_ROUTES, routes4(n, in));
  if (in->default_route_auto)
    add(&b, NM_VPN_PLUGIN_IP4_CONFIG_NEVER_DEFAULT, g_variant_new_boolean(!wants_default4(p)));
  add_dns(&b, dns, AF_INET);
  add_domains(&b, p, dns, AF_INET);
  if (p->n_wins) {
    GVariantBuilder wins;
    g_variant_builder_init(&wins, G_VARIANT_TYPE("au"));
    for (size_t i = 0; i < p->n_wins; i++)
      g_variant_builder_add(&wins, "u", p->wins[i].s_addr);
    add(&b, NM_VPN_PLUGIN_IP4_CONFIG_NBNS, g_variant_builder_end(&wins));
  }
  return g_variant_ref_sink(g_variant_builder_end(&b));
}

static GVariant *build6(NmOvpnNetconfig *n, const NmOvpnNetconfigInput *in,
                        const OvpnDnsServer *dns)
{
  const OvpnPushed *p = in->pushed;
  GVariantBuilder b;
  g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
  add(&b, NM_VPN_PLUGIN_IP6_CONFIG_ADDRESS, variant6(&p->addr6));
  add(&b, NM_VPN_PLUGIN_IP6_CONFIG_PREFIX, g_variant_new_uint32(p->prefix6));
  if (p->n_routes6)
    add(&b, NM_VPN_PLUGIN_IP6_CONFIG_ROUTES, routes6(n, p, in->server));
  if (in->default_route_auto)
    add(&b, NM_VPN_PLUGIN_IP6_CONFIG_NEVER_DEFAULT,
        g_variant_new_boolean(!wants_default6(p) && !n->let6));
  add_dns(&b, dns, AF_INET6);
  add_domains(&b, p, dns, AF_INET6);
  return g_variant_ref_sink(g_variant_builder_end(&b));
}

/* Does the tunnel take all IPv4 traffic? By the default route, by one half and the other, or
 * because NetworkManager's own rule gives it the default route. */
static gboolean takes_all_ipv4(const NmOvpnNetconfigInput *in)
{
  const OvpnPushed *p = in->pushed;
  guint halves = 0;
  if (!p->has_v4)
    return FALSE;
  for (size_t i = 0; i < p->n_routes4; i++) {
    const OvpnRoute4 *r = &p->routes4[i];
    if (!r->via_net_gateway && r->prefix == 1)
      halves |= r->net.s_addr ? 2 : 1;
  }
  for (guint i = 0; in->ip4 && i < nm_setting_ip_config_get_num_routes(in->ip4); i++) {
    NMIPRoute *r = nm_setting_ip_config_get_route(in->ip4, i); /* import puts them there */
    if (nm_ip_route_get_prefix(r) == 1)
      halves |= g_str_has_prefix(nm_ip_route_get_dest(r), "128.") ? 2 : 1;
  }
  if (halves == 3)
    return TRUE;
  /* a whole default route is NetworkManager's to refuse, halves are not */
  return !in->never_default4 && (!in->default_route_auto || wants_default4(p));
}

/* The same of IPv6; the two halves of the addresses in use are 2000::/3, as OpenVPN has it. */
static gboolean takes_all_ipv6(const NmOvpnNetconfigInput *in)
{
  const OvpnPushed *p = in->pushed;
  guint halves = 0;
  for (size_t i = 0; i < p->n_routes6; i++) {
    const OvpnRoute6 *r = &p->routes6[i];
    if (r->via_net_gateway)
      continue;
    if (r->prefix == 1)
      halves |= r->net.s6_addr[0] & 0x80 ? 2 : 1;
    if (r->prefix <= 3 && r->prefix > 1 && (r->net.s6_addr[0] & 0xe0) == 0x20)
      halves = 3;
  }
  return halves == 3 || !in->default_route_auto || wants_default6(p);
}

static void let(GArray *list, const struct in6_addr *net, guint bits)
{
  NmOvpnPrefix6 p = {.net = *net, .bits = bits};
  g_array_append_val(list, p);
}

/* The networks that are led into the tunnel for their own sake. */
static GArray *tunnel_networks6(const NmOvpnNetconfigInput *in)
{
  const OvpnPushed *p = in->pushed;
  GArray *list = g_array_new(FALSE, FALSE, sizeof(NmOvpnPrefix6));
  let(list, &p->addr6, p->prefix6);
  for (size_t i = 0; i < p->n_routes6; i++)
    if (!p->routes6[i].via_net_gateway)
      let(list, &p->routes6[i].net, p->routes6[i].prefix);
  for (guint i = 0; in->ip6 && i < nm_setting_ip_config_get_num_routes(in->ip6); i++) {
    NMIPRoute *r = nm_setting_ip_config_get_route(in->ip6, i);
    struct in6_addr net;
    if (inet_pton(AF_INET6, nm_ip_route_get_dest(r), &net) == 1)
      let(list, &net, nm_ip_route_get_prefix(r));
  }
  return list;
}

/* IPv6 with nothing but an address that nobody uses. For block-ipv6: all IPv6 is led into the
 * tunnel, where nobody answers, instead of past it. And to take back what was reported before:
 * NetworkManager keeps that until there is something else in its place. */
static GVariant *build6_alone(gboolean never_default)
{
  GVariantBuilder b;
  g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
  add(&b, NM_VPN_PLUGIN_IP6_CONFIG_ADDRESS, variant6(&blocked_addr6));
  add(&b, NM_VPN_PLUGIN_IP6_CONFIG_PREFIX, g_variant_new_uint32(128));
  add(&b, NM_VPN_PLUGIN_IP6_CONFIG_NEVER_DEFAULT, g_variant_new_boolean(never_default));
  return g_variant_ref_sink(g_variant_builder_end(&b));
}

/* block-ipv4 without an IPv4 address, in the same way. */
static GVariant *build4_blocked(void)
{
  GVariantBuilder b;
  struct in_addr a;
  inet_pton(AF_INET, blocked_addr4, &a);
  g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
  add(&b, NM_VPN_PLUGIN_IP4_CONFIG_ADDRESS, g_variant_new_uint32(a.s_addr));
  add(&b, NM_VPN_PLUGIN_IP4_CONFIG_PREFIX, g_variant_new_uint32(32));
  add(&b, NM_VPN_PLUGIN_IP4_CONFIG_NEVER_DEFAULT, g_variant_new_boolean(FALSE));
  return g_variant_ref_sink(g_variant_builder_end(&b));
}

/* Linux has no IPv6 on a device with an MTU below 1280, and then nothing could be led there. */
static guint device_mtu(NmOvpnNetconfig *n, const NmOvpnNetconfigInput *in)
{
  if (!in->mtu || in->mtu >= MTU_MIN_IPV6 || !n->ip6)
    return in->mtu;
  note(n, _("The MTU of the tunnel's device is %u instead of %u: IPv6 needs that much."),
       MTU_MIN_IPV6, in->mtu);
  return MTU_MIN_IPV6;
}

static GVariant *build_generic(NmOvpnNetconfig *n, const NmOvpnNetconfigInput *in)
{
  guint mtu = device_mtu(n, in);
  GVariantBuilder b;
  g_variant_builder_init(&b, G_VARIANT_TYPE_VARDICT);
  add(&b, NM_VPN_PLUGIN_CONFIG_TUNDEV, g_variant_new_string(in->ifname));
  if (in->server->sa_family == AF_INET6) {
    const struct in6_addr *a = &((const struct sockaddr_in6 *)(const void *)in->server)->sin6_addr;
    guint32 v4;
    memcpy(&v4, a->s6_addr + 12, sizeof(v4));
    add(&b, NM_VPN_PLUGIN_CONFIG_EXT_GATEWAY,
        IN6_IS_ADDR_V4MAPPED(a) ? g_variant_new_uint32(v4) : variant6(a));
  } else {
    guint32 a = ((const struct sockaddr_in *)(const void *)in->server)->sin_addr.s_addr;
    add(&b, NM_VPN_PLUGIN_CONFIG_EXT_GATEWAY, g_variant_new_uint32(a));
  }
  if (mtu)
    add(&b, NM_VPN_PLUGIN_CONFIG_MTU, g_variant_new_uint32(mtu));
  if (in->pushed->pac_url)
    add(&b, NM_VPN_PLUGIN_CONFIG_PROXY_PAC, g_variant_new_string(in->pushed->pac_url));
  add(&b, NM_VPN_PLUGIN_CAN_PERSIST, g_variant_new_boolean(TRUE));
  add(&b, NM_VPN_PLUGIN_CONFIG_HAS_IP4, g_variant_new_boolean(n->ip4 != NULL));
  add(&b, NM_VPN_PLUGIN_CONFIG_HAS_IP6, g_variant_new_boolean(n->ip6 != NULL));
  return g_variant_ref_sink(g_variant_builder_end(&b));
}

gboolean nmovpn_netconfig_build(NmOvpnNetconfig *n, const NmOvpnNetconfigInput *in, OvpnFailure *f)
{
  const OvpnPushed *p = in->pushed;
  *n = (NmOvpnNetconfig){.notes = g_ptr_array_new_with_free_func(g_free)};
  if (!p->has_v4 && !p->has_v6) {
    ovpn_failure_set(f, OVPN_FAIL_PUSH, "%s",
                     _("neither an IPv4 nor an IPv6 address for this computer"));
    return FALSE;
  }
  const OvpnDnsServer *dns = pick_dns(n, p);
  if (dns)
    note_dns(n, dns);
  note_dhcp(n, p->dhcp_unused);
  note_metrics(n, p);
  if (p->has_v4)
    n->ip4 = build4(n, in, dns);
  else if (p->block_ipv4)
    n->ip4 = build4_blocked();
  if (p->has_v6 && in->guard_ipv6 && takes_all_ipv4(in) && !takes_all_ipv6(in)) {
    n->let6 = tunnel_networks6(in);
    note(n,
         _("The tunnel takes all traffic but IPv6 only for some networks: the rest of IPv6 is "
           "blocked while it is up, so that nothing goes past it (%s=no in the connection's "
           "vpn.data allows it)."),
         NMOVPN_KEY_IPV6_GUARD);
  }
  if (p->has_v6)
    n->ip6 = build6(n, in, dns);
  else if (p->block_ipv6)
    n->ip6 = build6_alone(FALSE);
  else if (in->guard_ipv6 && takes_all_ipv4(in)) {
    n->ip6 = build6_alone(FALSE);
    note(n,
         _("The tunnel takes all traffic but has no IPv6: IPv6 is blocked while it is up, so that "
           "nothing goes past it (%s=no in the connection's vpn.data allows it)."),
         NMOVPN_KEY_IPV6_GUARD);
  } else if (in->had6)
    n->ip6 = build6_alone(TRUE);
  if (!n->ip6 && (p->redirect & OVPN_REDIRECT_IPV6))
    note(n, _("The server asks for all IPv6 traffic but gave no IPv6 address: IPv6 does not use "
              "the tunnel."));
  n->generic = build_generic(n, in);
  return TRUE;
}

void nmovpn_netconfig_read_connection(NmOvpnNetconfigInput *in, NMConnection *connection)
{
  NMSettingVpn *vpn = nm_connection_get_setting_vpn(connection);
  NMSettingIPConfig *ip4 = nm_connection_get_setting_ip4_config(connection),
                    *ip6 = nm_connection_get_setting_ip6_config(connection);
  const char *method = ip6 ? nm_setting_ip_config_get_method(ip6) : NULL;
  in->default_route_auto = nmovpn_profile_default_route_auto(vpn);
  in->never_default4 = ip4 && nm_setting_ip_config_get_never_default(ip4);
  /* Who told NetworkManager to leave IPv6 alone, means it. */
  in->ip4 = ip4;
  in->ip6 = ip6;
  in->guard_ipv6 = nmovpn_profile_ipv6_guard(vpn) &&
                   !(ip6 && nm_setting_ip_config_get_never_default(ip6)) &&
                   g_strcmp0(method, NM_SETTING_IP6_CONFIG_METHOD_IGNORE) != 0 &&
                   g_strcmp0(method, NM_SETTING_IP6_CONFIG_METHOD_DISABLED) != 0;
}

void nmovpn_netconfig_clear(NmOvpnNetconfig *n)
{
  g_clear_pointer(&n->generic, g_variant_unref);
  g_clear_pointer(&n->ip4, g_variant_unref);
  g_clear_pointer(&n->ip6, g_variant_unref);
  g_clear_pointer(&n->let6, g_array_unref);
  g_clear_pointer(&n->notes, g_ptr_array_unref);
}

static gboolean same(GVariant *a, GVariant *b)
{
  return a == b || (a && b && g_variant_equal(a, b));
}

gboolean nmovpn_netconfig_equal(const NmOvpnNetconfig *a, const NmOvpnNetconfig *b)
{
  gsize size = a->let6 ? a->let6->len * sizeof(NmOvpnPrefix6) : 0;
  if ((a->let6 == NULL) != (b->let6 == NULL) ||
      (a->let6 &&
       (a->let6->len != b->let6->len || memcmp(a->let6->data, b->let6->data, size) != 0)))
    return FALSE;
  return same(a->generic, b->generic) && same(a->ip4, b->ip4) && same(a->ip6, b->ip6);
}
