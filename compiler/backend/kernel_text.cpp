#include "backend/kernel_text.h"

#include "backend/kernel_interface.h"
#include "backend/kernel_steps.h"
#include "support/check.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <bit>

namespace rtmc::backend {
namespace {

using Values = std::vector<TemplateValue>;

class Builder {
 public:
  explicit Builder(const KernelPlan &plan) : f_(plan) {}

  std::string run() {
    TemplateValue v;
    const bool straight = f_.plan.entries.has_value(), immediate = f_.plan.columns.has_value();
    v["title"] = kernelTitle(f_);
    v["name"] = f_.plan.name;
    v["attribute"] = f_.plan.mayInline ? "" : "[[gnu::noinline]] ";
    v["parameters"] = kernelParameters(f_);
    v["using"] = kernelUsing(f_);
    v["loopTiles"] = !f_.shape.partial && (!f_.plan.tiles || *f_.plan.tiles != 1);
    v["tiles"] = f_.plan.tiles ? std::to_string(*f_.plan.tiles) : std::string("tiles");
    v["indexed"] = f_.shape.indexed;
    v["upTo"] = f_.shape.partial && !f_.shape.indexed;
    v["rows"] = f_.shape.rows();
    v["sums"] = sums();
    v["gather"] = f_.shape.gather;
    v["gatherTable"] = f_.shape.gather && !immediate;
    v["columnType"] = indexType(f_.plan.columnWidth);
    const uint32_t perPass = f_.vectorsPerPass();
    v["severalPasses"] = f_.shape.vectors > perPass;
    v["straight"] = straight;
    v["step"] = f_.half ? "cpp/kernel_step_f16x4" : "cpp/kernel_step";
    v["V"] = f_.vectorType();
    v["width"] = f_.shape.width;
    const bool firstOnly = straight && *f_.plan.entries <= (f_.bf16 ? 2 : 1);
    v["stride"] = !f_.perEntry && !firstOnly;
    v["paddedRows"] = f_.shape.rowStep == 1 ? std::string("size_t{rowCount}")
                                            : fmt::format("(size_t{{rowCount}} + {0}) / {1} * {1}",
                                                          f_.shape.rowStep - 1, f_.shape.rowStep);
    v["valueBytes"] = f_.shape.width * bytesOf(f_.plan.precision);
    v["entryBytes"] = f_.entriesBytes(1);
    v["block"] = f_.block();
    v["blockBytes"] = f_.entriesBytes(f_.block());
    v["columnsAtOnce"] = f_.columnsAtOnce();
    v["columnsWord"] = f_.plan.columnWidth == ir::IndexWidth::U8 ? "uint32_t" : "uint64_t";
    v["blockColumns"] =
        f_.perEntry ? std::to_string(f_.block() * *f_.perEntry) : fmt::format("{} * rowCount", f_.block());
    const auto ofTile = [&](uint64_t perEntry) {
      return straight ? std::to_string(*f_.plan.entries * perEntry) : fmt::format("size_t{{entries}} * {}", perEntry);
    };
    v["tileBytes"] = ofTile(f_.perEntry.value_or(0) * bytesOf(f_.plan.precision));
    v["tileColumns"] = ofTile(f_.perEntry.value_or(0));
    if (f_.plan.joined) return joined(v);
    Values passes;
    for (uint32_t first = 0; first < f_.shape.vectors; first += perPass)
      passes.push_back(pass(first, std::min(f_.shape.vectors, first + perPass)));
    v["passes"] = std::move(passes);
    v["tile"] = f_.plan.steps == 1 ? "cpp/kernel_tile" : "cpp/kernel_chunk_tile";
    if (f_.plan.steps > 1) addRowsOfX(v);
    v["sumBySum"] = f_.plan.sumBySum;
    addAhead(v);
    return renderTemplate("cpp/kernel_matvec", v);
  }

 private:
  /// Several runs: the vectors of each come behind those of the one before.
  std::string joined(TemplateValue &v) const {
    v["stripes"] = f_.shape.width == 1;
    addSums(v, 0, f_.plan.joined * f_.shape.vectors);
    addJoinedSteps(f_, v);
    if (f_.shape.width == 1) {
      addStripes(v);
    } else {
      addBlocks(v);
    }
    return renderTemplate("cpp/kernel_joined", v);
  }

  /// Runs of blocks are one vector each: their sums across lanes are made together.
  void addBlocks(TemplateValue &v) const {
    const uint32_t rows = f_.lanes / f_.shape.width;
    v["rows"] = rows;
    v["part"] = fmt::format("f32x{}", std::max(4u, rows));
    v["sums"] = f_.lanes + 4;
    std::vector<std::string> slots;
    for (uint32_t j = 0; j < f_.plan.joined; ++j) slots.push_back(sumName(f_, 0, j));
    v["sum"] = fmt::format("inRowOrder<{}>({})", f_.shape.width, folded(slots, f_.shape.width));
  }

  /// Stripes have any number of rows: what each vector is added to.
  void addStripes(TemplateValue &v) const {
    v["lanes"] = f_.lanes;
    Values results;
    for (uint32_t run = 0; run < f_.plan.joined; ++run)
      for (uint32_t j = 0; j < f_.shape.vectors; ++j) {
        TemplateValue r;
        r["run"] = run;
        r["row"] = plus(j * f_.lanes);
        r["minusRow"] = j == 0 ? std::string() : fmt::format(" - {}", j * f_.lanes);
        r["sum"] = sumName(f_, 0, run * f_.shape.vectors + j);
        results.push_back(std::move(r));
      }
    v["results"] = std::move(results);
  }

  /// Several rows of x: where they and their rows of y begin, and the call for those that are left.
  void addRowsOfX(TemplateValue &v) const {
    Values rows;
    for (uint32_t step = 0; step < f_.plan.steps; ++step) {
      TemplateValue r;
      r["x"] = f_.xRow(step);
      r["y"] = f_.yRow(step);
      r["at"] = step == 0 ? std::string("step") : fmt::format("(step + {})", step);
      rows.push_back(std::move(r));
    }
    v["rowsOfX"] = std::move(rows);
    v["steps"] = f_.plan.steps;
    v["single"] = f_.plan.single;
    v["several"] = f_.plan.several;
    const auto argumentsOf = [&](bool several) {
      std::vector<std::string> arguments = {"values"};
      if (!f_.shape.denseColumns) arguments.push_back("columns");
      if (!f_.plan.entries) arguments.push_back("entries");
      if (!f_.shape.partial) arguments.push_back("1");
      arguments.push_back("x + step * xStride");
      if (several) arguments.push_back("xStride");
      arguments.push_back("y + step * yStride");
      if (several) arguments.insert(arguments.end(), {"yStride", "steps - step"});
      if (f_.shape.partial) arguments.push_back("rowCount");
      return fmt::format("{}", fmt::join(arguments, ", "));
    };
    v["singleArguments"] = argumentsOf(false);
    v["severalArguments"] = argumentsOf(true);
  }

  /// A tile that goes sum by sum takes long enough to ask for the next one meanwhile: each round of its loops for so
  /// many lines that all steps' rounds ask for all of it.
  void addAhead(TemplateValue &v) const {
    constexpr uint64_t kLine = 64, kFewestSteps = 8;  // of a cache; of the chunks that rtmc chooses
    v["asksAhead"] = f_.asksAhead();
    Values asked;
    if (f_.asksAhead()) {
      const uint32_t perPass = f_.vectorsPerPass(), passes = (f_.shape.vectors + perPass - 1) / perPass;
      const uint64_t bytes =
          *f_.perEntry * bytesOf(f_.plan.precision) * f_.block() * f_.plan.steps / (passes * f_.loops());
      const uint64_t lines = std::max<uint64_t>(1, (bytes + kLine * kFewestSteps - 1) / (kLine * kFewestSteps));
      for (uint64_t i = 0; i < lines; ++i) {
        TemplateValue a;
        a["place"] = i == 0 ? "ahead" : i == 1 ? std::string("ahead + apart") : fmt::format("ahead + {} * apart", i);
        asked.push_back(std::move(a));
      }
      v["aheadBytes"] = bytes / lines;
      v["aheadStep"] = lines == 1 ? std::string("apart") : fmt::format("{} * apart", lines);
    }
    v["asked"] = std::move(asked);
  }

  TemplateValue pass(uint32_t first, uint32_t end) const {
    TemplateValue p;
    p["first"] = first;
    p["last"] = end - 1;
    p["valueOffset"] = plus(first * f_.vectorBytes);
    p["columnOffset"] = "";
    addSums(p, first, end);
    Values loops;
    for (uint32_t chain = 0; chain < f_.loops(); ++chain) {
      TemplateValue loop;
      loop["sum"] = chain;
      addSteps(f_, loop, first, end, chain);
      loops.push_back(std::move(loop));
    }
    p["loops"] = std::move(loops);
    p["results"] = results(first, end);
    return p;
  }

  /// The sums of vectors first .. end-1, and how those of an entry's chains become one.
  void addSums(TemplateValue &p, uint32_t first, uint32_t end) const {
    std::string accumulators;
    Values combined;
    for (uint32_t step = 0; step < f_.plan.steps; ++step) {
      const auto name = [&](uint32_t c, uint32_t j) { return sumName(f_, c, j, step); };
      for (uint32_t c = 0; c < f_.chains; ++c) {
        std::vector<std::string> names;
        for (uint32_t j = first; j < end && f_.lanesOf(j) == f_.lanes; ++j) names.push_back(name(c, j) + "{}");
        if (!names.empty()) accumulators += fmt::format("{} {};\n", f_.vectorType(), fmt::join(names, ", "));
        if (f_.lanesOf(end - 1) != f_.lanes)
          accumulators += fmt::format("f32x{} {}{{}};\n", f_.lanesOf(end - 1), name(c, end - 1));
      }
      for (uint32_t j = first; j < end; ++j) {
        TemplateValue v;
        v["name"] = name(0, j);
        v["sum"] = f_.chains == 2
                       ? fmt::format("{} + {}", name(0, j), name(1, j))
                       : fmt::format("({} + {}) + ({} + {})", name(0, j), name(1, j), name(2, j), name(3, j));
        combined.push_back(std::move(v));
      }
    }
    p["accumulators"] = accumulators;
    p["combined"] = std::move(combined);
  }

  /// Floats that indexed rows are summed into: the last result is stored as a whole vector.
  uint32_t sums() const {
    const uint32_t rowsPerVector = f_.shape.gather ? f_.lanes : f_.lanes / f_.shape.width;
    return (f_.shape.vectors - f_.lastGroup()) * rowsPerVector + f_.lanes;
  }
  /// Sums of vectors first .. end-1 as vectors of whole rows in order.
  Values results(uint32_t first, uint32_t end) const {
    Values out;
    for (uint32_t step = 0; step < f_.plan.steps; ++step) addResults(out, first, end, step);
    return out;
  }
  void addResults(Values &out, uint32_t first, uint32_t end, uint32_t step) const {
    const uint32_t rowsPerVector = f_.shape.gather ? f_.lanes : f_.lanes / f_.shape.width;
    for (uint32_t j = first; j < end; j += f_.shape.width) {
      const uint32_t count = std::min(f_.shape.width, end - j);
      const uint32_t rows = f_.lanesOf(j) == f_.lanes ? count * rowsPerVector : f_.lanesOf(j);
      TemplateValue r;
      std::vector<std::string> slots(f_.shape.width);
      for (uint32_t i = 0; i < count; ++i) slots[i] = sumName(f_, 0, j + i, step);
      std::string sum = folded(slots, f_.shape.width);
      if (f_.shape.width > 1 && f_.shape.width < f_.lanes) sum = fmt::format("inRowOrder<{}>({})", f_.shape.width, sum);
      r["sum"] = sum;
      r["y"] = f_.yRow(step);
      r["row"] = plus(j * rowsPerVector);
      r["minusRow"] = j == 0 ? std::string() : fmt::format(" - {}", j * rowsPerVector);
      r["rows"] = rows;
      r["whole"] = rows == f_.lanes;
      out.push_back(std::move(r));
    }
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

  const KernelFacts f_;
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
