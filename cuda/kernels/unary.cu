#include "ceto.cuh"

// y = f(x) for n elements; k and c are constants of f.
#define UNARY(name, f)                                                                          \
  KERNEL ceto_##name(const uint32 *stop, float *y, const float *x, float k, float c, uint64 n) { \
    STOP_IF(stop);                                                                              \
    uint64 i = thread_index();                                                                  \
    if (i < n) {                                                                                \
      float v = x[i];                                                                           \
      y[i] = f;                                                                                 \
    }                                                                                           \
  }

// dx = f(x, dy), where x may be the function's result.
#define GRAD(name, f)                                                                                         \
  KERNEL ceto_##name##_grad(const uint32 *stop, float *dx, const float *x, const float *dy, float k, uint64 n) { \
    STOP_IF(stop);                                                                                            \
    uint64 i = thread_index();                                                                                \
    if (i < n) {                                                                                              \
      float v = x[i], d = dy[i];                                                                              \
      dx[i] = f;                                                                                              \
    }                                                                                                         \
  }

__device__ static inline float sigmoid(float v) { return 1.0f / (1.0f + expf(-v)); }

// √(2/π)·(v + 0.044715·v³)
__device__ static inline float gelu_inner(float v) { return 0.7978845608028654f * (v + 0.044715f * v * v * v); }

__device__ static inline float gelu_slope(float v) {
  float t = tanhf(gelu_inner(v));
  return 0.5f * (1.0f + t) + 0.5f * v * (1.0f - t * t) * 0.7978845608028654f * (1.0f + 3.0f * 0.044715f * v * v);
}

// Φ(v) + v·φ(v)
__device__ static inline float gelu_erf_slope(float v) {
  return 0.5f * (1.0f + erff(v * 0.7071067811865476f)) + v * 0.3989422804014327f * expf(-0.5f * v * v);
}

__device__ static inline float power(float v, float p) {
  if (p == 2.0f) return v * v;
  if (p == 0.5f) return sqrtf(v);
  if (p == -1.0f) return 1.0f / v;
  if (p == 0.0f) return 1.0f;
  double r = exp((double)p * log(fabs((double)v)));
  if (v < 0.0f) {
    if (p != rintf(p)) return __int_as_float(NAN_BITS);
    if (rintf(0.5f * p) * 2.0f != p) r = -r;
  }
  return (float)r;
}

UNARY(affine, k * v + c)
UNARY(exp, expf(v))
UNARY(log, logf(v))
UNARY(sqrt, sqrtf(v))
UNARY(abs, fabsf(v))
UNARY(pow, power(v, k))
UNARY(tanh, tanhf(v))
UNARY(sigmoid, sigmoid(v))
UNARY(relu, v < 0.0f ? 0.0f : v)
UNARY(leaky, v > 0.0f ? v : k * v)
UNARY(elu, v > 0.0f ? v : k * expm1f(v))
UNARY(gelu, 0.5f * v * (1.0f + tanhf(gelu_inner(v))))
UNARY(gelu_erf, 0.5f * v * (1.0f + erff(v * 0.7071067811865476f)))
UNARY(silu, v * sigmoid(v))
UNARY(softplus, fmaxf(v, 0.0f) + log1pf(expf(-fabsf(v))) + 0.0f * v)

GRAD(abs, v > 0.0f ? d : v < 0.0f ? -d : 0.0f * v)
GRAD(tanh, d * (1.0f - v * v))
GRAD(sigmoid, d * v * (1.0f - v))
GRAD(relu, v > 0.0f ? d : v == v ? 0.0f : v)
GRAD(leaky, v > 0.0f ? d : k * d)
GRAD(elu, v > 0.0f ? d : d * k * expf(v))
GRAD(gelu, d * gelu_slope(v))
GRAD(gelu_erf, d * gelu_erf_slope(v))
GRAD(silu, d * sigmoid(v) * (1.0f + v * (1.0f - sigmoid(v))))
