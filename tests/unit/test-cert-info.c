/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the editor says about certificates, keys and lists: made here with GnuTLS, looked at with
 * a clock of our own. */
#include "properties/cert-info.h"

#include <gnutls/x509.h>
#include <string.h>

#include "tests/unit/check.h"

enum { DAY = 24 * 60 * 60 };
#define NOW ((gint64)1700000000)

static gnutls_x509_privkey_t key;

typedef enum Kind { CLIENT, SERVER, AUTHORITY } Kind;

static char *export_key(gnutls_x509_privkey_t k, const char *pass)
{
  gnutls_datum_t out = {0};
  int r = pass ? gnutls_x509_privkey_export2_pkcs8(k, GNUTLS_X509_FMT_PEM, pass, 0, &out)
               : gnutls_x509_privkey_export2(k, GNUTLS_X509_FMT_PEM, &out);
  CHECK_INT(r, 0);
  char *text = g_strndup((char *)out.data, out.size);
  gnutls_free(out.data);
  return text;
}

static char *make_cert(Kind kind, gint64 from, gint64 until)
{
  gnutls_x509_crt_t c, issuer;
  gnutls_datum_t out = {0};
  const unsigned char serial = 7;
  CHECK_INT(gnutls_x509_crt_init(&c), 0);
  gnutls_x509_crt_set_version(c, 3);
  gnutls_x509_crt_set_serial(c, &serial, 1);
  gnutls_x509_crt_set_activation_time(c, (time_t)from);
  gnutls_x509_crt_set_expiration_time(c, (time_t)until);
  gnutls_x509_crt_set_dn(c, "CN=alice,O=Lab", NULL);
  CHECK_INT(gnutls_x509_crt_init(&issuer), 0);
  gnutls_x509_crt_set_dn(issuer, "CN=Lab authority", NULL);
  gnutls_x509_crt_set_version(issuer, 3);
  gnutls_x509_crt_set_serial(issuer, &serial, 1);
  gnutls_x509_crt_set_activation_time(issuer, (time_t)from);
  gnutls_x509_crt_set_expiration_time(issuer, (time_t)until);
  gnutls_x509_crt_set_key(issuer, key);
  CHECK_INT(gnutls_x509_crt_sign2(issuer, issuer, key, GNUTLS_DIG_SHA256, 0), 0);
  gnutls_x509_crt_set_key(c, key);
  gnutls_x509_crt_set_basic_constraints(c, kind == AUTHORITY, -1);
  if (kind != AUTHORITY)
    gnutls_x509_crt_set_key_purpose_oid(
        c, kind == CLIENT ? GNUTLS_KP_TLS_WWW_CLIENT : GNUTLS_KP_TLS_WWW_SERVER, 0);
  CHECK_INT(gnutls_x509_crt_sign2(c, issuer, key, GNUTLS_DIG_SHA256, 0), 0);
  CHECK_INT(gnutls_x509_crt_export2(c, GNUTLS_X509_FMT_PEM, &out), 0);
  char *text = g_strndup((char *)out.data, out.size);
  gnutls_free(out.data);
  gnutls_x509_crt_deinit(c);
  gnutls_x509_crt_deinit(issuer);
  return text;
}

/* Both may be NULL: nothing is said there. */
static void expect(CertWhat what, const char *data, const char *text, const char *warning)
{
  CertInfo info = {0};
  cert_info_look(what, data, strlen(data), NOW, &info);
  if (text && !(info.text && strstr(info.text, text))) {
    fprintf(stderr, "“%s” lacks “%s”\n", info.text, text);
    check_failed_++;
  }
  CHECK_STR(info.warning ? info.warning : "", warning ? warning : "");
  cert_info_clear(&info);
}

static void test_certificates(void)
{
  g_autofree char *good = make_cert(CLIENT, NOW - DAY, NOW + 400 * DAY);
  g_autofree char *soon = make_cert(CLIENT, NOW - DAY, NOW + 12 * DAY + 60);
  g_autofree char *today = make_cert(CLIENT, NOW - DAY, NOW + 3600);
  g_autofree char *gone = make_cert(CLIENT, NOW - 9 * DAY, NOW - 2 * DAY);
  g_autofree char *server = make_cert(SERVER, NOW - DAY, NOW + 400 * DAY);
  g_autofree char *ca = make_cert(AUTHORITY, NOW - DAY, NOW + 400 * DAY);
  g_autofree char *two = g_strconcat(ca, good, NULL);
  g_autofree char *secret = export_key(key, NULL);
  expect(CERT_WHAT_CERT, good, "Name: alice\nIssued by: Lab authority\nValid until ", NULL);
  expect(CERT_WHAT_CERT, soon, "Name: alice", "Expires in 12 days");
  expect(CERT_WHAT_CERT, today, NULL, "Expires today");
  expect(CERT_WHAT_CERT, gone, NULL, "The certificate expired on 12 November 2023");
  expect(CERT_WHAT_CERT, server, NULL, "This certificate is not made for a client");
  expect(CERT_WHAT_CERT, ca, NULL, "This is the certificate of an authority, not of a client");
  expect(CERT_WHAT_CA, ca, "key of 256 bits", NULL);
  expect(CERT_WHAT_CA, two, "and 1 more certificate", NULL);
  expect(CERT_WHAT_CA, secret, NULL, "This is a private key, not a certificate");
  expect(CERT_WHAT_CA, "milk", NULL, "This is not a certificate");
  expect(CERT_WHAT_CA, "", NULL, "This is empty");
}

static void test_keys(void)
{
  g_autofree char *open = export_key(key, NULL), *closed = export_key(key, "pass");
  g_autofree char *cert = make_cert(CLIENT, NOW - DAY, NOW + 400 * DAY);
  CertInfo k = {0}, c = {0};
  expect(CERT_WHAT_KEY, open, "key of 256 bits", NULL);
  expect(CERT_WHAT_KEY, closed, "Protected by a password", NULL);
  expect(CERT_WHAT_KEY, cert, NULL, "This is a certificate, not a private key");
  expect(CERT_WHAT_KEY, "milk", NULL, "This is not a private key");
  expect(CERT_WHAT_STATIC_KEY, open, NULL, "This is not a key of that kind");
  expect(CERT_WHAT_CRL, open, NULL, "This is not a list of revoked certificates");
  cert_info_look(CERT_WHAT_KEY, open, strlen(open), NOW, &k);
  cert_info_look(CERT_WHAT_CERT, cert, strlen(cert), NOW, &c);
  CHECK(k.key_id && c.key_id && g_bytes_equal(k.key_id, c.key_id));
  cert_info_clear(&k);
  cert_info_clear(&c);
}

static void test_files(void)
{
  gsize len = 0;
  char *why = NULL;
  CHECK(!cert_info_read("/no/such/file", &len, &why));
  CHECK_STR(why, "There is no file “/no/such/file”");
  g_clear_pointer(&why, g_free);
  CHECK(!cert_info_read("/", &len, &why));
  CHECK_STR(why, "“/” is not a file");
  g_clear_pointer(&why, g_free);
  CHECK(!cert_info_read("/dev/zero", &len, &why));
  CHECK_STR(why, "“/dev/zero” is not a file");
  g_clear_pointer(&why, g_free);
}

int main(void)
{
  g_setenv("TZ", "UTC", TRUE);
  CHECK_INT(gnutls_x509_privkey_init(&key), 0);
  CHECK_INT(gnutls_x509_privkey_generate(key, GNUTLS_PK_ECDSA,
                                         GNUTLS_CURVE_TO_BITS(GNUTLS_ECC_CURVE_SECP256R1), 0),
            0);
  test_certificates();
  test_keys();
  test_files();
  gnutls_x509_privkey_deinit(key);
  TEST_END();
}
