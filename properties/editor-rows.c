/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Rows of the editor: widgets for switches, choices and texts, and what all rows share.
 *
 * A row tells the model only what the user changed; filling a widget from the model is no change.
 * Every control has an accessible name (the row's title) and description (its option). A field is
 * marked wrong only once it was touched. spec/desktop.md §2, §6. */
#include "properties/editor-private.h"

#include <string.h>

void editor_name_control(GtkWidget *w, const char *name, const char *description)
{
  /* Newer versions of GTK name such a list by what is chosen in it. */
  if (name && GTK_IS_DROP_DOWN(w))
    gtk_accessible_reset_relation(GTK_ACCESSIBLE(w), GTK_ACCESSIBLE_RELATION_LABELLED_BY);
  if (name)
    gtk_accessible_update_property(GTK_ACCESSIBLE(w), GTK_ACCESSIBLE_PROPERTY_LABEL, name, -1);
  if (!description)
    return;
  g_object_set_data_full(G_OBJECT(w), "description", g_strdup(description), g_free);
  gtk_accessible_update_property(GTK_ACCESSIBLE(w), GTK_ACCESSIBLE_PROPERTY_DESCRIPTION,
                                 description, -1);
}

GtkWidget *editor_icon_button(const char *icon, const char *name)
{
  GtkWidget *button = gtk_button_new_from_icon_name(icon);
  gtk_widget_add_css_class(button, "flat");
  gtk_widget_set_valign(button, GTK_ALIGN_CENTER);
  gtk_widget_set_tooltip_text(button, name);
  editor_name_control(button, name, NULL);
  return button;
}

GtkWidget *editor_note_new(void)
{
  GtkWidget *note = gtk_label_new(NULL);
  gtk_label_set_wrap(GTK_LABEL(note), TRUE);
  gtk_label_set_wrap_mode(GTK_LABEL(note), PANGO_WRAP_WORD_CHAR);
  gtk_label_set_xalign(GTK_LABEL(note), 0);
  gtk_widget_add_css_class(note, "caption");
  gtk_widget_set_visible(note, FALSE);
  return note;
}

static void setup_item(GtkSignalListItemFactory *factory, GtkListItem *item, gpointer data)
{
  GtkWidget *label = gtk_label_new(NULL);
  gtk_label_set_xalign(GTK_LABEL(label), 0);
  gtk_label_set_ellipsize(GTK_LABEL(label), PANGO_ELLIPSIZE_END);
  gtk_list_item_set_child(item, label);
}

static void bind_item(GtkSignalListItemFactory *factory, GtkListItem *item, gpointer data)
{
  GtkStringObject *text = GTK_STRING_OBJECT(gtk_list_item_get_item(item));
  gtk_label_set_text(GTK_LABEL(gtk_list_item_get_child(item)), gtk_string_object_get_string(text));
}

/* A drop-down list that gives way in a narrow window. */
GtkWidget *editor_drop_down_new(GtkStringList *names)
{
  GtkWidget *list = gtk_drop_down_new(G_LIST_MODEL(g_object_ref(names)), NULL);
  g_autoptr(GtkListItemFactory) factory = gtk_signal_list_item_factory_new();
  g_signal_connect(factory, "setup", G_CALLBACK(setup_item), NULL);
  g_signal_connect(factory, "bind", G_CALLBACK(bind_item), NULL);
  gtk_drop_down_set_factory(GTK_DROP_DOWN(list), factory);
  gtk_drop_down_set_list_factory(GTK_DROP_DOWN(list), NULL);
  return list;
}

/* What is wrong with a field, for the eye and for assistive technology. */
void editor_mark_field(GtkWidget *control, const char *error)
{
  const char *usual = g_object_get_data(G_OBJECT(control), "description");
  if (error)
    gtk_widget_add_css_class(control, "error");
  else
    gtk_widget_remove_css_class(control, "error");
  gtk_accessible_update_state(GTK_ACCESSIBLE(control), GTK_ACCESSIBLE_STATE_INVALID,
                              error ? GTK_ACCESSIBLE_INVALID_TRUE : GTK_ACCESSIBLE_INVALID_FALSE,
                              -1);
  if (error || usual)
    gtk_accessible_update_property(GTK_ACCESSIBLE(control), GTK_ACCESSIBLE_PROPERTY_DESCRIPTION,
                                   error ? error : usual, -1);
}

/* A sentence under the field, and the same for assistive technology. */
void editor_show_note(GtkWidget *note, GtkWidget *control, const char *error, const char *warning)
{
  const char *text = error ? error : warning;
  gtk_label_set_text(GTK_LABEL(note), text ? text : "");
  gtk_widget_set_visible(note, text != NULL);
  gtk_widget_remove_css_class(note, error ? "warning" : "error");
  gtk_widget_add_css_class(note, error ? "error" : "warning");
  if (control)
    editor_mark_field(control, error);
}

static GtkWidget *new_label(const char *text, const char *css)
{
  GtkWidget *label = gtk_label_new(text);
  gtk_label_set_xalign(GTK_LABEL(label), 0);
  gtk_label_set_wrap(GTK_LABEL(label), TRUE);
  gtk_label_set_wrap_mode(GTK_LABEL(label), PANGO_WRAP_WORD_CHAR);
  if (css) {
    gtk_widget_add_css_class(label, css);
    gtk_widget_add_css_class(label, "subtitle");
  }
  return label;
}

/* Title and option name, with the control below them. */
GtkWidget *editor_field_row(const char *title, const char *subtitle, gboolean mnemonic,
                            GtkWidget *control, GtkWidget **ret_box)
{
  GtkWidget *row = adw_preferences_row_new();
  GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6);
  GtkWidget *words = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
  GtkWidget *label = new_label(title, NULL);
  g_object_set(box, "margin-top", 8, "margin-bottom", 8, "margin-start", 12, "margin-end", 12,
               NULL);
  gtk_list_box_row_set_activatable(GTK_LIST_BOX_ROW(row), FALSE);
  gtk_widget_set_focusable(row, FALSE);
  if (mnemonic) {
    gtk_label_set_use_underline(GTK_LABEL(label), TRUE);
    gtk_label_set_mnemonic_widget(GTK_LABEL(label), control);
  }
  gtk_box_append(GTK_BOX(words), label);
  if (subtitle)
    gtk_box_append(GTK_BOX(words), new_label(subtitle, "dim-label"));
  gtk_box_append(GTK_BOX(box), words);
  gtk_box_append(GTK_BOX(box), control);
  gtk_list_box_row_set_child(GTK_LIST_BOX_ROW(row), box);
  *ret_box = box;
  return row;
}

char *editor_row_title(const Binding *b)
{
  const char *title = _(b->label);
  GString *s = g_string_new(NULL);
  for (const char *p = title; *p; p++) {
    if (*p != '_')
      g_string_append_c(s, *p);
  }
  return g_string_free(s, FALSE);
}

static const char *option_name(const Row *r)
{
  const Binding *b = r->binding;
  return b->shown ? b->shown : ovpn_option_info(b->id)->directive;
}

/* ---- checks */

static char *check_items(OvpnOptionId id, const char *label, const char *value)
{
  g_auto(GStrv) items = g_strsplit_set(value, " \t,", -1);
  char *error = NULL;
  for (char **item = items; *item && !error; item++)
    error = **item ? editor_check(id, label, *item, TRUE) : NULL;
  return error;
}

static char *check_text(Row *r, const char *label, const char *value)
{
  const Binding *b = r->binding;
  if (b->place == PLACE_LINE)
    return editor_check(b->id, label, value, FALSE);
  if (b->place == PLACE_LINES)
    return check_items(b->id, label, value);
  /* Keys that hold a part of an option: the grammar of an option that takes the same. */
  if (!strcmp(r->key, KEY_PROXY_PORT))
    return editor_check(OVPN_OPT_PORT, label, value, TRUE);
  if (!strcmp(r->key, KEY_PROXY_SERVER) || b->id == OVPN_OPT_IFCONFIG)
    return editor_check(OVPN_OPT_ROUTE_GATEWAY, label, value, TRUE);
  if (b->id == OVPN_OPT_MSSFIX && !strcmp(value, "yes"))
    return NULL;
  gboolean own = g_strcmp0(r->key, ovpn_option_info(b->id)->key) == 0;
  return own ? editor_check(b->id, label, value, TRUE) : NULL;
}

void editor_row_check(Row *r)
{
  if (r->binding->kind != ROW_TEXT)
    return;
  g_autofree char *value = editor_row_get(r), *label = editor_row_title(r->binding);
  g_clear_pointer(&r->error, g_free);
  if (value && r->touched)
    r->error = check_text(r, label, value);
  editor_show_note(r->note, r->control, r->error, NULL);
}

/* ---- the user changes something */

static void row_changed(Row *r, const char *value)
{
  Editor *e = r->editor;
  r->touched = TRUE;
  editor_row_set(r, value);
  editor_row_check(r);
  if (r->binding->place == PLACE_LINE || r->binding->place == PLACE_LINES ||
      r->binding->place == PLACE_ROUTE) {
    editor_reload_lines(e, r);
    editor_other_load(e);
  }
  if (r->binding->place == PLACE_AFTER)
    editor_reload_lines(e, r);
  if (r->binding->id == OVPN_OPT_PORT || r->binding->id == OVPN_OPT_PROTO)
    editor_servers_defaults(e);
  editor_changed(e);
}

static void switch_changed(GtkSwitch *w, GParamSpec *spec, gpointer editor)
{
  Row *r = g_object_get_data(G_OBJECT(w), "row");
  if (r->editor->loading)
    return;
  gboolean on = gtk_switch_get_active(w);
  row_changed(r, !on ? NULL : r->binding->place == PLACE_LINE ? "" : "yes");
}

static void choice_changed(GtkDropDown *w, GParamSpec *spec, gpointer editor)
{
  Row *r = g_object_get_data(G_OBJECT(w), "row");
  guint i = gtk_drop_down_get_selected(w);
  if (r->editor->loading || i >= r->values->len)
    return;
  const char *value = r->values->pdata[i];
  row_changed(r, *value ? value : NULL);
}

static void text_changed(GtkEditable *w, gpointer editor)
{
  Row *r = g_object_get_data(G_OBJECT(w), "row");
  if (!r->editor->loading)
    row_changed(r, gtk_editable_get_text(w));
}

/* ---- building */

static void build_switch(Row *r, const char *title)
{
  GtkWidget *row = adw_action_row_new();
  g_autofree char *markup = g_markup_escape_text(title, -1);
  adw_preferences_row_set_title(ADW_PREFERENCES_ROW(row), markup);
  adw_action_row_set_subtitle(ADW_ACTION_ROW(row), option_name(r));
  r->control = gtk_switch_new();
  gtk_widget_set_valign(r->control, GTK_ALIGN_CENTER);
  adw_action_row_add_suffix(ADW_ACTION_ROW(row), r->control);
  adw_action_row_set_activatable_widget(ADW_ACTION_ROW(row), r->control);
  g_signal_connect_object(r->control, "notify::active", G_CALLBACK(switch_changed), r->editor, 0);
  r->widget = row;
}

static void build_choice(Row *r, const char *title)
{
  g_autoptr(GtkStringList) names = gtk_string_list_new(NULL);
  r->values = g_ptr_array_new_with_free_func(g_free);
  for (const Choice *c = r->binding->choices; c->label; c++) {
    gtk_string_list_append(names, _(c->label));
    g_ptr_array_add(r->values, g_strdup(c->value ? c->value : ""));
  }
  GtkWidget *box;
  r->control = editor_drop_down_new(names);
  r->widget = editor_field_row(title, option_name(r), FALSE, r->control, &box);
  g_signal_connect_object(r->control, "notify::selected", G_CALLBACK(choice_changed), r->editor, 0);
}

static void build_text(Row *r, const char *title)
{
  const Binding *b = r->binding;
  const char *args = ovpn_option_info(b->id)->args;
  gboolean number = g_ascii_isdigit(*args) && !strchr(args, ' ');
  GtkWidget *box;
  r->control = gtk_entry_new();
  if (b->placeholder)
    gtk_entry_set_placeholder_text(GTK_ENTRY(r->control), _(b->placeholder));
  gtk_editable_set_width_chars(GTK_EDITABLE(r->control), number ? 8 : 10);
  if (number)
    gtk_entry_set_input_purpose(GTK_ENTRY(r->control), GTK_INPUT_PURPOSE_DIGITS);
  r->widget = editor_field_row(title, option_name(r), strchr(title, '_') != NULL, r->control, &box);
  r->note = editor_note_new();
  gtk_box_append(GTK_BOX(box), r->note);
  g_signal_connect_object(r->control, "changed", G_CALLBACK(text_changed), r->editor, 0);
}

void editor_row_build(Row *r)
{
  const Binding *b = r->binding;
  const char *title = _(b->label);
  g_autofree char *plain = editor_row_title(b);
  switch (b->kind) {
  case ROW_SWITCH:
    build_switch(r, title);
    break;
  case ROW_CHOICE:
    build_choice(r, title);
    break;
  case ROW_TEXT:
    build_text(r, title);
    break;
  case ROW_FILE:
    editor_file_build(r);
    break;
  case ROW_SECRET:
    editor_secret_build(r);
    break;
  }
  g_object_set_data(G_OBJECT(r->control), "row", r);
  /* A label with a mnemonic, or the row of a switch, names the control already; GTK would say the
   * name twice. */
  gboolean named = b->kind == ROW_SWITCH || strchr(title, '_');
  editor_name_control(r->control, named ? NULL : plain, option_name(r));
  if (b->kind != ROW_SWITCH)
    editor_name_control(r->widget, plain, NULL);
  gtk_widget_set_name(r->control, r->name);
}

/* ---- showing what the model holds */

static void load_choice(Row *r, const char *value)
{
  guint i;
  if (!value)
    value = r->binding->place == PLACE_BEFORE ? r->binding->choices[0].value : "";
  for (i = 0; i < r->values->len; i++) {
    if (!g_ascii_strcasecmp(r->values->pdata[i], value))
      break;
  }
  if (i == r->values->len) { /* a value of somebody else's: kept, and shown as it is */
    GtkStringList *names = GTK_STRING_LIST(gtk_drop_down_get_model(GTK_DROP_DOWN(r->control)));
    g_ptr_array_add(r->values, g_strdup(value));
    gtk_string_list_append(names, *value ? value : _("Not set"));
  }
  gtk_drop_down_set_selected(GTK_DROP_DOWN(r->control), i);
}

static void load_text(Row *r, const char *value)
{
  g_autofree char *valid = value ? g_utf8_make_valid(value, -1) : NULL;
  const char *now = gtk_editable_get_text(GTK_EDITABLE(r->control));
  if (g_strcmp0(now, valid ? valid : ""))
    gtk_editable_set_text(GTK_EDITABLE(r->control), valid ? valid : "");
}

void editor_row_load(Row *r)
{
  gboolean before = r->editor->loading;
  g_autofree char *value = r->binding->kind == ROW_SECRET ? NULL : editor_row_get(r);
  r->editor->loading = TRUE;
  switch (r->binding->kind) {
  case ROW_SWITCH:
    gtk_switch_set_active(GTK_SWITCH(r->control), value && strcmp(value, "no"));
    break;
  case ROW_CHOICE:
    /* For some keys the word "no" is the same as nothing. */
    load_choice(r,
                value && !strcmp(value, "no") &&
                        (r->binding->id == OVPN_OPT_PROTO || r->binding->id == OVPN_OPT_COMP_LZO ||
                         r->binding->id == OVPN_OPT_COMPRESS)
                    ? NULL
                    : value);
    break;
  case ROW_TEXT:
    load_text(r, value);
    break;
  case ROW_FILE:
    editor_file_load(r);
    break;
  case ROW_SECRET:
    editor_secret_load(r);
    break;
  }
  r->editor->loading = before;
}

void editor_reload_lines(Editor *e, Row *except)
{
  for (guint i = 0; i < editor_n_bindings; i++) {
    RowPlace place = e->rows[i].binding->place;
    if (&e->rows[i] != except && place != PLACE_KEY && place != PLACE_PATH)
      editor_row_load(&e->rows[i]);
  }
}

/* ---- what deviates from the default */

/* In some titles “…” stands for the value: "New keys every … seconds". */
static char *text_summary(const char *title, const char *value)
{
  const char *gap = strstr(title, "…");
  if (!gap)
    return g_strdup_printf(_("%s: %s"), title, value);
  return g_strdup_printf("%.*s%s%s", (int)(gap - title), title, value, gap + strlen("…"));
}

char *editor_row_summary(Row *r)
{
  g_autofree char *title = editor_row_title(r->binding), *value = NULL;
  if (!r->shown || r->binding->kind == ROW_SECRET)
    return NULL;
  value = editor_row_get(r);
  switch (r->binding->kind) {
  case ROW_SWITCH:
    return gtk_switch_get_active(GTK_SWITCH(r->control)) ? g_steal_pointer(&title) : NULL;
  case ROW_CHOICE: {
    guint i = gtk_drop_down_get_selected(GTK_DROP_DOWN(r->control));
    if (i == 0 || !value || i == GTK_INVALID_LIST_POSITION)
      return NULL;
    const char *name = gtk_string_list_get_string(
        GTK_STRING_LIST(gtk_drop_down_get_model(GTK_DROP_DOWN(r->control))), i);
    return g_strdup_printf(_("%s: %s"), title, name);
  }
  case ROW_TEXT:
    if (!value || !g_strcmp0(value, r->binding->placeholder))
      return NULL;
    return text_summary(title, value);
  case ROW_FILE:
    return value ? g_steal_pointer(&title) : NULL;
  case ROW_SECRET:
    return NULL;
  }
  return NULL;
}
