/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the engine asks for, and servers that take their time: a page to open in a browser, a
 * question, a confirmation on a phone, "come back later".
 *
 * While the server decides, the session lives on and the person is shown what it waits for. That is
 * done by a request for secrets, for two reasons: it is the only text of ours that people see, and
 * NetworkManager's limit of 60 s for connecting (one shot, counted from Connect, in the states
 * "connect" and "getting IP configuration" only) does not end a connection that waits for a person.
 * The request needs no answer: plugin.c takes it back when the server has decided. Who
 * presses the button early is shown it again before the limit. Nothing is opened here; addresses
 * are checked (engine-client.c) and never logged as a whole, since they may hold tickets.
 * spec/openvpn-protocol.md §13.4, §13.6, §13.7, spec/desktop.md §4. */
#include <glib/gi18n-lib.h>
#include <string.h>
#include "helper/core/signin.h"
#include "service/attempt-private.h"
#include "service/log.h"
#include "service/profile.h"

enum {
  PATIENCE_SECONDS = 2, /* the page or the question comes right behind AUTH_PENDING */
  BEFORE_LIMIT = 12,    /* ask again so long before NetworkManager's limit */
  LIMIT = 60,
  COME_BACK_MIN = 1,
};

static gboolean is_live(OvpnNeed need)
{
  return need == OVPN_NEED_BROWSER || need == OVPN_NEED_PATIENCE || need == OVPN_NEED_QUESTION;
}

gboolean nmovpn_attempt_is_waiting(const NmOvpnAttempt *a)
{
  return a->state == NMOVPN_ATTEMPT_WAITING_SECRETS && is_live(a->pending) && !a->need_link;
}

void nmovpn_attempt_end_wait(NmOvpnAttempt *a)
{
  nmovpn_attempt_clear_source(&a->wait_timer);
  if (!nmovpn_attempt_is_waiting(a))
    return;
  nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_NEGOTIATING);
  a->callbacks.secrets_not_required(a->user_data);
}

void nmovpn_attempt_forget_signin(NmOvpnAttempt *a)
{
  nmovpn_attempt_clear_source(&a->wait_timer);
  nmovpn_secrets_set(&a->page, NULL);
  g_clear_pointer(&a->refusal, g_free);
  a->wait_until = 0;
  a->signin = OVPN_NEED_NONE;
}

/* ---- waiting for the server ---- */

static guint seconds_left(const NmOvpnAttempt *a)
{
  gint64 left = a->wait_until - g_get_monotonic_time();
  return left > 0 ? (guint)(left / G_USEC_PER_SEC) : 0;
}

static char *patience_text(const NmOvpnAttempt *a)
{
  guint left = seconds_left(a);
  if (a->page)
    return g_strdup_printf(_("Finish signing in with the browser. The page is:\n%s"), a->page);
  if (left == 0)
    return g_strdup(_("The server waits until the sign-in is confirmed, for example on a phone."));
  return g_strdup_printf(
      g_dngettext(
          GETTEXT_PACKAGE,
          "The server waits %u second for the sign-in to be confirmed, for example on a phone.",
          "The server waits %u seconds for the sign-in to be confirmed, for example on a "
          "phone.",
          left),
      left);
}

static gboolean on_patience(gpointer user_data)
{
  const char *hints[] = {NMOVPN_HINT_PATIENCE, nmovpn_secrets_challenge_hint(TRUE), NULL};
  NmOvpnAttempt *a = user_data;
  g_autofree char *text = patience_text(a);
  nmovpn_attempt_clear_source(&a->wait_timer);
  if (a->state == NMOVPN_ATTEMPT_NEGOTIATING && a->interactive)
    nmovpn_attempt_ask(a, OVPN_NEED_PATIENCE, FALSE, text, hints,
                       _("the server waits until the sign-in is confirmed"));
  return G_SOURCE_REMOVE;
}

/* Somebody pressed the button before the server was content. */
void nmovpn_attempt_go_on_waiting(NmOvpnAttempt *a)
{
  gint64 since = (g_get_monotonic_time() - a->started_at) / G_USEC_PER_SEC;
  gint64 delay = since < LIMIT - BEFORE_LIMIT ? LIMIT - BEFORE_LIMIT - since : LIMIT - BEFORE_LIMIT;
  if (since >= LIMIT - BEFORE_LIMIT && since < LIMIT)
    delay = 1;
  nmovpn_attempt_stop_limit(a);
  nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_NEGOTIATING);
  nmovpn_attempt_start_timer_ms(a, &a->wait_timer, (guint)delay * 1000, on_patience);
}

static void note_wait(NmOvpnAttempt *a, const NmOvpnQuestion *q)
{
  if (q->seconds)
    a->wait_until = g_get_monotonic_time() + (gint64)q->seconds * G_USEC_PER_SEC;
  a->signin = q->need;
}

static void needs_patience(NmOvpnAttempt *a, const NmOvpnQuestion *q)
{
  note_wait(a, q);
  nmovpn_log(LOG_NOTICE, "the server needs up to %u s to decide about the sign-in", q->seconds);
  if (a->state == NMOVPN_ATTEMPT_NEGOTIATING)
    nmovpn_attempt_start_timer_ms(a, &a->wait_timer, PATIENCE_SECONDS * 1000, on_patience);
}

static void needs_browser(NmOvpnAttempt *a, const NmOvpnQuestion *q)
{
  const char *hints[] = {NMOVPN_HINT_BROWSER, nmovpn_secrets_challenge_hint(TRUE), NULL};
  g_autofree char *origin = g_strndup(q->text, ovpn_web_origin_len(q->text));
  g_autofree char *log =
      g_strdup_printf(_("the server wants a sign-in with a browser at %s"), origin);
  g_autofree char *text =
      g_strdup_printf(_("Sign in with a browser to connect. Open this page:\n%s"), q->text);
  nmovpn_attempt_end_wait(a);
  if (a->state != NMOVPN_ATTEMPT_NEGOTIATING)
    return;
  note_wait(a, q);
  nmovpn_secrets_set(&a->page, q->text);
  nmovpn_attempt_ask(a, OVPN_NEED_BROWSER, FALSE, text, hints, log);
}

static void needs_answer(NmOvpnAttempt *a, const NmOvpnQuestion *q)
{
  const char *hints[] = {nmovpn_secrets_challenge_hint(q->echo), NULL};
  const char *question = *q->text ? q->text : _("The server asks for a further code.");
  g_autofree char *text =
      a->refusal ? g_strdup_printf("%s %s", a->refusal, question) : g_strdup(question);
  nmovpn_attempt_end_wait(a);
  if (is_live(q->need) && a->state != NMOVPN_ATTEMPT_NEGOTIATING)
    return;
  if (is_live(q->need))
    note_wait(a, q);
  nmovpn_secrets_set(&a->secrets.challenge, NULL);
  nmovpn_attempt_ask(a, q->need, FALSE, text, hints, text);
}

/* ---- what the engine asks for ---- */

static void needs_user_pass(NmOvpnAttempt *a, const NmOvpnQuestion *q)
{
  g_autoptr(GError) error = NULL;
  if (q->wrong)
    nmovpn_secrets_set(&a->secrets.password, NULL);
  if (!nmovpn_attempt_have_user_pass(a))
    nmovpn_attempt_ask_user_pass(a, FALSE, *q->text ? q->text : NULL);
  else if (!nmovpn_attempt_answer_user_pass(a, &error))
    nmovpn_attempt_fail_internal(a, error->message);
}

static void needs_passphrase(NmOvpnAttempt *a, const NmOvpnQuestion *q)
{
  g_autoptr(GError) error = NULL;
  if (q->wrong || !a->secrets.cert_pass)
    nmovpn_attempt_ask_passphrase(a, FALSE, q->wrong);
  else if (!nmovpn_engine_answer_passphrase(a->engine, a->secrets.cert_pass, &error))
    nmovpn_attempt_fail_internal(a, error->message);
}

static void needs_challenge(NmOvpnAttempt *a, const NmOvpnQuestion *q)
{
  g_autoptr(GError) error = NULL;
  if (q->required) {
    needs_answer(a, q);
    return;
  }
  /* Only words, and the server waits for a session with an empty answer. FAILED follows. */
  g_autofree char *safe = nmovpn_log_escape(q->text);
  nmovpn_log(LOG_NOTICE, "the server says: %s", safe);
  if (!nmovpn_engine_answer_challenge(a->engine, OVPN_NEED_CHALLENGE, "", &error))
    nmovpn_attempt_fail_internal(a, error->message);
  else
    a->signin = OVPN_NEED_CHALLENGE;
}

void nmovpn_attempt_needs(NmOvpnAttempt *a, const NmOvpnQuestion *q)
{
  if (a->state != NMOVPN_ATTEMPT_PREPARING && a->state != NMOVPN_ATTEMPT_NEGOTIATING &&
      a->state != NMOVPN_ATTEMPT_CONFIGURING && a->state != NMOVPN_ATTEMPT_UP &&
      !nmovpn_attempt_is_waiting(a))
    return;
  a->person |= q->need == OVPN_NEED_STATIC_CHALLENGE || q->need == OVPN_NEED_BROWSER ||
               q->need == OVPN_NEED_QUESTION || (q->need == OVPN_NEED_CHALLENGE && q->required);
  switch (q->need) {
  case OVPN_NEED_NONE:
    return;
  case OVPN_NEED_USER_PASS:
  case OVPN_NEED_STATIC_CHALLENGE:
    needs_user_pass(a, q);
    return;
  case OVPN_NEED_PASSPHRASE:
    needs_passphrase(a, q);
    return;
  case OVPN_NEED_PROXY:
    nmovpn_attempt_need_proxy(a);
    return;
  case OVPN_NEED_CHALLENGE:
    needs_challenge(a, q);
    return;
  case OVPN_NEED_QUESTION:
    needs_answer(a, q);
    return;
  case OVPN_NEED_BROWSER:
    needs_browser(a, q);
    return;
  case OVPN_NEED_PATIENCE:
    needs_patience(a, q);
    return;
  }
}

/* ---- when it fails ---- */

static gboolean on_come_back(gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  if (a->next_address)
    nmovpn_attempt_resolved(a);
  else
    nmovpn_attempt_try_remote(a);
  return G_SOURCE_REMOVE;
}

/* AUTH_FAILED,TEMP: where to, and after how long, is the server's word. Before the first success
 * only within the time that is left. */
static void come_back_later(NmOvpnAttempt *a, const OvpnFailure *f)
{
  guint seconds = MAX(f->arg & OVPN_TEMP_SECONDS, COME_BACK_MIN);
  a->backoff = a->backoff ? MIN(a->backoff * 2, MAX(a->config.connect_retry_max_wait, 1)) : 1;
  seconds = MAX(seconds, a->backoff);
  if (a->first_failure.status == OVPN_OK)
    a->first_failure = *f;
  if (a->overall_timer && g_source_get_ready_time(a->overall_timer) <=
                              g_get_monotonic_time() + (gint64)seconds * G_USEC_PER_SEC) {
    nmovpn_attempt_fail(a, f);
    return;
  }
  if (f->arg & OVPN_TEMP_STAY) {
    GSList *here = a->addresses;
    while (here && here->next != a->next_address)
      here = here->next;
    a->next_address = here;
  } else if (f->arg & OVPN_TEMP_NEXT_REMOTE || !a->next_address) {
    a->next_address = NULL;
    a->round_index = (a->round_index + 1) % a->config.n_remotes;
  }
  g_autofree char *sentence = nmovpn_attempt_sentence(a, f);
  nmovpn_log(LOG_WARNING, "%s", sentence);
  nmovpn_log(LOG_NOTICE, "trying again in %u s", seconds);
  nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_RECONNECTING);
  nmovpn_attempt_start_timer_ms(a, &a->state_timer, seconds * 1000, on_come_back);
}

/* A wrong answer to a question need not mean a wrong password: once more with it. */
static gboolean question_again(NmOvpnAttempt *a, const OvpnFailure *f)
{
  g_autoptr(GError) error = NULL;
  if (++a->n_refused > NMOVPN_ATTEMPT_REFUSED_MAX)
    return FALSE;
  if (a->config.auth_user_pass &&
      (!nmovpn_attempt_have_user_pass(a) || !nmovpn_attempt_answer_user_pass(a, &error)))
    return FALSE;
  g_free(a->refusal);
  a->refusal = nmovpn_attempt_sentence(a, f);
  nmovpn_log(LOG_WARNING, "%s", a->refusal);
  nmovpn_attempt_try_remote(a);
  return TRUE;
}

gboolean nmovpn_attempt_signin_failed(NmOvpnAttempt *a, const OvpnFailure *f)
{
  OvpnNeed signin = a->signin;
  gboolean refused = f->status == OVPN_FAIL_AUTH;
  a->signin = OVPN_NEED_NONE;
  nmovpn_secrets_set(&a->page, NULL);
  if (a->state != NMOVPN_ATTEMPT_NEGOTIATING && a->state != NMOVPN_ATTEMPT_CONFIGURING &&
      a->state != NMOVPN_ATTEMPT_UP)
    return FALSE;
  if (f->status == OVPN_FAIL_AUTH_TEMP) {
    come_back_later(a, f);
    return TRUE;
  }
  if (signin == OVPN_NEED_CHALLENGE && refused) { /* its empty answer is with the engine */
    if (++a->n_refused > NMOVPN_ATTEMPT_REFUSED_MAX)
      nmovpn_attempt_fail(a, f); /* it only repeats its words */
    else
      nmovpn_attempt_try_remote(a);
    return TRUE;
  }
  if (signin == OVPN_NEED_QUESTION && refused && question_again(a, f))
    return TRUE;
  if (is_live(signin) && (refused || f->status == OVPN_FAIL_NO_PUSH_REPLY)) {
    nmovpn_attempt_fail(a, f); /* the password was not the cause, another server is no help */
    return TRUE;
  }
  return FALSE;
}
