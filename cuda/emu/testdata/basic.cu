// Elementwise work, reductions and row operations, as the kernels of a transformer need them.
typedef unsigned long long uint64;
#define KERNEL extern "C" __global__ void
#define FULL 0xffffffffu

KERNEL saxpy(float *y, const float *x, float a, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = a * x[i] + y[i];
}

__device__ float warp_sum(float v) {
  for (int o = 16; o > 0; o >>= 1) v += __shfl_xor_sync(FULL, v, o);
  return v;
}

__device__ float block_sum(float v) {
  __shared__ float part[32];
  v = warp_sum(v);
  if (threadIdx.x % 32 == 0) part[threadIdx.x / 32] = v;
  __syncthreads();
  v = threadIdx.x < blockDim.x / 32 ? part[threadIdx.x] : 0.0f;
  if (threadIdx.x < 32) v = warp_sum(v);
  if (threadIdx.x == 0) part[0] = v;
  __syncthreads();
  v = part[0];
  __syncthreads();
  return v;
}

KERNEL row_sum(float *y, const float *x, int cols) {
  float v = 0;
  for (int i = threadIdx.x; i < cols; i += blockDim.x) v += x[(uint64)blockIdx.x * cols + i];
  v = block_sum(v);
  if (threadIdx.x == 0) y[blockIdx.x] = v;
}

KERNEL layernorm(float *y, const float *x, const float *w, const float *b, int cols, float eps) {
  x += (uint64)blockIdx.x * cols, y += (uint64)blockIdx.x * cols;
  float s = 0;
  for (int i = threadIdx.x; i < cols; i += blockDim.x) s += x[i];
  float mean = block_sum(s) / cols;
  float q = 0;
  for (int i = threadIdx.x; i < cols; i += blockDim.x) q += (x[i] - mean) * (x[i] - mean);
  float r = rsqrtf(block_sum(q) / cols + eps);
  for (int i = threadIdx.x; i < cols; i += blockDim.x) y[i] = (x[i] - mean) * r * w[i] + b[i];
}

KERNEL softmax(float *y, const float *x, int cols) {
  x += (uint64)blockIdx.x * cols, y += (uint64)blockIdx.x * cols;
  int lane = threadIdx.x;
  float m = -INFINITY;
  for (int i = lane; i < cols; i += 32) m = fmaxf(m, x[i]);
  for (int o = 16; o > 0; o >>= 1) m = fmaxf(m, __shfl_xor_sync(FULL, m, o));
  float s = 0;
  for (int i = lane; i < cols; i += 32) s += expf(x[i] - m);
  s = warp_sum(s);
  for (int i = lane; i < cols; i += 32) y[i] = expf(x[i] - m) / s;
}

KERNEL gelu(float *y, const float *x, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = 0.5f * x[i] * (1.0f + tanhf(0.79788456f * (x[i] + 0.044715f * x[i] * x[i] * x[i])));
}

KERNEL functions(float *y, const float *x, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  float v = x[i];
  y[12 * i] = erff(v), y[12 * i + 1] = powf(fabsf(v), 1.7f), y[12 * i + 2] = sinf(v), y[12 * i + 3] = cosf(v);
  y[12 * i + 4] = logf(fabsf(v)), y[12 * i + 5] = exp2f(v), y[12 * i + 6] = log1pf(fabsf(v)), y[12 * i + 7] = expm1f(v);
  y[12 * i + 8] = sqrtf(fabsf(v)), y[12 * i + 9] = __fdividef(v, 3.0f), y[12 * i + 10] = rintf(v) + floorf(v) + truncf(v);
  y[12 * i + 11] = fmodf(v, 0.75f);
}

KERNEL dropout(float *y, const float *x, uint64 key, float p, uint64 n) {
  uint64 i = (uint64)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  uint64 z = key + (i + 1) * 0x9e3779b97f4a7c15ull;
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  z ^= z >> 31;
  y[i] = (double)(z >> 11) * 0x1p-53 < p ? 0.0f : x[i] / (1.0f - p);
}

KERNEL rotary(float *x, const float *cosine, const float *sine, int heads, int half, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int j = i % half, h = i / half % heads, t = i / half / heads;
  float *p = x + ((uint64)t * heads + h) * 2 * half + j;
  float a = p[0], b = p[half], c = cosine[t * half + j], s = sine[t * half + j];
  p[0] = a * c - b * s, p[half] = a * s + b * c;
}

KERNEL double_sum(double *y, const float *x, int n) {
  __shared__ double part[256];
  double s = 0;
  for (int i = threadIdx.x; i < n; i += 256) s += (double)x[i] * x[i];
  part[threadIdx.x] = s;
  __syncthreads();
  for (int o = 128; o > 0; o /= 2) {
    if (threadIdx.x < o) part[threadIdx.x] += part[threadIdx.x + o];
    __syncthreads();
  }
  if (threadIdx.x == 0) y[0] = sqrt(part[0]);
}

KERNEL histogram(unsigned *bins, const int *x, int n, float *total, uint64 *biggest) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  atomicAdd(&bins[x[i]], 1u);
  atomicAdd(total, (float)x[i]);
  atomicMax(biggest, (uint64)x[i] << 32);
}

KERNEL adamw(float *w, float *m, float *v, const float *g, float lr, float b1, float b2, float c1, float c2, float eps,
             float decay, uint64 n) {
  uint64 i = (uint64)blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  m[i] = b1 * m[i] + (1 - b1) * g[i];
  v[i] = b2 * v[i] + (1 - b2) * g[i] * g[i];
  w[i] -= lr * (m[i] / c1 / (sqrtf(v[i] / c2) + eps) + decay * w[i]);
}

KERNEL gather(float4 *y, const float4 *table, const int *ids, int width, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i < n) y[i] = table[(uint64)ids[i / width] * width + i % width];
}
