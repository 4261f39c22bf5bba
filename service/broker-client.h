/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Client of the privileged helper: synchronous calls over the inherited socket pair, each bounded
 * by six seconds. The only caller of helper/core/ipc.h's broker structs in the service. DESIGN.md
 * §2. */
#pragma once
#include <gio/gio.h>
#include <sys/socket.h>
#include "helper/core/ipc.h"

G_BEGIN_DECLS

#define NMOVPN_BROKER_ERROR (nmovpn_broker_error_quark())
GQuark nmovpn_broker_error_quark(void);

typedef enum {
  NMOVPN_BROKER_ERROR_GONE,    /* the helper has ended, does not answer, or this client is closed */
  NMOVPN_BROKER_ERROR_NO_FILE, /* the file does not exist, is not a regular file, is too large */
  NMOVPN_BROKER_ERROR_DENIED,  /* the owner of the connection may not read the file */
  NMOVPN_BROKER_ERROR_NO_USER, /* the owner of the connection does not exist on this machine */
  NMOVPN_BROKER_ERROR_DEVICE,  /* the tunnel device cannot be created */
  NMOVPN_BROKER_ERROR_LINK,    /* the socket cannot be opened or connected */
  NMOVPN_BROKER_ERROR_NO_NETWORK, /* the same, because there is no route or address: may come yet */
  NMOVPN_BROKER_ERROR_BUSY,       /* the same, because another socket has the local port */
  NMOVPN_BROKER_ERROR_PROTOCOL,   /* an argument that cannot be sent, or a reply that is not one */
} NmOvpnBrokerError;

typedef struct NmOvpnBroker NmOvpnBroker;

/* Takes the descriptor; it is made CLOEXEC. free closes it, which ends the helper. */
NmOvpnBroker *nmovpn_broker_new(int fd);
void nmovpn_broker_free(NmOvpnBroker *b);
G_DEFINE_AUTOPTR_CLEANUP_FUNC(NmOvpnBroker, nmovpn_broker_free)

/* The socket, still owned by the client: to watch it for G_IO_HUP (the helper died). -1 once
 * closed. Nothing but this client reads from it: the helper never speaks unasked. */
int nmovpn_broker_get_fd(const NmOvpnBroker *b);

typedef struct NmOvpnBrokerTun {
  int fd;
  char ifname[16];
  guint ifindex;
  guint vnet_hdr; /* what the kernel granted: 1 = yes, 2 = TSO, 4 = USO */
} NmOvpnBrokerTun;

/* Creates a TUN (or TAP) device. name NULL or "" lets the kernel choose. tun->fd is owned by the
 * caller; on failure it is -1 and FALSE is returned. */
gboolean nmovpn_broker_open_tun(NmOvpnBroker *b, gboolean tap, const char *name, gboolean vnet_hdr,
                                NmOvpnBrokerTun *tun, GError **error);

typedef struct NmOvpnBrokerLink {
  OvpnBrokerLinkMode mode; /* OPEN: UDP, not connected; LISTEN: waits on local, without remote */
  gboolean tcp, v6only;
  struct sockaddr_storage remote; /* AF_INET or AF_INET6, port != 0 */
  gboolean has_local;
  struct sockaddr_storage local; /* same family; port 0 = any, not of LISTEN */
  guint pmtu_disc;               /* 0 unset, 1 no, 2 maybe, 3 yes (OpenVPN's mtu-disc) */
  guint32 mark;                  /* 0 = none */
  guint32 sndbuf, rcvbuf;        /* 0 = default; at most 32 MiB */
  const char *bind_dev;          /* NULL = none */
} NmOvpnBrokerLink;

/* A connected, non-blocking, CLOEXEC socket, owned by the caller; TCP: the connect may still be
 * under way (wait for writability, then SO_ERROR). -1 with error. */
int nmovpn_broker_open_link(NmOvpnBroker *b, const NmOvpnBrokerLink *link, GError **error);

/* Opens an absolute path for reading as the user `owner` (NULL or "" = root, a connection for all
 * users). directory: a directory is wanted, else a regular file of at most 1 MiB. The message names
 * the file and the cause in the user's language. */
int nmovpn_broker_open_file(NmOvpnBroker *b, const char *path, const char *owner,
                            gboolean directory, GError **error);

G_END_DECLS
