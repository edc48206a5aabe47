// Owns the protocol: one function per command, and the model that was loaded last.
//   load    {library, symbol}: finds NAME_model; replies its description. `library` missing: the linked model.
//   weights {output}: writes the packed bytes that the library holds.
//   run     {input, steps, output, threads?, arena?, chunk?}: one session from the zero state; `chunk` steps per call.
//   steps   {input, states, count, output, states_out, threads?, arena?}: step i starts from state i and input i, so
//           that errors do not accumulate; states are floats in the contract's order, without a header.
//   bench   see bench.h.   machine: see measure_machine.h; its figures beside "ok".
#ifndef RTMC_RUNNER_COMMANDS_H
#define RTMC_RUNNER_COMMANDS_H

#include <rtm/rtm.h>

#include "request.h"

namespace rtmc::runner {

class Commands {
 public:
  // The reply; a mistake of the request or the environment is a Failure.
  Json handle(const Json &request);

 private:
  Json load(const Json &request);
  Json weights(const Json &request) const;
  Json run(const Json &request) const;
  Json steps(const Json &request) const;
  const rtm_model *loaded() const;

  const rtm_model *model_ = nullptr;
};

}  // namespace rtmc::runner

#endif
