// Every refusal, and that refusing leaves nothing behind.
#include <doctest/doctest.h>
#include <rtm/rtm.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <set>
#include <string>
#include <vector>

#include "cpu_features.h"
#include "fake_models.h"
#include "sanitizers.h"

namespace {

rtm_options sized() {
  rtm_options options{};
  options.size = sizeof(options);
  return options;
}

struct Aligned {
  explicit Aligned(size_t bytes) : data(std::aligned_alloc(64, (bytes + 63) / 64 * 64)) {}
  ~Aligned() { std::free(data); }
  void *data;
};

rtm_status tryCreate(const rtm_model &model, const rtm_options *options) {
  rtm_session *session = reinterpret_cast<rtm_session *>(1);
  const rtm_status status = rtm_session_create(&model, options, &session);
  CHECK((session != nullptr) == (status == RTM_OK));
  rtm_session_destroy(session);
  return status;
}

size_t threadsOfThisProcess() {
  size_t count = 0;
  FILE *status = std::fopen("/proc/self/status", "r");
  char line[256];
  while (status && std::fgets(line, sizeof(line), status)) {
    if (std::sscanf(line, "Threads: %zu", &count) == 1) break;
  }
  if (status) std::fclose(status);
  return count;
}

}  // namespace

TEST_CASE("another ABI is refused by every entry point, and nothing but its number is read") {
  // On the last four bytes of an allocation: a read of more is caught by AddressSanitizer.
  std::vector<uint32_t> only = {RTM_ABI_VERSION + 1};
  const rtm_model *model = reinterpret_cast<const rtm_model *>(only.data());
  rtm_model_info info{};
  info.size = sizeof(info);
  rtm_weights *weights = nullptr;
  rtm_session *session = nullptr;
  Aligned memory(4096);
  CHECK(rtm_model_describe(model, &info) == RTM_ERROR_ABI);
  CHECK(rtm_weights_create(model, &weights) == RTM_ERROR_ABI);
  CHECK(rtm_session_bytes(model, nullptr) == 0);
  CHECK(rtm_session_init(model, memory.data, 4096, nullptr, &session) == RTM_ERROR_ABI);
  CHECK(rtm_session_create(model, nullptr, &session) == RTM_ERROR_ABI);
  CHECK(rtm_state_bytes(model) == 0);
  CHECK(weights == nullptr);
  CHECK(session == nullptr);
  rtm_model resized = fake::causal();
  resized.size += 8;
  CHECK(rtm_session_create(&resized, nullptr, &session) == RTM_ERROR_ABI);
}

TEST_CASE("null arguments") {
  const rtm_model model = fake::causal();
  rtm_model_info info{};
  info.size = sizeof(info);
  rtm_session *session = nullptr;
  rtm_weights *weights = nullptr;
  Aligned memory(1 << 16);
  CHECK(rtm_model_describe(nullptr, &info) == RTM_ERROR_ARGUMENT);
  CHECK(rtm_model_describe(&model, nullptr) == RTM_ERROR_ARGUMENT);
  CHECK(rtm_weights_create(nullptr, &weights) == RTM_ERROR_ARGUMENT);
  CHECK(rtm_weights_create(&model, nullptr) == RTM_ERROR_ARGUMENT);
  CHECK(rtm_session_bytes(nullptr, nullptr) == 0);
  CHECK(rtm_session_init(nullptr, memory.data, 1 << 16, nullptr, &session) == RTM_ERROR_ARGUMENT);
  CHECK(rtm_session_init(&model, nullptr, 1 << 16, nullptr, &session) == RTM_ERROR_ARGUMENT);
  CHECK(rtm_session_init(&model, memory.data, 1 << 16, nullptr, nullptr) == RTM_ERROR_ARGUMENT);
  CHECK(rtm_session_create(nullptr, nullptr, &session) == RTM_ERROR_ARGUMENT);
  CHECK(rtm_session_create(&model, nullptr, nullptr) == RTM_ERROR_ARGUMENT);
  float in[fake::kInputs] = {}, out[fake::kOutputs] = {};
  CHECK(rtm_step(nullptr, in, out) == RTM_ERROR_ARGUMENT);
  CHECK(rtm_run(nullptr, in, 1, out) == RTM_ERROR_ARGUMENT);
  CHECK(rtm_reset(nullptr) == RTM_ERROR_ARGUMENT);
  REQUIRE(rtm_session_create(&model, nullptr, &session) == RTM_OK);
  CHECK(rtm_step(session, nullptr, out) == RTM_ERROR_ARGUMENT);
  CHECK(rtm_step(session, in, nullptr) == RTM_ERROR_ARGUMENT);
  CHECK(rtm_run(session, nullptr, 1, out) == RTM_ERROR_ARGUMENT);
  CHECK(rtm_run(session, in, 1, nullptr) == RTM_ERROR_ARGUMENT);
  CHECK(rtm_run(session, nullptr, 0, nullptr) == RTM_OK);
  rtm_session_destroy(session);
  rtm_weights_destroy(nullptr);
}

TEST_CASE("options of other versions") {
  const rtm_model model = fake::causal();
  rtm_options zero{};
  CHECK(tryCreate(model, &zero) == RTM_OK);
  CHECK(tryCreate(model, nullptr) == RTM_OK);
  rtm_options forgotten{};
  forgotten.threads = 2;
  CHECK(tryCreate(model, &forgotten) == RTM_ERROR_ARGUMENT);
  CHECK(rtm_session_bytes(&model, &forgotten) == 0);

  // An older struct: what it lacks is a default, whatever lies behind it.
  rtm_options older = sized();
  older.size = offsetof(rtm_options, max_steps);
  older.threads = 1;
  older.max_steps = 77;
  older.weights = reinterpret_cast<const rtm_weights *>(uintptr_t{1});
  CHECK(tryCreate(model, &older) == RTM_OK);
  rtm_options one = sized();
  one.threads = 1;
  CHECK(rtm_session_bytes(&model, &older) == rtm_session_bytes(&model, &one));
  for (uint32_t half : {1u, 3u, 5u, 6u, 14u, static_cast<uint32_t>(sizeof(rtm_options)) - 1}) {
    older.size = half;
    CHECK(tryCreate(model, &older) == RTM_ERROR_ARGUMENT);
  }

  struct Newer {
    rtm_options known;
    uint64_t more;
  } newer = {sized(), 0};
  newer.known.size = sizeof(newer);
  CHECK(tryCreate(model, &newer.known) == RTM_OK);
  newer.more = uint64_t{1} << 63;
  CHECK(tryCreate(model, &newer.known) == RTM_ERROR_ARGUMENT);
  rtm_options garbage = sized();
  garbage.size = 0xa5a5a5a5u;
  CHECK(tryCreate(model, &garbage) == RTM_ERROR_ARGUMENT);
}

TEST_CASE("a description, also of other versions") {
  const rtm_model model = fake::causal();
  struct {
    rtm_model_info known;
    uint64_t more;
  } newer{};
  newer.known.size = sizeof(newer);
  REQUIRE(rtm_model_describe(&model, &newer.known) == RTM_OK);
  const rtm_model_info &info = newer.known;
  CHECK(info.size == sizeof(newer));
  CHECK(info.abi == RTM_ABI_VERSION);
  CHECK(std::string(info.name) == "fake");
  CHECK(std::string(info.precision) == "f32");
  CHECK(std::string(info.cpu) == "any");
  CHECK(info.inputs == fake::kInputs);
  CHECK(info.outputs == fake::kOutputs);
  CHECK(info.threads == 4);
  CHECK(info.causal == 1);
  CHECK(info.weights_hash == model.weights_hash);
  CHECK(info.shape_hash == model.shape_hash);
  CHECK(info.weight_bytes == model.weight_bytes);
  CHECK(info.state_bytes == rtm_state_bytes(&model));
  CHECK(info.weight_data == model.weights);
  newer.more = 1;
  CHECK(rtm_model_describe(&model, &newer.known) == RTM_ERROR_ARGUMENT);

  rtm_model_info older;
  std::memset(&older, 0x5a, sizeof(older));
  older.size = offsetof(rtm_model_info, threads);
  REQUIRE(rtm_model_describe(&model, &older) == RTM_OK);
  CHECK(older.outputs == fake::kOutputs);
  CHECK(older.threads == 0x5a5a5a5au);
  CHECK(older.size == offsetof(rtm_model_info, threads));
  rtm_model_info unsized{};
  CHECK(rtm_model_describe(&model, &unsized) == RTM_ERROR_ARGUMENT);
}

TEST_CASE("the caller's memory must be large enough and aligned") {
  const rtm_model model = fake::causal();
  const size_t bytes = rtm_session_bytes(&model, nullptr);
  Aligned memory(bytes + 64);
  rtm_session *session = nullptr;
  CHECK(rtm_session_init(&model, memory.data, bytes - 1, nullptr, &session) == RTM_ERROR_BUFFER);
  CHECK(rtm_session_init(&model, memory.data, 0, nullptr, &session) == RTM_ERROR_BUFFER);
  CHECK(rtm_session_init(&model, static_cast<char *>(memory.data) + 32, bytes + 32, nullptr, &session) ==
        RTM_ERROR_BUFFER);
  CHECK(session == nullptr);
}

TEST_CASE("sequences longer than max_steps") {
  const rtm_model model = fake::notCausal();
  rtm_options options = sized();
  options.max_steps = 4;
  rtm_session *session = nullptr;
  REQUIRE(rtm_session_create(&model, &options, &session) == RTM_OK);
  const std::vector<float> in(5 * fake::kBothInputs);
  std::vector<float> out(5 * fake::kBothOutputs, -7.0f);
  CHECK(rtm_run(session, in.data(), 5, out.data()) == RTM_ERROR_TOO_LONG);
  CHECK(out[0] == -7.0f);
  CHECK(rtm_run(session, in.data(), 4, out.data()) == RTM_OK);
  rtm_session_destroy(session);
  REQUIRE(rtm_session_create(&model, nullptr, &session) == RTM_OK);
  CHECK(rtm_run(session, in.data(), 1, out.data()) == RTM_ERROR_TOO_LONG);
  rtm_session_destroy(session);
}

TEST_CASE("sessions grow with max_steps only where values are kept") {
  const rtm_model both = fake::notCausal(), causal = fake::causal();
  rtm_options options = sized();
  const size_t none = rtm_session_bytes(&both, &options);
  options.max_steps = 100;
  CHECK(rtm_session_bytes(&both, &options) == none + 100 * both.step_bytes);
  CHECK(rtm_session_bytes(&causal, &options) == rtm_session_bytes(&causal, nullptr));
}

TEST_CASE("more memory than there is") {
  rtm_model model = fake::notCausal();
  rtm_options options = sized();
  options.max_steps = 0xffffffffu;
  model.step_bytes = uint64_t{1} << 40;  // overflows
  CHECK(rtm_session_bytes(&model, &options) == 0);
  CHECK(tryCreate(model, &options) == RTM_ERROR_MEMORY);
  if (refusesHugeAllocations()) {
    model.step_bytes = uint64_t{1} << 28;  // 2^60 bytes
    CHECK(rtm_session_bytes(&model, &options) > (uint64_t{1} << 59));
    CHECK(tryCreate(model, &options) == RTM_ERROR_MEMORY);
  }
}

TEST_CASE("instructions that this processor lacks") {
  rtm_model model = fake::causal();
  Aligned memory(rtm_session_bytes(&model, nullptr));
  for (uint32_t bit = 0; bit < 32; ++bit) {
    CAPTURE(bit);
    model.cpu_features = 1u << bit;
    const bool there = (rtm::cpuFeatures() & model.cpu_features) != 0;
    CHECK(tryCreate(model, nullptr) == (there ? RTM_OK : RTM_ERROR_CPU));
    rtm_session *session = nullptr;
    CHECK(rtm_session_init(&model, memory.data, rtm_session_bytes(&model, nullptr), nullptr, &session) ==
          (there ? RTM_OK : RTM_ERROR_CPU));
    rtm_session_destroy(session);
  }
#if defined(__x86_64__)
  const uint32_t found = rtm::cpuFeatures();
  CHECK(((found & RTM_CPU_AVX2) != 0) == (__builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma")));
  CHECK(((found & RTM_CPU_AVX512) != 0) == (__builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                                            __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")));
  CHECK(((found & RTM_CPU_AVX512BF16) != 0) == (__builtin_cpu_supports("avx512bf16") != 0));
#endif
}

TEST_CASE("weights of another model") {
  const rtm_model model = fake::causal();
  rtm_weights *weights = nullptr;
  REQUIRE(rtm_weights_create(&model, &weights) == RTM_OK);
  rtm_options options = sized();
  options.weights = weights;
  CHECK(tryCreate(model, &options) == RTM_OK);
  rtm_model other = model;
  other.weights_hash ^= 1;
  CHECK(tryCreate(other, &options) == RTM_ERROR_ARGUMENT);
  CHECK(rtm_session_bytes(&other, &options) == 0);
  other = model;
  other.weight_bytes -= 4;
  CHECK(tryCreate(other, &options) == RTM_ERROR_ARGUMENT);
  rtm_weights_destroy(weights);
}

TEST_CASE("a model without weights has a copy of none") {
  const rtm_model model = fake::notCausal();
  rtm_weights *weights = nullptr;
  REQUIRE(rtm_weights_create(&model, &weights) == RTM_OK);
  rtm_weights_destroy(weights);
}

TEST_CASE("a worker that cannot be started") {
  if (kSanitized) {
    MESSAGE("skipped: sanitizers need more address space than the limit of this test");
    return;
  }
  rtm_model model = fake::causal();
  model.shares = 64;
  rtm_options options = sized();
  options.threads = 64;
  const size_t bytes = rtm_session_bytes(&model, &options);
  Aligned memory(bytes);
  const pid_t child = fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    // Room for a few stacks of 1 MiB.
    size_t pages = 0;
    FILE *statm = std::fopen("/proc/self/statm", "r");
    if (!statm || std::fscanf(statm, "%zu", &pages) != 1) _exit(77);
    const rlim_t now = pages * static_cast<size_t>(sysconf(_SC_PAGESIZE));
    const rlimit limit = {now + (8u << 20), now + (8u << 20)};
    if (setrlimit(RLIMIT_AS, &limit) != 0) _exit(77);
    rtm_session *session = nullptr;
    const rtm_status status = rtm_session_init(&model, memory.data, bytes, &options, &session);
    if (status == RTM_OK) _exit(77);  // the limit does not hold here
    if (status != RTM_ERROR_THREADS || session) _exit(1);
    // Those that did start are gone, and the memory is free again.
    if (threadsOfThisProcess() != 1) _exit(3);
    options.threads = 1;
    if (rtm_session_init(&model, memory.data, bytes, &options, &session) != RTM_OK) _exit(2);
    rtm_session_destroy(session);
    _exit(0);
  }
  int status = 0;
  REQUIRE(waitpid(child, &status, 0) == child);
  REQUIRE(WIFEXITED(status));
  if (WEXITSTATUS(status) == 77) {
    MESSAGE("skipped: the address space cannot be limited here");
    return;
  }
  CHECK(WEXITSTATUS(status) == 0);
}

TEST_CASE("each status has its own text") {
  std::set<std::string> texts;
  for (int i = RTM_OK; i <= RTM_ERROR_THREADS; ++i) texts.insert(rtm_status_string(static_cast<rtm_status>(i)));
  CHECK(texts.size() == RTM_ERROR_THREADS + 1);
  CHECK(texts.count("unknown status") == 0);
}
