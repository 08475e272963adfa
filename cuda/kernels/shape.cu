#include "ceto.cuh"

// Elements are words of 4 bytes, floats or ids. A value is seen as (outer, k, inner) around the axis of the op.

// y = v for n words.
KERNEL ceto_fill(const uint32 *stop, uint32 *y, uint32 v, uint64 n) {
  STOP_IF(stop);
  uint64 i = thread_index();
  if (i < n) y[i] = v;
}

// y = x for n words.
KERNEL ceto_copy(const uint32 *stop, uint32 *y, const uint32 *x, uint64 n) {
  STOP_IF(stop);
  uint64 i = thread_index();
  if (i < n) y[i] = x[i];
}

// Rows of row words, one each ystep of y and each xstep of x, n words in all.
KERNEL ceto_copy_rows(const uint32 *stop, uint32 *y, const uint32 *x, uint64 row, uint64 ystep, uint64 xstep, uint64 n) {
  STOP_IF(stop);
  uint64 i = thread_index();
  if (i < n) {
    uint64 r = i / row, c = i - r * row;
    y[r * ystep + c] = x[r * xstep + c];
  }
}

// y (outer, before + k + after, inner) is x (outer, k, inner) with zeros around: of a row of y of size words, those
// from lo on, less than lo + row, come from x.
KERNEL ceto_pad(const uint32 *stop, uint32 *y, const uint32 *x, uint64 lo, uint64 row, uint64 size, uint64 n) {
  STOP_IF(stop);
  uint64 i = thread_index();
  if (i < n) {
    uint64 r = i / size, c = i - r * size;
    y[i] = c >= lo && c < lo + row ? x[r * row + c - lo] : 0;
  }
}

// y counts 0, 1, … from the start of each row of t on, from start[row] where there is a start.
KERNEL ceto_count(const uint32 *stop, int32 *y, const int32 *start, uint32 t, uint64 n) {
  STOP_IF(stop);
  uint64 i = thread_index();
  if (i < n) {
    uint64 r = i / t;
    y[i] = (int32)((uint32)(i - r * t) + (start != 0 ? (uint32)start[r] : 0u));
  }
}

// cache (B, S, row) gets x (B, T, row), rows of which are step words apart, at positions start[b] + i. n is B·T·row.
KERNEL ceto_cache_write(const uint32 *stop, uint32 *cache, const uint32 *x, const int32 *start, uint32 s, uint32 t, uint32 row, uint32 step, uint64 n) {
  STOP_IF(stop);
  uint64 i = thread_index();
  if (i < n) {
    uint64 r = i / row, c = i - r * row, b = r / t, at = (uint64)(uint32)start[b] + (r - b * t);
    if (at < s) cache[(b * s + at) * row + c] = x[r * step + c];
  }
}

// y (…, v) is 1 at each id, 0 elsewhere, also at the ignored one.
KERNEL ceto_one_hot(const uint32 *stop, float *y, const int32 *ids, uint32 v, uint32 ignored, uint64 n) {
  STOP_IF(stop);
  uint64 i = thread_index();
  if (i < n) {
    uint64 r = i / v;
    uint32 id = (uint32)ids[r];
    y[i] = id != ignored && id == (uint32)(i - r * v) ? 1.0f : 0.0f;
  }
}

// y (B, 1, T, S) is 0 where query i of row b sees key j, and −∞ elsewhere; n is B·T·S. A query stands at position
// start[b] + i. lengths (B), segments (B, S) and start (B) have address 0, and window is 0, where they do not count.
KERNEL ceto_attention_mask(const uint32 *stop, float *y, const int32 *lengths, const int32 *segments, const int32 *start,
                           uint32 causal, int64 window, uint32 t, uint32 s, uint64 n) {
  STOP_IF(stop);
  uint64 at = thread_index();
  if (at >= n) return;
  uint64 r = at / s, b = r / t;
  int64 j = (int64)(at - r * s), p = (int64)(r - b * t) + (start != 0 ? start[b] : 0);
  bool sees = !(causal != 0 && j > p) && !(window > 0 && (p - j >= window || j - p >= window)) && !(lengths != 0 && j >= lengths[b]);
  if (sees && segments != 0) {
    const int32 *row = segments + b * s;
    sees = p >= 0 && p < s && row[j] == row[p];
  }
  y[at] = sees ? 0.0f : __int_as_float(0xff800000);
}
