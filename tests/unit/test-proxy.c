/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The proxy client: published vectors of digest and NTLMv2, dialogues with HTTP and SOCKS proxies
 * (whole and byte by byte), hostile answers, what may not be sent, relayed datagrams. spec §20. */
#include "helper/core/proxy-private.h"
#include "check.h"

static void fixed_random(void *user, uint8_t *buf, size_t len)
{
  (void)user;
  memset(buf, 0xaa, len);
}

static OvpnBlob blob(const char *text)
{
  return (OvpnBlob){(uint8_t *)(uintptr_t)text, strlen(text)};
}

static OvpnProxy *make(OvpnProxyKind kind, OvpnProxyAuth auth, const char *user, const char *pass)
{
  OvpnBlob pw = blob(pass ? pass : "");
  OvpnProxyParams params = {.kind = kind,
                            .host = "vpn.example.org",
                            .port = 1194,
                            .auth = auth,
                            .username = user,
                            .password = pass ? &pw : NULL,
                            .wall_time = 1700000000,
                            .random = fixed_random};
  OvpnProxy *p = NULL;
  OvpnFailure f = {0};
  CHECK_INT(ovpn_proxy_new(&params, &p, &f), OVPN_OK);
  if (!p)
    exit(1);
  return p;
}

/* All that waits to be sent, as text. */
static const char *sent(OvpnProxy *p)
{
  static char buf[PROXY_OUT_MAX + 1];
  size_t n = 0, k;
  while ((k = ovpn_proxy_output(p, buf + n, 7)) > 0) /* in pieces */
    n += k;
  buf[n] = 0;
  return buf;
}

static void sent_hex(OvpnProxy *p, const char *hex)
{
  uint8_t want[512], got[512];
  size_t n = check_unhex(hex, want, sizeof(want));
  CHECK_INT(ovpn_proxy_output(p, got, sizeof(got)), n);
  CHECK_MEM(got, want, n);
}

/* Feeds byte by byte; returns what was not taken. */
static size_t feed_bytes(OvpnProxy *p, const void *data, size_t len)
{
  size_t used = 0;
  for (size_t i = 0; i < len; i++, used = 0)
    if (ovpn_proxy_input(p, (const char *)data + i, 1, &used), used == 0)
      return len - i;
  return 0;
}

static size_t feed(OvpnProxy *p, const char *text)
{
  size_t used = 0;
  ovpn_proxy_input(p, text, strlen(text), &used);
  return strlen(text) - used;
}

static size_t feed_hex(OvpnProxy *p, const char *hex)
{
  uint8_t b[512];
  size_t n = check_unhex(hex, b, sizeof(b));
  return feed_bytes(p, b, n);
}

static void is_failure(OvpnProxy *p, OvpnStatus s, const char *text)
{
  CHECK_INT(ovpn_proxy_step(p), OVPN_PROXY_FAIL);
  CHECK_STR(ovpn_status_name(ovpn_proxy_failure(p)->status), ovpn_status_name(s));
  CHECK_STR(ovpn_proxy_failure(p)->text, text);
  ovpn_proxy_free(p);
}

static void test_digest_vectors(void)
{
  char hex[PROXY_DIGEST_HEX + 1];
  OvpnBlob of = blob("Circle Of Life"), pw = blob("Circle of Life");
  ProxyDigestInput in = {.qop_auth = true,
                         .nc = 1,
                         .method = "GET",
                         .uri = "/dir/index.html",
                         .user = "Mufasa",
                         .realm = "testrealm@host.com",
                         .nonce = "dcd98b7102dd2f0e8b11d0f600bfb0c093",
                         .cnonce = "0a4f113b",
                         .password = &of};
  proxy_digest_response(&in, hex); /* RFC 2617 §3.5 */
  CHECK_STR(hex, "6629fae49393a05397450978507c4ef1");
  in.qop_auth = false; /* the RFC 2069 form of the same */
  proxy_digest_response(&in, hex);
  CHECK_STR(hex, "670fd8c2df070c60b045671b8b24ff02");
  in.qop_auth = true;
  in.realm = "http-auth@example.org";
  in.nonce = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v";
  in.cnonce = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ";
  in.password = &pw;
  proxy_digest_response(&in, hex); /* RFC 7616 §3.9.1 */
  CHECK_STR(hex, "8ca523f5e9506fed4657c9700eebdbec");
  in.hash = PROXY_HASH_SHA256;
  proxy_digest_response(&in, hex);
  CHECK_STR(hex, "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1");
  in.hash = PROXY_HASH_MD5;
  in.sess = true;
  proxy_digest_response(&in, hex); /* computed apart from this code */
  CHECK_STR(hex, "e783283f46242139c486a698fec7211d");
}

/* MS-NLMP §4.2.4 */
static void test_ntlm_vectors(void)
{
  uint8_t hash[16], proof[16], want[64], temp[128], challenge[8];
  OvpnBlob pw = blob("Password");
  proxy_ntlm2_hash("User", "Domain", &pw, hash);
  check_unhex("0c868a403bfd7a93a3001ef22ef02e3f", want, sizeof(want));
  CHECK_MEM(hash, want, 16);
  check_unhex("0123456789abcdef", challenge, 8);
  size_t n = check_unhex("0101000000000000 0000000000000000 aaaaaaaaaaaaaaaa 00000000"
                         "02000c0044006f006d00610069006e00 01000c00530065007200760065007200"
                         "00000000 00000000",
                         temp, sizeof(temp));
  proxy_ntlm2_proof(hash, challenge, temp, n, proof);
  check_unhex("68cd0ab851e51c96aabc927bebef6a1c", want, sizeof(want));
  CHECK_MEM(proof, want, 16);

  /* the whole type 3 message of that exchange (FILETIME 0) */
  uint8_t type2[128] = {0}, out[1024];
  memcpy(type2, "NTLMSSP\0\2\0\0\0", 12);
  check_unhex("00008000 0123456789abcdef", type2 + 20, 12);
  size_t info = check_unhex("02000c0044006f006d00610069006e00 01000c00530065007200760065007200"
                            "00000000",
                            type2 + 48, 64);
  type2[40] = type2[42] = (uint8_t)info;
  type2[44] = 48;
  uint8_t random[8];
  memset(random, 0xaa, 8);
  OvpnWriter w = ovpn_writer(out, sizeof(out) - 1);
  CHECK(proxy_write_ntlm3(&w, type2, 48 + info, "Domain\\User", &pw, 0, random) && w.ok);
  out[w.len] = 0;
  CHECK_STR((char *)out, "NTLM "
                         "TlRMTVNTUAADAAAAAAAAAAAAAABUAFQAQAAAAAYABgCUAAAABAAEAJoAAAAAAAAAAAAAAAAAA"
                         "AAAAAAAAgIAAGjNCrhR5RyWqrySe+"
                         "vvahwBAQAAAAAAAAAAAAAAAAAAqqqqqqqqqqoAAAAAAgAMAEQAbwBtAGEAaQBuAAEADABTAGU"
                         "AcgB2AGUAcgAAAAAAAAAAAERvbWFpblVzZXI=");
  w = ovpn_writer(out, sizeof(out));
  CHECK(!proxy_write_ntlm3(&w, type2, 47, "u", &pw, 0, random));            /* head cut */
  CHECK(!proxy_write_ntlm3(&w, type2, 48 + info - 1, "u", &pw, 0, random)); /* info outside */
  type2[47] = 0xff;
  CHECK(!proxy_write_ntlm3(&w, type2, 48 + info, "u", &pw, 0, random));
}

static void parse(ProxyChallenges *c, const char *value)
{
  char *copy = strdup(value); /* exact size for the sanitizer */
  proxy_challenges_add(c, copy, strlen(value));
  free(copy);
}

static void test_challenges(void)
{
  static ProxyChallenges c;
  parse(&c, "Basic realm=\"a, Digest realm=b\", NTLM, Digest realm=\"r\\\"x\", nonce=n1, "
            "qop=\"auth-int,auth\", stale=TRUE");
  CHECK(c.any && c.basic && c.ntlm && c.digest.offered && c.type2_len == 0);
  CHECK_STR(c.digest.realm, "r\"x");
  CHECK_STR(c.digest.nonce, "n1");
  CHECK(c.digest.qop_auth && c.digest.stale && !c.digest.named && !c.digest.has_opaque);
  parse(&c, "Digest realm=r, nonce=\"n2\", algorithm=SHA-256, opaque=\"\"");
  parse(&c, "Digest realm=r, nonce=\"n3\", algorithm=MD5");
  CHECK(c.digest.hash == PROXY_HASH_SHA256 && c.digest.named && !c.digest.qop_auth);
  CHECK_STR(c.digest.nonce, "n2");

  static const char *const useless[] = {"Digest realm=\"r\"",
                                        "Digest nonce=\"n\"",
                                        "Digest realm=\"r\", nonce=\"\"",
                                        "Digest realm=\"r\", nonce=\"n",
                                        "Digest realm=\"r\", nonce=\"n\\",
                                        "Digest realm=\"r\", nonce=\"n\tm\"",
                                        "Digest realm=\"r\", nonce=\"n\", qop=\"auth-int\"",
                                        "Digest realm=\"r\", nonce=\"n\", algorithm=SHA-999",
                                        "Negotiate YWJj",
                                        "Digest",
                                        "=",
                                        ", ,",
                                        ""};
  for (size_t i = 0; i < sizeof(useless) / sizeof(useless[0]); i++) {
    memset(&c, 0, sizeof(c));
    parse(&c, useless[i]);
    CHECK(!c.digest.offered && !c.basic && !c.ntlm);
  }
  memset(&c, 0, sizeof(c));
  parse(&c, "NTLM TlRMTVNTUAACAAAA, Basic realm=x");
  CHECK(c.ntlm && c.basic && c.type2_len == 12);
  char longer[1200];
  memset(longer, 'n', sizeof(longer));
  memcpy(longer, "Digest realm=r, nonce=", 22);
  longer[sizeof(longer) - 1] = 0;
  memset(&c, 0, sizeof(c));
  parse(&c, longer);
  CHECK(!c.digest.offered);
}

static void test_plain(void)
{
  OvpnProxy *p = make(OVPN_PROXY_HTTP, OVPN_PROXY_AUTH_NONE, NULL, NULL);
  CHECK_INT(ovpn_proxy_start(p), OVPN_PROXY_CONTINUE);
  CHECK_STR(sent(p), "CONNECT vpn.example.org:1194 HTTP/1.0\r\nHost: vpn.example.org\r\n\r\n");
  /* any version, no reason, bare line feed; what follows is ours */
  CHECK_INT(feed(p, "HTTP/1.7 200\r\nVia: x\n\r\n\x00\x0e"
                    "8abc"),
            0);
  CHECK_INT(ovpn_proxy_step(p), OVPN_PROXY_DONE);
  size_t used = 9;
  CHECK_INT(ovpn_proxy_input(p, "more", 4, &used), OVPN_PROXY_DONE);
  CHECK_INT(used, 0);
  ovpn_proxy_free(p);
  p = make(OVPN_PROXY_HTTP, OVPN_PROXY_AUTH_NONE, NULL, NULL);
  ovpn_proxy_start(p);
  sent(p);
  const char *answer = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.0 200 Connection established\r\n"
                       "Content-Length: 5\r\n\r\nsurplus";
  CHECK_INT(feed_bytes(p, answer, strlen(answer)), 7);
  CHECK_INT(ovpn_proxy_step(p), OVPN_PROXY_DONE);
  ovpn_proxy_free(p);
}

static void test_options(void)
{
  OvpnProxyHeader h[11] = {{"X-One", "1 2"}, {"X-Two: zwei", NULL}, {"hOST", "other"}};
  OvpnProxyParams params = {.kind = OVPN_PROXY_HTTP,
                            .host = "2001:db8::1",
                            .port = 443,
                            .http_version = "1.1",
                            .user_agent = "me/1",
                            .headers = h,
                            .n_headers = 2,
                            .random = fixed_random};
  OvpnProxy *p = NULL;
  CHECK_INT(ovpn_proxy_new(&params, &p, NULL), OVPN_OK);
  ovpn_proxy_start(p);
  CHECK_STR(sent(p), "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nX-One: 1 2\r\nX-Two: zwei\r\n"
                     "Host: [2001:db8::1]\r\nUser-Agent: me/1\r\n\r\n");
  ovpn_proxy_free(p);
  params.n_headers = 3;
  CHECK_INT(ovpn_proxy_new(&params, &p, NULL), OVPN_OK);
  ovpn_proxy_start(p);
  CHECK_STR(sent(p), "CONNECT [2001:db8::1]:443 HTTP/1.1\r\nX-One: 1 2\r\nX-Two: zwei\r\n"
                     "hOST: other\r\nUser-Agent: me/1\r\n\r\n");
  ovpn_proxy_free(p);

  static const char *const hosts[] = {"",    "a b", "a\r\nX: y", "a/b",
                                      "a@b", "a:1", "[::1]",     "\xc3\xa4"};
  static const OvpnProxyHeader bad[] = {
      {"", "x"},     {"A B", "x"},  {"A", "x\r\nB: y"}, {"A: x\nB: y", NULL}, {"A\r", "x"},
      {"A", "\x7f"}, {": x", NULL}, {NULL, NULL},       {"A:", "x"}};
  p = NULL;
  for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
    h[0] = bad[i];
    params.n_headers = 1;
    CHECK_INT(ovpn_proxy_new(&params, &p, NULL), OVPN_FAIL_CONFIG);
  }
  params.n_headers = 0;
  for (size_t i = 0; i < sizeof(hosts) / sizeof(hosts[0]); i++) {
    params.host = hosts[i];
    CHECK_INT(ovpn_proxy_new(&params, &p, NULL), OVPN_FAIL_CONFIG);
  }
  params.host = "h";
  params.user_agent = "a\nb";
  CHECK_INT(ovpn_proxy_new(&params, &p, NULL), OVPN_FAIL_CONFIG);
  params.user_agent = NULL;
  params.http_version = "2";
  CHECK_INT(ovpn_proxy_new(&params, &p, NULL), OVPN_FAIL_CONFIG);
  params.http_version = NULL;
  params.n_headers = 11;
  CHECK_INT(ovpn_proxy_new(&params, &p, NULL), OVPN_FAIL_CONFIG);
  params.n_headers = 0;
  params.username = "a\r\nb";
  CHECK_INT(ovpn_proxy_new(&params, &p, NULL), OVPN_FAIL_PROXY_AUTH);
  CHECK(!p);
}

#define DIGEST_407                                                                                 \
  "HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic realm=\"x\"\r\n"        \
  "Proxy-Authenticate: Digest realm=\"testrealm\", nonce=\"abc\", qop=\"auth\", opaque=\"op\"\r\n"
#define DIGEST_HEAD                                                                                \
  "CONNECT vpn.example.org:1194 HTTP/1.0\r\nHost: vpn.example.org\r\nProxy-Authorization: "        \
  "Digest username=\"me\", realm=\"testrealm\", nonce=\"abc\", "                                   \
  "uri=\"vpn.example.org:1194\", qop=auth, nc=0000000"

static void test_digest(void)
{
  /* asked for credentials, then a new connection */
  OvpnProxy *p = make(OVPN_PROXY_HTTP, OVPN_PROXY_AUTH_AUTO_NCT, NULL, NULL);
  ovpn_proxy_start(p);
  sent(p);
  feed(p, DIGEST_407 "Connection: close\r\n\r\n<html>");
  CHECK_INT(ovpn_proxy_step(p), OVPN_PROXY_NEED_CREDENTIALS);
  OvpnBlob pw = blob("secret");
  CHECK_INT(ovpn_proxy_set_credentials(p, "me", &pw, NULL), OVPN_OK);
  CHECK_INT(ovpn_proxy_start(p), OVPN_PROXY_CONTINUE);
  CHECK_STR(sent(p), DIGEST_HEAD
            "1, cnonce=\"qqqqqqqqqqo=\", response=\"bfe7eb72aef127adaf341d5feb04be20\", "
            "opaque=\"op\"\r\n\r\n");
  /* a stale nonce is worth another try, the second refusal is one */
  feed(p, "HTTP/1.1 407 No\r\nProxy-Authenticate: Digest realm=\"testrealm\", nonce=\"def\", "
          "stale=true\r\n\r\n");
  CHECK_INT(ovpn_proxy_step(p), OVPN_PROXY_RECONNECT);
  CHECK_INT(ovpn_proxy_closed(p), OVPN_PROXY_RECONNECT);
  ovpn_proxy_start(p);
  CHECK(strstr(sent(p), "nonce=\"def\", uri=\"vpn.example.org:1194\", response="));
  feed(p, DIGEST_407 "\r\n");
  is_failure(p, OVPN_FAIL_PROXY_AUTH, "407 Proxy Authentication Required");

  /* the connection stays: the page is skipped, and the answer to the second request follows */
  p = make(OVPN_PROXY_HTTP, OVPN_PROXY_AUTH_AUTO, "me", "secret");
  ovpn_proxy_start(p);
  sent(p);
  const char *kept = DIGEST_407 "Proxy-Connection: keep-alive\r\nTransfer-Encoding: chunked\r\n\r\n"
                                "5;x=y\r\nab\r\nc\r\n1A\r\nabcdefghijklmnopqrstuvwxyz\r\n0\r\n"
                                "T: x\r\n\r\n";
  CHECK_INT(feed_bytes(p, kept, strlen(kept)), 0);
  CHECK_INT(ovpn_proxy_step(p), OVPN_PROXY_CONTINUE);
  CHECK(!strncmp(sent(p), DIGEST_HEAD "1", strlen(DIGEST_HEAD "1")));
  /* it went away after all */
  CHECK_INT(ovpn_proxy_closed(p), OVPN_PROXY_RECONNECT);
  ovpn_proxy_start(p);
  CHECK(!strncmp(sent(p), DIGEST_HEAD "2", strlen(DIGEST_HEAD "2")));
  CHECK_INT(feed(p, "HTTP/1.1 200 OK\r\n\r\nxyz"), 3);
  CHECK_INT(ovpn_proxy_step(p), OVPN_PROXY_DONE);
  ovpn_proxy_free(p);

  p = make(OVPN_PROXY_HTTP, OVPN_PROXY_AUTH_DIGEST, "me", "secret");
  ovpn_proxy_start(p);
  sent(p);
  feed(p, DIGEST_407 "Connection: Keep-Alive\r\nContent-Length: 0\r\n\r\n");
  CHECK(!strncmp(sent(p), DIGEST_HEAD "1", strlen(DIGEST_HEAD "1")));
  ovpn_proxy_free(p);
}

#define BASIC_407 "HTTP/1.0 407 Nope\r\nProxy-Authenticate: Basic realm=\"x\"\r\n\r\n"

static void test_basic(void)
{
  OvpnProxy *p = make(OVPN_PROXY_HTTP, OVPN_PROXY_AUTH_BASIC, NULL, NULL);
  CHECK_INT(ovpn_proxy_start(p), OVPN_PROXY_NEED_CREDENTIALS);
  OvpnBlob pw = blob("open sesame");
  ovpn_proxy_set_credentials(p, "Aladdin", &pw, NULL);
  CHECK_INT(ovpn_proxy_start(p), OVPN_PROXY_CONTINUE);
  CHECK_STR(sent(p), "CONNECT vpn.example.org:1194 HTTP/1.0\r\nHost: vpn.example.org\r\n"
                     "Proxy-Authorization: Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==\r\n\r\n");
  for (size_t i = 0; i < sizeof(p->out); i++)
    CHECK(p->out[i] == 0 || i >= 512); /* wiped as it went */
  feed(p, BASIC_407);
  is_failure(p, OVPN_FAIL_PROXY_AUTH, "407 Nope");

  p = make(OVPN_PROXY_HTTP, OVPN_PROXY_AUTH_AUTO, "u", "");
  ovpn_proxy_start(p);
  CHECK(!strstr(sent(p), "Authorization"));
  feed(p, BASIC_407);
  CHECK_INT(ovpn_proxy_step(p), OVPN_PROXY_RECONNECT);
  ovpn_proxy_start(p);
  CHECK(strstr(sent(p), "Authorization: Basic dTo=\r\n"));
  ovpn_proxy_free(p);

  p = make(OVPN_PROXY_HTTP, OVPN_PROXY_AUTH_AUTO_NCT, "u", "p");
  ovpn_proxy_start(p);
  sent(p);
  feed(p, BASIC_407);
  is_failure(p, OVPN_FAIL_PROXY_AUTH, "407 Nope (no method in common)");
  p = make(OVPN_PROXY_HTTP, OVPN_PROXY_AUTH_NONE, "u", "p");
  ovpn_proxy_start(p);
  sent(p);
  feed(p, BASIC_407);
  is_failure(p, OVPN_FAIL_PROXY_AUTH, "407 Nope");
  p = make(OVPN_PROXY_HTTP, OVPN_PROXY_AUTH_BASIC, "u:v", "p");
  ovpn_proxy_start(p);
  CHECK_STR(sent(p), "");
  is_failure(p, OVPN_FAIL_PROXY_AUTH, "basic: the user name has a colon");
}

#define TYPE2 "TlRMTVNTUAACAAAAAAAAADAAAAACAgAAASNFZ4mrze8="

static void test_ntlm(void)
{
  OvpnProxy *p = make(OVPN_PROXY_HTTP, OVPN_PROXY_AUTH_NTLM, "D\\u", "p");
  ovpn_proxy_start(p);
  CHECK_STR(sent(p), "CONNECT vpn.example.org:1194 HTTP/1.0\r\nHost: vpn.example.org\r\n"
                     "Proxy-Connection: Keep-Alive\r\n"
                     "Proxy-Authorization: NTLM TlRMTVNTUAABAAAAAgIAAA==\r\n\r\n");
  CHECK_INT(feed(p, "HTTP/1.1 407 Go on\r\nProxy-Authenticate: NTLM " TYPE2
                    "\r\nContent-Length: 4\r\n\r\nbody"),
            0);
  const char *out = sent(p);
  CHECK(strstr(out, "Proxy-Authorization: NTLM TlRMTVNTUAADAAAA"));
  CHECK_INT(ovpn_proxy_step(p), OVPN_PROXY_CONTINUE);
  CHECK_INT(feed(p, "HTTP/1.1 200 OK\r\n\r\n8"), 1);
  CHECK_INT(ovpn_proxy_step(p), OVPN_PROXY_DONE);
  ovpn_proxy_free(p);

  /* no length: no body; then refused */
  p = make(OVPN_PROXY_HTTP, OVPN_PROXY_AUTH_NTLM, "u", "p");
  ovpn_proxy_start(p);
  sent(p);
  feed(p, "HTTP/1.0 407 Go on\r\nProxy-Authenticate: NTLM " TYPE2 "\r\n\r\n");
  CHECK(strstr(sent(p), "NTLM TlRMTVNTUAADAAAA"));
  feed(p, "HTTP/1.0 407 No\r\nProxy-Authenticate: NTLM\r\n\r\n");
  is_failure(p, OVPN_FAIL_PROXY_AUTH, "407 No");

  p = make(OVPN_PROXY_HTTP, OVPN_PROXY_AUTH_NTLM, "u", "p");
  ovpn_proxy_start(p);
  sent(p);
  feed(p, "HTTP/1.0 407 x\r\nConnection: close\r\nProxy-Authenticate: NTLM " TYPE2 "\r\n\r\n");
  is_failure(p, OVPN_FAIL_PROXY, "NTLM: the proxy does not keep the connection");
  p = make(OVPN_PROXY_HTTP, OVPN_PROXY_AUTH_NTLM, "u", "p");
  ovpn_proxy_start(p);
  sent(p);
  feed(p, "HTTP/1.0 407 x\r\nProxy-Authenticate: NTLM TlRMTVNTUAACAAAA\r\n\r\n");
  is_failure(p, OVPN_FAIL_PROXY, "NTLM: the challenge is malformed");
  p = make(OVPN_PROXY_HTTP, OVPN_PROXY_AUTH_NTLM, "u\xc3\xa4", "p");
  ovpn_proxy_start(p);
  is_failure(p, OVPN_FAIL_PROXY_AUTH, "NTLM: the user name is not plain ASCII");

  /* chosen by auto, after a new connection */
  p = make(OVPN_PROXY_HTTP, OVPN_PROXY_AUTH_AUTO, "u", "p");
  ovpn_proxy_start(p);
  sent(p);
  feed(p,
       "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=a\r\nProxy-Authenticate: NTLM\r\n\r\n");
  CHECK_INT(ovpn_proxy_step(p), OVPN_PROXY_RECONNECT);
  ovpn_proxy_start(p);
  CHECK(strstr(sent(p), "NTLM TlRMTVNTUAABAAAA"));
  CHECK_INT(ovpn_proxy_closed(p), OVPN_PROXY_FAIL);
  ovpn_proxy_free(p);
}

static void test_http_bad(void)
{
  static const struct {
    const char *answer, *text;
  } t[] = {
      {"HTTP/1.1 502 Bad\x1b[1m Gateway\r\n", "not an HTTP proxy"},
      {"HTTP/1.1 502 Bad Gateway\r\n\r\n", "502 Bad Gateway"},
      {"HTTP/1.1 302\r\n\r\n", "302"},
      {"SSH-2.0-x\r\n", "not an HTTP proxy"},
      {"\r\n", "not an HTTP proxy"},
      {"HTTP/1.1\r\n", "not an HTTP proxy"},
      {"HTTP/1.1 2000 x\r\n", "not an HTTP proxy"},
      {"HTTP/1.1 20 x\r\n", "not an HTTP proxy"},
      {"HTTP/1.1 099 x\r\n", "not an HTTP proxy"},
      {"HTTP/1.1 200 x\r\nA: b\rc\r\n", "the answer of the proxy is malformed"},
  };
  for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
    OvpnProxy *p = make(OVPN_PROXY_HTTP, OVPN_PROXY_AUTH_NONE, NULL, NULL);
    ovpn_proxy_start(p);
    sent(p);
    feed(p, t[i].answer);
    is_failure(p, OVPN_FAIL_PROXY, t[i].text);
  }
  char line[5000];
  memset(line, 'a', sizeof(line));
  OvpnProxy *p = make(OVPN_PROXY_HTTP, OVPN_PROXY_AUTH_NONE, NULL, NULL);
  ovpn_proxy_start(p);
  sent(p);
  CHECK(feed_bytes(p, line, sizeof(line)) > 900);
  is_failure(p, OVPN_FAIL_PROXY, "the answer of the proxy is too long");
  p = make(OVPN_PROXY_HTTP, OVPN_PROXY_AUTH_NONE, NULL, NULL);
  ovpn_proxy_start(p);
  sent(p);
  feed(p, "HTTP/1.1 200 OK\r\n");
  for (int i = 0; i < 4100; i++)
    feed(p, "a:b\n");
  is_failure(p, OVPN_FAIL_PROXY, "the answer of the proxy is too long");
  p = make(OVPN_PROXY_HTTP, OVPN_PROXY_AUTH_NONE, NULL, NULL);
  ovpn_proxy_start(p);
  feed(p, "HTTP/1.1 200 OK\r\n\r\n");
  is_failure(p, OVPN_FAIL_PROXY, "the proxy answers before it is asked");
  p = make(OVPN_PROXY_HTTP, OVPN_PROXY_AUTH_NONE, NULL, NULL);
  ovpn_proxy_start(p);
  sent(p);
  ovpn_proxy_closed(p);
  is_failure(p, OVPN_FAIL_PROXY, "the proxy closed the connection");
  /* a body too long to skip: a new connection instead */
  p = make(OVPN_PROXY_HTTP, OVPN_PROXY_AUTH_AUTO, "u", "p");
  ovpn_proxy_start(p);
  sent(p);
  feed(p, "HTTP/1.1 407 x\r\nProxy-Authenticate: Basic realm=a\r\nConnection: keep-alive\r\n"
          "Content-Length: 99999999999999999999\r\n\r\n");
  CHECK_INT(ovpn_proxy_step(p), OVPN_PROXY_RECONNECT);
  ovpn_proxy_free(p);
}

static void test_socks_tcp(void)
{
  OvpnProxy *p = make(OVPN_PROXY_SOCKS_TCP, OVPN_PROXY_AUTH_NONE, NULL, NULL);
  ovpn_proxy_start(p);
  sent_hex(p, "05 01 00");
  feed_hex(p, "05 00");
  sent_hex(p, "05 01 00 03 0f 76706e2e6578616d706c652e6f7267 04aa");
  CHECK_INT(feed_hex(p, "05 00 00 01 0a000001 1234 000e38"), 3);
  CHECK_INT(ovpn_proxy_step(p), OVPN_PROXY_DONE);
  ovpn_proxy_free(p);

  static const char *const bound[] = {"05 00 00 03 03 616263 1234", "05 00 00 03 00 1234",
                                      "05 00 00 04 00000000000000000000000000000001 1234"};
  for (size_t i = 0; i < 3; i++) {
    p = make(OVPN_PROXY_SOCKS_TCP, OVPN_PROXY_AUTH_NONE, "user", "pw");
    ovpn_proxy_start(p);
    sent_hex(p, "05 01 02");
    feed_hex(p, "05 02");
    sent_hex(p, "01 04 75736572 02 7077");
    feed_hex(p, i ? "01 00" : "05 00"); /* any version */
    sent_hex(p, "05 01 00 03 0f 76706e2e6578616d706c652e6f7267 04aa");
    feed_hex(p, bound[i]);
    CHECK_INT(ovpn_proxy_step(p), OVPN_PROXY_DONE);
    CHECK_INT(feed_hex(p, "00"), 1);
    ovpn_proxy_free(p);
  }
  OvpnProxyParams params = {.kind = OVPN_PROXY_SOCKS_TCP, .host = "2001:db8::1", .port = 443};
  CHECK_INT(ovpn_proxy_new(&params, &p, NULL), OVPN_OK);
  ovpn_proxy_start(p);
  sent(p);
  feed_hex(p, "05 00");
  sent_hex(p, "05 01 00 04 20010db8000000000000000000000001 01bb");
  ovpn_proxy_free(p);
  params.host = "192.0.2.7";
  CHECK_INT(ovpn_proxy_new(&params, &p, NULL), OVPN_OK);
  ovpn_proxy_start(p);
  sent(p);
  feed_hex(p, "05 00");
  sent_hex(p, "05 01 00 01 c0000207 01bb");
  ovpn_proxy_free(p);
}

static void test_socks_bad(void)
{
  static const struct {
    const char *user, *answers[3];
    OvpnStatus status;
    const char *text;
  } t[] = {
      {NULL, {"04 00"}, OVPN_FAIL_PROXY, "not a SOCKS5 proxy"},
      {NULL, {"4854"}, OVPN_FAIL_PROXY, "not a SOCKS5 proxy"},
      {NULL, {"05 ff"}, OVPN_FAIL_PROXY_AUTH, "SOCKS: the proxy wants to be signed in to"},
      {"u", {"05 ff"}, OVPN_FAIL_PROXY_AUTH, "SOCKS: no sign-in with user name and password"},
      {NULL, {"05 02"}, OVPN_FAIL_PROXY, "SOCKS: the proxy chose what was not offered"},
      {"u", {"05 00"}, OVPN_FAIL_PROXY, "SOCKS: the proxy chose what was not offered"},
      {"u", {"05 02", "01 01"}, OVPN_FAIL_PROXY_AUTH, "SOCKS: user name or password refused"},
      {NULL, {"05 00", "05 05 00 01 00"}, OVPN_FAIL_PROXY, "SOCKS: 5 connection refused"},
      {NULL, {"05 00", "05 63 00 01 00"}, OVPN_FAIL_PROXY, "SOCKS: 99 unknown reply"},
      {NULL, {"05 00", "05 00 00 02 00"}, OVPN_FAIL_PROXY, "SOCKS: unknown address type 2"},
      {NULL, {"05 00", "04 00 00 01 00"}, OVPN_FAIL_PROXY, "not a SOCKS5 proxy"},
  };
  for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
    OvpnProxy *p = make(OVPN_PROXY_SOCKS_TCP, OVPN_PROXY_AUTH_NONE, t[i].user, "p");
    ovpn_proxy_start(p);
    for (size_t k = 0; k < 3 && t[i].answers[k]; k++) {
      sent(p);
      feed_hex(p, t[i].answers[k]);
    }
    is_failure(p, t[i].status, t[i].text);
  }
  OvpnProxy *p = make(OVPN_PROXY_SOCKS_TCP, OVPN_PROXY_AUTH_AUTO, NULL, NULL);
  ovpn_proxy_start(p);
  sent(p);
  feed_hex(p, "05 ff");
  CHECK_INT(ovpn_proxy_step(p), OVPN_PROXY_NEED_CREDENTIALS);
  ovpn_proxy_set_credentials(p, "u", NULL, NULL);
  ovpn_proxy_start(p);
  sent_hex(p, "05 01 02");
  feed_hex(p, "05 02");
  sent_hex(p, "01 01 75 00");
  CHECK_INT(ovpn_proxy_closed(p), OVPN_PROXY_FAIL);
  ovpn_proxy_free(p);
  char longer[300];
  memset(longer, 'x', sizeof(longer));
  longer[256] = 0;
  p = make(OVPN_PROXY_SOCKS_TCP, OVPN_PROXY_AUTH_NONE, longer, "p");
  ovpn_proxy_start(p);
  sent(p);
  feed_hex(p, "05 02");
  is_failure(p, OVPN_FAIL_PROXY_AUTH, "SOCKS: user name and password may have 255 bytes each");
}

static OvpnProxy *associate(const char *reply)
{
  OvpnProxyParams params = {.kind = OVPN_PROXY_SOCKS_UDP};
  OvpnProxy *p = NULL;
  CHECK_INT(ovpn_proxy_new(&params, &p, NULL), OVPN_OK);
  ovpn_proxy_start(p);
  sent_hex(p, "05 01 00");
  feed_hex(p, "05 00");
  sent_hex(p, "05 03 00 01 00000000 0000");
  feed_hex(p, reply);
  return p;
}

static void test_socks_udp(void)
{
  OvpnProxy *p = associate("05 00 00 01 c0000201 0438");
  CHECK_INT(ovpn_proxy_step(p), OVPN_PROXY_DONE);
  CHECK(ovpn_proxy_relay(p)->ip_len == 4 && ovpn_proxy_relay(p)->port == 1080);
  CHECK_MEM(ovpn_proxy_relay(p)->ip, "\xc0\0\2\1", 4);
  ovpn_proxy_free(p);
  p = associate("05 00 00 01 00000000 0438");
  CHECK(ovpn_proxy_step(p) == OVPN_PROXY_DONE && ovpn_proxy_relay(p)->ip_len == 0);
  CHECK_INT(ovpn_proxy_relay(p)->port, 1080);
  ovpn_proxy_free(p);
  p = associate("05 00 00 04 20010db8000000000000000000000009 0438");
  CHECK(ovpn_proxy_step(p) == OVPN_PROXY_DONE && ovpn_proxy_relay(p)->ip_len == 16);
  CHECK_INT(ovpn_proxy_relay(p)->ip[15], 9);
  ovpn_proxy_free(p);
  is_failure(associate("05 00 00 03 01 61 0438"), OVPN_FAIL_PROXY,
             "SOCKS: the relay is given by a name");
  is_failure(associate("05 00 00 01 c0000201 0000"), OVPN_FAIL_PROXY,
             "SOCKS: the relay has no port");
  is_failure(associate("05 07 00 01 00"), OVPN_FAIL_PROXY, "SOCKS: 7 command not supported");
}

static void test_datagrams(void)
{
  uint8_t buf[64], want[32];
  OvpnSocksAddress to = {.ip = {192, 0, 2, 7}, .ip_len = 4, .port = 1194}, from;
  memcpy(buf + 22, "packet", 6);
  uint8_t *q = buf + 22;
  size_t len = 6;
  ovpn_socks_udp_add(&to, &q, &len);
  size_t n = check_unhex("0000 00 01 c0000207 04aa", want, sizeof(want));
  CHECK(n == OVPN_SOCKS_UDP_HEADER && q == buf + 12 && len == 16);
  CHECK_MEM(q, want, n);
  CHECK_INT(ovpn_socks_udp_remove(&q, &len, &from), OVPN_OK);
  CHECK(q == buf + 22 && len == 6 && from.ip_len == 4 && from.port == 1194);
  CHECK_MEM(from.ip, to.ip, 16);
  to.ip_len = 16;
  ovpn_socks_udp_add(&to, &q, &len);
  CHECK(q == buf && len == 28 && buf[3] == 4);
  CHECK_INT(ovpn_socks_udp_remove(&q, &len, NULL), OVPN_OK);
  CHECK(q == buf + 22 && len == 6);

  static const struct {
    const char *hex;
    OvpnStatus status;
  } t[] = {
      {"", OVPN_DROP_TRUNCATED},
      {"0000 00", OVPN_DROP_TRUNCATED},
      {"0000 00 01 c0000207 04", OVPN_DROP_TRUNCATED},
      {"0000 00 01 c0000207 04aa", OVPN_DROP_EMPTY},
      {"0000 01 01 c0000207 04aa 38", OVPN_DROP_FORMAT},
      {"0000 00 03 01 61 04aa 38", OVPN_DROP_FORMAT},
      {"0000 00 04 c0000207 04aa 38", OVPN_DROP_TRUNCATED},
      {"0000 00 01 c0000207 04aa 38", OVPN_OK},
  };
  for (size_t i = 0; i < sizeof(t) / sizeof(t[0]); i++) {
    len = check_unhex(t[i].hex, buf, sizeof(buf));
    uint8_t *exact = malloc(len ? len : 1);
    if (!exact)
      exit(1);
    memcpy(exact, buf, len);
    q = exact;
    size_t before = len;
    OvpnStatus s = ovpn_socks_udp_remove(&q, &len, &from);
    CHECK_STR(ovpn_status_name(s), ovpn_status_name(t[i].status));
    CHECK(s == OVPN_OK ? len == 1 : q == exact && len == before);
    free(exact);
  }
}

int main(void)
{
  test_digest_vectors();
  test_ntlm_vectors();
  test_challenges();
  test_plain();
  test_options();
  test_digest();
  test_basic();
  test_ntlm();
  test_http_bad();
  test_socks_tcp();
  test_socks_bad();
  test_socks_udp();
  test_datagrams();
  TEST_END();
}
