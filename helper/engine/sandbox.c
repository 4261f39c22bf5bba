/* SPDX-License-Identifier: GPL-2.0-or-later */
/* The engine gives up everything but memory, time, entropy and the descriptors it is handed. DESIGN
 * §2.
 *
 * Order: descriptors, limits, capabilities, no-new-privs, Landlock, then the second thread, which
 * inherits all of it, then seccomp for both. Landlock is a second wall (a kernel without it is
 * accepted); everything else must work. With a sanitizer, whose runtime opens files and maps as it
 * likes, the last two walls are left out: such a build is for tests. What remains allowed, and why
 * it cannot hurt: memory (never executable), reading and writing open descriptors, receiving
 * descriptors from the service, time, entropy, and ending itself. */
#include "helper/engine/sandbox.h"
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/close_range.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#if defined(__SANITIZE_ADDRESS__)
#define SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(memory_sanitizer)
#define SANITIZED 1
#endif
#endif
#ifndef SANITIZED
#define SANITIZED 0
#endif

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset 444
#define SYS_landlock_restrict_self 446
#endif

static bool close_others(int keep)
{
  if (keep > 3 && syscall(SYS_close_range, 3u, (unsigned)keep - 1, 0u) < 0)
    return false;
  return syscall(SYS_close_range, (unsigned)keep + 1, ~0u, 0u) == 0;
}

static bool drop_capabilities(void)
{
  struct __user_cap_header_struct head = {_LINUX_CAPABILITY_VERSION_3, 0};
  struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {0};
  prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0);
  return syscall(SYS_capset, &head, none) == 0;
}

/* The kernel's structure as of ABI 6; older ones take a prefix of it. */
struct landlock_attr {
  uint64_t fs, net, scoped;
};

static void landlock_everything(void)
{
  long abi = syscall(SYS_landlock_create_ruleset, NULL, 0, 1u /* ask for the version */);
  if (abi < 1)
    return;
  struct landlock_attr a = {.fs = (1ull << 13) - 1};
  size_t size = abi >= 6 ? 24 : abi >= 4 ? 16 : 8;
  if (abi >= 2)
    a.fs |= 1ull << 13; /* rename across folders */
  if (abi >= 3)
    a.fs |= 1ull << 14; /* truncate */
  if (abi >= 5)
    a.fs |= 1ull << 15; /* ioctl on devices opened later */
  if (abi >= 4)
    a.net = 3; /* TCP bind and connect */
  if (abi >= 6)
    a.scoped = 3; /* abstract sockets, signals */
  int fd = (int)syscall(SYS_landlock_create_ruleset, &a, size, 0u);
  if (fd < 0)
    return;
  syscall(SYS_landlock_restrict_self, fd, 0u);
  close(fd);
}

static const int allowed[] = {
    /* descriptors */
    SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(close),
    SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(recvmmsg), SCMP_SYS(sendmmsg),
    SCMP_SYS(recvfrom), SCMP_SYS(sendto), SCMP_SYS(recv), SCMP_SYS(send), SCMP_SYS(getsockopt),
    SCMP_SYS(getpeername), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_pwait2),
    SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime), SCMP_SYS(poll), SCMP_SYS(ppoll),
    /* memory; mmap and mprotect below */
    SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex),
    /* time and entropy (the first two are calls only where the vDSO has none) */
    SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time), SCMP_SYS(getrandom),
    SCMP_SYS(getrusage),
    /* itself: abort() and the end */
    SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction),
    SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall), SCMP_SYS(sched_yield), SCMP_SYS(exit),
    SCMP_SYS(exit_group)};

static int add_rules(scmp_filter_ctx c)
{
  for (size_t i = 0; i < sizeof allowed / sizeof allowed[0]; i++) {
    int r = seccomp_rule_add(c, SCMP_ACT_ALLOW, allowed[i], 0);
    if (r < 0 && r != -EDOM)
      return r;
  }
  const struct scmp_arg_cmp no_exec = SCMP_A2_64(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0);
  const struct scmp_arg_cmp get_flags = SCMP_A1_64(SCMP_CMP_EQ, F_GETFL),
                            set_flags = SCMP_A1_64(SCMP_CMP_EQ, F_SETFL);
  const struct scmp_arg_cmp self = SCMP_A0_64(SCMP_CMP_EQ, (scmp_datum_t)getpid());
  const struct scmp_arg_cmp abort_only = SCMP_A2_64(SCMP_CMP_EQ, SIGABRT);
  int r = seccomp_rule_add_array(c, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1, &no_exec);
  if (r == 0)
    r = seccomp_rule_add_array(c, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1, &no_exec);
  if (r == 0)
    r = seccomp_rule_add_array(c, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, &get_flags);
  if (r == 0)
    r = seccomp_rule_add_array(c, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1, &set_flags);
  if (r == 0)
    r = seccomp_rule_add(c, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 2, self, abort_only);
  /* stdio asks what kind of file stderr is; nothing is opened by it */
  if (r == 0)
    r = seccomp_rule_add(c, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(newfstatat), 0);
  if (r == 0)
    r = seccomp_rule_add(c, SCMP_ACT_ERRNO(EPERM), SCMP_SYS(fstat), 0);
  return r == -EDOM ? 0 : r;
}

static bool filter_calls(void)
{
  scmp_filter_ctx c = seccomp_init(SCMP_ACT_KILL_PROCESS);
  bool ok = c && seccomp_attr_set(c, SCMP_FLTATR_ACT_BADARCH, SCMP_ACT_KILL_PROCESS) == 0 &&
            seccomp_attr_set(c, SCMP_FLTATR_CTL_TSYNC, 1) == 0 && add_rules(c) == 0 &&
            seccomp_load(c) == 0;
  if (c)
    seccomp_release(c);
  return ok;
}

const char *sandbox_enter(int keep)
{
  const struct rlimit no_core = {0, 0};
  if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0)
    return "parent death signal";
  if (!close_others(keep))
    return "close descriptors";
  if (setrlimit(RLIMIT_CORE, &no_core) < 0 || prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) < 0)
    return "core dumps";
  if (!drop_capabilities())
    return "capabilities";
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) < 0)
    return "no new privileges";
  if (!SANITIZED)
    landlock_everything();
  return NULL;
}

const char *sandbox_close(void)
{
  return SANITIZED || filter_calls() ? NULL : "seccomp";
}
