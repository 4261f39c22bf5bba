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

enum { STOP_SECONDS = 2 };

#define BIT(s) (1u << NMOVPN_ATTEMPT_##s)
/* From anywhere to STOPPING and IDLE; the rest is listed. */
static const guint legal_next[] = {
    [NMOVPN_ATTEMPT_IDLE] = BIT(PREPARING),
    [NMOVPN_ATTEMPT_PREPARING] = BIT(RESOLVING) | BIT(WAITING_SECRETS),
    [NMOVPN_ATTEMPT_RESOLVING] =
        BIT(LINKING) | BIT(NEGOTIATING) | BIT(RESOLVING) | BIT(RECONNECTING),
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

void nmovpn_attempt_clear_source(GSource **s)
{
  if (*s)
    g_source_destroy(*s);
  g_clear_pointer(s, g_source_unref);
}

void nmovpn_attempt_attach(GSource **slot, GSource *source, GSourceFunc f, gpointer data)
{
  nmovpn_attempt_clear_source(slot);
  *slot = source;
  g_source_set_callback(source, f, data, NULL);
  g_source_attach(source, NULL);
}

void nmovpn_attempt_start_timer(NmOvpnAttempt *a, GSource **slot, guint seconds, GSourceFunc f)
{
  nmovpn_attempt_attach(slot, g_timeout_source_new_seconds(seconds), f, a);
}

void nmovpn_attempt_start_timer_ms(NmOvpnAttempt *a, GSource **slot, guint ms, GSourceFunc f)
{
  nmovpn_attempt_attach(slot, g_timeout_source_new(ms), f, a);
}

void nmovpn_attempt_set_state(NmOvpnAttempt *a, NmOvpnAttemptState s)
{
  g_assert(s == NMOVPN_ATTEMPT_IDLE || s == NMOVPN_ATTEMPT_STOPPING ||
           (legal_next[a->state] & (1u << s)));
  nmovpn_attempt_clear_source(&a->state_timer);
  nmovpn_attempt_end_pause(a);
  if (s != a->state)
    nmovpn_log(LOG_INFO, "state %s -> %s", state_text(a->state), state_text(s));
  a->state = s;
  nmovpn_attempt_check_names(a);
  nmovpn_log_set_state(state_text(s));
}

const OvpnRemote *nmovpn_attempt_remote(const NmOvpnAttempt *a)
{
  return &a->config.remotes[a->place.remote % a->config.n_remotes];
}

char *nmovpn_attempt_sentence(const NmOvpnAttempt *a, const OvpnFailure *f)
{
  const OvpnFile *files = a->config.files;
  NmOvpnFailureContext c = {
      .server = a->place.server_name,
      .proto = a->config.n_remotes ? nmovpn_attempt_remote(a)->proto : OVPN_PROTO_UDP,
      .control_key = files[OVPN_FILE_TLS_AUTH].name || files[OVPN_FILE_TLS_CRYPT].name ||
                     files[OVPN_FILE_TLS_CRYPT_V2].name,
      .config = &a->config,
      .waits_on = nmovpn_attempt_waits(a) ? nmovpn_attempt_own_port(a) : 0,
  };
  return nmovpn_failure_sentence(f, &c);
}

/* ---- the end ---- */

static void close_tun(NmOvpnAttempt *a)
{
  if (a->tun.fd >= 0)
    close(a->tun.fd);
  a->tun.fd = -1;
}

static void release(NmOvpnAttempt *a)
{
  nmovpn_names_forget(a);
  nmovpn_attempt_cancel_link(a);
  nmovpn_race_end(a);
  a->place.number = 0;
  nmovpn_attempt_clear_source(&a->overall_timer);
  nmovpn_attempt_clear_source(&a->state_timer);
  nmovpn_attempt_forget_signin(a);
  g_clear_pointer(&a->engine, nmovpn_engine_free);
  a->engine_ready = FALSE;
  close_tun(a);
  nmovpn_attempt_close_files(a);
  nmovpn_secrets_clear(&a->secrets);
  nmovpn_secrets_set(&a->refused_pin, NULL);
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
  nmovpn_race_end(a);
  nmovpn_attempt_clear_source(&a->overall_timer);
  if (a->state == NMOVPN_ATTEMPT_UP)
    nmovpn_attempt_log_stats(a);
  if (in_session && a->engine && nmovpn_engine_send_close(a->engine, NULL)) {
    nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_STOPPING);
    nmovpn_attempt_start_timer(a, &a->state_timer, STOP_SECONDS, on_stop_timeout);
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

/* ---- timers ---- */

static gboolean on_overall_timeout(gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  OvpnFailure f = a->first_failure;
  if (a->state == NMOVPN_ATTEMPT_CONFIGURING && a->lease_wanted)
    ovpn_failure_set(&f, OVPN_FAIL_DHCP, "%s", "");
  ovpn_failure_set(&f, a->server_answered ? OVPN_FAIL_HANDSHAKE_TIMEOUT : OVPN_FAIL_NO_ANSWER, "%s",
                   "");
  if (f.status == OVPN_FAIL_HANDSHAKE_TIMEOUT && a->session == OVPN_SESSION_KEY_EXCHANGE)
    f.arg = 1;
  if (nmovpn_attempt_waits(a) && a->first_failure_server) { /* who called without success */
    g_free(a->place.server_name);
    a->place.server_name = g_steal_pointer(&a->first_failure_server);
  }
  nmovpn_attempt_fail(a, &f);
  return G_SOURCE_REMOVE;
}

void nmovpn_attempt_start_limit(NmOvpnAttempt *a)
{
  guint limit = nm_setting_vpn_get_timeout(nm_connection_get_setting_vpn(a->connection));
  limit = limit ? MIN(limit, NMOVPN_ATTEMPT_LIMIT_SECONDS) : NMOVPN_ATTEMPT_LIMIT_SECONDS;
  nmovpn_attempt_start_timer(
      a, &a->overall_timer,
      limit > 2 * NMOVPN_ATTEMPT_LIMIT_RESERVE ? limit - NMOVPN_ATTEMPT_LIMIT_RESERVE : limit,
      on_overall_timeout);
}

void nmovpn_attempt_stop_limit(NmOvpnAttempt *a)
{
  nmovpn_attempt_clear_source(&a->overall_timer);
}

/* ---- the engine's events ---- */

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
  nmovpn_attempt_limit_handshake(a);
}

static void on_chosen(NmOvpnEngine *e, guint number, gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  gboolean trying = a->state == NMOVPN_ATTEMPT_RESOLVING || a->state == NMOVPN_ATTEMPT_LINKING ||
                    a->state == NMOVPN_ATTEMPT_NEGOTIATING;
  size_t before = a->place.remote;
  if ((!trying && a->state != NMOVPN_ATTEMPT_UP) || !nmovpn_race_chosen(a, number))
    return; /* given up in the meantime */
  if (a->state == NMOVPN_ATTEMPT_UP) {
    nmovpn_attempt_has_moved(a, before);
    return;
  }
  if (a->state != NMOVPN_ATTEMPT_NEGOTIATING)
    nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_NEGOTIATING);
  nmovpn_log(LOG_INFO, "%s answers", a->place.server_name);
  nmovpn_attempt_answered(a);
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
  a->moved_from = -1;
  a->good = (gint)a->place.remote;
  nmovpn_names_look_ahead(a);
  a->unfit = 0;
  if (a->state == NMOVPN_ATTEMPT_CONFIGURING) {
    nmovpn_log(LOG_NOTICE, "connected to %s with %s, device %s", a->place.server_name, cipher,
               a->tun.ifname);
    nmovpn_attempt_clear_source(&a->overall_timer);
    nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_UP);
    a->was_up = TRUE;
    nmovpn_attempt_stop_listening(a);
    a->rounds = 0;
    a->up_at = g_get_monotonic_time();
    a->tried = a->backoff = a->n_refused = a->n_proxy_refused = 0;
    a->round_index = a->place.remote;
    memset(&a->first_failure, 0, sizeof(a->first_failure));
    nmovpn_attempt_close_files(a);
  }
  nmovpn_attempt_report(a);
}

static void on_silent(NmOvpnEngine *e, gboolean silent, gpointer user_data)
{
  if (silent)
    nmovpn_attempt_look_again(user_data);
  else
    nmovpn_attempt_heard_again(user_data);
}

/* What tls-exit is about. */
static gboolean is_handshake(OvpnStatus s)
{
  return s == OVPN_FAIL_HANDSHAKE_TIMEOUT || s == OVPN_FAIL_TLS || s == OVPN_FAIL_TLS_ALERT ||
         s == OVPN_FAIL_RENEGOTIATION;
}

static void on_failed(NmOvpnEngine *e, const OvpnFailure *f, guint number, gboolean others,
                      gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  if (nmovpn_race_failed(a, number, f) || (number && number != a->place.number))
    return; /* one of several, or one that was given up already */
  a->place.number = 0;
  a->token_doubt = f->status == OVPN_FAIL_SIGNATURE;
  NmOvpnFailureAction action =
      nmovpn_attempt_is_only_here(a, f) ? NMOVPN_FAILURE_NEXT : nmovpn_failure_action(f->status);
  nmovpn_attempt_end_wait(a);
  if (nmovpn_attempt_signin_failed(a, f) || nmovpn_attempt_move_back(a, f))
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
    if (a->state == NMOVPN_ATTEMPT_PREPARING || (a->config.tls_exit && is_handshake(f->status)))
      nmovpn_attempt_fail(a, f);
    else if (a->state == NMOVPN_ATTEMPT_UP)
      nmovpn_attempt_reconnect(a, f);
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
  case OVPN_LOG_TLS_SESSION:
    return "TLS: ";
  case OVPN_LOG_PUSH_IGNORED:
    return "ignored what the server sent: ";
  case OVPN_LOG_RENEGOTIATED:
    return "new keys agreed on: ";
  case OVPN_LOG_FALLBACK:
    return "falling back: ";
  case OVPN_LOG_SERVER_TEXT:
    return "the server says: ";
  case OVPN_LOG_WEAK:
    return "weak: ";
  case OVPN_LOG_DHCP:
    return "DHCP: ";
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

static void on_socket_wanted(NmOvpnEngine *e, guint number, gboolean udp, const guint8 *ip,
                             guint ip_len, guint16 port, gpointer user_data)
{
  nmovpn_attempt_socket_wanted(user_data, number, udp, ip, ip_len, port);
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
    .on_lease = nmovpn_attempt_leased,
    .on_up = on_up,
    .on_failed = on_failed,
    .on_chosen = on_chosen,
    .on_silent = on_silent,
    .on_socket_wanted = on_socket_wanted,
    .on_peer = nmovpn_attempt_on_peer,
    .on_caller_refused = nmovpn_attempt_on_caller_refused,
    .on_log = on_log,
    .on_stats = on_stats,
    .on_closed = on_closed,
    .on_gone = on_gone,
};

/* ---- orders ---- */

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
  a->place.fd = a->listen_fd = a->tun.fd = a->moved_from = a->good = a->pause.routes_fd = -1;
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
  nmovpn_attempt_forget_lease(a);
  nmovpn_attempt_forget_local(a);
  if (a->have_netconfig)
    nmovpn_netconfig_clear(&a->netconfig);
  g_clear_pointer(&a->names, nmovpn_route_names_free);
  g_clear_object(&a->connection);
  g_free(a->first_failure_server);
  g_free(a->place.server_name);
  g_free(a->place.target);
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
    if (g_error_matches(local, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS))
      g_propagate_error(error, g_steal_pointer(&local)); /* a whole sentence */
    else
      g_set_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_LAUNCH_FAILED,
                  _("The VPN engine cannot be started: %s"), local ? local->message : "?");
  }
  release(a);
  nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_IDLE);
  return FALSE;
}
