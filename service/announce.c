/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the server is told about this computer and about the ways of signing in that work now: as
 * `setenv` options behind those of the profile, because the engine can look nothing up.
 *
 * IV_SSO is said exactly when somebody can be asked, whatever the profile says. The hardware
 * address and the system's version identify a computer, so they go out with push-peer-info only.
 * spec/openvpn-protocol.md §8.4 */
#include "service/announce.h"
#include <glib.h>
#include <stdio.h>
#include <string.h>

static gboolean is_set(const OvpnOptionList *l, const char *name)
{
  for (size_t i = 0; i < l->n; i++)
    if (l->items[i].id == OVPN_OPT_SETENV && l->items[i].argc > 1 &&
        strcmp(l->items[i].argv[1], name) == 0)
      return TRUE;
  return FALSE;
}

static gboolean set(OvpnOptionList *l, const char *name, const char *value)
{
  const char *const words[] = {ovpn_option_info(OVPN_OPT_SETENV)->directive, name, value};
  return ovpn_option_list_add(l, words, G_N_ELEMENTS(words)) != NULL;
}

/* Interface of the best IPv4 default route in the form of /proc/net/route; NULL without one. */
char *nmovpn_announce_default_interface(const char *route_table)
{
  unsigned best = G_MAXUINT;
  char *ret = NULL;
  g_auto(GStrv) lines = g_strsplit(route_table, "\n", -1);
  for (guint i = 1; lines[0] && lines[i]; i++) {
    char name[32];
    unsigned destination, gateway, flags, metric, mask;
    if (sscanf(lines[i], "%31s %x %x %x %*s %*s %u %x", name, &destination, &gateway, &flags,
               &metric, &mask) != 6 ||
        destination != 0 || mask != 0 || !(flags & 1) || metric >= best)
      continue;
    best = metric;
    g_free(ret);
    ret = g_strdup(name);
  }
  return ret;
}

static char *hardware_address(void)
{
  g_autofree char *table = NULL, *address = NULL;
  if (!g_file_get_contents("/proc/net/route", &table, NULL, NULL))
    return NULL;
  g_autofree char *name = nmovpn_announce_default_interface(table);
  if (!name || strchr(name, '/'))
    return NULL;
  g_autofree char *path = g_strdup_printf("/sys/class/net/%s/address", name);
  if (!g_file_get_contents(path, &address, NULL, NULL))
    return NULL;
  g_strstrip(address);
  return strlen(address) == 17 ? g_steal_pointer(&address) : NULL;
}

static char *system_version(void)
{
  g_autofree char *id = g_get_os_info(G_OS_INFO_KEY_ID);
  g_autofree char *version = g_get_os_info(G_OS_INFO_KEY_VERSION_ID);
  char *ret = id ? g_strjoin(version ? "_" : "", id, version ? version : "", NULL) : NULL;
  if (ret)
    g_strdelimit(ret, " \t", '_');
  return ret;
}

gboolean nmovpn_announce(OvpnOptionList *options, gboolean push_peer_info, gboolean can_ask)
{
  gboolean ok = set(options, "IV_SSO", can_ask ? "webauth,openurl,crtext" : "");
  if (!push_peer_info)
    return ok;
  g_autofree char *address = is_set(options, "IV_HWADDR") ? NULL : hardware_address();
  g_autofree char *version = is_set(options, "IV_PLAT_VER") ? NULL : system_version();
  return ok && (!address || set(options, "IV_HWADDR", address)) &&
         (!version || set(options, "IV_PLAT_VER", version));
}
