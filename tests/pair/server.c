/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The test server, see server.h. Follows the protocol text from the server's side; shares no code
 * with session.c. */
#include "tests/pair/server.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

static void key_reset(ServerKey *k)
{
  ovpn_tls_free(k->tls);
  ovpn_data_key_free(k->data);
  memset(k, 0, sizeof *k);
}

void server_clear(TestServer *s)
{
  key_reset(&s->keys[0]);
  key_reset(&s->keys[1]);
  ovpn_wrap_clear(&s->wrap);
  if (s->have_dynamic)
    ovpn_wrap_clear(&s->dynamic);
}

static ServerKey *key_begin(TestServer *s, uint8_t key_id, uint8_t reset_op, const void *payload,
                            size_t len)
{
  s->cur = s->have_client && key_id > 0 ? 1 - s->cur : s->cur;
  ServerKey *k = &s->keys[s->cur];
  key_reset(k);
  k->used = true;
  k->key_id = key_id;
  ovpn_reliable_init(&k->reliable, UINT64_C(2000000000));
  k->tls = ovpn_tls_new(s->tls, (time_t)s->wall);
  assert(k->tls);
  assert(ovpn_reliable_queue(&k->reliable, reset_op, payload, len, false, s->now));
  s->handshakes++;
  return k;
}

static ServerKey *key_find(TestServer *s, uint8_t key_id)
{
  for (unsigned i = 0; i < 2; i++)
    if (s->keys[i].used && s->keys[i].key_id == key_id)
      return &s->keys[i];
  return NULL;
}

static void flush(TestServer *s, ServerKey *k)
{
  uint8_t buf[1000];
  while (ovpn_tls_output_pending(k->tls) > 0 && ovpn_reliable_can_send(&k->reliable)) {
    size_t n = ovpn_tls_output(k->tls, buf, sizeof buf);
    assert(ovpn_reliable_queue(&k->reliable, OVPN_OP_CONTROL_V1, buf, n, false, s->now));
  }
}

static void say(TestServer *s, ServerKey *k, const char *text)
{
  OvpnFailure f = {0};
  if (ovpn_tls_write(k->tls, text, strlen(text) + 1, &f) ==
      OVPN_OK) /* the client may have sent an alert */
    flush(s, k);
}

static void make_data_key(TestServer *s, ServerKey *k)
{
  uint8_t block[256];
  OvpnFailure f = {0};
  if (s->ekm)
    assert(ovpn_tls_export(k->tls, "EXPORTER-OpenVPN-datakeys", block, sizeof block) == OVPN_OK);
  else
    assert(ovpn_keys_derive_prf(&k->client, &k->server, s->peer_sid, s->sid, block) == OVPN_OK);
  if (s->epoch)
    assert(ovpn_data_key_new_epoch(ovpn_data_cipher(s->cipher), block, false, k->key_id, s->peer_id,
                                   &(OvpnDataForm){.window = 1024}, &k->data, &f) == OVPN_OK);
  else
    assert(ovpn_data_key_new(ovpn_data_cipher(s->cipher), "SHA256", block, false, k->key_id,
                             s->peer_id, &(OvpnDataForm){.window = 1024}, s->random, s->random_user,
                             &k->data, &f) == OVPN_OK);
  if (k->key_id == 0 && s->dyn_tls_crypt) {
    uint8_t ekm[256];
    assert(ovpn_tls_export(k->tls, "EXPORTER-OpenVPN-dynamic-tls-crypt", ekm, sizeof ekm) ==
           OVPN_OK);
    assert(ovpn_wrap_init_dynamic(&s->dynamic, &s->wrap, ekm, 0, s->wall) == OVPN_OK);
    s->have_dynamic = true;
  }
}

static void server_decide(TestServer *s, ServerKey *k);

/* The client's key method 2 message: answer, make the data key, push or reject. */
static void client_keys(TestServer *s, ServerKey *k, const uint8_t *buf, size_t len)
{
  OvpnKeyMethod m = {0};
  assert(ovpn_key_method_decode(buf, len, true, &m) == OVPN_OK);
  k->client = m.source;
  snprintf(s->username, sizeof s->username, "%s", m.username ? m.username : "");
  snprintf(s->password, sizeof s->password, "%s", m.password ? m.password : "");
  snprintf(s->peer_info, sizeof s->peer_info, "%s", m.peer_info ? m.peer_info : "");
  ovpn_key_method_clear(&m);
  s->random(s->random_user, (uint8_t *)&k->server, sizeof k->server);
  char occ[] = "V4,dev-type tun,link-mtu 1541,tun-mtu 1500,proto UDPv4,auth SHA256,keysize "
               "128,key-method 2,tls-server";
  char none[] = "";
  OvpnKeyMethod answer = {
      .source = k->server, .options = occ, .username = none, .password = none, .peer_info = none};
  uint8_t out[OVPN_KM_MAX];
  size_t n = ovpn_key_method_encode(&answer, false, out, sizeof out);
  OvpnFailure f = {0};
  assert(n > 0 && ovpn_tls_write(k->tls, out, n, &f) == OVPN_OK);
  k->km_done = true;
  make_data_key(s, k);
  if (k->key_id > 0)
    return;
  if (!s->undecided)
    server_decide(s, k);
}

static void server_decide(TestServer *s, ServerKey *k)
{
  char text[4096];
  if (s->reject)
    snprintf(text, sizeof text, "AUTH_FAILED%s%s", *s->reject ? "," : "", s->reject);
  else
    snprintf(text, sizeof text, "PUSH_REPLY%s", s->push);
  say(s, k, text);
}

static OvpnStatus drive(TestServer *s, ServerKey *k)
{
  OvpnFailure f = {0};
  OvpnStatus r;
  if (!k->finished) {
    r = ovpn_tls_handshake(k->tls, &k->finished, &f);
    flush(s, k);
    if (r != OVPN_OK)
      return r;
  }
  while (k->finished) {
    uint8_t buf[4096];
    size_t len = 0;
    r = ovpn_tls_read(k->tls, buf, sizeof buf - 1, &len, &f);
    if (r != OVPN_OK)
      return r;
    if (len == 0)
      break;
    buf[len] = 0;
    if (!k->km_done)
      client_keys(s, k, buf, len);
    else if (strcmp((char *)buf, "PUSH_REQUEST") != 0)
      snprintf(s->last_text, sizeof s->last_text, "%.255s", (char *)buf);
  }
  flush(s, k);
  return OVPN_OK;
}

static ServerKey *accept_reset(TestServer *s, uint8_t op, uint8_t key_id, const uint8_t *sid)
{
  if (op == OVPN_OP_HARD_RESET_CLIENT_V2 || op == OVPN_OP_HARD_RESET_CLIENT_V3) {
    if (s->have_client)
      return memcmp(sid, s->peer_sid, 8) == 0 ? key_find(s, 0) : NULL;
    memcpy(s->peer_sid, sid, 8);
    static const uint8_t resend[] = {0, 1, 0, 2, 0, 1};
    ServerKey *k =
        key_begin(s, 0, OVPN_OP_HARD_RESET_SERVER_V2, resend, s->resend_wkc ? sizeof resend : 0);
    s->have_client = true;
    return k;
  }
  ServerKey *cur = &s->keys[s->cur];
  if (op == OVPN_OP_SOFT_RESET_V1 && cur->used && cur->data &&
      key_id == (cur->key_id == 7 ? 1 : cur->key_id + 1))
    return key_begin(s, key_id, OVPN_OP_SOFT_RESET_V1, NULL, 0);
  return NULL;
}

OvpnStatus server_input(TestServer *s, uint64_t now, const uint8_t *pkt, size_t len)
{
  uint8_t buf[OVPN_PACKET_MAX];
  const uint8_t *sid, *body;
  size_t body_len;
  OvpnPacketBody b;
  s->now = now;
  if (len < OVPN_HEAD_LEN)
    return OVPN_DROP_TRUNCATED;
  uint8_t op = ovpn_opcode(pkt[0]), key_id = ovpn_key_id(pkt[0]);
  if (op == OVPN_OP_HARD_RESET_CLIENT_V3 ||
      op == OVPN_OP_CONTROL_WKC_V1) { /* strip WKc: its length is last */
    size_t wkc = (size_t)pkt[len - 2] << 8 | pkt[len - 1];
    if (wkc + OVPN_HEAD_LEN > len)
      return OVPN_DROP_FORMAT;
    len -= wkc;
  }
  OvpnStatus r = ovpn_wrap_open(key_id > 0 && s->have_dynamic ? &s->dynamic : &s->wrap, pkt, len,
                                buf, sizeof buf, &sid, &body, &body_len);
  if (r == OVPN_OK)
    r = ovpn_packet_decode_body(op, body, body_len, &b);
  if (r != OVPN_OK) {
    s->drops++;
    return r;
  }
  if (s->have_client && memcmp(sid, s->peer_sid, 8) != 0)
    return OVPN_DROP_SESSION_ID;
  if (b.n_acks > 0 && memcmp(b.remote_sid, s->sid, 8) != 0)
    return OVPN_DROP_SESSION_ID;
  ServerKey *k = key_find(s, key_id);
  if (!k)
    k = accept_reset(s, op, key_id, sid);
  if (!k)
    return OVPN_DROP_KEY_ID;
  for (unsigned i = 0; i < b.n_acks; i++)
    ovpn_reliable_acked(&k->reliable, b.acks[i], now);
  if (b.has_id)
    (void)ovpn_reliable_record(&k->reliable, op, b.id, b.payload, b.payload_len);
  const OvpnRecvSlot *m;
  while ((m = ovpn_reliable_peek(&k->reliable))) {
    bool control = m->opcode == OVPN_OP_CONTROL_V1 || m->opcode == OVPN_OP_CONTROL_WKC_V1;
    if (control && m->len > 0)
      (void)ovpn_tls_input(k->tls, m->data, m->len);
    ovpn_reliable_pop(&k->reliable);
  }
  return drive(s, k);
}

size_t server_output(TestServer *s, uint64_t now, uint8_t *buf, size_t cap)
{
  s->now = now;
  for (unsigned i = 0; i < 2; i++) {
    ServerKey *k = &s->keys[i];
    if (!k->used)
      continue;
    flush(s, k);
    const OvpnSendSlot *slot = ovpn_reliable_due(&k->reliable, now);
    if (!slot && !ovpn_reliable_has_acks(&k->reliable))
      continue;
    OvpnPacketBody b = {0};
    ovpn_reliable_take_acks(&k->reliable, &b, slot ? 4 : 8, true);
    memcpy(b.remote_sid, s->peer_sid, 8);
    if (slot) {
      b.has_id = true;
      b.id = slot->id;
      b.payload = slot->data;
      b.payload_len = slot->len;
    }
    uint8_t body[OVPN_PACKET_MAX], op = slot ? slot->opcode : OVPN_OP_ACK_V1;
    OvpnWriter w = ovpn_writer(body, sizeof body);
    ovpn_packet_encode_body(&w, &b);
    return ovpn_wrap_seal(k->key_id > 0 && s->have_dynamic ? &s->dynamic : &s->wrap,
                          (uint8_t)(op << 3 | k->key_id), s->sid, body, w.len, false, buf, cap);
  }
  return 0;
}

uint64_t server_deadline(const TestServer *s)
{
  uint64_t t = UINT64_MAX;
  for (unsigned i = 0; i < 2; i++)
    if (s->keys[i].used && ovpn_reliable_deadline(&s->keys[i].reliable) < t)
      t = ovpn_reliable_deadline(&s->keys[i].reliable);
  return t;
}

void server_text(TestServer *s, uint64_t now, const char *text)
{
  s->now = now;
  say(s, &s->keys[s->cur], text);
}

void server_push(TestServer *s, uint64_t now)
{
  s->now = now;
  server_decide(s, &s->keys[s->cur]);
}

void server_renegotiate(TestServer *s, uint64_t now)
{
  s->now = now;
  ServerKey *cur = &s->keys[s->cur];
  key_begin(s, cur->key_id == 7 ? 1 : (uint8_t)(cur->key_id + 1), OVPN_OP_SOFT_RESET_V1, NULL, 0);
}

OvpnDataKey *server_data_key(TestServer *s, uint8_t key_id)
{
  ServerKey *k = key_find(s, key_id);
  return k ? k->data : NULL;
}

OvpnDataKey *server_send_key(TestServer *s)
{
  ServerKey *cur = &s->keys[s->cur], *old = &s->keys[1 - s->cur];
  /* switch when the client certainly has the key: it acknowledged everything */
  if (cur->data && ovpn_reliable_idle(&cur->reliable))
    return cur->data;
  return old->data ? old->data : cur->data;
}
