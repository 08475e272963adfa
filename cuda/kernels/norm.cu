#include "ceto.cuh"

// Layer norm and RMS norm of rows of n elements, sums in float64. mean 0 means RMS norm in the derivative.

// y = (x − mean)·rstd·w + b, rstd = 1/√(var + eps); with rms y = x·rstd·w, rstd = 1/√(mean(x²) + eps). A block for each
// row. What nothing reads, w and b may be 0.
KERNEL ceto_norm(const uint32 *stop, float *y, float *rstd, float *mean, const float *x, const float *w, const float *b, double eps,
                 uint32 rms, uint32 n) {
  __shared__ double sums[33];
  STOP_IF(stop);
  uint64 row = blockIdx.x;
  x += row * n;
  double mu = 0.0;
  if (rms == 0) {
    double s = 0.0;
    for (uint32 k = threadIdx.x; k < n; k += blockDim.x) s += x[k];
    mu = block_sum(s, sums) / n;
  }
  double q = 0.0;
  for (uint32 k = threadIdx.x; k < n; k += blockDim.x) {
    double d = x[k] - mu;
    q += d * d;
  }
  double r = 1.0 / sqrt(block_sum(q, sums) / n + eps);
  if (threadIdx.x == 0) {
    if (rstd != 0) rstd[row] = (float)r;
    if (mean != 0) mean[row] = (float)mu;
  }
  if (y == 0) return;
  y += row * n;
  for (uint32 k = threadIdx.x; k < n; k += blockDim.x) {
    float v = (float)((x[k] - mu) * r);
    if (w != 0) v *= w[k];
    if (b != 0) v += b[k];
    y[k] = v;
  }
}

// dx = rstd·(w·dy − mean(w·dy) − x̂·mean(w·dy·x̂)), x̂ = (x − mean)·rstd; without the first mean for RMS. A block a row.
// What a mean in float32 leaves of the true one is found anew and taken off, which counts where the mean is large.
KERNEL ceto_norm_grad(const uint32 *stop, float *dx, const float *x, const float *w, const float *rstd, const float *mean, const float *dy, uint32 n) {
  __shared__ double sums[33];
  STOP_IF(stop);
  uint64 row = blockIdx.x;
  x += row * n;
  dy += row * n;
  dx += row * n;
  double r = rstd[row];
  float mu = mean != 0 ? mean[row] : 0.0f;
  double s = 0.0, q = 0.0, rest = 0.0;
  for (uint32 k = threadIdx.x; k < n; k += blockDim.x) {
    double g = (double)dy[k] * (w != 0 ? w[k] : 1.0f), v = x[k] - mu;
    s += g;
    q += g * v;
    rest += v;
  }
  s = mean != 0 ? block_sum(s, sums) / n : 0.0;
  rest = mean != 0 ? block_sum(rest, sums) / n : 0.0;
  q = (block_sum(q, sums) / n - rest * s) * r;
  for (uint32 k = threadIdx.x; k < n; k += blockDim.x) {
    double g = (double)dy[k] * (w != 0 ? w[k] : 1.0f), v = x[k] - mu;
    dx[k] = (float)(r * (g - s - (v - rest) * r * q));
  }
}

// Partial sums over per rows of a chunk: dw = Σ dy·x̂, db = Σ dy. Grid: x blocks of 32 columns, y chunks; a block has
// 8 rows of 32 threads. part is (chunk, n) for dw, then as much for db.
KERNEL ceto_norm_weights(const uint32 *stop, double *part, const float *x, const float *rstd, const float *mean, const float *dy,
                         uint32 rows, uint32 per, uint32 n) {
  __shared__ double dws[8][32], dbs[8][32];
  STOP_IF(stop);
  uint32 lane = threadIdx.x % 32u, deep = threadIdx.x / 32u, c = blockIdx.x * 32u + lane;
  uint32 lo = blockIdx.y * per, hi = lo + per < rows ? lo + per : rows;
  double dw = 0.0, db = 0.0;
  if (c < n) {
    for (uint32 i = lo + deep; i < hi; i += 8) {
      uint64 o = (uint64)i * n + c;
      double g = dy[o];
      dw += g * ((x[o] - (mean != 0 ? mean[i] : 0.0f)) * rstd[i]);
      db += g;
    }
  }
  dws[deep][lane] = dw;
  dbs[deep][lane] = db;
  __syncthreads();
  if (deep != 0 || c >= n) return;
  for (uint32 i = 1; i < 8; i++) {
    dw += dws[i][lane];
    db += dbs[i][lane];
  }
  part[(uint64)blockIdx.y * n + c] = dw;
  part[((uint64)gridDim.y + blockIdx.y) * n + c] = db;
}

// dw, db (n) = the sums of chunks partial sums; either may be 0.
KERNEL ceto_norm_join(const uint32 *stop, float *dw, float *db, const double *part, uint32 chunks, uint32 n) {
  STOP_IF(stop);
  uint32 c = blockIdx.x * blockDim.x + threadIdx.x;
  if (c >= n) return;
  double w = 0.0, b = 0.0;
  for (uint32 i = 0; i < chunks; i++) {
    w += part[(uint64)i * n + c];
    b += part[((uint64)chunks + i) * n + c];
  }
  if (dw != 0) dw[c] = (float)w;
  if (db != 0) db[c] = (float)b;
}
