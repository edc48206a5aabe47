#include "ir/kernel.h"

#include "ir/kernel_walk.h"
#include "support/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <numeric>

namespace rtmc::ir {

namespace {

template <typename E, size_t N>
struct Names {
  std::array<std::string_view, N> texts;
  std::string_view of(E value) const {
    RTMC_CHECK(static_cast<size_t>(value) < N, "enumerator out of range");
    return texts[static_cast<size_t>(value)];
  }
  std::optional<E> parse(std::string_view text) const {
    for (size_t i = 0; i < N; ++i)
      if (texts[i] == text) return static_cast<E>(i);
    return std::nullopt;
  }
};

constexpr Names<Format, 5> kFormats{{"dense", "bspc", "csb", "block", "csr"}};
constexpr Names<Unroll, 4> kUnrolls{{"auto", "none", "tile", "full"}};
constexpr Names<Accumulate, 2> kAccumulates{{"f32", "f16x4"}};
constexpr Names<Placement, 2> kPlacements{{"in_place", "arena"}};
constexpr Names<Lifetime, 5> kLifetimes{{"in", "out", "state", "scratch", "const"}};
constexpr Names<DType, 2> kDtypes{{"f32", "f16"}};
constexpr Names<IndexWidth, 3> kIndexWidths{{"u8", "u16", "u32"}};
constexpr Names<SectionKind, 3> kSectionKinds{{"once", "per_chunk", "per_step"}};
constexpr Names<EwOp, 11> kEwOps{
    {"load", "store", "const", "add", "sub", "mul", "fma", "lerp", "sigmoid", "tanh", "relu"}};

constexpr uint32_t kMaxLanes = 1024;

std::optional<uint32_t> takeNumber(std::string_view &text) {
  uint32_t value = 0;
  const auto result = std::from_chars(text.data(), text.data() + text.size(), value);
  if (result.ec != std::errc() || text.front() == '0' || value > kMaxLanes) return std::nullopt;
  text.remove_prefix(static_cast<size_t>(result.ptr - text.data()));
  return value;
}

bool takePrefix(std::string_view &text, std::string_view prefix) {
  if (!text.starts_with(prefix)) return false;
  text.remove_prefix(prefix.size());
  return true;
}

}  // namespace

std::string_view formatName(Format v) {
  return kFormats.of(v);
}
std::optional<Format> parseFormat(std::string_view t) {
  return kFormats.parse(t);
}
std::string_view unrollName(Unroll v) {
  return kUnrolls.of(v);
}
std::optional<Unroll> parseUnroll(std::string_view t) {
  return kUnrolls.parse(t);
}
std::string_view accumulateName(Accumulate v) {
  return kAccumulates.of(v);
}
std::optional<Accumulate> parseAccumulate(std::string_view t) {
  return kAccumulates.parse(t);
}
std::string_view placementName(Placement v) {
  return kPlacements.of(v);
}
std::optional<Placement> parsePlacement(std::string_view t) {
  return kPlacements.parse(t);
}
std::string_view lifetimeName(Lifetime v) {
  return kLifetimes.of(v);
}
std::optional<Lifetime> parseLifetime(std::string_view t) {
  return kLifetimes.parse(t);
}
std::string_view dtypeName(DType v) {
  return kDtypes.of(v);
}
std::optional<DType> parseDtype(std::string_view t) {
  return kDtypes.parse(t);
}
std::string_view indexWidthName(IndexWidth v) {
  return kIndexWidths.of(v);
}
std::optional<IndexWidth> parseIndexWidth(std::string_view t) {
  return kIndexWidths.parse(t);
}
std::string_view sectionKindName(SectionKind v) {
  return kSectionKinds.of(v);
}
std::optional<SectionKind> parseSectionKind(std::string_view t) {
  return kSectionKinds.parse(t);
}
std::string_view ewOpName(EwOp v) {
  return kEwOps.of(v);
}
std::optional<EwOp> parseEwOp(std::string_view t) {
  return kEwOps.parse(t);
}

uint32_t operandCount(EwOp op) {
  switch (op) {
    case EwOp::Load:
    case EwOp::Const:
      return 0;
    case EwOp::Store:
    case EwOp::Sigmoid:
    case EwOp::Tanh:
    case EwOp::Relu:
      return 1;
    case EwOp::Add:
    case EwOp::Sub:
    case EwOp::Mul:
      return 2;
    case EwOp::Fma:
    case EwOp::Lerp:
      return 3;
  }
  return 0;
}

std::string lanesName(const Lanes &lanes) {
  if (lanes.gather) return fmt::format("gather{}", lanes.lanes);
  if (lanes.width > 1) return fmt::format("block{}x{}", lanes.lanes / lanes.width, lanes.width);
  return fmt::format("rows{}", lanes.lanes);
}

std::optional<Lanes> parseLanes(std::string_view text) {
  Lanes lanes;
  const bool block = takePrefix(text, "block");
  lanes.gather = !block && takePrefix(text, "gather");
  if (!block && !lanes.gather && !takePrefix(text, "rows")) return std::nullopt;
  if (text.empty()) return std::nullopt;
  const auto first = takeNumber(text);
  if (!first) return std::nullopt;
  lanes.lanes = *first;
  if (block) {
    if (!takePrefix(text, "x") || text.empty()) return std::nullopt;
    const auto width = takeNumber(text);
    if (!width || *width < 2 || *first * *width > kMaxLanes) return std::nullopt;
    lanes.width = *width;
    lanes.lanes = *first * *width;
  }
  if (!text.empty()) return std::nullopt;
  return lanes;
}

uint64_t valuesPerEntry(const TileShape &shape, uint32_t rows) {
  const uint64_t slots = uint64_t{shape.vectors} * shape.lanes;
  if (!shape.partial) return slots;
  return std::min(slots, (uint64_t{rows} + shape.rowStep - 1) / shape.rowStep * shape.rowStep * shape.width);
}

uint64_t tileValueBytes(const TileShape &shape, Precision precision, uint32_t entries, uint32_t rows) {
  return uint64_t{entries} * valuesPerEntry(shape, rows) * bytesOf(precision);
}

uint64_t surplusValues(const TileShape &shape, uint32_t rows) {
  return uint64_t{shape.vectors} * shape.lanes - valuesPerEntry(shape, rows);
}

uint32_t laneBytes(Precision precision) {
  return precision == Precision::F16 ? 2 : 4;
}

uint64_t Packed::readEndOf(const TileRun &run) const {
  return endOf(run) + surplusValues(shapes[run.shape], run.rows) * laneBytes(precision);
}

uint32_t valueAlignment(const TileShape &shape, Precision precision) {
  const uint32_t element = laneBytes(precision);
  if (shape.partial) return shape.rowStep * element;
  // Lanes that are no power of two have no natural vector: one element then.
  if ((shape.lanes & (shape.lanes - 1)) != 0) return element;
  return std::min<uint32_t>(64, shape.lanes * element);
}

std::string kernelName(Precision precision, Accumulate accumulate, const TileShape &shape, Unroll unroll) {
  const std::string_view values =
      accumulate == Accumulate::F16x4 ? accumulateName(accumulate) : precisionName(precision);
  const int level = unroll == Unroll::Tile ? 1 : unroll == Unroll::Full ? 2 : 0;
  std::string name = fmt::format("matvec_{}_{}_t{}_u{}", values, lanesName({shape.lanes, shape.width, shape.gather}),
                                 shape.rows(), level);
  if (shape.indexed || shape.partial || shape.denseColumns) name += '_';
  if (shape.indexed) name += 'i';
  if (shape.partial) name += shape.rowStep == 1 ? "p" : fmt::format("p{}", shape.rowStep);
  if (shape.denseColumns) name += 'd';
  return name;
}

uint64_t Packed::indexBytes() const {
  return columnTable.size() * uint64_t{bytesOf(columnWidth)} + rowTable.size() * uint64_t{bytesOf(rowWidth)} +
         runs.size() * kRunDescriptorBytes;
}

namespace {

/// Columns ascending within each row, values beside them; equal columns summed.
void sortRows(CsrMatrix &m) {
  std::vector<uint32_t> order, columns;
  std::vector<float> values;
  uint32_t write = 0;
  for (uint32_t r = 0; r < m.rows; ++r) {
    const uint32_t begin = m.rowBegin[r], end = m.rowBegin[r + 1];
    columns.assign(m.columnIndex.begin() + begin, m.columnIndex.begin() + end);
    values.assign(m.values.begin() + begin, m.values.begin() + end);
    order.resize(end - begin);
    std::iota(order.begin(), order.end(), 0u);
    if (!std::is_sorted(columns.begin(), columns.end()))
      std::sort(order.begin(), order.end(),
                [&](uint32_t a, uint32_t b) { return columns[a] != columns[b] ? columns[a] < columns[b] : a < b; });
    m.rowBegin[r] = write;
    for (uint32_t k : order) {
      if (write > m.rowBegin[r] && m.columnIndex[write - 1] == columns[k]) {
        m.values[write - 1] += values[k];
        continue;
      }
      m.columnIndex[write] = columns[k];
      m.values[write++] = values[k];
    }
  }
  m.rowBegin[m.rows] = write;
  m.columnIndex.resize(write);
  m.values.resize(write);
}

}  // namespace

CsrMatrix expand(const Weights &weights) {
  RTMC_CHECK(weights.packed.has_value(), "expand needs packed weights");
  const Packed &packed = *weights.packed;
  CsrMatrix m;
  m.rows = weights.rows;
  m.columns = weights.columns;
  m.rowBegin.assign(size_t{m.rows} + 1, 0);
  forEachStored(packed, [&](uint32_t row, uint64_t column, float value) {
    if (value != 0 && column < m.columns) ++m.rowBegin[row + 1];
  });
  std::partial_sum(m.rowBegin.begin(), m.rowBegin.end(), m.rowBegin.begin());
  m.columnIndex.resize(m.rowBegin.back());
  m.values.resize(m.rowBegin.back());
  std::vector<uint32_t> next(m.rowBegin.begin(), m.rowBegin.end() - 1);
  forEachStored(packed, [&](uint32_t row, uint64_t column, float value) {
    if (value == 0 || column >= m.columns) return;
    m.columnIndex[next[row]] = static_cast<uint32_t>(column);
    m.values[next[row]++] = value;
  });
  sortRows(m);
  return m;
}

bool runsPerChunk(const Program &program, Id weights) {
  for (const Section &section : program.sections) {
    if (section.kind != SectionKind::PerChunk) continue;
    for (const Phase &phase : section.phases)
      for (const Operation &operation : phase.ops)
        if (const auto *product = std::get_if<MatMul>(&operation); product && product->weights == weights) return true;
  }
  return false;
}

}  // namespace rtmc::ir
