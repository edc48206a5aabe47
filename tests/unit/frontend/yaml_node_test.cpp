#include "frontend/yaml_node.h"

#include "test_options.h"

#include <doctest/doctest.h>

#include <memory>
#include <random>

namespace rtmc {
namespace {

struct Parsed {
  std::optional<frontend::YamlNode> root;
  std::string messages;
};

Parsed parse(std::string text) {
  auto file = std::make_shared<SourceFile>();
  file->path = "m.yaml";
  file->text = std::move(text);
  Diagnostics diagnostics;
  Parsed out;
  out.root = frontend::parseYaml(file, diagnostics);
  out.messages = diagnostics.render();
  CHECK(out.root.has_value() == !diagnostics.hasErrors());
  return out;
}

const frontend::YamlNode &at(const frontend::YamlNode &map, const std::string &key) {
  for (const auto &member : map.members)
    if (member.key.text == key) return member.value;
  FAIL("no key " << key);
  return map;
}

}  // namespace

TEST_CASE("the tree has kinds, texts and places") {
  const Parsed parsed = parse("a: 1\nb: [x, \"y\"]  # note\nc:\n  d: 'it''s'\n  e:\n  f: ~\nlong: |\n  text\n");
  REQUIRE(parsed.root);
  const frontend::YamlNode &root = *parsed.root;
  REQUIRE(root.isMap());
  CHECK(root.members.size() == 4);
  CHECK(at(root, "a").text == "1");
  CHECK(!at(root, "a").quoted);
  CHECK(at(root, "b").items.size() == 2);
  CHECK(at(root, "b").items[1].quoted);
  CHECK(at(root, "b").items[1].where.line == 2);
  CHECK(at(root, "b").items[1].where.column == 8);
  CHECK(at(root, "b").items[1].where.length == 3);
  CHECK(at(at(root, "c"), "d").text == "it's");
  CHECK(at(at(root, "c"), "e").kind == frontend::YamlNode::Kind::Null);
  CHECK(at(at(root, "c"), "e").where.line == 5);
  CHECK(at(at(root, "c"), "f").kind == frontend::YamlNode::Kind::Null);
  CHECK(at(root, "long").text == "text\n");
}

TEST_CASE("Windows line ends and a missing last line end change nothing") {
  const Parsed parsed = parse("a: \"x\"\r\nb:\r\n  - 1\r\n  - 2\r");
  REQUIRE_MESSAGE(parsed.root, parsed.messages);
  CHECK(at(*parsed.root, "a").text == "x");
  CHECK(at(*parsed.root, "b").items[1].text == "2");
  CHECK(at(*parsed.root, "b").items[1].where.line == 4);
}

TEST_CASE("tabs are refused where they indent, and nowhere else") {
  CHECK(parse("a:\n \tb: 1\n").messages.find("m.yaml:2:2: error: a tab in the indentation") == 0);
  CHECK(parse("a: 1\t# comment\n\t\n\t# comment\nb:\t2\n").messages == "");
}

TEST_CASE("quotes that stay open are refused") {
  CHECK(parse("a: \"x\nb: 1\n").messages.find("m.yaml:1:4") == 0);
  CHECK(parse("a: 'x\n").messages.find("not closed") != std::string::npos);
  CHECK(parse("a: \"x\\\"\n").messages.find("m.yaml:1:4") == 0);
  CHECK(parse("a: \"x\\\\\"\nb: '\"'\n").messages == "");
  CHECK(parse("a: \"x\n  y\"\n").messages == "");
}

TEST_CASE("broken texts of every kind end in a message with a place") {
  for (const std::string text : {"{",
                                 "[",
                                 "a: [1,\n",
                                 "a: {b: c",
                                 "]",
                                 "}",
                                 "a: b: c",
                                 "- a\nb: c",

                                 "&",
                                 "*",
                                 "!<",
                                 "%TAG ! x\n",
                                 "\"\\x",
                                 "? [",
                                 "@",
                                 "`",
                                 "a: @b",

                                 "!<x> y",
                                 "!!",
                                 "&a &b c",
                                 "*a : b",
                                 "{a: 1, a: 2}",
                                 "[a, b]: c",
                                 "a:\n- b\n c: d",
                                 "\"a\": b: c",
                                 "--- a\n--- b",
                                 "<<: *a",
                                 "\xff",
                                 "a\x01",
                                 "\xed\xa0\x80"}) {
    CAPTURE(text);
    const Parsed parsed = parse(text);
    CHECK(!parsed.root);
    CHECK(parsed.messages.find("error: ") != std::string::npos);
  }
}

TEST_CASE("depth and size are bounded") {
  const auto nest = [](size_t n, const char *open, const char *close) {
    std::string text;
    for (size_t i = 0; i < n; ++i) text += open;
    for (size_t i = 0; i < n; ++i) text += close;
    return text;
  };
  CHECK(parse(nest(20, "[", "]")).root);
  CHECK(!parse(nest(40, "[", "]")).root);
  CHECK(!parse(nest(1000000, "[", "]")).root);
  CHECK(!parse(nest(1000000, "{", "}")).root);
  CHECK(!parse(nest(1000000, "{a: ", "}")).root);
  CHECK(!parse(nest(1000000, "- ", "")).root);
  CHECK(!parse(nest(1000000, "? ", "")).root);
  CHECK(parse(std::string(5 << 20, ' ')).messages.find("more than") != std::string::npos);
}

TEST_CASE("random changes of a good text never do worse than a message") {
  const uint64_t seed = test::seed(1);
  CAPTURE(seed);
  std::mt19937 random(static_cast<std::mt19937::result_type>(seed));
  const std::string good =
      "rtm: 1\nname: demo\ninputs: [{name: x, size: 3}]\nlayers:\n  - {name: a, op: gru, size: 4}\n  - name: \"b\"\n";
  const std::string letters = "[]{}:,-?&*!|>'\"%@`# \n\tab0\\";
  for (int i = 0; i < 3000; ++i) {
    std::string text = good;
    for (uint32_t changes = 1 + random() % 4; changes > 0; --changes) {
      const size_t place = random() % text.size();
      const char letter = letters[random() % letters.size()];
      if (random() % 2)
        text[place] = letter;
      else
        text.insert(place, 1, letter);
    }
    CAPTURE(text);
    parse(text);
  }
}

}  // namespace rtmc
