// Owns: the words of the network IR's text for its enumerations. Schemes have theirs in network.h.
#pragma once

#include "ir/network.h"

#include <array>
#include <optional>
#include <span>
#include <string_view>

namespace rtmc::ir {

inline constexpr std::array<std::string_view, 4> kOpNames = {"gru", "lstm", "rnn", "linear"};  // as in Layer::op
inline constexpr std::array<std::string_view, 3> kDirectionNames = {"forward", "backward", "both"};
inline constexpr std::array<std::string_view, 6> kActivationNames = {"none", "relu",    "sigmoid",
                                                                     "tanh", "softmax", "log_softmax"};

inline std::string_view nameOf(Direction direction) {
  return kDirectionNames[static_cast<size_t>(direction)];
}
inline std::string_view nameOf(Activation activation) {
  return kActivationNames[static_cast<size_t>(activation)];
}

/// Index of `word`, or nothing.
inline std::optional<size_t> indexOf(std::span<const std::string_view> words, std::string_view word) {
  for (size_t i = 0; i < words.size(); ++i)
    if (words[i] == word) return i;
  return std::nullopt;
}

}  // namespace rtmc::ir
