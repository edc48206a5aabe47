#include "support/files.h"

#include "unit/frontend/weight_builder.h"

#include <doctest/doctest.h>
#include <fcntl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <span>
#include <string_view>
#include <thread>

namespace rtmc {
namespace {

std::string contentOf(const std::string &path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

size_t filesIn(const std::string &folder) {
  return static_cast<size_t>(std::distance(std::filesystem::directory_iterator(folder), {}));
}

std::string messageOf(llvm::Error error) {
  return llvm::toString(std::move(error));
}

}  // namespace

TEST_CASE("files are written, replaced with their mode, and leave nothing beside them") {
  const test::TempFolder folder;
  const std::string a = folder.file("a.cpp"), b = folder.file("b.h");
  REQUIRE(messageOf(writeFilesAtomically({{a, "one"}, {b, std::string(1 << 20, 'x')}})) == "");
  CHECK(contentOf(a) == "one");
  CHECK(contentOf(b).size() == 1 << 20);
  ::chmod(a.c_str(), 0640);
  REQUIRE(messageOf(writeFilesAtomically({{a, "two"}})) == "");
  CHECK(contentOf(a) == "two");
  struct stat status = {};
  REQUIRE(::stat(a.c_str(), &status) == 0);
  CHECK((status.st_mode & 0777) == 0640);
  CHECK(filesIn(folder.path()) == 2);
}

TEST_CASE("a file can be filled piece by piece, and its start last") {
  const test::TempFolder folder;
  const std::string a = folder.file("a"), b = folder.file("b");
  const auto bytes = [](std::string_view text) {
    return std::span(reinterpret_cast<const uint8_t *>(text.data()), text.size());
  };
  bool first = false;
  const auto fill = [&](FileWriter &file) -> llvm::Error {
    first = true;
    if (llvm::Error error = file.write(bytes("...."))) return error;
    if (llvm::Error error = file.write(bytes(" end"))) return error;
    return file.writeAt(1, bytes("xy"));
  };
  REQUIRE(messageOf(writeFilesAtomically({{a, "", fill}, {b, "", [&](FileWriter &file) {
                                                            CHECK(first);
                                                            return file.write(bytes("b"));
                                                          }}})) == "");
  CHECK(contentOf(a) == ".xy. end");
  CHECK(contentOf(b) == "b");
  // What gives up halfway leaves the old files.
  const auto stop = [&](FileWriter &file) -> llvm::Error {
    if (llvm::Error error = file.write(bytes("half"))) return error;
    return llvm::createStringError(std::make_error_code(std::errc::interrupted), "no more");
  };
  CHECK(messageOf(writeFilesAtomically({{b, "new"}, {a, "", stop}})) == "no more");
  CHECK(contentOf(a) == ".xy. end");
  CHECK(contentOf(b) == "b");
  CHECK(filesIn(folder.path()) == 2);
  CHECK(messageOf(writeFilesAtomically({{"/dev/null", "", fill}})) == "cannot write '/dev/null': Illegal seek");
}

TEST_CASE("dropped pages are read again") {
  const test::TempFolder folder;
  const std::string content(100000, 'x');
  const auto file = llvm::cantFail(MappedFile::open(folder.write("a", content)));
  const std::span<const uint8_t> all = file->bytes();
  file->drop(all);
  file->drop(all.subspan(5000, 10));
  CHECK(std::string(all.begin(), all.end()) == content);
  const std::vector<uint8_t> heap(100000, 7);  // not the file's: stays
  file->drop(heap);
  CHECK(heap == std::vector<uint8_t>(100000, 7));
}

TEST_CASE("one file that cannot be written leaves all as they were") {
  const test::TempFolder folder;
  const std::string a = folder.write("a.cpp", "old");
  const std::string missing = folder.file("no/such/folder/b.h");
  const std::string message = messageOf(writeFilesAtomically({{a, "new"}, {missing, "b"}}));
  CHECK(message == "cannot write '" + missing + "': No such file or directory");
  CHECK(contentOf(a) == "old");
  CHECK(filesIn(folder.path()) == 1);
  const std::string there = messageOf(writeFilesAtomically({{a, "new"}, {folder.path(), "b"}}));
  CHECK(there.find("Is a directory") != std::string::npos);
  CHECK(contentOf(a) == "old");
  CHECK(filesIn(folder.path()) == 1);
}

TEST_CASE("two outputs of one name are refused, however they are spelled") {
  const test::TempFolder folder;
  const std::string message = messageOf(writeFilesAtomically({{folder.file("a"), "1"}, {folder.path() + "/./a", "2"}}));
  CHECK(message.find("two outputs have one name") != std::string::npos);
  CHECK(filesIn(folder.path()) == 0);
}

TEST_CASE("a link stays a link, and devices are written in place") {
  const test::TempFolder folder;
  const std::string target = folder.write("target", "old"), link = folder.file("link");
  std::filesystem::create_symlink(target, link);
  REQUIRE(messageOf(writeFilesAtomically({{link, "new"}, {"/dev/null", "gone"}})) == "");
  CHECK(std::filesystem::is_symlink(link));
  CHECK(contentOf(target) == "new");
  CHECK(std::filesystem::is_character_file("/dev/null"));
}

TEST_CASE("a full disk is an error that leaves nothing") {
  const test::TempFolder folder;
  const std::string a = folder.write("a", "old"), b = folder.file("b");
  // A limit on file sizes stands for the full disk; it is set in a process of its own.
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    const rlimit limit = {1000, 1000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    llvm::Error error = writeFilesAtomically({{a, "new"}, {b, std::string(5000, 'x')}});
    const bool failed = static_cast<bool>(error);
    llvm::consumeError(std::move(error));
    ::_exit(failed ? 7 : 0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 7);
  CHECK(contentOf(a) == "old");
  CHECK(filesIn(folder.path()) == 1);

  if (!std::filesystem::exists("/dev/full")) {
    MESSAGE("skipped: no /dev/full");
    return;
  }
  const std::string message = messageOf(writeFilesAtomically({{"/dev/full", "x"}}));
  CHECK(message == "cannot write '/dev/full': No space left on device");
}

TEST_CASE("a read-only folder is an error") {
  const test::TempFolder folder;
  ::chmod(folder.path().c_str(), 0555);
  // A process of its own, which gives up root's right to write anywhere.
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    if (::geteuid() == 0 && ::setuid(65534) != 0) ::_exit(9);
    const std::string message = messageOf(writeFilesAtomically({{folder.file("a"), "x"}}));
    ::_exit(message == "cannot write '" + folder.file("a") + "': Permission denied" ? 7 : 0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  ::chmod(folder.path().c_str(), 0755);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 7);
  CHECK(filesIn(folder.path()) == 0);
}

TEST_CASE("a kill at any moment leaves the old file or the new one") {
  const test::TempFolder folder;
  const std::string path = folder.file("out");
  const std::string first(300000, 'a'), second(300000, 'b');
  int seen[2] = {};
  for (int i = 0; i < 40; ++i) {
    folder.write("out", first);
    const pid_t child = ::fork();
    REQUIRE(child >= 0);
    if (child == 0) {
      while (true) {
        llvm::consumeError(writeFilesAtomically({{path, second}}));
        llvm::consumeError(writeFilesAtomically({{path, first}}));
      }
    }
    ::usleep(static_cast<useconds_t>(200 + i * 137));
    ::kill(child, SIGKILL);
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    const std::string now = contentOf(path);
    REQUIRE((now == first || now == second));
    ++seen[now == second];
  }
  MESSAGE("old: " << seen[0] << ", new: " << seen[1]);
}

TEST_CASE("files are read whole, up to a limit, and mapped") {
  const test::TempFolder folder;
  const std::string path = folder.write("a", "hello");
  CHECK(llvm::cantFail(readTextFile(path, 5)) == "hello");
  auto tooLarge = readTextFile(path, 4);
  REQUIRE(!tooLarge);
  CHECK(messageOf(tooLarge.takeError()) == "'" + path + "' is larger than 4 bytes");
  auto missing = readTextFile(folder.file("b"), 4);
  REQUIRE(!missing);
  CHECK(messageOf(missing.takeError()) == "cannot open '" + folder.file("b") + "': No such file or directory");
  auto directory = readTextFile(folder.path(), 4);
  REQUIRE(!directory);
  CHECK(messageOf(directory.takeError()).find("Is a directory") != std::string::npos);
  // A pipe without a writer must not hang us; one that is being written is read to its end.
  const std::string pipe = folder.file("pipe");
  REQUIRE(::mkfifo(pipe.c_str(), 0600) == 0);
  CHECK(llvm::cantFail(readTextFile(pipe, 4)) == "");
  const int both = ::open(pipe.c_str(), O_RDWR);
  REQUIRE(::write(both, "text", 4) == 4);
  std::thread writer([both] {
    std::this_thread::sleep_for(std::chrono::milliseconds(50));
    CHECK(::write(both, "more", 4) == 4);
    ::close(both);
  });
  CHECK(llvm::cantFail(readTextFile(pipe, 8)) == "textmore");
  writer.join();

  const auto mapped = llvm::cantFail(MappedFile::open(path));
  CHECK(std::string(mapped->bytes().begin(), mapped->bytes().end()) == "hello");
  CHECK(llvm::cantFail(MappedFile::open(folder.write("empty", "")))->bytes().empty());
  auto noMap = MappedFile::open(folder.path());
  REQUIRE(!noMap);
  CHECK(messageOf(noMap.takeError()).find("Is a directory") != std::string::npos);
  auto device = MappedFile::open("/dev/null");
  REQUIRE(!device);
  CHECK(messageOf(device.takeError()).find("not a regular file") != std::string::npos);
}

}  // namespace rtmc
