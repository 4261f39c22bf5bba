/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One key negotiation after another: reset, TLS handshake, key method 2, data keys, renegotiation.
 * spec §5-§9.
 *
 * Everything here works on messages that ovpn_wrap_open() authenticated and the reliable layer put
 * in order. Secrets of a negotiation are wiped as soon as the data keys exist. */
#include "helper/core/session-private.h"
#include <gnutls/gnutls.h>
#include <gnutls/crypto.h>
#include <stdio.h>
#include <stdlib.h>

/* What we promise in IV_PROTO; set a bit only when it is implemented. spec §8.5 */
enum {
  IV_PROTO_DATA_V2 = 2,
  IV_PROTO_REQUEST_PUSH = 4,
  IV_PROTO_TLS_KEY_EXPORT = 8,
  IV_PROTO_AUTH_PENDING_KW = 16,
  IV_PROTO_NCP_P2P = 32,
  IV_PROTO_CC_EXIT_NOTIFY = 128,
  IV_PROTO_AUTH_FAIL_TEMP = 256,
  IV_PROTO_DYN_TLS_CRYPT = 512,
  IV_PROTO_DATA_EPOCH = 1024,
  IV_PROTO_DNS_OPTION_V2 = 2048,
  IV_PROTO_PUSH_UPDATE = 4096,
  OUR_IV_PROTO = IV_PROTO_DATA_V2 | IV_PROTO_REQUEST_PUSH | IV_PROTO_TLS_KEY_EXPORT |
                 IV_PROTO_AUTH_PENDING_KW | IV_PROTO_CC_EXIT_NOTIFY | IV_PROTO_AUTH_FAIL_TEMP |
                 IV_PROTO_DYN_TLS_CRYPT | IV_PROTO_DNS_OPTION_V2 | IV_PROTO_PUSH_UPDATE |
                 IV_PROTO_DATA_EPOCH,
};
static const char peer_version[] =
    "2.6.0_nm-ovpn"; /* servers gate features on a leading version number */

void key_clear(KeyState *k)
{
  ovpn_tls_free(k->tls);
  ovpn_wipe(k, sizeof *k);
}

static uint64_t seconds_after(uint64_t t, uint64_t s)
{
  return t > NEVER - s * NS_PER_S ? NEVER : t + s * NS_PER_S;
}

void key_start(OvpnSession *s, uint8_t key_id)
{
  const OvpnConfig *c = s->p.config;
  KeyState *k = current_key(s);
  k->key_id = key_id;
  k->phase = KEY_RESET_SENT;
  k->started = s->now;
  k->use_at = k->must_die = k->reneg_at = NEVER;
  unsigned window = c->hand_window;
  k->must_negotiate = seconds_after(s->now, window);
  if (key_id == 0 && c->connect_timeout < window)
    k->must_negotiate =
        seconds_after(s->now, c->connect_timeout); /* no answer at all: give up earlier */
  ovpn_reliable_init(&k->reliable, c->tls_timeout * NS_PER_S);
  uint8_t op = OVPN_OP_SOFT_RESET_V1;
  bool v2 = s->wrap.mode == OVPN_WRAP_TLS_CRYPT_V2;
  if (key_id == 0)
    op = session_is_server(s) ? OVPN_OP_HARD_RESET_SERVER_V2
         : v2                 ? OVPN_OP_HARD_RESET_CLIENT_V3
                              : OVPN_OP_HARD_RESET_CLIENT_V2;
  (void)ovpn_reliable_queue(&k->reliable, op, NULL, 0, key_id == 0 && v2, s->now);
  /* A hello that is lost, or comes before the server is there, costs no more than half a second. */
  OvpnSendSlot *hello = &k->reliable.send[0];
  if (key_id == 0 && hello->timeout > NS_PER_S / 2) {
    hello->timeout = NS_PER_S / 2;
    hello->steady = 6;
  }
}

void session_renegotiate(OvpnSession *s)
{
  KeyState *cur = current_key(s), *old = other_key(s);
  if (!cur->sending)
    key_use(s, cur); /* its predecessor dies now, so the wait for the switch is over. spec §6.5 */
  if (old->phase != KEY_FREE)
    key_retire(s, old);
  cur->must_die = seconds_after(s->now, s->p.config->tran_window);
  cur->reneg_at = NEVER;
  s->cur = 1 - s->cur;
  s->key_bytes = 0;
  session_set_state(s, OVPN_SESSION_REKEYING);
  key_start(s, key_next_id(cur->key_id));
}

void key_use(OvpnSession *s, KeyState *k)
{
  k->use_at = NEVER;
  if (k->sending)
    return;
  KeyState *other = &s->keys[k == &s->keys[0] ? 1 : 0];
  other->sending = false;
  k->sending = true;
  session_push_event(s, OVPN_EVENT_USE_KEY)->key_id = k->key_id;
}

void key_retire(OvpnSession *s, KeyState *k)
{
  KeyState *cur = current_key(s);
  if (k->sending && cur != k && cur->phase == KEY_GENERATED)
    key_use(s, cur);
  session_push_event(s, OVPN_EVENT_RETIRE_KEY)->key_id = k->key_id;
  key_clear(k);
}

/* ---- TLS output into messages ---- */

/* Payload room of one control message so that the packet stays below max-packet-size, spec §4.6. */
static size_t message_room(const OvpnSession *s, const KeyState *k, bool wkc)
{
  const OvpnWrap *w = k->key_id > 0 && s->have_dynamic ? &s->dynamic : &s->wrap;
  size_t used = 48 + OVPN_HEAD_LEN + 1 + 4 * 4 + OVPN_SID_LEN + 4 + ovpn_wrap_overhead(w) +
                (wkc ? s->wrap.wkc.len : 0);
  size_t room = s->p.config->max_packet_size > used ? s->p.config->max_packet_size - used : 0;
  if (room > OVPN_MSG_MAX)
    room = OVPN_MSG_MAX;
  return room;
}

void key_flush(OvpnSession *s, KeyState *k)
{
  uint8_t buf[OVPN_MSG_MAX];
  while (k->tls && ovpn_reliable_can_send(&k->reliable) && ovpn_tls_output_pending(k->tls) > 0) {
    bool wkc = s->resend_wkc && k->key_id == 0 && k->reliable.next_send_id == 1;
    size_t room = message_room(s, k, wkc);
    if (!wkc && room < 64)
      room = 64; /* an absurd max-packet-size must not stall the session */
    size_t n = ovpn_tls_output(k->tls, buf, room);
    if (!ovpn_reliable_queue(&k->reliable, wkc ? OVPN_OP_CONTROL_WKC_V1 : OVPN_OP_CONTROL_V1, buf,
                             n, wkc, s->now))
      break;
  }
  ovpn_wipe(buf, sizeof buf);
}

OvpnStatus key_send_text(OvpnSession *s, KeyState *k, const char *text)
{
  OvpnFailure f = {0};
  OvpnStatus r = ovpn_tls_write(k->tls, text, strlen(text) + 1, &f);
  if (r != OVPN_OK)
    return session_fail(s, f.status ? f.status : OVPN_FAIL_TLS, f.arg, "%s", f.text);
  key_flush(s, k);
  return OVPN_OK;
}

/* ---- credentials ---- */

static bool append_base64(OvpnBlob *out, const OvpnBlob *in)
{
  gnutls_datum_t d = {in->data, (unsigned)in->len}, b64 = {0};
  if (in->len == 0)
    return true;
  if (gnutls_base64_encode2(&d, &b64) < 0)
    return false;
  bool ok = ovpn_blob_append(out, b64.data, b64.size);
  ovpn_wipe(b64.data, b64.size);
  gnutls_free(b64.data);
  return ok;
}

static bool append_text(OvpnBlob *b, const char *text)
{
  return ovpn_blob_append(b, text, strlen(text));
}

/* Static challenge: SCRV1:base64(password):base64(response), or both glued together. spec §14.2 */
static bool static_challenge_password(const OvpnConfig *c, const OvpnCredentials *cr, OvpnBlob *out)
{
  if (c->static_challenge_concat)
    return ovpn_blob_append(out, cr->password.data, cr->password.len) &&
           ovpn_blob_append(out, cr->static_response.data, cr->static_response.len);
  return append_text(out, "SCRV1:") && append_base64(out, &cr->password) && append_text(out, ":") &&
         append_base64(out, &cr->static_response);
}

/* Priority: challenge response, token, password. One-time answers are forgotten after use. */
static bool choose_credentials(OvpnSession *s, OvpnBlob *user, OvpnBlob *password)
{
  OvpnCredentials *c = s->p.credentials;
  bool ok = true;
  s->used_token = false;
  if (c->have_crv_response) {
    ok = ovpn_blob_set(user, c->crv_user.data, c->crv_user.len) &&
         append_text(password, "CRV1::") &&
         ovpn_blob_append(password, c->crv_state.data, c->crv_state.len) &&
         append_text(password, "::") &&
         ovpn_blob_append(password, c->crv_response.data, c->crv_response.len);
    ovpn_blob_clear(&c->crv_response);
    ovpn_blob_clear(&c->crv_state);
    c->have_crv_response = false;
  } else if (c->token.len > 0) {
    const OvpnBlob *name = c->token_user.len > 0 ? &c->token_user : &c->username;
    ok = ovpn_blob_set(user, name->data, name->len) &&
         ovpn_blob_set(password, c->token.data, c->token.len);
    s->used_token = true;
  } else if (c->have_user_pass) {
    ok = ovpn_blob_set(user, c->username.data, c->username.len);
    /* The same answer for every key, until another one is given: some codes do not change, and a
     * password without its answer is never right. */
    if (s->p.config->static_challenge && c->static_response.len > 0) {
      ok = ok && static_challenge_password(s->p.config, c, password);
    } else {
      ok = ok && ovpn_blob_set(password, c->password.data, c->password.len);
    }
  }
  return ok;
}

/* ---- key method 2 ---- */

static OvpnStatus send_key_method(OvpnSession *s, KeyState *k)
{
  const OvpnConfig *c = s->p.config;
  OvpnCredentials *cr = s->p.credentials;
  char occ[512] = "", peer_info[2048] = "", empty[] = "";
  uint8_t buf[OVPN_KM_MAX];
  ovpn_auto_blob user = {0}, password = {0};
  bool server = session_is_server(s);
  OvpnKeySource *own = server ? &k->server : &k->client;
  s->p.random(s->p.random_user, (uint8_t *)own, sizeof *own);
  if (!c->disable_occ)
    (void)ovpn_occ_format(c, s->p.proto == OVPN_PROTO_TCP, occ, sizeof occ);
  unsigned iv_proto = OUR_IV_PROTO;
  if (!c->pull) /* two equal peers: nothing is pushed, both sides draw the same conclusions */
    iv_proto = (iv_proto & ~(unsigned)(IV_PROTO_REQUEST_PUSH | IV_PROTO_AUTH_PENDING_KW |
                                       IV_PROTO_DATA_EPOCH)) |
               IV_PROTO_NCP_P2P;
  if (!ovpn_tls_can_export(k->tls))
    iv_proto &= ~(unsigned)(IV_PROTO_TLS_KEY_EXPORT | IV_PROTO_DYN_TLS_CRYPT | IV_PROTO_DATA_EPOCH);
  (void)ovpn_peer_info_format(c, iv_proto, peer_version, peer_info, sizeof peer_info);
  if (!server && (c->auth_user_pass || cr->token.len > 0) &&
      !choose_credentials(s, &user, &password))
    return session_fail(s, OVPN_FAIL_MEMORY, 0, "credentials");
  OvpnKeyMethod m = {.source = *own,
                     .options = occ,
                     .peer_info = peer_info,
                     .username = user.data ? (char *)user.data : empty,
                     .password = password.data ? (char *)password.data : empty};
  size_t n = ovpn_key_method_encode(&m, !server, buf, sizeof buf);
  ovpn_wipe(&m.source, sizeof m.source);
  OvpnFailure f = {0};
  OvpnStatus r = n ? ovpn_tls_write(k->tls, buf, n, &f) : OVPN_FAIL_CREDENTIALS;
  ovpn_wipe(buf, sizeof buf);
  if (n == 0)
    return session_fail(s, OVPN_FAIL_CREDENTIALS, 0, "user name or password too long");
  if (r != OVPN_OK)
    return session_fail(s, r, f.arg, "%s", f.text);
  if (!server)
    k->phase = KEY_SENT;
  return OVPN_OK;
}

static OvpnStatus receive_key_method(OvpnSession *s, KeyState *k, const uint8_t *buf, size_t len)
{
  OvpnKeyMethod m = {0};
  bool server = session_is_server(s);
  if (ovpn_key_method_decode(buf, len, server, &m) != OVPN_OK) {
    ovpn_key_method_clear(&m);
    return session_fail(s, OVPN_FAIL_PROTOCOL, 0, "malformed key exchange message");
  }
  *(server ? &k->client : &k->server) = m.source;
  ovpn_wipe(&m.source, sizeof m.source);
  if (k->key_id == 0) {
    free(s->server_occ);
    s->server_occ = m.options ? strdup(m.options) : NULL;
    free(s->peer_info);
    s->peer_info = m.peer_info ? strdup(m.peer_info) : NULL;
  }
  ovpn_key_method_clear(&m);
  k->phase = KEY_GOT;
  if (k->key_id == 0 && s->state == OVPN_SESSION_KEY_EXCHANGE) {
    session_set_state(s, OVPN_SESSION_PULL);
    s->push_start = s->now;
    s->push_deadline = seconds_after(s->now, s->p.config->hand_window);
    s->push_request_at = NEVER; /* armed when the key is ACTIVE */
  }
  if (server && send_key_method(s, k) != OVPN_OK)
    return s->failure.status;
  if (server && k->key_id == 0)
    return control_pushed(s); /* the client sends data as soon as it has read our message */
  /* The server may send with a renewed key as soon as it has our last acknowledgement, and data is
   * read before control in a batch: so the key must be there before we acknowledge. */
  return k->key_id > 0 ? key_generate(s, k) : OVPN_OK;
}

OvpnStatus key_acked(OvpnSession *s, KeyState *k)
{
  if (k->phase != KEY_GOT || !ovpn_reliable_idle(&k->reliable) ||
      ovpn_tls_output_pending(k->tls) > 0)
    return OVPN_OK;
  k->phase = KEY_ACTIVE;
  if (s->state == OVPN_SESSION_PULL) {
    if (!s->p.config->pull)
      return control_pushed(s);
    /* IV_PROTO asked for the push already; servers before 2.5 wait for the request */
    s->push_request_at = s->now;
  }
  return OVPN_OK;
}

/* ---- data keys ---- */

static OvpnStatus enable_dynamic_tls_crypt(OvpnSession *s, KeyState *k)
{
  uint8_t ekm[OVPN_STATIC_KEY_LEN];
  OvpnStatus r = ovpn_tls_export(k->tls, "EXPORTER-OpenVPN-dynamic-tls-crypt", ekm, sizeof ekm);
  uint32_t wall = s->p.wall_time + (uint32_t)((s->now - s->p.now) / NS_PER_S);
  if (r == OVPN_OK)
    r = ovpn_wrap_init_dynamic(&s->dynamic, &s->wrap, ekm,
                               session_is_server(s) ? OVPN_DIR_NORMAL : OVPN_DIR_INVERSE, wall);
  ovpn_wipe(ekm, sizeof ekm);
  s->have_dynamic = r == OVPN_OK;
  return r;
}

static OvpnStatus derive(OvpnSession *s, KeyState *k, uint8_t block[OVPN_KEY_BLOCK_LEN])
{
  OvpnStatus r;
  if (s->pushed.tls_ekm)
    r = ovpn_tls_export(k->tls, "EXPORTER-OpenVPN-datakeys", block, OVPN_KEY_BLOCK_LEN);
  else if (session_is_server(s))
    r = ovpn_keys_derive_prf(&k->client, &k->server, s->peer_sid, s->sid, block);
  else
    r = ovpn_keys_derive_prf(&k->client, &k->server, s->sid, s->peer_sid, block);
  ovpn_wipe(&k->client, sizeof k->client);
  ovpn_wipe(&k->server, sizeof k->server);
  if (r == OVPN_OK && k->key_id == 0 && s->pushed.dyn_tls_crypt)
    r = enable_dynamic_tls_crypt(s, k);
  return r;
}

OvpnStatus key_generate(OvpnSession *s, KeyState *k)
{
  const OvpnConfig *c = s->p.config;
  uint8_t block[OVPN_KEY_BLOCK_LEN];
  OvpnStatus r = derive(s, k, block);
  if (r == OVPN_OK) {
    OvpnEvent *e = session_push_event(s, OVPN_EVENT_KEYS);
    memcpy(e->key_block, block, sizeof block);
    e->key_id = k->key_id;
    e->cipher = s->cipher->name;
    e->epoch = s->pushed.aead_epoch;
    e->peer_id = s->pushed.has_peer_id ? (int32_t)s->pushed.peer_id : -1;
  }
  ovpn_wipe(block, sizeof block);
  if (r != OVPN_OK)
    return session_fail(s, OVPN_FAIL_KEY_DERIVATION, 0, "%s",
                        s->pushed.tls_ekm ? "exporter" : "PRF (MD5 may be disabled)");
  k->phase = KEY_GENERATED;
  if (c->reneg_sec)
    k->reneg_at = seconds_after(s->now, c->reneg_sec);
  if (k->key_id == 0) {
    key_use(s, k);
    return OVPN_OK;
  }
  uint64_t wait = c->hand_window;
  if (c->reneg_sec && c->reneg_sec / 2 < wait)
    wait = c->reneg_sec / 2;
  k->use_at =
      seconds_after(k->started, wait); /* the server may still be authenticating us. spec §6.5 */
  if (s->state == OVPN_SESSION_REKEYING)
    session_set_state(s, OVPN_SESSION_UP);
  session_log(s, 6, OVPN_LOG_RENEGOTIATED, "%u", k->key_id);
  return OVPN_OK;
}

/* ---- messages in ---- */

/* TLVs in the server's reset, spec §5.5. */
static OvpnStatus read_early_negotiation(OvpnSession *s, const OvpnRecvSlot *m)
{
  OvpnReader r = ovpn_reader(m->data, m->len);
  bool resend = false;
  while (r.ok && ovpn_reader_left(&r) > 0) {
    uint16_t type = ovpn_read_u16(&r), len = ovpn_read_u16(&r);
    const uint8_t *value = ovpn_read_bytes(&r, len);
    if (r.ok && type == 1 && len == 2)
      resend = (value[1] & 1) != 0;
  }
  if (!r.ok)
    return session_fail(s, OVPN_FAIL_PROTOCOL, 0, "truncated early negotiation data");
  s->resend_wkc = resend && s->wrap.mode == OVPN_WRAP_TLS_CRYPT_V2;
  return OVPN_OK;
}

static OvpnStatus begin_handshake(OvpnSession *s, KeyState *k)
{
  uint64_t wall = s->p.wall_time + (s->now - s->p.now) / NS_PER_S;
  k->tls = ovpn_tls_new(s->p.tls, (time_t)wall);
  if (!k->tls)
    return session_fail(s, OVPN_FAIL_MEMORY, 0, "TLS session");
  k->phase = KEY_HANDSHAKE;
  if (k->key_id == 0) {
    k->must_negotiate = seconds_after(k->started, s->p.config->hand_window);
    session_set_state(s, OVPN_SESSION_TLS_HANDSHAKE);
  }
  return OVPN_OK;
}

static OvpnStatus receive_reset(OvpnSession *s, KeyState *k, const OvpnRecvSlot *m)
{
  if (m->opcode == OVPN_OP_HARD_RESET_SERVER_V2 && read_early_negotiation(s, m) != OVPN_OK)
    return OVPN_FAIL_PROTOCOL;
  OvpnStatus r = begin_handshake(s, k);
  ovpn_reliable_hurry(&k->reliable, s->now);
  return r;
}

static OvpnStatus drive_handshake(OvpnSession *s, KeyState *k)
{
  OvpnFailure f = {0};
  bool done = false;
  OvpnStatus r = ovpn_tls_handshake(k->tls, &done, &f);
  key_flush(s, k); /* also after a failure: the alert tells the server why */
  if (r != OVPN_OK)
    return session_fail(s, r, f.arg, "%s", f.text);
  if (!done)
    return OVPN_OK;
  char *text = ovpn_tls_describe(k->tls);
  session_log(s, 6, OVPN_LOG_TLS_SESSION, "%s", text ? text : "");
  free(text);
  if (k->key_id == 0) {
    session_set_state(s, OVPN_SESSION_KEY_EXCHANGE);
    /* Servers drop a client whose certificate is over without a word (TLS 1.3), so do not wait
     * long. */
    if (!session_is_server(s) && session_own_certificate_expired(s, NULL) &&
        k->must_negotiate > seconds_after(s->now, 5))
      k->must_negotiate = seconds_after(s->now, 5);
  }
  if (!session_is_server(s))
    return send_key_method(s, k);
  k->phase = KEY_SENT; /* the client speaks first */
  return OVPN_OK;
}

/* Reads all waiting TLS records: first the server's key method 2 message, then control strings. */
static OvpnStatus drive_records(OvpnSession *s, KeyState *k)
{
  uint8_t buf[16384 + 1];
  OvpnStatus r = OVPN_OK;
  for (;;) {
    OvpnFailure f = {0};
    size_t len = 0;
    r = ovpn_tls_read(k->tls, buf, sizeof buf - 1, &len, &f);
    if (r != OVPN_OK) {
      session_fail(s, r, f.arg, "%s", f.text);
      break;
    }
    if (len == 0)
      break;
    if (k->phase == KEY_SENT)
      r = receive_key_method(s, k, buf, len);
    else
      r = control_record(s, k, (const char *)buf, len);
    if (r != OVPN_OK || s->state == OVPN_SESSION_DEAD)
      break;
    if (k->phase == KEY_FREE)
      break;
  }
  ovpn_wipe(buf, sizeof buf);
  return r;
}

static OvpnStatus take_message(OvpnSession *s, KeyState *k, const OvpnRecvSlot *m)
{
  bool reset = m->opcode == session_peer_reset(s) || m->opcode == OVPN_OP_SOFT_RESET_V1;
  if (k->phase == KEY_RESET_SENT)
    return reset ? receive_reset(s, k, m)
                 : session_fail(s, OVPN_FAIL_PROTOCOL, 0, "control message before the reset");
  if (reset)
    return OVPN_OK; /* message 0 is taken once; a reset with another id was dropped before */
  return ovpn_tls_input(k->tls, m->data, m->len);
}

OvpnStatus key_receive(OvpnSession *s, KeyState *k)
{
  const OvpnRecvSlot *m;
  bool any = false;
  OvpnStatus r = OVPN_OK;
  while (r == OVPN_OK && (m = ovpn_reliable_peek(&k->reliable)) != NULL) {
    r = take_message(s, k, m);
    ovpn_reliable_pop(&k->reliable);
    any = true;
  }
  if (r != OVPN_OK)
    return ovpn_is_fail(r) ? session_fail(s, r, 0, "control channel overflow") : r;
  if (any && k->phase == KEY_HANDSHAKE)
    r = drive_handshake(s, k);
  if (r == OVPN_OK && any && k->phase >= KEY_SENT)
    r = drive_records(s, k);
  if (s->state != OVPN_SESSION_DEAD && k->phase != KEY_FREE)
    key_flush(s, k);
  return r;
}

/* Both resets are out and acknowledged. */
void key_adopt(OvpnSession *s)
{
  KeyState *k = current_key(s);
  ovpn_reliable_acked(&k->reliable, 0, s->now);
  k->reliable.next_recv_id = 1;
  if (begin_handshake(s, k) == OVPN_OK)
    (void)drive_handshake(s, k); /* a client has something to say */
}
