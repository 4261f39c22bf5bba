/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From the options and files that the service sent to a configuration with loaded keys.
 *
 * Trust: options come from the service, which read them in a profile; file contents are a user's.
 * Both are parsed by the core. Secrets live as short as possible: the raw private key is wiped once
 * GnuTLS holds it, the pass phrase once it has worked. spec §14.5, §18. */
#include "helper/engine/engine.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { FILE_MAX_BYTES = 1 << 20 };

bool setup_read_file(Engine *e, OvpnFileId id, int fd)
{
  uint8_t buf[4096];
  OvpnBlob *b = &e->files[id];
  bool ok = true;
  ovpn_blob_clear(b);
  for (;;) {
    ssize_t n = read(fd, buf, sizeof buf);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0) {
      ok = n == 0;
      break;
    }
    if (b->len + (size_t)n > FILE_MAX_BYTES || !ovpn_blob_append(b, buf, (size_t)n)) {
      ok = false;
      break;
    }
  }
  ovpn_wipe(buf, sizeof buf);
  if (!ok)
    ovpn_blob_clear(b);
  return ok;
}

/* Line `n` (0, 1) of a credentials file, without its line end. */
static bool take_line(const OvpnBlob *file, unsigned n, OvpnBlob *ret)
{
  const uint8_t *p = file->data, *end = p + file->len;
  for (; p && p < end; n--) {
    const uint8_t *nl = memchr(p, '\n', (size_t)(end - p)), *stop = nl ? nl : end;
    if (n == 0) {
      if (stop > p && stop[-1] == '\r')
        stop--;
      return ovpn_blob_set(ret, p, (size_t)(stop - p)) && ret->len > 0;
    }
    if (!nl)
      return false;
    p = nl + 1;
  }
  return false;
}

static void use_credential_files(Engine *e)
{
  OvpnBlob *up = &e->config.files[OVPN_FILE_AUTH_USER_PASS].content,
           *ask = &e->config.files[OVPN_FILE_ASKPASS].content;
  OvpnCredentials *c = &e->credentials;
  if (up->len > 0 && !c->have_user_pass)
    c->have_user_pass = take_line(up, 0, &c->username) && take_line(up, 1, &c->password);
  if (ask->len > 0 && e->passphrase.len == 0)
    take_line(ask, 0, &e->passphrase);
  ovpn_blob_clear(up);
  ovpn_blob_clear(ask);
}

static void refuse(Engine *e, const OvpnFailure *f)
{
  e->phase = ENGINE_REFUSED;
  control_send_failed(e, f, 0, false);
}

static void load_keys(Engine *e)
{
  OvpnFailure f = {0};
  const char *phrase = e->passphrase.len > 0 ? (const char *)e->passphrase.data : NULL;
  if (ovpn_config_is_static(&e->config)) { /* no TLS */
    e->phase = ENGINE_IDLE;
    control_send_ready(e);
    return;
  }
  bool needed = ovpn_tls_needs_passphrase(&e->config);
  if (needed && !phrase) {
    e->phase = ENGINE_PASSPHRASE;
    control_send_need(e, OVPN_NEED_PASSPHRASE, 0, 0, "");
    return;
  }
  OvpnStatus st = ovpn_tls_context_new(&e->config, phrase, e->config.tls_server, &e->tls, &f);
  ovpn_blob_clear(&e->passphrase);
  if (st == OVPN_FAIL_PASSPHRASE) {
    e->phase = ENGINE_PASSPHRASE;
    control_send_need(e, OVPN_NEED_PASSPHRASE, 2, 0, "");
    return;
  }
  if (st != OVPN_OK) {
    ovpn_failure_set(&f, st, "keys");
    refuse(e, &f);
    return;
  }
  ovpn_blob_clear(&e->config.files[OVPN_FILE_KEY].content);
  ovpn_blob_clear(&e->config.files[OVPN_FILE_PKCS12].content);
  e->phase = ENGINE_IDLE;
  control_send_ready(e);
}

void setup_start(Engine *e)
{
  OvpnFailure f = {0};
  OvpnStatus st = ovpn_config_apply(&e->config, &e->options, &f);
  if (st != OVPN_OK) {
    ovpn_failure_set(&f, st, "configuration");
    refuse(e, &f);
    return;
  }
  for (int i = 0; i < OVPN_FILE_MAX; i++) {
    if (e->files[i].len == 0)
      continue;
    ovpn_blob_clear(&e->config.files[i].content);
    e->config.files[i].content = e->files[i];
    e->files[i] = (OvpnBlob){0};
  }
  use_credential_files(e);
  e->signer_calls = (OvpnSigner){.sign = signing_sign, .user = e};
  e->config.signer = e->signer >= 0 ? &e->signer_calls : NULL;
  load_keys(e);
}

void setup_passphrase(Engine *e)
{
  load_keys(e);
}

void engine_clear(Engine *e)
{
  drive_catch_up(e);
  race_end(e);
  ovpn_session_free(e->session);
  e->session = NULL;
  datapath_clear(&e->dp);
  link_close(&e->link);
  via_end(e, &e->via);
  tun_close(&e->tun);
  ovpn_tls_context_free(e->tls);
  if (e->signer >= 0)
    close(e->signer);
  e->signer = -1;
  ovpn_credentials_clear(&e->credentials);
  ovpn_blob_clear(&e->passphrase);
  for (int i = 0; i < OVPN_FILE_MAX; i++)
    ovpn_blob_clear(&e->files[i]);
  ovpn_config_clear(&e->config);
  ovpn_option_list_clear(&e->options);
  batch_clear(&e->rx);
  batch_clear(&e->tx);
  ovpn_wipe(e->msg, sizeof e->msg);
}
