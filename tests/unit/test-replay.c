/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replay windows, also against a slow model. spec §4.4, §11.5. */
#include "helper/core/replay.h"
#include "check.h"

static bool take(OvpnReplay *r, uint64_t id)
{
  bool ok = ovpn_replay_test(r, id);
  ovpn_replay_record(r, id);
  return ok;
}

static void test_basics(uint32_t n)
{
  static OvpnReplay r;
  ovpn_replay_init(&r, n);
  CHECK(!take(&r, 0));
  CHECK(take(&r, 1));
  CHECK(!take(&r, 1));
  CHECK(take(&r, 1000000));
  CHECK(!take(&r, 1000000));
  CHECK(!take(&r, 1000000 - n));
  if (n > 1)
    CHECK(take(&r, 1000000 - n + 1) && !take(&r, 1000000 - n + 1));
  CHECK(take(&r, 1000001));
  CHECK(!take(&r, 1));
  CHECK(take(&r, 0xffffffff));
  CHECK(take(&r, UINT64_C(0xffffffffffff))); /* 48 bits, epoch format */
  CHECK(!take(&r, UINT64_C(0xffffffffffff)));
}

/* Pseudo-random walk compared with an array of all ids ever recorded. */
static void test_model(uint32_t n)
{
  enum { IDS = 300000 };
  static bool seen[IDS];
  static OvpnReplay r;
  memset(seen, 0, sizeof(seen));
  ovpn_replay_init(&r, n);
  uint32_t x = 12345, highest = 0;
  for (unsigned i = 0; i < 60000; i++) {
    x = x * 1664525 + 1013904223;
    uint32_t span = (x >> 8) % 64 == 0 ? 2 * n + 200 : 90;
    int64_t id = (int64_t)highest + (int64_t)((x >> 12) % span) - span / 2;
    if (id < 0 || id >= IDS)
      continue;
    bool want = id > 0 && (id > highest || (highest - id < n && !seen[id]));
    if (take(&r, (uint64_t)id) != want) {
      CHECK(!"model and window agree");
      return;
    }
    if (want)
      seen[id] = true;
    if (id > highest)
      highest = (uint32_t)id;
  }
}

static bool take_time(OvpnReplayTime *r, uint32_t id, uint32_t time)
{
  bool ok = ovpn_replay_time_test(r, id, time);
  ovpn_replay_time_record(r, id, time);
  return ok;
}

static void test_time(void)
{
  OvpnReplayTime r = {0};
  CHECK(!take_time(&r, 0, 5));
  CHECK(take_time(&r, 0x0f000001, 100)); /* any first id */
  CHECK(!take_time(&r, 0x0f000001, 100));
  CHECK(take_time(&r, 0x0f000003, 100));
  CHECK(take_time(&r, 0x0f000002, 100));
  CHECK(!take_time(&r, 0x0f000002, 100));
  CHECK(!take_time(&r, 0x0f000004, 99)); /* older time */
  CHECK(take_time(&r, 1, 101));          /* newer time starts anew */
  CHECK(!take_time(&r, 0x0f000004, 100));
  CHECK(take_time(&r, 65, 101));
  CHECK(!take_time(&r, 1, 101));
  CHECK(take_time(&r, 2, 101));
  CHECK(take_time(&r, 66, 101));
  CHECK(!take_time(&r, 2, 101)); /* slid out */
  CHECK(take_time(&r, UINT32_MAX, 101));
  CHECK(take_time(&r, UINT32_MAX - 63, 101));
  CHECK(!take_time(&r, UINT32_MAX - 64, 101));
}

/* A quarter of the time is the unit: after 4 s to 5 s nothing older is accepted. */
static void test_age(void)
{
  static OvpnReplay r;
  const uint64_t second = 1000000000;
  ovpn_replay_init(&r, 64);
  CHECK(take(&r, 10));
  ovpn_replay_age(&r, 0, 100 * second); /* never too late */
  CHECK(take(&r, 1));
  ovpn_replay_age(&r, 4 * second, 100 * second);
  CHECK(take(&r, 2));
  for (uint64_t t = 101; t < 104; t++) {
    ovpn_replay_age(&r, 4 * second, t * second);
    CHECK(take(&r, t - 98)); /* 3, 4, 5 */
  }
  CHECK(take(&r, 20));
  ovpn_replay_age(&r, 4 * second, 105 * second);
  CHECK(!take(&r, 6) && !take(&r, 10)); /* the time of 10 is over */
  CHECK(take(&r, 11));                  /* that of 20 is not */
  ovpn_replay_age(&r, 4 * second, 1000 * second);
  CHECK(!take(&r, 12) && !take(&r, 20) && take(&r, 21));
  ovpn_replay_age(&r, 4 * second, 1 * second); /* a clock that goes back changes nothing */
  CHECK(take(&r, 22));
}

int main(void)
{
  test_age();
  static const uint32_t sizes[] = {1, 63, 64, 65, 128, 1000, 65536};
  for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
    test_basics(sizes[i]);
    test_model(sizes[i]);
  }
  static OvpnReplay r;
  ovpn_replay_init(&r, UINT32_MAX);
  CHECK_INT(r.size, 65536);
  ovpn_replay_init(&r, 0);
  CHECK_INT(r.size, 1);
  test_time();
  TEST_END();
}
