/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Block ciphers of Nettle in CBC, CFB and OFB. spec §11.2, §11.3.
 *
 * Nothing here decides about security: ciphers such as DES are kept for networks that cannot be
 * changed, and the log says that they are weak. The caller has checked lengths. */
#include "helper/core/block.h"
#include "helper/core/secret.h"
#include <nettle/cbc.h>
#include <nettle/cfb.h>
#include <nettle/memxor.h>
#include <string.h>

enum { BLOCK_MAX = 16, SLICE_LEN = 64 };

#define USE(b, n, enc, dec)                                                                        \
  ((b)->size = (n), (b)->encrypt = (nettle_cipher_func *)(enc),                                    \
   (b)->decrypt = (nettle_cipher_func *)(dec))

/* DESX: DES with two more keys added before and after. */
static void desx_encrypt(const OvpnDesx *x, size_t len, uint8_t *dst, const uint8_t *src)
{
  for (size_t i = 0; i + 8 <= len; i += 8) {
    memxor3(dst + i, src + i, x->in, 8);
    des_encrypt(&x->des, 8, dst + i, dst + i);
    memxor(dst + i, x->out, 8);
  }
}

static void desx_decrypt(const OvpnDesx *x, size_t len, uint8_t *dst, const uint8_t *src)
{
  for (size_t i = 0; i + 8 <= len; i += 8) {
    memxor3(dst + i, src + i, x->out, 8);
    des_decrypt(&x->des, 8, dst + i, dst + i);
    memxor(dst + i, x->in, 8);
  }
}

static bool init_des(OvpnBlock *b, OvpnBlockKind kind, const uint8_t *key)
{
  uint8_t three[24];
  bool ok;
  if (kind == OVPN_BLOCK_DES) {
    USE(b, 8, des_encrypt, des_decrypt);
    return des_set_key(&b->ctx.des, key);
  }
  if (kind == OVPN_BLOCK_DESX) {
    USE(b, 8, desx_encrypt, desx_decrypt);
    memcpy(b->ctx.desx.in, key + 8, 8);
    memcpy(b->ctx.desx.out, key + 16, 8);
    return des_set_key(&b->ctx.desx.des, key);
  }
  USE(b, 8, des3_encrypt, des3_decrypt);
  memcpy(three, key, 16);
  memcpy(three + 16, kind == OVPN_BLOCK_DES_EDE ? key : key + 16, 8);
  ok = des3_set_key(&b->ctx.des3, three);
  ovpn_wipe(three, sizeof three);
  return ok;
}

size_t ovpn_block_key_len(OvpnBlockKind kind, size_t usual, size_t wanted)
{
  size_t least = usual, most = usual;
  switch (kind) {
  case OVPN_BLOCK_AES128:
  case OVPN_BLOCK_AES192:
  case OVPN_BLOCK_AES256:
  case OVPN_BLOCK_CAMELLIA128:
  case OVPN_BLOCK_CAMELLIA192:
  case OVPN_BLOCK_CAMELLIA256:
  case OVPN_BLOCK_DES:
  case OVPN_BLOCK_DES_EDE:
  case OVPN_BLOCK_DES_EDE3:
  case OVPN_BLOCK_DESX:
    return usual;
  case OVPN_BLOCK_BLOWFISH:
    least = BLOWFISH_MIN_KEY_SIZE / 2;
    most = BLOWFISH_MAX_KEY_SIZE;
    break;
  case OVPN_BLOCK_CAST5:
    least = CAST5_MIN_KEY_SIZE;
    most = CAST5_MAX_KEY_SIZE;
    break;
  case OVPN_BLOCK_RC2:
  case OVPN_BLOCK_RC2_64:
  case OVPN_BLOCK_RC2_40:
    least = 1;
    most = SLICE_LEN;
    break;
  }
  if (wanted == 0)
    return usual;
  return wanted >= least && wanted <= most ? wanted : 0;
}

/* The schedule goes round the key's bytes: a key said twice is the same key. Nettle takes none of
 * less than eight bytes. */
static bool init_blowfish(OvpnBlock *b, const uint8_t *key, size_t bytes)
{
  uint8_t twice[2 * BLOWFISH_MIN_KEY_SIZE];
  USE(b, 8, blowfish_encrypt, blowfish_decrypt);
  if (bytes >= BLOWFISH_MIN_KEY_SIZE)
    return blowfish_set_key(&b->ctx.blowfish, bytes, key);
  memcpy(twice, key, bytes);
  memcpy(twice + bytes, key, bytes);
  bool ok = blowfish_set_key(&b->ctx.blowfish, 2 * bytes, twice);
  ovpn_wipe(twice, sizeof twice);
  return ok;
}

bool ovpn_block_init(OvpnBlock *b, OvpnBlockKind kind, const uint8_t *key, size_t bytes)
{
  switch (kind) {
  case OVPN_BLOCK_AES128:
    USE(b, 16, aes128_encrypt, NULL);
    aes128_set_encrypt_key(&b->ctx.aes128, key);
    return true;
  case OVPN_BLOCK_AES192:
    USE(b, 16, aes192_encrypt, NULL);
    aes192_set_encrypt_key(&b->ctx.aes192, key);
    return true;
  case OVPN_BLOCK_AES256:
    USE(b, 16, aes256_encrypt, NULL);
    aes256_set_encrypt_key(&b->ctx.aes256, key);
    return true;
  case OVPN_BLOCK_CAMELLIA128:
    USE(b, 16, camellia128_crypt, NULL);
    camellia128_set_encrypt_key(&b->ctx.camellia128, key);
    return true;
  case OVPN_BLOCK_CAMELLIA192:
    USE(b, 16, camellia256_crypt, NULL);
    camellia192_set_encrypt_key(&b->ctx.camellia256, key);
    return true;
  case OVPN_BLOCK_CAMELLIA256:
    USE(b, 16, camellia256_crypt, NULL);
    camellia256_set_encrypt_key(&b->ctx.camellia256, key);
    return true;
  case OVPN_BLOCK_BLOWFISH:
    return init_blowfish(b, key, bytes);
  case OVPN_BLOCK_CAST5:
    USE(b, 8, cast128_encrypt, cast128_decrypt);
    cast5_set_key(&b->ctx.cast, bytes, key);
    return true;
  case OVPN_BLOCK_DES:
  case OVPN_BLOCK_DES_EDE:
  case OVPN_BLOCK_DES_EDE3:
  case OVPN_BLOCK_DESX:
    return init_des(b, kind, key);
  case OVPN_BLOCK_RC2:
  case OVPN_BLOCK_RC2_64:
  case OVPN_BLOCK_RC2_40: {
    /* what the name says stays the effective length, however long the key is */
    unsigned bits = kind == OVPN_BLOCK_RC2 ? 128 : kind == OVPN_BLOCK_RC2_64 ? 64 : 40;
    USE(b, 8, arctwo_encrypt, arctwo_decrypt);
    arctwo_set_key_ekb(&b->ctx.rc2, bytes, key, bits);
    return true;
  }
  }
  return false;
}

static void ofb(const OvpnBlock *b, uint8_t *reg, uint8_t *p, size_t len)
{
  while (len > 0) {
    size_t n = len < b->size ? len : b->size;
    b->encrypt(&b->ctx, b->size, reg, reg);
    memxor(p, reg, n);
    p += n;
    len -= n;
  }
}

static void cfb8(const OvpnBlock *b, bool encrypt, uint8_t *reg, uint8_t *p, size_t len)
{
  uint8_t pad[BLOCK_MAX];
  for (size_t i = 0; i < len; i++) {
    b->encrypt(&b->ctx, b->size, pad, reg);
    uint8_t in = p[i];
    p[i] ^= pad[0];
    memmove(reg, reg + 1, b->size - 1);
    reg[b->size - 1] = encrypt ? p[i] : in;
  }
}

static void cfb1(const OvpnBlock *b, bool encrypt, uint8_t *reg, uint8_t *p, size_t len)
{
  uint8_t pad[BLOCK_MAX];
  for (size_t i = 0; i < len * 8; i++) {
    uint8_t mask = (uint8_t)(0x80 >> (i % 8)), in = p[i / 8] & mask;
    b->encrypt(&b->ctx, b->size, pad, reg);
    if (pad[0] & 0x80)
      p[i / 8] ^= mask;
    uint8_t bit = encrypt ? (p[i / 8] & mask) != 0 : in != 0;
    for (unsigned j = 0; j + 1 < b->size; j++)
      reg[j] = (uint8_t)(reg[j] << 1 | reg[j + 1] >> 7);
    reg[b->size - 1] = (uint8_t)(reg[b->size - 1] << 1 | bit);
  }
}

void ovpn_block_crypt(const OvpnBlock *b, OvpnBlockMode mode, bool encrypt, const uint8_t *iv,
                      uint8_t *p, size_t len)
{
  uint8_t reg[BLOCK_MAX];
  memcpy(reg, iv, b->size);
  switch (mode) {
  case OVPN_MODE_CBC:
    if (encrypt)
      cbc_encrypt(&b->ctx, b->encrypt, b->size, reg, len, p, p);
    else
      cbc_decrypt(&b->ctx, b->decrypt, b->size, reg, len, p, p);
    break;
  case OVPN_MODE_CFB:
    if (encrypt)
      cfb_encrypt(&b->ctx, b->encrypt, b->size, reg, len, p, p);
    else
      cfb_decrypt(&b->ctx, b->encrypt, b->size, reg, len, p, p);
    break;
  case OVPN_MODE_CFB8:
    cfb8(b, encrypt, reg, p, len);
    break;
  case OVPN_MODE_CFB1:
    cfb1(b, encrypt, reg, p, len);
    break;
  case OVPN_MODE_OFB:
    ofb(b, reg, p, len);
    break;
  }
}
