/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Private to config*.c: the state while a list is applied, and what handlers share.
 *
 * Where a handler lives: config-transport.c (servers, sockets, proxies), config-tls.c (files, keys,
 * checks of the server), config-sign-in.c, config-data.c (device, data channel, timers). The table
 * that names them is in config-apply.c; config.c owns memory, defaults and the checks of the whole.
 */
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
  bool tcp_server; /* of proto */
  bool proto_set;
  int proto_force; /* an OvpnProto or -1 */
  /* key-direction, and whether tls-auth and secret have their own. */
  int key_direction;
  bool key_direction_set, tls_auth_dir_set, secret_dir_set;
  bool before_2_3_7;      /* compat-mode */
  uint32_t marked_inline; /* bit per OvpnFileId: a line such as "ca [inline]" */
  bool tls_remote, verify_name, dev_type_set;
  char *data_ciphers; /* as written */
} ConfigApply;

char *ovpn_config_upper(const char *text); /* copy in upper case; NULL = no memory */
bool ovpn_strv_add(OvpnStrv *v, const char *text);
void ovpn_strv_clear(OvpnStrv *v);
bool ovpn_config_set_text(char **field, const char *text); /* replaces; NULL clears */
OvpnStatus ovpn_config_no_memory(OvpnFailure *f);

/* config.c: derived values, then the checks of the whole. */
OvpnStatus ovpn_config_finish(ConfigApply *a);
OvpnStatus ovpn_config_finish_remotes(ConfigApply *a); /* config-transport.c */

/* A row of the table of handlers in config-apply.c. */
typedef struct Row Row;
typedef OvpnStatus Handler(ConfigApply *a, const OvpnOption *o, const Row *row);
struct Row {
  Handler *apply;
  size_t offset; /* of the field in OvpnConfig, for the plain handlers */
  int value;
};

/* config-link.c: values of <connection> blocks. */
bool ovpn_link_begin(OvpnConfig *c,
                     OvpnRemote *r); /* a copy of what holds now; false = no memory */
void ovpn_link_free(OvpnLinkOptions *l);
OvpnStatus ovpn_link_apply(ConfigApply *a, OvpnLinkOptions *l, const OvpnOption *o, const Row *row);
/* config-transport.c: the remote of the block that `o` stands in; NULL = no memory. */
OvpnRemote *ovpn_config_block_remote(ConfigApply *a, const OvpnOption *o);

/* config-transport.c, config-tls.c, config-sign-in.c, config-data.c */
Handler ovpn_on_remote, ovpn_on_proto, ovpn_on_port, ovpn_on_exit_notify, ovpn_on_proto_force,
    ovpn_on_local, ovpn_on_lport, ovpn_on_bind_dev, ovpn_on_connect_retry, ovpn_on_mtu_disc,
    ovpn_on_proxy, ovpn_on_proxy_option, ovpn_on_bind, ovpn_on_dev, ovpn_on_dev_type,
    ovpn_on_topology, ovpn_on_mssfix, ovpn_on_fragment, ovpn_on_file, ovpn_on_directed_file,
    ovpn_on_key_direction, ovpn_on_crl_verify, ovpn_on_tls_version, ovpn_on_cert_profile,
    ovpn_on_cert_ku, ovpn_on_cert_eku, ovpn_on_server_name, ovpn_on_username_field,
    ovpn_on_fingerprint, ovpn_on_verify_hash, ovpn_on_auth_user_pass, ovpn_on_askpass,
    ovpn_on_auth_retry, ovpn_on_static_challenge, ovpn_on_pkcs11_id, ovpn_on_setenv, ovpn_on_upper,
    ovpn_on_data_ciphers, ovpn_on_auth, ovpn_on_compress, ovpn_on_allow_compression,
    ovpn_on_replay_window, ovpn_on_keysize, ovpn_on_key_method, ovpn_on_dns_updown,
    ovpn_on_remap_usr1, ovpn_on_compat_mode, ovpn_on_ping_end, ovpn_on_keepalive, ovpn_on_inactive;

/* ---- for handlers */

/* Kernel rules for the name of an interface. */
static inline bool ovpn_config_good_device(const char *name)
{
  return strlen(name) <= 15 && !strpbrk(name, "/:%") && strcmp(name, ".") != 0 &&
         strcmp(name, "..") != 0;
}

/* The field that the row names. */
static inline void *ovpn_config_field(ConfigApply *a, const Row *row)
{
  return (char *)a->c + row->offset;
}

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
