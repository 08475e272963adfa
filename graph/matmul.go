package graph

import (
	"github.com/ceto-ml/ceto/internal/vec"
	"github.com/pkg/errors"
)

// MatMul returns the matrix product a·b, for a (…, M, K) and b (…, K, N): (…, M, N).
//
// The axes before the last two broadcast as in [Graph.Add]. With b (K, N) all axes of a but the last are rows of one
// product, so a may be (K) too. a and b are floats of one dtype, which the result has and in which products are
// summed. Inner axes that differ are an error.
func (g *Graph) MatMul(a, b *Node) *Node { return g.Apply(MatMul{}, a, b) }

// MatMulT returns a·bᵀ for a (…, M, K) and b (…, N, K): (…, M, N). All else is as in [Graph.MatMul].
func (g *Graph) MatMulT(a, b *Node) *Node { return g.Apply(MatMul{TransB: true}, a, b) }

// Linear returns x·w + bias for x (…, K), w (K, N) and bias (N): (…, N). All else is as in [Graph.MatMul].
func (g *Graph) Linear(x, w, bias *Node) *Node { return g.Apply(MatMul{Bias: true}, x, w, bias) }

// Activation names an elementwise function that an op applies to its result.
type Activation uint8

// The activations of [MatMul].
const (
	NoActivation Activation = iota
	ActReLU
	ActTanh
	ActSigmoid
	ActGELU
	ActGELUErf
	ActSiLU
)

// op is the activation as an op of its own.
func (a Activation) op() Op {
	return [...]Op{nil, ReLU{}, Tanh{}, Sigmoid{}, GELU{}, GELUErf{}, SiLU{}}[a]
}

// ActivationOf returns the activation that op computes, and NoActivation where it computes none.
func ActivationOf(op Op) Activation {
	for a := ActReLU; a <= ActSiLU; a++ {
		if a.op() == op {
			return a
		}
	}
	return NoActivation
}

// MatMul is the op of [Graph.MatMul], [Graph.MatMulT] and [Graph.Linear]: act(a·b + bias + acc). TransA and TransB
// transpose the last two axes of a and b. Bias says that operand 2 is a bias (N). Acc says that the last operand, of
// the result's meta, is added, in place where the plan can.
type MatMul struct {
	TransA, TransB bool
	Bias, Acc      bool
	Act            Activation
}

// product is the shape of each matrix product of a MatMul; flat where b is one matrix and a's leading axes are rows.
type product struct {
	m, n, k int
	flat    bool
}

func (o MatMul) product(a, b Shape) (p product, err error) {
	p.flat = len(b) == 2 && !o.TransA
	if len(a) < 1 || len(b) < 2 || len(a) < 2 && !p.flat {
		return p, errors.New("want matrices, with any number of leading axes")
	}
	if p.flat {
		p.m, p.k = a[:len(a)-1].Size(), a[len(a)-1]
	} else {
		p.m, p.k = swap(o.TransA, a[len(a)-2], a[len(a)-1])
	}
	var kb int
	if kb, p.n = swap(o.TransB, b[len(b)-2], b[len(b)-1]); kb != p.k {
		return p, errors.Errorf("incompatible operands: inner axes %d and %d", p.k, kb)
	}
	return p, nil
}

// swap returns a and b, the other way round if asked to.
func swap(yes bool, a, b int) (int, int) {
	if yes {
		return b, a
	}
	return a, b
}

// Infer wants equal inner axes.
func (o MatMul) Infer(in []Meta) (Meta, error) {
	want := o.operands()
	if err := Arity(want, in); err != nil {
		return Meta{}, err
	}
	for _, m := range in {
		if m.DType != in[0].DType || !m.DType.IsFloat() {
			return Meta{}, errors.New("want floats of one dtype")
		}
	}
	if o.Act > ActSiLU {
		return Meta{}, errors.Errorf("unknown activation %d", o.Act)
	}
	p, err := o.product(in[0].Shape, in[1].Shape)
	if err != nil {
		return Meta{}, err
	}
	out := Meta{DType: in[0].DType}
	if a, b := in[0].Shape, in[1].Shape; p.flat {
		out.Shape = append(a[:len(a)-1].Clone(), p.n)
	} else {
		batch, err := Broadcast(a[:len(a)-2], b[:len(b)-2])
		if err != nil {
			return Meta{}, err
		}
		out.Shape = append(batch, p.m, p.n)
	}
	if o.Bias && !in[2].Shape.Equal(Shape{p.n}) {
		return Meta{}, errors.Errorf("bias %v, want %v", in[2].Shape, Shape{p.n})
	}
	if o.Acc && !in[want-1].Shape.Equal(out.Shape) {
		return Meta{}, errors.Errorf("accumulator %v, want %v", in[want-1].Shape, out.Shape)
	}
	return out, nil
}

func (o MatMul) operands() int { return 2 + btoi(o.Bias) + btoi(o.Acc) }

// FLOPs counts a multiplication and an addition for each inner element.
func (o MatMul) FLOPs(in []Meta, out Meta) int64 {
	k := in[0].Shape[len(in[0].Shape)-1]
	if o.TransA {
		k = in[0].Shape[len(in[0].Shape)-2]
	}
	return 2 * int64(out.Size()) * int64(k)
}

// Overwrites allows the result over the accumulator.
func (o MatMul) Overwrites(_, operand int) bool { return o.Acc && operand == o.operands()-1 }

// VJP returns the gradients of all operands. With dz the gradient before the activation they are da = dz·bᵀ, db =
// aᵀ·dz, dbias = Σ dz over rows, and dacc = dz.
func (o MatMul) VJP(g *Graph, x []*Node, y, dy *Node) []*Node {
	dz := o.beforeAct(g, x, y, dy)
	a, b := x[0], x[1]
	if dz == nil {
		return nil
	}
	var da, db *Node
	p, err := o.product(a.meta.Shape, b.meta.Shape)
	if err != nil {
		g.Fail(err)
		return nil
	}
	if p.flat {
		da = g.Apply(MatMul{TransB: !o.TransB}, dz, b)
		rows, drows := g.Reshape(a, p.m, p.k), g.Reshape(dz, p.m, p.n)
		if o.TransB {
			db = g.Apply(MatMul{TransA: true}, drows, rows) // (N, K)
		} else {
			db = g.Apply(MatMul{TransA: true}, rows, drows) // (K, N)
		}
	} else {
		da, db = o.batched(g, a, b, dz)
		da, db = g.SumTo(da, a), g.SumTo(db, b)
	}
	dx := []*Node{da, db}
	if o.Bias {
		dx = append(dx, g.SumTo(dz, x[2]))
	}
	if o.Acc {
		dx = append(dx, dz)
	}
	return dx
}

// batched returns the gradients of a product of matrices with batch axes, before these are summed.
func (o MatMul) batched(g *Graph, a, b, dz *Node) (da, db *Node) {
	if o.TransA {
		da = g.Apply(MatMul{TransA: o.TransB, TransB: true}, b, dz) // op(b)·dzᵀ: (K, M)
	} else {
		da = g.Apply(MatMul{TransB: !o.TransB}, dz, b) // dz·op(b)ᵀ: (M, K)
	}
	if o.TransB {
		db = g.Apply(MatMul{TransA: true, TransB: o.TransA}, dz, a) // dzᵀ·op(a): (N, K)
	} else {
		db = g.Apply(MatMul{TransA: !o.TransA}, a, dz) // op(a)ᵀ·dz: (K, N)
	}
	return da, db
}

// beforeAct returns the gradient before the activation. It is made from y where that tells the derivative. Elsewhere
// it is made from the sum that the activation was applied to, computed again.
func (o MatMul) beforeAct(g *Graph, x []*Node, y, dy *Node) *Node {
	at := y
	switch o.Act {
	case NoActivation:
		return dy
	case ActReLU, ActTanh, ActSigmoid:
	default:
		plain := o
		plain.Act = NoActivation
		if at = g.Apply(plain, x...); at == nil {
			return nil
		}
	}
	return o.Act.op().VJP(g, []*Node{at}, y, dy)[0]
}

// The activations in place, by Activation.
var (
	acts32 = [...]func(y []float32){nil, inPlace(vec.ReLU[float32]), inPlace(vec.Tanh[float32]), inPlace(vec.Sigmoid[float32]),
		inPlace(vec.GELU[float32]), inPlace(vec.GELUErf[float32]), inPlace(vec.SiLU[float32])}
	acts64 = [...]func(y []float64){nil, inPlace(vec.ReLU[float64]), inPlace(vec.Tanh[float64]), inPlace(vec.Sigmoid[float64]),
		inPlace(vec.GELU[float64]), inPlace(vec.GELUErf[float64]), inPlace(vec.SiLU[float64])}
)

func inPlace[T Float](f func(y, x []T)) func(y []T) { return func(y []T) { f(y, y) } }

// acting is a MatMul with its activation in place, nil for none.
type acting[T Float] struct {
	MatMul
	act func(y []T)
}

// Eval multiplies.
func (o MatMul) Eval(c *Ctx, out, in []Buf) error {
	return evalBy(out[0].DType, c, out, in, acting[float32]{o, acts32[o.Act]}, matmul[float32], acting[float64]{o, acts64[o.Act]}, matmul[float64])
}

// batches is the work of a MatMul with several products. Stride sa, sb is how many matrices of a, b one step along a
// batch axis passes, 0 where it repeats.
type batches[T Float] struct {
	gemm    vec.Gemm[T]
	y, a, b []T
	axes    int
	ext     [MaxRank]int
	sa, sb  [MaxRank]int
}

func matmul[T Float](o acting[T], c *Ctx, out, in []Buf) error {
	p, err := o.product(in[0].Shape, in[1].Shape)
	if err != nil {
		return err
	}
	w := batches[T]{y: Data[T](out[0]), a: Data[T](in[0]), b: Data[T](in[1])}
	w.gemm = vec.Gemm[T]{M: p.m, N: p.n, K: p.k, Act: o.act, Add: o.Acc,
		A: matrix(w.a, p.m, p.k, o.TransA), B: matrix(w.b, p.k, p.n, o.TransB), C: matrix(w.y, p.m, p.n, false)}
	if o.Bias {
		w.gemm.Bias = Data[T](in[2])
	}
	if o.Acc {
		startFrom(c, out[0], in[len(in)-1])
	}
	if p.flat || len(out[0].Shape) == 2 {
		w.gemm.Run(c.pool())
		return nil
	}
	w.strides(out[0].Shape, in[0].Shape, in[1].Shape)
	if n := out[0].Shape[:w.axes].Size(); n >= manyProducts || p.m*p.n*p.k < smallProduct {
		EachPart(c, n, w)
	} else {
		for i := range n {
			w.at(i)
			w.gemm.Run(c.pool())
		}
	}
	return nil
}

// From manyProducts on, and for small ones, each product is one worker's; else the workers share each product. The
// result has the same bits either way.
const (
	manyProducts = 16
	smallProduct = 1 << 18
)

// matrix views contiguous memory as a rows×cols matrix, kept transposed or not.
func matrix[T Float](x []T, rows, cols int, trans bool) vec.Mat[T] {
	if trans {
		return vec.Mat[T]{Data: x, Row: 1, Col: rows}
	}
	return vec.Mat[T]{Data: x, Row: cols, Col: 1}
}

// strides notes the batch axes.
func (w *batches[T]) strides(y, a, b Shape) {
	w.axes = len(y) - 2
	stepA, stepB := 1, 1
	for i := w.axes - 1; i >= 0; i-- {
		w.ext[i] = y[i]
		if j := i - len(y) + len(a); j >= 0 && a[j] > 1 {
			w.sa[i] = stepA
			stepA *= a[j]
		}
		if j := i - len(y) + len(b); j >= 0 && b[j] > 1 {
			w.sb[i] = stepB
			stepB *= b[j]
		}
	}
}

// at points the product at batch i.
func (w *batches[T]) at(i int) {
	g := &w.gemm
	g.C.Data = w.y[i*g.M*g.N:]
	oa, ob := 0, 0
	for k := w.axes - 1; k >= 0; k-- {
		j := i % w.ext[k]
		i /= w.ext[k]
		oa += j * w.sa[k]
		ob += j * w.sb[k]
	}
	g.A.Data = w.a[oa*g.M*g.K:]
	g.B.Data = w.b[ob*g.K*g.N:]
}

// part multiplies the matrices of batch i.
func (w *batches[T]) Part(i, worker int) {
	v := *w
	v.at(i)
	v.gemm.Serial(worker)
}

// startFrom copies an accumulator to the result, unless that is its memory.
func startFrom(c *Ctx, y, acc Buf) {
	if &y.Mem[0] != &acc.Mem[0] {
		copyRows(c, copied{y: y.Mem, x: acc.Mem, rows: 1, size: y.Bytes()})
	}
}
