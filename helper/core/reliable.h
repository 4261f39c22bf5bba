/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The reliable layer of one key_id: numbering, window, acks, retransmission deadlines. spec §3.
 * Knows nothing of wrapping or TLS. Time in ns from the caller. Fixed memory. */
#pragma once
#include "packet.h"

enum { OVPN_SEND_WINDOW = 6, OVPN_RECV_WINDOW = 12, OVPN_MSG_MAX = 1400 /* payload bytes */ };

typedef struct OvpnSendSlot {
  bool used, wkc, sent;
  uint8_t opcode;
  uint32_t id;
  uint16_t len;
  uint8_t later_acks;
  uint8_t steady;              /* so many times more the timeout is not doubled */
  uint64_t next_send, timeout; /* ns */
  uint64_t sent_at;            /* ns; the only transmission so far, 0 = none or several */
  uint8_t data[OVPN_MSG_MAX];
} OvpnSendSlot;
typedef struct OvpnRecvSlot {
  bool used;
  uint8_t opcode;
  uint16_t len;
  uint8_t data[OVPN_PACKET_MAX];
} OvpnRecvSlot;

typedef struct OvpnReliable {
  uint32_t next_send_id, next_recv_id;
  uint64_t initial_timeout; /* ns; the largest there is before doubling */
  uint64_t round_trip;      /* ns, the newest measurement; 0 = none yet */
  OvpnSendSlot send[OVPN_SEND_WINDOW];
  OvpnRecvSlot recv[OVPN_RECV_WINDOW]; /* slot = id % window */
  uint32_t acks[OVPN_ACKS_MAX];
  unsigned n_acks; /* pending */
  uint32_t mru[OVPN_ACKS_MAX];
  unsigned n_mru; /* recently sent, newest first */
} OvpnReliable;

void ovpn_reliable_init(OvpnReliable *r, uint64_t initial_timeout);
/* Send side */
bool ovpn_reliable_can_send(const OvpnReliable *r); /* a slot is free */
bool ovpn_reliable_idle(const OvpnReliable *r);     /* everything acknowledged */
/* Queues a message to be sent now. false = no slot or too long. wkc: append WKc on every
 * transmission. */
bool ovpn_reliable_queue(OvpnReliable *r, uint8_t opcode, const void *data, size_t len, bool wkc,
                         uint64_t now);
/* The next message due at `now` (lowest id first), NULL if none; doubles its timeout. */
const OvpnSendSlot *ovpn_reliable_due(OvpnReliable *r, uint64_t now);
void ovpn_reliable_acked(OvpnReliable *r, uint32_t id,
                         uint64_t now); /* also counts fast retransmit */
void ovpn_reliable_hurry(OvpnReliable *r,
                         uint64_t now); /* resend all pending now (first reset reply) */
uint64_t ovpn_reliable_deadline(const OvpnReliable *r); /* ns, UINT64_MAX = none */
/* Receive side. record: OK = new, stored and ack queued; DROP_REPLAY = duplicate (ack queued
 * again); DROP_WINDOW = too far ahead (no ack). */
OvpnStatus ovpn_reliable_record(OvpnReliable *r, uint8_t opcode, uint32_t id, const void *data,
                                size_t len);
/* The next in-order message or NULL; pop releases it. */
const OvpnRecvSlot *ovpn_reliable_peek(const OvpnReliable *r);
void ovpn_reliable_pop(OvpnReliable *r);
/* Fills b->acks with up to max pending acks, then with recently sent ones (only if fill). Pending
 * ones are taken off the queue. */
void ovpn_reliable_take_acks(OvpnReliable *r, OvpnPacketBody *b, unsigned max, bool fill);
bool ovpn_reliable_has_acks(const OvpnReliable *r);
