/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tunnel takes all of IPv4 and has IPv6 for some networks only. NetworkManager then leads the
 * rest of IPv6 here too, instead of past the tunnel, and here it ends: programs are told at once
 * and use IPv4. DESIGN.md §8.
 *
 * The prefixes come from the service. Groups and neighbours on the link are always let through. */
#include "helper/engine/guard.h"
#include <stdlib.h>
#include "helper/core/address.h"

void guard_clear(Guard *g)
{
  free(g->let);
  *g = (Guard){0};
}

bool guard_read(Guard *g, OvpnReader *r)
{
  Guard next = {.on = ovpn_read_u8(r) != 0, .n = ovpn_read_u16(r)};
  if (!r->ok || next.n > GUARD_MAX)
    return false;
  next.let = calloc(next.n + 1, sizeof *next.let);
  if (!next.let)
    next = (Guard){0};
  for (size_t i = 0; i < next.n; i++) {
    ovpn_read_copy(r, next.let[i].net, sizeof next.let[i].net);
    next.let[i].bits = ovpn_read_u8(r);
    if (next.let[i].bits > 128)
      r->ok = false;
  }
  if (!r->ok || (next.let && ovpn_reader_left(r) > 0)) {
    free(next.let);
    return false;
  }
  guard_clear(g);
  *g = next;
  return true;
}

bool guard_lets(const Guard *g, const uint8_t *pkt, size_t len)
{
  const uint8_t *to = pkt + 24;
  if (!g->on || len < 40)
    return true;
  if (to[0] == 0xff || (to[0] == 0xfe && (to[1] & 0xc0) == 0x80))
    return true;
  for (size_t i = 0; i < g->n; i++)
    if (ovpn_prefix_covers(g->let[i].net, g->let[i].bits, to))
      return true;
  return false;
}
