// Generates kernels for every instruction set that runs here, compiles them with every compiler that is here, and times
// them (bench_program.cpp). Usage: bench_kernels [instruction set [compiler]]
#include "backend/kernels.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <sstream>
#include <vector>

namespace {

using namespace rtmc;
using backend::KernelOptions;
using ir::Accumulate;
using ir::IndexWidth;
using ir::TileShape;

struct Isa {
  std::string name, defines, feature;  // feature: a word of /proc/cpuinfo's flags
  uint32_t lanes, registers;
};
#if defined(__aarch64__)
const Isa kIsas[] = {{"neon", "NEON", "", 4, 32}, {"neonfp16", "NEON,FP16", "asimdhp", 4, 32}};
#else
const Isa kIsas[] = {{"sse2", "SSE2", "sse2", 4, 16},
                     {"avx2", "AVX2", "avx2", 8, 16},
                     {"avx512", "AVX512", "avx512vl", 16, 32},
                     {"avx512fp16", "AVX512,FP16", "avx512_fp16", 16, 32}};
#endif

struct Source {
  std::string kernels, table;
  uint32_t count = 0;

  void add(const Isa &isa, const TileShape &shape, Precision precision, uint32_t entries, Accumulate accumulate,
           ir::Unroll unroll = ir::Unroll::None) {
    const KernelOptions options{unroll, entries, isa.registers};
    const std::string name =
        backend::kernelFunctionName(shape, precision, accumulate, IndexWidth::U16, IndexWidth::U16, options);
    if (kernels.find(name + "(") == std::string::npos)
      kernels += backend::kernelSource(shape, precision, accumulate, IndexWidth::U16, IndexWidth::U16, options);
    const bool half = accumulate == Accumulate::F16x4, straight = unroll == ir::Unroll::Tile;
    kernels += fmt::format(
        "RTM_TARGET static void call{}(const unsigned char *v, const uint16_t *c, [[maybe_unused]] uint32_t e, "
        "uint32_t "
        "t, const void *x, float *y, [[maybe_unused]] const uint16_t *r, [[maybe_unused]] uint32_t n) {{\n"
        "  {}(v, c{}, t, static_cast<const {} *>(x), y{});\n}}\n\n",
        count, name, straight ? "" : ", e", half ? "rtm::simd::f16" : "float", shape.indexed ? ", r, n" : "");
    table += fmt::format("    {{\"{}\", call{}, {}, {}, {}, {}, {}}},\n", name, count, shape.rows(), entries,
                         shape.vectors * shape.lanes * bytesOf(precision),
                         shape.gather ? shape.vectors * shape.lanes : 1, half);
    count++;
  }
};

TileShape shapeOf(uint32_t lanes, uint32_t vectors, uint32_t width = 1) {
  TileShape shape;
  shape.lanes = lanes;
  shape.vectors = vectors;
  shape.width = width;
  return shape;
}

std::string program(const Isa &isa) {
  Source s;
  const bool half = isa.defines.find("FP16") != std::string::npos;
  const auto everyPrecision = [&](const TileShape &shape, uint32_t entries) {
    if (half) return s.add(isa, shape, Precision::F16, entries, Accumulate::F16x4);
    for (const Precision p : {Precision::F32, Precision::F16, Precision::BF16})
      s.add(isa, shape, p, entries, Accumulate::F32);
  };
  for (const uint32_t entries : {104u, 50u}) everyPrecision(shapeOf(isa.lanes, 4), entries);
  everyPrecision(shapeOf(isa.lanes, 1), 48);
  if (!half) {
    for (const uint32_t entries : {104u, 48u})
      s.add(isa, shapeOf(isa.lanes, entries == 48 ? 1 : 4), Precision::F32, entries, Accumulate::F32, ir::Unroll::Tile);
    TileShape scattered = shapeOf(isa.lanes, 1);
    scattered.indexed = true;
    s.add(isa, scattered, Precision::F32, 48, Accumulate::F32);
    s.add(isa, shapeOf(isa.lanes, 4, 4), Precision::F32, 16, Accumulate::F32);
    s.add(isa, shapeOf(isa.lanes, 1, 4), Precision::F32, 16, Accumulate::F32);
    scattered.gather = true;
    s.add(isa, scattered, Precision::F32, 48, Accumulate::F32);
  }
  std::string text;
  std::stringstream defines(isa.defines);
  for (std::string word; std::getline(defines, word, ',');) text += "#define RTM_SIMD_" + word + "\n";
  text += "#include <rtm/simd.h>\n#include \"bench_case.h\"\n\nnamespace {\n\n" + s.kernels + "}  // namespace\n";
  text += "const BenchCase kBenchCases[] = {\n" + s.table +
          fmt::format("}};\nconst uint32_t kBenchCaseCount = {};\n", s.count);
  text += fmt::format("const char *const kBenchIsa = \"{}\";\n", isa.name);
  return text + R"(
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
}

bool hasFeature(const std::string &feature) {
  std::ifstream file("/proc/cpuinfo");
  std::stringstream text;
  text << file.rdbuf();
  return feature.empty() || text.str().find(feature) != std::string::npos;
}

}  // namespace

int main(int count, char **arguments) {
  namespace fs = std::filesystem;
  const fs::path folder = fs::temp_directory_path() / fmt::format("rtmc-bench-{}", ::getpid());
  fs::create_directories(folder);
  int status = 0;
  for (const Isa &isa : kIsas) {
    if (count > 1 && isa.name != arguments[1]) continue;
    if (!hasFeature(isa.feature)) {
      std::cout << "skipped " << isa.name << ": this processor lacks it\n";
      continue;
    }
    std::ofstream(folder / "kernels.cpp") << program(isa);
    for (const std::string compiler : {"g++", "clang++-19"}) {
      if (count > 2 && compiler != arguments[2]) continue;
      std::cout << "-- " << isa.name << ", " << compiler << " -O2\n" << std::flush;
      const std::string command = fmt::format(
          "cd '{0}' && {1} -std=c++20 -O2 -I'{2}/runtime/include' -I'{2}/tests/benchmarks/kernels' kernels.cpp "
          "'{2}/tests/benchmarks/kernels/bench_program.cpp' -o bench && ./bench",
          folder.string(), compiler, RTMC_SOURCE_DIR);
      if (std::system(command.c_str()) != 0) status = 1;
    }
  }
  std::error_code ignored;
  fs::remove_all(folder, ignored);
  return status;
}
