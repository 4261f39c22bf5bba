/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine's counters and fallbacks in words for the log. Pure. */
#pragma once
#include <glib.h>
#include "helper/core/ipc.h"

/* What went through the tunnel, in how large batches, and what was dropped and why. Lines that end
 * with '\n' but for the last; free with g_free. */
char *nmovpn_stats_text(const OvpnStats *s);
/* Sentence for a word of OVPN_LOG_FALLBACK; NULL = not known. */
const char *nmovpn_stats_fallback(const char *word);
