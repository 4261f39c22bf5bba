/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A second thread that takes control packets while payload flows on the first. */
#pragma once
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "helper/core/packet.h"
#include "helper/core/status.h"

enum { WORKER_QUEUE = 16 };

typedef struct WorkerPacket {
  size_t len;
  uint8_t data[OVPN_PACKET_MAX];
} WorkerPacket;

/* What the thread does with a packet; its own data are the caller's care. */
typedef OvpnStatus (*WorkerRun)(void *user, const uint8_t *pkt, size_t len);

typedef struct Worker {
  pthread_t thread;
  WorkerRun run;
  void *user;
  int done;  /* eventfd: readable when a packet is finished */
  bool busy; /* between worker_next and worker_collect; of the first thread only */
  WorkerPacket queue[WORKER_QUEUE];
  unsigned first, n; /* of the queue */
  /* shared */
  pthread_mutex_t lock;
  pthread_cond_t wake;
  enum { WORKER_STARTING, WORKER_IDLE, WORKER_ASKED, WORKER_FINISHED } state;
  WorkerPacket pkt; /* the thread's while ASKED */
  OvpnStatus result;
} Worker;

/* Returns once the thread waits for work: no system call but futex and write is needed from then
 * on. It lives as long as the process. */
bool worker_start(Worker *w, WorkerRun run, void *user);
/* false: too long, or the queue is full; whoever sent it sends it again. */
bool worker_put(Worker *w, const uint8_t *pkt, size_t len);
/* The oldest packet, for the caller to take itself; NULL = none. Valid until the next put. */
const WorkerPacket *worker_pop(Worker *w);
/* The oldest packet goes to the thread. Only while not busy; false: there is none. */
bool worker_next(Worker *w);
/* The packet that is finished: true, status, and the packet, valid until worker_next. */
bool worker_collect(Worker *w, OvpnStatus *ret, const WorkerPacket **pkt);
/* The same, after waiting for it; false: it was not busy. */
bool worker_wait(Worker *w, OvpnStatus *ret, const WorkerPacket **pkt);
/* Packets that wait are of no interest any more. */
void worker_forget(Worker *w);
