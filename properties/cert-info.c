/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a certificate, key or list in a profile is, in words.
 *
 * The bytes come from files of the user or out of a profile that a stranger wrote; GnuTLS parses
 * them, and every name is made valid UTF-8 before it is shown. Keys are wiped after use and nothing
 * of them is shown but their kind. spec/desktop.md §6 (certificates). */
#include "ovpn-build.h"

#include "properties/cert-info.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <gnutls/abstract.h>
#include <gnutls/pkcs12.h>
#include <gnutls/x509.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "service/profile-private.h"

enum { FILE_LIMIT = 1024 * 1024, DAY = 24 * 60 * 60, SOON = 30 };

void cert_info_clear(CertInfo *info)
{
  g_free(info->text);
  g_free(info->warning);
  g_clear_pointer(&info->key_id, g_bytes_unref);
  *info = (CertInfo){0};
}

void cert_info_forget(char *data, gsize len)
{
  if (data)
    ovpn_wipe(data, len);
  g_free(data);
}

static char *read_fd(int fd, gsize *ret_len)
{
  gsize cap = FILE_LIMIT + 1, len = 0;
  char *data = g_malloc(cap);
  while (len < cap) {
    ssize_t n = read(fd, data + len, cap - len);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      break;
    len += (gsize)n;
  }
  *ret_len = len;
  return data;
}

char *cert_info_read(const char *path, gsize *ret_len, char **ret_why)
{
  struct stat st;
  int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
  if (fd < 0) {
    if (errno == ENOENT || errno == ENOTDIR)
      *ret_why = g_strdup_printf(_("There is no file “%s”"), path);
    else
      *ret_why = g_strdup_printf(_("You cannot read the file “%s”"), path);
    return NULL;
  }
  char *data = NULL;
  if (fstat(fd, &st) < 0 || !S_ISREG(st.st_mode)) {
    *ret_why = g_strdup_printf(_("“%s” is not a file"), path);
  } else {
    data = read_fd(fd, ret_len);
    if (*ret_len > FILE_LIMIT) {
      cert_info_forget(data, *ret_len);
      data = NULL;
      *ret_why = g_strdup_printf(_("The file “%s” is too large"), path);
    }
  }
  close(fd);
  return data;
}

static void add_line(CertInfo *info, char *line)
{
  if (!line)
    return;
  char *all = info->text ? g_strconcat(info->text, "\n", line, NULL) : g_strdup(line);
  g_free(info->text);
  info->text = all;
  g_free(line);
}

static void warn(CertInfo *info, gboolean wrong, char *text)
{
  info->wrong |= wrong;
  if (info->warning)
    g_free(text);
  else
    info->warning = text;
}

/* ---- certificates */

/* The common name, or the whole name when there is none. */
static char *short_name(gnutls_x509_crt_t crt, gboolean issuer)
{
  char cn[256];
  size_t len = sizeof(cn);
  int r = issuer ? gnutls_x509_crt_get_issuer_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, cn,
                                                        &len)
                 : gnutls_x509_crt_get_dn_by_oid(crt, GNUTLS_OID_X520_COMMON_NAME, 0, 0, cn, &len);
  if (r == 0)
    return g_utf8_make_valid(cn, (gssize)len);
  gnutls_datum_t dn = {0};
  r = issuer ? gnutls_x509_crt_get_issuer_dn2(crt, &dn) : gnutls_x509_crt_get_dn2(crt, &dn);
  char *ret = r == 0 && dn.size ? g_utf8_make_valid((const char *)dn.data, (gssize)dn.size)
                                /* TRANSLATORS: a certificate without a subject */
                                : g_strdup(_("no name"));
  gnutls_free(dn.data);
  return ret;
}

static char *key_kind(gnutls_x509_crt_t crt)
{
  unsigned bits = 0;
  int pk = gnutls_x509_crt_get_pk_algorithm(crt, &bits);
  const char *name = pk >= 0 ? gnutls_pk_get_name((gnutls_pk_algorithm_t)pk) : NULL;
  /* TRANSLATORS: algorithm (RSA), number of bits */
  return name ? g_strdup_printf(_("%s key of %u bits"), name, bits) : NULL;
}

static char *date_text(gint64 when)
{
  g_autoptr(GDateTime) date = g_date_time_new_from_unix_local(when);
  return date ? g_date_time_format(date,
                                   /* translators: a date, see g_date_time_format */ _("%-d %B %Y"))
              : g_strdup("?");
}

/* Returns "Expires in ..." when that is soon, else NULL. */
static char *add_expiry(CertInfo *info, gnutls_x509_crt_t crt, gint64 now)
{
  gint64 end = gnutls_x509_crt_get_expiration_time(crt);
  gint64 begin = gnutls_x509_crt_get_activation_time(crt);
  g_autofree char *date = date_text(end);
  gint64 days = (end - now) / DAY;
  if (begin > now) {
    g_autofree char *from = date_text(begin);
    warn(info, FALSE, g_strdup_printf(_("The certificate is valid only from %s"), from));
  }
  if (end < now) {
    add_line(info, g_strdup_printf(_("Expired on %s"), date));
    warn(info, FALSE, g_strdup_printf(_("The certificate expired on %s"), date));
    return NULL;
  }
  if (days > SOON) {
    add_line(info, g_strdup_printf(_("Valid until %s"), date));
    return NULL;
  }
  if (days < 1)
    return g_strdup(_("Expires today"));
  return g_strdup_printf(
      g_dngettext(GETTEXT_PACKAGE, "Expires in %d day", "Expires in %d days", (gulong)days),
      (int)days);
}

static GBytes *key_id_of(gnutls_x509_crt_t crt)
{
  unsigned char id[64];
  size_t len = sizeof(id);
  if (gnutls_x509_crt_get_key_id(crt, GNUTLS_KEYID_USE_SHA256, id, &len) < 0)
    return NULL;
  return g_bytes_new(id, len);
}

static gboolean has_purpose(gnutls_x509_crt_t crt, const char *wanted)
{
  char oid[128];
  for (unsigned i = 0; i < 32; i++) {
    size_t len = sizeof(oid);
    int r = gnutls_x509_crt_get_key_purpose_oid(crt, i, oid, &len, NULL);
    if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
      return i == 0; /* no restriction at all */
    if (r == 0 && (!strcmp(oid, wanted) || !strcmp(oid, GNUTLS_KP_ANY)))
      return TRUE;
  }
  return FALSE;
}

static void look_at_cert(CertInfo *info, CertWhat what, gnutls_x509_crt_t crt, gint64 now)
{
  g_autofree char *subject = short_name(crt, FALSE), *issuer = short_name(crt, TRUE);
  add_line(info, g_strdup_printf(_("Name: %s"), subject));
  if (strcmp(subject, issuer))
    add_line(info, g_strdup_printf(_("Issued by: %s"), issuer));
  char *soon = add_expiry(info, crt, now);
  add_line(info, key_kind(crt));
  info->key_id = key_id_of(crt);
  gboolean is_ca = gnutls_x509_crt_get_ca_status(crt, NULL) > 0;
  if (what == CERT_WHAT_CERT && is_ca)
    warn(info, FALSE, g_strdup(_("This is the certificate of an authority, not of a client")));
  else if (what == CERT_WHAT_CERT && !has_purpose(crt, GNUTLS_KP_TLS_WWW_CLIENT))
    warn(info, FALSE, g_strdup(_("This certificate is not made for a client")));
  /* A warning only when there is nothing worse to say. */
  if (soon && info->warning)
    add_line(info, soon);
  else if (soon)
    warn(info, FALSE, soon);
}

static gboolean has_pem(const gnutls_datum_t *d, const char *word)
{
  return memmem(d->data, d->size, word, strlen(word)) != NULL;
}

static gboolean look_at_pkcs12(CertInfo *info, const void *data, gsize len)
{
  if (!profile_bytes_are_pkcs12(data, len))
    return FALSE;
  add_line(info, g_strdup(_("PKCS#12 file with certificate and key")));
  info->encrypted = info->pkcs12 = TRUE;
  return TRUE;
}

static void look_at_certs(CertInfo *info, CertWhat what, const gnutls_datum_t *d, gint64 now)
{
  gnutls_x509_crt_t *list = NULL;
  unsigned n = 0;
  gboolean pem = has_pem(d, "-----BEGIN ");
  if (!has_pem(d, "-----BEGIN") && look_at_pkcs12(info, d->data, d->size))
    return;
  int r = gnutls_x509_crt_list_import2(&list, &n, d,
                                       pem ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER, 0);
  if (r < 0 || !n) {
    gboolean key = has_pem(d, "PRIVATE KEY-----");
    warn(info, TRUE,
         g_strdup(key ? _("This is a private key, not a certificate")
                      : _("This is not a certificate")));
    if (r < 0)
      return;
  }
  if (n)
    look_at_cert(info, what, list[0], now);
  if (n > 1)
    add_line(info, g_strdup_printf(g_dngettext(GETTEXT_PACKAGE, "and %u more certificate",
                                               "and %u more certificates", n - 1),
                                   n - 1));
  for (unsigned i = 0; i < n; i++)
    gnutls_x509_crt_deinit(list[i]);
  gnutls_free(list);
}

/* ---- keys */

static void look_at_open_key(CertInfo *info, const gnutls_datum_t *d)
{
  gnutls_x509_privkey_t key;
  unsigned char id[64];
  size_t len = sizeof(id);
  unsigned bits = 0;
  if (gnutls_x509_privkey_init(&key) < 0)
    return;
  gboolean pem = has_pem(d, "-----BEGIN ");
  int r =
      gnutls_x509_privkey_import2(key, d, pem ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER, NULL, 0);
  if (r < 0) {
    gboolean cert = has_pem(d, "BEGIN CERTIFICATE-----");
    warn(info, TRUE,
         g_strdup(cert ? _("This is a certificate, not a private key")
                       : _("This is not a private key")));
  } else {
    int pk = gnutls_x509_privkey_get_pk_algorithm2(key, &bits);
    const char *name = pk >= 0 ? gnutls_pk_get_name((gnutls_pk_algorithm_t)pk) : NULL;
    add_line(info, g_strdup_printf(_("%s key of %u bits"), name ? name : "?", bits));
    if (gnutls_x509_privkey_get_key_id(key, GNUTLS_KEYID_USE_SHA256, id, &len) == 0)
      info->key_id = g_bytes_new(id, len);
  }
  gnutls_x509_privkey_deinit(key);
}

static void look_at_key(CertInfo *info, const gnutls_datum_t *d)
{
  if (!has_pem(d, "-----BEGIN ") && look_at_pkcs12(info, d->data, d->size))
    return;
  if (nmovpn_key_text_is_encrypted(d->data, d->size)) {
    info->encrypted = TRUE;
    add_line(info, g_strdup(_("Protected by a password")));
    return;
  }
  look_at_open_key(info, d);
}

/* ---- the rest */

static void look_at_crl(CertInfo *info, const gnutls_datum_t *d, gint64 now)
{
  gnutls_x509_crl_t *list = NULL;
  unsigned n = 0;
  gboolean pem = has_pem(d, "-----BEGIN ");
  int r = gnutls_x509_crl_list_import2(&list, &n, d,
                                       pem ? GNUTLS_X509_FMT_PEM : GNUTLS_X509_FMT_DER, 0);
  if (r < 0 || !n) {
    warn(info, TRUE, g_strdup(_("This is not a list of revoked certificates")));
    return;
  }
  int count = gnutls_x509_crl_get_crt_count(list[0]);
  gint64 next = gnutls_x509_crl_get_next_update(list[0]);
  if (count >= 0)
    add_line(info, g_strdup_printf(g_dngettext(GETTEXT_PACKAGE, "%d revoked certificate",
                                               "%d revoked certificates", (gulong)count),
                                   count));
  if (next > 0 && next < now)
    warn(info, FALSE, g_strdup(_("The list of revoked certificates is out of date")));
  for (unsigned i = 0; i < n; i++)
    gnutls_x509_crl_deinit(list[i]);
  gnutls_free(list);
}

static void look_at_text_key(CertInfo *info, const gnutls_datum_t *d, const char *mark,
                             const char *good)
{
  if (has_pem(d, mark))
    add_line(info, g_strdup(good));
  else
    warn(info, TRUE, g_strdup(_("This is not a key of that kind")));
}

void cert_info_look(CertWhat what, const void *data, gsize len, gint64 now, CertInfo *ret)
{
  gnutls_datum_t d = {(unsigned char *)(guintptr)data, (unsigned)len};
  if (!len || len > FILE_LIMIT) {
    warn(ret, TRUE, g_strdup(len ? _("This is too large") : _("This is empty")));
    return;
  }
  switch (what) {
  case CERT_WHAT_CA:
  case CERT_WHAT_CERT:
  case CERT_WHAT_EXTRA:
    look_at_certs(ret, what, &d, now);
    break;
  case CERT_WHAT_KEY:
    look_at_key(ret, &d);
    break;
  case CERT_WHAT_CRL:
    look_at_crl(ret, &d, now);
    break;
  case CERT_WHAT_STATIC_KEY:
    look_at_text_key(ret, &d, "-----BEGIN OpenVPN Static key V1-----", _("OpenVPN static key"));
    break;
  case CERT_WHAT_CRL_DIR:
    break;
  case CERT_WHAT_V2_KEY:
    look_at_text_key(ret, &d, "-----BEGIN OpenVPN tls-crypt-v2 client key-----",
                     _("Client key of tls-crypt-v2"));
    break;
  }
}
