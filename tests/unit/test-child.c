/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a program that the service starts inherits: its socket, standard error, and nothing else. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "service/child.h"
#include "tests/unit/check.h"

static void run(const char *path, const char *script, char *out, size_t cap, int *ret_errno)
{
  int pair[2], report[2];
  CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) == 0);
  CHECK(pipe2(report, O_CLOEXEC) == 0);
  pid_t pid = fork();
  if (pid == 0) {
    char *const argv[] = {(char *)"sh", (char *)"-c", (char *)(uintptr_t)script, NULL};
    char *const envp[] = {(char *)"PATH=/usr/bin:/bin", NULL};
    for (int i = 0; i < 40; i++)
      (void)!open("/dev/null", O_RDWR); /* not CLOEXEC, as somebody else's library might do */
    signal(SIGPIPE, SIG_IGN);
    nmovpn_child_become(&(NmOvpnChild){path, argv, envp, pair[1], 3, report[1]});
  }
  close(pair[1]);
  close(report[1]);
  ssize_t n, len = 0;
  while ((n = read(pair[0], out + len, cap - 1 - (size_t)len)) > 0)
    len += n;
  out[len] = 0;
  *ret_errno = 0;
  if (read(report[0], ret_errno, sizeof *ret_errno) != (ssize_t)sizeof *ret_errno)
    *ret_errno = 0;
  close(pair[0]);
  close(report[0]);
  waitpid(pid, NULL, 0);
}

int main(void)
{
  char out[512];
  int err = 0;
  run("/bin/sh",
      "for f in 0 1 2 3 4 5 6 7 8 9 11 12 20 40; do [ -e /proc/self/fd/$f ] && printf '%s ' $f; "
      "done >&3",
      out, sizeof out, &err);
  CHECK_INT(err, 0);
  CHECK_STR(out, "0 1 2 3 ");
  run("/bin/sh", "grep SigIgn /proc/self/status >&3", out, sizeof out, &err);
  CHECK_STR(out, "SigIgn:\t0000000000000000\n");
  run("/nonexistent/program", "", out, sizeof out, &err);
  CHECK_INT(err, ENOENT);
  TEST_END();
}
