// Machine descriptions: every shipped one reads back, mistakes are named with their line, bandwidth is interpolated.
#include "passes/machine.h"

#include <doctest/doctest.h>

#include <cmath>

namespace rtmc::passes {
namespace {

std::string errorOf(const std::string &text) {
  llvm::Expected<Machine> machine = parseMachine(text, "m.yaml");
  return machine ? "accepted" : llvm::toString(machine.takeError());
}

}  // namespace

TEST_CASE("shipped descriptions are complete and print to what they are") {
  for (const char *name :
       {"generic-x86-64", "generic-aarch64", "haswell", "skylake-avx512", "icelake-server", "sapphirerapids", "znver3",
        "znver4", "znver5", "cortex-a53", "cortex-a76", "cortex-x1", "neoverse-n1", "apple-m1"}) {
    CAPTURE(name);
    const Machine machine = shippedMachine(name, "");
    CHECK(machine.name == name);
    CHECK(machine.source == "shipped");
    CHECK(machine.fmaGops32 > 0);
    CHECK(machine.convertGopsF16 > 0);
    CHECK(machine.convertGopsBf16 > 0);
    CHECK(machine.loadsPerNs > 0);
    CHECK(machine.bandwidth.size() >= 4);
    CHECK(machine.readGbps(16 << 10) > machine.readGbps(64 << 20));
    for (const Machine::Level &level : machine.bandwidth) CHECK(level.gbps >= level.gbps4k);
    const std::string text = printMachine(machine);
    llvm::Expected<Machine> again = parseMachine(text, name);
    REQUIRE_MESSAGE(again, llvm::toString(again.takeError()));
    CHECK(printMachine(*again) == text);
  }
}

TEST_CASE("a processor without a description gets a near one, and the name tells") {
  CHECK(shippedMachine("cascadelake", "x86_64-linux-gnu").name == "skylake-avx512");
  CHECK(shippedMachine("graniterapids", "x86_64-linux-gnu").name == "sapphirerapids");
  CHECK(shippedMachine("cortex-a55", "aarch64-linux-gnu").name == "cortex-a53");
  CHECK(shippedMachine("unheard-of", "x86_64-linux-gnu").name == "generic-x86-64");
  CHECK(shippedMachine("unheard-of", "aarch64-linux-gnu").name == "generic-aarch64");
  CHECK(shippedMachine("", "").name == "generic-x86-64");
}

TEST_CASE("bandwidth is straight in logarithms between points and level outside") {
  Machine machine;
  machine.bandwidth = {{1 << 10, 100, 80}, {1 << 14, 100, 80}, {1 << 18, 25, 5}};
  CHECK(machine.readGbps(1) == 100);
  CHECK(machine.readGbps(1 << 12) == doctest::Approx(100));
  CHECK(machine.readGbps(1 << 16) == doctest::Approx(50));
  CHECK(machine.readGbps(1 << 16, false) == doctest::Approx(20));
  CHECK(machine.readGbps(1 << 18) == 25);
  CHECK(machine.readGbps(uint64_t{1} << 40) == 25);
}

TEST_CASE("the runner's reply is a description as it comes") {
  llvm::Expected<Machine> machine = parseMachine(
      R"({"ok": true, "name": "a \"machine\"", "source": "measured", "cores": 2, "fmaGops32": 90.5,
          "bandwidth": [{"bytes": 32768, "gbps": 200, "gbps4k": 190}]})",
      "reply");
  REQUIRE_MESSAGE(machine, llvm::toString(machine.takeError()));
  CHECK(machine->name == "a \"machine\"");
  CHECK(machine->fmaGops32 == 90.5);
  CHECK(machine->fmaGopsHalf == 0);
  CHECK(machine->barrierNs == 300);
  CHECK(machine->handoverNs == 15);
}

TEST_CASE("mistakes are named with their line") {
  const std::string good = "name: m\nbandwidth:\n  - {bytes: 1024, gbps: 10}\nfmaGops32: 1\n";
  CHECK(errorOf(good) == "accepted");
  CHECK(errorOf(good + "fmaGops: 2\n") == "m.yaml: line 5: machine: the key 'fmaGops' is unknown");
  CHECK(errorOf("name: m\n") == "m.yaml: line 1: machine: 'bandwidth' must list at least one footprint");
  CHECK(errorOf("name: m\nbandwidth:\n  - {bytes: 0, gbps: 10}\nfmaGops32: 1\n") ==
        "m.yaml: line 3: bandwidth: 'bytes' must be above 0 and ascend from entry to entry");
  CHECK(errorOf("name: m\nbandwidth:\n  - {bytes: 9, gbps: 10}\n  - {bytes: 9, gbps: 10}\nfmaGops32: 1\n") ==
        "m.yaml: line 4: bandwidth: 'bytes' must be above 0 and ascend from entry to entry");
  CHECK(errorOf("name: m\nbandwidth:\n  - {bytes: 9, gbps: -1}\nfmaGops32: 1\n") ==
        "m.yaml: line 3: 'gbps' must be a finite number above 0");
  CHECK(errorOf(good + "barrierNs: .inf\n") == "m.yaml: line 5: 'barrierNs' must be a finite number from 0");
  CHECK(errorOf(good + "\nbarrierNs: fast\n") == "m.yaml: line 6: 'barrierNs' must be a finite number from 0");
  CHECK(errorOf(good + "gateNs: 0\n") == "m.yaml: line 5: 'gateNs' must be a finite number above 0");
  CHECK(errorOf("name: [\n").find("m.yaml: line 2: ") == 0);
  CHECK(errorOf("").find("m.yaml: line ") == 0);
}

TEST_CASE("a description that is not there is an error of the file") {
  llvm::Expected<Machine> machine = readMachine("/nowhere/machine.yaml");
  REQUIRE(!machine);
  CHECK(llvm::toString(machine.takeError()).find("/nowhere/machine.yaml") != std::string::npos);
}

}  // namespace rtmc::passes
