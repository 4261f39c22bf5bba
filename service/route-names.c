/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Host names in routes, route-gateway and ifconfig -> addresses, before the lists are interpreted.
 *
 * Names of the server are looked up only when the profile says allow-pull-fqdn (spec §15.4), and
 * there is a limit for everything: names, time, addresses of one name. All look-ups run at the same
 * time. A name with several addresses gives several routes. */
#include "service/route-names.h"

#include <arpa/inet.h>
#include <string.h>

#include "service/log.h"

enum { NAMES_MAX = 200, ADDRESSES_MAX = 16, WAIT_SECONDS = 5 };

struct NmOvpnRouteNames {
  OvpnOptionList profile, pushed;
  gboolean server_too;
  NmOvpnRouteNamesDone done;
  gpointer user_data;
  GHashTable *found; /* name -> GPtrArray of texts; empty while unknown */
  GCancellable *cancel;
  GSource *timer;
  guint pending;
};

/* Which arguments of which options may be names. */
static guint name_arguments(OvpnOptionId id)
{
  if (id == OVPN_OPT_ROUTE)
    return 1u << 1 | 1u << 3;
  if (id == OVPN_OPT_IFCONFIG)
    return 1u << 1 | 1u << 2;
  return id == OVPN_OPT_ROUTE_GATEWAY ? 1u << 1 : 0;
}

static gboolean is_name(const char *text)
{
  static const char *const words[] = {"vpn_gateway", "net_gateway", "remote_host",
                                      "default",     "dhcp",        NULL};
  static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ";
  return strlen(text) < 254 && !g_strv_contains(words, text) && *text != '-' && *text != '.' &&
         strpbrk(text, letters) && text[strspn(text, "0123456789.")] &&
         strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-_") ==
             strlen(text);
}

static gboolean has_name(const OvpnOption *o, guint i)
{
  return i < o->argc && (name_arguments(o->id) & 1u << i) && is_name(o->argv[i]);
}

static void collect(NmOvpnRouteNames *n, const OvpnOptionList *l)
{
  for (gsize k = 0; k < l->n; k++)
    for (guint i = 1; i < MIN(l->items[k].argc, 4u); i++)
      if (has_name(&l->items[k], i) && g_hash_table_size(n->found) < NAMES_MAX)
        g_hash_table_insert(n->found, g_strdup(l->items[k].argv[i]),
                            g_ptr_array_new_with_free_func(g_free));
}

static gboolean add_copy(OvpnOptionList *to, const OvpnOption *from, const char *const *argv)
{
  OvpnOption *o = ovpn_option_list_add(to, argv, from->argc);
  if (o) {
    o->line = from->line;
    o->connection = from->connection;
  }
  return o != NULL;
}

/* One option: argument i becomes an address, for the network of a route each of them in turn. */
static void add_resolved(const NmOvpnRouteNames *n, OvpnOptionList *to, const OvpnOption *from)
{
  g_autofree const char **argv = g_memdup2(from->argv, sizeof(*argv) * (from->argc + 1));
  const GPtrArray *nets = NULL;
  for (guint i = 1; i < MIN(from->argc, 4u); i++) {
    const GPtrArray *all = has_name(from, i) ? g_hash_table_lookup(n->found, argv[i]) : NULL;
    if (!has_name(from, i))
      continue;
    if (!all || !all->len) {
      g_autofree char *shown = nmovpn_log_escape(argv[i]);
      nmovpn_log(LOG_WARNING, "%s: the name %s has no IPv4 address; the option is left out",
                 from->argv[0], shown);
      return;
    }
    argv[i] = all->pdata[0];
    if (i == 1 && from->id == OVPN_OPT_ROUTE)
      nets = all;
  }
  for (guint k = 0; k < (nets ? nets->len : 1); k++) {
    if (nets)
      argv[1] = nets->pdata[k];
    add_copy(to, from, argv);
  }
}

/* Blocks are files or lists that nobody interprets here; they stay out. */
static void resolve_list(const NmOvpnRouteNames *n, const OvpnOptionList *from, gboolean names,
                         OvpnOptionList *to)
{
  for (gsize k = 0; k < from->n; k++) {
    const OvpnOption *o = &from->items[k];
    if (o->is_inline)
      continue;
    if (names && (has_name(o, 1) || has_name(o, 2) || has_name(o, 3)))
      add_resolved(n, to, o);
    else
      add_copy(to, o, (const char *const *)o->argv);
  }
}

static void finish(NmOvpnRouteNames *n)
{
  ovpn_auto_option_list profile = {0};
  ovpn_auto_option_list pushed = {0};
  NmOvpnRouteNamesDone done = n->done;
  gpointer user_data = n->user_data;
  g_cancellable_cancel(n->cancel); /* what is late */
  resolve_list(n, &n->profile, TRUE, &profile);
  resolve_list(n, &n->pushed, n->server_too, &pushed);
  done(&profile, &pushed, user_data); /* may free n */
}

typedef struct Lookup {
  NmOvpnRouteNames *n;
  char *name;
} Lookup;

static void take(GPtrArray *to, GList *found)
{
  for (GList *l = found; l && to->len < ADDRESSES_MAX; l = l->next)
    if (g_inet_address_get_family(l->data) == G_SOCKET_FAMILY_IPV4)
      g_ptr_array_add(to, g_inet_address_to_string(l->data));
}

static void on_found(GObject *source, GAsyncResult *result, gpointer user_data)
{
  Lookup *look = user_data;
  NmOvpnRouteNames *n = look->n;
  g_autoptr(GError) error = NULL;
  GList *found = g_resolver_lookup_by_name_finish(G_RESOLVER(source), result, &error);
  gboolean over = g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED); /* n may be gone */
  if (!over)
    take(g_hash_table_lookup(n->found, look->name), found);
  g_list_free_full(found, g_object_unref);
  g_free(look->name);
  g_free(look);
  if (!over && --n->pending == 0)
    finish(n);
}

static gboolean on_timeout(gpointer user_data)
{
  finish(user_data);
  return G_SOURCE_REMOVE;
}

static void start(NmOvpnRouteNames *n)
{
  g_autoptr(GResolver) resolver = g_resolver_get_default();
  GHashTableIter iter;
  gpointer name;
  n->pending = g_hash_table_size(n->found);
  n->timer = g_timeout_source_new_seconds(WAIT_SECONDS);
  g_source_set_callback(n->timer, on_timeout, n, NULL);
  g_source_attach(n->timer, NULL);
  g_hash_table_iter_init(&iter, n->found);
  while (g_hash_table_iter_next(&iter, &name, NULL)) {
    Lookup *look = g_new(Lookup, 1);
    *look = (Lookup){.n = n, .name = g_strdup(name)};
    g_resolver_lookup_by_name_with_flags_async(
        resolver, name, G_RESOLVER_NAME_LOOKUP_FLAGS_IPV4_ONLY, n->cancel, on_found, look);
  }
}

NmOvpnRouteNames *nmovpn_route_names_start(const OvpnOptionList *profile,
                                           const OvpnOptionList *pushed, gboolean server_too,
                                           NmOvpnRouteNamesDone done, gpointer user_data)
{
  g_autoptr(NmOvpnRouteNames) n = g_new0(NmOvpnRouteNames, 1);
  n->done = done;
  n->user_data = user_data;
  n->server_too = server_too;
  n->cancel = g_cancellable_new();
  n->found =
      g_hash_table_new_full(g_str_hash, g_str_equal, g_free, (GDestroyNotify)g_ptr_array_unref);
  collect(n, profile);
  if (server_too)
    collect(n, pushed);
  if (!g_hash_table_size(n->found))
    return NULL;
  resolve_list(n, profile, FALSE, &n->profile); /* copies */
  resolve_list(n, pushed, FALSE, &n->pushed);
  start(n);
  return g_steal_pointer(&n);
}

void nmovpn_route_names_free(NmOvpnRouteNames *n)
{
  if (!n)
    return;
  g_cancellable_cancel(n->cancel);
  g_object_unref(n->cancel);
  if (n->timer)
    g_source_destroy(n->timer);
  g_clear_pointer(&n->timer, g_source_unref);
  g_hash_table_unref(n->found);
  ovpn_option_list_clear(&n->profile);
  ovpn_option_list_clear(&n->pushed);
  g_free(n);
}
