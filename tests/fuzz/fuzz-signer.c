/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The four messages of nm-ovpn-signer. First byte modulo 4: which one; the rest is the datagram.
 * What was accepted is within the bounds and is written again as it came. */
#include <stdlib.h>
#include <string.h>
#include "helper/core/signer.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t out[OVPN_SIGNER_MESSAGE_MAX];

static void require(bool c)
{
  if (!c)
    abort();
}

static void same(const uint8_t *data, size_t size, size_t written)
{
  require(written == size && memcmp(out, data, size) == 0);
}

static void start(const uint8_t *data, size_t size)
{
  OvpnSignerStart s = {0};
  if (!ovpn_signer_read_start(data, size, &s)) {
    require(!s.cert && !s.key && s.pin.len == 0 && s.n_modules == 0);
    return;
  }
  require(s.n_modules <= OVPN_SIGNER_MODULES_MAX && s.pin.len <= OVPN_SIGNER_PIN_MAX && *s.key);
  size_t n = ovpn_signer_write_start(out, sizeof out, s.cert, s.key, (const char *)s.pin.data,
                                     s.modules, s.n_modules);
  if (size <= sizeof out)
    same(data, size, n);
  ovpn_signer_start_clear(&s);
}

static void ready(const uint8_t *data, size_t size)
{
  OvpnSignerReady r = {0};
  if (!ovpn_signer_read_ready(data, size, &r)) {
    require(!r.text);
    return;
  }
  require(r.result <= OVPN_SIGNER_FAILED && (r.cert_len == 0 || r.result == OVPN_SIGNER_OK));
  size_t n = ovpn_signer_write_ready(out, sizeof out, &r);
  if (size <= sizeof out)
    same(data, size, n);
  free(r.text);
}

static void request(const uint8_t *data, size_t size)
{
  OvpnSignerRequest q;
  if (!ovpn_signer_read_request(data, size, &q))
    return;
  require(q.len <= OVPN_SIGNER_DATA_MAX && size <= OVPN_SIGNER_REQUEST_MAX);
  same(data, size, ovpn_signer_write_request(out, OVPN_SIGNER_REQUEST_MAX, &q));
}

static void answer(const uint8_t *data, size_t size)
{
  OvpnSignerAnswer a;
  if (!ovpn_signer_read_answer(data, size, &a))
    return;
  require((a.result == OVPN_SIGNER_OK) == (a.len > 0) && a.len <= OVPN_SIGNATURE_MAX);
  require(size <= OVPN_SIGNER_ANSWER_MAX);
  same(data, size, ovpn_signer_write_answer(out, OVPN_SIGNER_ANSWER_MAX, &a));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static void (*const kinds[])(const uint8_t *, size_t) = {start, ready, request, answer};
  if (size > 0)
    kinds[data[0] % 4](data + 1, size - 1);
  return 0;
}
