/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Memory of a service that has nothing to do until the connection ends. */
#pragma once

/* Gives back what only starting and connecting needed. Cheap; may be called at any time. */
void nmovpn_settle(void);
