#include "pruning/projection.h"

#include <doctest/doctest.h>

#include <string>

namespace rtmc::pruning {
namespace {

Rate rate(const char *text) {
  std::string complaint;
  const auto parsed = parseRate(text, complaint);
  REQUIRE_MESSAGE(parsed, complaint);
  return *parsed;
}

std::string refusal(const char *text) {
  std::string complaint;
  CHECK_FALSE(parseRate(text, complaint));
  return complaint;
}

TEST_CASE("rates are exact and in lowest terms") {
  CHECK(rate("10") == Rate{10, 1});
  CHECK(rate("2.50") == Rate{5, 2});
  CHECK(rate("2.1") == Rate{21, 10});
  CHECK(rate("58/20") == Rate{29, 10});
  CHECK(rate("1.5/0.5") == Rate{3, 1});
  CHECK(rate("1") == Rate{});
  CHECK(rateText({5, 2}) == "2.5");
  CHECK(rateText({29, 3}) == "29/3");
  CHECK(rateText({301, 1}) == "301");
  CHECK(rateText({10001, 10000}) == "1.0001");
}

TEST_CASE("what is no rate is refused") {
  for (const char *text : {"", ".", "ten", "-3", "1e3", "3 ", "1/0", "1/", "/2", "1/2/3", "nan", "inf", "1..5"})
    CHECK(refusal(text).find("a number such as 10, 2.5 or 29/10 is needed") != std::string::npos);
  for (const char *text : {"0", "0.999999", "0/5", "1/2"}) CHECK(refusal(text).find("at least 1") != std::string::npos);
  CHECK(refusal("1000000000001").find("whole numbers up to") != std::string::npos);
  CHECK(refusal("1.3333333333333333").find("whole numbers up to") != std::string::npos);
  CHECK(refusal("99999999999999999999").find("is needed") != std::string::npos);
}

TEST_CASE("kept counts round half up, and one stays") {
  CHECK(keptCount(25, {10, 1}) == 3);  // 2.5
  CHECK(keptCount(24, {10, 1}) == 2);
  CHECK(keptCount(5, {2, 1}) == 3);
  CHECK(keptCount(1, {1000, 1}) == 1);
  CHECK(keptCount(0, {3, 1}) == 1);
  CHECK(keptCount(7, {}) == 7);
  // In doubles this is a whole number and a half.
  CHECK(keptCount(uint64_t{1} << 44, {999'999'999'999, 999'999'999'998}) == (uint64_t{1} << 44) - 18);
  CHECK(keptCountRoot(8, {4, 1}) == 4);
  CHECK(keptCountRoot(10, {10, 1}) == 3);           // 3.16
  CHECK(keptCountRoot(5, {4, 1}) == 3);             // 2.5
  CHECK(keptCountRoot(1 << 20, {2, 1}) == 741455);  // 741455.2
  CHECK(keptCountTimes(10, {4, 1}, {3, 2}) == 4);   // 3.75
}

TEST_CASE("rates of columns and rows follow from two of three") {
  Projection p{.scheme = Scheme::Bsp, .rate = Rate{29, 1}, .columnRate = Rate{16, 1}, .block = Block{4, 4}};
  CHECK(complaint(p).empty());
  CHECK(ratesOf(p)->row == Rate{29, 16});
  CHECK(nominalRate(p) == Rate{29, 1});
  p.rate.reset();
  p.rowRate = Rate{5, 2};
  CHECK(ratesOf(p)->row == Rate{5, 2});
  CHECK(nominalRate(p) == Rate{40, 1});
  p.rate = Rate{29, 1};
  CHECK(complaint(p) == "rate, column rate and row rate are given; two of them make the third");
  p.rowRate.reset(), p.columnRate = Rate{30, 1};
  CHECK(complaint(p) == "the row rate, rate / column rate, is 29/30; at least 1 is needed");
  p.columnRate.reset();
  CHECK(ratesOf(p)->column == Rate{29, 1});
  p.scheme = Scheme::Bcr;
  CHECK_FALSE(ratesOf(p));
  const Block counts = crossCounts({.scheme = Scheme::Bcr, .rate = Rate{10, 1}, .block = Block{4, 4}}, 4, 4);
  CHECK(counts.rows == 1);
  CHECK(counts.columns == 2);
}

TEST_CASE("a projection and its matrix must fit") {
  CHECK(complaint({.scheme = Scheme::Row}) == "a rate is needed");
  CHECK(complaint({.scheme = Scheme::Row, .rate = Rate{}, .block = Block{1, 1}}) == "the scheme row has no blocks");
  CHECK(complaint({.scheme = Scheme::Csb, .rate = Rate{}}) == "the scheme csb needs a block");
  CHECK(complaint({.scheme = Scheme::Bank, .rate = Rate{}, .block = Block{2, 4}}) ==
        "the block is 2x4; a bank is 1xWIDTH");
  CHECK(complaint({.scheme = Scheme::Row, .rate = Rate{}, .bounded = Rate{}}) ==
        "the scheme row has no bound on unevenness; csb has");
  CHECK(complaint({.scheme = Scheme::Row, .columnRate = Rate{}}).find("has one rate") != std::string::npos);
  const Projection blocks{.scheme = Scheme::Block, .rate = Rate{}, .block = Block{8, 4}};
  CHECK(complaint(blocks, 8, 4).empty());
  CHECK(complaint(blocks, 7, 4) == "blocks of 8x4 are larger than 7x4");
}

}  // namespace
}  // namespace rtmc::pruning
