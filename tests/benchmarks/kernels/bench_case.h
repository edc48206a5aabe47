// Owns: what generated kernels and the program that times them know of each other.
#pragma once

#include <stdint.h>

struct BenchCase {
  const char *name;
  void (*call)(const unsigned char *values, const uint16_t *columns, uint32_t entries, uint32_t tiles, const void *x,
               float *y, const uint16_t *rows, uint32_t rowCount);
  uint32_t rows, entries, entryBytes;  // of a tile
  uint32_t columnsPerEntry;
  bool half;  // x in half precision
};

extern const BenchCase kBenchCases[];
extern const uint32_t kBenchCaseCount;
extern const char *const kBenchIsa;
/// Reads memory as fast as the widest vectors can, and nothing else.
float readAll(const unsigned char *from, uint64_t bytes);
/// 1024 GRU units' gates: two sigmoids, a tanh and the update each.
void gates(const float *in, float *out);
