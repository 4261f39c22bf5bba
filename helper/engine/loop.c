/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The event loop: data first, control after each batch, timers last. DESIGN §5.
 *
 * Invariants: a turn has one time, that of its beginning, and no packet asks for another (the clock
 * is read once more before the loop waits, because a turn may take long); a turn moves at most one
 * batch in and one out, so that neither direction waits long for the other (several large ones each
 * way gained nothing, and at saturation cost a fifth of the round trip); the TUN is read only while
 * the tunnel is up and tx is empty (back-pressure); while the worker has the session only payload
 * moves, and everything else waits in the sockets; descriptors leave the epoll set before they are
 * closed, for the service may hold copies of them. */
#include "helper/engine/engine.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/random.h>
#include <sys/timerfd.h>
#include <time.h>

/* Shorter waits are left to epoll, whose clock stands still while the computer sleeps. */
static const uint64_t ALARM_FROM = 500000000u;
static const uint64_t WOKEN = 1000000000u, STOPPED = 3000000000u;
enum { RX_ROUNDS = 4, RX_PACKETS = 256, IPC_ROUNDS = 16 };
enum {
  TAG_IPC,
  TAG_LINK,
  TAG_TUN,
  TAG_VIA,
  TAG_ALARM,
  TAG_WORKER,
  TAG_RIVAL,
  TAG_RIVAL_VIA = TAG_RIVAL + RACE_RIVALS,
  TAGS = TAG_RIVAL_VIA + RACE_RIVALS
};

static uint64_t read_clock(clockid_t id)
{
  struct timespec t;
  clock_gettime(id, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* How long the computer has slept since it was started. */
static uint64_t time_slept(uint64_t now)
{
  uint64_t mono = read_clock(CLOCK_MONOTONIC);
  return now > mono ? now - mono : 0;
}

/* CBC asks for 16 bytes per packet: the system is asked for many at once. What was given out is
 * wiped. */
void engine_random(void *user, uint8_t *buf, size_t len)
{
  static _Thread_local uint8_t store[1024];
  static _Thread_local size_t left;
  while (len > 0) {
    if (left == 0) {
      ssize_t n = getrandom(store, sizeof store, 0);
      if (n < 0 && errno != EINTR)
        abort(); /* without entropy there is no security to offer */
      left = n > 0 ? (size_t)n : 0;
      continue;
    }
    size_t take = len < left ? len : left;
    memcpy(buf, store + left - take, take);
    ovpn_wipe(store + left - take, take);
    left -= take;
    buf += take;
    len -= take;
  }
}

static bool watch(Engine *e, Watch *w, int fd, uint32_t events, uint32_t tag)
{
  struct epoll_event ev = {.events = events, .data.u32 = tag};
  if (fd == w->fd && events == w->events)
    return true;
  int op = w->fd < 0 ? EPOLL_CTL_ADD : events ? EPOLL_CTL_MOD : EPOLL_CTL_DEL;
  if (op == EPOLL_CTL_ADD && (fd < 0 || !events))
    return true;
  if (epoll_ctl(e->epoll, op, op == EPOLL_CTL_DEL ? w->fd : fd, &ev) < 0) {
    *w = (Watch){.fd = -1};
    return false;
  }
  *w = op == EPOLL_CTL_DEL ? (Watch){.fd = -1} : (Watch){fd, events};
  return true;
}

void loop_forget_link(Engine *e)
{
  watch(e, &e->link_watch, e->link_watch.fd, 0, TAG_LINK);
}

void loop_forget_via(Engine *e, Via *v)
{
  watch(e, &v->watch, v->watch.fd, 0, TAG_VIA);
}

void loop_forget_rival(Engine *e, unsigned i)
{
  Watch *w = &e->race.rivals[i].watch;
  watch(e, w, w->fd, 0, TAG_RIVAL + i);
}

void loop_forget_tun(Engine *e)
{
  watch(e, &e->tun_watch, e->tun_watch.fd, 0, TAG_TUN);
}

bool loop_init(Engine *e)
{
  e->epoll = epoll_create1(EPOLL_CLOEXEC);
  e->ipc_watch = e->link_watch = e->tun_watch = e->worker_watch = (Watch){.fd = -1};
  e->alarm = timerfd_create(CLOCK_BOOTTIME, TFD_CLOEXEC | TFD_NONBLOCK);
  struct epoll_event ev = {.events = EPOLLIN, .data.u32 = TAG_ALARM};
  e->sleep_until = UINT64_MAX;
  e->looked = read_clock(CLOCK_BOOTTIME);
  e->slept = time_slept(e->looked);
  via_init(&e->via);
  race_init(e);
  return e->epoll >= 0 && e->alarm >= 0 && epoll_ctl(e->epoll, EPOLL_CTL_ADD, e->alarm, &ev) == 0 &&
         watch(e, &e->ipc_watch, e->ipc, EPOLLIN, TAG_IPC) && batch_init(&e->rx) &&
         batch_init(&e->tx) && datapath_init(&e->dp);
}

static bool wants_tun(const Engine *e)
{
  return e->session && e->phase == ENGINE_SESSION && e->dp.up && e->tun.fd >= 0 &&
         batch_empty(&e->tx) && !datapath_waits(&e->dp, e->now);
}

static void update_watches(Engine *e)
{
  OvpnFailure f = {0};
  uint32_t link =
      e->session && e->link.fd >= 0 ? EPOLLIN | (batch_empty(&e->tx) ? 0 : EPOLLOUT) : 0;
  bool mine = !e->worker.busy;
  bool ok = watch(e, &e->link_watch, e->link.fd, link, TAG_LINK);
  ok = ok && watch(e, &e->tun_watch, e->tun.fd, wants_tun(e) ? EPOLLIN : 0, TAG_TUN);
  ok = ok && watch(e, &e->ipc_watch, e->ipc, mine ? EPOLLIN : 0, TAG_IPC);
  ok = ok && watch(e, &e->worker_watch, e->worker.done, EPOLLIN, TAG_WORKER);
  ok = ok && watch(e, &e->via.watch, e->via.fd, mine ? via_events(&e->via) : 0, TAG_VIA);
  for (unsigned i = 0; i < RACE_RIVALS; i++) {
    Rival *r = &e->race.rivals[i];
    ok = ok &&
         watch(e, &r->watch, r->link.fd, race_waits(e, i) && mine ? EPOLLIN : 0, TAG_RIVAL + i);
    ok =
        ok && watch(e, &r->via.watch, r->via.fd, mine ? via_events(&r->via) : 0, TAG_RIVAL_VIA + i);
  }
  if (ok || (!e->session && !e->via.machine))
    return;
  ovpn_failure_set(&f, OVPN_FAIL_INTERNAL, "epoll: %s", strerror(errno));
  drive_fail(e, &f);
}

static void link_batch(Engine *e)
{
  OvpnFailure f = {0};
  e->rx_more = false;
  LinkResult r = e->link.ops->recv(&e->link, &e->rx, &e->dp.stats, &f);
  if (r == LINK_LOST) {
    drive_catch_up(e);
    drive_settle(e); /* its last packets may hold the true reason */
    if (e->session)
      drive_fail(e, &f);
    return;
  }
  if (e->link.refused && !e->worker.busy)
    ovpn_session_note_refused(e->session, e->now);
  if (r == LINK_AGAIN)
    return;
  e->dp.now = e->now;
  drive_packets(e, datapath_receive(&e->dp, &e->tun, &e->rx));
  if (e->session && e->link.n_strays)
    caller_strays(e);
  e->rx_more = e->session && !e->link.drained;
}

/* Single datagrams make small batches: several of them are one turn. */
static void link_in(Engine *e)
{
  unsigned packets = 0;
  for (int i = 0; i < RX_ROUNDS && packets < RX_PACKETS && (i == 0 || e->rx_more); i++) {
    link_batch(e);
    packets += e->rx.n;
  }
}

static void tun_in(Engine *e)
{
  if (!wants_tun(e))
    return;
  batch_reset(&e->tx);
  e->dp.now = e->now;
  if (!datapath_transmit(&e->dp, &e->tun, &e->tx)) {
    OvpnFailure f = {0};
    ovpn_failure_set(&f, OVPN_FAIL_INTERNAL, "the tunnel device is gone");
    loop_forget_tun(e);
    tun_close(&e->tun);
    drive_fail(e, &f);
    return;
  }
  drive_flush(e);
  if (!batch_empty(&e->tx))
    e->dp.queue.blocked = e->now;
}

static void set_alarm(Engine *e, uint64_t at)
{
  struct itimerspec t = {
      .it_value = {.tv_sec = (time_t)(at / 1000000000u), .tv_nsec = (long)(at % 1000000000u)}};
  e->alarm_at = timerfd_settime(e->alarm, TFD_TIMER_ABSTIME, &t, NULL) == 0 ? at : 0;
}

/* An alarm that is too early is left as it is: deadlines move with every packet. Returns how long
 * epoll may wait, -1 = until something happens. */
static int wait_ms(Engine *e, uint64_t d, uint64_t now)
{
  uint64_t left = d > now ? d - now : 0;
  if (left < ALARM_FROM || d == UINT64_MAX)
    return d == UINT64_MAX ? -1 : (int)((left + 999999) / 1000000);
  if (e->alarm_at <= now || e->alarm_at > d)
    set_alarm(e, d);
  return e->alarm_at ? -1 : left > 3600000000000u ? 3600000 : (int)(left / 1000000 + 1);
}

static int timeout_ms(Engine *e)
{
  uint64_t d = e->worker.busy ? UINT64_MAX : drive_deadline(e);
  if (e->rx_more || (e->dp.pending && wants_tun(e)))
    return 0;
  e->sleep_until = d;
  return wait_ms(e, d, read_clock(CLOCK_BOOTTIME));
}

/* Has the computer slept, or was this process stopped, since this was asked last? */
static bool was_away(Engine *e)
{
  bool soon = e->now < e->looked + WOKEN; /* then it cannot have slept for so long */
  e->looked = e->now;
  if (soon)
    return false;
  uint64_t slept = time_slept(e->now);
  bool woken = slept > e->slept + WOKEN;
  bool late = e->sleep_until != UINT64_MAX && e->now > e->sleep_until + STOPPED;
  e->slept = slept;
  return woken || late;
}

static void turn(Engine *e, const struct epoll_event *ev, int n)
{
  uint32_t on[TAGS] = {0};
  for (int i = 0; i < n; i++)
    on[ev[i].data.u32] = ev[i].events;
  if (on[TAG_WORKER])
    drive_worked(e);
  if (on[TAG_LINK] & EPOLLERR)
    e->link.errors = e->link.open;
  if (on[TAG_LINK] & EPOLLOUT)
    drive_flush(e);
  if ((on[TAG_LINK] & ~(uint32_t)EPOLLOUT || e->rx_more) && e->session)
    link_in(e);
  if (on[TAG_TUN] || e->dp.pending)
    tun_in(e);
  if (e->worker.busy)
    return;
  if (on[TAG_VIA] && e->via.fd >= 0)
    via_ready(e, &e->via);
  for (unsigned i = 0; i < RACE_RIVALS; i++) {
    if (on[TAG_RIVAL_VIA + i] && e->race.rivals[i].via.fd >= 0)
      via_ready(e, &e->race.rivals[i].via);
    if (on[TAG_RIVAL + i] && race_waits(e, i))
      race_ready(e, i);
  }
  for (int i = 0; on[TAG_IPC] && i < IPC_ROUNDS && !e->exit && control_receive(e); i++)
    drive_settle(e);
  drive_settle(e);
  drive_work(e);
}

void loop_run(Engine *e)
{
  while (!e->exit) {
    struct epoll_event ev[TAGS];
    update_watches(e);
    int n = epoll_wait(e->epoll, ev, TAGS, timeout_ms(e));
    if (n < 0 && errno != EINTR)
      return;
    e->now = read_clock(CLOCK_BOOTTIME);
    if (e->alarm_at && e->now >= e->alarm_at) /* it rings until it is set anew */
      set_alarm(e, 0);
    if (!e->worker.busy && was_away(e))
      revive_woken(e);
    e->dp.stats.wakeups++;
    turn(e, ev, n < 0 ? 0 : n);
  }
}
