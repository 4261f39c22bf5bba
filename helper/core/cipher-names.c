/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of ciphers and digests out of ciphers.def. spec §10.
 *
 * libc only: the columns that name the libraries' own words are not looked at here. */
#include "helper/core/cipher-names.h"
#include <stddef.h>
#include <string.h>
#include <strings.h>

typedef enum Method {
  METHOD_GCM,
  METHOD_CHACHA,
  METHOD_CBC,
  METHOD_BLOCK_CBC,
  METHOD_CFB,
  METHOD_CFB8,
  METHOD_CFB1,
  METHOD_OFB,
  METHOD_NONE
} Method;

static const struct {
  const char *name;
  Method method;
  unsigned key_len, block;
} ciphers[] = {
#define CIPHER(name, method, key, block, lib) {name, METHOD_##method, key, block},
#define CIPHER_ALIAS(other, name)
#define CIPHER_MISSING(name)
#define DIGEST(name, len, gnutls, nettle)
#define DIGEST_ALIAS(other, name)
#define DIGEST_MISSING(name, len)
#include "helper/core/ciphers.def"
#undef CIPHER
};
enum { N_CIPHERS = sizeof ciphers / sizeof ciphers[0] };

static const char *const missing[] = {
#define CIPHER(name, method, key, block, lib)
#undef CIPHER_MISSING
#define CIPHER_MISSING(name) name,
#include "helper/core/ciphers.def"
};

typedef struct Alias {
  const char *other, *name;
} Alias;
static const Alias cipher_aliases[] = {
#undef CIPHER_MISSING
#define CIPHER_MISSING(name)
#undef CIPHER_ALIAS
#define CIPHER_ALIAS(other, name) {other, name},
#include "helper/core/ciphers.def"
};
static const Alias digest_aliases[] = {
#undef CIPHER_ALIAS
#define CIPHER_ALIAS(other, name)
#undef DIGEST_ALIAS
#define DIGEST_ALIAS(other, name) {other, name},
#include "helper/core/ciphers.def"
};

static const struct {
  const char *name;
  unsigned len;
} digests[] = {
#undef DIGEST_ALIAS
#define DIGEST_ALIAS(other, name)
#undef DIGEST
#define DIGEST(name, len, gnutls, nettle) {name, len},
#include "helper/core/ciphers.def"
};

static const char *const missing_digests[] = {
#undef DIGEST
#define DIGEST(name, len, gnutls, nettle)
#undef DIGEST_MISSING
#define DIGEST_MISSING(name, len) name,
#include "helper/core/ciphers.def"
};

static const char *resolve(const Alias *aliases, size_t n, const char *name)
{
  for (size_t i = 0; i < n; i++)
    if (strcasecmp(aliases[i].other, name) == 0)
      return aliases[i].name;
  return name;
}

static size_t cipher_index(const char *name)
{
  size_t i = 0;
  while (i < N_CIPHERS && strcasecmp(ciphers[i].name, name) != 0)
    i++;
  return i;
}

OvpnCipherFound ovpn_cipher_find(const char *name, const char **ret_name)
{
  if (!name)
    return OVPN_CIPHER_UNKNOWN;
  name = resolve(cipher_aliases, sizeof cipher_aliases / sizeof cipher_aliases[0], name);
  size_t i = cipher_index(name);
  if (i < N_CIPHERS) {
    if (ret_name)
      *ret_name = ciphers[i].name;
    return OVPN_CIPHER_ABLE;
  }
  for (i = 0; i < sizeof missing / sizeof missing[0]; i++) {
    if (strcasecmp(missing[i], name) != 0)
      continue;
    if (ret_name)
      *ret_name = missing[i];
    return OVPN_CIPHER_MISSING;
  }
  return OVPN_CIPHER_UNKNOWN;
}

unsigned ovpn_cipher_key_bits(const char *canonical)
{
  size_t i = cipher_index(canonical);
  return i < N_CIPHERS ? ciphers[i].key_len * 8 : 0;
}

bool ovpn_cipher_is_short(const char *canonical)
{
  size_t i = cipher_index(canonical);
  return i < N_CIPHERS && ciphers[i].block == 8;
}

bool ovpn_cipher_in_static_key_mode(const char *canonical)
{
  size_t i = cipher_index(canonical);
  return i < N_CIPHERS &&
         (ciphers[i].method == METHOD_CBC || ciphers[i].method == METHOD_BLOCK_CBC ||
          ciphers[i].method == METHOD_NONE);
}

/* Without what OpenSSL's names of signatures have in front. */
static const char *bare_digest(const char *name)
{
  static const char *const prefixes[] = {"RSA-", "DSA-"};
  for (size_t i = 0; i < sizeof prefixes / sizeof prefixes[0]; i++)
    if (strncasecmp(name, prefixes[i], 4) == 0)
      name += 4;
  return name;
}

const char *ovpn_digest_name(const char *name)
{
  if (!name)
    return NULL;
  name =
      resolve(digest_aliases, sizeof digest_aliases / sizeof digest_aliases[0], bare_digest(name));
  for (size_t i = 0; i < sizeof digests / sizeof digests[0]; i++)
    if (strcasecmp(digests[i].name, name) == 0)
      return digests[i].name;
  return NULL;
}

const char *ovpn_digest_missing(const char *name)
{
  name = name ? bare_digest(name) : "";
  for (size_t i = 0; i < sizeof missing_digests / sizeof missing_digests[0]; i++)
    if (strcasecmp(missing_digests[i], name) == 0)
      return missing_digests[i];
  return NULL;
}

bool ovpn_digest_is_able(const char *name)
{
  return ovpn_digest_name(name) != NULL;
}

unsigned ovpn_digest_len(const char *name)
{
  const char *found = ovpn_digest_name(name);
  for (size_t i = 0; found && i < sizeof digests / sizeof digests[0]; i++)
    if (digests[i].name == found || strcmp(digests[i].name, found) == 0)
      return digests[i].len;
  return 0;
}
