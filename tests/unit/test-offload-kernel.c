/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Super-packets against the kernel: two devices in a network namespace of its own. What merge makes
 * is written to one and routed to the other, where it arrives in segments that the kernel made, or
 * as the kernel's super-packets, which split takes apart. Both must be what went in, but for the
 * hop. Skipped without root or TUN. */
#include "tests/unit/offload-train.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

static bool write_text(const char *path, const char *text)
{
  int fd = open(path, O_WRONLY | O_CLOEXEC);
  bool ok = fd >= 0 && write(fd, text, strlen(text)) == (ssize_t)strlen(text);
  if (fd >= 0)
    close(fd);
  return ok;
}

static int open_tun(const char *name, bool tap, bool vnet, bool *ret_uso)
{
  struct ifreq ifr = {
      .ifr_flags = (short)((tap ? IFF_TAP : IFF_TUN) | IFF_NO_PI | (vnet ? IFF_VNET_HDR : 0))};
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", name);
  if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0)
    return -1;
  unsigned tso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  unsigned uso = 0x20 | 0x40; /* TUN_F_USO4, TUN_F_USO6 */
  if (vnet) {
    *ret_uso = ioctl(fd, TUNSETOFFLOAD, tso | uso) == 0;
    if (!*ret_uso && ioctl(fd, TUNSETOFFLOAD, tso) < 0)
      return -1;
  }
  return fd;
}

/* Two devices in a namespace of their own; what is written to fd[0] is routed to fd[1]. */
static bool kernel_setup(bool tap, bool vnet_out, int fd[2], bool *ret_uso)
{
  bool uso = false;
  *ret_uso = false;
  if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0)
    return false;
  fd[0] = open_tun("off0", tap, true, ret_uso);
  fd[1] = open_tun("off1", false, vnet_out, &uso);
  if (fd[0] < 0 || fd[1] < 0)
    return false;
  if (tap && system("ip link set off0 address 02:00:00:00:00:01") != 0)
    return false;
  return system("ip link set off0 txqueuelen 4000 && ip link set off1 txqueuelen 4000 && "
                "ip link set off0 up && ip link set off1 up && "
                "ip addr add 10.1.0.1/16 dev off0 && ip addr add 10.2.0.1/16 dev off1 && "
                "ip -6 addr add fd00::1/64 dev off0 nodad && ip -6 route add fd01::/16 dev off1") ==
             0 &&
         write_text("/proc/sys/net/ipv4/ip_forward", "1") &&
         write_text("/proc/sys/net/ipv4/conf/all/rp_filter", "0") &&
         write_text("/proc/sys/net/ipv4/conf/off0/rp_filter", "0") &&
         write_text("/proc/sys/net/ipv6/conf/all/forwarding", "1");
}

/* Reads what arrives into outp[]; super-packets are split. */
static void kernel_read(int fd, bool vnet, unsigned *ret_super)
{
  static uint8_t buf[BIG + 64];
  n_out = 0;
  struct pollfd pfd = {.fd = fd, .events = POLLIN};
  while (n_out < n_in && poll(&pfd, 1, 200) > 0) {
    ssize_t n = read(fd, buf, sizeof buf);
    struct virtio_net_hdr h = {0};
    size_t skip = vnet ? sizeof h : 0;
    if (n <= (ssize_t)skip)
      break;
    memcpy(&h, buf, skip);
    const uint8_t *p = buf + skip;
    if (p[0] >> 4 == 6 && p[6] == 58) /* router solicitation and the like */
      continue;
    if (p[0] >> 4 == 6 && p[6] == 0)
      continue;
    OffloadSuper s;
    OffloadStatus st = offload_open(&s, &h, p, (size_t)n - skip, false, ROOM);
    CHECK_INT(st, OFFLOAD_OK);
    OffloadSlots to = {outp[n_out].b, sizeof(Pkt), 0, MAX - n_out};
    OffloadRun run;
    if (st != OFFLOAD_OK || !offload_next(&s, &to, &run))
      continue;
    *ret_super += run.n > 1;
    for (unsigned i = 0; i < run.n; i++)
      outp[n_out++].len = i + 1 < run.n ? run.len : run.last;
  }
}

/* Writes the train, merged where `kinds` allows it; reads what arrives. */
static void send_train(int fd[2], bool tap, bool vnet, unsigned kinds, unsigned *ret_written,
                       unsigned *ret_super)
{
  MergeOut o;
  merge_init(&m, parts, MAX, tap, kinds);
  for (unsigned i = 0; i < n_in; i++)
    CHECK(merge_add(&m, work[i].b, work[i].len));
  while (merge_next(&m, &o)) {
    ssize_t n = writev(fd[0], o.iov, (int)o.n);
    if (n != (ssize_t)(o.len + sizeof(struct virtio_net_hdr)))
      fprintf(stderr, "write of %u packets: %s\n", o.packets, strerror(errno));
    CHECK_INT(n, o.len + sizeof(struct virtio_net_hdr));
    *ret_written += o.packets > 1;
  }
  kernel_read(fd[1], vnet, ret_super);
  CHECK_INT(n_out, n_in);
}

/* The same train packet by packet and merged: the other side must not see the difference. */
static void kernel_round(int fd[2], bool tap, bool vnet, unsigned kinds, unsigned *ret_written,
                         unsigned *ret_super)
{
  train_vlan = false;
  random_train(tap, 1 + rnd(3), rnd(2) ? 0 : 2 + rnd(10), false);
  if (tap)
    for (unsigned i = 0; i < n_in; i++)
      memcpy(in[i].b, "\2\0\0\0\0\1\2\0\0\0\0\2", 12);
  memcpy(work, in, sizeof(Pkt) * n_in);
  send_train(fd, tap, vnet, 0, ret_written, ret_super);
  memcpy(work, in, sizeof(Pkt) * n_in);
  memcpy(in, outp, sizeof(Pkt) * n_out);
  send_train(fd, tap, vnet, kinds, ret_written, ret_super);
  check_order(true);
}

static void test_kernel(bool tap, bool vnet)
{
  int fd[2] = {-1, -1};
  bool uso;
  if (!kernel_setup(tap, vnet, fd, &uso)) {
    printf("against the kernel: skipped (needs root and TUN)\n");
  } else {
    unsigned written = 0, supers = 0;
    for (unsigned round = 0; round < 100 && !check_failed_; round++)
      kernel_round(fd, tap, vnet, MERGE_TCP4 | MERGE_TCP6 | (uso ? MERGE_UDP : 0), &written,
                   &supers);
    CHECK(written > 50);
    CHECK_INT(supers > 20, vnet);
    printf("against the kernel: %u super-packets written, %u read, USO %s\n", written, supers,
           uso ? "yes" : "no");
  }
  for (unsigned i = 0; i < 2; i++)
    if (fd[i] >= 0)
      close(fd[i]);
}

int main(void)
{
  test_kernel(false, false);
  test_kernel(false, true);
  test_kernel(true, false);
  test_kernel(true, true);
  TEST_END();
}
