/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text forms of the values in vpn.data: escapes, data: URIs, the `remote` list, blocks of
 * extra-options.
 *
 * The profile was written by a person, another program or an older plugin, so nothing about its
 * form is assumed; a value that does not fit is reported, never guessed.
 * spec/networkmanager-openvpn.md §3. */
#include "service/profile-private.h"

#include <arpa/inet.h>
#include <string.h>

#define DATA_URI_PREFIX "data:;base64,"

char *nmovpn_text_escape(const char *text, gsize len)
{
  GString *s = g_string_sized_new(len + 16);
  const char *end = text + len;
  while (text < end) {
    gunichar c = g_utf8_get_char_validated(text, end - text);
    if (c == (gunichar)-1 || c == (gunichar)-2 || c == 0) {
      g_string_append_printf(s, "\\%03o", (guint8)*text++);
      continue;
    }
    const char *next = g_utf8_next_char(text);
    if (c == '\\')
      g_string_append(s, "\\\\");
    else if (c == '\n')
      g_string_append(s, "\\n");
    else if (c == '\t')
      g_string_append(s, "\\t");
    else if (c < 0x20 || c == 0x7f)
      g_string_append_printf(s, "\\%03o", (guint8)c);
    else
      g_string_append_len(s, text, next - text);
    text = next;
  }
  return g_string_free(s, FALSE);
}

/* Up to three octal digits; a zero byte would end the text early and is left out. */
static const char *unescape_octal(const char *p, GString *s)
{
  guint value = 0;
  for (int i = 0; i < 3 && *p >= '0' && *p <= '7'; i++)
    value = value * 8 + (guint)(*p++ - '0');
  if (value & 0xff)
    g_string_append_c(s, (char)value);
  return p;
}

char *nmovpn_text_unescape(const char *text)
{
  static const char from[] = "abfnrtv", to[] = "\a\b\f\n\r\t\v";
  GString *s = g_string_sized_new(strlen(text));
  while (*text) {
    if (*text != '\\') {
      g_string_append_c(s, *text++);
      continue;
    }
    text++;
    const char *known = *text ? strchr(from, *text) : NULL;
    if (*text >= '0' && *text <= '7')
      text = unescape_octal(text, s);
    else if (known) {
      g_string_append_c(s, to[known - from]);
      text++;
    } else if (*text)
      g_string_append_c(s, *text++);
    else
      g_string_append_c(s, '\\'); /* a lone backslash at the end stands for itself */
  }
  return g_string_free(s, FALSE);
}

gboolean profile_is_data_uri(const char *value)
{
  return value && g_ascii_strncasecmp(value, "data:", 5) == 0;
}

gboolean profile_is_token_uri(const char *value)
{
  return value && g_ascii_strncasecmp(value, "pkcs11:", 7) == 0;
}

gboolean profile_is_inline_marker(const char *arg)
{
  return arg && (!strcmp(arg, "[inline]") || !strcmp(arg, "[[INLINE]]"));
}

gboolean profile_base64_decode(const void *text, gsize len, OvpnBlob *ret)
{
  const char *p = text;
  GString *clean = g_string_sized_new(len + 1);
  gboolean good = TRUE;
  for (gsize i = 0; i < len && good; i++) {
    if (g_ascii_isspace(p[i]))
      continue;
    good = g_ascii_isalnum(p[i]) || p[i] == '+' || p[i] == '/' || p[i] == '=';
    g_string_append_c(clean, p[i]);
  }
  good = good && clean->len && clean->len % 4 == 0;
  if (good) {
    gsize n = 0;
    guchar *bytes = g_base64_decode(clean->str, &n);
    good = ovpn_blob_set(ret, bytes, n);
    ovpn_wipe(bytes, n);
    g_free(bytes);
  }
  ovpn_wipe(clean->str, clean->len);
  g_string_free(clean, TRUE);
  return good;
}

gboolean nmovpn_data_uri_decode(const char *text, OvpnBlob *ret)
{
  if (!profile_is_data_uri(text))
    return FALSE;
  /* Any media type may stand before ";base64,"; the bytes alone matter. */
  const char *comma = strchr(text, ',');
  static const char mark[] = ";base64";
  if (!comma || comma - text < (gssize)strlen("data:") + (gssize)strlen(mark) ||
      g_ascii_strncasecmp(comma - strlen(mark), mark, strlen(mark)))
    return FALSE;
  if (!comma[1]) {
    ovpn_blob_clear(ret);
    return TRUE;
  }
  return profile_base64_decode(comma + 1, strlen(comma + 1), ret);
}

char *nmovpn_data_uri_encode(const void *data, gsize len)
{
  char *b64 = g_base64_encode(data ? data : "", len);
  char *uri = g_strconcat(DATA_URI_PREFIX, b64, NULL);
  ovpn_secret_free(b64);
  return uri;
}

/* Reads a DER length at p[*at]; FALSE when it is cut or longer than four bytes. */
static gboolean der_skip_length(const guint8 *p, gsize len, gsize *at)
{
  if (*at >= len)
    return FALSE;
  gsize more = p[*at] & 0x80 ? p[*at] & 0x7f : 0;
  if (more > 4 || len - *at - 1 < more)
    return FALSE;
  *at += 1 + more;
  return TRUE;
}

/* Looks at the head of a DER SEQUENCE: PFX is version 3; an encrypted PKCS#8 key begins with an
 * algorithm. */
static gboolean der_head(const guint8 *p, gsize len, gboolean *ret_pkcs12, gboolean *ret_encrypted)
{
  gsize at = 1;
  *ret_pkcs12 = *ret_encrypted = FALSE;
  /* BER with indefinite length (0x80) occurs in the wild for PKCS#12; der_skip_length passes it. */
  if (len < 8 || p[0] != 0x30 || !der_skip_length(p, len, &at))
    return FALSE;
  *ret_pkcs12 = len - at >= 3 && p[at] == 0x02 && p[at + 1] == 1 && p[at + 2] == 3;
  if (!*ret_pkcs12 && at < len && p[at] == 0x30) {
    at++;
    *ret_encrypted = der_skip_length(p, len, &at) && at < len && p[at] == 0x06;
  }
  return TRUE;
}

gboolean profile_bytes_are_pkcs12(const void *data, gsize len)
{
  gboolean p12 = FALSE, encrypted = FALSE;
  if (der_head(data, len, &p12, &encrypted))
    return p12;
  ovpn_auto_blob der = {0};
  return len && profile_base64_decode(data, len, &der) &&
         der_head(der.data, der.len, &p12, &encrypted) && p12;
}

gboolean nmovpn_pem_without_keys(const void *text, gsize len, OvpnBlob *ret)
{
  static const char begin[] = "-----BEGIN ", private_key[] = "PRIVATE KEY-----",
                    end[] = "-----END ";
  const char *p = len ? text : "", *stop = p + len;
  gboolean in_key = FALSE, ok = TRUE;
  for (const char *next; ok && p < stop; p = next) {
    const char *newline = memchr(p, '\n', (gsize)(stop - p));
    next = newline ? newline + 1 : stop;
    gsize n = (gsize)(next - p);
    in_key |= memmem(p, n, begin, strlen(begin)) && memmem(p, n, private_key, strlen(private_key));
    if (!in_key)
      ok = ovpn_blob_append(ret, p, n);
    if (memmem(p, n, end, strlen(end)))
      in_key = FALSE;
  }
  return ok;
}

gboolean nmovpn_key_text_is_encrypted(const void *data, gsize len)
{
  gboolean p12 = FALSE, encrypted = FALSE;
  if (!data || !len)
    return FALSE;
  if (der_head(data, len, &p12, &encrypted))
    return p12 || encrypted;
  if (memmem(data, len, "-----BEGIN ENCRYPTED PRIVATE KEY-----", 37))
    return TRUE;
  if (memmem(data, len, "Proc-Type: 4,ENCRYPTED", 22))
    return TRUE;
  return profile_bytes_are_pkcs12(data, len);
}

gboolean profile_cert_is_pkcs12(const char *cert, const char *key)
{
  if (!cert || profile_is_data_uri(cert) || profile_is_token_uri(cert))
    return FALSE;
  static const char *const pem[] = {".pem", ".crt", ".cer", ".cert", ".key", ".txt"};
  g_autofree char *lower = g_ascii_strdown(cert, -1);
  if (g_str_has_suffix(lower, ".p12") || g_str_has_suffix(lower, ".pfx"))
    return TRUE;
  /* One file for both is a PKCS#12 file, or a PEM file with both in it. */
  gboolean both = key && !strcmp(cert, key);
  for (guint i = 0; i < G_N_ELEMENTS(pem); i++)
    both = both && !g_str_has_suffix(lower, pem[i]);
  return both;
}

gboolean profile_is_port(const char *text)
{
  guint64 n = 0;
  return text && g_ascii_string_to_unsigned(text, 10, 1, 65535, &n, NULL);
}

static gboolean is_proto_word(const char *text)
{
  static const char *const words[] = {"udp",  "udp4",       "udp6",        "tcp",         "tcp4",
                                      "tcp6", "tcp-client", "tcp4-client", "tcp6-client", NULL};
  return g_strv_contains(words, text);
}

void profile_remote_clear(ProfileRemote *r)
{
  g_clear_pointer(&r->host, g_free);
  g_clear_pointer(&r->port, g_free);
  g_clear_pointer(&r->proto, g_free);
}

/* ":port", ":port:proto", "::proto" or nothing. */
static gboolean remote_tail(const char *tail, ProfileRemote *ret)
{
  if (!*tail)
    return TRUE;
  if (*tail++ != ':')
    return FALSE;
  const char *colon = strchr(tail, ':');
  g_autofree char *port = colon ? g_strndup(tail, (gsize)(colon - tail)) : g_strdup(tail);
  const char *proto = colon ? colon + 1 : "";
  if (*port && !profile_is_port(port))
    return FALSE;
  if (*proto && !is_proto_word(proto))
    return FALSE;
  ret->port = *port ? g_steal_pointer(&port) : NULL;
  ret->proto = *proto ? g_strdup(proto) : NULL;
  return TRUE;
}

/* Where the host ends in an item without brackets. An address with its own colons is only told from
 * a port by the words after it, so the longest tail that makes sense is taken. */
static gsize bare_host_len(const char *item)
{
  gsize colons = 0;
  for (const char *p = item; *p; p++)
    colons += *p == ':';
  struct in6_addr a;
  if (colons <= 2 && !(colons == 2 && inet_pton(AF_INET6, item, &a) == 1))
    return strcspn(item, ":");
  const char *last = strrchr(item, ':');
  if (!is_proto_word(last + 1))
    return strlen(item);
  const char *p = last;
  while (p > item && p[-1] != ':')
    p--;
  return p > item ? (gsize)(p - 1 - item) : 0;
}

gboolean profile_remote_parse(const char *item, ProfileRemote *ret)
{
  ProfileRemote r = {0};
  const char *tail;
  if (*item == '[') {
    const char *close = strchr(item, ']');
    if (!close)
      return FALSE;
    r.host = g_strndup(item + 1, (gsize)(close - item - 1));
    tail = close + 1;
  } else {
    gsize n = bare_host_len(item);
    r.host = g_strndup(item, n);
    tail = item + n;
  }
  if (!*r.host || !remote_tail(tail, &r)) {
    profile_remote_clear(&r);
    return FALSE;
  }
  *ret = r;
  return TRUE;
}

char *profile_remote_format(const char *host, const char *port, const char *proto)
{
  if (!*host || strpbrk(host, " \t,[]\\") || !g_utf8_validate(host, -1, NULL))
    return NULL;
  if ((port && !profile_is_port(port)) || (proto && !is_proto_word(proto)))
    return NULL;
  struct in6_addr a;
  gboolean colon = strchr(host, ':') != NULL;
  g_autofree char *plain = g_strndup(host, strcspn(host, "%"));
  if (colon && inet_pton(AF_INET6, plain, &a) != 1)
    return NULL;
  return g_strconcat(colon ? "[" : "", host, colon ? "]" : "", port || proto ? ":" : "",
                     port ? port : "", proto ? ":" : "", proto ? proto : "", NULL);
}

char *nmovpn_option_text(const OvpnOption *o)
{
  if (!o->is_inline) {
    char *line = ovpn_option_format(o);
    char *text = line ? g_strconcat(line, "\n", NULL) : NULL;
    ovpn_secret_free(line);
    return text;
  }
  const char *name = o->argv[0];
  const char *body = o->content.len ? (const char *)o->content.data : "";
  gboolean closed = !o->content.len || body[o->content.len - 1] == '\n';
  return g_strconcat("<", name, ">\n", body, closed ? "" : "\n", "</", name, ">\n", NULL);
}

/* A value a key can hold as it is. */
gboolean profile_is_plain(const char *text)
{
  return text && *text && g_utf8_validate(text, -1, NULL) && !strpbrk(text, "\r\n");
}

gboolean profile_is_marker_line(const OvpnOption *o)
{
  return !o->is_inline && o->argc > 1 && profile_is_inline_marker(o->argv[1]);
}

/* The first two lines of a credentials block; NULL when there is no such line. */
char *profile_credential_line(const OvpnOption *o, guint n)
{
  char *text = ovpn_secret_strdup(o->content.len ? (const char *)o->content.data : "");
  char *p = text, *line = NULL;
  for (guint i = 0; p && i <= n; i++) {
    line = strsep(&p, "\n");
    line[strcspn(line, "\r")] = '\0';
  }
  char *ret = line && (p || *line) && profile_is_plain(line) ? ovpn_secret_strdup(line) : NULL;
  if (text)
    ovpn_wipe(text, o->content.len);
  ovpn_secret_free(text);
  return ret;
}

char *profile_absolute_path(const char *directory, const char *cd, const char *path)
{
  g_autofree char *from = NULL;
  if (g_path_is_absolute(path))
    return g_strdup(path);
  if (cd)
    from = profile_absolute_path(directory, NULL, cd);
  if (!from && !directory)
    return g_strdup(path);
  return g_build_filename(from ? from : directory, path, NULL);
}

/* Which argument names a file that is read at every connect; 0: none. */
guint profile_file_argument(const OvpnOption *o)
{
  static const char *const words[] = {"auto", "auto-nct", "stdin", "none", NULL};
  guint at = o->id == OVPN_OPT_HTTP_PROXY || o->id == OVPN_OPT_SOCKS_PROXY ? 3 : 0;
  if (ovpn_option_info(o->id)->flags & OVPN_OPTF_FILE)
    at = 1;
  if (!at || o->is_inline || o->argc <= at || !*o->argv[at] || profile_is_marker_line(o) ||
      profile_is_token_uri(o->argv[at]) || (at == 3 && g_strv_contains(words, o->argv[at])) ||
      (o->id == OVPN_OPT_DH && !strcmp(o->argv[1], "none")))
    return 0;
  return at;
}
