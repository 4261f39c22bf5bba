/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets over a UDP socket, many per system call. spec §1.1, §1.3.
 *
 * Trust: nothing received is believed here; the kernel filters by source address, or, where the
 * socket is not connected, we do: packets of others are set aside, a bounded number. Errors that
 * the network causes (ICMP answers, full queues, no route for a moment) never end a session: its
 * own time-outs do. */
#include "helper/engine/link.h"
#include <errno.h>
#include <linux/errqueue.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>
#include "helper/core/address.h"

#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

enum {
  RECV_BUFFERS = 16,
  SEND_MESSAGES = 64,
  SEND_PACKETS = 512,
  SEND_PARTS = 2 * SEND_PACKETS, /* a head and a packet */
  SEGMENTS_MAX = 64,             /* per message, in older kernels */
  SEGMENTED_MAX = 65507,         /* bytes per message */
};
_Static_assert((int)RECV_BUFFERS <= (int)BATCH_MAX && RECV_BUFFERS * 64 <= (int)BATCH_PACKETS,
               "batch");

typedef union RecvControl {
  char buf[CMSG_SPACE(sizeof(int))];
  struct cmsghdr align;
} RecvControl;

typedef union SegmentControl {
  char buf[CMSG_SPACE(sizeof(uint16_t)) + CMSG_SPACE(sizeof(int))];
  struct cmsghdr align;
} SegmentControl;

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

/* Size of the datagrams in a buffer, all alike but the last; 0 = there is one. */
static size_t segment_size(struct msghdr *m)
{
  for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
    int size = 0;
    if (c->cmsg_level != SOL_UDP || c->cmsg_type != UDP_GRO || c->cmsg_len < CMSG_LEN(sizeof size))
      continue;
    memcpy(&size, CMSG_DATA(c), sizeof size);
    return size > 0 ? (size_t)size : 0;
  }
  return 0;
}

/* The datagrams of one buffer become packets where they are. */
static void take_buffer(Batch *b, uint8_t *p, size_t len, size_t size, OvpnStats *stats)
{
  stats->link_rx_bytes += len;
  stats->link_rx_calls++;
  do {
    size_t n = size && size < len ? size : len;
    if (b->n >= BATCH_PACKETS) {
      stats->drops_link++;
      return;
    }
    b->p[b->n++] = (Packet){.data = p, .len = (uint32_t)n};
    stats->link_rx_packets++;
    p += n;
    len -= n;
  } while (len > 0);
}

/* What a SOCKS proxy put in front; datagrams without it are nobody's. */
static void remove_heads(Batch *b, OvpnStats *stats)
{
  unsigned kept = 0;
  for (unsigned i = 0; i < b->n; i++) {
    Packet p = b->p[i];
    size_t len = p.len;
    if (ovpn_socks_udp_remove(&p.data, &len, NULL) != OVPN_OK) {
      stats->drops_link++;
      continue;
    }
    p.len = (uint32_t)len;
    b->p[kept++] = p;
  }
  b->n = kept;
}

/* ---- sockets that are not connected ---- */

/* A buffer holds datagrams of one sender. */
static void set_aside(Link *l, uint8_t *p, size_t len, size_t size,
                      const struct sockaddr_storage *from, OvpnStats *stats)
{
  stats->link_rx_calls++;
  stats->link_rx_bytes += len;
  do {
    size_t n = size && size < len ? size : len;
    stats->link_rx_packets++;
    if (l->n_strays < LINK_STRAYS)
      l->strays[l->n_strays++] = (Stray){.packet = {.data = p, .len = (uint32_t)n}, .from = *from};
    else
      stats->drops_link++;
    p += n;
    len -= n;
  } while (len > 0);
}

/* Errors of such a socket name the address they are about; those of strangers do not matter. */
static void drain_errors(Link *l)
{
  enum { ERRORS_MAX = 32 };
  for (int i = 0; i < ERRORS_MAX; i++) {
    struct sockaddr_storage to = {0};
    union {
      char buf[512];
      struct cmsghdr align;
    } control;
    struct msghdr m = {.msg_name = &to,
                       .msg_namelen = sizeof to,
                       .msg_control = control.buf,
                       .msg_controllen = sizeof control.buf};
    if (recvmsg(l->fd, &m, MSG_ERRQUEUE | MSG_DONTWAIT) < 0)
      break;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&m); c; c = CMSG_NXTHDR(&m, c)) {
      struct sock_extended_err err;
      bool ours = (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_RECVERR) ||
                  (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_RECVERR);
      if (!ours || c->cmsg_len < CMSG_LEN(sizeof err) || !ovpn_address_same(&to, &l->peer))
        continue;
      memcpy(&err, CMSG_DATA(c), sizeof err);
      note_error(l, (int)err.ee_errno);
    }
  }
  l->errors = false;
}

void link_send_to(Link *l, const struct sockaddr_storage *to, const uint8_t *p, size_t len)
{
  (void)sendto(l->fd, p, len, MSG_DONTWAIT | MSG_NOSIGNAL, (const struct sockaddr *)to,
               ovpn_address_len(to));
}

static LinkResult udp_recv(Link *l, Batch *b, OvpnStats *stats, OvpnFailure *f)
{
  struct mmsghdr mm[RECV_BUFFERS];
  struct iovec iov[RECV_BUFFERS];
  RecvControl control[RECV_BUFFERS];
  struct sockaddr_storage from[RECV_BUFFERS];
  memset(mm, 0, sizeof mm);
  l->n_strays = 0;
  for (unsigned i = 0; i < RECV_BUFFERS; i++) {
    iov[i] = (struct iovec){batch_room(b, i), PACKET_MAX};
    mm[i].msg_hdr = (struct msghdr){.msg_iov = &iov[i],
                                    .msg_iovlen = 1,
                                    .msg_control = control[i].buf,
                                    .msg_controllen = sizeof control[i].buf,
                                    .msg_name = l->open ? &from[i] : NULL,
                                    .msg_namelen = l->open ? sizeof from[i] : 0};
  }
  batch_reset(b);
  if (l->errors)
    drain_errors(l);
  int n = -1;
  /* each failure reports and clears one pending error of the socket; then packets may follow */
  for (int tries = 0; tries < 3 && n < 0; tries++) {
    n = recvmmsg(l->fd, mm, RECV_BUFFERS, MSG_DONTWAIT, NULL);
    if (n < 0 && errno == EAGAIN)
      return LINK_AGAIN;
    if (n < 0 && is_fatal(errno))
      return lost(errno, "receive", f);
    if (n < 0 && l->open)
      drain_errors(l);
    else if (n < 0)
      note_error(l, errno);
  }
  l->drained = n < RECV_BUFFERS;
  for (int i = 0; i < n; i++) {
    uint8_t *p = batch_room(b, (unsigned)i);
    size_t size = segment_size(&mm[i].msg_hdr);
    if (l->open && !ovpn_address_same(&from[i], &l->peer))
      set_aside(l, p, mm[i].msg_len, size, &from[i], stats);
    else
      take_buffer(b, p, mm[i].msg_len, size, stats);
  }
  if (l->open ? b->n > 0 : n > 0)
    l->heard = true;
  if (l->head_len)
    remove_heads(b, stats);
  return n > 0 ? LINK_OK : LINK_AGAIN;
}

/* Messages of one call. A run of datagrams of one size, of which the last may be shorter, is one
 * message that the kernel or the network card cuts up. */
typedef struct SendCall {
  unsigned n, packets;
  struct mmsghdr mm[SEND_MESSAGES];
  unsigned parts;
  uint16_t runs[SEND_MESSAGES]; /* packets in each message */
  struct iovec iov[SEND_PARTS];
  SegmentControl control[SEND_MESSAGES];
} SendCall;

static unsigned run_length(const Link *l, const Packet *p, unsigned max)
{
  unsigned n = 1;
  size_t size = p[0].len, head = l->head_len, total = head + size;
  if (l->single || size == 0 || total > l->segment_max)
    return 1;
  max = max < SEGMENTS_MAX ? max : SEGMENTS_MAX;
  while (n < max && p[n].len > 0 && p[n].len <= size && p[n].tos == p[0].tos &&
         total + head + p[n].len <= SEGMENTED_MAX) {
    total += head + p[n].len;
    if (p[n++].len < size)
      break;
  }
  return n;
}

/* Appends to the message that is being made. */
static void add_control(SendCall *c, int level, int type, const void *value, size_t size)
{
  struct msghdr *m = &c->mm[c->n].msg_hdr;
  char *buf = c->control[c->n].buf;
  struct cmsghdr *h = (struct cmsghdr *)(void *)(buf + m->msg_controllen);
  memset(h, 0, CMSG_SPACE(size));
  h->cmsg_level = level;
  h->cmsg_type = type;
  h->cmsg_len = CMSG_LEN(size);
  memcpy(CMSG_DATA(h), value, size);
  m->msg_control = buf;
  m->msg_controllen += CMSG_SPACE(size);
}

static void add_message(const Link *l, SendCall *c, const Packet *p, unsigned n)
{
  struct msghdr *m = &c->mm[c->n].msg_hdr;
  *m = (struct msghdr){.msg_iov = &c->iov[c->parts], .msg_iovlen = l->head_len ? 2 * n : n};
  if (l->open) {
    m->msg_name = (void *)(uintptr_t)&l->peer;
    m->msg_namelen = ovpn_address_len(&l->peer);
  }
  for (unsigned i = 0; i < n; i++) {
    if (l->head_len)
      c->iov[c->parts++] = (struct iovec){(void *)(uintptr_t)l->head, l->head_len};
    c->iov[c->parts++] = (struct iovec){p[i].data, p[i].len};
  }
  c->packets += n;
  c->runs[c->n] = (uint16_t)n;
  if (n > 1) {
    uint16_t size = (uint16_t)(l->head_len + p[0].len);
    add_control(c, SOL_UDP, UDP_SEGMENT, &size, sizeof size);
  }
  if (p[0].tos) {
    int tos = p[0].tos;
    if (l->ipv6)
      add_control(c, IPPROTO_IPV6, IPV6_TCLASS, &tos, sizeof tos);
    else
      add_control(c, IPPROTO_IP, IP_TOS, &tos, sizeof tos);
  }
  c->n++;
}

static int send_some(const Link *l, const Batch *b, SendCall *c)
{
  c->n = c->packets = c->parts = 0;
  for (unsigned i = b->first; i < b->n && c->n < SEND_MESSAGES && c->packets < SEND_PACKETS;) {
    unsigned left = b->n - i, room = SEND_PACKETS - c->packets;
    unsigned n = run_length(l, &b->p[i], left < room ? left : room);
    add_message(l, c, &b->p[i], n);
    i += n;
  }
  return sendmmsg(l->fd, c->mm, c->n, MSG_DONTWAIT | MSG_NOSIGNAL);
}

static void note_sent(Batch *b, const SendCall *c, unsigned n, OvpnStats *stats)
{
  for (unsigned i = 0; i < n; i++) {
    stats->link_tx_bytes += c->mm[i].msg_len;
    stats->link_tx_packets += c->runs[i];
    b->first += c->runs[i];
  }
  stats->link_tx_calls += n;
}

unsigned link_path_mtu(const Link *l)
{
  int mtu = 0;
  socklen_t len = sizeof mtu;
  if (l->proto != OVPN_PROTO_UDP || l->open ||
      getsockopt(l->fd, l->ipv6 ? IPPROTO_IPV6 : IPPROTO_IP, l->ipv6 ? IPV6_MTU : IP_MTU, &mtu,
                 &len) < 0)
    return 0;
  return mtu > 0 ? (unsigned)mtu : 0;
}

/* A message with UDP_SEGMENT was refused. Nothing of it has been sent. Longer segments than the
 * path takes in one piece are the one curable reason: those go alone, the others together as
 * before. */
static void give_up_segments(Link *l, size_t size, int err, OvpnStats *stats)
{
  unsigned mtu = link_path_mtu(l);
  size_t heads = l->ipv6 ? 48 : 28;
  if (l->open) /* no connection, so no path to ask about; most have the MTU of Ethernet */
    mtu = 1500;
  if (err != EIO && mtu > heads && size > mtu - heads) {
    l->segment_max = mtu - heads;
    return;
  }
  l->single = true;
  stats->fallbacks++;
}

static LinkResult udp_send(Link *l, Batch *b, OvpnStats *stats, OvpnFailure *f)
{
  SendCall c;
  if (l->open && l->peer.ss_family == AF_UNSPEC)
    b->first = b->n;  /* nobody is there */
  bool again = false; /* the first packet of this call has met an error of an earlier one */
  while (!batch_empty(b)) {
    int n = send_some(l, b, &c);
    if (n > 0) {
      note_sent(b, &c, (unsigned)n, stats);
      again = false;
      continue;
    }
    int err = errno;
    unsigned first = c.runs[0];
    if (err == EAGAIN)
      return LINK_AGAIN;
    if (is_fatal(err) && !(first > 1 && err == EOPNOTSUPP))
      return lost(err, "send", f);
    if (first > 1 && (err == EINVAL || err == EIO || err == EMSGSIZE || err == EOPNOTSUPP)) {
      give_up_segments(l, c.iov[0].iov_len, err, stats);
      continue;
    }
    if (!l->open || err != ECONNREFUSED)
      note_error(l, err);
    if (l->open)
      drain_errors(l);
    if (err == ECONNREFUSED && !again) {
      again = true; /* it belonged to an earlier packet: this one has not been sent yet */
      continue;
    }
    again = false;
    stats->drops_link += first;
    b->first += first;
  }
  batch_reset(b);
  return LINK_OK;
}

/* A kernel without UDP_SEGMENT does not complain about the control message, it ignores it. */
void link_udp_probe(Link *l)
{
  int value = 0;
  socklen_t len = sizeof value;
  l->segment_max = UINT16_MAX;
  l->single = getsockopt(l->fd, SOL_UDP, UDP_SEGMENT, &value, &len) < 0;
  value = 0;
  l->alone = getsockopt(l->fd, SOL_UDP, UDP_GRO, &value, &len) < 0 || !value;
}

const LinkOps link_udp_ops = {udp_recv, udp_send};
