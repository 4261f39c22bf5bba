/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The typed configuration that the engine and the service act on, built from an OvpnOptionList.
 *
 * Both build it with the same function from the same list, so neither has to believe the other.
 * Files: `files[x].name` is what the list said (path or "[inline]" or a pkcs11: URI); `content` is
 * empty until somebody fills it (service: data: URIs and inline blocks at once; engine: FILE
 * messages). */
#pragma once
#include "options.h"

typedef enum OvpnFileId {
  OVPN_FILE_CA,
  OVPN_FILE_CERT,
  OVPN_FILE_KEY,
  OVPN_FILE_EXTRA_CERTS,
  OVPN_FILE_PKCS12,
  OVPN_FILE_TLS_AUTH,
  OVPN_FILE_TLS_CRYPT,
  OVPN_FILE_TLS_CRYPT_V2,
  OVPN_FILE_SECRET,
  OVPN_FILE_CRL,     /* crl-verify FILE */
  OVPN_FILE_CRL_DIR, /* crl-verify DIR dir: content = the names of the directory, one per line */
  OVPN_FILE_CAPATH,  /* content = the certificates and CRLs of the directory, one after the other */
  OVPN_FILE_AUTH_USER_PASS,
  OVPN_FILE_ASKPASS,
  OVPN_FILE_HTTP_PROXY_USER_PASS,
  OVPN_FILE_MAX
} OvpnFileId;
/* File id <-> option id (tls-auth <-> OVPN_OPT_TLS_AUTH ...); crl-verify maps to OVPN_FILE_CRL. */
OvpnOptionId ovpn_file_option(OvpnFileId f);

typedef struct OvpnFile {
  char *name; /* NULL = not configured */
  bool is_inline;
  OvpnBlob content;
} OvpnFile;

typedef enum OvpnProto { OVPN_PROTO_UDP, OVPN_PROTO_TCP } OvpnProto;
typedef enum OvpnFamily { OVPN_AF_ANY, OVPN_AF_INET, OVPN_AF_INET6 } OvpnFamily;

/* What may be told to a proxy about us. SOCKS: a user name and password when they are known; only
 * AUTO asks for them. */
typedef enum OvpnProxyAuth {
  OVPN_PROXY_AUTH_NONE,
  OVPN_PROXY_AUTH_AUTO,     /* the strongest that the proxy offers: digest, NTLM, basic */
  OVPN_PROXY_AUTH_AUTO_NCT, /* the same, but no clear text: never basic */
  OVPN_PROXY_AUTH_BASIC,    /* at once */
  OVPN_PROXY_AUTH_DIGEST,   /* digest or nothing */
  OVPN_PROXY_AUTH_NTLM,     /* NTLMv2, at once */
} OvpnProxyAuth;

/* Fields of OvpnConfig that a <connection> block can have for itself. */
#define OVPN_LINK_TEXTS(X)                                                                         \
  X(local_host)                                                                                    \
  X(local_port)                                                                                    \
  X(proxy_type) X(proxy_host) X(proxy_port) X(proxy_version) X(proxy_agent) X(proxy_headers)
#define OVPN_LINK_VALUES(X)                                                                        \
  X(bool, bind)                                                                                    \
  X(bool, is_float)                                                                                \
  X(int, mtu_disc)                                                                                 \
  X(unsigned, connect_timeout)                                                                     \
  X(unsigned, connect_retry)                                                                       \
  X(unsigned, connect_retry_max_wait)                                                              \
  X(unsigned, connect_retry_max)                                                                   \
  X(OvpnProxyAuth, proxy_auth)                                                                     \
  X(unsigned, tun_mtu)                                                                             \
  X(unsigned, tun_mtu_max)                                                                         \
  X(int, tun_mtu_extra)                                                                            \
  X(int, mssfix)                                                                                   \
  X(bool, mssfix_mtu)                                                                              \
  X(bool, mssfix_fixed)                                                                            \
  X(unsigned, fragment)                                                                            \
  X(bool, fragment_mtu)                                                                            \
  X(unsigned, link_mtu)                                                                            \
  X(unsigned, max_packet_size)                                                                     \
  X(int, explicit_exit_notify)                                                                     \
  X(int, tls_auth_dir)
enum { OVPN_LINK_KEYS = 3 }; /* tls-auth, tls-crypt, tls-crypt-v2 */

/* All of them, complete: what a block does not say is what stood in front of it. */
typedef struct OvpnLinkOptions {
#define X(f) char *f;
  OVPN_LINK_TEXTS(X)
#undef X
#define X(type, f) type f;
  OVPN_LINK_VALUES(X)
#undef X
  OvpnFile keys[OVPN_LINK_KEYS];
  bool has_keys; /* else those of the profile are used */
  bool own_direction;
} OvpnLinkOptions;

typedef struct OvpnRemote {
  char *host; /* name or literal, without brackets */
  char *port; /* number or service name */
  OvpnProto proto;
  OvpnFamily family;
  uint16_t index;        /* place in the profile, before anybody shuffles */
  bool tcp_server;       /* the peer connects to us, whether its address is known or not */
  bool waits;            /* the peer calls; host is "" when it may be anybody */
  OvpnLinkOptions *link; /* of a <connection> block; NULL = nothing of its own */
} OvpnRemote;

enum { OVPN_DIR_NONE = -1, OVPN_DIR_NORMAL = 0, OVPN_DIR_INVERSE = 1 };
typedef enum OvpnNameCheck {
  OVPN_NAME_NONE,
  OVPN_NAME_SUBJECT,
  OVPN_NAME_NAME,
  OVPN_NAME_PREFIX
} OvpnNameCheck;
typedef enum OvpnCompress {
  OVPN_COMP_NONE,
  OVPN_COMP_LZO /* comp-lzo *, compress lzo */,
  OVPN_COMP_STUB /* swap */,
  OVPN_COMP_STUB_V2,
  OVPN_COMP_LZ4,
  OVPN_COMP_LZ4_V2
} OvpnCompress;
typedef enum OvpnTopology {
  OVPN_TOPOLOGY_NET30,
  OVPN_TOPOLOGY_P2P,
  OVPN_TOPOLOGY_SUBNET
} OvpnTopology;
typedef enum OvpnCertType { OVPN_CERT_ANY, OVPN_CERT_CLIENT, OVPN_CERT_SERVER } OvpnCertType;
typedef enum OvpnAuthRetry {
  OVPN_AUTH_RETRY_INTERACT,
  OVPN_AUTH_RETRY_NONE,
  OVPN_AUTH_RETRY_NOINTERACT
} OvpnAuthRetry;
typedef enum OvpnCertProfile {
  OVPN_PROFILE_LEGACY,
  OVPN_PROFILE_INSECURE,
  OVPN_PROFILE_PREFERRED,
  OVPN_PROFILE_SUITEB
} OvpnCertProfile;

typedef struct OvpnStrv {
  char **v;
  size_t n;
} OvpnStrv;

typedef struct OvpnConfig {
  /* transport */
  OvpnRemote *remotes;
  size_t n_remotes;
  bool remote_random, remote_random_hostname, is_float;
  bool bind;        /* said so: local port 1194 unless local_port is set */
  bool bind_v6only; /* an IPv6 socket that waits takes no IPv4 */
  char *own_port;   /* of `port`: the local one too, where we wait or bind; NULL */
  char *local_host, *local_port, *bind_dev;       /* NULL = any / ephemeral / none */
  unsigned mark, sndbuf, rcvbuf;                  /* 0 = default */
  int mtu_disc;                                   /* -1 unset, 0 no, 1 maybe, 2 yes */
  unsigned connect_timeout;                       /* s, server-poll-timeout; default 120 */
  unsigned connect_retry, connect_retry_max_wait; /* s: 1, 300 */
  unsigned connect_retry_max;                     /* 0 = unlimited */
  bool once;     /* remap-usr1 SIGTERM: a connection that is lost is not made again */
  bool tls_exit; /* a handshake that fails is the end */
  char *proxy_type, *proxy_host, *proxy_port; /* "http"/"socks"; NULL = none */
  OvpnProxyAuth proxy_auth;
  char *proxy_version, *proxy_agent; /* HTTP; NULL = 1.0, none */
  char *proxy_headers; /* HTTP: "Name: value" lines, each with a newline; NULL = none */
  /* device */
  bool tap;
  char *dev_name;       /* NULL = kernel chooses tun%d/tap%d */
  unsigned tun_mtu;     /* 0 = default 1500 / pushed */
  unsigned tun_mtu_max; /* advertised IV_MTU; 1600 */
  int tun_mtu_extra;    /* -1 = default: 0, TAP 32; only mssfix counts it */
  unsigned link_mtu;    /* 0 = not set; else the tunnel's MTU follows from it */
  int mssfix;
  bool mssfix_mtu, mssfix_fixed; /* -1 = default rule, 0 = off */
  unsigned fragment;             /* 0 = off */
  bool fragment_mtu;             /* the limit counts the outer IP and UDP headers */
  OvpnTopology topology;
  bool topology_set;
  char *ifconfig_local, *ifconfig_remote; /* as written; NULL */
  char *ifconfig_ipv6_local, *ifconfig_ipv6_remote;
  /* TLS */
  OvpnFile files[OVPN_FILE_MAX];
  int tls_auth_dir, secret_dir;         /* OVPN_DIR_x */
  int tls_version_min, tls_version_max; /* 10..13; 0 = default (min 12, no max) */
  bool tls_version_min_or_highest;
  char *tls_cipher, *tls_ciphersuites, *tls_groups; /* as written; NULL */
  OvpnCertProfile cert_profile;
  OvpnCertType remote_cert_tls, ns_cert_type;
  OvpnStrv remote_cert_ku, remote_cert_eku; /* hex numbers; OIDs or names */
  OvpnNameCheck name_check;
  char *name;                 /* verify-x509-name, tls-remote */
  char *x509_username_field;  /* NULL = CN */
  OvpnStrv peer_fingerprints; /* 64 lower-case hex digits each */
  char *verify_hash;
  bool verify_hash_sha1;       /* lower-case hex */
  bool client_cert_not_needed; /* setenv CLIENT_CERT 0 */
  bool tls_server, tls_client; /* said so; the TLS server of two equal peers */
  /* sign-in */
  bool auth_user_pass;
  char *username; /* username NULL = ask */
  OvpnAuthRetry auth_retry;
  char *static_challenge;
  bool static_challenge_echo, static_challenge_concat;
  bool push_peer_info;
  OvpnStrv uv; /* "UV_X=v", "IV_GUI_VER=..." */
  /* data channel */
  char *cipher, *auth;   /* upper case; NULL = default ("BF-CBC" unset / SHA1) */
  OvpnStrv data_ciphers; /* effective list: names we can do, upper case, incl. cipher */
  char *data_ciphers_fallback;
  OvpnCompress compress;
  bool compress_set, allow_decompress;
  bool compress_out;              /* allow-compression yes: what we send is compressed, too */
  bool comp_plain, comp_adaptive; /* comp-lzo no; comp-lzo, comp-lzo adaptive */
  bool comp_noadapt;
  unsigned replay_window, replay_time; /* 64, 15 */
  bool no_replay, no_iv; /* data packets of CBC and "none" without packet id, of CBC without IV */
  unsigned keysize;      /* bits of the key of `cipher`, 0 = usual; at most 512 */
  /* timers, seconds; 0 = off */
  unsigned ping, ping_restart, ping_exit, inactive, session_timeout;
  uint64_t inactive_bytes;
  bool ping_restart_set;                          /* else 120 until the push, §17.1 */
  unsigned tls_timeout, hand_window, tran_window; /* 2, 60, 3600 */
  unsigned reneg_sec;
  uint64_t reneg_bytes, reneg_pkts; /* 3600; 0; 0 */
  bool reneg_bytes_set;             /* else 64 MiB for ciphers with small blocks */
  int explicit_exit_notify;         /* -1 = not set */
  unsigned max_packet_size;         /* 1250 */
  /* push */
  bool pull, route_nopull, allow_pull_fqdn, disable_occ;
  bool route_noexec;         /* no routes, neither the profile's nor the server's */
  bool no_dns;               /* dns-updown disable: no name servers and search domains */
  bool passtos;              /* UDP: the type of service of inner packets is that of outer ones */
  unsigned shaper;           /* bytes per second towards the server; 0 = no limit */
  OvpnLinkOptions *selected; /* holds what the selected remote has replaced */
  /* set by the engine: signs where files[KEY].name is a pkcs11: address; borrowed */
  const struct OvpnSigner *signer;
} OvpnConfig;

/* A shared static key instead of TLS. */
static inline bool ovpn_config_is_static(const OvpnConfig *c)
{
  return c->files[OVPN_FILE_SECRET].name != NULL;
}

/* TLS between two equal peers: nothing is pushed. */
static inline bool ovpn_config_is_p2p(const OvpnConfig *c)
{
  return !c->pull && !ovpn_config_is_static(c);
}

void ovpn_config_init(OvpnConfig *c);  /* all defaults above */
void ovpn_config_clear(OvpnConfig *c); /* wipes and frees */
/* Applies a list in order to an initialised config, then fills derived values and checks the whole:
 * FAIL_CONFIG with text naming the option. Options marked HARMLESS/NEVER/SERVER/LATER/UNKNOWN are
 * skipped. */
OvpnStatus ovpn_config_apply(OvpnConfig *c, const OvpnOptionList *l, OvpnFailure *f);

/* MTU of the tunnel when the server does not say one: tun-mtu, or what link-mtu leaves, else 1500.
 */
unsigned ovpn_config_tun_mtu(const OvpnConfig *c, bool tcp);
/* What OpenVPN says a packet of `cipher` grows by; not exactly what it does. */
unsigned ovpn_config_link_overhead(const OvpnConfig *c, const char *cipher, bool tcp);
/* Bytes that `auth` (NULL = SHA1) adds to a CBC packet; 64 for a digest that is not known. */
unsigned ovpn_config_digest_len(const char *auth);
/* FAIL_CONFIG with the sentence about a digest that is needed and not there. */
OvpnStatus ovpn_config_digest_missing(const char *auth, OvpnFailure *f);
/* What is wrong with one option, whatever stands beside it: its grammar, and what only its handler
 * knows. FAIL_CONFIG as ovpn_config_apply would say it. */
OvpnStatus ovpn_config_try(const OvpnOption *o, OvpnFailure *f);
/* From now on the fields of OVPN_LINK_x and the keys are those that hold for remotes[remote]. */
void ovpn_config_select(OvpnConfig *c, size_t remote);
/* The type of proxy on the way to a remote, whatever is selected; NULL = none. */
const char *ovpn_config_proxy(const OvpnConfig *c, const OvpnRemote *r);

/* Splits the content of auth-user-pass and http-proxy-user-pass (line 1 user, line 2 password,
 * which may be missing). Either ret may be NULL; old values are replaced. false: no user name, or
 * no memory. */
bool ovpn_user_pass_split(const OvpnBlob *content, char **ret_user, OvpnBlob *ret_password);
