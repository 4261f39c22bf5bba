/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the server is told about this computer. */
#include "service/announce.h"
#include <string.h>
#include "helper/core/config.h"
#include "tests/unit/check.h"

static void test_interface(void)
{
  static const char head[] = "Iface\tDestination\tGateway\tFlags\tRefCnt\tUse\tMetric\tMask\tMTU\n";
  static const struct {
    const char *rows, *name;
  } t[] = {
      {"", NULL},
      {"eth0\t00000000\t0100A8C0\t0003\t0\t0\t100\t00000000\t0\t0\t0\n"
       "wlan0\t00000000\t0100A8C0\t0003\t0\t0\t50\t00000000\t0\t0\t0\n"
       "eth1\t0000A8C0\t00000000\t0001\t0\t0\t1\t00FFFFFF\t0\t0\t0\n",
       "wlan0"},
      {"eth0\t00000000\t0100A8C0\t0002\t0\t0\t100\t00000000\t0\t0\t0\n", NULL}, /* not up */
      {"rubbish\n\n", NULL},
  };
  for (size_t i = 0; i < G_N_ELEMENTS(t); i++) {
    g_autofree char *text = g_strconcat(head, t[i].rows, NULL);
    g_autofree char *name = nmovpn_announce_default_interface(text);
    CHECK(g_strcmp0(name, t[i].name) == 0);
  }
}

static gboolean has(const OvpnOptionList *l, const char *start)
{
  OvpnConfig c;
  OvpnFailure f = {0};
  gboolean found = FALSE;
  ovpn_config_init(&c);
  ovpn_config_apply(&c, l, &f);
  for (size_t i = 0; i < c.uv.n; i++)
    found |= strncmp(c.uv.v[i], start, strlen(start)) == 0;
  ovpn_config_clear(&c);
  return found;
}

static void test_announce(void)
{
  static const char *const own[] = {"setenv", "IV_SSO", "of-the-profile"};
  static const char *const mac[] = {"setenv", "IV_HWADDR", "02:00:00:00:00:01"};
  ovpn_auto_option_list a = {0};
  CHECK(ovpn_option_list_add(&a, own, 3) != NULL && nmovpn_announce(&a, FALSE, TRUE));
  CHECK(has(&a, "IV_SSO=webauth,openurl,crtext") && !has(&a, "IV_HWADDR") && !has(&a, "IV_PLAT"));
  ovpn_auto_option_list b = {0};
  CHECK(ovpn_option_list_add(&b, own, 3) != NULL && ovpn_option_list_add(&b, mac, 3) != NULL);
  CHECK(nmovpn_announce(&b, TRUE, FALSE));
  CHECK(has(&b, "IV_HWADDR=02:00:00:00:00:01") && !has(&b, "IV_SSO=o") && !has(&b, "IV_SSO=w"));
}

int main(void)
{
  test_interface();
  test_announce();
  TEST_END();
}
