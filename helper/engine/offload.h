/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the TUN: one virtio-net super-packet becomes segments that can be sealed and sent. Pure.
 * spec dataplane §3.
 *
 *   if (offload_open(&s, &vnet, pkt, len, tap, room) == OFFLOAD_OK)
 *     while (offload_next(&s, &slots, &run))
 *       ... run.n segments stand in the slots ...
 *
 * A packet that is no super-packet passes the same way as one segment. The super-packet itself is
 * not changed and must stay until the last segment has been taken. */
#pragma once
#include "helper/engine/inet.h"

typedef enum OffloadStatus {
  OFFLOAD_OK,
  OFFLOAD_DROP_TYPE,     /* a gso_type that was never asked for */
  OFFLOAD_DROP_SIZE,     /* gso_size 0, or a segment would not fit a slot */
  OFFLOAD_DROP_CHECKSUM, /* checksum fields missing, outside, or not those of the headers */
  OFFLOAD_DROP_HEADER,   /* headers cut short or with lengths that cannot be */
  OFFLOAD_DROP_PROTOCOL, /* gso_type and packet disagree; fragments */
  OFFLOAD_DROP_FLAGS,    /* SYN or RST on several segments */
} OffloadStatus;

typedef struct OffloadSuper {
  /* for the caller */
  unsigned segments; /* in all */
  size_t len;        /* of every segment but the last */
  size_t last;       /* of the last one */
  bool syn;          /* a TCP packet with SYN (never a super-packet): mssfix wants to see it */
  /* private */
  const uint8_t *pkt;
  unsigned next;
  size_t head, size; /* headers in front of every segment, payload behind them */
  uint8_t proto;     /* TCP or UDP of a super-packet, else 0 */
  bool v6, check;    /* check: a plain packet whose checksum is still to be computed */
  uint16_t l3, l4, id;
  uint32_t check_at;
  uint32_t seq;
  uint16_t flags;          /* TCP: data offset and flags as they stand in the header */
  uint64_t ip_sum, l4_sum; /* of what all segments have in common */
} OffloadSuper;

/* Segment i goes to base + i * stride + headroom. The caller chooses them so that what it adds in
 * front and behind fits; with the stride of a sealed packet a run is one block for UDP_SEGMENT. */
typedef struct OffloadSlots {
  uint8_t *base;
  size_t stride, headroom;
  unsigned n;
} OffloadSlots;

/* n segments of `len` bytes, the last of `last` bytes (last <= len). */
typedef struct OffloadRun {
  unsigned n;
  size_t len, last;
} OffloadRun;

/* room: the longest segment that the slots can take. */
OffloadStatus offload_open(OffloadSuper *s, const struct virtio_net_hdr *vnet, const uint8_t *pkt,
                           size_t len, bool tap, size_t room);
/* false: all segments have been taken. */
bool offload_next(OffloadSuper *s, const OffloadSlots *to, OffloadRun *ret);
