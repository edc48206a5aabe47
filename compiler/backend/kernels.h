// Owns: the source text of matrix-vector kernels (from codegen_templates/cpp/kernel_*.in) and which tile shapes suit a
// vector unit. The meaning of shapes, runs and packed values is ir/kernel.h's.
// Refuses to own: who calls a kernel with which run, tables and weights (the C++ backend); vector helpers (rtm/simd.h).
//
// Sums: every row is summed in one fixed order that depends on the instruction set, the precision, the way of
// accumulation, the width and the list of entries, but on nothing else: not on the rows per tile, the tiles per run, or
// unrolling. So cutting a group's rows differently never changes a bit of the result, in g++ and clang++ alike.
#pragma once

#include "ir/kernel.h"
#include "passes/pass.h"

#include <cstdint>
#include <span>
#include <string>
#include <vector>

namespace rtmc::backend {

/// Whether a kernel takes a chunk of steps, rows of x, several at once.
enum class Chunk : uint8_t {
  None,      // one row of x
  AllSums,   // all sums of a row together, each weight loaded once
  SumBySum,  // one of them after the other, so that more steps share a load: for long tiles of whole columns. Never
             // unrolled.
};

struct KernelOptions {
  ir::Unroll unroll = ir::Unroll::None;  // None or Tile; Auto is None. Full: fullSource
  uint32_t entries = 0;                  // Tile: entries of every run that calls it
  uint32_t registers = 32;               // vector registers of the target: TargetTraits::registers
  bool mayInline = true;                 // Full: false keeps the run a function of its own
  bool halfLast = false;                 // passes::halfLastVector() of the rows of every run that calls it
  Chunk chunk = Chunk::None;
};

/// Rows of x that a kernel for a chunk handles at once, so that each weight is loaded and widened once for them
/// and a short tile does not wait for its own sums. 1: there is no such kernel; indexed rows, columns of their own
/// and sums in half precision are multiplied step by step.
uint32_t stepsAtOnce(const ir::TileShape &, ir::Accumulate, Chunk);

/// "matvec_f32_rows16_t64_c16" and so on: <op>_<precision>_<lanes>_t<rows per tile>[_suffixes]; a C++ identifier that
/// is different for any two kernels of one target whose text differs.
std::string kernelFunctionName(const ir::TileShape &, Precision, ir::Accumulate, ir::IndexWidth columnWidth,
                               ir::IndexWidth rowWidth, const KernelOptions &);

/// One function:
///   RTM_KERNEL void NAME(const unsigned char *values, const COLUMN *columns, uint32_t entries, uint32_t tiles,
///                        const float *x, float *y [, const ROW *rows] [, uint32_t rowCount]);
/// For each of `tiles` tiles: y[rows of the tile] += sum over entries of value * x. The sum is made on its own from
/// zero and then added to y. `values` points at the run's values.
///  - COLUMN is uint8_t, uint16_t or uint32_t; `columns` points at the run's first entry of the column table. A shape
///    with denseColumns has no such argument, and `x` points at the run's first column.
///  - width c > 1: x[column .. column + c) is read for each entry.
///  - gather: columns[(entry * vectors + vector) * lanes + lane], partial: columns[entry * rowCount + lane].
///  - indexed: y is the whole vector; tile t adds to y[rows[t * R + i]] for i < min(R, rowCount - t * R), R =
///  shape.rows().
///    Otherwise y points at the run's first row and every tile is full, unless it is
///  - partial: one tile of rowCount rows, no argument `tiles`. ir::surplusValues of values (and of gathered columns,
///    which must be columns of x) behind its own are read and not used.
///    halfLast: the last vector has half of the lanes.
///  - bf16: `entries` is even.
///  - F16x4: x is `const f16 *` (rtm::simd::f16); only where simd.h was included with RTM_SIMD_FP16.
///  - Unroll::Tile: `entries` is not an argument (KernelOptions::entries is compiled in).
///  - Chunk: `const float *x, size_t xStride, float *y, size_t yStride, size_t steps`: the same of each of `steps` rows
///    of x and y that are so many floats apart, tile by tile. What is left goes through the kernels of the Chunk
///    values before; the sums are the same. SumBySum also asks for the cache lines behind a tile, where the next one
///    is.
/// x must be readable up to the end of its buffer's padding; nothing beyond the listed columns is read.
std::string kernelSource(const ir::TileShape &, Precision, ir::Accumulate, ir::IndexWidth columnWidth,
                         ir::IndexWidth rowWidth, const KernelOptions &);

/// How many runs a kernel may take at once; 0: only one at a time.
///  - Block lanes that are one vector each: as many as the columns of a block, so that their sums fill one vector
///    together. Alone such a tile is mostly its start and its end, the sum across lanes.
///  - Two stripes of one or two vectors in bf16 where the target has few registers, so that a row has two sums in every
///    tile: alone they wait for their own sums. In f32 and f16 loads are what limits them.
uint32_t joinedRuns(const ir::TileShape &, Precision, ir::Accumulate, ir::IndexWidth columnWidth, uint32_t registers);

/// The shape whose kernel takes such runs: of stripes one for all tiles of as many vectors, whatever rows they have; a
/// vector of fewer lanes counts as one of `lanes`. It reads surplusValues() of this shape behind a run's values.
ir::TileShape joinedShape(const ir::TileShape &, uint32_t lanes);

/// joinedRuns() runs of equally many entries and one tile each, of a joinedShape(). The same sums:
///   RTM_KERNEL void NAME(const unsigned char *values, const COLUMN *columns, const Run *runs, const float *x, float
///   *y);
/// `values`, `columns` and `y` are those that the descriptors count from; `_x<n>` behind kernelFunctionName().
std::string joinedName(const ir::TileShape &, Precision, ir::IndexWidth columnWidth, const KernelOptions &);
std::string joinedSource(const ir::TileShape &, Precision, ir::IndexWidth columnWidth, const KernelOptions &);

/// A run as straight-line code: columns are immediate numbers, the entries are unrolled, tiles are looped over.
///   RTM_KERNEL void NAME(const unsigned char *values, const float *x, float *y [, const ROW *rows]
///                        [, uint32_t rowCount]);
/// `x` is the whole vector (denseColumns: `columns` still lists every column). Same sums as kernelSource.
/// `rows`: of all tiles. `columns`: one per entry (gather: entries * valuesPerEntry).
std::string fullSource(const std::string &name, const ir::TileShape &, Precision, ir::Accumulate,
                       ir::IndexWidth rowWidth, uint32_t entries, uint32_t tiles, uint32_t rows,
                       std::span<const uint32_t> columns, const KernelOptions &);

/// Bytes of text that fullSource would make, nearly; for the budget.
uint64_t fullSourceBytes(const ir::TileShape &, Precision, uint32_t entries);

/// Shapes that suit the target, largest first: full tiles (consecutive rows), then tails in narrower vectors; each also
/// as indexed. All are supported by kernelSource; so is any other with lanes in {1, 4, 8, 16} up to the target's,
/// width a power of two up to lanes, and vectors in 1..16 (more than four are summed in several passes).
std::vector<ir::TileShape> tileShapes(const passes::TargetTraits &, const ir::Lanes &, Precision);

}  // namespace rtmc::backend
