// What rtmc-runner measures is a machine description as it stands, and plausible.
#include "passes/machine.h"

#include <doctest/doctest.h>

#include <cstdio>
#include <string>

namespace rtmc::passes {
namespace {

/// The runner's reply to one request (JSON without quotes that a shell would mind).
std::string ask(const std::string &request) {
  FILE *pipe = popen(("echo '" + request + "' | " RTMC_RUNNER).c_str(), "r");
  REQUIRE(pipe);
  std::string reply;
  char part[4096];
  while (const size_t got = std::fread(part, 1, sizeof part, pipe)) reply.append(part, got);
  CHECK(pclose(pipe) == 0);
  return reply;
}

}  // namespace

TEST_CASE("a quick measurement is a description with every figure in a believable range") {
  const std::string reply = ask(R"({"cmd": "machine", "quick": true, "footprint_bytes": 123456})");
  llvm::Expected<Machine> machine = parseMachine(reply, "reply");
  REQUIRE_MESSAGE(machine, llvm::toString(machine.takeError()) << "\n" << reply);
  CHECK(machine->source == "measured");
  CHECK(machine->cores >= 1);
  bool asked = false;
  for (const Machine::Level &level : machine->bandwidth) {
    CAPTURE(level.bytes);
    asked |= level.bytes == 123456;
    CHECK(level.gbps > 0.05);
    CHECK(level.gbps < 5000);
    CHECK(level.gbps4k > 0.05);
  }
  CHECK(asked);
  CHECK(machine->fmaGops32 > 0.05);
  // 16 lanes, two units, 7 GHz: more would mean that a compiler left the loop out.
  CHECK(machine->fmaGops32 < 230);
  CHECK(machine->convertGopsF16 > 0);
  CHECK(machine->convertGopsF16 < 230);
  CHECK(machine->convertGopsBf16 > 0);
  CHECK(machine->convertGopsBf16 < 230);
  CHECK(machine->gateNs > 0.01);
  CHECK(machine->gateNs < 1000);
  CHECK(machine->barrierNs > 1);
  CHECK(machine->handoverNs > 0);
  CHECK(machine->tileNs > 0);
  CHECK(machine->scatterNs > 0);
}

TEST_CASE("one footprint alone is only its bandwidth") {
  const std::string reply = ask(R"({"cmd": "machine", "footprint_bytes": 65536})");
  CHECK(reply.find("\"bytes\":65536,\"gbps\":") != std::string::npos);
  CHECK(reply.find("fmaGops32") == std::string::npos);
}

TEST_CASE("an impossible footprint is refused") {
  CHECK(ask(R"({"cmd": "machine", "footprint_bytes": 99999999999999})").find("\"ok\":false") != std::string::npos);
  CHECK(ask(R"({"cmd": "machine", "footprint_bytes": -1})").find("\"ok\":false") != std::string::npos);
}

}  // namespace rtmc::passes
