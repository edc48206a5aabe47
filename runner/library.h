// Owns finding a model: in a shared library, or linked into this program.
#ifndef RTMC_RUNNER_LIBRARY_H
#define RTMC_RUNNER_LIBRARY_H

#include <rtm/rtm.h>

#include <string>

namespace rtmc::runner {

// Libraries stay loaded until the program ends: sessions and other models of the same file may still use them.
// `path` empty: the model that this program was linked with. The model's ABI is checked.
const rtm_model *loadModel(const std::string &path, const std::string &symbol);

}  // namespace rtmc::runner

#endif
