/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What NetworkManager and its agents told us in confidence, and what they still have to. */
#pragma once
#include <NetworkManager.h>
#include "service/broker-client.h"
#include "service/profile.h"

typedef struct NmOvpnSecrets {
  char *username; /* not secret, but asked for like one */
  char *password, *cert_pass;
  char *proxy_username, *proxy_password;
  char *challenge; /* used once */
} NmOvpnSecrets;

void nmovpn_secrets_clear(NmOvpnSecrets *s); /* wipes */
/* Takes over what the setting holds; what it does not hold stays. The answer to a challenge is
 * accepted under all spellings (NetworkManager before 1.46.2 keeps the prefix of the hint). */
void nmovpn_secrets_update(NmOvpnSecrets *s, NMSettingVpn *vpn);
/* Replaces one member and wipes the old value. */
void nmovpn_secrets_set(char **member, const char *value);

/* The user that a private connection belongs to; NULL for a connection of all users. */
const char *nmovpn_connection_owner(NMConnection *connection);
/* What is missing, with a look at the key file as its owner. broker may be NULL. */
NmOvpnNeeds nmovpn_secrets_missing(NMConnection *connection, NmOvpnBroker *broker);
/* The hint for a dynamic challenge that this NetworkManager and its agents understand. */
const char *nmovpn_secrets_challenge_hint(gboolean echo);
