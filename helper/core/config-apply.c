/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One option -> fields of the typed configuration. spec §13-§20, options.def.
 *
 * Trusts nothing: every option is checked against the grammar of the table first, so a handler sees
 * the right number of arguments in the right form; what the grammar cannot say is checked here. A
 * table maps ids to handlers; options without a row have no effect on the configuration (routes and
 * DNS are read by push.c). Options with the flag LATER that have a row are applied so that config.c
 * can refuse the profile, where leaving them out would be wrong. */
#include "helper/core/config.h"
#include "helper/core/config-parts.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- plain handlers */

static void *field(ConfigApply *a, const Row *row)
{
  return (char *)a->c + row->offset;
}

static OvpnStatus on_flag(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)o;
  *(bool *)field(a, row) = true;
  return OVPN_OK;
}

static OvpnStatus on_unsigned(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  *(unsigned *)field(a, row) = (unsigned)number(arg(o, 1));
  return OVPN_OK;
}

/* -1 and 0 both mean off. */
static OvpnStatus on_limit(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  int64_t n = number(arg(o, 1));
  *(uint64_t *)field(a, row) = n > 0 ? (uint64_t)n : 0;
  return OVPN_OK;
}

static OvpnStatus on_text(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  return set_text(a, field(a, row), arg(o, 1));
}

/* Two texts that lie one behind the other; the second may be missing. */
static OvpnStatus on_two_texts(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  char **f = field(a, row);
  OvpnStatus s = set_text(a, &f[0], arg(o, 1));
  return s == OVPN_OK ? set_text(a, &f[1], arg(o, 2)) : s;
}

static OvpnStatus on_cert_type(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  *(OvpnCertType *)field(a, row) = arg_is(o, 1, "server") ? OVPN_CERT_SERVER : OVPN_CERT_CLIENT;
  return OVPN_OK;
}

/* ---- transport */

static OvpnStatus on_local(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  OvpnStatus s = set_text(a, &a->c->local_host, arg_is(o, 1, "*") ? NULL : arg(o, 1));
  return s == OVPN_OK && arg(o, 2) ? set_text(a, &a->c->local_port, arg(o, 2)) : s;
}

static OvpnStatus on_lport(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  return set_text(a, &a->c->local_port, number(arg(o, 1)) ? arg(o, 1) : NULL);
}

/* Kernel rules for the name of an interface. */
static bool good_device(const char *name)
{
  return strlen(name) <= 15 && !strpbrk(name, "/:%") && strcmp(name, ".") != 0 &&
         strcmp(name, "..") != 0;
}

static OvpnStatus on_bind_dev(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  if (!good_device(arg(o, 1)))
    return bad(a, o, arg(o, 1), "is not the name of an interface");
  return set_text(a, &a->c->bind_dev, arg(o, 1));
}

static OvpnStatus on_connect_retry(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->c->connect_retry = (unsigned)number(arg(o, 1));
  if (arg(o, 2))
    a->c->connect_retry_max_wait = (unsigned)number(arg(o, 2));
  if (a->c->connect_retry_max_wait < a->c->connect_retry)
    a->c->connect_retry_max_wait = a->c->connect_retry;
  return OVPN_OK;
}

static OvpnStatus on_mtu_disc(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->c->mtu_disc = arg_is(o, 1, "yes") ? 2 : arg_is(o, 1, "maybe");
  return OVPN_OK;
}

/* ---- proxies */

static OvpnStatus on_proxy(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  bool http = row->value;
  const char *file = arg(o, 3);
  OvpnStatus s = set_text(a, &a->c->proxy_type, http ? "http" : "socks");
  if (s == OVPN_OK)
    s = set_text(a, &a->c->proxy_host, arg(o, 1));
  if (s == OVPN_OK)
    s = set_text(a, &a->c->proxy_port, arg(o, 2) ? arg(o, 2) : http ? "8080" : "1080");
  if (s != OVPN_OK || !file || arg_is(o, 3, "auto") || arg_is(o, 3, "auto-nct") ||
      arg_is(o, 3, "stdin") || (http && arg_is(o, 3, "none")))
    return s;
  return set_text(a, &a->c->files[OVPN_FILE_HTTP_PROXY_USER_PASS].name, file);
}

/* ---- device */

static OvpnStatus on_dev(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  const char *name = arg(o, 1);
  if (!good_device(name) || strcmp(name, "null") == 0)
    return bad(a, o, name, "is not the name of an interface");
  if (!a->dev_type_set)
    a->c->tap = strncmp(name, "tap", 3) == 0;
  bool only_type = strcmp(name, "tun") == 0 || strcmp(name, "tap") == 0;
  return set_text(a, &a->c->dev_name, only_type ? NULL : name);
}

static OvpnStatus on_dev_type(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->dev_type_set = true;
  a->c->tap = arg_is(o, 1, "tap");
  return OVPN_OK;
}

static OvpnStatus on_topology(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->c->topology_set = true;
  a->c->topology = arg_is(o, 1, "subnet") ? OVPN_TOPOLOGY_SUBNET
                   : arg_is(o, 1, "p2p")  ? OVPN_TOPOLOGY_P2P
                                          : OVPN_TOPOLOGY_NET30;
  return OVPN_OK;
}

static OvpnStatus on_mssfix(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->c->mssfix = arg(o, 1) ? (int)number(arg(o, 1)) : -1;
  a->c->mssfix_mtu = arg_is(o, 2, "mtu");
  a->c->mssfix_fixed = arg_is(o, 2, "fixed");
  return OVPN_OK;
}

/* ---- TLS */

static bool same_file(const OvpnFile *f, const OvpnOption *o)
{
  if (f->is_inline != o->is_inline)
    return false;
  if (o->is_inline)
    return f->content.len == o->content.len &&
           (f->content.len == 0 || memcmp(f->content.data, o->content.data, f->content.len) == 0);
  return strcmp(f->name, o->argv[1]) == 0;
}

static OvpnStatus set_file(ConfigApply *a, const OvpnOption *o, OvpnFileId id)
{
  OvpnFile *f = &a->c->files[id];
  const char *name = o->is_inline ? "[inline]" : arg(o, 1);
  if (!o->is_inline && strcmp(name, "[inline]") == 0) { /* the block itself stands elsewhere */
    a->marked_inline |= 1u << id;
    return OVPN_OK;
  }
  /* One key for all servers: what differs between <connection> blocks cannot be kept. */
  if (o->connection >= 0 && f->name && !same_file(f, o))
    return ovpn_failure_set(a->f, OVPN_FAIL_CONFIG,
                            "%s: connection blocks with different keys are not supported",
                            o->argv[0]);
  OvpnStatus s = set_text(a, &f->name, name);
  if (s != OVPN_OK)
    return s;
  f->is_inline = o->is_inline;
  if (!ovpn_blob_set(&f->content, o->content.data, o->content.len))
    return ovpn_config_no_memory(a->f);
  return OVPN_OK;
}

static OvpnStatus on_file(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  return set_file(a, o, (OvpnFileId)row->value);
}

static int direction(const char *word)
{
  return strcmp(word, "0") == 0   ? OVPN_DIR_NORMAL
         : strcmp(word, "1") == 0 ? OVPN_DIR_INVERSE
                                  : OVPN_DIR_NONE;
}

/* tls-auth and secret: a direction may follow the file. */
static OvpnStatus on_directed_file(ConfigApply *a, const OvpnOption *o, const Row *row)
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

static OvpnStatus on_key_direction(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->key_direction = direction(arg(o, 1));
  a->key_direction_set = true;
  return OVPN_OK;
}

static OvpnStatus on_crl_verify(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  return set_file(a, o, arg_is(o, 2, "dir") ? OVPN_FILE_CRL_DIR : OVPN_FILE_CRL);
}

static OvpnStatus on_capath(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)o;
  (void)row;
  a->capath = true;
  return OVPN_OK;
}

static OvpnStatus on_tls_version(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  *(int *)field(a, row) = 10 + arg(o, 1)[2] - '0'; /* the grammar knows 1.0 to 1.3 */
  if (row->value)
    a->c->tls_version_min_or_highest = arg_is(o, 2, "or-highest");
  return OVPN_OK;
}

static OvpnStatus on_cert_profile(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->c->cert_profile = arg_is(o, 1, "insecure")    ? OVPN_PROFILE_INSECURE
                       : arg_is(o, 1, "preferred") ? OVPN_PROFILE_PREFERRED
                       : arg_is(o, 1, "suiteb")    ? OVPN_PROFILE_SUITEB
                                                   : OVPN_PROFILE_LEGACY;
  return OVPN_OK;
}

static OvpnStatus on_cert_ku(ConfigApply *a, const OvpnOption *o, const Row *row)
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

static OvpnStatus on_cert_eku(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  if (!*arg(o, 1))
    return bad(a, o, arg(o, 1), "is not a key usage");
  ovpn_strv_clear(&a->c->remote_cert_eku);
  return ovpn_strv_add(&a->c->remote_cert_eku, arg(o, 1)) ? OVPN_OK : ovpn_config_no_memory(a->f);
}

static OvpnStatus on_server_name(ConfigApply *a, const OvpnOption *o, const Row *row)
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

static OvpnStatus on_username_field(ConfigApply *a, const OvpnOption *o, const Row *row)
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

static OvpnStatus on_fingerprint(ConfigApply *a, const OvpnOption *o, const Row *row)
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

static OvpnStatus on_verify_hash(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  (void)set_text(a, &a->c->verify_hash, NULL);
  return each_hash(a, o, set_verify_hash);
}

/* ---- signing in */

static OvpnStatus on_auth_user_pass(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  a->c->auth_user_pass = true;
  if (!o->is_inline && !arg(o, 1))
    return OVPN_OK;
  OvpnStatus s = on_file(a, o, row);
  if (s == OVPN_OK && o->content.len)
    (void)ovpn_user_pass_split(&o->content, &a->c->username, NULL); /* without a name: ask */
  return s;
}

static OvpnStatus on_askpass(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  return arg(o, 1) ? on_file(a, o, row) : OVPN_OK;
}

static OvpnStatus on_auth_retry(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->c->auth_retry = arg_is(o, 1, "none")         ? OVPN_AUTH_RETRY_NONE
                     : arg_is(o, 1, "nointeract") ? OVPN_AUTH_RETRY_NOINTERACT
                                                  : OVPN_AUTH_RETRY_INTERACT;
  return OVPN_OK;
}

static OvpnStatus on_static_challenge(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->c->static_challenge_echo = arg_is(o, 2, "1");
  a->c->static_challenge_concat = arg_is(o, 3, "concat");
  return set_text(a, &a->c->static_challenge, arg(o, 1));
}

/* A line of the peer information: NAME=value in printable characters. A second one replaces the
 * first. */
static OvpnStatus set_peer_info(ConfigApply *a, const OvpnOption *o)
{
  enum { UV_MAX = 64, UV_LINE_MAX = 512 };
  const char *name = arg(o, 1), *value = arg(o, 2) ? arg(o, 2) : "";
  char line[UV_LINE_MAX];
  if (strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_") !=
      strlen(name))
    return bad(a, o, name, "is not a name");
  for (const char *p = value; *p; p++)
    if ((unsigned char)*p < ' ' || *p == 0x7f)
      return bad(a, o, value, "contains a control character");
  int n = snprintf(line, sizeof line, "%s=%s", name, value);
  if (n < 0 || (size_t)n >= sizeof line)
    return bad(a, o, name, "is too long");
  OvpnStrv *uv = &a->c->uv;
  for (size_t i = 0; i < uv->n; i++)
    if (strncmp(uv->v[i], line, strlen(name) + 1) == 0)
      return set_text(a, &uv->v[i], line);
  if (uv->n >= UV_MAX)
    return bad(a, o, name, "is one too many");
  return ovpn_strv_add(uv, line) ? OVPN_OK : ovpn_config_no_memory(a->f);
}

/* Names that OpenVPN 3 and Access Server gave a meaning; the others only reach scripts. */
static OvpnStatus on_setenv(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  const char *name = arg(o, 1);
  if (strncmp(name, "UV_", 3) == 0 || strcmp(name, "IV_GUI_VER") == 0 ||
      strcmp(name, "IV_SSO") == 0 || strcmp(name, "IV_PLAT_VER") == 0 ||
      strcmp(name, "IV_HWADDR") == 0)
    return set_peer_info(a, o);
  if (strcmp(name, "CLIENT_CERT") == 0)
    a->c->client_cert_not_needed = arg_is(o, 2, "0");
  else if (strcmp(name, "PUSH_PEER_INFO") == 0)
    a->c->push_peer_info = true;
  else if (strcmp(name, "GENERIC_CONFIG") == 0)
    return ovpn_failure_set(
        a->f, OVPN_FAIL_CONFIG,
        "setenv GENERIC_CONFIG: this profile is a template and names no server");
  else if (strcmp(name, "SERVER_POLL_TIMEOUT") == 0) {
    int64_t n;
    if (!arg(o, 2) || !ovpn_option_number(arg(o, 2), 0, 86400, &n))
      return bad(a, o, arg(o, 2) ? arg(o, 2) : "", "is not a number between 0 and 86400");
    a->c->connect_timeout = (unsigned)n;
  }
  return OVPN_OK;
}

/* ---- data channel */

static OvpnStatus on_upper(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  char *upper = ovpn_config_upper(arg(o, 1));
  if (!upper)
    return ovpn_config_no_memory(a->f);
  OvpnStatus s = set_text(a, field(a, row), upper);
  free(upper);
  return s;
}

static OvpnStatus on_data_ciphers(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  if (strlen(arg(o, 1)) > 1024)
    return bad(a, o, arg(o, 1), "is too long");
  return set_text(a, &a->data_ciphers, arg(o, 1));
}

static OvpnStatus on_auth(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  static const char *const able[] = {"SHA1", "SHA224", "SHA256", "SHA384", "SHA512", "MD5", "NONE"};
  OvpnStatus s = on_upper(a, o, row);
  if (s != OVPN_OK)
    return s;
  char *name = a->c->auth;
  if (strncmp(name, "RSA-", 4) == 0)
    memmove(name, name + 4, strlen(name + 4) + 1);
  for (size_t i = 0; i < sizeof able / sizeof able[0]; i++)
    if (strcmp(name, able[i]) == 0)
      return OVPN_OK;
  return bad(a, o, arg(o, 1), "is not a supported digest");
}

static OvpnStatus on_compress(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  a->c->compress_set = true;
  if (row->value) /* comp-lzo: "no" keeps the framing as well */
    a->c->compress = OVPN_COMP_LZO;
  else if (!arg(o, 1) || arg_is(o, 1, "stub"))
    a->c->compress = OVPN_COMP_STUB;
  else
    a->c->compress = arg_is(o, 1, "lzo")       ? OVPN_COMP_LZO
                     : arg_is(o, 1, "lz4")     ? OVPN_COMP_LZ4
                     : arg_is(o, 1, "lz4-v2")  ? OVPN_COMP_LZ4_V2
                     : arg_is(o, 1, "stub-v2") ? OVPN_COMP_STUB_V2
                                               : OVPN_COMP_NONE; /* migrate */
  return OVPN_OK;
}

static OvpnStatus on_allow_compression(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->c->allow_decompress = !arg_is(o, 1, "no");
  return OVPN_OK;
}

static OvpnStatus on_replay_window(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->c->replay_window = (unsigned)number(arg(o, 1));
  if (arg(o, 2))
    a->c->replay_time = (unsigned)number(arg(o, 2));
  return OVPN_OK;
}

/* ---- timers */

/* ping-restart and ping-exit are one timer with two endings: the last one counts. */
static OvpnStatus on_ping_end(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  unsigned n = (unsigned)number(arg(o, 1));
  a->c->ping_exit = row->value ? n : 0;
  a->c->ping_restart = row->value ? 0 : n;
  a->c->ping_restart_set = true;
  return OVPN_OK;
}

static OvpnStatus on_keepalive(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  unsigned ping = (unsigned)number(arg(o, 1)), restart = (unsigned)number(arg(o, 2));
  if (restart < ping)
    return bad(a, o, arg(o, 2), "is less than the time between pings");
  a->c->ping = ping;
  a->c->ping_restart = restart;
  a->c->ping_exit = 0;
  a->c->ping_restart_set = true;
  return OVPN_OK;
}

static OvpnStatus on_inactive(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)row;
  a->c->inactive = (unsigned)number(arg(o, 1));
  a->c->inactive_bytes = (uint64_t)number(arg(o, 2));
  return OVPN_OK;
}

/* ---- the table */

#define AT(f) .offset = offsetof(OvpnConfig, f)
#define FLAG(id, f) [OVPN_OPT_##id] = {.apply = on_flag, AT(f)}
#define UINT(id, f) [OVPN_OPT_##id] = {.apply = on_unsigned, AT(f)}
#define TEXT(id, f) [OVPN_OPT_##id] = {.apply = on_text, AT(f)}
#define FILE_(id) [OVPN_OPT_##id] = {.apply = on_file, .value = OVPN_FILE_##id}
#define DO(id, handler, ...) [OVPN_OPT_##id] = {.apply = handler, __VA_ARGS__}

static const Row rows[OVPN_OPT_MAX_] = {
    FLAG(CLIENT, pull),
    FLAG(PULL, pull),
    DO(REMOTE, ovpn_on_remote, .value = 0),
    DO(PROTO, ovpn_on_proto, .value = 0),
    DO(PROTO_FORCE, ovpn_on_proto_force, .value = 0),
    DO(PORT, ovpn_on_port, .value = 0),
    DO(RPORT, ovpn_on_port, .value = 0),
    DO(LPORT, on_lport, .value = 0),
    DO(LOCAL, on_local, .value = 0),
    DO(BIND_DEV, on_bind_dev, .value = 0),
    UINT(MARK, mark),
    UINT(SNDBUF, sndbuf),
    UINT(RCVBUF, rcvbuf),
    FLAG(REMOTE_RANDOM, remote_random),
    FLAG(REMOTE_RANDOM_HOSTNAME, remote_random_hostname),
    FLAG(FLOAT, is_float),
    UINT(CONNECT_TIMEOUT, connect_timeout),
    DO(CONNECT_RETRY, on_connect_retry, .value = 0),
    UINT(CONNECT_RETRY_MAX, connect_retry_max),
    DO(HTTP_PROXY, on_proxy, .value = true),
    DO(SOCKS_PROXY, on_proxy, .value = false),
    FILE_(HTTP_PROXY_USER_PASS),
    DO(DEV, on_dev, .value = 0),
    DO(DEV_TYPE, on_dev_type, .value = 0),
    DO(TOPOLOGY, on_topology, .value = 0),
    DO(IFCONFIG, on_two_texts, AT(ifconfig_local)),
    DO(IFCONFIG_IPV6, on_two_texts, AT(ifconfig_ipv6_local)),
    UINT(TUN_MTU, tun_mtu),
    UINT(TUN_MTU_MAX, tun_mtu_max),
    DO(MTU_DISC, on_mtu_disc, .value = 0),
    DO(MSSFIX, on_mssfix, .value = 0),
    UINT(FRAGMENT, fragment),
    UINT(MAX_PACKET_SIZE, max_packet_size),
    FLAG(ROUTE_NOPULL, route_nopull),
    FLAG(ALLOW_PULL_FQDN, allow_pull_fqdn),
    FILE_(CA),
    DO(CAPATH, on_capath, .value = 0),
    FILE_(CERT),
    FILE_(KEY),
    FILE_(EXTRA_CERTS),
    FILE_(PKCS12),
    DO(TLS_AUTH, on_directed_file, .value = OVPN_FILE_TLS_AUTH),
    FILE_(TLS_CRYPT),
    FILE_(TLS_CRYPT_V2),
    DO(SECRET, on_directed_file, .value = OVPN_FILE_SECRET),
    DO(KEY_DIRECTION, on_key_direction, .value = 0),
    DO(CRL_VERIFY, on_crl_verify, .value = 0),
    DO(REMOTE_CERT_TLS, on_cert_type, AT(remote_cert_tls)),
    DO(NS_CERT_TYPE, on_cert_type, AT(ns_cert_type)),
    DO(REMOTE_CERT_KU, on_cert_ku, .value = 0),
    DO(REMOTE_CERT_EKU, on_cert_eku, .value = 0),
    DO(VERIFY_X509_NAME, on_server_name, .value = false),
    DO(TLS_REMOTE, on_server_name, .value = true),
    DO(X509_USERNAME_FIELD, on_username_field, .value = 0),
    DO(PEER_FINGERPRINT, on_fingerprint, .value = 0),
    DO(VERIFY_HASH, on_verify_hash, .value = 0),
    DO(TLS_VERSION_MIN, on_tls_version, AT(tls_version_min), .value = true),
    DO(TLS_VERSION_MAX, on_tls_version, AT(tls_version_max), .value = false),
    TEXT(TLS_CIPHER, tls_cipher),
    TEXT(TLS_CIPHERSUITES, tls_ciphersuites),
    TEXT(TLS_GROUPS, tls_groups),
    DO(TLS_CERT_PROFILE, on_cert_profile, .value = 0),
    DO(AUTH_USER_PASS, on_auth_user_pass, .value = OVPN_FILE_AUTH_USER_PASS),
    DO(ASKPASS, on_askpass, .value = OVPN_FILE_ASKPASS),
    DO(AUTH_RETRY, on_auth_retry, .value = 0),
    DO(STATIC_CHALLENGE, on_static_challenge, .value = 0),
    FLAG(PUSH_PEER_INFO, push_peer_info),
    DO(SETENV, on_setenv, .value = 0),
    DO(CIPHER, on_upper, AT(cipher)),
    DO(DATA_CIPHERS, on_data_ciphers, .value = 0),
    DO(DATA_CIPHERS_FALLBACK, on_upper, AT(data_ciphers_fallback)),
    DO(AUTH, on_auth, AT(auth)),
    DO(COMPRESS, on_compress, .value = false),
    DO(COMP_LZO, on_compress, .value = true),
    DO(ALLOW_COMPRESSION, on_allow_compression, .value = 0),
    DO(REPLAY_WINDOW, on_replay_window, .value = 0),
    FLAG(DISABLE_OCC, disable_occ),
    UINT(PING, ping),
    DO(PING_RESTART, on_ping_end, .value = false),
    DO(PING_EXIT, on_ping_end, .value = true),
    DO(KEEPALIVE, on_keepalive, .value = 0),
    DO(INACTIVE, on_inactive, .value = 0),
    UINT(SESSION_TIMEOUT, session_timeout),
    UINT(TLS_TIMEOUT, tls_timeout),
    UINT(HAND_WINDOW, hand_window),
    UINT(TRAN_WINDOW, tran_window),
    UINT(RENEG_SEC, reneg_sec), /* a second argument only spreads the moment, 2.x servers */
    DO(RENEG_BYTES, on_limit, AT(reneg_bytes)),
    DO(RENEG_PKTS, on_limit, AT(reneg_pkts)),
    DO(EXPLICIT_EXIT_NOTIFY, ovpn_on_exit_notify, .value = 0),
    UINT(VERB, verb),
};

static OvpnStatus apply_one(ConfigApply *a, const OvpnOption *o)
{
  const OvpnOptionInfo *info = ovpn_option_info(o->id);
  if (o->connection >= 0 && !(info->flags & OVPN_OPTF_CONNECTION) && rows[info->id].apply)
    return ovpn_failure_set(a->f, OVPN_FAIL_CONFIG, "%s: cannot stand in a connection block",
                            o->argv[0]);
  OvpnStatus s = ovpn_option_check(o, a->f);
  if (s != OVPN_OK || !rows[info->id].apply)
    return s;
  return rows[info->id].apply(a, o, &rows[info->id]);
}

OvpnStatus ovpn_config_apply(OvpnConfig *c, const OvpnOptionList *l, OvpnFailure *f)
{
  ConfigApply a = {.c = c, .l = l, .f = f, .proto = OVPN_PROTO_UDP, .proto_force = -1};
  OvpnStatus s = OVPN_OK;
  if (c->n_remotes > 0)
    return ovpn_failure_set(f, OVPN_FAIL_INTERNAL, "a configuration was applied twice");
  for (size_t i = 0; i < l->n && s == OVPN_OK; i++)
    s = apply_one(&a, &l->items[i]);
  if (s == OVPN_OK)
    s = ovpn_config_finish(&a);
  free(a.remotes);
  free(a.port);
  free(a.data_ciphers);
  return s;
}
