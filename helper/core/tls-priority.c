/* SPDX-License-Identifier: GPL-2.0-or-later */
/* From OpenVPN's tls-version-*, tls-cipher, tls-ciphersuites and tls-groups to GnuTLS's priorities.
 *
 * The options name cipher suites in OpenSSL's or IANA's spelling; GnuTLS is told algorithms. So a
 * list is mapped to GnuTLS's own table of suites, the priority string is narrowed to their
 * algorithms, and after the handshake the suite is looked up in the list, because algorithms
 * combine to more suites than were named. Trusts nothing: names are the user's text. spec §19, §23.
 */
#include "helper/core/tls-private.h"
#include <ctype.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

enum { NAME_CAP = 96, PRIORITY_CAP = 2048 };

/* One spelling for all: lower case, no separators, no "TLS" and "WITH", "SHA" = "SHA1", OpenSSL's
 * abbreviations written out. "ECDHE-RSA-AES128-SHA" and "TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA" and
 * "TLS_ECDHE_RSA_AES_128_CBC_SHA1" all become "ecdhersaaes128cbcsha1". */
static void canonical(const char *name, size_t len, char out[NAME_CAP])
{
  char flat[NAME_CAP] = "";
  size_t n = 0;
  bool mode = false, first = true;
  for (size_t i = 0; i < len;) {
    size_t w = 0;
    while (i + w < len && name[i + w] != '-' && name[i + w] != '_')
      w++;
    char word[NAME_CAP];
    snprintf(word, sizeof word, "%.*s", (int)w, name + i);
    i += w + 1;
    for (char *p = word; *p; p++)
      *p = (char)tolower((unsigned char)*p);
    static const struct {
      const char *from, *to;
    } same[] = {{"tls", ""},    {"with", ""},       {"sha", "sha1"},
                {"edh", "dhe"}, {"eecdh", "ecdhe"}, {"ccm8", "ccm8"}};
    const char *to = word;
    for (size_t k = 0; k < sizeof same / sizeof *same; k++)
      if (strcmp(word, same[k].from) == 0)
        to = same[k].to;
    if (!*to)
      continue;
    if (first && strncmp(to, "ecdh", 4) && strncmp(to, "dh", 2) && strcmp(to, "rsa") &&
        strcmp(to, "psk") && strcmp(to, "srp"))
      n += (size_t)snprintf(flat + n, sizeof flat - n, "rsa"); /* OpenSSL leaves plain RSA out */
    first = false;
    mode |= !strcmp(to, "gcm") || !strncmp(to, "ccm", 3) || !strcmp(to, "cbc") ||
            !strncmp(to, "chacha20", 8);
    bool digest = strncmp(to, "sha", 3) == 0 || strcmp(to, "md5") == 0;
    if (digest && strstr(flat, "chacha20"))
      continue; /* GnuTLS leaves it out */
    if (strcmp(to, "cbc3") == 0)
      to = "ede";
    if (digest && !mode)
      n += (size_t)snprintf(flat + n, n < sizeof flat ? sizeof flat - n : 0, "cbc");
    if (n >= sizeof flat)
      break;
    n += (size_t)snprintf(flat + n, sizeof flat - n, "%s", to);
    if (n >= sizeof flat)
      break;
  }
  snprintf(out, NAME_CAP, "%s", flat);
  char *des = strstr(out, "desede"); /* OpenSSL: DES-CBC3, others: 3DES-EDE-CBC */
  if (des && (des == out || des[-1] != '3') && strlen(out) + 1 < NAME_CAP) {
    memmove(des + 1, des, strlen(des) + 1);
    *des = '3';
  }
}

static bool suite_at(size_t i, OvpnSuite *ret, const char **ret_name, gnutls_protocol_t *ret_min)
{
  unsigned char id[2];
  *ret_name = gnutls_cipher_suite_info(i, id, &ret->kx, &ret->cipher, &ret->mac, ret_min);
  return *ret_name != NULL;
}

static bool same_suite(const OvpnSuite *a, const OvpnSuite *b)
{
  return a->kx == b->kx && a->cipher == b->cipher && a->mac == b->mac;
}

static bool has_suite(const OvpnSuites *l, const OvpnSuite *s)
{
  for (unsigned i = 0; i < l->n; i++)
    if (same_suite(&l->v[i], s))
      return true;
  return false;
}

static void suites_add(OvpnSuites *l, const OvpnSuite *s)
{
  if (!has_suite(l, s) && l->n < OVPN_SUITES_MAX)
    l->v[l->n++] = *s;
}

static void suites_remove(OvpnSuites *l, const OvpnSuite *s)
{
  unsigned n = 0;
  for (unsigned i = 0; i < l->n; i++)
    if (!same_suite(&l->v[i], s))
      l->v[n++] = l->v[i];
  l->n = n;
}

static bool with_certificates(gnutls_kx_algorithm_t kx)
{
  return kx == GNUTLS_KX_RSA || kx == GNUTLS_KX_DHE_RSA || kx == GNUTLS_KX_DHE_DSS ||
         kx == GNUTLS_KX_ECDHE_RSA || kx == GNUTLS_KX_ECDHE_ECDSA;
}

/* What GnuTLS calls normal: no RC4, no 3DES, no NULL, no DSS. */
static bool is_default(const OvpnSuite *s)
{
  return with_certificates(s->kx) && s->kx != GNUTLS_KX_DHE_DSS &&
         s->cipher != GNUTLS_CIPHER_ARCFOUR_128 && s->cipher != GNUTLS_CIPHER_3DES_CBC &&
         s->cipher != GNUTLS_CIPHER_NULL;
}

/* Words that stand for many suites: DEFAULT, HIGH, ALL, or a part of a name (ECDHE, AES256,
 * SHA384). */
static bool word_fits(const char *word, size_t len, const OvpnSuite *s, const char *suite_name)
{
  static const char *const all[] = {"DEFAULT", "HIGH", "MEDIUM", "ALL"};
  for (size_t i = 0; i < sizeof all / sizeof *all; i++)
    if (strlen(all[i]) == len && strncasecmp(all[i], word, len) == 0)
      return is_default(s);
  char part[NAME_CAP], name[NAME_CAP];
  size_t n = 0;
  for (size_t i = 0; i < len && n + 1 < sizeof part; i++)
    if (word[i] != '-' && word[i] != '_')
      part[n++] = (char)tolower((unsigned char)word[i]);
  part[n] = 0;
  if (!strcmp(part, "dhe") || !strcmp(part, "edh") || !strcmp(part, "dh") ||
      !strcmp(part, "kdhe") || !strcmp(part, "kedh"))
    return s->kx == GNUTLS_KX_DHE_RSA || s->kx == GNUTLS_KX_DHE_DSS; /* not the "dhe" in "ecdhe" */
  if (!strcmp(part, "krsa"))
    return s->kx == GNUTLS_KX_RSA;
  if (!strcmp(part, "arsa"))
    return s->kx == GNUTLS_KX_RSA || s->kx == GNUTLS_KX_DHE_RSA || s->kx == GNUTLS_KX_ECDHE_RSA;
  if (!strcmp(part, "kecdhe") || !strcmp(part, "eecdh") || !strcmp(part, "keecdh") ||
      !strcmp(part, "ecdh"))
    return s->kx == GNUTLS_KX_ECDHE_RSA || s->kx == GNUTLS_KX_ECDHE_ECDSA;
  canonical(suite_name, strlen(suite_name), name);
  if (!strcmp(part, "aesgcm"))
    return strstr(name, "aes") && strstr(name, "gcm") && with_certificates(s->kx);
  if (!strcmp(part, "sha"))
    return strlen(name) > 4 && strcmp(name + strlen(name) - 4, "sha1") == 0;
  return n >= 2 && strstr(name, part) && with_certificates(s->kx);
}

static void apply_item(OvpnSuites *l, const char *item, size_t len)
{
  bool out = *item == '!' || *item == '-';
  if (out || *item == '+') {
    item++;
    len--;
  }
  if (len == 0 || *item == '@')
    return;
  OvpnSuite s;
  const char *name;
  char wanted[NAME_CAP], have[NAME_CAP];
  gnutls_protocol_t min;
  bool exact = false;
  canonical(item, len, wanted);
  for (int pass = 0; pass < 2 && !exact; pass++)
    for (size_t i = 0; suite_at(i, &s, &name, &min); i++) {
      if (min == GNUTLS_TLS1_3 || s.cipher == GNUTLS_CIPHER_NULL)
        continue;
      canonical(name, strlen(name), have);
      bool hit = pass == 0 ? strcmp(wanted, have) == 0 && with_certificates(s.kx)
                           : word_fits(item, len, &s, name);
      if (pass == 0)
        exact |= hit;
      if (hit && out)
        suites_remove(l, &s);
      else if (hit)
        suites_add(l, &s);
    }
}

static OvpnStatus parse_cipher_list(const char *text, OvpnSuites *ret, OvpnFailure *f)
{
  bool positive = false;
  for (const char *p = text; *p;) {
    p += strspn(p, ":, ");
    size_t n = strcspn(p, ":, ");
    positive |= n > 0 && *p != '!' && *p != '-' && *p != '@';
    if (n)
      apply_item(ret, p, n);
    p += n;
  }
  if (!positive) { /* only exclusions or a level: they apply to the default */
    apply_item(ret, "DEFAULT", 7);
    for (const char *p = text; *p;) {
      p += strspn(p, ":, ");
      size_t n = strcspn(p, ":, ");
      if (n && *p != '@')
        apply_item(ret, p, n);
      p += n;
    }
  }
  ret->configured = true;
  if (ret->n == 0)
    return ovpn_failure_set(f, OVPN_FAIL_CONFIG, "tls-cipher: none of “%s” is known", text);
  return OVPN_OK;
}

static OvpnStatus parse_suites13(const char *text, OvpnSuites *ret, OvpnFailure *f)
{
  static const struct {
    const char *name;
    OvpnSuite s;
  } known[] = {
      {"TLS_AES_128_GCM_SHA256", {0, GNUTLS_CIPHER_AES_128_GCM, GNUTLS_MAC_AEAD}},
      {"TLS_AES_256_GCM_SHA384", {0, GNUTLS_CIPHER_AES_256_GCM, GNUTLS_MAC_AEAD}},
      {"TLS_CHACHA20_POLY1305_SHA256", {0, GNUTLS_CIPHER_CHACHA20_POLY1305, GNUTLS_MAC_AEAD}},
      {"TLS_AES_128_CCM_SHA256", {0, GNUTLS_CIPHER_AES_128_CCM, GNUTLS_MAC_AEAD}},
      {"TLS_AES_128_CCM_8_SHA256", {0, GNUTLS_CIPHER_AES_128_CCM_8, GNUTLS_MAC_AEAD}},
  };
  for (const char *p = text; *p;) {
    p += strspn(p, ":, ");
    size_t n = strcspn(p, ":, ");
    for (size_t i = 0; n && i < sizeof known / sizeof *known; i++) {
      char word[NAME_CAP];
      snprintf(word, sizeof word, "%.*s", (int)n, p);
      for (char *q = word; *q; q++)
        *q = *q == '-' ? '_' : *q;
      if (strcasecmp(word, known[i].name) == 0)
        suites_add(ret, &known[i].s);
    }
    p += n;
  }
  ret->configured = true;
  if (ret->n == 0)
    return ovpn_failure_set(f, OVPN_FAIL_CONFIG, "tls-ciphersuites: none of “%s” is known", text);
  return OVPN_OK;
}

/* ---- priority string ----------------------------------------------------------------------------
 */

typedef struct Priority {
  char text[PRIORITY_CAP];
  size_t len;
} Priority;

__attribute__((format(printf, 2, 3))) static void put(Priority *p, const char *fmt, ...)
{
  va_list ap;
  va_start(ap, fmt);
  int n = vsnprintf(p->text + p->len, sizeof p->text - p->len, fmt, ap);
  va_end(ap);
  if (n > 0 && p->len + (size_t)n < sizeof p->text)
    p->len += (size_t)n;
}

/* Adds ":+NAME" once. */
static void put_algorithm(Priority *p, const char *name)
{
  char item[64];
  snprintf(item, sizeof item, ":+%s", name);
  size_t n = strlen(item);
  for (const char *q = strstr(p->text, item); q; q = strstr(q + 1, item))
    if (q[n] == 0 || q[n] == ':')
      return;
  put(p, "%s", item);
}

/* TLS 1.3 suites in the user's order. */
static void put_suites13(Priority *p, const OvpnSuites *l)
{
  for (unsigned i = 0; i < l->n; i++) {
    put_algorithm(p, gnutls_cipher_get_name(l->v[i].cipher));
    put_algorithm(p, gnutls_mac_get_name(l->v[i].mac));
  }
}

/* Older suites, best first whatever the order of the list: a word such as DEFAULT has no order of
 * its own, and a server that follows our order must not be led to a key exchange without forward
 * secrecy. */
static void put_suites12(Priority *p, const OvpnSuites *l)
{
  static const gnutls_kx_algorithm_t kx[] = {GNUTLS_KX_ECDHE_ECDSA, GNUTLS_KX_ECDHE_RSA,
                                             GNUTLS_KX_DHE_RSA, GNUTLS_KX_DHE_DSS, GNUTLS_KX_RSA};
  static const gnutls_cipher_algorithm_t strong[] = {
      GNUTLS_CIPHER_AES_256_GCM, GNUTLS_CIPHER_CHACHA20_POLY1305, GNUTLS_CIPHER_AES_128_GCM,
      GNUTLS_CIPHER_AES_256_CBC, GNUTLS_CIPHER_AES_128_CBC};
  for (size_t k = 0; k < sizeof kx / sizeof *kx; k++)
    for (unsigned i = 0; i < l->n; i++)
      if (l->v[i].kx == kx[k])
        put_algorithm(p, gnutls_kx_get_name(kx[k]));
  for (size_t k = 0; k < sizeof strong / sizeof *strong; k++)
    for (unsigned i = 0; i < l->n; i++)
      if (l->v[i].cipher == strong[k])
        put_algorithm(p, gnutls_cipher_get_name(strong[k]));
  for (unsigned i = 0; i < l->n; i++) {
    put_algorithm(p, gnutls_cipher_get_name(l->v[i].cipher));
    put_algorithm(p, gnutls_mac_get_name(l->v[i].mac));
  }
}

static void put_versions(Priority *p, int min, int max)
{
  put(p, ":-VERS-ALL");
  for (int v = 13; v >= 10; v--)
    if (v >= min && v <= max)
      put(p, ":+VERS-TLS1.%d", v - 10);
}

/* tls-groups, in the user's order. */
static OvpnStatus put_groups(Priority *p, const char *text, OvpnFailure *f)
{
  static const struct {
    const char *name, *gnutls;
  } known[] = {
      {"prime256v1", "SECP256R1"}, {"secp256r1", "SECP256R1"}, {"P-256", "SECP256R1"},
      {"secp384r1", "SECP384R1"},  {"P-384", "SECP384R1"},     {"secp521r1", "SECP521R1"},
      {"P-521", "SECP521R1"},      {"X25519", "X25519"},       {"X448", "X448"},
      {"ffdhe2048", "FFDHE2048"},  {"ffdhe3072", "FFDHE3072"}, {"ffdhe4096", "FFDHE4096"},
      {"ffdhe6144", "FFDHE6144"},  {"ffdhe8192", "FFDHE8192"},
  };
  bool any = false;
  for (const char *s = text; *s;) {
    s += strspn(s, ":, ");
    size_t n = strcspn(s, ":, ");
    for (size_t i = 0; n && i < sizeof known / sizeof *known; i++)
      if (strlen(known[i].name) == n && strncasecmp(known[i].name, s, n) == 0) {
        put(p, any ? ":+GROUP-%s" : ":-GROUP-ALL:+GROUP-%s", known[i].gnutls);
        any = true;
      }
    s += n;
  }
  if (!any)
    return ovpn_failure_set(f, OVPN_FAIL_CONFIG, "tls-groups: none of “%s” is known", text);
  return OVPN_OK;
}

static void put_strength(Priority *p, OvpnCertProfile profile)
{
  switch (profile) {
  case OVPN_PROFILE_INSECURE:
    put(p, ":%%PROFILE_VERY_WEAK:+SIGN-RSA-SHA1:+SIGN-ECDSA-SHA1:%%VERIFY_ALLOW_BROKEN:%%VERIFY_"
           "ALLOW_SIGN_WITH_SHA1");
    break;
  case OVPN_PROFILE_LEGACY:
    put(p, ":%%PROFILE_LOW:%%VERIFY_ALLOW_SIGN_WITH_SHA1");
    break;
  case OVPN_PROFILE_PREFERRED:
    put(p, ":%%PROFILE_MEDIUM");
    break;
  case OVPN_PROFILE_SUITEB:
    put(p, ":%%PROFILE_SUITEB128");
    break;
  }
}

OvpnStatus ovpn_tls_set_priority(OvpnTlsContext *t, const OvpnConfig *c, OvpnFailure *f)
{
  Priority p = {0};
  int min = c->tls_version_min ? c->tls_version_min : 12,
      max = c->tls_version_max ? c->tls_version_max : 13;
  if (c->tls_version_min_or_highest && min > max)
    min = max;
  if (!c->tls_version_min && max < min)
    min = max;
  if (min > max)
    return ovpn_failure_set(f, OVPN_FAIL_CONFIG,
                            "tls-version-min: 1.%d is above tls-version-max 1.%d", min - 10,
                            max - 10);
  OvpnStatus s = OVPN_OK;
  if (c->tls_cipher)
    s = parse_cipher_list(c->tls_cipher, &t->suites12, f);
  if (s == OVPN_OK && c->tls_ciphersuites)
    s = parse_suites13(c->tls_ciphersuites, &t->suites13, f);
  if (s != OVPN_OK)
    return s;
  put(&p, "NORMAL");
  put_versions(&p, min, max);
  if (t->suites12.configured || t->suites13.configured) {
    OvpnSuites normal = {0};
    if (!t->suites13.configured)
      parse_suites13("TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256:TLS_AES_128_GCM_SHA256",
                     &t->suites13, NULL);
    if (!t->suites12.configured)
      apply_item(&normal, "DEFAULT", 7);
    put(&p, ":-CIPHER-ALL:-MAC-ALL:-KX-ALL");
    if (max >= 13)
      put_suites13(&p, &t->suites13);
    if (min < 13)
      put_suites12(&p, t->suites12.configured ? &t->suites12 : &normal);
    else
      put(&p, ":+ECDHE-RSA:+ECDHE-ECDSA");
  } else if (t->profile == OVPN_PROFILE_INSECURE) {
    put(&p, ":+3DES-CBC");
  }
  if (c->tls_groups)
    s = put_groups(&p, c->tls_groups, f);
  if (s != OVPN_OK)
    return s;
  put_strength(&p, t->profile);
  put(&p, ":%%NO_TICKETS");
  const char *where = NULL;
  int r = gnutls_priority_init(&t->priority, p.text, &where);
  if (r < 0)
    return ovpn_failure_set(
        f, OVPN_FAIL_CONFIG,
        "tls-cipher, tls-version-min: no usable TLS settings remain (%s at “%.60s”)",
        gnutls_strerror(r), where ? where : "");
  return OVPN_OK;
}

bool ovpn_tls_suite_allowed(const OvpnTls *t, const char **ret_name)
{
  OvpnSuite s = {gnutls_kx_get(t->session), gnutls_cipher_get(t->session),
                 gnutls_mac_get(t->session)},
            x;
  bool tls13 = gnutls_protocol_get_version(t->session) == GNUTLS_TLS1_3;
  const OvpnSuites *l = tls13 ? &t->ctx->suites13 : &t->ctx->suites12;
  const char *name = NULL;
  gnutls_protocol_t min;
  *ret_name = "?";
  for (size_t i = 0; suite_at(i, &x, &name, &min); i++)
    if (x.cipher == s.cipher && x.mac == s.mac && (min == GNUTLS_TLS1_3) == tls13 &&
        (tls13 || x.kx == s.kx))
      *ret_name = name;
  if (!l->configured)
    return true;
  for (unsigned i = 0; i < l->n; i++)
    if (l->v[i].cipher == s.cipher && l->v[i].mac == s.mac && (tls13 || l->v[i].kx == s.kx))
      return true;
  return false;
}
