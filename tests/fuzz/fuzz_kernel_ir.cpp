// libFuzzer target: any text is a kernel IR that prints and reads back the same, or an error. Constants beside the text
// do not exist here, so inputs are whole in themselves.
#include "ir/kernel_yaml.h"
#include "support/check.h"

#include <cstddef>
#include <cstdint>
#include <string>

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const std::string text(reinterpret_cast<const char *>(data), size);
  const std::string nowhere = "no-such-folder";
  if (auto schedules = rtmc::ir::parseSchedules(text); !schedules) llvm::consumeError(schedules.takeError());
  auto program = rtmc::ir::parseProgram(text, nowhere);
  if (!program) {
    llvm::consumeError(program.takeError());
    return 0;
  }
  const rtmc::ir::Printed printed = rtmc::ir::print(*program, "c.safetensors");
  if (!printed.constants.empty()) return 0;  // would need a file to read back
  auto again = rtmc::ir::parseProgram(printed.yaml, nowhere);
  RTMC_CHECK(static_cast<bool>(again), "a printed program does not read back");
  RTMC_CHECK(rtmc::ir::print(*again, "c.safetensors").yaml == printed.yaml, "a program changes when it is read back");
  return 0;
}
