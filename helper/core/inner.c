/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside the encrypted payload: ping, OCC messages, the MSS of TCP connections. spec §12.3, §12.4,
 * §16.3.
 *
 * Input is authenticated or comes from the TUN, but lengths and header fields are not believed:
 * everything is read through a bounded reader, anything unusual is left alone. */
#include "helper/core/inner.h"
#include "helper/core/fragment.h"
#include "helper/core/wire.h"
#include <strings.h>

const uint8_t ovpn_ping_magic[16] = {0x2a, 0x18, 0x7b, 0xf3, 0x64, 0x1e, 0xb4, 0xcb,
                                     0x07, 0xed, 0x2d, 0x0a, 0x98, 0x1f, 0xc7, 0x48};
static const uint8_t occ_magic[16] = {0x28, 0x7f, 0x34, 0x6b, 0xd4, 0xef, 0x7a, 0x81,
                                      0x2d, 0x56, 0xb8, 0xd3, 0xaf, 0xc5, 0x45, 0x9c};

OvpnInner ovpn_inner_classify(const uint8_t *p, size_t len)
{
  if (len == sizeof(ovpn_ping_magic) && !memcmp(p, ovpn_ping_magic, len))
    return OVPN_INNER_PING;
  if (len > sizeof(occ_magic) && !memcmp(p, occ_magic, sizeof(occ_magic)))
    return p[sizeof(occ_magic)] == OVPN_OCC_EXIT ? OVPN_INNER_OCC_EXIT : OVPN_INNER_OCC_OTHER;
  return OVPN_INNER_PACKET;
}

static size_t occ_message(uint8_t op, uint8_t *buf, size_t cap)
{
  OvpnWriter w = ovpn_writer(buf, cap);
  ovpn_write_bytes(&w, occ_magic, sizeof(occ_magic));
  ovpn_write_u8(&w, op);
  return w.ok ? w.len : 0;
}

size_t ovpn_occ_request(uint8_t *buf, size_t cap)
{
  return occ_message(OVPN_OCC_REQUEST, buf, cap);
}

size_t ovpn_occ_exit(uint8_t *buf, size_t cap)
{
  return occ_message(OVPN_OCC_EXIT, buf, cap);
}

uint8_t ovpn_occ_question(const uint8_t *p, size_t len, uint16_t *ret_load)
{
  OvpnReader r = ovpn_reader(p, len);
  ovpn_read_bytes(&r, sizeof occ_magic);
  uint8_t op = ovpn_read_u8(&r);
  uint16_t load = op == OVPN_OCC_MTU_LOAD_REQUEST ? ovpn_read_u16(&r) : 0;
  bool asks =
      op == OVPN_OCC_REQUEST || op == OVPN_OCC_MTU_LOAD_REQUEST || op == OVPN_OCC_MTU_REQUEST;
  if (!r.ok || !asks)
    return 0;
  if (op == OVPN_OCC_MTU_LOAD_REQUEST)
    *ret_load = load;
  return (uint8_t)(1u << op);
}

static bool take_question(OvpnOccAnswer *a, unsigned op)
{
  bool asked = a->questions & 1u << op;
  a->questions &= (uint8_t) ~(1u << op);
  return asked;
}

size_t ovpn_occ_answer(OvpnOccAnswer *a, void (*random)(void *user, uint8_t *buf, size_t len),
                       void *user, uint8_t *buf, size_t cap)
{
  OvpnWriter w = ovpn_writer(buf, cap);
  ovpn_write_bytes(&w, occ_magic, sizeof occ_magic);
  if (take_question(a, OVPN_OCC_REQUEST) && *a->options) {
    ovpn_write_u8(&w, OVPN_OCC_REPLY);
    ovpn_write_bytes(&w, a->options, strlen(a->options) + 1);
  } else if (take_question(a, OVPN_OCC_MTU_REQUEST)) {
    ovpn_write_u8(&w, OVPN_OCC_MTU_REPLY);
    ovpn_write_u16(&w, a->largest_in);
    ovpn_write_u16(&w, a->largest_out);
  } else if (take_question(a, OVPN_OCC_MTU_LOAD_REQUEST)) {
    /* noise, so that compression on the way does not make it shorter */
    ovpn_write_u8(&w, OVPN_OCC_MTU_LOAD);
    if (w.ok && a->load > w.len) {
      size_t size = a->load < cap ? a->load : cap;
      random(user, buf + w.len, size - w.len);
      return size;
    }
  } else {
    return 0;
  }
  return w.ok ? w.len : 0;
}

enum { TCP_IP4_HEADERS = 40, MTU_ETHERNET = 1500, MSSFIX_DEFAULT = 1492, SOCKS_UDP_HEADER = 10 };

/* What is left for the encrypted text without its padding. */
static unsigned text_room(unsigned limit, unsigned outside, unsigned block)
{
  if (limit <= outside)
    return 0;
  unsigned room = limit - outside;
  if (block > 1) /* at least one byte of padding */
    room = room / block * block - (room >= block ? 1 : 0);
  return room;
}

unsigned ovpn_mss_compute(unsigned limit, unsigned outside, unsigned block, unsigned inside)
{
  unsigned room = text_room(limit, outside, block), headers = TCP_IP4_HEADERS + inside;
  return room > headers ? room - headers : 0;
}

static unsigned outside_bytes(const OvpnConfig *c, bool mtu, bool tcp_link, bool link_ipv6,
                              unsigned crypto_header, bool peer_id)
{
  unsigned head = ovpn_config_is_static(c) ? 0 : peer_id ? 4 : 1;
  unsigned n = head + (tcp_link ? 2 : 0) + crypto_header;
  if (!tcp_link && c->proxy_type && !strcasecmp(c->proxy_type, "socks"))
    n += SOCKS_UDP_HEADER;
  if (mtu)
    n += (link_ipv6 ? 40 : 20) + (tcp_link ? 20 : 8);
  return n;
}

/* The packet id of CBC lies inside the encrypted part. */
static unsigned inner_id(const OvpnConfig *c, bool cbc)
{
  return !cbc ? 0 : ovpn_config_is_static(c) ? 8 : 4;
}

/* Ethernet and more is what the rules of OpenVPN are made for. */
static bool is_narrow(unsigned path_mtu)
{
  return path_mtu && path_mtu < MTU_ETHERNET;
}

unsigned ovpn_fragment_max(const OvpnConfig *c, bool link_ipv6, bool cbc, unsigned block,
                           unsigned crypto_header, bool peer_id, unsigned path_mtu)
{
  unsigned outside = outside_bytes(c, c->fragment_mtu, false, link_ipv6, crypto_header, peer_id);
  unsigned room = text_room(c->fragment, outside, cbc ? block : 0);
  unsigned inside = OVPN_FRAGMENT_HEAD + inner_id(c, cbc);
  if (is_narrow(path_mtu) && c->fragment) {
    outside = outside_bytes(c, true, false, link_ipv6, crypto_header, peer_id);
    unsigned path_room = text_room(path_mtu, outside, cbc ? block : 0);
    room = path_room < room ? path_room : room;
  }
  return room > inside ? room - inside : 0;
}

/* Bytes that are kept free for whatever a TAP driver puts in front of a frame. */
static unsigned tun_mtu_extra(const OvpnConfig *c)
{
  enum { TAP_EXTRA = 32 };
  return c->tun_mtu_extra >= 0 ? (unsigned)c->tun_mtu_extra : c->tap ? TAP_EXTRA : 0;
}

unsigned ovpn_mss(const OvpnConfig *c, unsigned tun_mtu, bool tcp_link, bool link_ipv6, bool cbc,
                  unsigned block, unsigned crypto_header, bool peer_id, bool one_byte_comp,
                  unsigned path_mtu)
{
  unsigned limit = c->mssfix < 0 ? 0 : (unsigned)c->mssfix, fragment = tcp_link ? 0 : c->fragment;
  bool mtu = c->mssfix_mtu, fixed = c->mssfix_fixed;
  if (c->mssfix == 0)
    return 0;
  if (c->mssfix < 0) {
    mtu = fixed = false;
    if (fragment) {
      limit = fragment;
      mtu = true;
    } else if (tun_mtu == MTU_ETHERNET && !c->link_mtu) {
      limit = MSSFIX_DEFAULT;
      mtu = true;
    } else {
      limit = tun_mtu;
      fixed = true;
    }
  }
  unsigned inside = tun_mtu_extra(c) + (one_byte_comp ? 1 : 0) +
                    (fragment ? OVPN_FRAGMENT_HEAD : 0) + inner_id(c, cbc);
  unsigned outside = outside_bytes(c, mtu, tcp_link, link_ipv6, crypto_header, peer_id);
  unsigned mss = !fixed ? ovpn_mss_compute(limit, outside, cbc ? block : 0, inside)
                 : limit > TCP_IP4_HEADERS ? limit - TCP_IP4_HEADERS
                                           : 0;
  if (is_narrow(path_mtu) && !tcp_link && !c->mssfix_fixed) {
    outside = outside_bytes(c, true, false, link_ipv6, crypto_header, peer_id);
    unsigned fits = ovpn_mss_compute(path_mtu, outside, cbc ? block : 0, inside);
    mss = fits && fits < mss ? fits : mss;
  }
  return mss;
}

enum {
  PROTO_TCP = 6,
  TCP_MIN = 20,
  TCP_SYN = 0x02,
  TCP_CHECKSUM_AT = 16,
  OPT_END = 0,
  OPT_NOP = 1,
  OPT_MSS = 2,
  ETHER_IP4 = 0x0800,
  ETHER_IP6 = 0x86dd,
  ETHER_VLAN = 0x8100,
  ETHER_QINQ = 0x88a8,
};

static void put_u16(uint8_t *at, uint16_t v)
{
  OvpnWriter w = ovpn_writer(at, 2);
  ovpn_write_u16(&w, v);
}

static uint16_t swap16(uint16_t v)
{
  return (uint16_t)(v << 8 | v >> 8);
}

/* RFC 1624: the one's complement sum after one 16-bit word changed. */
static uint16_t checksum_update(uint16_t sum, uint16_t from, uint16_t to)
{
  uint32_t s = (uint16_t)~sum + (uint32_t)(uint16_t)~from + to;
  s = (s & 0xffff) + (s >> 16);
  s = (s & 0xffff) + (s >> 16);
  return (uint16_t)~s;
}

/* tcp: writable view of exactly the TCP header with its options. */
static void lower_mss(uint8_t *tcp, size_t len, unsigned mss)
{
  OvpnReader r = ovpn_reader(tcp + TCP_MIN, len - TCP_MIN);
  while (ovpn_reader_left(&r)) {
    uint8_t kind = ovpn_read_u8(&r);
    if (kind == OPT_END)
      return;
    if (kind == OPT_NOP)
      continue;
    uint8_t n = ovpn_read_u8(&r);
    const uint8_t *body = n >= 2 ? ovpn_read_bytes(&r, n - 2u) : NULL;
    if (!r.ok || !body)
      return;
    if (kind != OPT_MSS || n != 4)
      continue;
    OvpnReader v = ovpn_reader(body, 2), s = ovpn_reader(tcp + TCP_CHECKSUM_AT, 2);
    uint16_t old = ovpn_read_u16(&v), sum = ovpn_read_u16(&s), new = (uint16_t)mss;
    if (old <= mss)
      continue;
    size_t at = (size_t)(body - tcp);
    put_u16(tcp + at, new);
    /* A value at an odd offset straddles two words of the sum. */
    sum = at % 2 ? checksum_update(sum, swap16(old), swap16(new)) : checksum_update(sum, old, new);
    put_u16(tcp + TCP_CHECKSUM_AT, sum);
  }
}

/* r stands at the transport header and ends with the packet. */
static void fix_tcp(uint8_t *pkt, OvpnReader r, unsigned mss)
{
  OvpnReader start = r;
  ovpn_read_bytes(&r, 12);
  size_t header = (size_t)(ovpn_read_u8(&r) >> 4) * 4;
  uint8_t flags = ovpn_read_u8(&r);
  if (!r.ok || !(flags & TCP_SYN) || header <= TCP_MIN)
    return;
  const uint8_t *tcp = ovpn_read_bytes(&start, header);
  if (tcp)
    lower_mss(pkt + (tcp - pkt), header, mss);
}

static void fix_ip4(uint8_t *pkt, OvpnReader r, unsigned mss)
{
  OvpnReader start = r;
  size_t header = (size_t)(ovpn_read_u8(&r) & 15) * 4;
  ovpn_read_u8(&r);
  size_t total = ovpn_read_u16(&r);
  ovpn_read_u16(&r);
  uint16_t fragment = ovpn_read_u16(&r);
  ovpn_read_u8(&r);
  uint8_t proto = ovpn_read_u8(&r);
  if (!r.ok || proto != PROTO_TCP || (fragment & 0x3fff) || header < 20 ||
      total > ovpn_reader_left(&start) || total < header)
    return;
  start.end = start.p + total;
  ovpn_read_bytes(&start, header);
  fix_tcp(pkt, start, mss);
}

static void fix_ip6(uint8_t *pkt, OvpnReader r, unsigned mss)
{
  ovpn_read_u32(&r);
  size_t payload = ovpn_read_u16(&r);
  uint8_t next = ovpn_read_u8(&r);
  ovpn_read_bytes(&r, 33);
  if (!r.ok || next != PROTO_TCP || payload > ovpn_reader_left(&r) || mss <= 20)
    return;
  r.end = r.p + payload;
  fix_tcp(pkt, r, mss - 20);
}

void ovpn_mssfix(uint8_t *pkt, size_t len, bool tap, unsigned mss)
{
  if (mss == 0 || len == 0)
    return;
  if (mss > UINT16_MAX)
    mss = UINT16_MAX;
  OvpnReader r = ovpn_reader(pkt, len);
  if (tap) {
    ovpn_read_bytes(&r, 12);
    uint16_t type = ovpn_read_u16(&r);
    for (unsigned tags = 0; tags < 2 && (type == ETHER_VLAN || type == ETHER_QINQ); tags++) {
      ovpn_read_u16(&r);
      type = ovpn_read_u16(&r);
    }
    if (!r.ok || (type != ETHER_IP4 && type != ETHER_IP6))
      return;
  }
  OvpnReader peek = r;
  uint8_t version = ovpn_read_u8(&peek) >> 4;
  if (version == 4)
    fix_ip4(pkt, r, mss);
  else if (version == 6)
    fix_ip6(pkt, r, mss);
}
