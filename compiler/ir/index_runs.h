// Owns: a table of places seen as runs of consecutive ones, and what it costs to copy them. Refuses to own: who copies
// (the backend), and which order makes runs long (reorder-rows).
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace rtmc::ir {

/// Entries [first, first + count) lie at places [place, place + count).
struct IndexRun {
  uint32_t first = 0, place = 0, count = 0;
  bool operator==(const IndexRun &) const = default;
};

/// The longest runs, in the order of the table; an empty table has none.
std::vector<IndexRun> indexRuns(std::span<const uint32_t> places);

/// Of writing the runs with copies of at most `lanes` elements, in elements written one by one through the table. A
/// vector's load and store take as long as two of those (Zen 5: 0.4 ns against 0.2).
double copyCost(std::span<const IndexRun> runs, uint32_t lanes);

/// A third less than writing the elements one by one, and few enough copies to stand in a program one after the other.
bool copiesPay(std::span<const IndexRun> runs, uint32_t lanes);

/// Of writing values to these places as the backend does it, in elements: nothing where they are one run.
double scatterCost(std::span<const uint32_t> places, uint32_t lanes);

}  // namespace rtmc::ir
