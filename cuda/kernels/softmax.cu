#include "ceto.cuh"

// Lines of n elements along an axis of (outer, n, inner): element k of line l lies at base + k·inner. Sums are in
// float64. A line of nothing but −Inf gives zeros as a softmax, NaN as its logarithm.

struct line {
  uint64 base, step;
  __device__ line(uint64 l, uint32 n, uint32 inner) : step(inner) {
    uint64 o = l / inner;
    base = o * n * inner + (l - o * inner);
  }
  __device__ uint64 at(uint32 k) const { return base + k * step; }
};

// the maximum over a block of 32·n threads, to all of them.
__device__ static inline float block_max(float v, float *shared) {
  for (int d = 16; d > 0; d >>= 1) v = larger(v, __shfl_xor_sync(0xffffffffu, v, d));
  if (threadIdx.x % 32u == 0) shared[threadIdx.x / 32u] = v;
  __syncthreads();
  v = shared[0];
  for (uint32 i = 1; i < blockDim.x / 32u; i++) v = larger(v, shared[i]);
  return v;
}

#define NEG_INF __int_as_float(0xff800000)

// what exponents are taken from: the maximum, and 0 where all are −∞, so that −∞ gives 0 and NaN stays NaN.
__device__ static inline float base_of(float top) { return top == NEG_INF ? 0.0f : top; }

__device__ static inline float soft(float x, float top, double sum, uint32 log_of) {
  if (log_of != 0) return (float)((double)x - ((double)top + log(sum)));
  return sum == 0.0 ? 0.0f : (float)((double)expf(x - top) / sum);
}

// y = softmax(x), or its logarithm: a block for each line.
KERNEL ceto_softmax(const uint32 *stop, float *y, const float *x, uint32 n, uint32 inner, uint32 log_of) {
  __shared__ double sums[33];
  __shared__ float tops[32];
  STOP_IF(stop);
  line l(blockIdx.x, n, inner);
  float top = NEG_INF;
  for (uint32 k = threadIdx.x; k < n; k += blockDim.x) top = larger(x[l.at(k)], top);
  top = base_of(block_max(top, tops));
  double sum = 0.0;
  for (uint32 k = threadIdx.x; k < n; k += blockDim.x) sum += (double)expf(x[l.at(k)] - top);
  sum = block_sum(sum, sums);
  for (uint32 k = threadIdx.x; k < n; k += blockDim.x) y[l.at(k)] = soft(x[l.at(k)], top, sum, log_of);
}

// The same with a thread for each of lines lines, for short ones and those that are not contiguous.
KERNEL ceto_softmax_lines(const uint32 *stop, float *y, const float *x, uint32 n, uint32 inner, uint32 log_of, uint64 lines) {
  STOP_IF(stop);
  uint64 i = thread_index();
  if (i >= lines) return;
  line l(i, n, inner);
  float top = NEG_INF;
  for (uint32 k = 0; k < n; k++) top = larger(x[l.at(k)], top);
  top = base_of(top);
  double sum = 0.0;
  for (uint32 k = 0; k < n; k++) sum += (double)expf(x[l.at(k)] - top);
  for (uint32 k = 0; k < n; k++) y[l.at(k)] = soft(x[l.at(k)], top, sum, log_of);
}

// dx = y·(dy − Σ y·dy), or dy − eʸ·Σ dy for the logarithm: a block for each line.
KERNEL ceto_softmax_grad(const uint32 *stop, float *dx, const float *y, const float *dy, uint32 n, uint32 inner, uint32 log_of) {
  __shared__ double sums[33];
  STOP_IF(stop);
  line l(blockIdx.x, n, inner);
  double sum = 0.0;
  for (uint32 k = threadIdx.x; k < n; k += blockDim.x) {
    uint64 o = l.at(k);
    sum += log_of != 0 ? (double)dy[o] : (double)y[o] * dy[o];
  }
  float s = (float)block_sum(sum, sums);
  for (uint32 k = threadIdx.x; k < n; k += blockDim.x) {
    uint64 o = l.at(k);
    float v = y[o], d = dy[o];
    dx[o] = log_of != 0 ? d - expf(v) * s : v * (d - s);
  }
}

// The same with a thread for each line.
KERNEL ceto_softmax_grad_lines(const uint32 *stop, float *dx, const float *y, const float *dy, uint32 n, uint32 inner, uint32 log_of, uint64 lines) {
  STOP_IF(stop);
  uint64 i = thread_index();
  if (i >= lines) return;
  line l(i, n, inner);
  double sum = 0.0;
  for (uint32 k = 0; k < n; k++) {
    uint64 o = l.at(k);
    sum += log_of != 0 ? (double)dy[o] : (double)y[o] * dy[o];
  }
  float s = (float)sum;
  for (uint32 k = 0; k < n; k++) {
    uint64 o = l.at(k);
    float v = y[o], d = dy[o];
    dx[o] = log_of != 0 ? d - expf(v) * s : v * (d - s);
  }
}
