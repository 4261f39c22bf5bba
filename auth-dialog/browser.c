/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Opening a page in the person's browser.
 *
 * The address comes from the VPN server by way of the service and an agent. It is checked here
 * once more, because this is the place where it is used: only http and https, and one word without
 * a byte that a browser's start script could take apart. No window of our own, so this also serves
 * external UI mode. Never by root, who has no business with a server's web pages. */
#include "ovpn-build.h"

#include "auth-dialog/browser.h"

#include <gio/gio.h>
#include <string.h>
#include <unistd.h>

#include "helper/core/signin.h"

gboolean browser_open(const char *address)
{
  char clean[OVPN_WEB_ADDRESS_MAX];
  if (!ovpn_web_address(address, clean, sizeof clean) || strcmp(address, clean) != 0)
    return FALSE;
  if (geteuid() == 0 || (!g_getenv("DISPLAY") && !g_getenv("WAYLAND_DISPLAY")))
    return FALSE;
  return g_app_info_launch_default_for_uri(address, NULL, NULL);
}
