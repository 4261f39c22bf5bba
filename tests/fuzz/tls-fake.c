/* SPDX-License-Identifier: GPL-2.0-or-later */
/* tls.h without cryptography, for fuzz targets: a handshake of three flights, records in the clear,
 * keys that everybody knows. A session behaves with it as with the real one, thousands of times a
 * second, and the fuzzer can write what a peer would say inside of TLS.
 *
 * A record: type, length (16 bits), content. Handshake records name their flight in the first byte:
 * 1 client, 2 server, 3 client; 0xff stands for a certificate that is not good. What is out of turn
 * ends the session with an alert, as in the real thing. The limits are those of tls.c. */
#include "tests/fuzz/tls-fake.h"
#include "helper/core/tls.h"
#include "helper/core/wire.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

enum {
  ALERT = FAKE_ALERT,
  HANDSHAKE = FAKE_HANDSHAKE,
  DATA = FAKE_DATA,
  HEAD = 3,
  INPUT_MAX = 64 << 10,
  OUTPUT_MAX = 256 << 10,
  RECORD_MAX = 16384,
  BAD_CERTIFICATE = 0xff,
};

struct OvpnTlsContext {
  bool server;
};

typedef struct Queue {
  uint8_t *data;
  size_t off, len, cap;
} Queue;

struct OvpnTls {
  bool server, done, dead, started;
  unsigned flight; /* the one that was seen last */
  Queue in, out;
};

static void add(Queue *q, const void *data, size_t len)
{
  if (q->off > 0 && q->off + q->len + len > q->cap) {
    memmove(q->data, q->data + q->off, q->len);
    q->off = 0;
  }
  if (q->len + len > q->cap) {
    q->cap = (q->len + len + 4095) & ~(size_t)4095;
    q->data = realloc(q->data, q->cap);
    assert(q->data);
  }
  if (len)
    memcpy(q->data + q->off + q->len, data, len);
  q->len += len;
}

static size_t take(Queue *q, void *buf, size_t cap)
{
  size_t n = q->len < cap ? q->len : cap;
  if (n)
    memcpy(buf, q->data + q->off, n);
  q->off += n;
  q->len -= n;
  return n;
}

static void put_record(OvpnTls *t, uint8_t type, const void *data, size_t len)
{
  uint8_t head[HEAD];
  OvpnWriter w = ovpn_writer(head, sizeof head);
  ovpn_write_u8(&w, type);
  ovpn_write_u16(&w, (uint16_t)len);
  add(&t->out, head, sizeof head);
  add(&t->out, data, len);
}

/* About as long as the real ones, so that they need several packets. */
static void put_flight(OvpnTls *t, uint8_t number)
{
  static const size_t length[] = {0, 330, 2600, 1500};
  uint8_t content[2600] = {number};
  put_record(t, HANDSHAKE, content, length[number]);
}

static OvpnStatus finish(OvpnTls *t, OvpnStatus status, const char *text, OvpnFailure *f)
{
  t->dead = true;
  if (status != OVPN_FAIL_TLS_ALERT)
    put_record(t, ALERT, "\2", 1);
  return ovpn_failure_set(f, status, "%s", text);
}

/* The next whole record; NULL = not there yet. */
static const uint8_t *get_record(OvpnTls *t, uint8_t *ret_type, size_t *ret_len)
{
  if (t->in.len < HEAD)
    return NULL;
  OvpnReader r = ovpn_reader(t->in.data + t->in.off, t->in.len);
  *ret_type = ovpn_read_u8(&r);
  *ret_len = ovpn_read_u16(&r);
  const uint8_t *content = ovpn_read_bytes(&r, *ret_len);
  if (!r.ok)
    return NULL;
  t->in.off += HEAD + *ret_len;
  t->in.len -= HEAD + *ret_len;
  return content;
}

OvpnStatus ovpn_tls_context_new(const OvpnConfig *c, const char *passphrase, bool server,
                                OvpnTlsContext **ret, OvpnFailure *f)
{
  (void)c;
  (void)passphrase;
  (void)f;
  *ret = calloc(1, sizeof **ret);
  assert(*ret);
  (*ret)->server = server;
  return OVPN_OK;
}

void ovpn_tls_context_free(OvpnTlsContext *t)
{
  free(t);
}

time_t ovpn_tls_context_own_expiry(const OvpnTlsContext *t, char ret_date[64])
{
  (void)t;
  if (ret_date)
    ret_date[0] = 0;
  return 0;
}

bool ovpn_tls_needs_passphrase(const OvpnConfig *c)
{
  (void)c;
  return false;
}

OvpnTls *ovpn_tls_new(OvpnTlsContext *ctx, time_t now_wall)
{
  OvpnTls *t = calloc(1, sizeof *t);
  (void)now_wall;
  assert(t);
  t->server = ctx->server;
  return t;
}

void ovpn_tls_free(OvpnTls *t)
{
  if (!t)
    return;
  free(t->in.data);
  free(t->out.data);
  free(t);
}

OvpnStatus ovpn_tls_input(OvpnTls *t, const void *data, size_t len)
{
  if (len > INPUT_MAX || t->in.len + len > INPUT_MAX)
    return OVPN_FAIL_PROTOCOL;
  add(&t->in, data, len);
  return OVPN_OK;
}

static OvpnStatus handshake_record(OvpnTls *t, const uint8_t *p, size_t len, OvpnFailure *f)
{
  unsigned expected = !t->server ? 2 : t->flight == 0 ? 1 : 3;
  if (len == 0)
    return OVPN_OK;
  if (p[0] == BAD_CERTIFICATE)
    return finish(t, OVPN_FAIL_CERT_UNKNOWN_CA, "an issuer that nobody knows", f);
  if (p[0] != expected)
    return finish(t, OVPN_FAIL_TLS, "out of turn", f);
  t->flight = p[0];
  if (t->flight < 3)
    put_flight(t, (uint8_t)(t->flight + 1));
  t->done = t->flight >= 2 && (!t->server || t->flight == 3);
  return OVPN_OK;
}

OvpnStatus ovpn_tls_handshake(OvpnTls *t, bool *ret_done, OvpnFailure *f)
{
  *ret_done = t->done;
  if (t->dead)
    return ovpn_failure_set(f, OVPN_FAIL_TLS, "the TLS session has ended");
  if (!t->server && !t->started)
    put_flight(t, 1);
  t->started = true;
  OvpnStatus r = OVPN_OK;
  uint8_t type;
  size_t len;
  const uint8_t *p;
  while (r == OVPN_OK && !t->done && (p = get_record(t, &type, &len))) {
    if (type == HANDSHAKE)
      r = handshake_record(t, p, len, f);
    else
      r = finish(t, type == ALERT ? OVPN_FAIL_TLS_ALERT : OVPN_FAIL_TLS, "not a handshake", f);
  }
  *ret_done = t->done;
  return r;
}

OvpnStatus ovpn_tls_read(OvpnTls *t, void *buf, size_t cap, size_t *ret_len, OvpnFailure *f)
{
  uint8_t type;
  size_t len;
  const uint8_t *p;
  *ret_len = 0;
  if (t->dead)
    return ovpn_failure_set(f, OVPN_FAIL_TLS, "the TLS session has ended");
  while (t->done && (p = get_record(t, &type, &len))) {
    if (type == ALERT)
      return finish(t, OVPN_FAIL_TLS_ALERT, "close notify", f);
    if ((type != DATA && type != HANDSHAKE) || len > RECORD_MAX || len > cap)
      return finish(t, OVPN_FAIL_TLS, "a record of another kind", f);
    if (type == HANDSHAKE || len == 0)
      continue; /* tickets and key updates */
    memcpy(buf, p, len);
    *ret_len = len;
    return OVPN_OK;
  }
  return OVPN_OK;
}

OvpnStatus ovpn_tls_write(OvpnTls *t, const void *data, size_t len, OvpnFailure *f)
{
  if (t->dead || !t->done)
    return ovpn_failure_set(f, OVPN_FAIL_TLS, "the TLS session has ended");
  if (len == 0 || len > RECORD_MAX || t->out.len + HEAD + len > OUTPUT_MAX)
    return ovpn_failure_set(f, OVPN_FAIL_INTERNAL, "TLS record of %zu bytes", len);
  put_record(t, DATA, data, len);
  return OVPN_OK;
}

size_t ovpn_tls_output(OvpnTls *t, void *buf, size_t cap)
{
  return take(&t->out, buf, cap);
}

size_t ovpn_tls_output_pending(const OvpnTls *t)
{
  return t->out.len;
}

void fake_tls_export(const char *label, uint8_t *out, size_t len)
{
  memset(out, 1 + label[strlen(label) - 1], len); /* they end differently */
}

bool ovpn_tls_can_export(const OvpnTls *t)
{
  (void)t;
  return true;
}

OvpnStatus ovpn_tls_export(OvpnTls *t, const char *label, uint8_t *out, size_t len)
{
  if (!t->done)
    return OVPN_FAIL_KEY_DERIVATION;
  fake_tls_export(label, out, len);
  return OVPN_OK;
}

char *ovpn_tls_describe(const OvpnTls *t)
{
  return strdup(t->done ? "TLS of the tests" : "TLS not established");
}
