/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A TAP whose server gives no address: from the connection's settings, or by DHCP.
 *
 * The engine speaks DHCP (helper/core/dhcp.h); what it was given comes as options, which are
 * interpreted like pushed ones, because the engine is not believed. NetworkManager (1.42 to 1.58)
 * runs no DHCP client on the device of a VPN and wants the addresses before the connection is up.
 *
 * The client identifier is made from machine-id and the connection's UUID, so that the address
 * stays the same although a TAP has another MAC every time; neither can be found out from it. */
#include <NetworkManager.h>
#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>

#include "helper/core/lease.h"
#include "service/attempt-private.h"
#include "service/log.h"

void nmovpn_attempt_forget_lease(NmOvpnAttempt *a)
{
  ovpn_option_list_clear(&a->lease);
  ovpn_option_list_clear(&a->lease_profile);
  ovpn_option_list_clear(&a->lease_pushed);
  a->lease_wanted = FALSE;
}

static gboolean copy_list(OvpnOptionList *to, const OvpnOptionList *from)
{
  ovpn_option_list_clear(to);
  for (gsize i = 0; i < from->n; i++)
    if (!from->items[i].is_inline &&
        !ovpn_option_list_add(to, (const char *const *)from->items[i].argv, from->items[i].argc))
      return FALSE;
  return TRUE;
}

/* a->pushed anew, with the lease. */
static gboolean apply_lease(NmOvpnAttempt *a, OvpnFailure *f)
{
  ovpn_auto_option_list all = {0};
  if (!ovpn_lease_merge(&a->lease, &a->lease_profile, &a->lease_pushed, &all)) {
    ovpn_failure_set(f, OVPN_FAIL_MEMORY, "%s", "");
    return FALSE;
  }
  return ovpn_pushed_from_options(&a->pushed, &a->config, &a->lease_profile, &all,
                                  (const struct sockaddr *)&a->place.server, f) == OVPN_OK;
}

/* ipv4.method=manual: these addresses are the tunnel's; the first of them is told like one of the
 * server's, the others are added by NetworkManager. */
static gboolean lease_of_settings(NmOvpnAttempt *a)
{
  NMSettingIPConfig *ip4 = nm_connection_get_setting_ip4_config(a->connection);
  const char *method = ip4 ? nm_setting_ip_config_get_method(ip4) : NULL;
  if (g_strcmp0(method, NM_SETTING_IP4_CONFIG_METHOD_MANUAL) != 0 ||
      nm_setting_ip_config_get_num_addresses(ip4) == 0)
    return FALSE;
  NMIPAddress *first = nm_setting_ip_config_get_address(ip4, 0);
  const char *gateway = nm_setting_ip_config_get_gateway(ip4);
  OvpnLease l = {.prefix = (uint8_t)nm_ip_address_get_prefix(first)};
  nm_ip_address_get_address_binary(first, &l.address);
  l.has_gateway = gateway && inet_pton(AF_INET, gateway, &l.gateway) == 1;
  ovpn_option_list_clear(&a->lease);
  return l.prefix > 0 && ovpn_lease_to_options(&l, &a->lease);
}

static void make_identifier(const NmOvpnAttempt *a, OvpnDhcpParams *p)
{
  g_autofree char *machine = NULL;
  g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
  const char *uuid = nm_connection_get_uuid(a->connection);
  guint8 digest[32];
  gsize len = sizeof(digest);
  if (!uuid || !g_file_get_contents("/etc/machine-id", &machine, NULL, NULL) ||
      strlen(machine) < 32) {
    p->id[0] = ARPHRD_ETHER;
    memcpy(p->id + 1, p->mac, sizeof(p->mac));
    p->id_len = 1 + sizeof(p->mac);
    return;
  }
  g_checksum_update(sum, (const guchar *)"nm-ovpn dhcp", -1);
  g_checksum_update(sum, (const guchar *)g_strchomp(machine), -1);
  g_checksum_update(sum, (const guchar *)uuid, -1);
  g_checksum_get_digest(sum, digest, &len);
  /* RFC 4361: 255, four bytes for the interface, a DUID of type 4 (RFC 6355) */
  p->id[0] = 255;
  memcpy(p->id + 1, digest, 4);
  p->id[6] = 4;
  memcpy(p->id + 7, digest + 4, 16);
  p->id_len = 23;
}

/* Only told where the profile lets other things of this computer be told. */
static void add_host_name(const NmOvpnAttempt *a, OvpnDhcpParams *p)
{
  const char *name = g_get_host_name();
  gsize n = strcspn(name, ".");
  if (!a->config.push_peer_info || n == 0 || n >= sizeof(p->host) ||
      g_str_has_prefix(name, "localhost"))
    return;
  for (gsize i = 0; i < n; i++)
    if (!g_ascii_isalnum(name[i]) && name[i] != '-')
      return;
  memcpy(p->host, name, n);
}

static gboolean ask_engine(NmOvpnAttempt *a, OvpnFailure *f)
{
  struct ifreq r = {0};
  OvpnDhcpParams p = {0};
  g_autoptr(GError) error = NULL;
  if (ioctl(a->tun.fd, SIOCGIFHWADDR, &r) < 0) {
    ovpn_failure_set(f, OVPN_FAIL_INTERNAL, "SIOCGIFHWADDR: %s", g_strerror(errno));
    return FALSE;
  }
  memcpy(p.mac, r.ifr_hwaddr.sa_data, sizeof(p.mac));
  make_identifier(a, &p);
  add_host_name(a, &p);
  if (nmovpn_engine_send_dhcp(a->engine, &p, &error))
    return TRUE;
  ovpn_failure_set(f, OVPN_FAIL_INTERNAL, "%s", error->message);
  return FALSE;
}

gboolean nmovpn_attempt_seek_lease(NmOvpnAttempt *a, const OvpnOptionList *profile,
                                   const OvpnOptionList *pushed, OvpnFailure *f)
{
  const OvpnPushed *p = &a->pushed;
  gboolean wanted = a->config.tap && !p->has_v4 && (!p->has_v6 || p->gateway_dhcp);
  if (!wanted) {
    nmovpn_attempt_forget_lease(a);
    return TRUE;
  }
  if (!copy_list(&a->lease_profile, profile) || !copy_list(&a->lease_pushed, pushed)) {
    ovpn_failure_set(f, OVPN_FAIL_MEMORY, "%s", "");
    return FALSE;
  }
  a->lease_wanted = !lease_of_settings(a);
  if (!a->lease_wanted)
    return apply_lease(a, f);
  nmovpn_log(LOG_INFO, "the server gave no address: asking the DHCP server of its network");
  return ask_engine(a, f);
}

void nmovpn_attempt_leased(NmOvpnEngine *e, const OvpnOptionList *lease, gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  OvpnFailure f = {0};
  gboolean up = a->state == NMOVPN_ATTEMPT_UP;
  if ((!up && a->state != NMOVPN_ATTEMPT_CONFIGURING) || !a->lease_wanted)
    return;
  if (!copy_list(&a->lease, lease))
    ovpn_failure_set(&f, OVPN_FAIL_MEMORY, "%s", "");
  if (f.status != OVPN_OK || !apply_lease(a, &f))
    nmovpn_attempt_fail(a, &f);
  else if (up)
    nmovpn_attempt_report(a);
}
