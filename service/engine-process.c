/* SPDX-License-Identifier: GPL-2.0-or-later */
/* fork and exec of nm-ovpn-engine, with its socket as the only descriptor.
 *
 * An engine needs some milliseconds to load its libraries and to lock itself in. So main() starts
 * one as soon as root's privileges are gone, and it gets ready while this process speaks with the
 * bus; later ones (another pass phrase, another connection) are started when they are needed. An
 * engine that nobody takes ends with this process: its socket closes. ARCHITECTURE.md §1. */
#include "service/engine-process.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include "helper/core/ipc.h"

typedef struct Process {
  pid_t pid;  /* 0: none */
  int socket; /* ours */
  int report; /* the child's errno, or end of file once exec was done */
} Process;

static Process prepared;

/* In the child, between fork and exec: only calls that are safe there. */
_Noreturn static void become_engine(int sock, int report)
{
  static char *const argv[] = {(char *)"nm-ovpn-engine", NULL}, *const envp[] = {(char *)"LC_ALL=C",
                                                                                 NULL};
  struct sigaction dfl = {.sa_handler = SIG_DFL};
  sigset_t none;
  int null = open("/dev/null", O_RDWR);
  int s = fcntl(sock, F_DUPFD, 10), p = fcntl(report, F_DUPFD, 10);
  if (null < 0 || s < 0 || p < 0 || dup2(null, 0) < 0 || dup2(null, 1) < 0 ||
      dup2(s, OVPN_IPC_FD) < 0 || dup2(p, 4) < 0 || fcntl(4, F_SETFD, FD_CLOEXEC) < 0)
    goto out;
  if (fcntl(2, F_GETFD) < 0)
    dup2(0, 2);
  syscall(SYS_close_range, 5u, ~0u, 0u);
  p = 4;
  for (int i = 1; i < NSIG; i++)
    sigaction(i, &dfl, NULL);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  execve(NMOVPN_ENGINE_PATH, argv, envp);
out:;
  int err = errno;
  ssize_t n = write(p, &err, sizeof err);
  _exit(n > 0 ? 127 : 126);
}

static int start(Process *ret)
{
  int pair[2], report[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
    return errno;
  if (pipe2(report, O_CLOEXEC) < 0) {
    int err = errno;
    close(pair[0]);
    close(pair[1]);
    return err;
  }
  pid_t pid = fork();
  if (pid == 0)
    become_engine(pair[1], report[1]);
  int err = pid < 0 ? errno : 0;
  close(pair[1]);
  close(report[1]);
  if (err != 0) {
    close(pair[0]);
    close(report[0]);
    return err;
  }
  *ret = (Process){pid, pair[0], report[0]};
  return 0;
}

/* Waits for exec: 0 or the child's errno. On failure nothing is left of the process. */
static int finish(Process *p)
{
  int err = 0;
  ssize_t n;
  do
    n = read(p->report, &err, sizeof err);
  while (n < 0 && errno == EINTR);
  close(p->report);
  p->report = -1;
  if (n != (ssize_t)sizeof err)
    return 0;
  waitpid(p->pid, NULL, 0);
  close(p->socket);
  return err;
}

void nmovpn_engine_process_prepare(void)
{
  if (prepared.pid == 0 && start(&prepared) != 0)
    prepared = (Process){0};
}

static bool take_prepared(Process *ret)
{
  *ret = prepared;
  prepared = (Process){0};
  if (ret->pid == 0 || finish(ret) != 0)
    return false;
  if (waitpid(ret->pid, NULL, WNOHANG) == 0)
    return true;
  close(ret->socket); /* it has ended meanwhile */
  return false;
}

int nmovpn_engine_process_take(int *ret_socket, pid_t *ret_pid)
{
  Process p;
  if (!take_prepared(&p)) {
    int err = start(&p);
    if (err == 0)
      err = finish(&p);
    if (err != 0)
      return err;
  }
  *ret_socket = p.socket;
  *ret_pid = p.pid;
  return 0;
}
