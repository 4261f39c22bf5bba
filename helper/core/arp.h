/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ARP for IPv4 on ethernet, as far as a host needs it that makes sure of its address: probes,
 * announcements, and what others say about themselves. RFC 826, RFC 5227. Pure. */
#pragma once
#include <netinet/in.h>
#include "wire.h"

enum { OVPN_ARP_FRAME = 42 };

/* Who a frame says that its sender is. */
typedef struct OvpnArp {
  uint8_t mac[6];
  struct in_addr address; /* 0.0.0.0 = it only asks (a probe) */
} OvpnArp;

/* "Who has this address?" to everybody, from somebody who has none yet. Bytes, 0 = no room. */
size_t ovpn_arp_probe(const uint8_t mac[6], struct in_addr address, uint8_t *buf, size_t cap);
/* "I have it", to everybody. */
size_t ovpn_arp_announce(const uint8_t mac[6], struct in_addr address, uint8_t *buf, size_t cap);
/* true: the whole of a request or an answer is there, and *ret is set. */
bool ovpn_arp_read(const uint8_t *frame, size_t len, OvpnArp *ret);
