// Owns: generated text line by line, with indentation.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace rtmc::backend {

class Text {
 public:
  explicit Text(int indent = 0) : indent_(indent) {}

  template <typename... Args>
  void line(fmt::format_string<Args...> format, Args &&...args) {
    text(fmt::format(format, std::forward<Args>(args)...));
  }
  /// A line that is not a format: braces stand for themselves.
  void text(std::string_view line) {
    if (!line.empty()) out_.append(static_cast<size_t>(indent_) * 2, ' ').append(line);
    out_ += '\n';
  }
  void blank() { out_ += '\n'; }
  void indent() { ++indent_; }
  void outdent() { --indent_; }
  /// Whole lines made elsewhere.
  void raw(std::string_view lines) { out_ += lines; }
  const std::string &str() const { return out_; }
  size_t columns() const { return 120 - static_cast<size_t>(indent_) * 2; }
  bool empty() const { return out_.empty(); }

 private:
  int indent_ = 0;
  std::string out_;
};

/// `name(a, b, c)` + `end`, with lines of at most 120 columns; what does not fit goes on below the first argument.
void appendCall(Text &out, const std::string &name, const std::vector<std::string> &arguments, std::string_view end);

/// Items joined by ", ", broken into lines of at most 120 columns.
void appendList(Text &out, const std::vector<std::string> &items);

}  // namespace rtmc::backend
