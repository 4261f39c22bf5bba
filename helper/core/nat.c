/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client-nat. Contract in the header.
 *
 * Packets are anybody's: lengths and offsets are checked before anything is written. Checksums are
 * updated by the difference (RFC 1624), so a wrong one stays wrong. */
#include "helper/core/nat.h"
#include <string.h>

enum {
  IP4_MIN = 20,
  PROTO_TCP = 6,
  PROTO_UDP = 17,
  SUM_AT = 10,
  SOURCE_AT = 12,
  DESTINATION_AT = 16,
};

static void sum_update(uint8_t *at, const uint8_t *from, const uint8_t *to)
{
  uint32_t s = (uint16_t) ~(at[0] << 8 | at[1]);
  for (int i = 0; i < 4; i += 2)
    s += (uint32_t)(uint16_t) ~(from[i] << 8 | from[i + 1]) + (uint32_t)(to[i] << 8 | to[i + 1]);
  s = (s & 0xffff) + (s >> 16);
  s = (s & 0xffff) + (s >> 16);
  s = ~s;
  at[0] = (uint8_t)(s >> 8);
  at[1] = (uint8_t)s;
}

/* Where the checksum over the addresses stands in the packet's payload; NULL = there is none. */
static uint8_t *payload_sum(uint8_t *pkt, size_t len)
{
  size_t head = (size_t)(pkt[0] & 15) * 4;
  bool first = ((pkt[6] & 0x1f) | pkt[7]) == 0;
  if (first && pkt[9] == PROTO_TCP && len >= head + 18)
    return pkt + head + 16;
  if (first && pkt[9] == PROTO_UDP && len >= head + 8 && (pkt[head + 6] | pkt[head + 7]))
    return pkt + head + 6;
  return NULL;
}

static void translate(const OvpnNatRule *rules, size_t n, bool out, bool dnat, uint8_t *pkt,
                      size_t len)
{
  uint8_t *at = pkt + (out == dnat ? DESTINATION_AT : SOURCE_AT);
  uint8_t from[4], to[4];
  uint32_t addr;
  memcpy(from, at, 4);
  memcpy(&addr, at, 4);
  for (size_t i = 0; i < n; i++) {
    const OvpnNatRule *r = &rules[i];
    if (r->dnat != dnat || (addr & r->mask) != (out ? r->net : r->alias))
      continue;
    addr = (addr & ~r->mask) | (out ? r->alias : r->net);
    memcpy(to, &addr, 4);
    memcpy(at, to, 4);
    sum_update(pkt + SUM_AT, from, to);
    uint8_t *sum = payload_sum(pkt, len);
    if (sum)
      sum_update(sum, from, to);
    return;
  }
}

void ovpn_nat_apply(const OvpnNatRule *rules, size_t n, bool out, uint8_t *pkt, size_t len)
{
  if (len < IP4_MIN || pkt[0] >> 4 != 4 || (pkt[0] & 15) < 5 || len < (size_t)(pkt[0] & 15) * 4)
    return;
  translate(rules, n, out, false, pkt, len);
  translate(rules, n, out, true, pkt, len);
}
