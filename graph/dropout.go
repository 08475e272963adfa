package graph

import (
	"github.com/ceto-ml/ceto/internal/vec"
	"github.com/pkg/errors"
)

// Dropout returns x with some elements set to 0 and the others divided by 1 − p. Each element is 0 with probability
// p. Source: Srivastava et al., JMLR 15, 2014, with the scaling at training time.
//
// x is a float of any shape, and y has its meta. p is a probability with 0 ≤ p < 1; another is an error, and p = 0
// gives x itself. Which elements are 0 follows from the run's [Scalars], the stream and the element's index i alone.
// A model passes the hash of its scope's path as the stream, so that no two layers share one. With the key and the
// function next of [Scalars.Key], element i is kept where
//
//	h>>8 ≥ round(p·2²⁴),  h = mix(mix(low(i) ^ low(k)) ^ high(k)),  k = next(key + next(high(i) + 1))
//	mix(h): h = (h ^ h>>16)·0x7feb352d
//	        h = (h ^ h>>15)·0x846ca68b
//	        h ^ h>>16
//
// where low and high are the halves of 64 bits, and mix works in 32 bits. The gradient is the same op on dy, so no mask
// is stored.
func (g *Graph) Dropout(x *Node, p float64, stream uint64) *Node {
	if p == 0 && x != nil {
		return x
	}
	return g.Apply(Dropout{P: p, Stream: stream}, x)
}

// Dropout is the op of [Graph.Dropout].
type Dropout struct {
	P      float64
	Stream uint64
}

// Infer wants a probability below 1.
func (d Dropout) Infer(in []Meta) (Meta, error) {
	if err := checkDrop(d.P); err != nil {
		return Meta{}, err
	}
	return SameMeta(1, in)
}

func checkDrop(p float64) error {
	if !(p >= 0 && p < 1) {
		return errors.Errorf("dropout %g: want 0 ≤ p < 1", p)
	}
	return nil
}

// VJP drops the same elements of dy.
func (d Dropout) VJP(g *Graph, _ []*Node, _, dy *Node) []*Node { return []*Node{g.Apply(d, dy)} }

// Overwrites allows x.
func (Dropout) Overwrites(int, int) bool { return true }

// Eval drops.
func (d Dropout) Eval(c *Ctx, out, in []Buf) error {
	return EvalFloat(out[0].DType, d, c, out, in, dropoutEval[float32], dropoutEval[float64])
}

// dropped is the work of a Dropout.
type dropped[T Float] struct {
	y, x []T
	p    float64
	key  uint64
}

func dropoutEval[T Float](d Dropout, c *Ctx, out, in []Buf) error {
	w := dropped[T]{Data[T](out[0]), Data[T](in[0]), d.P, c.Scalars.Key(d.Stream)}
	EachPart(c, Parts(len(w.y), PartSize), w)
	return nil
}

func (w *dropped[T]) Part(i, _ int) {
	lo, hi := Span(i, len(w.y), PartSize)
	vec.Dropout(w.y[lo:hi], w.x[lo:hi], w.key, uint64(lo), w.p)
}
