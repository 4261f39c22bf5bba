/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PUSH_UPDATE: a server changes what it pushed while the session runs. spec §13.3.
 *
 * Trusts nothing: only the kinds of the table can change, the same whitelist, pull-filter and
 * route-nopull as for PUSH_REPLY apply, and the list stays bounded. The first item of a kind in a
 * sequence of messages takes the place of all that was pushed of this kind; further ones add. The
 * lines of the profile are not a server's to remove. */
#include "helper/core/push.h"
#include "helper/core/conf.h"
#include "helper/core/push-private.h"
#include <stdlib.h>
#include <string.h>

enum { STORED_MAX = 3, NAME_MAX_ = 64 };

typedef struct Kind {
  OvpnOptionId name;
  OvpnOptionId stored[STORED_MAX]; /* what stands in the list for it; empty = the name */
} Kind;

static const Kind kinds[] = {
    {.name = OVPN_OPT_ROUTE},
    {.name = OVPN_OPT_ROUTE_IPV6},
    {.name = OVPN_OPT_DNS},
    {.name = OVPN_OPT_DHCP_OPTION},
    {.name = OVPN_OPT_IFCONFIG},
    {.name = OVPN_OPT_IFCONFIG_IPV6},
    {.name = OVPN_OPT_TOPOLOGY},
    {.name = OVPN_OPT_ROUTE_GATEWAY},
    {.name = OVPN_OPT_ROUTE_METRIC},
    {.name = OVPN_OPT_TUN_MTU},
    {.name = OVPN_OPT_BLOCK_IPV6},
    {.name = OVPN_OPT_BLOCK_IPV4},
    {.name = OVPN_OPT_BLOCK_OUTSIDE_DNS},
    {OVPN_OPT_REDIRECT_GATEWAY, {OVPN_OPT_REDIRECT_GATEWAY, OVPN_OPT_REDIRECT_PRIVATE}},
    {OVPN_OPT_REDIRECT_PRIVATE, {OVPN_OPT_REDIRECT_GATEWAY, OVPN_OPT_REDIRECT_PRIVATE}},
    {OVPN_OPT_KEEPALIVE, {OVPN_OPT_PING, OVPN_OPT_PING_RESTART, OVPN_OPT_PING_EXIT}},
};
enum { KINDS = sizeof kinds / sizeof kinds[0] };
_Static_assert(KINDS <= 32, "a bit for each");

typedef struct Update {
  const OvpnConfig *c;
  const OvpnOptionList *profile;
  OvpnOptionList *l;
  unsigned *replaced;
  bool more;
  unsigned ignored;
  OvpnFailure *f;
} Update;

static bool stands_for(const Kind *k, OvpnOptionId id)
{
  if (!k->stored[0])
    return id == k->name;
  for (unsigned i = 0; i < STORED_MAX; i++)
    if (id == k->stored[i])
      return true;
  return false;
}

/* Takes everything of a kind out of the list, which keeps its order. */
static OvpnStatus remove_kind(OvpnOptionList *l, const Kind *k)
{
  OvpnOptionList gone = {0};
  size_t kept = 0, n = 0;
  for (size_t i = 0; i < l->n; i++)
    n += stands_for(k, l->items[i].id);
  if (n == 0)
    return OVPN_OK;
  gone.items = calloc(n, sizeof gone.items[0]);
  if (!gone.items)
    return OVPN_FAIL_MEMORY;
  gone.cap = n;
  for (size_t i = 0; i < l->n; i++)
    if (stands_for(k, l->items[i].id))
      gone.items[gone.n++] = l->items[i];
    else
      l->items[kept++] = l->items[i];
  l->n = kept;
  ovpn_option_list_clear(&gone);
  return OVPN_OK;
}

static const Kind *kind_of(const char *item, size_t len, char name[NAME_MAX_])
{
  size_t n = 0;
  while (n < len && item[n] != ' ' && item[n] != '\t')
    n++;
  n = n < NAME_MAX_ - 1 ? n : NAME_MAX_ - 1;
  memcpy(name, item, n);
  name[n] = 0;
  const OvpnOptionInfo *info = ovpn_option_by_directive(name);
  for (size_t i = 0; info && i < KINDS; i++)
    if (kinds[i].name == info->id)
      return &kinds[i];
  return NULL;
}

/* keepalive is a word for two others. */
static OvpnStatus add_keepalive(Update *u)
{
  OvpnOption *o = &u->l->items[u->l->n - 1];
  const char *ping = ovpn_option_info(OVPN_OPT_PING)->directive,
             *restart = ovpn_option_info(OVPN_OPT_PING_RESTART)->directive;
  char *n = strdup(o->argv[1]), *m = strdup(o->argv[2]);
  ovpn_push_drop_last(u->l);
  bool ok = n && m && ovpn_option_list_add_text(u->l, ping, n, NULL, NULL) &&
            ovpn_option_list_add_text(u->l, restart, m, NULL, NULL);
  free(n);
  free(m);
  return ok ? OVPN_OK : OVPN_FAIL_MEMORY;
}

static OvpnStatus set_item(Update *u, const Kind *k, const char *item, size_t len)
{
  size_t before = u->l->n;
  OvpnConfError error = {0};
  OvpnFailure bad = {0};
  if (before + 1 >= OVPN_OPTION_LIST_MAX)
    return ovpn_failure_set(u->f, OVPN_FAIL_PUSH, "more than %d options", OVPN_OPTION_LIST_MAX);
  OvpnStatus s = ovpn_conf_parse_line(item, len, u->l, &error);
  if (s == OVPN_FAIL_MEMORY)
    return ovpn_failure_set(u->f, s, "%s", "");
  if (s != OVPN_OK || u->l->n == before) {
    u->ignored++;
    return OVPN_OK;
  }
  const OvpnOption *o = &u->l->items[u->l->n - 1];
  bool keepalive = o->id == OVPN_OPT_KEEPALIVE;
  if (o->is_inline || ovpn_option_check(o, &bad) != OVPN_OK ||
      !(keepalive || ovpn_push_is_taken(o->id, u->c))) {
    ovpn_push_drop_last(u->l);
    u->ignored++;
    return OVPN_OK;
  }
  unsigned bit = 1u << (k - kinds);
  if (!(*u->replaced & bit)) { /* the new one stands aside while the old ones go */
    OvpnOption added = u->l->items[--u->l->n];
    s = remove_kind(u->l, k);
    u->l->items[u->l->n++] = added;
  }
  for (size_t i = 0; i < KINDS; i++)
    if (stands_for(&kinds[i], k->stored[0] ? k->stored[0] : k->name))
      *u->replaced |= 1u << i;
  return s == OVPN_OK && keepalive ? add_keepalive(u) : s;
}

static OvpnStatus take_item(Update *u, const char *item, size_t len)
{
  static const char last[] = "push-continuation ";
  char name[NAME_MAX_];
  const char *filter = "";
  bool removal = item[0] == '-', optional = item[removal] == '?';
  item += removal + optional;
  len -= (size_t)removal + optional;
  if (len > sizeof last - 1 && !strncmp(item, last, sizeof last - 1)) {
    u->more = item[sizeof last - 1] == '2';
    return OVPN_OK;
  }
  const Kind *k = kind_of(item, len, name);
  bool wrong_order = optional && !removal && name[0] == '-';
  if (!k && optional && !wrong_order) {
    u->ignored++;
    return OVPN_OK;
  }
  if (!k)
    return ovpn_failure_set(u->f, OVPN_FAIL_PUSH, "%s", name);
  if (removal)
    return remove_kind(u->l, k);
  switch (ovpn_push_filter(u->profile, item, len, &filter)) {
  case OVPN_PUSH_ACCEPT:
    return set_item(u, k, item, len);
  case OVPN_PUSH_IGNORE:
    u->ignored++;
    return OVPN_OK;
  case OVPN_PUSH_REJECT:
    return ovpn_failure_set(u->f, OVPN_FAIL_PUSH, "pull-filter: the server pushed “%s”", filter);
  }
  return OVPN_OK;
}

OvpnStatus ovpn_push_update(const char *text, const OvpnConfig *c, const OvpnOptionList *profile,
                            OvpnOptionList *l, unsigned *replaced, bool *ret_more,
                            unsigned *ret_ignored, OvpnFailure *f)
{
  Update u = {.c = c, .profile = profile, .l = l, .replaced = replaced, .f = f};
  while (*text) {
    const char *item;
    size_t len;
    OvpnStatus s = ovpn_push_next(&text, &item, &len, f);
    if (s == OVPN_OK && len)
      s = take_item(&u, item, len);
    if (s != OVPN_OK)
      return s;
  }
  *ret_more = u.more;
  *ret_ignored = u.ignored;
  return OVPN_OK;
}
