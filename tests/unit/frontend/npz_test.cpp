#include "frontend/npy.h"
#include "unit/frontend/model_file.h"

#include <doctest/doctest.h>

#include <cstring>

namespace rtmc {
namespace {

using test::countingTensor;
using test::NpyOptions;
using test::TestTensor;

test::LoadResult loadNpz(const std::string &archive) {
  return test::loadFiles(
      "rtm: 1\nname: demo\nweights: w.npz\ninputs: [{name: x, size: 3}]\nlayers:\n"
      "  - {name: out, op: linear, size: 2}\noutputs: [out]\n",
      {{"w.npz", archive}});
}

test::LoadResult loadArray(const std::string &npy, bool deflate = true) {
  return loadNpz(test::makeZip({{"out.weight.npy", npy, deflate}}));
}

std::vector<float> weightOf(const test::LoadResult &result) {
  REQUIRE_MESSAGE(result.loaded, result.messages);
  return std::get<ir::Linear>(result.network().layers[0].op).weight.values;
}

void checkRefused(const test::LoadResult &result, const std::string &text) {
  CHECK(!result.loaded);
  CHECK(!result.environment);
  CHECK_MESSAGE(result.messages.find(text) != std::string::npos, result.messages);
}

}  // namespace

TEST_CASE("stored and deflated, versions 1 to 3, C and Fortran order, three float formats") {
  const std::vector<double> counting = test::countingValues(6);
  const std::vector<float> expected(counting.begin(), counting.end());
  for (const bool deflate : {false, true})
    for (const int version : {1, 2, 3})
      for (const bool fortran : {false, true})
        for (const char *dtype : {"F16", "F32", "F64"}) {
          CAPTURE(version);
          CAPTURE(fortran);
          CAPTURE(dtype);
          NpyOptions options;
          options.version = version;
          options.fortranOrder = fortran;
          CHECK(weightOf(loadArray(test::makeNpy(countingTensor("out.weight", dtype, {2, 3}), options), deflate)) ==
                expected);
        }
}

TEST_CASE("masks in an archive, in Fortran order too") {
  TestTensor mask = countingTensor("out.weight_mask", "BOOL", {2, 3});
  mask.values = {1, 0, 0, 1, 1, 0};
  NpyOptions fortran;
  fortran.fortranOrder = true;
  for (const char *dtype : {"BOOL", "U8", "I8", "I64", "F32"}) {
    mask.dtype = dtype;
    const auto result =
        loadNpz(test::makeZip({{"out.weight.npy", test::makeNpy(countingTensor("out.weight", "F32", {2, 3}))},
                               {"out.weight_mask.npy", test::makeNpy(mask, fortran)},
                               {"readme.txt", "not an array"}}));
    REQUIRE_MESSAGE(result.loaded, result.messages);
    CHECK(std::get<ir::Linear>(result.network().layers[0].op).weight.mask == std::vector<uint8_t>{1, 0, 0, 1, 1, 0});
  }
}

TEST_CASE("dtypes that are not plain little-endian numbers are refused") {
  const TestTensor tensor = countingTensor("out.weight", "F32", {2, 3});
  const auto with = [&](std::string descr) {
    NpyOptions options;
    options.descr = std::move(descr);
    return loadArray(test::makeNpy(tensor, options));
  };
  checkRefused(with("'>f4'"), "has the dtype '>f4' (big-endian)");
  checkRefused(with("'|O'"), "has the dtype '|O'");
  checkRefused(with("'<i4'"), "has the dtype '<i4'");
  checkRefused(with("'<c8'"), "has the dtype '<c8'");
  checkRefused(with("[('a', '<f4')]"), "structured dtype");
  checkRefused(with("'<V2'"), "has the dtype '<V2'");
}

TEST_CASE("arrays whose header lies are refused before anything is unpacked") {
  const TestTensor tensor = countingTensor("out.weight", "F32", {2, 3});
  const auto withShape = [&](std::string shape) {
    NpyOptions options;
    options.shapeText = std::move(shape);
    return loadArray(test::makeNpy(tensor, options));
  };
  checkRefused(withShape("(2, 4)"), "its header needs");
  checkRefused(withShape("(99999999999, 99999999999)"), "its shape overflows");
  checkRefused(withShape("(2, -3)"), "the value of 'shape' cannot be read");
  checkRefused(withShape("(2, 3"), "its .npy header is wrong");
  checkRefused(withShape("(3, 2)"), "weight 'out.weight' is 3x2");
  checkRefused(withShape("(99999999999999999999,)"), "the value of 'shape' cannot be read");
  checkRefused(loadArray("hello"), "too short");
  checkRefused(loadArray("hello, I am not an array"), "it is not a .npy array");
  std::string npy = test::makeNpy(tensor);
  npy[6] = 9;
  checkRefused(loadArray(npy), "version 9");
  npy[6] = 2;
  npy[11] = 0x7f;
  checkRefused(loadArray(npy), "claims");
}

TEST_CASE("damaged archives are refused") {
  const std::string good =
      test::makeZip({{"out.weight.npy", test::makeNpy(countingTensor("out.weight", "F32", {2, 3})), false}});
  checkRefused(loadNpz("PK"), "cannot be read");
  checkRefused(loadNpz(""), "it is empty");
  checkRefused(loadNpz(good.substr(0, good.size() / 2)), "cannot be read");
  std::string flipped = good;
  flipped[flipped.find("NUMPY") + 130] ^= 1;  // a number: the checksum tells
  checkRefused(loadNpz(flipped), "it cannot be unpacked");
  std::string packedOtherwise = good;  // method 12 in the central directory, and in the local header
  packedOtherwise[packedOtherwise.find("PK\x01\x02") + 10] = 12;
  packedOtherwise[8] = 12;
  checkRefused(loadNpz(packedOtherwise), "method 12");
  // Claims a gigabyte in a few bytes.
  std::string bomb = test::makeZip({{"out.weight.npy", test::makeNpy(countingTensor("out.weight", "F32", {2, 3}))}});
  const uint32_t huge = 1 << 30;
  std::memcpy(bomb.data() + bomb.find("PK\x01\x02") + 24, &huge, 4);
  std::memcpy(bomb.data() + 22, &huge, 4);
  checkRefused(loadNpz(bomb), "cannot");
}

TEST_CASE("any cut and any flipped byte of an archive ends in a message or a network, never elsewhere") {
  const std::string good =
      test::makeNpz({countingTensor("out.weight", "F32", {2, 3}), countingTensor("out.bias", "F32", {2})});
  for (size_t i = 0; i < good.size(); ++i) {
    const auto cut = loadNpz(good.substr(0, i));
    CHECK((cut.loaded || !cut.messages.empty()));
    std::string flipped = good;
    flipped[i] = static_cast<char>(flipped[i] ^ (1 << i % 8));
    const auto result = loadNpz(flipped);
    CHECK((result.loaded || !result.messages.empty()));
  }
}

TEST_CASE("npy headers as Python 2 and odd writers have them") {
  const auto parse = [](std::string dict) {
    std::string file = std::string("\x93NUMPY\x01\0", 8);
    file += static_cast<char>(dict.size());
    file += '\0';
    file += dict;
    return frontend::parseNpyHeader({reinterpret_cast<const uint8_t *>(file.data()), file.size()});
  };
  const auto header = llvm::cantFail(parse("{\"shape\": (3L,), \"fortran_order\":True ,'descr':'<f4'}"));
  CHECK(header.shape == std::vector<uint64_t>{3});
  CHECK(header.fortranOrder);
  CHECK(header.descr == "<f4");
  CHECK(llvm::cantFail(parse("{'descr': '<f4', 'fortran_order': False, 'shape': (), }  \n")).shape.empty());
  for (const char *bad :
       {"", "{}", "{'descr': '<f4'}", "{'descr': '<f4', 'descr': '<f4', 'fortran_order': False, 'shape': ()}",
        "{'descr': '<f4', 'fortran_order': 0, 'shape': ()}", "{'descr': '<f4', 'fortran_order': False, 'shape': 3}",
        "{'descr': '<f4', 'fortran_order': False, 'shape': ()} x", "{'x': 1}", "{'descr': '<f4",
        "{'descr': '<f4', 'fortran_order': False, 'shape': (1 2)}"}) {
    CAPTURE(bad);
    auto result = parse(bad);
    CHECK(!result);
    llvm::consumeError(result.takeError());
  }
}

}  // namespace rtmc
