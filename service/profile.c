/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a profile is and which secrets it still needs.
 *
 * Pure: reads an NMSettingVpn, opens nothing. A key with a bad value never aborts; the questions
 * asked here answer as if it were absent and nmovpn_profile_to_options reports it.
 * spec/networkmanager-openvpn.md §3, §4. */
#include "ovpn-build.h"

#include "service/profile-private.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "helper/core/conf.h"

GQuark nmovpn_profile_error_quark(void)
{
  return g_quark_from_static_string("nmovpn-profile-error-quark");
}

const char *profile_get(NMSettingVpn *vpn, const char *key)
{
  const char *value = nm_setting_vpn_get_data_item(vpn, key);
  return value && *value ? value : NULL;
}

gboolean profile_type(NMSettingVpn *vpn, ProfileType *ret)
{
  static const struct {
    const char *name;
    ProfileType type;
  } names[] = {
      {TYPE_NAME_TLS, TYPE_TLS},
      {TYPE_NAME_PASSWORD, TYPE_PASSWORD},
      {TYPE_NAME_PASSWORD_TLS, TYPE_PASSWORD_TLS},
      {TYPE_NAME_STATIC_KEY, TYPE_STATIC_KEY},
  };
  const char *value = profile_get(vpn, KEY_CONNECTION_TYPE);
  *ret = TYPE_TLS;
  for (guint i = 0; value && i < G_N_ELEMENTS(names); i++) {
    if (!strcmp(value, names[i].name)) {
      *ret = names[i].type;
      return TRUE;
    }
  }
  return !value;
}

gboolean profile_parse_extra(NMSettingVpn *vpn, OvpnOptionList *ret, GError **error)
{
  const char *value = profile_get(vpn, NMOVPN_KEY_EXTRA_OPTIONS);
  if (!value)
    return TRUE;
  char *text = nmovpn_text_unescape(value);
  OvpnConfError e = {0};
  OvpnStatus s = ovpn_conf_parse_lines(text, strlen(text), ret, &e);
  ovpn_secret_free(text);
  if (s == OVPN_OK)
    return TRUE;
  g_set_error(error, NMOVPN_PROFILE_ERROR, NMOVPN_PROFILE_ERROR_INVALID,
              _("The other options (%s) cannot be read: line %u: %s"), NMOVPN_KEY_EXTRA_OPTIONS,
              e.line, e.text);
  return FALSE;
}

const OvpnOption *profile_last_global(const OvpnOptionList *l, OvpnOptionId id)
{
  for (gsize i = l->n; i > 0; i--) {
    if (l->items[i - 1].id == id && l->items[i - 1].connection < 0)
      return &l->items[i - 1];
  }
  return NULL;
}

gboolean nmovpn_profile_default_route_auto(NMSettingVpn *vpn)
{
  return g_strcmp0(profile_get(vpn, NMOVPN_KEY_DEFAULT_ROUTE), "auto") == 0;
}

gboolean nmovpn_profile_ipv6_guard(NMSettingVpn *vpn)
{
  return g_strcmp0(profile_get(vpn, NMOVPN_KEY_IPV6_GUARD), "no") != 0;
}

char *nmovpn_profile_key_path(NMSettingVpn *vpn)
{
  ProfileType type;
  profile_type(vpn, &type);
  if (!profile_type_has_cert(type))
    return NULL;
  const char *cert = profile_get(vpn, KEY_CERT), *key = profile_get(vpn, KEY_KEY);
  if (profile_cert_is_pkcs12(cert, key))
    return nmovpn_text_unescape(cert);
  if (!key || profile_is_data_uri(key) || profile_is_token_uri(key))
    return NULL;
  return nmovpn_text_unescape(key);
}

gboolean nmovpn_profile_key_is_lost(NMSettingVpn *vpn)
{
  ProfileType type;
  profile_type(vpn, &type);
  const char *key = profile_get(vpn, KEY_KEY);
  const char *secret = nm_setting_vpn_get_secret(vpn, NMOVPN_SECRET_KEY);
  return profile_type_has_cert(type) && profile_get(vpn, NMOVPN_SECRET_KEY FLAGS_SUFFIX) && !key &&
         (!secret || !*secret) && !profile_cert_is_pkcs12(profile_get(vpn, KEY_CERT), NULL);
}

static gboolean is_not_required(NMSettingVpn *vpn, const char *secret)
{
  g_autofree char *key = g_strconcat(secret, FLAGS_SUFFIX, NULL);
  const char *value = profile_get(vpn, key);
  return value && (g_ascii_strtoull(value, NULL, 10) & NM_SETTING_SECRET_FLAG_NOT_REQUIRED);
}

static gboolean wants(NMSettingVpn *vpn, const char *secret, gboolean only_missing)
{
  if (is_not_required(vpn, secret))
    return FALSE;
  const char *value = nm_setting_vpn_get_secret(vpn, secret);
  return !only_missing || !value || !*value;
}

gboolean nmovpn_profile_key_is_on_token(NMSettingVpn *vpn)
{
  const char *key = profile_get(vpn, KEY_KEY), *cert = profile_get(vpn, KEY_CERT);
  if (key || cert)
    return g_ascii_strncasecmp(key ? key : cert, "pkcs11:", 7) == 0;
  ovpn_auto_option_list extra = {0};
  profile_parse_extra(vpn, &extra, NULL);
  return profile_last_global(&extra, OVPN_OPT_PKCS11_ID) != NULL;
}

/* The inline key: looked at when the caller got the secret; else the flags that were written with
 * it tell. */
static gboolean key_needs_pass_phrase(NMSettingVpn *vpn, gboolean key_is_encrypted)
{
  g_autofree char *path = nmovpn_profile_key_path(vpn);
  if (path)
    return key_is_encrypted;
  if (nmovpn_profile_key_is_on_token(vpn)) {
    const char *key = profile_get(vpn, KEY_KEY);
    const char *address = key ? key : profile_get(vpn, KEY_CERT);
    return !address || !strstr(address, "pin-"); /* pin-value, pin-source */
  }
  const char *uri = profile_get(vpn, KEY_KEY);
  if (!uri)
    uri = nm_setting_vpn_get_secret(vpn, NMOVPN_SECRET_KEY);
  if (uri) {
    ovpn_auto_blob key = {0};
    return nmovpn_data_uri_decode(uri, &key) && nmovpn_key_text_is_encrypted(key.data, key.len);
  }
  return profile_get(vpn, NMOVPN_SECRET_KEY FLAGS_SUFFIX) &&
         profile_get(vpn, NMOVPN_SECRET_CERT_PASS FLAGS_SUFFIX);
}

NmOvpnNeeds nmovpn_profile_needs(NMSettingVpn *vpn, gboolean key_is_encrypted,
                                 gboolean only_missing)
{
  guint needs = 0;
  ProfileType type;
  ovpn_auto_option_list extra = {0};
  profile_type(vpn, &type);
  profile_parse_extra(vpn, &extra, NULL);
  const OvpnOption *login = profile_last_global(&extra, OVPN_OPT_AUTH_USER_PASS);
  const OvpnOption *ask = profile_last_global(&extra, OVPN_OPT_ASKPASS);
  gboolean login_file = login && (login->argc > 1 || login->is_inline);

  if (profile_type_has_password(type) && !login_file) {
    if (wants(vpn, NMOVPN_SECRET_PASSWORD, only_missing))
      needs |= NMOVPN_NEEDS_PASSWORD;
    const char *typed = nm_setting_vpn_get_secret(vpn, NMOVPN_KEY_USERNAME);
    /* Profiles of the older plugin without a name used the login name, and asked nobody. */
    const char *person = nm_setting_vpn_get_user_name(vpn);
    gboolean named =
        only_missing &&
        ((typed && *typed) || (!nmovpn_profile_default_route_auto(vpn) && person && *person));
    if (!profile_get(vpn, NMOVPN_KEY_USERNAME) && !named)
      needs |= NMOVPN_NEEDS_USERNAME;
  }
  if (profile_type_has_password(type) && profile_last_global(&extra, OVPN_OPT_STATIC_CHALLENGE) &&
      wants(vpn, NMOVPN_SECRET_CHALLENGE, only_missing))
    needs |= NMOVPN_NEEDS_STATIC_CHALLENGE;
  if (profile_type_has_cert(type) && !(ask && ask->argc > 1) &&
      key_needs_pass_phrase(vpn, key_is_encrypted) &&
      wants(vpn, NMOVPN_SECRET_CERT_PASS, only_missing))
    needs |= NMOVPN_NEEDS_CERT_PASS;
  if (g_strcmp0(profile_get(vpn, KEY_PROXY_TYPE), "http") == 0 &&
      profile_get(vpn, KEY_PROXY_SERVER) && profile_get(vpn, KEY_PROXY_USERNAME) &&
      wants(vpn, NMOVPN_SECRET_PROXY_PASSWORD, only_missing))
    needs |= NMOVPN_NEEDS_PROXY_PASSWORD;
  return (NmOvpnNeeds)needs;
}
