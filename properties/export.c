/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Export to .ovpn: the profile's options in OpenVPN syntax, plus what stands in NetworkManager's
 * own settings.
 *
 * The text can hold the private key and a stored password, so it is wiped after use and the file is
 * 0600. What import made out of a file comes out such that importing it again gives the same
 * profile. spec/networkmanager-openvpn.md §2. */
#include "ovpn-build.h"

#include "properties/export.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "properties/export-private.h"
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

static gboolean append_option(GString *s, const OvpnOption *o, NMSettingVpn *vpn,
                              GPtrArray *warnings)
{
  const char *user = nm_setting_vpn_get_data_item(vpn, NMOVPN_KEY_USERNAME);
  if (o->id == OVPN_OPT_AUTH_USER_PASS && o->argc == 1 && !o->is_inline && user && *user) {
    append_credentials(s, o->id, user, system_secret(vpn, NMOVPN_SECRET_PASSWORD));
    return TRUE;
  }
  if (export_file_as_block(s, o, warnings))
    return TRUE;
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

static gboolean append_options(GString *s, const OvpnOptionList *l, NMConnection *connection,
                               GPtrArray *warnings)
{
  NMSettingVpn *vpn = nm_connection_get_setting_vpn(connection);
  int block = -1;
  for (gsize i = 0; i <= l->n; i++) {
    int now = i < l->n ? l->items[i].connection : -1;
    if (now != block && block >= 0)
      g_string_append(s, "</connection>\n");
    if (now != block && now >= 0)
      g_string_append(s, "<connection>\n");
    block = now;
    if (i < l->n && !export_skips(connection, &l->items[i]) &&
        !append_option(s, &l->items[i], vpn, warnings))
      return FALSE;
  }
  return TRUE;
}

char *nmovpn_export_text(NMConnection *connection, GError **error)
{
  return nmovpn_export_text_with_report(connection, NULL, error);
}

char *nmovpn_export_text_with_report(NMConnection *connection, GPtrArray *warnings, GError **error)
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
  export_filters(s, connection);
  gboolean ok = append_options(s, &list, connection, warnings);
  export_ip(s, connection, &list);
  char *text = ok ? ovpn_secret_strdup(s->str) : NULL;
  ovpn_wipe(s->str, s->len);
  g_string_free(s, TRUE);
  if (!text)
    g_set_error_literal(error, NMOVPN_PROFILE_ERROR, NMOVPN_PROFILE_ERROR_INVALID,
                        _("Out of memory"));
  return text;
}

/* Devices and pipes take the text as it comes, and a link stays one: only a plain file is replaced.
 */
static gboolean write_into(const char *path, const char *text, GError **error)
{
  struct stat st;
  gsize len = strlen(text);
  int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOCTTY, 0600);
  gboolean ok = fd >= 0 && fstat(fd, &st) == 0 &&
                (!S_ISREG(st.st_mode) || (fchmod(fd, 0600) == 0 && ftruncate(fd, 0) == 0));
  while (ok && len > 0) {
    ssize_t n = write(fd, text, len);
    ok = n > 0 || (n < 0 && errno == EINTR);
    if (n > 0) {
      text += n;
      len -= (gsize)n;
    }
  }
  int code = errno;
  if (fd >= 0 && close(fd) < 0 && ok) {
    code = errno;
    ok = FALSE;
  }
  if (!ok)
    g_set_error(error, G_FILE_ERROR, (int)g_file_error_from_errno(code), ": %s", g_strerror(code));
  return ok;
}

static gboolean write_text(const char *path, const char *text, GError **error)
{
  struct stat st;
  if (lstat(path, &st) == 0 && !S_ISREG(st.st_mode))
    return write_into(path, text, error);
  return g_file_set_contents_full(path, text, (gssize)strlen(text), G_FILE_SET_CONTENTS_CONSISTENT,
                                  0600, error);
}

gboolean nmovpn_export_file(NMConnection *connection, const char *path, GPtrArray *warnings,
                            GError **error)
{
  char *text = nmovpn_export_text_with_report(connection, warnings, error);
  if (!text)
    return FALSE;
  g_autoptr(GError) local = NULL;
  gboolean ok = write_text(path, text, &local);
  ovpn_secret_free(text);
  if (ok)
    return TRUE;
  /* GLib's sentence names a temporary file that nobody knows. */
  const char *why = g_strrstr(local->message, ": ");
  g_set_error(error, local->domain, local->code, _("The file “%s” could not be written: %s"), path,
              why ? why + 2 : local->message);
  return FALSE;
}

char *nmovpn_export_suggested_name(NMConnection *connection)
{
  const char *id = nm_connection_get_id(connection);
  char *name = g_strconcat(id && *id ? id : NMOVPN_VPN_NAME, ".ovpn", NULL);
  return g_strdelimit(name, "/", '_');
}
