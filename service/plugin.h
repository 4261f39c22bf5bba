/* SPDX-License-Identifier: GPL-2.0-or-later */
/* NetworkManager's VPN plugin interface on D-Bus, and nothing else: every call goes to an attempt.
 */
#pragma once
#include <NetworkManager.h>
#include "service/broker-client.h"

#define NMOVPN_TYPE_PLUGIN (nmovpn_plugin_get_type())
G_DECLARE_FINAL_TYPE(NmOvpnPlugin, nmovpn_plugin, NMOVPN, PLUGIN, NMVpnServicePlugin)

/* Owns the bus name. watch_peer: end with NetworkManager, and when it asks for nothing. */
NmOvpnPlugin *nmovpn_plugin_new(const char *bus_name, gboolean watch_peer, GError **error);
/* broker is borrowed and must outlive the plugin. */
void nmovpn_plugin_set_broker(NmOvpnPlugin *p, NmOvpnBroker *broker);
/* From now on every Connect fails with this sentence. */
void nmovpn_plugin_set_refusal(NmOvpnPlugin *p, const char *sentence);
/* A connection is up, coming up or saying goodbye. */
gboolean nmovpn_plugin_is_busy(NmOvpnPlugin *p);
void nmovpn_plugin_helper_gone(NmOvpnPlugin *p);
void nmovpn_plugin_log_stats(NmOvpnPlugin *p);
