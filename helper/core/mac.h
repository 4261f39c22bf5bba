/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HMAC with every digest that `auth` can name. spec §10, §11.2. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { OVPN_MAC_MAX = 64 };
typedef struct OvpnMac OvpnMac;
/* The key has ovpn_digest_len(digest) bytes. NULL: unknown digest, "none", refused by the library
 * (FIPS mode), or no memory. Packets never allocate. */
OvpnMac *ovpn_mac_new(const char *digest, const uint8_t *key);
void ovpn_mac_free(OvpnMac *m); /* wipes; NULL ok */
bool ovpn_mac_update(OvpnMac *m, const void *p, size_t len);
void ovpn_mac_output(OvpnMac *m, uint8_t *tag); /* and ready for the next message */
