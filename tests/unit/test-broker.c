/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nm-ovpn-helper as the service meets it: the real program on a socket pair, in a network namespace
 * of its own. What it grants, what it refuses, and that it ends on whatever it is never asked.
 * Needs root.
 *
 *   test-broker /path/to/nm-ovpn-helper */
#include "helper/core/ipc.h"
#include "tests/unit/check.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *program;
static char dir[] = "/tmp/ovpn-broker-XXXXXX";

typedef struct Helper {
  int sock;
  pid_t pid;
} Helper;

static Helper start(void)
{
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
    exit(2);
  Helper h = {.sock = pair[0], .pid = fork()};
  if (h.pid == 0) {
    int null = open("/dev/null", O_RDWR);
    if (pair[1] != OVPN_IPC_FD)
      dup2(pair[1], OVPN_IPC_FD);
    else
      fcntl(OVPN_IPC_FD, F_SETFD, 0);
    dup2(null, 2);
    dup2(null, 77); /* something to be closed */
    execl(program, program, (char *)NULL);
    _exit(127);
  }
  close(pair[1]);
  return h;
}

/* Exit status of a helper that is expected to end. */
static int finish(Helper *h)
{
  int status = 0;
  close(h->sock);
  waitpid(h->pid, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : 1000 + WTERMSIG(status);
}

static OvpnBrokerRequest request(uint32_t op)
{
  static uint32_t serial;
  OvpnBrokerRequest q;
  memset(&q, 0, sizeof q);
  q.version = OVPN_BROKER_VERSION;
  q.op = op;
  q.serial = ++serial;
  return q;
}

/* Sends and receives; returns the descriptor or -1 with reply->error. */
static int ask(Helper *h, const OvpnBrokerRequest *q, OvpnBrokerReply *reply)
{
  union {
    char space[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control;
  struct iovec iov = {reply, sizeof *reply};
  struct msghdr msg = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.space,
                       .msg_controllen = sizeof control.space};
  int fd = -1;
  memset(reply, 0xff, sizeof *reply);
  if (send(h->sock, q, sizeof *q, MSG_NOSIGNAL) != (ssize_t)sizeof *q)
    return -1;
  ssize_t n = recvmsg(h->sock, &msg, MSG_CMSG_CLOEXEC);
  CHECK_INT(n, sizeof *reply);
  CHECK_INT(reply->serial, q->serial);
  CHECK_INT(reply->op, q->op);
  struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
  if (cmsg)
    memcpy(&fd, CMSG_DATA(cmsg), sizeof fd);
  CHECK((fd >= 0) == (reply->error == 0));
  return fd;
}

static void test_confinement(Helper *h)
{
  char path[64], line[256];
  OvpnBrokerReply reply;
  OvpnBrokerRequest q = request(OVPN_BROKER_OPEN_FILE);
  strcpy(q.file.path, "/nonexistent");
  ask(h, &q, &reply); /* now it is past its start */
  snprintf(path, sizeof path, "/proc/%d/status", h->pid);
  FILE *f = fopen(path, "r");
  unsigned long long effective = ~0ull;
  int nnp = 0;
  while (f && fgets(line, sizeof line, f)) {
    sscanf(line, "CapPrm: %llx", &effective);
    sscanf(line, "NoNewPrivs: %d", &nnp);
  }
  if (f)
    fclose(f);
  unsigned long long allowed =
      1ull << CAP_NET_ADMIN | 1ull << CAP_DAC_OVERRIDE | 1ull << CAP_SETUID | 1ull << CAP_SETGID;
  CHECK_INT(effective & ~allowed, 0);
  CHECK_INT(nnp, 1);
  snprintf(path, sizeof path, "/proc/%d/fd/77", h->pid);
  struct stat st;
  CHECK(lstat(path, &st) < 0);
}

/* ---- OPEN_TUN */

static int open_tun(Helper *h, const char *name, bool tap, bool vnet, OvpnBrokerReply *reply)
{
  OvpnBrokerRequest q = request(OVPN_BROKER_OPEN_TUN);
  q.tun.tap = tap;
  q.tun.vnet_hdr = vnet;
  snprintf(q.tun.name, sizeof q.tun.name, "%s", name);
  return ask(h, &q, reply);
}

static void test_tun(void)
{
  Helper h = start();
  OvpnBrokerReply reply;
  int fd = open_tun(&h, "", false, true, &reply);
  if (fd < 0 && (reply.error == ENOENT || reply.error == ENODEV || reply.error == EPERM)) {
    printf("skipped: no TUN devices here (%s)\n", strerror(reply.error));
    CHECK_INT(finish(&h), 0);
    return;
  }
  CHECK(fd >= 0);
  CHECK(!strncmp(reply.ifname, "tun", 3));
  CHECK_INT(reply.ifindex, if_nametoindex(reply.ifname));
  CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
  OvpnBrokerReply other;
  CHECK(open_tun(&h, reply.ifname, false, false, &other) < 0); /* no attaching to what exists */
  CHECK_INT(other.error, EBUSY);
  CHECK(open_tun(&h, "lo", false, false, &other) < 0);
  close(fd);
  CHECK_INT(if_nametoindex(reply.ifname), 0); /* gone with its descriptor */
  fd = open_tun(&h, "my-vpn_0.1", true, false, &reply);
  CHECK(fd >= 0);
  CHECK_STR(reply.ifname, "my-vpn_0.1");
  CHECK_INT(reply.vnet_hdr, 0);
  close(fd);
  for (int i = 2; i < 16; i++) {
    fd = open_tun(&h, "", false, true, &reply);
    CHECK(fd >= 0);
    close(fd);
  }
  CHECK(open_tun(&h, "", false, true, &reply) < 0);
  CHECK_INT(reply.error, EDQUOT);
  CHECK_INT(finish(&h), 0);
}

/* ---- OPEN_LINK */

static void set_address(struct sockaddr_storage *a, const char *host, uint16_t port)
{
  struct sockaddr_in *v4 = (struct sockaddr_in *)a;
  struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)a;
  memset(a, 0, sizeof *a);
  if (inet_pton(AF_INET, host, &v4->sin_addr) == 1) {
    v4->sin_family = AF_INET;
    v4->sin_port = htons(port);
  } else if (inet_pton(AF_INET6, host, &v6->sin6_addr) == 1) {
    v6->sin6_family = AF_INET6;
    v6->sin6_port = htons(port);
  }
}

static int get_int(int fd, int level, int name)
{
  int value = -1;
  socklen_t len = sizeof value;
  return getsockopt(fd, level, name, &value, &len) < 0 ? -1 : value;
}

static void loopback_up(void)
{
  struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_RUNNING};
  int s = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  CHECK(ioctl(s, SIOCSIFFLAGS, &ifr) == 0);
  close(s);
}

static void test_udp(Helper *h)
{
  OvpnBrokerReply reply;
  OvpnBrokerRequest q = request(OVPN_BROKER_OPEN_LINK);
  set_address(&q.link.remote, "127.0.0.1", 1194);
  int fd = ask(h, &q, &reply);
  CHECK(fd >= 0);
  CHECK(fcntl(fd, F_GETFL) & O_NONBLOCK);
  CHECK_INT(get_int(fd, SOL_SOCKET, SO_TYPE), SOCK_DGRAM);
  CHECK_INT(get_int(fd, IPPROTO_IP, IP_MTU_DISCOVER), IP_PMTUDISC_DONT);
  CHECK(get_int(fd, SOL_SOCKET, SO_RCVBUF) >= 2 * 1024 * 1024);
  struct sockaddr_storage peer;
  socklen_t len = sizeof peer;
  CHECK_INT(getpeername(fd, (struct sockaddr *)&peer, &len), 0);
  close(fd);

  q = request(OVPN_BROKER_OPEN_LINK);
  set_address(&q.link.remote, "::1", 1194);
  set_address(&q.link.local, "::1", 40001);
  q.link.has_local = 1;
  q.link.mark = 0x1234;
  q.link.pmtu_disc = 3;
  q.link.rcvbuf = 100000;
  strcpy(q.link.bind_dev, "lo");
  fd = ask(h, &q, &reply);
  if (fd < 0 && reply.error == EADDRNOTAVAIL)
    printf("skipped: no IPv6 here\n");
  else {
    CHECK(fd >= 0);
    CHECK_INT(get_int(fd, SOL_SOCKET, SO_MARK), 0x1234);
    CHECK_INT(get_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER), IPV6_PMTUDISC_DO);
    CHECK_INT(get_int(fd, IPPROTO_IPV6, IPV6_V6ONLY), 1);
    CHECK_INT(get_int(fd, SOL_SOCKET, SO_RCVBUF), 200000);
    close(fd);
  }

  q = request(OVPN_BROKER_OPEN_LINK);
  set_address(&q.link.remote, "127.0.0.1", 1194);
  strcpy(q.link.bind_dev, "missing0");
  CHECK(ask(h, &q, &reply) < 0);
  CHECK_INT(reply.error, ENODEV);
  q = request(OVPN_BROKER_OPEN_LINK);
  set_address(&q.link.remote, "127.0.0.1", 1194);
  set_address(&q.link.local, "127.0.0.1", 53);
  q.link.has_local = 1;
  CHECK(ask(h, &q, &reply) < 0); /* it keeps no capability for low ports */
  CHECK_INT(reply.error, EACCES);
}

static void test_tcp(Helper *h)
{
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_addr = {htonl(INADDR_LOOPBACK)}};
  socklen_t len = sizeof a;
  OvpnBrokerReply reply;
  int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  CHECK_INT(bind(listener, (struct sockaddr *)&a, sizeof a), 0);
  CHECK_INT(listen(listener, 1), 0);
  getsockname(listener, (struct sockaddr *)&a, &len);
  OvpnBrokerRequest q = request(OVPN_BROKER_OPEN_LINK);
  q.link.tcp = 1;
  set_address(&q.link.remote, "127.0.0.1", ntohs(a.sin_port));
  int fd = ask(h, &q, &reply);
  CHECK(fd >= 0);
  struct pollfd p = {.fd = fd, .events = POLLOUT};
  CHECK_INT(poll(&p, 1, 2000), 1);
  CHECK_INT(get_int(fd, SOL_SOCKET, SO_ERROR), 0);
  CHECK(get_int(fd, IPPROTO_TCP, TCP_NODELAY) > 0);
  close(fd);
  close(listener);
}

/* ---- OPEN_FILE */

static int open_path(Helper *h, const char *path, const char *owner, bool directory,
                     OvpnBrokerReply *reply)
{
  OvpnBrokerRequest q = request(OVPN_BROKER_OPEN_FILE);
  snprintf(q.file.path, sizeof q.file.path, "%s", path);
  snprintf(q.file.owner, sizeof q.file.owner, "%s", owner);
  q.file.directory = directory;
  return ask(h, &q, reply);
}

static const char *in_dir(const char *name)
{
  static char path[128];
  snprintf(path, sizeof path, "%s/%s", dir, name);
  return path;
}

static void make_file(const char *name, mode_t mode, off_t size)
{
  int fd = open(in_dir(name), O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
  CHECK(fd >= 0 && ftruncate(fd, size) == 0 && fchmod(fd, mode) == 0);
  CHECK_INT(pwrite(fd, "hello", 5, 0), 5);
  close(fd);
}

static void refuses(Helper *h, const char *path, const char *owner, bool directory, int error)
{
  OvpnBrokerReply reply;
  int fd = open_path(h, path, owner, directory, &reply);
  CHECK_INT(fd, -1);
  if (reply.error != error)
    fprintf(stderr, "%s as “%s”: %s, expected %s\n", path, owner, strerror(reply.error),
            strerror(error));
  CHECK_INT(reply.error, error);
}

static void test_files(Helper *h)
{
  OvpnBrokerReply reply;
  char buf[8] = "";
  make_file("secret", 0600, 5);
  make_file("public", 0644, 5);
  make_file("large", 0644, 1024 * 1024 + 1);
  CHECK_INT(mkfifo(in_dir("fifo"), 0666), 0);
  CHECK_INT(symlink("public", in_dir("link")), 0);
  CHECK_INT(mkdir(in_dir("private"), 0700), 0);

  int fd = open_path(h, in_dir("secret"), "", false, &reply);
  CHECK(fd >= 0);
  CHECK_INT(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
  CHECK_INT(read(fd, buf, sizeof buf), 5);
  CHECK_STR(buf, "hello");
  close(fd);
  CHECK((fd = open_path(h, in_dir("link"), "nobody", false, &reply)) >= 0);
  close(fd);
  CHECK((fd = open_path(h, in_dir("public"), "root", false, &reply)) >= 0);
  close(fd);
  CHECK((fd = open_path(h, in_dir("private"), "", true, &reply)) >= 0);
  close(fd);

  refuses(h, in_dir("secret"), "nobody", false, EACCES);
  refuses(h, in_dir("private"), "nobody", true, EACCES);
  refuses(h, in_dir("private/x"), "nobody", false, EACCES);
  refuses(h, in_dir("missing"), "", false, ENOENT);
  refuses(h, in_dir("public/x"), "", false, ENOTDIR);
  refuses(h, in_dir("private"), "", false, EISDIR);
  refuses(h, in_dir("public"), "", true, ENOTDIR);
  refuses(h, in_dir("fifo"), "", false, EINVAL);
  refuses(h, in_dir("large"), "", false, EFBIG);
  refuses(h, "/dev/zero", "", false, EINVAL);
  refuses(h, "/proc/self/status", "", false, EACCES);
  refuses(h, "/proc/self/fd/3", "", false, ENOENT); /* the child has closed it */
  refuses(h, in_dir("public"), "no-such-user-here", false, ENOENT);
  CHECK_INT(open_path(h, in_dir("public"), "no-such-user-here", false, &reply), -1);
  CHECK_INT(reply.owner_unknown, 1);
  CHECK_INT(unlink(in_dir("fifo")) | unlink(in_dir("link")) | unlink(in_dir("secret")) |
                unlink(in_dir("public")) | unlink(in_dir("large")) | rmdir(in_dir("private")),
            0);
}

/* ---- what ends it */

static void kills(const char *what, const void *data, size_t len)
{
  Helper h = start();
  char c;
  CHECK_INT(send(h.sock, data, len, MSG_NOSIGNAL), len);
  struct pollfd p = {.fd = h.sock, .events = POLLIN};
  poll(&p, 1, 5000);
  CHECK(recv(h.sock, &c, 1, MSG_DONTWAIT) <= 0); /* no answer */
  int status = finish(&h);
  if (status != 1)
    fprintf(stderr, "%s: exit status %d\n", what, status);
  CHECK_INT(status, 1);
}

static void kills_with_descriptor(void)
{
  Helper h = start();
  OvpnBrokerRequest q = request(OVPN_BROKER_OPEN_TUN);
  union {
    char space[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control = {0};
  struct iovec iov = {&q, sizeof q};
  struct msghdr msg = {.msg_iov = &iov,
                       .msg_iovlen = 1,
                       .msg_control = control.space,
                       .msg_controllen = sizeof control.space};
  struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);
  int fd = 0;
  cmsg->cmsg_level = SOL_SOCKET;
  cmsg->cmsg_type = SCM_RIGHTS;
  cmsg->cmsg_len = CMSG_LEN(sizeof fd);
  memcpy(CMSG_DATA(cmsg), &fd, sizeof fd);
  CHECK(sendmsg(h.sock, &msg, 0) > 0);
  struct pollfd p = {.fd = h.sock, .events = POLLIN};
  poll(&p, 1, 5000);
  CHECK_INT(finish(&h), 1);
}

static void test_hostile(void)
{
  OvpnBrokerRequest q = request(OVPN_BROKER_OPEN_TUN), good = q;
  char longer[sizeof q + 1] = {0};
  memcpy(longer, &q, sizeof q);
  kills("short", &q, sizeof q - 1);
  kills("long", longer, sizeof longer);
  q.version = 2;
  kills("version", &q, sizeof q);
  q = request(99);
  kills("operation", &q, sizeof q);
  const char *const names[] = {"a/b", "tun%d", "white space", ".", "..", "sixteen-letters!"};
  for (size_t i = 0; i < sizeof names / sizeof names[0]; i++) {
    q = good;
    memcpy(q.tun.name, names[i], strlen(names[i]));
    kills(names[i], &q, sizeof q);
  }
  q = good;
  q.tun.tap = 2;
  kills("flag", &q, sizeof q);

  q = request(OVPN_BROKER_OPEN_LINK);
  kills("no family", &q, sizeof q);
  set_address(&q.link.remote, "127.0.0.1", 0);
  kills("no port", &q, sizeof q);
  set_address(&q.link.remote, "127.0.0.1", 1);
  q.link.rcvbuf = 32 * 1024 * 1024 + 1;
  kills("buffer", &q, sizeof q);
  q.link.rcvbuf = 0;
  q.link.has_local = 1;
  set_address(&q.link.local, "::1", 1);
  kills("other family", &q, sizeof q);
  q.link.has_local = 0;
  q.link.pmtu_disc = 4;
  kills("pmtu", &q, sizeof q);

  q = request(OVPN_BROKER_OPEN_FILE);
  kills("empty path", &q, sizeof q);
  strcpy(q.file.path, "etc/passwd");
  kills("relative path", &q, sizeof q);
  memset(q.file.path, '/', sizeof q.file.path);
  kills("endless path", &q, sizeof q);
  q.file.path[10] = 0;
  memset(q.file.owner, 'x', sizeof q.file.owner);
  kills("endless owner", &q, sizeof q);
  kills_with_descriptor();
}

int main(int argc, char **argv)
{
  if (argc != 2) {
    fprintf(stderr, "usage: test-broker HELPER\n");
    return 2;
  }
  program = argv[1];
  if (geteuid() != 0) {
    printf("skipped: needs root\n");
    return 77;
  }
  if (unshare(CLONE_NEWNET) < 0) {
    printf("skipped: no network namespace: %s\n", strerror(errno));
    return 77;
  }
  if (!mkdtemp(dir) || chmod(dir, 0755) < 0)
    return 2;
  loopback_up();
  Helper h = start();
  test_confinement(&h);
  test_udp(&h);
  test_tcp(&h);
  test_files(&h);
  CHECK_INT(finish(&h), 0);
  test_tun();
  test_hostile();
  CHECK_INT(rmdir(dir), 0);
  TEST_END();
}
