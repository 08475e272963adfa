package gpt

import (
	"github.com/ceto-ml/ceto/graph"
	"github.com/ceto-ml/ceto/nn"
	"github.com/pkg/errors"
)

// Pool says how the hidden states (T, Width) of a sequence become one vector.
type Pool string

// The pools.
const (
	PoolLast     Pool = "last"      // the last token's, as in transformers' …ForSequenceClassification; "" means the same
	PoolMean     Pool = "mean"      // the mean over all tokens
	PoolMeanLast Pool = "mean+last" // the mean, then the last token's: 2·Width numbers
)

// Pools lists all of them.
var Pools = []Pool{PoolLast, PoolMean, PoolMeanLast}

// pool takes the hidden states x (B, T, Width) and the index last (B) of each row's last token. It returns the vectors
// (B, N).
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

// lastState returns x[b, last[b]] for each row b of x (B, T, C), as (B, C). It is an attention with one query, at that
// position. The query sees one key, its own, so that the result is its value.
func lastState(s *nn.Scope, x, last *graph.Node) *graph.Node {
	b, t, c := x.Dim(0), x.Dim(1), x.Dim(2)
	v := s.Reshape(x, b, t, 1, c)
	y := s.Attention(s.Slice(v, 1, 0, 1), v, v, graph.AttentionOpts{Causal: true, Window: 1, Start: last})
	return s.Reshape(y, b, c)
}

// meanState returns the mean of x[b, 0 … last[b]] for each row b of x (B, T, C), as (B, C). It is an attention with one
// query of zeros, at the last position. All keys up to there have the same score.
func meanState(s *nn.Scope, x, last *graph.Node) *graph.Node {
	b, t, c := x.Dim(0), x.Dim(1), x.Dim(2)
	v := s.Reshape(x, b, t, 1, c)
	q := s.Full(graph.Of(s.DType(), b, 1, 1, c), 0)
	return s.Reshape(s.Attention(q, v, v, graph.AttentionOpts{Causal: true, Start: last}), b, c)
}
