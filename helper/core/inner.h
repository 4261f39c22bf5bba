/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the encrypted payload: ping, OCC, compression framing, mssfix. spec §12, §16.3. Pure; in
 * place. */
#pragma once
#include "config.h"
#include "status.h"

extern const uint8_t ovpn_ping_magic[16];
typedef enum OvpnInner {
  OVPN_INNER_PACKET,
  OVPN_INNER_PING,
  OVPN_INNER_OCC_EXIT,
  OVPN_INNER_OCC_OTHER
} OvpnInner;
OvpnInner ovpn_inner_classify(const uint8_t *p, size_t len);

/* OCC messages, by their number. spec §12.4 */
enum {
  OVPN_OCC_REQUEST,          /* which options? */
  OVPN_OCC_REPLY,            /* text with a NUL */
  OVPN_OCC_MTU_LOAD_REQUEST, /* u16: a message of that size, please */
  OVPN_OCC_MTU_LOAD,
  OVPN_OCC_MTU_REQUEST, /* which sizes went through? */
  OVPN_OCC_MTU_REPLY,   /* u16 received, u16 sent */
  OVPN_OCC_EXIT,
  OVPN_OCC_MAX = 2048, /* bytes of the longest message of ours */
};
size_t ovpn_occ_request(uint8_t *buf, size_t cap); /* 17 bytes */
size_t ovpn_occ_exit(uint8_t *buf, size_t cap);    /* 17 bytes */
/* A payload of OVPN_INNER_OCC_OTHER: 1 << the question that wants an answer, 0 = none does.
 * *ret_load: only with MTU_LOAD_REQUEST. */
uint8_t ovpn_occ_question(const uint8_t *p, size_t len, uint16_t *ret_load);
typedef struct OvpnOccAnswer {
  uint8_t questions; /* what is left to be answered */
  uint16_t load;
  const char *options; /* "" = not told (disable-occ) */
  uint16_t largest_in, largest_out;
} OvpnOccAnswer;
/* The next answer, as the stock peer gives it; 0 = all done. */
size_t ovpn_occ_answer(OvpnOccAnswer *a, void (*random)(void *user, uint8_t *buf, size_t len),
                       void *user, uint8_t *buf, size_t cap);

/* Send: adds the framing of `mode` (never compresses). *p may move back by up to 2 bytes (headroom
 * needed) and len may grow by up to 2; the swap framings (STUB, LZ4) use one byte behind the
 * payload. */
void ovpn_frame_add(OvpnCompress mode, uint8_t **p, size_t *len);
/* Receive: removes it. Compressed data is decompressed into scratch (cap bytes) and *p points
 * there; the output is bounded by cap. DROP_FRAMING when the marker or the block is bad. */
OvpnStatus ovpn_frame_remove(OvpnCompress mode, uint8_t **p, size_t *len, uint8_t *scratch,
                             size_t cap);

/* The MSS value for inner IPv4 (IPv6: 20 less), spec §16.3; 0 = do not clamp. tun_mtu: of the
 * profile, else 1500: what a server pushes does not change the default of mssfix in OpenVPN 2.6
 * (which was measured). crypto_header: IV and HMAC, or id and tag, bytes. path_mtu: what the path
 * takes in one piece, 0 = not known; below 1500, and over UDP, packets of segments are no larger
 * than that, unless mssfix is 0 or fixed. The rest from the config. */
unsigned ovpn_mss(const OvpnConfig *c, unsigned tun_mtu, bool tcp_link, bool link_ipv6, bool cbc,
                  unsigned block, unsigned crypto_header, bool peer_id, bool one_byte_comp,
                  unsigned path_mtu);
/* Payload of one piece behind its header, for `fragment`; 0 = nothing is left, or fragment is off.
 * The other arguments as above. */
unsigned ovpn_fragment_max(const OvpnConfig *c, bool link_ipv6, bool cbc, unsigned block,
                           unsigned crypto_header, bool peer_id, unsigned path_mtu);
/* The arithmetic behind it: limit on a packet, bytes outside the encrypted part (heads, IV, tag or
 * HMAC; AEAD ids too), CBC block size (0 or 1 = no padding), bytes inside in front of the IP
 * packet. 0 = nothing is left. */
unsigned ovpn_mss_compute(unsigned limit, unsigned outside, unsigned block, unsigned inside);
/* Lowers the MSS of a TCP SYN in an IPv4/IPv6 packet (tap: Ethernet frame, 802.1Q too), checksum
 * fixed. Anything else is left alone; never reads beyond len. The checksum must be complete (not
 * offloaded). */
void ovpn_mssfix(uint8_t *pkt, size_t len, bool tap, unsigned mss);
