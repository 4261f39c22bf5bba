/* SPDX-License-Identifier: GPL-2.0-or-later */
/* PUSH_REPLY against a profile. The input: a byte of settings (1 route-nopull, 2 tap, 4 subnet, 8
 * remote is IPv6), the profile's text up to a NUL, the pushed text up to a NUL, then an update of
 * it. What is checked: the
 * bounds and the promises of push.h. */
#include "helper/core/conf.h"
#include "helper/core/push.h"
#include <arpa/inet.h>
#include <assert.h>
#include <stdlib.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_names(const OvpnStrv *s)
{
  assert(s->n <= OVPN_NAMES_MAX);
  for (size_t i = 0; i < s->n; i++) {
    size_t len = strlen(s->v[i]);
    assert(len && len <= 253 && s->v[i][0] != '-' && !strpbrk(s->v[i], " \t\n\"'$`;|&<>\\/"));
  }
}

static void check_routes(const OvpnPushed *p)
{
  assert(p->n_routes4 <= OVPN_ROUTES_MAX && p->n_routes6 <= OVPN_ROUTES_MAX);
  for (size_t i = 0; i < p->n_routes4; i++) {
    const OvpnRoute4 *r = &p->routes4[i];
    assert(r->prefix <= 32 && !(r->has_gateway && r->via_net_gateway));
    assert(r->prefix == 32 || !(ntohl(r->net.s_addr) & (UINT32_MAX >> r->prefix)));
  }
  for (size_t i = 0; i < p->n_routes6; i++) {
    const OvpnRoute6 *r = &p->routes6[i];
    assert(r->prefix <= 128 && !(r->has_gateway && r->via_net_gateway));
  }
}

static void check(const OvpnPushed *p)
{
  check_routes(p);
  assert(p->prefix4 <= 32 && p->prefix6 <= 128);
  assert(!p->has_v4 || p->prefix4 > 0);
  assert(!p->has_v6 || p->prefix6 > 0);
  assert(p->mtu == 0 || (p->mtu >= 100 && p->mtu <= 65535));
  assert(p->peer_id <= 0xffffff);
  assert(!!(p->redirect & OVPN_REDIRECT_ON) ==
         !!(p->redirect & (OVPN_REDIRECT_IPV4 | OVPN_REDIRECT_IPV6)));
  assert(p->n_dns <= OVPN_DNS_SERVERS_MAX);
  for (size_t i = 0; i < p->n_dns; i++) {
    const OvpnDnsServer *s = &p->dns[i];
    assert(s->n_addrs && s->n_addrs <= OVPN_DNS_ADDRS_MAX);
    assert(s->priority >= -128 && s->priority <= 127);
    assert(!i || p->dns[i - 1].priority < s->priority);
    check_names(&s->resolve_domains);
  }
  check_names(&p->search_domains);
  check_names(&p->routing_domains);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
  if (!size)
    return 0;
  uint8_t settings = data[0];
  char *text = malloc(size + 1);
  assert(text);
  memcpy(text, data + 1, size - 1);
  text[size - 1] = text[size] = 0;
  char *push = text + strlen(text) + 1;
  if (push > text + size)
    push = text + size;

  char *update = push + strlen(push) + 1;
  if (update > text + size)
    update = text + size;

  OvpnConfig c;
  ovpn_config_init(&c);
  c.route_nopull = settings & 1;
  c.tap = settings & 2;
  c.topology_set = settings & 4;
  c.topology = OVPN_TOPOLOGY_SUBNET;
  struct sockaddr_in v4 = {.sin_family = AF_INET, .sin_addr = {htonl(0xc0000201)}};
  struct sockaddr_in6 v6 = {.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT};
  const struct sockaddr *remote =
      settings & 8 ? (const struct sockaddr *)&v6 : (const struct sockaddr *)&v4;

  OvpnOptionList profile = {0}, l = {0};
  OvpnConfError error;
  OvpnFailure f = {0};
  OvpnPushed p;
  bool more;
  unsigned ignored;
  ovpn_pushed_init(&p);
  (void)ovpn_conf_parse(text, strlen(text), &profile, &error);
  if (ovpn_push_parse(push, &c, &profile, &l, &more, &ignored, &f) == OVPN_OK &&
      ovpn_pushed_from_options(&p, &c, &profile, &l, remote, &f) == OVPN_OK)
    check(&p);
  unsigned replaced = settings >> 4;
  if (ovpn_push_update(update, &c, &profile, &l, &replaced, &more, &ignored, &f) == OVPN_OK &&
      ovpn_pushed_from_options(&p, &c, &profile, &l, remote, &f) == OVPN_OK)
    check(&p);
  for (size_t i = 0; i < l.n; i++)
    assert(ovpn_option_info(l.items[i].id)->flags & OVPN_OPTF_PUSHABLE);
  ovpn_pushed_clear(&p);
  ovpn_option_list_clear(&l);
  ovpn_option_list_clear(&profile);
  ovpn_config_clear(&c);
  free(text);
  return 0;
}
