/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the profile would hold if it were saved now: the one that was opened, and the user's
 * changes over it.
 *
 * Only changes are ever written, so keys and secrets that no row knows stay as they are. A change
 * that is taken back is no change any more. spec/desktop.md §2. */
#include "properties/editor-private.h"

#include <inttypes.h>
#include <string.h>

#include "helper/core/conf.h"

const char *editor_get(Editor *e, const char *key)
{
  gpointer value;
  if (g_hash_table_lookup_extended(e->data, key, NULL, &value))
    return value;
  return profile_get(e->old, key);
}

void editor_set(Editor *e, const char *key, const char *value)
{
  const char *old = nm_setting_vpn_get_data_item(e->old, key);
  if (value && !*value)
    value = NULL;
  if (g_strcmp0(old, value) == 0)
    g_hash_table_remove(e->data, key);
  else
    g_hash_table_insert(e->data, g_strdup(key), g_strdup(value));
}

const char *editor_get_secret(Editor *e, const char *name)
{
  gpointer value;
  if (g_hash_table_lookup_extended(e->secrets, name, NULL, &value))
    return value;
  return nm_setting_vpn_get_secret(e->old, name);
}

void editor_set_secret(Editor *e, const char *name, const char *value)
{
  const char *old = nm_setting_vpn_get_secret(e->old, name);
  if (value && !*value)
    value = NULL;
  if (g_strcmp0(old, value) == 0)
    g_hash_table_remove(e->secrets, name);
  else
    g_hash_table_insert(e->secrets, g_strdup(name), value ? ovpn_secret_strdup(value) : NULL);
}

void editor_apply(Editor *e, NMSettingVpn *vpn)
{
  GHashTableIter iter;
  gpointer key, value;
  g_hash_table_iter_init(&iter, e->data);
  while (g_hash_table_iter_next(&iter, &key, &value)) {
    if (value)
      nm_setting_vpn_add_data_item(vpn, key, value);
    else
      nm_setting_vpn_remove_data_item(vpn, key);
  }
  g_hash_table_iter_init(&iter, e->secrets);
  while (g_hash_table_iter_next(&iter, &key, &value)) {
    if (value)
      nm_setting_vpn_add_secret(vpn, key, value);
    else
      nm_setting_vpn_remove_secret(vpn, key);
  }
}

/* ---- lines of extra-options */

char *editor_extra_text(Editor *e)
{
  const char *value = editor_get(e, NMOVPN_KEY_EXTRA_OPTIONS);
  return value ? nmovpn_text_unescape(value) : ovpn_secret_strdup("");
}

void editor_set_extra_text(Editor *e, const char *text)
{
  const char *old = profile_get(e->old, NMOVPN_KEY_EXTRA_OPTIONS);
  char *before = old ? nmovpn_text_unescape(old) : NULL;
  if (g_strcmp0(before, text) == 0) {
    editor_set(e, NMOVPN_KEY_EXTRA_OPTIONS, old);
  } else {
    char *value = nmovpn_text_escape(text, strlen(text));
    editor_set(e, NMOVPN_KEY_EXTRA_OPTIONS, value);
    ovpn_secret_free(value);
  }
  ovpn_secret_free(before);
}

static gboolean parse_extra(Editor *e, char **ret_text, OvpnOptionList *ret)
{
  OvpnConfError error = {0};
  *ret_text = editor_extra_text(e);
  return ovpn_conf_parse_lines(*ret_text, strlen(*ret_text), ret, &error) == OVPN_OK;
}

/* Only lines of their own are edited: not blocks, and not what stands in a <connection>. */
static gboolean is_line(const OvpnOption *o, OvpnOptionId id)
{
  return o->id == id && o->connection < 0 && !o->is_inline && o->line > 0;
}

/* Options of one argument: it may hold spaces without quotes in the field. */
static gboolean takes_one(OvpnOptionId id)
{
  const char *args = ovpn_option_info(id)->args;
  return *args && !strpbrk(args, " +*");
}

/* The arguments as one would write them. */
static char *arguments(const OvpnOption *o)
{
  if (o->argc == 2 && takes_one(o->id))
    return g_strdup(o->argv[1]);
  char *line = ovpn_option_format(o);
  const char *space = line ? strchr(line, ' ') : NULL;
  char *ret = g_strdup(space ? space + 1 : "");
  ovpn_secret_free(line);
  return ret;
}

static char *new_line(OvpnOptionId id, const char *args)
{
  const char *directive = ovpn_option_info(id)->directive;
  ovpn_auto_option_list list = {0};
  if (!*args || !takes_one(id))
    return g_strconcat(directive, *args ? " " : "", args, NULL);
  OvpnOption *o = ovpn_option_list_add_text(&list, directive, args, NULL, NULL);
  char *line = o ? ovpn_option_format(o) : NULL;
  char *ret = g_strdup(line ? line : directive);
  ovpn_secret_free(line);
  return ret;
}

char *editor_line_get(Editor *e, OvpnOptionId id)
{
  ovpn_auto_option_list list = {0};
  char *text, *ret = NULL;
  parse_extra(e, &text, &list);
  for (gsize i = list.n; i > 0 && !ret; i--) {
    if (is_line(&list.items[i - 1], id))
      ret = arguments(&list.items[i - 1]);
  }
  ovpn_secret_free(text);
  return ret;
}

char *editor_lines_get(Editor *e, OvpnOptionId id)
{
  ovpn_auto_option_list list = {0};
  char *text;
  GString *s = g_string_new(NULL);
  parse_extra(e, &text, &list);
  for (gsize i = 0; i < list.n; i++) {
    if (is_line(&list.items[i], id) && list.items[i].argc > 1)
      g_string_append_printf(s, "%s%s", s->len ? ", " : "", list.items[i].argv[1]);
  }
  ovpn_secret_free(text);
  return g_string_free(s, s->len == 0);
}

static void append_line(GString *s, const char *line, gsize len)
{
  if (s->len)
    g_string_append_c(s, '\n');
  g_string_append_len(s, line, (gssize)len);
}

/* `fresh` (NULL: nothing) takes the place of the last line of that option, the others go. */
static void replace_lines(Editor *e, OvpnOptionId id, const char *fresh)
{
  ovpn_auto_option_list list = {0};
  char *text;
  if (!parse_extra(e, &text, &list)) { /* an error is shown there; nothing may be guessed */
    ovpn_secret_free(text);
    return;
  }
  unsigned last = 0, number = 0;
  gsize next = 0;
  for (gsize i = 0; i < list.n; i++)
    last = is_line(&list.items[i], id) ? list.items[i].line : last;
  GString *s = g_string_sized_new(strlen(text) + 64);
  for (const char *p = text; *p;) {
    gsize len = strcspn(p, "\n");
    gboolean mine = FALSE;
    number++;
    for (; next < list.n && list.items[next].line <= number; next++)
      mine |= list.items[next].line == number && is_line(&list.items[next], id);
    if (!mine)
      append_line(s, p, len);
    else if (fresh && number == last)
      append_line(s, fresh, strlen(fresh));
    p += len + (p[len] == '\n');
  }
  if (fresh && !last)
    append_line(s, fresh, strlen(fresh));
  editor_set_extra_text(e, s->str);
  ovpn_wipe(s->str, s->len);
  g_string_free(s, TRUE);
  ovpn_secret_free(text);
}

void editor_line_set(Editor *e, OvpnOptionId id, const char *args)
{
  g_autofree char *fresh = args ? new_line(id, args) : NULL;
  replace_lines(e, id, fresh);
}

void editor_lines_set(Editor *e, OvpnOptionId id, const char *text)
{
  g_auto(GStrv) items = g_strsplit_set(text ? text : "", " \t,", -1);
  g_autofree char *before = editor_lines_get(e, id);
  GString *all = g_string_new(NULL), *now = g_string_new(NULL);
  for (char **item = items; *item; item++) {
    g_autofree char *line = **item ? new_line(id, *item) : NULL;
    if (!line)
      continue;
    g_string_append_printf(all, "%s%s", all->len ? "\n" : "", line);
    g_string_append_printf(now, "%s%s", now->len ? ", " : "", *item);
  }
  if (g_strcmp0(before ? before : "", now->str)) /* the same list may stand in several places */
    replace_lines(e, id, all->len ? all->str : NULL);
  g_string_free(all, TRUE);
  g_string_free(now, TRUE);
}

/* ---- the default route (DESIGN §7) */

static gboolean filters_default_route(const OvpnOption *o)
{
  return is_line(o, OVPN_OPT_PULL_FILTER) && o->argc == 3 && !strcmp(o->argv[1], "ignore") &&
         !strcmp(o->argv[2], ovpn_option_info(OVPN_OPT_REDIRECT_GATEWAY)->directive);
}

static const char *route_get(Editor *e)
{
  ovpn_auto_option_list list = {0};
  char *text;
  const char *ret =
      g_strcmp0(editor_get(e, NMOVPN_KEY_DEFAULT_ROUTE), "auto") ? "always" : "server";
  parse_extra(e, &text, &list);
  ovpn_secret_free(text);
  for (gsize i = 0; i < list.n; i++) {
    if (list.items[i].id == OVPN_OPT_REDIRECT_GATEWAY && list.items[i].connection < 0)
      ret = "always";
  }
  for (gsize i = 0; i < list.n; i++) {
    if (filters_default_route(&list.items[i]) && strcmp(ret, "always"))
      ret = "never";
  }
  return ret;
}

/* Other filters stay; they are found by their whole text. */
static void set_filter(Editor *e, gboolean on)
{
  g_autofree char *line =
      g_strdup_printf("%s ignore %s", ovpn_option_info(OVPN_OPT_PULL_FILTER)->directive,
                      ovpn_option_info(OVPN_OPT_REDIRECT_GATEWAY)->directive);
  ovpn_auto_option_list list = {0};
  char *text;
  GString *s = g_string_new(NULL);
  unsigned number = 0;
  gsize next = 0;
  parse_extra(e, &text, &list);
  for (const char *p = text; *p;) {
    gsize len = strcspn(p, "\n");
    gboolean mine = FALSE;
    number++;
    for (; next < list.n && list.items[next].line <= number; next++)
      mine |= list.items[next].line == number && filters_default_route(&list.items[next]);
    if (!mine)
      append_line(s, p, len);
    p += len + (p[len] == '\n');
  }
  if (on)
    append_line(s, line, strlen(line));
  editor_set_extra_text(e, s->str);
  ovpn_wipe(s->str, s->len);
  g_string_free(s, TRUE);
  ovpn_secret_free(text);
}

static void route_set(Editor *e, const char *value)
{
  g_autofree char *flags = editor_line_get(e, OVPN_OPT_REDIRECT_GATEWAY);
  gboolean old_plugin = g_strcmp0(profile_get(e->old, NMOVPN_KEY_DEFAULT_ROUTE), "auto") != 0;
  /* A profile of the older plugin that takes the default route already says so by its silence. */
  if (!strcmp(value, "always") && old_plugin && !e->is_new) {
    editor_set(e, NMOVPN_KEY_DEFAULT_ROUTE,
               nm_setting_vpn_get_data_item(e->old, NMOVPN_KEY_DEFAULT_ROUTE));
    set_filter(e, FALSE);
    return;
  }
  editor_set(e, NMOVPN_KEY_DEFAULT_ROUTE, "auto");
  set_filter(e, !strcmp(value, "never"));
  if (strcmp(value, "always"))
    editor_line_set(e, OVPN_OPT_REDIRECT_GATEWAY, NULL);
  else
    editor_line_set(e, OVPN_OPT_REDIRECT_GATEWAY, flags ? flags : "def1");
}

/* ---- a row's value */

static char *part_get(const char *value, RowPlace place)
{
  const char *colon = value ? strchr(value, ':') : NULL;
  if (!value)
    return NULL;
  if (place == PLACE_AFTER)
    return g_strdup(colon ? colon + 1 : value);
  return colon ? g_strndup(value, (gsize)(colon - value)) : g_strdup("subject");
}

static void part_set(Row *r, const char *value)
{
  const char *old = editor_get(r->editor, r->key);
  g_autofree char *before = part_get(old, PLACE_BEFORE), *after = part_get(old, PLACE_AFTER);
  gboolean is_before = r->binding->place == PLACE_BEFORE;
  const char *type = is_before ? value : before, *name = is_before ? after : value;
  if (!name || !*name) {
    if (!is_before)
      editor_set(r->editor, r->key, NULL);
    return;
  }
  g_autofree char *fresh = g_strconcat(type ? type : "name", ":", name, NULL);
  editor_set(r->editor, r->key, fresh);
}

char *editor_row_get(Row *r)
{
  Editor *e = r->editor;
  const char *value = r->key ? editor_get(e, r->key) : NULL;
  switch (r->binding->place) {
  case PLACE_KEY:
    return g_strdup(value);
  case PLACE_PATH:
    return value ? nmovpn_text_unescape(value) : NULL;
  case PLACE_BEFORE:
  case PLACE_AFTER:
    return part_get(value, r->binding->place);
  case PLACE_LINE:
    return editor_line_get(e, r->binding->id);
  case PLACE_LINES:
    return editor_lines_get(e, r->binding->id);
  case PLACE_ROUTE:
    return g_strdup(route_get(e));
  }
  return NULL;
}

/* The stored form of the same text is kept when a change is taken back. */
static void path_set(Row *r, const char *value)
{
  const char *old = profile_get(r->editor->old, r->key);
  g_autofree char *before = old ? nmovpn_text_unescape(old) : NULL;
  if (g_strcmp0(before, value) == 0) {
    editor_set(r->editor, r->key, old);
    return;
  }
  g_autofree char *fresh = value ? nmovpn_text_escape(value, strlen(value)) : NULL;
  editor_set(r->editor, r->key, fresh);
}

void editor_row_set(Row *r, const char *value)
{
  if (value && !*value && r->binding->kind != ROW_SWITCH)
    value = NULL;
  switch (r->binding->place) {
  case PLACE_KEY:
    editor_set(r->editor, r->key, value);
    break;
  case PLACE_PATH:
    path_set(r, value);
    break;
  case PLACE_BEFORE:
  case PLACE_AFTER:
    part_set(r, value);
    break;
  case PLACE_LINE:
    editor_line_set(r->editor, r->binding->id, value);
    break;
  case PLACE_LINES:
    editor_lines_set(r->editor, r->binding->id, value);
    break;
  case PLACE_ROUTE:
    route_set(r->editor, value ? value : "server");
    break;
  }
}

/* ---- checks */

/* The sentence for one item of an option's argument grammar (options.def). */
static char *explain(const char *grammar, const char *label, const char *value)
{
  char *end;
  grammar += *grammar == '~';
  gint64 lo = g_ascii_strtoll(grammar, &end, 10);
  if (end != grammar && g_str_has_prefix(end, ".."))
    return g_strdup_printf(_("%s: enter a number from %" PRId64 " to %" PRId64), label, (int64_t)lo,
                           (int64_t)g_ascii_strtoll(end + 2, NULL, 10));
  if (g_str_has_prefix(grammar, "host"))
    return g_strdup_printf(_("%s: “%s” is not a host name or address"), label, value);
  if (g_str_has_prefix(grammar, "port"))
    return g_strdup_printf(_("%s: enter a port number from 1 to 65535"), label);
  if (g_str_has_prefix(grammar, "word"))
    return g_strdup_printf(_("%s: “%s” must be one word without spaces"), label, value);
  return g_strdup_printf(_("%s: “%s” is not possible here"), label, value);
}

char *editor_check(OvpnOptionId id, const char *label, const char *args, gboolean single)
{
  const OvpnOptionInfo *info = ovpn_option_info(id);
  ovpn_auto_option_list list = {0};
  OvpnConfError error = {0};
  OvpnFailure failure = {0};
  gboolean ok;
  if (single || takes_one(id)) {
    ok = ovpn_option_list_add_text(&list, info->directive, args, NULL, NULL) != NULL;
  } else {
    g_autofree char *line = g_strconcat(info->directive, " ", args, NULL);
    ok = !strpbrk(line, "\r\n") &&
         ovpn_conf_parse_line(line, strlen(line), &list, &error) == OVPN_OK && list.n == 1;
  }
  if (ok && ovpn_option_check(&list.items[0], &failure) == OVPN_OK)
    return NULL;
  return explain(info->args, label, args);
}
