/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to config.c and config-apply.c: the state while a list is applied. */
#pragma once
#include <string.h>
#include <strings.h>
#include "config.h"

/* What is known about c->remotes[i] with the same index. */
typedef struct RemoteState {
  int connection; /* <connection> block, -1 = plain remote line */
  bool has_proto;
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

/* A row of the table of handlers in config-apply.c. */
typedef struct Row Row;
typedef OvpnStatus Handler(ConfigApply *a, const OvpnOption *o, const Row *row);
struct Row {
  Handler *apply;
  size_t offset; /* of the field in OvpnConfig, for the plain handlers */
  int value;
};

Handler ovpn_on_remote, ovpn_on_proto, ovpn_on_port, ovpn_on_exit_notify,
    ovpn_on_proto_force; /* config.c */

/* ---- for handlers */

static inline const char *arg(const OvpnOption *o, unsigned i)
{
  return i < o->argc ? o->argv[i] : NULL;
}

/* For arguments that the grammar has checked already. */
static inline int64_t number(const char *text)
{
  int64_t n = 0;
  return text && ovpn_option_number(text, INT64_MIN, INT64_MAX, &n) ? n : 0;
}

static inline bool arg_is(const OvpnOption *o, unsigned i, const char *word)
{
  return i < o->argc && strcasecmp(o->argv[i], word) == 0;
}

static inline OvpnStatus bad(ConfigApply *a, const OvpnOption *o, const char *value,
                             const char *why)
{
  return ovpn_failure_set(a->f, OVPN_FAIL_CONFIG, "%s: “%.80s” %s", o->argv[0], value, why);
}

static inline OvpnStatus set_text(ConfigApply *a, char **field, const char *text)
{
  return ovpn_config_set_text(field, text) ? OVPN_OK : ovpn_config_no_memory(a->f);
}
