/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Block ciphers of old profiles, in the modes that GnuTLS does not offer for them. spec §11.2,
 * §11.3. */
#pragma once
#include <nettle/aes.h>
#include <nettle/arctwo.h>
#include <nettle/blowfish.h>
#include <nettle/camellia.h>
#include <nettle/cast128.h>
#include <nettle/des.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef enum OvpnBlockKind {
  OVPN_BLOCK_AES128,
  OVPN_BLOCK_AES192,
  OVPN_BLOCK_AES256,
  OVPN_BLOCK_CAMELLIA128,
  OVPN_BLOCK_CAMELLIA192,
  OVPN_BLOCK_CAMELLIA256,
  OVPN_BLOCK_BLOWFISH,
  OVPN_BLOCK_CAST5,
  OVPN_BLOCK_DES,
  OVPN_BLOCK_DES_EDE,
  OVPN_BLOCK_DES_EDE3,
  OVPN_BLOCK_DESX,
  OVPN_BLOCK_RC2,
  OVPN_BLOCK_RC2_64,
  OVPN_BLOCK_RC2_40,
} OvpnBlockKind;

typedef enum OvpnBlockMode {
  OVPN_MODE_CBC, /* ciphers of 64-bit blocks only */
  OVPN_MODE_CFB,
  OVPN_MODE_CFB8,
  OVPN_MODE_CFB1,
  OVPN_MODE_OFB,
} OvpnBlockMode;

typedef struct OvpnDesx {
  struct des_ctx des;
  uint8_t in[8], out[8];
} OvpnDesx;

typedef struct OvpnBlock {
  nettle_cipher_func *encrypt, *decrypt; /* decrypt: NULL for 128-bit blocks */
  unsigned size;
  union {
    struct aes128_ctx aes128;
    struct aes192_ctx aes192;
    struct aes256_ctx aes256;
    struct camellia128_ctx camellia128;
    struct camellia256_ctx camellia256;
    struct blowfish_ctx blowfish;
    struct cast128_ctx cast;
    struct des_ctx des;
    struct des3_ctx des3;
    OvpnDesx desx;
    struct arctwo_ctx rc2;
  } ctx;
} OvpnBlock;

/* How long a key is, in bytes: `usual` where nothing is wanted and for ciphers with one length
 * only; 0 = it cannot be as long as is wanted. */
size_t ovpn_block_key_len(OvpnBlockKind kind, size_t usual, size_t wanted);
/* bytes: as ovpn_block_key_len says. false: the key is a weak one. */
bool ovpn_block_init(OvpnBlock *b, OvpnBlockKind kind, const uint8_t *key, size_t bytes);
/* In place. iv: one block; CBC: whole blocks. */
void ovpn_block_crypt(const OvpnBlock *b, OvpnBlockMode mode, bool encrypt, const uint8_t *iv,
                      uint8_t *p, size_t len);
