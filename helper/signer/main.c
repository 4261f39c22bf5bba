/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nm-ovpn-signer: signs with a private key on a PKCS#11 token, or with a key file of a TPM 2.0, for
 * one connection. Messages in helper/core/signer.h.
 *
 * PKCS#11 modules are other people's code and need files and devices: they can live neither in the
 * engine's sandbox nor in the service. This process has no privileges (user of the service), no
 * network of its own to speak of, and holds what it needs to sign: the open token. Its first
 * message is the service's, but the modules and addresses in it are a profile's (trust.h); later
 * ones come from the engine, which may be in hostile hands: it can have things signed while it
 * lives, but never gets the key or the PIN. */
#include <errno.h>
#include <fcntl.h>
#include <gnutls/abstract.h>
#include <gnutls/gnutls.h>
#include <gnutls/pkcs11.h>
#include <gnutls/x509.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>
#include "helper/core/secret.h"
#include "helper/core/signer.h"
#include "helper/signer/trust.h"

typedef struct Pin {
  OvpnBlob text;
  unsigned asked; /* how often the token asked */
  bool wrong, needed, refused;
} Pin;

/* Never the same PIN twice: tokens lock themselves after a few wrong ones. A refused one is
 * forgotten, else each question of the engine could cost one of the tries. */
static int on_pin(void *user, int attempt, const char *url, const char *label, unsigned flags,
                  char *ret, size_t cap)
{
  Pin *p = user;
  (void)url, (void)label;
  if (attempt > 0 || flags & GNUTLS_PIN_WRONG) {
    p->refused = true;
    ovpn_blob_clear(&p->text);
  }
  if (p->refused || (p->asked > 0 && !(flags & GNUTLS_PIN_CONTEXT_SPECIFIC))) {
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

static int load_modules(const OvpnSignerStart *s)
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
  const char *query = strchr(url, '?'), *named = strstr(url, "type=");
  int head = query ? (int)(query - url) : (int)strlen(url);
  if (named && named < url + head)
    return strdup(url);
  return asprintf(&ret, "%.*s;type=%s%s", head, url, type, query ? query : "") < 0 ? NULL : ret;
}

/* With an address that names no token, the PIN would be tried on each of them. The one with the
 * certificate is meant, which can be seen without a PIN. NULL: not found, or no need. */
static char *on_one_token(const char *cert, const char *key)
{
  gnutls_pkcs11_obj_t *list = NULL;
  unsigned n = 0;
  char *found = NULL, *ret = NULL, *look = typed(*cert ? cert : key, "cert");
  if (look && !strstr(key, "token=") && !strstr(key, "serial=") &&
      gnutls_pkcs11_obj_list_import_url4(&list, &n, look, 0) >= 0 && n > 0 &&
      gnutls_pkcs11_obj_export_url(list[0], GNUTLS_PKCS11_URL_GENERIC, &found) >= 0) {
    /* the certificate's name need not be the key's; the number is */
    char *type = strstr(found, ";type="), *name = strstr(found, ";object=");
    if (type)
      *type = 0;
    if (name && strstr(found, ";id="))
      memmove(name, name + strcspn(name + 1, ";") + 1,
              strlen(name + strcspn(name + 1, ";") + 1) + 1);
    const char *query = strchr(key, '?');
    if (asprintf(&ret, "%s%s", found, query ? query : "") < 0)
      ret = NULL;
  }
  for (unsigned i = 0; i < n; i++)
    gnutls_pkcs11_obj_deinit(list[i]);
  gnutls_free(list);
  gnutls_free(found);
  free(look);
  return ret;
}

/* NULL, or what this process does not do for a profile. Links are replaced by what they lead to:
 * who owns a link could change it between our look and the loading. */
static const char *objection(OvpnSignerStart *s)
{
  for (unsigned i = 0; i < s->n_modules; i++) {
    char *real = s->modules[i][0] == '/' ? realpath(s->modules[i], NULL) : NULL;
    free(s->modules[i]);
    s->modules[i] = real;
    if (!real || !signer_trusts_module(real))
      return "a module is not a file that only root can change";
  }
  if (!signer_trusts_uri(s->cert) || !signer_trusts_uri(s->key))
    return "pin-source and module-path are not accepted in the address of a key";
  return NULL;
}

static bool reply_start(OvpnSignerReady a)
{
  static uint8_t buf[OVPN_SIGNER_MESSAGE_MAX];
  size_t n = ovpn_signer_write_ready(buf, sizeof buf, &a);
  if (n == 0) {
    a = (OvpnSignerReady){OVPN_SIGNER_FAILED, (char *)"the certificate is too large", NULL, 0};
    n = ovpn_signer_write_ready(buf, sizeof buf, &a);
  }
  return send(OVPN_SIGNER_FD, buf, n, MSG_NOSIGNAL) > 0 && a.result == OVPN_SIGNER_OK;
}

/* One datagram; 0: the other side is gone or says more than it may. */
static size_t receive(uint8_t *buf, size_t cap)
{
  ssize_t n;
  do
    n = recv(OVPN_SIGNER_FD, buf, cap, MSG_TRUNC);
  while (n < 0 && errno == EINTR);
  return n > 0 && (size_t)n <= cap ? (size_t)n : 0;
}

static bool is_tpm_file(const OvpnSignerStart *s)
{
  return strstr(s->key, OVPN_SIGNER_TPM_FILE) != NULL;
}

/* A key file of a TPM, which GnuTLS loads the TPM's libraries for. Its password is not asked for
 * before something is signed; it shall be known to be right before the handshake waits for it. */
static int load_tpm_file(const char *text, gnutls_privkey_t key)
{
  /* GnuTLS wants to be told the way to the TPM. The broker of tpm2-abrmd lets everybody in. */
  setenv("GNUTLS_TPM2_TCTI", signer_has_tpm() ? "device:" SIGNER_TPM : "tabrmd", 1);
  static uint8_t zero[32];
  gnutls_datum_t pem = {(unsigned char *)(uintptr_t)text, (unsigned)strlen(text)};
  gnutls_datum_t hash = {zero, sizeof zero}, signature = {0};
  int r = gnutls_privkey_import_x509_raw(key, &pem, GNUTLS_X509_FMT_PEM, NULL, 0);
  if (r < 0)
    return r;
  int pk = gnutls_privkey_get_pk_algorithm(key, NULL);
  gnutls_sign_algorithm_t algorithm =
      pk == GNUTLS_PK_RSA ? GNUTLS_SIGN_RSA_SHA256 : GNUTLS_SIGN_ECDSA_SHA256;
  r = gnutls_privkey_sign_hash2(key, algorithm, 0, &hash, &signature);
  if (r >= 0 && signature.size == 0) /* what GnuTLS makes of a refusal by the TPM */
    r = GNUTLS_E_PK_SIGN_FAILED;
  gnutls_free(signature.data);
  return r;
}

static int load_key(const OvpnSignerStart *s, gnutls_privkey_t key, Pin *pin)
{
  if (is_tpm_file(s)) {
    gnutls_privkey_set_pin_function(key, on_pin, pin);
    return load_tpm_file(s->key, key);
  }
  char *one = on_one_token(s->cert, s->key), *url = typed(one ? one : s->key, "private");
  int r = url ? gnutls_privkey_import_url(key, url, GNUTLS_PKCS11_OBJ_FLAG_LOGIN)
              : GNUTLS_E_MEMORY_ERROR;
  free(one);
  free(url);
  return r;
}

static int open_key(const OvpnSignerStart *s, Pin *pin, gnutls_privkey_t *key,
                    gnutls_datum_t *ret_pem)
{
  char *cert = *s->cert ? typed(s->cert, "cert") : NULL;
  int r = cert || !*s->cert ? 0 : GNUTLS_E_MEMORY_ERROR;
  if (r >= 0 && (cert || !is_tpm_file(s)))
    r = load_modules(s);
  if (r >= 0)
    r = gnutls_privkey_init(key);
  if (r >= 0)
    r = load_key(s, *key, pin);
  if (r >= 0 && cert)
    r = load_cert(cert, ret_pem);
  free(cert);
  return r;
}

/* Without support for them, TPM files look to GnuTLS as if they held nothing. */
static bool is_unknown_file(int r)
{
  return r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE ||
         r == GNUTLS_E_BASE64_UNEXPECTED_HEADER_ERROR || r == GNUTLS_E_BASE64_DECODING_ERROR;
}

/* tpm2-pkcs11 does not tell what it may not open; then there is only no such token. */
static const char *barred_by_module(const OvpnSignerStart *s)
{
  for (unsigned i = 0; i < s->n_modules; i++)
    if (strstr(s->modules[i], "tpm2_pkcs11"))
      return signer_barred_tpm() ? signer_barred_tpm() : signer_barred_store();
  return NULL;
}

/* What a failure of r means. */
static OvpnSignerReady explain(const OvpnSignerStart *s, const Pin *pin, int r)
{
  OvpnSignerReady a = {.result = OVPN_SIGNER_FAILED, .text = (char *)(uintptr_t)gnutls_strerror(r)};
  const char *path = NULL;
  if (pin->wrong)
    a.result = OVPN_SIGNER_PIN_WRONG;
  else if (pin->needed)
    a.result = OVPN_SIGNER_PIN_NEEDED;
  else if (is_tpm_file(s) && pin->asked > 0 && r == GNUTLS_E_PK_SIGN_FAILED)
    a.result = OVPN_SIGNER_PIN_WRONG; /* which GnuTLS does not tell from other refusals */
  else if (is_tpm_file(s) && is_unknown_file(r))
    a.result = OVPN_SIGNER_NO_TPM_FILES;
  else if (is_tpm_file(s)) {
    path = signer_barred_tpm();
    if (r == GNUTLS_E_TPM_ERROR && !signer_has_tpm())
      a.text = (char *)"there is no " SIGNER_TPM ", and tpm2-abrmd does not answer";
  } else
    path = barred_by_module(s);
  if (path) {
    a.result = OVPN_SIGNER_NO_ACCESS;
    a.text = (char *)(uintptr_t)path;
  }
  return a;
}

static bool start(gnutls_privkey_t *key, Pin *pin)
{
  static uint8_t buf[OVPN_SIGNER_MESSAGE_MAX];
  OvpnSignerStart s = {0};
  gnutls_datum_t pem = {0};
  size_t n = receive(buf, sizeof buf);
  bool ok = n > 0 && ovpn_signer_read_start(buf, n, &s);
  ovpn_wipe(buf, sizeof buf);
  if (!ok)
    return false;
  pin->text = s.pin;
  s.pin = (OvpnBlob){0};
  const char *no = objection(&s);
  gnutls_pkcs11_set_pin_function(on_pin, pin);
  int r = no ? GNUTLS_E_INVALID_REQUEST : open_key(&s, pin, key, &pem);
  if (no)
    ok = reply_start((OvpnSignerReady){.result = OVPN_SIGNER_FAILED, (char *)(uintptr_t)no});
  else if (r < 0)
    ok = reply_start(explain(&s, pin, r));
  else
    ok = reply_start((OvpnSignerReady){OVPN_SIGNER_OK, (char *)"", pem.data, pem.size});
  gnutls_free(pem.data);
  ovpn_signer_start_clear(&s);
  return ok;
}

/* false: the engine is gone, or says what it must not. */
static bool serve(gnutls_privkey_t key)
{
  uint8_t buf[OVPN_SIGNER_REQUEST_MAX], answer[OVPN_SIGNER_ANSWER_MAX];
  OvpnSignerRequest q;
  size_t n = receive(buf, sizeof buf);
  if (n == 0 || !ovpn_signer_read_request(buf, n, &q))
    return false;
  gnutls_sign_algorithm_t algorithm = (gnutls_sign_algorithm_t)q.algorithm;
  gnutls_datum_t in = {(unsigned char *)(uintptr_t)q.data, (unsigned)q.len}, out = {0};
  int e = q.op == OVPN_SIGNER_DATA ? gnutls_privkey_sign_data2(key, algorithm, q.flags, &in, &out)
                                   : gnutls_privkey_sign_hash2(key, algorithm, q.flags, &in, &out);
  if (e >= 0 && (out.size == 0 || out.size > OVPN_SIGNATURE_MAX))
    e = GNUTLS_E_PK_SIGN_FAILED;
  OvpnSignerAnswer a = {q.serial, OVPN_SIGNER_FAILED, NULL, 0};
  if (e >= 0)
    a = (OvpnSignerAnswer){q.serial, OVPN_SIGNER_OK, out.data, out.size};
  else
    fprintf(stderr, "nm-ovpn-signer: %s\n", gnutls_strerror(e));
  n = ovpn_signer_write_answer(answer, sizeof answer, &a);
  if (out.data)
    ovpn_wipe(out.data, out.size);
  gnutls_free(out.data);
  bool sent = n > 0 && send(OVPN_SIGNER_FD, answer, n, MSG_NOSIGNAL) > 0;
  ovpn_wipe(answer, sizeof answer);
  return sent;
}

/* A module may wait for a finger or hang. Nobody is left to want its answer when the other side is
 * gone: we end even then, and with us the PIN. The main thread has a moment to end by itself. */
static void *watch(void *unused)
{
  struct pollfd p = {.fd = OVPN_SIGNER_FD};
  (void)unused;
  while (poll(&p, 1, -1) < 0 && errno == EINTR)
    ;
  sleep(2);
  _exit(1);
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
  /* Modules may start programs: those would hold the socket open. */
  pthread_t watcher;
  if (fcntl(OVPN_SIGNER_FD, F_SETFD, FD_CLOEXEC) < 0 ||
      pthread_create(&watcher, NULL, watch, NULL) != 0 || gnutls_global_init() < 0)
    return 1;
  bool ok = start(&key, &pin);
  while (ok && serve(key))
    ;
  if (key)
    gnutls_privkey_deinit(key);
  ovpn_blob_clear(&pin.text);
  return ok ? 0 : 1;
}
