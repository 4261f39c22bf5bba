/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets in pieces. spec §12.2.
 *
 * Pieces come from an authenticated peer, but order, loss, repetition and sizes are not believed:
 * every piece of a packet must agree with the others on the size, and none may reach beyond the
 * slot. Invariants of a slot: pieces before the last are `size` bytes each and stand at index *
 * size; `have` has a bit for each piece that is there; a slot that is in doubt is emptied, never
 * repaired. Sequence numbers come around every 256 packets, hence the limit in time. */
#include "helper/core/fragment.h"
#include "helper/core/wire.h"
#include <stdlib.h>

enum {
  TYPE_WHOLE = 0,
  TYPE_NOT_LAST = 1,
  TYPE_LAST = 2, /* 3 is a test that nobody sends */
  SEQ_AT = 2,
  INDEX_AT = 10,
  SIZE_AT = 15,
  SIZE_MASK = 0x3fff,
  UNIT = 4, /* of the size in the header */
  NO_LAST = OVPN_FRAGMENT_PIECES,
};
static const uint64_t patience = UINT64_C(10000000000); /* ns */

typedef struct Slot {
  uint64_t since; /* ns, of the first piece */
  uint32_t have;  /* 0 = the slot is free */
  unsigned size;  /* of the earlier pieces; 0 = not known yet */
  unsigned last;  /* index of the last piece; NO_LAST = not seen */
  size_t end;     /* total length once the last piece is there */
  uint8_t seq;
} Slot;

struct OvpnFragments {
  size_t cap;
  Slot slots[OVPN_FRAGMENT_SLOTS];
  uint8_t memory[];
};

/* ---- out */

OvpnPieces ovpn_fragment_plan(size_t len, unsigned max)
{
  OvpnPieces plan = {.n = 1, .size = (unsigned)len};
  if (len <= max)
    return plan;
  size_t unit = max / UNIT * UNIT;
  size_t n = unit ? (len + unit - 1) / unit : 0;
  if (n == 0 || n > OVPN_FRAGMENT_PIECES)
    return (OvpnPieces){0};
  /* equal pieces rather than large ones and a small rest */
  plan.size = (unsigned)(((len + n - 1) / n + UNIT - 1) / UNIT * UNIT);
  plan.n = (unsigned)((len + plan.size - 1) / plan.size);
  return plan;
}

void ovpn_fragment_head(uint8_t head[OVPN_FRAGMENT_HEAD], const OvpnPieces *plan, unsigned i,
                        uint8_t seq)
{
  uint32_t v = TYPE_WHOLE;
  if (plan->n > 1) {
    bool last = i + 1 == plan->n;
    v = (last ? TYPE_LAST : TYPE_NOT_LAST) | (uint32_t)seq << SEQ_AT | (uint32_t)i << INDEX_AT;
    if (last)
      v |= (plan->size / UNIT & SIZE_MASK) << SIZE_AT;
  }
  OvpnWriter w = ovpn_writer(head, OVPN_FRAGMENT_HEAD);
  ovpn_write_u32(&w, v);
}

/* ---- in */

OvpnFragments *ovpn_fragments_new(size_t largest)
{
  OvpnFragments *f = calloc(1, sizeof *f + OVPN_FRAGMENT_SLOTS * largest);
  if (f)
    f->cap = largest;
  return f;
}

void ovpn_fragments_free(OvpnFragments *f)
{
  free(f);
}

void ovpn_fragments_reset(OvpnFragments *f)
{
  memset(f->slots, 0, sizeof f->slots);
}

/* The slot of a packet; what stood there of another packet, or is too old, goes. */
static Slot *slot_of(OvpnFragments *f, uint8_t seq, uint64_t now)
{
  Slot *s = &f->slots[seq % OVPN_FRAGMENT_SLOTS];
  bool stale = now > s->since && now - s->since > patience;
  if (s->have == 0 || s->seq != seq || stale)
    *s = (Slot){.since = now, .seq = seq, .last = NO_LAST};
  return s;
}

/* false: the piece contradicts the others of its packet. */
static bool fits(const OvpnFragments *f, const Slot *s, bool last, unsigned index, unsigned size,
                 size_t len)
{
  if (len == 0 || len > f->cap || (s->size && size != s->size))
    return false;
  if (index > 0 && (size == 0 || len > size))
    return false;
  if ((size_t)index * size > f->cap - len)
    return false;
  if (last) /* no earlier piece may stand behind it */
    return s->last == NO_LAST && s->have >> index == 0;
  return size % UNIT == 0 && index < s->last && !(s->have >> index & 1);
}

static OvpnStatus take_piece(OvpnFragments *f, uint64_t now, uint32_t head, uint8_t **p,
                             size_t *len)
{
  bool last = (head & 3) == TYPE_LAST;
  unsigned index = head >> INDEX_AT & (OVPN_FRAGMENT_PIECES - 1);
  unsigned size = last ? (head >> SIZE_AT & SIZE_MASK) * UNIT : (unsigned)*len;
  Slot *s = slot_of(f, (uint8_t)(head >> SEQ_AT), now);
  if (!fits(f, s, last, index, size, *len)) {
    s->have = 0;
    return OVPN_DROP_FRAMING;
  }
  uint8_t *memory = f->memory + (size_t)(s - f->slots) * f->cap;
  size_t at = (size_t)index * size;
  memcpy(memory + at, *p, *len);
  s->size = size;
  s->have |= UINT32_C(1) << index;
  if (last) {
    s->last = index;
    s->end = at + *len;
  }
  if (s->last == NO_LAST || s->have != UINT32_MAX >> (OVPN_FRAGMENT_PIECES - 1 - s->last))
    return OVPN_DROP_INCOMPLETE;
  s->have = 0;
  *p = memory;
  *len = s->end;
  return OVPN_OK;
}

OvpnStatus ovpn_fragments_take(OvpnFragments *f, uint64_t now, uint8_t **p, size_t *len,
                               bool *ret_borrowed)
{
  OvpnReader r = ovpn_reader(*p, *len);
  uint32_t head = ovpn_read_u32(&r);
  *ret_borrowed = false;
  if (!r.ok)
    return OVPN_DROP_FRAMING;
  *p += OVPN_FRAGMENT_HEAD;
  *len -= OVPN_FRAGMENT_HEAD;
  switch (head & 3) {
  case TYPE_WHOLE:
    return *len ? OVPN_OK : OVPN_DROP_EMPTY;
  case TYPE_NOT_LAST:
  case TYPE_LAST:
    *ret_borrowed = true;
    return take_piece(f, now, head, p, len);
  }
  return OVPN_DROP_FRAMING;
}
