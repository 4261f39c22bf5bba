/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A throw-away CA, server and client certificate, made in memory with GnuTLS (EC P-256). */
#pragma once
#include "helper/core/config.h"

typedef struct TestPki {
  OvpnBlob ca, server_cert, server_key, client_cert, client_key; /* PEM */
} TestPki;
void pki_make(TestPki *p, long now_wall);
void pki_clear(TestPki *p);
