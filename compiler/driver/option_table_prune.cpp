// The options of `rtmc prune`. Their values are read here, so that a mistake is told with the others of the command
// line.
#include "driver/option_table.h"
#include "support/names.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <optional>

namespace rtmc::driver {
namespace {

using Store = std::function<std::string(CommandLine &, const std::string &)>;

/// Stores [PATTERN=]VALUE; `parse` gives the value or a complaint about it.
template <typename T, typename Parse>
Store perMatrix(std::vector<ForMatrices<T>> PruneOptions::*member, Parse parse) {
  return [member, parse](CommandLine &line, const std::string &text) -> std::string {
    const size_t equals = text.find('=');
    if (equals == 0) return fmt::format("is {}; a pattern is needed before the '='", rtmc::quoted(text));
    const std::string pattern = equals == std::string::npos ? "" : text.substr(0, equals);
    const std::string value = equals == std::string::npos ? text : text.substr(equals + 1);
    std::string complaint;
    const std::optional<T> parsed = parse(value, complaint);
    if (!parsed) return complaint;
    (line.prune.*member).push_back({pattern, *parsed});
    return {};
  };
}

std::optional<pruning::Scheme> readScheme(const std::string &text, std::string &complaint) {
  const auto scheme = pruning::parseScheme(text);
  if (scheme) return scheme;
  const std::string near = nearestName(text, pruning::schemeNames());
  complaint = fmt::format("is {}; one of {} is needed{}", rtmc::quoted(text), fmt::join(pruning::schemeNames(), ", "),
                          near.empty() ? "" : fmt::format("; did you mean '{}'", near));
  return std::nullopt;
}

std::optional<pruning::Block> readBlock(const std::string &text, std::string &complaint) {
  const auto number = [&](size_t begin, size_t end) {
    uint32_t value = 0;
    const auto [stop, status] = std::from_chars(text.data() + begin, text.data() + end, value);
    return status == std::errc() && stop == text.data() + end && value <= 1u << 24 ? value : 0u;
  };
  const size_t cross = text.find('x');
  const pruning::Block block =
      cross == std::string::npos ? pruning::Block() : pruning::Block{number(0, cross), number(cross + 1, text.size())};
  if (block.rows != 0 && block.columns != 0) return block;
  complaint = fmt::format("is {}; ROWSxCOLUMNS, as 32x128, is needed", rtmc::quoted(text));
  return std::nullopt;
}

std::string storeLayer(CommandLine &line, const std::string &value) {
  if (value.empty()) return "is empty; a value is needed";
  line.prune.layers.push_back(value);
  return {};
}

std::string storeBudget(CommandLine &line, const std::string &value) {
  if (value != "gate" && value != "model") return fmt::format("is {}; gate or model is needed", rtmc::quoted(value));
  line.prune.budget = value;
  return {};
}

}  // namespace

std::vector<OptionSpec> pruneOptions() {
  constexpr CommandSet kPrune = bitOf(Command::Prune);
  const auto rate = [](std::vector<ForMatrices<pruning::Rate>> PruneOptions::*member) {
    return perMatrix(
        member, [](const std::string &text, std::string &complaint) { return pruning::parseRate(text, complaint); });
  };
  return {
      {"--scheme", "", "[PATTERN=]NAME", kPrune, Group::Pruning,
       "unstructured, row, column, row_column, bsp, bcr, csb, bank or block",
       perMatrix(&PruneOptions::schemes, readScheme)},
      {"--rate", "", "[PATTERN=]R", kPrune, Group::Pruning, "weights / kept weights: 10, 2.5 or 29/10",
       rate(&PruneOptions::rates)},
      {"--column-rate", "", "[PATTERN=]R", kPrune, Group::Pruning,
       "bsp, bcr and row_column: of columns (rate = column rate * row rate)", rate(&PruneOptions::columnRates)},
      {"--row-rate", "", "[PATTERN=]R", kPrune, Group::Pruning, "the same of rows", rate(&PruneOptions::rowRates)},
      {"--block", "", "[PATTERN=]RxC", kPrune, Group::Pruning,
       "rows x columns of a block: bsp, bcr, csb, block; bank: 1xWIDTH", perMatrix(&PruneOptions::blocks, readBlock)},
      {"--bounded", "", "[PATTERN=]B", kPrune, Group::Pruning, "csb: no block keeps more than B times its even share",
       rate(&PruneOptions::bounds)},
      {"--budget", "", "gate|model", kPrune, Group::Pruning,
       "the rate is that of each gate (default), or one budget of all that is pruned", storeBudget},
      {"--layer", "", "PATTERN", kPrune, Group::Pruning,
       "prune only these layers or matrices; may be given several times (default: all recurrent layers)", storeLayer},
      {"--linear", "", "", kPrune, Group::Pruning, "linear layers too",
       [](CommandLine &line, const std::string &) -> std::string {
         line.prune.linear = true;
         return {};
       }},
  };
}

}  // namespace rtmc::driver
