#include "driver/table.h"

#include <fmt/format.h>

#include <algorithm>

namespace rtmc::driver {

Table::Table(std::vector<std::string> titles) {
  for (std::string &title : titles) {
    const bool marked = title.starts_with('<');
    left_.push_back(marked || left_.empty());
    if (marked) title.erase(0, 1);
  }
  rows_.push_back(std::move(titles));
}

std::string Table::text() const {
  std::vector<size_t> widths(left_.size(), 0);
  for (const auto &row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], row[i].size());
  }
  std::string text;
  for (const auto &row : rows_) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      if (i) line += "  ";
      line += left_[i] ? fmt::format("{:<{}}", row[i], widths[i]) : fmt::format("{:>{}}", row[i], widths[i]);
    }
    line.erase(line.find_last_not_of(' ') + 1);
    text += line + "\n";
  }
  return text;
}

}  // namespace rtmc::driver
