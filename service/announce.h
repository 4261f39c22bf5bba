/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the server is told about this computer. */
#pragma once
#include "helper/core/options.h"
#include <glib.h>

/* Appends to the profile's options. can_ask: an agent is there that asks people. FALSE: no memory.
 */
gboolean nmovpn_announce(OvpnOptionList *options, gboolean push_peer_info, gboolean can_ask);
/* For the tests: name of the interface in a text like /proc/net/route; NULL = none. */
char *nmovpn_announce_default_interface(const char *route_table);
