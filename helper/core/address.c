/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses of sockets: made, taken apart, compared.
 *
 * Trusts the caller that a struct of the family AF_INET or AF_INET6 is filled as the kernel does
 * it. Invariant: nothing is read or written beyond the struct of the family. */
#include "address.h"
#include <string.h>

bool ovpn_address_make(struct sockaddr_storage *ret, const void *bytes, size_t len, uint16_t port)
{
  struct sockaddr_in s4 = {.sin_family = AF_INET, .sin_port = htons(port)};
  struct sockaddr_in6 s6 = {.sin6_family = AF_INET6, .sin6_port = htons(port)};
  *ret = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
  if (len == sizeof s4.sin_addr) {
    memcpy(&s4.sin_addr, bytes, len);
    memcpy(ret, &s4, sizeof s4);
  } else if (len == sizeof s6.sin6_addr) {
    memcpy(&s6.sin6_addr, bytes, len);
    memcpy(ret, &s6, sizeof s6);
  }
  return ret->ss_family != AF_UNSPEC;
}

const uint8_t *ovpn_address_bytes(const struct sockaddr_storage *a, size_t *ret_len)
{
  const struct sockaddr_in *s4 = (const void *)a;
  const struct sockaddr_in6 *s6 = (const void *)a;
  *ret_len = 0;
  if (a->ss_family == AF_INET) {
    *ret_len = sizeof s4->sin_addr;
    return (const void *)&s4->sin_addr;
  }
  if (a->ss_family == AF_INET6) {
    *ret_len = sizeof s6->sin6_addr;
    return (const void *)&s6->sin6_addr;
  }
  return NULL;
}

uint16_t ovpn_address_port(const struct sockaddr_storage *a)
{
  if (a->ss_family == AF_INET)
    return ntohs(((const struct sockaddr_in *)(const void *)a)->sin_port);
  if (a->ss_family == AF_INET6)
    return ntohs(((const struct sockaddr_in6 *)(const void *)a)->sin6_port);
  return 0;
}

void ovpn_address_set_port(struct sockaddr_storage *a, uint16_t port)
{
  if (a->ss_family == AF_INET)
    ((struct sockaddr_in *)(void *)a)->sin_port = htons(port);
  else if (a->ss_family == AF_INET6)
    ((struct sockaddr_in6 *)(void *)a)->sin6_port = htons(port);
}

socklen_t ovpn_address_len(const struct sockaddr_storage *a)
{
  return a->ss_family == AF_INET6  ? sizeof(struct sockaddr_in6)
         : a->ss_family == AF_INET ? sizeof(struct sockaddr_in)
                                   : 0;
}

uint32_t ovpn_address_scope(const struct sockaddr_storage *a)
{
  return a->ss_family == AF_INET6 ? ((const struct sockaddr_in6 *)(const void *)a)->sin6_scope_id
                                  : 0;
}

void ovpn_address_set_scope(struct sockaddr_storage *a, uint32_t scope)
{
  if (a->ss_family == AF_INET6)
    ((struct sockaddr_in6 *)(void *)a)->sin6_scope_id = scope;
}

bool ovpn_address_same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
  size_t len, other_len;
  const uint8_t *bytes = ovpn_address_bytes(a, &len);
  const uint8_t *other = ovpn_address_bytes(b, &other_len);
  return bytes && other && len == other_len && memcmp(bytes, other, len) == 0;
}

bool ovpn_address_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b)
{
  return ovpn_address_same_host(a, b) && ovpn_address_port(a) == ovpn_address_port(b) &&
         ovpn_address_scope(a) == ovpn_address_scope(b);
}

struct sockaddr_storage ovpn_address_plain(const struct sockaddr_storage *a)
{
  const struct sockaddr_in6 *s6 = (const void *)a;
  struct sockaddr_storage ret = *a;
  if (a->ss_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&s6->sin6_addr))
    ovpn_address_make(&ret, &s6->sin6_addr.s6_addr[12], 4, ntohs(s6->sin6_port));
  return ret;
}

bool ovpn_prefix_covers(const uint8_t *net, unsigned bits, const uint8_t *address)
{
  unsigned whole = bits / 8, rest = bits % 8;
  return memcmp(net, address, whole) == 0 &&
         (rest == 0 || (net[whole] ^ address[whole]) >> (8 - rest) == 0);
}
