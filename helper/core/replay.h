/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Replay windows. spec §4.4 and §11.5. Test first, record after authentication. */
#pragma once
#include <stdbool.h>
#include <stdint.h>

/* Id-only window for data packets (bitmap as in RFC 6479). `size` packets, 1..65536; memory is part
 * of the struct for the usual sizes. Ids are 64-bit so that the epoch format can use it. */
enum { OVPN_REPLAY_BITS = 65536 + 64 };
typedef struct OvpnReplay {
  uint64_t highest;
  uint32_t size;
  uint64_t floor;    /* ids up to here are too late, see ovpn_replay_age */
  uint64_t marks[5]; /* `highest` at the end of the last quarters of `late`, newest first */
  uint64_t late, at; /* ns; 0 = however late */
  uint64_t bits[OVPN_REPLAY_BITS / 64];
} OvpnReplay;
void ovpn_replay_init(OvpnReplay *r, uint32_t size);
/* Before packets that come at `now` (ns): what is older than packets that came `late` ns ago (at
 * most a quarter more) is not accepted from now on. */
void ovpn_replay_age(OvpnReplay *r, uint64_t late, uint64_t now);
bool ovpn_replay_test(const OvpnReplay *r, uint64_t id); /* true = acceptable */
void ovpn_replay_record(OvpnReplay *r, uint64_t id);

/* Time-major window of the control channel: 64 ids per time value. */
typedef struct OvpnReplayTime {
  uint32_t time, highest;
  uint64_t seen;
} OvpnReplayTime;
bool ovpn_replay_time_test(const OvpnReplayTime *r, uint32_t id, uint32_t time);
void ovpn_replay_time_record(OvpnReplayTime *r, uint32_t id, uint32_t time);
