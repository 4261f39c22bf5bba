/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by profile*.c only: names of keys that carry part of an option, and text forms of values.
 */
#pragma once
#include "service/profile.h"

/* Keys that hold a part of an option, or several options in one (spec/networkmanager-openvpn.md
 * §3.2). Keys that stand for one whole option are spelled in options.def alone. */
#define KEY_CONNECTION_TYPE "connection-type"
#define KEY_REMOTE "remote"
#define KEY_PORT "port"
#define KEY_PROTO_TCP "proto-tcp"
#define KEY_CONNECT_TIMEOUT "connect-timeout"
#define KEY_DEV "dev"
#define KEY_DEV_TYPE "dev-type"
#define KEY_TAP_DEV "tap-dev"
#define KEY_PING "ping"
#define KEY_PING_EXIT "ping-exit"
#define KEY_PING_RESTART "ping-restart"
#define KEY_MSSFIX "mssfix"
#define KEY_RENEG_SECONDS "reneg-seconds"
#define KEY_TLS_VERSION_MIN "tls-version-min"
#define KEY_TLS_VERSION_OR_HIGHEST "tls-version-min-or-highest"
#define KEY_COMPRESS "compress"
#define KEY_COMP_LZO "comp-lzo"
#define KEY_ALLOW_COMPRESSION "allow-compression"
#define KEY_CA "ca"
#define KEY_CERT "cert"
#define KEY_KEY "key"
#define KEY_CRL_FILE "crl-verify-file"
#define KEY_CRL_DIR "crl-verify-dir"
#define KEY_TA "ta"
#define KEY_TA_DIR "ta-dir"
#define KEY_STATIC_KEY "static-key"
#define KEY_STATIC_KEY_DIR "static-key-direction"
#define KEY_LOCAL_IP "local-ip"
#define KEY_REMOTE_IP "remote-ip"
#define KEY_VERIFY_NAME "verify-x509-name"
#define KEY_PROXY_TYPE "proxy-type"
#define KEY_PROXY_SERVER "proxy-server"
#define KEY_PROXY_PORT "proxy-port"
#define KEY_PROXY_RETRY "proxy-retry"
#define KEY_PROXY_USERNAME NMOVPN_KEY_PROXY_USERNAME
#define FLAGS_SUFFIX "-flags"

typedef enum ProfileType {
  TYPE_TLS,
  TYPE_PASSWORD,
  TYPE_PASSWORD_TLS,
  TYPE_STATIC_KEY,
} ProfileType;
#define TYPE_NAME_TLS "tls"
#define TYPE_NAME_PASSWORD "password"
#define TYPE_NAME_PASSWORD_TLS "password-tls"
#define TYPE_NAME_STATIC_KEY "static-key"

/* FALSE: the value is none of the four words. An absent key is TLS. */
gboolean profile_type(NMSettingVpn *vpn, ProfileType *ret);
static inline gboolean profile_type_has_password(ProfileType t)
{
  return t == TYPE_PASSWORD || t == TYPE_PASSWORD_TLS;
}
static inline gboolean profile_type_has_cert(ProfileType t)
{
  return t == TYPE_TLS || t == TYPE_PASSWORD_TLS;
}

/* Value of a key, NULL when absent or empty. */
const char *profile_get(NMSettingVpn *vpn, const char *key);

/* A value that is not a plain path: stored and used as it stands. */
gboolean profile_is_data_uri(const char *value);
gboolean profile_is_token_uri(const char *value);
/* A value a key can hold as it is. */
gboolean profile_is_plain(const char *text);

/* `ca [inline]`: the line only points at a block. */
gboolean profile_is_marker_line(const OvpnOption *o);

/* Line n (from 0) of a credentials block; NULL when there is no such line. Free with
 * ovpn_secret_free. */
char *profile_credential_line(const OvpnOption *o, guint n);

/* Which argument names a file that is read at every connect; 0: none. */
guint profile_file_argument(const OvpnOption *o);

/* TRUE when cert (and key) hold one PKCS#12 file. */
gboolean profile_cert_is_pkcs12(const char *cert, const char *key);
/* PKCS#12 as DER, or as the base64 text of an inline block. */
gboolean profile_bytes_are_pkcs12(const void *data, gsize len);
/* Blanks in it mean nothing. FALSE: it is empty or no base64. */
gboolean profile_base64_decode(const void *text, gsize len, OvpnBlob *ret);

/* Parses extra-options. */
gboolean profile_parse_extra(NMSettingVpn *vpn, OvpnOptionList *ret, GError **error);

/* Last line outside <connection> blocks, NULL if none. */
const OvpnOption *profile_last_global(const OvpnOptionList *l, OvpnOptionId id);

typedef struct ProfileRemote {
  char *host, *port, *proto; /* host without brackets; port, proto NULL when not given */
} ProfileRemote;
void profile_remote_clear(ProfileRemote *r);
/* One item of the `remote` list; FALSE when it is no such item. */
gboolean profile_remote_parse(const char *item, ProfileRemote *ret);
/* NULL when the list syntax cannot hold it. */
char *profile_remote_format(const char *host, const char *port, const char *proto);
gboolean profile_is_port(const char *text);

/* TRUE for the words that mark inline content in an argument. */
gboolean profile_is_inline_marker(const char *arg);
/* The path from `cd` (NULL: none), which itself is from `directory` (NULL: stays relative). */
char *profile_absolute_path(const char *directory, const char *cd, const char *path);

/* What of a file goes to ipv4 and ipv6 (profile-from-ip.c). */
typedef struct ProfileIp {
  NMSettingIPConfig *ip4, *ip6;    /* NULL: everything stays a line */
  gboolean routes, dns;            /* these mean the same in NetworkManager */
  gint64 metric;                   /* of routes that name none; -1 = NetworkManager's */
  const OvpnOption *never_default; /* the line that ipv4.never-default stands for */
  const OvpnOptionList *list;
  guint32 table; /* route-table, for the next routes of the file; 0 = main */
} ProfileIp;
void profile_ip_init(ProfileIp *ip, const OvpnOptionList *l, NMSettingIPConfig *ip4,
                     NMSettingIPConfig *ip6);
/* TRUE when the settings now hold the line. */
gboolean profile_ip_take(ProfileIp *ip, const OvpnOption *o);

/* Adds what is to be said about one line of the file `l` (profile-warn.c); both arrays may be NULL.
 * TRUE: it says why connecting would fail.
 */
gboolean profile_warn(const OvpnOptionList *l, const OvpnOption *o, GPtrArray *warnings,
                      GPtrArray *notes);
