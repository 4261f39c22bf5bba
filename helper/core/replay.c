/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replay windows. spec §4.4 (control channel, time-major) and §11.5 (data channel, ids only).
 *
 * Trusts that the caller records an id only after its packet was authenticated; test never changes
 * anything. Invariant of OvpnReplay: bit `id` of the ring is meaningful for highest-size < id <=
 * highest; the ring has one word more than the largest window, so words can be cleared whole while
 * sliding (RFC 6479). */
#include "helper/core/replay.h"
#include <string.h>

enum { WORDS = OVPN_REPLAY_BITS / 64, SIZE_MAX_ = OVPN_REPLAY_BITS - 64 };

void ovpn_replay_init(OvpnReplay *r, uint32_t size)
{
  memset(r, 0, sizeof(*r));
  r->size = size < 1 ? 1 : size > SIZE_MAX_ ? SIZE_MAX_ : size;
}

void ovpn_replay_age(OvpnReplay *r, uint64_t late, uint64_t now)
{
  enum { QUARTERS = 4, LAST = QUARTERS };
  uint64_t quarter = late / QUARTERS;
  if (quarter == 0)
    return;
  if (r->late != late || now < r->at) { /* the first time: nothing is known of earlier */
    r->late = late;
    r->at = now;
    return;
  }
  uint64_t steps = (now - r->at) / quarter;
  r->at += steps * quarter;
  for (uint64_t i = 0; i < steps && i <= LAST; i++) {
    memmove(r->marks + 1, r->marks, LAST * sizeof r->marks[0]);
    r->marks[0] = r->highest;
    r->floor = r->marks[LAST];
  }
}

bool ovpn_replay_test(const OvpnReplay *r, uint64_t id)
{
  if (id <= r->floor) /* 0 at first: no packet has that id */
    return false;
  if (id > r->highest)
    return true;
  if (r->highest - id >= r->size)
    return false;
  return !(r->bits[id / 64 % WORDS] >> (id % 64) & 1);
}

void ovpn_replay_record(OvpnReplay *r, uint64_t id)
{
  if (!ovpn_replay_test(r, id))
    return;
  if (id > r->highest) {
    uint64_t from = r->highest / 64, steps = id / 64 - from;
    if (steps > WORDS)
      steps = WORDS;
    for (uint64_t i = 1; i <= steps; i++)
      r->bits[(from + i) % WORDS] = 0;
    r->highest = id;
  }
  r->bits[id / 64 % WORDS] |= UINT64_C(1) << (id % 64);
}

bool ovpn_replay_time_test(const OvpnReplayTime *r, uint32_t id, uint32_t time)
{
  if (id == 0 || time < r->time)
    return false;
  if (time > r->time || id > r->highest)
    return true;
  uint32_t back = r->highest - id;
  return back < 64 && !(r->seen >> back & 1);
}

void ovpn_replay_time_record(OvpnReplayTime *r, uint32_t id, uint32_t time)
{
  if (!ovpn_replay_time_test(r, id, time))
    return;
  if (time > r->time) {
    *r = (OvpnReplayTime){.time = time, .highest = id, .seen = 1};
  } else if (id > r->highest) {
    uint32_t step = id - r->highest;
    r->seen = (step < 64 ? r->seen << step : 0) | 1;
    r->highest = id;
  } else {
    r->seen |= UINT64_C(1) << (r->highest - id);
  }
}
