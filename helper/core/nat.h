/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client-nat: addresses inside the tunnel are translated one to one, without state. spec §15.
 *
 * `net` is how this computer sees addresses, `alias` how the server does: snat for addresses of
 * this side, dnat for those of the other. Pure; IPv4 only, as with OpenVPN. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OVPN_NAT_MAX = 64 };
typedef struct OvpnNatRule {
  bool dnat;
  uint32_t net, mask, alias; /* network byte order; net and alias lie within mask */
} OvpnNatRule;

/* Changes one packet in place, checksums too: for each of its addresses the first rule that fits.
 * Anything but whole IPv4 headers is left alone. out: towards the server. */
void ovpn_nat_apply(const OvpnNatRule *rules, size_t n, bool out, uint8_t *pkt, size_t len);
