// Owns: which orders of a layer's units and of a gate's slots put rows together that are computed together.
// Refuses to own: what an order is worth, and which is taken (reorder_rows.cpp).
#pragma once

#include "ir/kernel.h"

#include <cstdint>
#include <vector>

namespace rtmc::passes {

constexpr uint32_t kDead = ir::kNone;  // a row in no group

/// Group of each row; where a row is in several groups (CSB), the first.
std::vector<uint32_t> groupOfRow(const ir::Weights &);

/// The units that a space's elements belong to: itself, or its parent.
ir::Id rootOf(const ir::Program &, ir::Id space);

/// Orders to choose from for a root space whose matrices have their groups: newOrder[new position] = old position.
std::vector<std::vector<uint32_t>> unitOrders(const ir::Program &, ir::Id space);

/// Permutes the slots of a partly constant gate so that rows of one group are consecutive in each of its matrices.
void orderSlots(ir::Program &, ir::Id space);

}  // namespace rtmc::passes
