/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One VPN connection from Connect to its end, including every reconnection: the only orchestrating
 * state machine. DESIGN.md §6. */
#pragma once
#include <NetworkManager.h>
#include "service/broker-client.h"

typedef struct NmOvpnAttempt NmOvpnAttempt;

/* Called from the main loop, never from inside nmovpn_attempt_start(). After `failed` or `stopped`
 * nothing follows. */
typedef struct NmOvpnAttemptCallbacks {
  /* ip4/ip6 NULL: the tunnel does not have that family. Again after a reconnection with new values.
   */
  void (*config)(GVariant *generic, GVariant *ip4, GVariant *ip6, gpointer user_data);
  void (*secrets_required)(const char *message, const char *const *hints, gpointer user_data);
  /* what was asked for is not needed any more; `config` or `failed` follows */
  void (*secrets_not_required)(gpointer user_data);
  void (*failed)(NMVpnPluginFailure reason, const char *sentence, gpointer user_data);
  void (*stopped)(gpointer user_data); /* after nmovpn_attempt_stop() */
} NmOvpnAttemptCallbacks;

/* broker is borrowed. */
NmOvpnAttempt *nmovpn_attempt_new(NmOvpnBroker *broker, const NmOvpnAttemptCallbacks *callbacks,
                                  gpointer user_data);
void nmovpn_attempt_free(NmOvpnAttempt *a); /* at once, without goodbye; NULL ok */

/* Reads and checks the profile and its files; FALSE with a sentence for a person. interactive:
 * secrets may be asked for. */
gboolean nmovpn_attempt_start(NmOvpnAttempt *a, NMConnection *connection, gboolean interactive,
                              GError **error);
gboolean nmovpn_attempt_new_secrets(NmOvpnAttempt *a, NMConnection *connection, GError **error);
/* Says goodbye to the server and ends; `stopped` follows within two seconds, at once when there is
 * nothing to end. */
void nmovpn_attempt_stop(NmOvpnAttempt *a);
/* What went through the tunnel goes to the log; asked of the engine, so a moment later. */
void nmovpn_attempt_log_stats(NmOvpnAttempt *a);
/* The helper ended: nothing can go on. */
void nmovpn_attempt_helper_gone(NmOvpnAttempt *a);
gboolean nmovpn_attempt_is_running(const NmOvpnAttempt *a);
