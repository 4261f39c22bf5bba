/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A UDP server that has fallen silent may have moved: its name is looked up again while the tunnel
 * is up, and its other addresses are asked beside the old one. The engine decides: it changes over
 * when one of them answers and the old one does not (helper/engine/race.c). DESIGN.md §6. */
#include "helper/core/address.h"
#include "service/attempt-private.h"
#include "service/log.h"

enum { ASKED_MAX = 3 };

void nmovpn_attempt_stop_looking(NmOvpnAttempt *a)
{
  if (a->looking)
    g_cancellable_cancel(a->looking);
  g_clear_object(&a->looking);
}

static void ask(NmOvpnAttempt *a, GInetAddress *address)
{
  g_autoptr(GError) error = NULL;
  g_autofree char *text = g_inet_address_to_string(address);
  struct sockaddr_storage server;
  nmovpn_attempt_fill_sockaddr(&server, address, a->place.port);
  int fd = nmovpn_attempt_open_udp(a, &server, &error);
  if (fd < 0) {
    nmovpn_log(LOG_INFO, "%s: %s", text, error->message);
    return;
  }
  nmovpn_log(LOG_NOTICE, "%s is silent; asking at %s too", a->place.server_name, text);
  nmovpn_race_ask(a, &server, fd);
}

static void on_found(GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr(GError) error = NULL;
  GList *found = g_resolver_lookup_by_name_finish(G_RESOLVER(source), result, &error);
  if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return; /* the attempt may be gone */
  NmOvpnAttempt *a = user_data;
  g_clear_object(&a->looking);
  guint asked = 0;
  for (GList *l = found; l && a->state == NMOVPN_ATTEMPT_UP && asked < ASKED_MAX; l = l->next) {
    struct sockaddr_storage server;
    nmovpn_attempt_fill_sockaddr(&server, l->data, a->place.port);
    if (!nmovpn_attempt_family_fits(a, l->data) ||
        ovpn_address_same_host(&server, &a->place.server))
      continue;
    ask(a, l->data);
    asked++;
  }
  g_list_free_full(found, g_object_unref);
}

void nmovpn_attempt_look_again(NmOvpnAttempt *a)
{
  const OvpnRemote *r = nmovpn_attempt_remote(a);
  g_autoptr(GResolver) resolver = g_resolver_get_default();
  if (a->state != NMOVPN_ATTEMPT_UP || a->looking || a->rivals || a->place.via_proxy ||
      r->proto != OVPN_PROTO_UDP || g_hostname_is_ip_address(r->host) ||
      a->config.remote_random_hostname)
    return;
  a->looking = g_cancellable_new();
  g_resolver_lookup_by_name_async(resolver, r->host, a->looking, on_found, a);
}
