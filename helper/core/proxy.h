/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The way through a proxy: HTTP CONNECT and SOCKS5, as a client. Sans-IO: bytes of the TCP
 * connection to the proxy and entropy come in; bytes and a step come out. spec §16.2, §20.
 *
 * The proxy is not trusted: whatever it sends ends in a step, the heads of its answers are bounded
 * (16 KiB, a line 4 KiB), and no byte behind its last word is taken. No clock: how long all this
 * may take is the caller's business (the rest of connect-timeout). One thread, no static data.
 *
 * How a link uses it, TCP (http-proxy, socks-proxy with proto tcp):
 *   1. ovpn_proxy_new() with the host of the `remote`, unresolved: the proxy resolves it.
 *   2. Connect a TCP socket to the proxy; when it is connected, ovpn_proxy_start().
 *   3. While the step is CONTINUE: send what ovpn_proxy_output() gives; hand what was received to
 *      ovpn_proxy_input(); on end of file or reset call ovpn_proxy_closed(). Each returns the step.
 *   4. DONE: bytes [*ret_used, len) of the last input are the first bytes of OpenVPN's own stream:
 *      they go where bytes received from the socket go. Nothing is left in the output. The socket
 *      now is the socket of the link: free the machine.
 *      RECONNECT: close the socket, drop all that was received from it, continue with 2 on the same
 *      machine.
 *      NEED_CREDENTIALS: close the socket, ask, ovpn_proxy_set_credentials(), continue with 2.
 *      FAIL: close the socket; ovpn_proxy_failure() has the cause. PROXY: the proxy or its answer;
 *      PROXY_AUTH: the credentials or the method. A server that the proxy cannot reach is a PROXY
 *      too (such as "502 Bad Gateway"), so after PROXY the next remote is worth a try.
 *
 * UDP (socks-proxy with proto udp):
 *   The same with kind SOCKS_UDP; DONE means that the relay is ready. The TCP socket stays open and
 *   watched as long as the link lives: when it ends, the relay is gone (OVPN_FAIL_LINK); bytes
 *   received on it are ignored. A UDP socket is connected to ovpn_proxy_relay(), or, where its
 *   ip_len is 0, to the proxy's own address with the relay's port. The caller has resolved the
 *   `remote` (IPv4 unless the proxy is known for IPv6). Every datagram sent gets
 *   ovpn_socks_udp_header() in front, computed once per link (10 bytes for IPv4) or
 *   ovpn_socks_udp_add() in the headroom of the packet; every datagram received goes through
 *   ovpn_socks_udp_remove(). The header counts as overhead for MTU and MSS (inner.c does so). No
 *   kernel data channel offload.
 *
 * The routes: the proxy's address, not the server's, is what must stay outside the tunnel. */
#pragma once
#include "aead.h"
#include "config.h"
#include "secret.h"
#include "status.h"

typedef enum OvpnProxyKind {
  OVPN_PROXY_HTTP,
  OVPN_PROXY_SOCKS_TCP,
  OVPN_PROXY_SOCKS_UDP,
} OvpnProxyKind;

typedef struct OvpnProxyHeader {
  const char *name;  /* or, with value NULL, "Name: value" */
  const char *value; /* NULL = none */
} OvpnProxyHeader;

enum { OVPN_PROXY_HEADERS_MAX = 10 };

/* Everything is copied. */
typedef struct OvpnProxyParams {
  OvpnProxyKind kind;
  const char *host; /* the OpenVPN server: a name, or a literal without brackets; unused for UDP */
  uint16_t port;
  OvpnProxyAuth auth;
  const char *username;     /* NULL = not known; DOMAIN\user for NTLM */
  const OvpnBlob *password; /* NULL = empty */
  /* HTTP only */
  const char *http_version; /* "1.0", "1.1"; NULL = "1.0" */
  const char *user_agent;   /* NULL = none */
  const OvpnProxyHeader *headers;
  size_t n_headers;
  uint64_t wall_time; /* Unix seconds; NTLM */
  OvpnRandom random;
  void *random_user;
} OvpnProxyParams;

typedef enum OvpnProxyStep {
  OVPN_PROXY_CONTINUE,
  OVPN_PROXY_DONE,
  OVPN_PROXY_RECONNECT,
  OVPN_PROXY_NEED_CREDENTIALS,
  OVPN_PROXY_FAIL
} OvpnProxyStep;

/* An address with its port, as SOCKS knows them. */
typedef struct OvpnSocksAddress {
  uint8_t ip[16];
  uint8_t ip_len; /* 4, 16; 0 = none */
  uint16_t port;
} OvpnSocksAddress;

typedef struct OvpnProxy OvpnProxy;
/* FAIL_CONFIG: a host, port, version, agent or header that cannot be sent (text says which; nothing
 * with a control character ever gets into a request). FAIL_MEMORY. */
OvpnStatus ovpn_proxy_new(const OvpnProxyParams *params, OvpnProxy **ret, OvpnFailure *f);
void ovpn_proxy_free(OvpnProxy *p); /* wipes; NULL ok */
/* FAIL_PROXY_AUTH: a user name that no method can carry. FAIL_MEMORY. */
OvpnStatus ovpn_proxy_set_credentials(OvpnProxy *p, const char *username, const OvpnBlob *password,
                                      OvpnFailure *f);
/* A new TCP connection to the proxy is up. */
OvpnProxyStep ovpn_proxy_start(OvpnProxy *p);
/* Bytes of the proxy. *ret_used is below len only when the step is not CONTINUE. */
OvpnProxyStep ovpn_proxy_input(OvpnProxy *p, const void *data, size_t len, size_t *ret_used);
OvpnProxyStep ovpn_proxy_closed(OvpnProxy *p); /* the proxy ended the connection */
/* Bytes to send, 0 = none. What was handed out is wiped here. */
size_t ovpn_proxy_output(OvpnProxy *p, void *buf, size_t cap);
OvpnProxyStep ovpn_proxy_step(const OvpnProxy *p);
const OvpnFailure *ovpn_proxy_failure(const OvpnProxy *p);
/* SOCKS_UDP, after DONE: where datagrams go. ip_len 0: to the proxy's own address. */
const OvpnSocksAddress *ovpn_proxy_relay(const OvpnProxy *p);

/* The head of a relayed datagram (RFC 1928 §7): 10 bytes for IPv4, 22 for IPv6. */
enum { OVPN_SOCKS_UDP_HEADER = 10, OVPN_SOCKS_UDP_HEADER_MAX = 22 };
/* Returns its length; 0 when `to` is no address. */
size_t ovpn_socks_udp_header(const OvpnSocksAddress *to, uint8_t out[OVPN_SOCKS_UDP_HEADER_MAX]);
/* Puts the head in front of the packet; needs OVPN_SOCKS_UDP_HEADER_MAX bytes of headroom before *p
 * (10 are enough for IPv4). */
void ovpn_socks_udp_add(const OvpnSocksAddress *to, uint8_t **p, size_t *len);
/* Moves *p behind the head. TRUNCATED, FORMAT (a fragment, or a sender that is a name) and EMPTY
 * change nothing. ret_from may be NULL. */
OvpnStatus ovpn_socks_udp_remove(uint8_t **p, size_t *len, OvpnSocksAddress *ret_from);
