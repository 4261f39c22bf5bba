/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A failure code and its detail -> one sentence for a person, and NetworkManager's reason. Pure. */
#pragma once
#include <NetworkManager.h>
#include "helper/core/config.h"
#include "helper/core/status.h"

typedef struct NmOvpnFailureContext {
  const char *server; /* "vpn.example.com:1194"; NULL = none yet */
  OvpnProto proto;
  gboolean control_key;     /* tls-auth or tls-crypt in use: a wrong key looks like no answer */
  const OvpnConfig *config; /* names of the files; may be NULL */
  guint waits_on;           /* port on which the peer should call; 0 = we call */
} NmOvpnFailureContext;

/* One translated sentence that names the cause. Never NULL; free with g_free. */
char *nmovpn_failure_sentence(const OvpnFailure *f, const NmOvpnFailureContext *c);
NMVpnPluginFailure nmovpn_failure_reason(OvpnStatus s);

/* What to do about it. */
typedef enum {
  NMOVPN_FAILURE_FINAL,       /* trying again cannot help */
  NMOVPN_FAILURE_NEXT,        /* another address or a later attempt may work */
  NMOVPN_FAILURE_CREDENTIALS, /* other credentials may work */
  NMOVPN_FAILURE_PASSPHRASE,  /* another pass phrase may work */
  NMOVPN_FAILURE_AGAIN,       /* the same server, now */
} NmOvpnFailureAction;
NmOvpnFailureAction nmovpn_failure_action(OvpnStatus s);
