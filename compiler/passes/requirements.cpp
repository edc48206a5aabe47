#include "passes/requirements.h"

#include "passes/choose_schedule.h"
#include "passes/lower_cells.h"
#include "passes/pack.h"
#include "passes/partition.h"
#include "passes/reorder_rows.h"
#include "passes/share_loads.h"

#include <fmt/format.h>

#include <algorithm>

namespace rtmc::passes {

using namespace ir;

namespace {

template <typename Fn>
std::string firstOfPhases(const Program &program, Fn &&fn) {
  for (const Section &section : program.sections)
    for (const Phase &phase : section.phases)
      if (std::string missing = fn(phase); !missing.empty()) return missing;
  return {};
}

template <typename Fn>
std::string firstOfWeights(const Program &program, Fn &&fn) {
  for (const Weights &w : program.weights)
    if (std::string missing = fn(w); !missing.empty()) return missing;
  return {};
}

std::string needsUnpacked(const Program &program) {
  return firstOfWeights(program, [](const Weights &w) {
    return w.packed ? fmt::format("the weights of '{}' are packed already", w.name) : std::string();
  });
}

/// Every unit of the space is one of the domain's, so that a share owns it.
bool isOfDomain(const Program &program, const Phase &phase, Id space) {
  if (space == kNone) return false;
  if (space == phase.domain) return true;
  const Space &compact = program.spaces[space];
  return compact.parent == phase.domain && compact.order.size() == compact.size &&
         std::find(compact.order.begin(), compact.order.end(), kNone) == compact.order.end();
}

/// What partition and pack share out: units of a domain, and each matrix once.
std::string needsDomains(const Program &program) {
  std::vector<uint32_t> uses(program.weights.size(), 0);
  std::string missing = firstOfPhases(program, [&](const Phase &phase) {
    if (phase.domain == kNone) return fmt::format("phase '{}' has no domain", phase.name);
    for (const Operation &operation : phase.ops) {
      const auto *product = std::get_if<MatMul>(&operation);
      const auto *gates = std::get_if<Elementwise>(&operation);
      if (product) ++uses[product->weights];
      const bool good = product ? isOfDomain(program, phase, program.weights[product->weights].rowSpace)
                                : !gates || gates->replicated || isOfDomain(program, phase, gates->space);
      if (!good)
        return fmt::format("'{}' of phase '{}' does not work on units of the phase's domain",
                           product ? product->name : gates->name, phase.name);
    }
    return std::string();
  });
  if (!missing.empty()) return missing;
  for (size_t i = 0; i < uses.size(); ++i)
    if (uses[i] != 1)
      return fmt::format("the weights of '{}' are used {} times, not once", program.weights[i].name, uses[i]);
  return {};
}

std::string needsGroups(const Program &program) {
  return firstOfWeights(program, [](const Weights &w) {
    return w.groups.empty() && w.nonzeros > 0 ? fmt::format("the rows of '{}' are not in groups (reorder-rows)", w.name)
                                              : std::string();
  });
}

std::string needsTiles(const Program &program) {
  return firstOfWeights(program, [](const Weights &w) {
    return w.tiles.empty() ? fmt::format("'{}' has no shapes of tiles (share-loads)", w.name) : std::string();
  });
}

std::string needsCuts(const Program &program) {
  return firstOfPhases(program, [](const Phase &phase) {
    return phase.cuts.empty() ? fmt::format("phase '{}' is not cut into shares (partition)", phase.name)
                              : std::string();
  });
}

using Rule = std::string (*)(const Program &);

std::string firstOf(const Program &program, std::initializer_list<Rule> rules) {
  for (const Rule rule : rules)
    if (std::string missing = rule(program); !missing.empty()) return missing;
  return {};
}

}  // namespace

std::string whatIsMissing(std::string_view pass, const Module &module) {
  const std::vector<Pass> &all = pipeline();
  const auto position = [&](std::string_view name) {
    return std::find_if(all.begin(), all.end(), [&](const Pass &p) { return p.name == name; });
  };
  const bool wantsNetwork = position(pass) <= position(LowerCells::kName);
  if (wantsNetwork) return module.network ? "" : "it needs a network, and this is kernel IR";
  if (!module.program) return "it needs kernel IR, and this is a network";
  const Program &program = *module.program;
  if (pass == Partition::kName) return firstOf(program, {needsUnpacked, needsDomains, needsGroups, needsTiles});
  if (pass == Pack::kName) return firstOf(program, {needsUnpacked, needsDomains, needsGroups, needsTiles, needsCuts});
  if (pass == ShareLoads::kName) return firstOf(program, {needsUnpacked, needsDomains, needsGroups});
  return firstOf(program, {needsUnpacked, needsDomains});
}

std::string whatBackendsMiss(const Module &module) {
  if (!module.program) return "it is a network";
  std::string missing = firstOfWeights(*module.program, [](const Weights &w) {
    return w.packed ? std::string() : fmt::format("the weights of '{}' are not packed", w.name);
  });
  return missing.empty() ? needsCuts(*module.program) : missing;
}

}  // namespace rtmc::passes
