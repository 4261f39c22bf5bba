/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Does a PKCS#12 file need a password?
 *
 * The file is a stranger's and goes to GnuTLS only, which checks its seal; nothing in it is used
 * here. The engine opens such a file without a password in the same way
 * (helper/core/tls-context.c). spec/openvpn-protocol.md §19. */
#include "ovpn-build.h"

#include "properties/pkcs12.h"

#include <gnutls/pkcs12.h>

#include "service/profile-private.h"

gboolean nmovpn_pkcs12_is_open(const void *data, gsize len)
{
  ovpn_auto_blob der = {0};
  gnutls_pkcs12_t p12;
  if (!profile_bytes_are_pkcs12(data, len))
    return FALSE;
  if (((const guint8 *)data)[0] != 0x30) {
    if (!profile_base64_decode(data, len, &der))
      return FALSE;
    data = der.data;
    len = der.len;
  }
  gnutls_datum_t d = {(unsigned char *)(gpointer)data, (unsigned)len};
  if (gnutls_pkcs12_init(&p12) < 0)
    return FALSE;
  int r = gnutls_pkcs12_import(p12, &d, GNUTLS_X509_FMT_DER, 0);
  if (r == 0) {
    r = gnutls_pkcs12_verify_mac(p12, "");
    if (r == GNUTLS_E_MAC_VERIFY_FAILED)
      r = gnutls_pkcs12_verify_mac(p12, NULL);
    /* Without a seal there is no password to check it with; the engine finds out. */
    if (r < 0 && r != GNUTLS_E_MAC_VERIFY_FAILED)
      r = 0;
  }
  gnutls_pkcs12_deinit(p12);
  return r == 0;
}
