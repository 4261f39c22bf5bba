/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets and trains of packets for the tests of split and merge, built in the slow and obvious
 * way, and the comparison of what came out with what went in. */
#pragma once
#include "helper/engine/merge.h"
#include "helper/engine/offload.h"
#include "tests/unit/check.h"

enum { ROOM = 2048, MAX = 64, BIG = 65536 };

static uint64_t seed = 1;
static inline uint32_t rnd(uint32_t n)
{
  seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
  return (uint32_t)(seed >> 33) % n;
}

static inline void put16(uint8_t *p, unsigned v)
{
  p[0] = (uint8_t)(v >> 8);
  p[1] = (uint8_t)v;
}
static inline void put32(uint8_t *p, uint32_t v)
{
  put16(p, v >> 16);
  put16(p + 2, v & 0xffff);
}

/* The slow and simple checksum. */
static inline uint32_t slow_add(uint32_t s, const uint8_t *p, size_t n)
{
  for (size_t i = 0; i < n; i++) {
    s += i % 2 ? p[i] : (uint32_t)p[i] << 8;
    s = (s & 0xffff) + (s >> 16);
  }
  return s;
}

typedef struct Spec {
  bool v6, udp, tap, vlan, nodf, fixed_id;
  uint8_t flow, flags, tos, ttl;
  unsigned ext;  /* IPv6: bytes of extension headers */
  unsigned opts; /* TCP: bytes of options */
  uint32_t seq, ack;
  uint16_t window, id;
  size_t payload;
} Spec;

typedef struct Pkt {
  uint8_t b[ROOM];
  size_t len, l3, l4, head;
} Pkt;

static inline void set_checksums(uint8_t *p, size_t l3, size_t l4, size_t len, bool v6, bool udp)
{
  uint8_t *ip = p + l3, *t = p + l4;
  if (!v6) {
    put16(ip + 10, 0);
    put16(ip + 10, ~slow_add(0, ip, l4 - l3) & 0xffff);
  }
  uint8_t tail[4] = {0, udp ? 17 : 6, (uint8_t)((len - l4) >> 8), (uint8_t)(len - l4)};
  uint32_t s = slow_add(0, ip + (v6 ? 8 : 12), v6 ? 32 : 8);
  s = slow_add(s, tail, 4);
  put16(t + (udp ? 6 : 16), 0);
  unsigned c = ~slow_add(s, t, len - l4) & 0xffff;
  put16(t + (udp ? 6 : 16), udp && !c ? 0xffff : c);
}

/* Headers of any total length; the caller fills payload and checksums. */
static inline void build_heads(const Spec *s, uint8_t *p, size_t payload, Pkt *at)
{
  size_t n = 0;
  if (s->tap) {
    memset(p, 0x11 + s->flow, 12);
    n = 12;
    if (s->vlan) {
      put16(p + n, 0x8100);
      put16(p + n + 2, 7);
      n += 4;
    }
    put16(p + n, s->v6 ? 0x86dd : 0x0800);
    n += 2;
  }
  at->l3 = n;
  uint8_t *ip = p + n;
  size_t l4len = payload + (s->udp ? 8 : 20 + s->opts);
  uint8_t proto = s->udp ? 17 : 6;
  if (s->v6) {
    put32(ip, 0x60000000u | (uint32_t)s->tos << 20 | 0x12345);
    put16(ip + 4, (unsigned)(l4len + s->ext));
    ip[6] = s->ext ? 60 : proto;
    ip[7] = s->ttl;
    for (unsigned i = 0; i < 32; i++)
      ip[8 + i] = i % 16 == 0 ? 0xfd : i == 15 ? (uint8_t)(s->flow + 2) : i == 31 ? 2 : i > 16;
    if (s->ext) {
      memset(ip + 40, 0, s->ext);
      ip[40] = proto;
      ip[41] = (uint8_t)(s->ext / 8 - 1);
      ip[42] = 1; /* PadN */
      ip[43] = (uint8_t)(s->ext - 4);
    }
    n += 40 + s->ext;
  } else {
    ip[0] = 0x45;
    ip[1] = s->tos;
    put16(ip + 2, (unsigned)(20 + l4len));
    put16(ip + 4, s->id);
    put16(ip + 6, s->nodf ? 0 : 0x4000);
    ip[8] = s->ttl;
    ip[9] = proto;
    put32(ip + 12, 0x0a010002 + s->flow);
    put32(ip + 16, 0x0a020002);
    n += 20;
  }
  at->l4 = n;
  uint8_t *t = p + n;
  put16(t, 4000u + s->flow);
  put16(t + 2, 5000);
  if (s->udp) {
    put16(t + 4, (unsigned)l4len);
    n += 8;
  } else {
    put32(t + 4, s->seq);
    put32(t + 8, s->ack);
    t[12] = (uint8_t)((20 + s->opts) / 4 << 4);
    t[13] = s->flags;
    put16(t + 14, s->window);
    put16(t + 18, 0);
    if (s->opts) {
      memset(t + 20, 1, s->opts);
      if (s->opts >= 12)
        memcpy(t + 22, "\x08\x0a\1\2\3\4\5\6\7\x08", 10);
    }
    n += 20 + s->opts;
  }
  at->head = n;
  at->len = n + payload;
}

static inline void build(const Spec *s, Pkt *p)
{
  build_heads(s, p->b, s->payload, p);
  for (size_t i = p->head; i < p->len; i++)
    p->b[i] = (uint8_t)rnd(256);
  set_checksums(p->b, p->l3, p->l4, p->len, s->v6, s->udp);
}

static inline Spec plain_spec(void)
{
  return (Spec){.ttl = 64,
                .flags = INET_ACK,
                .seq = 0xfffff000u,
                .ack = 77,
                .window = 500,
                .id = 0xfffe,
                .payload = 1000,
                .opts = 12};
}

/* ---- trains ---- */

static Pkt in[MAX], work[MAX], outp[MAX];
static unsigned n_in, n_out;
static bool in_barrier[MAX];
static unsigned in_flow[MAX];
static Merge m;
static MergePart parts[MAX];
static bool train_vlan = true; /* some TAP flows are tagged */
static inline void forget_id(Pkt *p)
{
  if (p->b[0] >> 4 == 4 && p->b[6] == 0x40)
    memset(p->b + 4, 0, 2), memset(p->b + 10, 0, 2);
}

/* Every packet came out as it went in; order was kept inside flows and around barriers. */
static inline void check_order(bool ids)
{
  unsigned where[MAX] = {0};
  bool used[MAX] = {0};
  for (unsigned i = 0; i < n_in; i++) {
    unsigned k = 0;
    Pkt a = in[i];
    if (!ids)
      forget_id(&a);
    for (; k < n_out; k++) {
      Pkt b = outp[k];
      if (!ids)
        forget_id(&b);
      if (!used[k] && a.len == b.len && memcmp(a.b, b.b, a.len) == 0)
        break;
    }
    CHECK(k < n_out);
    if (k == n_out)
      return;
    used[k] = true;
    where[i] = k;
  }
  for (unsigned i = 0; i < n_in; i++)
    for (unsigned j = i + 1; j < n_in; j++)
      if (in_flow[i] == in_flow[j] || in_barrier[i] || in_barrier[j])
        CHECK(where[i] < where[j]);
}

static inline void damage(Spec *s, Pkt *p, bool *barrier)
{
  switch (rnd(12)) {
  case 0: /* payload: checksum wrong */
    p->b[p->len - 1] ^= 1;
    return;
  case 1:
    s->flags = (uint8_t)(INET_ACK | (1u << rnd(8)));
    break;
  case 2:
    s->seq += rnd(2) ? 1 : -1u;
    break;
  case 3:
    s->tos ^= 1;
    break;
  case 4:
    s->ttl--;
    break;
  case 5:
    s->window++;
    break;
  case 6:
    s->ack++;
    break;
  case 7:
    s->opts = 4 * rnd(11);
    break;
  case 8:
    s->payload = rnd(3) * 7;
    break;
  case 9:
    s->id = (uint16_t)(s->id + 5);
    break;
  case 10:
    s->ext = s->v6 ? 8 : 0;
    *barrier = s->v6;
    break;
  case 11: /* a fragment */
    if (!s->v6) {
      p->b[p->l3 + 6] = 0x20;
      set_checksums(p->b, p->l3, p->l4, p->len, false, s->udp);
      *barrier = true;
      return;
    }
    break;
  default:
    break;
  }
  build(s, p);
}

static inline void random_train(bool tap, unsigned flows, unsigned damage_every, bool fixed)
{
  Spec f[24];
  for (unsigned i = 0; i < flows; i++) {
    f[i] = plain_spec();
    f[i].tap = tap;
    f[i].flow = (uint8_t)i;
    f[i].v6 = rnd(2);
    f[i].udp = rnd(3) == 0;
    f[i].seq = rnd(2) ? 0xffff0000u : rnd(1000000);
    f[i].id = (uint16_t)rnd(65536);
    f[i].opts = rnd(2) ? 12 : 4 * rnd(3);
    f[i].payload = 1 + rnd(1400);
    f[i].nodf = !fixed && rnd(2);
    f[i].fixed_id = fixed;
    f[i].vlan = tap && train_vlan && rnd(4) == 0;
  }
  n_in = 1 + rnd(MAX);
  for (unsigned i = 0; i < n_in; i++) {
    Spec *s = &f[rnd(flows)], one = *s;
    if (rnd(10) == 0)
      one.flags |= INET_PSH;
    if (rnd(20) == 0)
      one.payload = 1 + rnd((uint32_t)one.payload);
    in_barrier[i] = false;
    in_flow[i] = one.flow;
    build(&one, &in[i]);
    if (damage_every && rnd(damage_every) == 0)
      damage(&one, &in[i], &in_barrier[i]);
    s->seq = one.seq + (uint32_t)one.payload;
    if (!s->fixed_id)
      s->id = (uint16_t)(one.id + 1);
  }
}
