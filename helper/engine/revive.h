/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Finding out, soon and without disturbing a server that is away, that it has been started anew. */
#pragma once
#include "helper/core/session.h"

typedef struct Engine Engine;

typedef struct Revive {
  OvpnSession *next;     /* asks for a new session; it only says hello until it replaces the old */
  bool works;            /* this server answers probes */
  unsigned learned;      /* probes that were sent to find that out */
  uint64_t learn_at;     /* the next of them */
  uint64_t heard;        /* when anything came last; 0 = not yet */
  uint64_t silent_since; /* payload went out, and nothing has come since; 0 = no */
  uint64_t patience;     /* how long that may last; 0 = the shortest */
  uint64_t doubt;        /* since when we ask; 0 = no */
  uint64_t probe_at, hello_at, answered;
  uint64_t socket_at; /* when the next socket may be asked for */
  bool socket_wanted;
  unsigned unanswered; /* probes since `answered` or `other`, or since the doubt */
  uint64_t other;      /* when a rival was answered, see race.h; 0 = none */
  uint64_t tell_at;    /* when the service is told that nobody answers */
  uint64_t tell_pause; /* ns; from then until it is told again */
  bool told;
  uint64_t learned_at, round_trip; /* of a probe */
  uint64_t tcp_until;              /* TCP: something has to come before, 0 = no */
  unsigned refusals; /* times that its host said nobody listens, since anything came */
} Revive;

/* Data packets moved: authenticated ones came, or payload moved at all. */
void revive_note(Engine *e, bool received, bool payload);
void revive_alive(Engine *e); /* the session has taken a control packet */
/* A control packet that was not for the session. false: nor for us. */
bool revive_input(Engine *e, const uint8_t *pkt, size_t len);
void revive_tick(Engine *e);           /* may replace the session */
bool revive_socket(Engine *e, int fd); /* SOCKET came; true: it was for us, and taken */
void revive_woken(Engine *e);          /* time has passed without us: is the server still there? */
void revive_end(Engine *e);
bool revive_doubts(const Engine *e); /* the server is being asked whether it is there */
/* A rival has been answered: race_take() follows if the server stays silent. false: it is not
 * wanted. */
bool revive_other_answered(Engine *e);
uint64_t revive_deadline(const Engine *e);
