#include "backend/unroll_budget.h"

#include "backend/identifiers.h"
#include "backend/kernels.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <vector>

namespace rtmc::backend {
namespace {

using ir::Packed;
using ir::TileRun;
using ir::TileShape;
using ir::Unroll;

/// `tile`: kernels for so many entry counts per matrix, and so many entries; other runs use the looped kernel.
constexpr size_t kTileCounts = 12;
constexpr uint32_t kTileEntries = 256;
/// `tile` may use this part of the budget that `full` has.
constexpr uint64_t kTileBudgetShare = 4;
/// `auto` unrolls tiles of programs whose weights are no larger than this.
constexpr uint64_t kTinyBytes = 24 << 10;

uint64_t fullBytes(const Packed &packed) {
  uint64_t bytes = 0;
  for (const TileRun &run : packed.runs) {
    const TileShape &shape = packed.shapes[run.shape];
    bytes += fullSourceBytes(shape, packed.precision, run.entries) * (shape.gather ? run.tiles : 1);
  }
  return bytes;
}

}  // namespace

UnrollBudget::UnrollBudget(uint64_t textBytes, uint64_t programBytes)
    : textBytes_(textBytes), full_(textBytes), tile_(textBytes / kTileBudgetShare), programBytes_(programBytes) {}

Unroll UnrollBudget::resolve(const ir::Weights &weights, Diagnostics &diagnostics) {
  switch (weights.schedule.unroll) {
    case Unroll::None:
    case Unroll::Tile:
      return weights.schedule.unroll;
    case Unroll::Auto:
      return programBytes_ <= kTinyBytes ? Unroll::Tile : Unroll::None;
    case Unroll::Full:
      break;
  }
  const uint64_t bytes = fullBytes(*weights.packed);
  if (bytes > full_) {
    diagnostics.note("unroll-refused", {},
                     fmt::format("full unrolling of '{}' would make {} KB of text where {} KB of the budget are left; "
                                 "its tiles are unrolled instead",
                                 commentText(weights.name), (bytes + 1023) / 1024, full_ / 1024));
    return Unroll::Tile;
  }
  full_ -= bytes;
  return Unroll::Full;
}

EntryCounts UnrollBudget::tileCounts(const Packed &packed) {
  std::map<std::pair<uint32_t, uint32_t>, uint64_t> work;
  for (const TileRun &run : packed.runs) {
    if (run.entries <= kTileEntries) work[{run.shape, run.entries}] += uint64_t{run.tiles} * run.entries;
  }
  std::vector<std::pair<uint64_t, std::pair<uint32_t, uint32_t>>> ranked;
  for (const auto &[key, amount] : work) ranked.push_back({amount, key});
  std::sort(ranked.begin(), ranked.end(),
            [](const auto &a, const auto &b) { return a.first != b.first ? a.first > b.first : a.second < b.second; });
  EntryCounts out;
  for (size_t i = 0; i < std::min(kTileCounts, ranked.size()); ++i) {
    const auto &[shape, entries] = ranked[i].second;
    const uint64_t bytes = fullSourceBytes(packed.shapes[shape], packed.precision, entries);
    if (bytes > tile_) continue;
    tile_ -= bytes;
    out.insert(ranked[i].second);
  }
  return out;
}

}  // namespace rtmc::backend
