/* SPDX-License-Identifier: GPL-2.0-or-later */
/* DHCP messages in ethernet frames.
 *
 * Trusts nothing: that a frame came out of the tunnel says only that somebody in the far network
 * sent it. Every length is checked against the frame, options are checked as a whole before one is
 * used, an option that occurs in pieces is put together first (RFC 3396), lists are bounded. The
 * checksum of the IPv4 header is checked, that of UDP is not: a server on the machine of the
 * bridge may leave it to hardware that is not there, and the tunnel has its own. Fragments are not
 * taken: the answers are asked to fit. */
#include "helper/core/dhcp-message.h"
#include <arpa/inet.h>

enum {
  ETHER_HEAD = 14,
  IP_HEAD = 20,
  UDP_HEAD = 8,
  BOOTP_HEAD = 236,
  BOOTP_MIN = 300, /* shorter ones are thrown away by old relays */
  COOKIE = 0x63825363,
  PORT_SERVER = 67,
  PORT_CLIENT = 68,
  VALUE_MAX = 1500 /* of an option, put together */
};
enum {
  OPT_PAD = 0,
  OPT_MASK = 1,
  OPT_ROUTER = 3,
  OPT_DNS = 6,
  OPT_HOST = 12,
  OPT_DOMAIN = 15,
  OPT_STATIC_ROUTE = 33,
  OPT_WINS = 44,
  OPT_REQUESTED = 50,
  OPT_LEASE_TIME = 51,
  OPT_OVERLOAD = 52,
  OPT_TYPE = 53,
  OPT_SERVER = 54,
  OPT_WANTED = 55,
  OPT_SIZE = 57,
  OPT_T1 = 58,
  OPT_T2 = 59,
  OPT_CLIENT_ID = 61,
  OPT_SEARCH = 119,
  OPT_CLASSLESS = 121,
  OPT_END = 255
};

/* ---- out */

static uint32_t sum16(uint32_t sum, const uint8_t *p, size_t len)
{
  for (size_t i = 0; i + 1 < len; i += 2)
    sum += (uint32_t)p[i] << 8 | p[i + 1];
  return len & 1 ? sum + ((uint32_t)p[len - 1] << 8) : sum;
}

static uint16_t fold(uint32_t sum)
{
  while (sum >> 16)
    sum = (sum & 0xffff) + (sum >> 16);
  return (uint16_t)~sum;
}

static void put16(uint8_t *p, uint16_t v)
{
  p[0] = (uint8_t)(v >> 8);
  p[1] = (uint8_t)v;
}

static void write_address(OvpnWriter *w, struct in_addr a)
{
  ovpn_write_bytes(w, &a.s_addr, 4);
}

static void option_address(OvpnWriter *w, uint8_t code, struct in_addr a)
{
  if (a.s_addr == 0)
    return;
  ovpn_write_u8(w, code);
  ovpn_write_u8(w, 4);
  write_address(w, a);
}

static void option_bytes(OvpnWriter *w, uint8_t code, const void *data, size_t len)
{
  if (len == 0 || len > UINT8_MAX)
    return;
  ovpn_write_u8(w, code);
  ovpn_write_u8(w, (uint8_t)len);
  ovpn_write_bytes(w, data, len);
}

static void write_options(OvpnWriter *w, const OvpnDhcpOut *m, const OvpnDhcpParams *p)
{
  /* RFC 3442: classless routes before the router */
  static const uint8_t wanted[] = {OPT_MASK,       OPT_CLASSLESS, OPT_ROUTER, OPT_STATIC_ROUTE,
                                   OPT_DNS,        OPT_DOMAIN,    OPT_SEARCH, OPT_WINS,
                                   OPT_LEASE_TIME, OPT_T1,        OPT_T2};
  const uint8_t type = (uint8_t)m->type;
  uint8_t size[2];
  put16(size, p->mtu < 576 ? 576 : p->mtu);
  ovpn_write_u32(w, COOKIE);
  option_bytes(w, OPT_TYPE, &type, 1);
  option_bytes(w, OPT_CLIENT_ID, p->id, p->id_len);
  option_address(w, OPT_REQUESTED, m->requested);
  option_address(w, OPT_SERVER, m->server);
  if (m->type != OVPN_DHCP_RELEASE && m->type != OVPN_DHCP_DECLINE) {
    option_bytes(w, OPT_SIZE, size, 2);
    option_bytes(w, OPT_WANTED, wanted, sizeof wanted);
    option_bytes(w, OPT_HOST, p->host, strnlen(p->host, sizeof p->host));
  }
  ovpn_write_u8(w, OPT_END);
}

static void write_bootp(OvpnWriter *w, const OvpnDhcpOut *m, const OvpnDhcpParams *p)
{
  static const uint8_t nothing[202];
  size_t begin = w->len;
  ovpn_write_u32(w, 0x01010600); /* request, ethernet, 6 bytes of address, no hops */
  ovpn_write_u32(w, m->xid);
  ovpn_write_u16(w, m->secs);
  ovpn_write_u16(w, m->ask_broadcast ? 0x8000 : 0);
  write_address(w, m->client);
  ovpn_write_bytes(w, nothing, 12); /* yiaddr, siaddr, giaddr */
  ovpn_write_bytes(w, p->mac, 6);
  ovpn_write_bytes(w, nothing, 202); /* rest of chaddr, sname, file */
  write_options(w, m, p);
  size_t len = w->len - begin;
  if (len < BOOTP_MIN)
    ovpn_write_bytes(w, nothing, BOOTP_MIN - len);
}

size_t ovpn_dhcp_encode(const OvpnDhcpOut *m, const OvpnDhcpParams *p, uint8_t *buf, size_t cap)
{
  static const uint8_t everybody[6] = {255, 255, 255, 255, 255, 255};
  struct in_addr all = {INADDR_BROADCAST};
  OvpnWriter w = ovpn_writer(buf, cap);
  ovpn_write_bytes(&w, m->to_mac ? m->to_mac : everybody, 6);
  ovpn_write_bytes(&w, p->mac, 6);
  ovpn_write_u16(&w, 0x0800);
  uint8_t *ip = ovpn_write_room(&w, IP_HEAD), *udp = ovpn_write_room(&w, UDP_HEAD);
  write_bootp(&w, m, p);
  if (!w.ok)
    return 0;
  size_t udp_len = w.len - ETHER_HEAD - IP_HEAD;
  memset(ip, 0, IP_HEAD + UDP_HEAD);
  ip[0] = 0x45;
  put16(ip + 2, (uint16_t)(IP_HEAD + udp_len));
  put16(ip + 4, (uint16_t)m->xid);
  ip[8] = 64;
  ip[9] = 17;
  memcpy(ip + 12, &m->client, 4);
  memcpy(ip + 16, m->to_mac ? &m->to : &all, 4);
  put16(ip + 10, fold(sum16(0, ip, IP_HEAD)));
  put16(udp, PORT_CLIENT);
  put16(udp + 2, PORT_SERVER);
  put16(udp + 4, (uint16_t)udp_len);
  uint16_t sum = fold(sum16(sum16(17 + (uint32_t)udp_len, ip + 12, 8), udp, udp_len));
  put16(udp + 6, sum ? sum : 0xffff);
  return w.len;
}

/* ---- in: the frame around it */

/* The BOOTP message in a frame for a DHCP client; false = something else. */
static bool find_bootp(const uint8_t *frame, size_t len, OvpnReader *ret)
{
  OvpnReader r = ovpn_reader(frame, len);
  ovpn_read_bytes(&r, 12);
  uint16_t kind = ovpn_read_u16(&r);
  const uint8_t *ip = r.p;
  size_t left = ovpn_reader_left(&r);
  if (!r.ok || kind != 0x0800 || left < IP_HEAD || ip[0] >> 4 != 4)
    return false;
  uint8_t head = (uint8_t)((ip[0] & 15) * 4);
  size_t total = (size_t)ip[2] << 8 | ip[3];
  bool fragment = (ip[6] & 0x3f) | ip[7];
  if (ip[9] != 17 || head < IP_HEAD || total < (size_t)head + UDP_HEAD || total > left || fragment)
    return false;
  OvpnReader udp = ovpn_reader(ip + head, total - head);
  ovpn_read_u16(&udp);
  uint16_t port = ovpn_read_u16(&udp), udp_len = ovpn_read_u16(&udp);
  ovpn_read_u16(&udp);
  if (port != PORT_CLIENT || udp_len < UDP_HEAD || udp_len > total - head ||
      fold(sum16(0, ip, head)) != 0)
    return false;
  *ret = ovpn_reader(udp.p, (size_t)udp_len - UDP_HEAD);
  return true;
}

bool ovpn_dhcp_is_answer(const uint8_t *frame, size_t len, uint32_t xid, const uint8_t mac[6])
{
  OvpnReader r;
  if (!find_bootp(frame, len, &r) || ovpn_reader_left(&r) < BOOTP_HEAD)
    return false;
  uint32_t head = ovpn_read_u32(&r), id = ovpn_read_u32(&r);
  ovpn_read_bytes(&r, 20);
  const uint8_t *chaddr = ovpn_read_bytes(&r, 6);
  return chaddr && head >> 8 == 0x020106 && id == xid && memcmp(chaddr, mac, 6) == 0;
}

/* ---- in: options */

typedef struct Areas {
  OvpnReader area[3]; /* options, then file and sname when they are used for more */
  unsigned n;
} Areas;

/* The next option of an area; false at its end or when it is broken (r->ok). */
static bool next_option(OvpnReader *r, uint8_t *ret_code, const uint8_t **ret_data,
                        uint8_t *ret_len)
{
  uint8_t code = OPT_PAD;
  while (code == OPT_PAD && ovpn_reader_left(r) > 0)
    code = ovpn_read_u8(r);
  if (code == OPT_PAD || code == OPT_END)
    return false;
  *ret_code = code;
  *ret_len = ovpn_read_u8(r);
  *ret_data = ovpn_read_bytes(r, *ret_len);
  return r->ok;
}

/* All pieces of an option, one after the other; the length, which may be more than fits. */
static size_t collect(const Areas *all, uint8_t wanted, uint8_t *buf, size_t cap)
{
  size_t n = 0;
  for (unsigned i = 0; i < all->n; i++) {
    OvpnReader r = all->area[i];
    uint8_t code, len;
    const uint8_t *data;
    while (next_option(&r, &code, &data, &len)) {
      if (code != wanted)
        continue;
      if (n <= cap && len <= cap - n)
        memcpy(buf + n, data, len);
      n += len;
    }
  }
  return n;
}

static bool area_ok(OvpnReader r)
{
  uint8_t code, len;
  const uint8_t *data;
  while (next_option(&r, &code, &data, &len))
    ;
  return r.ok;
}

/* Splits a message into its areas and checks that no option leaves its own. */
static bool find_areas(OvpnReader r, Areas *ret, OvpnReader *ret_head)
{
  *ret = (Areas){.n = 1};
  *ret_head = r;
  ovpn_read_bytes(&r, 44);
  const uint8_t *sname = ovpn_read_bytes(&r, 64), *file = ovpn_read_bytes(&r, 128);
  uint32_t cookie = ovpn_read_u32(&r);
  if (!r.ok || cookie != COOKIE)
    return false;
  ret->area[0] = r;
  if (!area_ok(r))
    return false;
  uint8_t overload;
  size_t n = collect(ret, OPT_OVERLOAD, &overload, 1);
  if (n > 1 || (n == 1 && (overload < 1 || overload > 3)))
    return false;
  if (n == 1 && overload & 1)
    ret->area[ret->n++] = ovpn_reader(file, 128);
  if (n == 1 && overload & 2)
    ret->area[ret->n++] = ovpn_reader(sname, 64);
  for (unsigned i = 1; i < ret->n; i++)
    if (!area_ok(ret->area[i]))
      return false;
  return true;
}

/* 1 = there, 0 = not there, -1 = wrong length. */
static int number(const Areas *a, uint8_t code, size_t size, uint32_t *ret)
{
  uint8_t buf[4] = {0};
  size_t n = collect(a, code, buf, size);
  if (n != size)
    return n == 0 ? 0 : -1;
  OvpnReader r = ovpn_reader(buf, size);
  *ret = (uint32_t)ovpn_read_be_(&r, (unsigned)size);
  return 1;
}

static bool is_host(struct in_addr a)
{
  uint32_t v = ntohl(a.s_addr);
  return v >> 24 != 0 && v >> 24 != 127 && v >> 28 < 14;
}

static struct in_addr read_address(OvpnReader *r)
{
  struct in_addr a;
  ovpn_read_copy(r, &a, sizeof a);
  return a;
}

static void read_hosts(const Areas *a, uint8_t code, struct in_addr *list, size_t *ret_n)
{
  uint8_t buf[VALUE_MAX];
  size_t n = collect(a, code, buf, sizeof buf);
  *ret_n = 0;
  if (n > sizeof buf || n % 4)
    return;
  OvpnReader r = ovpn_reader(buf, n);
  while (ovpn_reader_left(&r) >= 4 && *ret_n < OVPN_LEASE_ADDRS_MAX) {
    struct in_addr one = read_address(&r);
    if (is_host(one))
      list[(*ret_n)++] = one;
  }
}

/* The mask, or that of the class when none is told. false = no mask. */
static bool read_prefix(const Areas *a, OvpnLease *l)
{
  uint32_t mask = 0, v = ntohl(l->address.s_addr);
  int there = number(a, OPT_MASK, 4, &mask);
  if (there == 0)
    mask = v >> 31 == 0 ? 0xff000000 : v >> 30 == 2 ? 0xffff0000 : 0xffffff00;
  uint32_t hole = ~mask & (~mask + 1);
  if (there < 0 || hole || mask == 0)
    return false;
  l->prefix = (uint8_t)__builtin_popcount(mask);
  uint32_t host = v & ~mask;
  return l->prefix > 30 || (host != 0 && host != ~mask);
}

static void add_route(OvpnLease *l, struct in_addr net, unsigned prefix, struct in_addr gateway)
{
  bool on_link = gateway.s_addr == 0;
  if (!on_link && !is_host(gateway))
    return;
  if (prefix == 0) {
    if (!l->has_gateway && !on_link) {
      l->gateway = gateway;
      l->has_gateway = true;
    }
  } else if (l->n_routes < OVPN_LEASE_ROUTES_MAX) {
    net.s_addr &= htonl(UINT32_MAX << (32 - prefix));
    l->routes[l->n_routes++] = (OvpnLeaseRoute){net, gateway, (uint8_t)prefix};
  }
}

/* RFC 3442: false = it does not say anything, and the old options count. */
static bool read_classless(const Areas *a, OvpnLease *l)
{
  uint8_t buf[VALUE_MAX];
  size_t n = collect(a, OPT_CLASSLESS, buf, sizeof buf);
  if (n == 0 || n > sizeof buf)
    return false;
  OvpnReader r = ovpn_reader(buf, n), check = r;
  while (check.ok && ovpn_reader_left(&check) > 0) {
    unsigned prefix = ovpn_read_u8(&check);
    ovpn_read_bytes(&check, (prefix + 7) / 8 + 4);
    if (prefix > 32)
      return false;
  }
  if (!check.ok)
    return false;
  while (ovpn_reader_left(&r) > 0) {
    unsigned prefix = ovpn_read_u8(&r);
    struct in_addr net = {0};
    ovpn_read_copy(&r, &net, (prefix + 7) / 8);
    add_route(l, net, prefix, read_address(&r));
  }
  return true;
}

static unsigned class_prefix(struct in_addr net)
{
  uint32_t v = ntohl(net.s_addr);
  unsigned prefix = v >> 31 == 0 ? 8 : v >> 30 == 2 ? 16 : 24;
  return v & (UINT32_MAX >> prefix) ? 32 : prefix;
}

static void read_routes(const Areas *a, OvpnLease *l)
{
  uint8_t buf[VALUE_MAX];
  if (read_classless(a, l))
    return;
  struct in_addr routers[OVPN_LEASE_ADDRS_MAX];
  size_t n;
  read_hosts(a, OPT_ROUTER, routers, &n);
  if (n > 0) {
    l->gateway = routers[0];
    l->has_gateway = true;
  }
  n = collect(a, OPT_STATIC_ROUTE, buf, sizeof buf);
  if (n > sizeof buf || n % 8)
    return;
  OvpnReader r = ovpn_reader(buf, n);
  while (ovpn_reader_left(&r) > 0) {
    struct in_addr net = read_address(&r), gateway = read_address(&r);
    if (net.s_addr != 0 && gateway.s_addr != 0)
      add_route(l, net, class_prefix(net), gateway);
  }
}

static bool plain_name(const char *s)
{
  for (const char *p = s; *p; p++) {
    bool letter = (*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') || (*p >= '0' && *p <= '9');
    if (!letter && *p != '-' && *p != '_' && (*p != '.' || p == s || p[-1] == '.'))
      return false;
  }
  return *s && *s != '-';
}

static void add_name(OvpnLease *l, const char *name)
{
  for (size_t i = 0; i < l->n_names; i++)
    if (strcmp(l->names[i], name) == 0)
      return;
  if (l->n_names < OVPN_LEASE_NAMES_MAX && plain_name(name))
    memcpy(l->names[l->n_names++], name, strlen(name) + 1);
}

/* One name in the form of RFC 1035 4.1.4 from *at on; *at moves behind it. Each pointer must lead
 * further back than the one before, so it ends. false = broken. */
static bool read_name(const uint8_t *buf, size_t len, size_t *at, char name[OVPN_LEASE_NAME_MAX])
{
  size_t p = *at, n = 0, lowest = p;
  bool jumped = false;
  for (;;) {
    if (p >= len)
      return false;
    uint8_t c = buf[p++];
    if (c >= 0xc0) {
      if (p >= len)
        return false;
      size_t to = (size_t)(c & 0x3f) << 8 | buf[p++];
      if (!jumped)
        *at = p;
      if (to >= lowest)
        return false;
      jumped = true;
      p = lowest = to;
      continue;
    }
    if (c >= 0x40 || c > len - p || n + c + 1 >= OVPN_LEASE_NAME_MAX)
      return false;
    if (c == 0)
      break;
    if (n > 0)
      name[n++] = '.';
    memcpy(name + n, buf + p, c);
    n += c;
    p += c;
  }
  if (!jumped)
    *at = p;
  name[n] = 0;
  return n > 0 && memchr(name, 0, n) == NULL;
}

static void read_names(const Areas *a, OvpnLease *l)
{
  uint8_t buf[VALUE_MAX];
  char name[OVPN_LEASE_NAME_MAX];
  size_t n = collect(a, OPT_DOMAIN, buf, OVPN_LEASE_NAME_MAX - 1);
  while (n > 0 && n < OVPN_LEASE_NAME_MAX && (buf[n - 1] == 0 || buf[n - 1] == '.'))
    n--; /* some servers send the NUL */
  if (n > 0 && n < OVPN_LEASE_NAME_MAX && !memchr(buf, 0, n)) {
    memcpy(name, buf, n);
    name[n] = 0;
    add_name(l, name);
  }
  n = collect(a, OPT_SEARCH, buf, sizeof buf);
  for (size_t at = 0; n <= sizeof buf && at < n && read_name(buf, n, &at, name);)
    add_name(l, name);
}

static bool read_lease(const Areas *a, struct in_addr yiaddr, OvpnDhcpIn *in)
{
  OvpnLease *l = &in->lease;
  l->address = yiaddr;
  if (!is_host(yiaddr) || !read_prefix(a, l) || number(a, OPT_LEASE_TIME, 4, &in->lease_s) != 1 ||
      in->lease_s < OVPN_DHCP_LEASE_MIN_S)
    return false;
  if (number(a, OPT_T1, 4, &in->t1_s) != 1)
    in->t1_s = 0;
  if (number(a, OPT_T2, 4, &in->t2_s) != 1)
    in->t2_s = 0;
  read_routes(a, l);
  read_hosts(a, OPT_DNS, l->dns, &l->n_dns);
  read_hosts(a, OPT_WINS, l->wins, &l->n_wins);
  read_names(a, l);
  return true;
}

OvpnStatus ovpn_dhcp_decode(const uint8_t *frame, size_t len, OvpnDhcpIn *ret)
{
  OvpnReader r, head;
  Areas all;
  uint32_t type, server;
  if (!find_bootp(frame, len, &r))
    return OVPN_DROP_OPCODE;
  if (!find_areas(r, &all, &head))
    return OVPN_DROP_TRUNCATED;
  memset(ret, 0, sizeof *ret);
  memcpy(ret->from, frame + 6, 6);
  ovpn_read_bytes(&head, 16);
  struct in_addr yiaddr = read_address(&head);
  if (number(&all, OPT_TYPE, 1, &type) != 1)
    return OVPN_DROP_FORMAT;
  int has_server = number(&all, OPT_SERVER, 4, &server);
  ret->server.s_addr = has_server == 1 ? htonl(server) : 0;
  ret->has_server = has_server == 1 && is_host(ret->server);
  switch (type) {
  case OVPN_DHCP_NAK:
    ret->type = OVPN_DHCP_NAK;
    return OVPN_OK;
  case OVPN_DHCP_OFFER:
  case OVPN_DHCP_ACK:
    ret->type = (OvpnDhcpType)type;
    return ret->has_server && read_lease(&all, yiaddr, ret) ? OVPN_OK : OVPN_DROP_FORMAT;
  }
  return OVPN_DROP_OPCODE;
}
