/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets of one batch into super-packets, as the kernel's GRO does it. spec dataplane §3.
 *
 * Trust: packets come from the server and are authentic but not well-formed: headers are believed
 * after inet_parse, and payload is joined only after the checksums of both packets were right, so
 * that no damage is hidden by the checksum that the kernel computes anew. What is not understood
 * is handed on unchanged.
 * Invariants: inside a flow the order never changes: a packet that does not continue its flow's
 * super-packet closes it, and one whose flow cannot be told (fragments, options, broken headers)
 * closes all. A packet is changed only when it leads a super-packet of two or more. Reading a
 * field follows inet_parse and a comparison with the length, as in inet.c. */
#include "helper/engine/merge.h"
#include <netinet/in.h>

enum { NONE = UINT16_MAX };

/* A packet on its way in. */
typedef struct View {
  uint8_t *ip, *l4;
  uint16_t l4_len;
  uint16_t payload;
  bool push; /* may end a super-packet, not be followed */
} View;

void merge_init(Merge *m, MergePart *parts, unsigned cap, bool tap, unsigned kinds)
{
  *m = (Merge){.parts = parts, .cap = cap < NONE ? cap : NONE - 1u, .tap = tap, .kinds = kinds};
}

static void start_batch(Merge *m)
{
  m->n = m->at = m->n_flows = m->recent = 0;
  memset(m->buckets, 0, sizeof m->buckets);
}

static void close_all(Merge *m)
{
  for (unsigned i = 0; i < m->n_flows; i++)
    m->flows[i].open = false;
}

static uint64_t load_key(const View *v, uint8_t version, uint64_t addr[4])
{
  if (version == 4) {
    addr[0] = inet_load64(v->ip + 12);
    addr[1] = addr[2] = addr[3] = 0;
    return addr[0];
  }
  for (unsigned i = 0; i < 4; i++)
    addr[i] = inet_load64(v->ip + 8 + 8 * i);
  return addr[0] ^ addr[1] * 3 ^ addr[2] * 5 ^ addr[3] * 7;
}

static inline bool same_key(const MergeFlow *f, const uint64_t addr[4], uint32_t ports,
                            uint16_t kind)
{
  return ((f->addr[0] ^ addr[0]) | (f->addr[1] ^ addr[1]) | (f->addr[2] ^ addr[2]) |
          (f->addr[3] ^ addr[3]) | (f->ports ^ ports) | (uint64_t)(f->kind ^ kind)) == 0;
}

/* The flow of a packet; NULL: not known, and *ret_bucket is where it would go. */
static MergeFlow *find_flow(Merge *m, const MergePart *part, const View *v, MergeFlow *key,
                            uint8_t **ret_bucket)
{
  uint64_t h = load_key(v, part->version, key->addr);
  key->ports = inet_load32(v->l4);
  key->kind = (uint16_t)(part->version << 8 | part->proto);
  MergeFlow *recent = &m->flows[m->recent]; /* bulk traffic comes in trains */
  if (m->n_flows && same_key(recent, key->addr, key->ports, key->kind))
    return recent;
  h = (h ^ key->ports ^ (uint64_t)key->kind << 32) * UINT64_C(0x9e3779b97f4a7c15);
  unsigned b = (unsigned)(h >> 59); /* never full: half of the buckets are used */
  _Static_assert(MERGE_BUCKETS == 32, "top five bits");
  for (; m->buckets[b]; b = (b + 1) % MERGE_BUCKETS) {
    MergeFlow *f = &m->flows[m->buckets[b] - 1];
    if (same_key(f, key->addr, key->ports, key->kind)) {
      m->recent = m->buckets[b] - 1u;
      return f;
    }
  }
  *ret_bucket = &m->buckets[b];
  return NULL;
}

/* Of an IPv4 header without options. */
static inline uint16_t sum_ip4(const uint8_t *ip)
{
  uint64_t s = 0;
  for (unsigned at = 0; at < INET_IP4_HEAD; at += 4)
    s += inet_load32(ip + at);
  return inet_fold(s);
}

/* Sums of IP header and payload, as GRO and the receiving host would. */
static bool checksums_ok(const MergePart *part)
{
  const uint8_t *ip = part->p + part->l3;
  uint32_t l4_len = part->len - part->l4;
  if (part->version == 4 && sum_ip4(ip) != 0xffff)
    return false;
  uint64_t s = inet_pseudo(ip, part->version == 6, part->proto) + htons((uint16_t)l4_len);
  return inet_fold(s + inet_sum(part->p + part->l4, l4_len)) == 0xffff;
}

static const uint8_t mask_ip4[8] = {0xff, 0xff, 0, 0, 0, 0, 0xff, 0xff};
static const uint8_t mask_ip6[8] = {0xff, 0xff, 0xff, 0xff, 0, 0, 0xff, 0xff};
static const uint8_t mask_tcp[8] = {0xff, 0xff, 0xff, 0xff, 0xff, (uint8_t)~INET_PSH, 0xff, 0xff};

/* IP headers alike but for length, id and checksum: class, flow label, DF, TTL. */
static inline bool same_ip(const uint8_t *a, const uint8_t *b, uint8_t version)
{
  if (version == 6)
    return ((inet_load64(a) ^ inet_load64(b)) & inet_load64(mask_ip6)) == 0;
  uint64_t d = (inet_load64(a) ^ inet_load64(b)) & inet_load64(mask_ip4);
  return (d | (uint64_t)(inet_load16(a + 8) ^ inet_load16(b + 8))) == 0;
}

/* TCP headers alike but for sequence number, PSH and checksum. */
static inline bool same_tcp(const uint8_t *a, const uint8_t *b, size_t head)
{
  uint64_t d = (inet_load64(a + 8) ^ inet_load64(b + 8)) & inet_load64(mask_tcp);
  d |= (uint64_t)(inet_load16(a + 18) ^ inet_load16(b + 18));
  if (head == INET_TCP_HEAD + 12) { /* time stamps */
    d |= inet_load64(a + 20) ^ inet_load64(b + 20);
    d |= inet_load32(a + 28) ^ inet_load32(b + 28);
    return d == 0;
  }
  return d == 0 && memcmp(a + INET_TCP_HEAD, b + INET_TCP_HEAD, head - INET_TCP_HEAD) == 0;
}

/* IPv4: ids count up, or stay the same where DF makes them meaningless. The second packet of a
 * super-packet decides which. */
static bool same_id(const MergeFlow *f, const MergePart *first, const View *v, bool *ret_fixed)
{
  if (first->version == 6)
    return true;
  const uint8_t *ip = first->p + first->l3;
  uint16_t a = ntohs(inet_load16(ip + 4)), b = ntohs(inet_load16(v->ip + 4));
  bool df = ip[6] & 0x40;
  *ret_fixed = first->count == 1 ? df && a == b : f->fixed_id;
  return b == (uint16_t)(a + (*ret_fixed ? 0 : first->count));
}

/* Whether the packet continues what the flow holds; checksums come last, they are the work. */
static bool continues(Merge *m, MergeFlow *f, const MergePart *part, const View *v)
{
  MergePart *first = &m->parts[f->first];
  const uint8_t *ip = first->p + first->l3;
  unsigned limit = part->proto == IPPROTO_TCP ? MERGE_SEGMENTS_TCP : MERGE_SEGMENTS_UDP;
  bool fixed = false;
  if (v->payload > f->size || first->head != part->head || first->l3 != part->l3 ||
      first->total + v->payload > UINT16_MAX || first->count >= limit)
    return false;
  if (!same_ip(ip, v->ip, part->version) || !same_id(f, first, v, &fixed))
    return false;
  if (part->l3 && memcmp(first->p, part->p, part->l3) != 0)
    return false;
  if (part->proto == IPPROTO_TCP &&
      (ntohl(inet_load32(v->l4 + 4)) != f->seq ||
       !same_tcp(first->p + first->l4, v->l4, (size_t)(part->head - part->l4))))
    return false;
  if (!f->checked && !checksums_ok(first)) {
    m->stats.bad_checksum++;
    return false;
  }
  f->checked = true;
  if (!checksums_ok(part)) {
    m->stats.bad_checksum++;
    return false;
  }
  f->fixed_id = fixed;
  return true;
}

static void append(Merge *m, MergeFlow *f, MergePart *part, const View *v)
{
  MergePart *first = &m->parts[f->first];
  uint16_t i = (uint16_t)(part - m->parts);
  m->parts[f->last].next = i;
  f->last = i;
  f->seq += v->payload;
  first->count++;
  first->total += v->payload;
  first->push |= v->push;
  part->count = 0;
  if (v->push || v->payload < f->size)
    f->open = false;
}

/* The packet becomes the first of its flow's next super-packet. */
static void lead(Merge *m, MergeFlow *f, const MergePart *part, const View *v)
{
  f->open = true;
  f->checked = f->fixed_id = false;
  f->first = f->last = (uint16_t)(part - m->parts);
  f->size = v->payload;
  f->seq = part->proto == IPPROTO_TCP ? ntohl(inet_load32(v->l4 + 4)) + v->payload : 0;
}

typedef enum Fit {
  FIT_UNKNOWN,   /* may belong to any flow */
  FIT_UNRELATED, /* to none that is merged */
  FIT_CLOSES,    /* to a flow, but never part of a super-packet */
  FIT_GROWS,
} Fit;

static Fit fit_tcp(const Merge *m, MergePart *part, View *v)
{
  if (v->l4_len < INET_TCP_HEAD)
    return FIT_UNKNOWN;
  unsigned head = (v->l4[12] >> 4) * 4u, flags = v->l4[13];
  if (head < INET_TCP_HEAD || head >= v->l4_len) /* no payload: nothing to join */
    return FIT_CLOSES;
  part->head = (uint16_t)(part->l4 + head);
  _Static_assert(MERGE_HEAD_MAX >= 14 + 2 * 4 + INET_IP6_HEAD + 60, "no options, no extensions");
  v->payload = (uint16_t)(v->l4_len - head);
  v->push = flags & INET_PSH;
  bool plain = (flags & ~INET_PSH) == INET_ACK && !(v->l4[12] & 15);
  return plain && m->kinds & (part->version == 4 ? MERGE_TCP4 : MERGE_TCP6) ? FIT_GROWS
                                                                            : FIT_CLOSES;
}

static Fit fit_udp(const Merge *m, MergePart *part, View *v)
{
  if (v->l4_len < INET_UDP_HEAD)
    return FIT_UNKNOWN;
  part->head = (uint16_t)(part->l4 + INET_UDP_HEAD);
  v->payload = (uint16_t)(v->l4_len - INET_UDP_HEAD);
  bool usual = ntohs(inet_load16(v->l4 + 4)) == v->l4_len && v->payload > 0 &&
               inet_load16(v->l4 + INET_UDP_CHECK) != 0;
  return usual && m->kinds & MERGE_UDP ? FIT_GROWS : FIT_CLOSES;
}

static Fit classify(const Merge *m, MergePart *part, View *v)
{
  InetHead h;
  if (!inet_parse(part->p, part->len, m->tap, &h))
    return FIT_UNKNOWN;
  if (!h.version)
    return FIT_UNRELATED;
  if (h.fragment || !h.bare)
    return FIT_UNKNOWN;
  if (h.proto != IPPROTO_TCP && h.proto != IPPROTO_UDP)
    return FIT_UNRELATED;
  uint8_t *ip = part->p + h.l3;
  part->l3 = (uint8_t)h.l3;
  part->l4 = h.l4;
  part->proto = h.proto;
  part->version = h.version;
  *v = (View){.ip = ip, .l4 = part->p + h.l4};
  /* the end by the IP header: padding behind it belongs to nobody */
  size_t end = h.version == 4 ? ntohs(inet_load16(ip + 2))
                              : (size_t)INET_IP6_HEAD + ntohs(inet_load16(ip + 4));
  v->l4_len = (uint16_t)(h.l3 + end - h.l4);
  Fit fit = h.proto == IPPROTO_TCP ? fit_tcp(m, part, v) : fit_udp(m, part, v);
  bool reserved = h.version == 4 && ip[6] & 0x80;
  return fit == FIT_GROWS && (!h.exact || reserved) ? FIT_CLOSES : fit;
}

/* A packet that could grow meets what its flow holds. */
static void grow(Merge *m, MergePart *part, const View *v)
{
  MergeFlow key;
  uint8_t *bucket = NULL;
  MergeFlow *f = find_flow(m, part, v, &key, &bucket);
  if (f && f->open && continues(m, f, part, v)) {
    append(m, f, part, v);
    return;
  }
  if (v->push) { /* alone already */
    if (f)
      f->open = false;
    return;
  }
  if (!f) {
    if (m->n_flows == MERGE_FLOWS)
      return;
    f = &m->flows[m->n_flows++];
    *f = key;
    *bucket = (uint8_t)m->n_flows;
    m->recent = m->n_flows - 1;
  }
  lead(m, f, part, v);
}

bool merge_add(Merge *m, uint8_t *p, size_t len)
{
  if (m->n >= m->cap || m->at || len > UINT32_MAX)
    return false;
  MergePart *part = &m->parts[m->n++];
  *part = (MergePart){.p = p, .len = (uint32_t)len, .next = NONE, .count = 1};
  part->total = part->len;
  m->stats.packets++;
  if (m->kinds == 0)
    return true;
  View v;
  MergeFlow key, *f;
  uint8_t *bucket;
  switch (classify(m, part, &v)) {
  case FIT_UNKNOWN:
    close_all(m);
    break;
  case FIT_UNRELATED:
    break;
  case FIT_CLOSES:
    f = find_flow(m, part, &v, &key, &bucket);
    if (f)
      f->open = false;
    break;
  case FIT_GROWS:
    grow(m, part, &v);
    break;
  }
  return true;
}

/* The first packet's headers become those of the super-packet; the kernel does the checksum. */
static void finish_headers(Merge *m, MergePart *part)
{
  bool v6 = part->version == 6, tcp = part->proto == IPPROTO_TCP;
  uint8_t *ip = part->p + part->l3, *l4 = part->p + part->l4;
  uint16_t l4_len = htons((uint16_t)(part->total - part->l4));
  if (v6) {
    inet_store16(ip + 4, l4_len);
  } else {
    inet_store16(ip + 2, htons((uint16_t)(part->total - part->l3)));
    inet_store16(ip + 10, 0);
    inet_store16(ip + 10, (uint16_t)~sum_ip4(ip));
  }
  unsigned check = tcp ? INET_TCP_CHECK : INET_UDP_CHECK;
  inet_store16(l4 + check, inet_fold(inet_pseudo(ip, v6, part->proto) + l4_len));
  if (!tcp)
    inet_store16(l4 + 4, l4_len);
  else if (part->push)
    l4[13] |= INET_PSH;
  m->vnet = (struct virtio_net_hdr){
      .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
      .gso_type = !tcp ? VIRTIO_NET_HDR_GSO_UDP_L4
                  : v6 ? VIRTIO_NET_HDR_GSO_TCPV6
                       : VIRTIO_NET_HDR_GSO_TCPV4,
      .hdr_len = part->head,
      .gso_size = (uint16_t)(part->len - part->head),
      .csum_start = part->l4,
      .csum_offset = (uint16_t)check,
  };
}

bool merge_next(Merge *m, MergeOut *ret)
{
  while (m->at < m->n && m->parts[m->at].count == 0)
    m->at++;
  if (m->at == m->n) {
    start_batch(m);
    return false;
  }
  m->single = (uint16_t)m->at;
  MergePart *part = &m->parts[m->at++];
  unsigned n = 0;
  m->vnet = (struct virtio_net_hdr){0};
  if (part->count > 1) {
    memcpy(m->head, part->p, part->head);
    finish_headers(m, part);
  }
  m->iov[n++] = (struct iovec){&m->vnet, sizeof m->vnet};
  m->iov[n++] = (struct iovec){part->p, part->len};
  for (uint16_t i = part->next; i != NONE; i = m->parts[i].next)
    m->iov[n++] = (struct iovec){m->parts[i].p + part->head, m->parts[i].len - part->head};
  m->stats.outputs++;
  m->stats.merged += part->count - 1u;
  *ret = (MergeOut){m->iov, n, part->count, part->total};
  return true;
}

bool merge_single(Merge *m, MergeOut *ret)
{
  if (m->single == NONE)
    return false;
  MergePart *part = &m->parts[m->single];
  if (part->count > 1)
    memcpy(part->p, m->head, part->head);
  m->vnet = (struct virtio_net_hdr){0};
  m->iov[0] = (struct iovec){&m->vnet, sizeof m->vnet};
  m->iov[1] = (struct iovec){part->p, part->len};
  m->single = part->next;
  *ret = (MergeOut){m->iov, 2, 1, part->len};
  return true;
}
