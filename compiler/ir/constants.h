// Owns: how constants stand in the text of both IRs: short ones inline and exact, long ones in a .safetensors beside
// the text, referenced as {file, tensor, hash}. Also the scalars and strings of that text. Refuses to own: what the
// constants mean (network_yaml.cpp, kernel_yaml.cpp), and the file format (support/safetensors.h).
#pragma once

#include <llvm/Support/Error.h>

#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace YAML {
class Node;
}

namespace rtmc::ir {

inline constexpr size_t kInlineValues = 64;  // longer constants go to the .safetensors

/// Collects constants while an IR is printed. Each call returns a YAML flow value for one line of text: `[1, -0,
/// .inf]`, or `{file: a.safetensors, tensor: gru0.weight_hh, hash: 16 hex digits}`.
class ConstantWriter {
 public:
  /// `fileName`: what the text refers to; no folder in it.
  explicit ConstantWriter(std::string fileName);
  ConstantWriter(const ConstantWriter &) = delete;
  ~ConstantWriter();
  /// `name`: the tensor's name in the file; one that is taken gets "#2", "#3" ... behind it.
  std::string floats(std::string_view name, std::span<const float> values);
  std::string bytes(std::string_view name, std::span<const uint8_t> values);
  std::string indices(std::string_view name, std::span<const uint32_t> values);
  /// The bytes of the .safetensors; empty where nothing needed one. The spans given above must still be alive.
  std::string finish();

 private:
  struct Entry;
  std::string store(std::string_view name, std::string_view dtype, std::span<const uint8_t> raw, size_t count);
  std::string fileName_;
  std::vector<Entry> entries_;
  std::set<std::string> names_;
};

/// Reads them back. Errors name the file and the tensor; a wrong hash, type or length is an error, never a crash.
class ConstantReader {
 public:
  /// `directory`: where the text lies; "" = the current one.
  explicit ConstantReader(std::string directory);
  ConstantReader(const ConstantReader &) = delete;
  ~ConstantReader();
  llvm::Expected<std::vector<float>> floats(const YAML::Node &);
  llvm::Expected<std::vector<uint8_t>> bytes(const YAML::Node &);
  llvm::Expected<std::vector<uint32_t>> indices(const YAML::Node &);

 private:
  struct File;
  template <typename T>
  llvm::Expected<std::vector<T>> read(const YAML::Node &, std::string_view dtype);
  llvm::Expected<std::span<const uint8_t>> find(const YAML::Node &, std::string_view dtype);
  llvm::Expected<const File *> open(const std::string &name);
  std::string directory_;
  std::map<std::string, std::unique_ptr<File>> files_;
};

/// Shortest decimal that reads back to the same bits: "0.1", "-0", ".inf", "-.inf", ".nan".
std::string yamlNumber(float);
std::string yamlNumber(double);
/// `text` as a YAML scalar on one line: plain where that is safe ("gru0.weight_hh"), else in double quotes.
std::string yamlString(std::string_view text);
/// `[a, b]` of scalars as yamlString writes them.
std::string yamlStrings(std::span<const std::string> texts);

/// The whole scalar as a number; false: not one, or out of range. Accepts what yamlNumber writes.
bool parseNumber(std::string_view text, float &);
bool parseNumber(std::string_view text, double &);
bool parseNumber(std::string_view text, uint8_t &);
bool parseNumber(std::string_view text, uint32_t &);
bool parseNumber(std::string_view text, uint64_t &);

}  // namespace rtmc::ir
