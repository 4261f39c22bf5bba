/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One OpenVPN session: the state machine and nothing else. Sans-IO: packets, time (ns,
 * monotonic) and entropy come in; packets, events and a deadline come out. spec §5, §6, §13, §14,
 * §17.
 *
 * Unauthenticated bytes return DROP_x and change nothing. Output must be drained also after a
 * failure (alerts, exit notification). One thread; no static data. */
#pragma once
#include "config.h"
#include "keys.h"
#include "options.h"
#include "push.h"
#include "secret.h"
#include "status.h"
#include "tls.h"
#include "aead.h"

#define OVPN_SESSION_STATE_LIST(X)                                                                 \
  X(INIT)                                                                                          \
  X(RESET_SENT)                                                                                    \
  X(TLS_HANDSHAKE) X(WAIT_CREDENTIALS) X(KEY_EXCHANGE) X(PULL) X(UP) X(REKEYING) X(CLOSING) X(DEAD)
typedef enum OvpnSessionState {
#define X(n) OVPN_SESSION_##n,
  OVPN_SESSION_STATE_LIST(X)
#undef X
} OvpnSessionState;
const char *ovpn_session_state_name(OvpnSessionState s);

/* What only a person (or a keyring) can tell. */
typedef enum OvpnNeed {
  OVPN_NEED_NONE,
  OVPN_NEED_USER_PASS,  /* a = user name, b = password */
  OVPN_NEED_PASSPHRASE, /* b = pass phrase of the private key; asked by the engine before a session
                         */
  OVPN_NEED_STATIC_CHALLENGE, /* b = response; asked together with USER_PASS by the service's own
                                 knowledge */
  OVPN_NEED_CHALLENGE,        /* CRV1: b = response */
  /* The session is alive and waits for the server's decision; see `seconds` of the event. */
  OVPN_NEED_QUESTION, /* CR_TEXT: b = response */
  OVPN_NEED_BROWSER,  /* text = address to open; no answer, the server says when it is enough */
  OVPN_NEED_PATIENCE, /* AUTH_PENDING; no answer */
  OVPN_NEED_PROXY,    /* of the proxy: a = user name, b = password; not of the session */
} OvpnNeed;

/* Survives sessions of one connection: what a reconnection must know. Owned by the engine. */
typedef struct OvpnCredentials {
  OvpnBlob username, password;
  OvpnBlob static_response;                   /* to the static challenge */
  OvpnBlob token, token_user;                 /* auth-token; token wins while set */
  OvpnBlob crv_state, crv_user, crv_response; /* dynamic challenge, used once */
  bool have_user_pass, have_crv_response;
  OvpnBlob proxy_user, proxy_password; /* proxy_user empty = not known */
} OvpnCredentials;
void ovpn_credentials_clear(OvpnCredentials *c);

typedef enum OvpnEventType {
  OVPN_EVENT_STATE,   /* state */
  OVPN_EVENT_NEED,    /* need, text (clean text of the server or NULL), echo, required, seconds */
  OVPN_EVENT_PUSHED,  /* pushed list: see ovpn_session_pushed() */
  OVPN_EVENT_KEYS,    /* new data keys: key_id, keys; may receive at once; sends only if first, see
                         USE_KEY */
  OVPN_EVENT_USE_KEY, /* send with key_id from now on */
  OVPN_EVENT_RETIRE_KEY,       /* key_id is no longer valid */
  OVPN_EVENT_SEND_PING,        /* data channel ping is due */
  OVPN_EVENT_SEND_OCC_REQUEST, /* data channel OCC REQUEST is due (static key mode) */
  OVPN_EVENT_SEND_OCC_EXIT,    /* data channel OCC EXIT is due */
  OVPN_EVENT_LOG,              /* log_code, level, text */
  OVPN_EVENT_FAILED,           /* failure: the session is dead; drain the output, then free it */
  OVPN_EVENT_CLOSED,           /* polite close is complete */
} OvpnEventType;

typedef struct OvpnEvent {
  OvpnEventType type;
  OvpnSessionState state;
  OvpnNeed need;
  bool echo, required; /* required: the server wants an answer, an empty one will not do */
  uint32_t seconds;    /* how long the server waits from now on, 0 = not told */
  char *text;          /* owned */
  uint8_t key_id;
  uint8_t key_block[OVPN_KEY_BLOCK_LEN]; /* EVENT_KEYS; wiped by ovpn_event_clear */
  bool static_key;                       /* EVENT_KEYS: key_block is the file of static key mode */
  const char *cipher;                    /* EVENT_KEYS: canonical name, static */
  int32_t peer_id;                       /* EVENT_KEYS: -1 = send DATA_V1 */
  bool epoch;                            /* EVENT_KEYS: the format with epochs */
  uint16_t log_code;
  int level;
  OvpnFailure failure; /* FAILED; text also for LOG */
} OvpnEvent;
void ovpn_event_clear(OvpnEvent *e);

/* A peer that has called and proved its address, see welcome.h. */
typedef struct OvpnAccepted {
  uint8_t sid[8], peer_sid[8];
  uint32_t send_id, send_time; /* ids of control packets that are used up */
} OvpnAccepted;

typedef struct OvpnSessionParams {
  const OvpnConfig *config;      /* borrowed for the session's life */
  const OvpnOptionList *profile; /* borrowed: pull-filter and the profile's own routes */
  OvpnTlsContext *tls;           /* borrowed */
  OvpnCredentials *credentials;  /* borrowed; the session updates tokens and challenges */
  OvpnProto proto;
  bool link_ipv6;
  /* Nobody is there yet. With a static key the first authentic packet brings the tunnel up; with
   * TLS this session only waits, until one with `accepted` takes its place. */
  bool waits;
  const OvpnAccepted *accepted; /* read by ovpn_session_new() only; NULL = none */
  OvpnRandom random;
  void *random_user;  /* cryptographic in production, seeded in tests */
  uint32_t wall_time; /* Unix seconds at `now` of new */
  uint64_t now;       /* ns */
} OvpnSessionParams;

typedef struct OvpnSession OvpnSession;
/* FAIL_FILE_FORMAT / FAIL_CONFIG when a control channel key is unusable. */
OvpnStatus ovpn_session_new(const OvpnSessionParams *p, OvpnSession **ret, OvpnFailure *f);
void ovpn_session_free(OvpnSession *s);
/* One packet whose opcode is not data (the engine keeps data packets for the datapath). */
OvpnStatus ovpn_session_input(OvpnSession *s, uint64_t now, const uint8_t *pkt, size_t len);
/* Next packet to send, 0 = nothing. cap >= OVPN_PACKET_MAX. */
size_t ovpn_session_output(OvpnSession *s, uint64_t now, uint8_t *buf, size_t cap);
uint64_t ovpn_session_deadline(const OvpnSession *s); /* absolute ns, UINT64_MAX = none */
void ovpn_session_tick(OvpnSession *s, uint64_t now);
bool ovpn_session_pop_event(OvpnSession *s, OvpnEvent *ret); /* caller clears the event */
/* Why it is dead, before and after the event; OVPN_OK: it is not, or it was closed. */
const OvpnFailure *ovpn_session_failure(const OvpnSession *s);
/* Credentials arrived in params->credentials: go on. */
void ovpn_session_answer(OvpnSession *s, uint64_t now);
/* The answer to OVPN_NEED_QUESTION goes to the server; dropped when it does not wait any more. */
void ovpn_session_respond(OvpnSession *s, uint64_t now, const void *text, size_t len);
/* Facts from the data path, once per batch: authenticated packets received, any packet sent on the
 * data channel, payload bytes moved both ways (for `inactive`), ids used of the sending key. */
void ovpn_session_note_data(OvpnSession *s, uint64_t now, bool received, bool sent,
                            uint64_t payload_bytes, uint64_t key_sent);
/* The network says that the peer cannot be reached (ICMP). Anybody could forge that, so it only
 * shortens the wait for the first answer: it ends at once when there is another remote, else after
 * a few seconds. */
void ovpn_session_note_refused(OvpnSession *s, uint64_t now);
/* An authenticated data packet used key_id: the server has accepted us under that key, so a renewed
 * key need not wait for its time (spec §6.5) to be used for sending. */
void ovpn_session_note_peer_key(OvpnSession *s, uint64_t now, uint8_t key_id);
void ovpn_session_note_occ_exit(OvpnSession *s,
                                uint64_t now);         /* peer sent OCC EXIT in a data packet */
void ovpn_session_close(OvpnSession *s, uint64_t now); /* EXIT / OCC EXIT, then EVENT_CLOSED */
/* Everything pushed so far, complete after EVENT_PUSHED (also after a PUSH_UPDATE). */
const OvpnOptionList *ovpn_session_pushed_list(const OvpnSession *s);
const OvpnPushed *ovpn_session_pushed(const OvpnSession *s);
OvpnSessionState ovpn_session_state(const OvpnSession *s);
/* May a packet of the control channel that was just accepted come from another address than the
 * peer's? Only when the packet itself proves where it comes from. Ask before ovpn_session_input().
 */
bool ovpn_session_control_may_move(const OvpnSession *s);
/* Is it the session with this peer, made for this very call? */
bool ovpn_session_is_with(const OvpnSession *s, const OvpnAccepted *a);
/* The TLS handshake is over and the peer's certificate was good. */
bool ovpn_session_is_authentic(const OvpnSession *s);
/* Is the session still known to the server? A packet that makes it answer, cap >= OVPN_PACKET_MAX;
 * 0 = not possible now. Answers are counted; not every server gives them. */
bool ovpn_session_can_probe(const OvpnSession *s);
size_t ovpn_session_probe(OvpnSession *s, uint64_t now, uint8_t *buf, size_t cap);
unsigned ovpn_session_probes_answered(const OvpnSession *s);
