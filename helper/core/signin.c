/* SPDX-License-Identifier: GPL-2.0-or-later */
/* OPEN_URL, WEB_AUTH and CR_TEXT. spec §13.7
 *
 * Pure. The text is the server's: an address is taken only with a scheme that means a web page, and
 * is never shortened, because a shortened one would be another page. Nothing is opened here. */
#include "helper/core/signin.h"
#include "helper/core/status.h"
#include <stdio.h>
#include <string.h>
#include <strings.h>

static const char *after(const char *s, const char *prefix)
{
  size_t n = strlen(prefix);
  return strncmp(s, prefix, n) == 0 ? s + n : NULL;
}

static size_t scheme_len(const char *s)
{
  static const char *const schemes[] = {"https://", "http://"};
  for (size_t i = 0; i < sizeof schemes / sizeof schemes[0]; i++)
    if (strncasecmp(s, schemes[i], strlen(schemes[i])) == 0)
      return strlen(schemes[i]);
  return 0;
}

size_t ovpn_web_origin_len(const char *address)
{
  size_t n = scheme_len(address);
  return n ? n + strcspn(address + n, "/?#") : 0;
}

bool ovpn_web_address(const char *text, char *ret, size_t cap)
{
  static const char hex[] = "0123456789ABCDEF";
  size_t scheme = scheme_len(text), origin = ovpn_web_origin_len(text), out = 0;
  /* https://bank.example@evil.example leads to the second */
  if (scheme == 0 || origin == scheme || text[scheme] == ':' || memchr(text, '@', origin) != NULL ||
      memchr(text, '\\', origin) != NULL)
    return false;
  for (size_t i = 0; text[i]; i++) {
    unsigned char b = (unsigned char)text[i];
    bool plain = b > 0x20 && b < 0x7f && !strchr("\"'<>\\^`{|}", b);
    if (!plain && i < origin)
      return false; /* a host name with such bytes is no host name */
    if (out + 4 > cap)
      return false;
    if (plain) {
      ret[out++] = (char)b;
    } else {
      ret[out++] = '%';
      ret[out++] = hex[b >> 4];
      ret[out++] = hex[b & 15];
    }
  }
  ret[out] = 0;
  return true;
}

static OvpnSigninKind take_address(const char *text, OvpnSignin *ret)
{
  return ovpn_web_address(text, ret->text, sizeof ret->text) ? OVPN_SIGNIN_WEB
                                                             : OVPN_SIGNIN_BAD_ADDRESS;
}

/* flags:address; the flags may hold an IPv6 address in brackets, whose colons do not count */
static OvpnSigninKind web_auth(const char *p, OvpnSignin *ret)
{
  bool inside = false;
  for (; *p && (inside || *p != ':'); p++)
    inside = *p == '[' || (inside && *p != ']');
  return *p ? take_address(p + 1, ret) : OVPN_SIGNIN_BAD_ADDRESS;
}

/* flags:question */
static OvpnSigninKind question(const char *p, OvpnSignin *ret)
{
  for (; *p && *p != ':'; p++) {
    ret->echo |= *p == 'E';
    ret->required |= *p == 'R';
  }
  if (!*p)
    return OVPN_SIGNIN_NONE;
  ovpn_text_clean(ret->text, sizeof ret->text, p + 1);
  return OVPN_SIGNIN_QUESTION;
}

OvpnSigninKind ovpn_signin_parse(const char *info, OvpnSignin *ret)
{
  const char *p;
  *ret = (OvpnSignin){.kind = OVPN_SIGNIN_NONE};
  if ((p = after(info, "OPEN_URL:")))
    ret->kind = take_address(p, ret);
  else if ((p = after(info, "WEB_AUTH:")))
    ret->kind = web_auth(p, ret);
  else if ((p = after(info, "CR_TEXT:")))
    ret->kind = question(p, ret);
  return ret->kind;
}
