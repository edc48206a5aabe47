// Owns: names as they stand in messages and in generated code: quoting, the nearest of several, C identifiers.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace rtmc {

/// 'name' in single quotes, cut to 80 bytes; control characters and broken UTF-8 become escapes, so that a hostile file
/// cannot write to the terminal.
std::string quoted(std::string_view name);

/// The same escapes without quotes and without the cut.
std::string printable(std::string_view text);

/// The text with its first letter small, for messages of libraries inside ours.
std::string lowerFirst(std::string text);

/// Up to `count` candidates, nearest first (insertions, deletions, changes and swaps of neighbours; a shared part after
/// the last dot counts as near), whatever their distance.
std::vector<std::string> nearestNames(std::string_view name, const std::vector<std::string> &candidates, size_t count);

/// A letter or underscore, then letters, digits, underscores (ASCII).
bool isIdentifier(std::string_view name);

/// A word that C (to C23) or C++ (to C++23) reserves, alternative spellings such as `and` included.
bool isReservedWord(std::string_view name);

}  // namespace rtmc
