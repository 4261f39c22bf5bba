/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The ICMP errors of block-ipv6 and block-ipv4. Input is a packet of this computer, yet of any
 * program on it: all lengths are checked. The error is written as if the destination had sent it,
 * since this program has no address of its own; the kernel hands it to the program that waits. */
#include "helper/core/unreachable.h"
#include "helper/core/wire.h"

enum { IP6_HEAD = 40, ICMP6_HEAD = 8, NEXT_ICMP6 = 58, ICMP6_UNREACHABLE = 1, HOP_LIMIT = 64 };

static bool is_group(const uint8_t address[16])
{
  return address[0] == 0xff;
}

static bool is_nobody(const uint8_t address[16])
{
  static const uint8_t zeros[16];
  return memcmp(address, zeros, 16) == 0;
}

/* Errors are never answered with errors. Behind extension headers the type is not looked for: then
 * nothing is answered if it could be ICMPv6. */
static bool may_answer(const uint8_t *pkt, size_t len)
{
  const uint8_t *source = pkt + 8, *destination = pkt + 24;
  if (is_group(source) || is_nobody(source) || is_group(destination) || is_nobody(destination))
    return false;
  uint8_t next = pkt[6];
  if (next == NEXT_ICMP6)
    return len > IP6_HEAD && (pkt[IP6_HEAD] & 0x80); /* informational */
  return next == 6 || next == 17 || next == 132 || next == 50;
}

static uint32_t sum16(uint32_t sum, const uint8_t *p, size_t len)
{
  for (size_t i = 0; i + 1 < len; i += 2)
    sum += (uint32_t)p[i] << 8 | p[i + 1];
  if (len & 1)
    sum += (uint32_t)p[len - 1] << 8;
  return sum;
}

static void put_sum(uint8_t *at, uint32_t sum)
{
  while (sum >> 16)
    sum = (sum & 0xffff) + (sum >> 16);
  at[0] = (uint8_t)(~sum >> 8);
  at[1] = (uint8_t)~sum;
}

size_t ovpn_unreachable6(const uint8_t *pkt, size_t len, uint8_t *out, size_t cap)
{
  if (len < IP6_HEAD || pkt[0] >> 4 != 6 || !may_answer(pkt, len))
    return 0;
  size_t quoted = len;
  if (quoted > OVPN_UNREACHABLE_MAX - IP6_HEAD - ICMP6_HEAD)
    quoted = OVPN_UNREACHABLE_MAX - IP6_HEAD - ICMP6_HEAD;
  OvpnWriter w = ovpn_writer(out, cap);
  ovpn_write_u32(&w, UINT32_C(6) << 28);
  ovpn_write_u16(&w, (uint16_t)(ICMP6_HEAD + quoted));
  ovpn_write_u8(&w, NEXT_ICMP6);
  ovpn_write_u8(&w, HOP_LIMIT);
  ovpn_write_bytes(&w, pkt + 24, 16); /* from the destination */
  ovpn_write_bytes(&w, pkt + 8, 16);  /* to the source */
  ovpn_write_u8(&w, ICMP6_UNREACHABLE);
  ovpn_write_u8(&w, 0); /* no route to destination */
  ovpn_write_u16(&w, 0);
  ovpn_write_u32(&w, 0);
  ovpn_write_bytes(&w, pkt, quoted);
  if (!w.ok)
    return 0;
  uint32_t sum = sum16(NEXT_ICMP6 + ICMP6_HEAD + (uint32_t)quoted, out + 8, w.len - 8);
  put_sum(out + IP6_HEAD + 2, sum);
  return w.len;
}

/* The same of IPv4: no errors about errors, about pieces behind the first, or to groups. */
static bool may_answer4(const uint8_t *pkt, size_t len, size_t head)
{
  enum { ICMP = 1, ECHO = 8, TIMESTAMP = 13 };
  const uint8_t *source = pkt + 12, *destination = pkt + 16;
  bool piece = (pkt[6] & 0x1f) || pkt[7];
  if (piece || source[0] == 0 || source[0] >= 224 || destination[0] == 0 || destination[0] >= 224)
    return false;
  if (pkt[9] == ICMP)
    return len > head && (pkt[head] == ECHO || pkt[head] == TIMESTAMP);
  return true;
}

size_t ovpn_unreachable4(const uint8_t *pkt, size_t len, uint8_t *out, size_t cap)
{
  enum { IP4_HEAD = 20, ICMP_HEAD = 8, ICMP = 1, UNREACHABLE = 3, QUOTED = 8 };
  if (len < IP4_HEAD || pkt[0] >> 4 != 4)
    return 0;
  size_t head = (size_t)(pkt[0] & 15) * 4;
  if (head < IP4_HEAD || len < head || !may_answer4(pkt, len, head))
    return 0;
  size_t quoted = len < head + QUOTED ? len : head + QUOTED;
  OvpnWriter w = ovpn_writer(out, cap);
  ovpn_write_u16(&w, 0x4500);
  ovpn_write_u16(&w, (uint16_t)(IP4_HEAD + ICMP_HEAD + quoted));
  ovpn_write_u32(&w, 0);
  ovpn_write_u8(&w, HOP_LIMIT);
  ovpn_write_u8(&w, ICMP);
  ovpn_write_u16(&w, 0);
  ovpn_write_bytes(&w, pkt + 16, 4); /* from the destination */
  ovpn_write_bytes(&w, pkt + 12, 4); /* to the source */
  ovpn_write_u8(&w, UNREACHABLE);
  ovpn_write_u8(&w, 0); /* the network */
  ovpn_write_u16(&w, 0);
  ovpn_write_u32(&w, 0);
  ovpn_write_bytes(&w, pkt, quoted);
  if (!w.ok)
    return 0;
  put_sum(out + 10, sum16(0, out, IP4_HEAD));
  put_sum(out + IP4_HEAD + 2, sum16(0, out + IP4_HEAD, w.len - IP4_HEAD));
  return w.len;
}
