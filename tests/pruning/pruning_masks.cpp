// pruning_masks: the C++ projections as a filter, for the comparison with numpy's. Reads cases from stdin, each a line
//   project|step1|budget:RATE COUNT
// and COUNT matrices, each a line
//   SCHEME ROWS COLUMNS RATE COLUMN_RATE ROW_RATE BLOCK_ROWS BLOCK_COLUMNS BOUNDED     ("-": not given)
// followed by its float32 values; writes one byte per weight of each, in order.
#include "pruning/budget.h"
#include "pruning/project.h"

#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <sstream>
#include <string>
#include <vector>

namespace {

using namespace rtmc::pruning;

[[noreturn]] void fail(const std::string &why) {
  std::cerr << "pruning_masks: " << why << "\n";
  std::exit(1);
}

struct Given {
  Projection projection;
  uint32_t rows = 0, columns = 0;
  std::vector<float> values;
  Matrix matrix() const { return {values, rows, columns}; }
};

std::optional<Rate> rateOf(const std::string &text) {
  if (text == "-") return std::nullopt;
  std::string complaint;
  const auto rate = parseRate(text, complaint);
  if (!rate) fail("the rate " + complaint);
  return rate;
}

Given readMatrix() {
  std::string line;
  if (!std::getline(std::cin, line)) fail("a matrix is missing");
  std::istringstream words(line);
  std::string scheme, rate, columnRate, rowRate, blockRows, blockColumns, bounded;
  Given given;
  words >> scheme >> given.rows >> given.columns >> rate >> columnRate >> rowRate >> blockRows >> blockColumns >>
      bounded;
  const auto parsed = parseScheme(scheme);
  if (!words || !parsed) fail("not a matrix: " + line);
  Projection &p = given.projection;
  p.scheme = *parsed;
  p.rate = rateOf(rate), p.columnRate = rateOf(columnRate), p.rowRate = rateOf(rowRate), p.bounded = rateOf(bounded);
  if (blockRows != "-")
    p.block = {static_cast<uint32_t>(std::stoul(blockRows)), static_cast<uint32_t>(std::stoul(blockColumns))};
  for (const std::string &wrong : {complaint(p), complaint(p, given.rows, given.columns)})
    if (!wrong.empty()) fail(wrong);
  given.values.resize(size_t{given.rows} * given.columns);
  const auto bytes = static_cast<std::streamsize>(given.values.size() * sizeof(float));
  if (!std::cin.read(reinterpret_cast<char *>(given.values.data()), bytes)) fail("values are missing");
  return given;
}

}  // namespace

int main() {
  std::ios::sync_with_stdio(false);
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::string what;
    size_t count = 0;
    if (!(words >> what >> count)) fail("not a case: " + line);
    std::vector<Given> matrices;
    for (size_t i = 0; i < count; ++i) matrices.push_back(readMatrix());
    Budget budget;
    const bool shared = what.starts_with("budget:");
    if (shared) {
      for (const Given &given : matrices) budget.add(given.matrix(), given.projection);
      budget.settle(*rateOf(what.substr(7)));
    }
    for (size_t i = 0; i < count; ++i) {
      const Given &given = matrices[i];
      std::vector<uint8_t> mask(given.values.size());
      if (shared)
        budget.project(i, given.matrix(), given.projection, mask);
      else if (what == "step1")
        projectStep1(given.matrix(), given.projection, mask);
      else
        project(given.matrix(), given.projection, mask);
      std::cout.write(reinterpret_cast<const char *>(mask.data()), static_cast<std::streamsize>(mask.size()));
    }
  }
  return std::cout.flush() ? 0 : 1;
}
