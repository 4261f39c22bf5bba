/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by editor*.c only. The editor is a model (what the user changed, and nothing else) and
 * rows over it; a row is made from one line of the table in editor-table.c. */
#pragma once
#include "ovpn-build.h"

#include <adwaita.h>
#include <NetworkManager.h>
#include <glib/gi18n-lib.h>

#include "properties/cert-info.h"
#include "service/profile-private.h"

typedef enum EditorSection {
  SECTION_SIGN_IN, /* always open */
  SECTION_CONNECTION,
  SECTION_SECURITY,
  SECTION_SERVER,
  SECTION_PROXY,
  SECTION_ROUTING,
  SECTION_TIMEOUTS,
  SECTION_OTHER,
  SECTION_COUNT,
} EditorSection;

typedef enum RowKind {
  ROW_SWITCH, /* present or not */
  ROW_CHOICE,
  ROW_TEXT, /* empty = not set */
  ROW_FILE,
  ROW_SECRET,
} RowKind;

/* Where a row's value lives. */
typedef enum RowPlace {
  PLACE_KEY,    /* a key of vpn.data; Binding.key or that of the option */
  PLACE_PATH,   /* the same, C-escaped */
  PLACE_BEFORE, /* the part of a key's value before the colon */
  PLACE_AFTER,  /* the part after it */
  PLACE_LINE,   /* a line of extra-options */
  PLACE_LINES,  /* all its lines of that option, each with one argument */
  PLACE_ROUTE,  /* default-route and the lines about the default route */
} RowPlace;

/* Kinds of connection, as bits. */
enum {
  FOR_TLS = 1 << TYPE_TLS,
  FOR_PASSWORD = 1 << TYPE_PASSWORD,
  FOR_BOTH = 1 << TYPE_PASSWORD_TLS,
  FOR_STATIC = 1 << TYPE_STATIC_KEY,
  FOR_ANY_CERT = FOR_TLS | FOR_BOTH,
  FOR_ANY_PASSWORD = FOR_PASSWORD | FOR_BOTH,
  FOR_ANY_TLS = FOR_TLS | FOR_PASSWORD | FOR_BOTH,
  FOR_ALL = FOR_ANY_TLS | FOR_STATIC,
};

typedef struct Choice {
  const char *value; /* NULL: not set */
  const char *label; /* NULL ends the list; translated when shown */
} Choice;

typedef struct Binding {
  OvpnOptionId id;
  EditorSection section;
  RowKind kind;
  RowPlace place;
  guint types; /* FOR_x */
  const char *label;
  const char *key;         /* NULL: the option's own */
  const char *placeholder; /* ROW_TEXT: what holds when it is empty */
  const Choice *choices;
  CertWhat file;
  const char *secret; /* ROW_SECRET: name of the secret */
  const char *shown;  /* name under the title; NULL: the option's */
} Binding;

extern const Binding editor_bindings[];
extern const guint editor_n_bindings;
extern const char *const editor_section_titles[SECTION_COUNT];

typedef struct Editor Editor;

typedef struct Row {
  Editor *editor;
  const Binding *binding;
  const char *key;    /* vpn.data key, NULL for PLACE_LINE and secrets */
  char *name;         /* unique: of the widget, for tests and for the order of things */
  GtkWidget *widget;  /* the row itself */
  GtkWidget *control; /* switch, list or entry */
  GtkWidget *extra;   /* ROW_SECRET: storage; ROW_FILE: information */
  GtkWidget *buttons[3];
  GtkWidget *note;   /* label under the field */
  GPtrArray *values; /* ROW_CHOICE: value of each item, "" = not set */
  char *error;       /* blocks saving */
  gboolean touched;
  gboolean shown;    /* suits the kind of connection */
  gboolean open_key; /* ROW_FILE: a private key that needs no pass phrase */
  gboolean pkcs12;   /* ROW_FILE: holds certificate and key */
} Row;

typedef struct Server {
  char *text; /* as stored; NULL when the fields decide */
  char *host, *port, *proto;
  GtkWidget *widget, *host_entry, *port_entry, *proto_choice, *note, *up, *down, *remove;
  char *error;
} Server;

struct Editor {
  GObject parent;
  NMSettingVpn *old;         /* as opened */
  NMConnection *whole;       /* the same with its other settings */
  NMVpnEditorPlugin *plugin; /* NULL in tests */
  GHashTable *data;          /* key -> new value, NULL = remove */
  GHashTable *secrets;       /* the same for secrets; values are wiped */
  gboolean is_new;
  gboolean loading; /* widgets are being filled: no change of the user's */
  Row *rows;
  GtkWidget *widget; /* what the host gets */
  GtkWidget *page;   /* in it */
  GtkWidget *type_row;
  GtkWidget *type_note; /* why a kind of connection is not a good one */
  GtkWidget *save_note; /* what became of "Save as .ovpn" */
  GtkWidget *sections[SECTION_COUNT];
  GtkWidget *search;
  /* servers */
  GPtrArray *servers;
  GtkWidget *server_list;
  gboolean servers_touched;
  /* other options */
  GtkTextBuffer *other_text;
  GtkWidget *other_note, *other_effects, *other_view;
  char *other_error;
  gboolean other_binary, other_touched;
};

/* ---- editor.c */
#define NMOVPN_TYPE_EDITOR (nmovpn_editor_get_type())
GType nmovpn_editor_get_type(void);
void editor_changed(Editor *e);
ProfileType editor_type(Editor *e);
/* Shows the rows that the kind of connection has, and what each section says. */
void editor_update_page(Editor *e);

/* ---- editor-model.c: what the profile would hold if saved now */
const char *editor_get(Editor *e, const char *key); /* NULL when absent or empty */
void editor_set(Editor *e, const char *key, const char *value);
const char *editor_get_secret(Editor *e, const char *name);
void editor_set_secret(Editor *e, const char *name, const char *value);
void editor_apply(Editor *e, NMSettingVpn *vpn);
char *editor_extra_text(Editor *e); /* free with ovpn_secret_free; "" when there is none */
void editor_set_extra_text(Editor *e, const char *text);
/* Last line of that option outside <connection>: its arguments, NULL when there is none. */
char *editor_line_get(Editor *e, OvpnOptionId id);
/* Replaces or adds it; NULL removes every such line. */
void editor_line_set(Editor *e, OvpnOptionId id, const char *args);
/* The same for every line of that option; items are separated by spaces or commas. */
char *editor_lines_get(Editor *e, OvpnOptionId id);
void editor_lines_set(Editor *e, OvpnOptionId id, const char *items);
char *editor_row_get(Row *r); /* NULL when not set */
void editor_row_set(Row *r, const char *value);
/* Sentence about a value that the option cannot have; NULL when it is good. */
char *editor_check(OvpnOptionId id, const char *label, const char *args, gboolean single);

/* ---- editor-rows.c */
void editor_row_build(Row *r);
void editor_row_load(Row *r);
void editor_row_check(Row *r);
char *editor_row_title(const Binding *b); /* without the mark of the mnemonic */
char *editor_row_summary(Row *r);         /* "Port: 443", NULL when it does not deviate */
/* For assistive technology; `name` is NULL when a label is bound to the control already. */
void editor_name_control(GtkWidget *w, const char *name, const char *description);
void editor_show_note(GtkWidget *note, GtkWidget *control, const char *error, const char *warning);
void editor_mark_field(GtkWidget *control, const char *error); /* NULL: good */
GtkWidget *editor_note_new(void);
GtkWidget *editor_field_row(const char *title, const char *subtitle, gboolean mnemonic,
                            GtkWidget *control, GtkWidget **ret_box);
GtkWidget *editor_drop_down_new(GtkStringList *names);
GtkWidget *editor_icon_button(const char *icon, const char *name);
void editor_reload_lines(Editor *e, Row *except);

/* ---- editor-files.c, editor-secrets.c */
void editor_file_build(Row *r);
void editor_file_load(Row *r);
void editor_secret_build(Row *r);
void editor_secret_load(Row *r);

/* ---- editor-servers.c */
GtkWidget *editor_servers_build(Editor *e);
const char *editor_servers_error(Editor *e);
void editor_servers_defaults(Editor *e); /* port or proto-tcp became another */
void editor_server_free(gpointer data);

/* ---- editor-transfer.c: import and export */
GtkWidget *editor_import_build(Editor *e); /* NULL when this was not imported just now */
GtkWidget *editor_save_build(Editor *e);   /* NULL without a plugin */

/* ---- editor-other.c */
void editor_other_build(Editor *e, AdwExpanderRow *section);
void editor_other_load(Editor *e);
char *editor_other_summary(Editor *e);
