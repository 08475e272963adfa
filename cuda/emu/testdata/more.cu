// What rarer code compiles to: calls, jump tables, local arrays, half precision, integers of all widths.
#define KERNEL extern "C" __global__ void
typedef unsigned long long uint64;
typedef unsigned int uint32;
__constant__ float weights[4] = {1.0f, 2.5f, -3.0f, 0.125f};
__device__ int counter = 7;
__device__ float table[2][3] = {{1, 2, 3}, {4, 5, 6}};

__device__ __noinline__ float poly(float x, const float *w, int n) {
  float y = 0;
  for (int i = n - 1; i >= 0; i--) y = y * x + w[i];
  return y;
}
__device__ __noinline__ int gcd(int a, int b) { return b == 0 ? a : gcd(b, a % b); }
struct pair { float a; int b; double c; };
__device__ __noinline__ pair make(float a, int b) { pair p = {a, b, (double)a * b}; return p; }

KERNEL calls(float *y, const float *x, const int *k, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  pair p = make(x[i], k[i]);
  y[i] = poly(x[i], weights, 4) + gcd(k[i], 12) + p.a + p.b + (float)p.c + table[i % 2][i % 3];
  if (i == 0) counter += 1;
}

KERNEL jump(int *y, const int *op, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  int v = i;
  switch (op[i]) {
    case 0: v = v * 3 + 1; break;
    case 1: v = v << 5 ^ 77; break;
    case 2: v = v / 7; break;
    case 3: v = v % 5 - 9; break;
    case 4: v = __popc(v) + __clz(v); break;
    case 5: v = __brev(v) >> 3; break;
    case 6: v = __ffs(v); break;
    case 7: v = v * v * v; break;
    case 8: v = min(v, 11) + max(v, 4); break;
    case 9: v = __byte_perm(v, 0x12345678, 0x3715); break;
    default: v = -1;
  }
  y[i] = v;
}

KERNEL local_array(int *y, const int *x, int n) {
  int a[16];
  for (int i = 0; i < 16; i++) a[i] = x[i] * i;
  int s = 0;
  for (int i = 0; i < n; i++) s += a[x[i] & 15];
  y[threadIdx.x] = s;
}

KERNEL bytes(signed char *y, const unsigned char *x, short *z, uint64 *w, long long *q, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  y[i] = (signed char)(x[i] * 3 - 100) >> 1;
  z[i] = (short)(x[i] << 8 | y[i]);
  w[i] = (uint64)x[i] * 0x123456789abcdefull / 1000003ull + __umul64hi((uint64)x[i] << 50, 0xfedcba9876543210ull);
  q[i] = (long long)z[i] * 0x123456789ll % 1000003ll;
}

KERNEL conversions(float *y, const float *x, double *d, long long *l, int n) {
  int i = blockIdx.x * blockDim.x + threadIdx.x;
  if (i >= n) return;
  unsigned short h, b;
  asm("cvt.rn.f16.f32 %0, %1;" : "=h"(h) : "f"(x[i]));
  asm("cvt.rn.bf16.f32 %0, %1;" : "=h"(b) : "f"(x[i]));
  float g;
  asm("cvt.f32.f16 %0, %1;" : "=f"(g) : "h"(h));
  y[i] = g + __uint_as_float((uint32)b << 16) + (float)__float2int_rn(x[i]) + __float2uint_rz(x[i] * x[i]);
  d[i] = (double)x[i] / 3.0 + sqrt((double)x[i] * x[i]) + floor((double)x[i]) + fma((double)x[i], 2.0, 1.0);
  l[i] = (long long)(x[i] * 1e6f) + (long long)d[i];
}

KERNEL votes(uint32 *y, const int *x) {
  int v = x[threadIdx.x];
  uint32 a = __ballot_sync(0xffffffffu, v > 3), b = __match_any_sync(0xffffffffu, v);
  int pred;
  uint32 c = __match_all_sync(0xffffffffu, v, &pred);
  uint32 d = __reduce_add_sync(0xffffffffu, v), e = __reduce_max_sync(0xffffffffu, (uint32)v);
  int f = __any_sync(0xffffffffu, v == 2) + 2 * __all_sync(0xffffffffu, v >= 0);
  int g = __shfl_up_sync(0xffffffffu, v, 3) + __shfl_down_sync(0xffffffffu, v, 5, 16) + __shfl_sync(0xffffffffu, v, 7, 8);
  y[threadIdx.x] = a ^ b ^ c ^ pred ^ d * 3 ^ e * 5 ^ f ^ g * 7 ^ __activemask();
}

KERNEL last_block(float *total, float *parts, unsigned *ticket, const float *x, int n) {
  __shared__ bool last;
  __shared__ float s[64];
  int i = blockIdx.x * 64 + threadIdx.x;
  s[threadIdx.x] = i < n ? x[i] : 0;
  __syncthreads();
  if (threadIdx.x == 0) {
    float t = 0;
    for (int j = 0; j < 64; j++) t += s[j];
    parts[blockIdx.x] = t;
    __threadfence();
    last = atomicInc(ticket, gridDim.x - 1) == gridDim.x - 1;
  }
  __syncthreads();
  if (last && threadIdx.x == 0) {
    __threadfence();
    float t = 0;
    for (int j = 0; j < gridDim.x; j++) t += ((volatile float *)parts)[j];
    *total = t;
  }
}

KERNEL atomics(int *a, uint32 *u, uint64 *l, float *f, double *d) {
  int t = threadIdx.x;
  atomicAdd(&a[0], t); atomicSub(&a[1], t); atomicMin(&a[2], t - 5); atomicMax(&a[3], t); atomicAnd(&a[4], ~(1 << t));
  atomicOr(&a[5], 1 << t); atomicXor(&a[6], t * 3);
  if (t == 3) { a[8] = atomicExch(&a[7], 9); a[10] = atomicCAS(&a[9], 0, 5); }
  atomicInc(&u[0], 10u); atomicDec(&u[1], 10u);
  atomicAdd(&l[0], (uint64)t << 33); atomicCAS(&l[1], (uint64)t, (uint64)t + 1);
  atomicAdd(f, 0.5f); atomicAdd(d, 0.25);
}
