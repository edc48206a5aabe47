#include "ir/network_cells.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

namespace rtmc::ir {

namespace {

/// Cuts tensors into gates and gates into the sources that they read.
class LayerCompiler {
 public:
  LayerCompiler(const Network &network, const Layer &layer, const InterpreterOptions &options)
      : layer_(layer), options_(options) {
    uint32_t offset = 0;
    for (ValueRef input : layer.inputs) {
      uint32_t size = sizeOf(network, input);
      sources_.push_back({offset, size});
      offset += size;
    }
  }

  CompiledLayer compile() {
    CompiledLayer compiled;
    compiled.units = layer_.size;
    compiled.userUnits = std::max(layer_.userSize, layer_.size);
    compiled.outputs = outputSizePerDirection(layer_);
    compiled.direction = layer_.direction;
    compiled.inputs = layer_.inputs;
    compiled.keptUnits = layer_.keptUnits;
    if (const auto *linear = std::get_if<Linear>(&layer_.op)) {
      compiled.activation = linear->activation;
      compiled.rows = rowsOf(linear->weight, linear->bias, 0, layer_.size, sources_);
      return compiled;
    }
    compiled.op = CompiledLayer::Op::Rnn;
    if (const auto *rnn = std::get_if<Rnn>(&layer_.op)) compiled.activation = rnn->activation;
    if (const auto *gru = std::get_if<Gru>(&layer_.op)) {
      compiled.op = CompiledLayer::Op::Gru;
      compiled.resetAfter = gru->resetAfter;
    }
    if (const auto *lstm = std::get_if<Lstm>(&layer_.op)) {
      compiled.op = CompiledLayer::Op::Lstm;
      compiled.projected = lstm->projection != 0;
    }
    for (const Recurrence &recurrence : *recurrences(layer_)) compiled.cells.push_back(cellOf(recurrence));
    return compiled;
  }

 private:
  Cell cellOf(const Recurrence &recurrence) const {
    Cell cell;
    std::vector<SourceRange> state = {{0, outputSizePerDirection(layer_)}};
    for (uint32_t gate = 0; gate < gateCount(layer_); ++gate) {
      cell.input.push_back(rowsOf(recurrence.weightIh, recurrence.biasIh, gate, layer_.size, sources_));
      cell.hidden.push_back(rowsOf(recurrence.weightHh, recurrence.biasHh, gate, layer_.size, state));
    }
    for (size_t i = 0; i < recurrence.peephole.values.size(); ++i)
      cell.peephole.push_back(maskedValue(recurrence.peephole, i));
    if (recurrence.weightHr.present())
      cell.projection = rowsOf(recurrence.weightHr, Tensor{}, 0, recurrence.weightHr.rows(), {{0, layer_.size}});
    return cell;
  }

  GateRows rowsOf(const Tensor &weight, const Tensor &bias, uint32_t gate, uint32_t rows,
                  const std::vector<SourceRange> &sources) const {
    GateRows result(rows);
    for (size_t i = 0; i < sources.size(); ++i) {
      std::string name = fmt::format("{}.{}", weight.name, gateName(layer_, gate));
      if (i != 0) name += fmt::format("@{}", i);
      bool half = options_.halfChains && (options_.halfMatrices.empty() || options_.halfMatrices.contains(name));
      result.addProduct(weight, gate * rows, sources[i], half);
    }
    if (bias.present()) result.setBias(bias, gate * rows);
    return result;
  }

  const Layer &layer_;
  const InterpreterOptions &options_;
  std::vector<SourceRange> sources_;
};

}  // namespace

CompiledLayer compileLayer(const Network &network, const Layer &layer, const InterpreterOptions &options) {
  return LayerCompiler(network, layer, options).compile();
}

}  // namespace rtmc::ir
