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
#include <stdbool.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "helper/core/ipc.h"
#include "service/child.h"

typedef struct Process {
  pid_t pid;  /* 0: none */
  int socket; /* ours */
  int report; /* the child's errno, or end of file once exec was done */
} Process;

static Process prepared;

_Noreturn static void become_engine(int sock, int report)
{
  static char *const argv[] = {(char *)"nm-ovpn-engine", NULL};
  static char *const envp[] = {(char *)"LC_ALL=C", NULL};
  nmovpn_child_become(&(NmOvpnChild){.path = NMOVPN_ENGINE_PATH,
                                     .argv = argv,
                                     .envp = envp,
                                     .socket = sock,
                                     .at = OVPN_IPC_FD,
                                     .report = report});
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
