/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The inside of a data packet. First byte: framing mode (low bits) and tap (0x80); second: MSS / 8.
 * The payload is unframed, classified and its MSS lowered; also framed by us, which must come back
 * unchanged. */
#include "helper/core/inner.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  enum { ROOM = 8, CAP = 1700 };
  static uint8_t scratch[CAP];
  if (size < 2 || (data[0] & 7) > OVPN_COMP_LZ4_V2)
    return 0;
  OvpnCompress mode = (OvpnCompress)(data[0] & 7);
  bool tap = data[0] & 0x80;
  unsigned mss = data[1] * 8u;
  size_t n = size - 2, len = n;
  uint8_t *copy = malloc(n ? n : 1), *p = copy;
  assert(copy);
  if (n)
    memcpy(copy, data + 2, n);
  if (ovpn_frame_remove(mode, &p, &len, scratch, sizeof(scratch)) == OVPN_OK) {
    assert(len > 0 && ((p >= copy && p + len <= copy + n) || (p == scratch && len <= CAP)));
    ovpn_inner_classify(p, len);
    ovpn_mssfix(p, len, tap, mss);
  }
  free(copy);
  if (n) {
    uint8_t *buf = malloc(n + 2 * ROOM), *q = buf + ROOM;
    assert(buf);
    memcpy(q, data + 2, n);
    len = n;
    ovpn_frame_add(mode, &q, &len);
    OvpnStatus st = ovpn_frame_remove(mode, &q, &len, scratch, sizeof(scratch));
    assert(st == OVPN_OK && len == n && !memcmp(q, data + 2, n));
    free(buf);
  }
  return 0;
}
