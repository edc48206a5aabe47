#include "ir/index_runs.h"

#include <doctest/doctest.h>

#include <numeric>

using namespace rtmc::ir;

TEST_CASE("runs of places, and what their copies cost") {
  CHECK(indexRuns({}).empty());
  const std::vector<uint32_t> places{7, 8, 9, 4, 5, 5, 0, 9};
  const std::vector<IndexRun> runs = indexRuns(places);
  CHECK(runs == std::vector<IndexRun>{{0, 7, 3}, {3, 4, 2}, {5, 5, 1}, {6, 0, 1}, {7, 9, 1}});
  CHECK(copyCost(runs, 4) == 2 + 2 + 1 + 1 + 1);
  CHECK(copyCost(runs, 2) == 3 + 2 + 1 + 1 + 1);  // three elements: two copies would cost more
  CHECK(copyCost(runs, 1) == 8);
}

TEST_CASE("copies pay in long runs only, and if they are not too many") {
  std::vector<uint32_t> places(600);
  std::iota(places.begin(), places.end(), 3u);
  CHECK(copiesPay(indexRuns(places), 16));
  CHECK_FALSE(copiesPay(indexRuns(places), 1));
  CHECK_FALSE(copiesPay({}, 16));
  std::vector<uint32_t> pairs, fours;
  for (uint32_t i = 0; i < 600; ++i) pairs.push_back(i + i / 2), fours.push_back(i + i / 4);
  CHECK_FALSE(copiesPay(indexRuns(pairs), 16));
  CHECK(copiesPay(indexRuns(fours), 16));
  while (fours.size() < 2000) fours.push_back(static_cast<uint32_t>(fours.size() + fours.size() / 4));
  CHECK_FALSE(copiesPay(indexRuns(fours), 16));
}

TEST_CASE("what is written to places costs nothing in one run, and an element each where copies do not pay") {
  std::vector<uint32_t> one(40), apart(40), two(40);
  for (uint32_t i = 0; i < 40; ++i) one[i] = 5 + i, apart[i] = 3 * i, two[i] = i < 20 ? i : i + 7;
  CHECK(scatterCost({}, 16) == 0);
  CHECK(scatterCost(one, 16) == 0);
  CHECK(scatterCost(apart, 16) == 40);
  CHECK(scatterCost(two, 16) == 8);  // two copies for each run
  CHECK(scatterCost(two, 1) == 40);
}
