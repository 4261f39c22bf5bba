/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The second thread: one packet at a time, in order, while the first goes on. */
#include "helper/engine/worker.h"
#include "tests/unit/check.h"
#include <poll.h>
#include <unistd.h>

typedef struct Gate {
  int fd[2]; /* a byte in it lets one packet pass */
  uint8_t seen[64];
  size_t n;
} Gate;

static OvpnStatus run(void *user, const uint8_t *pkt, size_t len)
{
  Gate *g = user;
  char c;
  CHECK(read(g->fd[0], &c, 1) == 1);
  CHECK(len == 3 && pkt[2] == pkt[0]);
  g->seen[g->n++] = pkt[0];
  return pkt[0] % 2 ? OVPN_OK : OVPN_DROP_AUTH;
}

static bool put(Worker *w, uint8_t i)
{
  const uint8_t pkt[3] = {i, 0, i};
  return worker_put(w, pkt, sizeof pkt);
}

static bool readable(const Worker *w, int ms)
{
  struct pollfd p = {.fd = w->done, .events = POLLIN};
  return poll(&p, 1, ms) == 1;
}

static void test_one_at_a_time(Worker *w, Gate *g)
{
  OvpnStatus st;
  const WorkerPacket *p;
  CHECK(!worker_next(w) && !worker_collect(w, &st, &p) && !worker_wait(w, &st, &p));
  CHECK(put(w, 1) && put(w, 2) && put(w, 3));
  for (uint8_t i = 1; i <= 3; i++) {
    CHECK(worker_next(w) && w->busy);
    CHECK(!worker_next(w)); /* the thread has one */
    CHECK(!worker_collect(w, &st, &p) && !readable(w, 0));
    CHECK(g->n == (size_t)i - 1);
    CHECK(write(g->fd[1], "x", 1) == 1);
    CHECK(readable(w, 10000) && worker_collect(w, &st, &p));
    CHECK(st == (i % 2 ? OVPN_OK : OVPN_DROP_AUTH) && p->len == 3 && p->data[0] == i);
    CHECK(g->n == i && g->seen[i - 1] == i && !w->busy && !readable(w, 0));
  }
  CHECK(!worker_next(w));
}

static void test_waits(Worker *w, Gate *g)
{
  OvpnStatus st;
  const WorkerPacket *p;
  CHECK(put(w, 5) && worker_next(w) && write(g->fd[1], "x", 1) == 1);
  CHECK(worker_wait(w, &st, &p) && st == OVPN_OK && p->data[0] == 5 && !w->busy);
  CHECK(!readable(w, 0));
}

static void test_queue_is_bounded(Worker *w)
{
  static const uint8_t large[OVPN_PACKET_MAX + 1];
  CHECK(!worker_put(w, large, sizeof large));
  for (uint8_t i = 0; i < WORKER_QUEUE; i++)
    CHECK(put(w, i));
  CHECK(!put(w, 99));
  for (uint8_t i = 0; i < 5; i++)
    CHECK(worker_pop(w)->data[0] == i);
  CHECK(put(w, 99));
  worker_forget(w);
  CHECK(!worker_pop(w) && !worker_next(w));
}

int main(void)
{
  static Worker w;
  static Gate g;
  CHECK(pipe(g.fd) == 0);
  CHECK(worker_start(&w, run, &g));
  test_one_at_a_time(&w, &g);
  test_waits(&w, &g);
  test_queue_is_bounded(&w);
  TEST_END();
}
