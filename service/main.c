/* SPDX-License-Identifier: GPL-2.0-or-later */
/* nm-ovpn-service: started as root by NetworkManager, `--bus-name NAME [--persist] [--debug]`.
 *
 * The first acts, before GLib runs: a socket pair, the helper (fork and exec; it keeps root), then
 * this process becomes the service user for good: no groups but that user's, no capabilities, no
 * new privileges, no core dumps, not traceable. Then GLib, libnm, D-Bus. DESIGN.md §2,
 * ARCHITECTURE.md §1.
 *
 * When the user or the helper is missing nothing works, and the person must be told.
 * NetworkManager 1.42 does not look at the exit status: a service that just ends is "did not start
 * in time" after five seconds, and nothing names the cause. So the process owns its bus name,
 * answers Connect with the sentence (NetworkManager logs it; nmcli says "The VPN service failed to
 * start" at once), and ends. Only root and the service user may own the name: without that user it
 * is taken as root, whereupon the process becomes `nobody` before it reads a single message. It
 * never serves as root. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <linux/capability.h>
#include <pwd.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <syslog.h>
#include <unistd.h>
#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <gnutls/gnutls.h>
#include <locale.h>
#include <malloc.h>
#include "ovpn-build.h"
#include "helper/core/ipc.h"
#include "service/broker-client.h"
#include "service/engine-process.h"
#include "service/log.h"
#include "service/plugin.h"

#define HELPER_PATH NMOVPN_LIBEXECDIR "/nm-ovpn-helper"
enum { REFUSE_SECONDS = 30, GOODBYE_SECONDS = 3, NOBODY = 65534 };

typedef struct Options {
  const char *bus_name;
  bool persist, debug;
} Options;

/* ---- before GLib ---- */

static bool parse_options(int argc, char **argv, Options *o)
{
  static const struct option longs[] = {{"bus-name", required_argument, NULL, 'b'},
                                        {"persist", no_argument, NULL, 'p'},
                                        {"debug", no_argument, NULL, 'd'},
                                        {0}};
  int c;
  *o = (Options){.bus_name = NMOVPN_VPN_SERVICE};
  while ((c = getopt_long(argc, argv, "", longs, NULL)) != -1) {
    if (c == 'b')
      o->bus_name = optarg;
    else if (c == 'p')
      o->persist = true;
    else if (c == 'd')
      o->debug = true;
    else
      return false;
  }
  return optind == argc;
}

/* Nothing of root's environment is needed but where to log, which bus, and which language. */
static void clean_environment(void)
{
  static const char *const keep[] = {"NM_VPN_LOG_LEVEL",
                                     "NM_VPN_LOG_SYSLOG",
                                     "DBUS_SYSTEM_BUS_ADDRESS",
                                     "LANG",
                                     "LANGUAGE",
                                     "LC_ALL",
                                     "LC_MESSAGES",
                                     "LC_CTYPE"};
  char *values[sizeof(keep) / sizeof(keep[0])];
  for (size_t i = 0; i < sizeof(keep) / sizeof(keep[0]); i++) {
    const char *v = getenv(keep[i]);
    values[i] = v ? strdup(v) : NULL;
  }
  clearenv();
  for (size_t i = 0; i < sizeof(keep) / sizeof(keep[0]); i++) {
    if (values[i])
      setenv(keep[i], values[i], 1);
    free(values[i]);
  }
  setenv("PATH", "/usr/sbin:/usr/bin:/sbin:/bin", 1);
}

/* libnm brings GnuTLS, which would set itself up while it is loaded, in every service. libnm does
 * that when it opens a key, which this program never does. */
GNUTLS_SKIP_GLOBAL_INIT

/* One heap for all threads, as GLib's few allocate little; large blocks apart from it, so that they
 * are zero without being written and go back at once. */
static void set_up_heap(void)
{
#ifdef __GLIBC__
  mallopt(M_ARENA_MAX, 1);
  mallopt(M_MMAP_THRESHOLD, 32 * 1024);
  mallopt(M_TOP_PAD, 32 * 1024);
#endif
}

/* In the child. Only async-signal-safe calls. */
static void exec_helper(int sock, int report)
{
  static char *const argv[] = {(char *)"nm-ovpn-helper", NULL};
  static char *const envp[] = {(char *)"PATH=/usr/sbin:/usr/bin:/sbin:/bin", NULL};
  if (report == OVPN_IPC_FD) /* move it out of the way */
    report = fcntl(report, F_DUPFD_CLOEXEC, OVPN_IPC_FD + 1);
  if (sock == OVPN_IPC_FD)
    fcntl(sock, F_SETFD, 0);
  else
    dup2(sock, OVPN_IPC_FD);
  execve(HELPER_PATH, argv, envp);
  int code = errno;
  ssize_t ignored = write(report, &code, sizeof(code));
  (void)ignored;
  _exit(127);
}

/* Returns our end of the socket, or -1 with errno. */
static int start_helper(void)
{
  int pair[2], report[2], code = 0;
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
    return -1;
  if (pipe2(report, O_CLOEXEC) < 0) {
    close(pair[0]);
    close(pair[1]);
    return -1;
  }
  pid_t pid = fork();
  if (pid == 0)
    exec_helper(pair[1], report[1]);
  int fork_errno = errno;
  close(pair[1]);
  close(report[1]);
  if (pid < 0)
    code = fork_errno;
  else if (read(report[0], &code, sizeof(code)) == (ssize_t)sizeof(code))
    waitpid(pid, NULL, 0);
  else
    code = 0;
  close(report[0]);
  if (code != 0) {
    close(pair[0]);
    errno = code;
    return -1;
  }
  return pair[0];
}

/* TRUE when no capability is left, in any set that matters. */
static bool no_capabilities(void)
{
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2] = {{0}};
  if (syscall(SYS_capget, &header, data) < 0)
    return false;
  return !(data[0].effective | data[0].permitted | data[0].inheritable | data[1].effective |
           data[1].permitted | data[1].inheritable);
}

/* Inheritable capabilities survive setresuid; they would be useless here, but none is better. */
static void clear_inheritable(void)
{
  struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
  struct __user_cap_data_struct data[2] = {{0}};
  if (syscall(SYS_capget, &header, data) == 0) {
    data[0].inheritable = data[1].inheritable = 0;
    syscall(SYS_capset, &header, data);
  }
}

/* name: whose groups are taken along, as an administrator's way to let the signer at tokens and the
 * TPM; NULL = none. */
static bool drop_to(const char *name, uid_t uid, gid_t gid)
{
  clear_inheritable();
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  if ((name ? initgroups(name, gid) : setgroups(0, NULL)) < 0 || setresgid(gid, gid, gid) < 0 ||
      setresuid(uid, uid, uid) < 0)
    return false;
  uid_t r, e, s;
  if (getresuid(&r, &e, &s) < 0 || r != uid || e != uid || s != uid || setuid(0) == 0)
    return false;
  return no_capabilities();
}

static void harden(void)
{
  prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
}

static void complain(const char *text)
{
  fprintf(stderr, "nm-ovpn-service: %s\n", text);
  openlog("nm-ovpn-service", LOG_PID, LOG_DAEMON);
  syslog(LOG_ERR, "%s", text);
}

/* ---- with GLib ---- */

static gboolean on_signal(gpointer loop)
{
  nmovpn_log(LOG_INFO, "asked to end");
  g_main_loop_quit(loop);
  return G_SOURCE_CONTINUE;
}

static void on_quit(NMVpnServicePlugin *plugin, gpointer loop)
{
  g_main_loop_quit(loop);
}

static gboolean on_refuse_timeout(gpointer loop)
{
  g_main_loop_quit(loop);
  return G_SOURCE_REMOVE;
}

static gboolean on_helper_gone(gint fd, GIOCondition condition, gpointer plugin)
{
  nmovpn_log(LOG_ERR, "the privileged helper ended");
  nmovpn_plugin_helper_gone(plugin);
  return G_SOURCE_REMOVE;
}

static gboolean on_usr2(gpointer plugin)
{
  nmovpn_plugin_log_stats(plugin);
  return G_SOURCE_CONTINUE;
}

static gboolean on_wake(gpointer unused)
{
  return G_SOURCE_CONTINUE;
}

/* After the loop: the goodbye to the server, then everything that is still to be said on D-Bus. */
static void wind_down(NmOvpnPlugin *plugin)
{
  nm_vpn_service_plugin_disconnect(NM_VPN_SERVICE_PLUGIN(plugin), NULL);
  gint64 end = g_get_monotonic_time() + GOODBYE_SECONDS * G_USEC_PER_SEC;
  guint wake = g_timeout_add(100, on_wake, NULL);
  while (nmovpn_plugin_is_busy(plugin) && g_get_monotonic_time() < end)
    g_main_context_iteration(NULL, TRUE);
  g_source_remove(wake);
  g_autoptr(GDBusConnection) bus =
      nm_vpn_service_plugin_get_connection(NM_VPN_SERVICE_PLUGIN(plugin));
  if (bus)
    g_dbus_connection_flush_sync(bus, NULL, NULL);
}

static int serve(NmOvpnPlugin *plugin, NmOvpnBroker *broker, const char *refusal)
{
  g_autoptr(GMainLoop) loop = g_main_loop_new(NULL, FALSE);
  nmovpn_plugin_set_broker(plugin, broker);
  if (refusal) {
    nmovpn_plugin_set_refusal(plugin, refusal);
    g_timeout_add_seconds(REFUSE_SECONDS, on_refuse_timeout, loop);
  }
  /* libnm has installed handlers of its own, which do too much inside a signal. */
  g_unix_signal_add(SIGTERM, on_signal, loop);
  g_unix_signal_add(SIGINT, on_signal, loop);
  g_unix_signal_add(SIGUSR2, on_usr2, plugin);
  g_signal_connect(plugin, "quit", G_CALLBACK(on_quit), loop);
  if (broker)
    g_unix_fd_add(nmovpn_broker_get_fd(broker), G_IO_HUP | G_IO_ERR, on_helper_gone, plugin);
  g_main_loop_run(loop);
  wind_down(plugin);
  return EXIT_SUCCESS;
}

static NmOvpnPlugin *new_plugin(const Options *o)
{
  g_autoptr(GError) error = NULL;
  NmOvpnPlugin *plugin = nmovpn_plugin_new(o->bus_name, !o->persist, &error);
  if (!plugin)
    nmovpn_log(LOG_ERR, "cannot own %s on the system bus: %s", o->bus_name, error->message);
  return plugin;
}

static void init_glib(const Options *o)
{
  setlocale(LC_ALL, "");
  bindtextdomain(GETTEXT_PACKAGE, NMOVPN_LOCALEDIR);
  bind_textdomain_codeset(GETTEXT_PACKAGE, "UTF-8");
  nmovpn_log_init(o->debug);
}

/* No service user: see the head of this file. */
static int refuse_as_nobody(const Options *o, const char *why)
{
  init_glib(o);
  nmovpn_log(LOG_ERR, "%s", why);
  g_autoptr(NmOvpnPlugin) plugin = new_plugin(o);
  if (!plugin || !drop_to(NULL, NOBODY, NOBODY))
    return EXIT_FAILURE;
  harden();
  serve(plugin, NULL, why);
  return EXIT_FAILURE;
}

int main(int argc, char **argv)
{
  Options o;
  char refusal[256] = "";
  if (!parse_options(argc, argv, &o)) {
    fprintf(stderr, "usage: nm-ovpn-service [--bus-name NAME] [--persist] [--debug]\n");
    return 2;
  }
  set_up_heap();
  clean_environment();
  signal(SIGPIPE, SIG_IGN);
  const struct passwd *user = geteuid() == 0 ? getpwnam(NMOVPN_SERVICE_USER) : NULL;
  if (geteuid() == 0 && (!user || user->pw_uid == 0)) {
    snprintf(refusal, sizeof(refusal),
             "The user \"%s\" that the VPN service runs as does not exist. Create it with: "
             "systemd-sysusers nm-ovpn.conf",
             NMOVPN_SERVICE_USER);
    complain(refusal);
    return refuse_as_nobody(&o, refusal);
  }
  int helper = start_helper();
  if (helper < 0) {
    snprintf(refusal, sizeof(refusal), "The helper program %s cannot be started: %s.", HELPER_PATH,
             strerror(errno));
    complain(refusal);
  }
  if (user && !drop_to(user->pw_name, user->pw_uid, user->pw_gid)) {
    complain("root's privileges cannot be given up; refusing to run");
    return EXIT_FAILURE;
  }
  harden();
  if (helper >= 0)
    nmovpn_engine_process_prepare();

  init_glib(&o);
  if (!user)
    nmovpn_log(LOG_WARNING, "not started as root: the helper has no privileges");
  g_autoptr(NmOvpnBroker) broker = helper >= 0 ? nmovpn_broker_new(helper) : NULL;
  g_autoptr(NmOvpnPlugin) plugin = new_plugin(&o);
  if (!plugin)
    return EXIT_FAILURE;
  return serve(plugin, broker, refusal[0] ? refusal : NULL);
}
