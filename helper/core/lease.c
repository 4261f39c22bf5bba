/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A lease -> options, and those before the ones that the server pushed.
 *
 * The service interprets a lease with the same code as a push (push-apply.c), so that bounds,
 * route-nopull and all that follows are the same for both. Which side has the last word:
 *  - address and gateway: the server's own, since a later line replaces an earlier one;
 *  - routes: both;
 *  - name servers, and apart from them search domains: the server's or the profile's, if there is
 *    one; the far network's are then not asked for.
 * pull-filter of the profile counts for the lines of a lease as well.
 * A default route is not taken because a lease has a gateway: that follows redirect-gateway, as
 * with OpenVPN's "route-gateway dhcp". RFC 2131, 2132, 3397, 3442. */
#include "helper/core/lease.h"
#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "helper/core/push-private.h"

void ovpn_dhcp_params_encode(const OvpnDhcpParams *p, OvpnWriter *w)
{
  size_t host = strnlen(p->host, sizeof p->host - 1);
  ovpn_write_bytes(w, p->mac, sizeof p->mac);
  ovpn_write_u8(w, (uint8_t)host);
  ovpn_write_bytes(w, p->host, host);
  ovpn_write_u8(w, p->id_len);
  ovpn_write_bytes(w, p->id, p->id_len);
}

bool ovpn_dhcp_params_decode(OvpnReader *r, OvpnDhcpParams *ret)
{
  OvpnDhcpParams p = {0};
  ovpn_read_copy(r, p.mac, sizeof p.mac);
  size_t host = ovpn_read_u8(r);
  if (host >= sizeof p.host)
    return false;
  ovpn_read_copy(r, p.host, host);
  p.id_len = ovpn_read_u8(r);
  if (p.id_len > sizeof p.id)
    return false;
  ovpn_read_copy(r, p.id, p.id_len);
  if (!r->ok || memchr(p.host, 0, host))
    return false;
  *ret = p;
  return true;
}

bool ovpn_lease_equal(const OvpnLease *a, const OvpnLease *b)
{
  if (a->address.s_addr != b->address.s_addr || a->prefix != b->prefix ||
      a->has_gateway != b->has_gateway || a->gateway.s_addr != b->gateway.s_addr ||
      a->n_routes != b->n_routes || a->n_dns != b->n_dns || a->n_wins != b->n_wins ||
      a->n_names != b->n_names || memcmp(a->dns, b->dns, a->n_dns * sizeof a->dns[0]) ||
      memcmp(a->wins, b->wins, a->n_wins * sizeof a->wins[0]))
    return false;
  for (size_t i = 0; i < a->n_routes; i++)
    if (a->routes[i].net.s_addr != b->routes[i].net.s_addr ||
        a->routes[i].gateway.s_addr != b->routes[i].gateway.s_addr ||
        a->routes[i].prefix != b->routes[i].prefix)
      return false;
  for (size_t i = 0; i < a->n_names; i++)
    if (strcmp(a->names[i], b->names[i]))
      return false;
  return true;
}

static bool add(OvpnOptionList *to, OvpnOptionId id, const char *a, const char *b, const char *c)
{
  return ovpn_option_list_add_text(to, ovpn_option_info(id)->directive, a, b, c) != NULL;
}

static const char *address_text(struct in_addr a, char buf[static INET_ADDRSTRLEN])
{
  return inet_ntop(AF_INET, &a, buf, INET_ADDRSTRLEN);
}

static const char *mask_text(unsigned prefix, char buf[static INET_ADDRSTRLEN])
{
  return address_text((struct in_addr){htonl(prefix ? UINT32_MAX << (32 - prefix) : 0)}, buf);
}

static bool add_addresses(OvpnOptionList *to, const char *kind, const struct in_addr *a, size_t n)
{
  char text[INET_ADDRSTRLEN];
  bool ok = true;
  for (size_t i = 0; ok && i < n; i++)
    ok = add(to, OVPN_OPT_DHCP_OPTION, kind, address_text(a[i], text), NULL);
  return ok;
}

bool ovpn_lease_to_options(const OvpnLease *l, OvpnOptionList *to)
{
  char a[INET_ADDRSTRLEN], b[INET_ADDRSTRLEN], c[INET_ADDRSTRLEN];
  bool ok = add(to, OVPN_OPT_IFCONFIG, address_text(l->address, a), mask_text(l->prefix, b), NULL);
  if (l->has_gateway)
    ok = ok && add(to, OVPN_OPT_ROUTE_GATEWAY, address_text(l->gateway, a), NULL, NULL);
  for (size_t i = 0; ok && i < l->n_routes; i++) {
    const OvpnLeaseRoute *r = &l->routes[i];
    ok = add(to, OVPN_OPT_ROUTE, address_text(r->net, a), mask_text(r->prefix, b),
             address_text(r->gateway, c));
  }
  ok = ok && add_addresses(to, "DNS", l->dns, l->n_dns) &&
       add_addresses(to, "WINS", l->wins, l->n_wins);
  for (size_t i = 0; ok && i < l->n_names; i++)
    ok = add(to, OVPN_OPT_DHCP_OPTION, i ? "DOMAIN-SEARCH" : "DOMAIN", l->names[i], NULL);
  return ok;
}

bool ovpn_lease_has_option(OvpnOptionId id)
{
  return id == OVPN_OPT_IFCONFIG || id == OVPN_OPT_ROUTE_GATEWAY || id == OVPN_OPT_ROUTE ||
         id == OVPN_OPT_DHCP_OPTION;
}

void ovpn_lease_encode(const OvpnOptionList *l, OvpnWriter *w)
{
  ovpn_write_u16(w, (uint16_t)l->n);
  for (size_t i = 0; i < l->n; i++)
    ovpn_option_encode(&l->items[i], w);
}

bool ovpn_lease_decode(OvpnReader *r, OvpnOptionList *to)
{
  unsigned n = ovpn_read_u16(r);
  bool ok = r->ok && n <= OVPN_LEASE_OPTIONS_MAX;
  for (unsigned i = 0; ok && i < n; i++)
    ok = ovpn_option_decode(r, to) == OVPN_OK && ovpn_lease_has_option(to->items[to->n - 1].id);
  return ok;
}

enum { SAYS_SERVERS = 1, SAYS_NAMES = 2, SAYS_GATEWAY = 4 };

static unsigned says_one(const OvpnOption *o)
{
  const char *kind = o->argc > 2 ? o->argv[1] : "";
  if (o->id == OVPN_OPT_DNS)
    return strcmp(kind, "search-domains") ? SAYS_SERVERS : SAYS_NAMES;
  if (o->id != OVPN_OPT_DHCP_OPTION)
    return 0;
  if (!strcmp(kind, "DNS") || !strcmp(kind, "DNS6"))
    return SAYS_SERVERS;
  return !strncmp(kind, "DOMAIN", 6) || !strncmp(kind, "ADAPTER_DOMAIN", 14) ? SAYS_NAMES : 0;
}

static unsigned says(const OvpnOptionList *l)
{
  unsigned all = 0;
  for (size_t i = 0; l && i < l->n; i++)
    all |= says_one(&l->items[i]);
  return all;
}

/* pull-filter; without an address there would be no tunnel to filter. */
static bool filtered(const OvpnOptionList *profile, const OvpnOption *o)
{
  const char *words;
  char *line = o->id == OVPN_OPT_IFCONFIG ? NULL : ovpn_option_format(o);
  bool out = line && ovpn_push_filter(profile, line, strlen(line), &words) != OVPN_PUSH_ACCEPT;
  free(line);
  return out;
}

static bool copy(OvpnOptionList *to, const OvpnOption *o)
{
  return ovpn_option_list_add(to, (const char *const *)o->argv, o->argc) != NULL;
}

bool ovpn_lease_merge(const OvpnOptionList *lease, const OvpnOptionList *profile,
                      const OvpnOptionList *pushed, OvpnOptionList *ret)
{
  unsigned said = says(profile) | says(pushed);
  /* the profile's own gateway is read before the push, and so before the lease */
  const OvpnOption *own = profile ? ovpn_option_list_last(profile, OVPN_OPT_ROUTE_GATEWAY) : NULL;
  if (own && own->argc > 1 && strcmp(own->argv[1], "dhcp"))
    said |= SAYS_GATEWAY;
  bool ok = true;
  for (size_t i = 0; ok && i < lease->n; i++) {
    const OvpnOption *o = &lease->items[i];
    bool left_out = (o->id == OVPN_OPT_ROUTE_GATEWAY && said & SAYS_GATEWAY) ||
                    says_one(o) & said || filtered(profile, o);
    ok = left_out || copy(ret, o);
  }
  for (size_t i = 0; ok && i < pushed->n; i++)
    ok = pushed->items[i].is_inline || copy(ret, &pushed->items[i]);
  if (!ok)
    ovpn_option_list_clear(ret);
  return ok;
}
