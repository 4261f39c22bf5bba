/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a server may ask for, and what counts as a web page. */
#include "helper/core/signin.h"
#include <string.h>
#include "tests/unit/check.h"

static void good(const char *text, const char *expected)
{
  char ret[OVPN_WEB_ADDRESS_MAX] = "", again[OVPN_WEB_ADDRESS_MAX] = "";
  CHECK(ovpn_web_address(text, ret, sizeof ret));
  CHECK_STR(ret, expected);
  CHECK(ovpn_web_address(ret, again, sizeof again));
  CHECK_STR(again, ret);
}

static void bad(const char *text)
{
  char ret[OVPN_WEB_ADDRESS_MAX];
  CHECK(!ovpn_web_address(text, ret, sizeof ret));
}

static void test_address(void)
{
  good("https://a.example", "https://a.example");
  good("HTTP://a.example:8080/x?y=1&z=%20#t", "HTTP://a.example:8080/x?y=1&z=%20#t");
  good("https://a/$(id);`id`'\"<>|", "https://a/$(id);%60id%60%27%22%3C%3E%7C");
  good("https://a/\xc3\xa4 b\\", "https://a/%C3%A4%20b%5C");
  good("https://[fd00::1]/x", "https://[fd00::1]/x");
  good("https://a/u@b", "https://a/u@b");
  bad("");
  bad("https://");
  bad("https:///x");
  bad("https://:80/");
  bad("https://good.example@evil.example/");
  bad("https://a\\@b/");
  bad("https://a b/");
  bad("https://\xc3\xa4/");
  bad(" https://a/");
  bad("file:///etc/passwd");
  bad("javascript:alert(1)");
  bad("ftp://a/");
  bad("-https://a/");
  char small[10];
  CHECK(!ovpn_web_address("https://a.example", small, sizeof small));
  CHECK_INT(ovpn_web_origin_len("https://a.example:1/x"), 21 - 2);
  CHECK_INT(ovpn_web_origin_len("file:///x"), 0);
}

static void test_parse(void)
{
  static const struct {
    const char *text;
    OvpnSigninKind kind;
    const char *expected;
    bool echo, required;
  } t[] = {
      {"OPEN_URL:https://a/b", OVPN_SIGNIN_WEB, "https://a/b", false, false},
      {"WEB_AUTH::https://a/b", OVPN_SIGNIN_WEB, "https://a/b", false, false},
      {"WEB_AUTH:hidden,external:https://a/b", OVPN_SIGNIN_WEB, "https://a/b", false, false},
      {"WEB_AUTH:proxy=[fd00::1];1;dQ==;cA==:https://a/b", OVPN_SIGNIN_WEB, "https://a/b", false,
       false},
      {"WEB_AUTH:https://a/b", OVPN_SIGNIN_BAD_ADDRESS, "", false, false},
      {"WEB_AUTH:", OVPN_SIGNIN_BAD_ADDRESS, "", false, false},
      {"WEB_AUTH:proxy=[fd00", OVPN_SIGNIN_BAD_ADDRESS, "", false, false},
      {"OPEN_URL:ssh://a", OVPN_SIGNIN_BAD_ADDRESS, "", false, false},
      {"CR_TEXT:R,E:Code: a", OVPN_SIGNIN_QUESTION, "Code: a", true, true},
      {"CR_TEXT:R:x\xff\x01y", OVPN_SIGNIN_QUESTION, "x? y", false, true},
      {"CR_TEXT::x", OVPN_SIGNIN_QUESTION, "x", false, false},
      {"CR_TEXT:R", OVPN_SIGNIN_NONE, "", false, true},
      {"hello", OVPN_SIGNIN_NONE, "", false, false},
      {"", OVPN_SIGNIN_NONE, "", false, false},
  };
  for (size_t i = 0; i < sizeof t / sizeof t[0]; i++) {
    OvpnSignin s;
    CHECK_INT(ovpn_signin_parse(t[i].text, &s), t[i].kind);
    CHECK_STR(s.text, t[i].expected);
    CHECK(s.echo == t[i].echo && s.required == t[i].required);
  }
}

int main(void)
{
  test_address();
  test_parse();
  TEST_END();
}
