#include "passes/program_builder.h"

#include "support/check.h"

#include <algorithm>
#include <numeric>

namespace rtmc::passes {

using namespace ir;

ElementwiseBuilder::ElementwiseBuilder(std::string name, Id space, uint32_t count) {
  op_.name = std::move(name);
  op_.space = space;
  op_.count = count;
}

uint32_t ElementwiseBuilder::push(EwInstr instr) {
  op_.body.push_back(std::move(instr));
  return static_cast<uint32_t>(op_.body.size() - 1);
}

uint32_t ElementwiseBuilder::load(Id buffer, std::string name, uint32_t offset) {
  EwInstr instr;
  instr.op = EwOp::Load;
  instr.buffer = buffer;
  instr.offset = offset;
  instr.name = std::move(name);
  return push(std::move(instr));
}

void ElementwiseBuilder::store(Id buffer, uint32_t value, uint32_t offset) {
  EwInstr instr;
  instr.op = EwOp::Store;
  instr.a = value;
  instr.buffer = buffer;
  instr.offset = offset;
  push(std::move(instr));
}

uint32_t ElementwiseBuilder::constant(float value, std::string name) {
  EwInstr instr;
  instr.op = EwOp::Const;
  instr.imm = value;
  instr.name = std::move(name);
  return push(std::move(instr));
}

uint32_t ElementwiseBuilder::op(EwOp op, std::string name, uint32_t a, uint32_t b, uint32_t c) {
  EwInstr instr;
  instr.op = op;
  instr.a = a;
  instr.b = b;
  instr.c = c;
  instr.name = std::move(name);
  return push(std::move(instr));
}

namespace {

/// Made names may meet each other (an input that is put out twice) or a layer's own name ("a_p").
template <typename T>
std::string uniqueName(const std::vector<T> &taken, const std::string &name) {
  const auto isTaken = [&](const std::string &candidate) {
    return std::any_of(taken.begin(), taken.end(), [&](const T &one) { return one.name == candidate; });
  };
  std::string candidate = name;
  for (uint32_t number = 2; isTaken(candidate); ++number) candidate = name + "_" + std::to_string(number);
  return candidate;
}

}  // namespace

Id addSpace(Program &program, const std::string &name, uint32_t size, Id parent, std::vector<uint32_t> order,
            uint32_t userSize) {
  Space space;
  space.name = uniqueName(program.spaces, name);
  space.size = size;
  space.parent = parent;
  space.order = std::move(order);
  space.userSize = userSize;
  program.spaces.push_back(std::move(space));
  return static_cast<Id>(program.spaces.size() - 1);
}

Id addBuffer(Program &program, Buffer buffer) {
  buffer.name = uniqueName(program.buffers, buffer.name);
  program.buffers.push_back(std::move(buffer));
  return static_cast<Id>(program.buffers.size() - 1);
}

Id addVector(Program &program, std::string name, Id space, Lifetime lifetime, std::string comment) {
  Buffer buffer;
  buffer.name = std::move(name);
  buffer.size = program.spaces[space].size;
  buffer.lifetime = lifetime;
  buffer.space = space;
  buffer.comment = std::move(comment);
  return addBuffer(program, std::move(buffer));
}

std::vector<uint32_t> orderOf(const Space &space) {
  if (!space.order.empty()) return space.order;
  std::vector<uint32_t> order(space.size);
  std::iota(order.begin(), order.end(), 0u);
  return order;
}

namespace {

void refreshMap(const Program &program, Elementwise &op) {
  if (op.space == kNone) return;
  const Space &domain = program.spaces[op.space];
  bool anyMapped = false;
  for (EwInstr &instr : op.body) {
    if (instr.op != EwOp::Load && instr.op != EwOp::Store) continue;
    const Buffer &buffer = program.buffers[instr.buffer];
    if (buffer.space == op.space) {
      instr.mapped = false;
    } else if (buffer.space == kNone) {
      instr.mapped = domain.parent == kNone && !domain.order.empty();
    } else {
      RTMC_CHECK(buffer.space == domain.parent, "an elementwise operation reads a space that is not its domain's");
      instr.mapped = true;
    }
    anyMapped |= instr.mapped;
  }
  op.map = anyMapped ? orderOf(domain) : std::vector<uint32_t>{};
}

}  // namespace

void refreshMaps(Program &program) {
  for (Section &section : program.sections)
    for (Phase &phase : section.phases)
      for (Operation &operation : phase.ops)
        if (auto *op = std::get_if<Elementwise>(&operation)) refreshMap(program, *op);
}

}  // namespace rtmc::passes
