// Recognises phones of real utterances with a pruned network that rtmc compiled: frames go in as a microphone would
// give them, each third frame is one step of the network, and Viterbi with a phone bigram reads its answers. main
// FOLDER: what unpack.py wrote.
#include MODEL_HEADER

#include <rtm/rtm.hpp>

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstdio>
#include <fstream>
#include <limits>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

namespace {

constexpr size_t kBands = 40, kStack = 3;
constexpr double kSecondsPerFrame = 0.01;

struct Decoder {
  size_t delay = 0;  // answers come so many steps late
  float prior = 0, bigram = 0, penalty = 0;
  std::vector<std::string> phones;                   // silence first
  std::vector<float> logPrior, logFirst, logBigram;  // logBigram[from * phones + to]
};

struct Utterance {
  std::string name, text;
  std::vector<std::string> reference;
  std::vector<float> features;  // frames of kBands
};

std::ifstream open(const std::string &path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) throw std::runtime_error(path + " cannot be read");
  return file;
}

Decoder readDecoder(const std::string &path) {
  std::ifstream file = open(path);
  Decoder decoder;
  size_t count = 0;
  file >> decoder.delay >> decoder.prior >> decoder.bigram >> decoder.penalty >> count;
  decoder.phones.resize(file ? count : 0);
  for (std::string &phone : decoder.phones) file >> phone;
  const auto readTable = [&](std::vector<float> &table, size_t size) {
    table.resize(size);
    for (float &value : table) file >> value;
  };
  readTable(decoder.logPrior, count);
  readTable(decoder.logFirst, count);
  readTable(decoder.logBigram, count * count);
  if (!file) throw std::runtime_error(path + " is damaged");
  return decoder;
}

std::vector<Utterance> readUtterances(const std::string &folder) {
  std::ifstream table = open(folder + "/utterances.txt"), features = open(folder + "/features.f32");
  std::vector<Utterance> utterances;
  for (std::string line; std::getline(table, line);) {
    std::istringstream fields(line);
    Utterance utterance;
    std::string frames, reference;
    std::getline(fields, utterance.name, '\t');
    std::getline(fields, frames, '\t');
    std::getline(fields, utterance.text, '\t');
    std::getline(fields, reference, '\t');
    std::istringstream words(reference);
    for (std::string word; words >> word;) utterance.reference.push_back(word);
    utterance.features.resize(std::stoul(frames) * kBands);
    features.read(reinterpret_cast<char *>(utterance.features.data()),
                  std::streamsize(utterance.features.size() * sizeof(float)));
    if (!features) throw std::runtime_error(folder + "/features.f32 is shorter than utterances.txt says");
    utterances.push_back(std::move(utterance));
  }
  return utterances;
}

/// Log posteriors of each stacked frame, and microseconds of each step.
std::vector<float> recognize(rtm::Session &session, const Utterance &utterance, const Decoder &decoder,
                             std::vector<double> &times) {
  const size_t frames = utterance.features.size() / kBands, steps = (frames + kStack - 1) / kStack;
  const size_t outputs = decoder.phones.size();
  std::vector<float> in(kBands * kStack), out(outputs), answers;
  session.reset();
  for (size_t step = 0; step < steps + decoder.delay; ++step) {
    for (size_t k = 0; k < kStack; ++k) {  // past the end the last frame is repeated
      const size_t frame = std::min(step * kStack + k, frames - 1);
      std::copy_n(&utterance.features[frame * kBands], kBands, &in[k * kBands]);
    }
    const auto begin = std::chrono::steady_clock::now();
    const rtm_status status = session.step(in, out);
    times.push_back(std::chrono::duration<double, std::micro>(std::chrono::steady_clock::now() - begin).count());
    if (status != RTM_OK) throw std::runtime_error(rtm_status_string(status));
    if (step >= decoder.delay) answers.insert(answers.end(), out.begin(), out.end());
  }
  return answers;
}

/// The best path through phones: posteriors over priors, plus bigram and penalty where the phone changes.
std::vector<std::string> viterbi(const std::vector<float> &posteriors, const Decoder &decoder) {
  const size_t count = decoder.phones.size(), steps = posteriors.size() / count;
  const auto local = [&](size_t t, size_t phone) {
    return posteriors[t * count + phone] - decoder.prior * decoder.logPrior[phone];
  };
  std::vector<float> best(count), next(count);
  std::vector<uint16_t> came(steps * count);
  for (size_t phone = 0; phone < count; ++phone)
    best[phone] = local(0, phone) + decoder.bigram * decoder.logFirst[phone];
  for (size_t t = 1; t < steps; ++t) {
    for (size_t to = 0; to < count; ++to) {
      float most = -std::numeric_limits<float>::infinity();
      for (size_t from = 0; from < count; ++from) {
        const float change = from == to ? 0 : decoder.bigram * decoder.logBigram[from * count + to] + decoder.penalty;
        if (best[from] + change > most) {
          most = best[from] + change;
          came[t * count + to] = uint16_t(from);
        }
      }
      next[to] = most + local(t, to);
    }
    best.swap(next);
  }
  std::vector<std::string> phones;
  size_t phone = size_t(std::max_element(best.begin(), best.end()) - best.begin());
  for (size_t t = steps; t-- > 0;) {
    const size_t before = t > 0 ? came[t * count + phone] : count;
    if (before != phone && phone != 0) phones.push_back(decoder.phones[phone]);
    phone = before;
  }
  std::reverse(phones.begin(), phones.end());
  return phones;
}

/// Insertions, deletions and substitutions between the two.
size_t editDistance(const std::vector<std::string> &a, const std::vector<std::string> &b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t corner = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      const size_t above = row[j];
      row[j] = std::min({above + 1, row[j - 1] + 1, corner + (a[i - 1] != b[j - 1])});
      corner = above;
    }
  }
  return row[b.size()];
}

std::string joined(const std::vector<std::string> &words) {
  std::string text;
  for (const std::string &word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

int run(const std::string &folder) {
  const Decoder decoder = readDecoder(folder + "/decoder.txt");
  const rtm_model *model = MODEL();
  const auto info = rtm::describe(model);
  if (!info || info->inputs != kBands * kStack || info->outputs != decoder.phones.size())
    throw std::runtime_error("the network does not fit the decoder");
  const auto weights = rtm::Weights::create(model);
  auto session = rtm::Session::create(model, {.weights = weights ? &*weights : nullptr});
  if (!session) throw std::runtime_error(std::string("no session: ") + session.message());

  std::vector<double> times;
  size_t wrong = 0, phones = 0;
  double seconds = 0;
  for (const Utterance &utterance : readUtterances(folder)) {
    const std::vector<std::string> found = viterbi(recognize(*session, utterance, decoder, times), decoder);
    std::printf("%s  %s\n  reference   %s\n  recognised  %s\n", utterance.name.c_str(), utterance.text.c_str(),
                joined(utterance.reference).c_str(), joined(found).c_str());
    wrong += editDistance(utterance.reference, found);
    phones += utterance.reference.size();
    seconds += double(utterance.features.size() / kBands) * kSecondsPerFrame;
  }
  if (phones == 0) throw std::runtime_error(folder + "/utterances.txt is empty");
  double total = 0;
  for (double time : times) total += time;
  std::nth_element(times.begin(), times.begin() + std::ptrdiff_t(times.size() / 2), times.end());
  std::printf("%zu of %zu phones wrong; %s weights, %.0f KB\n", wrong, phones, info->precision,
              double(info->weight_bytes) / 1e3);
  std::printf("%.1f us per step of %.0f ms (median); %.1f s of speech in %.1f ms: %.0f times faster than real time\n",
              times[times.size() / 2], kStack * kSecondsPerFrame * 1e3, seconds, total / 1e3, seconds * 1e6 / total);
  return 0;
}

}  // namespace

int main(int argc, char **argv) {
  if (argc > 2) {
    std::fprintf(stderr, "usage: %s [FOLDER], with what unpack.py wrote\n", argv[0]);
    return 2;
  }
  try {
    return run(argc == 2 ? argv[1] : DATA_FOLDER);
  } catch (const std::exception &error) {
    std::fprintf(stderr, "error: %s\n", error.what());
    return 1;
  }
}
