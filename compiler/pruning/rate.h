// Owns: pruning rates as exact fractions, and how many of n things a rate keeps (docs/projections.md).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace rtmc::pruning {

/// weights / kept weights, in lowest terms. Both parts are at most kLargestPart, so that counts of up to 2^44 things
/// are exact in 128 bits.
struct Rate {
  uint64_t numerator = 1;
  uint64_t denominator = 1;
  bool operator==(const Rate &) const = default;
};
inline constexpr uint64_t kLargestPart = 1'000'000'000'000;

/// "10", "2.5" or "29/10". nullopt: no number of that form, or below 1, or too many digits; `complaint` says which.
std::optional<Rate> parseRate(std::string_view text, std::string &complaint);
/// a / b; nullopt where a part becomes too large.
std::optional<Rate> divide(Rate a, Rate b);
/// As a user would write it: "2.5" where that is exact and short, else "29/3".
std::string rateText(Rate);
inline bool belowOne(Rate rate) {
  return rate.numerator < rate.denominator;
}

/// min(n, max(1, n / rate, rounded half up)). `n` below 2^44.
uint64_t keptCount(uint64_t n, Rate rate);
/// The same for n / (rate * times).
uint64_t keptCount(uint64_t n, Rate rate, uint64_t times);
/// The same for n / rate * times.
uint64_t keptCountTimes(uint64_t n, Rate rate, Rate times);
/// The same for n / sqrt(rate), n below 2^24.
uint64_t keptCountRoot(uint64_t n, Rate rate);

}  // namespace rtmc::pruning
