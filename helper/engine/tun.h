/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The tunnel device, as a descriptor that the root helper opened (IFF_NO_PI). One packet per read
 * and write. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

typedef struct Tun {
  int fd; /* owned, -1 = none */
  bool tap;
  unsigned mtu; /* of the payload, as the service set it */
} Tun;

void tun_open(Tun *t, int fd, bool tap, unsigned mtu); /* replaces an older one */
void tun_close(Tun *t);
/* Length, 0 = nothing now, -1 = the device is gone. */
ssize_t tun_read(Tun *t, uint8_t *buf, size_t cap);
bool tun_write(Tun *t, const uint8_t *p, size_t len); /* false = dropped */
