// Owns: the options that every test program takes besides doctest's: `--update-expected`, `--seed=N`.
#pragma once

#include <cstdint>

namespace rtmc::test {

/// True: tests with expected texts rewrite them instead of comparing.
bool updateExpected();
/// The seed that was asked for, else `fallback`. Random tests print the one they use.
uint64_t seed(uint64_t fallback);

}  // namespace rtmc::test
