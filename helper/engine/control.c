/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Messages between the service and the engine, and when each is legal.
 *
 * Trust: the service gives orders, but a message that is malformed, illegal in the present phase or
 * comes with a wrong number of descriptors means that one of the two is broken or taken over: the
 * engine ends at once. Invariants: a received descriptor has one owner; a message is decoded
 * completely before anything happens; message memory that held a secret is wiped. Sending waits for
 * a slow service for a few seconds, then ends; log lines are never waited for. */
#include "helper/core/signin.h"
#include "helper/engine/engine.h"
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { ANSWER_MAX = 4096, HOST_MAX = 255, SEND_WAIT_MS = 5000, PUSHED_CHUNK = 200 };

/* ---- out ---- */

static void send_message(Engine *e, OvpnWriter *w, bool may_drop)
{
  size_t len = ovpn_ipc_end(w);
  if (len == 0 || e->exit)
    return;
  for (;;) {
    ssize_t n = send(e->ipc, w->buf, len, MSG_NOSIGNAL | MSG_DONTWAIT);
    if (n >= 0 || (errno == EAGAIN && may_drop))
      return;
    if (errno == EINTR)
      continue;
    struct pollfd p = {.fd = e->ipc, .events = POLLOUT};
    if (errno != EAGAIN || poll(&p, 1, SEND_WAIT_MS) <= 0 || !(p.revents & POLLOUT)) {
      e->exit = true; /* nobody listens */
      return;
    }
  }
}

static void send_empty(Engine *e, OvpnIpcType type)
{
  uint8_t buf[OVPN_IPC_HEADER];
  OvpnWriter w = ovpn_ipc_begin(buf, sizeof buf, type);
  send_message(e, &w, false);
}

void control_send_ready(Engine *e)
{
  send_empty(e, OVPN_IPC_READY);
}

void control_send_closed(Engine *e)
{
  send_empty(e, OVPN_IPC_CLOSED);
}

void control_send_socket_wanted(Engine *e, uint16_t number, bool udp, const OvpnSocksAddress *relay)
{
  uint8_t buf[OVPN_IPC_HEADER + 32];
  OvpnWriter w = ovpn_ipc_begin(buf, sizeof buf, OVPN_IPC_SOCKET_WANTED);
  ovpn_write_u16(&w, number);
  ovpn_write_u8(&w, udp);
  ovpn_write_u8(&w, relay->ip_len);
  ovpn_write_bytes(&w, relay->ip, relay->ip_len);
  ovpn_write_u16(&w, relay->port);
  send_message(e, &w, false);
}

void control_send_state(Engine *e, OvpnSessionState s)
{
  uint8_t buf[16];
  OvpnWriter w = ovpn_ipc_begin(buf, sizeof buf, OVPN_IPC_STATE);
  ovpn_write_u8(&w, (uint8_t)s);
  send_message(e, &w, false);
}

void control_send_need(Engine *e, OvpnNeed need, unsigned flags, uint32_t seconds, const char *text)
{
  uint8_t buf[OVPN_IPC_HEADER + OVPN_SIGNIN_TEXT_MAX + 8];
  OvpnWriter w = ovpn_ipc_begin(buf, sizeof buf, OVPN_IPC_NEED);
  ovpn_write_u8(&w, (uint8_t)need);
  ovpn_write_u8(&w, (uint8_t)flags);
  ovpn_write_u16(&w, seconds > UINT16_MAX ? UINT16_MAX : (uint16_t)seconds);
  ovpn_ipc_write_str(&w, text);
  send_message(e, &w, false);
  ovpn_wipe(buf, sizeof buf); /* addresses may hold tickets */
}

/* As many options per message as fit, at most PUSHED_CHUNK. */
void control_send_pushed(Engine *e, const OvpnOptionList *l)
{
  size_t i = 0, used = 0; /* untouched pages of msg stay untouched */
  do {
    OvpnWriter w = ovpn_ipc_begin(e->msg, sizeof e->msg, OVPN_IPC_PUSHED);
    uint8_t *last = ovpn_write_room(&w, 1), *count = ovpn_write_room(&w, 2);
    uint16_t n = 0;
    while (i < l->n && n < PUSHED_CHUNK) {
      OvpnWriter before = w;
      if (ovpn_option_info(l->items[i].id)->flags & OVPN_OPTF_SECRET) {
        i++; /* tokens do not leave this process */
        continue;
      }
      ovpn_option_encode(&l->items[i], &w);
      if (!w.ok) {
        w = before; /* full: the next message takes it; alone too large: nobody can use it */
        used = sizeof e->msg;
        if (n > 0)
          break;
        i++;
        continue;
      }
      i++;
      n++;
    }
    *last = i >= l->n;
    count[0] = (uint8_t)(n >> 8);
    count[1] = (uint8_t)n;
    send_message(e, &w, false);
    used = w.len > used ? w.len : used;
  } while (i < l->n && !e->exit);
  ovpn_wipe(e->msg, used);
}

void control_send_lease(Engine *e, const OvpnOptionList *l)
{
  OvpnWriter w = ovpn_ipc_begin(e->msg, sizeof e->msg, OVPN_IPC_LEASE);
  ovpn_lease_encode(l, &w);
  send_message(e, &w, false);
}

void control_send_up(Engine *e, const char *cipher, unsigned mtu)
{
  uint8_t buf[128];
  OvpnWriter w = ovpn_ipc_begin(buf, sizeof buf, OVPN_IPC_UP);
  ovpn_ipc_write_str(&w, cipher);
  ovpn_write_u16(&w, (uint16_t)mtu);
  send_message(e, &w, false);
}

void control_send_silent(Engine *e, bool silent)
{
  uint8_t buf[OVPN_IPC_HEADER + 1];
  OvpnWriter w = ovpn_ipc_begin(buf, sizeof buf, OVPN_IPC_SILENT);
  ovpn_write_u8(&w, silent);
  send_message(e, &w, false);
}

void control_send_chosen(Engine *e, uint16_t number)
{
  uint8_t buf[OVPN_IPC_HEADER + 2];
  OvpnWriter w = ovpn_ipc_begin(buf, sizeof buf, OVPN_IPC_CHOSEN);
  ovpn_write_u16(&w, number);
  send_message(e, &w, false);
}

void control_send_failed(Engine *e, const OvpnFailure *f, uint16_t number, bool others)
{
  uint8_t buf[OVPN_IPC_HEADER + OVPN_FAILURE_TEXT_MAX + 16];
  OvpnWriter w = ovpn_ipc_begin(buf, sizeof buf, OVPN_IPC_FAILED);
  ovpn_write_u16(&w, (uint16_t)f->status);
  ovpn_write_u32(&w, f->arg);
  ovpn_ipc_write_str(&w, f->text);
  ovpn_write_u16(&w, number);
  ovpn_write_u8(&w, others);
  send_message(e, &w, false);
}

void control_send_peer(Engine *e, const struct sockaddr_storage *peer)
{
  uint8_t buf[OVPN_IPC_HEADER + 32];
  OvpnWriter w = ovpn_ipc_begin(buf, sizeof buf, OVPN_IPC_PEER);
  ovpn_ipc_write_address(&w, peer);
  send_message(e, &w, false);
}

void control_send_caller_refused(Engine *e, const struct sockaddr_storage *from,
                                 const OvpnFailure *f)
{
  uint8_t buf[OVPN_IPC_HEADER + OVPN_FAILURE_TEXT_MAX + 48];
  OvpnWriter w = ovpn_ipc_begin(buf, sizeof buf, OVPN_IPC_CALLER_REFUSED);
  ovpn_ipc_write_address(&w, from);
  ovpn_write_u16(&w, (uint16_t)f->status);
  ovpn_write_u32(&w, f->arg);
  ovpn_ipc_write_str(&w, f->text);
  send_message(e, &w, true);
}

void control_log(Engine *e, int level, unsigned code, const char *text)
{
  uint8_t buf[OVPN_IPC_HEADER + OVPN_FAILURE_TEXT_MAX + 16];
  OvpnWriter w = ovpn_ipc_begin(buf, sizeof buf, OVPN_IPC_LOG);
  ovpn_write_u8(&w, (uint8_t)(level < 3 ? 3 : level > 7 ? 7 : level));
  ovpn_write_u16(&w, (uint16_t)code);
  ovpn_ipc_write_str(&w, text);
  send_message(e, &w, true);
}

static void send_stats(Engine *e)
{
  uint8_t buf[OVPN_IPC_HEADER + sizeof(OvpnStats)];
  uint64_t fields[OVPN_STATS_FIELDS];
  memcpy(fields, &e->dp.stats, sizeof fields);
  OvpnWriter w = ovpn_ipc_begin(buf, sizeof buf, OVPN_IPC_STATS);
  for (unsigned i = 0; i < OVPN_STATS_FIELDS; i++)
    ovpn_write_u64(&w, fields[i]);
  send_message(e, &w, true);
}

/* ---- in ----
 *
 * Each on_x decodes everything, checks that nothing follows, then acts. false: malformed. */

static bool complete(const OvpnReader *r)
{
  return r->ok && ovpn_reader_left(r) == 0;
}

static bool on_options(Engine *e, OvpnReader *r)
{
  unsigned n = ovpn_read_u16(r);
  for (unsigned i = 0; i < n; i++)
    if (!r->ok || ovpn_option_decode(r, &e->options) != OVPN_OK)
      return false;
  return complete(r);
}

static bool on_file(Engine *e, OvpnReader *r, int *fd)
{
  unsigned id = ovpn_read_u8(r);
  if (!complete(r) || id >= OVPN_FILE_MAX)
    return false;
  if (!setup_read_file(e, (OvpnFileId)id, *fd))
    control_log(e, 4, OVPN_LOG_TEXT,
                "a file of the profile cannot be read or is larger than 1 MiB");
  return true;
}

static bool on_link(Engine *e, OvpnReader *r, int *fd)
{
  unsigned proto = ovpn_read_u8(r), family = ovpn_read_u8(r);
  unsigned remote = ovpn_read_u16(r), proxy = ovpn_read_u8(r);
  char *host = ovpn_ipc_read_str(r, HOST_MAX);
  uint16_t port = ovpn_read_u16(r), number = ovpn_read_u16(r);
  unsigned beside = ovpn_read_u8(r), mode = ovpn_read_u8(r);
  struct sockaddr_storage peer;
  bool fits = ovpn_ipc_read_address(r, true, &peer);
  fits = fits && mode <= OVPN_LINK_WAITING && (mode == 0 || proto == OVPN_PROTO_UDP) &&
         (mode == OVPN_LINK_OPEN) == (peer.ss_family != AF_UNSPEC);
  bool ok = fits && host && complete(r) && beside <= 1 && proto <= OVPN_PROTO_TCP &&
            (family == 4 || family == 6) && remote < e->config.n_remotes && proxy <= 1;
  if (ok) {
    drive_link(e, &(DriveLink){.proto = (OvpnProto)proto,
                               .ipv6 = family == 6,
                               .proxy = proxy,
                               .beside = beside,
                               .number = number,
                               .remote = remote,
                               .host = host,
                               .port = port,
                               .mode = (OvpnIpcLinkMode)mode,
                               .peer = peer,
                               .fd = *fd});
    *fd = -1;
  }
  free(host);
  return ok;
}

static bool on_drop(Engine *e, OvpnReader *r)
{
  uint16_t number = ovpn_read_u16(r);
  if (!complete(r))
    return false;
  race_drop(e, number);
  return true;
}

static bool on_guard(Engine *e, OvpnReader *r)
{
  return guard_read(&e->dp.guard, r);
}

static bool on_signer(Engine *e, OvpnReader *r, int *fd)
{
  if (!complete(r))
    return false;
  if (e->signer >= 0)
    close(e->signer); /* that one could no longer sign */
  e->signer = *fd;
  *fd = -1;
  return true;
}

static bool on_socket(Engine *e, OvpnReader *r, int *fd)
{
  uint16_t number = ovpn_read_u16(r);
  if (!complete(r))
    return false;
  if (number != e->race.number || !revive_socket(e, *fd))
    via_socket(e, number, *fd);
  *fd = -1;
  return true;
}

static void take_proxy_answer(Engine *e, OvpnBlob *a, OvpnBlob *b)
{
  OvpnCredentials *c = &e->credentials;
  ovpn_blob_clear(&c->proxy_user);
  ovpn_blob_clear(&c->proxy_password);
  c->proxy_user = *a;
  c->proxy_password = *b;
  *a = *b = (OvpnBlob){0};
  via_answer(e);
}

static void take_answer(Engine *e, OvpnNeed need, OvpnBlob *a, OvpnBlob *b)
{
  OvpnCredentials *c = &e->credentials;
  switch (need) {
  case OVPN_NEED_USER_PASS:
    ovpn_blob_clear(&c->username);
    ovpn_blob_clear(&c->password);
    c->username = *a;
    c->password = *b;
    c->have_user_pass = true;
    *a = *b = (OvpnBlob){0};
    break;
  case OVPN_NEED_PASSPHRASE:
    ovpn_blob_clear(&e->passphrase);
    e->passphrase = *b;
    *b = (OvpnBlob){0};
    if (e->phase == ENGINE_PASSPHRASE)
      setup_passphrase(e);
    return;
  case OVPN_NEED_STATIC_CHALLENGE:
    ovpn_blob_clear(&c->static_response);
    c->static_response = *b;
    *b = (OvpnBlob){0};
    return; /* USER_PASS follows */
  case OVPN_NEED_CHALLENGE:
    ovpn_blob_clear(&c->crv_response);
    c->crv_response = *b;
    c->have_crv_response = true;
    *b = (OvpnBlob){0};
    break;
  case OVPN_NEED_QUESTION:
    if (e->session)
      ovpn_session_respond(e->session, e->now, b->data, b->len);
    break;
  case OVPN_NEED_PROXY:
    take_proxy_answer(e, a, b);
    return;
  case OVPN_NEED_BROWSER:
  case OVPN_NEED_PATIENCE:
  case OVPN_NEED_NONE:
    return;
  }
  drive_answer(e);
}

static bool on_answer(Engine *e, OvpnReader *r)
{
  ovpn_auto_blob a = {0};
  ovpn_auto_blob b = {0};
  unsigned need = ovpn_read_u8(r);
  ovpn_ipc_read_blob(r, &a, ANSWER_MAX);
  ovpn_ipc_read_blob(r, &b, ANSWER_MAX);
  if (!complete(r) || need == OVPN_NEED_NONE || need > OVPN_NEED_PROXY)
    return false;
  take_answer(e, (OvpnNeed)need, &a, &b);
  return true;
}

static bool on_tun(Engine *e, OvpnReader *r, int *fd)
{
  unsigned tap = ovpn_read_u8(r), vnet_hdr = ovpn_read_u8(r), mtu = ovpn_read_u16(r);
  bool sane = vnet_hdr == 0 || (vnet_hdr <= TUN_FLAGS && vnet_hdr & TUN_VNET_HDR);
  if (!complete(r) || tap > 1 || !sane || mtu < 68)
    return false;
  drive_tun(e, *fd, tap, mtu, vnet_hdr);
  *fd = -1;
  return true;
}

static bool on_dhcp(Engine *e, OvpnReader *r)
{
  OvpnDhcpParams p;
  if (!ovpn_dhcp_params_decode(r, &p) || !complete(r))
    return false;
  lease_ask(e, &p);
  return true;
}

/* Bit set of phases. */
#define IN(p) (1u << ENGINE_##p)
static unsigned legal_in(const Engine *e, OvpnIpcType type)
{
  const unsigned running = IN(IDLE) | IN(SESSION);
  switch (type) {
  case OVPN_IPC_OPTIONS:
  case OVPN_IPC_FILE:
  case OVPN_IPC_START:
    return IN(CONFIG);
  case OVPN_IPC_SIGNER:
    return IN(CONFIG) | running;
  case OVPN_IPC_LINK:
  case OVPN_IPC_SOCKET:
  case OVPN_IPC_DROP:
  case OVPN_IPC_GUARD:
    return running;
  case OVPN_IPC_ANSWER:
    return IN(CONFIG) | IN(PASSPHRASE) | IN(REFUSED) | running;
  case OVPN_IPC_TUN:
  case OVPN_IPC_DHCP:
    return e->pushed ? running : 0;
  case OVPN_IPC_CLOSE:
    return IN(CONFIG) | IN(PASSPHRASE) | IN(REFUSED) | running;
  case OVPN_IPC_GET_STATS:
    return running | IN(CLOSING);
  case OVPN_IPC_READY:
  case OVPN_IPC_STATE:
  case OVPN_IPC_NEED:
  case OVPN_IPC_PUSHED:
  case OVPN_IPC_UP:
  case OVPN_IPC_FAILED:
  case OVPN_IPC_LOG:
  case OVPN_IPC_STATS:
  case OVPN_IPC_CLOSED:
  case OVPN_IPC_SOCKET_WANTED:
  case OVPN_IPC_CHOSEN:
  case OVPN_IPC_SILENT:
  case OVPN_IPC_LEASE:
  case OVPN_IPC_PEER:
  case OVPN_IPC_CALLER_REFUSED:
    return 0; /* our own direction */
  }
  return 0;
}

static bool act(Engine *e, OvpnIpcType type, OvpnReader *r, int *fd)
{
  switch (type) {
  case OVPN_IPC_OPTIONS:
    return on_options(e, r);
  case OVPN_IPC_FILE:
    return on_file(e, r, fd);
  case OVPN_IPC_LINK:
    return on_link(e, r, fd);
  case OVPN_IPC_SOCKET:
    return on_socket(e, r, fd);
  case OVPN_IPC_DROP:
    return on_drop(e, r);
  case OVPN_IPC_GUARD:
    return on_guard(e, r);
  case OVPN_IPC_SIGNER:
    return on_signer(e, r, fd);
  case OVPN_IPC_ANSWER:
    return on_answer(e, r);
  case OVPN_IPC_TUN:
    return on_tun(e, r, fd);
  case OVPN_IPC_DHCP:
    return on_dhcp(e, r);
  case OVPN_IPC_START:
    return complete(r) && (setup_start(e), true);
  case OVPN_IPC_CLOSE:
    return complete(r) && (drive_close(e), true);
  case OVPN_IPC_GET_STATS:
    return complete(r) && (send_stats(e), true);
  case OVPN_IPC_READY:
  case OVPN_IPC_STATE:
  case OVPN_IPC_NEED:
  case OVPN_IPC_PUSHED:
  case OVPN_IPC_UP:
  case OVPN_IPC_FAILED:
  case OVPN_IPC_LOG:
  case OVPN_IPC_STATS:
  case OVPN_IPC_CLOSED:
  case OVPN_IPC_SOCKET_WANTED:
  case OVPN_IPC_CHOSEN:
  case OVPN_IPC_SILENT:
  case OVPN_IPC_LEASE:
  case OVPN_IPC_PEER:
  case OVPN_IPC_CALLER_REFUSED:
    return false;
  }
  return false;
}

_Noreturn static void refuse(Engine *e, const char *why, int fd)
{
  control_log(e, 3, OVPN_LOG_TEXT, why);
  if (fd >= 0)
    close(fd);
  engine_clear(e);
  exit(1);
}

/* The descriptors of a message; more than one are closed. Returns their number. */
static int take_fds(struct msghdr *m, int *ret_fd)
{
  int n = 0;
  for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
    if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
      continue;
    for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(int); i++, n++) {
      int fd;
      memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
      if (n == 0)
        *ret_fd = fd;
      else
        close(fd);
    }
  }
  return n;
}

bool control_receive(Engine *e)
{
  union {
    char buf[CMSG_SPACE(4 * sizeof(int))];
    struct cmsghdr align;
  } c;
  struct iovec iov = {e->msg, sizeof e->msg};
  struct msghdr m = {
      .msg_iov = &iov, .msg_iovlen = 1, .msg_control = c.buf, .msg_controllen = sizeof c.buf};
  ssize_t n = recvmsg(e->ipc, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return false;
  if (n <= 0) { /* the service is gone, and so are we */
    e->exit = true;
    return false;
  }
  int fd = -1, fds = take_fds(&m, &fd);
  uint16_t type;
  OvpnReader r;
  if (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ||
      ovpn_ipc_open(e->msg, (size_t)n, &type, &r) != OVPN_OK)
    refuse(e, "engine: malformed message", fd);
  if (fds != ovpn_ipc_fds(type))
    refuse(e, "engine: wrong number of descriptors", fd);
  if (!(legal_in(e, (OvpnIpcType)type) & 1u << e->phase))
    refuse(e, "engine: message is not legal now", fd);
  if (!act(e, (OvpnIpcType)type, &r, &fd))
    refuse(e, "engine: bad value in a message", fd);
  ovpn_wipe(e->msg, (size_t)n);
  if (fd >= 0)
    close(fd);
  return true;
}
