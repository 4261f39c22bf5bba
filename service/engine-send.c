/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Orders to the engine: one message each. Contract in engine-client.h; messages in
 * helper/core/ipc.h.
 *
 * An engine that does not read is waited for two seconds; memory of messages is wiped, they may
 * hold secrets. */
#include "service/engine-client.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "service/engine-private.h"

enum { SEND_WAIT_MS = 2000, OPTIONS_PER_MESSAGE = 100, OPTIONS_BYTES = 32768 };

static gboolean send_bytes(NmOvpnEngine *e, const uint8_t *data, size_t len, int fd, GError **error)
{
  union {
    char buf[CMSG_SPACE(sizeof(int))];
    struct cmsghdr align;
  } c = {{0}};
  struct iovec iov = {(void *)data, len};
  struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
  if (fd >= 0) {
    m.msg_control = c.buf;
    m.msg_controllen = sizeof c.buf;
    struct cmsghdr *h = CMSG_FIRSTHDR(&m);
    *h = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof fd), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(h), &fd, sizeof fd);
  }
  for (;;) {
    if (sendmsg(e->fd, &m, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0)
      return TRUE;
    if (errno == EINTR)
      continue;
    struct pollfd p = {.fd = e->fd, .events = POLLOUT};
    if (errno == EAGAIN && poll(&p, 1, SEND_WAIT_MS) > 0 && p.revents & POLLOUT)
      continue;
    g_set_error(error, NMOVPN_ENGINE_ERROR, NMOVPN_ENGINE_ERROR_SEND,
                "cannot send to nm-ovpn-engine: %s", g_strerror(errno));
    return FALSE;
  }
}

static gboolean send_message(NmOvpnEngine *e, OvpnWriter *w, int fd, GError **error)
{
  size_t len = ovpn_ipc_end(w);
  gboolean ok = FALSE;
  if (len == 0)
    g_set_error(error, NMOVPN_ENGINE_ERROR, NMOVPN_ENGINE_ERROR_SIZE,
                "too large for a message to nm-ovpn-engine");
  else if (e->fd < 0)
    g_set_error(error, NMOVPN_ENGINE_ERROR, NMOVPN_ENGINE_ERROR_SEND, "nm-ovpn-engine is gone");
  else
    ok = send_bytes(e, w->buf, len, fd, error);
  ovpn_wipe(w->buf, w->len);
  return ok;
}

static gboolean send_empty(NmOvpnEngine *e, OvpnIpcType type, GError **error)
{
  uint8_t buf[OVPN_IPC_HEADER];
  OvpnWriter w = ovpn_ipc_begin(buf, sizeof buf, type);
  return send_message(e, &w, -1, error);
}

gboolean nmovpn_engine_send_options(NmOvpnEngine *e, const OvpnOptionList *options, GError **error)
{
  g_autofree uint8_t *buf = g_malloc(OVPN_IPC_MAX);
  gboolean ok = TRUE;
  for (size_t i = 0; ok && i < options->n;) {
    OvpnWriter w = ovpn_ipc_begin(buf, OVPN_IPC_MAX, OVPN_IPC_OPTIONS);
    uint8_t *count = ovpn_write_room(&w, 2);
    unsigned n = 0;
    while (i < options->n && n < OPTIONS_PER_MESSAGE && w.len < OPTIONS_BYTES) {
      OvpnWriter before = w;
      ovpn_option_encode(&options->items[i], &w);
      if (!w.ok && n > 0) {
        w = before;
        break;
      }
      i++;
      n++;
    }
    count[0] = (uint8_t)(n >> 8);
    count[1] = (uint8_t)n;
    ok = send_message(e, &w, -1, error);
  }
  return ok;
}

gboolean nmovpn_engine_send_file(NmOvpnEngine *e, OvpnFileId id, int fd, GError **error)
{
  uint8_t buf[16];
  OvpnWriter w = ovpn_ipc_begin(buf, sizeof buf, OVPN_IPC_FILE);
  ovpn_write_u8(&w, (uint8_t)id);
  return send_message(e, &w, fd, error);
}

gboolean nmovpn_engine_send_signer(NmOvpnEngine *e, int fd, GError **error)
{
  uint8_t buf[OVPN_IPC_HEADER];
  OvpnWriter w = ovpn_ipc_begin(buf, sizeof buf, OVPN_IPC_SIGNER);
  return send_message(e, &w, fd, error);
}

gboolean nmovpn_engine_send_start(NmOvpnEngine *e, GError **error)
{
  e->started = TRUE;
  return send_empty(e, OVPN_IPC_START, error);
}

gboolean nmovpn_engine_send_link(NmOvpnEngine *e, const NmOvpnEngineLink *link, GError **error)
{
  uint8_t buf[OVPN_IPC_HEADER + 512];
  OvpnWriter w = ovpn_ipc_begin(buf, sizeof buf, OVPN_IPC_LINK);
  ovpn_write_u8(&w, (uint8_t)link->proto);
  ovpn_write_u8(&w, link->ipv6 ? 6 : 4);
  ovpn_write_u16(&w, (uint16_t)link->remote);
  ovpn_write_u8(&w, link->host != NULL);
  ovpn_ipc_write_str(&w, link->host);
  ovpn_write_u16(&w, link->port);
  ovpn_write_u16(&w, link->number);
  ovpn_write_u8(&w, link->beside ? 1 : 0);
  ovpn_write_u8(&w, (uint8_t)link->mode);
  ovpn_ipc_write_address(&w, link->peer);
  e->newest = link->number;
  e->live = TRUE;
  e->tun_sent = FALSE;
  ovpn_option_list_clear(&e->list);
  return send_message(e, &w, link->fd, error);
}

gboolean nmovpn_engine_send_drop(NmOvpnEngine *e, guint16 number, GError **error)
{
  uint8_t buf[OVPN_IPC_HEADER + 2];
  OvpnWriter w = ovpn_ipc_begin(buf, sizeof buf, OVPN_IPC_DROP);
  ovpn_write_u16(&w, number);
  return send_message(e, &w, -1, error);
}

gboolean nmovpn_engine_send_socket(NmOvpnEngine *e, guint16 number, int fd, GError **error)
{
  uint8_t buf[OVPN_IPC_HEADER + 2];
  OvpnWriter w = ovpn_ipc_begin(buf, sizeof buf, OVPN_IPC_SOCKET);
  ovpn_write_u16(&w, number);
  return send_message(e, &w, fd, error);
}

static gboolean send_answer(NmOvpnEngine *e, OvpnNeed need, const char *a, const char *b,
                            GError **error)
{
  uint8_t buf[OVPN_IPC_HEADER + 2 * 4096 + 16];
  OvpnWriter w = ovpn_ipc_begin(buf, sizeof buf, OVPN_IPC_ANSWER);
  ovpn_write_u8(&w, (uint8_t)need);
  ovpn_ipc_write_str(&w, a);
  ovpn_ipc_write_str(&w, b);
  /* the engine takes 4096 bytes each and ends on more */
  if ((a && strlen(a) > 4096) || (b && strlen(b) > 4096))
    w.ok = false;
  return send_message(e, &w, -1, error);
}

gboolean nmovpn_engine_answer_user_pass(NmOvpnEngine *e, const char *user, const char *password,
                                        GError **error)
{
  return send_answer(e, OVPN_NEED_USER_PASS, user, password, error);
}

gboolean nmovpn_engine_answer_proxy(NmOvpnEngine *e, const char *user, const char *password,
                                    GError **error)
{
  return send_answer(e, OVPN_NEED_PROXY, user, password, error);
}

gboolean nmovpn_engine_answer_passphrase(NmOvpnEngine *e, const char *passphrase, GError **error)
{
  return send_answer(e, OVPN_NEED_PASSPHRASE, NULL, passphrase, error);
}

gboolean nmovpn_engine_answer_challenge(NmOvpnEngine *e, OvpnNeed need, const char *response,
                                        GError **error)
{
  g_return_val_if_fail(need == OVPN_NEED_STATIC_CHALLENGE || need == OVPN_NEED_CHALLENGE ||
                           need == OVPN_NEED_QUESTION,
                       FALSE);
  return send_answer(e, need, NULL, response, error);
}

gboolean nmovpn_engine_send_tun(NmOvpnEngine *e, gboolean tap, guint vnet_hdr, guint mtu, int fd,
                                GError **error)
{
  uint8_t buf[16];
  OvpnWriter w = ovpn_ipc_begin(buf, sizeof buf, OVPN_IPC_TUN);
  ovpn_write_u8(&w, tap ? 1 : 0);
  ovpn_write_u8(&w, (uint8_t)vnet_hdr);
  ovpn_write_u16(&w, (uint16_t)CLAMP(mtu, 68, 65535));
  e->tun_sent = TRUE;
  return send_message(e, &w, fd, error);
}

gboolean nmovpn_engine_send_guard(NmOvpnEngine *e, const GArray *prefixes, GError **error)
{
  guint n = prefixes ? MIN(prefixes->len, NMOVPN_GUARD_MAX) : 0;
  gsize size = OVPN_IPC_HEADER + 3 + n * 17;
  g_autofree uint8_t *buf = g_malloc(size);
  OvpnWriter w = ovpn_ipc_begin(buf, size, OVPN_IPC_GUARD);
  ovpn_write_u8(&w, prefixes && prefixes->len <= NMOVPN_GUARD_MAX);
  ovpn_write_u16(&w, (uint16_t)n);
  for (guint i = 0; i < n; i++) {
    const NmOvpnPrefix6 *p = &g_array_index(prefixes, NmOvpnPrefix6, i);
    ovpn_write_bytes(&w, p->net.s6_addr, 16);
    ovpn_write_u8(&w, (uint8_t)p->bits);
  }
  return send_message(e, &w, -1, error);
}

gboolean nmovpn_engine_send_dhcp(NmOvpnEngine *e, const OvpnDhcpParams *params, GError **error)
{
  uint8_t buf[OVPN_IPC_HEADER + sizeof *params + 16];
  OvpnWriter w = ovpn_ipc_begin(buf, sizeof buf, OVPN_IPC_DHCP);
  ovpn_dhcp_params_encode(params, &w);
  e->dhcp_sent = TRUE;
  return send_message(e, &w, -1, error);
}

gboolean nmovpn_engine_send_close(NmOvpnEngine *e, GError **error)
{
  if (e->close_sent)
    return TRUE;
  e->close_sent = TRUE;
  return send_empty(e, OVPN_IPC_CLOSE, error);
}

gboolean nmovpn_engine_send_get_stats(NmOvpnEngine *e, GError **error)
{
  e->stats_asked++;
  return send_empty(e, OVPN_IPC_GET_STATS, error);
}
