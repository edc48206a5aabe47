// Owns: what a generated kernel and the program that checks it know of each other. Freestanding: both are compiled for
// any target, by any compiler, and linked into one program.
#pragma once

#include <stdint.h>

/// Any kernel, whatever its own arguments are; unused ones are ignored.
typedef void (*KernelCall)(const unsigned char *values, const void *columns, uint32_t entries, uint32_t tiles,
                           const void *x, float *y, uint32_t steps, const void *rows, uint32_t rowCount);

enum KernelPrecision { kF32, kF16, kBf16, kF16x4 };

struct KernelCase {
  const char *name;
  KernelCall call;
  KernelPrecision precision;
  uint32_t lanes, width, vectors;
  bool indexed, partial;
  uint32_t rowStep;
  bool dense, gather;
  uint32_t columnBytes, rowBytes;
  int32_t entries;  // -1: any
  bool full;        // columns are compiled in: columnOf(entry), one tile
  bool halfLast;    // for rows that need half of the last vector
  bool chunk;       // takes any number of steps, kXStride and kYStride floats apart; others take one
};

extern const KernelCase kKernelCases[];
extern const uint32_t kKernelCaseCount;

/// Rows of a partial tile whose columns are compiled in.
constexpr uint32_t fullRows(uint32_t tileRows) {
  return tileRows / 2 + 1 < tileRows ? tileRows / 2 + 1 : tileRows - 1;
}

/// Between the rows of a chunk: longer than any case's row, which for consecutive blocks is entries * width.
constexpr uint32_t kXStride = 1920, kYStride = 400;

/// Elements of x that columns come from, and the column of an entry (of a row's entry where lanes gather).
constexpr uint32_t kColumns = 211;
constexpr uint32_t columnOf(uint32_t entry, uint32_t row = 0) {
  return (row * 29 + entry * 37 + 11) % kColumns;
}
