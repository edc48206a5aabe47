// Products with a matrix of few scattered weights, for kept_weights.py, which compiles this file where it trains. Rows
// of weights are lists (compressed sparse rows); what they are multiplied with is a dense matrix of `width` values a
// row. bfloat16 values come as uint16_t. A row of a result is computed by one call alone and in the order of its
// entries: ranges of rows may be split among threads.
#include <cstddef>
#include <cstdint>
#include <cstring>
#ifdef __AVX512F__
#include <immintrin.h>
#endif

namespace {

struct Bf16 {
  std::uint16_t bits;
};

float widen(float v) {
  return v;
}
double widen(double v) {
  return v;
}
float widen(Bf16 v) {
  const std::uint32_t bits = std::uint32_t(v.bits) << 16;
  float out;
  std::memcpy(&out, &bits, sizeof out);
  return out;
}

void narrow(float v, float &out) {
  out = v;
}
void narrow(double v, double &out) {
  out = v;
}
void narrow(float v, Bf16 &out) {  // to nearest, ties to even; NaN stays one
  std::uint32_t bits;
  std::memcpy(&bits, &v, sizeof bits);
  out.bits = v != v ? std::uint16_t(bits >> 16 | 0x40) : std::uint16_t((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

// 64 bytes of sums.
template <class T>
struct Lanes {
  static constexpr std::size_t count = 64 / sizeof(T);
  typedef T Vector __attribute__((vector_size(64)));
};

template <class Sum, class X>
typename Lanes<Sum>::Vector load(const X *x) {
  typename Lanes<Sum>::Vector out;
  if constexpr (sizeof(X) == sizeof(Sum)) {
    std::memcpy(&out, x, sizeof out);
  } else {
#ifdef __AVX512F__  // g++ 12 makes three times as many instructions of what stands below
    __m256i half;
    std::memcpy(&half, x, sizeof half);
    const __m512i whole = _mm512_slli_epi32(_mm512_cvtepu16_epi32(half), 16);
#else
    typedef std::uint16_t Half __attribute__((vector_size(32)));
    typedef std::uint32_t Whole __attribute__((vector_size(64)));
    Half half;
    std::memcpy(&half, x, sizeof half);
    const Whole whole = __builtin_convertvector(half, Whole) << 16;
#endif
    std::memcpy(&out, &whole, sizeof out);
  }
  return out;
}

template <std::size_t bytes, class Sum, class Vector>
Sum sumOf(const Vector &v) {
  if constexpr (bytes == 2 * sizeof(Sum)) {
    return v[0] + v[1];
  } else {
    typedef Sum Half __attribute__((vector_size(bytes / 2)));
    Half low, high;
    std::memcpy(&low, &v, sizeof low);
    std::memcpy(&high, reinterpret_cast<const char *>(&v) + sizeof low, sizeof high);
    return sumOf<bytes / 2, Sum>(low + high);
  }
}

struct Entries {
  const std::int64_t *begin;  // of each row's entries, and the end of the last
  const std::int32_t *column;
};

// `vectors` vectors of one row of the result.
template <int vectors, class Sum, class X, class Out>
void panel(const Entries &w, const Sum *value, const X *x, Out *out, std::int64_t row, std::int64_t width,
           std::int64_t at, bool add) {
  constexpr std::int64_t lanes = Lanes<Sum>::count;
  typename Lanes<Sum>::Vector sums[vectors] = {};
  for (std::int64_t k = w.begin[row]; k < w.begin[row + 1]; k++) {
    const X *from = x + w.column[k] * width + at;
    const Sum v = value[k];
    for (int i = 0; i < vectors; i++) sums[i] += v * load<Sum>(from + i * lanes);
  }
  Out *to = out + row * width + at;
  for (int i = 0; i < vectors; i++)
    for (std::int64_t j = 0; j < lanes; j++, to++) narrow(add ? sums[i][j] + Sum(widen(*to)) : Sum(sums[i][j]), *to);
}

template <class Sum, class X, class Out>
void times(const Entries &w, const Sum *value, const X *x, Out *out, std::int64_t from, std::int64_t to,
           std::int64_t width, bool add) {
  constexpr std::int64_t lanes = Lanes<Sum>::count;
  std::int64_t at = 0;
  for (; at + 4 * lanes <= width; at += 4 * lanes)
    for (std::int64_t row = from; row < to; row++) panel<4>(w, value, x, out, row, width, at, add);
  for (; at + lanes <= width; at += lanes)
    for (std::int64_t row = from; row < to; row++) panel<1>(w, value, x, out, row, width, at, add);
  for (std::int64_t row = from; row < to; row++) {
    for (std::int64_t j = at; j < width; j++) {
      Sum sum = 0;
      for (std::int64_t k = w.begin[row]; k < w.begin[row + 1]; k++)
        sum += value[k] * Sum(widen(x[w.column[k] * width + j]));
      Out &place = out[row * width + j];
      narrow(add ? sum + Sum(widen(place)) : sum, place);
    }
  }
}

template <class Sum, class X>
Sum dot(const X *y, const X *x, std::int64_t n) {
  constexpr std::int64_t lanes = Lanes<Sum>::count;
  typename Lanes<Sum>::Vector sums[2] = {};
  std::int64_t i = 0;
#if defined(__AVX512BF16__)
  if constexpr (sizeof(X) == 2) {
    __m512 pairs[2] = {_mm512_setzero_ps(), _mm512_setzero_ps()};
    for (; i + 64 <= n; i += 64)
      for (int j = 0; j < 2; j++)
        pairs[j] = _mm512_dpbf16_ps(pairs[j], (__m512bh)_mm512_loadu_si512(y + i + 32 * j),
                                    (__m512bh)_mm512_loadu_si512(x + i + 32 * j));
    sums[0] = (typename Lanes<Sum>::Vector)_mm512_add_ps(pairs[0], pairs[1]);
  }
#endif
  for (; i + 2 * lanes <= n; i += 2 * lanes)
    for (int j = 0; j < 2; j++) sums[j] += load<Sum>(y + i + j * lanes) * load<Sum>(x + i + j * lanes);
  sums[0] += sums[1];
  Sum sum = sumOf<64, Sum>(sums[0]);
  for (; i < n; i++) sum += Sum(widen(y[i])) * Sum(widen(x[i]));
  return sum;
}

// gradient[k] = row of y times row of x. In pieces of n, so that those of x stay in the second cache.
template <class Sum, class X>
void outer(const Entries &w, const X *y, const X *x, Sum *gradient, std::int64_t from, std::int64_t to,
           std::int64_t n) {
  constexpr std::int64_t piece = 512 / sizeof(X);
  for (std::int64_t k = w.begin[from]; k < w.begin[to]; k++) gradient[k] = 0;
  for (std::int64_t at = 0; at < n; at += piece) {
    const std::int64_t length = n - at < piece ? n - at : piece;
    for (std::int64_t row = from; row < to; row++)
      for (std::int64_t k = w.begin[row]; k < w.begin[row + 1]; k++)
        gradient[k] += dot<Sum>(y + row * n + at, x + w.column[k] * n + at, length);
  }
}

}  // namespace

#define RTMC_TIMES(name, Sum, X, Out)                                                                                 \
  extern "C" void name(const std::int64_t *begin, const std::int32_t *column, const Sum *value, const X *x, Out *out, \
                       std::int64_t from, std::int64_t to, std::int64_t width, std::int64_t add) {                    \
    times<Sum>({begin, column}, value, x, out, from, to, width, add != 0);                                            \
  }
#define RTMC_OUTER(name, Sum, X)                                                                                     \
  extern "C" void name(const std::int64_t *begin, const std::int32_t *column, const X *y, const X *x, Sum *gradient, \
                       std::int64_t from, std::int64_t to, std::int64_t n) {                                         \
    outer<Sum>({begin, column}, y, x, gradient, from, to, n);                                                        \
  }

RTMC_TIMES(times_bfloat16_bfloat16, float, Bf16, Bf16)
RTMC_TIMES(times_bfloat16_float32, float, Bf16, float)
RTMC_TIMES(times_float32_float32, float, float, float)
RTMC_TIMES(times_float64_float64, double, double, double)
RTMC_OUTER(outer_bfloat16, float, Bf16)
RTMC_OUTER(outer_float32, float, float)
RTMC_OUTER(outer_float64, double, double)
