// Owns: the kernel IR: what the generated code will do, step by step, for any backend.
// Refuses to own: how a backend writes it (backend/), and where a schedule comes from (passes/choose_schedule.h).
//
// A Program is buffers + weights + sections of phases. All operations of one phase may run at the same time on
// different shares (threads, work-groups); a barrier ends the phase. Inside a share the operations run in order, and a
// share reads from this phase's results only what it wrote itself: the verifier proves it.
#pragma once

#include "ir/network.h"
#include "support/numeric.h"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace rtmc::ir {

using Id = uint32_t;
inline constexpr Id kNone = ~0u;

/// An order of units. A layer's hidden units form a root space; reorder-rows may permute it, once, for all gates and
/// readers. The live rows of one gate form a compact space: slots, each naming a position of its parent.
struct Space {
  std::string name;             // "gru0", "gru0.z"
  uint32_t size = 0;            // positions or slots, padding slots included
  Id parent = kNone;            // compact spaces only
  std::vector<uint32_t> order;  // root: user's unit index per position; compact: parent position per slot, kNone for a
                                // padding slot (only at a share's end). Empty: identity
  uint32_t userSize = 0;        // root: units that the user has (dropped ones included)
};

enum class Lifetime : uint8_t { In, Out, State, Scratch, Const };
enum class DType : uint8_t { F32, F16 };

/// A vector per step. Storage is padded to 64 bytes; the padding is zero at the start and never holds NaN.
struct Buffer {
  std::string name;  // C identifier, unique: "gru0_h", "gru0_pre_z"
  uint32_t size = 0;
  Lifetime lifetime = Lifetime::Scratch;
  DType dtype = DType::F32;
  bool allSteps = false;    // one row per step (In, Out, and values between sections): of the sequence, in a causal
                            // network of the chunk; otherwise one row, living across phases and steps
  bool perShare = false;    // each share has a copy of its own and sees only that (half-precision copies of an x)
  Id space = kNone;         // order of its elements; kNone: the user's
  std::vector<float> init;  // Const: its values. Scratch: start values, zeros where empty. Written again by nobody else
  std::optional<Range> range;  // values stay inside: by the cell's equations, or promised by the user
  std::string comment;         // for the reader of the generated source
};

// ---------------------------------------------------------------------------------------------------- weights

enum class Format : uint8_t { Dense, Bspc, Csb, Block, Csr };
enum class Unroll : uint8_t { Auto, None, Tile, Full };
/// How products are summed: F32 = f32 multiply-adds; F16x4 = chains of four in half precision, widened and added in
/// f32 (x must be bounded and is read from an F16 buffer).
enum class Accumulate : uint8_t { F32, F16x4 };
enum class Placement : uint8_t { InPlace, Arena };

/// How rows and columns meet a vector: `lanes` floats hold lanes/width rows times `width` consecutive columns.
/// rows16 = {16,1}; block4x4 = {16,4}. gather16 = every lane has its own column (unstructured).
struct Lanes {
  uint32_t lanes = 16;
  uint32_t width = 1;
  bool gather = false;
  uint32_t rows() const { return gather ? lanes : lanes / width; }
  bool operator==(const Lanes &) const = default;
};
std::string lanesName(const Lanes &);  // "rows16", "block4x4", "gather16"
std::optional<Lanes> parseLanes(std::string_view);

// Names as they stand in YAML: "bspc", "tile", "f16x4", "in_place"; u8/u16/u32 for widths. nullopt: unknown name.
std::string_view formatName(Format);
std::optional<Format> parseFormat(std::string_view);
std::string_view unrollName(Unroll);
std::optional<Unroll> parseUnroll(std::string_view);
std::string_view accumulateName(Accumulate);
std::optional<Accumulate> parseAccumulate(std::string_view);
std::string_view placementName(Placement);
std::optional<Placement> parsePlacement(std::string_view);
std::string_view lifetimeName(Lifetime);
std::optional<Lifetime> parseLifetime(std::string_view);
std::string_view dtypeName(DType);
std::optional<DType> parseDtype(std::string_view);

/// Choices for one source matrix. Complete after choose-schedule; never depends on the number of threads.
struct Schedule {
  Format format = Format::Dense;
  Lanes lanes;
  uint32_t tile = 64;       // rows per full tile: a multiple of lanes.rows()
  uint32_t groupRows = 0;   // split row groups to at most this many rows; 0: no limit
  double mergeLimit = 0.0;  // explicit zeros allowed per group, as a share of its values
  bool permute = true;      // reorder-rows may permute units for this matrix's sake
  bool reorder = true;      // false: rows stay in the user's order, groups are runs of equal rows (ablation)
  bool shareLoads = true;   // false: tiles of one vector (ablation)
  bool compact = true;      // false: one 32-bit column index per value, as CSR has (ablation)
  Unroll unroll = Unroll::Auto;
  Precision precision = Precision::F32;
  Accumulate accumulate = Accumulate::F32;
  Placement placement = Placement::Arena;
};

/// Rows that are computed together: a dense rows x columns kernel, explicit zeros included. With lanes.width c > 1 each
/// entry of `columns` is the first of c consecutive columns; where c does not divide the matrix's columns, the last
/// entry overlaps the one before it, whose the weights in both are. Gather groups keep `columns` empty.
struct RowGroup {
  std::vector<uint32_t> rows;     // row-space positions (slots), in the order in which they are packed
  std::vector<uint32_t> columns;  // column-space positions, ascending
};

/// Shape of one kernel: `vectors` accumulators of `lanes` floats. Named by kernelName().
struct TileShape {
  uint32_t lanes = 16;  // floats per vector: the target's width or a smaller one for tails
  uint32_t width = 1;   // consecutive columns per entry
  uint32_t vectors = 1;
  bool indexed = false;       // rows are listed in the row table; else consecutive
  bool partial = false;       // one tile with fewer rows than the shape holds: only theirs are stored and written
  uint32_t rowStep = 1;       // partial: rows are stored in multiples of this, so that fewer loads cross a cache line
  bool denseColumns = false;  // entries are consecutive columns, no table
  bool gather = false;        // per-lane columns
  uint32_t rows() const { return gather ? lanes * vectors : lanes / width * vectors; }
  bool operator==(const TileShape &) const = default;
};

/// Bytes of one run's descriptor in a packed matrix.
inline constexpr uint64_t kRunDescriptorBytes = 20;

/// Consecutive tiles of one shape that share their columns: values lie one tile after the other.
struct TileRun {
  uint32_t shape = 0;  // index into Packed::shapes
  uint32_t row = 0;    // first row; where indexed, the first entry of rowTable
  uint32_t rows = 0;   // rows covered: tiles * shape.rows(), fewer where partial or (the last tile) indexed
  uint32_t tiles = 1;
  uint32_t entries = 0;  // entries of the column list (bf16: even, the last may be padding with zero weights)
  uint32_t column = 0;   // first entry in columnTable, or the first column itself where denseColumns. Gather: each
                         // tile has its own columns [entry][vector][lane], tile after tile, in the values' order
  uint64_t value = 0;    // byte offset in values
};

/// Values that each entry of a tile has: vectors * lanes; in a partial tile those of its rows, up to a multiple of
/// rowStep, so that the next entry begins right behind them and a kernel's last vector reads into it.
uint64_t valuesPerEntry(const TileShape &, uint32_t rows);
/// Bytes of the values of one tile: entries * valuesPerEntry * bytesOf(p). bf16: `entries` is even.
uint64_t tileValueBytes(const TileShape &, Precision, uint32_t entries, uint32_t rows);
/// What a kernel reads (and does not use) behind the values of a partial tile's last entry; of gathered columns as
/// well.
uint64_t surplusValues(const TileShape &, uint32_t rows);
/// Bytes that kernels read at a time for a lane: bf16 is words of two entries.
uint32_t laneBytes(Precision);
/// What TileRun::value must be a multiple of: the bytes of one vector of values (bf16: of one vector of words), at
/// most 64; of rowStep values in a partial tile.
uint32_t valueAlignment(const TileShape &, Precision);
/// `<op>_<precision>_<lanes>_t<rows>_u<unroll>` and `_i`, `_d`: docs/kernel_names.md.
std::string kernelName(Precision, Accumulate, const TileShape &, Unroll);

enum class IndexWidth : uint8_t { U8, U16, U32 };
constexpr uint32_t bytesOf(IndexWidth w) {
  return w == IndexWidth::U8 ? 1 : w == IndexWidth::U16 ? 2 : 4;
}
constexpr uint32_t maximumOf(IndexWidth w) {
  return w == IndexWidth::U8 ? 0xFF : w == IndexWidth::U16 ? 0xFFFF : ~0u;
}
std::string_view indexWidthName(IndexWidth);
std::optional<IndexWidth> parseIndexWidth(std::string_view);

/// The bytes that ship. Value order in a tile: f32, f16: [entry][vector][lane]; bf16: [entry pair][vector][lane] as
/// 32-bit words, low half = even entry, high half = odd entry, the high half chosen so that the whole word read as a
/// float is nearest to the odd entry's weight. Lane of row r, column cc: r * width + cc. A partial tile has no lanes
/// behind its last row's.
struct Packed {
  Precision precision = Precision::F32;
  std::vector<TileShape> shapes;
  std::vector<TileRun> runs;          // ordered by share, then memory order
  std::vector<uint32_t> shareBegin;   // shares + 1 offsets into runs
  std::vector<uint8_t> values;        // 64-byte aligned in the blob
  std::vector<uint32_t> columnTable;  // decoded; stored with columnWidth
  IndexWidth columnWidth = IndexWidth::U16;
  std::vector<uint32_t> rowTable;
  IndexWidth rowWidth = IndexWidth::U16;

  uint64_t tileBytes(const TileRun &run) const {
    return tileValueBytes(shapes[run.shape], precision, run.entries, run.rows);
  }
  uint64_t endOf(const TileRun &run) const { return run.value + run.tiles * tileBytes(run); }
  uint64_t readEndOf(const TileRun &) const;  // where kernels stop reading
  uint64_t valueBytes() const { return values.size(); }
  uint64_t indexBytes() const;  // column table, row table and run descriptors
};

/// One source matrix (one gate of one tensor, cut to one source vector where layers are concatenated).
struct Weights {
  std::string name;   // "gru0.weight_hh.z"; "gru0.weight_ih.z@1" for the second concatenated source
  uint32_t rows = 0;  // row-space size; changes only when the space does
  uint32_t columns = 0;
  Id rowSpace = kNone;     // the space of y
  Id columnSpace = kNone;  // the space of x; kNone: the user's order
  Structure structure;
  std::string patternHash;  // 16 hex digits; key of the schedule; independent of the values
  Location where;           // of the tensor in model.yaml, for messages; nowhere in IR that was read back
  // The matrix itself, CSR with ascending columns, until pack has run; then empty and `packed` tells.
  std::vector<uint32_t> rowBegin, columnIndex;
  std::vector<float> values;
  uint64_t nonzeros = 0;
  Schedule schedule;
  std::vector<RowGroup> groups;  // after reorder-rows
  std::vector<TileShape>
      tiles;  // after share-loads: per group would repeat; the shapes that pack may use, largest first
  std::optional<Packed> packed;
};

struct CsrMatrix {
  uint32_t rows = 0, columns = 0;
  std::vector<uint32_t> rowBegin, columnIndex;
  std::vector<float> values;
};
/// The matrix that the packed bytes mean, from the tables alone; explicit zeros dropped. Duplicate positions are an
/// error of the verifier, summed here.
CsrMatrix expand(const Weights &);

// ---------------------------------------------------------------------------------------------------- operations

/// y += W x for this share's runs.
struct MatMul {
  std::string name;
  Id weights = kNone;
  Id x = kNone;
  uint32_t xOffset = 0;  // first element of x
  Id y = kNone;
};

enum class EwOp : uint8_t {
  Load,   // buffer[offset + i], or buffer[offset + map[i]]
  Store,  // the same place; converts to the buffer's dtype
  Const,  // imm
  Add,
  Sub,
  Mul,
  Fma,   // a*b + c, rounded once where the target has it
  Lerp,  // a*b + (1-a)*c: the GRU's update z*h + (1-z)*n, computed as c + a*(b-c)
  Sigmoid,
  Tanh,
  Relu
};
std::string_view ewOpName(EwOp);  // "load", "fma"
std::optional<EwOp> parseEwOp(std::string_view);
uint32_t operandCount(EwOp);  // how many of a, b, c the operation takes
/// One instruction per element; `a`, `b`, `c` are indices of earlier instructions.
struct EwInstr {
  EwOp op = EwOp::Const;
  uint32_t a = kNone, b = kNone, c = kNone;
  float imm = 0;
  Id buffer = kNone;
  uint32_t offset = 0;
  bool mapped = false;  // index through Elementwise::map
  std::string name;     // for the reader: "z", "h_new"
};

struct Part {
  uint32_t begin = 0, end = 0;
};

/// For each i of the share's part: run `body`.
struct Elementwise {
  std::string name;
  bool replicated = false;  // every share runs all of it; it writes perShare buffers only; `parts` stays empty
  uint32_t count = 0;
  Id space = kNone;           // the domain; kNone: plain range
  std::vector<uint32_t> map;  // count entries where an instruction is mapped
  std::vector<EwInstr> body;
  std::vector<Part> parts;  // one per share after partition; before: empty = everything in share 0
};

/// out[offset + i] = softmax or log softmax of in, over the whole vector; share 0 computes it.
struct Softmax {
  std::string name;
  Id in = kNone, out = kNone;
  uint32_t offset = 0;  // in out
  uint32_t count = 0;
  bool log = false;
};

using Operation = std::variant<MatMul, Elementwise, Softmax>;

struct Phase {
  std::string name;            // "gru0: reset and update gates"
  Id domain = kNone;           // the root space whose units are shared out
  std::vector<uint32_t> cuts;  // after partition: shares+1 positions of domain; share s owns [cuts[s], cuts[s+1])
  std::vector<Operation> ops;
  std::vector<double> shareCost;  // predicted ns per share, after partition
};

/// PerChunk: its operations run for all steps of a chunk, one operation after the other.
enum class SectionKind : uint8_t { Once, PerChunk, PerStep };
std::string_view sectionKindName(SectionKind);  // "once", "per_chunk", "per_step"
std::optional<SectionKind> parseSectionKind(std::string_view);
struct Section {
  std::string name;
  SectionKind kind = SectionKind::PerStep;
  bool backward = false;  // steps run from last to first
  std::vector<Phase> phases;
  std::vector<std::pair<Id, Id>> swaps;  // at the end of each step: (state, its next value) change places
};

struct StateSlot {
  Id buffer = kNone;  // in layers' order, h then c; each in its space's user order
};

struct LoadReport {
  uint64_t before = 0;  // one load of x per kept weight
  uint64_t after = 0;   // one per tile and entry element
};

struct Program {
  uint32_t version = 1;
  std::string name;
  std::string target, cpu;  // triple and processor
  Precision precision = Precision::F32;
  uint32_t shares = 1;  // threads that the program is cut for
  std::vector<Space> spaces;
  std::vector<Buffer> buffers;
  std::vector<Weights> weights;
  // Causal: forward; run one after the other for each chunk of steps. Otherwise: for the whole sequence.
  std::vector<Section> sections;
  uint32_t chunk = 1;  // causal: most steps of a chunk; a call runs its steps in chunks of so many
  std::vector<StateSlot> states;
  bool causal = true;
  std::string shapeHash;  // 16 hex digits: layers, sizes and order; guards saved states
  FoldReport folded;
  LoadReport loads;
  std::vector<std::string> passes;
};

/// Whether the product of these weights stands in a section that runs per chunk.
bool runsPerChunk(const Program &, Id weights);

/// What the bytes of one packed matrix break: indices and offsets out of range, overlaps, misplaced padding. Shares and
/// buffers are verify(Program)'s. Empty: expand() is safe.
std::vector<std::string> verifyPacked(const Weights &);

/// Every rule of the IR. Before pack: sizes, ids, spaces, shares' independence. For packed programs also: every value,
/// column, row and run inside its table, every row and column inside its buffer, no position twice.
std::vector<std::string> verify(const Program &);

}  // namespace rtmc::ir
