#include "driver/command_words.h"

#include <sys/stat.h>
#include <unistd.h>
#include <algorithm>
#include <cstdlib>
#include <string_view>
#include <utility>

namespace rtmc::driver {

std::string findProgram(const std::string &name) {
  const auto executable = [](const std::string &path) {
    struct stat info;
    return ::stat(path.c_str(), &info) == 0 && S_ISREG(info.st_mode) && ::access(path.c_str(), X_OK) == 0;
  };
  if (name.find('/') != std::string::npos) return executable(name) ? name : "";
  const char *path = std::getenv("PATH");
  const std::string list = path ? path : "/usr/local/bin:/usr/bin:/bin";
  for (size_t begin = 0; begin <= list.size();) {
    const size_t end = std::min(list.find(':', begin), list.size());
    const std::string folder = list.substr(begin, end - begin);
    const std::string candidate = (folder.empty() ? "." : folder) + "/" + name;
    if (!name.empty() && executable(candidate)) return candidate;
    begin = end + 1;
  }
  return "";
}

llvm::Expected<std::vector<std::string>> splitCommand(const std::string &text) {
  std::vector<std::string> words;
  std::string word;
  bool inWord = false;
  char quote = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (quote) {
      if (c == quote)
        quote = 0;
      else if (c == '\\' && quote == '"' && i + 1 < text.size())
        word += text[++i];
      else
        word += c;
    } else if (c == '\'' || c == '"') {
      quote = c;
      inWord = true;
    } else if (c == '\\' && i + 1 < text.size()) {
      word += text[++i];
      inWord = true;
    } else if (c == ' ' || c == '\t' || c == '\n') {
      if (inWord) words.push_back(std::exchange(word, {}));
      inWord = false;
    } else {
      word += c;
      inWord = true;
    }
  }
  if (quote) return llvm::createStringError("a quote is not closed in '%s'", text.c_str());
  if (inWord) words.push_back(word);
  return words;
}

std::vector<char *> environmentWith(const std::vector<std::string> &more) {
  std::vector<char *> variables;
  for (const std::string &variable : more) variables.push_back(const_cast<char *>(variable.c_str()));
  for (char **each = environ; *each; ++each) {
    const std::string_view name = std::string_view(*each).substr(0, std::string_view(*each).find('=') + 1);
    const bool replaced = std::any_of(more.begin(), more.end(), [&](const auto &m) { return m.starts_with(name); });
    if (!replaced) variables.push_back(*each);
  }
  variables.push_back(nullptr);
  return variables;
}

}  // namespace rtmc::driver
