/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the server pushed: names in it are looked up, the rest is interpreted, the TUN device is
 * opened, and NetworkManager is told.
 *
 * The list is interpreted here again, because the engine that sent it talks to the network and is
 * not believed. A look-up ends with the session that it belongs to. DESIGN.md §6. */
#include "service/attempt-private.h"
#include <NetworkManager.h>
#include <ifaddrs.h>
#include <netinet/in.h>
#include <string.h>
#include <unistd.h>
#include "service/log.h"

static gboolean ensure_tun(NmOvpnAttempt *a, const OvpnOptionList *profile,
                           const OvpnOptionList *pushed, OvpnFailure *f)
{
  g_autoptr(GError) error = NULL;
  if (a->tun.fd >= 0)
    return TRUE;
  if (nmovpn_broker_open_tun(a->broker, a->config.tap, a->config.dev_name, TRUE, &a->tun, &error)) {
    nmovpn_attempt_set_mac(a, profile, pushed);
    return TRUE;
  }
  a->tun.fd = -1;
  ovpn_failure_set(f, OVPN_FAIL_INTERNAL, "%s", error->message);
  return FALSE;
}

/* NetworkManager (1.42 to 1.58) takes addresses, routes and MTU of a running VPN anew, but looks at
 * its name servers only when it comes up. */
static gboolean same_dns(const NmOvpnNetconfig *x, const NmOvpnNetconfig *y)
{
  static const char *const keys[] = {NM_VPN_PLUGIN_IP4_CONFIG_DNS, NM_VPN_PLUGIN_IP4_CONFIG_DOMAIN,
                                     NM_VPN_PLUGIN_IP4_CONFIG_DOMAINS};
  GVariant *const pairs[][2] = {{x->ip4, y->ip4}, {x->ip6, y->ip6}};
  gboolean same = TRUE;
  for (gsize i = 0; i < G_N_ELEMENTS(pairs) * G_N_ELEMENTS(keys); i++) {
    GVariant *const *p = pairs[i / G_N_ELEMENTS(keys)];
    const char *key = keys[i % G_N_ELEMENTS(keys)];
    g_autoptr(GVariant) a = p[0] ? g_variant_lookup_value(p[0], key, NULL) : NULL;
    g_autoptr(GVariant) b = p[1] ? g_variant_lookup_value(p[1], key, NULL) : NULL;
    same = same && (a && b ? g_variant_equal(a, b) : a == b);
  }
  return same;
}

/* Our address on the way to the server; it is never sent anything. */
static gboolean own_address(const struct sockaddr_storage *server, struct sockaddr_in *ret)
{
  socklen_t len = sizeof(*ret);
  int fd = server->ss_family == AF_INET ? socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0) : -1;
  if (fd < 0)
    return FALSE;
  gboolean ok = connect(fd, (const struct sockaddr *)server, sizeof(struct sockaddr_in)) == 0 &&
                getsockname(fd, (struct sockaddr *)ret, &len) == 0 && ret->sin_family == AF_INET;
  close(fd);
  return ok;
}

/* The network that leads to the server, for block-local. */
static void find_local_net(const NmOvpnAttempt *a, NmOvpnNetconfigInput *in)
{
  struct sockaddr_in own;
  struct ifaddrs *all = NULL;
  if (!(a->pushed.redirect & OVPN_REDIRECT_BLOCK_LOCAL) || !own_address(&a->place.server, &own) ||
      getifaddrs(&all) < 0)
    return;
  for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
    if (!i->ifa_addr || !i->ifa_netmask || i->ifa_addr->sa_family != AF_INET)
      continue;
    const struct sockaddr_in *addr = (const struct sockaddr_in *)(const void *)i->ifa_addr,
                             *mask = (const struct sockaddr_in *)(const void *)i->ifa_netmask;
    if (addr->sin_addr.s_addr != own.sin_addr.s_addr)
      continue;
    in->local_net = addr->sin_addr.s_addr & mask->sin_addr.s_addr;
    in->local_prefix = (guint)__builtin_popcount(mask->sin_addr.s_addr);
  }
  freeifaddrs(all);
}

void nmovpn_attempt_report(NmOvpnAttempt *a)
{
  OvpnFailure f = {0};
  NmOvpnNetconfig n;
  NmOvpnNetconfigInput in = {.pushed = &a->pushed,
                             .config = &a->config,
                             .server = (const struct sockaddr *)&a->place.server,
                             .ifname = a->tun.ifname,
                             .had6 = a->have_netconfig && a->netconfig.ip6,
                             .mtu = a->mtu};
  nmovpn_netconfig_read_connection(&in, a->connection);
  find_local_net(a, &in);
  if (!nmovpn_netconfig_build(&n, &in, &f)) {
    nmovpn_netconfig_clear(&n);
    nmovpn_attempt_fail(a, &f);
    return;
  }
  if (a->have_netconfig && nmovpn_netconfig_equal(&n, &a->netconfig)) {
    nmovpn_netconfig_clear(&n);
    return;
  }
  for (guint i = 0; i < n.notes->len; i++)
    nmovpn_log(LOG_WARNING, "%s", (const char *)n.notes->pdata[i]);
  if (a->have_netconfig && !same_dns(&a->netconfig, &n))
    nmovpn_log(LOG_WARNING, "the server changed the name servers; NetworkManager will use them "
                            "when the connection is started again");
  if (!nmovpn_engine_send_guard(a->engine, n.let6, NULL))
    nmovpn_log(LOG_WARNING, "the engine does not take the list of IPv6 networks");
  if (a->have_netconfig)
    nmovpn_netconfig_clear(&a->netconfig);
  a->netconfig = n;
  a->have_netconfig = TRUE;
  a->callbacks.config(n.generic, n.ip4, n.ip6, a->user_data);
}

static gboolean takes_pushes(const NmOvpnAttempt *a)
{
  return a->state == NMOVPN_ATTEMPT_NEGOTIATING || a->state == NMOVPN_ATTEMPT_CONFIGURING ||
         a->state == NMOVPN_ATTEMPT_UP;
}

static void apply(NmOvpnAttempt *a, const OvpnOptionList *profile, const OvpnOptionList *pushed)
{
  OvpnFailure f = {0};
  g_autoptr(GError) error = NULL;
  if (a->have_pushed)
    ovpn_pushed_clear(&a->pushed);
  ovpn_pushed_init(&a->pushed);
  a->have_pushed = TRUE;
  if (ovpn_pushed_from_options(&a->pushed, &a->config, profile, pushed,
                               (const struct sockaddr *)&a->place.server, &f) != OVPN_OK ||
      !ensure_tun(a, profile, pushed, &f) || !nmovpn_attempt_seek_lease(a, profile, pushed, &f)) {
    nmovpn_attempt_fail(a, &f);
    return;
  }
  if (a->state == NMOVPN_ATTEMPT_NEGOTIATING)
    nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_CONFIGURING);
  gboolean tcp = nmovpn_attempt_remote(a)->proto == OVPN_PROTO_TCP;
  guint mtu = a->pushed.mtu ? a->pushed.mtu : ovpn_config_tun_mtu(&a->config, tcp);
  if (!nmovpn_engine_send_tun(a->engine, a->config.tap, a->tun.vnet_hdr, mtu, a->tun.fd, &error))
    nmovpn_attempt_fail_internal(a, error->message);
}

static void on_names(const OvpnOptionList *profile, const OvpnOptionList *pushed,
                     gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  NmOvpnRouteNames *names = g_steal_pointer(&a->names); /* the lists are its own */
  apply(a, profile, pushed);
  nmovpn_route_names_free(names);
}

void nmovpn_attempt_pushed(NmOvpnEngine *e, const OvpnOptionList *pushed, gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  nmovpn_attempt_end_wait(a); /* nobody needs to press a button for this */
  if (!takes_pushes(a))
    return;
  nmovpn_route_names_free(a->names);
  a->names = nmovpn_route_names_start(&a->options, pushed, a->config.allow_pull_fqdn, on_names, a);
  if (!a->names)
    apply(a, &a->options, pushed);
}

void nmovpn_attempt_check_names(NmOvpnAttempt *a)
{
  if (!takes_pushes(a))
    g_clear_pointer(&a->names, nmovpn_route_names_free);
}
