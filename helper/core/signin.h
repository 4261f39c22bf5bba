/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What a server asks of a person in the middle of signing in: to open a page in a browser, or to
 * answer a question. libc only: the engine reads it from the server, service and auth-dialog check
 * addresses again. spec §13.7 */
#pragma once
#include <stdbool.h>
#include <stddef.h>

enum {
  OVPN_WEB_ADDRESS_MAX = 2048, /* bytes of an address, with its NUL */
  OVPN_SIGNIN_TEXT_MAX = 2048, /* an address, or a question */
};

typedef enum OvpnSigninKind {
  OVPN_SIGNIN_NONE, /* not meant for us: ignore it */
  OVPN_SIGNIN_WEB,
  OVPN_SIGNIN_QUESTION,
  OVPN_SIGNIN_BAD_ADDRESS, /* a browser is wanted for something that is no web page */
} OvpnSigninKind;

typedef struct OvpnSignin {
  OvpnSigninKind kind;
  bool echo, required;             /* QUESTION */
  char text[OVPN_SIGNIN_TEXT_MAX]; /* clean text: an escaped address, or the question */
} OvpnSignin;

/* The text after "INFO," or "INFO_PRE,". */
OvpnSigninKind ovpn_signin_parse(const char *info, OvpnSignin *ret);

/* True when text is an http or https address with a host and without a user name in it; then *ret
 * is the same address in which every byte that has no place in an address is percent-encoded (so
 * that it is one word for a shell, a browser and an eye). False also when it does not fit. */
bool ovpn_web_address(const char *text, char *ret, size_t cap);
/* Length of "https://host[:port]" at the start of such an address: what may be written to a log. */
size_t ovpn_web_origin_len(const char *address);
