/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The service's end of the socket to nm-ovpn-engine: starts the program, sends it orders, and turns
 * what it says into callbacks.
 *
 * The engine talks to the network and may be in hostile hands. So every message is decoded
 * completely and checked (type, legality, lengths, ranges, UTF-8) before a callback sees it; on the
 * first bad one the engine is killed and on_gone is called. All texts handed to callbacks are valid
 * UTF-8 without control characters, and borrowed: copy what you keep. Callbacks come from the main
 * context that was the thread's default at spawn, never from inside a sender. A callback may call
 * senders and nmovpn_engine_free(). */
#pragma once
#include <gio/gio.h>
#include "helper/core/ipc.h"
#include "helper/core/lease.h"
#include "helper/core/options.h"
#include "helper/core/session.h"
#include "service/netconfig.h"

#define NMOVPN_ENGINE_ERROR (nmovpn_engine_error_quark())
GQuark nmovpn_engine_error_quark(void);
typedef enum {
  NMOVPN_ENGINE_ERROR_SPAWN, /* socket pair, fork or exec failed */
  NMOVPN_ENGINE_ERROR_SEND,  /* the engine is gone or does not read */
  NMOVPN_ENGINE_ERROR_SIZE,  /* does not fit into a message */
} NmOvpnEngineError;

typedef struct NmOvpnEngine NmOvpnEngine;
enum { NMOVPN_GUARD_MAX = 1024 };

typedef struct NmOvpnQuestion {
  OvpnNeed need;
  gboolean echo, wrong, required; /* wrong: the previous answer was refused */
  guint seconds;                  /* the server waits that long, 0 = not told */
  const char *text; /* the server's prompt, may be ""; for BROWSER a checked address */
} NmOvpnQuestion;

/* Any member may be NULL. */
typedef struct NmOvpnEngineCallbacks {
  /* configuration and keys are loaded (after START): send links now */
  void (*on_ready)(NmOvpnEngine *e, gpointer user_data);
  void (*on_state)(NmOvpnEngine *e, OvpnSessionState state, gpointer user_data);
  void (*on_need)(NmOvpnEngine *e, const NmOvpnQuestion *question, gpointer user_data);
  /* the complete list (chunks are joined). Answer with nmovpn_engine_send_tun(), every time */
  void (*on_pushed)(NmOvpnEngine *e, const OvpnOptionList *pushed, gpointer user_data);
  /* what a DHCP server gave, as options (helper/core/lease.h); on_up may follow */
  void (*on_lease)(NmOvpnEngine *e, const OvpnOptionList *lease, gpointer user_data);
  void (*on_up)(NmOvpnEngine *e, const char *cipher, guint mtu, gpointer user_data);
  /* the session is over (before READY: the configuration is refused); the engine lives and waits
   * for a link. number: the one of the link, 0 = of none; others: of several links, and those go
   * on */
  void (*on_failed)(NmOvpnEngine *e, const OvpnFailure *failure, guint number, gboolean others,
                    gpointer user_data);
  /* the server of the tunnel does not answer: links beside the present one may be sent, to where it
   * is now and to others; or it does again, and they are closed */
  void (*on_silent)(NmOvpnEngine *e, gboolean silent, gpointer user_data);
  /* of several links, this one was answered; the others are closed. Also for a single one */
  void (*on_chosen)(NmOvpnEngine *e, guint number, gpointer user_data);
  /* the proxy asks for a new connection (udp FALSE), or a relay is ready: where it is, or nothing
   * (ip_len 0) for the address of the proxy; without a proxy, another socket to the server. Answer
   * with nmovpn_engine_send_socket() */
  void (*on_socket_wanted)(NmOvpnEngine *e, guint number, gboolean udp, const guint8 *ip,
                           guint ip_len, guint16 port, gpointer user_data);
  /* where the peer is from now on: it called, or its address has changed */
  void (*on_peer)(NmOvpnEngine *e, const struct sockaddr_storage *peer, gpointer user_data);
  /* somebody called without success; the engine waits for others */
  void (*on_caller_refused)(NmOvpnEngine *e, const struct sockaddr_storage *from,
                            const OvpnFailure *failure, gpointer user_data);
  /* level: syslog 3..7 */
  void (*on_log)(NmOvpnEngine *e, int level, OvpnLogCode code, const char *text,
                 gpointer user_data);
  void (*on_stats)(NmOvpnEngine *e, const OvpnStats *stats, gpointer user_data);
  /* the polite goodbye is done; on_gone follows */
  void (*on_closed)(NmOvpnEngine *e, gpointer user_data);
  /* last callback, exactly once unless freed before: the process has ended or is being killed.
   * `expected`: after on_closed with exit status 0. why: for the log, not translated */
  void (*on_gone)(NmOvpnEngine *e, gboolean expected, const char *why, gpointer user_data);
} NmOvpnEngineCallbacks;

NmOvpnEngine *nmovpn_engine_spawn(const NmOvpnEngineCallbacks *callbacks, gpointer user_data,
                                  GError **error);
/* Closes the socket, which ends the engine (SIGKILL follows at once), and reaps it in the
 * background. No callback comes after this. NULL ok. */
void nmovpn_engine_free(NmOvpnEngine *e);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NmOvpnEngine, nmovpn_engine_free)

/* Senders: FALSE and an error when the engine cannot take it. A full socket is waited for up to 2
 * s. File descriptors are borrowed: the caller closes its own copy after the call. */
/* Inline content is not carried: send_file what has content. Splits into as many messages as
 * needed. */
gboolean nmovpn_engine_send_options(NmOvpnEngine *e, const OvpnOptionList *options, GError **error);
gboolean nmovpn_engine_send_file(NmOvpnEngine *e, OvpnFileId id, int fd, GError **error);
/* The same from memory (data: URIs, inline blocks): goes by a sealed memfd. */
gboolean nmovpn_engine_send_file_content(NmOvpnEngine *e, OvpnFileId id, const void *data,
                                         gsize len, GError **error);
/* Before start: the socket of nm-ovpn-signer, which holds the private key. */
gboolean nmovpn_engine_send_signer(NmOvpnEngine *e, int fd, GError **error);
gboolean nmovpn_engine_send_start(NmOvpnEngine *e, GError **error);
typedef struct NmOvpnEngineLink {
  OvpnProto proto;
  gboolean ipv6;
  guint remote;     /* OvpnRemote.index */
  const char *host; /* fd leads to the proxy of that remote, and this is where to go from there; a
                       literal for UDP; NULL = fd leads to the server */
  guint16 port;
  guint16 number;  /* of this link, from 1 on */
  gboolean beside; /* other links stay open until one of them is answered */
  OvpnIpcLinkMode mode;
  const struct sockaddr_storage *peer; /* of OVPN_LINK_OPEN, else NULL */
  int fd;                              /* non-blocking */
} NmOvpnEngineLink;
gboolean nmovpn_engine_send_link(NmOvpnEngine *e, const NmOvpnEngineLink *link, GError **error);
/* That link is closed; nothing comes of it any more, except what is on its way. */
gboolean nmovpn_engine_send_drop(NmOvpnEngine *e, guint16 number, GError **error);
/* number: of SOCKET_WANTED */
gboolean nmovpn_engine_send_socket(NmOvpnEngine *e, guint16 number, int fd, GError **error);
/* May be sent ahead, any time after spawn. */
gboolean nmovpn_engine_answer_user_pass(NmOvpnEngine *e, const char *user, const char *password,
                                        GError **error);
gboolean nmovpn_engine_answer_proxy(NmOvpnEngine *e, const char *user, const char *password,
                                    GError **error);
gboolean nmovpn_engine_answer_passphrase(NmOvpnEngine *e, const char *passphrase, GError **error);
/* need: OVPN_NEED_STATIC_CHALLENGE (send it before USER_PASS), CHALLENGE or QUESTION */
gboolean nmovpn_engine_answer_challenge(NmOvpnEngine *e, OvpnNeed need, const char *response,
                                        GError **error);
/* Before send_tun: the addresses of that TAP come by DHCP, so on_lease is called before on_up. */
gboolean nmovpn_engine_send_dhcp(NmOvpnEngine *e, const OvpnDhcpParams *params, GError **error);
gboolean nmovpn_engine_send_tun(NmOvpnEngine *e, gboolean tap, guint vnet_hdr, guint mtu, int fd,
                                GError **error);
/* Of IPv6, only these go through the tunnel (NmOvpnPrefix6), the rest is refused; NULL, or more
 * than NMOVPN_GUARD_MAX: everything goes. */
gboolean nmovpn_engine_send_guard(NmOvpnEngine *e, const GArray *prefixes, GError **error);
gboolean nmovpn_engine_send_close(NmOvpnEngine *e, GError **error); /* on_closed, then on_gone */
gboolean nmovpn_engine_send_get_stats(NmOvpnEngine *e, GError **error);
