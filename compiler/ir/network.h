// Owns: the network IR: layers and tensors as the user wrote them, in PyTorch's shapes and gate order.
// Refuses to own: how it is read from a file (frontend), and anything about kernels (ir/kernel.h).
#pragma once

#include "support/diagnostics.h"

#include <array>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <variant>
#include <vector>

namespace rtmc::ir {

enum class Scheme : uint8_t { Auto, Dense, Bsp, Bcr, Csb, Block, Row, Column, Unstructured };
std::string_view schemeName(Scheme);
std::optional<Scheme> parseScheme(std::string_view);

/// What the user promised about a matrix, or what find-structure found. Blocks start at a gate matrix's corner.
struct Structure {
  Scheme scheme = Scheme::Auto;
  uint32_t blockRows = 0;  // 0: not blocked
  uint32_t blockColumns = 0;
  double fill = 1.0;  // nonzeros / positions inside the structure
  Location where;     // of the promise
};

/// A constant with its mask. Shapes are PyTorch's: matrices [out, in] row-major, vectors [n].
struct Tensor {
  std::string name;             // canonical: "gru0.weight_hh"
  std::string source;           // name in the weight file, for messages
  std::vector<uint32_t> shape;  // 1 or 2 dimensions; empty: the tensor is absent
  std::vector<float> values;
  std::vector<uint8_t> mask;  // empty: zeros are the mask; else one byte per value, 0 = pruned
  Structure promise;          // `sparsity:` of this tensor (scheme Auto: none)
  Location where;

  bool present() const { return !shape.empty(); }
  uint32_t rows() const { return shape.empty() ? 0 : shape[0]; }
  uint32_t columns() const { return shape.size() < 2 ? 1 : shape[1]; }
};

enum class Activation : uint8_t { None, Relu, Sigmoid, Tanh, Softmax, LogSoftmax };
enum class Direction : uint8_t { Forward, Backward, Both };

/// The tensors of one direction of a recurrent layer, gates stacked in canonical order (GRU r,z,n; LSTM i,f,g,o).
struct Recurrence {
  Tensor weightIh;  // [G*H, I]
  Tensor weightHh;  // [G*H, H], or [4*H, P] with a projection
  Tensor biasIh;    // [G*H]; absent = zero
  Tensor biasHh;    // [G*H]
  Tensor peephole;  // [3*H] order i, f, o; LSTM only
  Tensor weightHr;  // [P, H]; LSTM with projection only

  // --- annotations, empty until their pass has run ---
  /// fold-constants: per gate, per unit: 1 where neither matrix has a live weight in the row, so that the gate's
  /// pre-activation is its bias. Empty: not folded (every row is computed).
  std::vector<std::vector<uint8_t>> constantRows;
  /// find-structure: per gate.
  std::vector<Structure> structureIh, structureHh;
  Structure structureHr;
};

struct Gru {
  static constexpr uint32_t kGates = 3;  // r, z, n
  bool resetAfter = false;               // PyTorch's and ONNX's linear_before_reset=1
  std::vector<Recurrence> directions;    // one, or [forward, backward]
};
struct Lstm {
  static constexpr uint32_t kGates = 4;  // i, f, g, o
  bool peepholes = false;
  uint32_t projection = 0;  // 0: none
  std::vector<Recurrence> directions;
};
struct Rnn {
  static constexpr uint32_t kGates = 1;
  Activation activation = Activation::Tanh;  // Tanh or Relu
  std::vector<Recurrence> directions;
};
struct Linear {
  Tensor weight;  // [out, in]
  Tensor bias;    // [out]; absent = zero
  Activation activation = Activation::None;
  std::vector<uint8_t> constantRows;  // see Recurrence::constantRows
  Structure structure;
};

/// Names a vector that a layer reads: an input of the network or an earlier layer's output.
struct ValueRef {
  enum class Kind : uint8_t { Input, Layer } kind = Kind::Input;
  uint32_t index = 0;
  bool operator==(const ValueRef &) const = default;
};

struct Range {
  float low = 0, high = 0;
};

struct Input {
  std::string name;
  uint32_t size = 0;
  std::optional<Range> range;
  Location where;
};

struct Layer {
  std::string name;
  uint32_t size = 0;  // hidden units H per direction; output rows of a linear layer
  Direction direction = Direction::Forward;
  std::vector<ValueRef> inputs;  // concatenated in this order
  std::optional<Range> range;
  std::variant<Gru, Lstm, Rnn, Linear> op;
  Location where;

  /// fold-constants: per direction, the user's index of each unit that is still there, ascending. Empty: all of them.
  /// Tensors are already cut down to these units (rows here, columns in readers); `size` is then the number kept and
  /// `userSize` what the user wrote. A dropped unit's saved state is written as zero and ignored when loaded.
  std::vector<std::vector<uint32_t>> keptUnits;
  uint32_t userSize = 0;  // 0 until units were dropped
};

struct FoldReport {
  uint64_t constantGateRows = 0;  // gate rows that became constants
  uint64_t constantGates = 0;     // whole gates
  uint64_t droppedUnits = 0;
  uint64_t droppedWeights = 0;  // nonzero weights that only dropped units read or wrote
};

struct Network {
  uint32_t version = 1;
  std::string name;
  std::vector<Input> inputs;
  std::vector<Layer> layers;        // in execution order: a layer reads only earlier ones
  std::vector<ValueRef> outputs;    // concatenated in this order
  std::vector<std::string> passes;  // passes that ran, in order
  FoldReport folded;
  Location where;

  bool causal() const;
  uint32_t inputSize() const;
  uint32_t outputSize() const;
};

/// Elements of what a value holds per step (both directions and projection counted).
uint32_t sizeOf(const Network &, ValueRef);
uint32_t inputSizeOf(const Network &, const Layer &);
/// What one direction puts out per step: H, or P with a projection, or a linear layer's rows.
uint32_t outputSizePerDirection(const Layer &);
/// G of a layer's op; 1 for linear.
uint32_t gateCount(const Layer &);
/// Letter or name of a gate for messages and kernel names: "r", "z", "n"; "i", "f", "g", "o"; "h" for rnn; "y" for
/// linear.
std::string_view gateName(const Layer &, uint32_t gate);
std::vector<Recurrence> *recurrences(Layer &);  // null for linear
const std::vector<Recurrence> *recurrences(const Layer &);

/// Every rule a network must keep; messages name the layer. Empty: accepted.
std::vector<std::string> verify(const Network &);

}  // namespace rtmc::ir
