/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control channel strings: PUSH_REPLY, AUTH_FAILED, AUTH_PENDING, INFO, RESTART, HALT, EXIT. spec
 * §13, §14.
 *
 * The text comes from a server whose certificate passed our checks, but is still only text: it is
 * split at NUL, strings with control characters are dropped, lengths are bounded, and nothing of it
 * is run or opened. */
#include "helper/core/cipher-names.h"
#include "helper/core/session-private.h"
#include "helper/core/signin.h"
#include <gnutls/gnutls.h>
#include <gnutls/crypto.h>
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* ---- PUSH_REPLY ---- */

static bool accepts_cipher(const OvpnConfig *c, const char *name)
{
  for (size_t i = 0; i < c->data_ciphers.n; i++)
    if (strcasecmp(c->data_ciphers.v[i], name) == 0)
      return true;
  return false;
}

/* The negotiation of spec §10 from the client's side. A server that names no cipher at all is one
 * of the time when BF-CBC was everybody's default. */
static OvpnStatus select_cipher(OvpnSession *s)
{
  const OvpnConfig *c = s->p.config;
  char occ[64] = "";
  const char *name = c->pull ? s->pushed.cipher : p2p_cipher(s);
  const char *own = c->data_ciphers_fallback ? c->data_ciphers_fallback
                    : c->cipher              ? c->cipher
                                             : "BF-CBC";
  bool old = !name;
  bool from_occ =
      !name && s->server_occ && ovpn_occ_get(s->server_occ, "cipher", occ, sizeof occ) && occ[0];
  if (from_occ)
    name = occ;
  else if (!name)
    name = own;
  (void)ovpn_cipher_find(name, &name);
  s->cipher = ovpn_data_cipher(name);
  if (!s->cipher || !(accepts_cipher(c, name) || (old && strcasecmp(own, name) == 0)))
    return session_fail(s, OVPN_FAIL_NO_COMMON_CIPHER, 0, "%s", name);
  if (!s->cipher->aead && ovpn_digest_missing(c->auth)) {
    OvpnFailure f = {0};
    ovpn_config_digest_missing(c->auth, &f);
    return session_fail(s, f.status, 0, "%s", f.text);
  }
  session_tell_weak(s);
  return OVPN_OK;
}

void session_tell_weak(OvpnSession *s)
{
  const OvpnDataCipher *d = s->cipher;
  const OvpnConfig *c = s->p.config;
  bool stream = d->block == 1 && d->iv > 0; /* with packet ids and IVs always */
  if (ovpn_cipher_is_short(d->name) || d->key_len == 0)
    session_log(s, 4, OVPN_LOG_WEAK, "cipher %s", d->name);
  if (c->no_replay && !d->aead && !stream)
    session_log(s, 4, OVPN_LOG_WEAK, "%s",
                "no-replay: packets that somebody recorded can be sent again");
  if (c->no_iv && d->block > 1)
    session_log(s, 4, OVPN_LOG_WEAK, "%s",
                "no-iv: equal packets look equal to everybody on the way");
}

static void take_token(OvpnSession *s, OvpnPushed *p)
{
  OvpnCredentials *c = s->p.credentials;
  if (p->auth_token.len > 0)
    (void)ovpn_blob_set(&c->token, p->auth_token.data, p->auth_token.len);
  if (p->auth_token_user.len > 0)
    (void)ovpn_blob_set(&c->token_user, p->auth_token_user.data, p->auth_token_user.len);
}

OvpnStatus control_pushed(OvpnSession *s)
{
  OvpnFailure f = {0};
  OvpnStatus r =
      ovpn_pushed_from_options(&s->pushed, s->p.config, s->p.profile, &s->pushed_list, NULL, &f);
  if (r != OVPN_OK)
    return session_fail(s, f.status ? f.status : OVPN_FAIL_PUSH, f.arg, "%s", f.text);
  if (!s->p.config->pull && !p2p_agree(s, current_key(s)))
    return s->failure.status;
  r = select_cipher(s);
  if (r != OVPN_OK)
    return r;
  if (s->pushed.aead_epoch && (!s->cipher->aead || !s->pushed.has_peer_id))
    return session_fail(s, OVPN_FAIL_PUSH, 0, "protocol-flags aead-epoch");
  take_token(s, &s->pushed);
  s->have_pushed = true;
  session_set_state(s, OVPN_SESSION_UP);
  s->up_since = s->last_activity = s->last_sent = s->now;
  s->push_request_at = s->push_deadline = NEVER;
  session_push_event(s, OVPN_EVENT_PUSHED);
  return key_generate(s, current_key(s));
}

/* In mid-session a PUSH_REPLY can only renew the token, spec §13.5. */
static void renew_token(OvpnSession *s, const char *text)
{
  ovpn_auto_option_list l = {0};
  OvpnPushed p;
  OvpnFailure f = {0};
  bool more;
  unsigned ignored;
  ovpn_pushed_init(&p);
  if (ovpn_push_parse(text, s->p.config, NULL, &l, &more, &ignored, &f) == OVPN_OK) {
    (void)ovpn_pushed_from_options(&p, s->p.config, NULL, &l, NULL, &f);
    take_token(s, &p);
  }
  ovpn_pushed_clear(&p);
}

static OvpnStatus push_reply(OvpnSession *s, KeyState *k, const char *text)
{
  if (s->state == OVPN_SESSION_UP || s->state == OVPN_SESSION_REKEYING) {
    renew_token(s, text);
    return OVPN_OK;
  }
  if (s->state != OVPN_SESSION_PULL || !s->p.config->pull)
    return OVPN_OK;
  OvpnFailure f = {0};
  bool more = false;
  unsigned ignored = 0;
  OvpnStatus r =
      ovpn_push_parse(text, s->p.config, s->p.profile, &s->pushed_list, &more, &ignored, &f);
  if (r != OVPN_OK)
    return session_fail(s, f.status ? f.status : OVPN_FAIL_PUSH, f.arg, "%s", f.text);
  if (ignored)
    session_log(s, 6, OVPN_LOG_PUSH_IGNORED, "%u", ignored);
  s->push_request_at = NEVER;
  (void)k;
  return more ? OVPN_OK : control_pushed(s);
}

/* What the list says now takes the place of what was pushed; the protocol's own settings are still
 * in it. What cannot be changed in a running session needs a new one. spec §13.3 */
static OvpnStatus push_update(OvpnSession *s, const char *text)
{
  OvpnFailure f = {0};
  bool more = false;
  unsigned ignored = 0;
  if (s->state != OVPN_SESSION_UP && s->state != OVPN_SESSION_REKEYING)
    return OVPN_OK;
  OvpnStatus r = ovpn_push_update(text, s->p.config, s->p.profile, &s->pushed_list,
                                  &s->update_replaced, &more, &ignored, &f);
  if (r == OVPN_OK && ignored)
    session_log(s, 6, OVPN_LOG_PUSH_IGNORED, "%u", ignored);
  if (r == OVPN_OK && more)
    return OVPN_OK;
  s->update_replaced = 0;
  if (r == OVPN_OK)
    r = ovpn_pushed_from_options(&s->pushed, s->p.config, s->p.profile, &s->pushed_list, NULL, &f);
  if (r != OVPN_OK)
    return session_fail(s, OVPN_FAIL_SERVER_RESTART, OVPN_RESTART_PRESERVE, "PUSH_UPDATE: %s",
                        f.text);
  session_push_event(s, OVPN_EVENT_PUSHED);
  return OVPN_OK;
}

/* ---- AUTH_FAILED ---- */

static bool set_base64(OvpnBlob *b, const char *text, size_t len)
{
  gnutls_datum_t in = {(unsigned char *)(uintptr_t)text, (unsigned)len}, out = {0};
  if (len == 0)
    return true;
  if (gnutls_base64_decode2(&in, &out) < 0)
    return false;
  bool ok = memchr(out.data, 0, out.size) == NULL && ovpn_blob_set(b, out.data, out.size);
  gnutls_free(out.data);
  return ok;
}

/* CRV1:<flags>:<state>:<user b64>:<text>; the text may hold colons. spec §14.3 */
static OvpnStatus dynamic_challenge(OvpnSession *s, const char *p)
{
  OvpnCredentials *c = s->p.credentials;
  const char *field[4];
  for (unsigned i = 0; i < 3; i++) {
    field[i] = p;
    p = strchr(p, ':');
    if (!p)
      return session_fail(s, OVPN_FAIL_AUTH, 0, "%s", "");
    p++;
  }
  field[3] = p;
  ovpn_blob_clear(&c->crv_response);
  c->have_crv_response = false;
  bool ok = ovpn_blob_set(&c->crv_state, field[1], (size_t)(field[2] - field[1] - 1)) &&
            set_base64(&c->crv_user, field[2], (size_t)(field[3] - field[2] - 1));
  if (!ok)
    return session_fail(s, OVPN_FAIL_AUTH, 0, "%s", field[3]);
  OvpnEvent *e = session_push_event(s, OVPN_EVENT_NEED);
  e->need = OVPN_NEED_CHALLENGE;
  e->echo = memchr(field[0], 'E', (size_t)(field[1] - field[0])) != NULL;
  e->required = memchr(field[0], 'R', (size_t)(field[1] - field[0])) != NULL;
  e->text = calloc(1, OVPN_SIGNIN_TEXT_MAX);
  if (e->text)
    ovpn_text_clean(e->text, OVPN_SIGNIN_TEXT_MAX, field[3]);
  return session_fail(s, OVPN_FAIL_AUTH, 1, "%s", field[3]);
}

static const uint64_t PATIENCE_SLACK = UINT64_C(2000000000); /* ns: its clock ticks in seconds */

static OvpnStatus auth_failed(OvpnSession *s, const char *reason)
{
  OvpnCredentials *c = s->p.credentials;
  if (strncmp(reason, "CRV1:", 5) == 0)
    return dynamic_challenge(s, reason + 5);
  if (strncmp(reason, "TEMP", 4) == 0 && (reason[4] == 0 || strchr("[:", reason[4])))
    return signin_temporary(s, reason + 4);
  if (strncmp(reason, "Data channel cipher negotiation failed", 38) == 0)
    return session_fail(s, OVPN_FAIL_NO_COMMON_CIPHER, 0, "%s", reason);
  const char *text = strncmp(reason, "SESSION:", 8) == 0 ? reason + 8 : reason;
  text += strspn(text, " ");
  /* a server whose patience ends when it said it would: that is no wrong password */
  if (!*text && s->pending_seconds && s->push_deadline <= s->now + PATIENCE_SLACK)
    return session_fail(s, OVPN_FAIL_NO_PUSH_REPLY, s->pending_seconds, "%s", "");
  bool token = s->used_token;
  ovpn_blob_clear(&c->token);
  ovpn_blob_clear(&c->token_user);
  return session_fail(s, token ? OVPN_FAIL_AUTH_SESSION : OVPN_FAIL_AUTH, 0, "%s", text);
}

/* ---- the others ---- */

/* RESTART and HALT: [flags]message */
static OvpnStatus server_says(OvpnSession *s, OvpnStatus status, const char *p)
{
  uint32_t flags = 0;
  if (*p == '[') {
    for (p++; *p && *p != ']'; p++)
      flags |= *p == 'P' ? OVPN_RESTART_PRESERVE : *p == 'N' ? OVPN_RESTART_NEXT : 0;
    p += *p == ']';
  }
  if (status == OVPN_FAIL_SERVER_RESTART && !(flags & OVPN_RESTART_PRESERVE)) {
    ovpn_blob_clear(&s->p.credentials->token); /* spec §13.8: without P tokens are forgotten */
    ovpn_blob_clear(&s->p.credentials->token_user);
  }
  return session_fail(s, status, flags, "%s", p + (*p == ':'));
}

/* The text after `word` when msg is that word alone or followed by a comma; NULL otherwise. */
static const char *argument(const char *msg, const char *word)
{
  size_t n = strlen(word);
  if (strncmp(msg, word, n) != 0)
    return NULL;
  if (msg[n] == 0)
    return msg + n;
  return msg[n] == ',' ? msg + n + 1 : NULL;
}

static OvpnStatus control_string(OvpnSession *s, KeyState *k, const char *msg)
{
  const char *arg;
  if (argument(msg, "PUSH_REPLY"))
    return push_reply(s, k, msg + strlen("PUSH_REPLY"));
  if (argument(msg, "PUSH_UPDATE"))
    return push_update(s, msg + strlen("PUSH_UPDATE"));
  if ((arg = argument(msg, "AUTH_FAILED")))
    return auth_failed(s, arg);
  if ((arg = argument(msg, "AUTH_PENDING")))
    signin_pending(s, arg);
  else if ((arg = argument(msg, "RESTART")))
    return server_says(s, OVPN_FAIL_SERVER_RESTART, arg);
  else if ((arg = argument(msg, "HALT")))
    return server_says(s, OVPN_FAIL_SERVER_HALT, arg);
  else if (argument(msg, "EXIT"))
    return session_fail(s, OVPN_FAIL_SERVER_EXIT, 0, "%s", "");
  else if ((arg = argument(msg, "INFO_PRE")) || (arg = argument(msg, "INFO")))
    signin_info(s, arg);
  return OVPN_OK; /* unknown messages are ignored, spec §13 */
}

/* One TLS record: NUL-terminated strings; trailing CR LF stripped; others with control characters
 * dropped; a tail without NUL is invalid. spec §7 */
OvpnStatus control_record(OvpnSession *s, KeyState *k, const char *data, size_t len)
{
  const char *end = data + len;
  while (data < end && s->state != OVPN_SESSION_DEAD) {
    const char *nul = memchr(data, 0, (size_t)(end - data));
    if (!nul)
      return OVPN_OK;
    size_t n = (size_t)(nul - data);
    while (n > 0 && (data[n - 1] == '\r' || data[n - 1] == '\n'))
      n--;
    bool clean = true;
    for (size_t i = 0; i < n; i++)
      clean &= !iscntrl((unsigned char)data[i]);
    if (n > 0 && clean) {
      char *msg = strndup(data, n);
      OvpnStatus r = msg ? control_string(s, k, msg) : OVPN_FAIL_MEMORY;
      ovpn_secret_free(msg); /* may hold a token */
      if (r != OVPN_OK)
        return r;
    }
    data = nul + 1;
  }
  return OVPN_OK;
}
