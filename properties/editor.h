/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The GTK 4 editor, a library of its own that plugin.c loads. */
#pragma once
#include <NetworkManager.h>

NMVpnEditor *nmovpn_editor_new(NMVpnEditorPlugin *plugin, NMConnection *connection, GError **error);
