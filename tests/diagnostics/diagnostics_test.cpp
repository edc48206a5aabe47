// Provokes every diagnostic and compares its text and place verbatim. A case is one file in cases/, named after its
// kind
// (`weight-shape.transposed.case`), in sections:
//
//     --- model.yaml                   written as it stands; `\x00` and the like are read where the head says `escaped`
//     --- weights.safetensors          one tensor per line: name dtype rowsxcolumns [index=value ...] [keep=share]
//     --- command                      optional: what a shell runs in the folder, instead of only loading model.yaml
//     --- expected
//     the messages, then `status: N` (0: done, 1: the user's mistake, 2: the environment)
//
// `--update-expected` rewrites the expected part.
#include "support/diagnostics.h"
#include "frontend/frontend.h"
#include "test_options.h"
#include "unit/frontend/weight_builder.h"

#include <doctest/doctest.h>
#include <fmt/format.h>

#include <sys/wait.h>
#include <algorithm>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>
#include <stdexcept>

namespace rtmc {
namespace {

const std::filesystem::path kFolder = std::filesystem::path(RTMC_SOURCE_DIR) / "tests/diagnostics";

std::string readFile(const std::filesystem::path &path) {
  std::ifstream stream(path, std::ios::binary);
  if (!stream) throw std::runtime_error("cannot read " + path.string());
  return {std::istreambuf_iterator<char>(stream), {}};
}

std::vector<std::string> words(const std::string &line) {
  std::istringstream stream(line);
  std::vector<std::string> out;
  for (std::string word; stream >> word;) out.push_back(word);
  return out;
}

/// `\xhh`, `\t`, `\r` and `\\`; a line break is a line break. `\x{hh*n}` repeats a byte n times.
std::string unescape(const std::string &text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] != '\\') {
      out += text[i];
      continue;
    }
    switch (text.at(++i)) {
      case 't':
        out += '\t';
        break;
      case 'r':
        out += '\r';
        break;
      case '\\':
        out += '\\';
        break;
      case '\n':
        break;  // joins lines
      case 'x':
        if (text.at(i + 1) == '{') {
          const size_t end = text.find('}', i);
          const auto byte = static_cast<char>(std::stoi(text.substr(i + 2, 2), nullptr, 16));
          out.append(std::stoul(text.substr(i + 5, end - i - 5)), byte);
          i = end;
        } else {
          out += static_cast<char>(std::stoi(text.substr(i + 1, 2), nullptr, 16));
          i += 2;
        }
        break;
      default:
        throw std::runtime_error("unknown escape in a case");
    }
  }
  return out;
}

/// "gru.weight_ih F32 192x39 7=nan"
test::TestTensor parseTensor(const std::string &line) {
  const std::vector<std::string> parts = words(line);
  std::vector<uint64_t> shape;
  std::istringstream dimensions(parts.at(2));
  for (std::string size; std::getline(dimensions, size, 'x');) shape.push_back(std::stoull(size));
  test::TestTensor tensor = test::countingTensor(parts[0], parts.at(1), shape);
  for (size_t i = 3; i < parts.size(); ++i) {
    const size_t equals = parts[i].find('=');
    const double value = std::strtod(parts[i].c_str() + equals + 1, nullptr);
    if (parts[i].starts_with("all="))
      std::fill(tensor.values.begin(), tensor.values.end(), value);
    else if (parts[i].starts_with("keep="))  // this share of the values, scattered
      for (size_t k = 0; k < tensor.values.size(); ++k) {
        if (static_cast<uint32_t>(k * 2654435761u) * 0x1p-32 >= value) tensor.values[k] = 0;
      }
    else
      tensor.values.at(std::stoull(parts[i].substr(0, equals))) = value;
  }
  return tensor;
}

struct Case {
  std::string name;
  std::filesystem::path path;
  std::string head;  // everything before the expected text
  std::string expected;
  std::string command;                                     // empty: load model.yaml in this process
  std::vector<std::pair<std::string, std::string>> files;  // name and how -> bytes
};

void addFile(Case &c, const std::string &heading, const std::string &body) {
  const std::vector<std::string> parts = words(heading);
  const std::string &name = parts.at(0);
  if (parts.size() > 1 && parts[1] == "escaped") {
    c.files.emplace_back(name, unescape(body.substr(0, body.size() - 1)));
    return;
  }
  if (name.ends_with(".yaml")) {
    c.files.emplace_back(name, body);
    return;
  }
  std::vector<test::TestTensor> tensors;
  std::istringstream lines(body);
  for (std::string line; std::getline(lines, line);)
    if (!line.empty()) tensors.push_back(parseTensor(line));
  c.files.emplace_back(name, name.ends_with(".npz") ? test::makeNpz(tensors) : test::makeSafetensors(tensors));
}

Case readCase(const std::filesystem::path &path) {
  Case c;
  c.path = path;
  c.name = path.stem().string();
  const std::string text = readFile(path);
  constexpr std::string_view kMark = "--- ";
  size_t at = text.find(kMark);
  while (at < text.size()) {
    const size_t lineEnd = text.find('\n', at);
    const std::string heading = text.substr(at + kMark.size(), lineEnd - at - kMark.size());
    size_t next = text.find("\n--- ", lineEnd);
    next = next == std::string::npos ? text.size() : next + 1;
    const std::string body = text.substr(lineEnd + 1, next - lineEnd - 1);
    if (heading == "expected") {
      c.head = text.substr(0, lineEnd + 1);
      c.expected = body;
    } else if (heading == "command") {
      c.command = body;
    } else {
      addFile(c, heading, body);
    }
    at = next;
  }
  if (c.head.empty()) throw std::runtime_error(path.string() + " has no '--- expected'");
  return c;
}

std::vector<Case> allCases() {
  std::vector<Case> out;
  for (const auto &entry : std::filesystem::directory_iterator(kFolder / "cases"))
    if (entry.path().extension() == ".case") out.push_back(readCase(entry.path()));
  std::sort(out.begin(), out.end(), [](const Case &a, const Case &b) { return a.name < b.name; });
  return out;
}

struct Result {
  std::string text;  // as it is compared
  Diagnostics diagnostics;
};

/// stderr and status of the command; stdout is none of this test's business.
Result runCommand(const Case &c, const test::TempFolder &folder) {
  folder.write("command.sh", "PATH=\"$1:$PATH\"\nunset RTMC_CXX CXX\ncd \"$2\"\n" + c.command);
  const std::string folders =
      fmt::format("'{}' '{}'", std::filesystem::path(RTMC_PROGRAM).parent_path().string(), folder.path());
  const int status =
      std::system(fmt::format("sh '{0}/command.sh' {1} >'{0}/stdout' 2>'{0}/stderr'", folder.path(), folders).c_str());
  Result result;
  result.text = readFile(folder.file("stderr"));
  const std::string prefix = folder.path() + "/";
  for (size_t at; (at = result.text.find(prefix)) != std::string::npos;) result.text.erase(at, prefix.size());
  result.text += fmt::format("status: {}\n", WIFEXITED(status) ? WEXITSTATUS(status) : -1);
  return result;
}

Result runCase(const Case &c) {
  const test::TempFolder folder;
  for (const auto &[name, bytes] : c.files) folder.write(name, bytes);
  if (!c.command.empty()) return runCommand(c, folder);
  Result result;
  bool environment = false;
  const auto loaded = frontend::loadModel(folder.file("model.yaml"), result.diagnostics, &environment);
  CHECK(loaded.has_value() == !result.diagnostics.hasErrors());
  std::string text = result.diagnostics.render();
  const std::string prefix = folder.path() + "/";
  for (size_t at; (at = text.find(prefix)) != std::string::npos;) text.erase(at, prefix.size());
  result.text = text + fmt::format("status: {}\n", loaded ? 0 : environment ? 2 : 1);
  return result;
}

std::string kindOf(const std::string &caseName) {
  return caseName.substr(0, caseName.find('.'));
}

/// The first message of a kind among the cases, with its caret and notes.
std::string exampleOf(const std::string &kind, const std::vector<Case> &cases) {
  for (const Case &c : cases) {
    if (kindOf(c.name) != kind) continue;
    std::istringstream lines(c.expected);
    std::string example;
    for (std::string line; std::getline(lines, line);) {
      const bool starts = line.ends_with("]") && line.find(": ") != std::string::npos;
      if (!example.empty() && (starts || line.starts_with("status: "))) return example;
      if (!example.empty() || line.ends_with("[" + kind + "]")) example += line + "\n";
    }
  }
  return "no case gives [" + kind + "]\n";
}

/// Lines of elsewhere.txt: kind, test that provokes it.
std::vector<std::pair<std::string, std::string>> elsewhere() {
  std::vector<std::pair<std::string, std::string>> out;
  std::istringstream lines(readFile(kFolder / "elsewhere.txt"));
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line[0] == '#') continue;
    const std::vector<std::string> parts = words(line);
    REQUIRE_MESSAGE(parts.size() == 2, line);
    out.emplace_back(parts[0], parts[1]);
  }
  return out;
}

}  // namespace

TEST_CASE("every case gives the expected messages at the expected places") {
  for (const Case &c : allCases()) {
    CAPTURE(c.name);
    if (!c.command.empty() && std::string_view(RTMC_PROGRAM).empty()) {
      MESSAGE("skipped: " << c.name << " needs the rtmc program, which this build has not");
      continue;
    }
    const Result result = runCase(c);
    const std::string kind = kindOf(c.name);
    const auto &all = result.diagnostics.all();
    CHECK_MESSAGE((kind == "accepted" || result.text.find("[" + kind + "]") != std::string::npos),
                  "the case does not provoke the kind that it is named after");
    for (const Diagnostic &d : all) {
      CHECK_MESSAGE(!d.message.ends_with('.'), d.message);
      CHECK_MESSAGE(!(d.message[0] >= 'A' && d.message[0] <= 'Z'), d.message);
    }
    if (test::updateExpected()) {
      std::ofstream stream(c.path, std::ios::binary);
      stream << c.head << result.text;
    } else {
      CHECK(result.text == c.expected);
    }
  }
}

TEST_CASE("every kind has a case here or a test elsewhere, and every case a kind") {
  std::set<std::string> kinds, covered;
  for (const DiagnosticKind &kind : diagnosticKinds()) kinds.emplace(kind.name);
  for (const Case &c : allCases()) covered.insert(kindOf(c.name));
  for (const auto &[kind, file] : elsewhere()) {
    CAPTURE(kind);
    CHECK_MESSAGE(kinds.contains(kind), "elsewhere.txt names a kind that does not exist");
    const auto path = std::filesystem::path(RTMC_SOURCE_DIR) / file;
    REQUIRE_MESSAGE(std::filesystem::exists(path), file << " does not exist");
    CHECK_MESSAGE(readFile(path).find(kind) != std::string::npos, file << " does not mention the kind");
    covered.insert(kind);
  }
  for (const std::string &kind : kinds) CHECK_MESSAGE(covered.contains(kind), "no test provokes [" << kind << "]");
  for (const std::string &kind : covered)
    CHECK_MESSAGE((kinds.contains(kind) || kind == "accepted"), "no such kind: [" << kind << "]");
}

TEST_CASE("kinds are sorted, different, and explained") {
  const auto kinds = diagnosticKinds();
  for (size_t i = 0; i < kinds.size(); ++i) {
    CAPTURE(kinds[i].name);
    if (i > 0) CHECK(kinds[i - 1].name < kinds[i].name);
    CHECK(kinds[i].explanation.size() > 10);
    CHECK(!kinds[i].explanation.ends_with('.'));
  }
}

TEST_CASE("docs/diagnostics.md documents exactly these kinds, in their words, with an example each from the cases") {
  const auto path = std::filesystem::path(RTMC_SOURCE_DIR) / "docs/diagnostics.md";
  std::string text = readFile(path);
  const std::vector<Case> cases = allCases();
  std::set<std::string> documented;
  for (size_t at = text.find("\n## "); at != std::string::npos; at = text.find("\n## ", at + 1)) {
    const size_t end = text.find('\n', at + 1);
    const std::string kind = text.substr(at + 4, end - at - 4);
    CAPTURE(kind);
    CHECK_MESSAGE(documented.insert(kind).second, "documented twice");
    const size_t open = text.find("\n```\n", end) + 5, close = text.find("\n```\n", open);
    REQUIRE(close < std::min(text.find("\n## ", end), text.size()));
    const std::string example = text.substr(open, close + 1 - open);
    CHECK_MESSAGE(example.find("[" + kind + "]") != std::string::npos, "its example shows another kind");
    const bool real = std::any_of(cases.begin(), cases.end(),
                                  [&](const Case &c) { return c.expected.find(example) != std::string::npos; });
    if (!real && test::updateExpected()) text.replace(open, example.size(), exampleOf(kind, cases));
    CHECK_MESSAGE((real || test::updateExpected()), "no case gives the example: " << example);
  }
  for (const DiagnosticKind &kind : diagnosticKinds()) {
    CAPTURE(kind.name);
    CHECK_MESSAGE(documented.erase(std::string(kind.name)) == 1, "not documented");
    std::string sentence(kind.explanation);
    sentence[0] = static_cast<char>(std::toupper(static_cast<unsigned char>(sentence[0])));
    CHECK_MESSAGE(text.find(sentence + ".") != std::string::npos, "explained in other words than in the .def");
  }
  for (const std::string &kind : documented) CHECK_MESSAGE(false, "documents no kind: " << kind);
  if (test::updateExpected()) std::ofstream(path, std::ios::binary) << text;
}

}  // namespace rtmc
