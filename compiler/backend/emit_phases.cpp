#include "backend/emit_phases.h"

#include "support/check.h"

#include <fmt/format.h>

#include <algorithm>

namespace rtmc::backend {

PhaseEmitter::PhaseEmitter(const ir::Program &program, Layout &layout, uint32_t lanes, const MatMulEmitter &matMuls)
    : program_(program), layout_(layout), lanes_(lanes), matMuls_(matMuls) {
  for (const ir::Section &section : program.sections) {
    for (const ir::Phase &phase : section.phases) emitPhase(phase, section.kind == ir::SectionKind::PerChunk);
  }
}

void PhaseEmitter::emitPhase(const ir::Phase &phase, bool perChunk) {
  const std::string name = names_.unique("phase_" + identifier(phase.name));
  functions_.push_back(name);
  Text body(1);
  for (const ir::Operation &op : phase.ops) emitOperation(body, op, perChunk);
  const bool usesB = mentions(body.str(), "b"), usesW = mentions(body.str(), "w");
  const bool usesArgs = usesB || usesW || mentions(body.str(), "args"), usesShare = mentions(body.str(), "share");
  out_.line("/// {}", commentText(phase.name));
  appendCall(out_, "RTM_TARGET static void " + name,
             {usesArgs ? "const rtm_args *args" : "const rtm_args *", usesShare ? "uint32_t share" : "uint32_t"}, " {");
  if (usesB) out_.text("  Buffers &b = buffers(args);");
  if (usesW) out_.text("  const Weights &w = weights(args);");
  out_.raw(body.str());
  out_.text("}");
  out_.blank();
}

void PhaseEmitter::emitOperation(Text &out, const ir::Operation &op, bool perChunk) {
  if (const auto *matMul = std::get_if<ir::MatMul>(&op)) {
    emitMatMul(out, *matMul);
  } else if (const auto *elementwise = std::get_if<ir::Elementwise>(&op)) {
    (perChunk ? emitElementwiseOfChunk : emitElementwise)(out, program_, *elementwise, layout_, lanes_, use_);
  } else if (const auto *softmax = std::get_if<ir::Softmax>(&op)) {
    RTMC_CHECK(!perChunk, "softmax runs step by step");
    emitSoftmax(out, *softmax, layout_, use_);
  }
}

void PhaseEmitter::emitMatMul(Text &out, const ir::MatMul &matMul) {
  for (const ir::Id id : {matMul.x, matMul.y}) {
    if (layout_.buffers[id].home == Home::AllSteps) use_.stepRows = true;
  }
  const bool half = program_.weights[matMul.weights].schedule.accumulate == ir::Accumulate::F16x4;
  RTMC_CHECK(layout_.buffers[matMul.x].half == half, "half-precision sums, and only they, read an f16 buffer");
  RTMC_CHECK(!layout_.buffers[matMul.y].half, "sums are f32");
  matMuls_.call(out, matMul);
}

}  // namespace rtmc::backend
