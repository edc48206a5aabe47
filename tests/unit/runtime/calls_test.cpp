// What a call costs the caller: no allocation, no system call, no changed floating-point mode.
#include <doctest/doctest.h>
#include <rtm/rtm.h>

#include <atomic>
#include <cfenv>
#include <cstdlib>
#include <cstring>
#include <limits>
#include <vector>

#include "fake_models.h"
#include "sanitizers.h"
#include "system_calls.h"

#if defined(__GLIBC__) && !defined(RTMC_TESTS_SANITIZED)
#define COUNTS_ALLOCATIONS 1
extern "C" {
void *__libc_malloc(size_t);
void *__libc_calloc(size_t, size_t);
void *__libc_realloc(void *, size_t);
void *__libc_memalign(size_t, size_t);
void __libc_free(void *);
}

static std::atomic<uint64_t> allocations{0};

extern "C" {
void *malloc(size_t bytes) {
  ++allocations;
  return __libc_malloc(bytes);
}
void *calloc(size_t count, size_t bytes) {
  ++allocations;
  return __libc_calloc(count, bytes);
}
void *realloc(void *old, size_t bytes) {
  ++allocations;
  return __libc_realloc(old, bytes);
}
void *aligned_alloc(size_t alignment, size_t bytes) {
  ++allocations;
  return __libc_memalign(alignment, bytes);
}
void *memalign(size_t alignment, size_t bytes) {
  ++allocations;
  return __libc_memalign(alignment, bytes);
}
int posix_memalign(void **out, size_t alignment, size_t bytes) {
  ++allocations;
  *out = __libc_memalign(alignment, bytes);
  return *out ? 0 : 12;
}
void free(void *memory) {
  __libc_free(memory);
}
}
#endif

namespace {

struct Caller {
  explicit Caller(const rtm_model &of, uint32_t threads = 1, uint32_t spin = 0) : model(of) {
    rtm_options options{};
    options.size = sizeof(options);
    options.threads = threads;
    options.max_steps = kSteps;
    options.spin_us = spin;
    in = fake::noise(kSteps * model.inputs, 21);
    out.resize(kSteps * model.outputs);
    state.resize(rtm_state_bytes(&model) + 1);
    status = rtm_session_create(&model, &options, &session);
  }
  ~Caller() { rtm_session_destroy(session); }

  // Everything that a stream does once its session exists. False on any failure.
  bool use() {
    bool good = true;
    for (size_t i = 0; i < kSteps && model.causal; ++i) {
      good &= rtm_step(session, &in[i * model.inputs], &out[i * model.outputs]) == RTM_OK;
    }
    good &= rtm_run(session, in.data(), kSteps, out.data()) == RTM_OK;
    if (model.causal) {
      good &= rtm_state_save(session, state.data(), state.size()) == RTM_OK;
      good &= rtm_state_load(session, state.data(), state.size()) == RTM_OK;
    }
    return good && rtm_reset(session) == RTM_OK;
  }

  static constexpr size_t kSteps = 200;
  rtm_model model;
  rtm_session *session = nullptr;
  rtm_status status;
  std::vector<float> in, out;
  std::vector<unsigned char> state;
};

}  // namespace

TEST_CASE("a call allocates nothing") {
#ifdef COUNTS_ALLOCATIONS
  for (const rtm_model &model : {fake::causal(), fake::notCausal()}) {
    for (uint32_t threads : {1u, 2u, 4u}) {
      const uint64_t atStart = allocations;
      Caller caller(model, threads);
      REQUIRE(caller.status == RTM_OK);
      CHECK(allocations > atStart);  // the counter counts
      const uint64_t before = allocations;
      const bool good = caller.use();
      const uint64_t after = allocations;
      CHECK(good);
      CHECK(after == before);
    }
  }
#else
  MESSAGE("skipped: allocations are counted with glibc and without sanitizers only");
#endif
}

TEST_CASE("a call of one thread makes no system call; of more threads, futex calls only") {
  if (kSanitized) {
    MESSAGE("skipped: a sanitizer's runtime makes system calls of its own");
    return;
  }
  const auto makesAnother = [] { return countsAsSystemCall(); };
  const Confined control = runConfined([] { return true; }, makesAnother, false);
  if (control == Confined::kUnavailable) {
    MESSAGE("skipped: this system does not allow a seccomp filter");
    return;
  }
  // The filter works: it ends a child that makes a harmless call, and lets one pass that makes none.
  REQUIRE(control == Confined::kKilled);
  REQUIRE(runConfined([] { return true; }, [] { return true; }, false) == Confined::kGood);

  for (const rtm_model &model : {fake::causal(), fake::notCausal()}) {
    for (uint32_t threads : {1u, 2u, 3u}) {
      CAPTURE(threads);
      Caller *caller = nullptr;
      const auto prepare = [&] {
        caller = new Caller(model, threads);
        return caller->status == RTM_OK && caller->use();
      };
      CHECK(runConfined(prepare, [&] { return caller->use(); }, threads > 1) == Confined::kGood);
    }
  }
}

TEST_CASE("the caller's floating-point mode is set aside in a call and restored") {
  const rtm_model model = fake::probe();
  const float denormal = std::numeric_limits<float>::denorm_min() * 1000;
  for (uint32_t threads : {1u, 2u, 3u}) {
    for (int rounding : {FE_TONEAREST, FE_UPWARD, FE_TOWARDZERO}) {
      CAPTURE(threads);
      CAPTURE(rounding);
      REQUIRE(std::fesetround(rounding) == 0);
      Caller caller(model, threads);
      REQUIRE(caller.status == RTM_OK);
      std::feclearexcept(FE_ALL_EXCEPT);
      std::feraiseexcept(FE_DIVBYZERO);
      const int raisedBefore = std::fetestexcept(FE_ALL_EXCEPT);
      // The model raises flags of its own, which must not reach the caller.
      std::vector<float> in = {1.0f, denormal}, out(12);
      const rtm_status status = rtm_run(caller.session, in.data(), 2, out.data());
      const int after = std::fegetround();
      const int raised = std::fetestexcept(FE_ALL_EXCEPT);
      const volatile float kept = in[1];
      const float halved = kept * 0.5f;
      std::fesetround(FE_TONEAREST);
      CHECK(status == RTM_OK);
      CHECK(after == rounding);
      CHECK(raised == raisedBefore);
      CHECK(halved > 0);  // the caller's denormals live
      for (uint32_t share = 0; share < 3; ++share) {
        CHECK(out[3 + share] == 0.5f);
#if defined(__x86_64__)
        CHECK(out[share] == float(0x9fc0));
        CHECK(out[9 + share] == 0.0f);
#elif defined(__aarch64__)
        CHECK(out[share] == float(1 << 16));
        CHECK(out[9 + share] == 0.0f);
#endif
      }
    }
  }
}
