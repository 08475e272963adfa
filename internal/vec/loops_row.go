package vec

import "math"

// Sum is Σx, in float64.
func Sum[T Float](x []T) float64 {
	if f := loops[T]().sum; f != nil {
		return f(ptr(x), len(x))
	}
	var s float64
	for _, v := range x {
		s += float64(v)
	}
	return s
}

// SumSq is Σx², in float64.
func SumSq[T Float](x []T) float64 {
	if f := loops[T]().sumSq; f != nil {
		return f(ptr(x), len(x))
	}
	var s float64
	for _, v := range x {
		s += float64(v) * float64(v)
	}
	return s
}

// sumSqDev is Σ(x − mean)², in float64.
func sumSqDev[T Float](x []T, mean T) float64 {
	if f := loops[T]().sumSqDev; f != nil {
		return f(ptr(x), len(x), float32(mean))
	}
	var s float64
	for _, v := range x {
		d := float64(v - mean)
		s += d * d
	}
	return s
}

// Dot is Σx·y, products and sum in float64.
func Dot[T Float](x, y []T) float64 {
	y = y[:len(x)]
	if f := loops[T]().dot; f != nil {
		return f(ptr(x), ptr(y), len(x))
	}
	var s float64
	for i, v := range x {
		s += float64(v) * float64(y[i])
	}
	return s
}

// Max is the largest of x: NaN if any is NaN, −Inf if x is empty.
func Max[T Float](x []T) T {
	if f := loops[T]().max; f != nil {
		return T(f(ptr(x), len(x)))
	}
	m := T(math.Inf(-1))
	for _, v := range x {
		m = max(m, v)
	}
	return m
}

// ExpSumRow is y = exp(x − m) and returns Σy, summed in float64; y may be x.
// Where m is −Inf it counts as 0, so a row of −Inf gives zeros and the sum 0.
func ExpSumRow[T Float](y, x []T, m T) float64 {
	y = y[:len(x)]
	if m == T(math.Inf(-1)) {
		m = 0
	}
	if f := loops[T]().expSum; f != nil {
		return f(ptr(y), ptr(x), len(x), float32(m))
	}
	var s float64
	for i, v := range x {
		y[i] = exp(v - m)
		s += float64(y[i])
	}
	return s
}

// SoftmaxRow is y = exp(x − max x)/Σexp(x − max x); y may be x.
// An element of −Inf gives 0, a row of nothing else zeros.
func SoftmaxRow[T Float](y, x []T) {
	y = y[:len(x)]
	if s := ExpSumRow(y, x, Max(x)); s != 0 {
		Scale(y, y, T(1/s))
	}
}

// LogSumExp is ln Σexp(x), summed in float64: −Inf for a row of −Inf or an empty one.
func LogSumExp[T Float](x []T) float64 {
	m := Max(x)
	if m == T(math.Inf(-1)) {
		return float64(m)
	}
	if f := loops[T]().sumExp; f != nil {
		return float64(m) + math.Log(f(ptr(x), len(x), float32(m)))
	}
	var s float64
	for _, v := range x {
		s += float64(exp(v - m))
	}
	return float64(m) + math.Log(s)
}

// SoftmaxGradRow is dx = y·(dy − Σy·dy) for the y of [SoftmaxRow]; dx may be y or dy.
func SoftmaxGradRow[T Float](dx, y, dy []T) {
	dx, dy = dx[:len(y)], dy[:len(y)]
	s := T(Dot(y, dy))
	if f := loops[T]().softmaxGrad; f != nil {
		f(ptr(dx), ptr(y), ptr(dy), len(y), float32(s))
		return
	}
	for i, v := range y {
		dx[i] = v * (dy[i] - s)
	}
}
