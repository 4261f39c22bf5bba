/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signatures by a private key that the engine never holds: the messages of nm-ovpn-signer, and how
 * the TLS code asks for one.
 *
 * The socket is a SOCK_SEQPACKET pair; one datagram each way. First the service:
 *   str16 certificate (pkcs11: URI, "" = not from a token) | str16 key (pkcs11: URI) | str16 PIN
 *   | u8 n | n x str16 module file (none: the system's p11-kit configuration)
 *   -> u8 OvpnSignerResult | str16 text for the log | u32 n | n bytes of the certificate, PEM
 * then the socket is the engine's, any number of times:
 *   u8 OvpnSignerOp | u32 GnuTLS signature algorithm | u32 GnuTLS flags | u16 n | n bytes
 *   -> u8 OvpnSignerResult | u16 n | n bytes of signature
 * Anything else, and the end of the file, ends the signer. Both programs are of the same build, so
 * GnuTLS's numbers mean the same. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum {
  OVPN_SIGNER_FD = 3,
  OVPN_SIGNER_MODULES_MAX = 8,
  OVPN_SIGNER_TEXT_MAX = 4096,
  OVPN_SIGNER_MESSAGE_MAX = 32768,
  OVPN_SIGNER_DATA_MAX = 4096,
  OVPN_SIGNATURE_MAX = 2048,
};
typedef enum OvpnSignerOp { OVPN_SIGNER_DATA = 1, OVPN_SIGNER_HASH = 2 } OvpnSignerOp;
typedef enum OvpnSignerResult {
  OVPN_SIGNER_OK,
  OVPN_SIGNER_PIN_WRONG,
  OVPN_SIGNER_PIN_NEEDED,
  OVPN_SIGNER_FAILED,
} OvpnSignerResult;

/* Given to the TLS code in OvpnConfig.signer. sign: the length of the signature in ret, 0 = it
 * could not be made; may take as long as a person needs to touch a token. */
typedef struct OvpnSigner {
  size_t (*sign)(void *user, OvpnSignerOp op, uint32_t algorithm, uint32_t flags, const void *data,
                 size_t len, uint8_t ret[OVPN_SIGNATURE_MAX]);
  void *user;
} OvpnSigner;
