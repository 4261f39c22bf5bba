/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Import of .ovpn files.
 *
 * The file comes from a stranger: it is read whole (bounded), parsed by the lexer of helper/core
 * and turned into a profile; nothing it names is opened or run. Only what is no OpenVPN syntax is
 * refused, early and with the line, because GNOME Settings tries every plugin on every file and
 * shows the last one's words. spec/networkmanager-openvpn.md §1, DESIGN §7. */
#include "ovpn-build.h"

#include "properties/import.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "helper/core/conf.h"
#include "service/profile.h"

static void fail_not_openvpn(GError **error)
{
  g_set_error_literal(error, NMOVPN_PROFILE_ERROR, NMOVPN_PROFILE_ERROR_INVALID,
                      _("The file is not an OpenVPN client configuration"));
}

static gboolean fail_read(const char *path, int code, GError **error)
{
  g_set_error(error, G_FILE_ERROR, (int)g_file_error_from_errno(code),
              _("The file “%s” could not be read: %s"), path, g_strerror(code));
  return FALSE;
}

static gboolean read_all(int fd, const char *path, OvpnBlob *ret, GError **error)
{
  char buffer[16384];
  for (;;) {
    ssize_t n = read(fd, buffer, sizeof(buffer));
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return fail_read(path, errno, error);
    if (n == 0)
      break;
    if (ret->len + (gsize)n > OVPN_CONF_MAX) {
      g_set_error(error, NMOVPN_PROFILE_ERROR, NMOVPN_PROFILE_ERROR_INVALID,
                  _("The file is larger than %d MiB and cannot be an OpenVPN configuration"),
                  OVPN_CONF_MAX / 1024 / 1024);
      return FALSE;
    }
    if (!ovpn_blob_append(ret, buffer, (gsize)n))
      return fail_read(path, ENOMEM, error);
  }
  ovpn_wipe(buffer, sizeof(buffer));
  return TRUE;
}

/* A pipe or device would block or never end. */
static gboolean read_file(const char *path, OvpnBlob *ret, GError **error)
{
  struct stat st;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0)
    return fail_read(path, errno, error);
  gboolean ok;
  if (fstat(fd, &st) < 0)
    ok = fail_read(path, errno, error);
  else if (S_ISDIR(st.st_mode))
    ok = fail_read(path, EISDIR, error);
  else if (!S_ISREG(st.st_mode))
    ok = fail_read(path, EINVAL, error);
  else
    ok = read_all(fd, path, ret, error);
  close(fd);
  return ok;
}

/* What a client's configuration cannot do without; other formats have none of it as a first word.
 */
static gboolean looks_like_client(const OvpnOptionList *l)
{
  for (gsize i = 0; i < l->n; i++) {
    const OvpnOption *o = &l->items[i];
    if (o->id == OVPN_OPT_CLIENT || o->id == OVPN_OPT_TLS_CLIENT || o->id == OVPN_OPT_REMOTE ||
        o->id == OVPN_OPT_SECRET)
      return TRUE;
  }
  return FALSE;
}

static gboolean parse(const void *text, gsize len, OvpnOptionList *ret, GError **error)
{
  OvpnConfError e = {0};
  if (memchr(text, 0, MIN(len, 4096)))
    return fail_not_openvpn(error), FALSE;
  OvpnStatus s = ovpn_conf_parse(text, len, ret, &e);
  if (!looks_like_client(ret))
    return fail_not_openvpn(error), FALSE;
  if (s == OVPN_OK)
    return TRUE;
  if (e.line)
    g_set_error(error, NMOVPN_PROFILE_ERROR, NMOVPN_PROFILE_ERROR_INVALID, _("Line %u: %s"), e.line,
                e.text);
  else
    g_set_error_literal(error, NMOVPN_PROFILE_ERROR, NMOVPN_PROFILE_ERROR_INVALID, e.text);
  return FALSE;
}

static void add_ip_settings(NMConnection *connection)
{
  NMSetting *ip4 = nm_setting_ip4_config_new(), *ip6 = nm_setting_ip6_config_new();
  g_object_set(ip4, NM_SETTING_IP_CONFIG_METHOD, NM_SETTING_IP4_CONFIG_METHOD_AUTO, NULL);
  g_object_set(ip6, NM_SETTING_IP_CONFIG_METHOD, NM_SETTING_IP6_CONFIG_METHOD_AUTO, NULL);
  nm_connection_add_setting(connection, ip4);
  nm_connection_add_setting(connection, ip6);
}

static NMConnection *new_connection(const char *id, NMSettingVpn *vpn)
{
  NMConnection *connection = nm_simple_connection_new();
  NMSetting *s = nm_setting_connection_new();
  g_object_set(s, NM_SETTING_CONNECTION_ID, id, NM_SETTING_CONNECTION_TYPE,
               NM_SETTING_VPN_SETTING_NAME, NULL);
  nm_connection_add_setting(connection, s);
  nm_connection_add_setting(connection, NM_SETTING(vpn));
  add_ip_settings(connection);
  return connection;
}

NMConnection *nmovpn_import_text(const void *text, gsize len, const char *id, const char *directory,
                                 GError **error)
{
  ovpn_auto_option_list list = {0};
  if (!len || !parse(text, len, &list, error)) {
    if (!len)
      fail_not_openvpn(error);
    return NULL;
  }
  g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(NMSettingVpn) vpn = NM_SETTING_VPN(g_object_ref_sink(nm_setting_vpn_new()));
  g_object_set(vpn, NM_SETTING_VPN_SERVICE_TYPE, NMOVPN_VPN_SERVICE, NULL);
  if (!nmovpn_profile_from_options(&list, directory, vpn, warnings, error))
    return NULL;
  /* The file decides about the default route, not NetworkManager's habit (DESIGN §7). */
  nm_setting_vpn_add_data_item(vpn, NMOVPN_KEY_DEFAULT_ROUTE, "auto");
  for (guint i = 0; i < warnings->len; i++)
    g_info("%s: %s", id, (const char *)warnings->pdata[i]);
  return new_connection(id, g_object_ref(vpn));
}

/* The only file opened besides the profile: a key is looked at to know whether to ask for its pass
 * phrase. */
static void note_encrypted_key(NMConnection *connection)
{
  NMSettingVpn *vpn = nm_connection_get_setting_vpn(connection);
  g_autofree char *path = nmovpn_profile_key_path(vpn);
  ovpn_auto_blob key = {0};
  if (path && read_file(path, &key, NULL) && nmovpn_key_text_is_encrypted(key.data, key.len))
    nm_setting_vpn_add_data_item(vpn, NMOVPN_SECRET_CERT_PASS "-flags", "1");
}

NMConnection *nmovpn_import_file(const char *path, GError **error)
{
  ovpn_auto_blob text = {0};
  if (!read_file(path, &text, error))
    return NULL;
  g_autofree char *absolute = g_canonicalize_filename(path, NULL);
  g_autofree char *directory = g_path_get_dirname(absolute);
  g_autofree char *base = g_path_get_basename(absolute);
  char *dot = strrchr(base, '.');
  if (dot && dot != base)
    *dot = '\0';
  g_autofree char *id = g_utf8_make_valid(base, -1);
  NMConnection *connection = nmovpn_import_text(text.data, text.len, id, directory, error);
  if (connection)
    note_encrypted_key(connection);
  return connection;
}
