/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Inside of a session, shared by session.c (packets, states), session-start.c, session-timers.c,
 * session-keys.c (one key negotiation) and session-control.c (control channel strings). Nobody else
 * includes this. */
#pragma once
#include "helper/core/reliable.h"
#include "helper/core/session.h"
#include "helper/core/wrap.h"
#include "helper/core/ipc.h"

#define NS_PER_S UINT64_C(1000000000)
#define NEVER UINT64_MAX

/* Life of one key_id, spec §6.1. */
typedef enum KeyPhase {
  KEY_FREE,
  KEY_RESET_SENT, /* own reset is out */
  KEY_HANDSHAKE,  /* TLS handshake */
  KEY_SENT,       /* own key method 2 message is out; TLS server: the peer's may come */
  KEY_GOT,        /* the peer's has come; own messages not yet all acknowledged */
  KEY_ACTIVE,     /* control strings may flow both ways */
  KEY_GENERATED,  /* data keys exist */
} KeyPhase;

typedef struct KeyState {
  KeyPhase phase;
  uint8_t key_id;
  OvpnReliable reliable;
  OvpnTls *tls;
  OvpnKeySource client, server;
  uint64_t started;        /* ns; when the negotiation began */
  uint64_t must_negotiate; /* ACTIVE before this, else failure */
  uint64_t use_at;         /* send with it from then on; NEVER once done */
  uint64_t must_die;       /* lame duck: end of life */
  uint64_t reneg_at;       /* client's own renegotiation */
  bool sending;
} KeyState;

enum { EVENTS_MAX = 64 };

struct OvpnSession {
  OvpnSessionParams p;
  OvpnSessionState state;
  OvpnFailure failure;
  bool failure_delivered, closed_pending;

  uint8_t sid[OVPN_SID_LEN], peer_sid[OVPN_SID_LEN];
  bool have_peer, resend_wkc, used_token;
  OvpnWrap wrap, dynamic;
  bool have_dynamic;
  KeyState keys[2]; /* cur is one of them, the other is the lame duck or free */
  unsigned cur;

  OvpnOptionList pushed_list;
  OvpnPushed pushed;
  bool have_pushed;
  unsigned update_replaced; /* of the PUSH_UPDATE that is being read */
  const OvpnDataCipher *cipher;
  char *server_occ, *peer_info;

  uint64_t now;             /* the newest time a caller told */
  uint64_t push_request_at; /* NEVER = none due */
  uint64_t push_deadline, push_start;
  uint32_t pending_seconds; /* AUTH_PENDING */
  uint64_t last_received, last_sent, last_activity, up_since;
  uint64_t close_deadline, exit_at;
  unsigned exits_left;
  uint64_t activity_bytes, key_bytes;
  unsigned probes_answered;

  OvpnEvent events[EVENTS_MAX];
  unsigned first_event, n_events;
};

static inline KeyState *current_key(OvpnSession *s)
{
  return &s->keys[s->cur];
}
static inline KeyState *other_key(OvpnSession *s)
{
  return &s->keys[1 - s->cur];
}

static inline bool session_is_up(const OvpnSession *s)
{
  return s->state == OVPN_SESSION_UP || s->state == OVPN_SESSION_REKEYING;
}
static inline uint64_t session_after(uint64_t t, uint64_t seconds)
{
  return t > NEVER - seconds * NS_PER_S ? NEVER : t + seconds * NS_PER_S;
}
static inline uint64_t session_earliest(uint64_t a, uint64_t b)
{
  return a < b ? a : b;
}
/* Our role in TLS. */
static inline bool session_is_server(const OvpnSession *s)
{
  return s->p.config->tls_server;
}

/* The opcode of the other side's first packet. */
static inline uint8_t session_peer_reset(const OvpnSession *s)
{
  return session_is_server(s) ? OVPN_OP_HARD_RESET_CLIENT_V2 : OVPN_OP_HARD_RESET_SERVER_V2;
}

/* session.c */
void session_set_state(OvpnSession *s, OvpnSessionState state);
OvpnEvent *session_push_event(OvpnSession *s,
                              OvpnEventType type); /* never NULL; a full queue fails the session */
void session_tell_weak(
    OvpnSession *s); /* what is weak about the data channel, s->cipher is known */
void session_log(OvpnSession *s, int level, OvpnLogCode code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
OvpnStatus session_fail(OvpnSession *s, OvpnStatus status, uint32_t arg, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));
/* A sealed control packet; returns its length, 0 = no room. */
size_t session_seal(OvpnSession *s, KeyState *k, uint8_t op, OvpnPacketBody *b, bool wkc,
                    uint8_t *out, size_t cap);

/* session-timers.c */
int session_exit_notify(const OvpnSession *s);
bool session_own_certificate_expired(const OvpnSession *s, char ret_date[64]);

/* session-start.c: the protection of the control channel that the profile asks for */
OvpnStatus session_load_wrap(const OvpnConfig *c, uint32_t wall_time, OvpnWrap *ret,
                             OvpnFailure *f);

/* session-keys.c */
void key_adopt(OvpnSession *s); /* after key_start(0): resets were exchanged by OvpnWelcome */
void key_clear(KeyState *k);
void key_start(OvpnSession *s, uint8_t key_id);      /* first key, or a renegotiation */
OvpnStatus key_receive(OvpnSession *s, KeyState *k); /* takes the in-order messages */
void key_flush(OvpnSession *s, KeyState *k);         /* TLS output -> reliable layer */
OvpnStatus key_send_text(OvpnSession *s, KeyState *k, const char *text);
OvpnStatus key_generate(OvpnSession *s, KeyState *k);
void key_use(OvpnSession *s, KeyState *k);
void key_retire(OvpnSession *s, KeyState *k);
OvpnStatus key_acked(OvpnSession *s, KeyState *k); /* after acks: GOT -> ACTIVE */
void session_renegotiate(OvpnSession *s);
static inline uint8_t key_next_id(uint8_t id)
{
  return id == 7 ? 1 : (uint8_t)(id + 1);
}

/* session-probe.c; before the acks take effect */
void session_note_acks(OvpnSession *s, const KeyState *k, uint8_t op, const OvpnPacketBody *b);

/* session-signin.c */
void signin_pending(OvpnSession *s, const char *arg);           /* AUTH_PENDING */
void signin_info(OvpnSession *s, const char *arg);              /* INFO and INFO_PRE */
OvpnStatus signin_temporary(OvpnSession *s, const char *flags); /* AUTH_FAILED,TEMP */

/* session-static.c: a session without TLS; uses push_request_at and push_deadline for its timers */
OvpnStatus static_begin(OvpnSession *s);
void static_tick(OvpnSession *s);
void static_heard(OvpnSession *s); /* an authenticated packet has come */
static inline bool static_waits(const OvpnSession *s)
{
  return s->state == OVPN_SESSION_RESET_SENT && ovpn_config_is_static(s->p.config);
}

/* session-p2p.c: what two peers without push agree on; false: the session has failed */
bool p2p_agree(OvpnSession *s, KeyState *k);
/* session-p2p.c: the cipher that both can do, by the order of the TLS server; NULL */
const char *p2p_cipher(const OvpnSession *s);

/* session-control.c */
OvpnStatus control_record(OvpnSession *s, KeyState *k, const char *data, size_t len);
OvpnStatus control_pushed(OvpnSession *s); /* everything pushed is here: keys, UP */
