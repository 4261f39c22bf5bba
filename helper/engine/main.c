/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nm-ovpn-engine: speaks OpenVPN with the network on behalf of nm-ovpn-service. DESIGN §2, §5.
 *
 * It is started with one descriptor, the socket to the service, and gives up everything else before
 * it reads from it: first the libraries are made ready (GnuTLS reads its policy file), then the
 * sandbox, then the first message. It asks for nothing in arguments or environment. */
#include "helper/engine/engine.h"
#include "helper/engine/sandbox.h"
#include <errno.h>
#include <gnutls/gnutls.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>

static int complain(const char *what)
{
  fprintf(stderr, "nm-ovpn-engine: %s\n", what);
  return 1;
}

static bool is_our_socket(int fd)
{
  int type = 0, domain = 0;
  socklen_t a = sizeof type, b = sizeof domain;
  return getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &a) == 0 && type == SOCK_SEQPACKET &&
         getsockopt(fd, SOL_SOCKET, SO_DOMAIN, &domain, &b) == 0 && domain == AF_UNIX;
}

/* The libraries are loaded: what they needed for that only goes back to the system. Large blocks
 * stay apart from the heap: they are zero without being written, and so cost what is used. */
static void set_up_heap(void)
{
#ifdef __GLIBC__
  mallopt(M_ARENA_MAX, 1); /* the second thread works for minutes in a day */
  mallopt(M_MMAP_THRESHOLD, 32 * 1024);
  mallopt(M_TOP_PAD, 16 * 1024);
  malloc_trim(0);
#endif
}

int main(void)
{
  static Engine engine; /* all zero until here: pages of it that nobody uses cost nothing */
  engine.ipc = OVPN_IPC_FD;
  engine.signer = engine.epoll = engine.alarm = engine.link.fd = engine.tun.fd = engine.via.fd = -1;
  if (!is_our_socket(OVPN_IPC_FD))
    return complain("this program is started by nm-ovpn-service and is of no use by itself");
  signal(SIGPIPE, SIG_IGN);
  tzset(); /* certificate dates are written with it: its file cannot be read later */
  if (gnutls_global_init() < 0)
    return complain("GnuTLS cannot be used");
  const char *failed = sandbox_enter(OVPN_IPC_FD);
  if (!failed && !drive_start(&engine))
    failed = "second thread";
  if (!failed)
    failed = sandbox_close();
  if (failed) {
    fprintf(stderr, "nm-ovpn-engine: sandbox: %s: %s\n", failed, strerror(errno));
    return 1;
  }
  set_up_heap();
  ovpn_config_init(&engine.config);
  if (!loop_init(&engine))
    return complain("out of memory");
  loop_run(&engine);
  engine_clear(&engine);
  return 0;
}
