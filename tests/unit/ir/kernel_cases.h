// Owns: how a rule of the kernel IR's verifier is tested: a good program, one change, the expected complaint.
#pragma once

#include "kernel_fixture.h"

#include <doctest/doctest.h>

#include <functional>
#include <string>
#include <vector>

namespace rtmc::test {

struct Case {
  const char *complaint;  // part of the message
  std::function<void(Program &)> change;
  Stage stage = Stage::Packed;
  Precision precision = Precision::F32;
};

inline std::string joined(const std::vector<std::string> &messages) {
  std::string text;
  for (const std::string &message : messages) text += message + "\n";
  return text;
}

inline void checkCases(const std::vector<Case> &cases) {
  for (const Case &c : cases) {
    Program program = gruProgram(c.stage, c.precision);
    REQUIRE(joined(verify(program)) == "");
    c.change(program);
    const std::string found = joined(verify(program));
    CHECK_MESSAGE(
        found.find(c.complaint) != std::string::npos,
        "wanted '" << std::string(c.complaint) << "', the verifier said: " << (found.empty() ? "nothing" : found));
  }
}

}  // namespace rtmc::test
