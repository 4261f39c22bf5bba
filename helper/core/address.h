/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses of sockets: IPv4 or IPv6, with a port. A struct of another family holds none. */
#pragma once
#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

/* len bytes in network order, port in host order. false: len is neither 4 nor 16, *ret holds none.
 */
bool ovpn_address_make(struct sockaddr_storage *ret, const void *bytes, size_t len, uint16_t port);
/* In network order, inside of *a; *ret_len: 4 or 16. NULL and 0: there is none. */
const uint8_t *ovpn_address_bytes(const struct sockaddr_storage *a, size_t *ret_len);
uint16_t ovpn_address_port(const struct sockaddr_storage *a); /* host order; 0 = none */
void ovpn_address_set_port(struct sockaddr_storage *a, uint16_t port);
/* The interface that a link-local IPv6 address belongs to; 0 = none. */
uint32_t ovpn_address_scope(const struct sockaddr_storage *a);
void ovpn_address_set_scope(struct sockaddr_storage *a, uint32_t scope);
/* What system calls want for it; 0 = there is none. */
socklen_t ovpn_address_len(const struct sockaddr_storage *a);

/* Address, port and, where an address needs it, the link that it belongs to. Two that hold none are
 * not the same. */
bool ovpn_address_same(const struct sockaddr_storage *a, const struct sockaddr_storage *b);
/* The address alone. */
bool ovpn_address_same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b);
/* An IPv4 address in the form that it has on an IPv6 socket (::ffff:a.b.c.d) as IPv4; others as
 * they are. */
struct sockaddr_storage ovpn_address_plain(const struct sockaddr_storage *a);

/* Are the first `bits` of both alike? Both are long enough for that. */
bool ovpn_prefix_covers(const uint8_t *net, unsigned bits, const uint8_t *address);
