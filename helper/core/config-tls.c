/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Files, keys and the checks of the server's certificate. spec §13, §19.
 *
 * Handlers for config-apply.c: arguments are of the right form already; what the grammar cannot say
 * (hashes, key usages) is checked here. Nothing here opens a file. */
#include "helper/core/config.h"
#include "helper/core/config-parts.h"
#include <string.h>
#include <strings.h>

/* ---- TLS */

static OvpnStatus set_file(ConfigApply *a, const OvpnOption *o, OvpnFileId id)
{
  OvpnFile *f = &a->c->files[id];
  const char *name = o->is_inline ? "[inline]" : arg(o, 1);
  if (!o->is_inline && strcmp(name, "[inline]") == 0) { /* the block itself stands elsewhere */
    if (o->connection < 0)
      a->marked_inline |= 1u << id;
    return OVPN_OK;
  }
  OvpnStatus s = set_text(a, &f->name, name);
  if (s != OVPN_OK)
    return s;
  f->is_inline = o->is_inline;
  if (!ovpn_blob_set(&f->content, o->content.data, o->content.len))
    return ovpn_config_no_memory(a->f);
  return OVPN_OK;
}

OvpnStatus ovpn_on_file(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  return set_file(a, o, (OvpnFileId)row->value);
}

/* Fields of the older form of pkcs11-id, in its order; the last is the object, in hexadecimal. */
static const char *const token_fields[] = {"manufacturer", "model", "serial", "token"};

static int hex_value(char c)
{
  const char *digits = "0123456789abcdef", *p = c ? strchr(digits, c | ('a' - 'A')) : NULL;
  if (c >= '0' && c <= '9')
    return c - '0';
  return p && p - digits >= 10 ? (int)(p - digits) : -1;
}

/* A byte of a field; pkcs11-helper writes what is no letter as \xHH. */
static unsigned char field_byte(const char *text, size_t left, size_t *ret_len)
{
  bool coded = left >= 4 && text[0] == '\\' && text[1] == 'x' && hex_value(text[2]) >= 0 &&
               hex_value(text[3]) >= 0;
  *ret_len = coded ? 4 : 1;
  return coded ? (unsigned char)(hex_value(text[2]) << 4 | hex_value(text[3]))
               : (unsigned char)*text;
}

/* manufacturer/model/serial/label/hex -> a pkcs11: address. false: it has another form. */
static bool token_address(const char *text, OvpnBlob *ret)
{
  static const char digits[] = "0123456789ABCDEFabcdef";
  static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";
  static const char hex[] = "0123456789ABCDEF";
  bool ok = ovpn_blob_set(ret, "pkcs11:", 7);
  for (unsigned i = 0; ok && i < sizeof token_fields / sizeof token_fields[0]; i++) {
    size_t n = strcspn(text, "/");
    ok = text[n] == '/' && ovpn_blob_append(ret, token_fields[i], strlen(token_fields[i])) &&
         ovpn_blob_append(ret, "=", 1);
    for (size_t k = 0, step = 1; ok && k < n; k += step) {
      unsigned char b = field_byte(text + k, n - k, &step);
      const char code[] = {'%', hex[b >> 4], hex[b & 15]};
      ok = b && strchr(plain, b) ? ovpn_blob_append(ret, &b, 1) : ovpn_blob_append(ret, code, 3);
    }
    ok = ok && ovpn_blob_append(ret, ";", 1);
    text += ok ? n + 1 : 0;
  }
  size_t n = strlen(text);
  ok = ok && n > 0 && n % 2 == 0 && strspn(text, digits) == n && ovpn_blob_append(ret, "id=", 3);
  for (size_t k = 0; ok && k < n; k += 2)
    ok = ovpn_blob_append(ret, "%", 1) && ovpn_blob_append(ret, text + k, 2);
  return ok;
}

/* Names certificate and key at once, where cert and key name nothing else. */
OvpnStatus ovpn_on_pkcs11_id(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  static const OvpnFileId both[] = {OVPN_FILE_CERT, OVPN_FILE_KEY};
  ovpn_auto_blob address = {0};
  OvpnStatus s = OVPN_OK;
  bool ok = strncmp(arg(o, 1), "pkcs11:", 7) == 0
                ? ovpn_blob_set(&address, arg(o, 1), strlen(arg(o, 1)))
                : token_address(arg(o, 1), &address);
  if (!ok)
    return bad(a, o, arg(o, 1), "is not the name of an object on a token");
  for (unsigned i = 0; s == OVPN_OK && i < 2; i++)
    if (!a->c->files[both[i]].name)
      s = set_text(a, &a->c->files[both[i]].name, (const char *)address.data);
  return s;
}

static int direction(const char *word)
{
  return strcmp(word, "0") == 0   ? OVPN_DIR_NORMAL
         : strcmp(word, "1") == 0 ? OVPN_DIR_INVERSE
                                  : OVPN_DIR_NONE;
}

/* tls-auth and secret: a direction may follow the file. */
OvpnStatus ovpn_on_directed_file(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  bool tls_auth = row->value == OVPN_FILE_TLS_AUTH;
  bool marked = o->is_inline && !(o->argc > 1 && strcmp(o->argv[1], "[inline]") == 0);
  const char *word = arg(o, marked ? 1 : 2);
  if (word) {
    *(tls_auth ? &a->c->tls_auth_dir : &a->c->secret_dir) = direction(word);
    *(tls_auth ? &a->tls_auth_dir_set : &a->secret_dir_set) = true;
  }
  return set_file(a, o, (OvpnFileId)row->value);
}

OvpnStatus ovpn_on_key_direction(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->key_direction = direction(arg(o, 1));
  a->key_direction_set = true;
  return OVPN_OK;
}

OvpnStatus ovpn_on_crl_verify(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  return set_file(a, o, arg_is(o, 2, "dir") ? OVPN_FILE_CRL_DIR : OVPN_FILE_CRL);
}

/* A version of OpenVPN, such as 2.3.6: below 2.3.7 there was TLS 1.0 only. All else that the old
 * versions need is done without being asked. */
OvpnStatus ovpn_on_compat_mode(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  unsigned v[3] = {0};
  const char *p = arg(o, 1);
  for (unsigned i = 0; i < 3; i++, p++) {
    size_t digits = strspn(p, "0123456789");
    if (digits < 1 || digits > 2 || p[digits] != (i < 2 ? '.' : 0))
      return bad(a, o, arg(o, 1), "is not a version such as 2.3.6");
    v[i] = (unsigned)(digits == 2 ? (p[0] - '0') * 10 + p[1] - '0' : p[0] - '0');
    p += digits;
  }
  a->before_2_3_7 = v[0] * 10000 + v[1] * 100 + v[2] < 20307;
  return OVPN_OK;
}

OvpnStatus ovpn_on_tls_version(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  *(int *)ovpn_config_field(a, row) = 10 + arg(o, 1)[2] - '0'; /* the grammar knows 1.0 to 1.3 */
  if (row->value)
    a->c->tls_version_min_or_highest = arg_is(o, 2, "or-highest");
  return OVPN_OK;
}

OvpnStatus ovpn_on_cert_profile(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->c->cert_profile = arg_is(o, 1, "insecure")    ? OVPN_PROFILE_INSECURE
                       : arg_is(o, 1, "preferred") ? OVPN_PROFILE_PREFERRED
                       : arg_is(o, 1, "suiteb")    ? OVPN_PROFILE_SUITEB
                                                   : OVPN_PROFILE_LEGACY;
  return OVPN_OK;
}

OvpnStatus ovpn_on_cert_ku(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  ovpn_strv_clear(&a->c->remote_cert_ku);
  for (unsigned i = 1; i < o->argc; i++) {
    const char *hex = o->argv[i] + (strncasecmp(o->argv[i], "0x", 2) == 0 ? 2 : 0);
    if (!*hex || strlen(hex) > 4 || strspn(hex, "0123456789abcdefABCDEF") != strlen(hex))
      return bad(a, o, o->argv[i], "is not a hexadecimal key usage");
    if (!ovpn_strv_add(&a->c->remote_cert_ku, hex))
      return ovpn_config_no_memory(a->f);
  }
  /* Without a number only the presence of the extension is asked for. */
  if (o->argc == 1 && !ovpn_strv_add(&a->c->remote_cert_ku, "0"))
    return ovpn_config_no_memory(a->f);
  return OVPN_OK;
}

OvpnStatus ovpn_on_cert_eku(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  if (!*arg(o, 1))
    return bad(a, o, arg(o, 1), "is not a key usage");
  ovpn_strv_clear(&a->c->remote_cert_eku);
  return ovpn_strv_add(&a->c->remote_cert_eku, arg(o, 1)) ? OVPN_OK : ovpn_config_no_memory(a->f);
}

OvpnStatus ovpn_on_server_name(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  if (!*arg(o, 1))
    return bad(a, o, arg(o, 1), "is not a name");
  bool tls_remote = row->value;
  *(tls_remote ? &a->tls_remote : &a->verify_name) = true;
  a->c->name_check = arg_is(o, 2, "name-prefix")          ? OVPN_NAME_PREFIX
                     : tls_remote || arg_is(o, 2, "name") ? OVPN_NAME_NAME
                                                          : OVPN_NAME_SUBJECT;
  return set_text(a, &a->c->name, arg(o, 1));
}

OvpnStatus ovpn_on_username_field(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  if (o->argc > 2)
    return bad(a, o, arg(o, 2), "is one field too many; only one is supported");
  if (strlen(arg(o, 1)) > 64)
    return bad(a, o, arg(o, 1), "is not the name of a field");
  return set_text(a, &a->c->x509_username_field, arg(o, 1));
}

/* "aa:BB:..." or "aabb..." of 20 or 32 bytes -> lower-case hex in out; returns digits, 0 if it is
 * neither. */
static size_t read_hash(const char *text, size_t len, char out[65])
{
  size_t n = 0;
  for (size_t i = 0; i < len; i++) {
    if (text[i] == ':' && n > 0 && n % 2 == 0 && i + 1 < len && text[i - 1] != ':')
      continue;
    const char *digits = "0123456789abcdef";
    const char *d =
        text[i] ? strchr(digits, text[i] >= 'A' && text[i] <= 'F' ? text[i] + 32 : text[i]) : NULL;
    if (!d || n >= 64)
      return 0;
    out[n++] = *d;
  }
  out[n] = 0;
  return n == 40 || n == 64 ? n : 0;
}

typedef OvpnStatus HashHandler(ConfigApply *a, const OvpnOption *o, const char *text, size_t len);

/* Calls `each` for the argument, or for each line of the inline block that is not empty or a
 * comment. */
static OvpnStatus each_hash(ConfigApply *a, const OvpnOption *o, HashHandler *each)
{
  if (!o->is_inline)
    return each(a, o, arg(o, 1), strlen(arg(o, 1)));
  unsigned found = 0;
  const char *p = o->content.data ? (const char *)o->content.data : "";
  while (*p) {
    size_t skip = strspn(p, " \t\r\n");
    p += skip;
    size_t n = strcspn(p, " \t\r\n");
    if (*p == '#' || *p == ';') {
      p += strcspn(p, "\n");
      continue;
    }
    OvpnStatus s = n ? each(a, o, p, n) : OVPN_OK;
    if (s != OVPN_OK)
      return s;
    found += n > 0;
    p += n;
  }
  if (!found) /* an empty block must not switch the check off */
    return ovpn_failure_set(a->f, OVPN_FAIL_CONFIG, "%s: the block holds no fingerprint",
                            o->argv[0]);
  return OVPN_OK;
}

static OvpnStatus add_fingerprint(ConfigApply *a, const OvpnOption *o, const char *text, size_t len)
{
  char hex[65];
  if (read_hash(text, len, hex) != 64)
    return ovpn_failure_set(a->f, OVPN_FAIL_CONFIG, "%s: “%.*s” is not a SHA-256 fingerprint",
                            o->argv[0], (int)(len < 100 ? len : 100), text);
  return ovpn_strv_add(&a->c->peer_fingerprints, hex) ? OVPN_OK : ovpn_config_no_memory(a->f);
}

OvpnStatus ovpn_on_fingerprint(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  return each_hash(a, o, add_fingerprint);
}

static OvpnStatus set_verify_hash(ConfigApply *a, const OvpnOption *o, const char *text, size_t len)
{
  char hex[65];
  size_t n = read_hash(text, len, hex);
  const char *algorithm = arg(o, o->is_inline && !arg_is(o, 1, "[inline]") ? 1 : 2);
  bool sha1 = algorithm ? strcasecmp(algorithm, "SHA1") == 0 : n == 40;
  if (n == 0 || n != (sha1 ? 40 : 64))
    return ovpn_failure_set(a->f, OVPN_FAIL_CONFIG, "%s: “%.*s” is not a %s fingerprint",
                            o->argv[0], (int)(len < 100 ? len : 100), text,
                            sha1 ? "SHA-1" : "SHA-256");
  if (a->c->verify_hash && o->is_inline && strcmp(a->c->verify_hash, hex) != 0)
    return ovpn_failure_set(a->f, OVPN_FAIL_CONFIG, "%s: only one fingerprint is supported",
                            o->argv[0]);
  a->c->verify_hash_sha1 = sha1;
  return set_text(a, &a->c->verify_hash, hex);
}

OvpnStatus ovpn_on_verify_hash(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  (void)set_text(a, &a->c->verify_hash, NULL);
  return each_hash(a, o, set_verify_hash);
}
