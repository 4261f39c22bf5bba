/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets that come out of the tunnel or go into it, as far as they are read: client-nat, questions
 * of the peer (OCC) and their answers, errors for refused IPv6.
 *
 * The input: number of rules, 13 bytes for each, then the packet. A header whose checksum was good
 * keeps a good one; an address that fits a rule becomes one that fits its other side. */
#include "helper/core/inner.h"
#include "helper/core/nat.h"
#include "helper/core/unreachable.h"
#include "helper/core/wire.h"
#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { RULES_MAX = 4, IP4_MIN = 20 };

static void zeros(void *user, uint8_t *buf, size_t len)
{
  (void)user;
  memset(buf, 0, len);
}

static uint16_t header_sum(const uint8_t *p)
{
  uint32_t sum = 0;
  for (size_t i = 0; i < (size_t)(p[0] & 15) * 4; i += 2)
    sum += (uint32_t)p[i] << 8 | p[i + 1];
  while (sum >> 16)
    sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)sum;
}

static bool is_ip4(const uint8_t *p, size_t len)
{
  return len >= IP4_MIN && p[0] >> 4 == 4 && (p[0] & 15) >= 5 && len >= (size_t)(p[0] & 15) * 4;
}

static void nat(const OvpnNatRule *rules, size_t n, const uint8_t *data, size_t len)
{
  uint8_t *p = malloc(len ? len : 1);
  assert(p);
  if (len)
    memcpy(p, data, len);
  bool good = is_ip4(data, len) && header_sum(data) == 0xffff;
  for (int i = 0; i < 4; i++) {
    ovpn_nat_apply(rules, n, i & 1, p, len);
    assert(!good || header_sum(p) == 0xffff);
  }
  if (!is_ip4(data, len))
    assert(len == 0 || memcmp(p, data, len) == 0);
  if (len)
    memcpy(p, data, len);
  if (n == 1 && !rules[0].dnat && good) {
    uint32_t source;
    memcpy(&source, p + 12, sizeof source);
    ovpn_nat_apply(rules, 1, true, p, len);
    uint32_t destination;
    memcpy(&destination, p + 12, sizeof destination);
    bool fits = (source & rules[0].mask) == rules[0].net;
    assert(fits ? (destination & rules[0].mask) == rules[0].alias : source == destination);
  }
  free(p);
}

static void occ(const uint8_t *data, size_t len)
{
  uint8_t *p = malloc(len ? len : 1), out[OVPN_OCC_MAX];
  uint16_t load = 0;
  assert(p);
  if (len)
    memcpy(p, data, len);
  if (len && ovpn_inner_classify(p, len) == OVPN_INNER_OCC_OTHER) {
    OvpnOccAnswer a = {.questions = ovpn_occ_question(p, len, &load),
                       .options = "V4,dev-type tun",
                       .largest_in = 1,
                       .largest_out = 2};
    a.load = load;
    unsigned answers = 0;
    for (size_t n; (n = ovpn_occ_answer(&a, zeros, NULL, out, sizeof out)) > 0; answers++) {
      assert(n <= sizeof out && answers < 8);
      assert(ovpn_inner_classify(out, n) != OVPN_INNER_PACKET);
    }
  }
  free(p);
}

static void unreachable(const uint8_t *data, size_t len)
{
  uint8_t out[OVPN_UNREACHABLE_MAX];
  size_t n = ovpn_unreachable6(data, len, out, sizeof out);
  assert(n <= sizeof out && (n == 0 || (n >= 88 && out[0] >> 4 == 6)));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  OvpnNatRule rules[RULES_MAX];
  OvpnReader r = ovpn_reader(data, size);
  size_t n = ovpn_read_u8(&r) % (RULES_MAX + 1);
  if (!size || ovpn_reader_left(&r) < n * 13)
    return 0;
  for (size_t i = 0; i < n; i++) {
    rules[i].dnat = ovpn_read_u8(&r) & 1;
    ovpn_read_copy(&r, &rules[i].mask, 4);
    ovpn_read_copy(&r, &rules[i].net, 4);
    ovpn_read_copy(&r, &rules[i].alias, 4);
    rules[i].net &= rules[i].mask;
    rules[i].alias &= rules[i].mask;
  }
  size_t len = ovpn_reader_left(&r);
  const uint8_t *p = ovpn_read_bytes(&r, len);
  nat(rules, n, p, len);
  occ(p, len);
  unreachable(p, len);
  return 0;
}
