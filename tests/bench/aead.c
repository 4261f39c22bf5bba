/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What sealing and opening one packet costs with each way of calling GnuTLS, with nettle, and
 * through helper/core/aead. For the choice made there; never installed. Prints nanoseconds of CPU
 * time per packet, the best of several runs, in alternation. */
#include "helper/core/aead.h"
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <nettle/chacha-poly1305.h>
#include <nettle/gcm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PACKETS = 2000, RUNS = 25, AD = 8, TAG = 16, STRIDE = 2048, SLOTS = 256, AT = 256 };

typedef struct Bench {
  const char *cipher;
  gnutls_aead_cipher_hd_t hd;
  struct gcm_aes256_ctx gcm256;
  struct gcm_aes128_ctx gcm128;
  struct chacha_poly1305_ctx chacha;
  OvpnDataKey *seal, *open;
  uint8_t *slab;
  size_t len;
} Bench;

static uint8_t nonce[12] = {1, 2, 3}, ad[AD] = {4, 5, 6};

static uint8_t *slot(const Bench *b, unsigned i)
{
  return b->slab + (size_t)(i % SLOTS) * STRIDE + AT;
}

static void run_vectored(Bench *b, unsigned i)
{
  giovec_t a = {ad, AD}, text = {slot(b, i), b->len};
  size_t n = TAG;
  gnutls_aead_cipher_encryptv2(b->hd, nonce, sizeof nonce, &a, 1, &text, 1, text.iov_base, &n);
}

/* Tag behind the ciphertext: it would have to be moved to the front. */
static void run_plain(Bench *b, unsigned i)
{
  uint8_t *p = slot(b, i);
  size_t n = b->len + TAG;
  gnutls_aead_cipher_encrypt(b->hd, nonce, sizeof nonce, ad, AD, TAG, p, b->len, p, &n);
}

static void run_nettle(Bench *b, unsigned i)
{
  uint8_t *p = slot(b, i), *tag = p - TAG;
  if (b->cipher[0] == 'C') {
    chacha_poly1305_set_nonce(&b->chacha, nonce);
    chacha_poly1305_update(&b->chacha, AD, ad);
    chacha_poly1305_encrypt(&b->chacha, b->len, p, p);
    chacha_poly1305_digest(&b->chacha, TAG, tag);
  } else if (b->cipher[4] == '2') {
    gcm_aes256_set_iv(&b->gcm256, sizeof nonce, nonce);
    gcm_aes256_update(&b->gcm256, AD, ad);
    gcm_aes256_encrypt(&b->gcm256, b->len, p, p);
    gcm_aes256_digest(&b->gcm256, TAG, tag);
  } else {
    gcm_aes128_set_iv(&b->gcm128, sizeof nonce, nonce);
    gcm_aes128_update(&b->gcm128, AD, ad);
    gcm_aes128_encrypt(&b->gcm128, b->len, p, p);
    gcm_aes128_digest(&b->gcm128, TAG, tag);
  }
}

static void run_seal(Bench *b, unsigned i)
{
  uint8_t *pkt;
  size_t n;
  ovpn_data_seal(b->seal, slot(b, i) - AT, AT, b->len, &pkt, &n);
}

static void run_seal_open(Bench *b, unsigned i)
{
  uint8_t *pkt, *payload;
  size_t n;
  if (ovpn_data_seal(b->seal, slot(b, i) - AT, AT, b->len, &pkt, &n) != OVPN_OK ||
      ovpn_data_open(b->open, pkt, n, &payload, &n) != OVPN_OK)
    abort();
}

static double once(Bench *b, void (*run)(Bench *, unsigned))
{
  struct timespec from, to;
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &from);
  for (unsigned i = 0; i < PACKETS; i++)
    run(b, i);
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &to);
  return ((double)(to.tv_sec - from.tv_sec) * 1e9 + (double)(to.tv_nsec - from.tv_nsec)) / PACKETS;
}

static void setup(Bench *b, gnutls_cipher_algorithm_t alg, const char *name)
{
  static uint8_t block[256];
  OvpnFailure f = {0};
  for (unsigned i = 0; i < sizeof block; i++)
    block[i] = (uint8_t)(i + 1);
  const OvpnDataCipher *c = ovpn_data_cipher(name);
  gnutls_datum_t key = {block, c->key_len};
  b->cipher = name;
  gcm_aes256_set_key(&b->gcm256, block);
  gcm_aes128_set_key(&b->gcm128, block);
  chacha_poly1305_set_key(&b->chacha, block);
  if (gnutls_aead_cipher_init(&b->hd, alg, &key) < 0 ||
      ovpn_data_key_new(c, "none", block, true, 0, 1, NULL, NULL, NULL, &b->seal, &f) != OVPN_OK ||
      ovpn_data_key_new(c, "none", block, false, 0, 1, NULL, NULL, NULL, &b->open, &f) != OVPN_OK)
    abort();
}

int main(void)
{
  static const struct {
    const char *name;
    gnutls_cipher_algorithm_t alg;
  } ciphers[] = {{"AES-128-GCM", GNUTLS_CIPHER_AES_128_GCM},
                 {"AES-256-GCM", GNUTLS_CIPHER_AES_256_GCM},
                 {"CHACHA20-POLY1305", GNUTLS_CIPHER_CHACHA20_POLY1305}};
  static const struct {
    const char *name;
    void (*run)(Bench *, unsigned);
  } ways[] = {{"GnuTLS vectored", run_vectored},
              {"GnuTLS plain", run_plain},
              {"nettle", run_nettle},
              {"ovpn_data_seal", run_seal},
              {"seal + open", run_seal_open}};
  enum { WAYS = sizeof ways / sizeof ways[0] };
  static const size_t lens[] = {64, 256, 1400};
  uint8_t *slab = calloc(SLOTS, STRIDE);
  printf("GnuTLS %s; ns per packet\n%-20s%6s", gnutls_check_version(NULL), "", "bytes");
  for (unsigned w = 0; w < WAYS; w++)
    printf("%18s", ways[w].name);
  for (unsigned c = 0; c < sizeof ciphers / sizeof ciphers[0]; c++)
    for (unsigned l = 0; l < sizeof lens / sizeof lens[0]; l++) {
      Bench b = {.slab = slab, .len = lens[l]};
      double best[WAYS] = {0};
      setup(&b, ciphers[c].alg, ciphers[c].name);
      for (unsigned r = 0; r < RUNS; r++)
        for (unsigned w = 0; w < WAYS; w++) {
          double ns = once(&b, ways[w].run);
          best[w] = r == 0 || ns < best[w] ? ns : best[w];
        }
      printf("\n%-20s%6zu", b.cipher, b.len);
      for (unsigned w = 0; w < WAYS; w++)
        printf("%18.0f", best[w]);
      gnutls_aead_cipher_deinit(b.hd);
      ovpn_data_key_free(b.seal);
      ovpn_data_key_free(b.open);
    }
  printf("\n");
  free(slab);
  return 0;
}
