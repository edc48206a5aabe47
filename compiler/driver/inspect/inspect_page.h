// Owns: the page of `rtmc inspect --html`: facts, phases and, per gate matrix, pictures before and after the passes.
// One file: no script, nothing fetched, the same bytes for the same program. Also well-formed XML.
// Refuses to own: the numbers (inspection.h) and the pictures (pattern_plot.h).
#pragma once

#include "driver/inspect/inspection.h"

#include <string>

namespace rtmc::driver {

std::string inspectPage(const Session &, const Inspection &);

}  // namespace rtmc::driver
