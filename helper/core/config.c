/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The typed configuration: defaults, ownership, derived values and the checks of the whole.
 *
 * Trusts nothing in the list. Invariants after ovpn_config_apply succeeded: every remote has port
 * and protocol, and a host unless it waits for the peer; data_ciphers holds only names that the
 * data channel can do, and at least one; there is a way to verify the server; fingerprints are
 * lower-case hex. spec §10, §17.1, §17.5, §19. */
#include "helper/core/config.h"
#include "helper/core/cipher-names.h"
#include "helper/core/config-parts.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static const OvpnOptionId file_options[OVPN_FILE_MAX] = {
    [OVPN_FILE_CA] = OVPN_OPT_CA,
    [OVPN_FILE_CERT] = OVPN_OPT_CERT,
    [OVPN_FILE_KEY] = OVPN_OPT_KEY,
    [OVPN_FILE_EXTRA_CERTS] = OVPN_OPT_EXTRA_CERTS,
    [OVPN_FILE_PKCS12] = OVPN_OPT_PKCS12,
    [OVPN_FILE_TLS_AUTH] = OVPN_OPT_TLS_AUTH,
    [OVPN_FILE_TLS_CRYPT] = OVPN_OPT_TLS_CRYPT,
    [OVPN_FILE_TLS_CRYPT_V2] = OVPN_OPT_TLS_CRYPT_V2,
    [OVPN_FILE_SECRET] = OVPN_OPT_SECRET,
    [OVPN_FILE_CRL] = OVPN_OPT_CRL_VERIFY,
    [OVPN_FILE_CRL_DIR] = OVPN_OPT_CRL_VERIFY,
    [OVPN_FILE_CAPATH] = OVPN_OPT_CAPATH,
    [OVPN_FILE_AUTH_USER_PASS] = OVPN_OPT_AUTH_USER_PASS,
    [OVPN_FILE_ASKPASS] = OVPN_OPT_ASKPASS,
    [OVPN_FILE_HTTP_PROXY_USER_PASS] = OVPN_OPT_HTTP_PROXY_USER_PASS,
};

OvpnOptionId ovpn_file_option(OvpnFileId f)
{
  return (unsigned)f < OVPN_FILE_MAX ? file_options[f] : OVPN_OPT_UNKNOWN;
}

/* ---- small owners */

OvpnStatus ovpn_config_no_memory(OvpnFailure *f)
{
  return ovpn_failure_set(f, OVPN_FAIL_MEMORY, "out of memory");
}

bool ovpn_config_set_text(char **field, const char *text)
{
  char *copy = ovpn_secret_strdup(text);
  if (text && !copy)
    return false;
  ovpn_secret_free(*field);
  *field = copy;
  return true;
}

bool ovpn_strv_add(OvpnStrv *v, const char *text)
{
  char **p = realloc(v->v, (v->n + 1) * sizeof *p);
  if (!p)
    return false;
  v->v = p;
  p[v->n] = strdup(text);
  if (!p[v->n])
    return false;
  v->n++;
  return true;
}

void ovpn_strv_clear(OvpnStrv *v)
{
  for (size_t i = 0; i < v->n; i++)
    ovpn_secret_free(v->v[i]);
  free(v->v);
  *v = (OvpnStrv){0};
}

char *ovpn_config_upper(const char *text)
{
  char *copy = strdup(text);
  for (char *p = copy; p && *p; p++)
    if (*p >= 'a' && *p <= 'z')
      *p = (char)(*p - 'a' + 'A');
  return copy;
}

void ovpn_config_init(OvpnConfig *c)
{
  *c = (OvpnConfig){
      .mtu_disc = -1,
      .connect_timeout = 120,
      .connect_retry = 1,
      .connect_retry_max_wait = 300,
      .tun_mtu_max = 1600,
      .tun_mtu_extra = -1,
      .mssfix = -1,
      .topology = OVPN_TOPOLOGY_NET30,
      .tls_auth_dir = OVPN_DIR_NONE,
      .secret_dir = OVPN_DIR_NONE,
      .cert_profile = OVPN_PROFILE_LEGACY,
      .auth_retry = OVPN_AUTH_RETRY_INTERACT,
      .allow_decompress = true,
      .replay_window = 64,
      .replay_time = 15,
      .tls_timeout = 2,
      .hand_window = 60,
      .tran_window = 3600,
      .reneg_sec = 3600,
      .explicit_exit_notify = -1,
      .max_packet_size = 1250,
  };
}

void ovpn_config_clear(OvpnConfig *c)
{
  if (!c)
    return;
  for (size_t i = 0; i < c->n_remotes; i++) {
    free(c->remotes[i].host);
    free(c->remotes[i].port);
    ovpn_link_free(c->remotes[i].link);
  }
  free(c->remotes);
  for (int i = 0; i < OVPN_FILE_MAX; i++) {
    free(c->files[i].name);
    ovpn_blob_clear(&c->files[i].content);
  }
  char *texts[] = {c->local_host,
                   c->local_port,
                   c->bind_dev,
                   c->own_port,
                   c->proxy_type,
                   c->proxy_host,
                   c->proxy_port,
                   c->proxy_version,
                   c->proxy_agent,
                   c->proxy_headers,
                   c->dev_name,
                   c->ifconfig_local,
                   c->ifconfig_remote,
                   c->ifconfig_ipv6_local,
                   c->ifconfig_ipv6_remote,
                   c->tls_cipher,
                   c->tls_ciphersuites,
                   c->tls_groups,
                   c->name,
                   c->x509_username_field,
                   c->verify_hash,
                   c->username,
                   c->static_challenge,
                   c->cipher,
                   c->auth,
                   c->data_ciphers_fallback};
  for (size_t i = 0; i < sizeof texts / sizeof texts[0]; i++)
    ovpn_secret_free(texts[i]);
  ovpn_strv_clear(&c->remote_cert_ku);
  ovpn_strv_clear(&c->remote_cert_eku);
  ovpn_strv_clear(&c->peer_fingerprints);
  ovpn_strv_clear(&c->uv);
  ovpn_strv_clear(&c->data_ciphers);
  ovpn_wipe(c, sizeof *c);
}

bool ovpn_user_pass_split(const OvpnBlob *content, char **ret_user, OvpnBlob *ret_password)
{
  const char *p = content->data ? (const char *)content->data : "";
  size_t user_len = strcspn(p, "\r\n");
  if (user_len == 0)
    return false;
  const char *pass = p + user_len;
  pass += *pass == '\r';
  pass += *pass == '\n';
  size_t pass_len = strcspn(pass, "\r\n");
  if (ret_password && !ovpn_blob_set(ret_password, pass, pass_len))
    return false;
  if (ret_user) {
    char *user = strndup(p, user_len);
    if (!user)
      return false;
    ovpn_secret_free(*ret_user);
    *ret_user = user;
  }
  return true;
}

/* ---- ciphers (spec §10) */

static const char *const default_ciphers[] = {"AES-256-GCM", "AES-128-GCM", "CHACHA20-POLY1305"};

/* Adds a cipher if we can do it and it is not there yet. false = no memory. */
static bool add_cipher(OvpnStrv *v, const char *name)
{
  if (ovpn_cipher_find(name, &name) != OVPN_CIPHER_ABLE)
    return true;
  for (size_t i = 0; i < v->n; i++)
    if (strcmp(v->v[i], name) == 0)
      return true;
  return ovpn_strv_add(v, name);
}

static bool add_default_ciphers(OvpnStrv *v)
{
  for (size_t i = 0; i < sizeof default_ciphers / sizeof default_ciphers[0]; i++)
    if (!add_cipher(v, default_ciphers[i]))
      return false;
  return true;
}

/* A name we do not know is left as it is: it only matters if nothing is negotiated. */
static bool canonical_cipher(char **name)
{
  const char *found = NULL;
  return ovpn_cipher_find(*name, &found) == OVPN_CIPHER_UNKNOWN ||
         ovpn_config_set_text(name, found);
}

static OvpnStatus finish_ciphers(ConfigApply *a)
{
  OvpnConfig *c = a->c;
  ovpn_strv_clear(&c->data_ciphers);
  bool ok = a->data_ciphers || add_default_ciphers(&c->data_ciphers);
  char *list = a->data_ciphers ? ovpn_config_upper(a->data_ciphers) : NULL, *save = NULL;
  ok = ok && (list || !a->data_ciphers);
  for (char *w = list ? strtok_r(list, ":", &save) : NULL; ok && w;
       w = strtok_r(NULL, ":", &save)) {
    w += *w == '?'; /* optional: what we cannot do is left out anyway */
    ok = strcmp(w, "DEFAULT") == 0 ? add_default_ciphers(&c->data_ciphers)
                                   : add_cipher(&c->data_ciphers, w);
  }
  free(list);
  if (!ok)
    return ovpn_config_no_memory(a->f);
  if (c->data_ciphers.n == 0)
    return ovpn_failure_set(a->f, OVPN_FAIL_CONFIG, "data-ciphers: none of “%.100s” is supported",
                            a->data_ciphers);
  /* "none" is not offered: it is for servers that cannot negotiate. */
  ok = canonical_cipher(&c->cipher) && canonical_cipher(&c->data_ciphers_fallback);
  if (ok && c->cipher && strcmp(c->cipher, "none") != 0)
    ok = add_cipher(&c->data_ciphers, c->cipher);
  return ok ? OVPN_OK : ovpn_config_no_memory(a->f);
}

/* ---- checks */

static bool has(const OvpnConfig *c, OvpnFileId f)
{
  return c->files[f].name != NULL;
}

static OvpnStatus config_error(ConfigApply *a, const char *text)
{
  return ovpn_failure_set(a->f, OVPN_FAIL_CONFIG, "%s", text);
}

/* "ca [inline]" needs a <ca> block somewhere. */
static OvpnStatus check_inline_marks(ConfigApply *a)
{
  for (unsigned i = 0; i < OVPN_FILE_MAX; i++) {
    if (!(a->marked_inline & 1u << i) || has(a->c, (OvpnFileId)i))
      continue;
    const char *word = ovpn_option_info(ovpn_file_option((OvpnFileId)i))->directive;
    return ovpn_failure_set(a->f, OVPN_FAIL_CONFIG,
                            "%s: said to be inline, but there is no <%s> block", word, word);
  }
  return OVPN_OK;
}

static OvpnStatus check_own_certificate(ConfigApply *a)
{
  OvpnConfig *c = a->c;
  const OvpnFile *cert = &c->files[OVPN_FILE_CERT];
  if (has(c, OVPN_FILE_PKCS12) && (has(c, OVPN_FILE_CERT) || has(c, OVPN_FILE_KEY)))
    return config_error(a, "pkcs12: cannot be used together with cert or key");
  /* A token's object can name both. */
  if (cert->name && !has(c, OVPN_FILE_KEY) && strncmp(cert->name, "pkcs11:", 7) == 0 &&
      !ovpn_config_set_text(&c->files[OVPN_FILE_KEY].name, cert->name))
    return ovpn_config_no_memory(a->f);
  if (has(c, OVPN_FILE_CERT) && !has(c, OVPN_FILE_KEY))
    return config_error(a, "cert: needs a key as well");
  if (has(c, OVPN_FILE_KEY) && !has(c, OVPN_FILE_CERT))
    return config_error(a, "key: needs a cert as well");
  bool own = has(c, OVPN_FILE_CERT) || has(c, OVPN_FILE_PKCS12);
  if (c->tls_server && !own)
    return config_error(a, "tls-server: needs a certificate of its own: cert and key, or pkcs12");
  if (!own && !c->auth_user_pass && !c->client_cert_not_needed)
    return config_error(a, "no way to sign in: cert and key, pkcs12 or auth-user-pass is needed");
  return OVPN_OK;
}

static OvpnStatus check_server_trust(ConfigApply *a)
{
  OvpnConfig *c = a->c;
  if (!has(c, OVPN_FILE_CA) && !has(c, OVPN_FILE_CAPATH) && !has(c, OVPN_FILE_PKCS12) &&
      c->peer_fingerprints.n == 0)
    return config_error(a, "no ca: the server's certificate cannot be verified without ca, capath, "
                           "pkcs12 or peer-fingerprint");
  if (a->tls_remote && a->verify_name)
    return config_error(a, "tls-remote: cannot be used together with verify-x509-name");
  if (c->tls_version_min && c->tls_version_max && c->tls_version_min > c->tls_version_max)
    return config_error(a, "tls-version-min: higher than tls-version-max");
  return OVPN_OK;
}

static OvpnStatus check_wrapping(ConfigApply *a)
{
  const OvpnConfig *c = a->c;
  bool good =
      has(c, OVPN_FILE_TLS_AUTH) + has(c, OVPN_FILE_TLS_CRYPT) + has(c, OVPN_FILE_TLS_CRYPT_V2) <=
      1;
  for (size_t i = 0; i < c->n_remotes; i++) {
    const OvpnLinkOptions *l = c->remotes[i].link;
    good &= !l || !l->keys[0].name + !l->keys[1].name + !l->keys[2].name >= 2;
  }
  if (!good)
    return config_error(a, "tls-auth, tls-crypt, tls-crypt-v2: only one of them can be used");
  return OVPN_OK;
}

/* A digest that is only known by name stands in nobody's way until somebody needs it. */
static OvpnStatus check_digest(ConfigApply *a)
{
  const OvpnConfig *c = a->c;
  bool needed = has(c, OVPN_FILE_TLS_AUTH) || has(c, OVPN_FILE_SECRET);
  for (size_t i = 0; i < c->n_remotes; i++)
    needed |= c->remotes[i].link && c->remotes[i].link->keys[0].name;
  if (needed && ovpn_digest_missing(c->auth))
    return ovpn_config_digest_missing(c->auth, a->f);
  return OVPN_OK;
}

/* Nothing is negotiated: what the profile says must be complete. spec §11.4 */
static OvpnStatus check_static_key(ConfigApply *a)
{
  const OvpnConfig *c = a->c;
  const char *name = c->cipher ? c->cipher : "BF-CBC";
  if (c->pull)
    return config_error(a, "secret: cannot be used together with client or pull");
  OvpnCipherFound found = ovpn_cipher_find(name, &name);
  if (found == OVPN_CIPHER_ABLE && !ovpn_cipher_in_static_key_mode(name))
    return ovpn_failure_set(a->f, OVPN_FAIL_CONFIG,
                            "cipher: %s cannot be used with a static key; use AES-256-CBC", name);
  if (found != OVPN_CIPHER_ABLE)
    return ovpn_failure_set(a->f, OVPN_FAIL_CONFIG,
                            "cipher: “%.60s” is not available here; ask the administrator of the "
                            "other side to use AES-256-CBC",
                            name);
  return OVPN_OK;
}

/* The role of the TLS server exists here between two equal peers only. */
static OvpnStatus check_role(ConfigApply *a)
{
  const OvpnConfig *c = a->c;
  if (!c->tls_server)
    return OVPN_OK;
  if (c->pull || c->tls_client)
    return config_error(a, "tls-server: cannot be used together with client, pull or tls-client");
  if (ovpn_config_is_static(c))
    return config_error(a, "tls-server: cannot be used together with secret");
  if (has(c, OVPN_FILE_TLS_CRYPT_V2))
    return config_error(a, "tls-crypt-v2: the role of the server is not possible here; use "
                           "tls-crypt between two peers");
  return OVPN_OK;
}

static OvpnStatus check_mode(ConfigApply *a)
{
  static OvpnStatus (*const steps[])(ConfigApply *) = {check_server_trust, check_own_certificate,
                                                       check_wrapping};
  OvpnStatus role = check_role(a);
  if (role != OVPN_OK)
    return role;
  if (ovpn_config_is_static(a->c))
    return check_static_key(a);
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    OvpnStatus s = steps[i](a);
    if (s != OVPN_OK)
      return s;
  }
  return OVPN_OK;
}

OvpnStatus ovpn_config_finish(ConfigApply *a)
{
  OvpnConfig *c = a->c;
  if (a->key_direction_set && !a->tls_auth_dir_set)
    c->tls_auth_dir = a->key_direction;
  if (a->before_2_3_7 && !c->tls_version_min)
    c->tls_version_min = 10;
  if (a->key_direction_set && !a->secret_dir_set)
    c->secret_dir = a->key_direction;
  static OvpnStatus (*const steps[])(ConfigApply *) = {
      check_inline_marks, ovpn_config_finish_remotes, check_mode, check_digest, finish_ciphers,
  };
  for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
    OvpnStatus s = steps[i](a);
    if (s != OVPN_OK)
      return s;
  }
  return OVPN_OK;
}
