#include "passes/partition.h"

#include "passes/program_builder.h"
#include "passes/reorder_rows.h"
#include "passes/share_cost.h"
#include "support/check.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <set>

namespace rtmc::passes {

using namespace ir;

namespace {

struct Cuts {
  std::vector<uint32_t> at;
  std::vector<double> cost;
  double slowest() const { return cost.empty() ? 0 : *std::max_element(cost.begin(), cost.end()); }
};

/// Columns are met here and there, so their lines are not fetched as a stream, for which the machine's figure holds.
/// With this the predicted steps of the reference network on two threads are within 7 % of the measured ones at 10x to
/// 43x.
constexpr double kScattered = 2;

/// More threads must be predicted to be faster by this share: they keep processors from other work, and what they cost
/// each other depends on where the system runs them.
constexpr double kLeastGain = 0.1;

/// Places for a cut, at most, where all are tried.
constexpr uint32_t kMostTried = 64;

struct Partitioner {
  Program &program;
  Context &context;
  uint64_t footprint;
  std::vector<uint32_t> handedOver;  // lines, by phase

  /// Boundaries at multiples of this: a cache line of results, less where there are few units.
  static uint32_t stepOf(uint32_t size, uint32_t shares) {
    uint32_t step = 16;
    while (step > 1 && size < step * shares * 2) step /= 2;
    return step;
  }

  /// Cuts by the units' average cost; a multiple of a full tile is taken where it is nearly as good.
  static std::vector<uint32_t> roughCuts(const PhaseCost &cost, uint32_t shares) {
    const uint32_t size = static_cast<uint32_t>(cost.perUnit().size());
    std::vector<double> upTo(size + 1, 0.0);
    for (uint32_t unit = 0; unit < size; ++unit) upTo[unit + 1] = upTo[unit] + cost.perUnit()[unit];
    const double total = upTo[size] + cost.serial();
    std::vector<uint32_t> cuts{0};
    for (uint32_t share = 1; share < shares; ++share) {
      const double target = std::max(0.0, total * share / shares - cost.serial());
      const auto nearest = [&](uint32_t multiple) {
        uint32_t best = cuts.back();
        for (uint32_t at = best; at <= size; at = (at / multiple + 1) * multiple)
          if (std::abs(upTo[at] - target) < std::abs(upTo[best] - target)) best = at;
        return best;
      };
      const uint32_t fine = nearest(stepOf(size, shares)), coarse = nearest(64);
      const bool coarseWill = std::abs(upTo[coarse] - target) <= 0.01 * total / shares;
      cuts.push_back(coarseWill ? coarse : fine);
    }
    cuts.push_back(size);
    return cuts;
  }

  /// The slowest share by the units' average cost.
  static double roughNs(const PhaseCost &cost, uint32_t shares) {
    const std::vector<uint32_t> cuts = roughCuts(cost, shares);
    double slowest = 0;
    for (uint32_t share = 0; share < shares; ++share) {
      const auto first = cost.perUnit().begin() + cuts[share], last = cost.perUnit().begin() + cuts[share + 1];
      slowest = std::max(slowest, std::accumulate(first, last, share == 0 ? cost.serial() : 0.0) + cost.everyShare());
    }
    return slowest;
  }

  static Cuts cutAt(PhaseCost &cost, std::vector<uint32_t> at) {
    Cuts cuts{std::move(at), {}};
    for (size_t share = 0; share + 1 < cuts.at.size(); ++share)
      cuts.cost.push_back(cost.of(cuts.at[share], cuts.at[share + 1], share == 0));
    return cuts;
  }

  /// Weighed tile by tile. Where a few units make a phase, moving one boundary at a time gets stuck between lumps:
  /// there every cut is tried, too.
  static Cuts cut(PhaseCost &cost, uint32_t shares) {
    constexpr double kBetter = 0.98;
    Cuts cuts = movedCuts(cost, shares);
    const uint32_t size = static_cast<uint32_t>(cost.perUnit().size()), step = stepOf(size, shares);
    if (shares == 1 || size / step > kMostTried) return cuts;
    Cuts best = bestCuts(cost, shares);
    return best.slowest() < kBetter * cuts.slowest() ? best : cuts;
  }

  /// The cuts at multiples of the step whose slowest share is fastest; by dynamic programming, all pairs are weighed.
  static Cuts bestCuts(PhaseCost &cost, uint32_t shares) {
    const uint32_t size = static_cast<uint32_t>(cost.perUnit().size()), step = stepOf(size, shares);
    std::vector<uint32_t> places;
    for (uint32_t at = 0; at < size; at += step) places.push_back(at);
    places.push_back(size);
    const size_t ends = places.size();
    // slowest[end], of the shares so far, which end there; the place where the last of them begins.
    std::vector<double> slowest(ends);
    for (size_t end = 0; end < ends; ++end) slowest[end] = cost.of(0, places[end], true);
    std::vector<std::vector<size_t>> begins;
    for (uint32_t share = 1; share < shares; ++share) {
      std::vector<double> next(ends);
      std::vector<size_t> from(ends);
      for (size_t end = 0; end < ends; ++end)
        for (size_t begin = 0; begin <= end; ++begin) {
          const double ns = std::max(slowest[begin], cost.of(places[begin], places[end], false));
          if (begin == 0 || ns < next[end]) next[end] = ns, from[end] = begin;
        }
      slowest = std::move(next);
      begins.push_back(std::move(from));
    }
    std::vector<uint32_t> at(shares + 1, 0);
    size_t end = ends - 1;
    at[shares] = size;
    for (uint32_t share = shares - 1; share > 0; --share) {
      end = begins[share - 1][end];
      at[share] = places[end];
    }
    return cutAt(cost, std::move(at));
  }

  /// Rough cuts, then each boundary is moved while that evens the shares out: a boundary through a tile makes two of
  /// it.
  static Cuts movedCuts(PhaseCost &cost, uint32_t shares) {
    const uint32_t size = static_cast<uint32_t>(cost.perUnit().size()), step = stepOf(size, shares);
    Cuts cuts;
    cuts.at = roughCuts(cost, shares);
    // Nearly the slowest of the two, so that ties go to the more even cut.
    const double total = std::max(1e-9, cost.of(0, size, true));
    const auto weigh = [&](uint32_t share, uint32_t begin, uint32_t end) {
      return std::pow(cost.of(begin, end, share == 0) / total, 24);
    };
    bool moved = shares > 1;
    for (int round = 0; moved && round < 16; ++round) {
      moved = false;
      for (uint32_t share = 1; share < shares; ++share) {
        const uint32_t low = cuts.at[share - 1], high = cuts.at[share + 1];
        uint32_t best = cuts.at[share];
        double least = weigh(share - 1, low, best) + weigh(share, best, high);
        const uint32_t from = cuts.at[share];
        for (const int64_t by : {-4, -2, -1, 1, 2, 4}) {
          const int64_t at = (from / step + by) * int64_t(step);
          if (at < int64_t(low) || at > int64_t(high)) continue;
          const double sum =
              weigh(share - 1, low, static_cast<uint32_t>(at)) + weigh(share, static_cast<uint32_t>(at), high);
          if (sum < least * (1 - 1e-9)) least = sum, best = static_cast<uint32_t>(at);
        }
        moved |= best != from;
        cuts.at[share] = best;
      }
    }
    return cutAt(cost, std::move(cuts.at));
  }

  std::vector<Phase *> phases() const {
    std::vector<Phase *> list;
    for (Section &section : program.sections)
      for (Phase &phase : section.phases) list.push_back(&phase);
    return list;
  }

  static uint32_t shareOf(const Phase &phase, uint32_t unit) {
    const auto after = std::upper_bound(phase.cuts.begin(), phase.cuts.end(), unit);
    return static_cast<uint32_t>(after - phase.cuts.begin()) - 1;
  }

  /// Compact slots in shares' order, and the part of each share.
  void orderCompact(const Phase &phase, Id space) const {
    const Space &compact = program.spaces[space];
    std::vector<uint32_t> order(compact.size);
    std::iota(order.begin(), order.end(), 0u);
    std::stable_sort(order.begin(), order.end(), [&](uint32_t a, uint32_t b) {
      return shareOf(phase, compact.order[a]) < shareOf(phase, compact.order[b]);
    });
    if (!std::is_sorted(order.begin(), order.end())) permuteSpace(program, space, order);
  }

  void setParts(Phase &phase, Elementwise &op) const {
    op.parts.clear();
    if (op.replicated) return;
    for (uint32_t share = 0; share < program.shares; ++share) {
      if (op.space == phase.domain) {
        op.parts.push_back({phase.cuts[share], phase.cuts[share + 1]});
        continue;
      }
      const std::vector<uint32_t> &order = program.spaces[op.space].order;
      const auto first = [&](uint32_t unit) {
        return static_cast<uint32_t>(
            std::partition_point(order.begin(), order.end(), [&](uint32_t u) { return shareOf(phase, u) < unit; }) -
            order.begin());
      };
      op.parts.push_back({first(share), first(share + 1)});
    }
  }

  /// What it takes each of several shares to read what the others have written.
  double handoverNs(size_t phase, uint32_t shares) const {
    return shares == 1 ? 0 : handedOver[phase] * (1 - 1.0 / shares) * kScattered * context.machine.handoverNs;
  }
  double togetherNs(size_t phase, uint32_t shares) const {
    return shares == 1 ? 0 : context.machine.barrierNs + handoverNs(phase, shares);
  }

  /// The fastest number of shares: few by their tiles, many by the units' average cost, which takes less time to find.
  uint32_t chooseShares(std::vector<PhaseCost> &costs) const {
    constexpr uint32_t kWeighed = 8;
    const uint32_t most = std::max(1u, context.options.threads);
    uint32_t rough = 1;
    double roughBest = 0;
    for (uint32_t shares = 1; shares <= most; ++shares) {
      double ns = 0;
      for (size_t i = 0; i < costs.size(); ++i) ns += roughNs(costs[i], shares) + togetherNs(i, shares);
      if (shares == 1 || ns < roughBest * (1 - kLeastGain)) roughBest = ns, rough = shares;
    }
    uint32_t best = 1;
    double bestNs = 0;
    for (uint32_t shares = 1; shares <= most; ++shares) {
      if (shares > kWeighed && shares != rough) continue;
      double ns = 0;
      for (size_t i = 0; i < costs.size(); ++i) ns += cut(costs[i], shares).slowest() + togetherNs(i, shares);
      if (shares == 1 || ns < bestNs * (1 - kLeastGain)) bestNs = ns, best = shares;
    }
    return best;
  }

  void run() {
    const std::vector<Phase *> all = phases();
    std::vector<PhaseCost> costs;
    for (const Phase *phase : all) costs.emplace_back(program, *phase, context, footprint);
    if (context.options.threads > 1) handedOver = linesHandedOver(program);
    program.shares = chooseShares(costs);
    std::vector<Cuts> chosen;  // all before anything moves: costs refer to the program
    for (PhaseCost &cost : costs) chosen.push_back(cut(cost, program.shares));
    for (size_t i = 0; i < all.size(); ++i) {
      Phase &phase = *all[i];
      phase.cuts = std::move(chosen[i].at);
      phase.shareCost = std::move(chosen[i].cost);
      for (double &ns : phase.shareCost) ns += handoverNs(i, program.shares);
      std::set<Id> compacts;
      for (const Operation &operation : phase.ops)
        if (auto *op = std::get_if<Elementwise>(&operation); op && !op->replicated && op->space != phase.domain)
          compacts.insert(op->space);
      for (Id space : compacts) orderCompact(phase, space);
      for (Operation &operation : phase.ops)
        if (auto *op = std::get_if<Elementwise>(&operation)) setParts(phase, *op);
    }
  }
};

}  // namespace

bool Partition::run(Module &module, Context &context) {
  RTMC_CHECK(module.program, "partition needs a program");
  Partitioner{*module.program, context, estimatedFootprint(*module.program), {}}.run();
  return true;
}

}  // namespace rtmc::passes
