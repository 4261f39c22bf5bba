/* SPDX-License-Identifier: GPL-2.0-or-later */
/* .ovpn lexer: quoting, comments, inline blocks, <connection> blocks, line numbers. spec §18.
 * Pure: no file is opened; `config FILE` stays an option. Never trusts the text: every length
 * bounded. */
#pragma once
#include "options.h"

enum { OVPN_CONF_MAX = 4 * 1024 * 1024 }; /* bytes; larger is FAIL_CONFIG */

typedef struct OvpnConfError {
  unsigned line; /* 1-based, 0 = whole file */
  char text[OVPN_FAILURE_TEXT_MAX];
} OvpnConfError;

/* Parses a whole file into *l (appended). Binary content, unterminated quote or block,
 * merge-conflict markers, oversize give FAIL_CONFIG with *err filled. Unknown directives are kept
 * (id UNKNOWN). */
OvpnStatus ovpn_conf_parse(const void *text, size_t len, OvpnOptionList *l, OvpnConfError *err);

/* The same for lines that are known to be options (extra-options): however odd, each is kept. No
 * NUL in the text. */
OvpnStatus ovpn_conf_parse_lines(const void *text, size_t len, OvpnOptionList *l,
                                 OvpnConfError *err);

/* The first NUL that makes this no text file; NULL: none. Those in comments and at the end of the
 * file do not count. */
const void *ovpn_conf_find_nul(const void *text, size_t len);

/* Splits one line (no newline) into words. Used for pushed items and extra-options lines. argc 0 =
 * empty or comment. */
OvpnStatus ovpn_conf_parse_line(const char *line, size_t len, OvpnOptionList *l,
                                OvpnConfError *err);
