/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The whole client session under a structure-aware driver. The input is a script: each step is one
 * byte of command and its operands; a test server cooperates, so that the fuzzer reaches what lies
 * behind the TLS handshake. 0 raw packet (u8 length)   1 packet with the right session ids (opcode
 * byte, u8 length)   2 time goes on (u8 x 100 ms) 3 exchange everything      4 control string by
 * the server (u8 length)                    5 one exchanged packet is damaged 6 server renegotiates
 * 7 close. The first byte, 0x80: keys are made as by servers before 2.6, which takes long; 0x40:
 * the server says nothing after the key exchange by itself. */
#include "helper/core/session.h"
#include "tests/pair/pki.h"
#include "tests/pair/server.h"
#include <assert.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum { WALL = 1700000000 };
static TestPki pki;
static OvpnConfig config;
static OvpnTlsContext *client_tls, *server_tls;
static uint32_t seed;

static void random_bytes(void *user, uint8_t *buf, size_t len)
{
  for (size_t i = 0; i < len; i++)
    buf[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
}

static void set_file(OvpnConfig *c, OvpnFileId id, const OvpnBlob *b)
{
  c->files[id].name = strdup("[inline]");
  assert(ovpn_blob_set(&c->files[id].content, b->data, b->len));
}

static void set_up_once(void)
{
  OvpnConfig server;
  OvpnFailure f = {0};
  if (client_tls)
    return;
  gnutls_global_init();
  pki_make(&pki, WALL);
  ovpn_config_init(&config);
  config.pull = true;
  set_file(&config, OVPN_FILE_CA, &pki.ca);
  set_file(&config, OVPN_FILE_CERT, &pki.client_cert);
  set_file(&config, OVPN_FILE_KEY, &pki.client_key);
  config.data_ciphers.v = calloc(1, sizeof(char *));
  config.data_ciphers.v[0] = strdup("AES-256-GCM");
  config.data_ciphers.n = 1;
  assert(ovpn_tls_context_new(&config, NULL, false, &client_tls, &f) == OVPN_OK);
  ovpn_config_init(&server);
  set_file(&server, OVPN_FILE_CA, &pki.ca);
  set_file(&server, OVPN_FILE_CERT, &pki.server_cert);
  set_file(&server, OVPN_FILE_KEY, &pki.server_key);
  assert(ovpn_tls_context_new(&server, NULL, true, &server_tls, &f) == OVPN_OK);
  ovpn_config_clear(&server);
}

typedef struct Run {
  OvpnSession *client;
  TestServer server;
  uint64_t now;
  bool damage;
  uint8_t damage_at;
} Run;

static void events(Run *r)
{
  OvpnEvent e;
  while (ovpn_session_pop_event(r->client, &e))
    ovpn_event_clear(&e);
}

static void exchange(Run *r)
{
  uint8_t buf[OVPN_PACKET_MAX];
  for (unsigned i = 0; i < 40; i++) {
    size_t n = ovpn_session_output(r->client, r->now, buf, sizeof buf), m;
    if (n)
      (void)server_input(&r->server, r->now, buf, n);
    m = server_output(&r->server, r->now, buf, sizeof buf);
    if (m && r->damage) {
      buf[r->damage_at % m] ^= 0x41;
      r->damage = false;
    }
    if (m)
      (void)ovpn_session_input(r->client, r->now, buf, m);
    events(r);
    if (!n && !m)
      break;
  }
}

static bool connected(const Run *r)
{
  return r->server.keys[r->server.cur].km_done;
}

static void step(Run *r, OvpnReader *in)
{
  uint8_t pkt[OVPN_PACKET_MAX] = {0}, command = ovpn_read_u8(in) & 7, n = ovpn_read_u8(in);
  char text[300];
  size_t len = n < ovpn_reader_left(in) ? n : ovpn_reader_left(in);
  switch (command) {
  case 0:
    ovpn_read_copy(in, pkt, len);
    (void)ovpn_session_input(r->client, r->now, pkt, len);
    break;
  case 1: /* opcode | server's id | one ack | our id | rest from the input */
    pkt[0] = ovpn_read_u8(in);
    len = len > 0 ? len - 1 : 0;
    memcpy(pkt + 1, r->server.sid, 8);
    pkt[9] = 1;
    memcpy(pkt + 14, r->server.peer_sid, 8);
    if (len <= ovpn_reader_left(in))
      ovpn_read_copy(in, pkt + 22, len);
    (void)ovpn_session_input(r->client, r->now, pkt, 22 + len);
    break;
  case 2:
    r->now += n * UINT64_C(100000000);
    ovpn_session_tick(r->client, r->now);
    ovpn_session_note_data(r->client, r->now, n & 1, n & 2, n, 0);
    ovpn_session_note_peer_key(r->client, r->now, n & 7);
    break;
  case 4:
    ovpn_read_copy(in, text, len);
    text[len] = 0;
    if (connected(r))
      server_text(&r->server, r->now, text);
    exchange(r);
    break;
  case 5:
    r->damage = true;
    r->damage_at = n;
    break;
  case 6:
    if (connected(r) && r->server.keys[r->server.cur].data)
      server_renegotiate(&r->server, r->now);
    break;
  case 7:
    ovpn_session_close(r->client, r->now);
    break;
  default:
    exchange(r);
  }
  events(r);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static Run r;
  OvpnCredentials credentials = {0};
  OvpnOptionList profile = {0};
  OvpnFailure f = {0};
  set_up_once();
  memset(&r, 0, sizeof r);
  seed = 1;
  bool prf = size > 0 && data[0] & 0x80;
  r.now = UINT64_C(1000000000);
  TestServer *s = &r.server;
  *s = (TestServer){.tls = server_tls,
                    .push = prf ? ",ifconfig 10.8.0.2 10.8.0.1,cipher AES-256-GCM"
                                : ",ifconfig 10.8.0.2 10.8.0.1,cipher AES-256-GCM,"
                                  "protocol-flags tls-ekm",
                    .ekm = !prf,
                    .undecided = size > 0 && data[0] & 0x40,
                    .cipher = "AES-256-GCM",
                    .peer_id = -1,
                    .wall = WALL,
                    .random = random_bytes};
  random_bytes(NULL, s->sid, 8);
  assert(ovpn_wrap_init(&s->wrap, OVPN_WRAP_NONE, (const uint8_t[256]){0}, 0, "SHA1", NULL, WALL) ==
         OVPN_OK);
  OvpnSessionParams p = {.config = &config,
                         .profile = &profile,
                         .tls = client_tls,
                         .credentials = &credentials,
                         .random = random_bytes,
                         .wall_time = WALL,
                         .now = r.now};
  if (ovpn_session_new(&p, &r.client, &f) == OVPN_OK) {
    OvpnReader in = ovpn_reader(data, size);
    for (unsigned i = 0; i < 200 && ovpn_reader_left(&in) >= 2; i++)
      step(&r, &in);
    ovpn_session_free(r.client);
  }
  server_clear(s);
  ovpn_credentials_clear(&credentials);
  return 0;
}
