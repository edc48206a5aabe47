#include "library.h"

#include "failure.h"

#if __has_include(<dlfcn.h>)
#include <dlfcn.h>
#define RTMC_RUNNER_HAS_DLOPEN 1
#else
#define RTMC_RUNNER_HAS_DLOPEN 0
#endif

// For targets without dlopen: a model's own program defines this.
extern "C" __attribute__((weak)) const rtm_model *rtm_runner_model(void);

namespace rtmc::runner {
namespace {

const rtm_model *linkedModel() {
  if (!rtm_runner_model) throw Failure("no 'library' was named, and this runner was linked without a model");
  return rtm_runner_model();
}

const rtm_model *sharedModel(const std::string &path, const std::string &symbol) {
#if RTMC_RUNNER_HAS_DLOPEN
  // A name without a slash would be searched for in the system's folders.
  const std::string file = path.find('/') == std::string::npos ? "./" + path : path;
  void *library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) throw Failure(std::string("cannot load the library: ") + dlerror());
  using ModelFunction = const rtm_model *(*)();
  const auto function = reinterpret_cast<ModelFunction>(dlsym(library, symbol.c_str()));
  if (!function) {
    dlclose(library);
    throw Failure(path + ": exports no '" + symbol + "'");
  }
  return function();
#else
  throw Failure("this runner cannot load libraries: it was built for a system without dlopen");
#endif
}

}  // namespace

const rtm_model *loadModel(const std::string &path, const std::string &symbol) {
  const rtm_model *model = path.empty() ? linkedModel() : sharedModel(path, symbol);
  rtm_model_info info{};
  info.size = sizeof(info);
  check(rtm_model_describe(model, &info), "the model");
  return model;
}

}  // namespace rtmc::runner
