/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nm-ovpn-helper: OPEN_FILE, the files that a profile names (certificates, keys, password files).
 *
 * A profile of one user (connection.permissions=user:NAME) must not be a way to read what NAME
 * cannot read. So the file is opened by a child that has become NAME: the kernel decides, there is
 * no check before the use. The child looks at the file through an O_PATH descriptor before it opens
 * it for reading, because opening alone can do things: a device may start, a FIFO may wait. It
 * lives for at most five seconds, so a dead network file system or name service does not hold up
 * the helper. DESIGN §2. */
#include "helper/broker/broker.h"
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/magic.h>
#include <poll.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/vfs.h>
#include <time.h>
#include <unistd.h>

typedef struct ChildReply {
  int error; /* 0 and a descriptor, or an errno */
  bool owner_unknown;
} ChildReply;

/* Becomes the user for good, with his groups and without a capability. 0 or an errno. */
static int become(const char *owner, bool *ret_unknown)
{
  errno = 0;
  const struct passwd *pw = getpwnam(owner);
  if (!pw) {
    /* "not found" comes in many errnos, see getpwnam(3); what stays are real failures */
    *ret_unknown = errno != EIO && errno != EMFILE && errno != ENFILE && errno != ENOMEM;
    return ENOENT;
  }
  uid_t uid = pw->pw_uid;
  gid_t gid = pw->pw_gid;
  if (initgroups(owner, gid) < 0 || setresgid(gid, gid, gid) < 0 || setresuid(uid, uid, uid) < 0)
    return errno;
  if (uid == 0)
    return 0;
  prctl(PR_SET_PDEATHSIG, SIGKILL); /* was reset with the user id */
  if (!broker_keep_capabilities(0) || setresuid(0, 0, 0) == 0 || geteuid() != uid)
    return EPERM;
  return 0;
}

/* /proc and /sys hold "regular files" that are not files. */
static bool is_kernel_file(int fd)
{
  struct statfs fs;
  if (fstatfs(fd, &fs) < 0)
    return true;
  return fs.f_type == PROC_SUPER_MAGIC || fs.f_type == SYSFS_MAGIC || fs.f_type == DEBUGFS_MAGIC ||
         fs.f_type == TRACEFS_MAGIC || fs.f_type == CGROUP2_SUPER_MAGIC;
}

/* 0 when the file may be handed over, else the errno that says why not. */
static int judge(int fd, bool directory)
{
  struct stat st;
  if (fstat(fd, &st) < 0)
    return errno;
  if (is_kernel_file(fd))
    return EACCES;
  if (directory)
    return S_ISDIR(st.st_mode) ? 0 : ENOTDIR;
  if (S_ISDIR(st.st_mode))
    return EISDIR;
  if (!S_ISREG(st.st_mode))
    return EINVAL;
  return st.st_size > BROKER_FILE_MAX ? EFBIG : 0;
}

/* Symbolic links are followed: people link their keys, and the kernel checks every step as this
 * user. */
static int open_checked(const char *path, bool directory, int *ret_error)
{
  char again[32];
  int seen = open(path, O_PATH | O_CLOEXEC);
  if (seen < 0) {
    *ret_error = errno;
    return -1;
  }
  *ret_error = judge(seen, directory);
  if (*ret_error)
    return -1;
  snprintf(again, sizeof again, "/proc/self/fd/%d",
           seen); /* the same inode, whatever happens to path */
  int fd =
      open(again, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC | (directory ? O_DIRECTORY : 0));
  if (fd < 0)
    *ret_error = errno;
  return fd;
}

static _Noreturn void child(int sock, const char *path, const char *owner, bool directory)
{
  ChildReply reply = {0};
  int fd = -1;
  close(OVPN_IPC_FD);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  alarm(BROKER_FILE_SECONDS);
  if (*owner)
    reply.error = become(owner, &reply.owner_unknown);
  if (!reply.error)
    fd = open_checked(path, directory, &reply.error);
  _exit(broker_send(sock, &reply, sizeof reply, fd) ? 0 : 1);
}

static int64_t now_ms(void)
{
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static bool wait_readable(int sock)
{
  int64_t end = now_ms() + BROKER_FILE_SECONDS * 1000 + 300;
  struct pollfd p = {.fd = sock, .events = POLLIN};
  for (;;) {
    int64_t left = end - now_ms();
    int n = poll(&p, 1, left > 0 ? (int)left : 0);
    if (n >= 0 || errno != EINTR)
      return n > 0;
  }
}

/* The child's answer. It ran as another user, whose processes may not touch it (it is not
 * dumpable), and yet: sizes are checked, and the descriptor's owner is this function until it
 * returns it. */
static int child_answer(int sock, ChildReply *ret)
{
  union {
    char space[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control;
  struct iovec iov = {ret, sizeof *ret};
  struct msghdr msg = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.space,
                       .msg_controllen = sizeof control.space};
  int fd = -1;
  ssize_t n = wait_readable(sock) ? recvmsg(sock, &msg, MSG_CMSG_CLOEXEC) : 0;
  struct cmsghdr *cmsg = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;
  if (cmsg && cmsg->cmsg_level == SOL_SOCKET && cmsg->cmsg_type == SCM_RIGHTS &&
      cmsg->cmsg_len == CMSG_LEN(sizeof(int)))
    memcpy(&fd, CMSG_DATA(cmsg), sizeof fd);
  if (n == (ssize_t)sizeof *ret && (fd >= 0) == (ret->error == 0))
    return fd;
  if (fd >= 0)
    close(fd);
  *ret = (ChildReply){.error = n ? EPROTO : ETIMEDOUT};
  return -1;
}

/* ---- OPEN_FILE
 *
 * Safe in hostile hands, as far as it can be: it reads and never writes or creates; it opens
 * regular files of at most 1 MiB and directories, no devices, FIFOs, sockets, nothing in /proc or
 * /sys. With an owner the kernel grants what that user may read. Without one (a connection for all
 * users, made by an administrator) it grants what root may read: that is the price of keys which
 * only root can read, and the reason why the process that may ask is not the one that parses what
 * comes from the network.
 * The descriptor is read-only; that of a directory tells the names in it, and what they name is
 * opened by a further question or with the service's own few rights. Who reads a file bounds the
 * length himself, as it can grow. */
int broker_open_file(const OvpnBrokerRequest *q, OvpnBrokerReply *reply, int *ret_error)
{
  const char *path = q->file.path, *owner = q->file.owner;
  if (q->file.directory > 1 || *path != '/' ||
      strnlen(path, sizeof q->file.path) == sizeof q->file.path ||
      strnlen(owner, sizeof q->file.owner) == sizeof q->file.owner)
    broker_die("OPEN_FILE with impossible arguments");

  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0) {
    *ret_error = errno;
    return -1;
  }
  pid_t pid = fork();
  if (pid == 0) {
    close(pair[0]);
    child(pair[1], path, owner, q->file.directory);
  }
  *ret_error = errno;
  close(pair[1]);
  int fd = -1;
  if (pid > 0) {
    ChildReply answer = {0};
    fd = child_answer(pair[0], &answer);
    *ret_error = answer.error;
    reply->owner_unknown = answer.owner_unknown;
  }
  close(pair[0]);
  return fd;
}
