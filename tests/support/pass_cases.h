// Owns: files of expected pass results, tests/passes/<pass>.<case>.yaml: what goes in, a line `---`, what comes out.
// `--update-expected` rewrites the second part. Refuses to own: how a pass is run and what else must hold.
#pragma once

#include "test_options.h"

#include <doctest/doctest.h>

#include <filesystem>
#include <fstream>
#include <string>

namespace rtmc::passes::test {

inline const std::filesystem::path kCaseFolder = std::filesystem::path(RTMC_SOURCE_DIR) / "tests/passes";

class PassCase {
 public:
  explicit PassCase(std::filesystem::path path) : path_(std::move(path)) {
    std::ifstream stream(path_, std::ios::binary);
    const std::string text{std::istreambuf_iterator<char>(stream), {}};
    const size_t divider = text.find(kDivider);
    REQUIRE(divider != std::string::npos);
    input_ = text.substr(0, divider + 1);
    expected_ = text.substr(divider + kDivider.size());
  }
  const std::string &input() const { return input_; }

  void check(const std::string &found) const {
    if (!rtmc::test::updateExpected()) {
      CHECK(found == expected_);
      return;
    }
    std::ofstream(path_, std::ios::binary) << input_ << kDivider.substr(1) << found;
  }

 private:
  static constexpr std::string_view kDivider = "\n---\n";
  std::filesystem::path path_;
  std::string input_, expected_;
};

/// check(PassCase) for each file of a pass, `atLeast` of them.
template <typename Check>
void forEachPassCase(const std::string &prefix, size_t atLeast, Check &&check) {
  size_t cases = 0;
  for (const auto &entry : std::filesystem::directory_iterator(kCaseFolder)) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(prefix + ".") || !name.ends_with(".yaml")) continue;
    CAPTURE(name);
    check(PassCase(entry.path()));
    ++cases;
  }
  CHECK(cases >= atLeast);
}

}  // namespace rtmc::passes::test
