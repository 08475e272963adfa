package graph

import "github.com/pkg/errors"

// Arity returns an error where in does not have n operands.
func Arity(n int, in []Meta) error {
	if len(in) != n {
		return errors.Errorf("%d operands, want %d", len(in), n)
	}
	return nil
}

// SameMeta is the Infer of an op on n floats of one dtype and shape, whose result has both too. It returns that meta,
// or an error that says what does not fit.
func SameMeta(n int, in []Meta) (Meta, error) {
	if err := Arity(n, in); err != nil {
		return Meta{}, err
	}
	for _, m := range in {
		if !m.Equal(in[0]) || !m.DType.IsFloat() {
			return Meta{}, errors.New("want floats of one dtype and shape")
		}
	}
	return in[0], nil
}

// Present returns x and those of the others that are not nil: the operands of an op with optional ones.
func Present(x *Node, rest ...*Node) []*Node {
	nodes := []*Node{x}
	for _, n := range rest {
		if n != nil {
			nodes = append(nodes, n)
		}
	}
	return nodes
}

// FrontAxis returns an axis of x counted from the front, so that equal ops are equal values. An axis that x does not
// have is returned as it is, for Infer to refuse.
func FrontAxis(x *Node, axis int) int {
	if a, err := x.Shape().Axis(axis); err == nil {
		return a
	}
	return axis
}

// Around returns the product of the extents before an axis, the axis' own extent, and the product of the extents behind
// it. An axis that s does not have gives 1, 1 and the size of s.
func (s Shape) Around(axis int) (outer, n, inner int) {
	a, err := s.Axis(axis)
	if err != nil {
		return 1, 1, s.Size()
	}
	return s[:a].Size(), s[a], s[a+1:].Size()
}

// rowMeta is the meta of one element for each row of x.
func rowMeta(x Meta) Meta { return Meta{x.DType, x.Shape[:len(x.Shape)-1]} }

func lastAxis(b Buf) int { return b.Shape[len(b.Shape)-1] }

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}
