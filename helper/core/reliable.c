/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reliable layer of one key_id. spec §3.
 *
 * Trusts its input as far as the wrapping authenticates it, so everything stays bounded: six
 * messages out, twelve in, eight acknowledgements. Invariants: used send slots hold ids within
 * OVPN_SEND_WINDOW of each other (an old peer with a small receive window is never overrun); used
 * receive slots hold ids in [next_recv_id, next_recv_id + OVPN_RECV_WINDOW), each in slot id %
 * OVPN_RECV_WINDOW. */
#include "helper/core/reliable.h"
#include <assert.h>

enum { FAST_RETRANSMIT_ACKS = 3, ROUND_TRIPS = 3 };
static const uint64_t LEAST_TIMEOUT = 300000000u; /* ns; of a peer that is busy for a moment, too */

void ovpn_reliable_init(OvpnReliable *r, uint64_t initial_timeout)
{
  memset(r, 0, sizeof(*r));
  r->initial_timeout = initial_timeout;
}

static OvpnSendSlot *lowest(OvpnReliable *r, uint64_t due_at)
{
  OvpnSendSlot *found = NULL;
  for (OvpnSendSlot *s = r->send; s < r->send + OVPN_SEND_WINDOW; s++)
    if (s->used && s->next_send <= due_at && (!found || s->id < found->id))
      found = s;
  return found;
}

bool ovpn_reliable_can_send(const OvpnReliable *r)
{
  bool room = false;
  for (unsigned i = 0; i < OVPN_SEND_WINDOW; i++) {
    const OvpnSendSlot *s = &r->send[i];
    if (!s->used)
      room = true;
    else if (r->next_send_id - s->id >= OVPN_SEND_WINDOW)
      return false;
  }
  return room && r->next_send_id != UINT32_MAX;
}

bool ovpn_reliable_idle(const OvpnReliable *r)
{
  for (unsigned i = 0; i < OVPN_SEND_WINDOW; i++)
    if (r->send[i].used)
      return false;
  return true;
}

/* A loss on a path that is known to be quick need not cost the two seconds of tls-timeout. */
static uint64_t first_timeout(const OvpnReliable *r)
{
  if (r->round_trip == 0 || r->round_trip > r->initial_timeout / ROUND_TRIPS)
    return r->initial_timeout;
  uint64_t t = r->round_trip * ROUND_TRIPS;
  t = t < LEAST_TIMEOUT ? LEAST_TIMEOUT : t;
  return t < r->initial_timeout ? t : r->initial_timeout;
}

bool ovpn_reliable_queue(OvpnReliable *r, uint8_t opcode, const void *data, size_t len, bool wkc,
                         uint64_t now)
{
  if (len > OVPN_MSG_MAX || !ovpn_reliable_can_send(r))
    return false;
  OvpnSendSlot *s = r->send;
  while (s->used)
    s++;
  s->used = true;
  s->wkc = wkc;
  s->opcode = opcode;
  s->id = r->next_send_id++;
  s->len = (uint16_t)len;
  s->later_acks = 0;
  s->steady = 0;
  s->next_send = now;
  s->sent = false;
  s->sent_at = 0;
  s->timeout = first_timeout(r);
  if (len)
    memcpy(s->data, data, len);
  return true;
}

static uint64_t later(uint64_t t, uint64_t by)
{
  return by > UINT64_MAX - 1 - t ? UINT64_MAX - 1 : t + by;
}

const OvpnSendSlot *ovpn_reliable_due(OvpnReliable *r, uint64_t now)
{
  OvpnSendSlot *s = lowest(r, now);
  if (!s)
    return NULL;
  s->sent_at = s->sent || now == 0 ? 0 : now;
  s->sent = true;
  s->next_send = later(now, s->timeout);
  if (s->steady > 0)
    s->steady--;
  else
    s->timeout = later(s->timeout, s->timeout);
  s->later_acks = 0;
  return s;
}

void ovpn_reliable_acked(OvpnReliable *r, uint32_t id, uint64_t now)
{
  bool news = false;
  for (unsigned i = 0; i < OVPN_SEND_WINDOW; i++) {
    OvpnSendSlot *s = &r->send[i];
    if (s->used && s->id == id) {
      s->used = false;
      news = true;
      if (s->sent_at && now > s->sent_at)
        r->round_trip = now - s->sent_at;
    }
  }
  /* Repeated acks are common (peers fill free places with them) and say nothing about a loss. */
  for (unsigned i = 0; news && i < OVPN_SEND_WINDOW; i++) {
    OvpnSendSlot *s = &r->send[i];
    if (s->used && s->id < id && ++s->later_acks >= FAST_RETRANSMIT_ACKS) {
      s->later_acks = 0;
      if (s->next_send > now)
        s->next_send = now;
    }
  }
}

void ovpn_reliable_hurry(OvpnReliable *r, uint64_t now)
{
  for (unsigned i = 0; i < OVPN_SEND_WINDOW; i++) {
    OvpnSendSlot *s = &r->send[i];
    if (s->used) {
      s->next_send = now;
      s->timeout = r->initial_timeout;
    }
  }
}

uint64_t ovpn_reliable_deadline(const OvpnReliable *r)
{
  uint64_t t = UINT64_MAX;
  for (unsigned i = 0; i < OVPN_SEND_WINDOW; i++)
    if (r->send[i].used && r->send[i].next_send < t)
      t = r->send[i].next_send;
  return t;
}

static bool contains(const uint32_t *ids, unsigned n, uint32_t id)
{
  for (unsigned i = 0; i < n; i++)
    if (ids[i] == id)
      return true;
  return false;
}

/* With a full list the ack is left out: the peer sends the message again and gets it then. */
static void queue_ack(OvpnReliable *r, uint32_t id)
{
  if (r->n_acks < OVPN_ACKS_MAX && !contains(r->acks, r->n_acks, id))
    r->acks[r->n_acks++] = id;
}

OvpnStatus ovpn_reliable_record(OvpnReliable *r, uint8_t opcode, uint32_t id, const void *data,
                                size_t len)
{
  OvpnRecvSlot *s = &r->recv[id % OVPN_RECV_WINDOW];
  if (len > sizeof(s->data))
    return OVPN_DROP_FORMAT;
  if (id >= r->next_recv_id && id - r->next_recv_id >= OVPN_RECV_WINDOW)
    return OVPN_DROP_WINDOW;
  queue_ack(r, id);
  if (id < r->next_recv_id || s->used)
    return OVPN_DROP_REPLAY;
  s->used = true;
  s->opcode = opcode;
  s->len = (uint16_t)len;
  if (len)
    memcpy(s->data, data, len);
  return OVPN_OK;
}

const OvpnRecvSlot *ovpn_reliable_peek(const OvpnReliable *r)
{
  const OvpnRecvSlot *s = &r->recv[r->next_recv_id % OVPN_RECV_WINDOW];
  return s->used ? s : NULL;
}

void ovpn_reliable_pop(OvpnReliable *r)
{
  OvpnRecvSlot *s = &r->recv[r->next_recv_id % OVPN_RECV_WINDOW];
  assert(s->used);
  s->used = false;
  r->next_recv_id++;
}

static void remember(OvpnReliable *r, uint32_t id)
{
  unsigned at = 0;
  while (at < r->n_mru && r->mru[at] != id)
    at++;
  if (at == r->n_mru) {
    if (r->n_mru < OVPN_ACKS_MAX)
      r->n_mru++;
    at = r->n_mru - 1;
  }
  memmove(r->mru + 1, r->mru, at * sizeof(r->mru[0]));
  r->mru[0] = id;
}

void ovpn_reliable_take_acks(OvpnReliable *r, OvpnPacketBody *b, unsigned max, bool fill)
{
  if (max > OVPN_ACKS_MAX)
    max = OVPN_ACKS_MAX;
  unsigned n = r->n_acks < max ? r->n_acks : max;
  if (n)
    memcpy(b->acks, r->acks, n * sizeof(r->acks[0]));
  r->n_acks -= n;
  memmove(r->acks, r->acks + n, r->n_acks * sizeof(r->acks[0]));
  for (unsigned i = 0; i < n; i++)
    remember(r, b->acks[i]);
  for (unsigned i = 0; fill && n < max && i < r->n_mru; i++)
    if (!contains(b->acks, n, r->mru[i]))
      b->acks[n++] = r->mru[i];
  b->n_acks = (uint8_t)n;
}

bool ovpn_reliable_has_acks(const OvpnReliable *r)
{
  return r->n_acks > 0;
}
