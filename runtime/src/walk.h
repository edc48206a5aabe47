// Owns the order of a call: chunks of steps, in each the sections, their steps and phases. The runtime walks it with
// threads and barriers, the runner with a clock. Header only, so that neither pays for the other. Refuses to own: what
// is done at a phase.
#ifndef RTM_SRC_WALK_H
#define RTM_SRC_WALK_H

#include "session.h"

namespace rtm {

/// Calls visit(args, section, index of the phase) for each phase of each step of `job`, or of each chunk where the
/// section runs per chunk; args.steps are the chunk's.
template <class Visit>
inline void walk(const rtm_session &session, const rtm_session::Job &job, const Visit &visit) {
  const rtm_model &model = *session.model;
  const size_t steps = job.steps;
  const size_t chunk = model.causal ? chunkOf(model) : steps;
  rtm_args args;
  args.buffers = session.buffers;
  args.weights = session.weights;
  args.max_steps = session.maxSteps;
  for (size_t begin = 0; begin < steps; begin += chunk) {
    args.in = job.in + begin * model.inputs;
    args.out = job.out + begin * model.outputs;
    args.steps = steps - begin < chunk ? steps - begin : chunk;
    for (uint32_t s = 0; s < model.section_count; ++s) {
      const rtm_section &section = model.sections[s];
      const uint32_t end = section.first_phase + section.phase_count;
      args.parity = job.parity ^ static_cast<uint32_t>(begin & 1);
      const size_t times = section.per_chunk ? 1 : args.steps;
      for (size_t i = 0; i < times; ++i) {
        args.step = section.backward ? times - 1 - i : i;
        for (uint32_t phase = section.first_phase; phase < end; ++phase) visit(args, section, phase);
        args.parity ^= 1;
      }
    }
  }
}

}  // namespace rtm

#endif
