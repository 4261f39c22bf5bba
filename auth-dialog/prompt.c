/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One window with a field for each question (GTK 4).
 *
 * Only classic mode comes here; GTK is not touched before, so that a missing display hurts nobody
 * else. What was typed is copied into wiped memory; GTK's own password buffers are wiped by GTK.
 * spec/desktop.md §4. */
#include "ovpn-build.h"

#include "auth-dialog/prompt.h"

#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <gtk/gtk.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

enum { LABEL_CHARS = 30 };

typedef struct Prompt {
  Request *request;
  GMainLoop *loop;
  GtkWidget *window, *ok;
  GPtrArray *entries; /* one for each item, NULL when it is not asked */
  PromptResult result;
} Prompt;

static void finish(Prompt *p, PromptResult result)
{
  p->result = result;
  g_main_loop_quit(p->loop);
}

static gboolean is_complete(const Prompt *p)
{
  for (guint i = 0; i < p->entries->len; i++) {
    GtkEditable *e = p->entries->pdata[i];
    if (e && !*gtk_editable_get_text(e))
      return FALSE;
  }
  return TRUE;
}

static void focus_first_empty(const Prompt *p)
{
  for (guint i = 0; i < p->entries->len; i++) {
    GtkEditable *e = p->entries->pdata[i];
    if (e && !*gtk_editable_get_text(e)) {
      gtk_widget_grab_focus(GTK_WIDGET(e));
      return;
    }
  }
}

static void on_changed(GtkEditable *e, Prompt *p)
{
  gtk_widget_set_sensitive(p->ok, is_complete(p));
}

static void on_ok(GtkWidget *w, Prompt *p)
{
  if (!is_complete(p)) {
    focus_first_empty(p); /* Enter in one field leads to the next */
    return;
  }
  for (guint i = 0; i < p->entries->len; i++) {
    if (p->entries->pdata[i])
      request_item_set_value(p->request->items->pdata[i],
                             gtk_editable_get_text(p->entries->pdata[i]));
  }
  finish(p, PROMPT_DONE);
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

/* The agent gives up by saying QUIT. */
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

static GtkWidget *new_entry(const RequestItem *item)
{
  GtkWidget *e = item->echo ? gtk_entry_new() : gtk_password_entry_new();
  if (!item->echo)
    gtk_password_entry_set_show_peek_icon(GTK_PASSWORD_ENTRY(e), TRUE);
  if (item->value)
    gtk_editable_set_text(GTK_EDITABLE(e), item->value);
  gtk_widget_set_hexpand(e, TRUE);
  return e;
}

static GtkWidget *new_fields(Prompt *p)
{
  GtkWidget *grid = gtk_grid_new();
  gtk_grid_set_row_spacing(GTK_GRID(grid), 12);
  gtk_grid_set_column_spacing(GTK_GRID(grid), 12);
  for (guint i = 0; i < p->request->items->len; i++) {
    const RequestItem *item = p->request->items->pdata[i];
    if (!item->should_ask) {
      g_ptr_array_add(p->entries, NULL);
      continue;
    }
    GtkWidget *label = gtk_label_new(item->label), *e = new_entry(item);
    gtk_label_set_wrap(GTK_LABEL(label), TRUE);
    gtk_label_set_max_width_chars(GTK_LABEL(label), LABEL_CHARS);
    gtk_label_set_width_chars(GTK_LABEL(label),
                              (int)MIN(g_utf8_strlen(item->label, -1), LABEL_CHARS));
    gtk_widget_set_halign(label, GTK_ALIGN_END);
    gtk_accessible_update_relation(GTK_ACCESSIBLE(e), GTK_ACCESSIBLE_RELATION_LABELLED_BY, label,
                                   NULL, -1);
    g_signal_connect(e, "changed", G_CALLBACK(on_changed), p);
    g_signal_connect(e, "activate", G_CALLBACK(on_ok), p);
    gtk_grid_attach(GTK_GRID(grid), label, 0, (int)i, 1, 1);
    gtk_grid_attach(GTK_GRID(grid), e, 1, (int)i, 1, 1);
    g_ptr_array_add(p->entries, e);
  }
  return grid;
}

static GtkWidget *new_buttons(Prompt *p)
{
  GtkWidget *row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, 6);
  GtkWidget *cancel = gtk_button_new_with_mnemonic(_("_Cancel"));
  p->ok = gtk_button_new_with_mnemonic(_("C_onnect"));
  gtk_widget_add_css_class(p->ok, "suggested-action");
  gtk_widget_set_halign(row, GTK_ALIGN_END);
  g_signal_connect(cancel, "clicked", G_CALLBACK(on_cancel), p);
  g_signal_connect(p->ok, "clicked", G_CALLBACK(on_ok), p);
  gtk_box_append(GTK_BOX(row), cancel);
  gtk_box_append(GTK_BOX(row), p->ok);
  return row;
}

static GtkWidget *new_message(const Request *r)
{
  GtkWidget *message = gtk_label_new(r->message);
  gtk_label_set_wrap(GTK_LABEL(message), TRUE);
  gtk_label_set_max_width_chars(GTK_LABEL(message), 50);
  gtk_label_set_xalign(GTK_LABEL(message), 0);
  return message;
}

static void build(Prompt *p)
{
  GtkWidget *box = gtk_box_new(GTK_ORIENTATION_VERTICAL, 18);
  p->window = gtk_window_new();
  gtk_window_set_title(GTK_WINDOW(p->window), p->request->title);
  gtk_window_set_resizable(GTK_WINDOW(p->window), FALSE);
  gtk_widget_set_margin_top(box, 18);
  gtk_widget_set_margin_bottom(box, 18);
  gtk_widget_set_margin_start(box, 18);
  gtk_widget_set_margin_end(box, 18);
  gtk_box_append(GTK_BOX(box), new_message(p->request));
  gtk_box_append(GTK_BOX(box), new_fields(p));
  gtk_box_append(GTK_BOX(box), new_buttons(p));
  gtk_window_set_child(GTK_WINDOW(p->window), box);
  gtk_window_set_default_widget(GTK_WINDOW(p->window), p->ok);
  gtk_widget_set_sensitive(p->ok, is_complete(p));

  GtkEventController *keys = gtk_shortcut_controller_new();
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
  if (!gtk_init_check())
    return PROMPT_NO_DISPLAY;
  drop_early_input();
  Prompt p = {.request = r, .result = PROMPT_CANCELLED};
  p.loop = g_main_loop_new(NULL, FALSE);
  p.entries = g_ptr_array_new();
  build(&p);
  gtk_window_present(GTK_WINDOW(p.window));
  focus_first_empty(&p);
  guint watch = g_unix_fd_add(STDIN_FILENO, G_IO_IN | G_IO_HUP, on_stdin, &p);
  g_main_loop_run(p.loop);
  if (g_main_context_find_source_by_id(NULL, watch))
    g_source_remove(watch);
  gtk_window_destroy(GTK_WINDOW(p.window));
  g_ptr_array_unref(p.entries);
  g_main_loop_unref(p.loop);
  return p.result;
}
