/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Names in certificates: the subject as one line, single attributes, alternative names;
 * verify-x509-name.
 *
 * Names are the peer's words in several old encodings. They become UTF-8 with control characters
 * and NUL replaced by "_", so that no encoding trick makes two different names equal; what does not
 * fit is no name. Escaping for people is ovpn_failure_set's. spec §19. */
#include "helper/core/tls-private.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

enum { NAME_MAX_BYTES = 1024 /* longest subject line or attribute that we compare */ };

/* ---- names --------------------------------------------------------------------------------------
 */

static const struct Attribute {
  const char *oid, *shown, *longer;
} attributes[] = {
    {"2.5.4.3", "CN", "commonName"},
    {"2.5.4.4", "SN", "surname"},
    {"2.5.4.5", "serialNumber", "serialNumber"},
    {"2.5.4.6", "C", "countryName"},
    {"2.5.4.7", "L", "localityName"},
    {"2.5.4.8", "ST", "stateOrProvinceName"},
    {"2.5.4.9", "street", "streetAddress"},
    {"2.5.4.10", "O", "organizationName"},
    {"2.5.4.11", "OU", "organizationalUnitName"},
    {"2.5.4.12", "title", "title"},
    {"2.5.4.13", "description", "description"},
    {"2.5.4.15", "businessCategory", "businessCategory"},
    {"2.5.4.17", "postalCode", "postalCode"},
    {"2.5.4.20", "telephoneNumber", "telephoneNumber"},
    {"2.5.4.41", "name", "name"},
    {"2.5.4.42", "GN", "givenName"},
    {"2.5.4.43", "initials", "initials"},
    {"2.5.4.44", "generationQualifier", "generationQualifier"},
    {"2.5.4.45", "x500UniqueIdentifier", "x500UniqueIdentifier"},
    {"2.5.4.46", "dnQualifier", "dnQualifier"},
    {"2.5.4.65", "pseudonym", "pseudonym"},
    {"2.5.4.97", "organizationIdentifier", "organizationIdentifier"},
    {"0.9.2342.19200300.100.1.1", "UID", "userId"},
    {"0.9.2342.19200300.100.1.3", "mail", "rfc822Mailbox"},
    {"0.9.2342.19200300.100.1.25", "DC", "domainComponent"},
    {"1.2.840.113549.1.9.1", "emailAddress", "emailAddress"},
    {"1.2.840.113549.1.9.2", "unstructuredName", "unstructuredName"},
    {"1.2.840.113549.1.9.8", "unstructuredAddress", "unstructuredAddress"},
    {"1.3.6.1.4.1.311.60.2.1.1", "jurisdictionL", "jurisdictionLocalityName"},
    {"1.3.6.1.4.1.311.60.2.1.2", "jurisdictionST", "jurisdictionStateOrProvinceName"},
    {"1.3.6.1.4.1.311.60.2.1.3", "jurisdictionC", "jurisdictionCountryName"},
};

typedef struct NameText {
  char *buf;
  size_t len, cap;
  bool ok;
} NameText;

static void put_byte(NameText *t, unsigned char c)
{
  if (t->len + 1 >= t->cap) {
    t->ok = false;
    return;
  }
  t->buf[t->len++] =
      c < 0x20 || c == 0x7f ? '_' : (char)c; /* a NUL inside a name becomes visible too */
  t->buf[t->len] = 0;
}

static void put_text(NameText *t, const char *s)
{
  while (*s)
    put_byte(t, (unsigned char)*s++);
}

static void put_code_point(NameText *t, uint32_t c)
{
  if (c < 0x80) {
    put_byte(t, (unsigned char)c);
  } else if (c < 0x800) {
    put_byte(t, (unsigned char)(0xc0 | c >> 6));
    put_byte(t, (unsigned char)(0x80 | (c & 0x3f)));
  } else if (c < 0x10000) {
    put_byte(t, (unsigned char)(0xe0 | c >> 12));
    put_byte(t, (unsigned char)(0x80 | (c >> 6 & 0x3f)));
    put_byte(t, (unsigned char)(0x80 | (c & 0x3f)));
  } else {
    put_byte(t, (unsigned char)(0xf0 | (c >> 18 & 7)));
    put_byte(t, (unsigned char)(0x80 | (c >> 12 & 0x3f)));
    put_byte(t, (unsigned char)(0x80 | (c >> 6 & 0x3f)));
    put_byte(t, (unsigned char)(0x80 | (c & 0x3f)));
  }
}

/* ASN.1 strings as UTF-8, by their tag. */
static void put_value(NameText *t, const gnutls_datum_t *v, unsigned long tag)
{
  enum { TELETEX = 20, UNIVERSAL = 28, BMP = 30 };
  unsigned width = tag == BMP ? 2 : tag == UNIVERSAL ? 4 : 1;
  for (unsigned i = 0; i + width <= v->size; i += width) {
    uint32_t c = 0;
    for (unsigned j = 0; j < width; j++)
      c = c << 8 | v->data[i + j];
    if (width == 1 && tag != TELETEX)
      put_byte(t, (unsigned char)c);
    else
      put_code_point(t, c);
  }
}

static bool get_dn(gnutls_x509_crt_t crt, bool issuer, gnutls_x509_dn_t *ret)
{
  return (issuer ? gnutls_x509_crt_get_issuer(crt, ret) : gnutls_x509_crt_get_subject(crt, ret)) ==
         0;
}

static bool next_ava(gnutls_x509_dn_t dn, int rdn, int ava, gnutls_x509_ava_st *ret)
{
  return gnutls_x509_dn_get_rdn_ava(dn, rdn, ava, ret) == 0;
}

static bool oid_is(const gnutls_datum_t *oid, const char *text)
{
  size_t n = strnlen((const char *)oid->data, oid->size);
  return n == strlen(text) && memcmp(oid->data, text, n) == 0;
}

/* "C=DE, ST=x, O=y, CN=z" in the certificate's order, several attributes in one step joined by " +
 * ". */
static bool subject_line(gnutls_x509_crt_t crt, char *buf, size_t cap)
{
  NameText t = {buf, 0, cap, true};
  gnutls_x509_dn_t dn;
  gnutls_x509_ava_st a;
  buf[0] = 0;
  if (!get_dn(crt, false, &dn))
    return false;
  for (int i = 0; next_ava(dn, i, 0, &a); i++)
    for (int j = 0; next_ava(dn, i, j, &a); j++) {
      char oid[128];
      snprintf(oid, sizeof oid, "%.*s", (int)a.oid.size, (const char *)a.oid.data);
      const char *shown = oid;
      for (size_t k = 0; k < sizeof attributes / sizeof *attributes; k++)
        if (strcmp(attributes[k].oid, oid) == 0)
          shown = attributes[k].shown;
      put_text(&t, j ? " + " : i ? ", " : "");
      put_text(&t, shown);
      put_text(&t, "=");
      put_value(&t, &a.value, a.value_tag);
    }
  return t.ok;
}

/* The last attribute with this OID; false if there is none or it is too long. */
static bool attribute_value(gnutls_x509_crt_t crt, bool issuer, const char *oid, char *buf,
                            size_t cap)
{
  gnutls_x509_dn_t dn;
  gnutls_x509_ava_st a;
  bool found = false;
  buf[0] = 0;
  if (!get_dn(crt, issuer, &dn))
    return false;
  for (int i = 0; next_ava(dn, i, 0, &a); i++)
    for (int j = 0; next_ava(dn, i, j, &a); j++)
      if (oid_is(&a.oid, oid)) {
        NameText t = {buf, 0, cap, true};
        buf[0] = 0;
        put_value(&t, &a.value, a.value_tag);
        found = t.ok;
      }
  return found;
}

const char *ovpn_tls_common_name(gnutls_x509_crt_t crt, bool issuer, char *buf, size_t cap)
{
  attribute_value(crt, issuer, "2.5.4.3", buf, cap);
  return buf;
}

/* What to call a certificate in a message: its CN, or its whole subject. */
const char *ovpn_tls_cert_label(gnutls_x509_crt_t crt, char *buf, size_t cap)
{
  if (!*ovpn_tls_common_name(crt, false, buf, cap))
    subject_line(crt, buf, cap);
  return *buf ? buf : "(no name)";
}

/* Serial number as written in a directory of revoked serials: decimal, no leading zeros. */
static void decimal_serial(const uint8_t *serial, size_t len, char *buf, size_t cap)
{
  uint8_t digits[200] = {0}; /* least significant first; 64 bytes are at most 155 digits */
  size_t n = 1;
  for (size_t i = 0; i < len; i++) {
    unsigned carry = serial[i];
    for (size_t j = 0; j < n; j++) {
      carry += digits[j] * 256u;
      digits[j] = (uint8_t)(carry % 10);
      carry /= 10;
    }
    for (; carry && n < sizeof digits; carry /= 10)
      digits[n++] = (uint8_t)(carry % 10);
  }
  size_t out = 0;
  while (n > 0 && out + 1 < cap)
    buf[out++] = (char)('0' + digits[--n]);
  buf[out] = 0;
}

bool ovpn_tls_serial_text(gnutls_x509_crt_t crt, char *buf, size_t cap)
{
  uint8_t serial[64];
  size_t n = sizeof serial;
  if (gnutls_x509_crt_get_serial(crt, serial, &n) < 0)
    return false;
  decimal_serial(serial, n, buf, cap);
  return true;
}

/* ---- verify-x509-name ---------------------------------------------------------------------------
 */

static bool name_fits(const OvpnTlsContext *t, const char *found)
{
  size_t n = strlen(t->name);
  return t->name_check == OVPN_NAME_PREFIX ? strncmp(found, t->name, n) == 0
                                           : strcmp(found, t->name) == 0;
}

/* ext:subjectAltName and ext:issuerAltName: any mail address or DNS name may fit. `buf`: the last
 * one seen. */
static bool alt_name_fits(const OvpnTlsContext *t, gnutls_x509_crt_t leaf, bool issuer, char *buf,
                          size_t cap)
{
  unsigned critical;
  buf[0] = 0;
  for (unsigned i = 0; i < 256; i++) {
    uint8_t raw[NAME_MAX_BYTES];
    size_t n = sizeof raw;
    int r = issuer ? gnutls_x509_crt_get_issuer_alt_name(leaf, i, raw, &n, &critical)
                   : gnutls_x509_crt_get_subject_alt_name(leaf, i, raw, &n, &critical);
    if (r == GNUTLS_E_REQUESTED_DATA_NOT_AVAILABLE)
      break;
    if (r != GNUTLS_SAN_DNSNAME && r != GNUTLS_SAN_RFC822NAME)
      continue;
    NameText text = {buf, 0, cap, true};
    gnutls_datum_t d = {raw, (unsigned)n};
    buf[0] = 0;
    put_value(&text, &d, 0);
    if (text.ok && name_fits(t, buf))
      return true;
  }
  return false;
}

static const char *field_oid(const char *field)
{
  for (size_t i = 0; i < sizeof attributes / sizeof *attributes; i++)
    if (strcasecmp(attributes[i].shown, field) == 0 || strcasecmp(attributes[i].longer, field) == 0)
      return attributes[i].oid;
  return field; /* dotted already, or not to be found */
}

OvpnStatus ovpn_tls_check_name(const OvpnTlsContext *t, gnutls_x509_crt_t leaf, OvpnFailure *f)
{
  char found[NAME_MAX_BYTES] = "";
  const char *field = t->username_field ? t->username_field : "CN";
  bool fits = false;
  switch (t->name_check) {
  case OVPN_NAME_NONE:
    return OVPN_OK;
  case OVPN_NAME_SUBJECT:
    fits = t->name && subject_line(leaf, found, sizeof found) && strcmp(found, t->name) == 0;
    break;
  case OVPN_NAME_NAME:
  case OVPN_NAME_PREFIX:
    if (!t->name)
      break;
    if (strncasecmp(field, "ext:", 4) == 0)
      fits =
          alt_name_fits(t, leaf, strcasecmp(field + 4, "issuerAltName") == 0, found, sizeof found);
    else if (strcasecmp(field, "serialNumber") == 0)
      fits = ovpn_tls_serial_text(leaf, found, sizeof found) && name_fits(t, found);
    else
      fits = attribute_value(leaf, false, field_oid(field), found, sizeof found) &&
             name_fits(t, found);
    break;
  }
  return fits ? OVPN_OK : ovpn_failure_set(f, OVPN_FAIL_CERT_NAME, "%s", found);
}
