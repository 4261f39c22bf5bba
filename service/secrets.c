/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Secrets of one connection: taken from the profile, wiped when replaced or cleared, never logged.
 * spec/networkmanager-openvpn.md §4, spec/desktop.md §4. */
#include "service/secrets.h"
#include <unistd.h>
#include "helper/core/secret.h"

enum { KEY_HEAD_MAX = 64 * 1024 };

void nmovpn_secrets_set(char **member, const char *value)
{
  char *copy = value ? ovpn_secret_strdup(value) : NULL;
  ovpn_secret_free(*member);
  *member = copy;
}

void nmovpn_secrets_clear(NmOvpnSecrets *s)
{
  nmovpn_secrets_set(&s->username, NULL);
  nmovpn_secrets_set(&s->password, NULL);
  nmovpn_secrets_set(&s->cert_pass, NULL);
  nmovpn_secrets_set(&s->proxy_username, NULL);
  nmovpn_secrets_set(&s->proxy_password, NULL);
  nmovpn_secrets_set(&s->challenge, NULL);
}

static void take(char **member, const char *value)
{
  if (value && *value)
    nmovpn_secrets_set(member, value);
}

void nmovpn_secrets_update(NmOvpnSecrets *s, NMSettingVpn *vpn)
{
  const char *name = nm_setting_vpn_get_data_item(vpn, NMOVPN_KEY_USERNAME);
  const char *asked = nm_setting_vpn_get_secret(vpn, NMOVPN_KEY_USERNAME);
  /* As the old plugin did: without a name in the profile, the login name of the person. */
  if (!name || !*name)
    name = nm_setting_vpn_get_user_name(vpn);
  if (asked && *asked)
    nmovpn_secrets_set(&s->username, asked);
  else if (!s->username)
    take(&s->username, name);
  take(&s->password, nm_setting_vpn_get_secret(vpn, NMOVPN_SECRET_PASSWORD));
  take(&s->cert_pass, nm_setting_vpn_get_secret(vpn, NMOVPN_SECRET_CERT_PASS));
  name = nm_setting_vpn_get_data_item(vpn, NMOVPN_KEY_PROXY_USERNAME);
  asked = nm_setting_vpn_get_secret(vpn, NMOVPN_KEY_PROXY_USERNAME);
  take(&s->proxy_username, asked && *asked ? asked : name);
  take(&s->proxy_password, nm_setting_vpn_get_secret(vpn, NMOVPN_SECRET_PROXY_PASSWORD));
  take(&s->challenge,
       nm_setting_vpn_get_secret(vpn, NMOVPN_HINT_CHALLENGE_ECHO NMOVPN_SECRET_CHALLENGE));
  take(&s->challenge,
       nm_setting_vpn_get_secret(vpn, NMOVPN_HINT_CHALLENGE NMOVPN_SECRET_CHALLENGE));
  take(&s->challenge, nm_setting_vpn_get_secret(vpn, NMOVPN_SECRET_CHALLENGE));
}

const char *nmovpn_connection_owner(NMConnection *connection)
{
  NMSettingConnection *s = nm_connection_get_setting_connection(connection);
  for (guint32 i = 0; s && i < nm_setting_connection_get_num_permissions(s); i++) {
    const char *type, *item, *detail;
    if (nm_setting_connection_get_permission(s, i, &type, &item, &detail) &&
        g_strcmp0(type, "user") == 0)
      return item;
  }
  return NULL;
}

/* Reads the head of the key file as the connection's owner; unreadable counts as not encrypted:
 * Connect will say why. */
static gboolean key_file_is_encrypted(NMConnection *connection, NMSettingVpn *vpn,
                                      NmOvpnBroker *broker)
{
  g_autofree char *path = nmovpn_profile_key_path(vpn);
  if (!path || !broker)
    return FALSE;
  int fd = nmovpn_broker_open_file(broker, path, nmovpn_connection_owner(connection), FALSE, NULL);
  if (fd < 0)
    return FALSE;
  g_autofree char *head = g_malloc(KEY_HEAD_MAX);
  gsize have = 0;
  ssize_t n;
  while (have < KEY_HEAD_MAX && (n = pread(fd, head + have, KEY_HEAD_MAX - have, (off_t)have)) > 0)
    have += (gsize)n;
  close(fd);
  gboolean encrypted = nmovpn_key_text_is_encrypted(head, have);
  ovpn_wipe(head, have);
  return encrypted;
}

NmOvpnNeeds nmovpn_secrets_missing(NMConnection *connection, NmOvpnBroker *broker)
{
  NMSettingVpn *vpn = nm_connection_get_setting_vpn(connection);
  return vpn ? nmovpn_profile_needs(vpn, key_file_is_encrypted(connection, vpn, broker), TRUE) : 0;
}

const char *nmovpn_secrets_challenge_hint(gboolean echo)
{
  /* Before 1.46.2 the daemon would keep the prefix in the key's name and write the answer to disk.
   */
  if (nm_utils_version() < ((1u << 16) | (46u << 8) | 2u))
    return NMOVPN_SECRET_CHALLENGE;
  return echo ? NMOVPN_HINT_CHALLENGE_ECHO NMOVPN_SECRET_CHALLENGE
              : NMOVPN_HINT_CHALLENGE NMOVPN_SECRET_CHALLENGE;
}
