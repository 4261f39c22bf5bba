/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names of outcomes, and failures with a cause. Peer text is made harmless here, in one place. */
#include "helper/core/status.h"
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

const char *ovpn_status_name(OvpnStatus s)
{
  switch ((int)s) {
  case OVPN_OK:
    return "OK";
#define X(n)                                                                                       \
  case OVPN_DROP_##n:                                                                              \
    return "DROP_" #n;
    OVPN_DROP_LIST(X)
#undef X
#define X(n)                                                                                       \
  case OVPN_FAIL_##n:                                                                              \
    return "FAIL_" #n;
    OVPN_FAIL_LIST(X)
#undef X
  }
  return "?";
}

/* Length of the valid UTF-8 sequence at p (1..4), or 0. */
static unsigned utf8_length(const unsigned char *p, size_t left)
{
  unsigned n = p[0] < 0x80                   ? 1
               : p[0] >= 0xc2 && p[0] < 0xe0 ? 2
               : p[0] >= 0xe0 && p[0] < 0xf0 ? 3
               : p[0] >= 0xf0 && p[0] < 0xf5 ? 4
                                             : 0;
  if (n == 0 || n > left)
    return 0;
  for (unsigned i = 1; i < n; i++)
    if ((p[i] & 0xc0) != 0x80)
      return 0;
  if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
      (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
    return 0; /* overlong, surrogate, beyond Unicode */
  return n;
}

void ovpn_text_clean(char *dst, size_t cap, const char *src)
{
  const unsigned char *p = (const unsigned char *)src;
  size_t left = strlen(src), out = 0;
  while (left > 0) {
    unsigned n = utf8_length(p, left);
    bool plain = n > 1 || (n == 1 && p[0] >= 0x20 && p[0] != 0x7f);
    if (n == 2 && p[0] == 0xc2 && p[1] < 0xa0)
      plain = false; /* C1 controls */
    unsigned take = n ? n : 1;
    if (out + (plain ? n : 1) >= cap)
      break;
    if (plain)
      memcpy(dst + out, p, n);
    else
      dst[out] = n == 1 ? ' ' : '?';
    out += plain ? n : 1;
    p += take;
    left -= take;
  }
  dst[out] = 0;
}

OvpnStatus ovpn_failure_set(OvpnFailure *f, OvpnStatus status, const char *fmt, ...)
{
  if (!f || f->status != OVPN_OK)
    return status;
  char raw[2 * OVPN_FAILURE_TEXT_MAX];
  va_list ap;
  va_start(ap, fmt);
  if (vsnprintf(raw, sizeof raw, fmt, ap) < 0)
    raw[0] = 0;
  va_end(ap);
  f->status = status;
  ovpn_text_clean(f->text, sizeof f->text, raw);
  return status;
}
