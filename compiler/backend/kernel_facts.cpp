#include "backend/kernel_facts.h"

#include <fmt/format.h>

#include <algorithm>

namespace rtmc::backend {

KernelFacts::KernelFacts(const KernelPlan &of)
    : plan(of),
      shape(of.shape),
      half(of.accumulate == ir::Accumulate::F16x4),
      bf16(of.precision == Precision::BF16),
      chains(chainsOf(of)),
      lanes(of.shape.lanes),
      vectorBytes(uint64_t{of.shape.lanes} * bytesOf(of.precision) * (bf16 ? 2 : 1)) {
  if (!shape.partial || plan.rows) perEntry = ir::valuesPerEntry(shape, plan.rows.value_or(0));
}

bool KernelFacts::columnsAtOnce() const {
  return shape.vectors == 1 && !half && !shape.gather && !shape.denseColumns && !plan.entries && !plan.sumBySum &&
         plan.columnWidth != ir::IndexWidth::U32;
}

uint32_t KernelFacts::vectorsPerPass() const {
  if (plan.steps > 1) {
    const uint32_t most = (plan.registers >= 32 ? kSumsOfMany : kSumsOfFew) / (plan.steps * (chains / loops()));
    const uint32_t passes = (shape.vectors + most - 1) / most;
    return (shape.vectors + passes - 1) / passes;
  }
  const bool fits = shape.vectors <= kVectorsAtOnce && shape.vectors * chains + 4 < plan.registers;
  return fits && !half && shape.width == 1 ? std::max(kVectorsPerPass, shape.vectors) : kVectorsPerPass;
}

uint32_t KernelFacts::lastGroup() const {
  const uint32_t most = vectorsPerPass(), rest = shape.vectors % most;
  const uint32_t pass = rest ? rest : std::min(shape.vectors, most);
  return pass % shape.width ? pass % shape.width : shape.width;
}

std::string KernelFacts::vectorType() const {
  return fmt::format("f32x{}", lanes);
}

std::string KernelFacts::halfType(uint32_t j, uint32_t end) const {
  return fmt::format("f16x{}", lanes * (j + 1 < end ? 2 : 1));
}

std::string_view indexType(ir::IndexWidth w) {
  return w == ir::IndexWidth::U8 ? "uint8_t" : w == ir::IndexWidth::U16 ? "uint16_t" : "uint32_t";
}

std::string plus(uint64_t offset) {
  return offset == 0 ? "" : fmt::format(" + {}", offset);
}

std::string KernelFacts::entriesBytes(uint32_t count) const {
  if (perEntry) return std::to_string(count * *perEntry * bytesOf(plan.precision));
  return count == 1 ? "stride" : fmt::format("{} * stride", count);
}

std::string KernelFacts::valueOffset(uint32_t entry, uint32_t vector) const {
  const uint64_t ofVector = vector * vectorBytes;
  if (perEntry) return plus(entry * *perEntry * bytesOf(plan.precision) + ofVector);
  return (entry == 0 ? "" : " + " + entriesBytes(entry)) + plus(ofVector);
}

std::string sumName(const KernelFacts &f, uint32_t chain, uint32_t vector, uint32_t step) {
  const std::string name = fmt::format("{}{}", static_cast<char>('a' + chain), vector);
  return f.plan.steps == 1 ? name : fmt::format("{}_{}", name, step);
}

}  // namespace rtmc::backend
