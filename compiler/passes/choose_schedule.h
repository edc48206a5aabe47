// choose-schedule
//
// **Does**: gives each matrix its schedule: from the user's table (exact name, pattern hash, or "*"), else the cheapest
//   of a few candidates under the cost model: dense, BSPC, CSB, small blocks across lanes, gather.
// **Requires**: kernel IR; structures where find-structure has run.
// **Establishes**: a complete schedule for every matrix; half-precision copies of x where a schedule sums in half.
// **Why here**: everything after it depends on lanes, and nothing before it may.
//
//   weights: {name: gru0.weight_hh.r, structure: bsp 256x256}  ==>  schedule: {format: bspc, lanes: rows16, tile: 64}
#pragma once

#include "passes/pass.h"

namespace rtmc::passes {

struct ChooseSchedule {
  static constexpr std::string_view kName = "choose-schedule";
  bool run(Module &, Context &);
};

/// What the options say of every schedule; lanes, tile, format and the rest are a schedule's defaults.
ir::Schedule scheduleOf(const Options &);

}  // namespace rtmc::passes
