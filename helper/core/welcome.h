/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Answers peers that call, before there is a session: what OpenVPN's server does since 2.6. spec
 * §5.
 *
 * Nothing is kept of a caller: our session id is a MAC over his address, his session id and the
 * time, so an acknowledgement that carries it proves that he receives what we send him. Only then a
 * session is worth its memory. Where a tls-auth or tls-crypt key is configured, packets without it
 * are not even answered. */
#pragma once
#include "session.h"

enum { OVPN_WELCOME_SECONDS = 30 /* how long an id is good, at least */ };

/* Where a packet came from: bytes that name the address, first those that all addresses of its
 * network share. Answers and sessions are counted by network, so that whoever sends much, also
 * under many addresses, leaves others their share. */
typedef struct OvpnFrom {
  const void *address;
  size_t len, network; /* network <= len <= 64 */
} OvpnFrom;

typedef struct OvpnWelcome OvpnWelcome;
/* config is borrowed. FAIL_x when a control channel key is unusable. */
OvpnStatus ovpn_welcome_new(const OvpnConfig *config, OvpnRandom random, void *random_user,
                            uint32_t wall_time, uint64_t now, OvpnWelcome **ret, OvpnFailure *f);
void ovpn_welcome_free(OvpnWelcome *w); /* NULL ok */

/* One control packet. OK with *ret_len > 0: the answer for its sender is in out (cap >=
 * OVPN_PACKET_MAX), at most twice as long as what he sent. OK with *ret_len = 0: *ret is a peer for
 * ovpn_session_new(), whose session then gets this same packet. DROP_x: nobody we wait for; at most
 * ten answers a second are given to one network. */
OvpnStatus ovpn_welcome_input(OvpnWelcome *w, uint64_t now, const OvpnFrom *from,
                              const uint8_t *pkt, size_t len, uint8_t *out, size_t cap,
                              size_t *ret_len, OvpnAccepted *ret);
/* Is a new session due to somebody who has proved his address? A handshake costs us more than him,
 * so each network gets four in ten seconds and all together sixteen, not counting what `known`, the
 * computer that the tunnel leads to, gets of its four. The answer true uses one up. */
bool ovpn_welcome_may_begin(OvpnWelcome *w, uint64_t now, const OvpnFrom *from, bool known);
