/* SPDX-License-Identifier: GPL-2.0-or-later */
/* vpn.data -> OpenVPN options.
 *
 * Walks the rows of options.def: FLAG, VALUE and FILE rows explain themselves, the CUSTOM ones have
 * a function here. Lines of extra-options come last, so that they win over a key. A bad value is an
 * error that names the key; unknown keys are left alone. spec/networkmanager-openvpn.md §3. */
#include "ovpn-build.h"

#include "service/profile-private.h"

#include <glib/gi18n-lib.h>
#include <string.h>

typedef struct To {
  NMSettingVpn *vpn;
  OvpnOptionList *list;
  const OvpnOptionList *extra;
  ProfileType type;
  gboolean own; /* made by our importer: OpenVPN's defaults, not those of the older plugin */
  GError **error;
} To;

static gboolean invalid(const To *t, const char *key, const char *value)
{
  g_set_error(t->error, NMOVPN_PROFILE_ERROR, NMOVPN_PROFILE_ERROR_INVALID,
              _("“%s” is not a valid value for “%s”"), value, key);
  return FALSE;
}

static gboolean out_of_memory(const To *t)
{
  g_set_error_literal(t->error, NMOVPN_PROFILE_ERROR, NMOVPN_PROFILE_ERROR_INVALID,
                      _("The profile has too many options"));
  return FALSE;
}

static const char *get(const To *t, const char *key)
{
  return profile_get(t->vpn, key);
}

/* Adds and checks one option; `key` is the one to name when it is wrong. */
static gboolean add(const To *t, OvpnOptionId id, const char *key, const char *a1, const char *a2,
                    const char *a3)
{
  OvpnOption *o = ovpn_option_list_add_text(t->list, ovpn_option_info(id)->directive, a1, a2, a3);
  OvpnFailure f = {0};
  if (!o)
    return out_of_memory(t);
  if (ovpn_option_check(o, &f) == OVPN_OK)
    return TRUE;
  g_set_error(t->error, NMOVPN_PROFILE_ERROR, NMOVPN_PROFILE_ERROR_INVALID,
              _("“%s” is not a valid value for “%s”: %s"), a1 ? a1 : "", key, f.text);
  return FALSE;
}

static gboolean add_block(const To *t, OvpnOptionId id, const OvpnBlob *content)
{
  OvpnOption *o =
      ovpn_option_list_add_text(t->list, ovpn_option_info(id)->directive, NULL, NULL, NULL);
  if (!o || !ovpn_blob_set(&o->content, content->data, content->len))
    return out_of_memory(t);
  o->is_inline = true;
  return TRUE;
}

/* A path, data: URI or pkcs11: URI. The value of a data: URI is never repeated in a message. */
static gboolean add_file(const To *t, OvpnOptionId id, const char *key, const char *value,
                         const char *arg)
{
  if (profile_is_data_uri(value)) {
    ovpn_auto_blob content = {0};
    if (!nmovpn_data_uri_decode(value, &content))
      return invalid(t, key, "data:…");
    return add_block(t, id, &content) &&
           (!arg || add(t, OVPN_OPT_KEY_DIRECTION, key, arg, NULL, NULL));
  }
  if (profile_is_token_uri(value))
    return add(t, id, key, value, arg, NULL);
  g_autofree char *path = nmovpn_text_unescape(value);
  return add(t, id, key, path, arg, NULL);
}

static gboolean add_flag(const To *t, const OvpnOptionInfo *info, const char *key)
{
  const char *value = get(t, key);
  if (!value || !strcmp(value, "no"))
    return TRUE;
  /* tun-ipv6 is free text in which only "yes" acts (§3.2). */
  if (strcmp(value, "yes"))
    return info->id == OVPN_OPT_TUN_IPV6 || invalid(t, key, value);
  return add(t, info->id, key, NULL, NULL, NULL);
}

/* Of two equal peers one may wait for the other. */
static gboolean may_wait(const To *t)
{
  return t->type == TYPE_STATIC_KEY || profile_last_global(t->extra, OVPN_OPT_TLS_CLIENT) ||
         profile_last_global(t->extra, OVPN_OPT_TLS_SERVER);
}

static gboolean to_client(const To *t)
{
  /* The file said tls-client without pull: it stands in extra-options and the two must not mix. */
  if (may_wait(t))
    return TRUE;
  return add(t, OVPN_OPT_CLIENT, KEY_CONNECTION_TYPE, NULL, NULL, NULL);
}

static gboolean to_nobind(const To *t)
{
  const char *remote = get(t, KEY_REMOTE);
  if ((!remote || !*remote) && !ovpn_option_list_last(t->extra, OVPN_OPT_REMOTE))
    return TRUE; /* who waits has to bind */
  static const OvpnOptionId binds[] = {OVPN_OPT_BIND, OVPN_OPT_LPORT, OVPN_OPT_LOCAL,
                                       OVPN_OPT_NOBIND};
  for (guint i = 0; i < G_N_ELEMENTS(binds); i++) {
    if (ovpn_option_list_last(t->extra, binds[i])) /* also for one server only */
      return TRUE;
  }
  return add(t, OVPN_OPT_NOBIND, NMOVPN_KEY_EXTRA_OPTIONS, NULL, NULL, NULL);
}

static gboolean is_yes(const To *t, const char *key)
{
  return g_strcmp0(get(t, key), "yes") == 0;
}

/* What the older plugin added when a server had no protocol of its own, or there were several
 * servers (§3.2 remote). */
static gboolean old_remote_rules(const To *t, guint n, gboolean all_default)
{
  if (t->own)
    return TRUE;
  if (all_default && !is_yes(t, KEY_PROTO_TCP) &&
      !add(t, OVPN_OPT_EXPLICIT_EXIT_NOTIFY, KEY_REMOTE, NULL, NULL, NULL))
    return FALSE;
  if (n < 2 || get(t, KEY_CONNECT_TIMEOUT))
    return TRUE;
  g_autofree char *seconds = g_strdup_printf("%u", MAX(60 / n, 20u));
  return add(t, OVPN_OPT_CONNECT_TIMEOUT, KEY_REMOTE, seconds, NULL, NULL);
}

static gboolean to_remote(const To *t)
{
  const char *value = get(t, KEY_REMOTE);
  const char *wrong = NULL;
  guint n = 0;
  gboolean all_default = TRUE;
  g_auto(GStrv) items = g_strsplit_set(value ? value : "", " \t,", -1);
  for (char **item = items; *item; item++) {
    ProfileRemote r = {0};
    if (!**item)
      continue;
    if (!profile_remote_parse(*item, &r)) {
      wrong = *item; /* the older plugin went on without it */
      continue;
    }
    const char *port = r.port;
    if (r.proto && !port)
      port = get(t, KEY_PORT) ? get(t, KEY_PORT) : "1194";
    all_default &= !r.proto;
    gboolean ok = add(t, OVPN_OPT_REMOTE, KEY_REMOTE, r.host, port, r.proto);
    profile_remote_clear(&r);
    if (!ok)
      return FALSE;
    n++;
  }
  gboolean elsewhere = ovpn_option_list_last(t->extra, OVPN_OPT_REMOTE) != NULL;
  if (!n && wrong)
    return invalid(t, KEY_REMOTE, wrong);
  if (!n && !elsewhere && may_wait(t))
    return TRUE;
  if (!n && !elsewhere) {
    g_set_error_literal(t->error, NMOVPN_PROFILE_ERROR, NMOVPN_PROFILE_ERROR_MISSING,
                        _("The profile names no server"));
    return FALSE;
  }
  return elsewhere || old_remote_rules(t, n, all_default);
}

static gboolean to_proto(const To *t)
{
  const char *value = get(t, KEY_PROTO_TCP);
  if (!value || !strcmp(value, "no"))
    return TRUE;
  return strcmp(value, "yes") ? invalid(t, KEY_PROTO_TCP, value)
                              : add(t, OVPN_OPT_PROTO, KEY_PROTO_TCP, "tcp-client", NULL, NULL);
}

static gboolean to_port(const To *t)
{
  /* `port` would also bind the local one, which the key does not mean. */
  const char *port = get(t, KEY_PORT);
  g_autofree char *bare = port ? g_strstrip(g_strdup(port)) : NULL;
  return !bare || add(t, OVPN_OPT_RPORT, KEY_PORT, bare, NULL, NULL);
}

static gboolean to_dev(const To *t)
{
  const char *dev = get(t, KEY_DEV);
  if (dev) {
    g_autofree char *name = nmovpn_text_unescape(dev);
    return add(t, OVPN_OPT_DEV, KEY_DEV, name, NULL, NULL);
  }
  if (get(t, KEY_DEV_TYPE) || t->own || profile_last_global(t->extra, OVPN_OPT_DEV))
    return TRUE;
  return add(t, OVPN_OPT_DEV, KEY_TAP_DEV, is_yes(t, KEY_TAP_DEV) ? "tap" : "tun", NULL, NULL);
}

static gboolean to_ifconfig(const To *t)
{
  const char *local = get(t, KEY_LOCAL_IP), *remote = get(t, KEY_REMOTE_IP);
  return !local || !remote || add(t, OVPN_OPT_IFCONFIG, KEY_LOCAL_IP, local, remote, NULL);
}

static gboolean to_mssfix(const To *t)
{
  const char *value = get(t, KEY_MSSFIX);
  if (!value || (strcmp(value, "yes") && !g_ascii_isdigit(*value)))
    return TRUE; /* other text was always ignored (§3.2) */
  return add(t, OVPN_OPT_MSSFIX, KEY_MSSFIX, strcmp(value, "yes") ? value : NULL, NULL, NULL);
}

static gboolean to_compress(const To *t)
{
  const char *value = get(t, KEY_COMPRESS);
  if (!value || !strcmp(value, "no") || g_strcmp0(get(t, KEY_ALLOW_COMPRESSION), "no") == 0)
    return TRUE;
  return add(t, OVPN_OPT_COMPRESS, KEY_COMPRESS, strcmp(value, "yes") ? value : NULL, NULL, NULL);
}

static gboolean to_comp_lzo(const To *t)
{
  const char *value = get(t, KEY_COMP_LZO);
  /* "no" means "not set" here (an old habit of KDE); the directive's own "no" is spelled
   * no-by-default. */
  if (!value || !strcmp(value, "no") || get(t, KEY_COMPRESS) ||
      g_strcmp0(get(t, KEY_ALLOW_COMPRESSION), "no") == 0)
    return TRUE;
  return add(t, OVPN_OPT_COMP_LZO, KEY_COMP_LZO, strcmp(value, "no-by-default") ? value : "no",
             NULL, NULL);
}

static gboolean to_ca(const To *t)
{
  const char *ca = get(t, KEY_CA), *cert = get(t, KEY_CERT);
  /* A PKCS#12 file brings its own CA. */
  if (!ca || profile_cert_is_pkcs12(ca, NULL) ||
      (profile_cert_is_pkcs12(cert, get(t, KEY_KEY)) && !strcmp(ca, cert)))
    return TRUE;
  return add_file(t, OVPN_OPT_CA, KEY_CA, ca, NULL);
}

static gboolean to_cert(const To *t)
{
  const char *cert = get(t, KEY_CERT);
  if (!cert)
    return TRUE;
  OvpnOptionId id = profile_cert_is_pkcs12(cert, get(t, KEY_KEY)) ? OVPN_OPT_PKCS12 : OVPN_OPT_CERT;
  return add_file(t, id, KEY_CERT, cert, NULL);
}

/* The secret: PEM goes out as <key>, PKCS#12 as <pkcs12> in base64, as OpenVPN writes such a block.
 */
static gboolean to_inline_key(const To *t, const char *uri)
{
  ovpn_auto_blob key = {0};
  if (!nmovpn_data_uri_decode(uri, &key))
    return invalid(t, NMOVPN_SECRET_KEY, "data:…");
  if (!profile_bytes_are_pkcs12(key.data, key.len))
    return add_block(t, OVPN_OPT_KEY, &key);
  if (key.data[0] != 0x30)
    return add_block(t, OVPN_OPT_PKCS12, &key);
  ovpn_auto_blob text = {0};
  char *b64 = g_base64_encode(key.data, key.len);
  gboolean ok = ovpn_blob_set_text(&text, b64) && ovpn_blob_append(&text, "\n", 1);
  ovpn_secret_free(b64);
  return ok ? add_block(t, OVPN_OPT_PKCS12, &text) : out_of_memory(t);
}

static gboolean to_key(const To *t)
{
  const char *key = get(t, KEY_KEY), *secret = nm_setting_vpn_get_secret(t->vpn, NMOVPN_SECRET_KEY);
  if (profile_cert_is_pkcs12(get(t, KEY_CERT), key))
    return TRUE;
  if (key)
    return profile_is_data_uri(key) ? to_inline_key(t, key)
                                    : add_file(t, OVPN_OPT_KEY, KEY_KEY, key, NULL);
  return !secret || !*secret || to_inline_key(t, secret);
}

static gboolean to_crl(const To *t)
{
  const char *file = get(t, KEY_CRL_FILE), *dir = get(t, KEY_CRL_DIR);
  if (file)
    return add_file(t, OVPN_OPT_CRL_VERIFY, KEY_CRL_FILE, file, NULL);
  return !dir || add_file(t, OVPN_OPT_CRL_VERIFY, KEY_CRL_DIR, dir, "dir");
}

static gboolean to_file_with_direction(const To *t, OvpnOptionId id, const char *key,
                                       const char *dir_key)
{
  const char *value = get(t, key), *dir = get(t, dir_key);
  if (dir && strcmp(dir, "0") && strcmp(dir, "1"))
    return invalid(t, dir_key, dir);
  return !value || add_file(t, id, key, value, dir);
}

static gboolean to_verify_name(const To *t)
{
  const char *value = get(t, KEY_VERIFY_NAME);
  if (!value)
    return TRUE;
  const char *colon = strchr(value, ':');
  if (!colon)
    return add(t, OVPN_OPT_VERIFY_X509_NAME, KEY_VERIFY_NAME, value, "subject", NULL);
  g_autofree char *type = g_strndup(value, (gsize)(colon - value));
  return add(t, OVPN_OPT_VERIFY_X509_NAME, KEY_VERIFY_NAME, colon + 1, type, NULL);
}

static gboolean to_tls_version_min(const To *t)
{
  const char *value = get(t, KEY_TLS_VERSION_MIN);
  const char *highest = is_yes(t, KEY_TLS_VERSION_OR_HIGHEST) ? "or-highest" : NULL;
  return !value || add(t, OVPN_OPT_TLS_VERSION_MIN, KEY_TLS_VERSION_MIN, value, highest, NULL);
}

static gboolean to_reneg(const To *t)
{
  /* Absent: the older plugin switched the client's own renegotiation off, and profiles rely on it.
   */
  const char *value = get(t, KEY_RENEG_SECONDS);
  if (!value && profile_last_global(t->extra, OVPN_OPT_RENEG_SEC))
    return TRUE;
  return add(t, OVPN_OPT_RENEG_SEC, KEY_RENEG_SECONDS, value ? value : "0", NULL, NULL);
}

static gboolean to_proxy(const To *t)
{
  const char *type = get(t, KEY_PROXY_TYPE), *server = get(t, KEY_PROXY_SERVER),
             *port = get(t, KEY_PROXY_PORT);
  if (!type || !server)
    return TRUE;
  gboolean http = !strcmp(type, "http");
  if (!http && strcmp(type, "socks"))
    return invalid(t, KEY_PROXY_TYPE, type);
  if (!g_strcmp0(port, "0")) /* plasma-nm's way to say that none was given */
    port = NULL;
  return http ? add(t, OVPN_OPT_HTTP_PROXY, KEY_PROXY_SERVER, server, port ? port : "8080", "auto")
              : add(t, OVPN_OPT_SOCKS_PROXY, KEY_PROXY_SERVER, server, port ? port : "1080", NULL);
}

static gboolean to_proxy_retry(const To *t)
{
  OvpnOptionId id = g_strcmp0(get(t, KEY_PROXY_TYPE), "socks") ? OVPN_OPT_HTTP_PROXY_RETRY
                                                               : OVPN_OPT_SOCKS_PROXY_RETRY;
  return !is_yes(t, KEY_PROXY_RETRY) || add(t, id, KEY_PROXY_RETRY, NULL, NULL, NULL);
}

static gboolean to_auth_user_pass(const To *t)
{
  return profile_last_global(t->extra, OVPN_OPT_AUTH_USER_PASS) ||
         add(t, OVPN_OPT_AUTH_USER_PASS, KEY_CONNECTION_TYPE, NULL, NULL, NULL);
}

/* Which kinds of connection an option belongs to: the older editor leaves the other kinds' keys
 * behind. */
static gboolean row_applies(OvpnOptionId id, ProfileType type)
{
  switch ((int)id) {
  case OVPN_OPT_CERT:
  case OVPN_OPT_KEY:
  case OVPN_OPT_PKCS12:
    return profile_type_has_cert(type);
  case OVPN_OPT_AUTH_USER_PASS:
    return profile_type_has_password(type);
  case OVPN_OPT_CA:
  case OVPN_OPT_EXTRA_CERTS:
  case OVPN_OPT_TLS_AUTH:
  case OVPN_OPT_TLS_CRYPT:
  case OVPN_OPT_TLS_CRYPT_V2:
  case OVPN_OPT_CRL_VERIFY:
  case OVPN_OPT_REMOTE_CERT_TLS:
  case OVPN_OPT_NS_CERT_TYPE:
  case OVPN_OPT_VERIFY_X509_NAME:
  case OVPN_OPT_TLS_REMOTE:
  case OVPN_OPT_RENEG_SEC:
    return type != TYPE_STATIC_KEY;
  case OVPN_OPT_SECRET:
    return type == TYPE_STATIC_KEY;
  default:
    return TRUE;
  }
}

/* Returns FALSE when the option has no function of its own. */
static gboolean to_custom(const To *t, OvpnOptionId id, gboolean *ret_ok)
{
  static const struct {
    OvpnOptionId id;
    gboolean (*to)(const To *t);
  } table[] = {
      {OVPN_OPT_CLIENT, to_client},
      {OVPN_OPT_NOBIND, to_nobind},
      {OVPN_OPT_REMOTE, to_remote},
      {OVPN_OPT_PROTO, to_proto},
      {OVPN_OPT_PORT, to_port},
      {OVPN_OPT_DEV, to_dev},
      {OVPN_OPT_IFCONFIG, to_ifconfig},
      {OVPN_OPT_MSSFIX, to_mssfix},
      {OVPN_OPT_COMPRESS, to_compress},
      {OVPN_OPT_COMP_LZO, to_comp_lzo},
      {OVPN_OPT_CA, to_ca},
      {OVPN_OPT_CERT, to_cert},
      {OVPN_OPT_KEY, to_key},
      {OVPN_OPT_CRL_VERIFY, to_crl},
      {OVPN_OPT_VERIFY_X509_NAME, to_verify_name},
      {OVPN_OPT_TLS_VERSION_MIN, to_tls_version_min},
      {OVPN_OPT_RENEG_SEC, to_reneg},
      {OVPN_OPT_HTTP_PROXY, to_proxy},
      {OVPN_OPT_HTTP_PROXY_RETRY, to_proxy_retry},
      {OVPN_OPT_AUTH_USER_PASS, to_auth_user_pass},
  };
  if (id == OVPN_OPT_TLS_AUTH || id == OVPN_OPT_SECRET) {
    gboolean ta = id == OVPN_OPT_TLS_AUTH;
    *ret_ok = to_file_with_direction(t, id, ta ? KEY_TA : KEY_STATIC_KEY,
                                     ta ? KEY_TA_DIR : KEY_STATIC_KEY_DIR);
    return TRUE;
  }
  for (guint i = 0; i < G_N_ELEMENTS(table); i++) {
    if (table[i].id == id) {
      *ret_ok = table[i].to(t);
      return TRUE;
    }
  }
  return FALSE;
}

/* Values come from entries of other editors: the older plugin forgave blanks around a number, and
 * an unknown mtu-disc. */
static gboolean to_value(const To *t, const OvpnOptionInfo *info, const char *value)
{
  g_autofree char *bare = g_strstrip(g_strdup(value));
  if (info->id == OVPN_OPT_MTU_DISC && strcmp(bare, "no") && strcmp(bare, "maybe") &&
      strcmp(bare, "yes"))
    return TRUE;
  return add(t, info->id, info->key, *bare ? bare : value, NULL, NULL);
}

static gboolean to_row(const To *t, const OvpnOptionInfo *info)
{
  gboolean ok = TRUE;
  const char *value;
  if (!row_applies(info->id, t->type) || to_custom(t, info->id, &ok))
    return ok;
  value = info->key ? get(t, info->key) : NULL;
  if (!value)
    return TRUE;
  switch (info->style) {
  case OVPN_KEY_FLAG:
    return add_flag(t, info, info->key);
  case OVPN_KEY_VALUE:
    return to_value(t, info, value);
  case OVPN_KEY_FILE:
    return add_file(t, info->id, info->key, value, NULL);
  case OVPN_KEY_NONE:
  case OVPN_KEY_CUSTOM:
    return TRUE;
  }
  return TRUE;
}

static gboolean append_extra(const To *t)
{
  for (gsize i = 0; i < t->extra->n; i++) {
    const OvpnOption *from = &t->extra->items[i];
    OvpnOption *o = ovpn_option_list_add(t->list, (const char *const *)from->argv, from->argc);
    if (!o || !ovpn_blob_set(&o->content, from->content.data, from->content.len))
      return out_of_memory(t);
    o->is_inline = from->is_inline;
    o->is_optional = from->is_optional;
    o->connection = from->connection;
  }
  return TRUE;
}

gboolean nmovpn_profile_to_options(NMSettingVpn *vpn, OvpnOptionList *ret, GError **error)
{
  ovpn_auto_option_list extra = {0};
  ovpn_auto_option_list list = {0};
  To t = {.vpn = vpn, .list = &list, .extra = &extra, .error = error};
  t.own = nmovpn_profile_default_route_auto(vpn);
  if (!profile_type(vpn, &t.type))
    return invalid(&t, KEY_CONNECTION_TYPE, profile_get(vpn, KEY_CONNECTION_TYPE));
  if (!profile_parse_extra(vpn, &extra, error))
    return FALSE;
  for (gsize i = 1; i <= ovpn_option_count(); i++) {
    if (!to_row(&t, ovpn_option_info((OvpnOptionId)i)))
      return FALSE;
  }
  if (!append_extra(&t))
    return FALSE;
  ovpn_option_list_clear(ret);
  *ret = list;
  list = (OvpnOptionList){0};
  return TRUE;
}
