/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages over the two inherited SOCK_SEQPACKET socket pairs: service <-> engine, service <->
 * helper.
 *
 * One datagram = {u16 type, u16 version = 1, u32 body length} + body written with OvpnWriter; at
 * most OVPN_IPC_MAX bytes, and one descriptor or none, as the type says (fds below). Codec only:
 * pure functions on memory. The receiver checks type, direction, legality in its state, exact body
 * length (nothing may follow), every value; on anything else the engine and the helper exit and the
 * service fails the connection. Peers are processes of ours that may be compromised. */
#pragma once
#include <netinet/in.h>
#include <sys/socket.h>
#include "config.h"
#include "options.h"
#include "status.h"
#include "wire.h"

enum {
  OVPN_IPC_VERSION = 1,
  OVPN_IPC_HEADER = 8,
  OVPN_IPC_MAX = 65536,
  OVPN_IPC_FD = 3 /* descriptor number of the socket in the helper and in the engine */
};

/*  X(NAME, value, fds) ; body in the comment */
#define OVPN_IPC_ENGINE_LIST(X)                                                                    \
  /* service -> engine */                                                                          \
  X(OPTIONS, 1, 0) /* u16 n | n options (ovpn_option_encode); repeatable before START */           \
  X(FILE, 2, 1)    /* u8 OvpnFileId | fd open for reading; before START */                         \
  X(START, 3,                                                                                      \
    0) /* config complete: engine builds OvpnConfig, loads keys, answers READY or FAILED */        \
  X(LINK, 4, 1)   /* u8 OvpnProto | u8 family 4/6 | u16 remote (its index) | u8 proxy (1 = the fd  \
                     leads to it) | str16 host | u16 port of the server, for the proxy | u16       \
                     number, for CHOSEN, FAILED and DROP | u8 beside (1 = until one of them is     \
                     answered, the other links stay) | u8 OvpnIpcLinkMode | address and port of    \
                     the peer, where the fd is not connected | fd: new session */                  \
  X(ANSWER, 5, 0) /* u8 OvpnNeed | str16 user name | str16 password or other answer */             \
  X(TUN, 6, 1)    /* u8 tap | u8 vnet_hdr (1 = yes, 2 = TSO, 4 = USO) | u16 mtu | fd */            \
  X(CLOSE, 7, 0)  /* leave politely, then exit */                                                  \
  X(GET_STATS, 8, 0)                                                                               \
  X(SOCKET, 10, 1) /* what SOCKET_WANTED asked for: u16 number | connected fd */                   \
  X(DROP, 12, 0)   /* u16 number: close that link without a word */                                \
  X(GUARD, 13, 0)  /* u8 on | u16 n | n times 16 bytes and u8 bits: the IPv6 that the tunnel is    \
                      for; the rest is refused */                                                  \
  X(SIGNER, 11, 1) /* socket to nm-ovpn-signer, for a key on a token; later: another one */        \
  X(DHCP, 14, 0)   /* the TAP of the next TUN gets its addresses by DHCP: see                      \
                      ovpn_dhcp_params_encode */                                                   \
  /* engine -> service */                                                                          \
  X(READY, 32, 0)                                                                                  \
  X(STATE, 33, 0) /* u8 OvpnSessionState */                                                        \
  X(NEED, 34,                                                                                      \
    0) /* u8 OvpnNeed | u8 flags (1 = echo, 2 = previous answer was wrong, 4 = an empty answer     \
          will not do) | u16 seconds the server waits, 0 = not told | str16 clean text */          \
  X(PUSHED, 35, 0) /* u8 last | u16 n | n options; repeated until last = 1 */                      \
  X(UP, 36, 0)     /* keys and TUN in place; str16 cipher | u16 tun payload mtu */                 \
  X(FAILED, 37,                                                                                    \
    0) /* u16 status | u32 arg | str16 text | u16 number of the link, 0 = none | u8 others (1 =    \
          of several, and they go on): the session is over; engine waits for LINK */               \
  X(LOG, 38, 0)            /* u8 level (syslog 3..7) | u16 OvpnLogCode | str16 text */             \
  X(STATS, 39, 0)          /* OvpnStats in order of its fields, u64 each */                        \
  X(CLOSED, 40, 0)         /* exit notification done */                                            \
  X(SILENT, 45, 0)         /* u8: 1 = the server of the tunnel does not answer, 0 = now it does */ \
  X(CHOSEN, 42, 0)         /* u16 number: that link was answered, the others are closed */         \
  X(SOCKET_WANTED, 41, 0)  /* u16 number of link | u8 udp | u8 4, 16 or 0 | address | u16 port.    \
                              udp 0: a new connection to the proxy; udp 1: the relay, where no     \
                              address means that of the proxy; without a proxy the server again */ \
  X(LEASE, 43, 0)          /* after DHCP, before UP and when something changes: u16 n | n options, \
                              see lease.h */                                                       \
  X(PEER, 46, 0)           /* address and port: where the peer is from now on */                   \
  X(CALLER_REFUSED, 47, 0) /* address and port as in PEER | u16 status | u32 arg | str16 text: a   \
                              call without success */

/* How the descriptor of LINK came about. */
typedef enum OvpnIpcLinkMode {
  OVPN_LINK_CONNECTED,
  OVPN_LINK_OPEN,    /* UDP: takes packets from everywhere; the peer's address is given */
  OVPN_LINK_WAITING, /* UDP: the same, and who the peer is will be seen */
} OvpnIpcLinkMode;

typedef enum OvpnIpcType {
#define X(n, v, f) OVPN_IPC_##n = v,
  OVPN_IPC_ENGINE_LIST(X)
#undef X
} OvpnIpcType;

/* Number of descriptors a type carries, -1 for an unknown type. */
int ovpn_ipc_fds(uint16_t type);
const char *ovpn_ipc_name(uint16_t type);

/* Begins a message: header with length 0. end patches the length and returns the total (0 =
 * overflow). */
OvpnWriter ovpn_ipc_begin(uint8_t *buf, size_t cap, uint16_t type);
size_t ovpn_ipc_end(OvpnWriter *w);
/* Checks header and length of one datagram; *ret_body is positioned on the body. */
OvpnStatus ovpn_ipc_open(const uint8_t *msg, size_t len, uint16_t *ret_type, OvpnReader *ret_body);
/* str16: u16 length + bytes, no NUL inside. read returns a malloc'ed NUL-terminated copy (NULL +
 * r->ok = false on error, longer than max, or a NUL inside). */
void ovpn_ipc_write_str(OvpnWriter *w, const char *s); /* NULL = empty */
char *ovpn_ipc_read_str(OvpnReader *r, size_t max);
/* u8 0, 4 or 16 | address | u16 port | with 16: u32 scope; NULL = none. read: without one *ret is
 * AF_UNSPEC, which is an error unless `may_miss`. */
void ovpn_ipc_write_address(OvpnWriter *w, const struct sockaddr_storage *a);
bool ovpn_ipc_read_address(OvpnReader *r, bool may_miss, struct sockaddr_storage *ret);
/* For secrets: same wire form; the old content of *b is wiped. */
void ovpn_ipc_read_blob(OvpnReader *r, OvpnBlob *b, size_t max);

/* Log codes the engine can send; service/ has the English. text = detail, already escaped. */
#define OVPN_LOG_LIST(X)                                                                           \
  X(TEXT)                                                                                          \
  X(TLS_SESSION)                                                                                   \
  X(PUSH_IGNORED) X(RENEGOTIATED) X(FALLBACK) X(SERVER_TEXT) X(WEAK) X(DHCP)
typedef enum OvpnLogCode {
#define X(n) OVPN_LOG_##n,
  OVPN_LOG_LIST(X)
#undef X
      OVPN_LOG_MAX_
} OvpnLogCode;

typedef struct OvpnStats {
  uint64_t link_rx_bytes, link_tx_bytes, link_rx_packets, link_tx_packets;
  uint64_t tun_rx_bytes, tun_tx_bytes, tun_rx_packets, tun_tx_packets; /* rx = read from TUN */
  uint64_t drops_auth, drops_replay, drops_other, drops_tun, drops_link;
  uint64_t wakeups;
  uint64_t tun_rx_calls, tun_tx_calls;   /* super-packets and single ones */
  uint64_t link_tx_calls, link_rx_calls; /* messages of one or many datagrams; UDP only */
  uint64_t fallbacks; /* ways of batching given up because the kernel or the path refused */
  /* more reasons */
  uint64_t drops_key;    /* received: no key of that number */
  uint64_t drops_format; /* received: framing or IP header; read from TUN: no packet at all */
  uint64_t drops_down;   /* no payload flows yet, or there is no key to send with */
  uint64_t drops_back;   /* read from TUN: to the server itself */
  uint64_t drops_ipv6;   /* read from TUN: answered, the tunnel has no IPv6 */
  uint64_t drops_queue;  /* read from TUN: it has held packets too long, the link is slow */
  uint64_t drops_room;   /* no room for the pieces of a packet */
} OvpnStats;
enum { OVPN_STATS_FIELDS = sizeof(OvpnStats) / sizeof(uint64_t) };

/* ---- service <-> helper: fixed-size requests and replies, memcpy'ed structs in host byte order
 * (same machine, same build; `version` guards). Anything of another size or value: the helper
 * exits. */
enum { OVPN_BROKER_VERSION = 1, OVPN_BROKER_PATH_MAX = 4096, OVPN_BROKER_NAME_MAX = 64 };
typedef enum OvpnBrokerOp {
  OVPN_BROKER_OPEN_TUN = 1,
  OVPN_BROKER_OPEN_LINK = 2,
  OVPN_BROKER_OPEN_FILE = 3
} OvpnBrokerOp;

typedef enum OvpnBrokerLinkMode {
  OVPN_BROKER_CONNECT,
  OVPN_BROKER_OPEN,   /* UDP: bound, not connected; remote says what must be reachable */
  OVPN_BROKER_LISTEN, /* bound to local; UDP or TCP; no remote */
} OvpnBrokerLinkMode;

typedef struct OvpnBrokerRequest {
  uint32_t version, op, serial;
  union {
    struct {
      uint8_t tap, vnet_hdr;
      char name[16]; /* "" = kernel chooses */
    } tun;
    struct {
      uint8_t tcp, has_local, pmtu_disc /* 0 unset, 1 no, 2 maybe, 3 yes */;
      uint8_t mode;                          /* OvpnBrokerLinkMode */
      uint8_t v6only;                        /* LISTEN, IPv6: no IPv4 besides */
      uint32_t mark, sndbuf, rcvbuf;         /* 0 = default */
      struct sockaddr_storage remote, local; /* AF_INET or AF_INET6 */
      char bind_dev[16];
    } link;
    struct {
      char path[OVPN_BROKER_PATH_MAX];  /* absolute, NUL-terminated */
      char owner[OVPN_BROKER_NAME_MAX]; /* user name; "" = root (connection for all users) */
      uint8_t directory;                /* 1: a directory is wanted instead of a regular file */
    } file;
  };
} OvpnBrokerRequest;

typedef struct OvpnBrokerReply {
  uint32_t version, op, serial;
  int32_t error;   /* 0 and one fd attached, or an errno and none */
  char ifname[16]; /* OPEN_TUN */
  uint32_t ifindex;
  uint8_t vnet_hdr;      /* what the kernel granted: 1 = yes, 2 = TSO, 4 = USO */
  uint8_t owner_unknown; /* OPEN_FILE: no such user */
} OvpnBrokerReply;
