/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a profile may make nm-ovpn-signer do, and what the system lets it do. Profiles are written
 * by anybody who may add a connection, the signer runs as the user of the service. */
#pragma once
#include <stdbool.h>

/* May this file be loaded as a module? An absolute path to a regular file that, like every folder
 * above it, belongs to root and can be written by nobody else. */
bool signer_trusts_module(const char *path);
/* Is this pkcs11: URI (RFC 7512) free of words that make the library read files of the service's
 * user or load modules: pin-source, module-path? */
bool signer_trusts_uri(const char *uri);

/* A TPM 2.0 behind the kernel's resource manager, and where tpm2-pkcs11 keeps its keys for a user
 * without a home. */
#define SIGNER_TPM "/dev/tpmrm0"
#define SIGNER_STORE "/etc/tpm2_pkcs11"
bool signer_has_tpm(void); /* and may use it */
/* These are there, but this user may not use them: their paths; else NULL. */
const char *signer_barred_tpm(void);
const char *signer_barred_store(void);
