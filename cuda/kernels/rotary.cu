#include "ceto.cuh"

// sine and cosine of r, |r| ≤ π/4, by their series: exact to float64 but for the last bits.
__device__ static inline double sine(double r) {
  double z = r * r;
  return r + r * z * (-1.0 / 6 + z * (1.0 / 120 + z * (-1.0 / 5040 + z * (1.0 / 362880 + z * (-1.0 / 39916800 + z * (1.0 / 6227020800.0))))));
}

__device__ static inline double cosine(double r) {
  double z = r * r;
  return 1.0 + z * (-0.5 + z * (1.0 / 24 + z * (-1.0 / 720 + z * (1.0 / 40320 + z * (-1.0 / 3628800 + z * (1.0 / 479001600.0 + z * (-1.0 / 87178291200.0)))))));
}

// y (count, dim): cosines, then sines of id·speed for dim/2 speeds. n = count·dim/2.
KERNEL ceto_rotary_table(const uint32 *stop, float *y, const int32 *ids, const double *speed, uint32 half, uint64 n) {
  STOP_IF(stop);
  uint64 i = thread_index();
  if (i >= n) return;
  uint64 r = i / half, k = i - r * half;
  double a = (double)ids[r] * speed[k], q = rint(a * 0.63661977236758134);
  a = fma(-q, 1.5707963267948966, a);
  a = fma(-q, 6.123233995736766e-17, a);
  uint32 turn = (uint32)(int64)q & 3u;
  double s = sine(a), c = cosine(a);
  double cs = turn == 0 ? c : turn == 1 ? -s : turn == 2 ? -c : s;
  double sn = turn == 0 ? s : turn == 1 ? c : turn == 2 ? -s : -c;
  y[r * 2 * half + k] = (float)cs;
  y[r * 2 * half + half + k] = (float)sn;
}

// y (B, T, NH, HS) is x with the pairs of the first dim elements of each head turned; table (T, dim), or (B, T, dim)
// where rows is B·T. Steps along B, T and NH are those of x and y, in elements. A thread has a pair, or an element that
// does not turn; n = B·T·NH·(HS − dim/2).
KERNEL ceto_rotary(const uint32 *stop, float *y, const float *x, const float *table, uint32 t, uint32 nh, uint32 hs, uint32 dim,
                   uint32 each, uint32 interleaved, float sign, uint32 xb, uint32 xt, uint32 xh, uint32 yb, uint32 yt, uint32 yh, uint64 n) {
  STOP_IF(stop);
  uint64 i = thread_index();
  if (i >= n) return;
  uint32 half = dim / 2, work = hs - half;
  uint64 head = i / work, pos = head / nh;
  uint32 k = (uint32)(i - head * work), h = (uint32)(head - pos * nh);
  uint64 b = pos / t, at = pos - b * t;
  x += b * xb + at * xt + (uint64)h * xh;
  y += b * yb + at * yt + (uint64)h * yh;
  if (k >= half) {
    y[half + k] = x[half + k];
    return;
  }
  table += (each != 0 ? pos : at) * dim;
  float c = table[k], s = sign * table[half + k];
  uint32 p = interleaved != 0 ? 2 * k : k, q = interleaved != 0 ? p + 1 : k + half;
  float u = x[p], v = x[q];
  y[p] = u * c - v * s;
  y[q] = u * s + v * c;
}
