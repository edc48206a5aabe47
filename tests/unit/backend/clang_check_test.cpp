// The check passes correct text for every target, and catches an off-by-one of every class that emitted text has.
#include "backend/clang_check/clang_check.h"
#include "backend/target.h"
#include "emitted_model.h"
#include "growth.h"
#include "random_network.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <regex>

using namespace rtmc;
using namespace rtmc::testing;

namespace {

std::string check(const std::string &text, const std::string &header = "",
                  const std::string &triple = "x86_64-linux-gnu", clang_check::Report *report = nullptr) {
  return llvm::toString(clang_check::checkSource({"kernel.cpp", text, {{"kernel.h", header}}, triple}, report));
}

constexpr char kPreamble[] =
    "#define RTM_SIMD_AVX2\n#include <rtm/abi.h>\n#include <rtm/simd.h>\n"
    "using Vec = rtm::simd::f32xn;\n"
    "struct B { float a[16]; float h[2][32]; };\n";

/// Complains about `bad`, says nothing about `good`.
void both(const std::string &good, const std::string &bad) {
  CAPTURE(bad);
  const std::string silent = check(kPreamble + good);
  CHECK_MESSAGE(silent.empty(), silent);
  const std::string complaint = check(kPreamble + bad);
  CHECK(complaint.find("kernel.cpp:6:") != std::string::npos);
}

/// Replaces the first match; the text must have one.
std::string changed(const std::string &text, const std::string &from, const std::string &to) {
  const size_t at = text.find(from);
  REQUIRE_MESSAGE(at != std::string::npos, from);
  std::string out = text;
  return out.replace(at, from.size(), to);
}

backend::Emitted emittedGru(const BuildOptions &options, uint64_t seed = 31) {
  return emitChecked(packedProgram(randomNetwork(seed, {.maxSize = 160}), options));
}

}  // namespace

TEST_CASE("indices, offsets and addresses") {
  both("float f(B &b) { return b.a[15]; }", "float f(B &b) { return b.a[16]; }");
  both("float f(B &b) { return b.a[0]; }", "float f(B &b) { return b.a[-1]; }");
  both("float *f(B &b) { return &b.a[16]; }", "float *f(B &b) { return &b.a[17]; }");
  both("float *f(B &b) { return b.a + 16; }", "float *f(B &b) { return b.a + 17; }");
  both("float f(B &b) { return b.h[1][31]; }", "float f(B &b) { return b.h[2][31]; }");
  both("float f(B &b, int p) { return b.h[p][31]; }", "float f(B &b, int p) { return b.h[p][32]; }");
  both("float f(B &b) { return (b.a + 8)[7]; }", "float f(B &b) { return (b.a + 8)[8]; }");
  both("float f(B &b) { const auto &a = b.a; return a[15]; }", "float f(B &b) { const auto &a = b.a; return a[16]; }");
}

TEST_CASE("pointers that are named, cast and passed on") {
  both("float f(B &b) { const float *p = b.a + 4; return p[11]; }",
       "float f(B &b) { const float *p = b.a + 4; return p[12]; }");
  both("float f(B &b) { float *p = b.a; return *(p + 16 - 1); }",
       "float f(B &b) { float *p = b.a; return *(p + 17 - 1); }");
  both("static float g(const float *x) { return x[3]; } float f(B &b) { return g(b.a + 12) + g(b.a); }",
       "static float g(const float *x) { return x[4]; } float f(B &b) { return g(b.a + 12) + g(b.a); }");
  both(
      "static float g(const float *x) { return x[3]; } static float h(const float *y) { return g(y + 1); } "
      "float f(B &b) { return h(b.a + 11); }",
      "static float g(const float *x) { return x[3]; } static float h(const float *y) { return g(y + 2); } "
      "float f(B &b) { return h(b.a + 11); }");
  both("unsigned char *f(B &b) { return reinterpret_cast<unsigned char *>(b.a) + 64; }",
       "unsigned char *f(B &b) { return reinterpret_cast<unsigned char *>(b.a) + 65; }");
}

TEST_CASE("vectors must end inside their array") {
  both("RTM_TARGET void f(B &b) { rtm::simd::store(b.a, rtm::simd::load<Vec>(b.a + 8)); }",
       "RTM_TARGET void f(B &b) { rtm::simd::store(b.a, rtm::simd::load<Vec>(b.a + 9)); }");
  both("RTM_TARGET void f(B &b, Vec v) { rtm::simd::store(b.h[0] + 24, v); }",
       "RTM_TARGET void f(B &b, Vec v) { rtm::simd::store(b.h[0] + 25, v); }");
  both("RTM_TARGET void f(B &b) { rtm::simd::store(b.a, rtm::simd::broadcast<Vec, 4>(b.a + 12)); }",
       "RTM_TARGET void f(B &b) { rtm::simd::store(b.a, rtm::simd::broadcast<Vec, 4>(b.a + 13)); }");
}

TEST_CASE("a variable that changes proves nothing, and is no complaint") {
  clang_check::Report report;
  CHECK(check(std::string(kPreamble) + "float f(const float *x) { x += 3; return x[99]; }", "", "x86_64-linux-gnu",
              &report)
            .empty());
  CHECK(report.indices == 0);
  CHECK(report.unknown > 0);
}

TEST_CASE("text that does not compile is reported with its line") {
  const std::string complaint = check(std::string(kPreamble) + "int f() { return undefinedName; }\n");
  CHECK(complaint.find("kernel.cpp:6:18: use of undeclared identifier 'undefinedName'") != std::string::npos);
  CHECK(complaint.find("int f() { return undefinedName; }") != std::string::npos);
}

TEST_CASE("emitted text: every class of off-by-one is caught") {
  BuildOptions options;
  options.triple = "x86_64-linux-gnu";
  options.cpu = "x86-64-v3";
  options.unroll = ir::Unroll::None;
  const backend::Emitted emitted = emittedGru(options);
  const std::string &good = emitted.files[0].bytes, &header = emitted.files[1].bytes;
  const auto caught = [&](const std::string &text) {
    const std::string complaint = check(text, header);
    CAPTURE(complaint);
    CHECK(complaint.find("kernel.cpp:") != std::string::npos);
  };
  clang_check::Report report;
  REQUIRE(check(good, header, "x86_64-linux-gnu", &report).empty());
  CHECK(report.indices > 50);

  // The blob's declared size, and its literal.
  std::smatch match;
  REQUIRE(std::regex_search(good, match, std::regex(R"(static_assert\(sizeof\(Weights\) == (\d+)\))")));
  caught(changed(good, match.str(), fmt::format("static_assert(sizeof(Weights) == {})", std::stoull(match[1]) + 64)));
  const size_t literal = good.find("=\n    U\"");
  REQUIRE(literal != std::string::npos);
  std::string longer = good;
  longer.insert(literal + 8, "\\x1");
  caught(longer);

  // An offset into a table of weights, behind its end.
  REQUIRE(std::regex_search(good, match, std::regex(R"(\(values \+ (\d+), )")));
  caught(changed(good, match.str(), fmt::format("(values + {}, ", 1 << 28)));
  // A row of y behind the buffer, in the matrix function that gets it from the phase.
  REQUIRE(std::regex_search(good, match, std::regex(R"(, x, y \+ (\d+)\);)")));
  caught(changed(good, match.str(), ", x, y + 4097);"));
  // A row table's offset.
  REQUIRE(std::regex_search(good, match, std::regex(R"(, rows \+ (\d+), )")));
  caught(changed(good, match.str(), ", rows + 60000, "));
  // Buffers that are shorter than the rows that are written to them.
  caught(std::regex_replace(good, std::regex(R"((float layer\w+_pre)\[\d+\])"), "$1[1]"));
}

TEST_CASE("straight-line text: an index of x behind its vector, and weights behind their table, are caught") {
  BuildOptions options;
  options.triple = "x86_64-linux-gnu";
  options.cpu = "x86-64-v3";
  options.unroll = ir::Unroll::Full;
  const backend::Emitted emitted = emittedGru(options);
  const std::string &good = emitted.files[0].bytes, &header = emitted.files[1].bytes;
  clang_check::Report report;
  REQUIRE(check(good, header, "x86_64-linux-gnu", &report).empty());
  CHECK(report.indices > 1000);
  std::smatch match;
  REQUIRE(std::regex_search(good, match, std::regex(R"(>\(x \+ \d+\))")));
  CHECK(check(changed(good, match.str(), ">(x + 5000)"), header).find("kernel.cpp:") != std::string::npos);
}

TEST_CASE("correct text passes for every target") {
  const std::pair<const char *, const char *> targets[] = {
      {"x86_64-linux-gnu", "x86-64"},    {"x86_64-linux-gnu", "x86-64-v3"},
      {"x86_64-linux-gnu", "x86-64-v4"}, {"x86_64-linux-gnu", "sapphirerapids"},
      {"aarch64-linux-gnu", "generic"},  {"aarch64-linux-gnu", "cortex-a76"},
      {"x86_64-linux-gnu", "portable"},  {"portable", ""},
      {"riscv64-linux-gnu", ""}};
  for (const auto &[triple, cpu] : targets) {
    for (const Precision precision : {Precision::F32, Precision::F16, Precision::BF16}) {
      CAPTURE(triple);
      CAPTURE(cpu);
      BuildOptions options;
      options.triple = triple;
      options.cpu = cpu;
      options.precision = precision;
      emittedGru(options);  // fails the test where the check complains
    }
  }
}

TEST_CASE("the check of megabytes of weights takes no longer than that of the text") {
  const auto weights = [](int lines) {
    std::string text = fmt::format("{}alignas(64) extern const char32_t kWeights[{}];\n", kPreamble, lines * 64 + 1);
    text += fmt::format("alignas(64) const char32_t kWeights[{}] =\n", lines * 64 + 1);
    for (int i = 0; i < lines; ++i) {
      text += "    U\"";
      for (int k = 0; k < 64; ++k) text += "\\x3f8a1234";
      text += "\"\n";
    }
    text.insert(text.size() - 1, ";");
    return text;
  };
  const std::string kilobytes = weights(16), megabytes = weights(65536);  // 4 KB and 16 MB of weights
  CHECK(check(kilobytes) == "");
  CHECK(check(megabytes) == "");
  // 4096 times the weights. What is left is reading the text.
  constexpr double kLimit = 64;
  const double ratio = rtmc::test::growth(kLimit, [&] { check(kilobytes); }, [&] { check(megabytes); });
  MESSAGE("16 MB of weights take " << ratio << " times as long as 4 KB");
  CHECK(ratio <= kLimit);
}
