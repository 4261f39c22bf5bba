/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ICMPv6 errors of block-ipv6: form, checksum, and what is not answered. */
#include "helper/core/unreachable.h"
#include "tests/unit/check.h"

static uint32_t sum(const uint8_t *p, size_t n)
{
  uint32_t s = 0;
  for (size_t i = 0; i < n; i++)
    s += i % 2 ? p[i] : (uint32_t)p[i] << 8;
  return s;
}

/* A packet from fd00::1 to fd00::2 with n bytes behind the head. */
static size_t packet(uint8_t *p, uint8_t next, size_t n)
{
  memset(p, 0, 40 + n);
  p[0] = 0x60;
  p[4] = (uint8_t)(n >> 8);
  p[5] = (uint8_t)n;
  p[6] = next;
  p[7] = 64;
  p[8] = p[24] = 0xfd;
  p[23] = 1;
  p[39] = 2;
  for (size_t i = 0; i < n; i++)
    p[40 + i] = (uint8_t)(0x80 + i);
  return 40 + n;
}

static void answered(uint8_t next, size_t n)
{
  uint8_t p[2000], out[OVPN_UNREACHABLE_MAX];
  size_t len = packet(p, next, n), r = ovpn_unreachable6(p, len, out, sizeof out);
  size_t quoted = len < 1232 ? len : 1232;
  CHECK_INT(r, 48 + quoted);
  CHECK_INT(out[6], 58);
  CHECK_INT(out[40], 1);
  CHECK_INT(out[41], 0);
  CHECK_MEM(out + 8, p + 24, 16);
  CHECK_MEM(out + 24, p + 8, 16);
  CHECK_MEM(out + 48, p, quoted);
  uint32_t s = sum(out + 8, r - 8) + 58 + (uint32_t)(8 + quoted);
  while (s >> 16)
    s = (s & 0xffff) + (s >> 16);
  CHECK_INT(s, 0xffff);
  CHECK_INT(ovpn_unreachable6(p, len, out, r - 1), 0);
}

/* From 10.0.0.1 to 192.0.2.1, n bytes behind the head. */
static size_t packet4(uint8_t *p, uint8_t protocol, size_t n)
{
  static const uint8_t ends[] = {10, 0, 0, 1, 192, 0, 2, 1};
  memset(p, 0, 20 + n);
  p[0] = 0x45;
  p[3] = (uint8_t)(20 + n);
  p[8] = 64;
  p[9] = protocol;
  memcpy(p + 12, ends, sizeof ends);
  p[20] = 8; /* echo request */
  return 20 + n;
}

static uint32_t folded(const uint8_t *p, size_t n)
{
  uint32_t s = sum(p, n);
  while (s >> 16)
    s = (s & 0xffff) + (s >> 16);
  return s;
}

static void test_ipv4(void)
{
  uint8_t p[128], out[OVPN_UNREACHABLE_MAX];
  static const uint8_t protocols[] = {6, 17, 1};
  for (size_t i = 0; i < sizeof protocols; i++) {
    size_t len = packet4(p, protocols[i], 40), r = ovpn_unreachable4(p, len, out, sizeof out);
    CHECK_INT(r, 56);
    CHECK_INT(out[9], 1);
    CHECK_INT(out[20], 3);
    CHECK_MEM(out + 12, p + 16, 4);
    CHECK_MEM(out + 16, p + 12, 4);
    CHECK_MEM(out + 28, p, 28);
    CHECK_INT(folded(out, 20), 0xffff);
    CHECK_INT(folded(out + 20, 36), 0xffff);
    CHECK_INT(ovpn_unreachable4(p, len, out, r - 1), 0);
    for (size_t n = 0; n < 20; n++)
      CHECK_INT(ovpn_unreachable4(p, n, out, sizeof out), 0);
  }
  static const struct {
    uint8_t at, value;
  } never[] = {{0, 0x65}, {0, 0x44}, {0, 0x4f}, {6, 1}, {7, 1},
               {12, 0},   {12, 224}, {16, 255}, {20, 3}};
  for (size_t i = 0; i < sizeof never / sizeof never[0]; i++) {
    size_t len = packet4(p, 1, 20);
    p[never[i].at] = never[i].value;
    CHECK_INT(ovpn_unreachable4(p, len, out, sizeof out), 0);
  }
}

int main(void)
{
  test_ipv4();
  uint8_t p[2000], out[OVPN_UNREACHABLE_MAX];
  answered(6, 20);
  answered(17, 9);
  answered(58, 8); /* 0x80: echo request */
  answered(17, 1452);
  size_t len = packet(p, 17, 8);
  for (size_t n = 0; n < 40; n++)
    CHECK_INT(ovpn_unreachable6(p, n, out, sizeof out), 0);
  p[24] = 0xff; /* to a group */
  CHECK_INT(ovpn_unreachable6(p, len, out, sizeof out), 0);
  len = packet(p, 17, 8);
  memset(p + 8, 0, 16); /* from nobody */
  CHECK_INT(ovpn_unreachable6(p, len, out, sizeof out), 0);
  len = packet(p, 58, 8);
  p[40] = 1; /* an error */
  CHECK_INT(ovpn_unreachable6(p, len, out, sizeof out), 0);
  len = packet(p, 0, 16); /* extension headers */
  CHECK_INT(ovpn_unreachable6(p, len, out, sizeof out), 0);
  len = packet(p, 17, 8);
  p[0] = 0x45;
  CHECK_INT(ovpn_unreachable6(p, len, out, sizeof out), 0);
  TEST_END();
}
