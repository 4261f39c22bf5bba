/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tunnel device. Invariant: it is never waited for. A device that is down gives EIO and is only
 * waited out (NetworkManager brings it up a moment later); one that was deleted gives EBADFD and is
 * the end. */
#include "helper/engine/tun.h"
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

void tun_open(Tun *t, int fd, bool tap, unsigned mtu)
{
  tun_close(t);
  *t = (Tun){fd, tap, mtu};
  int flags = fcntl(fd, F_GETFL);
  if (flags >= 0 && !(flags & O_NONBLOCK))
    fcntl(fd, F_SETFL, flags | O_NONBLOCK);
}

void tun_close(Tun *t)
{
  if (t->fd >= 0)
    close(t->fd);
  *t = (Tun){.fd = -1};
}

ssize_t tun_read(Tun *t, uint8_t *buf, size_t cap)
{
  ssize_t n = read(t->fd, buf, cap);
  if (n < 0)
    return errno == EBADFD || errno == EBADF || errno == ENODEV ? -1 : 0;
  return n;
}

bool tun_write(Tun *t, const uint8_t *p, size_t len)
{
  return t->fd >= 0 && write(t->fd, p, len) == (ssize_t)len;
}
