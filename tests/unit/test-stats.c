/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Counters in words. */
#include "service/stats.h"
#include "tests/unit/check.h"

static void test_text(void)
{
  OvpnStats s = {0};
  g_autofree char *none = nmovpn_stats_text(&s);
  CHECK(strstr(none, "received 0 bytes in 0 packets"));
  CHECK(!strstr(none, "dropped") && !strstr(none, "nan") && !strstr(none, "network"));
  s = (OvpnStats){.tun_tx_bytes = 2500000,
                  .tun_tx_packets = 2000,
                  .tun_tx_calls = 100,
                  .link_rx_packets = 30,
                  .link_rx_calls = 10,
                  .link_tx_packets = 5,
                  .link_tx_calls = 5,
                  .drops_replay = 3,
                  .drops_link = 1,
                  .fallbacks = 1};
  g_autofree char *some = nmovpn_stats_text(&s);
  CHECK(strstr(some, "MB in 2000 packets") && strstr(some, "20.0 written"));
  CHECK(strstr(some, "3.0 received from the network, 1.0 sent"));
  CHECK(strstr(some, "\ndropped: 3 received twice or much too late, 1 refused by the network"));
  CHECK(strstr(some, "1 fallbacks"));
}

/* A reason that is added to the structure gets words too. */
static void test_every_reason(void)
{
  OvpnStats s = {0}, zero = {0};
  uint64_t *field = (uint64_t *)&s;
  unsigned drops = 0;
  for (unsigned i = 0; i < OVPN_STATS_FIELDS; i++) {
    field[i] = 7;
    g_autofree char *text = nmovpn_stats_text(&s);
    drops += strstr(text, "dropped: 7 ") != NULL;
    s = zero;
  }
  CHECK_INT(drops, 12);
}

static void test_fallback(void)
{
  static const char *const words[] = {"udp-segment", "udp-gro", "vnet-hdr", "tso", "uso", "merge"};
  for (unsigned i = 0; i < sizeof words / sizeof words[0]; i++)
    CHECK(nmovpn_stats_fallback(words[i]));
  CHECK(!nmovpn_stats_fallback("no such word"));
}

int main(void)
{
  test_text();
  test_every_reason();
  test_fallback();
  TEST_END();
}
