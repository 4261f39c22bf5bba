/* SPDX-License-Identifier: GPL-2.0-or-later */
/* What happens between fork and exec of the service's own programs: nm-ovpn-engine, nm-ovpn-signer.
 */
#pragma once

typedef struct NmOvpnChild {
  const char *path;  /* of the program */
  char *const *argv; /* NULL ends, as for execve */
  char *const *envp; /* NULL ends */
  int socket;        /* becomes descriptor `at` */
  int at;            /* 3 or more */
  int report;        /* where an errno is written when exec fails; -1 = nowhere */
} NmOvpnChild;

/* In the child. It keeps standard error (or /dev/null), `socket`, and nothing else that was open;
 * signals are as after a login. Only calls that are safe after fork. */
_Noreturn void nmovpn_child_become(const NmOvpnChild *c);
