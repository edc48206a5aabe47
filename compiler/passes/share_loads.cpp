#include "passes/share_loads.h"

#include "passes/row_groups.h"
#include "support/check.h"

namespace rtmc::passes {

using namespace ir;

bool ShareLoads::run(Module &module, Context &context) {
  RTMC_CHECK(module.program, "share-loads needs a program");
  Program &program = *module.program;
  program.loads = {};
  for (Weights &w : program.weights) {
    w.tiles = shapesOf(w.schedule, context.target);
    program.loads.before += w.nonzeros;
    for (const RowGroup &group : w.groups)
      for (const RowTiles &tiles : cutRows(group.rows, w.tiles))
        program.loads.after +=
            loadsOf(tiles.shape, tiles.tiles, paddedEntries(w.schedule.precision, entriesOf(w, group)));
  }
  return true;
}

}  // namespace rtmc::passes
