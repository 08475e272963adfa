package gpt

import (
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// Pool says which vector stands for a sequence of a model's hidden states (T, Width).
type Pool string

// The pools.
const (
	PoolLast     Pool = "last"      // of the last token: transformers' …ForSequenceClassification; the zero value
	PoolMean     Pool = "mean"      // of all tokens
	PoolMeanLast Pool = "mean+last" // both, one behind the other: 2·Width numbers
)

// Pools lists them.
var Pools = []Pool{PoolLast, PoolMean, PoolMeanLast}

// pool returns the vectors of the hidden states x (B, T, Width).
func (c Classify) pool(s *nn.Scope, x, last *graph.Node) *graph.Node {
	switch c.Pool {
	case PoolLast, "":
		return lastState(s, x, last)
	case PoolMean:
		return meanState(s, x, last)
	case PoolMeanLast:
		return s.Concat(-1, meanState(s, x, last), lastState(s, x, last))
	}
	return s.Fail(errors.Errorf("gpt: Classify: pool %q; known: %v", c.Pool, Pools))
}

// lastState returns x[b, last[b]] for each row of x (B, T, C): an attention whose one query stands at that position and
// sees one key, itself, gives its value.
func lastState(s *nn.Scope, x, last *graph.Node) *graph.Node {
	b, t, c := x.Dim(0), x.Dim(1), x.Dim(2)
	v := s.Reshape(x, b, t, 1, c)
	y := s.Attention(s.Slice(v, 1, 0, 1), v, v, graph.AttentionOpts{Causal: true, Window: 1, Start: last})
	return s.Reshape(y, b, c)
}

// meanState returns the mean of x[b, 0 … last[b]] for each row of x (B, T, C): an attention whose one query, at the last
// position, scores all keys up to it alike.
func meanState(s *nn.Scope, x, last *graph.Node) *graph.Node {
	b, t, c := x.Dim(0), x.Dim(1), x.Dim(2)
	v := s.Reshape(x, b, t, 1, c)
	q := s.Full(graph.Of(s.DType(), b, 1, 1, c), 0)
	return s.Reshape(s.Attention(q, v, v, graph.AttentionOpts{Causal: true, Start: last}), b, c)
}
