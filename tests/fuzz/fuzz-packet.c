/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control packet bodies, the reliable layer and data packets. First byte: which; the rest is the
 * packet. What decodes must encode to the same bytes again. */
#include "helper/core/aead.h"
#include "helper/core/packet.h"
#include "helper/core/reliable.h"
#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void zero_iv(void *user, uint8_t *buf, size_t len)
{
  memset(buf, 0, len);
}

static void control(uint8_t op, const uint8_t *p, size_t n)
{
  static OvpnReliable r;
  OvpnPacketBody b;
  if (ovpn_packet_decode_body(op, p, n, &b) != OVPN_OK)
    return;
  uint8_t *again = malloc(n);
  assert(again);
  OvpnWriter w = ovpn_writer(again, n);
  ovpn_packet_encode_body(&w, &b);
  assert(w.ok && !memcmp(again, p, w.len) && (w.len == n || !b.has_id));
  free(again);
  /* The bytes of the payload as message ids and commands of a reliable layer. */
  ovpn_reliable_init(&r, 1000);
  uint64_t now = 0;
  for (size_t i = 0; i + 1 < b.payload_len; i += 2, now += 300) {
    uint32_t id = r.next_recv_id + b.payload[i] - 16;
    OvpnPacketBody out = {0};
    switch (b.payload[i + 1] % 6) {
    case 0:
      ovpn_reliable_queue(&r, 4, b.payload, i, false, now);
      break;
    case 1:
      ovpn_reliable_due(&r, now);
      break;
    case 2:
      ovpn_reliable_acked(&r, b.payload[i], now);
      break;
    case 3:
      ovpn_reliable_take_acks(&r, &out, b.payload[i] % 10, true);
      break;
    case 4:
      if (ovpn_reliable_peek(&r))
        ovpn_reliable_pop(&r);
      break;
    case 5:
      ovpn_reliable_record(&r, 4, id, b.payload, i);
      break;
    }
    assert(out.n_acks <= OVPN_ACKS_MAX && r.n_acks <= OVPN_ACKS_MAX && r.n_mru <= OVPN_ACKS_MAX);
  }
}

static void data_packet(unsigned which, const uint8_t *p, size_t n)
{
  static const char *const ciphers[] = {"AES-256-GCM", "AES-128-CBC", "BF-CBC", "none"};
  static OvpnDataKey *keys[8];
  which %= 8;
  if (!keys[which]) {
    uint8_t block[256];
    memset(block, 0x5a, sizeof(block));
    block[1] = block[129] = 1;
    OvpnStatus st =
        ovpn_data_key_new(ovpn_data_cipher(ciphers[which / 2]), which % 2 ? "none" : "SHA256",
                          block, true, 0, 1, NULL, zero_iv, NULL, &keys[which], NULL);
    assert(st == OVPN_OK);
  }
  uint8_t *copy = malloc(n ? n : 1), *payload = NULL;
  size_t len = 0;
  assert(copy);
  if (n)
    memcpy(copy, p, n);
  if (ovpn_data_open(keys[which], copy, n, &payload, &len) == OVPN_OK)
    assert(len > 0 && payload >= copy && payload + len <= copy + n);
  free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (size < 1)
    return 0;
  if (data[0] < 32)
    control(data[0], data + 1, size - 1);
  else
    data_packet(data[0], data + 1, size - 1);
  return 0;
}
