/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a certificate, key or list in a profile is, in words. */
#pragma once
#include <glib.h>

typedef enum CertWhat {
  CERT_WHAT_CA,
  CERT_WHAT_CERT,
  CERT_WHAT_KEY,
  CERT_WHAT_EXTRA,
  CERT_WHAT_CRL,
  CERT_WHAT_STATIC_KEY,
  CERT_WHAT_V2_KEY,
  CERT_WHAT_CRL_DIR, /* a folder; cert_info_look is not for it */
} CertWhat;

typedef struct CertInfo {
  char *text;         /* lines: subject, issuer, expiry, kind of key; NULL when there is nothing */
  char *warning;      /* sentence without full stop */
  gboolean wrong;     /* warning says that it is no such thing at all */
  gboolean encrypted; /* a pass phrase is needed */
  gboolean pkcs12;    /* certificate and key in one file */
  GBytes *key_id;     /* of the public key, NULL when unknown */
} CertInfo;

void cert_info_clear(CertInfo *info);
/* `now` in seconds since 1970. */
void cert_info_look(CertWhat what, const void *data, gsize len, gint64 now, CertInfo *ret);
/* Reads a regular file of at most 1 MiB. NULL: `ret_why` is a sentence. Wipe with cert_info_forget.
 */
char *cert_info_read(const char *path, gsize *ret_len, char **ret_why);
void cert_info_forget(char *data, gsize len);
