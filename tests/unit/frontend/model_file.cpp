#include "unit/frontend/model_file.h"

namespace rtmc::test {

LoadResult loadFiles(const std::string &yaml, const std::vector<std::pair<std::string, std::string>> &files) {
  const TempFolder folder;
  for (const auto &[name, bytes] : files) folder.write(name, bytes);
  std::string text = yaml;
  if (text.starts_with("layers:"))
    text = "rtm: 1\nname: demo\nweights: weights.safetensors\ninputs: [{name: x, size: 3}]\n" + text;
  LoadResult result;
  Diagnostics diagnostics;
  result.loaded = frontend::loadModel(folder.write("model.yaml", text), diagnostics, &result.environment);
  result.messages = diagnostics.render();
  return result;
}

LoadResult load(const std::string &yaml, const std::vector<TestTensor> &tensors) {
  return loadFiles(yaml, {{"weights.safetensors", makeSafetensors(tensors)}});
}

}  // namespace rtmc::test
