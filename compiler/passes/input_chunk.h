// Owns: for how many steps products that wait for no step before them are computed at once.
// Refuses to own: how that is lowered (lower_cells.h) and run (runtime/src/execute.cpp).
#pragma once

#include "ir/network.h"
#include "passes/pass.h"

namespace rtmc::passes {

/// The steps of a chunk; 1: every step computes its own. A product of x needs no step before it, so that several steps'
/// can go over the weights tile by tile, while a tile is in the nearest cache. That pays where reading the weights
/// takes longer than multiplying them, which the machine's description tells, and where there are so many short loops
/// that their ends are not foreseen: of networks that are causal, on several threads only where products take
/// long beside a barrier. More than eight steps where weights lie so far away that also a layer's products of the state
/// gain, which find its weights in a nearer cache in the steps after the first. options.chunk decides where it is
/// given. Sums, and so bits, are the same for every chunk.
uint32_t inputChunk(const ir::Network &, const Context &);

}  // namespace rtmc::passes
