/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which modules are loaded, and what stands in the way of a key in a TPM.
 *
 * Trusts root and nobody else: a module is code that runs as the user of the service, which also
 * serves other people's connections. Symbolic links are followed first; then what root alone can
 * change stays as it was when it was looked at. */
#include "helper/signer/trust.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>
#include <unistd.h>

static bool roots_alone(const char *path, mode_t kind)
{
  struct stat st;
  return stat(path, &st) == 0 && (st.st_mode & S_IFMT) == kind && st.st_uid == 0 &&
         (st.st_mode & (S_IWGRP | S_IWOTH)) == 0;
}

bool signer_trusts_module(const char *path)
{
  char *real = path[0] == '/' ? realpath(path, NULL) : NULL;
  bool ok = real && roots_alone(real, S_IFREG);
  for (char *slash; ok && (slash = strrchr(real, '/')) != NULL;) {
    *slash = 0;
    ok = roots_alone(*real ? real : "/", S_IFDIR);
  }
  free(real);
  return ok;
}

bool signer_trusts_uri(const char *uri)
{
  return !strcasestr(uri, "pin-source") && !strcasestr(uri, "module-path");
}

bool signer_has_tpm(void)
{
  return access(SIGNER_TPM, R_OK | W_OK) == 0;
}

const char *signer_barred_tpm(void)
{
  return access(SIGNER_TPM, F_OK) == 0 && !signer_has_tpm() ? SIGNER_TPM : NULL;
}

const char *signer_barred_store(void)
{
  static const char file[] = SIGNER_STORE "/tpm2_pkcs11.sqlite3";
  if (access(SIGNER_STORE, F_OK) < 0)
    return NULL;
  if (access(SIGNER_STORE, R_OK | W_OK | X_OK) < 0)
    return SIGNER_STORE;
  return access(file, F_OK) == 0 && access(file, R_OK | W_OK) < 0 ? file : NULL;
}
