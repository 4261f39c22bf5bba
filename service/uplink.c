/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A tunnel that takes all traffic is kept while its server is looked for elsewhere. NetworkManager
 * keeps the way open only to the address that was in use, so packets to another one would go around
 * in the tunnel. Their sockets are bound to the device that the best route but the tunnel's names.
 *
 * Trusts the kernel's tables; a line that does not fit is left out. DESIGN.md §6. */
#include "service/uplink.h"
#include <stdio.h>
#include <string.h>
#include "helper/core/address.h"

typedef struct Route {
  guint8 net[16];
  guint bits;
  guint metric;
  char device[16];
} Route;

enum { UP = 1, REJECT = 0x200 };

/* "Iface Destination Gateway Flags RefCnt Use Metric Mask ...", hexadecimal in host order. */
static gboolean parse4(const char *line, Route *ret)
{
  guint32 net, mask;
  guint flags;
  if (sscanf(line, "%15s %x %*x %x %*u %*u %u %x", ret->device, &net, &flags, &ret->metric,
             &mask) != 5 ||
      !(flags & UP) || flags & REJECT)
    return FALSE;
  memcpy(ret->net, &net, sizeof net);
  ret->bits = (guint)__builtin_popcount(mask);
  return TRUE;
}

/* "destination bits source bits gateway metric refcnt use flags device", hexadecimal. */
static gboolean parse6(const char *line, Route *ret)
{
  char net[33];
  guint flags;
  if (sscanf(line, "%32s %x %*32s %*x %*32s %x %*x %*x %x %15s", net, &ret->bits, &ret->metric,
             &flags, ret->device) != 5 ||
      strlen(net) != 32 || ret->bits > 128 || !(flags & UP) || flags & REJECT)
    return FALSE;
  for (guint i = 0; i < 16; i++) {
    int high = g_ascii_xdigit_value(net[2 * i]), low = g_ascii_xdigit_value(net[2 * i + 1]);
    if (high < 0 || low < 0)
      return FALSE;
    ret->net[i] = (guint8)(high << 4 | low);
  }
  return TRUE;
}

static gboolean better(const Route *a, const Route *b)
{
  return !b->device[0] || a->bits > b->bits || (a->bits == b->bits && a->metric < b->metric);
}

char *nmovpn_uplink_from_text(const char *text, const char *tunnel,
                              const struct sockaddr_storage *server)
{
  gboolean six = server->ss_family == AF_INET6;
  gsize len;
  const guint8 *to = ovpn_address_bytes(server, &len);
  g_auto(GStrv) lines = g_strsplit(text, "\n", -1);
  Route all = {0}, past = {0};
  for (char **l = lines; *l; l++) {
    Route r = {0};
    if (!to || !(six ? parse6(*l, &r) : parse4(*l, &r)) || !ovpn_prefix_covers(r.net, r.bits, to) ||
        strcmp(r.device, "lo") == 0)
      continue;
    if (better(&r, &all))
      all = r;
    if (strcmp(r.device, tunnel) != 0 && better(&r, &past))
      past = r;
  }
  return strcmp(all.device, tunnel) == 0 && past.device[0] ? g_strdup(past.device) : NULL;
}

char *nmovpn_uplink_past(const char *tunnel, const struct sockaddr_storage *server)
{
  g_autofree char *text = NULL;
  const char *path = server->ss_family == AF_INET6 ? "/proc/net/ipv6_route" : "/proc/net/route";
  if (!g_file_get_contents(path, &text, NULL, NULL))
    return NULL;
  return nmovpn_uplink_from_text(text, tunnel, server);
}
