/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The service's client of nm-ovpn-helper: against the real program (root, in a network namespace)
 * for what it grants and says, and against a fake one on a socket pair for wrong, late and missing
 * answers.
 *
 *   test-broker-client /path/to/nm-ovpn-helper */
#include "service/broker-client.h"
#include "tests/unit/check.h"
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <poll.h>
#include <sched.h>
#include <sys/wait.h>
#include <unistd.h>

static void check_error(GError **error, int code, const char *text)
{
  CHECK(*error && g_error_matches(*error, NMOVPN_BROKER_ERROR, code));
  if (*error && !strstr((*error)->message, text))
    CHECK_STR((*error)->message, text);
  g_clear_error(error);
}

/* ---- a fake helper: answers come from this process, queued before the question where possible */

static void fake_new(NmOvpnBroker **b, int *peer)
{
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
    exit(2);
  *b = nmovpn_broker_new(pair[0]);
  *peer = pair[1];
}

static void test_fake(void)
{
  NmOvpnBroker *b;
  int peer;
  GError *error = NULL;
  OvpnBrokerReply reply = {
      .version = OVPN_BROKER_VERSION, .op = OVPN_BROKER_OPEN_FILE, .serial = 1, .error = ENOENT};

  fake_new(&b, &peer);
  CHECK(send(peer, &reply, sizeof reply, 0) > 0);
  CHECK_INT(nmovpn_broker_open_file(b, "/some/file.crt", NULL, FALSE, &error), -1);
  check_error(&error, NMOVPN_BROKER_ERROR_NO_FILE, "/some/file.crt");
  /* the next question has serial 2: an answer to another one is not believed, and that is the end
   */
  CHECK(send(peer, &reply, sizeof reply, 0) > 0);
  CHECK_INT(nmovpn_broker_open_file(b, "/x", NULL, FALSE, &error), -1);
  check_error(&error, NMOVPN_BROKER_ERROR_PROTOCOL, "wrong answer");
  struct pollfd p = {.fd = nmovpn_broker_get_fd(b), .events = 0};
  CHECK(poll(&p, 1, 0) == 1 && p.revents & POLLHUP); /* who watches it is told */
  CHECK_INT(nmovpn_broker_open_file(b, "/x", NULL, FALSE, &error), -1);
  check_error(&error, NMOVPN_BROKER_ERROR_GONE, "has ended");
  nmovpn_broker_free(b);
  close(peer);

  fake_new(&b, &peer);
  reply.error = 0; /* success without a descriptor */
  CHECK(send(peer, &reply, sizeof reply, 0) > 0);
  CHECK_INT(nmovpn_broker_open_file(b, "/x", "", FALSE, &error), -1);
  check_error(&error, NMOVPN_BROKER_ERROR_PROTOCOL, "wrong answer");
  nmovpn_broker_free(b);
  close(peer);

  fake_new(&b, &peer);
  CHECK(send(peer, &reply, sizeof reply - 1, 0) > 0);
  CHECK_INT(nmovpn_broker_open_file(b, "/x", "", FALSE, &error), -1);
  check_error(&error, NMOVPN_BROKER_ERROR_PROTOCOL, "wrong answer");
  nmovpn_broker_free(b);
  close(peer);

  fake_new(&b, &peer);
  close(peer);
  CHECK_INT(nmovpn_broker_open_file(b, "/x", "", FALSE, &error), -1);
  check_error(&error, NMOVPN_BROKER_ERROR_GONE, "has ended");
  nmovpn_broker_free(b);
}

/* What the helper would end on is refused here, without a question. */
static void test_arguments(void)
{
  NmOvpnBroker *b;
  int peer;
  GError *error = NULL;
  NmOvpnBrokerTun tun;
  NmOvpnBrokerLink link = {.tcp = FALSE};
  fake_new(&b, &peer);
  CHECK(!nmovpn_broker_open_tun(b, FALSE, "my tunnel", TRUE, &tun, &error));
  check_error(&error, NMOVPN_BROKER_ERROR_DEVICE, "my tunnel");
  CHECK(!nmovpn_broker_open_tun(b, FALSE, "sixteen-letters!", TRUE, &tun, &error));
  check_error(&error, NMOVPN_BROKER_ERROR_DEVICE, "sixteen");
  CHECK_INT(nmovpn_broker_open_file(b, "relative", NULL, FALSE, &error), -1);
  check_error(&error, NMOVPN_BROKER_ERROR_NO_FILE, "relative");
  CHECK_INT(nmovpn_broker_open_link(b, &link, &error), -1);
  check_error(&error, NMOVPN_BROKER_ERROR_LINK, "Cannot connect");
  char c;
  CHECK(recv(peer, &c, 1, MSG_DONTWAIT) < 0 && errno == EAGAIN);
  nmovpn_broker_free(b);
  close(peer);
  nmovpn_broker_free(NULL);
}

/* ---- the real helper */

static NmOvpnBroker *start(const char *program, pid_t *ret_pid)
{
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0 || (*ret_pid = fork()) < 0)
    exit(2);
  if (*ret_pid == 0) {
    if (pair[1] == OVPN_IPC_FD)
      fcntl(OVPN_IPC_FD, F_SETFD, 0);
    else
      dup2(pair[1], OVPN_IPC_FD);
    execl(program, program, (char *)NULL);
    _exit(127);
  }
  close(pair[1]);
  return nmovpn_broker_new(pair[0]);
}

static void test_real(const char *program)
{
  pid_t pid;
  int status = -1, fd;
  GError *error = NULL;
  NmOvpnBroker *b = start(program, &pid);
  NmOvpnBrokerTun tun;
  CHECK((fd = nmovpn_broker_open_file(b, "/etc/passwd", "nobody", FALSE, &error)) >= 0);
  CHECK(fcntl(fd, F_GETFD) & FD_CLOEXEC);
  close(fd);
  CHECK_INT(nmovpn_broker_open_file(b, "/etc/shadow", "nobody", FALSE, &error), -1);
  check_error(&error, NMOVPN_BROKER_ERROR_DENIED, "“nobody”");
  CHECK_INT(nmovpn_broker_open_file(b, "/etc", NULL, FALSE, &error), -1);
  check_error(&error, NMOVPN_BROKER_ERROR_NO_FILE, "is a directory");
  CHECK_INT(nmovpn_broker_open_file(b, "/etc/passwd", NULL, TRUE, &error), -1);
  check_error(&error, NMOVPN_BROKER_ERROR_NO_FILE, "is not a directory");
  CHECK_INT(nmovpn_broker_open_file(b, "/dev/null", NULL, FALSE, &error), -1);
  check_error(&error, NMOVPN_BROKER_ERROR_NO_FILE, "not a regular file");
  CHECK_INT(nmovpn_broker_open_file(b, "/etc/passwd", "no-such-user-here", FALSE, &error), -1);
  check_error(&error, NMOVPN_BROKER_ERROR_NO_USER, "no-such-user-here");

  NmOvpnBrokerLink link = {.bind_dev = "missing0"};
  struct sockaddr_in remote = {.sin_family = AF_INET, .sin_port = htons(1194)};
  inet_pton(AF_INET, "192.0.2.1", &remote.sin_addr);
  memcpy(&link.remote, &remote, sizeof remote);
  CHECK_INT(nmovpn_broker_open_link(b, &link, &error), -1);
  check_error(&error, NMOVPN_BROKER_ERROR_LINK, "missing0");
  link.bind_dev = NULL;
  CHECK_INT(nmovpn_broker_open_link(b, &link, &error), -1); /* an empty namespace has no route */
  check_error(&error, NMOVPN_BROKER_ERROR_NO_NETWORK, "192.0.2.1:1194");

  if (nmovpn_broker_open_tun(b, FALSE, "vpn-test", TRUE, &tun, &error)) {
    NmOvpnBrokerTun other;
    CHECK_STR(tun.ifname, "vpn-test");
    CHECK(tun.ifindex > 0);
    CHECK(!nmovpn_broker_open_tun(b, FALSE, "vpn-test", TRUE, &other, &error));
    CHECK_INT(other.fd, -1);
    check_error(&error, NMOVPN_BROKER_ERROR_DEVICE, "vpn-test");
    close(tun.fd);
  } else {
    printf("skipped: no TUN devices: %s\n", error->message);
    g_clear_error(&error);
  }
  nmovpn_broker_free(b);
  CHECK_INT(waitpid(pid, &status, 0), pid);
  CHECK_INT(status, 0);
}

int main(int argc, char **argv)
{
  setlocale(LC_ALL, "C.UTF-8");
  test_fake();
  test_arguments();
  if (argc != 2)
    return 2;
  if (geteuid() != 0 || unshare(CLONE_NEWNET) < 0)
    printf("skipped: the real helper needs root and a network namespace\n");
  else
    test_real(argv[1]);
  TEST_END();
}
