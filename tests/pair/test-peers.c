/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Two equal peers, both of them ours: the role of the TLS server against that of the TLS client,
 * over a wire that drops, duplicates, reorders and corrupts, with a fake clock and seeded noise.
 *
 * The server's side answers callers as the engine does: without memory of them, then with a session
 * beside the present one, which takes its place when the caller has shown who he is.
 *
 *   test-peers            all cases, 100,000 packets in the long one
 *   test-peers PACKETS    another length */
#include "helper/core/session.h"
#include "helper/core/welcome.h"
#include "helper/core/wrap.h"
#include "tests/pair/pki.h"
#include "tests/pair/wire.h"
#include "tests/unit/check.h"
#include <assert.h>
#include <gnutls/gnutls.h>

#define SECOND UINT64_C(1000000000)
enum { WALL = 1700000000, SERVER = 0, CLIENT = 1, TEXT_LEN = 100, KEPT_MAX = 64 };

typedef struct Case {
  const char *name;
  OvpnWrapMode wrap;
  bool both_call; /* else the server waits for a call */
  unsigned reneg[2];
  Noise noise;
  const char *option[2]; /* one more line on both sides */
} Case;

typedef struct Side {
  OvpnConfig config;
  OvpnOptionList profile;
  OvpnCredentials credentials;
  OvpnTlsContext *tls;
  OvpnSession *session, *next; /* next: of a caller */
  OvpnWelcome *welcome;
  OvpnDataKey *keys[8];
  int send_key;
  unsigned address, peer; /* of UDP; peer 0 = nobody yet */
  unsigned next_from, generated, ups, taken_over;
  bool up, closed;
  OvpnFailure failure;
  uint64_t opened, lost_key;
} Side;

typedef struct Pair {
  Case c;
  uint64_t now, sent;
  Side side[2];
  Wire to[2];
  bool attacker; /* packets are kept */
  Packet kept[KEPT_MAX];
  unsigned n_kept;
} Pair;

static TestPki pki;
static char static_key_text[1024];
static uint8_t static_key[OVPN_STATIC_KEY_LEN];

static void make_static_key(void)
{
  random_bytes(NULL, static_key, sizeof static_key);
  char *o = static_key_text;
  o += sprintf(o, "-----BEGIN OpenVPN Static key V1-----\n");
  for (int i = 0; i < 256; i++)
    o += sprintf(o, "%02x%s", static_key[i], i % 16 == 15 ? "\n" : "");
  sprintf(o, "-----END OpenVPN Static key V1-----\n");
}

/* ---- set-up ---- */

static void option(Side *s, const char *a, const char *b, const char *c)
{
  OvpnOption *o = ovpn_option_list_add_text(&s->profile, a, b, c, NULL);
  assert(o);
  o->is_inline = b && strcmp(b, "[inline]") == 0;
}

static void file(Side *s, OvpnFileId id, const void *data, size_t len)
{
  OvpnFile *f = &s->config.files[id];
  if (!f->name)
    f->name = strdup("[inline]");
  assert(ovpn_blob_set(&f->content, data, len));
}

static void begin_session(Pair *p, Side *s, const OvpnAccepted *accepted, OvpnSession **ret)
{
  OvpnFailure f = {0};
  OvpnSessionParams params = {.config = &s->config,
                              .profile = &s->profile,
                              .tls = s->tls,
                              .credentials = &s->credentials,
                              .proto = OVPN_PROTO_UDP,
                              .waits = s->welcome && !accepted && !p->c.both_call,
                              .accepted = accepted,
                              .random = random_bytes,
                              .wall_time = (uint32_t)(WALL + p->now / SECOND),
                              .now = p->now};
  OvpnStatus r = ovpn_session_new(&params, ret, &f);
  if (r != OVPN_OK)
    fprintf(stderr, "session: %s %s\n", ovpn_status_name(r), f.text);
  assert(r == OVPN_OK);
}

static void set_options(Pair *p, Side *s, bool server)
{
  const Case *c = &p->c;
  char number[16];
  option(s, server ? "tls-server" : "tls-client", NULL, NULL);
  if (!server || c->both_call)
    option(s, "remote", "192.0.2.1", "1194");
  option(s, "ifconfig", server ? "10.8.0.1" : "10.8.0.2", server ? "10.8.0.2" : "10.8.0.1");
  option(s, "ca", "[inline]", NULL);
  option(s, "cert", "[inline]", NULL);
  option(s, "key", "[inline]", NULL);
  option(s, "auth", "SHA256", NULL);
  option(s, "remote-cert-tls", server ? "client" : "server", NULL);
  option(s, "ping", "5", NULL);
  option(s, "ping-restart", "30", NULL);
  snprintf(number, sizeof number, "%u", c->reneg[server ? SERVER : CLIENT]);
  option(s, "reneg-sec", number, NULL);
  if (c->wrap == OVPN_WRAP_TLS_AUTH)
    option(s, "tls-auth", "[inline]", server ? "0" : "1");
  if (c->wrap == OVPN_WRAP_TLS_CRYPT)
    option(s, "tls-crypt", "[inline]", NULL);
  if (c->option[0])
    option(s, c->option[0], c->option[1], NULL);
}

static void set_up_side(Pair *p, Side *s, bool server)
{
  OvpnFailure f = {0};
  s->send_key = -1;
  s->address = server ? 1 : 2;
  s->peer = !server ? 1 : p->c.both_call ? 2 : 0;
  set_options(p, s, server);
  ovpn_config_init(&s->config);
  OvpnStatus r = ovpn_config_apply(&s->config, &s->profile, &f);
  if (r != OVPN_OK)
    fprintf(stderr, "config: %s\n", f.text);
  assert(r == OVPN_OK && ovpn_config_is_p2p(&s->config) && s->config.tls_server == server);
  const OvpnBlob *cert = server ? &pki.server_cert : &pki.client_cert;
  const OvpnBlob *key = server ? &pki.server_key : &pki.client_key;
  file(s, OVPN_FILE_CA, pki.ca.data, pki.ca.len);
  file(s, OVPN_FILE_CERT, cert->data, cert->len);
  file(s, OVPN_FILE_KEY, key->data, key->len);
  if (p->c.wrap == OVPN_WRAP_TLS_AUTH)
    file(s, OVPN_FILE_TLS_AUTH, static_key_text, strlen(static_key_text));
  if (p->c.wrap == OVPN_WRAP_TLS_CRYPT)
    file(s, OVPN_FILE_TLS_CRYPT, static_key_text, strlen(static_key_text));
  assert(ovpn_tls_context_new(&s->config, NULL, server, &s->tls, &f) == OVPN_OK);
  if (server)
    assert(ovpn_welcome_new(&s->config, random_bytes, NULL, WALL, p->now, &s->welcome, &f) ==
           OVPN_OK);
  begin_session(p, s, NULL, &s->session);
}

static void set_up(Pair *p, const Case *c)
{
  memset(p, 0, sizeof *p);
  p->now = SECOND;
  p->c = *c;
  set_up_side(p, &p->side[SERVER], true);
  set_up_side(p, &p->side[CLIENT], false);
}

static void forget_keys(Side *s)
{
  for (unsigned i = 0; i < 8; i++) {
    ovpn_data_key_free(s->keys[i]);
    s->keys[i] = NULL;
  }
  s->send_key = -1;
  s->up = false;
}

static void tear_down(Pair *p)
{
  for (unsigned i = 0; i < 2; i++) {
    Side *s = &p->side[i];
    ovpn_session_free(s->session);
    ovpn_session_free(s->next);
    ovpn_welcome_free(s->welcome);
    forget_keys(s);
    ovpn_tls_context_free(s->tls);
    ovpn_credentials_clear(&s->credentials);
    ovpn_config_clear(&s->config);
    ovpn_option_list_clear(&s->profile);
  }
}

/* ---- an engine in small ---- */

static void make_key(Side *s, const OvpnEvent *e)
{
  OvpnFailure f = {0};
  ovpn_data_key_free(s->keys[e->key_id]);
  s->keys[e->key_id] = NULL;
  assert(ovpn_data_key_new(ovpn_data_cipher(e->cipher), "SHA256", e->key_block,
                           !s->config.tls_server, e->key_id, e->peer_id,
                           &(OvpnDataForm){.window = 1024}, random_bytes, NULL, &s->keys[e->key_id],
                           &f) == OVPN_OK);
  s->generated++;
}

static void on_event(Side *s, const OvpnEvent *e)
{
  switch (e->type) {
  case OVPN_EVENT_STATE:
    s->up = e->state == OVPN_SESSION_UP || e->state == OVPN_SESSION_REKEYING;
    break;
  case OVPN_EVENT_PUSHED:
    s->ups++;
    break;
  case OVPN_EVENT_KEYS:
    make_key(s, e);
    break;
  case OVPN_EVENT_USE_KEY:
    s->send_key = e->key_id;
    break;
  case OVPN_EVENT_RETIRE_KEY:
    ovpn_data_key_free(s->keys[e->key_id]);
    s->keys[e->key_id] = NULL;
    break;
  case OVPN_EVENT_FAILED:
    s->failure = e->failure;
    s->up = false;
    break;
  case OVPN_EVENT_CLOSED:
    s->closed = true;
    break;
  case OVPN_EVENT_NEED:
  case OVPN_EVENT_SEND_PING:
  case OVPN_EVENT_SEND_OCC_REQUEST:
  case OVPN_EVENT_SEND_OCC_EXIT:
  case OVPN_EVENT_LOG:
    break;
  }
}

static Wire *wire_from(Pair *p, const Side *s)
{
  return &p->to[s == &p->side[SERVER] ? CLIENT : SERVER];
}

static void send_from(Pair *p, const Side *s, unsigned to, const uint8_t *pkt, size_t n)
{
  Side *other = &p->side[s == &p->side[SERVER] ? CLIENT : SERVER];
  if (p->attacker && s == &p->side[CLIENT] && p->n_kept < KEPT_MAX) {
    Packet *k = &p->kept[p->n_kept++];
    k->len = n;
    memcpy(k->data, pkt, n);
  }
  if (to == other->address) /* an address that the peer has left leads nowhere */
    wire_put(wire_from(p, s), &p->c.noise, p->now, s->address, pkt, n);
}

static void drain(Pair *p, Side *s)
{
  uint8_t buf[OVPN_PACKET_MAX];
  OvpnEvent e;
  size_t n;
  for (unsigned i = 0;
       i < 100 && (n = ovpn_session_output(s->session, p->now, buf, sizeof buf)) > 0; i++)
    send_from(p, s, s->peer, buf, n);
  while (ovpn_session_pop_event(s->session, &e)) {
    on_event(s, &e);
    ovpn_event_clear(&e);
  }
}

/* The caller's session: its packets, and whether it is the one from now on. */
static void pump_next(Pair *p, Side *s)
{
  uint8_t buf[OVPN_PACKET_MAX];
  size_t n;
  while ((n = ovpn_session_output(s->next, p->now, buf, sizeof buf)) > 0)
    send_from(p, s, s->next_from, buf, n);
  if (ovpn_session_is_authentic(s->next)) {
    ovpn_session_free(s->session);
    s->session = s->next;
    s->next = NULL;
    s->peer = s->next_from;
    s->taken_over++;
    forget_keys(s);
    drain(p, s);
  } else if (ovpn_session_state(s->next) == OVPN_SESSION_DEAD) {
    ovpn_session_free(s->next);
    s->next = NULL;
  }
}

static void called(Pair *p, Side *s, const Packet *m)
{
  OvpnFrom from = {&m->from, sizeof m->from, sizeof m->from};
  OvpnAccepted accepted;
  uint8_t out[OVPN_PACKET_MAX];
  size_t n = 0;
  if (s->next && m->from == s->next_from &&
      ovpn_session_input(s->next, p->now, m->data, m->len) != OVPN_DROP_SESSION_ID) {
    pump_next(p, s);
    return;
  }
  if (ovpn_welcome_input(s->welcome, p->now, &from, m->data, m->len, out, sizeof out, &n,
                         &accepted) != OVPN_OK)
    return;
  if (n > 0) {
    send_from(p, s, m->from, out, n);
  } else if (!ovpn_session_is_with(s->session, &accepted) &&
             ovpn_welcome_may_begin(s->welcome, p->now, &from, false)) {
    ovpn_session_free(s->next);
    begin_session(p, s, &accepted, &s->next);
    s->next_from = m->from;
    (void)ovpn_session_input(s->next, p->now, m->data, m->len);
    pump_next(p, s);
  }
}

static void take_data(Pair *p, Side *s, Packet *m)
{
  uint8_t *payload, key_id = ovpn_key_id(m->data[0]);
  size_t len;
  OvpnDataKey *k = s->keys[key_id];
  if (!k) {
    s->lost_key++;
    return;
  }
  OvpnStatus r = ovpn_data_open(k, m->data, m->len, &payload, &len);
  CHECK(r == OVPN_OK || ovpn_is_drop(r));
  if (r != OVPN_OK)
    return;
  s->opened++;
  CHECK_INT(len, TEXT_LEN);
  CHECK(payload[0] == 0 && payload[99] == (uint8_t)(99 * 7));
  ovpn_session_note_data(s->session, p->now, true, false, 0, 0);
  if (key_id != s->send_key)
    ovpn_session_note_peer_key(s->session, p->now, key_id);
}

static void take(Pair *p, Side *s, Packet *m)
{
  if (ovpn_op_is_data(ovpn_opcode(m->data[0]))) {
    if (m->from == s->peer)
      take_data(p, s, m);
  } else {
    OvpnStatus r = m->from == s->peer ? ovpn_session_input(s->session, p->now, m->data, m->len)
                                      : OVPN_DROP_STATE;
    if (r != OVPN_OK && s->welcome)
      called(p, s, m);
  }
  drain(p, s);
}

static void send_data(Pair *p, Side *s)
{
  uint8_t buf[OVPN_DATA_HEADROOM + TEXT_LEN + OVPN_DATA_TAILROOM], *pkt;
  size_t len;
  OvpnDataKey *k = s->send_key >= 0 ? s->keys[s->send_key] : NULL;
  for (size_t i = 0; i < TEXT_LEN; i++)
    buf[OVPN_DATA_HEADROOM + i] = (uint8_t)(i * 7);
  if (!s->up || !k || ovpn_data_seal(k, buf, OVPN_DATA_HEADROOM, TEXT_LEN, &pkt, &len) != OVPN_OK)
    return;
  p->sent++;
  send_from(p, s, s->peer, pkt, len);
  ovpn_session_note_data(s->session, p->now, false, true, TEXT_LEN, ovpn_data_key_sent(k));
}

static uint64_t next_event(const Pair *p)
{
  uint64_t t = UINT64_MAX, u;
  for (unsigned i = 0; i < 2; i++) {
    const Side *s = &p->side[i];
    t = (u = wire_next(&p->to[i])) < t ? u : t;
    t = (u = ovpn_session_deadline(s->session)) < t ? u : t;
    if (s->next)
      t = (u = ovpn_session_deadline(s->next)) < t ? u : t;
  }
  return t;
}

static void tick(Pair *p)
{
  for (unsigned i = 0; i < 2; i++) {
    Side *s = &p->side[i];
    ovpn_session_tick(s->session, p->now);
    drain(p, s);
    if (s->next) {
      ovpn_session_tick(s->next, p->now);
      pump_next(p, s);
    }
  }
}

/* Runs until `stop` says so or the fake time is over; traffic: data packets each
 * way per 100 ms. */
static void run_ns(Pair *p, uint64_t ns, unsigned traffic, bool (*stop)(const Pair *))
{
  uint64_t end = p->now + ns, next_data = p->now;
  tick(p);
  while (p->now < end && !(stop && stop(p))) {
    uint64_t t = next_event(p);
    t = traffic && next_data < t ? next_data : t;
    t = t < end ? t : end;
    p->now = t > p->now ? t : p->now;
    if (traffic && p->now >= next_data) {
      next_data = p->now + SECOND / 10;
      for (unsigned i = 0; i < 2 * traffic; i++)
        send_data(p, &p->side[i % 2]);
    }
    for (unsigned i = 0; i < 2; i++)
      for (Packet *m; (m = wire_get(&p->to[i], p->now));)
        take(p, &p->side[i], m);
    tick(p);
  }
}

static void run(Pair *p, uint64_t seconds, unsigned traffic, bool (*stop)(const Pair *))
{
  run_ns(p, seconds * SECOND, traffic, stop);
}

static bool both_up(const Pair *p)
{
  return p->side[0].up && p->side[1].up && p->side[0].send_key >= 0 && p->side[1].send_key >= 0;
}

static uint64_t packets(const Pair *p)
{
  return p->to[0].packets + p->to[1].packets;
}

/* ---- cases ---- */

#define NOISE                                                                                      \
  {                                                                                                \
    100, 100, 200, 50                                                                              \
  }

static const Case cases[] = {
    {"plain, waits, the server renegotiates", OVPN_WRAP_NONE, false, {20, 0}, {0}, {0}},
    {"tls-auth, waits, the client renegotiates", OVPN_WRAP_TLS_AUTH, false, {0, 20}, {0}, {0}},
    {"tls-crypt, waits, both renegotiate", OVPN_WRAP_TLS_CRYPT, false, {20, 20}, {0}, {0}},
    {"plain, both call, both renegotiate", OVPN_WRAP_NONE, true, {20, 20}, {0}, {0}},
    {"tls-auth, both call", OVPN_WRAP_TLS_AUTH, true, {20, 0}, {0}, {0}},
    {"tls-crypt, both call", OVPN_WRAP_TLS_CRYPT, true, {0, 20}, {0}, {0}},
    {"TLS 1.2", OVPN_WRAP_TLS_AUTH, false, {20, 0}, {0}, {"tls-version-max", "1.2"}},
    {"ChaCha20", OVPN_WRAP_NONE, false, {20, 0}, {0}, {"data-ciphers", "CHACHA20-POLY1305"}},
    /* damage would reach TLS, which ends */
    {"plain, noise", OVPN_WRAP_NONE, false, {20, 0}, {100, 100, 200, 0}, {0}},
    {"tls-auth, noise", OVPN_WRAP_TLS_AUTH, false, {0, 20}, NOISE, {0}},
    {"tls-crypt, noise", OVPN_WRAP_TLS_CRYPT, false, {20, 20}, NOISE, {0}},
    {"tls-crypt, both call, noise", OVPN_WRAP_TLS_CRYPT, true, {20, 20}, NOISE, {0}},
};

static void show(const Pair *p)
{
  for (unsigned i = 0; i < 2; i++) {
    const Side *s = &p->side[i];
    fprintf(stderr, "  in case “%s”, %s: %s, %s %s, %u keys\n", p->c.name, i ? "client" : "server",
            ovpn_session_state_name(ovpn_session_state(s->session)),
            ovpn_status_name(s->failure.status), s->failure.text, s->generated);
  }
}

/* Up, traffic, new keys from whichever side, the polite end. */
static void test_case(const Case *c, unsigned leaves)
{
  static Pair p;
  int before = check_failed_;
  bool quiet = c->noise.drop == 0;
  set_up(&p, c);
  run(&p, 60, 0, both_up);
  CHECK(both_up(&p));
  run(&p, 70, 2, NULL);
  run(&p, 1, 0, NULL); /* what is still on the wire */
  for (unsigned i = 0; i < 2; i++) {
    const Side *s = &p.side[i];
    CHECK_INT(s->failure.status, OVPN_OK);
    CHECK(s->generated >= 3);
    CHECK_INT(s->ups, 1);
    CHECK_INT(s->lost_key, 0); /* not one packet is lost over a renegotiation */
  }
  if (quiet) /* a call is answered when the sender of the other side's first packet is not known */
    CHECK_INT(p.side[SERVER].taken_over, c->both_call ? 0 : 1);
  CHECK_INT(p.side[0].generated, p.side[1].generated);
  if (quiet)
    CHECK_INT(p.side[0].opened + p.side[1].opened, p.sent);
  else
    CHECK((p.side[0].opened + p.side[1].opened) > p.sent * 75 / 100);
  ovpn_session_close(p.side[leaves].session, p.now);
  run(&p, 5, 0, NULL);
  CHECK(p.side[leaves].closed);
  if (quiet)
    CHECK_INT(p.side[1 - leaves].failure.status, OVPN_FAIL_SERVER_EXIT);
  if (check_failed_ != before)
    show(&p);
  tear_down(&p);
}

/* The client is gone without a word, and calls again from elsewhere. */
static void restart_client(Pair *p)
{
  Side *s = &p->side[CLIENT];
  ovpn_session_free(s->session);
  s->session = NULL;
  forget_keys(s);
  s->failure = (OvpnFailure){0};
  s->ups = 0;
  s->address++;
  begin_session(p, s, NULL, &s->session);
}

static bool client_up(const Pair *p)
{
  return p->side[CLIENT].up && both_up(p);
}

static void test_client_starts_anew(const Case *c)
{
  static Pair p;
  int before = check_failed_;
  set_up(&p, c);
  run(&p, 60, 0, both_up);
  for (unsigned i = 0; i < 5; i++) {
    run(&p, 3, 2, NULL);
    restart_client(&p);
    uint64_t begin = p.now;
    run(&p, 60, 0, client_up);
    CHECK(both_up(&p));
    if (c->noise.drop == 0)
      CHECK(p.now - begin < SECOND / 5);
    uint64_t opened[2] = {p.side[0].opened, p.side[1].opened};
    run(&p, 3, 2, NULL);
    CHECK(p.side[0].opened > opened[0] + 20 && p.side[1].opened > opened[1] + 20);
    if (p.side[0].failure.status || p.side[1].failure.status)
      break;
  }
  CHECK(p.side[SERVER].taken_over >= 5);
  if (check_failed_ != before)
    show(&p);
  tear_down(&p);
}

/* Somebody who knows the key of tls-auth or tls-crypt, or has recorded packets, but has no
 * certificate. What he sends under the peer's address neither ends the session nor keeps the peer
 * from being heard. */
static void give_forgeries(Pair *p)
{
  Side *server = &p->side[SERVER];
  OvpnWrap wrap;
  uint8_t body[64], pkt[OVPN_PACKET_MAX], sid[OVPN_SID_LEN];
  assert(ovpn_wrap_init(&wrap, p->c.wrap, static_key, OVPN_DIR_INVERSE, "SHA256", NULL,
                        WALL + 100000000) == OVPN_OK);
  static const uint8_t ops[] = {OVPN_OP_HARD_RESET_CLIENT_V2, OVPN_OP_SOFT_RESET_V1,
                                OVPN_OP_CONTROL_V1, OVPN_OP_ACK_V1};
  for (unsigned i = 0; i < 64; i++) {
    OvpnPacketBody b = {.n_acks = i & 4 ? 1 : 0, .has_id = ops[i % 4] != OVPN_OP_ACK_V1};
    OvpnWriter w = ovpn_writer(body, sizeof body);
    ovpn_packet_encode_body(&w, &b);
    random_bytes(NULL, sid, sizeof sid);
    Packet m = {.from = p->side[CLIENT].address};
    m.len = ovpn_wrap_seal(&wrap, (uint8_t)(ops[i % 4] << 3 | (i >> 3 & 1)), sid, body, w.len,
                           false, pkt, sizeof pkt);
    memcpy(m.data, pkt, m.len);
    take(p, server, &m);
  }
  ovpn_wrap_clear(&wrap);
  for (unsigned i = 0; i < p->n_kept; i++) {
    Packet m = p->kept[i];
    m.from = p->side[CLIENT].address;
    take(p, server, &m);
    m = p->kept[i];
    m.from = 77; /* his own address */
    take(p, server, &m);
  }
}

static void test_forgeries(const Case *c)
{
  static Pair p;
  int before = check_failed_;
  set_up(&p, c);
  p.attacker = true;
  for (unsigned i = 0; i < 100 && !both_up(&p); i++) {
    run_ns(&p, SECOND / 100, 0, NULL);
    give_forgeries(&p);
  }
  CHECK(both_up(&p) && p.now < 5 * SECOND);
  run(&p, 5, 1, NULL);
  run(&p, 1, 0, NULL);
  unsigned taken_over = p.side[SERVER].taken_over, keys = p.side[SERVER].generated;
  uint64_t opened = p.side[SERVER].opened;
  give_forgeries(&p);
  CHECK_INT(p.side[SERVER].opened, opened);
  CHECK_INT(p.side[SERVER].generated, keys);
  run(&p, 60, 1, NULL); /* with renegotiations, which need the control channel */
  give_forgeries(&p);
  run(&p, 30, 1, NULL);
  run(&p, 1, 0, NULL);
  CHECK_INT(p.side[SERVER].taken_over, taken_over);
  CHECK(p.side[SERVER].generated >= keys + 3);
  CHECK_INT(p.side[0].failure.status, OVPN_OK);
  CHECK_INT(p.side[1].failure.status, OVPN_OK);
  CHECK_INT(p.side[0].opened + p.side[1].opened, p.sent);
  if (check_failed_ != before)
    show(&p);
  tear_down(&p);
}

static void test_long(uint64_t wanted)
{
  static Pair p;
  Case c = {"long", OVPN_WRAP_TLS_AUTH, false, {97, 61}, {20, 20, 50, 20}, {0}};
  unsigned starts = 0;
  set_up(&p, &c);
  while (packets(&p) < wanted) {
    run(&p, 400, 8, NULL);
    CHECK_INT(p.side[SERVER].failure.status, OVPN_OK);
    CHECK_INT(p.side[CLIENT].failure.status, OVPN_OK);
    if (p.side[0].failure.status || p.side[1].failure.status)
      break;
    if (packets(&p) < wanted) {
      restart_client(&p);
      starts++;
      run(&p, 60, 0, client_up);
    }
  }
  CHECK(p.side[SERVER].taken_over >= starts + 1);
  CHECK(p.side[SERVER].generated > 10);
  CHECK(p.side[0].opened + p.side[1].opened > p.sent * 85 / 100);
  printf("peers: %llu packets, %u starts, %u keys, %llu of %llu data packets opened\n",
         (unsigned long long)packets(&p), starts + 1, p.side[SERVER].generated,
         (unsigned long long)(p.side[0].opened + p.side[1].opened), (unsigned long long)p.sent);
  tear_down(&p);
}

int main(int argc, char **argv)
{
  gnutls_global_init();
  pki_make(&pki, WALL);
  make_static_key();
  for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++)
    test_case(&cases[i], i % 2);
  for (unsigned i = 0; i < 3; i++)
    test_client_starts_anew(&cases[i]);
  for (unsigned i = 8; i < 11; i++)
    test_client_starts_anew(&cases[i]);
  for (unsigned i = 0; i < 3; i++)
    test_forgeries(&cases[i]);
  test_long(argc > 1 ? strtoull(argv[1], NULL, 10) : 100000);
  pki_clear(&pki);
  gnutls_global_deinit();
  TEST_END();
}
