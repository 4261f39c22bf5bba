/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packet memory. Invariant: a packet never reaches beyond its slot; memory is only reused after
 * batch_reset. */
#include "helper/engine/pool.h"
#include <assert.h>
#include <stdlib.h>

bool batch_init(Batch *b)
{
  *b = (Batch){.slab = calloc(BATCH_MAX, PACKET_STRIDE)};
  return b->slab != NULL;
}

void batch_clear(Batch *b)
{
  free(b->slab);
  *b = (Batch){0};
}

void batch_push(Batch *b, uint8_t *data, size_t len, bool prefix)
{
  assert(b->n < BATCH_PACKETS && len <= UINT16_MAX);
  size_t end = ((size_t)(data - b->slab) + len + 63) & ~(size_t)63;
  if (end > b->used)
    b->used = end;
  if (prefix) {
    data -= 2;
    data[0] = (uint8_t)(len >> 8);
    data[1] = (uint8_t)len;
    len += 2;
  }
  b->p[b->n++] = (Packet){.data = data, .len = (uint32_t)len};
}
