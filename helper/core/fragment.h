/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets in pieces (`fragment`): a header of four bytes in front of every payload, and putting
 * together what came in several. spec §12.2. Pure; time in ns comes in. */
#pragma once
#include "config.h"
#include "status.h"

enum {
  OVPN_FRAGMENT_HEAD = 4,
  OVPN_FRAGMENT_PIECES = 32, /* of one packet, at most */
  OVPN_FRAGMENT_SLOTS = 32,  /* packets that may be incomplete at a time */
};

/* How a payload is cut: `n` pieces, all but the last of `size` bytes. */
typedef struct OvpnPieces {
  unsigned n, size;
} OvpnPieces;
/* max: bytes of payload that one packet may carry behind the header. n = 0: cannot be cut (more
 * than OVPN_FRAGMENT_PIECES would be needed, or max < 4). */
OvpnPieces ovpn_fragment_plan(size_t len, unsigned max);
/* Writes the header of piece i of a plan (n = 1: a whole packet). seq: one number per packet that
 * is cut. */
void ovpn_fragment_head(uint8_t head[OVPN_FRAGMENT_HEAD], const OvpnPieces *plan, unsigned i,
                        uint8_t seq);

/* Reassembly. Memory is taken once: OVPN_FRAGMENT_SLOTS times the largest packet. */
typedef struct OvpnFragments OvpnFragments;
OvpnFragments *ovpn_fragments_new(size_t largest); /* NULL = no memory */
void ovpn_fragments_free(OvpnFragments *f);        /* NULL is fine */
void ovpn_fragments_reset(OvpnFragments *f);       /* forgets what is incomplete */
/* *p, *len: a decrypted payload with its header. OK: they describe a whole packet, inside the
 * input, or inside f until the next call (*ret_borrowed). DROP_INCOMPLETE: more pieces are to
 * come. DROP_FRAMING: the header makes no sense here; the packet it belongs to is given up. */
OvpnStatus ovpn_fragments_take(OvpnFragments *f, uint64_t now, uint8_t **p, size_t *len,
                               bool *ret_borrowed);
