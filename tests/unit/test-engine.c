/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Engine parts that can be tried alone: TCP framing over a socket pair, batches, key slots without
 * keys. */
#include "check.h"
#include "helper/engine/datapath.h"
#include "helper/engine/link.h"
#include <sys/socket.h>
#include <unistd.h>

static void pair(Link *l, int *other)
{
  int fd[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, fd) == 0);
  CHECK(link_open(l, OVPN_PROTO_TCP, false, fd[0]));
  *other = fd[1];
}

static void put(int fd, const char *hex)
{
  uint8_t buf[256];
  size_t n = check_unhex(hex, buf, sizeof buf);
  CHECK_INT(write(fd, buf, n), n);
}

static void test_frames_in(void)
{
  Link l;
  Batch b;
  OvpnStats st = {0};
  OvpnFailure f = {0};
  int peer;
  CHECK(batch_init(&b));
  pair(&l, &peer);
  CHECK_INT(l.ops->recv(&l, &b, &st, &f), LINK_AGAIN);
  put(peer, "0003 616263 0001 64 0002 65"); /* two packets and a half */
  CHECK_INT(l.ops->recv(&l, &b, &st, &f), LINK_OK);
  CHECK_INT(b.n, 2);
  CHECK_MEM(b.p[0].data, "abc", 3);
  CHECK_INT(b.p[1].len, 1);
  CHECK_INT(l.ops->recv(&l, &b, &st, &f), LINK_AGAIN);
  put(peer, "66 00");
  CHECK_INT(l.ops->recv(&l, &b, &st, &f), LINK_OK);
  CHECK_INT(b.n, 1);
  CHECK_MEM(b.p[0].data, "ef", 2);
  put(peer, "00");
  CHECK_INT(l.ops->recv(&l, &b, &st, &f), LINK_LOST); /* length 0 */
  CHECK_INT(f.status, OVPN_FAIL_LINK);
  link_close(&l);
  close(peer);

  f = (OvpnFailure){0};
  pair(&l, &peer);
  put(peer, "48545450"); /* "HTTP" is no length */
  CHECK_INT(l.ops->recv(&l, &b, &st, &f), LINK_LOST);
  link_close(&l);
  close(peer);

  f = (OvpnFailure){0};
  pair(&l, &peer);
  close(peer);
  CHECK_INT(l.ops->recv(&l, &b, &st, &f), LINK_LOST);
  CHECK_INT(f.status, OVPN_FAIL_LINK);
  link_close(&l);
  batch_clear(&b);
}

/* More packets in one read than a batch holds: the rest comes with the next calls, without new
 * bytes. */
static void test_many_frames(void)
{
  Link l;
  Batch b;
  OvpnStats st = {0};
  OvpnFailure f = {0};
  int peer;
  unsigned total = 0;
  CHECK(batch_init(&b));
  pair(&l, &peer);
  for (int i = 0; i < 100; i++)
    put(peer, "0001 30");
  while (l.ops->recv(&l, &b, &st, &f) == LINK_OK)
    total += b.n;
  CHECK_INT(total, 100);
  CHECK_INT(st.link_rx_packets, 100);
  link_close(&l);
  close(peer);
  batch_clear(&b);
}

/* A stream that takes only a part: the rest stays in the batch and continues at the same byte. */
static void test_partial_send(void)
{
  Link l;
  Batch b;
  OvpnStats st = {0};
  OvpnFailure f = {0};
  int peer, small = 4096;
  static uint8_t got[BATCH_MAX * 3002];
  size_t n = 0;
  CHECK(batch_init(&b));
  pair(&l, &peer);
  setsockopt(l.fd, SOL_SOCKET, SO_SNDBUF, &small, sizeof small);
  for (unsigned i = 0; i < BATCH_MAX; i++) {
    memset(batch_room(&b, i), 'a' + (int)i % 26, 3000);
    batch_push(&b, batch_room(&b, i), 3000, true);
  }
  LinkResult r = l.ops->send(&l, &b, &st, &f);
  CHECK_INT(r, LINK_AGAIN);
  while (n < sizeof got) {
    ssize_t k = recv(peer, got + n, sizeof got - n > 777 ? 777 : sizeof got - n, MSG_DONTWAIT);
    if (k > 0)
      n += (size_t)k;
    else if ((r = l.ops->send(&l, &b, &st, &f)) == LINK_LOST)
      break;
  }
  CHECK(batch_empty(&b));
  CHECK_INT(n, sizeof got);
  for (unsigned i = 0; i < BATCH_MAX; i++) {
    CHECK_INT(got[i * 3002] << 8 | got[i * 3002 + 1], 3000);
    CHECK_INT(got[i * 3002 + 2], 'a' + (int)i % 26);
    CHECK_INT(got[i * 3002 + 3001], 'a' + (int)i % 26);
  }
  CHECK_INT(st.link_tx_packets, BATCH_MAX);
  link_close(&l);
  close(peer);
  batch_clear(&b);
}

static void test_receive_without_keys(void)
{
  Datapath dp;
  Tun tun = {.fd = -1};
  Batch b;
  CHECK(datapath_init(&dp) && batch_init(&b));
  const char *packets[] = {"38 00", "48 000000 00000001", "20 00", "30 01"};
  for (unsigned i = 0; i < 4; i++) {
    size_t n = check_unhex(packets[i], batch_room(&b, i), 64);
    batch_push(&b, batch_room(&b, i), n, false);
  }
  batch_push(&b, batch_room(&b, 4), 0, false);
  CHECK_INT(datapath_receive(&dp, &tun, &b), 2);
  CHECK(b.p[0].control && !b.p[1].control && b.p[2].control && !b.p[3].control);
  CHECK_INT(dp.stats.drops_key, 2);
  CHECK_INT(dp.stats.drops_format, 1);
  datapath_use_key(&dp, 5);
  datapath_del_key(&dp, 5);
  CHECK(!dp.send);
  batch_reset(&b);
  CHECK(!datapath_send(&dp, &b, ovpn_ping_magic, 16));
  CHECK_INT(ovpn_config_digest_len("RSA-SHA256"), 32);
  CHECK_INT(ovpn_config_digest_len(NULL), 20);
  datapath_clear(&dp);
  batch_clear(&b);
}

/* ---- data path against a socket pair that stands for the TUN ---- */

typedef struct End {
  Datapath dp;
  Batch b;
  Tun tun;
  int device; /* the other side of the TUN */
} End;

static OvpnDataKey *make_key(bool client, uint8_t id)
{
  uint8_t block[256];
  OvpnDataKey *k = NULL;
  OvpnFailure f = {0};
  for (unsigned i = 0; i < sizeof block; i++)
    block[i] = (uint8_t)(i + id * 3u + 1);
  CHECK_INT(ovpn_data_key_new(ovpn_data_cipher("AES-128-GCM"), "none", block, client, id, 7, NULL,
                              NULL, NULL, &k, &f),
            OVPN_OK);
  return k;
}

static void end_open(End *e, bool client)
{
  int fd[2], size = 1 << 20;
  memset(e, 0, sizeof *e);
  CHECK(datapath_init(&e->dp) && batch_init(&e->b));
  CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, fd) == 0);
  for (unsigned i = 0; i < 2; i++)
    setsockopt(fd[i], SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
  e->tun.fd = -1;
  tun_open(&e->tun, fd[0], false, 1500, TUN_FLAGS);
  e->device = fd[1];
  datapath_set_tun(&e->dp, &e->tun);
  for (uint8_t id = 0; id < 2; id++)
    datapath_set_key(&e->dp, make_key(client, id));
  datapath_use_key(&e->dp, 0);
  e->dp.up = true;
}

static void end_close(End *e)
{
  datapath_clear(&e->dp);
  batch_clear(&e->b);
  tun_close(&e->tun);
  close(e->device);
}

/* An IPv4 TCP packet with `payload` bytes that count up; its checksums are left to the receiver. */
static size_t tcp_packet(uint8_t *p, size_t payload, uint32_t seq, struct virtio_net_hdr *h)
{
  static const uint8_t heads[40] = {0x45, 0, 0, 0, 0,  1, 0x40, 0, 64, 6,    0, 0,
                                    10,   0, 0, 1, 10, 0, 0,    2, 0,  80,   1, 2,
                                    0,    0, 0, 0, 0,  0, 0,    9, 80, 0x10, 1, 0};
  size_t len = sizeof heads + payload;
  memcpy(p, heads, sizeof heads);
  inet_store16(p + 2, htons((uint16_t)len));
  inet_store32(p + 24, htonl(seq));
  inet_store16(p + 10, (uint16_t)~inet_fold(inet_sum(p, 20)));
  for (size_t i = 0; i < payload; i++)
    p[sizeof heads + i] = (uint8_t)(seq + i);
  uint64_t pseudo = inet_pseudo(p, false, 6) + htons((uint16_t)(len - 20));
  *h = (struct virtio_net_hdr){
      .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM, .csum_start = 20, .csum_offset = INET_TCP_CHECK};
  inet_store16(p + 36, inet_fold(pseudo));
  return len;
}

static void device_put(End *e, const struct virtio_net_hdr *h, uint8_t *p, size_t len)
{
  struct iovec iov[2] = {{(void *)h, sizeof *h}, {p, len}};
  CHECK_INT(writev(e->device, iov, 2), sizeof *h + len);
}

/* A super-packet of more segments than a batch holds comes out in several, complete and in order.
 */
static void test_parts(unsigned fragment)
{
  static uint8_t p[65536];
  End a, b;
  struct virtio_net_hdr h;
  end_open(&a, true);
  end_open(&b, false);
  a.dp.peer.fragment = b.dp.peer.fragment = fragment;
  if (fragment)
    CHECK(datapath_want_fragments(&b.dp, 2000));
  unsigned size = fragment ? 20 : 8;
  size_t len = tcp_packet(p, 60000, 1000, &h);
  h.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
  h.gso_size = (uint16_t)size;
  device_put(&a, &h, p, len);
  unsigned batches = 0, packets = 0;
  uint32_t seq = 1000;
  do {
    CHECK(datapath_transmit(&a.dp, &a.tun, &a.b));
    CHECK(a.b.n <= BATCH_PACKETS && a.b.used <= BATCH_SLAB);
    datapath_receive(&b.dp, &b.tun, &a.b);
    for (struct virtio_net_hdr got;;) {
      struct iovec iov[2] = {{&got, sizeof got}, {p, sizeof p}};
      struct msghdr m = {.msg_iov = iov, .msg_iovlen = 2};
      ssize_t n = recvmsg(b.device, &m, MSG_DONTWAIT);
      if (n < 0)
        break;
      CHECK_INT(ntohl(inet_load32(p + 24)), seq);
      for (size_t i = 40; i < (size_t)n - sizeof got; i++)
        CHECK_INT(p[i], (uint8_t)seq++);
      packets++;
    }
    batch_reset(&a.b);
    batches++;
  } while (a.dp.pending && batches < 1000);
  CHECK(batches > 1 && packets > 1);
  CHECK_INT(seq, 61000);
  CHECK_INT(a.dp.stats.drops_room + a.dp.stats.drops_other + b.dp.stats.drops_format, 0);
  CHECK_INT(a.dp.stats.tun_rx_packets, 60000 / size);
  end_close(&a);
  end_close(&b);
}

/* One received buffer holds packets of the old and the new key and a control packet: all arrive,
 * and the flow is merged across them. */
static void test_two_keys_in_one_buffer(void)
{
  static uint8_t p[65536], buffer[65536];
  enum { N = 20 };
  End a, b;
  struct virtio_net_hdr h;
  end_open(&a, true);
  end_open(&b, false);
  Batch *rx = &b.b;
  size_t used = 0;
  for (unsigned i = 0; i < N; i++) {
    datapath_use_key(&a.dp, i < 8 ? 0 : i % 3 ? 1 : 0); /* late ones of the old key */
    size_t len = tcp_packet(p, 1000, 1000 + i * 1000, &h);
    inet_store16(p + 10, 0);
    inet_store16(p + 4, htons((uint16_t)(1 + i)));
    inet_store16(p + 10, (uint16_t)~inet_fold(inet_sum(p, 20)));
    device_put(&a, &h, p, len);
    CHECK(datapath_transmit(&a.dp, &a.tun, &a.b));
    CHECK_INT(a.b.n, 1);
    memcpy(buffer + used, a.b.p[0].data, a.b.p[0].len);
    rx->p[rx->n++] = (Packet){.data = buffer + used, .len = a.b.p[0].len};
    used += a.b.p[0].len;
    batch_reset(&a.b);
    if (i == 10) {
      memcpy(buffer + used,
             "\x20"
             "control",
             8);
      rx->p[rx->n++] = (Packet){.data = buffer + used, .len = 8};
      used += 8;
    }
  }
  CHECK_INT(datapath_receive(&b.dp, &b.tun, rx), 1);
  CHECK(rx->p[11].control);
  CHECK_INT(b.dp.stats.tun_tx_packets, N);
  CHECK_INT(b.dp.stats.tun_tx_calls, 1);
  CHECK_INT(recv(b.device, p, sizeof p, MSG_DONTWAIT), sizeof h + 40 + N * 1000);
  for (unsigned i = 0; i < N * 1000; i++)
    CHECK_INT(p[sizeof h + 40 + i], (uint8_t)(1000 + i));
  /* the old key goes: what still comes with it is counted */
  datapath_use_key(&a.dp, 0);
  datapath_del_key(&b.dp, 0);
  CHECK(datapath_send(&a.dp, &a.b, ovpn_ping_magic, 16));
  CHECK_INT(datapath_receive(&b.dp, &b.tun, &a.b), 0);
  CHECK_INT(b.dp.stats.drops_key, 1);
  end_close(&a);
  end_close(&b);
}

/* A link that stays slow: after a tenth of a second segments are left out, more and more often, and
 * no more once the TUN was empty. */
static void test_standing_queue(void)
{
  static uint8_t p[65536];
  const uint64_t ms = 1000000;
  End a;
  struct virtio_net_hdr h;
  uint64_t dropped[4] = {0};
  end_open(&a, true);
  for (unsigned t = 1; t <= 400; t++) {
    a.dp.now = t * ms;
    if (t < 300)
      a.dp.queue.blocked = a.dp.now;
    size_t len = tcp_packet(p, 3000, 1000, &h);
    h.gso_type = VIRTIO_NET_HDR_GSO_TCPV4;
    h.gso_size = 1000;
    a.b.used = 640 * 1024 - 64; /* one more reaches the budget: the device is not seen empty */
    device_put(&a, &h, p, len);
    CHECK(datapath_transmit(&a.dp, &a.tun, &a.b));
    CHECK_INT(a.b.n, 3 - (a.dp.stats.drops_queue - dropped[3]));
    dropped[(t - 1) / 100] += a.dp.stats.drops_queue - dropped[3];
    dropped[3] = a.dp.stats.drops_queue;
    batch_reset(&a.b);
    if (t == 200) {
      CHECK_INT(dropped[0], 0);
      CHECK(dropped[1] >= 1 && dropped[1] <= 3);
    }
  }
  CHECK(a.dp.stats.drops_queue >= 3);
  uint64_t before = a.dp.stats.drops_queue;
  CHECK(datapath_transmit(&a.dp, &a.tun, &a.b)); /* empty */
  CHECK_INT(a.dp.queue.since, 0);
  CHECK_INT(a.dp.stats.drops_queue, before);
  end_close(&a);
}

/* Through a SOCKS proxy each datagram has a head, which says where it goes or comes from. */
static void test_socks_heads(void)
{
  Link l;
  Batch b;
  OvpnStats st = {0};
  OvpnFailure f = {0};
  OvpnSocksAddress to = {.ip = {192, 0, 2, 7}, .ip_len = 4, .port = 1194};
  int fd[2];
  uint8_t buf[64];
  CHECK(batch_init(&b));
  CHECK(socketpair(AF_UNIX, SOCK_DGRAM, 0, fd) == 0);
  CHECK(link_open(&l, OVPN_PROTO_UDP, false, fd[0]));
  l.head_len = (uint8_t)ovpn_socks_udp_header(&to, l.head);
  CHECK_INT(l.head_len, 10);
  for (unsigned i = 0; i < 2; i++) {
    uint8_t *p = batch_reserve(&b, 1, 16) + PACKET_HEADROOM;
    memcpy(p, i ? "second" : "first!", 6);
    batch_push(&b, p, 6, false);
  }
  CHECK_INT(l.ops->send(&l, &b, &st, &f), LINK_OK);
  CHECK_INT(recv(fd[1], buf, sizeof buf, MSG_DONTWAIT), 16);
  CHECK_MEM(buf,
            "\0\0\0\x01\xc0\0\x02\x07\x04\xaa"
            "first!",
            16);
  CHECK_INT(recv(fd[1], buf, sizeof buf, MSG_DONTWAIT), 16);
  CHECK_MEM(buf + 10, "second", 6);
  put(fd[1], "0000 00 01 c0000207 04aa 6869");                       /* good */
  put(fd[1], "0000 01 01 c0000207 04aa 6869");                       /* a fragment */
  put(fd[1], "0000 00 01 c000");                                     /* cut off */
  put(fd[1], "6869");                                                /* no head */
  put(fd[1], "0000 00 03 03 612e62 04aa 6a");                        /* from a name */
  put(fd[1], "0000 00 04 20010db8000000000000000000000001 04aa 6b"); /* from IPv6 */
  CHECK_INT(l.ops->recv(&l, &b, &st, &f), LINK_OK);
  CHECK_INT(b.n, 2);
  CHECK(b.p[0].len == 2 && memcmp(b.p[0].data, "hi", 2) == 0);
  CHECK(b.p[1].len == 1 && b.p[1].data[0] == 'k');
  CHECK_INT(st.drops_link, 4);
  link_close(&l);
  close(fd[1]);
  batch_clear(&b);
}

int main(void)
{
  test_socks_heads();
  test_frames_in();
  test_many_frames();
  test_partial_send();
  test_receive_without_keys();
  test_parts(0);
  test_parts(200);
  test_two_keys_in_one_buffer();
  test_standing_queue();
  TEST_END();
}
