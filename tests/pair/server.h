/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A test server for one client, built from the core's modules: enough of the server's side to
 * exercise ours. Sans-IO like the client. Test code: asserts instead of failing politely. */
#pragma once
#include "helper/core/aead.h"
#include "helper/core/keys.h"
#include "helper/core/reliable.h"
#include "helper/core/tls.h"
#include "helper/core/wrap.h"

typedef struct ServerKey {
  bool used, km_done, finished;
  uint8_t key_id;
  OvpnReliable reliable;
  OvpnTls *tls;
  OvpnKeySource client, server;
  OvpnDataKey *data;
} ServerKey;

typedef struct TestServer {
  OvpnTlsContext *tls;
  OvpnWrap wrap, dynamic;
  bool have_dynamic, have_client, ekm, cookie, resend_wkc;
  uint8_t sid[8], peer_sid[8];
  ServerKey keys[2];
  unsigned cur;
  const char *push, *cipher; /* push: text after PUSH_REPLY */
  int32_t peer_id;
  bool dyn_tls_crypt, epoch;
  bool undecided;     /* no word after the key exchange: the test says it */
  const char *reject; /* AUTH_FAILED text instead of a push */
  uint32_t wall;
  uint64_t now;
  OvpnRandom random;
  void *random_user;
  char username[256], password[1024], peer_info[2048], last_text[256];
  unsigned drops, handshakes;
} TestServer;

void server_clear(TestServer *s);
OvpnStatus server_input(TestServer *s, uint64_t now, const uint8_t *pkt, size_t len);
size_t server_output(TestServer *s, uint64_t now, uint8_t *buf, size_t cap);
uint64_t server_deadline(const TestServer *s);
void server_text(TestServer *s, uint64_t now, const char *text); /* a control string */
void server_push(TestServer *s, uint64_t now);                   /* after `undecided` */
void server_renegotiate(TestServer *s, uint64_t now);
OvpnDataKey *server_data_key(TestServer *s, uint8_t key_id); /* NULL if none */
OvpnDataKey *server_send_key(TestServer *s);
