/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The messages of nm-ovpn-signer (signer.h), for all three programs that speak them.
 *
 * No side trusts the other: the signer's modules are other people's code, the engine reads from the
 * network. A message is decoded completely or not at all. spec/openvpn-protocol.md §14.5 */
#include "helper/core/signer.h"
#include <stdlib.h>
#include <string.h>
#include "helper/core/ipc.h"
#include "helper/core/wire.h"

static size_t written(const OvpnWriter *w, bool ok)
{
  return ok && w->ok ? w->len : 0;
}

static bool all_read(const OvpnReader *r)
{
  return r->ok && ovpn_reader_left(r) == 0;
}

void ovpn_signer_start_clear(OvpnSignerStart *s)
{
  free(s->cert);
  free(s->key);
  for (unsigned i = 0; i < OVPN_SIGNER_MODULES_MAX; i++)
    free(s->modules[i]);
  ovpn_blob_clear(&s->pin);
  *s = (OvpnSignerStart){0};
}

bool ovpn_signer_read_start(const uint8_t *msg, size_t len, OvpnSignerStart *ret)
{
  OvpnReader r = ovpn_reader(msg, len);
  OvpnSignerStart s = {0};
  s.cert = ovpn_ipc_read_str(&r, OVPN_SIGNER_TEXT_MAX);
  s.key = ovpn_ipc_read_str(&r, OVPN_SIGNER_TEXT_MAX);
  ovpn_ipc_read_blob(&r, &s.pin, OVPN_SIGNER_PIN_MAX);
  unsigned n = ovpn_read_u8(&r);
  bool ok = r.ok && n <= OVPN_SIGNER_MODULES_MAX && *s.key;
  for (; ok && r.ok && s.n_modules < n; s.n_modules++)
    s.modules[s.n_modules] = ovpn_ipc_read_str(&r, OVPN_SIGNER_TEXT_MAX);
  if (ok && all_read(&r)) {
    *ret = s;
    return true;
  }
  ovpn_signer_start_clear(&s);
  return false;
}

static bool fits(const char *s, size_t max)
{
  return !s || strlen(s) <= max;
}

size_t ovpn_signer_write_start(uint8_t *buf, size_t cap, const char *cert, const char *key,
                               const char *pin, char *const *modules, unsigned n_modules)
{
  OvpnWriter w = ovpn_writer(buf, cap);
  bool ok = fits(cert, OVPN_SIGNER_TEXT_MAX) && key && *key && fits(key, OVPN_SIGNER_TEXT_MAX) &&
            fits(pin, OVPN_SIGNER_PIN_MAX) && n_modules <= OVPN_SIGNER_MODULES_MAX;
  ovpn_ipc_write_str(&w, cert);
  ovpn_ipc_write_str(&w, key);
  ovpn_ipc_write_str(&w, pin);
  ovpn_write_u8(&w, (uint8_t)n_modules);
  for (unsigned i = 0; ok && i < n_modules; i++) {
    ok = fits(modules[i], OVPN_SIGNER_TEXT_MAX);
    ovpn_ipc_write_str(&w, modules[i]);
  }
  return written(&w, ok);
}

bool ovpn_signer_read_ready(const uint8_t *msg, size_t len, OvpnSignerReady *ret)
{
  OvpnReader r = ovpn_reader(msg, len);
  unsigned result = ovpn_read_u8(&r);
  char *text = ovpn_ipc_read_str(&r, OVPN_SIGNER_TEXT_MAX);
  size_t n = ovpn_read_u32(&r);
  const uint8_t *cert = ovpn_read_bytes(&r, n);
  if (!all_read(&r) || result > OVPN_SIGNER_FAILED || (result != OVPN_SIGNER_OK && n > 0)) {
    free(text);
    return false;
  }
  *ret = (OvpnSignerReady){(OvpnSignerResult)result, text, cert, n};
  return true;
}

size_t ovpn_signer_write_ready(uint8_t *buf, size_t cap, const OvpnSignerReady *a)
{
  OvpnWriter w = ovpn_writer(buf, cap);
  ovpn_write_u8(&w, (uint8_t)a->result);
  ovpn_ipc_write_str(&w, a->text);
  ovpn_write_u32(&w, (uint32_t)a->cert_len);
  ovpn_write_bytes(&w, a->cert, a->cert_len);
  return written(&w, fits(a->text, OVPN_SIGNER_TEXT_MAX));
}

bool ovpn_signer_read_request(const uint8_t *msg, size_t len, OvpnSignerRequest *ret)
{
  OvpnReader r = ovpn_reader(msg, len);
  OvpnSignerRequest q = {.serial = ovpn_read_u32(&r)};
  unsigned op = ovpn_read_u8(&r);
  q.algorithm = ovpn_read_u32(&r);
  q.flags = ovpn_read_u32(&r);
  q.len = ovpn_read_u16(&r);
  q.data = ovpn_read_bytes(&r, q.len);
  if (!all_read(&r) || (op != OVPN_SIGNER_DATA && op != OVPN_SIGNER_HASH) ||
      q.len > OVPN_SIGNER_DATA_MAX)
    return false;
  q.op = (OvpnSignerOp)op;
  *ret = q;
  return true;
}

size_t ovpn_signer_write_request(uint8_t *buf, size_t cap, const OvpnSignerRequest *q)
{
  OvpnWriter w = ovpn_writer(buf, cap);
  if (q->len > OVPN_SIGNER_DATA_MAX)
    return 0;
  ovpn_write_u32(&w, q->serial);
  ovpn_write_u8(&w, (uint8_t)q->op);
  ovpn_write_u32(&w, q->algorithm);
  ovpn_write_u32(&w, q->flags);
  ovpn_write_u16(&w, (uint16_t)q->len);
  ovpn_write_bytes(&w, q->data, q->len);
  return written(&w, true);
}

static bool answer_fits(unsigned result, size_t len)
{
  return result == OVPN_SIGNER_OK ? len > 0 && len <= OVPN_SIGNATURE_MAX
                                  : result <= OVPN_SIGNER_FAILED && len == 0;
}

bool ovpn_signer_read_answer(const uint8_t *msg, size_t len, OvpnSignerAnswer *ret)
{
  OvpnReader r = ovpn_reader(msg, len);
  OvpnSignerAnswer a = {.serial = ovpn_read_u32(&r)};
  unsigned result = ovpn_read_u8(&r);
  a.len = ovpn_read_u16(&r);
  a.signature = ovpn_read_bytes(&r, a.len);
  if (!all_read(&r) || !answer_fits(result, a.len))
    return false;
  a.result = (OvpnSignerResult)result;
  *ret = a;
  return true;
}

size_t ovpn_signer_write_answer(uint8_t *buf, size_t cap, const OvpnSignerAnswer *a)
{
  OvpnWriter w = ovpn_writer(buf, cap);
  if (!answer_fits(a->result, a->len))
    return 0;
  ovpn_write_u32(&w, a->serial);
  ovpn_write_u8(&w, (uint8_t)a->result);
  ovpn_write_u16(&w, (uint16_t)a->len);
  ovpn_write_bytes(&w, a->signature, a->len);
  return written(&w, true);
}
