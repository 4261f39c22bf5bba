/* SPDX-License-Identifier: GPL-2.0-or-later */
/* "Other options": the lines that have no row, as text, and what each of them does here.
 *
 * The text is the key extra-options without its escapes. Text that is not UTF-8 is shown but not
 * edited. Reasons come from options.def. */
#include "properties/editor-private.h"

#include <string.h>

#include "helper/core/conf.h"

enum { EFFECTS_MAX = 200 };

static char *effect_of(const OvpnOption *o)
{
  const OvpnOptionInfo *info = ovpn_option_info(o->id);
  const char *reason = info->reason ? _(info->reason) : NULL;
  if (o->id == OVPN_OPT_UNKNOWN)
    return g_strdup(_("no effect, this option is not known"));
  if (info->flags & OVPN_OPTF_NEVER)
    return g_strdup_printf(_("not carried out, %s"), reason ? reason : "");
  if (info->flags & OVPN_OPTF_SERVER)
    return g_strdup(_("no effect, only a server uses it"));
  if (info->flags & OVPN_OPTF_REFUSED)
    return g_strdup_printf(_("connecting is refused, %s"), reason ? reason : "");
  if (info->flags & OVPN_OPTF_LATER)
    return g_strdup_printf(_("not supported, %s"), reason ? reason : "");
  if (info->flags & OVPN_OPTF_HARMLESS)
    return g_strdup_printf(_("no effect, %s"), reason ? reason : "");
  return NULL;
}

static void add_effect(GString *s, guint *n, char *effect, const char *what, unsigned line)
{
  if (effect && ++*n <= EFFECTS_MAX) {
    g_string_append_printf(s, "%s", s->len ? "\n" : "");
    if (line)
      /* TRANSLATORS: number of the line, its option, what the option does here */
      g_string_append_printf(s, _("Line %u, %s: %s"), line, what, effect);
    else
      g_string_append_printf(s, _("%s: %s"), what, effect);
  }
  g_free(effect);
}

static gboolean has_row(const char *key)
{
  static const char *const others[] = {KEY_CONNECTION_TYPE, KEY_REMOTE, NMOVPN_KEY_EXTRA_OPTIONS,
                                       KEY_TAP_DEV, NULL};
  if (g_strv_contains(others, key) || g_str_has_suffix(key, FLAGS_SUFFIX))
    return TRUE;
  for (guint i = 0; i < editor_n_bindings; i++) {
    const Binding *b = &editor_bindings[i];
    const char *k = b->key ? b->key : ovpn_option_info(b->id)->key;
    if (b->place != PLACE_LINE && b->kind != ROW_SECRET && !g_strcmp0(k, key))
      return TRUE;
  }
  return FALSE;
}

/* Keys of the profile that no row shows; they are kept. */
static void list_keys(Editor *e, GString *s, guint *n)
{
  guint len = 0;
  g_autofree const char **keys = nm_setting_vpn_get_data_keys(e->old, &len);
  for (guint i = 0; i < len; i++) {
    const OvpnOptionInfo *info = ovpn_option_by_key(keys[i]);
    if (has_row(keys[i]))
      continue;
    OvpnOption o = {.id = info ? info->id : OVPN_OPT_UNKNOWN};
    char *effect = info ? effect_of(&o) : g_strdup(_("kept, not known here"));
    add_effect(s, n, effect, keys[i], 0);
  }
}

static void show_effects(Editor *e, const OvpnOptionList *l)
{
  GString *s = g_string_new(NULL);
  guint n = 0;
  for (gsize i = 0; i < l->n; i++) {
    char *effect = effect_of(&l->items[i]);
    add_effect(s, &n, effect ? effect : g_strdup(_("used")), l->items[i].argv[0], l->items[i].line);
  }
  list_keys(e, s, &n);
  g_autofree char *valid = g_utf8_make_valid(s->str, -1);
  gtk_label_set_text(GTK_LABEL(e->other_effects), valid);
  gtk_widget_set_visible(e->other_effects, n > 0);
  g_string_free(s, TRUE);
}

static void check_text(Editor *e, const char *text)
{
  ovpn_auto_option_list list = {0};
  OvpnConfError error = {0};
  OvpnFailure failure = {0};
  g_clear_pointer(&e->other_error, g_free);
  if (ovpn_conf_parse_lines(text, strlen(text), &list, &error) != OVPN_OK)
    e->other_error = g_strdup_printf(_("Other options, line %u: %s"), error.line, error.text);
  for (gsize i = 0; i < list.n && !e->other_error; i++) {
    if (ovpn_option_check(&list.items[i], &failure) != OVPN_OK)
      e->other_error =
          g_strdup_printf(_("Other options, line %u: %s"), list.items[i].line, failure.text);
  }
  show_effects(e, &list);
}

static void show(Editor *e, gboolean touched)
{
  const char *error = touched ? e->other_error : NULL;
  editor_show_note(e->other_note, e->other_view, error, e->other_error);
}

static void text_changed(GtkTextBuffer *buffer, gpointer editor)
{
  Editor *e = editor;
  GtkTextIter begin, end;
  if (e->loading || e->other_binary)
    return;
  gtk_text_buffer_get_bounds(buffer, &begin, &end);
  char *text = gtk_text_buffer_get_text(buffer, &begin, &end, TRUE);
  e->other_touched = TRUE;
  editor_set_extra_text(e, text);
  check_text(e, text);
  show(e, TRUE);
  ovpn_secret_free(text);
  editor_reload_lines(e, NULL);
  editor_changed(e);
}

/* A line was changed by its row. */
void editor_other_load(Editor *e)
{
  char *text = editor_extra_text(e);
  gboolean before = e->loading;
  e->loading = TRUE;
  e->other_binary = !g_utf8_validate(text, -1, NULL);
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  gtk_text_buffer_set_text(e->other_text, valid, -1);
  gtk_text_view_set_editable(GTK_TEXT_VIEW(e->other_view), !e->other_binary);
  check_text(e, text);
  show(e, e->other_touched);
  if (!e->other_touched) /* as it was opened: a warning, it does not block */
    g_clear_pointer(&e->other_error, g_free);
  e->loading = before;
  ovpn_secret_free(text);
}

void editor_other_build(Editor *e, AdwExpanderRow *section)
{
  GtkWidget *row = adw_preferences_row_new();
  GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6);
  GtkWidget *scroll = gtk_scrolled_window_new();
  GtkWidget *hint = editor_note_new();
  e->other_view = gtk_text_view_new();
  e->other_text = gtk_text_view_get_buffer(GTK_TEXT_VIEW(e->other_view));
  e->other_note = editor_note_new();
  e->other_effects = editor_note_new();
  g_object_set(box, "margin-top", 8, "margin-bottom", 8, "margin-start", 12, "margin-end", 12,
               NULL);
  gtk_text_view_set_monospace(GTK_TEXT_VIEW(e->other_view), TRUE);
  gtk_text_view_set_accepts_tab(GTK_TEXT_VIEW(e->other_view), FALSE);
  g_object_set(e->other_view, "top-margin", 6, "bottom-margin", 6, "left-margin", 6, "right-margin",
               6, NULL);
  gtk_widget_set_name(e->other_view, NMOVPN_KEY_EXTRA_OPTIONS);
  editor_name_control(e->other_view, _("Other options"), _("One option in each line"));
  gtk_scrolled_window_set_child(GTK_SCROLLED_WINDOW(scroll), e->other_view);
  gtk_scrolled_window_set_has_frame(GTK_SCROLLED_WINDOW(scroll), TRUE);
  gtk_scrolled_window_set_min_content_height(GTK_SCROLLED_WINDOW(scroll), 96);
  gtk_scrolled_window_set_max_content_height(GTK_SCROLLED_WINDOW(scroll), 240);
  gtk_scrolled_window_set_propagate_natural_height(GTK_SCROLLED_WINDOW(scroll), TRUE);
  gtk_label_set_text(GTK_LABEL(hint), _("One option in each line, as in a .ovpn file"));
  gtk_widget_add_css_class(hint, "dim-label");
  gtk_widget_set_visible(hint, TRUE);
  gtk_widget_add_css_class(e->other_effects, "dim-label");
  gtk_box_append(GTK_BOX(box), hint);
  gtk_box_append(GTK_BOX(box), scroll);
  gtk_box_append(GTK_BOX(box), e->other_note);
  gtk_box_append(GTK_BOX(box), e->other_effects);
  gtk_list_box_row_set_activatable(GTK_LIST_BOX_ROW(row), FALSE);
  gtk_widget_set_focusable(row, FALSE);
  gtk_list_box_row_set_child(GTK_LIST_BOX_ROW(row), box);
  adw_expander_row_add_row(section, row);
  g_signal_connect_object(e->other_text, "changed", G_CALLBACK(text_changed), e, 0);
  editor_other_load(e);
}

char *editor_other_summary(Editor *e)
{
  char *text = editor_extra_text(e);
  ovpn_auto_option_list list = {0};
  OvpnConfError error = {0};
  guint idle = 0;
  ovpn_conf_parse_lines(text, strlen(text), &list, &error);
  ovpn_secret_free(text);
  for (gsize i = 0; i < list.n; i++) {
    g_autofree char *effect = effect_of(&list.items[i]);
    idle += effect != NULL;
  }
  if (!list.n)
    return NULL;
  g_autofree char *lines = g_strdup_printf(
      g_dngettext(GETTEXT_PACKAGE, "%u line", "%u lines", (gulong)list.n), (guint)list.n);
  return idle ? g_strdup_printf(_("%s, %u of them without effect"), lines, idle)
              : g_steal_pointer(&lines);
}
