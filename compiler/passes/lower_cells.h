// lower-cells
//
// **Does**: turns each layer of the network into phases of the kernel IR.
// **Requires**: apply-masks (zeros are the mask); fold-constants and find-structure where they are to have an effect.
// **Establishes**: the kernel IR, with the fewest barriers per step: what depends on x and on the old h shares a phase;
//   only a reset-before GRU and a projection need a second one. Every sum is (bias + input part) + state part. In
//   chunks of steps (input_chunk.h) bias + input part is a section of its own, for all steps of the chunk; of a linear
//   layer that is all but the activation.
// **Why here**: every later pass works on matrices and phases and knows no cell.
//
//   layer gru (reset: before)          phase 1: pre_r, pre_z = bias + W x + U h;  rh = sigmoid(pre_r) * h
//                              ==>     phase 2: pre_n = bias + W x + U rh;  h = lerp(sigmoid(pre_z), h, tanh(pre_n))
//   layer lstm, rnn, gru (after)       one phase; h is double-buffered: read h, write h_next, swap at the step's end
#pragma once

#include "passes/pass.h"

namespace rtmc::passes {

struct LowerCells {
  static constexpr std::string_view kName = "lower-cells";
  bool run(Module &, Context &);
};

}  // namespace rtmc::passes
