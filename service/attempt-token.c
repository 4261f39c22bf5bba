/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A key on a PKCS#11 token or in a TPM, perhaps with its certificate: who signs, and the PIN.
 *
 * The PIN goes to nm-ovpn-signer only. A refused one is forgotten and never tried again, because
 * tokens lock themselves. spec/openvpn-protocol.md §14.5 */
#include <glib/gi18n-lib.h>
#include <grp.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include "helper/core/secret.h"
#include "ovpn-build.h"
#include "service/attempt-private.h"
#include "service/log.h"
#include "service/profile.h"
#include "service/signer-client.h"

/* A key file that only a TPM can use. */
static gboolean tpm_file(const NmOvpnAttempt *a)
{
  const OvpnFile *key = &a->config.files[OVPN_FILE_KEY];
  return nmovpn_signer_is_tpm_file(key->content.data, key->content.len);
}

gboolean nmovpn_attempt_uses_token(const NmOvpnAttempt *a)
{
  return nmovpn_signer_is_token(a->config.files[OVPN_FILE_KEY].name) || tpm_file(a);
}

gboolean nmovpn_attempt_fetch_tpm_key(NmOvpnAttempt *a)
{
  char text[OVPN_SIGNER_TEXT_MAX + 1];
  OvpnFile *key = &a->config.files[OVPN_FILE_KEY];
  int *fd = &a->files[OVPN_FILE_KEY];
  ssize_t n = *fd >= 0 ? pread(*fd, text, sizeof(text), 0) : -1;
  gboolean ok = TRUE;
  if (n > 0 && nmovpn_signer_is_tpm_file(text, (gsize)n)) {
    close(*fd);
    *fd = -1;
    ok = ovpn_blob_set(&key->content, text, (gsize)n);
  }
  ovpn_wipe(text, sizeof(text));
  return ok;
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
  g_autofree char *file =
      tpm_file(a) ? g_strndup((const char *)key->content.data, key->content.len) : NULL;
  OvpnSignerResult result = nmovpn_signer_start(
      nmovpn_signer_is_token(cert->name) ? cert->name : NULL, file ? file : key->name, &a->options,
      a->secrets.cert_pass, ret_fd, ret_pem, ret_text);
  if (result == OVPN_SIGNER_PIN_WRONG)
    nmovpn_secrets_set(&a->refused_pin, a->secrets.cert_pass);
  return result;
}

/* What the user of this service would have to be let at. */
static char *no_access(const char *path)
{
  struct stat st;
  const struct group *g = path && stat(path, &st) == 0 ? getgrgid(st.st_gid) : NULL;
  if (g && st.st_gid != 0 && S_ISCHR(st.st_mode))
    return g_strdup_printf(_("The TPM cannot be used: the user %s may not open %s. An "
                             "administrator can add it to the group %s."),
                           NMOVPN_SERVICE_USER, path, g->gr_name);
  return g_strdup_printf(_("The TPM cannot be used: the user %s may not open or change %s."),
                         NMOVPN_SERVICE_USER, path ? path : "?");
}

static char *refusal_sentence(const NmOvpnAttempt *a, OvpnSignerResult result, const char *text)
{
  if (tpm_file(a) && (result == OVPN_SIGNER_PIN_WRONG || result == OVPN_SIGNER_PIN_NEEDED))
    return g_strdup(_("The password of the private key is wrong or missing."));
  switch (result) {
  case OVPN_SIGNER_OK:
    break;
  case OVPN_SIGNER_PIN_WRONG:
    return g_strdup(_("The PIN of the security token is wrong."));
  case OVPN_SIGNER_PIN_NEEDED:
    return g_strdup(_("The PIN of the security token is missing."));
  case OVPN_SIGNER_NO_TPM_FILES:
    return g_strdup(_("The private key is a file for a TPM, which the GnuTLS of this system cannot "
                      "use. Put the key into a token of tpm2-pkcs11 (tpm2_ptool link), and give "
                      "its pkcs11: address as the key."));
  case OVPN_SIGNER_NO_ACCESS:
    return no_access(text);
  case OVPN_SIGNER_FAILED:
    break;
  }
  return g_strdup_printf(_("The key on the security token cannot be used: %s"), text ? text : "?");
}

gboolean nmovpn_attempt_token_again(NmOvpnAttempt *a)
{
  OvpnFailure f = {.status = OVPN_FAIL_PASSPHRASE};
  ovpn_auto_blob pem = {0};
  g_autofree char *text = NULL;
  g_autoptr(GError) error = NULL;
  int fd = -1;
  a->token_doubt = FALSE;
  OvpnSignerResult result = start_signer(a, &fd, &pem, &text);
  if (result == OVPN_SIGNER_PIN_WRONG || result == OVPN_SIGNER_PIN_NEEDED) {
    nmovpn_attempt_fail(a, &f);
    return FALSE;
  }
  if (result != OVPN_SIGNER_OK) { /* it may be plugged in again */
    g_autofree char *sentence = refusal_sentence(a, result, text);
    nmovpn_log(LOG_WARNING, "%s", sentence);
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
  gboolean pin = result == OVPN_SIGNER_PIN_WRONG || result == OVPN_SIGNER_PIN_NEEDED;
  if (pin && a->interactive) {
    ask_pin_later(a, result == OVPN_SIGNER_PIN_WRONG);
    *ret_wait = TRUE;
    return TRUE;
  }
  if (result != OVPN_SIGNER_OK) {
    g_autofree char *sentence = refusal_sentence(a, result, text);
    g_set_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS, "%s", sentence);
    return FALSE;
  }
  gboolean ok = (pem.len == 0 || nmovpn_engine_send_file_content(a->engine, OVPN_FILE_CERT,
                                                                 pem.data, pem.len, error)) &&
                nmovpn_engine_send_signer(a->engine, fd, error);
  close(fd);
  return ok;
}
