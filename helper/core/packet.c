/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control packet bodies: acknowledgements, message id, payload. spec §2.4.
 *
 * Trusts nothing: with the plain wrapping these bytes come straight from the network. Pure: the
 * decoded form is views into the input, and *ret is written only when everything was well-formed.
 */
#include "helper/core/packet.h"
#include <assert.h>

bool ovpn_op_is_control(uint8_t op)
{
  switch (op) {
  case OVPN_OP_SOFT_RESET_V1:
  case OVPN_OP_CONTROL_V1:
  case OVPN_OP_ACK_V1:
  case OVPN_OP_HARD_RESET_CLIENT_V2:
  case OVPN_OP_HARD_RESET_SERVER_V2:
  case OVPN_OP_HARD_RESET_CLIENT_V3:
  case OVPN_OP_CONTROL_WKC_V1:
    return true;
  }
  return false;
}

static bool is_hard_reset(uint8_t op)
{
  return op == OVPN_OP_HARD_RESET_CLIENT_V2 || op == OVPN_OP_HARD_RESET_SERVER_V2 ||
         op == OVPN_OP_HARD_RESET_CLIENT_V3;
}

OvpnStatus ovpn_packet_decode_body(uint8_t opcode, const uint8_t *body, size_t len,
                                   OvpnPacketBody *ret)
{
  if (!ovpn_op_is_control(opcode))
    return OVPN_DROP_OPCODE;
  OvpnReader r = ovpn_reader(body, len);
  OvpnPacketBody b = {.has_id = opcode != OVPN_OP_ACK_V1};
  b.n_acks = ovpn_read_u8(&r);
  if (b.n_acks > OVPN_ACKS_MAX)
    return OVPN_DROP_FORMAT;
  for (unsigned i = 0; i < b.n_acks; i++)
    b.acks[i] = ovpn_read_u32(&r);
  if (b.n_acks > 0)
    ovpn_read_copy(&r, b.remote_sid, OVPN_SID_LEN);
  if (b.has_id) {
    b.id = ovpn_read_u32(&r);
    b.payload_len = ovpn_reader_left(&r);
    b.payload = ovpn_read_bytes(&r, b.payload_len);
  }
  if (!r.ok)
    return OVPN_DROP_TRUNCATED;
  /* A hard reset starts the numbering (spec §3). */
  if (is_hard_reset(opcode) && b.id != 0)
    return OVPN_DROP_FORMAT;
  *ret = b;
  return OVPN_OK;
}

void ovpn_packet_encode_body(OvpnWriter *w, const OvpnPacketBody *b)
{
  assert(b->n_acks <= OVPN_ACKS_MAX);
  ovpn_write_u8(w, b->n_acks);
  for (unsigned i = 0; i < b->n_acks; i++)
    ovpn_write_u32(w, b->acks[i]);
  if (b->n_acks > 0)
    ovpn_write_bytes(w, b->remote_sid, OVPN_SID_LEN);
  if (b->has_id) {
    ovpn_write_u32(w, b->id);
    ovpn_write_bytes(w, b->payload, b->payload_len);
  }
}
