#include "driver/ir_file.h"

#include "ir/kernel_yaml.h"
#include "ir/network_yaml.h"

#include <filesystem>
#include <string_view>

namespace rtmc::driver {
namespace {

constexpr uint64_t kTextLimit = uint64_t{256} << 20;

/// Whether a line of the text starts with `key:`; keys of the top level only.
bool hasTopLevelKey(std::string_view text, std::string_view key) {
  for (size_t begin = 0; begin < text.size();) {
    const std::string_view line = text.substr(begin, text.find('\n', begin) - begin);
    if (line.starts_with(key) && line.substr(key.size()).starts_with(":")) return true;
    begin += line.size() + 1;
  }
  return false;
}

}  // namespace

bool isIrFile(const std::string &path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return false;  // a pipe can be read once, by the frontend
  auto text = readTextFile(path, kTextLimit);
  if (!text) {
    llvm::consumeError(text.takeError());
    return false;
  }
  return !hasTopLevelKey(*text, "rtm") && (hasTopLevelKey(*text, "rtm_network") || hasTopLevelKey(*text, "rtm_kernel"));
}

llvm::Expected<passes::Module> readIr(const std::string &path) {
  auto text = readTextFile(path, kTextLimit);
  if (!text) return text.takeError();
  passes::Module module;
  if (hasTopLevelKey(*text, "rtm_kernel")) {
    auto program = ir::parseProgram(*text, folderOf(path));
    if (!program) return program.takeError();
    module.program = std::move(*program);
  } else {
    auto network = ir::parseNetwork(*text, folderOf(path));
    if (!network) return network.takeError();
    module.network = std::move(*network);
  }
  return module;
}

std::vector<OutputFile> printIr(const passes::Module &module, const std::string &path) {
  const std::string constants = (path.empty() ? std::string("constants") : stemOf(path)) + ".safetensors";
  const ir::Printed printed =
      module.program ? ir::print(*module.program, constants) : ir::print(*module.network, constants);
  std::vector<OutputFile> files{{path, printed.yaml}};
  if (!printed.constants.empty()) {
    const std::string folder = folderOf(path);
    files.push_back({folder.empty() ? constants : folder + "/" + constants, printed.constants});
  }
  return files;
}

std::string stemOf(const std::string &path) {
  const size_t slash = path.rfind('/');
  const std::string name = slash == std::string::npos ? path : path.substr(slash + 1);
  const size_t dot = name.rfind('.');
  return dot == std::string::npos || dot == 0 ? name : name.substr(0, dot);
}

std::string folderOf(const std::string &path) {
  const size_t slash = path.rfind('/');
  if (slash == std::string::npos) return "";
  return slash == 0 ? "/" : path.substr(0, slash);
}

}  // namespace rtmc::driver
