/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Client of nm-ovpn-helper: asks for tunnel devices, sockets and files, and says in a sentence why
 * there is none.
 *
 * One request, one reply; the helper never speaks unasked. Arguments are checked here first,
 * because the helper ends on what it would never be asked by a sane service. Replies are checked
 * although the helper is trusted: a reply to another question must not pass a descriptor to the
 * wrong place. After a time-out or a broken reply the two ends are out of step, so the socket is
 * shut down and every later call fails with GONE. DESIGN §2. */
#include "service/broker-client.h"
#include "ovpn-build.h"
#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_US (6 * G_USEC_PER_SEC)
#define BUFFER_MAX (32u * 1024 * 1024)

struct NmOvpnBroker {
  int fd;
  gboolean closed; /* shut down; the descriptor stays until free, as a main loop may watch it */
  guint32 serial;
};

GQuark nmovpn_broker_error_quark(void)
{
  return g_quark_from_static_string("nmovpn-broker-error-quark");
}

NmOvpnBroker *nmovpn_broker_new(int fd)
{
  NmOvpnBroker *b = g_new0(NmOvpnBroker, 1);
  b->fd = fd;
  if (fd >= 0)
    (void)fcntl(fd, F_SETFD, FD_CLOEXEC);
  return b;
}

static void broker_close(NmOvpnBroker *b)
{
  if (!b->closed && b->fd >= 0)
    shutdown(b->fd, SHUT_RDWR); /* ends the helper, and wakes who watches for a hang-up */
  b->closed = TRUE;
}

void nmovpn_broker_free(NmOvpnBroker *b)
{
  if (!b)
    return;
  if (b->fd >= 0)
    close(b->fd);
  g_free(b);
}

int nmovpn_broker_get_fd(const NmOvpnBroker *b)
{
  return b->fd;
}

/* ---- one exchange */

/* Waits for `events`; FALSE when the time is over. A hang-up counts as ready: the call that follows
 * reports it. */
static gboolean wait_for(int fd, short events, gint64 end)
{
  for (;;) {
    gint64 left = end - g_get_monotonic_time();
    struct pollfd p = {.fd = fd, .events = events};
    int n = poll(&p, 1, left > 0 ? (int)((left + 999) / 1000) : 0);
    if (n > 0)
      return TRUE;
    if (n == 0 || errno != EINTR)
      return FALSE;
  }
}

static gboolean gone(NmOvpnBroker *b, GError **error, const char *text)
{
  broker_close(b);
  g_set_error_literal(error, NMOVPN_BROKER_ERROR, NMOVPN_BROKER_ERROR_GONE, text);
  return FALSE;
}

static gboolean send_request(NmOvpnBroker *b, const OvpnBrokerRequest *q, gint64 end,
                             GError **error)
{
  ssize_t n;
  do {
    if (!wait_for(b->fd, POLLOUT, end))
      return gone(b, error, _("The helper program of the VPN service does not answer"));
    n = send(b->fd, q, sizeof *q, MSG_NOSIGNAL | MSG_DONTWAIT);
  } while (n < 0 && (errno == EINTR || errno == EAGAIN));
  if (n != (ssize_t)sizeof *q)
    return gone(b, error, _("The helper program of the VPN service has ended"));
  return TRUE;
}

/* Takes the descriptors out of a message: the first is kept, others (there should be none) are
 * closed. */
static int take_fd(struct msghdr *msg)
{
  int kept = -1;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
      continue;
    size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (size_t i = 0; i < n; i++) {
      int fd;
      memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      if (kept < 0)
        kept = fd;
      else
        close(fd);
    }
  }
  return kept;
}

static gboolean receive_reply(NmOvpnBroker *b, const OvpnBrokerRequest *q, OvpnBrokerReply *reply,
                              gint64 end, int *ret_fd, GError **error)
{
  union {
    char space[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } control;
  struct iovec iov = {reply, sizeof *reply};
  struct msghdr msg = {.msg_iov = &iov, .msg_iovlen = 1};
  ssize_t n;
  do {
    if (!wait_for(b->fd, POLLIN, end))
      return gone(b, error, _("The helper program of the VPN service does not answer"));
    msg.msg_control = control.space;
    msg.msg_controllen = sizeof control.space;
    n = recvmsg(b->fd, &msg, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  } while (n < 0 && (errno == EINTR || errno == EAGAIN));
  if (n <= 0)
    return gone(b, error, _("The helper program of the VPN service has ended"));
  int fd = take_fd(&msg);
  if (n == (ssize_t)sizeof *reply && !(msg.msg_flags & (MSG_TRUNC | MSG_CTRUNC)) &&
      reply->version == OVPN_BROKER_VERSION && reply->op == q->op && reply->serial == q->serial &&
      reply->error >= 0 && (fd >= 0) == (reply->error == 0)) {
    *ret_fd = fd;
    return TRUE;
  }
  if (fd >= 0)
    close(fd);
  broker_close(b);
  g_set_error_literal(error, NMOVPN_BROKER_ERROR, NMOVPN_BROKER_ERROR_PROTOCOL,
                      _("The helper program of the VPN service gave a wrong answer"));
  return FALSE;
}

/* TRUE: there is a reply, with *ret_fd >= 0 or reply->error. */
static gboolean call(NmOvpnBroker *b, OvpnBrokerOp op, OvpnBrokerRequest *q, OvpnBrokerReply *reply,
                     int *ret_fd, GError **error)
{
  gint64 end = g_get_monotonic_time() + TIMEOUT_US;
  q->version = OVPN_BROKER_VERSION;
  q->op = op;
  q->serial = ++b->serial;
  if (b->fd < 0 || b->closed)
    return gone(b, error, _("The helper program of the VPN service has ended"));
  return send_request(b, q, end, error) && receive_reply(b, q, reply, end, ret_fd, error);
}

static gboolean ifname_is_valid(const char *name)
{
  return strlen(name) < 16 && strcmp(name, ".") && strcmp(name, "..") &&
         strspn(name, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS "_.-") == strlen(name);
}

/* ---- the three operations */

static void tun_explain(const char *name, int err, GError **error)
{
  if ((err == EBUSY || err == EEXIST) && *name)
    g_set_error(error, NMOVPN_BROKER_ERROR, NMOVPN_BROKER_ERROR_DEVICE,
                _("There is a network interface “%s” already"), name);
  else if (err == ENOENT || err == ENODEV || err == ENXIO)
    g_set_error(error, NMOVPN_BROKER_ERROR, NMOVPN_BROKER_ERROR_DEVICE,
                _("The system has no driver for tunnels (/dev/net/tun): %s"), g_strerror(err));
  else
    g_set_error(error, NMOVPN_BROKER_ERROR, NMOVPN_BROKER_ERROR_DEVICE,
                _("The tunnel interface “%s” cannot be created: %s"), *name ? name : "tun",
                g_strerror(err));
}

gboolean nmovpn_broker_open_tun(NmOvpnBroker *b, gboolean tap, const char *name, gboolean vnet_hdr,
                                NmOvpnBrokerTun *tun, GError **error)
{
  g_autofree OvpnBrokerRequest *q = g_new0(OvpnBrokerRequest, 1);
  OvpnBrokerReply reply;
  *tun = (NmOvpnBrokerTun){.fd = -1};
  name = name ? name : "";
  if (!ifname_is_valid(name)) {
    g_set_error(error, NMOVPN_BROKER_ERROR, NMOVPN_BROKER_ERROR_DEVICE,
                _("“%s” cannot be the name of a network interface"), name);
    return FALSE;
  }
  q->tun.tap = tap ? 1 : 0;
  q->tun.vnet_hdr = vnet_hdr ? 1 : 0;
  g_strlcpy(q->tun.name, name, sizeof q->tun.name);
  if (!call(b, OVPN_BROKER_OPEN_TUN, q, &reply, &tun->fd, error))
    return FALSE;
  if (tun->fd < 0) {
    tun_explain(name, reply.error, error);
    return FALSE;
  }
  reply.ifname[sizeof reply.ifname - 1] = 0;
  g_strlcpy(tun->ifname, reply.ifname, sizeof tun->ifname);
  tun->ifindex = reply.ifindex;
  tun->vnet_hdr = reply.vnet_hdr;
  return TRUE;
}

static char *address_text(const struct sockaddr_storage *a)
{
  g_autoptr(GSocketAddress) sa = g_socket_address_new_from_native((gpointer)a, sizeof *a);
  if (!G_IS_INET_SOCKET_ADDRESS(sa))
    return g_strdup("?");
  GInetSocketAddress *isa = G_INET_SOCKET_ADDRESS(sa);
  GInetAddress *host = g_inet_socket_address_get_address(isa);
  g_autofree char *text = g_inet_address_to_string(host);
  return g_strdup_printf(g_inet_address_get_family(host) == G_SOCKET_FAMILY_IPV6 ? "[%s]:%u"
                                                                                 : "%s:%u",
                         text, g_inet_socket_address_get_port(isa));
}

static gboolean link_is_valid(const NmOvpnBrokerLink *link)
{
  g_autoptr(GSocketAddress) remote = g_socket_address_new_from_native(
      (gpointer)(link->mode == OVPN_BROKER_LISTEN ? &link->local : &link->remote),
      sizeof link->remote);
  gboolean listens = link->mode == OVPN_BROKER_LISTEN;
  if (listens && !link->has_local)
    return FALSE;
  return G_IS_INET_SOCKET_ADDRESS(remote) &&
         g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(remote)) != 0 &&
         !(link->mode == OVPN_BROKER_OPEN && link->tcp) &&
         (listens || !link->has_local || link->local.ss_family == link->remote.ss_family) &&
         link->pmtu_disc <= 3 && link->sndbuf <= BUFFER_MAX && link->rcvbuf <= BUFFER_MAX &&
         ifname_is_valid(link->bind_dev ? link->bind_dev : "");
}

static void link_explain(const NmOvpnBrokerLink *link, int err, GError **error)
{
  g_autofree char *remote = address_text(&link->remote);
  if (err == ENODEV && link->bind_dev)
    g_set_error(error, NMOVPN_BROKER_ERROR, NMOVPN_BROKER_ERROR_LINK,
                _("There is no network interface “%s” to connect through"), link->bind_dev);
  else if (link->has_local && (err == EADDRNOTAVAIL || err == EADDRINUSE || err == EACCES ||
                               link->mode == OVPN_BROKER_LISTEN)) {
    g_autofree char *local = address_text(&link->local);
    g_set_error(error, NMOVPN_BROKER_ERROR,
                err == EADDRINUSE ? NMOVPN_BROKER_ERROR_BUSY : NMOVPN_BROKER_ERROR_LINK,
                _("The local address %s cannot be used: %s"), local, g_strerror(err));
  } else if (err == ENETUNREACH || err == EADDRNOTAVAIL || err == ENETDOWN) {
    g_set_error(error, NMOVPN_BROKER_ERROR, NMOVPN_BROKER_ERROR_NO_NETWORK,
                _("There is no network to reach %s by"), remote);
  } else
    g_set_error(error, NMOVPN_BROKER_ERROR, NMOVPN_BROKER_ERROR_LINK, _("Cannot connect to %s: %s"),
                remote, g_strerror(err));
}

int nmovpn_broker_open_link(NmOvpnBroker *b, const NmOvpnBrokerLink *link, GError **error)
{
  g_autofree OvpnBrokerRequest *q = g_new0(OvpnBrokerRequest, 1);
  OvpnBrokerReply reply;
  int fd = -1;
  if (!link_is_valid(link)) {
    g_autofree char *remote = address_text(&link->remote);
    g_set_error(error, NMOVPN_BROKER_ERROR, NMOVPN_BROKER_ERROR_LINK,
                _("Cannot connect to %s: the settings of the connection do not fit"), remote);
    return -1;
  }
  q->link.mode = (uint8_t)link->mode;
  q->link.v6only = link->v6only ? 1 : 0;
  q->link.tcp = link->tcp ? 1 : 0;
  q->link.has_local = link->has_local ? 1 : 0;
  q->link.pmtu_disc = (uint8_t)link->pmtu_disc;
  q->link.mark = link->mark;
  q->link.sndbuf = link->sndbuf;
  q->link.rcvbuf = link->rcvbuf;
  q->link.remote = link->remote;
  if (link->has_local)
    q->link.local = link->local;
  g_strlcpy(q->link.bind_dev, link->bind_dev ? link->bind_dev : "", sizeof q->link.bind_dev);
  if (!call(b, OVPN_BROKER_OPEN_LINK, q, &reply, &fd, error))
    return -1;
  if (fd < 0)
    link_explain(link, reply.error, error);
  return fd;
}

static void file_explain(const char *path, const char *owner, gboolean directory,
                         const OvpnBrokerReply *reply, GError **error)
{
  g_autofree char *name = g_filename_display_name(path);
  int err = reply->error;
  int code = NMOVPN_BROKER_ERROR_NO_FILE;
  g_autofree char *text = NULL;
  if (reply->owner_unknown) {
    code = NMOVPN_BROKER_ERROR_NO_USER;
    text = g_strdup_printf(_("Cannot open “%s”: there is no user “%s”, who owns the connection"),
                           name, owner);
  } else if (err == ENOENT || (err == ENOTDIR && !directory))
    text = g_strdup_printf(_("The file “%s” does not exist"), name);
  else if (err == ENOTDIR)
    text = g_strdup_printf(_("“%s” is not a directory"), name);
  else if (err == EISDIR)
    text = g_strdup_printf(_("“%s” is a directory, not a file"), name);
  else if (err == EINVAL || err == ENXIO)
    text = g_strdup_printf(_("“%s” is not a regular file"), name);
  else if (err == EFBIG)
    text = g_strdup_printf(_("The file “%s” is larger than 1 MiB"), name);
  else if (err == ETIMEDOUT)
    text = g_strdup_printf(_("The file “%s” could not be opened in time"), name);
  else if (err == EACCES || err == EPERM) {
    code = NMOVPN_BROKER_ERROR_DENIED;
    if (*owner)
      text = g_strdup_printf(_("The user “%s”, who owns the connection, may not read “%s”"), owner,
                             name);
    else
      text = g_strdup_printf(_("The file “%s” may not be read: %s"), name, g_strerror(err));
  } else
    text = g_strdup_printf(_("The file “%s” cannot be opened: %s"), name, g_strerror(err));
  g_set_error_literal(error, NMOVPN_BROKER_ERROR, code, text);
}

int nmovpn_broker_open_file(NmOvpnBroker *b, const char *path, const char *owner,
                            gboolean directory, GError **error)
{
  g_autofree OvpnBrokerRequest *q = g_new0(OvpnBrokerRequest, 1);
  OvpnBrokerReply reply;
  int fd = -1;
  owner = owner ? owner : "";
  if (*path != '/' || strlen(path) >= sizeof q->file.path) {
    g_autofree char *name = g_filename_display_name(path);
    g_set_error(error, NMOVPN_BROKER_ERROR, NMOVPN_BROKER_ERROR_NO_FILE,
                _("“%s” is not an absolute file name"), name);
    return -1;
  }
  if (strlen(owner) >= sizeof q->file.owner) {
    g_set_error(error, NMOVPN_BROKER_ERROR, NMOVPN_BROKER_ERROR_NO_USER,
                _("There is no user “%s”, who owns the connection"), owner);
    return -1;
  }
  g_strlcpy(q->file.path, path, sizeof q->file.path);
  g_strlcpy(q->file.owner, owner, sizeof q->file.owner);
  q->file.directory = directory ? 1 : 0;
  if (!call(b, OVPN_BROKER_OPEN_FILE, q, &reply, &fd, error))
    return -1;
  if (fd < 0)
    file_explain(path, owner, directory, &reply, error);
  return fd;
}
