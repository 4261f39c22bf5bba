/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control packet bodies. spec §2.4; published packets of §26.1. */
#include "helper/core/packet.h"
#include "check.h"

static OvpnStatus decode(uint8_t op, const char *hex, OvpnPacketBody *b)
{
  static uint8_t buf[256];
  return ovpn_packet_decode_body(op, buf, check_unhex(hex, buf, sizeof(buf)), b);
}

static void test_decode(void)
{
  OvpnPacketBody b;
  CHECK_INT(decode(OVPN_OP_HARD_RESET_CLIENT_V2, "00 00000000", &b), OVPN_OK);
  CHECK(b.n_acks == 0 && b.has_id && b.id == 0 && b.payload_len == 0);
  /* CONTROL_V1 with one ack and the start of a TLS record */
  CHECK_INT(decode(OVPN_OP_CONTROL_V1, "01 00000000 eafebfa4418ae31b 00000001 160301", &b),
            OVPN_OK);
  CHECK(b.n_acks == 1 && b.acks[0] == 0 && b.id == 1 && b.payload_len == 3 && b.payload[0] == 0x16);
  CHECK(b.remote_sid[0] == 0xea && b.remote_sid[7] == 0x1b);
  /* ACK_V1 of 0, 1, 2 */
  CHECK_INT(decode(OVPN_OP_ACK_V1, "03 00000000 00000001 00000002 dd85db535623b02e", &b), OVPN_OK);
  CHECK(b.n_acks == 3 && b.acks[2] == 2 && !b.has_id && b.payload_len == 0);
  CHECK_INT(decode(OVPN_OP_ACK_V1, "00", &b), OVPN_OK);
}

static void test_refused(void)
{
  OvpnPacketBody b = {.id = 77};
  CHECK_INT(decode(OVPN_OP_CONTROL_V1, "", &b), OVPN_DROP_TRUNCATED);
  CHECK_INT(decode(OVPN_OP_CONTROL_V1, "00 000000", &b), OVPN_DROP_TRUNCATED);
  CHECK_INT(decode(OVPN_OP_CONTROL_V1, "01 00000000 dd85db535623b0", &b), OVPN_DROP_TRUNCATED);
  CHECK_INT(decode(OVPN_OP_CONTROL_V1, "01 00000000 dd85db535623b02e 02", &b), OVPN_DROP_TRUNCATED);
  CHECK_INT(decode(OVPN_OP_ACK_V1, "09 00000000", &b), OVPN_DROP_FORMAT);
  CHECK_INT(decode(OVPN_OP_HARD_RESET_SERVER_V2, "00 00000001", &b), OVPN_DROP_FORMAT);
  CHECK_INT(decode(OVPN_OP_DATA_V1, "00 00000000", &b), OVPN_DROP_OPCODE);
  CHECK_INT(decode(1, "00 00000000", &b), OVPN_DROP_OPCODE);
  CHECK_INT(b.id, 77);
  for (unsigned op = 0; op < 32; op++)
    CHECK_INT(ovpn_op_is_control((uint8_t)op),
              op == 3 || op == 4 || op == 5 || op == 7 || op == 8 || op == 10 || op == 11);
}

static void test_round_trip(void)
{
  OvpnPacketBody in = {.n_acks = 8, .has_id = true, .id = 0x01020304}, out;
  for (unsigned i = 0; i < 8; i++)
    in.acks[i] = 0xfffffff0 + i;
  memcpy(in.remote_sid, "abcdefgh", 8);
  in.payload = (const uint8_t *)"hello";
  in.payload_len = 5;
  uint8_t buf[64];
  OvpnWriter w = ovpn_writer(buf, sizeof(buf));
  ovpn_packet_encode_body(&w, &in);
  CHECK(w.ok);
  CHECK_INT(w.len, 1 + 32 + 8 + 4 + 5);
  CHECK_INT(ovpn_packet_decode_body(OVPN_OP_CONTROL_V1, buf, w.len, &out), OVPN_OK);
  CHECK(out.n_acks == 8 && out.acks[7] == 0xfffffff7 && out.id == in.id && out.payload_len == 5);
  CHECK_MEM(out.remote_sid, "abcdefgh", 8);
  CHECK_MEM(out.payload, "hello", 5);
  w = ovpn_writer(buf, 20);
  ovpn_packet_encode_body(&w, &in);
  CHECK(!w.ok);
}

int main(void)
{
  test_decode();
  test_refused();
  test_round_trip();
  TEST_END();
}
