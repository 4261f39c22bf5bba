/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A client whose key somebody else holds: handshakes in memory, and everything a signer can do
 * wrong, when the certificate is loaded and later. */
#include <gnutls/abstract.h>
#include <time.h>
#include "check.h"
#include "helper/core/signer.h"
#include "helper/core/tls.h"
#include "tests/pair/pki.h"

typedef enum Manner { HONEST, SILENT, TOO_LONG, NONSENSE } Manner;
typedef struct Holder {
  gnutls_privkey_t key;
  Manner manner;
  unsigned asked;
} Holder;

static size_t sign(void *user, OvpnSignerOp op, uint32_t algorithm, uint32_t flags,
                   const void *data, size_t len, uint8_t ret[OVPN_SIGNATURE_MAX])
{
  Holder *h = user;
  gnutls_datum_t in = {(unsigned char *)(uintptr_t)data, (unsigned)len}, out = {0};
  gnutls_sign_algorithm_t a = (gnutls_sign_algorithm_t)algorithm;
  h->asked++;
  switch (h->manner) {
  case HONEST:
    break;
  case SILENT:
    return 0;
  case TOO_LONG:
    return OVPN_SIGNATURE_MAX + 1;
  case NONSENSE:
    memset(ret, 0x30, 70);
    return 70;
  }
  int r = op == OVPN_SIGNER_DATA ? gnutls_privkey_sign_data2(h->key, a, flags, &in, &out)
                                 : gnutls_privkey_sign_hash2(h->key, a, flags, &in, &out);
  size_t n = r >= 0 && out.size <= OVPN_SIGNATURE_MAX ? out.size : 0;
  if (n)
    memcpy(ret, out.data, n);
  gnutls_free(out.data);
  return n;
}

static void holder_init(Holder *h, const OvpnBlob *pem)
{
  gnutls_datum_t d = {pem->data, (unsigned)pem->len};
  *h = (Holder){0};
  CHECK(gnutls_privkey_init(&h->key) == 0);
  CHECK(gnutls_privkey_import_x509_raw(h->key, &d, GNUTLS_X509_FMT_PEM, NULL, 0) == 0);
}

static void put(OvpnConfig *c, OvpnFileId id, const char *name, const OvpnBlob *b)
{
  c->files[id].name = strdup(name);
  CHECK(!b || ovpn_blob_set(&c->files[id].content, b->data, b->len));
}

static void clear(OvpnConfig *c)
{
  for (int i = 0; i < OVPN_FILE_MAX; i++) {
    free(c->files[i].name);
    ovpn_blob_clear(&c->files[i].content);
  }
}

static OvpnStatus client(const TestPki *p, const OvpnSigner *s, OvpnTlsContext **ret)
{
  OvpnConfig c = {0};
  OvpnFailure f = {0};
  put(&c, OVPN_FILE_CA, "ca", &p->ca);
  put(&c, OVPN_FILE_CERT, "cert", &p->client_cert);
  put(&c, OVPN_FILE_KEY, "pkcs11:object=me", NULL);
  c.signer = s;
  OvpnStatus st = ovpn_tls_context_new(&c, NULL, false, ret, &f);
  clear(&c);
  return st;
}

static void move(OvpnTls *from, OvpnTls *to)
{
  uint8_t buf[700];
  for (size_t n; (n = ovpn_tls_output(from, buf, sizeof buf)) > 0;)
    (void)ovpn_tls_input(to, buf, n);
}

/* Whether both sides are content. cc stays the caller's. */
static bool shake(const TestPki *p, OvpnTlsContext *cc, time_t now)
{
  OvpnConfig c = {0};
  OvpnTlsContext *sc = NULL;
  OvpnFailure cf = {0}, sf = {0};
  bool cdone = false, sdone = false;
  put(&c, OVPN_FILE_CA, "ca", &p->ca);
  put(&c, OVPN_FILE_CERT, "cert", &p->server_cert);
  put(&c, OVPN_FILE_KEY, "key", &p->server_key);
  CHECK_INT(ovpn_tls_context_new(&c, NULL, true, &sc, &sf), OVPN_OK);
  OvpnTls *ct = ovpn_tls_new(cc, now), *st = ovpn_tls_new(sc, now);
  CHECK(ct && st);
  for (int i = 0; i < 10; i++) {
    if (cf.status == OVPN_OK)
      ovpn_tls_handshake(ct, &cdone, &cf);
    move(ct, st);
    if (sf.status == OVPN_OK)
      ovpn_tls_handshake(st, &sdone, &sf);
    move(st, ct);
  }
  ovpn_tls_free(ct);
  ovpn_tls_free(st);
  ovpn_tls_context_free(sc);
  clear(&c);
  return cdone && sdone && cf.status == OVPN_OK && sf.status == OVPN_OK;
}

int main(void)
{
  TestPki pki;
  Holder own, other;
  OvpnTlsContext *t = NULL;
  time_t now = time(NULL);
  pki_make(&pki, now);
  holder_init(&own, &pki.client_key);
  holder_init(&other, &pki.server_key);
  OvpnSigner signer = {sign, &own}, wrong = {sign, &other};

  CHECK_INT(client(&pki, &signer, &t), OVPN_OK);
  unsigned before = own.asked;
  CHECK(t && shake(&pki, t, now));
  CHECK(own.asked > before);
  for (Manner m = SILENT; m <= NONSENSE; m++) { /* the token was pulled out, or worse */
    own.manner = m;
    CHECK(t && !shake(&pki, t, now));
  }
  own.manner = HONEST; /* and is back */
  CHECK(t && shake(&pki, t, now));
  ovpn_tls_context_free(t);

  t = NULL;
  CHECK_INT(client(&pki, &wrong, &t), OVPN_FAIL_KEY_MISMATCH);
  own.manner = NONSENSE;
  CHECK_INT(client(&pki, &signer, &t), OVPN_FAIL_KEY_MISMATCH);
  CHECK(t == NULL);
  for (Manner m = SILENT; m <= TOO_LONG; m++) { /* says nothing of the key: the handshake will */
    own.manner = m;
    CHECK_INT(client(&pki, &signer, &t), OVPN_OK);
    CHECK(t && !shake(&pki, t, now));
    ovpn_tls_context_free(t);
    t = NULL;
  }
  gnutls_privkey_deinit(own.key);
  gnutls_privkey_deinit(other.key);
  pki_clear(&pki);
  TEST_END();
}
