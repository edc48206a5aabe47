#include "passes/pack.h"

#include "passes/piece_order.h"
#include "passes/row_groups.h"
#include "support/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <map>

namespace rtmc::passes {

using namespace ir;

uint32_t packBfloatPair(float even, float odd) {
  const uint32_t low = floatToBfloat(even);
  if (odd == 0) return low;
  const uint32_t bits = std::bit_cast<uint32_t>(odd);
  const uint32_t sign = bits & 0x80000000u;
  const double magnitude = std::abs(static_cast<double>(odd));
  // Nearest in bits is nearest in value but for odd weights next to a power of two, where the distance between words
  // changes: the neighbours are asked too.
  const int64_t guess = (int64_t(bits & 0x7fffffffu) - int64_t(low) + 0x8000) >> 16;
  uint32_t best = 0;
  double least = magnitude;  // of a high half that is 0: kernels flush such a word to zero
  for (int64_t high = std::max<int64_t>(1, guess - 1); high <= std::min<int64_t>(0x7f7f, guess + 1); ++high) {
    const uint32_t word = (static_cast<uint32_t>(high) << 16) | low;
    const double error = std::abs(static_cast<double>(std::bit_cast<float>(word)) - magnitude);
    if (error < least) least = error, best = word;
  }
  return best == 0 ? low : sign | best;
}

namespace {

struct Packer {
  Weights &w;
  const Phase &phase;
  const Program &program;
  Packed packed;
  std::map<const RowGroup *, uint32_t> columnOf;  // where a group's columns start in the table
  const RowGroup *lastGroup = nullptr;            // of the run that was begun last

  uint32_t shareOfRow(uint32_t row) const {
    const uint32_t unit = w.rowSpace == phase.domain ? row : program.spaces[w.rowSpace].order[row];
    const auto after = std::upper_bound(phase.cuts.begin(), phase.cuts.end(), unit);
    return static_cast<uint32_t>(after - phase.cuts.begin()) - 1;
  }

  uint32_t shapeIndex(const TileShape &shape) {
    for (uint32_t i = 0; i < packed.shapes.size(); ++i)
      if (packed.shapes[i] == shape) return i;
    packed.shapes.push_back(shape);
    return static_cast<uint32_t>(packed.shapes.size() - 1);
  }

  float valueAt(uint32_t row, uint32_t column) const {
    const auto first = w.columnIndex.begin() + w.rowBegin[row], last = w.columnIndex.begin() + w.rowBegin[row + 1];
    const auto found = std::lower_bound(first, last, column);
    return found != last && *found == column ? w.values[static_cast<size_t>(found - w.columnIndex.begin())] : 0.0f;
  }

  /// Value of one slot (vector * lanes + lane) for one entry; zero in padding.
  float slotValue(const Piece &piece, uint32_t tile, uint32_t entry, uint32_t slot) const {
    const TileShape &shape = piece.tiles.shape;
    const size_t index = size_t(tile) * shape.rows() + slot / shape.width;
    if (index >= piece.tiles.rows.size()) return 0;
    const uint32_t row = piece.tiles.rows[index];
    if (shape.gather) {
      const uint32_t at = w.rowBegin[row] + entry;
      return at < w.rowBegin[row + 1] ? w.values[at] : 0.0f;
    }
    if (entry >= piece.group->columns.size()) return 0;
    const std::vector<uint32_t> &columns = piece.group->columns;
    const uint32_t column = columns[entry] + slot % shape.width;
    const bool taken = entry > 0 && column < columns[entry - 1] + shape.width;  // by the block before it
    return taken ? 0.0f : valueAt(row, column);
  }

  template <typename T>
  void append(T value) {
    const size_t at = packed.values.size();
    packed.values.resize(at + sizeof(T));
    std::memcpy(packed.values.data() + at, &value, sizeof(T));
  }

  void appendValues(const Piece &piece, uint32_t entries) {
    const TileShape &shape = piece.tiles.shape;
    const uint32_t step = packed.precision == Precision::BF16 ? 2 : 1;
    const uint64_t slots = valuesPerEntry(shape, static_cast<uint32_t>(piece.tiles.rows.size()));
    for (uint32_t tile = 0; tile < piece.tiles.tiles; ++tile)
      for (uint32_t entry = 0; entry < entries; entry += step)
        for (uint32_t slot = 0; slot < slots; ++slot) {
          const float value = slotValue(piece, tile, entry, slot);
          if (packed.precision == Precision::F32) append(value);
          if (packed.precision == Precision::F16) append(floatToHalf(value));
          if (packed.precision == Precision::BF16)
            append(packBfloatPair(value, slotValue(piece, tile, entry + 1, slot)));
        }
  }

  /// Widest first needs no gaps; sums that keep their order across groups may leave some.
  uint64_t alignValues(uint64_t alignment) {
    packed.values.resize((packed.values.size() + alignment - 1) / alignment * alignment);
    return packed.values.size();
  }

  uint32_t appendColumns(const Piece &piece, uint32_t entries) {
    if (piece.tiles.shape.gather) {
      const uint32_t at = static_cast<uint32_t>(packed.columnTable.size());
      const uint64_t lanes = valuesPerEntry(piece.tiles.shape, static_cast<uint32_t>(piece.tiles.rows.size()));
      for (uint32_t entry = 0; entry < entries; ++entry)
        for (uint32_t lane = 0; lane < lanes; ++lane) {
          uint32_t column = 0;
          if (lane < piece.tiles.rows.size()) {
            const uint32_t row = piece.tiles.rows[lane], i = w.rowBegin[row] + entry;
            if (i < w.rowBegin[row + 1]) column = w.columnIndex[i];
          }
          packed.columnTable.push_back(column);
        }
      return at;
    }
    const auto [known, added] = columnOf.try_emplace(piece.group, static_cast<uint32_t>(packed.columnTable.size()));
    if (added) {
      const std::vector<uint32_t> &columns = piece.group->columns;
      packed.columnTable.insert(packed.columnTable.end(), columns.begin(), columns.end());
      // A padding entry reads the last column again, with zero weights.
      for (size_t i = columns.size(); i < entries; ++i) packed.columnTable.push_back(columns.back());
    }
    return known->second;
  }

  /// A tile of listed rows goes on where the run before it ended: equal shape and length, whole tiles so far, and the
  /// same columns unless each tile has its own. One descriptor and one loop then.
  bool continuesRun(const Piece &piece, uint32_t shape, uint32_t entries) const {
    if (!piece.tiles.shape.indexed || piece.tiles.shape.partial || packed.runs.size() == packed.shareBegin.back())
      return false;
    const TileRun &last = packed.runs.back();
    if (last.shape != shape || last.entries != entries) return false;
    return last.rows == last.tiles * piece.tiles.shape.rows() && (piece.tiles.shape.gather || piece.group == lastGroup);
  }

  void appendPiece(const Piece &piece) {
    const uint32_t shape = shapeIndex(piece.tiles.shape);
    const uint32_t entries = paddedEntries(packed.precision, entriesOf(w, *piece.group));
    if (continuesRun(piece, shape, entries)) {
      TileRun &last = packed.runs.back();
      last.tiles += piece.tiles.tiles;
      last.rows += static_cast<uint32_t>(piece.tiles.rows.size());
      packed.rowTable.insert(packed.rowTable.end(), piece.tiles.rows.begin(), piece.tiles.rows.end());
      if (piece.tiles.shape.gather) appendColumns(piece, entries);
      appendValues(piece, entries);
      return;
    }
    lastGroup = piece.group;
    TileRun run;
    run.shape = shape;
    run.tiles = piece.tiles.tiles;
    run.rows = static_cast<uint32_t>(piece.tiles.rows.size());
    run.row = piece.tiles.rows.front();
    if (piece.tiles.shape.indexed) {
      run.row = static_cast<uint32_t>(packed.rowTable.size());
      packed.rowTable.insert(packed.rowTable.end(), piece.tiles.rows.begin(), piece.tiles.rows.end());
    }
    run.entries = entries;
    run.column = piece.tiles.shape.denseColumns ? piece.group->columns.front() : appendColumns(piece, run.entries);
    run.value = alignValues(valueAlignment(piece.tiles.shape, packed.precision));
    appendValues(piece, run.entries);
    packed.runs.push_back(run);
  }

  /// What kernels read behind the last values and columns of the share that was packed last.
  void appendSurplus() {
    uint64_t values = packed.values.size(), columns = packed.columnTable.size();
    for (uint32_t i = *(packed.shareBegin.end() - 2); i < packed.runs.size(); ++i) {
      const TileRun &run = packed.runs[i];
      const TileShape &shape = packed.shapes[run.shape];
      values = std::max(values, packed.readEndOf(run));
      if (!shape.gather) continue;
      const uint64_t ofTile = run.entries * valuesPerEntry(shape, run.rows);
      columns = std::max(columns, run.column + run.tiles * ofTile + surplusValues(shape, run.rows));
    }
    packed.values.resize(values);
    packed.columnTable.resize(columns);
  }

  /// Gathered rows are grouped again inside each share, so that a share's tiles stay full.
  void regroupGathered() {
    if (!w.schedule.lanes.gather || program.shares == 1) return;
    std::vector<RowGroup> groups;
    for (uint32_t share = 0; share < program.shares; ++share) {
      std::vector<uint32_t> rows;
      for (uint32_t row = 0; row < w.rows; ++row)
        if (shareOfRow(row) == share) rows.push_back(row);
      for (RowGroup &group : groupGather(w, std::move(rows), w.schedule.lanes.lanes))
        groups.push_back(std::move(group));
    }
    w.groups = std::move(groups);
  }

  std::vector<Piece> piecesOf(uint32_t share) const {
    std::vector<Piece> pieces;
    for (const RowGroup &group : w.groups) {
      std::vector<uint32_t> rows;
      for (uint32_t row : group.rows)
        if (shareOfRow(row) == share) rows.push_back(row);
      for (RowTiles &tiles : cutRows(rows, w.tiles)) {
        tiles.shape.denseColumns = consecutiveColumns(w, group);
        pieces.push_back({&group, std::move(tiles)});
      }
    }
    orderPieces(w, pieces);
    return pieces;
  }

  void run() {
    packed.precision = w.schedule.precision;
    packed.columnWidth = columnWidthOf(w);
    packed.rowWidth = indexWidthFor(w.rows);
    regroupGathered();
    packed.shareBegin.push_back(0);
    for (uint32_t share = 0; share < program.shares; ++share) {
      alignValues(64);
      for (const Piece &piece : piecesOf(share)) appendPiece(piece);
      packed.shareBegin.push_back(static_cast<uint32_t>(packed.runs.size()));
      appendSurplus();
    }
  }
};

/// Weights that the storage precision cannot hold.
bool checkRange(const Weights &w, Diagnostics &diagnostics) {
  if (w.schedule.precision == Precision::F32) return true;
  for (uint32_t row = 0; row < w.rows; ++row)
    for (uint32_t i = w.rowBegin[row]; i < w.rowBegin[row + 1]; ++i) {
      if (std::isfinite(roundTo(w.schedule.precision, w.values[i]))) continue;
      diagnostics.error("weight-overflow", w.where,
                        fmt::format("a weight of '{}' is {}; {} holds at most {}", w.name, w.values[i],
                                    precisionName(w.schedule.precision),
                                    w.schedule.precision == Precision::F16 ? "65504" : "3.39e38"));
      return false;
    }
  return true;
}

}  // namespace

bool Pack::run(Module &module, Context &context) {
  RTMC_CHECK(module.program, "pack needs a program");
  Program &program = *module.program;
  bool good = true;
  for (const Weights &w : program.weights) good &= checkRange(w, *context.diagnostics);
  if (!good) return false;
  program.loads.after = 0;
  for (Section &section : program.sections)
    for (Phase &phase : section.phases)
      for (Operation &operation : phase.ops) {
        auto *product = std::get_if<MatMul>(&operation);
        if (!product) continue;
        Weights &w = program.weights[product->weights];
        Packer packer{w, phase, program, {}, {}, nullptr};
        packer.run();
        for (const TileRun &run : packer.packed.runs)
          program.loads.after += loadsOf(packer.packed.shapes[run.shape], run.tiles, run.entries);
        w.packed = std::move(packer.packed);
        w.rowBegin = {};
        w.columnIndex = {};
        w.values = {};
        w.groups = {};
      }
  return true;
}

}  // namespace rtmc::passes
