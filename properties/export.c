/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Export to .ovpn: the profile's options in OpenVPN syntax, plus what stands in NetworkManager's
 * own settings.
 *
 * The text can hold the private key and a stored password, so it is wiped after use and the file is
 * 0600. What import made out of a file comes out such that importing it again gives the same
 * profile. spec/networkmanager-openvpn.md §2. */
#include "ovpn-build.h"

#include "properties/export.h"

#include <arpa/inet.h>
#include <glib/gi18n-lib.h>
#include <string.h>

#include "service/profile.h"

static const char *directive(OvpnOptionId id)
{
  return ovpn_option_info(id)->directive;
}

/* The secrets are not part of what D-Bus hands out with a connection; they have to be asked for. */
static void load_secrets(NMConnection *connection)
{
  if (!NM_IS_REMOTE_CONNECTION(connection))
    return;
  G_GNUC_BEGIN_IGNORE_DEPRECATIONS
  g_autoptr(GVariant) secrets = nm_remote_connection_get_secrets(
      NM_REMOTE_CONNECTION(connection), NM_SETTING_VPN_SETTING_NAME, NULL, NULL);
  G_GNUC_END_IGNORE_DEPRECATIONS
  if (secrets)
    nm_connection_update_secrets(connection, NM_SETTING_VPN_SETTING_NAME, secrets, NULL);
}

static const char *system_secret(NMSettingVpn *vpn, const char *name)
{
  NMSettingSecretFlags flags = NM_SETTING_SECRET_FLAG_NONE;
  nm_setting_get_secret_flags(NM_SETTING(vpn), name, &flags, NULL);
  return flags == NM_SETTING_SECRET_FLAG_NONE ? nm_setting_vpn_get_secret(vpn, name) : NULL;
}

static gboolean key_is_there(NMSettingVpn *vpn, GError **error)
{
  const char *marker = nm_setting_vpn_get_data_item(vpn, NMOVPN_SECRET_KEY "-flags");
  if (!marker || nm_setting_vpn_get_secret(vpn, NMOVPN_SECRET_KEY))
    return TRUE;
  g_set_error_literal(
      error, NMOVPN_PROFILE_ERROR, NMOVPN_PROFILE_ERROR_MISSING,
      _("The private key is stored in the connection, but you are not allowed to read it"));
  return FALSE;
}

/* <auth-user-pass> and <http-proxy-user-pass>: one or two lines. */
static void append_credentials(GString *s, OvpnOptionId id, const char *user, const char *password)
{
  g_string_append_printf(s, "<%s>\n%s\n", directive(id), user);
  if (password && *password)
    g_string_append_printf(s, "%s\n", password);
  g_string_append_printf(s, "</%s>\n", directive(id));
}

static gboolean append_option(GString *s, const OvpnOption *o, NMSettingVpn *vpn)
{
  const char *user = nm_setting_vpn_get_data_item(vpn, NMOVPN_KEY_USERNAME);
  if (o->id == OVPN_OPT_AUTH_USER_PASS && o->argc == 1 && !o->is_inline && user && *user) {
    append_credentials(s, o->id, user, system_secret(vpn, NMOVPN_SECRET_PASSWORD));
    return TRUE;
  }
  char *text = nmovpn_option_text(o);
  if (text)
    g_string_append(s, text);
  ovpn_secret_free(text);
  const char *proxy_user = nm_setting_vpn_get_data_item(vpn, "http-proxy-username");
  if (o->id == OVPN_OPT_HTTP_PROXY && o->connection < 0 && proxy_user && *proxy_user)
    append_credentials(s, OVPN_OPT_HTTP_PROXY_USER_PASS, proxy_user,
                       system_secret(vpn, NMOVPN_SECRET_PROXY_PASSWORD));
  return text != NULL;
}

static gboolean append_options(GString *s, const OvpnOptionList *l, NMSettingVpn *vpn)
{
  int block = -1;
  for (gsize i = 0; i <= l->n; i++) {
    int now = i < l->n ? l->items[i].connection : -1;
    if (now != block && block >= 0)
      g_string_append(s, "</connection>\n");
    if (now != block && now >= 0)
      g_string_append(s, "<connection>\n");
    block = now;
    if (i < l->n && !append_option(s, &l->items[i], vpn))
      return FALSE;
  }
  return TRUE;
}

static void append_route(GString *s, NMIPRoute *route)
{
  const char *hop = nm_ip_route_get_next_hop(route), *dest = nm_ip_route_get_dest(route);
  gint64 metric = nm_ip_route_get_metric(route);
  guint prefix = nm_ip_route_get_prefix(route);
  if (nm_ip_route_get_family(route) == AF_INET6)
    g_string_append_printf(s, "%s %s/%u %s", directive(OVPN_OPT_ROUTE_IPV6), dest, prefix,
                           hop ? hop : "default");
  else {
    struct in_addr mask = {.s_addr = htonl(prefix ? G_MAXUINT32 << (32 - prefix) : 0)};
    char text[INET_ADDRSTRLEN];
    inet_ntop(AF_INET, &mask, text, sizeof(text));
    g_string_append_printf(s, "%s %s %s %s", directive(OVPN_OPT_ROUTE), dest, text,
                           hop ? hop : "default");
  }
  if (metric >= 0)
    g_string_append_printf(s, " %" G_GINT64_FORMAT, metric);
  g_string_append_c(s, '\n');
}

/* Routes and name servers that the user set in NetworkManager. */
static void append_ip(GString *s, NMSettingIPConfig *ip)
{
  if (!ip)
    return;
  for (guint i = 0; i < nm_setting_ip_config_get_num_routes(ip); i++)
    append_route(s, nm_setting_ip_config_get_route(ip, (int)i));
  for (guint i = 0; i < nm_setting_ip_config_get_num_dns(ip); i++)
    g_string_append_printf(s, "%s DNS %s\n", directive(OVPN_OPT_DHCP_OPTION),
                           nm_setting_ip_config_get_dns(ip, (int)i));
  for (guint i = 0; i < nm_setting_ip_config_get_num_dns_searches(ip); i++)
    g_string_append_printf(s, "%s DOMAIN-SEARCH %s\n", directive(OVPN_OPT_DHCP_OPTION),
                           nm_setting_ip_config_get_dns_search(ip, (int)i));
}

/* Profiles without default-route=auto take the default route unless told not to; a file has to say
 * so. */
static void append_default_route(GString *s, NMConnection *connection, const OvpnOptionList *l)
{
  NMSettingIPConfig *ip4 = nm_connection_get_setting_ip4_config(connection);
  NMSettingVpn *vpn = nm_connection_get_setting_vpn(connection);
  if (!nmovpn_profile_default_route_auto(vpn) &&
      !ovpn_option_list_last(l, OVPN_OPT_REDIRECT_GATEWAY) &&
      !(ip4 && nm_setting_ip_config_get_never_default(ip4)))
    g_string_append_printf(s, "%s def1\n", directive(OVPN_OPT_REDIRECT_GATEWAY));
}

char *nmovpn_export_text(NMConnection *connection, GError **error)
{
  ovpn_auto_option_list list = {0};
  NMSettingVpn *vpn = nm_connection_get_setting_vpn(connection);
  if (!vpn) {
    g_set_error_literal(error, NMOVPN_PROFILE_ERROR, NMOVPN_PROFILE_ERROR_MISSING,
                        _("The connection is not a VPN"));
    return NULL;
  }
  load_secrets(connection);
  if (!key_is_there(vpn, error) || !nmovpn_profile_to_options(vpn, &list, error))
    return NULL;
  GString *s = g_string_sized_new(64 * 1024);
  gboolean ok = append_options(s, &list, vpn);
  append_ip(s, nm_connection_get_setting_ip4_config(connection));
  append_ip(s, nm_connection_get_setting_ip6_config(connection));
  append_default_route(s, connection, &list);
  char *text = ok ? ovpn_secret_strdup(s->str) : NULL;
  ovpn_wipe(s->str, s->len);
  g_string_free(s, TRUE);
  if (!text)
    g_set_error_literal(error, NMOVPN_PROFILE_ERROR, NMOVPN_PROFILE_ERROR_INVALID,
                        _("Out of memory"));
  return text;
}

gboolean nmovpn_export_file(NMConnection *connection, const char *path, GError **error)
{
  char *text = nmovpn_export_text(connection, error);
  if (!text)
    return FALSE;
  gboolean ok = g_file_set_contents_full(path, text, (gssize)strlen(text),
                                         G_FILE_SET_CONTENTS_CONSISTENT, 0600, error);
  ovpn_secret_free(text);
  return ok;
}

char *nmovpn_export_suggested_name(NMConnection *connection)
{
  const char *id = nm_connection_get_id(connection);
  char *name = g_strconcat(id && *id ? id : NMOVPN_VPN_NAME, ".ovpn", NULL);
  return g_strdelimit(name, "/", '_');
}
