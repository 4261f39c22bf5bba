/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TLS over memory with GnuTLS, and everything we check about the peer's certificate. spec §7, §19,
 * §23. */
#pragma once
#include <time.h>
#include "config.h"
#include "secret.h"
#include "status.h"

/* Credentials and checks of one profile, built once and shared by all TLS sessions of the
 * connection. */
typedef struct OvpnTlsContext OvpnTlsContext;
/* Loads CA, certificate, key, PKCS#12, extra-certs, CRL from c->files[].content; builds the
 * priority string. `passphrase` may be NULL. FAIL_PASSPHRASE if the key needs one that is missing
 * or wrong; FAIL_FILE_FORMAT, FAIL_KEY_MISMATCH, FAIL_CONFIG name the option. `server`: our
 * role; a peer without a certificate is refused unless client_cert_not_needed. */
OvpnStatus ovpn_tls_context_new(const OvpnConfig *c, const char *passphrase, bool server,
                                OvpnTlsContext **ret, OvpnFailure *f);
void ovpn_tls_context_free(OvpnTlsContext *t);

/* End of validity of our own certificate, Unix seconds; 0 when there is none. `ret_date`
 * ("2024-05-01") may be NULL. */
time_t ovpn_tls_context_own_expiry(const OvpnTlsContext *t, char ret_date[64]);

/* True when the private key (or PKCS#12) in c needs a pass phrase. Cheap, no decryption. */
bool ovpn_tls_needs_passphrase(const OvpnConfig *c);

typedef struct OvpnTls OvpnTls;
/* now_wall: Unix time (s) used for certificate validity. */
OvpnTls *ovpn_tls_new(OvpnTlsContext *ctx, time_t now_wall); /* NULL = no memory */
void ovpn_tls_free(OvpnTls *t);
/* Ciphertext in. Copies. FAIL_PROTOCOL if more than 64 KiB are waiting. */
OvpnStatus ovpn_tls_input(OvpnTls *t, const void *data, size_t len);
/* Drives the handshake. OK and *ret_done when complete AND the peer's certificate passed every
 * check (checks run inside the handshake, so a bad certificate fails it at once, and an alert is
 * left in the output). */
OvpnStatus ovpn_tls_handshake(OvpnTls *t, bool *ret_done, OvpnFailure *f);
/* One TLS record of plaintext per call. *ret_len = 0: nothing now. Also handles post-handshake
 * messages. */
OvpnStatus ovpn_tls_read(OvpnTls *t, void *buf, size_t cap, size_t *ret_len, OvpnFailure *f);
OvpnStatus ovpn_tls_write(OvpnTls *t, const void *data, size_t len,
                          OvpnFailure *f); /* one record */
/* Ciphertext waiting to go out (also after a failure: alerts). Moves up to cap bytes. */
size_t ovpn_tls_output(OvpnTls *t, void *buf, size_t cap);
size_t ovpn_tls_output_pending(const OvpnTls *t);
/* Can enough be exported for keys? Before TLS 1.2 GnuTLS has a limit of 200 bytes, and beyond it
 * writes nothing without a word. After the handshake. */
bool ovpn_tls_can_export(const OvpnTls *t);
/* RFC 5705 exporter without context. */
OvpnStatus ovpn_tls_export(OvpnTls *t, const char *label, uint8_t *out, size_t len);
/* "TLSv1.3 TLS_AES_256_GCM_SHA384, peer RSA 2048 CN=..." for the log; malloc'ed. */
char *ovpn_tls_describe(const OvpnTls *t);
