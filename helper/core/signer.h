/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Signatures by a private key that the engine never holds: the messages of nm-ovpn-signer, and how
 * the TLS code asks for one.
 *
 * The socket is a SOCK_SEQPACKET pair; one datagram each way. First the service:
 *   str16 certificate (pkcs11: URI, "" = not from a token) | str16 key (pkcs11: URI, or the text
 *   of a key file that only a TPM 2.0 can use) | str16 PIN
 *   | u8 n | n x str16 module file (none: the system's p11-kit configuration)
 *   -> u8 OvpnSignerResult | str16 text for the log | u32 n | n bytes of the certificate, PEM
 * then the socket is the engine's, any number of times:
 *   u32 serial | u8 OvpnSignerOp | u32 GnuTLS signature algorithm | u32 GnuTLS flags | u16 n
 *   | n bytes
 *   -> u32 serial of the question | u8 OvpnSignerResult | u16 n | n bytes of signature, with
 *      OVPN_SIGNER_OK only, then 1 .. OVPN_SIGNATURE_MAX
 * The serial tells an answer from one that came too late for an earlier question. Anything else,
 * and the end of the file, ends the signer. Both programs are of the same build, so GnuTLS's
 * numbers mean the same. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "helper/core/options.h"
#include "helper/core/secret.h"

enum {
  OVPN_SIGNER_FD = 3,
  OVPN_SIGNER_MODULES_MAX = OVPN_OPTION_ARGS_MAX - 1, /* all that a line can name */
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
  OVPN_SIGNER_NO_TPM_FILES, /* this GnuTLS cannot use key files of a TPM */
  OVPN_SIGNER_NO_ACCESS,    /* the text: file or folder that this user may not use */
  OVPN_SIGNER_FAILED,
} OvpnSignerResult;

/* First line of a key file that only a TPM 2.0 can use. */
#define OVPN_SIGNER_TPM_FILE "-----BEGIN TSS2 PRIVATE KEY-----"

/* The most that one datagram of the engine's part can have; receive with MSG_TRUNC, so that a
 * longer one is not taken for its beginning. */
enum {
  OVPN_SIGNER_REQUEST_MAX = 15 + OVPN_SIGNER_DATA_MAX,
  OVPN_SIGNER_ANSWER_MAX = 7 + OVPN_SIGNATURE_MAX,
  OVPN_SIGNER_PIN_MAX = 255,
};

/* Owned. cert "" = not from a token; key is never "". */
typedef struct OvpnSignerStart {
  char *cert, *key, *modules[OVPN_SIGNER_MODULES_MAX];
  unsigned n_modules;
  OvpnBlob pin;
} OvpnSignerStart;
typedef struct OvpnSignerReady {
  OvpnSignerResult result;
  char *text; /* owned, never NULL; any bytes but NUL */
  const uint8_t *cert;
  size_t cert_len; /* a view of the datagram, not NUL-terminated; only with OVPN_SIGNER_OK */
} OvpnSignerReady;
typedef struct OvpnSignerRequest {
  uint32_t serial;
  OvpnSignerOp op;
  uint32_t algorithm, flags;
  const void *data; /* read: a view of the datagram */
  size_t len;
} OvpnSignerRequest;
typedef struct OvpnSignerAnswer {
  uint32_t serial;
  OvpnSignerResult result;
  const void *signature; /* read: a view of the datagram */
  size_t len;
} OvpnSignerAnswer;

/* Readers: true = the whole datagram is one message of that kind within all bounds; else *ret is
 * untouched. Writers: the length, 0 = over a bound or no room. NULL texts are empty. */
bool ovpn_signer_read_start(const uint8_t *msg, size_t len, OvpnSignerStart *ret);
void ovpn_signer_start_clear(OvpnSignerStart *s); /* wipes the PIN */
size_t ovpn_signer_write_start(uint8_t *buf, size_t cap, const char *cert, const char *key,
                               const char *pin, char *const *modules, unsigned n_modules);
bool ovpn_signer_read_ready(const uint8_t *msg, size_t len, OvpnSignerReady *ret);
size_t ovpn_signer_write_ready(uint8_t *buf, size_t cap, const OvpnSignerReady *r);
bool ovpn_signer_read_request(const uint8_t *msg, size_t len, OvpnSignerRequest *ret);
size_t ovpn_signer_write_request(uint8_t *buf, size_t cap, const OvpnSignerRequest *q);
bool ovpn_signer_read_answer(const uint8_t *msg, size_t len, OvpnSignerAnswer *ret);
size_t ovpn_signer_write_answer(uint8_t *buf, size_t cap, const OvpnSignerAnswer *a);

/* Given to the TLS code in OvpnConfig.signer. sign: the length of the signature in ret, 0 = it
 * could not be made; may take as long as a person needs to touch a token. */
typedef struct OvpnSigner {
  size_t (*sign)(void *user, OvpnSignerOp op, uint32_t algorithm, uint32_t flags, const void *data,
                 size_t len, uint8_t ret[OVPN_SIGNATURE_MAX]);
  void *user;
} OvpnSigner;
