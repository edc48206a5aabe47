#include "backend/kernels.h"

#include "backend/kernel_text.h"
#include "support/check.h"

#include <fmt/format.h>

namespace rtmc::backend {

using ir::IndexWidth;
using ir::TileShape;
using ir::Unroll;

namespace {

bool straight(const KernelOptions &options) {
  return options.unroll == Unroll::Tile || options.unroll == Unroll::Full;
}

}  // namespace

uint32_t stepsAtOnce(const TileShape &shape, ir::Accumulate accumulate, Chunk chunk) {
  if (chunk == Chunk::None || shape.indexed || shape.gather || accumulate != ir::Accumulate::F32) return 1;
  if (chunk == Chunk::SumBySum && shape.width > 1) return 1;
  return shape.vectors == 1 || chunk == Chunk::SumBySum ? 4 : 2;
}

std::string kernelFunctionName(const TileShape &shape, Precision precision, ir::Accumulate accumulate,
                               IndexWidth columnWidth, IndexWidth rowWidth, const KernelOptions &options) {
  std::string name = ir::kernelName(precision, accumulate, shape, straight(options) ? Unroll::Tile : Unroll::None);
  if (options.halfLast) name += "_h";
  if (!shape.denseColumns) name += fmt::format("_c{}", 8 * bytesOf(columnWidth));
  if (shape.indexed) name += fmt::format("_r{}", 8 * bytesOf(rowWidth));
  if (straight(options)) name += fmt::format("_e{}", options.entries);
  if (options.chunk != Chunk::None) name += fmt::format("_s{}", stepsAtOnce(shape, accumulate, options.chunk));
  if (options.chunk == Chunk::SumBySum) name += 'o';
  return name;
}

std::string kernelSource(const TileShape &shape, Precision precision, ir::Accumulate accumulate, IndexWidth columnWidth,
                         IndexWidth rowWidth, const KernelOptions &options) {
  KernelPlan plan;
  plan.name = kernelFunctionName(shape, precision, accumulate, columnWidth, rowWidth, options);
  plan.shape = shape;
  plan.precision = precision;
  plan.accumulate = accumulate;
  plan.columnWidth = columnWidth;
  plan.rowWidth = rowWidth;
  plan.registers = options.registers;
  plan.halfLast = options.halfLast;
  if (straight(options)) plan.entries = options.entries;
  if (options.chunk != Chunk::None) {
    plan.steps = stepsAtOnce(shape, accumulate, options.chunk);
    plan.sumBySum = options.chunk == Chunk::SumBySum;
    RTMC_CHECK(plan.steps > 1, "a shape whose steps are multiplied together");
    RTMC_CHECK(!plan.sumBySum || !straight(options), "a kernel that goes sum by sum has a loop");
    const auto nameOf = [&](Chunk chunk) {
      KernelOptions rest = options;
      rest.chunk = chunk;
      return kernelFunctionName(shape, precision, accumulate, columnWidth, rowWidth, rest);
    };
    plan.single = nameOf(Chunk::None);
    if (plan.sumBySum) plan.several = nameOf(Chunk::AllSums);
  }
  return kernelText(plan);
}

uint32_t joinedRuns(const TileShape &shape, Precision precision, ir::Accumulate accumulate, IndexWidth columnWidth,
                    uint32_t registers) {
  if (shape.indexed || shape.gather || shape.denseColumns || accumulate != ir::Accumulate::F32) return 0;
  if (shape.width > 1) {
    const bool blocks = (shape.width == 2 || shape.width == 4) && shape.lanes >= 8 && shape.vectors == 1;
    return blocks && !shape.partial && columnWidth != IndexWidth::U32 ? shape.width : 0;
  }
  const bool waits = registers < 32 && shape.lanes >= 4 && shape.vectors <= 2;
  return waits && precision == Precision::BF16 ? 2 : 0;
}

TileShape joinedShape(const TileShape &shape, uint32_t lanes) {
  TileShape joined = shape;
  if (shape.width > 1) return joined;
  if (shape.vectors == 1) joined.lanes = lanes;
  joined.partial = true;
  joined.rowStep = 1;
  return joined;
}

std::string joinedName(const TileShape &shape, Precision precision, IndexWidth columnWidth,
                       const KernelOptions &options) {
  return fmt::format("{}_x{}",
                     kernelFunctionName(shape, precision, ir::Accumulate::F32, columnWidth, IndexWidth::U16, options),
                     joinedRuns(shape, precision, ir::Accumulate::F32, columnWidth, options.registers));
}

std::string joinedSource(const TileShape &shape, Precision precision, IndexWidth columnWidth,
                         const KernelOptions &options) {
  KernelPlan plan;
  plan.name = joinedName(shape, precision, columnWidth, options);
  plan.shape = shape;
  plan.precision = precision;
  plan.columnWidth = columnWidth;
  plan.registers = options.registers;
  plan.joined = joinedRuns(shape, precision, plan.accumulate, columnWidth, options.registers);
  return kernelText(plan);
}

std::string fullSource(const std::string &name, const TileShape &shape, Precision precision, ir::Accumulate accumulate,
                       IndexWidth rowWidth, uint32_t entries, uint32_t tiles, uint32_t rows,
                       std::span<const uint32_t> columns, const KernelOptions &options) {
  const size_t perEntry = shape.gather ? ir::valuesPerEntry(shape, rows) : 1;
  RTMC_CHECK(columns.size() == entries * perEntry, "one column per entry");
  RTMC_CHECK(!shape.gather || tiles == 1, "every gathered tile has columns of its own");
  KernelPlan plan;
  plan.name = name;
  plan.shape = shape;
  plan.precision = precision;
  plan.accumulate = accumulate;
  plan.rowWidth = rowWidth;
  plan.registers = options.registers;
  plan.entries = entries;
  plan.columns = columns;
  plan.tiles = tiles;
  plan.rows = rows;
  plan.mayInline = options.mayInline;
  plan.halfLast = options.halfLast;
  return kernelText(plan);
}

uint64_t fullSourceBytes(const TileShape &shape, Precision precision, uint32_t entries) {
  // Measured on the templates: a line for x and one multiply-add per vector and entry; gathers name every column.
  const uint64_t frame = 320 + 100 * uint64_t{shape.vectors};
  const uint64_t add = precision == Precision::BF16 ? 82 : 56, x = 52, gathered = 8 * uint64_t{shape.lanes};
  return frame + entries * (shape.gather ? shape.vectors * (add + gathered) : x + shape.vectors * add);
}

std::vector<TileShape> tileShapes(const passes::TargetTraits &target, const ir::Lanes &lanes, Precision) {
  std::vector<TileShape> shapes;
  TileShape shape;
  shape.lanes = lanes.lanes;
  shape.width = lanes.width;
  shape.gather = lanes.gather;
  // Four vectors share each broadcast of x; more only lengthen the tails.
  if (!lanes.gather)
    for (shape.vectors = 4; shape.vectors > 1; shape.vectors /= 2) shapes.push_back(shape);
  shape.vectors = 1;
  shapes.push_back(shape);
  if (lanes.width == 1 && target.lanes > 1)
    for (shape.lanes /= 2; shape.lanes >= 4; shape.lanes /= 2) shapes.push_back(shape);
  const size_t consecutive = shapes.size();
  for (size_t i = 0; i < consecutive; ++i) {
    shape = shapes[i];
    shape.indexed = true;
    shapes.push_back(shape);
  }
  return shapes;
}

}  // namespace rtmc::backend
