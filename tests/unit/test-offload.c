/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Super-packets: checksums, split against a plain segmenter, trains through merge and split and
 * back, hostile trains and virtio headers; as root also against the kernel itself: two TUN devices
 * in a network namespace, super-packets written to one and routed to the other. With the argument
 * "bench": cost per packet. */
#include "helper/engine/merge.h"
#include "helper/engine/offload.h"
#include "tests/unit/check.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { ROOM = 2048, MAX = 64, BIG = 65536 };

static uint64_t seed = 1;
static uint32_t rnd(uint32_t n)
{
  seed = seed * UINT64_C(6364136223846793005) + 1442695040888963407u;
  return (uint32_t)(seed >> 33) % n;
}

static void put16(uint8_t *p, unsigned v)
{
  p[0] = (uint8_t)(v >> 8);
  p[1] = (uint8_t)v;
}
static void put32(uint8_t *p, uint32_t v)
{
  put16(p, v >> 16);
  put16(p + 2, v & 0xffff);
}

/* The slow and simple checksum. */
static uint32_t slow_add(uint32_t s, const uint8_t *p, size_t n)
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

static void set_checksums(uint8_t *p, size_t l3, size_t l4, size_t len, bool v6, bool udp)
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
static void build_heads(const Spec *s, uint8_t *p, size_t payload, Pkt *at)
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

static void build(const Spec *s, Pkt *p)
{
  build_heads(s, p->b, s->payload, p);
  for (size_t i = p->head; i < p->len; i++)
    p->b[i] = (uint8_t)rnd(256);
  set_checksums(p->b, p->l3, p->l4, p->len, s->v6, s->udp);
}

static Spec plain_spec(void)
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

static void test_sum(void)
{
  static uint8_t a[70000], b[70000];
  for (size_t i = 0; i < sizeof a; i++)
    a[i] = (uint8_t)rnd(256);
  for (unsigned round = 0; round < 600; round++) {
    size_t n = round < 300 ? round : rnd(65536), at = rnd(9);
    uint16_t want = htons((uint16_t)slow_add(0, a + at, n));
    memset(b, 0, n + 8);
    CHECK_INT(inet_fold(inet_sum(a + at, n)), want);
    CHECK_INT(inet_fold(inet_sum_narrow(a + at, n)), want);
    CHECK_INT(inet_fold(inet_sum_copy(b, a + at, n)), want);
    CHECK_MEM(b, a + at, n);
    CHECK_INT(b[n], 0);
  }
  memset(a, 0xff, sizeof a);
  CHECK_INT(inet_fold(inet_sum(a, 65535)), inet_fold(inet_sum_narrow(a, 65535)));
  CHECK_INT(inet_fold(inet_sum(a, 65534)), 0xffff);
}

/* ---- split ---- */

static struct virtio_net_hdr super_header(const Spec *s, const Pkt *at, unsigned gso)
{
  return (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
                                 .gso_type = (uint8_t)(s->udp  ? VIRTIO_NET_HDR_GSO_UDP_L4
                                                       : s->v6 ? VIRTIO_NET_HDR_GSO_TCPV6
                                                               : VIRTIO_NET_HDR_GSO_TCPV4),
                                 .hdr_len = 0,
                                 .gso_size = (uint16_t)gso,
                                 .csum_start = (uint16_t)at->l4,
                                 .csum_offset = s->udp ? 6 : 16};
}

static uint8_t super[BIG + 64];

/* Segment i by rebuilding the packet from its description. */
static void expect_segment(Spec s, size_t total, unsigned gso, unsigned i, Pkt *out)
{
  size_t off = (size_t)i * gso;
  bool last = total - off <= gso;
  s.payload = last ? total - off : gso;
  s.seq += (uint32_t)off;
  s.id = (uint16_t)(s.id + i);
  if (!last)
    s.flags &= (uint8_t) ~(INET_FIN | INET_PSH);
  if (i > 0)
    s.flags &= (uint8_t)~INET_CWR;
  build_heads(&s, out->b, s.payload, out);
  Pkt whole;
  uint8_t heads[256];
  build_heads(&s, heads, total, &whole);
  memcpy(out->b + out->head, super + whole.head + off, s.payload);
  set_checksums(out->b, out->l3, out->l4, out->len, s.v6, s.udp);
}

static void split_one(Spec s, size_t total, unsigned gso, unsigned slots)
{
  enum { STRIDE = 2200, HEAD = 100 };
  static uint8_t slab[MAX * STRIDE];
  Pkt at, want;
  build_heads(&s, super, total, &at);
  for (size_t i = at.head; i < at.len; i++)
    super[i] = (uint8_t)rnd(256);
  put16(super + at.l4 + (s.udp ? 6 : 16), rnd(65536)); /* whatever stands there is replaced */
  uint8_t *exact = malloc(at.len);
  if (!exact)
    exit(1);
  memcpy(exact, super, at.len);
  struct virtio_net_hdr h = super_header(&s, &at, gso);
  OffloadSuper o;
  CHECK_INT(offload_open(&o, &h, exact, at.len, s.tap, ROOM), OFFLOAD_OK);
  CHECK_INT(o.segments, (total + gso - 1) / gso);
  OffloadSlots to = {slab, STRIDE, HEAD, slots};
  OffloadRun run;
  unsigned i = 0;
  while (offload_next(&o, &to, &run)) {
    for (unsigned k = 0; k < run.n; k++, i++) {
      expect_segment(s, total, gso, i, &want);
      CHECK_INT(k + 1 < run.n ? run.len : run.last, want.len);
      CHECK_MEM(slab + k * STRIDE + HEAD, want.b, want.len);
    }
  }
  CHECK_INT(i, o.segments);
  free(exact);
}

static void test_split(void)
{
  for (unsigned round = 0; round < 400; round++) {
    Spec s = plain_spec();
    s.v6 = rnd(2);
    s.udp = rnd(2);
    s.tap = rnd(2);
    s.vlan = rnd(2);
    s.ext = rnd(3) ? 0 : 8 * (1 + rnd(4));
    s.opts = 4 * rnd(11);
    s.flags = (uint8_t)(INET_ACK | (rnd(2) ? INET_FIN : 0) | (rnd(2) ? INET_PSH : 0) |
                        (rnd(2) ? INET_CWR : 0) | (rnd(8) ? 0 : 0x20));
    s.nodf = rnd(2);
    unsigned gso = round % 8 ? 500 + rnd(1000) : 1 + rnd(40);
    split_one(s, gso + 1 + rnd(round % 8 ? 60000 : 3000), gso, 1 + rnd(MAX));
  }
}

static void test_split_plain(void)
{
  uint8_t slot[ROOM];
  OffloadSlots to = {slot, ROOM, 0, 1};
  OffloadSuper o;
  OffloadRun run;
  for (unsigned kind = 0; kind < 8; kind++) {
    Spec s = plain_spec();
    Pkt p;
    s.v6 = kind & 1;
    s.udp = kind & 2;
    s.tap = kind & 4;
    s.flags = INET_SYN;
    build(&s, &p);
    uint8_t in[ROOM];
    memcpy(in, p.b, p.len);
    struct virtio_net_hdr h = {0};
    CHECK_INT(offload_open(&o, &h, in, p.len, s.tap, ROOM), OFFLOAD_OK);
    CHECK(offload_next(&o, &to, &run) && run.n == 1 && run.last == p.len);
    CHECK_MEM(slot, p.b, p.len);
    CHECK(!offload_next(&o, &to, &run));
    CHECK_INT(o.syn, !s.udp);
    /* checksum left to us: the field holds the sum of the pseudo header; also as a super-packet
     * that is none */
    uint64_t sum = inet_pseudo(in + p.l3, s.v6, s.udp ? 17 : 6) + htons((uint16_t)(p.len - p.l4));
    inet_store16(in + p.l4 + (s.udp ? 6 : 16), inet_fold(sum));
    for (unsigned type = 0; type < 2; type++) {
      h = super_header(&s, &p, 1000);
      if (!type)
        h.gso_type = h.gso_size = 0;
      CHECK_INT(offload_open(&o, &h, in, p.len, s.tap, ROOM), OFFLOAD_OK);
      CHECK(offload_next(&o, &to, &run) && run.n == 1);
      CHECK_MEM(slot, p.b, p.len);
    }
  }
}

static OffloadStatus try_open(const struct virtio_net_hdr *h, const uint8_t *p, size_t len)
{
  OffloadSuper o;
  uint8_t *exact = malloc(len ? len : 1);
  if (!exact)
    exit(1);
  memcpy(exact, p, len);
  OffloadStatus st = offload_open(&o, h, exact, len, false, ROOM);
  CHECK((st == OFFLOAD_OK) == (o.segments > 0));
  CHECK(offload_status_name(st)[0] != '?');
  free(exact);
  return st;
}

static void test_split_hostile(void)
{
  Spec s = plain_spec();
  Pkt at;
  build_heads(&s, super, 3000, &at);
  struct virtio_net_hdr good = super_header(&s, &at, 1000), h;
#define BAD(expect, ...)                                                                           \
  do {                                                                                             \
    h = good;                                                                                      \
    __VA_ARGS__;                                                                                   \
    CHECK_INT(try_open(&h, super, at.len), expect);                                                \
  } while (0)
  BAD(OFFLOAD_OK, h.hdr_len = 65535);
  BAD(OFFLOAD_OK, h.gso_type |= VIRTIO_NET_HDR_GSO_ECN);
  BAD(OFFLOAD_DROP_TYPE, h.gso_type = VIRTIO_NET_HDR_GSO_UDP);
  BAD(OFFLOAD_DROP_TYPE, h.gso_type = 77);
  BAD(OFFLOAD_DROP_TYPE, h.gso_type = VIRTIO_NET_HDR_GSO_ECN);
  BAD(OFFLOAD_DROP_SIZE, h.gso_size = 0);
  BAD(OFFLOAD_DROP_SIZE, h.gso_size = 2100);
  BAD(OFFLOAD_DROP_SIZE, h.gso_size = 65535); /* one segment, longer than a slot */
  BAD(OFFLOAD_DROP_CHECKSUM, h.flags = 0);
  BAD(OFFLOAD_DROP_CHECKSUM, h.csum_start++);
  BAD(OFFLOAD_DROP_CHECKSUM, h.csum_start = 65535);
  BAD(OFFLOAD_DROP_CHECKSUM, h.csum_offset = 6);
  BAD(OFFLOAD_DROP_PROTOCOL, h.gso_type = VIRTIO_NET_HDR_GSO_TCPV6);
  BAD(OFFLOAD_DROP_PROTOCOL, h.gso_type = VIRTIO_NET_HDR_GSO_UDP_L4);
  BAD(OFFLOAD_DROP_FLAGS, super[at.l4 + 13] |= INET_SYN);
  super[at.l4 + 13] &= (uint8_t)~INET_SYN;
  BAD(OFFLOAD_DROP_PROTOCOL, super[6] = 0x20);
  super[6] = 0x40;
  BAD(OFFLOAD_DROP_HEADER, super[at.l4 + 12] = 0x40);
  super[at.l4 + 12] = 0x80;
  BAD(OFFLOAD_DROP_HEADER, super[0] = 0x44);
  super[0] = 0x45;
  for (size_t n = 0; n < at.len; n += n < 80 ? 1 : 50)
    CHECK(try_open(&good, super, n) != OFFLOAD_OK);
  h = (struct virtio_net_hdr){.flags = VIRTIO_NET_HDR_F_NEEDS_CSUM};
  h.csum_start = 90;
  h.csum_offset = 8;
  CHECK_INT(try_open(&h, super, 100), OFFLOAD_OK);
  CHECK_INT(try_open(&h, super, 99), OFFLOAD_DROP_CHECKSUM);
  CHECK_INT(try_open(&h, super, 0), OFFLOAD_DROP_HEADER);
  h.csum_start = h.csum_offset = 65535;
  CHECK_INT(try_open(&h, super, 1000), OFFLOAD_DROP_CHECKSUM);
  for (unsigned round = 0; round < 20000; round++) { /* any header on any damage */
    Pkt p;
    s = plain_spec();
    s.v6 = rnd(2);
    s.udp = rnd(2);
    s.ext = s.v6 && rnd(2) ? 8 : 0;
    s.payload = rnd(1500);
    build(&s, &p);
    h = super_header(&s, &p, 1 + rnd(1500));
    for (unsigned k = rnd(4); k > 0; k--)
      ((uint8_t *)&h)[rnd(sizeof h)] = (uint8_t)rnd(256);
    for (unsigned k = rnd(3); k > 0; k--)
      p.b[rnd(80)] = (uint8_t)rnd(256);
    size_t len = rnd(2) ? p.len : rnd((uint32_t)p.len + 1);
    OffloadSuper o;
    uint8_t *exact = malloc(len + 1), slot[ROOM];
    if (!exact)
      exit(1);
    memcpy(exact, p.b, len);
    OffloadSlots to = {slot, 0, 0, 1};
    OffloadRun run;
    size_t total = 0;
    if (offload_open(&o, &h, exact, len, rnd(8) == 0, ROOM) == OFFLOAD_OK) {
      while (offload_next(&o, &to, &run))
        total += run.last - o.head;
      CHECK_INT(total, len - o.head);
    }
    free(exact);
  }
}

/* ---- merge ---- */

static Pkt in[MAX], work[MAX], outp[MAX];
static unsigned n_in, n_out;
static unsigned outputs;
static bool in_barrier[MAX];
static unsigned in_flow[MAX];
static Merge m;
static MergePart parts[MAX];

/* Merges in[], splits what comes out into outp[]. */
static void round_trip(bool tap, unsigned kinds)
{
  MergeOut o;
  memcpy(work, in, sizeof(Pkt) * n_in);
  merge_init(&m, parts, MAX, tap, kinds);
  for (unsigned i = 0; i < n_in; i++)
    CHECK(merge_add(&m, work[i].b, work[i].len));
  n_out = outputs = 0;
  while (merge_next(&m, &o)) {
    size_t len = 0;
    for (unsigned i = 1; i < o.n; i++) {
      CHECK(len + o.iov[i].iov_len <= 65535);
      memcpy(super + len, o.iov[i].iov_base, o.iov[i].iov_len);
      len += o.iov[i].iov_len;
    }
    CHECK_INT(len, o.len);
    CHECK_INT(o.n, o.packets + 1);
    struct virtio_net_hdr h;
    memcpy(&h, o.iov[0].iov_base, sizeof h);
    CHECK_INT(h.gso_type != 0, o.packets > 1);
    OffloadSuper s;
    CHECK_INT(offload_open(&s, &h, super, len, tap, ROOM), OFFLOAD_OK);
    CHECK_INT(s.segments, o.packets);
    OffloadSlots to = {outp[n_out].b, sizeof(Pkt), 0, MAX - n_out};
    OffloadRun run;
    CHECK(offload_next(&s, &to, &run));
    for (unsigned i = 0; i < run.n; i++)
      outp[n_out++].len = i + 1 < run.n ? run.len : run.last;
    outputs++;
  }
  CHECK_INT(n_out, n_in);
}

static void forget_id(Pkt *p)
{
  if (p->b[0] >> 4 == 4 && p->b[6] == 0x40)
    memset(p->b + 4, 0, 2), memset(p->b + 10, 0, 2);
}

/* Every packet came out as it went in; order was kept inside flows and around barriers. */
static void check_order(bool ids)
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

static void damage(Spec *s, Pkt *p, bool *barrier)
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

static void random_train(bool tap, unsigned flows, unsigned damage_every, bool fixed)
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
    f[i].vlan = rnd(4) == 0;
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

static void test_trains(void)
{
  for (unsigned round = 0; round < 3000; round++) {
    bool fixed = round % 5 == 0;
    bool tap = !fixed && round % 3 == 0;
    random_train(tap, 1 + rnd(round % 10 ? 4 : 24), round % 2 ? 0 : 2 + rnd(10), fixed);
    round_trip(tap, round % 7 ? 7 : rnd(8));
    check_order(!fixed);
  }
}

/* A train of n packets of one flow; ret: number of outputs. */
static void train(Spec s, unsigned n)
{
  n_in = n;
  for (unsigned i = 0; i < n; i++) {
    in_barrier[i] = false;
    in_flow[i] = 0;
    build(&s, &in[i]);
    s.seq += (uint32_t)s.payload;
    s.id++;
  }
}

static void rebuild(unsigned i, Spec s)
{
  s.seq += (uint32_t)(i * s.payload);
  s.id = (uint16_t)(s.id + i);
  build(&s, &in[i]);
}

static unsigned go(unsigned kinds)
{
  round_trip(false, kinds);
  check_order(true);
  return outputs;
}

static void test_rules(void)
{
  for (unsigned v6 = 0; v6 < 2; v6++) {
    Spec s = plain_spec(), c;
    s.v6 = v6;
    unsigned mine = v6 ? MERGE_TCP6 : MERGE_TCP4;
    train(s, 10);
    CHECK_INT(go(mine), 1);
    CHECK_INT(go(7u & ~mine), 10);
    CHECK_INT(go(0), 10);
    in[4].b[in[4].len - 1] ^= 1; /* damaged: stands alone */
    CHECK_INT(go(mine), 3);
    in[0].b[in[0].len - 1] ^= 1;
    CHECK_INT(go(mine), 4);
    c = s, c.tos = 1, train(s, 10), rebuild(5, c);
    CHECK_INT(go(mine), 3);
    c = s, c.ttl = 9, train(s, 10), rebuild(5, c);
    CHECK_INT(go(mine), 3);
    c = s, c.ack++, train(s, 10), rebuild(5, c);
    CHECK_INT(go(mine), 3);
    c = s, c.window++, train(s, 10), rebuild(5, c);
    CHECK_INT(go(mine), 3);
    c = s, c.opts = 16, train(s, 10), rebuild(5, c);
    CHECK_INT(go(mine), 3);
    c = s, c.flags |= INET_PSH, train(s, 10), rebuild(5, c);
    CHECK_INT(go(mine), 2);
    rebuild(0, c);
    CHECK_INT(go(mine), 3);
    c = s, c.flags |= INET_FIN, train(s, 10), rebuild(9, c);
    CHECK_INT(go(mine), 2);
    c = s, c.flags |= INET_CWR, train(s, 10), rebuild(5, c);
    CHECK_INT(go(mine), 3);
    train(s, 10), in[5].b[in[5].l4 + 12] |= 1;
    set_checksums(in[5].b, in[5].l3, in[5].l4, in[5].len, v6, false);
    CHECK_INT(go(mine), 3);
    train(s, 10), in[5].b[in[5].l4 + 22] ^= 1; /* time stamp */
    set_checksums(in[5].b, in[5].l3, in[5].l4, in[5].len, v6, false);
    CHECK_INT(go(mine), 3);
    train(s, 10), in[5] = in[4]; /* twice */
    CHECK_INT(go(mine), 3);
    s.payload = 1400, train(s, 64); /* 65,535 */
    CHECK_INT(go(mine), 2);
    s.payload = 1, train(s, 64);
    CHECK_INT(go(mine), 1);
    s.payload = 0, train(s, 8);
    CHECK_INT(go(mine), 8);
    s.payload = 900, s.udp = true, train(s, 20);
    CHECK_INT(go(MERGE_UDP), 1);
    CHECK_INT(go(3), 20);
    train(s, 64), s.payload = 1, train(s, 64);
    CHECK_INT(go(MERGE_UDP), 1);
    s.payload = 900, train(s, 9), put16(in[4].b + in[4].l4 + 6, 0);
    CHECK_INT(go(MERGE_UDP), 3);
    c = s, c.payload = 800, train(s, 9), build(&c, &in[8]);
    in[8].b[5] = v6 ? in[8].b[5] : (uint8_t)(c.id + 8);
    if (!v6)
      put16(in[8].b + 4, (uint16_t)(c.id + 8));
    set_checksums(in[8].b, in[8].l3, in[8].l4, in[8].len, v6, true);
    CHECK_INT(go(MERGE_UDP), 1);
  }
  CHECK(!merge_next(&m, &(MergeOut){0}));
  for (unsigned i = 0; i < MAX; i++)
    CHECK(merge_add(&m, work[i].b, work[i].len));
  CHECK(!merge_add(&m, work[0].b, work[0].len));
}

/* Packets that are none: every output is what was put in. */
static void test_merge_hostile(void)
{
  for (unsigned round = 0; round < 3000; round++) {
    random_train(round % 2, 1 + rnd(3), 0, false);
    for (unsigned i = 0; i < n_in; i++) {
      if (rnd(2))
        in[i].b[rnd(60)] = (uint8_t)rnd(256);
      if (rnd(8) == 0)
        in[i].len = rnd((uint32_t)in[i].len + 1);
    }
    uint8_t *exact[MAX];
    merge_init(&m, parts, MAX, round % 2, 7);
    size_t sum_in = 0, sum_out = 0;
    for (unsigned i = 0; i < n_in; i++) {
      exact[i] = malloc(in[i].len + !in[i].len);
      if (!exact[i])
        exit(1);
      memcpy(exact[i], in[i].b, in[i].len);
      CHECK(merge_add(&m, exact[i], in[i].len));
      sum_in++;
    }
    MergeOut o;
    while (merge_next(&m, &o))
      sum_out += o.packets;
    CHECK_INT(sum_in, sum_out);
    for (unsigned i = 0; i < n_in; i++)
      free(exact[i]);
  }
}

/* ---- the kernel ---- */

static bool write_text(const char *path, const char *text)
{
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
  if (fd >= 0)
    close(fd);
  return ok;
}

static int open_tun(const char *name, bool vnet, bool *ret_uso)
{
  struct ifreq ifr = {.ifr_flags = (short)(IFF_TUN | IFF_NO_PI | (vnet ? IFF_VNET_HDR : 0))};
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", name);
  if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0)
    return -1;
  unsigned tso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  unsigned uso = 0x20 | 0x40; /* TUN_F_USO4, TUN_F_USO6 */
  if (vnet) {
    *ret_uso = ioctl(fd, TUNSETOFFLOAD, tso | uso) == 0;
    if (!*ret_uso && ioctl(fd, TUNSETOFFLOAD, tso) < 0)
      return -1;
  }
  return fd;
}

/* Two devices in a namespace of their own; what is written to fd[0] is routed to fd[1]. */
static bool kernel_setup(bool vnet_out, int fd[2], bool *ret_uso)
{
  bool uso = false;
  *ret_uso = false;
  if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0)
    return false;
  fd[0] = open_tun("off0", true, ret_uso);
  fd[1] = open_tun("off1", vnet_out, &uso);
  if (fd[0] < 0 || fd[1] < 0)
    return false;
  return system("ip link set off0 txqueuelen 4000 && ip link set off1 txqueuelen 4000 && "
                "ip link set off0 up && ip link set off1 up && "
                "ip addr add 10.1.0.1/16 dev off0 && ip addr add 10.2.0.1/16 dev off1 && "
                "ip -6 addr add fd00::1/64 dev off0 nodad && ip -6 route add fd01::/16 dev off1") ==
             0 &&
         write_text("/proc/sys/net/ipv4/ip_forward", "1") &&
         write_text("/proc/sys/net/ipv4/conf/all/rp_filter", "0") &&
         write_text("/proc/sys/net/ipv4/conf/off0/rp_filter", "0") &&
         write_text("/proc/sys/net/ipv6/conf/all/forwarding", "1");
}

/* Reads what arrives on b into outp[]; super-packets are split. */
static void kernel_read(int fd, bool vnet, unsigned *ret_super)
{
  static uint8_t buf[BIG + 64];
  n_out = 0;
  struct pollfd pfd = {.fd = fd, .events = POLLIN};
  while (n_out < n_in && poll(&pfd, 1, 200) > 0) {
    ssize_t n = read(fd, buf, sizeof buf);
    struct virtio_net_hdr h = {0};
    size_t skip = vnet ? sizeof h : 0;
    if (n <= (ssize_t)skip)
      break;
    memcpy(&h, buf, skip);
    const uint8_t *p = buf + skip;
    if (p[0] >> 4 == 6 && p[6] == 58) /* router solicitation and the like */
      continue;
    if (p[0] >> 4 == 6 && p[6] == 0)
      continue;
    OffloadSuper s;
    OffloadStatus st = offload_open(&s, &h, p, (size_t)n - skip, false, ROOM);
    CHECK_INT(st, OFFLOAD_OK);
    OffloadSlots to = {outp[n_out].b, sizeof(Pkt), 0, MAX - n_out};
    OffloadRun run;
    if (st != OFFLOAD_OK || !offload_next(&s, &to, &run))
      continue;
    *ret_super += run.n > 1;
    for (unsigned i = 0; i < run.n; i++)
      outp[n_out++].len = i + 1 < run.n ? run.len : run.last;
  }
}

/* What the kernel's router changes. */
static void one_hop(Pkt *p, bool udp)
{
  bool v6 = p->b[0] >> 4 == 6;
  p->b[v6 ? 7 : 8]--;
  set_checksums(p->b, p->l3, p->l4, p->len, v6, udp);
}

static void kernel_round(int fd[2], bool vnet, unsigned kinds, unsigned *ret_written,
                         unsigned *ret_super)
{
  bool udp[24] = {0};
  MergeOut o;
  random_train(false, 1 + rnd(3), 0, false);
  for (unsigned i = 0; i < n_in; i++)
    udp[in_flow[i]] = in[i].b[in[i].b[0] >> 4 == 6 ? 6 : 9] == 17;
  memcpy(work, in, sizeof(Pkt) * n_in);
  merge_init(&m, parts, MAX, false, kinds);
  for (unsigned i = 0; i < n_in; i++)
    CHECK(merge_add(&m, work[i].b, work[i].len));
  while (merge_next(&m, &o)) {
    ssize_t n = writev(fd[0], o.iov, (int)o.n);
    if (n != (ssize_t)(o.len + sizeof(struct virtio_net_hdr)))
      fprintf(stderr, "write of %u packets: %s\n", o.packets, strerror(errno));
    CHECK_INT(n, o.len + sizeof(struct virtio_net_hdr));
    *ret_written += o.packets > 1;
  }
  kernel_read(fd[1], vnet, ret_super);
  CHECK_INT(n_out, n_in);
  for (unsigned i = 0; i < n_in; i++)
    one_hop(&in[i], udp[in_flow[i]]);
  check_order(true);
}

static void test_kernel(bool vnet)
{
  int fd[2] = {-1, -1};
  bool uso;
  if (!kernel_setup(vnet, fd, &uso)) {
    printf("against the kernel: skipped (needs root and TUN)\n");
  } else {
    unsigned written = 0, supers = 0;
    for (unsigned round = 0; round < 100 && !check_failed_; round++)
      kernel_round(fd, vnet, MERGE_TCP4 | MERGE_TCP6 | (uso ? MERGE_UDP : 0), &written, &supers);
    CHECK(written > 50);
    CHECK_INT(supers > 20, vnet);
    printf("against the kernel: %u super-packets written, %u read, USO %s\n", written, supers,
           uso ? "yes" : "no");
  }
  for (unsigned i = 0; i < 2; i++)
    if (fd[i] >= 0)
      close(fd[i]);
}

/* ---- cost ---- */

static double now_ns(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (double)t.tv_sec * 1e9 + (double)t.tv_nsec;
}

static void bench(void)
{
  static uint8_t slab[MAX * 1600];
  enum { N = 46, ROUNDS = 20000 };
  for (unsigned kind = 0; kind < 4; kind++) {
    Spec s = plain_spec();
    s.v6 = kind & 1;
    s.udp = kind & 2;
    s.payload = 1348;
    s.id = 1;
    train(s, N);
    size_t bytes = in[0].len;
    memcpy(work, in, sizeof in);
    merge_init(&m, parts, MAX, false, 7);
    MergeOut o;
    unsigned outs = 0;
    double t0 = now_ns();
    for (unsigned r = 0; r < ROUNDS; r++) {
      memcpy(work[0].b, in[0].b, 80); /* its headers were changed */
      for (unsigned i = 0; i < N; i++)
        merge_add(&m, work[i].b, work[i].len);
      while (merge_next(&m, &o))
        outs++;
    }
    double t1 = now_ns();
    Pkt at;
    build_heads(&s, super, N * s.payload, &at);
    struct virtio_net_hdr h = super_header(&s, &at, (unsigned)s.payload);
    OffloadSlots to = {slab, 1424, 24, MAX};
    OffloadRun run;
    OffloadSuper sp;
    unsigned segs = 0;
    double t2 = now_ns();
    for (unsigned r = 0; r < ROUNDS; r++)
      if (offload_open(&sp, &h, super, at.len, false, ROOM) == OFFLOAD_OK)
        while (offload_next(&sp, &to, &run))
          segs += run.n;
    double t3 = now_ns();
    CHECK_INT(outs, ROUNDS);
    CHECK_INT(segs, N * ROUNDS);
    printf("%s%s, %zu bytes: merge %.1f ns, split %.1f ns per packet\n", s.udp ? "UDP" : "TCP",
           s.v6 ? "/IPv6" : "/IPv4", bytes, (t1 - t0) / ROUNDS / N, (t3 - t2) / ROUNDS / N);
  }
}

int main(int argc, char **argv)
{
  if (argc > 1 && strcmp(argv[1], "bench") == 0) {
    bench();
    TEST_END();
  }
  test_sum();
  test_split();
  test_split_plain();
  test_split_hostile();
  test_rules();
  test_trains();
  test_merge_hostile();
  test_kernel(false);
  test_kernel(true);
  TEST_END();
}
