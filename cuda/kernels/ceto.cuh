// What kernels have in common. Sources are free of the toolkit's headers.
//
// The first parameter of every kernel is the flag of the guards: 0, or the address of a word that is not 0 where a loss
// or a norm was not finite. Then nothing may be written.

typedef unsigned char uint8;
typedef unsigned int uint32;
typedef int int32;
typedef unsigned long long uint64;
typedef long long int64;

#define KERNEL extern "C" __global__ void
#define STOP_IF(stop) \
  if ((stop) != 0 && *(stop) != 0) return

#define NAN_BITS 0x7fc00000

// index of the thread in a grid of one dimension.
__device__ static inline uint64 thread_index() { return (uint64)blockIdx.x * blockDim.x + threadIdx.x; }

// A walk is how operands are read while a result is written in order: the number of axes, their extents from the last
// axis on, and the steps of up to three operands along each.
struct walk {
  int32 n, pad;
  uint32 ext[8];
  int64 step[3][8];
};

// where operands lie for element i of the result: N of them.
template <int N>
__device__ static inline void walk_to(const walk *w, uint64 i, int64 *at) {
#pragma unroll
  for (int k = 0; k < N; k++) at[k] = 0;
  int32 last = w->n - 1;
#pragma unroll 1
  for (int32 a = 0; a <= last; a++) {
    uint64 q = 0;
    if (a < last) {
      uint32 e = w->ext[a];
      q = i >> 32 ? i / e : (uint32)i / e;
      i -= q * e;
    }
#pragma unroll
    for (int k = 0; k < N; k++) at[k] += (int64)i * w->step[k][a];
    i = q;
  }
}

__device__ static inline float larger(float a, float b) { return a > b ? a : b; }

// the sum over a block of 32·n threads, to all of them; shared has room for 33 numbers. Two in a row need no barrier
// between them.
__device__ static inline double block_sum(double v, double *shared) {
  for (int d = 16; d > 0; d >>= 1) v += __shfl_xor_sync(0xffffffffu, v, d);
  uint32 warp = threadIdx.x / 32u, lane = threadIdx.x % 32u;
  if (lane == 0) shared[warp] = v;
  __syncthreads();
  if (warp == 0) {
    v = lane < blockDim.x / 32u ? shared[lane] : 0.0;
    for (int d = 16; d > 0; d >>= 1) v += __shfl_xor_sync(0xffffffffu, v, d);
    if (lane == 0) shared[32] = v;
  }
  __syncthreads();
  return shared[32];
}

__device__ static inline uint64 splitmix(uint64 z) {
  z += 0x9e3779b97f4a7c15ull;
  z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ z >> 27) * 0x94d049bb133111ebull;
  return z ^ z >> 31;
}

__device__ static inline uint32 mix(uint32 h) {
  h = (h ^ h >> 16) * 0x7feb352du;
  h = (h ^ h >> 15) * 0x846ca68bu;
  return h ^ h >> 16;
}

// whether dropout keeps element i: a hash of key and i is at least limit. See graph.Dropout.
__device__ static inline bool stays(uint64 key, uint64 i, uint32 limit) {
  uint64 k = splitmix(key + splitmix((i >> 32) + 1ull));
  return mix(mix((uint32)i ^ (uint32)k) ^ (uint32)(k >> 32)) >> 8 >= limit;
}
