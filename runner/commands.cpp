#include "commands.h"

#include <rtm/abi.h>

#include <algorithm>
#include <cstdio>
#include <cstring>
#include <nlohmann/json.hpp>

#include "bench.h"
#include "library.h"
#include "raw_floats.h"
#include "session.h"
#ifdef RTM_RUNNER_HAS_MACHINE
#include "measure_machine.h"
#endif

namespace rtmc::runner {
namespace {

std::string hex(uint64_t value) {
  char text[17];
  std::snprintf(text, sizeof(text), "%016llx", static_cast<unsigned long long>(value));
  return text;
}

size_t stateFloats(const rtm_model &model) {
  size_t floats = 0;
  for (uint32_t i = 0; i < model.state_count; ++i) floats += model.states[i].user_count;
  return floats;
}

Json describeAsJson(const rtm_model &model) {
  const rtm_model_info info = describe(&model);
  return {{"name", info.name},
          {"precision", info.precision},
          {"cpu", info.cpu},
          {"inputs", info.inputs},
          {"outputs", info.outputs},
          {"threads", info.threads},
          {"causal", info.causal != 0},
          {"weights_hash", hex(info.weights_hash)},
          {"shape_hash", hex(info.shape_hash)},
          {"weight_bytes", info.weight_bytes},
          {"state_bytes", info.state_bytes},
          {"state_floats", stateFloats(model)},
          {"phases", model.phase_count}};
}

}  // namespace

const rtm_model *Commands::loaded() const {
  if (!model_) throw Failure("no model was loaded");
  return model_;
}

Json Commands::handle(const Json &request) {
  if (!request.is_object()) throw Failure("a request is a JSON object");
  const std::string command = textOf(request, "cmd");
  if (command == "load") return load(request);
  if (command == "weights") return weights(request);
  if (command == "run") return run(request);
  if (command == "steps") return steps(request);
  if (command == "bench") return bench(loaded(), request);
  if (command == "machine") {
#ifdef RTM_RUNNER_HAS_MACHINE
    Json reply = measureMachine(request);
    reply["ok"] = true;
    return reply;
#else
    throw Failure("this runner was built without 'machine'");
#endif
  }
  throw Failure("unknown command '" + command + "'");
}

Json Commands::load(const Json &request) {
  const std::string library = textOf(request, "library", "");
  const rtm_model *model = loadModel(library, library.empty() ? "" : textOf(request, "symbol"));
  Json reply = {{"ok", true}, {"info", describeAsJson(*model)}};
  model_ = model;
  return reply;
}

Json Commands::weights(const Json &request) const {
  const rtm_model_info info = describe(loaded());
  writeBytes(textOf(request, "output"), info.weight_data, static_cast<size_t>(info.weight_bytes));
  return {{"ok", true}, {"bytes", info.weight_bytes}};
}

Json Commands::run(const Json &request) const {
  const rtm_model *model = loaded();
  const rtm_model_info info = describe(model);
  const size_t steps = countOf(request, "steps", kMostSteps);
  const std::vector<float> in = readFloats(textOf(request, "input"), steps * info.inputs);
  const size_t chunk = countOf(request, "chunk", kMostSteps, 0);
  Session session(model, SessionRequest::of(request), steps);
  std::vector<float> out(steps * info.outputs);
  const size_t perCall = chunk ? chunk : std::max<size_t>(steps, 1);
  if (!info.causal && perCall < steps) throw Failure("'chunk' cuts a sequence that this model needs whole");
  for (size_t done = 0; done < steps; done += perCall) {
    const size_t now = std::min(perCall, steps - done);
    // chunk 1 means rtm_step, and only that; everything else is rtm_run, also its last single step.
    const float *from = in.data() + done * info.inputs;
    float *to = out.data() + done * info.outputs;
    if (chunk == 1) {
      check(rtm_step(session.get(), from, to), "rtm_step");
    } else {
      check(rtm_run(session.get(), from, now, to), "rtm_run");
    }
  }
  writeFloats(textOf(request, "output"), out);
  return {{"ok", true}, {"steps", steps}, {"threads_used", session.threads()}};
}

Json Commands::steps(const Json &request) const {
  const rtm_model *model = loaded();
  const rtm_model_info info = describe(model);
  if (!info.causal) throw Failure(std::string("rtm_step: ") + rtm_status_string(RTM_ERROR_NOT_CAUSAL));
  const size_t count = countOf(request, "count", kMostSteps);
  const size_t floats = stateFloats(*model);
  const std::vector<float> in = readFloats(textOf(request, "input"), count * info.inputs);
  const std::vector<float> before = readFloats(textOf(request, "states"), count * floats);
  Session session(model, SessionRequest::of(request), 1);
  std::vector<float> out(count * info.outputs), after(count * floats);
  // A fresh session's state gives the header; its values are then replaced.
  std::vector<unsigned char> saved(rtm_state_bytes(model));
  check(rtm_state_save(session.get(), saved.data(), saved.size()), "rtm_state_save");
  unsigned char *values = saved.data() + saved.size() - floats * sizeof(float);
  for (size_t i = 0; i < count; ++i) {
    if (floats) std::memcpy(values, before.data() + i * floats, floats * sizeof(float));
    check(rtm_state_load(session.get(), saved.data(), saved.size()), "rtm_state_load");
    check(rtm_step(session.get(), in.data() + i * info.inputs, out.data() + i * info.outputs), "rtm_step");
    check(rtm_state_save(session.get(), saved.data(), saved.size()), "rtm_state_save");
    if (floats) std::memcpy(after.data() + i * floats, values, floats * sizeof(float));
  }
  writeFloats(textOf(request, "output"), out);
  writeFloats(textOf(request, "states_out"), after);
  return {{"ok", true}, {"count", count}, {"threads_used", session.threads()}};
}

}  // namespace rtmc::runner
