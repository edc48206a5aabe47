// Runs a function in a child process that dies at its first system call.
#ifndef RTMC_TESTS_SYSTEM_CALLS_H
#define RTMC_TESTS_SYSTEM_CALLS_H

#if defined(__linux__)
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdint>
#endif

enum class Confined { kGood, kFailed, kKilled, kUnavailable };

#if defined(__linux__)
// All threads of the process; exit_group is allowed, and futex where asked for.
inline bool forbidSystemCalls(bool futex) {
  const uint32_t ok = SECCOMP_RET_ALLOW, kill = 0x80000000u;  // SECCOMP_RET_KILL_PROCESS
  sock_filter filter[] = {
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, ok),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, futex ? ok : kill),
      BPF_STMT(BPF_RET | BPF_K, kill),
  };
  sock_fprog program = {sizeof(filter) / sizeof(filter[0]), filter};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return false;
  return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, SECCOMP_FILTER_FLAG_TSYNC, &program) == 0;
}

inline bool countsAsSystemCall() {
  return syscall(SYS_getppid) > 0;
}

template <typename Prepare, typename Body>
Confined runConfined(Prepare prepare, Body body, bool futex) {
  const pid_t child = fork();
  if (child < 0) return Confined::kUnavailable;
  if (child == 0) {
    const rlimit noDump = {0, 0};
    setrlimit(RLIMIT_CORE, &noDump);
    if (!prepare()) _exit(1);
    if (!forbidSystemCalls(futex)) _exit(77);
    _exit(body() ? 0 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  if (WIFSIGNALED(status)) return WTERMSIG(status) == SIGSYS ? Confined::kKilled : Confined::kFailed;
  if (WEXITSTATUS(status) == 77) return Confined::kUnavailable;
  return WEXITSTATUS(status) == 0 ? Confined::kGood : Confined::kFailed;
}
#else
inline bool countsAsSystemCall() {
  return true;
}
template <typename Prepare, typename Body>
Confined runConfined(Prepare, Body, bool) {
  return Confined::kUnavailable;
}
#endif

#endif
