/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a copy of the service to another program. Contract in the header.
 *
 * Invariant: a descriptor of the service that the program was not given is never open in it; when
 * that cannot be had the program is not started. DESIGN.md §2. */
#include "service/child.h"
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { PARKED = 10 };

/* Everything from `first` on. Kernels before 5.9 do not know close_range, and some sandboxes do not
 * let it pass. */
static bool close_from(int first)
{
  struct rlimit limit;
  if (syscall(SYS_close_range, (unsigned)first, ~0u, 0u) == 0)
    return true;
  if ((errno != ENOSYS && errno != EPERM) || getrlimit(RLIMIT_NOFILE, &limit) < 0)
    return false;
  enum { UNLIMITED = 1 << 20 };
  int end = limit.rlim_max < UNLIMITED ? (int)limit.rlim_max : UNLIMITED;
  for (int fd = first; fd < end; fd++)
    close(fd);
  return true;
}

/* 0 to 2, the socket and the report have their places. *report: where it is now. */
static bool arrange(const NmOvpnChild *c, int *report)
{
  int null = open("/dev/null", O_RDWR), s = fcntl(c->socket, F_DUPFD, PARKED);
  int r = c->report < 0 ? -1 : fcntl(c->report, F_DUPFD, PARKED), last = c->at;
  if (null < 0 || s < 0 || (c->report >= 0 && r < 0))
    return false;
  if (dup2(null, 0) < 0 || dup2(null, 1) < 0 || dup2(s, c->at) < 0)
    return false;
  if (r >= 0) {
    last = c->at + 1;
    if (dup2(r, last) < 0 || fcntl(last, F_SETFD, FD_CLOEXEC) < 0)
      return false;
    *report = last;
  }
  if (fcntl(2, F_GETFD) < 0 && dup2(0, 2) < 0)
    return false;
  for (int fd = 3; fd < c->at; fd++)
    close(fd);
  return close_from(last + 1);
}

void nmovpn_child_become(const NmOvpnChild *c)
{
  struct sigaction dfl = {.sa_handler = SIG_DFL};
  sigset_t none;
  int report = c->report;
  if (arrange(c, &report)) {
    for (int i = 1; i < NSIG; i++)
      sigaction(i, &dfl, NULL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    execve(c->path, c->argv, c->envp);
  }
  int err = errno;
  if (report >= 0 && write(report, &err, sizeof err) < 0)
    _exit(126);
  _exit(127);
}
