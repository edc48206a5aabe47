// Owns: a small hand-made GRU program, before and after partition and pack, and a packer of its own, written from the
// layout that ir/kernel.h documents and sharing no code with the compiler's.
#pragma once

#include "ir/kernel.h"

#include <bit>
#include <cmath>
#include <cstring>
#include <functional>
#include <random>
#include <string>
#include <vector>

namespace rtmc::test {

using namespace rtmc::ir;

/// rows x columns, about `density` of it nonzero.
inline Weights randomWeights(const std::string &name, uint32_t rows, uint32_t columns, double density,
                             std::mt19937_64 &random) {
  Weights w;
  w.name = name;
  w.rows = rows;
  w.columns = columns;
  w.rowBegin.push_back(0);
  std::uniform_real_distribution<double> chance(0, 1);
  std::normal_distribution<float> value(0, 1);
  for (uint32_t r = 0; r < rows; ++r) {
    for (uint32_t c = 0; c < columns; ++c) {
      if (chance(random) >= density) continue;
      w.columnIndex.push_back(c);
      w.values.push_back(value(random));
    }
    w.rowBegin.push_back(static_cast<uint32_t>(w.values.size()));
  }
  w.nonzeros = w.values.size();
  return w;
}

inline float at(const Weights &w, uint32_t row, uint32_t column) {
  if (row >= w.rows) return 0;
  for (uint32_t k = w.rowBegin[row]; k < w.rowBegin[row + 1]; ++k)
    if (w.columnIndex[k] == column) return w.values[k];
  return 0;
}

/// `flags`: i(ndexed), p(artial), d(ense columns), g(ather).
inline TileShape tile(uint32_t lanes, uint32_t width, uint32_t vectors, std::string_view flags = "") {
  const auto has = [&](char flag) { return flags.find(flag) != std::string_view::npos; };
  TileShape shape;
  shape.lanes = lanes;
  shape.width = width;
  shape.vectors = vectors;
  shape.indexed = has('i');
  shape.partial = has('p');
  shape.denseColumns = has('d');
  shape.gather = has('g');
  return shape;
}

/// What one run is made from. Gather: `laneColumns[tile][entry][row in tile]`, kNone for a padding lane.
struct RunPlan {
  TileShape shape;
  std::vector<uint32_t> rows;     // as many as the tiles hold, fewer where indexed or partial
  std::vector<uint32_t> columns;  // first column of each entry
  std::vector<std::vector<std::vector<uint32_t>>> laneColumns;
};

/// The high half h for which the word (h, low) read as a float is nearest to `odd`; found by trying every h.
inline uint16_t nearestHigh(uint16_t low, float odd) {
  if (odd == 0) return 0;
  uint16_t best = 0;
  double distance = INFINITY;
  const uint32_t sign = std::signbit(odd) ? 0x8000u : 0u;
  for (uint32_t h = sign; h < sign + 0x7F80u; ++h) {
    const double value = std::bit_cast<float>((h << 16) | low);
    if (std::abs(value - odd) < distance) distance = std::abs(value - odd), best = static_cast<uint16_t>(h);
  }
  return best;
}

class Packer {
 public:
  Packer(const Weights &w, Precision precision) : w_(w) {
    packed.precision = precision;
    packed.columnWidth = IndexWidth::U8;
    packed.rowWidth = IndexWidth::U16;
    packed.shareBegin = {0};
  }

  void add(const RunPlan &plan) {
    const TileShape &s = plan.shape;
    TileRun run;
    run.shape = static_cast<uint32_t>(packed.shapes.size());
    packed.shapes.push_back(s);
    const uint32_t tileRows = s.lanes * s.vectors / s.width;
    run.tiles = static_cast<uint32_t>((plan.rows.size() + tileRows - 1) / tileRows);
    run.rows = static_cast<uint32_t>(plan.rows.size());
    run.row = s.indexed ? static_cast<uint32_t>(packed.rowTable.size()) : plan.rows[0];
    if (s.indexed) packed.rowTable.insert(packed.rowTable.end(), plan.rows.begin(), plan.rows.end());
    const size_t real = s.gather ? plan.laneColumns[0].size() : plan.columns.size();
    const bool pairs = packed.precision == Precision::BF16;
    run.entries = static_cast<uint32_t>(pairs ? (real + 1) / 2 * 2 : real);
    addColumns(plan, run);
    while (packed.values.size() % 64 != 0) packed.values.push_back(0xAB);  // nobody may read this
    run.value = packed.values.size();
    for (uint32_t t = 0; t < run.tiles; ++t)
      for (uint32_t e = 0; e < run.entries; e += pairs ? 2 : 1)
        for (uint32_t slot = 0; slot < valuesPerEntry(s, run.rows); ++slot) addValue(plan, t, e, slot);
    packed.values.resize(packed.values.size() + 4 * surplusValues(s, run.rows), 0xAB);
    packed.runs.push_back(run);
  }
  void endShare() { packed.shareBegin.push_back(static_cast<uint32_t>(packed.runs.size())); }

  Packed packed;

 private:
  void addColumns(const RunPlan &plan, TileRun &run) {
    const TileShape &s = plan.shape;
    if (s.denseColumns) {
      run.column = plan.columns[0];
      return;
    }
    run.column = static_cast<uint32_t>(packed.columnTable.size());
    if (!s.gather) {
      for (uint32_t e = 0; e < run.entries; ++e)
        packed.columnTable.push_back(e < plan.columns.size() ? plan.columns[e] : plan.columns.back());
      return;
    }
    for (uint32_t t = 0; t < run.tiles; ++t)
      for (uint32_t e = 0; e < run.entries; ++e)
        for (uint32_t lane = 0; lane < valuesPerEntry(s, run.rows); ++lane) {
          const uint32_t column = e < plan.laneColumns[t].size() ? plan.laneColumns[t][e][lane] : kNone;
          packed.columnTable.push_back(column == kNone ? 0 : column);
        }
    packed.columnTable.resize(packed.columnTable.size() + surplusValues(s, run.rows));
  }

  float weight(const RunPlan &plan, uint32_t t, uint32_t e, uint32_t slot) const {
    const TileShape &s = plan.shape;
    const uint32_t inTile = s.gather ? slot : slot / s.width;
    const size_t index = size_t{t} * (s.lanes * s.vectors / s.width) + inTile;
    if (index >= plan.rows.size()) return 0;
    if (!s.gather) return e < plan.columns.size() ? at(w_, plan.rows[index], plan.columns[e] + slot % s.width) : 0;
    if (e >= plan.laneColumns[t].size() || plan.laneColumns[t][e][slot] == kNone) return 0;
    return at(w_, plan.rows[index], plan.laneColumns[t][e][slot]);
  }

  void addValue(const RunPlan &plan, uint32_t t, uint32_t e, uint32_t slot) {
    const float value = weight(plan, t, e, slot);
    uint32_t bits = std::bit_cast<uint32_t>(value), bytes = 4;
    if (packed.precision == Precision::F16) bits = floatToHalf(value), bytes = 2;
    if (packed.precision == Precision::BF16) {
      const uint16_t low = floatToBfloat(value);
      bits = (uint32_t{nearestHigh(low, weight(plan, t, e + 1, slot))} << 16) | low;
    }
    for (uint32_t b = 0; b < bytes; ++b) packed.values.push_back(static_cast<uint8_t>(bits >> (8 * b)));
  }
  const Weights &w_;
};

// ---------------------------------------------------------------------------------------------------- the program

inline EwInstr load(Id buffer, std::string name, bool mapped = false, uint32_t offset = 0) {
  EwInstr i;
  i.op = EwOp::Load;
  i.buffer = buffer;
  i.mapped = mapped;
  i.offset = offset;
  i.name = std::move(name);
  return i;
}
inline EwInstr store(Id buffer, uint32_t value, bool mapped = false, uint32_t offset = 0) {
  EwInstr i = load(buffer, "", mapped, offset);
  i.op = EwOp::Store;
  i.a = value;
  return i;
}
inline EwInstr compute(EwOp op, std::string name, uint32_t a, uint32_t b = kNone, uint32_t c = kNone) {
  EwInstr i;
  i.op = op;
  i.name = std::move(name);
  i.a = a;
  i.b = b;
  i.c = c;
  return i;
}
inline EwInstr number(float value, std::string name) {
  EwInstr i;
  i.imm = value;
  i.name = std::move(name);
  return i;
}

enum class Stage { Lowered, Grouped, Partitioned, Packed };

/// A GRU (reset before) of 8 units and 5 inputs, cut for two shares from Stage::Partitioned on. Units are permuted;
/// unit rows 2, 3 and 6 of gate z are constants, so that z has a compact space, with a padding slot behind share 0.
struct GruIds {
  static constexpr Id units = 0, z = 1;
  static constexpr Id in = 0, out = 1, h = 2, rh = 3, preR = 4, preZ = 5, gateZ = 6, preN = 7, biasR = 8, biasZ = 9,
                      biasN = 10;
  static constexpr uint32_t size = 8, inputs = 5, slots = 6;
};

inline Buffer buffer(std::string name, uint32_t size, Lifetime lifetime, Id space, std::vector<float> init = {}) {
  Buffer b;
  b.name = std::move(name);
  b.size = size;
  b.lifetime = lifetime;
  b.space = space;
  b.init = std::move(init);
  b.allSteps = lifetime == Lifetime::In || lifetime == Lifetime::Out;
  return b;
}

/// Packs rows of each share through the row table, four at a time, all columns in one dense or one listed run.
inline void packByShares(Weights &w, Precision precision, const std::vector<std::vector<uint32_t>> &rowsOfShare) {
  Packer packer(w, precision);
  uint32_t turn = 0;
  for (const std::vector<uint32_t> &rows : rowsOfShare) {
    for (size_t first = 0; first < rows.size(); first += 4, ++turn) {
      RunPlan plan;
      plan.shape.lanes = 4;
      plan.shape.indexed = true;
      plan.rows.assign(rows.begin() + static_cast<long>(first),
                       rows.begin() + static_cast<long>(std::min(first + 4, rows.size())));
      const bool even = precision != Precision::BF16 || w.columns % 2 == 0;
      plan.shape.denseColumns = turn % 2 == 0 && even;
      for (uint32_t c = 0; c < w.columns; ++c) plan.columns.push_back(c);
      packer.add(plan);
    }
    packer.endShare();
  }
  w.packed = std::move(packer.packed);
  w.schedule.precision = precision;
  w.rowBegin = w.columnIndex = {};
  w.values = {};
  w.groups = {};
}

inline void cutProgram(Program &p) {
  p.shares = 2;
  for (Phase &phase : p.sections[0].phases) {
    phase.cuts = {0, 4, 8};
    phase.shareCost = {12.5, 13};
    for (Operation &operation : phase.ops)
      if (auto *e = std::get_if<Elementwise>(&operation))
        e->parts = e->space == GruIds::z ? std::vector<Part>{{0, 2}, {3, 6}} : std::vector<Part>{{0, 4}, {4, 8}};
  }
}

inline Program gruProgram(Stage stage, Precision precision = Precision::F32, uint64_t seed = 1) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> value(0, 1);
  const auto values = [&](uint32_t count) {
    std::vector<float> list(count);
    for (float &v : list) v = value(random);
    return list;
  };
  using G = GruIds;
  Program p;
  p.name = "fixture";
  p.target = "x86_64-unknown-linux-gnu";
  p.cpu = "x86-64-v3";
  p.precision = precision;
  p.shapeHash = "0123456789abcdef";
  p.passes = {"apply-masks", "lower-cells"};
  p.folded.constantGateRows = 3;
  p.loads = {77, 33};
  p.spaces = {{"gru0", 8, kNone, {3, 0, 7, 1, 2, 6, 4, 5}, 8}, {"gru0_z", 6, G::units, {0, 2, kNone, 4, 6, 7}, 0}};
  p.buffers = {buffer("in", 5, Lifetime::In, kNone),
               buffer("out", 8, Lifetime::Out, kNone),
               buffer("gru0_h", 8, Lifetime::State, G::units),
               buffer("gru0_rh", 8, Lifetime::Scratch, G::units),
               buffer("gru0_r_pre", 8, Lifetime::Scratch, G::units),
               buffer("gru0_z_pre", 6, Lifetime::Scratch, G::z),
               buffer("gru0_z", 8, Lifetime::Scratch, G::units, values(8)),
               buffer("gru0_n_pre", 8, Lifetime::Scratch, G::units),
               buffer("gru0_r_bias", 8, Lifetime::Const, G::units, values(8)),
               buffer("gru0_z_bias", 6, Lifetime::Const, G::z, values(6)),
               buffer("gru0_n_bias", 8, Lifetime::Const, G::units, values(8))};
  p.buffers[G::h].comment = "hidden state: \"h\"";
  p.buffers[G::h].range = Range{-1, 1};
  p.states = {{G::h}};
  for (const char *gate : {"r", "z", "n"})
    for (const bool input : {true, false}) {
      const std::string name = std::string("gru0.weight_") + (input ? "ih." : "hh.") + gate;
      const bool isZ = gate[0] == 'z';
      Weights w = randomWeights(name, isZ ? 6 : 8, input ? 5 : 8, input ? 0.6 : 0.4, random);
      if (isZ) {  // nothing in the padding slot
        const uint32_t begin = w.rowBegin[2], end = w.rowBegin[3];
        w.columnIndex.erase(w.columnIndex.begin() + begin, w.columnIndex.begin() + end);
        w.values.erase(w.values.begin() + begin, w.values.begin() + end);
        for (uint32_t r = 3; r < w.rowBegin.size(); ++r) w.rowBegin[r] -= end - begin;
        w.nonzeros = w.values.size();
      }
      w.rowSpace = isZ ? G::z : G::units;
      w.columnSpace = input ? kNone : G::units;
      w.structure.scheme = Scheme::Unstructured;
      w.patternHash = "00000000000000" + std::to_string(10 + p.weights.size());
      w.schedule.lanes = {4, 1, false};
      w.schedule.tile = 8;
      w.schedule.precision = precision;
      p.weights.push_back(std::move(w));
    }

  const auto bias = [&](const char *name, Id space, Id from, Id to) {
    Elementwise e;
    e.name = name;
    e.space = space;
    e.count = p.spaces[space].size;
    e.body = {load(from, "bias"), store(to, 0)};
    return e;
  };
  const auto product = [&](Id weights, Id x, Id y) { return MatMul{p.weights[weights].name, weights, x, 0, y}; };
  Phase gates;
  gates.name = "gru0: reset and update gates";
  gates.domain = G::units;
  gates.ops = {bias("r_bias", G::units, G::biasR, G::preR),
               bias("z_bias", G::z, G::biasZ, G::preZ),
               product(0, G::in, G::preR),
               product(2, G::in, G::preZ),
               product(1, G::h, G::preR),
               product(3, G::h, G::preZ)};
  Elementwise z;
  z.name = "z";
  z.space = G::z;
  z.count = 6;
  z.map = p.spaces[G::z].order;
  z.body = {load(G::preZ, "pre"), compute(EwOp::Sigmoid, "value", 0), store(G::gateZ, 1, true)};
  Elementwise reset;
  reset.name = "reset";
  reset.space = G::units;
  reset.count = 8;
  reset.body = {load(G::preR, "r_pre"), compute(EwOp::Sigmoid, "r", 0), load(G::h, "h"), compute(EwOp::Mul, "", 1, 2),
                store(G::rh, 3)};
  gates.ops.emplace_back(z);
  gates.ops.emplace_back(reset);
  Phase update;
  update.name = "gru0: candidate and new state";
  update.domain = G::units;
  update.ops = {bias("n_bias", G::units, G::biasN, G::preN), product(4, G::in, G::preN), product(5, G::rh, G::preN)};
  Elementwise step;
  step.name = "update";
  step.space = G::units;
  step.count = 8;
  step.map = p.spaces[G::units].order;
  step.body = {load(G::gateZ, "z"),
               load(G::preN, "n_pre"),
               compute(EwOp::Tanh, "n", 1),
               load(G::h, "h"),
               compute(EwOp::Lerp, "h_new", 0, 3, 2),
               store(G::h, 4),
               store(G::out, 4, true)};
  update.ops.emplace_back(step);
  Section section;
  section.name = "step";
  section.phases = {gates, update};
  p.sections = {section};

  if (stage == Stage::Lowered) return p;
  for (Weights &w : p.weights) {
    RowGroup even, odd;  // rows by parity: every row once
    for (uint32_t r = 0; r < w.rows; ++r) (r % 2 ? odd : even).rows.push_back(r);
    for (uint32_t c = 0; c < w.columns; ++c) even.columns.push_back(c), odd.columns.push_back(c);
    w.groups = {even, odd};
    w.tiles = {tile(4, 1, 2), tile(4, 1, 1)};
  }
  if (stage == Stage::Grouped) return p;
  cutProgram(p);
  if (stage == Stage::Partitioned) return p;
  for (Weights &w : p.weights)
    packByShares(w, precision,
                 w.rowSpace == G::z ? std::vector<std::vector<uint32_t>>{{0, 1}, {3, 4, 5}}
                                    : std::vector<std::vector<uint32_t>>{{0, 1, 2, 3}, {4, 5, 6, 7}});
  return p;
}

template <typename Op>
Op &operation(Program &p, size_t phase, size_t index) {
  return std::get<Op>(p.sections[0].phases[phase].ops[index]);
}

}  // namespace rtmc::test
