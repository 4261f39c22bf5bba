/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The device that leads to an address past the tunnel. */
#pragma once
#include <gio/gio.h>
#include <sys/socket.h>

/* `tunnel` is up. Returns the name of the device that packets to `server` have to take, when the
 * routes would lead them into the tunnel itself; NULL when they do not, or there is no other way.
 */
char *nmovpn_uplink_past(const char *tunnel, const struct sockaddr_storage *server);

/* The same with the text of /proc/net/route (IPv4) or /proc/net/ipv6_route. Pure. */
char *nmovpn_uplink_from_text(const char *text, const char *tunnel,
                              const struct sockaddr_storage *server);
