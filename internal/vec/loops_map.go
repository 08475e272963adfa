package vec

import "math"

// Exp is y = exp(x), elementwise; y may be x.
//
// In float32 results under 1.7e-38 are 0.
func Exp[T Float](y, x []T) { map1(y, x, loops[T]().exp, exp[T]) }

// Log is y = ln(x), elementwise; y may be x.
func Log[T Float](y, x []T) {
	y = y[:len(x)]
	for i, v := range x {
		y[i] = T(math.Log(float64(v)))
	}
}

// Tanh is y = tanh(x), elementwise; y may be x.
func Tanh[T Float](y, x []T) { map1(y, x, loops[T]().tanh, tanh[T]) }

// Sigmoid is y = 1/(1 + exp(−x)), elementwise; y may be x.
func Sigmoid[T Float](y, x []T) { map1(y, x, loops[T]().sigmoid, sigmoid[T]) }

// GELU is y = ½·x·(1 + tanh(√(2/π)·(x + 0.044715·x³))), elementwise; y may be x.
func GELU[T Float](y, x []T) { map1(y, x, loops[T]().gelu, gelu[T]) }

// GELUGrad is dx = dy·y′(x) for the y of [GELU]; dx may be x or dy.
func GELUGrad[T Float](dx, x, dy []T) { map2(dx, x, dy, loops[T]().geluGrad, geluGrad[T]) }

// GELUErf is y = ½·x·(1 + erf(x/√2)), elementwise; y may be x.
func GELUErf[T Float](y, x []T) { map1(y, x, loops[T]().geluErf, geluErf[T]) }

// GELUErfGrad is dx = dy·y′(x) for the y of [GELUErf]; dx may be x or dy.
func GELUErfGrad[T Float](dx, x, dy []T) { map2(dx, x, dy, loops[T]().geluErfGrad, geluErfGrad[T]) }

// SiLU is y = x/(1 + exp(−x)), elementwise; y may be x.
func SiLU[T Float](y, x []T) { map1(y, x, loops[T]().silu, silu[T]) }

// SiLUGrad is dx = dy·y′(x) for the y of [SiLU]; dx may be x or dy.
func SiLUGrad[T Float](dx, x, dy []T) { map2(dx, x, dy, loops[T]().siluGrad, siluGrad[T]) }

// ReLU is y = max(x, 0), elementwise; y may be x.
func ReLU[T Float](y, x []T) { map1(y, x, loops[T]().relu, relu[T]) }

// ReLUGrad is dx = dy where x > 0, else 0; dx may be x or dy.
func ReLUGrad[T Float](dx, x, dy []T) { map2(dx, x, dy, loops[T]().reluGrad, reluGrad[T]) }

// Add is y = a + b, elementwise; y may be a or b.
func Add[T Float](y, a, b []T) {
	y, b = y[:len(a)], b[:len(a)]
	if f := loops[T]().add; f != nil {
		f(ptr(y), ptr(a), ptr(b), len(a))
		return
	}
	for i, v := range a {
		y[i] = v + b[i]
	}
}

// Sub is y = a − b, elementwise; y may be a or b.
func Sub[T Float](y, a, b []T) {
	y, b = y[:len(a)], b[:len(a)]
	if f := loops[T]().sub; f != nil {
		f(ptr(y), ptr(a), ptr(b), len(a))
		return
	}
	for i, v := range a {
		y[i] = v - b[i]
	}
}

// Mul is y = a·b, elementwise; y may be a or b.
func Mul[T Float](y, a, b []T) {
	y, b = y[:len(a)], b[:len(a)]
	if f := loops[T]().mul; f != nil {
		f(ptr(y), ptr(a), ptr(b), len(a))
		return
	}
	for i, v := range a {
		y[i] = v * b[i]
	}
}

// Div is y = a/b, elementwise; y may be a or b.
func Div[T Float](y, a, b []T) {
	y, b = y[:len(a)], b[:len(a)]
	if f := loops[T]().div; f != nil {
		f(ptr(y), ptr(a), ptr(b), len(a))
		return
	}
	for i, v := range a {
		y[i] = v / b[i]
	}
}

// AddTo is y += x.
func AddTo[T Float](y, x []T) { Add(y[:len(x)], y[:len(x)], x) }

// Scale is y = k·x; y may be x.
func Scale[T Float](y, x []T, k T) { affine(y, x, k, 0) }

// AddScalar is y = x + c; y may be x.
func AddScalar[T Float](y, x []T, c T) { affine(y, x, 1, c) }

// affine is y = k·x + c.
func affine[T Float](y, x []T, k, c T) {
	y = y[:len(x)]
	if f := loops[T]().affine; f != nil {
		f(ptr(y), ptr(x), len(x), float32(k), float32(c))
		return
	}
	for i, v := range x {
		y[i] = k*v + c
	}
}

// Axpy is y += k·x.
func Axpy[T Float](y, x []T, k T) {
	y = y[:len(x)]
	if f := loops[T]().axpy; f != nil {
		f(ptr(y), ptr(x), len(x), float32(k))
		return
	}
	for i, v := range x {
		y[i] += k * v
	}
}

// Fill is y = c.
func Fill[T Float](y []T, c T) {
	if f := loops[T]().fill; f != nil {
		f(ptr(y), len(y), float32(c))
		return
	}
	for i := range y {
		y[i] = c
	}
}
