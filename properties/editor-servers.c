/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The list of servers: host, port and protocol of each, in the order they are tried.
 *
 * The key `remote` holds them all. It is written only when the user changed the list; an item that
 * was not touched keeps its text, also one that is no valid item. */
#include "properties/editor-private.h"

#include <string.h>

static const Choice protocols[] = {
    /* TRANSLATORS: protocol of a server: the one of the connection */
    {NULL, N_("Usual")},   {"udp", "UDP"},        {"tcp", "TCP"},       {"udp4", "UDP, IPv4"},
    {"udp6", "UDP, IPv6"}, {"tcp4", "TCP, IPv4"}, {"tcp6", "TCP, IPv6"}};

void editor_server_free(gpointer data)
{
  Server *s = data;
  g_free(s->text);
  g_free(s->host);
  g_free(s->port);
  g_free(s->proto);
  g_free(s->error);
  g_free(s);
}

/* tcp-client and its like are other names of what the list has. */
static guint protocol_index(const char *proto)
{
  g_autofree char *plain = g_strdup(proto);
  char *dash = plain ? strchr(plain, '-') : NULL;
  if (dash)
    *dash = '\0';
  for (guint i = 1; plain && i < G_N_ELEMENTS(protocols); i++) {
    if (!g_ascii_strcasecmp(plain, protocols[i].value))
      return i;
  }
  return 0;
}

static char *item_text(const Server *s)
{
  if (s->text)
    return g_strdup(s->text);
  return profile_remote_format(s->host, s->port && *s->port ? s->port : NULL, s->proto);
}

static void check_server(Server *s)
{
  g_autofree char *item = item_text(s);
  gboolean bad_port = !s->text && s->port && *s->port && !profile_is_port(s->port);
  gboolean empty = !s->text && !*s->host;
  g_clear_pointer(&s->error, g_free);
  if (bad_port)
    s->error = g_strdup(_("The port of the server must be a number from 1 to 65535"));
  else if (empty)
    s->error = g_strdup(_("Enter the host name or address of the server"));
  else if (!item)
    s->error = g_strdup_printf(_("“%s” is not a host name or address"), s->host);
  editor_show_note(s->note, NULL, s->error, NULL);
  GtkWidget *fields[] = {s->host_entry, s->port_entry};
  for (guint i = 0; i < G_N_ELEMENTS(fields); i++) {
    gboolean bad = s->error && (i == 1) == bad_port;
    editor_mark_field(fields[i], bad ? s->error : NULL);
  }
}

static void write_list(Editor *e)
{
  const char *old = profile_get(e->old, KEY_REMOTE);
  g_autofree char *before = NULL;
  GString *all = g_string_new(NULL);
  for (guint i = 0; i < e->servers->len; i++) {
    g_autofree char *item = item_text(e->servers->pdata[i]);
    if (item)
      g_string_append_printf(all, "%s%s", all->len ? ", " : "", item);
  }
  /* The same list in other spacing is the same list. */
  if (old) {
    g_auto(GStrv) items = g_strsplit_set(old, " \t,", -1);
    GString *s = g_string_new(NULL);
    for (char **p = items; *p; p++)
      g_string_append_printf(s, "%s%s", s->len && **p ? ", " : "", *p);
    before = g_string_free(s, FALSE);
  }
  editor_set(e, KEY_REMOTE, g_strcmp0(before, all->str) == 0 ? old : all->str);
  g_string_free(all, TRUE);
}

static void list_changed(Editor *e)
{
  e->servers_touched = TRUE;
  write_list(e);
  editor_changed(e);
}

static void renumber(Editor *e)
{
  guint n = e->servers->len;
  for (guint i = 0; i < n; i++) {
    Server *s = e->servers->pdata[i];
    g_autofree char *host = g_strdup_printf(_("Host of server %u"), i + 1);
    g_autofree char *port = g_strdup_printf(_("Port of server %u"), i + 1);
    g_autofree char *proto = g_strdup_printf(_("Protocol of server %u"), i + 1);
    const char *directive = ovpn_option_info(OVPN_OPT_REMOTE)->directive;
    editor_name_control(s->host_entry, host, directive);
    editor_name_control(s->port_entry, port, directive);
    editor_name_control(s->proto_choice, proto, directive);
    gtk_widget_set_visible(s->up, n > 1);
    gtk_widget_set_visible(s->down, n > 1);
    gtk_widget_set_visible(s->remove, n > 1);
    gtk_widget_set_sensitive(s->up, i > 0);
    gtk_widget_set_sensitive(s->down, i + 1 < n);
    g_autofree char *name = g_strdup_printf("server-%u", i);
    gtk_widget_set_name(s->widget, name);
  }
}

/* ---- what the user does */

static void field_changed(GObject *w, gpointer editor)
{
  Server *s = g_object_get_data(w, "server");
  Editor *e = editor;
  if (e->loading)
    return;
  guint i = gtk_drop_down_get_selected(GTK_DROP_DOWN(s->proto_choice));
  g_clear_pointer(&s->text, g_free);
  g_free(s->host);
  s->host = g_strstrip(g_strdup(gtk_editable_get_text(GTK_EDITABLE(s->host_entry))));
  g_free(s->port);
  s->port = g_strstrip(g_strdup(gtk_editable_get_text(GTK_EDITABLE(s->port_entry))));
  if (protocol_index(s->proto) != i) { /* tcp-client stays tcp-client */
    g_free(s->proto);
    s->proto = g_strdup(i < G_N_ELEMENTS(protocols) ? protocols[i].value : NULL);
  }
  check_server(s);
  list_changed(e);
}

static void protocol_changed(GObject *w, GParamSpec *spec, gpointer editor)
{
  field_changed(w, editor);
}

static guint index_of(Editor *e, Server *s)
{
  guint i = 0;
  g_ptr_array_find(e->servers, s, &i);
  return i;
}

static void place_rows(Editor *e)
{
  for (guint i = 0; i < e->servers->len; i++) {
    Server *s = e->servers->pdata[i];
    g_object_ref(s->widget);
    gtk_list_box_remove(GTK_LIST_BOX(e->server_list), s->widget);
    gtk_list_box_insert(GTK_LIST_BOX(e->server_list), s->widget, (int)i);
    g_object_unref(s->widget);
  }
  renumber(e);
}

static void move(Editor *e, Server *s, int by)
{
  guint i = index_of(e, s), to = (guint)((int)i + by);
  if (to >= e->servers->len)
    return;
  e->servers->pdata[i] = e->servers->pdata[to];
  e->servers->pdata[to] = s;
  place_rows(e);
  list_changed(e);
}

static void move_up(GtkButton *button, gpointer editor)
{
  Server *s = g_object_get_data(G_OBJECT(button), "server");
  move(editor, s, -1);
  gtk_widget_grab_focus(s->host_entry);
}

static void move_down(GtkButton *button, gpointer editor)
{
  Server *s = g_object_get_data(G_OBJECT(button), "server");
  move(editor, s, 1);
  gtk_widget_grab_focus(s->host_entry);
}

static void remove_server(GtkButton *button, gpointer editor)
{
  Editor *e = editor;
  Server *s = g_object_get_data(G_OBJECT(button), "server");
  gtk_list_box_remove(GTK_LIST_BOX(e->server_list), s->widget);
  g_ptr_array_remove(e->servers, s);
  renumber(e);
  list_changed(e);
}

/* ---- building */

static GtkWidget *server_button(Editor *e, Server *s, const char *icon, const char *name,
                                GCallback clicked, GtkWidget *line)
{
  GtkWidget *button = editor_icon_button(icon, name);
  g_object_set_data(G_OBJECT(button), "server", s);
  g_signal_connect_object(button, "clicked", clicked, e, 0);
  gtk_box_append(GTK_BOX(line), button);
  return button;
}

static void build_fields(Editor *e, Server *s, GtkWidget *first, GtkWidget *second)
{
  g_autoptr(GtkStringList) names = gtk_string_list_new(NULL);
  for (guint i = 0; i < G_N_ELEMENTS(protocols); i++)
    gtk_string_list_append(names, _(protocols[i].label));
  s->host_entry = gtk_entry_new();
  gtk_entry_set_placeholder_text(GTK_ENTRY(s->host_entry),
                                 _("Server, for example vpn.example.org"));
  gtk_entry_set_input_purpose(GTK_ENTRY(s->host_entry), GTK_INPUT_PURPOSE_URL);
  gtk_editable_set_width_chars(GTK_EDITABLE(s->host_entry), 8);
  gtk_widget_set_hexpand(s->host_entry, TRUE);
  s->port_entry = gtk_entry_new();
  gtk_entry_set_input_purpose(GTK_ENTRY(s->port_entry), GTK_INPUT_PURPOSE_DIGITS);
  gtk_editable_set_width_chars(GTK_EDITABLE(s->port_entry), 6);
  gtk_editable_set_max_width_chars(GTK_EDITABLE(s->port_entry), 6);
  s->proto_choice = editor_drop_down_new(names);
  gtk_widget_set_hexpand(s->proto_choice, TRUE);
  gtk_editable_set_text(GTK_EDITABLE(s->host_entry), s->text && !s->host ? s->text : s->host);
  gtk_editable_set_text(GTK_EDITABLE(s->port_entry), s->port ? s->port : "");
  gtk_drop_down_set_selected(GTK_DROP_DOWN(s->proto_choice), protocol_index(s->proto));
  GtkWidget *fields[] = {s->host_entry, s->port_entry, s->proto_choice};
  for (guint i = 0; i < G_N_ELEMENTS(fields); i++) {
    g_object_set_data(G_OBJECT(fields[i]), "server", s);
    gtk_box_append(GTK_BOX(i ? second : first), fields[i]);
  }
  g_signal_connect_object(s->host_entry, "changed", G_CALLBACK(field_changed), e, 0);
  g_signal_connect_object(s->port_entry, "changed", G_CALLBACK(field_changed), e, 0);
  g_signal_connect_object(s->proto_choice, "notify::selected", G_CALLBACK(protocol_changed), e, 0);
}

static void build_server(Editor *e, Server *s)
{
  GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 6);
  GtkWidget *first = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 2);
  GtkWidget *second = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
  g_object_set(box, "margin-top", 8, "margin-bottom", 8, "margin-start", 12, "margin-end", 12,
               NULL);
  build_fields(e, s, first, second);
  s->up = server_button(e, s, "go-up-symbolic", _("Try earlier"), G_CALLBACK(move_up), first);
  s->down = server_button(e, s, "go-down-symbolic", _("Try later"), G_CALLBACK(move_down), first);
  s->remove = server_button(e, s, "list-remove-symbolic", _("Remove the server"),
                            G_CALLBACK(remove_server), second);
  s->note = editor_note_new();
  gtk_box_append(GTK_BOX(box), first);
  gtk_box_append(GTK_BOX(box), second);
  gtk_box_append(GTK_BOX(box), s->note);
  s->widget = adw_preferences_row_new();
  gtk_list_box_row_set_activatable(GTK_LIST_BOX_ROW(s->widget), FALSE);
  gtk_widget_set_focusable(s->widget, FALSE);
  gtk_list_box_row_set_child(GTK_LIST_BOX_ROW(s->widget), box);
  gtk_list_box_append(GTK_LIST_BOX(e->server_list), s->widget);
}

static Server *add_server(Editor *e, const char *text)
{
  Server *s = g_new0(Server, 1);
  ProfileRemote r = {0};
  s->text = g_strdup(text);
  if (text && profile_remote_parse(text, &r)) {
    s->host = g_strdup(r.host);
    s->port = g_strdup(r.port);
    s->proto = g_strdup(r.proto);
    profile_remote_clear(&r);
  } else {
    s->host = g_strdup(text ? text : "");
  }
  g_ptr_array_add(e->servers, s);
  build_server(e, s);
  return s;
}

static void add_clicked(GtkButton *button, gpointer editor)
{
  Editor *e = editor;
  Server *s = add_server(e, NULL);
  renumber(e);
  editor_servers_defaults(e);
  gtk_widget_grab_focus(s->host_entry);
  editor_changed(e);
}

GtkWidget *editor_servers_build(Editor *e)
{
  GtkWidget *group = adw_preferences_group_new();
  GtkWidget *add = gtk_button_new_from_icon_name("list-add-symbolic");
  gtk_widget_add_css_class(add, "flat");
  gtk_widget_set_tooltip_text(add, _("Add a server"));
  gtk_widget_set_name(add, "server-add");
  editor_name_control(add, _("Add a server"), ovpn_option_info(OVPN_OPT_REMOTE)->directive);
  g_signal_connect_object(add, "clicked", G_CALLBACK(add_clicked), e, 0);
  adw_preferences_group_set_title(ADW_PREFERENCES_GROUP(group), _("Servers"));
  adw_preferences_group_set_header_suffix(ADW_PREFERENCES_GROUP(group), add);
  e->server_list = gtk_list_box_new();
  gtk_list_box_set_selection_mode(GTK_LIST_BOX(e->server_list), GTK_SELECTION_NONE);
  gtk_widget_add_css_class(e->server_list, "boxed-list");
  editor_name_control(e->server_list, _("Servers"), NULL);
  adw_preferences_group_add(ADW_PREFERENCES_GROUP(group), e->server_list);
  const char *value = editor_get(e, KEY_REMOTE);
  g_auto(GStrv) items = g_strsplit_set(value ? value : "", " \t,", -1);
  for (char **item = items; *item; item++) {
    if (**item)
      add_server(e, *item);
  }
  if (!e->servers->len)
    add_server(e, NULL);
  renumber(e);
  editor_servers_defaults(e);
  return group;
}

void editor_servers_defaults(Editor *e)
{
  const char *port = editor_get(e, KEY_PORT);
  for (guint i = 0; i < e->servers->len; i++) {
    Server *s = e->servers->pdata[i];
    gtk_entry_set_placeholder_text(GTK_ENTRY(s->port_entry), port ? port : "1194");
  }
}

/* The lines that have no field: blocks name servers too, and of two equal peers one may wait for
 * the other to call. */
static gboolean needs_no_server(Editor *e)
{
  ovpn_auto_option_list extra = {0};
  g_autoptr(NMSettingVpn) vpn = NM_SETTING_VPN(g_object_ref_sink(nm_setting_vpn_new()));
  const char *text = editor_get(e, NMOVPN_KEY_EXTRA_OPTIONS);
  if (editor_type(e) == TYPE_STATIC_KEY && !e->is_new)
    return TRUE;
  if (!text)
    return FALSE;
  nm_setting_vpn_add_data_item(vpn, NMOVPN_KEY_EXTRA_OPTIONS, text);
  profile_parse_extra(vpn, &extra, NULL);
  return ovpn_option_list_last(&extra, OVPN_OPT_REMOTE) ||
         ovpn_option_list_last(&extra, OVPN_OPT_TLS_SERVER) ||
         ovpn_option_list_last(&extra, OVPN_OPT_TLS_CLIENT);
}

const char *editor_servers_error(Editor *e)
{
  if (!e->servers_touched && profile_get(e->old, KEY_REMOTE))
    return NULL; /* as it was opened */
  for (guint i = 0; i < e->servers->len; i++) {
    Server *s = e->servers->pdata[i];
    if (s->error)
      return s->error;
  }
  if (!editor_get(e, KEY_REMOTE) && !needs_no_server(e))
    return _("Enter the host name or address of the server");
  return NULL;
}
