#include "ir/kernel_interpreter.h"

#include "support/check.h"

#include <algorithm>
#include <cmath>

namespace rtmc::ir {

namespace {

/// What the row groups of a matrix compute: its values at their rows and columns, nothing else.
CsrMatrix fromGroups(const Weights &w) {
  std::vector<bool> covered(w.values.size()), inGroup(w.columns);
  for (const RowGroup &group : w.groups) {
    const bool gather = w.schedule.lanes.gather;
    const auto mark = [&](bool value) {
      for (uint32_t column : group.columns)
        for (uint32_t c = column; c < std::min(w.columns, column + w.schedule.lanes.width); ++c) inGroup[c] = value;
    };
    mark(true);
    for (uint32_t r : group.rows)
      for (uint32_t k = w.rowBegin[r]; k < w.rowBegin[r + 1]; ++k)
        if (gather || inGroup[w.columnIndex[k]]) covered[k] = true;
    mark(false);
  }
  CsrMatrix m{w.rows, w.columns, {0}, {}, {}};
  for (uint32_t r = 0; r < w.rows; ++r) {
    for (uint32_t k = w.rowBegin[r]; k < w.rowBegin[r + 1]; ++k) {
      if (!covered[k]) continue;
      m.columnIndex.push_back(w.columnIndex[k]);
      m.values.push_back(w.values[k]);
    }
    m.rowBegin.push_back(static_cast<uint32_t>(m.values.size()));
  }
  return m;
}

CsrMatrix matrixOf(const Weights &w) {
  if (w.packed) return expand(w);
  if (!w.groups.empty()) return fromGroups(w);
  return {w.rows, w.columns, w.rowBegin, w.columnIndex, w.values};
}

/// Walks tiles as a kernel does: inside one, each element of x is loaded once for all rows.
uint64_t loadsOfPacked(const Packed &packed) {
  uint64_t loads = 0;
  for (const TileRun &run : packed.runs) {
    const TileShape &shape = packed.shapes[run.shape];
    for (uint32_t tile = 0; tile < run.tiles; ++tile)
      for (uint32_t entry = 0; entry < run.entries; ++entry)
        loads += shape.gather ? uint64_t{shape.vectors} * shape.lanes : shape.width;
  }
  return loads;
}

uint64_t loadsOfGroups(const Weights &w) {
  uint64_t loads = 0;
  for (const RowGroup &group : w.groups) {
    if (w.schedule.lanes.gather)
      for (uint32_t r : group.rows) loads += w.rowBegin[r + 1] - w.rowBegin[r];
    else
      loads += group.columns.size() * uint64_t{w.schedule.lanes.width};
  }
  return loads;
}

uint64_t loadsOf(const Weights &w) {
  if (w.packed) return loadsOfPacked(*w.packed);
  return w.groups.empty() ? w.values.size() : loadsOfGroups(w);
}

double stored(const Buffer &buffer, double value) {
  if (buffer.dtype == DType::F32) return value;
  return halfToFloat(floatToHalf(static_cast<float>(value)));
}

}  // namespace

KernelInterpreter::KernelInterpreter(const Program &program) : program_(program), buffers_(program.buffers.size()) {
  for (const Weights &w : program.weights) {
    matrices_.push_back(matrixOf(w));
    loadsPerRun_.push_back(loadsOf(w));
  }
  for (const Buffer &buffer : program.buffers) {
    if (buffer.lifetime == Lifetime::In) inputSize_ += buffer.size;
    if (buffer.lifetime == Lifetime::Out) outputSize_ += buffer.size;
  }
  reset();
}

void KernelInterpreter::reset() {
  for (Id id = 0; id < buffers_.size(); ++id) {
    const Buffer &buffer = program_.buffers[id];
    buffers_[id].assign(buffer.size, 0.0);
    for (size_t i = 0; i < buffer.init.size() && i < buffer.size; ++i) buffers_[id][i] = stored(buffer, buffer.init[i]);
  }
  onceDone_ = false;
}

double *KernelInterpreter::row(Id id) {
  const Buffer &buffer = program_.buffers[id];
  const bool rows = buffer.allSteps || buffer.lifetime == Lifetime::In || buffer.lifetime == Lifetime::Out;
  return buffers_[id].data() + (rows ? step_ * buffer.size : 0);
}

std::vector<double> KernelInterpreter::run(std::span<const float> in, size_t steps) {
  RTMC_CHECK(in.size() == steps * inputSize_, "input of another size");
  if (!program_.causal) reset();
  size_t offset = 0;
  for (Id id = 0; id < buffers_.size(); ++id) {
    const Buffer &buffer = program_.buffers[id];
    const bool user = buffer.lifetime == Lifetime::In || buffer.lifetime == Lifetime::Out;
    if (!buffer.allSteps && !user) continue;
    buffers_[id].resize(buffer.size);  // the first row, which holds the start values, is what every step starts from
    std::vector<double> rows;
    for (size_t t = 0; t < steps; ++t) rows.insert(rows.end(), buffers_[id].begin(), buffers_[id].end());
    if (buffer.lifetime == Lifetime::In) {
      for (size_t t = 0; t < steps; ++t)
        for (size_t i = 0; i < buffer.size; ++i) rows[t * buffer.size + i] = in[t * inputSize_ + offset + i];
      offset += buffer.size;
    }
    buffers_[id] = std::move(rows);
  }
  const size_t chunk = program_.causal ? program_.chunk : std::max<size_t>(1, steps);
  for (size_t begin = 0; begin < steps; begin += chunk) {
    const size_t end = std::min(steps, begin + chunk);
    for (const Section &section : program_.sections) runSection(section, begin, end);
    onceDone_ = true;
  }

  std::vector<double> out(steps * outputSize_);
  offset = 0;
  for (Id id = 0; id < buffers_.size(); ++id) {
    const size_t size = program_.buffers[id].size;
    if (program_.buffers[id].lifetime != Lifetime::Out) continue;
    for (size_t t = 0; t < steps; ++t)
      for (size_t i = 0; i < size; ++i) out[t * outputSize_ + offset + i] = buffers_[id][t * size + i];
    offset += size;
  }
  return out;
}

void KernelInterpreter::runSection(const Section &section, size_t begin, size_t end) {
  if (section.kind == SectionKind::Once) {
    step_ = 0;
    if (!onceDone_)
      for (const Phase &phase : section.phases) runPhase(phase);
    return;
  }
  if (section.kind == SectionKind::PerChunk) {
    for (const Phase &phase : section.phases)
      for (const Operation &operation : phase.ops)
        for (step_ = begin; step_ < end; ++step_) execute(operation);
    return;
  }
  for (size_t t = begin; t < end; ++t) {
    step_ = section.backward ? begin + (end - 1 - t) : t;
    for (const Phase &phase : section.phases) runPhase(phase);
    for (const auto &[state, next] : section.swaps) std::swap(buffers_[state], buffers_[next]);
  }
}

void KernelInterpreter::runPhase(const Phase &phase) {
  for (const Operation &operation : phase.ops) execute(operation);
}

void KernelInterpreter::execute(const Operation &operation) {
  std::visit([&](const auto &op) { apply(op); }, operation);
}

void KernelInterpreter::apply(const MatMul &m) {
  const CsrMatrix &w = matrices_[m.weights];
  const double *x = row(m.x) + m.xOffset;
  double *y = row(m.y);
  for (uint32_t r = 0; r < w.rows; ++r) {
    double sum = 0;
    for (uint32_t k = w.rowBegin[r]; k < w.rowBegin[r + 1]; ++k) sum += double{w.values[k]} * x[w.columnIndex[k]];
    y[r] += sum;
  }
  loads_[program_.weights[m.weights].name] += loadsPerRun_[m.weights];
}

void KernelInterpreter::element(const Elementwise &e, uint32_t i) {
  for (size_t k = 0; k < e.body.size(); ++k) {
    const EwInstr &instr = e.body[k];
    const auto value = [&](uint32_t operand) { return values_[operand]; };
    const size_t place = size_t{instr.offset} + (instr.mapped ? e.map[i] : i);
    switch (instr.op) {
      case EwOp::Load:
        values_[k] = row(instr.buffer)[place];
        break;
      case EwOp::Store:
        row(instr.buffer)[place] = stored(program_.buffers[instr.buffer], value(instr.a));
        break;
      case EwOp::Const:
        values_[k] = instr.imm;
        break;
      case EwOp::Add:
        values_[k] = value(instr.a) + value(instr.b);
        break;
      case EwOp::Sub:
        values_[k] = value(instr.a) - value(instr.b);
        break;
      case EwOp::Mul:
        values_[k] = value(instr.a) * value(instr.b);
        break;
      case EwOp::Fma:
        values_[k] = value(instr.a) * value(instr.b) + value(instr.c);
        break;
      case EwOp::Lerp:
        values_[k] = value(instr.c) + value(instr.a) * (value(instr.b) - value(instr.c));
        break;
      case EwOp::Sigmoid:
        values_[k] = 1.0 / (1.0 + std::exp(-value(instr.a)));
        break;
      case EwOp::Tanh:
        values_[k] = std::tanh(value(instr.a));
        break;
      // NaN stays NaN, as in every kernel.
      case EwOp::Relu:
        values_[k] = value(instr.a) < 0 ? 0.0 : value(instr.a);
        break;
    }
  }
}

void KernelInterpreter::apply(const Elementwise &e) {
  values_.assign(e.body.size(), 0.0);
  std::vector<Part> parts = e.parts;
  if (parts.empty()) parts.push_back({0, e.count});
  for (const Part &part : parts)
    for (uint32_t i = part.begin; i < part.end; ++i)
      if (e.map.empty() || e.map[i] != kNone) element(e, i);
}

void KernelInterpreter::apply(const Softmax &s) {
  const double *in = row(s.in);
  double *out = row(s.out) + s.offset;
  const double top = *std::max_element(in, in + s.count);
  double sum = 0;
  for (uint32_t i = 0; i < s.count; ++i) sum += std::exp(in[i] - top);
  for (uint32_t i = 0; i < s.count; ++i) out[i] = s.log ? in[i] - top - std::log(sum) : std::exp(in[i] - top) / sum;
}

}  // namespace rtmc::ir
