// Owns: the list of options: names, arguments, which commands take them, and how a value is stored.
#pragma once

#include "driver/options.h"

#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>
#include <vector>

namespace rtmc::driver {

/// Commands that take an option, as a set of bits.
using CommandSet = uint32_t;
constexpr CommandSet bitOf(Command c) {
  return 1u << static_cast<uint32_t>(c);
}

enum class Group : uint8_t { Common, Files, Pruning, Execution, Ablation, Developer };

struct OptionSpec {
  std::string_view name;      // "--threads"
  std::string_view alias;     // "-o"; empty: none
  std::string_view argument;  // "N"; empty: a switch
  CommandSet commands;
  Group group;
  std::string_view help;
  /// Stores the value; a non-empty result is the complaint: what was found and what is needed.
  std::function<std::string(CommandLine &, const std::string &value)> store;
};

struct CommandSpec {
  Command command;
  std::string_view name;
  std::string_view file;  // how help calls the positional argument; empty: none
  bool fileRequired;
  std::string_view summary;
};

const std::vector<OptionSpec> &optionTable();
/// The options of `rtmc prune` alone, a part of the table.
std::vector<OptionSpec> pruneOptions();
const std::vector<CommandSpec> &commandTable();
const CommandSpec &specOf(Command);

}  // namespace rtmc::driver
