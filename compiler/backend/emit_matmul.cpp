#include "backend/emit_matmul.h"

#include "backend/kernels.h"
#include "passes/tiling.h"
#include "support/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <tuple>
#include <utility>

namespace rtmc::backend {
namespace {

using ir::Packed;
using ir::TileRun;
using ir::TileShape;
using ir::Unroll;

/// Up to so many runs are called one by one; more go through a table.
constexpr size_t kExplicitRuns = 24;
/// What several steps of a chunk go over should be no larger, half of the nearest cache of most processors.
constexpr uint64_t kNear = 16 * 1024;

std::string_view xType(const ir::Weights &weights) {
  return weights.schedule.accumulate == ir::Accumulate::F16x4 ? "Half" : "float";
}

bool halfLast(const ir::Weights &weights, const TileShape &shape, uint32_t rows) {
  return weights.schedule.accumulate == ir::Accumulate::F32 && passes::halfLastVector(shape, rows);
}

std::string nameOf(const ir::Weights &weights, const MatMulPlan::Kernel &kernel) {
  const Packed &packed = *weights.packed;
  return kernel.joined ? joinedName(kernel.shape, packed.precision, packed.columnWidth, kernel.options)
                       : kernelFunctionName(kernel.shape, packed.precision, weights.schedule.accumulate,
                                            packed.columnWidth, packed.rowWidth, kernel.options);
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

/// The kernel's place among those of the matrix; its name is made here.
uint32_t MatMulEmitter::addKernel(MatMulPlan &plan, MatMulPlan::Kernel kernel) const {
  kernel.options.registers = target_.traits.registers;
  kernel.name = nameOf(*plan.weights, kernel);
  auto it =
      std::find_if(plan.kernels.begin(), plan.kernels.end(), [&](const auto &k) { return k.name == kernel.name; });
  if (it == plan.kernels.end()) it = plan.kernels.insert(it, std::move(kernel));
  RTMC_CHECK(plan.kernels.size() <= 256, "a matrix needs more than 256 kernels");
  return static_cast<uint32_t>(it - plan.kernels.begin());
}

void MatMulEmitter::emitKernel(const MatMulPlan &plan, const MatMulPlan::Kernel &kernel) {
  if (kernel.full) return;  // a run's own function
  const Packed &packed = *plan.weights->packed;
  const ir::Accumulate accumulate = plan.weights->schedule.accumulate;
  const auto add = [&](const std::string &name, const KernelOptions &options) {
    if (!known_.emplace(name, true).second) return;
    if (!kernels_.empty()) kernels_ += '\n';
    kernels_ += kernel.joined ? joinedSource(kernel.shape, packed.precision, packed.columnWidth, options)
                              : kernelSource(kernel.shape, packed.precision, accumulate, packed.columnWidth,
                                             packed.rowWidth, options);
  };
  for (const Chunk chunk : {Chunk::None, Chunk::AllSums, Chunk::SumBySum}) {
    if (chunk > kernel.options.chunk) break;
    MatMulPlan::Kernel called = kernel;  // each calls those before for the steps that are left
    called.options.chunk = chunk;
    add(nameOf(*plan.weights, called), called.options);
  }
}

namespace {

/// For a chunk a kernel that takes one step is called for each in turn, so its weights should stay in the nearest cache
/// meanwhile. Tiles with columns of their own are not taken apart: they are small.
uint32_t tilesOfACall(const TileShape &shape, uint64_t tileBytes) {
  return shape.gather ? ~0u : static_cast<uint32_t>(std::max<uint64_t>(1, kNear / std::max<uint64_t>(1, tileBytes)));
}

/// Which kernel multiplies a chunk's steps with a run. Sum by sum where so much of a tile is one sum's that beginning
/// and ending it cost little: with two sums per row, loads limit a kernel for two steps; with four only those from
/// beyond the nearest cache do. Short runs of blocks that may be joined are, step by step.
Chunk chunkKernel(const ir::Weights &weights, const TileRun &run, bool unrolled, uint32_t registers) {
  constexpr uint64_t kLong = 4 * 1024, kFar = 32 * 1024;
  constexpr uint32_t kManyBlocks = 32;
  const Packed &packed = *weights.packed;
  const TileShape &shape = packed.shapes[run.shape];
  const ir::Accumulate accumulate = weights.schedule.accumulate;
  if (stepsAtOnce(shape, accumulate, Chunk::AllSums) == 1) return Chunk::None;
  if (shape.width > 1) {
    const bool joined = joinedRuns(shape, packed.precision, accumulate, packed.columnWidth, registers) != 0;
    return joined && run.entries < kManyBlocks ? Chunk::None : Chunk::AllSums;
  }
  const bool isLong = packed.tileBytes(run) >= (registers < 32 ? kLong : kFar);
  return isLong && !unrolled ? Chunk::SumBySum : Chunk::AllSums;
}

}  // namespace

void MatMulEmitter::addLooped(MatMulPlan &plan, const TileRun &run, uint32_t share) {
  const Packed &packed = *plan.weights->packed;
  const bool unrolled = plan.unrolled.contains({run.shape, run.entries});
  const TileShape &shape = packed.shapes[run.shape];
  const Chunk chunk = plan.forChunk ? chunkKernel(*plan.weights, run, unrolled, target_.traits.registers) : Chunk::None;
  const KernelOptions options{.unroll = unrolled ? Unroll::Tile : Unroll::None,
                              .entries = unrolled ? run.entries : 0,
                              .halfLast = halfLast(*plan.weights, shape, run.rows),
                              .chunk = chunk};
  const uint32_t kernel = addKernel(plan, {.shape = shape, .options = options, .takesEntries = !unrolled});
  const uint32_t most = plan.forChunk && chunk == Chunk::None ? tilesOfACall(shape, packed.tileBytes(run)) : run.tiles;
  for (uint32_t tile = 0; tile < run.tiles; tile += most) {
    const uint32_t tiles = std::min(most, run.tiles - tile), firstRow = tile * shape.rows();
    const uint32_t rows = tiles == run.tiles ? run.rows : std::min(tiles * shape.rows(), run.rows - firstRow);
    plan.calls.push_back({share, kernel, run.value + tile * packed.tileBytes(run) - plan.home->valueBase[share],
                          run.column, run.row + firstRow, rows, run.entries, tiles,
                          static_cast<uint32_t>(ir::valuesPerEntry(shape, rows))});
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
    plan.kernels.push_back({.name = name, .shape = shape, .takesEntries = false, .full = true});
    const uint64_t value = run.value + piece * packed.tileBytes(run);
    plan.calls.push_back({share, static_cast<uint32_t>(plan.kernels.size() - 1), value - plan.home->valueBase[share], 0,
                          run.row + firstRow, rows, run.entries, tiles});
  }
}

namespace {

/// Whether no row belongs to two runs, so that they may be multiplied in any order.
bool rowsApart(const std::vector<RunCall> &calls) {
  std::vector<std::pair<uint32_t, uint32_t>> ranges;
  for (const RunCall &call : calls) ranges.emplace_back(call.row, call.row + call.rows);
  std::sort(ranges.begin(), ranges.end());
  for (size_t i = 1; i < ranges.size(); ++i)
    if (ranges[i].first < ranges[i - 1].second) return false;
  return true;
}

}  // namespace

/// Runs that may go through a kernel for several of them do; those of stripes change places for it.
void MatMulEmitter::joinRuns(MatMulPlan &plan) {
  const Packed &packed = *plan.weights->packed;
  struct Together {
    TileShape shape;
    uint32_t runs = 0;  // that go together; 0: it goes alone
    RunCall call;
    size_t place = 0;
    bool sameAs(const Together &other) const {
      return shape == other.shape && runs == other.runs && call.share == other.call.share &&
             call.entries == other.call.entries;
    }
  };
  const auto of = [&](const RunCall &call) {
    const MatMulPlan::Kernel &kernel = plan.kernels[call.kernel];
    Together one{kernel.shape, 0, call, 0};
    if (!kernel.takesEntries || kernel.options.chunk != Chunk::None || call.tiles != 1) return one;
    const TileShape shape = joinedShape(kernel.shape, target_.traits.lanes);
    const uint64_t lanes = uint64_t{shape.vectors} * shape.lanes;
    const uint64_t end = call.value + uint64_t{call.entries} * call.perEntry * bytesOf(packed.precision) +
                         (lanes - call.perEntry) * ir::laneBytes(packed.precision);
    if (end > plan.home->valueBytes[call.share]) return one;
    one.runs = joinedRuns(shape, packed.precision, plan.weights->schedule.accumulate, packed.columnWidth,
                          target_.traits.registers);
    if (one.runs) one.shape = shape;
    return one;
  };
  std::vector<Together> runs;
  for (const RunCall &call : plan.calls) runs.push_back(of(call));
  if (rowsApart(plan.calls)) {
    // Stripes follow the first one that they may go with.
    std::map<std::tuple<uint32_t, uint32_t, uint32_t>, size_t> firsts;
    for (size_t i = 0; i < runs.size(); ++i) {
      runs[i].place = i;
      if (runs[i].runs == 0 || runs[i].shape.width > 1) continue;
      const RunCall &call = runs[i].call;
      runs[i].place = firsts.emplace(std::tuple(call.share, runs[i].shape.vectors, call.entries), i).first->second;
    }
    std::stable_sort(runs.begin(), runs.end(), [](const auto &a, const auto &b) { return a.place < b.place; });
  }
  for (size_t i = 0; i < runs.size(); ++i) plan.calls[i] = runs[i].call;
  for (size_t i = 0; i < runs.size();) {
    const size_t end = i + runs[i].runs;
    const auto same = [&](const Together &other) { return other.sameAs(runs[i]); };
    const auto at = [&](size_t place) { return runs.begin() + static_cast<ptrdiff_t>(place); };
    if (end == i || end > runs.size() || !std::all_of(at(i), at(end), same)) {
      ++i;
      continue;
    }
    plan.calls[i].kernel = addKernel(plan, {.shape = runs[i].shape, .joined = runs[i].runs});
    i = end;
  }
}

/// Kernels that nothing calls any more go; the text of the others is added where it is new.
void MatMulEmitter::emitKernels(MatMulPlan &plan) {
  std::vector<uint32_t> places(plan.kernels.size(), ~0u);
  std::vector<MatMulPlan::Kernel> called;
  for (size_t i = 0; i < plan.calls.size(); i += std::max(1u, called[plan.calls[i].kernel].joined)) {
    uint32_t &place = places[plan.calls[i].kernel];
    if (place == ~0u) {
      place = static_cast<uint32_t>(called.size());
      called.push_back(plan.kernels[plan.calls[i].kernel]);
      emitKernel(plan, called.back());
    }
    const uint32_t runs = std::max(1u, called[place].joined);
    for (size_t j = i; j < i + runs; ++j) plan.calls[j].kernel = place;
  }
  plan.kernels = std::move(called);
}

MatMulPlan MatMulEmitter::planOf(ir::Id id, UnrollBudget &budget, Unroll unroll, bool forChunk) {
  MatMulPlan plan;
  plan.weights = &program_.weights[id];
  plan.home = &layout_.weights[id];
  plan.function = "multiply_" + plan.home->name;
  plan.forChunk = forChunk;
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
  plan.table = unroll != Unroll::Full && plan.calls.size() > kExplicitRuns;
  joinRuns(plan);
  return plan;
}

namespace {

bool takesSteps(const MatMulPlan &plan) {
  return std::any_of(plan.kernels.begin(), plan.kernels.end(),
                     [](const auto &kernel) { return kernel.options.chunk != Chunk::None; });
}

/// Whether the calls of both are one table's: each kernel of the one stands where one of the other does.
bool sameTable(const MatMulPlan &a, const MatMulPlan &b) {
  if (joinsRuns(a) || joinsRuns(b) || a.calls.size() != b.calls.size()) return false;
  std::map<uint32_t, uint32_t> ofA, ofB;
  for (size_t i = 0; i < a.calls.size(); ++i) {
    RunCall call = a.calls[i];
    const uint32_t kernel = std::exchange(call.kernel, b.calls[i].kernel);
    if (!(call == b.calls[i])) return false;
    if (ofA.emplace(kernel, call.kernel).first->second != call.kernel) return false;
    if (ofB.emplace(call.kernel, kernel).first->second != kernel) return false;
  }
  return true;
}

}  // namespace

void MatMulEmitter::emitMatrix(ir::Id id, UnrollBudget &budget, Diagnostics &diagnostics) {
  const Unroll unroll = budget.resolve(program_.weights[id], diagnostics);
  MatMulPlan plan = planOf(id, budget, unroll, runsPerChunk(program_, id));
  if (plan.calls.empty()) return;  // a matrix without weights
  names_[id] = plan.function;
  // A single step, all that a stream has, goes without the loops over steps, and stripes go in pairs. Not where that
  // would be a second table among the weights.
  std::string alone;
  if (takesSteps(plan) && unroll != Unroll::Tile) {
    MatMulPlan single = planOf(id, budget, unroll, false);
    if (single.calls.size() <= kInlineRuns || sameTable(single, plan)) {
      alone = single.function += "_alone";
      emitFunction(single, "");
    }
  }
  emitFunction(plan, alone);
}

namespace {

/// Steps of a chunk that go over all runs before the next ones do. Each run of blocks reads x from one end to the
/// other, so their rows should stay in the nearest cache meanwhile; other runs read one block of columns, or long
/// tiles.
uint32_t nearSteps(const MatMulPlan &plan) {
  uint32_t together = 0;  // steps that a kernel of blocks takes at once
  for (const MatMulPlan::Kernel &kernel : plan.kernels)
    if (kernel.shape.width > 1)
      together = std::max(together, stepsAtOnce(kernel.shape, plan.weights->schedule.accumulate, kernel.options.chunk));
  if (together <= 1) return ~0u;
  const uint64_t rows = kNear / (plan.weights->columns * sizeof(float));
  return std::max(together, static_cast<uint32_t>(rows / together * together));
}

}  // namespace

/// `alone`: of a chunk's matrix the function for a single step, where it has one.
void MatMulEmitter::emitFunction(MatMulPlan &plan, const std::string &alone) {
  emitKernels(plan);
  usesRunTable_ |= plan.table || joinsRuns(plan);
  const uint32_t near = nearSteps(plan);
  const bool parted = near < program_.chunk;
  Text out, body(parted ? 2 : 1);
  if (plan.table) {
    emitRunTable(body, plan, program_.shares, layout_, runTables_);
  } else {
    emitRunCalls(body, plan, program_.shares);
  }
  out.line("/// {}.", describeWeights(*plan.weights));
  if (plan.forChunk) out.text("/// For several steps: each run of weights is read once for all of them.");
  const std::string share = program_.shares > 1 ? "share, " : "";
  std::vector<std::string> parameters = {"const Weights &w"};
  if (program_.shares > 1) parameters.push_back("uint32_t share");
  parameters.push_back(fmt::format("const {} *x", xType(*plan.weights)));
  if (plan.forChunk) parameters.push_back("size_t xStride");
  parameters.push_back("float *y");
  const std::string_view steps = parted ? "allSteps" : "steps";
  if (plan.forChunk) parameters.insert(parameters.end(), {"size_t yStride", fmt::format("size_t {}", steps)});
  appendCall(out, "RTM_TARGET static void " + plan.function, parameters, " {");
  if (!alone.empty()) out.line("  if ({} == 1) return {}(w, {}x, y);  // its own kernels", steps, alone, share);
  if (parted) {
    out.line("  for (size_t first = 0; first < allSteps; first += {0}, x += {0} * xStride, y += {0} * yStride) {{",
             near);
    out.line("    // The nearest cache holds their rows of x.");
    out.line("    const size_t steps = allSteps - first < {0} ? allSteps - first : {0};", near);
  }
  out.raw(body.str());
  if (parted) out.text("  }");
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
