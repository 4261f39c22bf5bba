/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Callers are answered without memory of them, and only who receives the answer gets further. */
#include "helper/core/welcome.h"
#include "helper/core/packet.h"
#include "helper/core/wrap.h"
#include "tests/unit/check.h"

enum { SECOND = 1000000000, WALL = 1700000000 };
static const char here[] = "192.0.2.1:1194", there[] = "192.0.2.1:1195";
static const uint8_t caller[OVPN_SID_LEN] = "caller!";

/* A side of its own: what the caller sends and opens. */
typedef struct Peer {
  OvpnConfig config;
  OvpnWelcome *welcome;
  OvpnWrap wrap;
  uint64_t now;
  uint8_t out[OVPN_PACKET_MAX];
  size_t n;
  OvpnAccepted accepted;
} Peer;

static void fixed_random(void *user, uint8_t *buf, size_t len)
{
  (void)user;
  memset(buf, 0x5a, len);
}

static void peer_begin(Peer *p, bool server, const char *tls_auth)
{
  OvpnFailure f = {0};
  *p = (Peer){.now = 1000 * (uint64_t)SECOND};
  ovpn_config_init(&p->config);
  p->config.tls_server = server;
  p->config.tls_auth_dir = OVPN_DIR_NONE;
  uint8_t key[OVPN_STATIC_KEY_LEN] = {0};
  if (tls_auth) {
    CHECK(ovpn_blob_set(&p->config.files[OVPN_FILE_TLS_AUTH].content, tls_auth, strlen(tls_auth)));
    CHECK(ovpn_static_key_parse(tls_auth, strlen(tls_auth), key, &f) == OVPN_OK);
  }
  CHECK(ovpn_wrap_init(&p->wrap, tls_auth ? OVPN_WRAP_TLS_AUTH : OVPN_WRAP_NONE, key, OVPN_DIR_NONE,
                       "SHA1", NULL, WALL) == OVPN_OK);
  CHECK(ovpn_welcome_new(&p->config, fixed_random, NULL, WALL, p->now, &p->welcome, &f) == OVPN_OK);
}

static void peer_end(Peer *p)
{
  ovpn_welcome_free(p->welcome);
  ovpn_wrap_clear(&p->wrap);
  ovpn_config_clear(&p->config);
}

static OvpnStatus give(Peer *p, const char *from, const uint8_t *pkt, size_t len)
{
  OvpnFrom bytes = {from, strlen(from), strcspn(from, ":")};
  return ovpn_welcome_input(p->welcome, p->now, &bytes, pkt, len, p->out, sizeof p->out, &p->n,
                            &p->accepted);
}

static OvpnStatus send_body(Peer *p, const char *from, uint8_t op, const OvpnPacketBody *b)
{
  uint8_t body[128], pkt[OVPN_PACKET_MAX];
  OvpnWriter w = ovpn_writer(body, sizeof body);
  ovpn_packet_encode_body(&w, b);
  size_t len =
      ovpn_wrap_seal(&p->wrap, (uint8_t)(op << 3), caller, body, w.len, false, pkt, sizeof pkt);
  CHECK(w.ok && len > 0);
  return give(p, from, pkt, len);
}

static OvpnStatus hello(Peer *p, const char *from)
{
  return send_body(p, from, OVPN_OP_HARD_RESET_CLIENT_V2, &(OvpnPacketBody){.has_id = true});
}

/* The id that the answer gave us. */
static void read_answer(Peer *p, uint8_t ret[OVPN_SID_LEN])
{
  uint8_t buf[OVPN_PACKET_MAX];
  const uint8_t *sid, *body;
  size_t len;
  OvpnPacketBody b;
  CHECK(p->n > 0 && ovpn_opcode(p->out[0]) == OVPN_OP_HARD_RESET_SERVER_V2);
  CHECK(ovpn_wrap_open(&p->wrap, p->out, p->n, buf, sizeof buf, &sid, &body, &len) == OVPN_OK);
  CHECK(ovpn_packet_decode_body(OVPN_OP_HARD_RESET_SERVER_V2, body, len, &b) == OVPN_OK);
  CHECK(b.n_acks == 1 && b.acks[0] == 0 && b.has_id && b.id == 0);
  CHECK(memcmp(b.remote_sid, caller, sizeof caller) == 0);
  memcpy(ret, sid, OVPN_SID_LEN);
}

static OvpnStatus acknowledge(Peer *p, const char *from, const uint8_t id[OVPN_SID_LEN])
{
  OvpnPacketBody b = {.n_acks = 1};
  memcpy(b.remote_sid, id, OVPN_SID_LEN);
  return send_body(p, from, OVPN_OP_ACK_V1, &b);
}

static void test_three_steps(const char *tls_auth)
{
  Peer p;
  uint8_t id[OVPN_SID_LEN], zero[OVPN_SID_LEN] = {0};
  peer_begin(&p, true, tls_auth);
  CHECK(hello(&p, here) == OVPN_OK);
  read_answer(&p, id);
  CHECK(memcmp(id, zero, sizeof id) != 0);
  CHECK(acknowledge(&p, here, id) == OVPN_OK && p.n == 0);
  CHECK(memcmp(p.accepted.sid, id, sizeof id) == 0);
  CHECK(memcmp(p.accepted.peer_sid, caller, sizeof caller) == 0);
  peer_end(&p);
}

static void test_an_id_belongs_to_one_address(void)
{
  Peer p;
  uint8_t id[OVPN_SID_LEN], other[OVPN_SID_LEN];
  peer_begin(&p, true, NULL);
  CHECK(hello(&p, here) == OVPN_OK);
  read_answer(&p, id);
  CHECK(hello(&p, there) == OVPN_OK);
  read_answer(&p, other);
  CHECK(memcmp(id, other, sizeof id) != 0);
  CHECK(ovpn_is_drop(acknowledge(&p, there, id)));
  id[3] ^= 1;
  CHECK(ovpn_is_drop(acknowledge(&p, here, id)));
  id[3] ^= 1;
  CHECK(acknowledge(&p, here, id) == OVPN_OK);
  peer_end(&p);
}

static void test_an_id_ages(void)
{
  Peer p;
  uint8_t id[OVPN_SID_LEN];
  peer_begin(&p, true, NULL);
  CHECK(hello(&p, here) == OVPN_OK);
  read_answer(&p, id);
  p.now += (OVPN_WELCOME_SECONDS - 1) * (uint64_t)SECOND;
  CHECK(acknowledge(&p, here, id) == OVPN_OK);
  p.now += (OVPN_WELCOME_SECONDS + 2) * (uint64_t)SECOND;
  CHECK(ovpn_is_drop(acknowledge(&p, here, id)));
  peer_end(&p);
}

/* Whoever floods us, also under many addresses, takes nobody else's answers. */
static void test_answers_are_counted(void)
{
  Peer p;
  unsigned given = 0;
  char from[64];
  peer_begin(&p, true, NULL);
  for (int i = 0; i < 100; i++)
    given += hello(&p, i % 2 ? here : there) == OVPN_OK;
  CHECK_INT(given, 10);
  for (int i = 0; i < 100; i++) {
    snprintf(from, sizeof from, "203.0.113.%d:1194", i);
    given += hello(&p, from) == OVPN_OK;
  }
  CHECK(given > 100); /* a few share the place of the first */
  p.now += SECOND;
  CHECK(hello(&p, here) == OVPN_OK);
  peer_end(&p);
}

/* Nobody gets much more out of us than he puts in, so we are of no use against others. */
static void test_answers_are_short(const char *tls_auth)
{
  Peer p;
  uint8_t body[128], pkt[OVPN_PACKET_MAX];
  peer_begin(&p, true, tls_auth);
  OvpnWriter w = ovpn_writer(body, sizeof body);
  ovpn_packet_encode_body(&w, &(OvpnPacketBody){.has_id = true});
  size_t len = ovpn_wrap_seal(&p.wrap, OVPN_OP_HARD_RESET_CLIENT_V2 << 3, caller, body, w.len,
                              false, pkt, sizeof pkt);
  CHECK(give(&p, here, pkt, len) == OVPN_OK && p.n > 0 && p.n < 2 * len);
  CHECK_INT(p.n, tls_auth ? 54 : 26);
  peer_end(&p);
}

static bool may_begin(Peer *p, const char *from, bool known)
{
  OvpnFrom bytes = {from, strlen(from), strcspn(from, ":")};
  return ovpn_welcome_may_begin(p->welcome, p->now, &bytes, known);
}

static void test_sessions_are_counted(void)
{
  Peer p;
  char from[64];
  unsigned begun = 0;
  peer_begin(&p, true, NULL);
  for (int i = 0; i < 50; i++)
    begun += may_begin(&p, i % 2 ? here : there, false);
  CHECK_INT(begun, 4);
  for (int i = 0; i < 50; i++) {
    snprintf(from, sizeof from, "203.0.113.%d:1194", i);
    begun += may_begin(&p, from, false);
  }
  CHECK_INT(begun, 16);
  CHECK(may_begin(&p, "198.51.100.7:1194", true));
  p.now += 10 * (uint64_t)SECOND;
  CHECK(may_begin(&p, here, false));
  peer_end(&p);
}

static void test_nobody_we_wait_for(void)
{
  Peer p;
  uint8_t junk[64] = {0};
  peer_begin(&p, true, NULL);
  CHECK(ovpn_is_drop(
      send_body(&p, here, OVPN_OP_HARD_RESET_SERVER_V2, &(OvpnPacketBody){.has_id = true})));
  CHECK(ovpn_is_drop(send_body(&p, here, OVPN_OP_HARD_RESET_CLIENT_V2,
                               &(OvpnPacketBody){.has_id = true, .id = 1})));
  for (size_t len = 0; len < sizeof junk; len++)
    for (unsigned first = 0; first < 256; first++) {
      junk[0] = (uint8_t)first;
      OvpnStatus st = give(&p, here, junk, len);
      CHECK(ovpn_is_drop(st) || first == OVPN_OP_HARD_RESET_CLIENT_V2 << 3);
    }
  peer_end(&p);
  peer_begin(&p, false, NULL); /* the role of the TLS client waits for the other hello */
  CHECK(ovpn_is_drop(hello(&p, here)));
  CHECK(send_body(&p, here, OVPN_OP_HARD_RESET_SERVER_V2, &(OvpnPacketBody){.has_id = true}) ==
        OVPN_OK);
  CHECK(p.n > 0 && ovpn_opcode(p.out[0]) == OVPN_OP_HARD_RESET_CLIENT_V2);
  peer_end(&p);
}

static void test_without_the_key(const char *tls_auth)
{
  Peer p, stranger;
  peer_begin(&p, true, tls_auth);
  peer_begin(&stranger, true, NULL);
  uint8_t body[64], pkt[256];
  OvpnWriter w = ovpn_writer(body, sizeof body);
  ovpn_packet_encode_body(&w, &(OvpnPacketBody){.has_id = true});
  size_t len = ovpn_wrap_seal(&stranger.wrap, OVPN_OP_HARD_RESET_CLIENT_V2 << 3, caller, body,
                              w.len, false, pkt, sizeof pkt);
  p.n = 0;
  CHECK(len > 0 && ovpn_is_drop(give(&p, here, pkt, len)) && p.n == 0);
  peer_end(&stranger);
  peer_end(&p);
}

int main(void)
{
  static char key[2048] = "-----BEGIN OpenVPN Static key V1-----\n";
  for (int i = 0; i < 16; i++)
    strcat(key, "000102030405060708090a0b0c0d0e0f\n");
  strcat(key, "-----END OpenVPN Static key V1-----\n");
  test_three_steps(NULL);
  test_three_steps(key);
  test_an_id_belongs_to_one_address();
  test_an_id_ages();
  test_answers_are_counted();
  test_answers_are_short(NULL);
  test_answers_are_short(key);
  test_sessions_are_counted();
  test_nobody_we_wait_for();
  test_without_the_key(key);
  TEST_END();
}
