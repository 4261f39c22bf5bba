/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The server of a tunnel that is up has fallen silent: where else could the tunnel go? Its name is
 * looked up again, for it may have moved; then the other servers of the profile have their turn.
 * Each of these places is asked quietly, beside the old one. The engine decides: it changes over
 * when one of them answers and the old one does not (helper/engine/revive.c, race.c). Other servers
 * wait until the one in use has had the time of a restart, for a tunnel that keeps its addresses
 * also keeps what goes through it.
 *
 * Over TCP the place itself is asked too: it may be the connection that is lost, and not the
 * server. Invariants: ASKED_MAX at a time, one every PACE_MS, each place once for each time that
 * the engine says so; servers behind a proxy and those that are waited for are left out, and so are
 * other servers where a person would have to sign in there. DESIGN.md §6. */
#include <string.h>
#include <unistd.h>
#include "helper/core/address.h"
#include "service/attempt-private.h"
#include "service/log.h"

enum {
  ASKED_MAX = 3,
  PACE_MS = 300,
  LOOK_UP_MS = 700,
  OTHERS_MS = 3000, /* another server: its tunnel may have other addresses, a restart takes less */
  TURN_MS = 3000,
  LAST_TURN_MS = 8000,
  ADDRESSES_MAX = 8
};

struct NmOvpnSearch {
  NmOvpnAttempt *attempt;
  gsize looked;          /* remotes, from the one in use on, whose addresses were looked up */
  GCancellable *looking; /* the look-up that is under way */
  GSList *places;        /* NmOvpnPlace, still to be asked */
  gint64 others_at;      /* monotonic, us: then other servers have their turn */
  GSource *pace;
};

static void place_free(gpointer p)
{
  NmOvpnPlace *place = p;
  g_free(place->server_name);
  g_free(place);
}

void nmovpn_attempt_stop_looking(NmOvpnAttempt *a)
{
  NmOvpnSearch *s = g_steal_pointer(&a->search);
  if (!s)
    return;
  if (s->looking)
    g_cancellable_cancel(s->looking);
  g_clear_object(&s->looking);
  nmovpn_attempt_clear_source(&s->pace);
  g_slist_free_full(s->places, place_free);
  g_free(s);
}

static void go_on(NmOvpnSearch *s);

static gboolean on_pace(gpointer user_data)
{
  NmOvpnSearch *s = user_data;
  nmovpn_attempt_clear_source(&s->pace);
  go_on(s);
  return G_SOURCE_REMOVE;
}

static void wait_then_go_on(NmOvpnSearch *s, guint ms)
{
  nmovpn_attempt_attach(&s->pace, g_timeout_source_new(ms), on_pace, s);
}

static gsize current_remote(const NmOvpnSearch *s)
{
  return (s->attempt->place.remote + s->looked) % s->attempt->config.n_remotes;
}

/* The options of that remote hold, until own_options(). */
static const OvpnRemote *options_of(NmOvpnAttempt *a, gsize remote)
{
  ovpn_config_select(&a->config, remote);
  return &a->config.remotes[remote];
}

static void own_options(NmOvpnAttempt *a)
{
  ovpn_config_select(&a->config, a->place.remote);
}

static char *address_text(const struct sockaddr_storage *ss)
{
  size_t len;
  const uint8_t *bytes = ovpn_address_bytes(ss, &len);
  g_autoptr(GInetAddress) address =
      g_inet_address_new_from_bytes(bytes, len == 16 ? G_SOCKET_FAMILY_IPV6 : G_SOCKET_FAMILY_IPV4);
  return g_inet_address_to_string(address);
}

static void ask(NmOvpnAttempt *a, NmOvpnPlace *p, guint ms)
{
  g_autoptr(GError) error = NULL;
  gboolean tcp = options_of(a, p->remote)->proto == OVPN_PROTO_TCP;
  int fd = nmovpn_attempt_open_place(a, p, tcp, &error);
  if (fd < 0) {
    nmovpn_log(LOG_INFO, "%s: %s", p->server_name, error->message);
  } else {
    g_autofree char *text = address_text(&p->server);
    nmovpn_log(LOG_NOTICE, "%s is silent; asking %s (%s, %s) too", a->place.server_name,
               p->server_name, text, tcp ? "TCP" : "UDP");
    nmovpn_race_ask(a, p, tcp, fd, ms);
  }
  own_options(a);
}

/* Addresses of the remote that was looked at last; takes the list. */
static void found(NmOvpnSearch *s, GList *addresses)
{
  NmOvpnAttempt *a = s->attempt;
  gsize remote = current_remote(s);
  const OvpnRemote *r = options_of(a, remote);
  gboolean tcp = r->proto == OVPN_PROTO_TCP;
  guint16 port = nmovpn_attempt_parse_port(r->port, tcp);
  guint n = 0;
  for (GList *l = addresses; l && port && n < ADDRESSES_MAX; l = l->next) {
    NmOvpnPlace p = {.remote = remote, .port = port, .fd = -1};
    nmovpn_attempt_fill_sockaddr(&p.server, l->data, port);
    gboolean own = remote == a->place.remote && ovpn_address_same_host(&p.server, &a->place.server);
    if (!nmovpn_attempt_family_fits(a, r, l->data) || (own && !tcp))
      continue; /* over UDP the engine itself asks there */
    p.server_name = nmovpn_attempt_server_name(r);
    NmOvpnPlace *copy = g_memdup2(&p, sizeof(p));
    s->places = own ? g_slist_prepend(s->places, copy) : g_slist_append(s->places, copy);
    n++;
  }
  g_list_free_full(addresses, g_object_unref);
  own_options(a);
  s->looked++;
  go_on(s);
}

static void on_found(GObject *source, GAsyncResult *result, gpointer user_data)
{
  g_autoptr(GError) error = NULL;
  GList *addresses = g_resolver_lookup_by_name_finish(G_RESOLVER(source), result, &error);
  if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
    return; /* the attempt may be gone */
  NmOvpnSearch *s = user_data;
  g_clear_object(&s->looking);
  nmovpn_attempt_clear_source(&s->pace);
  found(s, addresses);
}

static void look_no_longer(NmOvpnSearch *s)
{
  g_cancellable_cancel(s->looking);
  g_clear_object(&s->looking);
  found(s, NULL);
}

static gboolean may_be_asked(NmOvpnAttempt *a, gsize remote)
{
  const OvpnRemote *r = &a->config.remotes[remote];
  gboolean other = remote != a->place.remote;
  return *r->host && !r->waits && !ovpn_config_proxy(&a->config, r) && !(other && a->person) &&
         !nmovpn_attempt_is_unfit(a, r);
}

/* The next remote: its addresses, or where they are found. */
static void look_up(NmOvpnSearch *s)
{
  NmOvpnAttempt *a = s->attempt;
  gsize remote = current_remote(s);
  const OvpnRemote *r = &a->config.remotes[remote];
  if (!may_be_asked(a, remote)) {
    found(s, NULL);
    return;
  }
  GInetAddress *literal = nmovpn_attempt_parse_address(r->host);
  if (literal) {
    found(s, g_list_append(NULL, literal));
    return;
  }
  g_autoptr(GResolver) resolver = g_resolver_get_default();
  GList *known = remote == a->place.remote ? NULL : nmovpn_names_recall(a, r->host);
  if (known) {
    found(s, known);
    return;
  }
  g_autofree char *name = nmovpn_attempt_name_to_look_up(a, r);
  wait_then_go_on(s, LOOK_UP_MS); /* the name server may be behind the tunnel */
  s->looking = g_cancellable_new();
  g_resolver_lookup_by_name_async(resolver, name, s->looking, on_found, s);
}

static void go_on(NmOvpnSearch *s)
{
  NmOvpnAttempt *a = s->attempt;
  if (a->state != NMOVPN_ATTEMPT_UP) {
    nmovpn_attempt_stop_looking(a);
    return;
  }
  if (s->pace)
    return;
  if (s->looking) {
    look_no_longer(s);
    return;
  }
  if (!s->places && s->looked < a->config.n_remotes) {
    gint64 left = s->looked ? s->others_at - g_get_monotonic_time() : 0;
    if (left > 0)
      wait_then_go_on(s, (guint)(left / 1000) + 1);
    else
      look_up(s);
    return;
  }
  if (!s->places) {
    nmovpn_attempt_stop_looking(a);
    return;
  }
  if (g_slist_length(a->rivals) < ASKED_MAX) {
    NmOvpnPlace *p = s->places->data;
    s->places = g_slist_delete_link(s->places, s->places);
    gboolean last = !s->places && s->looked == a->config.n_remotes;
    ask(a, p, last ? LAST_TURN_MS : TURN_MS);
    place_free(p);
  }
  wait_then_go_on(s, PACE_MS);
}

void nmovpn_attempt_look_again(NmOvpnAttempt *a)
{
  if (a->state != NMOVPN_ATTEMPT_UP || a->search || a->rivals || nmovpn_attempt_waits(a))
    return;
  NmOvpnSearch *s = a->search = g_new0(NmOvpnSearch, 1);
  s->attempt = a;
  s->others_at = g_get_monotonic_time() + OTHERS_MS * 1000;
  wait_then_go_on(s, 0);
}

static guint64 bit(gsize remote)
{
  return remote < 64 ? G_GUINT64_CONSTANT(1) << remote : 0;
}

gboolean nmovpn_attempt_is_unfit(const NmOvpnAttempt *a, const OvpnRemote *r)
{
  return (a->unfit & bit((gsize)(r - a->config.remotes))) != 0;
}

gboolean nmovpn_attempt_is_only_here(NmOvpnAttempt *a, const OvpnFailure *f)
{
  if (!a->was_up || a->good < 0 || (gsize)a->good == a->place.remote ||
      f->status == OVPN_FAIL_INTERNAL || nmovpn_failure_action(f->status) != NMOVPN_FAILURE_FINAL)
    return FALSE;
  a->unfit |= bit(a->place.remote);
  return TRUE;
}

void nmovpn_attempt_has_moved(NmOvpnAttempt *a, size_t from)
{
  gboolean other = from != a->place.remote;
  nmovpn_log(LOG_NOTICE,
             other ? "%s answers; the tunnel is kept, and goes there"
                   : "%s answers at another address or anew; the tunnel is kept",
             a->place.server_name);
  if (other && a->moved_from < 0)
    a->moved_from = (gint)from;
}

gboolean nmovpn_attempt_move_back(NmOvpnAttempt *a, const OvpnFailure *f)
{
  if (a->state != NMOVPN_ATTEMPT_UP || a->moved_from < 0 || f->status == OVPN_FAIL_AUTH_SESSION)
    return FALSE; /* a token of the first one: the password is next */
  a->round_index = (size_t)a->moved_from;
  a->moved_from = -1;
  if (nmovpn_attempt_have_user_pass(a))
    (void)nmovpn_attempt_answer_user_pass(a, NULL); /* good enough for the first server */
  nmovpn_attempt_reconnect(a, f);
  return TRUE;
}

void nmovpn_attempt_heard_again(NmOvpnAttempt *a)
{
  if (a->state == NMOVPN_ATTEMPT_UP)
    nmovpn_race_end(a);
}
