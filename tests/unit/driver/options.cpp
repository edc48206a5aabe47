#include "driver/options.h"
#include "driver/option_table.h"

#include <doctest/doctest.h>

#include <set>

using namespace rtmc;
using driver::Command;
using driver::CommandLine;
using driver::parseCommandLine;

namespace {

CommandLine parse(const std::vector<std::string> &arguments) {
  Diagnostics diagnostics;
  const auto line = parseCommandLine(arguments, diagnostics);
  INFO(diagnostics.render());
  REQUIRE(line);
  return *line;
}

}  // namespace

TEST_CASE("the table is consistent") {
  std::set<std::string> names;
  for (const driver::OptionSpec &option : driver::optionTable()) {
    CHECK(names.insert(std::string(option.name)).second);
    if (!option.alias.empty()) CHECK(names.insert(std::string(option.alias)).second);
    CHECK(option.commands != 0);
    CHECK_FALSE(option.help.empty());
    CHECK(option.help.back() != '.');
  }
  for (size_t i = 0; i < driver::commandTable().size(); ++i) {
    CHECK(static_cast<size_t>(driver::commandTable()[i].command) == i);
  }
}

TEST_CASE("commands, defaults and forms") {
  const CommandLine plain = parse({"model.yaml", "-o", "k.cpp"});
  CHECK(plain.command == Command::Compile);
  CHECK(plain.file == "model.yaml");
  CHECK(plain.precision == "f32");
  CHECK(plain.threads == 1);
  CHECK(parse({"-ok.cpp", "--threads=7", "model.yaml"}).threads == 7);
  CHECK(parse({"inspect", "-vv", "m.yaml", "-v"}).verbose == 3);
  CHECK(parse({"compile", "inspect", "-o", "k.cpp"}).file == "inspect");  // a file of that name
  CHECK(parse({"m.yaml", "-MD", "d", "-o", "k.cpp"}).depfile == "d");
  CHECK(parse({"run", "m.yaml", "-i", "x", "-o", "y", "--cxxflags=-g -O1"}).cxxflags == "-g -O1");
  CHECK(parse({"opt", "m.yaml", "--passes=a,b"}).passes == std::vector<std::string>{"a", "b"});
  CHECK(parse({"verify", "--", "-m.yaml"}).file == "-m.yaml");
  CHECK(*parse({"verify", "m.yaml", "--corrupt-weight", "12"}).corruptWeight == 12);
}

TEST_CASE("mistakes are collected") {
  Diagnostics diagnostics;
  CHECK_FALSE(parseCommandLine({"m.yaml", "--threads", "x", "--unroll", "y", "--nothing-like-it", "-o"}, diagnostics));
  CHECK(diagnostics.all().size() == 4);
  for (const Diagnostic &each : diagnostics.all()) CHECK(each.kind == "argument");
}
