/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compression framing. spec §12.1.
 *
 * Framing is added here; packets are compressed, where the profile asks for it at all, in pack.c.
 * All framings are understood, and what others compressed is decompressed. Input is authenticated
 * but not trusted further: every output is bounded by the scratch buffer and the libraries'
 * bounds-checked decoders are used. */
#include "helper/core/inner.h"
#include <limits.h>
#include <lz4.h>
#include <lzo/lzo1x.h>

enum {
  MARK_LZO_NONE = 0xfa,
  MARK_LZO = 0x66,
  MARK_SWAP_NONE = 0xfb,
  MARK_SWAP_LZ4 = 0x69,
  MARK_V2 = 0x50,
  V2_NONE = 0,
  V2_LZ4 = 1,
};

void ovpn_frame_add(OvpnCompress mode, uint8_t **p, size_t *len)
{
  uint8_t *at = *p;
  if (*len == 0)
    return;
  switch (mode) {
  case OVPN_COMP_NONE:
    break;
  case OVPN_COMP_LZO:
    *--at = MARK_LZO_NONE;
    *len += 1;
    break;
  case OVPN_COMP_STUB:
  case OVPN_COMP_LZ4:
    /* The first byte goes to the end and makes room for the mark: the rest stays where it is. */
    at[*len] = at[0];
    at[0] = MARK_SWAP_NONE;
    *len += 1;
    break;
  case OVPN_COMP_STUB_V2:
  case OVPN_COMP_LZ4_V2:
    if (at[0] == MARK_V2) {
      *--at = V2_NONE;
      *--at = MARK_V2;
      *len += 2;
    }
    break;
  }
  *p = at;
}

static OvpnStatus use_scratch(uint8_t **p, size_t *len, uint8_t *scratch, size_t n)
{
  if (n == 0)
    return OVPN_DROP_EMPTY;
  *p = scratch;
  *len = n;
  return OVPN_OK;
}

static OvpnStatus unpack_lzo(const uint8_t *in, size_t n, uint8_t **p, size_t *len,
                             uint8_t *scratch, size_t cap)
{
  lzo_uint out = cap;
  if (n == 0 || lzo1x_decompress_safe(in, n, scratch, &out, NULL) != LZO_E_OK)
    return OVPN_DROP_FRAMING;
  return use_scratch(p, len, scratch, out);
}

static OvpnStatus unpack_lz4(const uint8_t *in, size_t n, uint8_t **p, size_t *len,
                             uint8_t *scratch, size_t cap)
{
  if (n == 0 || n > INT_MAX || cap > INT_MAX)
    return OVPN_DROP_FRAMING;
  int out = LZ4_decompress_safe((const char *)in, (char *)scratch, (int)n, (int)cap);
  if (out < 0)
    return OVPN_DROP_FRAMING;
  return use_scratch(p, len, scratch, (size_t)out);
}

/* The bytes after `skip`, unchanged. */
static OvpnStatus plain(uint8_t **p, size_t *len, size_t skip)
{
  if (*len <= skip)
    return OVPN_DROP_EMPTY;
  *p += skip;
  *len -= skip;
  return OVPN_OK;
}

static OvpnStatus remove_swap(OvpnCompress mode, uint8_t **p, size_t *len, uint8_t *scratch,
                              size_t cap)
{
  uint8_t *at = *p, mark = at[0];
  bool lz4 = mark == MARK_SWAP_LZ4 && mode == OVPN_COMP_LZ4;
  if (mark != MARK_SWAP_NONE && !lz4)
    return OVPN_DROP_FRAMING;
  if (*len < 2)
    return OVPN_DROP_EMPTY;
  at[0] = at[*len - 1];
  if (lz4)
    return unpack_lz4(at, *len - 1, p, len, scratch, cap);
  *len -= 1;
  return OVPN_OK;
}

OvpnStatus ovpn_frame_remove(OvpnCompress mode, uint8_t **p, size_t *len, uint8_t *scratch,
                             size_t cap)
{
  if (*len == 0)
    return OVPN_DROP_EMPTY;
  uint8_t *at = *p;
  switch (mode) {
  case OVPN_COMP_NONE:
    return OVPN_OK;
  case OVPN_COMP_LZO:
    if (at[0] == MARK_LZO_NONE)
      return plain(p, len, 1);
    if (at[0] == MARK_LZO)
      return unpack_lzo(at + 1, *len - 1, p, len, scratch, cap);
    return OVPN_DROP_FRAMING;
  case OVPN_COMP_STUB:
  case OVPN_COMP_LZ4:
    return remove_swap(mode, p, len, scratch, cap);
  case OVPN_COMP_STUB_V2:
  case OVPN_COMP_LZ4_V2:
    if (at[0] != MARK_V2)
      return OVPN_OK;
    if (*len >= 2 && at[1] == V2_NONE)
      return plain(p, len, 2);
    if (*len >= 2 && at[1] == V2_LZ4 && mode == OVPN_COMP_LZ4_V2)
      return unpack_lz4(at + 2, *len - 2, p, len, scratch, cap);
    return OVPN_DROP_FRAMING;
  }
  return OVPN_DROP_FRAMING;
}
