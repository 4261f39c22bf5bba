/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the profile to an engine that knows everything: options, files as descriptors, inline
 * content as sealed memory.
 *
 * All of it happens inside Connect, so that a wrong setting or a missing file is the D-Bus error of
 * Connect with its sentence. Files are opened by the helper as the owner of the connection; this
 * process never opens a path of a profile. DESIGN.md §2, §6. */
#include "service/attempt-private.h"
#include <dirent.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <string.h>
#include <unistd.h>
#include "service/announce.h"
#include "service/log.h"
#include "service/profile.h"
#include "service/signer-client.h"

enum { CRL_NAMES_MAX = 10000 };

/* The names of a CRL directory, one per line, from its descriptor. Consumes fd. */
static gboolean list_directory(int fd, OvpnBlob *ret)
{
  DIR *dir = fdopendir(fd);
  if (!dir) {
    close(fd);
    return FALSE;
  }
  gboolean ok = TRUE;
  unsigned n = 0;
  for (struct dirent *e; ok && (e = readdir(dir)) != NULL && n < CRL_NAMES_MAX; n++)
    if (e->d_name[0] != '.' && !strchr(e->d_name, '\n'))
      ok = ovpn_blob_append(ret, e->d_name, strlen(e->d_name)) && ovpn_blob_append(ret, "\n", 1);
  closedir(dir);
  return ok;
}

/* auth-user-pass FILE and askpass FILE: what a person would have typed. */
static void read_credentials(NmOvpnAttempt *a, OvpnFileId id, const char *text, gsize len)
{
  const char *end = memchr(text, '\n', len);
  gsize first = end ? (gsize)(end - text) : len;
  while (first > 0 && text[first - 1] == '\r')
    first--;
  char *line1 = g_strndup(text, first), *line2 = NULL;
  if (end) {
    const char *p = end + 1, *end2 = memchr(p, '\n', len - (gsize)(p - text));
    gsize n = end2 ? (gsize)(end2 - p) : len - (gsize)(p - text);
    while (n > 0 && p[n - 1] == '\r')
      n--;
    line2 = g_strndup(p, n);
  }
  if (id == OVPN_FILE_ASKPASS) {
    if (!a->secrets.cert_pass && *line1)
      nmovpn_secrets_set(&a->secrets.cert_pass, line1);
  } else if (id == OVPN_FILE_HTTP_PROXY_USER_PASS) {
    nmovpn_secrets_set(&a->secrets.proxy_username, line1);
    if (line2)
      nmovpn_secrets_set(&a->secrets.proxy_password, line2);
  } else {
    if (*line1) /* else a person is asked */
      nmovpn_secrets_set(&a->secrets.username, line1);
    if (!a->secrets.password && line2 && *line2)
      nmovpn_secrets_set(&a->secrets.password, line2);
  }
  ovpn_secret_free(line1);
  ovpn_secret_free(line2);
}

static void take_credentials(NmOvpnAttempt *a, OvpnFileId id)
{
  if (id != OVPN_FILE_ASKPASS && id != OVPN_FILE_AUTH_USER_PASS &&
      id != OVPN_FILE_HTTP_PROXY_USER_PASS)
    return;
  const OvpnFile *f = &a->config.files[id];
  if (f->content.len > 0) {
    read_credentials(a, id, (const char *)f->content.data, f->content.len);
    return;
  }
  char text[4096];
  ssize_t n = a->files[id] >= 0 ? pread(a->files[id], text, sizeof(text), 0) : -1;
  if (n > 0)
    read_credentials(a, id, text, (gsize)n);
  ovpn_wipe(text, sizeof(text));
}

/* Import has put a folder in front. */
static gboolean is_of_old_tpm(const char *name, GError **error)
{
  const char *old = strstr(name, "tpmkey:");
  if (!old || (old > name && old[-1] != '/'))
    return FALSE;
  g_set_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS,
              _("The key %s is in a TPM 1.2, which nothing supports any more. A TPM 2.0 can be "
                "used by way of tpm2-pkcs11, with a pkcs11: address as the key."),
              old);
  return TRUE;
}

static gboolean open_file(NmOvpnAttempt *a, OvpnFileId id, GError **error)
{
  OvpnFile *f = &a->config.files[id];
  if (!f->name || f->content.len > 0)
    return TRUE;
  if (f->is_inline) {
    const OvpnOption *o = ovpn_option_list_last(&a->options, ovpn_file_option(id));
    if (id == OVPN_FILE_AUTH_USER_PASS && o && o->content.len == 0)
      return TRUE; /* a person is asked */
    if (!o || !ovpn_blob_set(&f->content, o->content.data, o->content.len) || f->content.len == 0) {
      g_set_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS,
                  _("The embedded content of “%s” is empty."),
                  ovpn_option_info(ovpn_file_option(id))->directive);
      return FALSE;
    }
    return TRUE;
  }
  if (nmovpn_signer_is_token(f->name) && (id == OVPN_FILE_CERT || id == OVPN_FILE_KEY))
    return TRUE; /* attempt-token.c */
  if (nmovpn_signer_is_token(f->name)) {
    g_set_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS,
                _("Only cert and key can be on a security token, not %s."), f->name);
    return FALSE;
  }
  if (id == OVPN_FILE_KEY && is_of_old_tpm(f->name, error))
    return FALSE;
  gboolean directory = id == OVPN_FILE_CRL_DIR || id == OVPN_FILE_CAPATH;
  int fd = nmovpn_broker_open_file(a->broker, f->name, nmovpn_connection_owner(a->connection),
                                   directory, error);
  if (fd < 0) {
    g_prefix_error(error, "%s: ", ovpn_option_info(ovpn_file_option(id))->directive);
    return FALSE;
  }
  if (!directory) {
    a->files[id] = fd;
    return TRUE;
  }
  if (id == OVPN_FILE_CAPATH)
    return nmovpn_attempt_read_capath(a, fd, f->name, &f->content, error);
  if (!list_directory(fd, &f->content)) {
    g_set_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS,
                _("The directory %s cannot be read."), f->name);
    return FALSE;
  }
  return TRUE;
}

static gboolean check_supported(const OvpnConfig *c, GError **error)
{
  if (c->n_remotes == 0) {
    g_set_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS, "%s",
                _("The connection names no VPN server."));
    return FALSE;
  }
  return TRUE;
}

static void shuffle_remotes(OvpnConfig *c)
{
  for (size_t i = c->n_remotes; c->remote_random && i > 1; i--) {
    size_t j = (size_t)g_random_int_range(0, (gint32)i);
    OvpnRemote r = c->remotes[i - 1];
    c->remotes[i - 1] = c->remotes[j];
    c->remotes[j] = r;
  }
}

/* The key files that a <connection> block names become inline blocks: there is one place for a file
 * of each kind, and these travel with the options. */
static gboolean embed_block_files(NmOvpnAttempt *a, GError **error)
{
  enum { KEY_MAX = 32768 };
  for (size_t i = 0; i < a->options.n; i++) {
    OvpnOption *o = &a->options.items[i];
    guint32 flags = ovpn_option_info(o->id)->flags, wanted = OVPN_OPTF_FILE | OVPN_OPTF_INLINE;
    if (o->connection < 0 || o->is_inline || (flags & wanted) != wanted || o->argc < 2 ||
        o->argv[1][0] == '[')
      continue;
    int fd = nmovpn_broker_open_file(a->broker, o->argv[1], nmovpn_connection_owner(a->connection),
                                     FALSE, error);
    if (fd < 0)
      return FALSE;
    char *text = g_malloc(KEY_MAX);
    ssize_t n = pread(fd, text, KEY_MAX, 0);
    close(fd);
    gboolean ok = n > 0 && n < KEY_MAX && ovpn_blob_set(&o->content, text, (size_t)n);
    o->is_inline = ok;
    ovpn_wipe(text, KEY_MAX);
    g_free(text);
    if (ok) { /* a block has no name in front of its direction */
      ovpn_secret_free(o->argv[1]);
      memmove(&o->argv[1], &o->argv[2], (o->argc - 1) * sizeof(o->argv[0]));
      o->argc--;
      continue;
    }
    g_set_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS,
                _("The file %s is empty or too large for a key."), o->argv[1]);
    return FALSE;
  }
  return TRUE;
}

gboolean nmovpn_attempt_prepare(NmOvpnAttempt *a, GError **error)
{
  NMSettingVpn *vpn = nm_connection_get_setting_vpn(a->connection);
  if (!vpn) {
    g_set_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_INVALID_CONNECTION, "%s",
                _("This is not a VPN connection."));
    return FALSE;
  }
  if (nmovpn_profile_key_is_lost(vpn)) {
    g_set_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS, "%s",
                _("The private key that was stored in this connection is gone: saving another "
                  "secret replaces all of them. Import the .ovpn file again, or set “key” in "
                  "vpn.data to the path of the key."));
    return FALSE;
  }
  g_autoptr(GError) local = NULL;
  OvpnFailure f = {0};
  if (!nmovpn_profile_to_options(vpn, &a->options, &local)) {
    g_set_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS, "%s",
                local->message);
    return FALSE;
  }
  if (!embed_block_files(a, error))
    return FALSE;
  if (ovpn_config_apply(&a->config, &a->options, &f) != OVPN_OK) {
    NmOvpnFailureContext c = {.config = &a->config};
    g_autofree char *sentence = nmovpn_failure_sentence(&f, &c);
    g_set_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS, "%s", sentence);
    return FALSE;
  }
  if (!check_supported(&a->config, error))
    return FALSE;
  if (!nmovpn_announce(&a->options, a->config.push_peer_info, a->interactive)) {
    g_set_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_FAILED, "%s",
                _("There is not enough memory."));
    return FALSE;
  }
  shuffle_remotes(&a->config);
  nmovpn_secrets_update(&a->secrets, vpn);
  for (int id = 0; id < OVPN_FILE_MAX; id++) {
    if (!open_file(a, (OvpnFileId)id, &local)) {
      g_set_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS, "%s",
                  local->message);
      return FALSE;
    }
    take_credentials(a, (OvpnFileId)id);
  }
  if (!nmovpn_attempt_fetch_tpm_key(a)) {
    g_set_error(error, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_FAILED, "%s",
                _("There is not enough memory."));
    return FALSE;
  }
  return TRUE;
}

static gboolean send_files(NmOvpnAttempt *a, GError **error)
{
  for (int i = 0; i < OVPN_FILE_MAX; i++) {
    OvpnFileId id = (OvpnFileId)i;
    const OvpnFile *f = &a->config.files[id];
    if (id == OVPN_FILE_HTTP_PROXY_USER_PASS) /* goes as an answer */
      continue;
    if (id == OVPN_FILE_KEY && nmovpn_attempt_uses_token(a)) /* goes to the signer */
      continue;
    if (f->content.len > 0) {
      if (!nmovpn_engine_send_file_content(a->engine, id, f->content.data, f->content.len, error))
        return FALSE;
    } else if (a->files[id] >= 0) {
      lseek(a->files[id], 0, SEEK_SET); /* the offset is shared with an earlier engine */
      if (!nmovpn_engine_send_file(a->engine, id, a->files[id], error))
        return FALSE;
    }
  }
  return TRUE;
}

gboolean nmovpn_attempt_feed_engine(NmOvpnAttempt *a, GError **error)
{
  const NmOvpnSecrets *s = &a->secrets;
  gboolean token = nmovpn_attempt_uses_token(a), wait = FALSE;
  if (!nmovpn_engine_send_options(a->engine, &a->options, error) || !send_files(a, error) ||
      (token && !nmovpn_attempt_open_token(a, &wait, error)))
    return FALSE;
  if (wait)
    return TRUE; /* for the PIN; then this starts again */
  if (s->cert_pass && !token && !nmovpn_engine_answer_passphrase(a->engine, s->cert_pass, error))
    return FALSE;
  if (s->proxy_username && s->proxy_password &&
      !nmovpn_engine_answer_proxy(a->engine, s->proxy_username, s->proxy_password, error))
    return FALSE;
  if (!nmovpn_engine_send_start(a->engine, error))
    return FALSE;
  /* What is known is sent ahead; the engine asks for the rest. */
  if (a->config.auth_user_pass && s->username && s->password) {
    if (a->config.static_challenge && !s->challenge)
      return TRUE;
    if (a->config.static_challenge &&
        !nmovpn_engine_answer_challenge(a->engine, OVPN_NEED_STATIC_CHALLENGE, s->challenge, error))
      return FALSE;
    nmovpn_secrets_set(&a->secrets.challenge, NULL);
    return nmovpn_engine_answer_user_pass(a->engine, s->username, s->password, error);
  }
  return TRUE;
}

void nmovpn_attempt_close_files(NmOvpnAttempt *a)
{
  for (int i = 0; i < OVPN_FILE_MAX; i++) {
    if (a->files[i] >= 0)
      close(a->files[i]);
    a->files[i] = -1;
  }
}
