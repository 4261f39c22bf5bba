/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One connection from Connect to its end: states, timers, and what follows from each event.
 *
 * Single-threaded, on the main context. The engine's events are already checked for form
 * (engine-client.c); pushed options are interpreted here again from the list, because the engine is
 * not believed. Invariants: the state changes only in nmovpn_attempt_set_state(); a state's timer
 * dies with the state; the TUN's descriptor is never kept longer than the engine lives, so that the
 * device vanishes with it. DESIGN.md §6, ARCHITECTURE.md §5. */
#include "service/attempt.h"
#include <glib/gi18n-lib.h>
#include <string.h>
#include <unistd.h>
#include "service/attempt-private.h"
#include "service/log.h"
#include "service/profile.h"
#include "service/stats.h"

enum {
  LIMIT_SECONDS = 60, /* libnm gives up after this; so does NetworkManager by default */
  LIMIT_RESERVE = 4,  /* told in time, the cause is ours instead of "timed out" */
  RESOLVE_SECONDS = 20,
  ADDRESS_SECONDS = 8, /* for an address that is not the last: three packets, four SYNs */
  LAST_ADDRESS_SECONDS = 30,
  MIN_ADDRESS_SECONDS = 3,
  STOP_SECONDS = 2,
};

#define BIT(s) (1u << NMOVPN_ATTEMPT_##s)
/* From anywhere to STOPPING and IDLE; the rest is listed. */
static const guint legal_next[] = {
    [NMOVPN_ATTEMPT_IDLE] = BIT(PREPARING),
    [NMOVPN_ATTEMPT_PREPARING] = BIT(RESOLVING) | BIT(WAITING_SECRETS),
    [NMOVPN_ATTEMPT_RESOLVING] = BIT(LINKING) | BIT(RESOLVING) | BIT(RECONNECTING),
    [NMOVPN_ATTEMPT_LINKING] = BIT(NEGOTIATING) | BIT(LINKING) | BIT(RESOLVING) | BIT(RECONNECTING),
    [NMOVPN_ATTEMPT_NEGOTIATING] =
        BIT(CONFIGURING) | BIT(WAITING_SECRETS) | BIT(LINKING) | BIT(RESOLVING) | BIT(RECONNECTING),
    [NMOVPN_ATTEMPT_WAITING_SECRETS] = BIT(PREPARING) | BIT(RESOLVING) | BIT(NEGOTIATING),
    [NMOVPN_ATTEMPT_CONFIGURING] =
        BIT(UP) | BIT(LINKING) | BIT(RESOLVING) | BIT(RECONNECTING) | BIT(WAITING_SECRETS),
    [NMOVPN_ATTEMPT_UP] = BIT(RECONNECTING) | BIT(RESOLVING) | BIT(WAITING_SECRETS),
    [NMOVPN_ATTEMPT_RECONNECTING] = BIT(RESOLVING) | BIT(LINKING),
    [NMOVPN_ATTEMPT_STOPPING] = 0,
};

static const char *state_text(NmOvpnAttemptState s)
{
  static const char *const names[] = {
#define X(n) #n,
      NMOVPN_ATTEMPT_STATE_LIST(X)
#undef X
  };
  return names[s];
}

static void clear_source(GSource **s)
{
  if (*s)
    g_source_destroy(*s);
  g_clear_pointer(s, g_source_unref);
}

static void start_timer_ms(NmOvpnAttempt *a, GSource **slot, guint ms, GSourceFunc f)
{
  clear_source(slot);
  *slot = g_timeout_source_new(ms);
  g_source_set_callback(*slot, f, a, NULL);
  g_source_attach(*slot, NULL);
}

static void start_timer(NmOvpnAttempt *a, GSource **slot, guint seconds, GSourceFunc f)
{
  clear_source(slot);
  *slot = g_timeout_source_new_seconds(seconds);
  g_source_set_callback(*slot, f, a, NULL);
  g_source_attach(*slot, NULL);
}

void nmovpn_attempt_set_state(NmOvpnAttempt *a, NmOvpnAttemptState s)
{
  g_assert(s == NMOVPN_ATTEMPT_IDLE || s == NMOVPN_ATTEMPT_STOPPING ||
           (legal_next[a->state] & (1u << s)));
  clear_source(&a->state_timer);
  if (s != a->state)
    nmovpn_log(LOG_INFO, "state %s -> %s", state_text(a->state), state_text(s));
  a->state = s;
  nmovpn_attempt_check_names(a);
  nmovpn_log_set_state(state_text(s));
}

const OvpnRemote *nmovpn_attempt_remote(const NmOvpnAttempt *a)
{
  return &a->config.remotes[a->remote_index % a->config.n_remotes];
}

char *nmovpn_attempt_sentence(const NmOvpnAttempt *a, const OvpnFailure *f)
{
  const OvpnFile *files = a->config.files;
  NmOvpnFailureContext c = {
      .server = a->server_name,
      .proto = a->config.n_remotes ? nmovpn_attempt_remote(a)->proto : OVPN_PROTO_UDP,
      .control_key = files[OVPN_FILE_TLS_AUTH].name || files[OVPN_FILE_TLS_CRYPT].name ||
                     files[OVPN_FILE_TLS_CRYPT_V2].name,
      .config = &a->config,
  };
  return nmovpn_failure_sentence(f, &c);
}

/* ---- the end
 * ----------------------------------------------------------------------------------------------------
 */

static void close_tun(NmOvpnAttempt *a)
{
  if (a->tun.fd >= 0)
    close(a->tun.fd);
  a->tun.fd = -1;
}

static void release(NmOvpnAttempt *a)
{
  nmovpn_attempt_cancel_link(a);
  clear_source(&a->overall_timer);
  clear_source(&a->state_timer);
  nmovpn_attempt_forget_signin(a);
  g_clear_pointer(&a->engine, nmovpn_engine_free);
  a->engine_ready = FALSE;
  close_tun(a);
  nmovpn_attempt_close_files(a);
  nmovpn_secrets_clear(&a->secrets);
}

void nmovpn_attempt_fail(NmOvpnAttempt *a, const OvpnFailure *f)
{
  if (a->state == NMOVPN_ATTEMPT_STOPPING || a->state == NMOVPN_ATTEMPT_IDLE)
    return;
  g_autofree char *sentence = nmovpn_attempt_sentence(a, f);
  nmovpn_log(LOG_ERR, "%s", sentence);
  nmovpn_log(LOG_INFO, "failed with %s (%s)", ovpn_status_name(f->status), f->text);
  NMVpnPluginFailure reason = nmovpn_failure_reason(f->status);
  release(a);
  nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_IDLE);
  a->callbacks.failed(reason, sentence, a->user_data);
}

void nmovpn_attempt_fail_internal(NmOvpnAttempt *a, const char *what)
{
  OvpnFailure f = {0};
  ovpn_failure_set(&f, OVPN_FAIL_INTERNAL, "%s", what);
  nmovpn_attempt_fail(a, &f);
}

static void finish_stop(NmOvpnAttempt *a)
{
  release(a);
  nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_IDLE);
  a->callbacks.stopped(a->user_data);
}

static gboolean on_stop_timeout(gpointer user_data)
{
  nmovpn_log(LOG_INFO, "the goodbye to the server was not finished in time");
  finish_stop(user_data);
  return G_SOURCE_REMOVE;
}

void nmovpn_attempt_stop(NmOvpnAttempt *a)
{
  if (a->state == NMOVPN_ATTEMPT_STOPPING)
    return;
  gboolean in_session = a->state == NMOVPN_ATTEMPT_UP || a->state == NMOVPN_ATTEMPT_CONFIGURING ||
                        a->state == NMOVPN_ATTEMPT_NEGOTIATING || nmovpn_attempt_is_waiting(a);
  nmovpn_attempt_cancel_link(a);
  clear_source(&a->overall_timer);
  if (a->state == NMOVPN_ATTEMPT_UP)
    nmovpn_attempt_log_stats(a);
  if (in_session && a->engine && nmovpn_engine_send_close(a->engine, NULL)) {
    nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_STOPPING);
    start_timer(a, &a->state_timer, STOP_SECONDS, on_stop_timeout);
    /* Closing our copy now lets the device go the moment the engine does. */
    close_tun(a);
    return;
  }
  finish_stop(a);
}

void nmovpn_attempt_helper_gone(NmOvpnAttempt *a)
{
  if (a->state != NMOVPN_ATTEMPT_IDLE && a->state != NMOVPN_ATTEMPT_STOPPING)
    nmovpn_attempt_fail_internal(a, _("its privileged helper ended"));
}

gboolean nmovpn_attempt_is_running(const NmOvpnAttempt *a)
{
  return a->state != NMOVPN_ATTEMPT_IDLE;
}

/* ---- timers
 * -----------------------------------------------------------------------------------------------------
 */

/* Remotes and addresses (of the list) that are still to be tried after this one. */
static guint choices_after(const NmOvpnAttempt *a, GSList *addresses)
{
  guint remotes = (guint)a->config.n_remotes;
  return (a->tried + 1 < remotes ? remotes - a->tried - 1 : 0) + g_slist_length(addresses);
}

/* The last choice gets the time that is left, the others a share of it that lets all be tried. */
static guint address_seconds(const NmOvpnAttempt *a, guint others)
{
  guint limit = a->config.connect_timeout ? a->config.connect_timeout : 120;
  if (others == 0) /* at first the overall limit comes before */
    return MIN(limit, a->was_up ? (guint)LAST_ADDRESS_SECONDS : (guint)LIMIT_SECONDS);
  guint share = (LIMIT_SECONDS - LIMIT_RESERVE) / (others + 1);
  return MIN(limit, CLAMP(share, MIN_ADDRESS_SECONDS, ADDRESS_SECONDS));
}

static gboolean on_address_timeout(gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  OvpnFailure f = {0};
  if (a->state == NMOVPN_ATTEMPT_RESOLVING)
    ovpn_failure_set(&f, OVPN_FAIL_RESOLVE, "%s: %s", nmovpn_attempt_remote(a)->host,
                     _("the name server does not answer"));
  else if (a->via_proxy && a->session < OVPN_SESSION_RESET_SENT) {
    f.arg = 1;
    ovpn_failure_set(&f, OVPN_FAIL_PROXY, "%s:%u: %s", a->config.proxy_host, a->proxy_port,
                     _("it does not answer"));
  } else
    ovpn_failure_set(&f, OVPN_FAIL_NO_ANSWER, "%s", "");
  nmovpn_attempt_link_failed(a, &f);
  return G_SOURCE_REMOVE;
}

static gboolean on_overall_timeout(gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  OvpnFailure f = a->first_failure;
  ovpn_failure_set(&f, a->server_answered ? OVPN_FAIL_HANDSHAKE_TIMEOUT : OVPN_FAIL_NO_ANSWER, "%s",
                   "");
  if (f.status == OVPN_FAIL_HANDSHAKE_TIMEOUT && a->session == OVPN_SESSION_KEY_EXCHANGE)
    f.arg = 1;
  nmovpn_attempt_fail(a, &f);
  return G_SOURCE_REMOVE;
}

void nmovpn_attempt_start_limit(NmOvpnAttempt *a)
{
  guint limit = nm_setting_vpn_get_timeout(nm_connection_get_setting_vpn(a->connection));
  limit = limit ? MIN(limit, LIMIT_SECONDS) : LIMIT_SECONDS;
  start_timer(a, &a->overall_timer, limit > 2 * LIMIT_RESERVE ? limit - LIMIT_RESERVE : limit,
              on_overall_timeout);
}

void nmovpn_attempt_stop_limit(NmOvpnAttempt *a)
{
  clear_source(&a->overall_timer);
}

/* ---- from server to server
 * -------------------------------------------------------------------------------------- */

void nmovpn_attempt_try_remote(NmOvpnAttempt *a)
{
  nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_RESOLVING);
  guint others = choices_after(a, NULL);
  start_timer(a, &a->state_timer, others ? address_seconds(a, others) : RESOLVE_SECONDS,
              on_address_timeout);
  nmovpn_attempt_resolve(a);
}

static void link_next_address(NmOvpnAttempt *a)
{
  a->server_answered = FALSE;
  a->session = OVPN_SESSION_INIT;
  nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_LINKING);
  guint others = choices_after(a, a->next_address ? a->next_address->next : NULL);
  start_timer(a, &a->state_timer, address_seconds(a, others), on_address_timeout);
  nmovpn_attempt_open_link(a);
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

/* A server that is restarted is often back at once: the first tries come quickly. After that,
 * connect-retry and its doubling spare one that is away. */
static gboolean reconnect_soon(NmOvpnAttempt *a)
{
  static const guint pauses[] = {0, 150, 300, 500, 700};
  if (a->quick >= G_N_ELEMENTS(pauses))
    return FALSE;
  nmovpn_attempt_cancel_link(a);
  nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_RECONNECTING);
  start_timer_ms(a, &a->state_timer, pauses[a->quick++], on_backoff);
  return TRUE;
}

static void reconnect_later(NmOvpnAttempt *a, guint at_least)
{
  if (at_least == 0 && reconnect_soon(a))
    return;
  guint most = MAX(a->config.connect_retry_max_wait, 1);
  a->backoff = a->backoff ? MIN(a->backoff * 2, most) : MAX(a->config.connect_retry, 1);
  guint delay = MAX(a->backoff, MIN(at_least, most));
  nmovpn_attempt_cancel_link(a);
  nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_RECONNECTING);
  nmovpn_log(LOG_NOTICE, "trying again in %u s; the tunnel device is kept", delay);
  start_timer(a, &a->state_timer, delay, on_backoff);
}

void nmovpn_attempt_link_failed(NmOvpnAttempt *a, const OvpnFailure *f)
{
  g_autofree char *sentence = nmovpn_attempt_sentence(a, f);
  nmovpn_log(LOG_WARNING, "%s", sentence);
  if (a->first_failure.status == OVPN_OK)
    a->first_failure = *f;
  if (a->state != NMOVPN_ATTEMPT_RESOLVING && a->link_fd >= 0) {
    /* A TCP connection that does not come about; the list of addresses stays. */
    clear_source(&a->link_source);
    close(a->link_fd);
    a->link_fd = -1;
  }
  if (a->next_address && a->state != NMOVPN_ATTEMPT_RESOLVING) {
    link_next_address(a);
    return;
  }
  a->tried++;
  if (a->tried < a->config.n_remotes) {
    a->remote_index = (a->remote_index + 1) % a->config.n_remotes;
    nmovpn_attempt_try_remote(a);
  } else if (a->was_up) {
    a->tried = 0;
    a->remote_index = (a->remote_index + 1) % a->config.n_remotes;
    memset(&a->first_failure, 0, sizeof(a->first_failure));
    reconnect_later(a, f->status == OVPN_FAIL_AUTH_TEMP ? f->arg : 0);
  } else {
    OvpnFailure first = a->first_failure;
    nmovpn_attempt_fail(a, &first);
  }
}

void nmovpn_attempt_linked(NmOvpnAttempt *a, int fd)
{
  g_autoptr(GError) error = NULL;
  nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_NEGOTIATING);
  start_timer(a, &a->state_timer, address_seconds(a, choices_after(a, a->next_address)),
              on_address_timeout);
  const OvpnRemote *r = nmovpn_attempt_remote(a);
  NmOvpnEngineLink link = {.proto = r->proto,
                           .ipv6 = a->server.ss_family == AF_INET6,
                           .remote = r->index,
                           .host = a->via_proxy ? a->target : NULL,
                           .port = a->port,
                           .fd = fd};
  if (!nmovpn_engine_send_link(a->engine, &link, &error))
    nmovpn_attempt_fail_internal(a, error->message);
  close(fd);
}

/* The link of an established connection is gone. */
static void reconnect(NmOvpnAttempt *a, const OvpnFailure *f)
{
  g_autofree char *sentence = nmovpn_attempt_sentence(a, f);
  nmovpn_log(LOG_WARNING, "%s", sentence);
  if (f->status == OVPN_FAIL_SERVER_RESTART && (f->arg & OVPN_RESTART_NEXT))
    a->remote_index = (a->remote_index + 1) % a->config.n_remotes;
  a->tried = 0;
  a->backoff = 0;
  if (a->up_at && g_get_monotonic_time() - a->up_at > 10 * G_USEC_PER_SEC)
    a->quick = 0; /* else it comes up and goes down again */
  memset(&a->first_failure, 0, sizeof(a->first_failure));
  reconnect_later(a, 0);
}

/* ---- the engine's events
 * ---------------------------------------------------------------------------------------- */

static void on_ready(NmOvpnEngine *e, gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  a->engine_ready = TRUE;
  a->n_refused = 0;
  if (a->state == NMOVPN_ATTEMPT_PREPARING)
    nmovpn_attempt_try_remote(a);
}

/* The name, without linking the protocol archive for it. */
static const char *session_state_text(OvpnSessionState s)
{
  static const char *const names[] = {
#define X(n) #n,
      OVPN_SESSION_STATE_LIST(X)
#undef X
  };
  return (guint)s < G_N_ELEMENTS(names) ? names[s] : "?";
}

static void on_state(NmOvpnEngine *e, OvpnSessionState state, gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  nmovpn_log(LOG_INFO, "session %s", session_state_text(state));
  a->session = state;
  if (a->state != NMOVPN_ATTEMPT_NEGOTIATING || a->server_answered ||
      state <= OVPN_SESSION_RESET_SENT || state >= OVPN_SESSION_CLOSING)
    return;
  a->server_answered = TRUE;
  clear_source(&a->state_timer); /* from here the session's own limits hold */
}

static void on_need(NmOvpnEngine *e, const NmOvpnQuestion *question, gpointer user_data)
{
  nmovpn_attempt_needs(user_data, question);
}

static void on_up(NmOvpnEngine *e, const char *cipher, guint mtu, gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  if (a->state != NMOVPN_ATTEMPT_CONFIGURING && a->state != NMOVPN_ATTEMPT_UP)
    return;
  a->mtu = mtu;
  if (a->state == NMOVPN_ATTEMPT_CONFIGURING) {
    nmovpn_log(LOG_NOTICE, "connected to %s with %s, device %s", a->server_name, cipher,
               a->tun.ifname);
    clear_source(&a->overall_timer);
    nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_UP);
    a->was_up = TRUE;
    a->up_at = g_get_monotonic_time();
    a->tried = a->backoff = a->n_refused = a->n_proxy_refused = 0;
    memset(&a->first_failure, 0, sizeof(a->first_failure));
    nmovpn_attempt_close_files(a);
  }
  nmovpn_attempt_report(a);
}

static void on_failed(NmOvpnEngine *e, const OvpnFailure *f, gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  NmOvpnFailureAction action = nmovpn_failure_action(f->status);
  nmovpn_attempt_end_wait(a);
  if (nmovpn_attempt_signin_failed(a, f))
    return;
  switch (a->state) {
  case NMOVPN_ATTEMPT_IDLE:
  case NMOVPN_ATTEMPT_STOPPING:
  case NMOVPN_ATTEMPT_RESOLVING:
  case NMOVPN_ATTEMPT_LINKING:
  case NMOVPN_ATTEMPT_RECONNECTING:
    return; /* of a session that we have given up already */
  case NMOVPN_ATTEMPT_WAITING_SECRETS:
    if (action == NMOVPN_FAILURE_FINAL)
      nmovpn_attempt_fail(a, f);
    else
      a->need_link = TRUE; /* the server need not wait as long as a person does */
    return;
  case NMOVPN_ATTEMPT_PREPARING:
  case NMOVPN_ATTEMPT_NEGOTIATING:
  case NMOVPN_ATTEMPT_CONFIGURING:
  case NMOVPN_ATTEMPT_UP:
    break;
  }
  if (f->status == OVPN_FAIL_PROXY_AUTH) {
    nmovpn_attempt_proxy_refused(a, f);
    return;
  }
  switch (action) {
  case NMOVPN_FAILURE_FINAL:
    nmovpn_attempt_fail(a, f);
    return;
  case NMOVPN_FAILURE_CREDENTIALS:
    nmovpn_attempt_refused(a, f);
    return;
  case NMOVPN_FAILURE_PASSPHRASE:
    if (a->interactive)
      nmovpn_attempt_ask_passphrase(a, TRUE, a->secrets.cert_pass != NULL);
    else
      nmovpn_attempt_fail(a, f);
    return;
  case NMOVPN_FAILURE_AGAIN:
    if (++a->n_refused > NMOVPN_ATTEMPT_REFUSED_MAX)
      nmovpn_attempt_fail(a, f);
    else
      nmovpn_attempt_try_remote(a);
    return;
  case NMOVPN_FAILURE_NEXT:
    if (a->state == NMOVPN_ATTEMPT_PREPARING)
      nmovpn_attempt_fail(a, f);
    else if (a->state == NMOVPN_ATTEMPT_UP)
      reconnect(a, f);
    else
      nmovpn_attempt_link_failed(a, f);
    return;
  }
}

static const char *log_words(OvpnLogCode code)
{
  switch (code) {
  case OVPN_LOG_TEXT:
  case OVPN_LOG_MAX_:
    return "";
  case OVPN_LOG_STATE:
    return "session: ";
  case OVPN_LOG_TLS_SESSION:
    return "TLS: ";
  case OVPN_LOG_PEER_CERT:
    return "certificate of the server: ";
  case OVPN_LOG_PUSH_IGNORED:
    return "ignored what the server sent: ";
  case OVPN_LOG_RENEGOTIATED:
    return "new keys agreed on: ";
  case OVPN_LOG_PING_TIMEOUT:
    return "no sign of life from the server: ";
  case OVPN_LOG_DROPS:
    return "packets dropped: ";
  case OVPN_LOG_FALLBACK:
    return "falling back: ";
  case OVPN_LOG_SERVER_TEXT:
    return "the server says: ";
  case OVPN_LOG_WEAK:
    return "weak: ";
  }
  return "";
}

static void on_log(NmOvpnEngine *e, int level, OvpnLogCode code, const char *text,
                   gpointer user_data)
{
  const char *known = code == OVPN_LOG_FALLBACK ? nmovpn_stats_fallback(text) : NULL;
  g_autofree char *safe = nmovpn_log_escape(known ? known : text);
  nmovpn_log(level, "%s%s", log_words(code), safe);
}

static void on_stats(NmOvpnEngine *e, const OvpnStats *s, gpointer user_data)
{
  g_autofree char *text = nmovpn_stats_text(s);
  g_auto(GStrv) lines = g_strsplit(text, "\n", 0);
  for (char **l = lines; *l; l++)
    nmovpn_log(LOG_NOTICE, "%s", *l);
}

void nmovpn_attempt_log_stats(NmOvpnAttempt *a)
{
  if (!a->engine_ready || !a->have_netconfig || !nmovpn_engine_send_get_stats(a->engine, NULL))
    nmovpn_log(LOG_NOTICE, "no tunnel: nothing was counted");
}

static void on_socket_wanted(NmOvpnEngine *e, gboolean udp, const guint8 *ip, guint ip_len,
                             guint16 port, gpointer user_data)
{
  nmovpn_attempt_socket_wanted(user_data, udp, ip, ip_len, port);
}

static void on_closed(NmOvpnEngine *e, gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  if (a->state == NMOVPN_ATTEMPT_STOPPING)
    finish_stop(a);
}

static void on_gone(NmOvpnEngine *e, gboolean expected, const char *why, gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  if (a->state == NMOVPN_ATTEMPT_STOPPING) {
    finish_stop(a);
    return;
  }
  g_autofree char *text = g_strdup_printf(_("its engine ended (%s)"), why ? why : "?");
  nmovpn_attempt_fail_internal(a, text);
}

static const NmOvpnEngineCallbacks engine_callbacks = {
    .on_ready = on_ready,
    .on_state = on_state,
    .on_need = on_need,
    .on_pushed = nmovpn_attempt_pushed,
    .on_up = on_up,
    .on_failed = on_failed,
    .on_socket_wanted = on_socket_wanted,
    .on_log = on_log,
    .on_stats = on_stats,
    .on_closed = on_closed,
    .on_gone = on_gone,
};

/* ---- orders
 * -----------------------------------------------------------------------------------------------------
 */

gboolean nmovpn_attempt_start_engine(NmOvpnAttempt *a, GError **error)
{
  g_clear_pointer(&a->engine, nmovpn_engine_free);
  a->engine_ready = FALSE;
  a->engine = nmovpn_engine_spawn(&engine_callbacks, a, error);
  return a->engine && nmovpn_attempt_feed_engine(a, error);
}

NmOvpnAttempt *nmovpn_attempt_new(NmOvpnBroker *broker, const NmOvpnAttemptCallbacks *callbacks,
                                  gpointer user_data)
{
  NmOvpnAttempt *a = g_new0(NmOvpnAttempt, 1);
  a->broker = broker;
  a->callbacks = *callbacks;
  a->user_data = user_data;
  a->link_fd = a->tun.fd = -1;
  for (int i = 0; i < OVPN_FILE_MAX; i++)
    a->files[i] = -1;
  ovpn_config_init(&a->config);
  return a;
}

void nmovpn_attempt_free(NmOvpnAttempt *a)
{
  if (!a)
    return;
  release(a);
  ovpn_config_clear(&a->config);
  ovpn_option_list_clear(&a->options);
  if (a->have_pushed)
    ovpn_pushed_clear(&a->pushed);
  if (a->have_netconfig)
    nmovpn_netconfig_clear(&a->netconfig);
  g_clear_pointer(&a->names, nmovpn_route_names_free);
  g_clear_object(&a->connection);
  g_free(a->server_name);
  g_free(a->target);
  g_free(a);
}

gboolean nmovpn_attempt_start(NmOvpnAttempt *a, NMConnection *connection, gboolean interactive,
                              GError **error)
{
  a->connection = g_object_ref(connection);
  a->interactive = interactive;
  a->started_at = g_get_monotonic_time();
  nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_PREPARING);
  g_autoptr(GError) local = NULL;
  if (nmovpn_attempt_prepare(a, error)) {
    if (nmovpn_attempt_start_engine(a, &local)) {
      nmovpn_attempt_start_limit(a);
      return TRUE;
    }
    g_set_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_LAUNCH_FAILED,
                _("The VPN engine cannot be started: %s"), local ? local->message : "?");
  }
  release(a);
  nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_IDLE);
  return FALSE;
}
