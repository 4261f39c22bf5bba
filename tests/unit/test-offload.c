/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Super-packets: checksums, split against a plain segmenter, trains through merge and split and
 * back, hostile trains and virtio headers. With the argument "bench": cost per packet. */
#include "tests/unit/offload-train.h"
#include <netinet/in.h>
#include <time.h>

static uint8_t super[BIG + 64];
static unsigned outputs; /* of the last round trip */

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
    uint8_t raw[ROOM];
    memcpy(raw, p.b, p.len);
    struct virtio_net_hdr h = {0};
    CHECK_INT(offload_open(&o, &h, raw, p.len, s.tap, ROOM), OFFLOAD_OK);
    CHECK(offload_next(&o, &to, &run) && run.n == 1 && run.last == p.len);
    CHECK_MEM(slot, p.b, p.len);
    CHECK(!offload_next(&o, &to, &run));
    CHECK_INT(o.syn, !s.udp);
    /* checksum left to us: the field holds the sum of the pseudo header; also as a super-packet
     * that is none */
    uint64_t sum = inet_pseudo(raw + p.l3, s.v6, s.udp ? 17 : 6) + htons((uint16_t)(p.len - p.l4));
    inet_store16(raw + p.l4 + (s.udp ? 6 : 16), inet_fold(sum));
    for (unsigned type = 0; type < 2; type++) {
      h = super_header(&s, &p, 1000);
      if (!type)
        h.gso_type = h.gso_size = 0;
      CHECK_INT(offload_open(&o, &h, raw, p.len, s.tap, ROOM), OFFLOAD_OK);
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
  CHECK((unsigned)st <= OFFLOAD_DROP_FLAGS);
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

/* Outputs that the kernel refuses come again as the packets that they were, byte for byte. */
static void test_single(void)
{
  for (unsigned round = 0; round < 500; round++) {
    bool tap = round % 3 == 0;
    bool seen[MAX] = {false};
    MergeOut o;
    random_train(tap, 1 + rnd(4), round % 2 ? 0 : 2 + rnd(10), false);
    memcpy(work, in, sizeof(Pkt) * n_in);
    merge_init(&m, parts, MAX, tap, 7);
    for (unsigned i = 0; i < n_in; i++)
      merge_add(&m, work[i].b, work[i].len);
    unsigned n = 0;
    while (merge_next(&m, &o))
      for (unsigned packets = o.packets; packets > 0; packets--, n++) {
        CHECK(merge_single(&m, &o));
        unsigned i = (unsigned)((const Pkt *)(const void *)o.iov[1].iov_base - work);
        CHECK(!seen[i] && o.n == 2 && o.len == in[i].len && o.iov[1].iov_len == o.len);
        seen[i] = true;
        CHECK_MEM(o.iov[1].iov_base, in[i].b, in[i].len);
        static const struct virtio_net_hdr plain;
        CHECK_MEM(o.iov[0].iov_base, &plain, sizeof plain);
        CHECK(packets > 1 || !merge_single(&m, &o));
      }
    CHECK_INT(n, n_in);
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
  test_single();
  test_merge_hostile();
  TEST_END();
}
