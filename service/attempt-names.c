/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Addresses that names had. While a tunnel is up, name servers are often behind it; when it is
 * lost, they are too, and nobody can say any more where its servers are. So what was found once is
 * remembered, and the names of the other servers are looked up as soon as the tunnel is up.
 *
 * Trusts what the resolver said. Invariants: what is remembered is used only when the name server
 * does not answer soon, or does not know; it never outlives the connection. DESIGN.md §6. */
#include "service/attempt-private.h"

enum { AHEAD_MAX = 16 };

static gpointer copy_object(gconstpointer o, gpointer unused)
{
  return g_object_ref((gpointer)(guintptr)o);
}

static void free_list(gpointer l)
{
  g_list_free_full(l, g_object_unref);
}

void nmovpn_names_remember(NmOvpnAttempt *a, const char *host, GList *found)
{
  if (!a->known_names)
    a->known_names = g_hash_table_new_full(g_str_hash, g_str_equal, g_free, free_list);
  if (found)
    g_hash_table_replace(a->known_names, g_strdup(host),
                         g_list_copy_deep(found, copy_object, NULL));
}

GList *nmovpn_names_recall(const NmOvpnAttempt *a, const char *host)
{
  GList *known = a->known_names ? g_hash_table_lookup(a->known_names, host) : NULL;
  return g_list_copy_deep(known, copy_object, NULL);
}

typedef struct Ahead {
  NmOvpnAttempt *attempt;
  char *host;
} Ahead;

static void on_found(GObject *source, GAsyncResult *result, gpointer user_data)
{
  Ahead *x = user_data;
  g_autoptr(GError) error = NULL;
  GList *found = g_resolver_lookup_by_name_finish(G_RESOLVER(source), result, &error);
  if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED)) /* else the attempt may be gone */
    nmovpn_names_remember(x->attempt, x->host, found);
  g_list_free_full(found, g_object_unref);
  g_free(x->host);
  g_free(x);
}

static gboolean is_known(const NmOvpnAttempt *a, const char *host)
{
  return a->known_names && g_hash_table_contains(a->known_names, host);
}

void nmovpn_names_look_ahead(NmOvpnAttempt *a)
{
  g_autoptr(GResolver) resolver = g_resolver_get_default();
  if (a->config.remote_random_hostname)
    return;
  if (!a->looking_ahead)
    a->looking_ahead = g_cancellable_new();
  for (size_t i = 0; i < MIN(a->config.n_remotes, (size_t)AHEAD_MAX); i++) {
    const char *host = a->config.remotes[i].host;
    g_autoptr(GInetAddress) literal = nmovpn_attempt_parse_address(host);
    if (!*host || literal || is_known(a, host))
      continue;
    Ahead *x = g_new(Ahead, 1);
    *x = (Ahead){.attempt = a, .host = g_strdup(host)};
    g_resolver_lookup_by_name_async(resolver, host, a->looking_ahead, on_found, x);
  }
}

void nmovpn_names_forget(NmOvpnAttempt *a)
{
  if (a->looking_ahead)
    g_cancellable_cancel(a->looking_ahead);
  g_clear_object(&a->looking_ahead);
  g_clear_pointer(&a->known_names, g_hash_table_unref);
}
