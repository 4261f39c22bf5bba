/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Bytes of a TCP connection, which become packets. The first byte: the MTU / 16; the rest has been
 * received. Packets lie one behind the other in what came, and none is empty or too long. */
#include "helper/engine/link.h"
#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static Batch batch;
  static bool ready;
  Link l;
  OvpnStats stats = {0};
  OvpnFailure f = {0};
  if (size < 1 || size > 60000)
    return 0;
  if (!ready)
    assert(batch_init(&batch));
  ready = true;
  assert(link_open(&l, OVPN_PROTO_TCP, false, -1));
  link_set_mtu(&l, data[0] * 16u);
  link_preload(&l, data + 1, size - 1);
  const uint8_t *at = l.in, *end = l.in + size - 1;
  uint64_t packets = 0;
  LinkResult r;
  while ((r = l.ops->recv(&l, &batch, &stats, &f)) == LINK_OK) {
    assert(batch.n > 0 && batch.n <= BATCH_PACKETS);
    for (unsigned i = 0; i < batch.n; i++) {
      const Packet *p = &batch.p[i];
      assert(p->len > 0 && p->len <= l.max_frame && p->data == at + 2 && p->data + p->len <= end);
      at = p->data + p->len;
    }
    packets += batch.n;
  }
  assert(r == LINK_LOST && f.status == OVPN_FAIL_LINK); /* at the end there is no descriptor */
  assert(stats.link_rx_packets >= packets); /* those in front of an impossible length are lost */
  link_close(&l);
  return 0;
}
