#include "driver/options.h"

#include "driver/option_table.h"

#include <fmt/format.h>

#include <algorithm>

namespace rtmc::driver {
namespace {

const OptionSpec *findOption(std::string_view name) {
  for (const OptionSpec &option : optionTable()) {
    if (option.name == name || (!option.alias.empty() && option.alias == name)) return &option;
  }
  return nullptr;
}

std::string commandsOf(const OptionSpec &option) {
  std::string names;
  for (const CommandSpec &spec : commandTable()) {
    if (!(option.commands & bitOf(spec.command))) continue;
    names += fmt::format("{}{}", names.empty() ? "" : ", ", spec.name);
  }
  return names;
}

void reportUnknown(const std::string &name, Command command, Diagnostics &diagnostics) {
  std::vector<std::string> names;
  for (const OptionSpec &option : optionTable()) {
    if (!(option.commands & bitOf(command))) continue;
    names.emplace_back(option.name);
    if (!option.alias.empty()) names.emplace_back(option.alias);
  }
  const std::string near = nearestName(name, names);
  diagnostics.error("argument", {},
                    fmt::format("unknown option '{}'{}", name,
                                near.empty() ? fmt::format("; `rtmc {} --help` lists them", commandName(command))
                                             : fmt::format("; did you mean '{}'", near)));
}

/// Splits "--name=value" and "-oVALUE"; short options take a value only as the next argument or glued on.
struct Split {
  std::string name;
  std::optional<std::string> value;
};
Split splitArgument(const std::string &argument) {
  if (findOption(argument)) return {argument, std::nullopt};
  if (const size_t equals = argument.find('='); argument.starts_with("-") && equals != std::string::npos) {
    return {argument.substr(0, equals), argument.substr(equals + 1)};
  }
  if (argument.size() > 2 && argument[1] != '-') {
    const OptionSpec *option = findOption(argument.substr(0, 2));
    if (option && !option->argument.empty()) return {argument.substr(0, 2), argument.substr(2)};
  }
  return {argument, std::nullopt};
}

class Parser {
 public:
  Parser(const std::vector<std::string> &arguments, Diagnostics &diagnostics)
      : arguments_(arguments), diagnostics_(diagnostics) {}

  CommandLine parse() {
    if (!arguments_.empty()) pickCommand(arguments_[0]);
    bool onlyFiles = false;
    while (at_ < arguments_.size()) {
      const std::string &argument = arguments_[at_++];
      if (!onlyFiles && argument == "--")
        onlyFiles = true;
      else if (!onlyFiles && argument.size() > 1 && argument[0] == '-')
        readOption(argument);
      else
        readFile(argument);
    }
    requireFile();
    return std::move(line_);
  }

 private:
  void pickCommand(const std::string &first) {
    for (const CommandSpec &spec : commandTable()) {
      if (spec.name != first) continue;
      line_.command = spec.command;
      at_ = 1;
      return;
    }
  }

  void readOption(const std::string &argument) {
    // -vv is the only cluster that anyone types.
    if (argument == "-vv") {
      line_.verbose += 2;
      return;
    }
    auto [name, value] = splitArgument(argument);
    const OptionSpec *option = findOption(name);
    if (!option) return reportUnknown(name, line_.command, diagnostics_);
    if (!(option->commands & bitOf(line_.command))) {
      diagnostics_.error("argument", {},
                         fmt::format("option '{}' does not belong to `rtmc {}`; it belongs to {}", name,
                                     commandName(line_.command), commandsOf(*option)));
    }
    if (option->argument.empty()) {
      if (value) {
        diagnostics_.error("argument", {}, fmt::format("option '{}' takes no value; '{}' was given", name, *value));
        return;
      }
      value = "";
    } else if (!value) {
      if (at_ >= arguments_.size()) {
        diagnostics_.error("argument", {}, fmt::format("option '{}' needs a value: {}", name, option->argument));
        return;
      }
      value = arguments_[at_++];
    }
    line_.given.emplace_back(option->name);
    if (const std::string complaint = option->store(line_, *value); !complaint.empty()) {
      diagnostics_.error("argument", {}, fmt::format("option '{}' {}", name, complaint));
    }
  }

  void readFile(const std::string &argument) {
    if (specOf(line_.command).file.empty()) {
      diagnostics_.error(
          "argument", {},
          fmt::format("unexpected argument '{}'; `rtmc {}` takes options only", argument, commandName(line_.command)));
    } else if (line_.file.empty()) {
      line_.file = argument;
    } else {
      // `rtmc inspekt model.yaml`: the slip is in the first word, not in the second.
      std::vector<std::string> names;
      for (const CommandSpec &spec : commandTable()) names.emplace_back(spec.name);
      const std::string near = line_.command == Command::Compile ? nearestName(line_.file, names) : "";
      diagnostics_.error("argument", {},
                         near.empty() ? fmt::format("unexpected argument '{}'; the file is '{}'", argument, line_.file)
                                      : fmt::format("unknown command '{}'; did you mean '{}'", line_.file, near));
    }
  }

  void requireFile() {
    const CommandSpec &spec = specOf(line_.command);
    if (line_.help || line_.helpDeveloper || line_.version || diagnostics_.hasErrors()) return;
    if (spec.fileRequired && line_.file.empty()) {
      diagnostics_.error("argument", {},
                         fmt::format("`rtmc {}` needs a file: {}; `rtmc --help` tells more", spec.name, spec.file));
    }
  }

  const std::vector<std::string> &arguments_;
  Diagnostics &diagnostics_;
  CommandLine line_;
  size_t at_ = 0;
};

std::string_view title(Group group) {
  switch (group) {
    case Group::Files:
      return "Files";
    case Group::Common:
      return "Common options";
    case Group::Pruning:
      return "Pruning (docs/projections.md; PATTERN is a layer's or matrix's name with * and ?, as in "
             "'*.weight_ih=1x13')";
    case Group::Execution:
      return "Compiling and running";
    case Group::Ablation:
      return "Switching optimisations off";
    case Group::Developer:
      return "For developers";
  }
  return "";
}

std::string optionHelp(const OptionSpec &option) {
  std::string left = option.alias.empty() ? std::string(option.name) : fmt::format("{}, {}", option.alias, option.name);
  if (!option.argument.empty()) left += fmt::format(" {}", option.argument);
  return left.size() < 30 ? fmt::format("  {:<30}{}\n", left, option.help)
                          : fmt::format("  {}\n  {:<30}{}\n", left, "", option.help);
}

}  // namespace

std::optional<CommandLine> parseCommandLine(const std::vector<std::string> &arguments, Diagnostics &diagnostics) {
  CommandLine line = Parser(arguments, diagnostics).parse();
  if (line.help || line.helpDeveloper || line.version) {
    if (diagnostics.hasErrors()) return std::nullopt;
    return line;
  }
  if (diagnostics.hasErrors()) return std::nullopt;
  return line;
}

std::string helpText(const CommandLine &line, bool developer) {
  const CommandSpec &spec = specOf(line.command);
  std::string text;
  if (line.command == Command::Compile) {
    text += "rtmc: compiles block-pruned recurrent networks to C++\n\nUsage:\n";
    for (const CommandSpec &each : commandTable()) {
      const std::string usage = each.command == Command::Compile ? "rtmc MODEL.yaml -o kernel.cpp"
                                                                 : fmt::format("rtmc {} {}", each.name, each.file);
      text += fmt::format("  {:<32}{}\n", usage, each.summary);
    }
    text += "`rtmc COMMAND --help` lists a command's options; below are those of compiling.\n";
  } else {
    text += fmt::format("rtmc {}: {}\n\nUsage: rtmc {} {}{}[options]\n", spec.name, spec.summary, spec.name, spec.file,
                        spec.file.empty() ? "" : " ");
  }
  for (Group group :
       {Group::Files, Group::Pruning, Group::Common, Group::Execution, Group::Ablation, Group::Developer}) {
    if (!developer && (group == Group::Ablation || group == Group::Developer)) continue;
    std::string lines;
    for (const OptionSpec &option : optionTable()) {
      if (option.group == group && (option.commands & bitOf(line.command))) lines += optionHelp(option);
    }
    if (!lines.empty()) text += fmt::format("\n{}:\n{}", title(group), lines);
  }
  text += "\nExit status: 0 done; 1 the input is wrong; 2 the environment failed; 3 a bug in rtmc.\n";
  return text;
}

}  // namespace rtmc::driver
