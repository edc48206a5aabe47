// Owns: a float32 evaluation of a network, as some kernel might do it: terms summed in a random order and in random
// groups, fused or not, denormals kept or flushed by the caller's mode. It shares no code with the interpreter.
#pragma once

#include "ir/network.h"
#include "support/numeric.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <span>
#include <utility>
#include <vector>

namespace rtmc::ir {

struct FloatTerm {
  float a, b;
  bool half = false;
};

class FloatNetwork {
 public:
  /// `halfChains`: products of weights run in half precision, four to a chain, x rounded to half as well.
  FloatNetwork(const Network &network, uint32_t seed, bool halfChains = false)
      : network_(network), halfChains_(halfChains), random_(seed) {}

  /// Replaces the state (causal networks).
  std::vector<float> step(std::vector<float> &state, std::span<const float> in) {
    std::vector<Floats> values;
    size_t place = 0;
    for (const Layer &layer : network_.layers) {
      Floats x = gather(layer.inputs, values, in);
      const auto *cells = recurrences(layer);
      if (cells == nullptr) {
        values.push_back(linear(layer, x));
        continue;
      }
      bool lstm = std::holds_alternative<Lstm>(layer.op);
      auto hBegin = state.begin() + static_cast<std::ptrdiff_t>(place);
      auto hEnd = hBegin + outputSizePerDirection(layer), cEnd = hEnd + (lstm ? layer.size : 0);
      Floats h(hBegin, hEnd), c(hEnd, cEnd);
      cell(layer, (*cells)[0], x, h, c);
      std::copy(h.begin(), h.end(), hBegin);
      std::copy(c.begin(), c.end(), hEnd);
      place += h.size() + c.size();
      values.push_back(h);
    }
    return gather(network_.outputs, values, in);
  }

  std::vector<float> run(std::span<const float> in, size_t steps) {
    size_t width = network_.inputSize();
    std::vector<std::vector<Floats>> values(steps);
    for (const Layer &layer : network_.layers) {
      std::vector<Floats> x(steps), out(steps);
      for (size_t t = 0; t < steps; ++t) x[t] = gather(layer.inputs, values[t], in.subspan(t * width, width));
      const auto *cells = recurrences(layer);
      for (size_t t = 0; cells == nullptr && t < steps; ++t) out[t] = linear(layer, x[t]);
      for (size_t d = 0; cells != nullptr && d < cells->size(); ++d) {
        Floats h(outputSizePerDirection(layer)), c(layer.size);
        for (size_t i = 0; i < steps; ++i) {
          size_t t = layer.direction == Direction::Backward || d == 1 ? steps - 1 - i : i;
          cell(layer, (*cells)[d], x[t], h, c);
          out[t].insert(out[t].end(), h.begin(), h.end());
        }
      }
      for (size_t t = 0; t < steps; ++t) values[t].push_back(out[t]);
    }
    std::vector<float> all;
    for (size_t t = 0; t < steps; ++t) {
      Floats row = gather(network_.outputs, values[t], in.subspan(t * width, width));
      all.insert(all.end(), row.begin(), row.end());
    }
    return all;
  }

 private:
  using Floats = std::vector<float>;
  using Term = FloatTerm;

  bool coin() { return (random_() & 1) != 0; }

  Floats gather(const std::vector<ValueRef> &refs, const std::vector<Floats> &values, std::span<const float> in) {
    Floats all;
    for (ValueRef ref : refs) {
      if (ref.kind == ValueRef::Kind::Layer) {
        all.insert(all.end(), values[ref.index].begin(), values[ref.index].end());
        continue;
      }
      size_t begin = 0;
      for (uint32_t i = 0; i < ref.index; ++i) begin += network_.inputs[i].size;
      auto part = in.subspan(begin, network_.inputs[ref.index].size);
      all.insert(all.end(), part.begin(), part.end());
    }
    return all;
  }

  void addRow(std::vector<Term> &terms, const Tensor &weight, size_t row, const Floats &x) {
    for (size_t column = 0; weight.present() && column < x.size(); ++column) {
      size_t i = row * weight.columns() + column;
      bool kept = weight.mask.empty() || weight.mask[i] != 0;
      // An explicit zero now and then, as merged rows have.
      if (kept || coin()) terms.push_back({kept ? weight.values[i] : 0.0f, x[column], halfChains_});
    }
  }
  static void addBias(std::vector<Term> &terms, const Tensor &bias, size_t row) {
    if (bias.present() && (bias.mask.empty() || bias.mask[row] != 0)) terms.push_back({bias.values[row], 1.0f});
  }

  static float toHalf(float value) { return halfToFloat(floatToHalf(value)); }

  /// Replaces the half-precision terms by one term per chain.
  static void runHalfChains(std::vector<Term> &terms) {
    std::vector<Term> left;
    float chain = 0;
    int length = 0;
    for (const Term &term : terms) {
      if (!term.half) {
        left.push_back(term);
        continue;
      }
      // The weight keeps its bits: a kernel's weights are halves already, and the bound is about the rest.
      chain = toHalf(static_cast<float>(double{term.a} * double{toHalf(term.b)} + double{chain}));
      if (++length % 4 == 0) left.push_back({std::exchange(chain, 0.0f), 1.0f});
    }
    left.push_back({chain, 1.0f});
    terms = std::move(left);
  }

  /// Random order, one to four accumulators, fused or not, accumulators added in random order.
  float sum(std::vector<Term> terms) {
    runHalfChains(terms);
    if (coin()) std::shuffle(terms.begin(), terms.end(), random_);
    // Descending magnitudes lose the most.
    if (coin())
      std::sort(terms.begin(), terms.end(), [](Term s, Term t) { return std::fabs(s.a * s.b) > std::fabs(t.a * t.b); });
    Floats accumulators(1 + random_() % 4);
    for (size_t i = 0; i < terms.size(); ++i) {
      float &accumulator = accumulators[i % accumulators.size()];
      volatile float product = terms[i].a * terms[i].b;
      accumulator = coin() ? std::fma(terms[i].a, terms[i].b, accumulator) : accumulator + product;
    }
    float total = 0;
    for (float accumulator : accumulators) total += accumulator;
    return total;
  }

  static float sigmoid(float v) { return 1.0f / (1.0f + std::exp(-v)); }

  float pre(const Layer &layer, const Recurrence &r, uint32_t gate, size_t u, const Floats &x, const Floats &h,
            Term extra = {0, 0}) {
    size_t row = gate * size_t{layer.size} + u;
    std::vector<Term> terms = {extra};
    addRow(terms, r.weightIh, row, x);
    addRow(terms, r.weightHh, row, h);
    addBias(terms, r.biasIh, row);
    addBias(terms, r.biasHh, row);
    return sum(std::move(terms));
  }

  void cell(const Layer &layer, const Recurrence &r, const Floats &x, Floats &h, Floats &c) {
    if (const auto *gru = std::get_if<Gru>(&layer.op)) return gruCell(layer, *gru, r, x, h);
    if (std::holds_alternative<Lstm>(layer.op)) return lstmCell(layer, r, x, h, c);
    Floats next(layer.size);
    for (size_t u = 0; u < layer.size; ++u) {
      float v = pre(layer, r, 0, u, x, h);
      next[u] = std::get<Rnn>(layer.op).activation == Activation::Tanh ? std::tanh(v) : std::max(v, 0.0f);
    }
    h = next;
  }

  void gruCell(const Layer &layer, const Gru &gru, const Recurrence &r, const Floats &x, Floats &h) {
    size_t size = layer.size;
    Floats reset(size), update(size), kept(size), next(size);
    for (size_t u = 0; u < size; ++u) {
      reset[u] = sigmoid(pre(layer, r, 0, u, x, h));
      update[u] = sigmoid(pre(layer, r, 1, u, x, h));
      kept[u] = reset[u] * h[u];
    }
    for (size_t u = 0; u < size; ++u) {
      float v;
      if (gru.resetAfter) {
        std::vector<Term> fromInput, fromState;
        addRow(fromInput, r.weightIh, 2 * size + u, x);
        addBias(fromInput, r.biasIh, 2 * size + u);
        addRow(fromState, r.weightHh, 2 * size + u, h);
        addBias(fromState, r.biasHh, 2 * size + u);
        float a = sum(std::move(fromInput)), b = sum(std::move(fromState));
        volatile float product = reset[u] * b;
        v = coin() ? std::fma(reset[u], b, a) : a + product;
      } else {
        v = pre(layer, r, 2, u, x, kept);
      }
      float n = std::tanh(v), z = update[u];
      volatile float left = z * h[u], right = (1.0f - z) * n;
      volatile float difference = h[u] - n;
      next[u] = coin() ? left + right : std::fma(z, difference, n);
    }
    h = next;
  }

  void lstmCell(const Layer &layer, const Recurrence &r, const Floats &x, Floats &h, Floats &c) {
    size_t size = layer.size;
    Floats hidden(size);
    auto peephole = [&](size_t part, size_t u, float value) {
      size_t i = part * size + u;
      bool kept = r.peephole.present() && (r.peephole.mask.empty() || r.peephole.mask[i] != 0);
      return kept ? Term{r.peephole.values[i], value} : Term{0, 0};
    };
    for (size_t u = 0; u < size; ++u) {
      float i = sigmoid(pre(layer, r, 0, u, x, h, peephole(0, u, c[u])));
      float f = sigmoid(pre(layer, r, 1, u, x, h, peephole(1, u, c[u])));
      float g = std::tanh(pre(layer, r, 2, u, x, h));
      volatile float left = f * c[u], right = i * g;
      c[u] = coin() ? left + right : std::fma(f, c[u], right);
      float o = sigmoid(pre(layer, r, 3, u, x, h, peephole(2, u, c[u])));
      hidden[u] = o * std::tanh(c[u]);
    }
    h = hidden;
    if (!r.weightHr.present()) return;
    h.assign(r.weightHr.rows(), 0);
    for (size_t row = 0; row < h.size(); ++row) {
      std::vector<Term> terms;
      addRow(terms, r.weightHr, row, hidden);
      h[row] = sum(std::move(terms));
    }
  }

  Floats linear(const Layer &layer, const Floats &x) {
    const Linear &op = std::get<Linear>(layer.op);
    Floats y(layer.size);
    for (size_t row = 0; row < y.size(); ++row) {
      std::vector<Term> terms;
      addRow(terms, op.weight, row, x);
      addBias(terms, op.bias, row);
      y[row] = sum(std::move(terms));
      if (op.activation == Activation::Relu) y[row] = std::max(y[row], 0.0f);
      if (op.activation == Activation::Sigmoid) y[row] = sigmoid(y[row]);
      if (op.activation == Activation::Tanh) y[row] = std::tanh(y[row]);
    }
    bool log = op.activation == Activation::LogSoftmax;
    if (!log && op.activation != Activation::Softmax) return y;
    float top = *std::max_element(y.begin(), y.end());
    std::vector<Term> terms;
    for (float value : y) terms.push_back({std::exp(value - top), 1.0f});
    float total = sum(terms);
    for (size_t i = 0; i < y.size(); ++i) y[i] = log ? (y[i] - top) - std::log(total) : terms[i].a / total;
    return y;
  }

  const Network &network_;
  bool halfChains_;
  std::mt19937 random_;
};

}  // namespace rtmc::ir
