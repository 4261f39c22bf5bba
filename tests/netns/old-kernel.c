/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A kernel that is older, or a path that takes less: loaded in front of nm-ovpn-helper and
 * nm-ovpn-engine by tests (LD_PRELOAD), it answers some calls as such a kernel would. Words in the
 * environment variable OLD_KERNEL:
 *
 *   no-vnet      TUNSETIFF with IFF_VNET_HDR: EINVAL
 *   no-tso       TUNSETOFFLOAD with TSO: EINVAL        no-uso      the same with USO
 *   no-gro       UDP_GRO: ENOPROTOOPT
 *   no-segment   UDP_SEGMENT: ENOPROTOOPT; messages with it go out as one datagram, unsegmented
 *   eio, einval  a message with UDP_SEGMENT is refused so, from the third on
 *   no-super     a super-packet written to the TUN: EINVAL
 *
 * Never installed: the programs know nothing of it. */
#include <dlfcn.h>
#include <errno.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#define UDP_GRO 104
#endif

static char words[256];

__attribute__((constructor)) static void read_words(void)
{
  const char *v = getenv("OLD_KERNEL");
  if (v && strlen(v) < sizeof words)
    memcpy(words, v, strlen(v) + 1);
}

static bool has(const char *word)
{
  size_t n = strlen(word);
  for (const char *p = words; (p = strstr(p, word)); p += n)
    if ((p == words || p[-1] == ' ') && (p[n] == 0 || p[n] == ' '))
      return true;
  return false;
}

static long fail(int err)
{
  errno = err;
  return -1;
}

#define REAL(type, name, ...)                                                                      \
  static type (*real)(__VA_ARGS__);                                                                \
  if (!real)                                                                                       \
    *(void **)&real = dlsym(RTLD_NEXT, name);

int ioctl(int fd, unsigned long request, ...)
{
  REAL(int, "ioctl", int, unsigned long, ...)
  va_list args;
  va_start(args, request);
  void *arg = va_arg(args, void *);
  va_end(args);
  unsigned long bits = (unsigned long)arg;
  if (request == TUNSETIFF && ((struct ifreq *)arg)->ifr_flags & IFF_VNET_HDR && has("no-vnet"))
    return (int)fail(EINVAL);
  if (request == TUNSETOFFLOAD && bits & (TUN_F_TSO4 | TUN_F_TSO6) && has("no-tso"))
    return (int)fail(EINVAL);
  if (request == TUNSETOFFLOAD && bits & 0x60 && (has("no-uso") || has("no-tso")))
    return (int)fail(EINVAL);
  return real(fd, request, arg);
}

int setsockopt(int fd, int level, int name, const void *value, socklen_t len)
{
  REAL(int, "setsockopt", int, int, int, const void *, socklen_t)
  if (level == IPPROTO_UDP && name == UDP_GRO && has("no-gro"))
    return (int)fail(ENOPROTOOPT);
  return real(fd, level, name, value, len);
}

int getsockopt(int fd, int level, int name, void *restrict value, socklen_t *restrict len)
{
  REAL(int, "getsockopt", int, int, int, void *, socklen_t *)
  if (level == IPPROTO_UDP &&
      ((name == UDP_GRO && has("no-gro")) || (name == UDP_SEGMENT && has("no-segment"))))
    return (int)fail(ENOPROTOOPT);
  return real(fd, level, name, value, len);
}

static bool segmented(const struct msghdr *m)
{
  const struct cmsghdr *c = CMSG_FIRSTHDR(m);
  return c && c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_SEGMENT;
}

int sendmmsg(int fd, struct mmsghdr *mm, unsigned int n, int flags)
{
  static unsigned seen;
  REAL(int, "sendmmsg", int, struct mmsghdr *, unsigned int, int)
  int err = has("eio") ? EIO : has("einval") ? EINVAL : 0;
  for (unsigned i = 0; i < n; i++) {
    struct msghdr *m = &mm[i].msg_hdr;
    if (!segmented(m))
      continue;
    if (has("no-segment"))
      m->msg_controllen = 0;
    if (err && ++seen > 2) /* those before it are sent */
      return i == 0 ? (int)fail(err) : real(fd, mm, i, flags);
  }
  return real(fd, mm, n, flags);
}

ssize_t writev(int fd, const struct iovec *iov, int n)
{
  REAL(ssize_t, "writev", int, const struct iovec *, int)
  const struct virtio_net_hdr *h = n > 0 ? iov[0].iov_base : NULL;
  if (h && iov[0].iov_len == sizeof *h && h->gso_type != 0 && has("no-super"))
    return fail(EINVAL);
  return real(fd, iov, n);
}
