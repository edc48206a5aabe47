// Owns: the choice of so many rows times so many columns of a matrix or block (row_column, bcr). A heuristic: see
// docs/projections.md, "Cross search".
#pragma once

#include "pruning/projection.h"
#include "pruning/scores.h"

#include <cstdint>
#include <vector>

namespace rtmc::pruning {

struct Cross {
  std::vector<uint8_t> rows, columns;  // 1: kept
};

/// `counts`: how many rows and columns stay, both at least 1.
Cross searchCross(const Part &, Block counts);

}  // namespace rtmc::pruning
