#include "pruning/rate.h"

#include "support/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

namespace rtmc::pruning {
namespace {

using Wide = unsigned __int128;

Wide greatestDivisor(Wide a, Wide b) {
  while (b != 0) a = std::exchange(b, a % b);
  return a;
}

std::optional<Rate> lowest(Wide numerator, Wide denominator) {
  const Wide common = greatestDivisor(numerator, denominator);
  numerator /= common, denominator /= common;
  if (numerator > kLargestPart || denominator > kLargestPart) return std::nullopt;
  return Rate{static_cast<uint64_t>(numerator), static_cast<uint64_t>(denominator)};
}

/// The largest root with root * root <= value.
Wide squareRoot(Wide value) {
  Wide root = 0;
  for (int bit = 63; bit >= 0; --bit) {
    const Wide next = root | Wide{1} << bit;
    if (next * next <= value) root = next;
  }
  return root;
}

/// n * over / under, rounded half up, from 1 to n.
uint64_t nearest(uint64_t n, Wide over, Wide under) {
  const Wide count = (Wide{2} * n * over + under) / (Wide{2} * under);
  return static_cast<uint64_t>(std::max<Wide>(1, std::min<Wide>(n, count)));
}

/// Digits with at most one point, as value / scale. False: something else, or more than 18 digits.
bool readDecimal(std::string_view text, Wide &value, Wide &scale) {
  value = 0, scale = 1;
  size_t digits = 0;
  bool point = false;
  for (const char c : text) {
    if (c == '.' && !point) {
      point = true;
      continue;
    }
    if (c < '0' || c > '9' || ++digits > 18) return false;
    value = value * 10 + static_cast<unsigned>(c - '0');
    if (point) scale *= 10;
  }
  return digits > 0;
}

}  // namespace

std::optional<Rate> parseRate(std::string_view text, std::string &complaint) {
  const size_t slash = text.find('/');
  Wide value = 0, scale = 1, under = 1, underScale = 1;
  bool good = readDecimal(text.substr(0, slash), value, scale);
  if (good && slash != std::string_view::npos) good = readDecimal(text.substr(slash + 1), under, underScale);
  if (!good || under == 0) {
    complaint = fmt::format("is {}; a number such as 10, 2.5 or 29/10 is needed", quoted(text));
    return std::nullopt;
  }
  if (value * underScale < under * scale) {
    complaint = fmt::format("is {}; at least 1 is needed (weights / kept weights)", quoted(text));
    return std::nullopt;
  }
  const auto rate = lowest(value * underScale, under * scale);
  if (!rate) complaint = fmt::format("is {}; whole numbers up to {} are needed", quoted(text), kLargestPart);
  return rate;
}

std::optional<Rate> divide(Rate a, Rate b) {
  return lowest(Wide{a.numerator} * b.denominator, Wide{a.denominator} * b.numerator);
}

std::string rateText(Rate rate) {
  uint64_t scale = 1;
  for (int digits = 0; digits <= 4; ++digits, scale *= 10) {
    if (scale % rate.denominator != 0) continue;
    const Wide scaled = Wide{rate.numerator} * (scale / rate.denominator);
    const auto whole = static_cast<uint64_t>(scaled / scale), part = static_cast<uint64_t>(scaled % scale);
    return digits == 0 ? std::to_string(whole) : fmt::format("{}.{:0{}}", whole, part, digits);
  }
  return fmt::format("{}/{}", rate.numerator, rate.denominator);
}

uint64_t keptCount(uint64_t n, Rate rate) {
  return nearest(n, rate.denominator, rate.numerator);
}

uint64_t keptCount(uint64_t n, Rate rate, uint64_t times) {
  return nearest(n, rate.denominator, Wide{rate.numerator} * times);
}

uint64_t keptCountTimes(uint64_t n, Rate rate, Rate times) {
  return nearest(n, Wide{rate.denominator} * times.numerator, Wide{rate.numerator} * times.denominator);
}

uint64_t keptCountRoot(uint64_t n, Rate rate) {
  const Wide count = (squareRoot(Wide{4} * n * n * rate.denominator / rate.numerator) + 1) / 2;
  return static_cast<uint64_t>(std::max<Wide>(1, std::min<Wide>(n, count)));
}

}  // namespace rtmc::pruning
