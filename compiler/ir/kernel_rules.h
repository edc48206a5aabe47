// Owns: what the parts of the kernel IR's verifier share. Private to kernel_verify*.cpp.
// Refuses to own: any rule (each stands in the file that checks it).
#pragma once

#include "ir/kernel.h"

#include <fmt/format.h>

#include <string>
#include <vector>

namespace rtmc::ir {

inline constexpr uint32_t kMaxVector = 1u << 24;  // elements of a buffer or space; larger is taken for a slip
inline constexpr uint32_t kMaxShares = 4096;
inline constexpr uint32_t kMaxChunk = 1024;

/// Collects complaints; stops keeping them after a screenful, a broken program repeats itself.
class Complaints {
 public:
  template <typename... T>
  void add(fmt::format_string<T...> format, T &&...args) {
    ++count_;
    if (list_.size() < 50) list_.push_back(fmt::format(format, std::forward<T>(args)...));
  }
  bool empty() const { return count_ == 0; }
  size_t count() const { return count_; }
  std::vector<std::string> take() { return std::move(list_); }

 private:
  std::vector<std::string> list_;
  size_t count_ = 0;
};

/// The user's order: no space, or a root space that permutes nothing.
bool inUserOrder(const Program &, Id space);
/// Whether position i of one is position i of the other.
bool sameOrder(const Program &, Id a, Id b);
/// 16 hex digits.
bool isHash(const std::string &);
bool finite(const std::vector<float> &);
/// First column behind the last that the packed runs name, padding entries included.
uint64_t columnEnd(const Packed &);
/// Elements that may be read of one row of a buffer: its size, or up to its 64-byte padding where it has one.
uint64_t readableElements(const Buffer &);

void checkSpaces(const Program &, Complaints &);
void checkWeights(const Program &, const Weights &, Complaints &);
void checkPacked(const Weights &, Complaints &);
/// False, with a complaint: shape number `index` of the weights is none that tiles can have.
bool checkTileShape(const Weights &, size_t index, const TileShape &, Complaints &);
void checkSections(const Program &, Complaints &);
void checkPhase(const Program &, const Phase &, Complaints &);
/// Requires that everything else holds.
void checkShares(const Program &, const Phase &, Complaints &);

}  // namespace rtmc::ir
