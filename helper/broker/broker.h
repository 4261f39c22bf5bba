/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The parts of nm-ovpn-helper. Each operation returns a descriptor for the caller to send and
 * close, or -1 with *ret_error set to an errno that the service can explain. A request that the
 * service never makes ends the program. */
#pragma once
#include <stdbool.h>
#include "helper/core/ipc.h"

enum {
  BROKER_TUN_MAX = 16, /* devices per run of the program: one, and again after reconnections */
  BROKER_BUFFER_MAX = 32 * 1024 * 1024, /* socket buffers */
  BROKER_FILE_MAX = 1024 * 1024,
  BROKER_FILE_SECONDS = 5, /* then opening a file is given up */
};

/* Says one line to syslog and stderr and ends the program. The text must not hold bytes of a
 * request. */
_Noreturn void broker_die(const char *reason);

int broker_open_tun(const OvpnBrokerRequest *q, OvpnBrokerReply *reply, int *ret_error);
int broker_open_link(const OvpnBrokerRequest *q, int *ret_error);
int broker_open_file(const OvpnBrokerRequest *q, OvpnBrokerReply *reply, int *ret_error);

/* Reduces the capabilities of this process to `mask` (bits CAP_x < 64), at most those it holds. */
bool broker_keep_capabilities(uint64_t mask);
/* Sends one datagram with one descriptor (fd >= 0) or none. */
bool broker_send(int sock, const void *data, size_t len, int fd);
