/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reassembly: records of a length byte (times 8), a step of time in seconds and a payload with its
 * header, put in one after the other. What comes out must lie inside the input or be as large as
 * the slots allow. */
#include "helper/core/fragment.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  enum { LARGEST = 1700 };
  OvpnFragments *f = ovpn_fragments_new(LARGEST);
  uint64_t now = 0;
  assert(f);
  while (size >= 2) {
    size_t n = data[0] * 8u, len;
    now += data[1] * UINT64_C(1000000000);
    data += 2;
    size -= 2;
    len = n = n < size ? n : size;
    uint8_t *copy = malloc(n ? n : 1), *p = copy;
    bool borrowed;
    assert(copy);
    memcpy(copy, data, n);
    if (ovpn_fragments_take(f, now, &p, &len, &borrowed) == OVPN_OK) {
      assert(len > 0);
      assert(borrowed ? len <= LARGEST : p == copy + OVPN_FRAGMENT_HEAD && len == n - 4);
      volatile uint8_t sum = 0;
      for (size_t i = 0; i < len; i++)
        sum = (uint8_t)(sum + p[i]);
    }
    free(copy);
    data += n;
    size -= n;
  }
  ovpn_fragments_free(f);
  return 0;
}
