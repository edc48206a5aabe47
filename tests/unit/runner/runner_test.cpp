// The runner's protocol, over the hand-written models.
#include <doctest/doctest.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <vector>

#include "child.h"
#include "fake_models.h"
#include "runner_paths.h"

namespace {

using Json = nlohmann::json;

struct Folder {
  Folder() {
    char name[] = "/tmp/rtmc_runner_test_XXXXXX";
    const char *made = mkdtemp(name);
    REQUIRE(made != nullptr);
    path = made;
  }
  ~Folder() { std::filesystem::remove_all(path); }
  std::string operator/(const char *file) const { return path + "/" + file; }
  std::string path;
};

void write(const std::string &path, const std::vector<float> &values) {
  std::ofstream(path, std::ios::binary)
      .write(reinterpret_cast<const char *>(values.data()), static_cast<std::streamsize>(values.size() * 4));
}

std::vector<float> read(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  const std::string bytes((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  std::vector<float> values(bytes.size() / 4);
  std::memcpy(values.data(), bytes.data(), values.size() * 4);
  return values;
}

Json load(Child &child, const char *symbol) {
  const Json reply = child.ask({{"cmd", "load"}, {"library", kFakeLibrary}, {"symbol", symbol}});
  CAPTURE(reply.dump());
  REQUIRE(reply["ok"] == true);
  return reply["info"];
}

std::string errorOf(const Json &reply) {
  CAPTURE(reply.dump());
  REQUIRE(reply["ok"] == false);
  return reply["error"];
}

}  // namespace

TEST_CASE("load describes the model, weights writes its bytes") {
  Folder folder;
  Child child(kRunnerCommand);
  const Json info = load(child, "fake_model");
  CHECK(info["name"] == "fake");
  CHECK(info["precision"] == "f32");
  CHECK(info["cpu"] == "any");
  CHECK(info["inputs"] == fake::kInputs);
  CHECK(info["outputs"] == fake::kOutputs);
  CHECK(info["threads"] == 4);
  CHECK(info["causal"] == true);
  CHECK(info["weights_hash"] == "fedcba0987654321");
  CHECK(info["shape_hash"] == "1234567890abcdef");
  CHECK(info["state_floats"] == fake::kUserHidden + fake::kCells);
  const rtm_model model = fake::causal();
  CHECK(info["weight_bytes"] == model.weight_bytes);
  CHECK(info["state_bytes"] == rtm_state_bytes(&model));

  CHECK(child.ask({{"cmd", "weights"}, {"output", folder / "w"}})["ok"] == true);
  std::vector<float> weights(model.weight_bytes / 4);
  std::memcpy(weights.data(), model.weights, model.weight_bytes);
  CHECK(read(folder / "w") == weights);
  CHECK(child.end() == 0);
}

TEST_CASE("run gives the reference's bits, however it is cut") {
  Folder folder;
  Child child(kRunnerCommand);
  load(child, "fake_model");
  const std::vector<float> in = fake::noise(50 * fake::kInputs, 41);
  write(folder / "x", in);
  Json request = {{"cmd", "run"}, {"input", folder / "x"}, {"steps", 50}, {"output", folder / "y"}};
  for (int chunk : {0, 1, 7, 50, 60}) {
    for (int threads : {1, 2, 8}) {
      for (bool arena : {false, true}) {
        request["chunk"] = chunk;
        request["threads"] = threads;
        request["arena"] = arena;
        CAPTURE(request.dump());
        const Json reply = child.ask(request);
        CHECK(reply["ok"] == true);
        CHECK(reply["threads_used"] == std::min(threads, 4));
        CHECK(read(folder / "y") == fake::causalReference(in));
      }
    }
  }
  load(child, "fake_both_model");
  const std::vector<float> both = fake::noise(50 * fake::kBothInputs, 42);
  write(folder / "x", both);
  CHECK(child.ask({{"cmd", "run"}, {"input", folder / "x"}, {"steps", 50}, {"output", folder / "y"}})["ok"] == true);
  CHECK(read(folder / "y") == fake::notCausalReference(both));
}

TEST_CASE("a runner with its model inside loads it without a library") {
  Child child(kLinkedRunnerCommand);
  const Json reply = child.ask({{"cmd", "load"}});
  CAPTURE(reply.dump());
  REQUIRE(reply["ok"] == true);
  CHECK(reply["info"]["name"] == "fake");
  CHECK(child.end() == 0);
}

TEST_CASE("steps starts each step from its own state") {
  Folder folder;
  Child child(kRunnerCommand);
  load(child, "fake_model");
  const size_t floats = fake::kUserHidden + fake::kCells, count = 12;
  const std::vector<float> in = fake::noise(count * fake::kInputs, 43);
  const std::vector<float> expected = fake::causalReference(in);
  std::vector<float> before, after;
  for (size_t i = 0; i < count; ++i) {
    const auto end = in.begin() + static_cast<std::ptrdiff_t>(i * fake::kInputs);
    const std::vector<float> state = fake::causalReferenceState({in.begin(), end});
    const std::vector<float> next = fake::causalReferenceState({in.begin(), end + fake::kInputs});
    before.insert(before.end(), state.begin(), state.end());
    after.insert(after.end(), next.begin(), next.end());
  }
  write(folder / "x", in);
  write(folder / "h", before);
  Json request = {{"cmd", "steps"},         {"input", folder / "x"},       {"states", folder / "h"}, {"count", count},
                  {"output", folder / "y"}, {"states_out", folder / "h2"}, {"threads", 2},           {"arena", true}};
  CHECK(child.ask(request)["ok"] == true);
  CHECK(read(folder / "y") == expected);
  CHECK(read(folder / "h2") == after);

  // The last step alone: it depends on its state and on nothing before.
  write(folder / "x", {in.end() - fake::kInputs, in.end()});
  write(folder / "h", {before.end() - static_cast<std::ptrdiff_t>(floats), before.end()});
  request["count"] = 1;
  CHECK(child.ask(request)["ok"] == true);
  CHECK(read(folder / "y") == std::vector<float>(expected.end() - fake::kOutputs, expected.end()));
}

TEST_CASE("bench times this model and its peers in one run") {
  Folder folder;
  Child child(kRunnerCommand);
  load(child, "fake_model");
  write(folder / "x", fake::noise(40 * fake::kInputs, 44));
  Json request = {{"cmd", "bench"}, {"input", folder / "x"}, {"steps", 40},  {"steps_per_call", 1},
                  {"threads", 1},   {"min_seconds", 0.02},   {"arena", true}};
  Json reply = child.ask(request);
  CAPTURE(reply.dump());
  REQUIRE(reply["ok"] == true);
  CHECK(reply["threads_used"] == 1);
  CHECK(reply["steps_per_call"] == 1);
  CHECK(reply["repetitions"] >= 5);
  CHECK(reply["step_us_min"] > 0.0);
  CHECK(reply["step_us_min"] <= reply["step_us_median"]);
  REQUIRE(reply["phase_us"].size() == 4);
  for (const Json &phase : reply["phase_us"]) CHECK(phase >= 0.0);
  CHECK(!reply.contains("peers"));

  request["steps_per_call"] = 20;
  request["max_repetitions"] = 7;
  request["min_seconds"] = 5;
  request["peers"] = {{{"threads", 2}}, {{"library", kFakeLibrary}, {"symbol", "fake_model"}, {"threads", 1}}};
  reply = child.ask(request);
  CAPTURE(reply.dump());
  REQUIRE(reply["ok"] == true);
  CHECK(reply["repetitions"] == 7);
  REQUIRE(reply["peers"].size() == 2);
  CHECK(reply["peers"][0]["threads_used"] == 2);
  CHECK(reply["peers"][1]["repetitions"] == 7);
  CHECK(reply["peers"][1]["steps_per_call"] == 20);

  load(child, "fake_both_model");
  write(folder / "x", fake::noise(40 * fake::kBothInputs, 45));
  reply =
      child.ask({{"cmd", "bench"}, {"input", folder / "x"}, {"steps", 40}, {"steps_per_call", 20}, {"min_seconds", 0}});
  CAPTURE(reply.dump());
  REQUIRE(reply["ok"] == true);
  CHECK(reply["phase_us"].size() == 3);
}

TEST_CASE("every mistake is a reply, and the next request works") {
  Folder folder;
  Child child(kRunnerCommand);
  write(folder / "x", fake::noise(10 * fake::kInputs, 46));
  const Json good = {{"cmd", "run"}, {"input", folder / "x"}, {"steps", 10}, {"output", folder / "y"}};
  CHECK(errorOf(child.ask(good)) == "no model was loaded");
  CHECK(errorOf(child.ask({{"cmd", "load"}})).find("without a model") != std::string::npos);
  CHECK(errorOf(child.ask({{"cmd", "load"}, {"library", folder / "x"}, {"symbol", "a"}})).find("cannot load") == 0);
  CHECK(errorOf(child.ask({{"cmd", "load"}, {"library", kFakeLibrary}})) == "the request has no 'symbol'");
  CHECK(errorOf(child.ask({{"cmd", "load"}, {"library", kFakeLibrary}, {"symbol", "nothing"}})).find("'nothing'") !=
        std::string::npos);
  CHECK(errorOf(child.ask({{"cmd", "load"}, {"library", kFakeLibrary}, {"symbol", "fake_old_model"}})) ==
        "the model: the model was built against another version of the runtime");
  load(child, "fake_model");

  const auto with = [&](const char *key, const Json &value) {
    Json changed = good;
    changed[key] = value;
    return changed;
  };
  CHECK(errorOf(child.ask(with("cmd", "fly"))) == "unknown command 'fly'");
  CHECK(errorOf(child.ask(with("cmd", 3))) == "'cmd' is not a string");
  CHECK(errorOf(child.ask(with("steps", 11))).find("has 120 bytes, needs 132") != std::string::npos);
  CHECK(errorOf(child.ask(with("steps", -1))).find("'steps' is not a whole number") == 0);
  CHECK(errorOf(child.ask(with("steps", 1e30))).find("'steps' is not a whole number") == 0);
  CHECK(errorOf(child.ask(with("input", folder / "none"))).find("cannot be opened") != std::string::npos);
  CHECK(errorOf(child.ask(with("output", folder / "no/such"))).find("cannot be written") != std::string::npos);
  CHECK(errorOf(child.ask(with("arena", 1))) == "'arena' is not true or false");
  CHECK(errorOf(child.askText("{\"cmd\":")).find("parse error") != std::string::npos);
  CHECK(errorOf(child.askText("")).find("parse error") != std::string::npos);
  CHECK(errorOf(child.askText("[1]")) == "a request is a JSON object");
  Json timed = with("cmd", "bench");
  timed["steps_per_call"] = 0;
  CHECK(errorOf(child.ask(timed)) == "'steps_per_call' is 0");
  timed["steps_per_call"] = 11;
  CHECK(errorOf(child.ask(timed)).find("too few rows") != std::string::npos);
  timed["steps_per_call"] = 1;
  timed["peers"] = {{{"library", kFakeLibrary}, {"symbol", "fake_both_model"}}};
  CHECK(errorOf(child.ask(timed)) == "a peer has another number of inputs");
  CHECK(child.ask(good)["ok"] == true);

  load(child, "fake_both_model");
  write(folder / "x", fake::noise(10 * fake::kBothInputs, 47));
  CHECK(errorOf(child.ask(with("chunk", 3))).find("needs whole") != std::string::npos);
  CHECK(errorOf(child.ask(with("cmd", "steps"))).find("reads the future") != std::string::npos);
  CHECK(child.end() == 0);
}
