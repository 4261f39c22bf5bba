/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Password rows: the password and, in words, where it is kept.
 *
 * The choice is the key NAME-flags (0 NetworkManager, 1 the user's key ring, 2 ask, 4 not needed).
 * Flags that no choice stands for are kept until the user chooses. Only a password that was typed
 * or removed is written. spec/networkmanager-openvpn.md §3.2, §4. */
#include "properties/editor-private.h"

#include <string.h>

static const struct {
  const char *flags;
  const char *label;
} storages[] = {
    {"1", N_("Save for me only")},
    {"0", N_("Save for all users")},
    {"2", N_("Ask every time")},
    {"4", N_("Not needed")},
};

static char *flags_key(Row *r)
{
  return g_strconcat(r->binding->secret, FLAGS_SUFFIX, NULL);
}

static guint storage_of(Row *r)
{
  g_autofree char *key = flags_key(r);
  const char *value = editor_get(r->editor, key);
  guint64 flags = value ? g_ascii_strtoull(value, NULL, 10) : 0;
  if (flags & NM_SETTING_SECRET_FLAG_NOT_REQUIRED)
    return 3;
  if (flags & NM_SETTING_SECRET_FLAG_NOT_SAVED)
    return 2;
  return flags & NM_SETTING_SECRET_FLAG_AGENT_OWNED ? 0 : 1;
}

static void password_changed(GtkEditable *w, gpointer editor)
{
  Row *r = g_object_get_data(G_OBJECT(w), "row");
  if (r->editor->loading)
    return;
  r->touched = TRUE;
  editor_set_secret(r->editor, r->binding->secret, gtk_editable_get_text(w));
  editor_changed(r->editor);
}

static void storage_changed(GtkDropDown *w, GParamSpec *spec, gpointer editor)
{
  Row *r = g_object_get_data(G_OBJECT(w), "row");
  guint i = gtk_drop_down_get_selected(w);
  if (r->editor->loading || i >= G_N_ELEMENTS(storages))
    return;
  g_autofree char *key = flags_key(r);
  const char *old = nm_setting_vpn_get_data_item(r->editor->old, key);
  r->touched = TRUE;
  editor_set(r->editor, key, storages[i].flags);
  /* Back to where it was: the key's absence and 0 mean the same. */
  if (i == 1 && !old)
    editor_set(r->editor, key, NULL);
  if (i >= 2) {
    editor_set_secret(r->editor, r->binding->secret, NULL);
  } else {
    const char *text = gtk_editable_get_text(GTK_EDITABLE(r->control));
    editor_set_secret(r->editor, r->binding->secret, text);
  }
  gtk_widget_set_sensitive(r->control, i < 2);
  editor_changed(r->editor);
}

void editor_secret_build(Row *r)
{
  const Binding *b = r->binding;
  GtkWidget *box;
  g_autoptr(GtkStringList) names = gtk_string_list_new(NULL);
  for (guint i = 0; i < G_N_ELEMENTS(storages); i++)
    gtk_string_list_append(names, _(storages[i].label));
  r->control = gtk_password_entry_new();
  gtk_password_entry_set_show_peek_icon(GTK_PASSWORD_ENTRY(r->control), TRUE);
  gtk_editable_set_width_chars(GTK_EDITABLE(r->control), 10);
  r->extra = editor_drop_down_new(names);
  r->widget = editor_field_row(_(b->label), ovpn_option_info(b->id)->directive,
                               strchr(_(b->label), '_') != NULL, r->control, &box);
  gtk_box_append(GTK_BOX(box), r->extra);
  g_object_set_data(G_OBJECT(r->extra), "row", r);
  g_autofree char *name = g_strconcat(r->name, FLAGS_SUFFIX, NULL);
  gtk_widget_set_name(r->extra, name);
  g_autofree char *title = editor_row_title(b);
  editor_name_control(r->extra, _("Where the password is kept"), title);
  g_signal_connect_object(r->control, "changed", G_CALLBACK(password_changed), r->editor, 0);
  g_signal_connect_object(r->extra, "notify::selected", G_CALLBACK(storage_changed), r->editor, 0);
}

void editor_secret_load(Row *r)
{
  const char *value = editor_get_secret(r->editor, r->binding->secret);
  guint i = storage_of(r);
  gtk_editable_set_text(GTK_EDITABLE(r->control), value ? value : "");
  gtk_drop_down_set_selected(GTK_DROP_DOWN(r->extra), i);
  gtk_widget_set_sensitive(r->control, i < 2);
}
