/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the files of an attempt (attempt*.c) share; above its functions stands whose they are.
 * The state changes in nmovpn_attempt_set_state() only. */
#pragma once
#include <gio/gio.h>
#include "helper/core/config.h"
#include "helper/core/push.h"
#include "service/attempt.h"
#include "service/engine-client.h"
#include "service/failure.h"
#include "service/netconfig.h"
#include "service/route-names.h"
#include "service/secrets.h"

#define NMOVPN_ATTEMPT_STATE_LIST(X)                                                               \
  X(IDLE)                                                                                          \
  X(PREPARING)                                                                                     \
  X(RESOLVING)                                                                                     \
  X(LINKING) X(NEGOTIATING) X(WAITING_SECRETS) X(CONFIGURING) X(UP) X(RECONNECTING) X(STOPPING)
typedef enum NmOvpnAttemptState {
#define X(n) NMOVPN_ATTEMPT_##n,
  NMOVPN_ATTEMPT_STATE_LIST(X)
#undef X
} NmOvpnAttemptState;

/* One address that is tried, or in use. */
typedef struct NmOvpnPlace {
  size_t remote;                  /* of config.remotes */
  struct sockaddr_storage server; /* or the proxy's, when via_proxy */
  char *server_name;              /* "host:port" for people */
  guint16 port, proxy_port;
  const char *proxy_host; /* of config */
  char *target;           /* UDP through a proxy: address of the server; NULL = not known yet */
  gboolean via_proxy;     /* the addresses are the proxy's */
  int fd;                 /* TCP socket that is still connecting; -1 */
  guint16 number;         /* of the link that the engine was given, 0 = none */
  gboolean socket_wanted; /* what is being connected is the answer to the engine */
  gboolean relayed;       /* the proxy has done its part */
} NmOvpnPlace;

typedef struct NmOvpnRival NmOvpnRival;   /* attempt-race.c */
typedef struct NmOvpnSearch NmOvpnSearch; /* attempt-elsewhere.c */

/* attempt-pause.c; ms on the monotonic clock */
typedef struct NmOvpnPause {
  gint64 began, until;
  gint64 slept; /* how far the clock that knows sleep was ahead then */
  int routes_fd;
  GSource *routes;
} NmOvpnPause;

struct NmOvpnAttempt {
  NmOvpnBroker *broker;
  NmOvpnAttemptCallbacks callbacks;
  gpointer user_data;
  NmOvpnAttemptState state;

  /* the profile; fixed after start */
  NMConnection *connection;
  OvpnSessionState session; /* the engine's newest word */
  guint network_waits;
  gboolean interactive;
  OvpnOptionList options;
  OvpnConfig config;
  int files[OVPN_FILE_MAX]; /* -1 = none or inline; kept to be able to start the engine again */
  NmOvpnSecrets secrets;

  NmOvpnEngine *engine;
  gboolean engine_ready;

  /* where we are in the list of servers */
  NmOvpnPlace place;  /* the front one, see attempt-race.c */
  size_t round_index; /* of config.remotes: how far the list was tried */
  size_t tried;       /* remotes that failed since the last success */
  GCancellable *resolving;
  GHashTable *known_names; /* attempt-names.c */
  GCancellable *looking_ahead;
  GSList *addresses, *next_address; /* GInetAddress of the current remote */
  GSList *locals;                   /* GInetAddress of ours that local names; NULL = any */
  int listen_fd;                    /* TCP socket on which the peer calls; -1 */
  GSource *listen_source;
  GSource *link_source;
  gboolean server_answered;   /* in this session */
  OvpnFailure open_failure;   /* why a socket could not be opened */
  OvpnFailure first_failure;  /* of this round; the cause that is told */
  char *first_failure_server; /* whom it is about */
  guint16 newest_link;        /* number that was given last */
  GSList *rivals;             /* NmOvpnRival, oldest first: tried before, and may still answer */
  gint good;                  /* remote with which it was up last; -1 = none */
  guint64 unfit; /* remotes (bits) that proved useless since: bad certificates and the like */
  NmOvpnSearch *search; /* attempt-elsewhere.c; NULL = none */
  gint moved_from;      /* remote that the tunnel has left, until it is up at the next; -1 = none */
  GSource *race_timer;  /* then the next one is tried too */
  gboolean race_blocked; /* there were too many for that */
  gint64 link_until;     /* monotonic, us: the end of the turn */

  /* asking */
  OvpnNeed pending;   /* what NewSecrets answers */
  gboolean need_link; /* the session is over: the answer is followed by a new link */
  guint n_refused;    /* passwords that the server refused in a row */
  guint n_proxy_refused;
  OvpnNeed signin;               /* what the server waits for in this session: attempt-signin.c */
  char *page;                    /* to open in a browser; wiped */
  char *refusal;                 /* sentence about the answer before */
  gboolean person;               /* a password alone is not enough here */
  gint64 started_at, wait_until; /* monotonic, us; until when the server waits, 0 = not told */
  GSource *wait_timer;
  gboolean pin_refused;
  char *refused_pin;    /* never tried again: tokens lock themselves; wiped */
  gboolean token_doubt; /* it made no signature: it may have been away */

  /* the tunnel */
  NmOvpnBrokerTun
      tun; /* fd -1 = none; our copy is there to be sent again and is closed with the engine */
  OvpnPushed pushed;
  gboolean have_pushed, was_up;
  /* TAP whose server gives no address: attempt-lease.c */
  gboolean lease_wanted;
  OvpnOptionList lease, lease_profile, lease_pushed; /* what makes `pushed` anew */
  NmOvpnRouteNames *names; /* look-up for a push that is applied afterwards */
  guint mtu;
  NmOvpnNetconfig netconfig;
  gboolean have_netconfig;

  GSource *state_timer;              /* of the current state; set_state clears it */
  GSource *overall_timer;            /* from start until up */
  gint64 up_at;                      /* monotonic, us; when it last came up */
  gboolean not_answered, slow_round; /* before the first success */
  gboolean silent;                   /* this round ended by nobody answering in time */
  guint rounds;                      /* through all servers since it was up last */
  guint quick;                       /* reconnections so far that were tried without much waiting */
  guint backoff;                     /* s, next delay of a reconnection */
  NmOvpnPause pause;
};

enum {
  NMOVPN_ATTEMPT_REFUSED_MAX = 3,    /* wrong passwords in a row */
  NMOVPN_ATTEMPT_LIMIT_SECONDS = 60, /* libnm gives up after this; so does NetworkManager */
  NMOVPN_ATTEMPT_LIMIT_RESERVE = 4,  /* told in time, the cause is ours instead of "timed out" */
};

/* attempt.c */
void nmovpn_attempt_set_state(NmOvpnAttempt *a, NmOvpnAttemptState s);
char *nmovpn_attempt_sentence(const NmOvpnAttempt *a, const OvpnFailure *f);
gboolean nmovpn_attempt_start_engine(NmOvpnAttempt *a, GError **error);
void nmovpn_attempt_clear_source(GSource **s);
/* Takes the source; what was in the slot before ends. A callback that ends its source clears the
 * slot. */
void nmovpn_attempt_attach(GSource **slot, GSource *source, GSourceFunc f, gpointer data);
void nmovpn_attempt_start_timer(NmOvpnAttempt *a, GSource **slot, guint seconds, GSourceFunc f);
void nmovpn_attempt_start_timer_ms(NmOvpnAttempt *a, GSource **slot, guint ms, GSourceFunc f);

/* attempt-next.c */
void nmovpn_attempt_reconnect(NmOvpnAttempt *a, const OvpnFailure *f); /* it was up */
void nmovpn_attempt_try_remote(NmOvpnAttempt *a);           /* the current one, from its name on */
void nmovpn_attempt_retry_soon(NmOvpnAttempt *a, guint ms); /* the same, after a pause */
void nmovpn_attempt_start_limit(NmOvpnAttempt *a);
void nmovpn_attempt_stop_limit(NmOvpnAttempt *a);
void nmovpn_attempt_fail_internal(NmOvpnAttempt *a, const char *what);
void nmovpn_attempt_fail(NmOvpnAttempt *a, const OvpnFailure *f);
void nmovpn_attempt_link_failed(NmOvpnAttempt *a,
                                const OvpnFailure *f); /* this address did not work: the next one */
void nmovpn_attempt_resolved(NmOvpnAttempt *a);
void nmovpn_attempt_linked(NmOvpnAttempt *a, int fd); /* takes fd */
/* The next address, or the next remote; not to be called when there is none. */
void nmovpn_attempt_go_on(NmOvpnAttempt *a);
const OvpnRemote *nmovpn_attempt_next_remote(const NmOvpnAttempt *a); /* NULL: that was the last */
void nmovpn_attempt_limit_handshake(NmOvpnAttempt *a);                /* it goes on, or begins */
void nmovpn_attempt_start_turn(NmOvpnAttempt *a, gint64 until);
void nmovpn_attempt_answered(NmOvpnAttempt *a); /* the first word on the present link has come */
void nmovpn_attempt_note_failure(NmOvpnAttempt *a, const OvpnFailure *f, const char *server);
/* fd stays the caller's. */
gboolean nmovpn_attempt_send_link(NmOvpnAttempt *a, NmOvpnPlace *p, int fd, GError **error);
const OvpnRemote *nmovpn_attempt_remote(const NmOvpnAttempt *a);

/* attempt-race.c */
void nmovpn_race_begin(NmOvpnAttempt *a); /* a link is made: others may follow soon */
void nmovpn_race_end(NmOvpnAttempt *a);
gboolean nmovpn_race_step_back(NmOvpnAttempt *a); /* one of those aside is the front one again */
/* FALSE: that number is not one of those aside. */
gboolean nmovpn_race_failed(NmOvpnAttempt *a, guint number, const OvpnFailure *f);
/* The engine needs another socket for one of those aside; see nmovpn_attempt_socket_wanted(). */
void nmovpn_race_socket_wanted(NmOvpnAttempt *a, guint number, gboolean udp, const guint8 *ip,
                               guint ip_len, guint16 port);
gboolean nmovpn_race_chosen(NmOvpnAttempt *a, guint number); /* FALSE: nobody's number */
void nmovpn_attempt_drop_link(NmOvpnAttempt *a); /* the engine's link of the front one */
/* While the tunnel is up: another place is asked, quietly and for so long. Takes fd; tcp: it is
 * still connecting. The rest of the place is copied. */
void nmovpn_race_ask(NmOvpnAttempt *a, const NmOvpnPlace *place, gboolean tcp, int fd, guint ms);

/* attempt-pause.c */
/* In state RECONNECTING: tries again after so long, or when there is a reason to. */
void nmovpn_attempt_pause(NmOvpnAttempt *a, guint seconds);
void nmovpn_attempt_end_pause(NmOvpnAttempt *a);

/* attempt-names.c */
void nmovpn_names_remember(NmOvpnAttempt *a, const char *host, GList *found); /* GInetAddress */
GList *nmovpn_names_recall(const NmOvpnAttempt *a, const char *host);         /* NULL: not known */
void nmovpn_names_look_ahead(NmOvpnAttempt *a); /* the tunnel is up: those of all servers */
void nmovpn_names_forget(NmOvpnAttempt *a);

/* attempt-elsewhere.c */
void nmovpn_attempt_look_again(NmOvpnAttempt *a);  /* the server that is in use has fallen silent */
void nmovpn_attempt_heard_again(NmOvpnAttempt *a); /* it is there */
void nmovpn_attempt_stop_looking(NmOvpnAttempt *a);
void nmovpn_attempt_has_moved(NmOvpnAttempt *a, size_t from); /* the engine has changed over */
gboolean nmovpn_attempt_is_unfit(const NmOvpnAttempt *a, const OvpnRemote *r);
/* A failure that would end the connection is only one of this server, where another was good. */
gboolean nmovpn_attempt_is_only_here(NmOvpnAttempt *a, const OvpnFailure *f);
/* TRUE: the tunnel has just moved to another server, but could not stay there; it goes back. */
gboolean nmovpn_attempt_move_back(NmOvpnAttempt *a, const OvpnFailure *f);

/* attempt-pushed.c */
void nmovpn_attempt_pushed(NmOvpnEngine *e, const OvpnOptionList *pushed, gpointer user_data);
void nmovpn_attempt_report(NmOvpnAttempt *a);      /* to NetworkManager, when something is new */
void nmovpn_attempt_check_names(NmOvpnAttempt *a); /* the state changed */

/* attempt-lease.c */
/* Of a TAP that was just opened: lladdr, or a lasting one when it will be known by that. */
void nmovpn_attempt_set_mac(NmOvpnAttempt *a, const OvpnOptionList *profile,
                            const OvpnOptionList *pushed);
/* a->pushed has been made from these: when addresses are missing, they are taken from the
 * connection's settings or the engine is asked to get some. */
gboolean nmovpn_attempt_seek_lease(NmOvpnAttempt *a, const OvpnOptionList *profile,
                                   const OvpnOptionList *pushed, OvpnFailure *f);
void nmovpn_attempt_leased(NmOvpnEngine *e, const OvpnOptionList *lease, gpointer user_data);
void nmovpn_attempt_forget_lease(NmOvpnAttempt *a);

/* attempt-prepare.c */
/* attempt-capath.c: appends the certificates and revocation lists of the directory. Consumes fd. */
gboolean nmovpn_attempt_read_capath(NmOvpnAttempt *a, int fd, const char *path, OvpnBlob *ret,
                                    GError **error);
gboolean nmovpn_attempt_prepare(NmOvpnAttempt *a, GError **error);
gboolean nmovpn_attempt_feed_engine(NmOvpnAttempt *a, GError **error);
void nmovpn_attempt_close_files(NmOvpnAttempt *a);

/* attempt-local.c */
/* TRUE: the name of `local` is looked up first, then nmovpn_attempt_find_server() is called. */
gboolean nmovpn_attempt_find_local(NmOvpnAttempt *a);
/* One of a->locals of that family, borrowed; NULL: there is none. */
GInetAddress *nmovpn_attempt_local(const NmOvpnAttempt *a, GSocketFamily family);
void nmovpn_attempt_forget_local(NmOvpnAttempt *a);

/* attempt-link.c */
void nmovpn_attempt_resolve(NmOvpnAttempt *a);
void nmovpn_attempt_find_server(NmOvpnAttempt *a); /* the part of it behind `local` */
/* An address, also with %scope behind it; NULL: a name. */
GInetAddress *nmovpn_attempt_parse_address(const char *host);
void nmovpn_attempt_open_link(NmOvpnAttempt *a); /* to next_address */
void nmovpn_attempt_cancel_link(NmOvpnAttempt *a);
/* r: whose address it is, NULL = a proxy's */
gboolean nmovpn_attempt_family_fits(const NmOvpnAttempt *a, const OvpnRemote *r,
                                    GInetAddress *address);
char *nmovpn_attempt_server_name(const OvpnRemote *r); /* for people */
char *nmovpn_attempt_name_to_look_up(const NmOvpnAttempt *a, const OvpnRemote *r);
void nmovpn_attempt_fill_sockaddr(struct sockaddr_storage *ss, GInetAddress *address, guint16 port);
/* To p->server; -1 = error. TCP: still connecting. */
int nmovpn_attempt_open_place(NmOvpnAttempt *a, const NmOvpnPlace *p, gboolean tcp, GError **error);
int nmovpn_attempt_socket_error(int fd); /* of connecting: an errno, 0 = connected */
void nmovpn_attempt_connect_failure(const NmOvpnAttempt *a, const NmOvpnPlace *p, OvpnFailure *ret,
                                    const char *why);
void nmovpn_attempt_watch_connecting(NmOvpnAttempt *a);

void nmovpn_attempt_socket_wanted(NmOvpnAttempt *a, guint number, gboolean udp, const guint8 *ip,
                                  guint ip_len, guint16 port);
/* Where that socket leads to. FALSE: nowhere. */
gboolean nmovpn_attempt_set_relay(NmOvpnPlace *p, gboolean udp, const guint8 *ip, guint ip_len,
                                  guint16 port);
/* What it means that nothing came from there: who is silent, the server or its proxy? */
void nmovpn_attempt_silence(NmOvpnAttempt *a, const NmOvpnPlace *p, gboolean session,
                            OvpnFailure *ret);

/* link_failed() once the caller has returned. */
void nmovpn_attempt_fail_link_soon(NmOvpnAttempt *a, const OvpnFailure *f);
/* A moment; then the socket is opened anew. */
void nmovpn_attempt_wait_for_network(NmOvpnAttempt *a);
/* TRUE: that port is in use, but may be free in a moment. Counts how often it was so. */
gboolean nmovpn_attempt_may_wait_for_port(NmOvpnAttempt *a, const GError *error);
guint16 nmovpn_attempt_parse_port(const char *text, gboolean tcp); /* 0 = none */

/* attempt-listen.c */
gboolean nmovpn_attempt_waits(const NmOvpnAttempt *a);   /* for the peer to call */
guint16 nmovpn_attempt_own_port(const NmOvpnAttempt *a); /* where it does */
void nmovpn_attempt_listen(NmOvpnAttempt *a);            /* LINKING -> linked, or link_failed */
void nmovpn_attempt_wait_again(NmOvpnAttempt *a);        /* after a call that came to nothing */
void nmovpn_attempt_stop_listening(NmOvpnAttempt *a);    /* it is there */
void nmovpn_attempt_on_peer(NmOvpnEngine *e, const struct sockaddr_storage *peer,
                            gpointer user_data);
void nmovpn_attempt_on_caller_refused(NmOvpnEngine *e, const struct sockaddr_storage *from,
                                      const OvpnFailure *f, gpointer user_data);

/* attempt-ask.c */
void nmovpn_attempt_need_proxy(NmOvpnAttempt *a);
void nmovpn_attempt_proxy_refused(NmOvpnAttempt *a, const OvpnFailure *f);
/* log: the message as it may be written down. */
void nmovpn_attempt_ask(NmOvpnAttempt *a, OvpnNeed need, gboolean need_link, const char *message,
                        const char *const *hints, const char *log);
void nmovpn_attempt_ask_user_pass(NmOvpnAttempt *a, gboolean need_link, const char *message);
void nmovpn_attempt_ask_passphrase(NmOvpnAttempt *a, gboolean need_link, gboolean wrong);
gboolean nmovpn_attempt_answer_user_pass(NmOvpnAttempt *a, GError **error);
gboolean nmovpn_attempt_have_user_pass(const NmOvpnAttempt *a);
void nmovpn_attempt_refused(NmOvpnAttempt *a, const OvpnFailure *f);

/* attempt-signin.c */
void nmovpn_attempt_needs(NmOvpnAttempt *a, const NmOvpnQuestion *q); /* the engine asks */
gboolean nmovpn_attempt_is_waiting(const NmOvpnAttempt *a); /* for the server, in a live session */
void nmovpn_attempt_end_wait(NmOvpnAttempt *a);             /* the server has decided */
void nmovpn_attempt_go_on_waiting(NmOvpnAttempt *a); /* a request was answered without need */
void nmovpn_attempt_forget_signin(NmOvpnAttempt *a);
/* TRUE: the failure belongs to a sign-in and is dealt with. */
gboolean nmovpn_attempt_signin_failed(NmOvpnAttempt *a, const OvpnFailure *f);

/* attempt-token.c */
gboolean nmovpn_attempt_uses_token(const NmOvpnAttempt *a);
/* The content of an open key file, if only a TPM can use it. FALSE: no memory. */
gboolean nmovpn_attempt_fetch_tpm_key(NmOvpnAttempt *a);
/* Gives the engine its certificate and somebody who signs. *ret_wait: a PIN is asked for first. */
gboolean nmovpn_attempt_open_token(NmOvpnAttempt *a, gboolean *ret_wait, GError **error);
/* Another signer for the engine where the present one may no longer be able to sign. FALSE: the
 * attempt has failed. */
gboolean nmovpn_attempt_token_again(NmOvpnAttempt *a);
