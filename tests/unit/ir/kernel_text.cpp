// The kernel IR as text: what it looks like, that it reads back exactly, and that broken text is an error with a place.
#include "kernel_fixture.h"

#include "ir/kernel_yaml.h"
#include "support/files.h"
#include "test_options.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

using namespace rtmc;
using namespace rtmc::test;
using G = GruIds;

namespace {

/// A folder of the test's own, removed at the end.
struct Folder {
  std::filesystem::path path = std::filesystem::path(RTMC_BINARY_DIR) / "kernel_text_test";
  Folder() { std::filesystem::create_directories(path); }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path, ignored);
  }
  void write(const std::string &name, const std::string &bytes) const {
    std::ofstream(path / name, std::ios::binary) << bytes;
  }
};

std::string errorOf(const std::string &yaml, const std::string &directory = "") {
  auto program = parseProgram(yaml, directory);
  return program ? "" : llvm::toString(program.takeError());
}

/// Text of a program, its constants written to `folder`; parses, and prints the same again.
Program roundTrip(const Program &program, const Folder &folder) {
  const Printed first = print(program, "constants.safetensors");
  folder.write("constants.safetensors", first.constants);
  auto parsed = parseProgram(first.yaml, folder.path.string());
  if (!parsed) FAIL(llvm::toString(parsed.takeError()) << "\n" << first.yaml);
  const Printed second = print(*parsed, "constants.safetensors");
  CHECK(first.yaml == second.yaml);
  CHECK(first.constants == second.constants);
  return std::move(*parsed);
}

bool same(const Packed &a, const Packed &b) {
  if (a.runs.size() != b.runs.size()) return false;
  for (size_t i = 0; i < a.runs.size(); ++i) {
    const TileRun &x = a.runs[i], &y = b.runs[i];
    if (std::tie(x.shape, x.row, x.rows, x.tiles, x.entries, x.column, x.value) !=
        std::tie(y.shape, y.row, y.rows, y.tiles, y.entries, y.column, y.value))
      return false;
  }
  return a.precision == b.precision && a.shapes == b.shapes && a.shareBegin == b.shareBegin && a.values == b.values &&
         a.columnTable == b.columnTable && a.columnWidth == b.columnWidth && a.rowTable == b.rowTable &&
         a.rowWidth == b.rowWidth;
}

void checkSameWeights(const Weights &a, const Weights &b) {
  CHECK(a.name == b.name);
  CHECK(a.rowBegin == b.rowBegin);
  CHECK(a.columnIndex == b.columnIndex);
  CHECK(a.values == b.values);
  CHECK(a.patternHash == b.patternHash);
  CHECK(a.rowSpace == b.rowSpace);
  CHECK(a.columnSpace == b.columnSpace);
  CHECK(a.structure.scheme == b.structure.scheme);
  CHECK(a.tiles == b.tiles);
  CHECK(a.schedule.lanes == b.schedule.lanes);
  CHECK(a.schedule.tile == b.schedule.tile);
  CHECK(a.schedule.precision == b.schedule.precision);
  REQUIRE(a.groups.size() == b.groups.size());
  for (size_t g = 0; g < a.groups.size(); ++g) {
    CHECK(a.groups[g].rows == b.groups[g].rows);
    CHECK(a.groups[g].columns == b.groups[g].columns);
  }
  REQUIRE(a.packed.has_value() == b.packed.has_value());
  if (a.packed) CHECK(same(*a.packed, *b.packed));
}

std::string replaced(std::string text, const std::string &from, const std::string &to) {
  const size_t at = text.find(from);
  REQUIRE_MESSAGE(at != std::string::npos, "the text has no '" << from << "'");
  return text.replace(at, from.size(), to);
}

}  // namespace

TEST_CASE("every stage and precision reads back exactly") {
  const Folder folder;
  for (const Stage stage : {Stage::Lowered, Stage::Grouped, Stage::Partitioned, Stage::Packed})
    for (const Precision precision : {Precision::F32, Precision::F16, Precision::BF16}) {
      const Program program = gruProgram(stage, precision);
      const Program back = roundTrip(program, folder);
      CHECK(back.name == program.name);
      CHECK(back.target == program.target);
      CHECK(back.cpu == program.cpu);
      CHECK(back.shares == program.shares);
      CHECK(back.passes == program.passes);
      CHECK(back.shapeHash == program.shapeHash);
      CHECK(back.folded.constantGateRows == 3);
      CHECK(back.loads.after == 33);
      REQUIRE(back.weights.size() == program.weights.size());
      for (size_t i = 0; i < program.weights.size(); ++i) checkSameWeights(program.weights[i], back.weights[i]);
      REQUIRE(back.buffers.size() == program.buffers.size());
      for (size_t i = 0; i < program.buffers.size(); ++i) {
        CHECK(back.buffers[i].init == program.buffers[i].init);
        CHECK(back.buffers[i].comment == program.buffers[i].comment);
        CHECK(back.buffers[i].range.has_value() == program.buffers[i].range.has_value());
      }
    }
}

TEST_CASE("chunks of steps read back") {
  const Folder folder;
  Program program = gruProgram(Stage::Packed);
  program.chunk = 4;
  CHECK(roundTrip(program, folder).chunk == 4);
}

TEST_CASE("what the fixture prints does not hide any field") {
  // Fields that the GRU leaves at their defaults.
  Program p = gruProgram(Stage::Packed);
  p.causal = false;
  p.sections[0].backward = true;
  p.sections.insert(p.sections.begin(), Section{"once", SectionKind::Once, false, {}, {}});
  Buffer next = p.buffers[G::h];
  next.name = "gru0_h_next";
  next.comment = "line one\nline two # not a comment: \xE2\x82\xAC";
  p.buffers.push_back(next);
  Buffer half = p.buffers[G::rh];
  half.name = "rh16";
  half.dtype = DType::F16;
  half.perShare = true;
  p.buffers.push_back(half);
  Buffer history = p.buffers[G::rh];
  history.name = "y";
  history.allSteps = true;
  p.buffers.push_back(history);
  p.sections[1].swaps = {{G::h, 11}};
  Schedule &s = p.weights[2].schedule;
  s = {Format::Csb,     {16, 4, false},    32, 7, 0.1, false, false, false, false, Unroll::Full, Precision::F32,
       Accumulate::F32, Placement::InPlace};
  p.weights[2].structure = {Scheme::Csb, 32, 64, 0.987654321, {}};
  Elementwise copy;
  copy.name = "copy";
  copy.space = G::units;
  copy.count = 8;
  copy.replicated = true;
  copy.body = {load(G::h, ""),
               number(-0.0f, "zero"),
               number(0.1f, "tenth"),
               compute(EwOp::Fma, "same", 0, 2, 1),
               compute(EwOp::Relu, "same", 3),
               compute(EwOp::Add, "", 3, 4),
               compute(EwOp::Sub, "", 5, 0),
               store(12, 6)};
  copy.body.back().name = "stored";
  p.sections[1].phases[0].ops.insert(p.sections[1].phases[0].ops.begin(), copy);
  Phase last;
  last.name = "softmax";
  last.ops.emplace_back(Softmax{"softmax of part", G::rh, 13, 2, 5, true});
  p.sections[1].phases.push_back(last);
  Elementwise shifted;
  shifted.name = "shifted";
  shifted.count = 4;
  shifted.map = {3, 2, 1, 0};
  shifted.parts = {{0, 4}, {4, 4}};
  shifted.body = {load(G::h, "a", true, 4), load(G::preR, "b", false, 3), compute(EwOp::Add, "", 0, 1),
                  store(13, 2, true)};
  last.name = "shifted";
  last.ops = {shifted};
  p.sections[1].phases.push_back(last);
  for (const std::string &message : verify(p)) FAIL(message);

  const Folder folder;
  const Program back = roundTrip(p, folder);
  CHECK(!back.causal);
  REQUIRE(back.sections.size() == 2);
  CHECK(back.sections[0].kind == SectionKind::Once);
  CHECK(back.sections[1].backward);
  CHECK(back.sections[1].swaps == p.sections[1].swaps);
  CHECK(back.buffers[11].comment == next.comment);
  CHECK(back.buffers[12].perShare);
  CHECK(back.buffers[12].dtype == DType::F16);
  CHECK(back.buffers[13].allSteps);
  const Schedule &t = back.weights[2].schedule;
  CHECK(t.format == s.format);
  CHECK(t.lanes == s.lanes);
  CHECK(t.groupRows == 7);
  CHECK(t.mergeLimit == 0.1);
  CHECK((!t.permute && !t.reorder && !t.shareLoads && !t.compact));
  CHECK(t.unroll == Unroll::Full);
  CHECK(t.placement == Placement::InPlace);
  CHECK(back.weights[2].structure.fill == 0.987654321);
  CHECK(back.weights[2].structure.blockColumns == 64);
  const auto &body = std::get<Elementwise>(back.sections[1].phases[0].ops[0]).body;
  REQUIRE(body.size() == copy.body.size());
  for (size_t i = 0; i < body.size(); ++i) {
    CHECK(body[i].op == copy.body[i].op);
    CHECK(body[i].name == copy.body[i].name);
    CHECK(std::tie(body[i].a, body[i].b, body[i].c) == std::tie(copy.body[i].a, copy.body[i].b, copy.body[i].c));
    CHECK(std::bit_cast<uint32_t>(body[i].imm) == std::bit_cast<uint32_t>(copy.body[i].imm));
  }
  const auto &end = std::get<Elementwise>(back.sections[1].phases.back().ops[0]).body;
  CHECK((end[0].mapped && end[0].offset == 4));
  CHECK((!end[1].mapped && end[1].offset == 3));
  CHECK(std::get<Softmax>(back.sections[1].phases[2].ops[0]).offset == 2);
  CHECK(std::get<Softmax>(back.sections[1].phases[2].ops[0]).log);
}

TEST_CASE("many runs go to the constants") {
  Weights w = randomWeights("wide", 1200, 3, 1.0, *std::make_unique<std::mt19937_64>(7));
  Packer packer(w, Precision::F32);
  packer.packed.rowWidth = IndexWidth::U16;
  for (uint32_t row = 0; row < w.rows; row += 4) {
    RunPlan plan;
    plan.shape = tile(4, 1, 1, "d");
    plan.rows = {row, row + 1, row + 2, row + 3};
    plan.columns = {0, 1, 2};
    packer.add(plan);
  }
  packer.endShare();
  w.packed = packer.packed;
  w.packed->shapes.resize(1);
  for (TileRun &run : w.packed->runs) run.shape = 0;
  w.rowBegin = w.columnIndex = {};
  w.values = {};
  Program p;
  p.name = "wide";
  p.weights = {w};
  const Folder folder;
  CHECK(same(*roundTrip(p, folder).weights[0].packed, *w.packed));
}

TEST_CASE("the text of the fixture") {
  const std::string path = std::string(RTMC_SOURCE_DIR) + "/tests/unit/ir/kernel_gru.yaml";
  const std::string text = print(gruProgram(Stage::Partitioned), "kernel_gru.safetensors").yaml;
  if (updateExpected()) std::ofstream(path) << text;
  std::ifstream file(path);
  std::stringstream expected;
  expected << file.rdbuf();
  CHECK(text == expected.str());
}

TEST_CASE("mistakes in a text are errors that name the key and the line") {
  const std::string good = print(gruProgram(Stage::Partitioned), "none.safetensors").yaml;
  REQUIRE(errorOf(good) == "");
  struct Mistake {
    const char *from, *to, *error;
  };
  const Mistake mistakes[] = {
      {"rtm_kernel: 1", "rtm_kernel: 2", "version 2 is not 1"},
      {"rtm_kernel: 1", "rtm_kernel: one", "'rtm_kernel' is 'one'"},
      {"rtm_kernel: 1\n", "", "the key 'rtm_kernel' is missing"},
      {"shares: 2", "shares: 2\nshare: 3", "'share' is unknown"},
      {"shares: 2", "shares: 2\nshares: 2", "'shares' stands twice"},
      {"shares: 2", "shares: -2", "'shares' is '-2'"},
      {"precision: f32", "precision: i8", "'precision' is 'i8'"},
      {"causal: true", "causal: yes", "'causal' is 'yes'"},
      {"lifetime: state", "lifetime: eternal", "'lifetime' is 'eternal'"},
      {"of: gru0,", "of: gru9,", "'of' names 'gru9'"},
      {"states: [gru0_h]", "states: [gru0_g]", "'states' names 'gru0_g'"},
      {"range: [-1, 1]", "range: [-1]", "'range' must be [low, high]"},
      {"x: gru0_h,", "x: gru0_k,", "'x' names 'gru0_k'"},
      {"op: matmul", "op: matmal", "'op' is 'matmal'"},
      {"kind: per_step", "kind: per_stop", "'kind' is 'per_stop'"},
      {"scheme: unstructured", "scheme: structured", "'scheme' is 'structured'"},
      {"lanes: rows4, tile", "lanes: rows0, tile", "'lanes' is 'rows0'"},
      {"shape: [8, 5]", "shape: [8]", "'shape' must be [rows, columns]"},
      {"parts: [[0, 4], [4, 8]]", "parts: [[0, 4], [4]]", "'parts' must be a list of lists of 2 numbers"},
      {"cuts: [0, 4, 8]", "cuts: [0, 4, 9]", "do not share out"},
      {"row_counts: [4, 4]", "row_counts: [4, 5]", "the counts do not add up"},
      {"row_counts: [4, 4]", "row_counts: [4, 4294967295]", "the counts do not add up"},
      {"value = sigmoid pre", "value = sigmoid par", "'par' is no value before this line"},
      {"value = sigmoid pre", "value = sigmoyd pre", "'sigmoyd' is no operation"},
      {"value = sigmoid pre", "value = sigmoid", "an operand is missing"},
      {"value = sigmoid pre", "value = sigmoid pre pre", "'pre' is one word too many"},
      {"value = sigmoid pre", "sigmoid pre", "'sigmoid' needs a name for its value: %1 = ..."},
      {"value = sigmoid pre", "%3 = sigmoid pre", "'%3' is no name; %1 would be one"},
      {"value = sigmoid pre", "value = sigmoid %1", "'%1' is no instruction before this one"},
      {"value = sigmoid pre", "value = const ten", "'ten' is no number"},
      {"store gru0_z[map] value", "store gru0_y[map] value", "there is no buffer 'gru0_y'"},
      {"store gru0_z[map] value", "store gru0_z[mop] value", "'[mop]' is not [map], [+N] or [map+N]"},
      {"store gru0_z[map] value", "store gru0_z[+99999999999] value", "is not [map], [+N] or [map+N]"},
      {"store gru0_z[map] value", "store gru0_z[ value", "is not [map], [+N] or [map+N]"},
      {"weights:\n", "weights:\n  - 7\n", "a map is needed"},
      {"spaces:\n", "spaces: 7\nmore:\n", "'spaces' must be a list"},
      {"name: fixture", "name: [fix, ture]", "'name' must be a name"},
      {"name: fixture", "name: &a fixture\ncpu2: *a", "aliases have no place"},
      {"name: fixture", "name: \"fixture", "line"},
  };
  for (const Mistake &m : mistakes) {
    const std::string error = errorOf(replaced(good, m.from, m.to));
    CHECK_MESSAGE(error.find(m.error) != std::string::npos,
                  "wanted '" << std::string(m.error) << "', found '" << error << "'");
  }
  // The line is that of the instruction itself.
  const std::string broken = replaced(good, "value = sigmoid pre", "value = sigmoid par");
  const auto line =
      1 + std::count(broken.begin(), broken.begin() + static_cast<long>(broken.find("sigmoid par")), '\n');
  CHECK(errorOf(broken).starts_with("line " + std::to_string(line) + ":"));
  CHECK(errorOf("") != "");
  CHECK(errorOf("[1, 2]") != "");
  CHECK(errorOf(std::string(100000, '[')) != "");
  CHECK(errorOf(std::string("a: ") + std::string(100000, '{')) != "");
}

TEST_CASE("constants that are missing or changed are errors") {
  const Folder folder;
  const Printed printed = print(gruProgram(Stage::Packed), "c.safetensors");
  REQUIRE(!printed.constants.empty());
  CHECK(errorOf(printed.yaml, folder.path.string()).find("c.safetensors") != std::string::npos);
  folder.write("c.safetensors", printed.constants);
  CHECK(errorOf(printed.yaml, folder.path.string()) == "");
  std::string changed = printed.constants;
  changed.back() = static_cast<char>(changed.back() ^ 1);
  folder.write("c.safetensors", changed);
  CHECK(errorOf(printed.yaml, folder.path.string()) != "");
}

TEST_CASE("texts with random damage never crash") {
  const uint64_t first = seed(1);
  MESSAGE("seed " << first);
  std::mt19937_64 random(first);
  const Folder folder;
  for (const Stage stage : {Stage::Partitioned, Stage::Packed}) {
    const Printed printed = print(gruProgram(stage), "c.safetensors");
    folder.write("c.safetensors", printed.constants);
    size_t refused = 0;
    for (int round = 0; round < 400; ++round) {
      std::string text = printed.yaml;
      for (uint64_t edits = 1 + random() % 3; edits > 0; --edits) {
        const size_t at = random() % text.size(), length = 1 + random() % 6;
        switch (random() % 4) {
          case 0:
            text.erase(at, length);
            break;
          case 1:
            text.insert(at, text.substr(random() % text.size(), length));
            break;
          case 2:
            text[at] = "0123456789-[]{}:,#%*&!|>'\"\n \t\x80"[random() % 30];
            break;
          default:
            text.resize(at + 1);
            break;
        }
      }
      refused += errorOf(text, folder.path.string()) != "";
    }
    CHECK(refused > 100);
  }
}
