// Printing the kernel IR; kernel_yaml_read.cpp reads. Fields that have their default are left out.
#include "ir/kernel_yaml.h"

#include "ir/constants.h"
#include "ir/kernel_text.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

namespace rtmc::ir {

namespace {

constexpr size_t kRunTable = 32;  // more runs than these are not for a reader
constexpr size_t kShownGroups = 8;

class Printer {
 public:
  Printer(const Program &program, const std::string &constantsName) : program_(program), constants_(constantsName) {}
  Printed run();

 private:
  template <typename... Args>
  void line(int indent, fmt::format_string<Args...> format, Args &&...args) {
    text_.append(static_cast<size_t>(indent), ' ');
    text_ += fmt::format(format, std::forward<Args>(args)...);
    text_ += '\n';
  }
  std::string space(Id id) const { return yamlString(spaces_.nameOf(id)); }
  std::string buffer(Id id) const { return yamlString(buffers_.nameOf(id)); }
  /// Keeps a made-up array alive until the constants are written.
  std::span<const uint32_t> keep(std::vector<uint32_t> values) { return kept_.emplace_back(std::move(values)); }

  void printHead();
  void printSpace(const Space &);
  void printBuffer(const Buffer &);
  void printWeights(const Weights &);
  void printStructure(const Structure &);
  void printGroups(const Weights &);
  void printShapes(int indent, std::string_view key, const std::vector<TileShape> &);
  void printPacked(const Weights &);
  void printRuns(const std::string &name, const Packed &);
  void printSection(const Section &);
  void printPhase(const Phase &);
  void printOp(const MatMul &);
  void printOp(const Elementwise &);
  void printOp(const Softmax &);

  const Program &program_;
  ConstantWriter constants_;
  NameIndex spaces_, buffers_, weights_;
  std::deque<std::vector<uint32_t>> kept_;
  std::string text_;
};

template <typename T>
std::string listText(const std::vector<T> &values) {
  std::string text = "[";
  for (size_t i = 0; i < values.size(); ++i) {
    if (i) text += ", ";
    if constexpr (std::is_floating_point_v<T>)
      text += yamlNumber(values[i]);
    else
      text += fmt::format("{}", values[i]);
  }
  return text + "]";
}

void Printer::printHead() {
  const Program &p = program_;
  line(0, "rtm_kernel: {}", p.version);
  line(0, "name: {}", yamlString(p.name));
  if (!p.target.empty()) line(0, "target: {}", yamlString(p.target));
  if (!p.cpu.empty()) line(0, "cpu: {}", yamlString(p.cpu));
  line(0, "precision: {}", precisionName(p.precision));
  line(0, "shares: {}", p.shares);
  line(0, "causal: {}", p.causal);
  if (p.chunk != 1) line(0, "chunk: {}", p.chunk);
  if (!p.shapeHash.empty()) line(0, "shape_hash: {}", yamlString(p.shapeHash));
  if (!p.passes.empty()) line(0, "passes: {}", yamlStrings(p.passes));
  const FoldReport &f = p.folded;
  if (f.constantGateRows + f.constantGates + f.droppedUnits + f.droppedWeights != 0)
    line(0, "folded: {{constant_gate_rows: {}, constant_gates: {}, dropped_units: {}, dropped_weights: {}}}",
         f.constantGateRows, f.constantGates, f.droppedUnits, f.droppedWeights);
  if (p.loads.before + p.loads.after != 0) line(0, "loads: {{before: {}, after: {}}}", p.loads.before, p.loads.after);
}

void Printer::printSpace(const Space &s) {
  std::string text = fmt::format("name: {}, size: {}", yamlString(s.name), s.size);
  if (s.userSize != 0) text += fmt::format(", user_size: {}", s.userSize);
  if (s.parent != kNone) text += ", of: " + space(s.parent);
  if (!s.order.empty()) text += ", order: " + constants_.indices(s.name + ".order", s.order);
  line(2, "- {{{}}}", text);
}

void Printer::printBuffer(const Buffer &b) {
  std::string text =
      fmt::format("name: {}, lifetime: {}, size: {}", yamlString(b.name), lifetimeName(b.lifetime), b.size);
  if (b.space != kNone) text += ", space: " + space(b.space);
  if (b.dtype != DType::F32) text += fmt::format(", dtype: {}", dtypeName(b.dtype));
  if (b.allSteps) text += ", all_steps: true";
  if (b.perShare) text += ", per_share: true";
  if (b.range) text += fmt::format(", range: [{}, {}]", yamlNumber(b.range->low), yamlNumber(b.range->high));
  if (!b.init.empty()) text += ", init: " + constants_.floats(b.name, b.init);
  if (!b.comment.empty()) text += ", comment: " + yamlString(b.comment);
  line(2, "- {{{}}}", text);
}

void Printer::printStructure(const Structure &s) {
  const bool blocks = s.blockRows != 0 || s.blockColumns != 0;
  if (s.scheme == Scheme::Auto && !blocks && s.fill == 1.0) return;
  std::string text = fmt::format("scheme: {}", schemeName(s.scheme));
  if (blocks) text += fmt::format(", block: [{}, {}]", s.blockRows, s.blockColumns);
  if (s.fill != 1.0) text += fmt::format(", fill: {}", yamlNumber(s.fill));
  line(4, "structure: {{{}}}", text);
}

void Printer::printWeights(const Weights &w) {
  line(2, "- name: {}", yamlString(w.name));
  line(4, "shape: [{}, {}]", w.rows, w.columns);
  if (w.rowSpace != kNone) line(4, "rows: {}", space(w.rowSpace));
  if (w.columnSpace != kNone) line(4, "columns: {}", space(w.columnSpace));
  printStructure(w.structure);
  if (!w.patternHash.empty()) line(4, "pattern: {}", yamlString(w.patternHash));
  line(4, "nonzeros: {}", w.nonzeros);
  if (!w.rowBegin.empty() || !w.columnIndex.empty() || !w.values.empty()) {
    line(4, "csr:");
    line(6, "row_begin: {}", constants_.indices(w.name + ".row_begin", w.rowBegin));
    line(6, "column_index: {}", constants_.indices(w.name + ".column_index", w.columnIndex));
    line(6, "values: {}", constants_.floats(w.name + ".values", w.values));
  }
  if (!w.groups.empty()) printGroups(w);
  printShapes(4, "tiles", w.tiles);
  if (w.packed) printPacked(w);
}

void Printer::printGroups(const Weights &w) {
  std::vector<uint32_t> rowCounts, columnCounts, rows, columns;
  std::string shown;
  for (const RowGroup &group : w.groups) {
    if (rowCounts.size() < kShownGroups) shown += fmt::format(" {}x{}", group.rows.size(), group.columns.size());
    rowCounts.push_back(static_cast<uint32_t>(group.rows.size()));
    columnCounts.push_back(static_cast<uint32_t>(group.columns.size()));
    rows.insert(rows.end(), group.rows.begin(), group.rows.end());
    columns.insert(columns.end(), group.columns.begin(), group.columns.end());
  }
  line(4, "groups:  # {} of rows x columns:{}{}", w.groups.size(), shown, w.groups.size() > kShownGroups ? " ..." : "");
  line(6, "row_counts: {}", constants_.indices(w.name + ".group_row_counts", keep(std::move(rowCounts))));
  line(6, "column_counts: {}", constants_.indices(w.name + ".group_column_counts", keep(std::move(columnCounts))));
  line(6, "rows: {}", constants_.indices(w.name + ".group_rows", keep(std::move(rows))));
  line(6, "columns: {}", constants_.indices(w.name + ".group_columns", keep(std::move(columns))));
}

void Printer::printShapes(int indent, std::string_view key, const std::vector<TileShape> &shapes) {
  if (shapes.empty()) return;
  line(indent, "{}:", key);
  for (const TileShape &s : shapes) {
    std::string text = fmt::format("lanes: {}, vectors: {}", lanesName({s.lanes, s.width, s.gather}), s.vectors);
    if (s.indexed) text += ", indexed: true";
    if (s.partial) text += ", partial: true";
    if (s.rowStep != 1) text += fmt::format(", row_step: {}", s.rowStep);
    if (s.denseColumns) text += ", dense_columns: true";
    line(indent + 2, "- {{{}}}", text);
  }
}

void Printer::printRuns(const std::string &name, const Packed &p) {
  if (p.runs.size() > kRunTable) {
    std::vector<uint32_t> flat;
    for (const TileRun &r : p.runs)
      for (uint64_t v : {uint64_t{r.shape}, uint64_t{r.row}, uint64_t{r.rows}, uint64_t{r.tiles}, uint64_t{r.entries},
                         uint64_t{r.column}, r.value & 0xFFFFFFFFu, r.value >> 32})
        flat.push_back(static_cast<uint32_t>(v));
    line(6, "runs: {}", constants_.indices(name + ".runs", keep(std::move(flat))));
    return;
  }
  line(6, "runs:  # shape, row, rows, tiles, entries, column, value{}", p.runs.empty() ? ": none" : "");
  for (const TileRun &r : p.runs)
    line(8, "- [{}, {}, {}, {}, {}, {}, {}]", r.shape, r.row, r.rows, r.tiles, r.entries, r.column, r.value);
}

void Printer::printPacked(const Weights &w) {
  const Packed &p = *w.packed;
  line(4, "packed:  # {} bytes of values, {} of indices", p.valueBytes(), p.indexBytes());
  line(6, "precision: {}", precisionName(p.precision));
  printShapes(6, "shapes", p.shapes);
  line(6, "share_begin: {}", listText(p.shareBegin));
  printRuns(w.name, p);
  line(6, "column_width: {}", indexWidthName(p.columnWidth));
  line(6, "columns: {}", constants_.indices(w.name + ".column_table", p.columnTable));
  line(6, "row_width: {}", indexWidthName(p.rowWidth));
  line(6, "rows: {}", constants_.indices(w.name + ".row_table", p.rowTable));
  line(6, "values: {}", constants_.bytes(w.name + ".packed", p.values));
}

void Printer::printOp(const MatMul &m) {
  const std::string weights = weights_.nameOf(m.weights);
  std::string text = "op: matmul";
  if (m.name != weights) text += ", name: " + yamlString(m.name);
  text += fmt::format(", weights: {}, x: {}", yamlString(weights), buffer(m.x));
  if (m.xOffset != 0) text += fmt::format(", x_offset: {}", m.xOffset);
  line(10, "- {{{}, y: {}}}", text, buffer(m.y));
}

void Printer::printOp(const Softmax &s) {
  std::string text = fmt::format("op: softmax, name: {}, in: {}, out: {}, count: {}", yamlString(s.name), buffer(s.in),
                                 buffer(s.out), s.count);
  if (s.offset != 0) text += fmt::format(", offset: {}", s.offset);
  if (s.log) text += ", log: true";
  line(10, "- {{{}}}", text);
}

void Printer::printOp(const Elementwise &e) {
  line(10, "- op: elementwise");
  line(12, "name: {}", yamlString(e.name));
  if (e.space != kNone) line(12, "space: {}", space(e.space));
  line(12, "count: {}", e.count);
  if (e.replicated) line(12, "replicated: true");
  if (!e.parts.empty()) {
    std::string text;
    for (const Part &part : e.parts) text += fmt::format("{}[{}, {}]", text.empty() ? "" : ", ", part.begin, part.end);
    line(12, "parts: [{}]", text);
  }
  if (!e.map.empty()) line(12, "map: {}", constants_.indices(e.name + ".map", e.map));
  if (e.body.empty()) return;
  line(12, "body: |");
  const std::string body = bodyText(e.body, buffers_);
  for (size_t at = 0; at < body.size();) {
    const size_t end = body.find('\n', at);
    line(14, "{}", std::string_view(body).substr(at, end - at));
    at = end + 1;
  }
}

void Printer::printPhase(const Phase &phase) {
  line(6, "- name: {}", yamlString(phase.name));
  if (phase.domain != kNone) line(8, "domain: {}", space(phase.domain));
  if (!phase.cuts.empty()) line(8, "cuts: {}", listText(phase.cuts));
  if (!phase.shareCost.empty()) line(8, "cost_ns: {}", listText(phase.shareCost));
  if (phase.ops.empty()) return;
  line(8, "ops:");
  for (const Operation &operation : phase.ops) std::visit([&](const auto &op) { printOp(op); }, operation);
}

void Printer::printSection(const Section &s) {
  line(2, "- name: {}", yamlString(s.name));
  line(4, "kind: {}", sectionKindName(s.kind));
  if (s.backward) line(4, "backward: true");
  if (!s.swaps.empty()) {
    std::string text;
    for (const auto &[state, next] : s.swaps)
      text += fmt::format("{}[{}, {}]", text.empty() ? "" : ", ", buffer(state), buffer(next));
    line(4, "swaps: [{}]", text);
  }
  if (s.phases.empty()) return;
  line(4, "phases:");
  for (const Phase &phase : s.phases) printPhase(phase);
}

Printed Printer::run() {
  for (const Space &s : program_.spaces) spaces_.add(s.name);
  for (const Buffer &b : program_.buffers) buffers_.add(b.name);
  for (const Weights &w : program_.weights) weights_.add(w.name);
  printHead();
  if (!program_.spaces.empty()) line(0, "spaces:");
  for (const Space &s : program_.spaces) printSpace(s);
  if (!program_.buffers.empty()) line(0, "buffers:");
  for (const Buffer &b : program_.buffers) printBuffer(b);
  std::vector<std::string> states;
  for (const StateSlot &slot : program_.states) states.push_back(buffers_.nameOf(slot.buffer));
  if (!states.empty()) line(0, "states: {}", yamlStrings(states));
  if (!program_.sections.empty()) line(0, "sections:");
  for (const Section &s : program_.sections) printSection(s);
  if (!program_.weights.empty()) line(0, "schedules:");
  for (const Weights &w : program_.weights) line(2, "{}: {}", yamlString(w.name), scheduleText(w.schedule));
  if (!program_.weights.empty()) line(0, "weights:");
  for (const Weights &w : program_.weights) printWeights(w);
  return {std::move(text_), constants_.finish()};
}

}  // namespace

Printed print(const Program &program, const std::string &constantsName) {
  return Printer(program, constantsName).run();
}

}  // namespace rtmc::ir
