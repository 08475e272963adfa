package graph

import "github.com/pkg/errors"

// Full returns a value of meta m whose elements are all v, rounded to its dtype. Constants of Gorgonia become a Full
// too.
func (g *Graph) Full(m Meta, v float64) *Node {
	return g.Apply(Full{Value: v, DType: m.DType, Dims: DimsOf(m.Shape...)})
}

// Full is the op of [Graph.Full]; it has no operands.
type Full struct {
	Value float64
	DType DType
	Dims  Dims
}

// Infer returns the attribute's meta.
func (f Full) Infer(in []Meta) (Meta, error) {
	if f.Dims.N > MaxRank {
		return Meta{}, errors.Errorf("rank %d, at most %d", f.Dims.N, MaxRank)
	}
	return Meta{f.DType, f.Dims.Shape()}, Arity(0, in)
}

// VJP has no operand to give a gradient to.
func (Full) VJP(*Graph, []*Node, *Node, *Node) []*Node { return nil }

// Eval fills.
func (f Full) Eval(_ *Ctx, out, _ []Buf) error {
	out[0].Fill(f.Value)
	return nil
}
