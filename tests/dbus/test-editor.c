/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The editor inside one process, under Xvfb: nothing is lost, every row is set and read back,
 * errors, accessible names. usage: test-editor EDITOR.so CONF_DIRECTORY PLUGIN.so
 * NMOVPN_EDITOR_TIMES=1: prints how long opening and update_connection took, a bench and no test.
 * NMOVPN_EDITOR_PNG=DIRECTORY: pictures of the page in several sizes and both themes; with
 * ADW_DEBUG_HIGH_CONTRAST=1 in high contrast. */
#include <adwaita.h>
#include <dlfcn.h>

#include "properties/import.h"
#include "service/profile.h"
#include "tests/unit/check.h"
#include "tests/unit/take.h"

typedef NMVpnEditor *(*EditorNew)(NMVpnEditorPlugin *, NMConnection *, GError **);
static EditorNew editor_new;
static char *scratch;

static NMVpnEditor *open_editor(NMConnection *c)
{
  GError *error = NULL;
  NMVpnEditor *e = editor_new(NULL, c, &error);
  CHECK(e);
  return e;
}

static NMConnection *saved(NMVpnEditor *e, NMConnection *c)
{
  GError *error = NULL;
  NMConnection *copy = nm_simple_connection_new_clone(c);
  if (!nm_vpn_editor_update_connection(e, copy, &error)) {
    fprintf(stderr, "update: %s\n", error->message);
    check_failed_++;
    g_clear_error(&error);
  }
  return copy;
}

static const char *data(NMConnection *c, const char *key)
{
  return nm_setting_vpn_get_data_item(nm_connection_get_setting_vpn(c), key);
}

static GtkWidget *root_of(NMVpnEditor *e)
{
  return GTK_WIDGET(nm_vpn_editor_get_widget(e));
}

static GtkWidget *find(GtkWidget *w, const char *name)
{
  GtkWidget *found = !g_strcmp0(gtk_widget_get_name(w), name) ? w : NULL;
  for (GtkWidget *c = gtk_widget_get_first_child(w); c && !found;
       c = gtk_widget_get_next_sibling(c))
    found = find(c, name);
  return found;
}

static GtkWidget *field(NMVpnEditor *e, const char *name)
{
  GtkWidget *w = find(root_of(e), name);
  if (!w) {
    fprintf(stderr, "no field %s\n", name);
    check_failed_++;
  }
  return w;
}

static void type_text(NMVpnEditor *e, const char *name, const char *text)
{
  GtkWidget *w = field(e, name);
  if (w)
    gtk_editable_set_text(GTK_EDITABLE(w), text);
}

static GtkEditable *server_entry(NMVpnEditor *e, const char *server, gboolean port)
{
  GtkWidget *box = gtk_widget_get_first_child(field(e, server));
  GtkWidget *line = gtk_widget_get_first_child(box);
  if (port)
    line = gtk_widget_get_next_sibling(line);
  return GTK_EDITABLE(gtk_widget_get_first_child(line));
}

static void count(NMVpnEditor *e, gpointer n)
{
  ++*(guint *)n;
}

static char *error_of(NMVpnEditor *e, NMConnection *c)
{
  g_autoptr(NMConnection) copy = nm_simple_connection_new_clone(c);
  GError *error = NULL;
  char *text = NULL;
  if (!nm_vpn_editor_update_connection(e, copy, &error))
    text = g_strdup(error->message);
  g_clear_error(&error);
  return text;
}

/* ---- nothing is lost */

/* In microseconds. */
static struct {
  gint64 open, update, open_max, update_max;
  guint n;
  char slowest[64];
} times;

static void note_times(const char *name, gint64 opening, gint64 update)
{
  times.n++;
  times.open += opening;
  times.update += update;
  times.open_max = MAX(times.open_max, opening);
  if (update > times.update_max) {
    times.update_max = update;
    g_strlcpy(times.slowest, name, sizeof times.slowest);
  }
}

static void identical(const char *name, NMConnection *c)
{
  guint changes = 0;
  gint64 start = g_get_monotonic_time();
  NMVpnEditor *e = open_editor(c);
  gint64 opening = g_get_monotonic_time() - start;
  g_signal_connect(e, "changed", G_CALLBACK(count), &changes);
  g_autoptr(NMConnection) a = saved(e, c), b = saved(e, a);
  gint64 begin = g_get_monotonic_time();
  for (guint i = 0; i < 100; i++)
    nm_vpn_editor_update_connection(e, a, NULL);
  note_times(name, opening, g_get_monotonic_time() - begin); /* of 100 */
  if (!nm_connection_compare(a, c, NM_SETTING_COMPARE_FLAG_EXACT) ||
      !nm_connection_compare(b, c, NM_SETTING_COMPARE_FLAG_EXACT) || changes) {
    fprintf(stderr, "%s: not the same after opening and saving\n", name);
    check_failed_++;
  }
  g_object_unref(e);
}

static void test_identity(const char *directory)
{
  g_autoptr(GPtrArray) paths = samples(directory, FALSE);
  for (guint i = 0; i < paths->len; i++) {
    g_autoptr(NMConnection) c = nmovpn_import_file(paths->pdata[i], NULL);
    CHECK(c);
    if (c)
      identical(strrchr(paths->pdata[i], G_DIR_SEPARATOR) + 1, c);
  }
  CHECK(paths->len > 10);
}

static void test_unknown(void)
{
  static const char *const pairs[] = {"remote",
                                      "a  b:1195,,c:443:tcp-client",
                                      "some-key",
                                      "value",
                                      "reneg-seconds",
                                      "0",
                                      "mssfix",
                                      "yes",
                                      "float",
                                      "no",
                                      "comp-lzo",
                                      "no",
                                      "keysize",
                                      "128",
                                      "cipher",
                                      "CAMELLIA",
                                      "proto-tcp",
                                      "no",
                                      "ca",
                                      "/a b\\\\c",
                                      "dev",
                                      "t\\303un",
                                      "password-flags",
                                      "3",
                                      "verify-x509-name",
                                      "CN=x",
                                      "crl-verify-dir",
                                      "/x",
                                      "ping",
                                      "abc",
                                      "connection-type",
                                      "strange",
                                      "proxy-port",
                                      "0",
                                      "proxy-retry",
                                      "no"};
  g_autoptr(NMConnection) c = take("client\nremote h\n");
  NMSettingVpn *vpn = nm_connection_get_setting_vpn(c);
  for (guint i = 0; i < G_N_ELEMENTS(pairs); i += 2)
    nm_setting_vpn_add_data_item(vpn, pairs[i], pairs[i + 1]);
  nm_setting_vpn_add_secret(vpn, "some-secret", "hush");
  nm_setting_vpn_add_secret(vpn, "password", "hush");
  identical("unknown keys", c);
  NMVpnEditor *e = open_editor(c);
  type_text(e, "port", "443");
  g_autoptr(NMConnection) after = saved(e, c);
  CHECK_STR(data(after, "port"), "443");
  CHECK_STR(data(after, "some-key"), "value");
  type_text(e, "port", "");
  g_autoptr(NMConnection) back = saved(e, c);
  CHECK(nm_connection_compare(back, c, NM_SETTING_COMPARE_FLAG_EXACT));
  g_object_unref(e);
}

/* ---- rows */

static const char *sample(const char *name)
{
  static const char *const samples[][2] = {{"local-ip", "10.0.0.1"},
                                           {"remote-ip", "10.0.0.2"},
                                           {"local", "192.0.2.1"},
                                           {"proxy-server", "proxy.example.org"},
                                           {"route-gateway", "10.0.0.9"},
                                           {"verify-hash", "AA:BB SHA1"},
                                           {"remote-cert-eku", "TLS Web Server"},
                                           {"connect-retry", "5 60"},
                                           {"dev", "tun7"},
                                           {"inactive", "600"}};
  for (guint i = 0; i < G_N_ELEMENTS(samples); i++) {
    if (!strcmp(samples[i][0], name))
      return samples[i][1];
  }
  return "777";
}

static char *value_of(GtkWidget *w)
{
  if (GTK_IS_SWITCH(w))
    return g_strdup(gtk_switch_get_active(GTK_SWITCH(w)) ? "1" : "0");
  if (ADW_IS_COMBO_ROW(w))
    return g_strdup_printf("%u", adw_combo_row_get_selected(ADW_COMBO_ROW(w)));
  if (GTK_IS_DROP_DOWN(w))
    return g_strdup_printf("%u", gtk_drop_down_get_selected(GTK_DROP_DOWN(w)));
  return GTK_IS_EDITABLE(w) ? g_strdup(gtk_editable_get_text(GTK_EDITABLE(w))) : NULL;
}

static gboolean change(GtkWidget *w, guint n)
{
  if (GTK_IS_SWITCH(w))
    gtk_switch_set_active(GTK_SWITCH(w), n == 0);
  else if (ADW_IS_COMBO_ROW(w))
    adw_combo_row_set_selected(ADW_COMBO_ROW(w), n);
  else if (GTK_IS_DROP_DOWN(w))
    gtk_drop_down_set_selected(GTK_DROP_DOWN(w), n);
  else if (GTK_IS_EDITABLE(w))
    gtk_editable_set_text(GTK_EDITABLE(w), n ? "" : sample(gtk_widget_get_name(w)));
  return TRUE;
}

static guint possibilities(GtkWidget *w)
{
  if (ADW_IS_COMBO_ROW(w))
    return g_list_model_get_n_items(adw_combo_row_get_model(ADW_COMBO_ROW(w)));
  if (GTK_IS_DROP_DOWN(w))
    return g_list_model_get_n_items(gtk_drop_down_get_model(GTK_DROP_DOWN(w)));
  return 2;
}

static gboolean is_file_field(const char *name)
{
  static const char *const files[] = {"ca",
                                      "cert",
                                      "key",
                                      "static-key",
                                      "tls-crypt",
                                      "tls-crypt-v2",
                                      "ta",
                                      "extra-certs",
                                      "crl-verify-file",
                                      "crl-verify-dir",
                                      NULL};
  return g_strv_contains(files, name);
}

static void collect(GtkWidget *w, GPtrArray *names)
{
  const char *name = gtk_widget_get_name(w);
  gboolean is_field = GTK_IS_SWITCH(w) || ADW_IS_COMBO_ROW(w) || GTK_IS_DROP_DOWN(w) ||
                      GTK_IS_ENTRY(w) || GTK_IS_PASSWORD_ENTRY(w);
  if (is_field && strcmp(name, G_OBJECT_TYPE_NAME(w)) && strcmp(name, "connection-type") &&
      strcmp(name, "verify-x509-name-type") && !is_file_field(name))
    g_ptr_array_add(names, g_strdup(name));
  for (GtkWidget *c = is_field ? NULL : gtk_widget_get_first_child(w); c;
       c = gtk_widget_get_next_sibling(c))
    collect(c, names);
}

enum { ROUNDS = 8 };

static void set_all(NMVpnEditor *e, GPtrArray *names, guint round, guint *changes)
{
  for (guint i = 0; i < names->len; i++) {
    GtkWidget *w = field(e, names->pdata[i]);
    guint was = *changes;
    g_autofree char *before = value_of(w);
    change(w, round % possibilities(w));
    g_autofree char *after = value_of(w);
    if (strcmp(before, after) && *changes == was) {
      fprintf(stderr, "%s: no signal\n", (char *)names->pdata[i]);
      check_failed_++;
    }
  }
}

/* Another editor, opened on what was saved, shows the same. */
static void compare_all(NMVpnEditor *e, NMVpnEditor *again, GPtrArray *names)
{
  for (guint i = 0; i < names->len; i++) {
    GtkWidget *w = field(e, names->pdata[i]);
    g_autofree char *shown = value_of(w), *read = value_of(field(again, names->pdata[i]));
    if (gtk_widget_get_sensitive(w) && strcmp(shown, read)) {
      fprintf(stderr, "%s: “%s” was set, “%s” came back\n", (char *)names->pdata[i], shown, read);
      check_failed_++;
    }
  }
}

/* Each round gives all rows another value; at the end all is taken back and leaves no trace. */
static void test_rows(const char *kind, guint at_least)
{
  g_autoptr(NMConnection) c = take("client\nremote h\nverb 4\nverify-x509-name x name\n");
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  g_autoptr(GPtrArray) before = g_ptr_array_new_with_free_func(g_free);
  guint changes = 0;
  nm_setting_vpn_add_data_item(nm_connection_get_setting_vpn(c), "connection-type", kind);
  NMVpnEditor *e = open_editor(c);
  g_signal_connect(e, "changed", G_CALLBACK(count), &changes);
  collect(root_of(e), names);
  CHECK(names->len >= at_least);
  for (guint i = 0; i < names->len; i++)
    g_ptr_array_add(before, value_of(field(e, names->pdata[i])));
  for (guint round = 0; round < ROUNDS; round++) {
    set_all(e, names, round, &changes);
    g_autoptr(NMConnection) a = saved(e, c);
    NMVpnEditor *again = open_editor(a);
    compare_all(e, again, names);
    g_object_unref(again);
  }
  for (guint i = 0; i < names->len; i++) {
    GtkWidget *w = field(e, names->pdata[i]);
    if (GTK_IS_EDITABLE(w))
      gtk_editable_set_text(GTK_EDITABLE(w), before->pdata[i]);
    else
      change(w, GTK_IS_SWITCH(w) ? !atoi(before->pdata[i]) : (guint)atoi(before->pdata[i]));
  }
  g_autoptr(NMConnection) back = saved(e, c);
  if (!nm_connection_compare(back, c, NM_SETTING_COMPARE_FLAG_EXACT)) {
    fprintf(stderr, "%s: changes that were taken back left something\n", kind);
    nm_connection_dump(c);
    nm_connection_dump(back);
    check_failed_++;
  }
  g_object_unref(e);
}

static void test_servers(void)
{
  g_autoptr(NMConnection) c = take("client\nremote h\nremote ::1 1195 udp6\n");
  NMVpnEditor *e = open_editor(c);
  gtk_editable_set_text(server_entry(e, "server-0", FALSE), "vpn.example.org");
  gtk_editable_set_text(server_entry(e, "server-0", TRUE), "443");
  g_autoptr(NMConnection) a = saved(e, c);
  CHECK_STR(data(a, "remote"), "vpn.example.org:443, [::1]:1195:udp6");
  g_signal_emit_by_name(field(e, "server-add"), "clicked");
  g_autofree char *none = error_of(e, c);
  CHECK(!none); /* nothing was typed there yet */
  gtk_editable_set_text(server_entry(e, "server-2", FALSE), "third");
  g_autoptr(NMConnection) b = saved(e, c);
  CHECK_STR(data(b, "remote"), "vpn.example.org:443, [::1]:1195:udp6, third");
  gtk_editable_set_text(server_entry(e, "server-2", FALSE), "not valid");
  g_autofree char *bad = error_of(e, c);
  CHECK_STR(bad, "“not valid” is not a host name or address");
  CHECK(gtk_widget_has_css_class(GTK_WIDGET(server_entry(e, "server-2", FALSE)), "error"));
  gtk_editable_set_text(server_entry(e, "server-2", FALSE), "third");
  gtk_editable_set_text(server_entry(e, "server-2", TRUE), "99999");
  g_autofree char *port = error_of(e, c);
  CHECK_STR(port, "The port of the server must be a number from 1 to 65535");
  gtk_editable_set_text(server_entry(e, "server-2", TRUE), "");
  GtkWidget *line = gtk_widget_get_parent(GTK_WIDGET(server_entry(e, "server-2", FALSE)));
  GtkWidget *up = gtk_widget_get_next_sibling(gtk_widget_get_first_child(line));
  g_signal_emit_by_name(up, "clicked");
  g_autoptr(NMConnection) moved = saved(e, c);
  CHECK_STR(data(moved, "remote"), "vpn.example.org:443, third, [::1]:1195:udp6");
  line = gtk_widget_get_next_sibling(line);
  g_signal_emit_by_name(gtk_widget_get_last_child(line), "clicked");
  g_autoptr(NMConnection) removed = saved(e, c);
  CHECK_STR(data(removed, "remote"), "vpn.example.org:443, [::1]:1195:udp6");
  g_object_unref(e);
}

/* Only of two equal peers one may wait for the other. */
static void test_no_server(void)
{
  g_autoptr(NMConnection) peer = take("tls-client\nlport 5000\nifconfig 10.8.0.2 10.8.0.1\nca a\n"
                                      "cert b\nkey c\n");
  NMVpnEditor *e = open_editor(peer);
  g_autofree char *none = error_of(e, peer);
  CHECK(!none);
  g_object_unref(e);
  g_autoptr(NMConnection) client = take("client\nremote h\nca a\ncert b\nkey c\n");
  e = open_editor(client);
  gtk_editable_set_text(server_entry(e, "server-0", FALSE), "");
  g_autofree char *missing = error_of(e, client);
  CHECK_STR(missing, "Enter the host name or address of the server");
  g_object_unref(e);
}

static gboolean is_visible(NMVpnEditor *e, const char *name)
{
  GtkWidget *w = field(e, name);
  while (w && !ADW_IS_PREFERENCES_ROW(w))
    w = gtk_widget_get_parent(w);
  return w && gtk_widget_get_visible(w);
}

static void test_types(void)
{
  static const char *const names[] = {"username", "password",  "ca",         "cert",
                                      "key",      "cert-pass", "static-key", "local-ip"};
  static const struct {
    const char *type, *shown;
  } types[] = {{"tls", "..++++.."},
               {"password", "+++....."},
               {"password-tls", "++++++.."},
               {"static-key", "......++"}};
  g_autoptr(NMConnection) c = take("client\nremote h\nca /a\ncert /c\nkey /k\n");
  nm_setting_vpn_add_data_item(nm_connection_get_setting_vpn(c), "static-key", "/s");
  NMVpnEditor *e = open_editor(c);
  for (guint i = 0; i < G_N_ELEMENTS(types); i++) {
    adw_combo_row_set_selected(ADW_COMBO_ROW(field(e, "connection-type")), i);
    g_autoptr(NMConnection) a = saved(e, c);
    CHECK_STR(data(a, "connection-type"), types[i].type);
    for (guint k = 0; k < G_N_ELEMENTS(names); k++)
      CHECK_INT(is_visible(e, names[k]), types[i].shown[k] == '+');
  }
  g_object_unref(e);
}

static void check_route(NMVpnEditor *e, NMConnection *c, guint choice, const char *expected)
{
  gtk_drop_down_set_selected(GTK_DROP_DOWN(field(e, "default-route")), choice);
  g_autoptr(NMConnection) a = saved(e, c);
  const char *extra = data(a, "extra-options");
  g_autofree char *text = extra ? nmovpn_text_unescape(extra) : NULL;
  CHECK_STR(text ? text : "", expected);
  CHECK_STR(data(a, "default-route"), "auto");
}

static void test_special(void)
{
  g_autoptr(NMConnection) c =
      take("client\nremote h\nverb 4\nremote-cert-eku \"a b\"\nverify-x509-name x subject\n");
  NMVpnEditor *e = open_editor(c);
  CHECK_STR(gtk_editable_get_text(GTK_EDITABLE(field(e, "remote-cert-eku"))), "a b");
  CHECK_STR(gtk_editable_get_text(GTK_EDITABLE(field(e, "verify-x509-name"))), "x");
  gtk_drop_down_set_selected(GTK_DROP_DOWN(field(e, "verify-x509-name-type")), 2);
  g_autoptr(NMConnection) a = saved(e, c);
  CHECK_STR(data(a, "verify-x509-name"), "name-prefix:x");
  type_text(e, "remote-cert-eku", "c d");
  check_route(e, c, 1, "verb 4\nremote-cert-eku \"c d\"\nredirect-gateway def1");
  check_route(e, c, 2, "verb 4\nremote-cert-eku \"c d\"\npull-filter ignore redirect-gateway");
  check_route(e, c, 0, "verb 4\nremote-cert-eku \"c d\"");
  type_text(e, "remote-cert-eku", "");
  check_route(e, c, 0, "verb 4");
  g_object_unref(e);
}

/* Lines that may stand several times are one list in their row. */
static void test_fingerprints(void)
{
  g_autoptr(NMConnection) c = take("client\nremote h\npeer-fingerprint aa\nverb 4\n"
                                   "peer-fingerprint bb\n");
  NMVpnEditor *e = open_editor(c);
  GtkEditable *w = GTK_EDITABLE(field(e, "peer-fingerprint"));
  CHECK_STR(gtk_editable_get_text(w), "aa, bb");
  gtk_editable_set_text(w, "aa  bb cc");
  g_autoptr(NMConnection) a = saved(e, c);
  g_autofree char *text = nmovpn_text_unescape(data(a, "extra-options"));
  CHECK_STR(text, "verb 4\npeer-fingerprint aa\npeer-fingerprint bb\npeer-fingerprint cc");
  gtk_editable_set_text(w, "");
  g_autoptr(NMConnection) b = saved(e, c);
  g_autofree char *left = nmovpn_text_unescape(data(b, "extra-options"));
  CHECK_STR(left, "verb 4");
  g_object_unref(e);
}

static void test_crl_and_guard(void)
{
  g_autoptr(NMConnection) c = take("client\nremote h\n");
  NMVpnEditor *e = open_editor(c);
  type_text(e, "crl-verify-dir", "/no such");
  gtk_drop_down_set_selected(GTK_DROP_DOWN(field(e, "ipv6-leak-protection")), 1);
  g_autoptr(NMConnection) a = saved(e, c);
  CHECK_STR(data(a, "crl-verify-dir"), "/no such");
  CHECK_STR(data(a, "ipv6-leak-protection"), "no");
  type_text(e, "crl-verify-dir", "");
  gtk_drop_down_set_selected(GTK_DROP_DOWN(field(e, "ipv6-leak-protection")), 0);
  g_autoptr(NMConnection) b = saved(e, c);
  CHECK(nm_connection_compare(b, c, NM_SETTING_COMPARE_FLAG_EXACT));
  g_object_unref(e);
}

/* The plugin's object as GNOME Settings has it: import, then the editor with its summary. */
static void test_import_summary(const char *plugin_file)
{
  g_autoptr(NMVpnEditorPlugin) plugin =
      nm_vpn_editor_plugin_load(plugin_file, "org.freedesktop.NetworkManager.openvpn", NULL);
  g_autofree char *path = g_build_filename(scratch, "sum.ovpn", NULL);
  CHECK(plugin);
  g_file_set_contents(path, "client\nremote h\nup /x\npersist-key\nno-such\n", -1, NULL);
  g_autoptr(NMConnection) c = plugin ? nm_vpn_editor_plugin_import(plugin, path, NULL) : NULL;
  g_autoptr(NMConnection) clone = c ? nm_simple_connection_new_clone(c) : NULL;
  NMVpnEditor *e = clone ? editor_new(plugin, clone, NULL) : NULL;
  CHECK(e);
  if (!e)
    return;
  AdwExpanderRow *row = ADW_EXPANDER_ROW(field(e, "import-summary"));
  CHECK_STR(adw_preferences_row_get_title(ADW_PREFERENCES_ROW(row)), "Imported from “sum.ovpn”");
  CHECK(g_str_has_suffix(adw_expander_row_get_subtitle(row), " · 3 things to know"));
  CHECK(find(root_of(e), "save-as"));
  g_object_unref(e);
  nm_setting_vpn_add_data_item(nm_connection_get_setting_vpn(clone), "port", "1");
  e = editor_new(plugin, clone, NULL);
  CHECK(!find(root_of(e), "import-summary")); /* another connection */
  g_object_unref(e);
}

static void test_search(void)
{
  g_autoptr(NMConnection) c = take("client\nremote h\n");
  NMVpnEditor *e = open_editor(c);
  GtkWidget *search = field(e, "search");
  gtk_editable_set_text(GTK_EDITABLE(search), "reneg");
  g_signal_emit_by_name(search, "search-changed");
  CHECK(is_visible(e, "reneg-seconds"));
  CHECK(!is_visible(e, "ping"));
  CHECK(!gtk_widget_get_visible(field(e, "section-4")));
  AdwExpanderRow *other = ADW_EXPANDER_ROW(field(e, "section-7"));
  CHECK_STR(adw_expander_row_get_subtitle(other), "Can be written here: reneg-bytes, reneg-pkts");
  gtk_editable_set_text(GTK_EDITABLE(search), "");
  g_signal_emit_by_name(search, "search-changed");
  CHECK(is_visible(e, "ping"));
  g_object_unref(e);
}

/* ---- errors */

static void test_errors(void)
{
  g_autoptr(NMConnection) empty = nm_simple_connection_new();
  NMVpnEditor *e = open_editor(empty);
  g_autofree char *first = error_of(e, empty);
  CHECK_STR(first, "Enter the host name or address of the server");
  CHECK(!gtk_widget_has_css_class(GTK_WIDGET(server_entry(e, "server-0", FALSE)), "error"));
  gtk_editable_set_text(server_entry(e, "server-0", FALSE), "h");
  g_autofree char *second = error_of(e, empty);
  CHECK_STR(second, "Choose the certificate of the authority that vouches for the server");
  type_text(e, "ping", "abc");
  g_autofree char *third = error_of(e, empty);
  CHECK_STR(third, "Sign of life every … seconds: enter a number from 0 to 86400");
  GtkWidget *ping = field(e, "ping");
  CHECK(gtk_widget_has_css_class(ping, "error"));
  CHECK(gtk_test_accessible_has_state(GTK_ACCESSIBLE(ping), GTK_ACCESSIBLE_STATE_INVALID));
  GtkWidget *note = gtk_widget_get_next_sibling(ping);
  CHECK_STR(gtk_label_get_text(GTK_LABEL(note)), third);
  type_text(e, "ping", "10");
  CHECK(!gtk_widget_has_css_class(ping, "error"));
  GtkTextBuffer *text = gtk_text_view_get_buffer(GTK_TEXT_VIEW(field(e, "extra-options")));
  gtk_text_buffer_set_text(text, "verb 3\nverify-x509-name \"open\n", -1);
  g_autofree char *other = error_of(e, empty);
  CHECK(other && g_str_has_prefix(other, "Other options, line 2: "));
  g_object_unref(e);
}

/* ---- certificates */

static void write_file(const char *name, const char *text)
{
  g_autofree char *path = g_build_filename(scratch, name, NULL);
  g_file_set_contents(path, text, -1, NULL);
}

static char *note_below(GtkWidget *entry)
{
  GtkWidget *info = gtk_widget_get_next_sibling(gtk_widget_get_parent(entry));
  GtkWidget *note = gtk_widget_get_next_sibling(info);
  return g_strconcat(gtk_label_get_text(GTK_LABEL(info)), "|", gtk_label_get_text(GTK_LABEL(note)),
                     NULL);
}

static void check_note(NMVpnEditor *e, const char *name, const char *file, const char *expected)
{
  g_autofree char *path = g_build_filename(scratch, file, NULL);
  type_text(e, name, path);
  g_autofree char *text = note_below(field(e, name));
  if (!strstr(text, expected)) {
    fprintf(stderr, "%s %s: “%s” lacks “%s”\n", name, file, text, expected);
    check_failed_++;
  }
}

static gboolean make_certificates(void)
{
  g_autofree char *make = g_strdup_printf(
      "cd %s && for n in a b; do openssl req -x509 -newkey ec -pkeyopt "
      "ec_paramgen_curve:P-256 -nodes -keyout $n.key -out $n.crt -subj /CN=person-$n "
      "-days 12 -addext basicConstraints=critical,CA:FALSE 2>/dev/null; done",
      scratch);
  return system(make) == 0;
}

static void test_files(void)
{
  if (!make_certificates())
    return;
  write_file("junk", "junk");
  g_autoptr(NMConnection) c = take("client\nremote h\n");
  NMVpnEditor *e = open_editor(c);
  check_note(e, "cert", "a.crt", "Name: person-a");
  check_note(e, "cert", "a.crt", "Expires in 1");
  check_note(e, "key", "a.key", "256 bits|");
  check_note(e, "key", "b.key", "The private key does not belong to the certificate");
  check_note(e, "key", "missing", "There is no file");
  check_note(e, "ca", "junk", "This is not a certificate");
  g_autofree char *error = error_of(e, c);
  CHECK_STR(error, "This is not a certificate");
  check_note(e, "ca", "a.crt", "person-a");
  check_note(e, "key", "a.key", "256 bits");
  GtkWidget *keep = gtk_widget_get_next_sibling(gtk_widget_get_next_sibling(field(e, "key")));
  g_signal_emit_by_name(keep, "clicked");
  g_autoptr(NMConnection) a = saved(e, c);
  const char *secret = nm_setting_vpn_get_secret(nm_connection_get_setting_vpn(a), "key");
  CHECK(secret && g_str_has_prefix(secret, "data:"));
  CHECK_STR(data(a, "key-flags"), "0");
  CHECK(!data(a, "key"));
  CHECK(!is_visible(e, "cert-pass")); /* the key has no pass phrase */
  g_object_unref(e);
  e = open_editor(a); /* typing over it and back loses nothing; the button removes */
  type_text(e, "key", "/x");
  g_autoptr(NMConnection) other = saved(e, a);
  CHECK_STR(data(other, "key"), "/x");
  CHECK(!nm_setting_vpn_get_secret(nm_connection_get_setting_vpn(other), "key"));
  type_text(e, "key", "");
  g_autoptr(NMConnection) back = saved(e, a);
  CHECK(nm_connection_compare(a, back, NM_SETTING_COMPARE_FLAG_EXACT));
  g_signal_emit_by_name(gtk_widget_get_last_child(gtk_widget_get_parent(field(e, "key"))),
                        "clicked");
  g_autoptr(NMConnection) gone = saved(e, a);
  CHECK(!data(gone, "key-flags"));
  CHECK(!nm_setting_vpn_get_secret(nm_connection_get_setting_vpn(gone), "key"));
  g_object_unref(e);
}

/* ---- what assistive technology and the host see */

static void look(GtkWidget *w, GHashTable *mnemonics)
{
  if (GTK_IS_SWITCH(w) && !gtk_widget_get_visible(w)) /* inside an expander row, never shown */
    return;
  gboolean control = GTK_IS_SWITCH(w) || GTK_IS_ENTRY(w) || GTK_IS_PASSWORD_ENTRY(w) ||
                     GTK_IS_DROP_DOWN(w) || GTK_IS_TEXT_VIEW(w) || ADW_IS_COMBO_ROW(w) ||
                     ADW_IS_EXPANDER_ROW(w) || GTK_IS_SEARCH_ENTRY(w) || GTK_IS_BUTTON(w);
  if (control &&
      !gtk_test_accessible_has_property(GTK_ACCESSIBLE(w), GTK_ACCESSIBLE_PROPERTY_LABEL) &&
      !gtk_test_accessible_has_relation(GTK_ACCESSIBLE(w), GTK_ACCESSIBLE_RELATION_LABELLED_BY)) {
    fprintf(stderr, "%s %s has no accessible name\n", G_OBJECT_TYPE_NAME(w),
            gtk_widget_get_name(w));
    check_failed_++;
  }
  if (GTK_IS_LABEL(w)) {
    guint key = gtk_label_get_mnemonic_keyval(GTK_LABEL(w));
    CHECK(!g_str_has_suffix(gtk_label_get_text(GTK_LABEL(w)), ":"));
    if (key != GDK_KEY_VoidSymbol && !g_hash_table_add(mnemonics, GUINT_TO_POINTER(key))) {
      fprintf(stderr, "mnemonic %c twice: %s\n", (int)key, gtk_label_get_text(GTK_LABEL(w)));
      check_failed_++;
    }
  }
  if (control && !ADW_IS_EXPANDER_ROW(w) && !ADW_IS_COMBO_ROW(w))
    return;
  for (GtkWidget *c = gtk_widget_get_first_child(w); c; c = gtk_widget_get_next_sibling(c)) {
    if (!GTK_IS_POPOVER(c))
      look(c, mnemonics);
  }
}

static void test_accessible(void)
{
  g_autoptr(NMConnection) c = take("client\nremote h\nremote i\nauth-user-pass\n");
  g_autoptr(GHashTable) mnemonics = g_hash_table_new(NULL, NULL);
  NMVpnEditor *e = open_editor(c);
  int least = 0;
  g_hash_table_add(mnemonics, GUINT_TO_POINTER('n'));
  g_hash_table_add(mnemonics, GUINT_TO_POINTER('c'));
  g_hash_table_add(mnemonics, GUINT_TO_POINTER('a'));
  look(root_of(e), mnemonics);
  gtk_widget_measure(root_of(e), GTK_ORIENTATION_HORIZONTAL, -1, &least, NULL, NULL, NULL);
  if (least > 260) {
    fprintf(stderr, "at least %d pixels wide\n", least);
    check_failed_++;
  }
  g_object_unref(e);
}

/* ---- where it is shown */

static void open_sections(NMVpnEditor *e)
{
  for (guint i = 1; i < 8; i++) {
    g_autofree char *section = g_strdup_printf("section-%u", i);
    adw_expander_row_set_expanded(ADW_EXPANDER_ROW(field(e, section)), TRUE);
  }
}

/* The width that a page of GNOME Settings leaves at 360 pixels. */
static void check_width(const char *what, int limit)
{
  g_autoptr(NMConnection) c = take("client\nremote h\nremote i\nauth-user-pass\n");
  static const char *const kinds[] = {"tls", "password", "password-tls", "static-key"};
  NMVpnEditor *e = open_editor(c);
  open_sections(e);
  for (guint i = 0; i < G_N_ELEMENTS(kinds); i++) {
    int least = 0;
    adw_combo_row_set_selected(ADW_COMBO_ROW(field(e, "connection-type")), i);
    gtk_widget_measure(root_of(e), GTK_ORIENTATION_HORIZONTAL, -1, &least, NULL, NULL, NULL);
    if (least > limit) {
      fprintf(stderr, "%s, %s: at least %d pixels wide\n", what, kinds[i], least);
      check_failed_++;
    }
  }
  g_object_unref(e);
}

static void test_widths(void)
{
  GtkSettings *settings = gtk_settings_get_default();
  int dpi = 0;
  check_width("usual", 260);
  gtk_widget_set_default_direction(GTK_TEXT_DIR_RTL);
  check_width("right to left", 260);
  gtk_widget_set_default_direction(GTK_TEXT_DIR_LTR);
  g_object_get(settings, "gtk-xft-dpi", &dpi, NULL);
  g_object_set(settings, "gtk-xft-dpi", 2 * 96 * 1024, NULL);
  check_width("large text", 360);
  g_object_set(settings, "gtk-xft-dpi", dpi, NULL);
}

/* In a page that scrolls, and in one that does not: one bar, never two. */
static void test_scrolling(void)
{
  g_autoptr(NMConnection) c = take("client\nremote h\n");
  for (guint hosted = 0; hosted < 2; hosted++) {
    NMVpnEditor *e = open_editor(c);
    GtkWidget *window = gtk_window_new();
    GtkWidget *host = g_object_ref_sink(gtk_scrolled_window_new());
    GtkPolicyType policy = GTK_POLICY_ALWAYS;
    int least = 0, natural = 0;
    if (hosted) {
      gtk_scrolled_window_set_child(GTK_SCROLLED_WINDOW(host), root_of(e));
      gtk_window_set_child(GTK_WINDOW(window), host);
    } else {
      gtk_window_set_child(GTK_WINDOW(window), root_of(e));
    }
    gtk_scrolled_window_get_policy(GTK_SCROLLED_WINDOW(root_of(e)), NULL, &policy);
    CHECK_INT(policy, hosted ? GTK_POLICY_NEVER : GTK_POLICY_AUTOMATIC);
    gtk_widget_measure(root_of(e), GTK_ORIENTATION_VERTICAL, 490, &least, &natural, NULL, NULL);
    CHECK(hosted || least <= 200);
    CHECK(hosted || natural <= 600);
    gtk_window_destroy(GTK_WINDOW(window));
    g_object_unref(host);
    g_object_unref(e);
  }
}

/* The order of the Tab key: every control can be reached, and there is a way out. */
static void test_keyboard(void)
{
  g_autoptr(NMConnection) c = take("client\nremote h\nauth-user-pass\n");
  NMVpnEditor *e = open_editor(c);
  GtkWidget *window = gtk_window_new();
  g_autoptr(GHashTable) seen = g_hash_table_new(NULL, NULL), ends = g_hash_table_new(NULL, NULL);
  guint steps = 0;
  open_sections(e);
  gtk_window_set_child(GTK_WINDOW(window), root_of(e));
  gtk_window_present(GTK_WINDOW(window));
  /* Around once: behind the last control the window begins again. */
  while (steps++ < 400 && gtk_widget_child_focus(window, GTK_DIR_TAB_FORWARD)) {
    GtkWidget *w = gtk_window_get_focus(GTK_WINDOW(window));
    if (!w || g_hash_table_contains(ends, w))
      break;
    g_hash_table_add(ends, w);
    for (; w && w != window; w = gtk_widget_get_parent(w))
      g_hash_table_add(seen, w);
  }
  CHECK(steps < 400);
  g_autoptr(GPtrArray) names = g_ptr_array_new_with_free_func(g_free);
  collect(root_of(e), names);
  for (guint i = 0; i < names->len; i++) {
    GtkWidget *w = field(e, names->pdata[i]);
    if (gtk_widget_get_sensitive(w) && is_visible(e, names->pdata[i]) &&
        !g_hash_table_contains(seen, w)) {
      fprintf(stderr, "%s: not reached by Tab\n", (char *)names->pdata[i]);
      check_failed_++;
    }
  }
  gtk_window_destroy(GTK_WINDOW(window));
  g_object_unref(e);
}

/* ---- pictures */

static void wait_for(guint ms)
{
  gint64 end = g_get_monotonic_time() + ms * 1000;
  while (g_get_monotonic_time() < end)
    g_main_context_iteration(NULL, FALSE);
}

static NMVpnEditorPlugin *shown_plugin; /* whose import the pictures show; NULL: none */

static void picture(NMConnection *c, const char *directory, const char *name, int width, int height,
                    gboolean dark, gboolean open)
{
  NMVpnEditor *e = shown_plugin ? editor_new(shown_plugin, c, NULL) : open_editor(c);
  GtkWidget *window = gtk_window_new(), *scroll = gtk_scrolled_window_new();
  GtkWidget *page = root_of(e);
  g_object_set(page, "margin-start", 50, "margin-end", 50, "margin-top", 24, "margin-bottom", 24,
               NULL);
  adw_style_manager_set_color_scheme(adw_style_manager_get_default(),
                                     dark ? ADW_COLOR_SCHEME_FORCE_DARK
                                          : ADW_COLOR_SCHEME_FORCE_LIGHT);
  gtk_scrolled_window_set_child(GTK_SCROLLED_WINDOW(scroll), page);
  gtk_window_set_child(GTK_WINDOW(window), scroll);
  gtk_window_set_decorated(GTK_WINDOW(window), FALSE);
  gtk_window_set_default_size(GTK_WINDOW(window), width, height);
  if (open && !shown_plugin)
    open_sections(e);
  if (shown_plugin)
    adw_expander_row_set_expanded(ADW_EXPANDER_ROW(field(e, "import-summary")), open);
  if (!strcmp(name, "wrong")) {
    type_text(e, "ping", "abc");
    type_text(e, "cert", "/missing.pem");
    gtk_editable_set_text(server_entry(e, "server-0", FALSE), "not valid");
    gtk_text_buffer_set_text(gtk_text_view_get_buffer(GTK_TEXT_VIEW(field(e, "extra-options"))),
                             "verb 3\nup /etc/script\nroute-method exe\nno-such-option\nmark x\n",
                             -1);
  }
  gtk_window_present(GTK_WINDOW(window));
  wait_for(800);
  g_autoptr(GdkPaintable) paintable = gtk_widget_paintable_new(window);
  GtkSnapshot *snapshot = gtk_snapshot_new();
  int w = gtk_widget_get_width(window), h = gtk_widget_get_height(window);
  gdk_paintable_snapshot(paintable, snapshot, w, h);
  g_autoptr(GskRenderNode) node = gtk_snapshot_free_to_node(snapshot);
  GskRenderer *renderer = gtk_native_get_renderer(GTK_NATIVE(window));
  g_autoptr(GdkTexture) texture =
      gsk_renderer_render_texture(renderer, node, &GRAPHENE_RECT_INIT(0, 0, (float)w, (float)h));
  g_autofree char *path = g_strdup_printf("%s/%s.png", directory, name);
  CHECK(gdk_texture_save_to_png(texture, path));
  gtk_window_destroy(GTK_WINDOW(window));
  g_object_unref(e);
}

/* The picture of data/screenshots: what most people's profile looks like. */
static void showcase(const char *directory)
{
  g_autofree char *make = g_strdup_printf("cd %s && new() { openssl req -x509 -newkey rsa:2048 "
                                          "-nodes -keyout \"$1.key\" -out \"$1.crt\" "
                                          "-subj \"/O=Example/CN=$1\" -days 700 -addext "
                                          "basicConstraints=critical,CA:$2 2>/dev/null; }; "
                                          "new 'Example authority' TRUE && new alex FALSE",
                                          scratch);
  if (system(make) != 0)
    return;
  GString *text = g_string_new("client\ndev tun\nremote vpn.example.org 1194 udp\n"
                               "remote vpn.example.org 443 tcp\nauth-user-pass\n"
                               "remote-cert-tls server\nverify-x509-name vpn.example.org name\n");
  static const char *const files[][2] = {
      {"ca", "Example authority.crt"}, {"cert", "alex.crt"}, {"key", "alex.key"}};
  for (guint i = 0; i < G_N_ELEMENTS(files); i++) {
    g_autofree char *path = g_build_filename(scratch, files[i][1], NULL), *content = NULL;
    if (g_file_get_contents(path, &content, NULL, NULL))
      g_string_append_printf(text, "<%s>\n%s</%s>\n", files[i][0], content, files[i][0]);
  }
  g_autoptr(NMConnection) c = take(text->str);
  nm_setting_vpn_add_data_item(nm_connection_get_setting_vpn(c), "username", "alex");
  picture(c, directory, "editor", 640, 900, FALSE, FALSE);
  picture(c, directory, "editor-dark", 640, 900, TRUE, FALSE);
  g_string_free(text, TRUE);
}

/* A profile with much to say about it. */
static void import_pictures(const char *directory, const char *plugin_file)
{
  g_autofree char *path = g_build_filename(scratch, "office.ovpn", NULL);
  g_autoptr(NMVpnEditorPlugin) plugin =
      nm_vpn_editor_plugin_load(plugin_file, "org.freedesktop.NetworkManager.openvpn", NULL);
  g_file_set_contents(path,
                      "client\nremote vpn.example.org 1194 udp\nremote vpn.example.org 443 tcp\n"
                      "auth-user-pass\nca authority.pem\nremote-cert-tls server\nverb 3\n"
                      "persist-key\npersist-tun\nresolv-retry infinite\nroute-method exe\n"
                      "up /etc/openvpn/update-resolv-conf\ndown /etc/openvpn/update-resolv-conf\n"
                      "script-security 2\nno-such-option\n",
                      -1, NULL);
  g_autoptr(NMConnection) c = plugin ? nm_vpn_editor_plugin_import(plugin, path, NULL) : NULL;
  CHECK(c);
  if (!c)
    return;
  shown_plugin = plugin;
  picture(c, directory, "import-closed", 490, 600, FALSE, FALSE);
  picture(c, directory, "import-light", 640, 800, FALSE, TRUE);
  picture(c, directory, "import-dark", 640, 800, TRUE, TRUE);
  picture(c, directory, "import-narrow-light", 360, 1000, FALSE, TRUE);
  picture(c, directory, "import-narrow-dark", 360, 1000, TRUE, TRUE);
  shown_plugin = NULL;
}

static void pictures(const char *directory, const char *conf)
{
  g_autofree char *path = g_build_filename(conf, "access-server.ovpn", NULL);
  g_autoptr(NMConnection) c = nmovpn_import_file(path, NULL), empty = nm_simple_connection_new();
  NMSettingVpn *vpn = nm_connection_get_setting_vpn(c);
  if (make_certificates()) {
    g_autofree char *cert = g_build_filename(scratch, "a.crt", NULL);
    g_autofree char *key = g_build_filename(scratch, "b.key", NULL);
    nm_setting_vpn_add_data_item(vpn, "cert", cert);
    nm_setting_vpn_add_data_item(vpn, "key", key);
    nm_setting_vpn_add_data_item(vpn, "ca", cert);
    showcase(directory);
  }
  picture(c, directory, "narrow-light", 360, 1400, FALSE, FALSE);
  picture(c, directory, "narrow-dark", 360, 1400, TRUE, FALSE);
  picture(c, directory, "small", 490, 200, FALSE, FALSE);
  picture(empty, directory, "new", 590, 1100, FALSE, FALSE);
  picture(c, directory, "wide-light", 900, 1400, FALSE, FALSE);
  picture(c, directory, "wide-dark", 900, 1400, TRUE, FALSE);
  picture(c, directory, "wrong", 490, 7900, FALSE, TRUE);
  picture(c, directory, "narrow-open", 360, 7900, FALSE, TRUE);
  picture(c, directory, "wide-open", 700, 7900, TRUE, TRUE);
  gtk_widget_set_default_direction(GTK_TEXT_DIR_RTL);
  picture(c, directory, "right-to-left", 490, 1400, FALSE, FALSE);
  gtk_widget_set_default_direction(GTK_TEXT_DIR_LTR);
  g_object_set(gtk_settings_get_default(), "gtk-xft-dpi", 2 * 96 * 1024, NULL);
  picture(c, directory, "large-text", 490, 2400, FALSE, FALSE);
}

int main(int argc, char **argv)
{
  const char *png = g_getenv("NMOVPN_EDITOR_PNG");
  if (!gtk_init_check()) {
    fprintf(stderr, "no display\n");
    return 77;
  }
  void *library = argc == 4 ? dlopen(argv[1], RTLD_NOW | RTLD_NODELETE) : NULL;
  editor_new = library ? (EditorNew)dlsym(library, "nmovpn_editor_new") : NULL;
  if (!editor_new) {
    fprintf(stderr, "%s\n", library ? "no symbol" : dlerror());
    return 1;
  }
  scratch = g_dir_make_tmp("nm-ovpn-editor-XXXXXX", NULL);
  adw_init();
  if (png) {
    import_pictures(png, argv[3]);
    pictures(png, argv[2]);
  } else {
    test_identity(argv[2]);
    test_unknown();
    test_rows("password-tls", 60);
    test_rows("static-key", 60);
    test_servers();
    test_no_server();
    test_types();
    test_special();
    test_fingerprints();
    test_crl_and_guard();
    test_import_summary(argv[3]);
    test_search();
    test_errors();
    test_files();
    test_accessible();
    test_widths();
    test_scrolling();
    test_keyboard();
  }
  if (times.n && g_getenv("NMOVPN_EDITOR_TIMES"))
    printf("%u profiles: opening %.1f ms (longest %.1f), update_connection %.1f us (longest %.1f, "
           "%s)\n",
           times.n, (double)times.open / times.n / 1000, (double)times.open_max / 1000,
           (double)times.update / times.n / 100, (double)times.update_max / 100, times.slowest);
  g_autofree char *clean = g_strdup_printf("rm -rf %s", scratch);
  CHECK(system(clean) == 0);
  TEST_END();
}
