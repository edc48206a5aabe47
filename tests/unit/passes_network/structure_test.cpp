// Schemes that are made are found, promises are kept or refused with the right numbers, and millions of weights take a
// moment.
#include "growth.h"
#include "network_pass.h"
#include "passes/find_structure_pattern.h"
#include "random_network.h"
#include "test_options.h"

namespace rtmc::passes::test {
namespace {

using ir::Scheme;

struct Matrix {
  uint32_t rows, columns;
  std::vector<float> values;
  Matrix(uint32_t r, uint32_t c, float value = 1) : rows(r), columns(c), values(size_t{r} * c, value) {}
  float &at(uint32_t r, uint32_t c) { return values[size_t{r} * columns + c]; }
  Pattern pattern() const { return makePattern(values.data(), rows, columns, {rows, columns, {}, {}, {}}); }
};

/// Exactly `keep` of `count`.
std::vector<uint8_t> choose(std::mt19937_64 &random, uint32_t count, uint32_t keep) {
  std::vector<uint8_t> chosen(count, 0);
  std::fill_n(chosen.begin(), std::min(keep, count), 1);
  std::shuffle(chosen.begin(), chosen.end(), random);
  return chosen;
}

/// In each block of the grid: rows (shared by all blocks of a stripe where `sharedRows`) times columns.
Matrix makeCells(std::mt19937_64 &random, uint32_t rows, uint32_t columns, uint32_t height, uint32_t width,
                 uint32_t keepRows, uint32_t keepColumns, bool sharedRows) {
  Matrix m(rows, columns, 0);
  for (uint32_t top = 0; top < rows; top += height) {
    std::vector<uint8_t> keptRows = choose(random, height, keepRows);
    for (uint32_t left = 0; left < columns; left += width) {
      if (!sharedRows) keptRows = choose(random, height, keepRows);
      const std::vector<uint8_t> keptColumns = choose(random, width, keepColumns);
      for (uint32_t r = top; r < std::min(rows, top + height); ++r)
        for (uint32_t c = left; c < std::min(columns, left + width); ++c)
          m.at(r, c) = keptRows[r - top] && keptColumns[c - left];
    }
  }
  return m;
}

Matrix makeBlocks(std::mt19937_64 &random, uint32_t rows, uint32_t columns, uint32_t height, uint32_t width,
                  double keep) {
  Matrix m(rows, columns, 0);
  for (uint32_t top = 0; top < rows; top += height)
    for (uint32_t left = 0; left < columns; left += width)
      if (std::uniform_real_distribution<double>(0, 1)(random) < keep)
        for (uint32_t r = top; r < std::min(rows, top + height); ++r)
          for (uint32_t c = left; c < std::min(columns, left + width); ++c) m.at(r, c) = 1;
  return m;
}

Matrix makeUnstructured(std::mt19937_64 &random, uint32_t rows, uint32_t columns, double keep) {
  Matrix m(rows, columns, 0);
  for (float &v : m.values) v = std::uniform_real_distribution<double>(0, 1)(random) < keep;
  return m;
}

void checkFound(const Matrix &m, Scheme scheme, uint32_t blockRows, uint32_t blockColumns) {
  const ir::Structure found = detect(m.pattern());
  CHECK(ir::schemeName(found.scheme) == ir::schemeName(scheme));
  CHECK(found.blockRows == blockRows);
  CHECK(found.blockColumns == blockColumns);
  CHECK(found.fill >= kFillNeeded);
}

/// The definition of the contract, read aloud: rows and columns of a block, position by position.
uint64_t positionsByDefinition(Matrix m, Scheme scheme, uint32_t height, uint32_t width) {
  const auto any = [&](uint32_t r0, uint32_t r1, uint32_t c0, uint32_t c1) {
    for (uint32_t r = r0; r < std::min(r1, m.rows); ++r)
      for (uint32_t c = c0; c < std::min(c1, m.columns); ++c)
        if (m.at(r, c) != 0) return true;
    return false;
  };
  uint64_t count = 0;
  for (uint32_t r = 0; r < m.rows; ++r)
    for (uint32_t c = 0; c < m.columns; ++c) {
      const uint32_t top = r / height * height, left = c / width * width;
      bool inside = true;
      if (scheme == Scheme::Row) inside = any(r, r + 1, 0, m.columns);
      if (scheme == Scheme::Column) inside = any(0, m.rows, c, c + 1);
      if (scheme == Scheme::Block) inside = any(top, top + height, left, left + width);
      if (scheme == Scheme::Bsp) inside = any(r, r + 1, 0, m.columns) && any(top, top + height, c, c + 1);
      if (scheme == Scheme::Bcr || scheme == Scheme::Csb)
        inside = any(r, r + 1, left, left + width) && any(top, top + height, c, c + 1);
      if (scheme == Scheme::Unstructured) inside = m.at(r, c) != 0;
      count += inside;
    }
  return count;
}

}  // namespace

TEST_CASE("schemes that were made are found") {
  const uint64_t seed = rtmc::test::seed(1);
  MESSAGE("seed " << seed);
  std::mt19937_64 random(seed);
  checkFound(Matrix(100, 70), Scheme::Dense, 0, 0);
  checkFound(Matrix(100, 70, 0), Scheme::Row, 0, 0);
  checkFound(makeCells(random, 100, 70, 100, 70, 30, 70, true), Scheme::Row, 0, 0);
  checkFound(makeCells(random, 100, 70, 100, 70, 100, 20, true), Scheme::Column, 0, 0);
  checkFound(makeBlocks(random, 128, 96, 4, 4, 0.2), Scheme::Block, 4, 4);
  checkFound(makeBlocks(random, 128, 96, 8, 1, 0.2), Scheme::Block, 8, 1);
  checkFound(makeBlocks(random, 128, 96, 1, 8, 0.2), Scheme::Block, 1, 8);
  checkFound(makeBlocks(random, 130, 99, 16, 1, 0.2), Scheme::Block, 16, 1);
  checkFound(makeBlocks(random, 1024, 1024, 64, 64, 0.1), Scheme::Block, 64, 64);
  checkFound(makeBlocks(random, 100, 100, 10, 5, 0.3), Scheme::Block, 10, 5);
  checkFound(makeCells(random, 1024, 1024, 256, 256, 90, 25, true), Scheme::Bsp, 256, 256);
  checkFound(makeCells(random, 1024, 1024, 32, 128, 20, 16, true), Scheme::Bsp, 32, 128);
  checkFound(makeCells(random, 300, 200, 100, 50, 40, 9, true), Scheme::Bsp, 100, 50);
  checkFound(makeCells(random, 512, 512, 128, 128, 40, 30, false), Scheme::Bcr, 128, 128);
  checkFound(makeCells(random, 512, 512, 32, 32, 12, 12, false), Scheme::Csb, 32, 32);
  for (const double keep : {0.5, 0.1, 0.01, 0.001})
    checkFound(makeUnstructured(random, 512, 300, keep), Scheme::Unstructured, 0, 0);
}

TEST_CASE("a measured structure has exactly the positions of the contract's definition") {
  const uint64_t seed = rtmc::test::seed(2);
  MESSAGE("seed " << seed);
  std::mt19937_64 random(seed);
  for (int i = 0; i < 60; ++i) {
    const auto rows = static_cast<uint32_t>(1 + random() % 150), columns = static_cast<uint32_t>(1 + random() % 150);
    Matrix m(rows, columns);
    testing::sparsify(m.values, rows, columns, random);
    const auto height = static_cast<uint32_t>(1 + random() % rows),
               width = static_cast<uint32_t>(1 + random() % columns);
    CAPTURE(i);
    CAPTURE(height);
    CAPTURE(width);
    for (const Scheme scheme : {Scheme::Dense, Scheme::Row, Scheme::Column, Scheme::Block, Scheme::Bsp, Scheme::Bcr,
                                Scheme::Csb, Scheme::Unstructured}) {
      CAPTURE(ir::schemeName(scheme));
      const Pattern pattern = m.pattern();
      const Fit fit = measure(pattern, scheme, height, width);
      CHECK(fit.positions == positionsByDefinition(m, scheme, height, width));
      ir::Structure structure;
      structure.scheme = scheme;
      structure.blockRows = height;
      structure.blockColumns = width;
      const auto hole = firstHole(pattern, structure);
      CHECK(hole.has_value() == (fit.positions != pattern.nonzeros));
      if (!hole) continue;
      // Filling the first hole must not change the structure, and all before it are full.
      CHECK(m.at(hole->first, hole->second) == 0);
      Matrix filled = m;
      filled.at(hole->first, hole->second) = 1;
      CHECK(measure(filled.pattern(), scheme, height, width).positions == fit.positions);
    }
  }
}

TEST_CASE("dropped units and constant rows hide no structure") {
  std::mt19937_64 random(3);
  Matrix whole = makeBlocks(random, 64, 64, 4, 4, 0.3);
  std::vector<uint32_t> rows, columns;
  for (uint32_t i = 0; i < 64; ++i) {
    if (i % 5 != 1) rows.push_back(i);
    if (i % 7 != 2) columns.push_back(i);
  }
  Matrix cut(static_cast<uint32_t>(rows.size()), static_cast<uint32_t>(columns.size()));
  for (uint32_t r = 0; r < cut.rows; ++r)
    for (uint32_t c = 0; c < cut.columns; ++c) cut.at(r, c) = whole.at(rows[r], columns[c]);
  std::vector<uint8_t> constant(rows.size(), 0);
  for (uint32_t r = 0; r < cut.rows; r += 9) {
    constant[r] = 1;
    for (uint32_t c = 0; c < cut.columns; ++c) cut.at(r, c) = 0;
  }
  const ir::Structure found =
      detect(makePattern(cut.values.data(), cut.rows, cut.columns, {64, 64, rows, columns, constant}));
  CHECK(found.scheme == Scheme::Block);
  CHECK(found.blockRows == 4);
  CHECK(found.blockColumns == 4);
  CHECK(found.fill == 1.0);
}

TEST_CASE("a promise holds from 98 percent on, and decides between schemes that hold") {
  Matrix m(100, 100);
  for (uint32_t c = 0; c < 100; ++c) m.at(10, c) = m.at(20, c) = 0;
  CHECK(detectScheme(m.pattern(), Scheme::Dense, 0, 0).fill == 0.98);
  std::mt19937_64 random(4);
  const Matrix blocks = makeBlocks(random, 64, 64, 16, 16, 0.4);
  const ir::Structure promised = detectScheme(blocks.pattern(), Scheme::Block, 4, 4);
  CHECK(promised.blockRows == 4);
  CHECK(promised.fill == 1.0);
  CHECK(detectScheme(blocks.pattern(), Scheme::Block, 0, 0).blockRows == 16);
  CHECK(detectScheme(blocks.pattern(), Scheme::Block, 32, 32).fill < kFillNeeded);
}

TEST_CASE("finding a scheme takes no more than the size of the matrix") {
  const uint64_t seed = rtmc::test::seed(5);
  MESSAGE("seed " << seed);
  std::mt19937_64 random(seed);
  constexpr uint32_t kTimes = 4;  // rows, and columns
  constexpr double kLimit = 5 * kTimes * kTimes;
  const auto grows = [&](const std::string &what, const Matrix &small, const Matrix &large) {
    const auto of = [](const Matrix &m) { return [&m] { detect(m.pattern()); }; };
    const double ratio = rtmc::test::growth(kLimit, of(small), of(large));
    MESSAGE(what << ": 16 times the matrix takes " << ratio << " times as long");
    CHECK(ratio <= kLimit);
  };
  for (const double keep : {1.0, 0.5, 0.1, 0.01})
    grows("unstructured, " + std::to_string(keep), makeUnstructured(random, 256, 256, keep),
          makeUnstructured(random, 256 * kTimes, 256 * kTimes, keep));
  for (const uint32_t block : {16u, 32u, 64u}) {
    const auto cells = [&](uint32_t size) {
      return makeCells(random, size, size, block, block, block / 3, block / 3, false);
    };
    grows("CSB, blocks of " + std::to_string(block), cells(256), cells(256 * kTimes));
  }
}

}  // namespace rtmc::passes::test
