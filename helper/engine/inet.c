/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Headers and checksums of IP packets for split and merge.
 *
 * Trust: none. Every offset that leaves this file has been compared with the length of the buffer.
 * Wire bytes are read with the fixed-size loads of inet.h behind such a comparison: a bounded
 * reader per field would cost as much as the whole packet may take here. spec dataplane §3. */
#include "helper/engine/inet.h"

enum {
  ETHER_HEAD = 14,
  ETHER_IP4 = 0x0800,
  ETHER_IP6 = 0x86dd,
  ETHER_VLAN = 0x8100,
  ETHER_QINQ = 0x88a8,
  EXT_MAX = 8, /* extension headers that are looked behind */
  NEXT_HOP = 0,
  NEXT_ROUTING = 43,
  NEXT_FRAGMENT = 44,
  NEXT_DEST = 60,
};

static bool parse_ip4(const uint8_t *p, size_t len, InetHead *h)
{
  if (len - h->l3 < INET_IP4_HEAD)
    return false;
  const uint8_t *ip = p + h->l3;
  size_t head = (size_t)(ip[0] & 15) * 4, total = ntohs(inet_load16(ip + 2));
  if (head < INET_IP4_HEAD || total < head || total > len - h->l3)
    return false;
  h->version = 4;
  h->l4 = (uint16_t)(h->l3 + head);
  h->proto = ip[9];
  h->bare = head == INET_IP4_HEAD;
  h->fragment = inet_load16(ip + 6) & htons(0x3fff);
  h->exact = total == len - h->l3;
  return true;
}

/* Extension headers: p[at..end) starts with one of kind h->proto. */
static bool walk_ip6(const uint8_t *p, size_t at, size_t end, InetHead *h)
{
  for (unsigned i = 0; i < EXT_MAX; i++) {
    bool frag = h->proto == NEXT_FRAGMENT;
    if (!frag && h->proto != NEXT_HOP && h->proto != NEXT_ROUTING && h->proto != NEXT_DEST)
      break;
    if (end - at < 8)
      return false;
    size_t n = frag ? 8 : 8 + (size_t)p[at + 1] * 8;
    if (n > end - at)
      return false;
    h->proto = p[at];
    h->bare = false;
    h->fragment |= frag;
    at += n;
  }
  h->l4 = (uint16_t)at;
  return true;
}

static bool parse_ip6(const uint8_t *p, size_t len, InetHead *h)
{
  if (len - h->l3 < INET_IP6_HEAD)
    return false;
  const uint8_t *ip = p + h->l3;
  size_t payload = ntohs(inet_load16(ip + 4)), room = len - h->l3 - INET_IP6_HEAD;
  if (payload > room)
    return false;
  h->version = 6;
  h->proto = ip[6];
  h->bare = true;
  h->fragment = false;
  h->exact = payload == room;
  size_t at = h->l3 + (size_t)INET_IP6_HEAD;
  return walk_ip6(p, at, at + payload, h);
}

/* false: cut short. */
static bool parse_ether(const uint8_t *p, size_t len, InetHead *h, uint16_t *ret_type)
{
  size_t at = ETHER_HEAD;
  if (len < at)
    return false;
  uint16_t type = ntohs(inet_load16(p + 12));
  for (unsigned tags = 0; tags < 2 && (type == ETHER_VLAN || type == ETHER_QINQ); tags++) {
    if (len - at < 4)
      return false;
    type = ntohs(inet_load16(p + at + 2));
    at += 4;
  }
  h->l3 = (uint16_t)at;
  *ret_type = type;
  return true;
}

bool inet_parse(const uint8_t *p, size_t len, bool tap, InetHead *ret)
{
  InetHead h = {0};
  uint16_t type = 0;
  if (len == 0 || len > UINT16_MAX)
    return false;
  if (tap) {
    if (!parse_ether(p, len, &h, &type))
      return false;
  } else {
    type = p[0] >> 4 == 4 ? ETHER_IP4 : p[0] >> 4 == 6 ? ETHER_IP6 : 0;
  }
  bool ok = true;
  if (type == ETHER_IP4)
    ok = len > h.l3 && p[h.l3] >> 4 == 4 && parse_ip4(p, len, &h);
  else if (type == ETHER_IP6)
    ok = len > h.l3 && p[h.l3] >> 4 == 6 && parse_ip6(p, len, &h);
  if (ok)
    *ret = h;
  return ok;
}

/* The last bytes of a sum, fewer than a vector or two. */
static inline uint64_t sum_tail(uint8_t *to, const uint8_t *p, size_t n)
{
  uint64_t s = 0;
  if (to)
    memcpy(to, p, n);
  for (; n >= 8; p += 8, n -= 8) {
    uint64_t w = inet_load64(p);
    s += (w & 0xffffffff) + (w >> 32);
  }
  if (n & 4) {
    s += inet_load32(p);
    p += 4;
  }
  if (n & 2) {
    s += inet_load16(p);
    p += 2;
  }
  if (n & 1) {
    uint8_t pair[2] = {*p, 0};
    s += inet_load16(pair);
  }
  return s;
}

/* Both halves of every 64-bit lane are summed apart: at most 2^14 words of 32 bits cannot carry. */
#define DEFINE_SUM(NAME, ATTR, LANES)                                                              \
  ATTR static uint64_t NAME(uint8_t *to, const uint8_t *p, size_t n)                               \
  {                                                                                                \
    typedef uint64_t Vec __attribute__((vector_size(LANES * 8)));                                  \
    Vec lo[2] = {{0}, {0}}, hi[2] = {{0}, {0}};                                                    \
    for (; n >= 2 * sizeof(Vec); n -= 2 * sizeof(Vec), p += 2 * sizeof(Vec)) {                     \
      Vec a, b;                                                                                    \
      memcpy(&a, p, sizeof a);                                                                     \
      memcpy(&b, p + sizeof a, sizeof b);                                                          \
      if (to) {                                                                                    \
        memcpy(to, &a, sizeof a);                                                                  \
        memcpy(to + sizeof a, &b, sizeof b);                                                       \
        to += 2 * sizeof(Vec);                                                                     \
      }                                                                                            \
      lo[0] += a & 0xffffffff;                                                                     \
      hi[0] += a >> 32;                                                                            \
      lo[1] += b & 0xffffffff;                                                                     \
      hi[1] += b >> 32;                                                                            \
    }                                                                                              \
    Vec v = lo[0] + lo[1] + hi[0] + hi[1];                                                         \
    uint64_t s = 0;                                                                                \
    for (unsigned i = 0; i < LANES; i++)                                                           \
      s += v[i];                                                                                   \
    return s + sum_tail(to, p, n);                                                                 \
  }

DEFINE_SUM(sum_narrow, , 2)
#ifdef __x86_64__
DEFINE_SUM(sum_wide, __attribute__((target("avx2"))), 4)
#endif

uint64_t inet_sum_copy(uint8_t *to, const uint8_t *p, size_t n)
{
#ifdef __x86_64__
  if (__builtin_cpu_supports("avx2"))
    return sum_wide(to, p, n);
#endif
  return sum_narrow(to, p, n);
}

uint64_t inet_sum(const uint8_t *p, size_t n)
{
  return inet_sum_copy(NULL, p, n);
}

uint64_t inet_sum_narrow(const uint8_t *p, size_t n)
{
  return sum_narrow(NULL, p, n);
}
