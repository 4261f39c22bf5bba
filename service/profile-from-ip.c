/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Routes and name servers of a .ovpn file -> NetworkManager's own settings, where the two mean the
 * same: the person then sees and changes them where every other connection has them.
 *
 * What does not mean the same stays a line: routes by name, by way of another gateway or on TAP
 * (NetworkManager would take them for on-link), a default route, IPv6 name servers (NetworkManager
 * forgets them when the tunnel has no IPv6), and everything once the file has an option that
 * changes the meaning of others (route-gateway, dns). The metric of route-metric goes to each route
 * that has none, as NetworkManager takes no metrics from a plugin; the line stays too, for routes
 * of the server. route-table becomes the table of each route below it. Export writes it all back.
 * DESIGN §7. */
#include "ovpn-build.h"

#include "service/profile-private.h"

#include <arpa/inet.h>
#include <string.h>

static gboolean is_tap(const OvpnOptionList *l)
{
  const OvpnOption *dev = profile_last_global(l, OVPN_OPT_DEV),
                   *type = profile_last_global(l, OVPN_OPT_DEV_TYPE);
  if (type && type->argc > 1)
    return strcmp(type->argv[1], "tun") != 0;
  return dev && dev->argc > 1 && g_str_has_prefix(dev->argv[1], "tap");
}

/* The line that says "no default route, whatever the server wants", if nothing else in the file
 * speaks about it. */
static const OvpnOption *find_never_default(const OvpnOptionList *l)
{
  for (gsize i = 0; i < l->n; i++) {
    const OvpnOption *o = &l->items[i];
    if (o->id != OVPN_OPT_PULL_FILTER)
      continue;
    gboolean it = o->argc == 3 && o->connection < 0 && !strcmp(o->argv[1], "ignore") &&
                  !strcmp(o->argv[2], ovpn_option_info(OVPN_OPT_REDIRECT_GATEWAY)->directive);
    /* only the first filter that fits an option counts */
    return it && !profile_last_global(l, OVPN_OPT_REDIRECT_GATEWAY) ? o : NULL;
  }
  return NULL;
}

static gboolean has_ipv4_dns(const OvpnOptionList *l)
{
  struct in_addr a;
  for (gsize i = 0; i < l->n; i++) {
    const OvpnOption *o = &l->items[i];
    if (o->id == OVPN_OPT_DHCP_OPTION && o->argc == 3 && !strcmp(o->argv[1], "DNS") &&
        inet_pton(AF_INET, o->argv[2], &a) == 1)
      return TRUE;
  }
  return FALSE;
}

/* -1: none given; -2: not one that NetworkManager can hold. */
static gint64 metric_of(const OvpnOption *o, guint at)
{
  gint64 n = -1;
  if (at >= o->argc || !strcmp(o->argv[at], "default"))
    return -1;
  return ovpn_option_number(o->argv[at], 0, G_MAXINT32, &n) ? n : -2;
}

void profile_ip_init(ProfileIp *ip, const OvpnOptionList *l, NMSettingIPConfig *ip4,
                     NMSettingIPConfig *ip6)
{
  *ip = (ProfileIp){.ip4 = ip4, .ip6 = ip6};
  if (!ip4 || !ip6)
    return;
  const OvpnOption *metric = profile_last_global(l, OVPN_OPT_ROUTE_METRIC);
  ip->metric = metric ? metric_of(metric, 1) : -1;
  ip->routes = !is_tap(l) && ip->metric >= -1 && !profile_last_global(l, OVPN_OPT_ROUTE_NOEXEC) &&
               !profile_last_global(l, OVPN_OPT_ROUTE_GATEWAY) &&
               !profile_last_global(l, OVPN_OPT_ROUTE_IPV6_GATEWAY);
  ip->dns = !profile_last_global(l, OVPN_OPT_DNS) && !profile_last_global(l, OVPN_OPT_DNS_UPDOWN) &&
            has_ipv4_dns(l);
  ip->never_default = find_never_default(l);
  ip->list = l;
}

static gboolean is_tunnel_gateway(const OvpnOption *o, guint at)
{
  return at >= o->argc || !strcmp(o->argv[at], "default") || !strcmp(o->argv[at], "vpn_gateway");
}

static gboolean add_route(const ProfileIp *ips, int family, const char *net, guint prefix,
                          gint64 metric)
{
  NMSettingIPConfig *ip = family == AF_INET ? ips->ip4 : ips->ip6;
  NMIPRoute *route = nm_ip_route_new(family, net, prefix, NULL, metric, NULL);
  if (!route)
    return FALSE;
  if (ips->table)
    nm_ip_route_set_attribute(route, NM_IP_ROUTE_ATTRIBUTE_TABLE, g_variant_new_uint32(ips->table));
  nm_setting_ip_config_add_route(ip, route); /* one that is there already needs no second line */
  nm_ip_route_unref(route);
  return TRUE;
}

static gboolean take_route4(const ProfileIp *ip, const OvpnOption *o)
{
  struct in_addr net, mask = {.s_addr = INADDR_NONE};
  char text[INET_ADDRSTRLEN];
  gint64 own = metric_of(o, 4), metric = own == -1 ? ip->metric : own;
  if (o->argc < 2 || o->argc > 5 || metric < -1 || !is_tunnel_gateway(o, 3) ||
      inet_pton(AF_INET, o->argv[1], &net) != 1)
    return FALSE;
  if (o->argc > 2 && strcmp(o->argv[2], "default") && inet_pton(AF_INET, o->argv[2], &mask) != 1)
    return FALSE;
  guint32 m = ntohl(mask.s_addr), hole = ~m & (~m + 1);
  net.s_addr &= mask.s_addr;
  if (hole || m == 0)
    return FALSE;
  inet_ntop(AF_INET, &net, text, sizeof(text));
  return add_route(ip, AF_INET, text, (guint)__builtin_popcount(m), metric);
}

static gboolean take_route6(const ProfileIp *ip, const OvpnOption *o)
{
  struct in6_addr net;
  gint64 own = metric_of(o, 3), metric = own == -1 ? ip->metric : own, prefix = 128;
  if (o->argc < 2 || o->argc > 4 || metric < -1 || !is_tunnel_gateway(o, 2))
    return FALSE;
  g_auto(GStrv) parts = g_strsplit(o->argv[1], "/", 2);
  if (inet_pton(AF_INET6, parts[0], &net) != 1 ||
      (parts[1] && !ovpn_option_number(parts[1], 1, 128, &prefix)))
    return FALSE;
  for (guint bit = (guint)prefix; bit < 128; bit++)
    net.s6_addr[bit / 8] &= (guint8) ~(0x80 >> bit % 8);
  char text[INET6_ADDRSTRLEN];
  inet_ntop(AF_INET6, &net, text, sizeof(text));
  return add_route(ip, AF_INET6, text, (guint)prefix, metric);
}

/* A name as resolvers know it; anything else stays a line. */
static gboolean is_domain(const char *name)
{
  return *name && *name != '-' && *name != '.' && !g_str_has_suffix(name, ".") &&
         !strstr(name, "..") &&
         strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") ==
             strlen(name);
}

static gboolean take_domains(const ProfileIp *ip, const OvpnOption *o, gboolean routing)
{
  for (guint i = 2; i < o->argc; i++) {
    if (!is_domain(o->argv[i]))
      return FALSE;
  }
  for (guint i = 2; i < o->argc; i++) {
    g_autofree char *name = g_strconcat(routing ? "~" : "", o->argv[i], NULL);
    nm_setting_ip_config_add_dns_search(ip->ip4, name);
  }
  return o->argc > 2;
}

static gboolean take_dhcp(const ProfileIp *ip, const OvpnOption *o)
{
  struct in_addr a;
  if (o->argc < 3)
    return FALSE;
  const char *type = o->argv[1];
  if (!strcmp(type, "DNS") && o->argc == 3 && inet_pton(AF_INET, o->argv[2], &a) == 1) {
    nm_setting_ip_config_add_dns(ip->ip4, o->argv[2]);
    return TRUE;
  }
  if (!strcmp(type, "DOMAIN") || !strcmp(type, "DOMAIN-SEARCH") ||
      !strcmp(type, "ADAPTER_DOMAIN_SUFFIX"))
    return take_domains(ip, o, FALSE);
  return !strcmp(type, "DOMAIN-ROUTE") && take_domains(ip, o, TRUE);
}

static gboolean take_never_default(const ProfileIp *ip)
{
  g_object_set(ip->ip4, NM_SETTING_IP_CONFIG_NEVER_DEFAULT, TRUE, NULL);
  g_object_set(ip->ip6, NM_SETTING_IP_CONFIG_NEVER_DEFAULT, TRUE, NULL);
  return TRUE;
}

static gboolean take_route(const ProfileIp *ip, const OvpnOption *o)
{
  return o->id == OVPN_OPT_ROUTE ? take_route4(ip, o) : take_route6(ip, o);
}

/* Holds for the routes below it, up to the next one. It stays where one of them stays a line; the
 * last one stays because it is for the routes of the server, too. */
static gboolean take_table(ProfileIp *ip, const OvpnOption *o)
{
  gint64 n = 0;
  if (o->argc != 2 || !ovpn_option_number(o->argv[1], 0, G_MAXUINT32, &n))
    return FALSE;
  ip->table = (guint32)n;
  g_autoptr(NMSetting) ip4 = nm_setting_ip4_config_new();
  g_autoptr(NMSetting) ip6 = nm_setting_ip6_config_new();
  const ProfileIp trial = {
      .ip4 = NM_SETTING_IP_CONFIG(ip4), .ip6 = NM_SETTING_IP_CONFIG(ip6), .metric = -1};
  for (const OvpnOption *next = o + 1; next < ip->list->items + ip->list->n; next++) {
    gboolean route = next->id == OVPN_OPT_ROUTE || next->id == OVPN_OPT_ROUTE_IPV6;
    if (next->id == OVPN_OPT_ROUTE_TABLE)
      return TRUE;
    if (route && !take_route(&trial, next))
      return FALSE;
  }
  return FALSE;
}

gboolean profile_ip_take(ProfileIp *ip, const OvpnOption *o)
{
  if (o->connection >= 0 || o->is_inline)
    return FALSE;
  if (o->id == OVPN_OPT_ROUTE_TABLE)
    return ip->routes && take_table(ip, o);
  if (o->id == OVPN_OPT_ROUTE || o->id == OVPN_OPT_ROUTE_IPV6)
    return ip->routes && take_route(ip, o);
  if (o->id == OVPN_OPT_DHCP_OPTION)
    return ip->dns && take_dhcp(ip, o);
  return o == ip->never_default && take_never_default(ip);
}
