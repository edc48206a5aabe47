#include "support/names.h"
#include "support/diagnostics.h"
#include "support/hash.h"

#include <doctest/doctest.h>

namespace rtmc {

TEST_CASE("the nearest name is found where a slip is likely, and none where it is not") {
  const std::vector<std::string> keys = {"name", "op", "size", "reset", "direction", "gate_order"};
  CHECK(nearestName("sise", keys) == "size");
  CHECK(nearestName("drection", keys) == "direction");
  CHECK(nearestName("gateorder", keys) == "gate_order");
  CHECK(nearestName("rseet", keys) == "reset");  // one swap and one more change
  CHECK(nearestName("po", keys) == "op");        // a swap is one slip
  CHECK(nearestName("activation", keys) == "");
  CHECK(nearestName("x", keys) == "");
  CHECK(nearestName("", keys) == "");
  CHECK(nearestName("size", {}) == "");
}

TEST_CASE("messages of libraries start small, abbreviations stay as they are") {
  CHECK(lowerFirst("Not a zip archive") == "not a zip archive");
  CHECK(lowerFirst("CRC error") == "CRC error");
  CHECK(lowerFirst("A") == "a");
  CHECK(lowerFirst("") == "");
}

TEST_CASE("nearestNames ranks by distance and keeps the file's order among equals") {
  const std::vector<std::string> names = {"enc.weight", "gru.weight_hh", "rnn.weight_ih", "gru.weight_ih"};
  CHECK(nearestNames("gru.weight_ih", names, 2) == std::vector<std::string>{"gru.weight_ih", "gru.weight_hh"});
  CHECK(nearestNames("gru.weight_ih", names, 9).size() == 4);
  CHECK(nearestNames("a", {}, 3).empty());
  CHECK(nearestNames("zz", {"za", "zb"}, 1) == std::vector<std::string>{"za"});
}

TEST_CASE("identifiers and reserved words") {
  for (const char *good : {"a", "_a", "gru0", "A_9"}) CHECK_MESSAGE(isIdentifier(good), good);
  for (const char *bad : {"", "9a", "a-b", "a b", "\xc3\xa4", "a.b"}) CHECK_MESSAGE(!isIdentifier(bad), bad);
  for (const char *word : {"int", "class", "restrict", "and", "co_await", "char8_t", "typeof"})
    CHECK_MESSAGE(isReservedWord(word), word);
  for (const char *word : {"gru", "Int", "integer", "main"}) CHECK_MESSAGE(!isReservedWord(word), word);
}

TEST_CASE("names in messages cannot write to the terminal") {
  CHECK(quoted("gru0") == "'gru0'");
  CHECK(quoted("a\x1b[31m\n") == "'a\\x1b[31m\\x0a'");
  CHECK(quoted("\xc3\xa4\xff") == "'\xc3\xa4\\xff'");
  CHECK(printable("\xc2\x9b") == "\\xc2\\x9b");  // a C1 control character in UTF-8
  const std::string longName = quoted(std::string(5000, 'a'));
  CHECK(longName.size() < 100);
  CHECK(longName.ends_with("...'"));
}

TEST_CASE("hashes are those of XXH3 on every machine") {
  CHECK(hash64({}) == 0x2d06800538d394c2u);  // published for the empty input
  const uint8_t bytes[] = {1, 2, 3};
  CHECK(hash64(bytes) == hash64(bytes));
  CHECK(hash64(bytes) != hash64(std::span(bytes).first(2)));
  CHECK(hex16(0x1234) == "0000000000001234");
}

}  // namespace rtmc
