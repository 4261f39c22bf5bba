/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A renegotiation signs with the private key: milliseconds for RSA, a second on a token. Payload
 * must not wait for it, so while the tunnel is up control packets are taken on this thread, one at
 * a time. DESIGN §5.
 *
 * Invariants: between worker_next and worker_collect everything that `run` touches is the thread's,
 * after that the caller's; the lock is held for a few instructions only; the thread makes no
 * decision, it calls `run` and says so. */
#include "helper/engine/worker.h"
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { STACK = 512 * 1024 }; /* big numbers of 16384 bits fit in */

static void say(Worker *w, int state)
{
  w->state = state;
  pthread_cond_broadcast(&w->wake);
}

static void *work(void *user)
{
  Worker *w = user;
  pthread_mutex_lock(&w->lock);
  say(w, WORKER_IDLE);
  for (;;) {
    while (w->state != WORKER_ASKED)
      pthread_cond_wait(&w->wake, &w->lock);
    pthread_mutex_unlock(&w->lock);
    OvpnStatus st = w->run(w->user, w->pkt.data, w->pkt.len);
    pthread_mutex_lock(&w->lock);
    w->result = st;
    say(w, WORKER_FINISHED);
    eventfd_write(w->done, 1); /* cannot block: at most one is not read yet */
  }
  return NULL;
}

static bool create(Worker *w)
{
  sigset_t all, old;
  pthread_attr_t attr;
  if (pthread_attr_init(&attr) != 0)
    return false;
  pthread_attr_setstacksize(&attr, STACK);
  sigfillset(&all); /* signals are for the first thread */
  pthread_sigmask(SIG_SETMASK, &all, &old);
  int r = pthread_create(&w->thread, &attr, work, w);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
  pthread_attr_destroy(&attr);
  return r == 0;
}

bool worker_start(Worker *w, WorkerRun run, void *user)
{
  *w = (Worker){.run = run, .user = user, .state = WORKER_STARTING};
  w->done = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  if (w->done < 0 || pthread_mutex_init(&w->lock, NULL) != 0 ||
      pthread_cond_init(&w->wake, NULL) != 0 || !create(w))
    return false;
  pthread_mutex_lock(&w->lock);
  while (w->state == WORKER_STARTING)
    pthread_cond_wait(&w->wake, &w->lock);
  pthread_mutex_unlock(&w->lock);
  return true;
}

bool worker_put(Worker *w, const uint8_t *pkt, size_t len)
{
  if (w->n == WORKER_QUEUE || len > OVPN_PACKET_MAX)
    return false;
  WorkerPacket *p = &w->queue[(w->first + w->n++) % WORKER_QUEUE];
  memcpy(p->data, pkt, len);
  p->len = len;
  return true;
}

const WorkerPacket *worker_pop(Worker *w)
{
  if (w->n == 0)
    return NULL;
  const WorkerPacket *p = &w->queue[w->first];
  w->first = (w->first + 1) % WORKER_QUEUE;
  w->n--;
  return p;
}

bool worker_next(Worker *w)
{
  const WorkerPacket *p = w->busy ? NULL : worker_pop(w);
  if (!p)
    return false;
  memcpy(w->pkt.data, p->data, p->len);
  w->pkt.len = p->len;
  w->busy = true;
  pthread_mutex_lock(&w->lock);
  say(w, WORKER_ASKED);
  pthread_mutex_unlock(&w->lock);
  return true;
}

static bool finish(Worker *w, bool patient, OvpnStatus *ret, const WorkerPacket **pkt)
{
  eventfd_t unused;
  if (!w->busy)
    return false;
  pthread_mutex_lock(&w->lock);
  while (patient && w->state == WORKER_ASKED)
    pthread_cond_wait(&w->wake, &w->lock);
  bool finished = w->state == WORKER_FINISHED;
  if (finished)
    w->state = WORKER_IDLE;
  pthread_mutex_unlock(&w->lock);
  if (!finished)
    return false;
  eventfd_read(w->done, &unused);
  w->busy = false;
  *ret = w->result;
  *pkt = &w->pkt;
  return true;
}

bool worker_collect(Worker *w, OvpnStatus *ret, const WorkerPacket **pkt)
{
  return finish(w, false, ret, pkt);
}

bool worker_wait(Worker *w, OvpnStatus *ret, const WorkerPacket **pkt)
{
  return finish(w, true, ret, pkt);
}

void worker_forget(Worker *w)
{
  w->first = w->n = 0;
}
