/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses of sockets: made, taken apart, compared; prefixes. */
#include "helper/core/address.h"
#include <arpa/inet.h>
#include "tests/unit/check.h"

static struct sockaddr_storage make(const char *text, uint16_t port)
{
  struct sockaddr_storage ret;
  uint8_t bytes[16];
  bool v6 = strchr(text, ':') != NULL;
  CHECK_INT(inet_pton(v6 ? AF_INET6 : AF_INET, text, bytes), 1);
  CHECK(ovpn_address_make(&ret, bytes, v6 ? 16 : 4, port));
  return ret;
}

/* "address port", as the kernel would read the struct */
static const char *words(const struct sockaddr_storage *a)
{
  static char ret[80];
  const struct sockaddr_in *s4 = (const void *)a;
  const struct sockaddr_in6 *s6 = (const void *)a;
  bool v6 = a->ss_family == AF_INET6;
  char text[INET6_ADDRSTRLEN] = "?";
  inet_ntop(a->ss_family, v6 ? (const void *)&s6->sin6_addr : (const void *)&s4->sin_addr, text,
            sizeof text);
  snprintf(ret, sizeof ret, "%s %u", text, ntohs(v6 ? s6->sin6_port : s4->sin_port));
  return ret;
}

static void test_parts(void)
{
  struct sockaddr_storage four = make("192.0.2.7", 1194), six = make("2001:db8::7", 443), none;
  size_t len;
  CHECK_STR(words(&four), "192.0.2.7 1194");
  CHECK_STR(words(&six), "2001:db8::7 443");
  CHECK_INT(ovpn_address_len(&four), sizeof(struct sockaddr_in));
  CHECK_INT(ovpn_address_len(&six), sizeof(struct sockaddr_in6));
  CHECK_MEM(ovpn_address_bytes(&four, &len), "\xc0\x00\x02\x07", 4);
  CHECK_INT(len, 4);
  CHECK_MEM(ovpn_address_bytes(&six, &len), "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\x07", 16);
  CHECK_INT(len, 16);
  CHECK_INT(ovpn_address_port(&four), 1194);
  CHECK_INT(ovpn_address_port(&six), 443);
  ovpn_address_set_port(&four, 65535);
  ovpn_address_set_port(&six, 1);
  CHECK_STR(words(&four), "192.0.2.7 65535");
  CHECK_STR(words(&six), "2001:db8::7 1");
  for (size_t n = 0; n <= 17; n++)
    CHECK(n == 4 || n == 16 || !ovpn_address_make(&none, "0123456789abcdefg", n, 1));
  CHECK_INT(none.ss_family, AF_UNSPEC);
  CHECK(!ovpn_address_bytes(&none, &len));
  CHECK_INT(len, 0);
  CHECK_INT(ovpn_address_len(&none), 0);
  ovpn_address_set_port(&none, 1194);
  CHECK_INT(ovpn_address_port(&none), 0);
}

static void test_same(void)
{
  struct sockaddr_storage a = make("192.0.2.7", 1194), b = make("192.0.2.7", 1195);
  struct sockaddr_storage c = make("192.0.2.8", 1194), none = {.ss_family = AF_UNSPEC};
  struct sockaddr_storage six = make("fe80::1", 1194), other = six, mapped;
  CHECK(ovpn_address_same(&a, &a) && ovpn_address_same_host(&a, &a));
  CHECK(!ovpn_address_same(&a, &b) && ovpn_address_same_host(&a, &b));
  CHECK(!ovpn_address_same(&a, &c) && !ovpn_address_same_host(&a, &c));
  CHECK(!ovpn_address_same(&a, &six) && !ovpn_address_same_host(&a, &six));
  CHECK(!ovpn_address_same(&none, &none) && !ovpn_address_same_host(&none, &none));
  CHECK(ovpn_address_same(&six, &other));
  ((struct sockaddr_in6 *)(void *)&other)->sin6_flowinfo = htonl(7); /* says nothing of the peer */
  CHECK(ovpn_address_same(&six, &other));
  ((struct sockaddr_in6 *)(void *)&other)->sin6_scope_id = 2;
  CHECK(!ovpn_address_same(&six, &other) && ovpn_address_same_host(&six, &other));
  memset((char *)&a + sizeof(struct sockaddr_in), 0xee, 4); /* behind the struct of the family */
  b = make("192.0.2.7", 1194);
  CHECK(ovpn_address_same(&a, &b));
  mapped = make("::ffff:192.0.2.7", 1194);
  CHECK(!ovpn_address_same(&mapped, &b));
  mapped = ovpn_address_plain(&mapped);
  CHECK(ovpn_address_same(&mapped, &b));
}

static void expect_plain(const char *text, const char *expected)
{
  struct sockaddr_storage a = make(text, 1194), plain = ovpn_address_plain(&a);
  CHECK_STR(words(&plain), expected);
}

static void test_plain(void)
{
  struct sockaddr_storage none = {.ss_family = AF_UNSPEC};
  expect_plain("::ffff:192.0.2.7", "192.0.2.7 1194");
  expect_plain("192.0.2.7", "192.0.2.7 1194");
  expect_plain("2001:db8::7", "2001:db8::7 1194");
  expect_plain("::192.0.2.7", "::192.0.2.7 1194");
  expect_plain("64:ff9b::c000:207", "64:ff9b::c000:207 1194");
  none = ovpn_address_plain(&none);
  CHECK_INT(none.ss_family, AF_UNSPEC);
}

static bool covers(const char *net, unsigned bits, const char *address)
{
  struct sockaddr_storage n = make(net, 0), a = make(address, 0);
  size_t len;
  return ovpn_prefix_covers(ovpn_address_bytes(&n, &len), bits, ovpn_address_bytes(&a, &len));
}

static void test_prefix(void)
{
  CHECK(covers("0.0.0.0", 0, "255.255.255.255"));
  CHECK(covers("10.8.0.0", 16, "10.8.255.1") && !covers("10.8.0.0", 16, "10.9.0.1"));
  CHECK(covers("10.8.0.0", 13, "10.15.0.1") && !covers("10.8.0.0", 13, "10.16.0.1"));
  CHECK(covers("128.0.0.0", 1, "200.0.0.1") && !covers("128.0.0.0", 1, "127.0.0.1"));
  CHECK(covers("192.0.2.7", 31, "192.0.2.6") && !covers("192.0.2.7", 32, "192.0.2.6"));
  CHECK(covers("192.0.2.7", 32, "192.0.2.7"));
  CHECK(covers("2001:db8::", 127, "2001:db8::1") && !covers("2001:db8::", 128, "2001:db8::1"));
  CHECK(covers("2001:db8::", 33, "2001:db8:7fff::1") &&
        !covers("2001:db8::", 33, "2001:db8:8000::"));
}

int main(void)
{
  test_parts();
  test_same();
  test_plain();
  test_prefix();
  TEST_END();
}
