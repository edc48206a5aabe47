// Owns: columns of text that line up. Titles that start with '<' are left-aligned, as is the first column.
#pragma once

#include <string>
#include <vector>

namespace rtmc::driver {

class Table {
 public:
  explicit Table(std::vector<std::string> titles);
  void add(std::vector<std::string> cells) { rows_.push_back(std::move(cells)); }
  std::string text() const;

 private:
  std::vector<bool> left_;
  std::vector<std::vector<std::string>> rows_;
};

}  // namespace rtmc::driver
