// Which tests a sanitizer's own runtime would disturb.
#ifndef RTMC_TESTS_SANITIZERS_H
#define RTMC_TESTS_SANITIZERS_H

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kSanitized = true;
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
inline constexpr bool kSanitized = true;
#define RTMC_TESTS_SANITIZED 1
#else
inline constexpr bool kSanitized = false;
#endif
#else
inline constexpr bool kSanitized = false;
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define RTMC_TESTS_SANITIZED 1
#endif

// Sanitizers abort on allocations that are too large instead of refusing them.
inline bool refusesHugeAllocations() {
  return !kSanitized;
}

#endif
