// Writes the kernels of one instruction set, and the table of what they are timed on, as a source file: write_kernels
// ISA > kernels.cpp. Every family of kernels in every precision, in the shapes that decide how fast a step is.
#include "backend/kernels.h"

#include <fmt/format.h>

#include <iostream>
#include <set>
#include <string>

namespace {

using namespace rtmc;
using backend::Chunk;
using backend::KernelOptions;
using ir::Accumulate;
using ir::IndexWidth;
using ir::TileShape;
using ir::Unroll;

struct Isa {
  std::string name, defines, feature;  // feature: a word of /proc/cpuinfo's flags
  uint32_t lanes, registers;
  bool half = false;  // half-precision arithmetic
};
const Isa kIsas[] = {{"sse2", "SSE2", "sse2", 4, 16},
                     {"avx2", "AVX2", "avx2", 8, 16},
                     {"avx512", "AVX512", "avx512vl", 16, 32},
                     {"avx512fp16", "AVX512 FP16", "avx512_fp16", 16, 32, true},
                     {"neon", "NEON", "", 4, 32},
                     {"neonfp16", "NEON FP16", "asimdhp", 4, 32, true}};

/// A stripe as RTMobile's masks leave it at 10x and at 29x: kept columns per block of 256.
constexpr uint32_t kLong = 104, kShort = 26;
constexpr uint32_t kStripeRows = 64;
constexpr uint32_t kSteps = 8;  // of a chunk

class SetWriter {
 public:
  explicit SetWriter(const Isa &isa) : isa_(isa) {}

  /// `rows`: of a stripe; 0: one tile. Also for a chunk of steps, where there is such a kernel.
  void add(const TileShape &shape, Precision precision, uint32_t entries, uint32_t rows = 0,
           Unroll unroll = Unroll::None) {
    addOne(shape, precision, entries, rows, unroll, Chunk::None);
    const Accumulate accumulate = isa_.half ? Accumulate::F16x4 : Accumulate::F32;
    for (const Chunk chunk : {Chunk::AllSums, Chunk::SumBySum})
      if (unroll == Unroll::None && backend::stepsAtOnce(shape, accumulate, chunk) > 1)
        addOne(shape, precision, entries, rows, unroll, chunk);
  }

  void addOne(const TileShape &shape, Precision precision, uint32_t entries, uint32_t rows, Unroll unroll,
              Chunk chunk) {
    const uint32_t steps = chunk == Chunk::None ? 1 : kSteps;
    const Accumulate accumulate = isa_.half ? Accumulate::F16x4 : Accumulate::F32;
    KernelOptions options{unroll, entries, isa_.registers};
    options.chunk = chunk;
    const std::string function =
        backend::kernelFunctionName(shape, precision, accumulate, IndexWidth::U16, IndexWidth::U16, options);
    if (known_.insert(function).second)
      kernels_ += backend::kernelSource(shape, precision, accumulate, IndexWidth::U16, IndexWidth::U16, options);
    if (rows == 0) rows = shape.rows();
    const uint32_t tiles = shape.partial ? 1 : (rows + shape.rows() - 1) / shape.rows();
    std::string arguments = "values";
    if (!shape.denseColumns) arguments += ", columns";
    if (unroll == Unroll::None) arguments += ", entries";
    if (!shape.partial) arguments += ", tiles";
    arguments += fmt::format(", static_cast<const {} *>(x){}, y", isa_.half ? "rtm::simd::f16" : "float",
                             steps > 1 ? ", 0" : "");
    if (steps > 1) arguments += fmt::format(", 0, {}", steps);
    if (shape.indexed) arguments += ", rows";
    if (shape.indexed || shape.partial) arguments += ", rowCount";
    kernels_ += fmt::format(
        "RTM_TARGET static void call{}([[maybe_unused]] const unsigned char *values, [[maybe_unused]] const uint16_t "
        "*columns, [[maybe_unused]] uint32_t entries, [[maybe_unused]] uint32_t tiles, const void *x, float *y, "
        "[[maybe_unused]] const uint16_t *rows, [[maybe_unused]] uint32_t rowCount) {{\n  {}({});\n}}\n\n",
        count_, function, arguments);
    table_ += fmt::format("    {{\"{}/{}x{}\", call{}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}, {}}},\n",
                          ir::kernelName(precision, accumulate, shape, unroll).append(suffix(chunk)), rows,
                          entries * shape.width, count_, static_cast<uint32_t>(precision), isa_.half, shape.lanes,
                          shape.width, shape.vectors, shape.indexed, shape.partial, shape.rowStep, shape.denseColumns,
                          shape.gather, rows, tiles, entries, steps);
    ++count_;
  }

  void addEverything() {
    for (const Precision precision : {Precision::F32, Precision::F16, Precision::BF16}) {
      if (isa_.half && precision != Precision::F16) continue;
      addStripes(precision);
      addPartial(precision);
      if (!isa_.half) addBlocksAndGathers(precision);
    }
  }

  std::string text() const {
    std::string text;
    for (size_t i = 0; i < isa_.defines.size();) {
      const size_t end = std::min(isa_.defines.find(' ', i), isa_.defines.size());
      text += "#define RTM_SIMD_" + isa_.defines.substr(i, end - i) + "\n";
      i = end + 1;
    }
    text += "#include <rtm/simd.h>\n#include \"bench_case.h\"\n\nnamespace {\n\n" + kernels_;
    text += kReadAndGates;
    text += "const BenchCase kCases[] = {\n" + table_ + "};\n}  // namespace\n\n";
    return text + fmt::format(
                      "extern const BenchSet BENCH_SET;\nconst BenchSet BENCH_SET = {{\"{}\", BENCH_COMPILER, "
                      "\"{}\", kCases, {}, readAll, gates}};\n",
                      isa_.name, isa_.feature, count_);
  }

 private:
  static std::string_view suffix(Chunk chunk) {
    return chunk == Chunk::None ? "" : chunk == Chunk::AllSums ? "_s" : "_so";
  }
  static constexpr const char *kReadAndGates = R"(
RTM_TARGET float readAll(const unsigned char *p, uint64_t bytes) {
  using namespace rtm::simd;
  constexpr uint64_t n = sizeof(f32xn);
  f32xn a{}, b{}, c{}, d{}, e{}, f{}, g{}, h{};
  // In order: GCC would mix the reads, which halves the speed.
  const auto in = [&](uint64_t at) __attribute__((always_inline)) RTM_TARGET {
    __asm__ volatile("" ::: "memory");
    return load<f32xn>(p + at);
  };
  for (uint64_t i = 0; i + 8 * n <= bytes; i += 8 * n) {
    a = a + in(i);
    b = b + in(i + n);
    c = c + in(i + 2 * n);
    d = d + in(i + 3 * n);
    e = e + in(i + 4 * n);
    f = f + in(i + 5 * n);
    g = g + in(i + 6 * n);
    h = h + in(i + 7 * n);
  }
  float lanes[RTM_SIMD_LANES];
  store(lanes, ((a + b) + (c + d)) + ((e + f) + (g + h)));
  return lanes[0];
}

RTM_TARGET void gates(const float *in, float *out) {
  using namespace rtm::simd;
  for (uint32_t i = 0; i < 1024; i += RTM_SIMD_LANES) {
    const f32xn r = sigmoid(load<f32xn>(in + i)), z = sigmoid(load<f32xn>(in + 1024 + i)), h = load<f32xn>(in + 3072 + i);
    const f32xn n = rtm::simd::tanh(fma(r, h, load<f32xn>(in + 2048 + i)));
    store(out + i, fma(z, h - n, n));
  }
}

)";

  TileShape shapeOf(uint32_t vectors, uint32_t width = 1) const {
    TileShape shape;
    shape.lanes = isa_.lanes;
    shape.vectors = vectors;
    shape.width = width;
    return shape;
  }
  static TileShape indexed(TileShape shape) {
    shape.indexed = true;
    return shape;
  }
  static TileShape dense(TileShape shape) {
    shape.denseColumns = true;
    return shape;
  }

  /// Whole tiles: BSP stripes, dense matrices, listed rows, a narrow tail.
  void addStripes(Precision precision) {
    const TileShape whole = shapeOf(4);
    for (const uint32_t entries : {kLong, kShort}) add(whole, precision, entries, kStripeRows);
    add(whole, precision, kLong, kStripeRows, Unroll::Tile);
    add(shapeOf(2), precision, kLong);
    add(shapeOf(1), precision, kShort);
    for (const uint32_t entries : {1024u, 64u}) add(dense(whole), precision, entries, kStripeRows);
    add(indexed(whole), precision, kShort);
    add(indexed(shapeOf(1)), precision, kShort);
    if (isa_.lanes < 8) return;
    TileShape tail = shapeOf(1);
    tail.lanes /= 2;
    add(tail, precision, kShort);
  }

  /// What is left of a stripe once row pruning has been there: 1 to 63 rows, as far as one tile holds them; and one
  /// with its rows rounded up to 4 or to a vector.
  void addPartial(Precision precision) {
    for (const uint32_t rows : {1u, 3u, 7u, 9u, 15u, 17u, 25u, 31u, 33u, 40u, 49u, 57u, 63u}) {
      TileShape part = shapeOf((rows + isa_.lanes - 1) / isa_.lanes);
      if (part.vectors > 4 || part.rows() == rows) continue;
      part.partial = true;
      add(part, precision, kShort, rows);
      if (rows % isa_.lanes != 1 || part.vectors == 1) continue;
      for (const uint32_t step : {4u, isa_.lanes}) {
        if (part.rowStep == step) continue;
        part.rowStep = step;
        add(part, precision, kShort, rows);
      }
    }
  }

  /// Blocks narrower than a vector (4x4 and its kin), and CSR in tiles.
  void addBlocksAndGathers(Precision precision) {
    for (uint32_t width = 2; width <= isa_.lanes; width *= 2)
      for (const uint32_t vectors : {4u, 1u}) add(shapeOf(vectors, width), precision, 16);
    add(indexed(shapeOf(1, 4)), precision, 16);
    TileShape gathered = indexed(shapeOf(1));
    gathered.gather = true;
    for (const uint32_t entries : {kLong, kShort}) add(gathered, precision, entries);
    gathered.partial = true;
    add(gathered, precision, kShort, isa_.lanes - 1);
  }

  const Isa &isa_;
  std::string kernels_, table_;
  std::set<std::string> known_;
  uint32_t count_ = 0;
};

}  // namespace

int main(int count, char **arguments) {
  for (const Isa &isa : kIsas) {
    if (count != 2 || isa.name != arguments[1]) continue;
    SetWriter writer(isa);
    writer.addEverything();
    std::cout << writer.text() << std::flush;
    return std::cout ? 0 : 2;
  }
  std::cerr << "usage: write_kernels ISA; known:";
  for (const Isa &isa : kIsas) std::cerr << ' ' << isa.name;
  std::cerr << '\n';
  return 1;
}
