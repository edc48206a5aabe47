/* Times the products of a step from C, so that no Python runs between two clock readings: a product may take less than
 * a microsecond. Owns the loop over calls and the plain CSR product; MKL's and BLAS's come in as pointers, so no header
 * is needed. */
#include <stdint.h>
#include <time.h>

enum { kCsr, kCsrVector, kCsrThreads, kMkl, kGemv };

struct matrix_descr {
  int type, mode, diag;
}; /* mkl_spblas.h */
typedef int (*mkl_mv)(int operation, float alpha, void *matrix, struct matrix_descr, const float *x, float beta,
                      float *y);
typedef int (*mkl_mm)(int operation, float alpha, void *matrix, struct matrix_descr, int layout, const float *x,
                      int count, int stride_x, float beta, float *y, int stride_y);
typedef void (*gemm)(int order, int transpose, int transpose_x, int rows, int count, int columns, float alpha,
                     const float *matrix, int stride, const float *x, int stride_x, float beta, float *y, int stride_y);
typedef void (*gemv)(int order, int transpose, int rows, int columns, float alpha, const float *matrix, int stride,
                     const float *x, int step_x, float beta, float *y, int step_y);

struct product {
  int32_t kind, rows, columns;
  int32_t order; /* of a dense matrix, and of several vectors: 101 row by row, 102 column by column, as in cblas.h */
  int32_t count; /* vectors at once */
  int32_t group, repeat; /* products of a group go in turns, this often in a call */
  const int32_t *starts, *indices;
  const float *values;
  void *matrix;   /* MKL's handle */
  void *function; /* mkl_mv or gemv; of several vectors mkl_mm or gemm */
  const float *x; /* `chunks` arguments, `stride` floats apart */
  float *y;
  int64_t stride;
};

static void csr(const struct product *p, const float *x) {
  const int32_t *starts = p->starts, *indices = p->indices;
  const float *values = p->values;
  float *restrict y = p->y;
  for (int32_t row = 0; row < p->rows; row++) {
    float sum = 0;
    for (int32_t k = starts[row]; k < starts[row + 1]; k++) sum += values[k] * x[indices[k]];
    y[row] = sum;
  }
}

/* The same with the order of additions left to the compiler. */
static inline float row_sum(const struct product *p, const float *x, int32_t row) {
  const int32_t *indices = p->indices;
  const float *values = p->values;
  float sum = 0;
#pragma omp simd reduction(+ : sum)
  for (int32_t k = p->starts[row]; k < p->starts[row + 1]; k++) sum += values[k] * x[indices[k]];
  return sum;
}

static void csr_vector(const struct product *p, const float *x) {
  float *restrict y = p->y;
  for (int32_t row = 0; row < p->rows; row++) y[row] = row_sum(p, x, row);
}

static void csr_threads(const struct product *p, const float *x) {
  float *restrict y = p->y;
#pragma omp parallel for schedule(static)
  for (int32_t row = 0; row < p->rows; row++) y[row] = row_sum(p, x, row);
}

/* Of several vectors, which lie row by row. */
static inline void rows_by_many(const struct product *p, const float *x, int32_t row) {
  int32_t count = p->count;
  float *restrict y = p->y + (int64_t)row * count;
  for (int32_t step = 0; step < count; step++) y[step] = 0;
  for (int32_t k = p->starts[row]; k < p->starts[row + 1]; k++) {
    const float *from = x + (int64_t)p->indices[k] * count;
    float value = p->values[k];
#pragma omp simd
    for (int32_t step = 0; step < count; step++) y[step] += value * from[step];
  }
}

static void csr_many(const struct product *p, const float *x) {
  if (p->kind == kCsrThreads) {
#pragma omp parallel for schedule(static)
    for (int32_t row = 0; row < p->rows; row++) rows_by_many(p, x, row);
  } else {
    for (int32_t row = 0; row < p->rows; row++) rows_by_many(p, x, row);
  }
}

static const struct matrix_descr kGeneral = {20, 0, 0};

static void multiply_many(const struct product *p, const float *x) {
  int by_rows = p->order == 101;
  int stride_x = by_rows ? p->count : p->columns, stride_y = by_rows ? p->count : p->rows;
  if (p->kind == kMkl)
    ((mkl_mm)p->function)(10, 1.0f, p->matrix, kGeneral, p->order, x, p->count, stride_x, 0.0f, p->y, stride_y);
  else if (p->kind == kGemv)
    ((gemm)p->function)(p->order, 111, 111, p->rows, p->count, p->columns, 1.0f, p->values,
                        by_rows ? p->columns : p->rows, x, stride_x, 0.0f, p->y, stride_y);
  else
    csr_many(p, x);
}

static void multiply(const struct product *p, int64_t chunk) {
  const float *x = p->x + chunk * p->stride;
  if (p->count > 1) {
    multiply_many(p, x);
    return;
  }
  switch (p->kind) {
    case kCsr:
      csr(p, x);
      break;
    case kCsrVector:
      csr_vector(p, x);
      break;
    case kCsrThreads:
      csr_threads(p, x);
      break;
    case kMkl:
      ((mkl_mv)p->function)(10, 1.0f, p->matrix, kGeneral, x, 0.0f, p->y);
      break;
    case kGemv:
      ((gemv)p->function)(p->order, 111, p->rows, p->columns, 1.0f, p->values, p->order == 101 ? p->columns : p->rows,
                          x, 1, 0.0f, p->y, 1);
      break;
  }
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

/* -> nanoseconds of `calls` calls; the arguments change from step to step and from call to call. */
double run_calls(const struct product *products, int64_t count, int64_t calls, int64_t first, int64_t chunks) {
  double begin = now();
  for (int64_t call = first; call < first + calls; call++)
    for (int64_t group = 0, next; group < count; group = next) {
      int64_t repeat = products[group].repeat;
      for (next = group; next < count && products[next].group == products[group].group;) next++;
      for (int64_t step = 0; step < repeat; step++)
        for (int64_t k = group; k < next; k++) multiply(products + k, (call * repeat + step) % chunks);
    }
  return now() - begin;
}
