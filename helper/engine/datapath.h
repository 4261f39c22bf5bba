/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The data channel. The verbs are those of the Linux kernel's own ovpn module (key slots, swap,
 * delete, peer, statistics), so that the kernel can become a second backend. spec §6.5, §11, §12,
 * §16.3. */
#pragma once
#include "helper/core/aead.h"
#include "helper/core/dhcp.h"
#include "helper/core/fragment.h"
#include "helper/core/inner.h"
#include "helper/core/ipc.h"
#include "helper/core/nat.h"
#include "helper/engine/guard.h"
#include "helper/core/pack.h"
#include "helper/engine/link.h"
#include "helper/engine/merge.h"
#include "helper/engine/offload.h"
#include "helper/engine/pool.h"
#include "helper/engine/tun.h"

enum { DATAPATH_SLOTS = 8 };

/* A standing queue: a link that pushes back while the TUN has not been seen empty for a while. */
typedef struct DatapathQueue {
  uint64_t blocked; /* when the link last took less than everything; the caller notes it */
  uint64_t since;   /* when it was first so without an empty TUN, 0 = not now */
  uint64_t next;    /* time of the next drop */
  unsigned drops;   /* in this spell */
} DatapathQueue;

/* What holds for the whole session. */
typedef struct DatapathPeer {
  OvpnCompress compress;
  bool pack, pack_adaptive; /* outgoing packets are compressed */
  bool tap;
  bool tcp;
  bool block_ipv6; /* answer IPv6 packets of this computer with an error */
  bool block_ipv4; /* the same of IPv4 */
  bool passtos;    /* outer packets get the type of service of inner ones */
  unsigned shaper; /* bytes per second towards the server; 0 = no limit */
  OvpnNatRule nat[OVPN_NAT_MAX];
  size_t n_nat;
  unsigned mss;                 /* 0 = leave alone */
  unsigned fragment;            /* payload of a piece, bytes; 0 = packets are not cut */
  struct sockaddr_storage peer; /* packets to it stay out of the tunnel */
} DatapathPeer;

typedef struct Datapath {
  OvpnDataKey *keys[DATAPATH_SLOTS];
  OvpnDataKey *send; /* one of keys, or NULL */
  bool bare;         /* static key mode: every packet is data, for key 0 */
  OvpnIds ids;       /* of the static key in the session before */
  DatapathPeer peer;
  Guard guard;              /* of IPv6; outlives sessions, as the device does */
  bool up;                  /* payload flows */
  OvpnDhcp *dhcp;           /* TAP: sees what comes in first, up or not; NULL = none; borrowed */
  uint64_t now;             /* ns; the caller sets it before each batch */
  OvpnFragments *fragments; /* NULL unless packets come in pieces */
  uint64_t shaper_free;     /* ns: when all that was sent has had its time */
  bool shaper_waits;        /* nothing is taken from the TUN until then */
  uint8_t tos;              /* of the packet that is being sealed */
  uint8_t sequence;         /* of the last packet that was cut */
  OvpnPacker *packer;       /* NULL until it is wanted */
  uint8_t *scratch;         /* decompressed payload of one packet */
  uint8_t *super;           /* a super-packet from the TUN */
  bool pending;             /* segments of `split` are left: transmit goes on with them */
  bool merge_refused;       /* the kernel did not take a super-packet */
  OffloadSuper split;       /* of `super` */
  DatapathQueue queue;
  Merge merge;
  OvpnStats stats;
  uint16_t largest_in, largest_out; /* data packets of this session, bytes */
  /* since the last datapath_take_notes() */
  struct {
    bool received, sent, occ_exit;
    uint8_t key_id; /* of the last packet received */
    uint8_t occ;    /* 1 << OVPN_OCC_x: questions of the peer */
    uint16_t occ_load;
    uint64_t payload;
  } notes;
} Datapath;

bool datapath_init(Datapath *dp);
/* Packets of up to `largest` bytes may come in pieces from now on. false = no memory. */
bool datapath_want_fragments(Datapath *dp, size_t largest);
void datapath_clear(Datapath *dp);
void datapath_set_key(Datapath *dp,
                      OvpnDataKey *k); /* takes it over; an older one of the same id goes */
void datapath_use_key(Datapath *dp, uint8_t id); /* send with it; unknown ids change nothing */
void datapath_del_key(Datapath *dp, uint8_t id);
void datapath_del_all(Datapath *dp);
void datapath_set_peer(Datapath *dp, const DatapathPeer *peer);
void datapath_set_tun(Datapath *dp, const Tun *tun); /* after tun_open */

/* Data packets of the batch go to the TUN; those for the session are marked and counted. */
unsigned datapath_receive(Datapath *dp, Tun *tun, Batch *rx);
/* Fills tx (must be empty) from the TUN. false: the device is gone. */
bool datapath_transmit(Datapath *dp, Tun *tun, Batch *tx);
/* shaper: when the TUN may be read again, ns; 0 = now. */
uint64_t datapath_waits(const Datapath *dp, uint64_t now);
/* Seals one payload of our own (ping, exit) into tx; false = no key or no room. */
bool datapath_send(Datapath *dp, Batch *tx, const uint8_t *payload, size_t len);
