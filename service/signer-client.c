/* SPDX-License-Identifier: GPL-2.0-or-later */
/* Starts nm-ovpn-signer and does the first exchange with it. Contract in the header.
 *
 * The signer runs modules of others: its answer is decoded completely and bounded, its text only
 * goes to the log. It inherits one socket and the log's descriptor and nothing else. */
#include "service/signer-client.h"
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include "ovpn-build.h"
#include "service/child.h"

#define SIGNER_PATH NMOVPN_LIBEXECDIR "/nm-ovpn-signer"
enum { START_WAIT_MS = 15000 };

gboolean nmovpn_signer_is_token(const char *name)
{
  return name && g_ascii_strncasecmp(name, "pkcs11:", 7) == 0;
}

gboolean nmovpn_signer_is_tpm_file(const void *data, gsize len)
{
  static const char begin[] = OVPN_SIGNER_TPM_FILE;
  return len > 0 && memmem(data, len, begin, sizeof(begin) - 1) != NULL;
}

_Noreturn static void become_signer(int sock)
{
  static char *const argv[] = {(char *)"nm-ovpn-signer", NULL};
  static char *const envp[] = {(char *)"LC_ALL=C", (char *)"PATH=/usr/bin:/bin", NULL};
  nmovpn_child_become(&(NmOvpnChild){.path = SIGNER_PATH,
                                     .argv = argv,
                                     .envp = envp,
                                     .socket = sock,
                                     .at = OVPN_SIGNER_FD,
                                     .report = -1});
}

static void on_reaped(GPid pid, gint status, gpointer unused)
{
  g_spawn_close_pid(pid);
}

static int spawn(void)
{
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
    return -1;
  pid_t pid = fork();
  if (pid == 0)
    become_signer(pair[1]);
  close(pair[1]);
  if (pid > 0) {
    g_child_watch_add(pid, on_reaped, NULL);
    return pair[0];
  }
  close(pair[0]);
  return -1;
}

static gboolean send_start(int fd, const char *cert, const char *key, const OvpnOptionList *options,
                           const char *pin)
{
  uint8_t buf[OVPN_SIGNER_MESSAGE_MAX];
  const OvpnOption *providers = ovpn_option_list_last(options, OVPN_OPT_PKCS11_PROVIDERS);
  guint n = providers ? providers->argc - 1 : 0;
  size_t len = ovpn_signer_write_start(buf, sizeof buf, cert, key, pin,
                                       n > 0 ? providers->argv + 1 : NULL, n);
  gboolean ok = len > 0 && send(fd, buf, len, MSG_NOSIGNAL) > 0;
  ovpn_wipe(buf, sizeof buf);
  return ok;
}

static OvpnSignerResult read_reply(int fd, gboolean want_cert, OvpnBlob *ret_cert, char **ret_text)
{
  g_autofree uint8_t *buf = g_malloc(OVPN_SIGNER_MESSAGE_MAX);
  struct pollfd p = {.fd = fd, .events = POLLIN};
  int ready;
  do
    ready = poll(&p, 1, START_WAIT_MS);
  while (ready < 0 && errno == EINTR);
  ssize_t n = ready > 0 ? recv(fd, buf, OVPN_SIGNER_MESSAGE_MAX, MSG_DONTWAIT | MSG_TRUNC) : -1;
  if (n <= 0) {
    *ret_text = g_strdup(ready > 0 ? "nm-ovpn-signer ended" : "the token does not answer");
    return OVPN_SIGNER_FAILED;
  }
  OvpnSignerReady r;
  if (n > OVPN_SIGNER_MESSAGE_MAX || !ovpn_signer_read_ready(buf, (size_t)n, &r))
    return OVPN_SIGNER_FAILED;
  if (*r.text)
    *ret_text = g_utf8_make_valid(r.text, -1);
  free(r.text);
  /* A certificate exactly where one was asked for. */
  if (r.result == OVPN_SIGNER_OK &&
      ((r.cert_len > 0) != want_cert || !ovpn_blob_set(ret_cert, r.cert, r.cert_len)))
    return OVPN_SIGNER_FAILED;
  return r.result;
}

OvpnSignerResult nmovpn_signer_start(const char *cert, const char *key,
                                     const OvpnOptionList *modules, const char *pin, int *ret_fd,
                                     OvpnBlob *ret_cert, char **ret_text)
{
  OvpnSignerResult result = OVPN_SIGNER_FAILED;
  *ret_text = NULL;
  int fd = spawn();
  if (fd < 0)
    *ret_text = g_strdup(g_strerror(errno));
  else if (send_start(fd, cert, key, modules, pin))
    result = read_reply(fd, cert != NULL, ret_cert, ret_text);
  else
    *ret_text = g_strdup("nm-ovpn-signer ended, or an address or the PIN is too long");
  if (result == OVPN_SIGNER_OK)
    *ret_fd = fd;
  else if (fd >= 0)
    close(fd);
  return result;
}
