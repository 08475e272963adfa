package vec

import (
	"math"
	"unsafe"
)

//go:generate go run -C gen ./gemm ..

// Float is what a loop computes on.
type Float interface{ float32 | float64 }

// Mat is a view of a matrix: element (i, j) is Data[i*Row+j*Col]; one of Row and Col is usually 1.
type Mat[T Float] struct {
	Data     []T
	Row, Col int
}

// T is the transpose of m, the same memory.
func (m Mat[T]) T() Mat[T] { return Mat[T]{m.Data, m.Col, m.Row} }

// at is the address of element (i, j).
func (m Mat[T]) at(i, j int) unsafe.Pointer { return unsafe.Pointer(&m.Data[i*m.Row+j*m.Col]) }

// Gemm is a product of matrices
//
//	C = Act(α·A·B (+ bias) (+ C))
//
// with A (M,K), B (K,N) and C (M,N), where C.Col must be 1 and C shares no memory with A and B. Element (i, j) of the
// result is the same number for any pool and any worker: how K is cut depends on the shape alone.
type Gemm[T Float] struct {
	M, N, K int
	A, B, C Mat[T]
	Alpha   T             // α; 0 means 1
	Add     bool          // adds what C holds; otherwise C is not read
	Bias    []T           // (N), added to each row; nil for none
	Act     func(row []T) // called in place on each finished piece of a row of C; nil for none
}

// Run computes the product on the workers of p; a nil p means the calling goroutine alone. It allocates nothing once
// its buffers are there.
func (g *Gemm[T]) Run(p *Pool) {
	if p == nil || p.Workers() == 1 || g.M*g.N*g.K < serialBelow && (g.M > 1 || g.N*g.K < vectorBelow) {
		g.Serial(0)
		return
	}
	t := gemmWorkOf[T](p)
	t.Gemm = *g
	t.split(p.Workers())
	p.Run(t.down*t.across, t)
	t.Gemm = Gemm[T]{} // holds on to no memory of the caller
}

// serialBelow is the count of multiply-adds below which handing work to others costs more than it brings.
const serialBelow = 1 << 18

// vectorBelow is that count for a product of one row, which waits for memory: two cores read more than one does.
const vectorBelow = 1 << 16

// Serial computes the product on the calling goroutine, with the buffers of worker w. It may be called in a part of
// work, with the worker of the part, and for many products at a time.
func (g *Gemm[T]) Serial(w int) {
	ws := take[T](w)
	ws.block(g, 0, g.M, 0, g.N)
	ws.give(w)
}

// A gemmWork is a product cut into a grid of blocks, down×across.
type gemmWork[T Float] struct {
	Gemm[T]
	down, across int // blocks
	rows, cols   int // of a block, but the last
}

// gemmWorks are those of one pool, which runs one at a time.
type gemmWorks struct {
	f32 gemmWork[float32]
	f64 gemmWork[float64]
}

// gemmWorkOf is the gemmWork of p for dtype T.
func gemmWorkOf[T Float](p *Pool) *gemmWork[T] {
	if t, ok := any(&p.gemm.f32).(*gemmWork[T]); ok {
		return t
	}
	return any(&p.gemm.f64).(*gemmWork[T])
}

// split chooses the grid of one to four rounds of blocks that should be done first. It prefers blocks of equal size,
// few elements to pack, and several rounds: then a worker whose core is taken does not keep all waiting.
func (t *gemmWork[T]) split(workers int) {
	k := gemmKernel[T]()
	stepN := k.nr
	if t.M == 1 {
		if stepN = rowsStep; t.B.Col != 1 {
			stepN = dotsStep
		}
	}
	const packA, call = 8, 1 << 13 // multiply-adds in the time that packing an element, or a block's overhead takes
	packB := 8
	if t.B.Col != 1 {
		packB = 16
	}
	best := math.MaxInt
	for want := workers; want <= 4*workers; want += workers {
		for down := 1; down <= want; down++ {
			if want%down != 0 {
				continue
			}
			rows, cols := even(t.M, down, k.mr), even(t.N, want/down, stepN)
			rounds := ceil(ceil(t.M, rows)*ceil(t.N, cols), workers)
			cost := rounds * (rows*cols + packB*cols + packA*rows + call/max(t.K, 1))
			cost += cost / (16 * rounds)
			if cost < best {
				best, t.rows, t.cols = cost, rows, cols
			}
		}
	}
	t.down, t.across = ceil(t.M, t.rows), ceil(t.N, t.cols)
}

// Part computes block i.
func (t *gemmWork[T]) Part(i, worker int) {
	i0, j0 := i/t.across*t.rows, i%t.across*t.cols
	ws := take[T](worker)
	ws.block(&t.Gemm, i0, min(i0+t.rows, t.M), j0, min(j0+t.cols, t.N))
	ws.give(worker)
}

// ceil is ⌈a/b⌉.
func ceil(a, b int) int { return (a + b - 1) / b }

// even is the size of a piece where n is cut into the given number of pieces, a multiple of step.
func even(n, pieces, step int) int { return max(1, ceil(ceil(n, pieces), step)) * step }
