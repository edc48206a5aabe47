// Tries what rtm/simd.h offers on one instruction set, and prints a hash of all results: compilers must agree on it.
// Argument: the stride through all floats.
#include <rtm/simd.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <vector>

using namespace rtm::simd;

namespace {

int failures = 0;
uint64_t hash = 14695981039346656037u;

void expect(bool holds, const char *what, double at = 0, double got = 0) {
  if (!holds && failures++ < 20) std::printf("FAIL %s at %.9g: %.9g\n", what, at, got);
}
// Outside of RTM_TARGET nothing of simd.h can be inlined.
uint32_t wordOf(float x) {
  return __builtin_bit_cast(uint32_t, x);
}
bool same(float a, float b) {
  return wordOf(a) == wordOf(b) || (std::isnan(a) && std::isnan(b));
}
void mixIn(float x) {
  hash = (hash ^ (std::isnan(x) ? 0x7fc00000u : wordOf(x))) * 1099511628211u;
}

// ---- accuracy

double unitOf(double x) {
  int exponent;
  std::frexp(x, &exponent);
  return std::ldexp(1.0, exponent - 24 < -149 ? -149 : exponent - 24);
}

constexpr int kBatch = 4096;
struct Batch {
  float x[kBatch], e[kBatch], s[kBatch], t[kBatch];
};

template <class V>
RTM_TARGET void evaluate(Batch &b) {
  for (int i = 0; i < kBatch; i += Of<V>::lanes) {
    const V x = load<V>(b.x + i);
    store(b.e + i, rtm::simd::exp(x));
    store(b.s + i, sigmoid(x));
    store(b.t + i, rtm::simd::tanh(x));
  }
}

struct Worst {
  const char *name;
  double bound, error = 0, at = 0;
  void add(float x, float got, double expected) {
    if (expected > 0x1.ffffffp127) return expect(std::isinf(got) && got > 0, name, x, got);
    const double e = std::fabs(got - expected) / unitOf(expected);
    if (!(e <= error)) error = e, at = x;
  }
  void report() const {
    std::fprintf(stderr, "%-8s %.3f ulp at %.9g\n", name, error, at);
    expect(error <= bound, name, at, error);
  }
};

void accuracy(uint64_t stride) {
  Worst e{"exp", 1.1}, s{"sigmoid", 2.5}, t{"tanh", 2.6};
  static Batch b, scalar;
  for (uint64_t first = 0; first < (uint64_t{1} << 32); first += kBatch * stride) {
    for (int i = 0; i < kBatch; i++) b.x[i] = __builtin_bit_cast(float, static_cast<uint32_t>(first + i * stride));
    evaluate<f32xn>(b);
    std::memcpy(scalar.x, b.x, sizeof b.x);
    evaluate<float>(scalar);
    for (int i = 0; i < kBatch; i++) {
      const float x = b.x[i];
      mixIn(b.e[i]), mixIn(b.s[i]), mixIn(b.t[i]);
      expect(same(b.e[i], scalar.e[i]) && same(b.s[i], scalar.s[i]) && same(b.t[i], scalar.t[i]), "one lane alone", x);
      if (std::isnan(x)) {
        expect(std::isnan(b.e[i]) && std::isnan(b.s[i]) && std::isnan(b.t[i]), "NaN stays", x);
        continue;
      }
      const double d = x;
      e.add(x, b.e[i], std::exp(d));
      s.add(x, b.s[i], d < -200 ? 0.0 : 1 / (1 + std::exp(-d)));
      t.add(x, b.t[i], std::tanh(d));
    }
  }
  e.report(), s.report(), t.report();
}

template <class V>
RTM_TARGET void specialValues() {
  constexpr int n = Of<V>::lanes;
  const float inf = INFINITY;
  const struct {
    float x, e, s, t;
  } cases[] = {{inf, inf, 1, 1},
               {-inf, 0, 0, -1},
               {0.0f, 1, 0.5f, 0.0f},
               {-0.0f, 1, 0.5f, -0.0f},
               {89, inf, 1, 1},
               {-105, 0, 0, -1},
               {0x1p-149f, 1, 0.5f, 0x1p-149f},
               {-200, 0, 0, -1},
               {3.4e38f, inf, 1, 1},
               {-3.4e38f, 0, 0, -1},
               {NAN, NAN, NAN, NAN}};
  for (const auto &c : cases)
    for (int lane = 0; lane < n; lane++) {
      float x[n], y[n];
      for (int i = 0; i < n; i++) x[i] = static_cast<float>(i) - 1.5f;
      x[lane] = c.x;
      store(y, rtm::simd::exp(load<V>(x)));
      expect(same(y[lane], c.e), "exp", c.x, y[lane]);
      store(y, sigmoid(load<V>(x)));
      expect(same(y[lane], c.s), "sigmoid", c.x, y[lane]);
      store(y, rtm::simd::tanh(load<V>(x)));
      expect(same(y[lane], c.t), "tanh", c.x, y[lane]);
      store(y, relu(load<V>(x)));
      expect(same(y[lane], std::isnan(c.x) ? NAN : c.x > 0 ? c.x : c.x + 0.0f) || y[lane] == 0, "relu", c.x, y[lane]);
    }
}

// ---- lanes and memory

template <class V>
RTM_TARGET void memory() {
  constexpr int n = Of<V>::lanes;
  float from[n + 1], to[n + 2];
  for (int i = 0; i <= n; i++) from[i] = static_cast<float>(i) + 0.25f;
  for (uint32_t count = 0; count <= n; count++) {
    store(to, loadPartial<V>(from, count));
    for (uint32_t i = 0; i < n; i++) expect(to[i] == (i < count ? from[i] : 0), "loadPartial", i, to[i]);
    for (float &v : to) v = -1;
    storePartial(to, load<V>(from), count);
    for (uint32_t i = 0; i < n + 2; i++) expect(to[i] == (i < count ? from[i] : -1), "storePartial", i, to[i]);
  }
  store(to, splat<V>(-0.0f));
  for (int i = 0; i < n; i++) expect(wordOf(to[i]) == 0x80000000u, "splat keeps the sign of zero", i, to[i]);
  const uint16_t index[16] = {3, 0, 7, 7, 15, 1, 2, 9, 8, 4, 6, 5, 10, 14, 12, 11};
  float x[20];
  for (int i = 0; i < 20; i++) x[i] = static_cast<float>(i * i);
  store(to, gather<V>(x, index));
  for (int i = 0; i < n; i++) expect(to[i] == x[index[i]], "gather", i, to[i]);
}

/// a * b is not a float, and a * b - (a * b rounded) tells whether fma rounded once.
template <class V>
RTM_TARGET void multiplyAdd() {
  float out[Of<V>::lanes];
  volatile float a = 0x1.000002p0f, b = 0x1.000002p0f, c = -0x1.000004p0f;
  store(out, fma(splat<V>(a), splat<V>(b), splat<V>(c)));
  for (float v : out) expect(v == (RTM_SIMD_HAS_FMA ? 0x1p-46f : 0.0f), "fma", 0, v);
  store(out, splat<V>(a) * splat<V>(b) + splat<V>(c));
  for (float v : out) expect(v == 0, "a * b + c is not contracted", 0, v);
}

#if RTM_SIMD_LANES >= 4
template <class V, int width>
RTM_TARGET void blocks() {
  constexpr int n = Of<V>::lanes, rows = n / width;
  float x[n + width], out[n], in[2][n];
  // Pairs of small integers are denormal doubles; broadcasts must not care.
  for (int i = 0; i < n + width; i++) x[i] = bits<float>(static_cast<uint32_t>(i & 1 ? 0 : i + 1));
  store(out, broadcast<V, width>(x + 1));
  for (int i = 0; i < n; i++) expect(wordOf(out[i]) == wordOf(x[1 + i % width]), "broadcast", i, out[i]);
  for (int i = 0; i < n; i++) in[0][i] = static_cast<float>(i + 1), in[1][i] = static_cast<float>(100 * (i + 1));
  store(out, fold<width>(load<V>(in[0]), load<V>(in[1])));
  for (int r = 0; r < rows; r++)
    for (int i = 0; i < width; i++) {
      const float *v = in[i >= width / 2] + r * width + i % (width / 2);
      expect(out[r * width + i] == v[0] + v[width / 2], "fold", i, out[r * width + i]);
    }
  store(out, inRowOrder<width>(load<V>(in[0])));
  for (int j = 0; j < width; j++)
    for (int r = 0; r < rows; r++) expect(out[j * rows + r] == in[0][r * width + j], "inRowOrder", j, r);
}

template <class V, int count>
RTM_TARGET void adding() {
  constexpr int n = Of<V>::lanes;
  float y[n + 1], v[n];
  for (int i = 0; i < n; i++) v[i] = static_cast<float>(i + 1);
  for (float &f : y) f = 1000;
  addFirst<count>(y, load<V>(v));
  for (int i = 0; i <= n; i++)
    expect(y[i] == (i < count ? 1001 + static_cast<float>(i) : 1000), "addFirst", count, y[i]);
  if constexpr (count < n) adding<V, count + 1>();
}
#endif

/// Parts of every length, at every place in a line of floats: what is behind them is neither read into lanes nor
/// written.
template <class V>
RTM_TARGET void parts() {
  constexpr int n = Of<V>::lanes;
  float line[3 * n], lanes[n], v[n];
  for (int i = 0; i < n; i++) v[i] = static_cast<float>(i + 1);
  for (int at = 0; at <= n; at++)
    for (int count = 0; count <= n; count++) {
      for (int i = 0; i < 3 * n; i++) line[i] = static_cast<float>(100 + i);
      store(lanes, loadPartial<V>(line + at, static_cast<uint32_t>(count)));
      for (int i = 0; i < n; i++) expect(lanes[i] == (i < count ? line[at + i] : 0), "loadPartial", count, lanes[i]);
      storePartial(line + at, load<V>(v), static_cast<uint32_t>(count));
      for (int i = 0; i < 3 * n; i++)
        expect(line[i] == (i >= at && i < at + count ? v[i - at] : static_cast<float>(100 + i)), "storePartial", count,
               line[i]);
      addUpTo<n>(count, line + at, load<V>(v));
      for (int i = at; i < at + n; i++)
        expect(line[i] == (i < at + count ? 2 * v[i - at] : static_cast<float>(100 + i)), "addUpTo", count, line[i]);
    }
}

// ---- 16 bits

float fromHalf(uint16_t h) {
  const int exponent = (h >> 10) & 31, mantissa = h & 1023;
  double v = exponent == 31  ? (mantissa ? NAN : INFINITY)
             : exponent == 0 ? std::ldexp(mantissa, -24)
                             : std::ldexp(1024 + mantissa, exponent - 25);
  return static_cast<float>(h & 0x8000 ? -v : v);
}

/// Nearest half, ties to even, by search in the sorted halves.
uint16_t toHalf(float x) {
  const uint16_t sign = std::signbit(x) ? 0x8000 : 0;
  const double a = std::fabs(double{x});
  if (std::isnan(x)) return static_cast<uint16_t>(sign | 0x7e00);
  if (a >= 65520) return static_cast<uint16_t>(sign | 0x7c00);
  uint32_t low = 0, high = 0x7bff;
  while (low < high) {
    const uint32_t middle = (low + high + 1) / 2;
    if (double{fromHalf(static_cast<uint16_t>(middle))} <= a)
      low = middle;
    else
      high = middle - 1;
  }
  if (low == 0x7bff) return static_cast<uint16_t>(sign | low);
  const double below = a - fromHalf(static_cast<uint16_t>(low)), above = fromHalf(static_cast<uint16_t>(low + 1)) - a;
  return static_cast<uint16_t>(sign | (below < above || (below == above && low % 2 == 0) ? low : low + 1));
}

template <class V>
RTM_TARGET void halves(uint64_t stride) {
  constexpr int n = Of<V>::lanes;
  for (uint32_t h = 0; h < 65536; h += n) {
    uint16_t in[n];
    float out[n];
    for (int i = 0; i < n; i++) in[i] = static_cast<uint16_t>(h + i);
    store(out, loadHalf<V>(in));
    for (int i = 0; i < n; i++) expect(same(out[i], fromHalf(in[i])), "half to float", in[i], out[i]);
  }
  for (uint64_t w = 0; w < (uint64_t{1} << 32); w += stride * 31 * n) {
    float in[n];
    uint16_t out[n];
    for (int i = 0; i < n; i++) in[i] = bits<float>(static_cast<uint32_t>(w + i * stride * 7));
    storeHalf(out, load<V>(in));
    for (int i = 0; i < n; i++) {
      const uint16_t expected = toHalf(in[i]);
      const bool nan = std::isnan(in[i]) && (out[i] & 0x7fff) > 0x7c00;
      expect(nan || out[i] == expected, "float to half", in[i], out[i]);
    }
  }
  for (uint32_t count = 0; count <= n; count++) {
    uint16_t out[n + 1];
    for (uint16_t &v : out) v = 7;
    storeHalfPartial(out, splat<V>(1.0f), count);
    for (uint32_t i = 0; i <= n; i++) expect(out[i] == (i < count ? 0x3c00 : 7), "storeHalfPartial", i, out[i]);
  }
  typedef typename Of<V>::Word Word;
  uint32_t words[n];
  float low[n], high[n];
  for (int i = 0; i < n; i++) words[i] = 0x3f80c000u + static_cast<uint32_t>(i);
  store(low, lowBf16<V>(load<Word>(words)));
  store(high, highBf16<V>(load<Word>(words)));
  for (int i = 0; i < n; i++)
    expect(wordOf(low[i]) == words[i] << 16 && wordOf(high[i]) == words[i], "bf16 pair", i, low[i]);
}

#if defined(RTM_SIMD_FP16)
template <class V, int n>
RTM_TARGET void halfArithmetic() {
  typedef typename Halves<n>::Type H;
  constexpr int lanes = Of<V>::lanes, parts = n / lanes;
  uint16_t a[n], b[n];
  float out[2 * lanes];
  for (int i = 0; i < n; i++)
    a[i] = toHalf(1.0f + static_cast<float>(i) / 64), b[i] = toHalf(3.0f - static_cast<float>(i) / 32);
  const f16 scale = bits<f16>(toHalf(1.25f));
  const H sum = fma(loadHalves<H>(a), splatHalf<H>(scale), loadHalves<H>(b) * splatHalf<H>(scale));
  store(out, widen<V, 0>(sum));
  if constexpr (parts == 2) store(out + lanes, widen<V, 1>(sum));
  for (int i = 0; i < n; i++) {
    const float product = fromHalf(toHalf(fromHalf(b[i]) * 1.25f));
    const float expected = fromHalf(toHalf(fromHalf(a[i]) * 1.25f + product));
    expect(out[i] == expected, "half arithmetic", i, out[i]);
  }
}
#endif

/// Denormals are flushed inside a model's calls: conversions must not depend on it.
void flushDenormals() {
#if defined(__x86_64__)
  uint32_t mode;
  __asm__ volatile("stmxcsr %0" : "=m"(mode));
  mode |= 0x8040;
  __asm__ volatile("ldmxcsr %0" : : "m"(mode));
#elif defined(__aarch64__)
  uint64_t mode;
  __asm__ volatile("mrs %0, fpcr" : "=r"(mode));
  mode |= uint64_t{1} << 24;
  __asm__ volatile("msr fpcr, %0" : : "r"(mode));
#endif
}

template <class V>
RTM_TARGET void underFlush() {
  constexpr int n = Of<V>::lanes;
  for (uint32_t h = 1; h < 1024; h += n) {
    uint16_t in[n];
    float out[n];
    for (int i = 0; i < n; i++) in[i] = static_cast<uint16_t>(h + i);
    store(out, loadHalf<V>(in));
    for (int i = 0; i < n; i++)
      expect(wordOf(out[i]) == wordOf(static_cast<float>(in[i] < 1024 ? in[i] : 1024) * 0x1p-24f) || in[i] > 1024,
             "denormal half while flushing", in[i], out[i]);
  }
  float out[n];
  volatile float cold = -100.0f, tiny = 0x1p-100f;  // not folded by the compiler, which does not flush
  store(out, sigmoid(splat<V>(cold)));
  expect(out[0] == 0, "sigmoid while flushing", -100, out[0]);
  store(out, rtm::simd::tanh(splat<V>(tiny)));
  expect(out[0] == 0x1p-100f, "tanh while flushing", 0x1p-100f, out[0]);
  store(out, rtm::simd::exp(splat<V>(cold)));
  expect(out[0] == 0, "exp while flushing", -100, out[0]);
#if RTM_SIMD_LANES >= 4
  if constexpr (n >= 4) blocks<V, 2>();
#endif
}

template <class V>
void all(uint64_t stride) {
  specialValues<V>();
  memory<V>();
  parts<V>();
  multiplyAdd<V>();
  halves<V>(stride);
#if RTM_SIMD_LANES >= 4
  if constexpr (Of<V>::lanes >= 4) {
    blocks<V, 2>(), blocks<V, 4>(), adding<V, 1>();
    if constexpr (Of<V>::lanes >= 8) blocks<V, 8>();
    if constexpr (Of<V>::lanes >= 16) blocks<V, 16>();
  }
#endif
}

}  // namespace

int main(int count, char **arguments) {
  const uint64_t stride = count > 1 ? std::strtoull(arguments[1], nullptr, 10) : 2003;
  accuracy(stride);
  all<f32xn>(stride);
#if RTM_SIMD_LANES >= 4
  all<float>(stride);
#endif
#if RTM_SIMD_LANES >= 8
  all<f32x4>(stride);
#endif
#if RTM_SIMD_LANES >= 16
  all<f32x8>(stride);
#endif
#if defined(RTM_SIMD_FP16)
  halfArithmetic<f32x4, 4>(), halfArithmetic<f32x4, 8>();
#if RTM_SIMD_LANES >= 16
  halfArithmetic<f32x8, 8>(), halfArithmetic<f32x8, 16>();
  halfArithmetic<f32x16, 16>(), halfArithmetic<f32x16, 32>();
#endif
#endif
  flushDenormals();
  underFlush<f32xn>();
  std::printf("%016llx\n", static_cast<unsigned long long>(hash));
  return failures != 0;
}
