/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way through a proxy: the engine's own (e->via), or that of a rival (race.h). */
#pragma once
#include <sys/epoll.h>
#include "helper/core/proxy.h"
#include "helper/engine/link.h"

typedef struct Engine Engine;
typedef struct DriveLink DriveLink;

typedef struct Via {
  OvpnProxy *machine; /* NULL = there is no proxy, or it has done its work */
  int fd;             /* to the proxy, owned; -1 = none */
  Watch watch;
  uint16_t number; /* of the link, and its remote, whose options hold */
  unsigned remote;
  OvpnProto proto; /* of the link that shall come of it */
  bool ipv6;
  bool relay_wanted, socket_wanted; /* the service has been asked for a descriptor */
  OvpnSocksAddress server;          /* UDP */
  uint8_t out[2048];
  size_t out_first, out_end;
} Via;

enum { VIA_IN = EPOLLIN, VIA_BOTH = EPOLLIN | EPOLLOUT };

void via_init(Via *v);
/* Takes l->fd, connected to the proxy. l->host: the server; a literal for UDP. */
void via_start(Engine *e, Via *v, const DriveLink *l);
void via_ready(Engine *e, Via *v); /* its descriptor is */
/* SOCKET came; takes fd */
void via_socket(Engine *e, uint16_t number, int fd);
void via_answer(
    Engine *e); /* name and password are in e->credentials, for all that wait for them */
void via_end(Engine *e, Via *v);
uint32_t via_events(const Via *v); /* 0 = nothing to wait for */
