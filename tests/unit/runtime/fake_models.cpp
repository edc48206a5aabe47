#include "fake_models.h"

#include <cmath>
#include <cstring>

namespace fake {
namespace {

float bound(float x) {
  return x / (1.0f + std::fabs(x));
}

struct alignas(64) Buffers {
  float h[2][16];  // two copies
  float c[16];
  float mixed[16];
  float bias[16];
};

// Weights as packed bytes: w_x [kHidden, kInputs], w_h [kHidden, kHidden], w_c [kCells, kHidden], w_out [kOutputs,
// kCells].
constexpr uint32_t kWx = 0, kWh = kWx + kHidden * kInputs, kWc = kWh + kHidden * kHidden, kWo = kWc + kCells * kHidden,
                   kWeightCount = kWo + kOutputs * kCells;

struct Packed {
  alignas(64) unsigned char bytes[kWeightCount * 4];
  Packed() {
    std::vector<float> values = noise(kWeightCount, 7);
    // The padding unit has no weights, so it stays zero.
    const uint32_t padding = kHidden - 1;
    for (uint32_t k = 0; k < kInputs; ++k) values[kWx + padding * kInputs + k] = 0;
    for (uint32_t k = 0; k < kHidden; ++k) values[kWh + padding * kHidden + k] = 0;
    std::memcpy(bytes, values.data(), sizeof(bytes));
  }
};
const Packed kPacked;
const float kBias[kOutputs] = {0.5f, -0.25f, 0.125f, 1.0f, -1.0f};
// Position -> the user's unit; 5 and 9 were dropped, and one more has no position; the last position is padding.
const uint32_t kOrder[kHidden] = {13, 0, 7, 2, 11, 4, 6, 1, 12, 8, 3, 0xffffffffu};

float weight(const rtm_args *args, uint32_t index) {
  float value;
  std::memcpy(&value, args->weights + size_t{index} * 4, 4);
  return value;
}

float hiddenUnit(const rtm_args *args, const float *h, float mixed, uint32_t row) {
  float sum = mixed;
  for (uint32_t k = 0; k < kHidden; ++k) sum += weight(args, kWh + row * kHidden + k) * h[k];
  return bound(sum);
}

// Rows share, share + 4, ...: neighbours belong to different threads, so that a missing barrier shows.
void mixInputs(const rtm_args *args, uint32_t share) {
  Buffers &b = *static_cast<Buffers *>(args->buffers);
  const float *x = args->in + args->step * kInputs;
  for (uint32_t row = share; row < kHidden; row += 4) {
    float sum = 0;
    for (uint32_t k = 0; k < kInputs; ++k) sum += weight(args, kWx + row * kInputs + k) * x[k];
    b.mixed[row] = sum;
  }
}

void updateHidden(const rtm_args *args, uint32_t share) {
  Buffers &b = *static_cast<Buffers *>(args->buffers);
  const float *before = b.h[args->parity];
  float *after = b.h[args->parity ^ 1];
  for (uint32_t row = share; row < kHidden; row += 4) after[row] = hiddenUnit(args, before, b.mixed[row], row);
}

void updateCells(const rtm_args *args, uint32_t share) {
  Buffers &b = *static_cast<Buffers *>(args->buffers);
  const float *h = b.h[args->parity ^ 1];
  for (uint32_t row = share; row < kCells; row += 4) {
    float sum = 0.5f * b.c[row];
    for (uint32_t k = 0; k < kHidden; ++k) sum += weight(args, kWc + row * kHidden + k) * h[k];
    b.c[row] = bound(sum);
  }
}

void writeOutputs(const rtm_args *args, uint32_t share) {
  const Buffers &b = *static_cast<const Buffers *>(args->buffers);
  float *out = args->out + args->step * kOutputs;
  for (uint32_t row = share; row < kOutputs; row += 4) {
    float sum = b.bias[row];
    for (uint32_t k = 0; k < kCells; ++k) sum += weight(args, kWo + row * kCells + k) * b.c[k];
    out[row] = sum;
  }
}

const rtm_phase kPhases[] = {mixInputs, updateHidden, updateCells, writeOutputs};
const rtm_section kSections[] = {{0, 4, 0, 0}};
const rtm_state_slot kStates[] = {
    {offsetof(Buffers, h), sizeof(Buffers::h[0]), kHidden, kUserHidden, kOrder},
    {offsetof(Buffers, c), 0, kCells, kCells, nullptr},
};
const rtm_init_slot kInits[] = {{offsetof(Buffers, bias), kOutputs, kBias}};

struct Sequence {
  std::vector<float> out, state;
};

// Independent of the runtime: the phases' arithmetic, step by step, on vectors of its own.
Sequence runReference(const std::vector<float> &in) {
  rtm_args args{};
  args.weights = kPacked.bytes;
  std::vector<float> h(kHidden), c(kCells);
  Sequence result;
  for (size_t step = 0; step < in.size() / kInputs; ++step) {
    std::vector<float> next(kHidden);
    for (uint32_t row = 0; row < kHidden; ++row) {
      float mixed = 0;
      for (uint32_t k = 0; k < kInputs; ++k) mixed += weight(&args, kWx + row * kInputs + k) * in[step * kInputs + k];
      next[row] = hiddenUnit(&args, h.data(), mixed, row);
    }
    h = next;
    for (uint32_t row = 0; row < kCells; ++row) {
      float sum = 0.5f * c[row];
      for (uint32_t k = 0; k < kHidden; ++k) sum += weight(&args, kWc + row * kHidden + k) * h[k];
      c[row] = bound(sum);
    }
    for (uint32_t row = 0; row < kOutputs; ++row) {
      float sum = kBias[row];
      for (uint32_t k = 0; k < kCells; ++k) sum += weight(&args, kWo + row * kCells + k) * c[k];
      result.out.push_back(sum);
    }
  }
  result.state.assign(kUserHidden, 0.0f);
  for (uint32_t position = 0; position < kHidden; ++position) {
    if (kOrder[position] < kUserHidden) result.state[kOrder[position]] = h[position];
  }
  result.state.insert(result.state.end(), c.begin(), c.end());
  return result;
}

// Not causal: two scans of four units each, and their sum.
struct alignas(64) BothBuffers {
  float forward[2][4];
  float backward[2][4];
};
constexpr uint64_t kRowBytes = 16;  // of each scan, for every step

float *keptRow(const rtm_args *args, uint32_t scan, size_t step) {
  unsigned char *kept = static_cast<unsigned char *>(args->buffers) + sizeof(BothBuffers);
  return reinterpret_cast<float *>(kept + (scan * args->max_steps + step) * kRowBytes);
}

float scanUnit(const float *x, const float *h, uint32_t unit) {
  return bound(x[unit % kBothInputs] + 0.75f * h[(unit + 1) % 4] - 0.5f * h[unit]);
}

void scan(const rtm_args *args, float (*h)[4], uint32_t which, uint32_t share) {
  const float *x = args->in + args->step * kBothInputs;
  for (uint32_t unit = share; unit < 4; unit += 2) {
    const float value = scanUnit(x, h[args->parity], unit);
    h[args->parity ^ 1][unit] = value;
    keptRow(args, which, args->step)[unit] = value;
  }
}

void scanForward(const rtm_args *args, uint32_t share) {
  scan(args, static_cast<BothBuffers *>(args->buffers)->forward, 0, share);
}
void scanBackward(const rtm_args *args, uint32_t share) {
  scan(args, static_cast<BothBuffers *>(args->buffers)->backward, 1, share);
}
void join(const rtm_args *args, uint32_t share) {
  for (uint32_t unit = share; unit < 4; unit += 2) {
    // Reads what the other share kept.
    const uint32_t other = 3 - unit;
    args->out[args->step * kBothOutputs + unit] =
        keptRow(args, 0, args->step)[other] - keptRow(args, 1, args->step)[unit];
  }
}

const rtm_phase kBothPhases[] = {scanForward, scanBackward, join};
const rtm_section kBothSections[] = {{0, 1, 0, 0}, {1, 1, 1, 0}, {2, 1, 0, 0}};
const rtm_state_slot kBothStates[] = {{offsetof(BothBuffers, forward), 16, 4, 4, nullptr},
                                      {offsetof(BothBuffers, backward), 16, 4, 4, nullptr}};

// Causal, in chunks: the inputs of a chunk, its scan, and what reads both. Layout as above, one scan.
struct alignas(64) ChunkBuffers {
  float h[2][4];
};

float chunkInput(const float *x, uint32_t unit) {
  return 1.5f * x[unit % kBothInputs];
}

void chunkInputs(const rtm_args *args, uint32_t share) {
  for (size_t step = 0; step < args->steps; ++step) {
    for (uint32_t unit = share; unit < 4; unit += 2)
      keptRow(args, 0, step)[unit] = chunkInput(args->in + step * kBothInputs, unit);
  }
}
void chunkScan(const rtm_args *args, uint32_t share) {
  float(*h)[4] = static_cast<ChunkBuffers *>(args->buffers)->h;
  for (uint32_t unit = share; unit < 4; unit += 2) {
    const float value = bound(keptRow(args, 0, args->step)[unit] + 0.75f * h[args->parity][(unit + 1) % 4]);
    h[args->parity ^ 1][unit] = value;
    keptRow(args, 1, args->step)[unit] = value;
  }
}

const rtm_phase kChunkPhases[] = {chunkInputs, chunkScan, join};
const rtm_section kChunkSections[] = {{0, 1, 0, 1}, {1, 1, 0, 0}, {2, 1, 0, 0}};
const rtm_state_slot kChunkStates[] = {{offsetof(ChunkBuffers, h), 16, 4, 4, nullptr}};

float controlWord() {
  uint32_t bits = 0;
#if defined(__x86_64__)
  bits = __builtin_ia32_stmxcsr() & 0xffc0u;  // without the exception flags
#elif defined(__aarch64__)
  uint64_t fpcr;
  asm volatile("mrs %0, fpcr" : "=r"(fpcr));
  bits = static_cast<uint32_t>(fpcr >> 8);
#endif
  return static_cast<float>(bits);
}

void look(const rtm_args *args, uint32_t share) {
  args->out[args->step * 6 + share] = controlWord();
  const volatile float half = 0.5f, third = 0.3f;
  const volatile float inexact = third * third;  // raises a flag
  static_cast<void>(inexact);
  args->out[args->step * 6 + 3 + share] = args->in[args->step] * half;
}

const rtm_phase kProbePhases[] = {look};
const rtm_section kProbeSections[] = {{0, 1, 0, 0}};

struct alignas(64) PeekBuffers {
  float copies[2][16];
};

void peekOther(const rtm_args *args, uint32_t) {
  float &other = static_cast<PeekBuffers *>(args->buffers)->copies[args->parity ^ 1][0];
  args->out[args->step] = other;
  other = args->in[args->step];
}

const rtm_phase kPeekPhases[] = {peekOther};
const rtm_state_slot kPeekStates[] = {{0, sizeof(PeekBuffers::copies[0]), 1, 1, nullptr}};

rtm_model blank(const char *name) {
  rtm_model model{};
  model.abi = RTM_ABI_VERSION;
  model.size = sizeof(rtm_model);
  model.name = name;
  model.precision = "f32";
  model.cpu = "any";
  return model;
}

}  // namespace

rtm_model causal() {
  rtm_model model = blank("fake");
  model.inputs = kInputs;
  model.outputs = kOutputs;
  model.shares = 4;
  model.causal = 1;
  model.shape_hash = 0x1234567890abcdefull;
  model.weights_hash = 0xfedcba0987654321ull;
  model.weights = kPacked.bytes;
  model.weight_bytes = sizeof(kPacked.bytes);
  model.buffer_bytes = sizeof(Buffers);
  model.phases = kPhases;
  model.phase_count = 4;
  model.section_count = 1;
  model.sections = kSections;
  model.states = kStates;
  model.state_count = 2;
  model.init_count = 1;
  model.inits = kInits;
  return model;
}

std::vector<float> causalReference(const std::vector<float> &in) {
  return runReference(in).out;
}
std::vector<float> causalReferenceState(const std::vector<float> &in) {
  return runReference(in).state;
}

rtm_model notCausal() {
  rtm_model model = blank("fake_both");
  model.inputs = kBothInputs;
  model.outputs = kBothOutputs;
  model.shares = 2;
  model.buffer_bytes = sizeof(BothBuffers);
  model.step_bytes = 64;
  model.phases = kBothPhases;
  model.phase_count = 3;
  model.section_count = 3;
  model.sections = kBothSections;
  model.states = kBothStates;
  model.state_count = 2;
  model.shape_hash = 5;
  return model;
}

std::vector<float> notCausalReference(const std::vector<float> &in) {
  const size_t steps = in.size() / kBothInputs;
  std::vector<float> kept[2];
  for (int backward = 0; backward < 2; ++backward) {
    float h[4] = {};
    kept[backward].resize(steps * 4);
    for (size_t i = 0; i < steps; ++i) {
      const size_t step = backward ? steps - 1 - i : i;
      float next[4];
      for (uint32_t unit = 0; unit < 4; ++unit) next[unit] = scanUnit(&in[step * kBothInputs], h, unit);
      std::memcpy(h, next, sizeof(h));
      std::memcpy(&kept[backward][step * 4], h, sizeof(h));
    }
  }
  std::vector<float> out(steps * kBothOutputs);
  for (size_t step = 0; step < steps; ++step) {
    for (uint32_t unit = 0; unit < 4; ++unit)
      out[step * 4 + unit] = kept[0][step * 4 + 3 - unit] - kept[1][step * 4 + unit];
  }
  return out;
}

rtm_model chunked() {
  rtm_model model = blank("fake_chunks");
  model.inputs = kBothInputs;
  model.outputs = kBothOutputs;
  model.shares = 2;
  model.causal = 1;
  model.chunk = 3;
  model.buffer_bytes = sizeof(ChunkBuffers);
  model.step_bytes = 64;
  model.phases = kChunkPhases;
  model.phase_count = 3;
  model.section_count = 3;
  model.sections = kChunkSections;
  model.states = kChunkStates;
  model.state_count = 1;
  model.shape_hash = 6;
  return model;
}

std::vector<float> chunkedReference(const std::vector<float> &in) {
  const size_t steps = in.size() / kBothInputs;
  std::vector<float> out(steps * kBothOutputs);
  float h[4] = {};
  for (size_t step = 0; step < steps; ++step) {
    float x[4], next[4];
    for (uint32_t unit = 0; unit < 4; ++unit) x[unit] = chunkInput(&in[step * kBothInputs], unit);
    for (uint32_t unit = 0; unit < 4; ++unit) next[unit] = bound(x[unit] + 0.75f * h[(unit + 1) % 4]);
    std::memcpy(h, next, sizeof(h));
    for (uint32_t unit = 0; unit < 4; ++unit) out[step * kBothOutputs + unit] = x[3 - unit] - h[unit];
  }
  return out;
}

rtm_model probe() {
  rtm_model model = blank("probe");
  model.inputs = 1;
  model.outputs = 6;
  model.shares = 3;
  model.causal = 1;
  model.phases = kProbePhases;
  model.phase_count = 1;
  model.section_count = 1;
  model.sections = kProbeSections;
  return model;
}

rtm_model peek() {
  rtm_model model = blank("peek");
  model.inputs = model.outputs = 1;
  model.shares = 1;
  model.causal = 1;
  model.buffer_bytes = sizeof(PeekBuffers);
  model.phases = kPeekPhases;
  model.phase_count = 1;
  model.section_count = 1;
  model.sections = kProbeSections;
  model.states = kPeekStates;
  model.state_count = 1;
  return model;
}

std::vector<float> noise(size_t count, uint32_t seed) {
  std::vector<float> values(count);
  uint32_t state = seed * 2654435761u + 1;
  for (float &value : values) {
    state = state * 1664525u + 1013904223u;
    value = static_cast<float>(static_cast<int32_t>(state)) / 2147483648.0f;
  }
  return values;
}

}  // namespace fake
