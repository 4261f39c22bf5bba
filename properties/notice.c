/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A sentence instead of the editor, in programs with GTK 3.
 *
 * Such programs do not show the error that no editor could be had: the page stays empty and nothing
 * can be saved, not even an import. So they get a label. No toolkit is linked or loaded here: the
 * label is made by the GTK that the process runs, found by its symbol, and set up by properties
 * that GTK 3 has. spec/desktop.md §2. */
#include "ovpn-build.h"

#include "properties/notice.h"

#include <dlfcn.h>
#include <glib/gi18n-lib.h>

typedef struct Notice {
  GObject parent;
  GObject *label;
} Notice;
typedef GObjectClass NoticeClass;

static void interface_init(NMVpnEditorInterface *iface);
static GType notice_get_type(void);
G_DEFINE_TYPE_WITH_CODE(Notice, notice, G_TYPE_OBJECT,
                        G_IMPLEMENT_INTERFACE(NM_TYPE_VPN_EDITOR, interface_init))

static GObject *get_widget(NMVpnEditor *editor)
{
  return ((Notice *)editor)->label;
}

/* Nothing is changed; what was never set up cannot be saved either. */
static gboolean update_connection(NMVpnEditor *editor, NMConnection *connection, GError **error)
{
  NMSettingVpn *vpn = nm_connection_get_setting_vpn(connection);
  if (vpn && nm_setting_vpn_get_num_data_items(vpn))
    return TRUE;
  g_set_error_literal(error, NM_CONNECTION_ERROR, NM_CONNECTION_ERROR_MISSING_PROPERTY,
                      _("Import a file, or set the connection up in GNOME Settings"));
  return FALSE;
}

static void interface_init(NMVpnEditorInterface *iface)
{
  iface->get_widget = get_widget;
  iface->update_connection = update_connection;
}

static void notice_init(Notice *n)
{
}

static void finalize(GObject *object)
{
  g_clear_object(&((Notice *)object)->label);
  G_OBJECT_CLASS(notice_parent_class)->finalize(object);
}

static void notice_class_init(NoticeClass *klass)
{
  G_OBJECT_CLASS(klass)->finalize = finalize;
}

NMVpnEditor *nmovpn_notice_new(const char *text)
{
  GObject *(*label_new)(const char *) =
      (GObject * (*)(const char *)) dlsym(RTLD_DEFAULT, "gtk_label_new");
  GObject *label = label_new ? label_new(text) : NULL;
  if (!label)
    return NULL;
  Notice *n = g_object_new(notice_get_type(), NULL);
  n->label = g_object_ref_sink(label);
  g_object_set(label, "wrap", TRUE, "max-width-chars", 40, "margin", 24, "visible", TRUE, NULL);
  return NM_VPN_EDITOR(n);
}
