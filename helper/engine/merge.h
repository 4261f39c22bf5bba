/* SPDX-License-Identifier: GPL-2.0-or-later */
/* To the TUN: consecutive packets of a flow become one virtio-net super-packet, under the rules of
 * the kernel's own GRO. Pure; nothing is copied. spec dataplane §3.
 *
 *   merge_init(&m, parts, cap, tap, kinds);
 *   for every opened packet: if (!merge_add(&m, p, len)) { drain; merge_add(&m, p, len); }
 *   drain: while (merge_next(&m, &out)) writev(tun, out.iov, out.n);
 *
 * Packets must stay where they are, writable and apart from one another, until they have been
 * drained: what a decompressor wrote to its only buffer has to be drained at once. After a drain
 * the batch is empty and nothing of it is remembered. */
#pragma once
#include <sys/uio.h>
#include "helper/engine/inet.h"

enum {
  MERGE_TCP4 = 1, /* what the TUN takes (TUNSETOFFLOAD) */
  MERGE_TCP6 = 2,
  MERGE_UDP = 4,
  MERGE_FLOWS = 16, /* that can grow in one batch; packets of further ones are written plain */
  MERGE_BUCKETS = 2 * MERGE_FLOWS,
  MERGE_SEGMENTS_TCP = 128,
  MERGE_HEAD_MAX = 160,    /* Ethernet, IP and TCP headers at their longest, and more */
  MERGE_SEGMENTS_UDP = 64, /* the kernel refuses more than 128, its own GRO stops here */
};

/* One packet of the batch; the first of a super-packet also says what became of it. */
typedef struct MergePart {
  uint8_t *p;
  uint32_t len;
  uint16_t next;  /* of the same super-packet */
  uint16_t count; /* packets of the super-packet that starts here, 0 = inside another */
  uint32_t total; /* bytes of it */
  uint16_t l4, head;
  uint8_t l3, proto, version;
  bool push;
} MergePart;

typedef struct MergeFlow {
  uint64_t addr[4];
  uint32_t ports;
  uint16_t kind; /* version and protocol */
  bool open;
  bool checked;  /* checksums of the first packet have been verified */
  bool fixed_id; /* IPv4 with DF: every packet has the same id */
  uint16_t first, last;
  uint16_t size; /* payload of each packet but the last */
  uint32_t seq;  /* expected next */
} MergeFlow;

typedef struct MergeStats {
  uint64_t packets, outputs, merged, bad_checksum;
} MergeStats;

typedef struct Merge {
  MergePart *parts; /* the caller's */
  unsigned cap, n, at;
  unsigned n_flows, recent;
  unsigned kinds;
  bool tap;
  uint8_t buckets[MERGE_BUCKETS]; /* flow + 1 */
  MergeFlow flows[MERGE_FLOWS];
  struct virtio_net_hdr vnet;
  struct iovec iov[1 + MERGE_SEGMENTS_TCP];
  uint8_t head[MERGE_HEAD_MAX]; /* the leading packet's own, before finishing */
  uint16_t single;              /* packet of the latest output that merge_single gives next */
  MergeStats stats;
} Merge;

/* For one write: iov[0] is the virtio-net header, iov[1] starts the packet. Valid until the next
 * call. */
typedef struct MergeOut {
  const struct iovec *iov;
  unsigned n;
  unsigned packets;
  size_t len; /* without the virtio-net header */
} MergeOut;

void merge_init(Merge *m, MergePart *parts, unsigned cap, bool tap, unsigned kinds);
/* false: the batch is full (or its draining has begun). */
bool merge_add(Merge *m, uint8_t *p, size_t len);
/* In the order in which the first packet of each came; false: drained. */
bool merge_next(Merge *m, MergeOut *ret);
/* The packets of the latest output one by one as they came, for a kernel that refused it; false: no
 * more. Once only. */
bool merge_single(Merge *m, MergeOut *ret);
