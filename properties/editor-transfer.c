/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What an import made of its file, and "Save as .ovpn".
 *
 * The plugin remembers its last import (editor.h); the summary is shown only on the very
 * connection that came out of it, and its sentences hold words of a stranger's file: they are shown
 * as text, never as markup. Saving goes through the plugin, with what the page shows now; nothing
 * of the connection changes. spec/desktop.md §6 (import). */
#include "properties/editor-private.h"

#include <string.h>

#include "properties/editor.h"

enum { SENTENCES_MAX = 100 };

/* ---- import */

static GtkWidget *text_row(const char *title, const char *text, const char *css)
{
  GtkWidget *row = adw_preferences_row_new();
  GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 2);
  GtkWidget *heading = gtk_label_new(title), *label = editor_note_new();
  g_object_set(box, "margin-top", 8, "margin-bottom", 8, "margin-start", 12, "margin-end", 12,
               NULL);
  g_object_set(heading, "xalign", 0.0, "wrap", TRUE, NULL);
  gtk_label_set_text(GTK_LABEL(label), text);
  gtk_widget_set_visible(label, TRUE);
  gtk_widget_add_css_class(label, css);
  gtk_box_append(GTK_BOX(box), heading);
  gtk_box_append(GTK_BOX(box), label);
  gtk_list_box_row_set_activatable(GTK_LIST_BOX_ROW(row), FALSE);
  gtk_list_box_row_set_child(GTK_LIST_BOX_ROW(row), box);
  editor_name_control(row, title, text);
  return row;
}

static char *joined(const GPtrArray *items, const char *between)
{
  GString *s = g_string_new(NULL);
  for (guint i = 0; i < items->len && i < SENTENCES_MAX; i++)
    g_string_append_printf(s, "%s%s", s->len ? between : "", (char *)items->pdata[i]);
  if (items->len > SENTENCES_MAX)
    g_string_append_printf(s, "%s…", between);
  g_autofree char *raw = g_string_free(s, FALSE);
  return g_utf8_make_valid(raw, -1);
}

/* What the person would look for first. */
static char *taken(Editor *e)
{
  static const struct {
    const char *key, *words;
  } parts[] = {{KEY_CA, N_("certificate of the authority")},
               {KEY_CERT, N_("your certificate")},
               {KEY_KEY, N_("your private key")},
               {NMOVPN_KEY_USERNAME, N_("user name")},
               {NMOVPN_SECRET_KEY FLAGS_SUFFIX, N_("your private key")}};
  const char *remote = editor_get(e, KEY_REMOTE);
  g_auto(GStrv) servers = g_strsplit_set(remote ? remote : "", " \t,", -1);
  GString *s = g_string_new(NULL);
  guint n = 0;
  for (char **p = servers; *p; p++)
    n += **p != '\0';
  if (n)
    g_string_append_printf(s, g_dngettext(GETTEXT_PACKAGE, "%u server", "%u servers", n), n);
  for (guint i = 0; i < G_N_ELEMENTS(parts); i++) {
    if (editor_get(e, parts[i].key))
      g_string_append_printf(s, "%s%s", s->len ? ", " : "", _(parts[i].words));
  }
  guint all = nm_setting_vpn_get_num_data_items(e->old);
  g_string_append_printf(s, "%s", s->len ? "; " : "");
  g_string_append_printf(
      s, g_dngettext(GETTEXT_PACKAGE, "%u setting in all", "%u settings in all", all), all);
  return g_string_free(s, FALSE);
}

/* NULL when this is not the connection that was imported last. */
static GObject *imported(Editor *e)
{
  GObject *o = e->plugin ? g_type_get_qdata(G_OBJECT_TYPE(e->plugin),
                                            g_quark_from_static_string(NMOVPN_IMPORTED))
                         : NULL;
  NMSetting *copy = o ? g_object_get_data(o, NMOVPN_IMPORTED_SETTING) : NULL;
  gboolean same =
      copy && nm_setting_compare(copy, NM_SETTING(e->old), NM_SETTING_COMPARE_FLAG_IGNORE_SECRETS);
  return same ? o : NULL;
}

GtkWidget *editor_import_build(Editor *e)
{
  GObject *last = imported(e);
  if (!last)
    return NULL;
  const GPtrArray *warnings = g_object_get_data(last, NMOVPN_IMPORTED_WARNINGS);
  const GPtrArray *notes = g_object_get_data(last, NMOVPN_IMPORTED_NOTES);
  const char *file = g_object_get_data(last, NMOVPN_IMPORTED_FILE);
  GtkWidget *group = adw_preferences_group_new(), *row = adw_expander_row_new();
  g_autofree char *title = g_strdup_printf(_("Imported from “%s”"), file);
  g_autofree char *markup = g_markup_escape_text(title, -1);
  g_autofree char *what = taken(e), *summary = NULL;
  if (warnings->len) {
    g_autofree char *count = g_strdup_printf(
        g_dngettext(GETTEXT_PACKAGE, "%u thing to know", "%u things to know", warnings->len),
        warnings->len);
    summary = g_strconcat(what, " · ", count, NULL);
  } else {
    summary = g_strdup(notes->len ? what : _("Everything that matters here was taken"));
  }
  adw_preferences_row_set_title(ADW_PREFERENCES_ROW(row), markup);
  adw_expander_row_set_subtitle(ADW_EXPANDER_ROW(row), summary);
  editor_name_control(row, title, summary);
  gtk_widget_set_name(row, "import-summary");
  if (!warnings->len && !notes->len)
    adw_expander_row_add_row(ADW_EXPANDER_ROW(row), text_row(_("Taken"), what, "dim-label"));
  if (warnings->len) {
    g_autofree char *text = joined(warnings, "\n");
    adw_expander_row_add_row(ADW_EXPANDER_ROW(row), text_row(_("To know"), text, "warning"));
  }
  if (notes->len) {
    g_autofree char *text = joined(notes, ", ");
    adw_expander_row_add_row(ADW_EXPANDER_ROW(row),
                             text_row(_("Kept, but not needed here"), text, "dim-label"));
  }
  adw_preferences_group_add(ADW_PREFERENCES_GROUP(group), row);
  return group;
}

/* ---- export */

static void save_to(Editor *e, const char *path)
{
  g_autoptr(NMConnection) copy = nm_simple_connection_new_clone(e->whole);
  g_autoptr(GError) error = NULL;
  g_autofree char *text = NULL;
  gboolean ok = nm_vpn_editor_update_connection(NM_VPN_EDITOR(e), copy, &error) &&
                nm_vpn_editor_plugin_export(e->plugin, path, copy, &error);
  g_autofree char *shown = g_filename_display_name(path);
  if (ok)
    text = g_strdup_printf(_("Saved as “%s”"), shown);
  else
    text = g_strdup_printf(_("Not saved: %s"), error->message);
  editor_show_note(e->save_note, NULL, ok ? NULL : text, text);
  if (ok)
    gtk_widget_remove_css_class(e->save_note, "warning");
}

static void chosen(GtkNativeDialog *dialog, int response, gpointer editor)
{
  if (response == GTK_RESPONSE_ACCEPT) {
    g_autoptr(GFile) file = gtk_file_chooser_get_file(GTK_FILE_CHOOSER(dialog));
    g_autofree char *path = file ? g_file_get_path(file) : NULL;
    if (path)
      save_to(editor, path);
  }
  g_object_unref(dialog);
}

static void save_clicked(GtkWidget *w, gpointer editor)
{
  Editor *e = editor;
  GtkRoot *root = gtk_widget_get_root(w);
  GtkFileChooserNative *dialog =
      gtk_file_chooser_native_new(_("Save as .ovpn"), GTK_IS_WINDOW(root) ? GTK_WINDOW(root) : NULL,
                                  GTK_FILE_CHOOSER_ACTION_SAVE, NULL, NULL);
  g_autofree char *name = nm_vpn_editor_plugin_get_suggested_filename(e->plugin, e->whole);
  if (name)
    gtk_file_chooser_set_current_name(GTK_FILE_CHOOSER(dialog), name);
  gtk_native_dialog_set_modal(GTK_NATIVE_DIALOG(dialog), TRUE);
  g_signal_connect_object(dialog, "response", G_CALLBACK(chosen), e, 0);
  gtk_native_dialog_show(GTK_NATIVE_DIALOG(dialog));
}

GtkWidget *editor_save_build(Editor *e)
{
  if (!e->plugin)
    return NULL;
  GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6);
  GtkWidget *button = gtk_button_new_with_label(_("Save as .ovpn…"));
  gtk_widget_set_halign(button, GTK_ALIGN_CENTER);
  gtk_widget_set_name(button, "save-as");
  editor_name_control(button, NULL, _("One file with everything in it, also the private key"));
  gtk_widget_set_tooltip_text(button, _("One file with everything in it, also the private key"));
  g_signal_connect_object(button, "clicked", G_CALLBACK(save_clicked), e, 0);
  e->save_note = editor_note_new();
  gtk_label_set_xalign(GTK_LABEL(e->save_note), 0.5f);
  gtk_box_append(GTK_BOX(box), button);
  gtk_box_append(GTK_BOX(box), e->save_note);
  return box;
}
