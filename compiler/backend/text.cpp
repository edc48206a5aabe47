#include "backend/text.h"

namespace rtmc::backend {

void appendList(Text &out, const std::vector<std::string> &items) {
  std::string line;
  for (size_t i = 0; i < items.size(); ++i) {
    if (!line.empty() && line.size() + items[i].size() + 2 > out.columns()) {
      out.text(line);
      line.clear();
    }
    if (!line.empty()) line += ' ';
    line += items[i];
    if (i + 1 < items.size()) line += ',';
  }
  if (!line.empty()) out.text(line);
}

void appendCall(Text &out, const std::string &name, const std::vector<std::string> &arguments, std::string_view end) {
  std::string line = name + '(';
  const std::string below(line.size() <= 60 ? line.size() : 4, ' ');
  for (size_t i = 0; i < arguments.size(); ++i) {
    const bool last = i + 1 == arguments.size();
    const std::string item = arguments[i] + (last ? ")" + std::string(end) : std::string(","));
    const bool first = line.back() == '(' || line == below;
    if (line.size() + item.size() + 1 > out.columns() && !first) {
      out.text(line);
      line = below + item;
    } else {
      line += (first ? "" : " ") + item;
    }
  }
  out.text(line);
}

}  // namespace rtmc::backend
