/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine's counters and fallbacks in words.
 *
 * Trust: the numbers come from the engine and are only printed; no division by one of them without
 * a look. Log lines are not translated, like the others of the log. spec dataplane §3. */
#include "service/stats.h"
#include <string.h>

static double ratio(uint64_t packets, uint64_t calls)
{
  return calls ? (double)packets / (double)calls : 0;
}

static void add_drops(GString *out, const OvpnStats *s)
{
  const struct {
    uint64_t n;
    const char *reason;
  } drops[] = {
      {s->drops_auth, "received with a wrong authentication tag"},
      {s->drops_replay, "received twice or much too late"},
      {s->drops_key, "received for a key that is not (or no longer) there"},
      {s->drops_format, "not well-formed"},
      {s->drops_down, "while the tunnel was not ready"},
      {s->drops_back, "to the VPN server itself, which must stay outside the tunnel"},
      {s->drops_ipv6, "IPv6 or IPv4, which the tunnel does not carry (the sender was told)"},
      {s->drops_queue, "because the connection to the server was slower than what was sent"},
      {s->drops_room, "too large for the buffers"},
      {s->drops_tun, "refused by the tunnel device"},
      {s->drops_link, "refused by the network"},
      {s->drops_other, "for other reasons"},
  };
  const char *sep = "\ndropped: ";
  for (gsize i = 0; i < G_N_ELEMENTS(drops); i++)
    if (drops[i].n) {
      g_string_append_printf(out, "%s%" G_GUINT64_FORMAT " %s", sep, drops[i].n, drops[i].reason);
      sep = ", ";
    }
}

char *nmovpn_stats_text(const OvpnStats *s)
{
  GString *out = g_string_new(NULL);
  g_autofree char *in = g_format_size(s->tun_tx_bytes), *sent = g_format_size(s->tun_rx_bytes);
  g_string_append_printf(
      out, "received %s in %" G_GUINT64_FORMAT " packets, sent %s in %" G_GUINT64_FORMAT " packets",
      in, s->tun_tx_packets, sent, s->tun_rx_packets);
  g_string_append_printf(out,
                         "\npackets per system call or message: %.1f read from the device, %.1f "
                         "written to it",
                         ratio(s->tun_rx_packets, s->tun_rx_calls),
                         ratio(s->tun_tx_packets, s->tun_tx_calls));
  if (s->link_rx_calls && s->link_tx_calls)
    g_string_append_printf(out, ", %.1f received from the network, %.1f sent",
                           ratio(s->link_rx_packets, s->link_rx_calls),
                           ratio(s->link_tx_packets, s->link_tx_calls));
  g_string_append_printf(
      out, "; %" G_GUINT64_FORMAT " wake-ups, %" G_GUINT64_FORMAT " fallbacks while running",
      s->wakeups, s->fallbacks);
  add_drops(out, s);
  return g_string_free(out, FALSE);
}

const char *nmovpn_stats_fallback(const char *word)
{
  static const struct {
    const char *word, *sentence;
  } all[] = {
      {"udp-segment", "packets are sent one by one: the kernel or the network device does not "
                      "segment UDP (UDP_SEGMENT)"},
      {"udp-gro", "packets are received one by one: the kernel does not join UDP (UDP_GRO)"},
      {"vnet-hdr", "the tunnel device takes and gives single packets only (no IFF_VNET_HDR)"},
      {"tso", "the tunnel device takes and gives single TCP packets only (no TUN_F_TSO)"},
      {"uso", "the tunnel device takes and gives single UDP packets only (no TUN_F_USO)"},
      {"merge", "the tunnel device refused joined packets; it gets single ones"},
  };
  for (gsize i = 0; i < G_N_ELEMENTS(all); i++)
    if (strcmp(word, all[i].word) == 0)
      return all[i].sentence;
  return NULL;
}
