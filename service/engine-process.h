/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The process nm-ovpn-engine: started ahead of the first connection, or when one is needed. */
#pragma once
#include <sys/types.h>
#include "ovpn-build.h"

#ifndef NMOVPN_ENGINE_PATH
#define NMOVPN_ENGINE_PATH NMOVPN_LIBEXECDIR "/nm-ovpn-engine"
#endif

/* Starts one without waiting for it; the next take gets it. Failure shows there. */
void nmovpn_engine_process_prepare(void);

/* The prepared process, if it lives, or a new one. 0, or an errno. The caller closes the socket and
 * reaps the child. */
int nmovpn_engine_process_take(int *ret_socket, pid_t *ret_pid);
