/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The service's log sink: journal with fields, else syslog, else stderr.
 *
 * Trusts nothing it prints: control characters and broken UTF-8 are replaced, lines are cut. Its
 * file-level state (level, sink, fields; beside the engine that is kept ready in engine-process.c
 * the only one that changes) is set by the main thread;
 * GLib's worker thread may log too, so the fields are read under a lock. ARCHITECTURE.md §7. */
#include "service/log.h"
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LINE_MAX_BYTES = 1024, PEER_TEXT_MAX = 256 };

static GMutex lock;
static int max_level = LOG_NOTICE;
static gboolean use_syslog;
static char *connection_uuid, *connection_name;
static const char *state_name = "";

/* Printable UTF-8 of at most `max` bytes, cut at a character. */
static char *clean(const char *text, gsize max)
{
  g_autofree char *valid = g_utf8_make_valid(text, -1);
  GString *out = g_string_sized_new(MIN(strlen(valid), max));
  for (const char *p = valid; *p; p = g_utf8_next_char(p)) {
    gunichar c = g_utf8_get_char(p);
    gsize n = (gsize)(g_utf8_next_char(p) - p);
    if (out->len + n > max) {
      g_string_append(out, "…");
      break;
    }
    if (g_unichar_iscntrl(c))
      g_string_append_c(out, ' ');
    else
      g_string_append_len(out, p, (gssize)n);
  }
  return g_string_free(out, FALSE);
}

char *nmovpn_log_escape(const char *text)
{
  return clean(text ? text : "", PEER_TEXT_MAX);
}

static const char *priority_text(int level)
{
  static const char *const digits[] = {"0", "1", "2", "3", "4", "5", "6", "7"};
  return digits[CLAMP(level, 0, 7)];
}

static void write_stderr(int level, const char *line)
{
  fprintf(stderr, "nm-ovpn-service[%s%s%s] %s\n", connection_name ? connection_name : "",
          connection_name ? " " : "", priority_text(level), line);
}

static void emit(int level, const char *message)
{
  g_autofree char *line = clean(message, LINE_MAX_BYTES);
  g_mutex_lock(&lock);
  if (use_syslog) {
    GLogField fields[] = {
        {"MESSAGE", line, -1},
        {"PRIORITY", priority_text(level), -1},
        {"SYSLOG_IDENTIFIER", "nm-ovpn-service", -1},
        {"STATE", state_name, -1},
        {"CONNECTION_UUID", connection_uuid ? connection_uuid : "", -1},
        {"NM_CONNECTION", connection_uuid ? connection_uuid : "", -1},
    };
    gsize n = connection_uuid ? G_N_ELEMENTS(fields) : G_N_ELEMENTS(fields) - 2;
    gboolean done =
        g_log_writer_journald(G_LOG_LEVEL_MESSAGE, fields, n, NULL) == G_LOG_WRITER_HANDLED;
    if (!done && access("/dev/log", W_OK) == 0)
      syslog(level, "%s%s%s", connection_name ? connection_name : "", connection_name ? ": " : "",
             line);
    else if (!done) /* neither daemon runs: better there than nowhere */
      write_stderr(level, line);
  } else {
    write_stderr(level, line);
  }
  g_mutex_unlock(&lock);
}

/* GLib's own warnings reach the same sink. */
static GLogWriterOutput write_glib(GLogLevelFlags flags, const GLogField *fields, gsize n,
                                   gpointer unused)
{
  int level = flags & (G_LOG_LEVEL_ERROR | G_LOG_LEVEL_CRITICAL) ? LOG_ERR
              : flags & G_LOG_LEVEL_WARNING                      ? LOG_WARNING
              : flags & G_LOG_LEVEL_MESSAGE                      ? LOG_NOTICE
              : flags & G_LOG_LEVEL_INFO                         ? LOG_INFO
                                                                 : LOG_DEBUG;
  if (level > max_level || (flags & G_LOG_LEVEL_DEBUG))
    return G_LOG_WRITER_HANDLED;
  for (gsize i = 0; i < n; i++)
    if (strcmp(fields[i].key, "MESSAGE") == 0 && fields[i].length < 0)
      emit(level, fields[i].value);
  return G_LOG_WRITER_HANDLED;
}

void nmovpn_log_init(gboolean debug)
{
  const char *level = g_getenv("NM_VPN_LOG_LEVEL");
  const char *to = g_getenv("NM_VPN_LOG_SYSLOG");
  if (level)
    max_level = (int)CLAMP(g_ascii_strtoll(level, NULL, 10), LOG_ERR, LOG_DEBUG);
  if (debug)
    max_level = LOG_DEBUG;
  use_syslog = !debug && g_strcmp0(to, "0") != 0;
  openlog("nm-ovpn-service", LOG_PID, LOG_DAEMON);
  g_log_set_writer_func(write_glib, NULL, NULL);
}

void nmovpn_log_set_connection(const char *uuid, const char *name)
{
  g_mutex_lock(&lock);
  g_free(connection_uuid);
  g_free(connection_name);
  connection_uuid = g_strdup(uuid);
  connection_name = name ? clean(name, 64) : NULL;
  g_mutex_unlock(&lock);
}

void nmovpn_log_set_state(const char *state)
{
  g_mutex_lock(&lock);
  state_name = g_intern_string(state);
  g_mutex_unlock(&lock);
}

void nmovpn_log(int level, const char *format, ...)
{
  if (level > max_level)
    return;
  va_list ap;
  va_start(ap, format);
  g_autofree char *message = g_strdup_vprintf(format, ap);
  va_end(ap);
  emit(level, message);
}
