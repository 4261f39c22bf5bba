/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Text of a profile -> options. spec §18.
 *
 * Trusts nothing: the file may be anything a person downloaded. One pass over the bytes; every
 * word, line, list and file is bounded; the text is only read. Errors name the line. Words are
 * built in one buffer that is wiped afterwards, as passwords can stand in a profile. */
#include "helper/core/conf.h"
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A line being cut into words; the words stand one after the other in `text`, each with its NUL. */
typedef struct Words {
  char *text;
  size_t len;
  const char *argv[OVPN_OPTION_ARGS_MAX];
  unsigned argc;
  bool quoted_first; /* the first word began with a quote or backslash: it is never a block tag */
} Words;

enum { WORDS_TEXT_MAX = OVPN_OPTION_ARGS_MAX * (OVPN_OPTION_ARG_MAX + 1) };

typedef struct Parser {
  const char *p, *end; /* what is left */
  unsigned line;       /* number of the line that next_line gave */
  int connection;      /* of the block we are in, -1 = none */
  int connections;     /* blocks begun, counted from what the list already had */
  unsigned connection_line;
  OvpnOptionList *l;
  OvpnConfError *err;
  Words words;
} Parser;

__attribute__((format(printf, 3, 4))) static OvpnStatus fail(OvpnConfError *err, unsigned line,
                                                             const char *fmt, ...)
{
  if (!err)
    return OVPN_FAIL_CONFIG;
  char raw[OVPN_FAILURE_TEXT_MAX];
  va_list ap;
  va_start(ap, fmt);
  if (vsnprintf(raw, sizeof raw, fmt, ap) < 0)
    raw[0] = 0;
  va_end(ap);
  OvpnFailure f = {0};
  ovpn_failure_set(&f, OVPN_FAIL_CONFIG, "%s", raw); /* makes bytes from the file harmless */
  err->line = line;
  memcpy(err->text, f.text, sizeof err->text);
  return OVPN_FAIL_CONFIG;
}

static bool is_space(char c)
{
  return c == ' ' || (c >= '\t' && c <= '\r');
}

/* ---- words */

static OvpnStatus word_byte(Words *w, char c, size_t start, unsigned line, OvpnConfError *err)
{
  if (w->len - start >= OVPN_OPTION_ARG_MAX)
    return fail(err, line, "a word is longer than %d bytes", OVPN_OPTION_ARG_MAX);
  w->text[w->len++] = c;
  return OVPN_OK;
}

/* Reads one word that begins at *pp (no space, no comment there) and leaves *pp behind it. A word
 * that begins with a quote ends with that quote; otherwise quotes inside it mean nothing. */
static OvpnStatus read_word(const char **pp, const char *end, Words *w, unsigned line,
                            OvpnConfError *err)
{
  const char *p = *pp;
  char quote = *p == '"' || *p == '\'' ? *p++ : 0;
  size_t start = w->len;
  while (p < end && (quote ? *p != quote : !is_space(*p))) {
    char c = *p++;
    if (c == '\\' && quote != '\'') {
      if (p == end)
        break; /* OpenVPN takes the line break into the word, where it is of no use */
      c = *p++;
      if (c != '\\' && c != '"' && !is_space(c))
        return fail(err, line,
                    "a backslash must stand before a space, a double quote or another backslash");
    }
    OvpnStatus s = word_byte(w, c, start, line, err);
    if (s != OVPN_OK)
      return s;
  }
  if (quote && p == end)
    return fail(err, line, "a quoted text is not closed (%c is missing)", quote);
  *pp = p + (quote != 0);
  w->argv[w->argc++] = w->text + start;
  w->text[w->len++] = 0;
  return OVPN_OK;
}

/* Between words a backslash in front of a blank, of a comment or of the end of the line means
 * nothing: people break lines as in a shell. */
static const char *skip_blanks(const char *p, const char *end)
{
  for (; p < end; p++) {
    bool mute = *p == '\\' && (p + 1 == end || is_space(p[1]) || p[1] == '#' || p[1] == ';');
    if (!is_space(*p) && !mute)
      break;
  }
  return p;
}

static OvpnStatus read_words(const char *p, const char *end, Words *w, unsigned line,
                             OvpnConfError *err)
{
  w->len = w->argc = 0;
  w->quoted_first = false;
  for (;;) {
    p = skip_blanks(p, end);
    if (p == end || *p == '#' || *p == ';')
      break;
    if (w->argc == OVPN_OPTION_ARGS_MAX)
      return fail(err, line, "more than %d words in one line", OVPN_OPTION_ARGS_MAX);
    if (w->argc == 0)
      w->quoted_first = *p == '"' || *p == '\'' || *p == '\\';
    OvpnStatus s = read_word(&p, end, w, line, err);
    if (s != OVPN_OK)
      return s;
  }
  if (w->argc > 0 && strncmp(w->argv[0], "--", 2) == 0 && w->argv[0][2])
    w->argv[0] += 2;
  return OVPN_OK;
}

static OvpnStatus words_init(Words *w, size_t line_max, OvpnConfError *err)
{
  /* A word costs at most one byte (its NUL) more than it has in the line. */
  size_t cap = line_max + OVPN_OPTION_ARGS_MAX + 1;
  w->text = malloc(cap < WORDS_TEXT_MAX ? cap : WORDS_TEXT_MAX);
  if (w->text)
    return OVPN_OK;
  (void)fail(err, 0, "out of memory");
  return OVPN_FAIL_MEMORY;
}

static void words_clear(Words *w, size_t line_max)
{
  size_t cap = line_max + OVPN_OPTION_ARGS_MAX + 1;
  ovpn_wipe(w->text, cap < WORDS_TEXT_MAX ? cap : WORDS_TEXT_MAX);
  free(w->text);
}

static OvpnStatus add_words(const Words *w, OvpnOptionList *l, unsigned line, int connection,
                            OvpnConfError *err, OvpnOption **ret)
{
  if (l->n >= OVPN_OPTION_LIST_MAX)
    return fail(err, line, "more than %d options", OVPN_OPTION_LIST_MAX);
  OvpnOption *o = ovpn_option_list_add(l, w->argv, w->argc);
  if (!o) {
    (void)fail(err, line, "out of memory");
    return OVPN_FAIL_MEMORY;
  }
  o->line = line;
  o->connection = connection;
  *ret = o;
  return OVPN_OK;
}

OvpnStatus ovpn_conf_parse_line(const char *line, size_t len, OvpnOptionList *l, OvpnConfError *err)
{
  if (len > OVPN_CONF_MAX)
    return fail(err, 0, "the line is too long");
  if (len && (memchr(line, 0, len) || memchr(line, '\n', len)))
    return fail(err, 0, "the line contains a line break or a NUL byte");
  Words w = {0};
  OvpnOption *o;
  OvpnStatus s = words_init(&w, len, err);
  if (s != OVPN_OK)
    return s;
  s = read_words(line, line + len, &w, 0, err);
  if (s == OVPN_OK && w.argc > 0)
    s = add_words(&w, l, 0, -1, err, &o);
  words_clear(&w, len);
  return s;
}

/* ---- lines and blocks */

static bool next_line(Parser *ps, const char **start, const char **end)
{
  if (ps->p == ps->end)
    return false;
  const char *nl = memchr(ps->p, '\n', (size_t)(ps->end - ps->p));
  *start = ps->p;
  *end = nl ? nl : ps->end;
  ps->p = nl ? nl + 1 : ps->end;
  ps->line++;
  return true;
}

/* What a version control system leaves in a file after a failed merge. */
static bool is_conflict_marker(const char *p, const char *end)
{
  if (end - p < 7 || !strchr("<=>|", *p))
    return false;
  for (int i = 1; i < 7; i++)
    if (p[i] != p[0])
      return false;
  return end - p == 7 || is_space(p[7]);
}

/* Content up to the line that begins with </name>, verbatim; the parser then stands behind that
 * line. */
static OvpnStatus read_block(Parser *ps, const char *name, OvpnBlob *content)
{
  char tag[OVPN_OPTION_ARG_MAX + 4];
  size_t n = (size_t)snprintf(tag, sizeof tag, "</%s>", name);
  unsigned first = ps->line;
  const char *from = ps->p, *start, *end;
  while (next_line(ps, &start, &end)) {
    if (is_conflict_marker(start, end))
      return fail(ps->err, ps->line, "this is the mark of an unfinished merge");
    const char *p = start;
    while (p < end && is_space(*p))
      p++;
    if ((size_t)(end - p) < n || memcmp(p, tag, n) != 0)
      continue;
    if (ovpn_blob_set(content, from, (size_t)(start - from))) {
      for (size_t i = 0; i < content->len; i++) /* in a comment, see ovpn_conf_find_nul */
        if (content->data[i] == 0)
          content->data[i] = ' ';
      return OVPN_OK;
    }
    (void)fail(ps->err, first, "out of memory");
    return OVPN_FAIL_MEMORY;
  }
  return fail(ps->err, first, "<%.60s> is not closed by </%.60s>", name, name);
}

/* "<name>" or "</name>" standing alone: the name in *name. */
static bool is_tag(const Words *w, char *name, size_t cap, bool *closing)
{
  if (w->argc != 1 || w->quoted_first || w->argv[0][0] != '<')
    return false;
  const char *p = w->argv[0] + 1;
  *closing = *p == '/';
  p += *closing;
  size_t n = strspn(p, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_");
  if (n == 0 || n >= cap || strcmp(p + n, ">") != 0)
    return false;
  memcpy(name, p, n);
  name[n] = 0;
  return true;
}

static OvpnStatus connection_tag(Parser *ps, bool closing)
{
  if (closing && ps->connection < 0)
    return fail(ps->err, ps->line, "</connection> without <connection>");
  if (!closing && ps->connection >= 0)
    return fail(ps->err, ps->line, "<connection> inside another <connection>");
  if (!closing && ps->connections >= OVPN_OPTION_LIST_MAX)
    return fail(ps->err, ps->line, "too many <connection> blocks");
  ps->connection = closing ? -1 : ps->connections++;
  ps->connection_line = ps->line;
  return OVPN_OK;
}

static OvpnStatus parse_block(Parser *ps, const char *name)
{
  unsigned line = ps->line;
  ovpn_auto_blob content = {0};
  OvpnOption *o;
  OvpnStatus s = read_block(ps, name, &content);
  if (s != OVPN_OK)
    return s;
  ps->words.argv[0] = name;
  ps->words.argc = 1;
  s = add_words(&ps->words, ps->l, line, ps->connection, ps->err, &o);
  if (s != OVPN_OK)
    return s;
  o->is_inline = true;
  o->content = content;
  content = (OvpnBlob){0};
  return OVPN_OK;
}

static OvpnStatus parse_line(Parser *ps, const char *start, const char *end)
{
  if (is_conflict_marker(start, end))
    return fail(ps->err, ps->line, "this is the mark of an unfinished merge");
  OvpnStatus s = read_words(start, end, &ps->words, ps->line, ps->err);
  if (s != OVPN_OK || ps->words.argc == 0)
    return s;
  char name[64];
  bool closing;
  OvpnOption *o;
  if (!is_tag(&ps->words, name, sizeof name, &closing))
    return add_words(&ps->words, ps->l, ps->line, ps->connection, ps->err, &o);
  if (strcmp(name, "connection") == 0)
    return connection_tag(ps, closing);
  if (closing)
    return fail(ps->err, ps->line, "</%s> without <%s>", name, name);
  return parse_block(ps, name);
}

/* ---- whole files */

static unsigned line_of(const char *text, const char *p)
{
  unsigned line = 1;
  for (; text < p; text++)
    line += *text == '\n';
  return line;
}

/* Finds out cheaply whether this is text at all; most wrong files end here. */
/* OpenVPN reads a line up to its first NUL, so NULs that end the file or stand in a comment do no
 * harm; anywhere else they mean that this is no text. */
const void *ovpn_conf_find_nul(const void *text, size_t len)
{
  const char *p = text, *end = p + len;
  while (end > p && end[-1] == 0)
    end--;
  if (end == p && len)
    return p; /* nothing but NULs */
  for (const char *line = p, *next; line < end; line = next) {
    const char *newline = memchr(line, '\n', (size_t)(end - line));
    next = newline ? newline + 1 : end;
    const char *nul = memchr(line, 0, (size_t)(next - line));
    while (nul && line < nul && is_space(*line))
      line++;
    if (nul && *line != '#' && *line != ';')
      return nul;
  }
  return NULL;
}

static OvpnStatus check_text(const char *text, size_t len, bool *ret_doubtful, OvpnConfError *err)
{
  const unsigned char *u = (const unsigned char *)text;
  if (len >= 2 && ((u[0] == 0xff && u[1] == 0xfe) || (u[0] == 0xfe && u[1] == 0xff)))
    return fail(err, 1, "the file is in UTF-16; save it as UTF-8");
  const char *nul = ovpn_conf_find_nul(text, len);
  if (nul)
    return fail(err, line_of(text, nul), "binary data; an OpenVPN profile is a text file");
  size_t control = 0, high = 0;
  const char *first = NULL;
  for (size_t i = 0; i < len; i++) {
    bool bad = (u[i] < ' ' && !is_space(text[i])) || u[i] == 0x7f;
    if (bad && !first)
      first = text + i;
    control += bad;
    high += u[i] >= 0x80;
  }
  if (control > 8 && control > len / 50)
    return fail(err, line_of(text, first), "binary data; an OpenVPN profile is a text file");
  *ret_doubtful = control > 0 || high > len / 4;
  return OVPN_OK;
}

static OvpnStatus parse_all(Parser *ps)
{
  const char *start, *end;
  while (next_line(ps, &start, &end)) {
    OvpnStatus s = parse_line(ps, start, end);
    if (s != OVPN_OK)
      return s;
  }
  if (ps->connection >= 0)
    return fail(ps->err, ps->connection_line, "<connection> is not closed by </connection>");
  return OVPN_OK;
}

OvpnStatus ovpn_conf_parse_lines(const void *text, size_t len, OvpnOptionList *l,
                                 OvpnConfError *err)
{
  if (len > OVPN_CONF_MAX)
    return fail(err, 0, "the text is larger than %d MiB", OVPN_CONF_MAX / (1024 * 1024));
  Parser ps = {.p = text, .end = (const char *)text + len, .connection = -1, .l = l, .err = err};
  for (size_t i = 0; i < l->n; i++)
    if (l->items[i].connection >= ps.connections)
      ps.connections = l->items[i].connection + 1;
  OvpnStatus s = words_init(&ps.words, len, err);
  if (s != OVPN_OK)
    return s;
  s = parse_all(&ps);
  words_clear(&ps.words, len);
  return s;
}

OvpnStatus ovpn_conf_parse(const void *text, size_t len, OvpnOptionList *l, OvpnConfError *err)
{
  if (len > OVPN_CONF_MAX)
    return fail(err, 0, "the file is larger than %d MiB", OVPN_CONF_MAX / (1024 * 1024));
  const char *p = text;
  if (len >= 3 && memcmp(p, "\xef\xbb\xbf", 3) == 0) {
    p += 3;
    len -= 3;
  }
  while (len && p[len - 1] == 0)
    len--;
  if (len == 0)
    return OVPN_OK;
  bool doubtful = false;
  OvpnStatus s = check_text(p, len, &doubtful, err);
  if (s != OVPN_OK)
    return s;
  size_t before = l->n, known = 0;
  s = ovpn_conf_parse_lines(p, len, l, err);
  for (size_t i = before; i < l->n; i++)
    known += l->items[i].id != OVPN_OPT_UNKNOWN;
  if (doubtful && known == 0 && s != OVPN_FAIL_MEMORY)
    return fail(err, 0, "no OpenVPN option in it; this does not look like a profile");
  return s;
}
