// Owns: pictures of a gate matrix as SVG: as the user wrote it, and as the packed tiles run.
// Refuses to own: the page around them and its colours (inspect_page.cpp; classes are named here).
//
// Classes: `g`, `k0`..`k3` with `l1`..`l5` (kind of tile and shade of a cell), `o` (outline of a stripe), `s` (bar of a
// share), `b` (border). Patterns `#kind0`..`#kind3` are the page's.
#pragma once

#include "driver/inspect/gate_matrices.h"
#include "ir/kernel.h"

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace rtmc::driver {

/// What a tile is like; the order is that of classes k0..k3.
enum class TileKind : uint8_t { Full, Partial, Listed, Gathered };
TileKind kindOf(const ir::TileShape &);

/// 0 = "A", 25 = "Z", 26 = "AA".
std::string shareLetters(uint32_t share);

struct Plot {
  std::string svg;
  uint32_t cellRows = 1, cellColumns = 1;  // positions that one cell stands for, at most
};

/// The pattern in the user's order. At most about `budget` bytes: the grid becomes coarser until it fits.
Plot plotBefore(const std::string &title, const Pattern &, size_t budget);

/// Rows from the top in the order in which the code computes them (rows without weights are not there), columns as they
/// are stored: the order of the units after reorder-rows. Bars and letters at the left: shares; hatched bar at the
/// right and colour: kinds of tiles; outlines: stripes.
struct RunPlot : Plot {
  uint32_t rows = 0;     // that are computed
  uint64_t stripes = 0;  // as run_order.h counts them
  bool kinds[4] = {};    // TileKinds that occur
  uint64_t values = 0;   // stored, explicit zeros included
};
RunPlot plotAfter(const std::string &title, const ir::Weights &, size_t budget);

}  // namespace rtmc::driver
