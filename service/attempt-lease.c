/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A TAP whose server gives no address: from the connection's settings, or by DHCP.
 *
 * The engine speaks DHCP (helper/core/dhcp.h); what it was given comes as options, which are
 * interpreted like pushed ones, because the engine is not believed. NetworkManager (1.42 to 1.58)
 * runs no DHCP client on the device of a VPN and wants the addresses before the connection is up.
 *
 * A TAP has another MAC every time, and DHCP servers know their clients by it. So it is set: to
 * lladdr, and where DHCP is needed else to one that stays the same. The kernel lets the holder of
 * a TAP's descriptor do that, before udev could make up another one. */
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

/* "02:00:5e:10:00:01" as the profile or the server has it; FALSE: not there, or no address of one
 * device. */
static gboolean wanted_mac(const OvpnOptionList *list, guint8 mac[6])
{
  const OvpnOption *o = ovpn_option_list_last(list, OVPN_OPT_LLADDR);
  if (!o || o->argc != 2)
    return FALSE;
  gboolean ok = nm_utils_hwaddr_aton(o->argv[1], mac, 6) != NULL && !(mac[0] & 1) &&
                (mac[0] | mac[1] | mac[2] | mac[3] | mac[4] | mac[5]);
  if (!ok) {
    g_autofree char *safe = nmovpn_log_escape(o->argv[1]);
    nmovpn_log(LOG_WARNING, "%s: “%s” cannot be the address of the device",
               ovpn_option_info(OVPN_OPT_LLADDR)->directive, safe);
  }
  return ok;
}

/* What tells this computer from others. Not all have a machine-id (without systemd, in containers).
 */
static char *computer(void)
{
  static const char *const files[] = {"/etc/machine-id", "/var/lib/dbus/machine-id"};
  for (gsize i = 0; i < G_N_ELEMENTS(files); i++) {
    char *id = NULL;
    if (g_file_get_contents(files[i], &id, NULL, NULL) && strlen(g_strchomp(id)) >= 32)
      return id;
    g_free(id);
  }
  return g_strdup(g_get_host_name());
}

/* The same every time, on this computer and for this connection; neither can be found out from it.
 */
static gboolean own_mac(const NmOvpnAttempt *a, guint8 mac[6])
{
  g_autofree char *machine = computer();
  g_autoptr(GChecksum) sum = g_checksum_new(G_CHECKSUM_SHA256);
  const char *uuid = nm_connection_get_uuid(a->connection);
  guint8 digest[32];
  gsize len = sizeof(digest);
  if (!uuid)
    return FALSE;
  g_checksum_update(sum, (const guchar *)"nm-ovpn MAC", -1);
  g_checksum_update(sum, (const guchar *)machine, -1);
  g_checksum_update(sum, (const guchar *)uuid, -1);
  g_checksum_get_digest(sum, digest, &len);
  memcpy(mac, digest, 6);
  mac[0] = (guint8)((mac[0] & ~1u) | 2); /* one device's, of nobody's making */
  return TRUE;
}

static gboolean lacks_address(const NmOvpnAttempt *a)
{
  const OvpnPushed *p = &a->pushed;
  return a->config.tap && !p->has_v4 && (!p->has_v6 || p->gateway_dhcp);
}

void nmovpn_attempt_set_mac(NmOvpnAttempt *a, const OvpnOptionList *profile,
                            const OvpnOptionList *pushed)
{
  struct ifreq r = {.ifr_hwaddr.sa_family = ARPHRD_ETHER};
  guint8 mac[6];
  if (!a->config.tap || !(wanted_mac(pushed, mac) || wanted_mac(profile, mac) ||
                          (lacks_address(a) && own_mac(a, mac))))
    return;
  memcpy(r.ifr_hwaddr.sa_data, mac, sizeof(mac));
  if (ioctl(a->tun.fd, SIOCSIFHWADDR, &r) < 0)
    nmovpn_log(LOG_WARNING, "the MAC of %s stays as it is: %s", a->tun.ifname, g_strerror(errno));
}

static gboolean ask_engine(NmOvpnAttempt *a, OvpnFailure *f)
{
  struct ifreq r = {0};
  OvpnDhcpParams p = {.id_len = 1 + 6, .id = {ARPHRD_ETHER}};
  g_autoptr(GError) error = NULL;
  if (ioctl(a->tun.fd, SIOCGIFHWADDR, &r) < 0) {
    ovpn_failure_set(f, OVPN_FAIL_INTERNAL, "SIOCGIFHWADDR: %s", g_strerror(errno));
    return FALSE;
  }
  memcpy(p.mac, r.ifr_hwaddr.sa_data, sizeof(p.mac));
  memcpy(p.id + 1, p.mac, sizeof(p.mac));
  add_host_name(a, &p);
  if (nmovpn_engine_send_dhcp(a->engine, &p, &error))
    return TRUE;
  ovpn_failure_set(f, OVPN_FAIL_INTERNAL, "%s", error->message);
  return FALSE;
}

gboolean nmovpn_attempt_seek_lease(NmOvpnAttempt *a, const OvpnOptionList *profile,
                                   const OvpnOptionList *pushed, OvpnFailure *f)
{
  if (!lacks_address(a)) {
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
