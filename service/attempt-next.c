/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From address to address and from server to server: how long each gets, what comes after it, and
 * how soon a lost connection is made again.
 *
 * Invariants: before the first success every remote and address is tried once, within the time
 * that NetworkManager gives; after it for ever, with pauses that grow. DESIGN.md §6. */
#include <glib/gi18n-lib.h>
#include <string.h>
#include <unistd.h>
#include "service/attempt-private.h"
#include "service/log.h"

enum {
  RESOLVE_SECONDS = 20,
  ADDRESS_SECONDS = 8, /* for an address that is not the last: three packets, four SYNs */
  LAST_ADDRESS_SECONDS = 30,
  HELLO_SECONDS = 2,  /* for somebody who called by TCP to say his first word */
  CALLER_SECONDS = 6, /* for him to show who he is; others wait */
  MIN_ADDRESS_SECONDS = 3,
  HANDSHAKE_SECONDS = 15,   /* of one that stands still, before the first success */
  QUICK_SECONDS = 2,        /* first round, where there is a choice: five packets, two SYNs */
  QUICK_LAST_SECONDS = 4,   /* its last one */
  QUICK_ROUND_SECONDS = 26, /* no second round after so much time */
};

/* Remotes and addresses (of the list) that are still to be tried after this one. */
static guint choices_after(const NmOvpnAttempt *a, GSList *addresses)
{
  guint remotes = (guint)a->config.n_remotes;
  return (a->tried + 1 < remotes ? remotes - a->tried - 1 : 0) + g_slist_length(addresses);
}

/* Before the first success every choice is tried quickly once; only when none has answered, each
 * gets the time that a slow one needs. */
static gboolean quick_round(const NmOvpnAttempt *a)
{
  return !a->was_up && !a->slow_round &&
         (a->config.n_remotes > 1 || (a->addresses && a->addresses->next));
}

static gboolean may_go_round_again(const NmOvpnAttempt *a)
{
  return quick_round(a) && a->not_answered &&
         g_get_monotonic_time() - a->started_at < QUICK_ROUND_SECONDS * G_USEC_PER_SEC;
}

/* The last choice gets the time that is left, the others a share of it that lets all be tried. */
static guint address_seconds(const NmOvpnAttempt *a, guint others)
{
  guint limit = a->config.connect_timeout ? a->config.connect_timeout : 120;
  if (quick_round(a))
    return MIN(limit, others ? (guint)QUICK_SECONDS : (guint)QUICK_LAST_SECONDS);
  if (others == 0) /* at first the overall limit comes before */
    return MIN(limit,
               a->was_up ? (guint)LAST_ADDRESS_SECONDS : (guint)NMOVPN_ATTEMPT_LIMIT_SECONDS);
  guint share = (NMOVPN_ATTEMPT_LIMIT_SECONDS - NMOVPN_ATTEMPT_LIMIT_RESERVE) / (others + 1);
  return MIN(limit, CLAMP(share, MIN_ADDRESS_SECONDS, ADDRESS_SECONDS));
}

void nmovpn_attempt_silence(NmOvpnAttempt *a, const NmOvpnPlace *p, gboolean session,
                            OvpnFailure *ret)
{
  *ret = (OvpnFailure){.arg = 0};
  if (!p->via_proxy || p->relayed || session) {
    ovpn_failure_set(ret, OVPN_FAIL_NO_ANSWER, "%s", "");
    return;
  }
  nmovpn_attempt_connect_failure(a, p, ret, _("it does not answer"));
  ret->arg = p->fd >= 0 || !p->number; /* else it has taken the order, and has not done it */
}

static gboolean on_address_timeout(gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  OvpnFailure f = {0};
  if (a->state == NMOVPN_ATTEMPT_RESOLVING)
    ovpn_failure_set(&f, OVPN_FAIL_RESOLVE, "%s: %s", nmovpn_attempt_remote(a)->host,
                     _("the name server does not answer"));
  else
    nmovpn_attempt_silence(a, &a->place, a->session >= OVPN_SESSION_RESET_SENT, &f);
  a->not_answered = a->silent = TRUE;
  nmovpn_attempt_link_failed(a, &f);
  return G_SOURCE_REMOVE;
}

static gboolean on_handshake_stalled(gpointer user_data)
{
  OvpnFailure f = {0};
  ovpn_failure_set(&f, OVPN_FAIL_HANDSHAKE_TIMEOUT, "%s", "");
  nmovpn_attempt_link_failed(user_data, &f);
  return G_SOURCE_REMOVE;
}

/* Small packets pass on some ways where large ones get lost, and hand-window is as long as all the
 * time there is. Not where somebody may have to touch a token; nor behind TLS, where a server may
 * wait for a person as well. */
void nmovpn_attempt_limit_handshake(NmOvpnAttempt *a)
{
  gboolean choice = a->next_address || nmovpn_attempt_next_remote(a) || a->not_answered;
  if (a->state != NMOVPN_ATTEMPT_NEGOTIATING || !a->server_answered || nmovpn_attempt_waits(a))
    return;
  nmovpn_attempt_clear_source(&a->state_timer);
  if (a->session == OVPN_SESSION_TLS_HANDSHAKE && choice && !a->was_up &&
      !nmovpn_attempt_uses_token(a))
    nmovpn_attempt_start_timer(a, &a->state_timer, HANDSHAKE_SECONDS, on_handshake_stalled);
}

void nmovpn_attempt_try_remote(NmOvpnAttempt *a)
{
  if (a->token_doubt && !nmovpn_attempt_token_again(a))
    return;
  a->place.number = 0;
  nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_RESOLVING);
  guint others = choices_after(a, NULL);
  nmovpn_attempt_start_timer(a, &a->state_timer,
                             others ? address_seconds(a, others) : RESOLVE_SECONDS,
                             on_address_timeout);
  nmovpn_attempt_resolve(a);
}

void nmovpn_attempt_start_turn(NmOvpnAttempt *a, gint64 until)
{
  gint64 left = (until - g_get_monotonic_time()) / 1000;
  a->link_until = until;
  nmovpn_attempt_start_timer_ms(a, &a->state_timer, left > 0 ? (guint)left : 0, on_address_timeout);
}

static void start_turn(NmOvpnAttempt *a, GSList *later)
{
  guint seconds = address_seconds(a, choices_after(a, later));
  nmovpn_attempt_start_turn(a, g_get_monotonic_time() + seconds * G_USEC_PER_SEC);
}

static void link_next_address(NmOvpnAttempt *a)
{
  a->server_answered = FALSE;
  a->session = OVPN_SESSION_INIT;
  a->place.number = 0;
  nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_LINKING);
  if (nmovpn_attempt_waits(a)) {
    nmovpn_attempt_listen(a);
    return;
  }
  start_turn(a, a->next_address ? a->next_address->next : NULL);
  nmovpn_race_begin(a);
  nmovpn_attempt_open_link(a);
}

const OvpnRemote *nmovpn_attempt_next_remote(const NmOvpnAttempt *a)
{
  if (a->tried + 1 >= a->config.n_remotes)
    return NULL;
  return &a->config.remotes[(a->round_index + 1) % a->config.n_remotes];
}

static void next_round_index(NmOvpnAttempt *a)
{
  a->round_index = (a->round_index + 1) % a->config.n_remotes;
}

void nmovpn_attempt_go_on(NmOvpnAttempt *a)
{
  if (a->next_address) {
    link_next_address(a);
    return;
  }
  a->tried++;
  next_round_index(a);
  nmovpn_attempt_try_remote(a);
}

void nmovpn_attempt_note_failure(NmOvpnAttempt *a, const OvpnFailure *f, const char *server)
{
  if (a->first_failure.status != OVPN_OK)
    return;
  a->first_failure = *f;
  g_free(a->first_failure_server);
  a->first_failure_server = g_strdup(server);
}

void nmovpn_attempt_resolved(NmOvpnAttempt *a)
{
  link_next_address(a);
}

static gboolean on_backoff(gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  nmovpn_attempt_try_remote(a);
  return G_SOURCE_REMOVE;
}

void nmovpn_attempt_retry_soon(NmOvpnAttempt *a, guint ms)
{
  nmovpn_attempt_cancel_link(a);
  nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_RECONNECTING);
  nmovpn_attempt_start_timer_ms(a, &a->state_timer, ms, on_backoff);
}

/* A server that is restarted is often back at once: the first tries come quickly. After that,
 * connect-retry and its doubling spare one that is away. */
static const guint pauses[] = {0, 150, 300, 500, 700};

/* Who has waited in vain for an answer has asked many times already. */
static gboolean may_be_quick(const NmOvpnAttempt *a)
{
  return !a->silent && a->quick < G_N_ELEMENTS(pauses);
}

static gboolean reconnect_soon(NmOvpnAttempt *a)
{
  if (!may_be_quick(a))
    return FALSE;
  nmovpn_race_end(a);
  nmovpn_attempt_retry_soon(a, pauses[a->quick++]);
  return TRUE;
}

/* connect-retry-max counts rounds through all servers; our quick ones, which OpenVPN does not make,
 * are not among them. */
static gboolean may_retry(NmOvpnAttempt *a, guint at_least)
{
  gboolean quick = at_least == 0 && may_be_quick(a);
  return a->config.connect_retry_max == 0 || quick || ++a->rounds < a->config.connect_retry_max;
}

static void reconnect_later(NmOvpnAttempt *a, guint at_least)
{
  if (nmovpn_attempt_waits(a) && a->state != NMOVPN_ATTEMPT_LINKING) {
    nmovpn_attempt_wait_again(a);
    return;
  }
  if (at_least == 0 && reconnect_soon(a))
    return;
  guint most = MAX(a->config.connect_retry_max_wait, 1);
  a->backoff = a->backoff ? MIN(a->backoff * 2, most) : MAX(a->config.connect_retry, 1);
  guint delay = MAX(a->backoff, MIN(at_least, most));
  nmovpn_attempt_cancel_link(a);
  nmovpn_race_end(a);
  nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_RECONNECTING);
  nmovpn_log(LOG_NOTICE, "trying again in %u s; the tunnel device is kept", delay);
  nmovpn_attempt_pause(a, delay);
  a->silent = FALSE;
}

void nmovpn_attempt_link_failed(NmOvpnAttempt *a, const OvpnFailure *f)
{
  g_autofree char *sentence = nmovpn_attempt_sentence(a, f);
  guint at_least = f->status == OVPN_FAIL_AUTH_TEMP ? f->arg : 0;
  nmovpn_log(LOG_WARNING, "%s", sentence);
  nmovpn_attempt_note_failure(a, f, a->place.server_name);
  if (nmovpn_attempt_waits(a) &&
      (a->state == NMOVPN_ATTEMPT_NEGOTIATING || a->state == NMOVPN_ATTEMPT_CONFIGURING)) {
    nmovpn_attempt_wait_again(a);
    return;
  }
  if (a->state != NMOVPN_ATTEMPT_RESOLVING && a->place.fd >= 0) {
    /* A TCP connection that does not come about; the list of addresses stays. */
    nmovpn_attempt_clear_source(&a->link_source);
    close(a->place.fd);
    a->place.fd = -1;
  }
  nmovpn_attempt_drop_link(a);
  if (a->state == NMOVPN_ATTEMPT_RESOLVING)
    a->next_address = NULL;
  if (a->next_address || nmovpn_attempt_next_remote(a)) {
    nmovpn_attempt_go_on(a);
    return;
  }
  if (nmovpn_race_step_back(a))
    return;
  next_round_index(a);
  if (may_go_round_again(a)) {
    a->slow_round = TRUE;
    a->tried = 0;
    nmovpn_attempt_try_remote(a);
  } else if (a->was_up && may_retry(a, at_least)) {
    a->tried = 0;
    memset(&a->first_failure, 0, sizeof(a->first_failure));
    reconnect_later(a, at_least);
  } else {
    OvpnFailure first = a->was_up ? *f : a->first_failure;
    if (!a->was_up && a->first_failure_server) {
      g_free(a->place.server_name);
      a->place.server_name = g_steal_pointer(&a->first_failure_server);
    }
    if (a->was_up && first.status == OVPN_FAIL_NO_ANSWER && !first.arg)
      first.status = OVPN_FAIL_PING_TIMEOUT; /* it did answer with these keys */
    nmovpn_attempt_fail(a, &first);
  }
}

gboolean nmovpn_attempt_send_link(NmOvpnAttempt *a, NmOvpnPlace *p, int fd, GError **error)
{
  const OvpnRemote *r = &a->config.remotes[p->remote];
  a->newest_link = a->newest_link == G_MAXUINT16 ? 1 : a->newest_link + 1;
  p->number = a->newest_link;
  NmOvpnEngineLink link = {.proto = r->proto,
                           .ipv6 = p->server.ss_family == AF_INET6,
                           .remote = r->index,
                           .host = p->via_proxy ? p->target : NULL,
                           .port = p->port,
                           .number = p->number,
                           .beside = a->rivals != NULL,
                           .fd = fd};
  if (r->proto == OVPN_PROTO_UDP && r->waits) {
    link.mode = OVPN_LINK_WAITING;
  } else if (r->proto == OVPN_PROTO_UDP && a->config.is_float && !p->via_proxy) {
    link.mode = OVPN_LINK_OPEN;
    link.peer = &p->server;
  }
  return nmovpn_engine_send_link(a->engine, &link, error);
}

void nmovpn_attempt_linked(NmOvpnAttempt *a, int fd)
{
  g_autoptr(GError) error = NULL;
  nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_NEGOTIATING);
  const OvpnRemote *r = nmovpn_attempt_remote(a);
  if (!r->waits)
    start_turn(a, a->next_address);
  else if (r->proto == OVPN_PROTO_TCP)
    nmovpn_attempt_start_turn(a, g_get_monotonic_time() + HELLO_SECONDS * G_USEC_PER_SEC);
  if (!nmovpn_attempt_send_link(a, &a->place, fd, &error))
    nmovpn_attempt_fail_internal(a, error->message);
  close(fd);
}

void nmovpn_attempt_answered(NmOvpnAttempt *a)
{
  a->server_answered = TRUE;
  nmovpn_attempt_clear_source(&a->state_timer); /* from here the session's own limits hold... */
  nmovpn_attempt_limit_handshake(a);            /* and this one */
  if (nmovpn_attempt_waits(a) && nmovpn_attempt_remote(a)->proto == OVPN_PROTO_TCP)
    nmovpn_attempt_start_turn(a, g_get_monotonic_time() + CALLER_SECONDS * G_USEC_PER_SEC);
}

/* The link of an established connection is gone. */
void nmovpn_attempt_reconnect(NmOvpnAttempt *a, const OvpnFailure *f)
{
  if (a->config.once) {
    nmovpn_attempt_fail(a, f);
    return;
  }
  g_autofree char *sentence = nmovpn_attempt_sentence(a, f);
  nmovpn_log(LOG_WARNING, "%s", sentence);
  if (f->status == OVPN_FAIL_SERVER_RESTART && (f->arg & OVPN_RESTART_NEXT))
    next_round_index(a);
  a->moved_from = -1;
  a->tried = 0;
  a->backoff = 0;
  a->silent = FALSE;
  if (a->up_at && g_get_monotonic_time() - a->up_at > 10 * G_USEC_PER_SEC)
    a->quick = 0; /* else it comes up and goes down again */
  memset(&a->first_failure, 0, sizeof(a->first_failure));
  reconnect_later(a, 0);
}
