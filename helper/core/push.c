/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The text of a PUSH_REPLY -> the list of options that a client takes.
 *
 * Trusts nothing. It is a whitelist (OVPN_OPTF_PUSHABLE), so an option that runs programs or names
 * files can never come from a server; then pull-filter and route-nopull of the profile. What the
 * options mean is decided in push-apply.c. The list is bounded by OVPN_OPTION_LIST_MAX. spec §13.2,
 * §15.1. */
#include "helper/core/push.h"
#include "helper/core/conf.h"
#include "helper/core/push-private.h"
#include <stdlib.h>
#include <string.h>

/* ---- text -> list */

/* Length of the first item of a comma separated list. Double quotes at the beginning of a word and
 * backslashes hide commas, as in OpenVPN 3; OpenVPN 2 servers refuse to push an option that has
 * one. false = the quote never ends. */
static bool item_length(const char *text, size_t *ret)
{
  bool quoted = false, word_begins = true;
  size_t i = 0;
  for (; text[i] && (quoted || text[i] != ','); i++) {
    char ch = text[i];
    if (ch == '\\' && text[i + 1])
      i++;
    else if (ch == '"' && (quoted || word_begins))
      quoted = !quoted;
    word_begins = !quoted && (ch == ' ' || ch == '\t');
  }
  *ret = i;
  return !quoted;
}

/* First match wins, on the raw text as the server wrote it. */
OvpnPushVerdict ovpn_push_filter(const OvpnOptionList *profile, const char *item, size_t len,
                                 const char **ret_text)
{
  for (size_t i = 0; profile && i < profile->n; i++) {
    const OvpnOption *o = &profile->items[i];
    if (o->id != OVPN_OPT_PULL_FILTER || o->argc < 3)
      continue;
    size_t n = strlen(o->argv[2]);
    if (n > len || memcmp(o->argv[2], item, n))
      continue;
    *ret_text = o->argv[2];
    return !strcmp(o->argv[1], "reject")   ? OVPN_PUSH_REJECT
           : !strcmp(o->argv[1], "ignore") ? OVPN_PUSH_IGNORE
                                           : OVPN_PUSH_ACCEPT;
  }
  return OVPN_PUSH_ACCEPT;
}

/* Takes the last item of the list back when it is not for a client. */
static bool keep_last(OvpnOptionList *l, const OvpnConfig *c, bool *ret_more)
{
  OvpnOption *o = &l->items[l->n - 1];
  bool keep = ovpn_push_is_taken(o->id, c) && !o->is_inline;
  if (o->id == OVPN_OPT_PUSH_CONTINUATION) {
    *ret_more = o->argc > 1 && !strcmp(o->argv[1], "2");
    keep = false;
  }
  return keep;
}

void ovpn_push_drop_last(OvpnOptionList *l)
{
  OvpnOptionList last = {0};
  last.items = calloc(1, sizeof last.items[0]);
  if (!last.items)
    return; /* an option too many, which from_options skips as well */
  last.items[0] = l->items[--l->n];
  last.n = last.cap = 1;
  ovpn_option_list_clear(&last);
}

static OvpnStatus item_parse(const char *item, size_t len, const OvpnConfig *c, OvpnOptionList *l,
                             bool *ret_more, unsigned *ignored, OvpnFailure *f)
{
  if (l->n >= OVPN_OPTION_LIST_MAX)
    return ovpn_failure_set(f, OVPN_FAIL_PUSH, "more than %d options", OVPN_OPTION_LIST_MAX);
  size_t before = l->n;
  OvpnConfError error = {0};
  OvpnStatus s = ovpn_conf_parse_line(item, len, l, &error);
  if (s == OVPN_FAIL_MEMORY)
    return ovpn_failure_set(f, s, "%s", "");
  if (s != OVPN_OK || l->n == before) {
    ++*ignored;
    return OVPN_OK;
  }
  bool continuation = l->items[l->n - 1].id == OVPN_OPT_PUSH_CONTINUATION;
  if (!keep_last(l, c, ret_more)) {
    ovpn_push_drop_last(l);
    *ignored += !continuation;
  }
  return OVPN_OK;
}

OvpnStatus ovpn_push_next(const char **text, const char **ret_item, size_t *ret_len, OvpnFailure *f)
{
  const char *p = *text;
  p += *p == ',';
  while (*p == ' ' || *p == '\t')
    p++;
  if (!item_length(p, ret_len))
    return ovpn_failure_set(f, OVPN_FAIL_PUSH, "a quote does not end");
  *ret_item = p;
  *text = p + *ret_len;
  return OVPN_OK;
}

OvpnStatus ovpn_push_parse(const char *text, const OvpnConfig *c, const OvpnOptionList *profile,
                           OvpnOptionList *l, bool *ret_more, unsigned *ret_ignored, OvpnFailure *f)
{
  bool more = false;
  unsigned ignored = 0;
  while (*text) {
    const char *item, *filter = "";
    size_t len;
    OvpnStatus s = ovpn_push_next(&text, &item, &len, f);
    if (s != OVPN_OK)
      return s;
    if (!len)
      continue;
    OvpnPushVerdict v = ovpn_push_filter(profile, item, len, &filter);
    if (v == OVPN_PUSH_REJECT)
      return ovpn_failure_set(f, OVPN_FAIL_PUSH, "pull-filter: the server pushed “%s”", filter);
    if (v == OVPN_PUSH_IGNORE) {
      ignored++;
      continue;
    }
    s = item_parse(item, len, c, l, &more, &ignored, f);
    if (s != OVPN_OK)
      return s;
  }
  *ret_more = more;
  *ret_ignored = ignored;
  return OVPN_OK;
}

void ovpn_pushed_init(OvpnPushed *p)
{
  *p = (OvpnPushed){.ping = -1,
                    .ping_restart = -1,
                    .ping_exit = -1,
                    .inactive = -1,
                    .session_timeout = -1,
                    .explicit_exit_notify = -1};
}

void ovpn_pushed_clear(OvpnPushed *p)
{
  for (size_t i = 0; i < p->n_dns; i++) {
    ovpn_strv_clear_(&p->dns[i].resolve_domains);
    free(p->dns[i].sni);
  }
  free(p->dns);
  free(p->routes4);
  free(p->routes6);
  free(p->wins);
  free(p->pac_url);
  free(p->cipher);
  ovpn_strv_clear_(&p->search_domains);
  ovpn_strv_clear_(&p->routing_domains);
  ovpn_blob_clear(&p->auth_token);
  ovpn_blob_clear(&p->auth_token_user);
  ovpn_pushed_init(p);
}
