/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See wire.h. */
#include "tests/pair/wire.h"
#include <string.h>

uint64_t rng_state = UINT64_C(88172645463325252);

uint64_t rng(void)
{
  rng_state ^= rng_state << 13;
  rng_state ^= rng_state >> 7;
  rng_state ^= rng_state << 17;
  return rng_state;
}

void random_bytes(void *user, uint8_t *buf, size_t len)
{
  (void)user;
  for (size_t i = 0; i < len; i++)
    buf[i] = (uint8_t)(rng() >> 32);
}

static bool chance(unsigned per_thousand)
{
  return rng() % 1000 < per_thousand;
}

void wire_put(Wire *w, const Noise *noise, uint64_t now, unsigned from, const uint8_t *data,
              size_t len)
{
  w->packets++;
  if (chance(noise->drop))
    return;
  unsigned copies = chance(noise->duplicate) ? 2 : 1;
  for (unsigned c = 0; c < copies; c++) {
    for (unsigned i = 0; i < WIRE_MAX; i++) {
      Packet *s = &w->slots[i];
      if (s->used)
        continue;
      s->used = true;
      s->from = from;
      s->len = len;
      s->at = now + 10000000 + (chance(noise->reorder) ? rng() % 200000000 : 0) + c * 1000000;
      memcpy(s->data, data, len);
      if (chance(noise->corrupt)) {
        s->data[rng() % len] ^= (uint8_t)(1 + rng() % 255);
        w->corrupted++;
      }
      break;
    }
  }
}

Packet *wire_get(Wire *w, uint64_t now)
{
  Packet *first = NULL;
  for (unsigned i = 0; i < WIRE_MAX; i++)
    if (w->slots[i].used && w->slots[i].at <= now && (!first || w->slots[i].at < first->at))
      first = &w->slots[i];
  if (first)
    first->used = false;
  return first;
}

uint64_t wire_next(const Wire *w)
{
  uint64_t t = UINT64_MAX;
  for (unsigned i = 0; i < WIRE_MAX; i++)
    if (w->slots[i].used && w->slots[i].at < t)
      t = w->slots[i].at;
  return t;
}
