package graph

// PartSize is the number of elements of one part of an elementwise op: 64 KiB of float32, a share of the L2 cache.
const PartSize = 16384

// Parts returns the number of parts that cover n elements: each has size elements, but for the last, which may have
// fewer.
func Parts(n, size int) int { return (n + size - 1) / size }

// Span returns the range lo ≤ i < hi of part i, where n elements are cut into parts of the given size.
func Span(i, n, size int) (lo, hi int) { return i * size, min(n, (i+1)*size) }

// Each calls f(&a, i, worker) for 0 ≤ i < n, each once, spread over the workers, and returns when all are done.
//
// The split into parts must follow from shapes alone, so that results do not depend on the number of workers. f should
// be a plain function, with all it needs in a: then nothing is allocated after a step's first run. A generic body calls
// [EachPart] in its place.
func Each[A any](c *Ctx, n int, a A, f func(a *A, i, worker int)) {
	for _, r := range c.works {
		if t, ok := r.(*work[A]); ok {
			t.arg, t.f = a, f
			c.workers.Run(n, t)
			return
		}
	}
	t := &work[A]{a, f}
	c.works = append(c.works, t)
	c.workers.Run(n, t)
}

type work[A any] struct {
	arg A
	f   func(a *A, i, worker int)
}

// Part implements [Work].
func (t *work[A]) Part(i, worker int) { t.f(&t.arg, i, worker) }

// Parted is work in independent parts. A is a struct with all that the work needs, and *A has the method Part.
type Parted[A any] interface {
	*A
	// Part does part i. It may use memory of its own for each worker, 0 ≤ worker < [MaxWorkers].
	Part(i, worker int)
}

// EachPart calls (&a).Part(i, worker) for 0 ≤ i < n, each once, spread over the workers, and returns when all are done.
//
//	type squares[T graph.Float] struct{ y, x []T }
//
//	func (w *squares[T]) Part(i, _ int) {
//		lo, hi := graph.Span(i, len(w.x), graph.PartSize)
//		for k := lo; k < hi; k++ {
//			w.y[k] = w.x[k] * w.x[k]
//		}
//	}
//
// The split must follow from shapes alone, as that of [Each]. EachPart exists beside it because a function value made
// in a generic function carries the type arguments and is allocated at each call. A method called through a type
// parameter is not: after a step's first run EachPart allocates nothing.
func EachPart[A any, P Parted[A]](c *Ctx, n int, a A) {
	for _, r := range c.works {
		if t, ok := r.(*partedWork[A, P]); ok {
			t.arg = a
			c.workers.Run(n, t)
			return
		}
	}
	t := &partedWork[A, P]{a}
	c.works = append(c.works, t)
	c.workers.Run(n, t)
}

type partedWork[A any, P Parted[A]] struct{ arg A }

// Part implements [Work].
func (t *partedWork[A, P]) Part(i, worker int) { P(&t.arg).Part(i, worker) }
