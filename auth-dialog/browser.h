/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening the page that a server wants to be signed in at. */
#pragma once
#include <glib.h>

/* Opens the address in the person's browser. Only an http or https address, never as root, and only
 * in a graphical session (without one: FALSE, and nothing happened). */
gboolean browser_open(const char *address);
