/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nm-ovpn-helper: OPEN_TUN and OPEN_LINK.
 *
 * Trusts nothing in a request: flags are 0 or 1, text is terminated and of a small alphabet,
 * numbers are bounded, or the program ends. What the kernel refuses after that is an answer
 * (errno), not an offence. */
#include "helper/broker/broker.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif
#ifndef UDP_GRO
#define UDP_GRO 104
#endif

#ifndef TCP_NOTSENT_LOWAT
#define TCP_NOTSENT_LOWAT 25
#endif

#ifndef TCP_RTO_MAX_MS
#define TCP_RTO_MAX_MS 44
#endif

enum { UDP_RCVBUF = 2 * 1024 * 1024, UDP_SNDBUF = 1024 * 1024, TCP_UNSENT = 32 * 1024 };

/* [A-Za-z0-9_.-], at most 15, NUL-terminated in its 16 bytes; not "." or "..". "" is allowed. */
static bool ifname_valid(const char name[16])
{
  static const char alphabet[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-";
  size_t len = strnlen(name, 16);
  if (len == 16 || strspn(name, alphabet) != len)
    return false;
  return strcmp(name, ".") && strcmp(name, "..");
}

static int fail(int fd, int *ret_error)
{
  *ret_error = errno ? errno : EIO;
  if (fd >= 0)
    close(fd);
  return -1;
}

/* Asks for as much as this kernel can. Returns the flags of OvpnBrokerReply.vnet_hdr. */
static uint8_t set_offload(int fd)
{
  static const struct {
    unsigned want;
    uint8_t flags;
  } sets[] = {
      {TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN | TUN_F_USO4 | TUN_F_USO6, 7},
      {TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN, 3},
      {TUN_F_CSUM, 1},
      {0, 1},
  };
  for (size_t i = 0; i < sizeof sets / sizeof sets[0]; i++)
    if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)sets[i].want) == 0)
      return sets[i].flags;
  return 1;
}

/* ---- OPEN_TUN
 *
 * Safe in hostile hands: IFF_TUN_EXCL makes the kernel create a device or fail, so nobody else's
 * device is attached to, and a name such as eth0 only gives EBUSY. The name has no '%' (a pattern)
 * and no '/'. The device has no address, no route and is down: making it carry traffic is
 * NetworkManager's decision. It is not persistent, so it is gone with its descriptor. At most
 * BROKER_TUN_MAX are made in the life of this process. */
int broker_open_tun(const OvpnBrokerRequest *q, OvpnBrokerReply *reply, int *ret_error)
{
  static unsigned made;
  if (q->tun.tap > 1 || q->tun.vnet_hdr > 1 || !ifname_valid(q->tun.name))
    broker_die("OPEN_TUN with impossible arguments");
  if (made >= BROKER_TUN_MAX) {
    *ret_error = EDQUOT;
    return -1;
  }
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  if (fd < 0)
    return fail(fd, ret_error);
  struct ifreq ifr = {0};
  short flags = (short)((q->tun.tap ? IFF_TAP : IFF_TUN) | IFF_NO_PI | IFF_TUN_EXCL);
  bool vnet_hdr = q->tun.vnet_hdr;
  memcpy(ifr.ifr_name, q->tun.name, sizeof q->tun.name);
  ifr.ifr_flags = (short)(flags | (vnet_hdr ? IFF_VNET_HDR : 0));
  int rc = ioctl(fd, TUNSETIFF, &ifr);
  if (rc < 0 && vnet_hdr && errno == EINVAL) { /* a kernel or container without it */
    vnet_hdr = false;
    ifr.ifr_flags = flags;
    rc = ioctl(fd, TUNSETIFF, &ifr);
  }
  if (rc < 0)
    return fail(fd, ret_error);
  made++;
  ifr.ifr_name[IFNAMSIZ - 1] = 0;
  if (!(reply->ifindex = if_nametoindex(ifr.ifr_name)))
    return fail(fd, ret_error);
  memcpy(reply->ifname, ifr.ifr_name, sizeof reply->ifname);
  reply->vnet_hdr = vnet_hdr ? set_offload(fd) : 0;
  return fd;
}

/* ---- OPEN_LINK */

static bool set_int(int fd, int level, int name, int value)
{
  return setsockopt(fd, level, name, &value, sizeof value) == 0;
}

/* A wish, not a condition: first past net.core.*mem_max, then within it. */
static void set_buffer(int fd, int force, int plain, uint32_t size)
{
  if (size && !set_int(fd, SOL_SOCKET, force, (int)size))
    set_int(fd, SOL_SOCKET, plain, (int)size);
}

/* OpenVPN lets the kernel fragment its datagrams unless told otherwise (mtu-disc). */
static bool set_pmtu(int fd, bool ipv6, bool tcp, uint8_t mode)
{
  static const int v4[] = {IP_PMTUDISC_DONT, IP_PMTUDISC_DONT, IP_PMTUDISC_WANT, IP_PMTUDISC_DO};
  static const int v6[] = {IPV6_PMTUDISC_DONT, IPV6_PMTUDISC_DONT, IPV6_PMTUDISC_WANT,
                           IPV6_PMTUDISC_DO};
  if (tcp && !mode)
    return true;
  return ipv6 ? set_int(fd, IPPROTO_IPV6, IPV6_MTU_DISCOVER, v6[mode])
              : set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, v4[mode]);
}

/* Copies one address out of its storage. 0 = not an address of an IP family. */
static socklen_t address_get(const struct sockaddr_storage *from, struct sockaddr_storage *ret,
                             in_port_t *ret_port)
{
  *ret = *from;
  if (from->ss_family == AF_INET) {
    *ret_port = ((const struct sockaddr_in *)ret)->sin_port;
    return sizeof(struct sockaddr_in);
  }
  if (from->ss_family == AF_INET6) {
    *ret_port = ((const struct sockaddr_in6 *)ret)->sin6_port;
    return sizeof(struct sockaddr_in6);
  }
  return 0;
}

/* When a path that was interrupted works again, the kernel should notice soon: its pauses double up
 * to two minutes (RFC 6298), which holds up the whole tunnel. A wish, from Linux 6.15 on; it would
 * give up earlier, too, by so many tries, so it is given the time that these took before. */
static void set_short_pauses(int fd)
{
  enum { PAUSE_MAX = 2000, GIVE_UP = 900000 }; /* ms */
  if (set_int(fd, IPPROTO_TCP, TCP_RTO_MAX_MS, PAUSE_MAX))
    set_int(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, GIVE_UP);
}

static bool link_configure(int fd, const OvpnBrokerRequest *q, bool ipv6)
{
  bool tcp = q->link.tcp;
  uint32_t rcvbuf = q->link.rcvbuf, sndbuf = q->link.sndbuf;
  const char *dev = q->link.bind_dev;
  set_buffer(fd, SO_RCVBUFFORCE, SO_RCVBUF, rcvbuf || tcp ? rcvbuf : UDP_RCVBUF);
  set_buffer(fd, SO_SNDBUFFORCE, SO_SNDBUF, sndbuf || tcp ? sndbuf : UDP_SNDBUF);
  if (q->link.mark && !set_int(fd, SOL_SOCKET, SO_MARK, (int)q->link.mark))
    return false;
  /* needs no capability since Linux 5.7; before, CAP_NET_RAW, which is not worth keeping */
  if (*dev && setsockopt(fd, SOL_SOCKET, SO_BINDTODEVICE, dev, (socklen_t)strlen(dev)) < 0)
    return false;
  if (ipv6 && !set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 1))
    return false;
  if (tcp && !set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1))
    return false;
  if (tcp) /* a wish: what the network does not take yet waits in front of the tunnel */
    set_int(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, TCP_UNSENT);
  if (tcp)
    set_short_pauses(fd);
  if (!tcp)
    set_int(fd, IPPROTO_UDP, UDP_GRO, 1); /* a wish: several datagrams per read */
  return set_pmtu(fd, ipv6, tcp, q->link.pmtu_disc);
}

/* While a network comes up there can be a route before there is an address. A UDP socket connected
 * then would send from 0.0.0.0 for ever, and nobody would answer. */
static bool has_source_address(int fd)
{
  struct sockaddr_storage own = {0};
  socklen_t len = sizeof own;
  if (getsockname(fd, (struct sockaddr *)&own, &len) < 0)
    return false;
  if (own.ss_family == AF_INET)
    return ((const struct sockaddr_in *)&own)->sin_addr.s_addr != htonl(INADDR_ANY);
  return !IN6_IS_ADDR_UNSPECIFIED(&((const struct sockaddr_in6 *)&own)->sin6_addr);
}

/* A UDP socket that takes packets from everywhere, once it is sure that there is a way to the peer.
 * Dissolving the connection also forgets a port that was not bound on purpose: it is chosen again
 * with the first packet. */
static bool probe_way(int fd, const struct sockaddr_storage *remote, socklen_t len)
{
  const struct sockaddr nobody = {.sa_family = AF_UNSPEC};
  if (connect(fd, (const struct sockaddr *)remote, len) < 0)
    return false;
  if (!has_source_address(fd)) {
    errno = EADDRNOTAVAIL;
    return false;
  }
  /* a wish: to be told what the network says of the peer */
  if (remote->ss_family == AF_INET6)
    set_int(fd, IPPROTO_IPV6, IPV6_RECVERR, 1);
  else
    set_int(fd, IPPROTO_IP, IP_RECVERR, 1);
  return connect(fd, &nobody, sizeof nobody) == 0;
}

/* A socket that waits on a port of this computer. */
static bool listen_on(int fd, const OvpnBrokerRequest *q, const struct sockaddr_storage *local,
                      socklen_t len)
{
  enum { BACKLOG = 4 };
  bool ipv6 = local->ss_family == AF_INET6, tcp = q->link.tcp;
  if (ipv6 && !q->link.v6only && !set_int(fd, IPPROTO_IPV6, IPV6_V6ONLY, 0))
    return false;
  if (tcp && !set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1)) /* connections that are over do not count */
    return false;
  return bind(fd, (const struct sockaddr *)local, len) == 0 && (!tcp || listen(fd, BACKLOG) == 0);
}

static bool connect_to(int fd, bool tcp, const struct sockaddr_storage *remote, socklen_t len)
{
  if (connect(fd, (const struct sockaddr *)remote, len) < 0 && !(tcp && errno == EINPROGRESS))
    return false;
  if (tcp || has_source_address(fd))
    return true;
  errno = EADDRNOTAVAIL;
  return false;
}

/* Impossible arguments end the program; what is possible comes out checked. */
static void link_check(const OvpnBrokerRequest *q, struct sockaddr_storage *ret_remote,
                       struct sockaddr_storage *ret_local, socklen_t *ret_len)
{
  in_port_t port = 0, local_port = 0;
  bool listening = q->link.mode == OVPN_BROKER_LISTEN;
  socklen_t local_len = q->link.has_local ? address_get(&q->link.local, ret_local, &local_port) : 0;
  *ret_len = listening ? local_len : address_get(&q->link.remote, ret_remote, &port);
  if (q->link.tcp > 1 || q->link.has_local > 1 || q->link.pmtu_disc > 3 || q->link.v6only > 1 ||
      q->link.mode > OVPN_BROKER_LISTEN || (q->link.mode == OVPN_BROKER_OPEN && q->link.tcp) ||
      !*ret_len || !(listening ? local_port : port) || q->link.sndbuf > BROKER_BUFFER_MAX ||
      q->link.rcvbuf > BROKER_BUFFER_MAX || !ifname_valid(q->link.bind_dev))
    broker_die("OPEN_LINK with impossible arguments");
  if (!listening && q->link.has_local &&
      (local_len != *ret_len || ret_local->ss_family != ret_remote->ss_family))
    broker_die("OPEN_LINK with a local address of another family");
}

/* Safe in hostile hands: the result is an ordinary UDP or TCP socket, connected or waiting on a
 * port, which any user could make. Root adds only a mark, an interface to leave by and larger
 * buffers, all bounded and all properties of this socket. Local ports below 1024 stay closed (no
 * CAP_NET_BIND_SERVICE), raw sockets, too; broadcast is not switched on. connect() does not wait,
 * and connections are accepted elsewhere, so the program cannot be made to hang. */
int broker_open_link(const OvpnBrokerRequest *q, int *ret_error)
{
  struct sockaddr_storage remote = {0}, local = {0};
  socklen_t len;
  link_check(q, &remote, &local, &len);
  bool listening = q->link.mode == OVPN_BROKER_LISTEN, tcp = q->link.tcp;
  sa_family_t family = listening ? local.ss_family : remote.ss_family;
  int fd = socket(family, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0 || !link_configure(fd, q, family == AF_INET6))
    return fail(fd, ret_error);
  if (!listening && q->link.has_local && bind(fd, (const struct sockaddr *)&local, len) < 0)
    return fail(fd, ret_error);
  bool ok = listening                          ? listen_on(fd, q, &local, len)
            : q->link.mode == OVPN_BROKER_OPEN ? probe_way(fd, &remote, len)
                                               : connect_to(fd, tcp, &remote, len);
  return ok ? fd : fail(fd, ret_error);
}
