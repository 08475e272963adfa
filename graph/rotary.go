package graph

import (
	"math"

	"github.com/pkg/errors"
)

// RotaryOpts are the attributes of [Graph.Rotary].
type RotaryOpts struct {
	Base        float64 // 0 means 10000
	Dim         int     // elements of a head that turn, the first ones; 0 means all
	Interleaved bool    // pairs are neighbours, as in the paper; else i and i + Dim/2, as in GPT-NeoX and Llama
	Scaling     RotaryScaling
}

// RotaryScaling slows the rotation down, for contexts longer than those of the training; the zero value does not.
//
//	θ′ = θ/Factor                                            where Context is 0
//	θ′ = (1−s)·θ/Factor + s·θ, s = (Context·θ/2π − Low)/(High − Low) within 0 … 1   elsewhere
//
// The first is rope_scaling "linear", the second "llama3" (Grattafiori et al., arXiv:2407.21783; the names there are
// factor, low_freq_factor, high_freq_factor and original_max_position_embeddings).
type RotaryScaling struct {
	Factor    float64 // 0 means 1
	Low, High float64 // turns within Context below which a pair is slowed down, and above which it is not
	Context   int     // of the training, in tokens
}

// Rotary turns the pairs of each head by angles that grow with the position:
//
//	(y₁, y₂) = (x₁·cos a − x₂·sin a, x₁·sin a + x₂·cos a),  a = position·θ,  θ = Base^(−2i/Dim) for pair i
//
// x (B, T, NH, HS) is a float, and y has its meta. positions are ids (T) or (B, T), and nil means 0 … T−1. Cosines
// and sines are computed in float64 by an op of their own, which all layers share. A Dim that is odd or above HS is
// an error. Source: Su et al., arXiv:2104.09864, section 3.4.
func (g *Graph) Rotary(x, positions *Node, o RotaryOpts) *Node {
	if positions == nil {
		positions = g.Iota(x.Dim(1))
	}
	if o.Base == 0 {
		o.Base = 10000
	}
	if o.Dim == 0 {
		o.Dim = x.Dim(-1)
	}
	if o.Scaling.Factor == 0 {
		o.Scaling.Factor = 1
	}
	table := g.Apply(RotaryTable{DType: x.DType(), Base: o.Base, Dim: o.Dim, Scaling: o.Scaling}, positions)
	return g.Apply(Rotary{Dim: o.Dim, Interleaved: o.Interleaved}, x, table)
}

// RotaryTable has the cosines and, after them, the sines of the angles of [Graph.Rotary]: ids (…) to (…, Dim).
type RotaryTable struct {
	NoGrad
	DType   DType
	Base    float64
	Dim     int
	Scaling RotaryScaling
}

// Infer wants ids and numbers that make sense.
func (r RotaryTable) Infer(in []Meta) (Meta, error) {
	if err := Arity(1, in); err != nil {
		return Meta{}, err
	}
	s := r.Scaling
	switch {
	case in[0].DType != Int32 || !r.DType.IsFloat():
		return Meta{}, errors.New("want ids, and a table of floats")
	case r.Dim < 2 || r.Dim%2 != 0:
		return Meta{}, errors.Errorf("dim %d: want an even number from 2 on", r.Dim)
	case !(r.Base > 0) || math.IsInf(r.Base, 1) || !(s.Factor > 0) || math.IsInf(s.Factor, 1):
		return Meta{}, errors.Errorf("base %g, factor %g: want positive numbers", r.Base, s.Factor)
	case s.Context < 0 || s.Context > 0 && !(s.Low >= 0 && s.High > s.Low && !math.IsInf(s.High, 1)):
		return Meta{}, errors.Errorf("scaling %+v: want 0 ≤ Low < High and a positive Context", s)
	}
	return Meta{r.DType, append(in[0].Shape.Clone(), r.Dim)}, nil
}

// Eval computes in float64.
func (r RotaryTable) Eval(c *Ctx, out, in []Buf) error {
	return EvalFloat(r.DType, r, c, out, in, tabulate[float32], tabulate[float64])
}

// rotaryRows is the number of positions of one part.
const rotaryRows = 16

func tabulate[T Float](r RotaryTable, c *Ctx, out, in []Buf) error {
	EachPart(c, Parts(in[0].Size(), rotaryRows), tabled[T]{r, Data[T](out[0]), Data[int32](in[0])})
	return nil
}

// tabled is the work of a RotaryTable.
type tabled[T Float] struct {
	r   RotaryTable
	y   []T
	ids []int32
}

func (w *tabled[T]) Part(n, _ int) {
	lo, hi := Span(n, len(w.ids), rotaryRows)
	half := w.r.Dim / 2
	for i := range half {
		theta := w.r.Speed(i)
		for p := lo; p < hi; p++ {
			sin, cos := math.Sincos(float64(w.ids[p]) * theta)
			row := w.y[p*w.r.Dim:][:w.r.Dim]
			row[i], row[half+i] = T(cos), T(sin)
		}
	}
}

// Speed is the angle, in radians, by which pair i turns from one position to the next.
func (r RotaryTable) Speed(i int) float64 {
	theta := math.Pow(r.Base, -2*float64(i)/float64(r.Dim))
	s := r.Scaling
	if s.Context == 0 {
		return theta / s.Factor
	}
	keep := (float64(s.Context)*theta/(2*math.Pi) - s.Low) / (s.High - s.Low)
	keep = min(max(keep, 0), 1)
	return (1-keep)*theta/s.Factor + keep*theta
}

// Rotary is the op of [Graph.Rotary], given the table; Inverse turns the other way.
type Rotary struct {
	Dim         int
	Interleaved bool
	Inverse     bool
}

// Stops says that the table has no gradient.
func (Rotary) Stops(operand int) bool { return operand == 1 }

// Strided allows x and y to be slices of packed matrices.
func (Rotary) Strided() {}

// Overwrites allows x.
func (Rotary) Overwrites(_, operand int) bool { return operand == 0 }

// Infer wants x (B, T, NH, HS) and a table (T, Dim) or (B, T, Dim).
func (r Rotary) Infer(in []Meta) (Meta, error) {
	if err := Arity(2, in); err != nil {
		return Meta{}, err
	}
	x, t := in[0], in[1]
	if len(x.Shape) != 4 || !x.DType.IsFloat() || r.Dim < 2 || r.Dim%2 != 0 || r.Dim > x.Shape[3] {
		return Meta{}, errors.Errorf("want floats (B, T, NH, HS) and an even dim from 2 to HS, not %d", r.Dim)
	}
	if !t.Equal(Of(x.DType, x.Shape[1], r.Dim)) && !t.Equal(Of(x.DType, x.Shape[0], x.Shape[1], r.Dim)) {
		return Meta{}, errors.Errorf("positions of B = %d rows of T = %d: want ids (T) or (B, T)", x.Shape[0], x.Shape[1])
	}
	return x, nil
}

// VJP turns dy back.
func (r Rotary) VJP(g *Graph, x []*Node, _, dy *Node) []*Node {
	r.Inverse = !r.Inverse
	return []*Node{g.Apply(r, dy, x[1]), nil}
}

// FLOPs counts six a pair.
func (r Rotary) FLOPs(in []Meta, _ Meta) int64 {
	return int64(in[0].Size()/in[0].Shape[3]) * int64(3*r.Dim)
}

// Eval turns.
func (r Rotary) Eval(c *Ctx, out, in []Buf) error {
	if err := wholeHeads(c, out, in[:1]); err != nil {
		return err
	}
	return EvalFloat(out[0].DType, r, c, out, in, rotate[float32], rotate[float64])
}

// rotated is the work of a Rotary, a row being a position.
type rotated[T Float] struct {
	Rotary
	y, x        heads[T]
	table       []T
	rows, t     int // positions of all rows, and of one
	per, nh, hs int // positions of a part
	sign        T
}

func rotate[T Float](r Rotary, c *Ctx, out, in []Buf) error {
	s := out[0].Shape
	w := rotated[T]{Rotary: r, y: headsOf[T](out[0]), x: headsOf[T](in[0]), table: Data[T](in[1]), rows: s[0] * s[1], t: s[1],
		per: max(1, PartSize/4/(s[2]*s[3])), nh: s[2], hs: s[3], sign: 1}
	if r.Inverse {
		w.sign = -1
	}
	EachPart(c, Parts(w.rows, w.per), w)
	return nil
}

func (w *rotated[T]) Part(n, _ int) {
	lo, hi := Span(n, w.rows, w.per)
	for i := lo; i < hi; i++ {
		table := w.table[i*w.Dim%len(w.table):][:w.Dim]
		cos, sin := table[:w.Dim/2], table[w.Dim/2:]
		for h := range w.nh {
			y, x := w.y.row(i/w.t, i%w.t, h, w.hs), w.x.row(i/w.t, i%w.t, h, w.hs)
			if w.Interleaved {
				turnNeighbours(y, x, cos, sin, w.sign)
			} else {
				turnHalves(y, x, cos, sin, w.sign)
			}
			copy(y[w.Dim:], x[w.Dim:])
		}
	}
}

func turnHalves[T Float](y, x, cos, sin []T, sign T) {
	n := len(cos)
	sin = sin[:n]
	x1, x2, y1, y2 := x[:n], x[n:2*n], y[:n], y[n:2*n]
	for i, c := range cos {
		s, a, b := sign*sin[i], x1[i], x2[i]
		y1[i], y2[i] = a*c-b*s, a*s+b*c
	}
}

func turnNeighbours[T Float](y, x, cos, sin []T, sign T) {
	for i, c := range cos {
		s, a, b := sign*sin[i], x[2*i], x[2*i+1]
		y[2*i], y[2*i+1] = a*c-b*s, a*s+b*c
	}
}
