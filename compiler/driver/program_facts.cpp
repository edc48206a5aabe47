#include "driver/program_facts.h"

namespace rtmc::driver {

MatrixFacts &MatrixFacts::operator+=(const MatrixFacts &other) {
  nonzeros += other.nonzeros;
  valueBytes += other.valueBytes;
  indexBytes += other.indexBytes;
  csrBytes += other.csrBytes;
  groups += other.groups;
  tiles += other.tiles;
  loadsBefore += other.loadsBefore;
  loadsAfter += other.loadsAfter;
  return *this;
}

MatrixFacts factsOf(const ir::Weights &weights) {
  MatrixFacts facts;
  facts.nonzeros = weights.nonzeros;
  facts.csrBytes = weights.nonzeros * (bytesOf(weights.schedule.precision) + 4) + (uint64_t{weights.rows} + 1) * 4;
  facts.groups = weights.groups.size();
  facts.loadsBefore = weights.nonzeros;
  if (!weights.packed) return facts;
  const ir::Packed &packed = *weights.packed;
  facts.valueBytes = packed.valueBytes();
  facts.indexBytes = packed.indexBytes();
  for (const ir::TileRun &run : packed.runs) {
    const ir::TileShape &shape = packed.shapes[run.shape];
    // A gather tile has a column of its own in every lane; others load each entry's columns once for all their rows.
    const uint64_t perEntry = shape.gather ? uint64_t{shape.lanes} * shape.vectors : shape.width;
    facts.tiles += run.tiles;
    facts.loadsAfter += uint64_t{run.tiles} * run.entries * perEntry;
  }
  return facts;
}

MatrixFacts factsOf(const ir::Program &program) {
  MatrixFacts total;
  for (const ir::Weights &weights : program.weights) total += factsOf(weights);
  return total;
}

json::Object describeFolding(const ir::FoldReport &folded) {
  return json::Object{{"constant_gate_rows", folded.constantGateRows},
                      {"constant_gates", folded.constantGates},
                      {"dropped_units", folded.droppedUnits},
                      {"dropped_weights", folded.droppedWeights}};
}

json::Object describeProgram(const Session &session) {
  const ir::Program &program = session.program();
  const MatrixFacts facts = factsOf(program);
  return json::Object{{"name", program.name},
                      {"target", program.target},
                      {"cpu", program.cpu},
                      {"precision", std::string(precisionName(program.precision))},
                      {"causal", program.causal},
                      {"chunk", program.chunk},
                      {"threads_asked", session.line().threads},
                      {"threads_used", program.shares},
                      {"nonzeros", facts.nonzeros},
                      {"weight_bytes", facts.valueBytes},
                      {"index_bytes", facts.indexBytes},
                      {"csr_bytes", facts.csrBytes},
                      {"loads_before", program.loads.before},
                      {"loads_after", program.loads.after}};
}

}  // namespace rtmc::driver
