/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What split and merge share: fields of IP packets, where their headers stand, Internet checksums.
 *
 * A checksum is worked on as a 64-bit sum of words in the byte order of the machine; a sum of
 * 16-bit words comes out right in memory on every machine when it is stored as it was loaded
 * (RFC 1071). A sum here is at most 2^48, so that a few of them can be added without a carry. */
#pragma once
#include <arpa/inet.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <linux/virtio_net.h>

#ifndef VIRTIO_NET_HDR_GSO_UDP_L4
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif

enum {
  INET_IP4_HEAD = 20,
  INET_IP6_HEAD = 40,
  INET_TCP_HEAD = 20,
  INET_UDP_HEAD = 8,
  INET_TCP_CHECK = 16, /* offset of the checksum in a TCP header */
  INET_UDP_CHECK = 6,
  INET_FIN = 0x01,
  INET_SYN = 0x02,
  INET_RST = 0x04,
  INET_PSH = 0x08,
  INET_ACK = 0x10,
  INET_CWR = 0x80,
};

/* Where the headers of a packet stand. All offsets are from its first byte and inside it. */
typedef struct InetHead {
  uint16_t l3;     /* IP header: 0, or behind the Ethernet header and its VLAN tags */
  uint16_t l4;     /* what follows the IP header and its extension headers */
  uint8_t version; /* 4 or 6; 0 = no IP packet, the rest has no meaning */
  uint8_t proto;   /* of what stands at l4 */
  bool bare;       /* no IP options, no extension headers */
  bool fragment;
  bool exact; /* the IP packet ends with the buffer */
} InetHead;

/* false: cut short, or lengths that cannot be. */
bool inet_parse(const uint8_t *p, size_t len, bool tap, InetHead *ret);

uint64_t inet_sum(const uint8_t *p, size_t n);
/* The same while the bytes are copied; no overlap. */
uint64_t inet_sum_copy(uint8_t *to, const uint8_t *p, size_t n);
/* As above without the wide instructions of this machine, for tests. */
uint64_t inet_sum_narrow(const uint8_t *p, size_t n);

static inline uint16_t inet_load16(const uint8_t *p)
{
  uint16_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

static inline uint32_t inet_load32(const uint8_t *p)
{
  uint32_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

static inline uint64_t inet_load64(const uint8_t *p)
{
  uint64_t v;
  memcpy(&v, p, sizeof v);
  return v;
}

static inline void inet_store16(uint8_t *p, uint16_t v)
{
  memcpy(p, &v, sizeof v);
}

static inline void inet_store32(uint8_t *p, uint32_t v)
{
  memcpy(p, &v, sizeof v);
}

/* 16 bits of a sum, not inverted. */
static inline uint16_t inet_fold(uint64_t s)
{
  s = (s & 0xffffffff) + (s >> 32);
  s = (s & 0xffffffff) + (s >> 32);
  s = (s & 0xffff) + (s >> 16);
  s = (s & 0xffff) + (s >> 16);
  return (uint16_t)s;
}

/* Addresses and protocol of a pseudo header, without the length. `ip`: a whole IP header. */
static inline uint64_t inet_pseudo(const uint8_t *ip, bool v6, uint8_t proto)
{
  uint64_t s = htons(proto);
  for (unsigned at = v6 ? 8 : 12, end = v6 ? 40 : 20; at < end; at += 4)
    s += inet_load32(ip + at);
  return s;
}
