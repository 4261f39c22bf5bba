/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The table, lists, grammar, text form (both ways) and IPC form of options. */
#include "helper/core/conf.h"
#include "helper/core/options.h"
#include "tests/unit/check.h"

static void test_table(void)
{
  CHECK(ovpn_option_count() > 250);
  for (unsigned i = 1; i <= ovpn_option_count(); i++) {
    const OvpnOptionInfo *o = ovpn_option_info((OvpnOptionId)i);
    CHECK_INT(o->id, i);
    CHECK(ovpn_option_by_directive(o->directive) == o);
    bool excused =
        o->flags & (OVPN_OPTF_HARMLESS | OVPN_OPTF_NEVER | OVPN_OPTF_LATER | OVPN_OPTF_REFUSED);
    CHECK(excused == (o->reason != NULL));
    CHECK(!(o->flags & OVPN_OPTF_SERVER) || !(o->flags & OVPN_OPTF_PUSHABLE));
    CHECK(!(o->flags & OVPN_OPTF_NEVER) ||
          !(o->flags & OVPN_OPTF_PUSHABLE)); /* nothing that runs or writes */
    CHECK(!(o->flags & OVPN_OPTF_FILE) || !(o->flags & OVPN_OPTF_PUSHABLE));
    bool keyed =
        o->style == OVPN_KEY_FLAG || o->style == OVPN_KEY_VALUE || o->style == OVPN_KEY_FILE;
    CHECK(!keyed || o->key);
  }
  CHECK_INT(ovpn_option_info((OvpnOptionId)99999)->id, OVPN_OPT_UNKNOWN);
  CHECK_INT(ovpn_option_by_directive("ncp-ciphers")->id, OVPN_OPT_DATA_CIPHERS);
  CHECK_INT(ovpn_option_by_directive("server-poll-timeout")->id, OVPN_OPT_CONNECT_TIMEOUT);
  CHECK_INT(ovpn_option_by_directive("udp-mtu")->id, OVPN_OPT_LINK_MTU);
  CHECK(!ovpn_option_by_directive("") && !ovpn_option_by_directive(NULL) &&
        !ovpn_option_by_directive("CA"));
  CHECK_INT(ovpn_option_by_key("ta")->id, OVPN_OPT_TLS_AUTH);
  CHECK_INT(ovpn_option_by_key("tunnel-mtu")->id, OVPN_OPT_TUN_MTU);
  CHECK(!ovpn_option_by_key("nothing") && !ovpn_option_by_key(NULL));
}

static void test_list(void)
{
  ovpn_auto_option_list l = {0};
  CHECK(ovpn_option_list_add_text(&l, "remote", "a", "1194", "udp"));
  CHECK(ovpn_option_list_add_text(&l, "client", NULL, NULL, NULL));
  CHECK(ovpn_option_list_add_text(&l, "remote", "b", NULL, NULL));
  CHECK(!ovpn_option_list_add_text(&l, NULL, NULL, NULL, NULL));
  CHECK_INT(l.n, 3);
  CHECK_INT(l.items[0].argc, 4);
  CHECK(!l.items[0].argv[4]);
  CHECK_INT(l.items[0].connection, -1);
  CHECK_STR(ovpn_option_list_last(&l, OVPN_OPT_REMOTE)->argv[1], "b");
  CHECK(!ovpn_option_list_last(&l, OVPN_OPT_CA));
  CHECK_INT(ovpn_option_list_add_text(&l, "no-such-thing", "x", NULL, NULL)->id, OVPN_OPT_UNKNOWN);
  const char *env[] = {"setenv", "opt", "block-outside-dns"};
  OvpnOption *behind = ovpn_option_list_add(&l, env, 3);
  CHECK_INT(behind->id, OVPN_OPT_BLOCK_OUTSIDE_DNS);
  char *text = ovpn_option_format(behind);
  CHECK_STR(text, "setenv opt block-outside-dns");
  free(text);
  env[2] = "future-word";
  OvpnOption *o = ovpn_option_list_add(&l, env, 3);
  CHECK(o && o->id == OVPN_OPT_SETENV && o->argc == 3);

  char big[OVPN_OPTION_ARG_MAX + 2];
  memset(big, 'a', sizeof big - 1);
  big[sizeof big - 1] = 0;
  CHECK(!ovpn_option_list_add_text(&l, "ca", big, NULL, NULL));
  big[sizeof big - 2] = 0;
  CHECK(ovpn_option_list_add_text(&l, "ca", big, NULL, NULL));
  const char *many[OVPN_OPTION_ARGS_MAX + 1];
  for (unsigned i = 0; i <= OVPN_OPTION_ARGS_MAX; i++)
    many[i] = "x";
  CHECK(ovpn_option_list_add(&l, many, OVPN_OPTION_ARGS_MAX));
  CHECK(!ovpn_option_list_add(&l, many, OVPN_OPTION_ARGS_MAX + 1));
  while (l.n < OVPN_OPTION_LIST_MAX)
    ovpn_option_list_add(&l, many, 1);
  CHECK(!ovpn_option_list_add(&l, many, 1));
  ovpn_option_list_clear(&l);
  CHECK(!l.items && l.n == 0);
  ovpn_option_list_clear(NULL);
}

/* One line against the grammar; text NULL = good. */
static void expect(const char *line, OvpnStatus (*check)(const OvpnOption *o, OvpnFailure *f),
                   const char *text)
{
  ovpn_auto_option_list l = {0};
  OvpnFailure f = {0};
  CHECK_INT(ovpn_conf_parse_line(line, strlen(line), &l, NULL), OVPN_OK);
  OvpnStatus s = check(&l.items[0], &f);
  if (s != (text ? OVPN_FAIL_CONFIG : OVPN_OK))
    fprintf(stderr, "in: %s\n", line);
  CHECK_INT(s, text ? OVPN_FAIL_CONFIG : OVPN_OK);
  CHECK_STR(f.text, text ? text : "");
}

static void expect_check(const char *line, const char *text)
{
  expect(line, ovpn_option_check, text);
}

/* Good enough to connect, and text is told at import. */
static void expect_doubt(const char *line, const char *text)
{
  expect(line, ovpn_option_check, NULL);
  expect(line, ovpn_option_doubt, text);
}

static void test_doubt(void)
{
  expect_doubt("route 10.0.0.0", NULL);
  expect_doubt("route 10.8", NULL); /* what resolvers take */
  expect_doubt("route intranet.example.org 255.255.255.255 vpn_gateway 5", NULL);
  expect_doubt("route 300.1.1.1", "route: “300.1.1.1” is not a host name or address");
  expect_doubt("route 10.0.0.0 255.0.255.0", "route: “255.0.255.0” is not a netmask");
  expect_doubt("route 10.0.0.0 default default default", NULL);
  expect_doubt("route 10.0.0.0 default default low",
               "route: “low” is not a number between 0 and 4294967295");
  expect_doubt("remote 1.2.3.4.5", "remote: “1.2.3.4.5” is not a host name or address");
  expect_doubt("route-ipv6 2001:db8::/32", NULL);
  expect_doubt("route-ipv6 2001:db8::/x", "route-ipv6: “2001:db8::/x” is not an IPv6 address");
  expect_doubt("ifconfig-ipv6 fd00::2/64 fd00::1/64",
               "ifconfig-ipv6: “fd00::1/64” is not an IPv6 address");
  expect_doubt("dhcp-option DNS 10.0.0.256",
               "dhcp-option: “10.0.0.256” is not a host name or address");
  expect_doubt("dhcp-option DNS fd00::1", NULL);
  expect_doubt("dhcp-option DOMAIN example.org", NULL);
  expect_doubt("dhcp-option NTP time", "dhcp-option: “time” is not an IPv4 address");
  expect_doubt("dns search-domains a.example b.example", NULL);
  expect_doubt("dns server 1 address 10.0.0.1 10.0.0.2:5353 [fd00::1]:853 fd00::1", NULL);
  expect_doubt("dns server 1 address [fd00::1",
               "dns: “[fd00::1” is not the address of a name server");
  expect_doubt("dns server 1 address 10.0.0.1:x y", "dns: “y” is not the address of a name server");
  expect_doubt("dns server 200 sni a", "dns: “200” is not a number between -128 and 127");
  expect_doubt("dns server 1 future a", NULL);
  expect_doubt("data-ciphers SEED-CBC:AES-256-GCM", NULL);
  expect_doubt("cipher bf-cbc", NULL);
  expect_doubt("auth RSA-SHA512", NULL);
  expect_doubt("auth BLAKE2b512", "auth: “BLAKE2b512” is not available here; ask the "
                                  "administrator of the server to use SHA256");
  expect_check("dns other", "dns: “other” is not server or search-domains");
}

static void test_check(void)
{
  test_doubt();
  expect_check("ping 10", NULL);
  expect_check("ping abc", "ping: “abc” is not a number between 0 and 86400");
  expect_check("ping 86401", "ping: “86401” is not a number between 0 and 86400");
  expect_check("ping -1", "ping: “-1” is not a number between 0 and 86400");
  expect_check("ping ' 1'", "ping: “ 1” is not a number between 0 and 86400");
  expect_check("ping 1x", "ping: “1x” is not a number between 0 and 86400");
  expect_check("ping ''", "ping: “” is not a number between 0 and 86400");
  expect_check("ping 99999999999999999999",
               "ping: “99999999999999999999” is not a number between 0 and 86400");
  expect_check("ping", "ping: argument 1 is missing");
  expect_check("ping 1 2", "ping: too many arguments (2, at most 1)");
  expect_check("client", NULL);
  expect_check("client x", "client: too many arguments (1, at most 0)");
  expect_check("remote vpn.example.org", NULL);
  expect_check("remote vpn.example.org openvpn tcp", NULL);
  expect_check("remote vpn.example.org 0", "remote: “0” is not a port");
  expect_check("remote vpn.example.org 65536", "remote: “65536” is not a port");
  expect_check("remote vpn.example.org 1194/udp", "remote: “1194/udp” is not a port");
  expect_check("remote 'a b'", "remote: “a b” is not a host name or address");
  expect_check("proto UDP", NULL);
  expect_check("dev-type tub", "dev-type: “tub” is not tun or tap");
  expect_check("dev-type ''", "dev-type: “” is not tun or tap");
  expect_check("mtu-disc often", "mtu-disc: “often” is not no, maybe or yes");
  expect_check("reneg-bytes -1", NULL);
  expect_check("nice -21", NULL); /* no effect, so nothing to complain about */
  expect_check("up /bin/sh -c id", NULL);
  expect_check("some-new-option 1 2 3", NULL);
  expect_check("redirect-gateway", NULL);
  expect_check("redirect-gateway def1 bypass-dhcp ipv6", NULL);
  expect_check("protocol-flags", "protocol-flags: argument 1 is missing");
  expect_check("tls-auth ta.key 1", NULL);
  expect_check("tls-auth ta.key 2", "tls-auth: “2” is not 0, 1 or bidirectional");
  expect_check("tls-auth ''", "tls-auth: the file name is empty");
  expect_check("tls-cipher 'AES 256'", "tls-cipher: “AES 256” is not a single word");

  ovpn_auto_option_list l = {0};
  OvpnOption *o = ovpn_option_list_add_text(&l, "ca", NULL, NULL, NULL);
  o->is_inline = true;
  CHECK_INT(ovpn_option_check(o, NULL), OVPN_OK);
  o = ovpn_option_list_add_text(&l, "tls-auth", "[inline]", "1", NULL);
  o->is_inline = true;
  CHECK_INT(ovpn_option_check(o, NULL), OVPN_OK);
  o = ovpn_option_list_add_text(&l, "ping", NULL, NULL, NULL);
  o->is_inline = true;
  CHECK_INT(ovpn_option_check(o, NULL), OVPN_FAIL_CONFIG);
}

static void test_number(void)
{
  int64_t n = 7;
  CHECK(ovpn_option_number("-9223372036854775807", INT64_MIN, INT64_MAX, &n) && n == -INT64_MAX);
  CHECK(!ovpn_option_number("9223372036854775808", INT64_MIN, INT64_MAX, &n));
  CHECK(!ovpn_option_number("", 0, 1, &n) && !ovpn_option_number("-", -1, 1, &n));
  CHECK(!ovpn_option_number("+1", 0, 1, &n) && !ovpn_option_number("0x1", 0, 1, &n));
}

/* Text form and back must give the same words. */
static void round_trip(const char *const *argv, unsigned argc)
{
  ovpn_auto_option_list a = {0}, b = {0}, c = {0};
  const OvpnOption *o = ovpn_option_list_add(&a, argv, argc);
  char *text = ovpn_option_format(o);
  CHECK(text && !strchr(text, '\n'));
  OvpnConfError e = {0};
  CHECK_INT(ovpn_conf_parse_line(text, strlen(text), &b, &e), OVPN_OK);
  CHECK_INT(ovpn_conf_parse(text, strlen(text), &c, &e), OVPN_OK);
  CHECK_INT(b.n, 1);
  CHECK_INT(c.n, 1);
  if (b.n == 1 && c.n == 1) {
    CHECK_INT(b.items[0].id, o->id);
    CHECK_INT(b.items[0].argc, o->argc);
    CHECK_INT(c.items[0].argc, o->argc);
    for (unsigned i = 0; i < o->argc && i < b.items[0].argc; i++) {
      CHECK_STR(b.items[0].argv[i], o->argv[i]);
      CHECK_STR(c.items[0].argv[i], o->argv[i]);
    }
  }
  if (check_failed_)
    fprintf(stderr, "text was: %s (%s)\n", text, e.text);
  free(text);
}

static void test_format(void)
{
  const char *fixed[][4] = {
      {"remote", "vpn.example.org", "1194", "udp"},
      {"ca", "", "'", "\""},
      {"ca", "a b", "\\", "c:\\x\\"},
      {"<ca>", "#", ";", "a#b"},
      {"--ca", "--x", "-", "--"},
      {"--", "\t", "\r", "\v\f"},
      {"=======", "<<<<<<<", "x", "\xff\xfe"},
      {"", "", "", ""},
      {"\xef\xbb\xbf"
       "ca",
       "é", "'a'", "\"b\""},
      {"#", ";", "a'b", "a\"b"},
  };
  for (size_t i = 0; i < sizeof fixed / sizeof fixed[0]; i++)
    round_trip(fixed[i], 4);
  ovpn_auto_option_list l = {0};
  char *text = ovpn_option_format(ovpn_option_list_add_text(&l, "ca", "/a b/\"c\"", "x", NULL));
  CHECK_STR(text, "ca \"/a b/\\\"c\\\"\" x");
  free(text);

  uint32_t seed = 1;
  for (int n = 0; n < 20000 && !check_failed_; n++) {
    static const char nasty[] = "\"'\\ #;<>-=\t\r[]a$%\xff\xc3\x01";
    char words[4][12];
    const char *argv[4];
    seed = seed * 1664525u + 1013904223u;
    unsigned argc = 1 + (seed >> 24) % 4;
    for (unsigned i = 0; i < argc; i++) {
      seed = seed * 1664525u + 1013904223u;
      unsigned len = (seed >> 24) % 11, used = 0;
      for (; used < len; used++) {
        seed = seed * 1664525u + 1013904223u;
        char c = (char)(seed >> 24);
        words[i][used] = n % 2 && c && c != '\n' ? c : nasty[(seed >> 16) % (sizeof nasty - 1)];
      }
      words[i][used] = 0;
      argv[i] = words[i];
    }
    /* a control byte alone looks like binary data to the file parser: give it a word it knows */
    argv[0] = n % 3 ? argv[0] : "ca";
    ovpn_auto_option_list a = {0}, b = {0};
    const OvpnOption *o = ovpn_option_list_add(&a, argv, argc);
    char *t = ovpn_option_format(o);
    CHECK_INT(ovpn_conf_parse_line(t, strlen(t), &b, NULL), OVPN_OK);
    CHECK_INT(b.n, 1);
    CHECK_INT(b.n ? b.items[0].argc : 0, o->argc);
    for (unsigned i = 0; b.n && i < argc; i++)
      CHECK_STR(b.items[0].argv[i], o->argv[i]);
    if (check_failed_)
      fprintf(stderr, "text was: %s\n", t);
    free(t);
  }
}

static void test_ipc(void)
{
  ovpn_auto_option_list a = {0}, b = {0};
  uint8_t buf[256];
  OvpnOption *o = ovpn_option_list_add_text(&a, "tls-auth", "[inline]", "1", NULL);
  o->line = 77;
  o->connection = 3;
  o->is_inline = true;
  ovpn_blob_set_text(&o->content, "key of a block");
  o = ovpn_option_list_add_text(&a, "peer-fingerprint", NULL, NULL, NULL);
  o->is_inline = true;
  ovpn_blob_set_text(&o->content, "aa:bb\n");
  OvpnWriter w = ovpn_writer(buf, sizeof buf);
  ovpn_option_encode(&a.items[0], &w);
  ovpn_option_encode(&a.items[1], &w);
  CHECK(w.ok);
  for (size_t cut = 0; cut < w.len; cut++) { /* every truncation is noticed */
    ovpn_auto_option_list x = {0};
    OvpnReader r = ovpn_reader(buf, cut);
    OvpnStatus s = ovpn_option_decode(&r, &x);
    if (s == OVPN_OK)
      s = ovpn_option_decode(&r, &x);
    CHECK_INT(s, OVPN_DROP_TRUNCATED);
  }
  OvpnReader r = ovpn_reader(buf, w.len);
  CHECK_INT(ovpn_option_decode(&r, &b), OVPN_OK);
  CHECK_INT(ovpn_option_decode(&r, &b), OVPN_OK);
  CHECK_INT(ovpn_reader_left(&r), 0);
  CHECK_INT(b.items[0].id, OVPN_OPT_TLS_AUTH);
  CHECK_INT(b.items[0].line, 77);
  CHECK_INT(b.items[0].connection, 3);
  CHECK(b.items[0].is_inline); /* of one <connection>: its content travels */
  CHECK_STR((const char *)b.items[0].content.data, "key of a block");
  CHECK_STR(b.items[0].argv[2], "1");
  CHECK_INT(b.items[1].connection, -1);
  CHECK_STR((const char *)b.items[1].content.data, "aa:bb\n");

  static const uint8_t bad[][16] = {
      {0, 0, 0, 0, 0, 0, 0, 0},                            /* no directive */
      {0, 0, 0, 0, 0, 0, 0, 25},                           /* too many words */
      {0, 0, 0, 0, 0, 0, 2, 1, 0, 1, 'a', 0, 0},           /* flag */
      {0, 0, 0, 0, 0, 0, 0, 1, 0, 2, 'a', 0, 0, 0},        /* NUL inside */
      {0, 0, 0, 0, 0xff, 0xff, 0, 1, 0, 1, 'a', 0, 0},     /* connection */
      {0, 0, 0, 0, 0, 0, 1, 1, 0, 2, 'c', 'a', 0, 1, 'x'}, /* content of a file */
  };
  for (size_t i = 0; i < sizeof bad / sizeof bad[0]; i++) {
    ovpn_auto_option_list x = {0};
    r = ovpn_reader(bad[i], sizeof bad[i]);
    CHECK_INT(ovpn_option_decode(&r, &x), OVPN_DROP_FORMAT);
    CHECK_INT(x.n, 0);
  }
}

int main(void)
{
  test_table();
  test_list();
  test_check();
  test_number();
  test_format();
  test_ipc();
  TEST_END();
}
