#include "pruning/budget.h"

#include "pruning/lines.h"
#include "pruning/scores.h"
#include "support/check.h"

#include <array>
#include <bit>
#include <cmath>
#include <utility>

namespace rtmc::pruning {

/// A matrix's groups with their key, norm^2 per weight; in index order.
struct Budget::Groups {
  std::vector<float> magnitudes;  // single weights: the key is the square, exactly
  std::vector<double> keys;       // all others
  std::vector<uint32_t> sizes;    // weights of each of those
  bool ordered = false;           // csb: they go in this order; else by key, among equals the higher index first
  uint64_t weights = 0;

  size_t count() const { return magnitudes.size() + keys.size(); }
  double key(size_t i) const { return keys.empty() ? double{magnitudes[i]} * magnitudes[i] : keys[i]; }
  uint32_t size(size_t i) const { return keys.empty() ? 1 : sizes[i]; }
  void add(double score, uint32_t weightsOfGroup) {
    keys.push_back(score / weightsOfGroup);
    sizes.push_back(weightsOfGroup);
  }
  /// The group that goes last, which is: not at all.
  size_t last() const {
    if (ordered) return count() - 1;
    size_t best = 0;
    for (size_t i = 1; i < count(); ++i)
      if (key(i) > key(best)) best = i;
    return best;
  }
};

namespace {

Part partOf(const Matrix &m) {
  return wholeMatrix(m.values.data(), m.rows, m.columns);
}

/// f(score, weights) for each group that stands alone, in index order.
template <typename F>
void forEachGroup(const Matrix &m, const Projection &p, F f) {
  const Part part = partOf(m);
  if (p.scheme == Scheme::Row) {
    for (const double score : rowSums(part)) f(score, m.columns);
  } else if (p.scheme == Scheme::Block) {
    forEachBlock(part, p.block->rows, p.block->columns,
                 [&](const Part &block, uint32_t, uint32_t, size_t) { f(sum(block), block.rows * block.columns); });
  } else {  // bsp's columns, stripe by stripe: how wide its blocks are does not matter
    const uint32_t rows = p.scheme == Scheme::Bsp ? p.block->rows : m.rows;
    forEachBlock(part, rows, m.columns, [&](const Part &stripe, uint32_t, uint32_t, size_t) {
      for (const double score : columnSums(stripe)) f(score, stripe.rows);
    });
  }
}

/// Keys are never negative, so their bits order as they do.
uint64_t bitsOf(double key) {
  return std::bit_cast<uint64_t>(key + 0.0);  // -0 would be the largest
}

}  // namespace

Budget::Budget() = default;
Budget::~Budget() = default;

void Budget::add(const Matrix &m, const Projection &p) {
  RTMC_CHECK(hasBudget(p), "the scheme has no budget");
  auto groups = std::make_unique<Groups>();
  groups->weights = m.values.size();
  if (p.scheme == Scheme::Unstructured) {
    groups->magnitudes.resize(m.values.size());
    for (size_t i = 0; i < m.values.size(); ++i) groups->magnitudes[i] = std::fabs(m.values[i]);
  } else if (p.scheme == Scheme::Csb) {
    groups->ordered = true;
    const LineRemoval lines(partOf(m), p);
    for (const LineRemoval::Step &step : lines.steps()) {
      groups->keys.push_back(step.key);
      groups->sizes.push_back(step.freed);
    }
  } else {
    forEachGroup(m, p, [&](double score, uint32_t size) { groups->add(score, size); });
  }
  matrices_.push_back(std::move(groups));
}

/// Finds the key at which enough has gone, 16 bits of it after 16, without sorting what may be hundreds of millions.
void Budget::settle(Rate rate) {
  uint64_t left = 0;
  std::vector<size_t> last;
  for (const auto &groups : matrices_) {
    left += groups->weights;
    last.push_back(groups->last());
  }
  const uint64_t kept = keptCount(left, rate);
  gone_.assign(matrices_.size(), 0);
  const auto each = [&](auto f) {
    for (size_t m = 0; m < matrices_.size(); ++m)
      for (size_t i = 0; i < matrices_[m]->count(); ++i)
        if (i != last[m]) f(m, bitsOf(matrices_[m]->key(i)), matrices_[m]->size(i));
  };
  uint64_t prefix = 0;
  for (int shift = 48; shift >= 0; shift -= 16) {
    std::vector<uint64_t> freed(1 << 16, 0);
    each([&](size_t, uint64_t bits, uint32_t size) {
      if (shift == 48 || bits >> (shift + 16) == prefix) freed[bits >> shift & 0xffff] += size;
    });
    uint64_t digit = 0;
    while (digit < 0xffff && left > kept + freed[digit]) left -= freed[digit++];
    prefix = prefix << 16 | digit;
  }
  each([&](size_t m, uint64_t bits, uint32_t) { gone_[m] += bits < prefix; });
  // Of those that are equal to it the later matrix's go first, and each matrix's in its own order.
  for (size_t m = matrices_.size(); m-- > 0 && left > kept;) {
    const Groups &groups = *matrices_[m];
    for (size_t k = 0; k < groups.count() && left > kept; ++k) {
      const size_t i = groups.ordered ? k : groups.count() - 1 - k;
      if (i == last[m] || bitsOf(groups.key(i)) != prefix) continue;
      left -= groups.size(i);
      ++gone_[m];
    }
  }
}

void Budget::project(size_t number, const Matrix &m, const Projection &p, std::span<uint8_t> mask) const {
  const Groups &groups = *matrices_[number];
  const size_t gone = gone_[number], stay = groups.count() - gone;
  RTMC_CHECK(groups.weights == m.values.size() && mask.size() == m.values.size(), "another matrix than was added");
  if (p.scheme == Scheme::Csb) return LineRemoval(partOf(m), p).mask(gone, mask);
  if (p.scheme == Scheme::Unstructured) return markStrongest(std::span<const float>(groups.magnitudes), stay, mask);
  const std::vector<uint8_t> kept = strongest(groups.keys, stay);
  const bool blocks = p.scheme == Scheme::Block, stripes = p.scheme == Scheme::Bsp;
  const uint32_t height = p.scheme == Scheme::Row ? 1 : blocks || stripes ? p.block->rows : m.rows;
  const uint32_t width = p.scheme == Scheme::Row ? m.columns : blocks ? p.block->columns : 1;
  const size_t across = blocksIn(m.columns, width);
  for (uint32_t r = 0; r < m.rows; ++r)
    for (uint32_t c = 0; c < m.columns; ++c) mask[size_t{r} * m.columns + c] = kept[r / height * across + c / width];
  if (stripes) projectStep2(m, p, mask);
}

}  // namespace rtmc::pruning
