/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A DHCPv4 client for a TAP tunnel whose server gives no address: ethernet frames in and out, time
 * and entropy as arguments. RFC 2131, 2132, 3396, 3397, 3442, 4361.
 *
 * The engine sends its frames into the tunnel and shows it the frames that come out, so the far
 * network sees one more host. It is kept from session to session: a lease that has not ended is
 * used at once after a reconnection, and confirmed meanwhile (INIT-REBOOT).
 *
 * A new address is used only after everybody was asked whether somebody has it (RFC 2131 3.1 step
 * 5, RFC 5227): for OVPN_DHCP_CHECK_MS, so that connecting stays quick, where RFC 5227 takes
 * seconds; then it is announced, and whoever says late that the address is his is heard for
 * OVPN_DHCP_WATCH_MS more. Such an address is declined and another one asked for. Probes of others
 * are no such word: switches that track devices (Cisco's) send them for the address of each.
 *
 * Not done: defence of an address that was ours for longer, DHCPINFORM, DHCPv6. */
#pragma once
#include "aead.h"
#include "lease.h"

#define OVPN_DHCP_STATE_LIST(X)                                                                    \
  X(IDLE)       /* not started, or stopped; a lease may be remembered */                           \
  X(REBOOTING)  /* asking whether the remembered lease still holds */                              \
  X(SELECTING)  /* looking for a server */                                                         \
  X(REQUESTING) /* asking for what one has offered */                                              \
  X(CHECKING)   /* it is leased; asking whether somebody uses it */                                \
  X(BOUND)                                                                                         \
  X(RENEWING)  /* asking the server of the lease */                                                \
  X(REBINDING) /* asking everybody */                                                              \
  X(FAILED)    /* see ovpn_dhcp_take_events */
typedef enum OvpnDhcpState {
#define X(n) OVPN_DHCP_##n,
  OVPN_DHCP_STATE_LIST(X)
#undef X
} OvpnDhcpState;

enum {
  OVPN_DHCP_FRAME_MAX = 640,  /* of ours */
  OVPN_DHCP_LEASE_MIN_S = 10, /* shorter ones are not taken: no tunnel could keep them */
  OVPN_DHCP_LIMIT_S = 20,     /* for a first lease, or a new one after a refusal */
  OVPN_DHCP_CHECK_MS = 200,
  OVPN_DHCP_WATCH_MS = 3000,
  OVPN_DHCP_CONFLICTS_MAX = 4 /* addresses in a row that somebody uses */
};
/* Events, as bits. */
enum {
  OVPN_DHCP_LEASED = 1,     /* a lease that is new or says something new */
  OVPN_DHCP_CONFIRMED = 2,  /* the lease holds longer */
  OVPN_DHCP_REFUSED = 4,    /* it must not be used any more; another one is looked for */
  OVPN_DHCP_ENDED = 8,      /* FAILED: its time is over */
  OVPN_DHCP_NO_ANSWER = 16, /* FAILED: no usable answer in time */
  OVPN_DHCP_CONFLICT = 32,  /* `holder` uses lease.address; with REFUSED: we did so, too */
  OVPN_DHCP_IN_USE = 64     /* FAILED: that is so with every address that is offered */
};

/* Plain memory without pointers to own; all zero is IDLE without a lease. */
typedef struct OvpnDhcp {
  OvpnDhcpState state;
  OvpnDhcpParams params;
  OvpnRandom random;
  void *random_user;
  unsigned events;
  bool leased;     /* `lease` is ours until `ends` */
  bool remembered; /* lease.address was ours once */
  OvpnLease lease;
  struct in_addr server; /* of the lease */
  uint8_t server_mac[6]; /* who brought its ACK: that server or a relay of it */
  uint64_t t1, t2, ends; /* ns, UINT64_MAX = never */
  /* the exchange */
  uint32_t xid;
  struct in_addr offered, offering;
  uint64_t began, limit, asked, next;
  unsigned tries;
  /* who else has the address */
  bool watching, declining; /* in BOUND; a DECLINE has to be sent */
  uint64_t checked;         /* end of CHECKING, or of watching */
  unsigned conflicts;       /* in a row */
  uint8_t holder[6];
} OvpnDhcp;

/* Begins with the remembered lease (REBOOTING) or without (SELECTING). Other params than before
 * forget the lease. random must be good enough that nobody guesses the xid. */
void ovpn_dhcp_start(OvpnDhcp *d, const OvpnDhcpParams *p, OvpnRandom random, void *user,
                     uint64_t now);
void ovpn_dhcp_stop(OvpnDhcp *d); /* the tunnel is down; the lease is remembered */

/* Is there a lease that may be used now? */
static inline bool ovpn_dhcp_has_lease(const OvpnDhcp *d)
{
  return d->leased;
}
/* Is an answer or an objection being waited for? Else no frame need be looked at. */
static inline bool ovpn_dhcp_listens(const OvpnDhcp *d)
{
  return d->tries > 0;
}
/* A frame that came out of the tunnel. true: it was an answer to us, and nobody else need see it.
 */
bool ovpn_dhcp_input(OvpnDhcp *d, uint64_t now, const uint8_t *frame, size_t len);
/* The frame to send now, 0 = none; cap at least OVPN_DHCP_FRAME_MAX. */
size_t ovpn_dhcp_output(OvpnDhcp *d, uint64_t now, uint8_t *buf, size_t cap);
uint64_t ovpn_dhcp_deadline(const OvpnDhcp *d); /* absolute ns, UINT64_MAX = none */
void ovpn_dhcp_tick(OvpnDhcp *d, uint64_t now);
unsigned ovpn_dhcp_take_events(OvpnDhcp *d);
/* Gives the lease back: the frame that says so, 0 = there is none. The client is IDLE afterwards.
 */
size_t ovpn_dhcp_release(OvpnDhcp *d, uint64_t now, uint8_t *buf, size_t cap);
