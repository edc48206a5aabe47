// Owns: tests of how work grows with its input, without a clock that a busy machine could upset.
#pragma once

#include <algorithm>
#include <chrono>
#include <limits>

namespace rtmc::test {

/// How many times longer `large` takes than `small`: the smallest times of rounds in turns, until the ratio is at most
/// `limit` or `rounds` are over. A stall spoils one round; work that truly grows faster spoils all of them.
template <class Small, class Large>
double growth(double limit, Small small, Large large, int rounds = 6) {
  const auto seconds = [](auto &work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  };
  double least = std::numeric_limits<double>::infinity(), most = least;
  for (int round = 0; round < rounds; ++round) {
    least = std::min(least, seconds(small));
    most = std::min(most, seconds(large));
    if (most <= limit * least) break;
  }
  return most / least;
}

}  // namespace rtmc::test
