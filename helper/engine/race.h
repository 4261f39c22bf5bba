/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several links ask for a session at the same time; the first that is answered is kept. */
#pragma once
#include "helper/core/session.h"
#include "helper/engine/link.h"
#include "helper/engine/via.h"

typedef struct Engine Engine;
typedef struct DriveLink DriveLink;

enum { RACE_RIVALS = 4 };

typedef struct Rival {
  OvpnSession *session; /* only says hello; NULL = none yet */
  Link link;
  Via via; /* the way to it; without a machine and a session this place is free */
  Watch watch;
  uint16_t number;
  unsigned remote; /* whose options hold */
  bool answered;   /* while a tunnel is up: it waits for the end of that */
} Rival;

typedef struct Race {
  uint16_t number; /* of the link that is the engine's own; the service counts them */
  unsigned remote;
  bool answered; /* that one has been */
  Rival rivals[RACE_RIVALS];
} Race;

void race_init(Engine *e);
bool race_open(const Engine *e); /* may a link be put beside the present one? */
/* What becomes of a rival's way through a proxy, whose options are selected: a link, whose fd is
 * taken; NULL = it has lost already, or this is the end. relay: the server, for the head of
 * datagrams. */
Link *race_via_open(Engine *e, Via *v, int fd, const OvpnSocksAddress *relay);
void race_via_failed(Engine *e, Via *v, const OvpnFailure *f);
void race_via_preloaded(Engine *e, Via *v);    /* the link has packets already */
void race_join(Engine *e, const DriveLink *l); /* takes its fd */
void race_drop(Engine *e, uint16_t number);    /* without a word */
void race_ready(Engine *e, unsigned i);        /* a rival's descriptor is; it may win */
bool race_waits(const Engine *e, unsigned i);  /* there is a rival, for an answer */
void race_tick(Engine *e);                     /* deadlines and packets of the rivals */
void race_take(Engine *e);                     /* the one that was answered replaces the tunnel */
void race_answered(Engine *e);                 /* the engine's own session: the others go */
bool race_succeed(Engine *e);                  /* the own one is lost: a rival takes its place */
unsigned race_rivals(const Engine *e);         /* how many */
void race_end(Engine *e);                      /* no rivals any more */
uint64_t race_deadline(const Engine *e);
