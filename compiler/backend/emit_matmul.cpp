#include "backend/emit_matmul.h"

#include "backend/kernels.h"
#include "passes/tiling.h"
#include "support/check.h"

#include <fmt/format.h>

#include <algorithm>

namespace rtmc::backend {
namespace {

using ir::Packed;
using ir::TileRun;
using ir::TileShape;
using ir::Unroll;

/// Up to so many runs are called one by one; more go through a table.
constexpr size_t kExplicitRuns = 24;

std::string_view xType(const ir::Weights &weights) {
  return weights.schedule.accumulate == ir::Accumulate::F16x4 ? "Half" : "float";
}

bool halfLast(const ir::Weights &weights, const TileShape &shape, uint32_t rows) {
  return weights.schedule.accumulate == ir::Accumulate::F32 && passes::halfLastVector(shape, rows);
}

}  // namespace

std::string describeWeights(const ir::Weights &weights) {
  std::string scheme(ir::schemeName(weights.structure.scheme));
  if (weights.structure.blockRows != 0 && weights.structure.blockColumns != 0) {
    scheme += fmt::format(" {}x{}", weights.structure.blockRows, weights.structure.blockColumns);
  }
  const size_t runs = weights.packed ? weights.packed->runs.size() : 0;
  return commentText(fmt::format("{}: {} x {}, {}, {} weights in {}, {} run{}", weights.name, weights.rows,
                                 weights.columns, scheme, weights.nonzeros,
                                 precisionName(weights.packed ? weights.packed->precision : weights.schedule.precision),
                                 runs, runs == 1 ? "" : "s"));
}

MatMulEmitter::MatMulEmitter(const ir::Program &program, Layout &layout, const Target &target,
                             const EmitOptions &options, Diagnostics &diagnostics)
    : program_(program), layout_(layout), target_(target), names_(program.weights.size()) {
  UnrollBudget budget(options.unrollBudgetBytes, layout.blob.bytes().size());
  for (ir::Id id = 0; id < program.weights.size(); ++id) {
    if (!layout.weights[id].used) continue;
    emitMatrix(id, budget, diagnostics);
  }
}

std::string MatMulEmitter::addKernel(const ir::Weights &weights, const TileShape &shape, Unroll unroll,
                                     uint32_t entries, bool halfLast, bool chunk) {
  const Packed &packed = *weights.packed;
  if (chunk) addKernel(weights, shape, unroll, entries, halfLast, false);
  const KernelOptions options{unroll, entries, target_.traits.registers, true, halfLast, chunk};
  std::string name = kernelFunctionName(shape, packed.precision, weights.schedule.accumulate, packed.columnWidth,
                                        packed.rowWidth, options);
  if (!known_.emplace(name, true).second) return name;
  if (!kernels_.empty()) kernels_ += '\n';
  kernels_ +=
      kernelSource(shape, packed.precision, weights.schedule.accumulate, packed.columnWidth, packed.rowWidth, options);
  return name;
}

namespace {

/// For a chunk a kernel that takes one step is called for each in turn, so its weights should stay in the nearest cache
/// meanwhile. Tiles with columns of their own are not taken apart: they are small.
uint32_t tilesOfACall(const TileShape &shape, uint64_t tileBytes) {
  constexpr uint64_t kNear = 16 * 1024;
  return shape.gather ? ~0u : static_cast<uint32_t>(std::max<uint64_t>(1, kNear / std::max<uint64_t>(1, tileBytes)));
}

}  // namespace

void MatMulEmitter::addLooped(MatMulPlan &plan, const TileRun &run, uint32_t share) {
  const Packed &packed = *plan.weights->packed;
  const bool unrolled = plan.unrolled.contains({run.shape, run.entries});
  const TileShape &shape = packed.shapes[run.shape];
  const bool chunk = plan.forChunk && stepsAtOnce(shape, plan.weights->schedule.accumulate) > 1;
  const std::string name = addKernel(*plan.weights, shape, unrolled ? Unroll::Tile : Unroll::None,
                                     unrolled ? run.entries : 0, halfLast(*plan.weights, shape, run.rows), chunk);
  auto it = std::find_if(plan.kernels.begin(), plan.kernels.end(), [&](const auto &k) { return k.name == name; });
  if (it == plan.kernels.end()) it = plan.kernels.insert(plan.kernels.end(), {name, shape, !unrolled, false, 0, chunk});
  RTMC_CHECK(plan.kernels.size() <= 256, "a matrix needs more than 256 kernels");
  const uint32_t most = plan.forChunk && !chunk ? tilesOfACall(shape, packed.tileBytes(run)) : run.tiles;
  for (uint32_t tile = 0; tile < run.tiles; tile += most) {
    const uint32_t tiles = std::min(most, run.tiles - tile), firstRow = tile * shape.rows();
    const uint32_t rows = tiles == run.tiles ? run.rows : std::min(tiles * shape.rows(), run.rows - firstRow);
    plan.calls.push_back({share, static_cast<uint32_t>(it - plan.kernels.begin()),
                          run.value + tile * packed.tileBytes(run) - plan.home->valueBase[share], run.column,
                          run.row + firstRow, rows, run.entries, tiles});
  }
}

/// A function of its own for a run; for every tile where tiles have columns of their own.
void MatMulEmitter::addFull(MatMulPlan &plan, const TileRun &run, uint32_t share, size_t number, bool mayInline) {
  const Packed &packed = *plan.weights->packed;
  const TileShape &shape = packed.shapes[run.shape];
  const uint32_t pieces = shape.gather ? run.tiles : 1;
  const uint64_t columnsPerPiece = shape.gather ? run.entries * ir::valuesPerEntry(shape, run.rows) : run.entries;
  for (uint32_t piece = 0; piece < pieces; ++piece) {
    std::vector<uint32_t> columns(columnsPerPiece);
    for (uint64_t i = 0; i < columns.size(); ++i) {
      columns[i] = shape.denseColumns ? run.column + static_cast<uint32_t>(i) * shape.width
                                      : packed.columnTable[run.column + piece * columnsPerPiece + i];
    }
    const uint32_t tiles = shape.gather ? 1 : run.tiles;
    const uint32_t firstRow = piece * shape.rows();
    const uint32_t rows = shape.gather ? std::min(shape.rows(), run.rows - firstRow) : run.rows;
    const std::string name = pieces == 1 ? fmt::format("{}_run{}", plan.function, number)
                                         : fmt::format("{}_run{}_tile{}", plan.function, number, piece);
    functions_ += fullSource(
        name, shape, packed.precision, plan.weights->schedule.accumulate, packed.rowWidth, run.entries, tiles, rows,
        columns,
        {Unroll::Full, run.entries, target_.traits.registers, mayInline, halfLast(*plan.weights, shape, rows)});
    functions_ += '\n';
    plan.kernels.push_back({name, shape, false, true, 0, false});
    const uint64_t value = run.value + piece * packed.tileBytes(run);
    plan.calls.push_back({share, static_cast<uint32_t>(plan.kernels.size() - 1), value - plan.home->valueBase[share], 0,
                          run.row + firstRow, rows, run.entries, tiles});
  }
}

/// Runs that follow each other in a table and may go through a kernel for several of them do.
void MatMulEmitter::joinRuns(MatMulPlan &plan) {
  const Packed &packed = *plan.weights->packed;
  for (size_t i = 0; i < plan.calls.size();) {
    const RunCall first = plan.calls[i];
    const MatMulPlan::Kernel kernel = plan.kernels[first.kernel];
    const uint32_t runs =
        kernel.takesEntries ? joinedRuns(kernel.shape, plan.weights->schedule.accumulate, packed.columnWidth) : 0;
    const auto fits = [&](const RunCall &call) {
      return call.share == first.share && call.kernel == first.kernel && call.entries == first.entries &&
             call.tiles == 1;
    };
    const auto begin = plan.calls.begin() + static_cast<ptrdiff_t>(i);
    if (runs == 0 || plan.calls.size() - i < runs || !std::all_of(begin, begin + runs, fits)) {
      ++i;
      continue;
    }
    const KernelOptions options{Unroll::None, 0, target_.traits.registers, true, false};
    const std::string name = joinedName(kernel.shape, packed.precision, packed.columnWidth, options);
    if (known_.emplace(name, true).second)
      kernels_ += "\n" + joinedSource(kernel.shape, packed.precision, packed.columnWidth, options);
    auto it = std::find_if(plan.kernels.begin(), plan.kernels.end(), [&](const auto &k) { return k.name == name; });
    if (it == plan.kernels.end()) it = plan.kernels.insert(it, {name, kernel.shape, true, false, runs, false});
    plan.calls[i].kernel = static_cast<uint32_t>(it - plan.kernels.begin());
    i += runs;
  }
}

void MatMulEmitter::emitMatrix(ir::Id id, UnrollBudget &budget, Diagnostics &diagnostics) {
  const Unroll unroll = budget.resolve(program_.weights[id], diagnostics);
  MatMulPlan plan;
  plan.weights = &program_.weights[id];
  plan.home = &layout_.weights[id];
  plan.function = "multiply_" + plan.home->name;
  plan.forChunk = runsPerChunk(program_, id);
  const Packed &packed = *plan.weights->packed;
  if (unroll == Unroll::Tile) plan.unrolled = budget.tileCounts(packed);
  for (uint32_t share = 0; share < program_.shares; ++share) {
    for (uint32_t i = packed.shareBegin[share]; i < packed.shareBegin[share + 1]; ++i) {
      const TileRun &run = packed.runs[i];
      if (run.entries == 0 || run.tiles == 0) continue;
      if (unroll == Unroll::Full) {
        addFull(plan, run, share, i, budget.mayInline());
      } else {
        addLooped(plan, run, share);
      }
    }
  }
  if (plan.calls.empty()) return;  // a matrix without weights
  names_[id] = plan.function;
  Text out;
  const bool table = unroll != Unroll::Full && plan.calls.size() > kExplicitRuns;
  Text body(1);
  if (table) {
    usesRunTable_ = true;
    joinRuns(plan);
    emitRunTable(body, plan, program_.shares, layout_);
  } else {
    emitRunCalls(body, plan, program_.shares);
  }
  out.line("/// {}.", describeWeights(*plan.weights));
  if (plan.forChunk) out.text("/// For several steps: each run of weights is read once for all of them.");
  std::vector<std::string> parameters = {"const Weights &w"};
  if (program_.shares > 1) parameters.push_back("uint32_t share");
  parameters.push_back(fmt::format("const {} *x", xType(*plan.weights)));
  if (plan.forChunk) parameters.push_back("size_t xStride");
  parameters.push_back("float *y");
  if (plan.forChunk) parameters.insert(parameters.end(), {"size_t yStride", "size_t steps"});
  appendCall(out, "RTM_TARGET static void " + plan.function, parameters, " {");
  out.raw(body.str());
  out.text("}");
  out.blank();
  functions_ += out.str();
}

void MatMulEmitter::call(Text &out, const ir::MatMul &matMul) const {
  const std::string &name = names_[matMul.weights];
  if (name.empty()) return;
  const bool forChunk = runsPerChunk(program_, matMul.weights);
  const std::string_view row = forChunk ? "0" : "args->step";
  std::vector<std::string> arguments = {"w"};
  if (program_.shares > 1) arguments.push_back("share");
  arguments.push_back(plus(bufferArray(layout_, matMul.x, row), matMul.xOffset + bufferOffset(layout_, matMul.x)));
  if (forChunk) arguments.push_back(std::to_string(rowStride(layout_, matMul.x)));
  arguments.push_back(plus(bufferArray(layout_, matMul.y, row), bufferOffset(layout_, matMul.y)));
  if (forChunk) arguments.insert(arguments.end(), {std::to_string(rowStride(layout_, matMul.y)), "args->steps"});
  appendCall(out, name, arguments, ";");
}

}  // namespace rtmc::backend
