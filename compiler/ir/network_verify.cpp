// The rules of the network IR, in the order of the header's fields.
#include "ir/network.h"
#include "support/names.h"

#include <fmt/format.h>

#include <cmath>
#include <set>
#include <span>
#include <utility>

namespace rtmc::ir {

namespace {

constexpr uint64_t kMaxSize = uint64_t{1} << 28;  // elements of a vector: keeps every index and offset in 32 bits

class Verifier {
 public:
  explicit Verifier(const Network &network) : network_(network) {}

  std::vector<std::string> run() {
    checkNames();
    checkInputs();
    // Sizes follow references: what comes after would read past the tables.
    if (!checkReferences()) return std::move(messages_);
    for (const Layer &layer : network_.layers) checkLayer(layer);
    checkOutputs();
    return std::move(messages_);
  }

 private:
  template <typename... Args>
  void fail(fmt::format_string<Args...> format, Args &&...args) {
    messages_.push_back(fmt::format(format, std::forward<Args>(args)...));
  }
  template <typename... Args>
  void failLayer(const Layer &layer, fmt::format_string<Args...> format, Args &&...args) {
    messages_.push_back(
        fmt::format("layer {}: {}", quoted(layer.name), fmt::format(format, std::forward<Args>(args)...)));
  }

  void checkNames();
  void checkInputs();
  bool checkReferences();
  void checkOutputs();
  void checkRange(const std::string &what, const std::optional<Range> &);
  void checkLayer(const Layer &);
  void checkOp(const Layer &, uint64_t inputSize);
  void checkRecurrence(const Layer &, const Recurrence &, uint64_t inputSize, const Lstm *);
  void checkLinear(const Layer &, const Linear &, uint64_t inputSize);
  void checkTensor(const Layer &, std::string_view role, const Tensor &, const std::vector<uint64_t> &shape,
                   bool required);
  void checkStructure(const Layer &, std::string_view what, const Structure &);
  void checkConstantRows(const Layer &, std::string_view gate, const std::vector<uint8_t> &rows, uint32_t gateIndex,
                         std::span<const Tensor *const> matrices);
  void checkConstantPeepholes(const Layer &, const Recurrence &, uint32_t gate);
  void checkKeptUnits(const Layer &);

  const Network &network_;
  std::vector<std::string> messages_;
  std::set<std::string> tensorNames_;
};

void Verifier::checkNames() {
  if (network_.version != 1) fail("version is {}; 1 is known", network_.version);
  if (!isIdentifier(network_.name)) fail("network name {} is no C identifier", quoted(network_.name));
  std::set<std::string> names;
  auto check = [&](const char *what, const std::string &name) {
    if (!isIdentifier(name)) fail("{} name {} is no C identifier", what, quoted(name));
    if (!names.insert(name).second) fail("the name {} is used twice", quoted(name));
  };
  for (const Input &input : network_.inputs) check("input", input.name);
  for (const Layer &layer : network_.layers) check("layer", layer.name);
}

void Verifier::checkRange(const std::string &what, const std::optional<Range> &range) {
  if (range && !(std::isfinite(range->low) && std::isfinite(range->high) && range->low <= range->high))
    fail("{}: range [{}, {}] is not ascending and finite", what, range->low, range->high);
}

void Verifier::checkInputs() {
  if (network_.inputs.empty()) fail("there is no input");
  uint64_t total = 0;
  for (const Input &input : network_.inputs) {
    total += input.size;
    if (input.size == 0 || input.size > kMaxSize)
      fail("input {}: size {} is not in 1 ... {}", quoted(input.name), input.size, kMaxSize);
    checkRange(fmt::format("input {}", quoted(input.name)), input.range);
  }
  if (total > kMaxSize) fail("the inputs have {} values; at most {} are supported", total, kMaxSize);
}

/// Sizes and references of layers and outputs: what sizeOf() needs.
bool Verifier::checkReferences() {
  size_t before = messages_.size();
  if (network_.layers.empty()) fail("there is no layer");
  for (size_t i = 0; i < network_.layers.size(); ++i) {
    const Layer &layer = network_.layers[i];
    if (layer.size == 0 || layer.size > kMaxSize) failLayer(layer, "size {} is not in 1 ... {}", layer.size, kMaxSize);
    const auto *lstm = std::get_if<Lstm>(&layer.op);
    if (lstm != nullptr && lstm->projection > kMaxSize)
      failLayer(layer, "projection {} is above {}", lstm->projection, kMaxSize);
    if (layer.inputs.empty()) failLayer(layer, "it reads nothing");
    for (ValueRef input : layer.inputs) {
      if (input.kind == ValueRef::Kind::Input && input.index >= network_.inputs.size())
        failLayer(layer, "it reads input {} of {}", input.index, network_.inputs.size());
      if (input.kind == ValueRef::Kind::Layer && input.index >= i)
        failLayer(layer, "it reads layer {}, which is not before it", input.index);
    }
  }
  if (network_.outputs.empty()) fail("there is no output");
  for (ValueRef output : network_.outputs) {
    size_t count = output.kind == ValueRef::Kind::Input ? network_.inputs.size() : network_.layers.size();
    if (output.index >= count) fail("an output names value {} of {}", output.index, count);
  }
  return messages_.size() == before;
}

void Verifier::checkOutputs() {
  uint64_t total = 0;
  for (ValueRef output : network_.outputs) {
    total += sizeOf(network_, output);
    if (output.kind != ValueRef::Kind::Layer) continue;
    const Layer &layer = network_.layers[output.index];
    const auto *lstm = std::get_if<Lstm>(&layer.op);
    bool projected = lstm != nullptr && lstm->projection != 0;
    if (!projected && layer.userSize > layer.size) failLayer(layer, "it is an output, but units were dropped");
  }
  if (total > kMaxSize) fail("the outputs have {} values; at most {} are supported", total, kMaxSize);
}

void Verifier::checkLayer(const Layer &layer) {
  checkRange(fmt::format("layer {}", quoted(layer.name)), layer.range);
  uint64_t inputSize = 0;
  for (ValueRef input : layer.inputs) inputSize += sizeOf(network_, input);
  if (inputSize > kMaxSize) failLayer(layer, "it reads {} values; at most {} are supported", inputSize, kMaxSize);
  checkOp(layer, inputSize);
  checkKeptUnits(layer);
}

void Verifier::checkOp(const Layer &layer, uint64_t inputSize) {
  if (const auto *linear = std::get_if<Linear>(&layer.op)) {
    if (layer.direction != Direction::Forward) failLayer(layer, "a linear layer has no direction");
    return checkLinear(layer, *linear, inputSize);
  }
  if (const auto *rnn = std::get_if<Rnn>(&layer.op))
    if (rnn->activation != Activation::Tanh && rnn->activation != Activation::Relu)
      failLayer(layer, "an rnn's activation is tanh or relu");
  const auto *lstm = std::get_if<Lstm>(&layer.op);
  const std::vector<Recurrence> &directions = *recurrences(layer);
  size_t needed = layer.direction == Direction::Both ? 2 : 1;
  if (directions.size() != needed) failLayer(layer, "it has {} directions; {} needed", directions.size(), needed);
  for (const Recurrence &recurrence : directions) checkRecurrence(layer, recurrence, inputSize, lstm);
}

std::string shapeText(const std::vector<uint64_t> &shape) {
  return fmt::format("[{}]", fmt::join(shape, ", "));
}

/// `shape` empty: the tensor must be absent.
void Verifier::checkTensor(const Layer &layer, std::string_view role, const Tensor &tensor,
                           const std::vector<uint64_t> &shape, bool required) {
  if (!tensor.present()) {
    if (required) failLayer(layer, "{} is missing", role);
    if (!tensor.values.empty() || !tensor.mask.empty()) failLayer(layer, "{} has values but no shape", role);
    return;
  }
  if (shape.empty()) return failLayer(layer, "{} does not belong to this op", role);
  std::vector<uint64_t> found(tensor.shape.begin(), tensor.shape.end());
  if (found != shape) return failLayer(layer, "{} is {}; {} needed", role, shapeText(found), shapeText(shape));
  uint64_t count = 1;
  for (uint64_t size : shape) count *= size;
  if (tensor.values.size() != count)
    return failLayer(layer, "{} has {} values; its shape has {}", role, tensor.values.size(), count);
  if (!tensor.mask.empty() && tensor.mask.size() != count)
    failLayer(layer, "the mask of {} has {} values; its shape has {}", role, tensor.mask.size(), count);
  for (size_t i = 0; i < tensor.values.size(); ++i) {
    if (std::isfinite(tensor.values[i])) continue;
    failLayer(layer, "{}[{}] is {}", role, i, tensor.values[i]);
    break;
  }
  if (tensor.name.empty()) failLayer(layer, "{} has no name", role);
  if (!tensor.name.empty() && !tensorNames_.insert(tensor.name).second)
    failLayer(layer, "the tensor name {} is used twice", quoted(tensor.name));
  checkStructure(layer, fmt::format("the promise of {}", role), tensor.promise);
}

void Verifier::checkStructure(const Layer &layer, std::string_view what, const Structure &structure) {
  bool blocked = structure.scheme == Scheme::Bsp || structure.scheme == Scheme::Bcr ||
                 structure.scheme == Scheme::Csb || structure.scheme == Scheme::Block;
  if (blocked && (structure.blockRows == 0 || structure.blockColumns == 0))
    failLayer(layer, "{}: {} needs a block; it is {} x {}", what, schemeName(structure.scheme), structure.blockRows,
              structure.blockColumns);
  if (!(structure.fill >= 0 && structure.fill <= 1))
    failLayer(layer, "{}: fill is {}; 0 ... 1 needed", what, structure.fill);
}

void Verifier::checkRecurrence(const Layer &layer, const Recurrence &recurrence, uint64_t inputSize, const Lstm *lstm) {
  uint64_t gates = gateCount(layer), units = layer.size, rows = gates * units, outputs = outputSizePerDirection(layer);
  checkTensor(layer, "weight_ih", recurrence.weightIh, {rows, inputSize}, true);
  checkTensor(layer, "weight_hh", recurrence.weightHh, {rows, outputs}, true);
  checkTensor(layer, "bias_ih", recurrence.biasIh, {rows}, false);
  checkTensor(layer, "bias_hh", recurrence.biasHh, {rows}, false);
  bool peepholes = lstm != nullptr && lstm->peepholes;
  bool projected = lstm != nullptr && lstm->projection != 0;
  checkTensor(layer, "peephole", recurrence.peephole,
              peepholes ? std::vector<uint64_t>{3 * units} : std::vector<uint64_t>{}, peepholes);
  checkTensor(layer, "weight_hr", recurrence.weightHr,
              projected ? std::vector<uint64_t>{outputs, units} : std::vector<uint64_t>{}, projected);

  if (!recurrence.constantRows.empty() && recurrence.constantRows.size() != gates)
    failLayer(layer, "constant rows of {} gates; it has {}", recurrence.constantRows.size(), gates);
  else
    for (uint32_t gate = 0; gate < recurrence.constantRows.size(); ++gate) {
      const Tensor *matrices[] = {&recurrence.weightIh, &recurrence.weightHh};
      checkConstantRows(layer, gateName(layer, gate), recurrence.constantRows[gate], gate, matrices);
      if (peepholes && gate != 2) checkConstantPeepholes(layer, recurrence, gate);
    }
  for (const auto &[what, structures] :
       {std::pair{"structure_ih", &recurrence.structureIh}, std::pair{"structure_hh", &recurrence.structureHh}}) {
    if (!structures->empty() && structures->size() != gates)
      failLayer(layer, "{} of {} gates; it has {}", what, structures->size(), gates);
    for (const Structure &structure : *structures) checkStructure(layer, what, structure);
  }
  checkStructure(layer, "structure_hr", recurrence.structureHr);
}

/// A gate that sees the cell is no constant either. Peepholes stand i, f, o; the gates i, f, g, o.
void Verifier::checkConstantPeepholes(const Layer &layer, const Recurrence &recurrence, uint32_t gate) {
  const std::vector<uint8_t> &rows = recurrence.constantRows[gate];
  const std::vector<float> &values = recurrence.peephole.values;
  for (size_t unit = 0; unit < rows.size() && unit < layer.size; ++unit) {
    size_t i = size_t{gate == 3 ? 2u : gate} * layer.size + unit;
    bool pruned = i >= values.size() || (i < recurrence.peephole.mask.size() && recurrence.peephole.mask[i] == 0);
    if (rows[unit] == 0 || pruned || values[i] == 0) continue;
    return failLayer(layer, "row {} of gate {} is called constant, but has a peephole", unit, gateName(layer, gate));
  }
}

void Verifier::checkLinear(const Layer &layer, const Linear &linear, uint64_t inputSize) {
  checkTensor(layer, "weight", linear.weight, {layer.size, inputSize}, true);
  checkTensor(layer, "bias", linear.bias, {layer.size}, false);
  const Tensor *matrices[] = {&linear.weight};
  if (!linear.constantRows.empty()) checkConstantRows(layer, gateName(layer, 0), linear.constantRows, 0, matrices);
  checkStructure(layer, "structure", linear.structure);
}

/// A row that is called constant has no weight that counts.
void Verifier::checkConstantRows(const Layer &layer, std::string_view gate, const std::vector<uint8_t> &rows,
                                 uint32_t gateIndex, std::span<const Tensor *const> matrices) {
  if (rows.size() != layer.size)
    return failLayer(layer, "constant rows of gate {} are {}; {} needed", gate, rows.size(), layer.size);
  for (uint32_t unit = 0; unit < rows.size(); ++unit) {
    if (rows[unit] > 1) return failLayer(layer, "constant rows of gate {}: {} is neither 0 nor 1", gate, rows[unit]);
    if (rows[unit] == 0) continue;
    for (const Tensor *matrix : matrices) {
      size_t columns = matrix->columns(), begin = (size_t{gateIndex} * layer.size + unit) * columns;
      if (begin + columns > matrix->values.size()) continue;  // the shape was reported
      for (size_t i = begin; i < begin + columns; ++i)
        if (matrix->values[i] != 0 && (i >= matrix->mask.size() || matrix->mask[i] != 0))
          return failLayer(layer, "row {} of gate {} is called constant, but {} has a weight in it", unit, gate,
                           quoted(matrix->name));
    }
  }
}

void Verifier::checkKeptUnits(const Layer &layer) {
  if (layer.keptUnits.empty()) {
    if (layer.userSize != 0) failLayer(layer, "it has a user size of {}, but no list of kept units", layer.userSize);
    return;
  }
  size_t needed = layer.direction == Direction::Both ? 2 : 1;
  if (layer.keptUnits.size() != needed)
    failLayer(layer, "kept units of {} directions; {} needed", layer.keptUnits.size(), needed);
  if (layer.userSize < layer.size || layer.userSize > kMaxSize)
    failLayer(layer, "the user's size is {}, but {} units are kept", layer.userSize, layer.size);
  for (const std::vector<uint32_t> &units : layer.keptUnits) {
    if (units.size() != layer.size) failLayer(layer, "{} kept units; its size is {}", units.size(), layer.size);
    for (size_t i = 0; i < units.size(); ++i)
      if (units[i] >= layer.userSize || (i != 0 && units[i] <= units[i - 1])) {
        failLayer(layer, "kept units must ascend and lie below {}; entry {} is {}", layer.userSize, i, units[i]);
        break;
      }
  }
}

}  // namespace

std::vector<std::string> verify(const Network &network) {
  return Verifier(network).run();
}

}  // namespace rtmc::ir
