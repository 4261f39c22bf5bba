/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What tls-fake.c does, for targets that play the peer themselves. */
#pragma once
#include <stddef.h>
#include <stdint.h>

enum { FAKE_ALERT = 21, FAKE_HANDSHAKE = 22, FAKE_DATA = 23 };
/* What ovpn_tls_export gives, on both sides. */
void fake_tls_export(const char *label, uint8_t *out, size_t len);
