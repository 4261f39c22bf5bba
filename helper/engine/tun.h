/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tunnel device, as a descriptor that the root helper opened (IFF_NO_PI). One packet or
 * super-packet per read and write. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <linux/virtio_net.h>

enum { TUN_VNET_HDR = 1, TUN_TSO = 2, TUN_USO = 4, TUN_FLAGS = 7 };

typedef struct Tun {
  int fd; /* owned, -1 = none */
  bool tap;
  unsigned mtu;   /* of the payload, as the service set it */
  unsigned flags; /* TUN_x: what the kernel granted; the others only with TUN_VNET_HDR */
} Tun;

void tun_open(Tun *t, int fd, bool tap, unsigned mtu, unsigned flags); /* replaces an older one */
void tun_close(Tun *t);
/* Length, 0 = nothing now, -1 = the device is gone. */
ssize_t tun_read(Tun *t, uint8_t *buf, size_t cap);
/* The same with TUN_VNET_HDR; the length is the packet's alone. */
ssize_t tun_read_super(Tun *t, struct virtio_net_hdr *vnet, uint8_t *buf, size_t cap);
/* 0 or an errno. */
int tun_write_super(Tun *t, const struct iovec *iov, unsigned n, size_t len);
bool tun_write(Tun *t, const uint8_t *p, size_t len); /* false = dropped */
