// Hand-written models, as generated code would be: what the runtime does is tested without the compiler.
#ifndef RTMC_TESTS_FAKE_MODELS_H
#define RTMC_TESTS_FAKE_MODELS_H

#include <rtm/abi.h>

#include <cstddef>
#include <vector>

namespace fake {

// Four phases, four shares, a double-buffered state with permuted, dropped and padding units, a second state in place,
// an initialised vector.
inline constexpr uint32_t kInputs = 3, kOutputs = 5;
inline constexpr uint32_t kHidden = 12;  // positions of h, the last one padding
inline constexpr uint32_t kUserHidden = 14;
inline constexpr uint32_t kCells = 8;
rtm_model causal();

// The same arithmetic in plain loops, from the zero state; [steps, kInputs] -> [steps, kOutputs].
std::vector<float> causalReference(const std::vector<float> &in);
// The state after these steps, in the user's order: kUserHidden floats, then kCells.
std::vector<float> causalReferenceState(const std::vector<float> &in);

// A forward and a backward section and one that joins them; two shares; values kept for all steps.
inline constexpr uint32_t kBothInputs = 2, kBothOutputs = 4;
rtm_model notCausal();
std::vector<float> notCausalReference(const std::vector<float> &in);

// Causal, chunks of up to three steps: a section that does all of a chunk's steps, a scan with a double-buffered state,
// and one that reads what both kept; two shares. Inputs and outputs as above.
rtm_model chunked();
std::vector<float> chunkedReference(const std::vector<float> &in);

// Each share writes the bits of the floating-point control word that it sees (out[share]) and in[0] * 0.5 (out[3 +
// share]).
rtm_model probe();

// Writes the other copy of its state, after it wrote what was there to out.
rtm_model peek();

// Deterministic values in -1..1.
std::vector<float> noise(size_t count, uint32_t seed);

}  // namespace fake

#endif
