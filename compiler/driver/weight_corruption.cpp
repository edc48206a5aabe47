#include "driver/weight_corruption.h"

#include <fmt/format.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <optional>

namespace rtmc::driver {
namespace {

/// A stored value: where its bytes are (of a bf16 pair: its half), and what it is worth.
struct Stored {
  uint64_t byte = 0;
  uint32_t bytes = 0;
  float value = 0;
};

Stored storedAt(const ir::Packed &packed, const ir::TileRun &run, uint32_t tile, uint32_t entry, uint32_t slot) {
  const uint64_t slots = ir::valuesPerEntry(packed.shapes[run.shape], run.rows);
  Stored stored;
  stored.byte = run.value + tile * packed.tileBytes(run);
  stored.bytes = bytesOf(packed.precision);
  if (packed.precision == Precision::BF16) {
    stored.byte += (uint64_t{entry / 2} * slots + slot) * 4 + (entry % 2) * 2;
  } else {
    stored.byte += (uint64_t{entry} * slots + slot) * stored.bytes;
  }
  if (packed.precision == Precision::F32) {
    std::memcpy(&stored.value, packed.values.data() + stored.byte, 4);
    return stored;
  }
  uint16_t half;
  std::memcpy(&half, packed.values.data() + stored.byte, 2);
  stored.value = packed.precision == Precision::F16 ? halfToFloat(half) : bfloatToFloat(half);
  return stored;
}

/// fn(stored) for every kept value; denormals are flushed in a call and count as zero.
template <typename Fn>
void forEachKept(const ir::Packed &packed, Fn &&fn) {
  for (const ir::TileRun &run : packed.runs) {
    const ir::TileShape &shape = packed.shapes[run.shape];
    const uint32_t slotsPerRow = shape.gather ? 1 : shape.width;
    for (uint32_t tile = 0; tile < run.tiles; ++tile) {
      const uint32_t rows = std::min(shape.rows(), run.rows - tile * shape.rows());
      for (uint32_t entry = 0; entry < run.entries; ++entry) {
        for (uint32_t slot = 0; slot < rows * slotsPerRow; ++slot) {
          const Stored stored = storedAt(packed, run, tile, entry, slot);
          if (std::fabs(stored.value) >= FLT_MIN) fn(stored);
        }
      }
    }
  }
}

}  // namespace

std::string corruptWeight(ir::Program &program, uint64_t number) {
  uint64_t count = 0;
  for (const ir::Weights &weights : program.weights) {
    if (weights.packed) forEachKept(*weights.packed, [&](const Stored &) { ++count; });
  }
  if (count == 0) return "";
  uint64_t left = number % count;
  for (ir::Weights &weights : program.weights) {
    if (!weights.packed) continue;
    std::optional<Stored> hit;
    forEachKept(*weights.packed, [&](const Stored &stored) {
      if (left-- == 0) hit = stored;
    });
    if (!hit) continue;
    std::memset(weights.packed->values.data() + hit->byte, 0, hit->bytes);
    return fmt::format("{} ({} at byte {} of its values)", weights.name, hit->value, hit->byte);
  }
  return "";
}

}  // namespace rtmc::driver
