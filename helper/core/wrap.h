/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Control channel protection: none, tls-auth, tls-crypt, tls-crypt-v2, dynamic tls-crypt. spec §4.
 * Works for both ends (the test server uses the other direction). No clock: replay time comes in.
 */
#pragma once
#include "packet.h"
#include "replay.h"
#include "secret.h"
#include "status.h"

typedef enum OvpnWrapMode {
  OVPN_WRAP_NONE,
  OVPN_WRAP_TLS_AUTH,
  OVPN_WRAP_TLS_CRYPT,
  OVPN_WRAP_TLS_CRYPT_V2
} OvpnWrapMode;
enum {
  OVPN_STATIC_KEY_LEN = 256,
  OVPN_WKC_MAX = 1024,
};

/* "OpenVPN Static key V1" text -> 256 bytes. Tolerant as spec §4.1. FAIL_FILE_FORMAT otherwise. */
OvpnStatus ovpn_static_key_parse(const void *text, size_t len, uint8_t key[OVPN_STATIC_KEY_LEN],
                                 OvpnFailure *f);
/* tls-crypt-v2 client key PEM -> Kc and WKc (length checked). */
OvpnStatus ovpn_tls_crypt_v2_parse(const void *text, size_t len, uint8_t kc[OVPN_STATIC_KEY_LEN],
                                   OvpnBlob *wkc, OvpnFailure *f);

typedef struct OvpnWrap {
  OvpnWrapMode mode;
  uint8_t
      key[OVPN_STATIC_KEY_LEN]; /* whole file or Kc, for the dynamic key's XOR; wiped by clear */
  unsigned digest_len;
  int send_dir, recv_dir;      /* which half: 0 = key0, 1 = key1 */
  OvpnBlob wkc;                /* tls-crypt-v2 */
  uint32_t send_id, send_time; /* last used id */
  OvpnReplayTime replay;       /* time-major window */
  void *send_mac, *recv_mac;   /* private: MAC handles; so a wrap is never copied by assignment */
} OvpnWrap;

/* direction: OVPN_DIR_x as in config.h, own side. first_id: id of the first packet (1; 0x0f000001
 * for tls-crypt-v2). auth: digest name for tls-auth ("SHA1"...). wkc may be NULL. `now_wall` = Unix
 * s. */
OvpnStatus ovpn_wrap_init(OvpnWrap *w, OvpnWrapMode mode, const uint8_t *key, int direction,
                          const char *auth, const OvpnBlob *wkc, uint32_t now_wall);
/* Dynamic tls-crypt for key_id > 0: ekm XOR base->key (when base has one). `direction` as above
 * (client = OVPN_DIR_INVERSE). */
OvpnStatus ovpn_wrap_init_dynamic(OvpnWrap *w, const OvpnWrap *base,
                                  const uint8_t ekm[OVPN_STATIC_KEY_LEN], int direction,
                                  uint32_t now_wall);
void ovpn_wrap_clear(OvpnWrap *w);
size_t ovpn_wrap_overhead(const OvpnWrap *w); /* bytes added to head + body, without WKc */

/* Writes a whole packet: head (opcode|key id, session id) + body -> wire. Appends WKc when
 * append_wkc. Uses up a replay id. Returns the length, 0 when it does not fit. */
size_t ovpn_wrap_seal(OvpnWrap *w, uint8_t first, const uint8_t sid[OVPN_SID_LEN],
                      const uint8_t *body, size_t body_len, bool append_wkc, uint8_t *out,
                      size_t cap);
/* Authenticates, decrypts into buf (cap >= len) and records the replay id only after the tag. On OK
 * *ret_body is the body (inside buf, or in pkt for the plain mode and tls-auth). DROP_x changes
 * nothing. */
OvpnStatus ovpn_wrap_open(OvpnWrap *w, const uint8_t *pkt, size_t len, uint8_t *buf, size_t cap,
                          const uint8_t **ret_sid, const uint8_t **ret_body, size_t *ret_len);
/* For a server: length of a V3 reset or CONTROL_WKC packet without the WKc at its end, to be
 * opened; the WKc follows. 0 = there cannot be one. */
size_t ovpn_wrap_without_wkc(const uint8_t *pkt, size_t len);
