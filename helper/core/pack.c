/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Compression of outgoing packets. Contract and reason in the header. spec §12.1.
 *
 * Invariant: what leaves is never longer than the plain framing would have been; a packet that does
 * not get shorter goes plain. The resting of adaptive LZO has OpenVPN's numbers. */
#include "helper/core/pack.h"
#include <lz4.h>
#include <lzo/lzo1x.h>
#include <stdlib.h>
#include <string.h>
#include "helper/core/secret.h"

enum {
  PAYLOAD_MIN = 100, /* shorter ones save nothing */
  PAYLOAD_MAX = 65536,
  OUT_MAX = PAYLOAD_MAX + PAYLOAD_MAX / 16 + 67, /* the worst that LZO makes of noise */
  MARK_LZO = 0x66,
  MARK_SWAP_LZ4 = 0x69,
  MARK_V2 = 0x50,
  V2_LZ4 = 1,
  SAMPLE_BYTES_MIN = 1000,
  SAVED_PERCENT_MIN = 5,
};
_Static_assert(OUT_MAX >= LZ4_COMPRESSBOUND(PAYLOAD_MAX), "room for what LZ4 makes of noise");
static const uint64_t SAMPLE_NS = 2000000000, REST_NS = 60000000000;

struct OvpnPacker {
  uint64_t sample_end, rest_end; /* 0 = none */
  size_t before, after;          /* bytes in this sample */
  uint8_t out[OUT_MAX];
  _Alignas(16) union {
    uint8_t lzo[LZO1X_1_15_MEM_COMPRESS];
    LZ4_stream_t lz4;
  } work;
};

OvpnPacker *ovpn_packer_new(void)
{
  return calloc(1, sizeof(OvpnPacker));
}

void ovpn_packer_free(OvpnPacker *k)
{
  if (k)
    ovpn_wipe(k, sizeof *k); /* it holds what was in the packets */
  free(k);
}

/* true: not now. */
static bool rests(OvpnPacker *k, uint64_t now)
{
  if (k->rest_end && now < k->rest_end)
    return true;
  k->rest_end = 0;
  if (now < k->sample_end)
    return false;
  bool poor = k->before >= SAMPLE_BYTES_MIN &&
              k->after * 100 > k->before * (100 - (size_t)SAVED_PERCENT_MIN);
  k->before = k->after = 0;
  k->sample_end = now + SAMPLE_NS;
  if (poor)
    k->rest_end = now + REST_NS;
  return poor;
}

/* Bytes in k->out; 0 = the packet did not get shorter. */
static size_t squeeze(OvpnPacker *k, bool lzo, const uint8_t *p, size_t len)
{
  size_t n = 0;
  if (lzo) {
    lzo_uint out = 0;
    if (lzo1x_1_15_compress(p, len, k->out, &out, k->work.lzo) == LZO_E_OK)
      n = out;
  } else {
    int out = LZ4_compress_fast_extState(&k->work.lz4, (const char *)p, (char *)k->out, (int)len,
                                         OUT_MAX, 1);
    n = out > 0 ? (size_t)out : 0;
  }
  k->before += len;
  k->after += n && n < len ? n : len;
  return n;
}

bool ovpn_packer_add(OvpnPacker *k, uint64_t now, OvpnCompress mode, bool adaptive, uint8_t **p,
                     size_t *len)
{
  bool lzo = mode == OVPN_COMP_LZO, v2 = mode == OVPN_COMP_LZ4_V2;
  size_t framing = v2 ? 2 : 1;
  if (!(lzo || v2 || mode == OVPN_COMP_LZ4) || *len < PAYLOAD_MIN || *len > PAYLOAD_MAX ||
      (lzo && adaptive && rests(k, now)))
    return false;
  size_t n = squeeze(k, lzo, *p, *len);
  if (n == 0 || n + framing >= *len)
    return false;
  uint8_t *at = *p;
  if (lzo) {
    at[0] = MARK_LZO;
    memcpy(at + 1, k->out, n);
  } else if (v2) {
    at[0] = MARK_V2;
    at[1] = V2_LZ4;
    memcpy(at + 2, k->out, n);
  } else { /* the first byte goes to the end */
    at[0] = MARK_SWAP_LZ4;
    memcpy(at + 1, k->out + 1, n - 1);
    at[n] = k->out[0];
  }
  *len = n + framing;
  return true;
}
