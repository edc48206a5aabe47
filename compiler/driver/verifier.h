// Owns: the comparison of a running library with the reference interpreter, and of its own ways to run with each other.
// Refuses to own: building it (execution.h), what a bound is (ir/network_interpreter.h).
#pragma once

#include "driver/execution.h"
#include "driver/session.h"
#include "driver/shipped_weights.h"
#include "driver/test_inputs.h"
#include "ir/network_interpreter.h"

#include <string>
#include <vector>

namespace rtmc::driver {

struct InputReport {
  std::string name;
  uint64_t steps = 0, compared = 0, failures = 0;
  double worst = 0;  // largest difference as a share of its bound
};

struct VerifyReport {
  std::vector<InputReport> inputs;
  WeightCheck weights;
  uint64_t waysCompared = 0, waysDifferent = 0;
  double deviation = 0, relativeDeviation = 0;
  std::vector<std::string> messages;  // the first few of each kind
  bool ok() const;
};

class Verifier {
 public:
  Verifier(const Session &, Execution &, uint32_t steps);
  void addInput(const std::string &name, const Sequence &sequence) { own_.push_back({name, sequence, {}}); }
  /// An error is one of the environment; wrong numbers are in the report.
  llvm::Error run();
  /// Weights and a few random steps only: what must hold before a time means anything.
  llvm::Error runBriefly();
  const VerifyReport &report() const { return report_; }

 private:
  llvm::Error checkWeights();
  llvm::Error checkSteps(const TestInput &);
  llvm::Error checkSequence(const TestInput &);
  llvm::Error checkBits(const Sequence &);
  llvm::Error checkDeviation(const Sequence &);
  void compare(InputReport &, const std::string &what, uint64_t step, size_t index, ir::Bounded expected,
               float computed);
  void compareWays(const std::string &what, std::span<const float> a, std::span<const float> b);
  ir::InterpreterOptions bounds() const;
  bool causal() const { return reference_.causal(); }

  const Session &session_;
  Execution &execution_;
  uint32_t steps_;
  RunSetting setting_;
  ir::Network reference_;           // masked, with the weights that the library holds
  std::vector<uint8_t> liveState_;  // 0: the unit was dropped, its state is zero
  std::vector<TestInput> own_;
  VerifyReport report_;
};

}  // namespace rtmc::driver
