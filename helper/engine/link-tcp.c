/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets over a TCP stream: u16 length in front of each. Also opens and closes links of both
 * kinds. spec §1.2.
 *
 * Trust: the length is outside all authentication, and there is no resynchronisation: an impossible
 * one ends the link. Invariants: the buffer holds the largest packet twice, so a packet is always
 * complete in one piece after it was moved to the front; packets handed out are views that live
 * until the next recv; a partly sent batch is finished before anything else goes out. */
#include "helper/engine/link.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { IN_CAP = 2 * 65536 + 4096, MIN_MAX_FRAME = 2048, FRAME_EXTRA = 256, SEND_IOV = 256 };

static LinkResult lost(Link *l, int err, OvpnFailure *f)
{
  if (err == 0)
    ovpn_failure_set(f, OVPN_FAIL_LINK, "the server closed the connection");
  else if (!l->heard &&
           (err == ECONNREFUSED || err == ETIMEDOUT || err == EHOSTUNREACH || err == ENETUNREACH))
    ovpn_failure_set(f, OVPN_FAIL_CONNECT, "%s", strerror(err));
  else
    ovpn_failure_set(f, OVPN_FAIL_LINK, "%s", strerror(err));
  return LINK_LOST;
}

/* Takes complete packets out of the buffer. */
static LinkResult take_frames(Link *l, Batch *b, OvpnStats *stats, OvpnFailure *f)
{
  while (b->n < BATCH_PACKETS && l->in_end - l->in_first >= 2) {
    uint8_t *p = l->in + l->in_first;
    size_t len = (size_t)p[0] << 8 | p[1];
    if (len == 0 || len > l->max_frame) {
      ovpn_failure_set(f, OVPN_FAIL_LINK, "the stream is broken: impossible packet length %zu",
                       len);
      return LINK_LOST;
    }
    if (l->in_end - l->in_first < 2 + len)
      break;
    b->p[b->n++] = (Packet){.data = p + 2, .len = (uint32_t)len};
    l->in_first += 2 + len;
    stats->link_rx_bytes += len + 2;
    stats->link_rx_packets++;
  }
  return b->n > 0 ? LINK_OK : LINK_AGAIN;
}

static LinkResult tcp_recv(Link *l, Batch *b, OvpnStats *stats, OvpnFailure *f)
{
  batch_reset(b);
  l->drained = false;
  LinkResult r = take_frames(l, b, stats, f); /* what the last batch had no room for */
  if (r != LINK_AGAIN)
    return r;
  memmove(l->in, l->in + l->in_first, l->in_end - l->in_first);
  l->in_end -= l->in_first;
  l->in_first = 0;
  ssize_t n = recv(l->fd, l->in + l->in_end, IN_CAP - l->in_end, MSG_DONTWAIT);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return LINK_AGAIN;
  if (n <= 0)
    return lost(l, n < 0 ? errno : 0, f);
  l->heard = true;
  l->in_end += (size_t)n;
  r = take_frames(l, b, stats, f);
  l->drained = l->in_end < IN_CAP && b->n < BATCH_PACKETS;
  return r;
}

static void advance(Batch *b, size_t sent, OvpnStats *stats)
{
  stats->link_tx_bytes += sent;
  while (sent > 0 && b->first < b->n) {
    Packet *p = &b->p[b->first];
    if (sent < p->len) {
      p->data += sent;
      p->len -= (uint32_t)sent;
      return;
    }
    sent -= p->len;
    b->first++;
    stats->link_tx_packets++;
  }
}

static LinkResult tcp_send(Link *l, Batch *b, OvpnStats *stats, OvpnFailure *f)
{
  while (!batch_empty(b)) {
    struct iovec iov[SEND_IOV];
    struct msghdr m = {.msg_iov = iov};
    for (unsigned i = b->first; i < b->n && m.msg_iovlen < SEND_IOV; i++)
      iov[m.msg_iovlen++] = (struct iovec){b->p[i].data, b->p[i].len};
    ssize_t n = sendmsg(l->fd, &m, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0 && errno == EAGAIN)
      return LINK_AGAIN;
    if (n < 0)
      return lost(l, errno, f);
    advance(b, (size_t)n, stats);
  }
  batch_reset(b);
  return LINK_OK;
}

const LinkOps link_tcp_ops = {tcp_recv, tcp_send};

bool link_open(Link *l, OvpnProto proto, bool ipv6, int fd)
{
  bool tcp = proto == OVPN_PROTO_TCP;
  *l = (Link){.fd = fd, .ops = tcp ? &link_tcp_ops : &link_udp_ops, .proto = proto, .ipv6 = ipv6};
  socklen_t len = sizeof l->peer;
  if (getpeername(fd, (struct sockaddr *)&l->peer, &len) < 0)
    l->peer.ss_family =
        AF_UNSPEC; /* TCP that is still connecting has one too: this is a bad descriptor */
  link_set_mtu(l, 0);
  if (!tcp)
    link_udp_probe(l);
  if (tcp)
    l->in = malloc(IN_CAP);
  if (!tcp || l->in)
    return true;
  link_close(l);
  return false;
}

void link_set_open(Link *l, const struct sockaddr_storage *peer)
{
  l->open = true;
  l->peer = peer ? *peer : (struct sockaddr_storage){.ss_family = AF_UNSPEC};
}

void link_preload(Link *l, const uint8_t *p, size_t len)
{
  memcpy(l->in, p, len);
  l->in_end = len;
}

void link_close(Link *l)
{
  if (l->fd >= 0)
    close(l->fd);
  free(l->in);
  *l = (Link){.fd = -1};
}

void link_set_mtu(Link *l, unsigned mtu)
{
  size_t max = (size_t)mtu + FRAME_EXTRA;
  l->max_frame = max < MIN_MAX_FRAME ? MIN_MAX_FRAME : max > UINT16_MAX ? UINT16_MAX : max;
}
