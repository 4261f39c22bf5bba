/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A TLS session whose transport is two byte queues.
 *
 * Ciphertext comes in and goes out through memory, so reliability and chunking stay below. The
 * input is unauthenticated in part: it is bounded and only GnuTLS parses it. Invariants: after a
 * failure nothing is read or written any more, but the output (an alert) can still be drained; one
 * call reads or writes one record. No tickets, no server name, no ALPN, no renegotiation inside
 * TLS. spec §7, §23. */
#include "helper/core/tls-private.h"
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { INPUT_MAX = 64 << 10, OUTPUT_MAX = 256 << 10, EMPTY_READS_MAX = 64 };

/* ---- queues -------------------------------------------------------------------------------------
 */

static bool queue_add(struct OvpnTlsQueue *q, const void *data, size_t len)
{
  if (q->off + q->len + len > q->cap && q->off > 0) {
    memmove(q->data, q->data + q->off, q->len);
    q->off = 0;
  }
  if (q->len + len > q->cap) {
    size_t cap = (q->len + len + 4095) & ~(size_t)4095;
    uint8_t *p = realloc(q->data, cap); /* ciphertext: nothing to wipe */
    if (!p)
      return false;
    q->data = p;
    q->cap = cap;
  }
  if (len)
    memcpy(q->data + q->off + q->len, data, len);
  q->len += len;
  return true;
}

static size_t queue_take(struct OvpnTlsQueue *q, void *buf, size_t cap)
{
  size_t n = q->len < cap ? q->len : cap;
  if (n)
    memcpy(buf, q->data + q->off, n);
  q->len -= n;
  q->off = q->len ? q->off + n : 0;
  return n;
}

static ssize_t push(gnutls_transport_ptr_t user, const void *data, size_t len)
{
  OvpnTls *t = user;
  if (t->out.len + len > OUTPUT_MAX || !queue_add(&t->out, data, len)) {
    gnutls_transport_set_errno(t->session, ENOMEM);
    return -1;
  }
  return (ssize_t)len;
}

static ssize_t pull(gnutls_transport_ptr_t user, void *buf, size_t cap)
{
  OvpnTls *t = user;
  if (t->in.len == 0) {
    gnutls_transport_set_errno(t->session, EAGAIN);
    return -1;
  }
  return (ssize_t)queue_take(&t->in, buf, cap);
}

/* GnuTLS asks this where it would poll a socket; we never wait. */
static int pull_ready(gnutls_transport_ptr_t user, unsigned ms)
{
  const OvpnTls *t = user;
  (void)ms;
  return t->in.len > 0;
}

/* ---- life ---------------------------------------------------------------------------------------
 */

OvpnTls *ovpn_tls_new(OvpnTlsContext *ctx, time_t now_wall)
{
  OvpnTls *t = calloc(1, sizeof *t);
  if (!t)
    return NULL;
  t->ctx = ctx;
  t->now = now_wall;
  t->cert_alert = GNUTLS_A_BAD_CERTIFICATE;
  /* Send our certificate even if the server's list of authorities does not name its issuer. */
  unsigned flags =
      GNUTLS_NONBLOCK | GNUTLS_NO_SIGNAL | GNUTLS_NO_TICKETS | GNUTLS_FORCE_CLIENT_CERT;
  if (gnutls_init(&t->session, flags | (ctx->server ? GNUTLS_SERVER : GNUTLS_CLIENT)) < 0) {
    free(t);
    return NULL;
  }
  gnutls_session_set_ptr(t->session, t);
  gnutls_transport_set_ptr(t->session, t);
  gnutls_transport_set_push_function(t->session, push);
  gnutls_transport_set_pull_function(t->session, pull);
  gnutls_transport_set_pull_timeout_function(t->session, pull_ready);
  if (gnutls_priority_set(t->session, ctx->priority) < 0 ||
      gnutls_credentials_set(t->session, GNUTLS_CRD_CERTIFICATE, ctx->cred) < 0) {
    ovpn_tls_free(t);
    return NULL;
  }
  if (ctx->server)
    gnutls_certificate_server_set_request(t->session, ctx->require_cert   ? GNUTLS_CERT_REQUIRE
                                                      : ctx->request_cert ? GNUTLS_CERT_REQUEST
                                                                          : GNUTLS_CERT_IGNORE);
  return t;
}

void ovpn_tls_free(OvpnTls *t)
{
  if (!t)
    return;
  gnutls_deinit(t->session);
  free(t->in.data);
  free(t->out.data);
  free(t);
}

OvpnStatus ovpn_tls_input(OvpnTls *t, const void *data, size_t len)
{
  if (len > INPUT_MAX || t->in.len + len > INPUT_MAX)
    return OVPN_FAIL_PROTOCOL;
  return queue_add(&t->in, data, len) ? OVPN_OK : OVPN_FAIL_MEMORY;
}

size_t ovpn_tls_output(OvpnTls *t, void *buf, size_t cap)
{
  return queue_take(&t->out, buf, cap);
}

size_t ovpn_tls_output_pending(const OvpnTls *t)
{
  return t->out.len;
}

/* ---- handshake and records ----------------------------------------------------------------------
 */

/* The session is over: find the cause of the library's error and leave an alert if one is due. */
static OvpnStatus finish(OvpnTls *t, int r, OvpnFailure *f)
{
  t->dead = true;
  if (r == GNUTLS_E_FATAL_ALERT_RECEIVED) {
    const char *name = gnutls_alert_get_name(gnutls_alert_get(t->session));
    return ovpn_failure_set(f, OVPN_FAIL_TLS_ALERT, "%s", name ? name : "unknown alert");
  }
  if (t->cert_failure.status != OVPN_OK) {
    gnutls_alert_send(t->session, GNUTLS_AL_FATAL, t->cert_alert);
    return ovpn_failure_set(f, t->cert_failure.status, "%s", t->cert_failure.text);
  }
  gnutls_alert_send_appropriate(t->session, r);
  if (r == GNUTLS_E_UNSUPPORTED_VERSION_PACKET)
    return ovpn_failure_set(
        f, OVPN_FAIL_TLS, "the peer's TLS version is outside tls-version-min and tls-version-max");
  if (r == GNUTLS_E_MEMORY_ERROR)
    return ovpn_failure_set(f, OVPN_FAIL_MEMORY, "TLS");
  if (r == GNUTLS_E_PK_SIGN_FAILED && t->ctx->signer)
    return ovpn_failure_set(f, OVPN_FAIL_SIGNATURE, "%s", "");
  return ovpn_failure_set(f, OVPN_FAIL_TLS, "%s", gnutls_strerror(r));
}

static OvpnStatus already_dead(OvpnFailure *f)
{
  return ovpn_failure_set(f, OVPN_FAIL_TLS, "the TLS session has ended");
}

OvpnStatus ovpn_tls_handshake(OvpnTls *t, bool *ret_done, OvpnFailure *f)
{
  *ret_done = t->done;
  if (t->dead)
    return already_dead(f);
  for (unsigned i = 0; !t->done && i < EMPTY_READS_MAX; i++) {
    int r = gnutls_handshake(t->session);
    if (r == GNUTLS_E_AGAIN)
      return OVPN_OK;
    if (r == GNUTLS_E_WARNING_ALERT_RECEIVED || r == GNUTLS_E_INTERRUPTED)
      continue;
    if (r < 0)
      return finish(t, r, f);
    /* The hook does not run when a server gets no certificate; everything else has passed it. */
    const char *suite = NULL;
    if (!ovpn_tls_suite_allowed(t, &suite)) {
      t->dead = true;
      gnutls_alert_send(t->session, GNUTLS_AL_FATAL, GNUTLS_A_INSUFFICIENT_SECURITY);
      return ovpn_failure_set(f, OVPN_FAIL_TLS, "the cipher suite %s is not allowed by the profile",
                              suite);
    }
    t->done = true;
  }
  *ret_done = t->done;
  return OVPN_OK;
}

OvpnStatus ovpn_tls_read(OvpnTls *t, void *buf, size_t cap, size_t *ret_len, OvpnFailure *f)
{
  *ret_len = 0;
  if (t->dead)
    return already_dead(f);
  if (!t->done)
    return OVPN_OK;
  for (unsigned i = 0; i < EMPTY_READS_MAX; i++) {
    ssize_t r = gnutls_record_recv(t->session, buf, cap);
    if (r > 0) {
      *ret_len = (size_t)r;
      return OVPN_OK;
    }
    if (r == GNUTLS_E_AGAIN) {
      /* Tickets and key updates end a call without data; go on while there is more to look at. */
      if (t->in.len == 0)
        return OVPN_OK;
      continue;
    }
    if (r == GNUTLS_E_INTERRUPTED || r == GNUTLS_E_WARNING_ALERT_RECEIVED ||
        r == GNUTLS_E_REHANDSHAKE)
      continue; /* renegotiation inside TLS is not done: ignored, as the standard allows */
    if (r == 0) {
      t->dead = true;
      return ovpn_failure_set(f, OVPN_FAIL_TLS_ALERT, "%s",
                              gnutls_alert_get_name(GNUTLS_A_CLOSE_NOTIFY));
    }
    return finish(t, (int)r, f);
  }
  return OVPN_OK;
}

OvpnStatus ovpn_tls_write(OvpnTls *t, const void *data, size_t len, OvpnFailure *f)
{
  if (t->dead || !t->done)
    return already_dead(f);
  if (len == 0 || len > gnutls_record_get_max_size(t->session))
    return ovpn_failure_set(f, OVPN_FAIL_INTERNAL, "TLS record of %zu bytes", len);
  ssize_t r = gnutls_record_send(t->session, data, len);
  if (r >= 0 && (size_t)r == len)
    return OVPN_OK;
  return finish(t, r < 0 ? (int)r : GNUTLS_E_INTERNAL_ERROR, f);
}

bool ovpn_tls_can_export(const OvpnTls *t)
{
  return t->done && gnutls_protocol_get_version(t->session) >= GNUTLS_TLS1_2;
}

OvpnStatus ovpn_tls_export(OvpnTls *t, const char *label, uint8_t *out, size_t len)
{
  /* No context is not the same as an empty one before TLS 1.3: NULL it must be. */
  if (!ovpn_tls_can_export(t) ||
      gnutls_prf_rfc5705(t->session, strlen(label), label, 0, NULL, len, (char *)out) < 0)
    return OVPN_FAIL_KEY_DERIVATION;
  return OVPN_OK;
}

/* ---- description --------------------------------------------------------------------------------
 */

static void describe_peer(const OvpnTls *t, char *buf, size_t cap)
{
  unsigned n = 0, bits = 0;
  const gnutls_datum_t *der = gnutls_certificate_get_peers(t->session, &n);
  gnutls_x509_crt_t crt;
  buf[0] = 0;
  if (!der || n == 0 || gnutls_x509_crt_init(&crt) < 0)
    return;
  char cn[128];
  if (gnutls_x509_crt_import(crt, der, GNUTLS_X509_FMT_DER) == 0) {
    int pk = gnutls_x509_crt_get_pk_algorithm(crt, &bits);
    snprintf(buf, cap, ", peer %s %u CN=%s",
             pk < 0 ? "?" : gnutls_pk_get_name((gnutls_pk_algorithm_t)pk), bits,
             ovpn_tls_common_name(crt, false, cn, sizeof cn));
  }
  gnutls_x509_crt_deinit(crt);
}

char *ovpn_tls_describe(const OvpnTls *t)
{
  char peer[256], *text = NULL;
  const char *version = gnutls_protocol_get_name(gnutls_protocol_get_version(t->session));
  const char *suite = NULL;
  OvpnFailure harmless = {0};
  if (!t->done)
    return strdup("TLS not established");
  ovpn_tls_suite_allowed(t, &suite);
  describe_peer(t, peer, sizeof peer);
  ovpn_failure_set(&harmless, OVPN_FAIL_TLS, "TLSv%s %s%s",
                   version ? version + strcspn(version, "0123456789") : "?", suite, peer);
  text = strdup(harmless.text); /* the peer's name is escaped where all peer text is */
  return text;
}
