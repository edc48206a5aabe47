// Names, literals and the blob: what the emitted text is made of.
#include "backend/layout.h"
#include "backend/blob.h"
#include "backend/emit_elementwise.h"
#include "backend/identifiers.h"
#include "backend/text.h"

#include <doctest/doctest.h>

#include <cstdlib>
#include <cstring>
#include <limits>
#include <random>

using namespace rtmc::backend;

TEST_CASE("identifiers are C++ names, each handed out once") {
  CHECK(identifier("gru0.weight_hh.z@1") == "gru0_weight_hh_z_1");
  CHECK(identifier("gru0: reset and update gates") == "gru0_reset_and_update_gates");
  CHECK(identifier("3d") == "v_3d");
  CHECK(identifier("float") == "v_float");
  CHECK(identifier("") == "v_");
  NameTable names;
  CHECK(names.unique("a.b") == "a_b");
  CHECK(names.unique("a-b") == "a_b_2");
}

TEST_CASE("comments cannot end early or go on") {
  CHECK(commentText("one\ntwo").find('\n') == std::string::npos);
  CHECK(commentText("ends with \\").back() != '\\');
  CHECK(commentText("what?"
                    "?/")
            .find("?"
                  "?") == std::string::npos);
}

TEST_CASE("floats read back exactly") {
  std::mt19937 random(7);
  std::vector<float> values = {0.0f,
                               -0.0f,
                               1.0f,
                               0.1f,
                               1e30f,
                               -1e-30f,
                               std::numeric_limits<float>::denorm_min(),
                               std::numeric_limits<float>::max(),
                               16777216.0f};
  for (int i = 0; i < 2000; ++i) {
    const uint32_t word = random();
    float value;
    std::memcpy(&value, &word, 4);
    if (value == value && value - value == 0) values.push_back(value);
  }
  for (const float value : values) {
    const std::string text = floatText(value);
    CAPTURE(text);
    CHECK(text.back() == 'f');
    CHECK(text.find_first_of(".e") != std::string::npos);
    const float back = std::strtof(text.c_str(), nullptr);
    CHECK(std::memcmp(&back, &value, 4) == 0);
  }
}

TEST_CASE("a word literal holds the bytes in little-endian order") {
  std::vector<uint8_t> bytes = {0x78, 0x56, 0x34, 0x12, 0, 0, 0, 0, 0xff, 0xff, 0xff, 0xff, 1, 0, 0, 0};
  std::string out;
  appendWordLiteral(out, bytes);
  CHECK(out == "    U\"\\x12345678\\x0\\xffffffff\\x1\"\n");
}

TEST_CASE("the blob's members start on cache lines") {
  Blob blob;
  const std::vector<uint8_t> three(3, 7), hundred(100, 9);
  blob.add("unsigned char", 1, "a", three, "");
  blob.add("uint16_t", 2, "b", hundred, "");
  blob.add("unsigned char", 1, "nothing", {}, "");
  blob.finish();
  REQUIRE(blob.members().size() == 2);
  CHECK(blob.members()[1].offset == 64);
  CHECK(blob.members()[1].elements == 50);
  CHECK(blob.bytes().size() == 192);
  CHECK(blob.bytes()[64] == 9);
  CHECK(blob.bytes()[3] == 0);
}

TEST_CASE("calls and lists stay within their columns") {
  Text out(2);
  std::vector<std::string> items;
  for (int i = 0; i < 60; ++i) items.push_back("argument" + std::to_string(i));
  appendCall(out, "someFunction", items, ";");
  appendList(out, items);
  size_t begin = 0;
  const std::string &text = out.str();
  for (size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) CHECK(end - begin <= 120);
  CHECK(text.find("argument59);") != std::string::npos);
}

TEST_CASE("words are found as words") {
  CHECK(mentions("f(b.x)", "b"));
  CHECK_FALSE(mentions("f(ab.x)", "b"));
  CHECK_FALSE(mentions("f(a.b)", "b"));
  CHECK(mentions("share", "share"));
}
