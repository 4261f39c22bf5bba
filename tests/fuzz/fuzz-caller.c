/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Callers and packets from elsewhere, as the engine takes them: caller.c with the session and the
 * welcome that it really has, TLS that everybody can speak, and the rest of the engine replaced.
 *
 * The first byte: 1 tls-auth, 2 float, 4 there is a peer already. Then steps of a command and a
 * byte n whose low three bits say who of eight; he has an address and a session of his own.
 * 0 hello   1 acknowledgement of our first packet   2 TLS flight 1   3 TLS flight 3
 * 4 a bad certificate   5 raw packet (length byte)   6 data packet (n & 8: authentic)
 * 7 time (n x 100 ms)   8 his session anew   9 another's address in front of his packets
 *
 * Nobody takes over who has not shown a good certificate; the present session stays as it is until
 * then; sessions for callers are few; packets move to nobody whose packet is not authentic. */
#include "helper/core/wrap.h"
#include "helper/core/address.h"
#include "helper/engine/engine.h"
#include "tests/fuzz/tls-fake.h"
#include <assert.h>
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#define SECOND UINT64_C(1000000000)
enum { CALLERS = 8, STEPS_MAX = 300 };

typedef struct Someone {
  OvpnWrap wrap;
  uint8_t sid[OVPN_SID_LEN], ours[OVPN_SID_LEN];
  struct sockaddr_storage address;
  uint32_t next_id;
  bool answered;     /* `ours` is known */
  bool bad, shown;   /* his certificate */
  unsigned disguise; /* whose address he writes */
} Someone;

static Engine e;
static Someone all[CALLERS];
static OvpnTlsContext *tls;
static uint32_t seed;
static bool data_good, protected;
static unsigned speaker, made, replaced, told;
static char key_text[2048];

/* ---- the rest of the engine ---- */

void engine_random(void *user, uint8_t *buf, size_t len)
{
  (void)user;
  for (size_t i = 0; i < len; i++)
    buf[i] = (uint8_t)((seed = seed * 1664525 + 1013904223) >> 24);
}

void control_send_peer(Engine *engine, const struct sockaddr_storage *peer)
{
  assert(engine == &e && peer->ss_family == AF_INET);
  assert(++told <= 1 + (e.now - 1000 * SECOND) / SECOND);
}

void control_send_caller_refused(Engine *engine, const struct sockaddr_storage *from,
                                 const OvpnFailure *f)
{
  assert(engine == &e && from->ss_family == AF_INET && ovpn_is_fail(f->status));
}

void revive_end(Engine *engine)
{
  assert(engine == &e);
}

void drive_catch_up(Engine *engine)
{
  assert(engine == &e);
}

OvpnStatus drive_new_session(Engine *engine, const Link *l, const OvpnAccepted *accepted,
                             OvpnSession **ret, OvpnFailure *f)
{
  assert(accepted || l == &engine->link);
  made += accepted != NULL;
  OvpnSessionParams p = {.config = &e.config,
                         .profile = &e.options,
                         .tls = tls,
                         .credentials = &e.credentials,
                         .waits = !accepted,
                         .accepted = accepted,
                         .random = engine_random,
                         .wall_time = 1700000000,
                         .now = e.now};
  return ovpn_session_new(&p, ret, f);
}

void drive_replace(Engine *engine, OvpnSession *next)
{
  assert(all[speaker].shown && ovpn_session_is_authentic(next));
  replaced++;
  ovpn_session_free(engine->session);
  engine->session = next;
}

bool drive_control(Engine *engine, const uint8_t *p, size_t len,
                   const struct sockaddr_storage *from, bool session)
{
  OvpnStatus st = session ? ovpn_session_input(engine->session, e.now, p, len) : OVPN_DROP_STATE;
  if (st != OVPN_OK)
    (void)caller_input(engine, from, p, len);
  return st == OVPN_OK;
}

unsigned datapath_receive(Datapath *dp, Tun *tun, Batch *rx)
{
  assert(tun == &e.tun && rx->n == 1 && rx->first == 0);
  dp->notes.received = data_good;
  return 0;
}

/* He reads our first packet, wherever it was sent, if it was sent to him. */
void link_send_to(Link *l, const struct sockaddr_storage *to, const uint8_t *p, size_t len)
{
  uint8_t buf[OVPN_PACKET_MAX];
  const uint8_t *sid, *body;
  size_t n;
  assert(l == &e.link && len > 0);
  for (unsigned i = 0; i < CALLERS; i++) {
    Someone *s = &all[i];
    if (!ovpn_address_same(to, &s->address) || ovpn_key_id(p[0]) != 0 ||
        ovpn_wrap_open(&s->wrap, p, len, buf, sizeof buf, &sid, &body, &n) != OVPN_OK)
      continue;
    memcpy(s->ours, sid, sizeof s->ours);
    s->answered = true;
  }
}

/* ---- the callers ---- */

static void give(const uint8_t *p, size_t len, unsigned who)
{
  struct sockaddr_storage peer = e.link.peer;
  OvpnSession *session = e.session;
  OvpnSessionState state = ovpn_session_state(session);
  unsigned before = replaced;
  uint8_t *copy = malloc(len ? len : 1);
  assert(copy);
  if (len)
    memcpy(copy, p, len);
  speaker = who;
  e.link.n_strays = 1;
  e.link.strays[0] = (Stray){.packet = {.data = copy, .len = (uint32_t)len},
                             .from = all[all[who].disguise].address};
  caller_strays(&e);
  free(copy);
  assert(e.link.n_strays == 0 && e.session);
  if (replaced == before && !all[who].shown)
    assert(e.session == session && ovpn_session_state(session) == state);
  bool data = len > 0 && ovpn_op_is_data(ovpn_opcode(p[0]));
  if (replaced == before && !(data && data_good) && !all[who].shown)
    assert(memcmp(&peer, &e.link.peer, sizeof peer) == 0);
  OvpnEvent ev;
  while (ovpn_session_pop_event(e.session, &ev))
    ovpn_event_clear(&ev);
}

static void say(unsigned who, uint8_t op, const void *payload, size_t len)
{
  Someone *s = &all[who];
  uint8_t body[OVPN_PACKET_MAX], pkt[OVPN_PACKET_MAX];
  OvpnPacketBody b = {.has_id = op != OVPN_OP_ACK_V1, .payload = payload, .payload_len = len};
  if (s->answered) {
    b.n_acks = 1;
    memcpy(b.remote_sid, s->ours, sizeof s->ours);
  }
  if (b.has_id)
    b.id = s->next_id++;
  OvpnWriter w = ovpn_writer(body, sizeof body);
  ovpn_packet_encode_body(&w, &b);
  size_t n =
      ovpn_wrap_seal(&s->wrap, (uint8_t)(op << 3), s->sid, body, w.len, false, pkt, sizeof pkt);
  assert(w.ok && n > 0);
  give(pkt, n, who);
}

static void say_flight(unsigned who, uint8_t flight)
{
  uint8_t record[103] = {FAKE_HANDSHAKE, 0, 100, flight};
  all[who].shown |= flight == 3;
  say(who, OVPN_OP_CONTROL_V1, record, sizeof record);
}

static void begin_anew(unsigned who)
{
  Someone *s = &all[who];
  engine_random(NULL, s->sid, sizeof s->sid);
  s->next_id = 0;
  s->answered = s->shown = false;
}

static void say_data(unsigned who, uint8_t n)
{
  data_good = n & 8;
  give((const uint8_t[]){OVPN_OP_DATA_V2 << 3, 0, 0, 1, 2, 3}, 6, who);
  data_good = false;
}

static void pass_time(uint8_t n)
{
  e.now += n * (SECOND / 10);
  for (unsigned i = 0; i < CALLERS; i++)
    speaker = all[i].shown ? i : speaker;
  caller_tick(&e);
}

static void step(OvpnReader *in)
{
  uint8_t command = ovpn_read_u8(in) % 10, n = ovpn_read_u8(in), raw[256];
  unsigned who = n & 7;
  size_t len;
  switch (command) {
  case 0:
    all[who].answered = false;
    all[who].next_id = 0;
    say(who, OVPN_OP_HARD_RESET_CLIENT_V2, NULL, 0);
    break;
  case 1:
    say(who, OVPN_OP_ACK_V1, NULL, 0);
    break;
  case 2:
    say_flight(who, 1);
    break;
  case 3:
    say_flight(who, 3);
    break;
  case 4:
    say_flight(who, 0xff);
    break;
  case 5:
    len = ovpn_read_u8(in);
    len = len < ovpn_reader_left(in) ? len : ovpn_reader_left(in);
    ovpn_read_copy(in, raw, len);
    give(raw, len, who);
    break;
  case 6:
    say_data(who, n);
    break;
  case 7:
    pass_time(n);
    break;
  case 8:
    begin_anew(who);
    break;
  case 9:
    all[who].disguise = n >> 3 & 7;
    break;
  }
  unsigned calls = 0;
  for (unsigned i = 0; i < CALLS_MAX; i++)
    calls += e.caller.calls[i].session != NULL;
  assert(calls <= CALLS_MAX && made <= 20 * (1 + (e.now / SECOND - 1000) / 10));
}

/* ---- one run ---- */

static void set_up_once(void)
{
  OvpnFailure f = {0};
  if (tls)
    return;
  gnutls_global_init();
  strcat(key_text, "-----BEGIN OpenVPN Static key V1-----\n");
  for (int i = 0; i < 16; i++)
    strcat(key_text, "000102030405060708090a0b0c0d0e0f\n");
  strcat(key_text, "-----END OpenVPN Static key V1-----\n");
  assert(ovpn_tls_context_new(NULL, NULL, true, &tls, &f) == OVPN_OK);
}

static void set_up_callers(void)
{
  uint8_t key[OVPN_STATIC_KEY_LEN];
  OvpnFailure f = {0};
  assert(ovpn_static_key_parse(key_text, strlen(key_text), key, &f) == OVPN_OK);
  for (unsigned i = 0; i < CALLERS; i++) {
    all[i] = (Someone){.disguise = i};
    assert(ovpn_wrap_init(&all[i].wrap, protected ? OVPN_WRAP_TLS_AUTH : OVPN_WRAP_NONE, key,
                          OVPN_DIR_NONE, "SHA1", NULL, 1700000000) == OVPN_OK);
    const uint8_t bytes[] = {192, 0, (uint8_t)(i / 2), (uint8_t)(1 + i % 2)};
    assert(ovpn_address_make(&all[i].address, bytes, sizeof bytes, (uint16_t)(1000 + i)));
    begin_anew(i);
  }
}

static void set_up(uint8_t settings)
{
  OvpnFailure f = {0};
  set_up_once();
  memset(&e, 0, sizeof e);
  seed = 1;
  made = replaced = told = 0;
  protected = settings & 1;
  e.now = 1000 * SECOND;
  e.phase = ENGINE_SESSION;
  ovpn_config_init(&e.config);
  e.config.tls_server = true;
  e.config.tls_auth_dir = OVPN_DIR_NONE;
  e.config.is_float = settings & 2;
  e.config.data_ciphers.v = calloc(1, sizeof(char *));
  assert(e.config.data_ciphers.v);
  e.config.data_ciphers.v[0] = strdup("AES-256-GCM");
  e.config.data_ciphers.n = 1;
  if (protected)
    assert(ovpn_blob_set(&e.config.files[OVPN_FILE_TLS_AUTH].content, key_text, strlen(key_text)));
  set_up_callers();
  e.link.proto = OVPN_PROTO_UDP;
  e.link.open = true;
  if (settings & 4)
    e.link.peer = all[0].address;
  assert(drive_new_session(&e, &e.link, NULL, &e.session, &f) == OVPN_OK);
  assert(caller_start(&e, &f) && e.caller.welcome);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 1)
    return 0;
  set_up(data[0]);
  OvpnReader in = ovpn_reader(data + 1, size - 1);
  for (unsigned i = 0; i < STEPS_MAX && ovpn_reader_left(&in) >= 2; i++)
    step(&in);
  caller_end(&e);
  assert(caller_deadline(&e) == UINT64_MAX);
  ovpn_session_free(e.session);
  for (unsigned i = 0; i < CALLERS; i++)
    ovpn_wrap_clear(&all[i].wrap);
  ovpn_config_clear(&e.config);
  return 0;
}
