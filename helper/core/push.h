/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a server pushes: PUSH_REPLY text -> filtered option list -> OvpnPushed. spec §13.2, §15.
 *
 * Used twice on the same data: by the engine on the server's text, by the service on the engine's
 * list (the service does not believe the engine). libc only; addresses by inet_pton. */
#pragma once
#include <netinet/in.h>
#include "config.h"
#include "nat.h"
#include "options.h"

enum {
  OVPN_ROUTES_MAX = 20000,
  OVPN_DNS_SERVERS_MAX = 32,
  OVPN_DNS_ADDRS_MAX = 8,
  OVPN_NAMES_MAX = 256
};

typedef struct OvpnRoute4 {
  struct in_addr net;
  uint8_t prefix;
  bool via_net_gateway; /* wants the pre-VPN gateway */
  bool has_gateway;
  struct in_addr gateway; /* explicit, or resolved vpn_gateway */
  uint32_t metric;
  bool has_metric;
} OvpnRoute4;
typedef struct OvpnRoute6 {
  struct in6_addr net;
  uint8_t prefix;
  bool via_net_gateway;
  bool has_gateway;
  struct in6_addr gateway;
  uint32_t metric;
  bool has_metric;
} OvpnRoute6;
typedef struct OvpnDnsAddr {
  int family;
  union {
    struct in_addr v4;
    struct in6_addr v6;
  };
  uint16_t port; /* 0 = default */
} OvpnDnsAddr;
typedef struct OvpnDnsServer {
  int priority; /* -128..127, lower first */
  OvpnDnsAddr addrs[OVPN_DNS_ADDRS_MAX];
  size_t n_addrs;
  OvpnStrv resolve_domains; /* empty = everything */
  char *sni;
  int transport; /* 0 plain, 1 DoT, 2 DoH */
  int dnssec;    /* -1 unset, 0 no, 1 optional, 2 yes */
} OvpnDnsServer;

enum {
  OVPN_REDIRECT_ON = 1,
  OVPN_REDIRECT_IPV4 = 2,
  OVPN_REDIRECT_IPV6 = 4,
  OVPN_REDIRECT_BLOCK_LOCAL = 8,
  OVPN_REDIRECT_LOCAL = 16
};

enum {
  OVPN_DHCP_PROXY = 1,   /* PROXY_HTTP, PROXY_HTTPS, PROXY_SOCKS, PROXY_BYPASS */
  OVPN_DHCP_NTP = 2,     /* NTP */
  OVPN_DHCP_NETBIOS = 4, /* NBDD, NBT, NBS, DISABLE-NBT */
  OVPN_DHCP_OTHER = 8    /* anything else */
};

typedef struct OvpnPushed {
  /* addresses */
  bool has_v4;
  struct in_addr addr4;
  uint8_t prefix4;
  bool has_peer4;
  struct in_addr peer4; /* p2p, net30 */
  bool has_v6;
  struct in6_addr addr6;
  uint8_t prefix6;
  bool has_peer6;
  struct in6_addr peer6;
  OvpnTopology topology;
  bool has_gateway4;
  struct in_addr gateway4; /* vpn_gateway after §15.3 */
  bool gateway_dhcp;       /* route-gateway dhcp */
  uint32_t mtu;            /* 0 = not pushed */
  OvpnRoute4 *routes4;
  size_t n_routes4;
  OvpnRoute6 *routes6;
  size_t n_routes6;
  unsigned redirect; /* OVPN_REDIRECT_x; ON alone never: IPV4/IPV6 say what */
  bool block_ipv6;
  bool block_ipv4; /* matters only without an IPv4 address */
  OvpnDnsServer *dns;
  size_t n_dns; /* sorted; dhcp-option DNS becomes one server of priority 0 if no dns option */
  OvpnStrv search_domains;  /* dns search-domains, DOMAIN, DOMAIN-SEARCH */
  OvpnStrv routing_domains; /* DOMAIN-ROUTE */
  struct in_addr *wins;
  size_t n_wins;
  char *pac_url;        /* dhcp-option PROXY_AUTO_CONFIG_URL: http or https; NULL = none */
  unsigned dhcp_unused; /* OVPN_DHCP_x: kinds of dhcp-option that are taken note of only */
  /* protocol */
  bool has_peer_id;
  uint32_t peer_id;
  char *cipher; /* NULL = not pushed */
  bool tls_ekm, cc_exit, dyn_tls_crypt, aead_epoch;
  bool compress_set;
  OvpnCompress compress;
  bool comp_plain, comp_adaptive, comp_noadapt; /* as in OvpnConfig */
  int ping, ping_restart, ping_exit, inactive, session_timeout,
      explicit_exit_notify; /* -1 = not pushed */
  uint64_t inactive_bytes;
  unsigned shaper; /* 0 = not pushed */
  OvpnNatRule nat[OVPN_NAT_MAX];
  size_t n_nat;
  OvpnBlob auth_token, auth_token_user; /* user already base64-decoded */
} OvpnPushed;

void ovpn_pushed_init(OvpnPushed *p);
void ovpn_pushed_clear(OvpnPushed *p);

/* Splits one PUSH_REPLY message (text after "PUSH_REPLY", i.e. "" or ",a,b,c") and appends the
 * options a client takes (PUSHABLE, pull-filter and route-nopull of the config obeyed) to *l; the
 * others are counted in *ret_ignored. *ret_more: push-continuation 2. FAIL_PUSH only for reject
 * filters and for a broken quote. `profile` supplies pull-filter lines (may be NULL). */
OvpnStatus ovpn_push_parse(const char *text, const OvpnConfig *c, const OvpnOptionList *profile,
                           OvpnOptionList *l, bool *ret_more, unsigned *ret_ignored,
                           OvpnFailure *f);

/* Changes a list by one PUSH_UPDATE message (text after "PUSH_UPDATE"), spec §13.3. *replaced: 0
 * before the first message of a sequence; what has been replaced in it. FAIL_PUSH names what cannot
 * be changed while the session runs, or a reject filter; the list is not to be used then. */
OvpnStatus ovpn_push_update(const char *text, const OvpnConfig *c, const OvpnOptionList *profile,
                            OvpnOptionList *l, unsigned *replaced, bool *ret_more,
                            unsigned *ret_ignored, OvpnFailure *f);

/* Interprets a complete list, after the profile's own (ifconfig, route, route-ipv6,
 * redirect-gateway, dns, dhcp-option, topology of `profile`, as OpenVPN merges them). Bad values of
 * an option: that option is skipped as OpenVPN does, except what makes the tunnel unusable
 * (ifconfig, cipher, unknown protocol-flags word): FAIL_PUSH naming it. `remote` is the server's
 * address for remote_host, may be NULL. */
OvpnStatus ovpn_pushed_from_options(OvpnPushed *p, const OvpnConfig *c,
                                    const OvpnOptionList *profile, const OvpnOptionList *pushed,
                                    const struct sockaddr *remote, OvpnFailure *f);
