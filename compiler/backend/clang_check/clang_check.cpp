#include "backend/clang_check/clang_check.h"

#include "backend/clang_check/bounds.h"

#include <clang/AST/ASTConsumer.h>
#include <clang/AST/ASTContext.h>
#include <clang/Basic/FileManager.h>
#include <clang/Basic/FileSystemOptions.h>
#include <clang/Basic/SourceManager.h>
#include <clang/Frontend/CompilerInstance.h>
#include <clang/Frontend/FrontendAction.h>
#include <clang/Tooling/Tooling.h>
#include <fmt/format.h>
#include <llvm/Support/VirtualFileSystem.h>
#include <llvm/TargetParser/Host.h>
#include <llvm/TargetParser/Triple.h>

#include <charconv>
#include <cstring>

namespace rtmc::clang_check {
namespace {

struct Embedded {
  std::string_view name, text;
};
constexpr Embedded kRuntimeHeaders[] = {
#include "runtime_headers.inc"
};
constexpr Embedded kFreestandingHeaders[] = {
#include "freestanding_headers.inc"
};

constexpr size_t kReported = 5;  // mistakes shown; more are counted
constexpr char kRoot[] = "/rtmc";

std::string_view lineOf(std::string_view text, unsigned line) {
  for (; line > 1; --line) {
    const size_t end = text.find('\n');
    if (end == std::string_view::npos) return {};
    text.remove_prefix(end + 1);
  }
  return text.substr(0, std::min<size_t>(text.find('\n'), 160));
}

class Mistakes {
 public:
  explicit Mistakes(const Source &source) : source_(source) {}
  void add(std::string_view file, unsigned line, unsigned column, std::string_view message) {
    if (++count_ > kReported) return;
    if (!text_.empty()) text_ += '\n';
    text_ += fmt::format("{}:{}:{}: {}", file, line, column, message);
    if (file != source_.name) return;
    text_ += fmt::format("\n    {}", lineOf(source_.text, line));
  }
  llvm::Error take() const {
    if (count_ == 0) return llvm::Error::success();
    std::string text = text_;
    if (count_ > kReported) text += fmt::format("\n... and {} more", count_ - kReported);
    return llvm::createStringError(llvm::inconvertibleErrorCode(), "%s", text.c_str());
  }
  const Source &source() const { return source_; }

 private:
  const Source &source_;
  std::string text_;
  size_t count_ = 0;
};

class Collector : public clang::DiagnosticConsumer {
 public:
  explicit Collector(Mistakes &mistakes) : mistakes_(mistakes) {}
  void HandleDiagnostic(clang::DiagnosticsEngine::Level level, const clang::Diagnostic &info) override {
    if (level < clang::DiagnosticsEngine::Error) return;
    llvm::SmallString<128> message;
    info.FormatDiagnostic(message);
    std::string file(mistakes_.source().name);
    unsigned line = 0, column = 0;
    if (info.hasSourceManager() && info.getLocation().isValid()) {
      const auto at =
          info.getSourceManager().getPresumedLoc(info.getSourceManager().getExpansionLoc(info.getLocation()));
      if (at.isValid()) {
        line = at.getLine();
        column = at.getColumn();
        file = llvm::StringRef(at.getFilename()).rsplit('/').second.str();
        if (file.empty()) file = at.getFilename();
      }
    }
    mistakes_.add(file, line, column, message.str().str());
  }

 private:
  Mistakes &mistakes_;
};

class BoundsConsumer : public clang::ASTConsumer {
 public:
  BoundsConsumer(Mistakes &mistakes, Report &report) : mistakes_(mistakes), report_(report) {}
  void HandleTranslationUnit(clang::ASTContext &context) override {
    if (context.getDiagnostics().hasErrorOccurred()) return;
    for (const Violation &v : checkBounds(context, report_)) {
      mistakes_.add(mistakes_.source().name, v.line, v.column, v.message);
    }
  }

 private:
  Mistakes &mistakes_;
  Report &report_;
};

class BoundsAction : public clang::ASTFrontendAction {
 public:
  BoundsAction(Mistakes &mistakes, Report &report) : mistakes_(mistakes), report_(report) {}
  std::unique_ptr<clang::ASTConsumer> CreateASTConsumer(clang::CompilerInstance &, llvm::StringRef) override {
    return std::make_unique<BoundsConsumer>(mistakes_, report_);
  }

 private:
  Mistakes &mistakes_;
  Report &report_;
};

/// The literal's place in the text: from its definition's `=` to the `;`. `length` 0: none.
struct Literal {
  size_t begin = 0, length = 0;
};

Literal findLiteral(std::string_view text) {
  const size_t first = text.find("=\n    U\"");
  if (first == std::string_view::npos) return {};
  const size_t end = text.find(';', first);
  if (end == std::string_view::npos) return {};
  return {first, end - first};
}

/// Words of the literal against the declared `kWeights[N]`, the terminator included.
void checkLiteral(std::string_view text, const Literal &literal, Mistakes &mistakes) {
  uint64_t words = 1;
  const char *at = text.data() + literal.begin, *const end = at + literal.length;
  while ((at = static_cast<const char *>(std::memchr(at, '\\', static_cast<size_t>(end - at)))) != nullptr) {
    ++words;
    ++at;
  }
  const size_t open = text.rfind('[', literal.begin);
  uint64_t declared = 0;
  if (open != std::string_view::npos) {
    std::from_chars(text.data() + open + 1, text.data() + literal.begin, declared);
  }
  if (declared == words) return;
  unsigned line = 1;
  for (const char c : text.substr(0, literal.begin)) line += c == '\n';
  mistakes.add(mistakes.source().name, line, 1,
               fmt::format("an array of {} words is given a literal of {}", declared, words));
}

std::string clangTriple(std::string_view triple) {
  const llvm::Triple parsed(llvm::Triple::normalize(llvm::StringRef(triple.data(), triple.size())));
  if (parsed.getArch() == llvm::Triple::x86_64 || parsed.getArch() == llvm::Triple::aarch64) return parsed.str();
  return llvm::sys::getDefaultTargetTriple();
}

}  // namespace

llvm::Error checkSource(const Source &source, Report *report) {
  Mistakes mistakes(source);
  Report ignored;
  const Literal literal = findLiteral(source.text);
  // Clang need not read megabytes of words: without an initialiser the definition is a second declaration.
  std::string text(source.text.substr(0, literal.length == 0 ? source.text.size() : literal.begin));
  if (literal.length != 0) {
    checkLiteral(source.text, literal, mistakes);
    const size_t definition = text.rfind("alignas(64) const char32_t");
    if (definition != std::string::npos) text.replace(definition, 11, "alignas(64) extern");
    text += source.text.substr(literal.begin + literal.length);
  }

  auto files = llvm::makeIntrusiveRefCnt<llvm::vfs::InMemoryFileSystem>();
  const auto addFile = [&](const std::string &path, std::string_view content) {
    files->addFile(path, 0, llvm::MemoryBuffer::getMemBufferCopy(llvm::StringRef(content.data(), content.size())));
  };
  const std::string root = kRoot, main = root + "/" + std::string(source.name);
  addFile(main, text);
  for (const auto &[name, content] : source.headers) addFile(root + "/" + std::string(name), content);
  for (const Embedded &header : kRuntimeHeaders) addFile(root + "/runtime/" + std::string(header.name), header.text);
  for (const Embedded &header : kFreestandingHeaders) {
    addFile(root + "/freestanding/" + std::string(header.name), header.text);
  }

  const std::vector<std::string> args = {"clang++",
                                         "--target=" + clangTriple(source.triple),
                                         "-fsyntax-only",
                                         "-std=c++20",
                                         "-ffreestanding",
                                         "-nostdinc",
                                         "-nostdinc++",
                                         "-w",
                                         "-I" + root + "/runtime",
                                         "-isystem",
                                         root + "/freestanding",
                                         main};
  // Counted references: Clang keeps the manager too.
  const auto manager = llvm::makeIntrusiveRefCnt<clang::FileManager>(clang::FileSystemOptions{root}, files);
  clang::tooling::ToolInvocation invocation(args, std::make_unique<BoundsAction>(mistakes, report ? *report : ignored),
                                            manager.get());
  Collector collector(mistakes);
  invocation.setDiagnosticConsumer(&collector);
  const bool ran = invocation.run();
  llvm::Error error = mistakes.take();
  if (error || ran) return error;
  return llvm::createStringError(llvm::inconvertibleErrorCode(), "Clang could not parse the emitted source");
}

}  // namespace rtmc::clang_check
