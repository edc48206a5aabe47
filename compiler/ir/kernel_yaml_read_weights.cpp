// The part of the kernel IR's reader that belongs to a matrix: structure, row groups, tile shapes, packed bytes.
#include "ir/kernel_yaml_read.h"

namespace rtmc::ir {

/// A list of lists of `width` numbers.
std::vector<std::vector<uint64_t>> KernelParser::table(YamlMap &map, std::string_view key, size_t width) {
  std::vector<std::vector<uint64_t>> rows;
  for (const YAML::Node &node : map.list(key)) {
    std::vector<uint64_t> row;
    bool good = node.IsSequence() && node.size() == width;
    for (size_t i = 0; good && i < width; ++i) {
      uint64_t value = 0;
      const YAML::Node cell = node[i];
      good = cell.IsScalar() && parseNumber(cell.Scalar(), value);
      row.push_back(value);
    }
    if (!good) {
      errors_.fail(node, fmt::format("'{}' must be a list of lists of {} numbers", key, width));
      break;
    }
    rows.push_back(std::move(row));
  }
  return rows;
}

Structure KernelParser::readStructure(const YAML::Node &node) {
  YamlMap map(errors_, node, "structure");
  Structure s;
  s.scheme = word(map, "scheme", parseScheme, s.scheme);
  const std::vector<uint32_t> block = map.numbers<uint32_t>("block");
  if (!block.empty() && block.size() != 2) map.fail("'block' must be [rows, columns]");
  if (block.size() == 2) s.blockRows = block[0], s.blockColumns = block[1];
  s.fill = map.number<double>("fill", 1.0);
  map.done();
  return s;
}

std::vector<RowGroup> KernelParser::readGroups(const YAML::Node &node) {
  YamlMap map(errors_, node, "groups");
  const std::vector<uint32_t> rowCounts = indices(map, "row_counts"), columnCounts = indices(map, "column_counts");
  const std::vector<uint32_t> rows = indices(map, "rows"), columns = indices(map, "columns");
  map.done();
  std::vector<RowGroup> groups;
  size_t row = 0, column = 0;
  for (size_t g = 0; g < rowCounts.size() && columnCounts.size() == rowCounts.size(); ++g) {
    if (rowCounts[g] > rows.size() - row || columnCounts[g] > columns.size() - column) break;
    const auto r = rows.begin() + static_cast<long>(row), c = columns.begin() + static_cast<long>(column);
    groups.push_back({{r, r + rowCounts[g]}, {c, c + columnCounts[g]}});
    row += rowCounts[g];
    column += columnCounts[g];
  }
  if (groups.size() != rowCounts.size() || columnCounts.size() != rowCounts.size() || row != rows.size() ||
      column != columns.size())
    map.fail("the counts do not add up to the rows and columns");
  return groups;
}

std::vector<TileShape> KernelParser::readShapes(YamlMap &map, std::string_view key) {
  std::vector<TileShape> shapes;
  for (const YAML::Node &node : map.list(key)) {
    YamlMap entry(errors_, node, "tile shape");
    TileShape s;
    const Lanes lanes = word(entry, "lanes", parseLanes, Lanes{});
    s.lanes = lanes.lanes;
    s.width = lanes.width;
    s.gather = lanes.gather;
    s.vectors = entry.requiredNumber<uint32_t>("vectors");
    s.indexed = entry.flag("indexed");
    s.partial = entry.flag("partial");
    s.rowStep = entry.number<uint32_t>("row_step", 1);
    s.denseColumns = entry.flag("dense_columns");
    entry.done();
    shapes.push_back(s);
  }
  return shapes;
}

std::vector<TileRun> KernelParser::readRuns(YamlMap &map) {
  std::vector<TileRun> runs;
  const YAML::Node *node = map.node("runs", true);
  if (!node || node->IsNull()) return runs;
  std::vector<std::vector<uint64_t>> rows;
  if (node->IsSequence()) {
    rows = table(map, "runs", 7);
  } else {
    const std::vector<uint32_t> flat = errors_.take(constants_.indices(*node));
    if (flat.size() % 8 != 0) map.fail("'runs' must have 8 numbers for each run");
    for (size_t i = 0; i + 8 <= flat.size(); i += 8) {
      rows.emplace_back(flat.begin() + static_cast<long>(i), flat.begin() + static_cast<long>(i) + 7);
      rows.back()[6] |= uint64_t{flat[i + 7]} << 32;
    }
  }
  for (const std::vector<uint64_t> &row : rows) {
    TileRun run;
    uint32_t *const fields[] = {&run.shape, &run.row, &run.rows, &run.tiles, &run.entries, &run.column};
    for (size_t i = 0; i < 6; ++i) {
      if (row[i] > ~0u) map.fail(fmt::format("'runs' has {}, which is out of range", row[i]));
      *fields[i] = static_cast<uint32_t>(row[i]);
    }
    run.value = row[6];
    runs.push_back(run);
  }
  return runs;
}

Packed KernelParser::readPacked(const YAML::Node &node) {
  YamlMap map(errors_, node, "packed");
  Packed p;
  p.precision = word(map, "precision", parsePrecision, p.precision);
  p.shapes = readShapes(map, "shapes");
  p.shareBegin = map.numbers<uint32_t>("share_begin");
  p.runs = readRuns(map);
  p.columnWidth = word(map, "column_width", parseIndexWidth, p.columnWidth);
  p.columnTable = indices(map, "columns");
  p.rowWidth = word(map, "row_width", parseIndexWidth, p.rowWidth);
  p.rowTable = indices(map, "rows");
  if (const YAML::Node *values = map.node("values", true)) p.values = errors_.take(constants_.bytes(*values));
  map.done();
  return p;
}

Weights KernelParser::readMatrix(const YAML::Node &node) {
  YamlMap map(errors_, node, "weights");
  Weights w;
  w.name = map.text("name", true);
  const std::vector<uint32_t> shape = map.numbers<uint32_t>("shape");
  if (shape.size() == 2)
    w.rows = shape[0], w.columns = shape[1];
  else
    map.fail("'shape' must be [rows, columns]");
  w.rowSpace = reference(map, "rows", spaces_, false);
  w.columnSpace = reference(map, "columns", spaces_, false);
  if (const YAML::Node *structure = map.node("structure")) w.structure = readStructure(*structure);
  w.patternHash = map.text("pattern");
  w.nonzeros = map.requiredNumber<uint64_t>("nonzeros");
  if (const YAML::Node *found = map.node("csr")) {
    YamlMap csr(errors_, *found, "csr");
    w.rowBegin = indices(csr, "row_begin");
    w.columnIndex = indices(csr, "column_index");
    w.values = floats(csr, "values");
    csr.done();
  }
  if (const YAML::Node *groups = map.node("groups")) w.groups = readGroups(*groups);
  w.tiles = readShapes(map, "tiles");
  if (const YAML::Node *packed = map.node("packed")) w.packed = readPacked(*packed);
  map.done();
  for (const std::string &key : {w.name, w.patternHash, std::string("*")}) {
    const auto schedule = schedules_.find(key);
    if (schedule == schedules_.end()) continue;
    w.schedule = schedule->second;
    break;
  }
  return w;
}

}  // namespace rtmc::ir
