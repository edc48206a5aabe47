// Owns: what a matrix is projected onto: scheme, rates, blocks, and whether they fit together and fit a matrix.
#pragma once

#include "pruning/rate.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace rtmc::pruning {

enum class Scheme : uint8_t { Unstructured, Row, Column, RowColumn, Bsp, Bcr, Csb, Bank, Block };
std::string_view schemeName(Scheme);
std::optional<Scheme> parseScheme(std::string_view);
std::vector<std::string> schemeNames();
bool hasBlocks(Scheme);
bool hasTwoRates(Scheme);  // takes a column rate and a row rate

struct Block {
  uint32_t rows = 0, columns = 0;
  bool operator==(const Block &) const = default;
};

struct Projection {
  Scheme scheme = Scheme::Unstructured;
  std::optional<Rate> rate{}, columnRate{}, rowRate{};  // of the three, two at most
  std::optional<Block> block{};                         // bank: 1 row
  std::optional<Rate> bounded{};                        // csb: most unevenness
};

/// What is wrong with a projection in itself; empty: nothing.
std::string complaint(const Projection &);
/// What is wrong with it for a matrix of this size; empty: nothing. The projection itself is right.
std::string complaint(const Projection &, uint32_t rows, uint32_t columns);
/// Whether several matrices can share a budget by it.
bool hasBudget(const Projection &);

/// Rates of columns and rows. `rate` alone of row_column and bcr: nullopt, they share it. The projection is right.
struct Rates {
  Rate column, row;
};
std::optional<Rates> ratesOf(const Projection &);
/// Weights / kept weights that was asked for.
Rate nominalRate(const Projection &);
/// Kept rows and columns of a matrix (row_column) or block (bcr) of this size.
Block crossCounts(const Projection &, uint32_t rows, uint32_t columns);

}  // namespace rtmc::pruning
