/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tunnel device. Invariant: it is never waited for. A device that is down gives EIO and is only
 * waited out (NetworkManager brings it up a moment later); one that was deleted gives EBADFD and is
 * the end. */
#include "helper/engine/tun.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void tun_open(Tun *t, int fd, bool tap, unsigned mtu, unsigned flags)
{
  tun_close(t);
  *t = (Tun){fd, tap, mtu, flags};
  int mode = fcntl(fd, F_GETFL);
  if (mode >= 0 && !(mode & O_NONBLOCK))
    fcntl(fd, F_SETFL, mode | O_NONBLOCK);
}

void tun_close(Tun *t)
{
  if (t->fd >= 0)
    close(t->fd);
  *t = (Tun){.fd = -1};
}

static ssize_t nothing(void)
{
  return errno == EBADFD || errno == EBADF || errno == ENODEV ? -1 : 0;
}

ssize_t tun_read(Tun *t, uint8_t *buf, size_t cap)
{
  ssize_t n = read(t->fd, buf, cap);
  return n < 0 ? nothing() : n;
}

ssize_t tun_read_super(Tun *t, struct virtio_net_hdr *vnet, uint8_t *buf, size_t cap)
{
  struct iovec iov[2] = {{vnet, sizeof *vnet}, {buf, cap}};
  ssize_t n = readv(t->fd, iov, 2);
  if (n < 0)
    return nothing();
  return n > (ssize_t)sizeof *vnet ? n - (ssize_t)sizeof *vnet : 0;
}

int tun_write_super(Tun *t, const struct iovec *iov, unsigned n, size_t len)
{
  if (t->fd < 0)
    return EBADF;
  ssize_t done = writev(t->fd, iov, (int)n);
  if (done < 0)
    return errno;
  return (size_t)done == sizeof(struct virtio_net_hdr) + len ? 0 : EIO;
}

bool tun_write(Tun *t, const uint8_t *p, size_t len)
{
  return t->fd >= 0 && write(t->fd, p, len) == (ssize_t)len;
}
