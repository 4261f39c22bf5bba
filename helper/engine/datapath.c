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
#include <stdlib.h>
#include <string.h>
#include <strings.h>

bool datapath_init(Datapath *dp)
{
  *dp = (Datapath){.scratch = malloc(PACKET_MAX)};
  return dp->scratch != NULL;
}

void datapath_clear(Datapath *dp)
{
  datapath_del_all(dp);
  free(dp->scratch);
  *dp = (Datapath){0};
}

void datapath_set_key(Datapath *dp, OvpnDataKey *k)
{
  uint8_t id = ovpn_data_key_id(k) & 7;
  bool used = dp->send && dp->send == dp->keys[id];
  datapath_del_key(dp, id);
  dp->keys[id] = k;
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
  ovpn_data_key_free(*k);
  *k = NULL;
}

void datapath_del_all(Datapath *dp)
{
  for (uint8_t i = 0; i < DATAPATH_SLOTS; i++)
    datapath_del_key(dp, i);
  dp->up = false;
}

void datapath_set_peer(Datapath *dp, const DatapathPeer *peer)
{
  dp->peer = *peer;
}

unsigned datapath_digest_len(const char *auth)
{
  static const struct {
    const char *name;
    unsigned len;
  } digests[] = {{"SHA1", 20},   {"SHA224", 28}, {"SHA256", 32}, {"SHA384", 48},
                 {"SHA512", 64}, {"MD5", 16},    {"none", 0}};
  if (!auth)
    return 20;
  if (strncasecmp(auth, "RSA-", 4) == 0)
    auth += 4;
  for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++)
    if (strcasecmp(auth, digests[i].name) == 0)
      return digests[i].len;
  return 64;
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

static void deliver(Datapath *dp, Tun *tun, uint8_t *p, size_t len)
{
  if (!dp->up || (dp->peer.tap ? len < 14 : !ip_ok(p, len))) {
    dp->stats.drops_other++;
    return;
  }
  if (dp->peer.mss)
    ovpn_mssfix(p, len, dp->peer.tap, dp->peer.mss);
  if (!tun_write(tun, p, len)) {
    dp->stats.drops_tun++;
    return;
  }
  dp->stats.tun_tx_bytes += len;
  dp->stats.tun_tx_packets++;
  dp->notes.payload += len;
}

static void receive_one(Datapath *dp, Tun *tun, Packet *in)
{
  OvpnDataKey *k = dp->keys[ovpn_key_id(in->data[0])];
  uint8_t *p = NULL;
  size_t len = 0;
  OvpnStatus st = k ? ovpn_data_open(k, in->data, in->len, &p, &len) : OVPN_DROP_KEY_ID;
  if (st != OVPN_OK) {
    *(st == OVPN_DROP_AUTH     ? &dp->stats.drops_auth
      : st == OVPN_DROP_REPLAY ? &dp->stats.drops_replay
                               : &dp->stats.drops_other) += 1;
    return;
  }
  dp->notes.received = true;
  st = ovpn_frame_remove(dp->peer.compress, &p, &len, dp->scratch, PACKET_MAX);
  if (st != OVPN_OK || len == 0) {
    dp->stats.drops_other++;
    return;
  }
  switch (ovpn_inner_classify(p, len)) {
  case OVPN_INNER_PACKET:
    deliver(dp, tun, p, len);
    break;
  case OVPN_INNER_OCC_EXIT:
    dp->notes.occ_exit = true;
    break;
  case OVPN_INNER_PING:
  case OVPN_INNER_OCC_OTHER:
    break;
  }
}

uint32_t datapath_receive(Datapath *dp, Tun *tun, Batch *rx)
{
  uint32_t control = 0;
  for (unsigned i = 0; i < rx->n; i++) {
    Packet *p = &rx->p[i];
    if (p->len == 0)
      dp->stats.drops_other++;
    else if (ovpn_op_is_data(ovpn_opcode(p->data[0])))
      receive_one(dp, tun, p);
    else
      control |= (uint32_t)1 << i;
  }
  return control;
}

/* Seals what stands at p in slot tx->n. */
static bool seal(Datapath *dp, Batch *tx, uint8_t *p, size_t len)
{
  ovpn_frame_add(dp->peer.compress, &p, &len);
  uint8_t *slot = batch_slot(tx, tx->n), *pkt = NULL;
  size_t pkt_len = 0;
  /* two bytes in front stay free for the length of a TCP packet */
  OvpnStatus st = ovpn_data_seal(dp->send, slot + 2, (size_t)(p - slot) - 2, len, &pkt, &pkt_len);
  if (st != OVPN_OK || pkt_len > UINT16_MAX) {
    dp->stats.drops_other++;
    return false;
  }
  batch_push(tx, pkt, pkt_len, dp->peer.tcp);
  dp->notes.sent = true;
  return true;
}

/* block-ipv6: programs learn at once that IPv6 is closed, and use IPv4. */
static bool refuse_ipv6(Datapath *dp, Tun *tun, const uint8_t *p, size_t len)
{
  uint8_t answer[OVPN_UNREACHABLE_MAX];
  if (!dp->peer.block_ipv6 || dp->peer.tap || len == 0 || p[0] >> 4 != 6)
    return false;
  size_t n = ovpn_unreachable6(p, len, answer, sizeof answer);
  if (n > 0)
    (void)tun_write(tun, answer, n);
  dp->stats.drops_other++;
  return true;
}

bool datapath_transmit(Datapath *dp, Tun *tun, Batch *tx)
{
  for (unsigned reads = 0; reads < BATCH_MAX; reads++) {
    uint8_t *p = batch_room(tx, tx->n);
    ssize_t n = tun_read(tun, p, PACKET_MAX);
    if (n <= 0)
      return n == 0;
    size_t len = (size_t)n;
    dp->stats.tun_rx_bytes += len;
    dp->stats.tun_rx_packets++;
    if (!dp->send || (!dp->peer.tap && leads_back(&dp->peer, p, len))) {
      dp->stats.drops_other++;
      continue;
    }
    if (refuse_ipv6(dp, tun, p, len))
      continue;
    if (dp->peer.mss)
      ovpn_mssfix(p, len, dp->peer.tap, dp->peer.mss);
    if (seal(dp, tx, p, len))
      dp->notes.payload += len;
  }
  return true;
}

bool datapath_send(Datapath *dp, Batch *tx, const uint8_t *payload, size_t len)
{
  if (!dp->send || tx->n >= BATCH_MAX)
    return false;
  memcpy(batch_room(tx, tx->n), payload, len);
  return seal(dp, tx, batch_room(tx, tx->n), len);
}
