/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packet memory: one slab per direction. Received datagrams come to BATCH_MAX slots of full size;
 * packets to be sent stand one behind the other, each with room before and behind its payload.
 * Nothing is allocated after start; pages that no packet touched cost nothing. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "helper/core/aead.h"

enum {
  BATCH_MAX = 32,       /* slots */
  BATCH_PACKETS = 2560, /* several can share what one slot holds */
  PACKET_MAX = 65536,
  PACKET_HEADROOM = 128,
  PACKET_TAILROOM = 128,
  /* an odd number of cache lines, so that equal offsets of neighbours do not share a cache set */
  PACKET_STRIDE = PACKET_HEADROOM + PACKET_MAX + PACKET_TAILROOM + 64,
};
_Static_assert(PACKET_HEADROOM >=
                   OVPN_DATA_HEADROOM + 2 /* framing */ + 4 /* fragment */ + 2 /* TCP length */,
               "headroom");
_Static_assert(PACKET_TAILROOM >= OVPN_DATA_TAILROOM + 2, "tailroom");
enum { BATCH_SLAB = BATCH_MAX * PACKET_STRIDE };
_Static_assert(PACKET_STRIDE / 64 % 2 == 1 && PACKET_STRIDE % 64 == 0, "stride");

typedef struct Packet {
  uint8_t *data; /* a view: into this batch's slab or into a link's own buffer */
  uint32_t len;
  bool control; /* received, and for the session */
  uint8_t tos;  /* to be sent with this type of service; 0 = as usual */
} Packet;

typedef struct Batch {
  uint8_t *slab;
  size_t used;       /* of the slab, by packets to be sent */
  unsigned first, n; /* p[first..n) are waiting */
  Packet p[BATCH_PACKETS];
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
  b->used = 0;
}
/* Distance of neighbours with payloads of `len` bytes; an odd number of cache lines. */
static inline size_t batch_stride(size_t len)
{
  return ((PACKET_HEADROOM + len + PACKET_TAILROOM + 63) & ~(size_t)63) | 64;
}
/* The slots of `n` packets to be sent with payloads of up to `len` bytes, batch_stride(len) apart;
 * NULL = no room. Each payload belongs PACKET_HEADROOM behind the start of its slot. */
static inline uint8_t *batch_reserve(const Batch *b, unsigned n, size_t len)
{
  bool fits = n <= BATCH_PACKETS - b->n && len <= PACKET_MAX + 32 &&
              n * batch_stride(len) <= BATCH_SLAB - b->used;
  return fits ? b->slab + b->used : NULL;
}
/* Appends a packet of the slab with at least two bytes in front of it; `prefix` puts the TCP length
 * there. What has been reserved up to its end is used from now on. */
void batch_push(Batch *b, uint8_t *data, size_t len, bool prefix);
