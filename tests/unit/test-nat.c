/* SPDX-License-Identifier: GPL-2.0-or-later */
/* client-nat: which address changes in which direction, and that checksums stay right. */
#include <arpa/inet.h>
#include "helper/core/nat.h"
#include "tests/unit/check.h"

static uint32_t add(uint32_t s, const uint8_t *p, size_t n)
{
  for (size_t i = 0; i < n; i++)
    s += i % 2 ? p[i] : (uint32_t)p[i] << 8;
  return s;
}

static uint16_t fold(uint32_t s)
{
  while (s >> 16)
    s = (s & 0xffff) + (s >> 16);
  return (uint16_t)~s;
}

static uint32_t ip(const char *text)
{
  return inet_addr(text);
}

enum { LEN = 20 + 40 };

static void make(uint8_t *p, uint8_t proto, const char *src, const char *dst)
{
  uint32_t s = ip(src), d = ip(dst);
  memset(p, 0, LEN);
  p[0] = 0x45;
  p[3] = LEN;
  p[8] = 64;
  p[9] = proto;
  memcpy(p + 12, &s, 4);
  memcpy(p + 16, &d, 4);
  for (int i = 20; i < LEN; i++)
    p[i] = (uint8_t)(i * 7);
  uint16_t sum = fold(add(0, p, 20));
  p[10] = (uint8_t)(sum >> 8);
  p[11] = (uint8_t)sum;
  size_t at = proto == 6 ? 36 : 26;
  if (proto != 6 && proto != 17)
    return;
  p[at] = p[at + 1] = 0;
  sum = fold(add(proto + (LEN - 20), p + 12, 8 + LEN - 20));
  p[at] = (uint8_t)(sum >> 8);
  p[at + 1] = (uint8_t)sum;
}

static void expect(const uint8_t *p, const char *src, const char *dst)
{
  uint32_t s = ip(src), d = ip(dst);
  CHECK_MEM(p + 12, &s, 4);
  CHECK_MEM(p + 16, &d, 4);
  CHECK_INT(fold(add(0, p, 20)), 0);
  if ((p[9] == 6 || p[9] == 17) && !(p[6] & 0x1f || p[7]))
    CHECK_INT(fold(add(p[9] + (LEN - 20), p + 12, 8 + LEN - 20)), 0);
}

int main(void)
{
  const OvpnNatRule rules[] = {
      {false, ip("192.168.0.0"), ip("255.255.0.0"), ip("10.64.0.0")},
      {true, ip("10.99.0.0"), ip("255.255.255.0"), ip("10.60.1.0")},
  };
  static const uint8_t protos[] = {6, 17, 1};
  uint8_t p[LEN], copy[LEN];
  for (size_t i = 0; i < 3; i++) {
    make(p, protos[i], "192.168.3.4", "10.99.0.1");
    ovpn_nat_apply(rules, 2, true, p, LEN);
    expect(p, "10.64.3.4", "10.60.1.1");
    make(p, protos[i], "10.60.1.1", "10.64.3.4");
    ovpn_nat_apply(rules, 2, false, p, LEN);
    expect(p, "10.99.0.1", "192.168.3.4");
    make(p, protos[i], "172.16.0.1", "192.168.0.1"); /* snat: the source only */
    memcpy(copy, p, LEN);
    ovpn_nat_apply(rules, 2, true, p, LEN);
    CHECK_MEM(p, copy, LEN);
    make(p, protos[i], "192.168.3.4", "10.99.0.1"); /* not of this direction */
    memcpy(copy, p, LEN);
    ovpn_nat_apply(rules, 2, false, p, LEN);
    CHECK_MEM(p, copy, LEN);
  }
  make(p, 17, "192.168.3.4", "1.1.1.1"); /* a later fragment has no checksum in it */
  p[7] = 5;
  p[11] = (uint8_t)(p[11] - 5);
  memcpy(copy, p, LEN);
  ovpn_nat_apply(rules, 2, true, p, LEN);
  CHECK_MEM(p + 20, copy + 20, LEN - 20);
  make(p, 17, "192.168.3.4", "1.1.1.1"); /* UDP without one */
  p[26] = p[27] = 0;
  ovpn_nat_apply(rules, 2, true, p, LEN);
  CHECK(p[26] == 0 && p[27] == 0);
  for (size_t cut = 0; cut < LEN; cut++) { /* under ASan */
    uint8_t *part = malloc(cut ? cut : 1);
    make(p, 6, "192.168.3.4", "10.99.0.1");
    memcpy(part, p, cut);
    ovpn_nat_apply(rules, 2, true, part, cut);
    CHECK(cut >= 20 || memcmp(part, p, cut) == 0);
    free(part);
  }
  make(p, 6, "192.168.3.4", "10.99.0.1");
  p[0] = 0x65;
  memcpy(copy, p, LEN);
  ovpn_nat_apply(rules, 2, true, p, LEN);
  CHECK_MEM(p, copy, LEN);
  TEST_END();
}
