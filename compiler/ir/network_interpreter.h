// Owns: the meaning of a network: plain loops, double accumulation, straight from the cell equations; and the bound
// that a float kernel's result must keep, by forward error analysis (ir/bounded.h has the rules of single operations).
// Refuses to own: rounding of weights to their stored precision (the caller gives the weights that count).
#pragma once

#include "ir/bounded.h"
#include "ir/network.h"

#include <memory>
#include <set>
#include <span>
#include <string>
#include <vector>

namespace rtmc::ir {

/// State in the contract's order: layers in the file's order, h then c (h has P values with a projection), in the
/// user's order of units. Units that fold-constants dropped are written as zero and ignored when read.
struct NetworkState {
  std::vector<double> values;
};
/// Values of the state of a causal network; 0 for one that is not causal.
size_t stateSize(const Network &);

struct InterpreterOptions {
  bool bounds = false;      // compute errors; else they stay 0
  bool halfChains = false;  // sums run in half-precision chains: 4 * 2^-11 is added to the factor
  /// With halfChains: the matrices that it holds for, by the kernel's names ("gru0.weight_hh.z",
  /// "gru0.weight_ih.z@1" for the second concatenated source). Empty: all.
  std::set<std::string> halfMatrices;
  /// A kernel's weight may differ from the network's by this share of it (0: the network's weights are what is stored).
  double weightError = 0;
};

/// Compresses a network once (only kept weights), then steps in time proportional to them. Holds no reference to it.
///
/// With bounds, |kernel - value| <= error holds for every f32 kernel that sums in any order, with or without fused
/// multiply-adds, with or without flushed denormals, whose sigmoid, tanh, exp and log are within 4 ulp. A
/// pre-activation's own error is (columns + 8) * 2^-24 * (sum |w x| + |bias|), columns = kept weights of its row over
/// all matrices that are summed. Compare by `accepts` (bounded.h), which also tells what NaN and infinities mean.
class NetworkInterpreter {
 public:
  explicit NetworkInterpreter(const Network &, InterpreterOptions = {});
  ~NetworkInterpreter();
  NetworkInterpreter(NetworkInterpreter &&) noexcept;
  NetworkInterpreter &operator=(NetworkInterpreter &&) noexcept;

  size_t inputSize() const;
  size_t outputSize() const;
  size_t stateSize() const;
  NetworkState zeroState() const;

  /// One step of a causal network: reads `state` as exact, replaces it, returns the outputs and, with bounds, the error
  /// of each new state value.
  std::vector<Bounded> step(NetworkState &state, std::span<const float> in, std::vector<double> *stateError = nullptr);

  /// A whole sequence from the zero state, [steps, in] -> [steps, out]; the only form for networks that are not causal.
  /// With bounds, errors add up from step to step: after many steps they are true but say little.
  std::vector<Bounded> run(std::span<const float> in, size_t steps);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// For single calls: build a NetworkInterpreter, use it once.
std::vector<Bounded> step(const Network &, NetworkState &state, std::span<const float> in, const InterpreterOptions &,
                          std::vector<double> *stateError = nullptr);
std::vector<Bounded> run(const Network &, std::span<const float> in, size_t steps, const InterpreterOptions &);

}  // namespace rtmc::ir
