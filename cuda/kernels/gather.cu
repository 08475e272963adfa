#include "ceto.cuh"

// A table is seen as (outer, rows, inner); ids (count) name rows. The derivative adds rows of one id in the order of
// the ids, without atomics on floats, so its bits are the same in every run. It leaves out ids that the table does not
// have.

// y (outer, count, inner) = x (outer, rows, inner) at ids; n elements. NaN at an id that the table does not have.
KERNEL ceto_gather(const uint32 *stop, float *y, const float *x, const int32 *ids, uint32 count, uint32 rows, uint32 inner, uint64 n) {
  STOP_IF(stop);
  uint64 i = thread_index();
  if (i >= n) return;
  uint64 r = i / inner, c = i - r * inner, o = r / count;
  uint32 id = (uint32)ids[r - o * count];
  y[i] = id < rows ? x[(o * rows + id) * inner + c] : __int_as_float(NAN_BITS);
}

// Adds dy (outer, count, inner) to y at ids. A block has position x of the ids, group y and some columns, z: where an
// earlier position has the same id it leaves that to it.
KERNEL ceto_scatter(const uint32 *stop, float *y, const float *dy, const int32 *ids, uint32 count, uint32 rows, uint32 inner) {
  STOP_IF(stop);
  uint32 at = blockIdx.x;
  int32 id = ids[at], earlier = 0;
  for (uint32 j = threadIdx.x; j < at; j += blockDim.x) earlier |= ids[j] == id;
  if (__syncthreads_or(earlier)) return;
  if ((uint32)id >= rows) return;
  y += ((uint64)blockIdx.y * rows + (uint32)id) * inner;
  dy += (uint64)blockIdx.y * count * inner;
  for (uint64 c = (uint64)blockIdx.z * blockDim.x + threadIdx.x; c < inner; c += (uint64)gridDim.z * blockDim.x) {
    float v = y[c];
    for (uint32 j = at; j < count; j++) {
      if (ids[j] == id) v += dy[(uint64)j * inner + c];
    }
    y[c] = v;
  }
}

// The same with positions that are sorted by id, equal ids in order: a block has place x of the sorted list.
KERNEL ceto_scatter_sorted(const uint32 *stop, float *y, const float *dy, const int32 *sorted, const int32 *place, uint32 count, uint32 rows, uint32 inner) {
  STOP_IF(stop);
  uint32 at = blockIdx.x;
  int32 id = sorted[at];
  if (at > 0 && sorted[at - 1] == id || (uint32)id >= rows) return;
  y += ((uint64)blockIdx.y * rows + (uint32)id) * inner;
  dy += (uint64)blockIdx.y * count * inner;
  for (uint64 c = (uint64)blockIdx.z * blockDim.x + threadIdx.x; c < inner; c += (uint64)gridDim.z * blockDim.x) {
    float v = y[c];
    for (uint32 j = at; j < count && sorted[j] == id; j++) v += dy[(uint64)(uint32)place[j] * inner + c];
    y[c] = v;
  }
}

// A stable sort by 8 bits of the key: blocks of 256 keys count them, one block adds up, blocks move.
#define DIGIT(key, shift) (((uint32)(key) >> (shift)) & 255u)

// counts[digit·blocks + block] = how many of the block's keys have the digit.
KERNEL ceto_sort_count(const uint32 *stop, int32 *counts, const int32 *keys, uint32 shift, uint32 n) {
  __shared__ int32 count[256];
  STOP_IF(stop);
  count[threadIdx.x] = 0;
  __syncthreads();
  uint32 i = blockIdx.x * 256u + threadIdx.x;
  if (i < n) atomicAdd(&count[DIGIT(keys[i], shift)], 1);
  __syncthreads();
  counts[threadIdx.x * gridDim.x + blockIdx.x] = count[threadIdx.x];
}

// counts becomes the sum of the n before each; one block of 256 threads.
KERNEL ceto_sort_scan(const uint32 *stop, int32 *counts, uint32 n) {
  __shared__ int32 sums[256];
  STOP_IF(stop);
  uint32 per = (n + 255u) / 256u, lo = threadIdx.x * per, hi = lo + per < n ? lo + per : n;
  int32 s = 0;
  for (uint32 i = lo; i < hi; i++) s += counts[i];
  sums[threadIdx.x] = s;
  __syncthreads();
  s = 0;
  for (uint32 i = 0; i < threadIdx.x; i++) s += sums[i];
  for (uint32 i = lo; i < hi; i++) {
    int32 c = counts[i];
    counts[i] = s;
    s += c;
  }
}

// moves keys and places; place 0 means that a key's place is its index.
KERNEL ceto_sort_move(const uint32 *stop, int32 *sorted, int32 *moved, const int32 *keys, const int32 *place, const int32 *counts, uint32 shift, uint32 n) {
  __shared__ int32 block[256];
  STOP_IF(stop);
  uint32 i = blockIdx.x * 256u + threadIdx.x;
  int32 key = i < n ? keys[i] : -1;
  block[threadIdx.x] = i < n ? (int32)DIGIT(key, shift) : 256;
  __syncthreads();
  if (i >= n) return;
  int32 before = 0, d = (int32)DIGIT(key, shift);
  for (uint32 j = 0; j < threadIdx.x; j++) before += block[j] == d;
  uint32 to = (uint32)(counts[(uint32)d * gridDim.x + blockIdx.x] + before);
  sorted[to] = key;
  moved[to] = place != 0 ? place[i] : (int32)i;
}
