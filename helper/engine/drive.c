/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Drives the protocol session: feeds it packets, time and facts, obeys its events, and carries its
 * packets to the link.
 *
 * Trust: the core has authenticated what it reports. Invariants: the session is asked for packets
 * only while tx is empty, so nothing piles up before a link that does not move; a failure is
 * reported once, after the last packets (alerts) were tried; the TUN outlives sessions, keys never
 * do. spec §6.5, §16.3. */
#include "helper/engine/engine.h"
#include "helper/core/address.h"
#include "helper/core/cipher-names.h"
#include "helper/core/packet.h"
#include <malloc.h>
#include <string.h>
#include <syslog.h>
#include <time.h>
#include <unistd.h>

enum { CLOSE_LIMIT_S = 3 };
static const uint64_t second = 1000000000u;

static void end_link(Engine *e)
{
  revive_end(e);
  lease_end(e);
  worker_forget(&e->worker);
  caller_end(e);
  ovpn_session_free(e->session);
  e->session = NULL;
  datapath_del_all(&e->dp);
  batch_reset(&e->tx);
  batch_reset(&e->rx); /* its packets may be views into the link */
  via_end(e, &e->via);
  loop_forget_link(e);
  link_close(&e->link);
  e->tun_current = e->answer_wanted = e->rx_more = false;
}

static void end_session(Engine *e)
{
  end_link(e);
  race_end(e);
}

static void finish_close(Engine *e)
{
  end_session(e);
  control_send_closed(e);
  e->exit = true;
}

static void gather_output(Engine *e)
{
  for (int i = 0; i < BATCH_MAX; i++) {
    uint8_t *p = batch_reserve(&e->tx, 1, OVPN_PACKET_MAX);
    if (!p)
      return;
    p += PACKET_HEADROOM;
    size_t n = ovpn_session_output(e->session, e->now, p, OVPN_PACKET_MAX);
    if (n == 0)
      return;
    batch_push(&e->tx, p, n, e->link.proto == OVPN_PROTO_TCP);
  }
}

/* Alerts and the like, as far as the link takes them without waiting. */
static void last_words(Engine *e)
{
  OvpnFailure f = {0};
  for (int i = 0; i < 4 && e->session && e->link.fd >= 0; i++) {
    if (batch_empty(&e->tx)) {
      batch_reset(&e->tx);
      gather_output(e);
    }
    if (batch_empty(&e->tx) || e->link.ops->send(&e->link, &e->tx, &e->dp.stats, &f) != LINK_OK)
      return;
  }
}

void drive_fail(Engine *e, const OvpnFailure *cause)
{
  OvpnFailure f = *cause;
  if (e->worker.busy) {
    drive_catch_up(e);
    if (!e->session)
      return; /* that has ended it already, for its own reason */
  }
  last_words(e);
  if (f.status == OVPN_FAIL_NO_ANSWER && e->link.refused) {
    f = (OvpnFailure){.arg = 1};
    ovpn_failure_set(&f, OVPN_FAIL_NO_ANSWER, "connection refused");
  } else if (f.status == OVPN_FAIL_NO_ANSWER && e->link.last_error && !e->link.heard) {
    f = (OvpnFailure){0};
    ovpn_failure_set(&f, OVPN_FAIL_NO_ANSWER, "%s", strerror(e->link.last_error));
  }
  if (f.status == OVPN_FAIL_AUTH && f.arg == 0) {
    /* refused: the next session asks again unless the service sends others first */
    e->credentials.have_user_pass = false;
    ovpn_blob_clear(&e->credentials.password);
    e->answered_once = true;
  }
  if (e->phase == ENGINE_CLOSING) {
    finish_close(e);
    return;
  }
  uint16_t number = e->race.number;
  if (!e->race.answered && race_succeed(e)) {
    control_send_failed(e, &f, number, true);
    return;
  }
  end_session(e);
  e->phase = ENGINE_IDLE;
  control_send_failed(e, &f, number, false);
}

void drive_drop(Engine *e)
{
  if (race_succeed(e))
    return;
  end_session(e);
  e->phase = ENGINE_IDLE;
}

/* The framing that profile and server ask for, and whether what we send is compressed. */
static void set_framing(Engine *e, DatapathPeer *peer)
{
  const OvpnPushed *p = ovpn_session_pushed(e->session);
  const OvpnConfig *c = &e->config;
  bool pushed = p && p->compress_set;
  bool plain = pushed ? p->comp_plain : c->comp_plain;
  bool noadapt = c->comp_noadapt || (p && p->comp_noadapt);
  peer->compress = pushed ? p->compress : c->compress;
  peer->pack_adaptive = (pushed ? p->comp_adaptive : c->comp_adaptive) && !noadapt;
  switch (peer->compress) {
  case OVPN_COMP_LZO:
  case OVPN_COMP_LZ4:
  case OVPN_COMP_LZ4_V2:
    peer->pack = c->compress_out && !plain;
    if (!plain && !e->dp.up)
      control_log(e, peer->pack ? LOG_WARNING : LOG_NOTICE, OVPN_LOG_WEAK,
                  peer->pack
                      ? "packets are compressed, and their length tells about their content"
                      : "the connection asks for compression; packets are sent uncompressed, "
                        "as their length would tell about their content (VORACLE)");
    break;
  case OVPN_COMP_NONE:
  case OVPN_COMP_STUB:
  case OVPN_COMP_STUB_V2:
    break;
  }
}

/* How large inner segments and pieces may be, so that the path takes their packets whole. */
static void set_sizes(const Engine *e, DatapathPeer *peer)
{
  const OvpnPushed *p = ovpn_session_pushed(e->session);
  const OvpnConfig *c = &e->config;
  const OvpnDataCipher *cipher = e->cipher;
  bool one = false, v6 = e->link.ipv6, has_id = e->peer_id >= 0;
  switch (peer->compress) {
  case OVPN_COMP_LZO:
  case OVPN_COMP_STUB:
  case OVPN_COMP_LZ4:
    one = true;
    break;
  case OVPN_COMP_NONE:
  case OVPN_COMP_STUB_V2:
  case OVPN_COMP_LZ4_V2:
    break;
  }
  unsigned block = cipher->block > 1 ? cipher->block : 0;
  bool cbc = !cipher->aead && block > 0;
  unsigned id = p && p->aead_epoch ? 8 : 4;
  unsigned crypto = cipher->aead ? id + 16 : ovpn_config_digest_len(c->auth) + cipher->iv;
  if (!cipher->aead && !cbc) /* long ids: static keys, and CFB and OFB, counted beside the IV */
    crypto += ovpn_config_is_static(c) || cipher->iv > 0 ? 8 : 4;
  unsigned mtu = c->tun_mtu ? c->tun_mtu : 1500;
  peer->mss = ovpn_mss(c, mtu, peer->tcp, v6, cbc, block, crypto, has_id, one, e->path_mtu);
  if (c->fragment && !peer->tcp) {
    unsigned max = ovpn_fragment_max(c, v6, cbc, block, crypto, has_id, e->path_mtu);
    peer->fragment = max > OVPN_FRAGMENT_HEAD ? max : OVPN_FRAGMENT_HEAD;
  }
}

static void set_peer(Engine *e)
{
  const OvpnPushed *p = ovpn_session_pushed(e->session);
  const OvpnConfig *c = &e->config;
  bool tcp = e->link.proto == OVPN_PROTO_TCP;
  DatapathPeer peer = {.tap = c->tap, .tcp = tcp, .peer = ovpn_address_plain(&e->link.peer)};
  set_framing(e, &peer);
  /* No IPv6 inside: what is routed here all the same is told so at once. */
  peer.block_ipv6 = p && (p->block_ipv6 || !p->has_v6);
  peer.block_ipv4 = p && p->block_ipv4 && !p->has_v4;
  peer.passtos = c->passtos && !tcp; /* a stream has one type of service */
  peer.shaper = p && p->shaper ? p->shaper : c->shaper;
  peer.n_nat = p ? p->n_nat : 0;
  for (size_t i = 0; i < peer.n_nat; i++)
    peer.nat[i] = p->nat[i];
  e->path_mtu = link_path_mtu(&e->link);
  set_sizes(e, &peer);
  datapath_set_peer(&e->dp, &peer);
}

/* Routers, or another network below, may take less from now on, or more again. */
static void follow_path(Engine *e)
{
  const uint64_t pause = 1000000000u;
  if (e->now < e->path_at)
    return;
  e->path_at = e->now + pause;
  unsigned mtu = link_path_mtu(&e->link);
  if (!mtu || mtu == e->path_mtu)
    return;
  e->path_mtu = mtu;
  DatapathPeer peer = e->dp.peer;
  set_sizes(e, &peer);
  if (peer.mss != e->dp.peer.mss || peer.fragment != e->dp.peer.fragment)
    control_log(e, LOG_INFO, OVPN_LOG_TEXT, "the path takes packets of another size: following");
  e->dp.peer.mss = peer.mss;
  e->dp.peer.fragment = peer.fragment;
}

/* What cannot be done in batches here, each once: words of OVPN_LOG_FALLBACK. */
static void tell_fallbacks(Engine *e)
{
  bool udp = e->link.proto == OVPN_PROTO_UDP, vnet = e->tun.flags & TUN_VNET_HDR;
  const struct {
    bool now;
    const char *word;
  } all[] = {{udp && e->link.single, "udp-segment"},
             {udp && e->link.alone, "udp-gro"},
             {!vnet, "vnet-hdr"},
             {vnet && !(e->tun.flags & TUN_TSO), "tso"},
             {vnet && !(e->tun.flags & TUN_USO), "uso"},
             {e->dp.merge_refused, "merge"}};
  for (unsigned i = 0; i < sizeof all / sizeof all[0]; i++) {
    if (!all[i].now || e->fallbacks_told & 1u << i)
      continue;
    e->fallbacks_told |= 1u << i;
    control_log(e, LOG_INFO, OVPN_LOG_FALLBACK, all[i].word);
  }
}

static void maybe_up(Engine *e)
{
  OvpnSessionState s = ovpn_session_state(e->session);
  if (e->dp.up || !e->tun_current || e->tun.fd < 0 || !e->dp.send || !e->cipher ||
      e->phase != ENGINE_SESSION || (s != OVPN_SESSION_UP && s != OVPN_SESSION_REKEYING))
    return;
  set_peer(e);
  if (!lease_ready(e))
    return;
  e->dp.up = true;
  e->answered_once = false;
  control_send_up(e, e->cipher->name, e->tun.mtu);
#ifdef __GLIBC__
  malloc_trim(0); /* what the handshake needed goes back to the system */
#endif
}

static OvpnStatus new_key(Engine *e, const OvpnEvent *ev, const OvpnDataCipher *cipher,
                          OvpnDataKey **ret, OvpnFailure *f)
{
  const OvpnConfig *c = &e->config;
  const char *auth = c->auth ? c->auth : "SHA1";
  OvpnDataForm form = {.window = c->replay_window,
                       .late = c->replay_time,
                       .no_ids = c->no_replay,
                       .no_iv = c->no_iv};
  /* keysize is said about the profile's cipher, not about another that is agreed on */
  if (!strcmp(cipher->name, c->cipher ? c->cipher : "BF-CBC"))
    form.key_len = (uint8_t)(c->keysize / 8);
  if (ev->static_key)
    return ovpn_data_key_new_static(cipher, auth, ev->key_block, c->secret_dir, &form,
                                    (uint32_t)time(NULL), engine_random, NULL, ret, f);
  if (ev->epoch)
    return ovpn_data_key_new_epoch(cipher, ev->key_block, !c->tls_server, ev->key_id, ev->peer_id,
                                   &form, ret, f);
  OvpnStatus st = ovpn_data_key_new(cipher, auth, ev->key_block, !c->tls_server, ev->key_id,
                                    ev->peer_id, &form, engine_random, NULL, ret, f);
  if (st == OVPN_OK)
    ovpn_data_key_set_time(*ret, (uint32_t)time(NULL));
  return st;
}

static OvpnStatus on_keys(Engine *e, OvpnEvent *ev, OvpnFailure *f)
{
  const OvpnDataCipher *cipher = ovpn_data_cipher(ev->cipher);
  if (!cipher)
    return ovpn_failure_set(f, OVPN_FAIL_NO_COMMON_CIPHER, "%s", ev->cipher);
  OvpnDataKey *k = NULL;
  OvpnStatus st = new_key(e, ev, cipher, &k, f);
  if (st != OVPN_OK)
    return ovpn_failure_set(f, st, "data key");
  datapath_set_key(&e->dp, k);
  e->cipher = cipher;
  e->peer_id = ev->peer_id;
  set_peer(e);
  return OVPN_OK;
}

static void on_pushed(Engine *e)
{
  const OvpnPushed *p = ovpn_session_pushed(e->session);
  e->pushed = true;
  e->tun_current = false; /* the path keeps running on what it has; UP is said again after TUN */
  if (p && p->mtu)
    link_set_mtu(&e->link, p->mtu);
  control_send_pushed(e, ovpn_session_pushed_list(e->session));
}

static void on_need(Engine *e, const OvpnEvent *ev)
{
  unsigned flags = (ev->echo ? 1 : 0) | (ev->required ? 4 : 0);
  if (ev->need == OVPN_NEED_USER_PASS && e->answered_once)
    flags |= 2;
  if (ev->need != OVPN_NEED_BROWSER && ev->need != OVPN_NEED_PATIENCE)
    e->answer_wanted = true;
  control_send_need(e, ev->need, flags, ev->seconds, ev->text ? ev->text : "");
}

/* false: the session is gone. */
static bool on_event(Engine *e, OvpnEvent *ev)
{
  OvpnFailure f = {0};
  uint8_t payload[32];
  switch (ev->type) {
  case OVPN_EVENT_STATE:
    if (ev->state != OVPN_SESSION_RESET_SENT && ev->state != OVPN_SESSION_WAIT_CREDENTIALS &&
        ev->state < OVPN_SESSION_CLOSING)
      race_answered(e);
    control_send_state(e, ev->state);
    break;
  case OVPN_EVENT_NEED:
    on_need(e, ev);
    break;
  case OVPN_EVENT_PUSHED:
    on_pushed(e);
    break;
  case OVPN_EVENT_KEYS:
    if (on_keys(e, ev, &f) == OVPN_OK)
      break;
    drive_fail(e, &f);
    return false;
  case OVPN_EVENT_USE_KEY:
    datapath_use_key(&e->dp, ev->key_id);
    break;
  case OVPN_EVENT_RETIRE_KEY:
    datapath_del_key(&e->dp, ev->key_id);
    break;
  case OVPN_EVENT_SEND_PING:
    datapath_send(&e->dp, &e->tx, ovpn_ping_magic, sizeof ovpn_ping_magic);
    break;
  case OVPN_EVENT_SEND_OCC_REQUEST:
    datapath_send(&e->dp, &e->tx, payload, ovpn_occ_request(payload, sizeof payload));
    break;
  case OVPN_EVENT_SEND_OCC_EXIT:
    datapath_send(&e->dp, &e->tx, payload, ovpn_occ_exit(payload, sizeof payload));
    break;
  case OVPN_EVENT_LOG:
    control_log(e, ev->level, ev->log_code, ev->failure.text);
    break;
  case OVPN_EVENT_FAILED:
    drive_fail(e, &ev->failure);
    return false;
  case OVPN_EVENT_CLOSED:
    last_words(e);
    finish_close(e);
    return false;
  }
  return true;
}

static bool drain_events(Engine *e)
{
  OvpnEvent ev = {0};
  bool alive = true;
  while (alive && ovpn_session_pop_event(e->session, &ev)) {
    alive = on_event(e, &ev);
    ovpn_event_clear(&ev);
  }
  return alive;
}

void drive_flush(Engine *e)
{
  OvpnFailure f = {0};
  if (e->session && !batch_empty(&e->tx) &&
      e->link.ops->send(&e->link, &e->tx, &e->dp.stats, &f) == LINK_LOST)
    drive_fail(e, &f);
}

/* What the peer asked inside the tunnel, each question once in a batch. */
static void answer_occ(Engine *e)
{
  const OvpnConfig *c = &e->config;
  OvpnOccAnswer a = {.questions = e->dp.notes.occ,
                     .load = e->dp.notes.occ_load,
                     .largest_in = e->dp.largest_in,
                     .largest_out = e->dp.largest_out};
  uint8_t buf[OVPN_OCC_MAX];
  char options[512] = "";
  if (!a.questions)
    return;
  if (a.questions & 1u << OVPN_OCC_REQUEST)
    (void)ovpn_occ_format(c, e->link.proto == OVPN_PROTO_TCP, options, sizeof options);
  a.options = options;
  for (size_t n; (n = ovpn_occ_answer(&a, engine_random, NULL, buf, sizeof buf)) > 0;)
    datapath_send(&e->dp, &e->tx, buf, n);
}

static void take_notes(Engine *e)
{
  if (!e->dp.notes.received && !e->dp.notes.sent && !e->dp.notes.occ_exit)
    return;
  answer_occ(e);
  revive_note(e, e->dp.notes.received, e->dp.notes.payload > 0);
  uint64_t sent = e->dp.send ? ovpn_data_key_sent(e->dp.send) : 0;
  ovpn_session_note_data(e->session, e->now, e->dp.notes.received, e->dp.notes.sent,
                         e->dp.notes.payload, sent);
  if (e->dp.notes.received && e->dp.keys[e->dp.notes.key_id & 7] != e->dp.send)
    ovpn_session_note_peer_key(e->session, e->now, e->dp.notes.key_id);
  if (e->dp.notes.occ_exit)
    ovpn_session_note_occ_exit(e->session, e->now);
  memset(&e->dp.notes, 0, sizeof e->dp.notes);
}

/* What became of a control packet from that address. false: it was not accepted, or somebody's
 * call; the session may be gone. */
static bool took_control(Engine *e, OvpnStatus st, const struct sockaddr_storage *from,
                         const uint8_t *pkt, size_t len)
{
  if (st == OVPN_OK)
    revive_alive(e);
  else if (revive_input(e, pkt, len) || caller_input(e, from, pkt, len))
    return false;
  if (st == OVPN_DROP_AUTH)
    e->dp.stats.drops_auth++;
  else if (st == OVPN_DROP_REPLAY)
    e->dp.stats.drops_replay++;
  else if (ovpn_is_drop(st))
    e->dp.stats.drops_other++;
  drain_events(e);
  return st == OVPN_OK;
}

static OvpnStatus give_control(void *engine, const uint8_t *pkt, size_t len)
{
  Engine *e = engine;
  return ovpn_session_input(e->session, e->worker_now, pkt, len);
}

bool drive_start(Engine *e)
{
  return worker_start(&e->worker, give_control, e);
}

bool drive_control(Engine *e, const uint8_t *p, size_t len, const struct sockaddr_storage *from,
                   bool session)
{
  OvpnStatus st = session ? ovpn_session_input(e->session, e->now, p, len) : OVPN_DROP_STATE;
  return took_control(e, st, from, p, len);
}

/* false: the session is gone. */
static bool take_control(Engine *e, const uint8_t *pkt, size_t len)
{
  drive_control(e, pkt, len, &e->link.peer, true);
  return e->session != NULL;
}

static bool take_waiting(Engine *e)
{
  const WorkerPacket *p = e->session ? worker_pop(&e->worker) : NULL;
  return p && take_control(e, p->data, p->len);
}

void drive_work(Engine *e)
{
  while (!e->dp.up && take_waiting(e))
    ;
  e->worker_now = e->now;
  if (e->session)
    worker_next(&e->worker);
}

void drive_worked(Engine *e)
{
  OvpnStatus st;
  const WorkerPacket *p;
  if (worker_collect(&e->worker, &st, &p))
    took_control(e, st, &e->link.peer, p->data, p->len);
}

void drive_catch_up(Engine *e)
{
  OvpnStatus st;
  const WorkerPacket *p;
  if (worker_wait(&e->worker, &st, &p))
    took_control(e, st, &e->link.peer, p->data, p->len);
  while (take_waiting(e))
    ;
}

/* Payload does not wait for what a control packet makes the session do; before there is any, the
 * session is faster without a second thread. */
void drive_packets(Engine *e, unsigned control)
{
  for (unsigned i = 0; control && i < e->rx.n; i++) {
    const Packet *p = &e->rx.p[i];
    if (!p->control)
      continue;
    control--;
    if (e->dp.up || e->worker.busy || e->worker.n > 0) {
      if (!worker_put(&e->worker, p->data, p->len))
        e->dp.stats.drops_other++;
    } else if (!take_control(e, p->data, p->len)) {
      return;
    }
  }
}

void drive_settle(Engine *e)
{
  for (int rounds = 0; e->session && rounds < 16; rounds++) {
    take_notes(e);
    if (ovpn_session_deadline(e->session) <= e->now)
      ovpn_session_tick(e->session, e->now);
    if (e->close_deadline && e->close_deadline <= e->now) {
      finish_close(e);
      return;
    }
    revive_tick(e);
    race_tick(e);
    caller_tick(e);
    if (!e->session || !drain_events(e))
      return;
    lease_settle(e);
    if (!e->session)
      return;
    maybe_up(e);
    drive_flush(e);
    if (e->session && e->dp.up) {
      tell_fallbacks(e);
      follow_path(e);
    }
    if (!e->session || !batch_empty(&e->tx))
      return;
    gather_output(e);
    if (batch_empty(&e->tx))
      return;
  }
}

uint64_t drive_deadline(const Engine *e)
{
  uint64_t d = e->session ? ovpn_session_deadline(e->session) : UINT64_MAX;
  uint64_t doubt = revive_deadline(e);
  uint64_t rivals = race_deadline(e), caller = caller_deadline(e);
  d = doubt < d ? doubt : d;
  d = rivals < d ? rivals : d;
  uint64_t lease = lease_deadline(e);
  d = lease < d ? lease : d;
  uint64_t paced = e->session && e->dp.up ? datapath_waits(&e->dp, e->now) : 0;
  d = paced && paced < d ? paced : d;
  d = caller < d ? caller : d;
  return e->close_deadline && e->close_deadline < d ? e->close_deadline : d;
}

/* What a packet of the TUN or TAP may be with the framing in front of it. */
static size_t largest_payload(const OvpnConfig *c)
{
  enum { EXTRA = 64, DEFAULT = 1600 };
  size_t n = DEFAULT;
  if (c->tun_mtu > n)
    n = c->tun_mtu;
  if (c->tun_mtu_max > n)
    n = c->tun_mtu_max;
  return n + EXTRA;
}

static void open_link(Engine *e, const DriveLink *l)
{
  OvpnFailure f = {0};
  memset(&e->dp.notes, 0, sizeof e->dp.notes);
  bool pieces =
      e->config.fragment == 0 || datapath_want_fragments(&e->dp, largest_payload(&e->config));
  if (!link_open(&e->link, l->proto, l->ipv6, l->fd) || !pieces) {
    ovpn_failure_set(&f, OVPN_FAIL_MEMORY, "link");
    drive_fail(e, &f);
    return;
  }
  if (l->mode != OVPN_LINK_CONNECTED)
    link_set_open(&e->link, l->mode == OVPN_LINK_OPEN ? &l->peer : NULL);
  unsigned mtu =
      e->config.tun_mtu > e->config.tun_mtu_max ? e->config.tun_mtu : e->config.tun_mtu_max;
  link_set_mtu(&e->link, mtu);
  OvpnStatus st = drive_new_session(e, &e->link, NULL, &e->session, &f);
  if (st == OVPN_OK && !caller_start(e, &f))
    st = f.status;
  if (st != OVPN_OK) {
    ovpn_failure_set(&f, st, "session");
    drive_fail(e, &f);
  }
}

void drive_open(Engine *e, OvpnProto proto, bool ipv6, int fd)
{
  open_link(e, &(DriveLink){.proto = proto, .ipv6 = ipv6, .fd = fd});
}

void drive_link(Engine *e, const DriveLink *l)
{
  if (l->beside && l->mode != OVPN_LINK_WAITING && race_open(e)) {
    race_join(e, l);
    return;
  }
  if (l->beside && e->race.answered && e->phase == ENGINE_SESSION) {
    close(l->fd); /* decided meanwhile; the service is about to hear it */
    return;
  }
  end_session(e);
  e->phase = ENGINE_SESSION;
  e->race.number = l->number;
  e->race.remote = l->remote;
  e->race.answered = false;
  ovpn_config_select(&e->config, l->remote);
  if (l->proxy)
    via_start(e, &e->via, l);
  else
    open_link(e, l);
}

OvpnStatus drive_new_session(Engine *e, const Link *l, const OvpnAccepted *accepted,
                             OvpnSession **ret, OvpnFailure *f)
{
  struct timespec wall;
  clock_gettime(CLOCK_REALTIME, &wall);
  OvpnSessionParams p = {.config = &e->config,
                         .profile = &e->options,
                         .tls = e->tls,
                         .credentials = &e->credentials,
                         .proto = l->proto,
                         .link_ipv6 = l->ipv6,
                         .waits = !accepted && l->open && l->peer.ss_family == AF_UNSPEC,
                         .accepted = accepted,
                         .random = engine_random,
                         .wall_time = (uint32_t)wall.tv_sec,
                         .now = e->now};
  return ovpn_session_new(&p, ret, f);
}

void drive_replace(Engine *e, OvpnSession *next)
{
  race_end(e);
  lease_end(e);
  worker_forget(&e->worker);
  ovpn_session_free(e->session);
  e->session = next;
  datapath_del_all(&e->dp);
  e->dp.up = e->tun_current = e->answer_wanted = false;
  e->cipher = NULL;
  memset(&e->dp.notes, 0, sizeof e->dp.notes);
}

void drive_take_over(Engine *e, const Link *l, OvpnSession *s, const Via *v)
{
  end_link(e);
  memset(&e->dp.notes, 0, sizeof e->dp.notes);
  e->cipher = NULL;
  e->link = *l;
  e->session = s;
  e->via = *v;
}

void drive_answer(Engine *e)
{
  e->answer_wanted = false;
  if (e->session)
    ovpn_session_answer(e->session, e->now);
}

void drive_tun(Engine *e, int fd, bool tap, unsigned mtu, unsigned flags)
{
  loop_forget_tun(e);
  tun_open(&e->tun, fd, tap, mtu, flags);
  datapath_set_tun(&e->dp, &e->tun);
  lease_new_tun(e);
  e->tun_current = e->session != NULL;
  e->dp.up = false; /* maybe_up says UP for the new device */
  if (e->session)
    link_set_mtu(&e->link, mtu);
}

void drive_close(Engine *e)
{
  race_end(e);
  e->phase = ENGINE_CLOSING;
  if (!e->session) {
    finish_close(e);
    return;
  }
  e->close_deadline = e->now + CLOSE_LIMIT_S * second;
  lease_release(e);
  ovpn_session_close(e->session, e->now);
}
