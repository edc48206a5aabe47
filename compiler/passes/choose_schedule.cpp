#include "passes/choose_schedule.h"

#include "passes/program_builder.h"
#include "passes/row_groups.h"
#include "support/check.h"
#include "support/hash.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

namespace rtmc::passes {

using namespace ir;

namespace {

/// Half-precision chains of four must not overflow: |x| and |w| stay far below 65504 / 4.
constexpr double kHalfLimitX = 64, kHalfLimitW = 64;

std::string patternHash(const Weights &w) {
  const auto bytes = [](const std::vector<uint32_t> &v) {
    return std::span<const uint8_t>(reinterpret_cast<const uint8_t *>(v.data()), v.size() * sizeof(uint32_t));
  };
  const std::string text = fmt::format("{}x{}:{}:{}", w.rows, w.columns, hex16(hash64(bytes(w.rowBegin))),
                                       hex16(hash64(bytes(w.columnIndex))));
  return hex16(hash64({reinterpret_cast<const uint8_t *>(text.data()), text.size()}));
}

const Buffer &bufferReadBy(const Program &program, Id weights) {
  for (const Section &section : program.sections)
    for (const Phase &phase : section.phases)
      for (const Operation &operation : phase.ops)
        if (auto *product = std::get_if<MatMul>(&operation))
          if (product->weights == weights) return program.buffers[product->x];
  RTMC_CHECK(false, "a matrix that no product uses");
  return program.buffers.front();
}

bool mayUseHalf(const Program &program, Id id, const TargetTraits &target) {
  const Weights &w = program.weights[id];
  const Buffer &x = bufferReadBy(program, id);
  if (!target.halfArithmetic || !x.range) return false;
  if (runsPerChunk(program, id)) return false;  // the copy of x in half precision would need a row for each step
  if (std::max(std::abs(x.range->low), std::abs(x.range->high)) > kHalfLimitX) return false;
  return std::all_of(w.values.begin(), w.values.end(), [](float v) { return std::abs(v) <= kHalfLimitW; });
}

Schedule baseSchedule(const Program &program, Id id, const Context &context) {
  Schedule s = scheduleOf(context.options);
  s.lanes = {context.target.lanes, 1, false};
  s.tile = s.lanes.lanes * 4;
  s.mergeLimit = 0.4;
  if (s.precision == Precision::F16 && mayUseHalf(program, id, context.target)) s.accumulate = Accumulate::F16x4;
  if (!s.shareLoads) s.tile = s.lanes.lanes;
  return s;
}

struct Prediction {
  double ns = 0;
  uint64_t bytes = 0;
};

Prediction predict(const Program &program, const Weights &w, const Context &context, uint64_t footprint) {
  const CostModel cost(context.machine, context.target, w.schedule.precision, w.schedule.accumulate, footprint);
  const auto shapes = shapesOf(w.schedule, context.target);
  const std::vector<RowGroup> groups = groupRows(program, w, cost, shapes);
  // Rows of a pattern are scattered now and will lie together once they are reordered.
  const bool reordered = w.schedule.format == Format::Bspc && w.schedule.reorder;
  Prediction sum;
  sum.bytes = packedBytes(w, groups, shapes);
  for (const RowGroup &group : groups) {
    if (reordered) {
      sum.ns += cost.groupNs(group, shapes);
      continue;
    }
    for (RowTiles &tiles : cutRows(group.rows, shapes)) {
      tiles.shape.denseColumns = w.schedule.format == Format::Dense;
      const auto rows = static_cast<uint32_t>(tiles.rows.size());
      sum.ns += cost.tileNs(tiles.shape, tiles.tiles, entriesOf(w, group), rows);
    }
  }
  return sum;
}

std::vector<Schedule> candidates(const Weights &w, const Schedule &base, uint32_t targetLanes) {
  std::vector<Schedule> list;
  const double density = w.rows && w.columns ? double(w.nonzeros) / (double(w.rows) * w.columns) : 0;
  Schedule s = base;
  s.format = Format::Csr;
  s.lanes.gather = true;
  s.tile = s.lanes.lanes;
  s.accumulate = Accumulate::F32;
  if (!base.compact) return {s};
  if (density < 0.6) list.push_back(s);
  s = base;
  s.format = Format::Bspc;
  list.push_back(s);
  if (!base.reorder) return list;
  if (density > 0.3) {
    s.format = Format::Dense;
    list.push_back(s);
  }
  if (w.structure.blockRows > 1 && w.structure.blockColumns > 1 && density < 0.9) {
    s.format = Format::Csb;
    list.push_back(s);
  }
  for (uint32_t width = 2; width <= std::min(16u, targetLanes); width *= 2) {
    // Dense rows are for rows lanes, unless they are too few to fill them.
    if (w.columns < width || (density > 0.7 && w.rows >= targetLanes)) continue;
    s = base;
    s.format = Format::Block;
    s.lanes.width = width;
    s.tile = s.lanes.rows() * (base.shareLoads ? 4 : 1);
    s.accumulate = Accumulate::F32;
    list.push_back(s);
  }
  return list;
}

const Schedule *fromTable(const Weights &w, const ScheduleTable &table) {
  for (const std::string &key : {w.name, w.patternHash, std::string("*")})
    if (auto found = table.find(key); found != table.end()) return &found->second;
  return nullptr;
}

/// What a schedule from outside must keep; empty where it does.
std::string complaint(const Weights &w, const Schedule &s, const TargetTraits &target, bool halfAllowed) {
  const auto powerOfTwo = [](uint32_t v) { return v != 0 && (v & (v - 1)) == 0; };
  if (!powerOfTwo(s.lanes.lanes) || s.lanes.lanes > target.lanes)
    return fmt::format("{} floats per vector; '{}' has {}", s.lanes.lanes, target.cpu, target.lanes);
  if (s.lanes.lanes == 2) return "2 floats per vector; a single one or at least 4 are needed";
  if (!powerOfTwo(s.lanes.width) || s.lanes.width > s.lanes.lanes)
    return fmt::format("{} columns per vector of {}", s.lanes.width, s.lanes.lanes);
  if (w.columns < s.lanes.width)
    return fmt::format("blocks of {} columns; the matrix has {} columns", s.lanes.width, w.columns);
  if (s.tile == 0 || s.tile % s.lanes.rows() != 0 || !powerOfTwo(s.tile / s.lanes.rows()) ||
      s.tile / s.lanes.rows() > 16)
    return fmt::format("a tile of {} rows; {} needs {} times 1, 2, 4, 8 or 16", s.tile, lanesName(s.lanes),
                       s.lanes.rows());
  if (s.lanes.gather != (s.format == Format::Csr)) return "gather lanes and the csr format belong together";
  if ((s.lanes.width > 1) != (s.format == Format::Block)) return "block lanes and the block format belong together";
  if (s.accumulate == Accumulate::F16x4 &&
      (s.precision != Precision::F16 || !halfAllowed || s.lanes.width > 1 || s.lanes.gather || s.lanes.lanes < 4))
    return "sums in half precision, which need f16 weights, rows lanes of at least 4, a bounded input and a target "
           "with half "
           "arithmetic";
  return "";
}

/// Where every fast candidate is larger than CSR: less padding, at the cost of narrower vectors.
std::vector<Schedule> compactCandidates(const Schedule &base) {
  std::vector<Schedule> list;
  Schedule s = base;
  s.format = Format::Csr;
  s.lanes.gather = true;
  s.accumulate = Accumulate::F32;
  for (s.lanes.lanes = base.lanes.lanes; s.lanes.lanes >= 1; s.lanes.lanes /= 2) {
    if (s.lanes.lanes < 4 && s.lanes.lanes != base.lanes.lanes) break;
    s.tile = s.lanes.lanes;
    list.push_back(s);
  }
  s = base;
  s.format = Format::Bspc;
  s.mergeLimit = 0;
  for (s.lanes.lanes = base.lanes.lanes; s.lanes.lanes >= 1; s.lanes.lanes /= 2) {
    if (s.lanes.lanes < 4 && s.lanes.lanes != base.lanes.lanes) break;
    s.tile = s.lanes.lanes;
    list.push_back(s);
  }
  return list;
}

/// The fastest candidate that is smaller than CSR; where none is, the smallest there is.
Schedule cheapest(const Program &program, Weights &w, const Schedule &base, const Context &context,
                  uint64_t footprint) {
  const uint64_t limit = byteLimit(w);
  std::vector<std::pair<Prediction, Schedule>> all;
  const auto add = [&](const std::vector<Schedule> &list) {
    for (const Schedule &candidate : list) {
      w.schedule = candidate;
      all.emplace_back(predict(program, w, context, footprint), candidate);
    }
  };
  add(candidates(w, base, context.target.lanes));
  const auto fits = [&](const auto &one) { return one.first.bytes <= limit; };
  if (std::none_of(all.begin(), all.end(), fits)) add(compactCandidates(base));
  const bool anyFits = std::any_of(all.begin(), all.end(), fits);
  const auto best = std::min_element(all.begin(), all.end(), [&](const auto &a, const auto &b) {
    if (fits(a) != fits(b)) return fits(a);
    return anyFits ? a.first.ns < b.first.ns : a.first.bytes < b.first.bytes;
  });
  return best->second;
}

/// A product in half precision reads a copy of x that each share makes for itself: no barrier is needed.
void addHalfCopies(Program &program) {
  for (Section &section : program.sections)
    for (Phase &phase : section.phases) {
      std::map<std::pair<Id, uint32_t>, Id> copies;
      std::vector<Operation> ops;
      for (Operation &operation : phase.ops) {
        auto *product = std::get_if<MatMul>(&operation);
        if (product && program.weights[product->weights].schedule.accumulate == Accumulate::F16x4) {
          const Weights &w = program.weights[product->weights];
          Id &copy = copies.try_emplace({product->x, product->xOffset}, kNone).first->second;
          if (copy == kNone) {
            Buffer half;
            half.name = fmt::format("{}_half{}", program.buffers[product->x].name, program.buffers.size());
            half.size = w.columns;
            half.dtype = DType::F16;
            half.perShare = true;
            half.space = w.columnSpace;
            half.comment = "half-precision copy";
            const bool ordered = w.columnSpace != kNone;
            ElementwiseBuilder convert(half.name, ordered ? w.columnSpace : kNone, half.size);
            copy = addBuffer(program, half);
            convert.store(copy, convert.load(product->x, "x", product->xOffset));
            Elementwise op = convert.take();
            op.replicated = true;
            ops.emplace_back(std::move(op));
          }
          product->x = copy;
          product->xOffset = 0;
        }
        ops.push_back(std::move(operation));
      }
      phase.ops = std::move(ops);
    }
}

/// Schedules may store every matrix otherwise than the options asked: the program says what it is.
void namePrecision(Program &program) {
  const auto stored = [](const Weights &w) { return w.schedule.precision; };
  const std::vector<Weights> &all = program.weights;
  if (!all.empty() &&
      std::all_of(all.begin(), all.end(), [&](const Weights &w) { return stored(w) == stored(all[0]); }))
    program.precision = stored(all[0]);
}

}  // namespace

Schedule scheduleOf(const Options &options) {
  Schedule s;
  s.permute = options.permute;
  s.reorder = options.reorder;
  s.shareLoads = options.shareLoads;
  s.compact = options.compact;
  s.unroll = options.unroll;
  s.precision = options.precision;
  s.placement = options.placement.value_or(s.placement);
  return s;
}

bool ChooseSchedule::run(Module &module, Context &context) {
  RTMC_CHECK(module.program, "choose-schedule needs a program");
  Program &program = *module.program;
  bool good = true;
  for (Weights &w : program.weights) w.schedule.precision = context.options.precision;
  const uint64_t footprint = estimatedFootprint(program);
  for (Id id = 0; id < program.weights.size(); ++id) {
    Weights &w = program.weights[id];
    w.patternHash = patternHash(w);
    if (const Schedule *given = fromTable(w, context.schedules)) {
      const std::string wrong = complaint(w, *given, context.target, mayUseHalf(program, id, context.target));
      if (!wrong.empty()) {
        context.diagnostics->error("schedule-invalid", {}, fmt::format("schedule of '{}' asks for {}", w.name, wrong));
        good = false;
      }
      w.schedule = *given;
      continue;
    }
    w.schedule = cheapest(program, w, baseSchedule(program, id, context), context, footprint);
  }
  if (!good) return false;
  namePrecision(program);
  addHalfCopies(program);
  return true;
}

}  // namespace rtmc::passes
