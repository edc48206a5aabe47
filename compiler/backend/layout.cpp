#include "backend/layout.h"

#include "ir/kernel_access.h"
#include "support/check.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <functional>
#include <limits>
#include <optional>
#include <set>

namespace rtmc::backend {
namespace {

using ir::Buffer;
using ir::Lifetime;
using ir::Program;

/// Const vectors longer than this stand in the blob instead of in text.
constexpr size_t kInlineConstants = 64;

std::span<const uint8_t> bytesOfFloats(const std::vector<float> &values) {
  return {reinterpret_cast<const uint8_t *>(values.data()), values.size() * sizeof(float)};
}

/// Calls fn(operation) in the order in which a step runs them.
template <typename Fn>
void forEachOperation(const Program &program, Fn &&fn) {
  for (const ir::Section &section : program.sections) {
    for (const ir::Phase &phase : section.phases) {
      for (const ir::Operation &op : phase.ops) fn(op);
    }
  }
}

std::set<ir::Id> usedBuffers(const Program &program) {
  std::set<ir::Id> used;
  forEachOperation(program, [&](const ir::Operation &op) {
    ir::forEachAccess(op, [&](ir::Id buffer, bool) { used.insert(buffer); });
  });
  for (const ir::StateSlot &slot : program.states) used.insert(slot.buffer);
  for (const ir::Section &section : program.sections) {
    for (const auto &[state, next] : section.swaps) used.insert({state, next});
  }
  return used;
}

void placeBuffers(const Program &program, Layout &layout) {
  NameTable names;
  const std::set<ir::Id> used = usedBuffers(program);
  layout.buffers.resize(program.buffers.size());
  for (ir::Id id = 0; id < program.buffers.size(); ++id) {
    const Buffer &buffer = program.buffers[id];
    BufferHome &home = layout.buffers[id];
    home.half = buffer.dtype == ir::DType::F16;
    home.padded = paddedSize(buffer.size, home.half);
    // In and out count even where nothing reads them: they are the shape of the user's rows.
    if (buffer.lifetime == Lifetime::In) {
      home.home = Home::In;
      home.offset = layout.inputs;
      layout.inputs += buffer.size;
      continue;
    }
    if (buffer.lifetime == Lifetime::Out) {
      home.home = Home::Out;
      home.offset = layout.outputs;
      layout.outputs += buffer.size;
      continue;
    }
    if (!used.contains(id) || buffer.size == 0) continue;
    home.member = names.unique(buffer.name);
    if (buffer.lifetime == Lifetime::Const) {
      RTMC_CHECK(buffer.init.size() == buffer.size, "a constant has another number of values than its buffer");
      RTMC_CHECK(!home.half, "constants are f32");
      home.home = buffer.size > kInlineConstants ? Home::Blob : Home::Const;
    } else if (buffer.allSteps) {
      RTMC_CHECK(buffer.init.empty(), "a value of all steps has no start value");
      home.home = Home::AllSteps;
      home.offset = layout.stepBytes;
      layout.stepBytes += uint64_t{home.padded} * (home.half ? 2 : 4);
    } else {
      home.home = buffer.perShare ? Home::PerShare : Home::Member;
    }
  }
  for (const ir::Section &section : program.sections) {
    for (const auto &[state, next] : section.swaps) {
      BufferHome &a = layout.buffers[state], &b = layout.buffers[next];
      RTMC_CHECK(a.home == Home::Member && b.home == Home::Member && a.padded == b.padded && a.half == b.half,
                 "buffers that change places must be alike");
      a.home = b.home = Home::Pair;
      b.member = a.member;
      b.next = true;
    }
  }
}

struct ByteRange {
  uint64_t begin = std::numeric_limits<uint64_t>::max(), end = 0;
  bool empty() const { return begin >= end; }
};

ByteRange shareRange(const ir::Packed &packed, uint32_t share) {
  ByteRange out;
  for (uint32_t i = packed.shareBegin[share]; i < packed.shareBegin[share + 1]; ++i) {
    out.begin = std::min(out.begin, packed.runs[i].value);
    out.end = std::max(out.end, packed.readEndOf(packed.runs[i]));
  }
  return out;
}

std::string_view indexType(ir::IndexWidth width) {
  switch (width) {
    case ir::IndexWidth::U8:
      return "uint8_t";
    case ir::IndexWidth::U16:
      return "uint16_t";
    case ir::IndexWidth::U32:
      return "uint32_t";
  }
  return "uint32_t";
}

void placeShare(const ir::Weights &weights, uint32_t share, uint32_t shares, WeightsHome &home, Layout &layout) {
  const ir::Packed &packed = *weights.packed;
  ByteRange range = shareRange(packed, share);
  if (range.empty()) return;
  range.begin = range.begin / 64 * 64;  // vectors keep the alignment that pack gave them
  RTMC_CHECK(range.end <= packed.values.size(), "a run ends behind the packed values");
  home.valueBase[share] = range.begin;
  home.valueBytes[share] = range.end - range.begin;
  home.values[share] =
      layout.members.unique(home.name + (shares > 1 ? fmt::format("_values{}", share) : std::string("_values")));
  layout.blob.add("unsigned char", 1, home.values[share],
                  std::span(packed.values).subspan(range.begin, range.end - range.begin), weights.name);
}

/// Values of share 0 in the order in which a step reads them, then of share 1 ..., then what is small.
void placeWeights(const Program &program, Layout &layout) {
  NameTable names;
  layout.weights.resize(program.weights.size());
  std::vector<ir::Id> order;
  forEachOperation(program, [&](const ir::Operation &op) {
    const auto *matMul = std::get_if<ir::MatMul>(&op);
    if (matMul == nullptr || layout.weights[matMul->weights].used) return;
    layout.weights[matMul->weights].used = true;
    order.push_back(matMul->weights);
  });
  for (const ir::Id id : order) {
    const ir::Weights &weights = program.weights[id];
    RTMC_CHECK(weights.packed.has_value(), "the backend needs packed weights");
    RTMC_CHECK(weights.packed->shareBegin.size() == program.shares + 1,
               "a matrix is cut into another number of shares");
    WeightsHome &home = layout.weights[id];
    home.name = names.unique(weights.name);
    home.values.resize(program.shares);
    home.valueBase.resize(program.shares);
    home.valueBytes.resize(program.shares);
  }
  for (uint32_t share = 0; share < program.shares; ++share) {
    for (const ir::Id id : order) placeShare(program.weights[id], share, program.shares, layout.weights[id], layout);
  }
  for (ir::Id id = 0; id < program.buffers.size(); ++id) {
    BufferHome &home = layout.buffers[id];
    if (home.home != Home::Blob) continue;
    home.member = layout.members.unique(home.member);
    layout.blob.add("float", 4, home.member, bytesOfFloats(program.buffers[id].init), program.buffers[id].comment);
  }
  for (const ir::Id id : order) {
    const ir::Packed &packed = *program.weights[id].packed;
    WeightsHome &home = layout.weights[id];
    const auto addTable = [&](const char *suffix, ir::IndexWidth width, const std::vector<uint32_t> &table) {
      if (table.empty()) return std::string();
      std::string name = layout.members.unique(home.name + suffix);
      layout.blob.add(std::string(indexType(width)), ir::bytesOf(width), name, indexBytes(table, ir::bytesOf(width)),
                      program.weights[id].name);
      return name;
    };
    home.columns = addTable("_columns", packed.columnWidth, packed.columnTable);
    home.rows = addTable("_rows", packed.rowWidth, packed.rowTable);
  }
}

}  // namespace

uint32_t paddedSize(uint32_t size, bool half) {
  const uint32_t unit = half ? 32 : 16;
  return (size + unit - 1) / unit * unit;
}

Layout makeLayout(const Program &program) {
  Layout layout;
  placeBuffers(program, layout);
  placeWeights(program, layout);
  return layout;
}

std::string bufferArray(const Layout &layout, ir::Id id, std::string_view step) {
  const BufferHome &home = layout.buffers[id];
  switch (home.home) {
    case Home::Unused:
      break;
    case Home::Member:
      return "b." + home.member;
    case Home::Pair:
      return fmt::format("b.{}[args->parity{}]", home.member, home.next ? " ^ 1" : "");
    case Home::PerShare:
      return fmt::format("b.{}[share]", home.member);
    case Home::AllSteps:
      return fmt::format("stepRow<{}, {}>(args, {}, {})", home.half ? "Half" : "float", home.padded, home.offset, step);
    case Home::In:
      return "inputs(args)";
    case Home::Out:
      return "outputs(args)";
    case Home::Const:
      return "k_" + home.member;
    case Home::Blob:
      return "w." + home.member;
  }
  RTMC_CHECK(false, "a buffer that nothing uses is read");
}

uint32_t rowStride(const Layout &layout, ir::Id id) {
  const BufferHome &home = layout.buffers[id];
  RTMC_CHECK(home.home == Home::In || home.home == Home::AllSteps, "a buffer that has no row for each step");
  return home.home == Home::In ? layout.inputs : home.padded;
}

uint64_t bufferOffset(const Layout &layout, ir::Id id) {
  const BufferHome &home = layout.buffers[id];
  return home.home == Home::In || home.home == Home::Out ? home.offset : 0;
}

}  // namespace rtmc::backend
