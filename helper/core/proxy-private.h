/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What the parts of the proxy client share: proxy.c (HTTP and the frame), proxy-auth.c
 * (challenges and answers), proxy-socks.c. */
#pragma once
#include "proxy.h"
#include "wire.h"

enum {
  PROXY_LINE_MAX = 4096,    /* one line of an answer, with its end */
  PROXY_HEAD_MAX = 16384,   /* one answer without its body */
  PROXY_BODY_MAX = 1 << 18, /* a page about an error, skipped */
  PROXY_OUT_MAX = 16384,
  PROXY_HOST_MAX = 255,
  PROXY_TEXT_MAX = 1024,  /* realm, nonce, opaque, user name, agent */
  PROXY_REQUESTS_MAX = 8, /* of one machine; four are the most that a sane proxy needs */
  PROXY_DIGEST_HEX = 64,
  NTLM_MESSAGE_MAX = PROXY_LINE_MAX,
};

/* Answers to a challenge (proxy-auth.c). */
typedef enum ProxyHash { PROXY_HASH_MD5, PROXY_HASH_SHA256 } ProxyHash;

typedef struct ProxyDigest {
  bool offered, named /* algorithm was given */, sess, qop_auth, stale, has_opaque;
  ProxyHash hash;
  char realm[PROXY_TEXT_MAX], nonce[PROXY_TEXT_MAX], opaque[PROXY_TEXT_MAX];
} ProxyDigest;

typedef struct ProxyChallenges {
  bool any, basic, ntlm;
  ProxyDigest digest; /* the strongest that was offered and that we can do */
  uint8_t type2[NTLM_MESSAGE_MAX];
  size_t type2_len;
} ProxyChallenges;

/* Adds what one Proxy-Authenticate field offers. `value` has no control character but tabs. */
void proxy_challenges_add(ProxyChallenges *c, const char *value, size_t len);

typedef struct ProxyDigestInput {
  ProxyHash hash;
  bool sess, qop_auth;
  uint32_t nc;
  const char *method, *uri, *user, *realm, *nonce, *cnonce;
  const OvpnBlob *password;
} ProxyDigestInput;
void proxy_digest_response(const ProxyDigestInput *in, char ret_hex[PROXY_DIGEST_HEX + 1]);

/* Each writes the value of Proxy-Authorization. */
void proxy_write_basic(OvpnWriter *w, const char *user, const OvpnBlob *password);
void proxy_write_digest(OvpnWriter *w, const ProxyDigest *d, const char *uri, const char *user,
                        const OvpnBlob *password, const uint8_t random[8], uint32_t nc);
void proxy_write_ntlm1(OvpnWriter *w);
/* false: the type 2 message is malformed. */
bool proxy_write_ntlm3(OvpnWriter *w, const uint8_t *type2, size_t len, const char *user,
                       const OvpnBlob *password, uint64_t filetime, const uint8_t random[8]);

/* NTLMv2, for the tests: hash of the password, then proof (16 bytes) of challenge and blob. */
void proxy_ntlm2_hash(const char *user, const char *domain, const OvpnBlob *password,
                      uint8_t ret[16]);
void proxy_ntlm2_proof(const uint8_t hash[16], const uint8_t challenge[8], const uint8_t *blob,
                       size_t len, uint8_t ret[16]);

static inline void proxy_put(OvpnWriter *w, const char *text)
{
  ovpn_write_bytes(w, text, strlen(text));
}

typedef enum HttpState {
  HTTP_STATUS,
  HTTP_FIELDS,
  HTTP_BODY,       /* body_left bytes to skip */
  HTTP_CHUNK_SIZE, /* a line */
  HTTP_CHUNK_DATA, /* body_left bytes to skip */
  HTTP_CHUNK_END,  /* an empty line */
  HTTP_TRAILER,    /* lines up to an empty one */
} HttpState;

typedef enum SocksState {
  SOCKS_METHOD,
  SOCKS_LOGIN,
  SOCKS_REPLY_HEAD, /* up to the first byte of the address */
  SOCKS_REPLY_REST,
} SocksState;

struct OvpnProxy {
  OvpnProxyKind kind;
  OvpnProxyAuth auth, use /* method of the current request: NONE, BASIC, DIGEST, NTLM */;
  OvpnProxyStep step;
  OvpnFailure failure;
  bool connected; /* start() came, and no RECONNECT or NEED_CREDENTIALS since */
  char host[PROXY_HOST_MAX + 1], authority[PROXY_HOST_MAX + 16];
  OvpnSocksAddress literal; /* when the host is one */
  uint16_t port;
  bool have_credentials;
  OvpnBlob username, password;
  OvpnRandom random;
  void *random_user;
  uint64_t wall_time;
  uint8_t out[PROXY_OUT_MAX];
  size_t out_len, out_sent;
  uint8_t line[PROXY_LINE_MAX + 1]; /* HTTP: a line; SOCKS: a reply */
  size_t line_len;
  /* HTTP */
  bool http11, custom_host;
  OvpnBlob head; /* custom headers and the agent, ready to send */
  HttpState http;
  size_t head_len; /* bytes of the current answer */
  size_t body_left, body_len;
  unsigned code;
  char status[PROXY_TEXT_MAX / 4]; /* "407 Proxy Authentication Required" */
  bool answer11, keep_alive, close, has_length, chunked, bad_length;
  bool second;       /* not the first request on this connection */
  bool answer_begun; /* a byte of the answer came */
  unsigned requests, ntlm_stage, stale_retries, nonce_uses;
  ProxyChallenges challenges;
  ProxyDigest digest; /* in use */
  /* SOCKS */
  SocksState socks;
  size_t need; /* bytes of the current reply */
  OvpnSocksAddress relay;
};

/* All return the step. */
OvpnProxyStep proxy_fail(OvpnProxy *p, OvpnStatus s, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
OvpnProxyStep proxy_set_step(OvpnProxy *p, OvpnProxyStep s);
OvpnWriter proxy_writer(OvpnProxy *p);                          /* an empty output */
OvpnProxyStep proxy_written(OvpnProxy *p, const OvpnWriter *w); /* the output is complete */
OvpnProxyStep socks_start(OvpnProxy *p);
OvpnProxyStep socks_input(OvpnProxy *p, const uint8_t *data, size_t len, size_t *ret_used);
