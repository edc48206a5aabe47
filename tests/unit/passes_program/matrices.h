// Owns: matrices and networks around them for the tests of the program passes: the reference masks, uneven blocks, a
// stripe with half of all weights. Refuses to own: random networks (tests/support).
#pragma once

#include "ir/network.h"

#include <cstdint>
#include <random>
#include <string>
#include <vector>

namespace rtmc::passes::test {

using Random = std::mt19937_64;

/// Row-major, zeros are pruned.
struct Matrix {
  uint32_t rows = 0, columns = 0;
  std::vector<float> values;
  Matrix(uint32_t r, uint32_t c) : rows(r), columns(c), values(size_t{r} * c, 0.0f) {}
  float &at(uint32_t r, uint32_t c) { return values[size_t{r} * columns + c]; }
  uint64_t nonzeros() const;
};

/// Nonzero everywhere, normal.
Matrix denseMatrix(Random &, uint32_t rows, uint32_t columns);
/// The reference masks: in each block max(1, width / columnRate) columns, then as many rows of the whole matrix as
/// bring it nearest to 1 / rate.
Matrix bspMatrix(Random &, uint32_t rows, uint32_t columns, uint32_t blockRows, uint32_t blockColumns,
                 double columnRate, double rate);
/// Blocks with a random set of rows times a random set of columns each, from nothing to everything.
Matrix unevenBlocks(Random &, uint32_t rows, uint32_t columns, uint32_t block);
/// BSP 10x, but rows [begin, begin + count) dense so that they hold about half of all weights.
Matrix heavyStripe(Random &, uint32_t rows, uint32_t columns, uint32_t begin, uint32_t count);
/// Each weight kept on its own.
Matrix unstructured(Random &, uint32_t rows, uint32_t columns, double keep);
/// r x c blocks kept or pruned whole.
Matrix wholeBlocks(Random &, uint32_t rows, uint32_t columns, uint32_t height, uint32_t width, double keep);
/// Any of the above or of tests/support's schemes.
Matrix anyMatrix(Random &, uint32_t rows, uint32_t columns);

/// A matrix as a linear layer: y = W x.
ir::Network linearNetwork(const Matrix &);
/// A GRU (reset before) whose gate matrices are given: r, z, n of the input and of the state. An output layer of two
/// rows reads it, so that its units are hidden.
ir::Network gruNetwork(const std::vector<Matrix> &input, const std::vector<Matrix> &state);

}  // namespace rtmc::passes::test
