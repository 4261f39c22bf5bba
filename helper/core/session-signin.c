/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A server that takes its time: AUTH_PENDING, INFO_PRE with a page or a question, CR_RESPONSE, and
 * AUTH_FAILED,TEMP. spec §13.4, §13.6, §13.7
 *
 * The text is a server's whose certificate was accepted, still only text. A page or a question
 * counts only while the server has not let us in. The time it asks for is bounded by the profile.
 */
#include "helper/core/session-private.h"
#include "helper/core/signin.h"
#include <gnutls/gnutls.h>
#include <stdio.h>
#include <stdlib.h>

enum { PENDING_MAX_SECONDS = 1800, RESPONSE_MAX = 4096 };

static uint32_t seconds_left(const OvpnSession *s)
{
  if (s->push_deadline == NEVER || s->push_deadline <= s->now)
    return 0;
  return (uint32_t)((s->push_deadline - s->now) / NS_PER_S);
}

static void need(OvpnSession *s, OvpnNeed what, const OvpnSignin *q)
{
  OvpnEvent *e = session_push_event(s, OVPN_EVENT_NEED);
  e->need = what;
  e->seconds = seconds_left(s);
  if (!q)
    return;
  e->echo = q->echo;
  e->required = q->required;
  e->text = strdup(q->text);
}

void signin_pending(OvpnSession *s, const char *arg)
{
  const OvpnConfig *c = s->p.config;
  if (s->state != OVPN_SESSION_PULL)
    return;
  uint64_t n = c->hand_window, limit = PENDING_MAX_SECONDS;
  if (c->reneg_sec)
    limit = c->reneg_sec / 2 > c->hand_window ? c->reneg_sec / 2 : c->hand_window;
  if (strncmp(arg, "timeout ", 8) == 0)
    n = strtoul(arg + 8, NULL, 10);
  s->pending_seconds = (uint32_t)(n < limit ? n : limit);
  s->push_deadline = s->push_start + (n < limit ? n : limit) * NS_PER_S;
  need(s, OVPN_NEED_PATIENCE, NULL);
}

void signin_info(OvpnSession *s, const char *arg)
{
  OvpnSignin q;
  switch (ovpn_signin_parse(arg, &q)) {
  case OVPN_SIGNIN_NONE:
    session_log(s, 5, OVPN_LOG_SERVER_TEXT, "%s", arg);
    return;
  case OVPN_SIGNIN_BAD_ADDRESS: /* not logged: it may hold a ticket */
    session_log(s, 4, OVPN_LOG_SERVER_TEXT, "open an address that is no web page; ignored");
    return;
  case OVPN_SIGNIN_WEB:
  case OVPN_SIGNIN_QUESTION:
    if (s->state == OVPN_SESSION_PULL)
      need(s, q.kind == OVPN_SIGNIN_WEB ? OVPN_NEED_BROWSER : OVPN_NEED_QUESTION, &q);
    return;
  }
}

void ovpn_session_respond(OvpnSession *s, uint64_t now, const void *text, size_t len)
{
  static const char word[] = "CR_RESPONSE,";
  s->now = now;
  if (s->state != OVPN_SESSION_PULL || len > RESPONSE_MAX)
    return;
  gnutls_datum_t in = {(unsigned char *)(uintptr_t)text, (unsigned)len}, b64 = {0};
  if (len > 0 && gnutls_base64_encode2(&in, &b64) < 0)
    return;
  size_t size = sizeof word + b64.size;
  char *line = calloc(1, size);
  if (line) {
    (void)snprintf(line, size, "%s%.*s", word, (int)b64.size, b64.data ? (char *)b64.data : "");
    (void)key_send_text(s, current_key(s), line);
  }
  if (b64.data)
    ovpn_wipe(b64.data, b64.size);
  gnutls_free(b64.data);
  ovpn_secret_free(line);
}

/* One word of the flags, "backoff 5" or "advance addr". */
static void temporary_flag(const char *p, size_t len, uint32_t *arg)
{
  static const char backoff[] = "backoff ", stay[] = "advance no", remote[] = "advance remote";
  if (len > sizeof backoff - 1 && memcmp(p, backoff, sizeof backoff - 1) == 0) {
    const char *number = p + sizeof backoff - 1;
    unsigned long n = *number >= '0' && *number <= '9' ? strtoul(number, NULL, 10) : 0;
    *arg = (*arg & ~(uint32_t)OVPN_TEMP_SECONDS) | (uint32_t)(n > 3600 ? 3600 : n);
  } else if (len == sizeof stay - 1 && memcmp(p, stay, len) == 0) {
    *arg |= OVPN_TEMP_STAY;
  } else if (len == sizeof remote - 1 && memcmp(p, remote, len) == 0) {
    *arg |= OVPN_TEMP_NEXT_REMOTE;
  }
}

/* [flags]:text, both may be missing */
OvpnStatus signin_temporary(OvpnSession *s, const char *p)
{
  uint32_t arg = 0;
  const char *end = *p == '[' ? strchr(p, ']') : NULL;
  if (end) {
    for (p++; p < end;) {
      size_t n = strcspn(p, ",]");
      temporary_flag(p, n, &arg);
      p += n + 1;
    }
    p = end + 1;
  }
  p += *p == ':';
  return session_fail(s, OVPN_FAIL_AUTH_TEMP, arg, "%s", p + strspn(p, " "));
}
