/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Super-packets into segments, as a network card does it (TSO, USO, checksum). spec dataplane §3.
 *
 * Trust: the kernel writes the virtio header, but a forwarded guest can be behind it: every field
 * is compared with the packet, and what does not agree is dropped with a reason. hdr_len is not
 * used at all: the kernel gives the length of its linear buffer there, not that of the headers.
 * Invariant: offload_open has seen that all headers and [0, len) are inside, so that offload_next
 * needs no checks. Headers are summed once; a segment adds what is its own: length, id, sequence
 * number, flags and payload. */
#include "helper/engine/offload.h"
#include <netinet/in.h>

static bool has_syn(const uint8_t *pkt, size_t len, const InetHead *h)
{
  return h->version && h->proto == IPPROTO_TCP && !h->fragment && len - h->l4 >= INET_TCP_HEAD &&
         pkt[h->l4 + 13] & INET_SYN;
}

static OffloadStatus open_plain(OffloadSuper *s, const struct virtio_net_hdr *vnet, size_t len,
                                bool tap, size_t room)
{
  if (len == 0)
    return OFFLOAD_DROP_HEADER;
  if (len > room)
    return OFFLOAD_DROP_SIZE;
  if (vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) {
    size_t at = (size_t)vnet->csum_start + vnet->csum_offset;
    if (at + 2 > len)
      return OFFLOAD_DROP_CHECKSUM;
    s->check = true;
    s->l4 = vnet->csum_start;
    s->check_at = (uint32_t)at;
  }
  InetHead h = {0};
  s->syn = inet_parse(s->pkt, len, tap, &h) && has_syn(s->pkt, len, &h);
  s->segments = 1;
  s->len = s->last = len;
  return OFFLOAD_OK;
}

/* The protocol that a gso_type stands for; 0 = none that is known. ret_version: 0 = either. */
static uint8_t gso_proto(uint8_t type, uint8_t *ret_version)
{
  *ret_version = 0;
  switch (type & ~VIRTIO_NET_HDR_GSO_ECN) {
  case VIRTIO_NET_HDR_GSO_TCPV4:
    *ret_version = 4;
    return IPPROTO_TCP;
  case VIRTIO_NET_HDR_GSO_TCPV6:
    *ret_version = 6;
    return IPPROTO_TCP;
  case VIRTIO_NET_HDR_GSO_UDP_L4:
    return IPPROTO_UDP;
  default: /* not an enum of ours */
    return 0;
  }
}

/* Finds the end of the transport header. */
static OffloadStatus check_transport(OffloadSuper *s, const uint8_t *pkt, size_t len)
{
  const uint8_t *l4 = pkt + s->l4;
  size_t left = len - s->l4, head = INET_UDP_HEAD;
  if (s->proto == IPPROTO_TCP) {
    if (left < INET_TCP_HEAD)
      return OFFLOAD_DROP_HEADER;
    head = (size_t)(l4[12] >> 4) * 4;
    if (head < INET_TCP_HEAD || head > left)
      return OFFLOAD_DROP_HEADER;
  } else if (left < INET_UDP_HEAD || ntohs(inet_load16(l4 + 4)) != left) {
    return OFFLOAD_DROP_HEADER;
  }
  s->head = s->l4 + head;
  return OFFLOAD_OK;
}

/* What all segments have in common, summed once. */
static void sum_headers(OffloadSuper *s)
{
  const uint8_t *ip = s->pkt + s->l3, *l4 = s->pkt + s->l4;
  if (!s->v6) {
    s->id = ntohs(inet_load16(ip + 4));
    s->ip_sum = inet_sum(ip, s->l4 - s->l3);
    /* less what differs: one's complement subtraction is addition of the inverse */
    s->ip_sum += (uint16_t)~inet_load16(ip + 2);
    s->ip_sum += (uint16_t)~inet_load16(ip + 4);
    s->ip_sum += (uint16_t)~inet_load16(ip + 10);
  }
  s->l4_sum = inet_pseudo(ip, s->v6, s->proto) + inet_load32(l4); /* with the ports */
  if (s->proto == IPPROTO_TCP) {
    s->seq = ntohl(inet_load32(l4 + 4));
    s->flags = ntohs(inet_load16(l4 + 12));
    s->l4_sum += inet_load32(l4 + 8);
    s->l4_sum += inet_load16(l4 + 14);
    s->l4_sum += inet_load16(l4 + 18);
    s->l4_sum += inet_sum(l4 + INET_TCP_HEAD, s->head - s->l4 - INET_TCP_HEAD);
  }
}

static OffloadStatus open_super(OffloadSuper *s, const struct virtio_net_hdr *vnet, size_t len,
                                bool tap, size_t room)
{
  InetHead h = {0};
  uint8_t version = 0;
  s->proto = gso_proto(vnet->gso_type, &version);
  if (!s->proto)
    return OFFLOAD_DROP_TYPE;
  if (vnet->gso_size == 0)
    return OFFLOAD_DROP_SIZE;
  if (!inet_parse(s->pkt, len, tap, &h))
    return OFFLOAD_DROP_HEADER;
  if (!h.version || (version && h.version != version) || h.proto != s->proto || h.fragment)
    return OFFLOAD_DROP_PROTOCOL;
  if (!h.exact)
    return OFFLOAD_DROP_HEADER;
  unsigned check = s->proto == IPPROTO_TCP ? INET_TCP_CHECK : INET_UDP_CHECK;
  if (!(vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) || vnet->csum_start != h.l4 ||
      vnet->csum_offset != check)
    return OFFLOAD_DROP_CHECKSUM;
  s->v6 = h.version == 6;
  s->l3 = h.l3;
  s->l4 = h.l4;
  OffloadStatus st = check_transport(s, s->pkt, len);
  if (st != OFFLOAD_OK)
    return st;
  size_t payload = len - s->head;
  if (payload <= vnet->gso_size) /* not really a super-packet */
    return open_plain(s, vnet, len, tap, room);
  s->size = vnet->gso_size;
  s->len = s->head + s->size;
  if (s->len > room)
    return OFFLOAD_DROP_SIZE;
  s->segments = (unsigned)((payload + s->size - 1) / s->size);
  s->last = s->head + payload - (s->segments - 1) * s->size;
  if (s->proto == IPPROTO_TCP && s->pkt[s->l4 + 13] & (INET_SYN | INET_RST))
    return OFFLOAD_DROP_FLAGS;
  sum_headers(s);
  return OFFLOAD_OK;
}

OffloadStatus offload_open(OffloadSuper *s, const struct virtio_net_hdr *vnet, const uint8_t *pkt,
                           size_t len, bool tap, size_t room)
{
  *s = (OffloadSuper){.pkt = pkt};
  OffloadStatus st = vnet->gso_type == VIRTIO_NET_HDR_GSO_NONE
                         ? open_plain(s, vnet, len, tap, room)
                         : open_super(s, vnet, len, tap, room);
  if (st != OFFLOAD_OK)
    s->segments = 0;
  return st;
}

static void put_plain(const OffloadSuper *s, uint8_t *to)
{
  if (!s->check) {
    memcpy(to, s->pkt, s->len);
    return;
  }
  memcpy(to, s->pkt, s->l4);
  uint64_t sum = inet_sum_copy(to + s->l4, s->pkt + s->l4, s->len - s->l4);
  uint16_t v = (uint16_t)~inet_fold(sum);
  /* 0 means "none" for UDP and is the same number for all others */
  inet_store16(to + s->check_at, v ? v : 0xffff);
}

static inline void put_segment(const OffloadSuper *s, uint8_t *to, unsigned i, size_t len)
{
  size_t payload = len - s->head, done = (size_t)i * s->size;
  memcpy(to, s->pkt, s->head);
  uint64_t sum = inet_sum_copy(to + s->head, s->pkt + s->head + done, payload);
  uint8_t *ip = to + s->l3, *l4 = to + s->l4;
  if (s->v6) {
    inet_store16(ip + 4, htons((uint16_t)(len - s->l3 - INET_IP6_HEAD)));
  } else {
    uint16_t total = htons((uint16_t)(len - s->l3)), id = htons((uint16_t)(s->id + i));
    inet_store16(ip + 2, total);
    inet_store16(ip + 4, id);
    inet_store16(ip + 10, (uint16_t)~inet_fold(s->ip_sum + total + id));
  }
  uint16_t l4_len = htons((uint16_t)(len - s->l4));
  sum += s->l4_sum + l4_len;
  if (s->proto == IPPROTO_UDP) {
    inet_store16(l4 + 4, l4_len);
    uint16_t v = (uint16_t)~inet_fold(sum + l4_len);
    inet_store16(l4 + INET_UDP_CHECK, v ? v : 0xffff);
    return;
  }
  uint16_t flags = s->flags;
  if (i > 0)
    flags &= (uint16_t)~INET_CWR;
  if (i + 1 < s->segments)
    flags &= (uint16_t) ~(INET_FIN | INET_PSH);
  flags = htons(flags);
  uint32_t seq = htonl(s->seq + (uint32_t)done);
  inet_store32(l4 + 4, seq);
  inet_store16(l4 + 12, flags);
  inet_store16(l4 + INET_TCP_CHECK, (uint16_t)~inet_fold(sum + seq + flags));
}

bool offload_next(OffloadSuper *s, const OffloadSlots *to, OffloadRun *ret)
{
  unsigned n = s->segments - s->next;
  if (n > to->n)
    n = to->n;
  if (n == 0)
    return false;
  *ret = (OffloadRun){n, s->len, s->next + n == s->segments ? s->last : s->len};
  uint8_t *at = to->base + to->headroom;
  if (s->size == 0)
    put_plain(s, at);
  else
    for (unsigned i = 0; i < n; i++, at += to->stride)
      put_segment(s, at, s->next + i, i + 1 < n ? s->len : ret->last);
  s->next += n;
  return true;
}
