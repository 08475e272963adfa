package graph

import (
	"github.com/ceto-ml/ceto/internal/splitmix"
	"github.com/ceto-ml/ceto/internal/vec"
	"github.com/pkg/errors"
)

// Dropout returns x with each element zero with probability p and 1/(1−p) times itself otherwise (Srivastava et al.,
// JMLR 15, 2014, with the scaling at training time).
//
// x may have any shape; y has its meta; 0 ≤ p < 1, and p = 0 gives x itself. Which elements are zero follows from the
// seed and the micro-batch of the run, the stream and the element's index alone; a model passes the hash of its scope
// path, so that no two layers share a stream. The gradient is the same op on dy: no mask is stored.
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
	w := dropped[T]{Data[T](out[0]), Data[T](in[0]), d.P, c.Scalars.key(d.Stream)}
	EachPart(c, Parts(len(w.y), PartSize), w)
	return nil
}

func (w *dropped[T]) Part(i, _ int) {
	lo, hi := Span(i, len(w.y), PartSize)
	vec.Dropout(w.y[lo:hi], w.x[lo:hi], w.key, uint64(lo), w.p)
}

// key is the key of the random numbers of a stream in this run: a hash of seed, micro-batch and stream.
func (s *Scalars) key(stream uint64) uint64 {
	return splitmix.Next(splitmix.Next(splitmix.Next(s.Seed)+uint64(s.Micro)) + stream)
}
