/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The service's only log sink. ARCHITECTURE.md §7. */
#pragma once
#include <glib.h>
#include <syslog.h>

/* Reads NM_VPN_LOG_LEVEL (syslog number, default LOG_NOTICE) and NM_VPN_LOG_SYSLOG ("1": journal or
 * syslog, else stderr). debug: everything, to stderr. Takes over GLib's messages too. */
void nmovpn_log_init(gboolean debug);
/* The connection that later lines belong to; the fields CONNECTION_UUID and NM_CONNECTION of the
 * journal, so that the `journalctl NM_CONNECTION=...` that nmcli recommends shows our lines. NULL
 * clears. */
void nmovpn_log_set_connection(const char *uuid, const char *name);
void nmovpn_log_set_state(const char *state);
/* level: LOG_ERR .. LOG_DEBUG. The line is cut to 1 KiB and freed from control characters. */
void nmovpn_log(int level, const char *format, ...) G_GNUC_PRINTF(2, 3);
/* Text from outside: printable UTF-8, at most 256 bytes. Free with g_free. */
char *nmovpn_log_escape(const char *text);
