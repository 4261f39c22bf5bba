/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Blobs: copy, append, clear, the NUL behind the end, comparison. */
#include "helper/core/secret.h"
#include "tests/unit/check.h"

static void test_blob(void)
{
  ovpn_auto_blob b = {0};
  CHECK(ovpn_blob_set_text(&b, "hello"));
  CHECK_INT(b.len, 5);
  CHECK_INT(b.data[5], 0);
  CHECK(ovpn_blob_append(&b, " world", 6));
  CHECK_STR((const char *)b.data, "hello world");
  CHECK(ovpn_blob_append(&b, b.data, b.len)); /* from itself */
  CHECK_STR((const char *)b.data, "hello worldhello world");
  CHECK(ovpn_blob_set(&b, b.data + 6, 5)); /* part of itself */
  CHECK_STR((const char *)b.data, "world");
  CHECK(ovpn_blob_append(&b, NULL, 0));
  CHECK_INT(b.len, 5);
  CHECK(ovpn_blob_set(&b, "a\0b", 3));
  CHECK_MEM(b.data, "a\0b", 4);
  CHECK(ovpn_blob_set_text(&b, NULL));
  CHECK(!b.data && b.len == 0);
  CHECK(ovpn_blob_set(&b, "", 0));
  CHECK(!b.data);
  ovpn_blob_clear(&b);
  ovpn_blob_clear(NULL);
}

static void test_rest(void)
{
  uint8_t k[4] = {1, 2, 3, 4};
  CHECK(ovpn_equal_ct("abc", "abc", 3));
  CHECK(!ovpn_equal_ct("abc", "abd", 3));
  CHECK(!ovpn_equal_ct("\x01", "\x81", 1));
  CHECK(ovpn_equal_ct("a", "b", 0));
  ovpn_wipe(k, sizeof k);
  CHECK_MEM(k, "\0\0\0\0", 4);
  ovpn_wipe(NULL, 5);
  char *s = ovpn_secret_strdup("pass");
  CHECK_STR(s, "pass");
  ovpn_secret_free(s);
  ovpn_secret_free(NULL);
  CHECK(!ovpn_secret_strdup(NULL));
}

int main(void)
{
  test_blob();
  test_rest();
  TEST_END();
}
