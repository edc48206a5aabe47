#include "backend/kernel_text.h"

#include "support/check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>

namespace rtmc::backend {
namespace {

using Values = std::vector<TemplateValue>;

/// Vectors of rows that are summed at a time: with the chains, half of the registers.
constexpr uint32_t kVectorsPerPass = 4;
/// Entries per round of the loop: a multiple of every number of chains.
constexpr uint32_t kBlock = 4;
/// F16x4: entries of one chain in half precision, and sums that the chains are added to by turns.
constexpr uint32_t kHalfChain = 4, kHalfSums = 2;

class Builder {
 public:
  explicit Builder(const KernelPlan &plan)
      : k_(plan),
        s_(plan.shape),
        half_(plan.accumulate == ir::Accumulate::F16x4),
        bf16_(plan.precision == Precision::BF16),
        chains_(chainsOf(plan)),
        lanes_(s_.lanes),
        vectorBytes_(uint64_t{s_.lanes} * bytesOf(plan.precision) * (bf16_ ? 2 : 1)) {
    if (!s_.partial || k_.rows) perEntry_ = ir::valuesPerEntry(s_, k_.rows.value_or(0));
  }

  std::string run() {
    TemplateValue v;
    const bool straight = k_.entries.has_value(), immediate = k_.columns.has_value();
    v["title"] = title();
    v["name"] = k_.name;
    v["attribute"] = k_.mayInline ? "" : "[[gnu::noinline]] ";
    v["parameters"] = parameters();
    v["using"] = usingDeclarations();
    v["loopTiles"] = !s_.partial && (!k_.tiles || *k_.tiles != 1);
    v["tiles"] = k_.tiles ? std::to_string(*k_.tiles) : std::string("tiles");
    v["indexed"] = s_.indexed;
    v["upTo"] = s_.partial && !s_.indexed;
    v["rows"] = s_.rows();
    v["sums"] = sums();
    v["gather"] = s_.gather;
    v["gatherTable"] = s_.gather && !immediate;
    v["columnType"] = indexType(k_.columnWidth);
    v["severalPasses"] = s_.vectors > kVectorsPerPass;
    v["straight"] = straight;
    v["step"] = half_ ? "cpp/kernel_step_f16x4" : bf16_ ? "cpp/kernel_step_bf16" : "cpp/kernel_step_float";
    v["V"] = vectorType();
    v["W"] = fmt::format("u32x{}", lanes_);
    v["width"] = s_.width;
    v["loadValue"] = k_.precision == Precision::F16 ? "loadHalf" : "load";
    const bool firstOnly = straight && *k_.entries <= (bf16_ ? 2 : 1);
    v["stride"] = !perEntry_ && !firstOnly;
    v["paddedRows"] = s_.rowStep == 1
                          ? std::string("size_t{rowCount}")
                          : fmt::format("(size_t{{rowCount}} + {0}) / {1} * {1}", s_.rowStep - 1, s_.rowStep);
    v["valueBytes"] = s_.width * bytesOf(k_.precision);
    v["entryBytes"] = entriesBytes(1);
    v["block"] = block();
    v["blockBytes"] = entriesBytes(block());
    v["columnsAtOnce"] = columnsAtOnce();
    v["columnsWord"] = k_.columnWidth == ir::IndexWidth::U8 ? "uint32_t" : "uint64_t";
    v["blockColumns"] = perEntry_ ? std::to_string(block() * *perEntry_) : fmt::format("{} * rowCount", block());
    const auto ofTile = [&](uint64_t perEntry) {
      return straight ? std::to_string(*k_.entries * perEntry) : fmt::format("size_t{{entries}} * {}", perEntry);
    };
    v["tileBytes"] = ofTile(perEntry_.value_or(0) * bytesOf(k_.precision));
    v["tileColumns"] = ofTile(perEntry_.value_or(0));
    Values passes;
    for (uint32_t first = 0; first < s_.vectors; first += kVectorsPerPass)
      passes.push_back(pass(first, std::min(s_.vectors, first + kVectorsPerPass)));
    v["passes"] = std::move(passes);
    return renderTemplate("cpp/kernel_matvec", v);
  }

 private:
  uint32_t block() const { return half_ ? kHalfChain * kHalfSums : kBlock; }
  /// Where every load of values comes with one of a column, the loads are what limits: a round's four columns are then
  /// read as one word. Wider tiles lose more by taking it apart.
  bool columnsAtOnce() const {
    return s_.vectors == 1 && !half_ && !s_.gather && !s_.denseColumns && !k_.entries &&
           k_.columnWidth != ir::IndexWidth::U32;
  }
  std::string vectorType() const { return fmt::format("f32x{}", lanes_); }
  static std::string_view indexType(ir::IndexWidth w) {
    return w == ir::IndexWidth::U8 ? "uint8_t" : w == ir::IndexWidth::U16 ? "uint16_t" : "uint32_t";
  }
  static std::string plus(uint64_t offset) { return offset == 0 ? "" : fmt::format(" + {}", offset); }
  /// Bytes of some entries' values: a number, or in terms of the template's `stride`.
  std::string entriesBytes(uint32_t count) const {
    if (perEntry_) return std::to_string(count * *perEntry_ * bytesOf(k_.precision));
    return count == 1 ? "stride" : fmt::format("{} * stride", count);
  }
  /// Where the values of a vector of an entry stand.
  std::string valueOffset(uint32_t entry, uint32_t vector) const {
    const uint64_t ofVector = vector * vectorBytes_;
    if (perEntry_) return plus(entry * *perEntry_ * bytesOf(k_.precision) + ofVector);
    return (entry == 0 ? "" : " + " + entriesBytes(entry)) + plus(ofVector);
  }
  static std::string sumName(uint32_t chain, uint32_t vector) {
    return fmt::format("{}{}", static_cast<char>('a' + chain), vector);
  }

  // ---- interface

  std::string title() const {
    std::string text =
        fmt::format("/// {} of {} weights in {} of {}", s_.rows() == 1 ? "1 row" : fmt::format("{} rows", s_.rows()),
                    half_ ? "f16" : precisionName(k_.precision),
                    s_.vectors == 1 ? "1 vector" : fmt::format("{} vectors", s_.vectors), lanes_);
    if (s_.width > 1) text += fmt::format(", {} columns by {} rows each", s_.width, lanes_ / s_.width);
    if (half_)
      text += fmt::format(
          ".\n/// Four entries at a time are summed in half precision, then added to one of {} sums in f32.", chains_);
    else
      text += fmt::format(".\n/// Entry k goes to sum k mod {}: {} sums per row hide the latency of the multiply-add.",
                          chains_, chains_);
    if (s_.gather) text += "\n/// Every lane has a column of its own.";
    return text;
  }

  std::string parameters() const {
    std::vector<std::string> list = {"const unsigned char *values"};
    if (!s_.denseColumns && !k_.columns) list.push_back(fmt::format("const {} *columns", indexType(k_.columnWidth)));
    if (!k_.entries) list.push_back("uint32_t entries");
    if (!k_.tiles && !s_.partial) list.push_back("uint32_t tiles");
    list.push_back(half_ ? "const rtm::simd::f16 *x" : "const float *x");
    list.push_back("float *y");
    if (s_.indexed) list.push_back(fmt::format("const {} *rows", indexType(k_.rowWidth)));
    if (s_.indexed || s_.partial) list.push_back("uint32_t rowCount");
    std::string text, line;
    for (size_t i = 0; i < list.size(); ++i) {
      const std::string item = list[i] + (i + 1 < list.size() ? "," : "");
      if (!line.empty() && line.size() + item.size() > 112) text += line + "\n", line.clear();
      line += (line.empty() ? "" : " ") + item;
    }
    text += line;
    // The template closes the list on its own line's end.
    return text + ") {";
  }

  /// The surroundings may have functions of the same names.
  std::string usingDeclarations() const {
    std::vector<std::string> names = {vectorType()};
    if (half_)
      for (const char *n : {"f16", "fma", "loadHalves", "splatHalf", "widen"}) names.push_back(n);
    else
      names.push_back("fma");
    if (half_)
      for (uint32_t first = 0; first < std::min(s_.vectors, kVectorsPerPass); first += 2) {
        const std::string type = halfType(first, std::min(s_.vectors, kVectorsPerPass));
        if (std::find(names.begin(), names.end(), type) == names.end()) names.push_back(type);
      }
    if (bf16_) names.insert(names.end(), {"highBf16", "loadOnce", "lowBf16", fmt::format("u32x{}", lanes_)});
    if (k_.precision == Precision::F16 && !half_) names.push_back("loadHalf");
    names.push_back("load");
    if (!half_ && !s_.gather) names.push_back("broadcast");
    if (s_.gather && !k_.columns) names.push_back("gather");
    if (s_.width > 1) names.push_back("fold");
    if (s_.width > 1 && s_.width < lanes_) names.push_back("inRowOrder");
    if (lastGroup() != s_.width && !s_.indexed) names.push_back("addFirst");
    if (s_.partial && !s_.indexed) names.push_back("addUpTo");
    names.push_back("store");
    std::sort(names.begin(), names.end());
    std::string text, line = "using ";
    for (size_t i = 0; i < names.size(); ++i) {
      const std::string item = "rtm::simd::" + names[i] + (i + 1 < names.size() ? "," : ";");
      if (line.size() + item.size() > 112) text += line + "\n", line = "   ";
      line += (line == "using " ? "" : " ") + item;
    }
    return text + line;
  }

  // ---- entries

  /// The element of x that entry `index` (of the loop's round, or of the whole list) starts at.
  std::string columnOf(uint32_t index, bool inRound) const {
    if (inRound && columnsAtOnce())
      return fmt::format("static_cast<{}>(four{})", indexType(k_.columnWidth),
                         index == 0 ? "" : fmt::format(" >> {}", index * 8 * bytesOf(k_.columnWidth)));
    if (k_.columns) return std::to_string((*k_.columns)[index]);
    std::string entry = k_.entries ? std::to_string(index) : "k" + plus(index);
    if (!s_.denseColumns) return fmt::format("columns[{}]", entry);
    if (s_.width == 1) return entry;
    if (k_.entries) return std::to_string(uint64_t{index} * s_.width);
    return index == 0 ? fmt::format("k * {}", s_.width) : fmt::format("({}) * {}", entry, s_.width);
  }

  std::string xOf(uint32_t index, bool inRound) const {
    const std::string column = columnOf(index, inRound);
    return column == "0" ? "x" : "x + " + column;
  }

  std::string gatheredX(uint32_t index, uint32_t vector) const {
    const uint64_t ofVector = uint64_t{vector} * lanes_;
    if (!perEntry_)
      return fmt::format("gather<{}>(x, c{}{})", vectorType(), index == 0 ? "" : fmt::format(" + {} * rowCount", index),
                         plus(ofVector));
    const uint64_t entry = index * *perEntry_;
    if (!k_.columns) return fmt::format("gather<{}>(x, c{})", vectorType(), plus(entry + ofVector));
    // Lanes without a row take any column.
    const auto column = [&](uint32_t i) { return (*k_.columns)[entry + std::min(ofVector + i, *perEntry_ - 1)]; };
    if (lanes_ == 1) return fmt::format("x[{}]", column(0));
    std::vector<std::string> lanes;
    for (uint32_t i = 0; i < lanes_; ++i) lanes.push_back(fmt::format("x[{}]", column(i)));
    return fmt::format("{}{{{}}}", vectorType(), fmt::join(lanes, ", "));
  }

  /// One entry, of bf16 two: what is read, and which sums it goes to.
  TemplateValue step(uint32_t index, uint32_t firstVector, uint32_t endVector, bool inRound) const {
    TemplateValue s;
    const uint32_t chain = index % chains_;
    s["name"] = fmt::format("x{}", index);
    s["oddName"] = fmt::format("x{}", index + 1);
    if (!s_.gather) {
      s["x"] = xOf(index, inRound);
      if (bf16_) s["oddX"] = xOf(index + 1, inRound);
    }
    Values vectors;
    for (uint32_t j = firstVector; j < endVector; ++j) {
      TemplateValue v;
      v["sum"] = sumName(chain, j);
      v["offset"] = valueOffset(index, j - firstVector);
      if (bf16_) {
        v["oddSum"] = sumName((index + 1) % chains_, j);
        v["word"] = fmt::format("w{}_{}", index, j);
      }
      if (s_.gather) {
        v["x"] = gatheredX(index, j);
        if (bf16_) v["oddX"] = gatheredX(index + 1, j);
      }
      vectors.push_back(std::move(v));
    }
    s["vectors"] = std::move(vectors);
    s["guard"] = fmt::format("k{} < entries", plus(index));
    s["advances"] = "";
    return s;
  }

  // ---- half precision

  /// The type that holds vector j and, where there is one before `end`, its neighbour.
  std::string halfType(uint32_t j, uint32_t end) const { return fmt::format("f16x{}", lanes_ * (j + 1 < end ? 2 : 1)); }

  /// Up to four entries from `index` on. `rest`: one to three, their number known at run time.
  TemplateValue halfStep(uint32_t index, uint32_t count, uint32_t sum, uint32_t firstVector, uint32_t endVector,
                         bool rest) const {
    TemplateValue s;
    Values entries, vectors;
    const auto chainName = [&](uint32_t j) { return fmt::format("h{}_{}", index / kHalfChain, j); };
    for (uint32_t e = 0; e < count; ++e) {
      TemplateValue entry;
      const bool later = rest && e == 1;
      entry["rest"] = later;
      entry["name"] = later ? std::string("next") : fmt::format("x{}", index + e);
      entry["x"] = fmt::format("x[{}]", columnOf(later ? 0 : index + e, false));
      Values halves;
      for (uint32_t j = firstVector; j < endVector; j += 2) {
        TemplateValue h;
        h["first"] = e == 0;
        h["type"] = halfType(j, endVector);
        h["chain"] = chainName(j);
        h["offset"] = valueOffset(index + (later ? 0 : e), j - firstVector);
        halves.push_back(std::move(h));
      }
      entry["halves"] = std::move(halves);
      entries.push_back(std::move(entry));
    }
    for (uint32_t j = firstVector; j < endVector; ++j) {
      TemplateValue v;
      v["sum"] = sumName(sum, j);
      v["part"] = (j - firstVector) % 2;
      v["chain"] = chainName(j - (j - firstVector) % 2);
      vectors.push_back(std::move(v));
    }
    s["entries"] = std::move(entries);
    s["vectors"] = std::move(vectors);
    s["advances"] = "";
    s["guard"] = rest ? "k < entries" : "k + 4 <= entries";
    return s;
  }

  // ---- one pass over the entries

  void addSteps(TemplateValue &p, uint32_t first, uint32_t end) const {
    Values steps, tail;
    const uint32_t count = k_.entries.value_or(block());
    if (half_) {
      // Chains are added to the sums by turns; an incomplete one at the end always to the first.
      const uint32_t whole = count / kHalfChain;
      for (uint32_t g = 0; g < whole; ++g)
        steps.push_back(halfStep(g * kHalfChain, kHalfChain, g % kHalfSums, first, end, false));
      if (count % kHalfChain) steps.push_back(halfStep(whole * kHalfChain, count % kHalfChain, 0, first, end, false));
      if (!k_.entries) {
        tail.push_back(halfStep(0, kHalfChain, 0, first, end, false));
        tail.back()["advances"] = entriesBytes(kHalfChain);
        tail.push_back(halfStep(0, 2, 0, first, end, true));
      }
    } else {
      const uint32_t stride = bf16_ ? 2 : 1;
      for (uint32_t i = 0; i < count; i += stride) steps.push_back(step(i, first, end, true));
      if (!k_.entries)
        for (uint32_t i = 0; i + stride < kBlock; i += stride) tail.push_back(step(i, first, end, false));
    }
    p["steps"] = std::move(steps);
    p["tail"] = std::move(tail);
  }

  TemplateValue pass(uint32_t first, uint32_t end) const {
    TemplateValue p;
    p["first"] = first;
    p["last"] = end - 1;
    p["valueOffset"] = plus(first * vectorBytes_);
    p["columnOffset"] = "";
    std::string accumulators;
    for (uint32_t c = 0; c < chains_; ++c) {
      std::vector<std::string> names;
      for (uint32_t j = first; j < end; ++j) names.push_back(sumName(c, j) + "{}");
      accumulators += fmt::format("{} {};\n", vectorType(), fmt::join(names, ", "));
    }
    p["accumulators"] = accumulators;
    addSteps(p, first, end);
    Values combined;
    for (uint32_t j = first; j < end; ++j) {
      TemplateValue v;
      v["name"] = sumName(0, j);
      v["sum"] = chains_ == 2
                     ? fmt::format("{} + {}", sumName(0, j), sumName(1, j))
                     : fmt::format("({} + {}) + ({} + {})", sumName(0, j), sumName(1, j), sumName(2, j), sumName(3, j));
      combined.push_back(std::move(v));
    }
    p["combined"] = std::move(combined);
    p["results"] = results(first, end);
    return p;
  }

  // ---- rows

  /// Vectors in the last result of the last pass. Fewer than `width`: some result has fewer rows than lanes.
  uint32_t lastGroup() const {
    const uint32_t pass =
        s_.vectors % kVectorsPerPass ? s_.vectors % kVectorsPerPass : std::min(s_.vectors, kVectorsPerPass);
    return pass % s_.width ? pass % s_.width : s_.width;
  }
  /// Floats that indexed rows are summed into: the last result is stored as a whole vector.
  uint32_t sums() const {
    const uint32_t rowsPerVector = s_.gather ? lanes_ : lanes_ / s_.width;
    return (s_.vectors - lastGroup()) * rowsPerVector + lanes_;
  }
  /// Sums of vectors first .. end-1 as vectors of whole rows in order.
  Values results(uint32_t first, uint32_t end) const {
    Values out;
    const uint32_t rowsPerVector = s_.gather ? lanes_ : lanes_ / s_.width;
    for (uint32_t j = first; j < end; j += s_.width) {
      const uint32_t count = std::min(s_.width, end - j), rows = count * rowsPerVector;
      TemplateValue r;
      std::vector<std::string> slots(s_.width);
      for (uint32_t i = 0; i < count; ++i) slots[i] = sumName(0, j + i);
      std::string sum = folded(slots, s_.width);
      if (s_.width > 1 && s_.width < lanes_) sum = fmt::format("inRowOrder<{}>({})", s_.width, sum);
      r["sum"] = sum;
      r["row"] = plus(j * rowsPerVector);
      r["minusRow"] = j == 0 ? std::string() : fmt::format(" - {}", j * rowsPerVector);
      r["rows"] = rows;
      r["whole"] = rows == lanes_;
      out.push_back(std::move(r));
    }
    return out;
  }

  /// simd_lanes.h: halves the partial sums until one per row is left. Slots without a vector repeat their partner.
  static std::string folded(std::vector<std::string> slots, uint32_t c) {
    while (slots.size() > 1) {
      const size_t half = slots.size() / 2;
      for (size_t i = 0; i < half; ++i)
        if (!slots[i].empty())
          slots[i] = fmt::format("fold<{}>({}, {})", c, slots[i], slots[i + half].empty() ? slots[i] : slots[i + half]);
      slots.resize(half);
      c /= 2;
    }
    return slots[0];
  }

  const KernelPlan &k_;
  const ir::TileShape &s_;
  const bool half_, bf16_;
  const uint32_t chains_, lanes_;
  const uint64_t vectorBytes_;        // bf16: a vector of words is two entries'
  std::optional<uint64_t> perEntry_;  // values; unknown in a partial tile whose rows are an argument
};

}  // namespace

uint32_t chainsOf(const KernelPlan &plan) {
  if (plan.accumulate == ir::Accumulate::F16x4) return kHalfSums;
  return plan.registers >= 32 ? 4 : 2;
}

bool hasKernel(const ir::TileShape &s, Precision precision, ir::Accumulate accumulate) {
  const bool lanes = s.lanes == 1 || s.lanes == 4 || s.lanes == 8 || s.lanes == 16;
  const bool width = std::has_single_bit(s.width) && s.width <= s.lanes;
  const bool half = precision == Precision::F16 && s.width == 1 && !s.gather && s.lanes >= 4;
  return lanes && width && s.vectors >= 1 && s.vectors <= 16 && (!s.gather || (s.width == 1 && !s.denseColumns)) &&
         (accumulate == ir::Accumulate::F32 || half);
}

std::string kernelText(const KernelPlan &plan) {
  RTMC_CHECK(hasKernel(plan.shape, plan.precision, plan.accumulate), "a shape of a kernel");
  RTMC_CHECK(plan.precision != Precision::BF16 || plan.entries.value_or(0) % 2 == 0, "bf16 entries come in pairs");
  return Builder(plan).run();
}

}  // namespace rtmc::backend
