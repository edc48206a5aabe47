#include "matrices.h"

#include "random_network.h"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace rtmc::passes::test {

namespace {

float weight(Random &random) {
  const float value = std::normal_distribution<float>(0, 0.1f)(random);
  return value == 0 ? 0.1f : value;
}

bool chance(Random &random, double p) {
  return std::uniform_real_distribution<double>(0, 1)(random) < p;
}

/// Exactly `keep` of 0..count-1, ascending.
std::vector<uint32_t> choose(Random &random, uint32_t count, uint32_t keep) {
  std::vector<uint32_t> all(count), chosen;
  std::iota(all.begin(), all.end(), 0u);
  std::sample(all.begin(), all.end(), std::back_inserter(chosen), keep, random);
  return chosen;
}

ir::Tensor tensorOf(std::string name, const std::vector<Matrix> &stacked) {
  ir::Tensor tensor;
  tensor.name = tensor.source = std::move(name);
  tensor.shape = {0, stacked.front().columns};
  for (const Matrix &m : stacked) {
    tensor.shape[0] += m.rows;
    tensor.values.insert(tensor.values.end(), m.values.begin(), m.values.end());
  }
  return tensor;
}

ir::Network networkOf(uint32_t inputs) {
  ir::Network network;
  network.name = "matrices";
  ir::Input input;
  input.name = "x";
  input.size = inputs;
  network.inputs.push_back(input);
  return network;
}

}  // namespace

uint64_t Matrix::nonzeros() const {
  return values.size() - static_cast<uint64_t>(std::count(values.begin(), values.end(), 0.0f));
}

Matrix denseMatrix(Random &random, uint32_t rows, uint32_t columns) {
  Matrix m(rows, columns);
  for (float &v : m.values) v = weight(random);
  return m;
}

Matrix bspMatrix(Random &random, uint32_t rows, uint32_t columns, uint32_t blockRows, uint32_t blockColumns,
                 double columnRate, double rate) {
  Matrix m(rows, columns);
  for (uint32_t top = 0; top < rows; top += blockRows)
    for (uint32_t left = 0; left < columns; left += blockColumns) {
      const uint32_t width = std::min(blockColumns, columns - left);
      const auto keep = static_cast<uint32_t>(std::max(1.0, width / columnRate));
      for (uint32_t column : choose(random, width, keep))
        for (uint32_t row = top; row < std::min(rows, top + blockRows); ++row)
          m.at(row, left + column) = weight(random);
    }
  const double fraction = double(m.nonzeros()) / (double(rows) * columns);
  const auto kept = static_cast<uint32_t>(std::clamp(std::round(rows / rate / fraction), 1.0, double(rows)));
  for (uint32_t row : choose(random, rows, rows - kept))
    std::fill_n(m.values.begin() + static_cast<ptrdiff_t>(size_t{row} * columns), columns, 0.0f);
  return m;
}

Matrix unevenBlocks(Random &random, uint32_t rows, uint32_t columns, uint32_t block) {
  Matrix m(rows, columns);
  for (uint32_t top = 0; top < rows; top += block)
    for (uint32_t left = 0; left < columns; left += block) {
      const uint32_t height = std::min(block, rows - top), width = std::min(block, columns - left);
      // Cubed: most blocks are nearly empty, a few nearly full.
      const double share = std::pow(std::uniform_real_distribution<double>(0, 1)(random), 3);
      const auto columnsHere = choose(random, width, static_cast<uint32_t>(width * share));
      for (uint32_t row : choose(random, height, static_cast<uint32_t>(height * std::sqrt(share))))
        for (uint32_t column : columnsHere) m.at(top + row, left + column) = weight(random);
    }
  return m;
}

Matrix heavyStripe(Random &random, uint32_t rows, uint32_t columns, uint32_t begin, uint32_t count) {
  Matrix m = bspMatrix(random, rows, columns, 256, 256, 10, 10);
  const uint64_t others = m.nonzeros();
  const auto keep = static_cast<uint32_t>(std::min<uint64_t>(columns, others / count));
  const auto columnsHere = choose(random, columns, keep);
  for (uint32_t row = begin; row < begin + count; ++row) {
    std::fill_n(m.values.begin() + static_cast<ptrdiff_t>(size_t{row} * columns), columns, 0.0f);
    for (uint32_t column : columnsHere) m.at(row, column) = weight(random);
  }
  return m;
}

Matrix unstructured(Random &random, uint32_t rows, uint32_t columns, double keep) {
  Matrix m(rows, columns);
  for (float &v : m.values)
    if (chance(random, keep)) v = weight(random);
  return m;
}

Matrix wholeBlocks(Random &random, uint32_t rows, uint32_t columns, uint32_t height, uint32_t width, double keep) {
  Matrix m(rows, columns);
  for (uint32_t top = 0; top < rows; top += height)
    for (uint32_t left = 0; left < columns; left += width)
      if (chance(random, keep))
        for (uint32_t row = top; row < std::min(rows, top + height); ++row)
          for (uint32_t column = left; column < std::min(columns, left + width); ++column)
            m.at(row, column) = weight(random);
  return m;
}

Matrix anyMatrix(Random &random, uint32_t rows, uint32_t columns) {
  switch (random() % 6) {
    case 0:
      return bspMatrix(random, rows, columns, 1 + random() % rows, 1 + random() % columns, 1 + random() % 8,
                       1 + random() % 20);
    case 1:
      return unevenBlocks(random, rows, columns, 1 + random() % 64);
    case 2:
      return unstructured(random, rows, columns, std::pow(0.5, 1 + double(random() % 8)));
    case 3:
      return wholeBlocks(random, rows, columns, 1u << random() % 5, 1u << random() % 5, 0.2);
    default: {
      Matrix m = denseMatrix(random, rows, columns);
      testing::sparsify(m.values, rows, columns, random);
      return m;
    }
  }
}

ir::Network linearNetwork(const Matrix &matrix) {
  ir::Network network = networkOf(matrix.columns);
  ir::Layer layer;
  layer.name = "y";
  layer.size = matrix.rows;
  layer.inputs = {{ir::ValueRef::Kind::Input, 0}};
  ir::Linear linear;
  linear.weight = tensorOf("y.weight", {matrix});
  layer.op = std::move(linear);
  network.layers.push_back(std::move(layer));
  network.outputs = {{ir::ValueRef::Kind::Layer, 0}};
  return network;
}

ir::Network gruNetwork(const std::vector<Matrix> &input, const std::vector<Matrix> &state) {
  ir::Network network = networkOf(input.front().columns);
  ir::Layer gru;
  gru.name = "g";
  gru.size = state.front().rows;
  gru.inputs = {{ir::ValueRef::Kind::Input, 0}};
  ir::Recurrence tensors;
  tensors.weightIh = tensorOf("g.weight_ih", input);
  tensors.weightHh = tensorOf("g.weight_hh", state);
  ir::Gru op;
  op.directions.push_back(std::move(tensors));
  gru.op = std::move(op);
  network.layers.push_back(std::move(gru));
  Random random(1);
  ir::Layer out;
  out.name = "y";
  out.size = 2;
  out.inputs = {{ir::ValueRef::Kind::Layer, 0}};
  ir::Linear linear;
  linear.weight = tensorOf("y.weight", {denseMatrix(random, 2, state.front().rows)});
  out.op = std::move(linear);
  network.layers.push_back(std::move(out));
  network.outputs = {{ir::ValueRef::Kind::Layer, 1}};
  return network;
}

}  // namespace rtmc::passes::test
