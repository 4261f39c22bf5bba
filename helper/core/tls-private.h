/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tls.c, tls-context.c and tls-verify.c share; nobody else includes this. */
#pragma once
#include <gnutls/gnutls.h>
#include <gnutls/x509.h>
#include "helper/core/signer.h"
#include "helper/core/tls.h"

enum { OVPN_CHAIN_MAX = 16 /* certificates in one chain */, OVPN_SUITES_MAX = 160 };

/* Array and certificates come from GnuTLS's allocator and are owned. */
typedef struct OvpnCerts {
  gnutls_x509_crt_t *v;
  unsigned n;
} OvpnCerts;

/* One cipher suite that tls-cipher (or tls-ciphersuites) allows. kx is not looked at in TLS 1.3. */
typedef struct OvpnSuite {
  gnutls_kx_algorithm_t kx;
  gnutls_cipher_algorithm_t cipher;
  gnutls_mac_algorithm_t mac;
} OvpnSuite;

/* A list that is not configured allows everything that the priority string allows. */
typedef struct OvpnSuites {
  OvpnSuite v[OVPN_SUITES_MAX];
  unsigned n;
  bool configured;
} OvpnSuites;

struct OvpnTlsContext {
  bool server, request_cert, require_cert;
  bool trusts_any_chain;    /* peer-fingerprint without a CA: the pin is the whole trust */
  const OvpnSigner *signer; /* borrowed from the configuration */
  gnutls_certificate_credentials_t cred;
  gnutls_priority_t priority;
  gnutls_x509_trust_list_t trust; /* over ca; owns nothing */
  OvpnCerts ca, pool;             /* pool: intermediates, never trusted by themselves */
  gnutls_x509_crl_t *crls;
  unsigned n_crls;
  OvpnSuites suites12, suites13;
  /* the checks, copied from the configuration */
  OvpnCertProfile profile;
  OvpnCertType remote_cert_tls, ns_cert_type;
  OvpnStrv ku, eku, fingerprints;
  OvpnNameCheck name_check;
  char *name, *username_field, *verify_hash, *crl_serials;
  bool verify_hash_sha1;
  time_t own_expiry; /* of our certificate; 0 = none */
};

struct OvpnTls {
  OvpnTlsContext *ctx;
  gnutls_session_t session;
  time_t now;
  OvpnFailure cert_failure; /* set by the verification callback */
  gnutls_alert_description_t cert_alert;
  bool done, dead;
  struct OvpnTlsQueue {
    uint8_t *data;
    size_t off, len, cap; /* waiting: data[off .. off + len) */
  } in, out;
};

/* tls-token.c: our certificate (leaf first; stays the caller's) with a key that the signer holds. 0
 * or a GnuTLS error. */
int ovpn_tls_use_token(OvpnTlsContext *t, const OvpnSigner *signer, gnutls_x509_crt_t *chain,
                       unsigned n);
/* tls-priority.c: fills priority, suites12 and suites13 from the tls-* options. */
OvpnStatus ovpn_tls_set_priority(OvpnTlsContext *t, const OvpnConfig *c, OvpnFailure *f);
/* tls-priority.c: was the negotiated suite one that the profile allows? Also its name, never NULL.
 */
bool ovpn_tls_suite_allowed(const OvpnTls *t, const char **ret_name);
/* tls-verify.c: GnuTLS's certificate verification hook; the session pointer is the OvpnTls. */
int ovpn_tls_verify_peer(gnutls_session_t session);
/* tls-verify.c: every check on a list as it came from the peer, leaf first. */
OvpnStatus ovpn_tls_check_certs(const OvpnTlsContext *t, time_t now, const gnutls_datum_t *der,
                                unsigned n, OvpnFailure *f);
/* tls-verify.c: "2024-05-01". Returns buf. */
const char *ovpn_tls_date_text(time_t when, char buf[64]);
/* tls-names.c: last CN of the subject or issuer, "" if none; for texts. Returns buf. */
const char *ovpn_tls_common_name(gnutls_x509_crt_t crt, bool issuer, char *buf, size_t cap);
/* tls-names.c: what to call a certificate in a message; buf or a constant. */
const char *ovpn_tls_cert_label(gnutls_x509_crt_t crt, char *buf, size_t cap);
/* tls-names.c: serial number in decimal. */
bool ovpn_tls_serial_text(gnutls_x509_crt_t crt, char *buf, size_t cap);
/* tls-names.c: verify-x509-name. */
OvpnStatus ovpn_tls_check_name(const OvpnTlsContext *t, gnutls_x509_crt_t leaf, OvpnFailure *f);
