// Owns: what generated kernels and the program that times them know of each other. One BenchSet per instruction set and
// compiler; all are linked into one program.
#pragma once

#include <stdint.h>

/// Any kernel, whatever its own arguments are; unused ones are ignored. `columns` and `rows` are uint16_t.
typedef void (*BenchCall)(const unsigned char *values, const uint16_t *columns, uint32_t entries, uint32_t tiles,
                          const void *x, float *y, const uint16_t *rows, uint32_t rowCount);

/// A kernel, and the stripes that it is timed on: `rows` rows in `tiles` tiles over the same `entries` of columns.
struct BenchCase {
  const char *name;  // "matvec_f32_rows16_t64_u0/64x104"
  BenchCall call;
  uint32_t precision;              // as rtmc::Precision
  bool half;                       // f16x4: x in half precision, chains in it
  uint32_t lanes, width, vectors;  // and the others: as in rtmc::ir::TileShape
  bool indexed, partial;
  uint32_t rowStep;
  bool denseColumns, gather;
  uint32_t rows, tiles, entries;
  uint32_t steps;  // of one call, all of the same x and y; a kernel for chunks takes several
};

struct BenchSet {
  const char *isa;
  const char *compiler;
  const char *feature;  // a word of /proc/cpuinfo's flags; "": every processor has it
  const BenchCase *cases;
  uint32_t count;
  /// Reads memory as fast as vectors of this set can, and nothing else.
  float (*readAll)(const unsigned char *from, uint64_t bytes);
  /// 1024 GRU units' gates: two sigmoids, a tanh and the update each.
  void (*gates)(const float *in, float *out);
};
