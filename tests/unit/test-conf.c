/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The profile lexer: quoting, comments, blocks, line numbers, and files that are no profiles. */
#include "helper/core/conf.h"
#include "tests/unit/check.h"

/* One line -> its words joined by '|'; text NULL = must fail. */
static void expect_words(const char *line, const char *words)
{
  ovpn_auto_option_list l = {0};
  OvpnConfError e = {0};
  OvpnStatus s = ovpn_conf_parse_line(line, strlen(line), &l, &e);
  char got[512] = "";
  for (unsigned i = 0; l.n > 0 && i < l.items[0].argc; i++) {
    strcat(got, i ? "|" : "");
    strcat(got, l.items[0].argv[i]);
  }
  if (s != (words ? OVPN_OK : OVPN_FAIL_CONFIG) || strcmp(got, words ? words : ""))
    fprintf(stderr, "in: %s (%s)\n", line, e.text);
  CHECK_INT(s, words ? OVPN_OK : OVPN_FAIL_CONFIG);
  CHECK_STR(got, words ? words : "");
  CHECK((e.text[0] != 0) == (words == NULL));
}

static void test_words(void)
{
  expect_words("remote a 1194", "remote|a|1194");
  expect_words("  \tremote\t a \r", "remote|a");
  expect_words("--remote a", "remote|a");
  expect_words("-- a", "--|a");
  expect_words("", "");
  expect_words("   ", "");
  expect_words("# comment", "");
  expect_words("; comment", "");
  expect_words("verb 3 # comment", "verb|3");
  expect_words("verb 3 ;comment", "verb|3");
  expect_words("verb 3#no comment", "verb|3#no|comment");
  expect_words("ca \"a b\" 'c d'", "ca|a b|c d");
  expect_words("ca \"\" ''", "ca||");
  expect_words("ca \"#x\" ';y'", "ca|#x|;y");
  expect_words("ca \"a \\\"b\\\" \\\\c\"", "ca|a \"b\" \\c");
  expect_words("ca 'a\\b \"c\"'", "ca|a\\b \"c\"");
  expect_words("ca a\\ b\\\\c\\\"d", "ca|a b\\c\"d");
  expect_words("ca \\ b", "ca|b");
  expect_words("ca b \\", "ca|b");
  expect_words("ca \\\t \\ b", "ca|b");
  expect_words("ca \\# b", "ca");
  expect_words("\\", "");
  expect_words("ca a\"b'c", "ca|a\"b'c");
  expect_words("ca \"a\"b", "ca|a|b");
  expect_words("ca \"a\"\"b\"#c", "ca|a|b");
  expect_words("ca C:\\keys\\ca.crt", NULL);
  expect_words("ca \"C:\\keys\"", NULL);
  expect_words("ca C:\\\\keys", "ca|C:\\keys");
  expect_words("ca a\\", "ca|a");
  expect_words("ca \"a\\", NULL);
  expect_words("ca \"a", NULL);
  expect_words("ca 'a", NULL);
  expect_words("ca \"", NULL);
  expect_words("ca it's", "ca|it's");
  expect_words("setenv opt block-outside-dns", "block-outside-dns");
  expect_words("setenv opt from-the-future x", "setenv|opt|from-the-future|x");
  expect_words("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24",
               "1|2|3|4|5|6|7|8|9|10|11|12|13|14|15|16|17|18|19|20|21|22|23|24");
  expect_words("1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 23 24 25", NULL);
  ovpn_auto_option_list l = {0};
  CHECK_INT(ovpn_conf_parse_line("a\nb", 3, &l, NULL), OVPN_FAIL_CONFIG);
  CHECK_INT(ovpn_conf_parse_line("a\0b", 3, &l, NULL), OVPN_FAIL_CONFIG);
  char big[OVPN_OPTION_ARG_MAX + 1];
  memset(big, 'a', sizeof big);
  CHECK_INT(ovpn_conf_parse_line(big, sizeof big, &l, NULL), OVPN_FAIL_CONFIG);
  CHECK_INT(ovpn_conf_parse_line(big, sizeof big - 1, &l, NULL), OVPN_OK);
}

static void test_file(void)
{
  static const char text[] = "\xef\xbb\xbf"
                             "client\r\n"
                             "# OVPN_ACCESS_SERVER_USERNAME=me\r\n"
                             "\r\n"
                             "<connection>\r\n"
                             "remote a 1194\r\n"
                             "\t<tls-crypt>\r\n"
                             "key a\r\n"
                             "</tls-crypt>\r\n"
                             "</connection>\r\n"
                             "<connection>\n"
                             "remote b\n"
                             "</connection>\n"
                             "<ca>\n"
                             "# not a comment \"\\\n"
                             " </cat>\n"
                             "\n"
                             "  </ca> trailing\n"
                             "<what-is-this>\n"
                             "</what-is-this>\n"
                             "\"<ca>\"\n"
                             "<ca> two\n"
                             "verb 4";
  ovpn_auto_option_list l = {0};
  OvpnConfError e = {0};
  CHECK_INT(ovpn_conf_parse(text, sizeof text - 1, &l, &e), OVPN_OK);
  CHECK_STR(e.text, "");
  CHECK_INT(l.n, 9);
  if (l.n != 9)
    return;
  CHECK_INT(l.items[0].id, OVPN_OPT_CLIENT);
  CHECK_INT(l.items[0].line, 1);
  CHECK_INT(l.items[0].connection, -1);
  CHECK_INT(l.items[1].id, OVPN_OPT_REMOTE);
  CHECK_INT(l.items[1].line, 5);
  CHECK_INT(l.items[1].connection, 0);
  CHECK_INT(l.items[2].id, OVPN_OPT_TLS_CRYPT);
  CHECK_INT(l.items[2].connection, 0);
  CHECK_STR((const char *)l.items[2].content.data, "key a\r\n");
  CHECK_INT(l.items[3].connection, 1);
  CHECK_INT(l.items[4].id, OVPN_OPT_CA);
  CHECK_INT(l.items[4].connection, -1);
  CHECK(l.items[4].is_inline);
  CHECK_INT(l.items[4].line, 13);
  CHECK_INT(l.items[4].argc, 1);
  CHECK_STR((const char *)l.items[4].content.data, "# not a comment \"\\\n </cat>\n\n");
  CHECK_INT(l.items[5].id, OVPN_OPT_UNKNOWN);
  CHECK(l.items[5].is_inline && l.items[5].content.len == 0);
  CHECK_STR(l.items[5].argv[0], "what-is-this");
  CHECK_STR(l.items[6].argv[0], "<ca>");
  CHECK(!l.items[6].is_inline);
  CHECK_INT(l.items[7].argc, 2);
  CHECK_INT(l.items[8].line, 22);
  /* a second file into the same list: its blocks are other blocks */
  CHECK_INT(ovpn_conf_parse("<connection>\nremote c\n</connection>", 35, &l, &e), OVPN_OK);
  CHECK_INT(l.items[9].connection, 2);
}

static void expect_error(const char *text, size_t len, unsigned line, const char *part)
{
  ovpn_auto_option_list l = {0};
  OvpnConfError e = {0};
  CHECK_INT(ovpn_conf_parse(text, len, &l, &e), OVPN_FAIL_CONFIG);
  CHECK_INT(e.line, line);
  if (!strstr(e.text, part))
    CHECK_STR(e.text, part);
}
#define ERROR(text, line, part) expect_error(text, sizeof(text) - 1, line, part)

static void test_nul(void)
{
  static const char text[] = "client\n# a\0b\n  ;\0\nverb 3\n\0\0";
  ovpn_auto_option_list l = {0};
  CHECK_INT(ovpn_conf_parse(text, sizeof(text) - 1, &l, NULL), OVPN_OK);
  CHECK_INT(l.n, 2);
  CHECK(!ovpn_conf_find_nul("", 0));
  CHECK(ovpn_conf_find_nul("\0\0", 2) != NULL);
  CHECK(!ovpn_conf_find_nul("#\0", 2));
  CHECK(ovpn_conf_find_nul("a\0b", 3) != NULL);
  CHECK(ovpn_conf_find_nul("#\0\n\0a", 5) != NULL);
}

static void test_errors(void)
{
  ERROR("client\nca \"x\nverb 3\n", 2, "not closed");
  ERROR("client\n<ca>\nabc\n", 2, "<ca> is not closed by </ca>");
  ERROR("client\n<connection>\nremote a\n", 2, "<connection> is not closed");
  ERROR("<connection>\n<connection>\n", 2, "inside another");
  ERROR("client\n</connection>\n", 2, "without <connection>");
  ERROR("client\n</ca>\n", 2, "</ca> without <ca>");
  ERROR("client\n<<<<<<< HEAD\nverb 3\n=======\n", 2, "unfinished merge");
  ERROR("client\n=======\n", 2, "unfinished merge");
  ERROR("client\n>>>>>>> branch\n", 2, "unfinished merge");
  ERROR("client\n<ca>\n=======\r\n</ca>\n", 3, "unfinished merge");
  ERROR("client\nremote C:\\x\n", 2, "backslash");
  ERROR("client\nverb \0 3\n", 2, "binary data");
  ERROR("\x7f"
        "ELF\1\1\1\0\0\1",
        1, "binary data");
  ERROR("PK\3\4\n\0\0", 0, "no OpenVPN option");
  ERROR("\xff\xfe"
        "c\0l\0",
        1, "UTF-16");
  ERROR("\x89PNG\r\n\x1a\n\x01\x02\x03\x04\x05\x06\x07\x08\x0e", 2, "binary data");
  ERROR("\xd0\xcf\xe0\xa1\xb1\x1a\xe1 \xf0\xf1\xf2\xf3", 0, "no OpenVPN option");
  char *big = malloc(OVPN_CONF_MAX + 1);
  memset(big, '\n', OVPN_CONF_MAX + 1);
  expect_error(big, OVPN_CONF_MAX + 1, 0, "larger than 4 MiB");
  for (size_t i = 0; i + 1 < OVPN_CONF_MAX; i += 2)
    big[i] = 'a';
  expect_error(big, OVPN_CONF_MAX, OVPN_OPTION_LIST_MAX + 1, "more than 20000 options");
  memset(big, '"', OVPN_CONF_MAX);
  expect_error(big, OVPN_CONF_MAX, 1, "more than 24 words");
  memset(big, 'x', OVPN_CONF_MAX);
  expect_error(big, OVPN_CONF_MAX, 1, "longer than 4096");
  free(big);
  ovpn_auto_option_list l = {0};
  CHECK_INT(ovpn_conf_parse("", 0, &l, NULL), OVPN_OK);
  CHECK_INT(ovpn_conf_parse(NULL, 0, &l, NULL), OVPN_OK);
  CHECK_INT(ovpn_conf_parse("\xef\xbb\xbf", 3, &l, NULL), OVPN_OK);
  CHECK_INT(ovpn_conf_parse("ca \"x", 5, &l, NULL), OVPN_FAIL_CONFIG);
}

/* A profile's other options: nothing has to look like a profile any more. */
static void test_lines(void)
{
  static const char text[] = "\xd0\xb0 \xd0\xb1\n<connection>\n\x1a\n</connection>\n";
  ovpn_auto_option_list l = {0};
  CHECK_INT(ovpn_conf_parse_lines(text, sizeof text - 1, &l, NULL), OVPN_OK);
  CHECK_INT(ovpn_conf_parse_lines(text, sizeof text - 1, &l, NULL), OVPN_OK);
  CHECK_INT(l.n, 4);
  CHECK_INT(l.items[1].connection, 0);
  CHECK_INT(l.items[3].connection, 1);
  CHECK_INT(ovpn_conf_parse(text, sizeof text - 1, &l, NULL), OVPN_FAIL_CONFIG);
}

int main(void)
{
  test_words();
  test_lines();
  test_file();
  test_nul();
  test_errors();
  TEST_END();
}
