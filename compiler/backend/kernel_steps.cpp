#include "backend/kernel_steps.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace rtmc::backend {
namespace {

using Values = std::vector<TemplateValue>;

class Steps {
 public:
  /// `chain`: the sum that a kernel that goes sum by sum is at.
  explicit Steps(const KernelFacts &facts, uint32_t chain = 0) : f_(facts), chain_(chain) {}

  void add(TemplateValue &p, uint32_t first, uint32_t end) const {
    Values steps, tail;
    const uint32_t count = f_.plan.entries.value_or(f_.block());
    if (f_.half) {
      // Chains are added to the sums by turns; an incomplete one at the end always to the first.
      const uint32_t whole = count / kHalfChain;
      for (uint32_t g = 0; g < whole; ++g)
        steps.push_back(halfStep(g * kHalfChain, kHalfChain, g % kHalfSums, first, end, false));
      if (count % kHalfChain) steps.push_back(halfStep(whole * kHalfChain, count % kHalfChain, 0, first, end, false));
      if (!f_.plan.entries) {
        tail.push_back(halfStep(0, kHalfChain, 0, first, end, false));
        tail.back()["advances"] = f_.entriesBytes(kHalfChain);
        tail.push_back(halfStep(0, 2, 0, first, end, true));
      }
    } else {
      const uint32_t stride = f_.bf16 ? 2 : 1;
      const auto counts = [&](uint32_t i) { return isSummed(i) || (f_.bf16 && isSummed(i + 1)); };
      for (uint32_t i = 0; i < count; i += stride)
        if (counts(i)) steps.push_back(step(i, first, end, true));
      if (!f_.plan.entries)
        for (uint32_t i = 0; i + stride < f_.block(); i += stride)
          if (counts(i)) tail.push_back(step(i, first, end, false));
    }
    p["steps"] = std::move(steps);
    p["tail"] = std::move(tail);
  }

  /// Entries of a round, of one of several runs: run j's vectors behind those of run j - 1.
  Values joinedRound(uint32_t run) const {
    Values steps;
    for (uint32_t i = 0; i < f_.block(); i += f_.bf16 ? 2 : 1) steps.push_back(joinedStep(i, run, true));
    return steps;
  }
  /// What a round leaves, entry by entry.
  Values joinedTail() const {
    Values tail;
    const uint32_t stride = f_.bf16 ? 2 : 1;
    for (uint32_t i = 0; i + stride < f_.block(); i += stride) {
      TemplateValue t;
      Values steps;
      for (uint32_t run = 0; run < f_.plan.joined; ++run) steps.push_back(joinedStep(i, run, false));
      t["guard"] = fmt::format("k{} < entries", plus(i));
      t["steps"] = std::move(steps);
      tail.push_back(std::move(t));
    }
    return tail;
  }

 private:
  /// Where a vector of weights stands, and the sums that it goes to.
  struct Place {
    uint32_t index, vector;  // entry, of bf16 the first of two
    std::string type;        // of a vector of floats
    std::string offset;      // behind w
    uint32_t lanes;
  };
  /// Its multiply-adds: one for each step, of bf16 two. `x(e, step)`: what its entry e meets.
  template <class X>
  TemplateValue weights(const Place &at, X x) const {
    TemplateValue v;
    Values adds;
    const std::string name = fmt::format("w{}_{}", at.index, at.vector);
    const auto add = [&](uint32_t entry, const std::string &weight) {
      if (!isSummed(at.index + entry)) return;
      for (uint32_t step = 0; step < f_.plan.steps; ++step) {
        TemplateValue t;
        t["sum"] = sumName(f_, (at.index + entry) % f_.chains, at.vector, step);
        t["weight"] = weight;
        t["x"] = x(entry, step);
        adds.push_back(std::move(t));
      }
    };
    const bool loaded = f_.bf16 || f_.plan.steps > 1;  // by a name, as it is used more than once
    const std::string_view load = f_.bf16 ? "loadOnce" : f_.loadValue();
    const std::string type = f_.bf16 ? fmt::format("u32x{}", at.lanes) : at.type;
    const std::string value = fmt::format("{}<{}>(w{})", load, type, at.offset);
    v["loaded"] = loaded ? name : "";
    v["type"] = type;
    v["load"] = value;
    if (f_.bf16) {
      add(0, fmt::format("lowBf16<{}>({})", at.type, name));
      add(1, fmt::format("highBf16<{}>({})", at.type, name));
    } else {
      add(0, loaded ? name : value);
    }
    v["adds"] = std::move(adds);
    return v;
  }

  /// An entry of one of several runs, of bf16 two: its elements of x, and each vector of its weights.
  TemplateValue joinedStep(uint32_t index, uint32_t run, bool inRound) const {
    const auto xOfRun = [&](uint32_t entry) {
      return fmt::format("x + {}", inRound && f_.columnsAtOnce() ? columnOfFour(fmt::format("four{}", run), entry)
                                                                 : fmt::format("columns{}[k{}]", run, plus(entry)));
    };
    TemplateValue s;
    Values xs, vectors;
    if (f_.shape.width == 1) {
      const auto name = [&](uint32_t entry) { return fmt::format("x{}_{}", entry, run); };
      for (uint32_t entry = index; entry < index + (f_.bf16 ? 2 : 1); ++entry) {
        TemplateValue x;
        x["name"] = name(entry);
        x["x"] = xOfRun(entry);
        xs.push_back(std::move(x));
      }
      const std::string entries = index == 0 ? "" : fmt::format(" + {} * stride{}", index, run);
      for (uint32_t j = 0; j < f_.shape.vectors; ++j)
        vectors.push_back(weights({index, run * f_.shape.vectors + j, f_.vectorType(),
                                   fmt::format("{}{}{}", run, entries, plus(j * f_.vectorBytes)), f_.lanes},
                                  [&](uint32_t entry, uint32_t) { return name(index + entry); }));
    } else {
      const std::string offset = fmt::format("{} + k * {}{}", run, f_.entriesBytes(1), f_.valueOffset(index, 0));
      vectors.push_back(weights({index, run, f_.vectorType(), offset, f_.lanes}, [&](uint32_t entry, uint32_t) {
        return fmt::format("broadcast<{}, {}>({})", f_.vectorType(), f_.shape.width, xOfRun(index + entry));
      }));
    }
    s["xs"] = std::move(xs);
    s["vectors"] = std::move(vectors);
    return s;
  }

  /// A column of a round whose columns were read as one word.
  std::string columnOfFour(const std::string &four, uint32_t entry) const {
    return fmt::format("static_cast<{}>({}{})", indexType(f_.plan.columnWidth), four,
                       entry == 0 ? "" : fmt::format(" >> {}", entry * 8 * bytesOf(f_.plan.columnWidth)));
  }

  /// The element of x that entry `index` (of the loop's round, or of the whole list) starts at.
  std::string columnOf(uint32_t index, bool inRound) const {
    if (inRound && f_.columnsAtOnce()) return columnOfFour("four", index);
    if (f_.plan.columns) return std::to_string((*f_.plan.columns)[index]);
    std::string entry = f_.plan.entries ? std::to_string(index) : "k" + plus(index);
    if (!f_.shape.denseColumns) return fmt::format("columns[{}]", entry);
    if (f_.shape.width == 1) return entry;
    if (f_.plan.entries) return std::to_string(uint64_t{index} * f_.shape.width);
    return index == 0 ? fmt::format("k * {}", f_.shape.width) : fmt::format("({}) * {}", entry, f_.shape.width);
  }

  std::string xOf(uint32_t index, bool inRound, uint32_t step) const {
    const std::string column = columnOf(index, inRound);
    return column == "0" ? f_.xRow(step) : f_.xRow(step) + " + " + column;
  }

  std::string gatheredX(uint32_t index, uint32_t vector) const {
    const uint64_t ofVector = uint64_t{vector} * f_.lanes;
    if (!f_.perEntry)
      return fmt::format("gather<{}>(x, c{}{})", f_.vectorType(),
                         index == 0 ? "" : fmt::format(" + {} * rowCount", index), plus(ofVector));
    const uint64_t entry = index * *f_.perEntry;
    if (!f_.plan.columns) return fmt::format("gather<{}>(x, c{})", f_.vectorType(), plus(entry + ofVector));
    // Lanes without a row take any column.
    const auto column = [&](uint32_t i) {
      return (*f_.plan.columns)[entry + std::min(ofVector + i, *f_.perEntry - 1)];
    };
    if (f_.lanes == 1) return fmt::format("x[{}]", column(0));
    std::vector<std::string> lanes;
    for (uint32_t i = 0; i < f_.lanes; ++i) lanes.push_back(fmt::format("x[{}]", column(i)));
    return fmt::format("{}{{{}}}", f_.vectorType(), fmt::join(lanes, ", "));
  }

  std::string xName(uint32_t index, uint32_t step) const {
    return f_.plan.steps == 1 ? fmt::format("x{}", index) : fmt::format("x{}_{}", index, step);
  }

  /// One entry, of bf16 two: what is read, and which sums it goes to.
  TemplateValue step(uint32_t index, uint32_t firstVector, uint32_t endVector, bool inRound) const {
    TemplateValue s;
    Values xs;  // one element for all vectors
    for (uint32_t entry = index; !f_.shape.gather && entry < index + (f_.bf16 ? 2 : 1); ++entry)
      for (uint32_t step = 0; isSummed(entry) && step < f_.plan.steps; ++step) {
        TemplateValue x;
        x["name"] = xName(entry, step);
        x["x"] = xOf(entry, inRound, step);
        xs.push_back(std::move(x));
      }
    s["xs"] = std::move(xs);
    Values vectors;
    for (uint32_t j = firstVector; j < endVector; ++j) {
      const bool whole = f_.lanesOf(j) == f_.lanes;
      const auto x = [&](uint32_t entry, uint32_t step) {
        if (f_.shape.gather) return gatheredX(index + entry, j);
        return whole ? xName(index + entry, step) : fmt::format("lowHalf({})", xName(index + entry, step));
      };
      vectors.push_back(weights(
          {index, j, fmt::format("f32x{}", f_.lanesOf(j)), f_.valueOffset(index, j - firstVector), f_.lanesOf(j)}, x));
    }
    s["vectors"] = std::move(vectors);
    s["guard"] = fmt::format("k{} < entries", plus(index));
    s["advances"] = "";
    return s;
  }

  // ---- half precision

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
        h["type"] = f_.halfType(j, endVector);
        h["chain"] = chainName(j);
        h["offset"] = f_.valueOffset(index + (later ? 0 : e), j - firstVector);
        halves.push_back(std::move(h));
      }
      entry["halves"] = std::move(halves);
      entries.push_back(std::move(entry));
    }
    for (uint32_t j = firstVector; j < endVector; ++j) {
      TemplateValue v;
      v["sum"] = sumName(f_, sum, j);
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

  /// Whether this loop adds entry `index` of a round.
  bool isSummed(uint32_t index) const { return !f_.plan.sumBySum || index % f_.chains == chain_; }

  const KernelFacts &f_;
  const uint32_t chain_;
};

}  // namespace

void addJoinedSteps(const KernelFacts &facts, TemplateValue &kernel) {
  const Steps steps(facts);
  Values runs;
  for (uint32_t run = 0; run < facts.plan.joined; ++run) {
    TemplateValue r;
    r["index"] = run;
    r["sums"] = plus(run * (facts.lanes / facts.shape.width));
    r["steps"] = steps.joinedRound(run);
    runs.push_back(std::move(r));
  }
  kernel["runs"] = std::move(runs);
  kernel["tail"] = steps.joinedTail();
}

void addSteps(const KernelFacts &facts, TemplateValue &loop, uint32_t first, uint32_t end, uint32_t chain) {
  Steps(facts, chain).add(loop, first, end);
}

}  // namespace rtmc::backend
