// partition
//
// **Does**: cuts each phase into shares of equal predicted cost (CSB-RNN's workload sharing, ICS 2020, at compile
// time):
//   by rows, at multiples of a vector, never by columns, so that every sum keeps its order and its bits. Large groups
//   are split. Uses fewer threads than allowed where barriers and reading each other's values would cost more than they
//   bring.
// **Requires**: share-loads.
// **Establishes**: cuts of every phase, parts of every elementwise operation, slots of compact spaces in shares' order.
// **Why here**: it weighs tiles; pack lays out bytes share by share.
//
//   phase {domain: gru0, 1024 units}, --threads 2  ==>  cuts: [0, 528, 1024], share_cost: [12800, 12750]
#pragma once

#include "passes/pass.h"

namespace rtmc::passes {

struct Partition {
  static constexpr std::string_view kName = "partition";
  bool run(Module &, Context &);
};

}  // namespace rtmc::passes
