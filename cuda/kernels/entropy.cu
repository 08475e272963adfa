#include "ceto.cuh"

// The cross-entropy of rows of v logits x with targets t, class weights w (1 without), smoothing s:
//
//   hit = (1−s)·w[t], all = hit + s/v·Σ w;  loss = all·lse − hit·x[t] − s/v·Σ w·x
//   d = scale·(all·softmax(x) − s/v·w), less scale·hit at t
//
// A row whose target is ignored has loss 0 and gradient 0.

// A block for each row. What nothing reads is 0: loss (rows), a float64 sum to be (rows), the gradient d, which may be
// the logits' memory.
KERNEL ceto_cross_entropy(const uint32 *stop, float *loss, double *sum, float *d, const float *x, const int32 *targets, const float *w,
                          const float *scale, float smoothing, uint32 has_ignore, int32 ignored, uint32 v) {
  __shared__ double sums[33];
  __shared__ float tops[32];
  STOP_IF(stop);
  uint64 row = blockIdx.x;
  int32 t = targets[row];
  x += row * v;
  if (d != 0) d += row * v;
  if (has_ignore != 0 && t == ignored) {
    if (threadIdx.x == 0 && loss != 0) loss[row] = 0.0f;
    if (threadIdx.x == 0 && sum != 0) sum[row] = 0.0;
    if (d != 0) {
      for (uint32 k = threadIdx.x; k < v; k += blockDim.x) d[k] = 0.0f;
    }
    return;
  }
  bool there = (uint32)t < v; // ids from the host are checked there; any other that is no class gives NaN
  if (!there) t = 0;
  float aim = x[t], top = __int_as_float(0xff800000); // read before d, which may be the logits, is written
  for (uint32 k = threadIdx.x; k < v; k += blockDim.x) top = larger(x[k], top);
  for (int o = 16; o > 0; o >>= 1) top = larger(top, __shfl_xor_sync(0xffffffffu, top, o));
  if (threadIdx.x % 32u == 0) tops[threadIdx.x / 32u] = top;
  __syncthreads();
  if (!there) aim = __int_as_float(NAN_BITS);
  top = tops[0];
  for (uint32 i = 1; i < blockDim.x / 32u; i++) top = larger(top, tops[i]);
  double e = 0.0, ws = 0.0, wx = 0.0, part = (double)smoothing / v;
  for (uint32 k = threadIdx.x; k < v; k += blockDim.x) e += (double)expf(x[k] - top);
  if (smoothing != 0.0f) {
    for (uint32 k = threadIdx.x; k < v; k += blockDim.x) {
      double g = w != 0 ? w[k] : 1.0f;
      ws += g;
      wx += g * x[k];
    }
    ws = block_sum(ws, sums) * part;
    wx = block_sum(wx, sums) * part;
  }
  e = block_sum(e, sums);
  double hit = (1.0 - (double)smoothing) * (w != 0 ? w[t] : 1.0f), all = hit + ws;
  if (threadIdx.x == 0) {
    double l = all * ((double)top + log(e)) - hit * aim - wx;
    if (loss != 0) loss[row] = (float)l;
    if (sum != 0) sum[row] = l;
  }
  if (d == 0) return;
  double f = *scale;
  for (uint32 k = threadIdx.x; k < v; k += blockDim.x) {
    double g = all * ((double)expf(x[k] - top) / e);
    if (smoothing != 0.0f) g -= part * (w != 0 ? w[k] : 1.0f);
    if (k == (uint32)t) g -= hit;
    d[k] = (float)(f * g);
  }
}

// part[chunk] = Σ of the weights of targets that count, over per of n.
KERNEL ceto_target_weight(const uint32 *stop, double *part, const int32 *targets, const float *w, uint32 has_ignore, int32 ignored, uint64 per, uint64 n) {
  __shared__ double sums[33];
  STOP_IF(stop);
  uint64 hi = (blockIdx.x + 1ull) * per < n ? (blockIdx.x + 1ull) * per : n;
  double s = 0.0;
  for (uint64 i = blockIdx.x * per + threadIdx.x; i < hi; i += blockDim.x) {
    int32 t = targets[i];
    if (has_ignore == 0 || t != ignored) s += w != 0 ? w[t] : 1.0f;
  }
  s = block_sum(s, sums);
  if (threadIdx.x == 0) part[blockIdx.x] = s;
}
