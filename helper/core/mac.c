/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HMAC by GnuTLS, which is fast, or by Nettle for digests that GnuTLS does not offer. spec §10.
 *
 * Keys come from the control channel or from a file. The state is allocated once with the key. */
#include "helper/core/mac.h"
#include "helper/core/cipher-names.h"
#include "helper/core/secret.h"
#include <gnutls/crypto.h>
#include <nettle/hmac.h>
#include <nettle/nettle-meta.h>
#include <stdlib.h>
#include <string.h>

static const struct {
  const char *name;
  gnutls_mac_algorithm_t gnutls;
  const char *nettle;
} rows[] = {
#define CIPHER(name, method, key, block, lib)
#define CIPHER_ALIAS(other, name)
#define CIPHER_MISSING(name)
#define DIGEST(name, len, gnutls, nettle) {name, gnutls, nettle},
#define DIGEST_ALIAS(other, name)
#define DIGEST_MISSING(name, len)
#include "helper/core/ciphers.def"
};

struct OvpnMac {
  unsigned len;
  gnutls_hmac_hd_t gnutls;
  const struct nettle_hash *hash; /* else this, with three contexts behind the structure */
  max_align_t contexts[];
};

static const struct nettle_hash *nettle_find(const char *name)
{
  static const struct nettle_hash *const unlisted[] = {&nettle_sha512_224, &nettle_sha512_256};
  for (size_t i = 0; name && i < sizeof unlisted / sizeof unlisted[0]; i++)
    if (strcmp(unlisted[i]->name, name) == 0)
      return unlisted[i];
  for (const struct nettle_hash *const *h = nettle_get_hashes(); name && *h; h++)
    if (strcmp((*h)->name, name) == 0)
      return *h;
  return NULL;
}

static size_t context_size(const struct nettle_hash *h)
{
  const size_t a = sizeof(max_align_t);
  return h ? (h->context_size + a - 1) / a * a : 0;
}

static void *context(const OvpnMac *m, unsigned i)
{
  return (uint8_t *)(uintptr_t)m->contexts + i * context_size(m->hash);
}

OvpnMac *ovpn_mac_new(const char *digest, const uint8_t *key)
{
  const char *name = ovpn_digest_name(digest);
  size_t i = 0;
  while (name && i < sizeof rows / sizeof rows[0] && strcmp(rows[i].name, name) != 0)
    i++;
  unsigned len = name ? ovpn_digest_len(name) : 0;
  if (len == 0 || len > OVPN_MAC_MAX)
    return NULL;
  const struct nettle_hash *hash = nettle_find(rows[i].nettle);
  if (rows[i].nettle && !hash)
    return NULL;
  OvpnMac *m = calloc(1, sizeof *m + 3 * context_size(hash));
  if (!m)
    return NULL;
  m->len = len;
  m->hash = hash;
  if (hash) {
    hmac_set_key(context(m, 0), context(m, 1), context(m, 2), hash, len, key);
  } else if (gnutls_hmac_init(&m->gnutls, rows[i].gnutls, key, len) < 0) {
    free(m);
    return NULL;
  }
  return m;
}

void ovpn_mac_free(OvpnMac *m)
{
  if (!m)
    return;
  if (m->gnutls)
    gnutls_hmac_deinit(m->gnutls, NULL);
  ovpn_wipe(m, sizeof *m + 3 * context_size(m->hash));
  free(m);
}

bool ovpn_mac_update(OvpnMac *m, const void *p, size_t len)
{
  if (len == 0)
    return true;
  if (m->gnutls)
    return gnutls_hmac(m->gnutls, p, len) == 0;
  hmac_update(context(m, 2), m->hash, len, p);
  return true;
}

void ovpn_mac_output(OvpnMac *m, uint8_t *tag)
{
  if (m->gnutls)
    gnutls_hmac_output(m->gnutls, tag);
  else
    hmac_digest(context(m, 0), context(m, 1), context(m, 2), m->hash, m->len, tag);
}
