/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our client core against the test server over a wire that drops, duplicates, reorders and
 * corrupts, with a fake clock and seeded noise. No socket, no sleep.
 *
 *   test-pair            all cases, 100,000 packets in the long one
 *   test-pair PACKETS    another length */
#include "helper/core/session.h"
#include "tests/pair/pki.h"
#include "tests/pair/server.h"
#include "tests/pair/wire.h"
#include "tests/unit/check.h"
#include <assert.h>
#include <gnutls/gnutls.h>

#define SECOND UINT64_C(1000000000)
enum { WALL = 1700000000 };

typedef struct Pair {
  Noise noise;
  uint64_t now, data_sent, data_lost_key, data_opened;
  Wire to_server, to_client;
  TestServer server;
  OvpnConfig config;
  OvpnOptionList profile;
  OvpnCredentials credentials;
  OvpnTlsContext *tls;
  OvpnSession *client;
  OvpnDataKey *keys[8];
  int send_key;
  unsigned generated, ups, pings;
  OvpnFailure failure;
  bool closed, up;
  bool told_peer_keys; /* the client is told which key the server sends with */
  OvpnNeed need;
  uint32_t need_seconds;
  bool need_required, need_echo;
  char need_text[256];
} Pair;

static void put(const Pair *p, Wire *w, const uint8_t *data, size_t len)
{
  wire_put(w, &p->noise, p->now, 0, data, len);
}

static uint64_t packets(const Pair *p)
{
  return p->to_server.packets + p->to_client.packets;
}

/* ---- set-up ---- */

static TestPki pki;

static void option(Pair *p, const char *a, const char *b, const char *c)
{
  OvpnOption *o = ovpn_option_list_add_text(&p->profile, a, b, c, NULL);
  assert(o);
  o->is_inline = b && strcmp(b, "[inline]") == 0; /* content comes by config_file() */
}

static char static_key_text[1024];
static void make_static_key_text(const uint8_t key[256])
{
  char *o = static_key_text;
  o += sprintf(o, "-----BEGIN OpenVPN Static key V1-----\n");
  for (int i = 0; i < 256; i++)
    o += sprintf(o, "%02x%s", key[i], i % 16 == 15 ? "\n" : "");
  sprintf(o, "-----END OpenVPN Static key V1-----\n");
}

typedef struct Case {
  const char *name;
  OvpnWrapMode wrap;
  const char *push, *cipher;
  bool ekm, dyn, resend_wkc;
  int32_t peer_id;
  Noise noise;
  const char *reject;
  bool auth_user_pass;
  const char *option[3]; /* one more line of the profile */
  bool epoch;
} Case;

#define PUSH_BASE ",ifconfig 10.8.0.2 255.255.255.0,topology subnet,ping 10,ping-restart 60"

static void server_set_up(Pair *p, const Case *c, const uint8_t key[256])
{
  TestServer *s = &p->server;
  OvpnConfig sc;
  OvpnFailure f = {0};
  ovpn_config_init(&sc);
  ovpn_blob_set(&sc.files[OVPN_FILE_CA].content, pki.ca.data, pki.ca.len);
  ovpn_blob_set(&sc.files[OVPN_FILE_CERT].content, pki.server_cert.data, pki.server_cert.len);
  ovpn_blob_set(&sc.files[OVPN_FILE_KEY].content, pki.server_key.data, pki.server_key.len);
  sc.files[OVPN_FILE_CA].name = strdup("ca");
  sc.files[OVPN_FILE_CERT].name = strdup("cert");
  sc.files[OVPN_FILE_KEY].name = strdup("key");
  OvpnStatus r = ovpn_tls_context_new(&sc, NULL, true, &s->tls, &f);
  if (r != OVPN_OK)
    fprintf(stderr, "server TLS context: %s %s\n", ovpn_status_name(r), f.text);
  assert(r == OVPN_OK);
  ovpn_config_clear(&sc);
  s->ekm = c->ekm;
  s->dyn_tls_crypt = c->dyn;
  s->epoch = c->epoch;
  s->resend_wkc = c->resend_wkc;
  s->push = c->push;
  s->reject = c->reject;
  s->cipher = c->cipher;
  s->peer_id = c->peer_id;
  s->wall = WALL;
  s->random = random_bytes;
  random_bytes(NULL, s->sid, 8);
  int dir = c->wrap == OVPN_WRAP_TLS_AUTH ? 0 : 0;
  assert(ovpn_wrap_init(&s->wrap, c->wrap == OVPN_WRAP_TLS_CRYPT_V2 ? OVPN_WRAP_TLS_CRYPT : c->wrap,
                        key, dir, "SHA256", NULL, WALL) == OVPN_OK);
}

static void v2_client_key(const uint8_t key[256], OvpnBlob *out)
{
  uint8_t raw[256 + 64];
  memcpy(raw, key, 256);
  memset(raw + 256, 0x5a, 62);
  raw[256 + 62] = 0;
  raw[256 + 63] = 64;
  gnutls_datum_t d = {raw, sizeof raw}, pem;
  assert(gnutls_pem_base64_encode2("OpenVPN tls-crypt-v2 client key", &d, &pem) == 0);
  assert(ovpn_blob_set(out, pem.data, pem.size));
  gnutls_free(pem.data);
}

static void config_file(Pair *p, OvpnFileId id, const void *data, size_t len)
{
  OvpnFile *file = &p->config.files[id];
  if (!file->name)
    file->name = strdup("[inline]");
  assert(ovpn_blob_set(&file->content, data, len));
}

static void client_session(Pair *p)
{
  OvpnFailure f = {0};
  OvpnSessionParams params = {.config = &p->config,
                              .profile = &p->profile,
                              .tls = p->tls,
                              .credentials = &p->credentials,
                              .proto = OVPN_PROTO_UDP,
                              .random = random_bytes,
                              .wall_time = WALL,
                              .now = p->now};
  OvpnStatus r = ovpn_session_new(&params, &p->client, &f);
  if (r != OVPN_OK)
    fprintf(stderr, "session: %s %s\n", ovpn_status_name(r), f.text);
  assert(r == OVPN_OK);
}

static void set_up(Pair *p, const Case *c)
{
  uint8_t key[256];
  OvpnFailure f = {0};
  memset(p, 0, sizeof *p);
  p->now = SECOND;
  p->noise = c->noise;
  p->send_key = -1;
  random_bytes(NULL, key, sizeof key);
  make_static_key_text(key);
  server_set_up(p, c, key);
  option(p, "client", NULL, NULL);
  option(p, "remote", "192.0.2.1", "1194");
  option(p, "ca", "[inline]", NULL);
  option(p, "cert", "[inline]", NULL);
  option(p, "key", "[inline]", NULL);
  option(p, "auth", "SHA256", NULL);
  option(p, "remote-cert-tls", "server", NULL);
  option(p, "data-ciphers", "AES-256-GCM:AES-128-GCM:CHACHA20-POLY1305:AES-256-CBC", NULL);
  if (c->wrap == OVPN_WRAP_TLS_AUTH)
    option(p, "tls-auth", "[inline]", "1");
  if (c->wrap == OVPN_WRAP_TLS_CRYPT)
    option(p, "tls-crypt", "[inline]", NULL);
  if (c->wrap == OVPN_WRAP_TLS_CRYPT_V2)
    option(p, "tls-crypt-v2", "[inline]", NULL);
  if (c->auth_user_pass)
    option(p, "auth-user-pass", NULL, NULL);
  if (c->option[0])
    option(p, c->option[0], c->option[1], c->option[2]);
  ovpn_config_init(&p->config);
  OvpnStatus r = ovpn_config_apply(&p->config, &p->profile, &f);
  if (r != OVPN_OK)
    fprintf(stderr, "config: %s\n", f.text);
  assert(r == OVPN_OK);
  config_file(p, OVPN_FILE_CA, pki.ca.data, pki.ca.len);
  config_file(p, OVPN_FILE_CERT, pki.client_cert.data, pki.client_cert.len);
  config_file(p, OVPN_FILE_KEY, pki.client_key.data, pki.client_key.len);
  if (c->wrap == OVPN_WRAP_TLS_AUTH)
    config_file(p, OVPN_FILE_TLS_AUTH, static_key_text, strlen(static_key_text));
  if (c->wrap == OVPN_WRAP_TLS_CRYPT)
    config_file(p, OVPN_FILE_TLS_CRYPT, static_key_text, strlen(static_key_text));
  if (c->wrap == OVPN_WRAP_TLS_CRYPT_V2) {
    ovpn_auto_blob v2 = {0};
    v2_client_key(key, &v2);
    config_file(p, OVPN_FILE_TLS_CRYPT_V2, v2.data, v2.len);
  }
  r = ovpn_tls_context_new(&p->config, NULL, false, &p->tls, &f);
  if (r != OVPN_OK)
    fprintf(stderr, "client TLS context: %s %s\n", ovpn_status_name(r), f.text);
  assert(r == OVPN_OK);
  client_session(p);
}

static void tear_down(Pair *p)
{
  ovpn_session_free(p->client);
  for (unsigned i = 0; i < 8; i++)
    ovpn_data_key_free(p->keys[i]);
  server_clear(&p->server);
  ovpn_tls_context_free(p->tls);
  ovpn_tls_context_free(p->server.tls);
  ovpn_credentials_clear(&p->credentials);
  ovpn_config_clear(&p->config);
  ovpn_option_list_clear(&p->profile);
}

/* ---- the client's engine, in small ---- */

static void make_key(Pair *p, const OvpnEvent *e)
{
  OvpnFailure f = {0};
  ovpn_data_key_free(p->keys[e->key_id]);
  p->keys[e->key_id] = NULL;
  if (e->epoch)
    assert(ovpn_data_key_new_epoch(ovpn_data_cipher(e->cipher), e->key_block, true, e->key_id,
                                   e->peer_id, &(OvpnDataForm){.window = 1024}, &p->keys[e->key_id],
                                   &f) == OVPN_OK);
  else
    assert(ovpn_data_key_new(ovpn_data_cipher(e->cipher), "SHA256", e->key_block, true, e->key_id,
                             e->peer_id, &(OvpnDataForm){.window = 1024}, random_bytes, NULL,
                             &p->keys[e->key_id], &f) == OVPN_OK);
  p->generated++;
}

static void on_event(Pair *p, const OvpnEvent *e)
{
  switch (e->type) {
  case OVPN_EVENT_STATE:
    p->up = e->state == OVPN_SESSION_UP || e->state == OVPN_SESSION_REKEYING;
    break;
  case OVPN_EVENT_NEED:
    p->need = e->need;
    p->need_seconds = e->seconds;
    p->need_required = e->required;
    p->need_echo = e->echo;
    snprintf(p->need_text, sizeof p->need_text, "%s", e->text ? e->text : "");
    break;
  case OVPN_EVENT_PUSHED:
    p->ups++;
    break;
  case OVPN_EVENT_KEYS:
    make_key(p, e);
    break;
  case OVPN_EVENT_USE_KEY:
    p->send_key = e->key_id;
    break;
  case OVPN_EVENT_RETIRE_KEY:
    ovpn_data_key_free(p->keys[e->key_id]);
    p->keys[e->key_id] = NULL;
    break;
  case OVPN_EVENT_SEND_PING:
    p->pings++;
    break;
  case OVPN_EVENT_SEND_OCC_REQUEST:
  case OVPN_EVENT_SEND_OCC_EXIT:
  case OVPN_EVENT_LOG:
    break;
  case OVPN_EVENT_FAILED:
    p->failure = e->failure;
    break;
  case OVPN_EVENT_CLOSED:
    p->closed = true;
    break;
  }
}

static void drain(Pair *p)
{
  uint8_t buf[OVPN_PACKET_MAX];
  OvpnEvent e;
  size_t n;
  for (unsigned i = 0; i < 100 && (n = ovpn_session_output(p->client, p->now, buf, sizeof buf)) > 0;
       i++)
    put(p, &p->to_server, buf, n);
  for (unsigned i = 0; i < 100 && (n = server_output(&p->server, p->now, buf, sizeof buf)) > 0; i++)
    put(p, &p->to_client, buf, n);
  while (ovpn_session_pop_event(p->client, &e)) {
    on_event(p, &e);
    ovpn_event_clear(&e);
  }
}

static void open_data(Pair *p, OvpnDataKey *key, Packet *m)
{
  uint8_t *payload;
  size_t len;
  if (!key) {
    p->data_lost_key++;
    return;
  }
  OvpnStatus r = ovpn_data_open(key, m->data, m->len, &payload, &len);
  if (r == OVPN_OK) {
    p->data_opened++;
    CHECK_INT(len, 100);
    for (size_t i = 0; i < len; i++)
      if (payload[i] != (uint8_t)(i * 7)) {
        CHECK(payload[i] == (uint8_t)(i * 7));
        break;
      }
  } else {
    CHECK(ovpn_is_drop(r));
  }
}

static void deliver(Pair *p)
{
  Packet *m;
  while ((m = wire_get(&p->to_server, p->now))) {
    uint8_t op = ovpn_opcode(m->data[0]);
    if (ovpn_op_is_data(op))
      open_data(p, server_data_key(&p->server, ovpn_key_id(m->data[0])), m);
    else
      (void)server_input(&p->server, p->now, m->data, m->len);
  }
  while ((m = wire_get(&p->to_client, p->now))) {
    uint8_t op = ovpn_opcode(m->data[0]);
    if (ovpn_op_is_data(op)) {
      open_data(p, p->keys[ovpn_key_id(m->data[0])], m);
      ovpn_session_note_data(p->client, p->now, true, false, 0, 0);
      if (p->told_peer_keys)
        ovpn_session_note_peer_key(p->client, p->now, ovpn_key_id(m->data[0]));
    } else {
      (void)ovpn_session_input(p->client, p->now, m->data, m->len);
    }
    drain(p);
  }
}

static void send_data(Pair *p, OvpnDataKey *key, Wire *w)
{
  uint8_t buf[OVPN_DATA_HEADROOM + 100 + OVPN_DATA_TAILROOM], *pkt;
  size_t len;
  for (size_t i = 0; i < 100; i++)
    buf[OVPN_DATA_HEADROOM + i] = (uint8_t)(i * 7);
  if (!key || ovpn_data_seal(key, buf, OVPN_DATA_HEADROOM, 100, &pkt, &len) != OVPN_OK)
    return;
  p->data_sent++;
  put(p, w, pkt, len);
}

/* Runs until `stop` says so or the fake time is over; traffic: data packets each way per 100 ms. */
static void run(Pair *p, uint64_t seconds, unsigned traffic, bool (*stop)(const Pair *))
{
  uint64_t end = p->now + seconds * SECOND, next_data = p->now;
  drain(p);
  while (p->now < end && !p->failure.status && !(stop && stop(p))) {
    uint64_t t = wire_next(&p->to_server), u = wire_next(&p->to_client);
    t = u < t ? u : t;
    u = ovpn_session_deadline(p->client);
    t = u < t ? u : t;
    u = server_deadline(&p->server);
    t = u < t ? u : t;
    if (traffic && next_data < t)
      t = next_data;
    if (t > end)
      t = end;
    if (t > p->now)
      p->now = t;
    if (traffic && p->now >= next_data) {
      next_data = p->now + SECOND / 10;
      for (unsigned i = 0; i < traffic && p->up && p->send_key >= 0; i++) {
        send_data(p, p->keys[p->send_key], &p->to_server);
        send_data(p, server_send_key(&p->server), &p->to_client);
      }
    }
    deliver(p);
    ovpn_session_tick(p->client, p->now);
    drain(p);
  }
}

static bool is_up(const Pair *p)
{
  return p->up && p->send_key >= 0;
}
static bool two_keys(const Pair *p)
{
  return p->generated >= 2;
}

/* ---- cases ---- */

static const Case cases[] = {
    {"plain, PRF, V1",
     OVPN_WRAP_NONE,
     PUSH_BASE ",cipher AES-256-GCM",
     "AES-256-GCM",
     false,
     false,
     false,
     -1,
     {0}},
    {"tls-auth, PRF, V2",
     OVPN_WRAP_TLS_AUTH,
     PUSH_BASE ",peer-id 3,cipher AES-128-GCM",
     "AES-128-GCM",
     false,
     false,
     false,
     3,
     {0}},
    {"tls-crypt, EKM, dynamic",
     OVPN_WRAP_TLS_CRYPT,
     PUSH_BASE ",peer-id 4,cipher CHACHA20-POLY1305,protocol-flags cc-exit tls-ekm dyn-tls-crypt",
     "CHACHA20-POLY1305",
     true,
     true,
     false,
     4,
     {0}},
    {"plain, dynamic",
     OVPN_WRAP_NONE,
     PUSH_BASE ",peer-id 9,cipher AES-256-GCM,protocol-flags tls-ekm dyn-tls-crypt",
     "AES-256-GCM",
     true,
     true,
     false,
     9,
     {0}},
    {"tls-crypt-v2, resend WKc",
     OVPN_WRAP_TLS_CRYPT_V2,
     PUSH_BASE ",peer-id 5,cipher AES-256-GCM,key-derivation tls-ekm",
     "AES-256-GCM",
     true,
     false,
     true,
     5,
     {0}},
    {"CBC",
     OVPN_WRAP_TLS_CRYPT,
     PUSH_BASE ",peer-id 6,cipher AES-256-CBC",
     "AES-256-CBC",
     false,
     false,
     false,
     6,
     {0}},
    {"loss",
     OVPN_WRAP_NONE,
     PUSH_BASE ",peer-id 3,cipher AES-256-GCM",
     "AES-256-GCM",
     false,
     false,
     false,
     3,
     {200, 100, 200, 0}},
    {"epochs",
     OVPN_WRAP_TLS_CRYPT,
     PUSH_BASE ",peer-id 8,cipher AES-256-GCM,protocol-flags tls-ekm dyn-tls-crypt aead-epoch",
     "AES-256-GCM",
     true,
     true,
     false,
     8,
     {0},
     .epoch = true},
    {"loss and corruption",
     OVPN_WRAP_TLS_CRYPT,
     PUSH_BASE ",peer-id 3,cipher AES-256-GCM,protocol-flags tls-ekm dyn-tls-crypt",
     "AES-256-GCM",
     true,
     true,
     false,
     3,
     {150, 100, 200, 100}},
};

static void test_case(const Case *c)
{
  static Pair p;
  int before = check_failed_;
  set_up(&p, c);
  run(&p, 60, 0, is_up);
  CHECK_INT(p.failure.status, OVPN_OK);
  CHECK(is_up(&p));
  run(&p, 5, 3, NULL);
  server_renegotiate(&p.server, p.now);
  run(&p, 100, 1, two_keys);
  CHECK_INT(p.generated, 2);
  run(&p, 100, 1, NULL); /* past the switch */
  run(&p, 1, 0, NULL);   /* what is still on the wire */
  if (p.keys[1])
    CHECK_INT(p.send_key, 1);
  if (c->noise.drop == 0) {
    CHECK_INT(p.data_opened + p.data_lost_key, p.data_sent);
    CHECK_INT(p.data_lost_key, 0); /* not one packet is lost over the renegotiation */
  }
  ovpn_session_close(p.client, p.now);
  run(&p, 5, 0, NULL);
  CHECK(p.closed);
  if (strstr(c->push, "cc-exit"))
    CHECK_STR(p.server.last_text, "EXIT");
  if (check_failed_ != before)
    fprintf(stderr, "  in case “%s”: %s %s\n", c->name, ovpn_status_name(p.failure.status),
            p.failure.text);
  tear_down(&p);
}

/* The server sends with the new key long before our own wait for the change is over. */
static void test_key_follows_the_server(void)
{
  static Pair p;
  set_up(&p, &cases[1]);
  p.told_peer_keys = true;
  run(&p, 60, 0, is_up);
  CHECK(is_up(&p));
  ovpn_session_note_peer_key(p.client, p.now, 5); /* no such key: nothing changes */
  drain(&p);
  CHECK_INT(p.send_key, 0);
  server_renegotiate(&p.server, p.now);
  run(&p, 10, 1, two_keys);
  run(&p, 1, 3, NULL);
  CHECK_INT(p.send_key, 1);
  run(&p, 1, 0, NULL);
  CHECK_INT(p.data_lost_key, 0);
  CHECK_INT(p.data_opened, p.data_sent);
  tear_down(&p);
}

/* A probe is answered by the server with our session, by nobody else, and changes nothing. */
static void test_probe(void)
{
  static Pair p;
  uint8_t buf[OVPN_PACKET_MAX], back[OVPN_PACKET_MAX];
  set_up(&p, &cases[1]);
  CHECK(!ovpn_session_can_probe(p.client)); /* before there are keys */
  CHECK_INT(ovpn_session_probe(p.client, p.now, buf, sizeof buf), 0);
  run(&p, 60, 0, is_up);
  run(&p, 5, 1, NULL);
  CHECK(ovpn_session_can_probe(p.client));
  CHECK_INT(ovpn_session_probe(p.client, p.now, buf, 3), 0); /* no room */
  for (unsigned i = 1; i <= 3; i++) {
    size_t n = ovpn_session_probe(p.client, p.now, buf, sizeof buf);
    CHECK(n > 0);
    server_input(&p.server, p.now, buf, n);
    while ((n = server_output(&p.server, p.now, back, sizeof back)) > 0)
      ovpn_session_input(p.client, p.now, back, n);
    CHECK_INT(ovpn_session_probes_answered(p.client), i);
  }
  size_t n = ovpn_session_probe(p.client, p.now, buf, sizeof buf);
  p.server.sid[0] ^= 1; /* started anew: it has another session */
  p.server.peer_sid[0] ^= 1;
  server_input(&p.server, p.now, buf, n);
  while ((n = server_output(&p.server, p.now, back, sizeof back)) > 0)
    ovpn_session_input(p.client, p.now, back, n);
  CHECK_INT(ovpn_session_probes_answered(p.client), 3);
  p.server.sid[0] ^= 1;
  p.server.peer_sid[0] ^= 1;
  server_renegotiate(&p.server, p.now);
  run(&p, 100, 1, two_keys);
  CHECK_INT(p.generated, 2);
  run(&p, 5, 1, NULL);
  CHECK(ovpn_session_can_probe(p.client));
  CHECK_INT(p.data_lost_key, 0);
  tear_down(&p);
}

static void expect_failure(const char *reject, OvpnStatus status, uint32_t arg, const char *text)
{
  static Pair p;
  Case c = {"", OVPN_WRAP_TLS_AUTH, PUSH_BASE, "AES-256-GCM", .reject = reject};
  set_up(&p, &c);
  run(&p, 60, 0, NULL);
  CHECK_INT(p.failure.status, status);
  CHECK_INT(p.failure.arg, arg);
  CHECK_STR(p.failure.text, text);
  tear_down(&p);
}

static void test_auth_failed(void)
{
  expect_failure("", OVPN_FAIL_AUTH, 0, "");
  expect_failure("No such user", OVPN_FAIL_AUTH, 0, "No such user");
  expect_failure("TEMP[backoff 42,advance no]:full", OVPN_FAIL_AUTH_TEMP, 42 | OVPN_TEMP_STAY,
                 "full");
  expect_failure("TEMP[advance remote]:full", OVPN_FAIL_AUTH_TEMP, OVPN_TEMP_NEXT_REMOTE, "full");
  expect_failure("TEMP[advance addr,backoff 99999999999999999999]", OVPN_FAIL_AUTH_TEMP, 3600, "");
  expect_failure("TEMP", OVPN_FAIL_AUTH_TEMP, 0, "");
  expect_failure("SESSION: old", OVPN_FAIL_AUTH, 0, "old");
  expect_failure("Data channel cipher negotiation failed (no shared cipher)",
                 OVPN_FAIL_NO_COMMON_CIPHER, 0,
                 "Data channel cipher negotiation failed (no shared cipher)");
  expect_failure("CRV1:R,E:state:dXNlcg==:Your code: now", OVPN_FAIL_AUTH, 1, "Your code: now");
  expect_failure("CRV1:nonsense", OVPN_FAIL_AUTH, 0, "");
}

static void test_push_failures(void)
{
  static Pair p;
  static const struct {
    const char *push;
    OvpnStatus status;
  } t[] = {
      {PUSH_BASE ",cipher BF-CBC", OVPN_FAIL_NO_COMMON_CIPHER},
      {PUSH_BASE ",cipher AES-192-GCM", OVPN_FAIL_NO_COMMON_CIPHER}, /* not in data-ciphers */
      {PUSH_BASE ",cipher AES-256-GCM,protocol-flags aead-epoch", OVPN_FAIL_PUSH}, /* no peer-id */
      {PUSH_BASE ",peer-id 1,cipher AES-256-CBC,protocol-flags aead-epoch", OVPN_FAIL_PUSH},
      {PUSH_BASE ",cipher AES-256-GCM,protocol-flags from-the-future", OVPN_FAIL_PUSH},
  };
  for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
    Case c = {"", OVPN_WRAP_NONE, t[i].push, "AES-256-GCM", .peer_id = 1};
    set_up(&p, &c);
    run(&p, 60, 0, NULL);
    CHECK_INT(p.failure.status, t[i].status);
    tear_down(&p);
  }
}

static void test_control_strings(void)
{
  static const struct {
    const char *text;
    OvpnStatus status;
    uint32_t arg;
    const char *detail;
  } t[] = {
      {"RESTART", OVPN_FAIL_SERVER_RESTART, 0, ""},
      {"RESTART,[P]:moved", OVPN_FAIL_SERVER_RESTART, OVPN_RESTART_PRESERVE, "moved"},
      {"RESTART,[PN]moved", OVPN_FAIL_SERVER_RESTART, OVPN_RESTART_PRESERVE | OVPN_RESTART_NEXT,
       "moved"},
      {"HALT,[]go away", OVPN_FAIL_SERVER_HALT, 0, "go away"},
      {"HALT,[", OVPN_FAIL_SERVER_HALT, 0, ""},
      {"EXIT", OVPN_FAIL_SERVER_EXIT, 0, ""},
      {"RESTARTING", OVPN_OK, 0, ""},
      {"INFO,hello", OVPN_OK, 0, ""},
  };
  static Pair p;
  for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
    set_up(&p, &cases[1]);
    run(&p, 30, 0, is_up);
    server_text(&p.server, p.now, t[i].text);
    run(&p, 3, 0, NULL);
    CHECK_INT(p.failure.status, t[i].status);
    CHECK_INT(p.failure.arg, t[i].arg);
    CHECK_STR(p.failure.text, t[i].detail);
    tear_down(&p);
  }
}

/* PUSH_UPDATE changes what was pushed and is reported again; the session and its keys go on. */
static void test_push_update(void)
{
  static Pair p;
  set_up(&p, &cases[1]);
  run(&p, 30, 0, is_up);
  CHECK_INT(p.ups, 1);
  server_text(&p.server, p.now, "PUSH_UPDATE,route 10.77.0.0 255.255.0.0,push-continuation 2");
  run(&p, 3, 0, NULL);
  CHECK_INT(p.ups, 1);
  server_text(&p.server, p.now,
              "PUSH_UPDATE,route 10.78.0.0 255.255.0.0,?future,push-continuation 1");
  run(&p, 3, 1, NULL);
  CHECK_INT(p.ups, 2);
  const OvpnPushed *pushed = ovpn_session_pushed(p.client);
  CHECK_INT(pushed->n_routes4, 2);
  CHECK(pushed->has_v4 && pushed->ping == 10);
  server_text(&p.server, p.now, "PUSH_UPDATE,-route");
  run(&p, 3, 1, NULL);
  CHECK_INT(p.ups, 3);
  CHECK_INT(ovpn_session_pushed(p.client)->n_routes4, 0);
  server_renegotiate(&p.server, p.now);
  run(&p, 30, 1, two_keys);
  CHECK_INT(p.generated, 2);
  CHECK_INT(p.failure.status, OVPN_OK);
  server_text(&p.server, p.now, "PUSH_UPDATE,cipher AES-128-GCM");
  run(&p, 3, 0, NULL);
  CHECK_INT(p.failure.status, OVPN_FAIL_SERVER_RESTART);
  CHECK_INT(p.failure.arg, OVPN_RESTART_PRESERVE);
  CHECK_STR(p.failure.text, "PUSH_UPDATE: cipher");
  tear_down(&p);
}

static void expect_renegotiation(const char *cipher, const char *limit, uint64_t bytes,
                                 uint64_t sent, bool wanted)
{
  static Pair p;
  char push[200];
  Case c = {"", OVPN_WRAP_NONE, push, cipher, .peer_id = 1};
  snprintf(push, sizeof push, PUSH_BASE ",peer-id 1,cipher %s", cipher);
  c.option[0] = limit ? "reneg-bytes" : NULL;
  c.option[1] = limit;
  set_up(&p, &c);
  free(p.config.data_ciphers.v[0]);
  p.config.data_ciphers.v[0] = strdup(cipher);
  run(&p, 60, 0, is_up);
  CHECK_STR(p.failure.text, "");
  ovpn_session_note_data(p.client, p.now, true, true, bytes, sent);
  run(&p, 10, 0, two_keys);
  if ((p.generated == 2) != wanted)
    fprintf(stderr, "  %s, limit %s, %llu bytes, %llu packets\n", cipher, limit ? limit : "none",
            (unsigned long long)bytes, (unsigned long long)sent);
  CHECK_INT(p.generated, wanted ? 2 : 1);
  tear_down(&p);
}

/* Amounts of data after which a key is not used any further. */
static void test_used_up(void)
{
  const uint64_t mib = 1 << 20;
  expect_renegotiation("AES-256-GCM", NULL, 1000 * mib, 1000, false);
  expect_renegotiation("AES-256-GCM", NULL, 100, UINT32_C(0xff000000) - 1, false);
  expect_renegotiation("AES-256-GCM", NULL, 100, UINT32_C(0xff000000), true);
  expect_renegotiation("AES-256-GCM", "5000", 5000, 10, true);
  expect_renegotiation("AES-256-GCM", "5000", 4999, 10, false);
  expect_renegotiation("DES-EDE3-CBC", NULL, 64 * mib - 1, 1000, false);
  expect_renegotiation("DES-EDE3-CBC", NULL, 64 * mib, 1000, true);
  expect_renegotiation("DES-EDE3-CBC", "-1", 64 * mib, 1000, true);
  expect_renegotiation("DES-EDE3-CBC", "0", 64 * mib, 1000, false);
}

static void test_no_answer(void)
{
  static Pair p;
  Case c = cases[0];
  c.noise.drop = 1000;
  set_up(&p, &c);
  uint64_t start = p.now;
  run(&p, 300, 0, NULL);
  CHECK_INT(p.failure.status, OVPN_FAIL_NO_ANSWER);
  CHECK_INT((p.now - start) / SECOND, 60);
  CHECK_INT(packets(&p), 13); /* resets twice a second at first, then with doubled pauses */
  tear_down(&p);
}

static void test_silence(void)
{
  static Pair p;
  set_up(&p, &cases[1]);
  run(&p, 30, 0, is_up);
  p.noise.drop = 1000;
  uint64_t start = p.now;
  run(&p, 300, 0, NULL);
  CHECK_INT(p.failure.status, OVPN_FAIL_PING_TIMEOUT);
  CHECK((p.now - start) / SECOND >= 59 && (p.now - start) / SECOND <= 60);
  CHECK(p.pings >= 5);
  tear_down(&p);
}

static void test_credentials(void)
{
  static Pair p;
  Case c = cases[2];
  c.auth_user_pass = true;
  c.push = PUSH_BASE ",peer-id 4,cipher CHACHA20-POLY1305,protocol-flags cc-exit tls-ekm "
                     "dyn-tls-crypt,auth-token SESS_ID_x";
  set_up(&p, &c);
  run(&p, 5, 0, NULL);
  CHECK_INT(p.need, OVPN_NEED_USER_PASS);
  CHECK_INT(packets(&p), 0);
  ovpn_blob_set_text(&p.credentials.username, "anna");
  ovpn_blob_set_text(&p.credentials.password, "geheim");
  p.credentials.have_user_pass = true;
  ovpn_session_answer(p.client, p.now);
  run(&p, 30, 0, is_up);
  CHECK(is_up(&p));
  CHECK_STR(p.server.username, "anna");
  CHECK_STR(p.server.password, "geheim");
  CHECK(strstr(p.server.peer_info, "IV_PROTO=8094\n") != NULL);
  server_renegotiate(&p.server, p.now);
  run(&p, 30, 0, two_keys);
  CHECK_STR(p.server.password, "SESS_ID_x");
  tear_down(&p);
}

/* A server that waits for a person: page, question, its time, its yes. */
static void test_pending(void)
{
  static Pair p;
  Case c = cases[1];
  set_up(&p, &c);
  p.server.undecided = true;
  run(&p, 3, 0, NULL);
  CHECK_INT(ovpn_session_state(p.client), OVPN_SESSION_PULL);
  server_text(&p.server, p.now, "AUTH_PENDING,timeout 100");
  run(&p, 1, 0, NULL);
  CHECK_INT(p.need, OVPN_NEED_PATIENCE);
  CHECK(p.need_seconds >= 90 && p.need_seconds <= 100);
  server_text(&p.server, p.now,
              "INFO_PRE,WEB_AUTH:external,proxy=[fd00::1];8080:https://a.example/b c");
  run(&p, 1, 0, NULL);
  CHECK_INT(p.need, OVPN_NEED_BROWSER);
  CHECK_STR(p.need_text, "https://a.example/b%20c");
  server_text(&p.server, p.now, "INFO_PRE,CR_TEXT:R,E:Code: now");
  run(&p, 1, 0, NULL);
  CHECK_INT(p.need, OVPN_NEED_QUESTION);
  CHECK(p.need_required && p.need_echo);
  CHECK_STR(p.need_text, "Code: now");
  ovpn_session_respond(p.client, p.now, "123456", 6);
  run(&p, 1, 0, NULL);
  CHECK_STR(p.server.last_text, "CR_RESPONSE,MTIzNDU2");
  run(&p, 70, 0, NULL); /* longer than without AUTH_PENDING */
  CHECK_INT(ovpn_session_state(p.client), OVPN_SESSION_PULL);
  server_push(&p.server, p.now);
  run(&p, 10, 0, is_up);
  CHECK(is_up(&p));
  p.need = OVPN_NEED_NONE;
  server_text(&p.server, p.now, "INFO_PRE,OPEN_URL:https://a.example/");
  run(&p, 1, 0, NULL);
  CHECK_INT(p.need, OVPN_NEED_NONE); /* too late to mean a sign-in */
  tear_down(&p);

  set_up(&p, &c);
  p.server.undecided = true;
  run(&p, 3, 0, NULL);
  server_text(&p.server, p.now, "AUTH_PENDING,timeout 7");
  run(&p, 20, 0, NULL);
  CHECK_INT(p.failure.status, OVPN_FAIL_NO_PUSH_REPLY);
  CHECK_INT(p.failure.arg, 7);
  tear_down(&p);
}

static void test_static_challenge(void)
{
  static Pair p;
  Case c = cases[1];
  c.auth_user_pass = true;
  c.option[0] = "static-challenge";
  c.option[1] = "PIN";
  c.option[2] = "0";
  set_up(&p, &c);
  ovpn_blob_set_text(&p.credentials.username, "u");
  ovpn_blob_set_text(&p.credentials.password, "cpassword");
  ovpn_blob_set_text(&p.credentials.static_response, "challenge_response");
  p.credentials.have_user_pass = true;
  ovpn_session_answer(p.client, p.now);
  run(&p, 30, 0, is_up);
  CHECK_STR(p.server.password, "SCRV1:Y3Bhc3N3b3Jk:Y2hhbGxlbmdlX3Jlc3BvbnNl");
  tear_down(&p);
}

/* The client starts its own renegotiations under traffic and noise until the packets are used up.
 */
static void test_long(uint64_t wanted, const Case *base)
{
  static Pair p;
  Case c = *base;
  c.noise = (Noise){20, 20, 50, 20};
  c.option[0] = "reneg-sec";
  c.option[1] = "120";
  set_up(&p, &c);
  while (packets(&p) < wanted && !p.failure.status)
    run(&p, 200, 8, NULL);
  CHECK_INT(p.failure.status, OVPN_OK);
  CHECK(p.generated >= 2);
  CHECK(p.data_opened > p.data_sent * 85 / 100);
  printf("long: %llu packets, %u keys, %llu corrupted, %llu of %llu data packets opened\n",
         (unsigned long long)packets(&p), p.generated,
         (unsigned long long)(p.to_server.corrupted + p.to_client.corrupted),
         (unsigned long long)p.data_opened, (unsigned long long)p.data_sent);
  tear_down(&p);
}

int main(int argc, char **argv)
{
  gnutls_global_init();
  rng_state = UINT64_C(88172645463325252);
  pki_make(&pki, WALL);
  for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++)
    test_case(&cases[i]);
  test_auth_failed();
  test_push_failures();
  test_control_strings();
  test_push_update();
  test_used_up();
  test_no_answer();
  test_silence();
  test_credentials();
  test_key_follows_the_server();
  test_probe();
  test_static_challenge();
  test_pending();
  test_long(argc > 1 ? strtoull(argv[1], NULL, 10) : 100000, &cases[2]);
  pki_clear(&pki);
  gnutls_global_deinit();
  TEST_END();
}
