/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key method 2 messages: whatever decodes must encode to a prefix-equal message and decode again
 * alike. The first byte of the input chooses the form. */
#include "helper/core/keys.h"
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 1)
    return 0;
  bool client = data[0] & 1;
  OvpnKeyMethod a = {0}, b = {0};
  if (ovpn_key_method_decode(data + 1, size - 1, client, &a) != OVPN_OK)
    return 0;
  char value[64];
  ovpn_occ_get(a.options, "cipher", value, sizeof value);
  ovpn_occ_get(a.options, "comp-lzo", value, sizeof value);
  size_t cap = size + 64;
  uint8_t *buf = malloc(cap);
  size_t n = buf ? ovpn_key_method_encode(&a, client, buf, cap) : 0;
  if (n > 0) { /* 0: a name longer than we would send */
    if (ovpn_key_method_decode(buf, n, client, &b) != OVPN_OK || strcmp(a.options, b.options) ||
        strcmp(a.username, b.username) || strcmp(a.password, b.password) ||
        strcmp(a.peer_info, b.peer_info) || memcmp(a.source.random1, b.source.random1, 32) ||
        memcmp(a.source.random2, b.source.random2, 32))
      abort();
    ovpn_key_method_clear(&b);
  }
  free(buf);
  ovpn_key_method_clear(&a);
  return 0;
}
