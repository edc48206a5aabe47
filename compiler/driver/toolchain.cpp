#include "driver/toolchain.h"

#include "driver/command_words.h"
#include "driver/ir_file.h"
#include "driver/messages.h"
#include "driver/subprocess.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <llvm/Object/ObjectFile.h>
#include <llvm/Support/FileSystem.h>
#include <llvm/TargetParser/Triple.h>

#include <cstdlib>
#include <filesystem>

namespace rtmc::driver {
namespace {

std::string executableFolder() {
  static int anchor;
  return folderOf(llvm::sys::fs::getMainExecutable("rtmc", &anchor));
}

/// What every generated source is compiled with. Instruction sets are attributes in the source: no -march.
const std::vector<std::string> kFlags = {"-std=c++20",       "-O2", "-fPIC", "-shared", "-fvisibility=hidden",
                                         "-ffp-contract=off"};

/// "aarch64-unknown-linux-gnu" -> "aarch64-linux-gnu": how Debian and others name cross compilers.
std::string shortTriple(const std::string &text) {
  const llvm::Triple triple(llvm::Triple::normalize(text));
  return fmt::format("{}-{}-{}", triple.getArchName().str(), triple.getOSName().str(),
                     triple.getEnvironmentName().str());
}

uint64_t executableBytes(const std::string &path) {
  auto file = llvm::object::ObjectFile::createObjectFile(path);
  if (!file) {
    llvm::consumeError(file.takeError());
    return 0;
  }
  uint64_t bytes = 0;
  for (const llvm::object::SectionRef &section : file->getBinary()->sections()) {
    if (section.isText()) bytes += section.getSize();
  }
  return bytes;
}

}  // namespace

std::string runtimeIncludeFolder() {
  return std::filesystem::path(executableFolder() + "/../include").lexically_normal();
}

std::string findRunner() {
  const std::string beside = executableFolder() + "/rtmc-runner";
  const std::string found = findProgram(beside);
  return found.empty() ? findProgram("rtmc-runner") : found;
}

llvm::Expected<Toolchain> findToolchain(const CommandLine &line, const std::string &triple, bool foreign) {
  Toolchain toolchain;
  const char *environment = std::getenv("CXX");
  std::vector<std::string> candidates;
  if (!line.cxx.empty())
    candidates = {line.cxx};
  else if (foreign)
    candidates = {shortTriple(triple) + "-g++", "clang++-19 --target=" + triple + " -fuse-ld=lld"};
  else if (environment && *environment)
    candidates = {environment};
  else
    candidates = {"clang++-19", "g++"};
  for (const std::string &candidate : candidates) {
    auto words = splitCommand(candidate);
    if (!words) return words.takeError();
    if (words->empty() || findProgram(words->front()).empty()) continue;
    toolchain.compiler = std::move(*words);
    break;
  }
  if (toolchain.compiler.empty()) {
    return llvm::createStringError(
        std::make_error_code(std::errc::no_such_file_or_directory),
        fmt::format("no C++ compiler was found (looked for {}); --cxx names one", fmt::join(candidates, ", ")));
  }
  const std::string include = runtimeIncludeFolder();
  if (!std::filesystem::exists(include + "/rtm/abi.h")) {
    return llvm::createStringError(std::make_error_code(std::errc::no_such_file_or_directory),
                                   fmt::format("the runtime's headers are not in '{}'", include));
  }
  toolchain.flags = kFlags;
  toolchain.flags.push_back("-I" + include);
  auto more = splitCommand(line.cxxflags);
  if (!more) return more.takeError();
  toolchain.flags.insert(toolchain.flags.end(), more->begin(), more->end());
  std::vector<std::string> ask = toolchain.compiler;
  ask.push_back("--version");
  auto version = runToEnd(ask, std::chrono::seconds(20));
  if (!version) return version.takeError();
  toolchain.version = version->output.substr(0, version->output.find('\n'));
  return toolchain;
}

llvm::Expected<BuiltLibrary> buildLibrary(const Toolchain &toolchain, const std::string &folder,
                                          const std::string &name, const std::vector<OutputFile> &files,
                                          unsigned timeoutSeconds) {
  std::vector<OutputFile> placed;
  for (const OutputFile &file : files) {
    placed.push_back({folder + "/" + std::filesystem::path(file.path).filename().string(), file.bytes});
  }
  if (llvm::Error error = writeFilesAtomically(placed)) return error;
  BuiltLibrary library;
  library.path = folder + "/" + name + ".so";
  std::vector<std::string> command = toolchain.compiler;
  command.insert(command.end(), toolchain.flags.begin(), toolchain.flags.end());
  command.push_back("-Wa,-I" + folder);  // where .incbin finds a blob of weights
  command.insert(command.end(), {placed.front().path, "-o", library.path});
  // Its own temporaries go with the folder, also when it is killed.
  auto finished = runToEnd(command, std::chrono::seconds(timeoutSeconds), {"TMPDIR=" + folder});
  if (!finished) return finished.takeError();
  if (finished->timedOut) {
    return llvm::createStringError(
        std::make_error_code(std::errc::timed_out),
        fmt::format("the compiler '{}' did not end within {} s", command[0], timeoutSeconds));
  }
  if (!finished->state.ok()) {
    return llvm::createStringError(std::make_error_code(std::errc::io_error),
                                   fmt::format("the compiler '{}' {}:\n{}", command[0], finished->state.describe(),
                                               firstLines(finished->errors + finished->output, 12)));
  }
  library.seconds = finished->seconds;
  library.codeBytes = executableBytes(library.path);
  return library;
}

}  // namespace rtmc::driver
