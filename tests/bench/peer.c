/* SPDX-License-Identifier: GPL-2.0-or-later */
/* One end of a tunnel with the engine's own loop, data path, links and device, but with fixed keys
 * in place of a session: two of them show what the structure does when both ends have it, and with
 * the cipher "none" what it would do without encryption. For tests/bench only; never installed.
 *
 *   bench-peer server|client DEVICE udp|tcp LOCAL REMOTE CIPHER
 *
 * It ends when its standard input does, and then prints the counters. Trust: none is needed, it
 * runs between two namespaces of the bench. The session's side of loop.c is stood in for below. */
#include "helper/engine/engine.h"
#include <errno.h>
#include <fcntl.h>
#include <gnutls/gnutls.h>
#include <inttypes.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#ifndef UDP_GRO
#define UDP_GRO 104
#endif
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

enum { PORT = 1194, MTU = 1500, PEER_ID = 1, REPLAY_WINDOW = 64 };

static void die(const char *what)
{
  fprintf(stderr, "bench-peer: %s: %s\n", what, strerror(errno));
  exit(1);
}

/* ---- what loop.c wants of the session and of the service ---- */

bool control_receive(Engine *e)
{
  char byte;
  ssize_t n = read(e->ipc, &byte, 1);
  if (n == 0)
    e->exit = true;
  return n > 0;
}

void drive_fail(Engine *e, const OvpnFailure *f)
{
  fprintf(stderr, "bench-peer: %s\n", f->text);
  e->exit = true;
}

void drive_flush(Engine *e)
{
  OvpnFailure f = {0};
  if (!batch_empty(&e->tx) && e->link.ops->send(&e->link, &e->tx, &e->dp.stats, &f) == LINK_LOST)
    drive_fail(e, &f);
}

/* No proxies here. */
void race_init(Engine *e)
{
  for (unsigned i = 0; i < RACE_RIVALS; i++)
    e->race.rivals[i].link.fd = e->race.rivals[i].watch.fd = -1;
}

void revive_woken(Engine *e)
{
}

bool race_waits(const Engine *e, unsigned i)
{
  return false;
}
void race_ready(Engine *e, unsigned i)
{
}

void via_init(Via *v)
{
  v->fd = v->watch.fd = -1;
}
void via_ready(Engine *e, Via *v)
{
  (void)e;
}

uint32_t via_events(const Via *v)
{
  (void)v;
  return 0;
}

void drive_packets(Engine *e, unsigned control)
{
  (void)e, (void)control;
}

void caller_strays(Engine *e)
{
  e->link.n_strays = 0;
}

void drive_settle(Engine *e)
{
  drive_flush(e);
}

void drive_work(Engine *e)
{
}

void drive_worked(Engine *e)
{
}

void drive_catch_up(Engine *e)
{
}

uint64_t drive_deadline(const Engine *e)
{
  (void)e;
  return UINT64_MAX;
}

void ovpn_session_note_refused(OvpnSession *s, uint64_t now)
{
  (void)s, (void)now;
}

/* ---- device, link, key, as the helper and the session make them ---- */

static void open_tun(Engine *e, const char *name)
{
  struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
  int fd = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
  snprintf(ifr.ifr_name, sizeof ifr.ifr_name, "%s", name);
  if (fd < 0 || ioctl(fd, TUNSETIFF, &ifr) < 0)
    die(name);
  unsigned tso = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6 | TUN_F_TSO_ECN;
  unsigned flags = TUN_FLAGS;
  if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)(tso | TUN_F_USO4 | TUN_F_USO6)) < 0) {
    flags = TUN_VNET_HDR | TUN_TSO;
    if (ioctl(fd, TUNSETOFFLOAD, (unsigned long)tso) < 0)
      die("TUNSETOFFLOAD");
  }
  tun_open(&e->tun, fd, false, MTU, flags);
  datapath_set_tun(&e->dp, &e->tun);
}

static struct sockaddr_in address(const char *text)
{
  struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(PORT)};
  if (inet_pton(AF_INET, text, &a.sin_addr) != 1)
    die(text);
  return a;
}

static void set_int(int fd, int level, int name, int value)
{
  if (setsockopt(fd, level, name, &value, sizeof value) < 0)
    die("setsockopt");
}

static int open_link(bool tcp, bool server, const char *local, const char *remote)
{
  struct sockaddr_in from = address(local), to = address(remote);
  int fd = socket(AF_INET, (tcp ? SOCK_STREAM : SOCK_DGRAM) | SOCK_CLOEXEC, 0);
  set_int(fd, SOL_SOCKET, SO_REUSEADDR, 1);
  if (!tcp) {
    set_int(fd, SOL_SOCKET, SO_RCVBUFFORCE, 2 * 1024 * 1024);
    set_int(fd, SOL_SOCKET, SO_SNDBUFFORCE, 1024 * 1024);
    set_int(fd, IPPROTO_UDP, UDP_GRO, 1);
    set_int(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT);
  }
  if ((!tcp || server) && bind(fd, (struct sockaddr *)&from, sizeof from) < 0)
    die("bind");
  if (tcp && server) {
    int listening = fd;
    if (listen(fd, 1) < 0 || (fd = accept(listening, NULL, NULL)) < 0)
      die("accept");
    close(listening);
  } else if (connect(fd, (struct sockaddr *)&to, sizeof to) < 0) {
    die("connect");
  }
  if (tcp)
    set_int(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  if (tcp)
    set_int(fd, IPPROTO_TCP, TCP_NOTSENT_LOWAT, 32 * 1024);
  fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK);
  return fd;
}

static void set_key(Engine *e, const char *name, bool client)
{
  OvpnFailure f = {0};
  OvpnDataKey *k = NULL;
  uint8_t block[256];
  for (unsigned i = 0; i < sizeof block; i++)
    block[i] = (uint8_t)(i * 7 + 1);
  const OvpnDataCipher *cipher = ovpn_data_cipher(name);
  if (!cipher || ovpn_data_key_new(cipher, "none", block, client, 0, PEER_ID,
                                   &(OvpnDataForm){.window = REPLAY_WINDOW}, engine_random, NULL,
                                   &k, &f) != OVPN_OK) {
    fprintf(stderr, "bench-peer: cipher %s: %s\n", name, f.text);
    exit(1);
  }
  datapath_set_key(&e->dp, k);
}

static void print_stats(const OvpnStats *s)
{
  printf("link rx %" PRIu64 " packets in %" PRIu64 " messages, tx %" PRIu64 " in %" PRIu64
         "; TUN read %" PRIu64 " in %" PRIu64 ", written %" PRIu64 " in %" PRIu64
         "; drops auth %" PRIu64 " replay %" PRIu64 " other %" PRIu64 " tun %" PRIu64
         " link %" PRIu64 "; wake-ups %" PRIu64 ", fallbacks %" PRIu64 "\n",
         s->link_rx_packets, s->link_rx_calls, s->link_tx_packets, s->link_tx_calls,
         s->tun_rx_packets, s->tun_rx_calls, s->tun_tx_packets, s->tun_tx_calls, s->drops_auth,
         s->drops_replay, s->drops_other, s->drops_tun, s->drops_link, s->wakeups, s->fallbacks);
}

int main(int argc, char **argv)
{
  static Engine e;
  static char session; /* loop.c only asks whether there is one */
  if (argc == 2 && strcmp(argv[1], "--version") == 0) {
    printf("GnuTLS %s\n", gnutls_check_version(NULL));
    return 0;
  }
  if (argc != 7)
    return 2;
  bool client = strcmp(argv[1], "client") == 0, tcp = strcmp(argv[3], "tcp") == 0;
  signal(SIGPIPE, SIG_IGN);
  e.ipc = STDIN_FILENO;
  e.epoll = e.link.fd = e.tun.fd = e.via.fd = e.worker.done = -1;
  ovpn_config_init(&e.config);
  if (!loop_init(&e))
    die("loop");
  open_tun(&e, argv[2]);
  int fd = open_link(tcp, !client, argv[4], argv[5]);
  if (!link_open(&e.link, tcp ? OVPN_PROTO_TCP : OVPN_PROTO_UDP, false, fd))
    die("link");
  link_set_mtu(&e.link, MTU);
  set_key(&e, argv[6], client);
  DatapathPeer peer = {.tcp = tcp, .peer = e.link.peer};
  peer.mss = ovpn_mss(&e.config, MTU, tcp, false, false, 0, 20, true, false, 0);
  datapath_set_peer(&e.dp, &peer);
  e.session = (OvpnSession *)(void *)&session;
  e.phase = ENGINE_SESSION;
  e.dp.up = true;
  loop_run(&e);
  print_stats(&e.dp.stats);
  return 0;
}
