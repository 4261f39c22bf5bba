/* SPDX-License-Identifier: GPL-2.0-or-later */
/* HTTP proxy sign-in: what a proxy offers, and the answers. spec §20.1; RFC 7235 (challenges), 7616
 * and 2617 (digest), MS-NLMP (NTLMv2).
 *
 * The challenge is hostile text: fields are bounded, unescaped once, never hold a control
 * character, and are escaped again when they go back. Hashes over passwords are wiped. MD4 and MD5
 * are what these methods are made of; the tunnel does not rest on them. */
#include "helper/core/proxy-private.h"
#include <nettle/base64.h>
#include <nettle/hmac.h>
#include <nettle/md4.h>
#include <nettle/md5.h>
#include <nettle/sha2.h>
#include <stdio.h>
#include <strings.h>

/* --- challenges --- */

typedef struct Cursor {
  const char *p, *end;
} Cursor;

static bool is_token_char(char c)
{
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         (c && strchr("!#$%&'*+-.^_`|~", c));
}

static bool is_token68_char(char c)
{
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
         (c && strchr("-._~+/", c));
}

static void skip(Cursor *c, const char *set)
{
  while (c->p < c->end && *c->p && strchr(set, *c->p))
    c->p++;
}

static size_t take_token(Cursor *c, const char **ret)
{
  *ret = c->p;
  while (c->p < c->end && is_token_char(*c->p))
    c->p++;
  return (size_t)(c->p - *ret);
}

static bool is_word(const char *p, size_t len, const char *word)
{
  return len == strlen(word) && !strncasecmp(p, word, len);
}

/* A token or a quoted string, unescaped. false: malformed, too long, or holds what must not go back
 * to anybody. */
static bool take_value(Cursor *c, char *ret, size_t cap)
{
  size_t n = 0;
  bool quoted = c->p < c->end && *c->p == '"';
  if (quoted)
    c->p++;
  for (; c->p < c->end; c->p++) {
    char ch = *c->p;
    if (quoted && ch == '"')
      break;
    if (!quoted && (ch == ',' || ch == ' ' || ch == '\t'))
      break;
    if (quoted && ch == '\\' && ++c->p < c->end)
      ch = *c->p;
    if (c->p >= c->end || n + 1 >= cap || (unsigned char)ch < 0x20 || ch == 0x7f)
      return false;
    ret[n++] = ch;
  }
  if (quoted && (c->p >= c->end || *c->p++ != '"'))
    return false;
  ret[n] = 0;
  return true;
}

/* The list of a qop parameter holds "auth". */
static bool has_auth(const char *list)
{
  Cursor c = {list, list + strlen(list)};
  while (c.p < c.end) {
    skip(&c, ", \t");
    const char *word;
    size_t n = take_token(&c, &word);
    if (is_word(word, n, "auth"))
      return true;
    if (n == 0 && c.p < c.end)
      c.p++;
  }
  return false;
}

typedef struct DigestSeen {
  ProxyDigest d;
  bool realm, nonce, qop, bad;
} DigestSeen;

static void digest_param(DigestSeen *s, const char *name, size_t len, const char *value)
{
  ProxyDigest *d = &s->d;
  if (is_word(name, len, "realm")) {
    snprintf(d->realm, sizeof(d->realm), "%s", value);
    s->realm = true;
  } else if (is_word(name, len, "nonce")) {
    snprintf(d->nonce, sizeof(d->nonce), "%s", value);
    s->nonce = *value != 0;
  } else if (is_word(name, len, "opaque")) {
    snprintf(d->opaque, sizeof(d->opaque), "%s", value);
    d->has_opaque = true;
  } else if (is_word(name, len, "stale")) {
    d->stale = !strcasecmp(value, "true");
  } else if (is_word(name, len, "qop")) {
    s->qop = true;
    d->qop_auth = has_auth(value);
  } else if (is_word(name, len, "algorithm")) {
    d->named = true;
    d->sess = !strcasecmp(value, "MD5-sess") || !strcasecmp(value, "SHA-256-sess");
    bool sha = !strcasecmp(value, "SHA-256") || !strcasecmp(value, "SHA-256-sess");
    d->hash = sha ? PROXY_HASH_SHA256 : PROXY_HASH_MD5;
    if (!sha && !d->sess && strcasecmp(value, "MD5") != 0)
      s->bad = true;
  }
}

/* name=value pairs up to the next scheme or the end. false: malformed. */
static bool take_params(Cursor *c, DigestSeen *s)
{
  char value[PROXY_TEXT_MAX];
  for (;;) {
    Cursor before = *c;
    skip(c, ", \t");
    const char *name;
    size_t n = take_token(c, &name);
    skip(c, " \t");
    if (c->p >= c->end && n == 0)
      return true;
    if (n == 0)
      return false;
    if (c->p >= c->end || *c->p != '=') { /* a token without "=": the next scheme */
      *c = before;
      return true;
    }
    c->p++;
    skip(c, " \t");
    if (!take_value(c, value, sizeof(value)))
      return false;
    digest_param(s, name, n, value);
  }
}

/* The credentials-like blob that may follow a scheme instead of parameters. */
static size_t take_token68(Cursor *c, const char **ret)
{
  Cursor at = *c;
  *ret = at.p;
  while (at.p < at.end && is_token68_char(*at.p))
    at.p++;
  while (at.p < at.end && *at.p == '=')
    at.p++;
  size_t n = (size_t)(at.p - *ret);
  skip(&at, " \t");
  if (n == 0 || (at.p < at.end && *at.p != ','))
    return 0;
  *c = at;
  return n;
}

static void decode_type2(ProxyChallenges *c, const char *text, size_t len)
{
  struct base64_decode_ctx ctx;
  size_t n = sizeof(c->type2);
  base64_decode_init(&ctx);
  if (BASE64_DECODE_LENGTH(len) <= sizeof(c->type2) &&
      base64_decode_update(&ctx, &n, c->type2, len, text) && base64_decode_final(&ctx))
    c->type2_len = n;
}

void proxy_challenges_add(ProxyChallenges *c, const char *value, size_t len)
{
  Cursor at = {value, value + len};
  for (;;) {
    skip(&at, ", \t");
    const char *scheme, *blob;
    size_t n = take_token(&at, &scheme);
    if (n == 0)
      return;
    c->any = true;
    bool space = at.p < at.end && (*at.p == ' ' || *at.p == '\t');
    skip(&at, " \t");
    size_t blob_len = space ? take_token68(&at, &blob) : 0;
    DigestSeen seen = {0};
    if (blob_len == 0 && !take_params(&at, &seen))
      return;
    if (is_word(scheme, n, "Basic")) {
      c->basic = true;
    } else if (is_word(scheme, n, "NTLM")) {
      c->ntlm = true;
      if (blob_len)
        decode_type2(c, blob, blob_len);
    } else if (is_word(scheme, n, "Digest") && seen.realm && seen.nonce && !seen.bad &&
               (!seen.qop || seen.d.qop_auth)) {
      seen.d.offered = true;
      if (!c->digest.offered || seen.d.hash > c->digest.hash)
        c->digest = seen.d;
    }
  }
}

/* --- basic and digest --- */

static void put_base64(OvpnWriter *w, const uint8_t *data, size_t len)
{
  uint8_t *p = ovpn_write_room(w, BASE64_ENCODE_RAW_LENGTH(len));
  if (p)
    base64_encode_raw((char *)p, len, data);
}

void proxy_write_basic(OvpnWriter *w, const char *user, const OvpnBlob *password)
{
  ovpn_auto_blob both = {0};
  if (!ovpn_blob_set_text(&both, user) || !ovpn_blob_append(&both, ":", 1) ||
      !ovpn_blob_append(&both, password->data, password->len)) {
    w->ok = false;
    return;
  }
  proxy_put(w, "Basic ");
  put_base64(w, both.data, both.len);
}

typedef struct Piece {
  const void *data;
  size_t len;
} Piece;

static Piece piece(const char *text)
{
  return (Piece){text, strlen(text)};
}

/* Hex of the hash over the pieces with colons between them. */
static void hash_joined(ProxyHash h, const Piece *v, size_t n, char ret_hex[PROXY_DIGEST_HEX + 1])
{
  union {
    struct md5_ctx md5;
    struct sha256_ctx sha256;
  } ctx;
  uint8_t out[SHA256_DIGEST_SIZE];
  size_t len = h == PROXY_HASH_MD5 ? MD5_DIGEST_SIZE : SHA256_DIGEST_SIZE;
  if (h == PROXY_HASH_MD5)
    md5_init(&ctx.md5);
  else
    sha256_init(&ctx.sha256);
  for (size_t i = 0; i < 2 * n; i++) {
    Piece p = i % 2 ? v[i / 2] : i ? piece(":") : piece("");
    if (h == PROXY_HASH_MD5)
      md5_update(&ctx.md5, p.len, p.data);
    else
      sha256_update(&ctx.sha256, p.len, p.data);
  }
  if (h == PROXY_HASH_MD5)
    md5_digest(&ctx.md5, len, out);
  else
    sha256_digest(&ctx.sha256, len, out);
  for (size_t i = 0; i < len; i++) {
    ret_hex[2 * i] = "0123456789abcdef"[out[i] >> 4];
    ret_hex[2 * i + 1] = "0123456789abcdef"[out[i] & 15];
  }
  ret_hex[2 * len] = 0;
  ovpn_wipe(&ctx, sizeof(ctx));
  ovpn_wipe(out, sizeof(out));
}

void proxy_digest_response(const ProxyDigestInput *in, char ret_hex[PROXY_DIGEST_HEX + 1])
{
  char ha1[PROXY_DIGEST_HEX + 1], ha2[PROXY_DIGEST_HEX + 1], nc[9];
  const OvpnBlob *pw = in->password;
  hash_joined(in->hash,
              (Piece[]){piece(in->user), piece(in->realm),
                        pw->len ? (Piece){pw->data, pw->len} : piece("")},
              3, ha1);
  if (in->sess) /* over the hex form: RFC 2617 errata 1649, RFC 7616 */
    hash_joined(in->hash, (Piece[]){piece(ha1), piece(in->nonce), piece(in->cnonce)}, 3, ha1);
  hash_joined(in->hash, (Piece[]){piece(in->method), piece(in->uri)}, 2, ha2);
  snprintf(nc, sizeof(nc), "%08x", (unsigned)in->nc);
  if (in->qop_auth)
    hash_joined(in->hash,
                (Piece[]){piece(ha1), piece(in->nonce), piece(nc), piece(in->cnonce), piece("auth"),
                          piece(ha2)},
                6, ret_hex);
  else /* RFC 2069 */
    hash_joined(in->hash, (Piece[]){piece(ha1), piece(in->nonce), piece(ha2)}, 3, ret_hex);
  ovpn_wipe(ha1, sizeof(ha1));
}

static void put_param(OvpnWriter *w, const char *name, const char *value, const char *before)
{
  proxy_put(w, before);
  proxy_put(w, name);
  proxy_put(w, "=\"");
  for (; *value; value++) {
    if (*value == '"' || *value == '\\')
      ovpn_write_u8(w, '\\');
    ovpn_write_u8(w, (uint8_t)*value);
  }
  ovpn_write_u8(w, '"');
}

void proxy_write_digest(OvpnWriter *w, const ProxyDigest *d, const char *uri, const char *user,
                        const OvpnBlob *password, const uint8_t random[8], uint32_t nc)
{
  char cnonce[BASE64_ENCODE_RAW_LENGTH(8) + 1] = {0}, response[PROXY_DIGEST_HEX + 1], count[24];
  base64_encode_raw(cnonce, 8, random);
  const ProxyDigestInput in = {.hash = d->hash,
                               .sess = d->sess,
                               .qop_auth = d->qop_auth,
                               .nc = nc,
                               .method = "CONNECT",
                               .uri = uri,
                               .user = user,
                               .realm = d->realm,
                               .nonce = d->nonce,
                               .cnonce = cnonce,
                               .password = password};
  proxy_digest_response(&in, response);
  proxy_put(w, "Digest ");
  put_param(w, "username", user, "");
  put_param(w, "realm", d->realm, ", ");
  put_param(w, "nonce", d->nonce, ", ");
  put_param(w, "uri", uri, ", ");
  if (d->qop_auth) {
    snprintf(count, sizeof(count), ", qop=auth, nc=%08x", (unsigned)nc);
    proxy_put(w, count);
  }
  if (d->qop_auth || d->sess)
    put_param(w, "cnonce", cnonce, ", ");
  put_param(w, "response", response, ", ");
  if (d->has_opaque)
    put_param(w, "opaque", d->opaque, ", ");
  if (d->named) {
    proxy_put(w, ", algorithm=");
    proxy_put(w, d->hash == PROXY_HASH_SHA256 ? "SHA-256" : "MD5");
    proxy_put(w, d->sess ? "-sess" : "");
  }
}

/* --- NTLM --- */

enum {
  NTLM_FLAGS = 0x202,            /* OEM strings, NTLM */
  NTLM_TARGET_INFO = 0x00800000, /* flag: the type 2 message has target information */
  NTLM_TYPE3_HEAD = 64,
};

static uint32_t get_le(const uint8_t *p, unsigned n)
{
  uint32_t v = 0;
  while (n-- > 0)
    v = v << 8 | p[n];
  return v;
}

static void put_le(OvpnWriter *w, uint64_t v, unsigned n)
{
  for (; n > 0; n--, v >>= 8)
    ovpn_write_u8(w, (uint8_t)v);
}

/* UTF-8 to UTF-16LE; a byte that is no UTF-8 stands for itself (an old profile in Latin-1). */
static void put_utf16(OvpnWriter *w, const uint8_t *p, size_t len, bool upper)
{
  for (size_t i = 0; i < len;) {
    unsigned n = p[i] >= 0xf0 && p[i] < 0xf5   ? 3
                 : p[i] >= 0xe0 && p[i] < 0xf0 ? 2
                 : p[i] >= 0xc2 && p[i] < 0xe0 ? 1
                                               : 0;
    uint32_t c = n ? p[i] & (0x3fu >> n) : p[i];
    bool whole = n < len - i;
    for (unsigned k = 1; whole && k <= n; k++) {
      whole = (p[i + k] & 0xc0) == 0x80;
      c = c << 6 | (p[i + k] & 0x3f);
    }
    if (!whole || c > 0x10ffff) {
      c = p[i];
      n = 0;
    }
    i += n + 1;
    if (upper && c >= 'a' && c <= 'z')
      c -= 0x20;
    if (c >= 0x10000) {
      put_le(w, 0xd800 + ((c - 0x10000) >> 10), 2);
      c = 0xdc00 + ((c - 0x10000) & 0x3ff);
    }
    put_le(w, c, 2);
  }
}

void proxy_ntlm2_hash(const char *user, const char *domain, const OvpnBlob *password,
                      uint8_t ret[16])
{
  uint8_t wide[4 * PROXY_TEXT_MAX], key[MD4_DIGEST_SIZE];
  OvpnWriter w = ovpn_writer(wide, sizeof(wide));
  put_utf16(&w, password->data, password->len, false);
  struct md4_ctx md4;
  md4_init(&md4);
  md4_update(&md4, w.len, wide);
  md4_digest(&md4, sizeof(key), key);
  ovpn_wipe(wide, sizeof(wide));
  w = ovpn_writer(wide, sizeof(wide));
  put_utf16(&w, (const uint8_t *)user, strlen(user), true);
  put_utf16(&w, (const uint8_t *)domain, strlen(domain), false);
  struct hmac_md5_ctx mac;
  hmac_md5_set_key(&mac, sizeof(key), key);
  hmac_md5_update(&mac, w.len, wide);
  hmac_md5_digest(&mac, 16, ret);
  ovpn_wipe(&md4, sizeof(md4));
  ovpn_wipe(&mac, sizeof(mac));
  ovpn_wipe(key, sizeof(key));
}

void proxy_ntlm2_proof(const uint8_t hash[16], const uint8_t challenge[8], const uint8_t *blob,
                       size_t len, uint8_t ret[16])
{
  struct hmac_md5_ctx mac;
  hmac_md5_set_key(&mac, 16, hash);
  hmac_md5_update(&mac, 8, challenge);
  hmac_md5_update(&mac, len, blob);
  hmac_md5_digest(&mac, 16, ret);
  ovpn_wipe(&mac, sizeof(mac));
}

void proxy_write_ntlm1(OvpnWriter *w)
{
  proxy_put(w, "NTLM TlRMTVNTUAABAAAAAgIAAA==");
}

/* The buffer descriptor of a type 3 message. */
static void put_buffer(OvpnWriter *w, size_t len, size_t *offset)
{
  put_le(w, len, 2);
  put_le(w, len, 2);
  put_le(w, len ? *offset : 0, 4);
  *offset += len;
}

/* Challenge and target information of a type 2 message; info may be empty. */
static bool parse_type2(const uint8_t *m, size_t len, const uint8_t **ret_challenge,
                        const uint8_t **ret_info, size_t *ret_info_len)
{
  if (len < 32 || memcmp(m, "NTLMSSP", 8) != 0 || get_le(m + 8, 4) != 2)
    return false;
  *ret_challenge = m + 24;
  *ret_info = m;
  *ret_info_len = 0;
  if (!(get_le(m + 20, 4) & NTLM_TARGET_INFO))
    return true;
  if (len < 48)
    return false;
  size_t n = get_le(m + 40, 2), at = get_le(m + 44, 4);
  if (at > len || n > len - at)
    return false;
  *ret_info = m + at;
  *ret_info_len = n;
  return true;
}

bool proxy_write_ntlm3(OvpnWriter *w, const uint8_t *type2, size_t len, const char *user,
                       const OvpnBlob *password, uint64_t filetime, const uint8_t random[8])
{
  const uint8_t *challenge, *info;
  size_t info_len;
  if (!parse_type2(type2, len, &challenge, &info, &info_len))
    return false;
  char domain[PROXY_TEXT_MAX] = "";
  const char *slash = strchr(user, '\\');
  if (slash) {
    snprintf(domain, sizeof(domain), "%.*s", (int)(slash - user), user);
    user = slash + 1;
  }
  uint8_t hash[16], response[16 + 32 + NTLM_MESSAGE_MAX], msg[2 * NTLM_MESSAGE_MAX + 4096];
  OvpnWriter r = ovpn_writer(response, sizeof(response));
  ovpn_write_room(&r, 16); /* the proof */
  put_le(&r, 0x0101, 8);
  put_le(&r, filetime, 8);
  ovpn_write_bytes(&r, random, 8);
  put_le(&r, 0, 4);
  ovpn_write_bytes(&r, info, info_len);
  put_le(&r, 0, 4);
  if (!r.ok)
    return false;
  proxy_ntlm2_hash(user, domain, password, hash);
  proxy_ntlm2_proof(hash, challenge, response + 16, r.len - 16, response);
  ovpn_wipe(hash, sizeof(hash));

  OvpnWriter m = ovpn_writer(msg, sizeof(msg));
  size_t offset = NTLM_TYPE3_HEAD;
  ovpn_write_bytes(&m, "NTLMSSP", 8);
  put_le(&m, 3, 4);
  put_buffer(&m, 0, &offset);
  put_buffer(&m, r.len, &offset);
  put_buffer(&m, strlen(domain), &offset);
  put_buffer(&m, strlen(user), &offset);
  put_buffer(&m, 0, &offset);
  put_buffer(&m, 0, &offset);
  put_le(&m, NTLM_FLAGS, 4);
  ovpn_write_bytes(&m, response, r.len);
  proxy_put(&m, domain);
  proxy_put(&m, user);
  if (!m.ok)
    return false;
  proxy_put(w, "NTLM ");
  put_base64(w, msg, m.len);
  ovpn_wipe(response, sizeof(response));
  ovpn_wipe(msg, sizeof(msg));
  return true;
}
