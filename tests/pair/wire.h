/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One direction of a wire that drops, duplicates, reorders and corrupts by a seeded generator. */
#pragma once
#include "helper/core/packet.h"

enum { WIRE_MAX = 256 };

typedef struct Noise {
  unsigned drop, duplicate, reorder, corrupt; /* per thousand */
} Noise;

typedef struct Packet {
  bool used;
  uint64_t at;
  unsigned from; /* the sender's mark */
  size_t len;
  uint8_t data[OVPN_PACKET_MAX];
} Packet;

typedef struct Wire {
  Packet slots[WIRE_MAX];
  uint64_t packets, corrupted;
} Wire;

extern uint64_t rng_state; /* not 0 */
uint64_t rng(void);
void random_bytes(void *user, uint8_t *buf, size_t len); /* an OvpnRandom */

/* Arrives 10 ms later, with reordering up to 200 ms after that. */
void wire_put(Wire *w, const Noise *noise, uint64_t now, unsigned from, const uint8_t *data,
              size_t len);
/* The next packet that has arrived, NULL = none; valid until the next put. */
Packet *wire_get(Wire *w, uint64_t now);
uint64_t wire_next(const Wire *w); /* when one arrives; UINT64_MAX = never */
