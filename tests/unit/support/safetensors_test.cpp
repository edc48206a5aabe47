#include "support/safetensors_writer.h"

#include "unit/frontend/weight_builder.h"

#include <doctest/doctest.h>

#include <cstring>

namespace rtmc {
namespace {

std::span<const uint8_t> bytesOf(const std::string &text) {
  return {reinterpret_cast<const uint8_t *>(text.data()), text.size()};
}

/// A file of this header and `data` bytes of zeros.
std::string fileWith(const std::string &header, size_t data) {
  std::string out;
  for (int i = 0; i < 8; ++i) out += static_cast<char>(static_cast<uint64_t>(header.size()) >> (8 * i) & 0xff);
  return out + header + std::string(data, '\0');
}

std::string errorOf(const std::string &file) {
  auto parsed = parseSafetensors(bytesOf(file));
  return parsed ? "accepted" : llvm::toString(parsed.takeError());
}

std::string one(const std::string &dtype, const std::string &shape, const std::string &offsets) {
  return R"({"a":{"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}}";
}

}  // namespace

TEST_CASE("what is written is read back") {
  const std::string file =
      test::makeSafetensors({test::countingTensor("z", "F32", {2, 3}), test::countingTensor("a\"\\\n", "BF16", {5}),
                             test::countingTensor("empty", "F16", {0, 4}), test::countingTensor("scalar", "U8", {})});
  uint64_t header = 0;
  std::memcpy(&header, file.data(), 8);
  CHECK(header % 8 == 0);
  const auto tensors = llvm::cantFail(parseSafetensors(bytesOf(file)));
  REQUIRE(tensors.size() == 4);
  CHECK(tensors[0].name == "a\"\\\n");
  CHECK(tensors[0].dtype == "BF16");
  CHECK(tensors[1].bytes.empty());
  CHECK(tensors[2].shape.empty());
  CHECK(tensors[3].shape == std::vector<uint64_t>{2, 3});
  CHECK(std::string(tensors[3].bytes.begin(), tensors[3].bytes.end()) == test::encode("F32", test::countingValues(6)));
  CHECK(tensors[3].bytes.data() >= bytesOf(file).data());  // a view
}

TEST_CASE("what is written tensor by tensor is read back") {
  const test::TempFolder folder;
  const std::string path = folder.file("a.safetensors");
  const std::string half = "0123456789ab", mask = "xyz";
  const auto fill = [&](FileWriter &into) -> llvm::Error {
    SafetensorsWriter file(into);
    if (llvm::Error error = file.begin(5, 40)) return error;
    file.add("layer.weight", "F16", {3, 2});
    if (llvm::Error error = file.write(bytesOf(half.substr(0, 5)))) return error;
    if (llvm::Error error = file.write(bytesOf(half.substr(5)))) return error;
    file.add("empty", "F32", {0});
    file.add("layer.weight_mask", "BOOL", {3});
    if (llvm::Error error = file.write(bytesOf(mask))) return error;
    return file.finish();
  };
  REQUIRE_FALSE(static_cast<bool>(writeFilesAtomically({{path, "", fill}})));
  const auto mapped = llvm::cantFail(MappedFile::open(path));
  const auto tensors = llvm::cantFail(parseSafetensors(mapped->bytes()));
  REQUIRE(tensors.size() == 3);
  CHECK(tensors[0].name == "empty");
  CHECK(tensors[1].name == "layer.weight");
  CHECK(tensors[1].dtype == "F16");
  CHECK(tensors[1].shape == std::vector<uint64_t>{3, 2});
  CHECK(std::string(tensors[1].bytes.begin(), tensors[1].bytes.end()) == half);
  CHECK(std::string(tensors[2].bytes.begin(), tensors[2].bytes.end()) == mask);
}

TEST_CASE("an empty file of tensors, metadata, any order and spaces are accepted") {
  CHECK(errorOf(fileWith("{}", 0)) == "accepted");
  CHECK(errorOf(fileWith(R"({"__metadata__":{"format":"pt"}}    )", 0)) == "accepted");
  CHECK(errorOf(fileWith(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[1,3]},)"
                         R"("b":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}})",
                         3)) == "accepted");
  CHECK(errorOf(fileWith(one("F32", "[0,1152921504606846976]", "[0,0]"), 0)) == "accepted");
}

TEST_CASE("every lie of a header is an error") {
  const auto has = [](const std::string &file, const char *text) {
    const std::string error = errorOf(file);
    CAPTURE(error);
    CHECK(error.find(text) != std::string::npos);
  };
  has("", "too few");
  has("1234567", "too few");
  has(std::string("\x09\0\0\0\0\0\0\0{}", 10), "claims 9 bytes; 2 follow");
  has(std::string("\xff\xff\xff\xff\xff\xff\xff\xff{}", 10), "claims 18446744073709551615");
  has(fileWith("", 0), "not JSON");
  has(fileWith("[]", 0), "not a JSON object");
  has(fileWith("{\"a\":", 0), "not JSON");
  has(fileWith("{\"\xff\":1}", 0), "not JSON");
  has(fileWith(R"({"a":1})", 0), "not described by an object");
  has(fileWith(std::string(1000000, '['), 0), "nests deeper");
  has(fileWith("{\"a\":" + std::string(5000, '{'), 0), "nests deeper");
  has(fileWith(one("F33", "[1]", "[0,4]"), 4), "unknown dtype 'F33'");
  has(fileWith(one("F32", "[1]", "[0,5]"), 5), "has 5 bytes; its shape and dtype need 4");
  has(fileWith(one("F32", "[2]", "[0,8]"), 7), "of a data part of 7 bytes");
  has(fileWith(one("F32", "[1]", "[4,0]"), 8), "lies at bytes 4 to 0");
  has(fileWith(one("F32", "[1]", "[0]"), 8), "two data_offsets");
  has(fileWith(one("F32", "[-1]", "[0,4]"), 8), "not a whole number");
  has(fileWith(one("F32", "[1.5]", "[0,4]"), 8), "not a whole number");
  has(fileWith(one("F32", "[1]", "[0,1e400]"), 8), "not");
  has(fileWith(one("F32", "[4294967296,4294967296]", "[0,0]"), 0), "overflows");
  has(fileWith(one("F32", "[4611686018427387905]", "[0,4]"), 4), "overflows");
  has(fileWith(one("F32", "3", "[0,4]"), 4), "needs dtype, shape");
  const std::string a = R"({"dtype":"U8","shape":[2],"data_offsets":[0,2]})";
  const std::string b = R"({"dtype":"U8","shape":[2],"data_offsets":[1,3]})";
  has(fileWith("{\"a\":" + a + ",\"b\":" + b + "}", 4), "'a' and 'b' overlap");
  has(fileWith("{\"a\":" + a + "}", 4), "2 bytes after the last tensor belong to none");
  has(fileWith("{}", 1), "1 bytes after the last tensor belong to none");
  has(fileWith(R"({"a":{"dtype":"U8","shape":[2],"data_offsets":[3,5]}})", 5),
      "3 bytes before tensor 'a' belong to no");
  has(fileWith("{\"a\":" + a + ",\"a\":" + a + "}", 4), "names a tensor 'a' twice");
  has(fileWith("{\"a\":" + a + ",\"\\u0061\":" + a + "}", 4), "twice");
  has(fileWith(R"({"a":{"dtype":"U8","dtype":"F32","shape":[2],"data_offsets":[0,2]}})", 4), "a key twice");
}

}  // namespace rtmc
