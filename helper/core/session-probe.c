/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A question that only the server with our session can answer: the newest control message once
 * more. It has been acknowledged, so it changes nothing there, but every acknowledgement that gets
 * lost has to be repeated, and so a living server answers at once. A server that has been started
 * anew knows nothing of the session and stays silent. spec §3.
 *
 * The answer is authenticated as well as the control channel is. */
#include "helper/core/session-private.h"

bool ovpn_session_can_probe(const OvpnSession *s)
{
  const KeyState *k = &s->keys[s->cur];
  /* a server never calls; who has lost it calls again */
  return !session_is_server(s) && s->state == OVPN_SESSION_UP && k->phase == KEY_GENERATED &&
         k->reliable.next_send_id > 0 && ovpn_reliable_idle(&k->reliable);
}

size_t ovpn_session_probe(OvpnSession *s, uint64_t now, uint8_t *buf, size_t cap)
{
  KeyState *k = current_key(s);
  OvpnPacketBody b = {0};
  s->now = now;
  if (!ovpn_session_can_probe(s))
    return 0;
  ovpn_reliable_take_acks(&k->reliable, &b, 4, false);
  b.has_id = true;
  b.id = k->reliable.next_send_id - 1;
  return session_seal(s, k, OVPN_OP_CONTROL_V1, &b, false, buf, cap);
}

void session_note_acks(OvpnSession *s, const KeyState *k, uint8_t op, const OvpnPacketBody *b)
{
  if (op != OVPN_OP_ACK_V1 || k != current_key(s) || !ovpn_session_can_probe(s))
    return;
  for (unsigned i = 0; i < b->n_acks; i++)
    s->probes_answered += b->acks[i] == k->reliable.next_send_id - 1;
}

unsigned ovpn_session_probes_answered(const OvpnSession *s)
{
  return s->probes_answered;
}
