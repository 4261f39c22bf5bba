/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of ciphers and digests, for programs that do not see the crypto library. spec §10. */
#pragma once
#include <stdbool.h>

typedef enum OvpnCipherFound {
  OVPN_CIPHER_UNKNOWN,
  OVPN_CIPHER_MISSING, /* a real cipher that this build cannot do */
  OVPN_CIPHER_ABLE,
} OvpnCipherFound;
/* Letters of either case, aliases too. *ret_name (may be NULL): the canonical name, static; only
 * for ABLE and MISSING. */
OvpnCipherFound ovpn_cipher_find(const char *name, const char **ret_name);
unsigned ovpn_cipher_key_bits(const char *canonical); /* 0 for "none" and for unknown ones */
bool ovpn_cipher_is_short(const char *canonical); /* blocks of 64 bits: few bytes under one key */
bool ovpn_cipher_in_static_key_mode(const char *canonical); /* CBC and "none" */
/* The canonical name, static; NULL if unknown. "RSA-" and the like in front do not count. */
const char *ovpn_digest_name(const char *name);
/* The same for a digest that is known but in no library here: CBC and tls-auth cannot use it. */
const char *ovpn_digest_missing(const char *name);
bool ovpn_digest_is_able(const char *name);
unsigned ovpn_digest_len(const char *name); /* bytes; 0 for "none" and for unknown ones */
