// Owns: schedules from --schedule FILE (the YAML that --emit=kernel prints) and from --tuning FILE (JSON lines).
// Refuses to own: the search that writes a tuning database (autotuner/), and what a schedule means (ir/kernel.h).
#pragma once

#include "passes/pass.h"

#include <llvm/Support/Error.h>

#include <string>

namespace rtmc::driver {

/// Adds the schedules of a text to `table`; later ones win. What a schedule leaves out is as in `defaults`. The error
/// says what is wrong with the text.
llvm::Error addSchedules(const std::string &text, const ir::Schedule &defaults, passes::ScheduleTable &table);

/// Records of a tuning database: one JSON object per line; {"pattern": 16 hex digits, "schedule": {...}} are used,
/// other records and a torn last line are skipped. An error where no record is usable.
llvm::Error addTuningRecords(const std::string &text, const ir::Schedule &defaults, passes::ScheduleTable &table);

}  // namespace rtmc::driver
