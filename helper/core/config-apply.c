/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One option -> fields of the typed configuration. spec §13-§20, options.def.
 *
 * Trusts nothing: every option is checked against the grammar of the table first, so a handler sees
 * the right number of arguments in the right form; what the grammar cannot say is checked here. A
 * table maps ids to handlers; options without a row have no effect on the configuration (routes and
 * DNS are read by push.c). Options with the flag LATER that have a row are applied so that config.c
 * can refuse the profile, where leaving them out would be wrong. */
#include "helper/core/config.h"
#include "helper/core/config-parts.h"
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- plain handlers */

static OvpnStatus on_flag(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  (void)o;
  *(bool *)ovpn_config_field(a, row) = true;
  return OVPN_OK;
}

static OvpnStatus on_unsigned(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  *(unsigned *)ovpn_config_field(a, row) = (unsigned)number(arg(o, 1));
  return OVPN_OK;
}

/* -1 and 0 both mean off. */
static OvpnStatus on_limit(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  int64_t n = number(arg(o, 1));
  *(uint64_t *)ovpn_config_field(a, row) = n > 0 ? (uint64_t)n : 0;
  return OVPN_OK;
}

/* 0 is off, -1 is the default. */
static OvpnStatus on_reneg_bytes(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  a->c->reneg_bytes_set = number(arg(o, 1)) >= 0;
  return on_limit(a, o, row);
}

static OvpnStatus on_text(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  return set_text(a, ovpn_config_field(a, row), arg(o, 1));
}

/* Two texts that lie one behind the other; the second may be missing. */
static OvpnStatus on_two_texts(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  char **f = ovpn_config_field(a, row);
  OvpnStatus s = set_text(a, &f[0], arg(o, 1));
  return s == OVPN_OK ? set_text(a, &f[1], arg(o, 2)) : s;
}

static OvpnStatus on_cert_type(ConfigApply *a, const OvpnOption *o, const Row *row)
{
  *(OvpnCertType *)ovpn_config_field(a, row) =
      arg_is(o, 1, "server") ? OVPN_CERT_SERVER : OVPN_CERT_CLIENT;
  return OVPN_OK;
}
/* ---- the table */

#define AT(f) .offset = offsetof(OvpnConfig, f)
#define FLAG(id, f) [OVPN_OPT_##id] = {.apply = on_flag, AT(f)}
#define UINT(id, f) [OVPN_OPT_##id] = {.apply = on_unsigned, AT(f)}
#define TEXT(id, f) [OVPN_OPT_##id] = {.apply = on_text, AT(f)}
#define FILE_(id) [OVPN_OPT_##id] = {.apply = ovpn_on_file, .value = OVPN_FILE_##id}
#define DO(id, handler, ...) [OVPN_OPT_##id] = {.apply = handler, __VA_ARGS__}

static const Row rows[OVPN_OPT_MAX_] = {
    FLAG(CLIENT, pull),
    FLAG(PULL, pull),
    FLAG(TLS_CLIENT, tls_client),
    FLAG(TLS_SERVER, tls_server),
    DO(REMOTE, ovpn_on_remote, .value = 0),
    DO(PROTO, ovpn_on_proto, .value = 0),
    DO(PROTO_FORCE, ovpn_on_proto_force, .value = 0),
    DO(PORT, ovpn_on_port, .value = 0),
    DO(RPORT, ovpn_on_port, .value = 0),
    DO(LPORT, ovpn_on_lport, .value = 0),
    DO(LOCAL, ovpn_on_local, .value = 0),
    DO(BIND, ovpn_on_bind, .value = true),
    DO(NOBIND, ovpn_on_bind, .value = false),
    DO(BIND_DEV, ovpn_on_bind_dev, .value = 0),
    UINT(MARK, mark),
    UINT(SNDBUF, sndbuf),
    UINT(RCVBUF, rcvbuf),
    FLAG(REMOTE_RANDOM, remote_random),
    FLAG(REMOTE_RANDOM_HOSTNAME, remote_random_hostname),
    FLAG(FLOAT, is_float),
    UINT(CONNECT_TIMEOUT, connect_timeout),
    DO(CONNECT_RETRY, ovpn_on_connect_retry, .value = 0),
    UINT(CONNECT_RETRY_MAX, connect_retry_max),
    DO(REMAP_USR1, ovpn_on_remap_usr1, .value = 0),
    FLAG(TLS_EXIT, tls_exit),
    DO(HTTP_PROXY, ovpn_on_proxy, .value = true),
    DO(SOCKS_PROXY, ovpn_on_proxy, .value = false),
    DO(HTTP_PROXY_OPTION, ovpn_on_proxy_option, .value = 0),
    FILE_(HTTP_PROXY_USER_PASS),
    DO(DEV, ovpn_on_dev, .value = 0),
    DO(DEV_TYPE, ovpn_on_dev_type, .value = 0),
    DO(TOPOLOGY, ovpn_on_topology, .value = 0),
    DO(IFCONFIG, on_two_texts, AT(ifconfig_local)),
    DO(IFCONFIG_IPV6, on_two_texts, AT(ifconfig_ipv6_local)),
    UINT(TUN_MTU, tun_mtu),
    UINT(TUN_MTU_MAX, tun_mtu_max),
    UINT(TUN_MTU_EXTRA, tun_mtu_extra),
    UINT(LINK_MTU, link_mtu),
    DO(MTU_DISC, ovpn_on_mtu_disc, .value = 0),
    DO(MSSFIX, ovpn_on_mssfix, .value = 0),
    DO(FRAGMENT, ovpn_on_fragment, .value = 0),
    UINT(MAX_PACKET_SIZE, max_packet_size),
    FLAG(ROUTE_NOPULL, route_nopull),
    FLAG(ROUTE_NOEXEC, route_noexec),
    DO(DNS_UPDOWN, ovpn_on_dns_updown, .value = 0),
    FLAG(ALLOW_PULL_FQDN, allow_pull_fqdn),
    FILE_(CA),
    FILE_(CAPATH),
    FILE_(CERT),
    FILE_(KEY),
    FILE_(EXTRA_CERTS),
    FILE_(PKCS12),
    DO(TLS_AUTH, ovpn_on_directed_file, .value = OVPN_FILE_TLS_AUTH),
    FILE_(TLS_CRYPT),
    FILE_(TLS_CRYPT_V2),
    DO(SECRET, ovpn_on_directed_file, .value = OVPN_FILE_SECRET),
    DO(KEY_DIRECTION, ovpn_on_key_direction, .value = 0),
    DO(CRL_VERIFY, ovpn_on_crl_verify, .value = 0),
    DO(REMOTE_CERT_TLS, on_cert_type, AT(remote_cert_tls)),
    DO(NS_CERT_TYPE, on_cert_type, AT(ns_cert_type)),
    DO(REMOTE_CERT_KU, ovpn_on_cert_ku, .value = 0),
    DO(REMOTE_CERT_EKU, ovpn_on_cert_eku, .value = 0),
    DO(VERIFY_X509_NAME, ovpn_on_server_name, .value = false),
    DO(TLS_REMOTE, ovpn_on_server_name, .value = true),
    DO(X509_USERNAME_FIELD, ovpn_on_username_field, .value = 0),
    DO(PEER_FINGERPRINT, ovpn_on_fingerprint, .value = 0),
    DO(VERIFY_HASH, ovpn_on_verify_hash, .value = 0),
    DO(TLS_VERSION_MIN, ovpn_on_tls_version, AT(tls_version_min), .value = true),
    DO(TLS_VERSION_MAX, ovpn_on_tls_version, AT(tls_version_max), .value = false),
    DO(COMPAT_MODE, ovpn_on_compat_mode, .value = 0),
    TEXT(TLS_CIPHER, tls_cipher),
    TEXT(TLS_CIPHERSUITES, tls_ciphersuites),
    TEXT(TLS_GROUPS, tls_groups),
    DO(TLS_CERT_PROFILE, ovpn_on_cert_profile, .value = 0),
    DO(AUTH_USER_PASS, ovpn_on_auth_user_pass, .value = OVPN_FILE_AUTH_USER_PASS),
    DO(PKCS11_ID, ovpn_on_pkcs11_id, .value = 0),
    DO(ASKPASS, ovpn_on_askpass, .value = OVPN_FILE_ASKPASS),
    DO(AUTH_RETRY, ovpn_on_auth_retry, .value = 0),
    DO(STATIC_CHALLENGE, ovpn_on_static_challenge, .value = 0),
    FLAG(PUSH_PEER_INFO, push_peer_info),
    DO(SETENV, ovpn_on_setenv, .value = 0),
    DO(CIPHER, ovpn_on_upper, AT(cipher)),
    DO(DATA_CIPHERS, ovpn_on_data_ciphers, .value = 0),
    DO(DATA_CIPHERS_FALLBACK, ovpn_on_upper, AT(data_ciphers_fallback)),
    DO(AUTH, ovpn_on_auth, AT(auth)),
    DO(COMPRESS, ovpn_on_compress, .value = false),
    DO(COMP_LZO, ovpn_on_compress, .value = true),
    FLAG(COMP_NOADAPT, comp_noadapt),
    DO(ALLOW_COMPRESSION, ovpn_on_allow_compression, .value = 0),
    DO(REPLAY_WINDOW, ovpn_on_replay_window, .value = 0),
    DO(KEY_METHOD, ovpn_on_key_method, .value = 0),
    FLAG(NO_REPLAY, no_replay),
    FLAG(NO_IV, no_iv),
    DO(KEYSIZE, ovpn_on_keysize, .value = 0),
    FLAG(DISABLE_OCC, disable_occ),
    UINT(PING, ping),
    DO(PING_RESTART, ovpn_on_ping_end, .value = false),
    DO(PING_EXIT, ovpn_on_ping_end, .value = true),
    DO(KEEPALIVE, ovpn_on_keepalive, .value = 0),
    DO(INACTIVE, ovpn_on_inactive, .value = 0),
    UINT(SESSION_TIMEOUT, session_timeout),
    UINT(TLS_TIMEOUT, tls_timeout),
    UINT(HAND_WINDOW, hand_window),
    UINT(TRAN_WINDOW, tran_window),
    UINT(RENEG_SEC, reneg_sec), /* a second argument only spreads the moment, 2.x servers */
    DO(RENEG_BYTES, on_reneg_bytes, AT(reneg_bytes)),
    DO(RENEG_PKTS, on_limit, AT(reneg_pkts)),
    DO(EXPLICIT_EXIT_NOTIFY, ovpn_on_exit_notify, .value = 0),
    FLAG(PASSTOS, passtos),
    UINT(SHAPER, shaper),
};

static OvpnStatus apply_one(ConfigApply *a, const OvpnOption *o)
{
  const OvpnOptionInfo *info = ovpn_option_info(o->id);
  if (o->connection >= 0 && !(info->flags & OVPN_OPTF_CONNECTION) && rows[info->id].apply)
    return ovpn_failure_set(a->f, OVPN_FAIL_CONFIG, "%s: cannot stand in a connection block",
                            o->argv[0]);
  if (info->flags & OVPN_OPTF_REFUSED)
    return ovpn_failure_set(a->f, OVPN_FAIL_CONFIG, "%s: %s", o->argv[0], info->reason);
  OvpnStatus s = ovpn_option_check(o, a->f);
  if (s != OVPN_OK || !rows[info->id].apply)
    return s;
  if (o->connection >= 0) {
    OvpnRemote *r = ovpn_config_block_remote(a, o);
    return r ? ovpn_link_apply(a, r->link, o, &rows[info->id]) : ovpn_config_no_memory(a->f);
  }
  return rows[info->id].apply(a, o, &rows[info->id]);
}

OvpnStatus ovpn_config_try(const OvpnOption *o, OvpnFailure *f)
{
  OvpnConfig c;
  OvpnOptionList none = {0};
  OvpnOption alone = *o;
  ovpn_config_init(&c);
  ConfigApply a = {.c = &c, .l = &none, .f = f, .proto = OVPN_PROTO_UDP, .proto_force = -1};
  const OvpnOptionInfo *info = ovpn_option_info(o->id);
  /* the block's other lines are not here */
  if (info->flags & OVPN_OPTF_CONNECTION)
    alone.connection = -1;
  OvpnStatus s = apply_one(&a, &alone);
  free(a.remotes);
  free(a.port);
  free(a.data_ciphers);
  ovpn_config_clear(&c);
  return s;
}

OvpnStatus ovpn_config_apply(OvpnConfig *c, const OvpnOptionList *l, OvpnFailure *f)
{
  ConfigApply a = {.c = c, .l = l, .f = f, .proto = OVPN_PROTO_UDP, .proto_force = -1};
  OvpnStatus s = OVPN_OK;
  if (c->n_remotes > 0)
    return ovpn_failure_set(f, OVPN_FAIL_INTERNAL, "a configuration was applied twice");
  for (size_t i = 0; i < l->n && s == OVPN_OK; i++)
    s = apply_one(&a, &l->items[i]);
  if (s == OVPN_OK)
    s = ovpn_config_finish(&a);
  free(a.remotes);
  free(a.port);
  free(a.data_ciphers);
  return s;
}
