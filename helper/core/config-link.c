/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a <connection> block has for itself, and how it takes effect. spec §17.5.
 *
 * A block holds a complete set of the fields in OVPN_LINK_TEXTS and OVPN_LINK_VALUES. Its options
 * are applied, and later used, by exchanging the set with the same fields of the configuration: so
 * handlers and users know nothing of blocks. Invariant: every text and file has one owner, before
 * and after an exchange. */
#include "helper/core/config.h"
#include "helper/core/config-parts.h"
#include <stdlib.h>
#include <string.h>

_Static_assert(OVPN_FILE_TLS_CRYPT == OVPN_FILE_TLS_AUTH + 1 &&
                   OVPN_FILE_TLS_CRYPT_V2 == OVPN_FILE_TLS_AUTH + 2,
               "keys of the control channel are neighbours");

static void exchange(OvpnConfig *c, OvpnLinkOptions *l, bool keys)
{
  char *text;
#define X(f)                                                                                       \
  text = c->f;                                                                                     \
  c->f = l->f;                                                                                     \
  l->f = text;
  OVPN_LINK_TEXTS(X)
#undef X
#define X(type, f)                                                                                 \
  {                                                                                                \
    type value = c->f;                                                                             \
    c->f = l->f;                                                                                   \
    l->f = value;                                                                                  \
  }
  OVPN_LINK_VALUES(X)
#undef X
  for (int i = 0; keys && i < OVPN_LINK_KEYS; i++) {
    OvpnFile *f = &c->files[OVPN_FILE_TLS_AUTH + i], file = *f;
    *f = l->keys[i];
    l->keys[i] = file;
  }
}

bool ovpn_link_begin(OvpnConfig *c, OvpnRemote *r)
{
  OvpnLinkOptions *l = calloc(1, sizeof *l);
  bool ok = l != NULL;
  if (!ok)
    return false;
#define X(f) ok = ok && ovpn_config_set_text(&l->f, c->f);
  OVPN_LINK_TEXTS(X)
#undef X
#define X(type, f) l->f = c->f;
  OVPN_LINK_VALUES(X)
#undef X
  r->link = l; /* freed with the remote, whatever happens */
  return ok;
}

void ovpn_link_free(OvpnLinkOptions *l)
{
  if (!l)
    return;
#define X(f) ovpn_secret_free(l->f);
  OVPN_LINK_TEXTS(X)
#undef X
  for (int i = 0; i < OVPN_LINK_KEYS; i++) {
    free(l->keys[i].name);
    ovpn_blob_clear(&l->keys[i].content);
  }
  free(l);
}

OvpnStatus ovpn_link_apply(ConfigApply *a, OvpnLinkOptions *l, const OvpnOption *o, const Row *row)
{
  bool auth_set = a->tls_auth_dir_set, key_set = a->key_direction_set;
  int key_direction = a->key_direction;
  a->tls_auth_dir_set = a->key_direction_set = false;
  exchange(a->c, l, true);
  OvpnStatus s = row->apply(a, o, row);
  exchange(a->c, l, true);
  if (a->key_direction_set)
    l->tls_auth_dir = a->key_direction;
  l->own_direction |= a->key_direction_set || a->tls_auth_dir_set;
  for (int i = 0; i < OVPN_LINK_KEYS; i++)
    l->has_keys |= l->keys[i].name != NULL;
  a->tls_auth_dir_set = auth_set;
  a->key_direction_set = key_set;
  a->key_direction = key_direction;
  return s;
}

void ovpn_config_select(OvpnConfig *c, size_t remote)
{
  OvpnLinkOptions *l = remote < c->n_remotes ? c->remotes[remote].link : NULL;
  if (c->selected == l)
    return;
  if (c->selected)
    exchange(c, c->selected, c->selected->has_keys);
  if (l)
    exchange(c, l, l->has_keys);
  c->selected = l;
}

const char *ovpn_config_proxy(const OvpnConfig *c, const OvpnRemote *r)
{
  if (r->link == c->selected) /* also where neither has something of its own */
    return c->proxy_type;
  if (r->link)
    return r->link->proxy_type;
  return c->selected->proxy_type; /* what the selected one has replaced */
}
