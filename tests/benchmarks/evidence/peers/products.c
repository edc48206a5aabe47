/* Times the products of a step from C, so that no Python runs between two clock readings: a product may take less than a
 * microsecond. Owns the loop over calls and the plain CSR product; MKL's and BLAS's come in as pointers, so no header is needed. */
#include <stdint.h>
#include <time.h>

enum { kCsr, kCsrVector, kCsrThreads, kMkl, kGemv };

struct matrix_descr { int type, mode, diag; }; /* mkl_spblas.h */
typedef int (*mkl_mv)(int operation, float alpha, void *matrix, struct matrix_descr, const float *x, float beta, float *y);
typedef void (*gemv)(int order, int transpose, int rows, int columns, float alpha, const float *matrix, int stride, const float *x,
                     int step_x, float beta, float *y, int step_y);

struct product {
  int32_t kind, rows, columns;
  int32_t order; /* of a dense matrix: 101 row by row, 102 column by column, as in cblas.h */
  const int32_t *starts, *indices;
  const float *values;
  void *matrix;   /* MKL's handle */
  void *function; /* mkl_mv or gemv */
  const float *x; /* `chunks` vectors, `stride` floats apart */
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

static void multiply(const struct product *p, int64_t chunk) {
  const float *x = p->x + chunk * p->stride;
  switch (p->kind) {
    case kCsr: csr(p, x); break;
    case kCsrVector: csr_vector(p, x); break;
    case kCsrThreads: csr_threads(p, x); break;
    case kMkl: {
      const struct matrix_descr general = {20, 0, 0};
      ((mkl_mv)p->function)(10, 1.0f, p->matrix, general, x, 0.0f, p->y);
      break;
    }
    case kGemv: {
      int stride = p->order == 101 ? p->columns : p->rows;
      ((gemv)p->function)(p->order, 111, p->rows, p->columns, 1.0f, p->values, stride, x, 1, 0.0f, p->y, 1);
      break;
    }
  }
}

static double now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return 1e9 * (double)t.tv_sec + (double)t.tv_nsec;
}

/* -> nanoseconds of `steps` steps; the vectors change from step to step, beginning with number `first`. */
double run_steps(const struct product *products, int64_t count, int64_t steps, int64_t first, int64_t chunks) {
  double begin = now();
  for (int64_t step = 0; step < steps; step++)
    for (int64_t k = 0; k < count; k++) multiply(products + k, (first + step) % chunks);
  return now() - begin;
}
