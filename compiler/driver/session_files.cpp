// What a session asks of the files that it is given: an IR file and the options must agree, and outputs must not
// replace inputs.
#include "driver/ir_file.h"
#include "driver/session.h"
#include "support/names.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <string_view>
#include <utility>

namespace rtmc::driver {
namespace {

bool contains(const std::vector<std::string> &names, std::string_view name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

/// The same file under two names.
bool sameFile(const std::string &a, const std::string &b) {
  std::error_code first, second;
  const std::filesystem::path realA = std::filesystem::weakly_canonical(a, first);
  const std::filesystem::path realB = std::filesystem::weakly_canonical(b, second);
  return first || second ? a == b : realA == realB;
}

}  // namespace

/// Once schedules are chosen, kernel IR is for one processor: another one that is asked for is refused, and none asked
/// for means that one. Before, nothing depends on it, and what is asked for counts.
int Session::agreeOnTarget(ir::Program &program) {
  const passes::TargetTraits asked = context_.target;
  const bool asks = !line_.target.empty() || !line_.cpu.empty();
  const bool open = !contains(program.passes, "choose-schedule") || (program.target.empty() && program.cpu.empty());
  if (open && asks) program.target = asked.triple, program.cpu = asked.cpu;
  if ((program.target.empty() && program.cpu.empty()) || (program.target == asked.triple && program.cpu == asked.cpu)) {
    return kDone;
  }
  const auto refuse = [&](const char *option, const std::string &wanted, const std::string &found) {
    diagnostics_.error(
        "argument", {},
        fmt::format("option '{}' asks for {}, but '{}' is kernel IR for {}; make it again from the model", option,
                    rtmc::quoted(wanted), line_.file, rtmc::quoted(found)));
    return settle();
  };
  if (!line_.target.empty() && !sameMachine(program.target, asked.triple))
    return refuse("--target", asked.triple, program.target);
  if (!line_.cpu.empty() && program.cpu != asked.cpu) return refuse("--cpu", asked.cpu, program.cpu);
  if (int status = resolveTarget(program.target, program.cpu)) return status;
  if (line_.machine.empty()) context_.machine = passes::shippedMachine(context_.target.cpu, context_.target.triple);
  return kDone;
}

/// Options that only passes read which the file has behind it.
void Session::noteWhatComesTooLate() {
  static constexpr std::pair<std::string_view, std::string_view> kReaders[] = {
      {"--no-fold", "fold-constants"},         {"--chunk", "lower-cells"},          {"--precision", "choose-schedule"},
      {"--schedule", "choose-schedule"},       {"--tuning", "choose-schedule"},     {"--unroll", "choose-schedule"},
      {"--no-permute", "choose-schedule"},     {"--no-reorder", "choose-schedule"}, {"--no-compact", "choose-schedule"},
      {"--no-share-loads", "choose-schedule"}, {"--placement", "choose-schedule"},  {"--threads", "partition"}};
  const std::vector<std::string> &done = module_.program ? module_.program->passes : module_.network->passes;
  for (const auto &[option, pass] : kReaders) {
    if (!contains(line_.given, option) || !contains(done, pass) || contains(line_.passes, pass)) continue;
    diagnostics_.warning("argument", {},
                         fmt::format("option '{}' has no effect: pass '{}' reads it, which '{}' has behind it", option,
                                     pass, line_.file));
  }
}

int Session::agreeWithIr() {
  noteWhatComesTooLate();
  if (module_.program) {
    if (int status = agreeOnTarget(*module_.program)) return status;
  }
  return settle();
}

int Session::checkOutputs(const std::vector<std::string> &paths) {
  for (size_t i = 0; i < paths.size(); ++i) {
    for (const std::string &input : inputFiles_) {
      if (input == line_.file && line_.command == Command::Opt && isIrFile(input)) continue;  // opt may work in place
      if (!sameFile(paths[i], input)) continue;
      diagnostics_.error("argument", {}, fmt::format("output {} would replace an input", rtmc::quoted(paths[i])));
    }
    for (size_t k = 0; k < i; ++k) {
      if (!sameFile(paths[i], paths[k])) continue;
      diagnostics_.error("argument", {}, fmt::format("two outputs would be {}", rtmc::quoted(paths[i])));
    }
  }
  return settle();
}

}  // namespace rtmc::driver
