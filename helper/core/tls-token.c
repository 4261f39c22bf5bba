/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Our certificate with a key that somebody else holds: GnuTLS asks for signatures, we pass the
 * question on (signer.h). spec §7
 *
 * The certificate is public and was checked to be one; the signature is not checked here, a wrong
 * one ends the handshake. */
#include "helper/core/signer.h"
#include "helper/core/tls-private.h"
#include <gnutls/abstract.h>
#include <string.h>

typedef struct Token {
  OvpnSigner signer;
  gnutls_pk_algorithm_t pk;
  unsigned bits;
} Token;

static int sign(Token *t, OvpnSignerOp op, gnutls_sign_algorithm_t algorithm, unsigned flags,
                const gnutls_datum_t *data, gnutls_datum_t *ret)
{
  uint8_t buf[OVPN_SIGNATURE_MAX];
  size_t n =
      t->signer.sign(t->signer.user, op, (uint32_t)algorithm, flags, data->data, data->size, buf);
  if (n == 0 || n > sizeof buf)
    return GNUTLS_E_PK_SIGN_FAILED;
  ret->data = gnutls_malloc(n);
  if (ret->data)
    memcpy(ret->data, buf, n);
  ovpn_wipe(buf, n);
  if (!ret->data)
    return GNUTLS_E_MEMORY_ERROR;
  ret->size = (unsigned)n;
  return 0;
}

static int sign_data(gnutls_privkey_t key, gnutls_sign_algorithm_t algorithm, void *user,
                     unsigned flags, const gnutls_datum_t *data, gnutls_datum_t *ret)
{
  (void)key;
  return sign(user, OVPN_SIGNER_DATA, algorithm, flags, data, ret);
}

static int sign_hash(gnutls_privkey_t key, gnutls_sign_algorithm_t algorithm, void *user,
                     unsigned flags, const gnutls_datum_t *hash, gnutls_datum_t *ret)
{
  (void)key;
  return sign(user, OVPN_SIGNER_HASH, algorithm, flags, hash, ret);
}

static int info(gnutls_privkey_t key, unsigned flags, void *user)
{
  const Token *t = user;
  (void)key;
  if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO)
    return (int)t->pk;
  if (flags & GNUTLS_PRIVKEY_INFO_PK_ALGO_BITS)
    return (int)t->bits;
  if (flags & GNUTLS_PRIVKEY_INFO_HAVE_SIGN_ALGO)
    return gnutls_sign_supports_pk_algorithm(GNUTLS_FLAGS_TO_SIGN_ALGO(flags), t->pk) ? 1 : 0;
  return -1;
}

static void forget(gnutls_privkey_t key, void *user)
{
  (void)key;
  gnutls_free(user);
}

static int new_key(const OvpnSigner *signer, gnutls_x509_crt_t leaf, gnutls_privkey_t *ret)
{
  Token *t = gnutls_calloc(1, sizeof *t);
  if (!t)
    return GNUTLS_E_MEMORY_ERROR;
  t->signer = *signer;
  int r = gnutls_x509_crt_get_pk_algorithm(leaf, &t->bits);
  t->pk = r < 0 ? GNUTLS_PK_UNKNOWN : (gnutls_pk_algorithm_t)r;
  if (r >= 0)
    r = gnutls_privkey_init(ret);
  if (r >= 0) {
    r = gnutls_privkey_import_ext4(*ret, t, sign_data, sign_hash, NULL, forget, info, 0);
    if (r >= 0)
      return 0;
    gnutls_privkey_deinit(*ret);
    *ret = NULL;
  }
  gnutls_free(t);
  return r;
}

/* chain: leaf first; stays the caller's. */
int ovpn_tls_use_token(OvpnTlsContext *t, const OvpnSigner *signer, gnutls_x509_crt_t *chain,
                       unsigned n)
{
  gnutls_privkey_t key = NULL;
  gnutls_pcert_st *list = gnutls_calloc(n, sizeof *list);
  if (!list)
    return GNUTLS_E_MEMORY_ERROR;
  int r = new_key(signer, chain[0], &key);
  unsigned done = 0;
  for (; r >= 0 && done < n; done++) {
    r = gnutls_pcert_import_x509(&list[done], chain[done], 0);
    if (r < 0)
      break;
  }
  if (r >= 0)
    r = gnutls_certificate_set_key(t->cred, NULL, 0, list, (int)n, key);
  if (r < 0) { /* else the credentials own both */
    for (unsigned i = 0; i < done; i++)
      gnutls_pcert_deinit(&list[i]);
    if (key)
      gnutls_privkey_deinit(key);
    gnutls_free(list);
    return r;
  }
  gnutls_free(list); /* the contents were taken, the array was copied */
  return 0;
}
