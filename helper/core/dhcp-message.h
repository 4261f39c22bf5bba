/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DHCP messages in ethernet frames: one struct for what is sent, one for what is received. For
 * dhcp.c and its tests. RFC 2131 2, RFC 2132. */
#pragma once
#include "dhcp.h"

typedef enum OvpnDhcpType {
  OVPN_DHCP_DISCOVER = 1,
  OVPN_DHCP_OFFER = 2,
  OVPN_DHCP_REQUEST = 3,
  OVPN_DHCP_DECLINE = 4,
  OVPN_DHCP_ACK = 5,
  OVPN_DHCP_NAK = 6,
  OVPN_DHCP_RELEASE = 7
} OvpnDhcpType;

typedef struct OvpnDhcpOut {
  OvpnDhcpType type;
  uint32_t xid;
  uint16_t secs;
  bool ask_broadcast;               /* the answer shall come as a broadcast */
  struct in_addr client, requested; /* ciaddr, option 50; 0 = none */
  struct in_addr server;            /* option 54; 0 = none */
  const uint8_t *to_mac;            /* unicast to `to`; NULL = broadcast */
  struct in_addr to;
} OvpnDhcpOut;

/* Bytes of the frame, 0 when it does not fit. */
size_t ovpn_dhcp_encode(const OvpnDhcpOut *m, const OvpnDhcpParams *p, uint8_t *buf, size_t cap);

typedef struct OvpnDhcpIn {
  OvpnDhcpType type; /* OFFER, ACK or NAK */
  bool has_server;
  struct in_addr server;
  uint8_t from[6]; /* MAC */
  /* OFFER and ACK */
  OvpnLease lease;
  uint32_t lease_s;    /* UINT32_MAX = for ever */
  uint32_t t1_s, t2_s; /* 0 = not told */
} OvpnDhcpIn;

/* Is this frame an answer to that exchange of that client? Everything before the options. */
bool ovpn_dhcp_is_answer(const uint8_t *frame, size_t len, uint32_t xid, const uint8_t mac[6]);
/* Decodes such a frame completely. OVPN_OK, or DROP_x and *ret is not to be used. Options that say
 * nothing usable are left out; what makes no lease is DROP_FORMAT. */
OvpnStatus ovpn_dhcp_decode(const uint8_t *frame, size_t len, OvpnDhcpIn *ret);
