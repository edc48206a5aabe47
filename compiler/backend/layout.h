// Owns: where each buffer and each packed table of a program lives in generated C++: members of `struct Buffers` and
// `struct Weights`, the order of the blob, and the expression that names a buffer.
// Refuses to own: the text around it (backend/emit_cpp.cpp) and kernels (backend/kernels.h).
#pragma once

#include "backend/blob.h"
#include "backend/identifiers.h"
#include "ir/kernel.h"

#include <cstdint>
#include <map>
#include <string>
#include <string_view>
#include <vector>

namespace rtmc::backend {

enum class Home : uint8_t {
  Unused,
  Member,    // b.name
  Pair,      // b.name[2][N], the copy chosen by args->parity
  PerShare,  // b.name[shares][N]
  AllSteps,  // behind the struct, max_steps rows
  In,
  Out,    // the user's memory
  Const,  // a constexpr array of the source
  Blob    // a member of Weights
};

struct BufferHome {
  Home home = Home::Unused;
  std::string member;   // name in its struct, or of its array
  bool next = false;    // Pair: this is the copy that becomes current
  uint32_t padded = 0;  // elements with padding
  uint64_t offset = 0;  // AllSteps: bytes before it per step; In, Out: floats before it in a row
  bool half = false;
};

/// Where one matrix's tables stand. Names are members of Weights.
struct WeightsHome {
  std::string name;                  // identifier of the matrix: "gru0_weight_hh_z"
  std::vector<std::string> values;   // one per share; empty: the share has no values
  std::vector<uint64_t> valueBase;   // byte offset in Packed::values where the share's member starts
  std::vector<uint64_t> valueBytes;  // of the share's member
  std::string columns, rows;         // empty: none
  bool used = false;
};

struct Layout {
  std::vector<BufferHome> buffers;
  std::vector<WeightsHome> weights;
  Blob blob;               // values, const buffers, tables; run tables are added by the emitter before finish()
  uint64_t stepBytes = 0;  // rtm_model::step_bytes
  uint32_t inputs = 0, outputs = 0;
  NameTable members;  // of Weights
};

Layout makeLayout(const ir::Program &);

/// An array (never a pointer, so that Clang knows its size) that holds a buffer: "b.gru0_h[args->parity]",
/// "w.gru0_bias", "inputs(args)"; and where in it the buffer's first element stands. `step`: the row of a value that is
/// kept for all steps.
std::string bufferArray(const Layout &layout, ir::Id buffer, std::string_view step = "args->step");
/// From a row of In or of a value that is kept for all steps to the next, in elements.
uint32_t rowStride(const Layout &layout, ir::Id buffer);
uint64_t bufferOffset(const Layout &layout, ir::Id buffer);

/// Elements after which a vector of 64 bytes starts anew: 16 floats or 32 halves.
uint32_t paddedSize(uint32_t size, bool half);

}  // namespace rtmc::backend
