/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Asking a person by way of NetworkManager, and what follows from the answer.
 *
 * What is asked for is named by hints (spec/desktop.md §4); the message is the only text of ours
 * that NetworkManager shows. A password that the server refused is forgotten before a new one is
 * asked for, at most three times in a row. The server's words in a message are escaped already.
 * spec/networkmanager-openvpn.md §4. */
#include <glib/gi18n-lib.h>
#include "service/attempt-private.h"
#include "service/log.h"
#include "service/profile.h"
#include "service/signer-client.h"

void nmovpn_attempt_ask(NmOvpnAttempt *a, OvpnNeed need, gboolean need_link, const char *message,
                        const char *const *hints, const char *log)
{
  if (!a->interactive) {
    OvpnFailure f = {0};
    ovpn_failure_set(
        &f, need == OVPN_NEED_PASSPHRASE ? OVPN_FAIL_PASSPHRASE : OVPN_FAIL_CREDENTIALS, "%s", log);
    nmovpn_attempt_fail(a, &f);
    return;
  }
  a->pending = need;
  a->need_link = need_link;
  nmovpn_attempt_stop_limit(a); /* a person may take long */
  nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_WAITING_SECRETS);
  nmovpn_log(LOG_NOTICE, "asking: %s", log);
  a->callbacks.secrets_required(message, hints, a->user_data);
}

void nmovpn_attempt_ask_user_pass(NmOvpnAttempt *a, gboolean need_link, const char *message)
{
  const char *hints[4] = {0};
  guint n = 0;
  if (!a->secrets.username)
    hints[n++] = NMOVPN_KEY_USERNAME;
  if (!a->secrets.password)
    hints[n++] = NMOVPN_SECRET_PASSWORD;
  if (a->config.static_challenge)
    hints[n++] = NMOVPN_SECRET_CHALLENGE;
  g_autofree char *text = NULL;
  if (a->config.static_challenge)
    text = message ? g_strdup_printf("%s %s", message, a->config.static_challenge)
                   : g_strdup(a->config.static_challenge);
  else
    text = g_strdup(message ? message : _("A password is needed to connect."));
  nmovpn_attempt_ask(a, OVPN_NEED_USER_PASS, need_link, text, hints, text);
}

void nmovpn_attempt_ask_passphrase(NmOvpnAttempt *a, gboolean need_link, gboolean wrong)
{
  static const char *const hints[] = {NMOVPN_SECRET_CERT_PASS, NULL};
  if (wrong && ++a->n_refused > NMOVPN_ATTEMPT_REFUSED_MAX) {
    OvpnFailure f = {.status = OVPN_FAIL_PASSPHRASE};
    nmovpn_attempt_fail(a, &f);
    return;
  }
  nmovpn_secrets_set(&a->secrets.cert_pass, NULL);
  gboolean token = nmovpn_signer_is_token(a->config.files[OVPN_FILE_KEY].name);
  const char *text = token && wrong ? _("The PIN of the security token is wrong.")
                     : token        ? _("The security token asks for its PIN.")
                     : wrong        ? _("The password of the private key is wrong.")
                                    : _("The private key is protected by a password.");
  nmovpn_attempt_ask(a, OVPN_NEED_PASSPHRASE, need_link, text, hints, text);
}

gboolean nmovpn_attempt_answer_user_pass(NmOvpnAttempt *a, GError **error)
{
  const NmOvpnSecrets *s = &a->secrets;
  if (a->config.static_challenge) {
    if (!nmovpn_engine_answer_challenge(a->engine, OVPN_NEED_STATIC_CHALLENGE, s->challenge, error))
      return FALSE;
    nmovpn_secrets_set(&a->secrets.challenge, NULL);
  }
  return nmovpn_engine_answer_user_pass(a->engine, s->username, s->password, error);
}

gboolean nmovpn_attempt_have_user_pass(const NmOvpnAttempt *a)
{
  return a->secrets.username && a->secrets.password &&
         (!a->config.static_challenge || a->secrets.challenge);
}

/* auth-retry: none ends it, nointeract tries again with the same and asks nobody. Without the line
 * people are asked, as NetworkManager does. TRUE: done. */
static gboolean refused_by_rule(NmOvpnAttempt *a, const OvpnFailure *f)
{
  g_autoptr(GError) error = NULL;
  gboolean again = a->config.auth_retry == OVPN_AUTH_RETRY_NOINTERACT;
  if (!again && a->config.auth_retry != OVPN_AUTH_RETRY_NONE)
    return FALSE;
  if (!again || (!a->was_up && a->n_refused > NMOVPN_ATTEMPT_REFUSED_MAX) ||
      !nmovpn_attempt_have_user_pass(a) || !nmovpn_attempt_answer_user_pass(a, &error))
    nmovpn_attempt_fail(a, f);
  else if (a->was_up)
    nmovpn_attempt_reconnect(a, f);
  else
    nmovpn_attempt_try_remote(a);
  return TRUE;
}

/* The server said no. */
void nmovpn_attempt_refused(NmOvpnAttempt *a, const OvpnFailure *f)
{
  g_autoptr(GError) error = NULL;
  a->n_refused++;
  if (a->was_up && a->n_refused == 1 && nmovpn_attempt_have_user_pass(a) &&
      nmovpn_attempt_answer_user_pass(a, &error)) {
    nmovpn_log(LOG_NOTICE,
               "the server refused the sign-in; trying once more with the stored password");
    nmovpn_attempt_try_remote(a); /* what it refused may have been its own old token */
    return;
  }
  if (refused_by_rule(a, f))
    return;
  if (!a->interactive || a->n_refused > NMOVPN_ATTEMPT_REFUSED_MAX || !a->config.auth_user_pass) {
    nmovpn_attempt_fail(a, f);
    return;
  }
  g_autofree char *sentence = nmovpn_attempt_sentence(a, f);
  nmovpn_secrets_set(&a->secrets.password, NULL);
  nmovpn_attempt_ask_user_pass(a, TRUE, sentence);
}

/* Only for this connection: NetworkManager keeps what the agent stores. */
static void ask_proxy(NmOvpnAttempt *a, gboolean need_link, const char *message)
{
  static const char *const hints[] = {NMOVPN_KEY_PROXY_USERNAME, NMOVPN_SECRET_PROXY_PASSWORD,
                                      NULL};
  g_autofree char *text =
      message ? g_strdup(message)
              : g_strdup_printf(_("The proxy %s asks for a user name and a password."),
                                a->config.proxy_host ? a->config.proxy_host : "");
  nmovpn_attempt_ask(a, OVPN_NEED_PROXY, need_link, text,
                     hints + (a->secrets.proxy_username ? 1 : 0), text);
}

static gboolean have_proxy_login(const NmOvpnAttempt *a)
{
  return a->secrets.proxy_username && a->secrets.proxy_password;
}

void nmovpn_attempt_need_proxy(NmOvpnAttempt *a)
{
  g_autoptr(GError) error = NULL;
  if (!have_proxy_login(a))
    ask_proxy(a, FALSE, NULL);
  else if (!nmovpn_engine_answer_proxy(a->engine, a->secrets.proxy_username,
                                       a->secrets.proxy_password, &error))
    nmovpn_attempt_fail_internal(a, error->message);
}

/* The proxy said no: another name and password, if somebody can be asked. */
void nmovpn_attempt_proxy_refused(NmOvpnAttempt *a, const OvpnFailure *f)
{
  if (!a->interactive || ++a->n_proxy_refused > NMOVPN_ATTEMPT_REFUSED_MAX ||
      !have_proxy_login(a)) {
    nmovpn_attempt_fail(a, f);
    return;
  }
  g_autofree char *sentence = nmovpn_attempt_sentence(a, f);
  nmovpn_secrets_set(&a->secrets.proxy_username, NULL);
  nmovpn_secrets_set(&a->secrets.proxy_password, NULL);
  ask_proxy(a, TRUE, sentence);
}

/* After an answer: a new session where the old one is over, else on with it. */
static void go_on(NmOvpnAttempt *a)
{
  if (!a->was_up)
    nmovpn_attempt_start_limit(a);
  if (!a->engine_ready)
    nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_PREPARING);
  else if (a->need_link)
    nmovpn_attempt_try_remote(a);
  else {
    nmovpn_attempt_set_state(a, NMOVPN_ATTEMPT_NEGOTIATING);
    if (!a->server_answered) /* it was the proxy that asked */
      nmovpn_race_begin(a);
  }
}

gboolean nmovpn_attempt_new_secrets(NmOvpnAttempt *a, NMConnection *connection, GError **error)
{
  NMSettingVpn *vpn = nm_connection_get_setting_vpn(connection);
  if (a->state != NMOVPN_ATTEMPT_WAITING_SECRETS || !vpn) {
    g_set_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_WRONG_STATE, "%s",
                _("No password was asked for."));
    return FALSE;
  }
  nmovpn_secrets_update(&a->secrets, vpn);
  OvpnFailure none = {.status = a->pending == OVPN_NEED_PASSPHRASE ? OVPN_FAIL_PASSPHRASE
                                                                   : OVPN_FAIL_CREDENTIALS};
  gboolean ok = TRUE, given = TRUE;
  switch (a->pending) {
  case OVPN_NEED_NONE:
    break;
  case OVPN_NEED_USER_PASS:
  case OVPN_NEED_STATIC_CHALLENGE:
    given = nmovpn_attempt_have_user_pass(a);
    ok = given && nmovpn_attempt_answer_user_pass(a, error);
    break;
  case OVPN_NEED_PASSPHRASE:
    given = a->secrets.cert_pass != NULL;
    if (given && a->need_link && !a->engine_ready)
      ok = nmovpn_attempt_start_engine(a, error); /* that engine had refused its configuration */
    else if (given)
      ok = nmovpn_engine_answer_passphrase(a->engine, a->secrets.cert_pass, error);
    break;
  case OVPN_NEED_BROWSER:
  case OVPN_NEED_PATIENCE:
    nmovpn_secrets_set(&a->secrets.challenge, NULL); /* what the dialog filled in */
    if (!a->need_link) {
      nmovpn_attempt_go_on_waiting(a);
      return TRUE;
    }
    break;
  case OVPN_NEED_CHALLENGE:
  case OVPN_NEED_QUESTION:
    given = a->secrets.challenge != NULL;
    ok =
        given && nmovpn_engine_answer_challenge(a->engine, a->pending, a->secrets.challenge, error);
    nmovpn_secrets_set(&a->secrets.challenge, NULL);
    break;
  case OVPN_NEED_PROXY:
    given = have_proxy_login(a);
    ok = given && nmovpn_engine_answer_proxy(a->engine, a->secrets.proxy_username,
                                             a->secrets.proxy_password, error);
    break;
  }
  if (!given) {
    g_autofree char *sentence = nmovpn_attempt_sentence(a, &none);
    g_set_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS, "%s", sentence);
    return FALSE;
  }
  if (ok)
    go_on(a);
  return ok;
}
