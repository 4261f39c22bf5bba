/* SPDX-License-Identifier: GPL-2.0-or-later */
/* netconfig.c: hand-made OvpnPushed values -> exactly the dictionaries NetworkManager gets. */
#include <NetworkManager.h>
#include <arpa/inet.h>
#include <string.h>
#include "service/netconfig.h"

typedef struct Fixture {
  OvpnConfig config;
  OvpnPushed pushed;
  struct sockaddr_storage server;
  NmOvpnNetconfig out;
  gboolean never4, guard;
  NMSettingIPConfig *settings4;
  guint32 local_net;
  guint local_prefix;
} Fixture;

static struct in_addr ip4(const char *text)
{
  struct in_addr a;
  g_assert_cmpint(inet_pton(AF_INET, text, &a), ==, 1);
  return a;
}

static struct in6_addr ip6(const char *text)
{
  struct in6_addr a;
  g_assert_cmpint(inet_pton(AF_INET6, text, &a), ==, 1);
  return a;
}

static void set_up(Fixture *x, gconstpointer unused)
{
  memset(x, 0, sizeof(*x));
  struct sockaddr_in *s = (struct sockaddr_in *)&x->server;
  s->sin_family = AF_INET;
  s->sin_addr = ip4("198.51.100.7");
}

static void tear_down(Fixture *x, gconstpointer unused)
{
  nmovpn_netconfig_clear(&x->out);
}

static void build(Fixture *x, gboolean automatic)
{
  OvpnFailure f = {0};
  NmOvpnNetconfigInput in = {.pushed = &x->pushed,
                             .config = &x->config,
                             .server = (struct sockaddr *)&x->server,
                             .ifname = "tun0",
                             .mtu = 1400,
                             .default_route_auto = automatic,
                             .never_default4 = x->never4,
                             .guard_ipv6 = x->guard,
                             .ip4 = x->settings4,
                             .local_net = x->local_net,
                             .local_prefix = x->local_prefix};
  nmovpn_netconfig_clear(&x->out);
  g_assert_true(nmovpn_netconfig_build(&x->out, &in, &f));
}

static void check_u32(GVariant *dict, const char *key, guint32 want)
{
  guint32 have = 0;
  g_assert_true(g_variant_lookup(dict, key, "u", &have));
  g_assert_cmpuint(have, ==, want);
}

static gboolean has(GVariant *dict, const char *key)
{
  g_autoptr(GVariant) v = g_variant_lookup_value(dict, key, NULL);
  return v != NULL;
}

static void check_bool(GVariant *dict, const char *key, gboolean want)
{
  gboolean have = !want;
  g_assert_true(g_variant_lookup(dict, key, "b", &have));
  g_assert_cmpint(have, ==, want);
}

static void subnet4(Fixture *x)
{
  x->pushed.has_v4 = true;
  x->pushed.addr4 = ip4("10.8.0.2");
  x->pushed.prefix4 = 24;
  x->pushed.topology = OVPN_TOPOLOGY_SUBNET;
  x->pushed.has_gateway4 = true;
  x->pushed.gateway4 = ip4("10.8.0.1");
}

static void test_generic(Fixture *x, gconstpointer unused)
{
  const char *dev;
  subnet4(x);
  build(x, FALSE);
  g_assert_true(g_variant_lookup(x->out.generic, NM_VPN_PLUGIN_CONFIG_TUNDEV, "&s", &dev));
  g_assert_cmpstr(dev, ==, "tun0");
  check_u32(x->out.generic, NM_VPN_PLUGIN_CONFIG_EXT_GATEWAY, ip4("198.51.100.7").s_addr);
  check_u32(x->out.generic, NM_VPN_PLUGIN_CONFIG_MTU, 1400);
  check_bool(x->out.generic, NM_VPN_PLUGIN_CONFIG_HAS_IP4, TRUE);
  check_bool(x->out.generic, NM_VPN_PLUGIN_CONFIG_HAS_IP6, FALSE);
  check_bool(x->out.generic, NM_VPN_PLUGIN_CAN_PERSIST, TRUE);
  g_assert_null(x->out.ip6);
}

static void test_topologies(Fixture *x, gconstpointer unused)
{
  subnet4(x);
  build(x, FALSE);
  check_u32(x->out.ip4, NM_VPN_PLUGIN_IP4_CONFIG_ADDRESS, ip4("10.8.0.2").s_addr);
  check_u32(x->out.ip4, NM_VPN_PLUGIN_IP4_CONFIG_PREFIX, 24);
  check_u32(x->out.ip4, NM_VPN_PLUGIN_IP4_CONFIG_INT_GATEWAY, ip4("10.8.0.1").s_addr);
  g_assert_false(has(x->out.ip4, NM_VPN_PLUGIN_IP4_CONFIG_PTP));
  g_assert_false(has(x->out.ip4, NM_VPN_PLUGIN_IP4_CONFIG_NEVER_DEFAULT));

  x->pushed.topology = OVPN_TOPOLOGY_NET30;
  x->pushed.has_peer4 = true;
  x->pushed.peer4 = x->pushed.gateway4 = ip4("10.8.0.5");
  x->pushed.prefix4 = 30;
  build(x, FALSE);
  check_u32(x->out.ip4, NM_VPN_PLUGIN_IP4_CONFIG_PREFIX, 32);
  check_u32(x->out.ip4, NM_VPN_PLUGIN_IP4_CONFIG_PTP, ip4("10.8.0.5").s_addr);
  check_u32(x->out.ip4, NM_VPN_PLUGIN_IP4_CONFIG_INT_GATEWAY, ip4("10.8.0.5").s_addr);
}

static void test_default_route(Fixture *x, gconstpointer unused)
{
  subnet4(x);
  x->pushed.has_v6 = true;
  x->pushed.addr6 = ip6("fd00::2");
  x->pushed.prefix6 = 64;
  build(x, TRUE);
  check_bool(x->out.ip4, NM_VPN_PLUGIN_IP4_CONFIG_NEVER_DEFAULT, TRUE);
  check_bool(x->out.ip6, NM_VPN_PLUGIN_IP6_CONFIG_NEVER_DEFAULT, TRUE);
  x->pushed.redirect = OVPN_REDIRECT_ON | OVPN_REDIRECT_IPV4;
  build(x, TRUE);
  check_bool(x->out.ip4, NM_VPN_PLUGIN_IP4_CONFIG_NEVER_DEFAULT, FALSE);
  check_bool(x->out.ip6, NM_VPN_PLUGIN_IP6_CONFIG_NEVER_DEFAULT, TRUE);
}

static void test_routes(Fixture *x, gconstpointer unused)
{
  OvpnRoute4 r4[] = {
      {.net = ip4("192.0.2.0"), .prefix = 24, .has_metric = true, .metric = 7},
      {.net = ip4("203.0.113.0"), .prefix = 28, .has_gateway = true, .gateway = ip4("172.16.0.1")},
      {.net = ip4("198.51.100.0"), .prefix = 24, .via_net_gateway = true},
  };
  subnet4(x);
  x->pushed.routes4 = r4;
  x->pushed.n_routes4 = G_N_ELEMENTS(r4);
  build(x, FALSE);
  g_autoptr(GVariant) routes =
      g_variant_lookup_value(x->out.ip4, NM_VPN_PLUGIN_IP4_CONFIG_ROUTES, G_VARIANT_TYPE("aau"));
  g_assert_nonnull(routes);
  g_assert_cmpuint(g_variant_n_children(routes), ==, 2);
  const guint32 want[2][4] = {{ip4("192.0.2.0").s_addr, 24, ip4("10.8.0.1").s_addr, 7},
                              {ip4("203.0.113.0").s_addr, 28, 0, 0}};
  for (gsize i = 0; i < 2; i++) {
    g_autoptr(GVariant) r = g_variant_get_child_value(routes, i);
    gsize n;
    const guint32 *have = g_variant_get_fixed_array(r, &n, sizeof(guint32));
    g_assert_cmpmem(have, n * 4, want[i], 16);
  }
  g_assert_cmpuint(x->out.notes->len, ==, 2); /* outside the tunnel, metrics */

  OvpnRoute6 r6[] = {{.net = ip6("2001:db8::"), .prefix = 32, .has_metric = true, .metric = 9}};
  x->pushed.has_v6 = true;
  x->pushed.addr6 = ip6("fd00::2");
  x->pushed.prefix6 = 64;
  x->pushed.routes6 = r6;
  x->pushed.n_routes6 = 1;
  build(x, FALSE);
  g_autoptr(GVariant) routes_six = g_variant_lookup_value(
      x->out.ip6, NM_VPN_PLUGIN_IP6_CONFIG_ROUTES, G_VARIANT_TYPE("a(ayuayu)"));
  g_assert_nonnull(routes_six);
  g_assert_cmpuint(g_variant_n_children(routes_six), ==, 1);
}

static void test_dns(Fixture *x, gconstpointer unused)
{
  char *split[] = {(char *)"corp.example"},
       *search[] = {(char *)"example.net", (char *)"EXAMPLE.net"};
  OvpnDnsServer dns[] = {
      {.transport = 2, .n_addrs = 1, .addrs = {{.family = AF_INET, .v4 = ip4("9.9.9.9")}}},
      {.n_addrs = 3,
       .addrs = {{.family = AF_INET, .v4 = ip4("10.8.0.1")},
                 {.family = AF_INET, .v4 = ip4("10.8.0.3"), .port = 5353},
                 {.family = AF_INET6, .v6 = ip6("fd00::1")}},
       .resolve_domains = {split, 1}},
  };
  subnet4(x);
  x->pushed.dns = dns;
  x->pushed.n_dns = G_N_ELEMENTS(dns);
  x->pushed.search_domains = (OvpnStrv){search, 2};
  build(x, FALSE);
  g_autoptr(GVariant) servers =
      g_variant_lookup_value(x->out.ip4, NM_VPN_PLUGIN_IP4_CONFIG_DNS, G_VARIANT_TYPE("au"));
  g_assert_nonnull(servers);
  g_assert_cmpuint(g_variant_n_children(servers), ==, 1);
  g_autofree const char **names = NULL;
  g_assert_true(g_variant_lookup(x->out.ip4, NM_VPN_PLUGIN_IP4_CONFIG_DOMAINS, "^a&s", &names));
  g_assert_cmpstr(names[0], ==, "example.net");
  g_assert_cmpstr(names[1], ==, "~corp.example");
  g_assert_null(names[2]);
  g_assert_cmpuint(x->out.notes->len, ==, 3); /* DoH, port, no IPv6 in the tunnel */
}

/* A group without an address that is of use does not hide the next one. */
static void test_dns_next(Fixture *x, gconstpointer unused)
{
  OvpnDnsServer dns[] = {
      {.n_addrs = 1, .addrs = {{.family = AF_INET, .v4 = ip4("10.8.0.1"), .port = 5353}}},
      {.n_addrs = 1, .addrs = {{.family = AF_INET6, .v6 = ip6("fd00::1")}}},
      {.n_addrs = 1, .addrs = {{.family = AF_INET, .v4 = ip4("10.8.0.3")}}},
  };
  subnet4(x);
  x->pushed.dns = dns;
  x->pushed.n_dns = G_N_ELEMENTS(dns);
  build(x, FALSE);
  g_autoptr(GVariant) servers =
      g_variant_lookup_value(x->out.ip4, NM_VPN_PLUGIN_IP4_CONFIG_DNS, G_VARIANT_TYPE("au"));
  g_assert_nonnull(servers);
  guint32 one = 0;
  g_variant_get_child(servers, 0, "u", &one);
  g_assert_cmpuint(one, ==, ip4("10.8.0.3").s_addr);
  g_assert_cmpuint(x->out.notes->len, ==, 2);
}

static void test_block_ipv6(Fixture *x, gconstpointer unused)
{
  subnet4(x);
  x->pushed.block_ipv6 = true;
  build(x, TRUE);
  g_assert_nonnull(x->out.ip6);
  check_bool(x->out.ip6, NM_VPN_PLUGIN_IP6_CONFIG_NEVER_DEFAULT, FALSE);
  check_bool(x->out.generic, NM_VPN_PLUGIN_CONFIG_HAS_IP6, TRUE);
}

static void test_block_ipv4(Fixture *x, gconstpointer unused)
{
  x->pushed.has_v6 = true;
  x->pushed.prefix6 = 64;
  build(x, TRUE);
  g_assert_null(x->out.ip4);
  nmovpn_netconfig_clear(&x->out);
  x->pushed.block_ipv4 = true;
  build(x, TRUE);
  g_assert_nonnull(x->out.ip4);
  check_bool(x->out.ip4, NM_VPN_PLUGIN_IP4_CONFIG_NEVER_DEFAULT, FALSE);
  check_bool(x->out.generic, NM_VPN_PLUGIN_CONFIG_HAS_IP4, TRUE);
}

static void guarded(Fixture *x, gboolean automatic, gboolean want)
{
  build(x, automatic);
  g_assert_cmpint(x->out.ip6 != NULL, ==, want);
  check_bool(x->out.generic, NM_VPN_PLUGIN_CONFIG_HAS_IP6, want);
}

static void test_guard(Fixture *x, gconstpointer unused)
{
  OvpnRoute4 halves[] = {{.net = ip4("0.0.0.0"), .prefix = 1},
                         {.net = ip4("128.0.0.0"), .prefix = 1}};
  subnet4(x);
  x->guard = TRUE;
  guarded(x, TRUE, FALSE); /* nobody redirects */
  guarded(x, FALSE, TRUE); /* NetworkManager's own rule */
  x->pushed.redirect = OVPN_REDIRECT_ON | OVPN_REDIRECT_IPV4;
  guarded(x, TRUE, TRUE);
  g_assert_cmpuint(x->out.notes->len, ==, 1);
  x->never4 = TRUE;
  guarded(x, TRUE, FALSE);
  x->pushed.routes4 = halves;
  x->pushed.n_routes4 = 1;
  guarded(x, TRUE, FALSE);
  x->pushed.n_routes4 = 2;
  guarded(x, TRUE, TRUE);
  halves[1].via_net_gateway = true;
  guarded(x, TRUE, FALSE);
  x->pushed.n_routes4 = 0;
  x->settings4 = NM_SETTING_IP_CONFIG(nm_setting_ip4_config_new());
  for (int i = 0; i < 2; i++) { /* of the profile, where import puts them */
    NMIPRoute *half = nm_ip_route_new(AF_INET, i ? "128.0.0.0" : "0.0.0.0", 1, NULL, -1, NULL);
    nm_setting_ip_config_add_route(x->settings4, half);
    nm_ip_route_unref(half);
    guarded(x, TRUE, i == 1);
  }
  g_clear_object(&x->settings4);
  x->never4 = x->guard = FALSE;
  guarded(x, TRUE, FALSE);
}

static void test_guard_setting(Fixture *x, gconstpointer unused)
{
  g_autoptr(NMConnection) c = nm_simple_connection_new();
  NMSetting *vpn = nm_setting_vpn_new(), *s4 = nm_setting_ip4_config_new(),
            *s6 = nm_setting_ip6_config_new();
  nm_connection_add_setting(c, vpn);
  NmOvpnNetconfigInput in = {0};
  nmovpn_netconfig_read_connection(&in, c);
  g_assert_true(in.guard_ipv6 && !in.never_default4 && !in.default_route_auto);
  nm_connection_add_setting(c, s4);
  nm_connection_add_setting(c, s6);
  g_object_set(s4, NM_SETTING_IP_CONFIG_NEVER_DEFAULT, TRUE, NULL);
  g_object_set(s6, NM_SETTING_IP_CONFIG_METHOD, "auto", NULL);
  nm_setting_vpn_add_data_item(NM_SETTING_VPN(vpn), "default-route", "auto");
  nmovpn_netconfig_read_connection(&in, c);
  g_assert_true(in.guard_ipv6 && in.never_default4 && in.default_route_auto);
  g_object_set(s6, NM_SETTING_IP_CONFIG_METHOD, "disabled", NULL);
  nmovpn_netconfig_read_connection(&in, c);
  g_assert_false(in.guard_ipv6);
  g_object_set(s6, NM_SETTING_IP_CONFIG_METHOD, "auto", NM_SETTING_IP_CONFIG_NEVER_DEFAULT, TRUE,
               NULL);
  nmovpn_netconfig_read_connection(&in, c);
  g_assert_false(in.guard_ipv6);
  g_object_set(s6, NM_SETTING_IP_CONFIG_NEVER_DEFAULT, FALSE, NULL);
  nm_setting_vpn_add_data_item(NM_SETTING_VPN(vpn), "ipv6-leak-protection", "no");
  nmovpn_netconfig_read_connection(&in, c);
  g_assert_false(in.guard_ipv6);
}

static void test_dhcp(Fixture *x, gconstpointer unused)
{
  char url[] = "http://wpad.example/p.pac";
  const char *pac = NULL;
  subnet4(x);
  x->pushed.pac_url = url;
  x->pushed.dhcp_unused = OVPN_DHCP_NTP | OVPN_DHCP_PROXY;
  build(x, TRUE);
  g_assert_true(g_variant_lookup(x->out.generic, NM_VPN_PLUGIN_CONFIG_PROXY_PAC, "&s", &pac));
  g_assert_cmpstr(pac, ==, url);
  g_assert_cmpuint(x->out.notes->len, ==, 2);
}

static void test_block_local(Fixture *x, gconstpointer unused)
{
  subnet4(x);
  x->pushed.redirect = OVPN_REDIRECT_ON | OVPN_REDIRECT_IPV4 | OVPN_REDIRECT_BLOCK_LOCAL;
  build(x, TRUE);
  g_assert_false(has(x->out.ip4, NM_VPN_PLUGIN_IP4_CONFIG_ROUTES)); /* not known */
  x->local_net = ip4("192.168.4.0").s_addr;
  x->local_prefix = 22;
  build(x, TRUE);
  g_autoptr(GVariant) routes =
      g_variant_lookup_value(x->out.ip4, NM_VPN_PLUGIN_IP4_CONFIG_ROUTES, G_VARIANT_TYPE("aau"));
  g_assert_nonnull(routes);
  static const char *const nets[] = {"192.168.4.0", "192.168.6.0"};
  g_assert_cmpuint(g_variant_n_children(routes), ==, 2);
  for (gsize i = 0; i < 2; i++) {
    guint32 net, prefix, gw, metric;
    g_autoptr(GVariant) route = g_variant_get_child_value(routes, i);
    g_variant_get_child(route, 0, "u", &net);
    g_variant_get_child(route, 1, "u", &prefix);
    g_variant_get_child(route, 2, "u", &gw);
    g_variant_get_child(route, 3, "u", &metric);
    g_assert_true(net == ip4(nets[i]).s_addr && prefix == 23 && gw == 0 && metric == 0);
  }
  x->pushed.redirect &= ~(unsigned)OVPN_REDIRECT_BLOCK_LOCAL;
  build(x, TRUE);
  g_assert_false(has(x->out.ip4, NM_VPN_PLUGIN_IP4_CONFIG_ROUTES));
}

static void test_no_address(Fixture *x, gconstpointer unused)
{
  OvpnFailure f = {0};
  NmOvpnNetconfigInput in = {
      &x->pushed, &x->config, (struct sockaddr *)&x->server, "tun0", 1400, FALSE, FALSE, FALSE};
  g_assert_false(nmovpn_netconfig_build(&x->out, &in, &f));
  g_assert_cmpint(f.status, ==, OVPN_FAIL_PUSH);
}

static void test_equal(Fixture *x, gconstpointer unused)
{
  NmOvpnNetconfig first;
  subnet4(x);
  build(x, FALSE);
  first = x->out;
  x->out = (NmOvpnNetconfig){0};
  build(x, FALSE);
  g_assert_true(nmovpn_netconfig_equal(&first, &x->out));
  x->pushed.addr4 = ip4("10.8.0.9");
  build(x, FALSE);
  g_assert_false(nmovpn_netconfig_equal(&first, &x->out));
  nmovpn_netconfig_clear(&first);
}

int main(int argc, char **argv)
{
  g_test_init(&argc, &argv, NULL);
#define T(name) g_test_add("/netconfig/" #name, Fixture, NULL, set_up, test_##name, tear_down)
  T(generic);
  T(topologies);
  T(default_route);
  T(routes);
  T(dns);
  T(dns_next);
  T(block_ipv6);
  T(block_ipv4);
  T(block_local);
  T(guard);
  T(guard_setting);
  T(dhcp);
  T(no_address);
  T(equal);
  return g_test_run();
}
