// Owns: the reader of the kernel IR's text as a class of two files: the program (kernel_yaml_read.cpp) and what belongs
// to a matrix (kernel_yaml_read_weights.cpp). Refuses to own: whether what was read is a program (kernel_verify.cpp).
#pragma once

#include "ir/constants.h"
#include "ir/kernel_text.h"
#include "ir/yaml_reader.h"
#include "support/names.h"

#include <fmt/format.h>

#include <map>

namespace rtmc::ir {

class KernelParser {
 public:
  explicit KernelParser(const std::string &directory) : constants_(directory) {}
  llvm::Expected<Program> run(const std::string &yaml);

 private:
  void readProgram(const YAML::Node &);
  void readReports(YamlMap &);
  void readSpaces(YamlMap &);
  void readBuffers(YamlMap &);
  void readWeights(YamlMap &);
  Weights readMatrix(const YAML::Node &);
  Structure readStructure(const YAML::Node &);
  std::vector<RowGroup> readGroups(const YAML::Node &);
  std::vector<TileShape> readShapes(YamlMap &, std::string_view key);
  Packed readPacked(const YAML::Node &);
  std::vector<TileRun> readRuns(YamlMap &);
  Section readSection(const YAML::Node &);
  Phase readPhase(const YAML::Node &);
  Operation readOperation(const YAML::Node &);
  MatMul readMatMul(YamlMap &);
  Elementwise readElementwise(YamlMap &);
  Softmax readSoftmax(YamlMap &);

  std::vector<uint32_t> indices(YamlMap &, std::string_view key);
  std::vector<float> floats(YamlMap &, std::string_view key);
  Id reference(YamlMap &, std::string_view key, const NameIndex &, bool required);
  std::vector<std::vector<uint64_t>> table(YamlMap &, std::string_view key, size_t width);
  template <typename E>
  E word(YamlMap &, std::string_view key, std::optional<E> (*parse)(std::string_view), E absent);

  YamlErrors errors_;
  ConstantReader constants_;
  NameIndex spaces_, buffers_, weights_;
  std::map<std::string, Schedule> schedules_;
  Program program_;
};

template <typename E>
E KernelParser::word(YamlMap &map, std::string_view key, std::optional<E> (*parse)(std::string_view), E absent) {
  if (!map.has(key)) return absent;
  const std::string text = map.text(key);
  if (const auto value = parse(text)) return *value;
  map.failAt(*map.node(key), fmt::format("'{}' is {}, which is none of its values", key, quoted(text)));
  return absent;
}

}  // namespace rtmc::ir
