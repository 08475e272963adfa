package graph

import (
	"github.com/ceto-ml/ceto/internal/vec"
	"github.com/pkg/errors"
)

// Embedding returns the rows of a table that ids name. ids (…) are Int32 and table (V, C) is a float; the result is
// (…, C), of the table's dtype. An id outside 0 … V−1 is an error of the run. The table's gradient adds up dy's rows
// by id, in their order and in the table's dtype.
func (g *Graph) Embedding(ids, table *Node) *Node { return g.Apply(Embedding{}, ids, table) }

// Embedding is the op of [Graph.Embedding].
type Embedding struct{}

// Infer wants ids and a matrix.
func (Embedding) Infer(in []Meta) (Meta, error) {
	if err := Arity(2, in); err != nil {
		return Meta{}, err
	}
	if in[0].DType != Int32 || !in[1].DType.IsFloat() || len(in[1].Shape) != 2 {
		return Meta{}, errors.New("want ids and a float table (V, C)")
	}
	return Meta{in[1].DType, append(in[0].Shape.Clone(), in[1].Shape[1])}, nil
}

// VJP applies [EmbeddingGrad].
func (Embedding) VJP(g *Graph, x []*Node, _, dy *Node) []*Node {
	return []*Node{nil, g.Apply(EmbeddingGrad{Vocab: x[1].Dim(0)}, x[0], dy)}
}

// lookup is the work of an Embedding.
type lookup[T Float] struct {
	y, table []T
	ids      []int32
	c, per   int // per ids to a part
}

// Eval copies rows.
func (o Embedding) Eval(c *Ctx, out, in []Buf) error {
	if err := checkIDs(Data[int32](in[0]), in[1].Shape[0]); err != nil {
		return err
	}
	return EvalFloat(out[0].DType, o, c, out, in, embed[float32], embed[float64])
}

// checkIDs refuses an id outside 0 … v−1.
func checkIDs(ids []int32, v int) error {
	for i, id := range ids {
		if id < 0 || int(id) >= v {
			return errors.Errorf("id %d at position %d: the table has rows 0 to %d", id, i, v-1)
		}
	}
	return nil
}

func embed[T Float](_ Embedding, c *Ctx, out, in []Buf) error {
	w := lookup[T]{y: Data[T](out[0]), table: Data[T](in[1]), ids: Data[int32](in[0]), c: in[1].Shape[1]}
	w.per = max(1, PartSize/w.c)
	EachPart(c, Parts(len(w.ids), w.per), w)
	return nil
}

func (w *lookup[T]) Part(i, _ int) {
	lo, hi := Span(i, len(w.ids), w.per)
	for r := lo; r < hi; r++ {
		copy(w.y[r*w.c:(r+1)*w.c], w.table[int(w.ids[r])*w.c:])
	}
}

// EmbeddingGrad computes the table's gradient (Vocab, C) from ids (…) and dy (…, C). Each row of dy is added to the
// row of its id, in order. With Acc it is added onto operand 2, in place where the plan can.
type EmbeddingGrad struct {
	NoGrad
	Vocab int
	Acc   bool
}

// Infer wants dy for the ids.
func (e EmbeddingGrad) Infer(in []Meta) (Meta, error) {
	if err := Arity(2+btoi(e.Acc), in); err != nil {
		return Meta{}, err
	}
	ids, dy := in[0], in[1]
	if ids.DType != Int32 || !dy.DType.IsFloat() || len(dy.Shape) != len(ids.Shape)+1 || !dy.Shape[:len(ids.Shape)].Equal(ids.Shape) {
		return Meta{}, errors.New("want ids (…) and dy (…, C)")
	}
	m := Of(dy.DType, e.Vocab, dy.Shape[len(ids.Shape)])
	if e.Acc && !in[2].Equal(m) {
		return Meta{}, errors.Errorf("accumulator %v, want %v", in[2], m)
	}
	return m, nil
}

// Overwrites allows the result over the accumulator.
func (e EmbeddingGrad) Overwrites(_, operand int) bool { return e.Acc && operand == 2 }

// Eval adds rows; parts are blocks of columns, so that rows meet in their order.
func (e EmbeddingGrad) Eval(c *Ctx, out, in []Buf) error {
	if err := checkIDs(Data[int32](in[0]), e.Vocab); err != nil {
		return err
	}
	if e.Acc {
		startFrom(c, out[0], in[2])
	}
	return EvalFloat(out[0].DType, e, c, out, in, scatterRows[float32], scatterRows[float64])
}

// scatterBlock is the number of columns of one part.
const scatterBlock = 64

// tableSums is the work of an EmbeddingGrad.
type tableSums[T Float] struct {
	y, dy []T
	ids   []int32
	c     int
	fresh bool
}

func scatterRows[T Float](e EmbeddingGrad, c *Ctx, out, in []Buf) error {
	w := tableSums[T]{Data[T](out[0]), Data[T](in[1]), Data[int32](in[0]), out[0].Shape[1], !e.Acc}
	EachPart(c, Parts(w.c, scatterBlock), w)
	return nil
}

func (w *tableSums[T]) Part(i, _ int) {
	lo, hi := Span(i, w.c, scatterBlock)
	for at := 0; w.fresh && at < len(w.y); at += w.c {
		clear(w.y[at+lo : at+hi])
	}
	for r, id := range w.ids {
		vec.AddTo(w.y[int(id)*w.c+lo:int(id)*w.c+hi], w.dy[r*w.c+lo:r*w.c+hi])
	}
}
