#include "driver/prune_plan.h"

#include "support/names.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <fnmatch.h>

#include <algorithm>
#include <set>
#include <string>
#include <utility>

namespace rtmc::driver {
namespace {

class Planner {
 public:
  Planner(const PruneOptions &options, const frontend::ModelStream &model, Diagnostics &diagnostics)
      : options_(options), network_(model.network()), matrices_(model.matrices()), diagnostics_(diagnostics) {}

  PrunePlan plan() {
    PrunePlan plan;
    checkPatterns();
    if (options_.budget == "model") plan.budget = readBudget();
    if (options_.schemes.empty())
      error(fmt::format("no scheme is given; --scheme with one of {} is needed",
                        fmt::join(pruning::schemeNames(), ", ")));
    if (diagnostics_.hasErrors()) return plan;
    for (const frontend::MatrixInfo &matrix : matrices_) {
      plan.matrices.push_back({matrix, std::nullopt});
      if (selected(matrix)) plan.matrices.back().projection = projectionOf(matrix, plan.budget);
    }
    if (!anySelected_)
      error(options_.layers.empty() ? "the model has no recurrent layer; --linear prunes linear layers"
                                    : "nothing is selected: linear layers are pruned with --linear");
    else if (!diagnostics_.hasErrors())
      refuseUnused();
    return plan;
  }

 private:
  void error(const std::string &message) { diagnostics_.error("argument", {}, message); }

  bool matches(const std::string &pattern, const frontend::MatrixInfo &matrix) const {
    return pattern.empty() || ::fnmatch(pattern.c_str(), matrix.name.c_str(), 0) == 0 ||
           ::fnmatch(pattern.c_str(), network_.layers[matrix.layer].name.c_str(), 0) == 0;
  }

  void checkPattern(const char *option, const std::string &pattern) {
    const auto hit = [&](const frontend::MatrixInfo &matrix) { return matches(pattern, matrix); };
    if (std::any_of(matrices_.begin(), matrices_.end(), hit)) return;
    std::vector<std::string> names;
    for (const ir::Layer &layer : network_.layers) names.push_back(layer.name);
    for (const frontend::MatrixInfo &matrix : matrices_) names.push_back(matrix.name);
    const std::string near = nearestNames(pattern, names, 1).front();
    error(fmt::format("option '{}' names no layer and no matrix of the model: {}; the nearest name is {}", option,
                      quoted(pattern), quoted(near)));
  }

  void checkPatterns() {
    for (const std::string &pattern : options_.layers) checkPattern("--layer", pattern);
    const auto each = [&](const char *option, const auto &values) {
      for (const auto &value : values) checkPattern(option, value.pattern);
    };
    each("--scheme", options_.schemes);
    each("--rate", options_.rates);
    each("--column-rate", options_.columnRates);
    each("--row-rate", options_.rowRates);
    each("--block", options_.blocks);
    each("--bounded", options_.bounds);
  }

  std::optional<pruning::Rate> readBudget() {
    if (!options_.columnRates.empty()) error("one budget of the model has no column rate; --rate gives it");
    for (const auto &rate : options_.rates)
      if (!rate.pattern.empty()) error("one budget of the model has one rate; a pattern cannot give another");
    if (options_.rates.empty()) {
      error("one budget of the model needs --rate");
      return std::nullopt;
    }
    return options_.rates.back().value;
  }

  bool selected(const frontend::MatrixInfo &matrix) {
    const ir::Layer &layer = network_.layers[matrix.layer];
    bool hit = options_.layers.empty(), named = false;
    for (const std::string &pattern : options_.layers) {
      hit |= matches(pattern, matrix);
      named |= pattern == layer.name || pattern == matrix.name;
    }
    hit &= ir::recurrences(layer) != nullptr || options_.linear || named;
    anySelected_ |= hit;
    return hit;
  }

  /// The last value for the matrix. What is given for all matrices skips those whose scheme cannot have it (`fits`).
  template <typename T>
  std::optional<T> last(const std::vector<ForMatrices<T>> &values, const frontend::MatrixInfo &matrix, bool fits,
                        bool *used) const {
    std::optional<T> found;
    for (const ForMatrices<T> &value : values)
      if (matches(value.pattern, matrix) && (fits || !value.pattern.empty())) found = value.value;
    *used |= found.has_value();
    return found;
  }

  std::optional<pruning::Projection> projectionOf(const frontend::MatrixInfo &matrix,
                                                  const std::optional<pruning::Rate> &budget) {
    bool used = false;
    const auto scheme = last(options_.schemes, matrix, true, &used);
    if (!scheme) {
      complain(matrix, "no scheme is given for it", "");
      return std::nullopt;
    }
    pruning::Projection p;
    p.scheme = *scheme;
    const bool two = pruning::hasTwoRates(*scheme);
    p.columnRate = last(options_.columnRates, matrix, two, &columnRateUsed_);
    p.rowRate = last(options_.rowRates, matrix, two, &rowRateUsed_);
    p.block = last(options_.blocks, matrix, pruning::hasBlocks(*scheme), &blockUsed_);
    p.bounded = last(options_.bounds, matrix, *scheme == pruning::Scheme::Csb, &boundedUsed_);
    // The budget takes the place of the rate; BSP's rows have theirs.
    if (!budget || !two) p.rate = last(options_.rates, matrix, true, &used);
    if (budget && two && !p.rowRate) p.rowRate = pruning::Rate{};
    if (budget && !pruning::hasBudget(p))
      complain(matrix,
               fmt::format("{}{} has no budget of the model: its counts follow from its own rate",
                           pruning::schemeName(*scheme), p.bounded ? " with a bound" : ""),
               "");
    else if (const std::string wrong = pruning::complaint(p); !wrong.empty())
      complain(matrix, wrong, "");
    else if (const std::string large = pruning::complaint(p, matrix.rows, matrix.columns); !large.empty())
      complain(matrix, large, fmt::format("; --block '{}=ROWSxCOLUMNS' gives it others", matrix.name));
    return p;
  }

  /// One message per mistake, not one per matrix that it concerns.
  void complain(const frontend::MatrixInfo &matrix, const std::string &complaint, const std::string &hint) {
    if (!complaints_.insert(complaint).second) return;
    diagnostics_.error("argument", network_.layers[matrix.layer].where,
                       fmt::format("{} cannot be pruned: {}{}", quoted(matrix.name), complaint, hint));
  }

  void refuseUnused() {
    const auto refuse = [&](const char *option, bool given, bool used, const char *what) {
      if (given && !used) error(fmt::format("option '{}' has no effect: no scheme that is used has {}", option, what));
    };
    refuse("--block", !options_.blocks.empty(), blockUsed_, "blocks");
    refuse("--bounded", !options_.bounds.empty(), boundedUsed_, "a bound on unevenness; csb has");
    refuse("--column-rate", !options_.columnRates.empty(), columnRateUsed_,
           "a column rate; bsp, bcr and row_column have");
    refuse("--row-rate", !options_.rowRates.empty(), rowRateUsed_, "a row rate; bsp, bcr and row_column have");
  }

  const PruneOptions &options_;
  const ir::Network &network_;
  const std::vector<frontend::MatrixInfo> matrices_;
  Diagnostics &diagnostics_;
  std::set<std::string> complaints_;
  bool anySelected_ = false;
  bool blockUsed_ = false, boundedUsed_ = false, columnRateUsed_ = false, rowRateUsed_ = false;
};

}  // namespace

PrunePlan planPruning(const PruneOptions &options, const frontend::ModelStream &model, Diagnostics &diagnostics) {
  return Planner(options, model, diagnostics).plan();
}

}  // namespace rtmc::driver
