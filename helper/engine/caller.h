/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Peers that call, or call from elsewhere. */
#pragma once
#include <netinet/in.h>
#include "helper/core/welcome.h"

typedef struct Engine Engine;

enum { CALLS_MAX = 4 };

/* Somebody who receives what we send him; who he is will be seen. */
typedef struct Call {
  OvpnSession *session; /* NULL = free */
  struct sockaddr_storage from;
  uint64_t since;
} Call;

typedef struct Caller {
  OvpnWelcome *welcome; /* NULL = nobody may call */
  Call calls[CALLS_MAX];
  uint64_t told_at; /* where the peer is; 0 = never */
  bool to_tell;
} Caller;

/* The link is open: may peers call on it? false with *f: a control channel key is unusable. */
bool caller_start(Engine *e, OvpnFailure *f);
void caller_end(Engine *e);
/* A control packet that does not belong to the session. true = somebody's call. */
bool caller_input(Engine *e, const struct sockaddr_storage *from, const uint8_t *p, size_t len);
/* What the last recv of the link set aside. */
void caller_strays(Engine *e);
void caller_tick(Engine *e);
uint64_t caller_deadline(const Engine *e); /* UINT64_MAX = none */
