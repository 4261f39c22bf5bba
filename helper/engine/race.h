/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several links ask for a session at the same time; the first that is answered is kept. */
#pragma once
#include "helper/core/session.h"
#include "helper/engine/link.h"

typedef struct Engine Engine;
typedef struct DriveLink DriveLink;

typedef struct Watch {
  int fd; /* -1 = not in the epoll set */
  uint32_t events;
} Watch;

enum { RACE_RIVALS = 4 };

typedef struct Rival {
  OvpnSession *session; /* only says hello; NULL = this place is free */
  Link link;
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
bool race_open(const Engine *e);               /* may a link be put beside the present one? */
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
