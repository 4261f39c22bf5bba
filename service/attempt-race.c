/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Several addresses at a time. The one that is tried is the front one; when it is silent for
 * RACE_MS it steps aside and the next takes its place, while it may still answer. The engine tells
 * which link was answered first: that becomes the front one, the others are closed.
 *
 * Invariants: at most RACE_RIVALS stand aside, each for as long as its turn lasts, so that servers
 * get no more packets than one after the other; the order is that of the list; each has its own way
 * through its proxy. RFC 8305, DESIGN.md §6. */
#include <glib-unix.h>
#include <string.h>
#include <unistd.h>
#include "service/attempt-private.h"
#include "service/log.h"

enum { RACE_MS = 400, RACE_RIVALS = 3 };

struct NmOvpnRival {
  NmOvpnAttempt *attempt;
  NmOvpnPlace place; /* owned */
  GSList *rest;      /* GInetAddress of its remote that come after it */
  size_t tried;
  gint64 until;    /* monotonic, us: the end of its turn */
  GSource *source; /* of place.fd, TCP that is connecting */
  GSource *timer;
  gboolean quiet; /* asked while the tunnel is up */
};

static void rival_free(NmOvpnRival *r)
{
  nmovpn_attempt_clear_source(&r->source);
  nmovpn_attempt_clear_source(&r->timer);
  if (r->place.fd >= 0)
    close(r->place.fd);
  g_slist_free_full(r->rest, g_object_unref);
  g_free(r->place.server_name);
  g_free(r->place.target);
  g_free(r);
}

static void drop(NmOvpnAttempt *a, guint16 number)
{
  if (number && a->engine && a->engine_ready)
    nmovpn_engine_send_drop(a->engine, number, NULL);
}

void nmovpn_attempt_drop_link(NmOvpnAttempt *a)
{
  drop(a, a->place.number);
  a->place.number = 0;
}

void nmovpn_race_end(NmOvpnAttempt *a)
{
  nmovpn_attempt_stop_looking(a);
  nmovpn_attempt_clear_source(&a->race_timer);
  for (GSList *l = a->rivals; l; l = l->next) {
    NmOvpnRival *r = l->data;
    drop(a, r->place.number);
    rival_free(r);
  }
  g_clear_pointer(&a->rivals, g_slist_free);
}

static NmOvpnRival *find(NmOvpnAttempt *a, guint number)
{
  for (GSList *l = a->rivals; l; l = l->next)
    if (number && ((NmOvpnRival *)l->data)->place.number == number)
      return l->data;
  return NULL;
}

/* It becomes the front one, whose place is free. Takes the rival. */
static void adopt(NmOvpnAttempt *a, NmOvpnRival *r)
{
  a->rivals = g_slist_remove(a->rivals, r);
  nmovpn_attempt_clear_source(&r->source);
  g_free(a->place.server_name);
  g_free(a->place.target);
  a->place = r->place;
  r->place = (NmOvpnPlace){.fd = -1};
  ovpn_config_select(&a->config, a->place.remote);
}

static gboolean on_race_timer(gpointer user_data);

static void wake(NmOvpnAttempt *a, guint ms)
{
  nmovpn_attempt_start_timer_ms(a, &a->race_timer, ms, on_race_timer);
}

/* One of those aside is of no use; its place may be taken by the next. Frees the rival. */
static void rival_lost(NmOvpnAttempt *a, NmOvpnRival *r, const OvpnFailure *f)
{
  if (!r->quiet) {
    char *front = a->place.server_name;
    a->place.server_name = r->place.server_name; /* the sentence is about that one */
    g_autofree char *sentence = nmovpn_attempt_sentence(a, f);
    a->place.server_name = front;
    nmovpn_log(LOG_WARNING, "%s", sentence);
    nmovpn_attempt_note_failure(a, f, r->place.server_name);
  }
  drop(a, r->place.number);
  a->rivals = g_slist_remove(a->rivals, r);
  rival_free(r);
  if (a->race_blocked)
    wake(a, 0);
}

static gboolean on_rival_timeout(gpointer user_data)
{
  NmOvpnRival *r = user_data;
  OvpnFailure f;
  nmovpn_attempt_silence(r->attempt, &r->place, FALSE, &f);
  if (!r->quiet)
    r->attempt->not_answered = r->attempt->silent = TRUE;
  rival_lost(r->attempt, r, &f);
  return G_SOURCE_REMOVE;
}

/* A connection came about. */
static void rival_connected(NmOvpnAttempt *a, NmOvpnRival *r)
{
  g_autoptr(GError) error = NULL;
  if (r->place.socket_wanted) {
    r->place.socket_wanted = FALSE;
    (void)nmovpn_engine_send_socket(a->engine, r->place.number, r->place.fd, NULL);
    close(r->place.fd);
    r->place.fd = -1;
    return;
  }
  if (ovpn_config_is_static(&a->config)) { /* without a handshake there is no more to win */
    int fd = r->place.fd;
    r->place.fd = -1;
    nmovpn_attempt_cancel_link(a);
    nmovpn_attempt_drop_link(a);
    adopt(a, r);
    a->tried = r->tried;
    rival_free(r);
    nmovpn_race_end(a);
    if (a->state == NMOVPN_ATTEMPT_RESOLVING)
      nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_LINKING);
    nmovpn_attempt_linked(a, fd);
    return;
  }
  if (!nmovpn_attempt_send_link(a, &r->place, r->place.fd, &error)) {
    nmovpn_attempt_fail_internal(a, error->message);
    return;
  }
  close(r->place.fd);
  r->place.fd = -1;
}

static gboolean on_rival_writable(gint fd, GIOCondition condition, gpointer user_data)
{
  NmOvpnRival *r = user_data;
  OvpnFailure f;
  int code = nmovpn_attempt_socket_error(fd);
  nmovpn_attempt_clear_source(&r->source);
  if (code == 0) {
    rival_connected(r->attempt, r);
    return G_SOURCE_REMOVE;
  }
  nmovpn_attempt_connect_failure(r->attempt, &r->place, &f, g_strerror(code));
  rival_lost(r->attempt, r, &f);
  return G_SOURCE_REMOVE;
}

static void watch_connecting(NmOvpnRival *r)
{
  nmovpn_attempt_attach(&r->source,
                        g_unix_fd_source_new(r->place.fd, G_IO_OUT | G_IO_ERR | G_IO_HUP),
                        G_SOURCE_FUNC(on_rival_writable), r);
}

void nmovpn_race_socket_wanted(NmOvpnAttempt *a, guint number, gboolean udp, const guint8 *ip,
                               guint ip_len, guint16 port)
{
  g_autoptr(GError) error = NULL;
  NmOvpnRival *r = find(a, number);
  if (!r || r->source || !r->place.via_proxy ||
      !nmovpn_attempt_set_relay(&r->place, udp, ip, ip_len, port))
    return;
  ovpn_config_select(&a->config, r->place.remote);
  int fd = nmovpn_attempt_open_place(a, &r->place, !udp, &error);
  ovpn_config_select(&a->config, a->place.remote);
  if (fd < 0) {
    OvpnFailure f;
    nmovpn_attempt_connect_failure(a, &r->place, &f, error->message);
    rival_lost(a, r, &f);
    return;
  }
  r->place.fd = fd;
  r->place.socket_wanted = TRUE;
  if (udp)
    rival_connected(a, r);
  else
    watch_connecting(r);
}

static void step_aside(NmOvpnAttempt *a)
{
  NmOvpnRival *r = g_new0(NmOvpnRival, 1);
  gint64 left = (a->link_until - g_get_monotonic_time()) / 1000;
  r->attempt = a;
  r->place = a->place;
  r->place.server_name = g_strdup(a->place.server_name);
  r->place.target = g_strdup(a->place.target);
  r->tried = a->tried;
  r->until = a->link_until;
  for (GSList *l = a->next_address; l; l = l->next)
    r->rest = g_slist_append(r->rest, g_object_ref(l->data));
  nmovpn_attempt_clear_source(&a->link_source);
  a->place.fd = -1;
  a->place.number = 0;
  if (r->place.fd >= 0)
    watch_connecting(r);
  nmovpn_attempt_attach(&r->timer, g_timeout_source_new(left > 0 ? (guint)left : 0),
                        on_rival_timeout, r);
  a->rivals = g_slist_append(a->rivals, r);
}

/* Is the front one waiting for nothing but a first answer? */
static gboolean is_silent(const NmOvpnAttempt *a)
{
  if (a->state == NMOVPN_ATTEMPT_LINKING)
    return a->place.fd >= 0;
  return a->state == NMOVPN_ATTEMPT_NEGOTIATING && a->place.number && !a->server_answered &&
         a->session <= OVPN_SESSION_RESET_SENT && !ovpn_config_is_static(&a->config);
}

static gboolean next_fits(const NmOvpnAttempt *a)
{
  const OvpnRemote *next = nmovpn_attempt_next_remote(a);
  return a->next_address || (next && !nmovpn_attempt_is_unfit(a, next));
}

static gboolean on_race_timer(gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  g_clear_pointer(&a->race_timer, g_source_unref);
  a->race_blocked = FALSE;
  if (!is_silent(a) || !next_fits(a))
    return G_SOURCE_REMOVE;
  a->race_blocked = g_slist_length(a->rivals) >= RACE_RIVALS;
  if (a->race_blocked)
    return G_SOURCE_REMOVE;
  step_aside(a);
  nmovpn_attempt_go_on(a);
  return G_SOURCE_REMOVE;
}

void nmovpn_race_begin(NmOvpnAttempt *a)
{
  a->race_blocked = FALSE;
  wake(a, RACE_MS);
}

gboolean nmovpn_race_step_back(NmOvpnAttempt *a)
{
  if (!a->rivals)
    return FALSE;
  NmOvpnRival *r = g_slist_last(a->rivals)->data;
  adopt(a, r);
  a->server_answered = FALSE;
  if (a->place.number)
    nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_NEGOTIATING);
  else {
    nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_LINKING);
    nmovpn_attempt_watch_connecting(a);
  }
  nmovpn_attempt_start_turn(a, r->until);
  rival_free(r);
  return TRUE;
}

gboolean nmovpn_race_failed(NmOvpnAttempt *a, guint number, const OvpnFailure *f)
{
  NmOvpnRival *r = find(a, number);
  if (!r)
    return FALSE;
  r->place.number = 0; /* it is closed there */
  rival_lost(a, r, f);
  return TRUE;
}

/* The engine has closed the links to all others. */
static void forget_others(NmOvpnAttempt *a)
{
  for (GSList *l = a->rivals; l; l = l->next)
    ((NmOvpnRival *)l->data)->place.number = 0;
  a->not_answered |=
      a->rivals != NULL; /* they deserve another turn, if this one comes to nothing */
  nmovpn_race_end(a);
}

void nmovpn_race_ask(NmOvpnAttempt *a, const NmOvpnPlace *place, gboolean tcp, int fd, guint ms)
{
  NmOvpnRival *r = g_new0(NmOvpnRival, 1);
  r->attempt = a;
  r->quiet = TRUE;
  r->place = *place;
  r->place.server_name = g_strdup(place->server_name);
  r->place.target = NULL;
  r->place.fd = tcp ? fd : -1;
  r->place.number = 0;
  a->rivals = g_slist_append(a->rivals, r); /* so it is beside */
  nmovpn_attempt_attach(&r->timer, g_timeout_source_new(ms), on_rival_timeout, r);
  if (tcp) {
    watch_connecting(r);
    return;
  }
  if (!nmovpn_attempt_send_link(a, &r->place, fd, NULL)) {
    a->rivals = g_slist_remove(a->rivals, r);
    rival_free(r);
  }
  close(fd);
}

gboolean nmovpn_race_chosen(NmOvpnAttempt *a, guint number)
{
  NmOvpnRival *r = find(a, number);
  if (a->place.number != number && !r)
    return FALSE;
  if (r) {
    nmovpn_attempt_cancel_link(a);
    adopt(a, r);
    a->addresses = a->next_address = g_steal_pointer(&r->rest);
    a->tried = r->tried;
    rival_free(r);
  }
  a->round_index = a->place.remote;
  forget_others(a);
  return TRUE;
}
