/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Loads what a profile's TLS needs: trusted certificates, our own certificate and key, CRLs.
 *
 * Everything comes from memory (c->files[].content): the engine cannot open files. The content is
 * the user's, so it is trusted to be wanted but not to be well-formed. Invariants: a context owns
 * copies of all it uses; the private key lives in GnuTLS's credentials only and is wiped with them.
 * spec §19, §23. */
#include "helper/core/tls-private.h"
#include <ctype.h>
#include <gnutls/pkcs12.h>
#include <stdlib.h>
#include <string.h>

enum { FILE_BYTES_MAX = 4 << 20 };

static void certs_clear(OvpnCerts *l)
{
  for (unsigned i = 0; i < l->n; i++)
    gnutls_x509_crt_deinit(l->v[i]);
  gnutls_free(l->v);
  *l = (OvpnCerts){0};
}

/* Moves the certificates of `from` from index `first` on to the end of `to`; the rest stays in
 * `from`. */
static bool certs_move(OvpnCerts *to, OvpnCerts *from, unsigned first)
{
  if (from->n <= first)
    return true;
  unsigned n = from->n - first;
  gnutls_x509_crt_t *v = gnutls_realloc(to->v, (to->n + n) * sizeof *v);
  if (!v)
    return false;
  memcpy(v + to->n, from->v + first, n * sizeof *v);
  to->v = v;
  to->n += n;
  from->n = first;
  return true;
}

/* Consumes the list. */
static bool crls_move(OvpnTlsContext *t, gnutls_x509_crl_t *from, unsigned n)
{
  gnutls_x509_crl_t *v = n ? gnutls_realloc(t->crls, (t->n_crls + n) * sizeof *v) : t->crls;
  bool ok = n == 0 || v;
  if (v)
    t->crls = v;
  for (unsigned i = 0; i < n; i++) {
    if (ok)
      t->crls[t->n_crls++] = from[i];
    else
      gnutls_x509_crl_deinit(from[i]);
  }
  gnutls_free(from);
  return ok;
}

/* The option that names the file, for messages. */
static const char *option_of(OvpnFileId id)
{
  return ovpn_option_info(ovpn_file_option(id))->directive;
}

static OvpnStatus no_memory(OvpnFailure *f)
{
  return ovpn_failure_set(f, OVPN_FAIL_MEMORY, "TLS credentials");
}

/* The bytes of a configured file. */
static OvpnStatus content_of(const OvpnConfig *c, OvpnFileId id, gnutls_datum_t *ret,
                             OvpnFailure *f)
{
  const OvpnFile *file = &c->files[id];
  if (file->name && strncmp(file->name, "pkcs11:", 7) == 0 &&
      (id != OVPN_FILE_CERT || file->content.len == 0))
    return ovpn_failure_set(f, OVPN_FAIL_CONFIG, "%s: objects on a token (pkcs11:) cannot be used",
                            option_of(id));
  if (file->content.len == 0)
    return ovpn_failure_set(f, OVPN_FAIL_FILE_FORMAT, "%s: empty", option_of(id));
  if (file->content.len > FILE_BYTES_MAX)
    return ovpn_failure_set(f, OVPN_FAIL_FILE_FORMAT, "%s: too large", option_of(id));
  *ret = (gnutls_datum_t){file->content.data, (unsigned)file->content.len};
  return OVPN_OK;
}

static OvpnStatus load_certs(const OvpnConfig *c, OvpnFileId id, OvpnCerts *ret, OvpnFailure *f)
{
  gnutls_datum_t d;
  OvpnStatus s = content_of(c, id, &d, f);
  if (s != OVPN_OK)
    return s;
  int r = gnutls_x509_crt_list_import2(&ret->v, &ret->n, &d, GNUTLS_X509_FMT_PEM, 0);
  if (r < 0) {
    *ret = (OvpnCerts){0};
    return ovpn_failure_set(f, OVPN_FAIL_FILE_FORMAT,
                            "%s: a certificate in PEM form was expected (%s)", option_of(id),
                            gnutls_strerror(r));
  }
  return OVPN_OK;
}

/* ---- private key --------------------------------------------------------------------------------
 */

/* The first "-----BEGIN ... PRIVATE KEY-----" block: files often hold certificates, EC parameters
 * or human-readable text before it. False if there is none. */
static bool key_block(const OvpnBlob *b, gnutls_datum_t *ret)
{
  static const char begin[] = "-----BEGIN ", tail[] = "PRIVATE KEY-----", end_mark[] = "-----END ";
  const uint8_t *p = b->data, *stop = b->data + b->len;
  while (p && p < stop && (p = memmem(p, (size_t)(stop - p), begin, strlen(begin)))) {
    const uint8_t *eol = memchr(p, '\n', (size_t)(stop - p));
    if (!eol)
      return false;
    if (memmem(p, (size_t)(eol - p), tail, strlen(tail))) {
      const uint8_t *end = memmem(eol, (size_t)(stop - eol), end_mark, strlen(end_mark));
      const uint8_t *last = end ? memchr(end, '\n', (size_t)(stop - end)) : NULL;
      *ret = (gnutls_datum_t){(unsigned char *)p, (unsigned)((last ? last : stop) - p)};
      return end != NULL;
    }
    p = eol;
  }
  return false;
}

static bool block_is_encrypted(const gnutls_datum_t *block)
{
  static const char pkcs8[] = "BEGIN ENCRYPTED PRIVATE KEY", legacy[] = "Proc-Type: 4,ENCRYPTED";
  return memmem(block->data, block->size, pkcs8, strlen(pkcs8)) ||
         memmem(block->data, block->size, legacy, strlen(legacy));
}

static OvpnStatus passphrase_failure(OvpnFileId id, const char *passphrase, OvpnFailure *f)
{
  return ovpn_failure_set(f, OVPN_FAIL_PASSPHRASE, "%s: %s", option_of(id),
                          passphrase ? "the pass phrase is wrong" : "a pass phrase is needed");
}

static bool is_unsupported(int r)
{
  return r == GNUTLS_E_UNKNOWN_CIPHER_TYPE || r == GNUTLS_E_UNKNOWN_PK_ALGORITHM ||
         r == GNUTLS_E_ECC_UNSUPPORTED_CURVE || r == GNUTLS_E_UNKNOWN_HASH_ALGORITHM;
}

/* Is that object identifier in the block? Secret bytes are wiped. */
static bool names(const gnutls_datum_t *block, const void *oid, size_t len)
{
  gnutls_datum_t der = {0};
  bool found =
      gnutls_pem_base64_decode2(NULL, block, &der) >= 0 && memmem(der.data, der.size, oid, len);
  if (der.data)
    ovpn_wipe(der.data, der.size);
  gnutls_free(der.data);
  return found;
}

/* A way to make a key of the pass phrase that GnuTLS does not have; it would call the phrase wrong.
 */
static bool uses_scrypt(const gnutls_datum_t *block)
{
  static const unsigned char oid[] = {6, 9, 0x2b, 6, 1, 4, 1, 0xda, 0x47, 4, 11};
  return names(block, oid, sizeof oid);
}

/* Curves that OpenSSL has and GnuTLS does not, which would call such a key malformed. */
static const char *foreign_curve(const gnutls_datum_t *block)
{
  static const unsigned char secp256k1[] = {6, 5, 0x2b, 0x81, 4, 0, 10};
  static const unsigned char brainpool[] = {6, 9, 0x2b, 0x24, 3, 3, 2, 8, 1, 1};
  return names(block, secp256k1, sizeof secp256k1)   ? "secp256k1"
         : names(block, brainpool, sizeof brainpool) ? "brainpool"
                                                     : NULL;
}

static OvpnStatus load_key(const OvpnConfig *c, const char *passphrase, gnutls_x509_privkey_t *ret,
                           OvpnFailure *f)
{
  gnutls_datum_t all, block;
  OvpnStatus s = content_of(c, OVPN_FILE_KEY, &all, f);
  if (s != OVPN_OK)
    return s;
  if (memmem(all.data, all.size, "BEGIN TSS ", 10))
    return ovpn_failure_set(
        f, OVPN_FAIL_FILE_FORMAT,
        "%s: this key is for a TPM 1.2, whose keys no current system can use; a TPM 2.0 can hold a "
        "new one, with a pkcs11: address",
        option_of(OVPN_FILE_KEY));
  if (!key_block(&c->files[OVPN_FILE_KEY].content, &block))
    return ovpn_failure_set(f, OVPN_FAIL_FILE_FORMAT, "%s: a private key in PEM form was expected",
                            option_of(OVPN_FILE_KEY));
  bool encrypted = block_is_encrypted(&block);
  if (encrypted && uses_scrypt(&block))
    return ovpn_failure_set(
        f, OVPN_FAIL_FILE_FORMAT,
        "%s: encrypted with scrypt, which is not possible here; convert it with "
        "openssl pkcs8 -topk8",
        option_of(OVPN_FILE_KEY));
  if (encrypted && !passphrase)
    return passphrase_failure(OVPN_FILE_KEY, NULL, f);
  int r = gnutls_x509_privkey_init(ret);
  if (r < 0)
    return no_memory(f);
  r = gnutls_x509_privkey_import2(*ret, &block, GNUTLS_X509_FMT_PEM, encrypted ? passphrase : NULL,
                                  0);
  if (r == 0)
    return OVPN_OK;
  gnutls_x509_privkey_deinit(*ret);
  *ret = NULL;
  /* A wrong pass phrase shows itself as any parse error, because garbage is what was decrypted. */
  if (encrypted && !is_unsupported(r))
    return passphrase_failure(OVPN_FILE_KEY, passphrase, f);
  const char *curve = foreign_curve(&block);
  if (curve)
    return ovpn_failure_set(
        f, OVPN_FAIL_FILE_FORMAT,
        "%s: the elliptic curve %s is not possible here; ask for a key on P-256",
        option_of(OVPN_FILE_KEY), curve);
  return ovpn_failure_set(f, OVPN_FAIL_FILE_FORMAT, "%s: the private key cannot be read (%s)",
                          option_of(OVPN_FILE_KEY), gnutls_strerror(r));
}

/* ---- PKCS#12 ------------------------------------------------------------------------------------
 */

/* Binary as a file; base64 in an inline block. */
static bool p12_bytes(const OvpnFile *file, OvpnBlob *ret)
{
  if (file->content.len == 0 || file->content.len > FILE_BYTES_MAX)
    return false;
  if (file->content.data[0] == 0x30 && !file->is_inline)
    return ovpn_blob_set(ret, file->content.data, file->content.len);
  ovpn_auto_blob text = {0};
  if (!ovpn_blob_set(&text, file->content.data, file->content.len))
    return false;
  unsigned n = 0;
  for (size_t i = 0; i < text.len; i++)
    if (!isspace(text.data[i]))
      text.data[n++] = text.data[i];
  gnutls_datum_t in = {text.data, n}, out = {0};
  if (gnutls_base64_decode2(&in, &out) < 0) /* an inline block that is binary after all */
    return file->content.data[0] == 0x30 &&
           ovpn_blob_set(ret, file->content.data, file->content.len);
  bool ok = ovpn_blob_set(ret, out.data, out.size);
  ovpn_wipe(out.data, out.size);
  gnutls_free(out.data);
  return ok;
}

static bool p12_open(const OvpnFile *file, gnutls_pkcs12_t *ret)
{
  ovpn_auto_blob bytes = {0};
  if (!p12_bytes(file, &bytes) || gnutls_pkcs12_init(ret) < 0)
    return false;
  gnutls_datum_t d = {bytes.data, (unsigned)bytes.len};
  if (gnutls_pkcs12_import(*ret, &d, GNUTLS_X509_FMT_DER, 0) == 0)
    return true;
  gnutls_pkcs12_deinit(*ret);
  return false;
}

/* "No pass phrase" is written in two ways: an empty one, and none. */
static int p12_verify(gnutls_pkcs12_t p12, const char *passphrase, const char **ret_used)
{
  *ret_used = passphrase ? passphrase : "";
  int r = gnutls_pkcs12_verify_mac(p12, *ret_used);
  if (r == GNUTLS_E_MAC_VERIFY_FAILED && (!passphrase || !*passphrase)) {
    *ret_used = NULL;
    r = gnutls_pkcs12_verify_mac(p12, NULL);
  }
  return r;
}

static OvpnStatus load_p12(const OvpnConfig *c, const char *passphrase,
                           gnutls_x509_privkey_t *ret_key, OvpnCerts *ret_chain,
                           OvpnCerts *ret_extra, OvpnFailure *f)
{
  gnutls_datum_t d;
  gnutls_pkcs12_t p12;
  OvpnStatus s = content_of(c, OVPN_FILE_PKCS12, &d, f);
  if (s != OVPN_OK)
    return s;
  if (!p12_open(&c->files[OVPN_FILE_PKCS12], &p12))
    return ovpn_failure_set(f, OVPN_FAIL_FILE_FORMAT, "%s: not a PKCS#12 file",
                            option_of(OVPN_FILE_PKCS12));
  const char *used;
  int r = p12_verify(p12, passphrase, &used);
  bool mac_wrong = r == GNUTLS_E_MAC_VERIFY_FAILED;
  if (!mac_wrong)
    r = gnutls_pkcs12_simple_parse(p12, used, ret_key, &ret_chain->v, &ret_chain->n, &ret_extra->v,
                                   &ret_extra->n, NULL, GNUTLS_PKCS12_SP_INCLUDE_SELF_SIGNED);
  gnutls_pkcs12_deinit(p12);
  if (mac_wrong || r == GNUTLS_E_DECRYPTION_FAILED)
    return passphrase_failure(OVPN_FILE_PKCS12, passphrase, f);
  if (r < 0)
    return ovpn_failure_set(f, OVPN_FAIL_FILE_FORMAT, "%s: cannot be read (%s)",
                            option_of(OVPN_FILE_PKCS12), gnutls_strerror(r));
  if (!*ret_key || ret_chain->n == 0)
    return ovpn_failure_set(f, OVPN_FAIL_FILE_FORMAT,
                            "%s: a certificate with its private key was expected",
                            option_of(OVPN_FILE_PKCS12));
  return OVPN_OK;
}

static bool is_binary(const OvpnBlob *b)
{
  return b->len > 1 && b->data[0] == 0x30 && b->data[1] >= 0x80;
}

/* The files by what is in them: older profiles name one file as certificate and key, and whether it
 * is PKCS#12 or PEM was only seen by looking. A view of *c, nothing in it is owned. */
static OvpnConfig own_files(const OvpnConfig *c)
{
  OvpnConfig v = *c;
  const OvpnFile *cert = &c->files[OVPN_FILE_CERT], *p12 = &c->files[OVPN_FILE_PKCS12];
  const OvpnBlob *b = &p12->content;
  if (p12->name && b->len > 0 && memmem(b->data, b->len, "-----BEGIN ", 11)) {
    v.files[OVPN_FILE_CERT] = v.files[OVPN_FILE_KEY] = *p12;
    v.files[OVPN_FILE_PKCS12] = (OvpnFile){0};
  }
  if (cert->name && is_binary(&cert->content)) {
    v.files[OVPN_FILE_PKCS12] = *cert;
    v.files[OVPN_FILE_CERT] = v.files[OVPN_FILE_KEY] = (OvpnFile){0};
  }
  if (v.files[OVPN_FILE_PKCS12].name && is_binary(&c->files[OVPN_FILE_CA].content))
    v.files[OVPN_FILE_CA] = (OvpnFile){0}; /* the same file once more: it brings its own */
  return v;
}

bool ovpn_tls_needs_passphrase(const OvpnConfig *config)
{
  const OvpnConfig view = own_files(config), *c = &view;
  gnutls_datum_t block;
  if (c->files[OVPN_FILE_KEY].content.len && key_block(&c->files[OVPN_FILE_KEY].content, &block))
    return block_is_encrypted(&block);
  gnutls_pkcs12_t p12;
  if (c->files[OVPN_FILE_PKCS12].content.len == 0 || !p12_open(&c->files[OVPN_FILE_PKCS12], &p12))
    return false;
  const char *used;
  int r = p12_verify(p12, NULL, &used);
  gnutls_pkcs12_deinit(p12);
  return r == GNUTLS_E_MAC_VERIFY_FAILED;
}

/* ---- our own certificate ------------------------------------------------------------------------
 */

static bool key_matches(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key)
{
  uint8_t a[64], b[64];
  size_t an = sizeof a, bn = sizeof b;
  return gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, a, &an) == 0 &&
         gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, b, &bn) == 0 && an == bn &&
         memcmp(a, b, an) == 0;
}

/* Sends the leaf and the intermediates that we can find, in order; a root is of no use to the peer.
 */
static OvpnStatus use_cert(OvpnTlsContext *t, gnutls_x509_crt_t leaf, gnutls_x509_privkey_t key,
                           const char *option, OvpnFailure *f)
{
  gnutls_x509_crt_t chain[OVPN_CHAIN_MAX] = {leaf};
  unsigned n = 1;
  for (bool found = true; found && n < OVPN_CHAIN_MAX;) {
    found = false;
    for (unsigned i = 0; i < t->pool.n && !found; i++) {
      gnutls_x509_crt_t x = t->pool.v[i];
      bool again = gnutls_x509_crt_check_issuer(x, x) != 0;
      for (unsigned j = 0; j < n; j++)
        again |= gnutls_x509_crt_equals(chain[j], x) != 0;
      if (!again && gnutls_x509_crt_check_issuer(chain[n - 1], x)) {
        chain[n++] = x;
        found = true;
      }
    }
  }
  int r = key ? gnutls_certificate_set_x509_key(t->cred, chain, (int)n, key)
              : ovpn_tls_use_token(t, t->signer, chain, n);
  if (r == GNUTLS_E_CERTIFICATE_KEY_MISMATCH)
    return ovpn_failure_set(f, OVPN_FAIL_KEY_MISMATCH,
                            "%s: the private key belongs to another certificate", option);
  if (r < 0)
    return ovpn_failure_set(f, OVPN_FAIL_FILE_FORMAT, "%s: certificate and key cannot be used (%s)",
                            option, gnutls_strerror(r));
  time_t end = gnutls_x509_crt_get_expiration_time(leaf);
  t->own_expiry = end > 0 ? end : 0;
  return OVPN_OK;
}

time_t ovpn_tls_context_own_expiry(const OvpnTlsContext *t, char ret_date[64])
{
  if (ret_date)
    ovpn_tls_date_text(t->own_expiry, ret_date);
  return t->own_expiry;
}

static OvpnStatus load_cert_and_key(OvpnTlsContext *t, const OvpnConfig *c, const char *passphrase,
                                    OvpnFailure *f)
{
  OvpnCerts certs = {0};
  gnutls_x509_privkey_t key = NULL;
  OvpnStatus s = load_certs(c, OVPN_FILE_CERT, &certs, f);
  if (s == OVPN_OK)
    s = load_key(c, passphrase, &key, f);
  if (s == OVPN_OK) {
    unsigned leaf = 0;
    while (leaf < certs.n && !key_matches(certs.v[leaf], key))
      leaf++;
    if (leaf == certs.n) {
      char cn[128];
      s = ovpn_failure_set(
          f, OVPN_FAIL_KEY_MISMATCH, "%s: the private key does not belong to the certificate “%s”",
          option_of(OVPN_FILE_KEY), ovpn_tls_common_name(certs.v[0], false, cn, sizeof cn));
    } else {
      gnutls_x509_crt_t own = certs.v[leaf];
      if (leaf > 0) { /* the others may be its issuers */
        certs.v[leaf] = certs.v[0];
        certs.v[0] = own;
      }
      s = certs_move(&t->pool, &certs, 1) ? use_cert(t, own, key, option_of(OVPN_FILE_CERT), f)
                                          : no_memory(f);
    }
  }
  if (key)
    gnutls_x509_privkey_deinit(key);
  certs_clear(&certs);
  return s;
}

/* The key is on a token, the certificate may be there too. */
static OvpnStatus load_cert_for_signer(OvpnTlsContext *t, const OvpnConfig *c, OvpnFailure *f)
{
  OvpnCerts certs = {0};
  OvpnStatus s = load_certs(c, OVPN_FILE_CERT, &certs, f);
  t->signer = c->signer;
  if (s == OVPN_OK)
    s = certs_move(&t->pool, &certs, 1)
            ? use_cert(t, certs.v[0], NULL, option_of(OVPN_FILE_CERT), f)
            : no_memory(f);
  certs_clear(&certs);
  return s;
}

static OvpnStatus load_from_p12(OvpnTlsContext *t, const OvpnConfig *c, const char *passphrase,
                                OvpnFailure *f)
{
  OvpnCerts chain = {0}, extra = {0};
  gnutls_x509_privkey_t key = NULL;
  OvpnStatus s = load_p12(c, passphrase, &key, &chain, &extra, f);
  if (s == OVPN_OK) {
    /* Without `ca` the other certificates of the file are the trusted ones; else they only complete
     * chains. */
    OvpnCerts *others = c->files[OVPN_FILE_CA].name ? &t->pool : &t->ca;
    if (!certs_move(others, &chain, 1) || !certs_move(others, &extra, 0))
      s = no_memory(f);
  }
  if (s == OVPN_OK)
    s = use_cert(t, chain.v[0], key, option_of(OVPN_FILE_PKCS12), f);
  if (key)
    gnutls_x509_privkey_deinit(key);
  certs_clear(&chain);
  certs_clear(&extra);
  return s;
}

static OvpnStatus load_own(OvpnTlsContext *t, const OvpnConfig *config, const char *passphrase,
                           OvpnFailure *f)
{
  const OvpnConfig view = own_files(config), *c = &view;
  if (c->files[OVPN_FILE_EXTRA_CERTS].name) {
    OvpnCerts extra = {0};
    OvpnStatus s = load_certs(c, OVPN_FILE_EXTRA_CERTS, &extra, f);
    if (s == OVPN_OK && !certs_move(&t->pool, &extra, 0))
      s = no_memory(f);
    certs_clear(&extra);
    if (s != OVPN_OK)
      return s;
  }
  bool cert = c->files[OVPN_FILE_CERT].name != NULL, key = c->files[OVPN_FILE_KEY].name != NULL;
  if (c->files[OVPN_FILE_PKCS12].name)
    return load_from_p12(t, c, passphrase, f);
  if (cert && key && c->signer) /* which is there only for such a key */
    return load_cert_for_signer(t, c, f);
  if (cert && key)
    return load_cert_and_key(t, c, passphrase, f);
  if (cert || key)
    return ovpn_failure_set(f, OVPN_FAIL_CONFIG, "%s: needs %s beside it",
                            option_of(cert ? OVPN_FILE_CERT : OVPN_FILE_KEY),
                            option_of(cert ? OVPN_FILE_KEY : OVPN_FILE_CERT));
  if (t->server)
    return ovpn_failure_set(f, OVPN_FAIL_CONFIG, "%s: a server needs one",
                            option_of(OVPN_FILE_CERT));
  return OVPN_OK;
}

/* ---- trust --------------------------------------------------------------------------------------
 */

/* Certificates and lists in any order; what is neither, and what cannot be read, is passed over. */
static OvpnStatus load_capath(OvpnTlsContext *t, const OvpnBlob *all, OvpnFailure *f)
{
  static const char begin[] = "-----BEGIN ";
  const uint8_t *p = all->data, *stop = all->data + all->len;
  OvpnStatus s = OVPN_OK;
  while (s == OVPN_OK && p && (p = memmem(p, (size_t)(stop - p), begin, strlen(begin)))) {
    const uint8_t *next = memmem(p + 1, (size_t)(stop - p) - 1, begin, strlen(begin));
    gnutls_datum_t one = {(unsigned char *)(uintptr_t)p, (unsigned)((next ? next : stop) - p)};
    OvpnCerts certs = {0};
    gnutls_x509_crl_t *crls = NULL;
    unsigned n = 0;
    if (gnutls_x509_crt_list_import2(&certs.v, &certs.n, &one, GNUTLS_X509_FMT_PEM, 0) < 0)
      certs = (OvpnCerts){0};
    else if (!certs_move(&t->ca, &certs, 0))
      s = no_memory(f);
    certs_clear(&certs);
    if (gnutls_x509_crl_list_import2(&crls, &n, &one, GNUTLS_X509_FMT_PEM, 0) >= 0 &&
        !crls_move(t, crls, n))
      s = no_memory(f);
    p = next;
  }
  return s;
}

static OvpnStatus load_trust(OvpnTlsContext *t, const OvpnConfig *config, OvpnFailure *f)
{
  const OvpnConfig view = own_files(config), *c = &view;
  OvpnStatus s = OVPN_OK;
  if (c->files[OVPN_FILE_CA].name) {
    OvpnCerts ca = {0};
    s = load_certs(c, OVPN_FILE_CA, &ca, f);
    if (s == OVPN_OK && !certs_move(&t->ca, &ca, 0))
      s = no_memory(f);
    certs_clear(&ca);
  }
  if (s == OVPN_OK && c->files[OVPN_FILE_CAPATH].content.len)
    s = load_capath(t, &c->files[OVPN_FILE_CAPATH].content, f);
  if (s == OVPN_OK && t->ca.n && gnutls_x509_trust_list_add_cas(t->trust, t->ca.v, t->ca.n, 0) < 0)
    s = no_memory(f);
  if (s != OVPN_OK)
    return s;
  t->trusts_any_chain = t->ca.n == 0 && c->peer_fingerprints.n > 0;
  if (t->trusts_any_chain && t->verify_hash)
    return ovpn_failure_set(f, OVPN_FAIL_CONFIG, "%s: needs %s",
                            ovpn_option_info(OVPN_OPT_VERIFY_HASH)->directive,
                            option_of(OVPN_FILE_CA));
  t->request_cert = t->server && (t->ca.n > 0 || t->trusts_any_chain);
  t->require_cert = t->request_cert && !c->client_cert_not_needed;
  if (!t->server && t->ca.n == 0 && !t->trusts_any_chain)
    return ovpn_failure_set(
        f, OVPN_FAIL_CONFIG, "%s: no certificate authority is given to check the server with",
        option_of(c->files[OVPN_FILE_CAPATH].name ? OVPN_FILE_CAPATH : OVPN_FILE_CA));
  return OVPN_OK;
}

static OvpnStatus load_crls(OvpnTlsContext *t, const OvpnConfig *c, OvpnFailure *f)
{
  const OvpnFile *dir = &c->files[OVPN_FILE_CRL_DIR];
  if (dir->name && dir->content.data) { /* an empty directory revokes nothing */
    t->crl_serials = strdup((const char *)dir->content.data);
    if (!t->crl_serials)
      return no_memory(f);
  }
  if (!c->files[OVPN_FILE_CRL].name)
    return OVPN_OK;
  gnutls_datum_t d;
  OvpnStatus s = content_of(c, OVPN_FILE_CRL, &d, f);
  if (s != OVPN_OK)
    return s;
  gnutls_x509_crl_t *crls = NULL;
  unsigned n = 0;
  int r = gnutls_x509_crl_list_import2(&crls, &n, &d, GNUTLS_X509_FMT_PEM, 0);
  if (r < 0)
    return ovpn_failure_set(f, OVPN_FAIL_FILE_FORMAT,
                            "%s: a revocation list in PEM form was expected (%s)",
                            option_of(OVPN_FILE_CRL), gnutls_strerror(r));
  return crls_move(t, crls, n) ? OVPN_OK : no_memory(f);
}

/* ---- context ------------------------------------------------------------------------------------
 */

static bool copy_text(char **to, const char *from)
{
  *to = from ? strdup(from) : NULL;
  return *to || !from;
}

static bool copy_strv(OvpnStrv *to, const OvpnStrv *from)
{
  if (from->n == 0)
    return true;
  to->v = calloc(from->n, sizeof *to->v);
  for (size_t i = 0; to->v && i < from->n; i++) {
    if (!copy_text(&to->v[i], from->v[i]))
      return false;
    to->n++;
  }
  return to->v != NULL;
}

static void free_strv(OvpnStrv *l)
{
  for (size_t i = 0; i < l->n; i++)
    free(l->v[i]);
  free(l->v);
}

static bool copy_checks(OvpnTlsContext *t, const OvpnConfig *c)
{
  t->profile = c->cert_profile;
  /* A security level of 0 in tls-cipher is how profiles for very old servers ask for weak
   * certificates. */
  if (c->tls_cipher && strstr(c->tls_cipher, "@SECLEVEL=0"))
    t->profile = OVPN_PROFILE_INSECURE;
  t->remote_cert_tls = c->remote_cert_tls;
  t->ns_cert_type = c->ns_cert_type;
  t->name_check = c->name_check;
  t->verify_hash_sha1 = c->verify_hash_sha1;
  return copy_text(&t->name, c->name) && copy_text(&t->username_field, c->x509_username_field) &&
         copy_text(&t->verify_hash, c->verify_hash) && copy_strv(&t->ku, &c->remote_cert_ku) &&
         copy_strv(&t->eku, &c->remote_cert_eku) &&
         copy_strv(&t->fingerprints, &c->peer_fingerprints);
}

OvpnStatus ovpn_tls_context_new(const OvpnConfig *c, const char *passphrase, bool server,
                                OvpnTlsContext **ret, OvpnFailure *f)
{
  OvpnTlsContext *t = calloc(1, sizeof *t);
  if (!t)
    return no_memory(f);
  t->server = server;
  OvpnStatus s = OVPN_OK;
  if (!copy_checks(t, c) || gnutls_certificate_allocate_credentials(&t->cred) < 0 ||
      gnutls_x509_trust_list_init(&t->trust, 0) < 0)
    s = no_memory(f);
  if (s == OVPN_OK)
    s = ovpn_tls_set_priority(t, c, f);
  if (s == OVPN_OK)
    s = load_own(t, c, passphrase, f);
  if (s == OVPN_OK)
    s = load_trust(t, c, f);
  if (s == OVPN_OK)
    s = load_crls(t, c, f);
  if (s != OVPN_OK) {
    ovpn_tls_context_free(t);
    return s;
  }
  if (server)
    gnutls_certificate_set_known_dh_params(t->cred, GNUTLS_SEC_PARAM_MEDIUM);
  gnutls_certificate_set_verify_function(t->cred, ovpn_tls_verify_peer);
  *ret = t;
  return OVPN_OK;
}

void ovpn_tls_context_free(OvpnTlsContext *t)
{
  if (!t)
    return;
  if (t->cred)
    gnutls_certificate_free_credentials(t->cred);
  if (t->priority)
    gnutls_priority_deinit(t->priority);
  if (t->trust)
    gnutls_x509_trust_list_deinit(t->trust, 0);
  certs_clear(&t->ca);
  certs_clear(&t->pool);
  for (unsigned i = 0; i < t->n_crls; i++)
    gnutls_x509_crl_deinit(t->crls[i]);
  gnutls_free(t->crls);
  free_strv(&t->ku);
  free_strv(&t->eku);
  free_strv(&t->fingerprints);
  free(t->name);
  free(t->username_field);
  free(t->verify_hash);
  free(t->crl_serials);
  free(t);
}
