/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The window for agents without external UI mode: the server's words, a row for each question, or a
 * page to open while the server waits (GTK 4, libadwaita).
 *
 * Only classic mode comes here; GTK is not touched before, so that a missing display hurts nobody
 * else. What was typed is copied into wiped memory; GTK's own password buffers are wiped by GTK.
 * The message and the page are text from a server: shown without markup, the page only opened by
 * browser.c. Nothing is accepted while a field is empty. spec/desktop.md §4. */
#include "ovpn-build.h"

#include "auth-dialog/prompt.h"

#include <adwaita.h>
#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "auth-dialog/browser.h"

enum { WIDTH = 440, MARGIN = 18, MESSAGE_HEIGHT_MAX = 240, MESSAGE_CHARS = 60 };

typedef struct Prompt {
  Request *request;
  GMainLoop *loop;
  GtkWidget *window, *ok, *cancel, *status;
  GPtrArray *rows; /* of GtkEditable; one for each item, NULL when it is not asked */
  PromptResult result;
} Prompt;

static void finish(Prompt *p, PromptResult result)
{
  p->result = result;
  g_main_loop_quit(p->loop);
}

static gboolean is_complete(const Prompt *p)
{
  for (guint i = 0; i < p->rows->len; i++) {
    GtkEditable *e = p->rows->pdata[i];
    if (e && !*gtk_editable_get_text(e))
      return FALSE;
  }
  return TRUE;
}

static void focus_first_empty(const Prompt *p)
{
  for (guint i = 0; i < p->rows->len; i++) {
    GtkEditable *e = p->rows->pdata[i];
    if (e && !*gtk_editable_get_text(e)) {
      gtk_widget_grab_focus(GTK_WIDGET(e));
      return;
    }
  }
  gtk_widget_grab_focus(gtk_widget_get_visible(p->ok) ? p->ok : p->cancel);
}

static void on_changed(GtkEditable *e, Prompt *p)
{
  gtk_widget_set_sensitive(p->ok, is_complete(p));
}

/* What was done is also said to assistive technology: the label is the window's description. */
static void tell(Prompt *p, const char *text)
{
  gtk_label_set_text(GTK_LABEL(p->status), text);
  gtk_widget_set_visible(p->status, TRUE);
}

static void open_page(Prompt *p)
{
  if (browser_open(p->request->page))
    tell(p, _("Finish signing in with the browser. The connection then goes on by itself."));
  else
    tell(p, _("No browser could be started. Copy the address above into one."));
}

static void on_ok(GtkWidget *w, Prompt *p)
{
  if (p->request->page) {
    open_page(p);
    return;
  }
  if (!is_complete(p)) {
    focus_first_empty(p); /* Enter in one row leads to the next */
    return;
  }
  for (guint i = 0; i < p->rows->len; i++) {
    if (p->rows->pdata[i])
      request_item_set_value(p->request->items->pdata[i], gtk_editable_get_text(p->rows->pdata[i]));
  }
  finish(p, PROMPT_DONE);
}

static void on_copy(GtkWidget *w, Prompt *p)
{
  gdk_clipboard_set_text(gtk_widget_get_clipboard(p->window), p->request->page);
  tell(p, _("The address was copied."));
}

static void on_cancel(GtkWidget *w, Prompt *p)
{
  finish(p, PROMPT_CANCELLED);
}

static gboolean on_close(GtkWindow *w, Prompt *p)
{
  finish(p, PROMPT_CANCELLED);
  return TRUE;
}

static gboolean on_escape(GtkWidget *w, GVariant *args, gpointer p)
{
  finish(p, PROMPT_CANCELLED);
  return TRUE;
}

/* The agent gives up by saying QUIT, or by going away: then nobody reads an answer. */
static gboolean on_stdin(int fd, GIOCondition condition, gpointer data)
{
  Prompt *p = data;
  char text[256];
  ssize_t n = read(fd, text, sizeof(text));
  if (n <= 0)
    return G_SOURCE_REMOVE;
  if (memmem(text, (size_t)n, "QUIT", 4))
    finish(p, PROMPT_CANCELLED);
  return G_SOURCE_CONTINUE;
}

/* ---- the parts ---- */

static GtkWidget *new_row(Prompt *p, const RequestItem *item)
{
  GtkWidget *row = item->echo ? adw_entry_row_new() : adw_password_entry_row_new();
  adw_preferences_row_set_use_markup(ADW_PREFERENCES_ROW(row), FALSE);
  adw_preferences_row_set_use_underline(ADW_PREFERENCES_ROW(row), FALSE);
  adw_preferences_row_set_title(ADW_PREFERENCES_ROW(row), item->label);
  if (item->value)
    gtk_editable_set_text(GTK_EDITABLE(row), item->value);
  g_signal_connect(row, "changed", G_CALLBACK(on_changed), p);
  g_signal_connect(row, "entry-activated", G_CALLBACK(on_ok), p);
  return row;
}

static GtkWidget *new_rows(Prompt *p)
{
  GtkWidget *list = gtk_list_box_new();
  gtk_list_box_set_selection_mode(GTK_LIST_BOX(list), GTK_SELECTION_NONE);
  gtk_widget_add_css_class(list, "boxed-list");
  gtk_accessible_update_property(GTK_ACCESSIBLE(list), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                 p->request->title, -1);
  for (guint i = 0; i < p->request->items->len; i++) {
    const RequestItem *item = p->request->items->pdata[i];
    GtkWidget *row = item->should_ask ? new_row(p, item) : NULL;
    if (row)
      gtk_list_box_append(GTK_LIST_BOX(list), row);
    g_ptr_array_add(p->rows, row);
  }
  return list;
}

/* The whole address can be seen and selected; its start is what tells where it leads. */
static GtkWidget *new_page(Prompt *p)
{
  GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
  GtkWidget *entry = gtk_entry_new(), *copy = gtk_button_new_from_icon_name("edit-copy-symbolic");
  gtk_editable_set_text(GTK_EDITABLE(entry), p->request->page);
  gtk_editable_set_editable(GTK_EDITABLE(entry), FALSE);
  gtk_widget_set_hexpand(entry, TRUE);
  gtk_accessible_update_property(GTK_ACCESSIBLE(entry), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                 _("Page to sign in at"), -1);
  gtk_widget_set_tooltip_text(copy, _("Copy the address"));
  gtk_accessible_update_property(GTK_ACCESSIBLE(copy), GTK_ACCESSIBLE_PROPERTY_LABEL,
                                 _("Copy the address"), -1);
  g_signal_connect(copy, "clicked", G_CALLBACK(on_copy), p);
  gtk_box_append(GTK_BOX(row), entry);
  gtk_box_append(GTK_BOX(row), copy);
  return row;
}

static GtkWidget *new_text(const char *text)
{
  GtkWidget *label = gtk_label_new(text);
  gtk_label_set_wrap(GTK_LABEL(label), TRUE);
  gtk_label_set_wrap_mode(GTK_LABEL(label), PANGO_WRAP_WORD_CHAR);
  gtk_label_set_max_width_chars(GTK_LABEL(label), MESSAGE_CHARS);
  gtk_label_set_xalign(GTK_LABEL(label), 0);
  return label;
}

/* Servers may write much: it scrolls, the rows stay in sight. */
static GtkWidget *new_message(Prompt *p)
{
  GtkWidget *scroll = gtk_scrolled_window_new();
  g_autofree char *first = g_strdup(p->request->message);
  char *page = p->request->page ? strrchr(first, '\n') : NULL;
  if (page) /* shown in a field of its own */
    *page = 0;
  GtkWidget *label = new_text(first);
  gtk_label_set_selectable(GTK_LABEL(label), FALSE);
  gtk_scrolled_window_set_policy(GTK_SCROLLED_WINDOW(scroll), GTK_POLICY_NEVER,
                                 GTK_POLICY_AUTOMATIC);
  gtk_scrolled_window_set_propagate_natural_height(GTK_SCROLLED_WINDOW(scroll), TRUE);
  gtk_scrolled_window_set_max_content_height(GTK_SCROLLED_WINDOW(scroll), MESSAGE_HEIGHT_MAX);
  gtk_scrolled_window_set_child(GTK_SCROLLED_WINDOW(scroll), label);
  gtk_accessible_update_relation(GTK_ACCESSIBLE(p->window), GTK_ACCESSIBLE_RELATION_DESCRIBED_BY,
                                 label, NULL, -1);
  return scroll;
}

/* GTK 4.8 names such a button by its label with the underscore and again without: the second will
 * do. */
static GtkWidget *new_button(const char *text, GCallback clicked, Prompt *p)
{
  GtkWidget *button = gtk_button_new_with_mnemonic(text);
  gtk_accessible_reset_property(GTK_ACCESSIBLE(button), GTK_ACCESSIBLE_PROPERTY_LABEL);
  g_signal_connect(button, "clicked", clicked, p);
  return button;
}

static GtkWidget *new_header(Prompt *p)
{
  GtkWidget *bar = adw_header_bar_new();
  p->cancel = new_button(_("_Cancel"), G_CALLBACK(on_cancel), p);
  const char *word = p->request->page ? _("_Open Browser") : _("C_onnect");
  p->ok = new_button(word, G_CALLBACK(on_ok), p);
  gtk_widget_add_css_class(p->ok, "suggested-action");
  adw_header_bar_set_show_start_title_buttons(ADW_HEADER_BAR(bar), FALSE);
  adw_header_bar_set_show_end_title_buttons(ADW_HEADER_BAR(bar), FALSE);
  adw_header_bar_set_title_widget(ADW_HEADER_BAR(bar), adw_window_title_new(p->request->title, ""));
  adw_header_bar_pack_start(ADW_HEADER_BAR(bar), p->cancel);
  adw_header_bar_pack_end(ADW_HEADER_BAR(bar), p->ok);
  gtk_widget_set_visible(p->ok, p->request->page || !p->request->server_decides);
  return bar;
}

static GtkWidget *new_content(Prompt *p)
{
  GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, MARGIN);
  gtk_widget_set_margin_top(box, MARGIN);
  gtk_widget_set_margin_bottom(box, MARGIN);
  gtk_widget_set_margin_start(box, MARGIN);
  gtk_widget_set_margin_end(box, MARGIN);
  gtk_box_append(GTK_BOX(box), new_message(p));
  if (p->request->page)
    gtk_box_append(GTK_BOX(box), new_page(p));
  else if (!p->request->server_decides)
    gtk_box_append(GTK_BOX(box), new_rows(p));
  if (p->request->server_decides && !p->request->page) {
    GtkWidget *spinner = gtk_spinner_new();
    gtk_spinner_start(GTK_SPINNER(spinner));
    gtk_widget_set_size_request(spinner, 32, 32);
    gtk_box_append(GTK_BOX(box), spinner);
  }
  p->status = new_text("");
  gtk_widget_add_css_class(p->status, "dim-label");
  gtk_widget_set_visible(p->status, FALSE);
  gtk_box_append(GTK_BOX(box), p->status);
  return box;
}

static void build(Prompt *p)
{
  GtkWidget *outer = gtk_box_new(GTK_ORIENTATION_VERTICAL, 0);
  p->window = adw_window_new();
  gtk_window_set_title(GTK_WINDOW(p->window), p->request->title);
  gtk_window_set_default_size(GTK_WINDOW(p->window), WIDTH, -1);
  gtk_window_set_resizable(GTK_WINDOW(p->window), FALSE);
  gtk_widget_set_size_request(p->window, WIDTH, -1);
  gtk_box_append(GTK_BOX(outer), new_header(p));
  gtk_box_append(GTK_BOX(outer), new_content(p));
  adw_window_set_content(ADW_WINDOW(p->window), outer);
  gtk_window_set_default_widget(GTK_WINDOW(p->window), p->ok);
  gtk_widget_set_sensitive(p->ok, is_complete(p));

  GtkEventController *keys = gtk_shortcut_controller_new();
  gtk_event_controller_set_propagation_phase(keys, GTK_PHASE_CAPTURE);
  gtk_shortcut_controller_add_shortcut(
      GTK_SHORTCUT_CONTROLLER(keys), gtk_shortcut_new(gtk_keyval_trigger_new(GDK_KEY_Escape, 0),
                                                      gtk_callback_action_new(on_escape, p, NULL)));
  gtk_widget_add_controller(p->window, keys);
  g_signal_connect(p->window, "close-request", G_CALLBACK(on_close), p);
}

/* nm-applet writes QUIT right behind the profile, before anything was asked: what waits there
 * already means nothing. */
static void drop_early_input(void)
{
  char text[256];
  struct pollfd p = {.fd = STDIN_FILENO, .events = POLLIN};
  while (poll(&p, 1, 0) > 0 && (p.revents & POLLIN) && read(STDIN_FILENO, text, sizeof(text)) > 0)
    ;
}

PromptResult prompt_run(Request *r)
{
  /* Without them the program has no name for assistive technology and window lists. */
  g_set_prgname("nm-ovpn-auth-dialog");
  g_set_application_name(_("OpenVPN"));
  if (!gtk_init_check())
    return PROMPT_NO_DISPLAY;
  adw_init();
  drop_early_input();
  Prompt p = {.request = r, .result = PROMPT_CANCELLED};
  p.loop = g_main_loop_new(NULL, FALSE);
  p.rows = g_ptr_array_new();
  build(&p);
  gtk_window_present(GTK_WINDOW(p.window));
  focus_first_empty(&p);
  guint watch = g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP, on_stdin, &p);
  g_main_loop_run(p.loop);
  if (g_main_context_find_source_by_id(NULL, watch))
    g_source_remove(watch);
  gtk_window_destroy(GTK_WINDOW(p.window));
  g_ptr_array_unref(p.rows);
  g_main_loop_unref(p.loop);
  return p.result;
}
