/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Wrapped control packets and key files. First byte: what the rest is. 0-3: a packet from the
 * network for each mode (nothing forged may open, nothing may change the replay state); the same
 * bytes are also sealed by the other end, which must open. 4: static key text. 5: tls-crypt-v2 key
 * text. */
#include "helper/core/config.h"
#include "helper/core/wrap.h"
#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static uint8_t *exact_copy(const uint8_t *p, size_t n)
{
  uint8_t *c = malloc(n ? n : 1);
  assert(c);
  if (n)
    memcpy(c, p, n);
  return c;
}

static void packet(OvpnWrapMode mode, const uint8_t *p, size_t n)
{
  static uint8_t key[OVPN_STATIC_KEY_LEN], out[8192], buf[8192];
  static const uint8_t sid[OVPN_SID_LEN] = {1};
  OvpnWrap a, b;
  for (unsigned i = 0; i < sizeof(key); i++)
    key[i] = (uint8_t)(i * 5);
  if (n > 4096)
    return;
  OvpnStatus st = ovpn_wrap_init(&a, mode, key, OVPN_DIR_INVERSE, "SHA1", NULL, 1);
  assert(st == OVPN_OK);
  st = ovpn_wrap_init(&b, mode, key, OVPN_DIR_NORMAL, "SHA1", NULL, 1);
  assert(st == OVPN_OK);
  uint8_t *copy = exact_copy(p, n), *room = malloc(n ? n : 1);
  assert(room);
  const uint8_t *id = NULL, *body = NULL;
  size_t len = 0;
  st = ovpn_wrap_open(&a, copy, n, room, n, &id, &body, &len);
  if (mode == OVPN_WRAP_NONE)
    assert(st == (n >= OVPN_HEAD_LEN ? OVPN_OK : OVPN_DROP_TRUNCATED));
  else
    assert(ovpn_is_drop(st) && a.replay.highest == 0 && !id && !body);
  assert(ovpn_wrap_without_wkc(copy, n) <= n);
  size_t sealed = ovpn_wrap_seal(&b, 0x20, sid, p, n, false, out, sizeof(out));
  assert(sealed == n + OVPN_HEAD_LEN + ovpn_wrap_overhead(&b));
  st = ovpn_wrap_open(&a, out, sealed, buf, sizeof(buf), &id, &body, &len);
  assert(st == OVPN_OK && len == n && (!n || !memcmp(body, p, n)));
  free(copy);
  free(room);
  ovpn_wrap_clear(&a);
  ovpn_wrap_clear(&b);
}

static void key_file(bool v2, const uint8_t *p, size_t n)
{
  uint8_t key[OVPN_STATIC_KEY_LEN], *copy = exact_copy(p, n);
  OvpnBlob wkc = {0};
  OvpnFailure f = {0};
  OvpnStatus st = v2 ? ovpn_tls_crypt_v2_parse(copy, n, key, &wkc, &f)
                     : ovpn_static_key_parse(copy, n, key, &f);
  assert(st == OVPN_OK || (ovpn_is_fail(st) && f.text[0]));
  assert(wkc.len <= OVPN_WKC_MAX && (v2 && st == OVPN_OK) == (wkc.len > 0));
  ovpn_blob_clear(&wkc);
  free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 1)
    return 0;
  if (data[0] < 4)
    packet((OvpnWrapMode)data[0], data + 1, size - 1);
  else if (data[0] < 6)
    key_file(data[0] == 5, data + 1, size - 1);
  return 0;
}
