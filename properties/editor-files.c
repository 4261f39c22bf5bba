/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Certificate and key rows: a file, content kept in the profile, or a token; with what it is.
 *
 * Content in the profile is a data: URI; a private key among it is the secret "key", never part of
 * vpn.data (DESIGN §7). Files are looked at when the page is built and when the row changes, never
 * while the host asks for the profile. A file this user cannot read is a warning: the service may
 * be allowed to. */
#include "properties/editor-private.h"

#include <string.h>

enum { BUTTON_CHOOSE, BUTTON_KEEP, BUTTON_REMOVE };

static gboolean is_key_row(const Row *r)
{
  return r->binding->file == CERT_WHAT_KEY;
}

static gboolean is_folder(const Row *r)
{
  return r->binding->file == CERT_WHAT_CRL_DIR;
}

/* The stored value: path, data: or pkcs11:. */
static const char *stored(Row *r)
{
  const char *value = editor_get(r->editor, r->key);
  return !value && is_key_row(r) ? editor_get_secret(r->editor, NMOVPN_SECRET_KEY) : value;
}

static gboolean key_is_hidden(Row *r)
{
  return is_key_row(r) && !stored(r) && editor_get(r->editor, NMOVPN_SECRET_KEY FLAGS_SUFFIX);
}

/* NULL and no sentence: there is nothing to look at here (none, or on a token). */
static char *content(Row *r, gsize *ret_len, char **ret_why)
{
  const char *value = stored(r);
  if (!value || profile_is_token_uri(value))
    return NULL;
  if (profile_is_data_uri(value)) {
    ovpn_auto_blob blob = {0};
    if (!nmovpn_data_uri_decode(value, &blob)) {
      *ret_why = g_strdup(_("What is stored in the profile is damaged"));
      return NULL;
    }
    char *copy = g_malloc(blob.len + 1);
    if (blob.len)
      memcpy(copy, blob.data, blob.len);
    *ret_len = blob.len;
    return copy;
  }
  g_autofree char *path = nmovpn_text_unescape(value);
  return cert_info_read(path, ret_len, ret_why);
}

static void look_at_folder(const char *value, CertInfo *ret)
{
  g_autofree char *path = value ? nmovpn_text_unescape(value) : NULL;
  if (path && !g_file_test(path, G_FILE_TEST_IS_DIR))
    ret->warning = g_strdup_printf(_("There is no folder “%s”"), path);
}

static void look(Row *r, CertInfo *ret)
{
  gsize len = 0;
  char *why = NULL;
  if (is_folder(r)) {
    look_at_folder(stored(r), ret);
    return;
  }
  char *data = content(r, &len, &why);
  if (data)
    cert_info_look(r->binding->file, data, len, g_get_real_time() / G_USEC_PER_SEC, ret);
  else
    ret->warning = why;
  cert_info_forget(data, len);
}

static Row *other_half(Row *r, CertWhat what)
{
  for (guint i = 0; i < editor_n_bindings; i++) {
    const Binding *b = r->editor->rows[i].binding;
    if (b->kind == ROW_FILE && b->file == what)
      return &r->editor->rows[i];
  }
  return NULL;
}

static void check_pair(Row *key, CertInfo *info)
{
  Row *cert = other_half(key, CERT_WHAT_CERT);
  CertInfo other = {0};
  look(cert, &other);
  if (!info->warning && info->key_id && other.key_id && !g_bytes_equal(info->key_id, other.key_id))
    info->warning = g_strdup(_("The private key does not belong to the certificate"));
  cert_info_clear(&other);
}

static const char *where(Row *r)
{
  const char *value = stored(r);
  if (key_is_hidden(r) || (value && profile_is_data_uri(value)))
    return _("Kept in this profile");
  return value && profile_is_token_uri(value) ? _("On a security token") : NULL;
}

static void show_info(Row *r)
{
  CertInfo info = {0};
  look(r, &info);
  if (is_key_row(r))
    check_pair(r, &info);
  gtk_label_set_text(GTK_LABEL(r->extra), info.text ? info.text : "");
  gtk_widget_set_visible(r->extra, info.text != NULL);
  g_clear_pointer(&r->error, g_free);
  if (info.wrong && r->touched)
    r->error = g_strdup(info.warning);
  editor_show_note(r->note, r->control, r->error, info.warning);
  const char *value = stored(r);
  gtk_widget_set_visible(r->buttons[BUTTON_KEEP], value && !profile_is_data_uri(value) &&
                                                      !profile_is_token_uri(value) && info.text &&
                                                      !info.pkcs12);
  gtk_widget_set_visible(r->buttons[BUTTON_REMOVE], value || key_is_hidden(r));
  gtk_entry_set_placeholder_text(GTK_ENTRY(r->control), where(r)       ? where(r)
                                                        : is_folder(r) ? _("No folder chosen")
                                                                       : _("No file chosen"));
  r->open_key = is_key_row(r) && info.text && !info.encrypted && !info.wrong;
  r->pkcs12 = info.pkcs12;
  cert_info_clear(&info);
}

void editor_file_load(Row *r)
{
  const char *value = stored(r);
  gboolean path = value && !profile_is_data_uri(value);
  g_autofree char *plain = path ? nmovpn_text_unescape(value) : NULL;
  g_autofree char *text = plain ? g_utf8_make_valid(plain, -1) : NULL;
  if (g_strcmp0(gtk_editable_get_text(GTK_EDITABLE(r->control)), text ? text : ""))
    gtk_editable_set_text(GTK_EDITABLE(r->control), text ? text : "");
  gtk_editable_set_position(GTK_EDITABLE(r->control), -1); /* the file's name, not the folder's */
  gtk_widget_set_tooltip_text(r->control, text);
  show_info(r);
}

/* ---- changes */

/* A PKCS#12 file is certificate and key in one: both rows name it. */
static void follow_cert(Row *cert)
{
  Row *key = other_half(cert, CERT_WHAT_KEY);
  if (cert->pkcs12 && !stored(key) && !key_is_hidden(key)) {
    editor_set(key->editor, key->key, stored(cert));
    editor_row_load(key);
  } else {
    show_info(key);
  }
}

static void changed(Row *r)
{
  r->touched = TRUE;
  show_info(r);
  if (r->binding->file == CERT_WHAT_CERT)
    follow_cert(r);
  editor_changed(r->editor);
}

static void reload(Row *r)
{
  r->touched = TRUE;
  editor_row_load(r);
  changed(r);
}

/* Also forgets a key that is a secret: there is one key only. */
static void set_value(Row *r, const char *value)
{
  editor_set(r->editor, r->key, value);
  if (!is_key_row(r))
    return;
  editor_set_secret(r->editor, NMOVPN_SECRET_KEY, NULL);
  editor_set(r->editor, NMOVPN_SECRET_KEY FLAGS_SUFFIX, NULL);
}

/* Typing over what the profile holds and deleting that again is no removal; there is a button for
 * it. */
static void restore_kept(Row *r)
{
  Editor *e = r->editor;
  const char *old = profile_get(e->old, r->key);
  set_value(r, old && profile_is_data_uri(old) ? old : NULL);
  if (!is_key_row(r))
    return;
  editor_set_secret(e, NMOVPN_SECRET_KEY, nm_setting_vpn_get_secret(e->old, NMOVPN_SECRET_KEY));
  editor_set(e, NMOVPN_SECRET_KEY FLAGS_SUFFIX,
             profile_get(e->old, NMOVPN_SECRET_KEY FLAGS_SUFFIX));
}

static void set_path(Row *r, const char *path)
{
  if (!*path) {
    restore_kept(r);
  } else if (profile_is_token_uri(path)) {
    set_value(r, path);
  } else {
    const char *old = profile_get(r->editor->old, r->key);
    g_autofree char *before = old && !profile_is_data_uri(old) ? nmovpn_text_unescape(old) : NULL;
    g_autofree char *value = nmovpn_text_escape(path, strlen(path));
    set_value(r, g_strcmp0(before, path) == 0 ? old : value);
  }
}

static void path_changed(GtkEditable *w, gpointer editor)
{
  Row *r = g_object_get_data(G_OBJECT(w), "row");
  if (r->editor->loading)
    return;
  set_path(r, gtk_editable_get_text(w));
  changed(r);
}

static void chosen(GtkNativeDialog *dialog, int response, gpointer editor)
{
  Row *r = g_object_get_data(G_OBJECT(dialog), "row");
  if (response == GTK_RESPONSE_ACCEPT) {
    g_autoptr(GFile) file = gtk_file_chooser_get_file(GTK_FILE_CHOOSER(dialog));
    g_autofree char *path = file ? g_file_get_path(file) : NULL;
    if (path) {
      set_path(r, path);
      reload(r);
    }
  }
  g_object_unref(dialog);
}

static void add_filter(GtkFileChooser *chooser, const char *name, const char *const *suffixes)
{
  g_autoptr(GtkFileFilter) filter = gtk_file_filter_new();
  gtk_file_filter_set_name(filter, name);
  for (; *suffixes; suffixes++)
    gtk_file_filter_add_pattern(filter, *suffixes);
  gtk_file_chooser_add_filter(chooser, filter);
}

static void choose(GtkButton *button, gpointer editor)
{
  static const char *const usual[] = {"*.pem", "*.crt", "*.cer", "*.der", "*.key",
                                      "*.p12", "*.pfx", "*.crl", NULL};
  static const char *const all[] = {"*", NULL};
  Row *r = g_object_get_data(G_OBJECT(button), "row");
  GtkRoot *root = gtk_widget_get_root(GTK_WIDGET(button));
  GtkFileChooserNative *dialog = gtk_file_chooser_native_new(
      _("Choose a File"), GTK_IS_WINDOW(root) ? GTK_WINDOW(root) : NULL,
      is_folder(r) ? GTK_FILE_CHOOSER_ACTION_SELECT_FOLDER : GTK_FILE_CHOOSER_ACTION_OPEN, NULL,
      NULL);
  if (!is_folder(r)) {
    add_filter(GTK_FILE_CHOOSER(dialog), _("Certificates and keys"), usual);
    add_filter(GTK_FILE_CHOOSER(dialog), _("All files"), all);
  }
  gtk_native_dialog_set_modal(GTK_NATIVE_DIALOG(dialog), TRUE);
  g_object_set_data(G_OBJECT(dialog), "row", r);
  g_signal_connect_object(dialog, "response", G_CALLBACK(chosen), r->editor, 0);
  gtk_native_dialog_show(GTK_NATIVE_DIALOG(dialog));
}

static void keep(GtkButton *button, gpointer editor)
{
  Row *r = g_object_get_data(G_OBJECT(button), "row");
  gsize len = 0;
  char *why = NULL;
  char *data = content(r, &len, &why);
  g_free(why);
  if (!data)
    return;
  char *uri = nmovpn_data_uri_encode(data, len);
  if (is_key_row(r)) {
    editor_set(r->editor, r->key, NULL);
    editor_set_secret(r->editor, NMOVPN_SECRET_KEY, uri);
    editor_set(r->editor, NMOVPN_SECRET_KEY FLAGS_SUFFIX, "0");
  } else {
    set_value(r, uri);
  }
  ovpn_secret_free(uri);
  cert_info_forget(data, len);
  reload(r);
}

static void remove_it(GtkButton *button, gpointer editor)
{
  Row *r = g_object_get_data(G_OBJECT(button), "row");
  set_value(r, NULL);
  reload(r);
}

static void add_button(Row *r, int i, GtkWidget *line, const char *icon, const char *name,
                       GCallback clicked)
{
  g_autofree char *title = editor_row_title(r->binding);
  g_autofree char *full = g_strdup_printf(_("%s: %s"), title, name);
  r->buttons[i] = editor_icon_button(icon, name);
  editor_name_control(r->buttons[i], full, NULL);
  g_object_set_data(G_OBJECT(r->buttons[i]), "row", r);
  g_signal_connect_object(r->buttons[i], "clicked", clicked, r->editor, 0);
  gtk_box_append(GTK_BOX(line), r->buttons[i]);
}

void editor_file_build(Row *r)
{
  const Binding *b = r->binding;
  GtkWidget *box, *line = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
  const char *title = _(b->label);
  r->control = gtk_entry_new();
  gtk_editable_set_width_chars(GTK_EDITABLE(r->control), 8);
  gtk_widget_set_hexpand(r->control, TRUE);
  gtk_box_append(GTK_BOX(line), r->control);
  add_button(r, BUTTON_CHOOSE, line, "document-open-symbolic",
             is_folder(r) ? _("Choose a folder") : _("Choose a file"), G_CALLBACK(choose));
  add_button(r, BUTTON_KEEP, line, "document-save-symbolic", _("Keep a copy in this profile"),
             G_CALLBACK(keep));
  add_button(r, BUTTON_REMOVE, line, "edit-clear-symbolic", _("Remove"), G_CALLBACK(remove_it));
  r->widget = editor_field_row(title, b->shown ? b->shown : ovpn_option_info(b->id)->directive,
                               FALSE, line, &box);
  if (strchr(title, '_')) {
    GtkWidget *label = gtk_widget_get_first_child(gtk_widget_get_first_child(box));
    gtk_label_set_use_underline(GTK_LABEL(label), TRUE);
    gtk_label_set_mnemonic_widget(GTK_LABEL(label), r->control);
  }
  r->extra = editor_note_new();
  gtk_widget_add_css_class(r->extra, "dim-label");
  r->note = editor_note_new();
  gtk_box_append(GTK_BOX(box), r->extra);
  gtk_box_append(GTK_BOX(box), r->note);
  g_signal_connect_object(r->control, "changed", G_CALLBACK(path_changed), r->editor, 0);
}
