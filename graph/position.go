package graph

import (
	"math"

	"github.com/pkg/errors"
)

// Iota returns ids of the given shape that count 0, 1, … along the last axis. Iota(T) are the positions (T) of a
// sequence, and Iota(B, T) are those of B sequences. A shape needs at least one axis.
func (g *Graph) Iota(shape ...int) *Node { return g.Apply(Iota{DimsOf(shape...)}) }

// Iota is the op of [Graph.Iota]; it has no operands.
type Iota struct{ Dims Dims }

// Infer wants at least one axis, and a last one that ids can count.
func (o Iota) Infer(in []Meta) (Meta, error) {
	if o.Dims.N < 1 || o.Dims.N > MaxRank {
		return Meta{}, errors.Errorf("rank %d: want 1 to %d", o.Dims.N, MaxRank)
	}
	m := Meta{Int32, o.Dims.Shape()}
	if n := m.Shape[o.Dims.N-1]; n > math.MaxInt32 {
		return Meta{}, errors.Errorf("ids up to %d: the largest is %d", n-1, math.MaxInt32)
	}
	return m, Arity(0, in)
}

// VJP has no operand to give a gradient to.
func (Iota) VJP(*Graph, []*Node, *Node, *Node) []*Node { return nil }

// Eval counts.
func (o Iota) Eval(_ *Ctx, out, _ []Buf) error {
	y := Data[int32](out[0])
	for n := out[0].Shape[o.Dims.N-1]; len(y) > 0; y = y[n:] {
		for i := range y[:n] {
			y[i] = int32(i)
		}
	}
	return nil
}

// Positions returns the ids start[b] + i, 0 ≤ i < t: the positions of t tokens from start on, for each row. start (B)
// are ids, and the result is ids (B, t). Past the largest int32 they wrap.
func (g *Graph) Positions(start *Node, t int) *Node { return g.Apply(Positions{T: t}, start) }

// Positions is the op of [Graph.Positions].
type Positions struct{ T int }

// Infer wants ids (B).
func (o Positions) Infer(in []Meta) (Meta, error) {
	if err := Arity(1, in); err != nil {
		return Meta{}, err
	}
	if in[0].DType != Int32 || len(in[0].Shape) != 1 || o.T > math.MaxInt32 {
		return Meta{}, errors.Errorf("want ids (B) and a number of positions, not %d", o.T)
	}
	return Of(Int32, in[0].Shape[0], o.T), nil
}

// VJP has no float operand.
func (Positions) VJP(*Graph, []*Node, *Node, *Node) []*Node { return nil }

// Eval counts.
func (o Positions) Eval(_ *Ctx, out, in []Buf) error {
	y := Data[int32](out[0])
	for b, s := range Data[int32](in[0]) {
		for i := range o.T {
			y[b*o.T+i] = s + int32(i)
		}
	}
	return nil
}
