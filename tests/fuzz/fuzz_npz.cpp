#include "frontend/weight_files.h"
#include "support/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  using namespace rtmc::frontend;
  auto file = openNpz({data, size}, nullptr);
  if (!file) {
    llvm::consumeError(file.takeError());
    return 0;
  }
  const size_t count = (*file)->names().size();
  for (size_t i = 0; i < count; ++i) {
    auto info = (*file)->info(i);
    if (!info) {
      llvm::consumeError(info.takeError());
      continue;
    }
    // As the frontend does: shapes are compared before numbers are read, and no layer needs more dimensions.
    if (info->dtype == Dtype::Other || info->shape.size() > 2) continue;
    auto bytes = (*file)->read(i);
    if (!bytes) {
      llvm::consumeError(bytes.takeError());
      continue;
    }
    uint64_t elements = 1;
    for (const uint64_t dimension : info->shape) elements *= dimension;
    RTMC_CHECK(bytes->bytes.size() == elements * bytesOf(info->dtype), "the size is not the header's");
    if (isFloat(info->dtype)) RTMC_CHECK(toFloats(*info, bytes->bytes).size() == elements, "numbers were lost");
    std::optional<size_t> nan;
    RTMC_CHECK(toMask(*info, bytes->bytes, &nan).size() == elements, "mask values were lost");
  }
  return 0;
}
