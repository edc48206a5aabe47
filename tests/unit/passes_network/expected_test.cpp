// Every tests/passes/<pass>.<case>.yaml of the network passes: a network, a line `---`, and what the pass makes of it
// (the network, or the messages where the pass refuses). `--update-expected` rewrites the second part.
#include "network_pass.h"
#include "pass_cases.h"

namespace rtmc::passes::test {
namespace {

void checkCase(const std::string &pass, const PassCase &file) {
  llvm::Expected<ir::Network> parsed = ir::parseNetwork(file.input(), kCaseFolder.string());
  REQUIRE_MESSAGE(parsed, llvm::toString(parsed.takeError()));
  const std::vector<std::string> complaints = ir::verify(*parsed);
  REQUIRE_MESSAGE(complaints.empty(), complaints.front());

  const Ran ran = runPass(pass, *parsed);
  const ir::Printed printed = ir::print(ran.network, "constants.safetensors");
  const std::string found = ran.ok ? printed.yaml : ran.diagnostics.render();
  CHECK(printed.constants.empty());
  CHECK(ran.ok != ran.diagnostics.hasErrors());
  file.check(found);
  if (!ran.ok) return;
  const std::vector<std::string> after = ir::verify(ran.network);
  CHECK_MESSAGE(after.empty(), after.front());
  checkSameMeaning(*parsed, ran.network, 1);
  const Ran again = runPass(pass, ran.network);
  CHECK(again.ok);
  CHECK(ir::print(again.network, "constants.safetensors").yaml == printed.yaml);
}

void checkAll(const std::string &pass, const std::string &prefix, size_t atLeast) {
  forEachPassCase(prefix, atLeast, [&](const PassCase &file) { checkCase(pass, file); });
}

}  // namespace

TEST_CASE("apply-masks makes what is expected") {
  checkAll("apply-masks", "apply_masks", 4);
}
TEST_CASE("fold-constants makes what is expected") {
  checkAll("fold-constants", "fold_constants", 6);
}
TEST_CASE("find-structure makes what is expected") {
  checkAll("find-structure", "find_structure", 3);
}

}  // namespace rtmc::passes::test
