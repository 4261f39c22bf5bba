/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The data channel in user space: TUN batches are framed and sealed, link batches opened and
 * written to the TUN.
 *
 * Trust: a packet is believed when its key opened it, and then only as payload of the server: IP
 * version and lengths are checked before the kernel sees it. Per packet: no allocation, log, lock
 * or clock; a packet that cannot be used is counted. Invariant: dp->send is NULL or one of
 * dp->keys. spec §6.5, §11, §12, §1.3 (no way back into the tunnel). */
#include "helper/engine/datapath.h"
#include "helper/core/packet.h"
#include "helper/core/unreachable.h"
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum {
  SUPER_MAX = PACKET_MAX + 32, /* with an Ethernet header */
  READS_MAX = 32,              /* per batch */
  BUDGET_PACKETS = 448,        /* beyond these no more is read: more costs cache, not calls */
  BUDGET_BYTES = 640 * 1024,
  FRAMING_MAX = 2,
  BUDGET_BYTES_TCP = 128 * 1024, /* what waits for a slow stream waits in the TUN's own queue */
};

static const uint64_t QUEUE_PATIENCE = 100 * 1000000; /* ns */

bool datapath_init(Datapath *dp)
{
  *dp = (Datapath){.scratch = malloc(PACKET_MAX), .super = malloc(SUPER_MAX)};
  MergePart *parts = calloc(BATCH_PACKETS, sizeof *parts);
  merge_init(&dp->merge, parts, parts ? BATCH_PACKETS : 0, false, 0);
  return dp->scratch && dp->super && parts;
}

bool datapath_want_fragments(Datapath *dp, size_t largest)
{
  ovpn_fragments_free(dp->fragments);
  dp->fragments = ovpn_fragments_new(largest);
  return dp->fragments != NULL;
}

void datapath_clear(Datapath *dp)
{
  datapath_del_all(dp);
  ovpn_fragments_free(dp->fragments);
  guard_clear(&dp->guard);
  ovpn_packer_free(dp->packer);
  free(dp->scratch);
  free(dp->super);
  free(dp->merge.parts);
  *dp = (Datapath){0};
}

void datapath_set_key(Datapath *dp, OvpnDataKey *k)
{
  uint8_t id = ovpn_data_key_id(k) & 7;
  bool used = dp->send && dp->send == dp->keys[id];
  datapath_del_key(dp, id);
  ovpn_data_key_go_on(k, &dp->ids);
  dp->keys[id] = k;
  dp->bare = ovpn_data_key_is_bare(k);
  if (used || !dp->send)
    dp->send = k;
}

void datapath_use_key(Datapath *dp, uint8_t id)
{
  if (dp->keys[id & 7])
    dp->send = dp->keys[id & 7];
}

void datapath_del_key(Datapath *dp, uint8_t id)
{
  OvpnDataKey **k = &dp->keys[id & 7];
  if (dp->send == *k)
    dp->send = NULL;
  if (*k)
    ovpn_data_key_remember(*k, &dp->ids);
  ovpn_data_key_free(*k);
  *k = NULL;
}

void datapath_del_all(Datapath *dp)
{
  for (uint8_t i = 0; i < DATAPATH_SLOTS; i++)
    datapath_del_key(dp, i);
  if (dp->fragments)
    ovpn_fragments_reset(dp->fragments);
  dp->bare = false;
  dp->up = false;
  dp->largest_in = dp->largest_out = 0;
}

void datapath_set_peer(Datapath *dp, const DatapathPeer *peer)
{
  dp->peer = *peer;
  if (peer->pack && !dp->packer)
    dp->packer = ovpn_packer_new(); /* without memory packets go plain */
}

void datapath_set_tun(Datapath *dp, const Tun *tun)
{
  unsigned kinds = (tun->flags & TUN_TSO ? MERGE_TCP4 | MERGE_TCP6 : 0u) |
                   (tun->flags & TUN_USO ? MERGE_UDP : 0u);
  merge_init(&dp->merge, dp->merge.parts, dp->merge.cap, tun->tap, kinds);
  dp->pending = dp->merge_refused = false;
}

/* What the kernel would accept and a host would not trip over: version and lengths agree with the
 * size. */
static bool ip_ok(const uint8_t *p, size_t len)
{
  if (len >= 20 && p[0] >> 4 == 4) {
    size_t head = (size_t)(p[0] & 15) * 4, total = (size_t)p[2] << 8 | p[3];
    return head >= 20 && total >= head && total <= len;
  }
  return len >= 40 && p[0] >> 4 == 6 && 40 + ((size_t)p[4] << 8 | p[5]) <= len;
}

/* A packet to the server's own address and port, which would go around in circles. */
static bool leads_back(const DatapathPeer *peer, const uint8_t *p, size_t len)
{
  uint8_t proto = peer->tcp ? IPPROTO_TCP : IPPROTO_UDP;
  if (peer->peer.ss_family == AF_INET && len >= 24 && p[0] >> 4 == 4) {
    const struct sockaddr_in *sin = (const struct sockaddr_in *)&peer->peer;
    size_t head = (size_t)(p[0] & 15) * 4;
    bool first = ((p[6] & 0x1f) | p[7]) == 0; /* later fragments have no ports */
    return p[9] == proto && memcmp(p + 16, &sin->sin_addr, 4) == 0 && first && len >= head + 4 &&
           memcmp(p + head + 2, &sin->sin_port, 2) == 0;
  }
  if (peer->peer.ss_family == AF_INET6 && len >= 44 && p[0] >> 4 == 6) {
    const struct sockaddr_in6 *sin6 = (const struct sockaddr_in6 *)&peer->peer;
    return p[6] == proto && memcmp(p + 24, &sin6->sin6_addr, 16) == 0 &&
           memcmp(p + 42, &sin6->sin6_port, 2) == 0;
  }
  return false;
}

/* 0 or an errno; counted either way. */
static int write_merged(Datapath *dp, Tun *tun, const MergeOut *out)
{
  int err = tun_write_super(tun, out->iov, out->n, out->len);
  if (err) {
    dp->stats.drops_tun += out->packets;
    return err;
  }
  dp->stats.tun_tx_bytes += out->len;
  dp->stats.tun_tx_packets += out->packets;
  dp->stats.tun_tx_calls++;
  dp->notes.payload += out->len;
  return 0;
}

/* What has been merged goes to the TUN. A kernel that refuses a super-packet is given single ones
 * from then on. */
static void drain(Datapath *dp, Tun *tun)
{
  MergeOut out;
  while (merge_next(&dp->merge, &out)) {
    if (write_merged(dp, tun, &out) != EINVAL || out.packets == 1)
      continue;
    if (!dp->merge_refused)
      dp->stats.fallbacks++;
    dp->merge.kinds = 0;
    dp->merge_refused = true;
    dp->stats.drops_tun -= out.packets; /* they get a second chance */
    while (merge_single(&dp->merge, &out))
      write_merged(dp, tun, &out);
  }
}

/* borrowed: the next packet may overwrite it. */
static void deliver_super(Datapath *dp, Tun *tun, uint8_t *p, size_t len, bool borrowed)
{
  if (!merge_add(&dp->merge, p, len)) {
    drain(dp, tun);
    merge_add(&dp->merge, p, len);
  }
  if (borrowed)
    drain(dp, tun);
}

/* Where the IP packet begins; len = none is there. */
static size_t ip_at(const Datapath *dp, const uint8_t *p, size_t len)
{
  enum { ETHERNET = 14 };
  if (!dp->peer.tap)
    return 0;
  bool is_ip =
      len >= ETHERNET && ((p[12] == 0x08 && p[13] == 0) || (p[12] == 0x86 && p[13] == 0xdd));
  return is_ip ? ETHERNET : len;
}

static void translate(const Datapath *dp, bool out, uint8_t *p, size_t len)
{
  if (!dp->peer.n_nat)
    return;
  size_t at = ip_at(dp, p, len);
  ovpn_nat_apply(dp->peer.nat, dp->peer.n_nat, out, p + at, len - at);
}

/* The inner type of service without its bits of congestion (RFC 3168): marks that routers would set
 * in their place could not be handed on to the inner packet at the other end. */
static uint8_t type_of_service(const Datapath *dp, const uint8_t *p, size_t len)
{
  size_t at = ip_at(dp, p, len);
  if (!dp->peer.passtos || len < at + 2)
    return 0;
  p += at;
  return (p[0] >> 4 == 4 ? p[1] : (uint8_t)(p[0] << 4 | p[1] >> 4)) & 0xfc;
}

static void deliver(Datapath *dp, Tun *tun, uint8_t *p, size_t len, bool borrowed)
{
  if (dp->peer.tap && dp->dhcp && ovpn_dhcp_listens(dp->dhcp) &&
      ovpn_dhcp_input(dp->dhcp, dp->now, p, len))
    return;
  if (!dp->up || (dp->peer.tap ? len < 14 : !ip_ok(p, len))) {
    *(dp->up ? &dp->stats.drops_format : &dp->stats.drops_down) += 1;
    return;
  }
  translate(dp, false, p, len);
  if (dp->peer.mss)
    ovpn_mssfix(p, len, dp->peer.tap, dp->peer.mss);
  if (tun->flags & TUN_VNET_HDR) {
    deliver_super(dp, tun, p, len, borrowed);
    return;
  }
  if (!tun_write(tun, p, len)) {
    dp->stats.drops_tun++;
    return;
  }
  dp->stats.tun_tx_calls++;
  dp->stats.tun_tx_bytes += len;
  dp->stats.tun_tx_packets++;
  dp->notes.payload += len;
}

static void receive_one(Datapath *dp, Tun *tun, Packet *in)
{
  OvpnDataKey *k = dp->keys[dp->bare ? 0 : ovpn_key_id(in->data[0])];
  uint8_t *p = NULL;
  size_t len = 0;
  OvpnStatus st = k ? ovpn_data_open(k, in->data, in->len, &p, &len) : OVPN_DROP_KEY_ID;
  if (st != OVPN_OK) {
    *(st == OVPN_DROP_AUTH     ? &dp->stats.drops_auth
      : st == OVPN_DROP_REPLAY ? &dp->stats.drops_replay
      : st == OVPN_DROP_KEY_ID ? &dp->stats.drops_key
                               : &dp->stats.drops_format) += 1;
    return;
  }
  if (in->len > dp->largest_in)
    dp->largest_in = (uint16_t)in->len;
  dp->notes.received = true;
  dp->notes.key_id = ovpn_data_key_id(k);
  bool borrowed = false;
  if (dp->peer.fragment && dp->fragments)
    st = ovpn_fragments_take(dp->fragments, dp->now, &p, &len, &borrowed);
  if (st == OVPN_DROP_INCOMPLETE)
    return;
  if (st == OVPN_OK)
    st = ovpn_frame_remove(dp->peer.compress, &p, &len, dp->scratch, PACKET_MAX);
  if (st != OVPN_OK || len == 0) {
    dp->stats.drops_format++;
    return;
  }
  switch (ovpn_inner_classify(p, len)) {
  case OVPN_INNER_PACKET:
    deliver(dp, tun, p, len, borrowed || p == dp->scratch);
    break;
  case OVPN_INNER_OCC_EXIT:
    dp->notes.occ_exit = true;
    break;
  case OVPN_INNER_OCC_OTHER:
    dp->notes.occ |= ovpn_occ_question(p, len, &dp->notes.occ_load);
    break;
  case OVPN_INNER_PING:
    break;
  }
}

unsigned datapath_receive(Datapath *dp, Tun *tun, Batch *rx)
{
  unsigned control = 0;
  for (size_t i = 0; i < sizeof dp->keys / sizeof dp->keys[0]; i++)
    if (dp->keys[i])
      ovpn_data_key_age(dp->keys[i], dp->now);
  for (unsigned i = 0; i < rx->n; i++) {
    Packet *p = &rx->p[i];
    p->control = false;
    if (p->len == 0)
      dp->stats.drops_format++;
    else if (dp->bare || ovpn_op_is_data(ovpn_opcode(p->data[0])))
      receive_one(dp, tun, p);
    else
      p->control = (control++, true);
  }
  drain(dp, tun);
  return control;
}

/* Each packet takes its time on a wire of the given speed, whoever it is from. */
static void shaper_take(Datapath *dp, size_t len)
{
  enum { HEADERS = 28 };
  if (dp->shaper_free < dp->now)
    dp->shaper_free = dp->now;
  dp->shaper_free += (len + HEADERS) * UINT64_C(1000000000) / dp->peer.shaper;
}

uint64_t datapath_waits(const Datapath *dp, uint64_t now)
{
  return dp->peer.shaper && dp->shaper_waits && dp->shaper_free > now ? dp->shaper_free : 0;
}

/* Packets of `len` bytes that may still go before there is a pause; batches are kept short. */
static unsigned shaper_left(Datapath *dp, size_t len)
{
  static const uint64_t ahead = 10 * 1000000; /* ns */
  if (!dp->peer.shaper)
    return BATCH_PACKETS;
  dp->shaper_waits = dp->shaper_free > dp->now + ahead;
  if (dp->shaper_waits) {
    dp->queue.blocked = dp->now;
    return 0;
  }
  uint64_t from = dp->shaper_free > dp->now ? dp->shaper_free : dp->now;
  uint64_t each = (len + 1) * UINT64_C(1000000000) / dp->peer.shaper;
  uint64_t n = 1 + (dp->now + ahead - from) / (each ? each : 1);
  return n < BATCH_PACKETS ? (unsigned)n : BATCH_PACKETS;
}

static bool seal_framed(Datapath *dp, Batch *tx, uint8_t *slot, uint8_t *p, size_t len)
{
  uint8_t *pkt = NULL;
  size_t pkt_len = 0;
  /* two bytes in front stay free for the length of a TCP packet */
  OvpnStatus st = ovpn_data_seal(dp->send, slot + 2, (size_t)(p - slot) - 2, len, &pkt, &pkt_len);
  if (st != OVPN_OK || pkt_len > UINT16_MAX) {
    dp->stats.drops_other++;
    return false;
  }
  batch_push(tx, pkt, pkt_len, dp->peer.tcp);
  tx->p[tx->n - 1].tos = dp->tos;
  if (dp->peer.shaper)
    shaper_take(dp, pkt_len);
  if (pkt_len > dp->largest_out)
    dp->largest_out = (uint16_t)pkt_len;
  dp->notes.sent = true;
  return true;
}

/* Every piece becomes a packet of its own; all or none go. p stays clear of the slots to come. */
static bool seal_pieces(Datapath *dp, Batch *tx, const uint8_t *p, size_t len)
{
  OvpnPieces plan = ovpn_fragment_plan(len, dp->peer.fragment);
  size_t room = OVPN_FRAGMENT_HEAD + plan.size;
  uint8_t *slot = plan.n ? batch_reserve(tx, plan.n, room) : NULL;
  if (!slot) {
    dp->stats.drops_room++;
    return false;
  }
  dp->sequence = (uint8_t)(dp->sequence + (plan.n > 1));
  for (unsigned i = 0; i < plan.n; i++, slot += batch_stride(room)) {
    uint8_t *at = slot + PACKET_HEADROOM;
    size_t n = len < plan.size ? len : plan.size;
    ovpn_fragment_head(at, &plan, i, dp->sequence);
    memcpy(at + OVPN_FRAGMENT_HEAD, p, n);
    if (!seal_framed(dp, tx, slot, at, OVPN_FRAGMENT_HEAD + n))
      return false;
    p += n;
    len -= n;
  }
  return true;
}

/* Seals what stands at p in a slot. */
static bool seal(Datapath *dp, Batch *tx, uint8_t *slot, uint8_t *p, size_t len)
{
  bool packed =
      dp->peer.pack && dp->packer &&
      ovpn_packer_add(dp->packer, dp->now, dp->peer.compress, dp->peer.pack_adaptive, &p, &len);
  if (!packed)
    ovpn_frame_add(dp->peer.compress, &p, &len);
  return dp->peer.fragment ? seal_pieces(dp, tx, p, len) : seal_framed(dp, tx, slot, p, len);
}

/* `n` slots for payloads; when packets are cut they are only their source, and stay untouched until
 * the batch is out. */
static uint8_t *source_slots(const Datapath *dp, Batch *tx, unsigned n, size_t len)
{
  uint8_t *slot = batch_reserve(tx, n, len);
  if (slot && dp->peer.fragment)
    tx->used += n * batch_stride(len);
  return slot;
}

/* block-ipv6, block-ipv4 and the guard: programs learn at once that a family is closed, and use the
 * other one. */
static bool refuse_family(Datapath *dp, Tun *tun, const uint8_t *p, size_t len)
{
  uint8_t answer[OVPN_UNREACHABLE_MAX];
  if (dp->peer.tap || len == 0)
    return false;
  bool v6 = p[0] >> 4 == 6;
  if (v6 ? !dp->peer.block_ipv6 && guard_lets(&dp->guard, p, len) : !dp->peer.block_ipv4)
    return false;
  size_t n = v6 ? ovpn_unreachable6(p, len, answer, sizeof answer)
                : ovpn_unreachable4(p, len, answer, sizeof answer);
  struct virtio_net_hdr plain = {0};
  struct iovec iov[2] = {{&plain, sizeof plain}, {answer, n}};
  if (n > 0 && tun->flags & TUN_VNET_HDR)
    (void)tun_write_super(tun, iov, 2, n);
  else if (n > 0)
    (void)tun_write(tun, answer, n);
  dp->stats.drops_ipv6++;
  return true;
}

/* One packet of the TUN's, in its slot. */
static void send_packet(Datapath *dp, Batch *tx, uint8_t *slot, size_t len, bool syn)
{
  uint8_t *p = slot + PACKET_HEADROOM;
  if (dp->peer.mss && syn)
    ovpn_mssfix(p, len, dp->peer.tap, dp->peer.mss);
  translate(dp, true, p, len);
  dp->tos = type_of_service(dp, p, len);
  if (seal(dp, tx, slot, p, len))
    dp->notes.payload += len;
  dp->tos = 0;
}

static bool unwanted(Datapath *dp, const uint8_t *p, size_t len)
{
  bool back = dp->send && !dp->peer.tap && leads_back(&dp->peer, p, len);
  dp->stats.drops_back += back;
  dp->stats.drops_down += !dp->send;
  return !dp->send || back;
}

/* How many payloads of `len` bytes the batch still takes, with the pieces they may be cut into. */
static unsigned payloads_left(const Datapath *dp, const Batch *tx, size_t len)
{
  size_t packets = 1, bytes = batch_stride(len);
  if (dp->peer.fragment) {
    OvpnPieces plan = ovpn_fragment_plan(len + FRAMING_MAX, dp->peer.fragment);
    packets = plan.n ? plan.n : 1;
    bytes += packets * batch_stride(OVPN_FRAGMENT_HEAD + plan.size);
  }
  size_t by_packets = (BATCH_PACKETS - tx->n) / packets, by_bytes = (BATCH_SLAB - tx->used) / bytes;
  return (unsigned)(by_packets < by_bytes ? by_packets : by_bytes);
}

/* Segments of the super-packet, as many as the batch takes. The others come with the next one. */
static void transmit_segments(Datapath *dp, Batch *tx)
{
  OffloadSuper *s = &dp->split;
  while (dp->pending) {
    unsigned left = s->segments - s->next, n = payloads_left(dp, tx, s->len);
    unsigned paced = shaper_left(dp, s->len);
    if (paced == 0)
      return;
    n = n < left ? n : left;
    n = n < paced ? n : paced;
    uint8_t *slot = n > 0 && dp->send ? source_slots(dp, tx, n, s->len) : NULL;
    if (!slot && !batch_empty(tx) && dp->send)
      return;
    if (!slot) {
      *(dp->send ? &dp->stats.drops_room : &dp->stats.drops_down) += left;
      dp->pending = false;
      return;
    }
    OffloadSlots slots = {slot, batch_stride(s->len), PACKET_HEADROOM, n};
    OffloadRun run;
    if (offload_next(s, &slots, &run))
      for (unsigned i = 0; i < run.n; i++)
        send_packet(dp, tx, slot + i * slots.stride, i + 1 < run.n ? run.len : run.last, s->syn);
    dp->pending = s->next < s->segments;
  }
}

/* A TUN that gives super-packets holds 500 of them, 32 MB, which is seconds on a slow link; and no
 * sender notices. So when the link has pushed back and the TUN was never empty for QUEUE_PATIENCE,
 * a segment is left out, and then more and more often until it was: the law of CoDel (RFC 8289)
 * with "empty" in place of a target, as the kernel does not tell how long a packet has waited. */
static bool queue_too_long(DatapathQueue *q, uint64_t now)
{
  if (!q->blocked || now - q->blocked > QUEUE_PATIENCE) {
    q->since = 0;
    return false;
  }
  if (!q->since) {
    *q = (DatapathQueue){.blocked = q->blocked, .since = now, .next = now + QUEUE_PATIENCE};
    return false;
  }
  if (now < q->next)
    return false;
  unsigned root = 1;
  for (q->drops++; root * root < q->drops; root++)
    ;
  q->next = now + QUEUE_PATIENCE / root;
  return true;
}

static ssize_t transmit_super(Datapath *dp, Tun *tun, Batch *tx)
{
  struct virtio_net_hdr vnet;
  ssize_t n = tun_read_super(tun, &vnet, dp->super, SUPER_MAX);
  if (n <= 0)
    return n;
  size_t len = (size_t)n;
  dp->stats.tun_rx_bytes += len;
  dp->stats.tun_rx_calls++;
  if (unwanted(dp, dp->super, len) || refuse_family(dp, tun, dp->super, len))
    return n;
  if (offload_open(&dp->split, &vnet, dp->super, len, tun->tap, PACKET_MAX) != OFFLOAD_OK) {
    dp->stats.drops_format++;
    return n;
  }
  dp->stats.tun_rx_packets += dp->split.segments;
  if (queue_too_long(&dp->queue, dp->now)) {
    dp->split.next++; /* its others tell the sender sooner than a time-out would */
    dp->stats.drops_queue++;
  }
  dp->pending = dp->split.next < dp->split.segments;
  transmit_segments(dp, tx);
  return n;
}

static ssize_t transmit_plain(Datapath *dp, Tun *tun, Batch *tx)
{
  uint8_t *slot = batch_reserve(tx, 1, PACKET_MAX);
  if (!slot)
    return 0;
  uint8_t *p = slot + PACKET_HEADROOM;
  ssize_t n = tun_read(tun, p, PACKET_MAX);
  if (n <= 0)
    return n;
  if (dp->peer.fragment)
    tx->used += batch_stride((size_t)n);
  size_t len = (size_t)n;
  dp->stats.tun_rx_bytes += len;
  dp->stats.tun_rx_packets++;
  dp->stats.tun_rx_calls++;
  if (!unwanted(dp, p, len) && !refuse_family(dp, tun, p, len))
    send_packet(dp, tx, slot, len, true);
  return n;
}

bool datapath_transmit(Datapath *dp, Tun *tun, Batch *tx)
{
  size_t budget = dp->peer.tcp ? BUDGET_BYTES_TCP : BUDGET_BYTES;
  transmit_segments(dp, tx);
  for (unsigned reads = 0;
       !dp->pending && reads < READS_MAX && tx->n < BUDGET_PACKETS && tx->used < budget; reads++) {
    if (shaper_left(dp, 0) == 0)
      return true;
    ssize_t n =
        tun->flags & TUN_VNET_HDR ? transmit_super(dp, tun, tx) : transmit_plain(dp, tun, tx);
    if (n <= 0) {
      dp->queue.since = 0;
      return n == 0;
    }
  }
  return true;
}

bool datapath_send(Datapath *dp, Batch *tx, const uint8_t *payload, size_t len)
{
  uint8_t *slot = source_slots(dp, tx, 1, len);
  if (!dp->send || !slot)
    return false;
  memcpy(slot + PACKET_HEADROOM, payload, len);
  return seal(dp, tx, slot, slot + PACKET_HEADROOM, len);
}
