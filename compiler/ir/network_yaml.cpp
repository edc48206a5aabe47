// Printing; network_yaml_read.cpp reads. Fields that have their default are left out.
#include "ir/network_yaml.h"

#include "ir/constants.h"
#include "ir/network_words.h"

#include <fmt/format.h>

namespace rtmc::ir {

namespace {

class Printer {
 public:
  Printer(const Network &network, const std::string &constantsName) : network_(network), constants_(constantsName) {}

  Printed run() {
    line(0, "rtm_network: {}", network_.version);
    line(0, "name: {}", yamlString(network_.name));
    if (!network_.passes.empty()) line(0, "passes: {}", yamlStrings(network_.passes));
    line(0, "inputs:");
    for (const Input &input : network_.inputs)
      line(2, "- {{name: {}, size: {}{}}}", yamlString(input.name), input.size,
           input.range ? ", range: " + rangeText(*input.range) : "");
    line(0, "layers:");
    for (const Layer &layer : network_.layers) printLayer(layer);
    line(0, "outputs: {}", valuesText(network_.outputs));
    const FoldReport &folded = network_.folded;
    if (folded.constantGateRows + folded.constantGates + folded.droppedUnits + folded.droppedWeights != 0)
      line(0, "folded: {{constant_gate_rows: {}, constant_gates: {}, dropped_units: {}, dropped_weights: {}}}",
           folded.constantGateRows, folded.constantGates, folded.droppedUnits, folded.droppedWeights);
    return {std::move(text_), constants_.finish()};
  }

 private:
  template <typename... Args>
  void line(int indent, fmt::format_string<Args...> format, Args &&...args) {
    text_.append(static_cast<size_t>(indent), ' ');
    text_ += fmt::format(format, std::forward<Args>(args)...);
    text_ += '\n';
  }

  static std::string rangeText(const Range &range) {
    return fmt::format("[{}, {}]", yamlNumber(range.low), yamlNumber(range.high));
  }
  std::string valuesText(const std::vector<ValueRef> &values) const {
    std::vector<std::string> names;
    for (ValueRef value : values)
      names.push_back(value.kind == ValueRef::Kind::Input ? network_.inputs[value.index].name
                                                          : network_.layers[value.index].name);
    return yamlStrings(names);
  }
  static bool isDefault(const Structure &structure) {
    return structure.scheme == Scheme::Auto && structure.blockRows == 0 && structure.blockColumns == 0 &&
           structure.fill == 1.0;
  }
  static std::string structureText(const Structure &structure) {
    std::string text = fmt::format("{{scheme: {}", schemeName(structure.scheme));
    if (structure.blockRows != 0 || structure.blockColumns != 0)
      text += fmt::format(", block: [{}, {}]", structure.blockRows, structure.blockColumns);
    if (structure.fill != 1.0) text += ", fill: " + yamlNumber(structure.fill);
    return text + "}";
  }

  void printLayer(const Layer &);
  void printRecurrence(const std::string &prefix, const Recurrence &);
  void printTensor(int indent, std::string_view role, const Tensor &);
  void printStructures(int indent, std::string_view key, const std::vector<Structure> &);

  const Network &network_;
  ConstantWriter constants_;
  std::string text_;
};

void Printer::printLayer(const Layer &layer) {
  line(2, "- name: {}", yamlString(layer.name));
  line(4, "op: {}", kOpNames[layer.op.index()]);
  line(4, "size: {}", layer.size);
  line(4, "inputs: {}", valuesText(layer.inputs));
  if (layer.direction != Direction::Forward) line(4, "direction: {}", nameOf(layer.direction));
  if (layer.range) line(4, "range: {}", rangeText(*layer.range));
  if (layer.userSize != 0) line(4, "user_size: {}", layer.userSize);
  if (!layer.keptUnits.empty()) line(4, "kept_units:");
  for (size_t i = 0; i < layer.keptUnits.size(); ++i)
    line(6, "- {}", constants_.indices(fmt::format("{}.kept_units.{}", layer.name, i), layer.keptUnits[i]));

  if (const auto *linear = std::get_if<Linear>(&layer.op)) {
    line(4, "activation: {}", nameOf(linear->activation));
    printTensor(4, "weight", linear->weight);
    printTensor(4, "bias", linear->bias);
    if (!linear->constantRows.empty())
      line(4, "constant_rows: {}", constants_.bytes(layer.name + ".constant_rows", linear->constantRows));
    if (!isDefault(linear->structure)) line(4, "structure: {}", structureText(linear->structure));
    return;
  }
  if (const auto *gru = std::get_if<Gru>(&layer.op)) line(4, "reset: {}", gru->resetAfter ? "after" : "before");
  if (const auto *rnn = std::get_if<Rnn>(&layer.op)) line(4, "activation: {}", nameOf(rnn->activation));
  if (const auto *lstm = std::get_if<Lstm>(&layer.op)) {
    if (lstm->peepholes) line(4, "peepholes: true");
    if (lstm->projection != 0) line(4, "projection: {}", lstm->projection);
  }
  line(4, "directions:");
  const std::vector<Recurrence> &directions = *recurrences(layer);
  for (size_t i = 0; i < directions.size(); ++i)
    printRecurrence(fmt::format("{}.constant_rows.{}", layer.name, i), directions[i]);
}

void Printer::printRecurrence(const std::string &prefix, const Recurrence &recurrence) {
  size_t begin = text_.size();
  printTensor(8, "weight_ih", recurrence.weightIh);
  printTensor(8, "weight_hh", recurrence.weightHh);
  printTensor(8, "bias_ih", recurrence.biasIh);
  printTensor(8, "bias_hh", recurrence.biasHh);
  printTensor(8, "peephole", recurrence.peephole);
  printTensor(8, "weight_hr", recurrence.weightHr);
  if (!recurrence.constantRows.empty()) line(8, "constant_rows:");
  for (size_t gate = 0; gate < recurrence.constantRows.size(); ++gate)
    line(10, "- {}", constants_.bytes(fmt::format("{}.{}", prefix, gate), recurrence.constantRows[gate]));
  printStructures(8, "structure_ih", recurrence.structureIh);
  printStructures(8, "structure_hh", recurrence.structureHh);
  if (!isDefault(recurrence.structureHr)) line(8, "structure_hr: {}", structureText(recurrence.structureHr));
  if (text_.size() == begin) return line(6, "- {{}}");
  text_[begin + 6] = '-';
}

void Printer::printTensor(int indent, std::string_view role, const Tensor &tensor) {
  bool hasPromise = !isDefault(tensor.promise);
  if (!tensor.present() && tensor.name.empty() && tensor.source.empty() && !hasPromise) return;
  line(indent, "{}:", role);
  line(indent + 2, "name: {}", yamlString(tensor.name));
  if (!tensor.source.empty()) line(indent + 2, "source: {}", yamlString(tensor.source));
  if (hasPromise) line(indent + 2, "promise: {}", structureText(tensor.promise));
  if (!tensor.present()) return;
  line(indent + 2, "shape: [{}]", fmt::join(tensor.shape, ", "));
  line(indent + 2, "values: {}", constants_.floats(tensor.name, tensor.values));
  if (!tensor.mask.empty()) line(indent + 2, "mask: {}", constants_.bytes(tensor.name + "_mask", tensor.mask));
}

void Printer::printStructures(int indent, std::string_view key, const std::vector<Structure> &structures) {
  if (structures.empty()) return;
  line(indent, "{}:", key);
  for (const Structure &structure : structures) line(indent + 2, "- {}", structureText(structure));
}

}  // namespace

Printed print(const Network &network, const std::string &constantsName) {
  return Printer(network, constantsName).run();
}

}  // namespace rtmc::ir
