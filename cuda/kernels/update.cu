#include "ceto.cuh"

// A result that nothing reads has address 0.

// AdamW on n elements, with g = scale·dp + l2·p, and step = rate/(1 − β₁ᵗ), root = 1/√(1 − β₂ᵗ):
// m = b1·m + c1·g;  v = b2·v + c2·g²;  p = keep·p − step·m/(√v·root + eps)
KERNEL ceto_adamw(const uint32 *stop, float *po, float *mo, float *vo, const float *p, const float *dp, const float *m,
                  const float *v, const float *scale, const float *keep, const float *step, const float *root, float b1,
                  float c1, float b2, float c2, float eps, float l2, uint64 n) {
  STOP_IF(stop);
  uint64 i = thread_index();
  if (i >= n) return;
  float w = p[i], g = *scale * dp[i] + l2 * w;
  float mi = b1 * m[i] + c1 * g, vi = b2 * v[i] + c2 * g * g;
  if (mo != 0) mo[i] = mi;
  if (vo != 0) vo[i] = vi;
  if (po != 0) po[i] = (keep != 0 ? *keep : 1.0f) * w - *step * mi / (sqrtf(vi) * *root + eps);
}

// Gradient descent on n elements, with g = scale·dp + decay·p: without a momentum m p = p − rate·g, else
// m = momentum·m + g (g alone where *first is not 0) and p = p − rate·m, or p − rate·(g + momentum·m) with nesterov.
KERNEL ceto_sgd(const uint32 *stop, float *po, float *mo, const float *p, const float *dp, const float *m, const float *scale,
                const float *rate, const uint32 *first, float momentum, float decay, uint32 nesterov, uint64 n) {
  STOP_IF(stop);
  uint64 i = thread_index();
  if (i >= n) return;
  float w = p[i], g = *scale * dp[i] + decay * w, d = g;
  if (m != 0) {
    float mi = *first != 0 ? g : momentum * m[i] + g;
    if (mo != 0) mo[i] = mi;
    d = nesterov != 0 ? g + momentum * mi : mi;
  }
  if (po != 0) po[i] = w - *rate * d;
}

// y = d·avg + e·x, e = 1 − d, for n elements.
KERNEL ceto_ema(const uint32 *stop, float *y, const float *avg, const float *x, float d, float e, uint64 n) {
  STOP_IF(stop);
  uint64 i = thread_index();
  if (i < n) y[i] = d * avg[i] + e * x[i];
}

// y = x·scale where the hash of key and index is at least limit, else 0.
KERNEL ceto_dropout(const uint32 *stop, float *y, const float *x, const uint64 *key, uint32 limit, float scale, uint64 n) {
  STOP_IF(stop);
  uint64 i = thread_index();
  if (i >= n) return;
  y[i] = stays(*key, i, limit) ? x[i] * scale : 0.0f;
}
