/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which modules are loaded.
 *
 * Trusts root and nobody else: a module is code that runs as the user of the service, which also
 * serves other people's connections. Symbolic links are followed first; then what root alone can
 * change stays as it was when it was looked at. */
#include "helper/signer/trust.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/stat.h>

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
