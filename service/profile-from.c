/* SPDX-License-Identifier: GPL-2.0-or-later */
/* OpenVPN options (of a .ovpn file) -> vpn.data.
 *
 * Nothing is lost: what a key can hold exactly goes into the key, every other line goes to
 * extra-options as it was written and in its order. An option that a later line replaces is left
 * out, because keys and lines are read back in another order than the file's. The file is data from
 * a stranger: values are checked for what a key can carry, never executed or opened.
 * spec/networkmanager-openvpn.md §1, DESIGN §7. */
#include "ovpn-build.h"

#include "service/profile-private.h"

#include <glib/gi18n-lib.h>
#include <string.h>

typedef struct From {
  const OvpnOptionList *list;
  const char *directory;
  NMSettingVpn *vpn;
  ProfileIp ip;
  GString *extra;
  const OvpnOption *last[OVPN_OPT_MAX_]; /* last global line of each option that counts */
  const OvpnOption *first_block;         /* first item inside <connection>, or NULL */
  gboolean remotes_fit;                  /* all of them can stand in the `remote` key */
  gboolean binds;                        /* bind, lport or local are there */
  gboolean client, tls_client, pull, login, login_saved, cert;
  gboolean nobind; /* somewhere, also for one server only */
  const char *direction;
} From;

static void set(const From *c, const char *key, const char *value)
{
  nm_setting_vpn_add_data_item(c->vpn, key, value);
}

static void unset(const From *c, const char *key)
{
  nm_setting_vpn_remove_data_item(c->vpn, key);
}

static const char *get(const From *c, const char *key)
{
  return profile_get(c->vpn, key);
}

static gboolean set_plain(const From *c, const char *key, const char *value)
{
  if (!profile_is_plain(value))
    return FALSE;
  set(c, key, value);
  return TRUE;
}

static gboolean is_number(const char *text)
{
  guint64 n = 0;
  return text && g_ascii_string_to_unsigned(text, 10, 0, G_MAXINT32, &n, NULL);
}

/* `cd` holds for all files, wherever it stands. */
static char *absolute_path(const From *c, const char *path)
{
  const OvpnOption *cd = c->last[OVPN_OPT_CD];
  return profile_absolute_path(c->directory, cd && cd->argc == 2 ? cd->argv[1] : NULL, path);
}

/* Value of a file key: escaped path, token URI, or the block's content. NULL: no key can hold it.
 */
static char *file_value(const From *c, const OvpnOption *o)
{
  if (o->is_inline) {
    ovpn_auto_blob public = {0};
    const OvpnBlob *b = &o->content;
    if (o->id == OVPN_OPT_CERT || o->id == OVPN_OPT_CA || o->id == OVPN_OPT_EXTRA_CERTS)
      b = nmovpn_pem_without_keys(b->data, b->len, &public) ? &public : b;
    return b->len ? nmovpn_data_uri_encode(b->data, b->len) : NULL;
  }
  const char *arg = o->argc > 1 ? o->argv[1] : "";
  if (!*arg || profile_is_inline_marker(arg))
    return NULL;
  if (profile_is_token_uri(arg))
    return profile_is_plain(arg) ? g_strdup(arg) : NULL;
  g_autofree char *path = absolute_path(c, arg);
  if (profile_is_data_uri(path)) /* a file of that name */
    return g_strconcat("./", path, NULL);
  return nmovpn_text_escape(path, strlen(path));
}

static gboolean set_file(const From *c, const char *key, const OvpnOption *o)
{
  char *value = file_value(c, o);
  if (!value)
    return FALSE;
  set(c, key, value);
  ovpn_secret_free(value);
  return TRUE;
}

/* A later line of another directive that sets the same thing. */
static gboolean is_overridden(const OvpnOption *o, const OvpnOption *by)
{
  return by && by > o;
}

static gboolean from_mode(From *c, const OvpnOption *o)
{
  if (o->argc > 1)
    return FALSE;
  c->client |= o->id == OVPN_OPT_CLIENT;
  c->tls_client |= o->id == OVPN_OPT_TLS_CLIENT;
  c->pull |= o->id == OVPN_OPT_PULL;
  return TRUE;
}

static gboolean from_nobind(From *c, const OvpnOption *o)
{
  return o->argc == 1 && !c->binds;
}

static gboolean from_remote(From *c, const OvpnOption *o)
{
  if (!c->remotes_fit)
    return FALSE;
  const char *old = get(c, KEY_REMOTE);
  g_autofree char *item = profile_remote_format(o->argv[1], o->argc > 2 ? o->argv[2] : NULL,
                                                o->argc > 3 ? o->argv[3] : NULL);
  g_autofree char *all = old ? g_strconcat(old, ", ", item, NULL) : g_strdup(item);
  set(c, KEY_REMOTE, all);
  return TRUE;
}

static gboolean remote_fits(const OvpnOption *o)
{
  if (o->argc < 2 || o->argc > 4)
    return FALSE;
  g_autofree char *item = profile_remote_format(o->argv[1], o->argc > 2 ? o->argv[2] : NULL,
                                                o->argc > 3 ? o->argv[3] : NULL);
  return item != NULL;
}

static gboolean from_proto(From *c, const OvpnOption *o)
{
  if (o->argc != 2)
    return FALSE;
  if (!g_ascii_strcasecmp(o->argv[1], "udp"))
    return TRUE; /* the default */
  if (g_ascii_strcasecmp(o->argv[1], "tcp") && g_ascii_strcasecmp(o->argv[1], "tcp-client"))
    return FALSE;
  set(c, KEY_PROTO_TCP, "yes");
  return TRUE;
}

static gboolean from_port(From *c, const OvpnOption *o)
{
  if (is_overridden(o, c->last[o->id == OVPN_OPT_PORT ? OVPN_OPT_RPORT : OVPN_OPT_PORT]))
    return TRUE;
  return o->argc == 2 && profile_is_port(o->argv[1]) && set_plain(c, KEY_PORT, o->argv[1]);
}

static gboolean from_dev(From *c, const OvpnOption *o)
{
  if (o->argc != 2 || !*o->argv[1])
    return FALSE;
  g_autofree char *value = nmovpn_text_escape(o->argv[1], strlen(o->argv[1]));
  set(c, KEY_DEV, value);
  return TRUE;
}

/* ping-exit and ping-restart share one timer in OpenVPN: the later line decides. */
static gboolean from_ping(From *c, const OvpnOption *o)
{
  gboolean leave = o->id == OVPN_OPT_PING_EXIT;
  if (o->argc != 2 || !is_number(o->argv[1]))
    return FALSE;
  unset(c, leave ? KEY_PING_RESTART : KEY_PING_EXIT);
  return set_plain(c, leave ? KEY_PING_EXIT : KEY_PING_RESTART, o->argv[1]);
}

static gboolean from_keepalive(From *c, const OvpnOption *o)
{
  if (o->argc != 3 || !is_number(o->argv[1]) || !is_number(o->argv[2]))
    return FALSE;
  unset(c, KEY_PING_EXIT);
  return set_plain(c, KEY_PING, o->argv[1]) && set_plain(c, KEY_PING_RESTART, o->argv[2]);
}

static gboolean is_address(const char *text)
{
  return *text &&
         strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-.") ==
             strlen(text);
}

static gboolean from_ifconfig(From *c, const OvpnOption *o)
{
  if (o->argc != 3 || !is_address(o->argv[1]) || !is_address(o->argv[2]))
    return FALSE;
  return set_plain(c, KEY_LOCAL_IP, o->argv[1]) && set_plain(c, KEY_REMOTE_IP, o->argv[2]);
}

static gboolean from_mssfix(From *c, const OvpnOption *o)
{
  if (o->argc > 2 || (o->argc == 2 && !is_number(o->argv[1])))
    return FALSE;
  set(c, KEY_MSSFIX, o->argc == 2 ? o->argv[1] : "yes");
  return TRUE;
}

/* With "allow-compression no" the key would hide the framing that the line asks for: keep the line.
 */
static gboolean compression_has_no_key(const From *c)
{
  const OvpnOption *allow = c->last[OVPN_OPT_ALLOW_COMPRESSION];
  return allow && allow->argc > 1 && !g_ascii_strcasecmp(allow->argv[1], "no");
}

static gboolean from_compress(From *c, const OvpnOption *o)
{
  static const char *const known[] = {"lzo", "lz4", "lz4-v2", NULL};
  if (is_overridden(o, c->last[OVPN_OPT_COMP_LZO]))
    return TRUE;
  if (o->argc > 2 || compression_has_no_key(c) ||
      (o->argc == 2 && !g_strv_contains(known, o->argv[1])))
    return FALSE;
  set(c, KEY_COMPRESS, o->argc == 2 ? o->argv[1] : "yes");
  return TRUE;
}

static gboolean from_comp_lzo(From *c, const OvpnOption *o)
{
  const char *value = o->argc == 2 ? o->argv[1] : "adaptive";
  if (is_overridden(o, c->last[OVPN_OPT_COMPRESS]))
    return TRUE;
  if (o->argc > 2 || compression_has_no_key(c))
    return FALSE;
  if (!strcmp(value, "no"))
    value = "no-by-default";
  else if (strcmp(value, "yes") && strcmp(value, "adaptive"))
    return FALSE;
  set(c, KEY_COMP_LZO, value);
  return TRUE;
}

static void set_inline_key(From *c, const OvpnOption *o)
{
  char *uri = nmovpn_data_uri_encode(o->content.data, o->content.len);
  nm_setting_vpn_add_secret(c->vpn, NMOVPN_SECRET_KEY, uri);
  ovpn_secret_free(uri);
  /* Says that there is a key even to a program that may not see the secret. */
  set(c, NMOVPN_SECRET_KEY FLAGS_SUFFIX, "0");
  c->cert = TRUE;
}

/* A file of both whose name would make the keys mean PKCS#12. */
static gboolean keys_would_mean_pkcs12(const From *c)
{
  const OvpnOption *cert = c->last[OVPN_OPT_CERT], *key = c->last[OVPN_OPT_KEY];
  gboolean files = cert && key && !cert->is_inline && !key->is_inline && cert->argc == 2 &&
                   key->argc == 2 && !profile_is_marker_line(cert) && !profile_is_marker_line(key);
  return files && profile_cert_is_pkcs12(cert->argv[1], key->argv[1]);
}

static gboolean from_cert(From *c, const OvpnOption *o)
{
  if (keys_would_mean_pkcs12(c)) {
    c->cert = TRUE;
    return FALSE;
  }
  if (o->argc > 2 || !set_file(c, KEY_CERT, o))
    return FALSE;
  c->cert = TRUE;
  return TRUE;
}

static gboolean from_key(From *c, const OvpnOption *o)
{
  if (o->is_inline && o->content.len) {
    set_inline_key(c, o);
    return TRUE;
  }
  if (keys_would_mean_pkcs12(c)) {
    c->cert = TRUE;
    return FALSE;
  }
  if (o->argc != 2 || !set_file(c, KEY_KEY, o))
    return FALSE;
  c->cert = TRUE;
  return TRUE;
}

static gboolean from_pkcs12(From *c, const OvpnOption *o)
{
  /* OpenVPN refuses the mixture; the line is kept so that it can say so. */
  if (c->last[OVPN_OPT_CERT] || c->last[OVPN_OPT_KEY])
    return FALSE;
  if (o->is_inline && profile_bytes_are_pkcs12(o->content.data, o->content.len)) {
    set_inline_key(c, o);
    return TRUE;
  }
  if (!o->is_inline && o->argc == 2 && !profile_cert_is_pkcs12(o->argv[1], o->argv[1])) {
    c->cert = TRUE; /* its name would say something else in the key */
    return FALSE;
  }
  if (o->is_inline || o->argc != 2 || !set_file(c, KEY_CERT, o) || !set_file(c, KEY_KEY, o))
    return FALSE;
  if (!c->last[OVPN_OPT_CA])
    set_file(c, KEY_CA, o);
  set(c, NMOVPN_SECRET_CERT_PASS FLAGS_SUFFIX, "1");
  c->cert = TRUE;
  return TRUE;
}

/* A shared static key excludes TLS; in a file with both the line is kept for OpenVPN's own words
 * about it. */
static gboolean is_static_key_mode(const From *c)
{
  return c->last[OVPN_OPT_SECRET] && !c->last[OVPN_OPT_CLIENT] && !c->last[OVPN_OPT_TLS_CLIENT] &&
         !c->last[OVPN_OPT_TLS_SERVER] && !c->last[OVPN_OPT_AUTH_USER_PASS] &&
         !c->last[OVPN_OPT_CERT] && !c->last[OVPN_OPT_KEY] && !c->last[OVPN_OPT_PKCS12];
}

/* tls-auth and secret carry the direction that key-direction sets too; the last of them counts
 * (§18). */
static gboolean from_file_with_direction(From *c, const OvpnOption *o)
{
  gboolean ta = o->id == OVPN_OPT_TLS_AUTH;
  const char *dir = o->argc > 2 ? o->argv[2] : NULL;
  if (ta == is_static_key_mode(c))
    return FALSE;
  if (o->argc > 3 || (dir && strcmp(dir, "0") && strcmp(dir, "1")) ||
      !set_file(c, ta ? KEY_TA : KEY_STATIC_KEY, o))
    return FALSE;
  if (dir)
    c->direction = dir;
  return TRUE;
}

/* OpenVPN remembers the direction of a tls-auth or secret line when a block or a later line without
 * one takes the place of the file: ovpn.com's files are made like that. */
static void keep_direction(From *c, const OvpnOption *o)
{
  gboolean has = o->id == OVPN_OPT_TLS_AUTH || o->id == OVPN_OPT_SECRET;
  if (has && o->argc == 3 && (!strcmp(o->argv[2], "0") || !strcmp(o->argv[2], "1")))
    c->direction = o->argv[2];
}

static gboolean from_key_direction(From *c, const OvpnOption *o)
{
  const OvpnOption *ta = c->last[OVPN_OPT_TLS_AUTH], *secret = c->last[OVPN_OPT_SECRET];
  if (o->argc != 2 || (strcmp(o->argv[1], "0") && strcmp(o->argv[1], "1")) || (!ta && !secret) ||
      c->first_block)
    return FALSE;
  c->direction = o->argv[1];
  return TRUE;
}

static gboolean from_crl(From *c, const OvpnOption *o)
{
  gboolean dir = o->argc == 3 && !strcmp(o->argv[2], "dir") && !o->is_inline;
  return (dir || o->argc <= 2) && set_file(c, dir ? KEY_CRL_DIR : KEY_CRL_FILE, o);
}

static gboolean from_verify_name(From *c, const OvpnOption *o)
{
  if (o->argc < 2 || o->argc > 3 || !profile_is_plain(o->argv[1]))
    return FALSE;
  const char *type = o->argc == 3 ? o->argv[2] : "subject";
  if (!profile_is_plain(type) || strchr(type, ':'))
    return FALSE;
  g_autofree char *value = g_strconcat(type, ":", o->argv[1], NULL);
  set(c, KEY_VERIFY_NAME, value);
  return TRUE;
}

static gboolean from_tls_version_min(From *c, const OvpnOption *o)
{
  if (o->argc < 2 || o->argc > 3 || (o->argc == 3 && strcmp(o->argv[2], "or-highest")) ||
      !set_plain(c, KEY_TLS_VERSION_MIN, o->argv[1]))
    return FALSE;
  if (o->argc == 3)
    set(c, KEY_TLS_VERSION_OR_HIGHEST, "yes");
  return TRUE;
}

static gboolean from_reneg(From *c, const OvpnOption *o)
{
  return o->argc == 2 && is_number(o->argv[1]) && set_plain(c, KEY_RENEG_SECONDS, o->argv[1]);
}

/* The keys hold one proxy, with a server and a port; anything more stays a line. */
static gboolean from_proxy(From *c, const OvpnOption *o)
{
  gboolean http = o->id == OVPN_OPT_HTTP_PROXY;
  gboolean both = c->last[OVPN_OPT_HTTP_PROXY] && c->last[OVPN_OPT_SOCKS_PROXY];
  gboolean automatic = http && o->argc == 4 && !strcmp(o->argv[3], "auto");
  if (both || o->argc < 2 || o->argc > (automatic ? 4u : 3u) || (http && o->argc < 3))
    return FALSE;
  if (!is_address(o->argv[1]) || (o->argc > 2 && !profile_is_port(o->argv[2])))
    return FALSE;
  set(c, KEY_PROXY_TYPE, http ? "http" : "socks");
  set(c, KEY_PROXY_SERVER, o->argv[1]);
  set(c, KEY_PROXY_PORT, o->argc > 2 ? o->argv[2] : "1080");
  return TRUE;
}

static gboolean from_proxy_retry(From *c, const OvpnOption *o)
{
  gboolean http = o->id == OVPN_OPT_HTTP_PROXY_RETRY;
  /* Which of the two directives comes back is decided by the type of the proxy. */
  if (o->argc > 1 || (http ? c->last[OVPN_OPT_SOCKS_PROXY] : c->last[OVPN_OPT_HTTP_PROXY]) ||
      (!http && !c->last[OVPN_OPT_SOCKS_PROXY]))
    return FALSE;
  set(c, KEY_PROXY_RETRY, "yes");
  return TRUE;
}

/* A block of user name and password that fits the keys; anything odd in it stays a block. */
static gboolean set_credentials(From *c, const OvpnOption *o, const char *user_key,
                                const char *secret)
{
  char *user = profile_credential_line(o, 0);
  char *password = user ? profile_credential_line(o, 1) : NULL;
  g_autofree char *flags = g_strconcat(secret, FLAGS_SUFFIX, NULL);
  gboolean ok = user != NULL;
  if (user)
    set(c, user_key, user);
  if (password)
    nm_setting_vpn_add_secret(c->vpn, secret, password);
  if (ok)
    set(c, flags, password ? "0" : "1");
  ovpn_secret_free(user);
  ovpn_secret_free(password);
  return ok;
}

static gboolean from_auth_user_pass(From *c, const OvpnOption *o)
{
  c->login = TRUE;
  if (o->is_inline && !o->content.len)
    return TRUE; /* nothing in it: a person is asked, as without a block */
  if (o->is_inline) {
    c->login_saved = TRUE;
    return set_credentials(c, o, NMOVPN_KEY_USERNAME, NMOVPN_SECRET_PASSWORD);
  }
  c->login_saved = o->argc > 1;
  return o->argc == 1; /* a file name stays a line: the file is read at every connect */
}

static gboolean from_proxy_credentials(From *c, const OvpnOption *o)
{
  const OvpnOption *proxy = c->last[OVPN_OPT_HTTP_PROXY];
  return o->is_inline && proxy &&
         set_credentials(c, o, KEY_PROXY_USERNAME, NMOVPN_SECRET_PROXY_PASSWORD);
}

static const struct {
  OvpnOptionId id;
  gboolean (*from)(From *c, const OvpnOption *o);
} custom[] = {
    {OVPN_OPT_CLIENT, from_mode},
    {OVPN_OPT_TLS_CLIENT, from_mode},
    {OVPN_OPT_PULL, from_mode},
    {OVPN_OPT_NOBIND, from_nobind},
    {OVPN_OPT_REMOTE, from_remote},
    {OVPN_OPT_PROTO, from_proto},
    {OVPN_OPT_PORT, from_port},
    {OVPN_OPT_RPORT, from_port},
    {OVPN_OPT_DEV, from_dev},
    {OVPN_OPT_PING_EXIT, from_ping},
    {OVPN_OPT_PING_RESTART, from_ping},
    {OVPN_OPT_KEEPALIVE, from_keepalive},
    {OVPN_OPT_IFCONFIG, from_ifconfig},
    {OVPN_OPT_MSSFIX, from_mssfix},
    {OVPN_OPT_COMPRESS, from_compress},
    {OVPN_OPT_COMP_LZO, from_comp_lzo},
    {OVPN_OPT_CERT, from_cert},
    {OVPN_OPT_KEY, from_key},
    {OVPN_OPT_PKCS12, from_pkcs12},
    {OVPN_OPT_TLS_AUTH, from_file_with_direction},
    {OVPN_OPT_SECRET, from_file_with_direction},
    {OVPN_OPT_KEY_DIRECTION, from_key_direction},
    {OVPN_OPT_CRL_VERIFY, from_crl},
    {OVPN_OPT_VERIFY_X509_NAME, from_verify_name},
    {OVPN_OPT_TLS_VERSION_MIN, from_tls_version_min},
    {OVPN_OPT_RENEG_SEC, from_reneg},
    {OVPN_OPT_HTTP_PROXY, from_proxy},
    {OVPN_OPT_SOCKS_PROXY, from_proxy},
    {OVPN_OPT_HTTP_PROXY_RETRY, from_proxy_retry},
    {OVPN_OPT_SOCKS_PROXY_RETRY, from_proxy_retry},
    {OVPN_OPT_HTTP_PROXY_USER_PASS, from_proxy_credentials},
    {OVPN_OPT_AUTH_USER_PASS, from_auth_user_pass},
};

static gboolean has_own_function(OvpnOptionId id)
{
  for (guint i = 0; i < G_N_ELEMENTS(custom); i++) {
    if (custom[i].id == id)
      return TRUE;
  }
  return FALSE;
}

/* TRUE when keys now hold the line. */
static gboolean to_key(From *c, const OvpnOption *o)
{
  const OvpnOptionInfo *info = ovpn_option_info(o->id);
  OvpnFailure f = {0};
  if (ovpn_config_try(o, &f) != OVPN_OK)
    return FALSE; /* kept as a line; connecting says what is wrong with it */
  for (guint i = 0; i < G_N_ELEMENTS(custom); i++) {
    if (custom[i].id == o->id)
      return custom[i].from(c, o);
  }
  switch (info->style) {
  case OVPN_KEY_FLAG:
    if (o->argc > 1 || o->is_inline)
      return FALSE;
    set(c, info->key, "yes");
    return TRUE;
  case OVPN_KEY_VALUE:
    return o->argc == 2 && !o->is_inline && set_plain(c, info->key, o->argv[1]);
  case OVPN_KEY_FILE:
    return o->argc == (o->is_inline ? 1u : 2u) && set_file(c, info->key, o);
  case OVPN_KEY_NONE:
  case OVPN_KEY_CUSTOM:
    return FALSE;
  }
  return FALSE;
}

/* Lists that OpenVPN takes as a block or as lines: lines read better among the other options. */
static gboolean append_list_block(From *c, const OvpnOption *o)
{
  if (o->id != OVPN_OPT_PEER_FINGERPRINT || !o->is_inline || !o->content.len)
    return FALSE;
  g_auto(GStrv) lines = g_strsplit((const char *)o->content.data, "\n", -1);
  for (char **l = lines; *l; l++) {
    g_strstrip(*l);
    if (**l && **l != '#' && **l != ';')
      g_string_append_printf(c->extra, "%s %s\n", o->argv[0], *l);
  }
  return TRUE;
}

static gboolean append_line(From *c, const OvpnOption *o)
{
  OvpnOption copy = *o;
  g_autofree char *path = NULL;
  g_autofree char **argv = NULL;
  guint at = profile_file_argument(o);
  if (append_list_block(c, o))
    return TRUE;
  if (at) {
    path = absolute_path(c, o->argv[at]);
    argv = g_memdup2(o->argv, sizeof(*argv) * (o->argc + 1));
    argv[at] = path;
    copy.argv = argv;
  }
  char *text = nmovpn_option_text(&copy);
  if (text)
    g_string_append(c->extra, text);
  ovpn_secret_free(text);
  return text != NULL;
}

static void look_ahead(From *c)
{
  c->remotes_fit = TRUE;
  for (gsize i = 0; i < c->list->n; i++) {
    const OvpnOption *o = &c->list->items[i];
    c->nobind |= o->id == OVPN_OPT_NOBIND;
    if (o->connection >= 0) {
      c->first_block = c->first_block ? c->first_block : o;
      continue;
    }
    if (o->id == OVPN_OPT_REMOTE)
      c->remotes_fit &= remote_fits(o);
    c->binds |= o->id == OVPN_OPT_BIND || o->id == OVPN_OPT_LPORT || o->id == OVPN_OPT_LOCAL;
    /* "ca [inline]" only points at the block (§18). */
    const OvpnOption *known = c->last[o->id];
    if (!(profile_is_marker_line(o) && known && known->is_inline))
      c->last[o->id] = o;
  }
}

/* A <connection> block takes over what stood before it, so a line counts although a later one of
 * the same option stands behind the block. */
static gboolean counts_for_block(const From *c, const OvpnOption *o)
{
  const OvpnOption *end = c->list->items + c->list->n;
  if (!(ovpn_option_info(o->id)->flags & OVPN_OPTF_CONNECTION))
    return FALSE;
  for (const OvpnOption *next = o + 1; next < end; next++) {
    if (next->connection >= 0)
      return TRUE;
    if (next->id == o->id)
      return FALSE;
  }
  return FALSE;
}

/* The line only says that there is a block, or a later line takes its place. */
static gboolean is_superseded(From *c, const OvpnOption *o)
{
  const OvpnOptionInfo *info = ovpn_option_info(o->id);
  const OvpnOption *last = c->last[o->id];
  gboolean marks_block = profile_is_marker_line(o) && last != o && last->is_inline;
  gboolean replaced = !(info->flags & OVPN_OPTF_REPEAT) && last != o &&
                      (info->style != OVPN_KEY_NONE || has_own_function(o->id)) &&
                      !counts_for_block(c, o);
  if (marks_block || replaced)
    keep_direction(c, o);
  return marks_block || replaced;
}

/* Defaults of <connection> blocks are the lines before them; a later one must not become a key,
 * which comes first. */
static gboolean must_stay_behind_block(const From *c, const OvpnOption *o)
{
  return c->first_block && o > c->first_block &&
         (ovpn_option_info(o->id)->flags & OVPN_OPTF_CONNECTION);
}

static gboolean convert_all(From *c, const NmOvpnImportTarget *target)
{
  int block = -1;
  for (gsize i = 0; i < c->list->n; i++) {
    const OvpnOption *o = &c->list->items[i];
    if (o->connection != block) {
      if (block >= 0)
        g_string_append(c->extra, "</connection>\n");
      if (o->connection >= 0)
        g_string_append(c->extra, "<connection>\n");
      block = o->connection;
    }
    if (profile_warn(c->list, o, target->warnings, target->notes) && target->refused)
      *target->refused = TRUE;
    gboolean done = block < 0 && o->id != OVPN_OPT_UNKNOWN &&
                    (is_superseded(c, o) || profile_ip_take(&c->ip, o) ||
                     (!must_stay_behind_block(c, o) && to_key(c, o)));
    if (!done && !append_line(c, o))
      return FALSE;
  }
  if (block >= 0)
    g_string_append(c->extra, "</connection>\n");
  return TRUE;
}

/* Of two equal peers each sits on a fixed port, by default 1194, because the other sends to it;
 * only who pulls its settings has a free one. `port` is both ports, but its key only the other's.
 */
static void keep_local_port(From *c)
{
  const char *port = get(c, KEY_PORT);
  const OvpnOption *line = c->last[OVPN_OPT_PORT];
  if (c->client || c->pull || c->nobind || c->binds || c->first_block)
    return;
  if (port && line)
    g_string_append_printf(c->extra, "%s %s\n", ovpn_option_info(OVPN_OPT_LPORT)->directive,
                           line->argv[1]);
  else
    g_string_append_printf(c->extra, "%s\n", ovpn_option_info(OVPN_OPT_BIND)->directive);
}

static void finish(From *c)
{
  gboolean plain_tls = c->tls_client && !c->client && !c->pull;
  gboolean tls = c->client || c->tls_client;
  keep_local_port(c);
  if (plain_tls)
    g_string_append_printf(c->extra, "%s\n", ovpn_option_info(OVPN_OPT_TLS_CLIENT)->directive);
  if (c->pull && !tls && is_static_key_mode(c))
    g_string_append_printf(c->extra, "%s\n", ovpn_option_info(OVPN_OPT_PULL)->directive);
  if (c->direction && get(c, KEY_TA))
    set(c, KEY_TA_DIR, c->direction);
  if (c->direction && get(c, KEY_STATIC_KEY))
    set(c, KEY_STATIC_KEY_DIR, c->direction);

  const char *type = TYPE_NAME_TLS;
  if (c->login)
    type = c->cert ? TYPE_NAME_PASSWORD_TLS : TYPE_NAME_PASSWORD;
  else if (is_static_key_mode(c))
    type = TYPE_NAME_STATIC_KEY;
  set(c, KEY_CONNECTION_TYPE, type);
  if (c->login && !c->login_saved)
    set(c, NMOVPN_SECRET_PASSWORD FLAGS_SUFFIX, "1");
  set(c, NMOVPN_SECRET_CHALLENGE FLAGS_SUFFIX, "2");
  /* An absent key means "never" (§3.2); a file without the line means OpenVPN's hour. */
  if (!c->last[OVPN_OPT_RENEG_SEC] && strcmp(type, TYPE_NAME_STATIC_KEY))
    set(c, KEY_RENEG_SECONDS, "3600");
  if (c->extra->len) {
    /* No newline at the end: an editor shows and stores the lines the same way. */
    g_string_truncate(c->extra, c->extra->len - 1);
    char *value = nmovpn_text_escape(c->extra->str, c->extra->len);
    set(c, NMOVPN_KEY_EXTRA_OPTIONS, value);
    ovpn_secret_free(value);
  }
}

gboolean nmovpn_profile_from_options(const OvpnOptionList *l, const NmOvpnImportTarget *target,
                                     GError **error)
{
  From c = {.list = l, .directory = target->directory, .vpn = target->vpn};
  c.extra = g_string_new(NULL);
  look_ahead(&c);
  profile_ip_init(&c.ip, l, target->ip4, target->ip6);
  gboolean ok = convert_all(&c, target);
  if (ok)
    finish(&c);
  else
    g_set_error_literal(error, NMOVPN_PROFILE_ERROR, NMOVPN_PROFILE_ERROR_INVALID,
                        _("Out of memory"));
  ovpn_wipe(c.extra->str, c.extra->len);
  g_string_free(c.extra, TRUE);
  return ok;
}
