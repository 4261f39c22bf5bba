/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nm-ovpn-signer: signs with a private key on a PKCS#11 token, for one connection. Messages in
 * helper/core/signer.h.
 *
 * PKCS#11 modules are other people's code and need files and devices: they can live neither in the
 * engine's sandbox nor in the service. This process has no privileges (user of the service), no
 * network of its own to speak of, and holds what it needs to sign: the open token. Its first
 * message is the service's, but the modules and addresses in it are a profile's (trust.h); later
 * ones come from the engine, which may be in hostile hands: it can have things signed while it
 * lives, but never gets the key or the PIN. */
#include <errno.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/pkcs11.h>
#include <gnutls/x509.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "helper/core/ipc.h"
#include "helper/core/secret.h"
#include "helper/core/signer.h"
#include "helper/core/wire.h"
#include "helper/signer/trust.h"

typedef struct Pin {
  OvpnBlob text;
  unsigned asked; /* how often the token asked */
  bool wrong, needed;
} Pin;

/* Never the same PIN twice: tokens lock themselves after a few wrong ones. */
static int on_pin(void *user, int attempt, const char *url, const char *label, unsigned flags,
                  char *ret, size_t cap)
{
  Pin *p = user;
  (void)attempt, (void)url, (void)label;
  if (flags & (GNUTLS_PIN_WRONG) || (p->asked > 0 && !(flags & GNUTLS_PIN_CONTEXT_SPECIFIC))) {
    p->wrong = true;
    return GNUTLS_E_PKCS11_PIN_ERROR;
  }
  if (p->text.len == 0 || p->text.len >= cap) {
    p->needed = true;
    return GNUTLS_E_PKCS11_PIN_ERROR;
  }
  p->asked++;
  memcpy(ret, p->text.data, p->text.len);
  ret[p->text.len] = 0;
  return 0;
}

typedef struct Start {
  char *cert, *key, *modules[OVPN_SIGNER_MODULES_MAX];
  unsigned n_modules;
} Start;

static bool read_start(const uint8_t *buf, size_t len, Start *s, Pin *pin)
{
  OvpnReader r = ovpn_reader(buf, len);
  s->cert = ovpn_ipc_read_str(&r, OVPN_SIGNER_TEXT_MAX);
  s->key = ovpn_ipc_read_str(&r, OVPN_SIGNER_TEXT_MAX);
  ovpn_ipc_read_blob(&r, &pin->text, 255);
  unsigned n = ovpn_read_u8(&r);
  if (n > OVPN_SIGNER_MODULES_MAX)
    return false;
  for (; r.ok && s->n_modules < n; s->n_modules++)
    s->modules[s->n_modules] = ovpn_ipc_read_str(&r, OVPN_SIGNER_TEXT_MAX);
  return r.ok && ovpn_reader_left(&r) == 0 && s->cert && s->key && *s->key;
}

static int load_modules(const Start *s)
{
  int r = gnutls_pkcs11_init(s->n_modules > 0 ? GNUTLS_PKCS11_FLAG_MANUAL : GNUTLS_PKCS11_FLAG_AUTO,
                             NULL);
  for (unsigned i = 0; r >= 0 && i < s->n_modules; i++)
    r = gnutls_pkcs11_add_provider(s->modules[i], NULL);
  return r;
}

static int load_cert(const char *url, gnutls_datum_t *ret_pem)
{
  gnutls_x509_crt_t crt;
  int r = gnutls_x509_crt_init(&crt);
  if (r < 0)
    return r;
  r = gnutls_x509_crt_import_url(crt, url, 0);
  if (r >= 0)
    r = gnutls_x509_crt_export2(crt, GNUTLS_X509_FMT_PEM, ret_pem);
  gnutls_x509_crt_deinit(crt);
  return r;
}

/* What kind of object an address names, when it does not say so. */
static char *typed(const char *url, const char *type)
{
  char *ret = NULL;
  if (strstr(url, "type="))
    return strdup(url);
  const char *query = strchr(url, '?');
  int head = query ? (int)(query - url) : (int)strlen(url);
  return asprintf(&ret, "%.*s;type=%s%s", head, url, type, query ? query : "") < 0 ? NULL : ret;
}

/* NULL, or what this process does not do for a profile. */
static const char *objection(const Start *s)
{
  for (unsigned i = 0; i < s->n_modules; i++)
    if (!signer_trusts_module(s->modules[i]))
      return "a module is not a file that only root can change";
  if (!signer_trusts_uri(s->cert) || !signer_trusts_uri(s->key))
    return "pin-source and module-path are not accepted in the address of a key";
  return NULL;
}

static void reply_start(OvpnSignerResult result, const char *text, const gnutls_datum_t *pem)
{
  static uint8_t buf[OVPN_SIGNER_MESSAGE_MAX];
  OvpnWriter w = ovpn_writer(buf, sizeof buf);
  ovpn_write_u8(&w, (uint8_t)result);
  ovpn_ipc_write_str(&w, text);
  ovpn_write_u32(&w, pem->size);
  ovpn_write_bytes(&w, pem->data, pem->size);
  if (w.ok)
    (void)!send(OVPN_SIGNER_FD, buf, w.len, MSG_NOSIGNAL);
}

static bool start(gnutls_privkey_t *key, Pin *pin)
{
  static uint8_t buf[OVPN_SIGNER_MESSAGE_MAX];
  Start s = {0};
  gnutls_datum_t pem = {0};
  ssize_t n = recv(OVPN_SIGNER_FD, buf, sizeof buf, 0);
  bool ok = n > 0 && read_start(buf, (size_t)n, &s, pin);
  ovpn_wipe(buf, sizeof buf);
  if (!ok)
    return false;
  const char *no = objection(&s);
  gnutls_pkcs11_set_pin_function(on_pin, pin);
  char *cert = *s.cert ? typed(s.cert, "cert") : NULL, *url = typed(s.key, "private");
  int r = no ? GNUTLS_E_INVALID_REQUEST : load_modules(&s);
  if (r >= 0)
    r = gnutls_privkey_init(key);
  if (r >= 0)
    r = gnutls_privkey_import_url(*key, url, GNUTLS_PKCS11_OBJ_FLAG_LOGIN);
  if (r >= 0 && cert)
    r = load_cert(cert, &pem);
  reply_start(r >= 0        ? OVPN_SIGNER_OK
              : pin->wrong  ? OVPN_SIGNER_PIN_WRONG
              : pin->needed ? OVPN_SIGNER_PIN_NEEDED
                            : OVPN_SIGNER_FAILED,
              no      ? no
              : r < 0 ? gnutls_strerror(r)
                      : "",
              &pem);
  gnutls_free(pem.data);
  free(cert);
  free(url);
  free(s.cert);
  free(s.key);
  for (unsigned i = 0; i < s.n_modules; i++)
    free(s.modules[i]);
  return r >= 0;
}

/* false: the engine is gone, or says what it must not. */
static bool serve(gnutls_privkey_t key)
{
  uint8_t buf[OVPN_SIGNER_DATA_MAX + 16];
  ssize_t n = recv(OVPN_SIGNER_FD, buf, sizeof buf, 0);
  if (n < 0 && errno == EINTR)
    return true;
  if (n <= 0)
    return false;
  OvpnReader r = ovpn_reader(buf, (size_t)n);
  unsigned op = ovpn_read_u8(&r);
  gnutls_sign_algorithm_t algorithm = (gnutls_sign_algorithm_t)ovpn_read_u32(&r);
  unsigned flags = ovpn_read_u32(&r);
  size_t len = ovpn_read_u16(&r);
  const uint8_t *data = ovpn_read_bytes(&r, len);
  if (!r.ok || ovpn_reader_left(&r) > 0 || (op != OVPN_SIGNER_DATA && op != OVPN_SIGNER_HASH))
    return false;
  gnutls_datum_t in = {(unsigned char *)(uintptr_t)data, (unsigned)len}, out = {0};
  int e = op == OVPN_SIGNER_DATA ? gnutls_privkey_sign_data2(key, algorithm, flags, &in, &out)
                                 : gnutls_privkey_sign_hash2(key, algorithm, flags, &in, &out);
  uint8_t answer[OVPN_SIGNATURE_MAX + 16];
  OvpnWriter w = ovpn_writer(answer, sizeof answer);
  ovpn_write_u8(&w, e < 0 ? OVPN_SIGNER_FAILED : OVPN_SIGNER_OK);
  ovpn_write_u16(&w, e < 0 ? 0 : (uint16_t)out.size);
  if (e >= 0)
    ovpn_write_bytes(&w, out.data, out.size);
  gnutls_free(out.data);
  if (e < 0)
    fprintf(stderr, "nm-ovpn-signer: %s\n", gnutls_strerror(e));
  return w.ok && send(OVPN_SIGNER_FD, answer, w.len, MSG_NOSIGNAL) > 0;
}

int main(void)
{
  gnutls_privkey_t key = NULL;
  Pin pin = {0};
  struct rlimit none = {0, 0};
  setrlimit(RLIMIT_CORE, &none);
  prctl(PR_SET_DUMPABLE, 0);
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_PDEATHSIG, SIGKILL);
  signal(SIGPIPE, SIG_IGN);
  if (gnutls_global_init() < 0)
    return 1;
  bool ok = start(&key, &pin);
  while (ok && serve(key))
    ;
  if (key)
    gnutls_privkey_deinit(key);
  ovpn_blob_clear(&pin.text);
  return ok ? 0 : 1;
}
