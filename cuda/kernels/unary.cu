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

// v not under the edge, and within ±edge; NaN stays. Beyond it the functions are flat, and parts of them not finite.
__device__ static inline float at_least(float v, float edge) { return v < edge ? edge : v; }

__device__ static inline float within(float v, float edge) { return v > edge ? edge : at_least(v, -edge); }

__device__ static inline float sigmoid(float v) { return 1.0f / (1.0f + expf(-v)); }

// the derivative of v·sigmoid(h) by v, where slope is that of h: s·(1 + v·(1 − s)·slope). 1 − s has no cancellation,
// and with h at least −87 its parts are finite.
__device__ static inline float swish_slope(float v, float h, float slope) {
  float e = expf(-at_least(h, -87.0f)), s = 1.0f / (1.0f + e);
  return s * (1.0f + v * (e * s) * slope);
}

// ½·(1 + tanh u) = sigmoid(2u), so GELU is v·sigmoid(h) with h = 2·√(2/π)·(v + 0.044715·v³).
#define GELU_K 1.5957691216057308f
#define GELU_C (GELU_K * 0.044715f)

__device__ static inline float gelu(float v) { return v * sigmoid(v * (GELU_K + GELU_C * v * v)); }

__device__ static inline float gelu_slope(float v) {
  return swish_slope(v, v * (GELU_K + GELU_C * v * v), GELU_K + 3.0f * GELU_C * v * v);
}

// Φ(v), the distribution function of N(0, 1).
__device__ static inline float normal(float v) { return 0.5f * erfcf(v * -0.7071067811865476f); }

// Φ(v) + v·φ(v)
__device__ static inline float gelu_erf_slope(float v) { return normal(v) + v * 0.3989422804014327f * expf(-0.5f * v * v); }

__device__ static inline float power(float v, float p) {
  if (p == 2.0f) return v * v;
  if (p == 0.5f) return sqrtf(v);
  if (p == -1.0f) return 1.0f / v;
  if (p == 0.0f) return 1.0f;
  double r = exp((double)p * log(fabs((double)v)));
  if (v < 0.0f) {
    if (p != rintf(p)) return v + v == v ? (float)r : __int_as_float(NAN_BITS); // −∞ is not NaN
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
UNARY(gelu, gelu(at_least(v, -16.0f)))
UNARY(gelu_erf, at_least(v, -16.0f) * normal(v))
UNARY(silu, at_least(v, -104.0f) * sigmoid(v))
UNARY(softplus, fmaxf(v, 0.0f) + log1pf(expf(-fabsf(v))))

GRAD(abs, v > 0.0f ? d : v < 0.0f ? -d : 0.0f * v)
GRAD(tanh, d * (1.0f - v * v))
GRAD(sigmoid, d * v * (1.0f - v))
GRAD(relu, v > 0.0f ? d : 0.0f)
GRAD(leaky, v > 0.0f ? d : k * d)
GRAD(elu, v > 0.0f ? d : d * k * expf(v))
GRAD(gelu, d * gelu_slope(within(v, 16.0f)))
GRAD(gelu_erf, d * gelu_erf_slope(within(v, 16.0f)))
GRAD(silu, d * swish_slope(within(v, 87.0f), within(v, 87.0f), 1.0f))
