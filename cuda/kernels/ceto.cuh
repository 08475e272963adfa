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

// index of the thread in a grid of one dimension.
__device__ static inline uint64 thread_index() { return (uint64)blockIdx.x * blockDim.x + threadIdx.x; }
