/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The DHCP client's states, times and answers. RFC 2131 section 4.4.
 *
 * Trusts nothing: whoever answers sits in the far network. An answer counts when it carries the
 * number of the present exchange and our MAC, was decoded as a whole and fits the state; anything
 * else changes nothing. What a hostile server can cause is bounded: frames go out on timers only,
 * the shortest lease is OVPN_DHCP_LEASE_MIN_S, a refusal of a request is followed by a pause, and
 * so is an address that somebody else claims, at most OVPN_DHCP_CONFLICTS_MAX times.
 * Invariants: `leased` is true only before `ends`; the state changes only in set_state(), which
 * begins a new exchange; time counts from the request and not from its answer. */
#include "helper/core/dhcp.h"
#include <assert.h>
#include "helper/core/arp.h"
#include "helper/core/dhcp-message.h"

enum {
  REBOOT_TRIES = 3,   /* after 1, 2 and 4 s of silence: some server that does not know us? */
  REQUEST_TRIES = 3,  /* the same; then another offer */
  CHECK_LIMIT_S = 15, /* looking for a server with a lease that still holds */
  PROBES = 2,         /* in OVPN_DHCP_CHECK_MS */
  ANNOUNCEMENTS = 2   /* RFC 5227 2.3; the second also asks those who heard no probe */
};

static const uint64_t second = 1000000000u, ms = 1000000u;

#define BIT(s) (1u << OVPN_DHCP_##s)
static const unsigned legal_next[] = {
    [OVPN_DHCP_IDLE] = BIT(REBOOTING) | BIT(SELECTING),
    [OVPN_DHCP_REBOOTING] = BIT(BOUND) | BIT(SELECTING) | BIT(FAILED) | BIT(IDLE),
    [OVPN_DHCP_SELECTING] = BIT(SELECTING) | BIT(REQUESTING) | BIT(BOUND) | BIT(FAILED) | BIT(IDLE),
    [OVPN_DHCP_REQUESTING] = BIT(CHECKING) | BIT(BOUND) | BIT(SELECTING) | BIT(FAILED) | BIT(IDLE),
    [OVPN_DHCP_CHECKING] = BIT(BOUND) | BIT(SELECTING) | BIT(FAILED) | BIT(IDLE),
    [OVPN_DHCP_BOUND] = BIT(RENEWING) | BIT(SELECTING) | BIT(FAILED) | BIT(IDLE),
    [OVPN_DHCP_RENEWING] = BIT(REBINDING) | BIT(BOUND) | BIT(SELECTING) | BIT(FAILED) | BIT(IDLE),
    [OVPN_DHCP_REBINDING] = BIT(BOUND) | BIT(SELECTING) | BIT(FAILED) | BIT(IDLE),
    [OVPN_DHCP_FAILED] = BIT(IDLE),
};

static uint32_t random_number(OvpnDhcp *d)
{
  uint32_t v;
  d->random(d->random_user, (uint8_t *)&v, sizeof v);
  return v;
}

/* Enters s and begins its exchange at `next`. REQUESTING goes on with the number of the offer. */
static void set_state(OvpnDhcp *d, OvpnDhcpState s, uint64_t next)
{
  assert(legal_next[d->state] & 1u << s);
  d->state = s;
  d->tries = 0;
  d->next = next;
  d->watching = false;
  if (s != OVPN_DHCP_REQUESTING && s != OVPN_DHCP_IDLE && s != OVPN_DHCP_FAILED)
    d->xid = random_number(d);
}

static void select_server(OvpnDhcp *d, uint64_t now, uint64_t delay)
{
  if (d->state != OVPN_DHCP_SELECTING && d->state != OVPN_DHCP_REQUESTING &&
      d->state != OVPN_DHCP_CHECKING) {
    d->began = now;
    d->limit = now + (d->leased ? CHECK_LIMIT_S : OVPN_DHCP_LIMIT_S) * second;
  }
  set_state(d, OVPN_DHCP_SELECTING, now + delay);
}

static void fail(OvpnDhcp *d, unsigned event)
{
  d->leased = false;
  d->events |= event;
  set_state(d, OVPN_DHCP_FAILED, 0);
}

void ovpn_dhcp_stop(OvpnDhcp *d)
{
  if (d->state != OVPN_DHCP_IDLE)
    set_state(d, OVPN_DHCP_IDLE, 0);
  d->events = d->conflicts = 0;
  d->declining = false;
}

static void forget(OvpnDhcp *d)
{
  ovpn_dhcp_stop(d);
  d->leased = d->remembered = false;
}

void ovpn_dhcp_start(OvpnDhcp *d, const OvpnDhcpParams *p, OvpnRandom random, void *user,
                     uint64_t now)
{
  ovpn_dhcp_stop(d);
  if (memcmp(d->params.mac, p->mac, sizeof p->mac) || d->params.id_len != p->id_len ||
      memcmp(d->params.id, p->id, p->id_len))
    forget(d);
  if (d->leased && now >= d->ends)
    d->leased = false;
  d->params = *p;
  d->random = random;
  d->random_user = user;
  d->began = now;
  if (d->leased)
    set_state(d, OVPN_DHCP_REBOOTING, now);
  else
    select_server(d, now, 0);
}

/* ---- answers */

static void set_times(OvpnDhcp *d, const OvpnDhcpIn *in)
{
  if (in->lease_s == UINT32_MAX) {
    d->t1 = d->t2 = d->ends = UINT64_MAX;
    return;
  }
  uint64_t all = in->lease_s * second, t1 = in->t1_s * second, t2 = in->t2_s * second;
  if (t1 == 0 || t1 >= t2 || t2 >= all) {
    t1 = all / 2;
    t2 = all / 8 * 7;
  }
  d->t1 = d->asked + t1;
  d->t2 = d->asked + t2;
  d->ends = d->asked + all;
}

static void enter_bound(OvpnDhcp *d, uint64_t now, bool watch)
{
  d->leased = d->remembered = true;
  set_state(d, OVPN_DHCP_BOUND, now);
  d->watching = watch;
  d->checked = now + OVPN_DHCP_WATCH_MS * ms;
}

/* While an earlier lease holds, its address or the next one is used at once: a tunnel that works
 * does not wait for a check. */
static void bind_lease(OvpnDhcp *d, uint64_t now, const OvpnDhcpIn *in)
{
  bool had = d->leased, same = had && ovpn_lease_equal(&d->lease, &in->lease);
  bool moved = had && d->lease.address.s_addr != in->lease.address.s_addr;
  bool first = d->state == OVPN_DHCP_REQUESTING || d->state == OVPN_DHCP_REBOOTING;
  d->lease = in->lease;
  d->server = in->server;
  memcpy(d->server_mac, in->from, sizeof d->server_mac);
  set_times(d, in);
  if (had) {
    d->events |= same ? OVPN_DHCP_CONFIRMED : OVPN_DHCP_LEASED;
    enter_bound(d, now, first || moved);
  } else {
    d->checked = now + OVPN_DHCP_CHECK_MS * ms;
    set_state(d, OVPN_DHCP_CHECKING, now);
  }
}

/* Somebody else has the address of the lease. RFC 2131 4.4.1 wants 10 s before the next question,
 * against loops. Here it is 1 s, as servers have other addresses, and twice that every time. */
static void take_conflict(OvpnDhcp *d, uint64_t now, const uint8_t mac[6])
{
  d->events |= OVPN_DHCP_CONFLICT | (d->leased ? OVPN_DHCP_REFUSED : 0);
  memcpy(d->holder, mac, sizeof d->holder);
  d->leased = d->remembered = false;
  d->declining = true;
  if (++d->conflicts >= OVPN_DHCP_CONFLICTS_MAX)
    fail(d, OVPN_DHCP_IN_USE);
  else
    select_server(d, now, second << (d->conflicts - 1));
}

/* The lease was refused by a server that knows better. */
static void lose_lease(OvpnDhcp *d, uint64_t now)
{
  d->leased = d->remembered = false;
  d->events |= OVPN_DHCP_REFUSED;
  select_server(d, now, 0);
}

static void take_answer(OvpnDhcp *d, uint64_t now, const OvpnDhcpIn *in)
{
  bool ack = in->type == OVPN_DHCP_ACK, nak = in->type == OVPN_DHCP_NAK;
  switch (d->state) {
  case OVPN_DHCP_SELECTING:
    if (in->type != OVPN_DHCP_OFFER)
      return;
    d->offered = in->lease.address;
    d->offering = in->server;
    set_state(d, OVPN_DHCP_REQUESTING, now);
    return;
  case OVPN_DHCP_REQUESTING:
    if (in->has_server && in->server.s_addr != d->offering.s_addr)
      return;
    if (ack)
      bind_lease(d, now, in);
    else if (nak) {
      d->remembered = false;
      select_server(d, now, second);
    }
    return;
  case OVPN_DHCP_REBOOTING:
  case OVPN_DHCP_RENEWING:
  case OVPN_DHCP_REBINDING:
    if (ack)
      bind_lease(d, now, in);
    else if (nak)
      lose_lease(d, now);
    return;
  case OVPN_DHCP_IDLE:
  case OVPN_DHCP_CHECKING:
  case OVPN_DHCP_BOUND:
  case OVPN_DHCP_FAILED:
    return;
  }
}

/* Does this frame say that the address of the lease is somebody else's? */
static bool is_objection(const OvpnDhcp *d, const uint8_t *frame, size_t len, OvpnArp *ret)
{
  return (d->state == OVPN_DHCP_CHECKING || d->watching) && ovpn_arp_read(frame, len, ret) &&
         ret->address.s_addr == d->lease.address.s_addr &&
         memcmp(ret->mac, d->params.mac, sizeof ret->mac) != 0;
}

bool ovpn_dhcp_input(OvpnDhcp *d, uint64_t now, const uint8_t *frame, size_t len)
{
  OvpnArp other;
  if (!ovpn_dhcp_listens(d))
    return false;
  if (is_objection(d, frame, len, &other)) {
    take_conflict(d, now, other.mac);
    return false;
  }
  if (!ovpn_dhcp_is_answer(frame, len, d->xid, d->params.mac))
    return false;
  OvpnDhcpIn in;
  if (ovpn_dhcp_decode(frame, len, &in) == OVPN_OK)
    take_answer(d, now, &in);
  return true;
}

/* ---- time */

static void looked_long_enough(OvpnDhcp *d, uint64_t now)
{
  if (d->leased) /* nobody contradicts */
    enter_bound(d, now, true);
  else
    fail(d, d->conflicts > 0 ? OVPN_DHCP_IN_USE : OVPN_DHCP_NO_ANSWER);
}

static bool step_bound(OvpnDhcp *d, uint64_t now)
{
  if (d->watching && now >= d->checked) {
    d->watching = false;
    d->tries = d->conflicts = 0;
  }
  if (now < d->t1)
    return false;
  set_state(d, OVPN_DHCP_RENEWING, now);
  d->began = now;
  return true;
}

/* One step; false = nothing to do at this time. */
static bool step(OvpnDhcp *d, uint64_t now)
{
  switch (d->state) {
  case OVPN_DHCP_REBOOTING:
    if (d->tries < REBOOT_TRIES || now < d->next)
      return false;
    select_server(d, now, 0);
    return true;
  case OVPN_DHCP_REQUESTING:
    if (now < d->limit && (d->tries < REQUEST_TRIES || now < d->next))
      return false;
    select_server(d, now, 0);
    return true;
  case OVPN_DHCP_SELECTING:
    if (now < d->limit)
      return false;
    looked_long_enough(d, now);
    return true;
  case OVPN_DHCP_CHECKING:
    if (now < d->checked)
      return false;
    d->events |= OVPN_DHCP_LEASED;
    enter_bound(d, now, true);
    return true;
  case OVPN_DHCP_BOUND:
    return step_bound(d, now);
  case OVPN_DHCP_RENEWING:
    if (now < d->t2)
      return false;
    set_state(d, OVPN_DHCP_REBINDING, now);
    return true;
  case OVPN_DHCP_REBINDING:
  case OVPN_DHCP_IDLE:
  case OVPN_DHCP_FAILED:
    return false;
  }
  return false;
}

void ovpn_dhcp_tick(OvpnDhcp *d, uint64_t now)
{
  if (d->state == OVPN_DHCP_IDLE || d->state == OVPN_DHCP_FAILED)
    return;
  if (d->leased && now >= d->ends) {
    fail(d, OVPN_DHCP_ENDED);
    return;
  }
  while (step(d, now))
    ;
}

uint64_t ovpn_dhcp_deadline(const OvpnDhcp *d)
{
  uint64_t t = d->next;
  if (d->declining)
    return 0;
  switch (d->state) {
  case OVPN_DHCP_IDLE:
  case OVPN_DHCP_FAILED:
    return UINT64_MAX;
  case OVPN_DHCP_SELECTING:
  case OVPN_DHCP_REQUESTING:
    t = d->limit < t ? d->limit : t;
    break;
  case OVPN_DHCP_CHECKING:
    t = d->tries < PROBES && t < d->checked ? t : d->checked;
    break;
  case OVPN_DHCP_BOUND:
    if (!d->watching || d->tries == ANNOUNCEMENTS)
      t = d->watching ? d->checked : d->t1;
    t = d->t1 < t ? d->t1 : t;
    break;
  case OVPN_DHCP_RENEWING:
    t = d->t2 < t ? d->t2 : t;
    break;
  case OVPN_DHCP_REBOOTING:
  case OVPN_DHCP_REBINDING:
    break;
  }
  return d->leased && d->ends < t ? d->ends : t;
}

/* RFC 2131 4.4.5 wants half of the time that is left, and a minute at least, which would be one
 * try for a short lease: then a part of it. */
static uint64_t renewal_pause(const OvpnDhcp *d, uint64_t now)
{
  uint64_t until = d->state == OVPN_DHCP_RENEWING ? d->t2 : d->ends;
  uint64_t half = until > now ? (until - now) / 2 : 0, least = (d->ends - d->t1) / 16;
  least = least < 2 * second ? 2 * second : least > 60 * second ? 60 * second : least;
  return half > least ? half : least;
}

/* Until the next try, after d->tries of them; give or take a tenth. */
static uint64_t pause_after(OvpnDhcp *d, uint64_t now)
{
  uint64_t pause = second;
  switch (d->state) {
  case OVPN_DHCP_SELECTING:
    pause = second << (d->tries < 4 ? d->tries : 4);
    break;
  case OVPN_DHCP_REBOOTING:
  case OVPN_DHCP_REQUESTING:
    pause = second << (d->tries - 1);
    break;
  case OVPN_DHCP_RENEWING:
  case OVPN_DHCP_REBINDING:
    pause = renewal_pause(d, now);
    break;
  case OVPN_DHCP_CHECKING:
    pause = OVPN_DHCP_CHECK_MS * ms / PROBES;
    break;
  case OVPN_DHCP_BOUND:
    pause = 2 * second;
    break;
  case OVPN_DHCP_IDLE:
  case OVPN_DHCP_FAILED:
    break;
  }
  return pause / 10 * 9 + pause / 5 / 256 * (random_number(d) & 255);
}

static OvpnDhcpOut next_message(const OvpnDhcp *d, uint64_t now)
{
  uint64_t secs = (now - d->began) / second;
  OvpnDhcpOut m = {.type = OVPN_DHCP_REQUEST,
                   .xid = d->xid,
                   .secs = secs > UINT16_MAX ? UINT16_MAX : (uint16_t)secs,
                   .ask_broadcast = d->tries > 0}; /* perhaps nobody can reach us otherwise */
  switch (d->state) {
  case OVPN_DHCP_SELECTING:
    m.type = OVPN_DHCP_DISCOVER;
    if (d->remembered)
      m.requested = d->lease.address;
    break;
  case OVPN_DHCP_REQUESTING:
    m.requested = d->offered;
    m.server = d->offering;
    break;
  case OVPN_DHCP_REBOOTING:
    m.requested = d->lease.address;
    break;
  case OVPN_DHCP_RENEWING:
    m.to_mac = d->server_mac;
    m.to = d->server;
    m.client = d->lease.address;
    m.ask_broadcast = false;
    break;
  case OVPN_DHCP_REBINDING:
    m.client = d->lease.address;
    m.ask_broadcast = false;
    break;
  case OVPN_DHCP_IDLE:
  case OVPN_DHCP_CHECKING:
  case OVPN_DHCP_BOUND:
  case OVPN_DHCP_FAILED:
    break;
  }
  return m;
}

/* RFC 2131 4.4.4: to everybody, and without an address of ours. */
static size_t decline(OvpnDhcp *d, uint8_t *buf, size_t cap)
{
  OvpnDhcpOut m = {.type = OVPN_DHCP_DECLINE,
                   .xid = random_number(d),
                   .requested = d->lease.address,
                   .server = d->server};
  d->declining = false;
  return ovpn_dhcp_encode(&m, &d->params, buf, cap);
}

/* Is something to be sent in this state, not counting when? */
static bool speaks(const OvpnDhcp *d)
{
  switch (d->state) {
  case OVPN_DHCP_IDLE:
  case OVPN_DHCP_FAILED:
    return false;
  case OVPN_DHCP_CHECKING:
    return d->tries < PROBES;
  case OVPN_DHCP_BOUND:
    return d->watching && d->tries < ANNOUNCEMENTS;
  case OVPN_DHCP_REBOOTING:
  case OVPN_DHCP_SELECTING:
  case OVPN_DHCP_REQUESTING:
  case OVPN_DHCP_RENEWING:
  case OVPN_DHCP_REBINDING:
    return true;
  }
  return false;
}

size_t ovpn_dhcp_output(OvpnDhcp *d, uint64_t now, uint8_t *buf, size_t cap)
{
  ovpn_dhcp_tick(d, now);
  if (d->declining)
    return decline(d, buf, cap);
  if (!speaks(d) || now < d->next)
    return 0;
  OvpnDhcpOut m = next_message(d, now);
  d->tries++;
  d->next = now + pause_after(d, now);
  if (d->state == OVPN_DHCP_CHECKING)
    return ovpn_arp_probe(d->params.mac, d->lease.address, buf, cap);
  if (d->state == OVPN_DHCP_BOUND)
    return ovpn_arp_announce(d->params.mac, d->lease.address, buf, cap);
  d->asked = now;
  return ovpn_dhcp_encode(&m, &d->params, buf, cap);
}

unsigned ovpn_dhcp_take_events(OvpnDhcp *d)
{
  unsigned events = d->events;
  d->events = 0;
  return events;
}

size_t ovpn_dhcp_release(OvpnDhcp *d, uint64_t now, uint8_t *buf, size_t cap)
{
  size_t len = 0;
  if ((d->leased || d->state == OVPN_DHCP_CHECKING) && now < d->ends &&
      d->state != OVPN_DHCP_IDLE) {
    OvpnDhcpOut m = {.type = OVPN_DHCP_RELEASE,
                     .xid = random_number(d),
                     .client = d->lease.address,
                     .server = d->server,
                     .to_mac = d->server_mac,
                     .to = d->server};
    len = ovpn_dhcp_encode(&m, &d->params, buf, cap);
  }
  ovpn_dhcp_stop(d);
  d->leased = false;
  return len;
}
