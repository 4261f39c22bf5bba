/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Data packets with epochs: records of a command byte and a length byte. Command 0: the bytes are a
 * packet. Others: the peer seals the bytes; 2 turns a bit of the packet, which then must not open;
 * 4 delivers it twice. */
#include "helper/core/aead.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static OvpnStatus deliver(OvpnDataKey *k, const uint8_t *p, size_t n)
{
  uint8_t *copy = malloc(n ? n : 1), *payload = NULL;
  size_t len = 0;
  assert(copy);
  memcpy(copy, p, n);
  OvpnStatus st = ovpn_data_open(k, copy, n, &payload, &len);
  if (st == OVPN_OK)
    assert(len > 0 && payload > copy && payload + len <= copy + n);
  free(copy);
  return st;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  OvpnDataKey *a = NULL, *b = NULL;
  uint8_t block[256], buf[OVPN_DATA_HEADROOM + 256 + OVPN_DATA_TAILROOM];
  memset(block, 0x5a, sizeof block);
  const OvpnDataCipher *c = ovpn_data_cipher("AES-256-GCM");
  OvpnStatus st = ovpn_data_key_new_epoch(c, block, true, 1, 7, NULL, &a, NULL);
  assert(st == OVPN_OK);
  st = ovpn_data_key_new_epoch(c, block, false, 1, 7, NULL, &b, NULL);
  assert(st == OVPN_OK);
  while (size >= 2) {
    unsigned op = data[0];
    size_t n = data[1] < size - 2 ? data[1] : size - 2, len;
    const uint8_t *p = data + 2;
    uint8_t *pkt;
    data += 2 + n;
    size -= 2 + n;
    if (op == 0) {
      (void)deliver(b, p, n);
      continue;
    }
    memcpy(buf + OVPN_DATA_HEADROOM, p, n);
    if (ovpn_data_seal(a, buf, OVPN_DATA_HEADROOM, n, &pkt, &len) != OVPN_OK)
      continue;
    if (op & 2) {
      size_t at = 1 + op % (len - 1);
      pkt[at] ^= 1;
      assert(deliver(b, pkt, len) != OVPN_OK);
      pkt[at] ^= 1;
    }
    assert(deliver(b, pkt, len) == OVPN_OK);
    if (op & 4)
      assert(deliver(b, pkt, len) == OVPN_DROP_REPLAY);
  }
  ovpn_data_key_free(a);
  ovpn_data_key_free(b);
  return 0;
}
