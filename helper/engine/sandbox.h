/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Everything the engine gives up before it reads the first byte. */
#pragma once
#include <stdbool.h>

/* keep: the only descriptor above 2 that stays open. NULL, or what could not be done (a static
 * text): do not go on. */
const char *sandbox_enter(int keep);
/* The last wall, for all threads: only the system calls of a running engine are left. */
const char *sandbox_close(void);
