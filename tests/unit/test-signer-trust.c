/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Which PKCS#11 modules and addresses a profile may name. */
#include "helper/signer/trust.h"
#include "tests/unit/check.h"
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_modules(void)
{
  char dir[] = "/tmp/nm-ovpn-trust-XXXXXX", file[64], link[64];
  CHECK(signer_trusts_module("/usr/bin/env"));
  CHECK(!signer_trusts_module("usr/bin/env"));
  CHECK(!signer_trusts_module("/usr/bin"));
  CHECK(!signer_trusts_module("/usr/bin/no such file"));
  CHECK(!signer_trusts_module(""));
  if (!mkdtemp(dir)) {
    perror(dir);
    exit(1);
  }
  snprintf(file, sizeof file, "%s/module.so", dir);
  snprintf(link, sizeof link, "%s/link.so", dir);
  FILE *f = fopen(file, "w");
  CHECK(f && fclose(f) == 0);
  CHECK(!signer_trusts_module(file)); /* /tmp belongs to everybody, even if the file is root's */
  CHECK(symlink("/usr/bin/env", link) == 0);
  CHECK(signer_trusts_module(link)); /* what it leads to counts */
  CHECK(unlink(link) == 0 && unlink(file) == 0 && rmdir(dir) == 0);
}

static void test_uris(void)
{
  CHECK(signer_trusts_uri("pkcs11:token=lab;object=me;type=private"));
  CHECK(signer_trusts_uri("pkcs11:object=me?pin-value=1234"));
  CHECK(!signer_trusts_uri("pkcs11:object=me?pin-source=file:/etc/shadow"));
  CHECK(!signer_trusts_uri("pkcs11:object=me?PIN-SOURCE=x"));
  CHECK(!signer_trusts_uri("pkcs11:object=me?module-path=/home/me/evil.so"));
}

int main(void)
{
  test_modules();
  test_uris();
  TEST_END();
}
