#include "ceto.cuh"

__device__ static inline float not_a_number(float a, float b) { return a + b; }

// y = f(a, b): on n elements side by side, and with broadcasting, where w says how a and b are read.
#define BINARY(name, f)                                                                                             \
  KERNEL ceto_##name(const uint32 *stop, float *y, const float *x0, const float *x1, uint64 n) {                    \
    STOP_IF(stop);                                                                                                  \
    uint64 i = thread_index();                                                                                      \
    if (i < n) {                                                                                                    \
      float a = x0[i], b = x1[i];                                                                                   \
      y[i] = f;                                                                                                     \
    }                                                                                                               \
  }                                                                                                                 \
  KERNEL ceto_##name##_broadcast(const uint32 *stop, float *y, const float *x0, const float *x1, const walk *w, uint64 n) { \
    STOP_IF(stop);                                                                                                  \
    uint64 i = thread_index();                                                                                      \
    if (i < n) {                                                                                                    \
      int64 at[2];                                                                                                  \
      walk_to<2>(w, i, at);                                                                                         \
      float a = x0[at[0]], b = x1[at[1]];                                                                           \
      y[i] = f;                                                                                                     \
    }                                                                                                               \
  }

BINARY(add, a + b)
BINARY(sub, a - b)
BINARY(mul, a *b)
BINARY(div, a / b)
BINARY(maximum, a != a || b != b ? not_a_number(a, b) : a > b ? a : b)
BINARY(minimum, a != a || b != b ? not_a_number(a, b) : a < b ? a : b)
BINARY(heaviside, a > b ? 1.0f : a < b ? 0.0f : a == b ? 0.5f : not_a_number(a, b))
BINARY(same, a == b ? 1.0f : 0.0f)

// y = x, with x read as w says: permutations, repetition. Elements are words.
KERNEL ceto_copy_walk(const uint32 *stop, uint32 *y, const uint32 *x, const walk *w, uint64 n) {
  STOP_IF(stop);
  uint64 i = thread_index();
  if (i < n) {
    int64 at[1];
    walk_to<1>(w, i, at);
    y[i] = x[at[0]];
  }
}

// y = a where the condition is not 0, else b. mask takes the sign of a zero away: 0x7fffffff for floats.
KERNEL ceto_where(const uint32 *stop, float *y, const uint32 *cond, const float *a, const float *b, const walk *w, uint32 mask, uint64 n) {
  STOP_IF(stop);
  uint64 i = thread_index();
  if (i < n) {
    int64 at[3];
    walk_to<3>(w, i, at);
    y[i] = (cond[at[0]] & mask) != 0 ? a[at[1]] : b[at[2]];
  }
}
