/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A computer that was asleep: loaded in front of nm-ovpn-engine by tests (LD_PRELOAD), it makes
 * CLOCK_BOOTTIME run ahead of CLOCK_MONOTONIC by as many nanoseconds as the first eight bytes of
 * the file in the environment variable CLOCK_JUMP say at the moment, for timers too.
 *
 * Never installed: the program knows nothing of it. */
#include <dlfcn.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/mman.h>
#include <sys/timerfd.h>
#include <time.h>

enum { SLICE_MS = 20 };
static const uint64_t second = 1000000000u;
static const volatile uint64_t *jump;
static int (*real_clock)(clockid_t, struct timespec *);
static int (*real_wait)(int, struct epoll_event *, int, int);
static int (*real_set)(int, int, const struct itimerspec *, struct itimerspec *);

/* The timer as the program wants it, and with which jump the kernel was told. */
static struct itimerspec wanted;
static int timer = -1;
static uint64_t told;

__attribute__((constructor)) static void begin(void)
{
  const char *path = getenv("CLOCK_JUMP");
  *(void **)&real_clock = dlsym(RTLD_NEXT, "clock_gettime");
  *(void **)&real_wait = dlsym(RTLD_NEXT, "epoll_wait");
  *(void **)&real_set = dlsym(RTLD_NEXT, "timerfd_settime");
  int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
  void *p = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *jump, PROT_READ, MAP_SHARED, fd, 0);
  if (p == MAP_FAILED)
    abort();
  jump = p;
}

int clock_gettime(clockid_t id, struct timespec *t)
{
  int r = real_clock(id, t);
  if (r == 0 && id == CLOCK_BOOTTIME) {
    uint64_t ns = (uint64_t)t->tv_nsec + *jump % second;
    t->tv_sec += (time_t)(*jump / second + ns / second);
    t->tv_nsec = (long)(ns % second);
  }
  return r;
}

static int tell_kernel(void)
{
  struct itimerspec t = wanted;
  uint64_t at = (uint64_t)t.it_value.tv_sec * second + (uint64_t)t.it_value.tv_nsec;
  told = *jump;
  if (at > 0) {
    at = at > told ? at - told : 1;
    t.it_value.tv_sec = (time_t)(at / second);
    t.it_value.tv_nsec = (long)(at % second);
  }
  return real_set(timer, TFD_TIMER_ABSTIME, &t, NULL);
}

int timerfd_settime(int fd, int flags, const struct itimerspec *new_value, struct itimerspec *old)
{
  if (!(flags & TFD_TIMER_ABSTIME))
    return real_set(fd, flags, new_value, old);
  timer = fd;
  wanted = *new_value;
  return tell_kernel();
}

int epoll_wait(int fd, struct epoll_event *events, int max, int timeout)
{
  for (int left = timeout;; left -= SLICE_MS) {
    int slice = timeout >= 0 && left < SLICE_MS ? (left > 0 ? left : 0) : SLICE_MS;
    if (timer >= 0 && told != *jump)
      tell_kernel();
    int n = real_wait(fd, events, max, slice);
    if (n != 0 || (timeout >= 0 && left <= SLICE_MS))
      return n;
  }
}
