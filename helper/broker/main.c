/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nm-ovpn-helper: the only part of the plugin that stays root. It opens tunnel devices, sockets and
 * files for nm-ovpn-service, which is not root, and hands over the descriptors. DESIGN §2.
 *
 * Trust: its one peer is the service on the inherited socket, and it takes the service for hostile.
 * Requests have one fixed size, come from a closed list, carry no descriptors; whatever else
 * arrives ends the program. It sees no byte from the network, reads no configuration, writes no
 * file, runs no program, and keeps four capabilities.
 *
 * What that is worth, honestly: who can make this program open files as root can read what root can
 * read, and CAP_SETUID makes this process equal to root. But the service is not the process that
 * talks to the network (that is the engine, which cannot send a byte to here), and nothing here
 * writes a file or configures the system. It is kept short enough to be read at one sitting.
 *
 * End: EOF (the service is gone) or the kernel's parent-death signal. */
#include "helper/broker/broker.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <syslog.h>
#include <unistd.h>

void broker_die(const char *reason)
{
  syslog(LOG_ERR, "refused, giving up: %s", reason);
  _exit(1);
}

bool broker_keep_capabilities(uint64_t mask)
{
  struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {0};
  if (syscall(SYS_capget, &head, sets) < 0)
    return false;
  for (unsigned i = 0; i < _LINUX_CAPABILITY_U32S_3; i++) {
    sets[i].permitted &= (uint32_t)(mask >> 32 * i);
    sets[i].effective = sets[i].permitted;
    sets[i].inheritable = 0;
  }
  return syscall(SYS_capset, &head, sets) == 0;
}

bool broker_send(int sock, const void *data, size_t len, int fd)
{
  union {
    char space[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control = {0};
  struct iovec iov = {(void *)data, len};
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
  if (fd >= 0) {
    msg.msg_control = control.space;
    msg.msg_controllen = sizeof control.space;
    struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
    cmsg->cmsg_level = SOL_SOCKET;
    cmsg->cmsg_type = SCM_RIGHTS;
    cmsg->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(cmsg), &fd, sizeof fd);
  }
  ssize_t n;
  do
    n = sendmsg(sock, &msg, MSG_NOSIGNAL);
  while (n < 0 && errno == EINTR);
  return n == (ssize_t)len;
}

/* Gives up everything that the three operations do not need. Order matters only for pdeathsig
 * (first, to leave no gap) and the capabilities (last). */
static void harden(void)
{
  struct rlimit none = {0, 0};
  sigset_t nothing;
  sigemptyset(&nothing);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  sigprocmask(SIG_SETMASK, &nothing, NULL);
  signal(SIGPIPE, SIG_IGN);
  signal(SIGCHLD, SIG_IGN); /* children of OPEN_FILE are reaped by the kernel */
  signal(SIGALRM, SIG_DFL);
  clearenv(); /* the name service reads the environment */
  umask(077);
  if (chdir("/") < 0 || setrlimit(RLIMIT_CORE, &none) < 0 || prctl(PR_SET_DUMPABLE, 0) < 0 ||
      prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0 || close_range(OVPN_IPC_FD + 1, ~0u, 0) < 0)
    broker_die("cannot confine itself");
  uint64_t keep =
      1ull << CAP_NET_ADMIN | 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_SETUID | 1ull << CAP_SETGID;
  if (!broker_keep_capabilities(keep))
    broker_die("cannot drop capabilities");
}

/* false = end of file. Descriptors that a hostile service attaches are discarded by the kernel, as
 * there is no room for them, and are reported as MSG_CTRUNC. */
static bool receive(OvpnBrokerRequest *q)
{
  struct iovec iov = {q, sizeof *q};
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
  ssize_t n;
  do
    n = recvmsg(OVPN_IPC_FD, &msg, MSG_CMSG_CLOEXEC);
  while (n < 0 && errno == EINTR);
  if (n == 0 || (n < 0 && errno == ECONNRESET))
    return false;
  if (n != (ssize_t)sizeof *q || msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC))
    broker_die("a message of another size, or with descriptors");
  if (q->version != OVPN_BROKER_VERSION)
    broker_die("a message of another version");
  return true;
}

static int dispatch(const OvpnBrokerRequest *q, OvpnBrokerReply *reply, int *ret_error)
{
  switch ((OvpnBrokerOp)q->op) {
  case OVPN_BROKER_OPEN_TUN:
    return broker_open_tun(q, reply, ret_error);
  case OVPN_BROKER_OPEN_LINK:
    return broker_open_link(q, ret_error);
  case OVPN_BROKER_OPEN_FILE:
    return broker_open_file(q, reply, ret_error);
  }
  broker_die("an unknown operation");
}

int main(void)
{
  static OvpnBrokerRequest q;
  int type = 0;
  socklen_t len = sizeof type;
  openlog("nm-ovpn-helper", LOG_PERROR | LOG_PID, LOG_DAEMON);
  if (getsockopt(OVPN_IPC_FD, SOL_SOCKET, SO_TYPE, &type, &len) < 0 || type != SOCK_SEQPACKET)
    broker_die("this program is started by nm-ovpn-service only");
  if (fcntl(OVPN_IPC_FD, F_SETFD, FD_CLOEXEC) < 0)
    broker_die("cannot use its socket");
  harden();
  while (receive(&q)) {
    OvpnBrokerReply reply = {
        .version = OVPN_BROKER_VERSION, .op = q.op, .serial = q.serial, .error = EIO};
    int error = EIO, fd = dispatch(&q, &reply, &error);
    reply.error = fd >= 0 ? 0 : error;
    bool sent = broker_send(OVPN_IPC_FD, &reply, sizeof reply, fd);
    if (fd >= 0)
      close(fd);
    if (!sent)
      break;
  }
  return 0;
}
