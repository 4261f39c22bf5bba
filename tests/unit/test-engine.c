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
  CHECK_INT(dp.stats.drops_other, 3);
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

int main(void)
{
  test_frames_in();
  test_many_frames();
  test_partial_send();
  test_receive_without_keys();
  TEST_END();
}
