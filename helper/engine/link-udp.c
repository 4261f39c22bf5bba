/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets over a connected UDP socket, many per system call. spec §1.1, §1.3.
 *
 * Trust: nothing received is believed here; the kernel filters by source address. Errors that the
 * network causes (ICMP answers, full queues, no route for a moment) never end a session: its own
 * time-outs do. */
#include "helper/engine/link.h"
#include <errno.h>
#include <string.h>
#include <sys/socket.h>

/* Errors of the descriptor itself, which waiting cannot cure. */
static bool is_fatal(int err)
{
  return err == EBADF || err == ENOTSOCK || err == EFAULT || err == EOPNOTSUPP;
}

static void note_error(Link *l, int err)
{
  l->last_error = err;
  if (err == ECONNREFUSED)
    l->refused = true;
}

static LinkResult lost(int err, const char *what, OvpnFailure *f)
{
  ovpn_failure_set(f, OVPN_FAIL_LINK, "%s: %s", what, strerror(err));
  return LINK_LOST;
}

static LinkResult udp_recv(Link *l, Batch *b, OvpnStats *stats, OvpnFailure *f)
{
  struct mmsghdr mm[BATCH_MAX];
  struct iovec iov[BATCH_MAX];
  memset(mm, 0, sizeof mm);
  for (unsigned i = 0; i < BATCH_MAX; i++) {
    iov[i] = (struct iovec){batch_room(b, i), PACKET_MAX};
    mm[i].msg_hdr.msg_iov = &iov[i];
    mm[i].msg_hdr.msg_iovlen = 1;
  }
  batch_reset(b);
  int n = -1;
  /* each failure reports and clears one pending error of the socket; then packets may follow */
  for (int tries = 0; tries < 3 && n < 0; tries++) {
    n = recvmmsg(l->fd, mm, BATCH_MAX, MSG_DONTWAIT, NULL);
    if (n < 0 && errno == EAGAIN)
      return LINK_AGAIN;
    if (n < 0 && is_fatal(errno))
      return lost(errno, "receive", f);
    if (n < 0)
      note_error(l, errno);
  }
  for (int i = 0; i < n; i++) {
    b->p[b->n++] = (Packet){batch_room(b, (unsigned)i), mm[i].msg_len};
    stats->link_rx_bytes += mm[i].msg_len;
    stats->link_rx_packets++;
  }
  if (n > 0)
    l->heard = true;
  return n > 0 ? LINK_OK : LINK_AGAIN;
}

static LinkResult udp_send(Link *l, Batch *b, OvpnStats *stats, OvpnFailure *f)
{
  struct mmsghdr mm[BATCH_MAX];
  struct iovec iov[BATCH_MAX];
  unsigned total = b->n - b->first;
  memset(mm, 0, total * sizeof mm[0]);
  for (unsigned i = 0; i < total; i++) {
    iov[i] = (struct iovec){b->p[b->first + i].data, b->p[b->first + i].len};
    mm[i].msg_hdr.msg_iov = &iov[i];
    mm[i].msg_hdr.msg_iovlen = 1;
  }
  unsigned done = 0;
  bool again = false; /* the first packet of this call has met an error of an earlier one */
  while (done < total) {
    int n = sendmmsg(l->fd, mm + done, total - done, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n > 0) {
      for (int i = 0; i < n; i++, done++)
        stats->link_tx_bytes += iov[done].iov_len;
      stats->link_tx_packets += (unsigned)n;
      again = false;
      continue;
    }
    if (errno == EAGAIN) {
      b->first += done;
      return LINK_AGAIN;
    }
    if (is_fatal(errno))
      return lost(errno, "send", f);
    note_error(l, errno);
    if (errno == ECONNREFUSED && !again) {
      again = true; /* it belonged to an earlier packet: this one has not been sent yet */
      continue;
    }
    again = false;
    stats->drops_link++;
    done++;
  }
  batch_reset(b);
  return LINK_OK;
}

const LinkOps link_udp_ops = {udp_recv, udp_send};
