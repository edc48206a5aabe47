#define DOCTEST_CONFIG_IMPLEMENT
#include "test_options.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <optional>
#include <string_view>

namespace {
bool updateFlag = false;
std::optional<uint64_t> seedValue;
}  // namespace

namespace rtmc::test {
bool updateExpected() {
  return updateFlag;
}
uint64_t seed(uint64_t fallback) {
  return seedValue.value_or(fallback);
}
}  // namespace rtmc::test

int main(int argc, char **argv) {
  for (int i = 1; i < argc; ++i) {
    const std::string_view argument = argv[i];
    if (argument == "--update-expected") updateFlag = true;
    if (argument.starts_with("--seed=")) seedValue = std::strtoull(argv[i] + 7, nullptr, 10);
  }
  doctest::Context context(argc, argv);
  return context.run();
}
