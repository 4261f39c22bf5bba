/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks nm-ovpn-signer for a signature, in the middle of a handshake.
 *
 * It waits: a handshake has nothing else to do, and data of an old key waits in the sockets. The
 * answer is only bytes of a bounded length; what they are worth the server finds out. */
#include "helper/core/signer.h"
#include "helper/core/wire.h"
#include "helper/engine/engine.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

enum { SIGN_WAIT_MS = 25000 };

size_t signing_sign(void *user, OvpnSignerOp op, uint32_t algorithm, uint32_t flags,
                    const void *data, size_t len, uint8_t ret[OVPN_SIGNATURE_MAX])
{
  const Engine *e = user;
  uint8_t buf[OVPN_SIGNER_DATA_MAX + 16];
  OvpnWriter w = ovpn_writer(buf, sizeof buf);
  if (e->signer < 0 || len > OVPN_SIGNER_DATA_MAX)
    return 0;
  ovpn_write_u8(&w, (uint8_t)op);
  ovpn_write_u32(&w, algorithm);
  ovpn_write_u32(&w, flags);
  ovpn_write_u16(&w, (uint16_t)len);
  ovpn_write_bytes(&w, data, len);
  if (!w.ok || send(e->signer, buf, w.len, MSG_NOSIGNAL) < 0)
    return 0;
  struct pollfd p = {.fd = e->signer, .events = POLLIN};
  int ready;
  do
    ready = poll(&p, 1, SIGN_WAIT_MS);
  while (ready < 0 && errno == EINTR);
  ssize_t n = ready > 0 ? recv(e->signer, buf, sizeof buf, MSG_DONTWAIT) : -1;
  if (n <= 0)
    return 0;
  OvpnReader r = ovpn_reader(buf, (size_t)n);
  unsigned result = ovpn_read_u8(&r);
  size_t size = ovpn_read_u16(&r);
  const uint8_t *signature = ovpn_read_bytes(&r, size);
  if (!r.ok || ovpn_reader_left(&r) > 0 || result != OVPN_SIGNER_OK || size > OVPN_SIGNATURE_MAX)
    return 0;
  memcpy(ret, signature, size);
  return size;
}
