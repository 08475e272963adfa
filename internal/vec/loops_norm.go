package vec

import "math"

// LayerNormRow is y = (x − mean)·rstd·w + b over one row, and returns
//
//	mean = Σx/n,  rstd = 1/√(Σ(x − mean)²/n + eps)
//
// with sums in float64. w or b may be nil, which means ones and zeros; y may be x.
func LayerNormRow[T Float](y, x, w, b []T, eps float64) (mean, rstd T) {
	n := float64(len(x))
	mean = T(Sum(x) / n)
	rstd = T(1 / math.Sqrt(sumSqDev(x, mean)/n+eps))
	normRow(y, x, w, b, mean, rstd)
	return mean, rstd
}

// LayerNormGradRow is the derivative of [LayerNormRow] for one row. With x̂ = (x − mean)·rstd and g = dy·w,
//
//	dx = rstd·(g − Σg/n − x̂·Σ(g·x̂)/n),  dw += dy·x̂,  db += dy
//
// w may be nil, which means ones. What is nil of dx, dw, db is left out; dx may be x or dy.
func LayerNormGradRow[T Float](dx, dw, db, x, dy, w []T, mean, rstd T) {
	normDw(dw, x, dy, mean, rstd)
	if db != nil {
		AddTo(db, dy)
	}
	if dx == nil {
		return
	}
	n := float64(len(x))
	a, b := normSums(x, dy, w, mean, rstd)
	normDx(dx, x, dy, w, mean, rstd, T(a/n), T(b/n))
}

// RMSNormRow is y = x·rstd·w over one row, and returns
//
//	rstd = 1/√(Σx²/n + eps)
//
// with the sum in float64. w may be nil, which means ones; y may be x.
func RMSNormRow[T Float](y, x, w []T, eps float64) (rstd T) {
	rstd = T(1 / math.Sqrt(SumSq(x)/float64(len(x))+eps))
	normRow(y, x, w, nil, 0, rstd)
	return rstd
}

// RMSNormGradRow is the derivative of [RMSNormRow] for one row. With x̂ = x·rstd and g = dy·w,
//
//	dx = rstd·(g − x̂·Σ(g·x̂)/n),  dw += dy·x̂
//
// w may be nil, which means ones. What is nil of dx and dw is left out; dx may be x or dy.
func RMSNormGradRow[T Float](dx, dw, x, dy, w []T, rstd T) {
	normDw(dw, x, dy, 0, rstd)
	if dx == nil {
		return
	}
	_, b := normSums(x, dy, w, 0, rstd)
	normDx(dx, x, dy, w, 0, rstd, 0, T(b/float64(len(x))))
}

// normRow is y = (x − mean)·rstd·w + b.
func normRow[T Float](y, x, w, b []T, mean, rstd T) {
	y = y[:len(x)]
	if w != nil {
		w = w[:len(x)]
	}
	if b != nil {
		b = b[:len(x)]
	}
	if f := loops[T]().norm; f != nil {
		if w == nil {
			f(ptr(y), ptr(x), nil, nil, len(x), float32(mean), float32(rstd))
			if b != nil {
				AddTo(y, b)
			}
			return
		}
		f(ptr(y), ptr(x), ptr(w), ptr(b), len(x), float32(mean), float32(rstd))
		return
	}
	for i, v := range x {
		v = (v - mean) * rstd
		if w != nil {
			v *= w[i]
		}
		if b != nil {
			v += b[i]
		}
		y[i] = v
	}
}

// normSums is Σ dy·w and Σ dy·w·x̂, in float64.
func normSums[T Float](x, dy, w []T, mean, rstd T) (a, b float64) {
	dy = dy[:len(x)]
	if w != nil {
		w = w[:len(x)]
	}
	if f := loops[T]().normSums; f != nil {
		return f(ptr(x), ptr(dy), ptr(w), len(x), float32(mean), float32(rstd))
	}
	for i, v := range x {
		g := dy[i]
		if w != nil {
			g *= w[i]
		}
		a += float64(g)
		b += float64(g) * float64((v-mean)*rstd)
	}
	return a, b
}

// normDx is dx = rstd·(dy·w − a − b·x̂).
func normDx[T Float](dx, x, dy, w []T, mean, rstd, a, b T) {
	dx, dy = dx[:len(x)], dy[:len(x)]
	if w != nil {
		w = w[:len(x)]
	}
	if f := loops[T]().normDx; f != nil {
		f(ptr(dx), ptr(x), ptr(dy), ptr(w), len(x), float32(mean), float32(rstd), float32(a), float32(b))
		return
	}
	for i, v := range x {
		g := dy[i]
		if w != nil {
			g *= w[i]
		}
		dx[i] = rstd * (g - a - b*((v-mean)*rstd))
	}
}

// normDw is dw += dy·x̂, nothing where dw is nil.
func normDw[T Float](dw, x, dy []T, mean, rstd T) {
	if dw == nil {
		return
	}
	dw, dy = dw[:len(x)], dy[:len(x)]
	if f := loops[T]().normDw; f != nil {
		f(ptr(dw), ptr(x), ptr(dy), len(x), float32(mean), float32(rstd))
		return
	}
	for i, v := range x {
		dw[i] += dy[i] * ((v - mean) * rstd)
	}
}

// MomentsOf returns mean and rstd of [LayerNormRow] without normalising.
func MomentsOf[T Float](x []T, eps float64) (mean, rstd T) {
	n := float64(len(x))
	mean = T(Sum(x) / n)
	return mean, T(1 / math.Sqrt(sumSqDev(x, mean)/n+eps))
}

// RMSOf returns rstd of [RMSNormRow] without normalising.
func RMSOf[T Float](x []T, eps float64) (rstd T) {
	return T(1 / math.Sqrt(SumSq(x)/float64(len(x))+eps))
}
