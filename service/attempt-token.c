/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A certificate and key on a PKCS#11 token: who signs, and the PIN.
 *
 * The PIN goes to nm-ovpn-signer only. A refused one is forgotten and never tried again, because
 * tokens lock themselves. spec/openvpn-protocol.md §14.5 */
#include <glib/gi18n-lib.h>
#include <string.h>
#include <unistd.h>
#include "helper/core/secret.h"
#include "service/attempt-private.h"
#include "service/log.h"
#include "service/profile.h"
#include "service/signer-client.h"

gboolean nmovpn_attempt_uses_token(const NmOvpnAttempt *a)
{
  return nmovpn_signer_is_token(a->config.files[OVPN_FILE_KEY].name);
}

/* Who answers with a file gives the same PIN as often as it is asked for. */
static gboolean was_refused(const NmOvpnAttempt *a)
{
  const char *pin = a->secrets.cert_pass, *old = a->refused_pin;
  return pin && old && strlen(pin) == strlen(old) && ovpn_equal_ct(pin, old, strlen(pin));
}

static OvpnSignerResult start_signer(NmOvpnAttempt *a, int *ret_fd, OvpnBlob *ret_pem,
                                     char **ret_text)
{
  const OvpnFile *cert = &a->config.files[OVPN_FILE_CERT], *key = &a->config.files[OVPN_FILE_KEY];
  OvpnSignerResult result =
      nmovpn_signer_start(nmovpn_signer_is_token(cert->name) ? cert->name : NULL, key->name,
                          &a->options, a->secrets.cert_pass, ret_fd, ret_pem, ret_text);
  if (result == OVPN_SIGNER_PIN_WRONG)
    nmovpn_secrets_set(&a->refused_pin, a->secrets.cert_pass);
  return result;
}

gboolean nmovpn_attempt_token_again(NmOvpnAttempt *a)
{
  OvpnFailure f = {.status = OVPN_FAIL_PASSPHRASE};
  ovpn_auto_blob pem = {0};
  g_autofree char *text = NULL;
  g_autoptr(GError) error = NULL;
  int fd = -1;
  a->token_doubt = FALSE;
  switch (start_signer(a, &fd, &pem, &text)) {
  case OVPN_SIGNER_OK:
    break;
  case OVPN_SIGNER_PIN_WRONG:
  case OVPN_SIGNER_PIN_NEEDED:
    nmovpn_attempt_fail(a, &f);
    return FALSE;
  case OVPN_SIGNER_FAILED: /* it may be plugged in again */
    nmovpn_log(LOG_WARNING, _("The key on the security token cannot be used: %s"),
               text ? text : "?");
    return TRUE;
  }
  if (!nmovpn_engine_send_signer(a->engine, fd, &error))
    nmovpn_attempt_fail_internal(a, error->message);
  close(fd);
  return !error;
}

/* Outside of Connect, which NetworkManager waits for. */
static gboolean on_ask_pin(gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  gboolean wrong = a->pin_refused;
  g_clear_pointer(&a->wait_timer, g_source_unref);
  nmovpn_secrets_set(&a->secrets.cert_pass, NULL);
  nmovpn_attempt_ask_passphrase(a, TRUE, wrong);
  return G_SOURCE_REMOVE;
}

static void ask_pin_later(NmOvpnAttempt *a, gboolean wrong)
{
  a->pin_refused = wrong;
  nmovpn_attempt_forget_signin(a);
  nmovpn_attempt_attach(&a->wait_timer, g_idle_source_new(), on_ask_pin, a);
}

gboolean nmovpn_attempt_open_token(NmOvpnAttempt *a, gboolean *ret_wait, GError **error)
{
  ovpn_auto_blob pem = {0};
  g_autofree char *text = NULL;
  int fd = -1;
  *ret_wait = FALSE;
  if (was_refused(a)) {
    g_set_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS, "%s",
                _("The PIN of the security token is wrong."));
    return FALSE;
  }
  OvpnSignerResult result = start_signer(a, &fd, &pem, &text);
  switch (result) {
  case OVPN_SIGNER_OK:
    break;
  case OVPN_SIGNER_PIN_WRONG:
  case OVPN_SIGNER_PIN_NEEDED:
    if (a->interactive) {
      ask_pin_later(a, result == OVPN_SIGNER_PIN_WRONG);
      *ret_wait = TRUE;
      return TRUE;
    }
    g_set_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS, "%s",
                result == OVPN_SIGNER_PIN_WRONG ? _("The PIN of the security token is wrong.")
                                                : _("The PIN of the security token is missing."));
    return FALSE;
  case OVPN_SIGNER_FAILED:
    g_set_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS,
                _("The key on the security token cannot be used: %s"), text ? text : "?");
    return FALSE;
  }
  gboolean ok = (pem.len == 0 || nmovpn_engine_send_file_content(a->engine, OVPN_FILE_CERT,
                                                                 pem.data, pem.len, error)) &&
                nmovpn_engine_send_signer(a->engine, fd, error);
  close(fd);
  return ok;
}
