// Saved states: their order, their header, and every refusal.
#include <doctest/doctest.h>
#include <rtm/rtm.h>

#include <cstring>
#include <vector>

#include "fake_models.h"

namespace {

rtm_session *create(const rtm_model &model, uint32_t threads = 1) {
  rtm_options with{};
  with.size = sizeof(with);
  with.threads = threads;
  with.max_steps = 8;
  rtm_session *session = nullptr;
  REQUIRE(rtm_session_create(&model, &with, &session) == RTM_OK);
  return session;
}

std::vector<unsigned char> save(const rtm_model &model, const rtm_session *session) {
  // Not zero before, so that zeroes are seen to be written.
  std::vector<unsigned char> bytes(rtm_state_bytes(&model), 0xff);
  REQUIRE(rtm_state_save(session, bytes.data(), bytes.size()) == RTM_OK);
  return bytes;
}

std::vector<float> valuesOf(const std::vector<unsigned char> &saved) {
  std::vector<float> values(fake::kUserHidden + fake::kCells);
  std::memcpy(values.data(), saved.data() + saved.size() - values.size() * 4, values.size() * 4);
  return values;
}

std::vector<float> run(rtm_session *session, const std::vector<float> &in) {
  std::vector<float> out(in.size() / fake::kInputs * fake::kOutputs);
  REQUIRE(rtm_run(session, in.data(), in.size() / fake::kInputs, out.data()) == RTM_OK);
  return out;
}

}  // namespace

TEST_CASE("a state is saved in the user's order, with zeroes for dropped units") {
  const rtm_model model = fake::causal();
  for (size_t steps : {0u, 1u, 2u, 9u}) {
    CAPTURE(steps);
    rtm_session *session = create(model);
    const std::vector<float> in = fake::noise(steps * fake::kInputs, 11);
    run(session, in);
    const std::vector<float> values = valuesOf(save(model, session));
    CHECK(values == fake::causalReferenceState(in));
    CHECK(values[5] == 0);
    CHECK(values[9] == 0);
    rtm_session_destroy(session);
  }
}

TEST_CASE("a loaded state goes on where it was saved, in either copy") {
  const rtm_model model = fake::causal();
  const std::vector<float> in = fake::noise(40 * fake::kInputs, 12);
  const std::vector<float> expected = fake::causalReference(in);
  for (size_t before : {6u, 7u}) {
    for (size_t other : {0u, 3u, 4u}) {
      CAPTURE(before);
      CAPTURE(other);
      rtm_session *first = create(model);
      run(first, {in.begin(), in.begin() + static_cast<std::ptrdiff_t>(before * fake::kInputs)});
      const std::vector<unsigned char> saved = save(model, first);
      rtm_session_destroy(first);

      rtm_session *second = create(model, 2);
      run(second, fake::noise(other * fake::kInputs, 13));
      REQUIRE(rtm_state_load(second, saved.data(), saved.size()) == RTM_OK);
      CHECK(save(model, second) == saved);
      const std::vector<float> rest(in.begin() + static_cast<std::ptrdiff_t>(before * fake::kInputs), in.end());
      const std::vector<float> tail(expected.begin() + static_cast<std::ptrdiff_t>(before * fake::kOutputs),
                                    expected.end());
      CHECK(run(second, rest) == tail);
      rtm_session_destroy(second);
    }
  }
}

TEST_CASE("a state of another model, or a damaged one, is refused and changes nothing") {
  const rtm_model model = fake::causal();
  rtm_session *session = create(model);
  run(session, fake::noise(5 * fake::kInputs, 14));
  const std::vector<unsigned char> good = save(model, session);

  // Every byte of the header: magic, version, hash, size.
  const size_t header = good.size() - (fake::kUserHidden + fake::kCells) * sizeof(float);
  for (size_t i = 0; i < header; ++i) {
    CAPTURE(i);
    std::vector<unsigned char> bad(good.size(), 0);
    std::memcpy(bad.data(), good.data(), header);
    bad[i] ^= 0x40;
    CHECK(rtm_state_load(session, bad.data(), bad.size()) == RTM_ERROR_STATE);
    CHECK(save(model, session) == good);
  }
  for (size_t length : {size_t{0}, size_t{1}, header, good.size() - 1}) {
    CHECK(rtm_state_load(session, good.data(), length) == RTM_ERROR_STATE);
  }
  rtm_model other = fake::causal();
  other.shape_hash ^= 1;
  rtm_session *stranger = create(other);
  CHECK(rtm_state_load(stranger, good.data(), good.size()) == RTM_ERROR_STATE);
  rtm_session_destroy(stranger);

  CHECK(rtm_state_load(session, nullptr, good.size()) == RTM_ERROR_ARGUMENT);
  CHECK(rtm_state_load(nullptr, good.data(), good.size()) == RTM_ERROR_ARGUMENT);
  CHECK(save(model, session) == good);
  rtm_session_destroy(session);
}

TEST_CASE("saving needs room and an argument, and writes no byte more") {
  const rtm_model model = fake::causal();
  rtm_session *session = create(model);
  const size_t bytes = rtm_state_bytes(&model);
  std::vector<unsigned char> room(bytes + 8, 0x5a);
  CHECK(rtm_state_save(session, room.data(), bytes - 1) == RTM_ERROR_BUFFER);
  CHECK(room[0] == 0x5a);
  CHECK(rtm_state_save(session, nullptr, bytes) == RTM_ERROR_ARGUMENT);
  CHECK(rtm_state_save(nullptr, room.data(), bytes) == RTM_ERROR_ARGUMENT);
  // Alignment is not asked for.
  REQUIRE(rtm_state_save(session, room.data() + 1, bytes + 7) == RTM_OK);
  CHECK(rtm_state_load(session, room.data() + 1, bytes) == RTM_OK);
  CHECK(room[0] == 0x5a);
  CHECK(room[bytes + 1] == 0x5a);
  rtm_session_destroy(session);
}

TEST_CASE("a model that is not causal has no state to save, and no single step") {
  const rtm_model model = fake::notCausal();
  rtm_session *session = create(model);
  unsigned char bytes[256] = {};
  float in[2] = {}, out[4] = {};
  CHECK(rtm_state_bytes(&model) == 0);
  CHECK(rtm_state_save(session, bytes, sizeof(bytes)) == RTM_ERROR_NOT_CAUSAL);
  CHECK(rtm_state_load(session, bytes, sizeof(bytes)) == RTM_ERROR_NOT_CAUSAL);
  CHECK(rtm_step(session, in, out) == RTM_ERROR_NOT_CAUSAL);
  rtm_session_destroy(session);
}
