/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From a profile, its secrets and the service's hints to a list of questions, and from the answers
 * to the text for the agent.
 *
 * Hints and profile are text from elsewhere and may be anything; a hint that cannot name a secret
 * is ignored. A hinted secret is asked although a value is stored, because the hint says that the
 * value was wrong. spec/desktop.md §4. */
#include "ovpn-build.h"

#include "auth-dialog/request.h"

#include <glib/gi18n-lib.h>
#include <string.h>

#include "helper/core/conf.h"
#include "helper/core/secret.h"
#include "helper/core/signin.h"
#include "service/profile.h"

#define UI_GROUP "VPN Plugin UI"

static void item_free(gpointer data)
{
  RequestItem *item = data;
  g_free(item->key);
  g_free(item->label);
  ovpn_secret_free(item->value);
  g_free(item);
}

void request_free(Request *r)
{
  if (!r)
    return;
  g_free(r->title);
  g_free(r->message);
  g_free(r->page);
  g_ptr_array_unref(r->items);
  g_free(r);
}

void request_item_set_value(RequestItem *item, const char *value)
{
  ovpn_secret_free(item->value);
  item->value = ovpn_secret_strdup(value);
}

gboolean request_has_questions(const Request *r)
{
  for (guint i = 0; i < r->items->len; i++) {
    if (((RequestItem *)r->items->pdata[i])->should_ask)
      return TRUE;
  }
  return FALSE;
}

static RequestItem *find(const Request *r, const char *key)
{
  for (guint i = 0; i < r->items->len; i++) {
    RequestItem *item = r->items->pdata[i];
    if (!strcmp(item->key, key))
      return item;
  }
  return NULL;
}

static RequestItem *add(Request *r, const char *key, const char *label, const char *value)
{
  RequestItem *item = find(r, key);
  if (item)
    return item;
  item = g_new0(RequestItem, 1);
  item->key = g_strdup(key);
  item->label = g_strdup(label);
  item->value = value && *value ? ovpn_secret_strdup(value) : NULL;
  g_ptr_array_add(r->items, item);
  return item;
}

/* Text and echo of the profile's static challenge; NULL when it has none. */
static char *static_challenge(NMSettingVpn *vpn, gboolean *ret_echo)
{
  const char *value = nm_setting_vpn_get_data_item(vpn, NMOVPN_KEY_EXTRA_OPTIONS);
  g_autofree char *text = value ? nmovpn_text_unescape(value) : NULL;
  ovpn_auto_option_list list = {0};
  OvpnConfError e = {0};
  *ret_echo = FALSE;
  if (text)
    ovpn_conf_parse_lines(text, strlen(text), &list, &e);
  const OvpnOption *o = ovpn_option_list_last(&list, OVPN_OPT_STATIC_CHALLENGE);
  if (!o || o->argc < 2)
    return NULL;
  *ret_echo = o->argc > 2 && !strcmp(o->argv[2], "1");
  return g_utf8_make_valid(o->argv[1], -1);
}

static char *label_for(NMSettingVpn *vpn, const char *key, gboolean *ret_echo)
{
  *ret_echo = FALSE;
  if (!strcmp(key, NMOVPN_SECRET_PASSWORD))
    return g_strdup(_("Password"));
  if (!strcmp(key, NMOVPN_SECRET_CERT_PASS))
    return g_strdup(nmovpn_profile_key_is_on_token(vpn) ? _("PIN of the security token")
                                                        : _("Private key password"));
  if (!strcmp(key, NMOVPN_SECRET_PROXY_PASSWORD))
    return g_strdup(_("Proxy password"));
  if (!strcmp(key, NMOVPN_SECRET_CHALLENGE)) {
    char *text = static_challenge(vpn, ret_echo);
    return text ? text : g_strdup(_("Answer"));
  }
  *ret_echo = !strcmp(key, NMOVPN_KEY_USERNAME) || !strcmp(key, NMOVPN_KEY_PROXY_USERNAME);
  if (*ret_echo)
    return g_strdup(!strcmp(key, NMOVPN_KEY_USERNAME) ? _("User name") : _("Proxy user name"));
  return g_strdup(key);
}

/* Group names of a key file: no brackets, no control characters, UTF-8. */
static gboolean can_be_key(const char *text)
{
  if (!*text || !g_utf8_validate(text, -1, NULL))
    return FALSE;
  for (const char *p = text; *p; p++) {
    if (*p == '[' || *p == ']' || g_ascii_iscntrl(*p))
      return FALSE;
  }
  return strcmp(text, UI_GROUP) != 0;
}

/* The page is the last line of the message (service/attempt-signin.c). */
static void find_page(Request *r)
{
  char address[OVPN_WEB_ADDRESS_MAX];
  const char *line = strrchr(r->message, '\n');
  if (r->server_decides && line && ovpn_web_address(line + 1, address, sizeof address))
    r->page = g_strdup(address);
  r->open_page &= r->page != NULL;
}

/* The server waits for something else than an answer. Agents show a message only together with a
 * question, and some insist on an answer: so there is one, filled in, with the page to copy. */
static void add_wait(Request *r)
{
  find_page(r);
  for (guint i = 0; r->server_decides && i < r->items->len; i++) {
    RequestItem *item = r->items->pdata[i];
    request_item_set_value(item, r->page ? r->page : _("waiting"));
    item->echo = TRUE;
    g_free(item->label);
    /* TRANSLATORS: label of a field that is filled in, with the page to sign in at or “waiting”.
     * The connection goes on by itself. */
    item->label = g_strdup(_("No answer is needed here"));
  }
}

/* One hint; FALSE when it names no secret. */
static gboolean add_hinted(Request *r, NMSettingVpn *vpn, const char *hint)
{
  const char *key = hint;
  gboolean echo = FALSE, forced_echo = FALSE;
  if (g_str_has_prefix(hint, NMOVPN_HINT_MESSAGE)) {
    g_free(r->message);
    r->message = g_utf8_make_valid(hint + strlen(NMOVPN_HINT_MESSAGE), -1);
    return FALSE;
  }
  if (!strcmp(hint, NMOVPN_HINT_BROWSER) || !strcmp(hint, NMOVPN_HINT_PATIENCE)) {
    r->server_decides = TRUE;
    r->open_page = !strcmp(hint, NMOVPN_HINT_BROWSER);
    return FALSE;
  }
  if (!can_be_key(hint))
    return FALSE;
  if (g_str_has_prefix(hint, NMOVPN_HINT_CHALLENGE)) {
    key = hint + strlen(NMOVPN_HINT_CHALLENGE);
  } else if (g_str_has_prefix(hint, NMOVPN_HINT_CHALLENGE_ECHO)) {
    key = hint + strlen(NMOVPN_HINT_CHALLENGE_ECHO);
    forced_echo = TRUE;
  }
  if (!*key)
    return FALSE;
  g_autofree char *label = label_for(vpn, key, &echo);
  /* The stored secret was wrong: no suggestion. A name is worth correcting, not typing again. */
  const char *value = echo && key == hint ? nm_setting_vpn_get_data_item(vpn, key) : NULL;
  /* Agents give the whole hint back as the name of a challenge's answer. */
  RequestItem *item = add(r, hint, label, value);
  item->should_ask = TRUE;
  item->echo = echo || forced_echo;
  return TRUE;
}

const RequestNeed request_needs[REQUEST_NEEDS] = {
    {NMOVPN_NEEDS_USERNAME, NMOVPN_KEY_USERNAME, FALSE},
    {NMOVPN_NEEDS_PASSWORD, NMOVPN_SECRET_PASSWORD, TRUE},
    {NMOVPN_NEEDS_STATIC_CHALLENGE, NMOVPN_SECRET_CHALLENGE, FALSE},
    {NMOVPN_NEEDS_CERT_PASS, NMOVPN_SECRET_CERT_PASS, TRUE},
    {NMOVPN_NEEDS_PROXY_PASSWORD, NMOVPN_SECRET_PROXY_PASSWORD, TRUE},
};

static void add_needed(Request *r, NMSettingVpn *vpn, RequestFlags flags, gboolean hinted)
{
  guint all = (guint)nmovpn_profile_needs(vpn, flags.key_is_encrypted, FALSE);
  guint missing = (guint)nmovpn_profile_needs(vpn, flags.key_is_encrypted, TRUE);
  for (guint i = 0; i < REQUEST_NEEDS; i++) {
    const char *key = request_needs[i].key, *value = nm_setting_vpn_get_secret(vpn, key);
    guint need = (guint)request_needs[i].need;
    gboolean echo = FALSE, ask = !hinted && (flags.reprompt || (missing & need));
    if (!(all & need) || find(r, key) || (hinted && !value))
      continue;
    g_autofree char *label = label_for(vpn, key, &echo);
    RequestItem *item = add(r, key, label, value);
    item->should_ask = ask;
    item->echo = echo;
  }
}

Request *request_new(NMSettingVpn *vpn, const char *name, const char *const *hints,
                     RequestFlags flags)
{
  Request *r = g_new0(Request, 1);
  gboolean hinted = FALSE;
  g_autofree char *shown = g_utf8_make_valid(name && *name ? name : NMOVPN_VPN_NAME, -1);
  r->items = g_ptr_array_new_with_free_func(item_free);
  r->title = g_strdup_printf(_("Sign in to “%s”"), shown);
  for (; hints && *hints; hints++)
    hinted |= add_hinted(r, vpn, *hints);
  if (r->message)
    add_wait(r);
  add_needed(r, vpn, flags, hinted);
  if (!r->message)
    r->message = g_strdup_printf(
        flags.reprompt
            ? _("The password of the VPN connection “%s” was not accepted. Enter it again.")
            : _("The VPN connection “%s” needs the following to sign in."),
        shown);
  r->open_page &= flags.interactive;
  for (guint i = 0; i < r->items->len; i++)
    ((RequestItem *)r->items->pdata[i])->should_ask &= flags.interactive;
  /* An answer without any secret would mean "this agent has none". */
  if (!r->items->len)
    add(r, NMOVPN_SECRET_NONE, "", "true");
  return r;
}

char *request_to_key_file(const Request *r)
{
  g_autoptr(GKeyFile) f = g_key_file_new();
  g_key_file_set_integer(f, UI_GROUP, "Version", 2);
  g_key_file_set_string(f, UI_GROUP, "Title", r->title);
  g_key_file_set_string(f, UI_GROUP, "Description", r->message);
  for (guint i = 0; i < r->items->len; i++) {
    const RequestItem *item = r->items->pdata[i];
    g_key_file_set_string(f, item->key, "Value", item->value ? item->value : "");
    g_key_file_set_string(f, item->key, "Label", item->label);
    /* Most agents ask for secrets only, so a name is one too, and ForceEcho shows it. */
    g_key_file_set_boolean(f, item->key, "IsSecret", TRUE);
    g_key_file_set_boolean(f, item->key, "ShouldAsk", item->should_ask);
    g_key_file_set_boolean(f, item->key, "ForceEcho", item->echo);
  }
  gsize len = 0;
  char *text = g_key_file_to_data(f, &len, NULL);
  char *ret = ovpn_secret_strdup(text);
  ovpn_secret_free(text);
  return ret;
}

char *request_to_pairs(const Request *r)
{
  GString *s = g_string_sized_new(4096);
  for (guint i = 0; i < r->items->len; i++) {
    const RequestItem *item = r->items->pdata[i];
    /* The protocol has lines only; a value with a newline would shift everything after it. */
    if (item->value && !strpbrk(item->value, "\r\n"))
      g_string_append_printf(s, "%s\n%s\n", item->key, item->value);
  }
  g_string_append(s, "\n\n");
  char *ret = ovpn_secret_strdup(s->str);
  ovpn_wipe(s->str, s->len);
  g_string_free(s, TRUE);
  return ret;
}
