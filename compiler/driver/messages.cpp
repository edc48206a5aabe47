#include "driver/messages.h"

#include <fmt/format.h>
#include <llvm/Support/raw_ostream.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstring>

namespace rtmc::driver {

void MessagePrinter::print(const Diagnostics &diagnostics) {
  Diagnostics shown;
  for (; printed_ < diagnostics.all().size(); ++printed_) {
    const Diagnostic &each = diagnostics.all()[printed_];
    if (quiet_ && each.severity != Severity::Error) continue;
    Diagnostic &copy = each.severity == Severity::Error     ? shown.error(each.kind, each.where, each.message)
                       : each.severity == Severity::Warning ? shown.warning(each.kind, each.where, each.message)
                                                            : shown.note(each.kind, each.where, each.message);
    copy.notes = each.notes;
  }
  const std::string text = shown.render();
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fflush(stderr);
}

int environmentError(const std::string &message) {
  std::fprintf(stderr, "rtmc: error: %s\n", message.c_str());
  return kEnvironmentError;
}

int environmentError(llvm::Error error) {
  return environmentError(llvm::toString(std::move(error)));
}

int bugError(const std::string &message) {
  std::fprintf(stderr, "rtmc: internal error: %s\n", message.c_str());
  std::fprintf(stderr, "rtmc: this is a bug in rtmc, not in your input; please report it with the model\n");
  return kBug;
}

int printResult(const std::string &text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) != text.size() || std::fflush(stdout) != 0) {
    return environmentError(fmt::format("cannot write the result to stdout: {}", std::strerror(errno)));
  }
  return kDone;
}

int printJson(json::Object object) {
  std::string text;
  llvm::raw_string_ostream stream(text);
  stream << llvm::formatv("{0:2}", json::Value(std::move(object))) << "\n";
  return printResult(stream.str());
}

std::string firstLines(const std::string &text, size_t lines, const std::string &indent) {
  std::string result;
  size_t begin = 0;
  for (size_t i = 0; i < lines && begin < text.size(); ++i) {
    const size_t end = std::min(text.find('\n', begin), text.size());
    result += indent + text.substr(begin, end - begin) + "\n";
    begin = end + 1;
  }
  if (begin < text.size()) result += indent + "...\n";
  return result;
}

}  // namespace rtmc::driver
