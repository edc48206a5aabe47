// reorder-rows
//
// **Does**: RTMobile's matrix reorder (DAC 2020, section IV-B): finds the row groups of each matrix, permutes the
//   hidden units of a layer once (the best of three orders by predicted time, if that is below the time without;
//   unit_orders.h), and orders the live rows of a partly constant gate so that the groups of its input and its state
//   matrix are both consecutive. Rows without weights between those of a group are filled with zeros where that saves
//   time.
// **Requires**: choose-schedule.
// **Establishes**: row groups, ascending rows; spaces in their final order but for shares.
// **Why here**: groups depend on the schedule's lanes and merge limit; partition splits groups.
//
//   rows 0..7 with patterns A B A B A B A B   ==>   unit order 0 2 4 6 1 3 5 7, groups {0-3: A} {4-7: B}; outputs and
//   saved states go through the order, every reader's columns are renamed
#pragma once

#include "passes/pass.h"

namespace rtmc::passes {

struct ReorderRows {
  static constexpr std::string_view kName = "reorder-rows";
  bool run(Module &, Context &);
};

/// newOrder[new position] = old position. Renames everything that lies in the space: matrices' rows and columns,
/// groups, constants, compact children. Results stay the same to the user.
void permuteSpace(ir::Program &, ir::Id space, const std::vector<uint32_t> &newOrder);

}  // namespace rtmc::passes
