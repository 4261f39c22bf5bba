/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything that is checked about the peer's certificate, inside the handshake.
 *
 * Trusts only the profile's CA list (or its fingerprints) and the time it is given; the peer's list
 * is an unordered bag of hostile certificates. We build the path ourselves, so that the cause of a
 * refusal is exact (which certificate, which date), and let GnuTLS judge the finished path for
 * everything else (signatures, basic constraints, path length, name constraints). Host names are
 * not part of the protocol. Invariants: every configured check must pass; a failure sets a cause
 * and an alert; nothing allocated outlives a call. spec §19. */
#include "helper/core/tls-private.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { ISSUER_TRIES_MAX = 64 /* signature checks spent on finding one path */ };

/* Time is ours (GnuTLS would ask the clock); strength is checked by check_strength with better
 * words. */
static const unsigned verify_flags =
    GNUTLS_VERIFY_DISABLE_TIME_CHECKS | GNUTLS_VERIFY_DISABLE_TRUSTED_TIME_CHECKS |
    GNUTLS_VERIFY_DISABLE_CRL_CHECKS | GNUTLS_VERIFY_ALLOW_BROKEN |
    GNUTLS_VERIFY_ALLOW_SIGN_WITH_SHA1 | GNUTLS_VERIFY_ALLOW_SIGN_RSA_MD5;

/* ---- path ---------------------------------------------------------------------------------------
 */

typedef struct Path {
  gnutls_x509_crt_t
      v[OVPN_CHAIN_MAX + 1]; /* leaf first; the last is in the CA list when anchored */
  unsigned n, tries;
} Path;

static bool is_trusted(const OvpnTlsContext *t, gnutls_x509_crt_t crt)
{
  for (unsigned i = 0; i < t->ca.n; i++)
    if (gnutls_x509_crt_equals(t->ca.v[i], crt))
      return true;
  return false;
}

static bool signed_by(Path *p, gnutls_x509_crt_t crt, gnutls_x509_crt_t issuer)
{
  unsigned verdict = 0;
  if (!gnutls_x509_crt_check_issuer(crt, issuer) || p->tries >= ISSUER_TRIES_MAX)
    return false;
  p->tries++;
  return gnutls_x509_crt_verify(crt, &issuer, 1, verify_flags, &verdict) == 0 &&
         !(verdict & (GNUTLS_CERT_SIGNATURE_FAILURE | GNUTLS_CERT_SIGNER_NOT_FOUND));
}

static bool in_path(const Path *p, gnutls_x509_crt_t crt)
{
  for (unsigned i = 0; i < p->n; i++)
    if (gnutls_x509_crt_equals(p->v[i], crt))
      return true;
  return false;
}

static bool extend(const OvpnTlsContext *t, const OvpnCerts *sent, Path *p)
{
  gnutls_x509_crt_t last = p->v[p->n - 1];
  if (is_trusted(t, last))
    return true;
  if (p->n >= OVPN_CHAIN_MAX)
    return false;
  const OvpnCerts *sources[] = {&t->ca, sent, &t->pool};
  for (unsigned s = 0; s < 3; s++)
    for (unsigned i = 0; i < sources[s]->n; i++) {
      gnutls_x509_crt_t c = sources[s]->v[i];
      if (in_path(p, c) || !signed_by(p, last, c))
        continue;
      p->v[p->n++] = c;
      if (extend(t, sent, p))
        return true;
      p->n--;
    }
  return false;
}

/* ---- single checks ------------------------------------------------------------------------------
 */

/* Year, month, day of a Unix time. Not gmtime(): the C library would want to open its time zone
 * file. */
const char *ovpn_tls_date_text(time_t when, char buf[64])
{
  int64_t days = (int64_t)when / 86400 - ((int64_t)when % 86400 < 0);
  int64_t z = days + 719468, era = (z >= 0 ? z : z - 146096) / 146097;
  int64_t doe = z - era * 146097;
  int64_t yoe = (doe - doe / 1460 + doe / 36524 - doe / 146096) / 365;
  int64_t doy = doe - (365 * yoe + yoe / 4 - yoe / 100), mp = (5 * doy + 2) / 153;
  int64_t day = doy - (153 * mp + 2) / 5 + 1, month = mp < 10 ? mp + 3 : mp - 9;
  snprintf(buf, 64, "%04lld-%02lld-%02lld", (long long)(yoe + era * 400 + (month <= 2)),
           (long long)month, (long long)day);
  return buf;
}

static OvpnStatus check_time(gnutls_x509_crt_t crt, time_t now, bool leaf, OvpnFailure *f)
{
  char date[64], name[128];
  time_t from = gnutls_x509_crt_get_activation_time(crt),
         to = gnutls_x509_crt_get_expiration_time(crt);
  if (from == (time_t)-1 || to == (time_t)-1)
    return ovpn_failure_set(f, OVPN_FAIL_CERT_OTHER, "“%s”: dates of validity cannot be read",
                            ovpn_tls_cert_label(crt, name, sizeof name));
  if (now > to)
    return ovpn_failure_set(f, OVPN_FAIL_CERT_EXPIRED, leaf ? "%s" : "%s (issuer “%s”)",
                            ovpn_tls_date_text(to, date),
                            ovpn_tls_cert_label(crt, name, sizeof name));
  if (now < from)
    return ovpn_failure_set(f, OVPN_FAIL_CERT_NOT_YET_VALID, leaf ? "%s" : "%s (issuer “%s”)",
                            ovpn_tls_date_text(from, date),
                            ovpn_tls_cert_label(crt, name, sizeof name));
  return OVPN_OK;
}

static OvpnStatus weak(gnutls_x509_crt_t crt, OvpnFailure *f, const char *what, unsigned bits)
{
  char name[128];
  ovpn_tls_cert_label(crt, name, sizeof name);
  if (bits)
    return ovpn_failure_set(f, OVPN_FAIL_CERT_WEAK, "“%s”: %s key of %u bits", name, what, bits);
  return ovpn_failure_set(f, OVPN_FAIL_CERT_WEAK, "“%s”: signed with %s", name, what);
}

/* tls-cert-profile. The signature of a trusted certificate protects nothing, so it is not looked
 * at. */
static OvpnStatus check_strength(const OvpnTlsContext *t, gnutls_x509_crt_t crt, bool trusted,
                                 OvpnFailure *f)
{
  unsigned bits = 0;
  int pk = gnutls_x509_crt_get_pk_algorithm(crt, &bits),
      sig = gnutls_x509_crt_get_signature_algorithm(crt);
  gnutls_digest_algorithm_t digest =
      sig < 0 ? GNUTLS_DIG_UNKNOWN : gnutls_sign_get_hash_algorithm((gnutls_sign_algorithm_t)sig);
  bool finite = pk == GNUTLS_PK_RSA || pk == GNUTLS_PK_RSA_PSS || pk == GNUTLS_PK_DSA;
  bool old_digest = digest == GNUTLS_DIG_MD5 || digest == GNUTLS_DIG_MD2;
  const char *pk_name = pk < 0 ? "unknown" : gnutls_pk_get_name((gnutls_pk_algorithm_t)pk);
  const char *sig_name =
      sig < 0 ? "an unknown algorithm" : gnutls_sign_get_name((gnutls_sign_algorithm_t)sig);
  unsigned least = finite ? 2048 : 224;
  switch (t->profile) {
  case OVPN_PROFILE_INSECURE:
    return OVPN_OK;
  case OVPN_PROFILE_LEGACY:
    break;
  case OVPN_PROFILE_PREFERRED:
    old_digest |= digest == GNUTLS_DIG_SHA1;
    break;
  case OVPN_PROFILE_SUITEB:
    if (pk != GNUTLS_PK_ECDSA || (bits != 256 && bits != 384))
      return weak(crt, f, pk_name, bits ? bits : 1);
    old_digest = digest != GNUTLS_DIG_SHA256 && digest != GNUTLS_DIG_SHA384;
    break;
  }
  if (bits < least)
    return weak(crt, f, pk_name, bits ? bits : 1);
  if (old_digest && !trusted)
    return weak(crt, f, sig_name ? sig_name : "an unknown algorithm", 0);
  return OVPN_OK;
}

static bool listed_in(const char *lines, const char *word)
{
  size_t n = strlen(word);
  for (const char *p = lines; p && *p; p += strcspn(p, "\n")) {
    p += strspn(p, " \t\r\n");
    size_t len = strcspn(p, " \t\r\n");
    if (len == n && memcmp(p, word, n) == 0)
      return true;
  }
  return false;
}

static bool crl_lists(gnutls_x509_crl_t crl, const uint8_t *serial, size_t len)
{
  gnutls_x509_crl_iter_t it = NULL;
  bool found = false;
  uint8_t s[64];
  size_t n = sizeof s;
  while (!found && gnutls_x509_crl_iter_crt_serial(crl, &it, s, &n, NULL) == 0) {
    found = n == len && memcmp(s, serial, n) == 0;
    n = sizeof s;
  }
  gnutls_x509_crl_iter_deinit(it);
  return found;
}

/* issuer NULL: only the directory of serials can be asked. A missing list for an issuer is no
 * failure (as in OpenVPN 2); an outdated one is, unless another is current. */
static OvpnStatus check_crls(const OvpnTlsContext *t, gnutls_x509_crt_t crt,
                             gnutls_x509_crt_t issuer, time_t now, OvpnFailure *f)
{
  uint8_t serial[64];
  size_t len = sizeof serial;
  char name[128], date[64], decimal[200];
  if (!t->n_crls && !t->crl_serials)
    return OVPN_OK;
  if (gnutls_x509_crt_get_serial(crt, serial, &len) < 0)
    return ovpn_failure_set(f, OVPN_FAIL_CERT_OTHER, "“%s”: the serial number cannot be read",
                            ovpn_tls_cert_label(crt, name, sizeof name));
  ovpn_tls_serial_text(crt, decimal, sizeof decimal);
  if (listed_in(t->crl_serials, decimal))
    return ovpn_failure_set(f, OVPN_FAIL_CERT_REVOKED, "“%s” (serial number %s)",
                            ovpn_tls_cert_label(crt, name, sizeof name), decimal);
  unsigned current = 0;
  time_t outdated = 0;
  for (unsigned i = 0; issuer && i < t->n_crls; i++) {
    unsigned verdict = 0;
    if (!gnutls_x509_crl_check_issuer(t->crls[i], issuer))
      continue;
    if (gnutls_x509_crl_verify(t->crls[i], &issuer, 1, verify_flags, &verdict) < 0 ||
        (verdict & (GNUTLS_CERT_SIGNATURE_FAILURE | GNUTLS_CERT_SIGNER_NOT_FOUND |
                    GNUTLS_CERT_SIGNER_NOT_CA)))
      return ovpn_failure_set(f, OVPN_FAIL_CERT_OTHER,
                              "crl-verify: the list was not signed by “%s”",
                              ovpn_tls_cert_label(issuer, name, sizeof name));
    if (crl_lists(t->crls[i], serial, len))
      return ovpn_failure_set(f, OVPN_FAIL_CERT_REVOKED, "“%s” (serial number %s)",
                              ovpn_tls_cert_label(crt, name, sizeof name), decimal);
    time_t next = gnutls_x509_crl_get_next_update(t->crls[i]);
    if (next != (time_t)-1 && next < now)
      outdated = next > outdated ? next : outdated;
    else
      current++;
  }
  if (!current && outdated)
    return ovpn_failure_set(f, OVPN_FAIL_CERT_OTHER,
                            "crl-verify: the revocation list expired on %s",
                            ovpn_tls_date_text(outdated, date));
  return OVPN_OK;
}

static bool hex_digest(gnutls_x509_crt_t crt, bool sha1, char buf[65])
{
  uint8_t d[32];
  size_t n = sizeof d;
  buf[0] = 0;
  if (gnutls_x509_crt_get_fingerprint(crt, sha1 ? GNUTLS_DIG_SHA1 : GNUTLS_DIG_SHA256, d, &n) < 0)
    return false;
  for (size_t i = 0; i < n; i++)
    snprintf(buf + 2 * i, 3, "%02x", d[i]);
  return true;
}

/* The number's name for people: what `verify-hash` and `peer-fingerprint` in a profile are compared
 * with. */
static OvpnStatus check_fingerprint(const OvpnTlsContext *t, gnutls_x509_crt_t leaf, OvpnFailure *f)
{
  char hex[65];
  if (!hex_digest(leaf, false, hex))
    return ovpn_failure_set(f, OVPN_FAIL_INTERNAL, "certificate fingerprint");
  for (size_t i = 0; i < t->fingerprints.n; i++)
    if (strcasecmp(t->fingerprints.v[i], hex) == 0)
      return OVPN_OK;
  return t->fingerprints.n ? ovpn_failure_set(f, OVPN_FAIL_CERT_FINGERPRINT, "%s", hex) : OVPN_OK;
}

static OvpnStatus check_issuer_hash(const OvpnTlsContext *t, const Path *p, OvpnFailure *f)
{
  char hex[65];
  if (!t->verify_hash)
    return OVPN_OK;
  if (p->n < 2)
    return ovpn_failure_set(f, OVPN_FAIL_CERT_FINGERPRINT,
                            "verify-hash: the certificate has no issuer to compare");
  if (!hex_digest(p->v[1], t->verify_hash_sha1, hex))
    return ovpn_failure_set(f, OVPN_FAIL_INTERNAL, "certificate fingerprint");
  return strcasecmp(t->verify_hash, hex) == 0
             ? OVPN_OK
             : ovpn_failure_set(f, OVPN_FAIL_CERT_FINGERPRINT, "%s", hex);
}

/* ---- usage --------------------------------------------------------------------------------------
 */

static const struct Purpose {
  const char *oid, *short_name, *long_name;
} purposes[] = {
    {"1.3.6.1.5.5.7.3.1", "serverAuth", "TLS Web Server Authentication"},
    {"1.3.6.1.5.5.7.3.2", "clientAuth", "TLS Web Client Authentication"},
    {"1.3.6.1.5.5.7.3.3", "codeSigning", "Code Signing"},
    {"1.3.6.1.5.5.7.3.4", "emailProtection", "E-mail Protection"},
    {"1.3.6.1.5.5.7.3.5", "ipsecEndSystem", "IPSec End System"},
    {"1.3.6.1.5.5.7.3.6", "ipsecTunnel", "IPSec Tunnel"},
    {"1.3.6.1.5.5.7.3.7", "ipsecUser", "IPSec User"},
    {"1.3.6.1.5.5.7.3.8", "timeStamping", "Time Stamping"},
    {"1.3.6.1.5.5.7.3.9", "OCSPSigning", "OCSP Signing"},
    {"1.3.6.1.5.5.7.3.17", "ipsecIKE", "ipsec Internet Key Exchange"},
    {"1.3.6.1.4.1.311.10.3.3", "msSGC", "Microsoft Server Gated Crypto"},
    {"1.3.6.1.4.1.311.20.2.2", "msSmartcardLogin", "Microsoft Smartcard Login"},
    {"2.16.840.1.113730.4.1", "nsSGC", "Netscape Server Gated Crypto"},
    {"2.5.29.37.0", "anyExtendedKeyUsage", "Any Extended Key Usage"},
};

static const char *purpose_oid(const char *name)
{
  for (size_t i = 0; i < sizeof purposes / sizeof *purposes; i++)
    if (strcasecmp(purposes[i].short_name, name) == 0 ||
        strcasecmp(purposes[i].long_name, name) == 0)
      return purposes[i].oid;
  return name;
}

/* Is `oid` among the extended usages? *ret_any: the extension exists at all. */
static bool has_purpose(gnutls_x509_crt_t crt, const char *oid, bool *ret_any)
{
  char found[128];
  unsigned critical;
  *ret_any = false;
  for (unsigned i = 0; i < 64; i++) {
    size_t n = sizeof found;
    int r = gnutls_x509_crt_get_key_purpose_oid(crt, i, found, &n, &critical);
    if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
      break;
    *ret_any = true;
    if (r == 0 && strcmp(found, oid) == 0)
      return true;
  }
  return false;
}

static OvpnStatus usage_failure(OvpnFailure *f, const char *option, const char *missing)
{
  return ovpn_failure_set(f, OVPN_FAIL_CERT_USAGE, "%s: %s", option, missing);
}

/* GnuTLS numbers the bits as X.509 does, first bit 0x80: the order that remote-cert-ku uses. */
static OvpnStatus check_key_usage(const OvpnTlsContext *t, gnutls_x509_crt_t leaf, OvpnFailure *f)
{
  unsigned usage = 0, critical = 0;
  char text[64];
  if (t->ku.n == 0)
    return OVPN_OK;
  if (gnutls_x509_crt_get_key_usage(leaf, &usage, &critical) < 0)
    return usage_failure(f, "remote-cert-ku", "the certificate has no key usage");
  for (size_t i = 0; i < t->ku.n; i++) {
    char *end;
    unsigned long wanted = strtoul(t->ku.v[i], &end, 16);
    if (end != t->ku.v[i] && !*end && ((usage & 0xff) & wanted) == wanted)
      return OVPN_OK;
  }
  snprintf(text, sizeof text, "the certificate has %02x", usage & 0xff);
  return usage_failure(f, "remote-cert-ku", text);
}

static OvpnStatus check_remote_cert_tls(const OvpnTlsContext *t, gnutls_x509_crt_t leaf,
                                        OvpnFailure *f)
{
  unsigned usage, critical;
  bool any;
  if (t->remote_cert_tls == OVPN_CERT_ANY)
    return OVPN_OK;
  if (gnutls_x509_crt_get_key_usage(leaf, &usage, &critical) < 0)
    return usage_failure(f, "remote-cert-tls", "the certificate has no key usage");
  bool server = t->remote_cert_tls == OVPN_CERT_SERVER;
  if (!has_purpose(leaf, server ? GNUTLS_KP_TLS_WWW_SERVER : GNUTLS_KP_TLS_WWW_CLIENT, &any))
    return usage_failure(f, "remote-cert-tls",
                         server ? "not a server certificate" : "not a client certificate");
  return OVPN_OK;
}

/* What TLS libraries require of any peer: usages, where they are stated at all, must fit its role.
 */
static OvpnStatus check_role(const OvpnTlsContext *t, gnutls_x509_crt_t leaf, OvpnFailure *f)
{
  unsigned usage, critical;
  bool any;
  const unsigned fits =
      GNUTLS_KEY_DIGITAL_SIGNATURE | GNUTLS_KEY_KEY_ENCIPHERMENT | GNUTLS_KEY_KEY_AGREEMENT;
  if (gnutls_x509_crt_get_key_usage(leaf, &usage, &critical) == 0 && !(usage & fits))
    return usage_failure(f, "keyUsage", "the certificate is not for TLS");
  if (!has_purpose(leaf, t->server ? GNUTLS_KP_TLS_WWW_CLIENT : GNUTLS_KP_TLS_WWW_SERVER, &any) &&
      any && !has_purpose(leaf, GNUTLS_KP_ANY, &any))
    return usage_failure(f, "extendedKeyUsage",
                         t->server ? "not a client certificate" : "not a server certificate");
  return OVPN_OK;
}

static OvpnStatus check_extended_usage(const OvpnTlsContext *t, gnutls_x509_crt_t leaf,
                                       OvpnFailure *f)
{
  bool any;
  for (size_t i = 0; i < t->eku.n; i++)
    if (!has_purpose(leaf, purpose_oid(t->eku.v[i]), &any))
      return usage_failure(f, "remote-cert-eku", t->eku.v[i]);
  return OVPN_OK;
}

/* Netscape certificate type: BIT STRING, bit 0 SSL client, bit 1 SSL server. */
static OvpnStatus check_ns_cert_type(const OvpnTlsContext *t, gnutls_x509_crt_t leaf,
                                     OvpnFailure *f)
{
  uint8_t der[16];
  size_t n = sizeof der;
  unsigned critical;
  if (t->ns_cert_type == OVPN_CERT_ANY)
    return OVPN_OK;
  uint8_t wanted = t->ns_cert_type == OVPN_CERT_SERVER ? 0x40 : 0x80;
  int r =
      gnutls_x509_crt_get_extension_by_oid(leaf, "2.16.840.1.113730.1.1", 0, der, &n, &critical);
  if (r == 0 && n >= 4 && der[0] == 3 && der[1] == n - 2 && der[2] < 8 && (der[3] & wanted))
    return OVPN_OK;
  return usage_failure(f, "ns-cert-type",
                       t->ns_cert_type == OVPN_CERT_SERVER ? "not a server certificate"
                                                           : "not a client certificate");
}

/* ---- all together -------------------------------------------------------------------------------
 */

/* GnuTLS's judgement of the finished path: signatures, CA flag, path length, name constraints. */
static OvpnStatus check_path(const OvpnTlsContext *t, Path *p, OvpnFailure *f)
{
  unsigned verdict = 0;
  unsigned n = p->n > 1 ? p->n - 1 : 1; /* the last one is in the list already */
  int r = gnutls_x509_trust_list_verify_crt(t->trust, p->v, n, verify_flags, &verdict, NULL);
  char name[128];
  if (r < 0)
    return ovpn_failure_set(f, OVPN_FAIL_CERT_OTHER, "%s", gnutls_strerror(r));
  if (verdict & GNUTLS_CERT_SIGNER_NOT_FOUND)
    return ovpn_failure_set(f, OVPN_FAIL_CERT_UNKNOWN_CA, "%s",
                            ovpn_tls_cert_label(p->v[p->n - 1], name, sizeof name));
  if (verdict & GNUTLS_CERT_SIGNER_NOT_CA)
    return ovpn_failure_set(f, OVPN_FAIL_CERT_OTHER,
                            "the issuer of “%s” is not a certificate authority",
                            ovpn_tls_cert_label(p->v[0], name, sizeof name));
  if (verdict & GNUTLS_CERT_SIGNER_CONSTRAINTS_FAILURE)
    return ovpn_failure_set(f, OVPN_FAIL_CERT_OTHER, "“%s” is outside the limits of its issuer",
                            ovpn_tls_cert_label(p->v[0], name, sizeof name));
  if (verdict & GNUTLS_CERT_UNKNOWN_CRIT_EXTENSIONS)
    return ovpn_failure_set(f, OVPN_FAIL_CERT_OTHER,
                            "“%s” has a critical extension that is not known",
                            ovpn_tls_cert_label(p->v[0], name, sizeof name));
  if (verdict & GNUTLS_CERT_INSECURE_ALGORITHM)
    return ovpn_failure_set(f, OVPN_FAIL_CERT_WEAK, "“%s”: insecure algorithm",
                            ovpn_tls_cert_label(p->v[0], name, sizeof name));
  if (verdict)
    return ovpn_failure_set(f, OVPN_FAIL_CERT_OTHER, "“%s” was refused (%x)",
                            ovpn_tls_cert_label(p->v[0], name, sizeof name), verdict);
  return OVPN_OK;
}

static OvpnStatus check_chain(const OvpnTlsContext *t, const OvpnCerts *sent, time_t now,
                              OvpnFailure *f)
{
  Path p = {.v = {sent->v[0]}, .n = 1};
  char name[128];
  if (!extend(t, sent, &p)) {
    char issuer[128];
    ovpn_tls_common_name(p.v[0], true, issuer, sizeof issuer);
    return ovpn_failure_set(f, OVPN_FAIL_CERT_UNKNOWN_CA, "“%s”, issued by “%s”",
                            ovpn_tls_cert_label(p.v[0], name, sizeof name), issuer);
  }
  OvpnStatus s = OVPN_OK;
  for (unsigned i = 0; s == OVPN_OK && i < p.n; i++)
    s = check_time(p.v[i], now, i == 0, f);
  for (unsigned i = 0; s == OVPN_OK && i < p.n; i++)
    s = check_strength(t, p.v[i], i + 1 == p.n, f);
  for (unsigned i = 0; s == OVPN_OK && i < p.n; i++)
    if (i + 1 < p.n || p.n == 1)
      s = check_crls(t, p.v[i], i + 1 < p.n ? p.v[i + 1] : p.v[i], now, f);
  if (s == OVPN_OK)
    s = check_path(t, &p, f);
  if (s == OVPN_OK)
    s = check_issuer_hash(t, &p, f);
  return s;
}

static OvpnStatus check_leaf(const OvpnTlsContext *t, gnutls_x509_crt_t leaf, OvpnFailure *f)
{
  OvpnStatus s = check_remote_cert_tls(t, leaf, f);
  if (s == OVPN_OK)
    s = check_ns_cert_type(t, leaf, f);
  if (s == OVPN_OK)
    s = check_key_usage(t, leaf, f);
  if (s == OVPN_OK)
    s = check_extended_usage(t, leaf, f);
  if (s == OVPN_OK && !t->trusts_any_chain)
    s = check_role(t, leaf, f);
  if (s == OVPN_OK)
    s = ovpn_tls_check_name(t, leaf, f);
  return s;
}

/* The list as it came from the peer, leaf first. */
OvpnStatus ovpn_tls_check_certs(const OvpnTlsContext *t, time_t now, const gnutls_datum_t *der,
                                unsigned n, OvpnFailure *f)
{
  gnutls_x509_crt_t list[OVPN_CHAIN_MAX];
  OvpnCerts sent = {list, 0};
  OvpnStatus s = OVPN_OK;
  if (n == 0)
    return ovpn_failure_set(f, OVPN_FAIL_CERT_OTHER, "no certificate was sent");
  if (n > OVPN_CHAIN_MAX)
    return ovpn_failure_set(f, OVPN_FAIL_CERT_OTHER, "more than %d certificates were sent",
                            OVPN_CHAIN_MAX);
  for (unsigned i = 0; s == OVPN_OK && i < n; i++) {
    gnutls_x509_crt_t c;
    if (gnutls_x509_crt_init(&c) < 0)
      s = ovpn_failure_set(f, OVPN_FAIL_MEMORY, "certificate");
    else if (gnutls_x509_crt_import(c, &der[i], GNUTLS_X509_FMT_DER) < 0) {
      gnutls_x509_crt_deinit(c);
      s = ovpn_failure_set(f, OVPN_FAIL_CERT_OTHER, "a certificate that was sent cannot be read");
    } else {
      list[sent.n++] = c;
    }
  }
  if (s == OVPN_OK)
    s = check_fingerprint(t, list[0], f);
  /* A pinned certificate without a CA is trusted as it is, dates included: the pin says more than
   * they do. */
  if (s == OVPN_OK)
    s = t->trusts_any_chain ? check_crls(t, list[0], NULL, now, f) : check_chain(t, &sent, now, f);
  if (s == OVPN_OK)
    s = check_leaf(t, list[0], f);
  for (unsigned i = 0; i < sent.n; i++)
    gnutls_x509_crt_deinit(list[i]);
  return s;
}

static gnutls_alert_description_t alert_for(OvpnStatus s)
{
  switch ((int)s) {
  case OVPN_FAIL_CERT_UNKNOWN_CA:
    return GNUTLS_A_UNKNOWN_CA;
  case OVPN_FAIL_CERT_EXPIRED:
    return GNUTLS_A_CERTIFICATE_EXPIRED;
  case OVPN_FAIL_CERT_REVOKED:
    return GNUTLS_A_CERTIFICATE_REVOKED;
  case OVPN_FAIL_CERT_USAGE:
    return GNUTLS_A_UNSUPPORTED_CERTIFICATE;
  case OVPN_FAIL_CERT_WEAK:
    return GNUTLS_A_INSUFFICIENT_SECURITY;
  case OVPN_FAIL_INTERNAL:
  case OVPN_FAIL_MEMORY:
    return GNUTLS_A_INTERNAL_ERROR;
  }
  return GNUTLS_A_BAD_CERTIFICATE;
}

int ovpn_tls_verify_peer(gnutls_session_t session)
{
  OvpnTls *t = gnutls_session_get_ptr(session);
  unsigned n = 0;
  const gnutls_datum_t *der = gnutls_certificate_get_peers(session, &n);
  if (t->ctx->server && n == 0 && !t->ctx->require_cert)
    return 0;
  OvpnStatus s =
      gnutls_certificate_type_get(session) == GNUTLS_CRT_X509
          ? ovpn_tls_check_certs(t->ctx, t->now, der, der ? n : 0, &t->cert_failure)
          : ovpn_failure_set(&t->cert_failure, OVPN_FAIL_CERT_OTHER, "not an X.509 certificate");
  if (s == OVPN_OK)
    return 0;
  t->cert_alert = alert_for(s);
  return GNUTLS_E_CERTIFICATE_ERROR;
}
