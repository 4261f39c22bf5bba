/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stands in ipv4 and ipv6 of a connection, in OpenVPN's words.
 *
 * The inverse of service/profile-from-ip.c, and more: a person can have set things there that no
 * file says. Where OpenVPN has no word for it (addresses, DNS priority) nothing is written.
 * spec/networkmanager-openvpn.md §2. */
#include "ovpn-build.h"

#include "properties/export-private.h"

#include <arpa/inet.h>
#include <string.h>

#include "service/profile.h"

static const char *directive(OvpnOptionId id)
{
  return ovpn_option_info(id)->directive;
}

static gboolean never_default(NMSettingIPConfig *ip)
{
  return ip && nm_setting_ip_config_get_never_default(ip);
}

static void append_filter(GString *s, const char *text)
{
  g_string_append_printf(s, "%s ignore \"%s\"\n", directive(OVPN_OPT_PULL_FILTER), text);
}

void export_filters(GString *s, NMConnection *connection)
{
  NMSettingIPConfig *ip4 = nm_connection_get_setting_ip4_config(connection),
                    *ip6 = nm_connection_get_setting_ip6_config(connection);
  if (never_default(ip4))
    append_filter(s, directive(OVPN_OPT_REDIRECT_GATEWAY));
  if (ip4 && nm_setting_ip_config_get_ignore_auto_routes(ip4))
    append_filter(s, "route ");
  if (ip6 && nm_setting_ip_config_get_ignore_auto_routes(ip6))
    append_filter(s, "route-ipv6 ");
  if (ip4 && nm_setting_ip_config_get_ignore_auto_dns(ip4)) {
    append_filter(s, "dhcp-option D");
    append_filter(s, "dns ");
  }
}

gboolean export_skips(NMConnection *connection, const OvpnOption *o)
{
  return o->id == OVPN_OPT_REDIRECT_GATEWAY &&
         never_default(nm_connection_get_setting_ip4_config(connection));
}

static void append_route(GString *s, NMIPRoute *route)
{
  const char *hop = nm_ip_route_get_next_hop(route), *dest = nm_ip_route_get_dest(route);
  gint64 metric = nm_ip_route_get_metric(route);
  /* Other importers know no words for the gateway, so none where none is needed. */
  const char *gateway = hop ? hop : metric >= 0 ? "default" : NULL;
  guint prefix = nm_ip_route_get_prefix(route);
  if (nm_ip_route_get_family(route) == AF_INET6)
    g_string_append_printf(s, "%s %s/%u", directive(OVPN_OPT_ROUTE_IPV6), dest, prefix);
  else {
    struct in_addr mask = {.s_addr = htonl(prefix ? G_MAXUINT32 << (32 - prefix) : 0)};
    char text[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &mask, text, sizeof(text));
    g_string_append_printf(s, "%s %s %s", directive(OVPN_OPT_ROUTE), dest, text);
  }
  if (gateway)
    g_string_append_printf(s, " %s", gateway);
  if (metric >= 0)
    g_string_append_printf(s, " %" G_GINT64_FORMAT, metric);
  g_string_append_c(s, '\n');
}

static guint32 table_of(NMIPRoute *route)
{
  GVariant *v = nm_ip_route_get_attribute(route, NM_IP_ROUTE_ATTRIBUTE_TABLE);
  return v && g_variant_is_of_type(v, G_VARIANT_TYPE_UINT32) ? g_variant_get_uint32(v) : 0;
}

static void change_table(GString *s, guint32 *table, guint32 to)
{
  if (*table != to)
    g_string_append_printf(s, "%s %u\n", directive(OVPN_OPT_ROUTE_TABLE), to);
  *table = to;
}

/* table: what the lines so far say */
static void append_ip(GString *s, NMSettingIPConfig *ip, guint32 *table)
{
  const char *option = directive(OVPN_OPT_DHCP_OPTION);
  if (!ip)
    return;
  if (nm_setting_ip_config_get_route_metric(ip) >= 0 && NM_IS_SETTING_IP4_CONFIG(ip))
    g_string_append_printf(s, "%s %" G_GINT64_FORMAT "\n", directive(OVPN_OPT_ROUTE_METRIC),
                           nm_setting_ip_config_get_route_metric(ip));
  for (guint i = 0; i < nm_setting_ip_config_get_num_routes(ip); i++) {
    NMIPRoute *route = nm_setting_ip_config_get_route(ip, (int)i);
    change_table(s, table, table_of(route));
    append_route(s, route);
  }
  for (guint i = 0; i < nm_setting_ip_config_get_num_dns(ip); i++)
    g_string_append_printf(s, "%s DNS %s\n", option, nm_setting_ip_config_get_dns(ip, (int)i));
  for (guint i = 0; i < nm_setting_ip_config_get_num_dns_searches(ip); i++) {
    const char *name = nm_setting_ip_config_get_dns_search(ip, (int)i);
    gboolean routing = *name == '~';
    if (name[routing] && strcmp(name, "~.")) /* "~." has no word in OpenVPN */
      g_string_append_printf(s, "%s %s %s\n", option, routing ? "DOMAIN-ROUTE" : "DOMAIN-SEARCH",
                             name + routing);
  }
}

/* Profiles without default-route=auto take the default route of both families unless told not to; a
 * file has to say so. */
static void append_default_route(GString *s, NMConnection *connection, const OvpnOptionList *l)
{
  gboolean no4 = never_default(nm_connection_get_setting_ip4_config(connection));
  gboolean no6 = never_default(nm_connection_get_setting_ip6_config(connection));
  if (nmovpn_profile_default_route_auto(nm_connection_get_setting_vpn(connection)) || (no4 && no6))
    return;
  if (!no4 && ovpn_option_list_last(l, OVPN_OPT_REDIRECT_GATEWAY))
    return;
  g_string_append_printf(s, "%s %s%s\n", directive(OVPN_OPT_REDIRECT_GATEWAY),
                         no4 ? "!ipv4" : "def1", no6 ? "" : " ipv6");
}

void export_ip(GString *s, NMConnection *connection, const OvpnOptionList *l)
{
  const OvpnOption *last = ovpn_option_list_last(l, OVPN_OPT_ROUTE_TABLE);
  gint64 own = 0;
  if (last && last->argc > 1)
    ovpn_option_number(last->argv[1], 0, G_MAXUINT32, &own);
  guint32 table = (guint32)own;
  append_ip(s, nm_connection_get_setting_ip4_config(connection), &table);
  append_ip(s, nm_connection_get_setting_ip6_config(connection), &table);
  change_table(s, &table, (guint32)own); /* the last line is for the routes of the server */
  append_default_route(s, connection, l);
}
