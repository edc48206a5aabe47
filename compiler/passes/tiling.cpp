#include "passes/tiling.h"

#include <algorithm>
#include <bit>
#include <numeric>

namespace rtmc::passes {

using namespace ir;

uint32_t paddedEntries(Precision precision, uint32_t entries) {
  return precision == Precision::BF16 ? (entries + 1) / 2 * 2 : entries;
}

namespace {

/// Vectors that the last tile of a group may have more than a full one.
constexpr uint32_t kVectorsMore = 2;

}  // namespace

std::vector<TileShape> shapesOf(const Schedule &schedule, const TargetTraits &target) {
  std::vector<TileShape> shapes;
  TileShape shape;
  shape.lanes = schedule.lanes.lanes;
  shape.width = schedule.lanes.width;
  if (schedule.lanes.gather) {
    shape.gather = shape.indexed = true;
    return {shape};
  }
  const uint32_t rowsPerVector = schedule.lanes.rows();
  uint32_t vectors = std::max(1u, schedule.shareLoads ? schedule.tile / rowsPerVector : 1u);
  // Their sums stay in the registers of a target that has many.
  if (vectors == 4 && shape.width == 1 && target.registers >= 32 && schedule.accumulate == Accumulate::F32)
    for (shape.vectors = vectors + kVectorsMore; shape.vectors > vectors; --shape.vectors) shapes.push_back(shape);
  for (; vectors >= 1; vectors = vectors == 4 ? 3 : vectors == 3 ? 2 : vectors / 2) {
    shape.vectors = vectors;
    shapes.push_back(shape);
  }
  if (shape.width == 1 && target.lanes > 1) {
    shape.vectors = 1;
    for (shape.lanes /= 2; shape.lanes >= 4; shape.lanes /= 2) shapes.push_back(shape);
  }
  return shapes;
}

bool halfLastVector(const TileShape &shape, uint32_t rows) {
  if (!shape.partial || shape.gather || shape.width > 1 || shape.vectors < 2 || shape.lanes < 8) return false;
  return rows <= (shape.vectors - 1) * shape.lanes + shape.lanes / 2;
}

namespace {

/// Of schedules: the largest shape that may be repeated. Larger ones, of no power of two, hold a group's last rows.
const TileShape &fullTile(const std::vector<TileShape> &shapes) {
  return *std::find_if(shapes.begin(), shapes.end(), [](const auto &s) { return std::has_single_bit(s.vectors); });
}

/// Time of a vector of fewer lanes than the target has, in times of a whole one.
constexpr double kNarrowVector = 0.65;

/// Times that an entry takes, in those of one whole vector.
double vectorsOf(const TileShape &shape, uint32_t fullLanes, bool halfLast) {
  if (shape.lanes < fullLanes) return kNarrowVector * shape.vectors;
  return halfLast ? shape.vectors - 1 + kNarrowVector : shape.vectors;
}

/// Sums across lanes are halved until each row has one: per vector and halving.
constexpr double kHalvingNs = 0.5;

/// What a tile costs before it is known how many entries it has, in times of one whole vector: measured with 50 to 100
/// entries, a tile's start weighs about as much as one of its vectors, and a narrow vector two thirds of a whole one.
double weightOf(const TileShape &shape, uint32_t fullLanes, bool halfLast) {
  return 1.1 + vectorsOf(shape, fullLanes, halfLast);
}

using Rows = std::vector<uint32_t>;

Rows slice(const Rows &rows, size_t begin, size_t end) {
  return {rows.begin() + static_cast<ptrdiff_t>(begin), rows.begin() + static_cast<ptrdiff_t>(end)};
}

/// Cuts of n consecutive rows, n at most the largest tile: the cheapest sequence of whole tiles and a last partial one.
class RestTable {
 public:
  explicit RestTable(const std::vector<TileShape> &shapes) : shapes_(shapes) {
    const uint32_t most = shapes.front().rows();
    best_.assign(most + 1, {});
    for (uint32_t n = 1; n <= most; ++n)
      for (uint32_t i = 0; i < shapes.size(); ++i) {
        TileShape shape = shapes[i];
        const uint32_t taken = std::min(n, shape.rows());
        shape.partial = taken < shape.rows();
        const double cost = weightOf(shape, shapes.front().lanes, halfLastVector(shape, taken)) + best_[n - taken].cost;
        if (best_[n].cost == 0 || cost < best_[n].cost) best_[n] = {cost, i};
      }
  }
  const TileShape &first(uint32_t n) const { return shapes_[best_[n].shape]; }

 private:
  struct Choice {
    double cost = 0;
    uint32_t shape = 0;
  };
  const std::vector<TileShape> &shapes_;
  std::vector<Choice> best_;
};

/// Rows of a partial tile are stored in steps that keep more loads inside a cache line, where that adds at most this
/// part of them: measured at 103x, 3 to 6 % of a step.
constexpr uint32_t kPaddedPart = 5;

void makePartial(TileShape &shape, size_t rows) {
  shape.partial = true;
  if (shape.gather || shape.width > 1) return;
  // Rows that half of the last vector holds need no more.
  const uint32_t most = halfLastVector(shape, static_cast<uint32_t>(rows)) ? shape.lanes / 2 : shape.lanes;
  for (const uint32_t step : {16u, 8u, 4u})
    if (most % step == 0 && (step - rows % step) % step * kPaddedPart <= rows) {
      shape.rowStep = step;
      return;
    }
}

/// Shorter runs of rows are gathered into indexed tiles where there are several.
constexpr size_t kShortRun = 8;

struct Cutter {
  const std::vector<TileShape> &shapes;
  std::vector<RowTiles> out;

  uint32_t vectorRows() const { return shapes.front().lanes / shapes.front().width; }

  void consecutive(const Rows &rows, size_t begin, const TileShape &shape, size_t tiles) {
    out.push_back({shape, static_cast<uint32_t>(tiles), slice(rows, begin, begin + tiles * shape.rows())});
  }

  /// All of consecutive rows [begin, end), the last tile perhaps partial.
  void wholeRun(const Rows &rows, size_t begin, size_t end) {
    const TileShape &full = fullTile(shapes);
    size_t tiles = (end - begin) / full.rows();
    // The last full tile may take the rows behind it in.
    if (tiles && end - begin > tiles * full.rows() && end - begin - (tiles - 1) * full.rows() <= shapes.front().rows())
      --tiles;
    if (tiles) {
      consecutive(rows, begin, full, tiles);
      begin += tiles * full.rows();
    }
    if (begin == end) return;
    const RestTable table(shapes);
    while (begin < end) {
      TileShape shape = table.first(static_cast<uint32_t>(end - begin));
      const size_t next = std::min(end, begin + shape.rows());
      if (next - begin < shape.rows()) makePartial(shape, next - begin);
      out.push_back({shape, 1, slice(rows, begin, next)});
      begin = next;
    }
  }

  /// Whole vectors of consecutive rows [begin, end); returns where they end.
  size_t wholeVectors(const Rows &rows, size_t begin, size_t end) {
    const TileShape &full = fullTile(shapes);
    for (const TileShape &shape : shapes)
      if (const size_t tiles = (end - begin) / shape.rows();
          tiles && shape.lanes == full.lanes && shape.rows() <= full.rows()) {
        consecutive(rows, begin, shape, tiles);
        begin += tiles * shape.rows();
      }
    return begin;
  }

  /// Any rows: whole vectors, then the narrowest one that holds the rest.
  void indexed(const Rows &rows) {
    const uint32_t vector = shapes.front().gather ? shapes.front().rows() : vectorRows();
    for (size_t begin = 0; begin < rows.size(); begin += vector) {
      const size_t end = std::min(rows.size(), begin + vector);
      TileShape shape = shapes.front();
      shape.vectors = 1;
      shape.indexed = true;
      for (const TileShape &narrow : shapes)
        if (narrow.vectors == 1 && narrow.rows() >= end - begin) shape.lanes = std::min(shape.lanes, narrow.lanes);
      if (shape.lanes >= 4 && end - begin < shape.rows()) makePartial(shape, end - begin);
      out.push_back({shape, 1, slice(rows, begin, end)});
    }
  }
};

}  // namespace

std::vector<RowTiles> cutRows(const std::vector<uint32_t> &rows, const std::vector<TileShape> &shapes) {
  if (rows.empty()) return {};
  Cutter cutter{shapes, {}};
  const TileShape &full = shapes.front();
  if (full.gather) {
    cutter.indexed(rows);
    return std::move(cutter.out);
  }
  const bool partial = full.lanes >= 4;  // kernels that store a part of their last vector
  Rows scattered;
  for (size_t begin = 0; begin < rows.size();) {
    size_t end = begin + 1;
    while (end < rows.size() && rows[end] == rows[end - 1] + 1) ++end;
    const bool alone = begin == 0 && end == rows.size();
    if (partial && (alone || end - begin >= kShortRun)) {
      cutter.wholeRun(rows, begin, end);
    } else {
      const size_t stopped = cutter.wholeVectors(rows, begin, end);
      scattered.insert(scattered.end(), rows.begin() + static_cast<ptrdiff_t>(stopped),
                       rows.begin() + static_cast<ptrdiff_t>(end));
    }
    begin = end;
  }
  cutter.indexed(scattered);
  return std::move(cutter.out);
}

CostModel::CostModel(const Machine &machine, const TargetTraits &target, Precision precision, Accumulate accumulate,
                     uint64_t footprint)
    : machine_(machine), bytes_(bytesOf(precision)), gbps_(std::max(1e-3, machine.readGbps(footprint))) {
  double macsPerNs = machine.fmaGops32;
  if (precision == Precision::BF16 && machine.convertGopsBf16 > 0) macsPerNs = machine.convertGopsBf16;
  if (precision == Precision::F16 && machine.convertGopsF16 > 0) macsPerNs = machine.convertGopsF16;
  if (accumulate == Accumulate::F16x4 && machine.fmaGopsHalf > 0) macsPerNs = machine.fmaGopsHalf;
  if (macsPerNs <= 0) macsPerNs = 2.0 * target.lanes;
  vectorOpsPerNs_ = macsPerNs / std::max(1u, target.lanes);
  fullLanes_ = target.lanes;
}

double CostModel::tileNs(const TileShape &shape, uint32_t tiles, uint32_t entries, uint32_t rows) const {
  const double loadsPerNs = machine_.loadsPerNs > 0 ? machine_.loadsPerNs : 4;
  const double values = double(valuesPerEntry(shape, rows)) * entries;
  const double vectorOps = vectorsOf(shape, fullLanes_, halfLastVector(shape, rows)) * entries;
  // A broadcast and an index load per entry; a gather loads an index and an element per lane.
  const double xLoads = shape.gather ? 2.0 * shape.lanes * entries : (shape.denseColumns ? 1.0 : 1.6) * entries;
  const double loads = vectorOps * (bytes_ == 2 ? 0.5 : 1.0) + xLoads;
  const double busy = std::max(vectorOps / vectorOpsPerNs_, loads / loadsPerNs);
  double fixed = machine_.tileNs;
  if (shape.width > 1) fixed += kHalvingNs * std::bit_width(shape.width - 1) * shape.vectors;
  const double scatter = shape.indexed ? machine_.scatterNs * rows : 0;
  return tiles * (std::max(busy, values * bytes_ / gbps_) + fixed) + scatter;
}

double CostModel::groupNs(const RowGroup &group, const std::vector<TileShape> &shapes) const {
  std::vector<uint32_t> rows(group.rows.size());
  std::iota(rows.begin(), rows.end(), 0u);
  double ns = 0;
  for (const RowTiles &tiles : cutRows(rows, shapes))
    ns += tileNs(tiles.shape, tiles.tiles, static_cast<uint32_t>(group.columns.size()),
                 static_cast<uint32_t>(tiles.rows.size()));
  return ns;
}

IndexWidth indexWidthFor(uint32_t size) {
  return size <= 256 ? IndexWidth::U8 : size <= (1u << 16) ? IndexWidth::U16 : IndexWidth::U32;
}

uint64_t loadsOf(const TileShape &shape, uint32_t tiles, uint32_t entries) {
  return uint64_t(tiles) * entries * (shape.gather ? shape.lanes : shape.width);
}

uint64_t estimatedFootprint(const Program &program) {
  uint64_t bytes = 0;
  for (const Weights &weights : program.weights) bytes += weights.nonzeros * bytesOf(weights.schedule.precision);
  return bytes;
}

}  // namespace rtmc::passes
