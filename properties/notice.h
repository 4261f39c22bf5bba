/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What stands in the place of the editor where it cannot be shown. */
#pragma once
#include <NetworkManager.h>

/* An editor without fields, for a program that already runs GTK 3 (nm-connection-editor and those
 * made from it): `text` as a label, and the connection stays as it is, so that its other pages can
 * be saved and it can be exported. NULL when that program's GTK has no labels. */
NMVpnEditor *nmovpn_notice_new(const char *text);
