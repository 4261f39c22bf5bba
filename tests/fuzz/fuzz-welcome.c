/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Strangers who call. The first byte: 1 our role is the TLS server, bits 1 and 2 the protection of
 * the control channel. Then steps of a command and a byte n. 0 raw packet (n bytes)   1 hello (n:
 * who, session id)   2 answer with an id that was given (n: who, which)   3 time (n x 250 ms) 4 a
 * packet made with our key (opcode byte, n bytes)   5 is a session due?
 *
 * Against a model: an id is good for the address and the session id it was given to, at least half
 * a minute and never more than one; answers are few and short; what is not authentic gets none. */
#include "helper/core/welcome.h"
#include "helper/core/packet.h"
#include "helper/core/wrap.h"
#include <assert.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECOND UINT64_C(1000000000)
enum { WALL = 1700000000, ADDRESS_LEN = 6, NETWORK_LEN = 3, GIVEN_MAX = 256, NETWORKS = 8 };

typedef struct Given {
  uint8_t address[ADDRESS_LEN], peer_sid[OVPN_SID_LEN], id[OVPN_SID_LEN];
  uint64_t at;
} Given;

typedef struct Run {
  OvpnConfig config;
  OvpnWelcome *welcome;
  OvpnWrap wrap; /* the callers' */
  uint64_t now, second, span;
  bool protected;
  Given given[GIVEN_MAX];
  unsigned n_given, answers[NETWORKS], sessions[NETWORKS], sessions_all;
} Run;

static void fixed_random(void *user, uint8_t *buf, size_t len)
{
  (void)user;
  memset(buf, 0x5a, len);
}

/* Eight networks of two addresses with two ports each. */
static void make_address(uint8_t who, uint8_t ret[ADDRESS_LEN])
{
  memcpy(ret, (uint8_t[]){192, 0, who & 7, who >> 3 & 1, 4, who >> 4 & 1}, ADDRESS_LEN);
}

static void make_sid(uint8_t which, uint8_t ret[OVPN_SID_LEN])
{
  memset(ret, 0x11 + (which >> 5), OVPN_SID_LEN);
}

static void set_up(Run *r, uint8_t settings)
{
  static char text[2048];
  OvpnFailure f = {0};
  OvpnWrapMode mode = (OvpnWrapMode)((settings >> 1 & 3) % 3);
  uint8_t key[OVPN_STATIC_KEY_LEN];
  if (!text[0]) {
    strcat(text, "-----BEGIN OpenVPN Static key V1-----\n");
    for (int i = 0; i < 16; i++)
      strcat(text, "000102030405060708090a0b0c0d0e0f\n");
    strcat(text, "-----END OpenVPN Static key V1-----\n");
  }
  *r = (Run){.now = 1000 * SECOND};
  ovpn_config_init(&r->config);
  r->config.tls_server = settings & 1;
  r->config.tls_auth_dir = OVPN_DIR_NONE;
  r->protected = mode != OVPN_WRAP_NONE;
  OvpnFileId id = mode == OVPN_WRAP_TLS_AUTH ? OVPN_FILE_TLS_AUTH : OVPN_FILE_TLS_CRYPT;
  if (r->protected)
    assert(ovpn_blob_set(&r->config.files[id].content, text, strlen(text)));
  assert(ovpn_static_key_parse(text, strlen(text), key, &f) == OVPN_OK);
  int direction = mode == OVPN_WRAP_TLS_AUTH ? OVPN_DIR_NONE
                  : settings & 1             ? OVPN_DIR_INVERSE
                                             : OVPN_DIR_NORMAL;
  assert(ovpn_wrap_init(&r->wrap, mode, key, direction, "SHA1", NULL, WALL) == OVPN_OK);
  assert(ovpn_welcome_new(&r->config, fixed_random, NULL, WALL, r->now, &r->welcome, &f) ==
         OVPN_OK);
}

static void tear_down(Run *r)
{
  ovpn_welcome_free(r->welcome);
  ovpn_wrap_clear(&r->wrap);
  ovpn_config_clear(&r->config);
}

static void note_answer(Run *r, const uint8_t *address, const uint8_t *pkt, const uint8_t *out,
                        size_t n)
{
  uint8_t buf[OVPN_PACKET_MAX];
  const uint8_t *sid, *body;
  size_t len;
  OvpnPacketBody b;
  Given *g = &r->given[r->n_given++ % GIVEN_MAX];
  assert(ovpn_wrap_open(&r->wrap, out, n, buf, sizeof buf, &sid, &body, &len) == OVPN_OK);
  assert(ovpn_packet_decode_body(ovpn_opcode(out[0]), body, len, &b) == OVPN_OK);
  assert(b.n_acks == 1 && b.acks[0] == 0 && b.has_id && b.id == 0 && b.payload_len == 0);
  assert(memcmp(b.remote_sid, pkt + 1, OVPN_SID_LEN) == 0);
  memcpy(g->address, address, ADDRESS_LEN);
  memcpy(g->peer_sid, pkt + 1, OVPN_SID_LEN);
  memcpy(g->id, sid, OVPN_SID_LEN);
  g->at = r->now;
  if (r->now / SECOND != r->second)
    memset(r->answers, 0, sizeof r->answers);
  r->second = r->now / SECOND;
  assert(++r->answers[address[2] & 7] <= 10);
}

static bool was_given(const Run *r, const uint8_t *address, const OvpnAccepted *a)
{
  bool found = r->n_given > GIVEN_MAX; /* not all are remembered */
  for (unsigned i = 0; i < r->n_given && i < GIVEN_MAX; i++) {
    const Given *g = &r->given[i];
    found |= memcmp(g->address, address, ADDRESS_LEN) == 0 &&
             memcmp(g->peer_sid, a->peer_sid, OVPN_SID_LEN) == 0 &&
             memcmp(g->id, a->sid, OVPN_SID_LEN) == 0 &&
             r->now - g->at < 2 * OVPN_WELCOME_SECONDS * SECOND;
  }
  return found;
}

static OvpnStatus give(Run *r, uint8_t who, const uint8_t *pkt, size_t len, size_t *ret_n)
{
  uint8_t address[ADDRESS_LEN], out[OVPN_PACKET_MAX];
  OvpnAccepted accepted;
  make_address(who, address);
  OvpnFrom from = {address, ADDRESS_LEN, NETWORK_LEN};
  OvpnStatus st =
      ovpn_welcome_input(r->welcome, r->now, &from, pkt, len, out, sizeof out, ret_n, &accepted);
  assert(st == OVPN_OK || ovpn_is_drop(st));
  if (st == OVPN_OK && *ret_n > 0) {
    assert(*ret_n < 2 * len);
    note_answer(r, address, pkt, out, *ret_n);
  } else if (st == OVPN_OK) {
    assert(was_given(r, address, &accepted));
  }
  return st;
}

static OvpnStatus give_sealed(Run *r, uint8_t who, uint8_t first, const uint8_t *sid,
                              const uint8_t *body, size_t len, size_t *ret_n)
{
  uint8_t pkt[OVPN_PACKET_MAX];
  size_t n = ovpn_wrap_seal(&r->wrap, first, sid, body, len, false, pkt, sizeof pkt);
  return n ? give(r, who, pkt, n, ret_n) : OVPN_DROP_TRUNCATED;
}

static void say(Run *r, uint8_t who, uint8_t op, const uint8_t *sid, const OvpnPacketBody *b,
                OvpnStatus *ret)
{
  uint8_t body[128];
  size_t n;
  OvpnWriter w = ovpn_writer(body, sizeof body);
  ovpn_packet_encode_body(&w, b);
  *ret = give_sealed(r, who, (uint8_t)(op << 3), sid, body, w.len, &n);
}

static void answer(Run *r, uint8_t who, uint8_t which)
{
  uint8_t address[ADDRESS_LEN];
  OvpnPacketBody b = {.n_acks = 1};
  OvpnStatus st;
  if (r->n_given == 0)
    return;
  const Given *g = &r->given[which % (r->n_given < GIVEN_MAX ? r->n_given : GIVEN_MAX)];
  memcpy(b.remote_sid, g->id, OVPN_SID_LEN);
  say(r, who, OVPN_OP_ACK_V1, g->peer_sid, &b, &st);
  make_address(who, address);
  bool same = memcmp(address, g->address, ADDRESS_LEN) == 0;
  if (same && r->now - g->at < OVPN_WELCOME_SECONDS * SECOND)
    assert(st == OVPN_OK);
}

static void begin(Run *r, uint8_t who)
{
  uint8_t address[ADDRESS_LEN];
  make_address(who, address);
  OvpnFrom from = {address, ADDRESS_LEN, NETWORK_LEN};
  if (r->now / (10 * SECOND) != r->span) {
    memset(r->sessions, 0, sizeof r->sessions);
    r->sessions_all = 0;
  }
  r->span = r->now / (10 * SECOND);
  if (ovpn_welcome_may_begin(r->welcome, r->now, &from, who & 128))
    assert(++r->sessions[who & 7] <= 4 && (r->sessions_all += !(who & 128)) <= 16);
}

static void step(Run *r, OvpnReader *in)
{
  uint8_t command = ovpn_read_u8(in) % 6, n = ovpn_read_u8(in), who = 0, first, sid[OVPN_SID_LEN];
  uint8_t *copy = NULL;
  size_t len = n < ovpn_reader_left(in) ? n : ovpn_reader_left(in), out_len;
  OvpnStatus st;
  switch (command) {
  case 0:
    copy = malloc(len + 1);
    assert(copy);
    ovpn_read_copy(in, copy, len);
    st = give(r, who, copy, len, &out_len);
    assert(!r->protected || ovpn_is_drop(st));
    free(copy);
    break;
  case 1:
    make_sid(n, sid);
    say(r, n & 31,
        r->config.tls_server ? OVPN_OP_HARD_RESET_CLIENT_V2 : OVPN_OP_HARD_RESET_SERVER_V2, sid,
        &(OvpnPacketBody){.has_id = true}, &st);
    break;
  case 2:
    answer(r, n & 31, n >> 5 | (ovpn_read_u8(in) & 31) << 3);
    break;
  case 3:
    r->now += n * (SECOND / 4);
    break;
  case 4:
    first = ovpn_read_u8(in);
    len = n < ovpn_reader_left(in) ? n : ovpn_reader_left(in);
    copy = malloc(len + 1);
    assert(copy);
    ovpn_read_copy(in, copy, len);
    make_sid(n, sid);
    (void)give_sealed(r, n & 31, first, sid, copy, len, &out_len);
    free(copy);
    break;
  case 5:
    begin(r, n);
    break;
  }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static Run r;
  if (size < 1)
    return 0;
  set_up(&r, data[0]);
  OvpnReader in = ovpn_reader(data + 1, size - 1);
  for (unsigned i = 0; i < 1000 && ovpn_reader_left(&in) >= 2; i++)
    step(&r, &in);
  tear_down(&r);
  return 0;
}
