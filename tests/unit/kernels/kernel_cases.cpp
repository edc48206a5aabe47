#include "unit/kernels/kernel_cases.h"

#include "backend/kernels.h"
#include "unit/kernels/harness/kernel_case.h"

#include <fmt/format.h>

#include <set>

namespace rtmc::test {
namespace {

using backend::KernelOptions;
using ir::Accumulate;
using ir::IndexWidth;
using ir::TileShape;

class ProgramWriter {
 public:
  explicit ProgramWriter(const IsaCase &isa) : isa_(isa) {}

  void add(const TileShape &shape, Precision precision, Accumulate accumulate = Accumulate::F32,
           ir::Unroll unroll = ir::Unroll::None, uint32_t entries = 0, IndexWidth columns = IndexWidth::U16,
           IndexWidth rows = IndexWidth::U16, bool halfLast = false) {
    if (shape.partial && shape.rows() == 1) return;  // nothing is a part of it
    using backend::Chunk;
    addOne(shape, precision, accumulate, unroll, entries, columns, rows, halfLast, Chunk::None);
    if (unroll == ir::Unroll::Full || backend::stepsAtOnce(shape, accumulate, Chunk::AllSums) == 1) return;
    addOne(shape, precision, accumulate, unroll, entries, columns, rows, halfLast, Chunk::AllSums);
    if (unroll == ir::Unroll::None && backend::stepsAtOnce(shape, accumulate, Chunk::SumBySum) > 1)
      addOne(shape, precision, accumulate, unroll, entries, columns, rows, halfLast, Chunk::SumBySum);
  }

  void addOne(const TileShape &shape, Precision precision, Accumulate accumulate, ir::Unroll unroll, uint32_t entries,
              IndexWidth columns, IndexWidth rows, bool halfLast, backend::Chunk kind) {
    const bool chunk = kind != backend::Chunk::None;
    const KernelOptions options{unroll, entries, isa_.registers, true, halfLast, kind};
    const bool full = unroll == ir::Unroll::Full;
    std::string name = backend::kernelFunctionName(shape, precision, accumulate, columns, rows, options);
    if (full) name = "full_" + name;
    if (!names_.insert(name).second) return;
    if (full) {
      std::vector<uint32_t> list;
      const uint32_t tileRows = shape.partial ? fullRows(shape.rows()) : shape.rows();
      for (uint32_t e = 0; e < entries; e++)
        for (uint32_t lane = 0; lane < (shape.gather ? ir::valuesPerEntry(shape, tileRows) : 1); lane++)
          list.push_back(shape.denseColumns ? e * shape.width : columnOf(e, shape.gather ? lane : 0));
      kernels_ += backend::fullSource(name, shape, precision, accumulate, rows, entries, 1, tileRows, list, options);
    } else {
      kernels_ += backend::kernelSource(shape, precision, accumulate, columns, rows, options);
    }
    const bool half = accumulate == Accumulate::F16x4;
    std::string args = "values";
    if (!full && !shape.denseColumns) args += fmt::format(", static_cast<const {} *>(columns)", indexType(columns));
    if (unroll == ir::Unroll::None) args += ", entries";
    if (!full && !shape.partial) args += ", tiles";
    args += fmt::format(", static_cast<const {} *>(x){}, y{}", half ? "rtm::simd::f16" : "float",
                        chunk ? ", kXStride" : "", chunk ? ", kYStride, steps" : "");
    if (shape.indexed) args += fmt::format(", static_cast<const {} *>(rows)", indexType(rows));
    if (shape.indexed || shape.partial) args += ", rowCount";
    kernels_ += fmt::format(
        "RTM_TARGET static void call_{}([[maybe_unused]] const unsigned char *values, [[maybe_unused]] const void "
        "*columns, [[maybe_unused]] uint32_t entries, [[maybe_unused]] uint32_t tiles, [[maybe_unused]] const void *x, "
        "float *y, [[maybe_unused]] uint32_t steps, [[maybe_unused]] const void *rows, [[maybe_unused]] uint32_t "
        "rowCount) {{\n  {}({});\n}}\n\n",
        name, name, args);
    static constexpr const char *kNames[] = {"kF32", "kF16", "kBf16"};
    table_ += fmt::format("    {{\"{}\", call_{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}},\n",
                          name, name, half ? "kF16x4" : kNames[static_cast<int>(precision)], shape.lanes, shape.width,
                          shape.vectors, shape.indexed, shape.partial, shape.rowStep, shape.denseColumns, shape.gather,
                          bytesOf(columns), bytesOf(rows), unroll == ir::Unroll::None ? -1 : static_cast<int>(entries),
                          full, halfLast, chunk);
    count_++;
  }

  /// A kernel whose rows need half of the last vector.
  void addHalf(const TileShape &shape, Precision precision, ir::Unroll unroll = ir::Unroll::None,
               uint32_t entries = 0) {
    add(shape, precision, Accumulate::F32, unroll, entries, IndexWidth::U16, IndexWidth::U16, true);
  }

  std::string text() const {
    std::string out;
    for (size_t i = 0; i < isa_.defines.size();) {
      const size_t end = std::min(isa_.defines.find(' ', i), isa_.defines.size());
      out += "#define " + isa_.defines.substr(i, end - i) + "\n";
      i = end + 1;
    }
    // Functions of these names stand in the generated source, too: kernels must not mistake them for simd.h's.
    out +=
        "#include <rtm/simd.h>\n#include \"kernel_case.h\"\n\nnamespace {\n\n[[maybe_unused]] void load(int) {}\n"
        "[[maybe_unused]] void store(int) {}\n[[maybe_unused]] void gather(int) {}\n\n";
    return out + kernels_ + "}  // namespace\n\nconst KernelCase kKernelCases[] = {\n" + table_ +
           fmt::format("}};\nconst uint32_t kKernelCaseCount = {};\n", count_);
  }

 private:
  static std::string_view indexType(IndexWidth w) {
    return w == IndexWidth::U8 ? "uint8_t" : w == IndexWidth::U16 ? "uint16_t" : "uint32_t";
  }
  const IsaCase &isa_;
  std::string kernels_, table_;
  std::set<std::string> names_;
  uint32_t count_ = 0;
};

TileShape shapeOf(uint32_t lanes, uint32_t vectors, uint32_t width = 1) {
  TileShape shape;
  shape.lanes = lanes;
  shape.vectors = vectors;
  shape.width = width;
  return shape;
}
TileShape indexed(TileShape shape) {
  shape.indexed = true;
  return shape;
}
TileShape partial(TileShape shape, uint32_t rowStep = 1) {
  shape.partial = true;
  shape.rowStep = rowStep;
  return shape;
}
TileShape dense(TileShape shape) {
  shape.denseColumns = true;
  return shape;
}
TileShape gathered(TileShape shape) {
  shape.gather = shape.indexed = true;
  return shape;
}

void addRows(ProgramWriter &out, const IsaCase &isa, Precision precision, Accumulate accumulate) {
  using ir::Unroll;
  const uint32_t lanes = isa.lanes;
  for (const uint32_t vectors : {4u, 2u, 1u, 3u}) out.add(shapeOf(lanes, vectors), precision, accumulate);
  if (precision == Precision::F32 || lanes == 4) out.add(shapeOf(lanes, 8), precision, accumulate);
  out.add(indexed(shapeOf(lanes, 1)), precision, accumulate);
  out.add(dense(shapeOf(lanes, 4)), precision, accumulate);
  out.add(indexed(dense(shapeOf(lanes, 2))), precision, accumulate);
  out.add(partial(shapeOf(lanes, 4)), precision, accumulate);
  out.add(partial(dense(shapeOf(lanes, 2))), precision, accumulate, Unroll::Full, 8);
  out.add(partial(dense(shapeOf(lanes, 3))), precision, accumulate);
  if (lanes >= 4) {
    out.add(partial(shapeOf(lanes, 3), 4), precision, accumulate);
    out.add(partial(indexed(shapeOf(lanes, 1)), 4), precision, accumulate, Unroll::Full, 8);
  }
  out.add(partial(indexed(shapeOf(lanes, 1))), precision, accumulate);
  out.add(partial(indexed(shapeOf(lanes, 2))), precision, accumulate, Unroll::Full, 12);
  out.add(partial(shapeOf(lanes, 2)), precision, accumulate, Unroll::Tile, 12);
  for (const uint32_t vectors : {5u, 6u}) {  // more than at once where registers are few
    out.add(shapeOf(lanes, vectors), precision, accumulate);
    out.add(partial(shapeOf(lanes, vectors), lanes >= 4 ? 4 : 1), precision, accumulate);
  }
  if (lanes >= 8 && accumulate == Accumulate::F32) {
    for (const uint32_t vectors : {2u, 3u, 6u}) out.addHalf(partial(shapeOf(lanes, vectors)), precision);
    out.addHalf(partial(dense(shapeOf(lanes, 5)), 4), precision);
    out.addHalf(partial(shapeOf(lanes, 2), 4), precision, Unroll::Tile, 12);
    out.addHalf(partial(shapeOf(lanes, 2)), precision, Unroll::Full, 8);
  }
  for (uint32_t narrow = lanes / 2; narrow >= 4; narrow /= 2) {
    out.add(shapeOf(narrow, 1), precision, accumulate);
    out.add(indexed(shapeOf(narrow, 1)), precision, accumulate);
    out.add(shapeOf(narrow, 3), precision, accumulate);
  }
  const uint32_t odd = precision == Precision::BF16 ? 6 : 7;
  out.add(shapeOf(lanes, 2), precision, accumulate, Unroll::Tile, odd);
  out.add(dense(shapeOf(lanes, 2)), precision, accumulate, Unroll::Tile, 12);
  out.add(shapeOf(lanes, 1), precision, accumulate, Unroll::Full, odd);
  out.add(indexed(shapeOf(lanes, 2)), precision, accumulate, Unroll::Full, 12);
  out.add(dense(shapeOf(lanes, 1)), precision, accumulate, Unroll::Full, 8);
}

void addBlocksAndGathers(ProgramWriter &out, const IsaCase &isa, Precision precision) {
  using ir::Unroll;
  const uint32_t lanes = isa.lanes;
  const uint32_t odd = precision == Precision::BF16 ? 6 : 7;
  for (uint32_t width = 2; width <= lanes; width *= 2) {
    out.add(shapeOf(lanes, 4, width), precision);
    out.add(indexed(shapeOf(lanes, 1, width)), precision);
    out.add(partial(shapeOf(lanes, 3, width)), precision);
    out.add(partial(indexed(shapeOf(lanes, 2, width))), precision);
    if (precision != Precision::F32) continue;
    if (width > 4) {  // more columns than vectors of one pass: no result has as many rows as lanes
      out.add(shapeOf(lanes, 8, width), precision);
      out.add(indexed(shapeOf(lanes, 8, width)), precision);
      out.add(partial(shapeOf(lanes, 8, width)), precision);
    }
    out.add(shapeOf(lanes, 1, width), precision);
    out.add(shapeOf(lanes, 3, width), precision);
    out.add(dense(shapeOf(lanes, 2, width)), precision);
    if (width <= 4 && lanes > 4) out.add(shapeOf(lanes / 2, 3, width), precision);
    if (width == 4) out.add(indexed(shapeOf(lanes, 5, width)), precision);
    if (width == 4) out.add(shapeOf(lanes, 2, width), precision, Accumulate::F32, Unroll::Full, odd);
  }
  out.add(gathered(shapeOf(lanes, 1)), precision);
  out.add(gathered(shapeOf(lanes, 1)), precision, Accumulate::F32, Unroll::Full, odd);
  out.add(partial(gathered(shapeOf(lanes, 1))), precision);
  out.add(partial(gathered(shapeOf(lanes, 1))), precision, Accumulate::F32, Unroll::Full, odd);
  if (precision != Precision::F32) return;
  out.add(gathered(shapeOf(lanes, 2)), precision);
  out.add(gathered(shapeOf(lanes, 1)), precision, Accumulate::F32, Unroll::Tile, odd, IndexWidth::U32);
  out.add(gathered(shapeOf(lanes, 1)), precision, Accumulate::F32, Unroll::None, 0, IndexWidth::U8, IndexWidth::U8);
  out.add(shapeOf(lanes, 2), precision, Accumulate::F32, Unroll::None, 0, IndexWidth::U8);
  out.add(indexed(shapeOf(lanes, 2)), precision, Accumulate::F32, Unroll::None, 0, IndexWidth::U32, IndexWidth::U32);
}

}  // namespace

std::string kernelProgram(const IsaCase &isa) {
  ProgramWriter out(isa);
  if (isa.half) {
    // What differs from the same set without half arithmetic.
    addRows(out, isa, Precision::F16, Accumulate::F16x4);
    out.add(shapeOf(isa.lanes, 2), Precision::F16);
    return out.text();
  }
  for (const Precision precision : {Precision::F32, Precision::F16, Precision::BF16}) {
    addRows(out, isa, precision, Accumulate::F32);
    addBlocksAndGathers(out, isa, precision);
  }
  return out.text();
}

}  // namespace rtmc::test
