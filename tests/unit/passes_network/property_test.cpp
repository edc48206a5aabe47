// On random networks every network pass keeps the meaning, does nothing the second time, and leaves an accepted
// network.
#include "network_pass.h"
#include "random_network.h"
#include "test_options.h"

namespace rtmc::passes::test {
namespace {

/// Rows and columns that die together are rare by chance: here whole units are cut off from readers or from inputs.
ir::Network withDeadUnits(ir::Network network, uint64_t seed) {
  std::mt19937_64 random(seed);
  const auto zeroRow = [](ir::Tensor &t, size_t row) {
    std::fill_n(t.values.begin() + static_cast<ptrdiff_t>(row * t.columns()), t.columns(), 0.0f);
  };
  const auto zeroColumn = [](ir::Tensor &t, size_t column) {
    for (size_t r = 0; r < t.rows(); ++r) t.values[r * t.columns() + column] = 0.0f;
  };
  for (ir::Layer &layer : network.layers) {
    auto *directions = ir::recurrences(layer);
    if (!directions) {
      auto &weight = std::get<ir::Linear>(layer.op).weight;
      for (uint32_t c = 0; c < weight.columns(); ++c)
        if (random() % 3 == 0) zeroColumn(weight, c);
      continue;
    }
    for (ir::Recurrence &r : *directions) {
      for (uint32_t c = 0; c < r.weightIh.columns(); ++c)
        if (random() % 3 == 0) zeroColumn(r.weightIh, c);
      for (uint32_t c = 0; c < r.weightHh.columns(); ++c)
        if (random() % 3 != 0) zeroColumn(r.weightHh, c);
      for (uint32_t c = 0; c < r.weightHr.columns() && r.weightHr.present(); ++c)
        if (random() % 2 == 0) zeroColumn(r.weightHr, c);
      for (uint32_t row = 0; row < r.weightIh.rows(); ++row) {
        if (random() % 2 == 0) zeroRow(r.weightIh, row);
        if (random() % 2 == 0) zeroRow(r.weightHh, row);
        if (r.biasHh.present() && random() % 2 == 0) r.biasHh.values[row] = 0.0f;
        if (r.peephole.present() && row < r.peephole.rows() && random() % 2 == 0) r.peephole.values[row] = 0.0f;
      }
    }
  }
  return network;
}

ir::Network withMasks(ir::Network network, uint64_t seed) {
  std::mt19937_64 random(seed);
  for (ir::Layer &layer : network.layers)
    if (auto *directions = ir::recurrences(layer))
      for (ir::Recurrence &r : *directions)
        for (ir::Tensor *t : {&r.weightIh, &r.weightHh, &r.biasIh, &r.biasHh}) {
          if (!t->present() || random() % 2) continue;
          t->mask.resize(t->values.size());
          for (uint8_t &kept : t->mask) kept = random() % 3 != 0;
        }
  return network;
}

struct Totals {
  ir::FoldReport folded;
  uint64_t structures = 0;
};

void checkSeed(uint64_t seed, Totals &totals) {
  CAPTURE(seed);
  ir::Network network = testing::randomNetwork(seed, {.maxSize = seed % 8 == 0 ? 3u : 24u, .maxLayers = 4});
  if (seed % 3 != 0) network = withDeadUnits(std::move(network), seed);
  if (seed % 4 == 0) network = withMasks(std::move(network), seed);
  for (const char *pass : {"apply-masks", "fold-constants", "find-structure"}) {
    CAPTURE(pass);
    const Ran ran = runPass(pass, network);
    REQUIRE(ran.ok);
    const std::vector<std::string> complaints = ir::verify(ran.network);
    REQUIRE_MESSAGE(complaints.empty(), complaints.front());
    checkSameMeaning(network, ran.network, seed);
    const Ran again = runPass(pass, ran.network);
    CHECK(textOf(again.network) == textOf(ran.network));
    network = ran.network;
  }
  totals.folded.constantGateRows += network.folded.constantGateRows;
  totals.folded.constantGates += network.folded.constantGates;
  totals.folded.droppedUnits += network.folded.droppedUnits;
  totals.folded.droppedWeights += network.folded.droppedWeights;
  for (const ir::Layer &layer : network.layers)
    if (const auto *directions = ir::recurrences(layer))
      for (const ir::Recurrence &r : *directions)
        for (const ir::Structure &s : r.structureHh) totals.structures += s.scheme != ir::Scheme::Auto;
}

}  // namespace

TEST_CASE("random networks mean the same after each pass") {
  const uint64_t first = rtmc::test::seed(1);
  MESSAGE("seeds from " << first << "; --seed=N chooses another");
  Totals totals;
  for (uint64_t seed = first; seed < first + 300; ++seed) checkSeed(seed, totals);
  // The networks did what they were made for.
  CHECK(totals.folded.constantGateRows > 1000);
  CHECK(totals.folded.constantGates > 50);
  CHECK(totals.folded.droppedUnits > 100);
  CHECK(totals.folded.droppedWeights > 1000);
  CHECK(totals.structures > 500);
}

TEST_CASE("fold-constants switched off does nothing") {
  const ir::Network network = runPass("apply-masks", withDeadUnits(testing::randomNetwork(5), 5)).network;
  Options options;
  options.fold = false;
  CHECK(textOf(runPass("fold-constants", network, options).network) == textOf(network));
}

TEST_CASE("after folding nothing dead is left") {
  const uint64_t first = rtmc::test::seed(1000);
  MESSAGE("seeds from " << first << "; --seed=N chooses another");
  for (uint64_t seed = first; seed < first + 60; ++seed) {
    CAPTURE(seed);
    ir::Network network = runPass("apply-masks", withDeadUnits(testing::randomNetwork(seed), seed)).network;
    network = runPass("fold-constants", network).network;
    std::vector<uint8_t> isOutput(network.layers.size(), 0);
    for (const ir::ValueRef ref : network.outputs)
      if (ref.kind == ir::ValueRef::Kind::Layer) isOutput[ref.index] = 1;
    for (size_t l = 0; l < network.layers.size(); ++l) {
      const ir::Layer &layer = network.layers[l];
      const auto *directions = ir::recurrences(layer);
      const auto *lstm = std::get_if<ir::Lstm>(&layer.op);
      // Two directions keep equally many, softmax and projections everything; one unit stays in any case.
      if (!directions || directions->size() > 1 || (lstm && lstm->projection) || isOutput[l] || layer.size == 1)
        continue;
      for (uint32_t unit = 0; unit < layer.size; ++unit) {
        bool read = false;
        const auto reads = [&](const ir::Tensor &t, size_t column) {
          for (size_t r = 0; r < t.rows(); ++r) read |= t.values[r * t.columns() + column] != 0.0f;
        };
        reads((*directions)[0].weightHh, unit);
        for (const ir::Layer &reader : network.layers) {
          size_t column = 0;
          for (const ir::ValueRef ref : reader.inputs) {
            if (ref == ir::ValueRef{ir::ValueRef::Kind::Layer, static_cast<uint32_t>(l)}) {
              if (const auto *readers = ir::recurrences(reader))
                for (const ir::Recurrence &r : *readers) reads(r.weightIh, column + unit);
              else
                reads(std::get<ir::Linear>(reader.op).weight, column + unit);
            }
            column += ir::sizeOf(network, ref);
          }
        }
        CAPTURE(layer.name);
        CAPTURE(unit);
        CHECK((read || unit == 0));
      }
    }
  }
}

}  // namespace rtmc::passes::test
