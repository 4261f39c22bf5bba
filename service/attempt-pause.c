/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The pause before a lost connection is tried again. It spares servers that are away, so there is
 * no use in it once its reason may have gone: it ends early when the computer has slept meanwhile,
 * and when the routes of this computer change, for then the network may be back.
 *
 * Of sleep, the clocks tell: one of them goes on in it. Nobody has to announce it. What logind's
 * PrepareForSleep would add was looked at: NetworkManager obeys that signal itself. Before sleep it
 * ends VPNs (those with vpn.persistent excepted) and takes down devices, afterwards it brings them
 * up again; all that shows here as Disconnect, or as new routes. Trusts the kernel. Invariant: not
 * earlier than LEAST after the begin, so that routes that change all the time make no haste.
 * DESIGN.md §6. */
#include <glib-unix.h>
#include <linux/netlink.h>
#include <linux/rtnetlink.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include "service/attempt-private.h"
#include "service/log.h"

enum { LEAST_MS = 2000, TICK_MS = 1000, SLEPT_MS = 1000 };

/* Milliseconds on the clock that goes on while the computer sleeps, ahead of the other. */
static gint64 slept_ms(void)
{
  struct timespec t;
  clock_gettime(CLOCK_BOOTTIME, &t);
  return (gint64)t.tv_sec * 1000 + t.tv_nsec / 1000000 - g_get_monotonic_time() / 1000;
}

static gint64 now_ms(void)
{
  return g_get_monotonic_time() / 1000;
}

static gboolean on_tick(gpointer user_data);

/* Until its end; the tick is there for sleep. */
static void wait_on(NmOvpnAttempt *a)
{
  gint64 left = a->pause.until - now_ms();
  nmovpn_attempt_start_timer_ms(a, &a->state_timer, (guint)CLAMP(left, 0, TICK_MS), on_tick);
}

static gboolean on_tick(gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  gboolean slept = slept_ms() - a->pause.slept >= SLEPT_MS;
  if (!slept && now_ms() < a->pause.until) {
    wait_on(a);
    return G_SOURCE_REMOVE;
  }
  if (slept) {
    nmovpn_log(LOG_NOTICE, "the computer has slept: trying again now");
    a->backoff = a->quick = 0; /* whatever they counted is long ago */
  }
  nmovpn_attempt_end_pause(a);
  nmovpn_attempt_try_remote(a);
  return G_SOURCE_REMOVE;
}

static gboolean on_routes(gint fd, GIOCondition condition, gpointer user_data)
{
  NmOvpnAttempt *a = user_data;
  char buf[8192];
  gint64 earliest = a->pause.began + LEAST_MS;
  while (recv(fd, buf, sizeof(buf), MSG_DONTWAIT) > 0)
    ;
  if (a->state == NMOVPN_ATTEMPT_RECONNECTING && a->pause.until > earliest) {
    a->pause.until = MAX(earliest, now_ms());
    nmovpn_log(LOG_INFO, "routes have changed: trying again soon");
    wait_on(a);
  }
  return G_SOURCE_CONTINUE;
}

static void listen_to_routes(NmOvpnAttempt *a)
{
  struct sockaddr_nl address = {.nl_family = AF_NETLINK,
                                .nl_groups = RTMGRP_IPV4_ROUTE | RTMGRP_IPV6_ROUTE};
  int fd = socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC | SOCK_NONBLOCK, NETLINK_ROUTE);
  if (fd < 0 || bind(fd, (struct sockaddr *)&address, sizeof(address)) < 0) {
    if (fd >= 0)
      close(fd);
    return; /* the pause lasts as long as it lasts */
  }
  a->pause.routes_fd = fd;
  nmovpn_attempt_attach(&a->pause.routes, g_unix_fd_source_new(fd, G_IO_IN),
                        G_SOURCE_FUNC(on_routes), a);
}

void nmovpn_attempt_end_pause(NmOvpnAttempt *a)
{
  nmovpn_attempt_clear_source(&a->pause.routes);
  if (a->pause.routes_fd >= 0)
    close(a->pause.routes_fd);
  a->pause.routes_fd = -1;
}

void nmovpn_attempt_pause(NmOvpnAttempt *a, guint seconds)
{
  nmovpn_attempt_end_pause(a);
  a->pause.began = now_ms();
  a->pause.until = a->pause.began + (gint64)seconds * 1000;
  a->pause.slept = slept_ms();
  if (seconds * 1000 > LEAST_MS)
    listen_to_routes(a);
  wait_on(a);
}
