/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Host names where OpenVPN takes an address: route, route-gateway, ifconfig. */
#pragma once
#include <gio/gio.h>
#include "helper/core/options.h"

typedef struct NmOvpnRouteNames NmOvpnRouteNames;
/* The lists as they were, with addresses for names; options whose name is unknown are left out.
 * They belong to the look-up, which the receiver frees when it is done with them. */
typedef void (*NmOvpnRouteNamesDone)(const OvpnOptionList *profile, const OvpnOptionList *pushed,
                                     gpointer user_data);

/* Looks up the names of both lists, for at most five seconds; names of the server only with
 * `server_too` (allow-pull-fqdn). NULL: there are none, `done` is not called. */
NmOvpnRouteNames *nmovpn_route_names_start(const OvpnOptionList *profile,
                                           const OvpnOptionList *pushed, gboolean server_too,
                                           NmOvpnRouteNamesDone done, gpointer user_data);
/* Ends a look-up that is under way; `done` is not called any more. NULL ok. */
void nmovpn_route_names_free(NmOvpnRouteNames *n);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NmOvpnRouteNames, nmovpn_route_names_free)
