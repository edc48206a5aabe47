#include "passes/lower_cells.h"

#include "passes/input_chunk.h"
#include "passes/lowering.h"
#include "support/check.h"
#include "support/hash.h"

#include <algorithm>

namespace rtmc::passes {

using namespace ir;

namespace {

std::string directionSuffix(const Layer &layer, uint32_t direction) {
  return layer.direction == Direction::Both && direction == 1 ? "_reverse" : "";
}

bool runsBackward(const Layer &layer, uint32_t direction) {
  return layer.direction == Direction::Backward || (layer.direction == Direction::Both && direction == 1);
}

/// Layers, sizes and order: what a saved state depends on. Not the weights.
std::string shapeHash(const Network &network) {
  std::string text = network.name;
  for (const Input &input : network.inputs) text += ";i" + std::to_string(input.size);
  for (const Layer &layer : network.layers) {
    text += ";" + layer.name + ":" + std::to_string(layer.op.index()) + ":" +
            std::to_string(layer.userSize ? layer.userSize : layer.size) + ":" +
            std::to_string(static_cast<int>(layer.direction));
    if (auto *lstm = std::get_if<Lstm>(&layer.op)) text += ":p" + std::to_string(lstm->projection);
  }
  return hex16(hash64({reinterpret_cast<const uint8_t *>(text.data()), text.size()}));
}

}  // namespace

bool Lowering::isRead(uint32_t layer) const {
  const ValueRef value{ValueRef::Kind::Layer, layer};
  return std::any_of(network_.layers.begin(), network_.layers.end(), [&](const Layer &reader) {
    return std::find(reader.inputs.begin(), reader.inputs.end(), value) != reader.inputs.end();
  });
}

Phase Lowering::newPhase(const Cell &cell, const std::string &what) const {
  Phase phase;
  phase.name = cell.name + ": " + what;
  phase.domain = cell.space;
  return phase;
}

Phase &Lowering::inputPhase(Phase &phase) {
  return chunk_ > 1 ? program_.sections[program_.sections.size() - 2].phases.front() : phase;
}

void Lowering::newInputSection(const Cell &cell) {
  Section added;
  added.name = cell.name + " inputs";
  added.kind = SectionKind::PerChunk;
  added.phases.push_back(newPhase(cell, "input products"));
  program_.sections.push_back(std::move(added));
}

/// Every gate of the cell is constant.
void Lowering::dropEmptyInputSection() {
  const auto inputs = program_.sections.end() - 2;
  if (inputs->phases.front().ops.empty()) program_.sections.erase(inputs);
}

void Lowering::newSection(const std::string &name, bool backward) {
  if (!layered() && !program_.sections.empty()) return;
  Section added;
  added.name = layered() ? name : "step";
  added.backward = backward;
  program_.sections.push_back(std::move(added));
}

Id Lowering::unitSpace(const Layer &layer, uint32_t direction, const std::string &name) {
  std::vector<uint32_t> order;
  if (direction < layer.keptUnits.size()) order = layer.keptUnits[direction];
  return addSpace(program_, name, layer.size, kNone, order, layer.userSize ? layer.userSize : layer.size);
}

std::vector<Source> Lowering::sourcesOf(const Layer &layer) const {
  std::vector<Source> sources;
  for (const ValueRef &ref : layer.inputs) {
    if (ref.kind == ValueRef::Kind::Layer) {
      sources.insert(sources.end(), values_[ref.index].begin(), values_[ref.index].end());
      continue;
    }
    uint32_t offset = 0;
    for (uint32_t i = 0; i < ref.index; ++i) offset += network_.inputs[i].size;
    sources.push_back({in_, offset, network_.inputs[ref.index].size, kNone});
  }
  return sources;
}

std::vector<uint32_t> Lowering::outputOffsets(ValueRef ref) const {
  std::vector<uint32_t> offsets;
  uint32_t offset = 0;
  for (const ValueRef &output : network_.outputs) {
    if (output == ref) offsets.push_back(offset);
    offset += sizeOf(network_, output);
  }
  return offsets;
}

void Lowering::addState(Id buffer) {
  program_.states.push_back({buffer});
}

Id Lowering::constantVector(const std::string &name, Id space, std::vector<float> values, const std::string &comment) {
  const Id id = addVector(program_, name, space, Lifetime::Const, comment);
  program_.buffers[id].init = std::move(values);
  return id;
}

void Lowering::storeOutputs(ElementwiseBuilder &builder, const Cell &cell, uint32_t value) {
  if (cell.history != kNone) builder.store(cell.history, value);
  for (uint32_t offset : cell.outputs) builder.store(out_, value, offset);
}

/// Tells readers where the layer's output of this step is.
void Lowering::publish(uint32_t layer, const Cell &cell, Id newest) {
  const Id buffer = cell.history != kNone ? cell.history : newest;
  const Buffer &held = program_.buffers[buffer];
  values_[layer].push_back({buffer, 0, held.size, held.space});
}

/// The buffer that holds the new state once a step has written it.
Id Lowering::newestState(Id state, bool doubleBuffered) {
  if (!doubleBuffered) return state;
  const Buffer held = program_.buffers[state];
  const Id next = addVector(program_, held.name + "_next", held.space, Lifetime::State, "becomes " + held.name);
  program_.buffers[next].range = held.range;
  section().swaps.emplace_back(state, next);
  return next;
}

void Lowering::lowerRecurrent(uint32_t index) {
  const Layer &layer = network_.layers[index];
  const std::vector<Recurrence> &directions = *recurrences(layer);
  const std::vector<Source> x = sourcesOf(layer);
  const std::vector<uint32_t> offsets = outputOffsets({ValueRef::Kind::Layer, index});
  for (uint32_t direction = 0; direction < directions.size(); ++direction) {
    Cell cell;
    cell.layer = &layer;
    cell.tensors = &directions[direction];
    cell.name = layer.name + directionSuffix(layer, direction);
    cell.units = layer.size;
    cell.space = unitSpace(layer, direction, cell.name);
    cell.x = x;
    if (chunk_ > 1) newInputSection(cell);
    newSection(cell.name, runsBackward(layer, direction));
    for (uint32_t offset : offsets) cell.outputs.push_back(offset + direction * outputSizePerDirection(layer));
    if (std::holds_alternative<Gru>(layer.op)) lowerGru(cell);
    if (std::holds_alternative<Lstm>(layer.op)) lowerLstm(cell);
    if (std::holds_alternative<Rnn>(layer.op)) lowerRnn(cell);
    if (chunk_ > 1) dropEmptyInputSection();
  }
}

void Lowering::lowerLayer(uint32_t index) {
  if (std::holds_alternative<Linear>(network_.layers[index].op))
    lowerLinear(index);
  else
    lowerRecurrent(index);
}

/// A network may put an input out unchanged; share 0 copies it.
void Lowering::forwardInputsToOutputs() {
  uint32_t inOffset = 0;
  for (uint32_t i = 0; i < network_.inputs.size(); ++i) {
    const Input &input = network_.inputs[i];
    for (uint32_t offset : outputOffsets({ValueRef::Kind::Input, i})) {
      Phase phase;
      phase.name = input.name + ": copy to the output";
      phase.domain = addSpace(program_, input.name + "_copy", input.size, kNone, {}, input.size);
      ElementwiseBuilder copy(input.name + "_copy", phase.domain, input.size);
      copy.store(out_, copy.load(in_, input.name, inOffset), offset);
      phase.ops.emplace_back(copy.take());
      newSection(phase.name, false);
      section().phases.push_back(std::move(phase));
    }
    inOffset += input.size;
  }
}

void Lowering::run() {
  program_.name = network_.name;
  program_.causal = network_.causal();
  program_.chunk = chunk_;
  program_.folded = network_.folded;
  program_.shapeHash = shapeHash(network_);
  program_.passes = network_.passes;
  Buffer in;
  in.name = "in";
  in.size = network_.inputSize();
  in.lifetime = Lifetime::In;
  in.allSteps = true;
  bool promised = !network_.inputs.empty();
  for (const Input &input : network_.inputs) promised &= input.range.has_value();
  if (promised) {
    in.range = network_.inputs.front().range;
    for (const Input &input : network_.inputs) {
      in.range->low = std::min(in.range->low, input.range->low);
      in.range->high = std::max(in.range->high, input.range->high);
    }
  }
  in_ = addBuffer(program_, in);
  Buffer out = in;
  out.range.reset();
  out.name = "out";
  out.size = network_.outputSize();
  out.lifetime = Lifetime::Out;
  out_ = addBuffer(program_, out);
  values_.resize(network_.layers.size());
  for (uint32_t i = 0; i < network_.layers.size(); ++i) lowerLayer(i);
  forwardInputsToOutputs();
  refreshMaps(program_);
}

bool LowerCells::run(Module &module, Context &context) {
  RTMC_CHECK(module.network, "lower-cells needs a network");
  module.program.emplace();
  module.program->precision = context.options.precision;
  module.program->target = context.target.triple;
  module.program->cpu = context.target.cpu;
  Lowering(*module.network, *module.program, context.machine, inputChunk(*module.network, context)).run();
  return true;
}

}  // namespace rtmc::passes
