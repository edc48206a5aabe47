// The C++20 wrapper.
#include <doctest/doctest.h>
#include <rtm/rtm.hpp>

#include <array>
#include <type_traits>
#include <vector>

#include "fake_models.h"

extern "C" int runFromC(void);

TEST_CASE("the headers are C11") {
  CHECK(runFromC() == 0);
}

TEST_CASE("the wrapper runs, steps, saves and moves") {
  static_assert(!std::is_copy_constructible_v<rtm::Session> && std::is_nothrow_move_constructible_v<rtm::Session>);
  const rtm_model model = fake::causal();
  const std::vector<float> in = fake::noise(10 * fake::kInputs, 31);
  const std::vector<float> expected = fake::causalReference(in);

  auto weights = rtm::Weights::create(&model);
  REQUIRE(weights);
  auto made = rtm::Session::create(&model, {.threads = 2, .weights = &*weights});
  REQUIRE(made);
  rtm::Session session = std::move(*made);
  std::vector<float> out(10 * fake::kOutputs);
  REQUIRE(session.run(in, out) == RTM_OK);
  CHECK(out == expected);
  CHECK(session.run(std::span(in).first(4), out) == RTM_ERROR_ARGUMENT);
  CHECK(session.run(in, std::span(out).first(49)) == RTM_ERROR_ARGUMENT);
  CHECK(session.step(in, out) == RTM_ERROR_ARGUMENT);

  std::vector<std::byte> state(rtm::stateBytes(&model));
  REQUIRE(session.save(state) == RTM_OK);
  REQUIRE(session.reset() == RTM_OK);
  REQUIRE(session.step(std::span(in).first(fake::kInputs), std::span(out).first(fake::kOutputs)) == RTM_OK);
  CHECK(out[0] == expected[0]);
  CHECK(session.load(state) == RTM_OK);

  alignas(64) static std::array<std::byte, 8192> memory;
  REQUIRE(rtm::sessionBytes(&model, {.threads = 1}) <= memory.size());
  {
    auto inPlace = rtm::Session::create(&model, memory, {.threads = 1});
    REQUIRE(inPlace);
    REQUIRE(inPlace->run(in, out) == RTM_OK);
    CHECK(out == expected);
  }
  const auto refused = rtm::Session::create(&model, std::span(memory).first(64));
  CHECK(!refused);
  CHECK(refused.status() == RTM_ERROR_BUFFER);
  CHECK(rtm::describe(&model)->outputs == fake::kOutputs);
  rtm::Session empty;
  CHECK(empty.step({}, {}) == RTM_ERROR_ARGUMENT);
}
