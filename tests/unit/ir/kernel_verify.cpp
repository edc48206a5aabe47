// One failing case for each rule of the kernel IR's verifier; those for weights stand in kernel_verify_weights.cpp.
#include "kernel_cases.h"

#include <doctest/doctest.h>

#include <limits>
#include <string>

using namespace rtmc;
using namespace rtmc::test;
using G = GruIds;

namespace {

Packed &packed(Program &p, Id weights = 1) {
  return *p.weights[weights].packed;
}
EwInstr &instr(Program &p, size_t phase, size_t op, size_t index) {
  return operation<Elementwise>(p, phase, op).body[index];
}

/// Phase 0 of the fixture: 0 r_bias, 1 z_bias, 2..5 products, 6 z, 7 reset. Phase 1: 0 n_bias, 1, 2 products, 3 update.
constexpr size_t kZ = 6, kReset = 7, kUpdate = 3;

/// A copy of h in half precision that every share makes for itself, into a new buffer 11.
Elementwise halfCopy(Program &p) {
  Buffer half = p.buffers[G::h];
  half.name = "gru0_h16";
  half.lifetime = Lifetime::Scratch;
  half.dtype = DType::F16;
  half.perShare = true;
  p.buffers.push_back(half);
  Elementwise copy;
  copy.name = "copy";
  copy.space = G::units;
  copy.count = 8;
  copy.replicated = true;
  copy.body = {load(G::h, "h"), store(11, 0)};
  return copy;
}

}  // namespace

TEST_CASE("the fixture is accepted at every stage") {
  for (const Stage stage : {Stage::Lowered, Stage::Grouped, Stage::Partitioned, Stage::Packed})
    for (const Precision precision : {Precision::F32, Precision::F16, Precision::BF16})
      CHECK(joined(verify(gruProgram(stage, precision))) == "");
}

TEST_CASE("program") {
  checkCases({
      {"version 2 is not 1", [](Program &p) { p.version = 2; }},
      {"is not a C identifier", [](Program &p) { p.name = "two words"; }},
      {"0 shares", [](Program &p) { p.shares = 0; }},
      {"shape hash 'xyz'", [](Program &p) { p.shapeHash = "xyz"; }},
      {"exactly one section per step",
       [](Program &p) { p.sections.push_back({"again", SectionKind::PerStep, false, {}, {}}); }},
      {"backward, but the program is causal", [](Program &p) { p.sections[0].backward = true; }},
      {"runs once, but stands behind the steps",
       [](Program &p) { p.sections.push_back({"late", SectionKind::Once, false, {}, {}}); }},
      {"has no chunks of several steps",
       [](Program &p) { p.sections.push_back({"chunk", SectionKind::PerChunk, false, {}, {}}); }},
      {"chunks of 0 steps", [](Program &p) { p.chunk = 0; }},
      {"chunks of 1025 steps", [](Program &p) { p.chunk = 1025; }},
      {"runs whole sequences", [](Program &p) { p.causal = false, p.chunk = 4; }},
      {"there is no buffer 99", [](Program &p) { p.states.push_back({99}); }},
      {"is not an f32 state", [](Program &p) { p.states.push_back({G::rh}); }},
      {"listed twice", [](Program &p) { p.states.push_back({G::h}); }},
      {"saved states would miss", [](Program &p) { p.states.clear(); }},
  });
}

TEST_CASE("spaces") {
  checkCases({
      {"a space has no name", [](Program &p) { p.spaces[0].name = ""; }},
      {"a second one of that name", [](Program &p) { p.spaces[1].name = "gru0"; }},
      {"size 0 is not in", [](Program &p) { p.spaces[1].size = 0; }},
      {"size 2147483648 is not in", [](Program &p) { p.spaces[1].size = 1u << 31; }},
      {"its order has 6 entries for 7 positions", [](Program &p) { p.spaces[1].size = 7; }},
      {"names 8, past the last of 8", [](Program &p) { p.spaces[0].order[2] = 8; }},
      {"names 3 a second time", [](Program &p) { p.spaces[0].order[2] = 3; }},
      {"names 0 a second time", [](Program &p) { p.spaces[1].order[1] = 0; }},
      {"past the last", [](Program &p) { p.spaces[0].order[2] = kNone; }},
      {"its parent is not a root space", [](Program &p) { p.spaces[1].parent = 1; }},
      {"its parent is not a root space", [](Program &p) { p.spaces[1].parent = 7; }},
      {"only 5 to name", [](Program &p) { p.spaces[0].order.clear(), p.spaces[0].userSize = 5; }},
      {"user size", [](Program &p) { p.spaces[0].userSize = 1u << 30; }},
  });
}

TEST_CASE("buffers") {
  constexpr float nan = std::numeric_limits<float>::quiet_NaN();
  checkCases({
      {"is not a C identifier", [](Program &p) { p.buffers[G::rh].name = "gru0.rh"; }},
      {"a second one of that name", [](Program &p) { p.buffers[G::rh].name = "gru0_h"; }},
      {"size 0 is not in", [](Program &p) { p.buffers[G::in].size = 0; }},
      {"there is no space 9", [](Program &p) { p.buffers[G::rh].space = 9; }},
      {"is not that of its space 'gru0', 8", [](Program &p) { p.buffers[G::rh].size = 9; }},
      {"a constant of 8 elements has 7 values", [](Program &p) { p.buffers[G::biasR].init.pop_back(); }},
      {"start values, one for each element", [](Program &p) { p.buffers[G::gateZ].init.pop_back(); }},
      {"start values, one for each element", [](Program &p) { p.buffers[G::h].init.resize(8); }},
      {"a start value is not finite", [](Program &p) { p.buffers[G::gateZ].init[1] = nan; }},
      {"range 1..-1 is not one", [](Program &p) { p.buffers[G::h].range = Range{1, -1}; }},
      {"in and out hold f32", [](Program &p) { p.buffers[G::out].dtype = DType::F16; }},
      {"constants hold f32", [](Program &p) { p.buffers[G::biasR].dtype = DType::F16; }},
      {"state buffers have one row", [](Program &p) { p.buffers[G::h].allSteps = true; }},
      {"only scratch buffers of one row are per share", [](Program &p) { p.buffers[G::h].perShare = true; }},
  });
}

TEST_CASE("products") {
  const auto on = [](const char *complaint, std::function<void(Program &, MatMul &)> change,
                     Stage stage = Stage::Packed) {
    return Case{complaint, [change](Program &p) { change(p, operation<MatMul>(p, 0, 4)); }, stage};  // hh.r
  };
  checkCases({
      on("there are no weights 6", [](Program &, MatMul &m) { m.weights = 6; }),
      on("there is no buffer 11 (x)", [](Program &, MatMul &m) { m.x = 11; }),
      on("(y)", [](Program &, MatMul &m) { m.y = kNone; }),
      on("x and y are both", [](Program &, MatMul &m) { m.x = m.y; }),
      on("has 8 rows, y 'gru0_z_pre' has 6 elements", [](Program &, MatMul &m) { m.y = G::preZ; }),
      on("elements of y 'gru0_r_pre' differ in order", [](Program &p, MatMul &) { p.buffers[G::preR].space = kNone; }),
      on("up to 9 of 8", [](Program &, MatMul &m) { m.xOffset = 1; }),
      on("elements of x 'gru0_h' differ in order", [](Program &p, MatMul &) { p.weights[1].columnSpace = kNone; }),
      on("y 'gru0_r_pre' is not f32", [](Program &p, MatMul &) { p.buffers[G::preR].dtype = DType::F16; }),
      on("sums in f16x4", [](Program &p, MatMul &) { p.weights[1].schedule.accumulate = Accumulate::F16x4; }),
      on("sums in f32, x 'gru0_rh' is f16",
         [](Program &p, MatMul &m) { p.buffers[G::rh].dtype = DType::F16, m.x = G::rh; }),
      on("reads 'out', which is only written", [](Program &, MatMul &m) { m.x = G::out; }),
      on("writes 'gru0_r_bias', which is const", [](Program &, MatMul &m) { m.y = G::biasR; }),
      on("is per share, but is not replicated", [](Program &p, MatMul &) { p.buffers[G::preR].perShare = true; }),
  });
}

TEST_CASE("a padding entry may read the padding of a buffer, not past the caller's memory") {
  Program p = gruProgram(Stage::Packed);
  Weights &ih = p.weights[0];  // 5 columns of `in`, dense from column 0
  ih.packed->shapes[0].width = 2;
  ih.packed->shapes[0].lanes = 8;
  ih.packed->runs[0].entries = 3;
  ih.packed->values.resize((ih.packed->values.size() + 63) / 64 * 64);
  ih.packed->runs[0].value = ih.packed->values.size();
  ih.packed->values.resize(ih.packed->values.size() + 3 * 8 * 4);
  CHECK(joined(verify(p)).find("reads x 'in' up to 6, behind its padding") != std::string::npos);
  p.buffers[G::in].lifetime = Lifetime::Scratch;
  p.buffers[G::in].allSteps = false;
  CHECK(joined(verify(p)) == "");
}

TEST_CASE("elementwise operations") {
  const auto body = [](const char *complaint, std::function<void(EwInstr &)> change, size_t op, size_t index) {
    return Case{complaint, [=](Program &p) { change(instr(p, 0, op, index)); }};
  };
  checkCases({
      body(
          "uses 3, which is not before it", [](EwInstr &i) { i.b = 3; }, kReset, 3),
      body(
          "uses -1, which is not before it", [](EwInstr &i) { i.b = kNone; }, kReset, 3),
      body(
          "operands too many", [](EwInstr &i) { i.c = 0; }, kReset, 3),
      body(
          "has a constant that is not finite", [](EwInstr &i) { i.imm = std::numeric_limits<float>::infinity(); },
          kReset, 3),
      body(
          "(mul) has a constant", [](EwInstr &i) { i.imm = 1; }, kReset, 3),
      body(
          "'r value' is not an identifier", [](EwInstr &i) { i.name = "r value"; }, kReset, 1),
      body(
          "has no such operation", [](EwInstr &i) { i.op = static_cast<EwOp>(77); }, kReset, 1),
      body(
          "(sigmoid) names a buffer", [](EwInstr &i) { i.buffer = 0; }, kReset, 1),
      body(
          "there is no buffer 44", [](EwInstr &i) { i.buffer = 44; }, kReset, 0),
      body(
          "uses 'gru0_h' up to 9 of 8", [](EwInstr &i) { i.offset = 1; }, kReset, 2),
      body(
          "reads 'out', which is only written", [](EwInstr &i) { i.buffer = G::out; }, kReset, 2),
      body(
          "writes 'in', which is in", [](EwInstr &i) { i.buffer = G::in; }, kReset, 4),
      body(
          "writes 'gru0_r_bias', which is const", [](EwInstr &i) { i.buffer = G::biasR; }, kReset, 4),
      body(
          "without a map, but its order is not that of 'gru0'", [](EwInstr &i) { i.buffer = G::preZ; }, kReset, 0),
      body(
          "without a map, but its order is not that of 'gru0_z'", [](EwInstr &i) { i.mapped = false; }, kZ, 2),
      {"a store without a value",
       [](Program &p) {
         auto &e = operation<Elementwise>(p, 1, kUpdate);
         e.body.push_back(store(G::rh, 5));
       }},
      {"0 elements", [](Program &p) { operation<Elementwise>(p, 0, kReset).count = 0; }},
      {"there is no space 5", [](Program &p) { operation<Elementwise>(p, 0, kReset).space = 5; }},
      {"7 elements, but space 'gru0' has 8", [](Program &p) { operation<Elementwise>(p, 0, kReset).count = 7; }},
      {"the map has 5 entries for 6 elements", [](Program &p) { operation<Elementwise>(p, 0, kZ).map.pop_back(); }},
      {"the map has 1 entries for 8 elements", [](Program &p) { operation<Elementwise>(p, 0, kReset).map = {0}; }},
      {"two elements are stored at place 0", [](Program &p) { operation<Elementwise>(p, 0, kZ).map[1] = 0; }},
      {"uses 'gru0_z' up to 9 of 8", [](Program &p) { operation<Elementwise>(p, 0, kZ).map[1] = 8; }},
      {"its map entry is empty", [](Program &p) { operation<Elementwise>(p, 0, kZ).map[1] = kNone; }},
      {"element 1 has no map entry", [](Program &p) { operation<Elementwise>(p, 0, kZ).map[1] = kNone; },
       Stage::Lowered},
      {"1 parts for 2 shares", [](Program &p) { operation<Elementwise>(p, 0, kReset).parts = {{0, 8}}; }},
      {"part 4..9 of 8", [](Program &p) { operation<Elementwise>(p, 0, kReset).parts[1].end = 9; }},
      {"part 4..3 of 8", [](Program &p) { operation<Elementwise>(p, 0, kReset).parts[1].end = 3; }},
      {"element 3 is in two parts", [](Program &p) { operation<Elementwise>(p, 0, kReset).parts[1].begin = 3; }},
      {"element 4 is in no part", [](Program &p) { operation<Elementwise>(p, 0, kReset).parts[1].begin = 5; }},
      {"element 7 is in no part", [](Program &p) { operation<Elementwise>(p, 0, kReset).parts[1].end = 7; }},
      {"is replicated, but has parts",
       [](Program &p) { operation<Elementwise>(p, 0, kReset).replicated = p.buffers[G::rh].perShare = true; }},
      {"is replicated, but writes 'gru0_rh'",
       [](Program &p) {
         operation<Elementwise>(p, 0, kReset).replicated = true;
         operation<Elementwise>(p, 0, kReset).parts.clear();
       }},
  });
}

TEST_CASE("an element may not use what another element of the same operation writes") {
  Program p = gruProgram(Stage::Packed);
  Elementwise &e = operation<Elementwise>(p, 1, kUpdate);
  e.space = kNone;  // so that only the hazard is wrong
  e.count = 4;
  e.map.assign(4, 0);
  for (uint32_t i = 0; i < 4; ++i) e.map[i] = 7 - i;
  e.parts = {{0, 4}, {4, 4}};
  e.body = {load(G::h, "h"), store(G::h, 0, false, 4)};
  CHECK(joined(verify(p)) == "");  // 0..3 to 4..7
  e.body[1].offset = 3;
  CHECK(joined(verify(p)).find("one element uses place 3 of 'gru0_h'") != std::string::npos);
  e.body[1] = store(G::h, 0, true);
  CHECK(joined(verify(p)) == "");  // 0..3 to 7..4
  e.map[3] = 1;
  CHECK(joined(verify(p)).find("one element uses place 1 of 'gru0_h'") != std::string::npos);
}

TEST_CASE("softmax") {
  const auto on = [](const char *complaint, std::function<void(Program &, Softmax &)> change) {
    return Case{complaint, [change](Program &p) {
                  p.spaces[0].order.clear();  // the user's order, as softmax into out needs
                  Phase phase;
                  phase.name = "softmax";
                  phase.ops.emplace_back(Softmax{"softmax", G::h, G::out, 0, 8, true});
                  p.sections[0].phases.push_back(phase);
                  change(p, std::get<Softmax>(p.sections[0].phases.back().ops[0]));
                }};
  };
  Program good = gruProgram(Stage::Packed);
  on("", [](Program &, Softmax &) {}).change(good);
  CHECK(joined(verify(good)) == "");
  checkCases({
      on("there is no buffer", [](Program &, Softmax &s) { s.in = 50; }),
      on("in and out are both", [](Program &, Softmax &s) { s.in = s.out; }),
      on("9 elements of 'gru0_h', which has 8", [](Program &, Softmax &s) { s.count = 9; }),
      on("0 elements", [](Program &, Softmax &s) { s.count = 0; }),
      on("writes 'out' up to 9 of 8", [](Program &, Softmax &s) { s.offset = 1; }),
      on("differ in order", [](Program &p, Softmax &) { p.spaces[0].order = {1, 0, 2, 3, 4, 5, 6, 7}; }),
      on("softmax works on f32", [](Program &p, Softmax &s) { p.buffers[G::rh].dtype = DType::F16, s.in = G::rh; }),
      on("which is const", [](Program &, Softmax &s) { s.out = G::biasR; }),
  });
}

TEST_CASE("phases and swaps") {
  const auto swapped = [](const char *complaint, std::function<void(Program &)> change) {
    return Case{complaint, [change](Program &p) {
                  Buffer next = p.buffers[G::h];
                  next.name = "gru0_h_next";
                  p.buffers.push_back(next);
                  p.sections[0].swaps = {{G::h, 11}};
                  change(p);
                }};
  };
  Program good = gruProgram(Stage::Packed);
  swapped("", [](Program &) {}).change(good);
  CHECK(joined(verify(good)) == "");
  checkCases({
      {"its domain is not a root space", [](Program &p) { p.sections[0].phases[0].domain = G::z; }},
      {"its domain is not a root space", [](Program &p) { p.sections[0].phases[0].domain = 8; }},
      {"1 costs for 2 shares", [](Program &p) { p.sections[0].phases[0].shareCost.pop_back(); }},
      {"has cuts, but no domain", [](Program &p) { p.sections[0].phases[0].domain = kNone; }},
      {"do not share out the 8 positions", [](Program &p) { p.sections[0].phases[0].cuts = {0, 8}; }},
      {"do not share out the 8 positions", [](Program &p) { p.sections[0].phases[0].cuts = {0, 4, 7}; }},
      {"do not share out the 8 positions", [](Program &p) { p.sections[0].phases[0].cuts = {0, 9, 8}; }},
      swapped("swaps a buffer that is not there", [](Program &p) { p.sections[0].swaps[0].second = 40; }),
      swapped("one is there twice", [](Program &p) { p.sections[0].swaps[0].second = G::h; }),
      swapped("one is there twice", [](Program &p) { p.sections[0].swaps.push_back({11, G::h}); }),
      swapped("differ in size, order or type", [](Program &p) { p.buffers[11].dtype = DType::F16; }),
      swapped("are not both state", [](Program &p) { p.buffers[11].lifetime = Lifetime::Scratch; }),
      swapped("does not run per step",
              [](Program &p) { p.causal = false, p.sections[0].kind = SectionKind::PerChunk; }),
  });
}

/// Cut after its first phase: all that the second one reads of it needs a row for each step.
Case chunked(const char *complaint, const std::function<void(Program &)> &change) {
  return {complaint, [change](Program &p) {
            p.chunk = 4;
            Section second = p.sections[0];
            second.name = "second";
            second.phases.erase(second.phases.begin());
            p.sections[0].phases.resize(1);
            p.sections.push_back(std::move(second));
            change(p);
          }};
}

TEST_CASE("chunks") {
  checkCases({
      chunked("uses 'gru0_h' as section", [](Program &) {}),
      chunked("runs per chunk, but uses 'gru0_h', which has no row for each step",
              [](Program &p) { p.sections[0].kind = SectionKind::PerChunk; }),
      chunked("reads 'gru0_rh' before the chunk wrote it",
              [](Program &p) {
                p.buffers[G::rh].allSteps = true;
                std::swap(p.sections[0], p.sections[1]);
              }),
  });
}

TEST_CASE("shares are independent") {
  checkCases({
      // Phase 1 reads all of rh, which phase 0 writes; in one phase that is a race.
      {"element 0 of 'gru0_rh' is",
       [](Program &p) {
         auto &phases = p.sections[0].phases;
         for (const Operation &op : phases[1].ops) phases[0].ops.push_back(op);
         phases.pop_back();
       }},
      {"element 0 of 'gru0_rh' is",
       [](Program &p) {
         auto &phases = p.sections[0].phases;
         for (const Operation &op : phases[1].ops) phases[0].ops.push_back(op);
         phases.pop_back();
       },
       Stage::Partitioned},
      // Parts that are not the product's rows.
      {"element 4 of 'gru0_r_pre' is written by share 0 and written by share 1",
       [](Program &p) { operation<Elementwise>(p, 0, 0).parts = {{0, 5}, {5, 8}}; }},
      {"written by share 0 and read by share 1",
       [](Program &p) {
         p.sections[0].phases[0].ops.erase(p.sections[0].phases[0].ops.begin() + 2,
                                           p.sections[0].phases[0].ops.begin() + 6);
         operation<Elementwise>(p, 0, 0).parts = {{0, 5}, {5, 8}};
       }},
      // A mapped store into another share's half.
      {"'gru0_z' is written by share",
       [](Program &p) {
         auto &z = operation<Elementwise>(p, 0, kZ);
         Elementwise second = z;
         second.map = {4, 6, kNone, 0, 2, 7};
         p.sections[0].phases[0].ops.emplace_back(second);
       }},
      {"share 0 computes row 5, which belongs to share 1",
       [](Program &p) {
         packed(p).rowTable[2] = 5;
         packed(p).rowTable[5] = 2;
       }},
      // The same rows, but the cuts are gone: then only the overlap with the elementwise parts tells.
      {"'gru0_r_pre' is written by share",
       [](Program &p) {
         p.sections[0].phases[0].cuts.clear();
         packed(p).rowTable[2] = 5;
         packed(p).rowTable[5] = 2;
       }},
      {"so no share owns them",
       [](Program &p) {
         p.spaces.push_back({"other", 8, kNone, {}, 8});
         p.weights[1].rowSpace = 2;
         p.buffers[G::preR].space = 2;
         for (size_t op : {size_t{0}, kReset}) operation<Elementwise>(p, 0, op).space = kNone;
         p.weights[0].rowSpace = 2;
       },
       Stage::Partitioned},
      // Softmax runs on share 0 and reads everything.
      {"element 4 of 'gru0_h' is read by share 0 and written by share 1",
       [](Program &p) {
         p.spaces[0].order.clear();
         Softmax s{"softmax", G::h, G::rh, 0, 8, false};
         p.sections[0].phases[1].ops.erase(p.sections[0].phases[1].ops.begin() + 2);
         p.sections[0].phases[1].ops.emplace_back(s);
       }},
      // Every share copies h while its owner replaces it.
      {"and read by every share", [](Program &p) { p.sections[0].phases[1].ops.emplace_back(halfCopy(p)); }},
  });
}

TEST_CASE("a replicated copy into per-share buffers is no race where nobody writes its source") {
  Program p = gruProgram(Stage::Packed);
  const Elementwise copy = halfCopy(p);
  auto &ops = p.sections[0].phases[0].ops;
  ops.insert(ops.begin(), copy);
  p.weights[1].schedule.accumulate = p.weights[3].schedule.accumulate = Accumulate::F16x4;
  for (Operation &op : ops)
    if (auto *m = std::get_if<MatMul>(&op); m && m->x == G::h) m->x = 11;
  CHECK(joined(verify(p)) == "");
}
