/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packet memory: one slab per direction, cut into BATCH_MAX slots with room before and behind each
 * payload. Nothing is allocated after start; pages that no packet touched cost nothing. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "helper/core/aead.h"

enum {
  BATCH_MAX = 32,
  PACKET_MAX = 65536,
  PACKET_HEADROOM = 128,
  PACKET_TAILROOM = 128,
  /* an odd number of cache lines, so that equal offsets of neighbours do not share a cache set */
  PACKET_STRIDE = PACKET_HEADROOM + PACKET_MAX + PACKET_TAILROOM + 64,
};
_Static_assert(PACKET_HEADROOM >= OVPN_DATA_HEADROOM + 2 /* framing */ + 2 /* TCP length */,
               "headroom");
_Static_assert(PACKET_TAILROOM >= OVPN_DATA_TAILROOM + 2, "tailroom");
_Static_assert(PACKET_STRIDE / 64 % 2 == 1 && PACKET_STRIDE % 64 == 0, "stride");

typedef struct Packet {
  uint8_t *data; /* a view: into this batch's slab or into a link's own buffer */
  size_t len;
} Packet;

typedef struct Batch {
  uint8_t *slab;
  unsigned first, n; /* p[first..n) are waiting */
  Packet p[BATCH_MAX];
} Batch;

bool batch_init(Batch *b); /* false = no memory */
void batch_clear(Batch *b);

static inline uint8_t *batch_slot(const Batch *b, unsigned i)
{
  return b->slab + (size_t)i * PACKET_STRIDE;
}
static inline uint8_t *batch_room(const Batch *b, unsigned i)
{
  return batch_slot(b, i) + PACKET_HEADROOM;
}
static inline bool batch_empty(const Batch *b)
{
  return b->first >= b->n;
}
static inline void batch_reset(Batch *b)
{
  b->first = b->n = 0;
}
/* Appends a packet that stands in slot n with at least two bytes in front of it; `prefix` puts the
 * TCP length there. */
void batch_push(Batch *b, uint8_t *data, size_t len, bool prefix);
