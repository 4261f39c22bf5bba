/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Split and merge. First byte: bit 0 merge, bit 1 TAP, bits 2..4 kinds, bits 5..7 slots - 1.
 * Split: ten bytes of virtio-net header, the rest is the packet. Merge: packets, each behind two
 * bytes of length; what comes out is split again and must be what went in. */
#include "helper/engine/merge.h"
#include "helper/engine/offload.h"
#include <netinet/in.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { CAP = 32, ROOM = 66000 };

static void require(bool c)
{
  if (!c)
    abort();
}

static void split(const uint8_t *data, size_t size, bool tap, unsigned slots)
{
  static uint8_t slab[8 * 4096];
  struct virtio_net_hdr h;
  if (size < sizeof h)
    return;
  memcpy(&h, data, sizeof h);
  OffloadSuper s;
  size_t len = size - sizeof h, total = 0;
  uint8_t *exact = malloc(len + !len);
  require(exact != NULL);
  memcpy(exact, data + sizeof h, len);
  if (offload_open(&s, &h, exact, len, tap, 4000) == OFFLOAD_OK) {
    OffloadSlots to = {slab, 4096, 96, slots};
    OffloadRun run;
    unsigned n = 0;
    while (offload_next(&s, &to, &run)) {
      require(run.n > 0 && run.n <= slots && run.len <= 4000 && run.last <= run.len);
      for (unsigned i = 0; i < run.n; i++, n++) {
        size_t seg = i + 1 < run.n ? run.len : run.last;
        require(s.size == 0 ||
                memcmp(slab + i * 4096 + 96 + s.head, exact + total + s.head, seg - s.head) == 0);
        total += seg - s.head;
      }
    }
    require(n == s.segments && total == len - s.head);
  }
  free(exact);
}

/* The segments of a super-packet against the packets that it was made of: payload, ports and, where
 * a checksum was verified, what the checksum covers. */
static void compare(const MergeOut *o, bool tap, uint8_t *const copies[], const MergePart *first,
                    const MergePart *parts)
{
  static uint8_t super[ROOM], slot[ROOM];
  struct virtio_net_hdr h;
  size_t len = 0;
  memcpy(&h, o->iov[0].iov_base, sizeof h);
  for (unsigned i = 1; i < o->n; i++) {
    require(len + o->iov[i].iov_len <= 65535);
    memcpy(super + len, o->iov[i].iov_base, o->iov[i].iov_len);
    len += o->iov[i].iov_len;
  }
  OffloadSuper s;
  require(offload_open(&s, &h, super, len, tap, ROOM) == OFFLOAD_OK && s.segments == o->packets);
  OffloadSlots to = {slot, ROOM, 0, 1};
  OffloadRun run;
  unsigned at = (unsigned)(first - parts);
  unsigned check = first->l4 + (first->proto == IPPROTO_TCP ? 16u : 6u);
  while (offload_next(&s, &to, &run)) {
    const MergePart *part = &parts[at];
    const uint8_t *was = copies[at];
    require(run.last == part->len);
    /* id of IPv4 can be fixed; a checksum of zero has two forms */
    memcpy(slot + check, was + check, 2);
    if (first->version == 4) {
      memcpy(slot + first->l3 + 4, was + first->l3 + 4, 2);
      memcpy(slot + first->l3 + 10, was + first->l3 + 10, 2);
    }
    require(memcmp(slot, was, part->len) == 0);
    at = part->next;
  }
  require(at == UINT16_MAX);
}

static void merge(const uint8_t *data, size_t size, bool tap, unsigned kinds)
{
  Merge m;
  MergePart parts[CAP];
  uint8_t *work[CAP], *copies[CAP];
  unsigned n = 0, out = 0, again = 0;
  merge_init(&m, parts, CAP, tap, kinds);
  while (size >= 2 && n < CAP) {
    size_t len = (size_t)data[0] << 8 | data[1];
    data += 2;
    size -= 2;
    if (len > size)
      len = size;
    work[n] = malloc(len + !len);
    copies[n] = malloc(len + !len);
    require(work[n] && copies[n]);
    memcpy(work[n], data, len);
    memcpy(copies[n], data, len);
    require(merge_add(&m, work[n], len));
    n++;
    data += len;
    size -= len;
  }
  MergeOut o;
  while (merge_next(&m, &o)) {
    const MergePart *first = &parts[m.at - 1];
    out += o.packets;
    if (o.packets > 1)
      compare(&o, tap, copies, first, parts);
    else
      require(memcmp(o.iov[1].iov_base, copies[m.at - 1], o.len) == 0);
    /* refused by the kernel: they come again as they were */
    for (unsigned i = m.at - 1u; merge_single(&m, &o); i = parts[i].next, again++)
      require(i < n && o.iov[1].iov_base == work[i] && memcmp(work[i], copies[i], o.len) == 0);
  }
  require(out == n && again == n);
  for (unsigned i = 0; i < n; i++) {
    free(work[i]);
    free(copies[i]);
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 1)
    return 0;
  if (data[0] & 1)
    merge(data + 1, size - 1, data[0] & 2, data[0] >> 2 & 7);
  else
    split(data + 1, size - 1, data[0] & 2, 1u + (data[0] >> 5));
  return 0;
}
