// The C++20 face of rtm.h: ownership by RAII, frames by std::span, statuses as they are. Adds nothing of its own: no
// allocation, no exception, no state. Spans must have the sizes that rtm.h asks for; others are RTM_ERROR_ARGUMENT.
#ifndef RTM_RTM_HPP
#define RTM_RTM_HPP

#include <rtm/rtm.h>

#include <cstddef>
#include <span>
#include <utility>

namespace rtm {

// A value, or the status that says why there is none.
template <typename T>
class Result {
 public:
  Result(T value) : value_(std::move(value)) {}
  Result(rtm_status status) : status_(status) {}

  explicit operator bool() const { return status_ == RTM_OK; }
  rtm_status status() const { return status_; }
  const char *message() const { return rtm_status_string(status_); }
  // Only meaningful when there is a value; an empty T otherwise.
  T &operator*() { return value_; }
  const T &operator*() const { return value_; }
  T *operator->() { return &value_; }
  const T *operator->() const { return &value_; }

 private:
  T value_{};
  rtm_status status_ = RTM_OK;
};

inline Result<rtm_model_info> describe(const rtm_model *model) {
  rtm_model_info info{};
  info.size = sizeof(info);
  const rtm_status status = rtm_model_describe(model, &info);
  if (status != RTM_OK) return status;
  return info;
}

// One copy of a model's packed bytes on huge pages; must outlive its sessions.
class Weights {
 public:
  Weights() = default;
  Weights(Weights &&other) noexcept : handle_(std::exchange(other.handle_, nullptr)) {}
  Weights &operator=(Weights &&other) noexcept {
    std::swap(handle_, other.handle_);
    return *this;
  }
  ~Weights() { rtm_weights_destroy(handle_); }

  static Result<Weights> create(const rtm_model *model) {
    Weights made;
    const rtm_status status = rtm_weights_create(model, &made.handle_);
    if (status != RTM_OK) return status;
    return made;
  }
  const rtm_weights *get() const { return handle_; }

 private:
  rtm_weights *handle_ = nullptr;
};

struct Options {
  uint32_t threads = 0;
  uint32_t maxSteps = 0;
  uint32_t spinMicroseconds = 0;
  const Weights *weights = nullptr;

  rtm_options raw() const {
    return {sizeof(rtm_options), threads, maxSteps, spinMicroseconds, weights ? weights->get() : nullptr};
  }
};

inline std::size_t sessionBytes(const rtm_model *model, const Options &options = {}) {
  const rtm_options raw = options.raw();
  return rtm_session_bytes(model, &raw);
}

// One stream. Used by one caller at a time.
class Session {
 public:
  Session() = default;
  Session(Session &&other) noexcept { swap(other); }
  Session &operator=(Session &&other) noexcept {
    swap(other);
    return *this;
  }
  ~Session() { rtm_session_destroy(handle_); }

  // Allocates.
  static Result<Session> create(const rtm_model *model, const Options &options = {}) {
    const rtm_options raw = options.raw();
    Session made;
    return made.finish(model, rtm_session_create(model, &raw, &made.handle_));
  }
  // Lives in the caller's memory, 64-byte aligned, at least sessionBytes() long.
  static Result<Session> create(const rtm_model *model, std::span<std::byte> memory, const Options &options = {}) {
    const rtm_options raw = options.raw();
    Session made;
    return made.finish(model, rtm_session_init(model, memory.data(), memory.size(), &raw, &made.handle_));
  }

  rtm_status step(std::span<const float> in, std::span<float> out) {
    if (in.size() != inputs_ || out.size() != outputs_) return RTM_ERROR_ARGUMENT;
    return rtm_step(handle_, in.data(), out.data());
  }
  // As many steps as `in` has rows.
  rtm_status run(std::span<const float> in, std::span<float> out) {
    const std::size_t steps = inputs_ ? in.size() / inputs_ : 0;
    if (in.size() != steps * inputs_ || out.size() != steps * outputs_) return RTM_ERROR_ARGUMENT;
    return rtm_run(handle_, in.data(), steps, out.data());
  }
  rtm_status reset() { return rtm_reset(handle_); }
  rtm_status save(std::span<std::byte> buffer) const { return rtm_state_save(handle_, buffer.data(), buffer.size()); }
  rtm_status load(std::span<const std::byte> buffer) { return rtm_state_load(handle_, buffer.data(), buffer.size()); }

  rtm_session *get() const { return handle_; }

 private:
  Result<Session> finish(const rtm_model *model, rtm_status status) {
    if (status != RTM_OK) return status;
    const Result<rtm_model_info> info = describe(model);
    if (!info) return info.status();
    inputs_ = info->inputs;
    outputs_ = info->outputs;
    return std::move(*this);
  }
  void swap(Session &other) {
    std::swap(handle_, other.handle_);
    std::swap(inputs_, other.inputs_);
    std::swap(outputs_, other.outputs_);
  }

  rtm_session *handle_ = nullptr;
  std::size_t inputs_ = 0, outputs_ = 0;
};

inline std::size_t stateBytes(const rtm_model *model) {
  return rtm_state_bytes(model);
}

}  // namespace rtm

#endif
