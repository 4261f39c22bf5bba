/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Outcomes of the protocol core.
 *
 * Three families and no fourth: OVPN_OK; DROP_x (the input is counted and ignored, nothing
 * changed); FAIL_x (the session or the configuration is finished; carries a cause that a person can
 * be told). A programming error is an assert. Bytes from outside never reach an assert.
 *
 * The codes travel over IPC as u16, so new ones are appended inside their family's range.
 * The words for a person live in service/ (one sentence per FAIL code). */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define OVPN_DROP_LIST(X)                                                                          \
  X(TRUNCATED)  /* shorter than its own lengths say */                                             \
  X(OPCODE)     /* unknown or not for a client */                                                  \
  X(KEY_ID)     /* no key with this id */                                                          \
  X(SESSION_ID) /* not our session, or not our peer */                                             \
  X(AUTH)       /* HMAC, tag or decryption failed */                                               \
  X(REPLAY)     /* seen before, or too old */                                                      \
  X(WINDOW)     /* message id outside the receive window */                                        \
  X(STATE)      /* well-formed, but not legal now */                                               \
  X(FORMAT)     /* a field holds an impossible value */                                            \
  X(FRAMING)    /* compression or fragment framing unknown */                                      \
  X(EMPTY)      /* nothing inside */                                                               \
  X(INCOMPLETE) /* a piece of a packet; others are to come */

#define OVPN_FAIL_LIST(X)                                                                          \
  X(INTERNAL) /* library or system call failed; text says which */                                 \
  X(MEMORY)                                                                                        \
  X(CONFIG)            /* text: what is wrong in which option */                                   \
  X(FILE_FORMAT)       /* text: option: what was expected */                                       \
  X(KEY_MISMATCH)      /* private key does not belong to the certificate */                        \
  X(PASSPHRASE)        /* wrong or missing pass phrase of the private key */                       \
  X(RESOLVE)           /* text: host: reason */                                                    \
  X(CONNECT)           /* TCP connect or socket error; text: address: reason */                    \
  X(NO_ANSWER)         /* no valid packet from the server in time */                               \
  X(HANDSHAKE_TIMEOUT) /* the server answered but TLS did not finish; arg 1: it saw our            \
                          certificate */                                                           \
  X(NO_PUSH_REPLY)     /* TLS is up but no options came in time */                                 \
  X(TLS)               /* local TLS error; text: library's words */                                \
  X(TLS_ALERT)         /* the server sent a fatal alert; text: its name */                         \
  X(CERT_UNKNOWN_CA)                                                                               \
  X(CERT_EXPIRED) /* text: date */                                                                 \
  X(CERT_NOT_YET_VALID)                                                                            \
  X(CERT_REVOKED)                                                                                  \
  X(CERT_NAME)        /* text: the name found */                                                   \
  X(CERT_USAGE)       /* remote-cert-tls/-ku/-eku, ns-cert-type; text: which */                    \
  X(CERT_FINGERPRINT) /* peer-fingerprint or verify-hash; text: the one found */                   \
  X(CERT_WEAK)        /* tls-cert-profile; text: why */                                            \
  X(CERT_OTHER)       /* text */                                                                   \
  X(PROTOCOL)         /* the authenticated peer broke the protocol; text */                        \
  X(NO_COMMON_CIPHER) /* text: what the server offers */                                           \
  X(KEY_DERIVATION)                                                                                \
  X(PUSH)             /* pushed options unusable; text: which */                                   \
  X(AUTH)             /* AUTH_FAILED; text: the server's own words, may be empty */                \
  X(AUTH_SESSION)     /* auth-token expired; reconnect with real credentials */                    \
  X(AUTH_TEMP)        /* AUTH_FAILED,TEMP; text; arg: back-off in seconds */                       \
  X(CREDENTIALS)      /* credentials needed and not to be had */                                   \
  X(PING_TIMEOUT)     /* ping-restart */                                                           \
  X(PING_EXIT)        /* ping-exit */                                                              \
  X(INACTIVE)         /* inactive, session-timeout */                                              \
  X(SERVER_RESTART)   /* RESTART; text; arg: OVPN_RESTART_x flags */                               \
  X(SERVER_HALT)      /* HALT; text */                                                             \
  X(SERVER_EXIT)      /* EXIT, OCC exit */                                                         \
  X(LINK)             /* link lost: TCP closed, stream broken; text */                             \
  X(RENEGOTIATION)    /* text */                                                                   \
  X(PACKET_ID)        /* packet ids used up and no new key */                                      \
  X(OWN_CERT_EXPIRED) /* the server fell silent after our certificate, which is over; text: date   \
                       */                                                                          \
  X(PROXY)            /* the proxy, or what it says about the server; text: its words */           \
  X(PROXY_AUTH)       /* the proxy refuses the credentials, or no method in common; text */        \
  X(DHCP)             /* TAP: no lease from the far network; arg: OvpnDhcpWhy (lease.h) */         \
  X(SIGNATURE)        /* the token that holds our key made no signature when one was needed */

typedef enum OvpnStatus {
  OVPN_OK = 0,
  OVPN_DROP_FIRST_ = 0x100 - 1,
#define X(n) OVPN_DROP_##n,
  OVPN_DROP_LIST(X)
#undef X
      OVPN_DROP_END_,
  OVPN_FAIL_FIRST_ = 0x200 - 1,
#define X(n) OVPN_FAIL_##n,
  OVPN_FAIL_LIST(X)
#undef X
      OVPN_FAIL_END_,
} OvpnStatus;

/* `arg` of OVPN_FAIL_AUTH_TEMP: seconds to wait in the low bits, and where to go on. Without a
 * flag: the next address. */
enum {
  OVPN_TEMP_SECONDS = 0xffff,
  OVPN_TEMP_STAY = 1 << 16,       /* the same address */
  OVPN_TEMP_NEXT_REMOTE = 1 << 17 /* leave out the other addresses of this server */
};
/* RESTART flags carried as `arg` of OVPN_FAIL_SERVER_RESTART. */
enum { OVPN_RESTART_PRESERVE = 1 /* P */, OVPN_RESTART_NEXT = 2 /* N */ };

static inline bool ovpn_is_drop(OvpnStatus s)
{
  return s > OVPN_DROP_FIRST_ && s < OVPN_DROP_END_;
}
static inline bool ovpn_is_fail(OvpnStatus s)
{
  return s > OVPN_FAIL_FIRST_ && s < OVPN_FAIL_END_;
}

/* Stable upper-case name such as "FAIL_CERT_EXPIRED", for logs and tests; never NULL. */
const char *ovpn_status_name(OvpnStatus s);

enum { OVPN_FAILURE_TEXT_MAX = 256 };

/* A failure with its cause. `text` is NUL-terminated UTF-8, peer text already escaped
 * (ovpn_failure_set), and may be empty. */
typedef struct OvpnFailure {
  OvpnStatus status; /* OVPN_OK when there is none */
  uint32_t arg;      /* meaning depends on status, else 0 */
  char text[OVPN_FAILURE_TEXT_MAX];
} OvpnFailure;

/* Fills *f unless it already holds a failure (the first cause is the cause). Returns status.
 * Control characters and bytes that are not UTF-8 are replaced, the text is cut to fit. `f` may be
 * NULL. */
OvpnStatus ovpn_failure_set(OvpnFailure *f, OvpnStatus status, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));

/* src (a peer's text) without control characters and bytes that are not UTF-8, cut to cap - 1 bytes
 * between two characters. */
void ovpn_text_clean(char *dst, size_t cap, const char *src);
