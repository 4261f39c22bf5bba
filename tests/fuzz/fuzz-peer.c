/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A session with an equal peer, whom the fuzzer plays: our role is the TLS server or the client.
 *
 * The first byte: 1 server, bits 1 and 2 the protection of the control channel, 8 the peer has
 * called and proved his address, 16 TCP, 32 renegotiation after 60 s, 64 nobody is there yet. Then
 * steps of a command and a byte n:
 *  0 raw packet (n bytes)             1 body made with our key (opcode byte, n bytes)
 *  2 time (n x 100 ms)                3 our packets are taken and acknowledged
 *  4 message in order (n bytes)       5 TLS record in order (type byte, n bytes)
 *  6 the right flight of a handshake  7 key method 2 message with that peer-info (n bytes)
 *  8 control string (n bytes)         9 the peer renegotiates
 * 10 the peer's first packet         11 close            12 facts from the data path
 * 13 the next packet is damaged      14 the last packet again       15 a whole handshake
 *
 * What is not authentic changes nothing: neither state nor deadline nor what we send. */
#include "helper/core/keys.h"
#include "helper/core/session.h"
#include "helper/core/wrap.h"
#include "tests/fuzz/tls-fake.h"
#include <assert.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECOND UINT64_C(1000000000)
enum { WALL = 1700000000, STEPS_MAX = 200, OWED_MAX = 8 };

typedef struct Run {
  OvpnSession *s;
  OvpnConfig config;
  OvpnWrap wrap, dynamic; /* the peer's */
  bool server, protected, have_dynamic, know_session;
  uint8_t sid[OVPN_SID_LEN], session_sid[OVPN_SID_LEN];
  uint8_t key_id;
  unsigned flight;
  uint32_t next_id[8], owed[8][OWED_MAX];
  unsigned n_owed[8];
  uint64_t now;
  int damage; /* -1 = no */
  uint8_t last[OVPN_PACKET_MAX];
  size_t last_len;
} Run;

static char key_text[2048];
static uint32_t seed;
static OvpnTlsContext *tls[2];

static void random_bytes(void *user, uint8_t *buf, size_t len)
{
  (void)user;
  for (size_t i = 0; i < len; i++)
    buf[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
}

static void set_up_once(void)
{
  OvpnFailure f = {0};
  if (tls[0])
    return;
  gnutls_global_init();
  strcat(key_text, "-----BEGIN OpenVPN Static key V1-----\n");
  for (int i = 0; i < 16; i++)
    strcat(key_text, "000102030405060708090a0b0c0d0e0f\n");
  strcat(key_text, "-----END OpenVPN Static key V1-----\n");
  for (int server = 0; server < 2; server++)
    assert(ovpn_tls_context_new(NULL, NULL, server, &tls[server], &f) == OVPN_OK);
}

static void events(Run *r)
{
  OvpnEvent e;
  while (ovpn_session_pop_event(r->s, &e))
    ovpn_event_clear(&e);
}

static OvpnWrap *wrap_of(Run *r, uint8_t key_id)
{
  return key_id > 0 && r->have_dynamic ? &r->dynamic : &r->wrap;
}

/* Both sides have agreed on it by now. */
static void follow_dynamic(Run *r)
{
  uint8_t ekm[OVPN_STATIC_KEY_LEN];
  const OvpnPushed *p = ovpn_session_pushed(r->s);
  if (r->have_dynamic || !p->dyn_tls_crypt)
    return;
  fake_tls_export("EXPORTER-OpenVPN-dynamic-tls-crypt", ekm, sizeof ekm);
  assert(ovpn_wrap_init_dynamic(&r->dynamic, &r->wrap, ekm,
                                r->server ? OVPN_DIR_INVERSE : OVPN_DIR_NORMAL, WALL) == OVPN_OK);
  r->have_dynamic = true;
}

static OvpnStatus give(Run *r, const uint8_t *pkt, size_t len)
{
  uint8_t *copy = malloc(len ? len : 1);
  assert(copy);
  if (len)
    memcpy(copy, pkt, len);
  OvpnStatus st = ovpn_session_input(r->s, r->now, copy, len);
  free(copy);
  return st;
}

/* A packet that cannot be authentic. */
static void give_forged(Run *r, const uint8_t *pkt, size_t len)
{
  OvpnSessionState state = ovpn_session_state(r->s);
  uint64_t deadline = ovpn_session_deadline(r->s);
  OvpnEvent e;
  OvpnStatus st = give(r, pkt, len);
  if (!r->protected)
    return;
  assert(ovpn_is_drop(st) && ovpn_session_state(r->s) == state);
  assert(state == OVPN_SESSION_CLOSING || ovpn_session_deadline(r->s) == deadline);
  assert(!ovpn_session_pop_event(r->s, &e));
}

static void give_sealed(Run *r, uint8_t first, const uint8_t *body, size_t len)
{
  r->last_len = ovpn_wrap_seal(wrap_of(r, ovpn_key_id(first)), first, r->sid, body, len, false,
                               r->last, sizeof r->last);
  if (r->last_len == 0)
    return;
  if (r->damage >= 0) {
    events(r);
    r->last[(size_t)r->damage % r->last_len] ^= 0x41;
    give_forged(r, r->last, r->last_len);
    r->last_len = 0;
    r->damage = -1;
    return;
  }
  (void)give(r, r->last, r->last_len);
  follow_dynamic(r);
}

static void take_acks(Run *r, uint8_t key_id, OvpnPacketBody *b)
{
  if (!r->know_session)
    return;
  b->n_acks = (uint8_t)r->n_owed[key_id];
  memcpy(b->acks, r->owed[key_id], b->n_acks * sizeof b->acks[0]);
  memcpy(b->remote_sid, r->session_sid, OVPN_SID_LEN);
  r->n_owed[key_id] = 0;
}

static void say(Run *r, uint8_t op, uint8_t key_id, const void *payload, size_t len)
{
  uint8_t body[OVPN_PACKET_MAX];
  OvpnPacketBody b = {.has_id = op != OVPN_OP_ACK_V1};
  take_acks(r, key_id, &b);
  b.id = b.has_id ? r->next_id[key_id]++ : 0;
  b.payload = payload;
  b.payload_len = len;
  OvpnWriter w = ovpn_writer(body, sizeof body);
  ovpn_packet_encode_body(&w, &b);
  if (w.ok)
    give_sealed(r, (uint8_t)(op << 3 | key_id), body, w.len);
}

/* Everything that we send is well-formed and can be read by the peer. */
static void take_output(Run *r)
{
  uint8_t pkt[OVPN_PACKET_MAX], buf[OVPN_PACKET_MAX];
  size_t n, len;
  for (unsigned i = 0; i < 64 && (n = ovpn_session_output(r->s, r->now, pkt, sizeof pkt)) > 0;
       i++) {
    const uint8_t *sid, *body;
    OvpnPacketBody b;
    uint8_t key_id = ovpn_key_id(pkt[0]);
    assert(ovpn_wrap_open(wrap_of(r, key_id), pkt, n, buf, sizeof buf, &sid, &body, &len) ==
           OVPN_OK);
    assert(ovpn_packet_decode_body(ovpn_opcode(pkt[0]), body, len, &b) == OVPN_OK);
    memcpy(r->session_sid, sid, OVPN_SID_LEN);
    r->know_session = true;
    if (b.has_id && r->n_owed[key_id] < OWED_MAX)
      r->owed[key_id][r->n_owed[key_id]++] = b.id;
  }
  for (uint8_t key_id = 0; key_id < 8; key_id++)
    if (r->n_owed[key_id])
      say(r, OVPN_OP_ACK_V1, key_id, NULL, 0);
}

static void say_long(Run *r, const uint8_t *p, size_t len)
{
  for (size_t n; len > 0; p += n, len -= n) {
    n = len < 1000 ? len : 1000;
    say(r, OVPN_OP_CONTROL_V1, r->key_id, p, n);
    if (len > n)
      take_output(r);
  }
}

static void say_record(Run *r, uint8_t type, const uint8_t *p, size_t len)
{
  uint8_t record[OVPN_KM_MAX + 16];
  OvpnWriter w = ovpn_writer(record, sizeof record);
  ovpn_write_u8(&w, type);
  ovpn_write_u16(&w, (uint16_t)len);
  ovpn_write_bytes(&w, p, len);
  if (w.ok)
    say_long(r, record, w.len);
}

static void say_flight(Run *r)
{
  uint8_t content[300] = {0};
  r->flight = r->server ? (r->flight == 1 ? 3 : 1) : 2;
  content[0] = (uint8_t)r->flight;
  say_record(r, FAKE_HANDSHAKE, content, sizeof content);
}

static void say_keys(Run *r, char *peer_info)
{
  uint8_t buf[OVPN_KM_MAX];
  char occ[] = "V4,dev-type tun,cipher AES-256-GCM,auth SHA1", none[] = "";
  OvpnKeyMethod m = {.options = occ, .username = none, .password = none, .peer_info = peer_info};
  memset(&m.source, 0x33, sizeof m.source);
  size_t n = ovpn_key_method_encode(&m, r->server, buf, sizeof buf);
  if (n)
    say_record(r, FAKE_DATA, buf, n);
}

static void say_hello(Run *r)
{
  r->key_id = 0;
  r->next_id[0] = 0;
  r->flight = 0;
  say(r, r->server ? OVPN_OP_HARD_RESET_CLIENT_V2 : OVPN_OP_HARD_RESET_SERVER_V2, 0, NULL, 0);
}

static void whole_handshake(Run *r)
{
  char info[] = "IV_VER=2.6\nIV_PROTO=746\nIV_CIPHERS=AES-256-GCM:AES-128-GCM\n";
  take_output(r);
  if (r->next_id[r->key_id] == 0)
    say_hello(r);
  for (int i = 0; i < 2; i++) {
    take_output(r);
    if (i == 0 || r->server)
      say_flight(r);
  }
  take_output(r);
  say_keys(r, info);
  take_output(r);
}

static void renegotiate(Run *r)
{
  r->key_id = r->key_id == 7 ? 1 : (uint8_t)(r->key_id + 1);
  r->next_id[r->key_id] = r->n_owed[r->key_id] = r->flight = 0;
  say(r, OVPN_OP_SOFT_RESET_V1, r->key_id, NULL, 0);
}

static void pass_time(Run *r, uint8_t n)
{
  r->now += n * (SECOND / 10);
  ovpn_session_tick(r->s, r->now);
  ovpn_session_note_data(r->s, r->now, n & 1, n & 2, n, 0);
}

static void facts(Run *r, uint8_t n)
{
  if (n & 8)
    ovpn_session_note_refused(r->s, r->now);
  if (n & 16)
    ovpn_session_note_occ_exit(r->s, r->now);
  if (n & 32)
    ovpn_session_note_data(r->s, r->now, true, true, 100, UINT32_C(0xff000000));
  ovpn_session_note_peer_key(r->s, r->now, n & 7);
}

static void step(Run *r, OvpnReader *in)
{
  uint8_t command = ovpn_read_u8(in) & 15, n = ovpn_read_u8(in), first = 0;
  if (command == 1 || command == 5)
    first = ovpn_read_u8(in);
  char text[256] = "";
  size_t len = 0;
  if (command <= 1 || command == 4 || command == 5 || command == 7 || command == 8) {
    len = n < ovpn_reader_left(in) ? n : ovpn_reader_left(in);
    ovpn_read_copy(in, text, len);
  }
  const uint8_t *bytes = (const uint8_t *)text;
  switch (command) {
  case 0:
    events(r);
    give_forged(r, bytes, len);
    break;
  case 1:
    give_sealed(r, first, bytes, len);
    break;
  case 2:
    pass_time(r, n);
    break;
  case 3:
    take_output(r);
    break;
  case 4:
    say(r, OVPN_OP_CONTROL_V1, r->key_id, bytes, len);
    break;
  case 5:
    say_record(r, first, bytes, len);
    break;
  case 6:
    say_flight(r);
    break;
  case 7:
    say_keys(r, text);
    break;
  case 8:
    say_record(r, FAKE_DATA, bytes, len + 1);
    break;
  case 9:
    renegotiate(r);
    break;
  case 10:
    if (n & 1)
      random_bytes(NULL, r->sid, sizeof r->sid);
    say_hello(r);
    break;
  case 11:
    ovpn_session_close(r->s, r->now);
    break;
  case 12:
    facts(r, n);
    break;
  case 13:
    r->damage = n;
    break;
  case 14:
    if (r->last_len)
      (void)give(r, r->last, r->last_len);
    follow_dynamic(r);
    break;
  case 15:
    whole_handshake(r);
    break;
  }
  events(r);
}

static void set_up(Run *r, uint8_t settings)
{
  OvpnFailure f = {0};
  OvpnWrapMode mode = (OvpnWrapMode)((settings >> 1 & 3) % 3);
  uint8_t key[OVPN_STATIC_KEY_LEN];
  *r = (Run){.now = 1000 * SECOND, .damage = -1};
  r->server = settings & 1;
  r->protected = mode != OVPN_WRAP_NONE;
  ovpn_config_init(&r->config);
  r->config.tls_server = r->server;
  r->config.tls_auth_dir = OVPN_DIR_NONE;
  r->config.reneg_sec = settings & 32 ? 60 : 0;
  r->config.ping = 10;
  r->config.ping_restart = 60;
  r->config.data_ciphers.v = calloc(1, sizeof(char *));
  assert(r->config.data_ciphers.v);
  r->config.data_ciphers.v[0] = strdup("AES-256-GCM");
  r->config.data_ciphers.n = 1;
  OvpnFileId id = mode == OVPN_WRAP_TLS_AUTH ? OVPN_FILE_TLS_AUTH : OVPN_FILE_TLS_CRYPT;
  if (r->protected)
    assert(ovpn_blob_set(&r->config.files[id].content, key_text, strlen(key_text)));
  assert(ovpn_static_key_parse(key_text, strlen(key_text), key, &f) == OVPN_OK);
  int direction = mode == OVPN_WRAP_TLS_AUTH ? OVPN_DIR_NONE
                  : r->server                ? OVPN_DIR_INVERSE
                                             : OVPN_DIR_NORMAL;
  assert(ovpn_wrap_init(&r->wrap, mode, key, direction, "SHA1", NULL, WALL) == OVPN_OK);
  random_bytes(NULL, r->sid, sizeof r->sid);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static Run r;
  OvpnCredentials credentials = {0};
  OvpnOptionList profile = {0};
  OvpnFailure f = {0};
  OvpnAccepted accepted = {.sid = "session"};
  if (size < 1)
    return 0;
  set_up_once();
  seed = 1;
  set_up(&r, data[0]);
  if (data[0] & 8) { /* both first packets are out */
    memcpy(accepted.peer_sid, r.sid, sizeof r.sid);
    memcpy(r.session_sid, accepted.sid, sizeof r.session_sid);
    r.know_session = true;
    r.next_id[0] = 1;
  }
  OvpnSessionParams p = {.config = &r.config,
                         .profile = &profile,
                         .tls = tls[r.server],
                         .credentials = &credentials,
                         .proto = data[0] & 16 ? OVPN_PROTO_TCP : OVPN_PROTO_UDP,
                         .waits = (data[0] & 72) == 64,
                         .accepted = data[0] & 8 ? &accepted : NULL,
                         .random = random_bytes,
                         .wall_time = WALL,
                         .now = r.now};
  if (ovpn_session_new(&p, &r.s, &f) == OVPN_OK) {
    OvpnReader in = ovpn_reader(data + 1, size - 1);
    for (unsigned i = 0; i < STEPS_MAX && ovpn_reader_left(&in) >= 2; i++)
      step(&r, &in);
    ovpn_session_free(r.s);
  }
  ovpn_wrap_clear(&r.wrap);
  if (r.have_dynamic)
    ovpn_wrap_clear(&r.dynamic);
  ovpn_config_clear(&r.config);
  ovpn_credentials_clear(&credentials);
  return 0;
}
