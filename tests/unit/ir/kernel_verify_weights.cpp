// One failing case for each rule about weights: CSR, row groups, packed bytes and tables.
#include "kernel_cases.h"

#include <doctest/doctest.h>

#include <chrono>
#include <limits>

using namespace rtmc;
using namespace rtmc::test;
using G = GruIds;

TEST_CASE("weights before pack") {
  const auto on = [](const char *complaint, std::function<void(Weights &)> change, Stage stage = Stage::Partitioned) {
    return Case{complaint, [change](Program &p) { change(p.weights[1]); }, stage};
  };
  checkCases({
      on("weights without a name", [](Weights &w) { w.name = ""; }),
      on("a second matrix of that name", [](Weights &w) { w.name = "gru0.weight_ih.r"; }),
      on("0x8 is not a matrix", [](Weights &w) { w.rows = 0; }),
      on("there is no row space 5", [](Weights &w) { w.rowSpace = 5; }),
      on("8 columns, but space 'gru0_z' has 6", [](Weights &w) { w.columnSpace = G::z; }),
      on("pattern hash 'ABC'", [](Weights &w) { w.patternHash = "ABC"; }),
      on("do not hold rows of width", [](Weights &w) { w.schedule.lanes.width = 3; }),
      on("is not a multiple of the 4 rows of rows4", [](Weights &w) { w.schedule.tile = 6; }),
      on("merge limit", [](Weights &w) { w.schedule.mergeLimit = -0.5; }),
      on("do not fit together", [](Weights &w) { w.rowBegin.pop_back(); }),
      on("do not fit together", [](Weights &w) { w.values.pop_back(); }),
      on("do not fit together", [](Weights &w) { std::swap(w.rowBegin[2], w.rowBegin[5]); }),
      on("out of order or range", [](Weights &w) { w.columnIndex[w.rowBegin[1] - 1] = 8; }),
      on("out of order or range", [](Weights &w) { w.columnIndex[1] = w.columnIndex[0]; }),
      on("a value is not finite", [](Weights &w) { w.values[3] = std::numeric_limits<float>::infinity(); }),
      on("nonzeros, has", [](Weights &w) { ++w.nonzeros; }),
      on("group 1 has column 8 out of order or range", [](Weights &w) { w.groups[1].columns.back() = 8; }),
      on("group 0 has column 2 out of order or range",
         [](Weights &w) { std::swap(w.groups[0].columns[2], w.groups[0].columns[3]); }),
      on("group 0 has column 0 though its lanes gather", [](Weights &w) { w.schedule.lanes.gather = true; }),
      on("group 0 has row 8 out of range", [](Weights &w) { w.groups[0].rows[1] = 8; }),
      on("group 0 has row 0 twice", [](Weights &w) { w.groups[0].rows[1] = 0; }),
      on("is in two groups", [](Weights &w) { w.groups[1].rows[0] = 0; }),
      on("is in no group", [](Weights &w) { w.groups[1].rows.pop_back(); }),
      on("is in no group", [](Weights &w) { w.groups[0].columns.erase(w.groups[0].columns.begin() + 1); }),
  });
}

TEST_CASE("shapes of tiles are checked before anything is cut by them") {
  Program p = gruProgram(Stage::Grouped);
  Weights &w = p.weights[1];
  TileShape shape;
  shape.lanes = 4, shape.vectors = 1;
  w.tiles = {shape};
  CHECK(joined(verify(p)) == "");
  w.tiles[0].vectors = 0;
  CHECK(joined(verify(p)).find("tile shape 0 (4 lanes, width 1, 0 vectors) is not one") != std::string::npos);
}

TEST_CASE("overlapping blocks of a group are refused") {
  Program p = gruProgram(Stage::Grouped);
  Weights &w = p.weights[1];
  w.schedule.lanes = {4, 2, false};
  for (RowGroup &group : w.groups) group.columns = {0, 2, 4, 6};
  CHECK(joined(verify(p)) == "");
  w.groups[0].columns = {0, 1, 4, 6};
  CHECK(joined(verify(p)).find("group 0 has column 1 out of order") != std::string::npos);
}

TEST_CASE("packed weights") {
  const auto on = [](const char *complaint, std::function<void(Weights &, Packed &)> change,
                     Precision precision = Precision::F32) {
    return Case{complaint, [change](Program &p) { change(p.weights[1], *p.weights[1].packed); }, Stage::Packed,
                precision};
  };
  checkCases({
      on("still has its CSR matrix", [](Weights &w, Packed &) { w.values = {1}; }),
      on("packed for 1 shares, the program has 2", [](Weights &, Packed &k) { k.shareBegin = {0, 2}; }),
      on("the shares' runs are not 0..2", [](Weights &, Packed &k) { k.shareBegin = {0, 1, 1}; }),
      on("the shares' runs are not 0..2", [](Weights &, Packed &k) { k.shareBegin = {0, 3, 2}; }),
      on("is not one", [](Weights &, Packed &k) { k.shapes[0].lanes = 0; }),
      on("is not one", [](Weights &, Packed &k) { k.shapes[0].width = 3; }),
      on("is not one", [](Weights &, Packed &k) { k.shapes[0].vectors = 0; }),
      on("is not one", [](Weights &, Packed &k) { k.shapes[0].gather = true, k.shapes[0].denseColumns = true; }),
      on("covers 4 rows with 1 tiles of less than 4", [](Weights &, Packed &k) { k.shapes[0].partial = true; }),
      on("covers 3 rows with 2 tiles of less than 4",
         [](Weights &, Packed &k) { k.shapes[0].partial = true, k.runs[0].rows = 3, k.runs[0].tiles = 2; }),
      on("values past the",
         [](Weights &, Packed &k) {
           k.shapes[k.runs[1].shape].partial = true, k.runs[1].rows = 3, k.values.resize(k.endOf(k.runs[1]) + 3);
         }),
      on("is not one", [](Weights &, Packed &k) { k.shapes[0].rowStep = 4; }),
      on("is not one", [](Weights &, Packed &k) { k.shapes[0].partial = true, k.shapes[0].rowStep = 3; }),
      on("is not one", [](Weights &, Packed &k) { k.shapes[0].partial = true, k.shapes[0].rowStep = 0; }),
      on("names tile shape 2 of 2", [](Weights &, Packed &k) { k.runs[1].shape = 2; }),
      on("run 0 is empty", [](Weights &, Packed &k) { k.runs[0].entries = 0; }),
      on("run 0 is empty", [](Weights &, Packed &k) { k.runs[0].tiles = 0; }),
      on("covers 5 rows with 1 tiles of 4", [](Weights &, Packed &k) { k.runs[0].rows = 5; }),
      on("covers 0 rows with 1 tiles of 4", [](Weights &, Packed &k) { k.runs[0].rows = 0; }),
      on("covers 3 rows with 1 tiles of 4",
         [](Weights &, Packed &k) { k.runs[0].rows = 3, k.shapes[0].indexed = false; }),
      on(
          "bf16 needs an even number", [](Weights &, Packed &k) { k.runs[0].entries = 7; }, Precision::BF16),
      on("ends at row 9 of 8 in the row table", [](Weights &, Packed &k) { k.runs[1].row = 5; }),
      on("ends at row 9 of 8", [](Weights &, Packed &k) { k.runs[0].row = 5, k.shapes[0].indexed = false; }),
      on("ends at entry 9 of 8 in the column table", [](Weights &, Packed &k) { k.runs[1].column = 1; }),
      on("starts at column 8 of 8", [](Weights &, Packed &k) { k.runs[0].column = 8; }),
      on("not a multiple of 16", [](Weights &, Packed &k) { k.runs[1].value -= 4; }),
      on("values past the", [](Weights &, Packed &k) { k.runs[1].value += 16; }),
      on("values past the", [](Weights &, Packed &k) { k.values.pop_back(); }),
      on("values past the", [](Weights &, Packed &k) { k.runs[1].value = ~uint64_t{15}; }),
      on("values past the", [](Weights &, Packed &k) { k.runs[1].tiles = k.runs[1].entries = ~0u; }),
      on("entry 3 of the column table is 8", [](Weights &, Packed &k) { k.columnTable[3] = 8; }),
      on("entry 2 of the row table is 8", [](Weights &, Packed &k) { k.rowTable[2] = 8; }),
      on("two runs use the values at byte", [](Weights &, Packed &k) { k.runs[1].value = k.runs[0].value + 16; }),
      on("lists row 1 twice in one tile", [](Weights &, Packed &k) { k.rowTable[0] = 1; }),
      on("is stored twice",
         [](Weights &, Packed &k) { k.columnTable[0] = 1, k.columnTable[1] = 1, k.columnTable[2] = 1; }),
      on("packed values are not finite",
         [](Weights &, Packed &k) {
           std::memset(k.values.data() + k.runs[0].value, 0x7F, 4), k.values[k.runs[0].value + 2] = 0x80;
         }),
      on("packed nonzeros of a matrix that had 2", [](Weights &w, Packed &) { w.nonzeros = 2; }),
      on("stand in padding columns",
         [](Weights &, Packed &k) {
           k.runs[0].column = 1;  // dense: the last entry now lies behind the matrix
           for (size_t i = k.runs[0].value; i < k.runs[1].value; i += 4) std::memcpy(&k.values[i], "\0\0\x80\x3F", 4);
         }),
  });
}

TEST_CASE("tables must fit the width that they are stored with") {
  Weights w;
  w.name = "wide";
  w.rows = 70000;
  w.columns = 300;
  w.nonzeros = 1;
  Packed k;
  k.shapes = {tile(1, 1, 1, "i")};
  k.runs = {{0, 0, 1, 1, 1, 0, 0}};
  k.shareBegin = {0, 1};
  k.values = {0, 0, 128, 63};
  k.columnTable = {299};
  k.rowTable = {69999};
  k.columnWidth = IndexWidth::U16;
  k.rowWidth = IndexWidth::U32;
  w.packed = k;
  CHECK(joined(verifyPacked(w)) == "");
  w.packed->columnWidth = IndexWidth::U8;
  CHECK(joined(verifyPacked(w)).find("stored as u8") != std::string::npos);
  w.packed->columnWidth = IndexWidth::U16;
  w.packed->rowWidth = IndexWidth::U16;
  CHECK(joined(verifyPacked(w)).find("stored as u16") != std::string::npos);
}

TEST_CASE("ten million packed weights are verified in well under a second each") {
  // 40 stripes of 64 rows with 4096 columns each: one run per stripe.
  Weights w;
  w.name = "large";
  w.rows = 2560;
  w.columns = 4096;
  Packed k;
  k.shapes = {tile(16, 1, 4)};
  k.shareBegin = {0, 40};
  for (uint32_t c = 0; c < 4096; ++c) k.columnTable.push_back(c);
  k.values.assign(size_t{w.rows} * w.columns * 4, 0x3F);
  for (uint32_t s = 0; s < 40; ++s) k.runs.push_back({0, s * 64, 64, 1, 4096, 0, uint64_t{s} * 64 * 4096 * 4});
  w.nonzeros = uint64_t{w.rows} * w.columns;
  w.packed = std::move(k);
  const auto start = std::chrono::steady_clock::now();
  CHECK(verifyPacked(w).empty());
  const std::chrono::duration<double> spent = std::chrono::steady_clock::now() - start;
  MESSAGE("10.5 million weights: " << spent.count() << " s");
}
