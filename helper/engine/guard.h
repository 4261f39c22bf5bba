/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which IPv6 packets belong into a tunnel that was given all of IPv6 only so that nothing goes past
 * it. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "helper/core/wire.h"

enum { GUARD_MAX = 1024 }; /* prefixes */

typedef struct GuardPrefix {
  uint8_t net[16];
  uint8_t bits; /* 0..128 */
} GuardPrefix;

typedef struct Guard {
  bool on; /* off: every packet is let through */
  GuardPrefix *let;
  size_t n;
} Guard;

/* u8 on | u16 n | n times 16 bytes and u8 bits. false: malformed, and the guard is as before; true
 * also when there is no memory, which lets everything through. */
bool guard_read(Guard *g, OvpnReader *r);
void guard_clear(Guard *g);
/* May this IPv6 packet of `len` bytes be sent into the tunnel? */
bool guard_lets(const Guard *g, const uint8_t *pkt, size_t len);
