/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which IPv6 packets a tunnel for some networks takes. */
#include "check.h"
#include "helper/engine/guard.h"

static bool lets(const Guard *g, const char *to)
{
  uint8_t p[40] = {0x60};
  CHECK_INT(check_unhex(to, p + 24, 16), 16);
  return guard_lets(g, p, sizeof p);
}

static bool read_hex(Guard *g, const char *hex)
{
  uint8_t buf[512];
  OvpnReader r = ovpn_reader(buf, check_unhex(hex, buf, sizeof buf));
  return guard_read(g, &r);
}

#define WORLD "20010db8000000000000000000000001"
#define INSIDE "fd600079000000000000000000000009"

int main(void)
{
  Guard g = {0};
  CHECK(lets(&g, WORLD)); /* off */
  CHECK(read_hex(
      &g, "01 0002 fd600079000000000000000000000000 40 fd610000000000000000000000000000 11"));
  CHECK(g.on);
  CHECK_INT(g.n, 2);
  CHECK(!lets(&g, WORLD));
  CHECK(lets(&g, INSIDE));
  CHECK(!lets(&g, "fd600079000000010000000000000009"));
  CHECK(lets(&g, "fd617fff000000000000000000000009")); /* 17 bits: fd61:0::/17 */
  CHECK(!lets(&g, "fd618000000000000000000000000009"));
  CHECK(lets(&g, "ff020000000000000000000000000001"));
  CHECK(lets(&g, "fe800000000000000000000000000001"));
  CHECK(lets(&g, "febf0000000000000000000000000001"));
  CHECK(!lets(&g, "fec00000000000000000000000000001"));
  CHECK(guard_lets(&g, (const uint8_t *)"", 0)); /* no IPv6 header: not ours to judge */
  CHECK(!read_hex(&g, "01 0001 fd60"));          /* cut off */
  CHECK(!read_hex(&g, "01 0001 fd600079000000000000000000000000 81")); /* 129 bits */
  CHECK(!read_hex(&g, "01 0000 00"));                                  /* too long */
  CHECK(!read_hex(&g, "01 ffff"));
  CHECK_INT(g.n, 2); /* as before */
  CHECK(read_hex(&g, "01 0001 00000000000000000000000000000000 00"));
  CHECK(lets(&g, WORLD));
  CHECK(read_hex(&g, "01 0000"));
  CHECK(!lets(&g, INSIDE));
  CHECK(read_hex(&g, "00 0000"));
  CHECK(lets(&g, WORLD));
  guard_clear(&g);
  TEST_END();
}
