#include "ceto.cuh"

// Products of matrices: C (m, n) = act(A·B + bias + acc). A block of 256 threads has a tile of 64×64, each thread 4×4
// of it, and goes along k by 16. Element (i, p) of A lies at i·ar + p·ac, element (p, j) of B at p·br + j·bc.

#define SIDE 64u
#define DEEP 16u

// The activations, with the numbers of graph.Activation.
__device__ static inline float activated(float v, uint32 act) {
  switch (act) {
    case 1: return v < 0.0f ? 0.0f : v;
    case 2: return tanhf(v);
    case 3: return 1.0f / (1.0f + expf(-v));
    case 4: return 0.5f * v * (1.0f + tanhf(0.7978845608028654f * (v + 0.044715f * v * v * v)));
    case 5: return 0.5f * v * (1.0f + erff(v * 0.7071067811865476f));
    case 6: return v / (1.0f + expf(-v));
  }
  return v;
}

// blockIdx: x the tile, y the chunk of k, which has per steps, z the batch. With part each chunk leaves its sums there,
// (batch, chunk, m, n), for ceto_matmul_join.
KERNEL ceto_matmul(const uint32 *stop, float *c, float *part, const float *a, const float *b, const float *bias, const float *acc,
                   const walk *batch, uint32 m, uint32 n, uint32 k, uint32 per, uint64 ar, uint64 ac, uint64 br, uint64 bc, uint32 act) {
  __shared__ float as[DEEP][SIDE + 4], bs[DEEP][SIDE + 4];
  STOP_IF(stop);
  uint32 across = (n + SIDE - 1) / SIDE, down = blockIdx.x / across, tid = threadIdx.x;
  uint32 row0 = down * SIDE, col0 = (blockIdx.x - down * across) * SIDE;
  uint32 lo = blockIdx.y * per, hi = lo + per < k ? lo + per : k;
  int64 at[2];
  walk_to<2>(batch, blockIdx.z, at);
  a += at[0];
  b += at[1];
  uint32 ty = tid / 16u, tx = tid % 16u;
  float sum[4][4] = {};
  for (uint32 p = lo; p < hi; p += DEEP) {
#pragma unroll
    for (uint32 q = 0; q < 4; q++) {
      uint32 e = tid + q * 256u;
      uint32 i = ac == 1 ? e / DEEP : e % SIDE, s = ac == 1 ? e % DEEP : e / SIDE;
      as[s][i] = row0 + i < m && p + s < hi ? a[(row0 + i) * ar + (p + s) * ac] : 0.0f;
      uint32 j = bc == 1 ? e % SIDE : e / DEEP, t = bc == 1 ? e / SIDE : e % DEEP;
      bs[t][j] = col0 + j < n && p + t < hi ? b[(p + t) * br + (col0 + j) * bc] : 0.0f;
    }
    __syncthreads();
#pragma unroll
    for (uint32 s = 0; s < DEEP; s++) {
      float4 x = *(const float4 *)&as[s][4 * ty], y = *(const float4 *)&bs[s][4 * tx];
      float xs[4] = {x.x, x.y, x.z, x.w}, ys[4] = {y.x, y.y, y.z, y.w};
#pragma unroll
      for (int i = 0; i < 4; i++) {
#pragma unroll
        for (int j = 0; j < 4; j++) sum[i][j] += xs[i] * ys[j];
      }
    }
    __syncthreads();
  }
  uint64 matrix = (uint64)m * n;
  if (part != 0) {
    part += ((uint64)blockIdx.z * gridDim.y + blockIdx.y) * matrix;
  } else {
    c += blockIdx.z * matrix;
  }
#pragma unroll
  for (uint32 i = 0; i < 4; i++) {
#pragma unroll
    for (uint32 j = 0; j < 4; j++) {
      uint32 r = row0 + 4 * ty + i, s = col0 + 4 * tx + j;
      if (r >= m || s >= n) continue;
      uint64 o = (uint64)r * n + s;
      if (part != 0) {
        part[o] = sum[i][j];
        continue;
      }
      float v = sum[i][j];
      if (bias != 0) v += bias[s];
      if (acc != 0) v += acc[blockIdx.z * matrix + o];
      c[o] = activated(v, act);
    }
  }
}

// C = act(Σ of the chunks + bias + acc): count matrices of mn elements, n columns, chunks of each.
KERNEL ceto_matmul_join(const uint32 *stop, float *c, const float *part, const float *bias, const float *acc, uint32 chunks, uint64 mn,
                        uint32 n, uint32 act, uint64 count) {
  STOP_IF(stop);
  uint64 i = thread_index();
  if (i >= count) return;
  uint64 z = i / mn, o = i - z * mn;
  float v = 0.0f;
  for (uint32 q = 0; q < chunks; q++) v += part[(z * chunks + q) * mn + o];
  if (bias != 0) v += bias[o % n];
  if (acc != 0) v += acc[i];
  c[i] = activated(v, act);
}

// Products with few rows, which wait for memory: y (m, n) of one row of A and 32 columns of B for each block, x the
// block of columns, y the row. A block has 8 warps.
__device__ static inline void thin_result(float *c, const float *bias, const float *acc, uint32 row, uint32 col, uint32 n, uint32 act, float v) {
  uint64 o = (uint64)row * n + col;
  if (bias != 0) v += bias[col];
  if (acc != 0) v += acc[o];
  c[o] = activated(v, act);
}

// Contiguous rows of B: a lane has a column, a warp every eighth step of k.
KERNEL ceto_matmul_thin(const uint32 *stop, float *c, const float *a, const float *b, const float *bias, const float *acc, uint32 n,
                        uint32 k, uint64 ar, uint64 ac, uint64 br, uint32 act) {
  __shared__ float sums[8][33];
  STOP_IF(stop);
  uint32 lane = threadIdx.x % 32u, warp = threadIdx.x / 32u, col = blockIdx.x * 32u + lane, row = blockIdx.y;
  a += row * ar;
  float v = 0.0f;
  if (col < n) {
#pragma unroll 4
    for (uint32 p = warp; p < k; p += 8) v += a[p * ac] * b[p * br + col];
  }
  sums[warp][lane] = v;
  __syncthreads();
  if (warp != 0 || col >= n) return;
  for (uint32 i = 1; i < 8; i++) v += sums[i][lane];
  thin_result(c, bias, acc, row, col, n, act, v);
}

// Contiguous columns of B: a warp has four columns in turn, its lanes go along k.
KERNEL ceto_matmul_dots(const uint32 *stop, float *c, const float *a, const float *b, const float *bias, const float *acc, uint32 n,
                        uint32 k, uint64 ar, uint64 ac, uint64 bc, uint32 act) {
  STOP_IF(stop);
  uint32 lane = threadIdx.x % 32u, warp = threadIdx.x / 32u, row = blockIdx.y;
  a += row * ar;
  for (uint32 q = 0; q < 4; q++) {
    uint32 col = blockIdx.x * 32u + warp * 4u + q;
    if (col >= n) return;
    float v = 0.0f;
#pragma unroll 4
    for (uint32 p = lane; p < k; p += 32) v += a[p * ac] * b[col * bc + p];
    for (int d = 16; d > 0; d >>= 1) v += __shfl_xor_sync(0xffffffffu, v, d);
    if (lane == 0) thin_result(c, bias, acc, row, col, n, act, v);
  }
}
