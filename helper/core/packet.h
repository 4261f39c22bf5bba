/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control packet header and body. spec §2, §3. Pure codec; nothing is believed here. */
#pragma once
#include "status.h"
#include "wire.h"

enum {
  OVPN_OP_SOFT_RESET_V1 = 3,
  OVPN_OP_CONTROL_V1 = 4,
  OVPN_OP_ACK_V1 = 5,
  OVPN_OP_DATA_V1 = 6,
  OVPN_OP_HARD_RESET_CLIENT_V2 = 7,
  OVPN_OP_HARD_RESET_SERVER_V2 = 8,
  OVPN_OP_DATA_V2 = 9,
  OVPN_OP_HARD_RESET_CLIENT_V3 = 10,
  OVPN_OP_CONTROL_WKC_V1 = 11,
};
enum {
  OVPN_SID_LEN = 8,
  OVPN_ACKS_MAX = 8,
  OVPN_HEAD_LEN = 9 /* opcode + own session id */,
  OVPN_PACKET_MAX = 2048
};

static inline uint8_t ovpn_opcode(uint8_t first)
{
  return first >> 3;
}
static inline uint8_t ovpn_key_id(uint8_t first)
{
  return first & 7;
}
static inline bool ovpn_op_is_data(uint8_t op)
{
  return op == OVPN_OP_DATA_V1 || op == OVPN_OP_DATA_V2;
}
bool ovpn_op_is_control(uint8_t op); /* one of the known control opcodes, either direction */

/* The body: what is inside the wrapping (ack_count ... payload). */
typedef struct OvpnPacketBody {
  uint8_t n_acks;
  uint32_t acks[OVPN_ACKS_MAX];
  uint8_t remote_sid[OVPN_SID_LEN]; /* valid when n_acks > 0 */
  bool has_id;                      /* false in ACK_V1 */
  uint32_t id;
  const uint8_t *payload; /* view */
  size_t payload_len;
} OvpnPacketBody;

OvpnStatus ovpn_packet_decode_body(uint8_t opcode, const uint8_t *body, size_t len,
                                   OvpnPacketBody *ret);
void ovpn_packet_encode_body(OvpnWriter *w, const OvpnPacketBody *b);
