/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Shared by engine-client.c (what the engine says, its life) and engine-send.c (orders). */
#pragma once
#include "service/engine-client.h"

struct NmOvpnEngine {
  unsigned refs;
  NmOvpnEngineCallbacks cb;
  gpointer user_data;
  int fd; /* -1: gone */
  GPid pid;
  GSource *socket, *child, *grace;
  /* what is legal now */
  gboolean started, ready, live, pushed, tun_sent, dhcp_sent, close_sent, closed, finished;
  guint16 newest; /* number of the last LINK */
  unsigned stats_asked;
  OvpnOptionList list; /* PUSHED so far */
  unsigned log_tokens;
  gint64 log_time;
  uint8_t msg[OVPN_IPC_MAX];
};
