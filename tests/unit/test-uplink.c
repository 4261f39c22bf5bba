/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device that leads past a tunnel, from the kernel's tables. */
#include <arpa/inet.h>
#include "check.h"
#include "service/uplink.h"

static const char head4[] =
    "Iface\tDestination\tGateway \tFlags\tRefCnt\tUse\tMetric\tMask\t\tMTU\tWindow\tIRTT\n";

static void want(const char *text, const char *to, const char *device)
{
  struct sockaddr_storage ss = {0};
  struct sockaddr_in *s4 = (struct sockaddr_in *)(void *)&ss;
  struct sockaddr_in6 *s6 = (struct sockaddr_in6 *)(void *)&ss;
  ss.ss_family = strchr(to, ':') ? AF_INET6 : AF_INET;
  CHECK(inet_pton(ss.ss_family, to,
                  ss.ss_family == AF_INET ? (void *)&s4->sin_addr : (void *)&s6->sin6_addr) == 1);
  g_autofree char *got = nmovpn_uplink_from_text(text, "tun0", &ss);
  CHECK_STR(got ? got : "-", device);
}

/* As the kernel writes them: the bytes of an address as one number of the machine. */
static char *route4(const char *dev, const char *net, const char *mask, unsigned metric)
{
  return g_strdup_printf("%s\t%08X\t0100000A\t0003\t0\t0\t%u\t%08X\t0\t0\t0\n", dev, inet_addr(net),
                         metric, inet_addr(mask));
}

static void test_ipv4(void)
{
  g_autofree char *a = route4("eth0", "0.0.0.0", "0.0.0.0", 100);
  g_autofree char *b = route4("wlan0", "0.0.0.0", "0.0.0.0", 600);
  g_autofree char *c = route4("tun0", "0.0.0.0", "0.0.0.0", 50);
  g_autofree char *d = route4("eth0", "10.1.0.0", "255.255.0.0", 100);
  g_autofree char *text = g_strconcat(head4, a, b, c, d, NULL);
  want(text, "192.0.2.1", "eth0"); /* the tunnel is the best, eth0 the next */
  want(text, "10.1.2.3", "-");     /* goes past it anyway */
  g_autofree char *split = g_strconcat(head4, a, d, NULL);
  want(split, "192.0.2.1", "-");
  g_autofree char *alone = g_strconcat(head4, c, NULL);
  want(alone, "192.0.2.1", "-"); /* no other way */
  want("", "192.0.2.1", "-");
  want("garbage\n\t\t\neth0 zz\n", "192.0.2.1", "-");
}

static void test_ipv6(void)
{
  static const char text[] =
      "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
      "fe800000000000000000000000000001 00000064 00000001 00000000 00000003     eth0\n"
      "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
      "00000000000000000000000000000000 00000032 00000001 00000000 00000001     tun0\n"
      "00000000000000000000000000000000 00 00000000000000000000000000000000 00 "
      "00000000000000000000000000000000 ffffffff 00000001 00000000 00200200       lo\n"
      "fd42021300000000000000000000000000 40 0\n"
      "fd420213000000000000000000000000 40 00000000000000000000000000000000 00 "
      "00000000000000000000000000000000 00000064 00000001 00000000 00000001     eth0\n";
  want(text, "2001:db8::1", "eth0");
  want(text, "fd42:213::1", "-");
}

int main(void)
{
  test_ipv4();
  test_ipv6();
  TEST_END();
}
