// Owns: the network IR as YAML text and back. Tensors up to 64 values stand inline, exactly; larger ones in a
// .safetensors beside the text, referenced by name and hash.
#pragma once

#include "ir/network.h"

#include <llvm/Support/Error.h>

#include <string>

namespace rtmc::ir {

struct Printed {
  std::string yaml;
  std::string constants;  // bytes of the .safetensors; empty: none needed
};
/// `constantsName`: file name to reference ("03-find-structure.safetensors").
Printed print(const Network &, const std::string &constantsName);
/// `directory`: where the referenced .safetensors lies.
llvm::Expected<Network> parseNetwork(const std::string &yaml, const std::string &directory);

}  // namespace rtmc::ir
