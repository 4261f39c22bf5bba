/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to config.c and config-apply.c: the state while a list is applied. */
#pragma once
#include "config.h"

/* What is known about c->remotes[i] with the same index. */
typedef struct RemoteState {
  int connection; /* <connection> block, -1 = plain remote line */
  bool has_port, has_proto, has_family;
} RemoteState;

typedef struct ConfigApply {
  OvpnConfig *c;
  const OvpnOptionList *l;
  OvpnFailure *f;
  RemoteState *remotes; /* c->n_remotes entries */
  /* Values outside <connection> blocks so far. */
  char *port;
  OvpnProto proto;
  OvpnFamily family;
  bool proto_set;
  int proto_force; /* an OvpnProto or -1 */
  /* key-direction, and whether tls-auth and secret have their own. */
  int key_direction;
  bool key_direction_set, tls_auth_dir_set, secret_dir_set;
  uint32_t marked_inline; /* bit per OvpnFileId: a line such as "ca [inline]" */
  bool tls_remote, verify_name, dev_type_set, capath;
  char *data_ciphers; /* as written */
} ConfigApply;

char *ovpn_config_upper(const char *text); /* copy in upper case; NULL = no memory */
bool ovpn_strv_add(OvpnStrv *v, const char *text);
void ovpn_strv_clear(OvpnStrv *v);
bool ovpn_config_set_text(char **field, const char *text); /* replaces; NULL clears */
OvpnStatus ovpn_config_no_memory(OvpnFailure *f);

/* config.c: derived values, then the checks of the whole. */
OvpnStatus ovpn_config_finish(ConfigApply *a);
