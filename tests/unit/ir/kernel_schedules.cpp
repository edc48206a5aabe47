// Schedules on their own: from a file of schedules or from a whole program, strict about keys and values.
#include "kernel_fixture.h"

#include "ir/kernel_yaml.h"

#include <doctest/doctest.h>

using namespace rtmc;
using namespace rtmc::test;

namespace {

std::string errorOf(const std::string &yaml) {
  auto schedules = parseSchedules(yaml);
  return schedules ? "" : llvm::toString(schedules.takeError());
}

}  // namespace

TEST_CASE("a file that has only schedules") {
  auto schedules = parseSchedules(R"(
schedules:
  gru0.weight_hh.z: {format: bspc, lanes: block4x4, tile: 32, unroll: tile, precision: bf16}
  "0123456789abcdef": {lanes: gather16, tile: 16, group_rows: 64, merge_limit: 0.05, placement: in_place}
  "*": {accumulate: f16x4, precision: f16, permute: false, reorder: false, share_loads: false, compact: false}
)");
  REQUIRE_MESSAGE(static_cast<bool>(schedules), llvm::toString(schedules.takeError()));
  REQUIRE(schedules->size() == 3);
  const Schedule &named = schedules->at("gru0.weight_hh.z"), &hashed = schedules->at("0123456789abcdef"),
                 &any = schedules->at("*");
  CHECK(named.format == Format::Bspc);
  CHECK(named.lanes == Lanes{16, 4, false});
  CHECK(named.tile == 32);
  CHECK(named.unroll == Unroll::Tile);
  CHECK(named.precision == Precision::BF16);
  CHECK(named.permute);
  CHECK(hashed.lanes.gather);
  CHECK(hashed.groupRows == 64);
  CHECK(hashed.mergeLimit == 0.05);
  CHECK(hashed.placement == Placement::InPlace);
  CHECK(any.accumulate == Accumulate::F16x4);
  CHECK(any.precision == Precision::F16);
  CHECK((!any.permute && !any.reorder && !any.shareLoads && !any.compact));
}

TEST_CASE("keys that a schedule leaves out are the defaults'") {
  Schedule defaults;
  defaults.precision = Precision::F16;
  defaults.unroll = Unroll::Full;
  defaults.placement = Placement::InPlace;
  defaults.permute = false;
  auto schedules =
      parseSchedules("schedules: {a: {format: bspc, lanes: rows4, tile: 8}, b: {precision: f32}}", defaults);
  REQUIRE_MESSAGE(static_cast<bool>(schedules), llvm::toString(schedules.takeError()));
  const Schedule &a = schedules->at("a"), &b = schedules->at("b");
  CHECK(a.format == Format::Bspc);
  CHECK(a.precision == Precision::F16);
  CHECK(a.unroll == Unroll::Full);
  CHECK(a.placement == Placement::InPlace);
  CHECK(!a.permute);
  CHECK(b.precision == Precision::F32);
  CHECK(b.unroll == Unroll::Full);
}

TEST_CASE("the schedules of a whole program") {
  const Program program = gruProgram(Stage::Partitioned, Precision::BF16);
  auto schedules = parseSchedules(print(program, "c.safetensors").yaml);
  REQUIRE_MESSAGE(static_cast<bool>(schedules), llvm::toString(schedules.takeError()));
  REQUIRE(schedules->size() == program.weights.size());
  for (const Weights &w : program.weights) {
    CHECK(schedules->at(w.name).lanes == w.schedule.lanes);
    CHECK(schedules->at(w.name).tile == w.schedule.tile);
    CHECK(schedules->at(w.name).precision == Precision::BF16);
  }
}

TEST_CASE("a program takes its schedules by name, by pattern, or the one for all") {
  Program program = gruProgram(Stage::Lowered);
  std::string text = print(program, "c.safetensors").yaml;
  const size_t begin = text.find("schedules:\n"), end = text.find("weights:\n", begin);
  text.replace(begin, end - begin,
               "schedules:\n"
               "  gru0.weight_hh.r: {lanes: rows8, tile: 8}\n"
               "  \"" +
                   program.weights[2].patternHash +
                   "\": {lanes: rows8, tile: 16}\n"
                   "  \"*\": {lanes: rows8, tile: 24}\n");
  auto parsed = parseProgram(text, "");
  REQUIRE_MESSAGE(static_cast<bool>(parsed), llvm::toString(parsed.takeError()));
  CHECK(parsed->weights[1].schedule.tile == 8);
  CHECK(parsed->weights[2].schedule.tile == 16);
  CHECK(parsed->weights[3].schedule.tile == 24);
}

TEST_CASE("mistakes name the key and the line") {
  struct Mistake {
    const char *text, *error;
  };
  const Mistake mistakes[] = {
      {"schedules:\n  w: {tile: 64, tiles: 32}\n", "line 2: schedule 'w': the key 'tiles' is unknown"},
      {"schedules:\n  a: {tile: 64}\n  w: {unroll: fully}\n", "line 3: schedule 'w': 'unroll' is 'fully'"},
      {"schedules:\n  w:\n    tile: 64\n    tiles: 32\n", "line 4: schedule 'w': the key 'tiles' is unknown"},
      {"schedules:\n  w:\n    tile: 64\n    unroll: fully\n", "line 4: schedule 'w': 'unroll' is 'fully'"},
      {"schedules:\n  w:\n    lanes: rows8\n    tile: many\n", "line 4: schedule 'w': 'tile' is 'many'"},
      {"schedules:\n  w: {lanes: rows3x}\n", "'lanes' is 'rows3x'"},
      {"schedules:\n  w: {tile: many}\n", "'tile' is 'many'"},
      {"schedules:\n  w: {tile: 24}\n", "'tile' is 24; a multiple of the 16 rows of rows16 is needed"},
      {"schedules:\n  w: {tile: 0}\n", "'tile' is 0"},
      {"schedules:\n  w: {merge_limit: 1.5}\n", "'merge_limit' is 1.5; a share from 0 to 1 is needed"},
      {"schedules:\n  w: {merge_limit: .nan}\n", "a share from 0 to 1 is needed"},
      {"schedules:\n  w: {permute: maybe}\n", "'permute' is 'maybe'"},
      {"schedules:\n  w: {precision: i8}\n", "'precision' is 'i8'"},
      {"schedules:\n  w: {format: 7}\n", "'format' is '7'"},
      {"schedules:\n  w: {accumulate: f16}\n", "'accumulate' is 'f16'"},
      {"schedules:\n  w: {placement: [arena]}\n", "'placement' must be a name"},
      {"schedules:\n  w: {tile: 64, tile: 32}\n", "'tile' stands twice"},
      {"schedules:\n  w: {tile: 64}\n  w: {tile: 32}\n", "line 3: schedule 'w' stands twice"},
      {"schedules:\n  w: rows16\n", "a map is needed"},
      {"schedules: [w]\n", "must be a map"},
      {"schedules:\n  [w]: {tile: 64}\n", "a schedule's key must be a name"},
      {"schedules: {}\nunrolls: 3\n", "line 2: the key 'unrolls' is unknown beside 'schedules'"},
      {"shedules: {}\n", "the key 'schedules' is needed"},
      {"", "the key 'schedules' is needed"},
      {"schedules: {", "line"},
      {"schedules: {a: &x {tile: 64}, b: *x}", "aliases have no place"},
  };
  for (const Mistake &m : mistakes) {
    const std::string error = errorOf(m.text);
    CHECK_MESSAGE(error.find(m.error) != std::string::npos,
                  "wanted '" << std::string(m.error) << "', found '" << error << "'");
  }
}
