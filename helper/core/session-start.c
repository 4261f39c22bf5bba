/* SPDX-License-Identifier: GPL-2.0-or-later */
/* How a session begins and ends: its keys for the control channel, its id, who starts. spec §4, §5.
 *
 * Trusts the configuration. Invariant: a session that begins has an id that is not zero. */
#include "helper/core/session-private.h"
#include <stdlib.h>

OvpnStatus session_load_wrap(const OvpnConfig *c, uint32_t wall_time, OvpnWrap *ret, OvpnFailure *f)
{
  uint8_t key[OVPN_STATIC_KEY_LEN] = {0};
  ovpn_auto_blob wkc = {0};
  OvpnWrapMode mode = OVPN_WRAP_NONE;
  int direction = c->tls_server ? OVPN_DIR_NORMAL : OVPN_DIR_INVERSE;
  OvpnStatus r = OVPN_OK;
  const OvpnFile *file;
  if ((file = &c->files[OVPN_FILE_TLS_CRYPT_V2])->content.len > 0) {
    mode = OVPN_WRAP_TLS_CRYPT_V2;
    r = ovpn_tls_crypt_v2_parse(file->content.data, file->content.len, key, &wkc, f);
  } else if ((file = &c->files[OVPN_FILE_TLS_CRYPT])->content.len > 0) {
    mode = OVPN_WRAP_TLS_CRYPT;
    r = ovpn_static_key_parse(file->content.data, file->content.len, key, f);
  } else if ((file = &c->files[OVPN_FILE_TLS_AUTH])->content.len > 0) {
    mode = OVPN_WRAP_TLS_AUTH;
    direction = c->tls_auth_dir;
    r = ovpn_static_key_parse(file->content.data, file->content.len, key, f);
  }
  if (r == OVPN_OK)
    r = ovpn_wrap_init(ret, mode, key, direction, c->auth, &wkc, wall_time);
  if (ovpn_is_fail(r) && f)
    ovpn_failure_set(f, r, "the digest “%s” cannot protect the control channel",
                     c->auth ? c->auth : "SHA1");
  ovpn_wipe(key, sizeof key);
  return r;
}

static bool credentials_ready(const OvpnSession *s)
{
  const OvpnCredentials *c = s->p.credentials;
  return session_is_server(s) || !s->p.config->auth_user_pass || c->have_user_pass ||
         c->token.len > 0 || c->have_crv_response;
}

static void begin(OvpnSession *s)
{
  bool fixed = ovpn_config_is_static(s->p.config);
  if (s->p.waits && !fixed)
    return; /* INIT until another session takes its place */
  session_set_state(s, OVPN_SESSION_RESET_SENT);
  if (fixed) {
    (void)static_begin(s);
    return;
  }
  key_start(s, 0);
  if (s->p.accepted)
    key_adopt(s);
}

static void choose_id(OvpnSession *s)
{
  const OvpnAccepted *a = s->p.accepted;
  if (a) {
    memcpy(s->sid, a->sid, sizeof s->sid);
    memcpy(s->peer_sid, a->peer_sid, sizeof s->peer_sid);
    s->have_peer = true;
    if (a->send_time >= s->wrap.send_time) {
      s->wrap.send_id = a->send_id;
      s->wrap.send_time = a->send_time;
    }
    return;
  }
  do
    s->p.random(s->p.random_user, s->sid, sizeof s->sid);
  while (memcmp(s->sid, (uint8_t[OVPN_SID_LEN]){0}, sizeof s->sid) == 0);
}

OvpnStatus ovpn_session_new(const OvpnSessionParams *p, OvpnSession **ret, OvpnFailure *f)
{
  OvpnSession *s = calloc(1, sizeof *s);
  if (!s)
    return ovpn_failure_set(f, OVPN_FAIL_MEMORY, "session");
  s->p = *p;
  s->now = s->last_received = s->last_sent = p->now;
  s->push_request_at = s->push_deadline = s->close_deadline = s->exit_at = NEVER;
  ovpn_pushed_init(&s->pushed);
  OvpnStatus r = session_load_wrap(p->config, p->wall_time, &s->wrap, f);
  if (r != OVPN_OK) {
    ovpn_session_free(s);
    return r;
  }
  choose_id(s);
  if (credentials_ready(s) || p->waits) {
    begin(s);
    s->p.accepted = NULL;
  } else {
    session_set_state(s, OVPN_SESSION_WAIT_CREDENTIALS);
    session_push_event(s, OVPN_EVENT_NEED)->need = OVPN_NEED_USER_PASS;
  }
  *ret = s;
  return OVPN_OK;
}

void ovpn_session_free(OvpnSession *s)
{
  if (!s)
    return;
  key_clear(&s->keys[0]);
  key_clear(&s->keys[1]);
  ovpn_wrap_clear(&s->wrap);
  if (s->have_dynamic)
    ovpn_wrap_clear(&s->dynamic);
  ovpn_option_list_clear(&s->pushed_list);
  ovpn_pushed_clear(&s->pushed);
  for (unsigned i = 0; i < EVENTS_MAX; i++)
    ovpn_event_clear(&s->events[i]);
  free(s->server_occ);
  free(s->peer_info);
  ovpn_wipe(s, sizeof *s);
  free(s);
}

void ovpn_session_answer(OvpnSession *s, uint64_t now)
{
  s->now = now;
  if (s->state == OVPN_SESSION_WAIT_CREDENTIALS && credentials_ready(s))
    begin(s);
}
