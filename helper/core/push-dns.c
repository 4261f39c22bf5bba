/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Name service from a push: `dns` (2.7 syntax) and `dhcp-option`. spec §15.5, §15.6.
 *
 * Trusts nothing: the words are a server's. Addresses go through inet_pton, names through a small
 * alphabet (they end up in resolver configuration), and every list is bounded. A bad item is
 * skipped as a whole; it never leaves half of itself behind. */
#include "helper/core/push-private.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <strings.h>

enum { NAME_MAX_LEN = 253, PAC_MAX = 2048 };

void ovpn_strv_clear_(OvpnStrv *s)
{
  for (size_t i = 0; i < s->n; i++)
    free(s->v[i]);
  free(s->v);
  *s = (OvpnStrv){0};
}

static void server_clear(OvpnDnsServer *s)
{
  ovpn_strv_clear_(&s->resolve_domains);
  free(s->sni);
  *s = (OvpnDnsServer){.dnssec = -1};
}

void ovpn_dns_reader_clear(OvpnDnsReader *d)
{
  for (size_t i = 0; i < d->n; i++)
    server_clear(&d->servers[i]);
  ovpn_strv_clear_(&d->dns_search);
  ovpn_strv_clear_(&d->dhcp_search);
  ovpn_strv_clear_(&d->routing);
  free(d->pac_url);
  *d = (OvpnDnsReader){0};
}

bool ovpn_push_number(const char *s, int64_t min, int64_t max, int64_t *ret)
{
  bool negative = *s == '-';
  int64_t v = 0;
  s += negative;
  if (!*s)
    return false;
  for (; *s; s++) {
    if (*s < '0' || *s > '9' || v > (INT64_MAX - 9) / 10)
      return false;
    v = v * 10 + (*s - '0');
  }
  if (negative)
    v = -v;
  if (v < min || v > max)
    return false;
  *ret = v;
  return true;
}

/* ---- names */

/* Length of the UTF-8 sequence of more than one byte at p, 0 when it is not one. */
static size_t utf8_sequence(const unsigned char *p)
{
  size_t n = p[0] >= 0xc2 && p[0] <= 0xdf ? 2 : (p[0] & 0xf0) == 0xe0 ? 3 : 0;
  if (p[0] >= 0xf0 && p[0] <= 0xf4)
    n = 4;
  for (size_t i = 1; i < n; i++)
    if ((p[i] & 0xc0) != 0x80)
      return 0;
  if ((p[0] == 0xe0 && p[1] < 0xa0) || (p[0] == 0xed && p[1] > 0x9f) ||
      (p[0] == 0xf0 && p[1] < 0x90) || (p[0] == 0xf4 && p[1] > 0x8f))
    return 0;
  return n;
}

/* Letters, digits, '-', '_', UTF-8, single dots between; not beginning with '-', which a program
 * down the line could take for an option. "." alone (the root) is a name. */
static bool name_is_valid(const char *name, size_t len)
{
  const unsigned char *p = (const unsigned char *)name;
  if (!len || len > NAME_MAX_LEN || *p == '-')
    return false;
  for (size_t i = 0; i < len;) {
    unsigned char c = p[i];
    bool plain = (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
                 c == '-' || c == '_' || (c == '.' && (!i || p[i - 1] != '.'));
    size_t n = plain ? 1 : utf8_sequence(p + i);
    if (!n)
      return false;
    i += n;
  }
  return true;
}

/* Appends a domain, without a dot at either end unless it is the root. false = no memory. */
static bool names_add(OvpnStrv *s, const char *name)
{
  size_t len = strlen(name);
  if (!name_is_valid(name, len) || s->n >= OVPN_NAMES_MAX)
    return true;
  if (len > 1 && *name == '.') {
    name++;
    len--;
    if (*name == '-')
      return true;
  }
  if (len > 1 && name[len - 1] == '.')
    len--;
  for (size_t i = 0; i < s->n; i++)
    if (strlen(s->v[i]) == len && !strncasecmp(s->v[i], name, len))
      return true;
  char **v = realloc(s->v, (s->n + 2) * sizeof *v);
  if (!v)
    return false;
  s->v = v;
  if (!(v[s->n] = strndup(name, len)))
    return false;
  v[++s->n] = NULL;
  return true;
}

static OvpnStatus names_add_all(OvpnStrv *s, const OvpnOption *o, unsigned first)
{
  for (unsigned i = first; i < o->argc; i++)
    if (!names_add(s, o->argv[i]))
      return OVPN_FAIL_MEMORY;
  return OVPN_OK;
}

/* ---- addresses */

/* 1.2.3.4[:port], v6, [v6][:port] */
static bool address_parse(const char *text, bool with_port, OvpnDnsAddr *ret)
{
  char host[INET6_ADDRSTRLEN + 1];
  const char *port = NULL, *end;
  size_t len = strlen(text);
  if (*text == '[') {
    if (!(end = strchr(++text, ']')) || (end[1] && end[1] != ':'))
      return false;
    len = (size_t)(end - text);
    port = end[1] ? end + 2 : NULL;
  } else if ((end = strchr(text, ':')) && !strchr(end + 1, ':')) {
    len = (size_t)(end - text);
    port = end + 1;
  }
  int64_t number = 0;
  if (len >= sizeof host || (port && (!with_port || !ovpn_push_number(port, 1, 65535, &number))))
    return false;
  memcpy(host, text, len);
  host[len] = 0;
  *ret = (OvpnDnsAddr){.port = (uint16_t)number};
  if (inet_pton(AF_INET, host, &ret->v4) == 1)
    ret->family = AF_INET;
  else if (inet_pton(AF_INET6, host, &ret->v6) == 1)
    ret->family = AF_INET6;
  return ret->family != 0;
}

/* ---- dns server ID ... */

static OvpnStatus server_take_words(OvpnDnsServer *s, const OvpnOption *o)
{
  static const char *const transports[] = {"plain", "DoT", "DoH"};
  static const char *const dnssec[] = {"no", "optional", "yes"};
  const char *what = o->argv[3], *first = o->argv[4];
  if (!strcmp(what, "resolve-domains"))
    return names_add_all(&s->resolve_domains, o, 4);
  if (!strcmp(what, "address")) {
    OvpnDnsAddr a[OVPN_DNS_ADDRS_MAX];
    size_t n = o->argc - 4;
    if (n > OVPN_DNS_ADDRS_MAX - s->n_addrs)
      n = OVPN_DNS_ADDRS_MAX - s->n_addrs;
    for (size_t i = 0; i < n; i++)
      if (!address_parse(o->argv[4 + i], true, &a[i]))
        return OVPN_OK;
    memcpy(s->addrs + s->n_addrs, a, n * sizeof a[0]);
    s->n_addrs += n;
  } else if (o->argc != 5) {
    return OVPN_OK;
  } else if (!strcmp(what, "sni")) {
    char *sni = name_is_valid(first, strlen(first)) ? strdup(first) : NULL;
    if (!sni)
      return OVPN_OK;
    free(s->sni);
    s->sni = sni;
  } else if (!strcmp(what, "transport")) {
    for (int i = 0; i < 3; i++)
      if (!strcasecmp(first, transports[i]))
        s->transport = i;
  } else if (!strcmp(what, "dnssec")) {
    for (int i = 0; i < 3; i++)
      if (!strcmp(first, dnssec[i]))
        s->dnssec = i;
  }
  return OVPN_OK;
}

/* The server with this id, made if need be. What is pushed replaces what the profile said under the
 * same id. */
static OvpnDnsServer *server_get(OvpnDnsReader *d, int priority, bool from_profile)
{
  for (size_t i = 0; i < d->n; i++) {
    if (d->servers[i].priority != priority)
      continue;
    if (d->from_profile[i] && !from_profile) {
      server_clear(&d->servers[i]);
      d->servers[i].priority = priority;
      d->unusable[i] = false;
    }
    d->from_profile[i] = from_profile;
    return &d->servers[i];
  }
  if (d->n == OVPN_DNS_SERVERS_MAX)
    return NULL;
  d->servers[d->n] = (OvpnDnsServer){.priority = priority, .dnssec = -1};
  d->from_profile[d->n] = from_profile;
  return &d->servers[d->n++];
}

OvpnStatus ovpn_dns_take(OvpnDnsReader *d, const OvpnOption *o, bool from_profile)
{
  int64_t id;
  if (o->argc >= 3 && !strcmp(o->argv[1], "search-domains"))
    return names_add_all(&d->dns_search, o, 2);
  if (o->argc < 5 || strcmp(o->argv[1], "server") ||
      !ovpn_push_number(o->argv[2], from_profile ? -128 : 0, 127, &id))
    return OVPN_OK;
  OvpnDnsServer *s = server_get(d, (int)id, from_profile);
  OvpnStatus status = s ? server_take_words(s, o) : OVPN_OK;
  /* A server for some domains must not become the server for everything because their names are
   * broken. */
  if (s && !strcmp(o->argv[3], "resolve-domains"))
    d->unusable[s - d->servers] = !s->resolve_domains.n;
  return status;
}

/* ---- dhcp-option */

/* An address that a program will fetch: a scheme that is meant for it, and nothing but printable
 * ASCII. */
static OvpnStatus take_pac(OvpnDnsReader *d, const char *url)
{
  size_t len = strlen(url);
  if (len > PAC_MAX || (strncasecmp(url, "http://", 7) && strncasecmp(url, "https://", 8)))
    return OVPN_OK;
  for (const char *p = url; *p; p++)
    if (*p <= ' ' || *p > '~' || strchr("\"'<>\\", *p))
      return OVPN_OK;
  char *copy = strdup(url);
  if (!copy)
    return OVPN_FAIL_MEMORY;
  free(d->pac_url);
  d->pac_url = copy;
  return OVPN_OK;
}

static unsigned unused_kind(const char *type)
{
  static const struct {
    const char *word;
    unsigned kind;
  } words[] = {{"PROXY_HTTP", OVPN_DHCP_PROXY},
               {"PROXY_HTTPS", OVPN_DHCP_PROXY},
               {"PROXY_SOCKS", OVPN_DHCP_PROXY},
               {"PROXY_BYPASS", OVPN_DHCP_PROXY},
               {"NTP", OVPN_DHCP_NTP},
               {"NBDD", OVPN_DHCP_NETBIOS},
               {"NBT", OVPN_DHCP_NETBIOS},
               {"NBS", OVPN_DHCP_NETBIOS},
               {"DISABLE-NBT", OVPN_DHCP_NETBIOS}};
  for (size_t i = 0; i < sizeof words / sizeof words[0]; i++)
    if (!strcmp(type, words[i].word))
      return words[i].kind;
  return OVPN_DHCP_OTHER;
}

OvpnStatus ovpn_dhcp_take(OvpnDnsReader *d, const OvpnOption *o)
{
  if (o->argc < 2)
    return OVPN_OK;
  const char *type = o->argv[1], *value = o->argc > 2 ? o->argv[2] : "";
  OvpnDnsAddr a;
  if (!strcmp(type, "DNS") || !strcmp(type, "DNS6")) {
    if (d->n_dhcp < OVPN_DNS_ADDRS_MAX && address_parse(value, false, &a))
      d->dhcp[d->n_dhcp++] = a;
  } else if (!strcmp(type, "WINS")) {
    if (d->n_wins < OVPN_DNS_ADDRS_MAX && address_parse(value, false, &a) && a.family == AF_INET)
      d->wins[d->n_wins++] = a.v4;
  } else if (!strcmp(type, "DOMAIN") || !strcmp(type, "DOMAIN-SEARCH") ||
             !strcmp(type, "ADAPTER_DOMAIN_SUFFIX")) {
    return names_add_all(&d->dhcp_search, o, 2);
  } else if (!strcmp(type, "DOMAIN-ROUTE")) {
    return names_add_all(&d->routing, o, 2);
  } else if (!strcmp(type, "PROXY_AUTO_CONFIG_URL")) {
    return take_pac(d, value);
  } else {
    d->unused |= unused_kind(type);
  }
  return OVPN_OK;
}

/* ---- result */

static void servers_sort(OvpnDnsReader *d)
{
  for (size_t i = 1; i < d->n; i++) {
    OvpnDnsServer s = d->servers[i];
    size_t j = i;
    for (; j && d->servers[j - 1].priority > s.priority; j--)
      d->servers[j] = d->servers[j - 1];
    d->servers[j] = s;
  }
}

static void servers_drop_unusable(OvpnDnsReader *d)
{
  size_t n = 0;
  for (size_t i = 0; i < d->n; i++) {
    if (d->servers[i].n_addrs && !d->unusable[i])
      d->servers[n++] = d->servers[i];
    else
      server_clear(&d->servers[i]);
  }
  d->n = n;
}

OvpnStatus ovpn_dns_finish(OvpnDnsReader *d, OvpnPushed *p)
{
  servers_drop_unusable(d);
  bool modern = d->n > 0;
  servers_sort(d);
  if (!modern && d->n_dhcp) {
    d->servers[0] = (OvpnDnsServer){.dnssec = -1, .n_addrs = d->n_dhcp};
    memcpy(d->servers[0].addrs, d->dhcp, d->n_dhcp * sizeof d->dhcp[0]);
    d->n = 1;
  }
  p->search_domains = d->dns_search;
  d->dns_search = (OvpnStrv){0};
  for (size_t i = 0; !modern && i < d->dhcp_search.n; i++)
    if (!names_add(&p->search_domains, d->dhcp_search.v[i]))
      return OVPN_FAIL_MEMORY;
  p->routing_domains = d->routing;
  d->routing = (OvpnStrv){0};
  if (d->n) {
    if (!(p->dns = calloc(d->n, sizeof p->dns[0])))
      return OVPN_FAIL_MEMORY;
    memcpy(p->dns, d->servers, d->n * sizeof p->dns[0]);
    p->n_dns = d->n;
    d->n = 0; /* their strings moved */
  }
  p->pac_url = d->pac_url;
  d->pac_url = NULL;
  p->dhcp_unused = d->unused;
  if (d->n_wins) {
    if (!(p->wins = calloc(d->n_wins, sizeof p->wins[0])))
      return OVPN_FAIL_MEMORY;
    memcpy(p->wins, d->wins, d->n_wins * sizeof p->wins[0]);
    p->n_wins = d->n_wins;
  }
  return OVPN_OK;
}
