/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The editor plugin that libnm loads: name, import, export, and the way to the graphical editor.
 *
 * It lives in other people's processes (nmcli, GNOME Settings, GTK 3 programs), so it links no
 * toolkit, exports one symbol and loads the GTK 4 editor only on demand, never into a process that
 * already runs GTK 3. spec/desktop.md §2. */
#include "ovpn-build.h"

#include <NetworkManager.h>
#include <dlfcn.h>
#include <gio/gio.h>
#include <glib/gi18n-lib.h>

#include "properties/editor.h"
#include "properties/export.h"
#include "properties/import.h"
#include "properties/notice.h"

#define EDITOR_FILE NMOVPN_PLUGINDIR "/libnm-gtk4-vpn-plugin-ovpn-editor.so"
#define EDITOR_SYMBOL "nmovpn_editor_new"
typedef NMVpnEditor *(*EditorNew)(NMVpnEditorPlugin *plugin, NMConnection *connection,
                                  GError **error);

#define NMOVPN_TYPE_PLUGIN (nmovpn_plugin_get_type())
G_DECLARE_FINAL_TYPE(NmOvpnPlugin, nmovpn_plugin, NMOVPN, PLUGIN, GObject)
struct _NmOvpnPlugin {
  GObject parent;
};

enum { PROP_NAME = 1, PROP_DESCRIPTION, PROP_SERVICE };

static NMVpnEditor *load_editor(NMVpnEditorPlugin *plugin, NMConnection *connection, GError **error)
{
  g_autofree char *beside = NULL;
  const char *file = EDITOR_FILE;
  Dl_info me = {0};
  /* A build that is not installed has its editor beside the plugin. */
  if (dladdr(EDITOR_SYMBOL, &me) && me.dli_fname && g_path_is_absolute(me.dli_fname)) {
    g_autofree char *dir = g_path_get_dirname(me.dli_fname);
    g_autofree char *name = g_path_get_basename(EDITOR_FILE);
    beside = g_build_filename(dir, name, NULL);
    if (g_file_test(beside, G_FILE_TEST_IS_REGULAR))
      file = beside;
  }
  if (!g_file_test(file, G_FILE_TEST_IS_REGULAR)) {
    g_set_error_literal(error, NM_CONNECTION_ERROR, NM_CONNECTION_ERROR_FAILED,
                        _("The graphical editor of this VPN plugin is not installed"));
    return NULL;
  }
  void *library = dlopen(file, RTLD_LAZY | RTLD_LOCAL | RTLD_NODELETE);
  EditorNew create = library ? (EditorNew)dlsym(library, EDITOR_SYMBOL) : NULL;
  if (!create) {
    const char *why = dlerror();
    g_set_error(error, NM_CONNECTION_ERROR, NM_CONNECTION_ERROR_FAILED,
                _("The graphical editor could not be loaded: %s"), why ? why : file);
    return NULL;
  }
  return create(plugin, connection, error);
}

static NMVpnEditor *get_editor(NMVpnEditorPlugin *plugin, NMConnection *connection, GError **error)
{
  /* GTK aborts when two of its versions meet in one process. */
  if (dlsym(RTLD_DEFAULT, "gtk_container_add")) {
    const char *why =
        _("The editor of this VPN plugin needs a program that uses GTK 4, such as GNOME Settings");
    NMVpnEditor *notice = nmovpn_notice_new(why);
    if (!notice)
      g_set_error_literal(error, NM_CONNECTION_ERROR, NM_CONNECTION_ERROR_FAILED, why);
    return notice;
  }
  return load_editor(plugin, connection, error);
}

static NMVpnEditorPluginCapability get_capabilities(NMVpnEditorPlugin *plugin)
{
  return NM_VPN_EDITOR_PLUGIN_CAPABILITY_IMPORT | NM_VPN_EDITOR_PLUGIN_CAPABILITY_EXPORT |
         NM_VPN_EDITOR_PLUGIN_CAPABILITY_IPV6;
}

/* The editor shows it when it is opened on that connection. */
static void remember_import(NMVpnEditorPlugin *plugin, NMConnection *connection, const char *path,
                            const NmOvpnImportReport *report)
{
  GQuark quark = g_quark_from_static_string(NMOVPN_IMPORTED);
  GObject *o = g_type_get_qdata(G_OBJECT_TYPE(plugin), quark);
  if (!o) {
    o = g_object_new(G_TYPE_OBJECT, NULL); /* lives as long as the type: for ever */
    g_type_set_qdata(G_OBJECT_TYPE(plugin), quark, o);
  }
  NMSetting *copy = nm_setting_duplicate(NM_SETTING(nm_connection_get_setting_vpn(connection)));
  g_object_set(copy, NM_SETTING_VPN_SECRETS, NULL, NULL);
  g_object_set_data_full(o, NMOVPN_IMPORTED_SETTING, copy, g_object_unref);
  g_object_set_data_full(o, NMOVPN_IMPORTED_WARNINGS, g_ptr_array_ref(report->warnings),
                         (GDestroyNotify)g_ptr_array_unref);
  g_object_set_data_full(o, NMOVPN_IMPORTED_NOTES, g_ptr_array_ref(report->notes),
                         (GDestroyNotify)g_ptr_array_unref);
  g_object_set_data_full(o, NMOVPN_IMPORTED_FILE, g_filename_display_basename(path), g_free);
}

static NMConnection *import_from_file(NMVpnEditorPlugin *plugin, const char *path, GError **error)
{
  NmOvpnImportReport report;
  nmovpn_import_report_init(&report);
  NMConnection *connection = nmovpn_import_file_with_report(path, &report, error);
  if (connection)
    nmovpn_import_check_files(connection, &report);
  /* libnm has no way to hand a warning to the program; nmcli's terminal shows what stands on
   * standard error, and in a desktop it goes to the journal. */
  g_autofree char *text = connection ? nmovpn_import_report_text(&report, path) : NULL;
  if (text)
    g_printerr("%s", text);
  if (connection)
    remember_import(plugin, connection, path, &report);
  nmovpn_import_report_clear(&report);
  return connection;
}

static gboolean export_to_file(NMVpnEditorPlugin *plugin, const char *path,
                               NMConnection *connection, GError **error)
{
  g_autoptr(GPtrArray) warnings = g_ptr_array_new_with_free_func(g_free);
  gboolean ok = nmovpn_export_file(connection, path, warnings, error);
  for (guint i = 0; ok && i < warnings->len; i++)
    g_printerr(_("Warning: %s\n"), (char *)warnings->pdata[i]);
  return ok;
}

static char *get_suggested_filename(NMVpnEditorPlugin *plugin, NMConnection *connection)
{
  return nmovpn_export_suggested_name(connection);
}

static void interface_init(NMVpnEditorPluginInterface *iface)
{
  iface->get_editor = get_editor;
  iface->get_capabilities = get_capabilities;
  iface->import_from_file = import_from_file;
  iface->export_to_file = export_to_file;
  iface->get_suggested_filename = get_suggested_filename;
}

G_DEFINE_TYPE_WITH_CODE(NmOvpnPlugin, nmovpn_plugin, G_TYPE_OBJECT,
                        G_IMPLEMENT_INTERFACE(NM_TYPE_VPN_EDITOR_PLUGIN, interface_init))

static void get_property(GObject *object, guint id, GValue *value, GParamSpec *spec)
{
  switch (id) {
  case PROP_NAME:
    g_value_set_string(value, _("OpenVPN"));
    break;
  case PROP_DESCRIPTION:
    g_value_set_string(value, _("Compatible with OpenVPN servers"));
    break;
  case PROP_SERVICE:
    g_value_set_string(value, NMOVPN_VPN_SERVICE);
    break;
  default:
    G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, spec);
  }
}

static void nmovpn_plugin_class_init(NmOvpnPluginClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS(klass);
  object_class->get_property = get_property;
  g_object_class_override_property(object_class, PROP_NAME, NM_VPN_EDITOR_PLUGIN_NAME);
  g_object_class_override_property(object_class, PROP_DESCRIPTION,
                                   NM_VPN_EDITOR_PLUGIN_DESCRIPTION);
  g_object_class_override_property(object_class, PROP_SERVICE, NM_VPN_EDITOR_PLUGIN_SERVICE);
}

static void nmovpn_plugin_init(NmOvpnPlugin *self)
{
}

G_MODULE_EXPORT NMVpnEditorPlugin *nm_vpn_editor_plugin_factory(GError **error)
{
  bindtextdomain(GETTEXT_PACKAGE, NMOVPN_LOCALEDIR);
  bind_textdomain_codeset(GETTEXT_PACKAGE, "UTF-8");
  return g_object_new(NMOVPN_TYPE_PLUGIN, NULL);
}
