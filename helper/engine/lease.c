/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The DHCP client of a TAP whose server gives no address, on the tunnel of the present session.
 *
 * Its frames are sealed like payload, before any payload flows; datapath.c shows it what comes in.
 * Invariants: payload flows only while there is a lease; the service is told of a lease before UP
 * and when it changes. A lease outlives the session, so after a reconnection payload flows at once
 * while the lease is being confirmed. */
#include "helper/engine/engine.h"
#include <arpa/inet.h>
#include <inttypes.h>
#include <stdio.h>
#include <syslog.h>

void lease_ask(Engine *e, const OvpnDhcpParams *p)
{
  e->lease.params = *p;
  e->lease.asked = true;
}

void lease_new_tun(Engine *e)
{
  EngineLease *l = &e->lease;
  l->params.mtu = (uint16_t)e->tun.mtu;
  l->wanted = l->asked && e->tun.tap;
  l->asked = l->told = false;
  if (!l->wanted)
    lease_end(e);
}

void lease_end(Engine *e)
{
  ovpn_dhcp_stop(&e->lease.dhcp);
  e->lease.running = e->lease.told = false;
  e->dp.dhcp = NULL;
}

static void tell(Engine *e)
{
  ovpn_auto_option_list options = {0};
  if (ovpn_lease_to_options(&e->lease.dhcp.lease, &options)) {
    control_send_lease(e, &options);
    e->lease.told = true;
  }
}

bool lease_ready(Engine *e)
{
  EngineLease *l = &e->lease;
  if (!l->wanted)
    return true;
  if (!l->running) {
    ovpn_dhcp_start(&l->dhcp, &l->params, engine_random, NULL, e->now);
    l->running = true;
    e->dp.dhcp = &l->dhcp;
    lease_settle(e);
  }
  if (!e->session || !ovpn_dhcp_has_lease(&l->dhcp))
    return false;
  if (!l->told)
    tell(e);
  return l->told;
}

static void log_lease(Engine *e, const char *word)
{
  const OvpnDhcp *d = &e->lease.dhcp;
  char text[128], address[INET_ADDRSTRLEN] = "", server[INET_ADDRSTRLEN] = "";
  inet_ntop(AF_INET, &d->lease.address, address, sizeof address);
  inet_ntop(AF_INET, &d->server, server, sizeof server);
  if (d->ends == UINT64_MAX)
    snprintf(text, sizeof text, "%s %s/%u from %s, for ever", word, address, d->lease.prefix,
             server);
  else
    snprintf(text, sizeof text, "%s %s/%u from %s, for %" PRIu64 " s", word, address,
             d->lease.prefix, server, (d->ends - e->now) / 1000000000u);
  control_log(e, LOG_INFO, OVPN_LOG_DHCP, text);
}

/* "10.8.0.5, 02:00:5e:00:53:01" */
static void format_holder(const OvpnDhcp *d, char *ret, size_t cap)
{
  char address[INET_ADDRSTRLEN] = "";
  const uint8_t *m = d->holder;
  inet_ntop(AF_INET, &d->lease.address, address, sizeof address);
  snprintf(ret, cap, "%s, %02x:%02x:%02x:%02x:%02x:%02x", address, m[0], m[1], m[2], m[3], m[4],
           m[5]);
}

static void log_refusal(Engine *e, unsigned events)
{
  char text[128], holder[64];
  if (events & OVPN_DHCP_CONFLICT) {
    format_holder(&e->lease.dhcp, holder, sizeof holder);
    snprintf(text, sizeof text, "the address is somebody else's (%s): declined", holder);
    control_log(e, LOG_WARNING, OVPN_LOG_DHCP, text);
  } else if (events & OVPN_DHCP_REFUSED)
    control_log(e, LOG_WARNING, OVPN_LOG_DHCP, "the address was withdrawn; asking for another");
}

static void on_events(Engine *e, unsigned events)
{
  log_refusal(e, events);
  if (events & OVPN_DHCP_REFUSED)
    e->dp.up = e->lease.told = false;
  if (events & OVPN_DHCP_LEASED) {
    log_lease(e, "leased");
    e->lease.told = false;
    if (e->dp.up)
      tell(e);
  } else if (events & OVPN_DHCP_CONFIRMED)
    log_lease(e, "confirmed");
}

static void give_up(Engine *e, unsigned events)
{
  OvpnFailure f = {.arg = events & OVPN_DHCP_IN_USE  ? OVPN_DHCP_WHY_IN_USE
                          : events & OVPN_DHCP_ENDED ? OVPN_DHCP_WHY_ENDED
                                                     : OVPN_DHCP_WHY_SILENCE};
  char text[64] = "";
  if (events & OVPN_DHCP_IN_USE)
    format_holder(&e->lease.dhcp, text, sizeof text);
  ovpn_failure_set(&f, OVPN_FAIL_DHCP, "%s", text);
  drive_fail(e, &f);
}

void lease_settle(Engine *e)
{
  EngineLease *l = &e->lease;
  uint8_t frame[OVPN_DHCP_FRAME_MAX];
  if (!l->running)
    return;
  size_t n = ovpn_dhcp_output(&l->dhcp, e->now, frame, sizeof frame);
  if (n > 0)
    datapath_send(&e->dp, &e->tx, frame, n); /* lost when there is no room: it is sent again */
  unsigned events = ovpn_dhcp_take_events(&l->dhcp);
  if (events == 0)
    return;
  on_events(e, events);
  if (events & (OVPN_DHCP_ENDED | OVPN_DHCP_NO_ANSWER | OVPN_DHCP_IN_USE))
    give_up(e, events);
}

uint64_t lease_deadline(const Engine *e)
{
  return e->lease.running ? ovpn_dhcp_deadline(&e->lease.dhcp) : UINT64_MAX;
}

void lease_release(Engine *e)
{
  uint8_t frame[OVPN_DHCP_FRAME_MAX];
  if (!e->lease.running)
    return;
  size_t n = ovpn_dhcp_release(&e->lease.dhcp, e->now, frame, sizeof frame);
  if (n > 0)
    datapath_send(&e->dp, &e->tx, frame, n);
  lease_end(e);
}
