/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key files of the control channel: "OpenVPN Static key V1" and tls-crypt-v2 client keys. spec
 * §4.1, §4.5.
 *
 * Trusts nothing: the text comes from a profile. Decodes into fixed buffers, wiped on every way
 * out; results are written only on success. WKc is opaque but for its length. */
#include "helper/core/wrap.h"

enum { V2_MAX = OVPN_STATIC_KEY_LEN + OVPN_WKC_MAX };

static bool is_space(uint8_t c)
{
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/* The reader stands behind `mark` when it begins a line (white space or a byte order mark may
 * precede). */
static bool skip_past_line(OvpnReader *r, const char *mark)
{
  size_t n = strlen(mark);
  bool at_start = true;
  while (ovpn_reader_left(r) >= n) {
    if (at_start && !memcmp(r->p, mark, n)) {
      ovpn_read_bytes(r, n);
      return true;
    }
    uint8_t c = ovpn_read_u8(r);
    if (c == '\n' || c == '\r')
      at_start = true;
    else if (!is_space(c) && c != 0xef && c != 0xbb && c != 0xbf)
      at_start = false;
  }
  return false;
}

static bool at_mark(const OvpnReader *r, const char *mark)
{
  size_t n = strlen(mark);
  return ovpn_reader_left(r) >= n && !memcmp(r->p, mark, n);
}

static int hex_value(uint8_t c)
{
  if (c >= '0' && c <= '9')
    return c - '0';
  c |= 0x20;
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static OvpnStatus parse_hex(OvpnReader *r, uint8_t key[OVPN_STATIC_KEY_LEN], OvpnFailure *f)
{
  size_t digits = 0;
  while (!at_mark(r, "-----END OpenVPN Static key V1-----")) {
    if (!ovpn_reader_left(r))
      return ovpn_failure_set(f, OVPN_FAIL_FILE_FORMAT, "static key: the END line is missing");
    uint8_t c = ovpn_read_u8(r);
    if (is_space(c))
      continue;
    int v = hex_value(c);
    if (v < 0)
      return ovpn_failure_set(f, OVPN_FAIL_FILE_FORMAT,
                              "static key: a character that is not a hexadecimal digit");
    if (digits < 2 * OVPN_STATIC_KEY_LEN) {
      uint8_t *byte = &key[digits / 2];
      *byte = (uint8_t)(digits % 2 ? *byte | v : v << 4);
    }
    digits++;
  }
  if (digits != 2 * OVPN_STATIC_KEY_LEN)
    return ovpn_failure_set(f, OVPN_FAIL_FILE_FORMAT,
                            "static key: expected 512 hexadecimal digits, found %zu", digits);
  return OVPN_OK;
}

OvpnStatus ovpn_static_key_parse(const void *text, size_t len, uint8_t key[OVPN_STATIC_KEY_LEN],
                                 OvpnFailure *f)
{
  OvpnReader r = ovpn_reader(text, len);
  if (!skip_past_line(&r, "-----BEGIN OpenVPN Static key V1-----"))
    return ovpn_failure_set(f, OVPN_FAIL_FILE_FORMAT,
                            "expected an OpenVPN static key (\"BEGIN OpenVPN Static key V1\")");
  uint8_t k[OVPN_STATIC_KEY_LEN] = {0};
  OvpnStatus st = parse_hex(&r, k, f);
  if (st == OVPN_OK)
    memcpy(key, k, sizeof(k));
  ovpn_wipe(k, sizeof(k));
  return st;
}

static int base64_value(uint8_t c)
{
  if (c >= 'A' && c <= 'Z')
    return c - 'A';
  if (c >= 'a' && c <= 'z')
    return c - 'a' + 26;
  if (c >= '0' && c <= '9')
    return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

/* Decodes up to the END line. */
static bool parse_base64(OvpnReader *r, const char *end, OvpnWriter *out)
{
  uint32_t acc = 0;
  unsigned chars = 0, pads = 0;
  while (!at_mark(r, end)) {
    if (!ovpn_reader_left(r) || !out->ok)
      return false;
    uint8_t c = ovpn_read_u8(r);
    if (is_space(c))
      continue;
    int v = base64_value(c);
    if (c == '=')
      pads++;
    else if (v < 0 || pads)
      return false;
    acc = acc << 6 | (c == '=' ? 0u : (uint32_t)v);
    if (++chars % 4 == 0) {
      if (pads > 2)
        return false;
      for (unsigned i = 0; i < 3 - pads; i++)
        ovpn_write_u8(out, (uint8_t)(acc >> (16 - 8 * i)));
    }
  }
  return chars % 4 == 0 && out->ok;
}

OvpnStatus ovpn_tls_crypt_v2_parse(const void *text, size_t len, uint8_t kc[OVPN_STATIC_KEY_LEN],
                                   OvpnBlob *wkc, OvpnFailure *f)
{
  OvpnReader r = ovpn_reader(text, len);
  if (!skip_past_line(&r, "-----BEGIN OpenVPN tls-crypt-v2 client key-----")) {
    r = ovpn_reader(text, len);
    bool server = skip_past_line(&r, "-----BEGIN OpenVPN tls-crypt-v2 server key-----");
    return ovpn_failure_set(f, OVPN_FAIL_FILE_FORMAT,
                            server ? "tls-crypt-v2: this is the server's key, not a client key"
                                   : "expected an OpenVPN tls-crypt-v2 client key");
  }
  uint8_t raw[V2_MAX];
  OvpnWriter out = ovpn_writer(raw, sizeof(raw));
  OvpnStatus st = OVPN_OK;
  if (!parse_base64(&r, "-----END OpenVPN tls-crypt-v2 client key-----", &out)) {
    st = ovpn_failure_set(f, OVPN_FAIL_FILE_FORMAT,
                          "tls-crypt-v2: not valid base64, incomplete or too long");
    goto out;
  }
  OvpnReader d = ovpn_reader(raw, out.len);
  const uint8_t *k = ovpn_read_bytes(&d, OVPN_STATIC_KEY_LEN);
  size_t n = ovpn_reader_left(&d);
  const uint8_t *w = ovpn_read_bytes(&d, n);
  if (!k || !w || n < 2 || (size_t)(w[n - 2] << 8 | w[n - 1]) != n) {
    st = ovpn_failure_set(f, OVPN_FAIL_FILE_FORMAT,
                          "tls-crypt-v2: the length of the wrapped key is wrong");
    goto out;
  }
  if (!ovpn_blob_set(wkc, w, n)) {
    st = ovpn_failure_set(f, OVPN_FAIL_MEMORY, "tls-crypt-v2");
    goto out;
  }
  memcpy(kc, k, OVPN_STATIC_KEY_LEN);
out:
  ovpn_wipe(raw, sizeof(raw));
  return st;
}
