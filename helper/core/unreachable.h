/* SPDX-License-Identifier: GPL-2.0-or-later */
/* block-ipv6: what OpenVPN's client answers to IPv6 packets that may not pass; block-ipv4 in the
 * same way. spec §15.1, RFC 4443, RFC 792. Pure; never reads beyond len. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { OVPN_UNREACHABLE_MAX = 1280 /* bytes, RFC 4443 §3.1: the least MTU of IPv6 */ };

/* Writes the ICMPv6 "destination unreachable, no route" for the IPv6 packet pkt (no Ethernet
 * header) into out. Returns its length; 0 when such a packet must not be answered (an ICMPv6 error,
 * to or from a group or nobody), when pkt is no IPv6, or when cap is too small. */
size_t ovpn_unreachable6(const uint8_t *pkt, size_t len, uint8_t *out, size_t cap);
/* ICMP's "destination unreachable, network" for an IPv4 packet, in the same way; no answer to
 * pieces behind the first, and only to echo and timestamp requests of ICMP. */
size_t ovpn_unreachable4(const uint8_t *pkt, size_t len, uint8_t *out, size_t cap);
