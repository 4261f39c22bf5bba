/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Static key mode: no TLS, no push, no renegotiation; the file is the data key. spec §11.4, §12.4.
 *
 * The other side is believed when a packet passes the HMAC. To hear from it at once we ask for its
 * options, as OpenVPN does; only then the tunnel is up, so that a wrong key or a silent peer is
 * told. Whoever has the file can read everything, also what was sent before: the log says so. */
#include "helper/core/cipher-names.h"
#include "helper/core/session-private.h"

enum { ASK_SECONDS = 2, SILENCE_SECONDS = 20 };

OvpnStatus static_begin(OvpnSession *s)
{
  const OvpnConfig *c = s->p.config;
  const OvpnFile *file = &c->files[OVPN_FILE_SECRET];
  OvpnFailure f = {0};
  uint8_t key[OVPN_STATIC_KEY_LEN] = {0};
  OvpnStatus r = ovpn_static_key_parse(file->content.data, file->content.len, key, &f);
  if (r != OVPN_OK)
    return session_fail(s, r, 0, "secret: %s", f.text);
  s->cipher = ovpn_data_cipher(c->cipher ? c->cipher : "BF-CBC");
  if (!s->cipher) {
    ovpn_wipe(key, sizeof key);
    return session_fail(s, OVPN_FAIL_NO_COMMON_CIPHER, 0, "%s", c->cipher);
  }
  session_log(s, 4, OVPN_LOG_WEAK,
              "a shared static key: who gets hold of it can read all traffic, earlier traffic too");
  session_tell_weak(s);
  OvpnEvent *e = session_push_event(s, OVPN_EVENT_KEYS);
  memcpy(e->key_block, key, sizeof e->key_block);
  e->static_key = true;
  e->cipher = s->cipher->name;
  e->peer_id = -1;
  ovpn_wipe(key, sizeof key);
  session_push_event(s, OVPN_EVENT_USE_KEY)->key_id = 0;
  unsigned silence = SILENCE_SECONDS;
  if (c->connect_timeout && c->connect_timeout < silence)
    silence = c->connect_timeout;
  s->push_request_at = s->now;
  s->push_deadline = s->now + silence * NS_PER_S;
  if (s->p.waits) /* nobody to ask yet */
    s->push_request_at = s->push_deadline = NEVER;
  return OVPN_OK;
}

void static_heard(OvpnSession *s)
{
  OvpnFailure f = {0};
  OvpnStatus r =
      ovpn_pushed_from_options(&s->pushed, s->p.config, s->p.profile, &s->pushed_list, NULL, &f);
  if (r != OVPN_OK) {
    session_fail(s, f.status ? f.status : OVPN_FAIL_CONFIG, f.arg, "%s", f.text);
    return;
  }
  s->push_request_at = s->push_deadline = NEVER;
  s->have_pushed = true;
  session_set_state(s, OVPN_SESSION_UP);
  s->up_since = s->last_activity = s->last_sent = s->last_received = s->now;
  session_push_event(s, OVPN_EVENT_PUSHED);
}

void static_tick(OvpnSession *s)
{
  if (s->p.waits)
    return;
  /* A peer that was told not to answer (disable-occ) is taken on trust, as OpenVPN does. */
  if (s->p.config->disable_occ) {
    static_heard(s);
  } else if (s->now >= s->push_deadline) {
    session_fail(s, OVPN_FAIL_NO_ANSWER, 0, "%s", "");
  } else if (s->now >= s->push_request_at) {
    s->push_request_at = s->now + ASK_SECONDS * NS_PER_S;
    session_push_event(s, OVPN_EVENT_SEND_OCC_REQUEST);
  }
}
