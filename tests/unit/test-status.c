/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Outcomes and failures: names, families, first cause wins, peer text made harmless. */
#include "helper/core/status.h"
#include "tests/unit/check.h"

static void test_names(void)
{
  CHECK_STR(ovpn_status_name(OVPN_OK), "OK");
  CHECK_STR(ovpn_status_name(OVPN_DROP_REPLAY), "DROP_REPLAY");
  CHECK_STR(ovpn_status_name(OVPN_FAIL_CERT_EXPIRED), "FAIL_CERT_EXPIRED");
  CHECK_STR(ovpn_status_name((OvpnStatus)12345), "?");
  CHECK(ovpn_is_drop(OVPN_DROP_TRUNCATED) && ovpn_is_drop(OVPN_DROP_EMPTY));
  CHECK(ovpn_is_fail(OVPN_FAIL_INTERNAL) && ovpn_is_fail(OVPN_FAIL_PACKET_ID));
  CHECK(!ovpn_is_drop(OVPN_OK) && !ovpn_is_fail(OVPN_OK));
  CHECK(!ovpn_is_drop(OVPN_FAIL_AUTH) && !ovpn_is_fail(OVPN_DROP_AUTH));
  CHECK(!ovpn_is_drop(OVPN_DROP_END_) && !ovpn_is_fail(OVPN_FAIL_END_));
}

static void expect_text(const char *in, const char *out)
{
  OvpnFailure f = {0};
  ovpn_failure_set(&f, OVPN_FAIL_AUTH, "%s", in);
  CHECK_STR(f.text, out);
}

static void test_text(void)
{
  expect_text("plain", "plain");
  expect_text("Grüße €  😀", "Grüße €  😀");
  expect_text("a\nb\tc\x1b[31md\x7f", "a b c [31md ");
  expect_text("\xff\xfe", "??");
  expect_text("\xc0\xaf", "??");      /* overlong */
  expect_text("\xed\xa0\x80", "???"); /* surrogate */
  expect_text("\xc2\x9bm", "?m");     /* C1 control: would start an escape sequence */
  expect_text("cut \xe2\x82", "cut ??");
  OvpnFailure f = {0};
  char longer[600];
  memset(longer, 'x', sizeof longer - 1);
  longer[sizeof longer - 1] = 0;
  ovpn_failure_set(&f, OVPN_FAIL_TLS, "%s", longer);
  CHECK_INT(strlen(f.text), OVPN_FAILURE_TEXT_MAX - 1);
}

static void test_first_cause(void)
{
  OvpnFailure f = {0};
  CHECK_INT(ovpn_failure_set(&f, OVPN_FAIL_TLS, "one"), OVPN_FAIL_TLS);
  CHECK_INT(ovpn_failure_set(&f, OVPN_FAIL_LINK, "two"), OVPN_FAIL_LINK);
  CHECK_INT(f.status, OVPN_FAIL_TLS);
  CHECK_STR(f.text, "one");
  CHECK_INT(ovpn_failure_set(NULL, OVPN_FAIL_LINK, "nobody listens"), OVPN_FAIL_LINK);
}

int main(void)
{
  test_names();
  test_text();
  test_first_cause();
  TEST_END();
}
