/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What of the engine's words may be handed on. Pure. */
#pragma once
#include <glib.h>
#include "helper/core/options.h"

/* UTF-8 without control characters; NULL is none. */
gboolean nmovpn_engine_text_ok(const char *s);
/* Appends what is clean text. FALSE: no memory, or too many. */
gboolean nmovpn_engine_append_clean(OvpnOptionList *to, const OvpnOptionList *from);
