/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What push.c, push-apply.c, push-dns.c, push-update.c and lease.c share. Nobody else includes
 * this. */
#pragma once
#include "push.h"

/* May a server say this? (whitelist, route-nopull) */
bool ovpn_push_is_taken(OvpnOptionId id, const OvpnConfig *c);

/* The first item of a comma separated list, a view into *text, which moves behind it. Length 0: an
 * empty item, or the end. FAIL_PUSH: its quote never ends. */
OvpnStatus ovpn_push_next(const char **text, const char **ret_item, size_t *ret_len,
                          OvpnFailure *f);

/* pull-filter on one item; *ret_text: the words of the filter that spoke. */
typedef enum OvpnPushVerdict {
  OVPN_PUSH_ACCEPT,
  OVPN_PUSH_IGNORE,
  OVPN_PUSH_REJECT
} OvpnPushVerdict;
OvpnPushVerdict ovpn_push_filter(const OvpnOptionList *profile, const char *item, size_t len,
                                 const char **ret_text);
void ovpn_push_drop_last(OvpnOptionList *l);

/* Collects dns and dhcp-option items, then hands them to an OvpnPushed. */
typedef struct OvpnDnsReader {
  OvpnDnsServer servers[OVPN_DNS_SERVERS_MAX];
  bool from_profile[OVPN_DNS_SERVERS_MAX];
  bool unusable[OVPN_DNS_SERVERS_MAX]; /* wanted for some domains, none of which is a name */
  size_t n;
  OvpnDnsAddr dhcp[OVPN_DNS_ADDRS_MAX]; /* dhcp-option DNS, DNS6 */
  size_t n_dhcp;
  OvpnStrv dns_search, dhcp_search; /* of dns; of dhcp-option */
  OvpnStrv routing;
  struct in_addr wins[OVPN_DNS_ADDRS_MAX];
  size_t n_wins;
  char *pac_url;
  unsigned unused; /* OVPN_DHCP_x */
} OvpnDnsReader;

void ovpn_dns_reader_clear(OvpnDnsReader *d);
/* A bad item changes nothing (OVPN_OK); only a lack of memory fails. */
OvpnStatus ovpn_dns_take(OvpnDnsReader *d, const OvpnOption *o, bool from_profile);
OvpnStatus ovpn_dhcp_take(OvpnDnsReader *d, const OvpnOption *o);
/* Moves the result into *p: servers sorted by priority, dhcp-option used only without any dns
 * server. */
OvpnStatus ovpn_dns_finish(OvpnDnsReader *d, OvpnPushed *p);

void ovpn_strv_clear_(OvpnStrv *s);
bool ovpn_push_number(const char *s, int64_t min, int64_t max, int64_t *ret);
