#include "backend/emit_elementwise.h"

#include "ir/index_runs.h"
#include "support/check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

namespace rtmc::backend {
namespace {

using ir::Elementwise;
using ir::EwInstr;
using ir::EwOp;
using ir::Program;

/// Index maps longer than this stand in the blob.
constexpr size_t kInlineMap = 256;
/// Values that a function keeps on its stack until all are there.
constexpr uint32_t kMostHeld = 4096;

/// Names that the text around the body uses.
constexpr const char *kReserved[] = {"args",    "share",         "b",           "w",       "at",   "count",   "load",
                                     "store",   "gather",        "scatter",     "splat",   "fma",  "sigmoid", "tanh",
                                     "relu",    "softmax",       "exp",         "Vec",     "Half", "inputs",  "outputs",
                                     "stepRow", "forEachVector", "scatterEach", "copyRun", "held", "kLanes",  "kMap",
                                     "kCuts",   "kParts",        "rtm",         "step"};

class Body {
 public:
  Body(const Program &program, const Elementwise &op, Layout &layout, uint32_t lanes, std::string_view step,
       HelperUse &use)
      : program_(program), op_(op), layout_(layout), lanes_(lanes), step_(step), use_(use), values_(op.body.size()) {
    for (const char *name : kReserved) names_.unique(name);
    findLive();
    for (size_t k = 0; k < op.body.size(); ++k) {
      if (live_[k] && op.body[k].mapped) mapped_ = true;
    }
    if (mapped_) classifyMap();
  }

  void emit(Text &out) {
    use_.vectors = true;
    out.line("{{  // {}", commentText(op_.name));
    out.indent();
    emitArrays(out);
    const bool copies = copiesRuns();
    if (mapped_ && !consecutive_ && (!copies || loadsThroughMap())) emitMap(out);
    copies ? emitCopies(out) : emitLoop(out);
    out.outdent();
    out.text("}");
  }

 private:
  void findLive() {
    live_.assign(op_.body.size(), false);
    for (size_t k = op_.body.size(); k-- > 0;) {
      const EwInstr &instr = op_.body[k];
      if (instr.op == EwOp::Store) live_[k] = true;
      if (!live_[k]) continue;
      for (const uint32_t operand : {instr.a, instr.b, instr.c}) {
        if (operand != ir::kNone) live_[operand] = true;
      }
    }
  }

  /// A map of consecutive positions is an offset.
  void classifyMap() {
    runs_ = ir::indexRuns(op_.map);
    consecutive_ = runs_.size() <= 1;
    if (runs_.size() == 1) mapOffset_ = runs_[0].place;
  }

  void emitArrays(Text &out) {
    std::set<ir::Id> written;
    for (size_t k = 0; k < op_.body.size(); ++k) {
      if (live_[k] && op_.body[k].op == EwOp::Store) written.insert(op_.body[k].buffer);
    }
    for (size_t k = 0; k < op_.body.size(); ++k) {
      const EwInstr &instr = op_.body[k];
      if (!live_[k] || instr.buffer == ir::kNone || arrays_.contains(instr.buffer)) continue;
      const BufferHome &home = layout_.buffers[instr.buffer];
      if (home.half) use_.half = true;
      if (home.home == Home::AllSteps) use_.stepRows = true;
      const std::string name = names_.unique(program_.buffers[instr.buffer].name);
      arrays_[instr.buffer] = name;
      out.line("{}auto &{} = {};", written.contains(instr.buffer) ? "" : "const ", name,
               bufferArray(layout_, instr.buffer, step_));
    }
  }

  void emitMap(Text &out) {
    const uint32_t largest = *std::max_element(op_.map.begin(), op_.map.end());
    const uint32_t width = largest < 256 ? 1 : largest < 65536 ? 2 : 4;
    const std::string type = fmt::format("uint{}_t", 8 * width);
    if (op_.map.size() <= kInlineMap) {
      // Whole vectors of indices, so that compilers see no read behind the table where they cannot tell that the part
      // of a share is short.
      out.line("static constexpr {} kMap[{}] = {{", type, paddedSize(static_cast<uint32_t>(op_.map.size()), false));
      out.indent();
      std::vector<std::string> items;
      for (const uint32_t entry : op_.map) items.push_back(std::to_string(entry));
      appendList(out, items);
      out.outdent();
      out.text("};");
      map_ = "kMap";
      return;
    }
    const std::string member = layout_.members.unique(op_.name + "_map");
    layout_.blob.add(type, width, member, indexBytes(op_.map, width), op_.name);
    map_ = "w." + member;
  }

  /// "forEachVector(0, 1024, ..." or with the share's part.
  std::string range(Text &out) const {
    if (op_.replicated) return fmt::format("0, {}", op_.count);
    if (op_.parts.empty()) {
      if (program_.shares == 1) return fmt::format("0, {}", op_.count);
      return fmt::format("0, share == 0 ? {} : 0", op_.count);
    }
    RTMC_CHECK(op_.parts.size() == program_.shares, "an operation is cut into another number of shares");
    if (program_.shares == 1) return fmt::format("{}, {}", op_.parts[0].begin, op_.parts[0].end);
    bool cuts = true;
    for (size_t s = 1; s < op_.parts.size(); ++s) cuts = cuts && op_.parts[s].begin == op_.parts[s - 1].end;
    std::vector<uint32_t> list;
    for (const ir::Part &part : op_.parts) {
      list.push_back(part.begin);
      if (!cuts) list.push_back(part.end);
    }
    if (cuts) list.push_back(op_.parts.back().end);
    out.line("static constexpr uint32_t {}[] = {{{}}};", cuts ? "kCuts" : "kParts", fmt::join(list, ", "));
    return cuts ? "kCuts[share], kCuts[share + 1]" : "kParts[2 * share], kParts[2 * share + 1]";
  }

  /// All that is done with what sigmoid or tanh gives is to store it element by element: it can be done later, where
  /// nothing else is read from that buffer.
  bool scattersLater() const {
    const EwInstr &last = op_.body.back();
    if (last.op != EwOp::Store || !last.mapped || consecutive_) return false;
    bool slow = false;
    for (size_t k = 0; k + 1 < op_.body.size(); ++k) {
      if (!live_[k]) continue;
      if (op_.body[k].op == EwOp::Store || op_.body[k].buffer == last.buffer) return false;
      slow = slow || op_.body[k].op == EwOp::Sigmoid || op_.body[k].op == EwOp::Tanh;
    }
    return slow;
  }

  /// The same where what is stored has long runs: they are copied as vectors when all values are there.
  bool copiesRuns() const {
    if (!mapped_ || consecutive_ || op_.count > kMostHeld || !scattersLater()) return false;
    return !layout_.buffers[op_.body.back().buffer].half && ir::copiesPay(runs_, lanes_);
  }

  bool loadsThroughMap() const {
    for (size_t k = 0; k < op_.body.size(); ++k) {
      if (live_[k] && op_.body[k].op == EwOp::Load && op_.body[k].mapped) return true;
    }
    return false;
  }

  void emitCopies(Text &out) {
    use_.scatter = true;
    const EwInstr &stored = op_.body.back();
    out.line("alignas(64) float held[{}];", paddedSize(op_.count, false));
    out.line("forEachVector({}, [&](uint32_t at, uint32_t count) RTM_BODY {{", range(out));
    out.indent();
    for (size_t k = 0; k + 1 < op_.body.size(); ++k) {
      if (live_[k]) emitInstr(out, op_.body[k], k);
    }
    out.line("store(held + at, {}, count);", values_[stored.a]);
    out.outdent();
    out.text("});");
    if (program_.shares == 1 || op_.replicated) return emitCopies(out, {0, op_.count});
    for (uint32_t share = 0; share < program_.shares; ++share) {
      const ir::Part part = op_.parts.empty() ? ir::Part{0, share == 0 ? op_.count : 0} : op_.parts[share];
      if (part.begin == part.end) continue;
      out.line("if (share == {}) {{", share);
      out.indent();
      emitCopies(out, part);
      out.outdent();
      out.text("}");
    }
  }

  void emitCopies(Text &out, const ir::Part &part) {
    const EwInstr &stored = op_.body.back();
    const uint64_t offset = uint64_t{stored.offset} + bufferOffset(layout_, stored.buffer);
    for (const ir::IndexRun &run : runs_) {
      const uint32_t begin = std::max(run.first, part.begin), end = std::min(run.first + run.count, part.end);
      if (begin >= end) continue;
      out.line("copyRun<{}>({} + {}, held + {});", end - begin, arrays_[stored.buffer],
               offset + run.place + (begin - run.first), begin);
    }
  }

  void emitLoop(Text &out) {
    const std::string part = range(out);
    const bool later = scattersLater();
    if (later) {
      use_.scatter = true;
      const EwInstr &store = op_.body.back();
      out.line("scatterEach({}, {}, {}, [&](uint32_t at, uint32_t count) RTM_BODY {{", part, target(store), map_);
    } else {
      out.line("forEachVector({}, [&](uint32_t at, uint32_t count) RTM_BODY {{", part);
    }
    out.indent();
    for (size_t k = 0; k + later < op_.body.size(); ++k) {
      if (live_[k]) emitInstr(out, op_.body[k], k);
    }
    if (later) out.line("return {};", values_[op_.body.back().a]);
    out.outdent();
    out.text("});");
  }

  /// Where a mapped store writes.
  std::string target(const EwInstr &instr) {
    const uint64_t offset = uint64_t{instr.offset} + bufferOffset(layout_, instr.buffer);
    return arrays_[instr.buffer] + (offset == 0 ? "" : fmt::format(" + {}", offset));
  }

  /// "gru0_h + (512 + at)" or, through the map, "gru0_h + 512, kMap + at".
  std::string place(const EwInstr &instr) {
    const bool table = instr.mapped && !consecutive_;
    uint64_t offset = uint64_t{instr.offset} + bufferOffset(layout_, instr.buffer);
    if (instr.mapped && consecutive_) offset += mapOffset_;
    const std::string &array = arrays_[instr.buffer];
    if (table) return fmt::format("{}, {} + at", target(instr), map_);
    return offset == 0 ? array + " + at" : fmt::format("{} + ({} + at)", array, offset);
  }

  void emitInstr(Text &out, const EwInstr &instr, size_t k) {
    const auto value = [&](uint32_t operand) -> const std::string & { return values_[operand]; };
    const bool table = instr.mapped && !consecutive_;
    if (instr.op == EwOp::Store) {
      (table ? use_.scatter : use_.vectors) = true;
      out.line("{}({}, {}, count);", table ? "scatter" : "store", place(instr), value(instr.a));
      return;
    }
    values_[k] = names_.unique(instr.name.empty() ? fmt::format("t{}", k) : instr.name);
    out.line("const Vec {} = {};", values_[k], expression(instr, table));
  }

  std::string expression(const EwInstr &instr, bool table) {
    const auto value = [&](uint32_t operand) -> const std::string & { return values_[operand]; };
    switch (instr.op) {
      case EwOp::Load:
        if (table) use_.gather = true;
        return fmt::format("{}({}, count)", table ? "gather" : "load", place(instr));
      case EwOp::Const:
        return fmt::format("splat({})", floatText(instr.imm));
      case EwOp::Add:
        return fmt::format("{} + {}", value(instr.a), value(instr.b));
      case EwOp::Sub:
        return fmt::format("{} - {}", value(instr.a), value(instr.b));
      case EwOp::Mul:
        return fmt::format("{} * {}", value(instr.a), value(instr.b));
      case EwOp::Fma:
        return fmt::format("fma({}, {}, {})", value(instr.a), value(instr.b), value(instr.c));
      case EwOp::Lerp:
        return fmt::format("fma({0}, {1} - {2}, {2})", value(instr.a), value(instr.b), value(instr.c));
      case EwOp::Sigmoid:
        return fmt::format("sigmoid({})", value(instr.a));
      case EwOp::Tanh:
        return fmt::format("tanh({})", value(instr.a));
      case EwOp::Relu:
        return fmt::format("relu({})", value(instr.a));
      case EwOp::Store:
        break;
    }
    RTMC_CHECK(false, "an instruction that has no value");
  }

  const Program &program_;
  const Elementwise &op_;
  Layout &layout_;
  const uint32_t lanes_;
  std::string_view step_;
  HelperUse &use_;
  NameTable names_;
  std::vector<std::string> values_;       // variable of each instruction
  std::map<ir::Id, std::string> arrays_;  // reference of each buffer
  std::vector<bool> live_;
  std::string map_;
  std::vector<ir::IndexRun> runs_;  // of the map
  bool mapped_ = false, consecutive_ = false;
  uint32_t mapOffset_ = 0;
};

}  // namespace

std::string floatText(float value) {
  RTMC_CHECK(std::isfinite(value), "a constant is not finite");
  std::string text = fmt::format("{}", value);  // the shortest that reads back
  if (text.find_first_of(".e") == std::string::npos) text += ".0";
  return text + "f";
}

void emitElementwise(Text &out, const Program &program, const Elementwise &op, Layout &layout, uint32_t lanes,
                     HelperUse &use) {
  if (op.count == 0) return;
  Body(program, op, layout, lanes, "args->step", use).emit(out);
}

void emitElementwiseOfChunk(Text &out, const Program &program, const Elementwise &op, Layout &layout, uint32_t lanes,
                            HelperUse &use) {
  if (op.count == 0) return;
  out.text("for (size_t step = 0; step < args->steps; step++) {");
  out.indent();
  Body(program, op, layout, lanes, "step", use).emit(out);
  out.outdent();
  out.text("}");
}

void emitSoftmax(Text &out, const ir::Softmax &op, const Layout &layout, HelperUse &use) {
  use.softmax = true;
  use.vectors = true;
  for (const ir::Id id : {op.in, op.out}) {
    if (layout.buffers[id].home == Home::AllSteps) use.stepRows = true;
  }
  const auto pointer = [&](ir::Id id, uint64_t offset) {
    offset += bufferOffset(layout, id);
    const std::string array = bufferArray(layout, id);
    return offset == 0 ? array : fmt::format("{} + {}", array, offset);
  };
  out.line("// {}", commentText(op.name));
  out.line("if (share == 0) softmax({}, {}, {}, {});", pointer(op.in, 0), pointer(op.out, op.offset), op.count,
           op.log ? "true" : "false");
}

}  // namespace rtmc::backend
