/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The option table, lists of options, and what can be said about one option alone: grammar, text
 * form, IPC form. Trusts nothing: arguments come from files, from vpn.data and from servers.
 * Invariants: an item has 1..OVPN_OPTION_ARGS_MAX arguments of at most OVPN_OPTION_ARG_MAX bytes,
 * argv[argc] is NULL, and arguments are wiped before they are freed, since any of them may be a
 * secret. spec §18. */
#include "helper/core/options.h"
#include "helper/core/cipher-names.h"
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* ---- the table */

enum {
  F_PUSH = OVPN_OPTF_PUSHABLE,
  F_SECRET = OVPN_OPTF_SECRET,
  F_FILE = OVPN_OPTF_FILE,
  F_INLINE = OVPN_OPTF_INLINE,
  F_REPEAT = OVPN_OPTF_REPEAT,
  F_HARMLESS = OVPN_OPTF_HARMLESS,
  F_NEVER = OVPN_OPTF_NEVER,
  F_SERVER = OVPN_OPTF_SERVER,
  F_LATER = OVPN_OPTF_LATER,
  F_CONN = OVPN_OPTF_CONNECTION,
  F_REFUSED = OVPN_OPTF_REFUSED,
};
#define K_NONE OVPN_KEY_NONE
#define K_FLAG OVPN_KEY_FLAG
#define K_VALUE OVPN_KEY_VALUE
#define K_FILE OVPN_KEY_FILE
#define K_CUSTOM OVPN_KEY_CUSTOM

static const OvpnOptionInfo table[OVPN_OPT_MAX_] = {
    [OVPN_OPT_UNKNOWN] = {OVPN_OPT_UNKNOWN, "", "text*", NULL, OVPN_KEY_NONE, F_REPEAT, NULL},
#define OPT(id, directive, args, key, style, flags, reason)                                        \
  [OVPN_OPT_##id] = {OVPN_OPT_##id, directive, args, key, style, flags, reason},
#include "helper/core/options.def"
#undef OPT
};

/* Other spellings of the same option. */
static const struct {
  const char *alias;
  OvpnOptionId id;
} aliases[] = {
    {"ncp-ciphers", OVPN_OPT_DATA_CIPHERS},  {"server-poll-timeout", OVPN_OPT_CONNECT_TIMEOUT},
    {"ip-remote-hint", OVPN_OPT_PRERESOLVE}, {"remote-ip-hint", OVPN_OPT_PRERESOLVE},
    {"udp-mtu", OVPN_OPT_LINK_MTU},
};

const OvpnOptionInfo *ovpn_option_info(OvpnOptionId id)
{
  return (unsigned)id < OVPN_OPT_MAX_ ? &table[id] : &table[OVPN_OPT_UNKNOWN];
}

const OvpnOptionInfo *ovpn_option_by_directive(const char *name)
{
  for (unsigned i = 1; name && i < OVPN_OPT_MAX_; i++)
    if (strcmp(table[i].directive, name) == 0)
      return &table[i];
  for (size_t i = 0; name && i < sizeof aliases / sizeof aliases[0]; i++)
    if (strcmp(aliases[i].alias, name) == 0)
      return &table[aliases[i].id];
  return NULL;
}

const OvpnOptionInfo *ovpn_option_by_key(const char *key)
{
  for (unsigned i = 1; key && i < OVPN_OPT_MAX_; i++)
    if (table[i].key && strcmp(table[i].key, key) == 0)
      return &table[i];
  return NULL;
}

size_t ovpn_option_count(void)
{
  return OVPN_OPT_MAX_ - 1;
}

/* ---- lists */

static void option_clear(OvpnOption *o)
{
  for (unsigned i = 0; o->argv && i < o->argc; i++)
    ovpn_secret_free(o->argv[i]);
  free(o->argv);
  ovpn_blob_clear(&o->content);
}

void ovpn_option_list_clear(OvpnOptionList *l)
{
  if (!l)
    return;
  for (size_t i = 0; i < l->n; i++)
    option_clear(&l->items[i]);
  free(l->items);
  *l = (OvpnOptionList){0};
}

static bool list_grow(OvpnOptionList *l)
{
  if (l->n < l->cap)
    return true;
  size_t cap = l->cap ? 2 * l->cap : 32;
  OvpnOption *items = realloc(l->items, cap * sizeof *items);
  if (!items)
    return false;
  l->items = items;
  l->cap = cap;
  return true;
}

OvpnOption *ovpn_option_list_add(OvpnOptionList *l, const char *const *argv, unsigned argc)
{
  bool optional = false;
  while (argc > 2 && strcmp(argv[0], "setenv") == 0 && strcmp(argv[1], "opt") == 0) {
    const OvpnOptionInfo *meant = ovpn_option_by_directive(argv[2]);
    if (!meant || (meant->flags & F_REFUSED)) /* "setenv opt" never stops a connection */
      break;
    argv += 2;
    argc -= 2;
    optional = true;
  }
  if (argc < 1 || argc > OVPN_OPTION_ARGS_MAX || l->n >= OVPN_OPTION_LIST_MAX || !list_grow(l))
    return NULL;
  for (unsigned i = 0; i < argc; i++)
    if (strlen(argv[i]) > OVPN_OPTION_ARG_MAX)
      return NULL;
  OvpnOption o = {.argc = argc, .connection = -1, .is_optional = optional};
  o.argv = calloc(argc + 1, sizeof *o.argv);
  if (!o.argv)
    return NULL;
  for (unsigned i = 0; i < argc; i++) {
    o.argv[i] = ovpn_secret_strdup(argv[i]);
    if (!o.argv[i]) {
      option_clear(&o);
      return NULL;
    }
  }
  const OvpnOptionInfo *info = ovpn_option_by_directive(o.argv[0]);
  o.id = info ? info->id : OVPN_OPT_UNKNOWN;
  l->items[l->n] = o;
  return &l->items[l->n++];
}

OvpnOption *ovpn_option_list_add_text(OvpnOptionList *l, const char *directive, const char *a1,
                                      const char *a2, const char *a3)
{
  const char *argv[4] = {directive, a1, a2, a3};
  unsigned argc = 0;
  while (argc < 4 && argv[argc])
    argc++;
  return ovpn_option_list_add(l, argv, argc);
}

const OvpnOption *ovpn_option_list_last(const OvpnOptionList *l, OvpnOptionId id)
{
  for (size_t i = l->n; i > 0; i--)
    if (l->items[i - 1].id == id)
      return &l->items[i - 1];
  return NULL;
}

/* ---- grammar (see the head of options.def) */

typedef struct Item {
  const char *type; /* not terminated */
  int len;
  bool optional, many, need_one;
  bool soft; /* a bad value is told, and the line used as far as it goes */
} Item;

/* Takes the next item off *grammar; false at the end. */
static bool grammar_next(const char **grammar, Item *item)
{
  const char *p = *grammar + strspn(*grammar, " ");
  size_t n = strcspn(p, " ");
  *grammar = p + n;
  if (n == 0)
    return false;
  *item = (Item){.type = p, .soft = *p == '~'};
  char last = p[n - 1];
  item->optional = last == '?' || last == '*';
  item->many = last == '*' || last == '+';
  item->need_one = last == '+';
  if (item->optional || item->many)
    n--;
  item->type += item->soft;
  item->len = (int)n - item->soft;
  return true;
}

static bool type_is(const Item *item, const char *name)
{
  return strlen(name) == (size_t)item->len && memcmp(item->type, name, (size_t)item->len) == 0;
}

bool ovpn_option_number(const char *text, int64_t lo, int64_t hi, int64_t *ret)
{
  bool negative = text[0] == '-';
  const char *p = text + negative;
  int64_t v = 0;
  if (!*p)
    return false;
  for (; *p; p++) {
    if (*p < '0' || *p > '9' || __builtin_mul_overflow(v, 10, &v) ||
        __builtin_add_overflow(v, *p - '0', &v))
      return false;
  }
  v = negative ? -v : v;
  if (v < lo || v > hi)
    return false;
  *ret = v;
  return true;
}

static bool has_space_or_control(const char *s)
{
  for (; *s; s++)
    if ((unsigned char)*s <= ' ' || *s == 0x7f)
      return true;
  return false;
}

static bool good_host(const char *s)
{
  return *s && strlen(s) <= 255 && !has_space_or_control(s) && !strchr(s, ',');
}

static bool good_port(const char *s)
{
  int64_t n;
  if (strspn(s, "0123456789") == strlen(s))
    return ovpn_option_number(s, 1, 65535, &n);
  size_t len = strlen(s);
  for (const char *p = s; *p; p++)
    if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.", *p))
      return false;
  return len <= 32 && s[0] != '-';
}

/* item is "=a|b|c". */
static bool one_of(const Item *item, const char *arg)
{
  const char *p = item->type + 1, *end = item->type + item->len;
  size_t len = strlen(arg);
  while (p <= end) {
    const char *bar = memchr(p, '|', (size_t)(end - p));
    size_t n = (size_t)((bar ? bar : end) - p);
    if (n == len && n > 0 && strncasecmp(p, arg, n) == 0)
      return true;
    p += n + 1;
  }
  return false;
}

/* "a|b|c" as "a, b or c". */
static void list_words(const Item *item, char *out, size_t cap)
{
  size_t n = 0;
  const char *last_bar = memrchr(item->type, '|', (size_t)item->len);
  for (const char *p = item->type + 1; p < item->type + item->len && n + 5 < cap; p++) {
    if (*p != '|') {
      out[n++] = *p;
      continue;
    }
    const char *joint = p == last_bar ? " or " : ", ";
    memcpy(out + n, joint, strlen(joint));
    n += strlen(joint);
  }
  out[n] = 0;
}

/* The two bounds of an item "lo..hi"; false if it is another type. */
static bool number_bounds(const Item *item, int64_t *lo, int64_t *hi)
{
  char text[64];
  if ((size_t)item->len >= sizeof text ||
      (item->type[0] != '-' && (item->type[0] < '0' || item->type[0] > '9')))
    return false;
  memcpy(text, item->type, (size_t)item->len);
  text[item->len] = 0;
  char *dots = strstr(text, "..");
  if (!dots)
    return false;
  *dots = 0;
  return ovpn_option_number(text, INT64_MIN, INT64_MAX, lo) &&
         ovpn_option_number(dots + 2, INT64_MIN, INT64_MAX, hi);
}

/* ADDRESS or ADDRESS/BITS */
static bool good_net6(const char *s, bool bits_allowed)
{
  char host[INET6_ADDRSTRLEN];
  struct in6_addr a;
  int64_t bits;
  size_t len = strcspn(s, "/");
  if (len >= sizeof host || (s[len] && !bits_allowed))
    return false;
  memcpy(host, s, len);
  host[len] = 0;
  return inet_pton(AF_INET6, host, &a) == 1 &&
         (!s[len] || ovpn_option_number(s + len + 1, 0, 128, &bits));
}

static bool good_ip4(const char *s)
{
  struct in_addr a;
  return inet_pton(AF_INET, s, &a) == 1;
}

static bool good_mask(const char *s)
{
  struct in_addr a;
  if (strcmp(s, "default") == 0)
    return true;
  if (inet_pton(AF_INET, s, &a) != 1)
    return false;
  uint32_t hole = ~ntohl(a.s_addr);
  return (hole & (hole + 1)) == 0;
}

/* ADDRESS, ADDRESS:PORT of IPv4, [ADDRESS]:PORT of IPv6. */
static bool good_name_server(const char *s)
{
  char host[INET6_ADDRSTRLEN];
  bool bracket = s[0] == '[', v6 = bracket || strchr(s, ':') != strrchr(s, ':');
  s += bracket;
  size_t len = bracket ? strcspn(s, "]") : v6 ? strlen(s) : strcspn(s, ":");
  if (len >= sizeof host || (bracket && !s[len]))
    return false;
  memcpy(host, s, len);
  host[len] = 0;
  const char *rest = s + len + bracket;
  return (v6 ? good_net6(host, false) : good_ip4(host)) &&
         (!*rest || (*rest == ':' && good_port(rest + 1)));
}

/* Digits and dots are never a name: who writes 300.1.1.1 means an address. Short forms that
 * resolvers take (10.8) are good. */
static bool good_soft_host(const char *s)
{
  struct in_addr a;
  return !*s || s[strspn(s, "0123456789.")] || inet_aton(s, &a) != 0;
}

static bool good_cipher(const char *list)
{
  char name[64];
  for (; *list; list += *list == ':') {
    size_t len = strcspn(list, ":");
    if (len < sizeof name) {
      memcpy(name, list, len);
      name[len] = 0;
      if (ovpn_cipher_find(name, NULL) == OVPN_CIPHER_ABLE || strcasecmp(name, "DEFAULT") == 0)
        return true;
    }
    list += len;
  }
  return false;
}

static const struct {
  const char *type;
  bool (*good)(const char *s);
  const char *wrong;
} kinds[] = {
    {"host", good_soft_host, "is not a host name or address"},
    {"ip4", good_ip4, "is not an IPv4 address"},
    {"mask", good_mask, "is not a netmask"},
    {"dns", good_name_server, "is not the address of a name server"},
    {"cipher", good_cipher,
     "is not available here; ask the administrator of the server to use AES-256-GCM"},
    {"digest", ovpn_digest_is_able,
     "is not available here; ask the administrator of the server to use SHA256"},
};

static OvpnStatus check_kind(const OvpnOption *o, const Item *item, const char *arg, OvpnFailure *f)
{
  bool net6 = type_is(item, "net6");
  if ((net6 || type_is(item, "ip6")) && !good_net6(arg, net6))
    return ovpn_failure_set(f, OVPN_FAIL_CONFIG, "%s: “%.60s” is not an IPv6 address", o->argv[0],
                            arg);
  for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
    if (type_is(item, kinds[i].type) && !kinds[i].good(arg))
      return ovpn_failure_set(f, OVPN_FAIL_CONFIG, "%s: “%.60s” %s", o->argv[0], arg,
                              kinds[i].wrong);
  return OVPN_OK;
}

/* soft: the checks that do not stop a connection, and no others. */
static OvpnStatus check_argument(const OvpnOption *o, const OvpnOptionInfo *info, const Item *item,
                                 const char *arg, bool soft, OvpnFailure *f)
{
  /* The first argument of a secret option is a file name; only auth-token has the secret itself. */
  const char *shown = (info->flags & F_SECRET) && !(info->flags & F_FILE) ? "…" : arg;
  int64_t lo, hi, n;
  char words[160];
  if (soft && (item->soft || type_is(item, "host"))) {
    OvpnStatus s = check_kind(o, item, arg, f);
    if (s != OVPN_OK)
      return s;
  }
  if (soft != item->soft)
    return OVPN_OK;
  if (number_bounds(item, &lo, &hi)) {
    if (ovpn_option_number(arg, lo, hi, &n) || (soft && strcmp(arg, "default") == 0))
      return OVPN_OK;
    return ovpn_failure_set(f, OVPN_FAIL_CONFIG,
                            "%s: “%.60s” is not a number between %lld and %lld", o->argv[0], shown,
                            (long long)lo, (long long)hi);
  }
  if (item->type[0] == '=') {
    if (one_of(item, arg))
      return OVPN_OK;
    list_words(item, words, sizeof words);
    return ovpn_failure_set(f, OVPN_FAIL_CONFIG, "%s: “%.60s” is not %s", o->argv[0], shown, words);
  }
  if (type_is(item, "port") && !good_port(arg))
    return ovpn_failure_set(f, OVPN_FAIL_CONFIG, "%s: “%.60s” is not a port", o->argv[0], shown);
  if (type_is(item, "host") && !good_host(arg))
    return ovpn_failure_set(f, OVPN_FAIL_CONFIG, "%s: “%.60s” is not a host name or address",
                            o->argv[0], shown);
  if (type_is(item, "word") && (!*arg || has_space_or_control(arg)))
    return ovpn_failure_set(f, OVPN_FAIL_CONFIG, "%s: “%.60s” is not a single word", o->argv[0],
                            shown);
  if (type_is(item, "file") && !*arg)
    return ovpn_failure_set(f, OVPN_FAIL_CONFIG, "%s: the file name is empty", o->argv[0]);
  return OVPN_OK;
}

/* Alternatives stand behind " / ": the first one whose words "=a|b" fit counts, else the last. */
static const char *choose(const OvpnOption *o, const char *grammar)
{
  for (const char *next; (next = strstr(grammar, " / ")); grammar = next + 3) {
    const char *p = grammar;
    bool fits = true;
    Item item;
    for (unsigned i = 1; fits && p < next && grammar_next(&p, &item); i++)
      fits = item.type[0] != '=' || (i < o->argc && one_of(&item, o->argv[i]));
    if (fits)
      return grammar;
  }
  return grammar;
}

static bool next_item(const char **grammar, Item *item)
{
  return grammar_next(grammar, item) && !type_is(item, "/");
}

static OvpnStatus walk(const OvpnOption *o, bool soft, OvpnFailure *f)
{
  const OvpnOptionInfo *info = ovpn_option_info(o->id);
  if (o->id == OVPN_OPT_UNKNOWN || (info->flags & (F_HARMLESS | F_NEVER | F_SERVER)))
    return OVPN_OK;
  unsigned i = 1;
  const char *grammar = choose(o, info->args);
  Item item;
  if (o->is_inline) {
    if (!(info->flags & F_INLINE))
      return ovpn_failure_set(f, OVPN_FAIL_CONFIG, "%s: cannot be an inline block", o->argv[0]);
    (void)next_item(&grammar, &item); /* the content stands for the first argument */
    if (o->argc > 1 && strcmp(o->argv[1], "[inline]") == 0)
      i = 2;
  }
  while (next_item(&grammar, &item)) {
    if (i >= o->argc) {
      if (item.optional)
        return OVPN_OK;
      return ovpn_failure_set(f, OVPN_FAIL_CONFIG, "%s: argument %u is missing", o->argv[0], i);
    }
    do {
      OvpnStatus s = check_argument(o, info, &item, o->argv[i++], soft, f);
      if (s != OVPN_OK)
        return s;
    } while (item.many && i < o->argc);
  }
  if (i < o->argc)
    return ovpn_failure_set(f, OVPN_FAIL_CONFIG, "%s: too many arguments (%u, at most %u)",
                            o->argv[0], o->argc - 1, i - 1);
  return OVPN_OK;
}

OvpnStatus ovpn_option_check(const OvpnOption *o, OvpnFailure *f)
{
  return walk(o, false, f);
}

OvpnStatus ovpn_option_doubt(const OvpnOption *o, OvpnFailure *f)
{
  return walk(o, true, f);
}

/* ---- text form */

/* Bytes that mean nothing to the lexer wherever they stand; everything else gets quotes. */
static bool is_plain(char c)
{
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
         (c && strchr("_./:,@%+~-[]!?*&()|^$", c));
}

/* Writes `prefix` (plain) and `word` as one word. */
static char *put_word(char *out, const char *prefix, const char *word)
{
  size_t plain = 0, len = strlen(word);
  while (plain < len && (is_plain(word[plain]) || (plain > 0 && word[plain] == '=')))
    plain++;
  bool quote = len == 0 || plain < len;
  if (quote)
    *out++ = '"';
  out = stpcpy(out, prefix);
  for (; *word; word++) {
    if (*word == '"' || *word == '\\')
      *out++ = '\\';
    *out++ = *word;
  }
  if (quote)
    *out++ = '"';
  return out;
}

char *ovpn_option_format(const OvpnOption *o)
{
  static const char optional[] = "setenv opt ";
  size_t cap = sizeof optional + 3;
  for (unsigned i = 0; i < o->argc; i++)
    cap += 2 * strlen(o->argv[i]) + 3;
  char *text = malloc(cap), *p = text;
  if (!text)
    return NULL;
  if (o->is_optional)
    p = stpcpy(p, optional);
  for (unsigned i = 0; i < o->argc; i++) {
    /* The lexer takes one "--" away from the directive. */
    bool dashes = i == 0 && strncmp(o->argv[0], "--", 2) == 0 && o->argv[0][2];
    if (i > 0)
      *p++ = ' ';
    p = put_word(p, dashes ? "--" : "", o->argv[i]);
  }
  *p = 0;
  return text;
}

/* ---- IPC form: u32 line | u16 connection + 1 | u8 inline | u8 argc | argc * (u16 length, bytes) |
 * u16 length, content */

enum { CONTENT_MAX = 32768 };

/* Blocks that are not files (fingerprints), and files of one <connection>, for which there is no
 * OvpnFileId, would get lost without their content. */
static bool carries_content(OvpnOptionId id, bool is_inline, int connection)
{
  uint32_t flags = ovpn_option_info(id)->flags;
  return is_inline && (flags & F_INLINE) && (connection >= 0 || !(flags & F_FILE));
}

void ovpn_option_encode(const OvpnOption *o, OvpnWriter *w)
{
  ovpn_write_u32(w, o->line);
  ovpn_write_u16(w, (uint16_t)(o->connection + 1));
  ovpn_write_u8(w, o->is_inline);
  ovpn_write_u8(w, (uint8_t)o->argc);
  for (unsigned i = 0; i < o->argc; i++) {
    size_t len = strlen(o->argv[i]);
    ovpn_write_u16(w, (uint16_t)len);
    ovpn_write_bytes(w, o->argv[i], len);
  }
  size_t len = carries_content(o->id, o->is_inline, o->connection) ? o->content.len : 0;
  if (len > CONTENT_MAX)
    w->ok = false;
  ovpn_write_u16(w, (uint16_t)len);
  ovpn_write_bytes(w, o->content.data, len);
}

/* Reads the content that ends an option, then appends a copy of `head` with it. */
static OvpnStatus decode_content(OvpnReader *r, OvpnOptionList *l, const OvpnOption *head)
{
  size_t len = ovpn_read_u16(r);
  const uint8_t *content = ovpn_read_bytes(r, len);
  if (!content)
    return OVPN_DROP_TRUNCATED;
  const OvpnOptionInfo *info = ovpn_option_by_directive(head->argv[0]);
  if (len > CONTENT_MAX || (len > 0 && !carries_content(info ? info->id : OVPN_OPT_UNKNOWN,
                                                        head->is_inline, head->connection)))
    return OVPN_DROP_FORMAT;
  if (l->n >= OVPN_OPTION_LIST_MAX)
    return OVPN_DROP_FORMAT;
  OvpnOption *o = ovpn_option_list_add(l, (const char *const *)head->argv, head->argc);
  if (!o)
    return OVPN_FAIL_MEMORY;
  o->line = head->line;
  o->connection = head->connection;
  o->is_inline = head->is_inline;
  return ovpn_blob_set(&o->content, content, len) ? OVPN_OK : OVPN_FAIL_MEMORY;
}

OvpnStatus ovpn_option_decode(OvpnReader *r, OvpnOptionList *l)
{
  char *argv[OVPN_OPTION_ARGS_MAX + 1] = {NULL};
  unsigned line = ovpn_read_u32(r), connection = ovpn_read_u16(r), is_inline = ovpn_read_u8(r);
  unsigned argc = ovpn_read_u8(r), n = 0;
  OvpnStatus s = r->ok ? OVPN_OK : OVPN_DROP_TRUNCATED;
  if (s == OVPN_OK && (argc < 1 || argc > OVPN_OPTION_ARGS_MAX || is_inline > 1 ||
                       connection > OVPN_OPTION_LIST_MAX))
    s = OVPN_DROP_FORMAT;
  for (; s == OVPN_OK && n < argc; n++) {
    size_t len = ovpn_read_u16(r);
    const uint8_t *p = ovpn_read_bytes(r, len);
    if (!p)
      s = OVPN_DROP_TRUNCATED;
    else if (len > OVPN_OPTION_ARG_MAX || memchr(p, 0, len))
      s = OVPN_DROP_FORMAT;
    else if (!(argv[n] = strndup((const char *)p, len)))
      s = OVPN_FAIL_MEMORY;
    if (s != OVPN_OK)
      break;
  }
  if (s == OVPN_OK)
    s = decode_content(r, l,
                       &(OvpnOption){.line = line,
                                     .argc = argc,
                                     .argv = argv,
                                     .is_inline = is_inline,
                                     .connection = (int)connection - 1});
  for (unsigned i = 0; i < n; i++)
    ovpn_secret_free(argv[i]);
  return s;
}
