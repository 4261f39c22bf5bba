/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the server pushed -> what NetworkManager is told. Pure. DESIGN.md §7,
 * spec/networkmanager-openvpn.md §5. */
#pragma once
#include <NetworkManager.h>
#include <gio/gio.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include "helper/core/config.h"
#include "helper/core/push.h"

typedef struct NmOvpnPrefix6 {
  struct in6_addr net;
  guint bits;
} NmOvpnPrefix6;

typedef struct NmOvpnNetconfigInput {
  const OvpnPushed *pushed;
  const OvpnConfig *config;
  const struct sockaddr *server; /* the address in use */
  const char *ifname;
  guint mtu;
  gboolean default_route_auto; /* default-route=auto in the profile */
  gboolean never_default4;     /* ipv4.never-default */
  guint32 local_net;   /* network order: the network that leads to the server, for block-local */
  guint local_prefix;  /* of it; 0 = not known */
  gboolean guard_ipv6; /* a tunnel for all IPv4 keeps IPv6 from going past it */
  gboolean had6;       /* an earlier report had IPv6 */
  NMSettingIPConfig *ip4, *ip6; /* of the connection: their own routes; NULL; borrowed */
} NmOvpnNetconfigInput;

/* Fills default_route_auto, never_default4 and guard_ipv6 from the connection. */
void nmovpn_netconfig_read_connection(NmOvpnNetconfigInput *in, NMConnection *connection);

typedef struct NmOvpnNetconfig {
  GVariant *generic, *ip4,
      *ip6; /* a{sv}, not floating; ip4/ip6 NULL when the tunnel does not have that family */
  /* NmOvpnPrefix6: the IPv6 that the tunnel is for, when the rest is led there only to be refused;
   * NULL = no such rest */
  GArray *let6;
  GPtrArray *notes; /* translated sentences: what could not be given to NetworkManager */
} NmOvpnNetconfig;

/* FALSE: the tunnel has no address at all; f says so. */
gboolean nmovpn_netconfig_build(NmOvpnNetconfig *n, const NmOvpnNetconfigInput *in, OvpnFailure *f);
void nmovpn_netconfig_clear(NmOvpnNetconfig *n);
gboolean nmovpn_netconfig_equal(const NmOvpnNetconfig *a, const NmOvpnNetconfig *b);
