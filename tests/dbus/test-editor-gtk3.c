/* SPDX-License-Identifier: GPL-2.0-or-later */
/* A program with GTK 3 asks for the editor: it gets a sentence, and GTK 4 is not loaded into it.
 * This program only looks like one: it exports the function by which GTK 3 is known. usage:
 * test-editor-gtk3 PLUGIN.so */
#include <NetworkManager.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/check.h"

G_MODULE_EXPORT void gtk_container_add(void);
void gtk_container_add(void)
{
}

static gboolean is_loaded(const char *library)
{
  g_autofree char *maps = NULL;
  CHECK(g_file_get_contents("/proc/self/maps", &maps, NULL, NULL));
  return maps && strstr(maps, library);
}

int main(int argc, char **argv)
{
  g_autoptr(GError) error = NULL;
  g_autoptr(NMConnection) c = nm_simple_connection_new();
  nm_connection_add_setting(c, nm_setting_vpn_new());
  CHECK(argc == 2);
  g_autoptr(NMVpnEditorPlugin) plugin =
      nm_vpn_editor_plugin_load(argv[1], "org.freedesktop.NetworkManager.openvpn", NULL);
  CHECK(plugin);
  CHECK(plugin && !nm_vpn_editor_plugin_get_editor(plugin, c, &error));
  CHECK_STR(
      error ? error->message : "",
      "The editor of this VPN plugin needs a program that uses GTK 4, such as GNOME Settings");
  CHECK(!is_loaded("libgtk-4"));
  CHECK(!is_loaded("gtk4-vpn-plugin"));
  TEST_END();
}
