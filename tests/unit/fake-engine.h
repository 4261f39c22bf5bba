/* SPDX-License-Identifier: GPL-2.0-or-later */
/* An engine of which only the part under test is real: sessions are puppets of the test, messages
 * to the service are counted. For one test program each. */
#pragma once
#include <unistd.h>
#include "check.h"
#include "helper/core/packet.h"
#include "helper/engine/engine.h"

#define MS UINT64_C(1000000)

/* A packet for a puppet is one letter: 'A' answers the hello, 'a' belongs to the session. */
struct OvpnSession {
  OvpnSessionState state;
  bool silent, can_probe; /* silent: there is nothing to say */
  unsigned probes, hellos, answered;
  uint64_t deadline;
  OvpnFailure failure;
};

static struct {
  unsigned sessions, freed, silent, heard, sockets, chosen, failed, replaced, opened, needs,
      drive_failed;
  bool no_session;
  OvpnSessionState new_state;
  uint16_t number;
  bool others, udp;
  OvpnFailure failure;
  OvpnSocksAddress relay;
  OvpnProto proto;
  int fd;
} seen;

OvpnSession *puppet(OvpnSessionState state);
OvpnSession *puppet(OvpnSessionState state)
{
  OvpnSession *s = calloc(1, sizeof *s);
  s->state = state;
  s->can_probe = true;
  s->deadline = UINT64_MAX;
  return s;
}

void ovpn_session_free(OvpnSession *s)
{
  seen.freed += s != NULL;
  free(s);
}
bool ovpn_session_can_probe(const OvpnSession *s)
{
  return s->can_probe;
}
size_t ovpn_session_probe(OvpnSession *s, uint64_t now, uint8_t *buf, size_t cap)
{
  s->probes++;
  buf[0] = 'p';
  return 1;
}
unsigned ovpn_session_probes_answered(const OvpnSession *s)
{
  return s->answered;
}
size_t ovpn_session_output(OvpnSession *s, uint64_t now, uint8_t *buf, size_t cap)
{
  if (s->silent)
    return 0;
  s->silent = true;
  s->hellos++;
  buf[0] = 'h';
  return 1;
}
OvpnStatus ovpn_session_input(OvpnSession *s, uint64_t now, const uint8_t *pkt, size_t len)
{
  if (len != 1 || pkt[0] != 'A')
    return OVPN_DROP_SESSION_ID;
  s->state = OVPN_SESSION_TLS_HANDSHAKE;
  return OVPN_OK;
}
OvpnSessionState ovpn_session_state(const OvpnSession *s)
{
  return s->state;
}
uint64_t ovpn_session_deadline(const OvpnSession *s)
{
  return s->deadline;
}
void ovpn_session_tick(OvpnSession *s, uint64_t now)
{
  s->state = OVPN_SESSION_DEAD;
  s->failure.status = OVPN_FAIL_NO_ANSWER;
}
const OvpnFailure *ovpn_session_failure(const OvpnSession *s)
{
  return &s->failure;
}

OvpnStatus drive_new_session(Engine *e, const Link *l, const OvpnAccepted *accepted,
                             OvpnSession **ret, OvpnFailure *f)
{
  (void)accepted;
  if (seen.no_session)
    return ovpn_failure_set(f, OVPN_FAIL_MEMORY, "none");
  seen.sessions++;
  *ret = puppet(seen.new_state ? seen.new_state : OVPN_SESSION_RESET_SENT);
  return OVPN_OK;
}
void drive_replace(Engine *e, OvpnSession *next)
{
  seen.replaced++;
  ovpn_session_free(e->session);
  e->session = next;
}
void drive_fail(Engine *e, const OvpnFailure *f)
{
  seen.drive_failed++;
  seen.failure = *f;
}
void control_log(Engine *e, int level, unsigned code, const char *text)
{
}
void control_send_silent(Engine *e, bool silent)
{
  seen.silent += silent;
  seen.heard += !silent;
}
void control_send_socket_wanted(Engine *e, uint16_t number, bool udp, const OvpnSocksAddress *relay)
{
  seen.number = number;
  seen.sockets++;
  seen.udp = udp;
  seen.relay = *relay;
}
void loop_forget_link(Engine *e)
{
}
void loop_forget_via(Engine *e, Via *v)
{
}
void loop_forget_rival(Engine *e, unsigned i)
{
}

static void fake_engine_init(Engine *e)
{
  memset(e, 0, sizeof *e);
  memset(&seen, 0, sizeof seen);
  e->phase = ENGINE_SESSION;
  e->now = 1000 * MS;
  e->link.fd = e->via.fd = e->via.watch.fd = e->tun.fd = -1;
  e->link.proto = OVPN_PROTO_UDP;
  e->peer_id = 1;
  ovpn_config_init(&e->config);
  CHECK(batch_init(&e->tx) && batch_init(&e->rx));
}

static void fake_engine_clear(Engine *e)
{
  ovpn_session_free(e->session);
  batch_clear(&e->tx);
  batch_clear(&e->rx);
  ovpn_config_clear(&e->config);
}
