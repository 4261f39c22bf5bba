/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A peer's certificate with all our checks on it. The input: two bytes of settings (which checks),
 * the length of the certificate (16 bits), the certificate (DER), the rest one of an authority,
 * which is trusted where the settings say so.
 *
 * What is said about a certificate is one clean line, whatever names are in it. */
#include "helper/core/tls-private.h"
#include "helper/core/wire.h"
#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void trust(OvpnTlsContext *t, const gnutls_datum_t *der, gnutls_x509_crt_t *room)
{
  assert(gnutls_x509_trust_list_init(&t->trust, 0) == 0);
  if (gnutls_x509_crt_init(room) < 0)
    return;
  if (gnutls_x509_crt_import(*room, der, GNUTLS_X509_FMT_DER) < 0) {
    gnutls_x509_crt_deinit(*room);
    return;
  }
  t->ca = (OvpnCerts){room, 1};
  (void)gnutls_x509_trust_list_add_cas(t->trust, room, 1, 0);
}

static void one_clean_line(const char *text)
{
  for (; *text; text++)
    assert((unsigned char)*text >= 0x20 && *text != 0x7f);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  static char words[][32] = {"server", "CN", "1.3.6.1.5.5.7.3.1", "TLS Web Server Authentication",
                             "a0"};
  static char fields[][20] = {"CN", "emailAddress", "ext:subjectAltName", "serialNumber"};
  static bool ready;
  if (!ready)
    gnutls_global_init();
  ready = true;
  OvpnReader r = ovpn_reader(data, size);
  uint8_t a = ovpn_read_u8(&r), b = ovpn_read_u8(&r);
  size_t len = ovpn_read_u16(&r);
  len = len < ovpn_reader_left(&r) ? len : ovpn_reader_left(&r);
  gnutls_datum_t leaf = {(unsigned char *)(uintptr_t)ovpn_read_bytes(&r, len), (unsigned)len};
  gnutls_datum_t ca = {(unsigned char *)(uintptr_t)r.p, (unsigned)ovpn_reader_left(&r)};
  if (!r.ok || len == 0)
    return 0;
  char *eku[] = {words[2 + (b & 1)]}, *ku[] = {words[4]};
  OvpnTlsContext t = {.trusts_any_chain = a & 1,
                      .remote_cert_tls = (OvpnCertType)((a >> 1 & 3) % 3),
                      .ns_cert_type = (OvpnCertType)((a >> 3 & 3) % 3),
                      .server = a & 32,
                      .profile = (OvpnCertProfile)(a >> 6 & 3),
                      .name_check = (OvpnNameCheck)(b >> 1 & 3),
                      .name = words[b >> 3 & 1],
                      .username_field = fields[b >> 4 & 3]};
  if (b & 64)
    t.eku = (OvpnStrv){eku, 1};
  if (b & 128)
    t.ku = (OvpnStrv){ku, 1};
  gnutls_x509_crt_t room;
  trust(&t, &ca, &room);
  OvpnFailure f = {0};
  OvpnStatus st = ovpn_tls_check_certs(&t, 1900000000, &leaf, 1, &f);
  assert(st == OVPN_OK || (ovpn_is_fail(st) && f.status == st));
  one_clean_line(f.text);
  gnutls_x509_trust_list_deinit(t.trust, 0);
  if (t.ca.n)
    gnutls_x509_crt_deinit(room);
  return 0;
}
