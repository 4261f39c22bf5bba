/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Key method 2 messages, the texts inside them, and the derivation of data channel keys.
 *
 * Trusts nothing: a received message is authenticated by TLS, but its lengths and texts are the
 * peer's words. Decoding is complete before anything is returned. Invariants: every secret copied
 * here is wiped by ovpn_key_method_clear or before the function returns. No I/O, no globals. spec
 * §8, §9. */
#include "helper/core/keys.h"
#include "helper/core/cipher-names.h"
#include <gnutls/crypto.h>
#include <gnutls/gnutls.h>
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { KEY_METHOD = 2, KEY_METHOD_MASK = 0x0f, CREDENTIAL_MAX = 4096, TEXT_MAX = 65534 };

void ovpn_key_method_clear(OvpnKeyMethod *k)
{
  if (!k)
    return;
  ovpn_secret_free(k->options);
  ovpn_secret_free(k->username);
  ovpn_secret_free(k->password);
  ovpn_secret_free(k->peer_info);
  ovpn_wipe(k, sizeof *k);
}

/* The length counts the NUL; an empty string is length 0 and no bytes, not even the NUL. */
static void write_text(OvpnWriter *w, const char *s, size_t max)
{
  size_t n = s ? strlen(s) : 0;
  if (n > max) {
    w->ok = false;
    return;
  }
  ovpn_write_u16(w, n ? (uint16_t)(n + 1) : 0);
  if (n)
    ovpn_write_bytes(w, s, n + 1);
}

size_t ovpn_key_method_encode(const OvpnKeyMethod *k, bool with_pre_master, uint8_t *buf,
                              size_t cap)
{
  OvpnWriter w = ovpn_writer(buf, cap);
  ovpn_write_u32(&w, 0);
  ovpn_write_u8(&w, KEY_METHOD);
  if (with_pre_master)
    ovpn_write_bytes(&w, k->source.pre_master, sizeof k->source.pre_master);
  ovpn_write_bytes(&w, k->source.random1, sizeof k->source.random1);
  ovpn_write_bytes(&w, k->source.random2, sizeof k->source.random2);
  write_text(&w, k->options, TEXT_MAX);
  write_text(&w, k->username, CREDENTIAL_MAX);
  write_text(&w, k->password, CREDENTIAL_MAX);
  write_text(&w, k->peer_info, TEXT_MAX);
  if (!w.ok)
    ovpn_wipe(buf, w.len);
  return w.ok ? w.len : 0;
}

/* A message may end before any of its strings (p2p and older peers): those are then empty. */
static OvpnStatus read_text(OvpnReader *r, char **ret)
{
  size_t n = 0;
  const uint8_t *p = NULL;
  if (ovpn_reader_left(r) > 0) {
    n = ovpn_read_u16(r);
    p = ovpn_read_bytes(r, n);
    if (!r->ok)
      return OVPN_DROP_TRUNCATED;
  }
  if (n > 0 && (p[n - 1] != 0 || memchr(p, 0, n - 1)))
    return OVPN_DROP_FORMAT;
  *ret = calloc(1, n ? n : 1);
  if (!*ret)
    return OVPN_FAIL_MEMORY;
  if (n)
    memcpy(*ret, p, n);
  return OVPN_OK;
}

OvpnStatus ovpn_key_method_decode(const uint8_t *buf, size_t len, bool with_pre_master,
                                  OvpnKeyMethod *ret)
{
  OvpnReader r = ovpn_reader(buf, len);
  OvpnKeyMethod k = {0};
  uint32_t zero = ovpn_read_u32(&r);
  uint8_t method = ovpn_read_u8(&r);
  if (with_pre_master)
    ovpn_read_copy(&r, k.source.pre_master, sizeof k.source.pre_master);
  ovpn_read_copy(&r, k.source.random1, sizeof k.source.random1);
  ovpn_read_copy(&r, k.source.random2, sizeof k.source.random2);
  OvpnStatus s = OVPN_OK;
  if (!r.ok)
    s = OVPN_DROP_TRUNCATED;
  else if (zero != 0 || (method & KEY_METHOD_MASK) != KEY_METHOD)
    s = OVPN_DROP_FORMAT;
  char **texts[] = {&k.options, &k.username, &k.password, &k.peer_info};
  for (size_t i = 0; s == OVPN_OK && i < sizeof texts / sizeof *texts; i++)
    s = read_text(&r, texts[i]);
  if (s == OVPN_OK)
    *ret = k;
  else
    ovpn_key_method_clear(&k);
  ovpn_wipe(&k, sizeof k);
  return s;
}

/* P_hash of RFC 2246 §5, xor-ed into out. The seed is label | seed. */
static bool xor_p_hash(gnutls_mac_algorithm_t mac, const uint8_t *secret, size_t secret_len,
                       const OvpnBlob *seed, uint8_t *out, size_t out_len)
{
  uint8_t a[20], block[20];
  size_t n = gnutls_hmac_get_len(mac);
  if (n == 0 || n > sizeof a)
    return false;
  gnutls_hmac_hd_t h = NULL;
  bool ok = gnutls_hmac_init(&h, mac, secret, secret_len) == 0;
  ok = ok && gnutls_hmac(h, seed->data, seed->len) == 0;
  if (ok)
    gnutls_hmac_output(h, a);
  for (size_t done = 0; ok && done < out_len; done += n) {
    ok = gnutls_hmac(h, a, n) == 0 && gnutls_hmac(h, seed->data, seed->len) == 0;
    if (!ok)
      break;
    gnutls_hmac_output(h, block);
    for (size_t i = 0; i < n && done + i < out_len; i++)
      out[done + i] ^= block[i];
    ok = gnutls_hmac(h, a, n) == 0;
    if (ok)
      gnutls_hmac_output(h, a);
  }
  if (h)
    gnutls_hmac_deinit(h, NULL);
  ovpn_wipe(a, sizeof a);
  ovpn_wipe(block, sizeof block);
  return ok;
}

OvpnStatus ovpn_tls1_prf(const uint8_t *secret, size_t secret_len, const char *label,
                         const uint8_t *seed, size_t seed_len, uint8_t *out, size_t out_len)
{
  ovpn_auto_blob all = {0};
  if (!ovpn_blob_set_text(&all, label) || !ovpn_blob_append(&all, seed, seed_len))
    return OVPN_FAIL_MEMORY;
  size_t half = (secret_len + 1) / 2; /* odd length: the halves share the middle byte */
  memset(out, 0, out_len);
  if (!xor_p_hash(GNUTLS_MAC_MD5, secret, half, &all, out, out_len) ||
      !xor_p_hash(GNUTLS_MAC_SHA1, secret + secret_len - half, half, &all, out, out_len)) {
    ovpn_wipe(out, out_len);
    return OVPN_FAIL_KEY_DERIVATION;
  }
  return OVPN_OK;
}

OvpnStatus ovpn_keys_derive_prf(const OvpnKeySource *client, const OvpnKeySource *server,
                                const uint8_t client_sid[8], const uint8_t server_sid[8],
                                uint8_t block[OVPN_KEY_BLOCK_LEN])
{
  uint8_t master[48], seed[32 + 32 + 8 + 8];
  memcpy(seed, client->random1, 32);
  memcpy(seed + 32, server->random1, 32);
  OvpnStatus s = ovpn_tls1_prf(client->pre_master, sizeof client->pre_master,
                               "OpenVPN master secret", seed, 64, master, sizeof master);
  if (s == OVPN_OK) {
    memcpy(seed, client->random2, 32);
    memcpy(seed + 32, server->random2, 32);
    memcpy(seed + 64, client_sid, 8);
    memcpy(seed + 72, server_sid, 8);
    s = ovpn_tls1_prf(master, sizeof master, "OpenVPN key expansion", seed, sizeof seed, block,
                      OVPN_KEY_BLOCK_LEN);
  }
  ovpn_wipe(master, sizeof master);
  ovpn_wipe(seed, sizeof seed);
  return s;
}

bool ovpn_occ_get(const char *occ, const char *name, char *ret, size_t cap)
{
  size_t name_len = strlen(name);
  for (const char *p = occ; p && *p;) {
    p += strspn(p, ", ");
    size_t n = strcspn(p, ",");
    if (n >= name_len && memcmp(p, name, name_len) == 0 && (n == name_len || p[name_len] == ' ')) {
      const char *v = p + name_len, *end = p + n;
      while (v < end && *v == ' ')
        v++;
      while (end > v && end[-1] == ' ')
        end--;
      if ((size_t)(end - v) >= cap)
        return false;
      memcpy(ret, v, (size_t)(end - v));
      ret[end - v] = 0;
      return true;
    }
    p += n;
  }
  return false;
}

/* Text that grows in a fixed buffer; after the first overrun nothing is added. */
typedef struct Text {
  char *buf;
  size_t len, cap;
  bool ok;
} Text;

__attribute__((format(printf, 2, 3))) static void add(Text *t, const char *fmt, ...)
{
  if (!t->ok)
    return;
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(t->buf + t->len, t->cap - t->len, fmt, ap);
  va_end(ap);
  if (n < 0 || (size_t)n >= t->cap - t->len)
    t->ok = false;
  else
    t->len += (size_t)n;
}

static Text text_begin(char *buf, size_t cap)
{
  if (cap)
    buf[0] = 0;
  return (Text){buf, 0, cap, cap > 0};
}

static size_t text_end(Text *t)
{
  if (!t->ok && t->cap)
    t->buf[0] = 0;
  return t->ok ? t->len : 0;
}

static bool has_cipher(const OvpnConfig *c, const char *name)
{
  for (size_t i = 0; i < c->data_ciphers.n; i++)
    if (strcasecmp(c->data_ciphers.v[i], name) == 0)
      return true;
  return false;
}

/* "ifconfig" as the other side would write it: its own address first; of TAP the network. */
static void add_addresses(Text *t, const OvpnConfig *c)
{
  struct in_addr a, mask;
  char net[INET_ADDRSTRLEN];
  if (!c->ifconfig_local || !c->ifconfig_remote)
    return;
  if (!c->tap) {
    add(t, ",ifconfig %s %s", c->ifconfig_remote, c->ifconfig_local);
  } else if (inet_pton(AF_INET, c->ifconfig_local, &a) == 1 &&
             inet_pton(AF_INET, c->ifconfig_remote, &mask) == 1) {
    a.s_addr &= mask.s_addr;
    add(t, ",ifconfig %s %s", inet_ntop(AF_INET, &a, net, sizeof net), c->ifconfig_remote);
  }
}

static unsigned key_bits(const OvpnConfig *c, const char *cipher)
{
  return c->keysize ? c->keysize : ovpn_cipher_key_bits(cipher);
}

/* What data packets go without. */
static void add_less(Text *t, const OvpnConfig *c)
{
  add(t, "%s%s", c->no_replay ? ",no-replay" : "", c->no_iv ? ",no-iv" : "");
}

/* Static key mode: what the peer's OCC REQUEST gets. */
static size_t format_static(const OvpnConfig *c, bool tcp, Text *t)
{
  const char *cipher = c->cipher ? c->cipher : "BF-CBC", *auth = c->auth ? c->auth : "SHA1";
  unsigned mtu = ovpn_config_tun_mtu(c, tcp);
  bool framed = c->compress != OVPN_COMP_NONE, pieces = c->fragment && !tcp;
  add(t, "V4,dev-type %s,link-mtu %u,tun-mtu %u,proto %s", c->tap ? "tap" : "tun",
      mtu + (c->tap ? 32 : 0) + ovpn_config_link_overhead(c, cipher, tcp) + (framed ? 1 : 0) +
          (pieces ? 4 : 0),
      mtu, tcp ? "TCPv4_CLIENT" : "UDPv4");
  add_addresses(t, c);
  add(t, "%s%s", framed ? ",comp-lzo" : "", pieces ? ",mtu-dynamic" : "");
  if (c->secret_dir != OVPN_DIR_NONE)
    add(t, ",keydir %d", c->secret_dir);
  add(t, ",cipher %s,auth %s,keysize %u,secret",
      strcasecmp(cipher, "none") ? cipher : "[null-cipher]",
      strcasecmp(auth, "none") ? auth : "[null-digest]", key_bits(c, cipher));
  add_less(t, c);
  return text_end(t);
}

/* The server compares this text with its own and at most logs a difference, so link-mtu is a
 * plausible constant offset. Two items are read by machines: cipher (servers without negotiation)
 * and comp-lzo (servers with `compress migrate`). spec §8.3 */
size_t ovpn_occ_format(const OvpnConfig *c, bool tcp, char *buf, size_t cap)
{
  Text t = text_begin(buf, cap);
  if (c->disable_occ)
    return 0; /* the empty text */
  if (ovpn_config_is_static(c))
    return format_static(c, tcp, &t);
  unsigned mtu = (c->tun_mtu ? c->tun_mtu : 1500) + (c->tap ? 32 : 0);
  add(&t, "V4,dev-type %s,link-mtu %u,tun-mtu %u,proto %s", c->tap ? "tap" : "tun",
      mtu + (tcp ? 51 : 49), mtu, tcp ? "TCPv4_CLIENT" : "UDPv4");
  if (c->compress != OVPN_COMP_NONE)
    add(&t, ",comp-lzo");
  if (c->fragment && !tcp)
    add(&t, ",mtu-dynamic");
  bool tls_auth = c->files[OVPN_FILE_TLS_AUTH].name != NULL;
  if (tls_auth && c->tls_auth_dir != OVPN_DIR_NONE)
    add(&t, ",keydir %d", c->tls_auth_dir);
  if (c->cipher && has_cipher(c, c->cipher))
    add(&t, ",cipher %s", strcasecmp(c->cipher, "none") ? c->cipher : "[null-cipher]");
  const char *auth = c->auth ? c->auth : "SHA1";
  add(&t, ",auth %s,keysize %u", strcasecmp(auth, "none") ? auth : "[null-digest]",
      c->cipher ? key_bits(c, c->cipher) : 256);
  add_less(&t, c);
  if (tls_auth)
    add(&t, ",tls-auth");
  add(&t, ",key-method 2,%s", c->tls_server ? "tls-server" : "tls-client");
  return text_end(&t);
}

/* One line "NAME=value": no control characters, or the peer would see another line. */
static bool is_line(const char *s)
{
  for (const unsigned char *p = (const unsigned char *)s; *p; p++)
    if (*p < 0x20 || *p == 0x7f)
      return false;
  return strchr(s, '=') != NULL;
}

size_t ovpn_peer_info_format(const OvpnConfig *c, unsigned iv_proto, const char *version, char *buf,
                             size_t cap)
{
  Text t = text_begin(buf, cap);
  add(&t, "IV_VER=%s\nIV_PLAT=linux\nIV_TCPNL=1\nIV_MTU=%u\n", version,
      c->tun_mtu_max ? c->tun_mtu_max : 1600);
  if (has_cipher(c, "AES-128-GCM") && has_cipher(c, "AES-256-GCM"))
    add(&t, "IV_NCP=2\n");
  for (size_t i = 0; i < c->data_ciphers.n; i++)
    add(&t, "%s%s", i ? ":" : "IV_CIPHERS=", c->data_ciphers.v[i]);
  add(&t, "%sIV_PROTO=%u\n", c->data_ciphers.n ? "\n" : "", iv_proto);
  add(&t, "%s", c->allow_decompress ? "IV_LZ4=1\nIV_LZ4v2=1\nIV_LZO=1\n" : "IV_LZO_STUB=1\n");
  add(&t, "IV_COMP_STUB=1\nIV_COMP_STUBv2=1\n");
  if (c->push_peer_info)
    add(&t, "IV_SSL=GnuTLS_%s\n", gnutls_check_version(NULL));
  for (size_t i = 0; i < c->uv.n; i++) {
    const char *v = c->uv.v[i];
    /* the others tell who or what this is: only with push-peer-info */
    bool always = strncmp(v, "IV_GUI_VER=", 11) == 0 || strncmp(v, "IV_SSO=", 7) == 0;
    bool empty = v[strcspn(v, "=")] && !v[strcspn(v, "=") + 1];
    if (is_line(v) && !empty && (always || c->push_peer_info))
      add(&t, "%s\n", v);
  }
  return text_end(&t);
}
