// What a session computes: the same bits for any number of threads, chunks, and places of memory and weights.
#include <doctest/doctest.h>
#include <rtm/rtm.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <thread>
#include <vector>

#include "fake_models.h"

namespace {

constexpr size_t kSteps = 300;

rtm_options options(uint32_t threads, uint32_t maxSteps = 0) {
  rtm_options result{};
  result.size = sizeof(result);
  result.threads = threads;
  result.max_steps = maxSteps;
  return result;
}

rtm_session *create(const rtm_model &model, const rtm_options &with) {
  rtm_session *session = nullptr;
  REQUIRE(rtm_session_create(&model, &with, &session) == RTM_OK);
  return session;
}

// perCall 0: rtm_step.
std::vector<float> runCausal(const rtm_model &model, rtm_session *session, const std::vector<float> &in,
                             size_t perCall) {
  const size_t steps = in.size() / model.inputs;
  std::vector<float> out(steps * model.outputs);
  for (size_t at = 0; at < steps;) {
    const size_t now = perCall == 0 ? 1 : std::min(perCall, steps - at);
    const float *from = &in[at * model.inputs];
    float *to = &out[at * model.outputs];
    REQUIRE((perCall == 0 ? rtm_step(session, from, to) : rtm_run(session, from, now, to)) == RTM_OK);
    at += now;
  }
  return out;
}

}  // namespace

TEST_CASE("a causal model gives the reference's bits for all threads and lengths of calls") {
  const rtm_model model = fake::causal();
  const std::vector<float> in = fake::noise(kSteps * fake::kInputs, 1);
  const std::vector<float> expected = fake::causalReference(in);
  for (uint32_t threads : {0u, 1u, 2u, 3u, 4u, 9u}) {
    for (size_t perCall : {size_t{0}, size_t{1}, size_t{7}, kSteps}) {
      CAPTURE(threads);
      CAPTURE(perCall);
      rtm_session *session = create(model, options(threads));
      CHECK(runCausal(model, session, in, perCall) == expected);
      // After an odd number of steps too, a reset returns to the start.
      REQUIRE(rtm_reset(session) == RTM_OK);
      CHECK(runCausal(model, session, in, perCall) == expected);
      rtm_session_destroy(session);
    }
  }
}

TEST_CASE("steps that run together in chunks give the bits of steps one by one") {
  const rtm_model model = fake::chunked();
  const std::vector<float> in = fake::noise(kSteps * fake::kBothInputs, 3);
  const std::vector<float> expected = fake::chunkedReference(in);
  for (uint32_t threads : {1u, 2u}) {
    for (size_t perCall : {size_t{0}, size_t{1}, size_t{2}, size_t{3}, size_t{7}, kSteps}) {
      CAPTURE(threads);
      CAPTURE(perCall);
      rtm_session *session = create(model, options(threads));
      CHECK(runCausal(model, session, in, perCall) == expected);
      REQUIRE(rtm_reset(session) == RTM_OK);
      CHECK(runCausal(model, session, in, perCall) == expected);
      rtm_session_destroy(session);
    }
  }
  // Room for the rows of one chunk, however long a call is.
  rtm_model larger = model;
  larger.chunk = 5;
  CHECK(rtm_session_bytes(&larger, nullptr) == rtm_session_bytes(&model, nullptr) + 2 * model.step_bytes);
}

TEST_CASE("a reset zeroes both copies of a state") {
  const rtm_model model = fake::peek();
  for (size_t steps : {2u, 3u}) {
    rtm_session *session = create(model, options(1));
    const std::vector<float> in = {1, 2, 3};
    std::vector<float> out(3, -1.0f);
    REQUIRE(rtm_run(session, in.data(), steps, out.data()) == RTM_OK);
    REQUIRE(rtm_reset(session) == RTM_OK);
    REQUIRE(rtm_run(session, in.data(), 3, out.data()) == RTM_OK);
    CHECK(out == std::vector<float>{0, 0, 1});
    rtm_session_destroy(session);
  }
}

TEST_CASE("a model that is not causal starts each sequence from the zero state") {
  const rtm_model model = fake::notCausal();
  for (uint32_t threads : {1u, 2u, 3u}) {
    rtm_session *session = create(model, options(threads, 50));
    for (size_t steps : {size_t{50}, size_t{1}, size_t{17}, size_t{50}}) {
      CAPTURE(threads);
      CAPTURE(steps);
      const std::vector<float> in = fake::noise(steps * fake::kBothInputs, static_cast<uint32_t>(steps));
      std::vector<float> out(steps * fake::kBothOutputs);
      REQUIRE(rtm_run(session, in.data(), steps, out.data()) == RTM_OK);
      CHECK(out == fake::notCausalReference(in));
    }
    rtm_session_destroy(session);
  }
}

TEST_CASE("a session lives in the caller's memory, and only there") {
  const rtm_model causal = fake::causal(), both = fake::notCausal();
  for (uint32_t threads : {1u, 3u}) {
    for (const rtm_model *model : {&causal, &both}) {
      const rtm_options with = options(threads, 20);
      const size_t bytes = rtm_session_bytes(model, &with);
      REQUIRE(bytes > 0);
      REQUIRE(bytes % 64 == 0);
      unsigned char *memory = static_cast<unsigned char *>(std::aligned_alloc(64, bytes + 64));
      for (int round = 0; round < 2; ++round) {
        std::fill(memory, memory + bytes + 64, static_cast<unsigned char>(0xa5));
        rtm_session *session = nullptr;
        REQUIRE(rtm_session_init(model, memory, bytes, &with, &session) == RTM_OK);
        const std::vector<float> in = fake::noise(20 * model->inputs, 4);
        std::vector<float> out(20 * model->outputs);
        REQUIRE(rtm_run(session, in.data(), 20, out.data()) == RTM_OK);
        CHECK(out == (model == &causal ? fake::causalReference(in) : fake::notCausalReference(in)));
        rtm_session_destroy(session);
        CHECK(std::all_of(memory + bytes, memory + bytes + 64, [](unsigned char byte) { return byte == 0xa5; }));
      }
      std::free(memory);
    }
  }
}

TEST_CASE("sessions on different threads share weights and nothing else") {
  const rtm_model model = fake::causal();
  rtm_weights *weights = nullptr;
  REQUIRE(rtm_weights_create(&model, &weights) == RTM_OK);
  const std::vector<float> in = fake::noise(kSteps * fake::kInputs, 5);
  const std::vector<float> expected = fake::causalReference(in);
  std::vector<float> outs[3];
  std::vector<std::thread> callers;
  for (uint32_t i = 0; i < 3; ++i) {
    callers.emplace_back([&, i] {
      rtm_options with = options(i + 1);
      with.weights = weights;
      rtm_session *session = nullptr;
      if (rtm_session_create(&model, &with, &session) != RTM_OK) return;
      outs[i].resize(expected.size());
      for (size_t step = 0; step < kSteps; ++step) {
        rtm_step(session, &in[step * fake::kInputs], &outs[i][step * fake::kOutputs]);
      }
      rtm_session_destroy(session);
    });
  }
  for (std::thread &caller : callers) caller.join();
  for (const std::vector<float> &out : outs) CHECK(out == expected);
  rtm_weights_destroy(weights);
}

TEST_CASE("workers that went to sleep wake up") {
  const rtm_model model = fake::causal();
  const std::vector<float> in = fake::noise(30 * fake::kInputs, 6);
  const std::vector<float> expected = fake::causalReference(in);
  for (uint32_t threads : {2u, 4u}) {
    rtm_options with = options(threads);
    with.spin_us = 1;
    rtm_session *session = create(model, with);
    std::vector<float> out(expected.size());
    for (size_t step = 0; step < 30; ++step) {
      if (step % 2 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(2));
      REQUIRE(rtm_step(session, &in[step * fake::kInputs], &out[step * fake::kOutputs]) == RTM_OK);
    }
    CHECK(out == expected);
    rtm_session_destroy(session);
  }
}

TEST_CASE("a session without a call ends") {
  const rtm_model model = fake::causal();
  rtm_session_destroy(create(model, options(4)));
  rtm_session_destroy(nullptr);
}
