#include "support/diagnostics.h"
#include "support/check.h"

#include <doctest/doctest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <memory>

namespace rtmc {
namespace {

std::shared_ptr<const SourceFile> source(std::string text) {
  auto file = std::make_shared<SourceFile>();
  file->path = "gru.yaml";
  file->text = std::move(text);
  return file;
}

}  // namespace

TEST_CASE("a message has the contract's form") {
  Diagnostics diagnostics;
  const auto file = source("a: 1\nlayer: {weight_hh: rnn.hh}\n");
  diagnostics.error("weight-shape", {file, 2, 9, 9}, "weight 'weight_hh' is 96x64; a GRU of size 64 needs 192x64")
      .notes.push_back({{file, 1, 4, 1}, "size set here"});
  CHECK(diagnostics.hasErrors());
  CHECK(diagnostics.render() ==
        "gru.yaml:2:9: error: weight 'weight_hh' is 96x64; a GRU of size 64 needs 192x64 [weight-shape]\n"
        "    2 | layer: {weight_hh: rnn.hh}\n"
        "      |         ^~~~~~~~~\n"
        "gru.yaml:1:4: note: size set here\n");
}

TEST_CASE("warnings and notes are no errors, and a place may be a file or unknown") {
  Diagnostics diagnostics;
  diagnostics.warning("unused-tensor", {source("x")}, "a");
  diagnostics.note("missing-bias", {}, "b");
  CHECK(!diagnostics.hasErrors());
  CHECK(diagnostics.render() == "gru.yaml: warning: a [unused-tensor]\nnote: b [missing-bias]\n");
}

TEST_CASE("the caret stands under characters: tabs, UTF-8, escapes, long lines, ends of lines") {
  const auto render = [](std::string text, uint32_t column, uint32_t length) {
    Diagnostics diagnostics;
    diagnostics.error("value-type", {source(std::move(text)), 1, column, length}, "x");
    const std::string out = diagnostics.render();
    return out.substr(out.find('\n') + 1);
  };
  CHECK(render("\tab: c", 6, 1) == "    1 | \tab: c\n      | \t    ^\n");
  CHECK(render("\xc3\xa4: \xc3\xbc\xc3\xb6", 5, 4) == "    1 | \xc3\xa4: \xc3\xbc\xc3\xb6\n      |    ^~\n");
  CHECK(render("a\x1b: b", 5, 1) == "    1 | a\\x1b: b\n      |        ^\n");
  CHECK(render("ab\r\nc", 3, 1) == "    1 | ab\n      |   ^\n");
  CHECK(render("ab", 9, 5) == "    1 | ab\n      |   ^\n");
  CHECK(render("", 1, 1) == "    1 | \n      | ^\n");
  const std::string cut = render(std::string(500, 'a') + "HERE" + std::string(500, 'b'), 501, 4);
  CHECK(cut.find("HERE") != std::string::npos);
  CHECK(cut.size() < 350);
  const size_t lineEnd = cut.find('\n');
  CHECK(cut.find('^') - (lineEnd + 1) == cut.find("HERE"));
}

TEST_CASE("a flood is counted, not shown") {
  Diagnostics diagnostics;
  for (int i = 0; i < 80; ++i) diagnostics.error("argument", {}, "x");
  const std::string text = diagnostics.render();
  CHECK(text.ends_with("... and 30 more messages\n"));
  CHECK(diagnostics.all().size() == 80);

  Diagnostics mixed;
  for (int i = 0; i < 80; ++i) mixed.note("missing-bias", {}, "a bias");
  mixed.error("argument", {}, "the error");
  CHECK(mixed.render().find("error: the error") != std::string::npos);  // notes do not crowd it out
  CHECK(mixed.render().ends_with("... and 31 more messages\n"));
}

TEST_CASE("an unlisted kind is our own bug and ends with status 3") {
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::close(2);
    Diagnostics diagnostics;
    diagnostics.error("no-such-kind", {}, "x");
    ::_exit(0);
  }
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  CHECK(WEXITSTATUS(status) == 3);
}

}  // namespace rtmc
