// Reading the kernel IR from text; kernel_yaml.cpp prints. A text is accepted when the verifier accepts its program.
#include "ir/kernel_yaml_read.h"
#include "ir/kernel_yaml.h"

namespace rtmc::ir {

std::vector<uint32_t> KernelParser::indices(YamlMap &map, std::string_view key) {
  const YAML::Node *node = map.node(key);
  return node ? errors_.take(constants_.indices(*node)) : std::vector<uint32_t>{};
}

std::vector<float> KernelParser::floats(YamlMap &map, std::string_view key) {
  const YAML::Node *node = map.node(key);
  return node ? errors_.take(constants_.floats(*node)) : std::vector<float>{};
}

Id KernelParser::reference(YamlMap &map, std::string_view key, const NameIndex &names, bool required) {
  if (!map.has(key) && !required) return kNone;
  const std::string name = map.text(key, true);
  const Id id = names.find(name);
  if (id == kNone && map.has(key))
    map.failAt(*map.node(key), fmt::format("'{}' names {}, which is not there", key, quoted(name)));
  return id;
}

void KernelParser::readReports(YamlMap &map) {
  if (const YAML::Node *node = map.node("folded")) {
    YamlMap folded(errors_, *node, "folded");
    program_.folded.constantGateRows = folded.number<uint64_t>("constant_gate_rows");
    program_.folded.constantGates = folded.number<uint64_t>("constant_gates");
    program_.folded.droppedUnits = folded.number<uint64_t>("dropped_units");
    program_.folded.droppedWeights = folded.number<uint64_t>("dropped_weights");
    folded.done();
  }
  if (const YAML::Node *node = map.node("loads")) {
    YamlMap loads(errors_, *node, "loads");
    program_.loads.before = loads.number<uint64_t>("before");
    program_.loads.after = loads.number<uint64_t>("after");
    loads.done();
  }
}

void KernelParser::readSpaces(YamlMap &map) {
  for (const YAML::Node &node : map.list("spaces")) {
    YamlMap entry(errors_, node, "space");
    Space space;
    space.name = entry.text("name", true);
    space.size = entry.requiredNumber<uint32_t>("size");
    space.userSize = entry.number<uint32_t>("user_size");
    space.parent = reference(entry, "of", spaces_, false);
    space.order = indices(entry, "order");
    entry.done();
    spaces_.add(space.name);
    program_.spaces.push_back(std::move(space));
  }
}

void KernelParser::readBuffers(YamlMap &map) {
  for (const YAML::Node &node : map.list("buffers")) {
    YamlMap entry(errors_, node, "buffer");
    Buffer b;
    b.name = entry.text("name", true);
    b.size = entry.requiredNumber<uint32_t>("size");
    b.lifetime = word(entry, "lifetime", parseLifetime, b.lifetime);
    b.space = reference(entry, "space", spaces_, false);
    b.dtype = word(entry, "dtype", parseDtype, b.dtype);
    b.allSteps = entry.flag("all_steps");
    b.perShare = entry.flag("per_share");
    if (entry.has("range")) {
      const std::vector<float> range = entry.numbers<float>("range");
      if (range.size() == 2)
        b.range = Range{range[0], range[1]};
      else
        entry.fail("'range' must be [low, high]");
    }
    b.init = floats(entry, "init");
    b.comment = entry.text("comment");
    entry.done();
    buffers_.add(b.name);
    program_.buffers.push_back(std::move(b));
  }
}

MatMul KernelParser::readMatMul(YamlMap &map) {
  MatMul m;
  m.weights = reference(map, "weights", weights_, true);
  m.name = map.has("name") ? map.text("name") : m.weights == kNone ? "" : weights_.nameOf(m.weights);
  m.x = reference(map, "x", buffers_, true);
  m.xOffset = map.number<uint32_t>("x_offset");
  m.y = reference(map, "y", buffers_, true);
  return m;
}

Softmax KernelParser::readSoftmax(YamlMap &map) {
  Softmax s;
  s.name = map.text("name");
  s.in = reference(map, "in", buffers_, true);
  s.out = reference(map, "out", buffers_, true);
  s.count = map.requiredNumber<uint32_t>("count");
  s.offset = map.number<uint32_t>("offset");
  s.log = map.flag("log");
  return s;
}

Elementwise KernelParser::readElementwise(YamlMap &map) {
  Elementwise e;
  e.name = map.text("name");
  e.space = reference(map, "space", spaces_, false);
  e.count = map.requiredNumber<uint32_t>("count");
  e.replicated = map.flag("replicated");
  for (const auto &part : table(map, "parts", 2)) {
    if (part[0] > ~0u || part[1] > ~0u) map.fail("'parts' has a number out of range");
    e.parts.push_back({static_cast<uint32_t>(part[0]), static_cast<uint32_t>(part[1])});
  }
  e.map = indices(map, "map");
  if (const YAML::Node *body = map.node("body")) {
    if (!body->IsScalar()) map.fail("'body' must be text, one instruction per line");
    // The mark of a block of text is its indicator "|"; its first line follows.
    const int first = body->Mark().line + 2;
    if (body->IsScalar())
      e.body = parseBody(body->Scalar(), buffers_, [&](size_t line, const std::string &message) {
        errors_.fail(fmt::format("line {}: {}", first + static_cast<int>(line), message));
      });
  }
  return e;
}

Operation KernelParser::readOperation(const YAML::Node &node) {
  YamlMap map(errors_, node, "operation");
  Operation operation;
  const std::string kind = map.text("op", true);
  if (kind == "matmul")
    operation = readMatMul(map);
  else if (kind == "elementwise")
    operation = readElementwise(map);
  else if (kind == "softmax")
    operation = readSoftmax(map);
  else
    map.fail(fmt::format("'op' is {}; matmul, elementwise or softmax is needed", quoted(kind)));
  map.done();
  return operation;
}

Phase KernelParser::readPhase(const YAML::Node &node) {
  YamlMap map(errors_, node, "phase");
  Phase phase;
  phase.name = map.text("name");
  phase.domain = reference(map, "domain", spaces_, false);
  phase.cuts = map.numbers<uint32_t>("cuts");
  phase.shareCost = map.numbers<double>("cost_ns");
  for (const YAML::Node &operation : map.list("ops")) phase.ops.push_back(readOperation(operation));
  map.done();
  return phase;
}

Section KernelParser::readSection(const YAML::Node &node) {
  YamlMap map(errors_, node, "section");
  Section section;
  section.name = map.text("name");
  section.kind = word(map, "kind", parseSectionKind, section.kind);
  section.backward = map.flag("backward");
  for (const YAML::Node &pair : map.list("swaps")) {
    const bool good = pair.IsSequence() && pair.size() == 2 && pair[0].IsScalar() && pair[1].IsScalar();
    const Id state = good ? buffers_.find(pair[0].Scalar()) : kNone,
             next = good ? buffers_.find(pair[1].Scalar()) : kNone;
    if (state == kNone || next == kNone) errors_.fail(pair, "'swaps' must be a list of [buffer, buffer]");
    section.swaps.emplace_back(state, next);
  }
  for (const YAML::Node &phase : map.list("phases")) section.phases.push_back(readPhase(phase));
  map.done();
  return section;
}

void KernelParser::readProgram(const YAML::Node &root) {
  YamlMap map(errors_, root, "program");
  program_.version = map.requiredNumber<uint32_t>("rtm_kernel");
  program_.name = map.text("name", true);
  program_.target = map.text("target");
  program_.cpu = map.text("cpu");
  program_.precision = word(map, "precision", parsePrecision, program_.precision);
  program_.shares = map.number<uint32_t>("shares", 1);
  program_.causal = map.has("causal") ? map.flag("causal") : true;
  program_.chunk = map.number<uint32_t>("chunk", 1);
  program_.shapeHash = map.text("shape_hash");
  program_.passes = map.texts("passes");
  readReports(map);
  readSpaces(map);
  readBuffers(map);
  for (const std::string &name : map.texts("states")) {
    program_.states.push_back({buffers_.find(name)});
    if (program_.states.back().buffer == kNone)
      map.fail(fmt::format("'states' names {}, which is not there", quoted(name)));
  }
  if (const YAML::Node *schedules = map.node("schedules")) schedules_ = readSchedules(*schedules, errors_);
  for (const YAML::Node &node : map.list("weights")) {
    program_.weights.push_back(readMatrix(node));
    weights_.add(program_.weights.back().name);
  }
  for (const YAML::Node &node : map.list("sections")) program_.sections.push_back(readSection(node));
  map.done();
}

llvm::Expected<Program> KernelParser::run(const std::string &yaml) {
  try {
    readProgram(loadIrText(yaml));
  } catch (const YAML::Exception &error) {
    errors_.fail(error.what());
  }
  if (llvm::Error error = errors_.take()) return error;
  const std::vector<std::string> broken = verify(program_);
  if (!broken.empty()) return llvm::createStringError(fmt::format("{}", fmt::join(broken, "\n")));
  return std::move(program_);
}

llvm::Expected<Program> parseProgram(const std::string &yaml, const std::string &directory) {
  return KernelParser(directory).run(yaml);
}

}  // namespace rtmc::ir
