#include "driver/subprocess.h"

#include "driver/command_words.h"

#include <fmt/format.h>

#include <fcntl.h>
#include <poll.h>
#ifdef __linux__
#include <sys/prctl.h>
#endif
#include <sys/wait.h>
#include <unistd.h>
#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <memory>
#include <mutex>
#include <set>
#include <thread>

namespace rtmc::driver {
namespace {

using Clock = std::chrono::steady_clock;
constexpr size_t kErrorBytes = 64u << 10;
constexpr size_t kLineBytes = 64u << 20;
constexpr size_t kOutputBytes = 16u << 20;

llvm::Error systemError(const std::string &what, int code) {
  return llvm::createStringError(std::error_code(code, std::generic_category()), "%s: %s", what.c_str(),
                                 std::strerror(code));
}

struct Pipe {
  int ends[2] = {-1, -1};
  bool open() { return ::pipe2(ends, O_CLOEXEC) == 0; }
  int take(int end) { return std::exchange(ends[end], -1); }
  ~Pipe() {
    for (int end : ends)
      if (end >= 0) ::close(end);
  }
};

ExitState decode(int status) {
  ExitState state;
  if (WIFEXITED(status)) {
    state.exited = true;
    state.code = WEXITSTATUS(status);
  } else if (WIFSIGNALED(status)) {
    state.signal = WTERMSIG(status);
  }
  return state;
}

/// Guards the process groups that run; killAll is called from another thread.
std::mutex &lock() {
  static std::mutex mutex;
  return mutex;
}
std::set<pid_t> &groups() {
  static std::set<pid_t> running;
  return running;
}

/// A compiler starts processes of its own, which no signal of ours reaches once we are killed. The guard is a process
/// that does nothing but wait for our end, seen as the end of a pipe, and then kills the whole group.
[[noreturn]] void becomeGuard(pid_t group, int alive) {
  ::setpgid(0, 0);
  for (int fd = 0; fd < 1024; ++fd)
    if (fd != alive) ::close(fd);  // other pipes would stay open through us
  char byte = 0;
  while (::read(alive, &byte, 1) < 0 && errno == EINTR) {
  }
  ::kill(-group, SIGKILL);
  ::_exit(0);
}

/// Between fork and exec: only calls that are safe after a fork of a process with threads.
[[noreturn]] void becomeChild(Pipe &in, Pipe &out, Pipe &err, Pipe &failure, char *const *argv, char *const *envp,
                              const char *path) {
  ::dup2(in.ends[0], 0);
  ::dup2(out.ends[1], 1);
  ::dup2(err.ends[1], 2);
  ::setpgid(0, 0);  // so that it dies with its own children
#ifdef __linux__
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);  // and with us
#endif
  sigset_t none;
  sigemptyset(&none);
  ::sigprocmask(SIG_SETMASK, &none, nullptr);
  ::signal(SIGPIPE, SIG_DFL);
  ::execve(path, argv, envp);
  const int code = errno;
  [[maybe_unused]] const ssize_t written = ::write(failure.ends[1], &code, sizeof code);
  ::_exit(127);
}

}  // namespace

std::string ExitState::describe() const {
  if (exited) return fmt::format("exited with status {}", code);
  const char *name = ::sigabbrev_np(signal);
  const char *text = ::sigdescr_np(signal);
  return fmt::format("was killed by SIG{} ({})", name ? name : std::to_string(signal), text ? text : "unknown");
}

llvm::Expected<std::unique_ptr<Subprocess>> Subprocess::start(const std::vector<std::string> &command,
                                                              const std::vector<std::string> &environment) {
  if (command.empty()) return llvm::createStringError("an empty command cannot be started");
  const std::string path = findProgram(command[0]);
  if (path.empty()) {
    return llvm::createStringError(std::make_error_code(std::errc::no_such_file_or_directory),
                                   "program '%s' was not found", command[0].c_str());
  }
  std::vector<char *> argv;
  for (const std::string &word : command) argv.push_back(const_cast<char *>(word.c_str()));
  argv.push_back(nullptr);
  const std::vector<char *> envp = environmentWith(environment);
  Pipe in, out, err, failure, alive;
  if (!in.open() || !out.open() || !err.open() || !failure.open() || !alive.open())
    return systemError("no pipe", errno);
  const pid_t pid = ::fork();
  if (pid < 0) return systemError(fmt::format("cannot start '{}'", command[0]), errno);
  if (pid == 0) becomeChild(in, out, err, failure, argv.data(), envp.data(), path.c_str());
  ::setpgid(pid, pid);
  const pid_t guard = ::fork();
  if (guard == 0) {
    ::close(alive.take(1));
    becomeGuard(pid, alive.ends[0]);
  }
  std::unique_ptr<Subprocess> process(new Subprocess);  // from here on it ends both
  process->pid_ = pid;
  process->guard_ = guard;
  process->alive_ = alive.take(1);
  {
    const std::lock_guard locked(lock());
    groups().insert(pid);
  }

  ::close(failure.take(1));
  int code = 0;
  if (::read(failure.ends[0], &code, sizeof code) == sizeof code) {
    return systemError(fmt::format("cannot start '{}'", path), code);
  }
  process->in_ = in.take(1);
  process->out_ = out.take(0);
  process->err_ = err.take(0);
  ::fcntl(process->out_, F_SETFL, O_NONBLOCK);
  ::fcntl(process->err_, F_SETFL, O_NONBLOCK);
  return process;
}

Subprocess::~Subprocess() {
  kill();
  if (guard_ > 0) {
    ::kill(guard_, SIGKILL);
    while (::waitpid(guard_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  if (alive_ >= 0) ::close(alive_);
  for (int fd : {in_, out_, err_})
    if (fd >= 0) ::close(fd);
}

bool Subprocess::writeAll(const std::string &bytes) {
  size_t at = 0;
  while (at < bytes.size()) {
    const ssize_t n = ::write(in_, bytes.data() + at, bytes.size() - at);
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    at += static_cast<size_t>(n);
  }
  return true;
}

/// Reads what there is; false once both streams have ended or the deadline has passed.
bool Subprocess::pump(Clock::time_point deadline) {
  pollfd fds[2] = {{out_, POLLIN, 0}, {err_, POLLIN, 0}};
  if (out_ < 0 && err_ < 0) return false;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(deadline - Clock::now()).count();
  if (left <= 0) return false;
  const int ready = ::poll(fds, 2, static_cast<int>(std::min<long long>(left, 1 << 30)));
  if (ready <= 0) return ready < 0 && errno == EINTR;
  for (int i = 0; i < 2; ++i) {
    if (!(fds[i].revents & (POLLIN | POLLHUP | POLLERR))) continue;
    int &fd = i == 0 ? out_ : err_;
    char bytes[65536];
    const ssize_t n = ::read(fd, bytes, sizeof bytes);
    if (n > 0) {
      std::string &into = i == 0 ? pending_ : errors_;
      into.append(bytes, static_cast<size_t>(n));
      if (i == 1 && errors_.size() > kErrorBytes) errors_.erase(0, errors_.size() - kErrorBytes);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
      ::close(fd);
      fd = -1;
    }
  }
  return true;
}

Subprocess::ReadResult Subprocess::readLine(std::string &line, std::chrono::milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  size_t searched = 0;
  for (;;) {
    const size_t end = pending_.find('\n', searched);
    if (end != std::string::npos) {
      line.assign(pending_, 0, end);
      pending_.erase(0, end + 1);
      return ReadResult::Line;
    }
    searched = pending_.size();
    if (out_ < 0 || searched > kLineBytes) return ReadResult::End;
    if (!pump(deadline) && Clock::now() >= deadline) return ReadResult::Timeout;
  }
}

void Subprocess::closeInput() {
  if (in_ >= 0) ::close(std::exchange(in_, -1));
}

void Subprocess::drain() {
  const auto deadline = Clock::now() + std::chrono::milliseconds(200);
  while (pump(deadline)) {
  }
}

void Subprocess::forget() {
  const std::lock_guard locked(lock());
  groups().erase(pid_);
}

void Subprocess::killAll() {
  // Kept for ever: who waits for one of them must not report its end as a failure while we end.
  lock().lock();
  for (const pid_t group : groups()) ::kill(-group, SIGKILL);
}

ExitState Subprocess::kill() {
  if (state_) return *state_;
  ::kill(-pid_, SIGKILL);
  ::kill(pid_, SIGKILL);
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  forget();
  state_ = decode(status);
  return *state_;
}

std::optional<ExitState> Subprocess::wait(std::chrono::milliseconds timeout) {
  const auto deadline = Clock::now() + timeout;
  while (!state_) {
    int status = 0;
    const pid_t done = ::waitpid(pid_, &status, WNOHANG);
    if (done == pid_) {
      forget();
      state_ = decode(status);
      drain();
    } else if (Clock::now() >= deadline) {
      return std::nullopt;
    } else if (out_ < 0 && err_ < 0) {
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    } else {
      pump(std::min(deadline, Clock::now() + std::chrono::milliseconds(20)));
    }
    if (pending_.size() > kOutputBytes) pending_.resize(kOutputBytes);
  }
  return state_;
}

llvm::Expected<Finished> runToEnd(const std::vector<std::string> &command, std::chrono::seconds timeout,
                                  const std::vector<std::string> &environment) {
  const auto begin = Clock::now();
  auto process = Subprocess::start(command, environment);
  if (!process) return process.takeError();
  (*process)->closeInput();
  Finished finished;
  const std::optional<ExitState> state = (*process)->wait(timeout);
  finished.timedOut = !state;
  finished.state = state ? *state : (*process)->kill();
  std::string line;
  while ((*process)->readLine(line, std::chrono::milliseconds(0)) == Subprocess::ReadResult::Line) {
    finished.output += line + "\n";
  }
  finished.errors = (*process)->errors();
  finished.seconds = std::chrono::duration<double>(Clock::now() - begin).count();
  return finished;
}

}  // namespace rtmc::driver
