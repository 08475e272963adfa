#include "ceto.cuh"

__device__ static inline bool not_finite(uint32 bits) { return (bits & 0x7f800000u) == 0x7f800000u; }

// Sets *flag where one of n floats is not finite; at holds their addresses.
KERNEL ceto_guard(const uint32 *none, uint32 *flag, const uint32 *stop, const uint64 *at, uint32 n) {
  if (threadIdx.x != 0) return;
  uint32 bad = *stop;
  for (uint32 i = 0; i < n; i++) bad |= not_finite(*(const uint32 *)at[i]) ? 1u : 0u;
  if (bad != 0) *flag = bad;
}

// out = the flag, then n words, whose addresses at holds.
KERNEL ceto_report(const uint32 *none, uint32 *out, const uint32 *stop, const uint64 *at, uint32 n) {
  for (uint32 i = threadIdx.x; i <= n; i += blockDim.x) out[i] = i == 0 ? *stop : *(const uint32 *)at[i - 1];
}
