/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What pushed options mean: a list, after the profile's own, -> OvpnPushed.
 *
 * Trusts nothing: values are checked here and not only in the table, because the service calls this
 * on a list that came from the engine, which talks to the network. Every list is bounded, nothing
 * is quadratic in the number of routes. A bad value makes that option disappear; only what makes
 * the tunnel unusable ends the session. spec §15; name service is in push-dns.c, the filter on the
 * server's text in push.c. */
#include "helper/core/push.h"
#include "helper/core/push-private.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <strings.h>

enum { PING_MAX = 86400, MTU_MIN = 100, CIPHER_NAME_MAX = 64 };

typedef struct Taker Taker;

typedef struct Reading {
  OvpnPushed *p;
  const OvpnConfig *c;
  bool from_profile;
  const struct sockaddr *remote;
  OvpnFailure *f;
  const OvpnOption *ifconfig, *ifconfig6; /* the last ones; their meaning depends on topology */
  bool topology_pushed;
  bool has_metric;
  uint32_t metric;
  unsigned redirect; /* OVPN_REDIRECT_x without ON */
  bool has_gateway6; /* route-ipv6-gateway */
  struct in6_addr gateway6;
  size_t cap4, cap6;
  OvpnDnsReader dns;
} Reading;

enum {
  FROM_PROFILE = 1, /* the profile's own count too */
  ROUTING = 2,      /* dropped from a push by route-nopull */
  SECOND_PASS = 4,  /* needs what the others say: gateways, metric */
};
struct Taker {
  OvpnOptionId id;
  unsigned flags;
  OvpnStatus (*take)(Reading *r, const OvpnOption *o);
};
static const Taker *taker_find(OvpnOptionId id);

/* ---- addresses */

/* A dotted netmask (or "default") -> prefix; -1 when it has holes. */
static int mask_to_prefix(const char *text)
{
  struct in_addr a;
  if (!strcmp(text, "default"))
    return 32;
  if (inet_pton(AF_INET, text, &a) != 1)
    return -1;
  uint32_t m = ntohl(a.s_addr), hole = ~m & (~m + 1);
  return hole ? -1 : __builtin_popcount(m);
}

static void mask_off6(struct in6_addr *a, unsigned prefix)
{
  for (unsigned i = 0; i < 16; i++) {
    unsigned bits = prefix <= i * 8 ? 0 : prefix - i * 8;
    if (bits < 8)
      a->s6_addr[i] &= (uint8_t)(0xff00u >> bits);
  }
}

/* addr[/bits] */
static bool parse6(const char *text, unsigned missing, struct in6_addr *ret, uint8_t *ret_prefix)
{
  char host[INET6_ADDRSTRLEN + 1];
  const char *slash = strchr(text, '/');
  size_t len = slash ? (size_t)(slash - text) : strlen(text);
  int64_t bits = missing;
  if (len >= sizeof host || (slash && !ovpn_push_number(slash + 1, 0, 128, &bits)))
    return false;
  memcpy(host, text, len);
  host[len] = 0;
  *ret_prefix = (uint8_t)bits;
  return inet_pton(AF_INET6, host, ret) == 1;
}

/* A dotted quad, or one of the words that stand for one. false = nothing that can be used here. */
static bool resolve4(const Reading *r, const char *text, struct in_addr *ret)
{
  if (!strcmp(text, "vpn_gateway")) {
    *ret = r->p->gateway4;
    return r->p->has_gateway4;
  }
  if (!strcmp(text, "remote_host")) {
    if (!r->remote || r->remote->sa_family != AF_INET)
      return false;
    struct sockaddr_in sin;
    memcpy(&sin, r->remote, sizeof sin);
    *ret = sin.sin_addr;
    return true;
  }
  return inet_pton(AF_INET, text, ret) == 1;
}

static bool resolve6(const Reading *r, const char *text, struct in6_addr *ret)
{
  if (!strcmp(text, "vpn_gateway")) {
    *ret = r->p->peer6;
    return r->p->has_peer6;
  }
  if (!strcmp(text, "remote_host")) {
    if (!r->remote || r->remote->sa_family != AF_INET6)
      return false;
    struct sockaddr_in6 sin6;
    memcpy(&sin6, r->remote, sizeof sin6);
    *ret = sin6.sin6_addr;
    return true;
  }
  return inet_pton(AF_INET6, text, ret) == 1;
}

/* ---- the network: counted from the profile and from the push */

static OvpnStatus take_ifconfig(Reading *r, const OvpnOption *o)
{
  r->ifconfig = o;
  return OVPN_OK;
}

static OvpnStatus take_ifconfig6(Reading *r, const OvpnOption *o)
{
  r->ifconfig6 = o;
  return OVPN_OK;
}

static OvpnStatus take_topology(Reading *r, const OvpnOption *o)
{
  static const struct {
    const char *word;
    OvpnTopology topology;
  } words[] = {
      {"net30", OVPN_TOPOLOGY_NET30}, {"p2p", OVPN_TOPOLOGY_P2P}, {"subnet", OVPN_TOPOLOGY_SUBNET}};
  for (size_t i = 0; o->argc > 1 && i < 3; i++)
    if (!strcmp(o->argv[1], words[i].word))
      r->p->topology = words[i].topology;
  return OVPN_OK;
}

static OvpnStatus take_route_gateway(Reading *r, const OvpnOption *o)
{
  r->p->gateway_dhcp = o->argc > 1 && !strcmp(o->argv[1], "dhcp"); /* TAP; see lease.h */
  if (o->argc > 1 && inet_pton(AF_INET, o->argv[1], &r->p->gateway4) == 1)
    r->p->has_gateway4 = true;
  return OVPN_OK;
}

static bool parse_metric(const char *text, uint32_t *ret)
{
  int64_t v;
  if (!ovpn_push_number(text, 0, INT32_MAX, &v))
    return false;
  *ret = (uint32_t)v;
  return true;
}

static OvpnStatus take_route_metric(Reading *r, const OvpnOption *o)
{
  if (o->argc > 1 && parse_metric(o->argv[1], &r->metric))
    r->has_metric = true;
  return OVPN_OK;
}

static OvpnStatus take_block_ip(Reading *r, const OvpnOption *o)
{
  *(o->id == OVPN_OPT_BLOCK_IPV6 ? &r->p->block_ipv6 : &r->p->block_ipv4) = true;
  return OVPN_OK;
}

/* redirect-gateway and redirect-private share their flags; only the first changes the default
 * route. Flags of several lines add up, "!ipv4" takes the IPv4 redirect back. def1, autolocal and
 * bypass-* say how OpenVPN sets routes; NetworkManager has its own way. */
static OvpnStatus take_redirect(Reading *r, const OvpnOption *o)
{
  bool gateway = o->id == OVPN_OPT_REDIRECT_GATEWAY;
  if (gateway)
    r->redirect |= OVPN_REDIRECT_IPV4;
  for (unsigned i = 1; i < o->argc; i++) {
    if (!strcmp(o->argv[i], "ipv6"))
      r->redirect |= gateway ? OVPN_REDIRECT_IPV6 : 0;
    else if (!strcmp(o->argv[i], "!ipv4"))
      r->redirect &= ~(unsigned)OVPN_REDIRECT_IPV4;
    else if (!strcmp(o->argv[i], "block-local"))
      r->redirect |= OVPN_REDIRECT_BLOCK_LOCAL;
    else if (!strcmp(o->argv[i], "local"))
      r->redirect |= OVPN_REDIRECT_LOCAL;
  }
  return OVPN_OK;
}

static OvpnStatus take_dns(Reading *r, const OvpnOption *o)
{
  return ovpn_dns_take(&r->dns, o, r->from_profile);
}

static OvpnStatus take_dhcp(Reading *r, const OvpnOption *o)
{
  return ovpn_dhcp_take(&r->dns, o);
}

/* ---- routes: second pass, when gateways and metric are known */

/* Room for one more; capacity doubles. false = no memory. */
static bool grow(void **items, size_t n, size_t *cap, size_t size)
{
  if (n < *cap)
    return true;
  size_t want = *cap ? *cap * 2 : 16;
  void *p = realloc(*items, want * size);
  if (!p)
    return false;
  *items = p;
  *cap = want;
  return true;
}

static OvpnStatus take_route4(Reading *r, const OvpnOption *o)
{
  OvpnPushed *p = r->p;
  OvpnRoute4 route = {.prefix = 32, .has_metric = r->has_metric, .metric = r->metric};
  if (o->argc < 2 || p->n_routes4 >= OVPN_ROUTES_MAX || !resolve4(r, o->argv[1], &route.net))
    return OVPN_OK;
  if (o->argc > 2) {
    int prefix = mask_to_prefix(o->argv[2]);
    if (prefix < 0)
      return OVPN_OK;
    route.prefix = (uint8_t)prefix;
  }
  route.net.s_addr &= htonl(route.prefix ? UINT32_MAX << (32 - route.prefix) : 0);
  const char *gateway = o->argc > 3 ? o->argv[3] : "default";
  route.via_net_gateway = !strcmp(gateway, "net_gateway");
  if (!strcmp(gateway, "default") || !strcmp(gateway, "vpn_gateway")) {
    route.has_gateway = p->has_gateway4; /* without one: a route to the device */
    route.gateway = p->gateway4;
  } else if (!route.via_net_gateway) {
    if (!resolve4(r, gateway, &route.gateway))
      return OVPN_OK;
    route.has_gateway = true;
  }
  if (o->argc > 4 && strcmp(o->argv[4], "default")) {
    if (!parse_metric(o->argv[4], &route.metric))
      return OVPN_OK;
    route.has_metric = true;
  }
  if (!grow((void **)&p->routes4, p->n_routes4, &r->cap4, sizeof route))
    return OVPN_FAIL_MEMORY;
  p->routes4[p->n_routes4++] = route;
  return OVPN_OK;
}

static OvpnStatus take_route6(Reading *r, const OvpnOption *o)
{
  OvpnPushed *p = r->p;
  OvpnRoute6 route = {.has_metric = r->has_metric, .metric = r->metric};
  if (o->argc < 2 || p->n_routes6 >= OVPN_ROUTES_MAX ||
      !parse6(o->argv[1], 128, &route.net, &route.prefix))
    return OVPN_OK;
  mask_off6(&route.net, route.prefix);
  const char *gateway = o->argc > 2 ? o->argv[2] : "default";
  route.via_net_gateway = !strcmp(gateway, "net_gateway");
  if (!strcmp(gateway, "default") || !strcmp(gateway, "vpn_gateway")) {
    route.has_gateway = p->has_peer6;
    route.gateway = p->peer6;
  } else if (!route.via_net_gateway) {
    if (!resolve6(r, gateway, &route.gateway))
      return OVPN_OK;
    route.has_gateway = true;
  }
  if (o->argc > 3 && strcmp(o->argv[3], "default")) {
    if (!parse_metric(o->argv[3], &route.metric))
      return OVPN_OK;
    route.has_metric = true;
  }
  if (!grow((void **)&p->routes6, p->n_routes6, &r->cap6, sizeof route))
    return OVPN_FAIL_MEMORY;
  p->routes6[p->n_routes6++] = route;
  return OVPN_OK;
}

/* ---- the protocol: only from the push */

static OvpnStatus take_tun_mtu(Reading *r, const OvpnOption *o)
{
  int64_t v, max = r->c->tun_mtu_max ? r->c->tun_mtu_max : 1600;
  if (o->argc > 1 && ovpn_push_number(o->argv[1], MTU_MIN, UINT16_MAX, &v))
    r->p->mtu = (uint32_t)(v < max ? v : max);
  return OVPN_OK;
}

static OvpnStatus take_peer_id(Reading *r, const OvpnOption *o)
{
  int64_t v;
  if (o->argc > 1 && ovpn_push_number(o->argv[1], 0, 0xffffff, &v)) {
    r->p->peer_id = (uint32_t)v;
    r->p->has_peer_id = true;
  }
  return OVPN_OK;
}

static bool cipher_allowed(const OvpnConfig *c, const char *name)
{
  for (size_t i = 0; i < c->data_ciphers.n; i++)
    if (!strcasecmp(c->data_ciphers.v[i], name))
      return true;
  return !c->data_ciphers.n ||
         (c->data_ciphers_fallback && !strcasecmp(c->data_ciphers_fallback, name));
}

static OvpnStatus take_cipher(Reading *r, const OvpnOption *o)
{
  static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  const char *name = o->argc > 1 ? o->argv[1] : "";
  size_t len = strlen(name);
  if (!len || len > CIPHER_NAME_MAX || strspn(name, alphabet) != len)
    return ovpn_failure_set(r->f, OVPN_FAIL_PUSH, "cipher: “%s” is not a cipher", name);
  if (!cipher_allowed(r->c, name))
    return ovpn_failure_set(r->f, OVPN_FAIL_NO_COMMON_CIPHER, "%s", name);
  char *copy = strdup(name);
  if (!copy)
    return OVPN_FAIL_MEMORY;
  for (char *q = copy; *q; q++)
    if (*q >= 'a' && *q <= 'z')
      *q = (char)(*q - 'a' + 'A');
  free(r->p->cipher);
  r->p->cipher = copy;
  return OVPN_OK;
}

static OvpnStatus take_key_derivation(Reading *r, const OvpnOption *o)
{
  const char *method = o->argc > 1 ? o->argv[1] : "";
  if (strcmp(method, "tls-ekm"))
    return ovpn_failure_set(r->f, OVPN_FAIL_PUSH, "key-derivation: “%s” is not known", method);
  r->p->tls_ekm = true;
  return OVPN_OK;
}

/* An unknown word ends the session: the server will use what it pushed, and silence would follow.
 */
static OvpnStatus take_protocol_flags(Reading *r, const OvpnOption *o)
{
  OvpnPushed *p = r->p;
  const struct {
    const char *word;
    bool *flag;
  } words[] = {{"tls-ekm", &p->tls_ekm},
               {"cc-exit", &p->cc_exit},
               {"dyn-tls-crypt", &p->dyn_tls_crypt},
               {"aead-epoch", &p->aead_epoch}};
  for (unsigned i = 1; i < o->argc; i++) {
    size_t j = 0;
    while (j < 4 && strcmp(o->argv[i], words[j].word))
      j++;
    if (j == 4)
      return ovpn_failure_set(r->f, OVPN_FAIL_PUSH, "protocol-flags: “%s” is not known",
                              o->argv[i]);
    *words[j].flag = true;
  }
  return OVPN_OK;
}

static OvpnStatus take_comp_lzo(Reading *r, const OvpnOption *o)
{
  const char *word = o->argc > 1 ? o->argv[1] : "adaptive";
  r->p->compress_set = true;
  r->p->compress = OVPN_COMP_LZO; /* "no" keeps the byte of framing, too */
  r->p->comp_plain = !strcmp(word, "no");
  r->p->comp_adaptive = !strcmp(word, "adaptive");
  return OVPN_OK;
}

static OvpnStatus take_comp_noadapt(Reading *r, const OvpnOption *o)
{
  (void)o;
  r->p->comp_noadapt = true;
  return OVPN_OK;
}

static OvpnStatus take_compress(Reading *r, const OvpnOption *o)
{
  static const struct {
    const char *word;
    OvpnCompress compress;
  } words[] = {{"stub", OVPN_COMP_STUB},
               {"stub-v2", OVPN_COMP_STUB_V2},
               {"lzo", OVPN_COMP_LZO},
               {"lz4", OVPN_COMP_LZ4},
               {"lz4-v2", OVPN_COMP_LZ4_V2}};
  const char *word = o->argc > 1 ? o->argv[1] : "stub";
  if (!strcmp(word, "migrate")) /* a server's own setting */
    return OVPN_OK;
  for (size_t i = 0; i < 5; i++) {
    if (strcmp(word, words[i].word))
      continue;
    r->p->compress_set = true;
    r->p->compress = words[i].compress;
    r->p->comp_plain = r->p->comp_adaptive = false;
    return OVPN_OK;
  }
  return ovpn_failure_set(r->f, OVPN_FAIL_PUSH, "compress: “%s” is not known", word);
}

static OvpnStatus take_timer(const OvpnOption *o, int64_t max, int *ret)
{
  int64_t v;
  if (o->argc > 1 && ovpn_push_number(o->argv[1], 0, max, &v))
    *ret = (int)v;
  return OVPN_OK;
}

static OvpnStatus take_ping(Reading *r, const OvpnOption *o)
{
  return take_timer(o, PING_MAX, &r->p->ping);
}

/* ping-restart and ping-exit share one timer: the later word wins. */
static OvpnStatus take_ping_restart(Reading *r, const OvpnOption *o)
{
  r->p->ping_exit = -1;
  return take_timer(o, PING_MAX, &r->p->ping_restart);
}

static OvpnStatus take_ping_exit(Reading *r, const OvpnOption *o)
{
  r->p->ping_restart = -1;
  return take_timer(o, PING_MAX, &r->p->ping_exit);
}

static OvpnStatus take_inactive(Reading *r, const OvpnOption *o)
{
  int64_t bytes = 0;
  if (o->argc > 2 && !ovpn_push_number(o->argv[2], 0, INT64_MAX, &bytes))
    return OVPN_OK;
  r->p->inactive_bytes = (uint64_t)bytes;
  return take_timer(o, INT32_MAX, &r->p->inactive);
}

static OvpnStatus take_session_timeout(Reading *r, const OvpnOption *o)
{
  return take_timer(o, INT32_MAX, &r->p->session_timeout);
}

static OvpnStatus take_exit_notify(Reading *r, const OvpnOption *o)
{
  if (o->argc > 1)
    return take_timer(o, 100, &r->p->explicit_exit_notify);
  r->p->explicit_exit_notify = 1;
  return OVPN_OK;
}

static OvpnStatus take_auth_token(Reading *r, const OvpnOption *o)
{
  if (o->argc > 1 && o->argv[1][0] && !ovpn_blob_set_text(&r->p->auth_token, o->argv[1]))
    return OVPN_FAIL_MEMORY;
  return OVPN_OK;
}

static int base64_value(char c)
{
  return c >= 'A' && c <= 'Z'   ? c - 'A'
         : c >= 'a' && c <= 'z' ? c - 'a' + 26
         : c >= '0' && c <= '9' ? c - '0' + 52
         : c == '+'             ? 62
         : c == '/'             ? 63
                                : -1;
}

/* Strict: whole groups of four. A NUL inside would cut a user name short, so it is refused. */
static OvpnStatus take_auth_token_user(Reading *r, const OvpnOption *o)
{
  const char *s = o->argc > 1 ? o->argv[1] : "";
  size_t len = strlen(s), n = 0;
  uint8_t out[3 * OVPN_FAILURE_TEXT_MAX];
  if (!len || len % 4 || len / 4 * 3 > sizeof out)
    return OVPN_OK;
  size_t pad = s[len - 1] != '=' ? 0 : s[len - 2] != '=' ? 1 : 2;
  uint32_t group = 0;
  for (size_t i = 0; i < len; i++) {
    int v = i >= len - pad ? 0 : base64_value(s[i]);
    if (v < 0)
      return OVPN_OK;
    group = group << 6 | (uint32_t)v;
    if (i % 4 == 3)
      for (int shift = 16; shift >= 0; shift -= 8)
        out[n++] = (uint8_t)(group >> shift);
  }
  n -= pad;
  bool ok = memchr(out, 0, n) || ovpn_blob_set(&r->p->auth_token_user, out, n);
  ovpn_wipe(out, sizeof out);
  return ok ? OVPN_OK : OVPN_FAIL_MEMORY;
}

static OvpnStatus take_route_gateway6(Reading *r, const OvpnOption *o)
{
  if (o->argc > 1 && inet_pton(AF_INET6, o->argv[1], &r->gateway6) == 1)
    r->has_gateway6 = true;
  return OVPN_OK;
}

static OvpnStatus take_shaper(Reading *r, const OvpnOption *o)
{
  int64_t n;
  if (o->argc > 1 && ovpn_push_number(o->argv[1], 100, 100000000, &n))
    r->p->shaper = (unsigned)n;
  return OVPN_OK;
}

static OvpnStatus take_client_nat(Reading *r, const OvpnOption *o)
{
  struct in_addr net, alias, mask;
  bool dnat = o->argc > 1 && !strcasecmp(o->argv[1], "dnat");
  if (o->argc != 5 || (!dnat && strcasecmp(o->argv[1], "snat")) || r->p->n_nat >= OVPN_NAT_MAX ||
      inet_pton(AF_INET, o->argv[2], &net) != 1 || inet_pton(AF_INET, o->argv[3], &mask) != 1 ||
      mask_to_prefix(o->argv[3]) < 0 || inet_pton(AF_INET, o->argv[4], &alias) != 1)
    return OVPN_OK;
  r->p->nat[r->p->n_nat++] = (OvpnNatRule){.dnat = dnat,
                                           .net = net.s_addr & mask.s_addr,
                                           .mask = mask.s_addr,
                                           .alias = alias.s_addr & mask.s_addr};
  return OVPN_OK;
}

static const Taker takers[] = {
    {OVPN_OPT_ROUTE, FROM_PROFILE | ROUTING | SECOND_PASS, take_route4},
    {OVPN_OPT_ROUTE_IPV6, FROM_PROFILE | ROUTING | SECOND_PASS, take_route6},
    {OVPN_OPT_IFCONFIG, FROM_PROFILE, take_ifconfig},
    {OVPN_OPT_IFCONFIG_IPV6, FROM_PROFILE, take_ifconfig6},
    {OVPN_OPT_TOPOLOGY, FROM_PROFILE, take_topology},
    {OVPN_OPT_ROUTE_GATEWAY, FROM_PROFILE, take_route_gateway},
    {OVPN_OPT_ROUTE_IPV6_GATEWAY, FROM_PROFILE, take_route_gateway6},
    {OVPN_OPT_ROUTE_METRIC, FROM_PROFILE | ROUTING, take_route_metric},
    {OVPN_OPT_REDIRECT_GATEWAY, FROM_PROFILE | ROUTING, take_redirect},
    {OVPN_OPT_REDIRECT_PRIVATE, FROM_PROFILE | ROUTING, take_redirect},
    {OVPN_OPT_BLOCK_IPV6, FROM_PROFILE | ROUTING, take_block_ip},
    {OVPN_OPT_BLOCK_IPV4, FROM_PROFILE | ROUTING, take_block_ip},
    {OVPN_OPT_DNS, FROM_PROFILE | ROUTING, take_dns},
    {OVPN_OPT_DHCP_OPTION, FROM_PROFILE | ROUTING, take_dhcp},
    {OVPN_OPT_TUN_MTU, 0, take_tun_mtu},
    {OVPN_OPT_PEER_ID, 0, take_peer_id},
    {OVPN_OPT_CIPHER, 0, take_cipher},
    {OVPN_OPT_KEY_DERIVATION, 0, take_key_derivation},
    {OVPN_OPT_PROTOCOL_FLAGS, 0, take_protocol_flags},
    {OVPN_OPT_COMP_LZO, 0, take_comp_lzo},
    {OVPN_OPT_COMPRESS, 0, take_compress},
    {OVPN_OPT_COMP_NOADAPT, 0, take_comp_noadapt},
    {OVPN_OPT_PING, 0, take_ping},
    {OVPN_OPT_PING_RESTART, 0, take_ping_restart},
    {OVPN_OPT_PING_EXIT, 0, take_ping_exit},
    {OVPN_OPT_INACTIVE, 0, take_inactive},
    {OVPN_OPT_SESSION_TIMEOUT, 0, take_session_timeout},
    {OVPN_OPT_EXPLICIT_EXIT_NOTIFY, 0, take_exit_notify},
    {OVPN_OPT_AUTH_TOKEN, 0, take_auth_token},
    {OVPN_OPT_AUTH_TOKEN_USER, 0, take_auth_token_user},
    {OVPN_OPT_CLIENT_NAT, FROM_PROFILE | ROUTING, take_client_nat},
    {OVPN_OPT_SHAPER, 0, take_shaper},
};

static const Taker *taker_find(OvpnOptionId id)
{
  for (size_t i = 0; i < sizeof takers / sizeof takers[0]; i++)
    if (takers[i].id == id)
      return &takers[i];
  return NULL;
}

bool ovpn_push_is_taken(OvpnOptionId id, const OvpnConfig *c)
{
  const Taker *t = taker_find(id);
  return (ovpn_option_info(id)->flags & OVPN_OPTF_PUSHABLE) &&
         !(c->route_nopull && t && t->flags & ROUTING);
}

/* ---- list -> OvpnPushed */

static bool is_route(OvpnOptionId id)
{
  return id == OVPN_OPT_ROUTE || id == OVPN_OPT_ROUTE_IPV6 || id == OVPN_OPT_REDIRECT_GATEWAY ||
         id == OVPN_OPT_REDIRECT_PRIVATE;
}

static OvpnStatus take_list(Reading *r, const OvpnOptionList *l, bool from_profile, unsigned pass)
{
  r->from_profile = from_profile;
  for (size_t i = 0; l && i < l->n; i++) {
    const OvpnOption *o = &l->items[i];
    const Taker *t = taker_find(o->id);
    if (!t || !t->take || (t->flags & SECOND_PASS) != pass || o->is_inline)
      continue;
    if (r->c->route_noexec && is_route(o->id))
      continue;
    if (from_profile ? !(t->flags & FROM_PROFILE) : !ovpn_push_is_taken(o->id, r->c))
      continue;
    OvpnStatus s = t->take(r, o);
    if (s != OVPN_OK)
      return s;
  }
  return OVPN_OK;
}

/* The second word is a netmask in topology subnet and on TAP, else the address of the peer. A
 * "peer" of 255.x.y.z can only be a mask that somebody wrote under the wrong topology, so it is
 * read as one. */
static OvpnStatus finish_ifconfig(Reading *r)
{
  OvpnPushed *p = r->p;
  const OvpnOption *o = r->ifconfig;
  if (!o)
    return OVPN_OK;
  const char *local = o->argc > 1 ? o->argv[1] : "", *second = o->argc > 2 ? o->argv[2] : "";
  if (inet_pton(AF_INET, local, &p->addr4) != 1)
    return ovpn_failure_set(r->f, OVPN_FAIL_PUSH, "ifconfig: “%s” is not an IPv4 address", local);
  bool is_mask = r->c->tap || p->topology == OVPN_TOPOLOGY_SUBNET || !strncmp(second, "255.", 4);
  if (is_mask) {
    int prefix = mask_to_prefix(second);
    if (prefix <= 0)
      return ovpn_failure_set(r->f, OVPN_FAIL_PUSH, "ifconfig: “%s” is not a netmask", second);
    p->prefix4 = (uint8_t)prefix;
  } else {
    if (inet_pton(AF_INET, second, &p->peer4) != 1)
      return ovpn_failure_set(r->f, OVPN_FAIL_PUSH, "ifconfig: “%s” is not an IPv4 address",
                              second);
    p->prefix4 = 32;
    p->has_peer4 = true;
    if (!p->has_gateway4) {
      p->gateway4 = p->peer4;
      p->has_gateway4 = true;
    }
  }
  p->has_v4 = true;
  return OVPN_OK;
}

static OvpnStatus finish_ifconfig6(Reading *r)
{
  OvpnPushed *p = r->p;
  const OvpnOption *o = r->ifconfig6;
  if (!o)
    return OVPN_OK;
  const char *local = o->argc > 1 ? o->argv[1] : "";
  if (!parse6(local, 64, &p->addr6, &p->prefix6) || !p->prefix6)
    return ovpn_failure_set(r->f, OVPN_FAIL_PUSH, "ifconfig-ipv6: “%s” is not an IPv6 address",
                            local);
  uint8_t ignored;
  p->has_v6 = true;
  p->has_peer6 = o->argc > 2 && parse6(o->argv[2], 128, &p->peer6, &ignored) &&
                 memcmp(&p->peer6, &in6addr_any, sizeof p->peer6);
  return OVPN_OK;
}

static OvpnStatus read_all(Reading *r, const OvpnOptionList *profile, const OvpnOptionList *pushed)
{
  OvpnPushed *p = r->p;
  p->topology = r->c->topology_set ? r->c->topology : OVPN_TOPOLOGY_NET30;
  OvpnStatus s = take_list(r, profile, true, 0);
  if (s == OVPN_OK)
    s = take_list(r, pushed, false, 0);
  if (s == OVPN_OK)
    s = finish_ifconfig(r);
  if (s == OVPN_OK)
    s = finish_ifconfig6(r);
  if (s == OVPN_OK && r->has_gateway6) {
    p->peer6 = r->gateway6;
    p->has_peer6 = true;
  }
  if (s == OVPN_OK)
    s = take_list(r, profile, true, SECOND_PASS);
  if (s == OVPN_OK)
    s = take_list(r, pushed, false, SECOND_PASS);
  if (s == OVPN_OK && !r->c->no_dns)
    s = ovpn_dns_finish(&r->dns, p);
  p->redirect = r->redirect;
  if (p->redirect & (OVPN_REDIRECT_IPV4 | OVPN_REDIRECT_IPV6))
    p->redirect |= OVPN_REDIRECT_ON;
  return s;
}

OvpnStatus ovpn_pushed_from_options(OvpnPushed *p, const OvpnConfig *c,
                                    const OvpnOptionList *profile, const OvpnOptionList *pushed,
                                    const struct sockaddr *remote, OvpnFailure *f)
{
  ovpn_pushed_clear(p);
  Reading r = {.p = p, .c = c, .remote = remote, .f = f};
  OvpnStatus s = read_all(&r, profile, pushed);
  ovpn_dns_reader_clear(&r.dns);
  if (s != OVPN_OK) {
    ovpn_pushed_clear(p);
    return ovpn_failure_set(f, s, "%s", "");
  }
  return OVPN_OK;
}
