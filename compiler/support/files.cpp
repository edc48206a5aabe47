#include "support/files.h"

#include "support/names.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <llvm/Support/Signals.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <system_error>
#include <utility>

namespace rtmc {
namespace {

/// An open file descriptor; closed once.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor &) = delete;
  Descriptor &operator=(const Descriptor &) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }
  int closeNow() { return ::close(std::exchange(fd_, -1)); }

 private:
  int fd_;
};

llvm::Error systemError(const char *verb, const std::string &path, int code) {
  const std::error_code error(code, std::generic_category());
  return llvm::createStringError(error, fmt::format("cannot {} {}: {}", verb, quoted(path), error.message()));
}

int openRetrying(const std::string &path, int flags, mode_t mode = 0) {
  int fd;
  do fd = ::open(path.c_str(), flags | O_CLOEXEC, mode);
  while (fd < 0 && errno == EINTR);
  return fd;
}

int writeAll(int fd, std::string_view bytes) {  // 0 or an errno
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd, bytes.data(), std::min<size_t>(bytes.size(), 1u << 30));
    if (n < 0) {
      if (errno == EINTR) continue;
      return errno;
    }
    bytes.remove_prefix(static_cast<size_t>(n));
  }
  return 0;
}

std::string folderOf(const std::string &path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

/// A limit on file sizes must be an error of write(), not a signal that kills us beside our temporary.
class IgnoreFileSizeSignal {
 public:
  IgnoreFileSizeSignal() {
    struct sigaction ignore = {};
    ignore.sa_handler = SIG_IGN;
    ::sigaction(SIGXFSZ, &ignore, &saved_);
  }
  ~IgnoreFileSizeSignal() { ::sigaction(SIGXFSZ, &saved_, nullptr); }

 private:
  struct sigaction saved_ = {};
};

/// Between the renames of one set of files a request to end waits: a source beside an older header fits nothing.
class HoldSignals {
 public:
  HoldSignals() {
    sigset_t set;
    sigemptyset(&set);
    for (int s : {SIGINT, SIGTERM, SIGHUP}) sigaddset(&set, s);
    ::pthread_sigmask(SIG_BLOCK, &set, &saved_);
  }
  ~HoldSignals() { ::pthread_sigmask(SIG_SETMASK, &saved_, nullptr); }

 private:
  sigset_t saved_ = {};
};

/// One output on its way: its final place and, until the rename, its temporary.
struct Pending {
  const OutputFile *file = nullptr;
  std::string target;     // links resolved
  std::string temporary;  // empty: a device or pipe, written in place; or renamed already
  mode_t mode = 0;        // of the file that is replaced; 0: a new file

  ~Pending() {
    if (temporary.empty()) return;
    ::unlink(temporary.c_str());
    llvm::sys::DontRemoveFileOnSignal(temporary);
  }
};

void resolveTarget(Pending &pending) {
  const std::string &path = pending.file->path;
  pending.target = path;
  if (char *real = ::realpath(path.c_str(), nullptr)) {
    pending.target = real;
    std::free(real);
  } else if (char *folder = ::realpath(folderOf(path).c_str(), nullptr)) {
    // Two spellings of one new file must be seen as one.
    pending.target = std::string(folder) + "/" + path.substr(path.rfind('/') + 1);
    std::free(folder);
  }
}

llvm::Error writeTemporary(Pending &pending) {
  static std::atomic<unsigned> counter{0};
  struct stat status = {};
  if (::stat(pending.target.c_str(), &status) == 0) {
    if (S_ISDIR(status.st_mode)) return systemError("write", pending.file->path, EISDIR);
    if (!S_ISREG(status.st_mode) && pending.file->fill) return systemError("write", pending.file->path, ESPIPE);
    if (!S_ISREG(status.st_mode)) return llvm::Error::success();  // /dev/null and pipes: nothing to replace
    if (::access(pending.target.c_str(), W_OK) != 0) return systemError("write", pending.file->path, errno);
    pending.mode = status.st_mode & 07777;
  }
  const size_t slash = pending.target.rfind('/');
  const std::string folder = slash == std::string::npos ? "" : pending.target.substr(0, slash + 1);
  // Cut, so that a name of the longest length that the file system allows still has room for the suffix.
  const std::string stem = pending.target.substr(folder.size()).substr(0, 200);
  int fd = -1;
  for (int attempt = 0; fd < 0 && attempt < 1000; ++attempt) {
    pending.temporary = fmt::format("{}.{}.{}-{}.tmp", folder, stem, ::getpid(), counter++);
    fd = openRetrying(pending.temporary, O_WRONLY | O_CREAT | O_EXCL, 0666);
    if (fd < 0 && errno != EEXIST) break;
  }
  if (fd < 0) {
    pending.temporary.clear();
    return systemError("write", pending.file->path, errno);
  }
  llvm::sys::RemoveFileOnSignal(pending.temporary);
  Descriptor out(fd);
  int error = 0;
  if (pending.file->fill) {
    FileWriter writer(out.get(), pending.file->path);
    if (llvm::Error failed = pending.file->fill(writer)) return failed;
  } else {
    error = writeAll(out.get(), pending.file->bytes);
  }
  if (error == 0 && pending.mode != 0 && ::fchmod(out.get(), pending.mode) != 0) error = errno;
  if (error == 0 && ::fsync(out.get()) != 0) error = errno;
  if (out.closeNow() != 0 && error == 0) error = errno;
  return error == 0 ? llvm::Error::success() : systemError("write", pending.file->path, error);
}

llvm::Error moveIntoPlace(Pending &pending) {
  if (pending.temporary.empty()) {
    Descriptor out(openRetrying(pending.target, O_WRONLY));
    const int error = out.get() < 0 ? errno : writeAll(out.get(), pending.file->bytes);
    return error == 0 ? llvm::Error::success() : systemError("write", pending.file->path, error);
  }
  if (::rename(pending.temporary.c_str(), pending.target.c_str()) != 0)
    return systemError("write", pending.file->path, errno);
  llvm::sys::DontRemoveFileOnSignal(pending.temporary);
  pending.temporary.clear();
  return llvm::Error::success();
}

}  // namespace

llvm::Expected<std::shared_ptr<const MappedFile>> MappedFile::open(const std::string &path) {
  Descriptor in(openRetrying(path, O_RDONLY | O_NONBLOCK));  // a pipe without a writer must not hang us
  if (in.get() < 0) return systemError("open", path, errno);
  struct stat status = {};
  if (::fstat(in.get(), &status) != 0) return systemError("read", path, errno);
  if (S_ISDIR(status.st_mode)) return systemError("read", path, EISDIR);
  if (!S_ISREG(status.st_mode))
    return llvm::createStringError(std::make_error_code(std::errc::invalid_argument),
                                   fmt::format("cannot read {}: not a regular file", quoted(path)));
  std::shared_ptr<MappedFile> file(new MappedFile);
  file->path_ = path;
  const auto size = static_cast<size_t>(status.st_size);
  if (size != 0) {
    void *memory = ::mmap(nullptr, size, PROT_READ, MAP_PRIVATE, in.get(), 0);
    if (memory == MAP_FAILED) return systemError("read", path, errno);
    file->bytes_ = {static_cast<const uint8_t *>(memory), size};
  }
  return std::shared_ptr<const MappedFile>(std::move(file));
}

void MappedFile::drop(std::span<const uint8_t> bytes) const {
  // Heap memory would lose its content: only pages that the file can fill again.
  const uint8_t *const end = bytes_.data() + bytes_.size();
  if (bytes.empty() || bytes.data() < bytes_.data() || bytes.data() + bytes.size() > end) return;
  // The mapping starts at a page.
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const auto begin = static_cast<size_t>(bytes.data() - bytes_.data());
  const size_t first = (begin + page - 1) / page * page, last = (begin + bytes.size()) / page * page;
  if (first < last) ::madvise(const_cast<uint8_t *>(bytes_.data() + first), last - first, MADV_DONTNEED);
}

llvm::Error FileWriter::write(std::span<const uint8_t> bytes) {
  const int error = writeAll(fd_, {reinterpret_cast<const char *>(bytes.data()), bytes.size()});
  return error == 0 ? llvm::Error::success() : systemError("write", path_, error);
}

llvm::Error FileWriter::writeAt(uint64_t offset, std::span<const uint8_t> bytes) {
  while (!bytes.empty()) {
    const ssize_t n = ::pwrite(fd_, bytes.data(), bytes.size(), static_cast<off_t>(offset));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return systemError("write", path_, errno);
    bytes = bytes.subspan(static_cast<size_t>(n));
    offset += static_cast<uint64_t>(n);
  }
  return llvm::Error::success();
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(const_cast<uint8_t *>(bytes_.data()), bytes_.size());
}

llvm::Expected<std::string> readTextFile(const std::string &path, uint64_t limitBytes) {
  // A named pipe that nobody writes is an empty file, not a reason to hang; one that is written is waited for.
  Descriptor in(openRetrying(path, O_RDONLY | O_NONBLOCK));
  if (in.get() < 0) return systemError("open", path, errno);
  if (::fcntl(in.get(), F_SETFL, 0) != 0) return systemError("read", path, errno);
  std::string text;
  constexpr size_t kPiece = 1 << 16;
  while (true) {
    const size_t used = text.size();
    text.resize(used + kPiece);
    const ssize_t n = ::read(in.get(), text.data() + used, kPiece);
    const int error = errno;
    text.resize(used + (n > 0 ? static_cast<size_t>(n) : 0));
    if (n < 0 && error == EINTR) continue;
    if (n < 0) return systemError("read", path, error);
    if (n == 0) return text;
    if (text.size() > limitBytes)
      return llvm::createStringError(std::make_error_code(std::errc::file_too_large),
                                     fmt::format("{} is larger than {} bytes", quoted(path), limitBytes));
  }
}

llvm::Error writeFilesAtomically(const std::vector<OutputFile> &files) {
  const IgnoreFileSizeSignal ignore;
  std::vector<Pending> pending(files.size());
  for (size_t i = 0; i < files.size(); ++i) {
    pending[i].file = &files[i];
    resolveTarget(pending[i]);
    for (size_t j = 0; j < i; ++j)
      if (pending[j].target == pending[i].target)
        return llvm::createStringError(std::make_error_code(std::errc::invalid_argument),
                                       fmt::format("two outputs have one name: {}", quoted(files[i].path)));
  }
  for (Pending &p : pending)
    if (llvm::Error error = writeTemporary(p)) return error;
  {
    const HoldSignals hold;
    for (Pending &p : pending)
      if (llvm::Error error = moveIntoPlace(p)) return error;
  }
  // The renames are durable once the folder is; a file system that cannot sync folders has done what it can.
  std::string synced;
  for (const Pending &p : pending) {
    const std::string folder = folderOf(p.target);
    if (folder == synced) continue;
    synced = folder;
    const Descriptor descriptor(openRetrying(folder, O_RDONLY | O_DIRECTORY));
    if (descriptor.get() >= 0) (void)::fsync(descriptor.get());
  }
  return llvm::Error::success();
}

}  // namespace rtmc
