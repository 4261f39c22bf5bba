/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way through a proxy. */
#pragma once
#include <sys/epoll.h>
#include "helper/core/proxy.h"

typedef struct Engine Engine;

typedef struct Via {
  OvpnProxy *machine; /* NULL = there is no proxy, or it has done its work */
  int fd;             /* to the proxy, owned; -1 = none */
  OvpnProto proto;    /* of the link that shall come of it */
  bool ipv6;
  bool relay_wanted, socket_wanted; /* the service has been asked for a descriptor */
  OvpnSocksAddress server;          /* UDP */
  uint8_t out[2048];
  size_t out_first, out_end;
} Via;

enum { VIA_IN = EPOLLIN, VIA_BOTH = EPOLLIN | EPOLLOUT };

/* Takes fd, connected to the proxy. host: of the server; a literal for UDP. */
void via_start(Engine *e, OvpnProto proto, bool ipv6, const char *host, uint16_t port, int fd);
void via_ready(Engine *e);          /* its descriptor is */
void via_socket(Engine *e, int fd); /* SOCKET came; takes fd */
void via_answer(Engine *e);         /* name and password are in e->credentials */
void via_end(Engine *e);
uint32_t via_events(const Engine *e); /* 0 = nothing to wait for */
