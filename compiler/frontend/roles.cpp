#include "frontend/roles.h"

#include <utility>

namespace rtmc::frontend {
namespace {

void addRecurrence(std::vector<Role> &roles, const ir::Layer &layer, ir::Recurrence &r, uint32_t inputSize,
                   bool reverse) {
  const uint32_t gates = ir::gateCount(layer), units = layer.size, rows = gates * units;
  const std::string suffix = reverse ? "_reverse" : "";
  const auto add = [&](std::string_view base, ir::Tensor &target, std::vector<uint32_t> shape) -> Role & {
    Role role;
    role.name = std::string(base) + suffix;
    role.base = base;
    role.pieces = gates;
    role.gateOrdered = true;
    role.matrix = shape.size() == 2;
    role.shape = std::move(shape);
    role.reverse = reverse;
    role.target = &target;
    return roles.emplace_back(std::move(role));
  };
  add("weight_ih", r.weightIh, {rows, inputSize});
  add("weight_hh", r.weightHh, {rows, ir::outputSizePerDirection(layer)});
  add("bias_ih", r.biasIh, {rows}).optional = true;
  add("bias_hh", r.biasHh, {rows}).optional = true;
  const auto *lstm = std::get_if<ir::Lstm>(&layer.op);
  if (lstm && lstm->peepholes) {
    Role &role = add("peephole", r.peephole, {3 * units});
    role.pieces = 3;  // always i, f, o: a gate order permutes stacked gates only
    role.gateOrdered = false;
  }
  if (lstm && lstm->projection != 0) {
    Role &role = add("weight_hr", r.weightHr, {lstm->projection, units});
    role.pieces = 1;
    role.gateOrdered = false;
  }
}

}  // namespace

std::vector<Role> rolesOf(ir::Layer &layer, uint32_t inputSize) {
  std::vector<Role> roles;
  if (std::vector<ir::Recurrence> *directions = ir::recurrences(layer)) {
    directions->resize(layer.direction == ir::Direction::Both ? 2 : 1);
    for (size_t i = 0; i < directions->size(); ++i) addRecurrence(roles, layer, (*directions)[i], inputSize, i == 1);
    return roles;
  }
  auto &linear = std::get<ir::Linear>(layer.op);
  Role weight;
  weight.name = weight.base = "weight";
  weight.shape = {layer.size, inputSize};
  weight.matrix = true;
  weight.target = &linear.weight;
  Role bias;
  bias.name = bias.base = "bias";
  bias.shape = {layer.size};
  bias.optional = true;
  bias.target = &linear.bias;
  roles.push_back(std::move(weight));
  roles.push_back(std::move(bias));
  return roles;
}

}  // namespace rtmc::frontend
