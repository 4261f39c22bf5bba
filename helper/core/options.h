/* SPDX-License-Identifier: GPL-2.0-or-later */
/* OpenVPN's option language: one table (options.def), and lists of parsed options.
 *
 * A profile, a .ovpn file and a PUSH_REPLY are all an OvpnOptionList. The service makes one from
 * vpn.data, the importer from a file, the session from the server's text; config.c and push.c read
 * lists and nothing else. libc only. */
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include "secret.h"
#include "status.h"
#include "wire.h"

/* Option ids are OVPN_OPT_ + the directive in upper case with '-' as '_', e.g.
 * OVPN_OPT_REMOTE_CERT_TLS. Id 0 = a directive that is not in the table (kept verbatim). */
typedef enum OvpnOptionId {
  OVPN_OPT_UNKNOWN = 0,
#define OPT(id, ...) OVPN_OPT_##id,
#include "options.def"
#undef OPT
  OVPN_OPT_MAX_
} OvpnOptionId;

/* How an option sits in vpn.data (see ../../service/profile.c). */
typedef enum OvpnKeyStyle {
  OVPN_KEY_NONE,   /* no key of its own: a line in extra-options */
  OVPN_KEY_FLAG,   /* key = "yes" when the directive is present */
  OVPN_KEY_VALUE,  /* key = first argument */
  OVPN_KEY_FILE,   /* key = path, data: URI or pkcs11: URI */
  OVPN_KEY_CUSTOM, /* profile.c has a function for it (remote, proto, verify-x509-name, ...) */
} OvpnKeyStyle;

enum OvpnOptionFlags {
  OVPN_OPTF_PUSHABLE = 1u << 0, /* a client takes it from PUSH_REPLY */
  OVPN_OPTF_SECRET = 1u << 1,   /* arguments or content must not be shown or logged */
  OVPN_OPTF_FILE = 1u << 2,     /* first argument names a file */
  OVPN_OPTF_INLINE = 1u << 3,   /* may come as <directive> block */
  OVPN_OPTF_REPEAT = 1u << 4,   /* every occurrence counts; else the last one wins */
  OVPN_OPTF_HARMLESS = 1u << 5, /* kept for export, no effect here; `reason` says why */
  OVPN_OPTF_NEVER = 1u << 6,    /* kept for export, never executed; `reason` says why */
  OVPN_OPTF_SERVER = 1u << 7,   /* server-only: kept, no effect */
  OVPN_OPTF_LATER = 1u << 8, /* client option that this version does not honour yet; warned about */
  OVPN_OPTF_CONNECTION = 1u << 9, /* allowed inside <connection> */
  OVPN_OPTF_REFUSED = 1u << 10,   /* kept, but connecting is refused; `reason` says why */
};

typedef struct OvpnOptionInfo {
  OvpnOptionId id;
  const char *directive; /* OpenVPN's word, without "--" */
  const char *args;      /* argument grammar, see the head of options.def */
  const char *key;       /* vpn.data key or NULL */
  OvpnKeyStyle style;
  uint32_t flags;
  const char *reason; /* for HARMLESS, NEVER, LATER, REFUSED: one English phrase; else NULL */
} OvpnOptionInfo;

const OvpnOptionInfo *ovpn_option_info(OvpnOptionId id); /* never NULL */
const OvpnOptionInfo *
ovpn_option_by_directive(const char *name);                /* NULL if unknown; also aliases */
const OvpnOptionInfo *ovpn_option_by_key(const char *key); /* NULL if unknown */
size_t ovpn_option_count(void);                            /* rows, ids 1..count */

enum { OVPN_OPTION_ARGS_MAX = 24, OVPN_OPTION_ARG_MAX = 4096, OVPN_OPTION_LIST_MAX = 20000 };

/* Strict decimal number (optional '-', digits, nothing else) between lo and hi. */
bool ovpn_option_number(const char *text, int64_t lo, int64_t hi, int64_t *ret);

/* One option as written: argv[0] is the directive as the user spelled it. */
typedef struct OvpnOption {
  OvpnOptionId id;
  unsigned line;    /* 1-based line in the file, 0 = not from a file */
  unsigned argc;    /* >= 1 */
  char **argv;      /* argv[argc] == NULL; owned */
  OvpnBlob content; /* of an inline block, verbatim; empty otherwise */
  bool is_inline;   /* came as a block (content may still be empty) */
  bool is_optional; /* stood behind "setenv opt": other programs may not know it */
  int connection;   /* index of the <connection> block it stands in, -1 = global */
} OvpnOption;

typedef struct OvpnOptionList {
  OvpnOption *items;
  size_t n, cap;
} OvpnOptionList;

void ovpn_option_list_clear(OvpnOptionList *l); /* wipes (arguments can be secrets); NULL ok */
/* Appends a copy; returns the new item or NULL when out of memory or over OVPN_OPTION_LIST_MAX,
 * OVPN_OPTION_ARGS_MAX or OVPN_OPTION_ARG_MAX. The id is looked up from argv[0]; "setenv opt X ..."
 * with a known X that is not REFUSED becomes "X ...". connection = -1, line = 0; the caller may
 * then change them. */
OvpnOption *ovpn_option_list_add(OvpnOptionList *l, const char *const *argv, unsigned argc);
/* Convenience: directive and up to three arguments, NULL ends. */
OvpnOption *ovpn_option_list_add_text(OvpnOptionList *l, const char *directive, const char *a1,
                                      const char *a2, const char *a3);
const OvpnOption *ovpn_option_list_last(const OvpnOptionList *l,
                                        OvpnOptionId id); /* NULL if none */
static inline void ovpn_option_list_auto_(OvpnOptionList *l)
{
  ovpn_option_list_clear(l);
}
#define ovpn_auto_option_list __attribute__((cleanup(ovpn_option_list_auto_))) OvpnOptionList

/* Checks the arguments of one option against the table's grammar. On failure FAIL_CONFIG with a
 * text such as "ping: “abc” is not a number between 0 and 86400" (plain English, technical).
 * Options without any effect (unknown, HARMLESS, NEVER, SERVER) are always good. */
OvpnStatus ovpn_option_check(const OvpnOption *o, OvpnFailure *f);
/* The same for arguments that stop no connection but cannot be used as they are: "route:
 * “300.1.1.1” is not a host name or address". For options that ovpn_option_check found good. */
OvpnStatus ovpn_option_doubt(const OvpnOption *o, OvpnFailure *f);

/* One line of OpenVPN syntax with the quoting that conf.c reads back identically, "setenv opt" in
 * front of what stood behind it; no newline.
 * Inline content is not written. Returns malloc'ed text or NULL when out of memory. */
char *ovpn_option_format(const OvpnOption *o);

/* IPC form of one option. decode validates lengths (arg <= 4096 bytes without NUL inside, argc <=
 * 24) and appends to the list. Content of files is not carried (they travel as descriptors), only
 * the flag is_inline; blocks that are no files (peer-fingerprint, verify-hash) and those inside a
 * <connection> block carry theirs, up to 32 KiB. */
void ovpn_option_encode(const OvpnOption *o, OvpnWriter *w);
OvpnStatus ovpn_option_decode(OvpnReader *r, OvpnOptionList *l);
