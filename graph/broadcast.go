package graph

// walk says how up to three operands are read while a result is written in order. It has the extents of the result
// without axes of 1, and each operand's step along each axis, 0 where it repeats. Neighbouring axes that all operands
// step through alike are merged. Along the last axis the steps are 1 or 0.
type walk struct {
	n    int
	ext  [MaxRank]int
	step [3][MaxRank]int
}

// walkOf needs operands that broadcast to y; one that is absent has no shape.
func walkOf(y Shape, x [3]Shape) walk {
	var rev walk // from the last axis on
	full := [3]int{1, 1, 1}
	for back := 1; back <= len(y); back++ {
		d := y[len(y)-back]
		var step [3]int
		for k, s := range x {
			if back <= len(s) && s[len(s)-back] > 1 {
				step[k] = full[k]
				full[k] *= s[len(s)-back]
			}
		}
		if d > 1 {
			rev.push(d, step)
		}
	}
	if rev.n == 0 {
		rev.push(1, [3]int{1, 1, 1})
	}
	w := walk{n: rev.n}
	for i := range w.n {
		w.ext[i] = rev.ext[w.n-1-i]
		for k := range w.step {
			w.step[k][i] = rev.step[k][w.n-1-i]
		}
	}
	return w
}

// push adds an axis, or merges it with the one before.
func (w *walk) push(d int, step [3]int) {
	merge := w.n > 0
	for k := range step {
		merge = merge && step[k] == w.step[k][w.n-1]*w.ext[w.n-1]
	}
	if merge {
		w.ext[w.n-1] *= d
		return
	}
	w.ext[w.n] = d
	for k := range step {
		w.step[k][w.n] = step[k]
	}
	w.n++
}

// inner is the extent of the last axis.
func (w *walk) inner() int { return w.ext[w.n-1] }

// split says how many parts there are, and how many elements of the result each covers: whole rows, or a piece of the
// only one.
func (w *walk) split(size int) (n, each int) {
	each = PartSize
	if w.n > 1 {
		each = max(1, PartSize/w.inner()) * w.inner()
	}
	return Parts(size, each), each
}

// at returns where the operands are read for element o of the result, and how many elements follow in the row.
func (w *walk) at(o int) (x [3]int, left int) {
	q := o
	for i := w.n - 1; i >= 0; i-- {
		j := q % w.ext[i]
		q /= w.ext[i]
		for k := range x {
			x[k] += j * w.step[k][i]
		}
		if i == w.n-1 {
			left = w.ext[i] - j
		}
	}
	return x, left
}

// broadcast is the work of an op of two operands.
type broadcast[T Float] struct {
	walk
	y, a, b []T
	kind    binaryKind
	each    int
}

// eval computes y = kind(a, b); the one operand of kindLeft is repeated to the shape of y.
func (kind binaryKind) eval(c *Ctx, out, in []Buf) error {
	return EvalFloat(out[0].DType, kind, c, out, in, runBinary[float32], runBinary[float64])
}

func runBinary[T Float](kind binaryKind, c *Ctx, out, in []Buf) error {
	a, b := in[0], out[0]
	if len(in) > 1 {
		b = in[1]
	}
	w := broadcast[T]{y: Data[T](out[0]), a: Data[T](a), b: Data[T](b), kind: kind}
	w.walk = walkOf(out[0].Shape, [3]Shape{a.Shape, b.Shape})
	n, each := w.split(len(w.y))
	w.each = each
	EachPart(c, n, w)
	return nil
}

func (w *broadcast[T]) Part(i, _ int) {
	lo, hi := Span(i, len(w.y), w.each)
	repeatA, repeatB := w.step[0][w.n-1] == 0, w.step[1][w.n-1] == 0
	for lo < hi {
		x, n := w.at(lo)
		n = min(n, hi-lo)
		y := w.y[lo : lo+n]
		switch {
		case repeatA:
			rowLeft(w.kind, y, w.a[x[0]], w.b[x[1]:x[1]+n])
		case repeatB:
			rowRight(w.kind, y, w.a[x[0]:x[0]+n], w.b[x[1]])
		default:
			rows(w.kind, y, w.a[x[0]:x[0]+n], w.b[x[1]:x[1]+n])
		}
		lo += n
	}
}
