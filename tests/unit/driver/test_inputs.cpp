#include "driver/test_inputs.h"

#include <doctest/doctest.h>

#include <algorithm>
#include <cmath>
#include <set>

using namespace rtmc;

namespace {

ir::Network twoInputs() {
  ir::Network network;
  network.inputs.push_back({"a", 3, std::nullopt, {}});
  network.inputs.push_back({"b", 2, ir::Range{-0.5f, 0.25f}, {}});
  return network;
}

}  // namespace

TEST_CASE("random inputs have unit scale, depend on the seed, and keep promised ranges") {
  const ir::Network network = twoInputs();
  const driver::Sequence sequence = driver::randomSequence(network, 4000, 5);
  double squares = 0;
  for (size_t i = 0; i < sequence.values.size(); ++i) {
    if (i % 5 < 3) {
      squares += double(sequence.values[i]) * sequence.values[i];
    } else {
      CHECK(sequence.values[i] >= -0.5f);
      CHECK(sequence.values[i] <= 0.25f);
    }
  }
  CHECK(squares / 12000 == doctest::Approx(1).epsilon(0.05));
  CHECK(driver::randomSequence(network, 4, 5).values == driver::randomSequence(network, 4, 5).values);
  CHECK(driver::randomSequence(network, 4, 5).values != driver::randomSequence(network, 4, 6).values);
}

TEST_CASE("one-hot inputs visit every column") {
  ir::Network network;
  network.inputs.push_back({"a", 11, std::nullopt, {}});
  std::set<size_t> seen;
  for (const driver::TestInput &input : driver::testInputs(network, 11, 1, 4)) {
    if (input.name != "one-hot") continue;
    CHECK(input.state.size() == 4);
    for (size_t step = 0; step < 11; ++step) {
      const auto row = input.sequence.values.begin() + static_cast<ptrdiff_t>(step * 11);
      CHECK(std::count(row, row + 11, 0.0f) == 10);
      seen.insert(static_cast<size_t>(std::find_if(row, row + 11, [](float v) { return v != 0; }) - row));
    }
  }
  CHECK(seen.size() == 11);
}
