#include "ir/index_runs.h"

#include <algorithm>

namespace rtmc::ir {

std::vector<IndexRun> indexRuns(std::span<const uint32_t> places) {
  std::vector<IndexRun> runs;
  for (uint32_t i = 0; i < places.size(); ++i) {
    if (!runs.empty() && places[i] == places[i - 1] + 1)
      ++runs.back().count;
    else
      runs.push_back({i, places[i], 1});
  }
  return runs;
}

double copyCost(std::span<const IndexRun> runs, uint32_t lanes) {
  constexpr double kCopy = 2;
  double cost = 0;
  for (const IndexRun &run : runs) cost += std::min(double(run.count), kCopy * ((run.count + lanes - 1) / lanes));
  return cost;
}

bool copiesPay(std::span<const IndexRun> runs, uint32_t lanes) {
  constexpr double kGain = 2.0 / 3;
  constexpr size_t kMostRuns = 256;
  if (runs.empty() || runs.size() > kMostRuns) return false;
  const uint32_t elements = runs.back().first + runs.back().count;
  return copyCost(runs, lanes) <= kGain * elements;
}

double scatterCost(std::span<const uint32_t> places, uint32_t lanes) {
  const std::vector<IndexRun> runs = indexRuns(places);
  if (runs.size() <= 1) return 0;
  return copiesPay(runs, lanes) ? copyCost(runs, lanes) : static_cast<double>(places.size());
}

}  // namespace rtmc::ir
