/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way to the peer: a UDP or TCP socket that the root helper made. Batches in,
 * batches out; nothing is queued here but the partly received packet of a TCP stream. spec §1. */
#pragma once
#include <netinet/in.h>
#include "helper/core/config.h"
#include "helper/core/ipc.h"
#include "helper/core/proxy.h"
#include "helper/engine/pool.h"

typedef struct Watch { /* of a descriptor, in the epoll set */
  int fd;              /* -1 = not there */
  uint32_t events;
} Watch;

typedef struct Link Link;

typedef enum LinkResult {
  LINK_OK,    /* recv: packets are in the batch; send: everything went out */
  LINK_AGAIN, /* recv: nothing there; send: the rest stays in the batch, wait for EPOLLOUT */
  LINK_LOST,  /* *f says why */
} LinkResult;

typedef struct LinkOps {
  LinkResult (*recv)(Link *l, Batch *b, OvpnStats *stats, OvpnFailure *f);
  LinkResult (*send)(Link *l, Batch *b, OvpnStats *stats, OvpnFailure *f);
} LinkOps;

enum { LINK_STRAYS = 32 }; /* of one recv; more are dropped */
typedef struct Stray {
  Packet packet;
  struct sockaddr_storage from;
} Stray;

struct Link {
  int fd; /* owned, -1 = none */
  const LinkOps *ops;
  OvpnProto proto;
  bool ipv6;
  bool single;        /* UDP: the kernel has no UDP_SEGMENT, or the path refused it */
  size_t segment_max; /* UDP: longer datagrams go alone: fragments cannot be segments */
  bool alone;         /* UDP: the kernel has no UDP_GRO */
  bool refused;       /* UDP: the peer's host answered "port unreachable" */
  bool heard;         /* something was received */
  bool drained;       /* the last receive took all there was: no need to ask again */
  int last_error;     /* UDP: last errno that was not fatal */
  /* where packets go, so that they are not led into the tunnel again; AF_UNSPEC = not known yet */
  struct sockaddr_storage peer;
  /* UDP, not connected: packets of others are set aside until the next recv */
  bool open, errors; /* errors: the kernel has queued some */
  unsigned n_strays;
  Stray strays[LINK_STRAYS];
  /* UDP through a SOCKS proxy: in front of every datagram; head_len 0 = none */
  uint8_t head[OVPN_SOCKS_UDP_HEADER_MAX];
  uint8_t head_len;
  /* TCP only */
  size_t max_frame; /* larger lengths are a broken stream */
  uint8_t *in;      /* received bytes [in_first, in_end) */
  size_t in_first, in_end;
};

extern const LinkOps link_udp_ops, link_tcp_ops;
void link_udp_probe(Link *l); /* what the kernel has */

/* UDP: bytes of an IP packet that the kernel thinks the path takes in one piece; 0 = not known. */
unsigned link_path_mtu(const Link *l);

/* Takes over fd. false = no memory (fd is closed). */
bool link_open(Link *l, OvpnProto proto, bool ipv6, int fd);
void link_close(Link *l);
/* The descriptor is not connected: peer is where packets go, NULL = to nobody yet. */
void link_set_open(Link *l, const struct sockaddr_storage *peer);
/* One datagram to somebody who is not the peer; lost when it cannot go at once. */
void link_send_to(Link *l, const struct sockaddr_storage *to, const uint8_t *p, size_t len);
/* TCP: bytes that were received already; at most 64 KiB, before the first recv. */
void link_preload(Link *l, const uint8_t *p, size_t len);
/* TCP: packets above this are refused; `mtu` of the tunnel, 0 = not known yet. */
void link_set_mtu(Link *l, unsigned mtu);
