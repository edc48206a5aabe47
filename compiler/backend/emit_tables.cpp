#include "backend/emit_tables.h"

#include "backend/emit_elementwise.h"
#include "backend/emit_matmul.h"
#include "support/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

namespace rtmc::backend {
namespace {

std::string comment(const std::string &text) {
  return text.empty() ? "" : "  // " + commentText(text);
}

void emitFloats(Text &out, const std::vector<float> &values) {
  std::vector<std::string> items;
  items.reserve(values.size());
  for (const float value : values) items.push_back(floatText(value));
  appendList(out, items);
}

/// The address of a buffer inside Buffers, as offsetof sees it.
std::string offsetOf(const BufferHome &home) {
  return fmt::format("offsetof(Buffers, {})", home.member);
}

std::string copyStride(const BufferHome &home) {
  return fmt::format("sizeof(float[{}])", home.padded);
}

class Tables {
 public:
  Tables(const ir::Program &program, const Layout &layout) : program_(program), layout_(layout) {}

  ModelTables make(const std::vector<std::string> &phases) {
    out_.text("constexpr rtm_phase kPhases[] = {");
    out_.indent();
    std::vector<std::string> items(phases.begin(), phases.end());
    appendList(out_, items);
    out_.outdent();
    out_.text("};");
    emitSections();
    emitStates();
    emitInits();
    result_.text = out_.str();
    result_.numbers = numbers_.str();
    return result_;
  }

 private:
  void emitSections() {
    out_.text("constexpr rtm_section kSections[] = {  // first phase, phases, against time, per chunk");
    uint32_t first = 0;
    for (const ir::Section &section : program_.sections) {
      out_.line("  {{{}, {}, {}, {}}},{}", first, section.phases.size(), section.backward ? 1 : 0,
                section.kind == ir::SectionKind::PerChunk ? 1 : 0, comment(section.name));
      first += static_cast<uint32_t>(section.phases.size());
    }
    out_.text("};");
  }

  std::string orderOf(ir::Id space) {
    if (space == ir::kNone || program_.spaces[space].order.empty()) return "nullptr";
    const ir::Space &s = program_.spaces[space];
    RTMC_CHECK(s.parent == ir::kNone, "a saved state stands in the order of its layer");
    if (const auto it = orders_.find(space); it != orders_.end()) return it->second;
    const std::string name = names_.unique("kOrder_" + identifier(s.name));
    orders_[space] = name;
    out_.line("extern const uint32_t {}[{}];", name, s.order.size());
    numbers_.line("/// The user's unit at each position of {}.", commentText(s.name));
    numbers_.line("constexpr uint32_t {}[{}] = {{", name, s.order.size());
    numbers_.indent();
    std::vector<std::string> items;
    for (const uint32_t unit : s.order) items.push_back(std::to_string(unit));
    appendList(numbers_, items);
    numbers_.outdent();
    numbers_.text("};");
    return name;
  }

  void emitStates() {
    std::vector<std::string> lines;
    for (const ir::StateSlot &slot : program_.states) {
      const ir::Buffer &buffer = program_.buffers[slot.buffer];
      const BufferHome &home = layout_.buffers[slot.buffer];
      if (buffer.size == 0 || home.home == Home::Unused) continue;
      RTMC_CHECK(!home.half && !home.next, "a saved state is f32 and the current copy");
      const bool twice = home.home == Home::Pair;
      const uint32_t users = buffer.space == ir::kNone ? buffer.size : program_.spaces[buffer.space].userSize;
      const std::string order = orderOf(buffer.space);
      lines.push_back(fmt::format("{{{}, {}, {}, {}, {}}},", offsetOf(home), twice ? copyStride(home) : "0",
                                  buffer.size, users == 0 ? buffer.size : users, order));
    }
    result_.stateCount = static_cast<uint32_t>(lines.size());
    if (lines.empty()) return;
    out_.text(
        "constexpr rtm_state_slot kStates[] = {  // offset, stride of the copies, units here, units of the user, "
        "order");
    for (const std::string &line : lines) out_.line("  {}", line);
    out_.text("};");
  }

  void emitInits() {
    std::vector<std::string> lines;
    for (ir::Id id = 0; id < program_.buffers.size(); ++id) {
      const ir::Buffer &buffer = program_.buffers[id];
      const BufferHome &home = layout_.buffers[id];
      const bool inside = home.home == Home::Member || home.home == Home::Pair || home.home == Home::PerShare;
      if (!inside || std::all_of(buffer.init.begin(), buffer.init.end(), [](float v) { return v == 0; })) continue;
      RTMC_CHECK(!home.half, "start values are f32");
      const std::string name = names_.unique("kStart_" + home.member);
      out_.line("extern const float {}[{}];", name, buffer.init.size());
      numbers_.line("/// Start values of {}: {}.", commentText(buffer.name), commentText(buffer.comment));
      numbers_.line("constexpr float {}[{}] = {{", name, buffer.init.size());
      numbers_.indent();
      emitFloats(numbers_, buffer.init);
      numbers_.outdent();
      numbers_.text("};");
      const uint32_t copies = home.home == Home::PerShare ? program_.shares : 1;
      for (uint32_t copy = 0; copy < copies; ++copy) {
        const uint32_t index = home.home == Home::PerShare ? copy : home.next ? 1 : 0;
        lines.push_back(fmt::format("{{{} + {} * {}, {}, {}}},", offsetOf(home), index, copyStride(home),
                                    buffer.init.size(), name));
      }
    }
    result_.initCount = static_cast<uint32_t>(lines.size());
    if (lines.empty()) return;
    out_.text("constexpr rtm_init_slot kInits[] = {  // offset, count, start values");
    for (const std::string &line : lines) out_.line("  {}", line);
    out_.text("};");
  }

  const ir::Program &program_;
  const Layout &layout_;
  Text out_, numbers_;
  NameTable names_;
  std::map<ir::Id, std::string> orders_;
  ModelTables result_;
};

uint64_t loadsAfter(const ir::Packed &packed) {
  uint64_t loads = 0;
  for (const ir::TileRun &run : packed.runs) {
    const ir::TileShape &shape = packed.shapes[run.shape];
    loads += uint64_t{run.tiles} * run.entries * (shape.gather ? shape.vectors * shape.lanes : shape.width);
  }
  return loads;
}

}  // namespace

std::string buffersMembers(const ir::Program &program, const Layout &layout) {
  Text out;
  std::set<std::string> done;
  for (ir::Id id = 0; id < program.buffers.size(); ++id) {
    const BufferHome &home = layout.buffers[id];
    const bool inside = home.home == Home::Member || home.home == Home::Pair || home.home == Home::PerShare;
    if (!inside || !done.insert(home.member).second) continue;
    std::string dimensions = fmt::format("[{}]", home.padded);
    if (home.home == Home::Pair) dimensions.insert(0, "[2]");
    if (home.home == Home::PerShare) dimensions.insert(0, fmt::format("[{}]", program.shares));
    out.line("alignas(64) {} {}{};{}", home.half ? "Half" : "float", home.member, dimensions,
             comment(program.buffers[id].comment));
  }
  if (out.empty()) out.text("alignas(64) unsigned char none[64];");
  return out.str();
}

std::string weightsMembers(const Layout &layout) {
  Text out;
  for (const BlobMember &member : layout.blob.members()) {
    out.line("alignas(64) {} {}[{}];", member.type, member.name, member.elements);
  }
  return out.str();
}

std::string accessors(const Layout &layout) {
  Text out;
  out.text(
      "[[maybe_unused]] Buffers &buffers(const rtm_args *args) { return *static_cast<Buffers *>(args->buffers); }");
  out.text("[[maybe_unused]] const Weights &weights(const rtm_args *args) {");
  out.text("  return *static_cast<const Weights *>(static_cast<const void *>(args->weights));");
  out.text("}");
  if (layout.inputs != 0) {
    out.text("/// The user's row of the present step.");
    out.line("[[maybe_unused]] auto inputs(const rtm_args *args) -> const float (&)[{}] {{", layout.inputs);
    out.line("  return *static_cast<const float(*)[{0}]>(static_cast<const void *>(args->in + args->step * {0}));",
             layout.inputs);
    out.text("}");
  }
  if (layout.outputs != 0) {
    out.line("[[maybe_unused]] auto outputs(const rtm_args *args) -> float (&)[{}] {{", layout.outputs);
    out.line("  return *static_cast<float(*)[{0}]>(static_cast<void *>(args->out + args->step * {0}));",
             layout.outputs);
    out.text("}");
  }
  return out.str();
}

std::string constantArrays(const ir::Program &program, const Layout &layout) {
  Text out;
  for (ir::Id id = 0; id < program.buffers.size(); ++id) {
    const BufferHome &home = layout.buffers[id];
    if (home.home != Home::Const) continue;
    out.line("alignas(64) constexpr float k_{}[{}] = {{{}", home.member, home.padded,
             comment(program.buffers[id].comment));
    out.indent();
    emitFloats(out, program.buffers[id].init);
    out.outdent();
    out.text("};");
  }
  return out.str();
}

ModelTables modelTables(const ir::Program &program, const Layout &layout, const std::vector<std::string> &phases) {
  return Tables(program, layout).make(phases);
}

std::string banner(const ir::Program &program, const Layout &layout, const std::string &target) {
  Text out;
  out.line("// {}: a recurrent network with its weights, generated by rtmc {}. Do not edit.", program.name,
           RTMC_VERSION);
  out.line("// For {}; weights in {}; cut for {} thread{}.", commentText(target), precisionName(program.precision),
           program.shares, program.shares == 1 ? "" : "s");
  out.line("// Loads of inputs per step: {} before, {} after they were shared.", program.loads.before,
           program.loads.after);
  out.text("//");
  size_t width = 6;
  for (ir::Id id = 0; id < program.weights.size(); ++id) {
    if (layout.weights[id].used) width = std::max(width, commentText(program.weights[id].name).size());
  }
  out.line("// {:<{}}  {:<14} {:>11}  {:>9}  {:>5}  {:>9}  {:>8}  {:>9}", "matrix", width, "scheme", "size", "weights",
           "runs", "values B", "index B", "loads");
  for (ir::Id id = 0; id < program.weights.size(); ++id) {
    const ir::Weights &weights = program.weights[id];
    if (!layout.weights[id].used) continue;
    std::string scheme(ir::schemeName(weights.structure.scheme));
    if (weights.structure.blockRows != 0 && weights.structure.blockColumns != 0) {
      scheme += fmt::format(" {}x{}", weights.structure.blockRows, weights.structure.blockColumns);
    }
    out.line("// {:<{}}  {:<14} {:>11}  {:>9}  {:>5}  {:>9}  {:>8}  {:>9}", commentText(weights.name), width, scheme,
             fmt::format("{}x{}", weights.rows, weights.columns), weights.nonzeros, weights.packed->runs.size(),
             weights.packed->valueBytes(), weights.packed->indexBytes(), loadsAfter(*weights.packed));
  }
  std::string text = out.str();
  text.pop_back();
  return text;
}

}  // namespace rtmc::backend
