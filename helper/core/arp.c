/* SPDX-License-Identifier: GPL-2.0-or-later */
/* ARP frames. RFC 826; RFC 5227 1.1 for what probes and announcements are.
 *
 * Trusts nothing: whoever sends such frames sits in the far network. Tagged frames are not read. */
#include "helper/core/arp.h"

enum {
  TYPE_ARP = 0x0806,
  TYPE_IP = 0x0800,
  ETHERNET = 1,
  REQUEST = 1,
  ANSWER = 2,
};

static size_t request(const uint8_t mac[6], struct in_addr from, struct in_addr to, uint8_t *buf,
                      size_t cap)
{
  static const uint8_t everybody[6] = {255, 255, 255, 255, 255, 255}, unknown[6];
  OvpnWriter w = ovpn_writer(buf, cap);
  ovpn_write_bytes(&w, everybody, 6);
  ovpn_write_bytes(&w, mac, 6);
  ovpn_write_u16(&w, TYPE_ARP);
  ovpn_write_u16(&w, ETHERNET);
  ovpn_write_u16(&w, TYPE_IP);
  ovpn_write_u8(&w, 6);
  ovpn_write_u8(&w, 4);
  ovpn_write_u16(&w, REQUEST);
  ovpn_write_bytes(&w, mac, 6);
  ovpn_write_bytes(&w, &from.s_addr, 4);
  ovpn_write_bytes(&w, unknown, 6);
  ovpn_write_bytes(&w, &to.s_addr, 4);
  return w.ok ? w.len : 0;
}

size_t ovpn_arp_probe(const uint8_t mac[6], struct in_addr address, uint8_t *buf, size_t cap)
{
  return request(mac, (struct in_addr){0}, address, buf, cap);
}

size_t ovpn_arp_announce(const uint8_t mac[6], struct in_addr address, uint8_t *buf, size_t cap)
{
  return request(mac, address, address, buf, cap);
}

bool ovpn_arp_read(const uint8_t *frame, size_t len, OvpnArp *ret)
{
  OvpnArp a;
  OvpnReader r = ovpn_reader(frame, len);
  ovpn_read_bytes(&r, 12);
  bool ok = ovpn_read_u16(&r) == TYPE_ARP && ovpn_read_u16(&r) == ETHERNET &&
            ovpn_read_u16(&r) == TYPE_IP && ovpn_read_u8(&r) == 6 && ovpn_read_u8(&r) == 4;
  unsigned op = ovpn_read_u16(&r);
  ovpn_read_copy(&r, a.mac, 6);
  ovpn_read_copy(&r, &a.address.s_addr, 4);
  ovpn_read_bytes(&r, 10);
  if (!ok || !r.ok || (op != REQUEST && op != ANSWER))
    return false;
  *ret = a;
  return true;
}
