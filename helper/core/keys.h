/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key method 2 messages and the derivation of data channel keys. spec §8, §9. */
#pragma once
#include "config.h"
#include "secret.h"
#include "status.h"
#include "wire.h"

enum { OVPN_KEY_BLOCK_LEN = 256, OVPN_KM_MAX = 2048 /* bytes of one message, spec §7 */ };

typedef struct OvpnKeySource {
  uint8_t pre_master[48], random1[32], random2[32];
} OvpnKeySource;

typedef struct OvpnKeyMethod {
  OvpnKeySource source;      /* pre_master unused from a server */
  char *options;             /* malloc'ed, never NULL after decode */
  char *username, *password; /* secrets; decode: may be "" */
  char *peer_info;
} OvpnKeyMethod;
void ovpn_key_method_clear(OvpnKeyMethod *k); /* wipes */
/* Returns bytes written, 0 = does not fit or a string too long. with_pre_master: client form. */
size_t ovpn_key_method_encode(const OvpnKeyMethod *k, bool with_pre_master, uint8_t *buf,
                              size_t cap);
/* Missing tail strings are accepted (§8.1). DROP_x codes on malformed input (caller makes it a
 * failure). */
OvpnStatus ovpn_key_method_decode(const uint8_t *buf, size_t len, bool with_pre_master,
                                  OvpnKeyMethod *ret);

/* TLS 1.0 PRF. OK or FAIL_KEY_DERIVATION (for example MD5 refused in FIPS mode). */
OvpnStatus ovpn_tls1_prf(const uint8_t *secret, size_t secret_len, const char *label,
                         const uint8_t *seed, size_t seed_len, uint8_t *out, size_t out_len);
OvpnStatus ovpn_keys_derive_prf(const OvpnKeySource *client, const OvpnKeySource *server,
                                const uint8_t client_sid[8], const uint8_t server_sid[8],
                                uint8_t block[OVPN_KEY_BLOCK_LEN]);

/* Value of `name` in an OCC options string ("cipher" -> "AES-256-CBC"); false if absent. */
bool ovpn_occ_get(const char *occ, const char *name, char *ret, size_t cap);
/* Builds our OCC string (§8.3) into buf; returns length or 0. */

size_t ovpn_occ_format(const OvpnConfig *c, bool tcp, char *buf, size_t cap);
/* Peer-info text (§8.4) into buf; iv_proto is the bit field. returns length or 0. `hwaddr` NULL =
 * none. */
size_t ovpn_peer_info_format(const OvpnConfig *c, unsigned iv_proto, const char *version, char *buf,
                             size_t cap);
