package graph

import (
	"github.com/ceto-ml/ceto/internal/vec"
	"github.com/pkg/errors"
)

// LinearCrossEntropy computes a [CrossEntropy] of the logits x·w, member 0, and its gradient of x, member 1, without
// room for all logits. It works on Rows rows at a time (0 means 128), and only on rows that count. The operands are
// x (…, K), w (K, V), or (V, K) where TransB, then those of a [CrossEntropyGrad] after the logits. Where w does not
// train, a plan puts this op in place of four steps: logits, loss, its gradient, and the gradient of x.
type LinearCrossEntropy struct {
	NoGrad
	CrossEntropy
	TransB, Grad bool
	Rows         int
}

// lossRows is the number of rows whose logits are there at a time: fewer cost time, as each product packs w anew.
const lossRows = 128

// atATime is the number of rows, of so many, whose logits are there at a time.
func (o LinearCrossEntropy) atATime(rows int) int {
	if o.Rows > 0 {
		return min(rows, o.Rows)
	}
	return min(rows, lossRows)
}

// Whole implements [Member].
func (o LinearCrossEntropy) Whole() (Op, int, int) {
	whole := o
	whole.Grad = false
	return whole, btoi(o.Grad), 2
}

// Infer returns the meta of the member.
func (o LinearCrossEntropy) Infer(in []Meta) (Meta, error) {
	if err := Arity(4+btoi(o.Weighted), in); err != nil {
		return Meta{}, err
	}
	if len(in[1].Shape) != 2 {
		return Meta{}, errors.Errorf("weight %v, want one matrix", in[1])
	}
	logits, err := MatMul{TransB: o.TransB}.Infer(in[:2])
	if err != nil {
		return Meta{}, err
	}
	_, err = CrossEntropyGrad{CrossEntropy: o.CrossEntropy}.Infer(append([]Meta{logits}, in[2:]...))
	if err != nil || o.Grad {
		return in[0], err
	}
	return Of(in[0].DType), nil
}

// Stops stops every operand.
func (o LinearCrossEntropy) Stops(int) bool { return true }

// VJP returns no gradients.
func (o LinearCrossEntropy) VJP(*Graph, []*Node, *Node, *Node) []*Node { return nil }

// Overwrites allows the gradient over x.
func (LinearCrossEntropy) Overwrites(member, operand int) bool { return member == 1 && operand == 0 }

// FLOPs counts both products, of all rows.
func (o LinearCrossEntropy) FLOPs(in []Meta, _ Meta) int64 {
	_, v, _ := o.extents(in[0].Shape, in[1].Shape)
	return 4 * int64(in[0].Size()) * int64(v)
}

// extents are rows of x, V and K.
func (o LinearCrossEntropy) extents(x, w Shape) (rows, v, k int) {
	k, v = swap(o.TransB, w[0], w[1])
	return x[:len(x)-1].Size(), v, k
}

// lossSpace says where each thing that a LinearCrossEntropy needs begins in its scratch, in bytes. The things are
// partial sums, the numbers of the rows that count, targets, rows of x, and logits.
type lossSpace struct{ rows, targets, x, logits, end int }

func (o LinearCrossEntropy) space(rows, v, k, size int) (s lossSpace) {
	n := o.atATime(rows)
	line := func(bytes int) int { return Parts(bytes, 64) * 64 }
	s.rows = line(8 * Parts(n, max(1, lossBlock/v)))
	s.targets = s.rows + line(4*rows)
	s.x = s.targets + line(4*n)
	s.logits = s.x + line(n*k*size)
	s.end = s.logits + line(n*v*size)
	return s
}

// Scratch is that of the rows whose logits are there at a time.
func (o LinearCrossEntropy) Scratch(in []Meta) int {
	rows, v, k := o.extents(in[0].Shape, in[1].Shape)
	return o.space(rows, v, k, in[0].DType.Size()).end
}

// Eval computes both.
func (o LinearCrossEntropy) Eval(c *Ctx, out, in []Buf) error {
	return EvalFloat(in[0].DType, o, c, out, in, linearCrossEntropy[float32], linearCrossEntropy[float64])
}

func linearCrossEntropy[T Float](o LinearCrossEntropy, c *Ctx, out, in []Buf) error {
	rows, v, k := o.extents(in[0].Shape, in[1].Shape)
	x, w, targets, dx := Data[T](in[0]), Data[T](in[1]), Data[int32](in[2]), Data[T](out[1])
	l := rowLosses[T]{CrossEntropy: o.CrossEntropy, targets: targets, v: v, scale: in[len(in)-1].At(0)}
	if o.Weighted {
		l.weights = Data[T](in[3])
	}
	if err := l.check(); err != nil {
		return err
	}
	size := in[0].DType.Size()
	s, n := o.space(rows, v, k, size), o.atATime(rows)
	some, l32 := ScratchOf[T](c, s.x/size, n*k), ScratchOf[int32](c, s.targets/4, n)
	logits := ScratchOf[T](c, s.logits/size, n*v)
	total := 0.0
	for at := o.counted(ScratchOf[int32](c, s.rows/4, rows), targets); len(at) > 0; at = at[min(len(at), n):] {
		m := min(len(at), n)
		for i, r := range at[:m] {
			copy(some[i*k:(i+1)*k], x[int(r)*k:])
			l32[i] = targets[r]
		}
		g := vec.Gemm[T]{M: m, N: v, K: k, A: matrix(some, m, k, false), B: matrix(w, k, v, o.TransB), C: matrix(logits, m, v, false)}
		g.Run(c.pool())
		l.logits, l.targets = logits[:m*v], l32[:m]
		if dx != nil {
			l.d = l.logits
		}
		total += l.total(c)
		if dx == nil {
			continue
		}
		g = vec.Gemm[T]{M: m, N: k, K: v, A: matrix(logits, m, v, false), B: matrix(w, v, k, !o.TransB), C: matrix(some, m, k, false)}
		g.Run(c.pool())
		for i, r := range at[:m] {
			copy(dx[int(r)*k:(int(r)+1)*k], some[i*k:])
		}
	}
	for r, t := range targets {
		if dx != nil && o.ignores(t) {
			clear(dx[r*k : (r+1)*k])
		}
	}
	if sum := Data[T](out[0]); sum != nil {
		sum[0] = T(total)
	}
	return nil
}

// counted fills rows with the numbers of those whose target is not ignored.
func (o LinearCrossEntropy) counted(rows, targets []int32) []int32 {
	n := 0
	for r, t := range targets {
		if !o.ignores(t) {
			rows[n] = int32(r)
			n++
		}
	}
	return rows[:n]
}
