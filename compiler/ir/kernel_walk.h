// Owns: the one loop over packed bytes: which row and column each stored value belongs to. expand() and verifyPacked()
// share it, so that what is proven is what is read.
// Refuses to own: whether the tables are in range (kernel_verify.cpp); callers ask verifyPacked first.
#pragma once

#include "ir/kernel.h"

#include <algorithm>
#include <bit>
#include <cstring>

namespace rtmc::ir {

/// Reads values of one tile, `slots` to an entry. `slot` = vector * lanes + lane.
template <Precision P>
class TileValues {
 public:
  TileValues(uint64_t slots, const uint8_t *bytes) : slots_(slots), bytes_(bytes) {}

  float at(uint32_t entry, uint32_t slot) const {
    if constexpr (P == Precision::F32) return std::bit_cast<float>(read<uint32_t>(entry * slots_ + slot));
    if constexpr (P == Precision::F16) return halfToFloat(read<uint16_t>(entry * slots_ + slot));
    const uint32_t word = read<uint32_t>((entry / 2) * slots_ + slot);
    if (entry % 2 == 0) return std::bit_cast<float>(word << 16);
    // The low half is the even entry's weight; behind an explicit zero it would be a denormal, which kernels flush.
    return (word & 0x7FFF0000u) == 0 ? 0.0f : std::bit_cast<float>(word);
  }

 private:
  template <typename T>
  T read(uint64_t index) const {
    T value;
    std::memcpy(&value, bytes_ + index * sizeof(T), sizeof(T));
    return value;
  }
  uint64_t slots_;
  const uint8_t *bytes_;
};

template <Precision P, typename Fn>
void forEachStoredAs(const Packed &packed, const TileRun &run, Fn &&fn) {
  const TileShape &shape = packed.shapes[run.shape];
  const uint64_t bytes = packed.tileBytes(run);
  const uint64_t slots = valuesPerEntry(shape, run.rows);
  const uint32_t tileRows = shape.rows();
  const auto rowOf = [&](uint32_t at) { return shape.indexed ? packed.rowTable[run.row + at] : run.row + at; };
  for (uint32_t t = 0; t < run.tiles; ++t) {
    const TileValues<P> values(slots, packed.values.data() + run.value + t * bytes);
    const uint32_t first = t * tileRows, real = std::min(tileRows, run.rows - first);
    for (uint32_t e = 0; e < run.entries; ++e) {
      if (shape.gather) {
        const uint32_t *columns = packed.columnTable.data() + run.column + (uint64_t{t} * run.entries + e) * slots;
        for (uint32_t r = 0; r < real; ++r) fn(rowOf(first + r), uint64_t{columns[r]}, values.at(e, r));
        continue;
      }
      // Rows of one vector follow each other, and vectors do: row r starts at slot r * width.
      const uint64_t column =
          shape.denseColumns ? run.column + uint64_t{e} * shape.width : packed.columnTable[run.column + e];
      for (uint32_t r = 0; r < real; ++r)
        for (uint32_t cc = 0; cc < shape.width; ++cc)
          fn(rowOf(first + r), column + cc, values.at(e, r * shape.width + cc));
    }
  }
}

/// fn(row, column, value) for every stored value of every real row, explicit zeros and padding columns included (a
/// column may lie past the matrix there). Lanes behind an indexed run's last row are left out.
template <typename Fn>
void forEachStored(const Packed &packed, Fn &&fn) {
  for (const TileRun &run : packed.runs) {
    switch (packed.precision) {
      case Precision::F32:
        forEachStoredAs<Precision::F32>(packed, run, fn);
        break;
      case Precision::F16:
        forEachStoredAs<Precision::F16>(packed, run, fn);
        break;
      case Precision::BF16:
        forEachStoredAs<Precision::BF16>(packed, run, fn);
        break;
    }
  }
}

}  // namespace rtmc::ir
