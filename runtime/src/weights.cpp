#include "weights.h"

#include <cstdlib>
#include <cstring>
#include <new>

#include "check.h"

#if defined(__unix__) || defined(__APPLE__)
#include <sys/mman.h>
#endif

struct rtm_weights {
  const unsigned char *data;
  uint64_t bytes, hash;
  void *mapping;  // NULL: `data` is from aligned_alloc
  size_t mappingBytes;
};

namespace {

constexpr size_t kHugePage = size_t{2} << 20;

size_t roundUp(size_t value, size_t unit) {
  return (value + unit - 1) / unit * unit;
}

#if defined(__linux__) && defined(MADV_HUGEPAGE)
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25
#endif
// Whole huge pages, aligned to one: the ends are cut off a larger mapping.
unsigned char *mapHuge(size_t bytes) {
  const size_t wanted = bytes + kHugePage;
  void *mapping = mmap(nullptr, wanted, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (mapping == MAP_FAILED) return nullptr;
  unsigned char *start = static_cast<unsigned char *>(mapping);
  const auto address = reinterpret_cast<uintptr_t>(start);
  unsigned char *data = start + (roundUp(address, kHugePage) - address);
  if (data > start) munmap(start, static_cast<size_t>(data - start));
  const size_t behind = wanted - static_cast<size_t>(data - start) - bytes;
  if (behind > 0) munmap(data + bytes, behind);
  // Only advice: where it is refused the copy lies on small pages and is as right as before.
  static_cast<void>(madvise(data, bytes, MADV_HUGEPAGE));
  return data;
}

// For systems that refuse huge pages on the first touch but grant them when asked again.
void collapse(unsigned char *data, size_t bytes) {
  static_cast<void>(madvise(data, bytes, MADV_COLLAPSE));
}
void unmap(void *mapping, size_t bytes) {
  munmap(mapping, bytes);
}
#else
unsigned char *mapHuge(size_t) {
  return nullptr;
}
void collapse(unsigned char *, size_t) {}
void unmap(void *, size_t) {}
#endif

}  // namespace

namespace rtm {

bool belongsTo(const rtm_weights &weights, const rtm_model &model) {
  return weights.hash == model.weights_hash && weights.bytes == model.weight_bytes;
}

const unsigned char *arenaData(const rtm_weights &weights) {
  return weights.data;
}

}  // namespace rtm

extern "C" rtm_status rtm_weights_create(const rtm_model *model, rtm_weights **weights) {
  if (weights) *weights = nullptr;
  const rtm_status status = rtm::checkModel(model);
  if (status != RTM_OK) return status;
  if (!weights) return RTM_ERROR_ARGUMENT;
  if (model->weight_bytes > SIZE_MAX / 4) return RTM_ERROR_MEMORY;
  const size_t bytes = static_cast<size_t>(model->weight_bytes);
  rtm_weights *made = static_cast<rtm_weights *>(malloc(sizeof(rtm_weights)));
  if (!made) return RTM_ERROR_MEMORY;
  size_t mapped = roundUp(bytes ? bytes : 1, kHugePage);
  unsigned char *data = mapHuge(mapped);
  void *mapping = data;
  if (!data) {
    mapped = 0;
    data = static_cast<unsigned char *>(aligned_alloc(64, roundUp(bytes ? bytes : 1, 64)));
  }
  if (!data) {
    free(made);
    return RTM_ERROR_MEMORY;
  }
  if (bytes) memcpy(data, model->weights, bytes);
  if (mapping) collapse(data, mapped);
  *made = rtm_weights{data, model->weight_bytes, model->weights_hash, mapping, mapped};
  *weights = made;
  return RTM_OK;
}

extern "C" void rtm_weights_destroy(rtm_weights *weights) {
  if (!weights) return;
  if (weights->mapping) {
    unmap(weights->mapping, weights->mappingBytes);
  } else {
    free(const_cast<unsigned char *>(weights->data));
  }
  free(weights);
}
