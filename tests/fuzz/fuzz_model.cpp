#include "frontend/model_spec.h"
#include "support/check.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  auto file = std::make_shared<rtmc::SourceFile>();
  file->path = "model.yaml";
  file->text.assign(reinterpret_cast<const char *>(data), size);
  rtmc::Diagnostics diagnostics;
  const auto spec = rtmc::frontend::readModel(file, diagnostics);
  RTMC_CHECK(spec || diagnostics.hasErrors(), "nothing was read and nothing was said");
  if (spec && !diagnostics.hasErrors()) {
    RTMC_CHECK(!spec->layers.empty() && !spec->network.outputs.empty(), "an empty model was accepted");
    for (const auto &layer : spec->layers) RTMC_CHECK(layer.complete, "an incomplete layer was accepted");
  }
  for (const rtmc::Diagnostic &d : diagnostics.all()) RTMC_CHECK(!d.message.empty(), "a message without text");
  (void)diagnostics.render();
  return 0;
}
