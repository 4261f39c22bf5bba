/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The editor of a VPN connection that GNOME Settings shows.
 *
 * One page: servers, sign-in, then a collapsed section for each question. The rows come from
 * editor-table.c. update_connection is called often and on clones: it writes the user's changes
 * into the connection it is given and does nothing else. spec/desktop.md §2, §6. */
#include "properties/editor.h"

#include <string.h>

#include "properties/editor-private.h"

static void interface_init(NMVpnEditorInterface *iface);
typedef GObjectClass EditorClass;
G_DEFINE_TYPE_WITH_CODE(Editor, nmovpn_editor, G_TYPE_OBJECT,
                        G_IMPLEMENT_INTERFACE(NM_TYPE_VPN_EDITOR, interface_init))

static const Choice type_choices[] = {
    {TYPE_NAME_TLS, N_("Certificates")},
    {TYPE_NAME_PASSWORD, N_("Password")},
    {TYPE_NAME_PASSWORD_TLS, N_("Password and certificates")},
    {TYPE_NAME_STATIC_KEY, N_("Shared key")},
};

ProfileType editor_type(Editor *e)
{
  const char *value = editor_get(e, KEY_CONNECTION_TYPE);
  for (guint i = 0; i < G_N_ELEMENTS(type_choices); i++) {
    if (!g_strcmp0(value, type_choices[i].value))
      return (ProfileType)i;
  }
  return TYPE_TLS;
}

void editor_changed(Editor *e)
{
  if (e->loading)
    return;
  editor_update_page(e);
  g_signal_emit_by_name(e, "changed");
}

/* ---- the interface */

static GObject *get_widget(NMVpnEditor *editor)
{
  return G_OBJECT(((Editor *)editor)->widget);
}

/* What has no row to stand under, but keeps the connection from working. */
static const char *missing(Editor *e)
{
  ProfileType type = editor_type(e);
  const char *cert = editor_get(e, KEY_CERT);
  if (!e->is_new && !g_hash_table_contains(e->data, KEY_CONNECTION_TYPE))
    return NULL; /* as it was opened */
  if (type == TYPE_STATIC_KEY)
    return editor_get(e, KEY_STATIC_KEY) ? NULL : _("Choose the file with the shared key");
  g_autofree char *print = editor_lines_get(e, OVPN_OPT_PEER_FINGERPRINT);
  if (!editor_get(e, KEY_CA) && !print && !profile_cert_is_pkcs12(cert, editor_get(e, KEY_KEY)))
    return _("Choose the certificate of the authority that vouches for the server");
  if (profile_type_has_cert(type) && !cert && !editor_get_secret(e, NMOVPN_SECRET_KEY))
    return _("Choose your certificate");
  if (profile_type_has_cert(type) && !editor_get(e, KEY_KEY) &&
      !editor_get_secret(e, NMOVPN_SECRET_KEY) && !profile_cert_is_pkcs12(cert, NULL))
    return _("Choose your private key");
  return NULL;
}

static const char *first_error(Editor *e)
{
  const char *error = editor_servers_error(e);
  for (guint i = 0; i < editor_n_bindings && !error; i++) {
    if (e->rows[i].shown)
      error = e->rows[i].error;
  }
  if (!error)
    error = e->other_error;
  return error ? error : missing(e);
}

static gboolean update_connection(NMVpnEditor *editor, NMConnection *connection, GError **error)
{
  Editor *e = (Editor *)editor;
  const char *wrong = first_error(e);
  if (wrong) {
    g_set_error_literal(error, NM_CONNECTION_ERROR, NM_CONNECTION_ERROR_INVALID_PROPERTY, wrong);
    return FALSE;
  }
  NMSettingVpn *vpn = nm_connection_get_setting_vpn(connection);
  if (!vpn) {
    vpn = NM_SETTING_VPN(nm_setting_vpn_new());
    nm_connection_add_setting(connection, NM_SETTING(vpn));
  }
  if (!nm_setting_vpn_get_service_type(vpn))
    g_object_set(vpn, NM_SETTING_VPN_SERVICE_TYPE, NMOVPN_VPN_SERVICE, NULL);
  editor_apply(e, vpn);
  return TRUE;
}

static void interface_init(NMVpnEditorInterface *iface)
{
  iface->get_widget = get_widget;
  iface->update_connection = update_connection;
}

/* ---- the page */

enum { SUMMARY_MAX = 3, FOUND_MAX = 6, PAGE_MIN = 160, PAGE_MAX = 480 };

static char *section_summary(Editor *e, EditorSection section)
{
  /* A mistake in a closed section would be hard to find. */
  for (guint i = 0; i < editor_n_bindings; i++) {
    if (e->rows[i].binding->section == section && e->rows[i].shown && e->rows[i].error)
      return g_strdup(e->rows[i].error);
  }
  if (section == SECTION_OTHER && e->other_error)
    return g_strdup(e->other_error);
  GString *s = g_string_new(NULL);
  guint n = 0;
  if (section == SECTION_OTHER) {
    g_string_free(s, TRUE);
    char *text = editor_other_summary(e);
    return text ? text : g_strdup(_("None"));
  }
  for (guint i = 0; i < editor_n_bindings; i++) {
    g_autofree char *text =
        e->rows[i].binding->section == section ? editor_row_summary(&e->rows[i]) : NULL;
    if (text && ++n <= SUMMARY_MAX)
      g_string_append_printf(s, "%s%s", s->len ? " · " : "", text);
  }
  if (n > SUMMARY_MAX)
    g_string_append_printf(
        s, g_dngettext(GETTEXT_PACKAGE, " and %u more", " and %u more", n - SUMMARY_MAX),
        n - SUMMARY_MAX);
  if (!n)
    /* TRANSLATORS: under the title of a section in which nothing was changed */
    g_string_assign(s, _("As usual"));
  return g_string_free(s, FALSE);
}

static gboolean is_pass_phrase(const Binding *b)
{
  return !g_strcmp0(b->secret, NMOVPN_SECRET_CERT_PASS);
}

/* A key without a pass phrase has no field for one. */
static gboolean key_is_open(Editor *e)
{
  for (guint i = 0; i < editor_n_bindings; i++) {
    if (e->rows[i].open_key)
      return !editor_get_secret(e, NMOVPN_SECRET_CERT_PASS);
  }
  return FALSE;
}

/* Options without a row that the search found: they are written as a line. */
static char *unbound_options(const char *needle)
{
  static const guint idle =
      OVPN_OPTF_HARMLESS | OVPN_OPTF_NEVER | OVPN_OPTF_SERVER | OVPN_OPTF_LATER | OVPN_OPTF_REFUSED;
  GString *s = g_string_new(NULL);
  guint n = 0;
  for (gsize i = 1; i <= ovpn_option_count() && n < FOUND_MAX; i++) {
    const OvpnOptionInfo *info = ovpn_option_info((OvpnOptionId)i);
    gboolean bound = FALSE;
    for (guint k = 0; k < editor_n_bindings && !bound; k++)
      bound = editor_bindings[k].id == info->id;
    if (!bound && info->style == OVPN_KEY_NONE && !(info->flags & idle) &&
        strstr(info->directive, needle))
      g_string_append_printf(s, "%s%s", n++ ? ", " : "", info->directive);
  }
  char *text = n ? g_strdup_printf(_("Can be written here: %s"), s->str) : NULL;
  g_string_free(s, TRUE);
  return text;
}

static void update_sections(Editor *e, const char *needle, const gboolean *found)
{
  for (guint i = SECTION_CONNECTION; i < SECTION_COUNT; i++) {
    g_autofree char *text = *needle && i == SECTION_OTHER ? unbound_options(needle)
                                                          : section_summary(e, (EditorSection)i);
    g_autofree char *valid = g_utf8_make_valid(text ? text : "", -1);
    g_autofree char *markup = g_markup_escape_text(valid, -1);
    adw_expander_row_set_subtitle(ADW_EXPANDER_ROW(e->sections[i]), markup);
    gtk_widget_set_visible(e->sections[i], !*needle || found[i] || (i == SECTION_OTHER && text));
  }
}

/* Seen by everybody who chooses it, before it is used. */
static void show_type_note(Editor *e)
{
  const char *text = NULL;
  if (editor_type(e) == TYPE_STATIC_KEY)
    text = _("Not secure: whoever gets the shared key can read all traffic, also what was recorded "
             "before. New OpenVPN versions no longer allow it; use certificates instead");
  editor_show_note(e->type_note, NULL, NULL, text);
  gtk_widget_set_visible(gtk_widget_get_parent(e->type_note), text != NULL);
}

void editor_update_page(Editor *e)
{
  guint bit = 1u << editor_type(e);
  gboolean hide_pass_phrase = key_is_open(e);
  const char *wanted = gtk_editable_get_text(GTK_EDITABLE(e->search));
  g_autofree char *needle = g_utf8_casefold(wanted, -1);
  gboolean found[SECTION_COUNT] = {FALSE};
  for (guint i = 0; i < editor_n_bindings; i++) {
    Row *r = &e->rows[i];
    const Binding *b = r->binding;
    r->shown = (b->types & bit) != 0 && !(hide_pass_phrase && is_pass_phrase(b));
    gboolean match = TRUE;
    if (*needle && b->section != SECTION_SIGN_IN) {
      g_autofree char *all =
          g_strconcat(_(b->label), " ", ovpn_option_info(b->id)->directive, NULL);
      g_autofree char *folded = g_utf8_casefold(all, -1);
      match = strstr(folded, needle) != NULL;
    }
    found[b->section] |= match && r->shown;
    gtk_widget_set_visible(r->widget, r->shown && match);
  }
  update_sections(e, needle, found);
  show_type_note(e);
}

static void search_changed(GtkSearchEntry *w, gpointer editor)
{
  Editor *e = editor;
  gboolean on = *gtk_editable_get_text(GTK_EDITABLE(w)) != '\0';
  editor_update_page(e);
  for (guint i = SECTION_CONNECTION; i < SECTION_COUNT; i++)
    adw_expander_row_set_expanded(ADW_EXPANDER_ROW(e->sections[i]),
                                  on && i != SECTION_OTHER &&
                                      gtk_widget_get_visible(e->sections[i]));
}

static void type_changed(AdwComboRow *w, GParamSpec *spec, gpointer editor)
{
  Editor *e = editor;
  guint i = adw_combo_row_get_selected(w);
  const char *old = profile_get(e->old, KEY_CONNECTION_TYPE);
  if (e->loading || i >= G_N_ELEMENTS(type_choices))
    return;
  /* Absent means certificates. */
  editor_set(e, KEY_CONNECTION_TYPE,
             !old && !e->is_new && i == TYPE_TLS ? NULL : type_choices[i].value);
  editor_changed(e);
}

static GtkWidget *build_sign_in(Editor *e)
{
  GtkWidget *group = adw_preferences_group_new();
  g_autoptr(GtkStringList) names = gtk_string_list_new(NULL);
  for (guint i = 0; i < G_N_ELEMENTS(type_choices); i++)
    gtk_string_list_append(names, _(type_choices[i].label));
  adw_preferences_group_set_title(ADW_PREFERENCES_GROUP(group), _("Sign-in"));
  e->type_row = adw_combo_row_new();
  adw_preferences_row_set_use_underline(ADW_PREFERENCES_ROW(e->type_row), TRUE);
  adw_preferences_row_set_title(ADW_PREFERENCES_ROW(e->type_row), _("Sign in _with"));
  adw_combo_row_set_model(ADW_COMBO_ROW(e->type_row), G_LIST_MODEL(names));
  adw_combo_row_set_use_subtitle(ADW_COMBO_ROW(e->type_row), TRUE);
  adw_combo_row_set_selected(ADW_COMBO_ROW(e->type_row), editor_type(e));
  gtk_widget_set_name(e->type_row, KEY_CONNECTION_TYPE);
  editor_name_control(e->type_row, NULL, _("Decides which of the fields below are needed"));
  g_signal_connect_object(e->type_row, "notify::selected", G_CALLBACK(type_changed), e, 0);
  adw_preferences_group_add(ADW_PREFERENCES_GROUP(group), e->type_row);
  e->type_note = editor_note_new();
  g_object_set(e->type_note, "margin-top", 8, "margin-bottom", 8, "margin-start", 12, "margin-end",
               12, NULL);
  GtkWidget *row = adw_preferences_row_new();
  gtk_list_box_row_set_activatable(GTK_LIST_BOX_ROW(row), FALSE);
  gtk_widget_set_focusable(row, FALSE);
  gtk_list_box_row_set_child(GTK_LIST_BOX_ROW(row), e->type_note);
  adw_preferences_group_add(ADW_PREFERENCES_GROUP(group), row);
  return group;
}

static GtkWidget *build_sections(Editor *e)
{
  GtkWidget *group = adw_preferences_group_new();
  e->search = gtk_search_entry_new();
  gtk_editable_set_width_chars(GTK_EDITABLE(e->search), 8);
  g_object_set(e->search, "placeholder-text", _("Search all options"), NULL);
  gtk_widget_set_name(e->search, "search");
  editor_name_control(e->search, _("Search all options"), NULL);
  g_signal_connect_object(e->search, "search-changed", G_CALLBACK(search_changed), e, 0);
  for (guint i = SECTION_CONNECTION; i < SECTION_COUNT; i++) {
    g_autofree char *name = g_strdup_printf("section-%u", i);
    e->sections[i] = adw_expander_row_new();
    adw_preferences_row_set_title(ADW_PREFERENCES_ROW(e->sections[i]), _(editor_section_titles[i]));
    editor_name_control(e->sections[i], _(editor_section_titles[i]), NULL);
    gtk_widget_set_name(e->sections[i], name);
    adw_preferences_group_add(ADW_PREFERENCES_GROUP(group), e->sections[i]);
  }
  return group;
}

static char *row_name(const Binding *b)
{
  const OvpnOptionInfo *info = ovpn_option_info(b->id);
  if (b->secret)
    return g_strdup(b->secret);
  if (b->place == PLACE_BEFORE)
    return g_strconcat(info->key, "-type", NULL);
  return g_strdup(b->key                                ? b->key
                  : b->place != PLACE_LINE && info->key ? info->key
                                                        : info->directive);
}

static void build_rows(Editor *e, GtkWidget *sign_in)
{
  e->rows = g_new0(Row, editor_n_bindings);
  for (guint i = 0; i < editor_n_bindings; i++) {
    Row *r = &e->rows[i];
    const Binding *b = &editor_bindings[i];
    r->editor = e;
    r->binding = b;
    r->name = row_name(b);
    if (b->kind != ROW_SECRET && b->place != PLACE_LINE)
      r->key = b->key ? b->key : ovpn_option_info(b->id)->key;
    editor_row_build(r);
    if (b->section == SECTION_SIGN_IN)
      adw_preferences_group_add(ADW_PREFERENCES_GROUP(sign_in), r->widget);
    else
      adw_expander_row_add_row(ADW_EXPANDER_ROW(e->sections[b->section]), r->widget);
  }
  for (guint i = 0; i < editor_n_bindings; i++)
    editor_row_load(&e->rows[i]);
}

/* GNOME Settings 43 does not scroll its page, newer ones do: two bars would be one too many. */
static void find_scrolling(GtkWidget *w, GParamSpec *spec, gpointer editor)
{
  GtkWidget *parent = gtk_widget_get_parent(w);
  gboolean mine = !parent || !gtk_widget_get_ancestor(parent, GTK_TYPE_SCROLLED_WINDOW);
  GtkScrolledWindow *scroll = GTK_SCROLLED_WINDOW(w);
  if (!gtk_widget_get_root(w))
    return;
  gtk_scrolled_window_set_policy(scroll, GTK_POLICY_NEVER,
                                 mine ? GTK_POLICY_AUTOMATIC : GTK_POLICY_NEVER);
  gtk_scrolled_window_set_min_content_height(scroll, mine ? PAGE_MIN : -1);
  gtk_scrolled_window_set_max_content_height(scroll, mine ? PAGE_MAX : -1);
}

static void build_page(Editor *e)
{
  e->loading = TRUE;
  e->widget = g_object_ref_sink(gtk_scrolled_window_new());
  e->page = gtk_box_new(GTK_ORIENTATION_VERTICAL, 18);
  /* Room for the shadows of the cards. */
  g_object_set(e->page, "margin-start", 3, "margin-end", 3, "margin-top", 3, "margin-bottom", 3,
               NULL);
  gtk_scrolled_window_set_child(GTK_SCROLLED_WINDOW(e->widget), e->page);
  gtk_scrolled_window_set_propagate_natural_height(GTK_SCROLLED_WINDOW(e->widget), TRUE);
  gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(e->widget), GTK_POLICY_NEVER,
                                 GTK_POLICY_NEVER);
  gtk_widget_set_vexpand(e->widget, TRUE);
  g_signal_connect_object(e->widget, "notify::root", G_CALLBACK(find_scrolling), e, 0);
  GtkWidget *servers = editor_servers_build(e);
  GtkWidget *sign_in = build_sign_in(e), *sections = build_sections(e);
  build_rows(e, sign_in);
  editor_other_build(e, ADW_EXPANDER_ROW(e->sections[SECTION_OTHER]));
  GtkWidget *imported = editor_import_build(e), *save = editor_save_build(e);
  if (imported)
    gtk_box_append(GTK_BOX(e->page), imported);
  gtk_box_append(GTK_BOX(e->page), servers);
  gtk_box_append(GTK_BOX(e->page), sign_in);
  gtk_box_append(GTK_BOX(e->page), e->search);
  gtk_box_append(GTK_BOX(e->page), sections);
  if (save)
    gtk_box_append(GTK_BOX(e->page), save);
  editor_update_page(e);
  e->loading = FALSE;
}

/* ---- life */

static void wipe_text(gpointer text)
{
  ovpn_secret_free(text);
}

static void nmovpn_editor_init(Editor *e)
{
  e->data = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, wipe_text);
  e->secrets = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, wipe_text);
  e->servers = g_ptr_array_new_with_free_func(editor_server_free);
}

static void finalize(GObject *object)
{
  Editor *e = (Editor *)object;
  g_clear_object(&e->widget);
  for (guint i = 0; e->rows && i < editor_n_bindings; i++) {
    g_free(e->rows[i].name);
    g_free(e->rows[i].error);
    g_clear_pointer(&e->rows[i].values, g_ptr_array_unref);
  }
  g_free(e->rows);
  g_free(e->other_error);
  g_ptr_array_unref(e->servers);
  g_hash_table_unref(e->data);
  g_hash_table_unref(e->secrets);
  g_clear_object(&e->old);
  g_clear_object(&e->whole);
  g_clear_object(&e->plugin);
  G_OBJECT_CLASS(nmovpn_editor_parent_class)->finalize(object);
}

static void nmovpn_editor_class_init(EditorClass *klass)
{
  G_OBJECT_CLASS(klass)->finalize = finalize;
}

/* A connection that is being made: sensible choices instead of those of the older plugin. */
static void set_defaults(Editor *e)
{
  static const struct {
    OvpnOptionId id;
    const char *key, *value;
  } defaults[] = {
      {OVPN_OPT_CLIENT, KEY_CONNECTION_TYPE, TYPE_NAME_TLS},
      {OVPN_OPT_DEV, KEY_DEV, "tun"},
      {OVPN_OPT_REMOTE_CERT_TLS, NULL, "server"},
      {OVPN_OPT_REDIRECT_GATEWAY, NMOVPN_KEY_DEFAULT_ROUTE, "auto"},
      {OVPN_OPT_AUTH_USER_PASS, NMOVPN_SECRET_PASSWORD FLAGS_SUFFIX, "1"},
      {OVPN_OPT_ASKPASS, NMOVPN_SECRET_CERT_PASS FLAGS_SUFFIX, "1"},
      {OVPN_OPT_HTTP_PROXY_USER_PASS, NMOVPN_SECRET_PROXY_PASSWORD FLAGS_SUFFIX, "1"},
  };
  for (guint i = 0; i < G_N_ELEMENTS(defaults); i++)
    editor_set(e, defaults[i].key ? defaults[i].key : ovpn_option_info(defaults[i].id)->key,
               defaults[i].value);
}

G_MODULE_EXPORT NMVpnEditor *nmovpn_editor_new(NMVpnEditorPlugin *plugin, NMConnection *connection,
                                               GError **error)
{
  NMSettingVpn *vpn = nm_connection_get_setting_vpn(connection);
  if (!gtk_is_initialized()) {
    g_set_error_literal(error, NM_CONNECTION_ERROR, NM_CONNECTION_ERROR_FAILED,
                        _("The editor needs a graphical session"));
    return NULL;
  }
  Editor *e = g_object_new(NMOVPN_TYPE_EDITOR, NULL);
  e->whole = nm_simple_connection_new_clone(connection);
  e->plugin = plugin ? g_object_ref(plugin) : NULL;
  e->old = NM_SETTING_VPN(vpn ? nm_setting_duplicate(NM_SETTING(vpn))
                              : g_object_ref_sink(nm_setting_vpn_new()));
  e->is_new = nm_setting_vpn_get_num_data_items(e->old) == 0;
  if (e->is_new)
    set_defaults(e);
  build_page(e);
  return NM_VPN_EDITOR(e);
}
