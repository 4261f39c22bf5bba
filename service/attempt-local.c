/* SPDX-License-Identifier: GPL-2.0-or-later */
/* local HOST: the addresses of this computer that packets to the server may leave from. A name is
 * looked up before the server's, at every attempt, as the address behind it may change.
 *
 * Trusts the resolver's types only; whether an address is ours, the kernel says when a socket is
 * bound to it. Invariant: a->locals belongs to the remote that is tried. DESIGN.md §6. */
#include <glib/gi18n-lib.h>
#include "service/attempt-private.h"

GInetAddress *nmovpn_attempt_local(const NmOvpnAttempt *a, GSocketFamily family)
{
  for (const GSList *l = a->locals; l; l = l->next)
    if (g_inet_address_get_family(l->data) == family)
      return l->data;
  return NULL;
}

void nmovpn_attempt_forget_local(NmOvpnAttempt *a)
{
  g_slist_free_full(a->locals, g_object_unref);
  a->locals = NULL;
}

static void on_found(GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr(GError) error = NULL;
  GList *found = g_resolver_lookup_by_name_finish(G_RESOLVER(source), result, &error);
  if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return; /* the attempt may be gone */
  NmOvpnAttempt *a = user_data;
  g_clear_object(&a->resolving);
  if (error) {
    OvpnFailure f;
    g_autofree char *why = g_strdup_printf(_("The local address %s cannot be used: %s"),
                                           a->config.local_host, error->message);
    nmovpn_attempt_connect_failure(a, &a->place, &f, why);
    nmovpn_attempt_link_failed(a, &f);
    return;
  }
  for (GList *l = found; l; l = l->next)
    a->locals = g_slist_append(a->locals, l->data);
  g_list_free(found);
  nmovpn_attempt_find_server(a);
}

gboolean nmovpn_attempt_find_local(NmOvpnAttempt *a)
{
  const char *host = a->config.local_host;
  nmovpn_attempt_forget_local(a);
  if (!host)
    return FALSE;
  GInetAddress *literal = nmovpn_attempt_parse_address(host);
  if (literal) {
    a->locals = g_slist_append(NULL, literal);
    return FALSE;
  }
  g_autoptr(GResolver) resolver = g_resolver_get_default();
  a->resolving = g_cancellable_new();
  g_resolver_lookup_by_name_async(resolver, host, a->resolving, on_found, a);
  return TRUE;
}
