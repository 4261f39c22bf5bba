/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Codec of the messages between the service and the engine: header, strings, secrets.
 *
 * Pure functions on memory. Trusts nothing: the other end may be a process of ours that was taken
 * over, so every length is checked against the datagram and a string never holds a NUL. What a
 * message may contain, and when it is legal, is decided by its receiver. Contract in ipc.h,
 * background in ARCHITECTURE §6. */
#include "helper/core/ipc.h"
#include <stdlib.h>
#include "helper/core/address.h"

int ovpn_ipc_fds(uint16_t type)
{
  static const struct {
    uint16_t type;
    int fds;
  } table[] = {
#define X(n, v, f) {v, f},
      OVPN_IPC_ENGINE_LIST(X)
#undef X
  };
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
    if (table[i].type == type)
      return table[i].fds;
  return -1;
}

const char *ovpn_ipc_name(uint16_t type)
{
  static const struct {
    uint16_t type;
    const char *name;
  } table[] = {
#define X(n, v, f) {v, #n},
      OVPN_IPC_ENGINE_LIST(X)
#undef X
  };
  for (size_t i = 0; i < sizeof table / sizeof table[0]; i++)
    if (table[i].type == type)
      return table[i].name;
  return "UNKNOWN";
}

OvpnWriter ovpn_ipc_begin(uint8_t *buf, size_t cap, uint16_t type)
{
  OvpnWriter w = ovpn_writer(buf, cap < OVPN_IPC_MAX ? cap : OVPN_IPC_MAX);
  ovpn_write_u16(&w, type);
  ovpn_write_u16(&w, OVPN_IPC_VERSION);
  ovpn_write_u32(&w, 0);
  return w;
}

size_t ovpn_ipc_end(OvpnWriter *w)
{
  if (!w->ok || w->len < OVPN_IPC_HEADER)
    return 0;
  OvpnWriter head = ovpn_writer(w->buf + 4, 4);
  ovpn_write_u32(&head, (uint32_t)(w->len - OVPN_IPC_HEADER));
  return w->len;
}

OvpnStatus ovpn_ipc_open(const uint8_t *msg, size_t len, uint16_t *ret_type, OvpnReader *ret_body)
{
  OvpnReader r = ovpn_reader(msg, len);
  uint16_t type = ovpn_read_u16(&r), version = ovpn_read_u16(&r);
  uint32_t body = ovpn_read_u32(&r);
  if (!r.ok || body > ovpn_reader_left(&r))
    return OVPN_DROP_TRUNCATED;
  if (len > OVPN_IPC_MAX || version != OVPN_IPC_VERSION || body != ovpn_reader_left(&r))
    return OVPN_DROP_FORMAT;
  if (ovpn_ipc_fds(type) < 0)
    return OVPN_DROP_OPCODE;
  *ret_type = type;
  *ret_body = r;
  return OVPN_OK;
}

void ovpn_ipc_write_str(OvpnWriter *w, const char *s)
{
  size_t n = s ? strlen(s) : 0;
  if (n > UINT16_MAX) {
    w->ok = false;
    return;
  }
  ovpn_write_u16(w, (uint16_t)n);
  ovpn_write_bytes(w, s, n);
}

/* The bytes of a str16, checked; NULL when broken. A zero length gives a pointer that is not to be
 * read. */
static const uint8_t *read_str16(OvpnReader *r, size_t max, size_t *ret_len)
{
  size_t n = ovpn_read_u16(r);
  if (n > max)
    r->ok = false;
  const uint8_t *p = ovpn_read_bytes(r, n);
  if (p && n && memchr(p, 0, n)) {
    r->ok = false;
    p = NULL;
  }
  *ret_len = p ? n : 0;
  return p;
}

char *ovpn_ipc_read_str(OvpnReader *r, size_t max)
{
  size_t n;
  const uint8_t *p = read_str16(r, max, &n);
  char *s = p ? malloc(n + 1) : NULL;
  if (!s) {
    r->ok = false;
    return NULL;
  }
  if (n)
    memcpy(s, p, n);
  s[n] = 0;
  return s;
}

void ovpn_ipc_read_blob(OvpnReader *r, OvpnBlob *b, size_t max)
{
  ovpn_blob_clear(b);
  size_t n;
  const uint8_t *p = read_str16(r, max, &n);
  if (p && n && !ovpn_blob_set(b, p, n))
    r->ok = false;
}

void ovpn_ipc_write_address(OvpnWriter *w, const struct sockaddr_storage *a)
{
  size_t len = 0;
  const uint8_t *bytes = a ? ovpn_address_bytes(a, &len) : NULL;
  ovpn_write_u8(w, (uint8_t)len);
  if (bytes)
    ovpn_write_bytes(w, bytes, len);
  ovpn_write_u16(w, a ? ovpn_address_port(a) : 0);
  if (len == 16)
    ovpn_write_u32(w, ovpn_address_scope(a));
}

bool ovpn_ipc_read_address(OvpnReader *r, bool may_miss, struct sockaddr_storage *ret)
{
  uint8_t ip[16] = {0};
  unsigned len = ovpn_read_u8(r);
  *ret = (struct sockaddr_storage){.ss_family = AF_UNSPEC};
  if (!r->ok || !(len == 4 || len == 16 || (len == 0 && may_miss)))
    return false;
  ovpn_read_copy(r, ip, len);
  ovpn_address_make(ret, ip, len, ovpn_read_u16(r));
  if (len == 16)
    ovpn_address_set_scope(ret, ovpn_read_u32(r));
  return r->ok;
}
