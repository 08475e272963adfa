package vec

import "unsafe"

//go:generate go run -C gen ./loops ..

// kernels are the float32 loops of one path in assembly. A nil one means that plain Go runs.
//
// Every pointer is the first element of n; an output may be one of the inputs, but may not overlap it otherwise.
type kernels struct {
	exp, tanh, sigmoid, gelu, geluErf, silu, relu func(y, x *float32, n int)

	geluGrad, geluErfGrad, siluGrad, reluGrad func(dx, x, dy *float32, n int)

	add, sub, mul, div func(y, a, b *float32, n int)

	affine func(y, x *float32, n int, k, c float32) // y = k·x + c
	axpy   func(y, x *float32, n int, k float32)    // y += k·x
	fill   func(y *float32, n int, c float32)       // y = c

	sum, sumSq func(x *float32, n int) float64
	sumSqDev   func(x *float32, n int, mean float32) float64 // Σ(x − mean)²
	dot        func(x, y *float32, n int) float64
	max        func(x *float32, n int) float32

	expSum      func(y, x *float32, n int, max float32) float64 // y = exp(x − max), Σy
	sumExp      func(x *float32, n int, max float32) float64    // Σexp(x − max)
	softmaxGrad func(dx, y, dy *float32, n int, s float32)      // dx = y·(dy − s)

	// With x̂ = (x − mean)·rstd and a w of ones where it is nil:
	norm     func(y, x, w, b *float32, n int, mean, rstd float32)              // y = x̂·w + b; b without w is not done
	normSums func(x, dy, w *float32, n int, mean, rstd float32) (a, b float64) // Σ dy·w, Σ dy·w·x̂
	normDx   func(dx, x, dy, w *float32, n int, mean, rstd, a, b float32)      // dx = rstd·(dy·w − a − b·x̂)
	normDw   func(dw, x, dy *float32, n int, mean, rstd float32)               // dw += dy·x̂

	adamW   func(po, mo, vo, p, m, v, grad *float32, n int, gscale, keep, b1, c1, b2, c2, rcorr, eps, step float32)
	dropout func(y, x *float32, n int, first, k0, k1, last uint32, scale float32)
}

var (
	asm   = [...]kernels{Generic: {}, AVX2: {}, AVX512: {}}
	plain kernels // for dtypes that have no assembly
)

// loops are the assembly loops of the current path for dtype T.
func loops[T Float]() *kernels {
	if unsafe.Sizeof(T(0)) == 4 {
		return &asm[path]
	}
	return &plain
}

// ptr is the first element of x, which is float32 wherever a kernel gets it.
func ptr[T Float](x []T) *float32 { return (*float32)(unsafe.Pointer(unsafe.SliceData(x))) }

// map1 is y = f(x) elementwise, by the kernel where there is one.
func map1[T Float](y, x []T, k func(y, x *float32, n int), f func(T) T) {
	y = y[:len(x)]
	if k != nil {
		k(ptr(y), ptr(x), len(x))
		return
	}
	for i, v := range x {
		y[i] = f(v)
	}
}

// map2 is y = f(a, b) elementwise, by the kernel where there is one.
func map2[T Float](y, a, b []T, k func(y, a, b *float32, n int), f func(a, b T) T) {
	y, b = y[:len(a)], b[:len(a)]
	if k != nil {
		k(ptr(y), ptr(a), ptr(b), len(a))
		return
	}
	for i, v := range a {
		y[i] = f(v, b[i])
	}
}
