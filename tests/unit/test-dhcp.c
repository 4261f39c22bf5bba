/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The DHCP client with a server of a few lines, a fake clock and seeded numbers: every transition,
 * the form of what is sent, and what is made of hostile answers. */
#include "check.h"
#include "helper/core/arp.h"
#include "helper/core/dhcp-message.h"
#include <arpa/inet.h>

static const uint64_t S = 1000000000u, MS = 1000000u;
static const uint8_t server_mac[6] = {2, 0, 0, 0, 0, 9};
static OvpnDhcp d;
static uint64_t now;
static uint8_t sent[OVPN_DHCP_FRAME_MAX];
static size_t sent_len;

static void seeded(void *user, uint8_t *buf, size_t len)
{
  static uint32_t x = 1;
  (void)user;
  for (size_t i = 0; i < len; i++) {
    x = x * 1664525u + 1013904223u;
    buf[i] = (uint8_t)(x >> 24);
  }
}

static const OvpnDhcpParams params = {
    .mac = {2, 1, 2, 3, 4, 5}, .id = {255, 1, 2, 3}, .id_len = 4, .host = "alice", .mtu = 1500};

static void start(void)
{
  ovpn_dhcp_start(&d, &params, seeded, NULL, now);
}

static void fresh(void)
{
  memset(&d, 0, sizeof d);
  now = 1000 * S;
  start();
}

/* ---- what was sent */

static bool send_next(void)
{
  sent_len = ovpn_dhcp_output(&d, now, sent, sizeof sent);
  return sent_len > 0;
}

static const uint8_t *option(uint8_t code, uint8_t *ret_len)
{
  for (const uint8_t *p = sent + 14 + 28 + 240; p < sent + sent_len && *p != 255;) {
    if (*p == 0) {
      p++;
      continue;
    }
    if (*p == code) {
      *ret_len = p[1];
      return p + 2;
    }
    p += 2 + p[1];
  }
  *ret_len = 0;
  return NULL;
}

static int sent_type(void)
{
  uint8_t n;
  const uint8_t *p = option(53, &n);
  return p && n == 1 ? *p : -1;
}

static const char *sent_address(uint8_t code)
{
  static char text[INET_ADDRSTRLEN];
  uint8_t n = 4;
  const uint8_t *p = code ? option(code, &n) : sent + 14 + 28 + 12; /* ciaddr */
  return p && n == 4 ? inet_ntop(AF_INET, p, text, sizeof text) : "none";
}

static uint16_t sum(const uint8_t *p, size_t len, uint32_t s)
{
  for (size_t i = 0; i < len; i++)
    s += i & 1 ? p[i] : (uint32_t)p[i] << 8;
  while (s >> 16)
    s = (s & 0xffff) + (s >> 16);
  return (uint16_t)s;
}

static void check_frame(void)
{
  const uint8_t *ip = sent + 14;
  size_t total = (size_t)ip[2] << 8 | ip[3];
  CHECK_INT(total + 14, sent_len);
  CHECK_MEM(sent + 6, params.mac, 6);
  CHECK_INT(sum(ip, 20, 0), 0xffff);
  CHECK_INT(sum(ip + 20, total - 20, sum(ip + 12, 8, 17 + (uint32_t)total - 20)), 0xffff);
  CHECK_INT(ip[20] << 8 | ip[21], 68);
  CHECK_INT(ip[22] << 8 | ip[23], 67);
  CHECK_MEM(ip + 28 + 28, params.mac, 6);
}

/* ---- the server */

typedef struct Reply {
  int type;
  const char *address, *server; /* NULL = none; "10.1.0.1" */
  uint32_t lease, t1, t2;       /* 0 = not told */
  const char *more;             /* options in hex */
  uint32_t xid_off;
} Reply;

static size_t put_option(uint8_t *p, uint8_t code, const void *data, uint8_t len)
{
  p[0] = code;
  p[1] = len;
  memcpy(p + 2, data, len);
  return (size_t)len + 2;
}

static size_t put_u32(uint8_t *p, uint8_t code, uint32_t v)
{
  v = htonl(v);
  return v ? put_option(p, code, &v, 4) : 0;
}

static void finish(uint8_t *f, size_t len)
{
  uint8_t *ip = f + 14;
  size_t total = len - 14, udp = total - 20;
  memset(ip, 0, 20);
  ip[0] = 0x45;
  ip[2] = (uint8_t)(total >> 8);
  ip[3] = (uint8_t)total;
  ip[8] = 64;
  ip[9] = 17;
  memcpy(ip + 12, "\x0a\x01\x00\x01\xff\xff\xff\xff", 8);
  uint16_t c = (uint16_t)~sum(ip, 20, 0);
  ip[10] = (uint8_t)(c >> 8);
  ip[11] = (uint8_t)c;
  memcpy(ip + 20, "\0\x43\0\x44", 4);
  ip[24] = (uint8_t)(udp >> 8);
  ip[25] = (uint8_t)udp;
  ip[26] = ip[27] = 0;
}

static size_t make_reply(const Reply *r, uint8_t f[1600])
{
  memset(f, 0, 1600);
  memcpy(f, params.mac, 6);
  memcpy(f + 6, server_mac, 6);
  f[12] = 8;
  uint8_t *b = f + 42, type = (uint8_t)r->type;
  memcpy(b, "\2\1\6", 3);
  uint32_t xid = htonl(d.xid + r->xid_off);
  struct in_addr a;
  memcpy(b + 4, &xid, 4);
  if (r->address)
    inet_pton(AF_INET, r->address, b + 16);
  memcpy(b + 28, params.mac, 6);
  memcpy(b + 236, "\x63\x82\x53\x63", 4);
  size_t n = 240;
  n += put_option(b + n, 53, &type, 1);
  if (r->server && inet_pton(AF_INET, r->server, &a) == 1)
    n += put_option(b + n, 54, &a, 4);
  n += put_u32(b + n, 51, r->lease);
  n += put_u32(b + n, 58, r->t1);
  n += put_u32(b + n, 59, r->t2);
  if (r->more)
    n += check_unhex(r->more, b + n, 1200);
  b[n++] = 255;
  finish(f, 42 + n);
  return 42 + n;
}

static bool reply(const Reply *r)
{
  uint8_t f[1600];
  size_t n = make_reply(r, f);
  uint8_t *exact = malloc(n); /* a read beyond its end is noticed */
  memcpy(exact, f, n);
  bool taken = ovpn_dhcp_input(&d, now, exact, n);
  free(exact);
  return taken;
}

#define REPLY(...) reply(&(Reply){__VA_ARGS__})
#define MASK24 "0104 ffffff00"
#define OFFER(...) REPLY(OVPN_DHCP_OFFER, "10.1.0.50", "10.1.0.1", __VA_ARGS__)
#define ACK(...) REPLY(OVPN_DHCP_ACK, "10.1.0.50", "10.1.0.1", __VA_ARGS__)

/* After an ACK: nobody else has the address. The clock goes back to the ACK then, which is what the
 * times of a lease are about. */
static void nobody_has_it(void)
{
  uint64_t was = now;
  CHECK_INT(d.state, OVPN_DHCP_CHECKING);
  CHECK(!ovpn_dhcp_has_lease(&d));
  while (d.state == OVPN_DHCP_CHECKING && now < was + S) {
    now = ovpn_dhcp_deadline(&d);
    send_next();
  }
  CHECK_INT(d.state, OVPN_DHCP_BOUND);
  CHECK_INT(now, was + OVPN_DHCP_CHECK_MS * MS);
  now = d.checked;
  ovpn_dhcp_tick(&d, now);
  CHECK(!ovpn_dhcp_listens(&d));
  now = was;
}

static void bound(uint32_t lease, uint32_t t1, uint32_t t2)
{
  fresh();
  CHECK(send_next());
  CHECK(OFFER(.lease = lease, .more = MASK24));
  CHECK(send_next());
  CHECK(ACK(.lease = lease, .t1 = t1, .t2 = t2, .more = MASK24));
  nobody_has_it();
  CHECK_INT(ovpn_dhcp_take_events(&d), OVPN_DHCP_LEASED);
}

/* ---- tests */

static void test_first_lease(void)
{
  uint8_t n;
  fresh();
  CHECK_INT(d.state, OVPN_DHCP_SELECTING);
  CHECK(!ovpn_dhcp_has_lease(&d));
  CHECK(ovpn_dhcp_deadline(&d) <= now);
  CHECK(send_next());
  check_frame();
  CHECK_INT(sent_type(), OVPN_DHCP_DISCOVER);
  CHECK_MEM(sent, "\xff\xff\xff\xff\xff\xff", 6);
  CHECK(sent_len >= 14 + 28 + 300);
  CHECK_STR(sent_address(0), "0.0.0.0");
  CHECK_STR(sent_address(50), "none");
  CHECK_MEM(option(61, &n), params.id, 4);
  CHECK_INT(n, 4);
  CHECK_MEM(option(12, &n), "alice", 5);
  CHECK_INT(n, 5);
  CHECK_MEM(option(57, &n), "\x05\xdc", 2);
  CHECK(option(55, &n) != NULL);
  CHECK(!send_next()); /* not twice at once */
  CHECK(OFFER(.lease = 600, .more = MASK24));
  CHECK_INT(d.state, OVPN_DHCP_REQUESTING);
  CHECK(!ovpn_dhcp_has_lease(&d));
  CHECK(send_next());
  check_frame();
  CHECK_INT(sent_type(), OVPN_DHCP_REQUEST);
  CHECK_STR(sent_address(50), "10.1.0.50");
  CHECK_STR(sent_address(54), "10.1.0.1");
  CHECK_STR(sent_address(0), "0.0.0.0");
  CHECK(ACK(.lease = 600, .more = MASK24));
  nobody_has_it();
  CHECK(ovpn_dhcp_has_lease(&d));
  CHECK_INT(d.lease.prefix, 24);
  CHECK_INT(ovpn_dhcp_take_events(&d), OVPN_DHCP_LEASED);
  CHECK_INT(ovpn_dhcp_take_events(&d), 0);
  CHECK_INT(ovpn_dhcp_deadline(&d), now + 300 * S); /* half, since nothing was told */
  CHECK(!send_next());
}

/* The answer to another exchange, to another host, of another kind. */
static void test_not_for_us(void)
{
  uint8_t f[1600];
  fresh();
  CHECK(!OFFER(.lease = 600, .more = MASK24)); /* nothing was asked yet */
  CHECK(send_next());
  CHECK(!OFFER(.lease = 600, .more = MASK24, .xid_off = 1));
  size_t n = make_reply(&(Reply){OVPN_DHCP_OFFER, "10.1.0.50", "10.1.0.1", 600, .more = MASK24}, f);
  const struct {
    unsigned at, value;
  } changes[] = {{12, 0x81}, {14, 0x65}, {14, 0x44}, {23, 6}, {16, 9}, {20, 0x20}, {21, 1}, {24, 1},
                 {37, 67},   {38, 9},    {42, 1},    {43, 2}, {44, 5}, {70, 1},    {46, 1}};
  for (size_t i = 0; i < sizeof changes / sizeof changes[0]; i++) {
    uint8_t was = f[changes[i].at];
    f[changes[i].at] = was == changes[i].value ? (uint8_t)~was : (uint8_t)changes[i].value;
    if (ovpn_dhcp_input(&d, now, f, n))
      fprintf(stderr, "taken with a wrong byte at %u\n", changes[i].at), check_failed_++;
    f[changes[i].at] = was;
  }
  for (size_t i = 0; i < n; i++) {
    uint8_t *cut = malloc(i + 1);
    memcpy(cut, f, i);
    CHECK(!ovpn_dhcp_input(&d, now, cut, i));
    free(cut);
  }
  CHECK_INT(d.state, OVPN_DHCP_SELECTING);
  CHECK(ovpn_dhcp_input(&d, now, f, n));
  CHECK_INT(d.state, OVPN_DHCP_REQUESTING);
}

/* Answers that are for us, and of no use. */
static void test_bad_answers(void)
{
  const Reply bad[] = {
      {OVPN_DHCP_OFFER, NULL, "10.1.0.1", 600, .more = MASK24},
      {OVPN_DHCP_OFFER, "127.0.0.1", "10.1.0.1", 600, .more = MASK24},
      {OVPN_DHCP_OFFER, "224.0.0.1", "10.1.0.1", 600, .more = MASK24},
      {OVPN_DHCP_OFFER, "255.255.255.255", "10.1.0.1", 600, .more = MASK24},
      {OVPN_DHCP_OFFER, "10.1.0.0", "10.1.0.1", 600, .more = MASK24},   /* the network itself */
      {OVPN_DHCP_OFFER, "10.1.0.255", "10.1.0.1", 600, .more = MASK24}, /* its broadcast */
      {OVPN_DHCP_OFFER, "10.1.0.50", NULL, 600, .more = MASK24},
      {OVPN_DHCP_OFFER, "10.1.0.50", "0.0.0.0", 600, .more = MASK24},
      {OVPN_DHCP_OFFER, "10.1.0.50", "10.1.0.1", 0, .more = MASK24},
      {OVPN_DHCP_OFFER, "10.1.0.50", "10.1.0.1", 9, .more = MASK24}, /* too short */
      {OVPN_DHCP_OFFER, "10.1.0.50", "10.1.0.1", 600, .more = "0104 ff00ff00"},
      {OVPN_DHCP_OFFER, "10.1.0.50", "10.1.0.1", 600, .more = "0104 00000000"},
      {OVPN_DHCP_OFFER, "10.1.0.50", "10.1.0.1", 600, .more = "0103 ffffff"},
      {OVPN_DHCP_OFFER, "10.1.0.50", "10.1.0.1", 600, .more = MASK24 "06c8 01"}, /* leaves it */
      {OVPN_DHCP_OFFER, "10.1.0.50", "10.1.0.1", 600, .more = MASK24 "3404 01020304"},
      {OVPN_DHCP_OFFER, "10.1.0.50", "10.1.0.1", 600, .more = MASK24 "3401 04"},
      {OVPN_DHCP_OFFER, "10.1.0.50", "10.1.0.1", 600, .more = MASK24 "3304 00000001"}, /* twice */
      {OVPN_DHCP_ACK, "10.1.0.50", "10.1.0.1", 600, .more = MASK24}, /* nothing was requested */
      {OVPN_DHCP_NAK, NULL, "10.1.0.1"},
      {OVPN_DHCP_DISCOVER, "10.1.0.50", "10.1.0.1", 600, .more = MASK24},
      {99, "10.1.0.50", "10.1.0.1", 600, .more = MASK24},
  };
  fresh();
  CHECK(send_next());
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    if (!reply(&bad[i]) || d.state != OVPN_DHCP_SELECTING)
      fprintf(stderr, "bad answer %zu\n", i), check_failed_++;
  }
  CHECK_INT(ovpn_dhcp_take_events(&d), 0);
  uint8_t f[1600];
  size_t n = make_reply(&(Reply){OVPN_DHCP_OFFER, "10.1.0.50", "10.1.0.1", 600, .more = MASK24}, f);
  f[42 + 236] = 0; /* no cookie */
  CHECK(ovpn_dhcp_input(&d, now, f, n));
  CHECK_INT(d.state, OVPN_DHCP_SELECTING);
}

static void test_no_answer(void)
{
  unsigned discovers = 0;
  fresh();
  uint64_t begin = now, last = 0;
  while (d.state == OVPN_DHCP_SELECTING && now < begin + 100 * S) {
    now = ovpn_dhcp_deadline(&d);
    if (send_next()) {
      CHECK(discovers < 2 || now - last > 3 * S);
      last = now;
      discovers++;
      CHECK_INT(sent_type(), OVPN_DHCP_DISCOVER);
      CHECK_INT(sent[14 + 28 + 10], discovers > 1 ? 0x80 : 0); /* then as a broadcast */
      CHECK_INT(sent[14 + 28 + 8] << 8 | sent[14 + 28 + 9], (now - begin) / S);
    }
  }
  CHECK_INT(d.state, OVPN_DHCP_FAILED);
  CHECK_INT(now - begin, OVPN_DHCP_LIMIT_S * S);
  CHECK(discovers >= 3 && discovers <= 5);
  CHECK_INT(ovpn_dhcp_take_events(&d), OVPN_DHCP_NO_ANSWER);
  CHECK_INT(ovpn_dhcp_deadline(&d), UINT64_MAX);
  CHECK(!send_next());
  CHECK(!OFFER(.lease = 600, .more = MASK24));
  ovpn_dhcp_stop(&d);
  start();
  CHECK_INT(d.state, OVPN_DHCP_SELECTING);
}

/* An offer that is not kept: asked three times, then another one; the time goes on. */
static void test_request_unanswered(void)
{
  fresh();
  uint64_t begin = now;
  CHECK(send_next());
  CHECK(OFFER(.lease = 600, .more = MASK24));
  unsigned requests = 0;
  while (d.state == OVPN_DHCP_REQUESTING) {
    now = ovpn_dhcp_deadline(&d);
    requests += send_next() && sent_type() == OVPN_DHCP_REQUEST;
  }
  CHECK_INT(requests, 3);
  CHECK_INT(d.state, OVPN_DHCP_SELECTING);
  CHECK_INT(sent_type(), OVPN_DHCP_DISCOVER);
  CHECK_INT(d.limit, begin + OVPN_DHCP_LIMIT_S * S);
  CHECK(OFFER(.lease = 600, .more = MASK24));
  now = d.limit;
  CHECK(!send_next());
  CHECK_INT(d.state, OVPN_DHCP_FAILED);
  CHECK_INT(ovpn_dhcp_take_events(&d), OVPN_DHCP_NO_ANSWER);
}

static void test_request_refused(void)
{
  fresh();
  CHECK(send_next());
  CHECK(OFFER(.lease = 600, .more = MASK24));
  CHECK(send_next());
  CHECK(REPLY(OVPN_DHCP_NAK, NULL, "10.1.0.2")); /* another server's */
  CHECK_INT(d.state, OVPN_DHCP_REQUESTING);
  CHECK(REPLY(OVPN_DHCP_ACK, "10.1.0.50", "10.1.0.2", 600, .more = MASK24));
  CHECK_INT(d.state, OVPN_DHCP_REQUESTING);
  CHECK(REPLY(OVPN_DHCP_NAK, NULL, "10.1.0.1"));
  CHECK_INT(d.state, OVPN_DHCP_SELECTING);
  CHECK_INT(ovpn_dhcp_take_events(&d), 0);
  CHECK(!send_next()); /* a pause first */
  now += S;
  CHECK(send_next());
  CHECK_INT(sent_type(), OVPN_DHCP_DISCOVER);
}

static void test_renewal(void)
{
  bound(600, 100, 400);
  now += 100 * S;
  CHECK(send_next());
  check_frame();
  CHECK_INT(d.state, OVPN_DHCP_RENEWING);
  CHECK_INT(sent_type(), OVPN_DHCP_REQUEST);
  CHECK_MEM(sent, server_mac, 6);
  CHECK_MEM(sent + 14 + 12, "\x0a\x01\x00\x32\x0a\x01\x00\x01", 8);
  CHECK_STR(sent_address(0), "10.1.0.50");
  CHECK_STR(sent_address(50), "none");
  CHECK_STR(sent_address(54), "none");
  now += 2 * S;
  CHECK(ACK(.lease = 600, .more = MASK24));
  CHECK_INT(d.state, OVPN_DHCP_BOUND);
  CHECK_INT(ovpn_dhcp_take_events(&d), OVPN_DHCP_CONFIRMED);
  CHECK_INT(d.ends, now + 598 * S); /* since it was asked for */
  /* something new */
  now = d.t1;
  CHECK(send_next());
  CHECK(ACK(.lease = 600, .more = MASK24 "0304 0a010001"));
  CHECK_INT(ovpn_dhcp_take_events(&d), OVPN_DHCP_LEASED);
  now = d.t1;
  CHECK(send_next());
  CHECK(REPLY(OVPN_DHCP_ACK, "10.1.0.77", "10.1.0.1", 600, .more = MASK24));
  CHECK_INT(ovpn_dhcp_take_events(&d), OVPN_DHCP_LEASED);
  CHECK(d.watching); /* used at once, but perhaps somebody objects */
}

static void test_rebinding(void)
{
  bound(600, 0, 0);
  unsigned renew = 0, rebind = 0;
  uint64_t begin = now;
  while (ovpn_dhcp_deadline(&d) < d.ends) {
    now = ovpn_dhcp_deadline(&d);
    if (!send_next())
      continue;
    CHECK_INT(sent_type(), OVPN_DHCP_REQUEST);
    CHECK_STR(sent_address(0), "10.1.0.50");
    if (d.state == OVPN_DHCP_RENEWING)
      renew++;
    else if (rebind++ == 0) {
      CHECK_INT(d.state, OVPN_DHCP_REBINDING);
      CHECK_INT(now - begin, 525 * S);
      CHECK_MEM(sent, "\xff\xff\xff\xff\xff\xff", 6);
      CHECK_MEM(sent + 14 + 12, "\x0a\x01\x00\x32\xff\xff\xff\xff", 8);
    }
  }
  CHECK(renew >= 3 && renew < 12 && rebind >= 2 && rebind < 8);
  CHECK(ovpn_dhcp_has_lease(&d));
  OvpnDhcp before = d;
  CHECK(REPLY(OVPN_DHCP_ACK, "10.1.0.50", "10.1.0.2", 600, .more = MASK24)); /* another one's */
  CHECK_INT(d.state, OVPN_DHCP_BOUND);
  CHECK_INT(d.server.s_addr, inet_addr("10.1.0.2"));
  d = before;
  now = d.ends - 1;
  ovpn_dhcp_tick(&d, now);
  CHECK(ovpn_dhcp_has_lease(&d));
  CHECK_INT(ovpn_dhcp_deadline(&d) <= d.ends, 1);
  now++;
  CHECK(!send_next());
  CHECK(!ovpn_dhcp_has_lease(&d));
  CHECK_INT(d.state, OVPN_DHCP_FAILED);
  CHECK_INT(ovpn_dhcp_take_events(&d), OVPN_DHCP_ENDED);
  ovpn_dhcp_stop(&d);
  start(); /* asks for the old address */
  CHECK(send_next());
  CHECK_INT(sent_type(), OVPN_DHCP_DISCOVER);
  CHECK_STR(sent_address(50), "10.1.0.50");
}

static void test_withdrawn(void)
{
  for (int rebinding = 0; rebinding < 2; rebinding++) {
    bound(600, 0, 0);
    now = rebinding ? d.t2 : d.t1;
    CHECK(send_next());
    CHECK_INT(d.state, rebinding ? OVPN_DHCP_REBINDING : OVPN_DHCP_RENEWING);
    CHECK(REPLY(OVPN_DHCP_NAK, NULL, "10.1.0.1"));
    CHECK_INT(d.state, OVPN_DHCP_SELECTING);
    CHECK_INT(ovpn_dhcp_take_events(&d), OVPN_DHCP_REFUSED);
    CHECK(!ovpn_dhcp_has_lease(&d));
    CHECK(send_next());
    CHECK_INT(sent_type(), OVPN_DHCP_DISCOVER);
    CHECK_STR(sent_address(50), "none");
    now += 100 * S;
    CHECK(!send_next());
    CHECK_INT(ovpn_dhcp_take_events(&d), OVPN_DHCP_NO_ANSWER);
  }
}

static void test_reboot(void)
{
  bound(600, 0, 0);
  ovpn_dhcp_stop(&d);
  CHECK_INT(d.state, OVPN_DHCP_IDLE);
  CHECK_INT(ovpn_dhcp_deadline(&d), UINT64_MAX);
  CHECK(!send_next());
  now += 10 * S;
  start();
  CHECK_INT(d.state, OVPN_DHCP_REBOOTING);
  CHECK(ovpn_dhcp_has_lease(&d)); /* used at once */
  CHECK(send_next());
  check_frame();
  CHECK_INT(sent_type(), OVPN_DHCP_REQUEST);
  CHECK_STR(sent_address(50), "10.1.0.50");
  CHECK_STR(sent_address(54), "none");
  CHECK_STR(sent_address(0), "0.0.0.0");
  OvpnDhcp before = d;
  CHECK(ACK(.lease = 600, .more = MASK24));
  CHECK_INT(d.state, OVPN_DHCP_BOUND);
  CHECK_INT(ovpn_dhcp_take_events(&d), OVPN_DHCP_CONFIRMED);
  d = before;
  CHECK(REPLY(OVPN_DHCP_NAK, NULL, "10.1.0.1"));
  CHECK_INT(d.state, OVPN_DHCP_SELECTING);
  CHECK_INT(ovpn_dhcp_take_events(&d), OVPN_DHCP_REFUSED);
  /* nobody answers: looked for a server for a while, then as before */
  d = before;
  unsigned requests = 1, discovers = 0;
  while (d.state != OVPN_DHCP_BOUND && requests + discovers < 20) {
    now = ovpn_dhcp_deadline(&d);
    if (send_next() && d.state != OVPN_DHCP_BOUND)
      *(sent_type() == OVPN_DHCP_DISCOVER ? &discovers : &requests) += 1;
    CHECK(ovpn_dhcp_has_lease(&d));
  }
  CHECK_INT(requests, 3);
  CHECK(discovers >= 2);
  CHECK_INT(ovpn_dhcp_take_events(&d), 0);
  CHECK_INT(d.ends, before.ends);
  /* another server that does not know us makes an offer */
  d = before;
  now = 1010 * S;
  while (d.state == OVPN_DHCP_REBOOTING) {
    now = ovpn_dhcp_deadline(&d);
    send_next();
  }
  CHECK(REPLY(OVPN_DHCP_OFFER, "10.9.0.5", "10.9.0.1", 600, .more = MASK24));
  CHECK(send_next());
  CHECK(REPLY(OVPN_DHCP_ACK, "10.9.0.5", "10.9.0.1", 600, .more = MASK24));
  CHECK_INT(ovpn_dhcp_take_events(&d), OVPN_DHCP_LEASED);
  /* too late for the old one */
  ovpn_dhcp_stop(&d);
  now = d.ends;
  start();
  CHECK_INT(d.state, OVPN_DHCP_SELECTING);
  CHECK(!ovpn_dhcp_has_lease(&d));
  /* another device */
  bound(600, 0, 0);
  ovpn_dhcp_stop(&d);
  OvpnDhcpParams other = params;
  other.mac[5]++;
  ovpn_dhcp_start(&d, &other, seeded, NULL, now);
  CHECK(!ovpn_dhcp_has_lease(&d) && d.state == OVPN_DHCP_SELECTING && !d.remembered);
}

/* The lease ends while an old one is being confirmed; a session that begins late in it. */
static void test_late_reboot(void)
{
  bound(20, 0, 0);
  ovpn_dhcp_stop(&d);
  now = d.ends - 2 * S;
  start();
  CHECK(send_next());
  now += 2 * S;
  CHECK(!send_next());
  CHECK_INT(ovpn_dhcp_take_events(&d), OVPN_DHCP_ENDED);
  CHECK_INT(d.state, OVPN_DHCP_FAILED);
  bound(100, 0, 0);
  ovpn_dhcp_stop(&d);
  now = d.t1 - 10 * S;
  start();
  while (d.state == OVPN_DHCP_REBOOTING || d.state == OVPN_DHCP_SELECTING) {
    now = ovpn_dhcp_deadline(&d);
    send_next();
  }
  while (d.state == OVPN_DHCP_BOUND && now < d.ends) {
    now = ovpn_dhcp_deadline(&d);
    send_next();
  }
  CHECK_INT(d.state, OVPN_DHCP_RENEWING); /* T1 is over by now */
  CHECK_INT(sent_type(), OVPN_DHCP_REQUEST);
}

/* ---- who else has the address */

static const uint8_t foreign_mac[6] = {2, 0, 0x5e, 0, 0x53, 7};

static void check_arp(const char *from)
{
  uint8_t expected[42] = {255, 255, 255, 255, 255, 255, 2, 1, 2, 3, 4,  5, 8, 6,
                          0,   1,   8,   0,   6,   4,   0, 1, 2, 1, 2,  3, 4, 5,
                          0,   0,   0,   0,   0,   0,   0, 0, 0, 0, 10, 1, 0, 50};
  inet_pton(AF_INET, from, expected + 28);
  CHECK_INT(sent_len, sizeof expected);
  CHECK_MEM(sent, expected, sizeof expected);
}

/* ARP by a station of the far network; op 1 = request, 2 = answer. */
static void say(const uint8_t *mac, const char *address, int op)
{
  uint8_t f[42] = {255, 255, 255, 255, 255, 255, 2, 0, 0, 0, 0, 1, 8, 6, 0, 1, 8, 0, 6, 4, 0};
  f[21] = (uint8_t)op;
  memcpy(f + 22, mac, 6);
  inet_pton(AF_INET, address, f + 28);
  memcpy(f + 38, "\x0a\x01\x00\x32", 4);
  for (size_t i = 0; i <= sizeof f; i++) {
    uint8_t *exact = malloc(i + 1); /* a read beyond its end is noticed */
    memcpy(exact, f, i);
    CHECK(!ovpn_dhcp_input(&d, now, exact, i)); /* the device may see it, too */
    free(exact);
  }
}

/* The ACK is there, and the first probe is out. */
static void probing(void)
{
  now += S;
  CHECK(send_next());
  CHECK_INT(sent_type(), OVPN_DHCP_DISCOVER);
  CHECK(OFFER(.lease = 600, .more = MASK24));
  CHECK(send_next());
  CHECK(ACK(.lease = 600, .more = MASK24));
  CHECK(send_next());
  check_arp("0.0.0.0");
  CHECK_INT(ovpn_dhcp_take_events(&d), 0);
}

static void test_check(void)
{
  unsigned probes = 1, announcements = 0;
  fresh();
  probing();
  CHECK(!send_next());
  uint64_t begin = now;
  /* what is no objection */
  say(params.mac, "10.1.0.50", 2);  /* ourselves, by way of a loop */
  say(foreign_mac, "10.1.0.51", 2); /* another address */
  say(foreign_mac, "0.0.0.0", 1);   /* somebody else's probe */
  say(foreign_mac, "10.1.0.50", 3); /* reverse ARP */
  CHECK_INT(d.state, OVPN_DHCP_CHECKING);
  while (d.state == OVPN_DHCP_CHECKING || d.watching) {
    now = ovpn_dhcp_deadline(&d);
    if (!send_next())
      continue;
    check_arp(d.state == OVPN_DHCP_CHECKING ? "0.0.0.0" : "10.1.0.50");
    *(d.state == OVPN_DHCP_CHECKING ? &probes : &announcements) += 1;
  }
  CHECK_INT(now - begin, (OVPN_DHCP_CHECK_MS + OVPN_DHCP_WATCH_MS) * MS);
  CHECK_INT(probes, 2);
  CHECK_INT(announcements, 2);
  CHECK_INT(ovpn_dhcp_take_events(&d), OVPN_DHCP_LEASED);
  say(foreign_mac, "10.1.0.50", 2); /* not our business any more */
  CHECK_INT(d.state, OVPN_DHCP_BOUND);
}

static void check_decline(void)
{
  uint8_t n;
  CHECK(ovpn_dhcp_deadline(&d) <= now);
  CHECK(send_next());
  check_frame();
  CHECK_INT(sent_type(), OVPN_DHCP_DECLINE);
  CHECK_MEM(sent, "\xff\xff\xff\xff\xff\xff", 6);
  CHECK_STR(sent_address(0), "0.0.0.0");
  CHECK_STR(sent_address(50), "10.1.0.50");
  CHECK_STR(sent_address(54), "10.1.0.1");
  CHECK(option(61, &n) && !option(55, &n) && !option(57, &n) && !option(12, &n));
  CHECK(!send_next()); /* a pause first */
}

static void test_conflict(void)
{
  fresh();
  probing();
  say(foreign_mac, "10.1.0.50", 2);
  CHECK_INT(ovpn_dhcp_take_events(&d), OVPN_DHCP_CONFLICT);
  CHECK_MEM(d.holder, foreign_mac, 6);
  CHECK_INT(d.state, OVPN_DHCP_SELECTING);
  CHECK(!ovpn_dhcp_has_lease(&d) && !d.remembered);
  check_decline();
  uint64_t limit = d.limit;
  probing(); /* after a second */
  CHECK_INT(d.limit, limit);
  now = ovpn_dhcp_deadline(&d);
  send_next();
  say(foreign_mac, "10.1.0.50", 1); /* an announcement */
  CHECK_INT(ovpn_dhcp_take_events(&d), OVPN_DHCP_CONFLICT);
  check_decline();
  now += S;
  CHECK(!send_next()); /* two seconds now */
  probing();
  now = ovpn_dhcp_deadline(&d);
  send_next();
  now = ovpn_dhcp_deadline(&d);
  CHECK(send_next());
  check_arp("10.1.0.50");
  CHECK_INT(ovpn_dhcp_take_events(&d), OVPN_DHCP_LEASED);
  /* late: it is used already */
  say(foreign_mac, "10.1.0.50", 2);
  CHECK_INT(ovpn_dhcp_take_events(&d), OVPN_DHCP_CONFLICT | OVPN_DHCP_REFUSED);
  CHECK(!ovpn_dhcp_has_lease(&d));
  check_decline();
  CHECK(d.limit > limit); /* a new search */
}

static void test_all_in_use(void)
{
  fresh();
  for (unsigned i = 1; i <= OVPN_DHCP_CONFLICTS_MAX; i++) {
    now += i > 2 ? ((1ull << (i - 2)) - 1) * S : 0; /* with probing(): 1, 2, 4, 8 s */
    probing();
    say(foreign_mac, "10.1.0.50", 2);
    unsigned last = i == OVPN_DHCP_CONFLICTS_MAX ? OVPN_DHCP_IN_USE : 0;
    CHECK_INT(ovpn_dhcp_take_events(&d), OVPN_DHCP_CONFLICT | last);
    check_decline();
  }
  CHECK_INT(d.state, OVPN_DHCP_FAILED);
  CHECK_INT(ovpn_dhcp_deadline(&d), UINT64_MAX);
  /* the server that gave it falls silent */
  ovpn_dhcp_stop(&d);
  start();
  probing();
  say(foreign_mac, "10.1.0.50", 2);
  CHECK_INT(ovpn_dhcp_take_events(&d), OVPN_DHCP_CONFLICT);
  check_decline();
  now = d.limit;
  CHECK(!send_next());
  CHECK_INT(ovpn_dhcp_take_events(&d), OVPN_DHCP_IN_USE);
}

/* A lease of an earlier session is used at once; objections count then, too. */
static void test_conflict_after_reboot(void)
{
  bound(600, 0, 0);
  ovpn_dhcp_stop(&d);
  start();
  CHECK(send_next());
  CHECK(ACK(.lease = 600, .more = MASK24));
  CHECK_INT(ovpn_dhcp_take_events(&d), OVPN_DHCP_CONFIRMED);
  CHECK(ovpn_dhcp_has_lease(&d));
  CHECK(send_next());
  check_arp("10.1.0.50");
  OvpnDhcp before = d;
  ovpn_dhcp_stop(&d);
  say(foreign_mac, "10.1.0.50", 2);
  CHECK_INT(ovpn_dhcp_take_events(&d), 0);
  d = before;
  say(foreign_mac, "10.1.0.50", 2);
  CHECK_INT(ovpn_dhcp_take_events(&d), OVPN_DHCP_CONFLICT | OVPN_DHCP_REFUSED);
  CHECK_INT(d.state, OVPN_DHCP_SELECTING);
  ovpn_dhcp_stop(&d); /* nothing is declined by another session */
  start();
  now += S;
  CHECK(send_next());
  CHECK_INT(sent_type(), OVPN_DHCP_DISCOVER);
}

static void test_release(void)
{
  uint8_t n;
  bound(600, 0, 0);
  sent_len = ovpn_dhcp_release(&d, now, sent, sizeof sent);
  check_frame();
  CHECK_INT(sent_type(), OVPN_DHCP_RELEASE);
  CHECK_STR(sent_address(0), "10.1.0.50");
  CHECK_STR(sent_address(54), "10.1.0.1");
  CHECK_MEM(sent, server_mac, 6);
  CHECK(option(61, &n) && !option(55, &n) && !option(12, &n));
  CHECK_INT(d.state, OVPN_DHCP_IDLE);
  CHECK(!ovpn_dhcp_has_lease(&d));
  CHECK_INT(ovpn_dhcp_release(&d, now, sent, sizeof sent), 0);
  fresh();
  CHECK_INT(ovpn_dhcp_release(&d, now, sent, sizeof sent), 0);
  fresh();
  probing(); /* given, but not used yet */
  CHECK(ovpn_dhcp_release(&d, now, sent, sizeof sent) > 0);
  CHECK_INT(ovpn_arp_probe(params.mac, d.lease.address, sent, 41), 0);
  CHECK_INT(ovpn_dhcp_encode(&(OvpnDhcpOut){.type = OVPN_DHCP_DISCOVER}, &params, sent, 300), 0);
}

static void test_times(void)
{
  bound(UINT32_MAX, 0, 0); /* for ever */
  CHECK_INT(ovpn_dhcp_deadline(&d), UINT64_MAX);
  now += 4000000000u * S;
  CHECK(!send_next());
  CHECK(ovpn_dhcp_has_lease(&d));
  bound(600, 500, 400); /* impossible ones are not believed */
  CHECK_INT(d.t1, now + 300 * S);
  bound(600, 100, 700);
  CHECK_INT(d.t2, now + 525 * S);
  bound(UINT32_MAX - 1, 0, 0);
  CHECK(d.ends > now && d.t1 < d.t2 && d.t2 < d.ends);
}

static OvpnLease lease_of(const char *more)
{
  fresh();
  send_next();
  CHECK(OFFER(.lease = 600, .more = MASK24));
  send_next();
  CHECK(ACK(.lease = 600, .more = more));
  CHECK_INT(d.state, OVPN_DHCP_CHECKING);
  return d.lease;
}

static void check_text(const OvpnLease *l, const char *expected)
{
  ovpn_auto_option_list list = {0};
  char text[4096] = "";
  CHECK(ovpn_lease_to_options(l, &list));
  for (size_t i = 0; i < list.n; i++) {
    CHECK(ovpn_lease_has_option(list.items[i].id));
    char *line = ovpn_option_format(&list.items[i]);
    strncat(text, line, sizeof text - strlen(text) - 2);
    strcat(text, "\n");
    free(line);
  }
  CHECK_STR(text, expected);
}

static void test_options(void)
{
  OvpnLease l =
      lease_of(MASK24 "0308 0a010001 0a010002 0608 0a010001 08080808 0f08 6661722e74657374"
                      "2c04 0a010003 2108 c0a80700 0a010002");
  check_text(&l,
             "ifconfig 10.1.0.50 255.255.255.0\nroute-gateway 10.1.0.1\n"
             "route 192.168.7.0 255.255.255.0 10.1.0.2\ndhcp-option DNS 10.1.0.1\n"
             "dhcp-option DNS 8.8.8.8\ndhcp-option WINS 10.1.0.3\ndhcp-option DOMAIN far.test\n");
  /* classless routes replace the router and the old routes; 0/0 is the gateway */
  l = lease_of(MASK24 "0304 0a010063 2108 c0a80700 0a010002"
                      "7915 18 c61207 0a010002 00 0a010001 14 c61250 00000000");
  CHECK(l.has_gateway);
  check_text(&l,
             "ifconfig 10.1.0.50 255.255.255.0\nroute-gateway 10.1.0.1\n"
             "route 198.18.7.0 255.255.255.0 10.1.0.2\nroute 198.18.80.0 255.255.240.0 0.0.0.0\n");
  /* broken ones do not */
  l = lease_of(MASK24 "0304 0a010063 7905 21 c61207 0a");
  check_text(&l, "ifconfig 10.1.0.50 255.255.255.0\nroute-gateway 10.1.0.99\n");
  /* an option in two pieces; one in the fields "file" and "sname" is in the next test */
  l = lease_of(MASK24 "7904 18 c61207 7904 0a010002");
  check_text(&l, "ifconfig 10.1.0.50 255.255.255.0\nroute 198.18.7.0 255.255.255.0 10.1.0.2\n");
  /* names: compressed, a loop, one that leaves its option, a strange letter */
  l = lease_of("7713 03666172 0474657374 00 046d6f7265 c000 c00a");
  check_text(&l, "ifconfig 10.1.0.50 255.0.0.0\ndhcp-option DOMAIN far.test\n"
                 "dhcp-option DOMAIN-SEARCH more.far.test\n");
  CHECK_INT(lease_of("7702 c000").n_names, 0);
  CHECK_INT(lease_of("7703 056161").n_names, 0);
  CHECK_INT(lease_of("7706 0461206262 00").n_names, 0);
  CHECK_INT(lease_of("0f05 6120 0a6262").n_names, 0);
  CHECK_INT(lease_of("0f05 2d61616161").n_names, 0);
  CHECK_STR(lease_of("0f05 612e62 2e00").names[0], "a.b");
  /* name servers that cannot be */
  CHECK_INT(lease_of("0608 00000000 7f000001").n_dns, 0);
  CHECK_INT(lease_of("0605 0a010001 01").n_dns, 0);
  CHECK_INT(lease_of("0628 0a010001 0a010001 0a010001 0a010001 0a010001 0a010001 0a010001 0a010001"
                     "0a010001 0a010001")
                .n_dns,
            OVPN_LEASE_ADDRS_MAX);
}

static void test_overload(void)
{
  uint8_t f[1600];
  OvpnDhcpIn in;
  fresh();
  send_next();
  size_t n =
      make_reply(&(Reply){OVPN_DHCP_ACK, "10.1.0.50", "10.1.0.1", 600, .more = "3401 03"}, f);
  memcpy(f + 42 + 108, "\x01\x04\xff\xff\xff\x00\x06\x04\x0a\x01\x00\x01\xff", 13); /* file */
  memcpy(f + 42 + 44, "\x06\x04\x0a\x01\x00\x02\xff", 7);                           /* sname */
  CHECK_INT(ovpn_dhcp_decode(f, n, &in), OVPN_OK);
  CHECK_INT(in.lease.prefix, 24);
  CHECK_INT(in.lease.n_dns, 2);
  CHECK_INT(in.lease.dns[1].s_addr, inet_addr("10.1.0.2"));
  f[42 + 44 + 1] = 70; /* leaves the field */
  CHECK_INT(ovpn_dhcp_decode(f, n, &in), OVPN_DROP_TRUNCATED);
}

static bool merged(const char *const *lease, const char *const *profile, const char *const *pushed,
                   const char *expected)
{
  OvpnOptionList in[3] = {{0}};
  ovpn_auto_option_list out = {0};
  const char *const *texts[3] = {lease, profile, pushed};
  char text[2048] = "";
  for (int i = 0; i < 3; i++)
    for (const char *const *t = texts[i]; *t; t += 4)
      ovpn_option_list_add_text(&in[i], t[0], t[1], t[2], t[3]);
  CHECK(ovpn_lease_merge(&in[0], &in[1], &in[2], &out));
  for (size_t i = 0; i < out.n; i++) {
    char *line = ovpn_option_format(&out.items[i]);
    strcat(strcat(text, line), "\n");
    free(line);
  }
  for (int i = 0; i < 3; i++)
    ovpn_option_list_clear(&in[i]);
  CHECK_STR(text, expected);
  return true;
}

static void test_merge(void)
{
  const char *lease[] = {"ifconfig",
                         "10.1.0.50",
                         "255.255.255.0",
                         NULL,
                         "route-gateway",
                         "10.1.0.1",
                         NULL,
                         NULL,
                         "route",
                         "198.18.7.0",
                         "255.255.255.0",
                         "10.1.0.2",
                         "dhcp-option",
                         "DNS",
                         "10.1.0.1",
                         NULL,
                         "dhcp-option",
                         "DOMAIN",
                         "far.test",
                         NULL,
                         NULL};
  const char *none[] = {NULL};
  const char *dns[] = {"dhcp-option", "DNS", "9.9.9.9", NULL, NULL};
  const char *dns2[] = {"dns", "server", "1", "address", NULL};
  const char *name[] = {"dhcp-option", "DOMAIN-SEARCH", "x.test", NULL, NULL};
  const char *filters[] = {
      "pull-filter", "ignore", "route ",   NULL, "pull-filter", "reject", "dhcp-option DNS", NULL,
      "pull-filter", "ignore", "ifconfig", NULL, NULL};
  const char *gateway[] = {"route-gateway", "10.1.0.9", NULL, NULL, NULL};
#define NET_ "ifconfig 10.1.0.50 255.255.255.0\n"
#define GW_ "route-gateway 10.1.0.1\n"
#define ROUTE_ "route 198.18.7.0 255.255.255.0 10.1.0.2\n"
#define DNS_ "dhcp-option DNS 10.1.0.1\n"
#define NAME_ "dhcp-option DOMAIN far.test\n"
  merged(lease, none, none, NET_ GW_ ROUTE_ DNS_ NAME_);
  merged(lease, none, dns, NET_ GW_ ROUTE_ NAME_ "dhcp-option DNS 9.9.9.9\n");
  merged(lease, dns, none, NET_ GW_ ROUTE_ NAME_);
  merged(lease, dns2, none, NET_ GW_ ROUTE_ NAME_);
  merged(lease, name, none, NET_ GW_ ROUTE_ DNS_);
  merged(lease, none, gateway, NET_ GW_ ROUTE_ DNS_ NAME_ "route-gateway 10.1.0.9\n");
  merged(lease, gateway, none, NET_ ROUTE_ DNS_ NAME_);
  merged(lease, filters, none, NET_ GW_ NAME_);
}

static void test_ipc(void)
{
  uint8_t buf[4096];
  OvpnDhcpParams back;
  OvpnWriter w = ovpn_writer(buf, sizeof buf);
  ovpn_dhcp_params_encode(&params, &w);
  for (size_t n = 0; n < w.len; n++) {
    OvpnReader r = ovpn_reader(buf, n);
    CHECK(!ovpn_dhcp_params_decode(&r, &back));
  }
  OvpnReader r = ovpn_reader(buf, w.len);
  CHECK(ovpn_dhcp_params_decode(&r, &back) && ovpn_reader_left(&r) == 0);
  CHECK_STR(back.host, "alice");
  CHECK_INT(back.id_len, 4);
  CHECK_MEM(back.mac, params.mac, 6);
  buf[6] = OVPN_DHCP_HOST_MAX; /* a host name that is too long */
  r = ovpn_reader(buf, sizeof buf);
  CHECK(!ovpn_dhcp_params_decode(&r, &back));
  buf[6] = 5;
  buf[12] = OVPN_DHCP_ID_MAX + 1;
  r = ovpn_reader(buf, sizeof buf);
  CHECK(!ovpn_dhcp_params_decode(&r, &back));

  ovpn_auto_option_list list = {0}, got = {0}, other = {0};
  OvpnLease l = lease_of(MASK24 "0304 0a010001");
  CHECK(ovpn_lease_to_options(&l, &list));
  w = ovpn_writer(buf, sizeof buf);
  ovpn_lease_encode(&list, &w);
  r = ovpn_reader(buf, w.len);
  CHECK(ovpn_lease_decode(&r, &got) && ovpn_reader_left(&r) == 0 && got.n == list.n);
  r = ovpn_reader(buf, w.len - 1);
  CHECK(!ovpn_lease_decode(&r, &other));
  buf[0] = 255; /* too many */
  r = ovpn_reader(buf, sizeof buf);
  CHECK(!ovpn_lease_decode(&r, &other));
  CHECK(ovpn_option_list_add_text(&list, "redirect-gateway", NULL, NULL, NULL));
  w = ovpn_writer(buf, sizeof buf);
  ovpn_lease_encode(&list, &w);
  r = ovpn_reader(buf, w.len);
  CHECK(!ovpn_lease_decode(&r, &other)); /* not a lease's */
}

int main(void)
{
  test_first_lease();
  test_not_for_us();
  test_bad_answers();
  test_no_answer();
  test_request_unanswered();
  test_request_refused();
  test_renewal();
  test_rebinding();
  test_withdrawn();
  test_reboot();
  test_late_reboot();
  test_check();
  test_conflict();
  test_all_in_use();
  test_conflict_after_reboot();
  test_release();
  test_times();
  test_options();
  test_overload();
  test_merge();
  test_ipc();
  TEST_END();
}
