/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asks nm-ovpn-signer for a signature, in the middle of a handshake.
 *
 * It waits: a handshake has nothing else to do, and payload of an old key moves on the other thread
 * (worker.h). The answer is only bytes of a bounded length; what they are worth the server finds
 * out. An answer that comes after we gave up waiting is left in the socket and skipped by its
 * serial the next time. */
#include "helper/core/secret.h"
#include "helper/core/signer.h"
#include "helper/engine/engine.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

enum { SIGN_WAIT_MS = 25000 };

static int64_t monotonic_ms(void)
{
  struct timespec t = {0};
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

/* One datagram; <= 0: the signer is gone, or the time is over. */
static ssize_t receive(int fd, uint8_t *buf, size_t cap, int64_t deadline)
{
  struct pollfd p = {.fd = fd, .events = POLLIN};
  for (;;) {
    int64_t left = deadline - monotonic_ms();
    int ready = left > 0 ? poll(&p, 1, (int)left) : 0;
    if (ready > 0)
      return recv(fd, buf, cap, MSG_DONTWAIT | MSG_TRUNC);
    if (ready == 0 || errno != EINTR)
      return -1;
  }
}

size_t signing_sign(void *user, OvpnSignerOp op, uint32_t algorithm, uint32_t flags,
                    const void *data, size_t len, uint8_t ret[OVPN_SIGNATURE_MAX])
{
  Engine *e = user;
  uint8_t question[OVPN_SIGNER_REQUEST_MAX], buf[OVPN_SIGNER_ANSWER_MAX];
  int64_t deadline = monotonic_ms() + SIGN_WAIT_MS;
  OvpnSignerRequest q = {++e->signer_serial, op, algorithm, flags, data, len};
  OvpnSignerAnswer a = {0};
  size_t size = ovpn_signer_write_request(question, sizeof question, &q);
  /* A signer that does not read for so long that its socket is full must not stop us. */
  if (e->signer < 0 || size == 0 ||
      send(e->signer, question, size, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
    return 0;
  do {
    ssize_t n = receive(e->signer, buf, sizeof buf, deadline);
    if (n <= 0 || (size_t)n > sizeof buf || !ovpn_signer_read_answer(buf, (size_t)n, &a))
      return 0;
  } while (a.serial != q.serial);
  if (a.result != OVPN_SIGNER_OK)
    return 0;
  memcpy(ret, a.signature, a.len);
  ovpn_wipe(buf, sizeof buf);
  return a.len;
}
