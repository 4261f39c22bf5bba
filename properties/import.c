/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Import of .ovpn files.
 *
 * The file comes from a stranger: it is read whole (bounded), parsed by the lexer of helper/core
 * and turned into a profile; nothing it names is run, and of the files it names only those beside
 * it that it includes (include.c) are read. Only what is no OpenVPN syntax is
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
#include "properties/include.h"
#include "properties/pkcs12.h"
#include "service/profile-private.h"
#include "service/profile.h"

enum { REPORT_MAX = 40 };

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

static gboolean is_binary(const void *text, gsize len)
{
  return ovpn_conf_find_nul(text, MIN(len, 4096)) != NULL;
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
    if (ret->len + (gsize)n > OVPN_CONF_MAX && is_binary(ret->data, ret->len))
      return fail_not_openvpn(error), FALSE; /* the next plugin may know it */
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
    if (o->id == OVPN_OPT_CLIENT || o->id == OVPN_OPT_TLS_CLIENT || o->id == OVPN_OPT_TLS_SERVER ||
        o->id == OVPN_OPT_REMOTE || o->id == OVPN_OPT_SECRET)
      return TRUE;
  }
  return FALSE;
}

static gboolean looks_like_server(const OvpnOptionList *l)
{
  for (gsize i = 0; i < l->n; i++) {
    const OvpnOption *o = &l->items[i];
    if (o->id == OVPN_OPT_SERVER || o->id == OVPN_OPT_SERVER_BRIDGE ||
        o->id == OVPN_OPT_SERVER_IPV6 ||
        (o->id == OVPN_OPT_MODE && o->argc > 1 && !strcmp(o->argv[1], "server")))
      return TRUE;
  }
  return FALSE;
}

static gboolean parse(const void *text, gsize len, OvpnOptionList *ret, GError **error)
{
  OvpnConfError e = {0};
  if (is_binary(text, len))
    return fail_not_openvpn(error), FALSE;
  OvpnStatus s = ovpn_conf_parse(text, len, ret, &e);
  gboolean server = looks_like_server(ret);
  if (!server && !looks_like_client(ret) && !ovpn_option_list_last(ret, OVPN_OPT_CONFIG))
    return fail_not_openvpn(error), FALSE;
  if (s == OVPN_OK && server) {
    g_set_error_literal(error, NMOVPN_PROFILE_ERROR, NMOVPN_PROFILE_ERROR_INVALID,
                        _("The file is the configuration of an OpenVPN server, not of a client"));
    return FALSE;
  }
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

/* What connecting would refuse is better known now. Files are not looked at. */
static void try_it(NMSettingVpn *vpn, GPtrArray *warnings)
{
  ovpn_auto_option_list l = {0};
  g_autoptr(GError) error = NULL;
  OvpnConfig config;
  OvpnFailure f = {0};
  ovpn_config_init(&config);
  if (!nmovpn_profile_to_options(vpn, &l, &error))
    g_ptr_array_add(warnings, g_strdup(error->message));
  else if (ovpn_config_apply(&config, &l, &f) != OVPN_OK)
    g_ptr_array_add(warnings,
                    g_strdup_printf(_("This connection will not work as it is: %s"), f.text));
  ovpn_config_clear(&config);
}

/* Whether to ask for its pass phrase; no need to where an empty one will do. */
static void note_key(NMSettingVpn *vpn, const OvpnBlob *key)
{
  if (nmovpn_pkcs12_is_open(key->data, key->len))
    nm_setting_vpn_add_data_item(vpn, NMOVPN_SECRET_CERT_PASS "-flags", "4");
  else if (nmovpn_key_text_is_encrypted(key->data, key->len))
    nm_setting_vpn_add_data_item(vpn, NMOVPN_SECRET_CERT_PASS "-flags", "1");
}

static void note_inline_key(NMSettingVpn *vpn)
{
  const char *uri = nm_setting_vpn_get_secret(vpn, NMOVPN_SECRET_KEY);
  ovpn_auto_blob key = {0};
  if (uri && nmovpn_data_uri_decode(uri, &key))
    note_key(vpn, &key);
}

static gboolean convert(const OvpnOptionList *l, const char *directory, NMConnection *connection,
                        NmOvpnImportReport *report, GError **error)
{
  gboolean refused = FALSE;
  NmOvpnImportTarget target = {.directory = directory,
                               .vpn = nm_connection_get_setting_vpn(connection),
                               .ip4 = nm_connection_get_setting_ip4_config(connection),
                               .ip6 = nm_connection_get_setting_ip6_config(connection),
                               .warnings = report->warnings,
                               .notes = report->notes,
                               .refused = &refused};
  if (!nmovpn_profile_from_options(l, &target, error))
    return FALSE;
  /* The file decides about the default route, not NetworkManager's habit (DESIGN §7). */
  nm_setting_vpn_add_data_item(target.vpn, NMOVPN_KEY_DEFAULT_ROUTE, "auto");
  note_inline_key(target.vpn);
  if (!refused) /* else a cause with its line is enough */
    try_it(target.vpn, report->warnings);
  return TRUE;
}

NMConnection *nmovpn_import_text_with_report(const void *text, gsize len, const char *id,
                                             const char *directory, NmOvpnImportReport *report,
                                             GError **error)
{
  ovpn_auto_option_list list = {0};
  NmOvpnImportReport unused = {0};
  if (!len)
    return fail_not_openvpn(error), NULL;
  if (!report)
    nmovpn_import_report_init(report = &unused);
  NMSetting *vpn = nm_setting_vpn_new();
  g_object_set(vpn, NM_SETTING_VPN_SERVICE_TYPE, NMOVPN_VPN_SERVICE, NULL);
  g_autoptr(NMConnection) connection = new_connection(id, NM_SETTING_VPN(vpn));
  gboolean ok = parse(text, len, &list, error) &&
                nmovpn_include_files(&list, directory, report->warnings, error);
  if (ok && !looks_like_client(&list)) {
    fail_not_openvpn(error); /* nor did the files it includes make it one */
    ok = FALSE;
  }
  ok = ok && convert(&list, directory, connection, report, error);
  nmovpn_import_report_clear(&unused);
  return ok ? g_steal_pointer(&connection) : NULL;
}

NMConnection *nmovpn_import_text(const void *text, gsize len, const char *id, const char *directory,
                                 GError **error)
{
  return nmovpn_import_text_with_report(text, len, id, directory, NULL, error);
}

/* The only file opened besides the profile: a key is looked at to know whether to ask for its pass
 * phrase. */
static void note_key_file(NMConnection *connection)
{
  NMSettingVpn *vpn = nm_connection_get_setting_vpn(connection);
  g_autofree char *path = nmovpn_profile_key_path(vpn);
  ovpn_auto_blob key = {0};
  if (path && read_file(path, &key, NULL))
    note_key(vpn, &key);
}

NMConnection *nmovpn_import_file_with_report(const char *path, NmOvpnImportReport *report,
                                             GError **error)
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
  NMConnection *connection =
      nmovpn_import_text_with_report(text.data, text.len, id, directory, report, error);
  if (connection)
    note_key_file(connection);
  return connection;
}

NMConnection *nmovpn_import_file(const char *path, GError **error)
{
  return nmovpn_import_file_with_report(path, NULL, error);
}

void nmovpn_import_check_files(NMConnection *connection, NmOvpnImportReport *report)
{
  ovpn_auto_option_list l = {0};
  if (!nmovpn_profile_to_options(nm_connection_get_setting_vpn(connection), &l, NULL))
    return;
  for (gsize i = 0; i < l.n; i++) {
    const OvpnOption *o = &l.items[i];
    guint at = profile_file_argument(o);
    gboolean used = !(ovpn_option_info(o->id)->flags &
                      (OVPN_OPTF_SERVER | OVPN_OPTF_NEVER | OVPN_OPTF_HARMLESS | OVPN_OPTF_LATER));
    if (!used || !at || !g_path_is_absolute(o->argv[at]) || access(o->argv[at], F_OK) == 0 ||
        (errno != ENOENT && errno != ENOTDIR))
      continue;
    g_autofree char *path = g_utf8_make_valid(o->argv[at], -1);
    g_autofree char *text = g_strdup_printf(_("The file “%s” does not exist"), path);
    g_ptr_array_add(report->warnings, g_strdup_printf("%s: %s", o->argv[0], text));
  }
}

/* ---- the report */

void nmovpn_import_report_init(NmOvpnImportReport *report)
{
  report->warnings = g_ptr_array_new_with_free_func(g_free);
  report->notes = g_ptr_array_new_with_free_func(g_free);
}

void nmovpn_import_report_clear(NmOvpnImportReport *report)
{
  g_clear_pointer(&report->warnings, g_ptr_array_unref);
  g_clear_pointer(&report->notes, g_ptr_array_unref);
}

static void append_notes(GString *s, const GPtrArray *notes, const char *file)
{
  g_autoptr(GString) words = g_string_new(NULL);
  guint listed = 0;
  for (guint i = 0; i < notes->len && listed < REPORT_MAX; i++) {
    gboolean known = FALSE;
    for (guint k = 0; k < i && !known; k++)
      known = !strcmp(notes->pdata[k], notes->pdata[i]);
    if (!known)
      g_string_append_printf(words, "%s%s", listed++ ? ", " : "", (char *)notes->pdata[i]);
  }
  if (listed) {
    g_string_append_printf(s, _("%s: not needed here, without effect: %s"), file, words->str);
    g_string_append_c(s, '\n');
  }
}

char *nmovpn_import_report_text(const NmOvpnImportReport *report, const char *path)
{
  g_autofree char *base = g_path_get_basename(path), *file = g_utf8_make_valid(base, -1);
  GString *s = g_string_new(NULL);
  guint n = report->warnings->len;
  for (guint i = 0; i < MIN(n, REPORT_MAX); i++) {
    g_string_append_printf(s, _("Warning: %s: %s"), file, (char *)report->warnings->pdata[i]);
    g_string_append_c(s, '\n');
  }
  if (n > REPORT_MAX) {
    g_string_append_printf(s, _("Warning: %s: %u more lines like these"), file, n - REPORT_MAX);
    g_string_append_c(s, '\n');
  }
  append_notes(s, report->notes, file);
  return g_string_free(s, s->len == 0);
}
