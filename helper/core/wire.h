/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The only way to touch outside bytes: a bounded reader and a bounded writer.
 *
 * Both are sticky: after the first overrun `ok` is false, reads give zeros, writes do nothing. So a
 * decoder reads all its fields and checks `ok` once. Numbers are big-endian. Nothing is allocated.
 */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct OvpnReader {
  const uint8_t *p, *end;
  bool ok;
} OvpnReader;

static inline OvpnReader ovpn_reader(const void *data, size_t len)
{
  const uint8_t *p = data;
  return (OvpnReader){p, p ? p + len : p, true};
}
static inline size_t ovpn_reader_left(const OvpnReader *r)
{
  return (size_t)(r->end - r->p);
}
/* A view of the next n bytes, or NULL (and ok = false) if there are fewer. */
static inline const uint8_t *ovpn_read_bytes(OvpnReader *r, size_t n)
{
  if (!r->ok || ovpn_reader_left(r) < n) {
    r->ok = false;
    return NULL;
  }
  const uint8_t *p = r->p;
  r->p += n;
  return p;
}
static inline uint64_t ovpn_read_be_(OvpnReader *r, unsigned n)
{
  const uint8_t *p = ovpn_read_bytes(r, n);
  uint64_t v = 0;
  for (unsigned i = 0; p && i < n; i++)
    v = v << 8 | p[i];
  return v;
}
static inline uint8_t ovpn_read_u8(OvpnReader *r)
{
  return (uint8_t)ovpn_read_be_(r, 1);
}
static inline uint16_t ovpn_read_u16(OvpnReader *r)
{
  return (uint16_t)ovpn_read_be_(r, 2);
}
static inline uint32_t ovpn_read_u32(OvpnReader *r)
{
  return (uint32_t)ovpn_read_be_(r, 4);
}
static inline uint64_t ovpn_read_u64(OvpnReader *r)
{
  return ovpn_read_be_(r, 8);
}
/* Copies n bytes out; zeroes dst when there are fewer. */
static inline void ovpn_read_copy(OvpnReader *r, void *dst, size_t n)
{
  const uint8_t *p = ovpn_read_bytes(r, n);
  if (p)
    memcpy(dst, p, n);
  else
    memset(dst, 0, n);
}

typedef struct OvpnWriter {
  uint8_t *buf;
  size_t len, cap;
  bool ok;
} OvpnWriter;

static inline OvpnWriter ovpn_writer(void *buf, size_t cap)
{
  return (OvpnWriter){buf, 0, cap, true};
}
/* Room for n bytes to be filled by the caller, or NULL (and ok = false). */
static inline uint8_t *ovpn_write_room(OvpnWriter *w, size_t n)
{
  if (!w->ok || w->cap - w->len < n) {
    w->ok = false;
    return NULL;
  }
  uint8_t *p = w->buf + w->len;
  w->len += n;
  return p;
}
static inline void ovpn_write_bytes(OvpnWriter *w, const void *data, size_t n)
{
  uint8_t *p = ovpn_write_room(w, n);
  if (p && n)
    memcpy(p, data, n);
}
static inline void ovpn_write_be_(OvpnWriter *w, uint64_t v, unsigned n)
{
  uint8_t *p = ovpn_write_room(w, n);
  for (unsigned i = 0; p && i < n; i++)
    p[i] = (uint8_t)(v >> (8 * (n - 1 - i)));
}
static inline void ovpn_write_u8(OvpnWriter *w, uint8_t v)
{
  ovpn_write_be_(w, v, 1);
}
static inline void ovpn_write_u16(OvpnWriter *w, uint16_t v)
{
  ovpn_write_be_(w, v, 2);
}
static inline void ovpn_write_u32(OvpnWriter *w, uint32_t v)
{
  ovpn_write_be_(w, v, 4);
}
static inline void ovpn_write_u64(OvpnWriter *w, uint64_t v)
{
  ovpn_write_be_(w, v, 8);
}
