/* SPDX-License-Identifier: GPL-2.0-or-later */
/* TLS between two equal peers: nothing is pushed. Since 2.6 both sides read the other's peer-info
 * and draw the same conclusions about cipher, key derivation and packet format; older peers use
 * what is configured. spec §8.4, §8.5, §9.3.
 *
 * The text comes from a peer whose certificate passed our checks; it is only compared with our own
 * list. */
#include "helper/core/cipher-names.h"
#include "helper/core/session-private.h"
#include <stdlib.h>
#include <strings.h>

enum {
  PEER_DATA_V2 = 2,
  PEER_TLS_KEY_EXPORT = 8,
  PEER_NCP_P2P = 32,
  PEER_CC_EXIT = 128,
  PEER_DYN_TLS_CRYPT = 512,
  PEER_ID_FIXED = 0x76706e,
};

/* The value of a line NAME=value, up to its end; *ret_len its length. NULL if there is none. */
static const char *find_line(const char *info, const char *name, size_t *ret_len)
{
  size_t n = strlen(name);
  for (const char *p = info; p && *p; p = strchr(p, '\n') ? strchr(p, '\n') + 1 : NULL) {
    if (strncmp(p, name, n) != 0 || p[n] != '=')
      continue;
    *ret_len = strcspn(p + n + 1, "\n");
    return p + n + 1;
  }
  return NULL;
}

/* The entry of list[0..len) that is `name`. */
static bool list_has(const char *list, size_t len, const char *name)
{
  while (list && len > 0) {
    size_t n = strcspn(list, ":\n");
    if (strlen(name) == n && strncasecmp(name, list, n) == 0)
      return true;
    n += list[n] == ':';
    list += n;
    len = len > n ? len - n : 0;
  }
  return false;
}

/* By our own order. */
static const char *server_cipher(const OvpnSession *s)
{
  const OvpnStrv *own = &s->p.config->data_ciphers;
  size_t len = 0;
  const char *list = find_line(s->peer_info, "IV_CIPHERS", &len);
  for (size_t i = 0; i < own->n; i++)
    if (list_has(list, len, own->v[i]))
      return own->v[i];
  return NULL;
}

const char *p2p_cipher(const OvpnSession *s)
{
  if (session_is_server(s))
    return server_cipher(s);
  const OvpnStrv *own = &s->p.config->data_ciphers;
  size_t left = 0;
  const char *p = find_line(s->peer_info, "IV_CIPHERS", &left);
  while (p && left > 0) {
    size_t n = strcspn(p, ":\n");
    for (size_t i = 0; i < own->n; i++)
      if (strlen(own->v[i]) == n && strncasecmp(own->v[i], p, n) == 0)
        return own->v[i];
    n += p[n] == ':';
    p += n;
    left = left > n ? left - n : 0;
  }
  return NULL;
}

bool p2p_agree(OvpnSession *s, KeyState *k)
{
  size_t len = 0;
  const char *text = find_line(s->peer_info, "IV_PROTO", &len);
  unsigned long peer = text ? strtoul(text, NULL, 10) : 0;
  if (!(peer & PEER_NCP_P2P))
    return true;
  OvpnPushed *p = &s->pushed;
  p->cc_exit = peer & PEER_CC_EXIT;
  p->tls_ekm = peer & PEER_TLS_KEY_EXPORT && ovpn_tls_can_export(k->tls);
  p->dyn_tls_crypt = peer & PEER_DYN_TLS_CRYPT && p->tls_ekm;
  if (!(peer & PEER_DATA_V2))
    return true;
  uint8_t id[3];
  p->has_peer_id = true;
  p->peer_id = PEER_ID_FIXED;
  if (!p->tls_ekm)
    return true;
  if (ovpn_tls_export(k->tls, "EXPORTER-OpenVPN-p2p-peerid", id, sizeof id) != OVPN_OK) {
    session_fail(s, OVPN_FAIL_KEY_DERIVATION, 0, "exporter");
    return false;
  }
  p->peer_id = (uint32_t)id[0] << 16 | (uint32_t)id[1] << 8 | id[2];
  return true;
}
