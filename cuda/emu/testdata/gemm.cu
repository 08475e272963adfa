// Matrix products: tiles in shared memory, and tensor cores fed by asynchronous copies.
typedef unsigned long long uint64;
typedef unsigned int uint32;
typedef unsigned short bf16;
#define KERNEL extern "C" __global__ void

// C (M, N) = A (M, K) · B (K, N), 16×16 tiles.
KERNEL gemm_tiled(float *c, const float *a, const float *b, int m, int n, int k) {
  __shared__ float as[16][17], bs[16][17];
  int x = threadIdx.x, y = threadIdx.y, row = blockIdx.y * 16 + y, col = blockIdx.x * 16 + x;
  float sum = 0;
  for (int t = 0; t < k; t += 16) {
    as[y][x] = row < m && t + x < k ? a[row * k + t + x] : 0.0f;
    bs[y][x] = t + y < k && col < n ? b[(t + y) * n + col] : 0.0f;
    __syncthreads();
    for (int i = 0; i < 16; i++) sum += as[y][i] * bs[i][x];
    __syncthreads();
  }
  if (row < m && col < n) c[row * n + col] = sum;
}

__device__ static inline uint32 shared_address(const void *p) { return (uint32)__cvta_generic_to_shared(p); }
__device__ static inline void copy16(void *to, const void *from, bool there) {
  int bytes = there ? 16 : 0;
  asm volatile("cp.async.cg.shared.global [%0], [%1], 16, %2;" ::"r"(shared_address(to)), "l"(from), "r"(bytes));
}
__device__ static inline void load4(uint32 *r, const void *p) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0,%1,%2,%3}, [%4];" : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3]) : "r"(shared_address(p)));
}
__device__ static inline void load2t(uint32 *r, const void *p) {
  asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0,%1}, [%2];" : "=r"(r[0]), "=r"(r[1]) : "r"(shared_address(p)));
}
__device__ static inline void mma(float *d, const uint32 *a, const uint32 *b) {
  asm volatile("mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 {%0,%1,%2,%3}, {%4,%5,%6,%7}, {%8,%9}, {%0,%1,%2,%3};"
               : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
               : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
}

// C (M, N) = A (M, K) · B (K, N) in bf16 with float sums; N and K are multiples of 8. Tiles 32×32×32, 4 warps.
KERNEL gemm_mma(float *c, const bf16 *a, const bf16 *b, int m, int n, int k) {
  __shared__ __align__(16) bf16 as[2][32][40], bs[2][32][40];
  int t = threadIdx.x, lane = t % 32, warp = t / 32, wm = warp / 2 * 16, wn = warp % 2 * 16;
  int row0 = blockIdx.y * 32, col0 = blockIdx.x * 32;
  float d[2][4] = {};
  auto load = [&](int s, int k0) {
    int r = t / 4, q = t % 4 * 8;
    bool in = row0 + r < m && k0 + q < k;
    copy16(&as[s][r][q], in ? &a[(uint64)(row0 + r) * k + k0 + q] : a, in);
    in = k0 + r < k && col0 + q < n;
    copy16(&bs[s][r][q], in ? &b[(uint64)(k0 + r) * n + col0 + q] : b, in);
    asm volatile("cp.async.commit_group;");
  };
  load(0, 0);
  for (int k0 = 0, s = 0; k0 < k; k0 += 32, s ^= 1) {
    if (k0 + 32 < k) {
      load(s ^ 1, k0 + 32);
      asm volatile("cp.async.wait_group 1;");
    } else {
      asm volatile("cp.async.wait_group 0;");
    }
    __syncthreads();
    for (int kk = 0; kk < 32; kk += 16) {
      uint32 af[4], bf[2];
      load4(af, &as[s][wm + lane % 16][kk + lane / 16 * 8]);
      for (int j = 0; j < 2; j++) {
        load2t(bf, &bs[s][kk + lane % 16][wn + j * 8]);
        mma(d[j], af, bf);
      }
    }
    __syncthreads();
  }
  for (int j = 0; j < 2; j++)
    for (int i = 0; i < 4; i++) {
      int r = row0 + wm + lane / 4 + i / 2 * 8, q = col0 + wn + j * 8 + lane % 4 * 2 + i % 2;
      if (r < m && q < n) c[(uint64)r * n + q] = d[j][i];
    }
}

// out (T, 32) = causal attention of one head: an online softmax, keys in tiles of 32, one query a warp.
KERNEL flash(float *out, const float *q, const float *k, const float *v, int length, float scale) {
  extern __shared__ float tile[]; // keys, then values
  float *ks = tile, *vs = tile + 32 * 33;
  q += (uint64)blockIdx.y * length * 32, k += (uint64)blockIdx.y * length * 32;
  v += (uint64)blockIdx.y * length * 32, out += (uint64)blockIdx.y * length * 32;
  int lane = threadIdx.x, row = blockIdx.x * blockDim.y + threadIdx.y;
  float mine = row < length ? q[row * 32 + lane] * scale : 0.0f, m = -INFINITY, l = 0, acc = 0;
  for (int t = 0; t < blockIdx.x * blockDim.y + blockDim.y; t += 32) {
    for (int j = threadIdx.y; j < 32; j += blockDim.y) {
      bool in = t + j < length;
      ks[j * 33 + lane] = in ? k[(t + j) * 32 + lane] : 0.0f;
      vs[j * 33 + lane] = in ? v[(t + j) * 32 + lane] : 0.0f;
    }
    __syncthreads();
    float s = 0;
    for (int i = 0; i < 32; i++) s += __shfl_sync(0xffffffffu, mine, i) * ks[lane * 33 + i];
    if (t + lane > row || t + lane >= length) s = -INFINITY;
    float big = s;
    for (int o = 16; o > 0; o >>= 1) big = fmaxf(big, __shfl_xor_sync(0xffffffffu, big, o));
    big = fmaxf(big, m);
    float p = big == -INFINITY ? 0.0f : __expf(s - big), sum = p, f = big == -INFINITY ? 1.0f : __expf(m - big);
    for (int o = 16; o > 0; o >>= 1) sum += __shfl_xor_sync(0xffffffffu, sum, o);
    l = l * f + sum, acc *= f, m = big;
    for (int j = 0; j < 32; j++) acc += __shfl_sync(0xffffffffu, p, j) * vs[j * 33 + lane];
    __syncthreads();
  }
  if (row < length) out[row * 32 + lane] = acc / l;
}
