/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The proxy client: its frame, and HTTP CONNECT. spec §20.1; RFC 7230 to 7235 as far as a client of
 * CONNECT needs them.
 *
 * The proxy is not trusted. Its answer is read byte by byte, so that nothing behind the head is
 * taken; heads, lines, bodies and the number of rounds are bounded. What we send is built from
 * parts that were checked for control characters when the machine was made, so no part can add a
 * line. Credentials leave only in the header or login that needs them, and the output is wiped as
 * it is handed out.
 *
 * After 407 the same connection is used when the proxy says that it stays, else a new one. NTLM
 * signs in the connection itself and has to stay. */
#include "helper/core/proxy-private.h"
#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum { STALE_MAX = 2 };
/* FILETIME counts 100 ns since 1601. */
static const uint64_t filetime_of_1970 = 116444736000000000u;

/* --- the frame --- */

OvpnProxyStep proxy_set_step(OvpnProxy *p, OvpnProxyStep s)
{
  if (s == OVPN_PROXY_RECONNECT || s == OVPN_PROXY_NEED_CREDENTIALS)
    p->connected = false;
  return p->step = s;
}

OvpnProxyStep proxy_fail(OvpnProxy *p, OvpnStatus s, const char *fmt, ...)
{
  char text[OVPN_FAILURE_TEXT_MAX];
  va_list ap;
  va_start(ap, fmt);
  if (vsnprintf(text, sizeof(text), fmt, ap) < 0)
    text[0] = 0;
  va_end(ap);
  ovpn_failure_set(&p->failure, s, "%s", text);
  return proxy_set_step(p, OVPN_PROXY_FAIL);
}

OvpnWriter proxy_writer(OvpnProxy *p)
{
  ovpn_wipe(p->out, p->out_len);
  p->out_len = p->out_sent = 0;
  return ovpn_writer(p->out, sizeof(p->out));
}

OvpnProxyStep proxy_written(OvpnProxy *p, const OvpnWriter *w)
{
  if (!w->ok) {
    ovpn_wipe(p->out, sizeof(p->out));
    return proxy_fail(p, OVPN_FAIL_PROXY, "the request to the proxy is too long");
  }
  p->out_len = w->len;
  return p->step;
}

size_t ovpn_proxy_output(OvpnProxy *p, void *buf, size_t cap)
{
  size_t n = p->out_len - p->out_sent;
  if (n > cap)
    n = cap;
  if (n == 0 || p->step != OVPN_PROXY_CONTINUE)
    return 0;
  memcpy(buf, p->out + p->out_sent, n);
  ovpn_wipe(p->out + p->out_sent, n);
  p->out_sent += n;
  return n;
}

OvpnProxyStep ovpn_proxy_step(const OvpnProxy *p)
{
  return p->step;
}

const OvpnFailure *ovpn_proxy_failure(const OvpnProxy *p)
{
  return &p->failure;
}

const OvpnSocksAddress *ovpn_proxy_relay(const OvpnProxy *p)
{
  return &p->relay;
}

/* --- what may be sent --- */

static bool is_alnum(unsigned char c)
{
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z');
}

/* No control character; with `only_token`, nothing but the characters of a header's name. */
static bool is_clean(const char *s, size_t len, bool only_token)
{
  for (size_t i = 0; i < len; i++) {
    unsigned char c = (unsigned char)s[i];
    if (c < 0x20 || c == 0x7f)
      return false;
    if (only_token && !is_alnum(c) && !strchr("!#$%&'*+-.^_`|~", c))
      return false;
  }
  return !only_token || len > 0;
}

static OvpnStatus set_target(OvpnProxy *p, const OvpnProxyParams *params, OvpnFailure *f)
{
  const char *host = params->host;
  if (p->kind == OVPN_PROXY_SOCKS_UDP)
    return OVPN_OK;
  size_t n = host ? strnlen(host, PROXY_HOST_MAX + 1) : 0;
  bool v6 = n > 0 && n <= PROXY_HOST_MAX && inet_pton(AF_INET6, host, p->literal.ip) == 1;
  bool ok = n > 0 && n <= PROXY_HOST_MAX && params->port != 0;
  for (size_t i = 0; ok && i < n; i++)
    ok = is_alnum((unsigned char)host[i]) || (host[i] && strchr(v6 ? ":." : "-._", host[i]));
  if (!ok)
    return ovpn_failure_set(f, OVPN_FAIL_CONFIG, "remote: host or port not fit for a proxy");
  memcpy(p->host, host, n);
  p->port = params->port;
  p->literal.ip_len = v6 ? 16 : inet_pton(AF_INET, host, p->literal.ip) == 1 ? 4 : 0;
  snprintf(p->authority, sizeof(p->authority), v6 ? "[%s]:%u" : "%s:%u", p->host, p->port);
  return OVPN_OK;
}

static bool add_head(OvpnBlob *b, const char *name, size_t name_len, const char *value)
{
  return ovpn_blob_append(b, name, name_len) && ovpn_blob_append(b, ": ", 2) &&
         ovpn_blob_append(b, value, strlen(value)) && ovpn_blob_append(b, "\r\n", 2);
}

static OvpnStatus add_custom(OvpnProxy *p, const OvpnProxyHeader *h, OvpnFailure *f)
{
  const char *name = h->name ? h->name : "", *value = h->value;
  size_t n = strlen(name);
  if (!value) {
    const char *colon = strchr(name, ':');
    value = colon ? colon + 1 + strspn(colon + 1, " ") : "";
    n = colon ? (size_t)(colon - name) : n;
  }
  if (!is_clean(name, n, true) || !is_clean(value, strlen(value), false))
    return ovpn_failure_set(f, OVPN_FAIL_CONFIG,
                            "http-proxy-option CUSTOM-HEADER: not a header line");
  if (n == 4 && !strncasecmp(name, "Host", 4))
    p->custom_host = true;
  return add_head(&p->head, name, n, value) ? OVPN_OK
                                            : ovpn_failure_set(f, OVPN_FAIL_MEMORY, "%s", "");
}

static OvpnStatus set_http(OvpnProxy *p, const OvpnProxyParams *params, OvpnFailure *f)
{
  const char *version = params->http_version ? params->http_version : "1.0";
  p->http11 = !strcmp(version, "1.1");
  if (!p->http11 && strcmp(version, "1.0") != 0)
    return ovpn_failure_set(f, OVPN_FAIL_CONFIG, "http-proxy-option VERSION: 1.0 or 1.1");
  if (params->n_headers > OVPN_PROXY_HEADERS_MAX)
    return ovpn_failure_set(f, OVPN_FAIL_CONFIG, "http-proxy-option CUSTOM-HEADER: at most %d",
                            OVPN_PROXY_HEADERS_MAX);
  for (size_t i = 0; i < params->n_headers; i++) {
    OvpnStatus s = add_custom(p, &params->headers[i], f);
    if (s != OVPN_OK)
      return s;
  }
  if (!p->custom_host) {
    /* as other clients write it: without the port */
    char host[PROXY_HOST_MAX + 3];
    snprintf(host, sizeof(host), p->literal.ip_len == 16 ? "[%s]" : "%s", p->host);
    if (!add_head(&p->head, "Host", 4, host))
      return ovpn_failure_set(f, OVPN_FAIL_MEMORY, "%s", "");
  }
  const char *agent = params->user_agent;
  if (agent && !is_clean(agent, strlen(agent), false))
    return ovpn_failure_set(f, OVPN_FAIL_CONFIG, "http-proxy-option AGENT: control character");
  if (agent && !add_head(&p->head, "User-Agent", 10, agent))
    return ovpn_failure_set(f, OVPN_FAIL_MEMORY, "%s", "");
  if (p->head.len > PROXY_OUT_MAX / 2)
    return ovpn_failure_set(f, OVPN_FAIL_CONFIG, "http-proxy-option: too long");
  return OVPN_OK;
}

OvpnStatus ovpn_proxy_new(const OvpnProxyParams *params, OvpnProxy **ret, OvpnFailure *f)
{
  OvpnProxy *p = calloc(1, sizeof(*p));
  if (!p)
    return ovpn_failure_set(f, OVPN_FAIL_MEMORY, "%s", "");
  p->kind = params->kind;
  p->auth = params->auth;
  p->random = params->random;
  p->random_user = params->random_user;
  p->wall_time = params->wall_time;
  if (p->auth == OVPN_PROXY_AUTH_BASIC || p->auth == OVPN_PROXY_AUTH_NTLM)
    p->use = p->auth;
  OvpnStatus s = set_target(p, params, f);
  if (s == OVPN_OK && p->kind == OVPN_PROXY_HTTP)
    s = set_http(p, params, f);
  if (s == OVPN_OK && params->username)
    s = ovpn_proxy_set_credentials(p, params->username, params->password, f);
  if (s != OVPN_OK) {
    ovpn_proxy_free(p);
    return s;
  }
  *ret = p;
  return OVPN_OK;
}

void ovpn_proxy_free(OvpnProxy *p)
{
  if (!p)
    return;
  ovpn_blob_clear(&p->username);
  ovpn_blob_clear(&p->password);
  ovpn_blob_clear(&p->head);
  ovpn_wipe(p, sizeof(*p));
  free(p);
}

OvpnStatus ovpn_proxy_set_credentials(OvpnProxy *p, const char *username, const OvpnBlob *password,
                                      OvpnFailure *f)
{
  size_t n = username ? strlen(username) : 0;
  if (n == 0 || n >= PROXY_TEXT_MAX || !is_clean(username, n, false))
    return ovpn_failure_set(f, OVPN_FAIL_PROXY_AUTH, "user name empty, too long or unprintable");
  if (password && password->len >= PROXY_TEXT_MAX)
    return ovpn_failure_set(f, OVPN_FAIL_PROXY_AUTH, "password too long");
  if (!ovpn_blob_set(&p->username, username, n) ||
      !ovpn_blob_set(&p->password, password ? password->data : NULL, password ? password->len : 0))
    return ovpn_failure_set(f, OVPN_FAIL_MEMORY, "%s", "");
  p->have_credentials = true;
  return OVPN_OK;
}

/* --- HTTP: the request --- */

static void begin_answer(OvpnProxy *p)
{
  p->http = HTTP_STATUS;
  p->line_len = p->head_len = p->body_left = p->body_len = 0;
  p->code = 0;
  p->status[0] = 0;
  p->answer11 = p->keep_alive = p->close = p->has_length = p->chunked = p->bad_length = false;
  p->answer_begun = false;
  p->challenges = (ProxyChallenges){0};
}

/* The value of Proxy-Authorization. false: the step says why not. */
static bool write_authorization(OvpnProxy *p, OvpnWriter *w)
{
  const char *user = (const char *)p->username.data;
  uint8_t random[8];
  switch (p->use) {
  case OVPN_PROXY_AUTH_NONE:
  case OVPN_PROXY_AUTH_AUTO:
  case OVPN_PROXY_AUTH_AUTO_NCT:
    return true;
  case OVPN_PROXY_AUTH_BASIC:
    if (strchr(user, ':')) {
      proxy_fail(p, OVPN_FAIL_PROXY_AUTH, "basic: the user name has a colon");
      return false;
    }
    proxy_write_basic(w, user, &p->password);
    return true;
  case OVPN_PROXY_AUTH_DIGEST:
    p->random(p->random_user, random, sizeof(random));
    proxy_write_digest(w, &p->digest, p->authority, user, &p->password, random, ++p->nonce_uses);
    return true;
  case OVPN_PROXY_AUTH_NTLM:
    for (const char *c = user; *c; c++)
      if ((unsigned char)*c >= 0x80) {
        proxy_fail(p, OVPN_FAIL_PROXY_AUTH, "NTLM: the user name is not plain ASCII");
        return false;
      }
    if (p->ntlm_stage == 1) {
      proxy_write_ntlm1(w);
      return true;
    }
    p->random(p->random_user, random, sizeof(random));
    if (!proxy_write_ntlm3(w, p->challenges.type2, p->challenges.type2_len, user, &p->password,
                           p->wall_time * 10000000u + filetime_of_1970, random)) {
      proxy_fail(p, OVPN_FAIL_PROXY, "NTLM: the challenge is malformed");
      return false;
    }
    return true;
  }
  return false;
}

static OvpnProxyStep http_request(OvpnProxy *p)
{
  if (p->use != OVPN_PROXY_AUTH_NONE && !p->have_credentials)
    return proxy_set_step(p, OVPN_PROXY_NEED_CREDENTIALS);
  if (++p->requests > PROXY_REQUESTS_MAX)
    return proxy_fail(p, OVPN_FAIL_PROXY, "the proxy asks again and again");
  OvpnWriter w = proxy_writer(p);
  proxy_put(&w, "CONNECT ");
  proxy_put(&w, p->authority);
  proxy_put(&w, p->http11 ? " HTTP/1.1\r\n" : " HTTP/1.0\r\n");
  ovpn_write_bytes(&w, p->head.data, p->head.len);
  if (p->use != OVPN_PROXY_AUTH_NONE) {
    if (p->use == OVPN_PROXY_AUTH_NTLM)
      proxy_put(&w, "Proxy-Connection: Keep-Alive\r\n");
    proxy_put(&w, "Proxy-Authorization: ");
    if (!write_authorization(p, &w)) {
      ovpn_wipe(p->out, sizeof(p->out));
      return p->step;
    }
    proxy_put(&w, "\r\n");
  }
  proxy_put(&w, "\r\n");
  begin_answer(p);
  return proxy_written(p, &w);
}

OvpnProxyStep ovpn_proxy_start(OvpnProxy *p)
{
  if (p->step == OVPN_PROXY_DONE || p->step == OVPN_PROXY_FAIL)
    return p->step;
  (void)proxy_writer(p); /* nothing of an earlier connection */
  p->step = OVPN_PROXY_CONTINUE;
  p->connected = true;
  if (p->kind != OVPN_PROXY_HTTP)
    return socks_start(p);
  p->second = false;
  p->ntlm_stage = 1;
  return http_request(p);
}

/* --- HTTP: 407 --- */

static OvpnProxyAuth choose_method(const OvpnProxy *p)
{
  const ProxyChallenges *c = &p->challenges;
  bool automatic = p->auth == OVPN_PROXY_AUTH_AUTO || p->auth == OVPN_PROXY_AUTH_AUTO_NCT;
  if (c->digest.offered && (automatic || p->auth == OVPN_PROXY_AUTH_DIGEST))
    return OVPN_PROXY_AUTH_DIGEST;
  if (c->ntlm && automatic)
    return OVPN_PROXY_AUTH_NTLM;
  if (c->basic && p->auth == OVPN_PROXY_AUTH_AUTO)
    return OVPN_PROXY_AUTH_BASIC;
  return OVPN_PROXY_AUTH_NONE;
}

/* The next request, on this connection when it stays and its answer has an end, else on a new one.
 */
static OvpnProxyStep again(OvpnProxy *p)
{
  if (!p->have_credentials)
    return proxy_set_step(p, OVPN_PROXY_NEED_CREDENTIALS);
  bool stays = !p->close && (p->keep_alive || (p->http11 && p->answer11));
  if (!stays || p->bad_length || (!p->chunked && !p->has_length))
    return proxy_set_step(p, OVPN_PROXY_RECONNECT);
  p->second = true;
  p->http = p->chunked ? HTTP_CHUNK_SIZE : HTTP_BODY;
  return OVPN_PROXY_CONTINUE;
}

static OvpnProxyStep ntlm_challenged(OvpnProxy *p)
{
  if (p->ntlm_stage != 1 || p->challenges.type2_len == 0)
    return proxy_fail(p, OVPN_FAIL_PROXY_AUTH, "%s", p->status);
  if (p->close || p->bad_length)
    return proxy_fail(p, OVPN_FAIL_PROXY, "NTLM: the proxy does not keep the connection");
  p->ntlm_stage = 3;
  p->second = true;
  p->http = p->chunked ? HTTP_CHUNK_SIZE : HTTP_BODY; /* no length: no body */
  return OVPN_PROXY_CONTINUE;
}

static OvpnProxyStep on_407(OvpnProxy *p)
{
  if (p->use == OVPN_PROXY_AUTH_NTLM)
    return ntlm_challenged(p);
  if (p->use == OVPN_PROXY_AUTH_DIGEST) {
    const ProxyDigest *d = &p->challenges.digest;
    if (!d->offered || !d->stale || ++p->stale_retries > STALE_MAX)
      return proxy_fail(p, OVPN_FAIL_PROXY_AUTH, "%s", p->status);
  } else if (p->use != OVPN_PROXY_AUTH_NONE) {
    return proxy_fail(p, OVPN_FAIL_PROXY_AUTH, "%s", p->status);
  } else {
    p->use = choose_method(p);
    if (p->use == OVPN_PROXY_AUTH_NONE)
      return proxy_fail(p, OVPN_FAIL_PROXY_AUTH, "%s%s", p->status,
                        p->auth == OVPN_PROXY_AUTH_NONE ? "" : " (no method in common)");
  }
  if (p->use == OVPN_PROXY_AUTH_DIGEST) {
    p->digest = p->challenges.digest;
    p->nonce_uses = 0;
  }
  return again(p);
}

/* --- HTTP: the answer --- */

static OvpnProxyStep on_status_line(OvpnProxy *p, const char *line, size_t len)
{
  const char *code = memchr(line, ' ', len);
  if (len < 5 || strncmp(line, "HTTP/", 5) != 0 || !code)
    return proxy_fail(p, OVPN_FAIL_PROXY, "not an HTTP proxy");
  code += strspn(code, " ");
  unsigned v = 0, digits = 0;
  for (; code[digits] >= '0' && code[digits] <= '9' && digits < 4; digits++)
    v = v * 10 + (unsigned)(code[digits] - '0');
  if (digits != 3 || v < 100 || (code[3] && code[3] != ' '))
    return proxy_fail(p, OVPN_FAIL_PROXY, "not an HTTP proxy");
  p->answer11 = !strncmp(line, "HTTP/1.1 ", 9);
  p->code = v;
  snprintf(p->status, sizeof(p->status), "%s", code);
  p->http = HTTP_FIELDS;
  return OVPN_PROXY_CONTINUE;
}

/* A comma separated list holds the word. */
static bool list_has(const char *list, const char *word)
{
  size_t n = strlen(word);
  while (*list) {
    list += strspn(list, ", \t");
    size_t len = strcspn(list, ", \t");
    if (len == n && !strncasecmp(list, word, n))
      return true;
    list += len;
  }
  return false;
}

static void on_content_length(OvpnProxy *p, const char *value)
{
  size_t n = 0, digits = strspn(value, "0123456789");
  for (size_t i = 0; i < digits && n <= PROXY_BODY_MAX; i++)
    n = n * 10 + (size_t)(value[i] - '0');
  if (digits == 0 || value[digits] || n > PROXY_BODY_MAX || (p->has_length && n != p->body_left))
    p->bad_length = true;
  else
    p->body_left = n;
  p->has_length = true;
}

static void on_field(OvpnProxy *p, const char *line, size_t len)
{
  const char *colon = memchr(line, ':', len);
  if (!colon || colon == line) /* also the obsolete folded lines, which nobody sends here */
    return;
  size_t name = (size_t)(colon - line);
  const char *value = colon + 1 + strspn(colon + 1, " \t");
#define IS(n) (name == sizeof(n) - 1 && !strncasecmp(line, n, sizeof(n) - 1))
  if (IS("Proxy-Authenticate")) {
    proxy_challenges_add(&p->challenges, value, strlen(value));
  } else if (IS("Connection") || IS("Proxy-Connection")) {
    p->close |= list_has(value, "close");
    p->keep_alive |= list_has(value, "keep-alive");
  } else if (IS("Content-Length")) {
    on_content_length(p, value);
  } else if (IS("Transfer-Encoding")) {
    p->chunked = list_has(value, "chunked");
    p->bad_length |= !p->chunked;
  }
#undef IS
}

static OvpnProxyStep on_head_end(OvpnProxy *p)
{
  if (p->code < 200) { /* 100 Continue and the like: the answer proper follows */
    size_t seen = p->head_len;
    begin_answer(p);
    p->head_len = seen;
    p->answer_begun = true;
    return OVPN_PROXY_CONTINUE;
  }
  if (p->code < 300)
    return proxy_set_step(p, OVPN_PROXY_DONE);
  if (p->code == 407)
    return on_407(p);
  return proxy_fail(p, OVPN_FAIL_PROXY, "%s", p->status);
}

static OvpnProxyStep on_chunk_size(OvpnProxy *p, const char *line)
{
  size_t n = 0, i = 0;
  for (; i < 8; i++) {
    const char *hex = "0123456789abcdef", *d = line[i] ? strchr(hex, line[i] | 0x20) : NULL;
    if (!d || line[i] < '0')
      break;
    n = n << 4 | (size_t)(d - hex);
  }
  p->body_len += n;
  if (i == 0 || i == 8 || p->body_len > PROXY_BODY_MAX)
    return proxy_fail(p, OVPN_FAIL_PROXY, "the answer of the proxy is malformed or too long");
  p->body_left = n;
  p->http = n ? HTTP_CHUNK_DATA : HTTP_TRAILER;
  return OVPN_PROXY_CONTINUE;
}

static OvpnProxyStep on_line(OvpnProxy *p)
{
  size_t len = p->line_len;
  if (len > 0 && p->line[len - 1] == '\r')
    len--;
  while (len > 0 && (p->line[len - 1] == ' ' || p->line[len - 1] == '\t'))
    len--;
  p->line_len = 0;
  p->line[len] = 0;
  const char *line = (const char *)p->line;
  for (size_t i = 0; i < len; i++)
    if ((p->line[i] < 0x20 && p->line[i] != '\t') || p->line[i] == 0x7f)
      return proxy_fail(p, OVPN_FAIL_PROXY, "%s",
                        p->http == HTTP_STATUS ? "not an HTTP proxy"
                                               : "the answer of the proxy is malformed");
  switch (p->http) {
  case HTTP_STATUS:
    return on_status_line(p, line, len);
  case HTTP_FIELDS:
    if (len == 0)
      return on_head_end(p);
    on_field(p, line, len);
    break;
  case HTTP_CHUNK_SIZE:
    return on_chunk_size(p, line);
  case HTTP_CHUNK_END:
    p->http = HTTP_CHUNK_SIZE;
    return len == 0 ? OVPN_PROXY_CONTINUE
                    : proxy_fail(p, OVPN_FAIL_PROXY, "the answer of the proxy is malformed");
  case HTTP_TRAILER:
    if (len == 0) { /* the body is over */
      p->http = HTTP_BODY;
      p->body_left = 0;
    }
    break;
  case HTTP_BODY:
  case HTTP_CHUNK_DATA:
    break;
  }
  return p->step;
}

static OvpnProxyStep on_byte(OvpnProxy *p, uint8_t c)
{
  p->answer_begun = true;
  if (p->out_sent < p->out_len)
    return proxy_fail(p, OVPN_FAIL_PROXY, "the proxy answers before it is asked");
  if (++p->head_len > PROXY_HEAD_MAX || p->line_len + 1 >= PROXY_LINE_MAX)
    return proxy_fail(p, OVPN_FAIL_PROXY, "the answer of the proxy is too long");
  if (c == '\n')
    return on_line(p);
  p->line[p->line_len++] = c;
  return p->step;
}

static bool skipping(const OvpnProxy *p)
{
  return p->http == HTTP_BODY || p->http == HTTP_CHUNK_DATA;
}

static OvpnProxyStep http_input(OvpnProxy *p, const uint8_t *data, size_t len, size_t *ret_used)
{
  OvpnReader r = ovpn_reader(data, len);
  while (p->step == OVPN_PROXY_CONTINUE && ovpn_reader_left(&r) > 0) {
    if (skipping(p)) {
      size_t n = ovpn_reader_left(&r) < p->body_left ? ovpn_reader_left(&r) : p->body_left;
      ovpn_read_bytes(&r, n);
      p->body_left -= n;
    } else {
      on_byte(p, ovpn_read_u8(&r));
    }
    if (p->step == OVPN_PROXY_CONTINUE && skipping(p) && p->body_left == 0) {
      if (p->http == HTTP_BODY)
        http_request(p); /* only a 407 that is answered here gets so far */
      else
        p->http = HTTP_CHUNK_END;
    }
  }
  *ret_used = len - ovpn_reader_left(&r);
  return p->step;
}

OvpnProxyStep ovpn_proxy_input(OvpnProxy *p, const void *data, size_t len, size_t *ret_used)
{
  *ret_used = 0;
  if (p->step != OVPN_PROXY_CONTINUE || !p->connected)
    return p->step;
  if (p->kind == OVPN_PROXY_HTTP)
    return http_input(p, data, len, ret_used);
  return socks_input(p, data, len, ret_used);
}

OvpnProxyStep ovpn_proxy_closed(OvpnProxy *p)
{
  if (p->step != OVPN_PROXY_CONTINUE || !p->connected)
    return p->step;
  /* The proxy said that the connection stays, and changed its mind. */
  if (p->kind == OVPN_PROXY_HTTP && p->second && p->use != OVPN_PROXY_AUTH_NTLM &&
      (!p->answer_begun || p->code == 407))
    return proxy_set_step(p, OVPN_PROXY_RECONNECT);
  return proxy_fail(p, OVPN_FAIL_PROXY, "the proxy closed the connection");
}
