#include "driver/shipped_weights.h"

#include "backend/layout.h"
#include "driver/weight_origin.h"

#include <fmt/format.h>

#include <algorithm>
#include <cfloat>
#include <cmath>
#include <cstring>
#include <optional>

namespace rtmc::driver {
namespace {

constexpr size_t kMessages = 8;

/// How far the stored weight may be from `value`: half a unit in its last place; 0 for f32, which stores it exactly.
/// The words that a bf16 pair offers for its odd weight (passes/pack.h) lie further apart across a power of two: just
/// below one, the coarser unit counts.
double halfUnit(Precision precision, float value) {
  if (precision == Precision::F32) return 0;
  if (precision == Precision::BF16) value *= 1 + 0x1p-7f;
  const int bits = precision == Precision::F16 ? 11 : 8;
  const int smallest = precision == Precision::F16 ? -14 : -126;
  const int exponent = value == 0 ? smallest : std::max(std::ilogb(value), smallest);
  return std::ldexp(1.0, exponent - bits);
}

/// Denormals are flushed inside a call: they count as zero.
float flushed(float value) {
  return std::fabs(value) < FLT_MIN ? 0.0f : value;
}

class MatrixCheck {
 public:
  MatrixCheck(const ir::Weights &weights, const Origin &origin, WeightCheck &check)
      : weights_(weights), origin_(origin), check_(check), precision_(weights.schedule.precision) {}

  void run() {
    const ir::CsrMatrix matrix = ir::expand(weights_);
    std::vector<float> row(weights_.columns);
    for (uint32_t r = 0; r < weights_.rows; ++r) {
      if (origin_.rows[r] == ir::kNone) continue;
      std::fill(row.begin(), row.end(), 0.0f);
      bool empty = true;
      for (uint32_t i = matrix.rowBegin[r]; i < matrix.rowBegin[r + 1]; ++i) {
        row[matrix.columnIndex[i]] += matrix.values[i];
        empty &= flushed(matrix.values[i]) == 0;
      }
      if (empty)
        emptyRow(r);
      else
        fullRow(r, row);
    }
    // A lost row and a dropped one look alike; how many weights the code computes with tells them apart.
    if (weights_.nonzeros >= held_ && weights_.nonzeros <= held_ + vanished_) return;
    complain(fmt::format("{} holds {} weights in the library; {} are computed with", weights_.name, held_,
                         weights_.nonzeros));
  }

 private:
  float *wanted(uint32_t r) const {
    const uint64_t row = origin_.firstRow + origin_.rows[r];
    return origin_.tensor->values.data() + row * origin_.tensor->columns() + origin_.firstColumn;
  }

  /// Every weight must be there; the reference takes over what is.
  void fullRow(uint32_t r, const std::vector<float> &shipped) {
    float *const model = wanted(r);
    for (uint32_t c = 0; c < weights_.columns; ++c) {
      if (origin_.columns[c] == ir::kNone) continue;
      float &value = model[origin_.columns[c]];
      if (value != 0) ++held_, ++check_.kept;
      if (good(value, shipped[c])) {
        const double half = halfUnit(precision_, value);
        if (half > 0) check_.largestError = std::max(check_.largestError, distance(value, shipped[c]) / (2 * half));
      } else {
        complain(fmt::format("{}[{}, {}] is {} in the library; the model has {}", weights_.name, origin_.rows[r],
                             origin_.columns[c], shipped[c], value));
      }
      value = flushed(shipped[c]);
    }
  }

  /// fold-constants drops rows that meet no weight behind them, all of a row at once. The reference keeps the model's
  /// weights there, so that the outputs prove it.
  void emptyRow(uint32_t r) {
    const float *const model = wanted(r);
    for (uint32_t c = 0; c < weights_.columns; ++c) {
      if (origin_.columns[c] == ir::kNone) continue;
      const float value = model[origin_.columns[c]];
      if (value != 0 && good(value, 0)) ++vanished_;
    }
  }

  static double distance(float a, float b) { return std::fabs(double(flushed(a)) - double(flushed(b))); }

  bool good(float value, float shipped) const {
    if (value == 0) return flushed(shipped) == 0;
    if (!std::isfinite(shipped)) return false;
    return distance(value, shipped) <= halfUnit(precision_, value);
  }

  void complain(std::string message) {
    if (check_.mismatches++ < kMessages) check_.messages.push_back(std::move(message));
  }

  const ir::Weights &weights_;
  const Origin &origin_;
  WeightCheck &check_;
  const Precision precision_;
  uint64_t held_ = 0, vanished_ = 0;  // vanished: in empty rows, and rounded to zero by storage
};

uint64_t countNonzeros(const ir::Tensor &tensor) {
  uint64_t count = 0;
  for (float value : tensor.values) count += value != 0;
  return count;
}

template <typename Fn>
void forEachMatrix(ir::Network &network, Fn &&fn) {
  for (ir::Layer &layer : network.layers) {
    if (auto *linear = std::get_if<ir::Linear>(&layer.op)) {
      fn(linear->weight);
    } else {
      for (ir::Recurrence &r : *ir::recurrences(layer)) {
        fn(r.weightIh);
        fn(r.weightHh);
        fn(r.weightHr);
      }
    }
  }
}

void applyMask(ir::Tensor &tensor) {
  for (size_t i = 0; i < tensor.mask.size(); ++i) {
    if (!tensor.mask[i]) tensor.values[i] = 0;
  }
}

}  // namespace

ir::Network maskedNetwork(const ir::Network &parsed) {
  ir::Network network = parsed;
  forEachMatrix(network, applyMask);
  for (ir::Layer &layer : network.layers) {
    if (auto *linear = std::get_if<ir::Linear>(&layer.op)) {
      applyMask(linear->bias);
      continue;
    }
    for (ir::Recurrence &r : *ir::recurrences(layer)) {
      applyMask(r.biasIh);
      applyMask(r.biasHh);
      applyMask(r.peephole);
    }
  }
  return network;
}

std::string readBack(const ir::Program &program, std::span<const uint8_t> blob, ir::Program &shipped) {
  shipped = program;
  const backend::Layout layout = backend::makeLayout(program);
  const auto bytesOf = [&](const std::string &name) -> std::optional<std::span<const uint8_t>> {
    for (const backend::BlobMember &member : layout.blob.members()) {
      if (member.name != name) continue;
      const uint64_t size = layout.blob.sizeOf(name);
      if (member.offset > blob.size() || size > blob.size() - member.offset) return std::nullopt;
      return blob.subspan(member.offset, size);
    }
    return std::nullopt;
  };
  const auto readTable = [&](const std::string &name, ir::IndexWidth width, std::vector<uint32_t> &table) {
    if (name.empty()) return true;  // unrolled into the code
    const auto bytes = bytesOf(name);
    const uint32_t each = ir::bytesOf(width);
    if (!bytes || bytes->size() < table.size() * each) return false;
    for (size_t i = 0; i < table.size(); ++i) {
      table[i] = 0;
      std::memcpy(&table[i], bytes->data() + i * each, each);
    }
    return true;
  };
  for (size_t id = 0; id < program.weights.size(); ++id) {
    const backend::WeightsHome &home = layout.weights[id];
    if (!home.used) continue;
    ir::Packed &packed = *shipped.weights[id].packed;
    std::fill(packed.values.begin(), packed.values.end(), uint8_t{0});
    bool good = readTable(home.columns, packed.columnWidth, packed.columnTable) &&
                readTable(home.rows, packed.rowWidth, packed.rowTable);
    for (size_t share = 0; good && share < home.values.size(); ++share) {
      if (home.values[share].empty()) continue;
      const auto bytes = bytesOf(home.values[share]);
      good = bytes && home.valueBase[share] + bytes->size() <= packed.values.size();
      if (good && !bytes->empty())
        std::memcpy(packed.values.data() + home.valueBase[share], bytes->data(), bytes->size());
    }
    if (!good)
      return fmt::format("the library's {} bytes do not hold matrix {}", blob.size(), program.weights[id].name);
    const std::vector<std::string> complaints = ir::verifyPacked(shipped.weights[id]);
    if (!complaints.empty()) return fmt::format("{}: {}", program.weights[id].name, complaints.front());
  }
  return "";
}

WeightCheck adoptShippedWeights(const ir::Program &shipped, ir::Network &reference) {
  WeightCheck check;
  uint64_t present = 0;
  forEachMatrix(reference, [&](ir::Tensor &tensor) { present += countNonzeros(tensor); });
  for (const ir::Weights &weights : shipped.weights) {
    const auto origin = originOf(shipped, weights, reference);
    if (!origin) {
      ++check.mismatches;
      check.messages.push_back(fmt::format("matrix {} has no place in the model", weights.name));
      continue;
    }
    MatrixCheck(weights, *origin, check).run();
  }
  check.dropped = present - std::min(present, check.kept);
  return check;
}

}  // namespace rtmc::driver
