/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Reading what agents stored in the person's key ring. */
#pragma once
#include <glib.h>

/* The secret `key` (a name in vpn.secrets) of the connection `uuid`, as GNOME Shell, nm-applet and
 * plasma-nm store it; NULL when there is none or nobody to ask. `may_unlock`: the person may be
 * asked to unlock the key ring. Blocks up to some seconds, and while the person is asked. Free with
 * ovpn_secret_free. */
char *keyring_lookup(const char *uuid, const char *key, gboolean may_unlock);
