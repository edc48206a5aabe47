// Schedules as text and back; also the one place that turns IR text into YAML nodes safely.
#include "ir/constants.h"
#include "ir/kernel_text.h"
#include "ir/kernel_yaml.h"
#include "ir/yaml_reader.h"
#include "support/names.h"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>

#include <sstream>

namespace rtmc::ir {

namespace {

/// Sees a text's structure without building it; refuses aliases.
class AliasGuard : public YAML::EventHandler {
 public:
  void OnDocumentStart(const YAML::Mark &) override {}
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark &, YAML::anchor_t) override {}
  void OnAlias(const YAML::Mark &mark, YAML::anchor_t) override {
    throw YAML::ParserException(mark, "aliases have no place in IR text");
  }
  void OnScalar(const YAML::Mark &, const std::string &, YAML::anchor_t, const std::string &) override {}
  void OnSequenceStart(const YAML::Mark &, const std::string &, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnSequenceEnd() override {}
  void OnMapStart(const YAML::Mark &, const std::string &, YAML::anchor_t, YAML::EmitterStyle::value) override {}
  void OnMapEnd() override {}
};

template <typename E>
void readEnum(YamlMap &map, std::string_view key, std::optional<E> (*parse)(std::string_view), E &value) {
  if (!map.has(key)) return;
  const std::string word = map.text(key);
  if (const auto parsed = parse(word))
    value = *parsed;
  else
    map.failAt(*map.node(key), fmt::format("'{}' is {}, which is none of its values", key, quoted(word)));
}

void readFlag(YamlMap &map, std::string_view key, bool &value) {
  if (map.has(key)) value = map.flag(key);
}

Schedule readSchedule(const YAML::Node &node, const std::string &name, const Schedule &defaults, YamlErrors &errors) {
  YamlMap map(errors, node, fmt::format("schedule {}", quoted(name)));
  Schedule s = defaults;
  readEnum(map, "format", parseFormat, s.format);
  readEnum(map, "lanes", parseLanes, s.lanes);
  s.tile = map.number<uint32_t>("tile", s.tile);
  s.groupRows = map.number<uint32_t>("group_rows", s.groupRows);
  s.mergeLimit = map.number<double>("merge_limit", s.mergeLimit);
  readFlag(map, "permute", s.permute);
  readFlag(map, "reorder", s.reorder);
  readFlag(map, "share_loads", s.shareLoads);
  readFlag(map, "compact", s.compact);
  readEnum(map, "unroll", parseUnroll, s.unroll);
  readEnum(map, "precision", parsePrecision, s.precision);
  readEnum(map, "accumulate", parseAccumulate, s.accumulate);
  readEnum(map, "placement", parsePlacement, s.placement);
  if (s.tile == 0 || s.tile % s.lanes.rows() != 0)
    map.fail(fmt::format("'tile' is {}; a multiple of the {} rows of {} is needed", s.tile, s.lanes.rows(),
                         lanesName(s.lanes)));
  if (!(s.mergeLimit >= 0 && s.mergeLimit <= 1))
    map.fail(fmt::format("'merge_limit' is {}; a share from 0 to 1 is needed", s.mergeLimit));
  map.done();
  return s;
}

}  // namespace

YAML::Node loadIrText(const std::string &yaml) {
  if (yaml.find('*') != std::string::npos) {
    std::istringstream stream(yaml);
    YAML::Parser parser(stream);
    AliasGuard guard;
    parser.HandleNextDocument(
        guard);  // the one that Load reads; on text like ", a" the parser would never come to an end
  }
  return YAML::Load(yaml);
}

std::string scheduleText(const Schedule &s) {
  return fmt::format(
      "{{format: {}, lanes: {}, tile: {}, group_rows: {}, merge_limit: {}, permute: {}, reorder: {}, share_loads: {}, "
      "compact: {}, unroll: {}, precision: {}, accumulate: {}, placement: {}}}",
      formatName(s.format), lanesName(s.lanes), s.tile, s.groupRows, yamlNumber(s.mergeLimit), s.permute, s.reorder,
      s.shareLoads, s.compact, unrollName(s.unroll), precisionName(s.precision), accumulateName(s.accumulate),
      placementName(s.placement));
}

std::map<std::string, Schedule> readSchedules(const YAML::Node &node, YamlErrors &errors, const Schedule &defaults) {
  std::map<std::string, Schedule> schedules;
  if (!node.IsMap()) {
    errors.fail(node, "'schedules' must be a map from weights to schedules");
    return schedules;
  }
  for (const auto &entry : node) {
    const std::string name = entry.first.IsScalar() ? entry.first.Scalar() : "";
    if (name.empty()) errors.fail(entry.first, "a schedule's key must be a name, a pattern hash or \"*\"");
    if (!schedules.emplace(name, readSchedule(entry.second, name, defaults, errors)).second)
      errors.fail(entry.first, fmt::format("schedule {} stands twice", quoted(name)));
  }
  return schedules;
}

llvm::Expected<std::map<std::string, Schedule>> parseSchedules(const std::string &yaml, const Schedule &defaults) {
  YamlErrors errors;
  std::map<std::string, Schedule> schedules;
  try {
    const YAML::Node root = loadIrText(yaml);
    const YAML::Node given = root.IsMap() ? root["schedules"] : YAML::Node(YAML::NodeType::Undefined);
    if (!given) {
      errors.fail("a map with the key 'schedules' is needed");
    } else {
      // A whole program is welcome; a file of schedules has nothing else.
      const bool program = root["rtm_kernel"].IsDefined();
      for (const auto &entry : root)
        if (!program && (!entry.first.IsScalar() || entry.first.Scalar() != "schedules"))
          errors.fail(entry.first, fmt::format("the key {} is unknown beside 'schedules'",
                                               quoted(entry.first.IsScalar() ? entry.first.Scalar() : "")));
      schedules = readSchedules(given, errors, defaults);
    }
  } catch (const YAML::Exception &error) {
    errors.fail(error.what());
  }
  if (llvm::Error error = errors.take()) return error;
  return schedules;
}

}  // namespace rtmc::ir
