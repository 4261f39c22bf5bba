/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The service's end of the socket to nm-ovpn-engine. Contract in the header; messages in
 * helper/core/ipc.h.
 *
 * Trust: none in the engine. Every message is decoded completely, must be legal now and must have
 * no byte too many; the first offence kills it. What a hostile engine may still do is bounded: few
 * messages per turn of the main loop, log lines at a limited rate, option lists of a limited size,
 * no descriptors. Invariants: after on_gone or free no callback comes; the child is always reaped;
 * the reference count keeps the struct alive while a callback runs. */
#include "service/engine-client.h"
#include <errno.h>
#include <glib-unix.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include "helper/core/signin.h"
#include "ovpn-build.h"
#include "service/engine-decode.h"
#include "service/engine-private.h"
#include "service/engine-process.h"

enum { EXIT_WAIT_MS = 2000, MESSAGES_PER_TURN = 32, LOG_BURST = 200, LOG_PER_SECOND = 20 };

GQuark nmovpn_engine_error_quark(void)
{
  return g_quark_from_static_string("nmovpn-engine-error-quark");
}

static void engine_unref(NmOvpnEngine *e)
{
  if (--e->refs > 0)
    return;
  ovpn_option_list_clear(&e->list);
  ovpn_wipe(e->msg, sizeof e->msg);
  g_free(e);
}

static void drop_source(GSource **s)
{
  if (*s) {
    g_source_destroy(*s);
    g_source_unref(*s);
    *s = NULL;
  }
}

static void on_reaped(GPid pid, gint status, gpointer user_data)
{
  g_spawn_close_pid(pid);
}

/* Closes the socket, kills, and leaves the reaping to a watch that knows nothing of us. */
static void cut_off(NmOvpnEngine *e)
{
  drop_source(&e->socket);
  drop_source(&e->grace);
  if (e->fd >= 0)
    close(e->fd);
  e->fd = -1;
  if (!e->child)
    return; /* reaped */
  g_autoptr(GMainContext) context = g_main_context_ref(g_source_get_context(e->child));
  drop_source(&e->child);
  kill(e->pid, SIGKILL);
  GSource *s = g_child_watch_source_new(e->pid);
  g_source_set_callback(s, G_SOURCE_FUNC(on_reaped), NULL, NULL);
  g_source_attach(s, context);
  g_source_unref(s);
}

static void gone(NmOvpnEngine *e, gboolean expected, const char *why)
{
  if (e->finished)
    return;
  e->finished = TRUE;
  cut_off(e);
  if (e->cb.on_gone)
    e->cb.on_gone(e, expected, why, e->user_data);
}

/* ---- in: false = an offence ---- */

static gboolean complete(const OvpnReader *r)
{
  return r->ok && ovpn_reader_left(r) == 0;
}

/* Text of at most OVPN_FAILURE_TEXT_MAX - 1 bytes; NULL = an offence. */
static char *read_text(OvpnReader *r)
{
  char *s = ovpn_ipc_read_str(r, OVPN_FAILURE_TEXT_MAX - 1);
  if (s && nmovpn_engine_text_ok(s))
    return s;
  free(s);
  return NULL;
}

static gboolean got_state(NmOvpnEngine *e, OvpnReader *r)
{
  unsigned s = ovpn_read_u8(r);
  if (!complete(r) || s > OVPN_SESSION_DEAD || !e->live)
    return FALSE;
  if (e->cb.on_state)
    e->cb.on_state(e, (OvpnSessionState)s, e->user_data);
  return TRUE;
}

static gboolean got_need(NmOvpnEngine *e, OvpnReader *r)
{
  unsigned need = ovpn_read_u8(r), flags = ovpn_read_u8(r);
  NmOvpnQuestion q = {.need = (OvpnNeed)need,
                      .echo = (flags & 1) != 0,
                      .wrong = (flags & 2) != 0,
                      .required = (flags & 4) != 0,
                      .seconds = ovpn_read_u16(r)};
  char *text = ovpn_ipc_read_str(r, OVPN_SIGNIN_TEXT_MAX - 1), address[OVPN_WEB_ADDRESS_MAX];
  gboolean before = need == OVPN_NEED_PASSPHRASE;
  gboolean ok = text && nmovpn_engine_text_ok(text) && complete(r) && flags <= 7 &&
                need != OVPN_NEED_NONE && need <= OVPN_NEED_PROXY &&
                (before ? e->started && !e->ready : e->live);
  if (ok && need == OVPN_NEED_BROWSER) /* only what is clean already stays the same */
    ok = ovpn_web_address(text, address, sizeof address) && g_str_equal(text, address);
  q.text = text;
  if (ok && e->cb.on_need)
    e->cb.on_need(e, &q, e->user_data);
  ovpn_secret_free(text);
  return ok;
}

static gboolean got_pushed(NmOvpnEngine *e, OvpnReader *r)
{
  unsigned last = ovpn_read_u8(r), n = ovpn_read_u16(r);
  ovpn_auto_option_list part = {0};
  gboolean ok = e->live && last <= 1 && (n > 0 || last);
  for (unsigned i = 0; ok && i < n; i++)
    ok = r->ok && ovpn_option_decode(r, &part) == OVPN_OK;
  if (!ok || !complete(r) || e->list.n + part.n > OVPN_OPTION_LIST_MAX ||
      !nmovpn_engine_append_clean(&e->list, &part))
    return FALSE;
  if (!last)
    return TRUE;
  OvpnOptionList whole = e->list; /* a callback may send LINK, which starts a new list */
  e->list = (OvpnOptionList){0};
  e->pushed = TRUE;
  e->tun_sent = FALSE;
  if (e->cb.on_pushed)
    e->cb.on_pushed(e, &whole, e->user_data);
  ovpn_option_list_clear(&whole);
  return TRUE;
}

static gboolean got_lease(NmOvpnEngine *e, OvpnReader *r)
{
  ovpn_auto_option_list all = {0}, clean = {0};
  gboolean ok = e->live && e->tun_sent && e->dhcp_sent && ovpn_lease_decode(r, &all) &&
                complete(r) && nmovpn_engine_append_clean(&clean, &all);
  if (ok && e->cb.on_lease)
    e->cb.on_lease(e, &clean, e->user_data);
  return ok;
}

static gboolean got_up(NmOvpnEngine *e, OvpnReader *r)
{
  char *cipher = read_text(r);
  unsigned mtu = ovpn_read_u16(r);
  gboolean ok = cipher && complete(r) && *cipher && strlen(cipher) < 64 && mtu >= 68 && e->live &&
                e->tun_sent;
  if (ok && e->cb.on_up)
    e->cb.on_up(e, cipher, mtu, e->user_data);
  free(cipher);
  return ok;
}

/* u16 status | u32 arg | str16 text */
static gboolean read_failure(OvpnReader *r, OvpnFailure *ret)
{
  unsigned status = ovpn_read_u16(r);
  ret->arg = ovpn_read_u32(r);
  char *text = read_text(r);
  gboolean ok = text && ovpn_is_fail((OvpnStatus)status);
  if (ok) {
    ret->status = (OvpnStatus)status;
    g_strlcpy(ret->text, text, sizeof ret->text);
  }
  free(text);
  return ok;
}

static gboolean got_failed(NmOvpnEngine *e, OvpnReader *r)
{
  OvpnFailure f = {0};
  gboolean ok = read_failure(r, &f);
  guint16 number = ovpn_read_u16(r);
  unsigned others = ovpn_read_u8(r);
  if (!ok || !complete(r) || others > 1 || !(e->live || (e->started && !e->ready)))
    return FALSE;
  if (!others && number == e->newest) /* else a newer link is on its way there */
    e->live = FALSE;
  if (e->cb.on_failed)
    e->cb.on_failed(e, &f, number, others != 0, e->user_data);
  return TRUE;
}

static gboolean got_chosen(NmOvpnEngine *e, OvpnReader *r)
{
  guint16 number = ovpn_read_u16(r);
  if (!complete(r) || !e->live)
    return FALSE;
  if (e->cb.on_chosen)
    e->cb.on_chosen(e, number, e->user_data);
  return TRUE;
}

static gboolean got_silent(NmOvpnEngine *e, OvpnReader *r)
{
  unsigned silent = ovpn_read_u8(r);
  if (!complete(r) || !e->live || silent > 1)
    return FALSE;
  if (e->cb.on_silent)
    e->cb.on_silent(e, silent, e->user_data);
  return TRUE;
}

static gboolean may_log(NmOvpnEngine *e)
{
  gint64 now = g_get_monotonic_time(),
         passed = (now - e->log_time) / (G_USEC_PER_SEC / LOG_PER_SECOND);
  if (passed > 0) {
    e->log_tokens = (unsigned)MIN((gint64)LOG_BURST, (gint64)e->log_tokens + passed);
    e->log_time = now;
  }
  if (e->log_tokens == 0)
    return FALSE;
  e->log_tokens--;
  return TRUE;
}

static gboolean got_log(NmOvpnEngine *e, OvpnReader *r)
{
  unsigned level = ovpn_read_u8(r), code = ovpn_read_u16(r);
  char *text = read_text(r);
  gboolean ok = text && complete(r) && level >= 3 && level <= 7 && code < OVPN_LOG_MAX_;
  if (ok && e->cb.on_log && may_log(e))
    e->cb.on_log(e, (int)level, (OvpnLogCode)code, text, e->user_data);
  free(text);
  return ok;
}

static gboolean got_socket_wanted(NmOvpnEngine *e, OvpnReader *r)
{
  guint8 ip[16];
  guint16 number = ovpn_read_u16(r);
  unsigned udp = ovpn_read_u8(r), ip_len = ovpn_read_u8(r);
  if (!r->ok || udp > 1 || (ip_len != 0 && ip_len != 4 && ip_len != 16))
    return FALSE;
  ovpn_read_copy(r, ip, ip_len);
  guint16 port = ovpn_read_u16(r);
  if (!complete(r) || !e->live)
    return FALSE;
  if (e->cb.on_socket_wanted)
    e->cb.on_socket_wanted(e, number, udp != 0, ip, ip_len, port, e->user_data);
  return TRUE;
}

static gboolean got_peer(NmOvpnEngine *e, OvpnReader *r)
{
  struct sockaddr_storage peer;
  if (!ovpn_ipc_read_address(r, false, &peer) || !complete(r) || !e->live)
    return FALSE;
  if (e->cb.on_peer)
    e->cb.on_peer(e, &peer, e->user_data);
  return TRUE;
}

static gboolean got_caller_refused(NmOvpnEngine *e, OvpnReader *r)
{
  struct sockaddr_storage from;
  OvpnFailure f = {0};
  if (!ovpn_ipc_read_address(r, false, &from) || !read_failure(r, &f) || !complete(r) || !e->live)
    return FALSE;
  if (e->cb.on_caller_refused)
    e->cb.on_caller_refused(e, &from, &f, e->user_data);
  return TRUE;
}

static gboolean got_stats(NmOvpnEngine *e, OvpnReader *r)
{
  uint64_t fields[OVPN_STATS_FIELDS];
  OvpnStats s;
  for (unsigned i = 0; i < OVPN_STATS_FIELDS; i++)
    fields[i] = ovpn_read_u64(r);
  if (!complete(r) || e->stats_asked == 0)
    return FALSE;
  e->stats_asked--;
  memcpy(&s, fields, sizeof s);
  if (e->cb.on_stats)
    e->cb.on_stats(e, &s, e->user_data);
  return TRUE;
}

static gboolean got_ready(NmOvpnEngine *e, OvpnReader *r)
{
  if (!complete(r) || !e->started || e->ready)
    return FALSE;
  e->ready = TRUE;
  if (e->cb.on_ready)
    e->cb.on_ready(e, e->user_data);
  return TRUE;
}

static gboolean got_closed(NmOvpnEngine *e, OvpnReader *r)
{
  if (!complete(r) || !e->close_sent)
    return FALSE;
  e->closed = TRUE;
  if (e->cb.on_closed)
    e->cb.on_closed(e, e->user_data);
  return TRUE;
}

static gboolean got(NmOvpnEngine *e, OvpnIpcType type, OvpnReader *r)
{
  if (e->closed)
    return FALSE;
  switch (type) {
  case OVPN_IPC_READY:
    return got_ready(e, r);
  case OVPN_IPC_STATE:
    return got_state(e, r);
  case OVPN_IPC_NEED:
    return got_need(e, r);
  case OVPN_IPC_PUSHED:
    return got_pushed(e, r);
  case OVPN_IPC_LEASE:
    return got_lease(e, r);
  case OVPN_IPC_UP:
    return got_up(e, r);
  case OVPN_IPC_FAILED:
    return got_failed(e, r);
  case OVPN_IPC_CHOSEN:
    return got_chosen(e, r);
  case OVPN_IPC_SILENT:
    return got_silent(e, r);
  case OVPN_IPC_LOG:
    return got_log(e, r);
  case OVPN_IPC_STATS:
    return got_stats(e, r);
  case OVPN_IPC_CLOSED:
    return got_closed(e, r);
  case OVPN_IPC_SOCKET_WANTED:
    return got_socket_wanted(e, r);
  case OVPN_IPC_PEER:
    return got_peer(e, r);
  case OVPN_IPC_CALLER_REFUSED:
    return got_caller_refused(e, r);
  case OVPN_IPC_OPTIONS:
  case OVPN_IPC_FILE:
  case OVPN_IPC_START:
  case OVPN_IPC_LINK:
  case OVPN_IPC_ANSWER:
  case OVPN_IPC_TUN:
  case OVPN_IPC_DHCP:
  case OVPN_IPC_CLOSE:
  case OVPN_IPC_GET_STATS:
  case OVPN_IPC_SOCKET:
  case OVPN_IPC_SIGNER:
  case OVPN_IPC_DROP:
  case OVPN_IPC_GUARD:
    return FALSE; /* our own direction */
  }
  return FALSE;
}

static gboolean on_grace_over(gpointer user_data)
{
  gone(user_data, FALSE, "nm-ovpn-engine closed its socket and does not end");
  return G_SOURCE_REMOVE;
}

/* The socket has ended: the child watch has the last word, if it comes soon. */
static void on_eof(NmOvpnEngine *e)
{
  GMainContext *context = g_source_get_context(e->child);
  drop_source(&e->socket);
  e->grace = g_timeout_source_new(EXIT_WAIT_MS);
  g_source_set_callback(e->grace, on_grace_over, e, NULL);
  g_source_attach(e->grace, context);
}

/* One message. false: nothing more to read now (or ever). */
static gboolean receive_one(NmOvpnEngine *e)
{
  struct iovec iov = {e->msg, sizeof e->msg};
  struct msghdr m = {.msg_iov = &iov,
                     .msg_iovlen = 1}; /* no room for descriptors: the kernel throws them away */
  ssize_t n = recvmsg(e->fd, &m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
  uint16_t type = 0;
  OvpnReader r;
  if (n < 0 && (errno == EAGAIN || errno == EINTR))
    return FALSE;
  if (n <= 0) {
    on_eof(e);
    return FALSE;
  }
  if (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC) ||
      ovpn_ipc_open(e->msg, (size_t)n, &type, &r) != OVPN_OK) {
    gone(e, FALSE, "nm-ovpn-engine sent a malformed message");
    return FALSE;
  }
  gboolean ok = got(e, (OvpnIpcType)type, &r);
  ovpn_wipe(e->msg, (size_t)n);
  if (!ok && !e->finished) {
    g_autofree char *why =
        g_strdup_printf("nm-ovpn-engine sent a bad %s message", ovpn_ipc_name(type));
    gone(e, FALSE, why);
  }
  return !e->finished;
}

static gboolean on_socket(gint fd, GIOCondition condition, gpointer user_data)
{
  NmOvpnEngine *e = user_data;
  e->refs++;
  for (int i = 0; i < MESSAGES_PER_TURN && !e->finished && e->socket; i++)
    if (!receive_one(e))
      break;
  gboolean keep = e->socket != NULL && !e->finished;
  engine_unref(e);
  return keep ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

static void on_child(GPid pid, gint status, gpointer user_data)
{
  NmOvpnEngine *e = user_data;
  e->refs++;
  /* what it said before it ended */
  while (!e->finished && e->socket && receive_one(e))
    ;
  if (!e->finished) {
    g_autofree char *why =
        WIFEXITED(status)
            ? g_strdup_printf("nm-ovpn-engine ended with status %d", WEXITSTATUS(status))
            : g_strdup_printf("nm-ovpn-engine was killed by signal %d (%s)", WTERMSIG(status),
                              g_strsignal(WTERMSIG(status)));
    drop_source(&e->child); /* reaped: nothing to kill */
    gone(e, e->closed && WIFEXITED(status) && WEXITSTATUS(status) == 0, why);
  }
  engine_unref(e);
}

/* ---- start and end ---- */

NmOvpnEngine *nmovpn_engine_spawn(const NmOvpnEngineCallbacks *callbacks, gpointer user_data,
                                  GError **error)
{
  int fd;
  GPid pid;
  int err = nmovpn_engine_process_take(&fd, &pid);
  if (err != 0) {
    g_set_error(error, NMOVPN_ENGINE_ERROR, NMOVPN_ENGINE_ERROR_SPAWN, "cannot start %s: %s",
                NMOVPN_ENGINE_PATH, g_strerror(err));
    return NULL;
  }
  NmOvpnEngine *e = g_new0(NmOvpnEngine, 1);
  e->refs = 1;
  e->cb = *callbacks;
  e->user_data = user_data;
  e->fd = fd;
  e->pid = pid;
  e->log_tokens = LOG_BURST;
  e->log_time = g_get_monotonic_time();
  GMainContext *context = g_main_context_get_thread_default();
  e->socket = g_unix_fd_source_new(fd, G_IO_IN | G_IO_HUP | G_IO_ERR);
  g_source_set_callback(e->socket, G_SOURCE_FUNC(on_socket), e, NULL);
  g_source_attach(e->socket, context);
  e->child = g_child_watch_source_new(pid);
  g_source_set_callback(e->child, G_SOURCE_FUNC(on_child), e, NULL);
  g_source_attach(e->child, context);
  return e;
}

void nmovpn_engine_free(NmOvpnEngine *e)
{
  if (!e)
    return;
  e->finished = TRUE;
  e->cb = (NmOvpnEngineCallbacks){0};
  cut_off(e);
  engine_unref(e);
}
