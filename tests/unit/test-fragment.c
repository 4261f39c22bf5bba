/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Packets in pieces: headers (spec §12.2, §26.2), every order of pieces, loss, contradictions, age,
 * sizes. */
#include "helper/core/fragment.h"
#include "helper/core/inner.h"
#include "check.h"

enum { LARGEST = 2000 };
static OvpnFragments *f;
static const uint64_t second = 1000000000u;

static void expect_head(unsigned n, unsigned size, unsigned i, uint8_t seq, const char *hex)
{
  uint8_t got[4], want[4];
  OvpnPieces plan = {n, size};
  ovpn_fragment_head(got, &plan, i, seq);
  CHECK_INT(check_unhex(hex, want, sizeof want), 4);
  CHECK_MEM(got, want, 4);
}

static void test_heads(void)
{
  expect_head(1, 1228, 0, 95, "00000000");
  expect_head(3, 412, 0, 95, "0000017d");
  expect_head(3, 412, 1, 95, "0000057d");
  expect_head(3, 412, 2, 95, "0033897e");
}

static void test_plans(void)
{
  OvpnPieces p = ovpn_fragment_plan(100, 100);
  CHECK_INT(p.n, 1);
  p = ovpn_fragment_plan(1228, 572);
  CHECK_INT(p.n, 3);
  CHECK_INT(p.size, 412);
  p = ovpn_fragment_plan(101, 100);
  CHECK_INT(p.n, 2);
  CHECK_INT(p.size, 52);
  CHECK_INT(ovpn_fragment_plan(10, 3).n, 0);
  CHECK_INT(ovpn_fragment_plan(129, 4).n, 0);
  CHECK_INT(ovpn_fragment_plan(128, 4).n, 32);
  for (unsigned max = 4; max < 300; max++)
    for (unsigned len = 1; len < 1700; len += 7) {
      p = ovpn_fragment_plan(len, max);
      if (p.n == 0) {
        CHECK(len > max / 4 * 4 * 32);
        continue;
      }
      CHECK(p.size <= max && p.n <= 32 && (p.n == 1 || p.size % 4 == 0));
      CHECK(p.size * p.n >= len && p.size * (p.n - 1) < len);
    }
}

/* Piece i of a payload of n bytes whose bytes count up from `first`. */
static size_t piece(uint8_t *out, const OvpnPieces *plan, size_t n, unsigned i, uint8_t seq,
                    uint8_t first)
{
  ovpn_fragment_head(out, plan, i, seq);
  size_t at = (size_t)i * plan->size, len = n - at < plan->size ? n - at : plan->size;
  for (size_t j = 0; j < len; j++)
    out[4 + j] = (uint8_t)(first + at + j);
  return 4 + len;
}

static OvpnStatus give(uint64_t now, const OvpnPieces *plan, size_t n, unsigned i, uint8_t seq)
{
  static uint8_t buf[4 + LARGEST];
  uint8_t *p = buf;
  bool borrowed;
  size_t len = piece(buf, plan, n, i, seq, seq);
  OvpnStatus st = ovpn_fragments_take(f, now, &p, &len, &borrowed);
  if (st == OVPN_OK) {
    CHECK_INT(len, n);
    CHECK(borrowed == (plan->n > 1));
    for (size_t j = 0; j < len; j++)
      if (p[j] != (uint8_t)(seq + j)) {
        CHECK_INT(p[j], (uint8_t)(seq + j));
        break;
      }
  }
  return st;
}

static void test_orders(void)
{
  static const unsigned orders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                        {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  OvpnPieces plan = ovpn_fragment_plan(1228, 572);
  for (unsigned i = 0; i < 6; i++) {
    CHECK_INT(give(i, &plan, 1228, orders[i][0], (uint8_t)(i * 50)), OVPN_DROP_INCOMPLETE);
    CHECK_INT(give(i, &plan, 1228, orders[i][1], (uint8_t)(i * 50)), OVPN_DROP_INCOMPLETE);
    CHECK_INT(give(i, &plan, 1228, orders[i][2], (uint8_t)(i * 50)), OVPN_OK);
  }
  OvpnPieces whole = {1, LARGEST};
  CHECK_INT(give(0, &whole, LARGEST, 0, 1), OVPN_OK);
  OvpnPieces many = ovpn_fragment_plan(1984, 62);
  CHECK_INT(many.n, 0);
  many = ovpn_fragment_plan(1984, 64);
  CHECK_INT(many.n, 31);
  for (unsigned i = 30; i > 0; i--)
    CHECK_INT(give(0, &many, 1984, i, 9), OVPN_DROP_INCOMPLETE);
  CHECK_INT(give(0, &many, 1984, 0, 9), OVPN_OK);
}

/* 20 packets at a time, their pieces mixed. */
static void test_many_at_once(void)
{
  OvpnPieces plan = ovpn_fragment_plan(1500, 760);
  CHECK_INT(plan.n, 2);
  for (unsigned round = 0; round < 40; round++) {
    for (unsigned i = 0; i < 20; i++)
      CHECK_INT(give(round, &plan, 1500, 1, (uint8_t)(round * 20 + i)), OVPN_DROP_INCOMPLETE);
    for (unsigned i = 20; i-- > 0;)
      CHECK_INT(give(round, &plan, 1500, 0, (uint8_t)(round * 20 + i)), OVPN_OK);
  }
}

static void test_loss(void)
{
  OvpnPieces plan = ovpn_fragment_plan(1228, 572);
  ovpn_fragments_reset(f);
  /* the rest of an old packet does not mix with a new one of the same number */
  CHECK_INT(give(second, &plan, 1228, 0, 7), OVPN_DROP_INCOMPLETE);
  CHECK_INT(give(second, &plan, 1228, 1, 7), OVPN_DROP_INCOMPLETE);
  CHECK_INT(give(12 * second, &plan, 1228, 2, 7), OVPN_DROP_INCOMPLETE);
  CHECK_INT(give(12 * second, &plan, 1228, 0, 7), OVPN_DROP_INCOMPLETE);
  CHECK_INT(give(12 * second, &plan, 1228, 1, 7), OVPN_OK);
  /* another packet in the same slot */
  CHECK_INT(give(13 * second, &plan, 1228, 0, 7), OVPN_DROP_INCOMPLETE);
  CHECK_INT(give(13 * second, &plan, 1228, 0, 39), OVPN_DROP_INCOMPLETE);
  CHECK_INT(give(13 * second, &plan, 1228, 1, 7), OVPN_DROP_INCOMPLETE);
  CHECK_INT(give(13 * second, &plan, 1228, 2, 7), OVPN_DROP_INCOMPLETE);
  CHECK_INT(give(13 * second, &plan, 1228, 0, 7), OVPN_OK);
  CHECK_INT(give(14 * second, &plan, 1228, 0, 8), OVPN_DROP_INCOMPLETE);
  ovpn_fragments_reset(f);
  CHECK_INT(give(14 * second, &plan, 1228, 1, 8), OVPN_DROP_INCOMPLETE);
  CHECK_INT(give(14 * second, &plan, 1228, 2, 8), OVPN_DROP_INCOMPLETE);
}

static OvpnStatus give_raw(uint32_t head, size_t n)
{
  uint8_t *buf = malloc(4 + n), *p = buf;
  bool borrowed;
  OvpnStatus st = OVPN_FAIL_MEMORY;
  if (buf) {
    for (unsigned i = 0; i < 4; i++)
      buf[i] = (uint8_t)(head >> (24 - 8 * i));
    memset(buf + 4, 1, n);
    size_t len = 4 + n;
    st = ovpn_fragments_take(f, 0, &p, &len, &borrowed);
    free(buf);
  }
  return st;
}

static uint32_t raw(unsigned type, unsigned seq, unsigned i, unsigned size)
{
  return type | seq << 2 | i << 10 | size / 4 << 15;
}

static void test_contradictions(void)
{
  uint8_t three[3] = {0}, *p = three;
  size_t len = 3;
  bool borrowed;
  ovpn_fragments_reset(f);
  CHECK_INT(ovpn_fragments_take(f, 0, &p, &len, &borrowed), OVPN_DROP_FRAMING);
  CHECK_INT(give_raw(0, 0), OVPN_DROP_EMPTY);
  CHECK_INT(give_raw(3, 40), OVPN_DROP_FRAMING);
  CHECK_INT(give_raw(raw(1, 1, 0, 0), 0), OVPN_DROP_FRAMING);
  CHECK_INT(give_raw(raw(1, 1, 0, 0), 41), OVPN_DROP_FRAMING);      /* not a multiple of 4 */
  CHECK_INT(give_raw(raw(2, 1, 1, 0), 40), OVPN_DROP_FRAMING);      /* no size */
  CHECK_INT(give_raw(raw(2, 1, 1, 40), 44), OVPN_DROP_FRAMING);     /* longer than the others */
  CHECK_INT(give_raw(raw(2, 1, 31, 65532), 44), OVPN_DROP_FRAMING); /* far outside */
  CHECK_INT(give_raw(raw(1, 1, 31, 0), 400), OVPN_DROP_FRAMING);    /* outside */
  CHECK_INT(give_raw(raw(1, 1, 0, 0), LARGEST + 4), OVPN_DROP_FRAMING);
  CHECK_INT(give_raw(raw(2, 1, 0, 0), 40), OVPN_OK); /* odd, but clear */
  CHECK_INT(give_raw(raw(1, 2, 0, 0), 40), OVPN_DROP_INCOMPLETE);
  CHECK_INT(give_raw(raw(1, 2, 1, 0), 44), OVPN_DROP_FRAMING); /* another size: all is given up */
  CHECK_INT(give_raw(raw(2, 2, 1, 40), 40), OVPN_DROP_INCOMPLETE);
  CHECK_INT(give_raw(raw(2, 2, 1, 40), 40), OVPN_DROP_FRAMING); /* twice the last */
  CHECK_INT(give_raw(raw(1, 3, 2, 0), 40), OVPN_DROP_INCOMPLETE);
  CHECK_INT(give_raw(raw(2, 3, 1, 40), 40), OVPN_DROP_FRAMING); /* last before another */
  CHECK_INT(give_raw(raw(2, 4, 1, 40), 40), OVPN_DROP_INCOMPLETE);
  CHECK_INT(give_raw(raw(1, 4, 2, 0), 40), OVPN_DROP_FRAMING); /* behind the last */
  CHECK_INT(give_raw(raw(1, 5, 0, 0), 40), OVPN_DROP_INCOMPLETE);
  CHECK_INT(give_raw(raw(1, 5, 0, 0), 40), OVPN_DROP_FRAMING); /* twice */
}

static void test_limit(void)
{
  OvpnConfig c = {.fragment = 1300};
  /* AES-256-GCM, peer-id: 4 + 4 + 16 outside */
  CHECK_INT(ovpn_fragment_max(&c, false, false, 0, 20, true, 0), 1300 - 24 - 4);
  c.fragment_mtu = true;
  CHECK_INT(ovpn_fragment_max(&c, false, false, 0, 20, true, 0), 1300 - 24 - 4 - 28);
  CHECK_INT(ovpn_fragment_max(&c, true, false, 0, 20, true, 0), 1300 - 24 - 4 - 48);
  c.fragment_mtu = false;
  /* AES-128-CBC and SHA1: head 4, HMAC 20, IV 16; whole blocks, packet id inside */
  CHECK_INT(ovpn_fragment_max(&c, false, true, 16, 36, true, 0), (1260 / 16 * 16 - 1) - 8);
  c.fragment = 30;
  CHECK_INT(ovpn_fragment_max(&c, false, false, 0, 20, true, 0), 2);
  c.fragment = 20;
  CHECK_INT(ovpn_fragment_max(&c, false, false, 0, 20, true, 0), 0);
  c.fragment = 1300; /* on a narrow path */
  CHECK_INT(ovpn_fragment_max(&c, false, false, 0, 20, true, 1250), 1250 - 28 - 24 - 4);
  CHECK_INT(ovpn_fragment_max(&c, false, false, 0, 20, true, 1400), 1300 - 24 - 4);
  CHECK_INT(ovpn_fragment_max(&c, false, false, 0, 20, true, 9000), 1300 - 24 - 4);
}

int main(void)
{
  f = ovpn_fragments_new(LARGEST);
  CHECK(f != NULL);
  if (f) {
    test_heads();
    test_plans();
    test_orders();
    test_many_at_once();
    test_loss();
    test_contradictions();
    test_limit();
  }
  ovpn_fragments_free(f);
  ovpn_fragments_free(NULL);
  TEST_END();
}
