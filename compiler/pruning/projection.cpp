#include "pruning/projection.h"

#include "support/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace rtmc::pruning {
namespace {

struct SchemeTraits {
  Scheme scheme;
  std::string_view name;
  bool blocks, twoRates, budget;
};
constexpr auto kSchemes = std::to_array<SchemeTraits>({
    {Scheme::Unstructured, "unstructured", false, false, true},
    {Scheme::Row, "row", false, false, true},
    {Scheme::Column, "column", false, false, true},
    {Scheme::RowColumn, "row_column", false, true, false},
    {Scheme::Bsp, "bsp", true, true, true},
    {Scheme::Bcr, "bcr", true, true, false},
    {Scheme::Csb, "csb", true, false, true},
    {Scheme::Bank, "bank", true, false, false},
    {Scheme::Block, "block", true, false, true},
});

const SchemeTraits &traits(Scheme scheme) {
  return kSchemes[static_cast<size_t>(scheme)];
}

std::string rateComplaint(const Projection &p) {
  if (!p.rate && !p.columnRate && !p.rowRate) return "a rate is needed";
  if (!hasTwoRates(p.scheme) && (p.columnRate || p.rowRate))
    return fmt::format("the scheme {} has one rate; row_column, bsp and bcr have one of columns and one of rows",
                       schemeName(p.scheme));
  if (!p.rate || (!p.columnRate && !p.rowRate)) return {};
  if (p.columnRate && p.rowRate) return "rate, column rate and row rate are given; two of them make the third";
  const auto third = divide(*p.rate, p.columnRate ? *p.columnRate : *p.rowRate);
  if (!third) return fmt::format("the rates are too fine; fractions of numbers up to {} are needed", kLargestPart);
  if (belowOne(*third))
    return fmt::format("the {} rate, rate / {} rate, is {}; at least 1 is needed", p.columnRate ? "row" : "column",
                       p.columnRate ? "column" : "row", rateText(*third));
  return {};
}

}  // namespace

std::string_view schemeName(Scheme scheme) {
  return traits(scheme).name;
}

std::optional<Scheme> parseScheme(std::string_view name) {
  for (const SchemeTraits &each : kSchemes)
    if (each.name == name) return each.scheme;
  return std::nullopt;
}

std::vector<std::string> schemeNames() {
  std::vector<std::string> names;
  for (const SchemeTraits &each : kSchemes) names.emplace_back(each.name);
  return names;
}

bool hasBlocks(Scheme scheme) {
  return traits(scheme).blocks;
}

bool hasTwoRates(Scheme scheme) {
  return traits(scheme).twoRates;
}

bool hasBudget(const Projection &p) {
  return traits(p.scheme).budget && !p.bounded;
}

std::string complaint(const Projection &p) {
  if (hasBlocks(p.scheme) != p.block.has_value())
    return fmt::format("the scheme {} {}", schemeName(p.scheme), p.block ? "has no blocks" : "needs a block");
  if (p.block && (p.block->rows == 0 || p.block->columns == 0)) return "a block has at least one row and one column";
  if (p.scheme == Scheme::Bank && p.block->rows != 1)
    return fmt::format("the block is {}x{}; a bank is 1xWIDTH", p.block->rows, p.block->columns);
  if (p.bounded && p.scheme != Scheme::Csb)
    return fmt::format("the scheme {} has no bound on unevenness; csb has", schemeName(p.scheme));
  return rateComplaint(p);
}

std::string complaint(const Projection &p, uint32_t rows, uint32_t columns) {
  if (!p.block || (p.block->rows <= rows && p.block->columns <= columns)) return {};
  return fmt::format("blocks of {}x{} are larger than {}x{}", p.block->rows, p.block->columns, rows, columns);
}

std::optional<Rates> ratesOf(const Projection &p) {
  RTMC_CHECK(complaint(p).empty(), complaint(p));
  if (!hasTwoRates(p.scheme)) return Rates{*p.rate, {}};
  if (!p.rate) return Rates{p.columnRate.value_or(Rate{}), p.rowRate.value_or(Rate{})};
  if (p.columnRate) return Rates{*p.columnRate, *divide(*p.rate, *p.columnRate)};
  if (p.rowRate) return Rates{*divide(*p.rate, *p.rowRate), *p.rowRate};
  if (p.scheme == Scheme::Bsp) return Rates{*p.rate, {}};
  return std::nullopt;
}

Rate nominalRate(const Projection &p) {
  if (p.rate) return *p.rate;
  const Rates rates = *ratesOf(p);
  // a * b = a / (1 / b); where that has too many digits the column rate alone is all that can be told.
  return divide(rates.column, {rates.row.denominator, rates.row.numerator}).value_or(rates.column);
}

Block crossCounts(const Projection &p, uint32_t rows, uint32_t columns) {
  if (const auto rates = ratesOf(p))
    return {static_cast<uint32_t>(keptCount(rows, rates->row)),
            static_cast<uint32_t>(keptCount(columns, rates->column))};
  const uint64_t keptRows = keptCountRoot(rows, *p.rate);
  // As many columns as bring the block nearest to its rate.
  const uint64_t keptColumns = std::min<uint64_t>(columns, keptCount(uint64_t{rows} * columns, *p.rate, keptRows));
  return {static_cast<uint32_t>(keptRows), static_cast<uint32_t>(keptColumns)};
}

}  // namespace rtmc::pruning
