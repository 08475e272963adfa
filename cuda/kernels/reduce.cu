#include "ceto.cuh"

// Reductions are summed in float64, in an order that follows from shapes alone. A long one is cut into chunks: a first
// kernel has a partial result for each, part (result, chunk), a second one joins them.

__device__ static inline double join_sum(double a, double b) { return a + b; }
__device__ static inline double join_max(double a, double b) { return a != a ? a : b != b ? b : a > b ? a : b; }
__device__ static inline double join_min(double a, double b) { return a != a ? a : b != b ? b : a < b ? a : b; }

// the elements of a reduction: element k of result r lies at stay(r) + gone(k).
#define REDUCE(name, join, first)                                                                                           \
  __device__ static inline double name##_block(double v, double *shared) {                                                  \
    for (int d = 16; d > 0; d >>= 1) v = join(v, __shfl_xor_sync(0xffffffffu, v, d));                                       \
    uint32 warp = threadIdx.x / 32u, lane = threadIdx.x % 32u;                                                              \
    if (lane == 0) shared[warp] = v;                                                                                        \
    __syncthreads();                                                                                                        \
    v = shared[0];                                                                                                          \
    for (uint32 i = 1; i < blockDim.x / 32u; i++) v = join(v, shared[i]);                                                   \
    return v;                                                                                                               \
  }                                                                                                                         \
  /* joins elements k, k + by, … under hi of those that go */                                                               \
  __device__ static inline double name##_run(const float *x, const walk *gone, uint64 k, uint64 hi, uint32 by) {            \
    double v = first;                                                                                                       \
    if (gone->n <= 1) {                                                                                                     \
      int64 step = gone->step[0][0];                                                                                        \
      for (; k < hi; k += by) v = join(v, (double)x[(int64)k * step]);                                                      \
      return v;                                                                                                             \
    }                                                                                                                       \
    for (; k < hi; k += by) {                                                                                               \
      int64 at[1];                                                                                                          \
      walk_to<1>(gone, k, at);                                                                                              \
      v = join(v, (double)x[at[0]]);                                                                                        \
    }                                                                                                                       \
    return v;                                                                                                               \
  }                                                                                                                         \
  /* a block for each chunk of each result: per elements of len; y where there is one chunk, else part */                   \
  KERNEL ceto_reduce_##name(const uint32 *stop, float *y, double *part, const float *x, const walk *stay, const walk *gone, \
                            uint32 chunks, uint64 per, uint64 len) {                                                        \
    __shared__ double shared[32];                                                                                           \
    STOP_IF(stop);                                                                                                          \
    uint64 r = blockIdx.x / chunks, c = blockIdx.x - r * chunks, hi = (c + 1) * per < len ? (c + 1) * per : len;            \
    int64 base[1];                                                                                                          \
    walk_to<1>(stay, r, base);                                                                                              \
    double v = name##_run(x + base[0], gone, c * per + threadIdx.x, hi, blockDim.x);                                        \
    v = name##_block(v, shared);                                                                                            \
    if (threadIdx.x != 0) return;                                                                                           \
    if (part != 0) {                                                                                                        \
      part[blockIdx.x] = v;                                                                                                 \
    } else {                                                                                                                \
      y[r] = (float)v;                                                                                                      \
    }                                                                                                                       \
  }                                                                                                                         \
  /* a thread for each chunk of each result, where neighbours lie side by side; n results */                                \
  KERNEL ceto_reduce_columns_##name(const uint32 *stop, float *y, double *part, const float *x, const walk *stay,           \
                                    const walk *gone, uint32 chunks, uint64 per, uint64 len, uint64 n) {                    \
    STOP_IF(stop);                                                                                                          \
    uint64 i = thread_index();                                                                                              \
    if (i >= n * chunks) return;                                                                                            \
    uint64 c = i / n, r = i - c * n, hi = (c + 1) * per < len ? (c + 1) * per : len;                                        \
    int64 base[1];                                                                                                          \
    walk_to<1>(stay, r, base);                                                                                              \
    double v = name##_run(x + base[0], gone, c * per, hi, 1);                                                               \
    if (part != 0) {                                                                                                        \
      part[r * chunks + c] = v;                                                                                             \
    } else {                                                                                                                \
      y[r] = (float)v;                                                                                                      \
    }                                                                                                                       \
  }                                                                                                                         \
  /* y[r] joins the chunks of result r; a block each */                                                                     \
  KERNEL ceto_join_##name(const uint32 *stop, float *y, const double *part, uint32 chunks) {                                \
    __shared__ double shared[32];                                                                                           \
    STOP_IF(stop);                                                                                                          \
    double v = first;                                                                                                       \
    for (uint32 k = threadIdx.x; k < chunks; k += blockDim.x) v = join(v, part[(uint64)blockIdx.x * chunks + k]);           \
    v = name##_block(v, shared);                                                                                            \
    if (threadIdx.x == 0) y[blockIdx.x] = (float)v;                                                                         \
  }

REDUCE(sum, join_sum, 0.0)
REDUCE(max, join_max, __longlong_as_double(0xfff0000000000000ll))
REDUCE(min, join_min, __longlong_as_double(0x7ff0000000000000ll))

// part[chunk] = Σ x² over per elements of n.
KERNEL ceto_sum_squares(const uint32 *stop, double *part, const float *x, uint64 per, uint64 n) {
  __shared__ double shared[33];
  STOP_IF(stop);
  uint64 hi = (blockIdx.x + 1ull) * per < n ? (blockIdx.x + 1ull) * per : n;
  double v = 0.0;
  for (uint64 i = blockIdx.x * per + threadIdx.x; i < hi; i += blockDim.x) v += (double)x[i] * x[i];
  v = block_sum(v, shared);
  if (threadIdx.x == 0) part[blockIdx.x] = v;
}

// y = Σ of at most 16 scalars; those that are not there have address 0.
KERNEL ceto_total(const uint32 *stop, float *y, const float *a0, const float *a1, const float *a2, const float *a3, const float *a4,
                  const float *a5, const float *a6, const float *a7, const float *a8, const float *a9, const float *a10,
                  const float *a11, const float *a12, const float *a13, const float *a14, const float *a15) {
  STOP_IF(stop);
  if (threadIdx.x != 0) return;
  double v = 0.0;
#define TERM(a) \
  if (a != 0) v += *a
  TERM(a0); TERM(a1); TERM(a2); TERM(a3); TERM(a4); TERM(a5); TERM(a6); TERM(a7);
  TERM(a8); TERM(a9); TERM(a10); TERM(a11); TERM(a12); TERM(a13); TERM(a14); TERM(a15);
  *y = (float)v;
}

// y = min(1, limit/(norm/weight + 1e-6))/weight; a limit of 0 is none; 0 where the weight is.
KERNEL ceto_clip_scale(const uint32 *stop, float *y, const float *norm, const float *weight, float limit) {
  STOP_IF(stop);
  if (threadIdx.x != 0) return;
  double w = *weight, f = 1.0;
  if (limit > 0.0f) {
    double r = (double)limit / ((double)*norm / w + 1e-6);
    f = r < 1.0 || r != r ? r : 1.0;
  }
  *y = w == 0.0 ? 0.0f : (float)(f / w);
}

// a loss of y and t, by kind: squared, absolute, Huber, cross-entropy of a logit, half squared.
__device__ static inline double loss_of(uint32 kind, double delta, double y, double t) {
  double d = fabs(y - t);
  if (kind == 0) return d * d;
  if (kind == 4) return 0.5 * d * d;
  if (kind == 1) return d;
  if (kind == 3) return fmax(y, 0.0) + log1p(exp(-fabs(y))) - t * y;
  return d <= delta ? 0.5 * d * d : delta * (d - 0.5 * delta);
}

// its derivative by y.
__device__ static inline double slope_of(uint32 kind, double delta, double y, double t) {
  double d = y - t, s = d > 0.0 ? 1.0 : d < 0.0 ? -1.0 : d;
  if (kind == 0) return 2.0 * d;
  if (kind == 4) return d;
  if (kind == 1) return s;
  if (kind == 3) return 1.0 / (1.0 + exp(-y)) - t;
  return fabs(d) <= delta ? d : delta * s;
}

// part[chunk] = Σ loss(y, t) over per elements of n.
KERNEL ceto_compare(const uint32 *stop, double *part, const float *y, const float *t, uint32 kind, float delta, uint64 per, uint64 n) {
  __shared__ double shared[33];
  STOP_IF(stop);
  uint64 hi = (blockIdx.x + 1ull) * per < n ? (blockIdx.x + 1ull) * per : n;
  double v = 0.0;
  for (uint64 i = blockIdx.x * per + threadIdx.x; i < hi; i += blockDim.x) v += loss_of(kind, delta, y[i], t[i]);
  v = block_sum(v, shared);
  if (threadIdx.x == 0) part[blockIdx.x] = v;
}

// dy·∂loss/∂y for n elements.
KERNEL ceto_compare_grad(const uint32 *stop, float *d, const float *y, const float *t, const float *dy, uint32 kind, float delta, uint64 n) {
  STOP_IF(stop);
  uint64 i = thread_index();
  if (i < n) d[i] = (float)((double)*dy * slope_of(kind, delta, y[i], t[i]));
}
