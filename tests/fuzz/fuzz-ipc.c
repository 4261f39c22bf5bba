/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One datagram between service and engine: header, then fields in an order that the first body byte
 * of the input chooses, and options. What was read must write back to the same bytes. */
#include "helper/core/ipc.h"
#include "helper/core/lease.h"
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void strings(OvpnReader r)
{
  for (int i = 0; i < 64 && r.ok; i++) {
    const uint8_t *before = r.p;
    char *s = ovpn_ipc_read_str(&r, 4096);
    assert(!!s == r.ok);
    if (!s)
      break;
    uint8_t back[4098];
    OvpnWriter w = ovpn_writer(back, sizeof back);
    ovpn_ipc_write_str(&w, s);
    assert(w.ok && w.len == (size_t)(r.p - before) && !memcmp(back, before, w.len));
    free(s);
  }
}

static void blobs(OvpnReader r)
{
  ovpn_auto_blob b = {0};
  for (int i = 0; i < 64 && r.ok; i++) {
    ovpn_ipc_read_blob(&r, &b, 1024);
    assert(b.len <= 1024 && (r.ok || !b.data) && (!b.data || !memchr(b.data, 0, b.len)));
  }
}

static void options(OvpnReader r)
{
  ovpn_auto_option_list l = {0};
  uint16_t n = ovpn_read_u16(&r);
  while (n-- && ovpn_option_decode(&r, &l) == OVPN_OK)
    ;
  for (size_t i = 0; i < l.n; i++) {
    assert(l.items[i].argc >= 1 && l.items[i].argc <= OVPN_OPTION_ARGS_MAX);
    free(ovpn_option_format(&l.items[i]));
  }
}

static void leases(OvpnReader r)
{
  ovpn_auto_option_list l = {0};
  OvpnReader again = r;
  OvpnDhcpParams p;
  if (ovpn_dhcp_params_decode(&again, &p)) {
    uint8_t back[128];
    OvpnWriter w = ovpn_writer(back, sizeof back);
    ovpn_dhcp_params_encode(&p, &w);
    assert(w.ok && w.len == (size_t)(again.p - r.p) && !memcmp(back, r.p, w.len));
  }
  bool ok = ovpn_lease_decode(&r, &l);
  assert(!ok || l.n <= OVPN_LEASE_OPTIONS_MAX);
  for (size_t i = 0; ok && i < l.n; i++)
    assert(ovpn_lease_has_option(l.items[i].id));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  uint16_t type;
  OvpnReader body;
  if (ovpn_ipc_open(data, size, &type, &body) != OVPN_OK)
    return 0;
  assert(size >= OVPN_IPC_HEADER && size <= OVPN_IPC_MAX && ovpn_ipc_fds(type) >= 0);
  assert(ovpn_reader_left(&body) == size - OVPN_IPC_HEADER);
  strings(body);
  blobs(body);
  options(body);
  leases(body);
  return 0;
}
