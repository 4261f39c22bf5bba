/* SPDX-License-Identifier: GPL-2.0-or-later */
#pragma once

#include <glib.h>

/* Whether a PKCS#12 file (DER, or base64 as in a block) opens without a password, or with an empty
 * one: OpenVPN tries that before it asks. FALSE for anything that is no PKCS#12. */
gboolean nmovpn_pkcs12_is_open(const void *data, gsize len);
