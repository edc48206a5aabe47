#include "support/check.h"
#include "support/safetensors.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  const std::span<const uint8_t> file(data, size);
  auto tensors = rtmc::parseSafetensors(file);
  if (!tensors) {
    llvm::consumeError(tensors.takeError());
    return 0;
  }
  unsigned sum = 0;
  for (const rtmc::SafetensorsTensor &tensor : *tensors) {
    RTMC_CHECK(tensor.bytes.empty() ||
                   (tensor.bytes.data() >= data && tensor.bytes.data() + tensor.bytes.size() <= data + size),
               "a view leaves the file");
    for (const uint8_t byte : tensor.bytes) sum += byte;
  }
  // What was accepted can be written and read back.
  const std::string written = rtmc::writeSafetensors(*tensors);
  auto again = rtmc::parseSafetensors({reinterpret_cast<const uint8_t *>(written.data()), written.size()});
  RTMC_CHECK(static_cast<bool>(again), "what was written cannot be read: " + llvm::toString(again.takeError()));
  RTMC_CHECK(again->size() == tensors->size(), "tensors were lost");
  return static_cast<int>(sum & 0);
}
