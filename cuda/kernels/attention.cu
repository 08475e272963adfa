#include "ceto.cuh"

// Attention without a matrix of scores. A tile has 32 keys, one for each lane of a warp; a warp goes over the queries of
// its block one by one. Heads have up to 32·R elements, R of them for each lane where a row is summed up.

// Shapes, steps in elements along batch, position and head of q, k, v, y and their gradients, and who sees whom: see
// graph.AttentionOpts. p is the position of a query. What is not there is 0.
struct shape {
  int32 b, t, s, nh, group, hs, causal, window;
  int32 qb, qt, qh, kb, kt, kh, vb, vt, vh, yb, yt, yh, gb, gt, gh, ob, ot, oh, pb, pt, ph;
};

__device__ static inline int32 least(int32 a, int32 b) { return a < b ? a : b; }
__device__ static inline int32 most(int32 a, int32 b) { return a > b ? a : b; }

struct sight {
  const int32 *lengths, *segments, *start;
};

// keys that a query at position p may see: lo to hi, but for segments.
__device__ static inline void keys_of(const shape *z, const sight &w, int32 b, int32 p, int32 *lo, int32 *hi) {
  int32 l = 0, h = z->s;
  if (w.lengths != 0) h = least(h, w.lengths[b]);
  if (z->window > 0) {
    l = most(0, p - z->window + 1);
    h = least(h, p + z->window);
  }
  if (z->causal != 0) h = least(h, p + 1);
  *hi = most(h, 0);
  *lo = least(l, *hi);
}

__device__ static inline bool sees(const shape *z, const sight &w, int32 b, int32 p, int32 lo, int32 hi, int32 j) {
  if (j < lo || j >= hi) return false;
  if (w.segments == 0) return true;
  if (p < 0 || p >= z->s) return false;
  const int32 *g = w.segments + (int64)b * z->s;
  return g[j] == g[p];
}

// the factor of weight i of (B, NH, T, S): 0, or 1/(1 − p); 1 without dropout.
__device__ static inline float kept(const uint64 *key, uint32 limit, float scale, uint64 i) {
  if (limit == 0) return 1.0f;
  return stays(*key, i, limit) ? scale : 0.0f;
}

__device__ static inline float warp_sum(float v) {
  for (int d = 16; d > 0; d >>= 1) v += __shfl_xor_sync(0xffffffffu, v, d);
  return v;
}

__device__ static inline float warp_max(float v) {
  for (int d = 16; d > 0; d >>= 1) v = fmaxf(v, __shfl_xor_sync(0xffffffffu, v, d));
  return v;
}

#define NEG_INF __int_as_float(0xff800000)

// what exponents are taken from: the largest score, and 0 where all are −∞, so that −∞ gives 0 and NaN stays NaN.
__device__ static inline float base_of(float top) { return top == NEG_INF ? 0.0f : top; }

#define QUERIES 16
#define WARPS 4

extern __shared__ float tile[];

// rows of a head to shared memory, hs + 1 apart: those that are not there are 0.
__device__ static inline void bring(float *to, const float *from, int32 step, int32 first, int32 n, int32 hs, int32 rows) {
  for (int32 e = threadIdx.x; e < rows * hs; e += blockDim.x) {
    int32 r = e / hs, c = e - r * hs;
    to[r * (hs + 1) + c] = r < n ? from[(int64)(first + r) * step + c] : 0.0f;
  }
}

__device__ static inline float dot(const float *a, const float *b, int32 n) {
  float s = 0.0f;
#pragma unroll 4
  for (int32 i = 0; i < n; i++) s += a[i] * b[i];
  return s;
}

// y and lse (B, NH, T). A block has QUERIES queries of a head: x is (tile of queries)·B·NH + head.
template <int R>
__device__ static inline void attend(float *y, float *lse, const float *q, const float *k, const float *v, const sight &w, const shape *z,
                                     const uint64 *key, uint32 limit, float keep, float scale) {
  int32 hs = z->hs, heads = z->b * z->nh, first = blockIdx.x / heads * QUERIES, bh = blockIdx.x % heads;
  int32 b = bh / z->nh, h = bh - b * z->nh, kv = h / z->group, n = least(QUERIES, z->t - first);
  int32 warp = threadIdx.x / 32, lane = threadIdx.x % 32, base = w.start != 0 ? w.start[b] : 0;
  float *qs = tile, *ks = qs + QUERIES * (hs + 1), *vs = ks + 32 * (hs + 1);
  bring(qs, q + (int64)b * z->qb + (int64)h * z->qh, z->qt, first, n, hs, QUERIES);
  k += (int64)b * z->kb + (int64)kv * z->kh;
  v += (int64)b * z->vb + (int64)kv * z->vh;
  int32 lo, hi, unused;
  keys_of(z, w, b, base + first, &lo, &unused);
  keys_of(z, w, b, base + first + n - 1, &unused, &hi);
  float top[QUERIES / WARPS], sum[QUERIES / WARPS], out[QUERIES / WARPS][R];
#pragma unroll
  for (int i = 0; i < QUERIES / WARPS; i++) {
    top[i] = NEG_INF;
    sum[i] = 0.0f;
#pragma unroll
    for (int r = 0; r < R; r++) out[i][r] = 0.0f;
  }
  for (int32 j0 = lo; j0 < hi; j0 += 32) {
    __syncthreads();
    bring(ks, k, z->kt, j0, least(32, hi - j0), hs, 32);
    bring(vs, v, z->vt, j0, least(32, hi - j0), hs, 32);
    __syncthreads();
#pragma unroll
    for (int i = 0; i < QUERIES / WARPS; i++) {
      int32 c = warp + i * WARPS, p = base + first + c, l, u, j = j0 + lane;
      if (c >= n) continue;
      keys_of(z, w, b, p, &l, &u);
      bool on = sees(z, w, b, p, l, u, j);
      float x = on ? scale * dot(qs + c * (hs + 1), ks + lane * (hs + 1), hs) : NEG_INF;
      if (!__any_sync(0xffffffffu, on)) continue;
      float now = fmaxf(top[i], warp_max(x)), from = base_of(now);
      float e = on ? expf(x - from) : 0.0f, f = expf(top[i] - from);
      top[i] = now;
      sum[i] = sum[i] * f + warp_sum(e);
      if (on) e *= kept(key, limit, keep, ((uint64)bh * z->t + first + c) * z->s + j);
#pragma unroll
      for (int r = 0; r < R; r++) out[i][r] *= f;
      #pragma unroll 4
      for (int32 m = 0; m < 32; m++) {
        float g = __shfl_sync(0xffffffffu, e, m);
#pragma unroll
        for (int r = 0; r < R; r++) {
          if (lane + 32 * r < hs) out[i][r] += g * vs[m * (hs + 1) + lane + 32 * r];
        }
      }
    }
  }
#pragma unroll
  for (int i = 0; i < QUERIES / WARPS; i++) {
    int32 c = warp + i * WARPS;
    if (c >= n) continue;
    bool any = sum[i] != 0.0f;
    if (lse != 0 && lane == 0) lse[(int64)bh * z->t + first + c] = any ? top[i] + logf(sum[i]) : 0.0f;
    if (y == 0) continue;
    float *o = y + (int64)b * z->yb + (int64)(first + c) * z->yt + (int64)h * z->yh;
#pragma unroll
    for (int r = 0; r < R; r++) {
      if (lane + 32 * r < hs) o[lane + 32 * r] = any ? out[i][r] / sum[i] : 0.0f;
    }
  }
}

// A few queries and many keys, without dropout: a block has a query and per of its keys, each of 4 warps every fourth
// group of 4 of them, a lane the elements lane + 32·r of a head. x is (row of B·NH·T)·chunks + chunk. With part each chunk
// leaves there, (row, chunk, hs + 2), its maximum, sum and weighted values, for ceto_attention_join.
#define SOME 4

template <int R>
__device__ static inline void decode(float *y, float *lse, float *part, const float *q, const float *k, const float *v, const sight &w,
                                     const shape *z, uint32 chunks, int32 per, float scale) {
  uint32 row = blockIdx.x / chunks, chunk = blockIdx.x - row * chunks;
  int32 hs = z->hs, i = row % z->t, bh = row / z->t, b = bh / z->nh, h = bh - b * z->nh, kv = h / z->group;
  int32 warp = threadIdx.x / 32, lane = threadIdx.x % 32, p = i + (w.start != 0 ? w.start[b] : 0), lo, hi;
  keys_of(z, w, b, p, &lo, &hi);
  int32 first = most(lo, (int32)chunk * per), end = least(hi, (int32)(chunk + 1) * per);
  q += (int64)b * z->qb + (int64)i * z->qt + (int64)h * z->qh;
  k += (int64)b * z->kb + (int64)kv * z->kh;
  v += (int64)b * z->vb + (int64)kv * z->vh;
  float qs[R], out[R], top = NEG_INF, sum = 0.0f;
#pragma unroll
  for (int r = 0; r < R; r++) {
    qs[r] = lane + 32 * r < hs ? q[lane + 32 * r] : 0.0f;
    out[r] = 0.0f;
  }
  for (int32 j = first + warp * SOME; j < end; j += WARPS * SOME) {
    float x[SOME], now = top;
#pragma unroll
    for (int c = 0; c < SOME; c++) {
      x[c] = 0.0f;
#pragma unroll
      for (int r = 0; r < R; r++) {
        if (j + c < end && lane + 32 * r < hs) x[c] += qs[r] * k[(int64)(j + c) * z->kt + lane + 32 * r];
      }
    }
#pragma unroll
    for (int c = 0; c < SOME; c++) {
      x[c] = warp_sum(x[c]);
      x[c] = j + c < end && sees(z, w, b, p, lo, hi, j + c) ? scale * x[c] : NEG_INF;
      now = fmaxf(now, x[c]);
    }
    float from = base_of(now), f = expf(top - from);
    top = now;
    sum *= f;
#pragma unroll
    for (int r = 0; r < R; r++) out[r] *= f;
#pragma unroll
    for (int c = 0; c < SOME; c++) {
      if (x[c] == NEG_INF) continue;
      float e = expf(x[c] - from);
      sum += e;
#pragma unroll
      for (int r = 0; r < R; r++) {
        if (lane + 32 * r < hs) out[r] += e * v[(int64)(j + c) * z->vt + lane + 32 * r];
      }
    }
  }
  // the warps' results, hs + 2 numbers each
  float *mine = tile + warp * (hs + 2);
  if (lane == 0) {
    mine[0] = top;
    mine[1] = sum;
  }
#pragma unroll
  for (int r = 0; r < R; r++) {
    if (lane + 32 * r < hs) mine[2 + lane + 32 * r] = out[r];
  }
  __syncthreads();
  top = NEG_INF;
  for (int32 c = 0; c < WARPS; c++) top = fmaxf(top, tile[c * (hs + 2)]);
  float *o = y == 0 ? 0 : y + (int64)b * z->yb + (int64)i * z->yt + (int64)h * z->yh;
  float from = base_of(top);
  for (int32 e = threadIdx.x; e < hs; e += blockDim.x) {
    float s = 0.0f, a = 0.0f;
    for (int32 c = 0; c < WARPS; c++) {
      float f = expf(tile[c * (hs + 2)] - from);
      s += f * tile[c * (hs + 2) + 1];
      a += f * tile[c * (hs + 2) + 2 + e];
    }
    float *to = part + (int64)blockIdx.x * (hs + 2);
    if (part != 0) to[2 + e] = a;
    if (part == 0 && o != 0) o[e] = s == 0.0f ? 0.0f : a / s;
    if (e != 0) continue;
    if (part != 0) {
      to[0] = top;
      to[1] = s;
    } else if (lse != 0) {
      lse[row] = s == 0.0f ? 0.0f : top + logf(s);
    }
  }
}

// y and lse of what the chunks of each row left: a warp for each of rows rows.
KERNEL ceto_attention_join(const uint32 *stop, float *y, float *lse, const float *part, const shape *z, uint32 chunks, uint32 rows) {
  STOP_IF(stop);
  uint32 row = blockIdx.x * (blockDim.x / 32u) + threadIdx.x / 32u;
  if (row >= rows) return;
  int32 lane = threadIdx.x % 32, hs = z->hs, i = row % z->t, bh = row / z->t, b = bh / z->nh, h = bh - b * z->nh;
  float *o = y == 0 ? 0 : y + (int64)b * z->yb + (int64)i * z->yt + (int64)h * z->yh;
  part += (uint64)row * chunks * (hs + 2);
  float top = NEG_INF, sum = 0.0f;
  for (uint32 c = lane; c < chunks; c += 32) top = fmaxf(top, part[c * (hs + 2)]);
  top = warp_max(top);
  float from = base_of(top);
  for (uint32 c = lane; c < chunks; c += 32) sum += expf(part[c * (hs + 2)] - from) * part[c * (hs + 2) + 1];
  sum = warp_sum(sum);
  if (lse != 0 && lane == 0) lse[row] = sum == 0.0f ? 0.0f : top + logf(sum);
  if (o == 0) return;
  for (int32 e = lane; e < hs; e += 32) {
    float a = 0.0f;
    for (uint32 c = 0; c < chunks; c++) a += expf(part[c * (hs + 2)] - from) * part[c * (hs + 2) + 2 + e];
    o[e] = sum == 0.0f ? 0.0f : a / sum;
  }
}

// delta (B, NH, T) = Σ dy·y over a head: a warp for each.
KERNEL ceto_attention_delta(const uint32 *stop, float *delta, const float *y, const float *dy, const shape *z) {
  STOP_IF(stop);
  int32 i = blockIdx.x * (blockDim.x / 32) + threadIdx.x / 32, lane = threadIdx.x % 32;
  if (i >= z->b * z->nh * z->t) return;
  int32 t = i % z->t, bh = i / z->t, b = bh / z->nh, h = bh - b * z->nh;
  y += (int64)b * z->yb + (int64)t * z->yt + (int64)h * z->yh;
  dy += (int64)b * z->gb + (int64)t * z->gt + (int64)h * z->gh;
  float s = 0.0f;
  for (int32 e = lane; e < z->hs; e += 32) s += y[e] * dy[e];
  s = warp_sum(s);
  if (lane == 0) delta[i] = s;
}

// dq = scale·Σ ds·k, ds = w·(m·(dy·v) − delta), w the weights again from lse, m the factors of dropout. Blocks as above.
template <int R>
__device__ static inline void query_grad(float *dq, const float *q, const float *k, const float *v, const float *lse, const float *dy,
                                         const float *delta, const sight &w, const shape *z, const uint64 *key, uint32 limit, float keep,
                                         float scale) {
  int32 hs = z->hs, heads = z->b * z->nh, first = blockIdx.x / heads * QUERIES, bh = blockIdx.x % heads;
  int32 b = bh / z->nh, h = bh - b * z->nh, kv = h / z->group, n = least(QUERIES, z->t - first);
  int32 warp = threadIdx.x / 32, lane = threadIdx.x % 32, base = w.start != 0 ? w.start[b] : 0;
  float *qs = tile, *gs = qs + QUERIES * (hs + 1), *ks = gs + QUERIES * (hs + 1), *vs = ks + 32 * (hs + 1);
  bring(qs, q + (int64)b * z->qb + (int64)h * z->qh, z->qt, first, n, hs, QUERIES);
  bring(gs, dy + (int64)b * z->gb + (int64)h * z->gh, z->gt, first, n, hs, QUERIES);
  k += (int64)b * z->kb + (int64)kv * z->kh;
  v += (int64)b * z->vb + (int64)kv * z->vh;
  int32 lo, hi, unused;
  keys_of(z, w, b, base + first, &lo, &unused);
  keys_of(z, w, b, base + first + n - 1, &unused, &hi);
  float out[QUERIES / WARPS][R] = {};
  for (int32 j0 = lo; j0 < hi; j0 += 32) {
    __syncthreads();
    bring(ks, k, z->kt, j0, least(32, hi - j0), hs, 32);
    bring(vs, v, z->vt, j0, least(32, hi - j0), hs, 32);
    __syncthreads();
#pragma unroll
    for (int i = 0; i < QUERIES / WARPS; i++) {
      int32 c = warp + i * WARPS, p = base + first + c, l, u, j = j0 + lane;
      if (c >= n) continue;
      keys_of(z, w, b, p, &l, &u);
      float ds = 0.0f;
      if (sees(z, w, b, p, l, u, j)) {
        int64 at = (int64)bh * z->t + first + c;
        float e = expf(scale * dot(qs + c * (hs + 1), ks + lane * (hs + 1), hs) - lse[at]);
        float m = kept(key, limit, keep, (uint64)at * z->s + j);
        ds = e * (m * dot(gs + c * (hs + 1), vs + lane * (hs + 1), hs) - delta[at]);
      }
      #pragma unroll 4
      for (int32 m = 0; m < 32; m++) {
        float g = __shfl_sync(0xffffffffu, ds, m);
#pragma unroll
        for (int r = 0; r < R; r++) {
          if (lane + 32 * r < hs) out[i][r] += g * ks[m * (hs + 1) + lane + 32 * r];
        }
      }
    }
  }
#pragma unroll
  for (int i = 0; i < QUERIES / WARPS; i++) {
    int32 c = warp + i * WARPS;
    if (c >= n) continue;
    float *o = dq + (int64)b * z->ob + (int64)(first + c) * z->ot + (int64)h * z->oh;
#pragma unroll
    for (int r = 0; r < R; r++) {
      if (lane + 32 * r < hs) o[lane + 32 * r] = scale * out[i][r];
    }
  }
}

// dk = scale·Σ ds·q, dv = Σ m·w·dy over the queries of a group's heads, in order. A block has QUERIES keys of a head of
// keys, a lane a query: x is (tile of keys)·B·KVH + head. dk has the steps o, dv the steps p of the shape.
template <int R>
__device__ static inline void key_grad(float *dk, float *dv, const float *q, const float *k, const float *v, const float *lse, const float *dy,
                                       const float *delta, const sight &w, const shape *z, const uint64 *key, uint32 limit, float keep,
                                       float scale) {
  int32 hs = z->hs, kvh = z->nh / z->group, heads = z->b * kvh, first = blockIdx.x / heads * QUERIES, bk = blockIdx.x % heads;
  int32 b = bk / kvh, kv = bk - b * kvh, n = least(QUERIES, z->s - first);
  int32 warp = threadIdx.x / 32, lane = threadIdx.x % 32, base = w.start != 0 ? w.start[b] : 0;
  float *ks = tile, *vs = ks + QUERIES * (hs + 1), *qs = vs + QUERIES * (hs + 1), *gs = qs + 32 * (hs + 1);
  bring(ks, k + (int64)b * z->kb + (int64)kv * z->kh, z->kt, first, n, hs, QUERIES);
  bring(vs, v + (int64)b * z->vb + (int64)kv * z->vh, z->vt, first, n, hs, QUERIES);
  // queries that may see a key of the block
  int32 lo = 0, hi = z->t;
  if (z->causal != 0) lo = most(lo, first - base);
  if (z->window > 0) {
    lo = most(lo, first - base - z->window + 1);
    hi = least(hi, first + n - 1 - base + z->window);
  }
  float ok[QUERIES / WARPS][R] = {}, ov[QUERIES / WARPS][R] = {};
  for (int32 h = kv * z->group; h < (kv + 1) * z->group; h++) {
    int32 bh = b * z->nh + h;
    for (int32 i0 = lo; i0 < hi; i0 += 32) {
      __syncthreads();
      bring(qs, q + (int64)b * z->qb + (int64)h * z->qh, z->qt, i0, least(32, hi - i0), hs, 32);
      bring(gs, dy + (int64)b * z->gb + (int64)h * z->gh, z->gt, i0, least(32, hi - i0), hs, 32);
      __syncthreads();
#pragma unroll
      for (int c = 0; c < QUERIES / WARPS; c++) {
        int32 row = warp + c * WARPS, j = first + row, i = i0 + lane, l, u;
        if (row >= n) continue;
        keys_of(z, w, b, base + i, &l, &u);
        float ds = 0.0f, e = 0.0f;
        if (i < hi && sees(z, w, b, base + i, l, u, j)) {
          int64 at = (int64)bh * z->t + i;
          e = expf(scale * dot(qs + lane * (hs + 1), ks + row * (hs + 1), hs) - lse[at]);
          float m = kept(key, limit, keep, (uint64)at * z->s + j);
          ds = e * (m * dot(gs + lane * (hs + 1), vs + row * (hs + 1), hs) - delta[at]);
          e *= m;
        }
        #pragma unroll 4
      for (int32 m = 0; m < 32; m++) {
          float g = __shfl_sync(0xffffffffu, ds, m), f = __shfl_sync(0xffffffffu, e, m);
#pragma unroll
          for (int r = 0; r < R; r++) {
            if (lane + 32 * r < hs) {
              ok[c][r] += g * qs[m * (hs + 1) + lane + 32 * r];
              ov[c][r] += f * gs[m * (hs + 1) + lane + 32 * r];
            }
          }
        }
      }
    }
  }
#pragma unroll
  for (int c = 0; c < QUERIES / WARPS; c++) {
    int32 row = warp + c * WARPS;
    if (row >= n) continue;
    int64 j = first + row;
#pragma unroll
    for (int r = 0; r < R; r++) {
      int32 e = lane + 32 * r;
      if (e >= hs) continue;
      if (dk != 0) dk[(int64)b * z->ob + j * z->ot + (int64)kv * z->oh + e] = scale * ok[c][r];
      if (dv != 0) dv[(int64)b * z->pb + j * z->pt + (int64)kv * z->ph + e] = ov[c][r];
    }
  }
}

#define ATTENTION(width, R)                                                                                                              \
  KERNEL ceto_attention_##width(const uint32 *stop, float *y, float *lse, const float *q, const float *k, const float *v,                \
                                const int32 *lengths, const int32 *segments, const int32 *start, const shape *z, const uint64 *key,      \
                                uint32 limit, float keep, float scale) {                                                                 \
    STOP_IF(stop);                                                                                                                       \
    sight w = {lengths, segments, start};                                                                                                \
    attend<R>(y, lse, q, k, v, w, z, key, limit, keep, scale);                                                                           \
  }                                                                                                                                      \
  KERNEL ceto_attention_few_##width(const uint32 *stop, float *y, float *lse, float *part, const float *q, const float *k,               \
                                    const float *v, const int32 *lengths, const int32 *segments, const int32 *start, const shape *z,     \
                                    uint32 chunks, uint32 per, float scale) {                                                            \
    STOP_IF(stop);                                                                                                                       \
    sight w = {lengths, segments, start};                                                                                                \
    decode<R>(y, lse, part, q, k, v, w, z, chunks, (int32)per, scale);                                                                   \
  }                                                                                                                                      \
  KERNEL ceto_attention_dq_##width(const uint32 *stop, float *dq, const float *q, const float *k, const float *v, const float *lse,      \
                                   const float *dy, const float *delta, const int32 *lengths, const int32 *segments, const int32 *start, \
                                   const shape *z, const uint64 *key, uint32 limit, float keep, float scale) {                           \
    STOP_IF(stop);                                                                                                                       \
    sight w = {lengths, segments, start};                                                                                                \
    query_grad<R>(dq, q, k, v, lse, dy, delta, w, z, key, limit, keep, scale);                                                           \
  }                                                                                                                                      \
  KERNEL ceto_attention_dkv_##width(const uint32 *stop, float *dk, float *dv, const float *q, const float *k, const float *v,            \
                                    const float *lse, const float *dy, const float *delta, const int32 *lengths, const int32 *segments,  \
                                    const int32 *start, const shape *z, const uint64 *key, uint32 limit, float keep, float scale) {      \
    STOP_IF(stop);                                                                                                                       \
    sight w = {lengths, segments, start};                                                                                                \
    key_grad<R>(dk, dv, q, k, v, lse, dy, delta, w, z, key, limit, keep, scale);                                                         \
  }

ATTENTION(32, 1)
ATTENTION(64, 2)
ATTENTION(128, 4)
ATTENTION(256, 8)
