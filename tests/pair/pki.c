/* SPDX-License-Identifier: GPL-2.0-or-later */
/* See pki.h. */
#include "tests/pair/pki.h"
#include <assert.h>
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include <string.h>

static void export_pem(gnutls_x509_crt_t crt, gnutls_x509_privkey_t key, OvpnBlob *cert,
                       OvpnBlob *pem)
{
  gnutls_datum_t d;
  assert(gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, &d) == 0);
  assert(ovpn_blob_set(cert, d.data, d.size));
  gnutls_free(d.data);
  if (!pem)
    return;
  assert(gnutls_x509_privkey_export2_pkcs8(key, GNUTLS_X509_FMT_PEM, NULL, 0, &d) == 0);
  assert(ovpn_blob_set(pem, d.data, d.size));
  gnutls_free(d.data);
}

static void new_pair(gnutls_x509_crt_t *crt, gnutls_x509_privkey_t *key, const char *cn, long now,
                     uint8_t serial)
{
  assert(gnutls_x509_privkey_init(key) == 0 && gnutls_x509_crt_init(crt) == 0);
  assert(gnutls_x509_privkey_generate(*key, GNUTLS_PK_ECDSA,
                                      GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0) == 0);
  gnutls_x509_crt_set_version(*crt, 3);
  gnutls_x509_crt_set_serial(*crt, &serial, 1);
  gnutls_x509_crt_set_dn_by_oid(*crt, GNUTLS_OID_X520_COMMON_NAME, 0, cn, (unsigned)strlen(cn));
  gnutls_x509_crt_set_activation_time(*crt, now - 3600);
  gnutls_x509_crt_set_expiration_time(*crt, now + 10 * 365 * 86400L);
  gnutls_x509_crt_set_key(*crt, *key);
}

void pki_make(TestPki *p, long now)
{
  gnutls_x509_crt_t ca, crt;
  gnutls_x509_privkey_t ca_key, key;
  memset(p, 0, sizeof *p);
  new_pair(&ca, &ca_key, "Test CA", now, 1);
  gnutls_x509_crt_set_basic_constraints(ca, 1, -1);
  gnutls_x509_crt_set_key_usage(ca, GNUTLS_KEY_KEY_CERT_SIGN | GNUTLS_KEY_CRL_SIGN);
  assert(gnutls_x509_crt_sign2(ca, ca, ca_key, GNUTLS_DIG_SHA256, 0) == 0);
  export_pem(ca, ca_key, &p->ca, NULL);
  for (int server = 0; server < 2; server++) {
    new_pair(&crt, &key, server ? "server" : "client", now, (uint8_t)(2 + server));
    gnutls_x509_crt_set_basic_constraints(crt, 0, -1);
    gnutls_x509_crt_set_key_usage(crt, GNUTLS_KEY_DIGITAL_SIGNATURE);
    gnutls_x509_crt_set_key_purpose_oid(
        crt, server ? GNUTLS_KP_TLS_WWW_SERVER : GNUTLS_KP_TLS_WWW_CLIENT, 0);
    assert(gnutls_x509_crt_sign2(crt, ca, ca_key, GNUTLS_DIG_SHA256, 0) == 0);
    export_pem(crt, key, server ? &p->server_cert : &p->client_cert,
               server ? &p->server_key : &p->client_key);
    gnutls_x509_crt_deinit(crt);
    gnutls_x509_privkey_deinit(key);
  }
  gnutls_x509_crt_deinit(ca);
  gnutls_x509_privkey_deinit(ca_key);
}

void pki_clear(TestPki *p)
{
  ovpn_blob_clear(&p->ca);
  ovpn_blob_clear(&p->server_cert);
  ovpn_blob_clear(&p->server_key);
  ovpn_blob_clear(&p->client_cert);
  ovpn_blob_clear(&p->client_key);
}
