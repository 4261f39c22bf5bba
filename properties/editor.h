/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The GTK 4 editor, a library of its own that plugin.c loads. */
#pragma once
#include <NetworkManager.h>

/* What the plugin remembers of the last import: a GObject that is data of the plugin's type, since
 * GNOME Settings imports with one plugin object and edits with another. It holds the vpn setting
 * without its secrets (to know the connection again), sentences and words of NmOvpnImportReport
 * (GPtrArray of char *), and the file's name. */
#define NMOVPN_IMPORTED "nmovpn-imported"
#define NMOVPN_IMPORTED_SETTING "nmovpn-imported-setting"
#define NMOVPN_IMPORTED_WARNINGS "nmovpn-imported-warnings"
#define NMOVPN_IMPORTED_NOTES "nmovpn-imported-notes"
#define NMOVPN_IMPORTED_FILE "nmovpn-imported-file"

/* `plugin` may be NULL: no summary of an import, and nothing to save a .ovpn with. */
NMVpnEditor *nmovpn_editor_new(NMVpnEditorPlugin *plugin, NMConnection *connection, GError **error);
