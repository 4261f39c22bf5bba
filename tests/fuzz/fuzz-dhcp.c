/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The DHCP client before a hostile far network: records of two bytes of length, a byte of time (in
 * seconds, 0x7e is a tenth of one; the top bit leaves the checksum of the IPv4 header as it is),
 * and a frame, DHCP or ARP. The client's numbers and MAC are known (0x42 all over), so the corpus
 * can answer it. */
#include "helper/core/dhcp-message.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void not_random(void *user, uint8_t *buf, size_t len)
{
  (void)user;
  memset(buf, 0x42, len);
}

static void mend_checksum(uint8_t *frame, size_t len)
{
  uint32_t sum = 0;
  size_t head = len > 34 ? (size_t)(frame[14] & 15) * 4 : 0;
  if (head < 20 || 14 + head > len)
    return;
  frame[24] = frame[25] = 0;
  for (size_t i = 0; i < head; i += 2)
    sum += (uint32_t)frame[14 + i] << 8 | frame[15 + i];
  while (sum >> 16)
    sum = (sum & 0xffff) + (sum >> 16);
  frame[24] = (uint8_t)(~sum >> 8);
  frame[25] = (uint8_t)~sum;
}

static void check_lease(const OvpnDhcp *d)
{
  const OvpnLease *l = &d->lease;
  ovpn_auto_option_list options = {0};
  assert(l->prefix >= 1 && l->prefix <= 32 && l->n_routes <= OVPN_LEASE_ROUTES_MAX);
  assert(l->n_dns <= OVPN_LEASE_ADDRS_MAX && l->n_wins <= OVPN_LEASE_ADDRS_MAX);
  assert(l->n_names <= OVPN_LEASE_NAMES_MAX && ovpn_lease_equal(l, l));
  assert(ovpn_dhcp_deadline(d) <= d->ends && d->t1 <= d->t2 && d->t2 <= d->ends);
  assert(ovpn_lease_to_options(l, &options) && options.n <= OVPN_LEASE_OPTIONS_MAX);
  for (size_t i = 0; i < options.n; i++) {
    OvpnFailure f = {0};
    assert(ovpn_lease_has_option(options.items[i].id));
    assert(ovpn_option_check(&options.items[i], &f) == OVPN_OK);
  }
}

/* Everything that is due; frames are bounded in number. */
static void run(OvpnDhcp *d, uint64_t now)
{
  uint8_t frame[OVPN_DHCP_FRAME_MAX];
  unsigned frames = 0;
  while (ovpn_dhcp_output(d, now, frame, sizeof frame) > 0)
    assert(++frames <= 1);
  assert(ovpn_dhcp_deadline(d) > now);
  assert(d->conflicts <= OVPN_DHCP_CONFLICTS_MAX && !d->declining);
  assert(d->state != OVPN_DHCP_CHECKING || !d->leased);
  ovpn_dhcp_take_events(d);
  if (ovpn_dhcp_has_lease(d))
    check_lease(d);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static OvpnDhcp d;
  OvpnDhcpParams p = {.mac = {0x42, 0x42, 0x42, 0x42, 0x42, 0x42}, .host = "h", .mtu = 1500};
  uint64_t now = UINT64_C(1000000000);
  memset(&d, 0, sizeof d);
  ovpn_dhcp_start(&d, &p, not_random, NULL, now);
  run(&d, now);
  while (size >= 3) {
    size_t n = (size_t)data[0] << 8 | data[1];
    uint8_t time = data[2];
    data += 3;
    size -= 3;
    n = n < size ? n : size;
    uint8_t *frame = malloc(n ? n : 1);
    assert(frame);
    memcpy(frame, data, n);
    if (!(time & 0x80))
      mend_checksum(frame, n);
    now += (time & 0x7f) == 0x7e ? UINT64_C(100000000) : (time & 0x7f) * UINT64_C(1000000000);
    run(&d, now);
    ovpn_dhcp_input(&d, now, frame, n);
    run(&d, now);
    free(frame);
    if (time == 0x7f) { /* the tunnel was made anew */
      ovpn_dhcp_stop(&d);
      ovpn_dhcp_start(&d, &p, not_random, NULL, now);
      run(&d, now);
    }
    data += n;
    size -= n;
  }
  return 0;
}
