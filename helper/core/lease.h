/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a DHCP server of the far network gave (RFC 2131), and what it means in OpenVPN's words.
 * Pure; libc only. */
#pragma once
#include <netinet/in.h>
#include "options.h"
#include "wire.h"

enum {
  OVPN_LEASE_ROUTES_MAX = 256,
  OVPN_LEASE_ADDRS_MAX = 8, /* DNS servers; WINS servers */
  OVPN_LEASE_NAMES_MAX = 16,
  OVPN_LEASE_NAME_MAX = 254, /* with its NUL */
  OVPN_LEASE_OPTIONS_MAX =
      2 + OVPN_LEASE_ROUTES_MAX + 2 * OVPN_LEASE_ADDRS_MAX + OVPN_LEASE_NAMES_MAX
};

typedef struct OvpnLeaseRoute {
  struct in_addr net, gateway; /* gateway 0.0.0.0 = on the link */
  uint8_t prefix;              /* never 0: that one is OvpnLease.gateway */
} OvpnLeaseRoute;

typedef struct OvpnLease {
  struct in_addr address;
  uint8_t prefix; /* 1..32 */
  bool has_gateway;
  struct in_addr gateway;
  OvpnLeaseRoute routes[OVPN_LEASE_ROUTES_MAX];
  size_t n_routes;
  struct in_addr dns[OVPN_LEASE_ADDRS_MAX], wins[OVPN_LEASE_ADDRS_MAX];
  size_t n_dns, n_wins;
  char names[OVPN_LEASE_NAMES_MAX][OVPN_LEASE_NAME_MAX]; /* search domains; plain ASCII */
  size_t n_names;
} OvpnLease;

/* Why there is no lease (any more): `arg` of OVPN_FAIL_DHCP. */
typedef enum OvpnDhcpWhy {
  OVPN_DHCP_WHY_SILENCE, /* no usable answer */
  OVPN_DHCP_WHY_ENDED,   /* not renewed in time */
  OVPN_DHCP_WHY_IN_USE   /* somebody else has the address; the text says which and who */
} OvpnDhcpWhy;

/* Who asks. */
enum { OVPN_DHCP_ID_MAX = 32, OVPN_DHCP_HOST_MAX = 64 /* with its NUL */ };
typedef struct OvpnDhcpParams {
  uint8_t mac[6];
  uint8_t id[OVPN_DHCP_ID_MAX]; /* option 61, type and all; id_len 0 = none */
  uint8_t id_len;
  char host[OVPN_DHCP_HOST_MAX]; /* option 12; "" = not told */
  uint16_t mtu;                  /* of the device: the largest answer */
} OvpnDhcpParams;

/* IPC form: MAC | u8 n | host name | u8 n | client identifier. decode: false = malformed. */
void ovpn_dhcp_params_encode(const OvpnDhcpParams *p, OvpnWriter *w);
bool ovpn_dhcp_params_decode(OvpnReader *r, OvpnDhcpParams *ret);

bool ovpn_lease_equal(const OvpnLease *a, const OvpnLease *b);
/* Appends the lease as the server could have pushed it: ifconfig, route-gateway, route,
 * dhcp-option. false = no memory. */
bool ovpn_lease_to_options(const OvpnLease *l, OvpnOptionList *to);
/* May this option stand in the list of a lease? */
bool ovpn_lease_has_option(OvpnOptionId id);
/* IPC form of such a list: u16 n | n options. decode: false = malformed, too long, or with options
 * that do not belong there; *to may hold some then. */
void ovpn_lease_encode(const OvpnOptionList *l, OvpnWriter *w);
bool ovpn_lease_decode(OvpnReader *r, OvpnOptionList *to);
/* What the server would have pushed, had it known the lease: its options after those of the lease,
 * so that it has the last word, and without the name servers and search domains of the lease where
 * the server or the profile names some. Routes of both count. What pull-filter ignores or rejects
 * of a lease is left out, but not its address. false = no memory or too many. */
bool ovpn_lease_merge(const OvpnOptionList *lease, const OvpnOptionList *profile,
                      const OvpnOptionList *pushed, OvpnOptionList *ret);
