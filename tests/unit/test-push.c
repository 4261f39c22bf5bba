/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PUSH_REPLY: splitting, filters, and the meaning of every option that a client takes (spec §13.2,
 * §15). */
#include "helper/core/conf.h"
#include "helper/core/push.h"
#include "tests/unit/check.h"
#include <arpa/inet.h>
#include <time.h>

typedef struct Fixture {
  OvpnConfig c;
  OvpnOptionList profile, list;
  OvpnPushed p;
  OvpnFailure f;
  bool more;
  unsigned ignored;
  struct sockaddr_in remote;
} Fixture;

static void fixture_init(Fixture *x, const char *profile)
{
  *x = (Fixture){0};
  ovpn_config_init(&x->c);
  ovpn_pushed_init(&x->p);
  x->remote = (struct sockaddr_in){.sin_family = AF_INET};
  inet_pton(AF_INET, "192.0.2.77", &x->remote.sin_addr);
  OvpnConfError e;
  CHECK_INT(ovpn_conf_parse(profile, strlen(profile), &x->profile, &e), OVPN_OK);
}

static void fixture_clear(Fixture *x)
{
  ovpn_config_clear(&x->c);
  ovpn_option_list_clear(&x->profile);
  ovpn_option_list_clear(&x->list);
  ovpn_pushed_clear(&x->p);
}

static OvpnStatus parse(Fixture *x, const char *text)
{
  ovpn_option_list_clear(&x->list);
  x->f = (OvpnFailure){0};
  return ovpn_push_parse(text, &x->c, &x->profile, &x->list, &x->more, &x->ignored, &x->f);
}

static OvpnStatus apply(Fixture *x, const char *text)
{
  OvpnStatus s = parse(x, text);
  return s != OVPN_OK ? s
                      : ovpn_pushed_from_options(&x->p, &x->c, &x->profile, &x->list,
                                                 (const struct sockaddr *)&x->remote, &x->f);
}

static const char *ip4(struct in_addr a)
{
  static char text[4][INET_ADDRSTRLEN];
  static unsigned i;
  return inet_ntop(AF_INET, &a, text[i++ % 4], INET_ADDRSTRLEN);
}

static const char *ip6(struct in6_addr a)
{
  static char text[4][INET6_ADDRSTRLEN];
  static unsigned i;
  return inet_ntop(AF_INET6, &a, text[i++ % 4], INET6_ADDRSTRLEN);
}

static void test_split(void)
{
  Fixture x;
  fixture_init(&x, "");
  CHECK_INT(parse(&x, ""), OVPN_OK);
  CHECK_INT(x.list.n, 0);
  CHECK_INT(parse(&x, ",route 10.0.0.0 255.0.0.0,,  ping 10 ,"), OVPN_OK);
  CHECK_INT(x.list.n, 2);
  CHECK_INT(x.ignored, 0);
  CHECK_STR(x.list.items[0].argv[2], "255.0.0.0");
  CHECK_STR(x.list.items[1].argv[0], "ping");
  CHECK_STR(x.list.items[1].argv[1], "10");

  CHECK_INT(parse(&x, ",echo \"one,two\",ping 5"), OVPN_OK);
  CHECK_INT(x.list.n, 2);
  CHECK_STR(x.list.items[0].argv[1], "one,two");
  CHECK_INT(parse(&x, ",echo \"a\\\",b\",ping 5"), OVPN_OK);
  CHECK_INT(x.list.n, 2);
  CHECK_STR(x.list.items[0].argv[1], "a\",b");
  CHECK_INT(parse(&x, ",echo \"never ends,ping 5"), OVPN_FAIL_PUSH);

  /* what a server may not say */
  CHECK_INT(parse(&x, ",up /bin/sh,script-security 2,plugin x.so,ca /etc/passwd,mystery 1,ping 3"),
            OVPN_OK);
  CHECK_INT(x.list.n, 1);
  CHECK_INT(x.ignored, 5);

  CHECK_INT(parse(&x, ",ping 3,push-continuation 2"), OVPN_OK);
  CHECK(x.more);
  CHECK_INT(x.list.n, 1);
  CHECK_INT(parse(&x, ",ping 3,push-continuation 1"), OVPN_OK);
  CHECK(!x.more);
  fixture_clear(&x);
}

static void test_filters(void)
{
  Fixture x;
  fixture_init(&x, "pull-filter accept \"route 10.1.\"\npull-filter ignore route\n"
                   "pull-filter reject \"dhcp-option DNS 6.6\"\n");
  CHECK_INT(parse(&x, ",route 10.1.0.0 255.255.0.0, route 10.2.0.0,route-gateway 10.0.0.1,ping 1"),
            OVPN_OK);
  CHECK_INT(x.list.n, 2);
  CHECK_INT(x.ignored, 2);
  CHECK_INT(parse(&x, ",ping 1,dhcp-option DNS 6.6.6.6"), OVPN_FAIL_PUSH);
  CHECK(strstr(x.f.text, "pull-filter"));
  fixture_clear(&x);

  fixture_init(&x, "");
  x.c.route_nopull = true;
  CHECK_INT(apply(&x,
                  ",topology subnet,ifconfig 10.8.0.2 255.255.255.0,route-gateway 10.8.0.1,ping 7,"
                  "route 10.0.0.0 255.0.0.0,route-ipv6 fd00::/64,redirect-gateway def1,dns "
                  "server 0 address 9.9.9.9,dhcp-option DNS 1.1.1.1,block-ipv6,route-metric 5"),
            OVPN_OK);
  CHECK(x.p.has_v4 && x.p.has_gateway4);
  CHECK_INT(x.p.ping, 7);
  CHECK_INT(x.p.n_routes4 + x.p.n_routes6 + x.p.n_dns + x.p.redirect, 0);
  CHECK(!x.p.block_ipv6);
  CHECK_INT(x.ignored, 7);
  fixture_clear(&x);

  static const char much[] =
      ",topology subnet,ifconfig 10.8.0.2 255.255.255.0,route-gateway 10.8.0.1,route 10.0.0.0 "
      "255.0.0.0,route-ipv6 fd00::/64,redirect-gateway def1,dhcp-option DNS 1.1.1.1,dhcp-option "
      "DOMAIN example.net,dns search-domains a.example,block-ipv4";
  fixture_init(&x, "route 10.9.0.0 255.255.0.0\n");
  x.c.route_noexec = true;
  CHECK_INT(apply(&x, much), OVPN_OK);
  CHECK_INT(x.p.n_routes4 + x.p.n_routes6 + x.p.redirect, 0);
  CHECK(x.p.has_gateway4 && x.p.block_ipv4);
  CHECK_INT(x.p.n_dns, 1);
  x.c.route_noexec = false;
  x.c.no_dns = true;
  CHECK_INT(apply(&x, much), OVPN_OK);
  CHECK_INT(x.p.n_dns + x.p.search_domains.n + x.p.routing_domains.n, 0);
  CHECK_INT(x.p.n_routes4, 2);
  fixture_clear(&x);
}

static void test_addresses(void)
{
  Fixture x;
  fixture_init(&x, "");
  CHECK_INT(apply(&x, ",ifconfig 10.8.0.6 10.8.0.5"), OVPN_OK);
  CHECK_INT(x.p.topology, OVPN_TOPOLOGY_NET30);
  CHECK_INT(x.p.prefix4, 32);
  CHECK(x.p.has_peer4 && x.p.has_gateway4);
  CHECK_STR(ip4(x.p.addr4), "10.8.0.6");
  CHECK_STR(ip4(x.p.gateway4), "10.8.0.5");

  CHECK_INT(apply(&x, ",ifconfig 10.8.0.2 255.255.254.0,topology subnet"), OVPN_OK);
  CHECK_INT(x.p.topology, OVPN_TOPOLOGY_SUBNET);
  CHECK_INT(x.p.prefix4, 23);
  CHECK(!x.p.has_peer4 && !x.p.has_gateway4);

  CHECK_INT(apply(&x, ",route-gateway 10.8.0.1,topology subnet,ifconfig 10.8.0.2 255.255.255.254"),
            OVPN_OK);
  CHECK_INT(x.p.prefix4, 31);
  CHECK_STR(ip4(x.p.gateway4), "10.8.0.1");

  /* a mask under net30 can only be a mask */
  CHECK_INT(apply(&x, ",ifconfig 10.8.0.2 255.255.255.0"), OVPN_OK);
  CHECK_INT(x.p.prefix4, 24);

  CHECK_INT(apply(&x, ",ifconfig nonsense 255.255.255.0,topology subnet"), OVPN_FAIL_PUSH);
  CHECK(strstr(x.f.text, "nonsense"));
  CHECK_INT(apply(&x, ",ifconfig 10.0.0.1 255.0.255.0,topology subnet"), OVPN_FAIL_PUSH);
  CHECK_INT(apply(&x, ",ifconfig 10.0.0.1"), OVPN_FAIL_PUSH);

  CHECK_INT(apply(&x, ",ifconfig-ipv6 fd00::1000/112 fd00::1"), OVPN_OK);
  CHECK(x.p.has_v6 && x.p.has_peer6);
  CHECK_INT(x.p.prefix6, 112);
  CHECK_STR(ip6(x.p.peer6), "fd00::1");
  CHECK_INT(apply(&x, ",ifconfig-ipv6 zz::1/64 fd00::1"), OVPN_FAIL_PUSH);

  x.c.tap = true;
  CHECK_INT(apply(&x, ",ifconfig 10.9.0.2 255.255.0.0,route-gateway dhcp"), OVPN_OK);
  CHECK_INT(x.p.prefix4, 16);
  CHECK(!x.p.has_gateway4);
  fixture_clear(&x);
}

static void test_routes(void)
{
  Fixture x;
  fixture_init(&x, "route 172.16.0.0 255.240.0.0\n");
  CHECK_INT(
      apply(&x, ",route 10.1.2.3,route 10.0.0.5 255.0.0.0 net_gateway,route 10.7.0.0 255.255.0.0 "
                "default 7,route 10.8.0.0 255.255.0.0 10.99.0.9,route remote_host 255.255.255.255 "
                "net_gateway,route bad.example 255.0.0.0,route 1.2.3.4 255.0.255.0,"
                "route net_gateway,route 1.1.1.1 255.255.255.255 default x,route-metric 33,"
                "ifconfig 10.99.0.2 255.255.255.0,topology subnet,route-gateway 10.99.0.1,"
                "route 0.0.0.0 0.0.0.0 vpn_gateway"),
      OVPN_OK);
  CHECK_INT(x.p.n_routes4, 7);
  const OvpnRoute4 *r = x.p.routes4;
  CHECK_STR(ip4(r[0].net), "172.16.0.0"); /* the profile's own come first */
  CHECK_INT(r[0].prefix, 12);
  CHECK_STR(ip4(r[0].gateway), "10.99.0.1");
  CHECK_INT(r[1].prefix, 32);
  CHECK_INT(r[1].metric, 33);
  CHECK_STR(ip4(r[2].net), "10.0.0.0"); /* host bits are cut off */
  CHECK(r[2].via_net_gateway && !r[2].has_gateway);
  CHECK(r[3].has_metric);
  CHECK_INT(r[3].metric, 7);
  CHECK_STR(ip4(r[4].gateway), "10.99.0.9");
  CHECK_STR(ip4(r[5].net), "192.0.2.77");
  CHECK_INT(r[6].prefix, 0);

  /* subnet without route-gateway: a route to the device */
  CHECK_INT(apply(&x, ",topology subnet,ifconfig 10.99.0.2 255.255.255.0,route 10.0.0.0 255.0.0.0 "
                      "vpn_gateway"),
            OVPN_OK);
  CHECK_INT(x.p.n_routes4, 2);
  CHECK(!x.p.routes4[1].has_gateway);
  CHECK_INT(apply(&x, ",route vpn_gateway"), OVPN_OK); /* no meaning without one */
  CHECK_INT(x.p.n_routes4, 1);

  CHECK_INT(apply(&x, ",ifconfig-ipv6 fd00::2/64 fd00::1,route-ipv6 2001:db8:ffff::/33,route-ipv6 "
                      "::/0,route-ipv6 fd01::/64 fd00::9 4,route-ipv6 x::/64,route-ipv6 "
                      "2001:db8::/129,route-ipv6 2001:db8::1 net_gateway"),
            OVPN_OK);
  CHECK_INT(x.p.n_routes6, 4);
  CHECK_STR(ip6(x.p.routes6[0].net), "2001:db8:8000::");
  CHECK_INT(x.p.routes6[0].prefix, 33);
  CHECK_STR(ip6(x.p.routes6[0].gateway), "fd00::1");
  CHECK_INT(x.p.routes6[1].prefix, 0);
  CHECK_STR(ip6(x.p.routes6[2].gateway), "fd00::9");
  CHECK_INT(x.p.routes6[2].metric, 4);
  CHECK(x.p.routes6[3].via_net_gateway);
  CHECK_INT(x.p.routes6[3].prefix, 128);
  fixture_clear(&x);
}

static void test_redirect(void)
{
  Fixture x;
  fixture_init(&x, "");
  CHECK_INT(apply(&x, ",redirect-gateway def1 bypass-dhcp"), OVPN_OK);
  CHECK_INT(x.p.redirect, OVPN_REDIRECT_ON | OVPN_REDIRECT_IPV4);
  CHECK_INT(apply(&x, ",redirect-gateway ipv6 def1"), OVPN_OK);
  CHECK_INT(x.p.redirect, OVPN_REDIRECT_ON | OVPN_REDIRECT_IPV4 | OVPN_REDIRECT_IPV6);
  CHECK_INT(apply(&x, ",redirect-gateway ipv6 !ipv4"), OVPN_OK);
  CHECK_INT(x.p.redirect, OVPN_REDIRECT_ON | OVPN_REDIRECT_IPV6);
  CHECK_INT(apply(&x, ",redirect-private def1 block-local ipv6"), OVPN_OK);
  CHECK_INT(x.p.redirect, OVPN_REDIRECT_BLOCK_LOCAL);
  CHECK_INT(apply(&x, ",redirect-gateway local,block-ipv6"), OVPN_OK);
  CHECK_INT(x.p.redirect, OVPN_REDIRECT_ON | OVPN_REDIRECT_IPV4 | OVPN_REDIRECT_LOCAL);
  CHECK(x.p.block_ipv6);
  fixture_clear(&x);
  fixture_init(&x, "redirect-gateway ipv6\n");
  CHECK_INT(apply(&x, ""), OVPN_OK);
  CHECK_INT(x.p.redirect, OVPN_REDIRECT_ON | OVPN_REDIRECT_IPV4 | OVPN_REDIRECT_IPV6);
  fixture_clear(&x);
}

static void test_dhcp(void)
{
  Fixture x;
  fixture_init(&x, "dhcp-option DOMAIN own.example\n");
  CHECK_INT(
      apply(&x, ",dhcp-option DNS 10.0.0.53,dhcp-option DNS6 fd00::53,dhcp-option DNS 2001:db8::1,"
                "dhcp-option DNS nope,dhcp-option DOMAIN corp.example,dhcp-option DOMAIN-SEARCH "
                "a.example,dhcp-option ADAPTER_DOMAIN_SUFFIX CORP.example,dhcp-option DOMAIN "
                "bad;rm,dhcp-option DOMAIN -x,dhcp-option DOMAIN-ROUTE .split.example.,"
                "dhcp-option DOMAIN .-x,dhcp-option DOMAIN-ROUTE .-split,"
                "dhcp-option WINS 10.0.0.7,dhcp-option NTP 10.0.0.9,dhcp-option DISABLE-NBT"),
      OVPN_OK);
  CHECK_INT(x.p.n_dns, 1);
  CHECK_INT(x.p.dns[0].n_addrs, 3);
  CHECK_INT(x.p.dns[0].priority, 0);
  CHECK_STR(ip4(x.p.dns[0].addrs[0].v4), "10.0.0.53");
  CHECK_STR(ip6(x.p.dns[0].addrs[1].v6), "fd00::53");
  CHECK_INT(x.p.search_domains.n, 3);
  CHECK_STR(x.p.search_domains.v[0], "own.example");
  CHECK_STR(x.p.search_domains.v[1], "corp.example");
  CHECK_STR(x.p.search_domains.v[2], "a.example");
  CHECK_INT(x.p.routing_domains.n, 1);
  CHECK_STR(x.p.routing_domains.v[0], "split.example");
  CHECK_INT(x.p.n_wins, 1);
  CHECK_INT(x.p.dhcp_unused, OVPN_DHCP_NTP | OVPN_DHCP_NETBIOS);
  CHECK(!x.p.pac_url);
  CHECK_INT(apply(&x,
                  ",dhcp-option PROXY_AUTO_CONFIG_URL http://w.example/p.pac,dhcp-option "
                  "PROXY_AUTO_CONFIG_URL file:///etc/shadow,dhcp-option PROXY_HTTP p.example 3128,"
                  "dhcp-option PROXY_AUTO_CONFIG_URL \"http://w.example/a b\""),
            OVPN_OK);
  CHECK_STR(x.p.pac_url, "http://w.example/p.pac");
  CHECK_INT(x.p.dhcp_unused, OVPN_DHCP_PROXY);

  /* names: UTF-8 passes, broken UTF-8 and empty labels do not */
  CHECK_INT(apply(&x, ",dhcp-option DOMAIN b\xc3\xbc"
                      "cher.example,dhcp-option DOMAIN x\xc3.example,"
                      "dhcp-option DOMAIN a..b,dhcp-option DOMAIN \xed\xa0\x80"),
            OVPN_OK);
  CHECK_INT(x.p.search_domains.n, 2);
  fixture_clear(&x);
}

static void test_dns(void)
{
  Fixture x;
  fixture_init(&x, "dns server 1 address 1.1.1.1\ndns server -5 address 5.5.5.5\n");
  CHECK_INT(apply(&x, ",dns search-domains a.example b.example,dns server 7 address 10.0.0.1:5353 "
                      "[fd00::1]:53 fd00::2 [fd00::3],dns server 7 resolve-domains corp.example "
                      "lab.example,dns server 7 dnssec optional,dns server 7 transport DoT,"
                      "dns server 7 sni ns.example,dns server 1 address 2.2.2.2,"
                      "dns server 3 sni only.example,dns server 200 address 9.9.9.9,"
                      "dns server -1 address 9.9.9.9,dns server 4 address nope,"
                      "dns server 5 address 9.9.9.8,dns server 5 resolve-domains $x -y,"
                      "dhcp-option DNS 8.8.8.8,dhcp-option DOMAIN c.example,"
                      "dhcp-option DOMAIN-ROUTE r.example"),
            OVPN_OK);
  CHECK_INT(x.p.n_dns, 3);
  CHECK_INT(x.p.dns[0].priority, -5);
  CHECK_INT(x.p.dns[1].priority, 1);
  CHECK_INT(x.p.dns[1].n_addrs, 1);
  CHECK_STR(ip4(x.p.dns[1].addrs[0].v4), "2.2.2.2"); /* pushed replaces the profile's */
  CHECK_INT(x.p.dns[1].dnssec, -1);
  const OvpnDnsServer *s = &x.p.dns[2];
  CHECK_INT(s->priority, 7);
  CHECK_INT(s->n_addrs, 4);
  CHECK_INT(s->addrs[0].port, 5353);
  CHECK_INT(s->addrs[1].port, 53);
  CHECK_INT(s->addrs[2].port, 0);
  CHECK_STR(ip6(s->addrs[3].v6), "fd00::3");
  CHECK_INT(s->resolve_domains.n, 2);
  CHECK_STR(s->sni, "ns.example");
  CHECK_INT(s->dnssec, 1);
  CHECK_INT(s->transport, 1);
  CHECK_INT(x.p.search_domains.n, 2); /* dhcp-option gives way */
  CHECK_INT(x.p.routing_domains.n, 1);
  fixture_clear(&x);
}

static void test_protocol(void)
{
  Fixture x;
  fixture_init(&x, "");
  CHECK_INT(apply(&x,
                  ",peer-id 5,cipher aes-256-gcm,protocol-flags cc-exit tls-ekm dyn-tls-crypt "
                  "aead-epoch,ping 10,ping-restart 60,inactive 100 2000,session-timeout 9,"
                  "explicit-exit-notify,tun-mtu 1400,compress stub-v2,auth-token SESS_ID_AT_xyz,"
                  "auth-token-user dXNlcg=="),
            OVPN_OK);
  CHECK(x.p.has_peer_id && x.p.tls_ekm && x.p.cc_exit && x.p.dyn_tls_crypt && x.p.aead_epoch);
  CHECK_INT(x.p.peer_id, 5);
  CHECK_STR(x.p.cipher, "AES-256-GCM");
  CHECK_INT(x.p.ping, 10);
  CHECK_INT(x.p.ping_restart, 60);
  CHECK_INT(x.p.ping_exit, -1);
  CHECK_INT(x.p.inactive, 100);
  CHECK_INT(x.p.inactive_bytes, 2000);
  CHECK_INT(x.p.session_timeout, 9);
  CHECK_INT(x.p.explicit_exit_notify, 1);
  CHECK_INT(x.p.mtu, 1400);
  CHECK(x.p.compress_set);
  CHECK_INT(x.p.compress, OVPN_COMP_STUB_V2);
  CHECK_STR((char *)x.p.auth_token.data, "SESS_ID_AT_xyz");
  CHECK_STR((char *)x.p.auth_token_user.data, "user");

  CHECK_INT(apply(&x, ",tun-mtu 9000,ping 99999999,peer-id -1,auth-token-user a,comp-lzo no"),
            OVPN_OK);
  CHECK_INT(x.p.mtu, x.c.tun_mtu_max ? x.c.tun_mtu_max : 1600);
  CHECK_INT(x.p.ping, -1);
  CHECK(!x.p.has_peer_id && !x.p.auth_token_user.data && !x.p.cipher);
  CHECK_INT(x.p.compress, OVPN_COMP_LZO);
  CHECK(x.p.comp_plain && !x.p.comp_adaptive);
  CHECK_INT(apply(&x, ",comp-lzo,comp-noadapt,shaper 5000,"
                      "client-nat snat 192.168.1.9 255.255.0.0 10.64.0.0,"
                      "client-nat dnat 10.0.0.0 255.0.255.0 10.1.0.0,client-nat both 1.1.1.1"),
            OVPN_OK);
  CHECK(!x.p.comp_plain && x.p.comp_adaptive && x.p.comp_noadapt);
  CHECK_INT(x.p.shaper, 5000);
  CHECK_INT(x.p.n_nat, 1); /* the others make no sense */
  CHECK(!x.p.nat[0].dnat && x.p.nat[0].net == inet_addr("192.168.0.0"));
  CHECK_INT(apply(&x, ",ifconfig-ipv6 fd00::2/64 fd00::1,route-ipv6-gateway fd00::9,"
                      "route-ipv6 2001:db8::/32,shaper 1,comp-lzo yes"),
            OVPN_OK);
  CHECK(x.p.routes6[0].has_gateway && x.p.routes6[0].gateway.s6_addr[15] == 9);
  CHECK(x.p.shaper == 0 && x.p.n_nat == 0 && !x.p.comp_adaptive);
  CHECK_INT(apply(&x, ",key-derivation tls-ekm,ping-exit 30"), OVPN_OK);
  CHECK(x.p.tls_ekm);
  CHECK_INT(x.p.ping_exit, 30);

  CHECK_INT(apply(&x, ",protocol-flags cc-exit warp-drive"), OVPN_FAIL_PUSH);
  CHECK(strstr(x.f.text, "warp-drive"));
  CHECK_INT(apply(&x, ",cipher b$d"), OVPN_FAIL_PUSH);
  CHECK_INT(apply(&x, ",key-derivation other"), OVPN_FAIL_PUSH);
  CHECK_INT(apply(&x, ",compress zstd"), OVPN_FAIL_PUSH);

  char **names = malloc(sizeof *names);
  names[0] = strdup("AES-128-GCM");
  for (size_t i = 0; i < x.c.data_ciphers.n; i++)
    free(x.c.data_ciphers.v[i]);
  free(x.c.data_ciphers.v);
  x.c.data_ciphers = (OvpnStrv){names, 1};
  CHECK_INT(apply(&x, ",cipher AES-128-gcm"), OVPN_OK);
  CHECK_INT(apply(&x, ",cipher BF-CBC"), OVPN_FAIL_NO_COMMON_CIPHER);
  fixture_clear(&x);
}

/* Real pushes: an access server's, and one of a commercial provider. */
static void test_field(void)
{
  Fixture x;
  fixture_init(&x, "");
  CHECK_INT(apply(&x, ",explicit-exit-notify,topology subnet,route-delay 5 30,dhcp-pre-release,"
                      "dhcp-renew,dhcp-release,route-metric 101,ping 12,ping-restart 50,"
                      "redirect-gateway def1,dhcp-option DNS 172.27.224.1,register-dns,block-ipv6,"
                      "socket-flags TCP_NODELAY,keepalive 10 60,setenv UV 1,reneg-sec 0,"
                      "auth-token SESS_ID,comp-lzo no,route-gateway 172.27.224.1,"
                      "ifconfig 172.27.224.4 255.255.240.0,peer-id 0,cipher AES-256-GCM"),
            OVPN_OK);
  CHECK(x.p.has_v4 && x.p.has_peer_id && x.p.block_ipv6);
  CHECK_INT(x.p.prefix4, 20);
  CHECK_INT(x.p.n_dns, 1);
  CHECK_INT(x.p.redirect, OVPN_REDIRECT_ON | OVPN_REDIRECT_IPV4);
  fixture_clear(&x);
}

static void test_many_routes(void)
{
  enum { N = 10000 };
  Fixture x;
  fixture_init(&x, "");
  char *text = malloc(N * 48), *q = text;
  for (unsigned i = 0; i < N; i++)
    q += sprintf(q, ",route 10.%u.%u.0 255.255.255.0 default 1", i >> 8, i & 255);
  clock_t start = clock();
  CHECK_INT(apply(&x, text), OVPN_OK);
  double ms = (double)(clock() - start) * 1000 / CLOCKS_PER_SEC;
  printf("%d routes in %.1f ms\n", N, ms);
  CHECK(ms < 2000);
  CHECK_INT(x.p.n_routes4, N);

  /* one message over the bound of a list is refused, not stored */
  q = text = realloc(text, 3 * N * 8);
  for (unsigned i = 0; i < 2 * N + 1; i++)
    q += sprintf(q, ",ping 1");
  CHECK_INT(parse(&x, text), OVPN_FAIL_PUSH);
  free(text);
  fixture_clear(&x);
}

/* One message of a sequence on what has been pushed; then the meaning of the whole. */
static OvpnStatus update(Fixture *x, unsigned *replaced, const char *text)
{
  x->f = (OvpnFailure){0};
  OvpnStatus s =
      ovpn_push_update(text, &x->c, &x->profile, &x->list, replaced, &x->more, &x->ignored, &x->f);
  return s != OVPN_OK ? s
                      : ovpn_pushed_from_options(&x->p, &x->c, &x->profile, &x->list,
                                                 (const struct sockaddr *)&x->remote, &x->f);
}

static void test_update(void)
{
  Fixture x;
  unsigned r = 0;
  fixture_init(&x,
               "pull-filter ignore \"route 10.66.\"\npull-filter reject \"dhcp-option DNS 6.\"\n");
  CHECK_INT(apply(&x, ",ifconfig 10.8.0.2 255.255.255.0,topology subnet,peer-id 7,"
                      "route 10.1.0.0 255.255.0.0,route 10.2.0.0 255.255.0.0,ping 10,"
                      "ping-restart 60,dhcp-option DNS 1.1.1.1,route-ipv6 fd00:1::/64,"
                      "cipher AES-256-GCM,redirect-gateway def1,tun-mtu 1400"),
            OVPN_OK);
  /* the first route takes the place of all, the second adds; other kinds stay */
  CHECK_INT(update(&x, &r, ",route 10.77.0.0 255.255.0.0, ?block-ipv6,route 10.78.0.0 255.255.0.0"),
            OVPN_OK);
  CHECK(!x.more && x.ignored == 0);
  CHECK_INT(x.p.n_routes4, 2);
  CHECK_STR(ip4(x.p.routes4[0].net), "10.77.0.0");
  CHECK_INT(x.p.n_routes6, 1);
  CHECK(x.p.block_ipv6 && x.p.has_peer_id && x.p.peer_id == 7 && x.p.cipher);
  CHECK_INT(x.p.n_dns, 1);
  /* removal, by both spellings, and what is not there */
  r = 0;
  CHECK_INT(update(&x, &r, ",-block-ipv6, -?route-ipv6,-dns,-redirect-private,-tun-mtu"), OVPN_OK);
  CHECK(!x.p.block_ipv6 && x.p.n_routes6 == 0 && x.p.redirect == 0 && x.p.mtu == 0);
  CHECK_INT(x.p.n_routes4, 2);
  /* a sequence of messages is one update */
  r = 0;
  CHECK_INT(update(&x, &r, ",dhcp-option DNS 2.2.2.2,push-continuation 2"), OVPN_OK);
  CHECK(x.more);
  CHECK_INT(update(&x, &r, ",dhcp-option DNS 3.3.3.3,keepalive 5 25,push-continuation 1"), OVPN_OK);
  CHECK(!x.more);
  CHECK_INT(x.p.n_dns, 1);
  CHECK_INT(x.p.dns[0].n_addrs, 2);
  CHECK_INT(x.p.ping, 5);
  CHECK_INT(x.p.ping_restart, 25);
  /* another address */
  r = 0;
  CHECK_INT(update(&x, &r, ",ifconfig 10.9.0.9 255.255.0.0"), OVPN_OK);
  CHECK_STR(ip4(x.p.addr4), "10.9.0.9");
  CHECK_INT(x.p.prefix4, 16);
  /* optional ones that nobody knows; bad values; filters */
  r = 0;
  CHECK_INT(update(&x, &r,
                   ",?no-such thing,-?cipher,?cipher AES-128-GCM,tun-mtu x,"
                   "route 10.66.0.0 255.255.0.0"),
            OVPN_OK);
  CHECK_INT(x.ignored, 5);
  CHECK_INT(x.p.n_routes4, 2);
  CHECK_STR(x.p.cipher, "AES-256-GCM");
  /* what needs another session */
  static const char *const fatal[][2] = {
      {",cipher AES-128-GCM", "cipher"},
      {",-peer-id", "peer-id"},
      {",no-such", "no-such"},
      {",?-route", "-route"},
      {",dhcp-option DNS 6.6.6.6", "pull-filter: the server pushed “dhcp-option DNS 6.”"},
      {",echo \"a", "a quote does not end"}};
  for (size_t i = 0; i < sizeof fatal / sizeof fatal[0]; i++) {
    r = 0;
    CHECK_INT(update(&x, &r, fatal[i][0]), OVPN_FAIL_PUSH);
    CHECK_STR(x.f.text, fatal[i][1]);
  }
  r = 0;
  CHECK_INT(update(&x, &r, ",-keepalive,-ifconfig,-dhcp-option,-route"), OVPN_OK);
  CHECK(!x.p.has_v4 && x.p.ping == -1 && x.p.n_dns == 0 && x.p.n_routes4 == 0);
  fixture_clear(&x);
}

int main(void)
{
  test_split();
  test_filters();
  test_addresses();
  test_routes();
  test_redirect();
  test_dhcp();
  test_dns();
  test_protocol();
  test_field();
  test_many_routes();
  test_update();
  TEST_END();
}
