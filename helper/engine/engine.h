/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine's one structure, and who does what with it:
 *   control.c  messages from and to the service, legality of each      setup.c  START:
 * configuration, files, keys drive.c    the session: its events, packets and end loop.c   epoll,
 * batches, deadlines      via.c    through a proxy */
#pragma once
#include "helper/core/dhcp.h"
#include "helper/core/ipc.h"
#include "helper/core/session.h"
#include "helper/core/signer.h"
#include "helper/engine/caller.h"
#include "helper/engine/datapath.h"
#include "helper/engine/race.h"
#include "helper/engine/revive.h"
#include "helper/engine/via.h"
#include "helper/engine/worker.h"

typedef enum EnginePhase {
  ENGINE_CONFIG,     /* OPTIONS, FILE, START */
  ENGINE_PASSPHRASE, /* NEED(PASSPHRASE) was sent */
  ENGINE_REFUSED,    /* the configuration cannot be used: only CLOSE */
  ENGINE_IDLE,       /* ready, no session: LINK */
  ENGINE_SESSION,
  ENGINE_CLOSING,
} EnginePhase;

/* Addresses by DHCP. */
typedef struct EngineLease {
  bool asked;  /* for the next TUN */
  bool wanted; /* for the present one */
  bool running, told;
  OvpnDhcpParams params;
  OvpnDhcp dhcp;
} EngineLease;

struct Engine {
  int ipc;
  EnginePhase phase;
  bool exit; /* the loop ends */
  /* configuration */
  OvpnOptionList options;
  OvpnBlob files[OVPN_FILE_MAX];
  OvpnConfig config;
  OvpnTlsContext *tls;
  OvpnCredentials credentials;
  OvpnBlob passphrase;
  int signer;             /* socket to nm-ovpn-signer, -1 = none */
  uint32_t signer_serial; /* of the latest question */
  OvpnSigner signer_calls;
  /* session */
  OvpnSession *session; /* the worker's while that is busy */
  Worker worker;
  uint64_t worker_now;          /* of the packet it has */
  bool answer_wanted;           /* the session waits for credentials */
  bool answered_once;           /* flag "previous answer was wrong" of NEED */
  bool pushed;                  /* PUSHED was sent in some session: TUN is legal */
  bool tun_current;             /* TUN has answered the latest PUSHED of this session */
  const OvpnDataCipher *cipher; /* of the newest data key */
  int32_t peer_id;
  unsigned path_mtu;       /* 0 = not known */
  uint64_t path_at;        /* ns; when to look at it again */
  uint64_t close_deadline; /* 0 = none */
  Link link;
  Via via;
  Revive revive;
  Race race;
  Caller caller;
  Tun tun;
  EngineLease lease;
  Datapath dp;
  Batch rx, tx; /* tx is the only queue towards the server: control and data packets alike */
  bool rx_more; /* the last receive left packets behind */
  unsigned fallbacks_told;
  /* loop */
  int epoll;
  int alarm;            /* timerfd of the clock that goes on while the computer sleeps */
  uint64_t alarm_at;    /* 0 = not set */
  uint64_t sleep_until; /* what the loop has waited for, UINT64_MAX = nothing in particular */
  uint64_t slept;       /* ns that the computer slept since it was started, when looked at last */
  uint64_t looked;      /* when it was asked whether this process was away */
  Watch ipc_watch, link_watch, tun_watch, worker_watch;
  uint64_t now;
  uint8_t msg[OVPN_IPC_MAX];
};

/* control.c */
bool control_receive(Engine *e); /* one message; exits on an illegal one; false: none is there */
void control_send_ready(Engine *e);
void control_send_state(Engine *e, OvpnSessionState s);
void control_send_need(Engine *e, OvpnNeed need, unsigned flags, uint32_t seconds,
                       const char *text);
void control_send_pushed(Engine *e, const OvpnOptionList *l);
void control_send_lease(Engine *e, const OvpnOptionList *l);
void control_send_up(Engine *e, const char *cipher, unsigned mtu);
/* number: of the link; others: of several, and they go on */
void control_send_failed(Engine *e, const OvpnFailure *f, uint16_t number, bool others);
void control_send_silent(Engine *e, bool silent);
void control_send_chosen(Engine *e, uint16_t number);
void control_send_closed(Engine *e);
/* SOCKET_WANTED; the address is of the relay */
void control_send_socket_wanted(Engine *e, uint16_t number, bool udp,
                                const OvpnSocksAddress *relay);
/* PEER and CALLER_REFUSED */
void control_send_peer(Engine *e, const struct sockaddr_storage *peer);
void control_send_caller_refused(Engine *e, const struct sockaddr_storage *from,
                                 const OvpnFailure *f);
void control_log(Engine *e, int level, unsigned code, const char *text);

/* setup.c */
bool setup_read_file(Engine *e, OvpnFileId id,
                     int fd); /* false = unreadable or too large; fd stays open */
/* signing.c: OvpnSigner.sign; user is the Engine */
size_t signing_sign(void *user, OvpnSignerOp op, uint32_t algorithm, uint32_t flags,
                    const void *data, size_t len, uint8_t ret[OVPN_SIGNATURE_MAX]);

void setup_start(Engine *e);      /* -> READY, NEED or FAILED */
void setup_passphrase(Engine *e); /* the pass phrase has arrived */
void engine_clear(Engine *e);

/* drive.c */
/* A new link, which takes over its fd and replaces an old session: `remote` as in the profile. */
struct DriveLink {
  OvpnProto proto;
  bool ipv6, proxy, beside; /* beside: the present one is not replaced yet, see race.h */
  uint16_t number;
  unsigned remote;
  const char *host; /* with a proxy: where it leads to */
  uint16_t port;
  OvpnIpcLinkMode mode;
  struct sockaddr_storage peer; /* of OVPN_LINK_OPEN */
  int fd;
};
void drive_link(Engine *e, const DriveLink *l);
/* A session on that link, for the options that are selected; accepted: with a peer that has called,
 * else NULL. */
OvpnStatus drive_new_session(Engine *e, const Link *l, const OvpnAccepted *accepted,
                             OvpnSession **ret, OvpnFailure *f);
/* Link, session and the way through a proxy are replaced by others, which are taken; s: NULL = none
 * yet. */
void drive_take_over(Engine *e, const Link *l, OvpnSession *s, const Via *v);
/* The service is not interested in the present link any more. */
void drive_drop(Engine *e);
/* The session is replaced by one that has been answered already. */
void drive_replace(Engine *e, OvpnSession *next);
/* Opens link and session on a connected descriptor and takes it over. */
void drive_open(Engine *e, OvpnProto proto, bool ipv6, int fd);
/* A control packet. session: it may be for the present one. true: it was, and was accepted. The
 * session may be gone afterwards. */
bool drive_control(Engine *e, const uint8_t *p, size_t len, const struct sockaddr_storage *from,
                   bool session);
void drive_answer(Engine *e);
void drive_tun(Engine *e, int fd, bool tap, unsigned mtu, unsigned flags); /* TUN_x */
void drive_close(Engine *e);
void drive_fail(Engine *e, const OvpnFailure *f); /* the session is over: FAILED */
void drive_packets(Engine *e, unsigned control);  /* of rx, so many are for the session */
bool drive_start(Engine *e);                      /* the worker; before the sandbox is closed */
void drive_work(Engine *e);                       /* the next control packet goes to the worker */
void drive_worked(Engine *e);                     /* what the worker has finished */
void drive_catch_up(Engine *e); /* waits for it, and takes the packets behind it too */
void drive_settle(Engine *e);   /* events, deadlines and output until nothing is left to do */
uint64_t drive_deadline(const Engine *e);
void drive_flush(Engine *e);

/* lease.c */
void lease_ask(Engine *e, const OvpnDhcpParams *p); /* for the next TUN */
void lease_new_tun(Engine *e);
bool lease_ready(Engine *e);  /* may payload flow? All but the addresses is there */
void lease_settle(Engine *e); /* frames and events; may end the session */
uint64_t lease_deadline(const Engine *e);
void lease_end(Engine *e); /* with the session */
void lease_release(Engine *e);

/* loop.c */
bool loop_init(Engine *e);
void loop_forget_link(Engine *e); /* before its descriptor is closed */
void loop_forget_tun(Engine *e);
void loop_forget_via(Engine *e, Via *v);
void loop_forget_rival(Engine *e, unsigned i);
void loop_run(Engine *e);
void engine_random(void *user, uint8_t *buf, size_t len);
