/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The service's side of nm-ovpn-signer (helper/core/signer.h): starts one, gives it the PIN, gets
 * the certificate, and hands its socket on to the engine. */
#pragma once
#include <glib.h>
#include "helper/core/options.h"
#include "helper/core/signer.h"

/* TRUE for a pkcs11: address. */
gboolean nmovpn_signer_is_token(const char *name);
/* TRUE for the content of a key file that only a TPM 2.0 can use: the signer takes that for an
 * address. */
gboolean nmovpn_signer_is_tpm_file(const void *data, gsize len);

/* Waits for the token, up to 15 s. cert NULL: not from the token. modules: options
 * pkcs11-providers of the list. OK: *ret_fd is the socket for the engine (close it after handing it
 * on: then the signer lives as long as the engine) and *ret_cert the PEM certificate, empty without
 * cert. Else *ret_text says why (not translated; free it), may be NULL. pin may be NULL. */
OvpnSignerResult nmovpn_signer_start(const char *cert, const char *key,
                                     const OvpnOptionList *modules, const char *pin, int *ret_fd,
                                     OvpnBlob *ret_cert, char **ret_text);
